/* SPDX-License-Identifier: Apache-2.0
 * Proves the ledger's rules about money one at a time, each on a small installation made by hand
 * (ledger_help.h). What random operations find is prop_ledger's. */
#include "ledger/state.h"
#include "unit/ledger_help.h"

/* ---- Tests ---- */

static void inv_01_a_limit_admits_to_the_last_nano_and_no_further(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->user, "daily", 3000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reserve(b, &args), 0);
        assert_true(b->verdict.allowed && b->verdict.has_remaining);
        assert_true(b->verdict.remaining == (2 - i) * INT64_C(1000000000));
        assert_int_equal(b->verdict.remaining_of.n, budget);
    }
    const struct mete_demand nano = {.currency = METE_USD, .fixed = 1};
    args = ask(b, &nano);
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->verdict.refusals_len, 1);
    assert_int_equal(b->refusals[0].reason, METE_HARD_LIMIT);
    assert_int_equal(b->refusals[0].budget.n, budget);
    assert_true(b->refusals[0].asked == 1 && b->verdict.retry_at.us == 0);
    stands(b, budget, 0, 3000000000);
}

/* INV-02, the taking: one budget of the path has no room, so none is touched. */
static void inv_02_a_reservation_takes_from_all_or_none(void **state)
{
    struct bench *b = *state;
    uint32_t leaf = put_budget(b, b->key, "leaf", 5000000000, METE_DAILY);
    uint32_t top = put_budget(b, b->org, "top", 500000000, METE_MONTHLY);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    assert_true(b->verdict.retry_at.us == INT64_MAX); /* it does not fit an empty window */
    stands(b, leaf, 0, 0);
    stands(b, top, 0, 0);
}

/* INV-02, the end: it touches the budgets that were taken from, whatever has been done to them, and
 * none that has come since. */
static void inv_02_an_end_touches_just_what_was_taken_from(void **state)
{
    struct bench *b = *state;
    uint32_t ended = put_budget(b, b->key, "ended", 5000000000, METE_DAILY);
    uint32_t off = put_budget(b, b->user, "off", 5000000000, METE_DAILY);
    uint32_t lowered = put_budget(b, b->org, "lowered", 5000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t first = b->verdict.reservation.n;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t second = b->verdict.reservation.n;
    uint32_t handle;
    struct mete_change change = {.kind = METE_END_BUDGET, .end = {ended}};
    assert_int_equal(put(b, &change, &handle), 0);
    change = budget_change(b->user, "off", 5000000000, METE_DAILY);
    change.budget.mode = METE_OFF;
    assert_int_equal(put(b, &change, &handle), 0);
    change = budget_change(b->org, "lowered", 1, METE_DAILY);
    assert_int_equal(put(b, &change, &handle), 0);
    uint32_t later = put_budget(b, b->org, "later", 5000000000, METE_DAILY);
    stands(b, ended, 0, 2000000000);
    assert_int_equal(commit(b, first, 400), 0);
    stands(b, ended, 400, 1000000000);
    stands(b, off, 400, 1000000000);
    stands(b, lowered, 400, 1000000000);
    stands(b, later, 0, 0);
    assert_int_equal(release(b, second), 0);
    stands(b, off, 400, 0);
    stands(b, lowered, 400, 0);
    stands(b, later, 0, 0);
}

static void inv_03_a_reservation_ends_once(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "top", 5000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    assert_int_equal(commit(b, id, 400000000), 0);
    stands(b, budget, 400000000, 0);
    uint64_t record = b->receipt.record;
    assert_int_equal(commit(b, id, 400000000), 0);
    assert_true(b->receipt.repeated && b->receipt.record == record);
    assert_int_equal(commit(b, id, 400000001), METE_E_ENDED);
    assert_true(b->receipt.state == METE_COMMITTED && b->receipt.cost == 400000000);
    assert_int_equal(release(b, id), METE_E_ENDED);
    stands(b, budget, 400000000, 0);
    assert_int_equal(commit(b, id + 1, 1), METE_E_NOT_FOUND);
}

static void the_largest_quantity_that_fits_is_granted(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 1000, METE_DAILY);
    /* 3 a unit, rounded up at the sum: ceil(3.000001 * q) + 100 <= 1000 gives q = 299 */
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 100, .per_million = 3000001};
    struct mete_reserve args = ask(b, &demand);
    args.floor = 10;
    args.wish = 4096;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    assert_int_equal(b->verdict.granted, 299);
    assert_true(b->verdict.remaining == 1000 - 100 - 898);
}

static void inv_04_a_request_id_gets_its_stored_answer(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 5000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    args.request_id = text("r-1");
    args.content = 7;
    assert_int_equal(reserve(b, &args), 0);
    struct mete_verdict first = b->verdict;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.repeated && b->verdict.seq == first.seq);
    assert_true(b->verdict.reservation.n == first.reservation.n);
    assert_true(b->verdict.remaining == first.remaining);
    args.content = 8;
    assert_int_equal(reserve(b, &args), METE_E_CONTENT);
    assert_int_equal(commit(b, first.reservation.n, 1), 0);
    args.content = 7;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.repeated && b->verdict.reservation.n == first.reservation.n);
    args.content = 8;
    assert_int_equal(reserve(b, &args), METE_E_CONTENT);
}

static void inv_04_a_call_is_in_flight_and_then_ended(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 5000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    args.request_id = text("r-1");
    args.flags = METE_RESERVE_CALL;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    assert_int_equal(reserve(b, &args), METE_E_IN_FLIGHT);
    assert_int_equal(commit(b, id, 250), 0);
    assert_int_equal(reserve(b, &args), METE_E_ENDED);
    assert_true(b->verdict.reservation.n == id && b->verdict.ended.cost == 250);
    assert_true(b->verdict.ended.record == b->receipt.record);
}

/* The retry of a call that never reached its provider comes under the same id: it was told that the
 * call had ended. */
static void inv_04_a_call_that_cost_nothing_kept_its_id(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 5000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    args.request_id = text("r-1");
    args.content = 7;
    args.flags = METE_RESERVE_CALL;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t first = b->verdict.reservation.n;
    assert_int_equal(release(b, first), 0);
    uint64_t record = b->receipt.record;
    args.content = 8;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated && b->verdict.reservation.n != first);
    assert_int_equal(reserve(b, &args), METE_E_IN_FLIGHT);
    assert_int_equal(release(b, first), 0);
    assert_true(b->receipt.repeated && b->receipt.record == record);
    assert_int_equal(commit(b, first, 1), METE_E_ENDED);
    assert_int_equal(commit(b, b->verdict.reservation.n, 250), 0);
    assert_int_equal(reserve(b, &args), METE_E_ENDED);
    assert_true(b->verdict.ended.cost == 250);
    /* A provider that answers with an error charges nothing: a retry comes under the same id. */
    args.request_id = text("r-3");
    assert_int_equal(reserve(b, &args), 0);
    first = b->verdict.reservation.n;
    assert_int_equal(commit(b, first, 0), 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated && b->verdict.reservation.n != first);
    assert_int_equal(commit(b, b->verdict.reservation.n, 1), 0);
    assert_int_equal(reserve(b, &args), METE_E_ENDED);
    /* What was reserved for somebody else's call keeps its id, released or not. */
    args.request_id = text("r-2");
    args.flags = 0;
    assert_int_equal(reserve(b, &args), 0);
    uint64_t plain = b->verdict.reservation.n;
    assert_int_equal(release(b, plain), 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.repeated && b->verdict.reservation.n == plain);
}

static void inv_09_a_late_commit_counts_in_its_own_window(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "top", 5000000000, METE_HOURLY);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t old = b->verdict.reservation.n;
    b->now_us += HOUR_US;
    assert_int_equal(reserve(b, &args), 0);
    stands(b, budget, 0, 1000000000);
    assert_int_equal(commit(b, old, 900), 0);
    stands(b, budget, 0, 1000000000);
    assert_int_equal(commit(b, b->verdict.reservation.n, 800), 0);
    stands(b, budget, 800, 0);
}

/* INV-10: held money fires nothing, committed money fires once, and once more under a new limit. */
static void inv_10_a_threshold_fires_once_and_again_when_the_limit_rises(void **state)
{
    struct bench *b = *state;
    struct mete_change change = budget_change(b->org, "top", 1000, METE_DAILY);
    change.budget.thresholds_ppm[0] = 500000;
    change.budget.thresholds_ppm[1] = 900000;
    change.budget.thresholds_len = 2;
    uint32_t budget;
    assert_int_equal(put(b, &change, &budget), 0);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 500};
    struct mete_reserve args = ask(b, &demand);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    assert_int_equal(b->effects.events_len, 0); /* held does not fire */
    assert_int_equal(commit(b, id, 500), 0);
    assert_int_equal(b->effects.events_len, 1);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_THRESHOLD);
    assert_int_equal(b->effects.events[0].threshold_ppm, 500000);
    change.budget.limit = 2000;
    assert_int_equal(put(b, &change, &budget), 0);
    assert_int_equal(b->effects.events_len, 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(commit(b, b->verdict.reservation.n, 500), 0);
    assert_int_equal(b->effects.events_len, 1); /* 1000 of 2000 */
    change.budget.limit = 900;
    assert_int_equal(put(b, &change, &budget), 0);
    assert_int_equal(b->effects.events_len, 2);
    assert_int_equal(b->effects.events[0].kind, METE_EVENT_LIMIT_BELOW);
    assert_int_equal(b->effects.events[1].threshold_ppm, 900000);
}

static uint32_t put_mode(struct bench *b, uint32_t scope, const char *id, int64_t limit,
                         enum mete_mode mode)
{
    uint32_t handle = 0;
    struct mete_change change = budget_change(scope, id, limit, METE_DAILY);
    change.budget.mode = mode;
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static void inv_07_a_counter_that_went_wrong_is_found(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "top", 5000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(ledger_audit(b->ledger), 0);
    b->ledger->budgets[budget].held++;
    assert_int_equal(ledger_audit(b->ledger), 1);
    assert_int_equal(ledger_audit(b->ledger), 1); /* looking changes nothing */
    b->ledger->budgets[budget].held--;
    b->ledger->budgets[budget].committed--;
    assert_int_equal(ledger_audit(b->ledger), 1);
    b->ledger->budgets[budget].committed++;
    assert_int_equal(ledger_audit(b->ledger), 0);
}

static void inv_08_a_reservation_rounds_up(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "top", 5000000000, METE_DAILY);
    const struct mete_demand demand = {.currency = METE_USD, .per_million = 1};
    struct mete_reserve args = ask(b, &demand);
    args.floor = args.wish = 1;
    assert_int_equal(reserve(b, &args), 0);
    stands(b, budget, 0, 1);
    args.floor = args.wish = 1000000;
    assert_int_equal(reserve(b, &args), 0);
    stands(b, budget, 0, 2);
    args.floor = args.wish = 1000001;
    assert_int_equal(reserve(b, &args), 0);
    stands(b, budget, 0, 4);
}

static void refusals_come_in_order_of_precedence(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 1, METE_DAILY);
    uint32_t shadow = put_mode(b, b->key, "shadow", 1, METE_SHADOW);
    uint32_t leaf = put_budget(b, b->key, "leaf", 1, METE_TOTAL);
    put_mode(b, b->key, "off", 0, METE_OFF);
    uint32_t handle;
    struct mete_change change = {.kind = METE_PUT_SCOPE,
                                 .scope = {.kind = METE_DEPARTMENT,
                                           .id = text("research"),
                                           .organization = {b->org},
                                           .revoked = 1}};
    assert_int_equal(put(b, &change, &handle), 0);
    change.scope =
        (struct mete_scope_spec){.kind = METE_ORGANIZATION, .id = text("acme"), .expires_at = {T0}};
    assert_int_equal(put(b, &change, &handle), 0);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    assert_false(b->verdict.allowed);
    assert_int_equal(b->verdict.refusals_len, 5);
    assert_true(b->refusals[0].reason == METE_KEY_EXPIRED && b->refusals[0].scope.n == b->org);
    assert_true(b->refusals[1].reason == METE_KEY_REVOKED && b->refusals[1].scope.n == b->dept);
    assert_true(b->refusals[2].budget.n == leaf && !b->refusals[2].shadow);
    assert_true(b->refusals[3].budget.n == top && b->refusals[3].scope.n == b->org);
    assert_true(b->refusals[4].budget.n == shadow && b->refusals[4].shadow);
    assert_true(b->verdict.retry_at.us == INT64_MAX);
}

static void a_shadow_budget_counts_and_never_refuses(void **state)
{
    struct bench *b = *state;
    uint32_t shadow = put_mode(b, b->org, "shadow", 1, METE_SHADOW);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && b->verdict.refusals_len == 1 && b->refusals[0].shadow);
    assert_false(b->verdict.has_remaining);
    stands(b, shadow, 0, 1000000000);
}

static void a_zero_limit_refuses_even_nothing(void **state)
{
    struct bench *b = *state;
    uint32_t zero = put_budget(b, b->org, "zero", 0, METE_DAILY);
    const struct mete_demand nothing = {.currency = METE_USD};
    struct mete_reserve args = ask(b, &nothing);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && b->refusals[0].budget.n == zero);
    const struct mete_demand other = {.meter = METE_REQUESTS, .fixed = 1};
    args = ask(b, &other);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
}

static void inv_04_a_refusal_binds_until_its_retry_at(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 1500000000, METE_HOURLY);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    args.request_id = text("r-1");
    uint64_t seq = ledger_last_seq(b->ledger);
    assert_int_equal(reserve(b, &args), 0); /* it is only held: asking again may help at once */
    assert_true(!b->verdict.allowed && b->verdict.retry_at.us == 0);
    assert_true(ledger_last_seq(b->ledger) == seq);
    assert_int_equal(commit(b, id, 1000000000), 0);
    assert_int_equal(reserve(b, &args), 0);
    int64_t retry_at_us = b->verdict.retry_at.us;
    assert_true(!b->verdict.allowed && retry_at_us > b->now_us && b->verdict.seq);
    struct mete_change more = budget_change(b->org, "top", 9000000000, METE_HOURLY);
    uint32_t handle;
    assert_int_equal(put(b, &more, &handle), 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && b->verdict.repeated && b->verdict.refusals_len == 1);
    args.content = 1;
    assert_int_equal(reserve(b, &args), METE_E_CONTENT);
    b->now_us = retry_at_us;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated);
}

static void inv_04_a_refusal_for_good_ends_with_its_cause(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 1, METE_TOTAL);
    struct mete_reserve args = ask(b, &one_dollar);
    args.request_id = text("r-1");
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && b->verdict.retry_at.us == INT64_MAX);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(!b->verdict.allowed && b->verdict.repeated);
    struct mete_change more = budget_change(b->org, "top", 9000000000, METE_TOTAL);
    uint32_t handle;
    assert_int_equal(put(b, &more, &handle), 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated);
}

static void a_commit_of_more_meters_than_reserved_is_charged_to_all(void **state)
{
    struct bench *b = *state;
    uint32_t cost = put_budget(b, b->org, "cost", 5000000000, METE_DAILY), tokens;
    struct mete_change change = budget_change(b->key, "tokens", 100, METE_DAILY);
    change.budget.meter = METE_TOTAL_TOKENS;
    change.budget.currency = 0;
    assert_int_equal(put(b, &change, &tokens), 0);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    const struct mete_usage usage[] = {{.meter = METE_TOTAL_TOKENS, .amount = 101},
                                       {.currency = METE_USD, .amount = 5}};
    const struct mete_commit end = {
        .reservation = b->verdict.reservation, .usage = usage, .usage_len = 2};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &end, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    assert_true(b->receipt.cost == 5 && b->receipt.overrun);
    stands(b, tokens, 101, 0);
    stands(b, cost, 5, 0);
    assert_int_equal(b->effects.events_len, 1);
    assert_true(b->effects.events[0].kind == METE_EVENT_OVERRUN &&
                b->effects.events[0].budget.n == tokens);
    assert_int_equal(b->effects.ended.amounts_len, 2);
}

static void expiry_releases_or_charges_and_a_crash_charges_a_call(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 9000000000, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    struct entry entry;
    assert_true(ledger_next_expiry(b->ledger) == INT64_MAX);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t first = b->verdict.reservation.n;
    args.on_expiry = METE_EXPIRY_CHARGE;
    args.ttl_ms = 61000;
    assert_int_equal(reserve(b, &args), 0);
    args.flags = METE_RESERVE_CALL;
    args.ttl_ms = 1;
    assert_int_equal(reserve(b, &args), 0);
    stands(b, top, 0, 3000000000);
    assert_false(ledger_decide_expiry(b->ledger, now(b), &entry));
    b->now_us += INT64_C(60000000);
    assert_true(ledger_decide_expiry(b->ledger, now(b), &entry));
    assert_true(entry.u.end.reservation == first);
    apply(b, &entry);
    assert_true(b->effects.has_ended && b->effects.ended.state == METE_EXPIRED);
    assert_int_equal(b->effects.ended.amounts_len, 0);
    stands(b, top, 0, 2000000000);
    assert_false(ledger_decide_expiry(b->ledger, now(b), &entry));
    b->now_us += 1000000;
    assert_true(ledger_decide_expiry(b->ledger, now(b), &entry));
    apply(b, &entry);
    stands(b, top, 1000000000, 1000000000);
    b->now_us += 1000000;
    assert_false(ledger_decide_expiry(b->ledger, now(b), &entry));
    struct ledger_call call;
    assert_int_equal(ledger_calls(b->ledger, &call, 1), 1);
    ledger_decide_orphan(b->ledger, now(b), call.id, &entry);
    apply(b, &entry);
    assert_int_equal(b->effects.ended.amounts_len, 1);
    stands(b, top, 2000000000, 0);
    assert_int_equal(ledger_calls(b->ledger, &call, 1), 0);
    assert_int_equal(release(b, first), METE_E_ENDED);
    assert_int_equal(b->receipt.state, METE_EXPIRED);
}

static void a_full_ledger_says_so_and_takes_nothing(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    for (int i = 0; i < 64; i++)
        assert_int_equal(reserve(b, &args), 0);
    assert_int_equal(reserve(b, &args), METE_E_FULL);
    stands(b, top, 0, INT64_C(64000000000));
    assert_int_equal(release(b, b->verdict.reservation.n), 0);
    assert_int_equal(reserve(b, &args), 0);
}

static void inv_04_an_outcome_is_forgotten_after_a_day(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_TOTAL);
    struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    assert_int_equal(commit(b, id, 5), 0);
    b->now_us += DAY_US - 1;
    assert_int_equal(commit(b, id, 5), 0);
    b->now_us += 1;
    assert_int_equal(commit(b, id, 5), METE_E_NOT_FOUND);
}

/* Raw entries, many of them, without looking at the whole after each. */
static void record_raw(struct ledger *ledger, uint32_t scope, struct slice request_id,
                       struct mete_text model)
{
    const struct mete_usage usage = {.meter = METE_REQUESTS, .amount = 1};
    const struct mete_record args = {.scope = {scope},
                                     .request_id = {request_id.data, request_id.len},
                                     .model = model,
                                     .usage = &usage,
                                     .usage_len = 1};
    struct mete_receipt receipt;
    struct ledger_decision decision;
    assert_int_equal(
        ledger_decide_record(ledger, (struct mete_instant){T0}, &args, &receipt, &decision), 0);
    assert_int_equal(ledger_apply(ledger, &decision.entry, NULL), 0);
}

static void inv_04_one_scope_cannot_crowd_out_the_others(void **state)
{
    struct bench *b = *state;
    struct ledger *ledger;
    const struct ledger_room room = {4, 4, 4, LIMIT_SCOPE_OUTCOMES + 16};
    assert_int_equal(ledger_open(&room, &ledger), 0);
    struct ledger *old = b->ledger, *old_copy = b->copy;
    assert_int_equal(ledger_open(&room, &b->copy), 0);
    b->ledger = ledger;
    put_scope(b, METE_ORGANIZATION, "one", 0);
    put_scope(b, METE_ORGANIZATION, "two", 0);
    record_raw(ledger, 1, SLICE_LITERAL("first"), (struct mete_text){0});
    record_raw(ledger, 2, SLICE_LITERAL("other"), (struct mete_text){0});
    for (int i = 0; i < LIMIT_SCOPE_OUTCOMES; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        record_raw(ledger, 1, slice_of(id), (struct mete_text){0});
    }
    const struct outcome *first = outcomes_of_request(ledger, 1, SLICE_LITERAL("first"), T0);
    const struct outcome *other = outcomes_of_request(ledger, 2, SLICE_LITERAL("other"), T0);
    assert_true(!first && other);
    assert_non_null(outcomes_of_request(ledger, 1, SLICE_LITERAL("r0"), T0));
    ledger_check(ledger);
    ledger_close(b->ledger);
    ledger_close(b->copy);
    b->ledger = old;
    b->copy = old_copy;
}

static void names_without_a_number_are_kept_whole(void **state)
{
    struct bench *b = *state;
    struct ledger *ledger = b->ledger;
    uint32_t top = put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_TOTAL);
    for (int i = 0; i < LIMIT_NAMES; i++) {
        char name[16];
        snprintf(name, sizeof name, "model-%d", i);
        record_raw(ledger, b->key, (struct slice){0}, text(name));
    }
    assert_int_equal(ledger->names_len, LIMIT_NAMES);
    const struct mete_demand demand = {.currency = METE_USD, .fixed = 7};
    struct mete_reserve args = ask(b, &demand);
    args.model = text("one model too many");
    args.provider = text("one provider too many");
    args.request_id = text("r-1");
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_reserve(ledger, now(b), &args, NULL, 0, &b->verdict, &decision),
                     0);
    assert_int_equal(decision.entry.u.reserve.model.n, ENTRY_NAME_WHOLE);
    assert_int_equal(ledger_apply(ledger, &decision.entry, &b->effects), 0);
    assert_int_equal(
        ledger_decide_release(ledger, now(b), b->verdict.reservation, &b->receipt, &decision), 0);
    assert_int_equal(ledger_apply(ledger, &decision.entry, &b->effects), 0);
    assert_true(slice_is(b->effects.ended.model, "one model too many"));
    assert_true(slice_is(b->effects.ended.provider, "one provider too many"));
    assert_true(slice_is(b->effects.ended.request_id, "r-1"));
    ledger_check(ledger);
    stands(b, top, 0, 0);
}

static void a_longest_reservation_fits_its_words(void **state)
{
    struct bench *b = *state;
    uint32_t scopes[] = {b->org, b->dept, b->user, b->key};
    for (uint32_t i = 0; i < 32; i++) {
        char id[16];
        snprintf(id, sizeof id, "b%u", i);
        put_budget(b, scopes[i / 8], id, METE_AMOUNT_MAX, METE_HOURLY);
    }
    char request_id[LIMIT_ID];
    memset(request_id, 'r', sizeof request_id);
    struct mete_demand demands[METE_DEMANDS_MAX];
    for (uint16_t i = 0; i < METE_DEMANDS_MAX; i++)
        demands[i] = (struct mete_demand){.meter = (uint16_t)(METE_METER_CUSTOM + i),
                                          .fixed = METE_AMOUNT_MAX};
    demands[0] = (struct mete_demand){.currency = METE_USD, .fixed = 5};
    struct mete_reserve args = ask(b, demands);
    args.demands_len = METE_DEMANDS_MAX;
    args.request_id = (struct mete_text){request_id, sizeof request_id};
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    b->now_us += 2 * HOUR_US; /* every take's window is over and kept */
    const struct mete_demand small = {.currency = METE_USD, .fixed = 1};
    struct mete_reserve next = ask(b, &small);
    assert_int_equal(reserve(b, &next), 0);
    struct mete_reservation_view view;
    assert_int_equal(ledger_reservation(b->ledger, id, &view), 0);
    assert_true(view.amounts_len == 16 && view.amounts[15].fixed == METE_AMOUNT_MAX);
    assert_int_equal(commit(b, id, 5), 0);
    assert_int_equal(b->effects.ended.request_id.len, LIMIT_ID);
    assert_memory_equal(b->effects.ended.request_id.data, request_id, LIMIT_ID);
}

static void bad_arguments_change_nothing(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_TOTAL);
    uint8_t before[32], after[32];
    ledger_hash(b->ledger, before);
    const struct mete_demand twice[] = {one_dollar, one_dollar};
    struct mete_demand bad = one_dollar;
    struct mete_reserve args = ask(b, twice);
    args.demands_len = 2;
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    args.demands_len = 0;
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    args.demands_len = METE_DEMANDS_MAX + 1;
    assert_int_equal(reserve(b, &args), METE_E_TOO_LARGE);
    args = ask(b, &bad);
    bad.fixed = -1;
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    bad = (struct mete_demand){.currency = METE_USD, .per_million = METE_AMOUNT_MAX};
    args.floor = args.wish = INT64_MAX;
    assert_int_equal(reserve(b, &args), METE_E_INVALID); /* the floor alone is no amount */
    bad = (struct mete_demand){.meter = METE_REQUESTS, .currency = METE_USD};
    args.floor = args.wish = 0;
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    args = ask(b, &one_dollar);
    args.wish = -1;
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    args = ask(b, &one_dollar);
    args.ttl_ms = 0;
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    args = ask(b, &one_dollar);
    args.request_id = text("no space allowed");
    assert_int_equal(reserve(b, &args), METE_E_INVALID);
    args = ask(b, &one_dollar);
    args.scope.n = 99;
    assert_int_equal(reserve(b, &args), METE_E_NOT_FOUND);
    assert_int_equal(commit(b, 0, 1), METE_E_NOT_FOUND);
    assert_int_equal(commit(b, 0, -1), METE_E_INVALID);
    ledger_hash(b->ledger, after);
    assert_memory_equal(before, after, 32);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(inv_01_a_limit_admits_to_the_last_nano_and_no_further),
        TEST(inv_02_a_reservation_takes_from_all_or_none),
        TEST(inv_02_an_end_touches_just_what_was_taken_from),
        TEST(inv_03_a_reservation_ends_once),
        TEST(the_largest_quantity_that_fits_is_granted),
        TEST(inv_04_a_request_id_gets_its_stored_answer),
        TEST(inv_04_a_call_is_in_flight_and_then_ended),
        TEST(inv_04_a_call_that_cost_nothing_kept_its_id),
        TEST(inv_09_a_late_commit_counts_in_its_own_window),
        TEST(inv_10_a_threshold_fires_once_and_again_when_the_limit_rises),
        TEST(inv_07_a_counter_that_went_wrong_is_found),
        TEST(inv_08_a_reservation_rounds_up),
        TEST(refusals_come_in_order_of_precedence),
        TEST(a_shadow_budget_counts_and_never_refuses),
        TEST(a_zero_limit_refuses_even_nothing),
        TEST(inv_04_a_refusal_binds_until_its_retry_at),
        TEST(inv_04_a_refusal_for_good_ends_with_its_cause),
        TEST(a_commit_of_more_meters_than_reserved_is_charged_to_all),
        TEST(expiry_releases_or_charges_and_a_crash_charges_a_call),
        TEST(a_full_ledger_says_so_and_takes_nothing),
        TEST(inv_04_an_outcome_is_forgotten_after_a_day),
        TEST(inv_04_one_scope_cannot_crowd_out_the_others),
        TEST(names_without_a_number_are_kept_whole),
        TEST(a_longest_reservation_fits_its_words),
        TEST(bad_arguments_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
