/* SPDX-License-Identifier: Apache-2.0
 * Proves that the journal gives back exactly the groups it was given, across reopening; that a
 * changed, missing, added or reordered group, a damaged database page and damage in the middle of
 * the write-ahead file are refused, and a torn tail is not; and that one process has it alone. */
#include "base/limits.h"
#include "store/journal.h"
#include "unit/temp.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* What the tests write: group i holds i + 1 entries and bytes that follow from i. */
static struct journal_group group_of(unsigned i, uint64_t first_seq, char room[4096])
{
    size_t len = 40 + i * 37 % 4000;
    for (size_t k = 0; k < len; k++)
        room[k] = (char)(i + k);
    return (struct journal_group){first_seq, i + 1, {room, len}};
}

static int match(void *user, const struct journal_group *group)
{
    unsigned *next = user;
    char room[4096];
    struct journal_group wanted = group_of(*next, group->first_seq, room);
    assert_int_equal(group->count, wanted.count);
    assert_true(slice_equal(group->entries, wanted.entries));
    ++*next;
    return 0;
}

static int ignore(void *user, const struct journal_group *group)
{
    (void)user;
    (void)group;
    return 0;
}

/* Appends groups from..to-1 behind what is there. */
static void append(struct journal *journal, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char room[4096];
        struct journal_group group = group_of(i, journal_last_seq(journal) + 1, room);
        assert_int_equal(journal_append(journal, &group), 0);
        assert_int_equal(journal_tidy(journal), 0);
    }
}

static struct journal *opened(void)
{
    struct journal *journal;
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
    unsigned next = 0;
    assert_int_equal(journal_read(journal, NULL, match, &next, NULL), 0);
    return journal;
}

static int read_again(char detail[256])
{
    struct journal *journal;
    int error = journal_open(os_system(), directory, 1, &journal);
    if (error)
        return error;
    error = journal_read(journal, NULL, ignore, NULL, detail);
    journal_close(journal);
    return error;
}

static void write_groups(unsigned count)
{
    struct journal *journal = opened();
    append(journal, 0, count);
    journal_close(journal);
}

static void sql(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/journal.db", directory);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void groups_come_back_after_reopening(void **state)
{
    (void)state;
    struct journal *journal = opened();
    assert_int_equal(journal_last_seq(journal), 0);
    append(journal, 0, 100);
    uint8_t head[JOURNAL_HASH], again[JOURNAL_HASH];
    journal_head(journal, head);
    uint64_t last = journal_last_seq(journal), bytes = journal_bytes(journal);
    journal_close(journal);
    journal = opened();
    journal_head(journal, again);
    assert_memory_equal(head, again, JOURNAL_HASH);
    assert_int_equal(journal_last_seq(journal), last);
    assert_int_equal(journal_bytes(journal), bytes);
    assert_int_equal(last, 100 * 101 / 2);
    append(journal, 100, 200);
    journal_close(journal);
    unsigned next = 0;
    assert_int_equal(journal_open(os_system(), directory, 1, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, match, &next, NULL), 0);
    assert_int_equal(next, 200);
    journal_close(journal);
}

static void the_largest_group_fits(void **state)
{
    (void)state;
    struct journal *journal = opened();
    char *bytes = calloc(1, LIMIT_GROUP);
    struct journal_group group = {1, 7, {bytes, LIMIT_GROUP}};
    assert_int_equal(journal_append(journal, &group), 0);
    free(bytes);
    journal_close(journal);
    assert_int_equal(read_again(NULL), 0);
}

static void a_changed_byte_of_a_group_is_refused(void **state)
{
    (void)state;
    write_groups(20);
    char detail[256] = "";
    sql("UPDATE journal SET entries = CAST(substr(entries, 1, 30) || x'00' || substr(entries, 32)"
        " AS BLOB) WHERE first_seq = 11");
    assert_int_equal(read_again(detail), METE_E_CORRUPT);
    assert_non_null(strstr(detail, "group 11"));
}

static void a_changed_chain_hash_is_refused(void **state)
{
    (void)state;
    write_groups(20);
    sql("UPDATE journal SET chain_hash = randomblob(32) WHERE first_seq = 11");
    assert_int_equal(read_again(NULL), METE_E_CORRUPT);
}

static void a_missing_group_is_refused(void **state)
{
    (void)state;
    write_groups(20);
    char detail[256] = "";
    sql("DELETE FROM journal WHERE first_seq = 11");
    assert_int_equal(read_again(detail), METE_E_CORRUPT);
    assert_string_equal(detail, "entries 11 to 15 are missing");
}

static void a_missing_first_group_is_refused(void **state)
{
    (void)state;
    write_groups(20);
    sql("DELETE FROM journal WHERE first_seq = 1");
    assert_int_equal(read_again(NULL), METE_E_CORRUPT);
}

static void exchanged_groups_are_refused(void **state)
{
    (void)state;
    write_groups(1);
    struct journal *journal = opened();
    struct journal_group twins[2] = {{2, 3, {"aaaa", 4}}, {5, 3, {"bbbb", 4}}};
    assert_int_equal(journal_append(journal, &twins[0]), 0);
    assert_int_equal(journal_append(journal, &twins[1]), 0);
    journal_close(journal);
    assert_int_equal(read_again(NULL), 0);
    sql("UPDATE journal SET first_seq = 100 WHERE first_seq = 2;"
        "UPDATE journal SET first_seq = 2 WHERE first_seq = 5;"
        "UPDATE journal SET first_seq = 5 WHERE first_seq = 100");
    assert_int_equal(read_again(NULL), METE_E_CORRUPT);
}

static void foreign_and_newer_files_are_refused(void **state)
{
    (void)state;
    write_groups(1);
    sql("PRAGMA user_version=3");
    assert_int_equal(read_again(NULL), METE_E_FORMAT);
    sql("PRAGMA user_version=1; PRAGMA application_id=7");
    assert_int_equal(read_again(NULL), METE_E_CORRUPT);
}

/* Every byte of the file in turn would take minutes: every 97th does, over all pages. Unused bytes
 * of a page mean nothing, so a read that succeeds must give the very same head. */
static void damage_of_the_database_file_is_seen_or_harmless(void **state)
{
    (void)state;
    write_groups(12);
    struct journal *journal = opened();
    uint8_t head[JOURNAL_HASH];
    journal_head(journal, head);
    journal_close(journal);
    char path[128];
    snprintf(path, sizeof path, "%s/journal.db", directory);
    int fd = open(path, O_RDWR);
    struct stat stat;
    assert_int_equal(fstat(fd, &stat), 0);
    unsigned refused = 0;
    for (off_t at = 0; at < stat.st_size; at += 97) {
        char byte, wrong;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        wrong = (char)(byte ^ 0x40);
        assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
        int error = journal_open(os_system(), directory, 1, &journal);
        if (!error) {
            error = journal_read(journal, NULL, ignore, NULL, NULL);
            uint8_t now[JOURNAL_HASH];
            if (!error) {
                journal_head(journal, now);
                assert_memory_equal(now, head, JOURNAL_HASH);
            }
            journal_close(journal);
        }
        assert_true(error == 0 || error == METE_E_CORRUPT || error == METE_E_FORMAT ||
                    error == METE_E_STORAGE);
        refused += error != 0;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    assert_true(refused > 5);
    assert_int_equal(read_again(NULL), 0);
}

/* Leaves the write-ahead file behind, as kill -9 does. */
static void write_and_die(unsigned count)
{
    pid_t child = fork();
    if (!child) {
        append(opened(), 0, count);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static off_t wal_size(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/journal.db-wal", directory);
    struct stat stat;
    return lstat(path, &stat) ? 0 : stat.st_size;
}

static void flip_in_wal(off_t at)
{
    char path[128];
    snprintf(path, sizeof path, "%s/journal.db-wal", directory);
    int fd = open(path, O_RDWR);
    char byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

enum { WAL_FRAME = 24 + 4096 };

static void groups_survive_a_kill(void **state)
{
    (void)state;
    write_and_die(20);
    assert_true(wal_size() > 20 * WAL_FRAME);
    struct journal *journal = opened();
    assert_int_equal(journal_last_seq(journal), 210);
    journal_close(journal);
}

static void a_torn_tail_ends_the_journal_before_it(void **state)
{
    (void)state;
    write_and_die(20);
    flip_in_wal(wal_size() - 100);
    struct journal *journal = opened();
    assert_int_equal(journal_last_seq(journal), 19 * 20 / 2);
    journal_close(journal);
}

/* SQLite alone would take this for the end and silently drop what was acknowledged behind it. */
static void damage_in_the_middle_of_the_wal_is_refused(void **state)
{
    (void)state;
    write_and_die(20);
    struct journal *journal;
    flip_in_wal(32 + 8 * WAL_FRAME + 1250);
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), METE_E_CORRUPT);
    flip_in_wal(32 + 8 * WAL_FRAME + 1250);
    flip_in_wal(3);
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), METE_E_CORRUPT);
    flip_in_wal(3);
    flip_in_wal(32 + 8 * WAL_FRAME + 10); /* salt of a frame's header */
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), METE_E_CORRUPT);
    flip_in_wal(32 + 8 * WAL_FRAME + 10);
    journal = opened();
    assert_int_equal(journal_last_seq(journal), 210);
    journal_close(journal);
}

static void a_second_opening_is_locked_out(void **state)
{
    (void)state;
    struct journal *first = opened(), *second;
    assert_int_equal(journal_open(os_system(), directory, 0, &second), METE_E_LOCKED);
    pid_t child = fork();
    if (!child)
        _exit(journal_open(os_system(), directory, 0, &second) == METE_E_LOCKED ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    journal_close(first);
    journal_close(opened());
}

static void read_only_changes_nothing(void **state)
{
    (void)state;
    struct journal *journal;
    assert_int_equal(journal_open(os_system(), directory, 1, &journal), METE_E_NOT_FOUND);
    write_and_die(20);
    off_t size = wal_size();
    assert_int_equal(read_again(NULL), 0);
    assert_int_equal(wal_size(), size);
    assert_int_equal(read_again(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(groups_come_back_after_reopening),
        CASE(the_largest_group_fits),
        CASE(a_changed_byte_of_a_group_is_refused),
        CASE(a_changed_chain_hash_is_refused),
        CASE(a_missing_group_is_refused),
        CASE(a_missing_first_group_is_refused),
        CASE(exchanged_groups_are_refused),
        CASE(foreign_and_newer_files_are_refused),
        CASE(damage_of_the_database_file_is_seen_or_harmless),
        CASE(groups_survive_a_kill),
        CASE(a_torn_tail_ends_the_journal_before_it),
        CASE(damage_in_the_middle_of_the_wal_is_refused),
        CASE(a_second_opening_is_locked_out),
        CASE(read_only_changes_nothing),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
