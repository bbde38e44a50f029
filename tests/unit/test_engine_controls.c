/* SPDX-License-Identifier: Apache-2.0
 * Proves that what a budget's controls and dated increases do survives a restart, all but what
 * throttles count, and that its events are told and recorded: an engine on disk, a clock of the
 * test's own. */
#include "base/limits.h"
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
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

/* ---- Increases ---- */

static size_t increases(uint32_t handle, struct mete_increase_view *views, size_t max)
{
    const struct mete_query query = {
        .kind = METE_QUERY_INCREASES, .budget = {handle}, .increases = views, .rows_max = max};
    struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    return answer.rows_len;
}

static void an_increase_begins_and_ends_by_itself(void **state)
{
    (void)state;
    const int64_t now_us = atomic_load(&given_us);
    struct mete_change put = help_budget("own", HELP_KEY, METE_TOTAL, 1000);
    uint32_t own = change(&put);
    const struct mete_change increase = {.kind = METE_PUT_INCREASE,
                                         .increase = {{own}, 500, {now_us + 100}, {now_us + 200}}};
    assert_int_equal(change(&increase), 1);
    assert_int_equal(change(&increase), 2);
    const struct mete_change end = {.kind = METE_END_INCREASE, .end = {own}, .end_increase = 2};
    assert_int_equal(change(&end), 2);
    spend(1000);
    assert_false(admits());
    atomic_fetch_add(&given_us, 100);
    struct mete_increase_view views[2];
    assert_int_equal(increases(own, views, 2), 1);
    assert_true(views[0].active && views[0].number == 1 && views[0].until.us == now_us + 200);
    reopen();
    assert_true(admits());
    atomic_fetch_add(&given_us, 100);
    reopen(); /* which enters nothing: the increase is still there */
    assert_false(admits());
    assert_int_equal(increases(own, views, 2), 0);
    assert_true(budget(own).limit == 1000 && budget(own).increased == 0);
    assert_true(atomic_load(&told[METE_EVENT_LIMIT_BELOW]) == 1);
    reopen();
}

/* A change that meets a window and an increase that are over, in one batch with others. */
static void a_batch_enters_all_that_is_due_first(void **state)
{
    (void)state;
    const int64_t now_us = atomic_load(&given_us), day_us = INT64_C(86400000000);
    struct mete_change changes[LIMIT_SCOPE_BUDGETS], puts[LIMIT_SCOPE_BUDGETS];
    uint32_t handles[LIMIT_SCOPE_BUDGETS];
    struct mete_applied applied;
    for (int i = 0; i < LIMIT_SCOPE_BUDGETS; i++) {
        static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
        changes[i] = help_budget(ids[i], HELP_KEY, METE_DAILY, 1000);
        uint32_t handle = change(&changes[i]);
        puts[i] = (struct mete_change){.kind = METE_PUT_INCREASE,
                                       .increase = {{handle}, 500, {now_us}, {now_us + day_us}}};
    }
    struct mete_apply apply = {puts, LIMIT_SCOPE_BUDGETS, help_text("root")};
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    uint64_t seq = applied.seq;
    atomic_fetch_add(&given_us, day_us);
    apply.changes = changes;
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    assert_true(applied.seq == seq + 3 * LIMIT_SCOPE_BUDGETS);
    reopen();
}

/* As many changes as a batch may have, with as much text as a group may hold. */
static void the_largest_batch_finds_room(void **state)
{
    (void)state;
    enum { TEXT = 3000 };
    static char document[TEXT], ids[LIMIT_CHANGES][8];
    static struct mete_change changes[LIMIT_CHANGES];
    static uint32_t handles[LIMIT_CHANGES];
    memset(document, ' ', sizeof document);
    for (int i = 0; i < LIMIT_CHANGES; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "u%d", i);
        changes[i] = help_scope(METE_USER, ids[i], HELP_ORGANIZATION, HELP_DEPARTMENT);
        changes[i].document = (struct mete_text){document, sizeof document};
    }
    const struct mete_apply apply = {changes, LIMIT_CHANGES, help_text("root")};
    struct mete_applied applied;
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    reopen();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_stop_is_on_after_a_restart_until_it_is_lifted),
        CASE(a_throttle_is_on_after_a_restart_and_counts_anew),
        CASE(a_lift_after_the_window_lifts_nothing),
        CASE(an_increase_begins_and_ends_by_itself),
        CASE(a_batch_enters_all_that_is_due_first),
        CASE(the_largest_batch_finds_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
