/* SPDX-License-Identifier: Apache-2.0
 * The writing half of records.db: one connection, prepared statements, one transaction a batch with
 * the batch's last_seq in the same transaction, so that after a crash the projector goes on exactly
 * where the file stops. synchronous=NORMAL: a power cut may lose the last batches, never tear one;
 * the journal has them.
 *
 * INDEXES  few, and few rows in them, because every call writes a row. seq is the rowid and time:
 * ended_us never falls with seq, so a stretch of time is a stretch of seq, found by bisection
 * (records_read.c) and needing no index. request_id finds one call, and only calls that have one
 * are in it; corrects finds a record's correction; the table upstream finds a call by what the
 * provider calls its answer. Everything else, a key's, a session's or a department's calls, is a
 * walk by seq with a filter: reports ask for stretches of time, lists for the newest few. Measured,
 * rows a second of CPU while 800,000 rows of 100,000 keys were put: no index on scope 450,000
 * throughout; with one 283,000 at first and 88,000 at the end, since each row dirties a page of its
 * own; on organization instead 360,000.
 *
 * DETAIL  what many calls do not have stands in a row of its own, by the same seq, where there is
 * any of it. As columns of usage it cost every call 10 % of the rate (five NULLs to bind, copy and
 * pack). Measured on another machine: 690,000 calls a second of CPU without such a row, as before
 * there were any; 450,000 with one; 210,000 with a provider's id too, which falls anywhere in its
 * tree, 800,000 of them.
 *
 * VERSIONS  to a file of an earlier version the new tables are added, empty: what of it is behind a
 * base cannot be made anew from the journal. labels_from and audit_from say up to where they may
 * lack something. The rollups are made of the usage that is there (rollups.c).
 *
 * CONSIDERED AND NOT DONE  an index by scope that is filled in sorted stretches, behind the rows:
 * the way to go once one installation holds tens of millions of records. One row a meter: ten times
 *   the rows for the same questions. */
#include "store/records.h"

#include "base/assert.h"
#include "base/details.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/documents.h"
#include "store/keeping.h"
#include "store/records_file.h"
#include "store/rollups_file.h"

#include <stdbool.h>
#include <stdlib.h>

enum { TIDY_AT_LEISURE = 128, TIDY_AT_LAST = 1000 }; /* frames */

struct records {
    sqlite3 *db;
    struct audit_book *audit;
    sqlite3_stmt *begin, *commit, *rollback, *usage, *detail, *upstream, *entity, *entity_end,
        *entity_move, *own_end, *event, *last;
    struct documents documents;
    uint64_t last_seq;
    uint64_t event_seq; /* events of one entry are numbered from 0 */
    int event_n;
    int frames; /* in the write-ahead file */
    bool in_batch;
    struct rollups *rollups;
};

#define NEW_IN_VERSION_2                                                                           \
    "CREATE TABLE detail (seq INTEGER PRIMARY KEY, session TEXT, tags TEXT, fingerprint INTEGER,"  \
    " details BLOB);"                                                                              \
    "CREATE TABLE upstream (id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (id, seq))"        \
    " WITHOUT ROWID;"

/* The lists of one organization, whatever others have. */
#define LISTS_IN_VERSION_3                                                                         \
    "CREATE INDEX entity_list ON entity (kind, organization, handle) WHERE ended = 0;"
#define NEW_IN_VERSION_3 LISTS_IN_VERSION_3 RECORDS_AUDIT_IN_VERSION_3

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('last_seq', 0);"
    "CREATE TABLE usage (seq INTEGER PRIMARY KEY, reservation INTEGER NOT NULL,"
    " scope INTEGER NOT NULL, organization INTEGER NOT NULL, department INTEGER NOT NULL,"
    " user INTEGER NOT NULL, key INTEGER NOT NULL, request_id TEXT NOT NULL, model TEXT NOT NULL,"
    " provider TEXT NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,"
    " state INTEGER NOT NULL, overrun INTEGER NOT NULL, currency INTEGER, cost_nano INTEGER,"
    " input INTEGER, cached_input INTEGER, cache_write INTEGER, output INTEGER,"
    " reasoning INTEGER, total_tokens INTEGER, requests INTEGER, images INTEGER,"
    " audio_seconds INTEGER, extra BLOB, ending INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " status INTEGER NOT NULL, attempts INTEGER NOT NULL, latency_ms INTEGER NOT NULL,"
    " first_token_ms INTEGER NOT NULL, price_list TEXT NOT NULL, note TEXT NOT NULL,"
    " corrects INTEGER NOT NULL);"
    "CREATE INDEX usage_request ON usage (request_id) WHERE request_id <> '';"
    "CREATE UNIQUE INDEX usage_corrects ON usage (corrects) WHERE corrects <> 0;"
    "CREATE TABLE entity (kind INTEGER NOT NULL, handle INTEGER NOT NULL,"
    " organization INTEGER NOT NULL, parent INTEGER NOT NULL, id TEXT NOT NULL,"
    " document TEXT NOT NULL, ended INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL, actor TEXT NOT NULL, PRIMARY KEY (kind, handle));"
    "CREATE UNIQUE INDEX entity_id ON entity (kind, organization, id) WHERE ended = 0;"
    "CREATE INDEX entity_parent ON entity (parent);"
    "CREATE TABLE event (seq INTEGER NOT NULL, n INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL, scope INTEGER NOT NULL, budget INTEGER NOT NULL,"
    " threshold_ppm INTEGER NOT NULL, limit_amount INTEGER NOT NULL, committed INTEGER NOT NULL,"
    " held INTEGER NOT NULL, PRIMARY KEY (seq, n)) WITHOUT ROWID;" NEW_IN_VERSION_2 NEW_IN_VERSION_3
        ROLLUPS_NEW_IN_VERSION_3 "PRAGMA application_id=1835365490;"
    "PRAGMA user_version=3;"
    "COMMIT";

static const char from_version_1[] =
    "BEGIN;" NEW_IN_VERSION_2
    "INSERT INTO meta SELECT 'labels_from', value FROM meta WHERE name='last_seq';"
    "PRAGMA user_version=2;"
    "COMMIT";

static const char from_version_2[] =
    "BEGIN;" NEW_IN_VERSION_3 ROLLUPS_NEW_IN_VERSION_3
    "INSERT INTO meta SELECT 'audit_from', value FROM meta WHERE name='last_seq';"
    "PRAGMA user_version=3;"
    "COMMIT";

static const char put_usage[] =
    "INSERT INTO usage (" RECORDS_USAGE_COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,"
    "?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,?32,?33,?34,?35)";

static const char put_detail[] =
    "INSERT INTO detail (seq, " RECORDS_DETAIL_COLUMNS ") VALUES (?1,?2,?3,?4,?5)";
static const char put_upstream[] = "INSERT INTO upstream (id, seq) VALUES (?1,?2)";

static const char put_entity[] =
    "INSERT INTO entity (" RECORDS_ENTITY_COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,0,?8,?9,?10)"
    " ON CONFLICT (kind, handle) DO UPDATE SET document=?6, seq=?8, at_us=?9, actor=?10";

static const char end_entity[] =
    "UPDATE entity SET ended=1, seq=?3, at_us=?4, actor=?5 WHERE kind=?1 AND handle=?2";

static const char move_entity[] =
    "UPDATE entity SET parent=?6, seq=?3, at_us=?4, actor=?5 WHERE kind=?1 AND handle=?2";

/* What is a scope's own, when it ends; its children have ended before. */
static const char end_own[] = "UPDATE entity SET ended=1, seq=?3, at_us=?4, actor=?5"
                              " WHERE parent=?2 AND kind>=100 AND ended=0";

static const char put_event[] =
    "INSERT INTO event (" RECORDS_EVENT_COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";

static int prepare(struct records *records)
{
    const struct {
        const char *sql;
        sqlite3_stmt **statement;
    } all[] = {
        {"BEGIN IMMEDIATE", &records->begin},
        {"COMMIT", &records->commit},
        {"ROLLBACK", &records->rollback},
        {put_usage, &records->usage},
        {put_detail, &records->detail},
        {put_upstream, &records->upstream},
        {put_entity, &records->entity},
        {end_entity, &records->entity_end},
        {move_entity, &records->entity_move},
        {end_own, &records->own_end},
        {put_event, &records->event},
        {"UPDATE meta SET value=? WHERE name='last_seq'", &records->last},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int error = db_prepare(records->db, all[i].sql, all[i].statement);
        if (error)
            return error;
    }
    return documents_init(&records->documents, records->db);
}

/* What an earlier version made becomes as this one makes it. */
static int bring_up(struct records *records)
{
    int64_t version = 0;
    int error = db_number(records->db, "PRAGMA user_version", &version);
    if (!error && version == 1)
        error = db_exec(records->db, from_version_1);
    if (!error && (version == 1 || version == 2))
        error = db_exec(records->db, from_version_2);
    return error; /* what was not committed goes as the file is closed */
}

static int count_frames(void *user, sqlite3 *db, const char *name, int frames)
{
    (void)db, (void)name;
    struct records *records = user;
    records->frames = frames;
    return SQLITE_OK;
}

static int set_up(struct records *records)
{
    int error = db_exec(records->db, "PRAGMA page_size=8192;"
                                     "PRAGMA journal_mode=WAL;"
                                     "PRAGMA synchronous=NORMAL;"
                                     "PRAGMA cache_size=-8192");
    sqlite3_wal_hook(records->db, count_frames, records); /* and no checkpoints of SQLite's own */
    int fresh = 0;
    if (!error)
        error = db_identify(records->db, RECORDS_APPLICATION, RECORDS_VERSION, &fresh);
    if (!error && fresh)
        error = db_exec(records->db, schema);
    else if (!error)
        error = bring_up(records);
    if (!error)
        error = prepare(records);
    if (!error)
        error = audit_open(records->db, true, &records->audit);
    int64_t last_seq = 0;
    if (!error)
        error = db_number(records->db, "SELECT value FROM meta WHERE name='last_seq'", &last_seq);
    if (!error && last_seq < 0)
        error = METE_E_CORRUPT;
    if (!error)
        records->last_seq = (uint64_t)last_seq;
    return error;
}

int records_open(const struct os *os, const char *directory, struct records **ret_records)
{
    ASSERT(os && directory && ret_records);
    int error = db_make_directory(directory);
    if (error)
        return error;
    struct records *records = calloc(1, sizeof *records);
    if (!records)
        return METE_E_MEMORY;
    error = db_open(os, directory, "records.db", DB_CREATE, &records->db);
    if (!error)
        error = set_up(records);
    if (!error)
        error = rollups_open(os, directory, records->db, &records->rollups);
    if (error) {
        records_close(records);
        return error;
    }
    *ret_records = records;
    return 0;
}

void records_close(struct records *records)
{
    if (!records)
        return;
    audit_close(records->audit);
    sqlite3_finalize(records->begin);
    sqlite3_finalize(records->commit);
    sqlite3_finalize(records->rollback);
    sqlite3_finalize(records->usage);
    sqlite3_finalize(records->detail);
    sqlite3_finalize(records->upstream);
    sqlite3_finalize(records->entity);
    sqlite3_finalize(records->entity_end);
    sqlite3_finalize(records->entity_move);
    sqlite3_finalize(records->own_end);
    sqlite3_finalize(records->event);
    sqlite3_finalize(records->last);
    documents_done(&records->documents);
    rollups_close(records->rollups);
    db_close(records->db);
    free(records);
}

struct audit_book *records_audit(struct records *records)
{
    return records->audit;
}

uint64_t records_last_seq(const struct records *records)
{
    return records->last_seq;
}

/* ---- Batches --------------------------------------------------------------------------------- */

int records_begin(struct records *records)
{
    ASSERT(!records->in_batch);
    int error = rollups_recall(records->rollups);
    if (!error)
        error = db_run(records->begin);
    if (!error)
        records->in_batch = true;
    return error;
}

/* Ends the batch as if it had not been begun. */
static int give_up(struct records *records, int error)
{
    records->in_batch = false;
    audit_batch_ended(records->audit, false);
    rollups_forget(records->rollups);
    if (!sqlite3_get_autocommit(records->db) && db_run(records->rollback))
        return METE_E_STORAGE;
    return error == METE_E_CORRUPT || error == METE_E_MEMORY ? error : METE_E_STORAGE;
}

int records_end(struct records *records, uint64_t last_seq)
{
    ASSERT(records->in_batch);
    ASSERT(last_seq >= records->last_seq && last_seq <= INT64_MAX);
    sqlite3_bind_int64(records->last, 1, (int64_t)last_seq);
    int error = rollups_end(records->rollups);
    if (!error)
        error = db_run(records->last);
    if (!error)
        error = db_run(records->commit);
    if (error)
        return give_up(records, error);
    records->in_batch = false;
    audit_batch_ended(records->audit, true);
    records->last_seq = last_seq;
    return 0;
}

/* A commit with synchronous=FULL flushes the write-ahead file, and with it what lies before; but
 * one that changes no byte writes nothing and flushes nothing, hence the count. */
int records_flush(struct records *records, uint64_t last_seq)
{
    ASSERT(!records->in_batch);
    int error = db_exec(records->db, "PRAGMA synchronous=FULL");
    if (!error)
        error = records_begin(records);
    if (!error)
        error = db_exec(records->db, "INSERT INTO meta VALUES ('flushes', 1)"
                                     " ON CONFLICT (name) DO UPDATE SET value = value + 1");
    if (!error)
        error = records_end(records, last_seq);
    int back = db_exec(records->db, "PRAGMA synchronous=NORMAL");
    return error ? error : back;
}

/* Readers may keep it from moving all or any: then the frames stay, and are tried again. */
int records_tidy(struct records *records, bool at_leisure)
{
    ASSERT(!records->in_batch);
    if (records->frames < (at_leisure ? TIDY_AT_LEISURE : TIDY_AT_LAST))
        return 0;
    records->frames = 0; /* until the next commit says how many there are */
    int rc = sqlite3_wal_checkpoint_v2(records->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return rc == SQLITE_BUSY ? 0 : db_error(rc);
}

int records_tend(struct records *records, const struct records_keep *keep, int *ret_more)
{
    enum keeping_step step;
    int error = keeping_find(records->db, records->rollups, keep, &step);
    *ret_more = step != KEEPING_NOTHING;
    if (error || !*ret_more)
        return error;
    error = records_begin(records);
    if (error)
        return error;
    error = keeping_do(records->db, records->rollups, keep, step);
    return error ? give_up(records, error) : records_end(records, records->last_seq);
}

/* Meters with a column of their own go there; returns the length of the others, packed. */
static size_t bind_meters(sqlite3_stmt *to, const struct records_usage *usage,
                          uint8_t extra[RECORDS_EXTRA_MAX])
{
    struct writer w = {extra, extra + RECORDS_EXTRA_MAX};
    uint32_t bound = 0;
    for (int i = USAGE_CURRENCY; i < USAGE_EXTRA; i++)
        sqlite3_bind_null(to, i + 1);
    for (size_t i = 0; i < usage->usage_len; i++) {
        const struct mete_usage *one = &usage->usage[i];
        if (one->meter < RECORDS_COLUMN_METERS && !(bound & 1U << one->meter)) {
            bound |= 1U << one->meter;
            sqlite3_bind_int64(to, USAGE_METERS + one->meter + 1, one->amount);
            if (one->meter == METE_COST)
                sqlite3_bind_int64(to, USAGE_CURRENCY + 1, one->currency);
            continue;
        }
        write_varint(&w, one->meter);
        write_varint(&w, one->currency);
        write_varint(&w, (uint64_t)one->amount);
    }
    return (size_t)(w.at - extra);
}

static void bind_outcome(sqlite3_stmt *to, const struct mete_outcome *outcome)
{
    sqlite3_bind_int(to, USAGE_ENDING + 1, (int)outcome->ending);
    sqlite3_bind_int64(to, USAGE_FLAGS + 1, outcome->flags);
    sqlite3_bind_int(to, USAGE_STATUS + 1, outcome->status);
    sqlite3_bind_int(to, USAGE_ATTEMPTS + 1, outcome->attempts);
    sqlite3_bind_int64(to, USAGE_LATENCY + 1, outcome->latency_ms);
    sqlite3_bind_int64(to, USAGE_FIRST_TOKEN + 1, outcome->first_token_ms);
    db_bind_text(to, USAGE_PRICE_LIST + 1,
                 (struct slice){outcome->price_list.data, outcome->price_list.len});
    db_bind_text(to, USAGE_NOTE + 1, (struct slice){outcome->note.data, outcome->note.len});
}

static void bind_text_or_null(sqlite3_stmt *to, int column, struct slice text)
{
    if (text.len)
        db_bind_text(to, column, text);
    else
        sqlite3_bind_null(to, column);
}

/* What many calls do not have. */
static int put_rest(struct records *records, const struct records_usage *usage)
{
    struct mete_part parts[METE_PARTS_MAX];
    struct mete_details details;
    sqlite3_stmt *to = records->detail;
    if (!usage->session.len && !usage->tags.len && !usage->fingerprint && !usage->details.len)
        return 0;
    sqlite3_bind_int64(to, 1, (int64_t)usage->seq);
    bind_text_or_null(to, 2, usage->session);
    bind_text_or_null(to, 3, usage->tags);
    if (usage->fingerprint)
        sqlite3_bind_int64(to, 4, (int64_t)usage->fingerprint);
    else
        sqlite3_bind_null(to, 4);
    if (usage->details.len)
        sqlite3_bind_blob(to, 5, usage->details.data, (int)usage->details.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(to, 5);
    int error = db_run(to);
    bool is_sound = details_read(usage->details, parts, &details);
    ASSERT(is_sound);
    if (error || !details.upstream_id.len)
        return error;
    db_bind_text(records->upstream, 1,
                 (struct slice){details.upstream_id.data, details.upstream_id.len});
    sqlite3_bind_int64(records->upstream, 2, (int64_t)usage->seq);
    return db_run(records->upstream);
}

int records_put_usage(struct records *records, const struct records_usage *usage)
{
    ASSERT(records->in_batch);
    ASSERT(usage->seq > records->last_seq && usage->usage_len <= RECORDS_METERS_MAX);
    sqlite3_stmt *to = records->usage;
    uint8_t extra[RECORDS_EXTRA_MAX];
    size_t extra_len = bind_meters(to, usage, extra);
    sqlite3_bind_int64(to, USAGE_SEQ + 1, (int64_t)usage->seq);
    sqlite3_bind_int64(to, USAGE_RESERVATION + 1, (int64_t)usage->reservation);
    sqlite3_bind_int64(to, USAGE_CORRECTS + 1, (int64_t)usage->corrects);
    sqlite3_bind_int64(to, USAGE_SCOPE + 1, usage->scope.n);
    sqlite3_bind_int64(to, USAGE_ORGANIZATION + 1, usage->organization.n);
    sqlite3_bind_int64(to, USAGE_DEPARTMENT + 1, usage->department.n);
    sqlite3_bind_int64(to, USAGE_USER + 1, usage->user.n);
    sqlite3_bind_int64(to, USAGE_KEY + 1, usage->key.n);
    db_bind_text(to, USAGE_REQUEST_ID + 1, usage->request_id);
    db_bind_text(to, USAGE_MODEL + 1, usage->model);
    db_bind_text(to, USAGE_PROVIDER + 1, usage->provider);
    sqlite3_bind_int64(to, USAGE_STARTED + 1, usage->started_us);
    sqlite3_bind_int64(to, USAGE_ENDED + 1, usage->ended_us);
    sqlite3_bind_int(to, USAGE_STATE + 1, (int)usage->state);
    sqlite3_bind_int(to, USAGE_OVERRUN + 1, usage->overrun);
    if (extra_len)
        sqlite3_bind_blob(to, USAGE_EXTRA + 1, extra, (int)extra_len, SQLITE_STATIC);
    else
        sqlite3_bind_null(to, USAGE_EXTRA + 1);
    bind_outcome(to, &usage->outcome);
    int error = db_run(to);
    if (!error)
        error = put_rest(records, usage);
    if (!error)
        error = rollups_put(records->rollups, usage);
    return error ? give_up(records, error) : 0;
}

static int change_one(sqlite3_stmt *to, const struct records_entity *entity)
{
    sqlite3_bind_int(to, 1, entity->kind);
    sqlite3_bind_int64(to, 2, entity->handle);
    sqlite3_bind_int64(to, 3, (int64_t)entity->seq);
    sqlite3_bind_int64(to, 4, entity->at_us);
    db_bind_text(to, 5, entity->actor);
    return db_run(to);
}

/* What was put is there: if no row is found, the file is damaged. */
static int change_row(struct records *records, sqlite3_stmt *to,
                      const struct records_entity *entity)
{
    int error = change_one(to, entity);
    return !error && sqlite3_changes(records->db) != 1 ? METE_E_CORRUPT : error;
}

static int change_there(struct records *records, const struct records_entity *entity)
{
    if (entity->moved) {
        sqlite3_bind_int64(records->entity_move, 6, entity->parent.n);
        return change_row(records, records->entity_move, entity);
    }
    int error = change_row(records, records->entity_end, entity);
    if (!error && entity->kind < RECORDS_BUDGET)
        error = change_one(records->own_end, entity);
    if (!error && entity->kind == METE_ORGANIZATION)
        error = documents_end_of(&records->documents, (struct mete_scope_id){entity->handle});
    return error;
}

int records_put_entity(struct records *records, const struct records_entity *entity)
{
    ASSERT(records->in_batch);
    ASSERT(entity->seq > records->last_seq);
    int error;
    if (entity->kind > RECORDS_DOCUMENT) {
        error = documents_put(&records->documents, entity);
        return error ? give_up(records, error) : 0;
    }
    ASSERT(entity->handle);
    if (entity->ended || entity->moved) {
        error = change_there(records, entity);
        return error ? give_up(records, error) : 0;
    }
    sqlite3_stmt *to = records->entity;
    sqlite3_bind_int(to, 1, entity->kind);
    sqlite3_bind_int64(to, 2, entity->handle);
    sqlite3_bind_int64(to, 3, entity->organization.n);
    sqlite3_bind_int64(to, 4, entity->parent.n);
    db_bind_text(to, 5, entity->id);
    db_bind_text(to, 6, entity->document);
    sqlite3_bind_int64(to, 8, (int64_t)entity->seq);
    sqlite3_bind_int64(to, 9, entity->at_us);
    db_bind_text(to, 10, entity->actor);
    error = db_run(to);
    return error ? give_up(records, error) : 0;
}

int records_put_event(struct records *records, const struct mete_event *event)
{
    ASSERT(records->in_batch);
    ASSERT(event->seq > records->last_seq);
    if (records->event_seq != event->seq) {
        records->event_seq = event->seq;
        records->event_n = 0;
    }
    sqlite3_stmt *to = records->event;
    sqlite3_bind_int64(to, 1, (int64_t)event->seq);
    sqlite3_bind_int(to, 2, records->event_n++);
    sqlite3_bind_int(to, 3, (int)event->kind);
    sqlite3_bind_int64(to, 4, event->at.us);
    sqlite3_bind_int64(to, 5, event->scope.n);
    sqlite3_bind_int64(to, 6, event->budget.n);
    sqlite3_bind_int64(to, 7, event->threshold_ppm);
    sqlite3_bind_int64(to, 8, event->limit);
    sqlite3_bind_int64(to, 9, event->committed);
    sqlite3_bind_int64(to, 10, event->held);
    int error = db_run(to);
    return error ? give_up(records, error) : 0;
}
