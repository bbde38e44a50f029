/* SPDX-License-Identifier: Apache-2.0
 * What the tests of translation share: an answer put together from a format's own bytes, and what
 * a format writes of it. */
#ifndef TRANSLATE_HELP_H
#define TRANSLATE_HELP_H

#include "dialect/neutral.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { HELP_ROOM = 1 << 20 };

static inline void same_text(const struct buffer *out, const char *expected)
{
    if (!slice_is(buffer_slice(out), expected))
        fail_msg("\n%.*s\nand not\n%s", (int)out->len, out->data, expected);
}

/* What to, a provider's format, is asked when from's client asks for body. */
static inline void translated(const struct dialect *from, const struct dialect *to,
                              const char *body, const char *expected)
{
    struct neutral_request request;
    struct dialect_error error = {0};
    struct buffer out;
    neutral_request_init(&request);
    buffer_init(&out, HELP_ROOM);
    if (from->neutral->read_request(NULL, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    if (to->neutral->write_request(&request, &out, &error))
        fail_msg("%s: %s", body, error.message);
    same_text(&out, expected);
    buffer_done(&out);
    neutral_request_done(&request);
}

/* from refuses to be read, or to to be written, naming param. */
static inline void untranslatable(const struct dialect *from, const struct dialect *to,
                                  const char *body, const char *param)
{
    struct neutral_request request;
    struct dialect_error error = {0};
    struct buffer out;
    neutral_request_init(&request);
    buffer_init(&out, HELP_ROOM);
    int rc = from->neutral->read_request(NULL, slice_of(body), &request, &error);
    if (!rc)
        rc = to->neutral->write_request(&request, &out, &error);
    if (rc != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    assert_string_equal(error.param, param);
    buffer_done(&out);
    neutral_request_done(&request);
}

static inline int help_collect(void *user, const struct neutral_delta *delta)
{
    return neutral_answer_add(user, delta);
}

/* A whole answer of from's, as to's client gets it. */
static inline void answered(const struct dialect *from, const struct dialect *to, const char *body,
                            const char *expected)
{
    struct neutral_answer answer;
    struct buffer out;
    struct dialect_answer figures;
    struct neutral_sink sink = {help_collect, &answer};
    neutral_answer_init(&answer, HELP_ROOM);
    buffer_init(&out, HELP_ROOM);
    from->read_answer(slice_of(body), &figures);
    assert_int_equal(from->neutral->read_answer(slice_of(body), &sink), 0);
    assert_int_equal(to->neutral->write_answer(&answer, &figures.usage, &out), 0);
    same_text(&out, expected);
    buffer_done(&out);
    neutral_answer_done(&answer);
}

#endif
