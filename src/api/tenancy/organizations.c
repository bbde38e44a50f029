/* SPDX-License-Identifier: Apache-2.0
 * Organizations: the roots of everything. What is written as their document is what is shown. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"
#include "api/tenancy/zones.h"
#include "base/limits.h"

struct organization_in {
    struct slice id, name, currency, time_zone;
};

#define AT(member) offsetof(struct organization_in, member)
static const struct field table[] = {
    {.name = "id", .type = FIELD_ID, .flags = FIELD_REQUIRED, .offset = AT(id)},
    {.name = "name",
     .type = FIELD_TEXT,
     .flags = FIELD_REQUIRED,
     .offset = AT(name),
     .min = 1,
     .max = 256},
    {.name = "currency", .type = FIELD_TOKEN, .offset = AT(currency), .min = 3, .max = 3},
    {.name = "time_zone", .type = FIELD_TOKEN, .offset = AT(time_zone), .min = 1, .max = 64},
};
#undef AT

static int check(struct request *request, const struct organization_in *in)
{
    for (size_t i = 0; i < in->currency.len; i++)
        if (in->currency.data[i] < 'A' || in->currency.data[i] > 'Z')
            return problem_set(&request->problem, METE_E_INVALID, "currency",
                               "It must be an ISO 4217 code, such as USD.");
    if (in->currency.len && !slice_is(in->currency, "USD"))
        return problem_set(&request->problem, METE_E_NOT_YET, "currency",
                           "Other currencies than USD are planned, and not built yet.");
    return zones_check(&request->problem, "time_zone", in->time_zone);
}

void organizations_create(struct request *request)
{
    struct organization_in in = {.currency = SLICE_LITERAL("USD"),
                                 .time_zone = SLICE_LITERAL("UTC")};
    int rc = request_read(request, table, sizeof table / sizeof table[0], &in);
    if (rc || check(request, &in)) {
        request_problem(request);
        return;
    }
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", in.id);
    out_member_text(out, "name", in.name);
    out_member_text(out, "currency", in.currency);
    out_member_text(out, "time_zone", in.time_zone);
    out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    entities_create(
        request, &(struct mete_scope_spec){.kind = METE_ORGANIZATION, .id = request_text(in.id)});
}

/* One that was made without the API may have no document. */
static int write(struct request *request, const struct directory_entity *entity)
{
    struct json document = entities_open(request, entity);
    entities_member(request, document, "currency", JSON_STRING, "\"USD\"");
    entities_member(request, document, "time_zone", JSON_STRING, "\"UTC\"");
    entities_member(request, document, "created_at", JSON_STRING, "");
    out_close(&request->out, '}');
    return 0;
}

/* ---- Changing -------------------------------------------------------------------------------- */

struct organization_state {
    struct slice name, time_zone, document;
    uint64_t version;
    struct mete_change change;
};

static void updated(struct request *request)
{
    if (request_missed(request, "org"))
        return;
    request->version = request->op.result.applied.seq;
    request_reply(request, 200);
}

/* The document as it was, but for what the request says. It is also the reply. */
static void write_document(struct request *request)
{
    const struct organization_state *state = request->state;
    struct json document = entities_document(state->document);
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", request->params[0]);
    if (state->name.len)
        out_member_text(out, "name", state->name);
    else
        entities_member(request, document, "name", JSON_STRING, "\"\"");
    entities_member(request, document, "currency", JSON_STRING, "\"USD\"");
    if (state->time_zone.len)
        out_member_text(out, "time_zone", state->time_zone);
    else
        entities_member(request, document, "time_zone", JSON_STRING, "\"UTC\"");
    entities_member(request, document, "created_at", JSON_STRING, "");
    out_close(out, '}');
}

static void document_read(struct request *request)
{
    struct organization_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "org") || !request_matches(request, state->version))
        return;
    write_document(request);
    state->document = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    if (request->out.failed || !state->document.data) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    state->change = (struct mete_change){
        .kind = METE_PUT_SCOPE,
        .flags = METE_CHANGE_UPDATE,
        .scope = {.kind = METE_ORGANIZATION, .id = request_text(request->params[0])},
        .document = request_text(state->document)};
    request_apply(request, &state->change, 1, updated);
}

static int keep_document(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct organization_state *state = request->state;
    state->version = entity->version;
    state->document = arena_copy(&request->arena, entity->document);
    return state->document.data || !entity->document.len ? 0 : METE_E_MEMORY;
}

static int read_document(struct request *request, struct records_reader *reader)
{
    return directory_find(reader, METE_ORGANIZATION, (struct mete_scope_id){0}, request->params[0],
                          keep_document, request);
}

static void update_begin(struct request *request)
{
    request_look(request, read_document, document_read);
}

void organizations_update(struct request *request)
{
    static const struct field fields[] = {
        {.name = "name",
         .type = FIELD_TEXT,
         .offset = offsetof(struct organization_state, name),
         .min = 1,
         .max = 256},
        {.name = "time_zone",
         .type = FIELD_TOKEN,
         .offset = offsetof(struct organization_state, time_zone),
         .min = 1,
         .max = 64},
    };
    struct organization_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    int rc = request_read(request, fields, sizeof fields / sizeof fields[0], state);
    if (!rc && state->time_zone.len)
        rc = zones_check(&request->problem, "time_zone", state->time_zone);
    if (rc)
        request_problem(request);
    else
        request_turn(request, update_begin);
}

/* ---- For budgets ----------------------------------------------------------------------------- */

struct zone {
    struct request *request;
    struct slice name;
};

static int keep_zone(void *user, const struct directory_entity *entity)
{
    struct zone *zone = user;
    struct json text = json_member(entities_document(entity->document), "time_zone");
    char room[LIMIT_TIME_ZONE];
    long len = text.type == JSON_STRING ? json_string_copy(text, room, sizeof room) : 0;
    if (len <= 0 || slice_is((struct slice){room, (size_t)len}, "UTC"))
        return 0;
    zone->name = arena_copy(&zone->request->arena, (struct slice){room, (size_t)len});
    return zone->name.data ? 0 : METE_E_MEMORY;
}

int organizations_zone(struct request *request, struct slice id, struct slice *ret_zone)
{
    struct zone zone = {.request = request};
    struct directory_entity made = {.id = id};
    if (request->step)
        made.document = transaction_document(request, METE_ORGANIZATION, id);
    int rc = made.document.len ? keep_zone(&zone, &made)
                               : directory_find(request->reader, METE_ORGANIZATION,
                                                (struct mete_scope_id){0}, id, keep_zone, &zone);
    *ret_zone = zone.name;
    return rc;
}

void organizations_list(struct request *request)
{
    entities_list(request, METE_ORGANIZATION, write);
}

void organizations_show(struct request *request)
{
    entities_show(request, METE_ORGANIZATION, "org", write);
}
