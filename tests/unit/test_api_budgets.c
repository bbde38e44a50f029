/* SPDX-License-Identifier: Apache-2.0
 * Proves the budgets of the API: made in every form the contract has, shown with the engine's
 * figures, changed, deleted, explained; and that each wrong field is a problem that names it. */
#include "unit/api_case.h"

#define BUDGETS "/api/v1/organizations/acme/budgets"
#define PLAIN "\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\",\"period\":\"daily\""

static void a_budget_as_it_is_shown(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"ada-daily\",\"name\":\"Ada\",\"amount\":\"5.00\"," PLAIN "}");
    const char *wanted =
        "{\"id\":\"ada-daily\",\"name\":\"Ada\",\"organization\":\"acme\",\"scope\":{\"kind\":"
        "\"user\","
        "\"id\":\"ada\",\"organization\":\"acme\"},\"unit\":\"USD\",\"amount\":\"5.00\",\"limit\":"
        "\"5.00\",\"period\":\"daily\",\"time_zone\":\"UTC\",\"mode\":\"enforce\",\"alert_"
        "thresholds\":[0.8,0.9,0.95],"
        "\"controls\":{\"hard_limit\":true},\"used\":\"0.00\",\"held\":\"0.00\",\"remaining\":\"5."
        "00\","
        "\"usage_percentage\":0,\"status\":\"active\",\"window_start\":\"2026-11-21T00:00:00Z\","
        "\"window_end\":\"2026-11-22T00:00:00Z\",\"revision\":";
    assert_memory_equal(member(c, ""), wanted, strlen(wanted));
    expect_member(c, "reserved", "0.00");
    expect_member(c, "available", "5.00");
    expect_member(c, "current_spend", "0.00");
    expect_member(c, "monthly_limit", "(none)");
    expect_member(c, "created_at", "2026-11-21T09:00:00Z");
    expect(c, 200, "GET", BUDGETS "/ada-daily", NULL);
    assert_memory_equal(member(c, ""), wanted, strlen(wanted));
}

/* The clock stands at 2026-11-21T09:00:00Z, a Saturday. */
static void windows_lie_where_a_budget_says(void **state)
{
    static const struct {
        const char *said, *start, *end;
    } cases[] = {
        {"\"period\":\"minute\"", "2026-11-21T09:00:00Z", "2026-11-21T09:01:00Z"},
        {"\"period\":\"weekly\"", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
        {"\"period\":\"weekly\",\"anchor\":7", "2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"},
        {"\"period\":\"daily\",\"anchor\":36000", "2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z"},
        {"\"period\":\"daily\",\"time_zone\":\"Asia/Shanghai\"", "2026-11-20T16:00:00Z",
         "2026-11-21T16:00:00Z"},
        {"\"period\":\"monthly\",\"anchor\":25", "2026-10-25T00:00:00Z", "2026-11-25T00:00:00Z"},
        {"\"period\":\"quarterly\",\"anchor\":201", "2026-11-01T00:00:00Z", "2027-02-01T00:00:00Z"},
        {"\"period\":\"yearly\",\"anchor\":406", "2026-04-06T00:00:00Z", "2027-04-06T00:00:00Z"},
        {"\"period\":\"rolling\",\"window_seconds\":64", "2026-11-21T08:58:56Z",
         "2026-11-21T09:00:01Z"},
    };
    struct api_case *c = *state;
    make_acme(c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        const char *kind = i < 5 ? "user" : "department", *id = i < 5 ? "ada" : "research";
        snprintf(body, sizeof body,
                 "{\"scope\":{\"kind\":\"%s\",\"id\":\"%s\"},\"unit\":\"USD\",\"amount\":1,%s}",
                 kind, id, cases[i].said);
        expect(c, 201, "POST", BUDGETS, body);
        expect_member(c, "window_start", cases[i].start);
        expect_member(c, "window_end", cases[i].end);
    }
    expect_member(c, "window_seconds", "64");
    expect_member(c, "anchor", "(none)");
    expect_member(c, "rollover", "(none)");
}

static void a_rollover_is_said_shown_and_changed(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"r\",\"amount\":5,\"rollover\":\"2.5\",\"anchor\":3600," PLAIN "}");
    expect_member(c, "rollover", "2.50");
    expect_member(c, "carried", "0.00");
    expect_member(c, "anchor", "3600");
    expect(c, 200, "PUT", BUDGETS "/r", "{\"rollover\":7}");
    expect_member(c, "rollover", "7.00");
    expect_member(c, "amount", "5.00");
    expect(c, 200, "PUT", BUDGETS "/r", "{\"amount\":6}");
    expect_member(c, "rollover", "7.00");
    expect(c, 200, "PUT", BUDGETS "/r", "{\"rollover\":0}");
    expect_member(c, "rollover", "(none)");
}

static void forms_a_budget_may_take(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"monthly_limit\":10000}");
    expect_member(c, "monthly_limit", "10000.00");
    expect_member(c, "period", "monthly");
    expect_member(c, "scope.kind", "organization");
    expect_member(c, "name", "null");
    assert_memory_equal(member(c, "id"), "bud_", 4);
    assert_int_equal(strlen(member(c, "id")), 20);
    expect(
        c, 201, "POST", BUDGETS,
        "{\"scope\":{\"kind\":\"department\",\"id\":\"research\",\"organization\":\"acme\"},"
        "\"unit\":\"tokens\",\"amount\":120000,\"period\":\"total\",\"mode\":\"shadow\","
        "\"alert_thresholds\":[95,0.5],\"time_zone\":\"UTC\",\"controls\":{\"hard_limit\":false}}");
    expect_member(c, "amount", "120000");
    expect_member(c, "mode", "shadow");
    expect_member(c, "alert_thresholds", "[0.5,0.95]");
    expect_member(c, "window_start", "null");
    expect_member(c, "window_end", "null");
    expect(c, 201, "POST", BUDGETS,
           "{\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"},\"unit\":\"requests\","
           "\"amount\":\"0\",\"period\":\"hourly\",\"mode\":\"off\",\"alert_thresholds\":[]}");
    expect_member(c, "usage_percentage", "100");
    expect_member(c, "status", "exceeded");
    expect_member(c, "alert_thresholds", "[]");
    /* A number's digits are taken as written: no double has this value. */
    expect(c, 201, "POST", BUDGETS, "{\"amount\":1234567890.123456789," PLAIN "}");
    expect_member(c, "amount", "1234567890.123456789");
    expect(c, 201, "POST", BUDGETS, "{\"amount\":1e-9," PLAIN "}");
    expect_member(c, "amount", "0.000000001");
    expect(c, 201, "POST", BUDGETS, "{\"amount\":\"4611686018.427387903\"," PLAIN "}");
    expect(c, 200, "GET", BUDGETS "?limit=2", NULL);
    expect_member(c, "data.1.unit", "tokens");
    expect_member(c, "data.2", "(none)");
    expect(c, 200, "GET", BUDGETS, NULL);
    expect_member(c, "data.5.amount", "4611686018.427387903");
    expect_member(c, "data.6", "(none)");
    expect_member(c, "next_cursor", "null");
}

static void each_wrong_field_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        int status;
        const char *field, *body;
    } cases[] = {
        {400, "scope", "{}"},
        {400, "scope", "{\"unit\":\"USD\",\"amount\":\"1\",\"period\":\"daily\"}"},
        {400, "scope",
         "{\"scope\":\"acme\",\"unit\":\"USD\",\"amount\":\"1\",\"period\":\"daily\"}"},
        {400, "unit",
         "{\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"amount\":\"1\",\"period\":\"daily\"}"},
        {400, "amount", "{" PLAIN "}"},
        {400, "amount", "{\"amount\":\"-1\"," PLAIN "}"},
        {400, "amount", "{\"amount\":-1," PLAIN "}"},
        {400, "amount", "{\"amount\":\"1.0000000001\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\"5,00\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\"\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\"1e99\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\"4611686018.427387904\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\"1e3\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\".5\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\"5.\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\"99999999999999999999\"," PLAIN "}"},
        {400, "amount", "{\"amount\":\" 5\"," PLAIN "}"},
        {400, "amount", "{\"amount\":null," PLAIN "}"},
        {400, "amount", "{\"amount\":true," PLAIN "}"},
        {400, "amount",
         "{\"amount\":\"1.5\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"tokens\","
         "\"period\":\"daily\"}"},
        {400, "period",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\"}"},
        {400, "period",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\","
         "\"period\":\"fortnightly\"}"},
        {400, "window_seconds",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\","
         "\"period\":\"rolling\"}"},
        {400, "unit",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"dollars\","
         "\"period\":\"daily\"}"},
        {400, "unit",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"eur\","
         "\"period\":\"daily\"}"},
        {501, "unit",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"output_"
         "tokens\",\"period\":\"daily\"}"},
        {400, "scope.kind",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"team\",\"id\":\"ada\"},\"unit\":\"USD\","
         "\"period\":\"daily\"}"},
        {400, "scope.id",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\"},\"unit\":\"USD\",\"period\":\"daily\"}"},
        {404, "scope.id",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"bob\"},\"unit\":\"USD\","
         "\"period\":\"daily\"}"},
        {404, "scope.id",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"organization\",\"id\":\"zeta\"},\"unit\":\"USD\","
         "\"period\":\"daily\"}"},
        {404, "scope.id",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"organization\",\"id\":\"none\"},\"unit\":\"USD\","
         "\"period\":\"daily\"}"},
        {400, "scope.organization",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":\"zeta\"},"
         "\"unit\":\"USD\",\"period\":\"daily\"}"},
        {501, "scope.kind",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"campaign\",\"id\":\"c9\"},\"unit\":\"USD\","
         "\"period\":\"daily\"}"},
        {501, "scope.advertiser",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"campaign\",\"id\":\"c9\",\"advertiser\":\"a7\"},"
         "\"unit\":\"USD\",\"period\":\"daily\"}"},
        {400, "scope.size",
         "{\"amount\":\"1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"size\":1},\"unit\":"
         "\"USD\",\"period\":\"daily\"}"},
        {400, "monthly_limit", "{\"monthly_limit\":5,\"amount\":\"5\"," PLAIN "}"},
        {400, "period", "{\"monthly_limit\":5,\"period\":\"daily\"}"},
        {400, "monthly_limit", "{\"monthly_limit\":5,\"unit\":\"tokens\"}"},
        {400, "mode", "{\"amount\":\"1\",\"mode\":\"strict\"," PLAIN "}"},
        {400, "alert_thresholds", "{\"amount\":\"1\",\"alert_thresholds\":0.8," PLAIN "}"},
        {400, "alert_thresholds[1]", "{\"amount\":\"1\",\"alert_thresholds\":[0.8,0]," PLAIN "}"},
        {400, "alert_thresholds[0]", "{\"amount\":\"1\",\"alert_thresholds\":[101]," PLAIN "}"},
        {400, "alert_thresholds[0]", "{\"amount\":\"1\",\"alert_thresholds\":[\"0.8\"]," PLAIN "}"},
        {400, "alert_thresholds", "{\"amount\":\"1\",\"alert_thresholds\":[0.8,80]," PLAIN "}"},
        {400, "alert_thresholds",
         "{\"amount\":\"1\",\"alert_thresholds\":[1,2,3,4,5,6,7,8,9]," PLAIN "}"},
        {400, "time_zone", "{\"amount\":\"1\",\"time_zone\":\"Mars/Olympus\"," PLAIN "}"},
        {400, "time_zone", "{\"amount\":\"1\",\"time_zone\":\"../../etc/passwd\"," PLAIN "}"},
        {400, "time_zone", "{\"amount\":\"1\",\"time_zone\":\"Asia\"," PLAIN "}"},
        {400, "window_seconds", "{\"amount\":\"1\",\"window_seconds\":60," PLAIN "}"},
        {400, "window_seconds", "{\"amount\":\"1\",\"window_seconds\":0," PLAIN "}"},
        {400, "anchor", "{\"amount\":\"1\",\"anchor\":0," PLAIN "}"},
        {400, "anchor", "{\"monthly_limit\":\"1\",\"anchor\":32}"},
        {400, "rollover",
         "{\"amount\":\"1\",\"rollover\":\"1\",\"unit\":\"USD\",\"period\":\"total\","
         "\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}}"},
        {400, "rollover", "{\"amount\":\"1\",\"rollover\":\"-1\"," PLAIN "}"},
        {400, "models", "{\"amount\":\"1\",\"models\":[\"g*t\"]," PLAIN "}"},
        {400, "models", "{\"amount\":\"1\",\"models\":[]," PLAIN "}"},
        {400, "models[0]", "{\"amount\":\"1\",\"models\":[5]," PLAIN "}"},
        {400, "tags", "{\"amount\":\"1\",\"tags\":\"a\"," PLAIN "}"},
        {400, "sessions",
         "{\"amount\":\"1\",\"tags\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\","
         "\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\"],\"sessions\":[\"q\"]," PLAIN "}"},
        {400, "controls.throttle_threshold",
         "{\"amount\":\"1\",\"controls\":{\"throttle_rate\":0.5}," PLAIN "}"},
        {400, "controls.throttle_threshold",
         "{\"amount\":\"1\",\"controls\":{\"throttle_threshold\":0}," PLAIN "}"},
        {400, "controls.emergency_stop_threshold",
         "{\"amount\":\"1\",\"controls\":{\"emergency_stop_threshold\":101}," PLAIN "}"},
        {400, "controls.grace_seconds",
         "{\"amount\":\"1\",\"controls\":{\"grace_seconds\":5}," PLAIN "}"},
        {400, "controls.grace_seconds",
         "{\"amount\":\"1\",\"controls\":{\"emergency_stop_threshold\":1,"
         "\"grace_seconds\":86401}," PLAIN "}"},
        {400, "controls.cooldown_seconds",
         "{\"amount\":\"1\",\"controls\":{\"downgrade_threshold\":0.5,"
         "\"cooldown_seconds\":5}," PLAIN "}"},
        {400, "controls.soft_threshold",
         "{\"amount\":\"1\",\"controls\":{\"soft_limit\":\"1\",\"soft_threshold\":0.5}," PLAIN "}"},
        {400, "controls.soft_limit",
         "{\"amount\":\"1\",\"controls\":{\"soft_limit\":\"1.0000000001\"}," PLAIN "}"},
        {400, "controls.soft_limit",
         "{\"amount\":\"1\",\"controls\":{\"soft_limit\":\"-1\"}," PLAIN "}"},
        {400, "controls.throttle_rate",
         "{\"amount\":\"1\",\"controls\":{\"throttle_rate\":1.5}," PLAIN "}"},
        {400, "controls.hard_limit",
         "{\"amount\":\"1\",\"mode\":\"enforce\",\"controls\":{\"hard_limit\":false}," PLAIN "}"},
        {400, "controls.hard_limit",
         "{\"amount\":\"1\",\"mode\":\"shadow\",\"controls\":{\"hard_limit\":true}," PLAIN "}"},
        {400, "controls.cooldown_seconds",
         "{\"amount\":\"1\",\"controls\":{\"emergency_stop_threshold\":1,\"cooldown_seconds\":"
         "86401}," PLAIN "}"},
        {400, "controls.hard_limit",
         "{\"amount\":\"1\",\"controls\":{\"hard_limit\":1}," PLAIN "}"},
        {400, "controls.nonsense", "{\"amount\":\"1\",\"controls\":{\"nonsense\":1}," PLAIN "}"},
        {400, "id", "{\"id\":\"a b\",\"amount\":\"1\"," PLAIN "}"},
        {409, "id", "{\"id\":\"taken\",\"amount\":\"1\"," PLAIN "}"},
        {400, "name", "{\"name\":\"\",\"amount\":\"1\"," PLAIN "}"},
        {400, "limit", "{\"limit\":\"1\",\"amount\":\"1\"," PLAIN "}"},
    };
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations", "{\"id\":\"zeta\",\"name\":\"Zeta\"}");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"taken\",\"amount\":\"1\"," PLAIN "}");
    expect(c, 200, "GET", "/api/v1/budget/stats?hash=1", NULL);
    char before[65], seq[24];
    snprintf(before, sizeof before, "%.64s", member(c, "state_hash"));
    snprintf(seq, sizeof seq, "%.20s", member(c, "seq"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(c, cases[i].status, "POST", BUDGETS, cases[i].body);
        if (strcmp(member(c, "field"), cases[i].field) != 0)
            print_error("%s -> %s\n", cases[i].body, member(c, ""));
        expect_member(c, "field", cases[i].field);
    }
    expect(c, 200, "GET", "/api/v1/budget/stats?hash=1", NULL);
    expect_member(c, "state_hash", before);
    expect_member(c, "seq", seq);
}

static void a_change_keeps_what_it_does_not_name(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"b\",\"name\":\"Ada\",\"amount\":\"5\",\"alert_thresholds\":[0.5]," PLAIN "}");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"amount\":\"7.50\"}");
    expect_member(c, "amount", "7.50");
    expect_member(c, "name", "Ada");
    expect_member(c, "alert_thresholds", "[0.5]");
    c->now_us += 1000000;
    expect(c, 200, "PUT", BUDGETS "/b",
           "{\"name\":\"A\\\"da\",\"mode\":\"shadow\",\"alert_thresholds\":[0.8,95]}");
    expect_member(c, "amount", "7.50");
    expect_member(c, "mode", "shadow");
    expect_member(c, "alert_thresholds", "[0.8,0.95]");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "name", "A\"da");
    expect_member(c, "amount", "7.50");
    expect_member(c, "created_at", "2026-11-21T09:00:00Z");

    expect_problem(c, 400, "invalid", "(none)", "PUT", BUDGETS "/b", "{}");
    expect_problem(c, 400, "invalid", "period", "PUT", BUDGETS "/b", "{\"period\":\"daily\"}");
    expect_problem(c, 400, "invalid", "amount", "PUT", BUDGETS "/b", "{\"amount\":\"-1\"}");
    expect_problem(c, 400, "invalid", "monthly_limit", "PUT", BUDGETS "/b",
                   "{\"monthly_limit\":1}");
    expect_problem(c, 400, "invalid", "alert_thresholds[0]", "PUT", BUDGETS "/b",
                   "{\"alert_thresholds\":[-1]}");
    expect_problem(c, 404, "not_found", "budget", "PUT", BUDGETS "/none", "{\"amount\":\"1\"}");
    expect_problem(c, 404, "not_found", "org", "PUT", "/api/v1/organizations/none/budgets/b",
                   "{\"amount\":\"1\"}");
    expect_problem(c, 404, "not_found", "budget", "GET", BUDGETS "/none", NULL);
    expect_problem(c, 404, "not_found", "budget", "DELETE", BUDGETS "/none", NULL);
    expect(c, 204, "DELETE", BUDGETS "/b", NULL);
    assert_int_equal(c->call.reply.len, 0);
    expect_problem(c, 404, "not_found", "budget", "GET", BUDGETS "/b", NULL);
    expect_problem(c, 404, "not_found", "budget", "DELETE", BUDGETS "/b", NULL);
    expect(c, 200, "GET", BUDGETS, NULL);
    expect_member(c, "data", "[]");
}

static void the_organizations_own_budget(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"amount\":\"1\"," PLAIN "}");
    expect_problem(c, 404, "not_found", "org", "PUT", BUDGETS, "{\"monthly_limit\":1}");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"own\",\"monthly_limit\":10}");
    expect(c, 200, "PUT", BUDGETS, "{\"monthly_limit\":\"12000.00\"}");
    expect_member(c, "id", "own");
    expect_member(c, "amount", "12000.00");
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"second\",\"monthly_limit\":10}");
    expect(c, 409, "PUT", BUDGETS, "{\"monthly_limit\":1}");
    expect(c, 409, "DELETE", BUDGETS, NULL);
    expect(c, 204, "DELETE", BUDGETS "/second", NULL);
    expect(c, 204, "DELETE", BUDGETS, NULL);
    expect_problem(c, 404, "not_found", "org", "DELETE", BUDGETS, NULL);
}

/* Two changes that arrive together: the second builds on the first. */
static void changes_wait_for_their_turn(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"b\",\"amount\":\"5\"," PLAIN "}");
    static const char *const bodies[] = {"{\"amount\":\"6\"}", "{\"mode\":\"shadow\"}",
                                         "{\"name\":\"N\"}", "{\"alert_thresholds\":[1]}"};
    struct local_call calls[5] = {0};
    for (size_t i = 0; i < 4; i++) {
        calls[i] = (struct local_call){.method = "PUT",
                                       .target = BUDGETS "/b",
                                       .authorization = slice_of(c->authorization),
                                       .body = slice_of(bodies[i])};
        local_start(c->local, &calls[i]);
    }
    calls[4] = (struct local_call){.method = "PUT",
                                   .target = BUDGETS "/no%20id",
                                   .authorization = slice_of(c->authorization),
                                   .body = slice_of(bodies[0])};
    local_start(c->local, &calls[4]);
    local_wait(c->local);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(calls[i].status, i < 4 ? 200 : 404);
        local_call_done(&calls[i]);
    }
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "amount", "6.00");
    expect_member(c, "mode", "shadow");
    expect_member(c, "name", "N");
    expect_member(c, "alert_thresholds", "[1]");
}

static void figures_and_states(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *amount, *used, *share, *status;
    } steps[] = {{"0.79", "0.79", "79", "active"},
                 {"0.01", "0.80", "80", "warning"},
                 {"0.1", "0.90", "90", "critical"},
                 {"0.099999999", "0.999999999", "99.9999", "critical"},
                 {"0.000000001", "1.00", "100", "exceeded"},
                 {"0.50", "1.50", "150", "exceeded"}};
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"b\",\"amount\":\"1\"," PLAIN "}");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"request_id\":\"r%zu\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\","
                 "\"organization\":\"acme\"},\"amount\":\"%s\"}",
                 i, steps[i].amount);
        expect(c, 200, "POST", "/api/v1/budget/record", body);
        expect(c, 200, "GET", BUDGETS "/b", NULL);
        expect_member(c, "used", steps[i].used);
        expect_member(c, "usage_percentage", steps[i].share);
        expect_member(c, "status", steps[i].status);
    }
    expect_member(c, "remaining", "-0.50");
}

static void an_explanation_adds_up(void **state)
{
    struct api_case *c = *state;
    static const char path[] = "/api/v1/organizations/acme/budgets/whole/explain";
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations/acme/budgets",
           "{\"id\":\"whole\",\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"},"
           "\"unit\":\"USD\",\"amount\":\"50\",\"period\":\"monthly\"}");
    expect(c, 200, "POST", "/api/v1/budget/reserve",
           "{\"request_id\":\"r-1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\","
           "\"organization\":\"acme\"},\"amount\":\"2.50\",\"ttl_seconds\":60}");
    char deduct[128], id[64];
    snprintf(id, sizeof id, "%.63s", member(c, "reserve_id"));
    snprintf(deduct, sizeof deduct, "{\"reserve_id\":\"%s\",\"amount\":\"1.75\"}", id);
    expect(c, 200, "POST", "/api/v1/budget/deduct", deduct);
    expect(c, 200, "GET", path, NULL);
    expect_member(c, "unit", "USD");
    expect_member(c, "from", "null");
    expect_member(c, "data.0.what", "budget");
    expect_member(c, "data.0.scope", "null");
    expect_member(c, "data.1.what", "reserve");
    expect_member(c, "data.1.held_change", "2.50");
    expect_member(c, "data.1.reserve_id", id);
    expect_member(c, "data.1.scope.id", "ada");
    expect_member(c, "data.2.what", "commit");
    expect_member(c, "data.2.used_change", "1.75");
    expect_member(c, "data.2.held_change", "-2.50");
    expect_member(c, "data.2.used", "1.75");
    expect_member(c, "data.3", "(none)");
    expect_member(c, "data.2.held", "0.00");
    char limited[128];
    snprintf(limited, sizeof limited, "%s?limit=1", path);
    expect(c, 200, "GET", limited, NULL);
    expect_member(c, "from.held", "2.50");
    expect_member(c, "data.0.what", "commit");
    expect_member(c, "data.0.held_change", "-2.50");
    expect_member(c, "data.1", "(none)");
    snprintf(limited, sizeof limited, "%s?since=yesterday", path);
    expect_problem(c, 400, "invalid", "since", "GET", limited, NULL);
    expect_problem(c, 404, "not_found", "budget", "GET",
                   "/api/v1/organizations/acme/budgets/none/explain", NULL);
    expect_problem(c, 404, "not_found", "org", "GET",
                   "/api/v1/organizations/none/budgets/whole/explain", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(windows_lie_where_a_budget_says),
        TEST(a_rollover_is_said_shown_and_changed),
        TEST(a_budget_as_it_is_shown),
        TEST(forms_a_budget_may_take),
        TEST(each_wrong_field_is_named),
        TEST(a_change_keeps_what_it_does_not_name),
        TEST(the_organizations_own_budget),
        TEST(changes_wait_for_their_turn),
        TEST(figures_and_states),
        TEST(an_explanation_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
