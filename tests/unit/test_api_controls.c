/* SPDX-License-Identifier: Apache-2.0
 * Proves the doors of a budget's controls and dated increases: said, shown, replaced, lifted,
 * ended; that what they do is told in verdicts; and that each wrong field is a problem that names
 * it. */
#include "unit/api_case.h"

#define BUDGETS "/api/v1/organizations/acme/budgets"
#define INCREASES BUDGETS "/b/increases"
#define PLAIN                                                                                      \
    "\"id\":\"b\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"USD\",\"amount\":\"1\"," \
    "\"period\":\"daily\""
#define CALL                                                                                       \
    "{\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":\"acme\"},"                     \
    "\"request_id\":\"%s\",\"amount\":\"%s\"}"

static void call(struct api_case *c, const char *verb, const char *id, const char *amount)
{
    char target[64], body[256];
    snprintf(target, sizeof target, "/api/v1/budget/%s", verb);
    snprintf(body, sizeof body, CALL, id, amount);
    expect(c, 200, "POST", target, body);
}

static void controls_as_they_are_shown(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{" PLAIN ",\"controls\":{\"soft_threshold\":75,\"throttle_threshold\":0.85,"
           "\"emergency_stop_threshold\":95,\"downgrade_threshold\":0.5,"
           "\"cooldown_seconds\":300}}");
    static const char all[] =
        "{\"hard_limit\":true,\"soft_limit\":\"0.75\",\"soft_threshold\":0.75,"
        "\"throttle_threshold\":0.85,\"throttle_rate\":0.5,\"emergency_stop_threshold\":0.95,"
        "\"downgrade_threshold\":0.5,\"cooldown_seconds\":300,\"grace_seconds\":300}";
    expect_member(c, "controls", all);
    expect_member(c, "soft_limit_reached", "false");
    expect_member(c, "throttled", "false");
    expect_member(c, "stopped_at", "null");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "controls", all);
    expect(c, 200, "GET", BUDGETS, NULL);
    expect_member(c, "data.0.controls", all);
}

/* Controls are said together; what a change does not name stays, and a soft limit that is a share
 * follows the limit. */
static void a_change_replaces_all_controls_or_none(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{" PLAIN ",\"controls\":{\"soft_threshold\":0.333333,\"throttle_threshold\":1,"
           "\"throttle_rate\":0.25}}");
    expect_member(c, "controls.soft_limit", "0.333333");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"amount\":\"3\",\"name\":\"N\"}");
    expect_member(c, "controls",
                  "{\"hard_limit\":true,\"soft_limit\":\"0.999999\",\"soft_threshold\":0.333333,"
                  "\"throttle_threshold\":1,\"throttle_rate\":0.25,\"cooldown_seconds\":0}");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"controls\":{\"soft_limit\":\"2.5\"}}");
    expect_member(c, "controls", "{\"hard_limit\":true,\"soft_limit\":\"2.50\"}");
    expect_member(c, "name", "N");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"amount\":\"5\"}");
    expect_member(c, "controls", "{\"hard_limit\":true,\"soft_limit\":\"2.50\"}");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"controls\":{}}");
    expect_member(c, "controls", "{\"hard_limit\":true}");
    expect_member(c, "soft_limit_reached", "(none)");
    expect_member(c, "stopped_at", "(none)");
    expect_problem(c, 400, "invalid", "controls.soft_limit", "PUT", BUDGETS "/b",
                   "{\"controls\":{\"soft_limit\":\"x\"}}");
}

static void what_controls_do_is_told(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{" PLAIN ",\"controls\":{\"soft_limit\":\"0.3\",\"downgrade_threshold\":0.4,"
           "\"throttle_threshold\":0.5,\"emergency_stop_threshold\":0.9}}");
    call(c, "check", "c", "0.01");
    expect_member(c, "advice", "(none)");
    call(c, "record", "r1", "0.3");
    call(c, "check", "c", "0.01");
    expect_member(c, "advice", "[\"soft_limit\"]");
    call(c, "record", "r2", "0.2");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "throttled", "true");
    expect_member(c, "soft_limit_reached", "true");
    call(c, "reserve", "a", "0.01");
    expect_member(c, "success", "false");
    expect_member(c, "refused_by.0.reason", "throttle");
    expect_member(c, "advice", "[\"downgrade\",\"soft_limit\"]");
    call(c, "reserve", "b", "0.01");
    expect_member(c, "success", "true");
    call(c, "record", "r3", "0.4");
    call(c, "reserve", "d", "0.01");
    expect_member(c, "refused_by.0.reason", "emergency_stop");
    expect_member(c, "refused_by.0.budget", "b");
    expect_member(c, "retry_at", "2026-11-22T00:00:00Z");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "stopped_at", "2026-11-21T09:00:00Z");
}

static void an_operator_lifts_a_stop(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{" PLAIN ",\"name\":\"Ada\",\"controls\":{\"emergency_stop_threshold\":0.5}}");
    call(c, "record", "r1", "0.6");
    call(c, "reserve", "a", "0.01");
    expect_member(c, "success", "false");
    expect(c, 200, "POST", BUDGETS "/b/lift", NULL);
    expect_member(c, "stopped_at", "null");
    expect_member(c, "name", "Ada");
    call(c, "reserve", "a", "0.01");
    expect_member(c, "success", "true");
    expect(c, 200, "POST", BUDGETS "/b/lift", NULL); /* nothing is on */
    expect_problem(c, 404, "not_found", "budget", "POST", BUDGETS "/none/lift", NULL);
    expect_problem(c, 404, "not_found", "org", "POST", "/api/v1/organizations/none/budgets/b/lift",
                   NULL);
    expect(c, 405, "GET", BUDGETS "/b/lift", NULL);
}

static void an_increase_is_put_and_ends(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{" PLAIN "}");
    expect(c, 201, "POST", INCREASES, "{\"amount\":\"0.50\",\"until\":\"2026-11-21T10:00:00Z\"}");
    expect_member(c, "",
                  "{\"number\":1,\"unit\":\"USD\",\"amount\":\"0.50\","
                  "\"from\":\"2026-11-21T09:00:00Z\",\"until\":\"2026-11-21T10:00:00Z\","
                  "\"active\":true}");
    expect(c, 201, "POST", INCREASES,
           "{\"amount\":2,\"from\":\"2026-11-21T09:30:00Z\",\"until\":\"2026-11-21T11:00:00Z\"}");
    expect_member(c, "number", "2");
    expect_member(c, "active", "false");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "amount", "1.00");
    expect_member(c, "limit", "1.50");
    expect_member(c, "remaining", "1.50");
    call(c, "reserve", "a", "1.4");
    expect_member(c, "success", "true");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "usage_percentage", "93.3333");
    c->now_us += INT64_C(1800) * 1000000;
    expect(c, 200, "GET", INCREASES, NULL);
    expect_member(c, "data.1.active", "true");
    expect_member(c, "data.2", "(none)");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"amount\":\"2\"}"); /* of itself, without increases */
    expect_member(c, "amount", "2.00");
    expect_member(c, "limit", "4.50");
    expect(c, 204, "DELETE", INCREASES "/2", NULL);
    expect_problem(c, 404, "not_found", "increase", "DELETE", INCREASES "/2", NULL);
    c->now_us += INT64_C(1800) * 1000000;
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "limit", "2.00");
    expect(c, 200, "GET", INCREASES, NULL);
    expect_member(c, "data", "[]");
}

static void what_is_no_increase_is_named(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *field, *body;
    } cases[] = {
        {"amount", "{\"until\":\"2027-01-01T00:00:00Z\"}"},
        {"until", "{\"amount\":\"1\"}"},
        {"amount", "{\"amount\":\"0\",\"until\":\"2027-01-01T00:00:00Z\"}"},
        {"amount", "{\"amount\":\"-1\",\"until\":\"2027-01-01T00:00:00Z\"}"},
        {"amount", "{\"amount\":\"0.0000000001\",\"until\":\"2027-01-01T00:00:00Z\"}"},
        {"until", "{\"amount\":\"1\",\"until\":\"2026-11-21T09:00:00Z\"}"},
        {"until", "{\"amount\":\"1\",\"until\":\"tomorrow\"}"},
        {"until", "{\"amount\":\"1\",\"from\":\"2027-01-01T00:00:00Z\","
                  "\"until\":\"2027-01-01T00:00:00Z\"}"},
        {"from", "{\"amount\":\"1\",\"from\":\"1969-12-31T23:59:59Z\","
                 "\"until\":\"2027-01-01T00:00:00Z\"}"},
        {"number", "{\"amount\":\"1\",\"until\":\"2027-01-01T00:00:00Z\",\"number\":3}"},
    };
    make_acme(c);
    expect(c, 201, "POST", BUDGETS, "{" PLAIN "}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_problem(c, 400, "invalid", cases[i].field, "POST", INCREASES, cases[i].body);
    static const char good[] = "{\"amount\":\"1\",\"until\":\"2027-01-01T00:00:00Z\"}";
    expect_problem(c, 404, "not_found", "budget", "POST", BUDGETS "/none/increases", good);
    expect_problem(c, 404, "not_found", "budget", "GET", BUDGETS "/none/increases", NULL);
    expect_problem(c, 404, "not_found", "budget", "DELETE", BUDGETS "/none/increases/1", NULL);
    static const char *const numbers[] = {"0", "1",          "-1",
                                          "x", "4294967297", "99999999999999999999"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char target[128];
        snprintf(target, sizeof target, INCREASES "/%s", numbers[i]);
        expect_problem(c, 404, "not_found", "increase", "DELETE", target, NULL);
    }
    for (int i = 0; i < 8; i++)
        expect(c, 201, "POST", INCREASES, good);
    expect(c, 503, "POST", INCREASES, good);
    expect_member(c, "code", "full");
    expect(c, 204, "DELETE", BUDGETS "/b", NULL);
    expect_problem(c, 404, "not_found", "budget", "POST", INCREASES, good);
}

/* It counts, alerts, shows by how much it is over, and refuses nothing. */
static void without_a_hard_limit_nothing_is_refused(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{" PLAIN ",\"controls\":{\"hard_limit\":false,\"soft_threshold\":0.5,"
           "\"throttle_threshold\":0.1,\"throttle_rate\":0.1,\"emergency_stop_threshold\":0.9}}");
    expect_member(c, "mode", "shadow");
    expect_member(c, "controls.hard_limit", "false");
    call(c, "record", "one", "1.50");
    call(c, "reserve", "two", "2");
    expect_member(c, "success", "true");
    expect_member(c, "refused_by.0.budget", "b");
    expect_member(c, "refused_by.0.shadow", "true");
    expect(c, 200, "GET", BUDGETS "/b", NULL);
    expect_member(c, "used", "1.50");
    expect_member(c, "held", "2.00");
    expect_member(c, "over_limit", "true");
    expect_member(c, "over_by", "2.50");
    expect_member(c, "status", "exceeded");
    expect_member(c, "soft_limit_reached", "true");
    expect(c, 200, "GET", "/api/v1/budgets/alerts", NULL);
    expect_member(c, "data.0.budget", "b");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"controls\":{\"hard_limit\":true}}");
    expect_member(c, "mode", "enforce");
    call(c, "reserve", "three", "0.01");
    expect_member(c, "success", "false");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"controls\":{}}"); /* does not say */
    expect_member(c, "controls.hard_limit", "true");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"mode\":\"off\"}");
    expect(c, 200, "PUT", BUDGETS "/b", "{\"controls\":{\"hard_limit\":true}}");
    expect_member(c, "mode", "off"); /* what counts nothing stays so */
    expect_problem(c, 400, "invalid", "controls.hard_limit", "PUT", BUDGETS "/b",
                   "{\"mode\":\"enforce\",\"controls\":{\"hard_limit\":false}}");
}

static void a_cooldown_is_at_most_a_day(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", BUDGETS,
           "{" PLAIN ",\"controls\":{\"emergency_stop_threshold\":1,\"cooldown_seconds\":86400,"
           "\"grace_seconds\":86400}}");
    expect_member(c, "controls.cooldown_seconds", "86400");
    expect_problem(c, 400, "invalid", "controls.cooldown_seconds", "PUT", BUDGETS "/b",
                   "{\"controls\":{\"emergency_stop_threshold\":1,\"cooldown_seconds\":86401}}");
    expect_problem(c, 400, "invalid", "controls.grace_seconds", "PUT", BUDGETS "/b",
                   "{\"controls\":{\"emergency_stop_threshold\":1,\"grace_seconds\":86401}}");
    assert_non_null(strstr(member(c, "detail"), "86400"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        TEST(controls_as_they_are_shown),
        TEST(a_change_replaces_all_controls_or_none),
        TEST(what_controls_do_is_told),
        TEST(an_operator_lifts_a_stop),
        TEST(without_a_hard_limit_nothing_is_refused),
        TEST(a_cooldown_is_at_most_a_day),
        TEST(an_increase_is_put_and_ends),
        TEST(what_is_no_increase_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
