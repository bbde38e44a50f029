/* SPDX-License-Identifier: Apache-2.0
 * Proves what examples/spend.h says of itself: what a function used is charged, one that failed
 * with nothing used returns what was set aside, one that failed after using something is charged
 * for it, a refused one is not run, an id is run once however often it is asked for, and a process
 * that dies in between is charged the estimate. */
#include "examples/spend.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { LIMIT = 1000 };

static struct mete *mete;
static struct mete_port *port;

static void open_engine(const char *directory)
{
    struct mete_options options = {.directory = directory};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static int set_up(void **state)
{
    (void)state;
    open_engine(NULL);
    return help_tree(port, LIMIT);
}

static int tear_down(void **state)
{
    (void)state;
    mete_port_close(port);
    mete_close(mete);
    return 0;
}

struct work {
    int result, times;
    int64_t uses;
};

static int run(void *argument, int64_t *ret_used)
{
    struct work *work = argument;
    work->times++;
    assert_int_equal(*ret_used, 0);
    *ret_used = work->uses;
    return work->result;
}

static int spend_on(struct work *work, const char *request_id, int64_t estimate,
                    struct spend_result *ret_result)
{
    struct spend what = {.scope = {HELP_KEY},
                         .meter = METE_COST,
                         .currency = METE_USD,
                         .estimate = estimate,
                         .request_id = request_id,
                         .run = run,
                         .argument = work};
    return spend(port, &what, ret_result);
}

/* The organization's budget: committed, with nothing held. */
static int64_t committed(void)
{
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {1}};
    struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.budget.held, 0);
    return answer.budget.committed;
}

static void what_was_used_is_charged(void **state)
{
    (void)state;
    struct work work = {.uses = 300};
    struct spend_result result;
    assert_int_equal(spend_on(&work, NULL, 500, &result), 0);
    assert_true(result.allowed);
    assert_int_equal(result.receipt.cost, 300);
    assert_int_equal(spend_on(&work, NULL, 500, &result), 0);
    assert_int_equal(work.times, 2);
    assert_int_equal(committed(), 600);
}

static void failed_with_nothing_used_is_not_charged(void **state)
{
    (void)state;
    struct work work = {.result = -7};
    struct spend_result result;
    assert_int_equal(spend_on(&work, "a", 500, &result), 0);
    assert_int_equal(result.failed, -7);
    assert_int_equal(result.receipt.state, METE_RELEASED);
    assert_int_equal(committed(), 0);
    work.result = 0;
    assert_int_equal(spend_on(&work, "a", 500, &result), 0); /* so its id may try again */
    assert_int_equal(work.times, 2);
}

static void failed_after_using_something_is_charged(void **state)
{
    (void)state;
    struct work work = {.result = -7, .uses = 200};
    struct spend_result result;
    assert_int_equal(spend_on(&work, NULL, 500, &result), 0);
    assert_int_equal(result.failed, -7);
    assert_int_equal(result.receipt.state, METE_COMMITTED);
    assert_int_equal(committed(), 200);
}

static void refused_is_not_run(void **state)
{
    (void)state;
    struct work work = {.uses = 1};
    struct spend_result result;
    assert_int_equal(spend_on(&work, NULL, LIMIT + 1, &result), 0);
    assert_false(result.allowed);
    assert_int_equal(result.why.reason, METE_HARD_LIMIT);
    assert_int_equal(result.why.limit, LIMIT);
    assert_int_equal(work.times, 0);
    assert_int_equal(committed(), 0);
}

static void an_id_is_run_once(void **state)
{
    (void)state;
    struct work work = {.uses = 300};
    struct spend_result first, again;
    assert_int_equal(spend_on(&work, "a", 500, &first), 0);
    assert_int_equal(spend_on(&work, "a", 500, &again), METE_E_ENDED);
    assert_false(again.allowed);
    assert_int_equal(again.receipt.cost, 300);
    assert_int_equal(again.receipt.record, first.receipt.record);
    assert_int_equal(work.times, 1);
    assert_int_equal(committed(), 300);
}

static int die(void *argument, int64_t *ret_used)
{
    (void)argument;
    *ret_used = 1;
    _exit(0);
}

static void a_death_in_between_is_charged_the_estimate(void **state)
{
    (void)state;
    char directory[64];
    assert_int_equal(temp_make(directory, sizeof directory), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        open_engine(directory);
        struct spend what = {.scope = {HELP_KEY},
                             .meter = METE_COST,
                             .currency = METE_USD,
                             .estimate = 500,
                             .run = die};
        struct spend_result result;
        _exit(help_tree(port, LIMIT) || spend(port, &what, &result) || 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_engine(directory);
    assert_int_equal(committed(), 500);
    tear_down(state);
    assert_int_equal(temp_remove(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_used_is_charged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_with_nothing_used_is_not_charged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_after_using_something_is_charged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_is_not_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_is_run_once, set_up, tear_down),
        cmocka_unit_test(a_death_in_between_is_charged_the_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
