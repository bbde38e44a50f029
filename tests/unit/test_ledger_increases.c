/* SPDX-License-Identifier: Apache-2.0
 * Proves rule 9 of docs/semantics.md: an increase counts from its first instant to before its last,
 * by entries that come before whatever touches the budget, and what follows from a limit that rises
 * and falls follows here too. */
#include "unit/ledger_help.h"

#define AT(us) ((struct mete_instant){b->now_us + (us)})

static int add(struct bench *b, uint32_t budget, int64_t amount, int64_t from_us, int64_t until_us,
               uint32_t *ret_number)
{
    const struct mete_change change = {.kind = METE_PUT_INCREASE,
                                       .increase = {{budget}, amount, AT(from_us), AT(until_us)}};
    return put(b, &change, ret_number);
}

static uint32_t added(struct bench *b, uint32_t budget, int64_t amount, int64_t from_us,
                      int64_t until_us)
{
    uint32_t number = 0;
    assert_int_equal(add(b, budget, amount, from_us, until_us, &number), 0);
    return number;
}

static int end(struct bench *b, uint32_t budget, uint32_t number)
{
    const struct mete_change change = {
        .kind = METE_END_INCREASE, .end = {budget}, .end_increase = number};
    uint32_t handle;
    return put(b, &change, &handle);
}

/* As a question sees it. */
static struct mete_budget_view view_of(struct bench *b, uint32_t budget)
{
    struct mete_budget_view view;
    struct ledger_due due;
    while (ledger_due(b->ledger, budget, now(b), &due))
        roll(b, budget);
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    return view;
}

static unsigned told(const struct bench *b, enum mete_event_kind kind)
{
    unsigned count = 0;
    for (size_t i = 0; i < b->effects.events_len; i++)
        count += b->effects.events[i].kind == kind;
    return count;
}

/* A reserve of so much; what was admitted stays held. */
static bool takes(struct bench *b, int64_t amount)
{
    const struct mete_demand demand = {.currency = METE_USD, .fixed = amount};
    struct mete_reserve args = ask(b, &demand);
    args.ttl_ms = 86400000;
    assert_int_equal(reserve(b, &args), 0);
    return b->verdict.allowed;
}

static void spend(struct bench *b, int64_t cost)
{
    assert_true(takes(b, cost));
    assert_int_equal(commit(b, b->verdict.reservation.n, cost), 0);
}

static void an_increase_counts_from_its_first_instant_to_before_its_last(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    assert_int_equal(added(b, top, 500, 100, 200), 1);
    uint32_t revision = view_of(b, top).revision;
    b->now_us += 99;
    assert_false(takes(b, 1001));
    b->now_us += 1;
    assert_true(takes(b, 1500));
    struct mete_budget_view view = view_of(b, top);
    assert_true(view.limit == 1500 && view.base_limit == 1000 && view.increased == 500);
    assert_int_equal(view.revision, revision + 1);
    assert_int_equal(release(b, b->verdict.reservation.n), 0);
    b->now_us += 99;
    assert_true(takes(b, 1500));
    assert_int_equal(release(b, b->verdict.reservation.n), 0);
    b->now_us += 1;
    assert_false(takes(b, 1001));
    view = view_of(b, top);
    assert_true(view.limit == 1000 && view.increased == 0);
    assert_int_equal(view.revision, revision + 2);
    assert_int_equal(ledger_increases(b->ledger, top, NULL, 0), 0);
}

static void one_that_has_begun_counts_as_it_is_put(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    added(b, top, 500, -DAY_US, 1);
    assert_true(takes(b, 1500));
    b->now_us += 1;
    assert_true(view_of(b, top).limit == 1000);
    assert_int_equal(told(b, METE_EVENT_LIMIT_BELOW), 1);
    assert_false(takes(b, 1));
}

static void increases_add_up_and_are_told(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    assert_int_equal(added(b, top, 1, 0, 300), 1);
    assert_int_equal(added(b, top, 20, 100, 200), 2);
    assert_int_equal(added(b, top, 300, 100, 400), 3);
    b->now_us += 100;
    assert_true(view_of(b, top).limit == 1321);
    struct mete_increase_view views[3];
    assert_int_equal(ledger_increases(b->ledger, top, views, 3), 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(views[i].number == i + 1 && views[i].active && views[i].budget.n == top);
    assert_true(views[1].amount == 20 && views[1].from.us == T0 + 100);
    assert_true(views[1].until.us == T0 + 200);
    b->now_us += 100;
    assert_true(view_of(b, top).limit == 1301);
    b->now_us += 100;
    assert_true(view_of(b, top).limit == 1300);
    assert_int_equal(ledger_increases(b->ledger, top, views, 3), 1);
    assert_int_equal(views[0].number, 3);
    assert_int_equal(added(b, top, 7, 0, 1), 4); /* numbers are not used again */
}

static void one_that_began_and_ended_unseen_changes_nothing(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    added(b, top, 500, 100, 200);
    uint32_t revision = view_of(b, top).revision;
    b->now_us += 300;
    struct mete_budget_view view = view_of(b, top);
    assert_true(view.limit == 1000 && view.revision == revision);
    assert_int_equal(ledger_increases(b->ledger, top, NULL, 0), 0);
}

static void an_increase_may_be_ended_before_it_begins_and_while_it_counts(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    uint32_t early = added(b, top, 500, 100, 200), late = added(b, top, 50, 0, 300);
    assert_int_equal(end(b, top, early), 0);
    assert_int_equal(end(b, top, early), METE_E_NOT_FOUND);
    assert_int_equal(end(b, top, 0), METE_E_NOT_FOUND);
    assert_int_equal(end(b, top, 3), METE_E_NOT_FOUND);
    b->now_us += 100;
    assert_true(view_of(b, top).limit == 1050);
    assert_true(takes(b, 1050));
    assert_int_equal(end(b, top, late), 0);
    assert_int_equal(told(b, METE_EVENT_LIMIT_BELOW), 1);
    assert_true(view_of(b, top).limit == 1000);
    uint32_t over = added(b, top, 50, 0, 10);
    b->now_us += 10;
    assert_int_equal(end(b, top, over), METE_E_NOT_FOUND);
}

static void what_is_not_an_increase_is_refused(void **state)
{
    struct bench *b = *state;
    uint32_t number, top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    assert_int_equal(add(b, top, 0, 0, 1, &number), METE_E_INVALID);
    assert_int_equal(add(b, top, -1, 0, 1, &number), METE_E_INVALID);
    assert_int_equal(add(b, top, METE_AMOUNT_MAX + 1, 0, 1, &number), METE_E_INVALID);
    assert_int_equal(add(b, top, 1, 5, 5, &number), METE_E_INVALID);
    assert_int_equal(add(b, top, 1, 5, 4, &number), METE_E_INVALID);
    assert_int_equal(add(b, top, 1, -5, 0, &number), METE_E_INVALID); /* is over */
    assert_int_equal(add(b, top, 1, -T0 - 1, 1, &number), METE_E_INVALID);
    assert_int_equal(add(b, top, 1, 0, ENTRY_INSTANT_MAX_US, &number), METE_E_INVALID);
    assert_int_equal(add(b, top + 1, 1, 0, 1, &number), METE_E_NOT_FOUND);
    assert_int_equal(add(b, 0, 1, 0, 1, &number), METE_E_NOT_FOUND);
    struct mete_change change = {.kind = METE_PUT_INCREASE,
                                 .flags = METE_CHANGE_UPDATE,
                                 .increase = {{top}, 1, AT(0), AT(1)}};
    assert_int_equal(put(b, &change, &number), METE_E_NOT_FOUND);
    change = (struct mete_change){.kind = METE_END_BUDGET, .end = {top}};
    assert_int_equal(put(b, &change, &number), 0);
    assert_int_equal(add(b, top, 1, 0, 1, &number), METE_E_NOT_FOUND);
    assert_int_equal(end(b, top, 1), METE_E_NOT_FOUND);
}

static void eight_of_a_budget_may_be_open(void **state)
{
    struct bench *b = *state;
    uint32_t number, top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    for (int i = 0; i < LIMIT_INCREASES; i++)
        added(b, top, 1, 0, 100 + i);
    assert_int_equal(add(b, top, 1, 0, 1, &number), METE_E_FULL);
    uint32_t other = put_budget(b, b->org, "other", 1000, METE_DAILY);
    assert_int_equal(added(b, other, 1, 0, 1), 1);
    b->now_us += 100; /* the first is over: its place is free at once */
    assert_int_equal(added(b, top, 1, 0, 100), LIMIT_INCREASES + 1);
    assert_int_equal(add(b, top, 1, 0, 1, &number), METE_E_FULL);
    assert_int_equal(end(b, top, 2), 0);
    added(b, top, 1, 0, 100);
}

static void a_limit_with_its_increases_is_no_more_than_an_amount(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    for (int i = 0; i < LIMIT_INCREASES; i++)
        added(b, top, METE_AMOUNT_MAX, 0, 100 + i);
    assert_true(view_of(b, top).limit == METE_AMOUNT_MAX);
    b->now_us += 106;
    assert_true(view_of(b, top).limit == METE_AMOUNT_MAX);
    b->now_us += 1;
    assert_true(view_of(b, top).limit == 1000);
}

/* Two ends due at once: the window first, so that nobody is told of a limit below what was used in
 * a window that is over. */
static void the_window_begins_before_the_limit_changes(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    added(b, top, 500, 0, DAY_US);
    spend(b, 1500);
    b->now_us += DAY_US;
    struct ledger_due due;
    assert_true(ledger_due(b->ledger, top, now(b), &due));
    assert_int_equal(due.kind, LEDGER_DUE_WINDOW);
    roll(b, top);
    assert_true(ledger_due(b->ledger, top, now(b), &due));
    assert_int_equal(due.kind, LEDGER_DUE_LIMIT);
    roll(b, top);
    assert_int_equal(told(b, METE_EVENT_LIMIT_BELOW), 0);
    assert_false(ledger_due(b->ledger, top, now(b), &due));
    assert_true(view_of(b, top).limit == 1000);
}

static void an_increase_goes_on_through_windows(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    added(b, top, 500, 0, 3 * DAY_US);
    for (int day = 0; day < 3; day++) {
        spend(b, 1500);
        b->now_us += DAY_US;
    }
    assert_true(view_of(b, top).limit == 1000);
}

static void a_budget_keeps_its_increases_when_its_limit_is_set(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    added(b, top, 500, 0, 200);
    b->now_us += 100;
    assert_int_equal(put_budget(b, b->org, "top", 2000, METE_DAILY), top);
    assert_true(view_of(b, top).limit == 2500);
    b->now_us += 100;
    /* the change is the first that meets the end of the increase */
    assert_int_equal(put_budget(b, b->org, "top", 3000, METE_DAILY), top);
    assert_true(view_of(b, top).limit == 3000);
}

static void thresholds_are_armed_and_fire_as_the_limit_moves(void **state)
{
    struct bench *b = *state;
    struct mete_change change = budget_change(b->org, "top", 1000, METE_DAILY);
    change.budget.thresholds_ppm[0] = 500000;
    change.budget.thresholds_len = 1;
    uint32_t top;
    assert_int_equal(put(b, &change, &top), 0);
    spend(b, 500);
    assert_int_equal(told(b, METE_EVENT_THRESHOLD), 1);
    added(b, top, 500, 100, 200);
    b->now_us += 100;
    assert_int_equal(view_of(b, top).fired, 0);
    b->now_us += 100;
    assert_int_equal(view_of(b, top).fired, 1);
    assert_int_equal(told(b, METE_EVENT_THRESHOLD), 1); /* by the entry that took it away */
}

static void controls_follow_the_limit_in_force(void **state)
{
    struct bench *b = *state;
    struct mete_change change = budget_change(b->org, "top", 1000, METE_DAILY);
    change.budget.controls = (struct mete_controls){.throttle_ppm = 500000, .stop_ppm = 900000};
    uint32_t top;
    assert_int_equal(put(b, &change, &top), 0);
    spend(b, 500);
    assert_true(view_of(b, top).throttled);
    added(b, top, 500, 100, 200);
    b->now_us += 100;
    assert_false(view_of(b, top).throttled);
    spend(b, 249);
    assert_false(view_of(b, top).throttled);
    assert_true(takes(b, 300));
    uint64_t id = b->verdict.reservation.n;
    b->now_us += 100;
    assert_true(view_of(b, top).throttled);
    assert_int_equal(told(b, METE_EVENT_THROTTLED), 1);
    assert_int_equal(told(b, METE_EVENT_LIMIT_BELOW), 1); /* with what is held */
    assert_int_equal(commit(b, id, 151), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
}

/* What was made counts on: an end takes the limit as the last entry left it. */
static void an_end_takes_the_limit_as_it_stands(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    added(b, top, 500, 0, 100);
    assert_true(takes(b, 1500));
    b->now_us += 100;
    assert_int_equal(commit(b, b->verdict.reservation.n, 1500), 0);
    assert_false(b->receipt.overrun);
    assert_true(view_of(b, top).limit == 1000);
    assert_int_equal(told(b, METE_EVENT_LIMIT_BELOW), 1);
}

static void an_extension_is_given_the_limit_of_now(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    assert_true(takes(b, 1000));
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 500};
    const struct mete_extend args = {
        .reservation = b->verdict.reservation, .demands = &demand, .demands_len = 1};
    added(b, top, 500, 100, 200);
    for (int i = 0; i < 3; i++) {
        struct ledger_decision decision;
        int rc;
        while ((rc = ledger_decide_extend(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                          &b->verdict, &decision)) == LEDGER_STALE)
            roll(b, decision.due.budget);
        assert_int_equal(rc, 0);
        assert_true(b->verdict.allowed == (i == 1));
        b->now_us += 100;
    }
}

/* A refusal that was to last is looked at anew once an increase has begun. */
static void a_stored_refusal_does_not_outlive_the_limit_it_met(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    added(b, top, 500, 100, 200);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 1200};
    struct mete_reserve args = ask(b, &demand);
    args.request_id = text("r-1");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reserve(b, &args), 0);
        assert_true(!b->verdict.allowed && b->verdict.retry_at.us == INT64_MAX);
        assert_int_equal(b->verdict.repeated, i);
    }
    b->now_us += 100;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
}

static void a_budget_that_is_off_is_left_alone_until_it_is_asked(void **state)
{
    struct bench *b = *state;
    struct mete_change change = budget_change(b->org, "top", 1000, METE_DAILY);
    change.budget.mode = METE_OFF;
    uint32_t top;
    assert_int_equal(put(b, &change, &top), 0);
    added(b, top, 500, 100, 200);
    b->now_us += 100;
    uint64_t seq = ledger_last_seq(b->ledger);
    assert_true(takes(b, 5));
    assert_true(ledger_last_seq(b->ledger) == seq + 1);
    change.budget.mode = METE_ENFORCE;
    assert_int_equal(put(b, &change, &top), 0);
    assert_true(ledger_last_seq(b->ledger) == seq + 3);
    assert_true(takes(b, 1500));
}

/* ---- Batches ---- */

static void a_batch_counts_its_own_increases(void **state)
{
    struct bench *b = *state;
    struct mete_change changes[2 + LIMIT_INCREASES + 1];
    changes[0] = budget_change(b->org, "top", 1000, METE_DAILY);
    for (size_t i = 1; i <= LIMIT_INCREASES; i++)
        changes[i] = (struct mete_change){.kind = METE_PUT_INCREASE,
                                          .increase = {{METE_FROM_CHANGE(0)}, 1, AT(0), AT(5)}};
    changes[LIMIT_INCREASES + 1] = (struct mete_change){
        .kind = METE_END_INCREASE, .end = {METE_FROM_CHANGE(0)}, .end_increase = 3};
    changes[LIMIT_INCREASES + 2] = changes[1];
    struct mete_apply args = {.changes = changes, .len = LIMIT_INCREASES + 3};
    uint32_t handles[LIMIT_INCREASES + 3];
    struct ledger_batch batch;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), 0);
    for (uint32_t i = 1; i <= LIMIT_INCREASES; i++)
        assert_int_equal(handles[i], i);
    assert_int_equal(handles[LIMIT_INCREASES + 2], LIMIT_INCREASES + 1);
    changes[LIMIT_INCREASES + 1] = changes[1]; /* one too many */
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), METE_E_FULL);
    assert_int_equal(batch.failed, LIMIT_INCREASES + 1);
    changes[2].kind = METE_END_INCREASE; /* of the first, twice */
    changes[2].end.n = METE_FROM_CHANGE(0);
    changes[2].end_increase = 1;
    changes[3] = changes[2];
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch),
                     METE_E_NOT_FOUND);
    assert_int_equal(batch.failed, 3);
}

/* ---- Damage ---- */

static struct entry entry_of(const struct bench *b, enum entry_kind kind)
{
    return (struct entry){.kind = kind, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us};
}

static void entries_that_do_not_fit_are_corrupt(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1000, METE_DAILY);
    struct entry limit = entry_of(b, ENTRY_LIMIT), put = entry_of(b, ENTRY_INCREASE),
                 ends = entry_of(b, ENTRY_INCREASE_END);
    limit.u.limit.budget = top;
    put.u.increase.number = 2; /* the next one is 1 */
    put.u.increase.spec = (struct mete_increase_spec){{top}, 5, AT(0), AT(1)};
    ends.u.increase_end.budget = top;
    ends.u.increase_end.number = 1;
    assert_int_equal(ledger_apply(b->ledger, &limit, NULL), METE_E_CORRUPT); /* nothing is due */
    assert_int_equal(ledger_apply(b->ledger, &put, NULL), METE_E_CORRUPT);
    assert_int_equal(ledger_apply(b->ledger, &ends, NULL), METE_E_CORRUPT);
    put.u.increase.number = 1;
    put.u.increase.spec.until.us = b->now_us; /* is over */
    put.u.increase.spec.from.us = b->now_us - 1;
    assert_int_equal(ledger_apply(b->ledger, &put, NULL), METE_E_CORRUPT);
    put.u.increase.spec.budget.n = top + 1;
    limit.u.limit.budget = ends.u.increase_end.budget = top + 1;
    assert_int_equal(ledger_apply(b->ledger, &put, NULL), METE_E_CORRUPT);
    assert_int_equal(ledger_apply(b->ledger, &limit, NULL), METE_E_CORRUPT);
    assert_int_equal(ledger_apply(b->ledger, &ends, NULL), METE_E_CORRUPT);
    added(b, top, 5, 10, 20);
    b->now_us += 10; /* a limit is due: nothing else fits before it */
    struct entry more = entry_of(b, ENTRY_INCREASE);
    more.u.increase.number = 2;
    more.u.increase.spec = (struct mete_increase_spec){{top}, 5, AT(0), AT(1)};
    assert_int_equal(ledger_apply(b->ledger, &more, NULL), METE_E_CORRUPT);
    assert_true(view_of(b, top).limit == 1005);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_increase_counts_from_its_first_instant_to_before_its_last),
        TEST(one_that_has_begun_counts_as_it_is_put),
        TEST(increases_add_up_and_are_told),
        TEST(one_that_began_and_ended_unseen_changes_nothing),
        TEST(an_increase_may_be_ended_before_it_begins_and_while_it_counts),
        TEST(what_is_not_an_increase_is_refused),
        TEST(eight_of_a_budget_may_be_open),
        TEST(a_limit_with_its_increases_is_no_more_than_an_amount),
        TEST(the_window_begins_before_the_limit_changes),
        TEST(an_increase_goes_on_through_windows),
        TEST(a_budget_keeps_its_increases_when_its_limit_is_set),
        TEST(thresholds_are_armed_and_fire_as_the_limit_moves),
        TEST(controls_follow_the_limit_in_force),
        TEST(an_end_takes_the_limit_as_it_stands),
        TEST(an_extension_is_given_the_limit_of_now),
        TEST(a_stored_refusal_does_not_outlive_the_limit_it_met),
        TEST(a_budget_that_is_off_is_left_alone_until_it_is_asked),
        TEST(a_batch_counts_its_own_increases),
        TEST(entries_that_do_not_fit_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
