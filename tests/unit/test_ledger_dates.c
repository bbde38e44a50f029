/* SPDX-License-Identifier: Apache-2.0
 * Proves that a budget with dates counts the calls that are made between them and no others, that
 * what was taken while it counted stays and ends in it, and that its dates may change. Each step is
 * packed, read back, applied to a copy, saved and loaded (ledger_help.h). */
#include "unit/ledger_help.h"

static uint32_t put_dated(struct bench *b, int64_t starts_us, int64_t ends_us)
{
    uint32_t handle = 0;
    struct mete_change change = budget_change(b->org, "dated", 100, METE_HOURLY);
    change.budget.starts_at.us = starts_us;
    change.budget.ends_at.us = ends_us;
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static uint64_t take(struct bench *b, int64_t amount)
{
    const struct mete_demand demand = {.currency = METE_USD, .fixed = amount};
    struct mete_reserve args = ask(b, &demand);
    args.ttl_ms = LIMIT_TTL_MS;
    assert_int_equal(reserve(b, &args), 0);
    return b->verdict.reservation.n;
}

static void record(struct bench *b, int64_t cost)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision)) ==
           LEDGER_STALE)
        enter_due(b, &decision.due);
    assert_int_equal(rc, 0);
    apply(b, &decision.entry);
}

static void it_counts_between_its_dates_alone(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_dated(b, T0 + HOUR_US, T0 + 3 * HOUR_US);
    take(b, 500); /* before: it neither refuses nor counts */
    assert_true(b->verdict.allowed);
    assert_false(b->verdict.has_remaining);
    record(b, 500);
    b->now_us = T0 + HOUR_US - 1;
    take(b, 500);
    assert_true(b->verdict.allowed);
    b->now_us = T0 + HOUR_US; /* from here on */
    take(b, 101);
    assert_false(b->verdict.allowed);
    take(b, 60);
    assert_true(b->verdict.allowed && b->verdict.has_remaining);
    record(b, 30);
    stands(b, budget, 30, 60);
    b->now_us = T0 + 3 * HOUR_US - 1;
    take(b, 101);
    assert_false(b->verdict.allowed);
    b->now_us = T0 + 3 * HOUR_US; /* and not at its end */
    take(b, 101);
    assert_true(b->verdict.allowed);
    record(b, 101);
}

static void what_it_took_stays_and_ends_in_it(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_dated(b, 0, T0 + HOUR_US / 2);
    uint64_t id = take(b, 60);
    b->now_us = T0 + HOUR_US / 2;
    take(b, 100); /* it is over for new calls */
    assert_true(b->verdict.allowed);
    stands(b, budget, 0, 60);
    assert_int_equal(commit(b, id, 45), 0);
    stands(b, budget, 45, 0);
}

static void what_runs_grows_in_it_after_its_end(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_dated(b, 0, T0 + HOUR_US / 2);
    take(b, 60);
    b->now_us = T0 + HOUR_US / 2;
    const struct mete_demand more = {.currency = METE_USD, .fixed = 41};
    const struct mete_extend extend = {
        .reservation = b->verdict.reservation, .demands = &more, .demands_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &extend, b->refusals,
                                          METE_REFUSALS_MAX, &b->verdict, &decision),
                     0);
    assert_false(b->verdict.allowed); /* INV-01 holds as long as it holds anything */
    assert_true(b->verdict.retry_at.us == 0); /* only what it holds itself is in the way */
    stands(b, budget, 0, 60);
}

static void a_refusal_lasts_no_longer_than_its_budget(void **state)
{
    struct bench *b = *state;
    put_dated(b, 0, T0 + HOUR_US / 2);
    record(b, 100);
    take(b, 1);
    assert_false(b->verdict.allowed);
    assert_true(b->verdict.retry_at.us == T0 + HOUR_US / 2); /* the window ends later */
    take(b, 101);                                            /* more than the limit: never, else */
    assert_true(b->verdict.retry_at.us == T0 + HOUR_US / 2);
}

static void its_dates_change_and_are_shown(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_dated(b, 0, T0 + HOUR_US);
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.starts_at.us == 0 && view.ends_at.us == T0 + HOUR_US && view.revision == 1);
    b->now_us = T0 + HOUR_US;
    take(b, 101);
    assert_true(b->verdict.allowed);
    put_dated(b, 0, T0 + 2 * HOUR_US);
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.ends_at.us == T0 + 2 * HOUR_US && view.revision == 2);
    take(b, 101);
    assert_false(b->verdict.allowed);
    put_dated(b, 0, 0);
    take(b, 101);
    assert_false(b->verdict.allowed);
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.ends_at.us == 0 && view.revision == 3);
}

static void what_a_template_makes_has_its_dates(void **state)
{
    struct bench *b = *state;
    uint32_t handle = 0;
    struct mete_change change = budget_change(b->org, "each", 100, METE_HOURLY);
    change.budget.for_kind = METE_USER;
    change.budget.ends_at.us = T0 + HOUR_US;
    assert_int_equal(put(b, &change, &handle), 0);
    take(b, 101);
    assert_false(b->verdict.allowed);
    b->now_us = T0 + HOUR_US;
    take(b, 101);
    assert_true(b->verdict.allowed);
}

static void dates_out_of_order_are_refused(void **state)
{
    struct bench *b = *state;
    static const int64_t wrong[][3] = {{-1, 0, 0},      {0, -1, 0}, {T0, T0, 0},
                                       {T0 + 1, T0, 0}, {T0, 0, 1}, {INT64_MAX, 0, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint32_t handle = 0;
        struct mete_change change = budget_change(b->org, "dated", 100, METE_HOURLY);
        change.budget.starts_at.us = wrong[i][0];
        change.budget.ends_at.us = wrong[i][1];
        change.budget.rollover_cap = wrong[i][2];
        assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_counts_between_its_dates_alone),   TEST(what_it_took_stays_and_ends_in_it),
        TEST(what_runs_grows_in_it_after_its_end), TEST(a_refusal_lasts_no_longer_than_its_budget),
        TEST(its_dates_change_and_are_shown),      TEST(what_a_template_makes_has_its_dates),
        TEST(dates_out_of_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
