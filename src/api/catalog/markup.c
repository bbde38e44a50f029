/* SPDX-License-Identifier: Apache-2.0
 * What an organization pays of the list's prices: so many percent more, or less, from a date on,
 * for all models or some. Calls that begin from then on are reserved, charged and recorded at it;
 * those that run, and what was charged, stay as they are. As soon as it is durable it is in the
 * book, which the gateway and all of the API price by.
 *
 * A row that another replaced stays as long as a reservation may that was made under it. */
#include "api/catalog/handlers.h"
#include "api/catalog/markup_document.h"
#include "api/catalog/prices.h"
#include "base/assert.h"
#include "codec/decimal.h"

#include <stddef.h>

enum { ROWS = 64 };

struct markup_in {
    struct slice percent;
    struct json models;
    int64_t effective_us;
};

struct markup_state {
    struct markup_in in;
    struct markups_row said;
    bool ends;
    struct markups_row rows[ROWS + 1]; /* the latest first */
    size_t len;
    struct slice document;
};

#define AT(member) offsetof(struct markup_in, member)
static const struct field table[] = {
    {.name = "percent",
     .type = FIELD_AMOUNT,
     .flags = FIELD_REQUIRED,
     .offset = AT(percent),
     .min = -1},
    {.name = "models",
     .type = FIELD_TEXTS,
     .flags = FIELD_OR_NULL,
     .offset = AT(models),
     .min = 1,
     .max = LIMIT_MARKUP_MODELS,
     .item_max = LIMIT_ID},
    {.name = "effective_at", .type = FIELD_INSTANT, .offset = AT(effective_us)},
};
#undef AT

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Of a document that was kept, into the state. */
static int read_rows(struct request *request, struct json document)
{
    struct markup_state *state = request->state;
    struct json rows = json_member(document, "rows"), each;
    size_t at = 0;
    state->len = 0;
    while (rows.type == JSON_ARRAY && json_next(rows, &at, NULL, &each)) {
        struct markups_row *row = &state->rows[state->len];
        struct markup_models room;
        int rc = state->len < ROWS ? markup_row_read(each, &room, row) : METE_E_CORRUPT;
        if (rc)
            return rc;
        row->is.models = arena_copy(&request->arena, row->is.models);
        if (!row->is.models.data)
            return METE_E_MEMORY;
        state->len++;
    }
    return 0;
}

/* The place of the row that holds; state->len: none does. */
static size_t in_force(const struct markup_state *state, int64_t now_us)
{
    size_t at = 0;
    while (at < state->len && state->rows[at].from_us > now_us)
        at++;
    return at;
}

/* Those that no reservation can have been made under any more. */
static void drop_old(struct markup_state *state, int64_t now_us)
{
    int64_t horizon_us = now_us - INT64_C(1000) * LIMIT_TTL_MS;
    while (state->len > 1 && state->rows[state->len - 2].from_us < horizon_us)
        state->len--;
}

/* In its place, or in that of the one of its moment. ROWS + 1 have room. */
static void insert(struct markup_state *state)
{
    size_t at = 0;
    while (at < state->len && state->rows[at].from_us > state->said.from_us)
        at++;
    bool there = at < state->len && state->rows[at].from_us == state->said.from_us;
    if (!there) {
        memmove(&state->rows[at + 1], &state->rows[at], (state->len - at) * sizeof *state->rows);
        state->len++;
    }
    state->rows[at] = state->said;
}

static void write_rows(struct out *out, const struct markup_state *state)
{
    out_clear(out);
    out_open(out, '{');
    out_key(out, "rows");
    out_open(out, '[');
    for (size_t i = 0; i < state->len; i++) {
        markup_row_write_open(out, &state->rows[i]);
        out_close(out, '}');
    }
    out_close(out, ']');
    out_close(out, '}');
}

/* ---- Showing --------------------------------------------------------------------------------- */

static void write_markup(struct request *request)
{
    const struct markup_state *state = request->state;
    struct out *out = &request->out;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    size_t holds = in_force(state, now_us);
    const struct markups_row none = {.from_us = INT64_MAX}; /* shown as null */
    out_clear(out);
    markup_row_write_open(out, holds < state->len ? &state->rows[holds] : &none);
    out_key(out, "dates");
    out_open(out, '[');
    for (size_t i = 0; i < state->len; i++) {
        markup_row_write_open(out, &state->rows[i]);
        out_member_bool(out, "in_force", i == holds);
        out_close(out, '}');
    }
    out_close(out, ']');
    out_close(out, '}');
}

static int keep(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct markup_state *state = request->state;
    request->version = entity->version;
    state->document = arena_copy(&request->arena, entity->document);
    return state->document.data ? 0 : METE_E_MEMORY;
}

static int look(struct request *request, struct records_reader *reader)
{
    int rc = directory_find(reader, document_entity(DOCUMENT_MARKUP), request->found,
                            SLICE_LITERAL(MARKUP_ID), keep, request);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

static void looked(struct request *request)
{
    const struct markup_state *state = request->state;
    if (request_failed(request))
        return;
    int rc = read_rows(request, entities_document(state->document));
    if (rc) {
        request_fail(request, rc, NULL, NULL);
        return;
    }
    write_markup(request);
    request_reply(request, 200);
}

static void found(struct request *request)
{
    if (!request_missed(request, "org"))
        request_look(request, look, looked);
}

void markup_show(struct request *request)
{
    struct markup_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    request_find_organization(request, found);
}

/* ---- Saying ---------------------------------------------------------------------------------- */

static void said(struct request *request)
{
    struct markup_state *state = request->state;
    struct markups *markups = price_book_markups(request->api->parts.prices);
    state->said.organization = request_made(request, request->found).n;
    if (state->ends)
        markups_drop(markups, state->said.organization, state->said.from_us);
    int rc = markups_put(markups, &state->said);
    if (rc) {
        request_fail(
            request, METE_E_MEMORY, NULL,
            "It is kept, but there was no memory to use it: it holds from the next start.");
        return;
    }
    if (state->ends) {
        request_reply_empty(request, 204);
        return;
    }
    write_markup(request);
    request_reply(request, 200);
}

static bool change(struct request *request, struct json was)
{
    struct markup_state *state = request->state;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    int rc = read_rows(request, was);
    if (rc) {
        request_fail(request, rc, NULL, NULL);
        return false;
    }
    drop_old(state, now_us);
    insert(state);
    if (state->len > ROWS) {
        request_fail(request, METE_E_FULL, "effective_at",
                     "An organization has at most %d dates that are to come or a day old.", ROWS);
        return false;
    }
    write_rows(&request->out, state);
    return true;
}

/* Dates to come go; from now on it pays what the list says. */
static bool end(struct request *request, struct json was)
{
    struct markup_state *state = request->state;
    state->said.from_us = mete_now(request->api->parts.mete).us;
    int rc = read_rows(request, was);
    if (rc) {
        request_fail(request, rc, NULL, NULL);
        return false;
    }
    size_t holds = in_force(state, state->said.from_us);
    if (!holds && (!state->len || !state->rows[0].is.bp)) {
        request_fail(request, METE_E_NOT_FOUND, "markup", "It has none.");
        return false;
    }
    state->len -= holds;
    memmove(state->rows, state->rows + holds, state->len * sizeof *state->rows);
    drop_old(state, state->said.from_us);
    insert(state);
    state->len = state->len > ROWS ? ROWS : state->len;
    write_rows(&request->out, state);
    return true;
}

/* A whole name, or the beginning of some and a star. */
static int read_models(struct request *request, struct json list, struct slice *ret_models)
{
    struct markup_models *room = request_take(request, sizeof *room);
    struct json each;
    size_t at = 0, len = 0;
    if (!room)
        return METE_E_MEMORY;
    for (size_t i = 0; list.type == JSON_ARRAY && json_next(list, &at, NULL, &each); i++) {
        if (len)
            room->text[len++] = '\n';
        long copied = json_string_copy(each, room->text + len, LIMIT_ID);
        const char *star = copied > 0 ? memchr(room->text + len, '*', (size_t)copied) : NULL;
        if (copied < 1 || (star && star != room->text + len + copied - 1))
            return problem_set(&request->problem, METE_E_INVALID, "models",
                               "models[%zu] is neither a name nor the beginning of some and *.", i);
        len += (size_t)copied;
    }
    *ret_models = (struct slice){room->text, len};
    return 0;
}

static int read_percent(struct request *request, struct slice percent, int32_t *ret_bp)
{
    int64_t bp;
    int rc = decimal_parse(percent, 2, &bp);
    if (rc || bp < -PRICING_MARKUP_ONE || bp > LIMIT_MARKUP)
        return problem_set(&request->problem, METE_E_INVALID, "percent",
                           "It must be from -100 to %d, with at most two places.",
                           LIMIT_MARKUP / 100);
    *ret_bp = (int32_t)bp;
    return 0;
}

void markup_set(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_MARKUP, .field = "markup", .write = change, .done = said};
    struct markup_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    if (request_read(request, table, sizeof table / sizeof table[0], &state->in) ||
        read_percent(request, state->in.percent, &state->said.is.bp) ||
        read_models(request, state->in.models, &state->said.is.models) ||
        prices_moment(request, state->in.effective_us, &state->said.from_us)) {
        request_problem(request);
        return;
    }
    documents_change(request, &plan, DOCUMENT_PUT, SLICE_LITERAL(MARKUP_ID));
}

void markup_end(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_MARKUP, .field = "markup", .write = end, .done = said};
    struct markup_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->ends = true;
    documents_change(request, &plan, DOCUMENT_CHANGE, SLICE_LITERAL(MARKUP_ID));
}
