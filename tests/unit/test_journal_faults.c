/* SPDX-License-Identifier: Apache-2.0
 * Proves INV-05 and INV-15 against a file system that fails, tears and loses power: at writes and
 * flushes all over a run (every single one with METE_TEST_LONG set), the journal never says a group
 * is durable that is not there afterwards, what it did not acknowledge is there whole or not at
 * all, a failure is reported and final, and what a crash leaves behind opens. Then the same through
 * the engine: it dies with exit code 3, and all that it acknowledged is there. */
#include "engine/verify.h"
#include "fault/faulty_vfs.h"
#include "store/journal.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { GROUPS = 40, FAILED = 7, POINTS_MAX = 2000 };

static char directory[64];

static int set_up(void **state)
{
    (void)state;
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

static void fresh_directory(void)
{
    assert_int_equal(temp_remove(directory), 0);
    assert_int_equal(temp_make(directory, sizeof directory), 0);
}

/* ---- The journal alone ---- */

/* Group i (from 1): one entry, and bytes of a length that makes some groups overflow a page. */
static struct journal_group group_of(uint64_t i, char room[40000])
{
    size_t len = i % 5 ? 200 + i * 31 : 39000;
    memset(room, (int)i, len);
    return (struct journal_group){i, 1, {room, len}};
}

static int check_group(void *user, const struct journal_group *group)
{
    static char room[40000];
    struct journal_group wanted = group_of(group->first_seq, room);
    ++*(uint64_t *)user;
    return slice_equal(wanted.entries, group->entries) ? 0 : METE_E_INVALID;
}

/* The child's life: tells how many groups are acknowledged, byte by byte, and how it ended. */
static void append_all(int tell)
{
    struct os os = *os_system();
    os.sqlite_vfs = faulty_vfs("journal.db");
    struct journal *journal;
    uint64_t found = 0;
    if (journal_open(&os, directory, 0, &journal) ||
        journal_read(journal, NULL, check_group, &found, NULL))
        _exit(FAILED);
    for (uint64_t i = 1; i <= GROUPS; i++) {
        static char room[40000];
        struct journal_group group = group_of(i, room);
        if (journal_append(journal, &group))
            _exit(FAILED);
        if (write(tell, "+", 1) != 1)
            _exit(1);
        if (journal_tidy(journal))
            _exit(FAILED);
    }
    journal_close(journal);
    _exit(0);
}

/* Runs a child under the fault; returns its exit code, and how much it acknowledged. */
static int run_child(void (*life)(int tell), enum faulty_kind kind, long nth, unsigned seed,
                     size_t *ret_acknowledged)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (!child) {
        close(ends[0]);
        faulty_arm(kind, nth, seed);
        life(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    size_t acknowledged = 0;
    char told[256];
    for (ssize_t len; (len = read(ends[0], told, sizeof told)) > 0;)
        acknowledged += (size_t)len;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    *ret_acknowledged = acknowledged;
    return WEXITSTATUS(status);
}

/* What is on the disk holds at least what was acknowledged and at most one group more. */
static void check_disk(size_t acknowledged)
{
    struct journal *journal;
    uint64_t found = 0;
    char detail[256] = "";
    int error = journal_open(os_system(), directory, 0, &journal);
    if (!error) {
        error = journal_read(journal, NULL, check_group, &found, detail);
        journal_close(journal);
    }
    if (error)
        fail_msg("%s %s", mete_error_name(error), detail);
    assert_true(found == acknowledged || found == acknowledged + 1);
}

/* One fault at every so manieth write or flush, a child each, until one gets through. */
static void at_points(enum faulty_kind kind, unsigned seed, long step)
{
    long nth = 1;
    step = getenv("METE_TEST_LONG") ? 1 : step;
    for (; nth < POINTS_MAX; nth += step) {
        size_t acknowledged;
        int code = run_child(append_all, kind, nth, seed + (unsigned)nth, &acknowledged);
        check_disk(acknowledged);
        fresh_directory();
        if (code == 0) {
            assert_int_equal(acknowledged, GROUPS);
            break;
        }
        assert_int_equal(code, kind == FAULTY_POWER ? FAULTY_CUT : FAILED);
    }
    assert_true(nth > 20 && nth < POINTS_MAX);
}

static void failed_writes_lose_nothing(void **state)
{
    (void)state;
    at_points(FAULTY_WRITE, 1, 5);
}

static void torn_writes_lose_nothing(void **state)
{
    (void)state;
    at_points(FAULTY_TORN_WRITE, 2, 7);
}

static void failed_flushes_lose_nothing(void **state)
{
    (void)state;
    at_points(FAULTY_FLUSH, 3, 2);
}

static void power_cuts_lose_nothing(void **state)
{
    (void)state;
    at_points(FAULTY_POWER, 4, 3);
    at_points(FAULTY_POWER, 50004, 5);
}

/* ---- Through the engine ---- */

enum { CALLS = 60 };

static void spend(int tell)
{
    struct mete_options options = {.directory = directory, .sqlite_vfs = faulty_vfs("journal.db")};
    struct mete *mete;
    struct mete_port *port;
    if (mete_open(&options, &mete))
        _exit(FAILED);
    if (mete_port_open(mete, &port) || help_tree(port, 1000000))
        _exit(1);
    for (int i = 0; i < CALLS; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        if (help_reserve(port, "", 10, 0, &verdict) ||
            help_commit(port, verdict.reservation, 10, &receipt) || write(tell, "+", 1) != 1)
            _exit(1);
    }
    mete_port_close(port);
    mete_close(mete);
    _exit(0);
}

static void check_engine(size_t acknowledged)
{
    struct mete_options options = {.directory = directory};
    struct mete *mete;
    struct mete_port *port;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {1}};
    struct mete_answer answer;
    int error = mete_query(port, &query, &answer);
    if (acknowledged || !error) {
        assert_int_equal(error, 0);
        int64_t calls = answer.budget.committed / 10;
        assert_true(calls == (int64_t)acknowledged || calls == (int64_t)acknowledged + 1);
        assert_true(answer.budget.held == 0 || answer.budget.held == 10);
    }
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &answer), 0);
    assert_int_equal(answer.stats.drift, 0);
    mete_port_close(port);
    mete_close(mete);
    struct verify_report report;
    if (engine_verify(directory, &report))
        fail_msg("%s", report.detail);
}

static void engine_at_points(enum faulty_kind kind, int code_wanted, long step)
{
    int code;
    long nth = 1;
    step = getenv("METE_TEST_LONG") ? 1 : step;
    do {
        size_t acknowledged;
        code = run_child(spend, kind, nth, (unsigned)nth, &acknowledged);
        check_engine(acknowledged);
        fresh_directory();
        if (code == 0)
            assert_int_equal(acknowledged, CALLS);
        else if (code != FAILED) /* it never opened: nothing was acknowledged */
            assert_int_equal(code, code_wanted);
        else
            assert_int_equal(acknowledged, 0);
        nth += step;
    } while (code != 0 && nth < POINTS_MAX);
    assert_true(nth > 3 * step && nth < POINTS_MAX);
}

/* INV-15: exit code 3, by the engine itself. */
static void the_engine_dies_of_a_failed_write(void **state)
{
    (void)state;
    engine_at_points(FAULTY_WRITE, 3, 61);
    engine_at_points(FAULTY_TORN_WRITE, 3, 83);
}

static void the_engine_dies_of_a_failed_flush(void **state)
{
    (void)state;
    engine_at_points(FAULTY_FLUSH, 3, 23);
}

static void the_engine_survives_power_cuts(void **state)
{
    (void)state;
    engine_at_points(FAULTY_POWER, FAULTY_CUT, 47);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(failed_writes_lose_nothing),        CASE(torn_writes_lose_nothing),
        CASE(failed_flushes_lose_nothing),       CASE(power_cuts_lose_nothing),
        CASE(the_engine_dies_of_a_failed_write), CASE(the_engine_dies_of_a_failed_flush),
        CASE(the_engine_survives_power_cuts),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
