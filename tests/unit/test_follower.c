/* SPDX-License-Identifier: Apache-2.0
 * Proves the follower: a snapshot taken beside the traffic is what a start begins with and gives
 * the same state as the whole journal (INV-06); deleting or damaging any but the base changes
 * nothing; a cut one needs its base and its records; a counter that is changed behind the ledger's
 * back is found while the engine runs, and an honest one gives no alarm (INV-07). */
#include "engine/engine.h"
#include "engine/snapshots.h"
#include "engine/verify.h"
#include "ledger/state.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

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

static struct mete *mete;
static struct mete_port *port;

static uint64_t free_reserve; /* of the next opening; 0: the table's */
static uint32_t audit_ppm;    /* likewise; 0: all of a core */

static int try_open(int no_audit, enum mete_owner owner)
{
    const struct mete_options options = {.directory = directory,
                                         .owner = owner,
                                         .scopes_max = 1000,
                                         .budgets_max = 1000,
                                         .reservations_max = 1000,
                                         .outcomes_max = 1000,
                                         .audit_ppm = audit_ppm ? audit_ppm : 1000000,
                                         .free_reserve = free_reserve,
                                         .snapshot_entries = 1000,
                                         .no_audit = no_audit};
    return mete_open(&options, &mete);
}

static void open_it(int no_audit, enum mete_owner owner)
{
    assert_int_equal(try_open(no_audit, owner), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void spend_as(int calls, bool has_ids)
{
    for (int i = 0; i < calls; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        char id[32];
        snprintf(id, sizeof id, "call-%d", rand());
        assert_int_equal(help_reserve(port, has_ids && i % 3 ? id : "", 100, 0, &verdict), 0);
        if (i % 5)
            assert_int_equal(help_commit(port, verdict.reservation, 1 + i % 90, &receipt), 0);
    }
}

static void spend(int calls)
{
    spend_as(calls, true);
}

static struct mete_stats stats(void)
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_STATS, &answer), 0);
    return answer.stats;
}

static void state_hash(uint8_t ret_hash[32])
{
    struct mete_answer answer;
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &answer), 0);
    memcpy(ret_hash, answer.hash, 32);
}

static void a_start_from_a_snapshot_is_a_start_from_all_of_the_journal(void **state)
{
    (void)state;
    open_it(1, METE_OWNER_THREAD);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    uint64_t first, second;
    uint8_t lived[32], again[32];
    spend(100);
    assert_int_equal(mete_snapshot(mete, &first), 0);
    spend(100);
    assert_int_equal(mete_snapshot(mete, &second), 0);
    assert_true(second >= first + 100);
    assert_int_equal(stats().snapshot, second);
    spend(50);
    state_hash(lived);
    close_it();
    for (int round = 0; round < 4; round++) {
        open_it(1, METE_OWNER_THREAD);
        state_hash(again);
        assert_memory_equal(lived, again, 32);
        assert_int_equal(stats().snapshot, round == 0 ? second : round == 3 ? 0 : first);
        assert_int_equal(stats().drift, 0);
        close_it();
        char path[256]; /* damaged, then gone, then none at all */
        snprintf(path, sizeof path, "%s/snapshots/%020llu.snap", directory,
                 (unsigned long long)(round == 2 ? first : second));
        if (round == 0) {
            int fd = open(path, O_RDWR);
            assert_int_equal(pwrite(fd, "\377\376", 2, 300), 2);
            close(fd);
        } else if (round < 3) {
            assert_int_equal(unlink(path), 0);
        }
    }
}

static void records_that_were_deleted_are_rebuilt_from_before_the_snapshot(void **state)
{
    (void)state;
    open_it(1, METE_OWNER_THREAD);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    spend(50);
    uint64_t seq;
    assert_int_equal(mete_snapshot(mete, &seq), 0);
    close_it();
    char path[128];
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(unlink(path), 0);
    open_it(1, METE_OWNER_THREAD);
    assert_int_equal(stats().snapshot, 0); /* it began at the beginning */
    close_it();
    struct verify_report report;
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_true(report.usage > 30);
}

static void a_cut_journal_goes_on_from_its_base(void **state)
{
    (void)state;
    open_it(1, METE_OWNER_THREAD);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    uint64_t base, again;
    uint8_t lived[32], reopened[32];
    for (int round = 0; round < 3; round++) {
        spend(200);
        assert_int_equal(mete_cut(mete, &base), 0);
        assert_int_equal(stats().base, base);
        spend(round);
    }
    state_hash(lived);
    close_it();
    open_it(1, METE_OWNER_THREAD);
    state_hash(reopened);
    assert_memory_equal(lived, reopened, 32);
    assert_int_equal(stats().base, base);
    assert_int_equal(mete_snapshot(mete, &again), 0);
    spend(10);
    state_hash(lived);
    close_it();
    struct verify_report report;
    if (engine_verify(directory, &report))
        fail_msg("%s", report.detail);
    assert_int_equal(report.base, base);
    assert_int_equal(report.snapshots, 2);
    assert_int_equal(report.primary, 5);
    assert_memory_equal(report.state_hash, lived, 32);
    /* The records are primary now, and so is the base. */
    char from[128], to[140];
    snprintf(from, sizeof from, "%s/records.db", directory);
    snprintf(to, sizeof to, "%s-away", from);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(try_open(1, METE_OWNER_THREAD), METE_E_CORRUPT);
    assert_int_equal(rename(to, from), 0);
    snprintf(from, sizeof from, "%s/snapshots/%020llu.snap", directory, (unsigned long long)base);
    snprintf(to, sizeof to, "%s-away", from);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(try_open(1, METE_OWNER_THREAD), METE_E_CORRUPT);
    assert_int_equal(rename(to, from), 0);
    open_it(1, METE_OWNER_THREAD);
    close_it();
    int fd = open(from, O_RDWR);
    assert_int_equal(pwrite(fd, "\377\376", 2, 300), 2);
    close(fd);
    assert_int_equal(try_open(1, METE_OWNER_THREAD), METE_E_CORRUPT);
}

/* Damages, verifies, heals. */
static void must_tell(uint64_t seq, const char *what)
{
    char path[256];
    uint8_t kept[2], wrong[2];
    snprintf(path, sizeof path, "%s/snapshots/%020llu.snap", directory, (unsigned long long)seq);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, kept, 2, 300), 2);
    wrong[0] = kept[0] ^ 1;
    wrong[1] = kept[1];
    assert_int_equal(pwrite(fd, wrong, 2, 300), 2);
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error != METE_E_CORRUPT || !strstr(report.detail, what))
        fail_msg("%s, '%s'", mete_error_name(error), report.detail);
    assert_int_equal(pwrite(fd, kept, 2, 300), 2);
    close(fd);
    assert_int_equal(engine_verify(directory, &report), 0);
}

static void verify_tells_of_a_bad_snapshot_and_of_one_of_another_history(void **state)
{
    (void)state;
    open_it(1, METE_OWNER_THREAD);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    uint64_t base, newer;
    spend(50);
    assert_int_equal(mete_cut(mete, &base), 0);
    spend(50);
    assert_int_equal(mete_snapshot(mete, &newer), 0);
    close_it();
    must_tell(newer, "it may be deleted");
    must_tell(base, "it is the base");
    /* A snapshot that says of itself that it is whole, with another state in it. */
    struct ledger *ledger;
    struct journal_mark mark;
    uint8_t hash[SNAPSHOT_HASH];
    const struct ledger_room room = {1000, 1000, 1000, 1000};
    assert_int_equal(ledger_open(&room, &ledger), 0);
    assert_int_equal(snapshots_load(directory, newer, &ledger, &mark, hash), 0);
    ledger->budgets[1].committed++;
    ledger->charged_sum++;
    assert_int_equal(snapshots_write(ledger, directory, mark.head, NULL, NULL, hash), 0);
    struct verify_report report;
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
    assert_non_null(strstr(report.detail, "is not what the journal makes"));
    mark.head[3] ^= 1;
    assert_int_equal(snapshots_write(ledger, directory, mark.head, NULL, NULL, hash), 0);
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
    assert_non_null(strstr(report.detail, "is not of this journal"));
    ledger_close(ledger);
}

static void a_cut_by_the_owner_itself_runs_its_turns(void **state)
{
    (void)state;
    open_it(1, METE_OWNER_CALLER);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    spend(20);
    uint64_t seq;
    assert_int_equal(mete_snapshot(mete, &seq), 0);
    spend(20);
    assert_int_equal(mete_cut(mete, &seq), 0);
    assert_int_equal(stats().base, seq);
    close_it();
}

/* Until the audit has gone over all of it since now, or ten seconds. */
static void wait_audited(void)
{
    uint64_t seq = stats().seq;
    for (int i = 0; i < 10000 && stats().audited < seq; i++) {
        mete_turn(mete, NULL);
        usleep(1000);
    }
    assert_true(stats().audited >= seq);
}

static void an_honest_engine_is_audited_without_an_alarm(void **state)
{
    (void)state;
    open_it(0, METE_OWNER_CALLER);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    for (int i = 0; i < 5; i++) {
        spend(200);
        wait_audited();
        assert_int_equal(stats().drift, 0);
    }
    assert_true(stats().snapshot > 0); /* more than snapshot_entries came */
    close_it();
}

/* Calls without ids: one with an id remembers what remained, which would differ as well. */
static void a_counter_changed_behind_the_ledgers_back_is_found(void **state)
{
    (void)state;
    open_it(0, METE_OWNER_CALLER);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    spend_as(20, false);
    wait_audited();
    assert_int_equal(stats().drift, 0);
    mete->ledger->budgets[1].committed += 1; /* this thread is the owner */
    spend_as(20, false);
    wait_audited();
    assert_int_equal(stats().drift, 1);
    mete->ledger->budgets[1].committed -= 1;
    spend_as(1, false);
    wait_audited();
    assert_int_equal(stats().drift, 0);
    close_it();
}

static void snapshots_and_cuts_are_taken_under_traffic(void **state)
{
    (void)state;
    open_it(0, METE_OWNER_THREAD);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    uint64_t seq = 0, before = 0;
    for (int i = 0; i < 10; i++) {
        spend(300);
        assert_int_equal(i % 3 ? mete_snapshot(mete, &seq) : mete_cut(mete, &seq), 0);
        assert_true(seq > before);
        before = seq;
    }
    uint64_t seqs[16];
    size_t listed;
    assert_int_equal(snapshot_list(directory, seqs, 16, &listed), 0);
    assert_true(listed <= 4); /* two, the base, one not pruned yet */
    assert_int_equal(stats().drift, 0);
    uint8_t lived[32], again[32];
    state_hash(lived);
    close_it();
    open_it(0, METE_OWNER_THREAD);
    state_hash(again);
    assert_memory_equal(lived, again, 32);
    close_it();
}

/* INV-15: what is under way can be ended, and the operator can act, before the disk is full. */
static void nearly_full_a_disk_takes_ends_and_changes_but_no_new_calls(void **state)
{
    (void)state;
    struct mete_verdict verdict, again;
    struct mete_receipt receipt;
    open_it(1, METE_OWNER_THREAD);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    assert_int_equal(help_reserve(port, "first", 100, 0, &verdict), 0);
    assert_false(stats().admission_stopped);
    assert_true(stats().free_bytes > 0);
    close_it();
    free_reserve = UINT64_MAX / 2;
    open_it(1, METE_OWNER_THREAD);
    free_reserve = 0;
    assert_true(stats().admission_stopped);
    assert_int_equal(help_reserve(port, "second", 100, 0, &again), METE_E_DISK);
    assert_int_equal(help_reserve(port, "", 100, METE_RESERVE_CALL, &again), METE_E_DISK);
    assert_int_equal(help_reserve(port, "first", 100, 0, &again), 0); /* the stored answer */
    assert_true(again.repeated);
    assert_int_equal(help_commit(port, verdict.reservation, 60, &receipt), 0);
    struct mete_change change = help_budget("more", HELP_KEY, METE_DAILY, 1000);
    uint32_t handle;
    struct mete_applied applied;
    struct mete_apply apply = {&change, 1, help_text("root")};
    assert_int_equal(mete_apply(port, &apply, &handle, &applied), 0);
    struct mete_usage usage = {METE_COST, METE_USD, 1};
    struct mete_record record = {.scope = {HELP_KEY}, .usage = &usage, .usage_len = 1};
    assert_int_equal(mete_record(port, &record, &receipt), 0);
    close_it();
    open_it(1, METE_OWNER_THREAD); /* there is room again */
    assert_int_equal(help_reserve(port, "second", 100, 0, &again), 0);
    close_it();
}

/* A free-running audit must leave the core to others: what it works it sleeps off. */
static void the_audit_takes_no_more_than_its_share(void **state)
{
    (void)state;
    audit_ppm = 50000;
    open_it(0, METE_OWNER_THREAD);
    audit_ppm = 0;
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    clockid_t clock;
    struct timespec cpu, wall, cpu_after, wall_after;
    assert_int_equal(pthread_getcpuclockid(mete->follower_thread, &clock), 0);
    spend(100);
    clock_gettime(clock, &cpu);
    clock_gettime(CLOCK_MONOTONIC, &wall);
    for (int i = 0; i < 15; i++) {
        spend(60); /* fewer than snapshot_entries behind, or it hurries */
        usleep(100000);
    }
    clock_gettime(clock, &cpu_after);
    clock_gettime(CLOCK_MONOTONIC, &wall_after);
    int64_t worked_us =
        (cpu_after.tv_sec - cpu.tv_sec) * 1000000 + (cpu_after.tv_nsec - cpu.tv_nsec) / 1000;
    int64_t passed_us =
        (wall_after.tv_sec - wall.tv_sec) * 1000000 + (wall_after.tv_nsec - wall.tv_nsec) / 1000;
    if (worked_us > passed_us / 10) /* twice the share, for a snapshot's sake and the ticks' */
        fail_msg("%lld us of %lld", (long long)worked_us, (long long)passed_us);
    assert_int_equal(stats().drift, 0);
    close_it();
}

static void in_memory_there_is_nothing_to_keep(void **state)
{
    (void)state;
    const struct mete_options options = {.scopes_max = 10};
    uint64_t seq;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_snapshot(mete, &seq), METE_E_INVALID);
    assert_int_equal(mete_cut(mete, &seq), METE_E_INVALID);
    mete_close(mete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_start_from_a_snapshot_is_a_start_from_all_of_the_journal),
        CASE(records_that_were_deleted_are_rebuilt_from_before_the_snapshot),
        CASE(a_cut_journal_goes_on_from_its_base),
        CASE(verify_tells_of_a_bad_snapshot_and_of_one_of_another_history),
        CASE(a_cut_by_the_owner_itself_runs_its_turns),
        CASE(an_honest_engine_is_audited_without_an_alarm),
        CASE(a_counter_changed_behind_the_ledgers_back_is_found),
        CASE(snapshots_and_cuts_are_taken_under_traffic),
        CASE(nearly_full_a_disk_takes_ends_and_changes_but_no_new_calls),
        CASE(the_audit_takes_no_more_than_its_share),
        CASE(in_memory_there_is_nothing_to_keep),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
