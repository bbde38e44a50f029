/* SPDX-License-Identifier: Apache-2.0
 * Proves the ledger's rules one at a time, each on a small installation made by hand: every
 * decision is applied, every entry is packed and read back before it is, and ledger_check() runs
 * after each step. What random operations find is prop_ledger's. */
#include "calendar/calendar.h"
#include "ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define T0 INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */
#define HOUR_US (INT64_C(3600) * 1000000)
#define DAY_US (24 * HOUR_US)

struct bench {
    struct ledger *ledger;
    struct ledger *copy; /* fed with what was packed and read back */
    int64_t now_us;
    struct ledger_effects effects;
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_verdict verdict;
    struct mete_receipt receipt;
    uint32_t org, dept, user, key;
};

static struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static struct mete_instant now(const struct bench *b)
{
    return (struct mete_instant){b->now_us};
}

/* Applies an entry to the ledger, and what its bytes say to the copy; they must agree. */
static void apply(struct bench *b, const struct entry *entry)
{
    static uint8_t room[65536];
    struct writer w = {room, room + sizeof room};
    assert_true(entry_size_max(entry) <= sizeof room);
    entry_write(&w, entry, T0);
    assert_true((size_t)(w.at - room) <= entry_size_max(entry));
    struct reader r = {room, w.at, false};
    struct entry back;
    assert_int_equal(entry_read(&r, T0, &back), 0);
    assert_ptr_equal(r.at, w.at);
    back.seq = entry->seq;
    assert_int_equal(ledger_apply(b->ledger, entry, &b->effects), 0);
    assert_int_equal(ledger_apply(b->copy, &back, NULL), 0);
    ledger_check(b->ledger);
    uint8_t hash[32], hash_of_copy[32];
    ledger_hash(b->ledger, hash);
    ledger_hash(b->copy, hash_of_copy);
    assert_memory_equal(hash, hash_of_copy, 32);
}

static void roll(struct bench *b, uint32_t budget)
{
    struct mete_budget_view view;
    struct window window;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_int_equal(calendar_window(view.period, b->now_us, &window), 0);
    struct entry entry = {.kind = ENTRY_WINDOW,
                          .seq = ledger_last_seq(b->ledger) + 1,
                          .at_us = b->now_us};
    entry.u.window.budget = budget;
    entry.u.window.start_us = window.start_us;
    entry.u.window.end_us = window.end_us;
    apply(b, &entry);
}

static int put(struct bench *b, const struct mete_change *change, uint32_t *ret_handle)
{
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_change(b->ledger, now(b), change, SLICE_LITERAL("tester"),
                                      ret_handle, &decision)) == LEDGER_STALE)
        roll(b, decision.stale_budget);
    if (rc)
        return rc;
    if (decision.entry.kind == ENTRY_BUDGET && decision.entry.u.budget.window_end_us == 0) {
        struct window window;
        assert_int_equal(calendar_window(change->budget.period, b->now_us, &window), 0);
        decision.entry.u.budget.window_start_us = window.start_us;
        decision.entry.u.budget.window_end_us = window.end_us;
    }
    apply(b, &decision.entry);
    return 0;
}

static uint32_t put_scope(struct bench *b, enum mete_kind kind, const char *id, uint32_t parent)
{
    uint32_t handle = 0;
    struct mete_change change = {.kind = METE_PUT_SCOPE,
                                 .scope = {.kind = kind,
                                           .id = text(id),
                                           .organization = {kind == METE_ORGANIZATION ? 0 : b->org},
                                           .parent = {parent}}};
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static struct mete_change budget_change(uint32_t scope, const char *id, int64_t limit,
                                        enum mete_period period)
{
    return (struct mete_change){.kind = METE_PUT_BUDGET,
                                .budget = {.id = text(id),
                                           .scope = {scope},
                                           .meter = METE_COST,
                                           .currency = METE_USD,
                                           .limit = limit,
                                           .period = period}};
}

static uint32_t put_budget(struct bench *b, uint32_t scope, const char *id, int64_t limit,
                           enum mete_period period)
{
    uint32_t handle = 0;
    struct mete_change change = budget_change(scope, id, limit, period);
    assert_int_equal(put(b, &change, &handle), 0);
    return handle;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    const struct ledger_room room = {64, 64, 64, 64};
    if (!b || ledger_open(&room, &b->ledger) || ledger_open(&room, &b->copy))
        return 1;
    b->now_us = T0;
    b->org = put_scope(b, METE_ORGANIZATION, "acme", 0);
    b->dept = put_scope(b, METE_DEPARTMENT, "research", b->org);
    b->user = put_scope(b, METE_USER, "ada", b->dept);
    b->key = put_scope(b, METE_API_KEY, "k1", b->user);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    ledger_close(b->ledger);
    ledger_close(b->copy);
    free(b);
    return 0;
}

/* ---- Operations ---- */

static const struct mete_demand one_dollar = {.currency = METE_USD, .fixed = 1000000000};

static struct mete_reserve ask(const struct bench *b, const struct mete_demand *demand)
{
    return (struct mete_reserve){
        .scope = {b->key}, .demands = demand, .demands_len = 1, .ttl_ms = 60000};
}

static int reserve(struct bench *b, const struct mete_reserve *args)
{
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_reserve(b->ledger, now(b), args, b->refusals, METE_REFUSALS_MAX,
                                       &b->verdict, &decision)) == LEDGER_STALE)
        roll(b, decision.stale_budget);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static int commit(struct bench *b, uint64_t id, int64_t cost)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = cost};
    const struct mete_commit args = {.reservation = {id}, .usage = &usage, .usage_len = 1};
    struct ledger_decision decision;
    int rc = ledger_decide_commit(b->ledger, now(b), &args, &b->receipt, &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static int release(struct bench *b, uint64_t id)
{
    struct ledger_decision decision;
    int rc = ledger_decide_release(b->ledger, now(b), (struct mete_reservation_id){id}, &b->receipt,
                                   &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        apply(b, &decision.entry);
    return rc;
}

static void stands(struct bench *b, uint32_t budget, int64_t committed, int64_t held)
{
    struct mete_budget_view view;
    assert_int_equal(ledger_budget(b->ledger, budget, &view), 0);
    assert_true(view.committed == committed);
    assert_true(view.held == held);
    assert_int_equal(ledger_audit(b->ledger), 0);
}

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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(inv_01_a_limit_admits_to_the_last_nano_and_no_further),
        TEST(inv_02_a_reservation_takes_from_all_or_none),
        TEST(inv_03_a_reservation_ends_once),
        TEST(the_largest_quantity_that_fits_is_granted),
        TEST(inv_04_a_request_id_gets_its_stored_answer),
        TEST(inv_04_a_call_is_in_flight_and_then_ended),
        TEST(inv_09_a_late_commit_counts_in_its_own_window),
        TEST(inv_10_a_threshold_fires_once_and_again_when_the_limit_rises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
