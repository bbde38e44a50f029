/* SPDX-License-Identifier: Apache-2.0
 * A stream that reaches what was set aside for it, and emergency stops.
 *
 * BOUND  The provider was told the bound that was granted, so a stream that passes it is of one
 *   that does not keep bounds.
 *   COUNTED (its model's encoding is public)  the event that would pass what was set aside waits,
 *     and its provider with it, while as much again is asked for. If nothing is granted, what fits
 *     of it goes on, to the token, and the stream is cut, with an end of its format that says
 *     "length".
 *   ELSE  how many tokens it has had is not known exactly, but no fewer than stream_least(). Once
 *     that is over what was set aside, as much again is asked for, while the stream runs on; if
 *     nothing is granted it is cut.
 * STOP  An emergency stop refuses extensions, so that is what is asked, for nothing: whoever is
 *   refused for that reason is under it. */
#include "gateway/call.h"

#include "base/assert.h"

#include <stddef.h>

static struct call_more *take_room(struct call *call)
{
    struct call_more *more = spares_take(&call->gateway->more);
    if (more)
        *more = (struct call_more){.call = call};
    return more;
}

/* The answer has been read. Whether anything still waits for it. */
static bool give_room(struct call_more *more)
{
    struct call *call = more->call;
    spares_give(&call->gateway->more, more);
    call->more_open = false;
    if (call->state != CALL_DONE)
        return true;
    call_free_if_over(call);
    return false;
}

static void submit(struct call_more *more, size_t demands, int64_t floor, int64_t wish,
                   void (*done)(struct mete_op *op))
{
    struct call *call = more->call;
    struct mete_op *op = &more->op;
    op->kind = METE_OP_EXTEND;
    op->done = done;
    op->refusals = &more->why_not;
    op->refusals_max = 1;
    op->args.extend = (struct mete_extend){.reservation = call->reservation,
                                           .demands = more->demands,
                                           .demands_len = demands,
                                           .floor = floor,
                                           .wish = wish};
    call->more_open = mete_submit(call->gateway->parts.port, &op, 1) == 1;
    if (!call->more_open)
        spares_give(&call->gateway->more, more);
}

#define MORE_OF(pointer)                                                                           \
    ((struct call_more *)(void *)((char *)(pointer)-offsetof(struct call_more, op)))

static bool runs(const struct call *call)
{
    return call->state == CALL_STREAMING && !call->cut;
}

/* ---- The bound ------------------------------------------------------------------------------- */

enum { MORE_AGAIN_US = 1000 };

static void on_more_again(struct timer *timer)
{
    struct call *call = CALL_OF(timer, more_again);
    if (runs(call))
        call_watch_bound(call);
}

/* Nobody could be asked. A stream that waits brings nothing that would make it ask anew. */
static void ask_later(struct call *call)
{
    struct timers *timers = call->gateway->parts.timers;
    if (!call->stream.full)
        return; /* asked again with what comes next */
    call->more_again.fire = on_more_again;
    timers->set(timers, &call->more_again, MORE_AGAIN_US);
}

static void hold_provider(struct call *call, bool holds)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (call->paused == holds || !call->transfer_open)
        return;
    call->paused = holds;
    upstream->pause(upstream, &call->transfer, holds);
}

static void cut_full(struct call *call)
{
    if (stream_fill(&call->stream))
        call_fail(call, 502, "response_too_large", "The provider's answer could not be ended.");
    call_forward(call);
    if (!call->provider_ended) {
        call_cut(call, CALL_BOUND);
        return;
    }
    call->cut = CALL_BOUND;
    call->gateway->counts.cut++;
    call_end_as_it_is(call, UPSTREAM_CANCELLED);
}

static void go_on_full(struct call *call)
{
    if (call->stream.full)
        hold_provider(call, false);
    call_went_on(call, stream_grant(&call->stream, call_reserved_output(call)));
    if (runs(call) && call->provider_ended && !call->stream.full)
        call_end_stream(call);
}

void call_ended_full(struct call *call)
{
    call->provider_ended = true;
}

static void on_more(struct mete_op *op)
{
    struct call *call = MORE_OF(op)->call;
    bool granted = !op->status && op->result.verdict.allowed && op->result.verdict.granted > 0;
    bool later = op->status == METE_E_BUSY || op->status == METE_E_FULL;
    if (granted) {
        call->granted += op->result.verdict.granted;
        call->gateway->counts.extended++;
    }
    if (!give_room(MORE_OF(op)) || !runs(call))
        return;
    if (granted)
        go_on_full(call);
    else if (later)
        ask_later(call);
    else if (call->stream.full)
        cut_full(call);
    else
        call_cut(call, CALL_BOUND);
}

/* Whether it needs more to go on, or may have had more already. */
static bool is_past(const struct call *call)
{
    const struct stream *stream = &call->stream;
    if (stream->full)
        return true;
    return stream_tokens(stream) < 0 && stream_least(stream) > call_reserved_output(call);
}

void call_watch_bound(struct call *call)
{
    struct call_more *more;
    if (call->stream.full)
        hold_provider(call, true);
    if (call->more_open || !is_past(call))
        return;
    more = take_room(call);
    if (!more) {
        ask_later(call);
        return;
    }
    /* Only the quantity: the rest of an attempt is set aside already. */
    for (size_t i = 0; i < call->demands_len; i++) {
        more->demands[i] = call->demands[i];
        more->demands[i].fixed = 0;
    }
    submit(more, call->demands_len, 1, max_i64(call->granted, 1), on_more);
    if (!call->more_open)
        ask_later(call);
}

/* ---- Stops ----------------------------------------------------------------------------------- */

/* A stop goes before every other reason, so it is the first refusal. */
static bool stopped(const struct mete_op *op)
{
    return op->result.verdict.refusals_len && op->refusals[0].reason == METE_EMERGENCY_STOP &&
           !op->refusals[0].shadow;
}

static void on_stop_asked(struct mete_op *op)
{
    struct call *call = MORE_OF(op)->call;
    bool stop = !op->status && !op->result.verdict.allowed && stopped(op);
    if (!give_room(MORE_OF(op)) || !runs(call))
        return;
    if (stop && call->transfer_open)
        call_cut(call, CALL_STOPPED);
    else
        call_watch_bound(call); /* it may have begun to wait meanwhile */
}

bool call_ask_stop(struct call *call)
{
    struct call_more *more;
    if (!runs(call))
        return true;
    more = call->more_open ? NULL : take_room(call);
    if (!more)
        return false;
    more->demands[0] = call->demands[0];
    more->demands[0].fixed = more->demands[0].per_million = 0;
    submit(more, 1, 0, 0, on_stop_asked);
    return call->more_open;
}
