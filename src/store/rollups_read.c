/* SPDX-License-Identifier: Apache-2.0
 * The reading half of the rollups. A range of quarters is taken as whole days of UTC, with quarters
 * at its ends; each is one look into the table's key, so that a month of one scope is some hundred
 * looks however much else is in the table. What the writer has not rolled up yet is added from the
 * usage itself: a view reads it once, into cells of its own.
 *
 * Groups come in order of their id. Where there may be very many (the keys of an organization) the
 * table is asked for a stretch of handles at a time, longer each time, until the page is full.
 *
 * CONSIDERED AND NOT DONE  groups in order of cost: it is known only after all of them were added
 * up. Asking each key of a page alone: a hundred times the looks. */
#include "store/rollups_file.h"

#include "base/assert.h"
#include "base/checked.h"
#include "store/blocks.h"
#include "store/cells.h"
#include "store/records_file.h"

#include <stdlib.h>

enum { SPAN_FIRST = 1024, SPAN_TIMES = 8 };

struct rollups_view {
    sqlite3 *db;
    sqlite3_stmt *name, *number;
    struct cells cells;
    uint32_t first, end;             /* buckets that anything is known of */
    uint32_t days_to, quarters_from; /* days before days_to have rows of their own */
    uint32_t handle_max, name_max;
    bool in_transaction;
};

/* ---- Opening --------------------------------------------------------------------------------- */

static int find_number(struct rollups_view *view, struct slice text, uint32_t *ret_id)
{
    *ret_id = 0;
    if (!text.len)
        return 0;
    db_bind_text(view->number, 1, text);
    int rc = sqlite3_step(view->number);
    if (rc == SQLITE_ROW)
        *ret_id = (uint32_t)sqlite3_column_int64(view->number, 0);
    int reset = sqlite3_reset(view->number);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_error(reset ? reset : rc);
}

static int add_waiting(struct rollups_view *view, const struct records_usage *usage)
{
    struct cell_names names = {0};
    struct slice tags = usage->tags, tag;
    int error = find_number(view, usage->model, &names.model);
    if (!error)
        error = find_number(view, usage->provider, &names.provider);
    while (!error && names.tags_len < METE_TAGS_MAX && rollups_next_tag(&tags, &tag)) {
        uint32_t id = 0;
        error = find_number(view, tag, &id);
        bool is_new = id != 0;
        for (size_t i = 0; i < names.tags_len; i++)
            is_new &= names.tags[i] != id;
        if (!error && is_new)
            names.tags[names.tags_len++] = id;
    }
    if (!error && view->cells.is_full) /* the writer would have written them */
        return METE_E_CORRUPT;
    if (error)
        return error;
    cells_add(&view->cells, usage, &names);
    uint32_t bucket = cells_bucket(usage->ended_us);
    view->first = view->first ? view->first : bucket;
    view->end = bucket + 1;
    return 0;
}

static int read_waiting(struct rollups_view *view, struct records_reader *reader)
{
    struct records_cursor *cursor = NULL;
    struct records_usage usage;
    int64_t rolled = 0;
    int found = 1;
    int error = rollups_meta(view->db, "rolled_seq", &rolled);
    if (!error)
        error = records_cursor_open(reader, (uint64_t)rolled, &cursor);
    while (!error && found) {
        error = records_cursor_usage(cursor, &usage, &found);
        if (!error && found)
            error = add_waiting(view, &usage);
    }
    records_cursor_close(cursor);
    return error;
}

_Static_assert(METE_ORGANIZATION == 1 && METE_API_KEY == 4, "as the statement says");

static int read_bounds(struct rollups_view *view)
{
    uint32_t first_day = 0;
    const struct {
        const char *sql;
        uint32_t *to;
    } all[] = {
        {"SELECT min(bucket) FROM stretch WHERE span=1", &view->first},
        {"SELECT 1+max(bucket) FROM stretch WHERE span=1", &view->end},
        {"SELECT min(bucket) FROM stretch WHERE span=2", &first_day},
        {"SELECT value/96*96 FROM meta WHERE name='day_bucket'", &view->days_to},
        {"SELECT value FROM meta WHERE name='quarters_from'", &view->quarters_from},
        {"SELECT max((SELECT max(handle) FROM entity WHERE kind=value))"
         " FROM (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)",
         &view->handle_max}, /* a look a kind: asked of all kinds together it reads them all */
        {"SELECT max(id) FROM name", &view->name_max},
    };
    int error = 0;
    for (size_t i = 0; !error && i < sizeof all / sizeof all[0]; i++) {
        int64_t number = 0;
        error = db_number(view->db, all[i].sql, &number);
        *all[i].to = (uint32_t)number;
    }
    if (first_day)
        view->first = first_day * ROLLUPS_DAY_BUCKETS;
    return error;
}

static int open_view(struct rollups_view *view, struct records_reader *reader)
{
    int64_t tables = 0;
    int error = db_exec(view->db, "BEGIN");
    view->in_transaction = !error;
    if (!error)
        error =
            db_number(view->db, "SELECT count(*) FROM sqlite_master WHERE name='rollup'", &tables);
    if (!error && !tables)
        error = METE_E_NOT_FOUND;
    if (!error)
        error = db_prepare(view->db, "SELECT text FROM name WHERE id=?", &view->name);
    if (!error)
        error = db_prepare(view->db, "SELECT id FROM name WHERE text=?", &view->number);
    if (!error)
        error = read_bounds(view);
    if (!error)
        error = cells_new(&view->cells, CELLS_MAX);
    return error ? error : read_waiting(view, reader);
}

int rollups_view_open(struct records_reader *reader, struct rollups_view **ret_view)
{
    ASSERT(reader && ret_view);
    struct rollups_view *view = calloc(1, sizeof *view);
    if (!view)
        return METE_E_MEMORY;
    view->db = records_reader_db(reader);
    int error = open_view(view, reader);
    if (error)
        rollups_view_close(view);
    else
        *ret_view = view;
    return error;
}

void rollups_view_close(struct rollups_view *view)
{
    if (!view)
        return;
    sqlite3_finalize(view->name);
    sqlite3_finalize(view->number);
    cells_done(&view->cells);
    if (view->in_transaction && sqlite3_exec(view->db, "COMMIT", NULL, NULL, NULL))
        (void)sqlite3_exec(view->db, "ROLLBACK", NULL, NULL, NULL); /* it only read */
    free(view);
}

uint32_t rollups_quarters_from(const struct rollups_view *view)
{
    return view->quarters_from;
}

void rollups_extent(const struct rollups_view *view, uint32_t *ret_from, uint32_t *ret_to)
{
    *ret_from = view->first;
    *ret_to = view->end;
}

int rollups_name(struct rollups_view *view, uint32_t id, struct slice *ret_name)
{
    sqlite3_reset(view->name);
    *ret_name = (struct slice){0};
    if (!id)
        return 0;
    sqlite3_bind_int64(view->name, 1, id);
    int rc = sqlite3_step(view->name);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? METE_E_CORRUPT : db_error(rc);
    *ret_name = db_column_text(view->name, 0);
    return db_row_error(view->name);
}

/* ---- Adding up ------------------------------------------------------------------------------- */

struct wanted {
    const struct rollups_question *question;
    uint32_t model, provider, tag; /* numbers */
    bool is_nothing;               /* a name that nobody has used */
    uint32_t from, to;             /* buckets, of those that anything is known of */
    uint32_t first, upto;          /* groups, both included */
};

void rollups_rows_done(struct rollups_rows *rows)
{
    free(rows->at);
    *rows = (struct rollups_rows){0};
}

static bool comes_before(const struct rollups_row *row, uint32_t id, uint32_t currency,
                         uint16_t meter)
{
    if (row->id != id)
        return row->id < id;
    if (row->currency != currency)
        return row->currency < currency;
    return row->meter < meter;
}

/* The row of this key, made in its place if there is none. */
static int row_of(struct rollups_rows *rows, const struct rollups_row *key,
                  struct rollups_row **ret_row)
{
    size_t low = 0, high = rows->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (comes_before(&rows->at[middle], key->id, key->currency, key->meter))
            low = middle + 1;
        else
            high = middle;
    }
    struct rollups_row *row = rows->at + low;
    if (low == rows->len || row->id != key->id || row->currency != key->currency ||
        row->meter != key->meter) {
        if (rows->len == rows->room) {
            size_t room = rows->room ? 2 * rows->room : 64;
            struct rollups_row *grown = realloc(rows->at, room * sizeof *grown);
            if (!grown)
                return METE_E_MEMORY;
            rows->at = grown;
            rows->room = room;
        }
        row = rows->at + low;
        memmove(row + 1, row, (rows->len - low) * sizeof *row);
        *row = (struct rollups_row){.id = key->id, .currency = key->currency, .meter = key->meter};
        rows->len++;
    }
    *ret_row = row;
    return 0;
}

enum { SUMS = sizeof(struct rollups_sums) / sizeof(int64_t) };

static int add_row(struct rollups_rows *rows, const struct rollups_row *more)
{
    struct rollups_row *row;
    int64_t to[SUMS], from[SUMS];
    int error = row_of(rows, more, &row);
    if (error)
        return error;
    memcpy(to, &row->sums, sizeof to);
    memcpy(from, &more->sums, sizeof from);
    for (int i = 0; i < SUMS; i++)
        if (!checked_add(to[i], from[i], &to[i]))
            return METE_E_TOO_LARGE;
    memcpy(&row->sums, to, sizeof to);
    return 0;
}

static uint32_t group_of(const struct cell_key *key, enum rollups_by by)
{
    switch (by) {
    case ROLLUPS_BY_SCOPE:
        return key->scope;
    case ROLLUPS_BY_MODEL:
        return key->model;
    case ROLLUPS_BY_PROVIDER:
        return key->provider;
    case ROLLUPS_BY_NOTHING:
        break;
    }
    return 0;
}

static bool is_wanted(uint32_t wanted, uint32_t found)
{
    return !wanted || wanted == found;
}

static bool is_in(const struct wanted *wanted, const struct cell_key *key)
{
    const struct rollups_question *question = wanted->question;
    uint32_t group = group_of(key, question->by);
    uint32_t scope = question->level == ROLLUPS_TAG ? wanted->tag : question->scope.n;
    return key->level == question->level &&
           is_wanted(question->organization.n, key->organization) && is_wanted(scope, key->scope) &&
           is_wanted(question->department.n, key->department) &&
           is_wanted(question->user.n, key->user) && is_wanted(wanted->model, key->model) &&
           is_wanted(wanted->provider, key->provider) &&
           (question->by == ROLLUPS_BY_NOTHING ||
            (group >= wanted->first && group <= wanted->upto));
}

struct adding {
    const struct wanted *wanted;
    struct rollups_rows *rows;
};

static int add_cell(void *user, const struct cell *cell)
{
    const struct adding *adding = user;
    const struct rollups_row row = {.id = group_of(&cell->key, adding->wanted->question->by),
                                    .currency = cell->key.currency,
                                    .meter = cell->key.meter,
                                    .sums = cell->sums};
    return is_in(adding->wanted, &cell->key) ? add_row(adding->rows, &row) : 0;
}

static int add_cells(const struct rollups_view *view, const struct wanted *wanted,
                     struct rollups_rows *rows)
{
    struct adding adding = {wanted, rows};
    int error = 0;
    for (uint32_t i = 0; !error && i < view->cells.len; i++) {
        uint32_t bucket = view->cells.at[i].key.bucket;
        if (bucket >= wanted->from && bucket < wanted->to)
            error = add_cell(&adding, &view->cells.at[i]);
    }
    return error;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* Up to three: quarters, days, quarters. */
struct piece {
    int span;
    uint32_t from, to;
};

static int cut_up(const struct rollups_view *view, uint32_t from, uint32_t to,
                  struct piece pieces[3], size_t *ret_len)
{
    uint32_t first = (from + ROLLUPS_DAY_BUCKETS - 1) / ROLLUPS_DAY_BUCKETS;
    uint32_t end = to < view->days_to ? to : view->days_to;
    uint32_t last = end / ROLLUPS_DAY_BUCKETS;
    size_t len = 0;
    if (first >= last) {
        pieces[len++] = (struct piece){ROLLUPS_QUARTER, from, to};
    } else {
        pieces[len++] = (struct piece){ROLLUPS_QUARTER, from, first * ROLLUPS_DAY_BUCKETS};
        pieces[len++] = (struct piece){ROLLUPS_DAY, first, last};
        pieces[len++] = (struct piece){ROLLUPS_QUARTER, last * ROLLUPS_DAY_BUCKETS, to};
    }
    for (size_t i = 0; i < len; i++)
        if (pieces[i].span == ROLLUPS_QUARTER && pieces[i].from < pieces[i].to &&
            pieces[i].from < view->quarters_from)
            return METE_E_NOT_FOUND;
    *ret_len = len;
    return 0;
}

static int add_table(struct rollups_view *view, const struct wanted *wanted,
                     struct rollups_rows *rows)
{
    const struct rollups_question *question = wanted->question;
    bool by_scope = question->by == ROLLUPS_BY_SCOPE;
    uint32_t scope = question->level == ROLLUPS_TAG ? wanted->tag : question->scope.n;
    struct adding adding = {wanted, rows};
    struct piece pieces[3];
    size_t len;
    int error = cut_up(view, wanted->from, wanted->to, pieces, &len);
    for (size_t i = 0; !error && i < len; i++) {
        const struct blocks_range range = {.span = pieces[i].span,
                                           .from = pieces[i].from,
                                           .to = pieces[i].to,
                                           .level = (uint16_t)question->level,
                                           .organization = question->organization.n,
                                           .first_scope = scope      ? scope
                                                          : by_scope ? wanted->first
                                                                     : 0,
                                           .last_scope = scope      ? scope
                                                         : by_scope ? wanted->upto
                                                                    : UINT32_MAX};
        error = blocks_each(view->db, &range, add_cell, &adding);
    }
    return error;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Keeps limit groups; says whether there are more. */
static void keep(struct rollups_rows *rows, size_t limit)
{
    rows->groups = 0;
    for (size_t i = 0; i < rows->len; i++) {
        if (i && rows->at[i].id == rows->at[i - 1].id)
            continue;
        if (rows->groups == limit) {
            rows->len = i;
            rows->more = 1;
            return;
        }
        rows->groups++;
    }
}

static int find_numbers(struct rollups_view *view, struct wanted *wanted)
{
    const struct rollups_question *question = wanted->question;
    int error = find_number(view, question->model, &wanted->model);
    if (!error)
        error = find_number(view, question->provider, &wanted->provider);
    if (!error)
        error = find_number(view, question->tag, &wanted->tag);
    wanted->is_nothing = (question->model.len && !wanted->model) ||
                         (question->provider.len && !wanted->provider) ||
                         (question->tag.len && !wanted->tag);
    return error;
}

/* A stretch of ids at a time; only scopes and tags are so many that it matters. */
static int ask_stretches(struct rollups_view *view, struct wanted *wanted,
                         struct rollups_rows *rows)
{
    const struct rollups_question *question = wanted->question;
    uint32_t last = question->level == ROLLUPS_TAG ? view->name_max : view->handle_max;
    uint32_t span = question->by == ROLLUPS_BY_SCOPE ? SPAN_FIRST : UINT32_MAX;
    int error = 0;
    do {
        bool is_last = span > UINT32_MAX - wanted->first || wanted->first + span > last;
        wanted->upto = is_last ? UINT32_MAX : wanted->first + span - 1;
        error = add_table(view, wanted, rows);
        if (!error)
            error = add_cells(view, wanted, rows);
        if (!error)
            keep(rows, question->limit);
        wanted->first = wanted->upto + 1;
        span = span > UINT32_MAX / SPAN_TIMES ? UINT32_MAX : span * SPAN_TIMES;
    } while (!error && !rows->more && wanted->upto != UINT32_MAX);
    return error;
}

int rollups_ask(struct rollups_view *view, const struct rollups_question *question,
                struct rollups_rows *rows)
{
    ASSERT(question->limit >= 1 && question->level >= ROLLUPS_ORGANIZATION);
    struct wanted wanted = {.question = question,
                            .from = question->from > view->first ? question->from : view->first,
                            .to = question->to < view->end ? question->to : view->end,
                            .first = question->first};
    rows->len = rows->groups = 0;
    rows->more = 0;
    if (wanted.from >= wanted.to)
        return 0;
    int error = find_numbers(view, &wanted);
    if (error || wanted.is_nothing)
        return error;
    return ask_stretches(view, &wanted, rows);
}
