/* SPDX-License-Identifier: Apache-2.0
 * Quotas and the grants they are made of. All figures are the engine's; the records only tell which
 * scopes of an organization have any. A scope has at most four quotas, one answer; a quota's grants
 * are one page, those that will be drawn from first, in that order, then the used up and expired
 * ones, the newest first: its history. */
#include "api/quotas/handlers.h"
#include "api/limits/budget_json.h"
#include "api/limits/budgets.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stddef.h>

struct grant_in {
    struct slice id, unit, amount, source;
    struct json scope;
    int64_t priority, expires_at; /* -1: not said */
    bool never;                   /* expires_at is null */
};

struct owner {
    struct mete_scope_id scope;
    size_t len;
    struct mete_quota_view quotas[LIMIT_SCOPE_QUOTAS];
};

struct quota_state {
    struct grant_in in;
    struct scope_in scope;
    struct mete_scope_id organization, at;
    uint16_t meter;
    uint32_t currency;
    struct page page;
    struct mete_change change;
    struct mete_grant_view grant;
    struct owner *owners; /* of a list of quotas */
    size_t owners_len;
    bool more;
    struct mete_grant_view *grants;
    int reply_status;
    void (*then)(struct request *request);
};

static struct quota_state *begin(struct request *request)
{
    struct quota_state *state = request_take(request, sizeof *state);
    if (state)
        request->state = state;
    return state;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_grant(struct request *request, const struct mete_grant_view *view)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", slice_of(view->id));
    budget_json_scope(request, "scope", view->scope.n);
    units_write(out, "unit", view->meter, view->currency);
    out_member_amount(out, "amount", view->meter, view->amount);
    out_member_amount(out, "drawn", view->meter, view->drawn);
    out_member_amount(out, "held", view->meter, view->held);
    out_member_amount(out, "balance", view->meter, (int128)view->amount - view->drawn - view->held);
    out_member_integer(out, "priority", view->priority);
    out_member_instant(out, "expires_at", view->expires_at.us ? view->expires_at.us : INT64_MAX);
    out_member_bool(out, "expired", view->expired != 0);
    out_member_text(out, "source", slice_of(view->source));
    out_member_instant(out, "created_at", view->made_at.us);
    out_close(out, '}');
}

static void write_quota(struct request *request, const struct mete_quota_view *view)
{
    struct out *out = &request->out;
    out_open(out, '{');
    budget_json_scope(request, "scope", view->scope.n);
    units_write(out, "unit", view->meter, view->currency);
    out_member_amount(out, "granted", view->meter, view->granted);
    out_member_amount(out, "drawn", view->meter, view->drawn);
    out_member_amount(out, "held", view->meter, view->held);
    out_member_amount(out, "balance", view->meter, view->balance);
    out_close(out, '}');
}

/* ---- Whose ----------------------------------------------------------------------------------- */

static void scope_found(struct request *request)
{
    struct quota_state *state = request->state;
    if (request_missed(request, request->exchange->query.len ? "id" : "scope.id"))
        return;
    if (state->scope.kind == METE_ORGANIZATION && request->found.n != state->organization.n) {
        request_fail(request, METE_E_NOT_FOUND, "id", "This is another organization's path.");
        return;
    }
    state->at = request->found;
    request_want(request, NAME_SCOPE, state->at.n);
    request_load_names(request, state->then);
}

static void organization_found(struct request *request)
{
    struct quota_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    if (state->scope.kind == METE_KIND_NONE)
        scope_found(request);
    else
        request_find(request, (enum mete_kind)state->scope.kind, state->scope.id, scope_found);
}

static int read_unit(struct request *request, struct slice unit)
{
    struct quota_state *state = request->state;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    return units_read(&fields, "unit", unit, &state->meter, &state->currency);
}

/* The parameters kind and id, or the organization itself; and unit, if it must be there. */
static int read_query(struct request *request, bool has_unit, bool has_limit)
{
    static const char *const names[] = {"kind", "id", "unit", NULL},
                             *const paged[] = {"kind", "id", "unit", "limit", NULL},
                             *const whose[] = {"kind", "id", "limit", "cursor", NULL};
    struct quota_state *state = request->state;
    struct slice kind, unit = {0};
    int rc = request_query_known(request, !has_unit ? whose : has_limit ? paged : names);
    if (!rc)
        rc = request_query(request, "kind", 64, &kind);
    if (!rc)
        rc = request_query_id(request, "id", &state->scope.id);
    if (rc)
        return rc;
    for (size_t i = 0; units_kinds[i].name; i++)
        if (slice_is(kind, units_kinds[i].name))
            state->scope.kind = units_kinds[i].value;
    if (kind.len && !state->scope.kind)
        return problem_set(&request->problem, METE_E_INVALID, "kind", "There is no such kind.");
    if (!kind.len != !state->scope.id.len)
        return problem_set(&request->problem, METE_E_INVALID, kind.len ? "id" : "kind",
                           "kind and id come together.");
    if (has_unit)
        rc = request_query(request, "unit", 64, &unit);
    if (!rc && has_unit && !unit.len)
        rc = problem_set(&request->problem, METE_E_INVALID, "unit", "It is missing.");
    if (!rc && has_unit)
        rc = read_unit(request, unit);
    if (!rc && has_limit)
        rc = request_page(request, &state->page);
    return rc;
}

/* ---- Quotas ---------------------------------------------------------------------------------- */

static void write_quotas(struct request *request)
{
    const struct quota_state *state = request->state;
    struct out *out = &request->out;
    out_clear(out);
    out_page_open(out);
    for (size_t i = 0; i < state->owners_len; i++)
        for (size_t k = 0; k < state->owners[i].len; k++)
            write_quota(request, &state->owners[i].quotas[k]);
    out_page_close(out, state->more ? state->owners[state->owners_len - 1].scope.n : 0);
    out_close(out, '}');
    request_reply(request, 200);
}

static bool next_owner(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct quota_state *state = request->state;
    if (*at >= state->owners_len)
        return false;
    *ret_query = (struct mete_query){.kind = METE_QUERY_QUOTAS,
                                     .scope = state->owners[*at].scope,
                                     .quotas = state->owners[*at].quotas,
                                     .rows_max = LIMIT_SCOPE_QUOTAS};
    return true;
}

static void got_owner(struct request *request, size_t at, int status,
                      const struct mete_answer *answer)
{
    struct owner *owner = &((struct quota_state *)request->state)->owners[at];
    if (status && status != METE_E_NOT_FOUND)
        request->work_status = status;
    if (status)
        return;
    ASSERT(answer->rows_len <= LIMIT_SCOPE_QUOTAS);
    owner->len = answer->rows_len;
    if (owner->len)
        request_want(request, NAME_SCOPE, owner->scope.n);
}

static void quotas_viewed(struct request *request)
{
    if (!request_failed(request))
        request_load_names(request, write_quotas);
}

static void ask_quotas(struct request *request)
{
    static const struct inquiry_plan plan = {next_owner, got_owner, quotas_viewed};
    if (!request_failed(request))
        inquiry_begin(request, &plan);
}

static void ask_own_quotas(struct request *request)
{
    struct quota_state *state = request->state;
    state->owners[0].scope = state->at;
    state->owners_len = 1;
    ask_quotas(request);
}

static int keep_owner(void *user, struct mete_scope_id scope)
{
    struct quota_state *state = ((struct request *)user)->state;
    state->more = state->owners_len == state->page.limit;
    if (state->more)
        return 1;
    state->owners[state->owners_len++].scope = scope;
    return 0;
}

static int read_owners(struct request *request, struct records_reader *reader)
{
    const struct quota_state *state = request->state;
    int rc = directory_owners(reader, RECORDS_GRANT, request->found, (uint32_t)state->page.after,
                              state->page.limit + 1, keep_owner, request);
    return rc < 0 ? rc : 0;
}

static void list_found(struct request *request)
{
    if (!request_missed(request, "org"))
        request_look(request, read_owners, ask_quotas);
}

void quotas_list(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    state->then = ask_own_quotas;
    int rc = read_query(request, false, true);
    if (!rc && state->page.after > UINT32_MAX)
        rc = problem_set(&request->problem, METE_E_INVALID, "cursor",
                         "It must be the next_cursor of a page before.");
    if (rc) {
        request_problem(request);
        return;
    }
    bool is_one = state->scope.kind != METE_KIND_NONE;
    state->owners = request_take(request, (is_one ? 1 : state->page.limit) * sizeof(struct owner));
    if (state->owners)
        request_find_organization(request, is_one ? organization_found : list_found);
}

static void quota_ended(struct request *request)
{
    if (request->op.status == METE_E_NOT_FOUND)
        request_fail(request, METE_E_NOT_FOUND, "unit", "The scope has no quota in this unit.");
    else if (!request_missed(request, "unit"))
        request_reply_empty(request, 204);
}

static void end_quota(struct request *request)
{
    struct quota_state *state = request->state;
    state->change =
        (struct mete_change){.kind = METE_END_QUOTA,
                             .at = state->at,
                             .grant = {.meter = state->meter, .currency = state->currency}};
    request_apply(request, &state->change, 1, quota_ended);
}

void quotas_end(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    state->then = end_quota;
    if (read_query(request, true, false))
        request_problem(request);
    else
        request_find_organization(request, organization_found);
}

/* ---- Grants ---------------------------------------------------------------------------------- */

static void grants_shown(struct request *request)
{
    const struct quota_state *state = request->state;
    struct out *out = &request->out;
    if (request_missed(request, "id"))
        return;
    size_t there = request->answer.rows_len;
    out_clear(out);
    out_page_open(out);
    for (size_t i = 0; i < there && i < state->page.limit; i++)
        write_grant(request, &state->grants[i]);
    out_close(out, ']');
    out_member_integer(out, "total", (int64_t)there);
    out_close(out, '}');
    request_reply(request, 200);
}

static void ask_grants(struct request *request)
{
    struct quota_state *state = request->state;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_GRANTS,
                                                  .scope = state->at,
                                                  .meter = state->meter,
                                                  .currency = state->currency,
                                                  .grants = state->grants,
                                                  .rows_max = state->page.limit}};
    request_ask(request, grants_shown);
}

void grants_list(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    state->then = ask_grants;
    if (read_query(request, true, true)) {
        request_problem(request);
        return;
    }
    state->grants = request_take(request, state->page.limit * sizeof *state->grants);
    if (state->grants)
        request_find_organization(request, organization_found);
}

static void grant_named(struct request *request)
{
    const struct quota_state *state = request->state;
    out_clear(&request->out);
    write_grant(request, &state->grant);
    request_reply(request, state->reply_status);
}

static void grant_shown(struct request *request)
{
    struct quota_state *state = request->state;
    if (request_missed(request, "grant"))
        return;
    state->grant = request->answer.grant;
    request_want(request, NAME_SCOPE, state->grant.scope.n);
    request_load_names(request, grant_named);
}

static void ask_grant(struct request *request, struct mete_text id,
                      void (*then)(struct request *request))
{
    struct quota_state *state = request->state;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_FIND_GRANT,
                                                  .id = id,
                                                  .organization = state->organization}};
    request_ask(request, then);
}

/* The grant of the path, then what is done to it. */
static void grant_in(struct request *request)
{
    struct quota_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    ask_grant(request, request_text(request->params[1]), state->then);
}

static void find_grant(struct request *request)
{
    if (fields_is_id(request->params[1]))
        request_find_organization(request, grant_in);
    else
        request_fail(request, METE_E_NOT_FOUND, "grant", "Nothing here has this id.");
}

void grants_show(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    state->then = grant_shown;
    state->reply_status = 200;
    find_grant(request);
}

/* ---- Granting -------------------------------------------------------------------------------- */

static void granted(struct request *request)
{
    const struct quota_state *state = request->state;
    int status = request->op.status;
    if (status == METE_E_EXISTS)
        request_fail(request, status, "id", "This id is taken: a grant's is for ever.");
    else if (status == METE_E_FULL)
        request_fail(request, status, "unit", "A scope has quotas in at most %d units.",
                     LIMIT_SCOPE_QUOTAS);
    else if (status == METE_E_INVALID)
        request_fail(request, status, "amount", "It is less than what is drawn and held.");
    else if (!request_missed(request, "grant"))
        ask_grant(request, state->change.grant.id, grant_shown);
}

static void create(struct request *request)
{
    struct quota_state *state = request->state;
    struct slice id = state->in.id.len ? state->in.id : request_make_id(request, "gr_");
    if (!id.len) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    state->change.grant.id = request_text(id);
    state->change.grant.scope = state->at;
    request_apply(request, &state->change, 1, granted);
}

#define AT(member) offsetof(struct grant_in, member)
static const struct field create_table[] = {
    {.name = "id", .type = FIELD_ID, .offset = AT(id)},
    {.name = "scope", .type = FIELD_OBJECT, .flags = FIELD_REQUIRED, .offset = AT(scope)},
    {.name = "unit",
     .type = FIELD_TOKEN,
     .flags = FIELD_REQUIRED,
     .offset = AT(unit),
     .min = 1,
     .max = 64},
    {.name = "amount", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(amount)},
    {.name = "priority", .type = FIELD_COUNT, .offset = AT(priority), .max = UINT32_MAX},
    {.name = "expires_at", .type = FIELD_INSTANT, .flags = FIELD_OR_NULL, .offset = AT(expires_at)},
    {.name = "source", .type = FIELD_TEXT, .offset = AT(source), .min = 1, .max = LIMIT_SOURCE},
};
static const struct field update_table[] = {
    {.name = "amount", .type = FIELD_AMOUNT, .offset = AT(amount)},
    {.name = "priority", .type = FIELD_COUNT, .offset = AT(priority), .max = UINT32_MAX},
    {.name = "expires_at", .type = FIELD_INSTANT, .flags = FIELD_OR_NULL, .offset = AT(expires_at)},
    {.name = "source", .type = FIELD_TEXT, .offset = AT(source), .min = 1, .max = LIMIT_SOURCE},
};
static const struct field refund_table[] = {
    {.name = "amount", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(amount)},
};
#undef AT

static int read_body(struct request *request, const struct field *table, size_t len)
{
    struct quota_state *state = request->state;
    struct json body;
    const struct fields fields = {.table = table,
                                  .len = len,
                                  .path = "",
                                  .arena = &request->arena,
                                  .problem = &request->problem};
    state->in.priority = state->in.expires_at = -1;
    int rc = request_body(request, &body);
    if (!rc)
        rc = fields_read(&fields, body, &state->in);
    if (rc)
        return rc;
    state->in.never = json_member(body, "expires_at").type == JSON_NULL;
    if (state->in.expires_at != -1 && state->in.expires_at <= mete_now(request->api->parts.mete).us)
        return problem_set(&request->problem, METE_E_INVALID, "expires_at",
                           "It must be in the future.");
    return 0;
}

/* What the body says, over what the spec has. */
static int specify(struct request *request, uint16_t meter, struct mete_grant_spec *spec)
{
    const struct grant_in *in = &((struct quota_state *)request->state)->in;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    if (in->amount.len) {
        int rc = units_amount(&fields, "amount", meter, in->amount, &spec->amount);
        if (rc)
            return rc;
    }
    if (in->priority >= 0)
        spec->priority = (uint32_t)in->priority;
    if (in->expires_at >= 0 || in->never)
        spec->expires_at.us = in->never ? 0 : in->expires_at;
    if (in->source.len)
        spec->source = request_text(in->source);
    return 0;
}

void grants_create(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    state->then = create;
    state->reply_status = 201;
    state->change = (struct mete_change){.kind = METE_PUT_GRANT, .flags = METE_CHANGE_CREATE};
    struct mete_grant_spec *spec = &state->change.grant;
    int rc = read_body(request, create_table, sizeof create_table / sizeof create_table[0]);
    if (!rc)
        rc = read_unit(request, state->in.unit);
    if (!rc)
        rc = scope_in_read(request, state->in.scope, "scope", &state->scope);
    spec->meter = state->meter;
    spec->currency = state->currency;
    spec->source = request_text(SLICE_LITERAL("admin"));
    if (!rc)
        rc = specify(request, spec->meter, spec);
    if (!rc && state->scope.organization.len &&
        !slice_equal(state->scope.organization, request->params[0]))
        rc = problem_set(&request->problem, METE_E_INVALID, "scope.organization",
                         "The path names another organization.");
    if (rc)
        request_problem(request);
    else
        request_find_organization(request, organization_found);
}

/* ---- Changing -------------------------------------------------------------------------------- */

static void update(struct request *request)
{
    struct quota_state *state = request->state;
    if (request_missed(request, "grant"))
        return;
    state->grant = request->answer.grant;
    const struct mete_grant_view *view = &state->grant;
    state->change = (struct mete_change){.kind = METE_PUT_GRANT,
                                         .flags = METE_CHANGE_UPDATE,
                                         .grant = {.id = {view->id, strlen(view->id)},
                                                   .scope = view->scope,
                                                   .meter = view->meter,
                                                   .currency = view->currency,
                                                   .amount = view->amount,
                                                   .priority = view->priority,
                                                   .expires_at = view->expires_at,
                                                   .source = {view->source, strlen(view->source)}}};
    if (specify(request, view->meter, &state->change.grant))
        request_problem(request);
    else
        request_apply(request, &state->change, 1, granted);
}

void grants_update(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    state->then = update;
    state->reply_status = 200;
    if (read_body(request, update_table, sizeof update_table / sizeof update_table[0]))
        request_problem(request);
    else
        request_turn(request, find_grant);
}

static void refunded(struct request *request)
{
    const struct quota_state *state = request->state;
    if (request->op.status == METE_E_INVALID)
        request_fail(request, METE_E_INVALID, "amount",
                     "It must be above 0 and at most what is drawn.");
    else if (!request_missed(request, "grant"))
        ask_grant(request, request_text(slice_of(state->grant.id)), grant_shown);
}

static void refund(struct request *request)
{
    struct quota_state *state = request->state;
    struct mete_grant_spec amount = {0};
    if (request_missed(request, "grant"))
        return;
    state->grant = request->answer.grant;
    if (specify(request, state->grant.meter, &amount)) {
        request_problem(request);
        return;
    }
    state->change = (struct mete_change){
        .kind = METE_REFUND, .refund = state->grant.grant, .amount = amount.amount};
    request_apply(request, &state->change, 1, refunded);
}

void grants_refund(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    state->then = refund;
    state->reply_status = 200;
    if (read_body(request, refund_table, sizeof refund_table / sizeof refund_table[0]))
        request_problem(request);
    else
        find_grant(request);
}
