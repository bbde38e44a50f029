/* SPDX-License-Identifier: Apache-2.0
 * POST .../budgets/check and .../budgets/{budget}/check: advice, whether an amount would fit, with
 * every budget that has a say. The answer is the engine's (METE_OP_CHECK); the list beside it are
 * the budgets of the scope's path that count such a call. Only a reservation decides. */
#include "api/limits/handlers.h"
#include "api/authority/authority.h"
#include "api/limits/budget_find.h"
#include "api/limits/budget_json.h"
#include "api/limits/budgets.h"
#include "api/units.h"
#include "base/limits.h"

struct check_in {
    struct slice amount, unit, model, provider, session;
    struct json scope, tags;
};

struct check {
    struct budget_search search;
    struct check_in in;
    struct scope_in scope_in;
    struct mete_scope_id scope;
    struct call_match call;
    struct mete_demand demand;
    struct mete_verdict verdict;
    size_t budgets_len;
    struct mete_budget_view budgets[METE_REFUSALS_MAX];
    struct mete_refusal refusals[METE_REFUSALS_MAX];
};

/* ---- The reply ------------------------------------------------------------------------------- */

/* Why this budget does not take the amount; METE_REASON_NONE: it does. */
static enum mete_reason reason_of(const struct check *check, const struct mete_budget_view *view)
{
    for (size_t i = 0; i < check->verdict.refusals_len && i < METE_REFUSALS_MAX; i++)
        if (check->refusals[i].budget.n == view->budget.n)
            return check->refusals[i].reason;
    return METE_REASON_NONE;
}

static bool has_say(struct request *request, const struct mete_budget_view *view)
{
    const struct check *check = request->state;
    return budget_json_is_on(view, mete_now(request->api->parts.mete).us) &&
           view->mode != METE_OFF && !view->for_kind && !view->ended &&
           view->meter == check->demand.meter &&
           matches_fit(view->matches, view->matches_len, &check->call);
}

static void write_budget(struct request *request, const struct mete_budget_view *view)
{
    struct out *out = &request->out;
    enum mete_reason reason = reason_of(request->state, view);
    budget_json_brief(request, view);
    out_member_bool(out, "fits", !reason);
    out_key(out, "reason");
    if (reason)
        out_text(out, slice_of(fields_word(units_reasons, (int)reason)));
    else
        out_null(out);
    out_close(out, '}');
}

static void reply(struct request *request)
{
    const struct check *check = request->state;
    const struct mete_verdict *verdict = &check->verdict;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_bool(out, "allowed", verdict->allowed);
    out_member_bool(out, "available", verdict->allowed);
    budget_json_scope(request, "scope", check->scope.n);
    units_write(out, "unit", check->demand.meter, check->demand.currency);
    out_member_amount(out, "amount", check->demand.meter, check->demand.fixed);
    out_key(out, "remaining");
    if (verdict->has_remaining)
        out_amount(out, check->demand.meter, verdict->remaining);
    else
        out_null(out);
    int64_t at_us = verdict->retry_at.us;
    out_member_instant(out, "retry_at", verdict->allowed || !at_us ? INT64_MAX : at_us);
    out_key(out, "budgets");
    out_open(out, '[');
    for (size_t i = 0; i < check->budgets_len; i++)
        if (has_say(request, &check->budgets[i]))
            write_budget(request, &check->budgets[i]);
    out_close(out, ']');
    authority_write_refusals(request, check->refusals, verdict->refusals_len);
    out_close(out, '}');
    request_reply(request, 200);
}

static void checked(struct request *request)
{
    struct check *check = request->state;
    if (request_missed(request, "scope.id"))
        return;
    check->verdict = request->op.result.verdict;
    request_want(request, NAME_SCOPE, check->scope.n);
    for (size_t i = 0; i < check->budgets_len; i++)
        budget_json_want(request, &check->budgets[i]);
    for (size_t i = 0; i < check->verdict.refusals_len && i < METE_REFUSALS_MAX; i++) {
        request_want(request, NAME_SCOPE, check->refusals[i].scope.n);
        request_want(request, NAME_BUDGET, check->refusals[i].budget.n);
        request_want(request, NAME_RATE, check->refusals[i].rate.n);
    }
    request_load_names(request, reply);
}

/* ---- The questions --------------------------------------------------------------------------- */

static void ask(struct request *request)
{
    struct check *check = request->state;
    if (request_missed(request, "scope.id"))
        return;
    size_t len = request->answer.budgets_len;
    check->budgets_len = len < METE_REFUSALS_MAX ? len : METE_REFUSALS_MAX;
    request->op = (struct mete_op){.kind = METE_OP_CHECK,
                                   .args.reserve = {.scope = check->scope,
                                                    .model = request_text(check->call.model),
                                                    .provider = request_text(check->call.provider),
                                                    .session = request_text(check->call.session),
                                                    .tags = check->call.tags,
                                                    .tags_len = check->call.tags_len,
                                                    .demands = &check->demand,
                                                    .demands_len = 1,
                                                    .ttl_ms = 1000},
                                   .refusals = check->refusals,
                                   .refusals_max = METE_REFUSALS_MAX};
    request_ask(request, checked);
}

static void ask_path(struct request *request)
{
    struct check *check = request->state;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_PATH,
                                                  .scope = check->scope,
                                                  .budgets = check->budgets,
                                                  .budgets_max = METE_REFUSALS_MAX}};
    request_ask(request, ask);
}

static int read_amount(struct request *request, struct check *check)
{
    struct fields fields = {.path = "", .arena = &request->arena, .problem = &request->problem};
    return units_amount(&fields, "amount", check->demand.meter, check->in.amount,
                        &check->demand.fixed);
}

static void scope_found(struct request *request)
{
    struct check *check = request->state;
    if (request_missed(request, "scope.id"))
        return;
    check->scope = request->found;
    ask_path(request);
}

static void organization_found(struct request *request)
{
    struct check *check = request->state;
    if (request_missed(request, "org"))
        return;
    const struct scope_in *scope = &check->scope_in;
    if (scope->organization.len && !slice_equal(scope->organization, request->params[0])) {
        request_fail(request, METE_E_INVALID, "scope.organization",
                     "The path names another organization.");
        return;
    }
    if (scope->kind == METE_KIND_NONE)
        scope_found(request);
    else
        request_find(request, (enum mete_kind)scope->kind, scope->id, scope_found);
}

/* In the budget's unit, of its scope. */
static void budget_found(struct request *request)
{
    struct check *check = request->state;
    const struct mete_budget_view *view = &check->search.view;
    check->scope = view->scope;
    check->demand.meter = view->meter;
    check->demand.currency = view->currency;
    if (read_amount(request, check))
        request_problem(request);
    else
        ask_path(request);
}

/* ---- The body -------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct check_in, member)
static const struct field table[] = {
    {.name = "amount", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(amount)},
    {.name = "model", .type = FIELD_TOKEN, .offset = AT(model), .min = 1, .max = LIMIT_ID},
    {.name = "provider",
     .type = FIELD_TOKEN,
     .offset = AT(provider),
     .min = 1,
     .max = LIMIT_PROVIDER},
    {.name = "session", .type = FIELD_TOKEN, .offset = AT(session), .min = 1, .max = LIMIT_SESSION},
    {.name = "tags",
     .type = FIELD_TEXTS,
     .offset = AT(tags),
     .max = METE_TAGS_MAX,
     .item_max = LIMIT_SESSION},
    {.name = "unit", .type = FIELD_TOKEN, .offset = AT(unit), .min = 1, .max = 64},
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
};
#undef AT
enum { FIELDS = sizeof table / sizeof table[0], FIELDS_OF_ONE = FIELDS - 2 };

static int read_body(struct request *request, struct check *check)
{
    struct check_in *in = &check->in;
    bool names_one = request->params[1].len;
    struct fields fields = {table, FIELDS, "", &request->arena, &request->problem};
    int rc = request_read(request, table, names_one ? FIELDS_OF_ONE : FIELDS, in);
    check->call = (struct call_match){in->model, in->provider, in->session, NULL, 0};
    if (!rc)
        rc = matches_read_tags(request, in->tags, &check->call);
    if (!rc && in->scope.type)
        rc = scope_in_read(request, in->scope, "scope", &check->scope_in);
    if (rc || names_one)
        return rc;
    rc = units_read(&fields, "unit", in->unit.len ? in->unit : SLICE_LITERAL("USD"),
                    &check->demand.meter, &check->demand.currency);
    return rc ? rc : read_amount(request, check);
}

void budget_check(struct request *request)
{
    struct check *check = request_take(request, sizeof *check);
    if (!check)
        return;
    request->state = check;
    if (read_body(request, check))
        request_problem(request);
    else if (request->params[1].len)
        budget_find(request, budget_found);
    else
        request_find_organization(request, organization_found);
}
