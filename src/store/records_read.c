/* SPDX-License-Identifier: Apache-2.0
 * The reading half of records.db: read-only connections, which in a WAL file wait for nobody and
 * never checkpoint.
 *
 * A filter becomes a walk over usage by seq, newest first, bounded on both sides: before_seq, and
 * the bounds of time turned into bounds of seq by bisection, since ended_us never falls with seq.
 * request_id uses its index instead. Which statement runs
 * depends only on which fields of the filter are set, and is prepared for each question: a question
 * is a page of a list or a report, not a step of a call, and preparing costs some 20 us. Entities
 * are asked for by statements that are kept: a list asks for the department of each of its rows. */
#include "store/records.h"

#include "base/assert.h"
#include "base/checked.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/kept.h"
#include "store/records_file.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Enough that a page of a list reads little more than its rows in an installation of a million. */
#define CACHE_KIB "16384"

struct records_reader {
    sqlite3 *db;
    struct kept kept; /* statements about entities */
    sqlite3_stmt *last, *ended_from;
    const char *detail;       /* what is there of a record beside its row in usage */
    bool is_first;            /* the file is of version 1 */
    bool has_audit;           /* of version 3 or later */
    struct audit_book *audit; /* once it was asked for */
};

/* Of a file of version 1 that nobody has opened to write since: nothing. */
static const char detail_of_version_1[] =
    "(SELECT 0 AS seq, NULL AS session, NULL AS tags, NULL AS fingerprint, NULL AS details"
    " WHERE 0) AS detail";

static int find_version(struct records_reader *reader)
{
    int64_t version = 0;
    int error = db_number(reader->db, "PRAGMA user_version", &version);
    reader->is_first = version == 1;
    reader->has_audit = version >= 3;
    reader->detail = reader->is_first ? detail_of_version_1 : "detail";
    return error;
}

int records_reader_open(const struct os *os, const char *directory,
                        struct records_reader **ret_reader)
{
    ASSERT(os && directory && ret_reader);
    struct records_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return METE_E_MEMORY;
    int fresh = 0;
    int error = db_open(os, directory, "records.db", DB_READER, &reader->db);
    if (!error)
        error = db_identify(reader->db, RECORDS_APPLICATION, RECORDS_VERSION, &fresh);
    if (!error && fresh)
        error = METE_E_STORAGE;
    reader->kept.db = reader->db;
    if (!error)
        error = db_exec(reader->db, "PRAGMA cache_size=-" CACHE_KIB);
    if (!error)
        error = find_version(reader);
    if (!error)
        error =
            db_prepare(reader->db, "SELECT value FROM meta WHERE name='last_seq'", &reader->last);
    if (!error)
        error = db_prepare(reader->db,
                           "SELECT seq, ended_us FROM usage WHERE seq >= ? ORDER BY seq LIMIT 1",
                           &reader->ended_from);
    if (error) {
        records_reader_close(reader);
        return error;
    }
    *ret_reader = reader;
    return 0;
}

void records_reader_close(struct records_reader *reader)
{
    if (!reader)
        return;
    audit_close(reader->audit);
    kept_close(&reader->kept);
    sqlite3_finalize(reader->last);
    sqlite3_finalize(reader->ended_from);
    db_close(reader->db);
    free(reader);
}

int records_reader_audit(struct records_reader *reader, struct audit_book **ret_book)
{
    int error = reader->audit ? 0 : audit_open(reader->db, reader->has_audit, &reader->audit);
    if (!error)
        *ret_book = reader->audit;
    return error;
}

sqlite3 *records_reader_db(struct records_reader *reader)
{
    return reader->db;
}

/* Ends a question of one row: 0 if it had one. A file without the row is not one of ours. */
static int end_row(sqlite3_stmt *statement, int rc)
{
    int reset = sqlite3_reset(statement);
    if (rc == SQLITE_ROW)
        return 0;
    return rc == SQLITE_DONE ? METE_E_CORRUPT : db_error(reset ? reset : rc);
}

int records_reader_last_seq(struct records_reader *reader, uint64_t *ret_seq)
{
    int rc = sqlite3_step(reader->last);
    int64_t last = rc == SQLITE_ROW ? sqlite3_column_int64(reader->last, 0) : 0;
    int error = end_row(reader->last, rc);
    if (!error && last < 0)
        error = METE_E_CORRUPT;
    if (!error)
        *ret_seq = (uint64_t)last;
    return error;
}

int records_reader_labels_from(struct records_reader *reader, uint64_t *ret_seq)
{
    int64_t seq = 0;
    if (reader->is_first)
        return records_reader_last_seq(reader, ret_seq);
    int error = db_number(
        reader->db, "SELECT coalesce(sum(value), 0) FROM meta WHERE name='labels_from'", &seq);
    if (!error && seq < 0)
        error = METE_E_CORRUPT;
    if (!error)
        *ret_seq = (uint64_t)seq;
    return error;
}

int records_reader_removed(struct records_reader *reader, struct records_removed *ret_removed)
{
    int64_t usage = 0, events = 0;
    int error = db_number(
        reader->db, "SELECT coalesce(sum(value), 0) FROM meta WHERE name='usage_removed'", &usage);
    if (!error)
        error = db_number(reader->db,
                          "SELECT coalesce(sum(value), 0) FROM meta WHERE name='events_removed'",
                          &events);
    if (!error && (usage < 0 || events < 0))
        error = METE_E_CORRUPT;
    if (!error)
        *ret_removed = (struct records_removed){(uint64_t)usage, (uint64_t)events};
    return error;
}

/* ---- Filters --------------------------------------------------------------------------------- */

/* The smallest seq from which on every record has ended_us >= at_us. */
static int first_seq_ended(struct records_reader *reader, int64_t at_us, int64_t *ret_seq)
{
    uint64_t last = 0;
    int error = records_reader_last_seq(reader, &last);
    int64_t low = 0, high = (int64_t)last + 1;
    while (!error && low < high) {
        int64_t middle = low + (high - low) / 2;
        sqlite3_bind_int64(reader->ended_from, 1, middle);
        int rc = sqlite3_step(reader->ended_from);
        int64_t seq = rc == SQLITE_ROW ? sqlite3_column_int64(reader->ended_from, 0) : high;
        bool late = rc != SQLITE_ROW || sqlite3_column_int64(reader->ended_from, 1) >= at_us;
        int reset = sqlite3_reset(reader->ended_from);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            error = db_error(reset ? reset : rc);
        else if (late)
            high = middle;
        else
            low = seq + 1;
    }
    *ret_seq = low;
    return error;
}

struct bounds {
    int64_t from_seq, to_seq; /* [from, to) */
};

/* One entry of those within the bounds. */
static struct bounds only(struct bounds bounds, uint64_t seq)
{
    if (seq < (uint64_t)bounds.from_seq || seq >= (uint64_t)bounds.to_seq)
        return (struct bounds){0, 0};
    return (struct bounds){(int64_t)seq, (int64_t)seq + 1};
}

static int find_bounds(struct records_reader *reader, const struct records_filter *filter,
                       struct bounds *ret_bounds)
{
    struct bounds bounds = {0, INT64_MAX};
    int error = 0;
    if (filter->from_us)
        error = first_seq_ended(reader, filter->from_us, &bounds.from_seq);
    if (!error && filter->to_us)
        error = first_seq_ended(reader, filter->to_us, &bounds.to_seq);
    if (filter->before_seq && filter->before_seq < (uint64_t)bounds.to_seq)
        bounds.to_seq = (int64_t)filter->before_seq;
    if (filter->seq)
        bounds = only(bounds, filter->seq);
    *ret_bounds = bounds;
    return error;
}

/* How a scope is found among records: by the column of its kind. A kind without a column
 * (advertiser) stands above its campaigns, which are leaves. */
static const char *clause_of(int64_t kind)
{
    switch (kind) {
    case METE_ORGANIZATION:
        return " AND organization=?4";
    case METE_DEPARTMENT:
        return " AND department=?4";
    case METE_USER:
        return " AND user=?4";
    case METE_ADVERTISER:
        return " AND scope IN (SELECT ?4 UNION SELECT handle FROM entity WHERE parent=?4 AND "
               "kind<100)";
    default:
        return " AND scope=?4";
    }
}

_Static_assert(METE_ORGANIZATION == 1 && METE_KINDS == 7, "as the statement says");

/* The kinds one by one, each of which is a look: a range of kinds would be read whole. */
static int scope_clause(struct records_reader *reader, struct mete_scope_id scope,
                        const char **ret_clause)
{
    char sql[96];
    int64_t kind = 0;
    *ret_clause = "";
    if (!scope.n)
        return 0;
    snprintf(sql, sizeof sql, "SELECT kind FROM entity WHERE kind IN (1,2,3,4,5,6) AND handle=%u",
             scope.n);
    int error = db_number(reader->db, sql, &kind);
    *ret_clause = clause_of(kind);
    return error;
}

/* What a correction of a record is found by; a record that has none is asked once. */
#define CORRECTED "(SELECT c.seq FROM usage AS c WHERE c.corrects=usage.seq AND c.corrects<>0)"
#define IS_PROVISIONAL "(flags & 1) AND corrects=0 AND " CORRECTED " IS NULL"

__attribute__((format(printf, 4, 5))) static void append(char *sql, size_t room, size_t *len,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int more = vsnprintf(sql + *len, room - *len, format, args);
    va_end(args);
    ASSERT(more >= 0 && (size_t)more < room - *len);
    *len += (size_t)more;
}

/* The clauses that are a comparison with one text or number each: ?5 and on. */
enum { CLAUSES = 8 };
struct clause {
    const char *sql;
    struct slice text;
    int number; /* where there is no text; neither: the filter does not ask */
};

static void list_clauses(const struct records_filter *filter, bool is_first,
                         struct clause ret[CLAUSES])
{
    const struct clause all[CLAUSES] = {
        {" AND request_id=?5 AND request_id<>''", filter->request_id, 0},
        {" AND model=?6", filter->model, 0},
        {" AND provider=?7", filter->provider, 0},
        {" AND session=?8", filter->session, 0},
        {is_first ? " AND ?9 IS NULL" : " AND usage.seq IN (SELECT seq FROM upstream WHERE id=?9)",
         filter->upstream_id, 0},
        {" AND instr(char(10)||tags||char(10),char(10)||?10||char(10))>0", filter->tag, 0},
        {" AND ending=?11-1", {0}, filter->ending},
        {" AND status=?12", {0}, filter->status},
    };
    memcpy(ret, all, sizeof all);
}

static bool is_asked(const struct clause *clause)
{
    return clause->text.len || clause->number;
}

static void bind_clauses(sqlite3_stmt *rows, const struct clause clauses[CLAUSES])
{
    for (int i = 0; i < CLAUSES; i++) {
        if (clauses[i].text.len)
            db_bind_text(rows, 5 + i, clauses[i].text);
        else if (clauses[i].number)
            sqlite3_bind_int(rows, 5 + i, clauses[i].number);
    }
}

/* Prepares SELECT what FROM usage, where the filter holds, in the order or groups of last. */
static int prepare_usage(struct records_reader *reader, const char *what, const char *last,
                         const struct records_filter *filter, sqlite3_stmt **ret_rows)
{
    ASSERT(filter);
    char sql[2400];
    const char *of_scope;
    struct bounds bounds;
    struct clause clauses[CLAUSES];
    int error = scope_clause(reader, filter->scope, &of_scope);
    if (!error)
        error = find_bounds(reader, filter, &bounds);
    if (error)
        return error;
    list_clauses(filter, reader->is_first, clauses);
    size_t len = 0;
    append(sql, sizeof sql, &len,
           "SELECT %s FROM usage LEFT JOIN %s USING (seq) WHERE usage.seq>=?1 AND usage.seq<?2%s",
           what, reader->detail, of_scope);
    for (size_t i = 0; i < CLAUSES; i++)
        if (is_asked(&clauses[i]))
            append(sql, sizeof sql, &len, "%s", clauses[i].sql);
    append(sql, sizeof sql, &len, "%s %s LIMIT ?3",
           filter->provisional ? " AND " IS_PROVISIONAL : "", last);
    sqlite3_stmt *rows = NULL;
    error = db_prepare(reader->db, sql, &rows);
    if (error)
        return error;
    sqlite3_bind_int64(rows, 1, bounds.from_seq);
    sqlite3_bind_int64(rows, 2, bounds.to_seq);
    sqlite3_bind_int64(rows, 3, filter->limit ? (int64_t)filter->limit : -1);
    if (filter->scope.n)
        sqlite3_bind_int64(rows, 4, filter->scope.n);
    bind_clauses(rows, clauses);
    *ret_rows = rows;
    return 0;
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static size_t read_usage(sqlite3_stmt *row, struct mete_usage to[RECORDS_METERS_MAX])
{
    size_t len = 0;
    for (int i = 0; i < RECORDS_COLUMN_METERS; i++) {
        if (sqlite3_column_type(row, USAGE_METERS + i) == SQLITE_NULL)
            continue;
        uint32_t currency =
            i == METE_COST ? (uint32_t)sqlite3_column_int64(row, USAGE_CURRENCY) : 0;
        to[len++] =
            (struct mete_usage){(uint16_t)i, currency, sqlite3_column_int64(row, USAGE_METERS + i)};
    }
    const uint8_t *extra = sqlite3_column_blob(row, USAGE_EXTRA);
    struct reader r = {extra, extra + sqlite3_column_bytes(row, USAGE_EXTRA), false};
    while (r.at < r.end && !r.bad && len < RECORDS_METERS_MAX) {
        struct mete_usage one = {.meter = (uint16_t)read_varint(&r)};
        one.currency = (uint32_t)read_varint(&r);
        one.amount = (int64_t)read_varint(&r);
        if (!r.bad)
            to[len++] = one;
    }
    return len;
}

static struct mete_text text(sqlite3_stmt *row, int column)
{
    struct slice found = db_column_text(row, column);
    return (struct mete_text){found.data, found.len};
}

static uint32_t number(sqlite3_stmt *row, int column)
{
    return (uint32_t)sqlite3_column_int64(row, column);
}

static struct slice details_of(sqlite3_stmt *row)
{
    const char *packed = sqlite3_column_blob(row, USAGE_DETAILS);
    return (struct slice){packed, packed ? (size_t)sqlite3_column_bytes(row, USAGE_DETAILS) : 0};
}

static int read_record(sqlite3_stmt *row, struct mete_usage usage[RECORDS_METERS_MAX],
                       struct records_usage *ret_record)
{
    *ret_record = (struct records_usage){
        .seq = (uint64_t)sqlite3_column_int64(row, USAGE_SEQ),
        .reservation = (uint64_t)sqlite3_column_int64(row, USAGE_RESERVATION),
        .corrects = (uint64_t)sqlite3_column_int64(row, USAGE_CORRECTS),
        .scope = {number(row, USAGE_SCOPE)},
        .organization = {number(row, USAGE_ORGANIZATION)},
        .department = {number(row, USAGE_DEPARTMENT)},
        .user = {number(row, USAGE_USER)},
        .key = {number(row, USAGE_KEY)},
        .request_id = db_column_text(row, USAGE_REQUEST_ID),
        .model = db_column_text(row, USAGE_MODEL),
        .provider = db_column_text(row, USAGE_PROVIDER),
        .session = db_column_text(row, USAGE_SESSION),
        .tags = db_column_text(row, USAGE_TAGS),
        .fingerprint = (uint64_t)sqlite3_column_int64(row, USAGE_FINGERPRINT),
        .details = details_of(row),
        .started_us = sqlite3_column_int64(row, USAGE_STARTED),
        .ended_us = sqlite3_column_int64(row, USAGE_ENDED),
        .state = (enum mete_state)number(row, USAGE_STATE),
        .overrun = (int)number(row, USAGE_OVERRUN),
        .usage = usage,
        .usage_len = read_usage(row, usage),
        .outcome = {.ending = (enum mete_ending)number(row, USAGE_ENDING),
                    .flags = number(row, USAGE_FLAGS),
                    .status = (uint16_t)number(row, USAGE_STATUS),
                    .attempts = (uint16_t)number(row, USAGE_ATTEMPTS),
                    .latency_ms = number(row, USAGE_LATENCY),
                    .first_token_ms = number(row, USAGE_FIRST_TOKEN),
                    .price_list = text(row, USAGE_PRICE_LIST),
                    .note = text(row, USAGE_NOTE)},
    };
    return db_row_error(row);
}

/* Only an expired or provisional one can have a correction. */
#define MAYBE_CORRECTED                                                                            \
    "CASE WHEN (flags & 1 OR state=3) AND corrects=0 THEN " CORRECTED " ELSE 0 END"
_Static_assert(METE_OUTCOME_PROVISIONAL == 1 && METE_EXPIRED == 3, "as the statements say");

int records_each_usage(struct records_reader *reader, const struct records_filter *filter,
                       int (*fn)(void *user, const struct records_usage *), void *user)
{
    ASSERT(reader && fn && filter->limit >= 1);
    sqlite3_stmt *rows;
    int error = prepare_usage(
        reader, RECORDS_USAGE_COLUMNS ", " RECORDS_DETAIL_COLUMNS ", " MAYBE_CORRECTED,
        "ORDER BY usage.seq DESC", filter, &rows);
    if (error)
        return error;
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct mete_usage usage[RECORDS_METERS_MAX];
        struct records_usage record;
        error = read_record(rows, usage, &record);
        record.corrected = (uint64_t)sqlite3_column_int64(rows, USAGE_COLUMNS);
        if (!error)
            error = fn(user, &record);
    }
    sqlite3_finalize(rows);
    return error ? error : db_error(rc);
}

/* Rows of the sum: currency, calls, cost, input, output, tokens, requests. */
static int add_totals(sqlite3_stmt *row, struct records_totals *totals)
{
    totals->calls += (uint64_t)sqlite3_column_int64(row, 1);
    if (!checked_add(totals->input, sqlite3_column_int64(row, 3), &totals->input) ||
        !checked_add(totals->output, sqlite3_column_int64(row, 4), &totals->output) ||
        !checked_add(totals->total_tokens, sqlite3_column_int64(row, 5), &totals->total_tokens) ||
        !checked_add(totals->requests, sqlite3_column_int64(row, 6), &totals->requests))
        return METE_E_TOO_LARGE;
    if (sqlite3_column_type(row, 0) == SQLITE_NULL)
        return 0;
    if (totals->currencies == sizeof totals->currency / sizeof totals->currency[0])
        return METE_E_TOO_LARGE;
    totals->currency[totals->currencies] = number(row, 0);
    totals->cost_nano[totals->currencies++] = sqlite3_column_int64(row, 2);
    return 0;
}

int records_total(struct records_reader *reader, const struct records_filter *filter,
                  struct records_totals *ret_totals)
{
    ASSERT(reader && ret_totals);
    struct records_filter all = *filter;
    all.before_seq = 0;
    all.limit = 0;
    sqlite3_stmt *rows;
    int error = prepare_usage(reader,
                              "currency, sum(corrects=0), sum(cost_nano), sum(input), sum(output),"
                              " sum(total_tokens), sum(requests)",
                              "GROUP BY currency ORDER BY currency", &all, &rows);
    if (error)
        return error;
    struct records_totals totals = {0};
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW)
        error = add_totals(rows, &totals);
    sqlite3_finalize(rows);
    if (!error)
        error = db_error(rc);
    if (!error)
        *ret_totals = totals;
    return error;
}

/* ---- Entities and events --------------------------------------------------------------------- */

static int read_entity(sqlite3_stmt *row, struct records_entity *ret_entity)
{
    *ret_entity = (struct records_entity){
        .kind = sqlite3_column_int(row, 0),
        .handle = number(row, 1),
        .organization = {number(row, 2)},
        .parent = {number(row, 3)},
        .id = db_column_text(row, 4),
        .document = db_column_text(row, 5),
        .ended = sqlite3_column_int(row, 6),
        .seq = (uint64_t)sqlite3_column_int64(row, 7),
        .at_us = sqlite3_column_int64(row, 8),
        .actor = db_column_text(row, 9),
    };
    return db_row_error(row);
}

/* Which of the four shapes: each lets SQLite walk an index that holds what is asked for, in order,
 * and little else, however many other organizations there are. */
static const char *entity_list(struct mete_scope_id organization, int with_ended)
{
#define LIST(where)                                                                                \
    "SELECT " RECORDS_ENTITY_COLUMNS " FROM entity WHERE kind=?1 AND handle>?2" where              \
    " ORDER BY handle LIMIT ?4"
    if (organization.n)
        return with_ended ? LIST(" AND organization=?3") : LIST(" AND organization=?3 AND ended=0");
    return with_ended ? LIST("") : LIST(" AND ended=0");
#undef LIST
}

int records_each_entity(struct records_reader *reader, int kind, struct mete_scope_id organization,
                        uint32_t after_handle, size_t limit, int with_ended,
                        int (*fn)(void *user, const struct records_entity *), void *user)
{
    ASSERT(reader && fn);
    sqlite3_stmt *rows;
    const char *sql = entity_list(organization, with_ended);
    int error = kept_take(&reader->kept, sql, &rows);
    if (error)
        return error;
    sqlite3_bind_int(rows, 1, kind);
    sqlite3_bind_int64(rows, 2, after_handle);
    if (organization.n)
        sqlite3_bind_int64(rows, 3, organization.n);
    sqlite3_bind_int64(rows, 4, limit ? (int64_t)limit : -1);
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct records_entity entity;
        error = read_entity(rows, &entity);
        if (!error)
            error = fn(user, &entity);
    }
    kept_give(&reader->kept, sql, rows);
    return error ? error : db_error(rc);
}

int records_each_owner(struct records_reader *reader, int kind, struct mete_scope_id organization,
                       uint32_t after_handle, size_t limit,
                       int (*fn)(void *user, struct mete_scope_id), void *user)
{
    ASSERT(reader && fn && kind >= RECORDS_BUDGET && organization.n && limit >= 1);
    sqlite3_stmt *rows;
    int error = db_prepare(reader->db,
                           "SELECT DISTINCT parent FROM entity WHERE kind=?1 AND organization=?2"
                           " AND ended=0 AND parent>?3 ORDER BY parent LIMIT ?4",
                           &rows);
    if (error)
        return error;
    sqlite3_bind_int(rows, 1, kind);
    sqlite3_bind_int64(rows, 2, organization.n);
    sqlite3_bind_int64(rows, 3, after_handle);
    sqlite3_bind_int64(rows, 4, (int64_t)limit);
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW)
        error = fn(user, (struct mete_scope_id){number(rows, 0)});
    sqlite3_finalize(rows);
    return error ? error : db_error(rc);
}

int records_find_entity(struct records_reader *reader, int kind, struct mete_scope_id organization,
                        struct slice id, int (*fn)(void *user, const struct records_entity *),
                        void *user)
{
    static const char sql[] = "SELECT " RECORDS_ENTITY_COLUMNS " FROM entity"
                              " WHERE kind=?1 AND organization=?2 AND id=?3 AND ended=0";
    ASSERT(reader && fn);
    sqlite3_stmt *row;
    int error = kept_take(&reader->kept, sql, &row);
    if (error)
        return error;
    sqlite3_bind_int(row, 1, kind);
    sqlite3_bind_int64(row, 2, organization.n);
    db_bind_text(row, 3, id);
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        struct records_entity entity;
        error = read_entity(row, &entity);
        if (!error)
            error = fn(user, &entity);
    } else {
        error = rc == SQLITE_DONE ? METE_E_NOT_FOUND : db_error(rc);
    }
    kept_give(&reader->kept, sql, row);
    return error;
}

int records_entity_id(struct records_reader *reader, int kind, uint32_t handle, char *ret_id,
                      size_t room, size_t *ret_len)
{
    static const char sql[] = "SELECT id FROM entity WHERE kind=?1 AND handle=?2";
    sqlite3_stmt *row;
    int error = kept_take(&reader->kept, sql, &row);
    if (error)
        return error;
    sqlite3_bind_int(row, 1, kind);
    sqlite3_bind_int64(row, 2, handle);
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) {
        struct slice id = db_column_text(row, 0);
        error = db_row_error(row);
        if (!error && (!id.len || id.len > room))
            error = METE_E_CORRUPT;
        *ret_len = error ? 0 : id.len;
        if (!error)
            memcpy(ret_id, id.data, id.len);
    } else {
        error = rc == SQLITE_DONE ? METE_E_CORRUPT : db_error(rc);
    }
    kept_give(&reader->kept, sql, row);
    return error;
}

static void read_event(sqlite3_stmt *row, struct mete_event *ret_event)
{
    *ret_event = (struct mete_event){
        .seq = (uint64_t)sqlite3_column_int64(row, 0),
        .kind = (enum mete_event_kind)number(row, 2),
        .at = {sqlite3_column_int64(row, 3)},
        .scope = {number(row, 4)},
        .budget = {number(row, 5)},
        .threshold_ppm = number(row, 6),
        .limit = sqlite3_column_int64(row, 7),
        .committed = sqlite3_column_int64(row, 8),
        .held = sqlite3_column_int64(row, 9),
    };
}

int records_each_event(struct records_reader *reader, uint64_t after_seq, size_t limit,
                       int (*fn)(void *user, const struct mete_event *), void *user)
{
    ASSERT(reader && fn);
    sqlite3_stmt *rows;
    int error = db_prepare(reader->db,
                           "SELECT " RECORDS_EVENT_COLUMNS " FROM event"
                           " WHERE seq>?1 ORDER BY seq, n LIMIT ?2",
                           &rows);
    if (error)
        return error;
    sqlite3_bind_int64(rows, 1, after_seq > INT64_MAX ? INT64_MAX : (int64_t)after_seq);
    sqlite3_bind_int64(rows, 2, limit ? (int64_t)limit : -1);
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct mete_event event;
        read_event(rows, &event);
        error = fn(user, &event);
    }
    sqlite3_finalize(rows);
    return error ? error : db_error(rc);
}

/* CROSS JOIN: the walk is over events, and each asks for its budget. */
int records_each_budget_event(struct records_reader *reader,
                              const struct records_event_filter *filter,
                              int (*fn)(void *user, const struct mete_event *, uint32_t n),
                              void *user)
{
    ASSERT(reader && fn && filter->limit >= 1);
    sqlite3_stmt *rows;
    int error = db_prepare(reader->db,
                           "SELECT event.seq, n, event.kind, event.at_us, scope, budget,"
                           " threshold_ppm, limit_amount, committed, held"
                           " FROM event CROSS JOIN entity ON entity.kind=100 AND handle=budget"
                           " WHERE (?1=0 OR organization=?1) AND (event.seq, n) < (?2, ?3)"
                           " AND (?4=0 OR budget=?4) AND (?5=0 OR event.kind=?5)"
                           " ORDER BY event.seq DESC, n DESC LIMIT ?6",
                           &rows);
    if (error)
        return error;
    bool has_place = filter->before_seq && filter->before_seq <= INT64_MAX;
    sqlite3_bind_int64(rows, 1, filter->organization.n);
    sqlite3_bind_int64(rows, 2, has_place ? (int64_t)filter->before_seq : INT64_MAX);
    sqlite3_bind_int64(rows, 3, filter->before_n);
    sqlite3_bind_int64(rows, 4, filter->budget.n);
    sqlite3_bind_int(rows, 5, (int)filter->kind);
    sqlite3_bind_int64(rows, 6, (int64_t)filter->limit);
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct mete_event event;
        read_event(rows, &event);
        error = fn(user, &event, number(rows, 1));
    }
    sqlite3_finalize(rows);
    return error ? error : db_error(rc);
}

_Static_assert(RECORDS_BUDGET == 100, "as the statement says");

/* ---- Cursors --------------------------------------------------------------------------------- */

struct records_cursor {
    sqlite3_stmt *usage, *events;
    struct mete_usage meters[RECORDS_METERS_MAX];
};

int records_cursor_open(struct records_reader *reader, uint64_t after_seq,
                        struct records_cursor **ret_cursor)
{
    ASSERT(reader && ret_cursor);
    struct records_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return METE_E_MEMORY;
    char sql[1200];
    size_t len = 0;
    append(sql, sizeof sql, &len,
           "SELECT " RECORDS_USAGE_COLUMNS ", " RECORDS_DETAIL_COLUMNS
           " FROM usage LEFT JOIN %s USING (seq) WHERE usage.seq > ? ORDER BY usage.seq",
           reader->detail);
    int error = db_prepare(reader->db, sql, &cursor->usage);
    if (!error)
        error = db_prepare(
            reader->db, "SELECT " RECORDS_EVENT_COLUMNS " FROM event WHERE seq > ? ORDER BY seq, n",
            &cursor->events);
    if (error) {
        records_cursor_close(cursor);
        return error;
    }
    sqlite3_bind_int64(cursor->usage, 1, (int64_t)after_seq);
    sqlite3_bind_int64(cursor->events, 1, (int64_t)after_seq);
    *ret_cursor = cursor;
    return 0;
}

void records_cursor_close(struct records_cursor *cursor)
{
    if (!cursor)
        return;
    sqlite3_finalize(cursor->usage);
    sqlite3_finalize(cursor->events);
    free(cursor);
}

/* A statement that is done is not stepped again: that would start it over. */
static int step(sqlite3_stmt **rows, int *ret_found)
{
    int rc = *rows ? sqlite3_step(*rows) : SQLITE_DONE;
    if (rc == SQLITE_ROW) {
        *ret_found = 1;
        return 0;
    }
    sqlite3_finalize(*rows);
    *rows = NULL;
    int error = db_error(rc);
    if (!error)
        *ret_found = 0;
    return error;
}

int records_cursor_usage(struct records_cursor *cursor, struct records_usage *ret_usage,
                         int *ret_found)
{
    int error = step(&cursor->usage, ret_found);
    if (!error && *ret_found)
        error = read_record(cursor->usage, cursor->meters, ret_usage);
    return error;
}

int records_cursor_event(struct records_cursor *cursor, struct mete_event *ret_event,
                         int *ret_found)
{
    int error = step(&cursor->events, ret_found);
    if (!error && *ret_found)
        read_event(cursor->events, ret_event);
    return error;
}
