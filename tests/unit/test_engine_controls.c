/* SPDX-License-Identifier: Apache-2.0
 * Proves that what a budget's controls do survives a restart, all but what throttles count, and
 * that its events are told and recorded: an engine on disk, a clock of the test's own. */
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <cmocka.h>

static char directory[64];
static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t given_us;
static _Atomic unsigned told[METE_EVENTS];

static int64_t given_now_us(void *user)
{
    (void)user;
    return atomic_load(&given_us);
}

static void hear(void *user, const struct mete_event *event)
{
    (void)user;
    atomic_fetch_add(&told[event->kind], 1);
}

static void open_engine(void)
{
    const struct mete_options options = {.directory = directory, .clock = {given_now_us, NULL}};
    assert_int_equal(mete_open(&options, &mete), 0);
    mete_on_event(mete, hear, NULL);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_engine(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void hash(uint8_t ret_hash[32])
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &answer), 0);
    memcpy(ret_hash, answer.hash, 32);
}

/* A restart that must find the same state, and data that verify. */
static void reopen(void)
{
    uint8_t before[32], after[32];
    struct verify_report report;
    hash(before);
    close_engine();
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_memory_equal(before, report.state_hash, sizeof before);
    open_engine();
    hash(after);
    assert_memory_equal(before, after, sizeof before);
}

static int set_up(void **state)
{
    (void)state;
    atomic_store(&given_us, INT64_C(1750000000000000)); /* 2025-06-15 */
    for (int i = 0; i < METE_EVENTS; i++)
        atomic_store(&told[i], 0);
    if (temp_make(directory, sizeof directory))
        return 1;
    open_engine();
    return help_tree(port, INT64_C(1000000));
}

static int tear_down(void **state)
{
    (void)state;
    close_engine();
    return temp_remove(directory);
}

static uint32_t change(const struct mete_change *given)
{
    struct mete_apply apply = {given, 1, help_text("root")};
    struct mete_applied applied;
    uint32_t handle = 0;
    assert_int_equal(mete_apply(port, &apply, &handle, &applied), 0);
    return handle;
}

static struct mete_budget_view budget(uint32_t handle)
{
    const struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {handle}};
    struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    return answer.budget;
}

static void spend(int64_t amount)
{
    const struct mete_usage usage = {.currency = METE_USD, .amount = amount};
    const struct mete_record args = {.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    assert_int_equal(mete_record(port, &args, &receipt), 0);
}

static int admits(void)
{
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, "", 1, 0, &verdict), 0);
    return verdict.allowed;
}

static void a_stop_is_on_after_a_restart_until_it_is_lifted(void **state)
{
    (void)state;
    struct mete_change put = help_budget("own", HELP_KEY, METE_DAILY, 1000);
    put.budget.controls.stop_ppm = 900000;
    uint32_t own = change(&put);
    spend(900);
    assert_false(admits());
    reopen();
    assert_false(admits());
    assert_true(budget(own).stopped_at.us == atomic_load(&given_us));
    const struct mete_change lift = {.kind = METE_LIFT_STOP, .end = {own}};
    assert_int_equal(change(&lift), own);
    assert_true(admits());
    reopen();
    spend(1); /* the lift holds */
    assert_true(admits());
    assert_int_equal(atomic_load(&told[METE_EVENT_STOPPED]), 1);
    assert_int_equal(atomic_load(&told[METE_EVENT_LIFTED]), 1);
}

static void a_throttle_is_on_after_a_restart_and_counts_anew(void **state)
{
    (void)state;
    struct mete_change put = help_budget("own", HELP_KEY, METE_DAILY, 1000);
    put.budget.controls.throttle_ppm = 500000;
    put.budget.controls.throttle_rate_ppm = 500000;
    put.budget.soft_limit = 500;
    uint32_t own = change(&put);
    spend(500);
    assert_false(admits());
    reopen();
    assert_true(budget(own).throttled && budget(own).soft_limit_reached);
    assert_false(admits());
    assert_true(admits());
    assert_int_equal(atomic_load(&told[METE_EVENT_THROTTLED]), 1);
    assert_int_equal(atomic_load(&told[METE_EVENT_SOFT_LIMIT]), 1);
}

/* A lift as the first entry of a window: the window begins, and nothing is on any more. */
static void a_lift_after_the_window_lifts_nothing(void **state)
{
    (void)state;
    struct mete_change put = help_budget("own", HELP_KEY, METE_DAILY, 1000);
    put.budget.controls.stop_ppm = 900000;
    uint32_t own = change(&put);
    spend(900);
    atomic_fetch_add(&given_us, INT64_C(86400000000));
    const struct mete_change lift = {.kind = METE_LIFT_STOP, .end = {own}};
    assert_int_equal(change(&lift), own);
    assert_int_equal(atomic_load(&told[METE_EVENT_LIFTED]), 0);
    spend(900);
    assert_false(admits());
    reopen();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_stop_is_on_after_a_restart_until_it_is_lifted),
        CASE(a_throttle_is_on_after_a_restart_and_counts_anew),
        CASE(a_lift_after_the_window_lifts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
