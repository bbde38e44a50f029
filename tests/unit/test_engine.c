/* SPDX-License-Identifier: Apache-2.0
 * Proves what mete.h promises of the engine as a whole, in memory and on disk, with the owner a
 * thread of the engine's and the caller's: answers, refusals, batches of changes, idempotency,
 * submitted operations, wake-ups, expiry, events; and that a reopened engine is the same engine. */
#include "base/limits.h"
#include "store/records.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- One engine a test ---- */

static char directory[64];
static struct mete *mete;
static struct mete_port *port;
static _Atomic int64_t given_us; /* of tests with a clock of their own; 0: the system's */

static int64_t given_now_us(void *user)
{
    (void)user;
    return atomic_load(&given_us);
}

static void open_engine(struct mete_options options)
{
    if (atomic_load(&given_us))
        options.clock.now_us = given_now_us;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_engine(void)
{
    mete_port_close(port);
    mete_close(mete);
    mete = NULL;
}

static struct mete_options durable(void)
{
    return (struct mete_options){.directory = directory};
}

static void reopen(void)
{
    close_engine();
    open_engine(durable());
}

static int set_up(void **state)
{
    (void)state;
    atomic_store(&given_us, 0);
    return temp_make(directory, sizeof directory);
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

/* ---- In one line ---- */

static struct mete_budget_view budget(uint32_t handle)
{
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {handle}};
    struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    return answer.budget;
}

static struct mete_reservation_id reserved(const char *request_id, int64_t amount, uint32_t flags)
{
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, request_id, amount, flags, &verdict), 0);
    assert_true(verdict.allowed);
    return verdict.reservation;
}

static void committed(struct mete_reservation_id id, int64_t amount)
{
    struct mete_receipt receipt;
    assert_int_equal(help_commit(port, id, amount, &receipt), 0);
    assert_int_equal(receipt.state, METE_COMMITTED);
    assert_int_equal(receipt.cost, amount);
}

static void hash(uint8_t ret_hash[32])
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &answer), 0);
    memcpy(ret_hash, answer.hash, 32);
}

static struct mete_stats stats(void)
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &answer), 0);
    return answer.stats;
}

static void projected(void)
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
}

static int count_usage(void *user, const struct records_usage *usage)
{
    (void)usage;
    ++*(size_t *)user;
    return 0;
}

static size_t usage_records(void)
{
    struct records_reader *reader;
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    struct records_filter all = {.limit = 1000};
    size_t len = 0;
    assert_int_equal(records_each_usage(reader, &all, count_usage, &len), 0);
    records_reader_close(reader);
    return len;
}

/* ---- Answers ---- */

/* Reserve, commit and refuse; the same in every kind of engine. */
static void spend_to_the_limit(void)
{
    assert_int_equal(help_tree(port, 1000), 0);
    struct mete_reservation_id first = reserved("", 600, 0);
    assert_int_equal(budget(1).held, 600);
    struct mete_demand demand = {METE_COST, METE_USD, 401, 0};
    struct mete_reserve args = {
        .scope = {HELP_KEY}, .demands = &demand, .demands_len = 1, .ttl_ms = 1000};
    struct mete_refusal refusals[2];
    struct mete_verdict verdict;
    assert_int_equal(mete_reserve(port, &args, refusals, 2, &verdict), 0);
    assert_false(verdict.allowed);
    assert_int_equal(verdict.refusals_len, 1);
    assert_int_equal(refusals[0].reason, METE_HARD_LIMIT);
    assert_int_equal(refusals[0].budget.n, 1);
    assert_int_equal(refusals[0].held, 600);
    assert_int_equal(mete_check(port, &args, refusals, 2, &verdict), 0);
    assert_false(verdict.allowed);
    committed(first, 500);
    assert_int_equal(budget(1).committed, 500);
    assert_int_equal(budget(1).held, 0);
    struct mete_reservation_id second = reserved("", 500, 0);
    struct mete_receipt receipt;
    assert_int_equal(mete_release(port, second, &receipt), 0);
    assert_int_equal(receipt.state, METE_RELEASED);
    assert_int_equal(mete_release(port, second, &receipt), 0);
    assert_true(receipt.repeated);
    assert_int_equal(help_commit(port, second, 1, &receipt), METE_E_ENDED);
    assert_int_equal(receipt.state, METE_RELEASED);
    assert_int_equal(mete_release(port, (struct mete_reservation_id){12345}, &receipt),
                     METE_E_NOT_FOUND);
    assert_int_equal(stats().drift, 0);
}

static void answers_in_memory_with_a_thread(void **state)
{
    (void)state;
    open_engine((struct mete_options){0});
    spend_to_the_limit();
    close_engine();
}

static void answers_in_memory_in_the_callers_turn(void **state)
{
    (void)state;
    open_engine((struct mete_options){.owner = METE_OWNER_CALLER});
    spend_to_the_limit();
    close_engine();
}

static void answers_on_disk_with_a_thread(void **state)
{
    (void)state;
    open_engine(durable());
    spend_to_the_limit();
    close_engine();
}

static void answers_on_disk_in_the_callers_turn(void **state)
{
    (void)state;
    open_engine((struct mete_options){.directory = directory, .owner = METE_OWNER_CALLER});
    spend_to_the_limit();
    close_engine();
}

static void all_that_the_header_promises_is_there(void **state)
{
    (void)state;
    assert_null(mete_not_yet(0));
}

/* ---- Changes ---- */

static void a_batch_of_changes_is_whole_or_nothing(void **state)
{
    (void)state;
    open_engine(durable());
    assert_int_equal(help_tree(port, 1000), 0);
    uint8_t before[32], after[32];
    hash(before);
    uint64_t seq = stats().seq;
    struct mete_change changes[] = {
        help_scope(METE_USER, "bob", HELP_ORGANIZATION, HELP_DEPARTMENT),
        help_budget("bobs", METE_FROM_CHANGE(0), METE_DAILY, 5),
        help_scope(METE_USER, "bad id", HELP_ORGANIZATION, HELP_DEPARTMENT),
    };
    struct mete_apply apply = {changes, 3, help_text("root")};
    uint32_t handles[3] = {99, 99, 99};
    struct mete_applied applied;
    assert_int_equal(mete_apply(port, &apply, handles, &applied), METE_E_INVALID);
    assert_int_equal(applied.failed, 2);
    assert_int_equal(handles[0], 99);
    hash(after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(stats().seq, seq);
    changes[2].scope.id = help_text("eve");
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    assert_int_equal(applied.seq, seq + 1);
    assert_int_equal(handles[0], 5);
    assert_int_equal(handles[1], 2);
    assert_int_equal(handles[2], 6);
    apply.len = 0;
    assert_int_equal(mete_apply(port, &apply, handles, &applied), METE_E_INVALID);
    apply.len = LIMIT_CHANGES + 1;
    assert_int_equal(mete_apply(port, &apply, handles, &applied), METE_E_TOO_LARGE);
    close_engine();
}

/* 60 documents of the largest size fit one group, 70 do not. */
static void a_batch_larger_than_a_group_is_refused(void **state)
{
    (void)state;
    static char document[LIMIT_DOCUMENT];
    memset(document, 'x', sizeof document);
    open_engine(durable());
    assert_int_equal(help_tree(port, 1000), 0);
    struct mete_change changes[70];
    char ids[70][8];
    for (int i = 0; i < 70; i++) {
        snprintf(ids[i], sizeof ids[i], "u%d", i);
        changes[i] = help_scope(METE_USER, ids[i], HELP_ORGANIZATION, HELP_DEPARTMENT);
        changes[i].document = (struct mete_text){document, sizeof document};
    }
    struct mete_apply apply = {changes, 70, help_text("root")};
    uint32_t handles[70];
    struct mete_applied applied;
    uint64_t seq = stats().seq;
    assert_int_equal(mete_apply(port, &apply, handles, &applied), METE_E_TOO_LARGE);
    assert_int_equal(stats().seq, seq);
    apply.len = 60;
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    reopen();
    assert_int_equal(stats().seq, seq + 60);
    close_engine();
}

static void questions_find_what_was_put(void **state)
{
    (void)state;
    open_engine((struct mete_options){0});
    assert_int_equal(help_tree(port, 1000), 0);
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_FIND_SCOPE,
                               .scope_kind = METE_API_KEY,
                               .id = help_text("key"),
                               .organization = {HELP_ORGANIZATION}};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.scope.scope.n, HELP_KEY);
    query.id = help_text("kez");
    assert_int_equal(mete_query(port, &query, &answer), METE_E_NOT_FOUND);
    query = (struct mete_query){.kind = METE_QUERY_FIND_BUDGET,
                                .id = help_text("monthly"),
                                .organization = {HELP_ORGANIZATION}};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.budget.limit, 1000);
    struct mete_budget_view views[4];
    query = (struct mete_query){
        .kind = METE_QUERY_PATH, .scope = {HELP_KEY}, .budgets = views, .budgets_max = 4};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.budgets_len, 1);
    assert_string_equal(views[0].id, "monthly");
    query = (struct mete_query){.kind = METE_QUERY_RESERVATION, .reservation = reserved("", 7, 0)};
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.reservation.state, METE_HELD);
    assert_int_equal(answer.reservation.amounts[0].fixed, 7);
    close_engine();
}

/* ---- Submitted operations ---- */

static int finished;

static void note_done(struct mete_op *op)
{
    assert_int_equal(op->status, 0);
    finished++;
}

static struct mete_op reserve_op(const struct mete_demand *demand)
{
    return (struct mete_op){
        .kind = METE_OP_RESERVE,
        .args.reserve = {.scope = {HELP_KEY}, .demands = demand, .demands_len = 1, .ttl_ms = 60000},
        .done = note_done};
}

static void a_full_ring_takes_fewer(void **state)
{
    (void)state;
    open_engine((struct mete_options){.directory = directory, .owner = METE_OWNER_CALLER});
    assert_int_equal(help_tree(port, 1000000), 0);
    static struct mete_op ops[LIMIT_RING + 100];
    static struct mete_op *list[LIMIT_RING + 100];
    struct mete_demand demand = {METE_COST, METE_USD, 1, 0};
    for (int i = 0; i < LIMIT_RING + 100; i++) {
        ops[i] = reserve_op(&demand);
        list[i] = &ops[i];
    }
    finished = 0;
    assert_int_equal(mete_submit(port, list, LIMIT_RING + 100), LIMIT_RING);
    assert_int_equal(mete_submit(port, list + LIMIT_RING, 100), 0);
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, "", 1, 0, &verdict), METE_E_BUSY);
    size_t taken = 0;
    while (finished < LIMIT_RING) {
        taken += mete_turn(mete, NULL);
        struct pollfd readable = {.fd = mete_port_fd(port), .events = POLLIN};
        assert_int_equal(poll(&readable, 1, 5000), 1);
        mete_poll(port, 100);
    }
    assert_int_equal(taken, LIMIT_RING);
    assert_int_equal(budget(1).held, LIMIT_RING);
    close_engine();
}

/* A plain call between must neither lose nor run the done() of others. */
static void plain_calls_leave_submitted_ones_alone(void **state)
{
    (void)state;
    open_engine(durable());
    assert_int_equal(help_tree(port, 1000), 0);
    struct mete_demand demand = {METE_COST, METE_USD, 1, 0};
    struct mete_op ops[3] = {reserve_op(&demand), reserve_op(&demand), reserve_op(&demand)};
    struct mete_op *list[3] = {&ops[0], &ops[1], &ops[2]};
    finished = 0;
    assert_int_equal(mete_submit(port, list, 3), 3);
    reserved("", 5, 0);
    assert_int_equal(finished, 0);
    struct pollfd readable = {.fd = mete_port_fd(port), .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 5000), 1);
    assert_int_equal(mete_poll(port, 2), 2);
    assert_int_equal(poll(&readable, 1, 5000), 1);
    assert_int_equal(mete_poll(port, 2), 1);
    assert_int_equal(finished, 3);
    assert_int_equal(mete_poll(port, 2), 0);
    assert_int_equal(poll(&readable, 1, 0), 0);
    close_engine();
}

static _Atomic int woken;

static void note_wake(void *user)
{
    (void)user;
    atomic_fetch_add(&woken, 1);
}

static void *ask_from_elsewhere(void *user)
{
    struct mete_port *mine;
    struct mete_verdict verdict;
    (void)user;
    int error = mete_port_open(mete, &mine);
    if (!error)
        error = help_reserve(mine, "", 1, 0, &verdict);
    mete_port_close(mine);
    return error ? (void *)1 : NULL;
}

static void another_thread_wakes_the_owner(void **state)
{
    (void)state;
    open_engine((struct mete_options){
        .directory = directory, .owner = METE_OWNER_CALLER, .wake = note_wake});
    assert_int_equal(help_tree(port, 1000), 0);
    mete_turn(mete, NULL);
    atomic_store(&woken, 0);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, ask_from_elsewhere, NULL), 0);
    while (!atomic_load(&woken))
        usleep(100);
    while (!mete_turn(mete, NULL))
        usleep(100);
    void *failed;
    assert_int_equal(pthread_join(other, &failed), 0);
    assert_null(failed);
    assert_int_equal(budget(1).held, 1);
    close_engine();
}

/* ---- Time ---- */

static void nobodys_reservation_expires(void **state)
{
    (void)state;
    atomic_store(&given_us, INT64_C(1750000000000000));
    open_engine((struct mete_options){.directory = directory, .owner = METE_OWNER_CALLER});
    assert_int_equal(help_tree(port, 1000), 0);
    struct mete_reservation_id id = reserved("", 600, 0);
    struct mete_instant next;
    mete_turn(mete, &next);
    assert_int_equal(next.us, given_us + 60000000);
    atomic_fetch_add(&given_us, 60000000);
    mete_turn(mete, &next);
    assert_int_equal(next.us, INT64_MAX);
    assert_int_equal(budget(1).held, 0);
    struct mete_receipt receipt;
    assert_int_equal(mete_release(port, id, &receipt), METE_E_ENDED);
    assert_int_equal(receipt.state, METE_EXPIRED);
    assert_int_equal(stats().expiries, 1);
    projected();
    assert_int_equal(usage_records(), 1);
    close_engine();
}

static void a_window_rolls_when_it_is_looked_at(void **state)
{
    (void)state;
    atomic_store(&given_us, INT64_C(1750000000000000)); /* 2025-06-15 */
    open_engine(durable());
    assert_int_equal(help_tree(port, 1000), 0);
    committed(reserved("", 600, 0), 600);
    struct mete_budget_view june = budget(1);
    atomic_fetch_add(&given_us, INT64_C(86400000000) * 30);
    struct mete_budget_view july = budget(1);
    assert_int_equal(july.committed, 0);
    assert_int_equal(july.window_start.us, june.window_end.us);
    reserved("", 1000, 0);
    uint8_t before[32], after[32];
    hash(before);
    reopen();
    hash(after);
    assert_memory_equal(before, after, 32);
    close_engine();
}

/* INV-09: the clock far behind the last entry. */
static void a_clock_that_went_back_stops_the_start(void **state)
{
    (void)state;
    atomic_store(&given_us, INT64_C(1750000000000000));
    open_engine(durable());
    close_engine();
    atomic_fetch_sub(&given_us, (int64_t)(LIMIT_CLOCK_BACK_S + 1) * 1000000);
    struct mete_options options = durable();
    options.clock.now_us = given_now_us;
    assert_int_equal(mete_open(&options, &mete), METE_E_CLOCK);
    atomic_fetch_add(&given_us, 2000000);
    open_engine(durable());
    assert_int_equal(help_tree(port, 1000), 0); /* stamped with the last entry's time */
    close_engine();
}

/* ---- Recovery ---- */

static void a_reopened_engine_is_the_same(void **state)
{
    (void)state;
    open_engine(durable());
    assert_int_equal(help_tree(port, 100000), 0);
    struct mete_reservation_id open_one = {0};
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "call-%d", i);
        struct mete_reservation_id made = reserved(i % 2 ? id : "", 100, 0);
        if (i % 3)
            committed(made, i);
        else
            open_one = made;
    }
    uint8_t before[32], after[32];
    hash(before);
    for (int i = 0; i < 3; i++) {
        reopen();
        hash(after);
        assert_memory_equal(before, after, 32);
    }
    committed(open_one, 3);
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, "call-1", 100, 0, &verdict), 0);
    assert_true(verdict.repeated);
    close_engine();
}

/* A call under way at a crash is charged at its worst case, before anything else is answered. */
static void a_call_cut_off_by_a_crash_is_charged(void **state)
{
    (void)state;
    pid_t child = fork();
    if (!child) {
        open_engine(durable());
        if (help_tree(port, 1000))
            _exit(1);
        reserved("call", 400, METE_RESERVE_CALL);
        reserved("", 100, 0);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_engine(durable());
    assert_int_equal(budget(1).committed, 400);
    assert_int_equal(budget(1).held, 100);
    projected();
    assert_int_equal(usage_records(), 1);
    struct mete_verdict verdict;
    assert_int_equal(help_reserve(port, "call", 400, METE_RESERVE_CALL, &verdict), METE_E_ENDED);
    assert_int_equal(verdict.ended.state, METE_EXPIRED);
    close_engine();
}

static void remove_records(void)
{
    static const char *const names[] = {"records.db", "records.db-wal", "records.db-shm"};
    for (int i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
}

static void deleted_records_are_rebuilt(void **state)
{
    (void)state;
    open_engine(durable());
    assert_int_equal(help_tree(port, 100000), 0);
    for (int i = 0; i < 50; i++)
        committed(reserved("", 100, 0), 100);
    projected();
    assert_int_equal(usage_records(), 50);
    close_engine();
    remove_records();
    open_engine(durable());
    assert_int_equal(usage_records(), 50);
    close_engine();
    remove_records();
    open_engine((struct mete_options){.directory = directory, .no_records = 1});
    committed(reserved("", 100, 0), 100);
    close_engine();
    open_engine(durable());
    assert_int_equal(usage_records(), 51);
    close_engine();
}

/* INV-06: whatever the records know that the journal does not has been lost from the journal. */
static void records_ahead_of_the_journal_stop_the_start(void **state)
{
    (void)state;
    open_engine(durable());
    assert_int_equal(help_tree(port, 100000), 0);
    close_engine();
    char path[128];
    static const char *const names[] = {"journal.db", "journal.db-wal"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    struct mete_options options = durable();
    assert_int_equal(mete_open(&options, &mete), METE_E_CORRUPT);
}

static void a_second_engine_is_locked_out(void **state)
{
    (void)state;
    open_engine(durable());
    struct mete_options options = durable();
    struct mete *second;
    assert_int_equal(mete_open(&options, &second), METE_E_LOCKED);
    close_engine();
}

/* ---- Events ---- */

static _Atomic int thresholds, overruns;

static void note_event(void *user, const struct mete_event *event)
{
    (void)user;
    if (event->kind == METE_EVENT_THRESHOLD)
        atomic_fetch_add(&thresholds, 1);
    if (event->kind == METE_EVENT_OVERRUN)
        atomic_fetch_add(&overruns, 1);
}

static void spend_over_the_thresholds(void)
{
    atomic_store(&thresholds, 0);
    atomic_store(&overruns, 0);
    mete_on_event(mete, note_event, NULL);
    assert_int_equal(help_tree(port, 1000), 0);
    committed(reserved("", 400, 0), 499);
    assert_int_equal(atomic_load(&thresholds), 0);
    committed(reserved("", 1, 0), 1);
    assert_int_equal(atomic_load(&thresholds), 1);
    committed(reserved("", 1, 0), 600);
    assert_int_equal(atomic_load(&thresholds), 2);
    assert_int_equal(atomic_load(&overruns), 2);
}

static int count_event(void *user, const struct mete_event *event)
{
    assert_int_equal(event->budget.n, 1);
    ++*(int *)user;
    return 0;
}

static void events_reach_listener_and_records(void **state)
{
    (void)state;
    open_engine((struct mete_options){0});
    spend_over_the_thresholds();
    close_engine();
    open_engine(durable());
    spend_over_the_thresholds();
    projected();
    struct records_reader *reader;
    assert_int_equal(records_reader_open(os_system(), directory, &reader), 0);
    int count = 0;
    assert_int_equal(records_each_event(reader, 0, 100, count_event, &count), 0);
    assert_int_equal(count, 4);
    records_reader_close(reader);
    close_engine();
}

/* ---- Windows ---- */

static void windows_lie_where_the_zone_says(void **state)
{
    (void)state;
    atomic_store(&given_us,
                 INT64_C(1711846800000000)); /* 2024-03-31T01:00:00Z: summer time begins */
    open_engine((struct mete_options){.owner = METE_OWNER_CALLER});
    assert_int_equal(help_tree(port, 1000), 0);
    struct mete_change change = {.kind = METE_PUT_BUDGET,
                                 .budget = {.id = help_text("day"),
                                            .scope = {HELP_KEY},
                                            .meter = METE_OUTPUT,
                                            .limit = 7,
                                            .period = METE_DAILY,
                                            .time_zone = help_text("Europe/Berlin")}};
    const struct mete_apply args = {.changes = &change, .len = 1};
    uint32_t handle;
    struct mete_applied applied;
    assert_int_equal(mete_apply(port, &args, &handle, &applied), 0);
    struct mete_query query = {.kind = METE_QUERY_BUDGET, .budget = {handle}};
    static struct mete_answer answer;
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.budget.window_start.us, INT64_C(1711839600000000)); /* 23:00Z */
    assert_int_equal(answer.budget.window_end.us - answer.budget.window_start.us,
                     INT64_C(23) * 3600000000);
    assert_string_equal(answer.budget.time_zone, "Europe/Berlin");
    assert_int_equal(answer.budget.base_limit, 7);
    atomic_store(&given_us, answer.budget.window_end.us);
    assert_int_equal(mete_query(port, &query, &answer), 0);
    assert_int_equal(answer.budget.window_start.us, atomic_load(&given_us));
    change.budget.id = help_text("nowhere");
    change.budget.time_zone = help_text("Europe/Atlantis");
    assert_int_equal(mete_apply(port, &args, &handle, &applied), METE_E_INVALID);
    change.budget.time_zone = help_text("Europe/Berlin");
    change.budget.anchor = 86400; /* no second of a day */
    assert_int_equal(mete_apply(port, &args, &handle, &applied), METE_E_INVALID);
    close_engine();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(answers_in_memory_with_a_thread),
        CASE(answers_in_memory_in_the_callers_turn),
        CASE(answers_on_disk_with_a_thread),
        CASE(answers_on_disk_in_the_callers_turn),
        CASE(all_that_the_header_promises_is_there),
        CASE(a_batch_of_changes_is_whole_or_nothing),
        CASE(a_batch_larger_than_a_group_is_refused),
        CASE(questions_find_what_was_put),
        CASE(a_full_ring_takes_fewer),
        CASE(plain_calls_leave_submitted_ones_alone),
        CASE(another_thread_wakes_the_owner),
        CASE(nobodys_reservation_expires),
        CASE(a_window_rolls_when_it_is_looked_at),
        CASE(windows_lie_where_the_zone_says),
        CASE(a_clock_that_went_back_stops_the_start),
        CASE(a_reopened_engine_is_the_same),
        CASE(a_call_cut_off_by_a_crash_is_charged),
        CASE(deleted_records_are_rebuilt),
        CASE(records_ahead_of_the_journal_stop_the_start),
        CASE(a_second_engine_is_locked_out),
        CASE(events_reach_listener_and_records),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
