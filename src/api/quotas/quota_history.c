/* SPDX-License-Identifier: Apache-2.0
 * GET .../quotas/history: what was granted, held, drawn, given back, refunded and ended of a
 * scope's quota in a unit, newest first, as the journal tells it, on a worker. Each row says how
 * the figures stood after its entry and by how much that was more than before.
 *
 * The journal is read from `since` (the newest snapshot before it) to its end, for every page. */
#include "api/quotas/handlers.h"
#include "api/authority/authority.h"
#include "api/entities.h"
#include "api/limits/budget_json.h"
#include "api/quotas/grant_json.h"
#include "api/quotas/units.h"
#include "api/quotas/whose.h"
#include "api/units.h"
#include "base/assert.h"
#include "codec/timestamp.h"

struct row {
    struct mete_quota_step step;
    int64_t granted, drawn, held; /* by how much they changed */
    struct slice document;        /* of the grant that is named */
};

struct history {
    struct whose whose; /* first: whose.h */
    struct mete_quota_question question;
    struct page page;
    struct mete_quota_step last; /* of those told so far */
    struct row *rows;            /* a ring of page.limit */
    size_t len;
    uint64_t told; /* rows[told % limit] is the next */
};

/* Where a row stands: a grant that expired is seen before the entry whose number it has. */
static uint64_t place_of(const struct mete_quota_step *step)
{
    return step->seq * 2 + (strcmp(step->what, "grant_expired") != 0);
}

/* ---- On a worker ----------------------------------------------------------------------------- */

static int keep(void *user, const struct mete_quota_step *step)
{
    struct history *history = user;
    const struct mete_quota_step last = history->last;
    history->last = *step;
    if (!strcmp(step->what, "before") ||
        (history->page.after && place_of(step) >= history->page.after))
        return 0;
    history->rows[history->told++ % history->page.limit] =
        (struct row){.step = *step,
                     .granted = step->granted - last.granted,
                     .drawn = step->drawn - last.drawn,
                     .held = step->held - last.held};
    if (history->len < history->page.limit)
        history->len++;
    return 0;
}

static int run(struct request *request, struct records_reader *reader)
{
    struct history *history = request->state;
    (void)reader;
    int rc = mete_explain_quota(request->api->parts.mete, &history->question, keep, history);
    for (size_t i = 0; i < history->len && !rc; i++)
        if (history->rows[i].step.grant[0])
            rc = grant_document(request, history->whose.organization,
                                slice_of(history->rows[i].step.grant), &history->rows[i].document);
    return rc;
}

/* ---- The reply ------------------------------------------------------------------------------- */

/* Row i, 0 the newest. */
static const struct row *row_at(const struct history *history, size_t i)
{
    return &history->rows[(history->told - 1 - i) % history->page.limit];
}

static void write_row(struct request *request, const struct row *row)
{
    const struct mete_quota_step *step = &row->step;
    struct out *out = &request->out;
    uint16_t meter = ((struct history *)request->state)->question.meter;
    out_open(out, '{');
    out_member_integer(out, "seq", (int64_t)step->seq);
    out_member_instant(out, "at", step->at.us);
    out_member_text(out, "what", slice_of(step->what));
    out_key(out, "grant");
    if (step->grant[0])
        out_text(out, slice_of(step->grant));
    else
        out_null(out);
    entities_member(request, entities_document(row->document), "source", JSON_STRING, "null");
    grant_json_origin(request, row->document);
    budget_json_scope(request, "scope", step->scope.n);
    if (step->reservation.n)
        authority_write_reserve_id(out, step->reservation.n);
    else
        out_raw(out, SLICE_LITERAL("\"reserve_id\":null"));
    out_member_amount(out, "granted_change", meter, row->granted);
    out_member_amount(out, "drawn_change", meter, row->drawn);
    out_member_amount(out, "held_change", meter, row->held);
    out_member_amount(out, "granted", meter, step->granted);
    out_member_amount(out, "drawn", meter, step->drawn);
    out_member_amount(out, "held", meter, step->held);
    out_member_amount(out, "balance", meter, (int128)step->granted - step->drawn - step->held);
    out_close(out, '}');
}

static void write(struct request *request)
{
    const struct history *history = request->state;
    struct out *out = &request->out;
    out_page_open(out);
    for (size_t i = 0; i < history->len; i++)
        write_row(request, row_at(history, i));
    out_page_close(
        out, history->told > history->len ? place_of(&row_at(history, history->len - 1)->step) : 0);
    units_write(out, "unit", history->question.meter, history->question.currency);
    out_close(out, '}');
    request_reply(request, 200);
}

static void told(struct request *request)
{
    const struct history *history = request->state;
    if (request_failed(request))
        return;
    for (size_t i = 0; i < history->len; i++)
        request_want(request, NAME_SCOPE, row_at(history, i)->step.scope.n);
    request_load_names(request, write);
}

/* ---- The question ---------------------------------------------------------------------------- */

static void explain(struct request *request)
{
    struct history *history = request->state;
    history->question.scope = history->whose.at;
    request_work(request, run, told);
}

static int read_unit(struct request *request, struct history *history)
{
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    struct slice unit;
    int rc = request_query(request, "unit", 64, &unit);
    if (!rc && !unit.len)
        rc = problem_set(&request->problem, METE_E_INVALID, "unit", "It is missing.");
    return rc ? rc
              : quota_unit_read(&fields, "unit", unit, &history->question.meter,
                                &history->question.currency);
}

static int read_question(struct request *request, struct history *history)
{
    static const char *const known[] = {"kind",  "id",    "user_id", "unit",
                                        "since", "limit", "cursor",  NULL};
    struct slice since;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = whose_query(request);
    if (!rc)
        rc = read_unit(request, history);
    if (!rc)
        rc = request_query(request, "since", 64, &since);
    if (!rc)
        rc = request_page(request, &history->page);
    if (!rc && since.len && timestamp_parse(since, &history->question.since.us))
        rc = problem_set(&request->problem, METE_E_INVALID, "since",
                         "It must be an instant, such as 2030-01-31T00:00:00Z (a + as %%2B).");
    return rc;
}

void quotas_history(struct request *request)
{
    struct history *history = request_take(request, sizeof *history);
    if (!history)
        return;
    request->state = history;
    if (read_question(request, history)) {
        request_problem(request);
        return;
    }
    history->rows = request_take(request, history->page.limit * sizeof *history->rows);
    if (history->rows)
        whose_find(request, explain);
}
