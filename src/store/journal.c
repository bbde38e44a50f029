/* SPDX-License-Identifier: Apache-2.0
 * One row a group commit, in SQLite's write-ahead file first and in the database file later:
 *
 *   journal(first_seq INTEGER PRIMARY KEY, entries BLOB, chain_hash BLOB)
 *   base(one, seq, chain_hash)      from the first cut on: what reading begins behind
 *   entries = version 1 | zero 3 | count 4 | XXH3-64 8 | packed entries        (little-endian)
 *   chain   = BLAKE2b-256(previous chain | first_seq 8 | count 4 | packed entries)
 *
 * The checksum covers first_seq, the eight bytes before it and the entries: it says "these bytes
 * rotted" where the chain says "this is not what was written here".
 *
 * KEPT HERE
 *   A group is durable before journal_append() returns: synchronous=FULL flushes the write-ahead
 *   file at each commit. One connection, exclusive: SQLite's race between connections that reset a
 *   write-ahead file cannot be met, and no second process can write.
 *   A failed write or flush, of a commit or of a checkpoint, is final (INV-15): the system may have
 *   dropped the pages it could not write, so that a second flush would succeed and mean nothing.
 *   SQLite's own checkpointing ignores errors; hence wal_autocheckpoint is off and journal_tidy()
 *   does it.
 *
 * CONSIDERED AND NOT DONE
 *   A preallocated segment file of our own with fdatasync: under twice as fast, for recovery code
 *   that would have to earn the trust SQLite's has. A row per entry: a third of the rate. */
#include "store/journal.h"

#include "base/assert.h"
#include "store/db.h"
#include "store/wal.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum {
    APPLICATION = 0x6d657465, /* "mete" */
    VERSION = 2,              /* of the file: tables and pragmas; 1 until its first cut */
    GROUP_VERSION = 1,        /* of the bytes in a row */
    HEADER = 16,
    ROW_FRONT = 12,        /* of a row in a piece */
    CUT_STEP = 512 * 1024, /* bytes deleted at once, and a group more: about 2 ms a megabyte */
    /* What journal_tidy() waits for: a megabyte of new groups, small enough that no flush waits
     * long behind its move; or, where each group is one call, so many frames of few pages, since a
     * move costs three flushes however little it moves. */
    CHECKPOINT_BYTES = 1024 * 1024,
    CHECKPOINT_FRAMES = 1024
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *append, *fetch, *forget;
    uint8_t *room; /* one group with its header */
    size_t room_len;
    uint64_t last_seq;
    uint8_t head[JOURNAL_HASH];
    struct journal_mark base;
    _Atomic uint64_t bytes;
    int frames;    /* in the write-ahead file */
    size_t moving; /* bytes of groups there that are not yet in their place, or to be deleted */
    bool was_read; /* last_seq and head are known */
    bool failed;   /* nothing may be appended any more */
    bool read_only;
};

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void put64(uint8_t *at, uint64_t value)
{
    put32(at, (uint32_t)value);
    put32(at + 4, (uint32_t)(value >> 32));
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

/* Of the group's number, the first half of its header, and its entries. */
static uint64_t checksum(uint64_t first_seq, const uint8_t header[HEADER], struct slice entries)
{
    uint8_t front[16];
    put64(front, first_seq);
    memcpy(front + 8, header, 8);
    uint64_t seed = XXH3_64bits(front, sizeof front);
    return XXH3_64bits_withSeed(entries.data, entries.len, seed);
}

static void chain(uint8_t head[JOURNAL_HASH], const struct journal_group *group)
{
    uint8_t place[12];
    put64(place, group->first_seq);
    put32(place + 8, group->count);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, JOURNAL_HASH);
    crypto_generichash_update(&state, head, JOURNAL_HASH);
    crypto_generichash_update(&state, place, sizeof place);
    crypto_generichash_update(&state, (const uint8_t *)group->entries.data, group->entries.len);
    crypto_generichash_final(&state, head, JOURNAL_HASH);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int count_frames(void *user, sqlite3 *db, const char *schema, int frames)
{
    (void)db, (void)schema;
    struct journal *journal = user;
    journal->frames = frames;
    return SQLITE_OK;
}

static int set_up(struct journal *journal)
{
    int error = db_exec(journal->db, "PRAGMA locking_mode=EXCLUSIVE;"
                                     "PRAGMA page_size=4096;"
                                     "PRAGMA journal_mode=WAL;"
                                     "PRAGMA synchronous=FULL;"
                                     "PRAGMA wal_autocheckpoint=0;"
                                     "PRAGMA cache_size=-4096;"
                                     "PRAGMA cell_size_check=ON");
    if (error)
        return error;
    sqlite3_wal_hook(journal->db, count_frames, journal);
    int fresh;
    error = db_identify(journal->db, APPLICATION, VERSION, &fresh);
    if (error || !fresh)
        return error;
    if (journal->read_only)
        return METE_E_STORAGE; /* created, and then cut off before anything was written */
    return db_exec(journal->db, "BEGIN;"
                                "CREATE TABLE journal (first_seq INTEGER PRIMARY KEY,"
                                " entries BLOB NOT NULL, chain_hash BLOB NOT NULL);"
                                "PRAGMA application_id=1835365477;"
                                "PRAGMA user_version=1;"
                                "COMMIT");
}

static const char behind[] = "SELECT first_seq, entries, chain_hash FROM journal"
                             " WHERE first_seq > ? ORDER BY first_seq";

/* A journal that was never cut has no such table. */
static int read_base(struct journal *journal)
{
    int64_t tables = 0;
    int error =
        db_number(journal->db,
                  "SELECT count(*) FROM sqlite_master WHERE type='table' AND name='base'", &tables);
    if (error || !tables)
        return error;
    sqlite3_stmt *base = NULL;
    error = db_prepare(journal->db, "SELECT seq, chain_hash FROM base WHERE one=1", &base);
    if (error)
        return error;
    int rc = sqlite3_step(base);
    error = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? METE_E_CORRUPT : db_error(rc);
    if (!error &&
        (sqlite3_column_int64(base, 0) <= 0 || sqlite3_column_bytes(base, 1) != JOURNAL_HASH))
        error = METE_E_CORRUPT;
    if (!error) {
        journal->base.seq = (uint64_t)sqlite3_column_int64(base, 0);
        memcpy(journal->base.head, sqlite3_column_blob(base, 1), JOURNAL_HASH);
    }
    sqlite3_finalize(base);
    return error;
}

static int prepare(struct journal *journal)
{
    journal->room_len = HEADER + LIMIT_GROUP;
    journal->room = malloc(journal->room_len);
    if (!journal->room)
        return METE_E_MEMORY;
    int error = db_prepare(journal->db, "INSERT INTO journal VALUES (?, ?, ?)", &journal->append);
    if (!error)
        error = db_prepare(journal->db, behind, &journal->fetch);
    if (!error)
        error =
            db_prepare(journal->db, "DELETE FROM journal WHERE first_seq <= ?", &journal->forget);
    if (!error)
        error = read_base(journal);
    if (!error && journal->read_only)
        error = db_exec(journal->db, "PRAGMA query_only=ON");
    return error;
}

/* Without a write-ahead file a read-only opening may take away the empty one it made; with one it
 * must leave everything as it found it. */
static int look_at_wal(const struct os *os, struct journal *journal, const char *directory)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/journal.db-wal", directory);
    if (len < 0 || len >= (int)sizeof path)
        return METE_E_STORAGE;
    int error = wal_check(os, path, NULL);
    sqlite3_vfs *vfs = sqlite3_vfs_find(os->sqlite_vfs);
    int there = 0;
    if (!error && vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &there))
        error = METE_E_STORAGE;
    if (!error && there && journal->read_only)
        sqlite3_db_config(journal->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return error;
}

int journal_open(const struct os *os, const char *directory, int read_only,
                 struct journal **ret_journal)
{
    ASSERT(os && directory && ret_journal);
    if (sodium_init() < 0)
        return METE_E_STORAGE;
    int error = read_only ? 0 : db_make_directory(directory);
    if (error)
        return error;
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return METE_E_MEMORY;
    journal->read_only = read_only != 0;
    error = db_open(os, directory, "journal.db", read_only ? DB_EXISTING : DB_CREATE, &journal->db);
    if (!error)
        error = look_at_wal(os, journal, directory);
    if (!error)
        error = set_up(journal);
    if (!error)
        error = prepare(journal);
    if (!error && !read_only)
        error = db_sync_directory(directory);
    if (error) {
        journal_close(journal);
        return error;
    }
    *ret_journal = journal;
    return 0;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    sqlite3_finalize(journal->append);
    sqlite3_finalize(journal->fetch);
    sqlite3_finalize(journal->forget);
    db_close(journal->db);
    free(journal->room);
    free(journal);
}

/* ---- Appending ------------------------------------------------------------------------------- */

/* Fills journal->room with the row's blob; returns its length. */
static size_t pack(struct journal *journal, const struct journal_group *group)
{
    uint8_t *at = journal->room;
    size_t len = HEADER + group->entries.len;
    ASSERT(len <= journal->room_len);
    memset(at, 0, HEADER);
    at[0] = GROUP_VERSION;
    put32(at + 4, group->count);
    put64(at + 8, checksum(group->first_seq, at, group->entries));
    memcpy(at + HEADER, group->entries.data, group->entries.len);
    return len;
}

/* What is said of a write that failed. */
static int final(int error)
{
    return error == METE_E_MEMORY ? error : METE_E_STORAGE;
}

/* Not within a transaction: what it does not hold yet cannot be moved. */
static bool is_untidy(const struct journal *journal)
{
    if (!sqlite3_get_autocommit(journal->db))
        return false;
    return journal->moving >= CHECKPOINT_BYTES || journal->frames >= CHECKPOINT_FRAMES;
}

int journal_append(struct journal *journal, const struct journal_group *group)
{
    ASSERT(journal->was_read && !journal->read_only);
    ASSERT_INV("INV-15", !journal->failed);
    ASSERT(group->first_seq == journal->last_seq + 1 && group->count > 0);
    int error = journal_tidy(journal);
    if (error)
        return error;
    uint8_t head[JOURNAL_HASH];
    memcpy(head, journal->head, sizeof head);
    chain(head, group);
    size_t len = pack(journal, group);
    sqlite3_bind_int64(journal->append, 1, (int64_t)group->first_seq);
    sqlite3_bind_blob(journal->append, 2, journal->room, (int)len, SQLITE_STATIC);
    sqlite3_bind_blob(journal->append, 3, head, sizeof head, SQLITE_STATIC);
    error = db_run(journal->append);
    if (error) {
        journal->failed = true;
        return final(error);
    }
    memcpy(journal->head, head, sizeof head);
    journal->last_seq += group->count;
    journal->moving += len;
    atomic_fetch_add_explicit(&journal->bytes, len, memory_order_relaxed);
    return 0;
}

int journal_tidy(struct journal *journal)
{
    ASSERT_INV("INV-15", !journal->failed);
    if (!is_untidy(journal))
        return 0;
    int rc = sqlite3_wal_checkpoint_v2(journal->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc) {
        journal->failed = true;
        return final(db_error(rc));
    }
    journal->frames = 0;
    journal->moving = 0;
    return 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct reading {
    struct journal_mark mark;
    uint64_t bytes;
    char *detail; /* may be NULL */
};

/* A row as it lies in the file or in a piece. */
struct row {
    uint64_t first_seq;
    struct slice blob, chain;
};

__attribute__((format(printf, 2, 3))) static int corrupt(const struct reading *reading,
                                                         const char *format, ...)
{
    if (!reading->detail)
        return METE_E_CORRUPT;
    va_list args;
    va_start(args, format);
    vsnprintf(reading->detail, 256, format, args);
    va_end(args);
    return METE_E_CORRUPT;
}

static struct slice column_blob(sqlite3_stmt *row, int column)
{
    const char *bytes = sqlite3_column_blob(row, column);
    return (struct slice){bytes, bytes ? (size_t)sqlite3_column_bytes(row, column) : 0};
}

static struct row row_of(sqlite3_stmt *row)
{
    return (struct row){(uint64_t)sqlite3_column_int64(row, 0), column_blob(row, 1),
                        column_blob(row, 2)};
}

/* The row, checked on its own. */
static int read_row(const struct reading *reading, const struct row *row,
                    struct journal_group *ret_group)
{
    const uint8_t *blob = (const uint8_t *)row->blob.data;
    size_t len = row->blob.len;
    if (len < HEADER || len > HEADER + LIMIT_GROUP)
        return corrupt(reading, "group %llu: %zu bytes are no group",
                       (unsigned long long)row->first_seq, len);
    if (blob[0] > GROUP_VERSION)
        return METE_E_FORMAT;
    struct journal_group group = {
        .first_seq = row->first_seq,
        .count = get32(blob + 4),
        .entries = {(const char *)blob + HEADER, len - HEADER},
    };
    if (blob[0] != GROUP_VERSION || blob[1] || blob[2] || blob[3] || !group.count ||
        group.count > LIMIT_GROUP ||
        get64(blob + 8) != checksum(row->first_seq, blob, group.entries))
        return corrupt(reading, "group %llu: the checksum does not match",
                       (unsigned long long)row->first_seq);
    *ret_group = group;
    return 0;
}

static int check_place(struct reading *reading, const struct row *row,
                       const struct journal_group *group)
{
    uint64_t next = reading->mark.seq + 1;
    if (group->first_seq != next)
        return corrupt(reading, "entries %llu to %llu are missing", (unsigned long long)next,
                       (unsigned long long)group->first_seq - 1);
    chain(reading->mark.head, group);
    if (row->chain.len != JOURNAL_HASH ||
        memcmp(row->chain.data, reading->mark.head, JOURNAL_HASH) != 0)
        return corrupt(reading, "group %llu: the chain is broken at or before it",
                       (unsigned long long)group->first_seq);
    return 0;
}

static int take_row(struct reading *reading, const struct row *row,
                    int (*fn)(void *user, const struct journal_group *group), void *user)
{
    struct journal_group group;
    int error = read_row(reading, row, &group);
    if (!error)
        error = check_place(reading, row, &group);
    if (!error)
        error = fn(user, &group);
    if (error)
        return error;
    reading->mark.seq += group.count;
    reading->bytes += row->blob.len;
    return 0;
}

static int read_rows(struct reading *reading, sqlite3_stmt *rows,
                     int (*fn)(void *user, const struct journal_group *group), void *user)
{
    int rc;
    sqlite3_bind_int64(rows, 1, (int64_t)reading->mark.seq);
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct row row = row_of(rows);
        int error = take_row(reading, &row, fn, user);
        if (error)
            return error;
    }
    int error = rc == SQLITE_DONE ? 0 : db_error(rc);
    if (error == METE_E_CORRUPT)
        return corrupt(reading, "after entry %llu: the database file is damaged",
                       (unsigned long long)reading->mark.seq);
    return error;
}

/* What was not read is counted as the file has it. */
static int count_bytes(struct journal *journal, uint64_t read)
{
    int64_t pages = 0, unused = 0, page_bytes = 0;
    int error = db_number(journal->db, "PRAGMA page_count", &pages);
    if (!error)
        error = db_number(journal->db, "PRAGMA freelist_count", &unused);
    if (!error)
        error = db_number(journal->db, "PRAGMA page_size", &page_bytes);
    uint64_t file = (uint64_t)(pages - unused) * (uint64_t)page_bytes;
    atomic_store_explicit(&journal->bytes, file > read ? file : read, memory_order_relaxed);
    return error;
}

/* What a torn commit left in the write-ahead file goes, before anything is appended over its front:
 * of two such leftovers, one over the other, nobody could say that they are no damage (wal.c). */
static int leave_no_torn_tail(struct journal *journal)
{
    int rc = sqlite3_wal_checkpoint_v2(journal->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    journal->frames = 0;
    journal->moving = 0;
    return db_error(rc);
}

int journal_read(struct journal *journal, const struct journal_mark *after,
                 int (*fn)(void *user, const struct journal_group *group), void *user,
                 char ret_detail[256])
{
    ASSERT(journal && fn);
    ASSERT(!journal->failed);
    bool is_all = !after || after->seq == journal->base.seq;
    struct reading reading = {.mark = after ? *after : journal->base, .detail = ret_detail};
    int error = journal_knows(journal, &reading.mark);
    if (error == METE_E_NOT_FOUND)
        return corrupt(&reading, "entry %llu is not the journal's",
                       (unsigned long long)reading.mark.seq);
    sqlite3_stmt *rows = NULL;
    if (!error)
        error = db_prepare(journal->db, behind, &rows);
    if (!error)
        error = read_rows(&reading, rows, fn, user);
    else if (error == METE_E_CORRUPT)
        error = corrupt(&reading, "the table of groups cannot be read");
    sqlite3_finalize(rows);
    if (!error && !journal->read_only)
        error = leave_no_torn_tail(journal);
    if (error)
        return error;
    journal->last_seq = reading.mark.seq;
    memcpy(journal->head, reading.mark.head, sizeof journal->head);
    atomic_store_explicit(&journal->bytes, reading.bytes, memory_order_relaxed);
    journal->was_read = true;
    return is_all ? 0 : count_bytes(journal, reading.bytes);
}

/* The chain hash of the group that ends with an entry. */
static int find_head(struct journal *journal, uint64_t seq, uint8_t ret_head[JOURNAL_HASH])
{
    sqlite3_stmt *statement = NULL;
    int error = db_prepare(journal->db,
                           "SELECT chain_hash, first_seq, substr(entries, 5, 4) FROM journal"
                           " WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
                           &statement);
    if (error)
        return error;
    sqlite3_bind_int64(statement, 1, (int64_t)seq);
    int rc = sqlite3_step(statement);
    error = rc == SQLITE_ROW || rc == SQLITE_DONE ? METE_E_NOT_FOUND : db_error(rc);
    if (rc == SQLITE_ROW) {
        struct slice head = column_blob(statement, 0), count = column_blob(statement, 2);
        uint64_t first = (uint64_t)sqlite3_column_int64(statement, 1);
        if (head.len == JOURNAL_HASH && count.len == 4 &&
            first + get32((const uint8_t *)count.data) == seq + 1) {
            memcpy(ret_head, head.data, JOURNAL_HASH);
            error = 0;
        }
    }
    sqlite3_finalize(statement);
    return error;
}

int journal_knows(struct journal *journal, const struct journal_mark *mark)
{
    uint8_t head[JOURNAL_HASH];
    int error = 0;
    if (mark->seq == journal->base.seq)
        memcpy(head, journal->base.head, sizeof head);
    else
        error =
            mark->seq < journal->base.seq ? METE_E_NOT_FOUND : find_head(journal, mark->seq, head);
    if (error)
        return error;
    return memcmp(head, mark->head, sizeof head) == 0 ? 0 : METE_E_NOT_FOUND;
}

uint64_t journal_last_seq(const struct journal *journal)
{
    ASSERT(journal->was_read);
    return journal->last_seq;
}

void journal_head(const struct journal *journal, uint8_t ret_hash[JOURNAL_HASH])
{
    ASSERT(journal->was_read);
    memcpy(ret_hash, journal->head, JOURNAL_HASH);
}

uint64_t journal_bytes(const struct journal *journal)
{
    return atomic_load_explicit(&journal->bytes, memory_order_relaxed);
}

/* ---- In pieces ------------------------------------------------------------------------------- */

/* first_seq 8 | length 4 | blob | chain hash. False: it does not fit. */
static bool add_row(struct journal_piece *piece, const struct row *row)
{
    size_t needed = ROW_FRONT + row->blob.len + JOURNAL_HASH;
    if (needed > piece->room - piece->len)
        return false;
    uint8_t *at = piece->bytes + piece->len;
    put64(at, row->first_seq);
    put32(at + 8, (uint32_t)row->blob.len);
    memcpy(at + ROW_FRONT, row->blob.data, row->blob.len);
    memcpy(at + ROW_FRONT + row->blob.len, row->chain.data, JOURNAL_HASH);
    piece->len += needed;
    return true;
}

int journal_fetch(struct journal *journal, uint64_t after, size_t enough,
                  struct journal_piece *ret_piece)
{
    ASSERT(!journal->failed && ret_piece->room >= JOURNAL_PIECE_MIN);
    ret_piece->len = 0;
    sqlite3_bind_int64(journal->fetch, 1, (int64_t)after);
    int rc = SQLITE_DONE, error = 0;
    while (!error && ret_piece->len < enough && (rc = sqlite3_step(journal->fetch)) == SQLITE_ROW) {
        struct row row = row_of(journal->fetch);
        if (row.blob.len < HEADER || row.blob.len > HEADER + LIMIT_GROUP ||
            row.chain.len != JOURNAL_HASH)
            error = METE_E_CORRUPT;
        else if (!add_row(ret_piece, &row))
            break;
    }
    if (!error && rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = db_error(rc);
    sqlite3_reset(journal->fetch);
    return error;
}

int journal_unfold(const struct journal_piece *piece, struct journal_mark *mark,
                   int (*fn)(void *user, const struct journal_group *group), void *user,
                   char ret_detail[256])
{
    struct reading reading = {.mark = *mark, .detail = ret_detail};
    const uint8_t *at = piece->bytes, *end = at + piece->len;
    while (at < end) {
        struct row row = {.first_seq = get64(at), .blob = {NULL, get32(at + 8)}};
        row.blob.data = (const char *)at + ROW_FRONT;
        row.chain = (struct slice){row.blob.data + row.blob.len, JOURNAL_HASH};
        ASSERT((size_t)(end - at) >= ROW_FRONT + row.blob.len + JOURNAL_HASH);
        int error = take_row(&reading, &row, fn, user);
        if (error)
            return error;
        *mark = reading.mark;
        at += ROW_FRONT + row.blob.len + JOURNAL_HASH;
    }
    return 0;
}

/* ---- Cutting --------------------------------------------------------------------------------- */

void journal_base(const struct journal *journal, struct journal_mark *ret_base)
{
    *ret_base = journal->base;
}

static int write_base(struct journal *journal, const struct journal_mark *base)
{
    sqlite3_stmt *put = NULL;
    int error = db_exec(journal->db, "CREATE TABLE IF NOT EXISTS base (one INTEGER PRIMARY KEY,"
                                     " seq INTEGER NOT NULL, chain_hash BLOB NOT NULL);"
                                     "PRAGMA user_version=2");
    if (!error)
        error = db_prepare(journal->db, "INSERT OR REPLACE INTO base VALUES (1, ?, ?)", &put);
    if (error)
        return error;
    sqlite3_bind_int64(put, 1, (int64_t)base->seq);
    sqlite3_bind_blob(put, 2, base->head, sizeof base->head, SQLITE_STATIC);
    error = db_run(put);
    sqlite3_finalize(put);
    return error;
}

int journal_cut(struct journal *journal, const struct journal_mark *base)
{
    ASSERT(journal->was_read && !journal->read_only && !journal->failed);
    int error = journal_knows(journal, base);
    if (error || base->seq == journal->base.seq)
        return error;
    error = db_exec(journal->db, "BEGIN IMMEDIATE");
    if (!error)
        error = write_base(journal, base);
    if (!error)
        error = db_exec(journal->db, "COMMIT");
    journal->failed = error != 0;
    if (!error)
        journal->base = *base;
    return error ? METE_E_STORAGE : 0;
}

/* The last of the oldest groups that one step deletes; 0: there is none before the base. */
static int find_step(struct journal *journal, int64_t *ret_last, uint64_t *ret_bytes)
{
    sqlite3_stmt *oldest = NULL;
    int error = db_prepare(journal->db,
                           "SELECT first_seq, length(entries) FROM journal WHERE first_seq <= ?"
                           " ORDER BY first_seq LIMIT 64",
                           &oldest);
    if (error)
        return error;
    *ret_last = 0;
    *ret_bytes = 0;
    int rc = SQLITE_ROW;
    sqlite3_bind_int64(oldest, 1, (int64_t)journal->base.seq);
    while (*ret_bytes < CUT_STEP && (rc = sqlite3_step(oldest)) == SQLITE_ROW) {
        *ret_last = sqlite3_column_int64(oldest, 0);
        *ret_bytes += (uint64_t)sqlite3_column_int64(oldest, 1);
    }
    sqlite3_finalize(oldest);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_error(rc);
}

int journal_cut_step(struct journal *journal, int *ret_more)
{
    ASSERT(!journal->read_only && !journal->failed);
    int64_t last = 0;
    uint64_t bytes = 0;
    int error = find_step(journal, &last, &bytes);
    if (!error && last) {
        sqlite3_bind_int64(journal->forget, 1, last);
        error = db_run(journal->forget);
    }
    journal->failed = error != 0;
    if (error)
        return METE_E_STORAGE;
    journal->moving += bytes;
    uint64_t all = atomic_load_explicit(&journal->bytes, memory_order_relaxed);
    atomic_store_explicit(&journal->bytes, all > bytes ? all - bytes : 0, memory_order_relaxed);
    *ret_more = last != 0;
    return 0;
}

/* ---- Copying --------------------------------------------------------------------------------- */

int journal_begin_at(struct journal *journal, const struct journal_mark *base)
{
    ASSERT(!journal->was_read && !journal->read_only && !journal->base.seq);
    int error = base->seq ? write_base(journal, base) : 0;
    if (error)
        return final(error);
    journal->base = *base;
    journal->last_seq = base->seq;
    memcpy(journal->head, base->head, sizeof journal->head);
    journal->was_read = true;
    return 0;
}

static int adopt_group(void *user, const struct journal_group *group)
{
    return journal_append(user, group);
}

int journal_adopt(struct journal *journal, const struct journal_piece *piece)
{
    ASSERT(journal->was_read && !journal->failed);
    int error = journal_tidy(journal); /* not within a transaction */
    struct journal_mark mark = {.seq = journal->last_seq};
    memcpy(mark.head, journal->head, sizeof mark.head);
    if (!error)
        error = db_exec(journal->db, "BEGIN");
    if (!error)
        error = journal_unfold(piece, &mark, adopt_group, journal, NULL);
    if (!error)
        error = db_exec(journal->db, "COMMIT");
    journal->failed |= error != 0;
    return error;
}
