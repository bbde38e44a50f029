/* SPDX-License-Identifier: Apache-2.0
 * Each framing finds the end of the next event in what is pending; the rest is common. */
#include "codec/frames.h"

#include "base/assert.h"
#include "mete.h"

void frames_init(struct frames *frames, enum frames_kind kind, size_t frame_max)
{
    *frames = (struct frames){.kind = kind};
    if (kind == FRAMES_SSE)
        sse_init(&frames->sse, frame_max);
    else
        buffer_init(&frames->pending, frame_max);
}

void frames_done(struct frames *frames)
{
    sse_done(&frames->sse);
    buffer_done(&frames->pending);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct frame line_frame(struct slice raw)
{
    struct slice data = raw;
    while (data.len && is_space(data.data[data.len - 1]))
        data.len--;
    while (data.len && is_space(data.data[0]))
        data = slice_from(data, 1);
    return (struct frame){.raw = raw, .data = data, .has_data = data.len > 0};
}

/* A line that came in one piece is not copied. */
static int lines_feed(struct frames *frames, struct slice bytes, frames_fn *fn, void *user)
{
    struct buffer *pending = &frames->pending;
    const char *end;
    while (bytes.len && (end = memchr(bytes.data, '\n', bytes.len))) {
        struct slice raw = {bytes.data, (size_t)(end - bytes.data) + 1};
        bytes = slice_from(bytes, raw.len);
        int rc = raw.len > pending->max ? METE_E_TOO_LARGE : 0;
        if (!rc && pending->len) {
            rc = buffer_append(pending, raw);
            raw = buffer_slice(pending);
        }
        const struct frame frame = line_frame(raw);
        if (!rc)
            rc = fn(user, &frame);
        buffer_relax(pending, SSE_IDLE_ROOM);
        if (rc)
            return rc;
    }
    return buffer_append(pending, bytes);
}

/* ---- All ------------------------------------------------------------------------------------- */

int frames_feed(struct frames *frames, struct slice bytes, frames_fn *fn, void *user)
{
    int rc = 0;
    switch (frames->kind) {
    case FRAMES_SSE:
        return sse_feed(&frames->sse, bytes, fn, user);
    case FRAMES_LINES:
        rc = lines_feed(frames, bytes, fn, user);
        break;
    case FRAMES_ARRAY:
        rc = frames_array_feed(frames, bytes, fn, user);
        break;
    case FRAMES_AWS:
        rc = frames_aws_feed(frames, bytes, fn, user);
        break;
    }
    if (rc) {
        buffer_relax(&frames->pending, SSE_IDLE_ROOM);
        frames->array.lead = 0;
    }
    return rc;
}

int frames_end(struct frames *frames, frames_fn *fn, void *user)
{
    if (!frames_rest(frames).len)
        return 0;
    switch (frames->kind) {
    case FRAMES_SSE:
        return frames_feed(frames, SLICE_LITERAL("\n\n"), fn, user);
    case FRAMES_LINES:
        return frames_feed(frames, SLICE_LITERAL("\n"), fn, user);
    case FRAMES_ARRAY:
    case FRAMES_AWS:
        break; /* half an element or message is none */
    }
    return 0;
}

struct slice frames_rest(const struct frames *frames)
{
    return frames->kind == FRAMES_SSE ? sse_rest(&frames->sse) : buffer_slice(&frames->pending);
}
