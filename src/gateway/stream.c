/* SPDX-License-Identifier: Apache-2.0
 * An event's way through the filter:
 *
 *   comment ........................ held if anything is held, else out
 *   chunk .......................... what was held goes out as it is; then
 *     only usage, not asked for .... dropped
 *     usage, asked for ............. held, unless more follows: the last one gets the cost
 *     may be the last .............. held
 *     else ......................... out
 *   final .......................... held; what follows it is ignored
 *
 * A provider that reports usage in every chunk is thereby delayed by one chunk for clients who
 * asked for usage, and by none for others.
 *
 * Considered and not done: the cost as an event of its own (clients parse every data: line as a
 * chunk), and an answer built anew from parsed chunks (it would lose fields nobody here knows). */
#include "gateway/stream.h"

#include "base/assert.h"

#include <stdlib.h>

static sse_known_fn on_known;

static bool translated(const struct stream *stream)
{
    return stream->formats.client != stream->formats.provider;
}

static int begin_translation(struct stream *stream)
{
    const struct stream_formats *formats = &stream->formats;
    ASSERT(formats->client->neutral && formats->provider->neutral);
    stream->translation = calloc(1, sizeof *stream->translation);
    if (!stream->translation) {
        *stream = (struct stream){0};
        return METE_E_MEMORY;
    }
    stream->translation->told.said = &stream->said;
    return 0;
}

int stream_init(struct stream *stream, const struct stream_formats *formats, size_t event_max)
{
    ASSERT(formats->client && formats->provider);
    *stream = (struct stream){.formats = *formats};
    if (translated(stream) && begin_translation(stream))
        return METE_E_MEMORY;
    stream->seen.framing = formats->framing;
    frames_init(&stream->frames, formats->framing, event_max);
    if (!translated(stream))
        stream->frames.sse.known = on_known;
    /* A translation may write an event's text anew around each piece of it. */
    buffer_init(&stream->out, 4 * event_max + 2 * STREAM_PIECE_MAX);
    buffer_init(&stream->held, 2 * event_max + STREAM_PIECE_MAX);
    buffer_init(&stream->said, event_max);
    buffer_init(&stream->ahead, event_max + 4 * STREAM_PIECE_MAX);
    if (!translated(stream))
        stream->seen.said = &stream->said;
    stream->granted = METE_AMOUNT_MAX;
    return 0;
}

/* An array's elements cannot be told apart again once they have waited. */
void stream_count_with(struct stream *stream, struct tokenizer *tokenizer)
{
    if (stream->formats.framing != FRAMES_ARRAY)
        stream_count_begin(&stream->count, tokenizer, stream->formats.provider);
}

void stream_count_between(struct stream *stream, struct tokenizer *tokenizer,
                          const struct prompt_rule *family)
{
    stream_count_with(stream, tokenizer);
    if (stream_count_on(&stream->count))
        stream_count_by_family(&stream->count, family);
}

void stream_done(struct stream *stream)
{
    frames_done(&stream->frames);
    alike_done(&stream->alike);
    buffer_done(&stream->out);
    buffer_done(&stream->held);
    buffer_done(&stream->said);
    buffer_done(&stream->ahead);
    stream_count_done(&stream->count);
    free(stream->translation);
    stream->translation = NULL;
}

void stream_check(const struct stream *stream)
{
    ASSERT(stream->usage_len <= stream->held.len);
    ASSERT(stream->usage_at + stream->usage_object_len <= stream->usage_len);
    ASSERT(stream->final_at <= stream->held.len);
    ASSERT(stream->output_bytes >= 0);
    ASSERT(stream->full || !stream->ahead.len);
}

/* Another chunk came: what was held is an event like any other. */
static int let_go(struct stream *stream)
{
    int rc = buffer_append(&stream->out, buffer_slice(&stream->held));
    if (rc)
        return rc;
    buffer_relax(&stream->held, STREAM_IDLE_ROOM);
    stream->usage_len = stream->usage_at = stream->usage_object_len = 0;
    return 0;
}

static int hold_usage(struct stream *stream, struct slice raw, struct json usage)
{
    ASSERT(!stream->held.len);
    int rc = buffer_append(&stream->held, raw);
    if (rc)
        return rc;
    /* An event of several data: lines was joined elsewhere; it has no place for a cost. */
    if (usage.raw.data < raw.data || usage.raw.data >= raw.data + raw.len)
        return 0;
    stream->usage_len = raw.len;
    stream->usage_at = (size_t)(usage.raw.data - raw.data);
    stream->usage_object_len = usage.raw.len;
    return 0;
}

static void meter_output(struct stream *stream, int64_t bytes)
{
    if (__builtin_add_overflow(stream->output_bytes, bytes, &stream->output_bytes))
        stream->output_bytes = METE_AMOUNT_MAX;
    stream->output_events += bytes > 0;
}

static void meter(struct stream *stream, const struct dialect_event *seen)
{
    meter_output(stream, seen->output_bytes);
    stream->failed = stream->failed || seen->failed;
    stream->ended = seen->kind == DIALECT_FINAL || seen->finishes || seen->may_be_last ||
                    stream->failed || (stream->ended && !seen->output_bytes);
    if (seen->has_usage) {
        stream->has_usage = true;
        stream->usage_is_last = !seen->goes_on;
        stream->usage_finishes = seen->finishes;
        stream->usage = seen->usage;
    } else if (seen->output_bytes) {
        stream->usage_is_last = false;
    }
}

/* ---- The count ------------------------------------------------------------------------------- */

enum { WORDS_AROUND = 256 }; /* tokens that may come with an event's texts, and then some */

/* Whether so many bytes more may take it past what was granted. */
static bool is_near(const struct stream *stream, size_t bytes)
{
    return stream_count_exact(&stream->count) && !stream->cut &&
           stream->count.total > stream->granted - (int64_t)bytes - WORDS_AROUND;
}

/* All of a text, if it fits. One of which that cannot be told is added to see. */
static bool add_if_it_fits(struct stream *stream, const struct dialect_text *text)
{
    stream->text_fits = stream_count_fit(&stream->count, text, stream->granted);
    if (stream->text_fits < text->raw.len)
        return false;
    stream_count_add(&stream->count, text);
    return true;
}

/* Near the end: text by text, up to the one that does not fit. Whether all did. */
static bool count_what_fits(struct stream *stream, const struct dialect_event *seen)
{
    if (seen->output_bytes && !seen->texts_are_all)
        stream_count_done(&stream->count);
    for (size_t *i = &stream->texts_done; *i < seen->texts_len; ++*i) {
        const struct dialect_text *text = &seen->texts[*i];
        if (!stream_count_on(&stream->count))
            return true;
        if (!stream->text_added && !add_if_it_fits(stream, text))
            return false;
        stream->text_added =
            stream->text_fits == STREAM_UNTOLD && stream->count.total > stream->granted;
        if (stream->text_added)
            return false;
    }
    return true;
}

/* Reads an event without believing it. */
static void look_at(const struct stream *stream, const struct frame *event,
                    struct dialect_event *ret_seen)
{
    struct dialect_stream copy = stream->seen;
    copy.said = NULL;
    stream->formats.provider->read_event(&copy, event, ret_seen);
}

static int wait(struct stream *stream, const struct frame *event)
{
    stream->full = true;
    return buffer_append(&stream->ahead, event->raw);
}

/* ---- Going on -------------------------------------------------------------------------------- */

static int pass_chunk(struct stream *stream, struct slice raw, const struct dialect_event *seen)
{
    bool wants = stream->formats.wants_usage;
    int rc = stream->held.len ? let_go(stream) : 0;
    if (rc)
        return rc;
    if (seen->only_usage && !wants)
        return 0;
    if (seen->has_usage && wants && !seen->goes_on)
        return hold_usage(stream, raw, seen->usage_object);
    return buffer_append(seen->may_be_last ? &stream->held : &stream->out, raw);
}

static int pass_comment(struct stream *stream, struct slice raw)
{
    if (!stream->held.len)
        return buffer_append(&stream->out, raw);
    int rc = buffer_append(&stream->held, raw);
    if (rc != METE_E_TOO_LARGE)
        return rc;
    rc = let_go(stream);
    return rc ? rc : buffer_append(&stream->out, raw);
}

static int pass(struct stream *stream, struct slice raw, const struct dialect_event *seen)
{
    switch (seen->kind) {
    case DIALECT_COMMENT:
        return pass_comment(stream, raw);
    case DIALECT_FINAL:
        stream->final_at = stream->held.len;
        stream->final_seen = true;
        return buffer_append(&stream->held, raw);
    case DIALECT_CHUNK:
    case DIALECT_FOREIGN:
        break;
    }
    return pass_chunk(stream, raw, seen);
}

static int on_delta(void *user, const struct neutral_delta *delta)
{
    struct stream *stream = user;
    return stream->formats.client->neutral->write_delta(&stream->translation->told, delta,
                                                        &stream->out);
}

/* An error within the stream is told at its end, in the client's words. */
static void keep_error(struct stream *stream, struct slice data)
{
    struct stream_translation *translation = stream->translation;
    translation->error = (struct dialect_error){.status = 502,
                                                .type = "server_error",
                                                .code = "upstream_error",
                                                .message = "The provider reports an error."};
    (void)stream->formats.provider->neutral->read_error(
        data, translation->error_room, sizeof translation->error_room, &translation->error);
}

static int translate(struct stream *stream, const struct frame *event,
                     const struct dialect_event *seen)
{
    struct neutral_sink sink = {on_delta, stream};
    stream->final_seen = seen->kind == DIALECT_FINAL;
    if (seen->failed)
        keep_error(stream, event->data);
    if (seen->kind == DIALECT_COMMENT || seen->failed)
        return 0;
    if (seen->kind == DIALECT_FOREIGN)
        return METE_E_SYNTAX;
    return stream->formats.provider->neutral->read_event(&stream->translation->read, event, &sink);
}

/* ---- Events like the one before -------------------------------------------------------------- */

static int64_t bytes_at(const struct dialect_spot *spot)
{
    switch (spot->kind) {
    case DIALECT_SPOT_TEXT:
        return (int64_t)json_string_bytes((struct json){JSON_STRING, spot->raw});
    case DIALECT_SPOT_RAW:
        return (int64_t)spot->raw.len;
    case DIALECT_SPOT_NUMBER:
    case DIALECT_SPOT_NOTHING:
        break;
    }
    return 0;
}

/* Which text each spot's string is a piece of. False: a text stands at none of them. */
static bool learn_texts(struct stream *stream, const struct dialect_event *seen,
                        const struct slice values[], size_t len)
{
    size_t found = 0;
    for (size_t i = 0; i < len; i++) {
        stream->spot_texts[i] = STREAM_NO_TEXT;
        for (size_t j = 0; j < seen->texts_len; j++)
            if (seen->texts[j].raw.data == values[i].data) {
                stream->spot_texts[i] = seen->texts[j].of;
                found++;
            }
    }
    return found == seen->texts_len;
}

/* Not learned: an event of several data: lines, which was joined elsewhere, and one behind a BOM,
 * which means something at the beginning alone. */
static void learn(struct stream *stream, struct slice raw, const struct dialect_event *seen)
{
    struct slice values[DIALECT_SPOTS];
    size_t len = seen->spots_len <= DIALECT_SPOTS ? seen->spots_len : 0;
    if (raw.data[0] == '\xef')
        len = 0;
    stream->alike_bytes = seen->output_bytes;
    for (size_t i = 0; i < len; i++) {
        values[i] = seen->spots[i].raw;
        stream->spots[i] = (uint8_t)seen->spots[i].kind;
        stream->alike_bytes -= bytes_at(&seen->spots[i]);
    }
    bool told = seen->texts_are_all || !seen->output_bytes;
    if (stream_count_on(&stream->count) && (!told || !learn_texts(stream, seen, values, len)))
        len = 0;
    alike_learn(&stream->alike, raw, values, len);
}

/* As meter() of a chunk that shows text, and says nothing else. */
static void meter_alike(struct stream *stream, const struct slice values[])
{
    const struct dialect *provider = stream->formats.provider;
    int64_t sum = stream->alike_bytes;
    for (size_t i = 0; i < stream->alike.spots; i++) {
        struct dialect_spot spot = {(enum dialect_spot_kind)stream->spots[i], values[i]};
        int64_t bytes = bytes_at(&spot);
        sum += bytes;
        if (provider->read_spot && spot.kind != DIALECT_SPOT_NOTHING)
            provider->read_spot(&stream->seen, &spot, bytes);
        if (stream_count_on(&stream->count) && stream->spot_texts[i] != STREAM_NO_TEXT && bytes) {
            const struct dialect_text text = {values[i], stream->spot_texts[i]};
            stream_count_add(&stream->count, &text);
        }
    }
    meter_output(stream, sum);
    stream->ended = stream->failed || (stream->ended && !sum);
    if (sum)
        stream->usage_is_last = false;
}

static int on_known(void *user, struct slice bytes, size_t *ret_len)
{
    struct stream *stream = user;
    struct slice values[ALIKE_SPOTS];
    bool reads = stream->final_seen || stream->full;
    size_t len = reads ? 0 : alike_match(&stream->alike, bytes, values);
    if (!len || len > stream->frames.sse.pending.max || is_near(stream, len))
        return 0;
    *ret_len = len;
    meter_alike(stream, values);
    if (stream->cut)
        return 0;
    int rc = stream->held.len ? let_go(stream) : 0;
    return rc ? rc : buffer_append(&stream->out, slice_part(bytes, 0, len));
}

static int on_event(void *user, const struct frame *event)
{
    struct stream *stream = user;
    struct dialect_event seen;
    bool counted = false;
    if (stream->final_seen)
        return 0;
    if (stream->full)
        return wait(stream, event);
    if (is_near(stream, event->data.len)) {
        look_at(stream, event, &seen);
        if (!count_what_fits(stream, &seen))
            return wait(stream, event);
        counted = true;
    }
    stream->texts_done = 0;
    stream->formats.provider->read_event(&stream->seen, event, &seen);
    if (!counted && stream_count_on(&stream->count))
        stream_count_event(&stream->count, &seen);
    meter(stream, &seen);
    if (seen.kind != DIALECT_COMMENT)
        learn(stream, event->raw, &seen);
    if (stream->cut)
        return 0;
    if (stream->at_rest && seen.kind == DIALECT_FOREIGN)
        return METE_E_SYNTAX;
    return translated(stream) ? translate(stream, event, &seen) : pass(stream, event->raw, &seen);
}

/* For all that bytes may let out, so that out does not grow event by event. */
static int make_room(struct stream *stream, size_t len)
{
    char *at;
    size_t all = len + frames_rest(&stream->frames).len + stream->held.len;
    if (stream->final_seen || stream->cut || translated(stream) || all <= STREAM_IDLE_ROOM)
        return 0;
    return buffer_reserve(&stream->out, all, &at);
}

int stream_feed(struct stream *stream, struct slice bytes)
{
    ASSERT(bytes.len <= STREAM_PIECE_MAX);
    int rc = make_room(stream, bytes.len);
    if (!rc && !stream->final_seen)
        rc = frames_feed(&stream->frames, bytes, on_event, stream);
    stream_check(stream);
    return rc;
}

int stream_end(struct stream *stream)
{
    stream->at_rest = true;
    int rc = stream->final_seen ? 0 : frames_end(&stream->frames, on_event, stream);
    stream_check(stream);
    return rc;
}

/* ---- More, or no more ------------------------------------------------------------------------ */

/* What waited, event by event, through frames of its own: those of the stream may hold the
 * beginning of another. */
static int feed_ahead(struct stream *stream, frames_fn *fn)
{
    struct buffer waited = stream->ahead;
    struct frames frames;
    frames_init(&frames, stream->formats.framing, waited.max);
    buffer_init(&stream->ahead, waited.max);
    stream->full = false;
    int rc = frames_feed(&frames, buffer_slice(&waited), fn, stream);
    frames_done(&frames);
    buffer_done(&waited);
    return rc;
}

int stream_grant(struct stream *stream, int64_t tokens)
{
    ASSERT(tokens >= 0);
    stream->granted = tokens;
    int rc = stream->full ? feed_ahead(stream, on_event) : 0;
    stream_check(stream);
    return rc;
}

/* What is written instead of a part of an event. */
struct edit {
    struct slice at;
    const char *instead;
};
enum { EDITS = DIALECT_TEXTS + 1 };

static void add_edit(struct edit edits[EDITS], size_t *len, struct slice at, const char *instead)
{
    size_t i = (*len)++;
    for (; i && edits[i - 1].at.data > at.data; i--)
        edits[i] = edits[i - 1];
    edits[i] = (struct edit){at, instead};
}

/* text with what is beyond the grant taken out, as it stands in an event that is read anew. */
static int shorten(const struct stream *stream, const struct dialect_event *seen, struct slice text,
                   struct buffer *out)
{
    struct edit edits[EDITS];
    size_t len = 0;
    const char *at = text.data;
    int rc = 0;
    for (size_t i = stream->texts_done; i < seen->texts_len; i++) {
        size_t keep = i == stream->texts_done ? stream->text_fits : 1;
        add_edit(edits, &len, slice_from(seen->texts[i].raw, keep ? keep : 1), "\"");
    }
    if (seen->finish_word.len)
        add_edit(edits, &len, seen->finish_word, "null");
    for (size_t i = 0; i < len && !rc; i++) {
        rc = buffer_append(out, (struct slice){at, (size_t)(edits[i].at.data - at)});
        if (!rc)
            rc = buffer_text(out, edits[i].instead);
        at = edits[i].at.data + edits[i].at.len;
    }
    return rc ? rc : buffer_append(out, (struct slice){at, (size_t)(text.data + text.len - at)});
}

static bool within(struct slice all, struct slice part)
{
    return part.data >= all.data && part.data + part.len <= all.data + all.len;
}

/* The shortened event's way; text: its data if it is translated, else all of it. */
static int pass_short(struct stream *stream, const struct frame *event, struct slice text)
{
    struct frame shorter = *event;
    struct dialect_event seen;
    if (translated(stream)) {
        shorter.data = text;
        stream->formats.provider->read_event(&stream->seen, &shorter, &seen);
        meter(stream, &seen);
        return translate(stream, &shorter, &seen);
    }
    size_t lead = (size_t)(event->data.data - event->raw.data);
    size_t rest = event->raw.len - lead - event->data.len;
    shorter.data = slice_part(text, lead, text.len - lead - rest);
    stream->formats.provider->read_event(&stream->seen, &shorter, &seen);
    meter(stream, &seen);
    int rc = stream->held.len ? let_go(stream) : 0;
    return rc ? rc : buffer_append(&stream->out, text);
}

/* What does not go on was made, and is billed, all the same. */
static int on_lost(void *user, const struct frame *event)
{
    struct stream *stream = user;
    struct dialect_event seen;
    look_at(stream, event, &seen);
    if (!seen.has_usage)
        return 0;
    stream->has_usage = true;
    stream->usage_is_last = !seen.goes_on;
    stream->usage_finishes = seen.finishes;
    stream->usage = seen.usage;
    return 0;
}

/* The first of those that wait. One that was joined of several data: lines, or has a checksum,
 * cannot be shortened where it stands, and one that is an end would be one before ours. */
static int on_last(void *user, const struct frame *event)
{
    struct stream *stream = user;
    struct dialect_event seen;
    struct buffer shorter;
    bool whole = !translated(stream) &&
                 (stream->formats.framing == FRAMES_AWS || !within(event->raw, event->data));
    if (stream->cut)
        return on_lost(stream, event);
    look_at(stream, event, &seen);
    ASSERT(stream->texts_done < seen.texts_len);
    whole = whole || seen.kind == DIALECT_FINAL;
    if (stream->text_added) {
        stream->text_fits = 0;
        stream->count.total = stream->granted;
    }
    if (stream->text_fits > 1)
        stream_count_add_part(&stream->count, &seen.texts[stream->texts_done], stream->text_fits);
    bool nothing = !stream->texts_done && stream->text_fits <= 1;
    stream->cut = true;
    if (nothing || whole)
        return 0;
    buffer_init(&shorter, event->raw.len + EDITS * sizeof "null");
    int rc = shorten(stream, &seen, translated(stream) ? event->data : event->raw, &shorter);
    if (!rc)
        rc = pass_short(stream, event, buffer_slice(&shorter));
    buffer_done(&shorter);
    return rc;
}

int stream_fill(struct stream *stream)
{
    ASSERT(stream->full && !stream->cut);
    int rc = feed_ahead(stream, on_last);
    stream_cut(stream);
    return rc;
}

int64_t stream_tokens(const struct stream *stream)
{
    return stream_count_exact(&stream->count) ? stream->count.total : -1;
}

int64_t stream_least(const struct stream *stream)
{
    if (stream_count_on(&stream->count) && stream->count.family)
        return stream_count_least(&stream->count);
    return max_i64(stream->output_events, stream_output_bytes(stream) / LIMIT_TOKEN_BYTES);
}

int64_t stream_most(const struct stream *stream)
{
    int64_t bytes = stream_output_bytes(stream), half = bytes - stream->output_bytes;
    if (!stream_count_on(&stream->count) || !stream->count.family)
        return bytes;
    return min_i64(bytes, stream_count_most(&stream->count) + half);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void drop_held(struct stream *stream)
{
    buffer_clear(&stream->held);
    stream->usage_len = stream->usage_at = stream->usage_object_len = stream->final_at = 0;
}

void stream_give_up(struct stream *stream)
{
    bool full = stream->full;
    int rc = full ? feed_ahead(stream, on_lost) : 0;
    (void)rc; /* without memory it is as if nothing had been told */
    stream->full = full;
    ASSERT(!stream->ahead.len);
}

void stream_cut(struct stream *stream)
{
    ASSERT(!stream->final_seen);
    stream->cut = true;
    stream->seen.finish = DIALECT_LENGTH;
    if (stream->translation)
        stream->translation->told.finish = DIALECT_LENGTH;
    drop_held(stream);
    stream_give_up(stream);
    stream->full = false;
}

static int with_cost(struct stream *stream, struct slice cost)
{
    struct slice event = slice_part(buffer_slice(&stream->held), 0, stream->usage_len);
    struct json usage = {JSON_OBJECT,
                         slice_part(event, stream->usage_at, stream->usage_object_len)};
    int rc = stream->formats.client->write_cost(event, usage, cost, &stream->out);
    return rc ? rc
              : buffer_append(&stream->out,
                              slice_from(buffer_slice(&stream->held), stream->usage_len));
}

static int with_comment(struct stream *stream, struct slice cost)
{
    struct slice held = buffer_slice(&stream->held);
    size_t at = stream->final_seen ? stream->final_at : held.len;
    bool told =
        cost.len && stream->formats.framing == FRAMES_SSE && stream->formats.client->comments;
    int rc = buffer_append(&stream->out, slice_part(held, 0, at));
    if (!rc && told)
        rc = buffer_text(&stream->out, ": mete-cost ");
    if (!rc && told)
        rc = buffer_append(&stream->out, cost);
    if (!rc && told)
        rc = buffer_text(&stream->out, "\n\n");
    return rc ? rc : buffer_append(&stream->out, slice_from(held, at));
}

static int let_held_go(struct stream *stream, struct slice cost)
{
    int rc = stream->usage_len && cost.len ? with_cost(stream, cost) : with_comment(stream, cost);
    if (!rc)
        drop_held(stream);
    return rc;
}

int stream_finish(struct stream *stream, const struct pricing_usage *billed, struct slice cost)
{
    const struct dialect *client = stream->formats.client;
    struct stream_translation *translation = stream->translation;
    int rc;
    if (translation && translation->error.status && !stream->cut)
        rc = client->write_break(&translation->told, &translation->error, &stream->out);
    else if (translation || stream->cut)
        rc = client->write_end(translation ? &translation->told : &stream->seen, billed, cost,
                               stream->formats.wants_usage, &stream->out);
    else
        rc = let_held_go(stream, cost);
    stream_check(stream);
    return rc;
}

int stream_break(struct stream *stream, const struct dialect_error *error, struct slice cost)
{
    struct dialect_stream *told = stream->translation ? &stream->translation->told : &stream->seen;
    int rc = stream->translation ? 0 : let_held_go(stream, cost);
    return rc ? rc : stream->formats.client->write_break(told, error, &stream->out);
}

int64_t stream_output_bytes(const struct stream *stream)
{
    int64_t half = stream->final_seen ? 0 : (int64_t)frames_rest(&stream->frames).len;
    return min_i64(stream->output_bytes, METE_AMOUNT_MAX - half) + half;
}
