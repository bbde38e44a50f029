/* SPDX-License-Identifier: Apache-2.0
 * The first byte says which framing, the second the size of the pieces: events and errors must not
 * depend on the pieces, and no byte may be lost. */
#include "base/assert.h"
#include "codec/frames.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAME_MAX = 256 };

struct seen {
    struct buffer text; /* of each event its name and data */
    size_t raw;
};

static int see(void *user, const struct frame *frame)
{
    struct seen *seen = user;
    ASSERT(frame->raw.len > 0 && frame->raw.len <= FRAME_MAX);
    ASSERT(frame->has_data == (frame->data.len > 0));
    seen->raw += frame->raw.len;
    ASSERT(!buffer_append(&seen->text, frame->name));
    ASSERT(!buffer_text(&seen->text, frame->failed ? "!" : "="));
    return buffer_append(&seen->text, frame->data);
}

static int run(enum frames_kind kind, struct slice text, size_t step, struct seen *seen)
{
    struct frames frames;
    int rc = 0;
    frames_init(&frames, kind, FRAME_MAX);
    *seen = (struct seen){.raw = 0};
    buffer_init(&seen->text, 1 << 24);
    for (size_t at = 0; at < text.len && !rc; at += step) {
        size_t len = step < text.len - at ? step : text.len - at;
        rc = frames_feed(&frames, slice_part(text, at, len), see, seen);
        ASSERT(frames_rest(&frames).len <= FRAME_MAX);
    }
    if (!rc)
        ASSERT(seen->raw + frames_rest(&frames).len == text.len);
    frames_done(&frames);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, pieces;
    if (size < 2)
        return 0;
    enum frames_kind kind = data[0] & 1 ? FRAMES_ARRAY : FRAMES_AWS;
    struct slice text = {(const char *)data + 2, size - 2};
    int rc = run(kind, text, text.len ? text.len : 1, &whole);
    /* What is over the limit may be told later where the bytes come one by one, never earlier. */
    ASSERT(run(kind, text, data[1] ? data[1] : 1, &pieces) == rc);
    ASSERT(slice_equal(buffer_slice(&whole.text), buffer_slice(&pieces.text)));
    buffer_done(&whole.text);
    buffer_done(&pieces.text);
    return 0;
}
