/* SPDX-License-Identifier: Apache-2.0
 * Proves that several limits in one request are as many budgets, made, shown, changed and deleted
 * together or by themselves, and all of them or none: a campaign's total with its daily budget. */
#include "unit/api_case.h"

#define BUDGETS "/api/v1/organizations/acme/budgets"
#define ADA "\"scope\":{\"kind\":\"user\",\"id\":\"ada\"}"
#define RESERVE "/api/v1/budget/reserve"

static void reserve(struct api_case *c, const char *request_id, const char *amount, bool wanted)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"request_id\":\"%s\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\","
             "\"organization\":\"acme\"},\"amount\":\"%s\"}",
             request_id, amount);
    expect(c, 200, "POST", RESERVE, body);
    expect_member(c, "success", wanted ? "true" : "false");
}

static void make_campaign(struct api_case *c)
{
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"c9\",\"name\":\"Nine\"," ADA ",\"daily_budget\":\"10\",\"total_budget\":25,"
           "\"start_time\":\"2026-11-21T00:00:00Z\",\"end_time\":\"2026-12-01T00:00:00Z\","
           "\"time_zone\":\"Europe/Berlin\",\"pacing\":{\"strategy\":\"even\"},"
           "\"controls\":{\"soft_threshold\":0.5}}");
}

static void a_total_and_a_daily_budget_are_two(void **state)
{
    struct api_case *c = *state;
    make_campaign(c);
    expect_member(c, "id", "c9");
    expect_member(c, "period", "total");
    expect_member(c, "total_budget", "25.00");
    expect_member(c, "daily_budget", "10.00");
    expect_member(c, "used_budget", "0.00");
    expect_member(c, "also", "[\"c9.daily\"]");
    expect_member(c, "controls.soft_limit", "12.50");
    expect(c, 200, "GET", BUDGETS "/c9", NULL);
    expect_member(c, "daily_budget", "10.00");
    expect_member(c, "total_budget", "25.00");
    expect(c, 200, "GET", BUDGETS "/c9.daily", NULL);
    expect_member(c, "period", "daily");
    expect_member(c, "amount", "10.00");
    expect_member(c, "daily_budget", "10.00");
    expect_member(c, "total_budget", "(none)");
    expect_member(c, "also", "(none)");
    expect_member(c, "name", "Nine");
    expect_member(c, "time_zone", "Europe/Berlin");
    expect_member(c, "window_start", "2026-11-20T23:00:00Z");
    expect_member(c, "starts_at", "2026-11-21T00:00:00Z");
    expect_member(c, "ends_at", "2026-12-01T00:00:00Z");
    expect_member(c, "controls.soft_limit", "5.00");
    expect(c, 200, "GET", BUDGETS, NULL);
    expect_member(c, "data.0.also", "[\"c9.daily\"]");
    expect_member(c, "data.1.id", "c9.daily");
}

static void spend_ten(struct api_case *c, const char *request_id)
{
    char body[256];
    reserve(c, request_id, "10", true);
    snprintf(body, sizeof body, "{\"reserve_id\":\"%.31s\"}", member(c, "reserve_id"));
    expect(c, 200, "POST", "/api/v1/budget/deduct", body);
}

static void both_have_a_say(void **state)
{
    struct api_case *c = *state;
    make_campaign(c);
    spend_ten(c, "a");
    reserve(c, "b", "0.01", false);
    expect_member(c, "refused_by.0.budget", "c9.daily");
    c->now_us += INT64_C(86400) * 1000000;
    spend_ten(c, "c");
    c->now_us += INT64_C(86400) * 1000000;
    reserve(c, "d", "5.01", false);
    expect_member(c, "refused_by.0.budget", "c9");
    expect_member(c, "refused_by.0.limit", "25.00");
    reserve(c, "e", "5", true);
}

static void a_change_reaches_the_one_whose_limit_it_is(void **state)
{
    struct api_case *c = *state;
    make_campaign(c);
    expect(c, 200, "PUT", BUDGETS "/c9", "{\"daily_budget\":\"12\",\"name\":\"Ten\"}");
    expect_member(c, "amount", "25.00");
    expect_member(c, "daily_budget", "12.00");
    expect_member(c, "name", "Ten");
    expect(c, 200, "GET", BUDGETS "/c9.daily", NULL);
    expect_member(c, "amount", "12.00");
    expect_member(c, "name", "Nine"); /* all else of it stays */
    expect_member(c, "controls.soft_limit", "6.00");
    expect(c, 200, "PUT", BUDGETS "/c9", "{\"daily_budget\":\"8\",\"total_budget\":\"30\"}");
    expect_member(c, "total_budget", "30.00");
    expect_member(c, "daily_budget", "8.00");
    expect(c, 200, "PUT", BUDGETS "/c9.daily", "{\"daily_budget\":\"9\"}");
    expect_member(c, "amount", "9.00");
    expect(c, 200, "GET", BUDGETS "/c9", NULL);
    expect_member(c, "daily_budget", "9.00");
    expect_problem(c, 400, "invalid", "monthly_limit", "PUT", BUDGETS "/c9",
                   "{\"monthly_limit\":\"9\"}");
    expect_problem(c, 400, "invalid", "total_budget", "PUT", BUDGETS "/c9.daily",
                   "{\"total_budget\":\"9\"}");
    expect_problem(c, 400, "invalid", "daily_budget", "PUT", BUDGETS "/c9",
                   "{\"daily_budget\":\"0.0000000001\",\"total_budget\":\"1\"}");
    expect(c, 200, "GET", BUDGETS "/c9", NULL);
    expect_member(c, "total_budget", "30.00");
}

static void they_end_together_or_by_themselves(void **state)
{
    struct api_case *c = *state;
    make_campaign(c);
    expect(c, 204, "DELETE", BUDGETS "/c9", NULL);
    expect(c, 404, "GET", BUDGETS "/c9.daily", NULL);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"c9\",\"daily_budget\":1,\"total_budget\":2}");
    expect_member(c, "scope.kind", "organization");
    expect(c, 204, "DELETE", BUDGETS "/c9.daily", NULL);
    expect(c, 200, "GET", BUDGETS "/c9", NULL);
    expect_member(c, "daily_budget", "(none)");
    expect_problem(c, 400, "invalid", "daily_budget", "PUT", BUDGETS "/c9",
                   "{\"daily_budget\":\"9\"}");
    expect(c, 204, "DELETE", BUDGETS "/c9", NULL);
    expect(c, 404, "GET", BUDGETS "/c9", NULL);
}

static void all_are_made_or_none(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"x.daily\",\"monthly_limit\":1}");
    expect_problem(c, 409, "exists", "id", "POST", BUDGETS,
                   "{\"id\":\"x\",\"daily_budget\":1,\"total_budget\":2}");
    assert_non_null(strstr(member(c, "detail"), "x.daily"));
    expect(c, 404, "GET", BUDGETS "/x", NULL);
    for (char id = 'a'; id <= 'c'; id++) {
        char body[64];
        snprintf(body, sizeof body, "{\"id\":\"%c\",\"daily_budget\":1}", id);
        expect(c, 201, "POST", BUDGETS, body);
        expect_member(c, "period", "daily");
    }
}

static void one_alone_is_one_budget(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{\"id\":\"t\",\"total_budget\":\"7\",\"currency\":\"EUR\"}");
    expect_member(c, "period", "total");
    expect_member(c, "unit", "EUR");
    expect_member(c, "also", "(none)");
    expect_member(c, "daily_budget", "(none)");
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"m\"," ADA ",\"daily_budget\":1,\"monthly_limit\":20,\"total_budget\":90}");
    expect_member(c, "also", "[\"m.monthly\",\"m.daily\"]");
    expect_member(c, "monthly_limit", "20.00");
    expect_member(c, "daily_budget", "1.00");
    expect(c, 201, "POST", BUDGETS,
           "{\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"daily_budget\":1,\"monthly_limit\":2}");
    assert_memory_equal(member(c, "id"), "bud_", 4);
    expect_member(c, "period", "monthly");
}

static void each_wrong_field_is_named(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    static const struct {
        const char *field, *body;
    } wrong[] = {
        {"total_budget", "{\"daily_budget\":1,\"total_budget\":2,\"amount\":\"1\"}"},
        {"period", "{\"daily_budget\":1,\"total_budget\":2,\"period\":\"daily\"}"},
        {"period", "{\"daily_budget\":1,\"period\":\"monthly\"}"},
        {"anchor", "{\"daily_budget\":1,\"total_budget\":2,\"anchor\":3600}"},
        {"rollover", "{\"daily_budget\":1,\"total_budget\":2,\"rollover\":1}"},
        {"controls.soft_limit",
         "{\"daily_budget\":1,\"total_budget\":2,\"controls\":{\"soft_limit\":\"1\"}}"},
        {"window_seconds", "{\"daily_budget\":1,\"total_budget\":2,\"window_seconds\":60}"},
        {"daily_budget", "{\"daily_budget\":\"x\",\"total_budget\":2}"},
        {"total_budget", "{\"daily_budget\":1,\"total_budget\":-2}"},
        {"total_budget", "{\"daily_budget\":1,\"total_budget\":2,\"unit\":\"tokens\"}"},
        {"daily_budget", "{\"daily_budget\":1,\"unit\":\"tokens\"}"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_problem(c, 400, "invalid", wrong[i].field, "POST", BUDGETS, wrong[i].body);
    char body[256], id[122];
    memset(id, 'i', sizeof id - 1);
    id[sizeof id - 1] = 0;
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"daily_budget\":1,\"total_budget\":2}", id);
    expect_problem(c, 400, "invalid", "id", "POST", BUDGETS, body);
    expect(c, 200, "GET", BUDGETS, NULL);
    expect_member(c, "data", "[]");
}

static void templates_make_them_for_each(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{\"id\":\"each\",\"for_kind\":\"user\",\"daily_budget\":1,\"total_budget\":3}");
    reserve(c, "a", "1.01", false);
    reserve(c, "b", "1", true);
    expect(c, 200, "GET", BUDGETS, NULL);
    char one[256];
    snprintf(one, sizeof one, BUDGETS "/%.64s", member(c, "data.2.id"));
    expect(c, 200, "GET", one, NULL);
    expect_member(c, "also", "(none)"); /* the templates' are none of its */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_total_and_a_daily_budget_are_two),
        TEST(both_have_a_say),
        TEST(a_change_reaches_the_one_whose_limit_it_is),
        TEST(they_end_together_or_by_themselves),
        TEST(all_are_made_or_none),
        TEST(one_alone_is_one_budget),
        TEST(each_wrong_field_is_named),
        TEST(templates_make_them_for_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
