/* SPDX-License-Identifier: Apache-2.0
 * GET .../budgets/usage and .../budgets/{budget}/usage: how a budget stands, its thresholds, and on
 * request the windows before the present one.
 *
 * Those are read from the journal (mete_explain), so that they are what the engine counted, late
 * ends included; it costs a replay of as much of the journal as they reach back, on a worker, and
 * knows nothing of what lies before the journal's base. */
#include "api/limits/handlers.h"
#include "api/limits/budget_find.h"
#include "api/limits/budget_json.h"
#include "api/limits/budgets.h"
#include "base/checked.h"
#include "codec/decimal.h"

enum { HISTORY_MAX = 100, DAY_S = 86400 };

struct window {
    int64_t start_us, committed, held;
};

struct usage {
    struct budget_search search;
    size_t wanted, len;                     /* windows of history */
    struct window windows[HISTORY_MAX + 1]; /* by start, the newest last */
};

/* ---- Windows before, on a worker ---------------------------------------------------------------
 */

/* Room for it: the oldest goes where there are too many. NULL: it is older than all of them. */
static struct window *place(struct usage *usage, int64_t start_us)
{
    size_t at = usage->len, max = usage->wanted + 1;
    while (at > 0 && usage->windows[at - 1].start_us > start_us)
        at--;
    if (at > 0 && usage->windows[at - 1].start_us == start_us)
        return &usage->windows[at - 1];
    if (usage->len == max) {
        if (at == 0)
            return NULL;
        at--;
        memmove(usage->windows, usage->windows + 1, at * sizeof usage->windows[0]);
    } else {
        memmove(usage->windows + at + 1, usage->windows + at,
                (usage->len - at) * sizeof usage->windows[0]);
        usage->len++;
    }
    usage->windows[at] = (struct window){.start_us = start_us};
    return &usage->windows[at];
}

static int keep(void *user, const struct mete_step *step)
{
    struct window *window = place(user, step->window_start.us);
    if (!window)
        return 0;
    window->committed = step->committed;
    window->held = step->held;
    return 0;
}

/* No window of the period is longer: of days there are some with 25 hours. */
static int64_t longest_s(enum mete_period period)
{
    static const int64_t seconds[METE_PERIODS] = {
        [METE_MINUTE] = 60,
        [METE_HOURLY] = 3600,
        [METE_DAILY] = DAY_S + 3600,
        [METE_WEEKLY] = 7 * DAY_S + 3600,
        [METE_MONTHLY] = 31 * DAY_S + 3600,
        [METE_QUARTERLY] = 92 * DAY_S + 3600,
        [METE_YEARLY] = 366 * DAY_S + 3600,
    };
    return seconds[period];
}

static int read_history(struct request *request, struct records_reader *reader)
{
    struct usage *usage = request->state;
    const struct mete_budget_view *view = &usage->search.view;
    int64_t back_us = (int64_t)usage->wanted * longest_s(view->period) * 1000000;
    int64_t since_us = view->window_start.us > back_us ? view->window_start.us - back_us : 0;
    (void)reader;
    return mete_explain(request->api->parts.mete, view->budget, (struct mete_instant){since_us},
                        keep, usage);
}

/* ---- The reply ------------------------------------------------------------------------------- */

static void write_thresholds(struct out *out, const struct mete_budget_view *view)
{
    out_key(out, "thresholds");
    out_open(out, '[');
    for (size_t i = 0; i < view->thresholds_len; i++) {
        char room[DECIMAL_ROOM];
        int64_t amount;
        bool fits = checked_mul_div_up(view->limit, view->thresholds_ppm[i], 1000000, &amount);
        out_open(out, '{');
        out_key(out, "threshold");
        out_raw(out, (struct slice){room, decimal_format(view->thresholds_ppm[i], 6, 0, room)});
        out_member_amount(out, "amount", view->meter, fits ? amount : view->limit);
        out_member_bool(out, "reached", view->fired >> i & 1);
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void write_history(struct out *out, const struct usage *usage)
{
    uint16_t meter = usage->search.view.meter;
    out_key(out, "history");
    out_open(out, '[');
    for (size_t i = usage->len; i > 0; i--) {
        const struct window *window = &usage->windows[i - 1];
        if (window->start_us >= usage->search.view.window_start.us)
            continue;
        out_open(out, '{');
        out_member_instant(out, "window_start", window->start_us);
        out_member_amount(out, "used", meter, window->committed);
        out_member_amount(out, "held", meter, window->held);
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void reply(struct request *request)
{
    const struct usage *usage = request->state;
    const struct mete_budget_view *view = &usage->search.view;
    struct out *out = &request->out;
    out_clear(out);
    budget_json_open(request, view, budget_document_scan(usage->search.document));
    write_thresholds(out, view);
    if (usage->wanted)
        write_history(out, usage);
    out_close(out, '}');
    request_reply(request, 200);
}

static void load_names(struct request *request)
{
    const struct usage *usage = request->state;
    budget_json_want(request, &usage->search.view);
    request_load_names(request, reply);
}

static void history_read(struct request *request)
{
    if (!request_failed(request))
        load_names(request);
}

/* ---- The question ---------------------------------------------------------------------------- */

static void found(struct request *request)
{
    const struct usage *usage = request->state;
    const struct mete_budget_view *view = &usage->search.view;
    if (usage->wanted && !view->for_kind && longest_s(view->period))
        request_work(request, read_history, history_read);
    else
        load_names(request);
}

static int read_question(struct request *request, struct usage *usage)
{
    static const char *const known[] = {"history", NULL};
    int rc = request_query_known(request, known);
    return rc ? rc : request_query_count(request, "history", HISTORY_MAX, &usage->wanted);
}

void budget_usage_show(struct request *request)
{
    struct usage *usage = request_take(request, sizeof *usage);
    if (!usage)
        return;
    request->state = usage;
    if (read_question(request, usage))
        request_problem(request);
    else
        budget_find_document(request, found);
}
