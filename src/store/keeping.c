/* SPDX-License-Identifier: Apache-2.0
 * Records grow old. What they came to is in the rollups before they go, and how far they are gone
 * is in the same transaction (usage_removed, events_removed), so that whoever compares them with
 * the journal knows what to miss. They go from the front: neither ended_us nor at_us falls with
 * seq.
 *
 * Considered and not done: giving the room back to the file system. Pages that became free take the
 * next rows; a file whose retention was shortened shrinks when it is copied (mete backup). */
#include "store/keeping.h"

#include "base/assert.h"
#include "base/details.h"
#include "store/cells.h"

#include <stdbool.h>
#include <stdlib.h>

enum { STEP_ROWS = 256 };

/* ---- What is to be done ---------------------------------------------------------------------- */

/* Whether the oldest row of a table is of before an instant. */
static int is_old(sqlite3 *db, const char *oldest, int64_t from_us, bool *ret_is_old)
{
    int64_t at_us = INT64_MAX;
    *ret_is_old = false;
    if (!from_us)
        return 0;
    int error = db_number(db, oldest, &at_us);
    *ret_is_old = !error && at_us && at_us < from_us;
    return error;
}

static int has_old_quarter(sqlite3 *db, int64_t from_us, bool *ret_has)
{
    int64_t first = 0, days_to = 0;
    *ret_has = false;
    if (!from_us)
        return 0;
    int error = db_number(db, "SELECT min(bucket) FROM stretch WHERE span=1", &first);
    if (!error)
        error = rollups_meta(db, "day_bucket", &days_to);
    int64_t day = first / ROLLUPS_DAY_BUCKETS, from = from_us / ROLLUPS_BUCKET_US;
    *ret_has =
        !error && first && day < days_to / ROLLUPS_DAY_BUCKETS && day < from / ROLLUPS_DAY_BUCKETS;
    return error;
}

int keeping_find(sqlite3 *db, struct rollups *rollups, const struct records_keep *keep,
                 enum keeping_step *ret_step)
{
    bool is_due = false;
    *ret_step = KEEPING_NOTHING;
    int error = rollups_day_is_due(rollups, &is_due);
    if (!error && is_due)
        *ret_step = KEEPING_DAY;
    if (error || is_due)
        return error;
    error =
        is_old(db, "SELECT ended_us FROM usage ORDER BY seq LIMIT 1", keep->usage_from_us, &is_due);
    if (!error && is_due)
        *ret_step = KEEPING_USAGE;
    if (error || is_due)
        return error;
    error = is_old(db, "SELECT at_us FROM event ORDER BY seq, n LIMIT 1", keep->events_from_us,
                   &is_due);
    if (!error && is_due)
        *ret_step = KEEPING_EVENTS;
    if (error || is_due)
        return error;
    error = has_old_quarter(db, keep->quarters_from_us, &is_due);
    if (!error && is_due)
        *ret_step = KEEPING_QUARTERS;
    return error;
}

/* ---- Doing it -------------------------------------------------------------------------------- */

/* The last seq of the first STEP_ROWS rows that are old. */
static int last_old(sqlite3 *db, const char *table, const char *column, int64_t from_us,
                    int64_t *ret_seq)
{
    char sql[256];
    sqlite3_snprintf((int)sizeof sql, sql,
                     "SELECT max(seq) FROM (SELECT seq, %s AS at FROM %s ORDER BY seq LIMIT %d)"
                     " WHERE at<%lld",
                     column, table, STEP_ROWS, (long long)from_us);
    return db_number(db, sql, ret_seq);
}

static int delete_upto(sqlite3 *db, const char *table, int64_t seq)
{
    char sql[96];
    sqlite3_snprintf((int)sizeof sql, sql, "DELETE FROM %s WHERE seq<=%lld", table, (long long)seq);
    return db_exec(db, sql);
}

static int forget_upstream(sqlite3_stmt *forget, sqlite3_stmt *row)
{
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    const char *packed = sqlite3_column_blob(row, 1);
    size_t len = (size_t)sqlite3_column_bytes(row, 1);
    if (!packed || !details_read((struct slice){packed, len}, parts, &details) ||
        !details.upstream_id.len)
        return 0;
    db_bind_text(forget, 1, (struct slice){details.upstream_id.data, details.upstream_id.len});
    sqlite3_bind_int64(forget, 2, sqlite3_column_int64(row, 0));
    return db_run(forget);
}

/* Rows of the table upstream are found by what the details say. */
static int delete_upstream(sqlite3 *db, int64_t seq)
{
    sqlite3_stmt *rows = NULL, *forget = NULL;
    int error = db_prepare(db, "SELECT seq, details FROM detail WHERE seq<=?", &rows);
    if (!error)
        error = db_prepare(db, "DELETE FROM upstream WHERE id=? AND seq=?", &forget);
    if (!error)
        sqlite3_bind_int64(rows, 1, seq);
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW)
        error = forget_upstream(forget, rows);
    sqlite3_finalize(rows);
    sqlite3_finalize(forget);
    return error ? error : db_error(rc);
}

static int remove_usage(sqlite3 *db, struct rollups *rollups, int64_t from_us)
{
    int64_t seq = 0, rolled = 0;
    int error = last_old(db, "usage", "ended_us", from_us, &seq);
    if (!error)
        error = rollups_meta(db, "rolled_seq", &rolled);
    if (!error && rolled < seq)
        error = rollups_write(rollups);
    if (!error)
        error = rollups_meta(db, "rolled_seq", &rolled);
    if (!error && rolled < seq)
        error = METE_E_CORRUPT; /* what was never added up is not removed */
    if (!error)
        error = delete_upstream(db, seq);
    if (!error)
        error = delete_upto(db, "detail", seq);
    if (!error)
        error = delete_upto(db, "usage", seq);
    return error ? error : rollups_set_meta(db, "usage_removed", seq);
}

static int remove_events(sqlite3 *db, int64_t from_us)
{
    int64_t seq = 0;
    int error = last_old(db, "event", "at_us", from_us, &seq);
    if (!error)
        error = delete_upto(db, "event", seq);
    return error ? error : rollups_set_meta(db, "events_removed", seq);
}

/* Its day stays. */
static int remove_quarter(sqlite3 *db)
{
    char sql[160];
    int64_t first = 0;
    int error = db_number(db, "SELECT min(bucket) FROM stretch WHERE span=1", &first);
    sqlite3_snprintf((int)sizeof sql, sql,
                     "DELETE FROM rollup WHERE span=1 AND bucket=%lld;"
                     "DELETE FROM stretch WHERE span=1 AND bucket=%lld",
                     (long long)first, (long long)first);
    if (!error)
        error = db_exec(db, sql);
    int64_t next_day = (first / ROLLUPS_DAY_BUCKETS + 1) * ROLLUPS_DAY_BUCKETS;
    return error ? error : rollups_set_meta(db, "quarters_from", next_day);
}

int keeping_do(sqlite3 *db, struct rollups *rollups, const struct records_keep *keep,
               enum keeping_step step)
{
    switch (step) {
    case KEEPING_DAY:
        return rollups_day_step(rollups);
    case KEEPING_USAGE:
        return remove_usage(db, rollups, keep->usage_from_us);
    case KEEPING_EVENTS:
        return remove_events(db, keep->events_from_us);
    case KEEPING_QUARTERS:
        return remove_quarter(db);
    case KEEPING_NOTHING:
        break;
    }
    return 0;
}
