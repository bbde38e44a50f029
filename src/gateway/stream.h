/* SPDX-License-Identifier: Apache-2.0
 * The filter chain a streamed answer passes: decode (codec/sse.h) -> meter (the dialect) ->
 * rewrite.
 *
 * FORWARDED  every event of the provider's, raw and in order, except: an event that is only usage
 *   is dropped when the client did not ask for it; the usage of one who asked gets "cost".
 * HELD BACK  what must wait for the commit (INV-05): the usage event of a client who asked, until
 *   it is seen not to be the last one, and the final event. stream_finish() lets them go.
 * MEMORY  at most about three events of event_max. The caller empties out after each call. */
#ifndef GATEWAY_STREAM_H
#define GATEWAY_STREAM_H

#include "gateway/dialect.h"

enum { STREAM_PIECE_MAX = 64 * 1024 }; /* most bytes for one stream_feed() */

struct stream {
    const struct dialect *dialect;
    bool wants_usage;
    struct sse sse;
    struct buffer out;                            /* for the client, now */
    struct buffer held;                           /* [usage event][comments][final event] */
    size_t usage_len, usage_at, usage_object_len; /* of the held usage event; 0: none */
    size_t final_at;                              /* in held */
    bool final_seen, failed;
    bool has_usage, usage_is_last, usage_finishes;
    struct pricing_usage usage; /* the last one reported */
    int64_t output_bytes;
};

void stream_init(struct stream *stream, const struct dialect *dialect, bool wants_usage,
                 size_t event_max);
void stream_done(struct stream *stream);

/* METE_E_TOO_LARGE: an event over event_max; METE_E_MEMORY. Both end the stream. */
METE_MUST_USE int stream_feed(struct stream *stream, struct slice bytes);
/* The provider ended of its own accord: an event without its blank line is completed. */
METE_MUST_USE int stream_end(struct stream *stream);
/* After the commit: what was held, with the cost in its place. cost empty: none is told. */
METE_MUST_USE int stream_finish(struct stream *stream, struct slice cost);
/* An event that tells of an error, well-formed, after stream_finish(). */
METE_MUST_USE int stream_break(struct stream *stream, const struct dialect_error *error);

/* Bytes of output seen so far, half an event included. */
int64_t stream_output_bytes(const struct stream *stream);
void stream_check(const struct stream *stream);

#endif
