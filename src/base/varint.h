/* SPDX-License-Identifier: Apache-2.0
 * Little-endian base-128 integers (LEB128), shortest form only; signed ones zigzag.
 * A writer asserts that it has room; a reader of untrusted bytes never passes its end: after the
 * first fault reader.bad stays set and everything reads as 0. */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include "base/assert.h"
#include "base/slice.h"

#include <stdint.h>

enum { VARINT_MAX = 10 };

struct writer {
    uint8_t *at, *end;
};

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline void write_byte(struct writer *w, uint8_t value)
{
    ASSERT(w->at < w->end);
    *w->at++ = value;
}

static inline void write_varint(struct writer *w, uint64_t value)
{
    while (value >= 0x80) {
        write_byte(w, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    write_byte(w, (uint8_t)value);
}

static inline void write_zigzag(struct writer *w, int64_t value)
{
    write_varint(w, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static inline void write_bytes(struct writer *w, struct slice bytes)
{
    ASSERT((size_t)(w->end - w->at) >= bytes.len);
    if (bytes.len)
        memcpy(w->at, bytes.data, bytes.len);
    w->at += bytes.len;
}

/* Length, then bytes. */
static inline void write_slice(struct writer *w, struct slice bytes)
{
    write_varint(w, bytes.len);
    write_bytes(w, bytes);
}

static inline uint8_t read_byte(struct reader *r)
{
    if (r->bad || r->at == r->end) {
        r->bad = true;
        return 0;
    }
    return *r->at++;
}

static inline uint64_t read_varint(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_byte(r);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if ((shift && !byte) || (shift == 63 && byte > 1))
            break; /* not the shortest form, or over 64 bits */
        return r->bad ? 0 : value;
    }
    r->bad = true;
    return 0;
}

static inline int64_t read_zigzag(struct reader *r)
{
    uint64_t value = read_varint(r);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Borrows from the bytes that are read. */
static inline struct slice read_bytes(struct reader *r, size_t len)
{
    if (r->bad || (size_t)(r->end - r->at) < len) {
        r->bad = true;
        return (struct slice){0};
    }
    struct slice bytes = {(const char *)r->at, len};
    r->at += len;
    return bytes;
}

static inline struct slice read_slice(struct reader *r, size_t len_max)
{
    uint64_t len = read_varint(r);
    if (len > len_max) {
        r->bad = true;
        return (struct slice){0};
    }
    return read_bytes(r, (size_t)len);
}

#endif
