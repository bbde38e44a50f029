/* SPDX-License-Identifier: Apache-2.0
 * Proves of alerts of low balances: what is low, against plain fractions; that one is made, shown,
 * listed and ended, and what cannot be said. When it is told is in
 * tests/outside/low-balance.test.mjs. */
#include "api/quotas/low_balance.h"
#include "unit/api_case.h"

#define ALERTS "/api/v1/organizations/acme/quotas/alerts"

static bool is_low(int64_t below, int64_t bp, int64_t granted, int64_t drawn, int64_t held)
{
    const struct low_balance alert = {.below = below, .below_bp = bp};
    const struct mete_quota_view view = {
        .granted = granted, .drawn = drawn, .held = held, .balance = granted - drawn - held};
    return low_balance_is(&alert, &view);
}

static void low_is_below_and_not_at(void **state)
{
    (void)state;
    assert_false(is_low(500, 0, 1000, 500, 0));
    assert_true(is_low(500, 0, 1000, 501, 0));
    assert_false(is_low(500, 0, 1000, 400, 600)); /* held is not gone */
    assert_true(is_low(1, 0, 10, 12, 0));         /* below nothing, after an overrun */
    assert_true(is_low(METE_AMOUNT_MAX, 0, 0, 0, 0));
    for (int64_t granted = 0; granted < 40; granted++)
        for (int64_t drawn = 0; drawn <= granted + 2; drawn++)
            for (int64_t bp = 1; bp <= 10000; bp += 333) {
                int64_t left = granted - drawn;
                bool naive = left <= 0 || (double)left / (double)granted < (double)bp / 10000;
                assert_int_equal(is_low(0, bp, granted, drawn, 0), naive);
            }
    const int64_t most = METE_AMOUNT_MAX;
    assert_false(is_low(0, 5000, most - 1, (most - 1) / 2, 0));
    assert_true(is_low(0, 5000, most - 1, (most - 1) / 2 + 1, 0));
}

static void one_is_made_shown_and_ended(void **state)
{
    struct api_case *c = *state;
    make_acme(c);
    expect(c, 201, "POST", ALERTS,
           "{\"id\":\"a\",\"user_id\":\"ada\",\"unit\":\"text_token\",\"below\":\"500\"}");
    expect_member(c, "unit", "tokens");
    expect_member(c, "below", "500");
    expect_member(c, "low", "false");
    expect(c, 409, "POST", ALERTS,
           "{\"id\":\"a\",\"user_id\":\"ada\",\"unit\":\"tokens\",\"below\":\"1\"}");
    expect(c, 201, "POST", ALERTS,
           "{\"scope\":{\"kind\":\"organization\",\"id\":\"acme\"},\"unit\":\"USD\","
           "\"below_percent\":\"12.5\"}");
    expect_member(c, "below_percent", "12.5");
    expect(c, 200, "GET", ALERTS "/a", NULL);
    expect_member(c, "scope.id", "ada");
    expect(c, 200, "GET", ALERTS "?limit=1", NULL);
    expect(c, 204, "DELETE", ALERTS "/a", NULL);
    expect(c, 404, "GET", ALERTS "/a", NULL);
    expect(c, 404, "DELETE", ALERTS "/a", NULL);
}

static void what_cannot_be_said_is_refused_by_its_name(void **state)
{
    struct api_case *c = *state;
    static const struct {
        const char *body, *field;
    } wrong[] = {
        {"{\"user_id\":\"ada\",\"unit\":\"tokens\"}", "below"},
        {"{\"user_id\":\"ada\",\"unit\":\"tokens\",\"below\":\"0\"}", "below"},
        {"{\"user_id\":\"ada\",\"unit\":\"tokens\",\"below\":\"1\",\"below_percent\":1}",
         "below_percent"},
        {"{\"user_id\":\"ada\",\"unit\":\"tokens\",\"below_percent\":100.01}", "below_percent"},
        {"{\"user_id\":\"ada\",\"unit\":\"pears\",\"below\":\"1\"}", "unit"},
        {"{\"unit\":\"tokens\",\"below\":\"1\"}", "scope"},
    };
    make_acme(c);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect(c, 400, "POST", ALERTS, wrong[i].body);
        expect_member(c, "field", wrong[i].field);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, api_case_setup, api_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(low_is_below_and_not_at),
        CASE(one_is_made_shown_and_ended),
        CASE(what_cannot_be_said_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
