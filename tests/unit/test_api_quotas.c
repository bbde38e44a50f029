/* SPDX-License-Identifier: Apache-2.0
 * Proves of the API's prepaid half: what a grant is said to be for stays with it; consuming decides
 * and takes in one step and never takes what is not there; plans and packages are made, changed and
 * refused field by field; a payment is granted once, however often it is reported. */
#include "unit/api_case.h"

#include <stdio.h>

#define ACME "/api/v1/organizations/acme"
#define ADA "\"user_id\":\"ada\""

static void a_grant_keeps_what_it_is_for(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ACME "/grants",
           "{\"id\":\"g1\"," ADA ",\"unit\":\"tokens\",\"amount\":\"100\",\"source\":\"admin\","
           "\"source_id\":\"ticket-7\",\"description\":\"for the \\\"trial\\\"\"}");
    expect_member(c, "source_id", "ticket-7");
    expect_member(c, "description", "for the \"trial\"");
    expect(c, 200, "PUT", ACME "/grants/g1", "{\"amount\":\"120\",\"source_id\":\"ticket-8\"}");
    expect(c, 200, "GET", ACME "/grants/g1", NULL);
    expect_member(c, "amount", "120");
    expect_member(c, "source_id", "ticket-8");
    expect_member(c, "description", "for the \"trial\"");
    expect(c, 200, "GET", ACME "/grants?user_id=ada&unit=text_token", NULL);
    expect_member(c, "data.0.source_id", "ticket-8");
    expect(c, 200, "GET", ACME "/quotas/history?user_id=ada&unit=tokens", NULL);
    expect_member(c, "data.0.source", "admin");
    expect_member(c, "data.0.source_id", "ticket-8");
    expect_member(c, "data.0.balance", "120");
    expect_problem(c, 400, "invalid", "user_id", "POST", ACME "/grants",
                   "{" ADA ",\"scope\":{\"kind\":\"user\",\"id\":\"ada\"},\"unit\":\"tokens\","
                   "\"amount\":\"1\"}");
    expect_problem(c, 400, "invalid", "scope", "POST", ACME "/grants",
                   "{\"unit\":\"tokens\",\"amount\":\"1\"}");
    expect_problem(c, 400, "invalid", "unit", "POST", ACME "/grants",
                   "{" ADA ",\"unit\":\"pears\",\"amount\":\"1\"}");
    expect_problem(c, 404, "not_found", "user_id", "POST", ACME "/grants",
                   "{\"user_id\":\"eve\",\"unit\":\"tokens\",\"amount\":\"1\"}");
}

static void consuming_takes_what_is_there_or_nothing(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 200, "POST", ACME "/quotas/consume",
           "{" ADA ",\"quota_type\":\"image\",\"amount\":\"1\"}");
    expect_member(c, "success", "false"); /* nothing was ever granted */
    expect(c, 201, "POST", ACME "/quotas/grant",
           "{" ADA ",\"quota_type\":\"image\",\"amount\":\"10\",\"source\":\"membership\","
           "\"source_id\":\"plan-1\"}");
    expect_member(c, "unit", "images");
    expect(c, 200, "GET", ACME "/quotas/enough?user_id=ada&unit=image&amount=10", NULL);
    expect_member(c, "enough", "true");
    expect(c, 200, "GET", ACME "/quotas/enough?user_id=ada&unit=image&amount=11", NULL);
    expect_member(c, "enough", "false");
    expect_member(c, "reason", "quota");
    expect(c, 200, "POST", ACME "/quotas/consume",
           "{" ADA ",\"quota_type\":\"image\",\"amount\":\"7\",\"request_id\":\"r1\"}");
    expect_member(c, "success", "true");
    expect_member(c, "balance", "3");
    expect(c, 200, "POST", ACME "/quotas/consume",
           "{" ADA ",\"quota_type\":\"image\",\"amount\":\"7\",\"request_id\":\"r1\"}");
    expect_member(c, "balance", "3"); /* the same request is one */
    expect_problem(c, 422, "content_differs", "request_id", "POST", ACME "/quotas/consume",
                   "{" ADA ",\"quota_type\":\"image\",\"amount\":\"1\",\"request_id\":\"r1\"}");
    expect(c, 200, "POST", ACME "/quotas/consume",
           "{" ADA ",\"quota_type\":\"image\",\"amount\":\"4\"}");
    expect_member(c, "success", "false");
    expect_member(c, "reason", "quota");
    expect_member(c, "record_id", "null");
    expect(c, 200, "GET", ACME "/quotas/balance?user_id=ada&unit=image", NULL);
    expect_member(c, "balance", "3");
    expect_member(c, "held", "0");
    expect(c, 200, "GET", ACME "/quotas/balance?user_id=ada&unit=USD", NULL);
    expect_member(c, "balance", "0.00");
    expect_problem(c, 400, "invalid", "amount", "POST", ACME "/quotas/consume",
                   "{" ADA ",\"quota_type\":\"image\",\"amount\":\"0\"}");
    expect_problem(c, 400, "invalid", "amount", "GET", ACME "/quotas/enough?user_id=ada&unit=image",
                   NULL);
    expect_problem(c, 400, "invalid", "unit", "GET", ACME "/quotas/balance?user_id=ada", NULL);
    expect_problem(c, 404, "not_found", "user_id", "GET",
                   ACME "/quotas/balance?user_id=eve&unit=image", NULL);
}

static void a_budget_above_has_its_say(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ACME "/grants", "{" ADA ",\"unit\":\"tokens\",\"amount\":\"100\"}");
    expect(c, 201, "POST", ACME "/budgets",
           "{\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"},\"unit\":\"tokens\","
           "\"amount\":\"10\",\"period\":\"monthly\"}");
    expect(c, 200, "POST", ACME "/quotas/consume",
           "{" ADA ",\"unit\":\"tokens\",\"amount\":\"11\"}");
    expect_member(c, "success", "false");
    expect_member(c, "reason", "hard_limit");
    expect_member(c, "balance", "100");
}

/* Many at once on one balance: all that was there is taken, and not one more. */
static void many_at_once_take_no_more_than_there_is(void **state)
{
    enum { MANY = 64, THERE = 40 };
    struct api_case *c = *state;
    struct local_call calls[MANY];
    int taken = 0;
    make_acme(c);
    expect(c, 201, "POST", ACME "/grants", "{" ADA ",\"unit\":\"requests\",\"amount\":\"40\"}");
    for (int i = 0; i < MANY; i++) {
        calls[i] = (struct local_call){
            .method = "POST",
            .target = ACME "/quotas/consume",
            .authorization = SLICE_LITERAL("Bearer root-token"),
            .body = SLICE_LITERAL("{" ADA ",\"unit\":\"requests\",\"amount\":\"1\"}")};
        local_start(c->local, &calls[i]);
    }
    local_wait(c->local);
    for (int i = 0; i < MANY; i++) {
        struct json json;
        assert_int_equal(calls[i].status, 200);
        assert_int_equal(json_scan(buffer_slice(&calls[i].reply), &json, NULL), 0);
        taken += slice_is(json_member(json, "success").raw, "true");
        local_call_done(&calls[i]);
    }
    assert_int_equal(taken, THERE);
}

#define GOLD                                                                                       \
    "{\"id\":\"gold\",\"name\":\"Gold\",\"grants\":[{\"unit\":\"tokens\",\"amount\":\"1000\","     \
    "\"rollover\":true,\"rollover_cap\":\"500\"},{\"unit\":\"USD\",\"amount\":\"2.50\"}]}"

static void a_plan_is_made_changed_and_ended(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ACME "/plans", GOLD);
    expect_problem(c, 409, "exists", "id", "POST", ACME "/plans", GOLD);
    expect(c, 200, "GET", ACME "/plans/gold", NULL);
    expect_member(c, "grants.0.rollover_cap", "500");
    expect_member(c, "grants.1.amount", "2.50");
    expect_member(c, "grants.1.rollover", "false");
    expect(c, 200, "PUT", ACME "/plans/gold", "{\"name\":\"Golden\"}");
    expect_member(c, "name", "Golden");
    expect_member(c, "grants.0.amount", "1000");
    expect(c, 200, "GET", ACME "/plans", NULL);
    expect_member(c, "data.0.name", "Golden");
    expect(c, 204, "DELETE", ACME "/plans/gold", NULL);
    expect_problem(c, 404, "not_found", "plan", "GET", ACME "/plans/gold", NULL);
    expect_problem(c, 404, "not_found", "plan", "DELETE", ACME "/plans/gold", NULL);
    expect_problem(c, 404, "not_found", "plan", "PUT", ACME "/plans/gold", "{\"name\":\"x\"}");
    expect_problem(c, 404, "not_found", "org", "GET", "/api/v1/organizations/none/plans", NULL);
}

static void a_plan_says_what_is_wrong_with_it(void **state)
{
    static const struct {
        const char *field, *body;
    } wrong[] = {
        {"name", "{\"grants\":[{\"unit\":\"tokens\",\"amount\":\"1\"}]}"},
        {"grants", "{\"name\":\"x\"}"},
        {"grants", "{\"name\":\"x\",\"grants\":[]}"},
        {"grants[0].unit", "{\"name\":\"x\",\"grants\":[{\"amount\":\"1\"}]}"},
        {"grants[0].unit", "{\"name\":\"x\",\"grants\":[{\"unit\":\"pears\",\"amount\":\"1\"}]}"},
        {"grants[0].amount", "{\"name\":\"x\",\"grants\":[{\"unit\":\"tokens\"}]}"},
        {"grants[0].amount",
         "{\"name\":\"x\",\"grants\":[{\"unit\":\"tokens\",\"amount\":\"0\"}]}"},
        {"grants[0].amount",
         "{\"name\":\"x\",\"grants\":[{\"unit\":\"tokens\",\"amount\":\"1.5\"}]}"},
        {"grants[0].rollover_cap", "{\"name\":\"x\",\"grants\":[{\"unit\":\"tokens\",\"amount\":"
                                   "\"1\",\"rollover_cap\":\"5\"}]}"},
        {"grants[0].expires_in_days", "{\"name\":\"x\",\"grants\":[{\"unit\":\"tokens\","
                                      "\"amount\":\"1\",\"expires_in_days\":5}]}"},
        {"grants[1].unit", "{\"name\":\"x\",\"grants\":[{\"unit\":\"tokens\",\"amount\":\"1\"},"
                           "{\"unit\":\"text_token\",\"amount\":\"1\"}]}"},
        {"colour", "{\"name\":\"x\",\"colour\":\"red\"}"},
    };
    struct api_case *c = *state;
    make_acme(c);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_problem(c, 400, "invalid", wrong[i].field, "POST", ACME "/plans", wrong[i].body);
}

#define MILLION                                                                                    \
    "{\"id\":\"million\",\"name\":\"A million\",\"price\":\"9.90\",\"currency\":\"EUR\","          \
    "\"grants\":[{\"unit\":\"tokens\",\"amount\":\"1000000\",\"expires_in_days\":30},"             \
    "{\"unit\":\"images\",\"amount\":\"20\"}]}"
#define BUY ACME "/packages/million/purchase"

static void a_payment_is_granted_once(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ACME "/packages", MILLION);
    expect_member(c, "enabled", "true");
    expect(c, 201, "POST", BUY, "{" ADA ",\"reference\":\"pay-1\"}");
    expect_member(c, "price", "9.90");
    expect_member(c, "currency", "EUR");
    expect_member(c, "repeated", "false");
    expect_member(c, "grants.0.source", "purchase");
    expect_member(c, "grants.0.source_id", "pay-1");
    expect_member(c, "grants.0.expires_at", "2026-12-21T09:00:00Z");
    expect_member(c, "grants.1.unit", "images");
    expect(c, 200, "PUT", ACME "/packages/million",
           "{\"name\":\"Other\",\"grants\":[{\"unit\":\"USD\",\"amount\":\"1\"}]}");
    expect(c, 200, "POST", BUY, "{" ADA ",\"reference\":\"pay-1\"}");
    expect_member(c, "repeated", "true");
    expect_member(c, "grants.0.amount", "1000000");
    expect_member(c, "grants.1.unit", "images");
    expect(c, 200, "GET", ACME "/quotas/balance?user_id=ada&unit=USD", NULL);
    expect_member(c, "balance", "0.00");
    expect_problem(c, 409, "exists", "reference", "POST", BUY,
                   "{\"scope\":{\"kind\":\"department\",\"id\":\"research\"},"
                   "\"reference\":\"pay-1\"}");
    expect_problem(c, 400, "invalid", "reference", "POST", BUY, "{" ADA "}");
    expect_problem(c, 404, "not_found", "package", "POST", ACME "/packages/none/purchase",
                   "{" ADA ",\"reference\":\"pay-2\"}");
    expect(c, 200, "PUT", ACME "/packages/million", "{\"enabled\":false}");
    expect_problem(c, 400, "invalid", "package", "POST", BUY, "{" ADA ",\"reference\":\"pay-2\"}");
    expect(c, 200, "GET", ACME "/packages/million", NULL);
    expect_member(c, "enabled", "false");
    expect_member(c, "price", "9.90");
    expect(c, 204, "DELETE", ACME "/packages/million", NULL);
    expect(c, 200, "GET", ACME "/packages", NULL);
    expect_member(c, "data", "[]");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, api_case_setup, api_case_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_grant_keeps_what_it_is_for),     CASE(consuming_takes_what_is_there_or_nothing),
        CASE(a_budget_above_has_its_say),       CASE(many_at_once_take_no_more_than_there_is),
        CASE(a_plan_is_made_changed_and_ended), CASE(a_plan_says_what_is_wrong_with_it),
        CASE(a_payment_is_granted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
