/* SPDX-License-Identifier: Apache-2.0
 * Proves that a backup made beside traffic opens and verifies like the first, journal, records and
 * snapshots at once, cut or not; that a restored one does as well, with every other file of the
 * directory; that neither overwrites anything; and that what was interrupted is not there. */
#include "engine/backup.h"
#include "store/snapshot.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char room[64], data[80], backup[80], restored[80];
static struct mete *mete;
static struct mete_port *port;

static int set_up(void **state)
{
    (void)state;
    int failed = temp_make(room, sizeof room);
    snprintf(data, sizeof data, "%s/data", room);
    snprintf(backup, sizeof backup, "%s/backup", room);
    snprintf(restored, sizeof restored, "%s/restored", room);
    return failed;
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(room);
}

static void open_at(const char *directory)
{
    const struct mete_options options = {.directory = directory,
                                         .scopes_max = 1000,
                                         .budgets_max = 1000,
                                         .reservations_max = 1000,
                                         .outcomes_max = 1000,
                                         .no_audit = 1};
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void spend(struct mete_port *through, int calls)
{
    for (int i = 0; i < calls; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        assert_int_equal(help_reserve(through, "", 100, 0, &verdict), 0);
        if (i % 5)
            assert_int_equal(help_commit(through, verdict.reservation, 1 + i % 90, &receipt), 0);
    }
}

static void must_be_clean(const char *directory, struct verify_report *ret_report)
{
    if (engine_verify(directory, ret_report))
        fail_msg("%s: %s", directory, ret_report->detail);
}

static _Atomic bool is_over;

static void *go_on_spending(void *user)
{
    while (!atomic_load(&is_over))
        spend(user, 10);
    return NULL;
}

static void a_backup_under_traffic_opens_and_verifies(void **state)
{
    (void)state;
    open_at(data);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    spend(port, 200);
    struct mete_answer answer; /* the records follow the journal: until they are there */
    assert_int_equal(help_ask(port, METE_QUERY_PROJECTED, &answer), 0);
    struct mete_port *other;
    pthread_t thread;
    uint64_t seq = 0, snapshot;
    assert_int_equal(mete_port_open(mete, &other), 0);
    atomic_store(&is_over, false);
    assert_int_equal(pthread_create(&thread, NULL, go_on_spending, other), 0);
    for (int round = 0; round < 4; round++) {
        struct verify_report report;
        char to[96];
        snprintf(to, sizeof to, "%s-%d", backup, round);
        if (round == 1)
            assert_int_equal(mete_snapshot(mete, &snapshot), 0);
        if (round == 2)
            assert_int_equal(mete_cut(mete, &snapshot), 0);
        assert_int_equal(mete_backup(mete, to, &seq), 0);
        must_be_clean(to, &report);
        assert_int_equal(report.last_seq, seq);
        assert_true(report.has_records && report.usage + report.base > 100);
        assert_int_equal(report.snapshots, round == 0 ? 0 : 1);
        assert_int_equal(report.base, round < 2 ? 0 : snapshot);
        assert_int_equal(mete_backup(mete, to, &seq), METE_E_EXISTS);
    }
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    mete_port_close(other);
    close_it();
}

static void a_backup_is_the_state_it_says(void **state)
{
    (void)state;
    struct mete_answer lived, again;
    uint64_t seq;
    open_at(data);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    spend(port, 100);
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &lived), 0);
    assert_int_equal(mete_backup(mete, backup, &seq), 0);
    assert_int_equal(seq, lived.seq);
    spend(port, 10);
    close_it();
    open_at(backup);
    assert_int_equal(help_ask(port, METE_QUERY_HASH, &again), 0);
    assert_memory_equal(lived.hash, again.hash, 32);
    spend(port, 10); /* it goes on */
    close_it();
}

static void put_file(const char *directory, const char *name, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_int_equal(write(fd, name, strlen(name)), (ssize_t)strlen(name));
    close(fd);
}

static bool has_file(const char *directory, const char *name, mode_t mode)
{
    char path[128];
    struct stat found;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return stat(path, &found) == 0 && (found.st_mode & 0777) == mode &&
           found.st_size == (off_t)strlen(name);
}

static void make_backup(void)
{
    uint64_t seq;
    open_at(data);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    spend(port, 50);
    assert_int_equal(mete_cut(mete, &seq), 0);
    spend(port, 20);
    assert_int_equal(mete_backup(mete, backup, &seq), 0);
    close_it();
    put_file(backup, "secret.key", 0600);
    put_file(backup, "address", 0600);
}

static void a_restored_backup_verifies_clean(void **state)
{
    (void)state;
    struct verify_report first, second;
    make_backup();
    must_be_clean(backup, &first);
    assert_int_equal(mkdir(restored, 0700), 0); /* an empty one may be there */
    assert_int_equal(engine_restore(backup, restored, &second), 0);
    assert_memory_equal(&first, &second, sizeof first);
    assert_true(has_file(restored, "secret.key", 0600));
    assert_false(has_file(restored, "address", 0600));
    open_at(restored);
    spend(port, 10);
    close_it();
    must_be_clean(restored, &second);
    assert_int_equal(engine_restore(backup, restored, &second), METE_E_EXISTS);
}

static void a_damaged_backup_is_not_restored(void **state)
{
    (void)state;
    struct verify_report report;
    char path[128];
    make_backup();
    snprintf(path, sizeof path, "%s/journal.db", backup);
    int fd = open(path, O_RDWR);
    struct stat found;
    assert_int_equal(fstat(fd, &found), 0);
    uint8_t byte;
    for (off_t at = found.st_size - 1; at > 0; at--) { /* the last that is not nothing */
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        if (byte) {
            byte ^= 0x55;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            break;
        }
    }
    close(fd);
    assert_int_equal(engine_restore(backup, restored, &report), METE_E_CORRUPT);
    assert_string_not_equal(report.detail, "");
    assert_int_not_equal(access(restored, F_OK), 0);
    assert_int_equal(engine_restore("/nowhere", restored, &report), METE_E_NOT_FOUND);
}

static void what_an_interrupted_one_left_is_in_nobodys_way(void **state)
{
    (void)state;
    char part[96];
    uint64_t seq;
    struct verify_report report;
    snprintf(part, sizeof part, "%s.part", backup);
    assert_int_equal(mkdir(part, 0700), 0);
    put_file(part, "journal.db", 0600);
    open_at(data);
    assert_int_equal(help_tree(port, INT64_C(1000000000000)), 0);
    assert_int_equal(mete_backup(mete, backup, &seq), 0);
    assert_int_equal(mete_backup(mete, "/nowhere/at/all", &seq), METE_E_STORAGE);
    assert_int_equal(mete_backup(mete, "", &seq), METE_E_INVALID);
    close_it();
    assert_int_not_equal(access(part, F_OK), 0);
    must_be_clean(backup, &report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_backup_under_traffic_opens_and_verifies),
        CASE(a_backup_is_the_state_it_says),
        CASE(a_restored_backup_verifies_clean),
        CASE(a_damaged_backup_is_not_restored),
        CASE(what_an_interrupted_one_left_is_in_nobodys_way),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
