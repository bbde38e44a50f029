/* SPDX-License-Identifier: Apache-2.0
 * Proves of subscriptions: the month one is made in is granted at once, the next ones when they
 * begin by the organization's clock (also where that clock changes), each exactly once, across
 * restarts and however long nobody ran; what is left rolls over as the plan says; a plan or scope
 * that is gone ends them. The clock is the test's. */
#include "codec/timestamp.h"
#include "unit/api_case.h"

#include <stdio.h>

#define ACME "/api/v1/organizations/acme"

/* Time goes on; it never goes back. */
static void until(struct api_case *c, const char *instant)
{
    int64_t us;
    assert_int_equal(timestamp_parse(slice_of(instant), &us), 0);
    assert_true(us > c->now_us);
    c->now_us = us;
}

static void restart(struct api_case *c)
{
    local_call_done(&c->call);
    c->call = (struct local_call){0};
    local_close(c->local);
    api_case_open(c);
}

static void balance_is(struct api_case *c, const char *org, const char *unit, const char *wanted)
{
    char target[128];
    snprintf(target, sizeof target, "/api/v1/organizations/%s/quotas/balance?user_id=ada&unit=%s",
             org, unit);
    expect(c, 200, "GET", target, NULL);
    expect_member(c, "balance", wanted);
}

static void consume(struct api_case *c, const char *amount)
{
    char body[128];
    snprintf(body, sizeof body, "{\"user_id\":\"ada\",\"unit\":\"tokens\",\"amount\":\"%s\"}",
             amount);
    expect(c, 200, "POST", ACME "/quotas/consume", body);
    expect_member(c, "success", "true");
}

static void subscribe(struct api_case *c, const char *grant)
{
    char body[512];
    snprintf(body, sizeof body, "{\"id\":\"gold\",\"name\":\"Gold\",\"grants\":[%s]}", grant);
    make_acme(c);
    expect(c, 201, "POST", ACME "/plans", body);
    expect(c, 201, "POST", ACME "/subscriptions",
           "{\"id\":\"s1\",\"user_id\":\"ada\",\"plan\":\"gold\"}");
}

#define PLAIN "{\"unit\":\"tokens\",\"amount\":\"1000\"},{\"unit\":\"images\",\"amount\":\"9\"}"

static void a_month_is_granted_with_it(void **state)
{
    struct api_case *c = *state;
    subscribe(c, PLAIN);
    expect_member(c, "month", "2026-11");
    expect_member(c, "renews_at", "2026-12-01T00:00:00Z");
    expect_member(c, "grants.0.id", "s1~2026-11");
    expect_member(c, "grants.0.source", "membership");
    expect_member(c, "grants.0.source_id", "gold");
    expect_member(c, "grants.0.description", "Gold");
    expect_member(c, "grants.0.expires_at", "2026-12-01T00:00:00Z");
    expect_member(c, "grants.1.unit", "images");
    expect(c, 200, "GET", ACME "/subscriptions/s1", NULL);
    expect_member(c, "scope.id", "ada");
    expect_member(c, "plan", "gold");
    expect(c, 200, "GET", ACME "/subscriptions", NULL);
    expect_member(c, "data.0.id", "s1");
    expect_problem(c, 409, "exists", "id", "POST", ACME "/subscriptions",
                   "{\"id\":\"s1\",\"user_id\":\"ada\",\"plan\":\"gold\"}");
    expect_problem(c, 404, "not_found", "plan", "POST", ACME "/subscriptions",
                   "{\"user_id\":\"ada\",\"plan\":\"silver\"}");
    expect_problem(c, 400, "invalid", "plan", "POST", ACME "/subscriptions",
                   "{\"user_id\":\"ada\"}");
    expect_problem(c, 404, "not_found", "user_id", "POST", ACME "/subscriptions",
                   "{\"user_id\":\"eve\",\"plan\":\"gold\"}");
    expect_problem(c, 404, "not_found", "subscription", "GET", ACME "/subscriptions/s2", NULL);
}

static void each_month_is_granted_once(void **state)
{
    struct api_case *c = *state;
    subscribe(c, PLAIN);
    consume(c, "900");
    until(c, "2026-11-30T23:59:59Z");
    balance_is(c, "acme", "tokens", "100");
    until(c, "2026-12-01T00:00:00Z");
    balance_is(c, "acme", "tokens", "1000");
    balance_is(c, "acme", "images", "9");
    for (int i = 0; i < 3; i++) {
        restart(c);
        balance_is(c, "acme", "tokens", "1000");
    }
    expect(c, 200, "GET", ACME "/grants?user_id=ada&unit=tokens", NULL);
    expect_member(c, "total", "2");
    expect(c, 200, "GET", ACME "/subscriptions/s1", NULL);
    expect_member(c, "month", "2026-12");
}

/* The very call that would have been refused is the one that finds the new month. */
static void the_first_call_of_a_month_finds_its_balance(void **state)
{
    struct api_case *c = *state;
    subscribe(c, PLAIN);
    consume(c, "1000");
    until(c, "2026-12-01T00:00:00.000001Z");
    consume(c, "1000");
    until(c, "2027-01-05T00:00:00Z");
    restart(c);
    expect(c, 200, "POST", "/api/v1/budget/reserve",
           "{\"request_id\":\"r1\",\"scope\":{\"kind\":\"user\",\"id\":\"ada\",\"organization\":"
           "\"acme\"},\"usage\":{\"total_tokens\":1000}}");
    expect_member(c, "success", "true");
}

static void who_was_off_for_months_grants_the_present_one(void **state)
{
    struct api_case *c = *state;
    subscribe(c, PLAIN);
    until(c, "2027-03-10T00:00:00Z");
    restart(c);
    balance_is(c, "acme", "tokens", "1000");
    expect(c, 200, "GET", ACME "/grants?user_id=ada&unit=tokens", NULL);
    expect_member(c, "total", "2");
    expect_member(c, "data.0.id", "s1~2027-03");
}

static void what_is_left_rolls_over_as_the_plan_says(void **state)
{
    struct api_case *c = *state;
    subscribe(c, "{\"unit\":\"tokens\",\"amount\":\"1000\",\"rollover\":true,\"rollover_cap\":"
                 "\"500\"},{\"unit\":\"images\",\"amount\":\"9\",\"rollover\":true}");
    consume(c, "700");
    until(c, "2026-12-02T00:00:00Z");
    balance_is(c, "acme", "tokens", "1300");
    balance_is(c, "acme", "images", "18");
    until(c, "2027-01-02T00:00:00Z");
    balance_is(c, "acme", "tokens", "1500"); /* at most 500 */
    balance_is(c, "acme", "images", "27");
    until(c, "2027-06-02T00:00:00Z");
    balance_is(c, "acme", "images", "36"); /* once, not for each month nobody asked */
}

static void a_month_begins_by_the_organizations_clock(void **state)
{
    static const struct {
        const char *org, *zone, *before, *at, *ends;
    } zones[] = {
        /* Summer time began on the 28th: the month ends an hour earlier than it began. */
        {"berlin", "Europe/Berlin", "2027-03-31T21:59:59Z", "2027-03-31T22:00:00Z",
         "2027-04-30T22:00:00Z"},
        {"york", "America/New_York", "2027-04-01T03:59:59Z", "2027-04-01T04:00:00Z",
         "2027-05-01T04:00:00Z"},
        {"kolkata", "Asia/Kolkata", "2027-04-30T18:29:59Z", "2027-04-30T18:30:00Z",
         "2027-05-31T18:30:00Z"},
    };
    struct api_case *c = *state;
    char path[128], body[256];
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        snprintf(body, sizeof body, "{\"id\":\"%s\",\"name\":\"X\",\"time_zone\":\"%s\"}",
                 zones[i].org, zones[i].zone);
        expect(c, 201, "POST", "/api/v1/organizations", body);
        snprintf(path, sizeof path, "/api/v1/organizations/%s/users", zones[i].org);
        expect(c, 201, "POST", path, "{\"id\":\"ada\",\"name\":\"Ada\"}");
        snprintf(path, sizeof path, "/api/v1/organizations/%s/plans", zones[i].org);
        expect(c, 201, "POST", path,
               "{\"id\":\"p\",\"name\":\"P\",\"grants\":[{\"unit\":\"tokens\",\"amount\":\"5\"}]}");
        snprintf(path, sizeof path, "/api/v1/organizations/%s/subscriptions", zones[i].org);
        expect(c, 201, "POST", path, "{\"id\":\"s\",\"user_id\":\"ada\",\"plan\":\"p\"}");
    }
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        char grant[160];
        until(c, zones[i].before);
        balance_is(c, zones[i].org, "tokens", "5");
        expect_member(c, "granted", "5");
        snprintf(path, sizeof path, "/api/v1/organizations/%s/subscriptions/s", zones[i].org);
        expect(c, 200, "GET", path, NULL);
        expect_member(c, "renews_at", zones[i].at);
        until(c, zones[i].at);
        balance_is(c, zones[i].org, "tokens", "5");
        expect(c, 200, "GET", path, NULL);
        expect_member(c, "renews_at", zones[i].ends);
        snprintf(grant, sizeof grant, "/api/v1/organizations/%s/grants/s~%s", zones[i].org,
                 i == 2 ? "2027-05" : "2027-04");
        expect(c, 200, "GET", grant, NULL);
        expect_member(c, "expires_at", zones[i].ends);
    }
}

static void what_is_gone_is_granted_nothing(void **state)
{
    struct api_case *c = *state;
    subscribe(c, PLAIN);
    expect(c, 201, "POST", ACME "/users", "{\"id\":\"bob\",\"name\":\"Bob\"}");
    expect(c, 201, "POST", ACME "/subscriptions",
           "{\"id\":\"s2\",\"user_id\":\"bob\",\"plan\":\"gold\"}");
    expect(c, 201, "POST", ACME "/subscriptions",
           "{\"id\":\"s3\",\"scope\":{\"kind\":\"department\",\"id\":\"research\"},"
           "\"plan\":\"gold\"}");
    expect(c, 204, "DELETE", ACME "/users/bob", NULL);
    expect(c, 204, "DELETE", ACME "/subscriptions/s1", NULL);
    balance_is(c, "acme", "tokens", "1000"); /* until the month ends */
    until(c, "2026-12-01T00:00:00Z");
    balance_is(c, "acme", "tokens", "0");
    expect_problem(c, 404, "not_found", "subscription", "GET", ACME "/subscriptions/s2", NULL);
    expect(c, 200, "GET", ACME "/subscriptions/s3", NULL);
    expect_member(c, "month", "2026-12");
    expect(c, 204, "DELETE", ACME "/plans/gold", NULL);
    until(c, "2027-01-01T00:00:00Z");
    expect(c, 200, "GET", ACME "/subscriptions", NULL);
    expect_member(c, "data", "[]");
}

/* More than one page of those that are due, and others that are not. */
static void many_are_renewed_together(void **state)
{
    enum { MANY = 75 };
    struct api_case *c = *state;
    char body[160], path[128];
    subscribe(c, PLAIN);
    for (int i = 0; i < MANY; i++) {
        snprintf(body, sizeof body, "{\"id\":\"u%d\",\"name\":\"U\"}", i);
        expect(c, 201, "POST", ACME "/users", body);
        snprintf(body, sizeof body, "{\"id\":\"m%d\",\"user_id\":\"u%d\",\"plan\":\"gold\"}", i, i);
        expect(c, 201, "POST", ACME "/subscriptions", body);
    }
    until(c, "2026-12-24T00:00:00Z");
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, ACME "/grants/m%d~2026-12~2", i);
        expect(c, 200, "GET", path, NULL);
        expect_member(c, "balance", "9");
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, api_case_setup, api_case_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_month_is_granted_with_it),
        CASE(each_month_is_granted_once),
        CASE(the_first_call_of_a_month_finds_its_balance),
        CASE(who_was_off_for_months_grants_the_present_one),
        CASE(what_is_left_rolls_over_as_the_plan_says),
        CASE(a_month_begins_by_the_organizations_clock),
        CASE(what_is_gone_is_granted_nothing),
        CASE(many_are_renewed_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
