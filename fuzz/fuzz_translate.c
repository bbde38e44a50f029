/* SPDX-License-Identifier: Apache-2.0
 * Bytes of one format, as those of another get them. The first line names both; the byte behind it
 * says as what:
 *   'r' a request: what is written must be JSON, and say the same when it is read and written again
 *   'a' a whole answer: likewise
 *   other: a stream, in pieces of that many bytes: what the client gets must not depend on them;
 *       what ends well, read as the client reads it, must say what the provider's events say
 * "The same" is a matter of bytes: the second writing is compared with the first. */
#include "base/assert.h"
#include "dialect/neutral.h"
#include "gateway/stream.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_MAX = 2048, OUT_MAX = 1 << 22 };

struct pair {
    const struct dialect *from, *to;
};

static const struct pricing_usage used = {.input = 3, .output = 2};

static void is_json(const struct buffer *out)
{
    struct json value;
    ASSERT(!json_scan(buffer_slice(out), &value, NULL) && value.type == JSON_OBJECT);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* What to's provider is asked; false: it is refused. */
static bool ask(const struct dialect *from, const struct dialect *to, struct slice body,
                struct buffer *out)
{
    struct neutral_request request;
    struct dialect_error error = {0};
    const struct dialect_target target = {.model = SLICE_LITERAL("m")};
    neutral_request_init(&request);
    int rc = from->neutral->read_request(&target, body, &request, &error);
    request.model = SLICE_LITERAL("m"); /* the provider's name for it */
    if (!rc)
        rc = to->neutral->write_request(&request, out, &error);
    ASSERT(!rc || (rc == METE_E_INVALID && error.status == 400 && error.message));
    neutral_request_done(&request);
    return !rc;
}

static void request(struct pair pair, struct slice body)
{
    struct dialect_request read;
    struct dialect_error error;
    struct buffer once, twice;
    const struct dialect_target target = {.model = SLICE_LITERAL("m")};
    if (!pair.from->neutral->read_request || !pair.to->neutral->write_request ||
        pair.from->read_request(&target, body, &read, &error))
        return;
    buffer_init(&once, OUT_MAX);
    buffer_init(&twice, OUT_MAX);
    if (ask(pair.from, pair.to, body, &once)) {
        is_json(&once);
        if (pair.to->neutral->read_request) {
            ASSERT(ask(pair.to, pair.to, buffer_slice(&once), &twice));
            ASSERT(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
        }
    }
    buffer_done(&once);
    buffer_done(&twice);
}

/* ---- Whole answers --------------------------------------------------------------------------- */

static int collect(void *user, const struct neutral_delta *delta)
{
    return neutral_answer_add(user, delta);
}

static bool tell(const struct dialect *from, const struct dialect *to, struct slice body,
                 struct buffer *out)
{
    struct neutral_answer answer;
    struct neutral_sink sink = {collect, &answer};
    neutral_answer_init(&answer, OUT_MAX);
    bool good = !from->neutral->read_answer(body, &sink);
    if (good)
        ASSERT(!to->neutral->write_answer(&answer, &used, out));
    neutral_answer_done(&answer);
    return good;
}

static void answer(struct pair pair, struct slice body)
{
    struct buffer once, twice;
    if (!pair.from->neutral->read_answer || !pair.to->neutral->write_answer)
        return;
    buffer_init(&once, OUT_MAX);
    buffer_init(&twice, OUT_MAX);
    if (tell(pair.from, pair.to, body, &once)) {
        is_json(&once);
        if (pair.to->neutral->read_answer) {
            ASSERT(tell(pair.to, pair.to, buffer_slice(&once), &twice));
            ASSERT(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
        }
    }
    buffer_done(&once);
    buffer_done(&twice);
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* One side of a stream, read as its format reads it and put together. */
struct side {
    const struct dialect *format;
    struct dialect_stream seen, read;
    struct neutral_answer answer;
    bool over;
};

static int on_event(void *user, const struct frame *event)
{
    struct side *side = user;
    struct dialect_event seen;
    struct neutral_sink sink = {collect, &side->answer};
    side->format->read_event(&side->seen, event, &seen);
    if (side->over || seen.kind == DIALECT_COMMENT)
        return 0;
    side->over = seen.kind == DIALECT_FINAL;
    return side->format->neutral->read_event(&side->read, event, &sink);
}

/* What a stream comes to, written as a whole answer of to. */
static void sum(const struct dialect *format, struct slice bytes, const struct dialect *to,
                struct buffer *out)
{
    struct side side = {.format = format};
    struct frames frames;
    neutral_answer_init(&side.answer, OUT_MAX);
    frames_init(&frames, format->framing, OUT_MAX);
    ASSERT(!frames_feed(&frames, bytes, on_event, &side));
    ASSERT(!frames_end(&frames, on_event, &side));
    ASSERT(!to->neutral->write_answer(&side.answer, &used, out));
    frames_done(&frames);
    neutral_answer_done(&side.answer);
}

/* False: it broke off, or tells of an error. */
static bool run(struct pair pair, struct slice text, size_t step, struct buffer *out)
{
    struct stream stream;
    const struct stream_formats formats = {pair.to, pair.from, pair.from->framing, true};
    int rc = 0;
    ASSERT(!stream_init(&stream, &formats, EVENT_MAX));
    for (size_t at = 0; at < text.len && !rc; at += step) {
        size_t len = step < text.len - at ? step : text.len - at;
        rc = stream_feed(&stream, slice_part(text, at, len));
        ASSERT(!buffer_append(out, buffer_slice(&stream.out)));
        buffer_clear(&stream.out);
        stream_check(&stream);
    }
    if (!rc)
        rc = stream_end(&stream);
    if (!rc) {
        ASSERT(!stream_finish(&stream, &used, SLICE_LITERAL("0.25")));
        ASSERT(!buffer_append(out, buffer_slice(&stream.out)));
    }
    bool good = !rc && !stream.translation->error.status;
    stream_done(&stream);
    return good;
}

static void stream(struct pair pair, struct slice text, size_t step)
{
    struct buffer whole, pieces, theirs, ours;
    if (pair.from == pair.to || !pair.from->neutral->read_event || !pair.to->neutral->write_delta ||
        text.len >= STREAM_PIECE_MAX)
        return;
    buffer_init(&whole, OUT_MAX);
    buffer_init(&pieces, OUT_MAX);
    buffer_init(&theirs, OUT_MAX);
    buffer_init(&ours, OUT_MAX);
    if (run(pair, text, STREAM_PIECE_MAX, &whole)) {
        ASSERT(run(pair, text, step, &pieces));
        ASSERT(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
        if (pair.to->neutral->read_event) {
            sum(pair.from, text, pair.to, &theirs);
            sum(pair.to, buffer_slice(&whole), pair.to, &ours);
            ASSERT(slice_equal(buffer_slice(&theirs), buffer_slice(&ours)));
        }
    } else {
        (void)run(pair, text, step, &pieces);
    }
    buffer_done(&whole);
    buffer_done(&pieces);
    buffer_done(&theirs);
    buffer_done(&ours);
}

/* ---- Which ----------------------------------------------------------------------------------- */

static const struct dialect *format_of(struct slice name)
{
    const struct dialect *format;
    for (size_t i = 0; (format = dialect_at(i)); i++)
        if (slice_is(name, format->name) && format->neutral)
            return format;
    return NULL;
}

/* "FROM TO\n"; *text: what is behind it. */
static bool pair_of(struct slice *text, struct pair *ret_pair)
{
    const char *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
    const char *gap = end ? memchr(text->data, ' ', (size_t)(end - text->data)) : NULL;
    if (!gap)
        return false;
    size_t at = (size_t)(gap - text->data), len = (size_t)(end - text->data);
    ret_pair->from = format_of(slice_part(*text, 0, at));
    ret_pair->to = format_of(slice_part(*text, at + 1, len - at - 1));
    *text = slice_from(*text, len + 1);
    return ret_pair->from && ret_pair->to;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct pair pair;
    if (!pair_of(&text, &pair) || !text.len)
        return 0;
    uint8_t what = (uint8_t)text.data[0];
    text = slice_from(text, 1);
    if (what == 'r')
        request(pair, text);
    else if (what == 'a')
        answer(pair, text);
    else
        stream(pair, text, what ? what : 1);
    return 0;
}
