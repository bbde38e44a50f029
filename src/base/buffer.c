/* SPDX-License-Identifier: Apache-2.0
 * Doubles its room until the maximum. */
#include "base/buffer.h"

#include "base/assert.h"
#include "mete.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROOM_FIRST = 256 };

void buffer_init(struct buffer *b, size_t max)
{
    *b = (struct buffer){.max = max};
}

void buffer_done(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

int buffer_reserve(struct buffer *b, size_t len, char **ret_at)
{
    ASSERT(b->len <= b->room);
    if (len > b->max - b->len)
        return METE_E_TOO_LARGE;
    if (len > b->room - b->len || !b->data) {
        size_t room = b->room ? b->room : ROOM_FIRST;
        while (room < b->len + len)
            room *= 2;
        if (room > b->max)
            room = b->max;
        char *data = realloc(b->data, room ? room : 1);
        if (!data)
            return METE_E_MEMORY;
        b->data = data;
        b->room = room;
    }
    *ret_at = b->data + b->len;
    return 0;
}

void buffer_advance(struct buffer *b, size_t len)
{
    ASSERT(len <= b->room - b->len);
    b->len += len;
}

int buffer_append(struct buffer *b, struct slice bytes)
{
    char *at;
    int rc = buffer_reserve(b, bytes.len, &at);
    if (rc)
        return rc;
    if (bytes.len)
        memcpy(at, bytes.data, bytes.len);
    b->len += bytes.len;
    return 0;
}

int buffer_text(struct buffer *b, const char *terminated)
{
    return buffer_append(b, slice_of(terminated));
}

/* vsnprintf terminates what it writes; that byte needs room and is not counted. Mostly there is. */
int buffer_format(struct buffer *b, const char *format, ...)
{
    va_list args;
    size_t room = b->data ? b->room - b->len : 0;
    char *at = room ? b->data + b->len : NULL;
    va_start(args, format);
    int len = vsnprintf(at, room, format, args);
    va_end(args);
    ASSERT(len >= 0);
    if ((size_t)len >= room) {
        int rc = buffer_reserve(b, (size_t)len + 1, &at);
        if (rc)
            return rc;
        va_start(args, format);
        vsnprintf(at, (size_t)len + 1, format, args);
        va_end(args);
    }
    b->len += (size_t)len;
    return 0;
}

void buffer_consume(struct buffer *b, size_t len)
{
    ASSERT(len <= b->len);
    if (!len)
        return;
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
}

void buffer_relax(struct buffer *b, size_t room_max)
{
    b->len = 0;
    if (b->room <= room_max)
        return;
    free(b->data);
    b->data = NULL;
    b->room = 0;
}
