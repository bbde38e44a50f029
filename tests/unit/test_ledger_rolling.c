/* SPDX-License-Identifier: Apache-2.0
 * Proves rule 7 of docs/semantics.md, and rule 15 for rolling budgets: what a rolling window counts
 * at its edges to the microsecond, what is told of it, and against a plain list of charges that is
 * summed anew each time. The window is 64 s, so that a bucket is one. */
#include "unit/ledger_help.h"

enum { SECOND_US = 1000000 };

static struct mete_change rolling_change(const struct bench *b, int64_t limit, int64_t seconds)
{
    struct mete_change change = budget_change(b->org, "rolling", limit, METE_ROLLING);
    change.budget.window_seconds = seconds;
    return change;
}

static uint32_t put_rolling(struct bench *b, int64_t limit)
{
    uint32_t handle = 0;
    struct mete_change change = rolling_change(b, limit, 64);
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static uint64_t take(struct bench *b, int64_t amount)
{
    const struct mete_demand demand = {.currency = METE_USD, .fixed = amount};
    struct mete_reserve args = ask(b, &demand);
    args.ttl_ms = 3600 * 1000;
    assert_int_equal(reserve(b, &args), 0);
    return b->verdict.reservation.n;
}

static void spend(struct bench *b, int64_t amount)
{
    uint64_t id = take(b, amount);
    assert_true(b->verdict.allowed);
    assert_int_equal(commit(b, id, amount), 0);
}

static void touch(struct bench *b)
{
    take(b, 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(release(b, b->verdict.reservation.n), 0);
}

static void a_charge_leaves_with_its_bucket_between_n_and_n_and_a_64th(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 1000);
    b->now_us = T0 + 1; /* the first and the last instant of one bucket */
    spend(b, 3);
    b->now_us = T0 + SECOND_US - 1;
    spend(b, 4);
    b->now_us = T0 + SECOND_US;
    spend(b, 10);
    b->now_us = T0 + 65 * SECOND_US - 1;
    touch(b);
    stands(b, budget, 17, 0);
    b->now_us = T0 + 65 * SECOND_US;
    touch(b);
    stands(b, budget, 10, 0);
    b->now_us += SECOND_US;
    touch(b);
    stands(b, budget, 0, 0);
}

static void after_long_silence_all_has_left(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 1000);
    for (int i = 0; i < 70; i++, b->now_us += SECOND_US)
        spend(b, 1);
    stands(b, budget, 65, 0);
    b->now_us += 40 * DAY_US;
    touch(b);
    stands(b, budget, 0, 0);
}

static void what_is_held_counts_however_old_it_is(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 100);
    uint64_t old = take(b, 60);
    b->now_us += 1000 * (int64_t)SECOND_US;
    uint64_t refused = take(b, 41);
    assert_int_equal(refused, 0);
    assert_false(b->verdict.allowed);
    assert_true(b->verdict.retry_at.us == 0); /* only held */
    stands(b, budget, 0, 60);
    assert_int_equal(release(b, old), 0);
    stands(b, budget, 0, 0);
}

static void a_charge_goes_to_the_bucket_of_its_reservation_or_nowhere(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 100);
    uint64_t inside = take(b, 5), outside = take(b, 7);
    b->now_us = T0 + 65 * SECOND_US - 1;
    touch(b);
    assert_int_equal(commit(b, inside, 6), 0); /* in the oldest bucket that counts */
    assert_true(b->receipt.overrun);
    stands(b, budget, 6, 7);
    b->now_us = T0 + 65 * SECOND_US;
    touch(b);
    stands(b, budget, 0, 7);
    assert_int_equal(commit(b, outside, 9), 0);
    assert_true(b->receipt.overrun); /* of the reservation, if not of the budget */
    assert_int_equal(b->effects.events_len, 0);
    stands(b, budget, 0, 0);
}

static void records_count_now(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 100);
    const struct mete_usage usage = {.currency = METE_USD, .amount = 101};
    const struct mete_record args = {.scope = {b->key}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    b->now_us += 5 * SECOND_US;
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision),
                     LEDGER_STALE);
    assert_int_equal(decision.due.budget, budget);
    roll(b, budget);
    assert_int_equal(ledger_decide_record(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    assert_true(b->receipt.overrun);
    apply(b, &decision.entry);
    stands(b, budget, 101, 0);
    b->now_us += 64 * SECOND_US;
    roll(b, budget);
    stands(b, budget, 101, 0);
    b->now_us += SECOND_US;
    roll(b, budget);
    stands(b, budget, 0, 0);
}

/* 40 in the first second, 50 in the third, of 100. */
static void retry_at_is_when_enough_buckets_have_left(void **state)
{
    struct bench *b = *state;
    put_rolling(b, 100);
    spend(b, 40);
    b->now_us = T0 + 2 * SECOND_US;
    spend(b, 50);
    b->now_us = T0 + 3 * SECOND_US;
    const struct {
        int64_t asked, retry_at_us;
    } cases[] = {{11, T0 + 65 * SECOND_US},
                 {50, T0 + 65 * SECOND_US},
                 {51, T0 + 67 * SECOND_US},
                 {100, T0 + 67 * SECOND_US},
                 {101, INT64_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        take(b, cases[i].asked);
        assert_false(b->verdict.allowed);
        assert_true(b->verdict.retry_at.us == cases[i].retry_at_us);
        assert_true(b->refusals[0].resets_at.us == T0 + 67 * SECOND_US);
    }
    uint64_t held = take(b, 10);
    assert_true(b->verdict.allowed);
    take(b, 50); /* with what is held as it is, the second bucket must leave too */
    assert_true(b->verdict.retry_at.us == T0 + 67 * SECOND_US);
    take(b, 95); /* what is held is in the way whatever leaves */
    assert_true(b->verdict.retry_at.us == 0);
    assert_int_equal(release(b, held), 0);
    b->now_us = T0 + 65 * SECOND_US - 1;
    take(b, 50);
    assert_false(b->verdict.allowed);
    b->now_us++;
    take(b, 50);
    assert_true(b->verdict.allowed);
}

/* No later window helps what is open to grow, but here there is only one. */
static void an_extension_is_told_when_to_ask_again(void **state)
{
    struct bench *b = *state;
    put_rolling(b, 100);
    spend(b, 60);
    uint64_t id = take(b, 30);
    const struct mete_demand more = {.currency = METE_USD, .fixed = 41};
    const struct mete_extend extend = {.reservation = {id}, .demands = &more, .demands_len = 1};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &extend, b->refusals,
                                          METE_REFUSALS_MAX, &b->verdict, &decision),
                     0);
    assert_false(b->verdict.allowed);
    assert_true(b->verdict.retry_at.us == T0 + 65 * SECOND_US);
}

static void thresholds_are_armed_again_as_buckets_leave(void **state)
{
    struct bench *b = *state;
    struct mete_change change = rolling_change(b, 100, 64);
    change.budget.thresholds_ppm[0] = 500000;
    change.budget.thresholds_ppm[1] = 800000;
    change.budget.thresholds_len = 2;
    uint32_t budget;
    struct mete_budget_view view;
    assert_int_equal(put(b, &change, &budget), 0);
    spend(b, 50);
    assert_int_equal(b->effects.events_len, 1);
    b->now_us += 10 * SECOND_US;
    spend(b, 30);
    assert_int_equal(b->effects.events_len, 1);
    b->now_us = T0 + 65 * SECOND_US; /* 30 are left */
    touch(b);
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_int_equal(view.fired, 0);
    spend(b, 19);
    assert_int_equal(b->effects.events_len, 0);
    spend(b, 1);
    assert_int_equal(b->effects.events_len, 1);
    assert_int_equal(b->effects.events[0].threshold_ppm, 500000);
}

static void put_controls(struct bench *b, struct mete_controls controls, int64_t soft_limit)
{
    struct mete_change change = rolling_change(b, 100, 64);
    uint32_t handle;
    change.budget.controls = controls;
    change.budget.soft_limit = soft_limit;
    assert_int_equal(put(b, &change, &handle), 0);
}

/* 50 in the first second, 45 in the eleventh; the stop is at 90. */
static void a_stop_ends_when_enough_buckets_have_left(void **state)
{
    struct bench *b = *state;
    put_controls(b, (struct mete_controls){.stop_ppm = 900000}, 0);
    spend(b, 50);
    b->now_us += 10 * SECOND_US;
    spend(b, 45);
    assert_int_equal(b->effects.events_len, 1);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_STOPPED);
    take(b, 1);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->refusals[0].reason, METE_EMERGENCY_STOP);
    assert_true(b->verdict.retry_at.us == T0 + 65 * SECOND_US);
    b->now_us = T0 + 65 * SECOND_US - 1;
    take(b, 1);
    assert_false(b->verdict.allowed);
    b->now_us++;
    spend(b, 40);
    spend(b, 5); /* 90 again */
    assert_int_equal(b->effects.events_len, 1);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_STOPPED);
}

/* A limit of nothing on requests makes it one of never; a bucket later the stop is asked anew. */
static void a_refusal_by_a_stop_binds_in_its_bucket_alone(void **state)
{
    struct bench *b = *state;
    put_controls(b, (struct mete_controls){.stop_ppm = 900000}, 0);
    spend(b, 95);
    struct mete_change none = budget_change(b->org, "none", 0, METE_TOTAL);
    none.budget.meter = METE_REQUESTS;
    none.budget.currency = 0;
    uint32_t handle = 0;
    assert_int_equal(put(b, &none, &handle), 0);
    const struct mete_demand demands[] = {{.currency = METE_USD, .fixed = 1},
                                          {.meter = METE_REQUESTS, .fixed = 1}};
    struct mete_reserve args = ask(b, demands);
    args.demands_len = 2;
    args.request_id = (struct mete_text){"again", 5};
    args.flags &= ~(uint32_t)METE_RESERVE_CALL;
    for (int64_t repeated = 0; repeated < 2; repeated++) {
        assert_int_equal(reserve(b, &args), 0);
        assert_int_equal(b->refusals[0].reason, METE_EMERGENCY_STOP);
        assert_true(b->verdict.retry_at.us == INT64_MAX);
        assert_int_equal(b->verdict.repeated, repeated);
    }
    b->now_us += SECOND_US;
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(b->verdict.repeated, 0);
    assert_int_equal(b->verdict.refusals_len, 2);
}

static void a_lift_holds_until_the_share_is_not_reached(void **state)
{
    struct bench *b = *state;
    put_controls(b, (struct mete_controls){.stop_ppm = 500000}, 0);
    spend(b, 50);
    uint32_t handle = ledger_find_budget(b->ledger, b->org, SLICE_LITERAL("rolling"));
    struct mete_change lift = {.kind = METE_LIFT_STOP, .end = {handle}};
    assert_int_equal(put(b, &lift, &handle), 0);
    b->now_us += 10 * SECOND_US;
    spend(b, 30);
    assert_int_equal(b->effects.events_len, 0);
    b->now_us = T0 + 65 * SECOND_US; /* 30 are left */
    spend(b, 20);
    assert_int_equal(b->effects.events_len, 1);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_STOPPED);
}

static void a_throttle_and_the_soft_limit_are_armed_again(void **state)
{
    struct bench *b = *state;
    put_controls(b, (struct mete_controls){.throttle_ppm = 500000, .throttle_rate_ppm = 1000000},
                 60);
    for (int i = 0; i < 2; i++) {
        spend(b, 60);
        assert_int_equal(b->effects.events_len, 2);
        assert_int_equal(b->effects.events[0].kind, METE_EVENT_SOFT_LIMIT);
        assert_int_equal(b->effects.events[1].kind, METE_EVENT_THROTTLED);
        spend(b, 1);
        assert_int_equal(b->effects.events_len, 0);
        b->now_us += 65 * SECOND_US;
    }
}

static void a_view_says_which_stretch_counts(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 100);
    struct mete_budget_view view;
    b->now_us = T0 + 7 * SECOND_US + 1;
    touch(b);
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_int_equal(view.period, METE_ROLLING);
    assert_int_equal(view.window_seconds, 64);
    assert_true(view.window_start.us == T0 - 57 * SECOND_US);
    assert_true(view.window_end.us == T0 + 8 * SECOND_US);
}

static void a_change_keeps_what_was_charged(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 100), handle;
    spend(b, 60);
    b->now_us += 3 * SECOND_US;
    struct mete_change change = rolling_change(b, 50, 64);
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(b->effects.events_len, 1);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_LIMIT_BELOW);
    stands(b, budget, 60, 0);
    change.budget.window_seconds = 65;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change = (struct mete_change){.kind = METE_END_BUDGET, .end = {budget}};
    assert_int_equal(put(b, &change, &handle), 0);
    assert_true(ledger_find_budget(b->ledger, b->org, SLICE_LITERAL("rolling")) == 0);
}

static void a_corrupt_window_is_refused(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_rolling(b, 100);
    b->now_us += 10 * SECOND_US;
    const int64_t bounds[][2] = {
        {T0 + 10 * SECOND_US, T0 + 12 * SECOND_US},
        {T0 + 9 * SECOND_US, T0 + 11 * SECOND_US},
        {T0 + 10 * SECOND_US - 1, T0 + 11 * SECOND_US - 1 + SECOND_US},
    };
    for (size_t i = 0; i < 3; i++) {
        struct entry entry = {
            .kind = ENTRY_WINDOW, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us};
        entry.u.window.budget = budget;
        entry.u.window.start_us = bounds[i][0];
        entry.u.window.end_us = bounds[i][1];
        struct ledger *copy = reload(b->copy);
        b->copy = copy;
        assert_int_equal(ledger_apply(copy, &entry, NULL), METE_E_CORRUPT);
    }
}

/* ---- Against a list ---- */

enum { CHARGES_MAX = 400, OPEN_MAX = 40 };

struct list {
    int64_t bucket_us;
    size_t len, open_len;
    struct {
        int64_t bucket, amount;
    } charges[CHARGES_MAX];
    struct {
        uint64_t id;
        int64_t bucket, amount;
    } open[OPEN_MAX];
};

static int64_t summed(const struct list *list, int64_t now_us)
{
    int64_t sum = 0;
    for (size_t i = 0; i < list->len; i++)
        if (list->charges[i].bucket >= now_us / list->bucket_us - 64)
            sum += list->charges[i].amount;
    return sum;
}

static int64_t held_of(const struct list *list)
{
    int64_t sum = 0;
    for (size_t i = 0; i < list->open_len; i++)
        sum += list->open[i].amount;
    return sum;
}

static void end_one(struct bench *b, struct list *list, size_t at, int64_t used)
{
    assert_int_equal(commit(b, list->open[at].id, used), 0);
    list->charges[list->len].bucket = list->open[at].bucket;
    list->charges[list->len++].amount = used;
    list->open[at] = list->open[--list->open_len];
}

/* The first instant at which the list says it fits, step by step. */
static int64_t fits_at(const struct list *list, int64_t now_us, int64_t limit, int64_t amount)
{
    if (summed(list, now_us) + amount <= limit || held_of(list) + amount > limit)
        return 0;
    int64_t bucket = now_us / list->bucket_us;
    while (summed(list, bucket * list->bucket_us) + held_of(list) + amount > limit)
        bucket++;
    return bucket * list->bucket_us;
}

static void it_is_a_sum_over_a_list(void **state)
{
    enum { LIMIT = 10000 };
    struct bench *b = *state;
    struct list list = {0};
    const int64_t seconds[] = {1, 63, 64, 3600, 2592000};
    for (size_t kind = 0; kind < 5; kind++) {
        struct mete_change change = rolling_change(b, LIMIT, seconds[kind]);
        const char *const ids[] = {"a", "b", "c", "d", "e"};
        uint32_t budget;
        change.budget.id = text(ids[kind]);
        assert_int_equal(put(b, &change, &budget), 0);
        list = (struct list){.bucket_us = seconds[kind] * 15625};
        while (list.len < CHARGES_MAX / 2) {
            b->now_us += rand() % 4 ? rand() % (list.bucket_us * 2)
                                    : rand() % (int)(list.bucket_us % 1000000007) * INT64_C(40);
            int64_t amount = rand() % 1000;
            if (list.open_len && rand() % 2)
                end_one(b, &list, (size_t)rand() % list.open_len, amount);
            if (list.open_len == OPEN_MAX)
                continue;
            uint64_t id = take(b, amount);
            int64_t used = summed(&list, b->now_us), held = held_of(&list);
            assert_true(b->verdict.allowed == (used + held + amount <= LIMIT));
            if (b->verdict.allowed) {
                list.open[list.open_len].id = id;
                list.open[list.open_len].bucket = b->now_us / list.bucket_us;
                list.open[list.open_len++].amount = amount;
                held += amount;
            } else {
                assert_true(b->verdict.retry_at.us == fits_at(&list, b->now_us, LIMIT, amount));
            }
            stands(b, budget, used, held);
        }
        while (list.open_len)
            end_one(b, &list, 0, 0);
        change = (struct mete_change){.kind = METE_END_BUDGET, .end = {budget}};
        assert_int_equal(put(b, &change, &budget), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_charge_leaves_with_its_bucket_between_n_and_n_and_a_64th),
        TEST(after_long_silence_all_has_left),
        TEST(what_is_held_counts_however_old_it_is),
        TEST(a_charge_goes_to_the_bucket_of_its_reservation_or_nowhere),
        TEST(records_count_now),
        TEST(retry_at_is_when_enough_buckets_have_left),
        TEST(an_extension_is_told_when_to_ask_again),
        TEST(thresholds_are_armed_again_as_buckets_leave),
        TEST(a_stop_ends_when_enough_buckets_have_left),
        TEST(a_refusal_by_a_stop_binds_in_its_bucket_alone),
        TEST(a_lift_holds_until_the_share_is_not_reached),
        TEST(a_throttle_and_the_soft_limit_are_armed_again),
        TEST(a_view_says_which_stretch_counts),
        TEST(a_change_keeps_what_was_charged),
        TEST(a_corrupt_window_is_refused),
        TEST(it_is_a_sum_over_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
