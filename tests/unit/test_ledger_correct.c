/* SPDX-License-Identifier: Apache-2.0
 * Proves rules 25 and 26 of docs/semantics.md: what expired or was committed provisionally takes
 * its true figures once (INV-03), in the windows it was charged in (INV-09), until 24 hours after
 * its end to the microsecond or until too many others came; what a correction leaves alone; and
 * that nothing stays behind. Every entry goes through a second ledger as bytes, which is saved and
 * loaded before each and whose hash must stay the same (INV-06). */
#include "ledger_help.h"

#include "base/limits.h"

enum { ROOM = 64, KEPT = ROOM / 4 /* closed ones, of a bench */, PPM = 1000000 };
#define DOLLAR INT64_C(1000000000)
#define LAST_US (DAY_US - 1)

/* ---- Operations ---- */

static uint64_t hold(struct bench *b, enum mete_expiry on_expiry, int64_t cost)
{
    const struct mete_demand demand = {.currency = METE_USD, .fixed = cost};
    struct mete_reserve args = ask(b, &demand);
    args.on_expiry = on_expiry;
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed);
    return b->verdict.reservation.n;
}

/* Ends all that is due after the longest time that ask() gives. */
static void expire(struct bench *b)
{
    struct entry entry;
    b->now_us += INT64_C(60000000);
    while (ledger_decide_expiry(b->ledger, now(b), &entry))
        apply(b, &entry);
}

static uint64_t expired(struct bench *b, enum mete_expiry on_expiry, int64_t cost)
{
    uint64_t id = hold(b, on_expiry, cost);
    expire(b);
    return id;
}

static int commit_flagged(struct bench *b, uint64_t id, int64_t cost, uint32_t flags)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_commit args = {
        .reservation = {id}, .usage = &usage, .usage_len = 1, .outcome = {.flags = flags}};
    struct ledger_decision decision;
    int rc = ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static void end_budget(struct bench *b, uint32_t budget)
{
    uint32_t handle;
    const struct mete_change change = {.kind = METE_END_BUDGET, .end = {budget}};
    assert_int_equal(put(b, &change, &handle), 0);
}

static size_t provisional(struct bench *b)
{
    return ledger_provisional(b->ledger, 0, now(b), NULL, 0);
}

static size_t events_of(const struct bench *b, enum mete_event_kind kind)
{
    size_t len = 0;
    for (size_t i = 0; i < b->effects.events_len; i++)
        len += b->effects.events[i].kind == kind;
    return len;
}

/* ---- What a correction does ---- */

static void an_expired_one_takes_its_true_usage_once(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 100 * DOLLAR, METE_DAILY);
    uint64_t id = expired(b, METE_EXPIRY_RELEASE, 5 * DOLLAR);
    uint64_t ended = ledger_last_seq(b->ledger);
    stands(b, top, 0, 0);
    assert_int_equal(commit(b, id, 3 * DOLLAR), 0);
    stands(b, top, 3 * DOLLAR, 0);
    assert_true(b->receipt.corrected && !b->receipt.repeated && !b->receipt.overrun);
    assert_true(b->receipt.state == METE_EXPIRED && b->receipt.cost == 3 * DOLLAR);
    assert_true(b->receipt.record == ledger_last_seq(b->ledger));
    assert_true(b->effects.has_ended && b->effects.ended.corrects == ended);
    assert_true(b->effects.ended.amounts_len == 1 && b->effects.ended.reservation == id);
    assert_true(b->effects.ended.amounts[0].amount == 3 * DOLLAR);
    assert_int_equal(events_of(b, METE_EVENT_CORRECTED), 1);
    assert_true(b->effects.events[0].reservation.n == id);
    uint64_t record = b->receipt.record;
    assert_int_equal(commit(b, id, 3 * DOLLAR), 0);
    assert_true(b->receipt.repeated && b->receipt.corrected && b->receipt.record == record);
    assert_int_equal(commit(b, id, 4 * DOLLAR), METE_E_ENDED);
    assert_true(b->receipt.cost == 3 * DOLLAR && b->receipt.corrected);
    assert_int_equal(release(b, id), METE_E_ENDED);
    stands(b, top, 3 * DOLLAR, 0);
}

static void a_provisional_commit_is_settled_up_or_down(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 100 * DOLLAR, METE_DAILY);
    static const int64_t truths[] = {0, 2 * DOLLAR, 3 * DOLLAR, 7 * DOLLAR};
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof truths / sizeof truths[0]; i++) {
        uint64_t id = hold(b, METE_EXPIRY_RELEASE, 5 * DOLLAR);
        assert_int_equal(commit_flagged(b, id, 3 * DOLLAR, METE_OUTCOME_PROVISIONAL), 0);
        assert_false(b->receipt.corrected);
        stands(b, top, sum + 3 * DOLLAR, 0);
        assert_int_equal(commit_flagged(b, id, 3 * DOLLAR, METE_OUTCOME_PROVISIONAL), 0);
        assert_true(b->receipt.repeated && !b->receipt.corrected);
        assert_int_equal(commit_flagged(b, id, DOLLAR, METE_OUTCOME_PROVISIONAL), METE_E_ENDED);
        assert_int_equal(commit(b, id, truths[i]), 0);
        assert_true(b->receipt.corrected && b->receipt.state == METE_COMMITTED);
        assert_true(b->effects.ended.amounts[0].amount == truths[i] - 3 * DOLLAR);
        sum += truths[i];
        stands(b, top, sum, 0);
        assert_int_equal(commit(b, id, truths[i]), 0);
        assert_true(b->receipt.repeated && b->receipt.corrected);
    }
    assert_int_equal(provisional(b), 0);
}

static void what_was_committed_for_good_or_released_stays(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 100 * DOLLAR, METE_DAILY);
    uint64_t committed = hold(b, METE_EXPIRY_RELEASE, DOLLAR);
    uint64_t released = hold(b, METE_EXPIRY_RELEASE, DOLLAR);
    assert_int_equal(commit(b, committed, DOLLAR), 0);
    assert_int_equal(release(b, released), 0);
    assert_int_equal(commit(b, committed, 2 * DOLLAR), METE_E_ENDED);
    assert_int_equal(commit(b, released, 2 * DOLLAR), METE_E_ENDED);
    assert_int_equal(provisional(b), 0);
    stands(b, top, DOLLAR, 0);
}

static void the_worst_case_of_a_crash_is_settled(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 100 * DOLLAR, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    args.flags = METE_RESERVE_CALL;
    args.request_id = text("call-1");
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    struct entry entry;
    ledger_decide_orphan(b->ledger, now(b), id, &entry);
    apply(b, &entry);
    stands(b, top, DOLLAR, 0);
    assert_int_equal(reserve(b, &args), METE_E_ENDED);
    assert_true(b->verdict.ended.cost == DOLLAR && !b->verdict.ended.corrected);
    struct mete_reservation_view view;
    assert_int_equal(ledger_provisional(b->ledger, 0, now(b), &view, 1), 1);
    assert_true(view.id.n == id && view.state == METE_EXPIRED && view.scope.n == b->key);
    assert_true(view.amounts_len == 1 && view.amounts[0].fixed == DOLLAR);
    assert_true(view.record == entry.seq && view.expires_at.us == b->now_us + DAY_US);
    assert_int_equal(commit(b, id, DOLLAR / 4), 0);
    assert_true(slice_equal(b->effects.ended.request_id, SLICE_LITERAL("call-1")));
    stands(b, top, DOLLAR / 4, 0);
    assert_int_equal(reserve(b, &args), METE_E_ENDED);
    assert_true(b->verdict.ended.cost == DOLLAR / 4 && b->verdict.ended.corrected);
    assert_int_equal(provisional(b), 0);
}

/* As a call that was released does: nothing came of it. */
static void a_call_that_was_charged_nothing_after_all_gives_its_id_back(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 100 * DOLLAR, METE_DAILY);
    struct mete_reserve args = ask(b, &one_dollar);
    args.flags = METE_RESERVE_CALL;
    args.request_id = text("call-1");
    assert_int_equal(reserve(b, &args), 0);
    uint64_t id = b->verdict.reservation.n;
    struct entry entry;
    ledger_decide_orphan(b->ledger, now(b), id, &entry);
    apply(b, &entry);
    assert_int_equal(commit(b, id, 0), 0);
    assert_int_equal(reserve(b, &args), 0);
    assert_true(b->verdict.allowed && !b->verdict.repeated);
}

static void other_meters_and_long_names_are_told_with_the_difference(void **state)
{
    struct bench *b = *state;
    uint32_t handle = 0;
    struct mete_change change = budget_change(b->user, "tokens", 1000, METE_DAILY);
    change.budget.meter = METE_TOTAL_TOKENS;
    change.budget.currency = 0;
    assert_int_equal(put(b, &change, &handle), 0);
    uint32_t money = put_budget(b, b->org, "money", 100 * DOLLAR, METE_DAILY);
    uint64_t id = expired(b, METE_EXPIRY_CHARGE, 2 * DOLLAR);
    const struct mete_usage usage[] = {{.meter = METE_TOTAL_TOKENS, .amount = 700},
                                       {.meter = METE_IMAGES, .amount = 1}};
    const struct mete_commit args = {.reservation = {id}, .usage = usage, .usage_len = 2};
    struct ledger_decision decision;
    assert_int_equal(ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision), 0);
    apply(b, &decision.entry);
    stands(b, handle, 700, 0);
    stands(b, money, 0, 0);
    const struct ledger_ended *ended = &b->effects.ended;
    assert_int_equal(ended->amounts_len, 3);
    assert_true(ended->amounts[0].meter == METE_TOTAL_TOKENS && ended->amounts[0].amount == 700);
    assert_true(ended->amounts[1].meter == METE_IMAGES && ended->amounts[1].amount == 1);
    assert_true(ended->amounts[2].meter == METE_COST && ended->amounts[2].currency == METE_USD);
    assert_true(ended->amounts[2].amount == -2 * DOLLAR);
}

/* ---- Until when ---- */

static void a_day_after_its_end_it_is_too_late(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 100 * DOLLAR, METE_TOTAL);
    uint64_t first = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    b->now_us += LAST_US;
    assert_int_equal(provisional(b), 1);
    assert_int_equal(commit(b, first, 2 * DOLLAR), 0);
    stands(b, top, 2 * DOLLAR, 0);
    uint64_t second = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    b->now_us += DAY_US;
    assert_int_equal(provisional(b), 0);
    assert_int_equal(commit(b, second, 2 * DOLLAR), METE_E_NOT_FOUND);
    stands(b, top, 3 * DOLLAR, 0);
}

static void the_oldest_makes_room_and_open_ones_have_theirs(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_TOTAL);
    uint64_t ids[KEPT + 1];
    for (unsigned i = 0; i <= KEPT; i++)
        ids[i] = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    assert_int_equal(provisional(b), KEPT);
    assert_int_equal(commit(b, ids[0], 2 * DOLLAR), METE_E_ENDED);
    for (unsigned i = 0; i < ROOM; i++) /* all that may be open still may be */
        hold(b, METE_EXPIRY_RELEASE, DOLLAR);
    const struct mete_reserve args = ask(b, &one_dollar);
    assert_int_equal(reserve(b, &args), METE_E_FULL);
    for (unsigned i = 1; i <= KEPT; i++)
        assert_int_equal(commit(b, ids[i], 2 * DOLLAR), 0);
    assert_int_equal(provisional(b), 0);
    expire(b);
    struct ledger_counts counts;
    ledger_counts(b->ledger, &counts);
    assert_true(counts.reservations_open == 0 && counts.corrections == KEPT);
    assert_int_equal(provisional(b), KEPT);
}

/* A corrected one keeps its place among the others: it does not make the oldest live longer. */
static void the_rest_is_told_in_order_and_from_any_one_on(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_TOTAL);
    uint64_t ids[KEPT];
    for (unsigned i = 0; i < KEPT; i++)
        ids[i] = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    assert_int_equal(commit(b, ids[3], 0), 0);
    struct mete_reservation_view views[KEPT];
    assert_int_equal(ledger_provisional(b->ledger, 0, now(b), views, KEPT), KEPT - 1);
    for (unsigned i = 0, at = 0; i < KEPT; i++)
        if (i != 3)
            assert_true(views[at++].id.n == ids[i]);
    assert_int_equal(ledger_provisional(b->ledger, ids[4], now(b), views, 1), KEPT - 5);
    assert_true(views[0].id.n == ids[5]);
    expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    assert_int_equal(commit(b, ids[0], 0), METE_E_ENDED);
    assert_int_equal(commit(b, ids[1], 0), 0);
}

/* More than remembered outcomes: the room for them is as large here as that for reservations. */
static void a_correction_is_remembered_though_its_end_is_not(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", METE_AMOUNT_MAX, METE_TOTAL);
    uint64_t id = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    for (unsigned i = 0; i < ROOM + 1; i++)
        assert_int_equal(release(b, hold(b, METE_EXPIRY_RELEASE, 1)), 0);
    assert_int_equal(release(b, id), METE_E_NOT_FOUND);
    assert_int_equal(commit(b, id, 3 * DOLLAR), 0);
    assert_true(b->receipt.corrected);
    assert_int_equal(commit(b, id, 3 * DOLLAR), 0);
    assert_true(b->receipt.repeated && b->receipt.corrected && b->receipt.state == METE_EXPIRED);
    stands(b, top, 3 * DOLLAR, 0);
}

/* ---- Where ---- */

static void it_is_charged_where_the_first_figures_were(void **state)
{
    struct bench *b = *state;
    uint32_t hourly = put_budget(b, b->user, "hourly", 10 * DOLLAR, METE_HOURLY);
    uint32_t daily = put_budget(b, b->org, "daily", 100 * DOLLAR, METE_DAILY);
    uint64_t before = expired(b, METE_EXPIRY_CHARGE, 2 * DOLLAR);
    uint64_t also = expired(b, METE_EXPIRY_CHARGE, 3 * DOLLAR);
    b->now_us += HOUR_US;
    roll(b, hourly);
    stands(b, hourly, 0, 0);
    uint64_t here = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    assert_int_equal(commit(b, before, DOLLAR), 0);
    stands(b, hourly, DOLLAR, 0);
    stands(b, daily, 5 * DOLLAR, 0);
    assert_int_equal(commit(b, here, 4 * DOLLAR), 0);
    stands(b, hourly, 4 * DOLLAR, 0);
    assert_int_equal(commit(b, also, 12 * DOLLAR), 0); /* 13 of 10 in that hour */
    assert_true(b->receipt.overrun);
    assert_int_equal(events_of(b, METE_EVENT_OVERRUN), 1);
    stands(b, hourly, 4 * DOLLAR, 0);
    stands(b, daily, 17 * DOLLAR, 0);
}

static void a_deleted_budget_is_free_at_once_and_left_alone(void **state)
{
    struct bench *b = *state;
    uint32_t mine = put_budget(b, b->user, "mine", 10 * DOLLAR, METE_HOURLY);
    uint32_t top = put_budget(b, b->org, "top", 100 * DOLLAR, METE_TOTAL);
    uint64_t old = expired(b, METE_EXPIRY_CHARGE, 2 * DOLLAR);
    b->now_us += HOUR_US;
    uint64_t young = expired(b, METE_EXPIRY_CHARGE, 2 * DOLLAR);
    uint64_t open = hold(b, METE_EXPIRY_CHARGE, DOLLAR);
    end_budget(b, mine);
    assert_int_equal(ledger_find_budget(b->ledger, b->org, SLICE_LITERAL("mine")), mine);
    assert_int_equal(commit(b, old, 50 * DOLLAR), 0);
    assert_false(b->receipt.overrun);
    expire(b); /* the last that was open: closed over a budget that is gone */
    assert_int_equal(ledger_find_budget(b->ledger, b->org, SLICE_LITERAL("mine")), 0);
    uint32_t again = put_budget(b, b->user, "mine", 10 * DOLLAR, METE_HOURLY);
    assert_int_equal(commit(b, open, 4 * DOLLAR), 0);
    assert_int_equal(commit(b, young, 3 * DOLLAR), 0);
    stands(b, again, 0, 0);
    stands(b, top, 57 * DOLLAR, 0);
}

static void a_batch_deletes_one_that_waits_for_corrections_and_makes_it_anew(void **state)
{
    struct bench *b = *state;
    uint32_t mine = put_budget(b, b->user, "mine", 10 * DOLLAR, METE_HOURLY), handles[2];
    expired(b, METE_EXPIRY_CHARGE, 2 * DOLLAR);
    b->now_us += HOUR_US;
    expired(b, METE_EXPIRY_CHARGE, 2 * DOLLAR); /* the first one is of a past window now */
    const struct mete_change changes[] = {{.kind = METE_END_BUDGET, .end = {mine}},
                                          budget_change(b->user, "mine", 9, METE_HOURLY)};
    const struct mete_apply args = {changes, 2, {0}};
    struct ledger_batch batch;
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &args, handles, &batch), 0);
    for (size_t i = 0; i < 2; i++) {
        uint32_t handle;
        assert_int_equal(put(b, &changes[i], &handle), 0);
        assert_int_equal(handle, handles[i]);
    }
    hold(b, METE_EXPIRY_CHARGE, 1); /* what is open holds it, and its id with it */
    const struct mete_change more[] = {{.kind = METE_END_BUDGET, .end = {handles[1]}}, changes[1]};
    const struct mete_apply again = {more, 2, {0}};
    assert_int_equal(ledger_check_changes(b->ledger, now(b), &again, handles, &batch),
                     METE_E_EXISTS);
    assert_int_equal(batch.failed, 1);
}

static void past_windows_go_with_the_last_that_may_be_corrected(void **state)
{
    struct bench *b = *state;
    uint32_t budget = put_budget(b, b->org, "minutes", METE_AMOUNT_MAX, METE_MINUTE);
    for (unsigned i = 0; i < 3 * KEPT; i++)
        expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    b->now_us += DAY_US;
    for (unsigned i = 0; i < KEPT; i++)
        expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    assert_true(provisional(b) == KEPT);
    end_budget(b, budget);
    assert_int_equal(ledger_audit(b->ledger), 0);
}

/* ---- Limits and thresholds ---- */

static void above_its_limit_and_more_than_before_is_an_overrun(void **state)
{
    struct bench *b = *state;
    uint32_t top = put_budget(b, b->org, "top", 10 * DOLLAR, METE_DAILY);
    uint64_t first = expired(b, METE_EXPIRY_CHARGE, 8 * DOLLAR);
    uint64_t second = expired(b, METE_EXPIRY_CHARGE, 2 * DOLLAR);
    uint64_t third = hold(b, METE_EXPIRY_RELEASE, 0);
    assert_int_equal(commit_flagged(b, third, 0, METE_OUTCOME_PROVISIONAL), 0);
    assert_int_equal(commit(b, first, 9 * DOLLAR), 0);
    assert_true(b->receipt.overrun && b->effects.ended.overrun);
    assert_int_equal(events_of(b, METE_EVENT_OVERRUN), 1);
    assert_int_equal(commit(b, third, 0), 0); /* no more than before */
    assert_false(b->receipt.overrun);
    assert_int_equal(commit(b, second, 1), 0); /* less */
    assert_false(b->receipt.overrun);
    stands(b, top, 9 * DOLLAR + 1, 0);
    struct ledger_counts counts;
    ledger_counts(b->ledger, &counts);
    assert_true(counts.overruns == 1 && counts.corrections == 3);
}

static void a_shadow_budget_never_makes_an_overrun(void **state)
{
    struct bench *b = *state;
    uint32_t handle = 0;
    struct mete_change change = budget_change(b->org, "shadow", DOLLAR, METE_DAILY);
    change.budget.mode = METE_SHADOW;
    assert_int_equal(put(b, &change, &handle), 0);
    uint64_t id = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    assert_int_equal(commit(b, id, 5 * DOLLAR), 0);
    assert_false(b->receipt.overrun);
    stands(b, handle, 5 * DOLLAR, 0);
}

static void fired_thresholds_stay_fired_and_new_ones_fire(void **state)
{
    struct bench *b = *state;
    uint32_t top = 0;
    struct mete_change change = budget_change(b->org, "top", 10 * DOLLAR, METE_DAILY);
    change.budget.thresholds_ppm[0] = PPM / 2;
    change.budget.thresholds_ppm[1] = PPM * 9 / 10;
    change.budget.thresholds_len = 2;
    assert_int_equal(put(b, &change, &top), 0);
    uint64_t first = expired(b, METE_EXPIRY_CHARGE, 6 * DOLLAR);
    uint64_t second = expired(b, METE_EXPIRY_RELEASE, 4 * DOLLAR);
    assert_int_equal(commit(b, first, DOLLAR), 0);
    assert_int_equal(events_of(b, METE_EVENT_THRESHOLD), 0);
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, top, &view), 0);
    assert_int_equal(view.fired, 1);
    assert_int_equal(commit(b, second, 9 * DOLLAR), 0);
    assert_int_equal(events_of(b, METE_EVENT_THRESHOLD), 1); /* 90%, not 50% again */
    assert_int_equal(ledger_budget(b->ledger, top, &view), 0);
    assert_int_equal(view.fired, 3);
}

static void a_counter_that_cannot_hold_it_says_so_and_it_may_be_said_again(void **state)
{
    struct bench *b = *state;
    uint32_t handle = 0;
    struct mete_change change = budget_change(b->org, "off", DOLLAR, METE_TOTAL);
    change.budget.mode = METE_SHADOW;
    assert_int_equal(put(b, &change, &handle), 0);
    uint64_t ids[3];
    for (unsigned i = 0; i < 3; i++)
        ids[i] = expired(b, METE_EXPIRY_RELEASE, DOLLAR);
    assert_int_equal(commit(b, ids[0], METE_AMOUNT_MAX), 0);
    assert_int_equal(commit(b, ids[1], METE_AMOUNT_MAX), 0);
    assert_int_equal(commit(b, ids[2], METE_AMOUNT_MAX), METE_E_TOO_LARGE);
    assert_int_equal(commit(b, ids[2], 1), 0);
}

/* ---- Quotas and currencies ---- */

static uint32_t put_grant(struct bench *b, const char *id, int64_t amount, uint32_t priority)
{
    uint32_t handle = 0;
    const struct mete_change change = {.kind = METE_PUT_GRANT,
                                       .grant = {.id = text(id),
                                                 .scope = {b->user},
                                                 .meter = METE_COST,
                                                 .currency = METE_USD,
                                                 .amount = amount,
                                                 .priority = priority}};
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static void drew(struct bench *b, uint32_t grant, int64_t drawn)
{
    struct mete_grant_view view;
    assert_int_equal(ledger_grant(b->ledger, grant, now(b), &view), 0);
    assert_true(view.drawn == drawn && view.held == 0);
    assert_int_equal(ledger_audit(b->ledger), 0);
}

static void a_quota_draws_more_or_gives_back_in_reverse(void **state)
{
    struct bench *b = *state;
    uint32_t first = put_grant(b, "first", 5 * DOLLAR, 1);
    uint32_t second = put_grant(b, "second", 5 * DOLLAR, 2);
    uint64_t less = expired(b, METE_EXPIRY_CHARGE, 7 * DOLLAR);
    drew(b, first, 5 * DOLLAR);
    drew(b, second, 2 * DOLLAR);
    assert_int_equal(commit(b, less, 4 * DOLLAR), 0);
    drew(b, first, 4 * DOLLAR);
    drew(b, second, 0);
    uint64_t more = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    assert_int_equal(commit(b, more, 3 * DOLLAR), 0);
    assert_false(b->receipt.overrun);
    drew(b, first, 5 * DOLLAR);
    drew(b, second, 2 * DOLLAR);
    uint64_t beyond = expired(b, METE_EXPIRY_RELEASE, DOLLAR);
    assert_int_equal(commit(b, beyond, 4 * DOLLAR), 0);
    assert_true(b->receipt.overrun && events_of(b, METE_EVENT_QUOTA_OVERRUN) == 1);
    drew(b, second, 6 * DOLLAR);
}

static void what_an_operator_refunded_does_not_come_back_twice(void **state)
{
    struct bench *b = *state;
    uint32_t grant = put_grant(b, "only", 5 * DOLLAR, 1), handle = 0;
    uint64_t id = expired(b, METE_EXPIRY_CHARGE, 5 * DOLLAR);
    const struct mete_change change = {
        .kind = METE_REFUND, .refund = {grant}, .amount = 4 * DOLLAR};
    assert_int_equal(put(b, &change, &handle), 0);
    assert_int_equal(commit(b, id, 0), 0);
    drew(b, grant, 0);
}

static void it_is_converted_by_the_rates_of_its_reservation(void **state)
{
    struct bench *b = *state;
    const uint32_t eur = METE_CURRENCY('E', 'U', 'R');
    uint32_t handle = 0, number = 0;
    struct mete_change rate = {
        .kind = METE_PUT_EXCHANGE,
        .exchange = {.from = METE_USD, .to = eur, .numerator = 1, .denominator = 3}};
    assert_int_equal(put(b, &rate, &number), 0);
    struct mete_change change = budget_change(b->org, "euros", 100 * DOLLAR, METE_TOTAL);
    change.budget.currency = eur;
    assert_int_equal(put(b, &change, &handle), 0);
    uint64_t id = expired(b, METE_EXPIRY_CHARGE, 10);
    stands(b, handle, 3, 0);
    rate.exchange.numerator = 2;
    rate.exchange.effective_at.us = b->now_us;
    assert_int_equal(put(b, &rate, &number), 0);
    assert_int_equal(commit(b, id, 20), 0); /* 20 / 3, and not 10 / 3 more than 10 / 3 */
    stands(b, handle, 7, 0);
    assert_true(b->effects.ended.amounts[0].amount == 10);
}

/* ---- What it leaves alone ---- */

static void rate_limits_are_left_alone(void **state)
{
    struct bench *b = *state;
    uint32_t rate = 0;
    const struct mete_change slow = {.kind = METE_PUT_RATE_LIMIT,
                                     .rate = {.id = text("spend"),
                                              .scope = {b->key},
                                              .meter = METE_COST,
                                              .currency = METE_USD,
                                              .limit = 1000,
                                              .burst = 10000,
                                              .period_ms = LIMIT_RATE_PERIOD_MS}};
    assert_int_equal(put(b, &slow, &rate), 0);
    uint64_t id = expired(b, METE_EXPIRY_CHARGE, 5000);
    struct mete_rate_view before, after;
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &before), 0);
    assert_int_equal(commit(b, id, 9000), 0);
    assert_int_equal(ledger_rate(b->ledger, rate, now(b), &after), 0);
    assert_true(before.taken > 0 && before.taken == after.taken);
}

static void an_entry_that_does_not_fit_is_refused(void **state)
{
    struct bench *b = *state;
    put_budget(b, b->org, "top", 100 * DOLLAR, METE_DAILY);
    uint64_t id = expired(b, METE_EXPIRY_CHARGE, DOLLAR);
    struct entry entry = {
        .kind = ENTRY_CORRECT, .seq = ledger_last_seq(b->ledger) + 1, .at_us = b->now_us + DAY_US};
    entry.u.correct.reservation = id;
    assert_int_equal(ledger_apply(b->ledger, &entry, NULL), METE_E_CORRUPT); /* too late */
    entry.at_us = b->now_us;
    entry.u.correct.reservation = id + 1;
    assert_int_equal(ledger_apply(b->ledger, &entry, NULL), METE_E_CORRUPT); /* another */
    uint64_t open = hold(b, METE_EXPIRY_RELEASE, DOLLAR);
    entry.seq = ledger_last_seq(b->ledger) + 1;
    entry.u.correct.reservation = open;
    assert_int_equal(ledger_apply(b->ledger, &entry, NULL), METE_E_CORRUPT); /* not ended */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_expired_one_takes_its_true_usage_once),
        TEST(a_provisional_commit_is_settled_up_or_down),
        TEST(what_was_committed_for_good_or_released_stays),
        TEST(the_worst_case_of_a_crash_is_settled),
        TEST(a_call_that_was_charged_nothing_after_all_gives_its_id_back),
        TEST(other_meters_and_long_names_are_told_with_the_difference),
        TEST(a_day_after_its_end_it_is_too_late),
        TEST(the_oldest_makes_room_and_open_ones_have_theirs),
        TEST(the_rest_is_told_in_order_and_from_any_one_on),
        TEST(a_correction_is_remembered_though_its_end_is_not),
        TEST(it_is_charged_where_the_first_figures_were),
        TEST(a_deleted_budget_is_free_at_once_and_left_alone),
        TEST(a_batch_deletes_one_that_waits_for_corrections_and_makes_it_anew),
        TEST(past_windows_go_with_the_last_that_may_be_corrected),
        TEST(above_its_limit_and_more_than_before_is_an_overrun),
        TEST(a_shadow_budget_never_makes_an_overrun),
        TEST(fired_thresholds_stay_fired_and_new_ones_fire),
        TEST(a_counter_that_cannot_hold_it_says_so_and_it_may_be_said_again),
        TEST(a_quota_draws_more_or_gives_back_in_reverse),
        TEST(what_an_operator_refunded_does_not_come_back_twice),
        TEST(it_is_converted_by_the_rates_of_its_reservation),
        TEST(rate_limits_are_left_alone),
        TEST(an_entry_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
