/* SPDX-License-Identifier: Apache-2.0
 * One row a group commit, in SQLite's write-ahead file first and in the database file later:
 *
 *   journal(first_seq INTEGER PRIMARY KEY, entries BLOB, chain_hash BLOB)
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
#include "base/limits.h"
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
    VERSION = 1,              /* of the file: tables and pragmas */
    GROUP_VERSION = 1,        /* of the bytes in a row */
    HEADER = 16,
    CHECKPOINT_FRAMES = 64 /* a megabyte: small enough that no flush waits long behind one */
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *append;
    uint8_t *room; /* one group with its header */
    size_t room_len;
    uint64_t last_seq;
    uint8_t head[JOURNAL_HASH];
    _Atomic uint64_t bytes;
    int frames;    /* in the write-ahead file */
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
                                     "PRAGMA page_size=16384;"
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

static int prepare(struct journal *journal)
{
    journal->room_len = HEADER + LIMIT_GROUP;
    journal->room = malloc(journal->room_len);
    if (!journal->room)
        return METE_E_MEMORY;
    int error = db_prepare(journal->db, "INSERT INTO journal VALUES (?, ?, ?)", &journal->append);
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

int journal_append(struct journal *journal, const struct journal_group *group)
{
    ASSERT(journal->was_read && !journal->read_only);
    ASSERT_INV("INV-15", !journal->failed);
    ASSERT(group->first_seq == journal->last_seq + 1 && group->count > 0);
    int error = journal->frames >= CHECKPOINT_FRAMES ? journal_tidy(journal) : 0;
    if (error)
        return error;
    uint8_t head[JOURNAL_HASH];
    memcpy(head, journal->head, sizeof head);
    chain(head, group);
    size_t len = pack(journal, group);
    sqlite3_bind_int64(journal->append, 1, (int64_t)group->first_seq);
    sqlite3_bind_blob(journal->append, 2, journal->room, (int)len, SQLITE_STATIC);
    sqlite3_bind_blob(journal->append, 3, head, sizeof head, SQLITE_STATIC);
    if (db_run(journal->append)) {
        journal->failed = true;
        return METE_E_STORAGE;
    }
    memcpy(journal->head, head, sizeof head);
    journal->last_seq += group->count;
    atomic_fetch_add_explicit(&journal->bytes, len, memory_order_relaxed);
    return 0;
}

int journal_tidy(struct journal *journal)
{
    ASSERT_INV("INV-15", !journal->failed);
    if (journal->frames < CHECKPOINT_FRAMES)
        return 0;
    int rc = sqlite3_wal_checkpoint_v2(journal->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc) {
        journal->failed = true;
        return METE_E_STORAGE;
    }
    journal->frames = 0;
    return 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct reading {
    struct journal *journal;
    uint64_t next_seq;
    uint8_t head[JOURNAL_HASH];
    uint64_t bytes;
    char *detail; /* may be NULL */
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

/* The row under the statement, checked on its own. */
static int read_row(const struct reading *reading, sqlite3_stmt *row,
                    struct journal_group *ret_group)
{
    const uint8_t *blob = sqlite3_column_blob(row, 1);
    size_t len = (size_t)sqlite3_column_bytes(row, 1);
    uint64_t first_seq = (uint64_t)sqlite3_column_int64(row, 0);
    if (!blob || len < HEADER || len > reading->journal->room_len)
        return corrupt(reading, "group %llu: %zu bytes are no group", (unsigned long long)first_seq,
                       len);
    if (blob[0] > GROUP_VERSION)
        return METE_E_FORMAT;
    struct journal_group group = {
        .first_seq = first_seq,
        .count = get32(blob + 4),
        .entries = {(const char *)blob + HEADER, len - HEADER},
    };
    if (blob[0] != GROUP_VERSION || blob[1] || blob[2] || blob[3] || !group.count ||
        group.count > LIMIT_GROUP || get64(blob + 8) != checksum(first_seq, blob, group.entries))
        return corrupt(reading, "group %llu: the checksum does not match",
                       (unsigned long long)first_seq);
    *ret_group = group;
    return 0;
}

static int check_place(struct reading *reading, sqlite3_stmt *row,
                       const struct journal_group *group)
{
    if (group->first_seq != reading->next_seq)
        return corrupt(reading, "entries %llu to %llu are missing",
                       (unsigned long long)reading->next_seq,
                       (unsigned long long)group->first_seq - 1);
    chain(reading->head, group);
    if (sqlite3_column_bytes(row, 2) != JOURNAL_HASH ||
        memcmp(sqlite3_column_blob(row, 2), reading->head, JOURNAL_HASH) != 0)
        return corrupt(reading, "group %llu: the chain is broken at or before it",
                       (unsigned long long)group->first_seq);
    return 0;
}

static int read_rows(struct reading *reading, sqlite3_stmt *rows,
                     int (*fn)(void *user, const struct journal_group *group), void *user)
{
    int rc;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct journal_group group;
        int error = read_row(reading, rows, &group);
        if (!error)
            error = check_place(reading, rows, &group);
        if (!error)
            error = fn(user, &group);
        if (error)
            return error;
        reading->next_seq += group.count;
        reading->bytes += HEADER + group.entries.len;
    }
    int error = rc == SQLITE_DONE ? 0 : db_error(rc);
    if (error == METE_E_CORRUPT)
        return corrupt(reading, "after entry %llu: the database file is damaged",
                       (unsigned long long)reading->next_seq - 1);
    return error;
}

int journal_read(struct journal *journal, int (*fn)(void *user, const struct journal_group *group),
                 void *user, char ret_detail[256])
{
    ASSERT(journal && fn);
    ASSERT(!journal->failed);
    struct reading reading = {.journal = journal, .next_seq = 1, .detail = ret_detail};
    sqlite3_stmt *rows = NULL;
    int error =
        db_prepare(journal->db,
                   "SELECT first_seq, entries, chain_hash FROM journal ORDER BY first_seq", &rows);
    if (!error)
        error = read_rows(&reading, rows, fn, user);
    else if (error == METE_E_CORRUPT || error == METE_E_STORAGE)
        error = corrupt(&reading, "the table of groups cannot be read");
    sqlite3_finalize(rows);
    if (error)
        return error;
    journal->last_seq = reading.next_seq - 1;
    memcpy(journal->head, reading.head, sizeof reading.head);
    atomic_store_explicit(&journal->bytes, reading.bytes, memory_order_relaxed);
    journal->was_read = true;
    return 0;
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
