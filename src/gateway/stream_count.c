/* SPDX-License-Identifier: Apache-2.0
 * What providers bill as output beside the texts themselves, as recorded exchanges tell
 * (tests/outside/counted.test.mjs):
 *
 *   chat, completions   nothing; newer models now and then one token for the end
 *   responses           one token for the end
 *   harmony             <|channel|>NAME<|message|> before each text, <|end|><|start|>assistant
 *                       between two, <|return|> at the end
 *   calls               a header each, and a wrapper around several: how these are written is not
 *                       public, so where a tool is called the count is near, not exact
 *
 *   another family      what its rows of prompts/rules.c make of a prompt's text, as a bound; and
 *                       LIMIT_TEMPLATE_TOKENS for each call: of 500 recorded answers none had more
 *
 * Considered and not done: to close a choice's text as soon as its next one begins. A model's
 * reasoning and its answer may come in turns, and then each piece would be a text of its own. */
#include "gateway/stream_count.h"

#include "base/assert.h"
#include "base/checked.h"
#include "tokens/fit.h"

#include <stdlib.h>

enum { HARMONY_HEADER = 3, HARMONY_BETWEEN = 3, HARMONY_CALL = 17 };
enum { CALL_HEADER = 7, CALLS_WRAPPER = 26, CALL_WITHIN = 13 }; /* the most that was recorded */
/* No family has fewer than half of o200k_base's tokens; seven of eight pieces have one each. */
enum { FAMILY_LEAST = 2, PIECES_SHARED = 8 };
enum { DECODED = 512 }; /* bytes unescaped at once */

static enum stream_template template_of(const struct tokenizer *tokenizer,
                                        const struct dialect *provider)
{
    if (slice_is(slice_of(tokenizer_encoding(tokenizer)->name), "o200k_harmony"))
        return STREAM_HARMONY;
    return provider == dialect_responses() ? STREAM_ENDED : STREAM_PLAIN;
}

void stream_count_begin(struct stream_count *count, struct tokenizer *tokenizer,
                        const struct dialect *provider)
{
    ASSERT(!count->tokenizer);
    *count = (struct stream_count){.tokenizer = tokenizer};
    if (tokenizer)
        count->template = template_of(tokenizer, provider);
}

void stream_count_by_family(struct stream_count *count, const struct prompt_rule *family)
{
    ASSERT(!count->clock && family->bounded);
    count->family = family;
}

void stream_count_done(struct stream_count *count)
{
    counter_done(&count->first.counter);
    for (uint32_t i = 0; i < count->more_len; i++)
        counter_done(&count->more[i].counter);
    free(count->more);
    count->more = NULL;
    count->more_len = count->more_room = 0;
    count->tokenizer = NULL;
}

/* ---- Which text ------------------------------------------------------------------------------ */

static enum dialect_text_kind kind_of(uint32_t of)
{
    return (enum dialect_text_kind)(of & 3);
}

static const struct stream_text *get(const struct stream_count *count, uint32_t of)
{
    if (count->first.used && count->first.of == of)
        return &count->first;
    for (uint32_t i = 0; i < count->more_len; i++)
        if (count->more[i].of == of)
            return &count->more[i];
    return NULL;
}

static struct stream_text *find(struct stream_count *count, uint32_t of)
{
    const struct stream_text *text = get(count, of);
    return !text                   ? NULL
           : text == &count->first ? &count->first
                                   : count->more + (text - count->more);
}

/* Tokens that stand before a text that begins now. */
static int64_t header(const struct stream_count *count, uint32_t of)
{
    bool harmony = count->template == STREAM_HARMONY;
    if (count->family)
        return 0;
    switch (kind_of(of)) {
    case DIALECT_TEXT_SHOWN:
    case DIALECT_TEXT_REASONING:
        return !harmony ? 0 : HARMONY_HEADER + (count->texts ? HARMONY_BETWEEN : 0);
    case DIALECT_TEXT_NAME:
        if (harmony)
            return HARMONY_CALL;
        return !count->calls ? CALL_HEADER : count->calls == 1 ? CALLS_WRAPPER : CALL_WITHIN;
    case DIALECT_TEXT_ARGUMENTS:
        break;
    }
    return 0;
}

static struct stream_text *add_room(struct stream_count *count)
{
    if (count->more_len == count->more_room) {
        uint32_t room = count->more_room ? STREAM_TEXTS - 1 : 1;
        struct stream_text *more = realloc(count->more, room * sizeof *more);
        if (!more)
            return NULL;
        count->more = more;
        count->more_room = room;
    }
    return &count->more[count->more_len++];
}

/* The one that has not grown for longest makes room, if it is of the choice that goes on. */
static struct stream_text *take_room(struct stream_count *count, uint32_t of)
{
    struct stream_text *oldest = &count->first;
    for (uint32_t i = 0; i < count->more_len; i++)
        if (count->more[i].used < oldest->used)
            oldest = &count->more[i];
    if (oldest->of >> 16 != of >> 16)
        return NULL;
    counter_done(&oldest->counter);
    return oldest;
}

static struct stream_text *begin(struct stream_count *count, uint32_t of)
{
    struct stream_text *text = !count->first.used                    ? &count->first
                               : count->more_len == STREAM_TEXTS - 1 ? take_room(count, of)
                                                                     : add_room(count);
    if (!text)
        return NULL;
    *text = (struct stream_text){.of = of};
    count->total += header(count, of);
    count->calls += kind_of(of) == DIALECT_TEXT_NAME;
    count->texts += kind_of(of) == DIALECT_TEXT_SHOWN || kind_of(of) == DIALECT_TEXT_REASONING;
    count->reasoned = count->reasoned || kind_of(of) == DIALECT_TEXT_REASONING;
    return text;
}

/* ---- Feeding --------------------------------------------------------------------------------- */

/* What the first len bytes of a raw string mean, the quote not counted as any. */
static int feed_escaped(struct counter *counter, struct tokenizer *tokenizer, struct slice raw,
                        size_t len)
{
    char room[DECODED], escape[4];
    struct slice piece;
    size_t used = 0;
    for (size_t at = 1; at < len;) {
        size_t from = at;
        if (!json_string_next((struct json){JSON_STRING, raw}, &at, escape, &piece))
            break;
        if (at > len)
            piece = slice_part(raw, from, len - from);
        if (piece.len > DECODED - used) {
            int rc = counter_feed(counter, tokenizer, (struct slice){room, used});
            used = 0;
            if (!rc && piece.len > DECODED)
                rc = counter_feed(counter, tokenizer, piece);
            if (rc)
                return rc;
            if (piece.len > DECODED)
                continue;
        }
        memcpy(room + used, piece.data, piece.len);
        used += piece.len;
    }
    return counter_feed(counter, tokenizer, (struct slice){room, used});
}

/* Bytes of what it means that are no ASCII, and digits: whether one stands behind another is not
 * told over the edge of a piece. */
static void add_marks(struct stream_count *count, struct slice raw, size_t len)
{
    char escape[4];
    struct slice piece;
    for (size_t at = 1;
         at < len && json_string_next((struct json){JSON_STRING, raw}, &at, escape, &piece);)
        for (size_t i = 0; i < piece.len; i++) {
            count->wide += (unsigned char)piece.data[i] >> 7;
            count->digits += piece.data[i] >= '0' && piece.data[i] <= '9';
        }
}

static int feed(struct counter *counter, struct tokenizer *tokenizer, struct slice raw, size_t len)
{
    struct slice inside = slice_part(raw, 1, len - 1);
    if (!inside.len)
        return 0;
    if (memchr(inside.data, '\\', inside.len))
        return feed_escaped(counter, tokenizer, raw, len);
    return counter_feed(counter, tokenizer, inside);
}

void stream_count_add_part(struct stream_count *count, const struct dialect_text *piece, size_t len)
{
    ASSERT(stream_count_on(count) && len < piece->raw.len);
    if (len <= 1)
        return;                                 /* nothing begins with nothing */
    bool bearable = len <= LIMIT_COUNTED_BYTES; /* the loop waits meanwhile */
    struct stream_text *text = bearable ? find(count, piece->of) : NULL;
    if (bearable && !text)
        text = begin(count, piece->of);
    int64_t before = text ? counter_total(&text->counter) : 0;
    if (!text || feed(&text->counter, count->tokenizer, piece->raw, len)) {
        stream_count_done(count);
        return;
    }
    text->used = ++count->clock;
    count->total += counter_total(&text->counter) - before;
    if (count->family)
        add_marks(count, piece->raw, len);
}

void stream_count_untold(struct stream_count *count, int64_t bytes)
{
    if (!count->family)
        stream_count_done(count);
    else if (__builtin_add_overflow(count->untold, bytes, &count->untold))
        count->untold = INT64_MAX / 2;
}

void stream_count_add(struct stream_count *count, const struct dialect_text *text)
{
    stream_count_add_part(count, text, text->raw.len - 1);
}

/* ---- What fits ------------------------------------------------------------------------------- */

/* Where in raw the character begins that has len bytes of meaning before it. */
static size_t raw_place(struct slice raw, size_t len)
{
    char escape[4];
    struct slice piece;
    size_t at = 1;
    while (len) {
        size_t from = at;
        if (!json_string_next((struct json){JSON_STRING, raw}, &at, escape, &piece))
            break;
        if (piece.len > len)
            return from + len; /* no escape: those end where characters do */
        len -= piece.len;
    }
    return at;
}

size_t stream_count_fit(const struct stream_count *count, const struct dialect_text *piece,
                        int64_t limit)
{
    static const struct counter none;
    const struct stream_text *text = get(count, piece->of);
    const struct counter *counter = text ? &text->counter : &none;
    int64_t others = count->total - counter_total(counter) + (text ? 0 : header(count, piece->of));
    if (piece->raw.len == sizeof "\"\"" - 1 ||
        others + counter_total(counter) + (int64_t)piece->raw.len <= limit)
        return piece->raw.len;
    if (!counter_can_fit(counter) || piece->raw.len > LIMIT_COUNTED_BYTES)
        return STREAM_UNTOLD;
    char *room = malloc(piece->raw.len);
    if (!room)
        return 0;
    long len = json_string_copy((struct json){JSON_STRING, piece->raw}, room, piece->raw.len);
    ASSERT(len >= 0);
    size_t fits =
        counter_fit(counter, count->tokenizer, (struct slice){room, (size_t)len}, limit - others);
    free(room);
    if (fits == (size_t)len)
        return piece->raw.len;
    return fits ? raw_place(piece->raw, fits) : 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

int64_t stream_count_whole(const struct stream_count *count)
{
    return count->total + (count->clock && count->template != STREAM_PLAIN);
}

/* Rounded up. */
static int64_t scaled(int64_t count, int64_t per_mille)
{
    int64_t all;
    return checked_mul_div_up(count, per_mille, 1000, &all) ? all : METE_AMOUNT_MAX;
}

int64_t stream_count_most(const struct stream_count *count)
{
    const struct rule_figures *bound = count->family->bound;
    ASSERT(stream_count_on(count));
    return scaled(count->total, bound->text) + scaled(count->wide, bound->wide) +
           scaled(count->digits, bound->digits) + count->untold +
           (int64_t)count->calls * LIMIT_TEMPLATE_TOKENS;
}

int64_t stream_count_least(const struct stream_count *count)
{
    /* A piece has a token, but for some that others have a part of. */
    return max_i64(count->total / FAMILY_LEAST, count->clock - count->clock / PIECES_SHARED);
}

void stream_count_event(struct stream_count *count, const struct dialect_event *event)
{
    int64_t told = 0;
    for (size_t i = 0; i < event->texts_len && !event->texts_are_all; i++)
        told += (int64_t)json_string_bytes((struct json){JSON_STRING, event->texts[i].raw});
    if (event->output_bytes && !event->texts_are_all && stream_count_on(count))
        stream_count_untold(count, max_i64(event->output_bytes - told, 0));
    for (size_t i = 0; i < event->texts_len && stream_count_on(count); i++)
        stream_count_add(count, &event->texts[i]);
}
