/* SPDX-License-Identifier: Apache-2.0
 * What the tests of formats share: a request read, changed and written, a stream that is cut or
 * breaks off, usage of an answer. */
#ifndef DIALECT_HELP_H
#define DIALECT_HELP_H

#include "dialect/dialect.h"
#include "gateway/stream.h"
#include "translate_help.h"

static inline struct dialect_request help_read(const struct dialect *format, const char *body)
{
    struct dialect_request request;
    struct dialect_error error;
    const struct dialect_target target = {0};
    if (format->read_request(&target, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static inline void help_refused(const struct dialect *format, const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    const struct dialect_target target = {0};
    if (format->read_request(&target, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    if (param)
        assert_string_equal(error.param, param);
    else
        assert_null(error.param);
}

/* body, as it goes on with granted. */
static inline void help_written(const struct dialect *format, const char *body, int64_t granted,
                                const char *expected)
{
    const struct dialect_request request = help_read(format, body);
    const struct dialect_changes changes = {.granted = granted};
    struct dialect_body changed;
    struct buffer out;
    buffer_init(&out, HELP_ROOM);
    dialect_change(&request, slice_of(body), &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        assert_int_equal(buffer_append(&out, changed.pieces[i]), 0);
    same_text(&out, expected);
    buffer_done(&out);
}

/* Usage of a whole answer; input -1: it has none. */
static inline void help_used(const struct dialect *format, const char *body, int64_t input,
                             int64_t output, int64_t cached)
{
    struct dialect_answer answer;
    format->read_answer(slice_of(body), &answer);
    assert_int_equal(answer.has_usage, input >= 0);
    if (input < 0)
        return;
    assert_int_equal(answer.usage.input, input);
    assert_int_equal(answer.usage.output, output);
    assert_int_equal(answer.usage.cached_input, cached);
}

/* What a client has of a stream that brought these bytes, one at a time, and then was cut (error
 * NULL) or broke off. to: the client's format. */
static inline void help_ended(const struct dialect *from, const struct dialect *to,
                              const char *bytes, const struct dialect_error *error,
                              const char *expected)
{
    const struct stream_formats formats = {to, from, from->framing, false};
    const struct pricing_usage used = {.input = 7, .output = 5};
    struct stream stream;
    struct buffer out;
    buffer_init(&out, HELP_ROOM);
    assert_int_equal(stream_init(&stream, &formats, 4096), 0);
    for (size_t i = 0; bytes[i]; i++)
        assert_int_equal(stream_feed(&stream, (struct slice){bytes + i, 1}), 0);
    if (!error && !stream.final_seen && to == from)
        stream_cut(&stream);
    if (error)
        assert_int_equal(stream_break(&stream, error, SLICE_LITERAL("0.5")), 0);
    else
        assert_int_equal(stream_finish(&stream, &used, SLICE_LITERAL("0.5")), 0);
    assert_int_equal(buffer_append(&out, buffer_slice(&stream.out)), 0);
    same_text(&out, expected);
    stream_done(&stream);
    buffer_done(&out);
}

#endif
