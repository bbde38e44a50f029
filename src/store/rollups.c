/* SPDX-License-Identifier: Apache-2.0
 * The writing half of the rollups (rollups_file.h has the picture).
 *
 * CONSIDERED AND NOT DONE  adding to rows in place with each batch: one page is read and written
 * for nearly each call of an installation with many keys, some 8 KB for what a stretch needs 100
 * bytes. Rows an hour long: zones half an hour and three quarters of one from UTC would be told
 * wrongly. Days put together in one step: a day of a million calls would hold the projector up for
 * a second.
 */
#include "store/rollups_file.h"

#include "base/assert.h"
#include "base/limits.h"
#include "store/blocks.h"
#include "store/cells.h"

#include <stdlib.h>
#include <xxhash.h>

enum { CACHED = 1024 /* names; the places are by hash */ };
enum { REFILL_BATCH = 64 /* stretches in one transaction, of a file that has none yet */ };

struct cached {
    uint32_t id; /* 0: nothing here */
    uint32_t len;
    char text[LIMIT_ID];
};

struct rollups {
    sqlite3 *db;
    struct os os;
    char *directory;
    struct blocks_writer blocks;
    sqlite3_stmt *mark, *find_name, *make_name;
    struct cells cells;
    uint64_t last_seq; /* of the calls in cells */
    uint32_t calls, first_bucket, last_bucket;
    bool is_forgotten;
    struct cells day;  /* of the day that is put together; empty: none */
    int64_t day_next;  /* the quarter behind the last one in it */
    int64_t day_parts; /* written while a quarter is taken */
    struct cached names[CACHED];
};

_Static_assert(LIMIT_ID >= LIMIT_SESSION && LIMIT_ID >= LIMIT_PROVIDER, "any name fits");

/* ---- Names ----------------------------------------------------------------------------------- */

bool rollups_next_tag(struct slice *tags, struct slice *ret_tag)
{
    if (!tags->len)
        return false;
    const char *end = memchr(tags->data, '\n', tags->len);
    size_t len = end ? (size_t)(end - tags->data) : tags->len;
    *ret_tag = slice_part(*tags, 0, len);
    *tags = slice_from(*tags, end ? len + 1 : len);
    return true;
}

static int find_name(struct rollups *rollups, struct slice text, uint32_t *ret_id)
{
    db_bind_text(rollups->find_name, 1, text);
    int rc = sqlite3_step(rollups->find_name);
    uint32_t id = rc == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(rollups->find_name, 0) : 0;
    int reset = sqlite3_reset(rollups->find_name);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return db_error(reset ? reset : rc);
    if (!id) {
        db_bind_text(rollups->make_name, 1, text);
        int error = db_run(rollups->make_name);
        if (error)
            return error;
        id = (uint32_t)sqlite3_last_insert_rowid(rollups->db);
    }
    *ret_id = id;
    return 0;
}

static int name_id(struct rollups *rollups, struct slice text, uint32_t *ret_id)
{
    *ret_id = 0;
    if (!text.len)
        return 0;
    ASSERT(text.len <= LIMIT_ID);
    struct cached *cached = &rollups->names[XXH3_64bits(text.data, text.len) % CACHED];
    if (!cached->id || !slice_equal((struct slice){cached->text, cached->len}, text)) {
        uint32_t id = 0;
        int error = find_name(rollups, text, &id);
        if (error)
            return error;
        cached->id = id;
        cached->len = (uint32_t)text.len;
        memcpy(cached->text, text.data, text.len);
    }
    *ret_id = cached->id;
    return 0;
}

static int name_all(struct rollups *rollups, const struct records_usage *usage,
                    struct cell_names *names)
{
    struct slice tags = usage->tags, tag;
    int error = name_id(rollups, usage->model, &names->model);
    if (!error)
        error = name_id(rollups, usage->provider, &names->provider);
    names->tags_len = 0;
    while (!error && names->tags_len < METE_TAGS_MAX && rollups_next_tag(&tags, &tag)) {
        uint32_t id = 0;
        bool is_new = tag.len != 0;
        error = name_id(rollups, tag, &id);
        for (size_t i = 0; i < names->tags_len; i++)
            is_new &= names->tags[i] != id;
        if (!error && is_new)
            names->tags[names->tags_len++] = id;
    }
    return error;
}

/* ---- Stretches ------------------------------------------------------------------------------- */

int rollups_write(struct rollups *rollups)
{
    int error = 0;
    if (!rollups->calls)
        return 0;
    cells_sort(&rollups->cells);
    error = blocks_write(&rollups->blocks, ROLLUPS_QUARTER, (int64_t)rollups->last_seq,
                         &rollups->cells);
    if (error)
        return error;
    sqlite3_bind_int64(rollups->mark, 1, (int64_t)rollups->last_seq);
    error = db_run(rollups->mark);
    cells_empty(&rollups->cells);
    rollups->calls = 0;
    return error;
}

int rollups_put(struct rollups *rollups, const struct records_usage *usage)
{
    ASSERT(usage->seq > rollups->last_seq);
    ASSERT(!rollups->is_forgotten);
    struct cell_names names;
    int error = name_all(rollups, usage, &names);
    if (!error && rollups->cells.is_full)
        error = rollups_write(rollups);
    if (error)
        return error;
    cells_add(&rollups->cells, usage, &names);
    rollups->last_bucket = cells_bucket(usage->ended_us);
    if (!rollups->calls++)
        rollups->first_bucket = rollups->last_bucket;
    rollups->last_seq = usage->seq;
    return 0;
}

int rollups_end(struct rollups *rollups)
{
    bool is_due = rollups->calls >= ROLLUPS_STRETCH || rollups->cells.is_full ||
                  (rollups->calls && rollups->first_bucket != rollups->last_bucket);
    return is_due ? rollups_write(rollups) : 0;
}

void rollups_forget(struct rollups *rollups)
{
    rollups->is_forgotten = true;
}

/* ---- Days ------------------------------------------------------------------------------------ */

int rollups_meta(sqlite3 *db, const char *name, int64_t *ret_value)
{
    char sql[96];
    sqlite3_snprintf((int)sizeof sql, sql, "SELECT value FROM meta WHERE name=%Q", name);
    return db_number(db, sql, ret_value);
}

int rollups_set_meta(sqlite3 *db, const char *name, int64_t value)
{
    char sql[128];
    sqlite3_snprintf((int)sizeof sql, sql, "UPDATE meta SET value=%lld WHERE name=%Q",
                     (long long)value, name);
    return db_exec(db, sql);
}

/* The first quarter that is not in its day; 0: there is none of a day that is over. A call that
 * waits in cells may be of the newest day that is in the table, so that one is not. */
static int next_quarter(struct rollups *rollups, int64_t *ret_bucket)
{
    char sql[96];
    int64_t from = 0, last = 0, next = 0;
    int error = rollups_meta(rollups->db, "day_bucket", &from);
    if (!error)
        error = db_number(rollups->db, "SELECT max(bucket) FROM stretch WHERE span=1", &last);
    if (error)
        return error;
    from = rollups->day_next > from ? rollups->day_next : from;
    sqlite3_snprintf((int)sizeof sql, sql,
                     "SELECT min(bucket) FROM stretch WHERE span=1 AND bucket>=%lld",
                     (long long)from);
    error = db_number(rollups->db, sql, &next);
    if (!error)
        *ret_bucket = next / ROLLUPS_DAY_BUCKETS < last / ROLLUPS_DAY_BUCKETS ? next : 0;
    return error;
}

int rollups_day_is_due(struct rollups *rollups, bool *ret_is_due)
{
    int64_t next = 0;
    int error = next_quarter(rollups, &next);
    *ret_is_due = !error && (next || rollups->day.len);
    return error;
}

/* What was taken of the day is written, up to a bucket: a power cut begins behind it. */
static int write_day(struct rollups *rollups, int64_t upto_bucket)
{
    cells_sort(&rollups->day);
    int64_t upto = rollups->day_next * UINT16_MAX + rollups->day_parts++;
    int error = blocks_write(&rollups->blocks, ROLLUPS_DAY, upto, &rollups->day);
    cells_empty(&rollups->day);
    return error ? error : rollups_set_meta(rollups->db, "day_bucket", upto_bucket);
}

static int take_cell(void *user, const struct cell *cell)
{
    struct rollups *rollups = user;
    struct cell of_day = *cell;
    of_day.key.bucket /= ROLLUPS_DAY_BUCKETS;
    bool is_taken = !rollups->day.is_full && cells_merge(&rollups->day, &of_day);
    if (is_taken)
        return 0;
    int error = write_day(rollups, cell->key.bucket);
    if (error || cells_merge(&rollups->day, &of_day))
        return error;
    return METE_E_CORRUPT;
}

/* If some of it had to be written, so has all of it: a mark is between two quarters. */
static int take_quarter(struct rollups *rollups, int64_t bucket)
{
    struct blocks_range range = {
        .span = ROLLUPS_QUARTER, .from = (uint32_t)bucket, .to = (uint32_t)bucket + 1};
    rollups->day_next = bucket + 1;
    rollups->day_parts = 0;
    int error = blocks_each(rollups->db, &range, take_cell, rollups);
    if (!error && rollups->day_parts)
        error = write_day(rollups, bucket + 1);
    return error;
}

int rollups_day_step(struct rollups *rollups)
{
    int64_t next = 0;
    int error = next_quarter(rollups, &next);
    if (!error && !rollups->day.at)
        error = cells_new(&rollups->day, CELLS_DAY);
    if (error)
        return error;
    int64_t day = (rollups->day_next - 1) / ROLLUPS_DAY_BUCKETS;
    if (next && (!rollups->day.len || next / ROLLUPS_DAY_BUCKETS == day))
        return take_quarter(rollups, next);
    rollups->day_parts = 0;
    error = write_day(rollups, (day + 1) * ROLLUPS_DAY_BUCKETS);
    if (!next)
        cells_done(&rollups->day);
    return error;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int prepare(struct rollups *rollups)
{
    int error = blocks_writer_open(rollups->db, &rollups->blocks);
    if (!error)
        error = db_prepare(rollups->db, "UPDATE meta SET value=? WHERE name='rolled_seq'",
                           &rollups->mark);
    if (!error)
        error = db_prepare(rollups->db, "SELECT id FROM name WHERE text=?", &rollups->find_name);
    if (!error)
        error = db_prepare(rollups->db, "INSERT INTO name (text) VALUES (?)", &rollups->make_name);
    return error;
}

/* What is behind rolled_seq, from a connection of its own: it sees the file as it was. */
static int take_over_from(struct rollups *rollups, struct records_cursor *cursor)
{
    struct records_usage usage;
    int found = 1, written = 0;
    int error = db_exec(rollups->db, "BEGIN IMMEDIATE");
    while (!error) {
        error = records_cursor_usage(cursor, &usage, &found);
        if (error || !found)
            break;
        error = rollups_put(rollups, &usage);
        if (error || (!rollups->cells.is_full && rollups->calls < ROLLUPS_STRETCH))
            continue;
        error = rollups_write(rollups);
        if (!error && ++written % REFILL_BATCH == 0)
            error = db_exec(rollups->db, "COMMIT; BEGIN IMMEDIATE");
    }
    if (!error)
        error = rollups_end(rollups);
    if (!error)
        error = db_exec(rollups->db, "COMMIT");
    if (error && !sqlite3_get_autocommit(rollups->db) && db_exec(rollups->db, "ROLLBACK"))
        return METE_E_STORAGE;
    return error;
}

static int take_over(struct rollups *rollups)
{
    struct records_reader *reader = NULL;
    struct records_cursor *cursor = NULL;
    int64_t rolled = 0, last = 0;
    int error = rollups_meta(rollups->db, "rolled_seq", &rolled);
    if (!error)
        error = db_number(rollups->db, "SELECT max(seq) FROM usage", &last);
    rollups->last_seq = (uint64_t)rolled;
    if (error || last <= rolled)
        return error;
    error = records_reader_open(&rollups->os, rollups->directory, &reader);
    if (!error)
        error = records_cursor_open(reader, (uint64_t)rolled, &cursor);
    if (!error)
        error = take_over_from(rollups, cursor);
    records_cursor_close(cursor);
    records_reader_close(reader);
    return error;
}

/* Names that the batch made are gone as well, and what was taken of a day may be. */
int rollups_recall(struct rollups *rollups)
{
    if (!rollups->is_forgotten)
        return 0;
    cells_empty(&rollups->cells);
    cells_done(&rollups->day);
    memset(rollups->names, 0, sizeof rollups->names);
    rollups->calls = 0;
    rollups->day_next = 0;
    rollups->is_forgotten = false;
    int error = take_over(rollups);
    rollups->is_forgotten = error != 0;
    return error;
}

int rollups_open(const struct os *os, const char *directory, sqlite3 *db,
                 struct rollups **ret_rollups)
{
    struct rollups *rollups = calloc(1, sizeof *rollups);
    if (!rollups)
        return METE_E_MEMORY;
    rollups->db = db;
    rollups->os = *os;
    rollups->directory = strdup(directory);
    int error = rollups->directory ? 0 : METE_E_MEMORY;
    if (!error)
        error = cells_new(&rollups->cells, CELLS_MAX);
    if (!error)
        error = prepare(rollups);
    if (!error)
        error = take_over(rollups);
    if (error) {
        rollups_close(rollups);
        return error;
    }
    *ret_rollups = rollups;
    return 0;
}

void rollups_close(struct rollups *rollups)
{
    if (!rollups)
        return;
    blocks_writer_close(&rollups->blocks);
    sqlite3_finalize(rollups->mark);
    sqlite3_finalize(rollups->find_name);
    sqlite3_finalize(rollups->make_name);
    cells_done(&rollups->cells);
    cells_done(&rollups->day);
    free(rollups->directory);
    free(rollups);
}
