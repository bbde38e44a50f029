/* SPDX-License-Identifier: Apache-2.0
 * The chain's head is kept in memory and read once at open; a batch that is given up takes it back
 * to where the last one left it. Two indexes: what a thing's last row said is asked for with every
 * row that is put, and an organization's rows are what its people list. An installation's rows are
 * walked by seq. */
#include "store/audit.h"

#include "base/assert.h"
#include "store/db.h"
#include "store/records_file.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    SEQ = 0,
    AT,
    ACTOR,
    ACTION,
    ORGANIZATION,
    KIND,
    ID,
    HANDLE,
    BEFORE,
    AFTER,
    CHAIN,
    COLUMNS,
    ORGANIZATION_ID = COLUMNS /* of some questions */
};

struct audit_book {
    sqlite3 *db;
    bool has_table;
    sqlite3_stmt *put, *entity, *scope, *last, *id, *all;
    uint8_t head[AUDIT_HASH];  /* of the last row put */
    uint8_t ended[AUDIT_HASH]; /* of the last row of a batch that has ended */
};

_Static_assert(AUDIT_HASH == crypto_generichash_BYTES, "BLAKE2b-256");
_Static_assert(RECORDS_BUDGET == 100, "as the statements say");

/* ---- The chain --------------------------------------------------------------------------------
 */

static void add_number(crypto_generichash_state *state, uint64_t number)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    crypto_generichash_update(state, bytes, sizeof bytes);
}

static void add_text(crypto_generichash_state *state, struct slice text)
{
    add_number(state, text.len);
    if (text.len)
        crypto_generichash_update(state, (const uint8_t *)text.data, text.len);
}

void audit_hash(const uint8_t last[AUDIT_HASH], const struct audit_row *row,
                uint8_t ret_hash[AUDIT_HASH])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, AUDIT_HASH);
    crypto_generichash_update(&state, last, AUDIT_HASH);
    add_number(&state, row->seq);
    add_number(&state, (uint64_t)row->at_us);
    add_number(&state, row->organization.n);
    add_number(&state, row->handle);
    add_text(&state, row->actor);
    add_text(&state, row->action);
    add_text(&state, row->kind);
    add_text(&state, row->id);
    add_text(&state, row->before);
    add_text(&state, row->after);
    crypto_generichash_final(&state, ret_hash, AUDIT_HASH);
}

/* ---- Opening ----------------------------------------------------------------------------------
 */

int audit_head(struct audit_book *book, uint64_t upto_seq, uint8_t ret_hash[AUDIT_HASH])
{
    sqlite3_stmt *row;
    memset(ret_hash, 0, AUDIT_HASH);
    if (!book->has_table)
        return 0;
    int error = db_prepare(book->db,
                           "SELECT chain FROM audit WHERE seq<=?1 ORDER BY seq DESC LIMIT 1", &row);
    if (error)
        return error;
    sqlite3_bind_int64(row, 1, upto_seq > INT64_MAX ? INT64_MAX : (int64_t)upto_seq);
    int rc = sqlite3_step(row);
    const void *chain = rc == SQLITE_ROW ? sqlite3_column_blob(row, 0) : NULL;
    if (rc == SQLITE_ROW && (!chain || sqlite3_column_bytes(row, 0) != AUDIT_HASH))
        error = METE_E_CORRUPT;
    else if (chain)
        memcpy(ret_hash, chain, AUDIT_HASH);
    sqlite3_finalize(row);
    return error ? error : db_error(rc);
}

static int prepare(struct audit_book *book)
{
    const struct {
        const char *sql;
        sqlite3_stmt **statement;
    } all[] = {
        {"INSERT INTO audit (" RECORDS_AUDIT_COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,"
         "?11)",
         &book->put},
        {"SELECT organization, parent, id, document, kind FROM entity WHERE kind=?1 AND handle=?2",
         &book->entity},
        {"SELECT organization, parent, id, document, kind FROM entity"
         " WHERE kind IN (1,2,3,4,5,6) AND handle=?2",
         &book->scope},
        {"SELECT after FROM audit WHERE kind=?1 AND handle=?2 AND id=?3 AND organization=?4"
         " AND seq<?5 ORDER BY seq DESC LIMIT 1",
         &book->last},
        {"SELECT id FROM audit WHERE kind=?1 AND handle=?2 ORDER BY seq DESC LIMIT 1", &book->id},
        {"SELECT " RECORDS_AUDIT_COLUMNS " FROM audit ORDER BY seq", &book->all},
    };
    _Static_assert(METE_KINDS == 7, "as the statement says");
    int error = 0;
    for (size_t i = 0; !error && i < sizeof all / sizeof all[0]; i++)
        error = db_prepare(book->db, all[i].sql, all[i].statement);
    return error;
}

int audit_open(struct sqlite3 *db, bool has_table, struct audit_book **ret_book)
{
    ASSERT(db && ret_book);
    struct audit_book *book = calloc(1, sizeof *book);
    if (!book)
        return METE_E_MEMORY;
    book->db = db;
    book->has_table = has_table;
    int error = has_table ? prepare(book) : 0;
    if (!error)
        error = audit_head(book, INT64_MAX, book->head);
    if (error) {
        audit_close(book);
        return error;
    }
    memcpy(book->ended, book->head, AUDIT_HASH);
    *ret_book = book;
    return 0;
}

void audit_close(struct audit_book *book)
{
    if (!book)
        return;
    sqlite3_finalize(book->put);
    sqlite3_finalize(book->entity);
    sqlite3_finalize(book->scope);
    sqlite3_finalize(book->last);
    sqlite3_finalize(book->id);
    sqlite3_finalize(book->all);
    free(book);
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

void audit_batch_ended(struct audit_book *book, bool is_there)
{
    if (is_there)
        memcpy(book->ended, book->head, AUDIT_HASH);
    else
        memcpy(book->head, book->ended, AUDIT_HASH);
}

int audit_put(struct audit_book *book, const struct audit_row *row)
{
    ASSERT(book->has_table && row->seq > 0 && row->action.len > 0 && row->kind.len > 0);
    sqlite3_stmt *to = book->put;
    uint8_t chain[AUDIT_HASH];
    audit_hash(book->head, row, chain);
    sqlite3_bind_int64(to, SEQ + 1, (int64_t)row->seq);
    sqlite3_bind_int64(to, AT + 1, row->at_us);
    db_bind_text(to, ACTOR + 1, row->actor);
    db_bind_text(to, ACTION + 1, row->action);
    sqlite3_bind_int64(to, ORGANIZATION + 1, row->organization.n);
    db_bind_text(to, KIND + 1, row->kind);
    db_bind_text(to, ID + 1, row->id);
    sqlite3_bind_int64(to, HANDLE + 1, row->handle);
    db_bind_text(to, BEFORE + 1, row->before);
    db_bind_text(to, AFTER + 1, row->after);
    sqlite3_bind_blob(to, CHAIN + 1, chain, AUDIT_HASH, SQLITE_STATIC);
    int error = db_run(to);
    sqlite3_clear_bindings(to);
    if (!error)
        memcpy(book->head, chain, AUDIT_HASH);
    return error;
}

/* ---- Looking up -------------------------------------------------------------------------------
 */

/* The row stays where it is, so that its texts do. */
static int look(sqlite3_stmt *row)
{
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        return 0;
    int reset = sqlite3_reset(row);
    return rc == SQLITE_DONE ? METE_E_NOT_FOUND : db_error(reset ? reset : rc);
}

int audit_find_entity(struct audit_book *book, int kind, uint32_t handle,
                      struct audit_entity *ret_entity)
{
    sqlite3_stmt *row = kind ? book->entity : book->scope;
    if (!book->has_table)
        return METE_E_NOT_FOUND;
    sqlite3_reset(row);
    if (kind)
        sqlite3_bind_int(row, 1, kind);
    sqlite3_bind_int64(row, 2, handle);
    int error = look(row);
    if (error)
        return error;
    *ret_entity = (struct audit_entity){
        .organization = {(uint32_t)sqlite3_column_int64(row, 0)},
        .parent = {(uint32_t)sqlite3_column_int64(row, 1)},
        .id = db_column_text(row, 2),
        .document = db_column_text(row, 3),
        .kind = sqlite3_column_int(row, 4),
    };
    return db_row_error(row);
}

int audit_find_last(struct audit_book *book, const struct audit_row *row, struct slice *ret_after)
{
    if (!book->has_table)
        return METE_E_NOT_FOUND;
    sqlite3_reset(book->last);
    db_bind_text(book->last, 1, row->kind);
    sqlite3_bind_int64(book->last, 2, row->handle);
    db_bind_text(book->last, 3, row->id);
    sqlite3_bind_int64(book->last, 4, row->organization.n);
    sqlite3_bind_int64(book->last, 5, (int64_t)row->seq);
    int error = look(book->last);
    if (error)
        return error;
    *ret_after = db_column_text(book->last, 0);
    return db_row_error(book->last);
}

int audit_find_id(struct audit_book *book, const char *kind, uint32_t handle, struct slice *ret_id)
{
    if (!book->has_table)
        return METE_E_NOT_FOUND;
    sqlite3_reset(book->id);
    db_bind_text(book->id, 1, slice_of(kind));
    sqlite3_bind_int64(book->id, 2, handle);
    int error = look(book->id);
    if (error)
        return error;
    *ret_id = db_column_text(book->id, 0);
    return db_row_error(book->id);
}

void audit_rest(struct audit_book *book)
{
    sqlite3_reset(book->entity);
    sqlite3_reset(book->scope);
    sqlite3_reset(book->last);
    sqlite3_reset(book->id);
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

int audit_begins_behind(struct audit_book *book, uint64_t *ret_seq)
{
    int64_t seq = 0;
    int error = db_number(book->db,
                          book->has_table
                              ? "SELECT coalesce(sum(value), 0) FROM meta WHERE name='audit_from'"
                              : "SELECT value FROM meta WHERE name='last_seq'",
                          &seq);
    if (!error && seq < 0)
        error = METE_E_CORRUPT;
    if (!error)
        *ret_seq = (uint64_t)seq;
    return error;
}

static int read_row(sqlite3_stmt *row, struct audit_row *ret_row)
{
    *ret_row = (struct audit_row){
        .seq = (uint64_t)sqlite3_column_int64(row, SEQ),
        .at_us = sqlite3_column_int64(row, AT),
        .actor = db_column_text(row, ACTOR),
        .action = db_column_text(row, ACTION),
        .organization = {(uint32_t)sqlite3_column_int64(row, ORGANIZATION)},
        .kind = db_column_text(row, KIND),
        .id = db_column_text(row, ID),
        .handle = (uint32_t)sqlite3_column_int64(row, HANDLE),
        .before = db_column_text(row, BEFORE),
        .after = db_column_text(row, AFTER),
    };
    const void *chain = sqlite3_column_blob(row, CHAIN);
    if (chain && sqlite3_column_bytes(row, CHAIN) == AUDIT_HASH)
        memcpy(ret_row->chain, chain, AUDIT_HASH); /* else it is no row's hash */
    return db_row_error(row);
}

/* The first seq from which on rows are made at or after at_us; they never go back in time. */
static int first_at(struct audit_book *book, int64_t at_us, int64_t *ret_seq)
{
    sqlite3_stmt *row = NULL;
    int64_t low = 0, high = 0;
    int error = db_number(book->db, "SELECT coalesce(max(seq), 0) + 1 FROM audit", &high);
    if (!error)
        error = db_prepare(book->db,
                           "SELECT seq, at_us FROM audit WHERE seq>=?1 ORDER BY seq LIMIT 1", &row);
    while (!error && low < high) {
        int64_t middle = low + (high - low) / 2;
        sqlite3_bind_int64(row, 1, middle);
        int rc = sqlite3_step(row);
        bool is_late = rc != SQLITE_ROW || sqlite3_column_int64(row, 1) >= at_us;
        int64_t seq = rc == SQLITE_ROW ? sqlite3_column_int64(row, 0) : high;
        sqlite3_reset(row);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            error = db_error(rc);
        else if (is_late)
            high = middle;
        else
            low = seq + 1;
    }
    sqlite3_finalize(row);
    *ret_seq = low;
    return error;
}

static int find_bounds(struct audit_book *book, const struct audit_filter *filter,
                       int64_t *ret_from, int64_t *ret_to)
{
    *ret_from = 0;
    *ret_to = INT64_MAX;
    int error = filter->from_us ? first_at(book, filter->from_us, ret_from) : 0;
    if (!error && filter->to_us)
        error = first_at(book, filter->to_us, ret_to);
    if (filter->before_seq && filter->before_seq < (uint64_t)*ret_to)
        *ret_to = (int64_t)filter->before_seq;
    return error;
}

/* Two statements, so that an organization's rows are found by their index. */
#define SELECT_ROWS                                                                                \
    "SELECT seq, at_us, actor, action, organization, kind, id, handle, before, after, chain,"      \
    " (SELECT o.id FROM entity AS o WHERE o.kind=1 AND o.handle=audit.organization)"               \
    " FROM audit WHERE seq>=?1 AND seq<?2 AND (?4='' OR actor=?4) AND (?5='' OR action=?5)"        \
    " AND (?6='' OR kind=?6) AND (?7='' OR id=?7)"
#define IN_ORDER " ORDER BY seq DESC LIMIT ?3"

static int prepare_rows(struct audit_book *book, const struct audit_filter *filter,
                        sqlite3_stmt **ret_rows)
{
    sqlite3_stmt *rows = NULL;
    int64_t from, to;
    int error = find_bounds(book, filter, &from, &to);
    if (!error)
        error = db_prepare(book->db,
                           filter->organization.n ? SELECT_ROWS " AND organization=?8" IN_ORDER
                                                  : SELECT_ROWS IN_ORDER,
                           &rows);
    if (error)
        return error;
    sqlite3_bind_int64(rows, 1, from);
    sqlite3_bind_int64(rows, 2, to);
    sqlite3_bind_int64(rows, 3, (int64_t)filter->limit);
    db_bind_text(rows, 4, filter->actor);
    db_bind_text(rows, 5, filter->action);
    db_bind_text(rows, 6, filter->kind);
    db_bind_text(rows, 7, filter->id);
    if (filter->organization.n)
        sqlite3_bind_int64(rows, 8, filter->organization.n);
    *ret_rows = rows;
    return 0;
}

int audit_each(struct audit_book *book, const struct audit_filter *filter,
               int (*fn)(void *user, const struct audit_row *row), void *user)
{
    ASSERT(book && fn && filter->limit >= 1);
    sqlite3_stmt *rows;
    if (!book->has_table)
        return 0;
    int error = prepare_rows(book, filter, &rows);
    if (error)
        return error;
    int rc = SQLITE_DONE;
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct audit_row row;
        error = read_row(rows, &row);
        row.organization_id = db_column_text(rows, ORGANIZATION_ID);
        if (!error)
            error = fn(user, &row);
    }
    sqlite3_finalize(rows);
    return error ? error : db_error(rc);
}

int audit_next(struct audit_book *book, struct audit_row *ret_row, int *ret_found)
{
    *ret_found = 0;
    if (!book->all) /* it is at its end: a step more would begin anew */
        return 0;
    int rc = sqlite3_step(book->all);
    if (rc == SQLITE_ROW) {
        *ret_found = 1;
        return read_row(book->all, ret_row);
    }
    sqlite3_finalize(book->all);
    book->all = NULL;
    return db_error(rc);
}
