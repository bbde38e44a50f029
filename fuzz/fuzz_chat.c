/* SPDX-License-Identifier: Apache-2.0
 * Bytes from clients and providers through the chat dialect. The first byte says as what:
 *   'r' a request body: what is read must survive being written and read again, with the bound and
 *       the usage option that were put in, and be valid JSON
 *   'a' a plain answer: usage, if believed, is in its ranges
 *   other: a stream, in pieces of that many bytes: what a client gets must not depend on the
 *       pieces but for line ends (an event of CRLF lines that is cut before its last LF is over
 *       already, and that LF belongs to the next) */
#include "base/assert.h"
#include "dialect/chat.h"
#include "gateway/stream.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_MAX = 512 };

static void check_usage(const struct pricing_usage *u)
{
    ASSERT(u->input >= 0 && u->cached_input >= 0 && u->cache_write >= 0);
    ASSERT(u->cached_input + u->cache_write <= u->input);
    ASSERT(u->reasoning >= 0 && u->reasoning <= u->output);
}

static void request(struct slice body)
{
    struct dialect_request first, second;
    struct dialect_error error;
    struct json value;
    if (chat_read_request(NULL, body, &first, &error)) {
        ASSERT(error.status == 400 && error.message);
        return;
    }
    ASSERT(first.input_bound >= LIMIT_TEMPLATE_TOKENS && first.choices >= 1);
    struct buffer out;
    buffer_init(&out, body.len + 256);
    const struct dialect_changes changes = {.granted = 1, .newer_bound = body.len & 1};
    struct dialect_body changed;
    dialect_change(&first, body, &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        ASSERT(!buffer_append(&out, changed.pieces[i]));
    ASSERT(!json_scan(buffer_slice(&out), &value, NULL));
    ASSERT(!chat_read_request(NULL, buffer_slice(&out), &second, &error));
    ASSERT(second.asked == 1 && second.stream == first.stream);
    ASSERT(!first.stream || second.wants_usage);
    ASSERT(first.model_len == second.model_len && !strcmp(first.model, second.model));
    buffer_done(&out);
}

/* False: the stream broke off over an event that is too long. */
static bool run(struct slice text, size_t step, struct buffer *ret_out)
{
    struct stream stream;
    int rc = 0;
    const struct stream_formats formats = {dialect_chat(), dialect_chat(), FRAMES_SSE, step & 1};
    ASSERT(!stream_init(&stream, &formats, EVENT_MAX));
    for (size_t at = 0; at < text.len && !rc; at += step) {
        size_t len = step < text.len - at ? step : text.len - at;
        rc = stream_feed(&stream, slice_part(text, at, len));
        ASSERT(!buffer_append(ret_out, buffer_slice(&stream.out)));
        buffer_clear(&stream.out);
        stream_check(&stream);
    }
    if (!rc)
        rc = stream_end(&stream);
    if (!rc) {
        ASSERT(stream_output_bytes(&stream) >= 0);
        if (stream.has_usage)
            check_usage(&stream.usage);
        ASSERT(!stream_finish(&stream, &stream.usage, SLICE_LITERAL("0.25")));
        ASSERT(!buffer_append(ret_out, buffer_slice(&stream.out)));
    }
    stream_done(&stream);
    return !rc;
}

static void without_line_ends(struct buffer *b)
{
    size_t len = 0;
    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] != '\r' && b->data[i] != '\n')
            b->data[len++] = b->data[i];
    b->len = len;
}

static void stream(struct slice text, size_t step)
{
    struct buffer whole, pieces;
    buffer_init(&whole, 1 << 22);
    buffer_init(&pieces, 1 << 22);
    size_t same_parity = 60001 - (step & 1 ? 0 : 1); /* whether usage is wanted goes by the step */
    if (text.len < same_parity && run(text, same_parity, &whole)) {
        ASSERT(run(text, step, &pieces));
        without_line_ends(&whole);
        without_line_ends(&pieces);
        ASSERT(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
    } else if (step) {
        (void)run(text, step, &pieces);
    }
    buffer_done(&whole);
    buffer_done(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct slice text = {(const char *)data + 1, size - 1};
    struct dialect_answer answer;
    if (data[0] == 'r')
        request(text);
    else if (data[0] == 'a')
        chat_read_answer(text, &answer);
    else
        stream(text, data[0] ? data[0] : 1);
    if (data[0] == 'a' && answer.has_usage)
        check_usage(&answer.usage);
    return 0;
}
