/* SPDX-License-Identifier: Apache-2.0
 * The answers to authority calls. */
#include "api/authority/authority.h"

#include "api/limits/budget_json.h"
#include "api/units.h"
#include "base/assert.h"
#include "codec/base62.h"
#include "codec/decimal.h"

void authority_write_reserve_id(struct out *out, uint64_t reservation)
{
    char text[15] = "rsv_";
    base62_encode(reservation, text + 4, 11);
    out_member_text(out, "reserve_id", (struct slice){text, sizeof text});
}

static void write_refused_amount(struct out *out, const char *name,
                                 const struct mete_refusal *refusal, bool known, int64_t amount)
{
    out_key(out, name);
    if (known)
        out_amount(out, refusal->meter, amount);
    else
        out_null(out);
}

/* A budget, a rate limit or calls at once have figures; a rate limit has used nothing, it holds
 * what is taken of its burst. */
static void write_refused_figures(struct out *out, const struct mete_refusal *refusal)
{
    bool budget = refusal->budget.n, known = budget || refusal->rate.n;
    if (refusal->reason == METE_CONCURRENCY) {
        out_member_text(out, "unit", SLICE_LITERAL("requests"));
    } else if (known) {
        units_write(out, "unit", refusal->meter, refusal->currency);
    } else {
        out_key(out, "unit");
        out_null(out);
    }
    write_refused_amount(out, "limit", refusal, known, refusal->limit);
    write_refused_amount(out, "used", refusal, budget, refusal->committed);
    write_refused_amount(out, "held", refusal, known, refusal->held);
    write_refused_amount(out, "asked", refusal, known, refusal->asked);
    out_member_instant(out, "resets_at", known ? refusal->resets_at.us : INT64_MAX);
}

static void write_name(struct request *request, const char *key, enum name_of of, uint32_t handle)
{
    const struct name *name = handle ? namebook_get(request->api->names, of, handle) : NULL;
    out_key(&request->out, key);
    if (name)
        out_text(&request->out, namebook_id(name));
    else
        out_null(&request->out);
}

static void write_refusal(struct request *request, const struct mete_refusal *refusal)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "reason", slice_of(fields_word(units_reasons, (int)refusal->reason)));
    budget_json_scope(request, "scope", refusal->scope.n);
    write_name(request, "budget", NAME_BUDGET, refusal->budget.n);
    write_name(request, "rate_limit", NAME_RATE, refusal->rate.n);
    write_refused_figures(out, refusal);
    out_member_bool(out, "shadow", refusal->shadow != 0);
    out_close(out, '}');
}

void authority_write_refusals(struct request *request, const struct mete_refusal *refusals,
                              size_t len)
{
    ASSERT(len <= METE_REFUSALS_MAX);
    out_key(&request->out, "refused_by");
    out_open(&request->out, '[');
    for (size_t i = 0; i < len; i++)
        write_refusal(request, &refusals[i]);
    out_close(&request->out, ']');
}

static void write_refusals(struct request *request, const struct item *item)
{
    authority_write_refusals(request, item->refusals, item->op.result.verdict.refusals_len);
}

/* The meter of the first demand, which is what remains. */
static void write_remaining(struct out *out, const struct item *item)
{
    const struct mete_verdict *verdict = &item->op.result.verdict;
    out_key(out, "remaining");
    if (verdict->has_remaining)
        out_amount(out, item->args.demands[0].meter, verdict->remaining);
    else
        out_null(out);
}

static void write_retry(struct out *out, const struct mete_verdict *verdict)
{
    int64_t at = verdict->retry_at.us;
    out_member_instant(out, "retry_at", verdict->allowed || at == 0 ? INT64_MAX : at);
}

static void write_figure(struct out *out, const char *name, const struct item *item, int64_t amount)
{
    out_key(out, name);
    if (item->has_figures)
        out_amount(out, item->args.demands[0].meter, amount);
    else
        out_null(out);
}

/* What the budgets that let it pass would rather have; nothing, if they do not say. */
static void write_advice(struct out *out, const struct mete_verdict *verdict)
{
    if (!verdict->advice)
        return;
    out_key(out, "advice");
    out_open(out, '[');
    if (verdict->advice & METE_ADVICE_DOWNGRADE)
        out_text(out, SLICE_LITERAL("downgrade"));
    if (verdict->advice & METE_ADVICE_SOFT_LIMIT)
        out_text(out, SLICE_LITERAL("soft_limit"));
    out_close(out, ']');
}

static void write_check(struct request *request, const struct item *item)
{
    const struct mete_verdict *verdict = &item->op.result.verdict;
    struct out *out = &request->out;
    out_member_bool(out, "available", verdict->allowed);
    out_member_bool(out, "success", verdict->allowed);
    write_remaining(out, item);
    write_figure(out, "used", item, item->used);
    write_figure(out, "reserved", item, item->held);
    write_retry(out, verdict);
    write_refusals(request, item);
    write_advice(out, verdict);
}

static void write_reserve(struct request *request, const struct item *item)
{
    const struct mete_verdict *verdict = &item->op.result.verdict;
    struct out *out = &request->out;
    out_member_bool(out, "success", verdict->allowed);
    out_member_text(out, "request_id", item->request_id);
    if (verdict->allowed) {
        authority_write_reserve_id(out, verdict->reservation.n);
        out_member_instant(out, "expire_time", verdict->expires_at.us);
    } else {
        out_raw(out, SLICE_LITERAL("\"reserve_id\":null,\"expire_time\":null"));
    }
    write_remaining(out, item);
    write_retry(out, verdict);
    write_refusals(request, item);
    write_advice(out, verdict);
    out_member_bool(out, "repeated", verdict->repeated);
    if (verdict->allowed && item->args.demands[0].meter == METE_COST)
        out_member_amount(out, "amount", METE_COST, item->amounts[METE_COST]);
}

static void write_extend(struct request *request, const struct item *item)
{
    const struct mete_verdict *verdict = &item->op.result.verdict;
    struct out *out = &request->out;
    out_member_bool(out, "success", verdict->allowed);
    out_member_text(out, "reserve_id", item->reserve_text);
    out_member_instant(out, "expire_time", verdict->expires_at.us);
    write_remaining(out, item);
    write_retry(out, verdict);
    write_refusals(request, item);
    write_advice(out, verdict);
    if (verdict->allowed && item->mask & 1u << METE_COST)
        out_member_amount(out, "amount", METE_COST, item->amounts[METE_COST]);
}

/* A correction leaves the state as it was. */
static struct slice state_of(const struct mete_receipt *receipt)
{
    switch (receipt->state) {
    case METE_RELEASED:
        return SLICE_LITERAL("released");
    case METE_EXPIRED:
        return SLICE_LITERAL("expired");
    case METE_COMMITTED:
    case METE_HELD:
    case METE_REFUSED:
        break;
    }
    return SLICE_LITERAL("committed");
}

static void write_record_id(struct out *out, const struct mete_receipt *receipt)
{
    char digits[DECIMAL_ROOM];
    out_key(out, "record_id");
    if (!receipt->record) {
        out_null(out);
        return;
    }
    size_t len = decimal_format((int128)receipt->record, 0, 0, digits);
    out_raw(out, SLICE_LITERAL("\"rec_"));
    out_append(out, (struct slice){digits, len});
    out_append(out, SLICE_LITERAL("\""));
}

static void write_receipt(struct request *request, const struct item *item)
{
    const struct mete_receipt *receipt = &item->op.result.receipt;
    struct out *out = &request->out;
    int verb = request->route->verb;
    out_member_bool(out, "success", true);
    if (verb == VERB_RECORD)
        out_member_text(out, "request_id", item->request_id);
    else if (verb == VERB_SETTLE)
        out_member_text(out, "settles", request->params[0]);
    else
        out_member_text(out, "reserve_id", item->reserve_text);
    if (verb != VERB_RECORD)
        out_member_text(out, "state", state_of(receipt));
    if (verb != VERB_RELEASE) {
        out_member_amount(out, "amount", METE_COST, receipt->cost);
        out_member_bool(out, "overrun", receipt->overrun != 0);
    }
    out_member_bool(out, "repeated", receipt->repeated != 0);
    if (verb == VERB_DEDUCT)
        out_member_bool(out, "corrected", receipt->corrected != 0);
    if (verb != VERB_RELEASE)
        write_record_id(out, receipt);
}

void authority_write(struct request *request, const struct item *item)
{
    struct out *out = &request->out;
    if (item->problem) {
        problem_write(out, item->problem);
        return;
    }
    out_open(out, '{');
    if (request->route->verb == VERB_CHECK)
        write_check(request, item);
    else if (request->route->verb == VERB_RESERVE)
        write_reserve(request, item);
    else if (request->route->verb == VERB_EXTEND)
        write_extend(request, item);
    else
        write_receipt(request, item);
    out_close(out, '}');
}
