/* SPDX-License-Identifier: Apache-2.0
 * Proves that verify adds up anew what each budget must stand at, whatever places its windows:
 * rolling buckets, carried amounts, other currencies, calls that end or are corrected long after,
 * by the entries from the beginning and by those behind a base; and that a figure which is not the
 * sum of its parts is found.
 *
 * Regressions: behind a base a rolling budget was called damaged when its next bucket began; what a
 * window handed on was believed. */
#include "engine/carried.h"
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EUR METE_CURRENCY('E', 'U', 'R')
#define MINUTE_US INT64_C(60000000)
#define HOUR_US (60 * MINUTE_US)

static char directory[64];
static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t now;

static int64_t now_us(void *user)
{
    (void)user;
    return atomic_load(&now);
}

static void open_it(void)
{
    const struct mete_options options = {
        .directory = directory, .clock = {now_us, NULL}, .no_audit = 1};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void apply(const struct mete_change *changes, size_t len)
{
    uint32_t handles[8];
    struct mete_applied applied;
    const struct mete_apply args = {changes, len, help_text("root")};
    assert_int_equal(mete_apply(port, &args, handles, &applied), 0);
}

static struct mete_change carrying(const char *id, int64_t limit)
{
    struct mete_change change = help_budget(id, HELP_USER, METE_HOURLY, limit);
    change.budget.rollover_cap = 700;
    return change;
}

static struct mete_change rate(int64_t numerator)
{
    return (struct mete_change){.kind = METE_PUT_EXCHANGE,
                                .exchange = {METE_USD, EUR, numerator, 7, {now_us(NULL)}}};
}

static void make_budgets(void)
{
    assert_int_equal(help_tree(port, INT64_C(1000000000)), 0);
    struct mete_change changes[] = {
        help_budget("rolling", HELP_KEY, METE_ROLLING, 1000000),
        carrying("carries", 1000),
        help_budget("euros", HELP_DEPARTMENT, METE_TOTAL, 1000000),
        help_budget("off", HELP_KEY, METE_TOTAL, 5),
        rate(5),
        rate(6),
        carrying("each", 900),
    };
    changes[0].budget.window_seconds = 64 * 60; /* buckets of a minute */
    changes[2].budget.currency = EUR;
    changes[3].budget.mode = METE_OFF;
    changes[6].budget.scope.n = HELP_ORGANIZATION;
    changes[6].budget.for_kind = METE_USER;
    apply(changes, 7);
}

static struct mete_reservation_id reserve(int64_t amount, enum mete_expiry on_expiry)
{
    struct mete_verdict verdict;
    assert_int_equal(help_hold(port, amount, on_expiry, &verdict), 0);
    assert_true(verdict.allowed);
    return verdict.reservation;
}

static void commit(struct mete_reservation_id id, int64_t amount)
{
    struct mete_receipt receipt;
    assert_int_equal(help_commit(port, id, amount, &receipt), 0);
}

static void pass(int64_t us)
{
    atomic_fetch_add(&now, us);
    struct mete_answer answer; /* what is due by now is done */
    commit(reserve(3, METE_EXPIRY_RELEASE), 1);
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
}

/* Calls that end in their window, after it, by expiry, and that are corrected after that. */
static void spend(void)
{
    struct mete_reservation_id late = reserve(200, METE_EXPIRY_RELEASE);
    struct mete_reservation_id never = reserve(100, METE_EXPIRY_CHARGE);
    struct mete_reservation_id vanished = reserve(50, METE_EXPIRY_RELEASE);
    commit(reserve(110, METE_EXPIRY_RELEASE), 90);
    pass(7 * MINUTE_US);
    commit(reserve(110, METE_EXPIRY_RELEASE), 77);
    pass(HOUR_US);
    commit(late, 120);
    pass(HOUR_US);
    commit(never, 60);
    commit(vanished, 30);
    pass(5 * HOUR_US);
}

static void must_be_clean(const char *when)
{
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error)
        fail_msg("%s: %s: %s", when, mete_error_name(error), report.detail);
}

/* Closed, verified, opened again. */
static void look(const char *when)
{
    close_it();
    must_be_clean(when);
    open_it();
}

static void every_kind_of_window_adds_up(void **state)
{
    (void)state;
    make_budgets();
    look("made");
    spend();
    look("spent");
    const struct mete_change changes[] = {carrying("carries", 1300), rate(8)};
    apply(changes, 2);
    spend();
    look("changed");
    pass(40 * HOUR_US); /* all has left */
    look("passed");
}

static void it_does_behind_a_base(void **state)
{
    (void)state;
    uint64_t seq;
    make_budgets();
    spend();
    struct mete_reservation_id late = reserve(200, METE_EXPIRY_RELEASE);
    pass(MINUTE_US);
    assert_int_equal(mete_cut(mete, &seq), 0);
    look("cut");
    pass(MINUTE_US);
    look("in the next bucket");
    commit(late, 150);
    look("ended behind the base");
    spend();
    look("spent");
    assert_int_equal(mete_cut(mete, &seq), 0);
    spend();
    look("cut again");
}

static void a_window_may_be_over_at_the_base(void **state)
{
    (void)state;
    uint64_t seq;
    make_budgets();
    struct mete_reservation_id late = reserve(200, METE_EXPIRY_CHARGE);
    pass(HOUR_US);
    assert_int_equal(mete_cut(mete, &seq), 0);
    pass(HOUR_US); /* it has expired, in a window of before the base */
    look("expired");
    commit(late, 20);
    look("corrected");
    spend();
    look("spent");
}

static struct mete_change rate_of(uint32_t from, uint32_t to, int64_t numerator, int64_t in_us)
{
    return (struct mete_change){.kind = METE_PUT_EXCHANGE,
                                .exchange = {from, to, numerator, 2, {now_us(NULL) + in_us}}};
}

/* Rates of other pairs, of later, and made after the call; halves to even; none at all. */
static void a_call_is_exchanged_at_the_rate_of_its_making(void **state)
{
    (void)state;
    assert_int_equal(help_tree(port, INT64_C(1000000000)), 0);
    struct mete_change euros = help_budget("euros", HELP_DEPARTMENT, METE_TOTAL, 1000000);
    euros.budget.currency = EUR;
    apply(&euros, 1);
    const struct mete_change changes[] = {rate_of(EUR, METE_USD, 7, 0),
                                          rate_of(METE_CURRENCY('G', 'B', 'P'), EUR, 5, 0),
                                          rate_of(METE_USD, METE_CURRENCY('G', 'B', 'P'), 5, 0)};
    apply(changes, 3);
    const struct mete_usage usage = {METE_COST, METE_USD, 9};
    const struct mete_record record = {.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    assert_int_equal(mete_record(port, &record, &receipt), 0); /* no rate: nothing */
    const struct mete_change first = rate_of(METE_USD, EUR, 3, 0);
    apply(&first, 1);
    struct mete_reservation_id before = reserve(100, METE_EXPIRY_RELEASE);
    const struct mete_change later[] = {rate_of(METE_USD, EUR, 900, HOUR_US),
                                        rate_of(METE_USD, EUR, 11, 0)};
    apply(later, 2);
    for (int64_t amount = 1; amount < 8; amount++) /* halves of both kinds */
        commit(reserve(amount, METE_EXPIRY_RELEASE), amount);
    commit(before, 33);
    look("exchanged");
    pass(2 * HOUR_US);
    commit(reserve(1, METE_EXPIRY_RELEASE), 1);
    look("later");
}

/* A correction of a call whose budgets have ended since takes nothing from them. */
static void an_ended_budget_takes_no_correction(void **state)
{
    (void)state;
    make_budgets();
    struct mete_reservation_id never = reserve(100, METE_EXPIRY_CHARGE);
    pass(2 * HOUR_US);
    struct mete_change ends[] = {{.kind = METE_END_BUDGET, .end = {2}},
                                 {.kind = METE_END_BUDGET, .end = {3}}};
    apply(ends, 2);
    commit(never, 60);
    look("corrected");
    spend();
    look("spent");
}

/* A key with as many budgets as it may have, and so many of them in one batch. */
static void make_many_budgets(int batch)
{
    enum { KEYS = 28, OWN = 8, LEN = KEYS * (OWN + 1) };
    static struct mete_change many[LEN];
    static char ids[LEN][16];
    static uint32_t handles[LEN];
    struct mete_applied applied;
    for (uint32_t i = 0; i < LEN; i++) {
        uint32_t own = i % (OWN + 1);
        snprintf(ids[i], sizeof ids[i], "m%d-%u", batch, i);
        many[i] = own ? help_budget(ids[i], METE_FROM_CHANGE(i - own), METE_TOTAL, 1000)
                      : help_scope(METE_API_KEY, ids[i], HELP_ORGANIZATION, HELP_USER);
    }
    const struct mete_apply args = {many, LEN, help_text("root")};
    assert_int_equal(mete_apply(port, &args, handles, &applied), 0);
}

static void much_adds_up_as_well(void **state)
{
    (void)state;
    make_budgets();
    for (int batch = 0; batch < 5; batch++)
        make_many_budgets(batch);
    for (int i = 0; i < 70; i++) { /* each in force from earlier on than the one before */
        struct mete_change change = rate(5 + i);
        change.exchange.effective_at.us -= i * MINUTE_US;
        apply(&change, 1);
    }
    struct mete_reservation_id open[600];
    for (int i = 0; i < 600; i++)
        open[i] = reserve(1, METE_EXPIRY_CHARGE);
    look("open");
    for (int i = 0; i < 600; i += 2)
        commit(open[i], 1 + i / 3);
    look("half of them ended");
    pass(3 * HOUR_US);
    for (int i = 1; i < 600; i += 4)
        commit(open[i], i % 7); /* corrected */
    look("corrected");
}

/* A window of 1000 that began at the hour, and the budget's cap. */
static struct mete_budget_view at_hour(int hour, int64_t cap)
{
    return (struct mete_budget_view){
        .base_limit = 1000, .rollover_cap = cap, .window_start = {hour * HOUR_US}};
}

static void must_be_handed(struct carried *carried, int64_t amount)
{
    assert_true(carried_is(carried, amount));
    assert_false(carried_is(carried, amount + 1));
    assert_false(carried_is(carried, amount - 1));
}

static void what_windows_hand_on_is_told_from_anything_else(void **state)
{
    (void)state;
    struct carried *carried;
    struct mete_budget_view view = at_hour(0, 700);
    view.carried = 50;
    view.committed = 300;
    assert_int_equal(carried_new(&view, &carried), 0);
    must_be_handed(carried, 50);
    carried_charge(carried, 0, 250); /* 500 of 1050 are left */
    view = at_hour(1, 700);
    assert_int_equal(carried_turn(carried, &view, 0), 0);
    must_be_handed(carried, 500);
    carried_hold(carried, HOUR_US - 1, 120); /* and as long as a call of then holds so much */
    assert_true(carried_is(carried, 380));
    must_be_handed(carried, 500); /* it does no more */
    carried_charge(carried, 0, 1000);
    must_be_handed(carried, 0); /* an overrun takes nothing */
    carried_charge(carried, 0, -1000);
    carried_charge(carried, HOUR_US, 1400);
    view = at_hour(4, 700); /* two that nobody touched */
    assert_int_equal(carried_turn(carried, &view, 2), 0);
    must_be_handed(carried, 700);
    carried_charge(carried, 4 * HOUR_US, 1650);
    view = at_hour(5, 700);
    assert_int_equal(carried_turn(carried, &view, 0), 0);
    must_be_handed(carried, 50);
    for (int hour = 6; hour < 60; hour++) {
        view = at_hour(hour, hour % 2 ? 0 : 30);
        assert_int_equal(carried_turn(carried, &view, 0), 0);
        must_be_handed(carried, hour % 2 ? 0 : 30);
    }
    carried_charge(carried, -1, 99); /* before all that is known */
    must_be_handed(carried, 0);
    carried_doubt(carried);
    assert_true(carried_is(carried, 1));
    carried_free(carried);
}

static int set_up(void **state)
{
    (void)state;
    if (temp_make(directory, sizeof directory))
        return -1;
    atomic_store(&now, INT64_C(1790000000000000));
    open_it();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_it();
    return temp_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(every_kind_of_window_adds_up),
        CASE(it_does_behind_a_base),
        CASE(a_window_may_be_over_at_the_base),
        CASE(a_call_is_exchanged_at_the_rate_of_its_making),
        CASE(an_ended_budget_takes_no_correction),
        CASE(much_adds_up_as_well),
        CASE(what_windows_hand_on_is_told_from_anything_else),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
