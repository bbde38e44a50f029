/* SPDX-License-Identifier: Apache-2.0
 * GET .../budgets/summary: all budgets of an organization in one view.
 *
 * Which ones there are comes from the records, how they stand from the engine, a batch at a time
 * beside the traffic; nothing is kept but a handle each and the sums. A call counts in every budget
 * that has a say, so sums over budgets are not what was spent: that is /cost/usage. */
#include "api/limits/handlers.h"
#include "api/limits/budget_document.h"
#include "api/limits/budget_json.h"
#include "api/limits/projection.h"
#include "api/units.h"
#include "base/assert.h"

enum { CHUNK = 1024, CHUNKS_MAX = 480, GROUPS_MAX = 256, TOP_MAX = 100, TOP_USUAL = 5 };

struct known {
    uint32_t handle;
    int64_t made_us;
};

static const char *const statuses[] = {"active",   "warning", "critical",
                                       "exceeded", "expired", "scheduled"};
enum { STATUSES = sizeof statuses / sizeof statuses[0] };

/* When a budget was made, and when it is looked at. */
struct moment {
    int64_t made_us, now_us;
};

/* The budgets of one kind of scope in one unit. */
struct group {
    enum mete_kind kind;
    uint16_t meter;
    uint32_t currency;
    uint64_t budgets;
    int128 limit, used, held, projected;
};

struct summary {
    struct known *chunks[CHUNKS_MAX]; /* of CHUNK each */
    size_t len;
    uint64_t budgets, templates, over_limit;
    uint64_t by_status[STATUSES];
    struct group groups[GROUPS_MAX];
    size_t groups_len, top_len, top_max;
    struct mete_budget_view top[TOP_MAX]; /* the most used first */
};

/* ---- Which ones there are, on a worker ---------------------------------------------------------
 */

static int keep_row(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct summary *summary = request->state;
    size_t chunk = summary->len / CHUNK;
    if (chunk == CHUNKS_MAX)
        return METE_E_FULL;
    if (!summary->chunks[chunk])
        summary->chunks[chunk] = arena_take(&request->arena, CHUNK * sizeof(struct known));
    if (!summary->chunks[chunk])
        return METE_E_MEMORY;
    struct budget_document document;
    budget_document_read(budget_document_scan(entity->document), &document);
    int64_t made_us = document.made_us ? document.made_us : entity->changed_at_us;
    summary->chunks[chunk][summary->len++ % CHUNK] = (struct known){entity->handle, made_us};
    return 0;
}

static const struct known *known_at(const struct summary *summary, size_t at)
{
    return &summary->chunks[at / CHUNK][at % CHUNK];
}

static int read_rows(struct request *request, struct records_reader *reader)
{
    struct summary *summary = request->state;
    for (;;) {
        size_t before = summary->len;
        uint32_t after = before ? known_at(summary, before - 1)->handle : 0;
        int rc =
            directory_list(reader, RECORDS_BUDGET, request->found, after, CHUNK, keep_row, request);
        if (rc || summary->len == before)
            return rc;
    }
}

/* ---- How they stand, from the engine -----------------------------------------------------------
 */

static bool next_row(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct summary *summary = request->state;
    if (*at >= summary->len)
        return false;
    *ret_query =
        (struct mete_query){.kind = METE_QUERY_BUDGET, .budget = {known_at(summary, *at)->handle}};
    return true;
}

/* Of its scope's kind and its unit; NULL: there are too many. */
static struct group *group_of(struct request *request, const struct mete_budget_view *view)
{
    struct summary *summary = request->state;
    enum mete_kind kind = view->scope_kind;
    for (size_t i = 0; i < summary->groups_len; i++) {
        struct group *group = &summary->groups[i];
        if (group->kind == kind && group->meter == view->meter && group->currency == view->currency)
            return group;
    }
    if (summary->groups_len == GROUPS_MAX)
        return NULL;
    struct group *group = &summary->groups[summary->groups_len++];
    *group = (struct group){.kind = kind, .meter = view->meter, .currency = view->currency};
    return group;
}

static void keep_top(struct summary *summary, const struct mete_budget_view *view)
{
    int128 share = budget_json_share(view);
    size_t at = summary->top_len;
    while (at > 0 && budget_json_share(&summary->top[at - 1]) < share)
        at--;
    if (at == summary->top_max)
        return;
    summary->top_len += summary->top_len < summary->top_max;
    memmove(summary->top + at + 1, summary->top + at,
            (summary->top_len - at - 1) * sizeof summary->top[0]);
    summary->top[at] = *view;
}

static void count(struct summary *summary, struct group *group, const struct mete_budget_view *view,
                  const struct moment *moment)
{
    struct projection projection;
    int128 used = (int128)view->committed + view->held;
    const char *status = budget_json_status(view, moment->now_us);
    bool is_known = projection_of(view, moment->made_us, moment->now_us, &projection);
    summary->budgets++;
    summary->over_limit += used > view->limit;
    for (size_t i = 0; i < STATUSES; i++)
        summary->by_status[i] += !strcmp(statuses[i], status);
    group->budgets++;
    group->limit += view->limit;
    group->used += view->committed;
    group->held += view->held;
    group->projected += is_known ? projection.amount : view->committed;
    keep_top(summary, view);
}

static void got_row(struct request *request, size_t at, int status,
                    const struct mete_answer *answer)
{
    struct summary *summary = request->state;
    const struct mete_budget_view *view = &answer->budget;
    if (status == METE_E_BUSY)
        request->work_status = status;
    if (status || view->ended)
        return;
    if (view->for_kind) {
        summary->templates++;
        return;
    }
    struct group *group = group_of(request, view);
    if (!group) {
        request->work_status = METE_E_FULL;
        return;
    }
    const struct moment moment = {known_at(summary, at)->made_us,
                                  mete_now(request->api->parts.mete).us};
    count(summary, group, view, &moment);
}

/* ---- The reply ------------------------------------------------------------------------------- */

static void write_group(struct out *out, const struct group *group)
{
    units_write(out, "unit", group->meter, group->currency);
    out_member_integer(out, "budgets", (int64_t)group->budgets);
    out_member_amount(out, "limit", group->meter, group->limit);
    out_member_amount(out, "used", group->meter, group->used);
    out_member_amount(out, "held", group->meter, group->held);
    out_member_amount(out, "remaining", group->meter, group->limit - group->used - group->held);
    out_member_amount(out, "projected_spend", group->meter, group->projected);
    out_close(out, '}');
}

static void write_kinds(struct out *out, const struct summary *summary)
{
    out_key(out, "by_scope_kind");
    out_open(out, '[');
    for (enum mete_kind kind = METE_ORGANIZATION; kind < METE_KINDS; kind++)
        for (size_t i = 0; i < summary->groups_len; i++) {
            if (summary->groups[i].kind != kind)
                continue;
            out_open(out, '{');
            out_member_text(out, "kind", slice_of(fields_word(units_kinds, (int)kind)));
            write_group(out, &summary->groups[i]);
        }
    out_close(out, ']');
}

/* Of all kinds of scope together: the first group of a unit takes in the others. */
static void write_totals(struct out *out, const struct summary *summary)
{
    out_key(out, "totals");
    out_open(out, '[');
    for (size_t i = 0; i < summary->groups_len; i++) {
        struct group total = {.meter = summary->groups[i].meter,
                              .currency = summary->groups[i].currency};
        bool is_first = true;
        for (size_t k = 0; k < summary->groups_len; k++) {
            const struct group *group = &summary->groups[k];
            if (group->meter != total.meter || group->currency != total.currency)
                continue;
            is_first &= k >= i;
            total.budgets += group->budgets;
            total.limit += group->limit;
            total.used += group->used;
            total.held += group->held;
            total.projected += group->projected;
        }
        if (!is_first)
            continue;
        out_open(out, '{');
        write_group(out, &total);
    }
    out_close(out, ']');
}

static void write_top(struct request *request, const struct summary *summary)
{
    struct out *out = &request->out;
    out_key(out, "top");
    out_open(out, '[');
    for (size_t i = 0; i < summary->top_len; i++) {
        budget_json_brief(request, &summary->top[i]);
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void reply(struct request *request)
{
    const struct summary *summary = request->state;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "organization", request->params[0]);
    out_member_integer(out, "budgets", (int64_t)summary->budgets);
    out_member_integer(out, "templates", (int64_t)summary->templates);
    out_member_integer(out, "over_limit", (int64_t)summary->over_limit);
    out_key(out, "by_status");
    out_open(out, '{');
    for (size_t i = 0; i < STATUSES; i++)
        out_member_integer(out, statuses[i], (int64_t)summary->by_status[i]);
    out_close(out, '}');
    write_kinds(out, summary);
    write_totals(out, summary);
    write_top(request, summary);
    out_key(out, "last_seq");
    out_unsigned(out, request->last_seq);
    out_close(out, '}');
    request_reply(request, 200);
}

static void viewed(struct request *request)
{
    const struct summary *summary = request->state;
    if (request_failed(request))
        return;
    for (size_t i = 0; i < summary->top_len; i++)
        budget_json_want(request, &summary->top[i]);
    request_load_names(request, reply);
}

static void rows_read(struct request *request)
{
    static const struct inquiry_plan plan = {next_row, got_row, viewed};
    if (!request_failed(request))
        inquiry_begin(request, &plan);
}

static void organization_found(struct request *request)
{
    if (!request_missed(request, "org"))
        request_work(request, read_rows, rows_read);
}

/* ---- The question ---------------------------------------------------------------------------- */

static int read_question(struct request *request, struct summary *summary)
{
    static const char *const known[] = {"top", NULL};
    int rc = request_query_known(request, known);
    summary->top_max = TOP_USUAL;
    return rc ? rc : request_query_count(request, "top", TOP_MAX, &summary->top_max);
}

void budget_summary_show(struct request *request)
{
    struct summary *summary = request_take(request, sizeof *summary);
    if (!summary)
        return;
    request->state = summary;
    if (read_question(request, summary))
        request_problem(request);
    else
        request_find_organization(request, organization_found);
}
