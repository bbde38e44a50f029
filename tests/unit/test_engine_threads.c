/* SPDX-License-Identifier: Apache-2.0
 * Proves INV-01 under concurrency: eight threads, each with a port, ask for three times what one
 * shared budget has, in every kind of engine. Whatever is granted never passes the limit at any
 * look; at the end committed is the sum of what the threads were told, nothing is held, and no
 * counter drifts (INV-07). */
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { THREADS = 8, BATCH = 100, PAIRS = 20000, AMOUNT = 30 };
#define LIMIT ((int64_t)THREADS * PAIRS * AMOUNT / 3)

static char directory[64];
static struct mete *mete;
static _Atomic int running, wake_fd = -1;
static _Atomic int failures;

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

/* ---- One thread ---- */

struct worker {
    struct mete_port *port;
    unsigned n;
    int64_t charged;
    uint64_t granted, refused;
    int pending;
    struct mete_op ops[BATCH];
    struct mete_usage usages[BATCH];
    struct mete_demand demand;
};

static void note_done(struct mete_op *op)
{
    struct worker *worker = op->user;
    worker->pending--;
    if (op->status)
        atomic_fetch_add(&failures, 1);
}

static void run(struct worker *worker, int len)
{
    struct mete_op *list[BATCH];
    for (int i = 0; i < len; i++)
        list[i] = &worker->ops[i];
    worker->pending = len;
    for (int given = 0; given < len;)
        given += (int)mete_submit(worker->port, list + given, (size_t)(len - given));
    while (worker->pending) {
        struct pollfd readable = {.fd = mete_port_fd(worker->port), .events = POLLIN};
        if (poll(&readable, 1, 10000) != 1)
            abort(); /* a wake-up was lost */
        mete_poll(worker->port, BATCH);
    }
}

/* The granted ones of the batch become commits (of less, sometimes) or releases. */
static int end_granted(struct worker *worker)
{
    int len = 0;
    for (int i = 0; i < BATCH; i++) {
        struct mete_verdict verdict = worker->ops[i].result.verdict;
        if (!verdict.allowed) {
            worker->refused++;
            continue;
        }
        worker->granted++;
        int64_t used = AMOUNT - (int64_t)(worker->granted % 7);
        worker->usages[len] = (struct mete_usage){METE_COST, METE_USD, used};
        struct mete_op *op = &worker->ops[len];
        *op = (struct mete_op){.done = note_done, .user = worker};
        if (worker->granted % 11) {
            op->kind = METE_OP_COMMIT;
            op->args.commit = (struct mete_commit){
                .reservation = verdict.reservation, .usage = &worker->usages[len], .usage_len = 1};
            worker->charged += used;
        } else {
            op->kind = METE_OP_RELEASE;
            op->args.release = verdict.reservation;
        }
        len++;
    }
    return len;
}

static void look(struct worker *worker)
{
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {1}};
    if (mete_query(worker->port, &query, &answer) ||
        answer.budget.committed + answer.budget.held > LIMIT)
        atomic_fetch_add(&failures, 1);
}

static void *work(void *user)
{
    struct worker *worker = user;
    if (mete_port_open(mete, &worker->port))
        abort();
    worker->demand = (struct mete_demand){METE_COST, METE_USD, AMOUNT, 0};
    for (int done = 0; done < PAIRS; done += BATCH) {
        for (int i = 0; i < BATCH; i++)
            worker->ops[i] = (struct mete_op){.kind = METE_OP_RESERVE,
                                              .args.reserve = {.scope = {HELP_KEY},
                                                               .demands = &worker->demand,
                                                               .demands_len = 1,
                                                               .ttl_ms = 60000},
                                              .done = note_done,
                                              .user = worker};
        run(worker, BATCH);
        int len = end_granted(worker);
        if (len)
            run(worker, len);
        look(worker);
    }
    mete_port_close(worker->port);
    atomic_fetch_sub(&running, 1);
    uint64_t one = 1;
    if (atomic_load(&wake_fd) >= 0 && write(atomic_load(&wake_fd), &one, sizeof one) < 0)
        abort();
    return NULL;
}

/* ---- The owner, where it is the caller ---- */

static void wake(void *user)
{
    (void)user;
    uint64_t one = 1;
    if (write(atomic_load(&wake_fd), &one, sizeof one) < 0)
        abort();
}

/* An event loop that does nothing but be the owner. */
static void be_the_owner(void)
{
    while (atomic_load(&running)) {
        struct mete_instant next;
        mete_turn(mete, &next);
        int64_t left_us = next.us - mete_now(mete).us;
        int timeout = left_us <= 0 ? 0 : left_us < 60000000 ? (int)(left_us / 1000) + 1 : 10000;
        struct pollfd readable = {.fd = atomic_load(&wake_fd), .events = POLLIN};
        int got = poll(&readable, 1, timeout);
        uint64_t count;
        if (got == 1 && read(readable.fd, &count, sizeof count) < 0)
            abort();
        if (got == 0 && timeout == 10000)
            abort(); /* a wake-up was lost */
    }
}

/* ---- All together ---- */

static int64_t run_workers(struct mete_options *options)
{
    static struct worker workers[THREADS];
    memset(workers, 0, sizeof workers);
    pthread_t threads[THREADS];
    atomic_store(&running, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].n = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    if (options->owner == METE_OWNER_CALLER)
        be_the_owner();
    int64_t charged = 0;
    uint64_t asked = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        charged += workers[i].charged;
        asked += workers[i].granted + workers[i].refused;
    }
    assert_int_equal(asked, THREADS * PAIRS);
    assert_int_equal(atomic_load(&failures), 0);
    return charged;
}

static void hammer(struct mete_options options)
{
    atomic_store(&failures, 0);
    if (options.owner == METE_OWNER_CALLER) {
        atomic_store(&wake_fd, eventfd(0, EFD_NONBLOCK));
        options.wake = wake;
    }
    assert_int_equal(mete_open(&options, &mete), 0);
    struct mete_port *port;
    assert_int_equal(mete_port_open(mete, &port), 0);
    assert_int_equal(help_tree(port, LIMIT), 0);
    int64_t charged = run_workers(&options);
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {1}};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.budget.committed, charged);
    assert_int_equal(answer.budget.held, 0);
    assert_true(charged <= LIMIT && charged > LIMIT - LIMIT / 10);
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &answer), 0);
    assert_int_equal(answer.stats.drift, 0);
    assert_int_equal(answer.stats.reservations_open, 0);
    mete_port_close(port);
    mete_close(mete);
    if (options.owner == METE_OWNER_CALLER)
        close(atomic_exchange(&wake_fd, -1));
}

static void a_thread_owns_memory(void **state)
{
    (void)state;
    hammer((struct mete_options){0});
}

static void the_caller_owns_memory(void **state)
{
    (void)state;
    hammer((struct mete_options){.owner = METE_OWNER_CALLER});
}

static void a_thread_owns_a_journal(void **state)
{
    (void)state;
    hammer((struct mete_options){.directory = directory});
}

static void the_caller_owns_a_journal(void **state)
{
    (void)state;
    hammer((struct mete_options){.directory = directory, .owner = METE_OWNER_CALLER});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_thread_owns_memory),
        CASE(the_caller_owns_memory),
        CASE(a_thread_owns_a_journal),
        CASE(the_caller_owns_a_journal),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
