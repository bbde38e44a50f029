/* SPDX-License-Identifier: Apache-2.0
 * .../budgets/alerts and .../budgets/{budget}/alerts: at which shares of its limit a budget alerts,
 * and who is told. The thresholds are the engine's, which fires each once a window; who is told is
 * in the document. .../alerts/test answers what would be sent if the next threshold were reached.
 *
 * Who sends is not built: POST .../test says so rather than do as if. */
#include "api/limits/handlers.h"
#include "api/limits/budget_find.h"
#include "api/limits/budget_json.h"
#include "api/limits/budgets.h"
#include "api/units.h"
#include "codec/decimal.h"

#include <stdio.h>

struct alerts {
    struct budget_search search;
    struct budget_in in;
    struct mete_change change;
    struct budget_document document;
    bool sends;
};

/* ---- Showing --------------------------------------------------------------------------------- */

static void write_thresholds(struct out *out, const struct mete_budget_view *view)
{
    out_key(out, "alert_thresholds");
    out_open(out, '[');
    for (size_t i = 0; i < view->thresholds_len; i++) {
        char room[DECIMAL_ROOM];
        out_raw(out, (struct slice){room, decimal_format(view->thresholds_ppm[i], 6, 0, room)});
    }
    out_close(out, ']');
}

static void open_reply(struct request *request)
{
    const struct alerts *alerts = request->state;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "budget", slice_of(alerts->search.view.id));
    budget_json_scope(request, "scope", alerts->search.view.scope.n);
}

static void show_named(struct request *request)
{
    struct alerts *alerts = request->state;
    struct out *out = &request->out;
    budget_document_read(budget_document_scan(alerts->search.document), &alerts->document);
    open_reply(request);
    write_thresholds(out, &alerts->search.view);
    budget_document_show_alerts(out, &alerts->document);
    out_close(out, '}');
    request_reply(request, 200);
}

static void show_found(struct request *request)
{
    const struct alerts *alerts = request->state;
    budget_json_want(request, &alerts->search.view);
    request_load_names(request, show_named);
}

static struct alerts *begin(struct request *request)
{
    static const char *const none[] = {NULL};
    struct alerts *alerts = request_take(request, sizeof *alerts);
    request->state = alerts;
    if (!alerts || !request_query_known(request, none))
        return alerts;
    request_problem(request);
    return NULL;
}

static void look_found(struct request *request)
{
    const struct alerts *alerts = request->state;
    request->version = alerts->search.version;
    show_found(request);
}

void budget_alerts_show(struct request *request)
{
    if (begin(request))
        budget_find_document(request, look_found);
}

/* ---- Setting --------------------------------------------------------------------------------- */

static void set_viewed(struct request *request)
{
    struct alerts *alerts = request->state;
    if (request_missed(request, "budget"))
        return;
    alerts->search.view = request->answer.budget;
    show_found(request);
}

static void set_applied(struct request *request)
{
    const struct alerts *alerts = request->state;
    if (request_missed(request, "budget"))
        return;
    request->version = request->op.result.applied.seq;
    request->op = (struct mete_op){
        .kind = METE_OP_QUERY,
        .args.query = {.kind = METE_QUERY_BUDGET, .budget = alerts->search.view.budget}};
    request_ask(request, set_viewed);
}

static int specify(struct request *request)
{
    struct alerts *alerts = request->state;
    struct budget_search *search = &alerts->search;
    alerts->change = (struct mete_change){.kind = METE_PUT_BUDGET, .flags = METE_CHANGE_UPDATE};
    budgets_respecify(&search->view, &alerts->change.budget);
    budget_document_read(budget_document_scan(search->document), &alerts->document);
    alerts->document.id = slice_of(search->view.id);
    int rc = 0;
    if (alerts->in.alert_thresholds.type || alerts->in.percent_ppm)
        rc = budget_in_thresholds(request, &alerts->in, &alerts->change.budget);
    if (!rc)
        rc = budget_in_document(request, &alerts->in, &alerts->document);
    if (!rc)
        rc = budget_document_write(request, &alerts->document, &search->document);
    alerts->change.document = request_text(search->document);
    return rc;
}

static void set_found(struct request *request)
{
    const struct alerts *alerts = request->state;
    if (!request_matches(request, alerts->search.version))
        return;
    if (specify(request))
        request_problem(request);
    else
        request_apply(request, &alerts->change, 1, set_applied);
}

static void set_begin(struct request *request)
{
    budget_find_document(request, set_found);
}

void budget_alerts_set(struct request *request)
{
    struct alerts *alerts = begin(request);
    if (!alerts)
        return;
    if (budget_in_read_alerts(request, &alerts->in))
        request_problem(request);
    else
        request_turn(request, set_begin);
}

/* ---- What would be sent ---------------------------------------------------------------------- */

/* The first threshold that has not been reached in this window; if all have, the last one. 0: it
 * has none. */
static uint32_t next_ppm(const struct mete_budget_view *view)
{
    for (size_t i = 0; i < view->thresholds_len; i++)
        if (!(view->fired >> i & 1))
            return view->thresholds_ppm[i];
    return view->thresholds_len ? view->thresholds_ppm[view->thresholds_len - 1] : 0;
}

static void write_alert(struct request *request, const struct alerts *alerts, uint32_t ppm)
{
    const struct mete_budget_view *view = &alerts->search.view;
    struct out *out = &request->out;
    char share[DECIMAL_ROOM], percent[DECIMAL_ROOM], text[320];
    size_t share_len = decimal_format(ppm, 6, 0, share);
    decimal_format(ppm, 4, 0, percent);
    snprintf(text, sizeof text, "Budget %s has reached %s %% of its limit.", view->id, percent);
    out_open(out, '{');
    out_member_text(out, "type", SLICE_LITERAL("budget"));
    out_member_text(out, "level", slice_of(budget_json_level(METE_EVENT_THRESHOLD, ppm)));
    out_key(out, "threshold");
    out_raw(out, (struct slice){share, share_len});
    out_member_text(out, "message", slice_of(text));
    units_write(out, "unit", view->meter, view->currency);
    out_member_amount(out, "limit", view->meter, view->limit);
    out_member_amount(out, "used", view->meter, view->committed);
    out_member_amount(out, "held", view->meter, view->held);
    out_close(out, '}');
}

static const char *why_not(const struct alerts *alerts, uint32_t ppm)
{
    if (alerts->document.is_quiet)
        return "alert_enabled is false.";
    if (!ppm)
        return "The budget has no alert_thresholds.";
    return "No notifier is configured.";
}

static void test_named(struct request *request)
{
    struct alerts *alerts = request->state;
    struct out *out = &request->out;
    uint32_t ppm = next_ppm(&alerts->search.view);
    budget_document_read(budget_document_scan(alerts->search.document), &alerts->document);
    if (alerts->sends) {
        request_fail(request, METE_E_NOT_YET, NULL, "Nothing was sent: %s", why_not(alerts, ppm));
        return;
    }
    open_reply(request);
    out_member_bool(out, "would_send", false);
    out_member_text(out, "reason", slice_of(why_not(alerts, ppm)));
    out_key(out, "notify");
    out_raw(out, alerts->document.notify.len ? alerts->document.notify : SLICE_LITERAL("[]"));
    out_key(out, "alert");
    if (ppm)
        write_alert(request, alerts, ppm);
    else
        out_null(out);
    out_close(out, '}');
    request_reply(request, 200);
}

static void test_found(struct request *request)
{
    const struct alerts *alerts = request->state;
    budget_json_want(request, &alerts->search.view);
    request_load_names(request, test_named);
}

void budget_alerts_test(struct request *request)
{
    struct alerts *alerts = begin(request);
    if (!alerts)
        return;
    alerts->sends = request->route->verb == BUDGET_ALERTS_SEND;
    budget_find_document(request, test_found);
}
