/* SPDX-License-Identifier: Apache-2.0
 * Quotas: what is left of what was granted. All figures are the engine's; the records only tell
 * which scopes of an organization have any. A scope has at most four quotas, one answer. */
#include "api/quotas/handlers.h"
#include "api/limits/budget_json.h"
#include "api/quotas/units.h"
#include "api/quotas/whose.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stddef.h>

struct owner {
    struct mete_scope_id scope;
    size_t len;
    struct mete_quota_view quotas[LIMIT_SCOPE_QUOTAS];
};

struct quota_state {
    struct whose whose; /* first: whose.h */
    uint16_t meter;
    uint32_t currency;
    struct page page;
    struct mete_change change;
    struct owner *owners; /* of a list */
    size_t owners_len;
    bool more;
};

static struct quota_state *begin(struct request *request)
{
    struct quota_state *state = request_take(request, sizeof *state);
    if (state)
        request->state = state;
    return state;
}

/* ---- Writing --------------------------------------------------------------------------------- */

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
    state->owners[0].scope = state->whose.at;
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

static int read_list(struct request *request)
{
    static const char *const known[] = {"kind", "id", "user_id", "limit", "cursor", NULL};
    struct quota_state *state = request->state;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = whose_query(request);
    if (!rc)
        rc = request_page(request, &state->page);
    if (!rc && state->page.after > UINT32_MAX)
        rc = problem_set(&request->problem, METE_E_INVALID, "cursor",
                         "It must be the next_cursor of a page before.");
    return rc;
}

void quotas_list(struct request *request)
{
    struct quota_state *state = begin(request);
    if (!state)
        return;
    if (read_list(request)) {
        request_problem(request);
        return;
    }
    bool is_one = state->whose.scope.kind != METE_KIND_NONE;
    state->owners = request_take(request, (is_one ? 1 : state->page.limit) * sizeof(struct owner));
    if (!state->owners)
        return;
    if (is_one)
        whose_find(request, ask_own_quotas);
    else
        request_find_organization(request, list_found);
}

/* ---- Ending ---------------------------------------------------------------------------------- */

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
                             .at = state->whose.at,
                             .grant = {.meter = state->meter, .currency = state->currency}};
    request_apply(request, &state->change, 1, quota_ended);
}

static int read_end(struct request *request)
{
    static const char *const known[] = {"kind", "id", "user_id", "unit", NULL};
    struct quota_state *state = request->state;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    struct slice unit;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = whose_query(request);
    if (!rc)
        rc = request_query(request, "unit", 64, &unit);
    if (!rc && !unit.len)
        rc = problem_set(&request->problem, METE_E_INVALID, "unit", "It is missing.");
    return rc ? rc : quota_unit_read(&fields, "unit", unit, &state->meter, &state->currency);
}

void quotas_end(struct request *request)
{
    if (!begin(request))
        return;
    if (read_end(request))
        request_problem(request);
    else
        whose_find(request, end_quota);
}
