/* SPDX-License-Identifier: Apache-2.0
 * GET .../budgets/{budget}/explain: the newest steps by which a budget's figures came to be, oldest
 * first, on a worker. Each row says how the figures stood after its entry and by how much that was
 * more than before; `from` is where the first row begins, so that they add up. */
#include "api/limits/handlers.h"
#include "api/authority/authority.h"
#include "api/limits/budget_json.h"
#include "api/units.h"
#include "base/limits.h"
#include "codec/timestamp.h"

struct explain {
    int64_t since_us; /* -1: the window of now */
    size_t max, len;
    uint64_t told; /* steps[told % max] is the next */
    struct mete_budget_view view;
    bool has_from;
    struct mete_step from;
    struct mete_step *steps; /* a ring of max */
};

/* ---- On a worker ----------------------------------------------------------------------------- */

static int keep(void *user, const struct mete_step *step)
{
    struct explain *explain = user;
    if (!strcmp(step->what, "before")) {
        explain->from = *step;
        explain->has_from = true;
        return 0;
    }
    struct mete_step *at = &explain->steps[explain->told++ % explain->max];
    if (explain->len == explain->max) {
        explain->from = *at;
        explain->has_from = true;
    } else {
        explain->len++;
    }
    *at = *step;
    return 0;
}

static int run(struct request *request, struct records_reader *reader)
{
    struct explain *explain = request->state;
    (void)reader;
    return mete_explain(request->api->parts.mete, explain->view.budget,
                        (struct mete_instant){explain->since_us}, keep, explain);
}

/* ---- The reply ------------------------------------------------------------------------------- */

static const struct mete_step *step_at(const struct explain *explain, size_t i)
{
    return &explain->steps[(explain->told - explain->len + i) % explain->max];
}

static void write_figures(struct out *out, const struct explain *explain,
                          const struct mete_step *step)
{
    bool whole = explain->view.period == METE_TOTAL;
    out_member_instant(out, "window_start", whole ? INT64_MAX : step->window_start.us);
    out_member_amount(out, "amount", explain->view.meter, step->limit);
    out_member_amount(out, "used", explain->view.meter, step->committed);
    out_member_amount(out, "held", explain->view.meter, step->held);
}

/* What the window stood at before row i. A window that no row before was of began at nothing. */
static struct mete_step before(const struct explain *explain, size_t i)
{
    int64_t window_us = step_at(explain, i)->window_start.us;
    for (size_t k = i; k > 0; k--)
        if (step_at(explain, k - 1)->window_start.us == window_us)
            return *step_at(explain, k - 1);
    if (explain->has_from && explain->from.window_start.us == window_us)
        return explain->from;
    return (struct mete_step){0};
}

static void write_step(struct request *request, const struct explain *explain, size_t i)
{
    const struct mete_step *step = step_at(explain, i);
    struct mete_step was = before(explain, i);
    struct out *out = &request->out;
    uint16_t meter = explain->view.meter;
    out_open(out, '{');
    out_member_integer(out, "seq", (int64_t)step->seq);
    out_member_instant(out, "at", step->at.us);
    out_member_text(out, "what", slice_of(step->what));
    budget_json_scope(request, "scope", step->scope.n);
    if (step->reservation.n)
        authority_write_reserve_id(out, step->reservation.n);
    else
        out_raw(out, SLICE_LITERAL("\"reserve_id\":null"));
    out_member_amount(out, "used_change", meter, (int128)step->committed - was.committed);
    out_member_amount(out, "held_change", meter, (int128)step->held - was.held);
    write_figures(out, explain, step);
    out_close(out, '}');
}

static void write(struct request *request)
{
    const struct explain *explain = request->state;
    struct out *out = &request->out;
    out_open(out, '{');
    units_write(out, "unit", explain->view.meter, explain->view.currency);
    out_key(out, "from");
    if (explain->has_from) {
        out_open(out, '{');
        out_member_integer(out, "seq", (int64_t)explain->from.seq);
        write_figures(out, explain, &explain->from);
        out_close(out, '}');
    } else {
        out_null(out);
    }
    out_key(out, "data");
    out_open(out, '[');
    for (size_t i = 0; i < explain->len; i++)
        write_step(request, explain, i);
    out_close(out, ']');
    out_raw(out, SLICE_LITERAL("\"next_cursor\":null"));
    out_close(out, '}');
    request_reply(request, 200);
}

static void explained(struct request *request)
{
    const struct explain *explain = request->state;
    if (request_failed(request))
        return;
    for (size_t i = 0; i < explain->len; i++)
        if (step_at(explain, i)->scope.n)
            request_want(request, NAME_SCOPE, step_at(explain, i)->scope.n);
    request_load_names(request, write);
}

/* ---- The question ---------------------------------------------------------------------------- */

static void budget_found(struct request *request)
{
    struct explain *explain = request->state;
    if (request_missed(request, "budget"))
        return;
    explain->view = request->answer.budget;
    if (explain->since_us < 0)
        explain->since_us = explain->view.window_start.us;
    request_work(request, run, explained);
}

static void organization_found(struct request *request)
{
    if (request_missed(request, "org"))
        return;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_FIND_BUDGET,
                                                  .id = request_text(request->params[1]),
                                                  .organization = request->found}};
    request_ask(request, budget_found);
}

static int read_question(struct request *request, struct explain *explain)
{
    static const char *const known[] = {"since", "limit", NULL};
    struct slice since;
    struct page page;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = request_query(request, "since", 64, &since);
    if (!rc)
        rc = request_page(request, &page);
    if (rc)
        return rc;
    explain->since_us = -1;
    explain->max = page.limit;
    if (since.len && timestamp_parse(since, &explain->since_us))
        return problem_set(&request->problem, METE_E_INVALID, "since",
                           "It must be an instant, such as 2030-01-31T00:00:00Z (a + as %%2B).");
    return 0;
}

void budgets_explain(struct request *request)
{
    struct explain *explain = request_take(request, sizeof *explain);
    if (!explain)
        return;
    request->state = explain;
    if (read_question(request, explain)) {
        request_problem(request);
        return;
    }
    explain->steps = request_take(request, explain->max * sizeof *explain->steps);
    if (explain->steps)
        request_find_organization(request, organization_found);
}
