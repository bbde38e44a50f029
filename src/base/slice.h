/* SPDX-License-Identifier: Apache-2.0
 * Borrowed bytes. A slice owns nothing and is not terminated. data may be NULL when len is 0. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice slice_of(const char *terminated)
{
    return (struct slice){terminated, terminated ? strlen(terminated) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *terminated)
{
    return slice_equal(a, slice_of(terminated));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.data, prefix.data, prefix.len) == 0);
}

/* from <= a.len */
static inline struct slice slice_from(struct slice a, size_t from)
{
    return (struct slice){a.data ? a.data + from : NULL, a.len - from};
}

static inline struct slice slice_part(struct slice a, size_t from, size_t len)
{
    return (struct slice){a.data ? a.data + from : NULL, len};
}

#endif
