/* SPDX-License-Identifier: Apache-2.0
 * Bytes that grow up to a maximum set at birth. One owner, no locking. A failed append changes
 * nothing; it fails with METE_E_TOO_LARGE at the maximum and METE_E_MEMORY without memory.
 * A zeroed buffer is done; buffer_done() on it is legal. Append is amortised O(len). */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"

#include <stdarg.h>
#include <stdint.h>

struct buffer {
    char *data;
    size_t len, room, max;
};

void buffer_init(struct buffer *b, size_t max);
void buffer_done(struct buffer *b);

/* Makes sure that len more bytes fit, and returns where they go in *ret_at; buffer_advance()
 * takes the ones that were written. */
__attribute__((warn_unused_result)) int buffer_reserve(struct buffer *b, size_t len, char **ret_at);
void buffer_advance(struct buffer *b, size_t len);

__attribute__((warn_unused_result)) int buffer_append(struct buffer *b, struct slice bytes);
__attribute__((warn_unused_result)) int buffer_text(struct buffer *b, const char *terminated);
__attribute__((warn_unused_result, format(printf, 2, 3))) int
buffer_format(struct buffer *b, const char *format, ...);

/* Drops len bytes from the front; O(what remains). len <= b->len */
void buffer_consume(struct buffer *b, size_t len);
void buffer_clear(struct buffer *b);
/* The same, and of its room no more than this many bytes is kept. */
void buffer_relax(struct buffer *b, size_t room_max);

static inline struct slice buffer_slice(const struct buffer *b)
{
    return (struct slice){b->data, b->len};
}

#endif
