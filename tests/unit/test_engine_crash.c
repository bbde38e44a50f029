/* SPDX-License-Identifier: Apache-2.0
 * Proves promise 2 against kill -9: a child with four busy threads tells, through a pipe,
 * everything that was acknowledged to it, and is killed at an arbitrary moment; ten times on one
 * directory. Each time the reopened engine knows every acknowledged reservation and commit, with
 * its figures, exactly once; budgets add up; verify finds nothing. */
#include "engine/verify.h"
#include "store/records.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { CYCLES = 10, THREADS = 4, CYCLE_ACKS_MIN = 20, CYCLE_ACKS_MAX = 200000 };

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

/* ---- The child ---- */

/* What a thread was told. A write of so few bytes to a pipe is one piece. */
struct ack {
    uint64_t reservation, record; /* record 0: it was made; else ended, with this record */
    int64_t amount;
    char request_id[32];
};

struct thread {
    struct mete *mete;
    int tell, cycle, n;
};

static void tell(const struct thread *thread, const struct ack *ack)
{
    if (write(thread->tell, ack, sizeof *ack) != sizeof *ack)
        _exit(1);
}

static void *spend(void *user)
{
    const struct thread *thread = user;
    struct mete_port *port;
    if (mete_port_open(thread->mete, &port))
        _exit(1);
    for (int i = 0;; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        struct ack ack = {0};
        snprintf(ack.request_id, sizeof ack.request_id, "%d-%d-%d", thread->cycle, thread->n, i);
        if (help_reserve(port, ack.request_id, 100, 0, &verdict) || !verdict.allowed)
            _exit(1);
        ack.reservation = verdict.reservation.n;
        ack.amount = 100;
        tell(thread, &ack);
        if (i % 10 == 9)
            continue; /* stays open */
        ack.amount = 1 + i % 90;
        if (help_commit(port, verdict.reservation, ack.amount, &receipt))
            _exit(1);
        ack.record = receipt.record;
        tell(thread, &ack);
    }
    return NULL;
}

static void live(int cycle, int tell_fd)
{
    struct mete_options options = {.directory = directory};
    struct mete *mete;
    struct mete_port *port;
    if (mete_open(&options, &mete) || mete_port_open(mete, &port))
        _exit(1);
    if (cycle == 0 && help_tree(port, INT64_C(1000000000000)))
        _exit(1);
    pthread_t threads[THREADS];
    static struct thread args[THREADS];
    for (int i = 0; i < THREADS; i++) {
        args[i] = (struct thread){mete, tell_fd, cycle, i};
        if (pthread_create(&threads[i], NULL, spend, &args[i]))
            _exit(1);
    }
    pause();
}

/* ---- The parent ---- */

static struct ack *acks;
static size_t acks_len;

/* Not before it has told some things, however slow the machine is. */
static void kill_after(pid_t child, int heard, long ms)
{
    size_t first = acks_len;
    struct timespec start, now;
    bool began = false;
    for (;;) {
        if (acks_len - first >= CYCLE_ACKS_MAX)
            kill(child, SIGKILL);
        ssize_t len = read(heard, &acks[acks_len], sizeof *acks);
        if (len == 0)
            break; /* it is dead, and everything it told was read */
        assert_int_equal(len, sizeof *acks);
        acks_len++;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!began)
            start = now;
        began = true;
        long lived_ms =
            (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
        if (lived_ms >= ms && acks_len - first >= CYCLE_ACKS_MIN)
            kill(child, SIGKILL);
    }
    assert_true(began);
}

static void one_life(int cycle, long ms)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (!child) {
        close(ends[0]);
        live(cycle, ends[1]);
        _exit(1);
    }
    close(ends[1]);
    kill_after(child, ends[0], ms);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

/* Every record by reservation, to be found by bisection. */
struct ended {
    uint64_t reservation, record;
    int64_t amount;
};

static int by_reservation(const void *a, const void *b)
{
    const struct ended *x = a, *y = b;
    return (x->reservation > y->reservation) - (x->reservation < y->reservation);
}

static size_t read_records(struct ended **ret_ended, int64_t *ret_sum)
{
    struct records_reader *reader;
    struct records_cursor *cursor;
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    assert_int_equal(records_cursor_open(reader, 0, &cursor), 0);
    size_t len = 0, room = 1024;
    struct ended *ended = malloc(room * sizeof *ended);
    struct records_usage usage;
    int found;
    *ret_sum = 0;
    while (records_cursor_usage(cursor, &usage, &found) == 0 && found) {
        if (len == room)
            ended = realloc(ended, (room *= 2) * sizeof *ended);
        int64_t amount = usage.usage_len ? usage.usage[0].amount : 0;
        ended[len++] = (struct ended){usage.reservation, usage.seq, amount};
        *ret_sum += amount;
    }
    records_cursor_close(cursor);
    records_reader_close(reader);
    qsort(ended, len, sizeof *ended, by_reservation);
    for (size_t i = 1; i < len; i++)
        assert_true(ended[i].reservation != ended[i - 1].reservation); /* nothing ended twice */
    *ret_ended = ended;
    return len;
}

static void check_acks(struct mete_port *port, const struct ended *ended, size_t len)
{
    for (size_t i = 0; i < acks_len; i++) {
        struct ended wanted = {.reservation = acks[i].reservation};
        const struct ended *found = bsearch(&wanted, ended, len, sizeof *ended, by_reservation);
        if (acks[i].record) {
            assert_non_null(found);
            assert_int_equal(found->record, acks[i].record);
            assert_int_equal(found->amount, acks[i].amount);
        } else if (!found) {
            struct mete_query query = {.kind = METE_QUERY_RESERVATION,
                                       .reservation = {acks[i].reservation}};
            struct mete_answer answer;
            assert_int_equal(mete_query(port, &query, &answer), 0);
            assert_int_equal(answer.reservation.state, METE_HELD);
        }
    }
}

/* INV-04: asked again with the same id, the same answer. */
static void check_repeats(struct mete_port *port)
{
    for (size_t i = acks_len > 40 ? acks_len - 40 : 0; i < acks_len; i++) {
        struct mete_verdict verdict;
        assert_int_equal(help_reserve(port, acks[i].request_id, 100, 0, &verdict), 0);
        assert_true(verdict.repeated);
        assert_int_equal(verdict.reservation.n, acks[i].reservation);
    }
}

static void check_life(void)
{
    struct mete_options options = {.directory = directory};
    struct mete *mete;
    struct mete_port *port;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
    struct ended *ended;
    int64_t sum;
    size_t len = read_records(&ended, &sum);
    check_acks(port, ended, len);
    check_repeats(port);
    free(ended);
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {1}};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.budget.committed, sum);
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &answer), 0);
    assert_int_equal(answer.stats.drift, 0);
    mete_port_close(port);
    mete_close(mete);
    struct verify_report report;
    if (engine_verify(directory, &report))
        fail_msg("%s", report.detail);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    (void)state;
    acks = malloc((size_t)CYCLES * (CYCLE_ACKS_MAX + 100000) * sizeof *acks);
    acks_len = 0;
    unsigned dice = (unsigned)time(NULL);
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        dice = dice * 1103515245u + 12345u;
        one_life(cycle, 10 + (dice >> 16) % 60);
        check_life();
    }
    print_message("%zu acknowledgements\n", acks_len);
    assert_true(acks_len >= (size_t)CYCLES * CYCLE_ACKS_MIN);
    free(acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_kill_9, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
