/* SPDX-License-Identifier: Apache-2.0
 * Emergency stops: a budget's stop is told, its grace is asked for, and when that is over each open
 * stream asks whether it is under it (call_more.c). A stop that is lifted meanwhile refuses nobody.
 * One small block a stop. */
#include "base/assert.h"
#include "gateway/call.h"

#include <stddef.h>
#include <stdlib.h>

enum { AGAIN_US = 10000 };

struct gateway_stop {
    struct mete_op op;
    struct timer timer;
    struct mete_answer answer;
    struct gateway *gateway;
    struct gateway_stop *next;
};

static void stop_free(struct gateway_stop *stop)
{
    struct gateway_stop **at = &stop->gateway->stops;
    while (*at != stop)
        at = &(*at)->next;
    *at = stop->next;
    free(stop);
}

static void grace_over(struct timer *timer)
{
    struct gateway_stop *stop =
        (struct gateway_stop *)(void *)((char *)timer - offsetof(struct gateway_stop, timer));
    struct timers *timers = stop->gateway->parts.timers;
    bool all = true;
    for (struct call *each = stop->gateway->streams; each; each = each->next)
        all = call_ask_stop(each) && all;
    if (all)
        stop_free(stop);
    else
        timers->set(timers, timer, AGAIN_US);
}

static void on_budget(struct mete_op *op)
{
    struct gateway_stop *stop =
        (struct gateway_stop *)(void *)((char *)op - offsetof(struct gateway_stop, op));
    struct timers *timers = stop->gateway->parts.timers;
    if (op->status) { /* the budget is gone, and its stop with it */
        stop_free(stop);
        return;
    }
    int64_t grace_s = stop->answer.budget.controls.grace_s;
    stop->timer.fire = grace_over;
    timers->set(timers, &stop->timer, grace_s * 1000000);
}

int gateway_stop(struct gateway *gateway, struct mete_budget_id budget)
{
    struct gateway_stop *stop = calloc(1, sizeof *stop);
    if (!stop)
        return METE_E_MEMORY;
    stop->gateway = gateway;
    stop->op = (struct mete_op){.kind = METE_OP_QUERY, .done = on_budget};
    stop->op.args.query = (struct mete_query){.kind = METE_QUERY_BUDGET, .budget = budget};
    stop->op.result.answer = &stop->answer;
    struct mete_op *op = &stop->op;
    if (mete_submit(gateway->parts.port, &op, 1) != 1) {
        free(stop);
        return METE_E_BUSY;
    }
    stop->next = gateway->stops;
    gateway->stops = stop;
    return 0;
}

void stops_close(struct gateway *gateway)
{
    struct timers *timers = gateway->parts.timers;
    while (gateway->stops) {
        timers->stop(timers, &gateway->stops->timer);
        stop_free(gateway->stops);
    }
}

void gateway_shutdown(struct gateway *gateway)
{
    atomic_store(&gateway->stopping, true);
    for (struct call *each = gateway->streams; each; each = each->next)
        call_cut(each, CALL_SHUTDOWN);
}
