/* SPDX-License-Identifier: Apache-2.0
 * Which formats there are, and the changes made to a request that passes through. */
#include "dialect/dialect.h"

#include "base/assert.h"

#include <stdio.h>

/* ---- Events ---------------------------------------------------------------------------------- */

void dialect_add_spot(struct dialect_event *event, enum dialect_spot_kind kind, struct slice raw)
{
    size_t at = event->spots_len++;
    if (event->spots_len > DIALECT_SPOTS)
        return;
    for (; at && event->spots[at - 1].raw.data > raw.data; at--)
        event->spots[at] = event->spots[at - 1];
    event->spots[at] = (struct dialect_spot){kind, raw};
}

void dialect_add_text(struct dialect_event *event, uint32_t of, struct slice raw)
{
    if (event->texts_len == DIALECT_TEXTS)
        event->texts_are_all = false;
    else
        event->texts[event->texts_len++] = (struct dialect_text){raw, of};
}

/* ---- The formats ----------------------------------------------------------------------------- */

const struct dialect *dialect_at(size_t i)
{
    static const struct dialect *(*const all[])(void) = {
#define ROW(id, text) dialect_##id,
#include "tables/dialects.h"
    };
    return i < sizeof all / sizeof all[0] ? all[i]() : NULL;
}

int dialect_named(struct slice id)
{
    static const char *const names[] = {
#define ROW(id, text) #id,
#include "tables/dialects.h"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_is(id, names[i]))
            return (int)i;
    return -1;
}

const struct dialect *dialect_find(struct slice path, struct slice query,
                                   struct dialect_target *ret_target)
{
    const struct dialect *dialect;
    for (size_t i = 0; (dialect = dialect_at(i)); i++) {
        *ret_target = (struct dialect_target){0};
        if (dialect->match(path, query, ret_target))
            return dialect;
    }
    return NULL;
}

/* ---- Changes --------------------------------------------------------------------------------- */

enum { CHANGES_MAX = 3 };

/* One change: text in place of at. */
struct change {
    struct slice at;
    const char *before, *after;
    struct slice text;
};

static void put(struct dialect_body *body, struct slice bytes)
{
    if (!bytes.len)
        return;
    ASSERT(body->pieces_len < DIALECT_PIECES);
    body->pieces[body->pieces_len++] = bytes;
    body->len += (int64_t)bytes.len;
}

/* What follows the text of a change. A member that is put into an object with no others is its last
 * one, and followed by no comma. */
static struct slice text_after(const struct change *change, const struct change *next,
                               const char *end)
{
    struct slice after = slice_of(change->after);
    const char *at = change->at.data + change->at.len;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    bool is_last = at < end && *at == '}' && (!next || next->at.data > at);
    if (is_last && after.len && after.data[after.len - 1] == ',')
        after.len--;
    return after;
}

static void splice(struct slice given, const struct change *changes, size_t len,
                   struct dialect_body *body)
{
    const char *from = given.data, *end = given.data + given.len;
    for (size_t i = 0; i < len; i++) {
        const struct change *each = &changes[i];
        ASSERT(each->at.data >= from && each->at.data + each->at.len <= end);
        put(body, (struct slice){from, (size_t)(each->at.data - from)});
        put(body, slice_of(each->before));
        put(body, each->text);
        put(body, text_after(each, i + 1 < len ? each + 1 : NULL, end));
        from = each->at.data + each->at.len;
    }
    put(body, (struct slice){from, (size_t)(end - from)});
}

/* Keeps changes in the order of their places; of two insertions at one the first one first. */
static void insert(struct change *changes, size_t *len, const struct change *one)
{
    size_t at = *len;
    ASSERT(*len < CHANGES_MAX);
    for (; at && changes[at - 1].at.data > one->at.data; at--)
        changes[at] = changes[at - 1];
    changes[at] = *one;
    (*len)++;
}

static struct slice written_name(struct slice model, bool bare, struct dialect_body *body)
{
    size_t len = 0;
    if (!bare)
        body->name[len++] = '"';
    for (size_t i = 0; i < model.len && len < LIMIT_ID + 1; i++)
        body->name[len++] = model.data[i];
    if (!bare)
        body->name[len++] = '"';
    return (struct slice){body->name, len};
}

void dialect_change(const struct dialect_request *request, struct slice body,
                    const struct dialect_changes *changes, struct dialect_body *ret_body)
{
    struct change all[CHANGES_MAX];
    size_t len = 0;
    ret_body->pieces_len = 0;
    ret_body->len = 0;
    if (changes->granted && request->output_bound.at.data) {
        const struct dialect_place *place = &request->output_bound;
        int digits = snprintf(ret_body->number, sizeof ret_body->number, "%lld",
                              (long long)changes->granted);
        bool newer = changes->newer_bound && request->newer_bound;
        const struct change one = {place->at,
                                   newer ? request->newer_bound : place->before,
                                   place->after,
                                   {ret_body->number, (size_t)digits}};
        insert(all, &len, &one);
    }
    if (request->usage_option.at.data) {
        const struct dialect_place *place = &request->usage_option;
        const struct change one = {place->at, place->before, place->after, SLICE_LITERAL("true")};
        insert(all, &len, &one);
    }
    struct slice model = changes->model;
    if (!model.len && request->model_missing)
        model = (struct slice){request->model, request->model_len};
    if (model.len && request->model_name.at.data) {
        const struct dialect_place *place = &request->model_name;
        const struct change one = {place->at, place->before, place->after,
                                   written_name(model, request->is_form, ret_body)};
        insert(all, &len, &one);
    }
    splice(body, all, len, ret_body);
}
