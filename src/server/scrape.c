/* SPDX-License-Identifier: Apache-2.0
 * One scrape: statistics first, then budgets by handle from 1 up, CHUNK questions at a time, until
 * one is not found. Operations in flight pin the scrape: a client that leaves makes it end at the
 * next answer instead of asking on.
 *
 *   begin -> STATS -> budgets 1..CHUNK -> ... -> NOT_FOUND or LIMIT_SCRAPE_BUDGETS -> reply */
#include "server/scrape.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/limits.h"
#include "net/workers.h"

#include <stdlib.h>

enum { CHUNK = 64 };

struct scrape_question {
    struct mete_op op; /* first */
    struct mete_answer answer;
};

struct scrape_call {
    struct scraper *scraper;
    struct exchange *exchange;
    struct metrics_now now;
    struct scrape_question questions[CHUNK];
    size_t waiting; /* operations in flight */
    uint32_t next_budget;
    bool gone, over;
};

static void call_end(struct scrape_call *call, int error)
{
    struct exchange *exchange = call->exchange;
    struct scraper *scraper = call->scraper;
    struct buffer text;
    struct exchange_header type = {"Content-Type", SLICE_LITERAL("text/plain; version=0.0.4")};
    buffer_init(&text, LIMIT_SCRAPE);
    listener_counts(scraper->listener, &call->now.listener);
    upstream_counts(scraper->upstream, &call->now.upstream);
    gateway_counts(scraper->gateway, &call->now.gateway);
    call->now.providers = scraper->gateway;
    call->now.work_queued = workers_queued(scraper->workers);
    if (!error && !call->gone)
        error = metrics_write(scraper->metrics, &call->now, &text);
    struct slice body = error ? slice_of(mete_error_text(error)) : buffer_slice(&text);
    exchange->ops->reply(exchange, errors_http_status(error), &type, 1, body);
    buffer_done(&text);
    free(call);
}

static void budget_answered(struct mete_op *op);

static void ask_budgets(struct scrape_call *call)
{
    struct mete_op *ops[CHUNK];
    size_t len = 0;
    for (; len < CHUNK && call->next_budget <= LIMIT_SCRAPE_BUDGETS; len++) {
        struct scrape_question *question = &call->questions[len];
        *question = (struct scrape_question){0};
        question->op.kind = METE_OP_QUERY;
        question->op.args.query.kind = METE_QUERY_BUDGET;
        question->op.args.query.budget.n = call->next_budget++;
        question->op.result.answer = &question->answer;
        question->op.done = budget_answered;
        question->op.user = call;
        ops[len] = &question->op;
    }
    call->waiting = mete_submit(call->scraper->port, ops, len);
    if (call->waiting < len)
        call->over = true; /* a full ring: what is missing is said to be */
    if (call->waiting == 0)
        call_end(call, 0);
}

static void budget_answered(struct mete_op *op)
{
    struct scrape_call *call = op->user;
    ASSERT(call->waiting > 0);
    if (op->status == 0)
        metrics_sum(&call->now, &op->result.answer->budget);
    else
        call->over = true;
    if (--call->waiting > 0)
        return;
    if (call->over || call->gone || call->next_budget > LIMIT_SCRAPE_BUDGETS) {
        uint64_t asked = call->next_budget - 1, all = call->now.stats.budgets;
        call->now.budgets_skipped += all > asked ? all - asked : 0;
        call_end(call, 0);
    } else {
        ask_budgets(call);
    }
}

static void stats_answered(struct mete_op *op)
{
    struct scrape_call *call = op->user;
    call->waiting = 0;
    if (op->status || call->gone) {
        call_end(call, op->status);
        return;
    }
    call->now.stats = op->result.answer->stats;
    call->next_budget = 1;
    ask_budgets(call);
}

static void reply_short(struct exchange *exchange, int error)
{
    exchange->ops->reply(exchange, errors_http_status(error), NULL, 0,
                         slice_of(mete_error_text(error)));
}

static void scrape_begin(void *self, struct exchange *exchange)
{
    struct scraper *scraper = self;
    if (!slice_is(exchange->path, "/metrics")) {
        reply_short(exchange, METE_E_NOT_FOUND);
        return;
    }
    struct scrape_call *call = calloc(1, sizeof *call);
    if (!call) {
        reply_short(exchange, METE_E_MEMORY);
        return;
    }
    struct mete_op *op = &call->questions[0].op;
    call->scraper = scraper;
    call->exchange = exchange;
    exchange->state = call;
    op->kind = METE_OP_QUERY;
    op->args.query.kind = METE_QUERY_STATS;
    op->result.answer = &call->questions[0].answer;
    op->done = stats_answered;
    op->user = call;
    call->waiting = 1;
    if (mete_submit(scraper->port, &op, 1) != 1) {
        free(call);
        reply_short(exchange, METE_E_BUSY);
    }
}

static void scrape_gone(void *self, struct exchange *exchange)
{
    struct scrape_call *call = exchange->state;
    (void)self;
    call->gone = true; /* its answers are still to come; the last one ends it */
}

static void scrape_drained(void *self, struct exchange *exchange)
{
    (void)self;
    (void)exchange;
}

struct exchange_handler scrape_handler(struct scraper *scraper)
{
    return (struct exchange_handler){scraper, scrape_begin, scrape_gone, scrape_drained};
}
