/* SPDX-License-Identifier: Apache-2.0
 * Server-sent events (WHATWG HTML 9.2.6), split as they arrive in any pieces, raw bytes kept so
 * that an event can be forwarded untouched: the raw slices and sse_rest(), one after the other, are
 * what was fed. LF, CRLF and CR end lines; a leading BOM is passed.
 *
 * No event waits for a byte that may never come: one whose blank line is a CR at the end of a
 * piece is complete, and if an LF follows, that is a blank line with no data of its own. */
#ifndef CODEC_SSE_H
#define CODEC_SSE_H

#include "base/buffer.h"
#include "codec/frame.h"

enum { SSE_IDLE_ROOM = 512 }; /* most that is kept between events, in bytes */

/* What the bytes so far of an event end with. */
enum sse_line { SSE_LINE_START = 0, SSE_LINE_INSIDE, SSE_LINE_CR };

/* Asked where an event begins, before its lines are looked for: bytes begin with it, and may end in
 * it. Who knows it takes it, and says how long it is, its blank line included (*ret_len; 0: it is
 * read as any other). Such an event is one that fn was given before, but for characters in a line
 * that are neither CR nor LF. Non-zero stops, as of fn. */
typedef int sse_known_fn(void *user, struct slice bytes, size_t *ret_len);

struct sse {
    struct buffer pending; /* an event not yet complete */
    struct buffer joined;  /* data of an event with several data lines */
    sse_known_fn *known;   /* NULL: nobody knows any; set behind sse_init() */
    enum sse_line line;
    bool begun; /* the first event has passed */
};

/* event_max: longest event in bytes. */
void sse_init(struct sse *sse, size_t event_max);
void sse_done(struct sse *sse);

/* Calls fn for each event that is complete with these bytes; its slices die when fn returns. An
 * event that came in one piece is not copied. fn returning non-zero stops and is returned (what was
 * not yet passed is dropped, and so it is after an error). METE_E_TOO_LARGE: an event over
 * event_max; METE_E_MEMORY. Linear in bytes. fn must not touch sse. */
__attribute__((warn_unused_result)) int sse_feed(struct sse *sse, struct slice bytes,
                                                 int (*fn)(void *user, const struct frame *),
                                                 void *user);
/* What came after the last complete event: forward it, or see that the stream was cut. Lives until
 * the next call. */
struct slice sse_rest(const struct sse *sse);

#endif
