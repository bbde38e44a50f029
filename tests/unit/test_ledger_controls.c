/* SPDX-License-Identifier: Apache-2.0
 * Proves rules 10 and 12 to 15 of docs/semantics.md: soft limits tell, throttles admit an even
 * share, emergency stops refuse until they are lifted or their window ends, and a cooldown spaces
 * what they do. */
#include "unit/controls_help.h"

/* ---- Soft limit ---- */

static void a_soft_limit_tells_once_a_window_and_refuses_nothing(void **state)
{
    struct bench *b = *state;
    struct mete_change change = budget_change(b->org, "top", 1000, METE_DAILY);
    change.budget.soft_limit = 500;
    uint32_t top;
    assert_int_equal(put(b, &change, &top), 0);
    spend(b, 499);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.advice, 0);
    assert_false(view_of(b, top).soft_limit_reached);
    spend(b, 1);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 1);
    assert_true(b->effects.events[0].budget.n == top && b->effects.events[0].committed == 500);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.advice, METE_ADVICE_SOFT_LIMIT);
    assert_true(view_of(b, top).soft_limit_reached);
    spend(b, 100);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 0);
    b->now_us += DAY_US;
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.advice, 0);
    spend(b, 500);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 1);
}

static void a_soft_limit_out_of_reach_is_armed_again(void **state)
{
    struct bench *b = *state;
    struct mete_change change = budget_change(b->org, "top", 1000, METE_DAILY);
    change.budget.soft_limit = 500;
    assert_int_equal(change_to(b, &change), 0);
    spend(b, 600);
    change.budget.soft_limit = 550; /* still reached: has been told */
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 0);
    change.budget.soft_limit = 700;
    assert_int_equal(change_to(b, &change), 0);
    spend(b, 100);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 1);
    change.budget.soft_limit = 0;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.advice, 0);
    change.budget.soft_limit = 300; /* reached as it is put */
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 1);
}

/* A late commit counts where it was made, and is told of that window. */
static void a_late_commit_reaches_the_soft_limit_of_its_own_window(void **state)
{
    struct bench *b = *state;
    struct mete_change change = budget_change(b->org, "top", 1000, METE_DAILY);
    change.budget.soft_limit = 500;
    uint32_t top;
    assert_int_equal(put(b, &change, &top), 0);
    const struct mete_demand much = {.currency = METE_USD, .fixed = 600};
    struct mete_reserve args = ask(b, &much);
    args.ttl_ms = 86400000;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    b->now_us += DAY_US - 1000000;
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(commit(b, id, 600), 0);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 1);
    assert_true(b->effects.events[0].committed == 600);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.advice, 0); /* of the present window */
    spend(b, 500);
    assert_int_equal(told(b, METE_EVENT_SOFT_LIMIT), 1);
}

static void a_downgrade_is_advised_from_its_share_on(void **state)
{
    struct bench *b = *state;
    put_controlled(b, METE_DAILY, (struct mete_controls){.downgrade_ppm = 750000});
    spend(b, 749);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.advice, 0);
    spend(b, 1);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.advice, METE_ADVICE_DOWNGRADE);
}

/* ---- Emergency stop ---- */

static const struct mete_controls stops = {.stop_ppm = 900000, .grace_s = 300};

static void an_emergency_stop_refuses_all_until_its_window_ends(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, stops);
    spend(b, 899);
    assert_int_equal(try(b), METE_REASON_NONE);
    spend(b, 1);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    struct mete_budget_view view = view_of(b, top);
    assert_true(view.stopped_at.us == b->now_us && view.controls.grace_s == 300);
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
    assert_int_equal(b->verdict.refusals_len, 1);
    assert_true(b->refusals[0].limit == 1000 && b->refusals[0].committed == 900);
    assert_true(b->refusals[0].asked == 1 && b->refusals[0].budget.n == top);
    assert_true(b->verdict.retry_at.us == view.window_end.us);
    spend(b, 50); /* what was spent is told all the same */
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    /* a call that demands nothing of its meter is refused as well */
    const struct mete_demand token = {.meter = METE_INPUT, .fixed = 1};
    struct mete_reserve args = ask(b, &token);
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(b->refusals[0].reason, METE_EMERGENCY_STOP);
    assert_true(b->refusals[0].asked == 0);
    b->now_us = view.window_end.us;
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_true(view_of(b, top).stopped_at.us == 0);
}

/* By the clock it is past, though nothing has begun the next. */
static void a_charge_after_the_end_of_its_window_stops_nothing(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, stops);
    const struct mete_demand much = {.currency = METE_USD, .fixed = 950};
    struct mete_reserve args = ask(b, &much);
    args.ttl_ms = 86400000;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    b->now_us = view_of(b, top).window_end.us;
    assert_int_equal(commit(b, id, 950), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
}

static void a_stop_of_a_window_without_an_end_waits_for_a_lift(void **state)
{
    struct bench *b = *state;
    put_controlled(b, METE_TOTAL, stops);
    spend(b, 950);
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
}

static void a_lift_holds_for_the_rest_of_the_window(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, stops);
    spend(b, 900);
    lift(b, top);
    assert_int_equal(told(b, METE_EVENT_LIFTED), 1);
    assert_int_equal(try(b), METE_REASON_NONE);
    spend(b, 60);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    lift(b, top); /* nothing is on */
    assert_int_equal(told(b, METE_EVENT_LIFTED), 0);
    b->now_us += DAY_US;
    spend(b, 950);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
}

static void after_a_lift_a_stop_waits_for_the_cooldown(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = stops;
    controls.cooldown_s = 300;
    uint32_t top = put_controlled(b, METE_DAILY, controls);
    spend(b, 900);
    b->now_us += 10 * MINUTE_US;
    lift(b, top);
    b->now_us += 5 * MINUTE_US - 1;
    spend(b, 1);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    b->now_us += 1;
    spend(b, 0); /* the first that finds it so */
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
}

static void a_stored_refusal_of_a_stop_ends_with_its_lift(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, stops);
    spend(b, 900);
    struct mete_reserve args = ask(b, &one_nano);
    args.request_id = text("r-1");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reserve(b, &args), 0);
        assert_false(b->verdict.allowed);
        assert_int_equal(b->verdict.repeated, i);
    }
    lift(b, top);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
}

static void a_stop_is_over_when_it_is_taken_away_and_not_when_the_limit_rises(void **state)
{
    struct bench *b = *state;
    put_controlled(b, METE_DAILY, stops);
    spend(b, 900);
    struct mete_change change = controlled(b, 100000, METE_DAILY, stops);
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
    change.budget.controls.stop_ppm = 0;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
}

static void a_change_sets_off_what_it_finds_reached(void **state)
{
    struct bench *b = *state;
    struct mete_change change = controlled(b, 1000, METE_DAILY, (struct mete_controls){0});
    assert_int_equal(change_to(b, &change), 0);
    spend(b, 500);
    change.budget.controls = stops;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    change.budget.limit = 550;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
}

static void a_budget_that_is_off_stops_nothing_until_it_is_on(void **state)
{
    struct bench *b = *state;
    const struct mete_demand much = {.currency = METE_USD, .fixed = 950};
    struct mete_reserve args = ask(b, &much);
    put_controlled(b, METE_DAILY, stops);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    struct mete_change change = controlled(b, 1000, METE_DAILY, stops);
    change.budget.mode = METE_OFF;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(commit(b, id, 950), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    change.budget.mode = METE_ENFORCE;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
}

static void a_stop_comes_before_a_hard_limit_and_each_leaf_first(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, stops);
    uint32_t full = put_budget(b, b->key, "full", 0, METE_DAILY);
    spend(b, 1000);
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
    assert_int_equal(b->verdict.refusals_len, 3);
    assert_true(b->refusals[0].budget.n == top);
    assert_true(b->refusals[1].reason == METE_HARD_LIMIT && b->refusals[1].budget.n == full);
    assert_true(b->refusals[2].reason == METE_HARD_LIMIT && b->refusals[2].budget.n == top);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
}

static void an_extension_is_refused_by_a_stop_and_not_by_a_throttle(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = stops;
    controls.throttle_ppm = 500000;
    put_controlled(b, METE_DAILY, controls);
    struct mete_reserve args = ask(b, &one_nano);
    assert_int_equal(reserve(b, &args), 0);
    const struct mete_extend extend = {
        .reservation = b->verdict.reservation, .demands = &one_nano, .demands_len = 1};
    struct ledger_decision decision;
    spend(b, 500);
    assert_int_equal(try(b), METE_THROTTLE);
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &extend, b->refusals,
                                          METE_REFUSALS_MAX, &b->verdict, &decision),
                     0);
    assert_true(b->verdict.allowed);
    apply(b, &decision.entry);
    spend(b, 400);
    assert_int_equal(ledger_decide_extend(b->ledger, now(b), &extend, b->refusals,
                                          METE_REFUSALS_MAX, &b->verdict, &decision),
                     0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->refusals[0].reason, METE_EMERGENCY_STOP);
}

/* ---- Throttle ---- */

static struct mete_controls throttle_at(uint32_t rate_ppm)
{
    return (struct mete_controls){.throttle_ppm = 500000, .throttle_rate_ppm = rate_ppm};
}

static void a_throttle_admits_its_share_evenly(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, throttle_at(400000));
    spend(b, 499);
    assert_int_equal(try(b), METE_REASON_NONE);
    spend(b, 1);
    assert_int_equal(told(b, METE_EVENT_THROTTLED), 1);
    assert_true(view_of(b, top).throttled);
    /* floor(n * 0.4): 0 0 1 1 2, and again */
    static const bool admitted[] = {false, false, true, false, true};
    for (unsigned i = 0; i < 15; i++) {
        enum mete_reason reason = try(b);
        assert_int_equal(reason, admitted[i % 5] ? METE_REASON_NONE : METE_THROTTLE);
        assert_true(reason == METE_REASON_NONE || b->verdict.retry_at.us == 0);
    }
}

static void a_rate_of_nothing_admits_none_and_a_whole_one_all(void **state)
{
    struct bench *b = *state;
    put_controlled(b, METE_DAILY, throttle_at(0));
    spend(b, 500);
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(b), METE_THROTTLE);
    struct mete_change change = controlled(b, 1000, METE_DAILY, throttle_at(1000000));
    assert_int_equal(change_to(b, &change), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(b), METE_REASON_NONE);
}

static void each_leaf_is_thinned_out_by_itself(void **state)
{
    struct bench *b = *state;
    uint32_t first = b->key, second = put_scope(b, METE_API_KEY, "k2", b->user);
    put_controlled(b, METE_DAILY, throttle_at(500000));
    spend(b, 500);
    for (int i = 0; i < 4; i++) {
        b->key = first;
        assert_int_equal(try(b), i % 2 ? METE_REASON_NONE : METE_THROTTLE);
        b->key = second;
        assert_int_equal(try(b), i % 2 ? METE_REASON_NONE : METE_THROTTLE);
    }
}

static void what_something_else_refuses_and_what_only_asks_is_not_counted(void **state)
{
    struct bench *b = *state;
    put_controlled(b, METE_DAILY, throttle_at(500000));
    spend(b, 500);
    const struct mete_demand much = {.currency = METE_USD, .fixed = 600};
    struct mete_reserve large = ask(b, &much), args = ask(b, &one_nano);
    struct ledger_decision decision;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reserve(b, &large), 0);
        assert_int_equal(b->verdict.refusals_len, 1);
        assert_int_equal(b->refusals[0].reason, METE_HARD_LIMIT);
        assert_int_equal(ledger_decide_check(b->ledger, now(b), &args, b->refusals,
                                             METE_REFUSALS_MAX, &b->verdict, &decision),
                         0);
        assert_false(b->verdict.allowed); /* as the next one will be */
    }
    assert_int_equal(try(b), METE_THROTTLE);
    assert_int_equal(ledger_decide_check(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                         &b->verdict, &decision),
                     0);
    assert_true(b->verdict.allowed);
    assert_int_equal(try(b), METE_REASON_NONE);
}

static void a_throttle_ends_with_its_window_or_a_limit_that_puts_it_out_of_reach(void **state)
{
    struct bench *b = *state;
    put_controlled(b, METE_DAILY, throttle_at(0));
    spend(b, 500);
    struct mete_change change = controlled(b, 1001, METE_DAILY, throttle_at(0));
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    spend(b, 1);
    assert_int_equal(told(b, METE_EVENT_THROTTLED), 1);
    assert_int_equal(try(b), METE_THROTTLE);
    b->now_us += DAY_US;
    assert_int_equal(try(b), METE_REASON_NONE);
}

/* ---- Cooldown ---- */

static void a_cooldown_spaces_actions_and_refuses_nothing_itself(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = throttle_at(1000000);
    controls.stop_ppm = 900000;
    controls.cooldown_s = 300;
    uint32_t top = put_controlled(b, METE_DAILY, controls);
    spend(b, 500);
    b->now_us += 5 * MINUTE_US - 1;
    spend(b, 400);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    b->now_us += 1;
    assert_int_equal(try(b), METE_REASON_NONE); /* its end finds it */
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    assert_true(view_of(b, top).stopped_at.us == b->now_us);
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
}

static void where_one_charge_passes_both_the_stop_comes_first(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = throttle_at(0);
    controls.stop_ppm = 900000;
    controls.cooldown_s = 300;
    uint32_t top = put_controlled(b, METE_DAILY, controls);
    spend(b, 950);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    assert_int_equal(told(b, METE_EVENT_THROTTLED), 0);
    b->now_us += 5 * MINUTE_US;
    spend(b, 0);
    assert_int_equal(told(b, METE_EVENT_THROTTLED), 1);
    assert_true(view_of(b, top).throttled);
}

/* ---- Shadow ---- */

static void a_shadow_budget_says_so_and_has_no_effect(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = throttle_at(500000);
    controls.stop_ppm = 900000;
    struct mete_change change = controlled(b, 1000, METE_DAILY, controls);
    change.budget.mode = METE_SHADOW;
    uint32_t top;
    assert_int_equal(put(b, &change, &top), 0);
    spend(b, 500);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(try(b), METE_REASON_NONE);
        assert_int_equal(b->verdict.refusals_len, i % 2 ? 0 : 1);
        assert_true(i % 2 || (b->refusals[0].reason == METE_THROTTLE && b->refusals[0].shadow));
    }
    spend(b, 500);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.refusals_len, 3);
    assert_true(b->refusals[0].reason == METE_EMERGENCY_STOP && b->refusals[0].shadow);
    assert_true(b->refusals[1].reason == METE_HARD_LIMIT && b->refusals[1].shadow);
    assert_true(b->refusals[2].reason == METE_THROTTLE && b->refusals[2].shadow);
    assert_true(b->verdict.retry_at.us == 0);
}

static void a_lift_wants_a_budget(void **state)
{
    struct bench *b = *state;
    struct mete_change change = {.kind = METE_LIFT_STOP, .end = {7}};
    assert_int_equal(change_to(b, &change), METE_E_NOT_FOUND);
    uint32_t plain = put_budget(b, b->org, "plain", 5, METE_DAILY);
    lift(b, plain);
    assert_int_equal(told(b, METE_EVENT_LIFTED), 0);
}

/* ---- Modes and windows ---- */

static void a_mode_changed_while_a_stop_is_on_leaves_it_on(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, stops);
    struct mete_change change = controlled(b, 1000, METE_DAILY, stops);
    spend(b, 900);
    int64_t stopped_at_us = b->now_us;
    b->now_us += MINUTE_US;
    change.budget.mode = METE_OFF;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.refusals_len, 0);
    change.budget.mode = METE_SHADOW;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_true(b->refusals[0].reason == METE_EMERGENCY_STOP && b->refusals[0].shadow);
    change.budget.mode = METE_ENFORCE;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0); /* it never went off */
    assert_int_equal(try(b), METE_EMERGENCY_STOP);
    assert_true(view_of(b, top).stopped_at.us == stopped_at_us);
}

static void a_shadow_stop_is_lifted_like_any(void **state)
{
    struct bench *b = *state;
    struct mete_change change = controlled(b, 1000, METE_DAILY, stops);
    change.budget.mode = METE_SHADOW;
    uint32_t top;
    assert_int_equal(put(b, &change, &top), 0);
    spend(b, 900);
    assert_true(view_of(b, top).stopped_at.us == b->now_us);
    lift(b, top);
    assert_int_equal(told(b, METE_EVENT_LIFTED), 1);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.refusals_len, 0);
    change.budget.mode = METE_ENFORCE; /* finds it reached, and the lift still holds */
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(try(b), METE_REASON_NONE);
}

static void a_shadow_throttle_that_is_enforced_goes_on_counting(void **state)
{
    struct bench *b = *state;
    struct mete_change change = controlled(b, 1000, METE_DAILY, throttle_at(500000));
    change.budget.mode = METE_SHADOW;
    assert_int_equal(change_to(b, &change), 0);
    spend(b, 500);
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(b->verdict.refusals_len, 1);
    change.budget.mode = METE_ENFORCE;
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(told(b, METE_EVENT_THROTTLED), 0);
    assert_int_equal(try(b), METE_REASON_NONE); /* the second */
    assert_int_equal(try(b), METE_THROTTLE);
}

static void a_cooldown_outlasts_its_window(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = stops;
    controls.cooldown_s = 300;
    uint32_t top = put_controlled(b, METE_MINUTE, controls);
    spend(b, 900);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    b->now_us += 5 * MINUTE_US - 1;
    assert_int_equal(try(b), METE_REASON_NONE); /* another window */
    spend(b, 900);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    b->now_us += 1;
    spend(b, 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
    lift(b, top);
    b->now_us += 5 * MINUTE_US - 1;
    spend(b, 900);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    b->now_us += 1;
    spend(b, 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
}

static void a_charge_of_a_past_window_sets_nothing_off(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = throttle_at(0);
    controls.stop_ppm = 900000;
    uint32_t top = put_controlled(b, METE_DAILY, controls);
    const struct mete_demand all = {.currency = METE_USD, .fixed = 1000};
    struct mete_reserve args = ask(b, &all);
    args.ttl_ms = 86400000;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    b->now_us += DAY_US - 1000000;
    assert_int_equal(try(b), METE_REASON_NONE);
    assert_int_equal(commit(b, id, 1000), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED) + told(b, METE_EVENT_THROTTLED), 0);
    assert_true(view_of(b, top).stopped_at.us == 0 && !view_of(b, top).throttled);
    assert_int_equal(try(b), METE_REASON_NONE);
}

static void every_change_of_a_cooldown_counts_from_the_same_action(void **state)
{
    struct bench *b = *state;
    struct mete_controls controls = throttle_at(1000000);
    controls.stop_ppm = 900000;
    controls.cooldown_s = 3600;
    put_controlled(b, METE_DAILY, controls);
    spend(b, 500);
    b->now_us += MINUTE_US;
    spend(b, 450);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 0);
    controls.cooldown_s = 60; /* which is over this very instant */
    struct mete_change change = controlled(b, 1000, METE_DAILY, controls);
    assert_int_equal(change_to(b, &change), 0);
    assert_int_equal(told(b, METE_EVENT_STOPPED), 1);
}

/* ---- Evenness ---- */

static bool admits(struct bench *b, uint32_t leaf)
{
    struct mete_reserve args = ask(b, &one_nano);
    struct ledger_decision decision;
    args.scope.n = leaf;
    assert_int_equal(ledger_decide_reserve(b->ledger, now(b), &args, b->refusals, METE_REFUSALS_MAX,
                                           &b->verdict, &decision),
                     0);
    return b->verdict.allowed;
}

static void the_n_th_call_is_admitted_by_the_formula(void **state)
{
    static const uint32_t rates[] = {0, 1, 250000, 333333, 500000, 666667, 999999, 1000000};
    struct bench *b = *state;
    put_controlled(b, METE_DAILY, throttle_at(0));
    spend(b, 500);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct mete_change change = controlled(b, 1000, METE_DAILY, throttle_at(0));
        change.budget.controls.throttle_ppm = 0; /* off, so that it begins anew */
        assert_int_equal(change_to(b, &change), 0);
        change.budget.controls = throttle_at(rates[i]);
        assert_int_equal(change_to(b, &change), 0); /* in the same instant */
        assert_int_equal(told(b, METE_EVENT_THROTTLED), 1);
        for (uint64_t n = 1; n <= 3000; n++)
            assert_true(admits(b, b->key) ==
                        (n * rates[i] / 1000000 > (n - 1) * rates[i] / 1000000));
    }
    /* where it comes round */
    struct mete_change change = controlled(b, 1000, METE_DAILY, throttle_at(1));
    assert_int_equal(change_to(b, &change), 0);
    uint64_t admitted = 0;
    for (uint64_t n = 3001; n <= 2000003; n++)
        admitted += admits(b, b->key);
    assert_int_equal(admitted, 2);
}

static void a_call_counts_at_every_throttle_it_meets(void **state)
{
    struct bench *b = *state;
    put_controlled(b, METE_DAILY, throttle_at(500000));
    struct mete_change change = budget_change(b->key, "own", 1000, METE_DAILY);
    change.budget.controls = throttle_at(333334);
    assert_int_equal(change_to(b, &change), 0);
    spend(b, 500);
    /* one admits 2, 4, 6, the other 3, 6: together 6 alone */
    static const size_t refusals[] = {2, 1, 1, 1, 2, 0};
    for (unsigned n = 1; n <= 6; n++) {
        assert_true(admits(b, b->key) == (n == 6));
        assert_int_equal(b->verdict.refusals_len, refusals[n - 1]);
    }
}

/* What met a throttle is known to nobody else: no entry, no hash, no snapshot. */
static void a_restart_forgets_what_met_a_throttle_and_nothing_else(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_controlled(b, METE_DAILY, throttle_at(500000));
    spend(b, 500);
    uint8_t before[32], after[32];
    ledger_hash(b->ledger, before);
    assert_false(admits(b, b->key));
    ledger_hash(b->ledger, after);
    assert_memory_equal(before, after, sizeof before);
    b->ledger = reload(b->ledger);
    assert_true(view_of(b, top).throttled);
    assert_false(admits(b, b->key)); /* the first again */
    assert_true(admits(b, b->key));
}

/* ---- Room ---- */

enum { LEAVES = LIMIT_THROTTLED + LIMIT_THROTTLED / 4 };

static void put_leaves(struct bench *b, struct ledger *ledger)
{
    for (uint32_t i = 0; i < LEAVES; i++) {
        char id[16];
        int len = snprintf(id, sizeof id, "leaf%u", i);
        struct entry entry = {
            .kind = ENTRY_SCOPE, .seq = ledger_last_seq(ledger) + 1, .at_us = b->now_us};
        entry.u.scope.handle = i + 2;
        entry.u.scope.spec = (struct mete_scope_spec){
            .kind = METE_API_KEY, .id = {id, (size_t)len}, .organization = {1}, .parent = {1}};
        assert_int_equal(ledger_apply(ledger, &entry, NULL), 0);
    }
}

/* More pairs than there is room for: some begin anew, which refuses; none is admitted early. */
static void pairs_beyond_the_room_begin_anew(void **state)
{
    struct bench *b = *state;
    struct bench many = {.now_us = b->now_us, .org = 0};
    const struct ledger_room room = {LEAVES + 8, 8, 8, 8};
    assert_int_equal(ledger_open(&room, &many.ledger), 0);
    assert_int_equal(ledger_open(&room, &many.copy), 0);
    many.org = put_scope(&many, METE_ORGANIZATION, "acme", 0);
    put_controlled(&many, METE_DAILY, throttle_at(500000));
    many.key = many.org;
    spend(&many, 500);
    put_leaves(b, many.ledger);
    uint32_t admitted = 0;
    for (uint32_t i = 0; i < LEAVES; i++)
        assert_false(admits(&many, i + 2));
    for (uint32_t i = 0; i < LEAVES; i++)
        admitted += admits(&many, i + 2);
    assert_true(admitted > 0 && admitted < LEAVES);
    ledger_close(many.ledger);
    ledger_close(many.copy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_soft_limit_tells_once_a_window_and_refuses_nothing),
        TEST(a_soft_limit_out_of_reach_is_armed_again),
        TEST(a_late_commit_reaches_the_soft_limit_of_its_own_window),
        TEST(a_downgrade_is_advised_from_its_share_on),
        TEST(an_emergency_stop_refuses_all_until_its_window_ends),
        TEST(a_charge_after_the_end_of_its_window_stops_nothing),
        TEST(a_stop_of_a_window_without_an_end_waits_for_a_lift),
        TEST(a_lift_holds_for_the_rest_of_the_window),
        TEST(after_a_lift_a_stop_waits_for_the_cooldown),
        TEST(a_stored_refusal_of_a_stop_ends_with_its_lift),
        TEST(a_stop_is_over_when_it_is_taken_away_and_not_when_the_limit_rises),
        TEST(a_change_sets_off_what_it_finds_reached),
        TEST(a_budget_that_is_off_stops_nothing_until_it_is_on),
        TEST(a_stop_comes_before_a_hard_limit_and_each_leaf_first),
        TEST(an_extension_is_refused_by_a_stop_and_not_by_a_throttle),
        TEST(a_throttle_admits_its_share_evenly),
        TEST(a_rate_of_nothing_admits_none_and_a_whole_one_all),
        TEST(each_leaf_is_thinned_out_by_itself),
        TEST(what_something_else_refuses_and_what_only_asks_is_not_counted),
        TEST(a_throttle_ends_with_its_window_or_a_limit_that_puts_it_out_of_reach),
        TEST(a_cooldown_spaces_actions_and_refuses_nothing_itself),
        TEST(where_one_charge_passes_both_the_stop_comes_first),
        TEST(a_shadow_budget_says_so_and_has_no_effect),
        TEST(a_lift_wants_a_budget),
        TEST(a_mode_changed_while_a_stop_is_on_leaves_it_on),
        TEST(a_shadow_stop_is_lifted_like_any),
        TEST(a_shadow_throttle_that_is_enforced_goes_on_counting),
        TEST(a_cooldown_outlasts_its_window),
        TEST(a_charge_of_a_past_window_sets_nothing_off),
        TEST(every_change_of_a_cooldown_counts_from_the_same_action),
        TEST(the_n_th_call_is_admitted_by_the_formula),
        TEST(a_call_counts_at_every_throttle_it_meets),
        TEST(a_restart_forgets_what_met_a_throttle_and_nothing_else),
        TEST(pairs_beyond_the_room_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
