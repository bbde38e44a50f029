/* SPDX-License-Identifier: Apache-2.0
 * Proves rule 8 of docs/semantics.md: what a window hands to the next one, through idle windows,
 * while reservations of earlier ones still end, and as limits and caps change; by cases, and
 * against a plain list of all windows that is folded anew from the first one each time. */
#include "unit/ledger_help.h"

static struct mete_change carrying(const struct bench *b, int64_t limit, int64_t cap)
{
    struct mete_change change = budget_change(b->org, "carries", limit, METE_HOURLY);
    change.budget.rollover_cap = cap;
    return change;
}

static uint32_t put_carrying(struct bench *b, int64_t limit, int64_t cap)
{
    uint32_t handle = 0;
    struct mete_change change = carrying(b, limit, cap);
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

static void spend(struct bench *b, int64_t amount)
{
    uint64_t id = take(b, amount);
    assert_true(b->verdict.allowed);
    assert_int_equal(commit(b, id, amount), 0);
}

static void touch(struct bench *b)
{
    take(b, 0);
    if (b->verdict.allowed)
        assert_int_equal(release(b, b->verdict.reservation.n), 0);
}

static void limit_is(struct bench *b, uint32_t budget, int64_t base, int64_t carried)
{
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.base_limit == base);
    assert_true(view.carried == carried);
    assert_true(view.limit == base + carried);
}

static void what_was_not_used_goes_to_the_next_window_up_to_the_cap(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 60);
    limit_is(b, budget, 100, 0); /* the first one gets nothing */
    spend(b, 70);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 30);
    spend(b, 10);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 60); /* of 120 */
    spend(b, 160);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 0);
}

static void an_overrun_takes_nothing_from_the_next_window(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 60);
    uint64_t id = take(b, 100);
    assert_int_equal(commit(b, id, 500), 0);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 0);
}

static void a_window_that_was_skipped_used_nothing(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 1000);
    spend(b, 90);
    b->now_us += 4 * HOUR_US; /* three are skipped */
    touch(b);
    limit_is(b, budget, 100, 310);
    b->now_us += 400 * DAY_US;
    touch(b);
    limit_is(b, budget, 100, 1000);
}

static void what_is_held_is_handed_on_when_it_is_known(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 60);
    uint64_t less = take(b, 40), more = take(b, 40);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 20);
    assert_int_equal(commit(b, less, 10), 0);
    limit_is(b, budget, 100, 50);
    assert_int_equal(commit(b, more, 45), 0);
    limit_is(b, budget, 100, 45);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 60);
}

/* Through a window that is over and one that was skipped, between the one that changes and now. */
static void it_changes_through_all_windows_since(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 1000);
    uint64_t first = take(b, 80);
    b->now_us += HOUR_US;
    spend(b, 50); /* 20 were carried, 70 are left */
    b->now_us += HOUR_US;
    uint64_t third = take(b, 30); /* 140 are left */
    b->now_us += 2 * HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 240);
    assert_int_equal(release(b, first), 0);
    limit_is(b, budget, 100, 320);
    assert_int_equal(commit(b, third, 35), 0);
    limit_is(b, budget, 100, 315);
}

static void a_limit_that_falls_below_what_is_used_says_so(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 60);
    uint64_t id = take(b, 50);
    b->now_us += HOUR_US;
    spend(b, 150);
    assert_int_equal(commit(b, id, 55), 0);
    limit_is(b, budget, 100, 45);
    assert_int_equal(b->effects.events_len, 2);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_OVERRUN);
    assert_int_equal(b->effects.events[1].kind, METE_EVENT_LIMIT_BELOW);
    assert_true(b->effects.events[1].limit == 145 && b->effects.events[1].committed == 150);
}

static void thresholds_follow_the_limit_that_is_handed_on(void **state)
{
    struct bench *b = *state;
    struct mete_change change = carrying(b, 100, 100);
    uint32_t budget;
    change.budget.thresholds_ppm[0] = 500000;
    change.budget.thresholds_len = 1;
    assert_int_equal(put(b, &change, &budget), 0);
    uint64_t id = take(b, 100), growing = take(b, 0);
    b->now_us += HOUR_US;
    spend(b, 60);
    assert_int_equal(b->effects.events_len, 1); /* of 100 */
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    uint32_t revision = view.revision;
    assert_int_equal(release(b, id), 0); /* of 200 */
    assert_int_equal(b->effects.events_len, 0);
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_int_equal(view.fired, 0);
    assert_int_equal(view.revision, revision + 1);
    assert_int_equal(commit(b, growing, 90), 0); /* of 110 */
    assert_int_equal(b->effects.events_len, 2);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_OVERRUN);
    assert_int_equal(b->effects.events[1].kind, METE_EVENT_THRESHOLD);
    assert_true(b->effects.events[1].committed == 60 && b->effects.events[1].limit == 110);
}

/* The limit in force fits it, though its own window's did not leave so much. */
static void what_grows_in_its_window_leaves_less(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 60);
    uint64_t id = take(b, 50);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 50);
    const struct mete_demand more = {.currency = METE_USD, .fixed = 20};
    struct mete_extend extend = {.reservation = {id}, .demands = &more, .demands_len = 1};
    struct ledger_decision decision;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ledger_decide_extend(b->ledger, now(b), &extend, b->refusals,
                                              METE_REFUSALS_MAX, &b->verdict, &decision),
                         0);
        assert_true(b->verdict.allowed);
        apply(b, &decision.entry);
        limit_is(b, budget, 100, i ? 50 : 30);
        extend.shrink = 1;
    }
}

static void limit_and_cap_are_those_of_the_windows_end(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, 100, 60), handle;
    uint64_t id = take(b, 80);
    struct mete_change change = carrying(b, 120, 30);
    assert_int_equal(put(b, &change, &handle), 0);
    b->now_us += HOUR_US;
    change = carrying(b, 10, 1000); /* the window it changes begins first */
    assert_int_equal(put(b, &change, &handle), 0);
    limit_is(b, budget, 10, 30);
    assert_int_equal(commit(b, id, 110), 0);
    limit_is(b, budget, 10, 10);
    change = carrying(b, 10, 0);
    assert_int_equal(put(b, &change, &handle), 0);
    limit_is(b, budget, 10, 10);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 10, 0);
}

static void a_cap_that_comes_later_counts_from_then_on(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "carries", 100, METE_HOURLY), handle;
    uint64_t first = take(b, 10);
    b->now_us += HOUR_US;
    uint64_t second = take(b, 20);
    struct mete_change change = carrying(b, 100, 60);
    assert_int_equal(put(b, &change, &handle), 0);
    limit_is(b, budget, 100, 0);
    b->now_us += HOUR_US;
    touch(b);
    limit_is(b, budget, 100, 60);
    assert_int_equal(commit(b, first, 90), 0); /* hands on nothing */
    limit_is(b, budget, 100, 60);
    assert_int_equal(commit(b, second, 70), 0);
    limit_is(b, budget, 100, 30);
}

static void retry_at_is_the_windows_end_if_a_later_limit_may_do(void **state)
{
    struct bench *b = *state;
    put_carrying(b, 100, 60);
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, 1, &view), 0);
    take(b, 160);
    assert_false(b->verdict.allowed);
    assert_true(b->verdict.retry_at.us == view.window_end.us);
    take(b, 161);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
    b->now_us += HOUR_US;
    take(b, 160);
    assert_true(b->verdict.allowed);
}

static void it_is_not_for_windows_without_an_end_or_that_roll(void **state)
{
    struct bench *b = *state;
    uint32_t handle;
    struct mete_change change = carrying(b, 100, 60);
    change.budget.period = METE_TOTAL;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
    change.budget.period = METE_ROLLING;
    change.budget.window_seconds = 60;
    assert_int_equal(put(b, &change, &handle), METE_E_INVALID);
}

static void the_limit_in_force_is_an_amount(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_carrying(b, METE_AMOUNT_MAX, METE_AMOUNT_MAX);
    struct mete_budget_view view;
    b->now_us += 1000 * DAY_US;
    touch(b);
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.carried == METE_AMOUNT_MAX && view.limit == METE_AMOUNT_MAX);
}

static void only_a_budget_that_carries_has_idle_windows(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "plain", 100, METE_HOURLY);
    int64_t hour_us = T0 / HOUR_US * HOUR_US;
    b->now_us += 2 * HOUR_US;
    struct entry entry = {
        .kind = ENTRY_WINDOW, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us};
    entry.u.window.budget = budget;
    entry.u.window.start_us = hour_us + 2 * HOUR_US;
    entry.u.window.end_us = hour_us + 3 * HOUR_US;
    entry.u.window.idle = 1;
    b->copy = reload(b->copy);
    assert_int_equal(ledger_apply(b->copy, &entry, NULL), METE_E_CORRUPT);
}

/* ---- Against a list ---- */

enum { HOURS_MAX = 600, OPEN_MAX = 30 };

struct list {
    struct {
        int64_t base, cap, used; /* base and cap as it ended; used: committed and held */
    } hours[HOURS_MAX];
    size_t hour;
    struct {
        uint64_t id;
        size_t hour;
        int64_t amount;
    } open[OPEN_MAX];
    size_t open_len;
};

static int64_t carried_of(const struct list *list)
{
    int64_t carried = 0;
    for (size_t i = 0; i < list->hour; i++) {
        carried += list->hours[i].base - list->hours[i].used;
        carried = carried < 0 ? 0 : carried;
        carried = carried > list->hours[i].cap ? list->hours[i].cap : carried;
    }
    return carried;
}

static void end_one(struct bench *b, struct list *list)
{
    size_t at = (size_t)rand() % list->open_len;
    int64_t used = rand() % 2 ? rand() % 80 : 0;
    assert_int_equal(commit(b, list->open[at].id, used), 0);
    list->hours[list->open[at].hour].used += used - list->open[at].amount;
    list->open[at] = list->open[--list->open_len];
}

static void go_on(struct bench *b, struct list *list, size_t hours)
{
    b->now_us += (int64_t)hours * HOUR_US;
    for (size_t i = 0; i < hours; i++, list->hour++) {
        list->hours[list->hour + 1].base = list->hours[list->hour].base;
        list->hours[list->hour + 1].cap = list->hours[list->hour].cap;
    }
}

static void change_it(struct bench *b, struct list *list)
{
    uint32_t handle;
    struct mete_change change = carrying(b, rand() % 200, rand() % 3 ? rand() % 300 : 0);
    assert_int_equal(put(b, &change, &handle), 0);
    list->hours[list->hour].base = change.budget.limit;
    list->hours[list->hour].cap = change.budget.rollover_cap;
}

static void take_one(struct bench *b, struct list *list)
{
    int64_t amount = rand() % 60;
    int64_t limit = list->hours[list->hour].base + carried_of(list);
    uint64_t id = take(b, amount);
    assert_true(b->verdict.allowed == (limit && list->hours[list->hour].used + amount <= limit));
    if (!b->verdict.allowed)
        return;
    list->open[list->open_len].id = id;
    list->open[list->open_len].hour = list->hour;
    list->open[list->open_len++].amount = amount;
    list->hours[list->hour].used += amount;
}

static void it_is_a_fold_over_a_list(void **state)
{
    struct bench *b = *state;
    for (int run = 0; run < 6; run++) {
        struct list list = {.hours = {{.base = 100, .cap = run ? 150 : 0}}};
        uint32_t budget = put_carrying(b, list.hours[0].base, list.hours[0].cap);
        while (list.hour < HOURS_MAX - 20) {
            if (rand() % 3 == 0)
                go_on(b, &list, rand() % 4 ? 1 : (size_t)rand() % 12);
            if (rand() % 8 == 0)
                change_it(b, &list);
            if (list.open_len < OPEN_MAX)
                take_one(b, &list);
            else
                touch(b);
            for (int i = rand() % 4; i > 1 && list.open_len; i--)
                end_one(b, &list);
            limit_is(b, budget, list.hours[list.hour].base, carried_of(&list));
        }
        while (list.open_len) {
            end_one(b, &list);
            limit_is(b, budget, list.hours[list.hour].base, carried_of(&list));
        }
        struct mete_change end = {.kind = METE_END_BUDGET, .end = {budget}};
        assert_int_equal(put(b, &end, &budget), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_not_used_goes_to_the_next_window_up_to_the_cap),
        TEST(an_overrun_takes_nothing_from_the_next_window),
        TEST(a_window_that_was_skipped_used_nothing),
        TEST(what_is_held_is_handed_on_when_it_is_known),
        TEST(it_changes_through_all_windows_since),
        TEST(a_limit_that_falls_below_what_is_used_says_so),
        TEST(thresholds_follow_the_limit_that_is_handed_on),
        TEST(what_grows_in_its_window_leaves_less),
        TEST(limit_and_cap_are_those_of_the_windows_end),
        TEST(a_cap_that_comes_later_counts_from_then_on),
        TEST(retry_at_is_the_windows_end_if_a_later_limit_may_do),
        TEST(it_is_not_for_windows_without_an_end_or_that_roll),
        TEST(the_limit_in_force_is_an_amount),
        TEST(only_a_budget_that_carries_has_idle_windows),
        TEST(it_is_a_fold_over_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
