/* SPDX-License-Identifier: Apache-2.0
 * W3C Trace Context (traceparent, tracestate): read from a request, written to the next hop with a
 * span of our own as the parent. Pure: the caller brings the randomness. No allocation; time linear
 * in the headers, which are bounded by their limits here. */
#ifndef CODEC_TRACE_CONTEXT_H
#define CODEC_TRACE_CONTEXT_H

#include "base/slice.h"

#include <stdint.h>

enum {
    TRACE_ID_LEN = 32,
    TRACE_SPAN_LEN = 16,
    TRACE_PARENT_LEN = 55, /* of what trace_context_write() makes */
    TRACE_STATE_MAX = 512, /* bytes of a tracestate that are passed on; a longer one is dropped */
    TRACE_STATE_MEMBERS = 32,
    TRACE_RANDOM = 24 /* bytes that trace_context_make() takes */
};

struct trace_context {
    char trace_id[TRACE_ID_LEN + 1]; /* lower-case hex, never all zero; terminated, as are these: */
    char span_id[TRACE_SPAN_LEN + 1];   /* ours */
    char parent_id[TRACE_SPAN_LEN + 1]; /* the caller's; empty in a trace that begins here */
    uint8_t flags;                      /* 1 sampled, 2 random id; others are never passed on */
    struct slice state;                 /* tracestate as it came, borrowed; empty: none */
};

/* The trace that the headers name, or a new one where parent is absent or not valid (version ff, a
 * wrong length or digit, upper case, an id of zeros): a broken header is nobody's error. A trace
 * that is continued keeps its id, flags and state; a new one has the flags 3. state is dropped
 * whole if it is not valid, or parent is not. All of random is used: 16 bytes for an id of a trace,
 * 8 for the span's. */
void trace_context_make(struct slice parent, struct slice state, const uint8_t random[TRACE_RANDOM],
                        struct trace_context *ret_context);

/* traceparent for the next hop, of version 00: TRACE_PARENT_LEN bytes and a 0. */
void trace_context_write(const struct trace_context *context, char room[TRACE_PARENT_LEN + 1]);

#endif
