/* SPDX-License-Identifier: Apache-2.0
 * JSON written piece by piece: the first failure stays, later pieces are not written after it, so
 * that a writer asks once, at its end. */
#ifndef DIALECT_JSON_PUT_H
#define DIALECT_JSON_PUT_H

#include "base/buffer.h"
#include "codec/json_scan.h"

struct json_put {
    struct buffer *out;
    int rc; /* METE_E_TOO_LARGE, METE_E_MEMORY, or what a writer put there */
};

static inline void json_put_raw(struct json_put *put, struct slice bytes)
{
    if (!put->rc)
        put->rc = buffer_append(put->out, bytes);
}

static inline void json_put_text(struct json_put *put, const char *text)
{
    json_put_raw(put, slice_of(text));
}

static inline void json_put_quoted(struct json_put *put, struct slice text)
{
    if (!put->rc)
        put->rc = json_quote(put->out, text);
}

static inline void json_put_number(struct json_put *put, int64_t number)
{
    if (!put->rc)
        put->rc = buffer_format(put->out, "%lld", (long long)number);
}

/* The inside of a JSON string, without its quotes. */
static inline void json_put_inside(struct json_put *put, struct slice string)
{
    if (string.len >= 2)
        json_put_raw(put, slice_part(string, 1, string.len - 2));
}

#endif
