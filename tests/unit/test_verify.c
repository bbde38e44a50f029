/* SPDX-License-Identifier: Apache-2.0
 * Proves that verify finds a healthy data directory clean and counts what is in it, and that it
 * fails, naming the place, when one byte of the journal or one field of one record is changed, when
 * a record is missing or added, and when the records are ahead of the journal. */
#include "engine/verify.h"
#include "unit/engine_help.h"
#include "unit/temp.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char directory[64];
static uint8_t state_hash[32];

enum { CALLS = 30 };

/* Calls of every ending, thresholds, an overrun, an ended budget, a window of each kind. */
static int fill(void)
{
    struct mete_options options = {.directory = directory};
    struct mete *mete;
    struct mete_port *port;
    if (mete_open(&options, &mete) || mete_port_open(mete, &port) || help_tree(port, 1000000))
        return -1;
    struct mete_change changes[] = {
        help_budget("hourly", HELP_KEY, METE_HOURLY, 500000),
        help_budget("total", HELP_USER, METE_TOTAL, 10000),
        help_budget("gone", HELP_USER, METE_DAILY, 100000),
        {.kind = METE_END_BUDGET, .end = {METE_FROM_CHANGE(2)}},
        help_scope(METE_USER, "bob", HELP_ORGANIZATION, HELP_DEPARTMENT),
        help_budget("narrow", HELP_USER, METE_TOTAL, 100000),
        help_budget("others", HELP_USER, METE_TOTAL, 100000),
    };
    changes[5].budget.matches_len = changes[6].budget.matches_len = 1;
    changes[5].budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, help_text("gpt-*")};
    changes[6].budget.matches[0] = (struct mete_match){METE_MATCH_MODEL, help_text("claude")};
    uint32_t handles[7];
    struct mete_applied applied;
    struct mete_apply apply = {changes, 7, help_text("root")};
    int error = mete_apply(port, &apply, handles, &applied);
    for (int i = 0; !error && i < CALLS; i++) {
        struct mete_verdict verdict;
        struct mete_receipt receipt;
        char id[16] = "";
        if (i % 2)
            snprintf(id, sizeof id, "call-%d", i);
        error = help_reserve(port, id, 300, 0, &verdict);
        if (!error && i % 5 == 4)
            error = mete_release(port, verdict.reservation, &receipt);
        else if (!error && i % 7)
            error = help_commit(port, verdict.reservation, 150 + 10 * i, &receipt);
    }
    struct mete_usage usage = {METE_COST, METE_USD, 77};
    struct mete_record record = {.scope = {HELP_USER}, .usage = &usage, .usage_len = 1};
    struct mete_receipt receipt;
    changes[1].budget.limit = 20000;
    apply = (struct mete_apply){&changes[1], 1, help_text("later")};
    struct mete_answer answer = {0};
    if (!error)
        error = mete_record(port, &record, &receipt);
    if (!error)
        error = mete_apply(port, &apply, handles, &applied);
    if (!error)
        error = help_ask(port, METE_QUERY_HASH, &answer);
    memcpy(state_hash, answer.hash, 32);
    mete_port_close(port);
    mete_close(mete);
    return error;
}

static int set_up(void **state)
{
    (void)state;
    return temp_make(directory, sizeof directory) || fill();
}

static int tear_down(void **state)
{
    (void)state;
    return temp_remove(directory);
}

static void sql(const char *file, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *error = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    assert_true(sqlite3_total_changes(db) > 0);
    sqlite3_close(db);
}

static void a_healthy_directory_is_clean(void **state)
{
    (void)state;
    struct verify_report report;
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_string_equal(report.detail, "");
    assert_int_equal(report.entries, report.last_seq);
    assert_true(report.groups > CALLS);
    assert_true(report.has_records);
    assert_int_equal(report.records_seq, report.last_seq);
    assert_int_equal(report.usage, CALLS - 4 + 1); /* four stay open, one was recorded */
    assert_int_equal(report.reservations_open, 4);
    assert_int_equal(report.entities, 5 + 6);
    assert_true(report.events > 2);
    assert_int_equal(report.windows, 6);
    assert_int_equal(report.drift, 0);
    assert_memory_equal(report.state_hash, state_hash, 32);
    struct verify_report again;
    assert_int_equal(engine_verify(directory, &again), 0);
    assert_memory_equal(&report, &again, sizeof report);
}

static void is_in_records(const char *question)
{
    char path[128];
    snprintf(path, sizeof path, "%s/records.db", directory);
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, question, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    if (!sqlite3_column_int(statement, 0))
        fail_msg("not so: %s", question);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

/* The user moves to another department while a call is open, then key and user end. */
static void move_and_end(bool closes_between)
{
    struct mete_options options = {.directory = directory};
    struct mete *mete;
    struct mete_port *port;
    struct mete_verdict before, after;
    struct mete_receipt receipt;
    struct mete_applied applied;
    uint32_t handles[4];
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    struct mete_change changes[] = {
        help_scope(METE_DEPARTMENT, "ops", HELP_ORGANIZATION, HELP_ORGANIZATION),
        {.kind = METE_MOVE_SCOPE, .at = {HELP_USER}, .parent = {METE_FROM_CHANGE(0)}}};
    struct mete_apply apply = {changes, 2, help_text("root")};
    assert_int_equal(help_reserve(port, "before", 10, 0, &before), 0);
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    assert_int_equal(help_reserve(port, "after", 10, 0, &after), 0);
    if (closes_between) {
        uint64_t seq;
        assert_int_equal(mete_snapshot(mete, &seq), 0);
        mete_port_close(port);
        mete_close(mete);
        assert_int_equal(mete_open(&options, &mete), 0);
        assert_int_equal(mete_port_open(mete, &port), 0);
    }
    struct mete_change ends[] = {{.kind = METE_END_SCOPE, .at = {HELP_KEY}},
                                 {.kind = METE_END_SCOPE, .at = {HELP_USER}}};
    apply = (struct mete_apply){ends, 2, help_text("root")};
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    assert_int_equal(help_commit(port, before.reservation, 5, &receipt), 0);
    assert_int_equal(help_commit(port, after.reservation, 5, &receipt), 0);
    mete_port_close(port);
    mete_close(mete);
}

/* INV-02, in records */
static void records_tell_the_path(bool closes_between)
{
    move_and_end(closes_between);
    is_in_records("SELECT department=2 AND user=3 AND key=4 FROM usage WHERE request_id='before'");
    is_in_records("SELECT department=6 AND user=3 AND key=4 FROM usage WHERE request_id='after'");
    is_in_records("SELECT parent=6 AND ended=1 FROM entity WHERE kind=3 AND handle=3");
    is_in_records("SELECT count(*)=5 AND min(ended)=1 FROM entity WHERE kind=100 AND parent>1");
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error)
        fail_msg("%s", report.detail);
    sql("records.db", "UPDATE entity SET parent=2 WHERE kind=3 AND handle=3");
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
    sql("records.db", "UPDATE entity SET parent=6 WHERE kind=3 AND handle=3");
    sql("records.db", "UPDATE entity SET ended=0 WHERE kind=100 AND id='hourly'");
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
}

static void records_tell_the_path_a_call_was_made_on(void **state)
{
    (void)state;
    records_tell_the_path(false);
}

static void a_snapshot_knows_the_path_a_call_was_made_on(void **state)
{
    (void)state;
    records_tell_the_path(true);
}

/* What a scope had from before the base ends with it behind the base, of which the journal that is
 * left says nothing but the scope's end. */
static void scopes_that_end_behind_a_base_are_verified(void **state)
{
    (void)state;
    struct mete_options options = {.directory = directory};
    struct mete *mete;
    struct mete_port *port;
    struct mete_applied applied;
    uint32_t handles[3];
    uint64_t seq;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_port_open(mete, &port), 0);
    assert_int_equal(mete_cut(mete, &seq), 0);
    struct mete_change changes[] = {
        {.kind = METE_MOVE_SCOPE, .at = {HELP_USER}, .parent = {HELP_ORGANIZATION}},
        {.kind = METE_END_SCOPE, .at = {HELP_KEY}},
        {.kind = METE_END_SCOPE, .at = {HELP_USER}}};
    const struct mete_apply apply = {changes, 3, help_text("root")};
    assert_int_equal(mete_apply(port, &apply, handles, &applied), 0);
    mete_port_close(port);
    mete_close(mete);
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error)
        fail_msg("%s", report.detail);
    assert_true(report.base > 0);
    is_in_records("SELECT min(ended)=1 FROM entity WHERE kind=100 AND parent>1");
    sql("records.db", "UPDATE entity SET parent=2 WHERE kind=3 AND handle=3");
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
    sql("records.db", "UPDATE entity SET parent=1 WHERE kind=3 AND handle=3");
    sql("records.db", "UPDATE entity SET seq=seq+1 WHERE kind=100 AND id='hourly'");
    assert_int_equal(engine_verify(directory, &report), METE_E_CORRUPT);
}

static void must_fail(const char *file, const char *change, const char *detail)
{
    sql(file, change);
    struct verify_report report;
    int error = engine_verify(directory, &report);
    if (error != METE_E_CORRUPT || !strstr(report.detail, detail))
        fail_msg("%s: %s, '%s'", change, mete_error_name(error), report.detail);
}

static void one_changed_byte_of_the_journal_is_found(void **state)
{
    (void)state;
    must_fail("journal.db",
              "UPDATE journal SET entries = CAST(substr(entries, 1, 20) || CASE"
              " substr(entries, 21, 1) WHEN x'ff' THEN x'00' ELSE x'ff' END ||"
              " substr(entries, 22) AS BLOB) WHERE first_seq = 18",
              "group 18");
}

/* Every field of a usage record, one after the other; each change is undone. */
static void one_changed_field_of_a_usage_record_is_found(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "reservation", "scope",      "organization",   "department", "user",
        "key",         "started_us", "ended_us",       "state",      "overrun",
        "cost_nano",   "input",      "ending",         "flags",      "status",
        "attempts",    "latency_ms", "first_token_ms", "currency"};
    static const char *const texts[] = {"request_id", "model", "provider", "price_list", "note"};
    char change[160];
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        snprintf(change, sizeof change, "UPDATE usage SET %s = %s + 1 WHERE seq = 20", fields[i],
                 fields[i]);
        must_fail("records.db", change, "usage record 20");
        snprintf(change, sizeof change, "UPDATE usage SET %s = %s - 1 WHERE seq = 20", fields[i],
                 fields[i]);
        sql("records.db", change);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(change, sizeof change, "UPDATE usage SET %s = %s || 'x' WHERE seq = 20", texts[i],
                 texts[i]);
        must_fail("records.db", change, "usage record 20");
        snprintf(change, sizeof change,
                 "UPDATE usage SET %s = substr(%s, 1, length(%s) - 1) WHERE seq = 20", texts[i],
                 texts[i], texts[i]);
        sql("records.db", change);
    }
    struct verify_report report;
    assert_int_equal(engine_verify(directory, &report), 0);
}

static void a_missing_usage_record_is_found(void **state)
{
    (void)state;
    must_fail("records.db", "DELETE FROM usage WHERE seq = (SELECT max(seq) FROM usage)",
              "missing");
}

static void an_added_usage_record_is_found(void **state)
{
    (void)state;
    sql("records.db", "CREATE TEMP TABLE t AS SELECT * FROM usage WHERE seq = 20;"
                      "UPDATE t SET seq = 19; INSERT INTO usage SELECT * FROM t");
    must_fail("records.db", "UPDATE usage SET flags = flags", "usage record 19");
}

static void changed_entities_are_found(void **state)
{
    (void)state;
    must_fail("records.db", "UPDATE entity SET document = '{}' WHERE kind = 4", "scope 4 differs");
    must_fail("records.db", "DELETE FROM entity WHERE kind < 100", "missing");
}

static void an_ended_budget_that_is_not_is_found(void **state)
{
    (void)state;
    must_fail("records.db", "UPDATE entity SET ended = 0 WHERE kind = 100 AND ended = 1",
              "budget 4 differs");
}

static void changed_events_are_found(void **state)
{
    (void)state;
    must_fail("records.db",
              "UPDATE event SET committed = committed + 1 WHERE seq = (SELECT max(seq) FROM event)",
              "events of entry");
    must_fail("records.db", "DELETE FROM event", "events of entry");
}

static void records_ahead_of_the_journal_are_found(void **state)
{
    (void)state;
    must_fail("journal.db",
              "DELETE FROM journal WHERE first_seq = (SELECT max(first_seq) FROM"
              " journal)",
              "the journal ends at");
}

static void records_may_be_missing_or_behind(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(unlink(path), 0);
    struct verify_report report;
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_false(report.has_records);
}

static int64_t hundred_days_on(void *user)
{
    return *(const int64_t *)user + INT64_C(100) * 86400 * 1000000;
}

/* Of today. */
static bool has_usage(void)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *row;
    snprintf(path, sizeof path, "%s/records.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "WITH old(us) AS (SELECT (strftime('%s','now')+864000)*1000000)"
                           " SELECT (SELECT count(*) FROM usage, old WHERE ended_us<us)"
                           " + (SELECT count(*) FROM event, old WHERE at_us<us)",
                           -1, &row, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    bool has = sqlite3_column_int(row, 0) > 0;
    sqlite3_finalize(row);
    sqlite3_close(db);
    return has;
}

/* Opens the engine a hundred days later, until what is older than its retention is gone. */
static void grow_old(struct mete_retention retention)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = now.tv_sec * INT64_C(1000000);
    struct mete_options options = {
        .directory = directory, .clock = {hundred_days_on, &now_us}, .retention = retention};
    struct mete *mete;
    assert_int_equal(mete_open(&options, &mete), 0);
    for (int i = 0; i < 500 && has_usage(); i++)
        usleep(10000);
    mete_close(mete);
}

static void what_is_gone_by_age_is_not_missed_and_still_adds_up(void **state)
{
    (void)state;
    struct verify_report before, report;
    assert_int_equal(engine_verify(directory, &before), 0);
    assert_true(before.rolled_up);
    assert_int_equal(before.removed, 0);
    grow_old((struct mete_retention){.records = 90, .events = 30, .reports = 365});
    assert_false(has_usage());
    assert_int_equal(engine_verify(directory, &report), 0);
    assert_int_equal(report.removed, before.usage);
    assert_true(report.rolled_up);
    must_fail("records.db", "DELETE FROM rollup WHERE level=4", "usage of scope 4");
}

static void sums_of_other_calls_are_found(void **state)
{
    (void)state;
    grow_old((struct mete_retention){.records = 90, .events = 30});
    must_fail("records.db",
              "UPDATE rollup SET cells=substr(cells, 1, 9)||x'7e'||substr(cells, 11) WHERE level=2",
              "usage of scope 2");
}

static void a_retention_of_a_day_is_refused(void **state)
{
    (void)state;
    struct mete *mete;
    struct mete_options options = {.directory = directory, .retention = {.records = 1}};
    assert_int_equal(mete_open(&options, &mete), METE_E_INVALID);
    options.retention.records = 0;
    assert_int_equal(mete_open(&options, &mete), 0);
    assert_int_equal(mete_retain(mete, &(struct mete_retention){.records = 1}), METE_E_INVALID);
    assert_int_equal(mete_retain(mete, &(struct mete_retention){.records = 2}), 0);
    mete_close(mete);
}

static void no_journal_is_not_found(void **state)
{
    (void)state;
    struct verify_report report;
    assert_int_equal(engine_verify("/nowhere", &report), METE_E_NOT_FOUND);
}

static void a_running_server_locks_verify_out(void **state)
{
    (void)state;
    struct mete_options options = {.directory = directory};
    struct mete *mete;
    assert_int_equal(mete_open(&options, &mete), 0);
    struct verify_report report;
    assert_int_equal(engine_verify(directory, &report), METE_E_LOCKED);
    mete_close(mete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_healthy_directory_is_clean),
        CASE(one_changed_byte_of_the_journal_is_found),
        CASE(one_changed_field_of_a_usage_record_is_found),
        CASE(a_missing_usage_record_is_found),
        CASE(an_added_usage_record_is_found),
        CASE(changed_entities_are_found),
        CASE(an_ended_budget_that_is_not_is_found),
        CASE(changed_events_are_found),
        CASE(records_ahead_of_the_journal_are_found),
        CASE(records_may_be_missing_or_behind),
        CASE(records_tell_the_path_a_call_was_made_on),
        CASE(a_snapshot_knows_the_path_a_call_was_made_on),
        CASE(scopes_that_end_behind_a_base_are_verified),
        CASE(no_journal_is_not_found),
        CASE(what_is_gone_by_age_is_not_missed_and_still_adds_up),
        CASE(sums_of_other_calls_are_found),
        CASE(a_retention_of_a_day_is_refused),
        CASE(a_running_server_locks_verify_out),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
