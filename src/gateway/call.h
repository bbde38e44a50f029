/* SPDX-License-Identifier: Apache-2.0
 * One call, from the key check to the last byte: its state, and what call.c (life), call_end.c
 * (what is charged) and call_reply.c (what the client gets) do with it.
 * One heap block; besides it a copied body, a plain answer or a stream's buffers, each bounded. */
#ifndef GATEWAY_CALL_H
#define GATEWAY_CALL_H

#include "gateway/inside.h"
#include "gateway/refusal.h"
#include "gateway/stream.h"

enum call_state {
    CALL_READING = 0,
    CALL_RESERVING,
    CALL_REFUSING, /* asks for the names of what refused */
    CALL_CALLING,
    CALL_STREAMING,
    CALL_COLLECTING,
    CALL_RELEASING,
    CALL_COMMITTING,
    CALL_DONE /* the exchange is over; the transfer may still be closing */
};

enum call_basis {
    CALL_NOTHING = 0, /* an error status without usage */
    CALL_REPORTED,    /* the provider's own figures */
    CALL_COUNTED,     /* what arrived, and what may have been under way */
    CALL_RESERVED     /* outcome unknown: the worst case */
};

enum {
    CALL_DEMANDS = 3,
    CALL_USAGES = 8,
    CALL_ID_ROOM = 32,
    CALL_MESSAGE_ROOM = 256,
    CALL_KEPT = 6,
    CALL_KEPT_ROOM = 128
};

/* Only for calls that are refused: never touched by others, so its pages are not either. */
struct call_refused {
    size_t at, len;
    bool asks_scope;
    struct mete_instant retry_at;
    struct refusal told;
    struct mete_budget_view budget;
    struct mete_rate_view rate; /* rate.n 0: none */
    struct mete_answer answer;
    struct mete_refusal all[METE_REFUSALS_MAX];
};

struct call {
    struct mete_op op;
    struct upstream_transfer transfer;
    struct timer again; /* submits op anew when the ring was full */
    struct gateway *gateway;
    const struct dialect *dialect;
    struct exchange *exchange; /* NULL once it is over */
    enum call_state state;
    bool op_open, transfer_open, timer_open;
    bool gone, started, paused, cancelled, too_large;

    struct dialect_request request;
    char id_room[CALL_ID_ROOM], message[CALL_MESSAGE_ROOM];
    struct slice request_id; /* the caller's; empty: none */
    struct slice shown_id;   /* that, or one of ours */
    struct slice session;    /* empty: none */
    struct mete_text tags[METE_TAGS_MAX];
    size_t tags_len;
    int provider;
    const struct price_model *price;
    struct mete_scope_id scope;
    struct mete_demand demands[CALL_DEMANDS];
    struct mete_reservation_id reservation;
    int64_t granted, bound_sent; /* bound_sent: 0, the body's bound was left alone */

    struct buffer body; /* as sent, if it is not the client's own */
    struct buffer answer;
    struct stream stream;
    int upstream_status;
    char kept[CALL_KEPT][CALL_KEPT_ROOM]; /* headers of the provider's that go on; terminated */
    int64_t began_us, first_us;

    struct dialect_error failure; /* status 0: none */
    enum call_basis basis;
    struct pricing_usage used;
    struct mete_usage usage[CALL_USAGES];
    enum mete_ending ending;
    enum mete_reason refused_for;
    int64_t cost;
    uint64_t record;
    int status; /* what the client gets */

    struct call_refused refused; /* last: not cleared at birth */
};

/* ---- call.c ---------------------------------------------------------------------------------- */

void call_begin(struct gateway *gateway, struct exchange *exchange, const struct dialect *dialect);
void call_gone(struct call *call);
void call_drained(struct call *call);
/* Submits call->op, now or as soon as the ring has room. */
void call_submit(struct call *call, enum mete_op_kind kind, void (*done)(struct mete_op *op));
/* The exchange has just ended: frees the call, now or when nothing of it is open any more. */
void call_leave(struct call *call);
void call_check(const struct call *call);

/* ---- call_labels.c --------------------------------------------------------------------------- */

/* Session and tags, borrowed from the exchange; false: ret_error says which is wrong. */
bool call_read_labels(struct call *call, struct dialect_error *ret_error);

/* ---- call_end.c ------------------------------------------------------------------------------ */

/* Decides what is charged after the provider ended, and fills the commit in. */
void call_settle(struct call *call, enum upstream_end end);
/* What the reservation set aside. */
int64_t call_reserved(const struct call *call, const struct mete_demand *demand);

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
/* Tells call_done(). */
void call_report(struct call *call);

#endif
