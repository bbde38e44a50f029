/* SPDX-License-Identifier: Apache-2.0
 * Documents of kind REPLY: {"content":"<hex>","status":201,"reply":<JSON>}; one that only marks its
 * change has no status. Each write takes away up to two whose day is over. */
#include "api/replays.h"

#include "api/request.h"
#include "base/assert.h"
#include "base/limits.h"
#include "directory/documents.h"

#include <sodium.h>
#include <stdio.h>
#include <xxhash.h>

#define DAY_US (INT64_C(24) * 60 * 60 * 1000000)
enum { REPLY_ROOM = LIMIT_DOCUMENT - 128 };

static bool is_write(struct slice method)
{
    return slice_is(method, "POST") || slice_is(method, "PUT") || slice_is(method, "DELETE");
}

/* Calls of the authority have request ids of their own, and GET changes nothing. */
static bool takes_key(const struct request *request)
{
    enum access access = request->route->access;
    return (access == ACCESS_ADMIN || access == ACCESS_MEMBER) &&
           is_write(request->exchange->method);
}

static void add(crypto_generichash_state *state, struct slice text)
{
    uint64_t len = text.len;
    crypto_generichash_update(state, (const uint8_t *)&len, sizeof len);
    crypto_generichash_update(state, (const uint8_t *)text.data, text.len);
}

static void name_it(struct request *request, struct replay *replay, struct slice key)
{
    crypto_generichash_state state;
    uint8_t hash[16];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    add(&state, request->who.name);
    add(&state, key);
    crypto_generichash_final(&state, hash, sizeof hash);
    replay->id[0] = 'r';
    sodium_bin2hex(replay->id + 1, sizeof replay->id - 1, hash, sizeof hash);
}

static uint64_t content_of(const struct exchange *exchange)
{
    uint64_t hash = XXH3_64bits(exchange->method.data, exchange->method.len);
    hash = XXH3_64bits_withSeed(exchange->path.data, exchange->path.len, hash);
    hash = XXH3_64bits_withSeed(exchange->query.data, exchange->query.len, hash);
    return XXH3_64bits_withSeed(exchange->body.data, exchange->body.len, hash);
}

/* ---- Looking for one --------------------------------------------------------------------------
 */

static int64_t a_day_ago(const struct request *request)
{
    return mete_now(request->api->parts.mete).us - DAY_US;
}

static int keep_found(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    if (entity->changed_at_us < a_day_ago(request))
        return 0;
    request->replay->was = arena_copy(&request->arena, entity->document);
    return request->replay->was.data ? 0 : METE_E_MEMORY;
}

static int keep_over(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct replay *replay = request->replay;
    if (entity->changed_at_us >= a_day_ago(request))
        return 1;
    struct slice id = arena_copy(&request->arena, entity->id);
    if (!id.data)
        return METE_E_MEMORY;
    replay->over[replay->over_len++] = id;
    return 0;
}

static int look(struct request *request, struct records_reader *reader)
{
    const struct mete_scope_id nobody = {0};
    int kind = document_entity(DOCUMENT_REPLY);
    int rc =
        directory_find(reader, kind, nobody, slice_of(request->replay->id), keep_found, request);
    if (rc && rc != METE_E_NOT_FOUND)
        return rc;
    rc = directory_list(reader, kind, nobody, 0, 2, keep_over, request);
    return rc < 0 ? rc : 0;
}

static void answer_again(struct request *request)
{
    struct json was = {0}, reply;
    int64_t status = 0;
    char content[17];
    snprintf(content, sizeof content, "%016llx", (unsigned long long)request->replay->content);
    if (json_scan(request->replay->was, &was, NULL) ||
        !json_string_is(json_member(was, "content"), content)) {
        request_fail(request, METE_E_CONTENT, "Idempotency-Key",
                     "This key was used for another request.");
        return;
    }
    request->replayed = true;
    if (json_integer(json_member(was, "status"), &status))
        status = 200;
    reply = json_member(was, "reply");
    struct out *out = &request->out;
    if (reply.type == JSON_NONE && status != 204) {
        out_open(out, '{');
        out_member_bool(out, "replayed", true);
        out_close(out, '}');
    } else if (reply.type != JSON_NONE) {
        out_raw(out, reply.raw);
    }
    request_answer(request, (int)status);
}

static void looked(struct request *request)
{
    if (request_failed(request))
        return;
    if (request->replay->was.len)
        answer_again(request);
    else
        request->replay_then(request);
}

static bool is_in_flight(const struct api *api, const struct replay *replay)
{
    for (const struct replay *at = api->replays; at; at = at->next)
        if (!strcmp(at->id, replay->id))
            return true;
    return false;
}

void replays_begin(struct request *request, void (*then)(struct request *request))
{
    const struct exchange *exchange = request->exchange;
    struct slice key = exchange->ops->header(exchange, "Idempotency-Key");
    if (!key.len || !takes_key(request)) {
        then(request);
        return;
    }
    if (key.len > LIMIT_ID) {
        request_fail(request, METE_E_TOO_LARGE, "Idempotency-Key", "At most %d bytes.",
                     (int)LIMIT_ID);
        return;
    }
    struct replay *replay = request_take(request, sizeof *replay);
    if (!replay)
        return;
    name_it(request, replay, key);
    replay->content = content_of(exchange);
    if (is_in_flight(request->api, replay)) {
        request_fail(request, METE_E_IN_FLIGHT, "Idempotency-Key",
                     "A request with this key is still being answered.");
        return;
    }
    replay->next = request->api->replays;
    request->api->replays = replay;
    request->replay = replay;
    request->replay_then = then;
    request_look(request, look, looked);
}

/* ---- Keeping one ------------------------------------------------------------------------------
 */

static struct mete_document_id place(struct slice id)
{
    return (struct mete_document_id){DOCUMENT_REPLY, {0}, request_text(id)};
}

/* The document; empty: no memory. */
static struct slice write_document(struct request *request, int status, struct slice body)
{
    struct out out;
    struct slice document = {0};
    char content[17];
    snprintf(content, sizeof content, "%016llx", (unsigned long long)request->replay->content);
    out_init(&out, LIMIT_DOCUMENT);
    out_open(&out, '{');
    out_member_text(&out, "content", slice_of(content));
    if (status)
        out_member_integer(&out, "status", status);
    if (body.len && body.len <= REPLY_ROOM) {
        out_key(&out, "reply");
        out_raw(&out, body);
    }
    out_close(&out, '}');
    if (!out.failed)
        document = arena_copy(&request->arena, buffer_slice(&out.bytes));
    out_done(&out);
    return document;
}

const struct mete_change *replays_mark(struct request *request, const struct mete_change *changes,
                                       size_t *len)
{
    struct replay *replay = request->replay;
    if (!replay || replay->is_marked || *len == LIMIT_CHANGES)
        return changes;
    struct mete_change *marked = arena_take(&request->arena, (*len + 1) * sizeof *marked);
    struct slice document = write_document(request, 0, (struct slice){0});
    if (!marked || !document.data)
        return NULL;
    memcpy(marked, changes, *len * sizeof *marked);
    marked[*len] = (struct mete_change){.kind = METE_PUT_DOCUMENT,
                                        .at_document = place(slice_of(replay->id)),
                                        .document = request_text(document)};
    ++*len;
    replay->is_marked = true;
    return marked;
}

/* A copy of the reply, in which a secret is as many asterisks. */
static struct slice masked(struct request *request)
{
    struct slice reply = buffer_slice(&request->out.bytes), secret = request->secret;
    char *copy = arena_take_raw(&request->arena, reply.len);
    if (!copy)
        return (struct slice){0};
    memcpy(copy, reply.data, reply.len);
    for (size_t i = 0; secret.len && i + secret.len <= reply.len; i++)
        if (!memcmp(copy + i, secret.data, secret.len))
            memset(copy + i, '*', secret.len);
    return (struct slice){copy, reply.len};
}

static void kept(struct request *request)
{
    replays_end(request);
    request->replay_then(request); /* whether it could be kept or not: it was done */
}

void replays_keep(struct request *request, int status, void (*then)(struct request *request))
{
    struct replay *replay = request->replay;
    request->replay_then = then;
    struct slice document = write_document(request, status, masked(request));
    if (!document.data) {
        kept(request);
        return;
    }
    size_t len = 0;
    replay->changes[len++] = (struct mete_change){.kind = METE_PUT_DOCUMENT,
                                                  .at_document = place(slice_of(replay->id)),
                                                  .document = request_text(document)};
    for (size_t i = 0; i < replay->over_len; i++)
        replay->changes[len++] =
            (struct mete_change){.kind = METE_END_DOCUMENT, .at_document = place(replay->over[i])};
    replay->is_marked = true; /* this is the mark */
    request_apply(request, replay->changes, len, kept);
}

void replays_end(struct request *request)
{
    struct replay **at = &request->api->replays;
    while (*at && *at != request->replay)
        at = &(*at)->next;
    if (*at)
        *at = request->replay->next;
    request->replay = NULL;
}
