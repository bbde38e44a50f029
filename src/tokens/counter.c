/* SPDX-License-Identifier: Apache-2.0
 * The text's last two pieces are open; all before them are counted once and forgotten. An open
 * piece is kept as it is, in the tail, and counted again when it has changed. One that is longer
 * than LITERAL bytes is grown: its tokens are a run (merge.h), and in the tail something short
 * stands for it (stand_in.h), which is cut where the piece would be.
 *
 *   tail   | first piece or its stand-in | last piece or its stand-in |
 *
 * A feed puts the new bytes behind the tail, cuts all of it into pieces, and takes each one's
 * tokens from what it is made of: a run as it is, cut or joined, and bytes. A character that is not
 * all there is kept beside the tail, and counted as the U+FFFD that it would be. */
#include "tokens/tokenizer.h"

#include "base/assert.h"
#include "base/errors.h"
#include "tokens/split_window.h"
#include "tokens/stand_in.h"

#include <stdlib.h>

enum {
    LITERAL = COUNTER_TAIL / 2, /* bytes */
    CHUNK = 4096,               /* new bytes at a time, of what grows */
    MANY = 256,                 /* bytes: of so many, most are counted as if they were all */
    REPAIRED = 4096             /* bytes of characters that are not as they came */
};

/* What is known of a grown piece. */
struct grown {
    bool is;
    int64_t since_line; /* bytes behind its last line end; -1: it has none */
    uint8_t line_end;   /* see stand_in.h */
    struct merge_run run;
};

struct counter_long {
    struct grown pieces[SPLIT_OPEN];
    struct merge_run after_line; /* cl100k: white space with line ends is one piece at the end of a
                                    text, and two before something else: this would be the second */
};

/* A piece, and what of it came before, the bytes of text from at to end. */
struct piece {
    size_t at, end;
    int64_t count;
    struct grown grown;
};

/* One step: what was open, and new bytes behind it. */
struct step {
    struct counter *counter;
    struct tokenizer *tokenizer;
    const struct vocabulary *v;
    enum split_rule rule;
    struct slice text;
    size_t old; /* bytes of text that were open before */
    struct piece before[SPLIT_OPEN];
    struct piece now[SPLIT_OPEN];
    size_t now_len;
    int64_t closed;
    struct merge_run after_line;
};

static void step_open(struct step *step)
{
    struct counter *counter = step->counter;
    size_t at = 0;
    for (size_t i = 0; i < SPLIT_OPEN; i++) {
        struct piece *piece = step->before + i;
        *piece = (struct piece){.at = at, .end = at + counter->lens[i]};
        piece->count = counter->counts[i];
        if (counter->grown)
            piece->grown = counter->grown->pieces[i];
        at = piece->end;
    }
    step->old = at;
    step->after_line = (struct merge_run){0};
    if (counter->grown) {
        step->after_line = counter->grown->after_line;
        *counter->grown = (struct counter_long){0};
    }
    step->now_len = 0;
    step->closed = 0;
}

/* The first part of a grown piece, up to text[end], goes into run; the rest stays. */
static int cut(struct step *step, struct piece *from, size_t end, struct merge_run *run)
{
    size_t drop = from->end - end;
    bool at_line = from->grown.line_end && end == from->at + from->grown.line_end;
    if (at_line)
        drop = (size_t)from->grown.since_line;
    int status = merge_less(step->v, &from->grown.run, drop);
    if (status == 0) {
        *run = from->grown.run;
        from->grown = (struct grown){.since_line = -1};
        from->at = end;
        from->count = -1; /* of no piece any more */
        if (at_line) {
            from->grown.is = true;
            from->grown.run = step->after_line;
            step->after_line = (struct merge_run){0};
        }
    }
    return status;
}

/* Adds what of text[at, end) came from `from`. */
static int add_before(struct step *step, struct piece *from, size_t at, size_t end,
                      struct grown *to)
{
    at = at > from->at ? at : from->at;
    end = end < from->end ? end : from->end;
    if (at >= end)
        return 0;
    if (!from->grown.is)
        return merge_more(step->v, &to->run, slice_part(step->text, at, end - at));
    ASSERT(at == from->at);
    if (end < from->end) {
        ASSERT(to->run.len == 0); /* what is before such a piece has ended */
        return cut(step, from, end, &to->run);
    }
    int status = 0;
    to->since_line = from->grown.since_line;
    if (to->run.len == 0) {
        to->run = from->grown.run;
    } else {
        status = merge_join(step->v, &to->run, &from->grown.run);
        merge_done(&from->grown.run);
    }
    from->grown = (struct grown){.since_line = -1};
    return status;
}

/* Follows the line ends of a grown piece: these bytes came behind it. */
static int add_lines(struct step *step, struct grown *to, struct slice bytes)
{
    if (step->rule != SPLIT_CL100K)
        return 0;
    for (size_t i = bytes.len; i-- > 0;) {
        if (bytes.data[i] == '\n' || bytes.data[i] == '\r') {
            to->since_line = 0;
            merge_clear(&step->after_line);
            bytes = slice_from(bytes, i + 1);
            break;
        }
    }
    if (to->since_line < 0)
        return 0;
    to->since_line += (int64_t)bytes.len;
    return merge_more(step->v, &step->after_line, bytes);
}

/* The run of a piece of which something is grown. */
static int count_grown(struct step *step, struct piece *piece)
{
    piece->grown = (struct grown){.is = true, .since_line = -1};
    size_t fresh = piece->at > step->old ? piece->at : step->old;
    int status = 0;
    for (size_t i = 0; status == 0 && i < SPLIT_OPEN; i++)
        status = add_before(step, step->before + i, piece->at, piece->end, &piece->grown);
    if (status == 0 && piece->end > fresh) {
        struct slice bytes = slice_part(step->text, fresh, piece->end - fresh);
        status = merge_more(step->v, &piece->grown.run, bytes);
        if (status == 0)
            status = add_lines(step, &piece->grown, bytes);
    }
    piece->count = (int64_t)piece->grown.run.len;
    return status;
}

static int count_piece(struct step *step, struct piece *piece)
{
    for (size_t i = 0; i < SPLIT_OPEN; i++) {
        const struct piece *before = step->before + i;
        if (before->grown.is && piece->at < before->end && piece->end > before->at)
            return count_grown(step, piece);
        if (piece->at == before->at && piece->end == before->end && before->count >= 0) {
            piece->count = before->count;
            return 0;
        }
    }
    return tokenizer_count_piece(
        step->tokenizer, slice_part(step->text, piece->at, piece->end - piece->at), &piece->count);
}

static void push(struct step *step, struct piece piece)
{
    if (step->now_len == SPLIT_OPEN) {
        step->closed += step->now[0].count;
        merge_done(&step->now[0].grown.run);
        step->now[0] = step->now[1];
        step->now_len--;
    }
    step->now[step->now_len++] = piece;
}

/* The piece's place in the tail. */
static int keep(struct step *step, size_t i, struct piece *piece, size_t *len)
{
    struct counter *counter = step->counter;
    struct slice bytes = slice_part(step->text, piece->at, piece->end - piece->at);
    int status = 0;
    counter->counts[i] = piece->count;
    if (!piece->grown.is && bytes.len > LITERAL) {
        piece->grown = (struct grown){.is = true, .since_line = -1};
        status = merge_more(step->v, &piece->grown.run, bytes);
        if (status == 0)
            status = add_lines(step, &piece->grown, bytes);
    }
    if (!piece->grown.is) {
        counter->lens[i] = (uint8_t)bytes.len;
        memcpy(counter->tail + *len, bytes.data, bytes.len);
        *len += bytes.len;
        return 0;
    }
    if (!counter->grown)
        counter->grown = calloc(1, sizeof *counter->grown);
    if (!counter->grown || status)
        return METE_E_MEMORY;
    struct stand_in stand_in = stand_in_of(step->rule, bytes, piece->grown.since_line);
    piece->grown.line_end = stand_in.line_end;
    counter->lens[i] = stand_in.len;
    memcpy(counter->tail + *len, stand_in.bytes, stand_in.len);
    *len += stand_in.len;
    counter->grown->pieces[i] = piece->grown;
    piece->grown = (struct grown){0};
    return 0;
}

/* A single piece is the last one. */
static int step_close(struct step *step, int status)
{
    struct counter *counter = step->counter;
    size_t len = 0;
    counter->lens[0] = counter->lens[1] = counter->cut = 0;
    counter->counts[0] = counter->counts[1] = 0;
    for (size_t i = 0; status == 0 && i < step->now_len; i++)
        status = keep(step, i + SPLIT_OPEN - step->now_len, step->now + i, &len);
    memset(counter->tail + len, 0, sizeof counter->tail - len);
    counter->closed += step->closed;
    for (size_t i = 0; i < SPLIT_OPEN; i++) {
        merge_done(&step->before[i].grown.run);
        if (i < step->now_len)
            merge_done(&step->now[i].grown.run);
    }
    if (!counter->grown) {
        merge_done(&step->after_line);
        return status;
    }
    counter->grown->after_line = step->after_line;
    if (status || (!counter->grown->pieces[0].is && !counter->grown->pieces[1].is)) {
        merge_done(&counter->grown->after_line);
        for (size_t i = 0; i < SPLIT_OPEN; i++)
            merge_done(&counter->grown->pieces[i].run);
        free(counter->grown);
        counter->grown = NULL;
    }
    return status;
}

/* text: the tail, and new characters. */
static int advance(struct counter *counter, struct tokenizer *tokenizer, struct slice text)
{
    const struct encoding *encoding = tokenizer_encoding(tokenizer);
    struct step step;
    step.counter = counter;
    step.tokenizer = tokenizer;
    step.v = &encoding->vocabulary;
    step.rule = encoding->rule;
    step.text = text;
    step_open(&step);
    int status = 0;
    for (size_t at = 0; status == 0 && at < text.len;) {
        struct piece piece = {.at = at, .end = split_next(step.rule, text, at)};
        status = count_piece(&step, &piece);
        push(&step, piece);
        at = piece.end;
    }
    return step_close(&step, status);
}

/* ---- Counting -------------------------------------------------------------------------------- */

static size_t open_bytes(const struct counter *counter)
{
    return (size_t)counter->lens[0] + counter->lens[1];
}

/* What of the last piece comes before text[end], with bytes behind it, if they are U+FFFD. */
static int would_be(const struct vocabulary *v, struct counter *counter, size_t at, size_t end,
                    size_t old, size_t *ret_len)
{
    struct counter_long *grown = counter->grown;
    struct grown *last = grown->pieces + 1;
    struct slice behind = {0};
    bool after_line = at > counter->lens[0];
    size_t drop = end < old ? old - end : 0;
    if (end > old)
        behind = SLICE_LITERAL(REPAIR_CHARACTER);
    if (!after_line && last->line_end && end == at + last->line_end)
        drop = (size_t)last->since_line;
    return merge_would(v, after_line ? &grown->after_line : &last->run, drop, behind, ret_len);
}

/* Whether the last piece ends in a letter or number, which nothing but such can follow in it. */
static bool ends_in_word(const struct counter *counter)
{
    size_t old = open_bytes(counter), at = old;
    if (old == 0)
        return false;
    while (--at > 0 && (counter->tail[at] & 0xC0) == 0x80)
        continue;
    uint32_t c = counter->tail[at];
    c = old - at == 1 ? c : c & (0x7Fu >> (old - at));
    while (++at < old)
        c = c << 6 | (counter->tail[at] & 63u);
    return split_class_of(c) & (SPLIT_LETTER | SPLIT_NUMBER);
}

/* What of the counter tokenizer_count_open() needs. */
static struct tokenizer_open open_of(const struct counter *counter)
{
    return (struct tokenizer_open){
        .lens = {counter->lens[0], counter->lens[1]},
        .counts = {(unsigned)counter->counts[0], (unsigned)counter->counts[1]},
        .cut = counter->cut,
        .cut_count = counter->cut_count};
}

/* Counts what is open with U+FFFD behind it, if it can be cut at once. */
static bool count_unfinished_open(const struct counter *counter, struct tokenizer *tokenizer,
                                  int64_t *ret_count)
{
    size_t old = open_bytes(counter);
    uint8_t room[TOKENIZER_OPEN_ROOM];
    struct tokenizer_open open = open_of(counter);
    if (counter->grown || old > TOKENIZER_OPEN_MAX - 4)
        return false;
    memcpy(room, counter->tail, sizeof room);
    memcpy(room + old, REPAIR_CHARACTER, 3);
    if (!tokenizer_count_open(tokenizer, room, (unsigned)old + 3, &open))
        return false;
    *ret_count = (int64_t)open.closed + open.counts[0] + open.counts[1];
    return true;
}

/* Counts the last piece as it would be if U+FFFD stood behind it. */
static int count_unfinished(struct counter *counter, struct tokenizer *tokenizer,
                            int64_t *ret_count)
{
    if (ends_in_word(counter)) {
        int status = tokenizer_count_piece(tokenizer, SLICE_LITERAL(REPAIR_CHARACTER), ret_count);
        *ret_count += counter->counts[0] + counter->counts[1];
        return status;
    }
    if (count_unfinished_open(counter, tokenizer, ret_count))
        return 0;
    const struct encoding *encoding = tokenizer_encoding(tokenizer);
    char room[COUNTER_TAIL + 3];
    size_t old = open_bytes(counter);
    bool is_grown = counter->grown && counter->grown->pieces[1].is;
    size_t line_end = is_grown ? counter->lens[0] + (size_t)counter->grown->pieces[1].line_end : 0;
    memcpy(room, counter->tail, old);
    memcpy(room + old, REPAIR_CHARACTER, 3);
    struct slice text = {room, old + 3};
    *ret_count = counter->counts[0];
    for (size_t at = counter->lens[0], end; at < text.len; at = end) {
        int64_t count = counter->counts[1];
        int status = 0;
        end = split_next(encoding->rule, text, at);
        if (is_grown && (at == counter->lens[0] || at == line_end) && at < old) {
            size_t len;
            status = would_be(&encoding->vocabulary, counter, at, end, old, &len);
            count = (int64_t)len;
        } else if (at != counter->lens[0] || end != old) {
            status = tokenizer_count_piece(tokenizer, slice_part(text, at, end - at), &count);
        }
        if (status)
            return status;
        *ret_count += count;
    }
    return 0;
}

/* Bytes from the start that end with a character, at most so many. */
static size_t whole_characters(struct slice text, size_t most)
{
    if (text.len <= most)
        return text.len;
    while (most > 0 && ((uint8_t)text.data[most] & 0xC0) == 0x80)
        most--;
    return most;
}

/* Counts as much of text as fits behind the tail, if all of it can be cut at once: most texts can,
 * but for their long pieces. Returns how many bytes that were; 0: none. */
static size_t feed_open(struct counter *counter, struct tokenizer *tokenizer, struct slice text)
{
    size_t old = open_bytes(counter);
    if (counter->grown || old > TOKENIZER_OPEN_MAX - 4)
        return 0;
    size_t more = whole_characters(text, TOKENIZER_OPEN_MAX - old);
    memcpy(counter->tail + old, text.data, more);
    struct tokenizer_open open = open_of(counter);
    if (!tokenizer_count_open(tokenizer, counter->tail, (unsigned)(old + more), &open)) {
        memset(counter->tail + old, 0, more);
        return 0;
    }
    uint8_t keep[TOKENIZER_OPEN_ROOM / 2];
    memcpy(keep, counter->tail + old + more - open.lens[0] - open.lens[1], sizeof keep);
    memcpy(counter->tail, keep, sizeof keep);
    counter->closed += open.closed;
    for (size_t i = 0; i < SPLIT_OPEN; i++) {
        counter->lens[i] = (uint8_t)open.lens[i];
        counter->counts[i] = open.counts[i];
    }
    counter->cut = (uint8_t)open.cut;
    counter->cut_count = (uint8_t)open.cut_count;
    return more;
}

/* The way that always works, for at most so many bytes. */
static int feed_slowly(struct counter *counter, struct tokenizer *tokenizer, struct slice text,
                       size_t most, size_t *at)
{
    char room[COUNTER_TAIL + CHUNK];
    size_t old = open_bytes(counter), more = whole_characters(slice_from(text, *at), most);
    memcpy(room, counter->tail, old);
    memcpy(room + old, text.data + *at, more);
    *at += more;
    return advance(counter, tokenizer, (struct slice){room, old + more});
}

/* The open pieces are the bytes of text before at: as many pieces as cannot change any more are
 * counted as a text is that is all there, and the others are still to be fed, from at on. */
static int feed_whole(struct counter *counter, struct tokenizer *tokenizer, struct slice text,
                      size_t *at)
{
    struct slice rest = slice_from(text, *at - open_bytes(counter));
    size_t len;
    int64_t count;
    int status = tokenizer_count_begun(tokenizer, rest, &len, &count);
    if (status || len == 0)
        return status;
    counter->closed += count;
    memset(counter->lens, 0, sizeof counter->lens);
    memset(counter->counts, 0, sizeof counter->counts);
    memset(counter->tail, 0, sizeof counter->tail);
    counter->cut = 0;
    *at = text.len - rest.len + len;
    return 0;
}

/* text: whole characters. */
static int feed_valid(struct counter *counter, struct tokenizer *tokenizer, struct slice text)
{
    bool many = text.len >= MANY;
    int status = 0;
    for (size_t at = 0; status == 0 && at < text.len;) {
        if (many && !counter->grown && open_bytes(counter) <= at) {
            status = feed_whole(counter, tokenizer, text, &at);
            many = false;
            continue;
        }
        size_t len = feed_open(counter, tokenizer, slice_from(text, at));
        at += len;
        if (len == 0)
            status = feed_slowly(counter, tokenizer, text,
                                 many && !counter->grown ? COUNTER_TAIL : CHUNK, &at);
    }
    return status;
}

int counter_feed(struct counter *counter, struct tokenizer *tokenizer, struct slice bytes)
{
    int64_t closed = counter->closed, open = counter->open;
    int status = counter->broken ? METE_E_MEMORY : 0;
    while (status == 0 && bytes.len) {
        size_t valid = counter->begun.len ? 0 : split_window_valid(bytes);
        if (valid) {
            status = feed_valid(counter, tokenizer, slice_part(bytes, 0, valid));
            bytes = slice_from(bytes, valid);
            continue;
        }
        char room[REPAIRED];
        size_t len = repair_some(&counter->begun, &bytes, room, sizeof room);
        status = feed_valid(counter, tokenizer, (struct slice){room, len});
    }
    if (status == 0) {
        counter->open = counter->counts[0] + counter->counts[1];
        if (counter->begun.len)
            status = count_unfinished(counter, tokenizer, &counter->open);
    }
    if (status) {
        counter_done(counter);
        *counter = (struct counter){.closed = closed, .open = open, .broken = true};
    }
    return status;
}

void counter_done(struct counter *counter)
{
    if (counter->grown) {
        for (size_t i = 0; i < SPLIT_OPEN; i++)
            merge_done(&counter->grown->pieces[i].run);
        merge_done(&counter->grown->after_line);
        free(counter->grown);
    }
    *counter = (struct counter){0};
}
