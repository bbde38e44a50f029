/* SPDX-License-Identifier: Apache-2.0
 * A verdict that is no: what refused gets its names, and the client is told all of it. */
#include "gateway/call.h"

#include "base/assert.h"

#include <stddef.h>

static void ask_names(struct call *call);

static void on_name(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    if (call_put_off(call))
        return;
    ASSERT(call->state == CALL_REFUSING);
    naming_take(&call->refused->naming, op->status);
    ask_names(call);
}

static void ask_names(struct call *call)
{
    struct naming *naming = &call->refused->naming;
    call->op.result.answer = &naming->answer;
    if (naming_next(naming, &call->op.args.query))
        call_submit(call, METE_OP_QUERY, on_name);
    else
        call_reply_refusal(call);
}

void call_refuse(struct call *call)
{
    call->gateway->counts.refused++;
    naming_begin(&call->refused->naming, &call->op.result.verdict);
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
