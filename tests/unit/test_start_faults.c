/* SPDX-License-Identifier: Apache-2.0
 * Proves that a start that fails changes nothing but what a later one can go on from: at every
 * write of a recovery that has all records to project, the write fails once; the next start, on a
 * disk that works again, must find records and journal in agreement.
 *
 * Regression: a failed start marked the records as complete when it closed what it had opened. */
#include "engine/verify.h"
#include "fault/disk.h"
#include "unit/engine_help.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { CALLS = 20, POINTS_MAX = 500, FOUND_NO_FAULT = 10 };

static struct mete_options options(void)
{
    return (struct mete_options){.directory = "/tmp", .sqlite_vfs = disk_vfs()};
}

/* A journal without records. */
static void fill(void)
{
    struct mete_options without = options();
    struct mete *mete;
    struct mete_port *port;
    without.no_records = 1;
    assert_int_equal(mete_open(&without, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    assert_int_equal(help_tree(port, 1000000), 0);
    for (int i = 0; i < CALLS; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        assert_int_equal(help_reserve(port, "", 10, 0, &verdict), 0);
        assert_int_equal(help_commit(port, verdict.reservation, 10, &receipt), 0);
    }
    mete_port_close(port);
    mete_close(mete);
}

static int start_twice(enum disk_fault_kind kind, uint32_t nth)
{
    struct mete_options with = options();
    struct mete *mete;
    disk_arm((struct disk_fault){kind, nth, 1});
    int error = mete_open(&with, &mete);
    if (!error && disk_struck())
        return 1; /* it did not notice */
    if (!error)
        return FOUND_NO_FAULT;
    disk_arm((struct disk_fault){0});
    if (mete_open(&with, &mete))
        return 2;
    mete_close(mete);
    struct verify_report report;
    if (engine_verify(with.directory, &report))
        fprintf(stderr, "%s\n", report.detail);
    return report.detail[0] || report.records_seq != report.last_seq ? 3 : 0;
}

static void at_every_point(enum disk_fault_kind kind)
{
    uint32_t nth = 0;
    int status = 0;
    while (status != FOUND_NO_FAULT && ++nth < POINTS_MAX) {
        pid_t child = fork();
        if (!child)
            _exit(start_twice(kind, nth));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        status = WEXITSTATUS(status);
        if (status && status != FOUND_NO_FAULT)
            fail_msg("fault %d at %u: %d", kind, nth, status);
    }
    assert_true(nth > 3 && nth < POINTS_MAX);
}

static void a_start_whose_write_fails_says_nothing_of_the_records(void **state)
{
    (void)state;
    at_every_point(DISK_WRITE);
}

static void a_start_that_finds_the_disk_full_says_nothing_of_the_records(void **state)
{
    (void)state;
    at_every_point(DISK_FULL);
}

static void a_start_whose_read_fails_says_nothing_of_the_records(void **state)
{
    (void)state;
    at_every_point(DISK_READ);
}

static int set_up(void **state)
{
    (void)state;
    disk_vfs();
    disk_clear();
    fill();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_whose_write_fails_says_nothing_of_the_records),
        cmocka_unit_test(a_start_that_finds_the_disk_full_says_nothing_of_the_records),
        cmocka_unit_test(a_start_whose_read_fails_says_nothing_of_the_records),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
