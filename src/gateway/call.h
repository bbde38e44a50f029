/* SPDX-License-Identifier: Apache-2.0
 * One call, from the key check to the last byte: its state, and what each call_*.c does with it.
 * One heap block, and one more until a stream is open (struct call_asking); besides them a copied
 * body, a plain answer or a stream's buffers, each bounded. */
#ifndef GATEWAY_CALL_H
#define GATEWAY_CALL_H

#include "codec/timestamp.h"
#include "codec/trace_context.h"
#include "gateway/inside.h"
#include "gateway/labels.h"
#include "gateway/naming.h"
#include "gateway/stream.h"
#include "gateway/usage.h"
#include "pricing/tariff_text.h"

enum call_state {
    CALL_READING = 0,
    CALL_COUNTING, /* its input, by a worker or a counter */
    CALL_RESERVING,
    CALL_REFUSING,  /* asks for the names of what refused */
    CALL_WAITING,   /* until the next try */
    CALL_EXTENDING, /* the reservation, by another try */
    CALL_CALLING,
    CALL_STREAMING,
    CALL_RELAYING, /* what is no document: the bytes go on */
    CALL_COLLECTING,
    CALL_RELEASING,
    CALL_COMMITTING,
    CALL_DONE /* the exchange is over; the transfer may still be closing */
};

enum call_basis {
    CALL_NOTHING = 0, /* an error status without usage */
    CALL_REPORTED,    /* the provider's own figures */
    CALL_COUNTED,     /* what arrived: by its tokens or its bytes */
    CALL_RESERVED     /* outcome unknown: the worst case */
};

enum {
    CALL_DEMANDS = 4, /* at most: money, tokens, one request, and pieces */
    CALL_ID_ROOM = 32,
    CALL_MESSAGE_ROOM = 256,
    CALL_KEPT = 7,
    CALL_KEPT_ROOM = 128,
    CALL_RATE_HEADERS = 6,
    CALL_RATE_ROOM = TIMESTAMP_ROOM
};

/* Room for a verdict that is no; a call that is let through has none. */
struct call_refused {
    bool waited; /* for what is due to be granted: once */
    struct work grants;
    struct call *call; /* of grants */
    struct naming naming;
};

/* Room for the rate limits on a call's path. */
enum { CALL_RATES = LIMIT_PATH_SCOPES * LIMIT_SCOPE_RATES };
struct call_rates {
    struct mete_op op;
    struct call *call;
    struct mete_answer answer;
    struct mete_rate_view rows[CALL_RATES];
};

/* Room for a question while a stream runs: for more, or whether it is stopped. */
struct call_more {
    struct mete_op op;
    struct call *call;
    struct mete_demand demands[CALL_DEMANDS];
    struct mete_refusal why_not; /* the first */
};

/* What a call needs to ask and to be told a plain answer. A stream lives without it while it is
 * open. Not cleared: call_begin() says what is. */
struct call_asking {
    struct candidates candidates;
    struct labels labels;
    char message[CALL_MESSAGE_ROOM];
    struct dialect_body body;             /* as sent */
    char kept[CALL_KEPT][CALL_KEPT_ROOM]; /* headers of the provider's that go on; terminated */
    char response_model[LIMIT_ID + 1], response_id[LIMIT_ID + 1]; /* of a plain answer */
    struct mete_part parts[METE_PARTS_MAX];                       /* of the cost, at the end */
    char alias_of[LIMIT_ID];                                      /* of the model that is asked */
    char tariff[TARIFF_TEXT_ROOM];                                /* by which it was charged */
};

/* A rate limit as it stands; limit 0: there is none. */
struct call_standing {
    int64_t limit, left, full_us; /* until all of it is there again */
};
struct call_rate_texts {
    char limit[CALL_RATE_ROOM], left[CALL_RATE_ROOM], reset[CALL_RATE_ROOM];
};

/* Why nothing more of the provider's is taken. */
enum call_cut {
    CALL_RUNS = 0,
    CALL_CLIENT_LEFT, /* and its calls are cancelled, or it drained for too long */
    CALL_TOO_LARGE,
    CALL_UNREADABLE, /* what came is not of the format */
    CALL_BOUND,      /* the stream is past what was set aside, and no more was granted */
    CALL_STOPPED,    /* an emergency stop's grace is over */
    CALL_SHUTDOWN
};

struct call {
    enum gateway_work work; /* first: GATEWAY_CALL */
    struct mete_op op;
    struct upstream_transfer transfer;
    struct timer again;      /* submits op anew when the ring was full, or waits for the next try */
    struct timer drain;      /* ends a call whose client left */
    struct timer more_again; /* asks anew for more of a stream that waits */
    struct gateway *gateway;
    struct call *prev, *next;     /* of the gateway's open streams */
    const struct dialect *format; /* the client's */
    const struct dialect *spoken; /* the provider's */
    struct dialect_target target; /* what the path says */
    struct exchange *exchange;    /* NULL once it is over */
    enum call_state state;
    enum call_cut cut;
    bool op_open;
    bool more_open; /* a question besides: of struct call_rates or struct call_more */
    bool transfer_open, timer_open, taken;
    bool gone, started, paused, cancelled, listed;
    bool relays;         /* started, and is no stream of events */
    bool provider_ended; /* in good order, while its stream waited for more */

    struct dialect_request request;
    struct call_asking *asking; /* NULL: the stream is open, or without memory over */
    char id_room[CALL_ID_ROOM];
    struct slice request_id; /* the caller's; empty: none */
    struct slice shown_id;   /* that, or one of ours */
    struct trace_context trace;
    struct mete_scope_id scope, organization;
    uint64_t crowd; /* the key's, in the crowd; 0: not counted */
    enum gateway_disconnect disconnect;
    int64_t output_max; /* of the model, as it was said; 0: it was not */

    size_t at; /* the candidate that is asked */
    uint32_t attempts, retries;
    enum upstream_end lost;          /* how the attempt ended beside which another is asked for */
    uint32_t unknown;                /* attempts before this one that may have been billed */
    const struct provider *provider; /* the last one asked; NULL: none */
    const struct provider *reserved_for; /* the first that was to be asked */
    const struct price_model *price;     /* of its model */
    const struct pricing *pricing;       /* the list that is from, held; NULL: none yet */
    struct mete_demand demands[CALL_DEMANDS];
    size_t demands_len;
    struct mete_reservation_id reservation;
    int64_t wish;
    struct tokenizer *tokenizer;      /* for the model that is asked; NULL: nothing is counted */
    const struct prompt_rule *family; /* its own is secret: what is known of it; else NULL */
    int64_t granted, bound_sent;      /* bound_sent: 0, the body's bound was left alone */
    struct call_standing requests, tokens;

    struct credential *credential; /* what the provider is asked with; NULL: none */
    struct buffer url;
    struct buffer given;      /* the client's body, once it is ours */
    struct buffer translated; /* for a provider of another format */
    struct buffer answer;
    struct stream stream;
    int upstream_status;
    struct slice response_model, response_id; /* as the provider called them */
    const char *why;                          /* a transfer ended badly; NULL */
    int64_t began_us, first_us;

    struct dialect_error failure; /* status 0: none */
    enum call_basis basis;
    bool pending; /* the figures are those of a job that may come to less */
    struct pricing_usage used;
    struct mete_usage usage[USAGE_METERS];
    enum mete_ending ending;
    enum mete_reason refused_for;
    int64_t cost;
    uint64_t record;
    int status; /* what the client gets */

    struct call_refused *refused; /* from the reservation to its verdict, or the reply; else NULL */
};

#define CALL_OF(pointer, member)                                                                   \
    ((struct call *)(void *)((char *)(pointer)-offsetof(struct call, member)))

/* ---- call.c: its life ------------------------------------------------------------------------ */

void call_begin(struct gateway *gateway, struct exchange *exchange, const struct dialect *format,
                const struct dialect_target *target);
void call_gone(struct call *call);
void call_drained(struct call *call);
/* Submits call->op, now or as soon as the ring has room. */
void call_submit(struct call *call, enum mete_op_kind kind, void (*done)(struct mete_op *op));
/* The same, once, without waiting. */
METE_MUST_USE bool call_try_submit(struct call *call);
/* In done(): true, and the operation found no room inside the engine and is put off. */
METE_MUST_USE bool call_put_off(struct call *call);
/* fire in so long, unless a timer is set; it may be called when the call is gone. */
void call_wait(struct call *call, void (*fire)(struct timer *timer), int64_t delay_us);
/* The exchange has just ended: frees the call, now or when nothing of it is open any more. */
void call_leave(struct call *call);
void call_free_if_over(struct call *call);
/* Ends the reservation as if it had not been (INV-03). */
void call_release(struct call *call, const struct dialect_error *why);
/* Ends it with what was used. */
void call_commit(struct call *call, enum upstream_end end);
/* Takes no more of the provider's. */
void call_cut(struct call *call, enum call_cut cut);
void call_check(const struct call *call);

extern const struct dialect_error call_busy, call_no_memory, call_left;
extern const struct dialect_error call_crowded; /* the key has as many calls open as it may have */

/* ---- call_read.c: what is asked, and what it may cost ---------------------------------------- */

/* Ends in a reservation, or a reply. */
void call_read(struct call *call);
/* What its input comes to is known as far as it will be. */
void call_counted(struct call *call);
/* What a request may come to: the kinds of token, the searches and services that it speaks of. */
struct pricing_limits call_limits(const struct dialect_request *request);
/* The worst case of one attempt at this price: money for a quantity of output tokens. Errors of
 * pricing_bound(). */
METE_MUST_USE int call_bound(const struct dialect_request *request,
                             const struct pricing_limits *limits, const struct price_model *price,
                             struct mete_demand *ret_cost);
/* The most output tokens of one choice that it may make. */
int64_t call_wish(const struct gateway *gateway, const struct dialect_request *request,
                  const struct price_model *price);

/* ---- call_refuse.c: a verdict that is no ----------------------------------------------------- */

void call_refuse(struct call *call);
void call_refuse_error(struct call *call, int status);

/* ---- call_ask.c: a provider is asked --------------------------------------------------------- */

/* The candidate at call->at, or the next that can be asked now. */
void call_ask(struct call *call);
/* The attempt is over without an answer for the client: true, and another is on its way. */
METE_MUST_USE bool call_ask_again(struct call *call, enum upstream_end end);
/* It is over: the provider has room again, and a better or worse name. */
void call_attempt_over(struct call *call, enum upstream_end end);

/* ---- call_count.c: what its input comes to --------------------------------------------------- */

/* Lowers the request's input_bound, or raises it where more is billed than the body says. Ends in
 * call_counted(), now or later, or a reply. */
void call_count_input(struct call *call);

/* ---- call_rates.c: how its rate limits stand ---------------------------------------------------
 */

void call_ask_rates(struct call *call);
/* What is known of them; headers borrow from texts. Returns how many. */
size_t call_rate_headers(const struct call *call, struct call_rate_texts texts[2],
                         struct exchange_header headers[CALL_RATE_HEADERS]);

/* ---- call_answer.c: what comes back ---------------------------------------------------------- */

void call_on_head(struct upstream_transfer *transfer, int status);
void call_on_data(struct upstream_transfer *transfer, struct slice bytes);
void call_on_end(struct upstream_transfer *transfer, enum upstream_end end, const char *why);
/* A stream's provider ended in good order, and all it said has gone through the filter. */
void call_end_stream(struct call *call);
/* What stream_feed() or stream_grant() let go on, and what follows from its status. */
void call_went_on(struct call *call, int rc);
/* No other attempt follows: what there is of an answer, or the error it ended with, is charged and
 * told. */
void call_end_as_it_is(struct call *call, enum upstream_end end);
/* Sends what the stream has for the client. */
void call_forward(struct call *call);
void call_fail(struct call *call, int status, const char *code, const char *message);

/* ---- call_more.c: a stream that reaches what was set aside, and stops ------------------------ */

/* After new output: asks for more, or cuts. */
void call_watch_bound(struct call *call);
/* The provider of a stream that waits has ended in good order. */
void call_ended_full(struct call *call);
/* Whether an emergency stop holds for it is asked; if so it is cut. False: ask again a little
 * later. */
METE_MUST_USE bool call_ask_stop(struct call *call);

/* ---- call_end.c ------------------------------------------------------------------------------ */

/* What a call came to by what was asked for, where the answer does not tell: false: that has no
 * price. usage: what is told of it, which stays. */
bool call_own_figures(const struct call *call, struct pricing_usage *usage);
/* Decides what is charged after the provider ended, and fills the commit in. */
void call_settle(struct call *call, enum upstream_end end);
/* What the reservation set aside for one attempt. */
int64_t call_reserved(const struct call *call, const struct mete_demand *demand);
/* The same, output tokens. */
int64_t call_reserved_output(const struct call *call);

/* ---- call_reply.c ---------------------------------------------------------------------------- */

const struct dialect_error *call_in_flight(void);
/* All end the exchange, and tell call_done(). */
void call_reply_failure(struct call *call, const struct dialect_error *failure);
void call_reply_answer(struct call *call);
void call_reply_ended(struct call *call); /* the id's call is over: its cost and record */
void call_finish_stream(struct call *call);
void call_reply_refusal(struct call *call);
/* Copies what goes on of the provider's headers; inside head(). */
void call_keep_headers(struct call *call);
/* Begins a streamed reply; does not end it. */
void call_start_stream(struct call *call);
/* The same of what is relayed. */
void call_start_relay(struct call *call);
void call_finish_relay(struct call *call);
/* Tells call_done(). */
void call_report(struct call *call);

#endif
