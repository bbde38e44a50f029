/* SPDX-License-Identifier: Apache-2.0
 * The steps: documents from the records (a worker), limits from the engine where something is said
 * of them, then all changes as one batch. If the engine refuses it for one key, that key is left
 * out and the rest is asked for again, unless all or none are wanted.
 *
 * The directory's index takes the documents over as soon as they are durable, so that what a key
 * may do is changed when the reply is read. */
#include "api/keys/key_set.h"

#include "api/entities.h"
#include "api/keys/key_document.h"
#include "api/keys/key_json.h"
#include "base/assert.h"
#include "base/limits.h"
#include "codec/timestamp.h"

#include <stdio.h>

static void build(struct request *request);

static void blame(struct key_item *item, int error, const char *field, const char *why)
{
    item->error = error;
    item->field = field;
    item->why = why;
}

/* ---- What they are ----------------------------------------------------------------------------
 */

struct keeper {
    struct request *request;
    struct key_item *item;
};

static int keep_document(void *user, const struct directory_entity *entity)
{
    const struct keeper *keeper = user;
    struct key_item *item = keeper->item;
    item->was = item->document = arena_copy(&keeper->request->arena, entity->document);
    item->version = entity->version;
    if (!item->was.data)
        return METE_E_MEMORY;
    return directory_place(keeper->request->reader, entity->organization, entity->parent,
                           &item->place);
}

static int keep_quota(void *user, const struct directory_entity *entity)
{
    const struct keeper *keeper = user;
    struct slice *document = &keeper->item->limits.quota_document;
    *document = arena_copy(&keeper->request->arena, entity->document);
    return document->data ? 0 : METE_E_MEMORY;
}

static int read_one(struct request *request, struct records_reader *reader, struct key_item *item)
{
    const struct key_set *set = request->state;
    struct keeper keeper = {request, item};
    int rc =
        directory_find(reader, METE_API_KEY, set->organization, item->id, keep_document, &keeper);
    if (rc == METE_E_NOT_FOUND) {
        blame(item, rc, "key", "Nothing here has this id.");
        return 0;
    }
    if (rc || !set->in || !set->in->said[KEY_QUOTA])
        return rc;
    rc = directory_find(reader, RECORDS_BUDGET, set->organization, item->id, keep_quota, &keeper);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

static int keep_zone(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct key_set *set = request->state;
    if (entity->handle != set->organization.n)
        return 0;
    return organizations_zone(request, entity->id, &set->zone);
}

/* Those that name no zone have months of the organization's. */
static int read_zone(struct request *request, struct records_reader *reader)
{
    const struct key_set *set = request->state;
    return directory_list(reader, METE_ORGANIZATION, (struct mete_scope_id){0},
                          set->organization.n - 1, 1, keep_zone, request);
}

static int read_all(struct request *request, struct records_reader *reader)
{
    struct key_set *set = request->state;
    int rc = 0;
    for (size_t i = 0; i < set->len && !rc; i++)
        if (!set->items[i].error)
            rc = read_one(request, reader, &set->items[i]);
    if (!rc && set->in && set->in->said[KEY_QUOTA] && set->in->limits[KEY_QUOTA] >= 0)
        rc = read_zone(request, reader);
    return rc;
}

/* ---- Their limits -----------------------------------------------------------------------------
 */

enum { QUESTIONS = KEY_RATES + 1 };

static bool next_question(struct request *request, size_t *at, struct mete_query *ret_query)
{
    const struct key_set *set = request->state;
    for (; *at < set->len * QUESTIONS; ++*at) {
        const struct key_item *item = &set->items[*at / QUESTIONS];
        if (item->error ||
            !key_limits_question(request, set->in, item->id, *at % QUESTIONS, ret_query))
            continue;
        ret_query->organization = set->organization;
        return true;
    }
    return false;
}

static void got_limit(struct request *request, size_t at, int status,
                      const struct mete_answer *answer)
{
    const struct key_set *set = request->state;
    struct key_item *item = &set->items[at / QUESTIONS];
    size_t which = at % QUESTIONS;
    if (status == METE_E_NOT_FOUND)
        return;
    if (status) {
        blame(item, status, NULL, NULL);
    } else if (which < KEY_RATES && !answer->rate.ended) {
        item->limits.rates[which] = (struct key_rate){answer->rate.rate.n, answer->rate.mode};
    } else if (which == KEY_RATES && !answer->budget.ended) {
        item->quota = arena_take(&request->arena, sizeof *item->quota);
        if (item->quota)
            *item->quota = answer->budget;
        else
            blame(item, METE_E_MEMORY, NULL, NULL);
        item->limits.quota = item->quota;
    }
}

static void were_read(struct request *request)
{
    static const struct inquiry_plan plan = {next_question, got_limit, build};
    const struct key_set *set = request->state;
    if (request_failed(request))
        return;
    if (set->act == KEY_UPDATE)
        inquiry_begin(request, &plan);
    else
        build(request);
}

/* ---- What they become -------------------------------------------------------------------------
 */

/* Whether it may have another text; false: it is blamed. */
static bool may_regenerate(struct request *request, struct key_item *item, int64_t now_us)
{
    enum { ROOM = 192 };
    const struct key_set *set = request->state;
    int64_t until_us = key_document_previous_until(entities_document(item->was));
    if (item->revoked) {
        blame(item, METE_E_ENDED, "key", "It has been revoked: make another key.");
        return false;
    }
    if (item->expires_at.us && item->expires_at.us <= now_us) {
        blame(item, METE_E_ENDED, "key", "It has expired: move its expires_at first.");
        return false;
    }
    if (until_us <= now_us || !set->overlap_us)
        return true;
    char instant[TIMESTAMP_ROOM], *why = arena_take(&request->arena, ROOM);
    size_t len = timestamp_format(until_us, instant);
    if (why)
        snprintf(why, ROOM,
                 "The text before this one still works until %.*s: wait, or end both at once with "
                 "overlap_seconds 0.",
                 (int)len, instant);
    blame(item, METE_E_EXISTS, "overlap_seconds", why);
    return false;
}

/* Its new document, which its scope is put with. */
static int put_scope(struct request *request, struct key_item *item, struct key_draft *draft,
                     struct mete_change *ret_change)
{
    const struct key_set *set = request->state;
    struct mete_instant expires_at = item->expires_at;
    draft->id = item->id;
    draft->was = entities_document(item->was);
    int rc = key_document_write(request, draft, &item->document);
    if (draft->in && draft->in->said[KEY_EXPIRES])
        expires_at.us = draft->in->expires_at_us;
    *ret_change = (struct mete_change){.kind = METE_PUT_SCOPE,
                                       .flags = METE_CHANGE_UPDATE,
                                       .scope = {.kind = METE_API_KEY,
                                                 .id = request_text(item->id),
                                                 .organization = set->organization,
                                                 .expires_at = expires_at,
                                                 .revoked = item->revoked || draft->revokes},
                                       .document = request_text(item->document)};
    return rc;
}

static int regenerate(struct request *request, struct key_item *item, struct key_draft *draft)
{
    struct key_set *set = request->state;
    const struct api_parts *parts = &request->api->parts;
    ASSERT(set->len == 1);
    if (!may_regenerate(request, item, draft->now_us))
        return 0;
    directory_remake_key(parts->directory, item->id, parts->random, parts->random_user, &set->text);
    draft->text = &set->text;
    draft->previous_until_us = set->overlap_us ? draft->now_us + set->overlap_us : 0;
    return put_scope(request, item, draft, &set->changes[set->changes_len++]);
}

static int change_one(struct request *request, struct key_item *item)
{
    struct key_set *set = request->state;
    struct key_draft draft = {.now_us = mete_now(request->api->parts.mete).us};
    struct mete_change *next = &set->changes[set->changes_len];
    switch (set->act) {
    case KEY_DELETE:
        *next = (struct mete_change){.kind = METE_END_SCOPE, .at = item->scope};
        set->changes_len++;
        return 0;
    case KEY_REGENERATE:
        return regenerate(request, item, &draft);
    case KEY_REVOKE:
        draft.revokes = true;
        set->changes_len += !item->revoked;
        return item->revoked ? 0 : put_scope(request, item, &draft, next);
    case KEY_UPDATE:
    default:
        draft.in = set->in;
        set->changes_len++;
        int rc = put_scope(request, item, &draft, next);
        item->limits.id = item->id;
        item->limits.scope = item->scope;
        return rc ? rc
                  : key_limits_change(request, &item->limits, set->in, set->zone, set->changes,
                                      &set->changes_len);
    }
}

/* ---- Putting them back ------------------------------------------------------------------------
 */

static int index_one(struct request *request, const struct key_item *item)
{
    const struct key_set *set = request->state;
    const struct records_entity entity = {.kind = METE_API_KEY,
                                          .handle = item->scope.n,
                                          .organization = set->organization,
                                          .id = item->id,
                                          .document = item->document,
                                          .ended = set->act == KEY_DELETE};
    if (set->act == KEY_DELETE)
        namebook_forget(request->api->names, item->scope.n);
    return directory_put(request->api->parts.directory, &entity);
}

static struct key_item *item_of_change(struct key_set *set, size_t change)
{
    for (size_t i = 0; i < set->len; i++)
        if (change >= set->items[i].first && change < set->items[i].first + set->items[i].changes)
            return &set->items[i];
    return NULL;
}

/* The engine refused the whole for this change: its key is at fault. False: nobody's is. */
static bool blame_change(struct key_set *set, int error, size_t failed)
{
    struct key_item *item = item_of_change(set, failed);
    const char *why = NULL;
    if (!item || error == METE_E_BUSY || error == METE_E_CLOSED || error == METE_E_STORAGE)
        return false;
    const char *field = key_limits_blame(&set->changes[failed], error, &why);
    blame(item, error, field ? field : error == METE_E_NOT_FOUND ? "key" : NULL, why);
    return true;
}

static void applied(struct request *request)
{
    struct key_set *set = request->state;
    int status = request->op.status;
    if (status && !blame_change(set, status, request->op.result.applied.failed)) {
        request_fail(request, status, NULL, NULL);
        return;
    }
    if (status) {
        if (set->all_or_none)
            set->then(request);
        else
            build(request);
        return;
    }
    set->applied = true;
    if (set->looks_at_if_match)
        request->version = set->act == KEY_DELETE ? 0 : request->op.result.applied.seq;
    for (size_t i = 0; i < set->len; i++)
        if (!set->items[i].error && set->items[i].changes && index_one(request, &set->items[i]))
            blame(&set->items[i], METE_E_MEMORY, NULL,
                  "The key is changed, but cannot be used before a restart.");
    set->then(request);
}

static bool any_error(const struct key_set *set)
{
    for (size_t i = 0; i < set->len; i++)
        if (set->items[i].error)
            return true;
    return false;
}

static void build(struct request *request)
{
    struct key_set *set = request->state;
    if (set->looks_at_if_match && !set->items[0].error &&
        !request_matches(request, set->items[0].version))
        return;
    set->changes_len = 0;
    for (size_t i = 0; i < set->len; i++) {
        struct key_item *item = &set->items[i];
        item->first = set->changes_len;
        int rc = item->error ? 0 : change_one(request, item);
        if (rc) {
            request_fail(request, rc, NULL, NULL);
            return;
        }
        item->changes = set->changes_len - item->first;
    }
    if (set->looks_at_if_match)
        request->version = set->items[0].version;
    if (!set->changes_len || (set->all_or_none && any_error(set)))
        set->then(request);
    else
        request_apply(request, set->changes, set->changes_len, applied);
}

/* ---- Beginning and ending ---------------------------------------------------------------------
 */

/* In one's turn: nobody changes them before this one is done. */
static void look_up(struct request *request)
{
    struct key_set *set = request->state;
    for (size_t i = 0; i < set->len; i++) {
        struct key_item *item = &set->items[i];
        const struct directory_key *key =
            directory_find_id(request->api->parts.directory, item->id);
        if (!key || key->organization.n != set->organization.n) {
            blame(item, METE_E_NOT_FOUND, "key", "Nothing here has this id.");
            continue;
        }
        item->scope = key->scope;
        item->expires_at.us = key->expires_at_us;
        item->revoked = key->revoked;
    }
    request_look(request, read_all, were_read);
}

void key_set_begin(struct request *request, void (*then)(struct request *request))
{
    struct key_set *set = request->state;
    ASSERT_INV("INV-12", set->organization.n);
    ASSERT(set->len >= 1 && set->len <= LIMIT_KEY_BATCH);
    _Static_assert(LIMIT_KEY_BATCH * KEY_CHANGES < LIMIT_CHANGES, "one atomic batch, and a mark");
    set->then = then;
    set->changes = request_take(request, set->len * KEY_CHANGES * sizeof *set->changes);
    if (set->changes)
        request_turn(request, look_up);
}

struct key_set *key_set_of_path(struct request *request, size_t state_len)
{
    ASSERT(state_len >= sizeof(struct key_set));
    const struct directory_key *key =
        directory_find_id(request->api->parts.directory, request->params[0]);
    if (!key || !request_sees(request, key->organization)) {
        request_fail(request, METE_E_NOT_FOUND, "key", "Nothing here has this id.");
        return NULL;
    }
    struct mete_scope_id organization = key->organization;
    struct key_set *set = request_take(request, state_len);
    struct key_item *item = set ? request_take(request, sizeof *item) : NULL;
    if (!item)
        return NULL;
    item->id = request->params[0];
    set->organization = organization;
    set->items = item;
    set->len = 1;
    set->all_or_none = true;
    set->looks_at_if_match = true;
    request->state = set;
    return set;
}

void key_set_reply(struct request *request)
{
    const struct key_set *set = request->state;
    const struct key_item *item = &set->items[0];
    if (item->error) {
        request_fail(request, item->error, item->field, "%s", item->why ? item->why : "");
        return;
    }
    if (set->act == KEY_DELETE) {
        request_reply_empty(request, 204);
        return;
    }
    struct key_shown shown = {.id = item->id,
                              .scope = item->scope,
                              .document = entities_document(item->document),
                              .department = {item->place.department, item->place.len}};
    if (set->act == KEY_REGENERATE)
        request->secret = shown.text = (struct slice){set->text.text, KEY_TEXT};
    out_clear(&request->out);
    key_json_write(request, &shown);
    request_reply(request, 200);
}
