/* SPDX-License-Identifier: Apache-2.0
 * Bytes from clients and providers through the responses dialect, and requests through completions
 * and embeddings. The first byte says as what:
 *   'r', 'c', 'e' a request body of responses, completions, embeddings: with its bound put in it
 *       must be valid JSON, and read again as asking that
 *   'n' a request body into the neutral form
 *   'a' a plain answer: usage, if believed, is in its ranges
 *   other: a stream, cut after that many events: the end made for it must be whole events of JSON
 */
#include "base/assert.h"
#include "codec/frames.h"
#include "dialect/neutral.h"
#include "dialect/responses.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_MAX = 4096 };

static void check_usage(const struct pricing_usage *u)
{
    ASSERT(u->input >= 0 && u->cached_input >= 0 && u->cache_write >= 0 && u->searches >= 0);
    ASSERT(u->cached_input + u->cache_write <= u->input);
    ASSERT(u->reasoning >= 0 && u->reasoning <= u->output);
}

static void request(const struct dialect *format, struct slice body)
{
    struct dialect_request first, second;
    struct dialect_error error;
    struct json value;
    const struct dialect_target target = {.model = SLICE_LITERAL("m")};
    if (format->read_request(&target, body, &first, &error)) {
        ASSERT(error.status == 400 && error.message);
        return;
    }
    ASSERT(first.input_bound > 0 && first.choices >= 1 && first.output_fixed >= 0);
    struct buffer out;
    buffer_init(&out, body.len + 512);
    const struct dialect_changes changes = {.granted = 1};
    struct dialect_body changed;
    dialect_change(&first, body, &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        ASSERT(!buffer_append(&out, changed.pieces[i]));
    ASSERT(!json_scan(buffer_slice(&out), &value, NULL));
    ASSERT(!format->read_request(&target, buffer_slice(&out), &second, &error));
    ASSERT(first.makes_no_output || second.asked == 1);
    ASSERT(second.stream == first.stream && second.uses == first.uses);
    ASSERT(first.model_len == second.model_len && !strcmp(first.model, second.model));
    buffer_done(&out);
}

static void neutral(struct slice body)
{
    struct neutral_request request;
    struct dialect_error error;
    neutral_request_init(&request);
    (void)responses_neutral.read_request(NULL, body, &request, &error);
    for (size_t i = 0; i < request.parts_len; i++)
        ASSERT(request.parts[i].role <= NEUTRAL_TOOL);
    neutral_request_done(&request);
}

struct cut {
    struct dialect_stream stream;
    size_t left;
};

static int on_event(void *user, const struct frame *frame)
{
    struct cut *cut = user;
    struct dialect_event event;
    if (!cut->left)
        return 0;
    cut->left--;
    responses_read_event(&cut->stream, frame, &event);
    ASSERT(event.output_bytes >= 0);
    if (event.has_usage)
        check_usage(&event.usage);
    return 0;
}

static int on_end_event(void *user, const struct frame *frame)
{
    struct json value;
    (void)user;
    ASSERT(frame->has_data && !json_scan(frame->data, &value, NULL));
    ASSERT(value.type == JSON_OBJECT);
    return 0;
}

static void stream(struct slice text, size_t events)
{
    struct cut cut = {.left = events};
    struct buffer said, out;
    struct frames frames, ends;
    buffer_init(&said, EVENT_MAX);
    buffer_init(&out, 16 * EVENT_MAX);
    cut.stream.said = &said;
    cut.stream.finish = events & 1 ? DIALECT_LENGTH : DIALECT_STOP;
    frames_init(&frames, FRAMES_SSE, EVENT_MAX);
    if (!frames_feed(&frames, text, on_event, &cut))
        (void)!frames_end(&frames, on_event, &cut);
    const struct pricing_usage usage = {.input = 1};
    ASSERT(!responses_write_end(&cut.stream, &usage, SLICE_LITERAL("0.25"), true, &out));
    frames_init(&ends, FRAMES_SSE, 8 * EVENT_MAX);
    ASSERT(!frames_feed(&ends, buffer_slice(&out), on_end_event, NULL));
    ASSERT(!frames_rest(&ends).len);
    frames_done(&frames);
    frames_done(&ends);
    buffer_done(&said);
    buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct slice text = {(const char *)data + 1, size - 1};
    struct dialect_answer answer = {0};
    if (data[0] == 'r')
        request(dialect_responses(), text);
    else if (data[0] == 'c')
        request(dialect_completions(), text);
    else if (data[0] == 'e')
        request(dialect_embeddings(), text);
    else if (data[0] == 'n')
        neutral(text);
    else if (data[0] == 'a')
        dialect_responses()->read_answer(text, &answer);
    else
        stream(text, data[0]);
    if (answer.has_usage)
        check_usage(&answer.usage);
    return 0;
}
