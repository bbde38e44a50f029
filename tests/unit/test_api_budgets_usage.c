/* SPDX-License-Identifier: Apache-2.0
 * Proves what is asked of budgets beside themselves: how they stand and stood, who is told and what
 * would be sent, whether an amount would fit, all of them in one view, and what happened in every
 * organization; from when until when one counts, and the seeds' own words. By id, and as the
 * organization's own. The clock stands at 2026-11-21T09:00:00Z. */
#include "unit/api_case.h"

#define ACME "/api/v1/organizations/acme"
#define BUDGETS ACME "/budgets"
#define ADA "\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\""
#define HOUR_US (INT64_C(3600) * 1000000)

static void spend(struct api_case *c, const char *scope, const char *amount)
{
    static int n;
    char body[256];
    snprintf(body, sizeof body,
             "{\"request_id\":\"s-%d\",\"scope\":{%s,\"organization\":\"acme\"},\"amount\":\"%s\"}",
             n++, scope, amount);
    expect(c, 200, "POST", "/api/v1/budget/record", body);
}

static void spend_as_ada(struct api_case *c, const char *amount)
{
    spend(c, "\"kind\":\"user\",\"id\":\"ada\"", amount);
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static void usage_tells_figures_thresholds_and_projection(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":\"100\"}");
    expect_member(c, "projected_spend", "null"); /* nothing has elapsed */
    expect_member(c, "projection", "null");
    c->now_us += 15 * HOUR_US; /* 2026-11-22T00:00:00Z; the month has 9 days more */
    spend_as_ada(c, "85.50");
    expect(c, 200, "GET", BUDGETS "/usage", NULL);
    expect_member(c, "id", "own");
    expect_member(c, "used", "85.50");
    expect_member(c, "held", "0.00");
    expect_member(c, "remaining", "14.50");
    expect_member(c, "usage_percentage", "85.5");
    expect_member(c, "current_spend", "85.50");
    expect_member(c, "monthly_limit", "100.00");
    expect_member(c, "status", "warning");
    expect_member(c, "over_limit", "false");
    expect_member(c, "over_by", "(none)");
    expect_member(c, "thresholds.0.threshold", "0.8");
    expect_member(c, "thresholds.0.amount", "80.00");
    expect_member(c, "thresholds.0.reached", "true");
    expect_member(c, "thresholds.1.reached", "false");
    expect_member(c, "thresholds.3", "(none)");
    expect_member(c, "history", "(none)");
    /* 85.50 in 15 of the 231 hours since it was made. */
    expect_member(c, "projected_spend", "1316.70");
    expect_member(c, "projection.method", "linear");
    expect_member(c, "projection.from", "2026-11-21T09:00:00Z");
    expect_member(c, "projection.until", "2026-12-01T00:00:00Z");
    expect(c, 200, "GET", BUDGETS "/own/usage", NULL);
    expect_member(c, "used", "85.50");
}

static void history_is_of_the_windows_before(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"d\",\"amount\":\"5\",\"period\":\"daily\"," ADA "}");
    static const char *const amounts[] = {"1", "2", "3", "4"};
    for (int day = 0; day < 4; day++) {
        spend_as_ada(c, amounts[day]);
        spend_as_ada(c, "0.50");
        c->now_us += 24 * HOUR_US;
    }
    expect(c, 200, "GET", BUDGETS "/d/usage?history=3", NULL);
    expect_member(c, "used", "0.00");
    expect_member(c, "history.0.window_start", "2026-11-24T00:00:00Z");
    expect_member(c, "history.0.used", "4.50");
    expect_member(c, "history.0.held", "0.00");
    expect_member(c, "history.1.used", "3.50");
    expect_member(c, "history.2.used", "2.50");
    expect_member(c, "history.3", "(none)");
    spend_as_ada(c, "0.25"); /* the present window is not of the past */
    expect(c, 200, "GET", BUDGETS "/d/usage?history=100", NULL);
    expect_member(c, "history.0.window_start", "2026-11-24T00:00:00Z");
    expect_member(c, "history.3.window_start", "2026-11-21T00:00:00Z");
    expect_member(c, "history.3.used", "1.50");
    expect_member(c, "history.4", "(none)");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"t\",\"amount\":\"5\",\"period\":\"total\"," ADA "}");
    expect(c, 200, "GET", BUDGETS "/t/usage?history=3", NULL);
    expect_member(c, "history", "[]");
    expect_member(c, "projected_spend", "null");
    expect_problem(c, 400, "invalid", "history", "GET", BUDGETS "/d/usage?history=101", NULL);
    expect_problem(c, 400, "invalid", "history", "GET", BUDGETS "/d/usage?history=0", NULL);
    expect_problem(c, 400, "invalid", "windows", "GET", BUDGETS "/d/usage?windows=1", NULL);
}

/* A call that ends in a later window counts in the one it was reserved in. */
static void a_late_end_changes_the_window_it_was_made_in(void **state)
{
    struct api_case *c = *state;
    char deduct[128];
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"h\",\"amount\":\"5\",\"period\":\"hourly\"," ADA "}");
    expect(c, 200, "POST", "/api/v1/budget/reserve",
           "{\"request_id\":\"late\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\","
           "\"organization\":\"acme\"},\"amount\":\"2\",\"ttl_seconds\":7200}");
    snprintf(deduct, sizeof deduct, "{\"reserve_id\":\"%.40s\",\"amount\":\"1.25\"}",
             member(c, "reserve_id"));
    c->now_us += HOUR_US;
    spend_as_ada(c, "1");
    expect(c, 200, "GET", BUDGETS "/h/usage?history=1", NULL);
    expect_member(c, "used", "1.00");
    expect_member(c, "history.0.held", "2.00");
    expect(c, 200, "POST", "/api/v1/budget/deduct", deduct);
    expect(c, 200, "GET", BUDGETS "/h/usage?history=1", NULL);
    expect_member(c, "history.0.used", "1.25");
    expect_member(c, "history.0.held", "0.00");
}

static void a_limit_lowered_below_what_is_spent_says_so(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":\"10\"}");
    spend_as_ada(c, "4");
    expect(c, 200, "PUT", BUDGETS, "{\"monthly_limit\":\"1.50\"}");
    expect_member(c, "over_limit", "true");
    expect_member(c, "over_by", "2.50");
    expect_member(c, "used", "4.00");
    expect_member(c, "status", "exceeded");
    expect(c, 200, "PUT", BUDGETS, "{\"monthly_limit\":4}");
    expect_member(c, "over_limit", "false");
}

/* ---- Alerts ---------------------------------------------------------------------------------- */

static void alerts_are_set_shown_and_tried(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"name\":\"Own\",\"monthly_limit\":10}");
    expect(c, 200, "POST", BUDGETS "/alerts",
           "{\"alert_thresholds\":[0.5,90],\"notify\":[\"ops@example.org\",\"budget-alerts\"]}");
    expect_member(c, "budget", "own");
    expect_member(c, "scope.kind", "organization");
    expect_member(c, "alert_thresholds", "[0.5,0.9]");
    expect_member(c, "alert_enabled", "true");
    expect_member(c, "notify.1", "budget-alerts");
    expect(c, 200, "GET", BUDGETS "/own/alerts", NULL);
    expect_member(c, "notify.0", "ops@example.org");
    expect(c, 200, "PUT", BUDGETS "/own", "{\"monthly_limit\":20}"); /* keeps them */
    expect_member(c, "notify.0", "ops@example.org");
    expect_member(c, "name", "Own");

    expect(c, 200, "GET", BUDGETS "/alerts/test", NULL);
    expect_member(c, "would_send", "false");
    expect_member(c, "reason", "No notifier is configured.");
    expect_member(c, "notify.0", "ops@example.org");
    expect_member(c, "alert.level", "info");
    expect_member(c, "alert.threshold", "0.5");
    expect_member(c, "alert.message", "Budget own has reached 50 % of its limit.");
    spend_as_ada(c, "15");
    expect(c, 200, "GET", BUDGETS "/own/alerts/test", NULL);
    expect_member(c, "alert.level", "critical");
    expect_member(c, "alert.used", "15.00");
    expect_problem(c, 501, "not_yet", "(none)", "POST", BUDGETS "/alerts/test", NULL);
    expect_member(c, "detail", "Nothing was sent: No notifier is configured.");
    expect(c, 501, "POST", BUDGETS "/own/alerts/test", NULL);

    expect(c, 200, "POST", BUDGETS "/own/alerts", "{\"alert_enabled\":false}");
    expect_member(c, "alert_thresholds", "[0.5,0.9]");
    expect(c, 200, "GET", BUDGETS "/alerts/test", NULL);
    expect_member(c, "reason", "alert_enabled is false.");
    expect(c, 200, "POST", BUDGETS "/own/alerts", "{\"usage_percentage\":75,\"notify\":[]}");
    expect_member(c, "alert_thresholds", "[0.75]");
    expect_member(c, "notify", "[]");
    expect(c, 200, "POST", BUDGETS "/own/alerts",
           "{\"alert_thresholds\":[],\"alert_enabled\":true}");
    expect(c, 200, "GET", BUDGETS "/own/alerts/test", NULL);
    expect_member(c, "alert", "null");
    expect_member(c, "reason", "The budget has no alert_thresholds.");
}

static void each_wrong_field_of_alerts_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *field, *body;
    } cases[] = {
        {"(none)", "{}"},
        {"alert_thresholds[0]", "{\"alert_thresholds\":[0]}"},
        {"alert_thresholds", "{\"alert_thresholds\":0.5}"},
        {"alert_thresholds", "{\"alert_thresholds\":[0.5,50]}"},
        {"usage_percentage", "{\"usage_percentage\":0}"},
        {"usage_percentage", "{\"usage_percentage\":101}"},
        {"usage_percentage", "{\"usage_percentage\":80,\"alert_thresholds\":[0.5]}"},
        {"alert_enabled", "{\"alert_enabled\":1}"},
        {"notify", "{\"notify\":\"ops\"}"},
        {"notify[1]", "{\"notify\":[\"ops\",\"a b\"]}"},
        {"channels", "{\"channels\":[]}"},
    };
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":10}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_problem(c, 400, "invalid", cases[i].field, "POST", BUDGETS "/alerts", cases[i].body);
    expect(c, 200, "GET", BUDGETS "/alerts", NULL);
    expect_member(c, "alert_thresholds", "[0.8,0.9,0.95]");
    expect_problem(c, 400, "invalid", "limit", "GET", BUDGETS "/alerts?limit=1", NULL);
}

/* ---- Check ----------------------------------------------------------------------------------- */

static void a_check_lists_every_budget_that_has_a_say(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":10}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"ada\",\"amount\":\"2\",\"period\":\"daily\"," ADA "}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"mini\",\"amount\":\"1\",\"period\":\"daily\",\"models\":[\"gpt-4o*\"]," ADA
           "}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"shadow\",\"amount\":\"1\",\"period\":\"daily\",\"mode\":\"shadow\"," ADA "}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"calls\",\"amount\":5,\"period\":\"daily\",\"unit\":\"requests\","
           "\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}}");
    expect(c, 200, "POST", BUDGETS "/check",
           "{\"amount\":\"1.50\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}}");
    expect_member(c, "allowed", "true");
    expect_member(c, "available", "true");
    expect_member(c, "remaining", "2.00");
    expect_member(c, "unit", "USD");
    expect_member(c, "budgets.0.budget", "ada");
    expect_member(c, "budgets.0.fits", "true");
    expect_member(c, "budgets.0.reason", "null");
    expect_member(c, "budgets.1.budget", "shadow");
    expect_member(c, "budgets.1.fits", "false");
    expect_member(c, "budgets.1.reason", "hard_limit");
    expect_member(c, "budgets.2.budget", "own");
    expect_member(c, "budgets.3", "(none)");
    expect(
        c, 200, "POST", BUDGETS "/check",
        "{\"amount\":1.5,\"model\":\"gpt-4o-mini\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}}");
    expect_member(c, "allowed", "false");
    expect_member(c, "budgets.1.budget", "mini");
    expect_member(c, "budgets.1.fits", "false");
    expect_member(c, "refused_by.0.budget", "mini");
    expect_member(c, "retry_at", "null");                               /* it never fits */
    expect(c, 200, "POST", BUDGETS "/check", "{\"amount\":\"10.01\"}"); /* of the organization */
    expect_member(c, "scope.kind", "organization");
    expect_member(c, "allowed", "false");
    expect_member(c, "budgets.0.limit", "10.00");
    expect_member(c, "budgets.1", "(none)");
    expect(c, 200, "POST", BUDGETS "/calls/check", "{\"amount\":6}");
    expect_member(c, "unit", "requests");
    expect_member(c, "allowed", "false");
    expect(c, 200, "POST", BUDGETS "/check", "{\"amount\":6,\"unit\":\"tokens\"}");
    expect_member(c, "allowed", "true");
    expect_member(c, "budgets", "[]");
    expect_member(c, "remaining", "null");
    expect(c, 200, "GET", BUDGETS "/own", NULL); /* advice takes nothing */
    expect_member(c, "held", "0.00");
}

static void each_wrong_field_of_a_check_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        int status;
        const char *field, *body;
    } cases[] = {
        {400, "amount", "{}"},
        {400, "amount", "{\"amount\":\"-1\"}"},
        {400, "amount", "{\"amount\":\"1.5\",\"unit\":\"tokens\"}"},
        {400, "unit", "{\"amount\":1,\"unit\":\"gold\"}"},
        {400, "scope.kind", "{\"amount\":1,\"scope\":{\"kind\":\"team\",\"id\":\"ada\"}}"},
        {404, "scope.id", "{\"amount\":1,\"scope\":{\"kind\":\"user\",\"id\":\"bob\"}}"},
        {400, "scope.organization",
         "{\"amount\":1,\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":\"zeta\"}}"},
        {400, "model", "{\"amount\":1,\"model\":\"a b\"}"},
        {400, "provider", "{\"amount\":1,\"provider\":\"\"}"},
        {400, "session", "{\"amount\":1,\"session\":7}"},
        {400, "tags", "{\"amount\":1,\"tags\":\"a\"}"},
        {400, "extra", "{\"amount\":1,\"extra\":true}"},
    };
    make_acme(c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(c, cases[i].status, "POST", BUDGETS "/check", cases[i].body);
        expect_member(c, "field", cases[i].field);
    }
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":10}");
    expect_problem(c, 400, "invalid", "unit", "POST", BUDGETS "/own/check",
                   "{\"amount\":1,\"unit\":\"USD\"}");
}

/* ---- Summary --------------------------------------------------------------------------------- */

static void a_summary_adds_up(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 200, "GET", BUDGETS "/summary", NULL);
    expect_member(c, "budgets", "0");
    expect_member(c, "totals", "[]");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":100}");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"a\",\"amount\":\"5\",\"period\":\"daily\"," ADA "}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"b\",\"amount\":\"3\",\"period\":\"weekly\"," ADA "}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"t\",\"amount\":9,\"period\":\"total\",\"unit\":\"tokens\","
           "\"scope\":{\"kind\":\"department\",\"id\":\"research\"}}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"each\",\"amount\":9,\"period\":\"daily\",\"unit\":\"USD\",\"for_kind\":"
           "\"api_key\",\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"}}");
    c->now_us += 5 * HOUR_US;
    spend_as_ada(c, "4");
    expect(c, 200, "GET", BUDGETS "/summary?top=2", NULL);
    expect_member(c, "organization", "acme");
    expect_member(c, "budgets", "4");
    expect_member(c, "templates", "1");
    expect_member(c, "over_limit", "1");
    expect_member(c, "by_status.active", "2");
    expect_member(c, "by_status.warning", "1");
    expect_member(c, "by_status.exceeded", "1");
    expect_member(c, "by_scope_kind.0.kind", "organization");
    expect_member(c, "by_scope_kind.0.limit", "100.00");
    expect_member(c, "by_scope_kind.1.kind", "department");
    expect_member(c, "by_scope_kind.1.unit", "tokens");
    expect_member(c, "by_scope_kind.2.kind", "user");
    expect_member(c, "by_scope_kind.2.budgets", "2");
    expect_member(c, "by_scope_kind.2.used", "8.00");
    expect_member(c, "by_scope_kind.2.remaining", "0.00");
    /* 4 of 5 hours: 12 of 15 until midnight, 31.2 of 39 until Monday. */
    expect_member(c, "by_scope_kind.2.projected_spend", "43.20");
    expect_member(c, "totals.0.unit", "USD");
    expect_member(c, "totals.0.budgets", "3");
    expect_member(c, "totals.0.limit", "108.00");
    expect_member(c, "totals.0.used", "12.00");
    expect_member(c, "totals.1.unit", "tokens");
    expect_member(c, "totals.2", "(none)");
    expect_member(c, "top.0.budget", "b");
    expect_member(c, "top.0.usage_percentage", "133.3333");
    expect_member(c, "top.1.budget", "a");
    expect_member(c, "top.2", "(none)");
    expect_problem(c, 400, "invalid", "top", "GET", BUDGETS "/summary?top=0", NULL);
    expect_problem(c, 400, "invalid", "top", "GET", BUDGETS "/summary?top=101", NULL);
    expect_problem(c, 400, "invalid", "cursor", "GET", BUDGETS "/summary?cursor=1", NULL);
}

/* More than one batch, one page of the records and one chunk of memory hold. */
static void a_summary_of_many(void **state)
{
    struct api_case *c = *state;
    enum { USERS = 160, EACH = 8 };
    make_acme(c);
    for (int u = 0; u < USERS; u++) {
        char body[256];
        snprintf(body, sizeof body, "{\"id\":\"u%d\",\"name\":\"U\"}", u);
        expect(c, 201, "POST", ACME "/users", body);
        for (int b = 0; b < EACH; b++) {
            snprintf(body, sizeof body,
                     "{\"scope\":{\"kind\":\"user\",\"id\":\"u%d\"},\"unit\":\"USD\",\"amount\":"
                     "\"0.0%d1\",\"period\":\"monthly\"}",
                     u, b);
            expect(c, 201, "POST", BUDGETS, body);
        }
    }
    expect(c, 200, "GET", BUDGETS "/summary", NULL);
    expect_member(c, "budgets", "1280");
    expect_member(c, "totals.0.limit", "46.08"); /* 160 * (0.288) */
}

/* ---- Everywhere ------------------------------------------------------------------------------ */

static void alerts_of_all_organizations_newest_first(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":10}");
    expect(c, 201, "POST", "/api/v1/organizations/zeta/budgets",
           "{\"id\":\"zown\",\"monthly_limit\":10,\"alert_thresholds\":[0.5]}");
    spend_as_ada(c, "9");
    expect(c, 200, "POST", "/api/v1/budget/record",
           "{\"request_id\":\"z\",\"scope\":{\"kind\":\"organization\",\"id\":\"zeta\"},"
           "\"amount\":\"6\"}");
    expect(c, 200, "PUT", BUDGETS, "{\"monthly_limit\":1}"); /* limit_below is no threshold */
    expect(c, 200, "GET", "/api/v1/budgets/alerts?limit=3", NULL);
    expect_member(c, "data.0.organization", "acme"); /* 0.95 of the lowered limit */
    expect_member(c, "data.0.level", "emergency");
    expect_member(c, "data.1.organization", "zeta");
    expect_member(c, "data.1.budget", "zown");
    expect_member(c, "data.1.event", "threshold");
    expect_member(c, "data.1.level", "info");
    expect_member(c, "data.2.organization", "acme");
    expect_member(c, "data.2.threshold", "0.9");
    expect_member(c, "data.2.level", "critical");
    expect_member(c, "data.3", "(none)");
    char next[128];
    snprintf(next, sizeof next, "/api/v1/budgets/alerts?limit=3&cursor=%.40s",
             member(c, "next_cursor"));
    expect(c, 200, "GET", next, NULL);
    expect_member(c, "data.0.threshold", "0.8");
    expect_member(c, "data.0.level", "warning");
    expect_member(c, "data.1", "(none)");
    expect_member(c, "next_cursor", "null");
    expect(c, 200, "GET", "/api/v1/budgets/alerts?event=limit_below", NULL);
    expect_member(c, "data.0.event", "limit_below");
    expect_problem(c, 400, "invalid", "event", "GET", "/api/v1/budgets/alerts?event=x", NULL);
    expect_problem(c, 400, "invalid", "budget", "GET", "/api/v1/budgets/alerts?budget=own", NULL);
    expect_problem(c, 400, "invalid", "cursor", "GET", "/api/v1/budgets/alerts?cursor=x", NULL);
}

/* INV-12, and that a path's own words are no budgets. */
static void what_is_not_there_is_not_found(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *method, *path, *body;
    } of_one[] = {
        {"GET", "usage", NULL},
        {"GET", "alerts", NULL},
        {"POST", "alerts", "{\"alert_enabled\":true}"},
        {"GET", "alerts/test", NULL},
        {"POST", "alerts/test", NULL},
        {"POST", "check", "{\"amount\":1}"},
    };
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":10}");
    for (size_t i = 0; i < sizeof of_one / sizeof of_one[0]; i++) {
        char path[160];
        snprintf(path, sizeof path, BUDGETS "/none/%s", of_one[i].path);
        expect_problem(c, 404, "not_found", "budget", of_one[i].method, path, of_one[i].body);
        snprintf(path, sizeof path, BUDGETS "/no%%20id/%s", of_one[i].path);
        expect_problem(c, 404, "not_found", "budget", of_one[i].method, path, of_one[i].body);
        snprintf(path, sizeof path, "/api/v1/organizations/zeta/budgets/own/%s", of_one[i].path);
        expect_problem(c, 404, "not_found", "budget", of_one[i].method, path, of_one[i].body);
        snprintf(path, sizeof path, "/api/v1/organizations/none/budgets/own/%s", of_one[i].path);
        expect_problem(c, 404, "not_found", "org", of_one[i].method, path, of_one[i].body);
    }
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/zeta/budgets/usage",
                   NULL);
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/none/budgets/summary",
                   NULL);
    expect_problem(c, 404, "not_found", "org", "POST", "/api/v1/organizations/none/budgets/check",
                   "{\"amount\":1}");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"second\",\"monthly_limit\":10}");
    expect_problem(c, 409, "exists", "budget", "GET", BUDGETS "/usage", NULL);
    static const char *const words[] = {"usage", "alerts", "check", "summary"};
    for (size_t i = 0; i < 4; i++) {
        char body[96];
        snprintf(body, sizeof body, "{\"id\":\"%s\",\"monthly_limit\":10}", words[i]);
        expect_problem(c, 400, "invalid", "id", "POST", BUDGETS, body);
    }
}

/* It still has its id while a call holds it. */
static void what_was_deleted_is_not_found_though_it_is_held(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"gone\",\"monthly_limit\":10}");
    expect(c, 200, "POST", "/api/v1/budget/reserve",
           "{\"request_id\":\"held\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\","
           "\"organization\":\"acme\"},\"amount\":\"2\",\"ttl_seconds\":7200}");
    expect(c, 204, "DELETE", BUDGETS "/gone", NULL);
    expect_problem(c, 404, "not_found", "budget", "GET", BUDGETS "/gone/usage", NULL);
    expect_problem(c, 404, "not_found", "budget", "POST", BUDGETS "/gone/alerts",
                   "{\"alert_enabled\":true}");
    expect_problem(c, 404, "not_found", "budget", "POST", BUDGETS "/gone/check", "{\"amount\":1}");
    expect_problem(c, 404, "not_found", "org", "GET", BUDGETS "/usage", NULL);
}

/* What a budget keeps without the engine's knowing. */
static void what_is_kept_is_shown(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"own\",\"monthly_limit\":10,\"current_spend\":0,\"usage_percentage\":0,"
           "\"alert_enabled\":false,\"notify\":[\"ops\"],\"metadata\":{\"cost_centre\":\"4711\"},"
           "\"pacing\":{\"strategy\":\"even\",\"update_interval_seconds\":300,"
           "\"min_allocation\":0.01}}");
    expect_member(c, "alert_enabled", "false");
    expect_member(c, "pacing.strategy", "even");
    expect(c, 200, "PUT", BUDGETS, "{\"pacing\":{\"strategy\":\"aggressive\"}}");
    expect(c, 200, "GET", BUDGETS "/own", NULL);
    expect_member(c, "pacing.strategy", "aggressive");
    expect_member(c, "pacing.min_allocation", "(none)");
    expect_member(c, "metadata.cost_centre", "4711");
    expect_member(c, "notify.0", "ops");
    expect_member(c, "alert_enabled", "false");
    static const struct {
        int status;
        const char *field, *body;
    } cases[] = {
        {400, "pacing.strategy", "{\"pacing\":{}}"},
        {400, "pacing.strategy", "{\"pacing\":{\"strategy\":\"slow\"}}"},
        {400, "pacing.update_interval_seconds",
         "{\"pacing\":{\"strategy\":\"even\",\"update_interval_seconds\":0}}"},
        {400, "pacing.min_allocation", "{\"pacing\":{\"strategy\":\"even\",\"min_allocation\":2}}"},
        {400, "pacing", "{\"pacing\":\"even\"}"},
        {400, "metadata", "{\"metadata\":[]}"},
        {400, "notify[0]", "{\"notify\":[7]}"},
        {400, "alert_enabled", "{\"alert_enabled\":\"yes\"}"},
        {400, "current_spend", "{\"current_spend\":true}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(c, cases[i].status, "PUT", BUDGETS, cases[i].body);
        expect_member(c, "field", cases[i].field);
    }
    char large[5000];
    int len = snprintf(large, sizeof large, "{\"metadata\":{\"a\":\"");
    memset(large + len, 'x', 4200);
    snprintf(large + len + 4200, 8, "\"}}");
    expect_problem(c, 413, "too_large", "metadata", "PUT", BUDGETS, large);
}

/* ---- Dates ----------------------------------------------------------------------------------- */

static void a_budget_starts_and_ends(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"d\",\"amount\":\"1\",\"period\":\"total\",\"starts_at\":"
           "\"2026-11-21T10:00:00Z\",\"end_time\":\"2026-11-21T14:00:00Z\"," ADA "}");
    expect_member(c, "status", "scheduled");
    expect_member(c, "starts_at", "2026-11-21T10:00:00Z");
    expect_member(c, "ends_at", "2026-11-21T14:00:00Z");
    spend_as_ada(c, "5"); /* does not count */
    expect(c, 200, "POST", BUDGETS "/check",
           "{\"amount\":\"7\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}}");
    expect_member(c, "allowed", "true");
    expect_member(c, "budgets", "[]");
    c->now_us += 2 * HOUR_US;
    spend_as_ada(c, "0.50");
    expect(c, 200, "GET", BUDGETS "/d", NULL);
    expect_member(c, "status", "active");
    expect_member(c, "used", "0.50");
    expect_member(c, "projected_spend", "2.00"); /* one of its four hours has gone */
    expect_member(c, "projection.until", "2026-11-21T14:00:00Z");
    expect(c, 200, "POST", BUDGETS "/d/check", "{\"amount\":\"7\"}");
    expect_member(c, "allowed", "false");
    expect_member(c, "retry_at", "2026-11-21T14:00:00Z");
    c->now_us += 3 * HOUR_US;
    expect(c, 200, "GET", BUDGETS "/d", NULL);
    expect_member(c, "status", "expired");
    expect_member(c, "used", "0.50");
    spend_as_ada(c, "5");
    expect(c, 200, "GET", BUDGETS "/summary", NULL);
    expect_member(c, "by_status.expired", "1");
    expect(c, 200, "PUT", BUDGETS "/d", "{\"ends_at\":\"2026-11-22T00:00:00Z\"}");
    expect_member(c, "status", "active");
    expect_member(c, "used", "0.50"); /* what was called while it was over stays out */
    expect(c, 200, "PUT", BUDGETS "/d", "{\"starts_at\":null,\"ends_at\":null}");
    expect_member(c, "starts_at", "(none)");
    expect_member(c, "ends_at", "(none)");
    expect(c, 200, "PUT", BUDGETS "/d", "{\"end_time\":\"2026-11-23T00:00:00Z\"}");
    expect(c, 200, "PUT", BUDGETS "/d", "{\"amount\":\"2\"}"); /* keeps it */
    expect_member(c, "ends_at", "2026-11-23T00:00:00Z");
    expect(c, 200, "POST", BUDGETS "/d/alerts", "{\"alert_thresholds\":[0.5]}");
    expect(c, 200, "GET", BUDGETS "/d", NULL);
    expect_member(c, "ends_at", "2026-11-23T00:00:00Z");
}

static void each_wrong_date_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *field, *said;
    } cases[] = {
        {"starts_at", "\"starts_at\":\"tomorrow\""},
        {"ends_at", "\"ends_at\":5"},
        {"ends_at", "\"starts_at\":\"2027-01-01T00:00:00Z\",\"ends_at\":\"2027-01-01T00:00:00Z\""},
        {"start_time", "\"starts_at\":\"2027-01-01T00:00:00Z\","
                       "\"start_time\":\"2027-01-01T00:00:00Z\""},
        {"starts_at", "\"starts_at\":\"2027-01-01T00:00:00Z\",\"rollover\":1"},
    };
    make_acme(c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"amount\":\"1\",\"period\":\"daily\"," ADA ",%s}",
                 cases[i].said);
        expect_problem(c, 400, "invalid", cases[i].field, "POST", BUDGETS, body);
    }
    expect_problem(c, 400, "invalid", "currency", "POST", BUDGETS,
                   "{\"amount\":\"1\",\"period\":\"daily\",\"currency\":\"USD\"," ADA "}");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"e\",\"amount\":\"1\",\"period\":\"daily\",\"currency\":\"EUR\","
           "\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}}");
    expect_member(c, "unit", "EUR");
}

/* ---- The seeds' own words -------------------------------------------------------------------- */

static void controls_in_the_seeds_words(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"own\",\"monthly_limit\":10,\"controls\":{\"enable_hard_limit\":true,"
           "\"enable_soft_limit\":true,\"soft_limit_threshold\":0.7,\"enable_auto_throttle\":true,"
           "\"throttle_threshold\":0.85,\"throttle_rate\":0.5,\"enable_emergency_stop\":true,"
           "\"emergency_threshold\":0.95,\"cooldown_period\":300}}");
    expect_member(c, "controls.soft_limit", "7.00");
    expect_member(c, "controls.throttle_threshold", "0.85");
    expect_member(c, "controls.emergency_stop_threshold", "0.95");
    expect_member(c, "controls.cooldown_seconds", "300");
    expect(c, 200, "PUT", BUDGETS,
           "{\"controls\":{\"enable_soft_limit\":true,\"enable_auto_throttle\":true,"
           "\"enable_emergency_stop\":false,\"emergency_threshold\":0.5,\"grace_seconds\":9}}");
    expect_member(c, "controls.soft_limit", "8.00");
    expect_member(c, "controls.throttle_threshold", "0.85");
    expect_member(c, "controls.emergency_stop_threshold", "(none)");
    expect(c, 200, "PUT", BUDGETS,
           "{\"controls\":{\"enable_soft_limit\":false,\"soft_limit_threshold\":0.5,"
           "\"enable_auto_throttle\":false,\"throttle_rate\":0.5,\"cooldown_period\":300}}");
    expect_member(c, "controls.soft_limit", "(none)");
    expect_member(c, "controls.throttle_threshold", "(none)");
    expect(c, 200, "PUT", BUDGETS, "{\"controls\":{\"enable_hard_limit\":false}}");
    expect_member(c, "mode", "shadow");
    expect_problem(c, 400, "invalid", "controls.enable_hard_limit", "PUT", BUDGETS,
                   "{\"controls\":{\"enable_hard_limit\":false,\"hard_limit\":false}}");
    expect_problem(c, 400, "invalid", "controls.emergency_threshold", "PUT", BUDGETS,
                   "{\"controls\":{\"emergency_threshold\":0.9,\"emergency_stop_threshold\":0.9}}");
    expect_problem(c, 400, "invalid", "controls.enable_auto_throttle", "PUT", BUDGETS,
                   "{\"controls\":{\"enable_auto_throttle\":1}}");
}

/* BUDGET_HARD_LIMITS, BUDGET_TRACKING and BUDGET_ALERTS say what a budget is made with that does
 * not say; those that are there stay. */
static void what_a_budget_is_made_with_that_does_not_say(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"before\",\"monthly_limit\":10}");
    local_call_done(&c->call);
    local_close(c->local);
    struct local_options options = {.directory = c->directory,
                                    .secret = {7, 7, 7},
                                    .admin_token = "root-token",
                                    .clock = {api_case_now, c},
                                    .budgets = {METE_SHADOW, true}};
    assert_int_equal(local_open(&options, &c->local), 0);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"plain\",\"monthly_limit\":10}");
    expect_member(c, "mode", "shadow");
    expect_member(c, "alert_enabled", "false");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"said\",\"monthly_limit\":10,\"mode\":\"enforce\",\"alert_enabled\":true}");
    expect_member(c, "mode", "enforce");
    expect_member(c, "alert_enabled", "true");
    expect(c, 200, "PUT", BUDGETS "/before", "{\"amount\":11}");
    expect_member(c, "mode", "enforce");
    expect_member(c, "alert_enabled", "true");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(usage_tells_figures_thresholds_and_projection),
        TEST(history_is_of_the_windows_before),
        TEST(a_late_end_changes_the_window_it_was_made_in),
        TEST(a_limit_lowered_below_what_is_spent_says_so),
        TEST(alerts_are_set_shown_and_tried),
        TEST(each_wrong_field_of_alerts_is_named),
        TEST(a_check_lists_every_budget_that_has_a_say),
        TEST(each_wrong_field_of_a_check_is_named),
        TEST(a_summary_adds_up),
        TEST(a_summary_of_many),
        TEST(alerts_of_all_organizations_newest_first),
        TEST(what_is_not_there_is_not_found),
        TEST(what_was_deleted_is_not_found_though_it_is_held),
        TEST(what_is_kept_is_shown),
        TEST(a_budget_starts_and_ends),
        TEST(each_wrong_date_is_named),
        TEST(controls_in_the_seeds_words),
        TEST(what_a_budget_is_made_with_that_does_not_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
