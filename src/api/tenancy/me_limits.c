/* SPDX-License-Identifier: Apache-2.0
 * The path is walked by asking each scope for its parent; rate limits are asked for once, since the
 * engine gives those of a whole path; quotas scope by scope.
 *
 * The limits being loaded are found by the request's state, whose first member they are. */
#include "api/tenancy/me_limits.h"

#include "api/limits/budget_json.h"
#include "api/limits/handlers.h"
#include "api/units.h"
#include "base/assert.h"

static struct me_limits *of(struct request *request)
{
    return request->state;
}

static bool next_quotas(struct request *request, size_t *at, struct mete_query *ret_query)
{
    struct me_limits *limits = of(request);
    if (*at >= limits->path_len)
        return false;
    *ret_query = (struct mete_query){.kind = METE_QUERY_QUOTAS,
                                     .scope = limits->path[*at].scope,
                                     .quotas = limits->path[*at].quotas,
                                     .rows_max = LIMIT_SCOPE_QUOTAS};
    return true;
}

static void got_quotas(struct request *request, size_t at, int status,
                       const struct mete_answer *answer)
{
    struct me_limits *limits = of(request);
    if (status && status != METE_E_NOT_FOUND)
        request->work_status = status;
    limits->path[at].len = status ? 0 : answer->rows_len;
    ASSERT(limits->path[at].len <= LIMIT_SCOPE_QUOTAS);
    if (limits->path[at].len)
        request_want(request, NAME_SCOPE, limits->path[at].scope.n);
}

static void quotas_there(struct request *request)
{
    if (!request_failed(request))
        request_load_names(request, of(request)->then);
}

static void got_rates(struct request *request)
{
    static const struct inquiry_plan plan = {next_quotas, got_quotas, quotas_there};
    struct me_limits *limits = of(request);
    if (request_missed(request, NULL))
        return;
    limits->rates_len =
        request->answer.rows_len < ME_RATES ? request->answer.rows_len : (size_t)ME_RATES;
    for (size_t i = 0; i < limits->rates_len; i++)
        request_want(request, NAME_SCOPE, limits->rates[i].scope.n);
    inquiry_begin(request, &plan);
}

static void ask_rates(struct request *request)
{
    struct me_limits *limits = of(request);
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_RATES,
                                                  .scope = limits->path[0].scope,
                                                  .rates = limits->rates,
                                                  .rows_max = ME_RATES}};
    request_ask(request, got_rates);
}

static void got_scope(struct request *request);

static void ask_scope(struct request *request, struct mete_scope_id scope)
{
    struct me_limits *limits = of(request);
    limits->path[limits->path_len++].scope = scope;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_SCOPE, .scope = scope}};
    request_ask(request, got_scope);
}

static void got_scope(struct request *request)
{
    if (request_missed(request, NULL))
        return;
    struct mete_scope_id parent = request->answer.scope.parent;
    if (parent.n && of(request)->path_len < LIMIT_PATH_SCOPES)
        ask_scope(request, parent);
    else
        ask_rates(request);
}

void me_limits_load(struct request *request, struct me_limits *limits, struct mete_scope_id scope,
                    void (*then)(struct request *request))
{
    ASSERT(request->state == limits && scope.n);
    limits->then = then;
    limits->path_len = 0;
    ask_scope(request, scope);
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

void me_limits_write(struct request *request, const struct me_limits *limits,
                     struct slice organization)
{
    struct out *out = &request->out;
    out_key(out, "rate_limits");
    out_open(out, '[');
    for (size_t i = 0; i < limits->rates_len; i++)
        if (!limits->rates[i].ended)
            rate_limits_write(request, organization, &limits->rates[i]);
    out_close(out, ']');
    out_key(out, "quotas");
    out_open(out, '[');
    for (size_t i = 0; i < limits->path_len; i++)
        for (size_t k = 0; k < limits->path[i].len; k++)
            write_quota(request, &limits->path[i].quotas[k]);
    out_close(out, ']');
}
