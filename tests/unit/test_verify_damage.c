/* SPDX-License-Identifier: Apache-2.0
 * Proves that verify says what is wrong, and that a start refuses what it must not go on from: each
 * field of an event, rows and files that are missing or of another journal, snapshots that are not
 * what the journal makes, a base that is not the one the chain names. */
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char room[64], data[80], other[80];
static struct mete *mete;
static struct mete_port *port;

static int set_up(void **state)
{
    (void)state;
    int failed = temp_make(room, sizeof room);
    snprintf(data, sizeof data, "%s/data", room);
    snprintf(other, sizeof other, "%s/other", room);
    return failed;
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(room);
}

static int open_at(const char *directory)
{
    const struct mete_options options = {.directory = directory, .no_audit = 1};
    int error = mete_open(&options, &mete);
    if (!error)
        assert_int_equal(mete_port_open(mete, &port), 0);
    return error;
}

static void close_it(void)
{
    mete_port_close(port);
    mete_close(mete);
}

static void spend(int calls)
{
    for (int i = 0; i < calls; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        assert_int_equal(help_reserve(port, "", 300, 0, &verdict), 0);
        assert_int_equal(help_commit(port, verdict.reservation, 200, &receipt), 0);
    }
}

/* With a snapshot, or cut; *ret_seq: which. */
static void make(const char *directory, bool cuts, uint64_t *ret_seq)
{
    assert_int_equal(open_at(directory), 0);
    assert_int_equal(help_tree(port, 10000), 0);
    spend(30);
    assert_int_equal(cuts ? mete_cut(mete, ret_seq) : mete_snapshot(mete, ret_seq), 0);
    spend(5);
    close_it();
}

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    char command[600];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_int_equal(system(command), 0); /* NOLINT: all names in it are ours */
}

static void sql(const char *file, const char *text)
{
    char path[128], *error = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s", data, file);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    sqlite3_close(db);
}

static void is_clean(void)
{
    struct verify_report report;
    int error = engine_verify(data, &report);
    if (error)
        fail_msg("%s: %s", mete_error_name(error), report.detail);
}

static void is_found(const char *what, const char *detail)
{
    struct verify_report report;
    int error = engine_verify(data, &report);
    if (error != METE_E_CORRUPT || !strstr(report.detail, detail))
        fail_msg("%s: %s, '%s'", what, mete_error_name(error), report.detail);
}

static void every_field_of_an_event_is_compared(void **state)
{
    (void)state;
    static const char *const fields[] = {"kind",         "at_us",     "seq",
                                         "scope",        "budget",    "threshold_ppm",
                                         "limit_amount", "committed", "held"};
    uint64_t seq;
    make(data, false, &seq);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char change[160];
        snprintf(change, sizeof change,
                 "CREATE TABLE kept AS SELECT * FROM event; UPDATE event SET %s=%s+1"
                 " WHERE seq=(SELECT max(seq) FROM event)",
                 fields[i], fields[i]);
        sql("records.db", change);
        is_found(fields[i], "event");
        sql("records.db", "DELETE FROM event; INSERT INTO event SELECT * FROM kept;"
                          "DROP TABLE kept");
        is_clean();
    }
    sql("records.db", "INSERT INTO event SELECT seq+1000,n,kind,at_us,scope,budget,threshold_ppm,"
                      "limit_amount,committed,held FROM event");
    is_found("an event more", "event");
}

static void usage_that_is_not_of_the_journal_is_found(void **state)
{
    (void)state;
    uint64_t seq;
    make(data, false, &seq);
    sql("records.db", "CREATE TABLE kept AS SELECT * FROM usage");
    sql("records.db", "UPDATE usage SET output=7 WHERE seq=(SELECT max(seq) FROM usage)");
    is_found("a meter more", "usage record");
    sql("records.db", "DELETE FROM usage; INSERT INTO usage SELECT * FROM kept");
    sql("records.db", "UPDATE kept SET seq=seq+1000; INSERT INTO usage SELECT * FROM kept");
    is_found("a record behind the last", "is not of the journal");
    sql("records.db", "DELETE FROM usage WHERE seq>1000; UPDATE usage SET seq=seq+1000 WHERE"
                      " seq=(SELECT max(seq) FROM usage)");
    is_found("a record that moved", "missing");
}

static void entities_that_are_not_of_the_journal_are_found(void **state)
{
    (void)state;
    uint64_t seq;
    make(data, false, &seq);
    sql("records.db", "CREATE TABLE kept AS SELECT * FROM entity");
    sql("records.db", "UPDATE entity SET handle=5000, id='x' WHERE kind=4");
    is_found("another handle", "is not of the journal");
    sql("records.db", "UPDATE entity SET handle=4, id='key', kind=3 WHERE kind=4");
    is_found("another kind", "");
    sql("records.db", "DELETE FROM entity; INSERT INTO entity SELECT * FROM kept;"
                      "INSERT INTO entity SELECT 102,handle,organization,parent,id,document,ended,"
                      "seq,at_us,actor FROM kept WHERE kind=100");
    is_found("a grant", "grant");
    sql("records.db",
        "DELETE FROM entity WHERE kind=102; UPDATE entity SET kind=101 WHERE kind=100");
    is_found("a rate limit", "rate limit");
}

static void files_that_are_missing_are_told(void **state)
{
    (void)state;
    uint64_t seq;
    make(data, true, &seq);
    is_clean();
    run("cp -r %s %s", data, other);
    run("rm %s/records.db*", data);
    is_found("no records", "records.db is missing");
    assert_int_equal(open_at(data), METE_E_CORRUPT);
    run("rm -r %s && cp -r %s %s && rm %s/snapshots/*", data, other, data, data);
    is_found("no base", "and it is the base");
    assert_int_equal(open_at(data), METE_E_CORRUPT);
    run("rm -r %s && cp -r %s %s && echo x > %s/records.db", data, other, data, data);
    is_found("no database", "records.db is damaged");
    run("echo x > %s/journal.db", data);
    is_found("no journal", "journal.db");
}

static void a_snapshot_of_another_journal_is_told(void **state)
{
    (void)state;
    uint64_t seq, others;
    make(data, false, &seq);
    make(other, false, &others);
    assert_int_equal(seq, others);
    run("cp %s/snapshots/* %s/snapshots/", other, data);
    is_found("another's", "is not of this journal");
    assert_int_equal(open_at(data), 0); /* it starts without it */
    close_it();
    run("rm %s/snapshots/* && truncate -s -1 %s/snapshots/* && cp %s/snapshots/* %s/snapshots/",
        data, other, other, data);
    is_found("a short one", "it may be deleted");
}

static void another_base_is_told(void **state)
{
    (void)state;
    uint64_t seq, others;
    make(data, true, &seq);
    make(other, true, &others);
    run("cp %s/snapshots/* %s/snapshots/", other, data);
    is_found("another's", "");
    assert_int_equal(open_at(data), METE_E_CORRUPT);
}

/* The chain's own word for its base is an entry; here the row says another one. */
static void a_base_that_no_entry_names_is_told(void **state)
{
    (void)state;
    uint64_t seq, second;
    char path[160];
    make(data, true, &seq);
    assert_int_equal(open_at(data), 0);
    assert_int_equal(mete_snapshot(mete, &second), 0);
    spend(3);
    close_it();
    snprintf(path, sizeof path,
             "UPDATE base SET seq=%" PRIu64 ", chain_hash=(SELECT chain_hash FROM journal WHERE"
             " first_seq<=%" PRIu64 " ORDER BY first_seq DESC LIMIT 1)",
             second, second);
    sql("journal.db", path);
    is_found("a base by the row alone", "no entry names the base");
    assert_int_equal(open_at(data), METE_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(every_field_of_an_event_is_compared),
        CASE(usage_that_is_not_of_the_journal_is_found),
        CASE(entities_that_are_not_of_the_journal_are_found),
        CASE(files_that_are_missing_are_told),
        CASE(a_snapshot_of_another_journal_is_told),
        CASE(another_base_is_told),
        CASE(a_base_that_no_entry_names_is_told),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
