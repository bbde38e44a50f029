/* SPDX-License-Identifier: Apache-2.0
 * The filter chain a streamed answer passes: decode (codec/frames.h) -> meter (the provider's
 * format) -> rewrite.
 *
 * SAME FORMAT  every event of the provider's goes on, raw and in order, except: an event that is
 *   only usage is dropped when the client did not ask for it; the usage of one who asked gets
 *   "cost". OTHER FORMAT  each event is read as deltas, and they are written in the client's.
 * HELD BACK  what must wait for the commit (INV-05): whatever may turn out to be the last event,
 *   and the usage event of a client who asked. stream_finish() lets them go. An error that a
 *   translated stream reports waits too: it is its client's last event.
 * COUNTED  where the model's encoding is public, its tokens are counted as they come, and the event
 *   that would take them past what was granted waits, with all behind it (stream->full), until
 *   stream_grant() or stream_fill(): the latter lets as much of its text go on as fits, to the
 *   token, and is a cut.
 * CUT  after stream_cut() nothing more of the provider's goes on, and stream_finish() makes an end
 *   that says the bound was reached.
 * ALIKE  an event that differs from the one before it only in the values of known places (the
 *   text it shows, its number) goes the way of that one without being read again.
 * MEMORY  at most about four events of event_max, and what waits; while nothing comes, at most
 * STREAM_IDLE_ROOM for each of out, held and an event that has begun, beside what is alike. The
 * caller empties out after each call: buffer_relax(&stream->out, STREAM_IDLE_ROOM). */
#ifndef GATEWAY_STREAM_H
#define GATEWAY_STREAM_H

#include "codec/alike.h"
#include "dialect/neutral.h"
#include "gateway/stream_count.h"

enum {
    STREAM_PIECE_MAX = 64 * 1024, /* most bytes for one stream_feed() */
    STREAM_IDLE_ROOM = 512        /* most that an empty buffer keeps */
};

struct stream_formats {
    const struct dialect *client, *provider;
    enum frames_kind framing;
    bool wants_usage;
};

/* What only a stream of another format needs. */
struct stream_translation {
    struct dialect_stream read, told; /* read from, written to */
    struct dialect_error error;       /* what the provider said went wrong; status 0: nothing */
    char error_room[512];
};

struct stream {
    struct stream_formats formats; /* client NULL: zeroed, never begun */
    struct frames frames;
    struct alike alike;                     /* the event before: one that is like it is not read */
    uint8_t spots[ALIKE_SPOTS];             /* enum dialect_spot_kind */
    uint32_t spot_texts[ALIKE_SPOTS];       /* dialect_text_of(), STREAM_NO_TEXT: of none */
    int64_t alike_bytes;                    /* of output, beside what is at the spots */
    struct dialect_stream seen;             /* of the provider's format */
    struct stream_translation *translation; /* NULL: none */
    struct buffer out;                      /* for the client, now */
    struct buffer held;                     /* [usage event][comments][final event] */
    struct buffer said;                     /* what an end of ours says again */
    size_t usage_len, usage_at, usage_object_len; /* of the held usage event; 0: none */
    size_t final_at;                              /* in held */
    bool final_seen, failed, cut;
    bool ended;   /* the provider said that it is over, or why it cannot go on */
    bool at_rest; /* it sends no more: what is left is its last event, or a part of it */
    bool has_usage, usage_is_last, usage_finishes;
    struct pricing_usage usage;          /* the last one reported */
    int64_t output_bytes, output_events; /* bytes of text; events that had any */
    struct stream_count count;
    int64_t granted;     /* tokens that may go on, while they are counted */
    bool full;           /* what comes next is beyond that */
    size_t texts_done;   /* of the event that waits, texts that are counted */
    size_t text_fits;    /* stream_count_fit() of the next one */
    bool text_added;     /* that one is counted, whole, though it does not go on */
    struct buffer ahead; /* the event that waits, and those behind it */
};

#define STREAM_NO_TEXT UINT32_MAX

/* METE_E_MEMORY: only of a translation; the stream is zeroed then. */
METE_MUST_USE int stream_init(struct stream *stream, const struct stream_formats *formats,
                              size_t event_max);
void stream_done(struct stream *stream);
/* From the beginning on its tokens are counted with this; NULL, and until then: they are not. */
void stream_count_with(struct stream *stream, struct tokenizer *tokenizer);
/* The same with an encoding that is not the model's own; family: what is known of the model. */
void stream_count_between(struct stream *stream, struct tokenizer *tokenizer,
                          const struct prompt_rule *family);
/* So many tokens may go on in all, no fewer than before; what waited goes on. As stream_feed(). */
METE_MUST_USE int stream_grant(struct stream *stream, int64_t tokens);
/* No more are granted to a stream that is full: what fits goes on, and then it is cut. */
METE_MUST_USE int stream_fill(struct stream *stream);
/* Tokens that went on so far; -1: they are not counted exactly. */
int64_t stream_tokens(const struct stream *stream);
/* Between what and what they are, of all that was seen: by what is known of the family; else no
 * fewer than events with output, nor than a byte in LIMIT_TOKEN_BYTES of running text, and no more
 * than bytes. Beside what a template adds to an answer. */
int64_t stream_least(const struct stream *stream);
int64_t stream_most(const struct stream *stream);

/* METE_E_TOO_LARGE: an event over event_max; METE_E_SYNTAX: bytes that cannot be of the framing, or
 * an event that cannot be translated; METE_E_MEMORY. All end the stream. */
METE_MUST_USE int stream_feed(struct stream *stream, struct slice bytes);
/* The provider ended of its own accord: an event without its end is completed. METE_E_SYNTAX: it is
 * a part of one, and does not go on. */
METE_MUST_USE int stream_end(struct stream *stream);
/* What waits will not go on: all that counts of it is the usage it tells. */
void stream_give_up(struct stream *stream);
/* Nothing more goes on; what was held is dropped. Not after the final event. */
void stream_cut(struct stream *stream);
/* After the commit: what was held, with the cost in its place, or an end of ours. billed: what a
 * cut or translated stream's client is told. cost empty: none is told. */
METE_MUST_USE int stream_finish(struct stream *stream, const struct pricing_usage *billed,
                                struct slice cost);
/* An event that tells of an error, well-formed, after what was held. */
METE_MUST_USE int stream_break(struct stream *stream, const struct dialect_error *error,
                               struct slice cost);

/* Bytes of output seen so far, half an event included. */
int64_t stream_output_bytes(const struct stream *stream);
void stream_check(const struct stream *stream);

#endif
