/* SPDX-License-Identifier: Apache-2.0
 * The calls of those who meter for themselves: is there enough, how much is there, and consume.
 * Whether there is enough is advice, as anybody's may be gone a moment later; consume() decides and
 * takes in one step of the ledger's: a reservation of exactly this, committed at once. What it is
 * not covered by, here or in a budget above, takes nothing.
 *
 * A scope without a quota in the unit has no balance: there is not enough of it. */
#include "api/quotas/handlers.h"
#include "api/quotas/units.h"
#include "api/quotas/whose.h"

#include "api/limits/budget_json.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stddef.h>
#include <stdio.h>

enum { TTL_MS = 60 * 1000 };

struct consume_in {
    struct slice user, unit, type, amount, request_id, model;
    struct json scope;
};

struct consume {
    struct whose whose; /* first: whose.h */
    struct consume_in in;
    struct mete_demand demand;
    struct mete_usage usage;
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_quota_view quotas[LIMIT_SCOPE_QUOTAS], quota;
    bool has_quota;
    enum mete_reason reason; /* METE_REASON_NONE: allowed */
    struct mete_reservation_id reservation;
    uint64_t record;
    void (*then)(struct request *request);
};

static struct consume *begin(struct request *request)
{
    struct consume *consume = request_take(request, sizeof *consume);
    if (consume)
        request->state = consume;
    return consume;
}

/* ---- The balance ----------------------------------------------------------------------------- */

static void quotas_answered(struct request *request)
{
    struct consume *consume = request->state;
    if (request_missed(request, consume->whose.field))
        return;
    consume->has_quota = false;
    consume->quota = (struct mete_quota_view){.scope = consume->whose.at,
                                              .meter = consume->demand.meter,
                                              .currency = consume->demand.currency};
    for (size_t i = 0; i < request->answer.rows_len && i < LIMIT_SCOPE_QUOTAS; i++) {
        const struct mete_quota_view *quota = &consume->quotas[i];
        if (quota->meter != consume->demand.meter || quota->currency != consume->demand.currency)
            continue;
        consume->quota = *quota;
        consume->has_quota = true;
    }
    consume->then(request);
}

static void ask_balance(struct request *request, void (*then)(struct request *request))
{
    struct consume *consume = request->state;
    consume->then = then;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_QUOTAS,
                                                  .scope = consume->whose.at,
                                                  .quotas = consume->quotas,
                                                  .rows_max = LIMIT_SCOPE_QUOTAS}};
    request_ask(request, quotas_answered);
}

static void write_balance(struct request *request)
{
    const struct consume *consume = request->state;
    const struct mete_quota_view *quota = &consume->quota;
    struct out *out = &request->out;
    budget_json_scope(request, "scope", consume->whose.at.n);
    units_write(out, "unit", quota->meter, quota->currency);
    out_member_amount(out, "granted", quota->meter, quota->granted);
    out_member_amount(out, "drawn", quota->meter, quota->drawn);
    out_member_amount(out, "held", quota->meter, quota->held);
    out_member_amount(out, "balance", quota->meter, quota->balance);
}

static void show_balance(struct request *request)
{
    out_open(&request->out, '{');
    write_balance(request);
    out_close(&request->out, '}');
    request_reply(request, 200);
}

static void found_for_balance(struct request *request)
{
    ask_balance(request, show_balance);
}

static int read_unit(struct request *request, const char *name, struct slice unit)
{
    struct consume *consume = request->state;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    if (!unit.len)
        return problem_set(&request->problem, METE_E_INVALID, name, "It is missing.");
    return quota_unit_read(&fields, name, unit, &consume->demand.meter, &consume->demand.currency);
}

static int read_amount(struct request *request, struct slice text)
{
    struct consume *consume = request->state;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    int rc = units_amount(&fields, "amount", consume->demand.meter, text, &consume->demand.fixed);
    if (!rc && consume->demand.fixed == 0)
        rc = problem_set(&request->problem, METE_E_INVALID, "amount", "It must be above 0.");
    return rc;
}

static int read_query(struct request *request, const char *const *known)
{
    struct slice unit;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = whose_query(request);
    if (!rc)
        rc = request_query(request, "unit", 64, &unit);
    return rc ? rc : read_unit(request, "unit", unit);
}

void quotas_balance(struct request *request)
{
    static const char *const known[] = {"kind", "id", "user_id", "unit", NULL};
    if (!begin(request))
        return;
    if (read_query(request, known))
        request_problem(request);
    else
        whose_find(request, found_for_balance);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void decide(struct request *request, enum mete_op_kind kind,
                   void (*then)(struct request *request))
{
    struct consume *consume = request->state;
    const struct mete_demand *demand = &consume->demand;
    uint64_t content = (uint64_t)demand->fixed ^ (uint64_t)demand->meter << 48 ^ demand->currency;
    request->op =
        (struct mete_op){.kind = kind,
                         .args.reserve = {.scope = consume->whose.at,
                                          .request_id = request_text(consume->in.request_id),
                                          .content = content,
                                          .model = request_text(consume->in.model),
                                          .demands = demand,
                                          .demands_len = 1,
                                          .ttl_ms = TTL_MS,
                                          .on_expiry = METE_EXPIRY_RELEASE},
                         .refusals = consume->refusals,
                         .refusals_max = METE_REFUSALS_MAX};
    request_ask(request, then);
}

/* Why not; the first that really refuses. */
static enum mete_reason reason_of(const struct consume *consume, const struct mete_verdict *verdict)
{
    for (size_t i = 0; i < verdict->refusals_len && i < METE_REFUSALS_MAX; i++)
        if (!consume->refusals[i].shadow)
            return verdict->allowed ? METE_REASON_NONE : consume->refusals[i].reason;
    return METE_REASON_NONE;
}

static bool decided(struct request *request)
{
    struct consume *consume = request->state;
    int status = request->op.status;
    if (status == METE_E_CONTENT || status == METE_E_IN_FLIGHT || status == METE_E_ENDED) {
        request_fail(request, status, "request_id", "%s", mete_error_text(status));
        return false;
    }
    if (request_missed(request, consume->whose.field))
        return false;
    consume->reason = reason_of(consume, &request->op.result.verdict);
    consume->reservation = request->op.result.verdict.reservation;
    return true;
}

static void write_reason(struct request *request)
{
    const struct consume *consume = request->state;
    out_key(&request->out, "reason");
    if (consume->reason)
        out_text(&request->out, slice_of(fields_word(units_reasons, (int)consume->reason)));
    else
        out_null(&request->out);
}

static void show_enough(struct request *request)
{
    const struct consume *consume = request->state;
    out_open(&request->out, '{');
    out_member_bool(&request->out, "enough", consume->reason == METE_REASON_NONE);
    write_reason(request);
    write_balance(request);
    out_close(&request->out, '}');
    request_reply(request, 200);
}

static void checked(struct request *request)
{
    if (decided(request))
        show_enough(request);
}

static void check(struct request *request)
{
    struct consume *consume = request->state;
    consume->reason = METE_QUOTA;
    if (consume->has_quota)
        decide(request, METE_OP_CHECK, checked);
    else
        show_enough(request);
}

static void found_for_enough(struct request *request)
{
    ask_balance(request, check);
}

void quotas_enough(struct request *request)
{
    static const char *const known[] = {"kind", "id", "user_id", "unit", "amount", NULL};
    struct slice amount;
    if (!begin(request))
        return;
    int rc = read_query(request, known);
    if (!rc)
        rc = request_query(request, "amount", 64, &amount);
    if (!rc && !amount.len)
        rc = problem_set(&request->problem, METE_E_INVALID, "amount", "It is missing.");
    if (!rc)
        rc = read_amount(request, amount);
    if (rc)
        request_problem(request);
    else
        whose_find(request, found_for_enough);
}

/* ---- Consuming ------------------------------------------------------------------------------- */

static void show_consumed(struct request *request)
{
    const struct consume *consume = request->state;
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_bool(out, "success", consume->reason == METE_REASON_NONE);
    write_reason(request);
    out_member_amount(out, "amount", consume->demand.meter, consume->demand.fixed);
    write_balance(request);
    out_key(out, "record_id");
    if (consume->record) {
        char id[32];
        int len = snprintf(id, sizeof id, "rec_%llu", (unsigned long long)consume->record);
        out_text(out, (struct slice){id, (size_t)len});
    } else {
        out_null(out);
    }
    out_close(out, '}');
    request_reply(request, 200);
}

static void committed(struct request *request)
{
    struct consume *consume = request->state;
    if (request->op.status) {
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    consume->record = request->op.result.receipt.record;
    ask_balance(request, show_consumed);
}

static void reserved(struct request *request)
{
    struct consume *consume = request->state;
    if (!decided(request))
        return;
    if (consume->reason) {
        show_consumed(request);
        return;
    }
    consume->usage = (struct mete_usage){.meter = consume->demand.meter,
                                         .currency = consume->demand.currency,
                                         .amount = consume->demand.fixed};
    request->op =
        (struct mete_op){.kind = METE_OP_COMMIT,
                         .args.commit = {.reservation = consume->reservation,
                                         .usage = &consume->usage,
                                         .usage_len = 1,
                                         .outcome = {.ending = METE_ENDED_OK,
                                                     .details.actor = request_actor(request)}}};
    request_ask(request, committed);
}

static void consume_it(struct request *request)
{
    struct consume *consume = request->state;
    consume->reason = METE_QUOTA;
    if (consume->has_quota)
        decide(request, METE_OP_RESERVE, reserved);
    else
        show_consumed(request);
}

static void found_for_consume(struct request *request)
{
    ask_balance(request, consume_it);
}

#define AT(member) offsetof(struct consume_in, member)
static const struct field table[] = {
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
    {.name = "user_id", .type = FIELD_ID, .offset = AT(user)},
    {.name = "unit", .type = FIELD_TOKEN, .offset = AT(unit), .min = 1, .max = 64},
    {.name = "quota_type", .type = FIELD_TOKEN, .offset = AT(type), .min = 1, .max = 64},
    {.name = "amount", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(amount)},
    {.name = "request_id", .type = FIELD_ID, .offset = AT(request_id)},
    {.name = "model", .type = FIELD_TOKEN, .offset = AT(model), .min = 1, .max = 128},
};
#undef AT

void quotas_consume(struct request *request)
{
    struct consume *consume = begin(request);
    if (!consume)
        return;
    const struct consume_in *in = &consume->in;
    int rc = request_read(request, table, sizeof table / sizeof table[0], &consume->in);
    if (!rc && in->unit.len && in->type.len)
        rc = problem_set(&request->problem, METE_E_INVALID, "quota_type", "unit says the same.");
    if (!rc)
        rc = in->type.len ? read_unit(request, "quota_type", in->type)
                          : read_unit(request, "unit", in->unit);
    if (!rc)
        rc = read_amount(request, in->amount);
    if (!rc)
        rc = whose_body(request, in->scope, in->user);
    if (rc)
        request_problem(request);
    else
        whose_find(request, found_for_consume);
}
