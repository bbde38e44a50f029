/* SPDX-License-Identifier: Apache-2.0
 * Server-sent events (WHATWG HTML 9.2.6), split as they arrive in any pieces, raw bytes kept so
 * that an event can be forwarded untouched. LF, CRLF and CR end lines; a leading BOM is passed. */
#ifndef CODEC_SSE_H
#define CODEC_SSE_H

#include "base/buffer.h"

struct sse_event {
    struct slice raw;  /* the whole event with its blank line, as received */
    struct slice name; /* of the last event: line, empty if none */
    struct slice data; /* the data: lines joined by LF; empty if none (comments, keep-alives) */
    bool has_data;
};

struct sse {
    struct buffer pending; /* an event not yet complete */
    struct buffer joined;  /* data of an event with several data lines */
    size_t scanned;        /* the part of pending known to hold no blank line */
    bool begun;
};

/* event_max: longest event in bytes. */
void sse_init(struct sse *sse, size_t event_max);
void sse_done(struct sse *sse);

/* Calls fn for each event that is complete with these bytes; its slices die when fn returns. fn
 * returning non-zero stops and is returned (what was not yet passed is dropped). METE_E_TOO_LARGE:
 * an event over event_max. Amortised linear. */
__attribute__((warn_unused_result)) int sse_feed(struct sse *sse, struct slice bytes,
                                                 int (*fn)(void *user, const struct sse_event *),
                                                 void *user);
/* What came after the last complete event: forward it, or see that the stream was cut. */
struct slice sse_rest(const struct sse *sse);

#endif
