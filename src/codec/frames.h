/* SPDX-License-Identifier: Apache-2.0
 * The framings that providers stream in, behind one face: bytes in any pieces, events out, the raw
 * bytes kept so that an event can be forwarded untouched.
 *
 *   FRAMES_SSE    server-sent events (codec/sse.h); name: the event: line
 *   FRAMES_LINES  one JSON document a line; blank lines have no data
 *   FRAMES_ARRAY  one JSON array; each element is an event, and so is its end, with the data "]".
 *                 What separates elements belongs to the next one's raw
 *   FRAMES_AWS    binary messages with checksums (application/vnd.amazon.eventstream); name:
 *                 :event-type, :exception-type or :error-code; data: the payload
 *
 * The raw slices and frames_rest(), one after the other, are what was fed. */
#ifndef CODEC_FRAMES_H
#define CODEC_FRAMES_H

#include "codec/sse.h"

enum frames_kind { FRAMES_SSE = 0, FRAMES_LINES, FRAMES_ARRAY, FRAMES_AWS };

/* Where in the array the bytes so far end. */
enum frames_place {
    FRAMES_OUTSIDE = 0, /* before the array */
    FRAMES_BEFORE,      /* an element or the end comes, or what separates them */
    FRAMES_WITHIN,      /* an element */
    FRAMES_BEHIND       /* after the array */
};

struct frames {
    enum frames_kind kind;
    struct sse sse;        /* FRAMES_SSE */
    struct buffer pending; /* of the others: an event not yet complete */
    struct {               /* FRAMES_ARRAY */
        enum frames_place place;
        bool quoted, escaped; /* within a string of the element */
        size_t depth;         /* open brackets and braces of the element */
        size_t lead;          /* bytes of the event that precede its data */
    } array;
};

typedef int frames_fn(void *user, const struct frame *frame);

/* frame_max: longest event in bytes. */
void frames_init(struct frames *frames, enum frames_kind kind, size_t frame_max);
void frames_done(struct frames *frames);

/* Calls fn for each event that is complete with these bytes; its slices die when fn returns. fn
 * returning non-zero stops and is returned (what was not yet passed is dropped, and so it is after
 * an error). METE_E_TOO_LARGE: an event over frame_max; METE_E_SYNTAX: bytes that cannot be of the
 * framing, or a wrong checksum; METE_E_MEMORY. Linear in bytes. */
__attribute__((warn_unused_result)) int frames_feed(struct frames *frames, struct slice bytes,
                                                    frames_fn *fn, void *user);
/* No more bytes come: an event that only lacks its end is passed on. */
__attribute__((warn_unused_result)) int frames_end(struct frames *frames, frames_fn *fn,
                                                   void *user);
/* What came after the last complete event. Lives until the next call. */
struct slice frames_rest(const struct frames *frames);

/* ---- Of one framing alone -------------------------------------------------------------------- */

/* frames_feed() of FRAMES_ARRAY and of FRAMES_AWS. */
__attribute__((warn_unused_result)) int frames_array_feed(struct frames *frames, struct slice bytes,
                                                          frames_fn *fn, void *user);
__attribute__((warn_unused_result)) int frames_aws_feed(struct frames *frames, struct slice bytes,
                                                        frames_fn *fn, void *user);
/* Appends a message of FRAMES_AWS: failed makes name an :exception-type, else it is an :event-type;
 * name of 1 to 255 bytes, payload JSON. METE_E_TOO_LARGE; METE_E_MEMORY. */
__attribute__((warn_unused_result)) int frames_aws_write(struct buffer *out, struct slice name,
                                                         bool failed, struct slice payload);

#endif
