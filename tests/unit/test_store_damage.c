/* SPDX-License-Identifier: Apache-2.0
 * Proves that what does not belong into a file of ours is told from what does, field by field: a
 * journal's rows and its base, the header of its write-ahead file, the records' marks and figures,
 * a snapshot's head and name. The error says damage where bytes are wrong, a newer format where
 * they are of a newer one, and storage where there can be no such file. */
#include "base/limits.h"
#include "store/db.h"
#include "store/journal.h"
#include "store/records.h"
#include "store/snapshot.h"
#include "unit/temp.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static void sql(const char *file, const char *text)
{
    char path[128], *error = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s", directory, file);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    sqlite3_close(db);
}

/* ---- The journal ----------------------------------------------------------------------------- */

enum { GROUPS = 6 };

static int ignore(void *user, const struct journal_group *group)
{
    (void)user, (void)group;
    return 0;
}

static int read_journal(int read_only)
{
    struct journal *journal;
    int error = journal_open(os_system(), directory, read_only, &journal);
    if (error)
        return error;
    error = journal_read(journal, NULL, ignore, NULL, NULL);
    journal_close(journal);
    return error;
}

/* One that was cut behind the second group. */
static struct journal *make_journal(void)
{
    struct journal *journal;
    struct journal_mark base = {0};
    int more;
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
    assert_int_equal(journal_read(journal, NULL, ignore, NULL, NULL), 0);
    for (uint64_t seq = 1; seq <= GROUPS; seq++) {
        const struct journal_group group = {seq, 1, SLICE_LITERAL("an entry")};
        assert_int_equal(journal_append(journal, &group), 0);
        if (seq == 2) {
            base.seq = seq;
            journal_head(journal, base.head);
        }
    }
    assert_int_equal(journal_cut(journal, &base), 0);
    assert_int_equal(journal_cut_step(journal, &more), 0);
    return journal;
}

/* A change of what lies in the file, what reading says of it, and how it is undone. */
struct change {
    const char *change, *back;
    int error;
};

#define SET(field, value, seq) "UPDATE journal SET " field "=" value " WHERE first_seq=" seq
#define KEEP(field) "UPDATE journal SET " field "=(SELECT " field " FROM kept) WHERE first_seq=4"
static void each_field_of_a_journal_is_looked_at(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {SET("entries", "x'01000000'", "4"), KEEP("entries"), METE_E_CORRUPT},
        {SET("entries", "zeroblob(3000000)", "4"), KEEP("entries"), METE_E_CORRUPT},
        {SET("entries", "CAST(x'02'||substr(entries,2) AS BLOB)", "4"), KEEP("entries"),
         METE_E_FORMAT},
        {SET("entries", "CAST(x'00'||substr(entries,2) AS BLOB)", "4"), KEEP("entries"),
         METE_E_CORRUPT},
        {SET("entries", "CAST(x'0101'||substr(entries,3) AS BLOB)", "4"), KEEP("entries"),
         METE_E_CORRUPT},
        {SET("entries", "CAST(x'010001'||substr(entries,4) AS BLOB)", "4"), KEEP("entries"),
         METE_E_CORRUPT},
        {SET("entries", "CAST(x'01000001'||substr(entries,5) AS BLOB)", "4"), KEEP("entries"),
         METE_E_CORRUPT},
        {SET("entries", "CAST(x'0100000000000000'||substr(entries,9) AS BLOB)", "4"),
         KEEP("entries"), METE_E_CORRUPT},
        {SET("entries", "CAST(x'01000000ffffffff'||substr(entries,9) AS BLOB)", "4"),
         KEEP("entries"), METE_E_CORRUPT},
        {SET("chain_hash", "x'00'", "4"), KEEP("chain_hash"), METE_E_CORRUPT},
        {SET("chain_hash", "zeroblob(32)", "4"), KEEP("chain_hash"), METE_E_CORRUPT},
        {SET("first_seq", "40", "4"), SET("first_seq", "4", "40"), METE_E_CORRUPT},
        {"UPDATE base SET seq=0", "UPDATE base SET seq=2", METE_E_CORRUPT},
        {"UPDATE base SET seq=-5", "UPDATE base SET seq=2", METE_E_CORRUPT},
        {"UPDATE base SET seq=3", "UPDATE base SET seq=2", METE_E_CORRUPT},
        {"UPDATE base SET chain_hash=x'1234'",
         "UPDATE base SET chain_hash=(SELECT chain_hash FROM kept_base)", METE_E_CORRUPT},
        {"DELETE FROM base", "INSERT INTO base SELECT * FROM kept_base", METE_E_CORRUPT},
        {"ALTER TABLE base RENAME COLUMN seq TO other",
         "ALTER TABLE base RENAME COLUMN other TO seq", METE_E_CORRUPT},
        {"ALTER TABLE journal RENAME COLUMN entries TO other",
         "ALTER TABLE journal RENAME COLUMN other TO entries", METE_E_CORRUPT},
        {"PRAGMA user_version=3", "PRAGMA user_version=2", METE_E_FORMAT},
        {"PRAGMA user_version=0", "PRAGMA user_version=2", METE_E_CORRUPT},
        {"PRAGMA application_id=7", "PRAGMA application_id=1835365477", METE_E_CORRUPT},
    };
    journal_close(make_journal());
    sql("journal.db", "CREATE TABLE kept AS SELECT * FROM journal WHERE first_seq=4;"
                      "CREATE TABLE kept_base AS SELECT * FROM base");
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_int_equal(read_journal(0), 0);
        sql("journal.db", changes[i].change);
        for (int read_only = 0; read_only < 2; read_only++) {
            int error = read_journal(read_only);
            if (error != changes[i].error)
                fail_msg("%s: %s", changes[i].change, mete_error_name(error));
        }
        sql("journal.db", changes[i].back);
    }
    assert_int_equal(read_journal(1), 0);
}

/* Beside appending nothing is checked but what a copy needs. */
static void a_row_that_is_none_is_not_fetched(void **state)
{
    (void)state;
    static const char *const changes[] = {SET("entries", "x'01'", "4"),
                                          SET("entries", "zeroblob(3000000)", "5"),
                                          SET("chain_hash", "x'01'", "6")};
    static uint8_t room[JOURNAL_PIECE_MIN];
    for (uint64_t i = 0; i < 3; i++) {
        struct journal *journal;
        struct journal_piece piece = {room, 0, sizeof room};
        if (i == 0)
            journal_close(make_journal());
        sql("journal.db", changes[i]);
        assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
        assert_int_equal(journal_fetch(journal, 3 + i, 1, &piece), METE_E_CORRUPT);
        journal_close(journal);
    }
}

static void a_mark_of_another_history_is_not_known(void **state)
{
    (void)state;
    struct journal *journal = make_journal();
    struct journal_mark mark = {.seq = 1};
    assert_int_equal(journal_knows(journal, &mark), METE_E_NOT_FOUND); /* before the base */
    mark.seq = 2;
    assert_int_equal(journal_knows(journal, &mark), METE_E_NOT_FOUND); /* with another hash */
    mark.seq = 4;
    assert_int_equal(journal_knows(journal, &mark), METE_E_NOT_FOUND);
    mark.seq = GROUPS + 1;
    assert_int_equal(journal_knows(journal, &mark), METE_E_NOT_FOUND); /* behind the end */
    assert_int_equal(journal_cut(journal, &mark), METE_E_NOT_FOUND);
    mark.seq = GROUPS;
    journal_head(journal, mark.head);
    assert_int_equal(journal_knows(journal, &mark), 0);
    journal_close(journal);
    sql("journal.db", SET("entries", "x'0100'", "6"));
    assert_int_equal(journal_open(os_system(), directory, 0, &journal), 0);
    assert_int_equal(journal_knows(journal, &mark), METE_E_NOT_FOUND);
    journal_close(journal);
}

static void what_is_no_database_is_damage(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/journal.db", directory);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 2000; i++)
        fputs("no database at all. ", file);
    fclose(file);
    assert_int_equal(read_journal(0), METE_E_CORRUPT);
    file = fopen(path, "w"); /* made, and nothing written yet */
    fclose(file);
    assert_int_equal(read_journal(1), METE_E_NOT_FOUND);
    sql("journal.db", "PRAGMA journal_mode=WAL"); /* nothing of ours */
    assert_int_equal(read_journal(1), METE_E_STORAGE);
    assert_int_equal(read_journal(0), 0);
}

static void change_byte(const char *name, long at, uint8_t value)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &value, 1, at), 1);
    close(fd);
}

static uint8_t byte_of(const char *name, long at)
{
    char path[128];
    uint8_t value = 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &value, 1, at), 1);
    close(fd);
    return value;
}

static void copy_file(const char *from, const char *to)
{
    char command[400];
    snprintf(command, sizeof command, "cp %s/%s %s/%s", directory, from, directory, to);
    assert_int_equal(system(command), 0); /* NOLINT: both names are ours */
}

/* The header of the write-ahead file: magic, page size, checksum; each byte of them. */
static void a_write_ahead_file_of_another_is_damage(void **state)
{
    (void)state;
    static const long at[] = {0, 3, 8, 9, 10, 11, 17, 24, 25, 28, 31};
    struct journal *journal = make_journal();
    copy_file("journal.db-wal", "kept-wal");
    copy_file("journal.db", "kept-db");
    journal_close(journal);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        copy_file("kept-db", "journal.db");
        copy_file("kept-wal", "journal.db-wal");
        change_byte("journal.db-wal", at[i], (uint8_t)(byte_of("kept-wal", at[i]) ^ 0x5a));
        int error = read_journal(1);
        if (error != METE_E_CORRUPT)
            fail_msg("byte %ld: %s", at[i], mete_error_name(error));
    }
    copy_file("kept-wal", "journal.db-wal");
    assert_int_equal(read_journal(1), 0);
}

/* ---- Records --------------------------------------------------------------------------------- */

static int open_reader(struct records_reader **ret_reader)
{
    return records_reader_open(os_system(), directory, ret_reader);
}

static void make_records(int records_len)
{
    struct records *records;
    assert_int_equal(records_open(os_system(), directory, &records), 0);
    assert_int_equal(records_begin(records), 0);
    for (int i = 1; i <= records_len; i++) {
        const struct mete_usage meters[] = {{METE_COST, METE_CURRENCY('A', 'A', 'A' + i), i},
                                            {METE_INPUT, 0, i},
                                            {METE_METER_CUSTOM, 0, i}};
        const struct records_usage usage = {
            .seq = (uint64_t)i, .scope = {1}, .ended_us = i * 10, .usage = meters, .usage_len = 3};
        assert_int_equal(records_put_usage(records, &usage), 0);
    }
    assert_int_equal(records_end(records, 100), 0);
    records_close(records);
}

static void marks_of_records_are_looked_at(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {"UPDATE meta SET value=-1 WHERE name='last_seq'",
         "UPDATE meta SET value=100 WHERE name='last_seq'", METE_E_CORRUPT},
        {"ALTER TABLE usage RENAME TO other", "ALTER TABLE other RENAME TO usage", METE_E_CORRUPT},
        {"PRAGMA user_version=9", "PRAGMA user_version=1", METE_E_FORMAT},
        {"PRAGMA application_id=1835365477", "PRAGMA application_id=1835365490", METE_E_CORRUPT},
    };
    make_records(1);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct records *records;
        struct records_reader *reader;
        uint64_t last;
        sql("records.db", changes[i].change);
        assert_int_equal(records_open(os_system(), directory, &records), changes[i].error);
        int error = open_reader(&reader);
        if (!error) {
            error = records_reader_last_seq(reader, &last);
            records_reader_close(reader);
        }
        assert_int_equal(error, changes[i].error);
        sql("records.db", changes[i].back);
    }
    sql("records.db", "DELETE FROM meta");
    struct records_reader *reader;
    uint64_t last;
    assert_int_equal(open_reader(&reader), 0);
    assert_int_equal(records_reader_last_seq(reader, &last), METE_E_CORRUPT);
    records_reader_close(reader);
}

static void records_that_were_only_made_are_none(void **state)
{
    (void)state;
    struct records_reader *reader;
    assert_int_equal(open_reader(&reader), METE_E_NOT_FOUND);
    sql("records.db", "PRAGMA journal_mode=WAL");
    assert_int_equal(open_reader(&reader), METE_E_STORAGE);
}

static void sums_that_do_not_fit_are_too_large(void **state)
{
    (void)state;
    static const char *const columns[] = {"input", "output", "total_tokens", "requests"};
    const struct records_filter all = {.limit = 1};
    struct records_reader *reader;
    struct records_totals totals;
    make_records(9); /* in as many currencies: one too many */
    assert_int_equal(open_reader(&reader), 0);
    assert_int_equal(records_total(reader, &all, &totals), METE_E_TOO_LARGE);
    sql("records.db", "DELETE FROM usage WHERE seq>3");
    assert_int_equal(records_total(reader, &all, &totals), 0);
    assert_int_equal(totals.currencies, 3);
    sql("records.db", "UPDATE usage SET currency=NULL WHERE seq=3");
    assert_int_equal(records_total(reader, &all, &totals), 0);
    assert_int_equal(totals.currencies, 2);
    for (int i = 0; i < 4; i++) {
        char change[128];
        snprintf(change, sizeof change, "UPDATE usage SET %s=9223372036854775807", columns[i]);
        sql("records.db", change);
        assert_int_equal(records_total(reader, &all, &totals), METE_E_TOO_LARGE);
        snprintf(change, sizeof change, "UPDATE usage SET %s=1", columns[i]);
        sql("records.db", change);
    }
    records_reader_close(reader);
}

static int count(void *user, const struct records_usage *usage)
{
    *(size_t *)user += usage->usage_len;
    return 0;
}

static int stop(void *user, const struct mete_event *event)
{
    (void)user, (void)event;
    return METE_E_BUSY;
}

static void meters_that_are_cut_off_are_left_out(void **state)
{
    (void)state;
    const struct records_filter all = {.limit = 10, .to_us = 1000, .before_seq = 50};
    struct records_reader *reader;
    size_t meters = 0;
    make_records(1);
    assert_int_equal(open_reader(&reader), 0);
    assert_int_equal(records_each_usage(reader, &all, count, &meters), 0);
    assert_int_equal(meters, 3);
    sql("records.db", "UPDATE usage SET extra=x'ff'");
    assert_int_equal(records_each_usage(reader, &all, count, &meters), 0);
    assert_int_equal(meters, 5);
    sql("records.db",
        "UPDATE usage SET extra=CAST(replace(hex(zeroblob(200)),'00','000000') AS BLOB)");
    assert_int_equal(records_each_usage(reader, &all, count, &meters), 0);
    assert_int_equal(meters, 5 + RECORDS_METERS_MAX); /* and no more than there is room for */
    assert_int_equal(records_each_event(reader, UINT64_MAX, 1, stop, NULL), 0);
    sql("records.db", "INSERT INTO event VALUES (5,0,1,0,0,0,0,0,0,0)");
    assert_int_equal(records_each_event(reader, 0, 1, stop, NULL), METE_E_BUSY);
    records_reader_close(reader);
}

static int refuse(void *user)
{
    (void)user;
    return METE_E_CLOSED;
}

static void a_copy_that_is_stopped_says_so(void **state)
{
    (void)state;
    const struct records_pace pace = {refuse, NULL};
    char to[96];
    uint64_t last = 77;
    make_records(1);
    sql("records.db", "CREATE TABLE large AS SELECT zeroblob(3000000)");
    snprintf(to, sizeof to, "%s/to", directory);
    assert_int_equal(mkdir(to, 0700), 0);
    assert_int_equal(records_copy(os_system(), directory, to, &pace, &last), METE_E_CLOSED);
    assert_int_equal(last, 77);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static void make_snapshot(uint64_t seq)
{
    const struct snapshot_head head = {.mark.seq = seq};
    struct snapshot_writer *writer;
    uint8_t hash[SNAPSHOT_HASH];
    assert_int_equal(snapshot_begin(directory, &head, &writer), 0);
    assert_int_equal(snapshot_put(writer, SLICE_LITERAL("a piece")), 0);
    assert_int_equal(snapshot_end(writer, hash), 0);
}

static int check(uint64_t seq)
{
    struct snapshot_head head;
    uint8_t hash[SNAPSHOT_HASH];
    return snapshot_check(directory, seq, &head, hash);
}

static void the_head_of_a_snapshot_is_looked_at(void **state)
{
    (void)state;
    static const char name[] = "snapshots/00000000000000000007.snap";
    static const struct {
        long at;
        uint8_t value, was;
        int error;
    } changes[] = {{0, 'M', 'm', METE_E_CORRUPT},
                   {8, 0, 1, METE_E_CORRUPT},
                   {8, 2, 1, METE_E_FORMAT},
                   {32, 8, 7, METE_E_CORRUPT}};
    make_snapshot(7);
    for (int i = 0; i < 4; i++) {
        change_byte(name, changes[i].at, changes[i].value);
        assert_int_equal(check(7), changes[i].error);
        change_byte(name, changes[i].at, changes[i].was);
    }
    assert_int_equal(check(7), 0);
    assert_int_equal(check(8), METE_E_NOT_FOUND);
}

static void other_names_are_no_snapshots(void **state)
{
    (void)state;
    static const char *const others[] = {"0000000000000000000x.snap", "/0000000000000000007.snap",
                                         "00000000000000000007.old", "short"};
    uint64_t seqs[4];
    size_t len;
    char path[160];
    make_snapshot(7);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/snapshots/%s", directory, others[i] + (i == 1));
        fclose(fopen(path, "w"));
    }
    assert_int_equal(snapshot_list(directory, seqs, 4, &len), 0);
    assert_int_equal(len, 1);
    struct snapshot_reader *reader;
    struct slice piece;
    assert_int_equal(snapshot_open(directory, 7, &reader), 0);
    do
        assert_int_equal(snapshot_get(reader, &piece), 0);
    while (piece.len);
    assert_int_equal(snapshot_get(reader, &piece), 0); /* it is over, and stays so */
    assert_int_equal(piece.len, 0);
    snapshot_close(reader);
    snapshot_close(NULL);
    snapshot_abandon(NULL);
}

/* ---- Where there can be none ----------------------------------------------------------------- */

static void a_path_that_is_too_long_is_told(void **state)
{
    (void)state;
    static char path[5000];
    const struct snapshot_head head = {.mark.seq = 1};
    struct journal *journal;
    struct records *records;
    struct snapshot_writer *writer;
    struct snapshot_reader *reader;
    uint64_t seqs[1];
    size_t len, given = strlen(directory);
    for (size_t more = 4040; more <= 4110; more++) {
        memcpy(path, directory, given);
        for (size_t i = given; i < more; i++)
            path[i] = i % 2 ? '.' : '/';
        path[more] = 0;
        if (more < 4096 - 35) /* the system itself would have it */
            continue;
        assert_int_equal(journal_open(os_system(), path, 0, &journal), METE_E_STORAGE);
        int error = journal_open(os_system(), path, 1, &journal);
        assert_true(error == METE_E_STORAGE || (error == METE_E_NOT_FOUND && more < 4085));
        assert_int_equal(records_open(os_system(), path, &records), METE_E_STORAGE);
        assert_int_equal(snapshot_begin(path, &head, &writer), METE_E_STORAGE);
        assert_int_equal(snapshot_open(path, 1, &reader), METE_E_STORAGE);
        assert_int_equal(snapshot_remove(path, 1), METE_E_STORAGE);
        snapshot_tidy(path);
    }
    assert_int_equal(snapshot_list(path, seqs, 1, &len), METE_E_STORAGE);
}

static void a_file_in_a_directory_s_place_is_told(void **state)
{
    (void)state;
    char path[128];
    struct journal *journal;
    struct records *records;
    struct os os = *os_system();
    snprintf(path, sizeof path, "%s/file", directory);
    fclose(fopen(path, "w"));
    assert_int_equal(journal_open(&os, path, 0, &journal), METE_E_STORAGE);
    assert_int_equal(records_open(&os, path, &records), METE_E_STORAGE);
    os.sqlite_vfs = "there is no such file system";
    assert_int_equal(journal_open(&os, directory, 0, &journal), METE_E_STORAGE);
    journal_close(NULL);
    records_close(NULL);
    records_reader_close(NULL);
    records_cursor_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(each_field_of_a_journal_is_looked_at),    CASE(a_row_that_is_none_is_not_fetched),
        CASE(a_mark_of_another_history_is_not_known),  CASE(what_is_no_database_is_damage),
        CASE(a_write_ahead_file_of_another_is_damage), CASE(marks_of_records_are_looked_at),
        CASE(records_that_were_only_made_are_none),    CASE(sums_that_do_not_fit_are_too_large),
        CASE(meters_that_are_cut_off_are_left_out),    CASE(a_copy_that_is_stopped_says_so),
        CASE(the_head_of_a_snapshot_is_looked_at),     CASE(other_names_are_no_snapshots),
        CASE(a_path_that_is_too_long_is_told),         CASE(a_file_in_a_directory_s_place_is_told),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
