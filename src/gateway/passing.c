/* SPDX-License-Identifier: Apache-2.0
 * What of a client's request goes on as it is: its method and its query. */
#include "gateway/inside.h"

const char *gateway_method(struct slice method)
{
    static const char *const methods[] = {"GET", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (slice_is(method, methods[i]))
            return methods[i];
    return "POST";
}

int gateway_put_query(struct slice query, const char *own, struct buffer *out)
{
    const char *before = "?";
    int rc = 0;
    while (query.len && !rc) {
        const char *end = memchr(query.data, '&', query.len);
        size_t len = end ? (size_t)(end - query.data) : query.len;
        struct slice one = slice_part(query, 0, len);
        query = slice_from(query, end ? len + 1 : len);
        if (!one.len || slice_starts(one, SLICE_LITERAL("api-version=")) ||
            slice_starts(one, SLICE_LITERAL("key=")))
            continue;
        rc = buffer_text(out, before);
        if (!rc)
            rc = buffer_append(out, one);
        before = "&";
    }
    if (!rc && own)
        rc = buffer_text(out, before);
    return rc || !own ? rc : buffer_text(out, own);
}
