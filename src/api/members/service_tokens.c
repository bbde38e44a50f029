/* SPDX-License-Identifier: Apache-2.0
 * Service tokens. A token's text is in the reply to its creation and nowhere else (INV-13). One
 * that is revoked is no more: its text works for no request that begins afterwards. */
#include "api/members/handlers.h"
#include "api/documents.h"
#include "api/members/rank.h"
#include "base/limits.h"

#include <stdio.h>

enum { WORDS_MAX = 64 };

struct token_state {
    struct slice name;
    struct json words;
    int64_t expires_at;
    uint64_t permissions;
    char text[SECRET_TEXT + 1], id[SERVICE_TOKEN_ID + 1], hash[SECRET_HASH * 2 + 1];
};

static struct people *people_of(struct request *request)
{
    return request->api->parts.people;
}

/* ---- Showing --------------------------------------------------------------------------------- */

static void write_token(struct request *request, struct slice id, struct json document,
                        struct slice text)
{
    struct out *out = &request->out;
    int64_t used_us = service_tokens_used_us(people_of(request)->tokens, id);
    out_open(out, '{');
    out_member_text(out, "id", id);
    entities_member(request, document, "name", JSON_STRING, "null");
    entities_member(request, document, "organization", JSON_STRING, "null");
    entities_member(request, document, "permissions", JSON_ARRAY, "[]");
    entities_member(request, document, "expires_at", JSON_STRING, "null");
    entities_member(request, document, "created_at", JSON_STRING, "null");
    entities_member(request, document, "created_by", JSON_STRING, "null");
    out_member_instant(out, "last_used_at", used_us ? used_us : INT64_MAX);
    if (text.len)
        out_member_text(out, "token", text);
    out_close(out, '}');
}

static int show(struct request *request, const struct directory_entity *entity)
{
    write_token(request, entity->id, entities_document(entity->document), (struct slice){0});
    return 0;
}

void service_tokens_list(struct request *request)
{
    entities_list(request, document_entity(DOCUMENT_SERVICE_TOKEN), show);
}

void service_tokens_show(struct request *request)
{
    entities_show(request, document_entity(DOCUMENT_SERVICE_TOKEN), "token", show);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static bool write(struct request *request, struct json was)
{
    const struct token_state *state = request->state;
    struct out *out = &request->out;
    (void)was;
    if (service_tokens_count(people_of(request)->tokens) >= LIMIT_SERVICE_TOKENS) {
        request_fail(request, METE_E_FULL, NULL, "There are at most %d service tokens.",
                     LIMIT_SERVICE_TOKENS);
        return false;
    }
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", slice_of(state->id));
    out_member_text(out, "name", state->name);
    out_member_text(out, "organization", request->params[0]);
    out_member_text(out, "hash", slice_of(state->hash));
    rank_write(out, "permissions", state->permissions);
    out_member_instant(out, "expires_at", state->expires_at ? state->expires_at : INT64_MAX);
    out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_member_text(out, "created_by", request->who.name);
    out_close(out, '}');
    return true;
}

static void made(struct request *request)
{
    struct token_state *state = request->state;
    struct slice id = slice_of(state->id), text = slice_of(state->text);
    struct slice document = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    int rc = !document.data
                 ? METE_E_MEMORY
                 : service_tokens_put(people_of(request)->tokens,
                                      request_made(request, request->found), id, document);
    if (rc) {
        request_fail(request, rc, NULL, "The token is made, but works only after a restart.");
        return;
    }
    out_clear(&request->out);
    write_token(request, id, entities_document(document), text);
    request->secret = text;
    request_reply(request, 201);
}

/* The words as a set; the problem names the one that is wrong. */
static int read_permissions(struct request *request, struct token_state *state)
{
    size_t at = 0, i = 0;
    struct json word;
    char field[32], room[64];
    for (; json_next(state->words, &at, NULL, &word); i++) {
        long len = json_string_copy(word, room, sizeof room);
        enum permission permission =
            len < 0 ? PERMISSIONS : permission_find((struct slice){room, (size_t)len});
        snprintf(field, sizeof field, "permissions[%zu]", i);
        if (permission == PERMISSIONS)
            return problem_set(&request->problem, METE_E_INVALID, field,
                               "There is no such permission.");
        state->permissions |= permission_bit(permission);
        if (!request->who.admin && !(request->who.permissions & permission_bit(permission)))
            return problem_set(&request->problem, METE_E_FORBIDDEN, field,
                               "You do not have the permission %s yourself.",
                               permission_word(permission));
    }
    return 0;
}

static int check(struct request *request, struct token_state *state)
{
    if (state->expires_at && state->expires_at <= mete_now(request->api->parts.mete).us)
        return problem_set(&request->problem, METE_E_INVALID, "expires_at",
                           "It must be in the future.");
    return read_permissions(request, state);
}

void service_tokens_create(struct request *request)
{
    static const struct field table[] = {
        {.name = "name",
         .type = FIELD_TEXT,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct token_state, name),
         .min = 1,
         .max = 256},
        {.name = "permissions",
         .type = FIELD_TEXTS,
         .flags = FIELD_REQUIRED,
         .offset = offsetof(struct token_state, words),
         .min = 1,
         .max = WORDS_MAX,
         .item_max = 32},
        {.name = "expires_at",
         .type = FIELD_INSTANT,
         .offset = offsetof(struct token_state, expires_at)},
    };
    static const struct document_plan plan = {
        .kind = DOCUMENT_SERVICE_TOKEN, .field = "id", .write = write, .done = made};
    struct token_state *state = request_take(request, sizeof *state);
    const struct api_parts *parts = &request->api->parts;
    if (!state)
        return;
    request->state = state;
    int rc = request_read(request, table, sizeof table / sizeof table[0], state);
    if (!rc)
        rc = check(request, state);
    if (rc) {
        request_problem(request);
        return;
    }
    service_tokens_make(parts->people->tokens, parts->random, parts->random_user, state->text,
                        state->id, state->hash);
    documents_change(request, &plan, DOCUMENT_CREATE, slice_of(state->id));
}

/* ---- Revoking -------------------------------------------------------------------------------- */

static void revoked(struct request *request)
{
    int rc = service_tokens_put(people_of(request)->tokens, request_made(request, request->found),
                                request->params[1], (struct slice){0});
    if (rc)
        request_fail(request, rc, NULL, NULL);
    else
        request_reply_empty(request, 204);
}

void service_tokens_revoke(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_SERVICE_TOKEN, .field = "token", .done = revoked};
    documents_change(request, &plan, DOCUMENT_END, request->params[1]);
}
