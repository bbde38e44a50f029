/* SPDX-License-Identifier: Apache-2.0
 * One JSON array as a row of events. Only brackets, braces and strings are looked at, so that an
 * element's end is found without reading it twice; whether an element is good JSON is for whoever
 * reads its data. No byte is looked at again however small the pieces are:
 *
 *   OUTSIDE --[--> BEFORE --{--> WITHIN --its last }--> BEFORE --]--> BEHIND
 *
 * BEFORE passes white space and commas, wherever they are: a reader of the elements needs no more.
 * An element is an object; any other byte there is an error. */
#include "codec/frames.h"

#include "base/assert.h"
#include "mete.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next byte of an element. True: it is the last. */
static bool within(struct frames *frames, char c)
{
    if (frames->array.quoted) {
        if (frames->array.escaped)
            frames->array.escaped = false;
        else if (c == '\\')
            frames->array.escaped = true;
        else if (c == '"')
            frames->array.quoted = false;
    } else if (c == '"') {
        frames->array.quoted = true;
    } else if (c == '{' || c == '[') {
        frames->array.depth++;
    } else if (c == '}' || c == ']') {
        frames->array.depth--;
    }
    return !frames->array.depth;
}

/* Passes the bytes up to the end of the next event: their number, 0 if it does not end in these.
 * Below 0: that many bytes end with one that has no place there. */
static long to_end(struct frames *frames, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.data[i];
        switch (frames->array.place) {
        case FRAMES_WITHIN:
            if (within(frames, c)) {
                frames->array.place = FRAMES_BEFORE;
                return (long)i + 1;
            }
            continue;
        case FRAMES_OUTSIDE:
            frames->array.lead++;
            if (c == '[')
                frames->array.place = FRAMES_BEFORE;
            else if (!is_space(c))
                return -(long)i - 1;
            continue;
        case FRAMES_BEFORE:
            if (c == ']') {
                frames->array.place = FRAMES_BEHIND;
                return (long)i + 1;
            }
            if (c == '{') {
                frames->array.place = FRAMES_WITHIN;
                frames->array.depth = 1;
            } else if (is_space(c) || c == ',') {
                frames->array.lead++;
            } else {
                return -(long)i - 1;
            }
            continue;
        case FRAMES_BEHIND:
            if (!is_space(c))
                return -(long)i - 1;
            continue;
        }
    }
    return 0;
}

static struct frame element(struct frames *frames, struct slice raw)
{
    ASSERT(frames->array.lead < raw.len);
    const struct frame frame = {
        .raw = raw, .data = slice_from(raw, frames->array.lead), .has_data = true};
    frames->array.lead = 0;
    return frame;
}

/* An element that came in one piece is not copied. */
int frames_array_feed(struct frames *frames, struct slice bytes, frames_fn *fn, void *user)
{
    struct buffer *pending = &frames->pending;
    long len;
    while ((len = to_end(frames, bytes)) > 0) {
        struct slice raw = {bytes.data, (size_t)len};
        bytes = slice_from(bytes, raw.len);
        int rc = raw.len > pending->max ? METE_E_TOO_LARGE : 0;
        if (!rc && pending->len) {
            rc = buffer_append(pending, raw);
            raw = buffer_slice(pending);
        }
        if (rc)
            return rc;
        const struct frame frame = element(frames, raw);
        rc = fn(user, &frame);
        buffer_relax(pending, SSE_IDLE_ROOM);
        if (rc)
            return rc;
    }
    /* Whatever the pieces: a fault behind the longest event there may be is not looked for. */
    if (len < 0)
        return pending->len + (size_t)-len > pending->max ? METE_E_TOO_LARGE : METE_E_SYNTAX;
    return buffer_append(pending, bytes);
}
