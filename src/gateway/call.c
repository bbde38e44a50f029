/* SPDX-License-Identifier: Apache-2.0
 * The life of a call.
 *
 *   READING --key, model, COUNTING, price--> RESERVING --allowed--> CALLING --head--> STREAMING
 *      |                                  |     |               ^ | |              |  |
 *      | a 4xx                            |     | refused       | | '-head--> COLLECTING
 *      |                                  |     v               | |              |  |
 *      |                                  |  REFUSING     WAITING |  error, and  |  | last event,
 *      |                                  |     |         EXTENDING <-others left-'  | end, cut
 *      |                                  |     | names known     | nobody left      |
 *      |                            error |     |                 v                  v
 *      |                                  |     |             RELEASING          COMMITTING
 *      v                                  v     v                 v                  | durable
 *     DONE <-------------------------------------------------------------------------'
 *
 * DONE means that the exchange is over. The block is freed when, besides, no operation, transfer or
 * timer is open: a provider may close its stream after its last event was already paid for.
 *
 * COUNTING  between READING and RESERVING: a worker counts a long input (call_count.c).
 * SECOND TRIES  one reservation covers one attempt at the dearest of the candidates' prices. An
 *   attempt that was not sent, or answered with an error and no usage, cost nothing: the next one
 *   takes its place. One whose outcome is unknown stays charged: the reservation is extended by
 *   another attempt (EXTENDING) before anyone else is asked.
 * KEPT  INV-03: a reservation is ended by exactly one submit, in call_commit() or call_release();
 *   both leave the states from which they may be entered. INV-05: a provider is asked behind
 *   on_reserved() only, the client gets its last byte in on_committed() only. INV-13: the client's
 *   key goes nowhere; the body goes to the provider and is freed with the call.
 * CLIENT GONE  drain: the call runs on, for so long, and what it makes is not written. cancel: the
 *   provider is stopped. Either way the call ends by the same path.
 * RING FULL  a reservation is answered 503; a commit or release waits for room: it must not be
 * lost. */
#include "gateway/call.h"

#include "base/assert.h"
#include "gateway/fetch.h"

#include <stddef.h>
#include <stdlib.h>

enum { AGAIN_US = 1000 };

const struct dialect_error call_busy = {
    503, "server_error", "overloaded", NULL, "Too much is waiting here; try again.", {0}};
const struct dialect_error call_no_memory = {
    503, "server_error", "overloaded", NULL, "There is not enough memory; try again.", {0}};

const struct dialect_error call_crowded = {
    429,
    "requests",
    "rate_limit_exceeded",
    NULL,
    "The API key has as many calls open as it may have at once.",
    {0}};

const struct dialect_error call_left = {499,  "invalid_request_error", "client_gone",
                                        NULL, "The client left.",      {0}};

void call_check(const struct call *call)
{
    ASSERT(call->gateway->counts.open > 0);
    ASSERT(!call->timer_open || !call->op_open);
    ASSERT((call->exchange == NULL) == (call->state == CALL_DONE));
    ASSERT(!call->started || call->relays || call->stream.formats.client);
    ASSERT(!call->transfer_open || call->state >= CALL_CALLING);
    ASSERT(!call->taken || call->provider);
    ASSERT(call->asking || call->started);
}

/* ---- Operations ------------------------------------------------------------------------------ */

bool call_try_submit(struct call *call)
{
    struct mete_op *op = &call->op;
    ASSERT(!call->op_open);
    call->op_open = mete_submit(call->gateway->parts.port, &op, 1) == 1;
    return call->op_open;
}

void call_wait(struct call *call, void (*fire)(struct timer *timer), int64_t delay_us)
{
    struct timers *timers = call->gateway->parts.timers;
    ASSERT(!call->timer_open);
    call->timer_open = true;
    call->again.fire = fire;
    timers->set(timers, &call->again, delay_us);
}

static void on_again(struct timer *timer)
{
    struct call *call = CALL_OF(timer, again);
    call->timer_open = false;
    if (!call_try_submit(call))
        call_wait(call, on_again, AGAIN_US);
}

void call_submit(struct call *call, enum mete_op_kind kind, void (*done)(struct mete_op *op))
{
    call->op.kind = kind;
    call->op.done = done;
    if (!call_try_submit(call))
        call_wait(call, on_again, AGAIN_US);
}

bool call_put_off(struct call *call)
{
    int status = call->op.status;
    call->op_open = false;
    if (status != METE_E_BUSY && status != METE_E_FULL)
        return false;
    call_wait(call, on_again, AGAIN_US);
    return true;
}

/* ---- The end of its life --------------------------------------------------------------------- */

static void unlist(struct call *call)
{
    struct gateway *gateway = call->gateway;
    if (!call->listed)
        return;
    if (call->prev)
        call->prev->next = call->next;
    else
        gateway->streams = call->next;
    if (call->next)
        call->next->prev = call->prev;
    call->listed = false;
}

void call_free_if_over(struct call *call)
{
    struct gateway *gateway = call->gateway;
    struct timers *timers = gateway->parts.timers;
    if (call->exchange || call->op_open || call->more_open || call->transfer_open ||
        call->timer_open)
        return;
    timers->stop(timers, &call->drain);
    timers->stop(timers, &call->more_again);
    gateway->counts.open--;
    gateway->counts.streams_open -= call->started;
    gateway->counts.drained += call->gone && call->ending == METE_ENDED_CLIENT_GONE;
    unlist(call);
    if (call->stream.formats.client)
        stream_done(&call->stream);
    credential_let_go(call->credential);
    pricing_free(call->pricing);
    spares_give(&gateway->refused, call->refused);
    spares_give(&gateway->asking, call->asking);
    buffer_done(&call->url);
    buffer_done(&call->given);
    buffer_done(&call->translated);
    buffer_done(&call->answer);
    free(call);
}

void call_leave(struct call *call)
{
    ASSERT(call->state != CALL_DONE);
    if (call->crowd)
        crowd_leave(&call->gateway->crowd, call->crowd);
    call->crowd = 0;
    call->exchange = NULL;
    call->state = CALL_DONE;
    call_free_if_over(call);
}

/* ---- Ending the reservation ------------------------------------------------------------------ */

static void on_committed(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    static const struct dialect_error unbilled = {
        500, "server_error", "not_recorded", NULL, "The call was made but could not be recorded.",
        {0}};
    if (call_put_off(call))
        return;
    ASSERT(call->state == CALL_COMMITTING);
    if (op->status) {
        call->failure = unbilled;
    } else {
        call->cost = op->result.receipt.cost;
        call->record = op->result.receipt.record;
        fetch_remember(call);
    }
    if (call->relays)
        call_finish_relay(call);
    else if (call->started)
        call_finish_stream(call);
    else if (call->failure.status)
        call_reply_failure(call, &call->failure);
    else
        call_reply_answer(call);
}

void call_commit(struct call *call, enum upstream_end end)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (call->paused && call->transfer_open)
        upstream->pause(upstream, &call->transfer, false);
    call->paused = false;
    call_settle(call, end);
    call_submit(call, METE_OP_COMMIT, on_committed);
}

static void on_released(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    if (call_put_off(call))
        return;
    ASSERT(call->state == CALL_RELEASING);
    call_reply_failure(call, &call->failure);
}

void call_release(struct call *call, const struct dialect_error *why)
{
    ASSERT_INV("INV-03", call->state == CALL_RESERVING || call->state == CALL_CALLING ||
                             call->state == CALL_WAITING || call->state == CALL_EXTENDING);
    ASSERT(!call->unknown);
    call->failure = *why;
    call->state = CALL_RELEASING;
    call->op.args.release = call->reservation;
    call_submit(call, METE_OP_RELEASE, on_released);
}

void call_cut(struct call *call, enum call_cut cut)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (call->cut || call->cancelled || !call->transfer_open)
        return;
    call->cut = cut;
    call->gateway->counts.cut += cut >= CALL_BOUND;
    call->cancelled = true;
    upstream->cancel(upstream, &call->transfer);
}

/* ---- The client ------------------------------------------------------------------------------ */

void call_begin(struct gateway *gateway, struct exchange *exchange, const struct dialect *format,
                const struct dialect_target *target)
{
    struct call *call = malloc(sizeof *call);
    struct call_asking *asking = spares_take(&gateway->asking);
    gateway->counts.calls++;
    if (!call || !asking) {
        free(call);
        spares_give(&gateway->asking, asking);
        gateway_reply_error(exchange, format, &call_no_memory, NULL, 0);
        return;
    }
    memset(call, 0, sizeof *call);
    asking->candidates.len = asking->body.pieces_len = 0;
    for (size_t i = 0; i < CALL_KEPT; i++)
        asking->kept[i][0] = 0;
    call->gateway = gateway;
    call->asking = asking;
    call->format = format;
    call->target = *target;
    call->exchange = exchange;
    call->disconnect = gateway->config->disconnect;
    call->ending = METE_ENDED_NOT_SENT; /* until something is */
    call->began_us = gateway->parts.timers->now_us(gateway->parts.timers);
    exchange->state = call;
    gateway->counts.open++;
    call_read(call);
}

static void drained_too_long(struct timer *timer)
{
    call_cut(CALL_OF(timer, drain), CALL_CLIENT_LEFT);
}

void call_gone(struct call *call)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    struct timers *timers = call->gateway->parts.timers;
    int64_t limit_ms = call->gateway->config->drain_timeout_ms;
    call_check(call);
    call->gone = true;
    if (call->state == CALL_COMMITTING)
        return;
    if (call->disconnect == GATEWAY_CANCEL) {
        call_cut(call, CALL_CLIENT_LEFT);
    } else if (limit_ms) {
        call->drain.fire = drained_too_long;
        timers->set(timers, &call->drain, limit_ms * 1000);
    }
    if (call->paused && call->transfer_open && !call->cancelled && !call->stream.full) {
        call->paused = false;
        upstream->pause(upstream, &call->transfer, false);
    }
}

void call_drained(struct call *call)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (!call->paused || !call->transfer_open || call->cancelled || call->stream.full)
        return;
    call->paused = false;
    upstream->pause(upstream, &call->transfer, false);
}
