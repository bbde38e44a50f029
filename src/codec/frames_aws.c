/* SPDX-License-Identifier: Apache-2.0
 * Messages of AWS event streams (application/vnd.amazon.eventstream). All numbers big-endian:
 *
 *   u32 length of all  u32 length of the headers  u32 CRC of these 8 bytes
 *   headers, each: u8 length, name, u8 type, value     value of a string: u16 length, bytes
 *   payload                                            u32 CRC of everything before it
 *
 * A message is passed on once both checksums are right; the lengths are believed once the first
 * one is. Headers that are looked at: :event-type, or :exception-type (an error the service knows),
 * or :error-code with :error-message (one it does not). A message of another kind has no name. */
#include "codec/frames.h"

#include "base/assert.h"
#include "mete.h"

#include <zlib.h>

enum { PRELUDE = 12, CRC = 4, SMALLEST = PRELUDE + CRC, NAME_MAX_LEN = 255 };

static uint32_t read_u32(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void write_u32(char *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(unsigned char)(number >> (24 - 8 * i) & 0xff);
}

static uint32_t crc_of(const char *at, size_t len)
{
    ASSERT(len <= UINT32_MAX);
    return (uint32_t)crc32(0, (const Bytef *)(const void *)at, (uInt)len);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Length of the message that begins with these bytes; 0: too few to tell. */
static int message_len(struct slice bytes, size_t max, size_t *ret_len)
{
    *ret_len = 0;
    if (bytes.len < PRELUDE)
        return 0;
    if (crc_of(bytes.data, PRELUDE - CRC) != read_u32(bytes.data + PRELUDE - CRC))
        return METE_E_SYNTAX;
    size_t len = read_u32(bytes.data), headers = read_u32(bytes.data + 4);
    if (len < SMALLEST || headers > len - SMALLEST)
        return METE_E_SYNTAX;
    if (len > max)
        return METE_E_TOO_LARGE;
    *ret_len = len;
    return 0;
}

/* Takes len bytes off the front; false: there are not so many. */
static bool take(struct slice *from, size_t len, struct slice *ret_bytes)
{
    if (len > from->len)
        return false;
    *ret_bytes = slice_part(*from, 0, len);
    *from = slice_from(*from, len);
    return true;
}

struct header {
    struct slice name, value; /* value: of a string or of bytes; else empty */
};

static bool take_header(struct slice *headers, struct header *ret_header)
{
    static const unsigned char fixed[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16}; /* 6, 7: they say */
    enum { BYTES = 6, STRING = 7, TYPES = sizeof fixed };
    struct slice byte, sizes;
    if (!take(headers, 1, &byte) ||
        !take(headers, (unsigned char)byte.data[0], &ret_header->name) || !take(headers, 1, &byte))
        return false;
    unsigned type = (unsigned char)byte.data[0];
    if (type >= TYPES)
        return false;
    size_t len = fixed[type];
    bool told = type == BYTES || type == STRING;
    if (told && !take(headers, 2, &sizes))
        return false;
    if (told)
        len = (size_t)((unsigned char)sizes.data[0] << 8 | (unsigned char)sizes.data[1]);
    struct slice value;
    if (!take(headers, len, &value))
        return false;
    ret_header->value = told ? value : (struct slice){0};
    return true;
}

static bool read_headers(struct slice headers, struct frame *frame)
{
    struct header header;
    while (headers.len) {
        if (!take_header(&headers, &header))
            return false;
        bool code = slice_is(header.name, ":error-code");
        if (slice_is(header.name, ":event-type") || slice_is(header.name, ":exception-type") ||
            code)
            frame->name = header.value;
        if (slice_is(header.name, ":exception-type") || code)
            frame->failed = true;
        if (slice_is(header.name, ":error-message") && !frame->has_data) {
            frame->data = header.value;
            frame->has_data = frame->data.len > 0;
        }
    }
    return true;
}

static int pass_message(struct slice raw, frames_fn *fn, void *user)
{
    size_t body = raw.len - CRC, headers = read_u32(raw.data + 4);
    if (crc_of(raw.data, body) != read_u32(raw.data + body))
        return METE_E_SYNTAX;
    struct frame frame = {.raw = raw,
                          .data = slice_part(raw, PRELUDE + headers, body - PRELUDE - headers)};
    frame.has_data = frame.data.len > 0;
    if (!read_headers(slice_part(raw, PRELUDE, headers), &frame))
        return METE_E_SYNTAX;
    return fn(user, &frame);
}

/* What is pending grows to a prelude first, then to the message it announces. */
static int fill(struct frames *frames, struct slice *bytes, size_t *ret_len)
{
    struct buffer *pending = &frames->pending;
    for (;;) {
        int rc = message_len(buffer_slice(pending), pending->max, ret_len);
        size_t wanted = *ret_len ? *ret_len : PRELUDE;
        if (rc || pending->len >= wanted || !bytes->len)
            return rc;
        size_t more = wanted - pending->len;
        struct slice part = slice_part(*bytes, 0, more < bytes->len ? more : bytes->len);
        rc = buffer_append(pending, part);
        if (rc)
            return rc;
        *bytes = slice_from(*bytes, part.len);
    }
}

/* A message that came in one piece is not copied. */
int frames_aws_feed(struct frames *frames, struct slice bytes, frames_fn *fn, void *user)
{
    struct buffer *pending = &frames->pending;
    size_t len;
    int rc = 0;
    while (!rc && (bytes.len || pending->len)) {
        if (!pending->len) {
            rc = message_len(bytes, pending->max, &len);
            if (!rc && len && len <= bytes.len) {
                struct slice raw = slice_part(bytes, 0, len);
                bytes = slice_from(bytes, len);
                rc = pass_message(raw, fn, user);
                continue;
            }
        }
        if (!rc)
            rc = fill(frames, &bytes, &len);
        if (rc || !len || pending->len < len)
            return rc;
        rc = pass_message(buffer_slice(pending), fn, user);
        buffer_relax(pending, SSE_IDLE_ROOM);
    }
    return rc;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static char *put_header(char *at, const char *name, struct slice value)
{
    size_t len = strlen(name);
    *at++ = (char)len;
    memcpy(at, name, len);
    at += len;
    *at++ = 7;
    *at++ = (char)(unsigned char)(value.len >> 8);
    *at++ = (char)(unsigned char)(value.len & 0xff);
    memcpy(at, value.data, value.len);
    return at + value.len;
}

int frames_aws_write(struct buffer *out, struct slice name, bool failed, struct slice payload)
{
    enum { HEADERS_ROOM = 3 * NAME_MAX_LEN };
    char head[PRELUDE + HEADERS_ROOM], tail[CRC];
    ASSERT(name.len > 0 && name.len <= NAME_MAX_LEN);
    char *end = put_header(head + PRELUDE, failed ? ":exception-type" : ":event-type", name);
    end = put_header(end, ":content-type", SLICE_LITERAL("application/json"));
    end = put_header(end, ":message-type", slice_of(failed ? "exception" : "event"));
    struct slice start = {head, (size_t)(end - head)};
    size_t len = start.len + payload.len + CRC;
    if (len > UINT32_MAX)
        return METE_E_TOO_LARGE;
    write_u32(head, (uint32_t)len);
    write_u32(head + 4, (uint32_t)(start.len - PRELUDE));
    write_u32(head + 8, crc_of(head, PRELUDE - CRC));
    char *at;
    int rc = buffer_reserve(out, len, &at);
    if (rc)
        return rc;
    memcpy(at, start.data, start.len);
    if (payload.len)
        memcpy(at + start.len, payload.data, payload.len);
    write_u32(tail, crc_of(at, len - CRC));
    memcpy(at + len - CRC, tail, CRC);
    buffer_advance(out, len);
    return 0;
}
