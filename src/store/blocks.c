/* SPDX-License-Identifier: Apache-2.0
 * A block's row is found by its last cell: the first block whose last is not before what is
 * looked for has it, if any has. So the cells of one scope in one stretch are one look away, and
 * those of a range of scopes lie behind it.
 *
 * CONSIDERED AND NOT DONE  a row a cell: a call makes three or four, and each cost as much as half
 * a record. Measured by bench/records_bench, calls a second of CPU, a thousand keys in turn:
 * 368,000 without rollups, 110,000 with a row a cell, 286,000 with blocks.
 */
#include "store/blocks.h"

#include "base/assert.h"
#include "base/varint.h"

enum { BLOCK_MAX = 1600, CELL_MAX = 21 * VARINT_MAX, FULL_AT = BLOCK_MAX - CELL_MAX };

int blocks_writer_open(sqlite3 *db, struct blocks_writer *writer)
{
    int error = db_prepare(db, "INSERT OR IGNORE INTO stretch VALUES (?1,?2,?3)", &writer->stretch);
    if (!error)
        error = db_prepare(db, "INSERT INTO rollup VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                           &writer->block);
    return error;
}

void blocks_writer_close(struct blocks_writer *writer)
{
    sqlite3_finalize(writer->stretch);
    sqlite3_finalize(writer->block);
}

/* ---- Packing --------------------------------------------------------------------------------- */

static void pack(struct writer *w, const struct cell *cell, const struct cell_key *before)
{
    const struct cell_key *key = &cell->key;
    const struct rollups_sums *sums = &cell->sums;
    uint32_t up = key->organization - before->organization;
    write_varint(w, up);
    write_varint(w, up ? key->scope : key->scope - before->scope);
    const uint64_t plain[] = {key->department,
                              key->user,
                              key->model,
                              key->provider,
                              key->currency,
                              key->meter,
                              (uint64_t)sums->calls,
                              (uint64_t)sums->failures,
                              (uint64_t)sums->cache_hits,
                              (uint64_t)sums->timed,
                              (uint64_t)sums->latency_ms};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        write_varint(w, plain[i]);
    const int64_t either[] = {sums->amount, sums->input,     sums->cached_input, sums->cache_write,
                              sums->output, sums->reasoning, sums->total_tokens, sums->requests};
    for (size_t i = 0; i < sizeof either / sizeof either[0]; i++)
        write_zigzag(w, either[i]);
}

static void unpack(struct reader *r, struct cell *cell)
{
    struct cell_key *key = &cell->key;
    struct rollups_sums *sums = &cell->sums;
    uint32_t up = (uint32_t)read_varint(r), scope = (uint32_t)read_varint(r);
    key->organization += up;
    key->scope = up ? scope : key->scope + scope;
    uint32_t *const small[] = {&key->department, &key->user, &key->model, &key->provider,
                               &key->currency};
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        *small[i] = (uint32_t)read_varint(r);
    key->meter = (uint16_t)read_varint(r);
    int64_t *const plain[] = {&sums->calls, &sums->failures, &sums->cache_hits, &sums->timed,
                              &sums->latency_ms};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        *plain[i] = (int64_t)read_varint(r);
    int64_t *const either[] = {&sums->amount,       &sums->input,   &sums->cached_input,
                               &sums->cache_write,  &sums->output,  &sums->reasoning,
                               &sums->total_tokens, &sums->requests};
    for (size_t i = 0; i < sizeof either / sizeof either[0]; i++)
        *either[i] = read_zigzag(r);
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct place {
    int span;
    int64_t upto;
    uint32_t n; /* blocks that end with the same scope follow each other */
};

static int write_stretch(struct blocks_writer *writer, const struct place *place, uint32_t bucket)
{
    sqlite3_bind_int(writer->stretch, 1, place->span);
    sqlite3_bind_int64(writer->stretch, 2, bucket);
    sqlite3_bind_int64(writer->stretch, 3, place->upto);
    return db_run(writer->stretch);
}

/* The longest run from first on that fits one block. */
static int write_block(struct blocks_writer *writer, struct place *place, const struct cells *cells,
                       uint32_t first, uint32_t *ret_next)
{
    uint8_t room[BLOCK_MAX];
    struct writer w = {room, room + sizeof room};
    const struct cell_key *head = &cells->at[first].key;
    struct cell_key before = {0};
    uint32_t at = first;
    for (; at < cells->len && w.at < room + FULL_AT; at++) {
        const struct cell_key *key = &cells->at[at].key;
        if (key->bucket != head->bucket || key->level != head->level)
            break;
        pack(&w, &cells->at[at], &before);
        before = *key;
    }
    const int64_t values[] = {place->span, head->bucket,        place->upto,
                              head->level, before.organization, before.scope,
                              place->n++,  head->organization,  head->scope};
    for (int i = 0; i < (int)(sizeof values / sizeof values[0]); i++)
        sqlite3_bind_int64(writer->block, i + 1, values[i]);
    sqlite3_bind_blob(writer->block, 10, room, (int)(w.at - room), SQLITE_STATIC);
    *ret_next = at;
    return db_run(writer->block);
}

int blocks_write(struct blocks_writer *writer, int span, int64_t upto, const struct cells *cells)
{
    struct place place = {.span = span, .upto = upto};
    int error = 0;
    for (uint32_t at = 0; !error && at < cells->len;) {
        uint32_t bucket = cells->at[at].key.bucket;
        if (!at || bucket != cells->at[at - 1].key.bucket)
            error = write_stretch(writer, &place, bucket);
        if (!error)
            error = write_block(writer, &place, cells, at, &at);
    }
    return error;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int each_cell(sqlite3_stmt *row, uint32_t bucket, int (*fn)(void *user, const struct cell *),
                     void *user)
{
    const uint8_t *bytes = sqlite3_column_blob(row, 3);
    struct reader r = {bytes, bytes + sqlite3_column_bytes(row, 3), false};
    struct cell cell = {.key = {.bucket = bucket, .level = (uint16_t)sqlite3_column_int(row, 0)}};
    int error = 0;
    while (!error && r.at < r.end) {
        unpack(&r, &cell);
        error = r.bad ? METE_E_CORRUPT : fn(user, &cell);
    }
    return error;
}

/* The blocks of one stretch. */
static int each_block(sqlite3_stmt *blocks, const struct blocks_range *range, uint32_t bucket,
                      int (*fn)(void *user, const struct cell *), void *user)
{
    uint32_t last = range->organization ? range->last_scope : UINT32_MAX;
    int rc = SQLITE_DONE, error = 0;
    while (!error && (rc = sqlite3_step(blocks)) == SQLITE_ROW) {
        int64_t organization = sqlite3_column_int64(blocks, 1);
        int64_t scope = sqlite3_column_int64(blocks, 2);
        if (range->organization && (organization > range->organization ||
                                    (organization == range->organization && scope > last)))
            break; /* it begins behind them */
        error = each_cell(blocks, bucket, fn, user);
    }
    int reset = sqlite3_reset(blocks);
    if (error)
        return error;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_error(reset ? reset : rc);
}

static int each_stretch(sqlite3_stmt *stretches, sqlite3_stmt *blocks,
                        const struct blocks_range *range,
                        int (*fn)(void *user, const struct cell *), void *user)
{
    int rc = SQLITE_DONE, error = 0;
    while (!error && (rc = sqlite3_step(stretches)) == SQLITE_ROW) {
        int64_t bucket = sqlite3_column_int64(stretches, 0);
        sqlite3_bind_int64(blocks, 2, bucket);
        sqlite3_bind_int64(blocks, 3, sqlite3_column_int64(stretches, 1));
        error = each_block(blocks, range, (uint32_t)bucket, fn, user);
    }
    return error ? error : db_error(rc);
}

int blocks_each(sqlite3 *db, const struct blocks_range *range,
                int (*fn)(void *user, const struct cell *), void *user)
{
    ASSERT(range->level || !range->organization);
    sqlite3_stmt *stretches = NULL, *blocks = NULL;
    int error = db_prepare(db,
                           "SELECT bucket, upto FROM stretch WHERE span=?1 AND bucket>=?2"
                           " AND bucket<?3 ORDER BY bucket, upto",
                           &stretches);
    if (!error)
        error = db_prepare(db,
                           range->level ? "SELECT level, first_organization, first_scope, cells"
                                          " FROM rollup WHERE span=?1 AND bucket=?2 AND upto=?3"
                                          " AND level=?4 AND (last_organization, last_scope)"
                                          " >= (?5, ?6) ORDER BY last_organization, last_scope, n"
                                        : "SELECT level, first_organization, first_scope, cells"
                                          " FROM rollup WHERE span=?1 AND bucket=?2 AND upto=?3"
                                          " ORDER BY level, last_organization, last_scope, n",
                           &blocks);
    if (!error) {
        sqlite3_bind_int(stretches, 1, range->span);
        sqlite3_bind_int64(stretches, 2, range->from);
        sqlite3_bind_int64(stretches, 3, range->to);
        sqlite3_bind_int(blocks, 1, range->span);
        if (range->level) {
            sqlite3_bind_int(blocks, 4, range->level);
            sqlite3_bind_int64(blocks, 5, range->organization);
            sqlite3_bind_int64(blocks, 6, range->organization ? range->first_scope : 0);
        }
        error = each_stretch(stretches, blocks, range, fn, user);
    }
    sqlite3_finalize(stretches);
    sqlite3_finalize(blocks);
    return error;
}
