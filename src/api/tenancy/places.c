/* SPDX-License-Identifier: Apache-2.0
 * The name of a department or a user, and where it stands: PUT changes either. What moves takes all
 * below it along; calls that are open stay with the path they were made on (INV-02). */
#include "api/tenancy/handlers.h"
#include "api/entities.h"

#include "base/limits.h"

struct place_state {
    enum mete_kind kind;
    const char *field;  /* the path's parameter */
    const char *member; /* where the document says what it stands in */
    struct mete_scope_id organization, scope, parent;
    struct slice id, name, above;
    bool moves;
    struct mete_scope_view view;
    struct slice document;
    uint64_t version;
    struct mete_change changes[2];
    size_t changes_len;
};

static void updated(struct request *request)
{
    struct place_state *state = request->state;
    if (request->op.status == METE_E_FULL)
        request_fail(request, METE_E_FULL, state->member,
                     "Too many calls of before the last moves are open; try again later.");
    else if (request->op.status == METE_E_INVALID)
        request_fail(request, METE_E_INVALID, state->member, PLACES_TOO_DEEP,
                     LIMIT_PATH_SCOPES - 3);
    else if (!request_missed(request, state->field)) {
        request->version = request->op.result.applied.seq + state->changes_len - 1;
        request_reply(request, 200);
    }
}

/* The document as it was, but for what the request says. It is also the reply. */
static void write_document(struct request *request)
{
    const struct place_state *state = request->state;
    struct json document = entities_document(state->document);
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", state->id);
    if (state->name.len)
        out_member_text(out, "name", state->name);
    else
        entities_member(request, document, "name", JSON_STRING, "\"\"");
    out_member_text(out, "organization", request->params[0]);
    if (state->above.len)
        out_member_text(out, state->member, state->above);
    else
        entities_member(request, state->moves ? (struct json){0} : document, state->member,
                        JSON_STRING, "null");
    entities_member(request, document, "created_at", JSON_STRING, "");
    out_close(out, '}');
}

static void document_read(struct request *request)
{
    struct place_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, state->field) || !request_matches(request, state->version))
        return;
    write_document(request);
    state->document = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    if (request->out.failed || !state->document.data) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    size_t len = 0;
    if (state->moves)
        state->changes[len++] = (struct mete_change){
            .kind = METE_MOVE_SCOPE, .at = state->scope, .parent = state->parent};
    state->changes[len++] = (struct mete_change){.kind = METE_PUT_SCOPE,
                                                 .flags = METE_CHANGE_UPDATE,
                                                 .scope = {.kind = state->kind,
                                                           .id = request_text(state->id),
                                                           .organization = state->organization,
                                                           .expires_at = state->view.expires_at,
                                                           .revoked = state->view.revoked},
                                                 .document = request_text(state->document)};
    state->changes_len = len;
    request_apply(request, state->changes, len, updated);
}

static int keep_document(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct place_state *state = request->state;
    state->version = entity->version;
    state->document = arena_copy(&request->arena, entity->document);
    return state->document.data || !entity->document.len ? 0 : METE_E_MEMORY;
}

static int read_document(struct request *request, struct records_reader *reader)
{
    const struct place_state *state = request->state;
    return directory_find(reader, (int)state->kind, state->organization, state->id, keep_document,
                          request);
}

static void above_found(struct request *request)
{
    struct place_state *state = request->state;
    if (request_missed(request, state->member))
        return;
    state->parent = request->found;
    request_look(request, read_document, document_read);
}

static void viewed(struct request *request)
{
    struct place_state *state = request->state;
    if (request_missed(request, state->field))
        return;
    state->view = request->answer.scope;
    request->found = state->organization;
    if (state->above.len)
        request_find(request, METE_DEPARTMENT, state->above, above_found);
    else
        above_found(request); /* the organization itself, if it moves at all */
}

static void found(struct request *request)
{
    struct place_state *state = request->state;
    if (request_missed(request, state->field))
        return;
    state->scope = request->found;
    request->op = (struct mete_op){
        .kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_SCOPE, .scope = request->found}};
    request_ask(request, viewed);
}

static void organization_found(struct request *request)
{
    struct place_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    request_find(request, state->kind, state->id, found);
}

static void begin(struct request *request)
{
    request_find_organization(request, organization_found);
}

static void update(struct request *request, const struct place_state *of)
{
    const struct field table[] = {
        {.name = "name",
         .type = FIELD_TEXT,
         .offset = offsetof(struct place_state, name),
         .min = 1,
         .max = 256},
        {.name = of->member,
         .type = FIELD_ID,
         .flags = FIELD_OR_NULL,
         .offset = offsetof(struct place_state, above)},
    };
    struct place_state *state = request_take(request, sizeof *state);
    struct json body;
    if (!state)
        return;
    *state = *of;
    request->state = state;
    const struct fields fields = {.table = table,
                                  .len = sizeof table / sizeof table[0],
                                  .path = "",
                                  .arena = &request->arena,
                                  .problem = &request->problem};
    if (request_body(request, &body) || fields_read(&fields, body, state)) {
        request_problem(request);
        return;
    }
    state->id = request->params[1];
    state->moves = json_member(body, of->member).type != JSON_NONE;
    request_turn(request, begin);
}

void users_update(struct request *request)
{
    update(request,
           &(struct place_state){.kind = METE_USER, .field = "user", .member = "department"});
}

void departments_update(struct request *request)
{
    update(request, &(struct place_state){
                        .kind = METE_DEPARTMENT, .field = "department", .member = "parent"});
}
