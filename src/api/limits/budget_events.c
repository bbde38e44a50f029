/* SPDX-License-Identifier: Apache-2.0
 * What happened to budgets: thresholds, soft limits, throttles, stops, overruns. Read from the
 * events that the engine projects, newest first; the engine says what their budgets count in. A
 * cursor is the place of the last event: its entry, and its number among those of the entry. */
#include "api/limits/handlers.h"
#include "api/limits/budget_json.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"
#include "codec/decimal.h"

enum { CURSOR_BITS = 16 };

static const struct word words[] = {
    {"threshold", METE_EVENT_THRESHOLD},     {"soft_limit", METE_EVENT_SOFT_LIMIT},
    {"throttled", METE_EVENT_THROTTLED},     {"stopped", METE_EVENT_STOPPED},
    {"lifted", METE_EVENT_LIFTED},           {"overrun", METE_EVENT_OVERRUN},
    {"limit_below", METE_EVENT_LIMIT_BELOW}, {NULL, 0},
};

struct row {
    struct mete_event event;
    uint32_t n;                   /* of its entry's */
    struct mete_budget_view view; /* budget.n 0: not answered */
};

struct events {
    bool of_all; /* organizations that one may see */
    struct records_event_filter filter;
    struct slice budget;
    struct row *rows;
    size_t limit, len;
    bool more;
};

static int keep_row(void *user, const struct mete_event *event, uint32_t n)
{
    struct events *events = ((struct request *)user)->state;
    events->more = events->len == events->limit;
    if (events->more)
        return 1;
    events->rows[events->len++] = (struct row){.event = *event, .n = n};
    return 0;
}

static int read_rows(struct request *request, struct records_reader *reader)
{
    const struct events *events = request->state;
    int rc = events->filter.organization.n
                 ? directory_events(reader, &events->filter, keep_row, request)
                 : directory_all_events(reader, &events->filter, keep_row, request);
    return rc < 0 ? rc : 0;
}

static bool next_row(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct events *events = request->state;
    if (*at >= events->len)
        return false;
    *ret_query =
        (struct mete_query){.kind = METE_QUERY_BUDGET, .budget = events->rows[*at].event.budget};
    return true;
}

static void got_row(struct request *request, size_t at, int status,
                    const struct mete_answer *answer)
{
    struct events *events = request->state;
    if (status)
        request->work_status = status;
    else
        events->rows[at].view = answer->budget;
    request_want(request, NAME_SCOPE, answer->budget.scope.n);
    request_want(request, NAME_SCOPE, answer->budget.organization.n);
}

/* ---- The reply ------------------------------------------------------------------------------- */

static void write_threshold(struct out *out, uint32_t ppm)
{
    char room[DECIMAL_ROOM];
    out_key(out, "threshold");
    if (ppm)
        out_raw(out, (struct slice){room, decimal_format(ppm, 6, 0, room)});
    else
        out_null(out);
}

static void write_organization(struct request *request, uint32_t handle)
{
    const struct name *name = namebook_scope(request->api->names, handle);
    out_key(&request->out, "organization");
    if (name)
        out_text(&request->out, namebook_id(name));
    else
        out_null(&request->out);
}

static void write_row(struct request *request, const struct row *row)
{
    const struct mete_event *event = &row->event;
    struct out *out = &request->out;
    uint16_t meter = row->view.meter;
    out_open(out, '{');
    out_member_integer(out, "seq", (int64_t)event->seq);
    out_member_instant(out, "at", event->at.us);
    out_member_text(out, "event", slice_of(fields_word(words, (int)event->kind)));
    out_member_text(out, "level", slice_of(budget_json_level(event->kind, event->threshold_ppm)));
    write_organization(request, row->view.organization.n);
    out_member_text(out, "budget", slice_of(row->view.id));
    budget_json_scope(request, "scope", row->view.scope.n);
    units_write(out, "unit", meter, row->view.currency);
    write_threshold(out, event->threshold_ppm);
    out_member_amount(out, "limit", meter, event->limit);
    out_member_amount(out, "used", meter, event->committed);
    out_member_amount(out, "held", meter, event->held);
    out_close(out, '}');
}

static void write_list(struct request *request)
{
    const struct events *events = request->state;
    struct out *out = &request->out;
    out_page_open(out);
    for (size_t i = 0; i < events->len; i++)
        write_row(request, &events->rows[i]);
    const struct row *last = events->more ? &events->rows[events->len - 1] : NULL;
    out_page_close(out, last ? (int128)last->event.seq << CURSOR_BITS | last->n : 0);
    out_key(out, "last_seq");
    out_unsigned(out, request->last_seq);
    out_close(out, '}');
    request_reply(request, 200);
}

static void viewed(struct request *request)
{
    if (!request_failed(request))
        request_load_names(request, write_list);
}

static void rows_read(struct request *request)
{
    static const struct inquiry_plan plan = {next_row, got_row, viewed};
    if (!request_failed(request))
        inquiry_begin(request, &plan);
}

/* ---- The question ---------------------------------------------------------------------------- */

static void budget_found(struct request *request)
{
    struct events *events = request->state;
    if (request_missed(request, "budget"))
        return;
    events->filter.budget = request->answer.budget.budget;
    request_work(request, read_rows, rows_read);
}

static void organization_found(struct request *request)
{
    struct events *events = request->state;
    if (request_missed(request, "org"))
        return;
    events->filter.organization = request->found;
    if (!events->budget.len) {
        request_work(request, read_rows, rows_read);
        return;
    }
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_FIND_BUDGET,
                                                  .id = request_text(events->budget),
                                                  .organization = request->found}};
    request_ask(request, budget_found);
}

static int read_word(struct request *request, struct events *events)
{
    struct slice text;
    int rc = request_query(request, "event", 64, &text);
    if (rc || !text.len)
        return rc;
    for (size_t i = 0; words[i].name; i++)
        if (slice_is(text, words[i].name))
            events->filter.kind = (enum mete_event_kind)words[i].value;
    return events->filter.kind
               ? 0
               : problem_set(&request->problem, METE_E_INVALID, "event", "There is no such event.");
}

static int read_question(struct request *request, struct events *events)
{
    static const char *const of_one[] = {"budget", "event", "limit", "cursor", NULL};
    static const char *const of_all[] = {"event", "limit", "cursor", NULL};
    struct page page;
    int rc = request_query_known(request, events->of_all ? of_all : of_one);
    if (!rc && !events->of_all)
        rc = request_query_id(request, "budget", &events->budget);
    if (!rc)
        rc = read_word(request, events);
    if (!rc)
        rc = request_page(request, &page);
    if (rc)
        return rc;
    events->limit = page.limit;
    events->filter.limit = page.limit + 1;
    events->filter.before_seq = page.after >> CURSOR_BITS;
    events->filter.before_n = (uint32_t)(page.after & ((1u << CURSOR_BITS) - 1));
    return 0;
}

static struct events *begin(struct request *request, bool of_all)
{
    struct events *events = request_take(request, sizeof *events);
    if (!events)
        return NULL;
    request->state = events;
    events->of_all = of_all;
    if (read_question(request, events)) {
        request_problem(request);
        return NULL;
    }
    events->rows = request_take(request, events->limit * sizeof *events->rows);
    return events->rows ? events : NULL;
}

void budget_events_list(struct request *request)
{
    if (begin(request, false))
        request_find_organization(request, organization_found);
}

/* Of the organization that asks; of all where the installation does (INV-12). */
void budget_alerts_list(struct request *request)
{
    struct events *events = begin(request, true);
    if (!events)
        return;
    if (!events->filter.kind)
        events->filter.kind = METE_EVENT_THRESHOLD;
    ASSERT_INV("INV-12", request->who.admin || request->who.organization.n);
    if (!request->who.admin)
        events->filter.organization = request->who.organization;
    request_work(request, read_rows, rows_read);
}
