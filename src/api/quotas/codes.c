/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/codes.h"

#include "api/documents.h"
#include "api/entities.h"
#include "api/quotas/deal.h"
#include "api/quotas/handlers.h"
#include "base/limits.h"
#include "codec/base62.h"
#include "codec/timestamp.h"

#include <stddef.h>

enum { COUNT_MAX = 50, USES_MAX = 1000000 };

struct slice code_id(struct slice text, char *room)
{
    if (text.len != CODE_TEXT || !slice_starts(text, SLICE_LITERAL("mc_")) || !fields_is_id(text))
        return (struct slice){0};
    memcpy(room, "code_", CODE_ID - CODE_DIGITS);
    memcpy(room + CODE_ID - CODE_DIGITS, text.data + CODE_PREFIX, CODE_DIGITS);
    return (struct slice){room, CODE_ID};
}

/* ---- The document ---------------------------------------------------------------------------- */

int code_read(struct request *request, struct slice document, struct code *ret_code)
{
    struct json json = entities_document(document);
    struct code code = {.id = deal_text(request, json, "id"),
                        .package = deal_text(request, json, "package"),
                        .description = deal_text(request, json, "description"),
                        .expires_at = deal_text(request, json, "expires_at"),
                        .created_at = deal_text(request, json, "created_at"),
                        .hash = deal_text(request, json, "hash")};
    if (json_integer(json_member(json, "uses"), &code.uses) ||
        json_integer(json_member(json, "used"), &code.used) || !code.id.len || !code.hash.len)
        return METE_E_CORRUPT;
    if (code.expires_at.len && timestamp_parse(code.expires_at, &code.expires_at_us))
        return METE_E_CORRUPT;
    int rc = offers_read(request, json_member(json, "grants"), OFFER_ONCE, &code.offers);
    if (!rc)
        *ret_code = code;
    return rc;
}

static void member(struct out *out, const char *name, struct slice text)
{
    out_key(out, name);
    if (text.len)
        out_text(out, text);
    else
        out_null(out);
}

/* The object stays open. */
static void write_common(struct out *out, const struct code *code)
{
    out_open(out, '{');
    out_member_text(out, "id", code->id);
    member(out, "package", code->package);
    member(out, "description", code->description);
    offers_write(out, &code->offers, OFFER_ONCE);
    out_member_integer(out, "uses", code->uses);
    out_member_integer(out, "used", code->used);
    member(out, "expires_at", code->expires_at);
    member(out, "created_at", code->created_at);
}

struct slice code_document(struct request *request, const struct code *code)
{
    struct out out;
    struct slice document = {0};
    out_init(&out, LIMIT_DOCUMENT);
    write_common(&out, code);
    out_member_text(&out, "hash", code->hash);
    out_close(&out, '}');
    if (!out.failed)
        document = arena_copy(&request->arena, buffer_slice(&out.bytes));
    out_done(&out);
    return document;
}

void code_write(struct request *request, const struct code *code)
{
    write_common(&request->out, code);
    out_close(&request->out, '}');
}

/* ---- Making ---------------------------------------------------------------------------------- */

struct codes_in {
    struct slice package, description;
    struct json grants;
    int64_t count, uses, expires_at; /* 0: not said */
};

struct codes_state {
    struct codes_in in;
    struct mete_scope_id organization;
    struct slice package; /* its document */
    struct code code;     /* what all of them are */
    size_t len;
    char texts[COUNT_MAX][CODE_TEXT];
    struct slice ids[COUNT_MAX];
    struct mete_change changes[COUNT_MAX];
};

static void made(struct request *request)
{
    struct codes_state *state = request->state;
    struct out *out = &request->out;
    if (request->op.status) {
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    out_clear(out);
    out_open(out, '{');
    out_key(out, "data");
    out_open(out, '[');
    for (size_t i = 0; i < state->len; i++) {
        state->code.id = state->ids[i];
        write_common(out, &state->code);
        out_member_text(out, "code", (struct slice){state->texts[i], CODE_TEXT});
        out_close(out, '}');
    }
    out_close(out, ']');
    out_close(out, '}');
    request_answer(request, 201); /* not kept: it is the only place that has them */
}

static void make_text(struct request *request, char *text)
{
    const struct api_parts *parts = &request->api->parts;
    size_t have = CODE_PREFIX;
    memcpy(text, "mc_", CODE_PREFIX);
    while (have < CODE_TEXT) {
        uint8_t bytes[32];
        parts->random(parts->random_user, bytes, sizeof bytes);
        have += base62_digits(bytes, sizeof bytes, text + have, CODE_TEXT - have);
    }
}

static int make_one(struct request *request, struct codes_state *state, size_t i)
{
    struct code code = state->code;
    char hash[DIRECTORY_HASH + 1], *room = arena_take_raw(&request->arena, CODE_ID);
    if (!room)
        return METE_E_MEMORY;
    make_text(request, state->texts[i]);
    struct slice text = {state->texts[i], CODE_TEXT};
    directory_hash(request->api->parts.directory, text, hash);
    code.id = state->ids[i] = code_id(text, room);
    code.hash = slice_of(hash);
    struct slice document = code_document(request, &code);
    state->changes[i] = (struct mete_change){
        .kind = METE_PUT_DOCUMENT,
        .at_document = {DOCUMENT_CODE, state->organization, request_text(code.id)},
        .document = request_text(document)};
    return document.data ? 0 : METE_E_MEMORY;
}

static void make(struct request *request)
{
    struct codes_state *state = request->state;
    int64_t now_us = mete_now(request->api->parts.mete).us;
    char *now = request_take(request, 2 * TIMESTAMP_ROOM), *end = now + TIMESTAMP_ROOM;
    int rc = 0;
    if (!now)
        return;
    state->code.created_at = (struct slice){now, timestamp_format(now_us, now)};
    if (state->in.expires_at)
        state->code.expires_at = (struct slice){end, timestamp_format(state->in.expires_at, end)};
    for (size_t i = 0; i < state->len && !rc; i++)
        rc = make_one(request, state, i);
    if (rc)
        request_fail(request, rc, NULL, NULL);
    else
        request_apply(request, state->changes, state->len, made);
}

static void package_read(struct request *request)
{
    struct codes_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "package"))
        return;
    struct json package = entities_document(state->package);
    if (!state->code.description.len)
        state->code.description = deal_text(request, package, "name");
    if (offers_read(request, json_member(package, "grants"), OFFER_ONCE, &state->code.offers))
        request_problem(request);
    else
        make(request);
}

static int keep_package(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct codes_state *state = request->state;
    state->package = arena_copy(&request->arena, entity->document);
    return state->package.data ? 0 : METE_E_MEMORY;
}

static int read_package(struct request *request, struct records_reader *reader)
{
    const struct codes_state *state = request->state;
    return directory_find(reader, document_entity(DOCUMENT_PACKAGE), state->organization,
                          state->in.package, keep_package, request);
}

static void found(struct request *request)
{
    struct codes_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    if (state->in.package.len)
        request_work(request, read_package, package_read);
    else
        make(request);
}

#define AT(member) offsetof(struct codes_in, member)
static const struct field table[] = {
    {.name = "package", .type = FIELD_ID, .offset = AT(package)},
    {.name = "grants",
     .type = FIELD_LIST,
     .offset = AT(grants),
     .min = 1,
     .max = LIMIT_SCOPE_QUOTAS},
    {.name = "count", .type = FIELD_COUNT, .offset = AT(count), .min = 1, .max = COUNT_MAX},
    {.name = "uses", .type = FIELD_COUNT, .offset = AT(uses), .min = 1, .max = USES_MAX},
    {.name = "expires_at", .type = FIELD_INSTANT, .flags = FIELD_OR_NULL, .offset = AT(expires_at)},
    {.name = "description",
     .type = FIELD_TEXT,
     .offset = AT(description),
     .min = 1,
     .max = GRANT_DESCRIPTION},
};
#undef AT

static int check(struct request *request, struct codes_state *state)
{
    const struct codes_in *in = &state->in;
    if (in->package.len && in->grants.type)
        return problem_set(&request->problem, METE_E_INVALID, "grants", "package says the same.");
    if (!in->package.len && !in->grants.type)
        return problem_set(&request->problem, METE_E_INVALID, "package",
                           "A package or grants must be there.");
    if (in->expires_at && in->expires_at <= mete_now(request->api->parts.mete).us)
        return problem_set(&request->problem, METE_E_INVALID, "expires_at",
                           "It must be in the future.");
    state->len = in->count ? (size_t)in->count : 1;
    state->code = (struct code){
        .package = in->package, .description = in->description, .uses = in->uses ? in->uses : 1};
    return in->grants.type ? offers_read(request, in->grants, OFFER_ONCE, &state->code.offers) : 0;
}

void codes_create(struct request *request)
{
    struct codes_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    int rc = request_read(request, table, sizeof table / sizeof table[0], &state->in);
    if (!rc)
        rc = check(request, state);
    if (rc)
        request_problem(request);
    else
        request_find_organization(request, found);
}

/* ---- Looking, ending ------------------------------------------------------------------------- */

static int show(struct request *request, const struct directory_entity *entity)
{
    struct code code;
    int rc = code_read(request, entity->document, &code);
    if (!rc)
        code_write(request, &code);
    return rc;
}

void codes_list(struct request *request)
{
    entities_list(request, document_entity(DOCUMENT_CODE), show);
}

void codes_show(struct request *request)
{
    entities_show(request, document_entity(DOCUMENT_CODE), "code", show);
}

void codes_end(struct request *request)
{
    static const struct document_plan plan = {.kind = DOCUMENT_CODE, .field = "code"};
    documents_change(request, &plan, DOCUMENT_END, request->params[1]);
}
