/* SPDX-License-Identifier: Apache-2.0
 * Proves what may happen to a reservation between its making and its end, and to what it stands on:
 * it grows and shrinks in the windows it was made in. */
#include "unit/ledger_help.h"

static int extend(struct bench *b, const struct mete_extend *args)
{
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_extend(b->ledger, now(b), args, b->refusals, METE_REFUSALS_MAX,
                                      &b->verdict, &decision)) == LEDGER_STALE)
        roll(b, decision.due.budget);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static uint64_t reserved(struct bench *b, const struct mete_demand *demand)
{
    struct mete_reserve args = ask(b, demand);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    return b->verdict.reservation.n;
}

static void it_grows_by_what_all_can_afford(void **state)
{
    struct bench *b = *state;
    uint32_t leaf = put_budget(b, b->key, "leaf", 100, METE_DAILY);
    uint32_t top = put_budget(b, b->org, "top", 50, METE_MONTHLY);
    const struct mete_demand ten = {.currency = METE_USD, .fixed = 10};
    uint64_t id = reserved(b, &ten);
    const struct mete_demand each = {.currency = METE_USD, .per_million = 2000000};
    struct mete_extend more = {
        .reservation = {id}, .demands = &each, .demands_len = 1, .floor = 1, .wish = 100};
    assert_int_equal(extend(b, &more), 0);
    assert_true(b->verdict.allowed && b->verdict.granted == 20);
    assert_true(b->verdict.remaining == 0 && b->verdict.remaining_of.n == top);
    stands(b, leaf, 0, 50);
    stands(b, top, 0, 50);
    assert_int_equal(extend(b, &more), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->refusals[0].budget.n, top);
    assert_true(b->verdict.retry_at.us == INT64_MAX || b->verdict.retry_at.us == 0);
    stands(b, top, 0, 50);
    assert_int_equal(commit(b, id, 41), 0);
    assert_false(b->receipt.overrun);
    stands(b, leaf, 41, 0);
    stands(b, top, 41, 0);
}

static void it_gives_back_what_it_does_not_need(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->key, "leaf", 100, METE_DAILY);
    const struct mete_demand all = {.currency = METE_USD, .fixed = 100};
    uint64_t id = reserved(b, &all);
    const struct mete_demand part = {.currency = METE_USD, .fixed = 60};
    struct mete_extend less = {
        .reservation = {id}, .demands = &part, .demands_len = 1, .shrink = 1};
    assert_int_equal(extend(b, &less), 0);
    assert_true(b->verdict.allowed);
    stands(b, budget, 0, 40);
    assert_int_equal(extend(b, &less), METE_E_INVALID); /* it holds less than that */
    stands(b, budget, 0, 40);
    assert_int_equal(release(b, id), 0);
    stands(b, budget, 0, 0);
}

static void it_grows_in_the_window_it_was_made_in(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->key, "leaf", 100, METE_HOURLY);
    const struct mete_demand ten = {.currency = METE_USD, .fixed = 10};
    uint64_t old = reserved(b, &ten);
    b->now_us += HOUR_US;
    const struct mete_demand most = {.currency = METE_USD, .fixed = 95};
    uint64_t new = reserved(b, &most);
    struct mete_extend more = {.reservation = {old}, .demands = &most, .demands_len = 1};
    assert_int_equal(extend(b, &more), 0);
    assert_false(b->verdict.allowed); /* 10 + 95 > 100, in its own window */
    assert_true(b->refusals[0].held == 10);
    const struct mete_demand some = {.currency = METE_USD, .fixed = 90};
    more.demands = &some;
    assert_int_equal(extend(b, &more), 0);
    assert_true(b->verdict.allowed);
    stands(b, budget, 0, 95); /* the present window has only the new one */
    assert_int_equal(commit(b, old, 100), 0);
    assert_false(b->receipt.overrun);
    stands(b, budget, 0, 95);
    assert_int_equal(release(b, new), 0);
}

static void its_time_moves_too(void **state)
{
    struct bench *b = *state;
    uint64_t id = reserved(b, &one_dollar);
    struct mete_extend later = {.reservation = {id}, .ttl_ms = 120000};
    b->now_us += 30000000;
    assert_int_equal(extend(b, &later), 0);
    assert_true(b->verdict.expires_at.us == b->now_us + 120000000);
    assert_true(ledger_next_expiry(b->ledger) == b->now_us + 120000000);
    struct mete_reservation_view view;
    assert_int_equal(ledger_reservation(b->ledger, id, &view), 0);
    assert_true(view.expires_at.us == b->now_us + 120000000);
    later.ttl_ms = 0;
    assert_int_equal(extend(b, &later), METE_E_INVALID); /* neither more nor longer */
}

static void its_time_alone_moves_no_quantity(void **state)
{
    struct bench *b = *state;
    const struct mete_demand demand = {.currency = METE_USD, .per_million = 1000000};
    struct mete_reserve args = ask(b, &demand);
    args.floor = args.wish = 50;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    for (int shrinks = 0; shrinks < 2; shrinks++) {
        struct mete_extend later = {
            .reservation = {id}, .floor = 7, .wish = 7, .shrink = shrinks, .ttl_ms = 120000};
        assert_int_equal(extend(b, &later), 0);
        assert_true(b->verdict.allowed && b->verdict.granted == 0);
        struct mete_reservation_view view;
        assert_int_equal(ledger_reservation(b->ledger, id, &view), 0);
        assert_true(view.granted == 50);
    }
}

static void only_what_is_open_and_demanded_grows(void **state)
{
    struct bench *b = *state;
    uint64_t id = reserved(b, &one_dollar);
    const struct mete_demand tokens = {.meter = METE_OUTPUT, .fixed = 1};
    struct mete_extend more = {.reservation = {id}, .demands = &tokens, .demands_len = 1};
    assert_int_equal(extend(b, &more), METE_E_INVALID);
    more.demands = &one_dollar;
    more.reservation.n = id + 1;
    assert_int_equal(extend(b, &more), METE_E_NOT_FOUND);
    more.reservation.n = id;
    assert_int_equal(commit(b, id, 5), 0);
    assert_int_equal(extend(b, &more), METE_E_ENDED);
    assert_true(b->verdict.ended.state == METE_COMMITTED && b->verdict.ended.cost == 5);
}

static void an_ended_budget_or_revoked_key_lets_it_grow(void **state)
{
    struct bench *b = *state;
    uint32_t tight = put_budget(b, b->key, "tight", 1000000000, METE_DAILY), handle;
    uint64_t id = reserved(b, &one_dollar);
    struct mete_extend more = {.reservation = {id}, .demands = &one_dollar, .demands_len = 1};
    assert_int_equal(extend(b, &more), 0);
    assert_false(b->verdict.allowed);
    struct mete_change end = {.kind = METE_END_BUDGET, .end = {tight}};
    assert_int_equal(put(b, &end, &handle), 0);
    struct mete_change revoke = {
        .kind = METE_PUT_SCOPE,
        .scope = {.kind = METE_API_KEY, .id = text("k1"), .organization = {b->org}, .revoked = 1}};
    assert_int_equal(put(b, &revoke, &handle), 0);
    assert_int_equal(extend(b, &more), 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(commit(b, id, 2000000000), 0);
    assert_false(b->receipt.overrun);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_grows_by_what_all_can_afford),
        TEST(it_gives_back_what_it_does_not_need),
        TEST(it_grows_in_the_window_it_was_made_in),
        TEST(its_time_moves_too),
        TEST(its_time_alone_moves_no_quantity),
        TEST(only_what_is_open_and_demanded_grows),
        TEST(an_ended_budget_or_revoked_key_lets_it_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
