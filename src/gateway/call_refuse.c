/* SPDX-License-Identifier: Apache-2.0
 * A verdict that is no: what refused gets its names, one question after the other, and the client
 * is told all of it. */
#include "gateway/call.h"

#include "base/assert.h"

#include <stddef.h>

static void ask_names(struct call *call);

static void keep_name(struct call_refused *refused, const struct mete_refusal *one, int status)
{
    refused->budget = refused->answer.budget;
    if (status)
        refused->budget.id[0] = 0;
    refused->rate = refused->answer.rate;
    if (status || !one->rate.n)
        refused->rate.rate.n = 0;
}

static void on_name(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    struct call_refused *refused = call->refused;
    const struct mete_refusal *one = &refused->all[refused->at];
    if (call_put_off(call))
        return;
    ASSERT(call->state == CALL_REFUSING);
    if (!refused->asks_scope) {
        keep_name(refused, one, op->status);
        refused->asks_scope = true;
        ask_names(call);
        return;
    }
    if (op->status)
        refused->answer.scope = (struct mete_scope_view){0};
    int rc = refusal_add(&refused->told, one, one->budget.n ? &refused->budget : NULL,
                         one->rate.n && refused->rate.rate.n ? &refused->rate : NULL,
                         &refused->answer.scope);
    refused->at = rc ? refused->len : refused->at + 1;
    refused->asks_scope = false;
    ask_names(call);
}

/* One question after the other: a refusal is not the hot path, and one answer's room is enough. */
static void ask_names(struct call *call)
{
    struct call_refused *refused = call->refused;
    while (refused->at < refused->len && refused->all[refused->at].shadow)
        refused->at++;
    if (refused->at >= refused->len) {
        call_reply_refusal(call);
        return;
    }
    const struct mete_refusal *one = &refused->all[refused->at];
    if (!one->budget.n && !one->rate.n)
        refused->asks_scope = true;
    enum mete_query_kind kind = one->rate.n ? METE_QUERY_RATE : METE_QUERY_BUDGET;
    call->op.result.answer = &refused->answer;
    call->op.args.query = (struct mete_query){.kind = refused->asks_scope ? METE_QUERY_SCOPE : kind,
                                              .scope = one->scope,
                                              .budget = one->budget,
                                              .rate = one->rate};
    call_submit(call, METE_OP_QUERY, on_name);
}

void call_refuse(struct call *call)
{
    struct call_refused *refused = call->refused;
    const struct mete_verdict *verdict = &call->op.result.verdict;
    call->gateway->counts.refused++;
    refused->at = 0;
    refused->len =
        verdict->refusals_len < METE_REFUSALS_MAX ? verdict->refusals_len : METE_REFUSALS_MAX;
    refused->asks_scope = false;
    refused->retry_at = verdict->retry_at;
    refusal_init(&refused->told);
    call->state = CALL_REFUSING;
    ask_names(call);
}

void call_refuse_error(struct call *call, int status)
{
    static const struct dialect_error content = {422,
                                                 "invalid_request_error",
                                                 "content_differs",
                                                 NULL,
                                                 "This request id was used with another request.",
                                                 {0}};
    static const struct dialect_error unknown = {401,  "invalid_request_error",   "invalid_api_key",
                                                 NULL, "The API key is unknown.", {0}};
    static const struct dialect_error internal = {
        500, "server_error", "internal", NULL, "The call could not be budgeted.", {0}};
    if (status == METE_E_ENDED) {
        call_reply_ended(call);
        return;
    }
    call_reply_failure(call,
                       status == METE_E_IN_FLIGHT   ? call_in_flight()
                       : status == METE_E_CONTENT   ? &content
                       : status == METE_E_NOT_FOUND ? &unknown
                       : status == METE_E_BUSY || status == METE_E_FULL || status == METE_E_CLOSED
                           ? &call_busy
                           : &internal);
}
