/* SPDX-License-Identifier: Apache-2.0
 * What is deleted, and what moves: organizations, departments, users and keys. Children go first;
 * calls that are open end as they would have. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"

#include "base/assert.h"

struct scope_state {
    enum mete_kind kind;
    const char *field;
    struct mete_scope_id organization, scope, parent;
    struct slice id, name, department;
    bool sets_department;
    struct mete_scope_view view;
    struct slice document;
    uint64_t version;
    struct mete_change changes[2];
    size_t changes_len;
};

/* ---- Deleting -------------------------------------------------------------------------------- */

/* A key stops to work at once, not only when the directory is loaded again. */
static int forget_key(struct request *request)
{
    const struct scope_state *state = request->state;
    const struct records_entity entity = {.kind = METE_API_KEY,
                                          .handle = state->scope.n,
                                          .organization = state->organization,
                                          .id = state->id,
                                          .document = state->document,
                                          .ended = 1};
    return directory_put(request->api->parts.directory, &entity);
}

static void ended(struct request *request)
{
    const struct scope_state *state = request->state;
    if (request->op.status == METE_E_INVALID) {
        request_fail(request, METE_E_EXISTS, state->field,
                     "Delete what is in it first: departments, users and keys.");
        return;
    }
    if (request_missed(request, state->field))
        return;
    namebook_forget(request->api->names, state->scope.n);
    int rc = state->kind == METE_API_KEY ? forget_key(request) : 0;
    if (rc)
        request_fail(request, rc, NULL, NULL);
    else
        request_reply_empty(request, 204);
}

static void end(struct request *request)
{
    struct scope_state *state = request->state;
    state->changes[0] = (struct mete_change){.kind = METE_END_SCOPE, .at = state->scope};
    request_apply(request, state->changes, 1, ended);
}

static void delete_found(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, state->field))
        return;
    state->scope = request->found;
    end(request);
}

static void delete_in(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    if (state->kind == METE_ORGANIZATION)
        delete_found(request);
    else
        request_find(request, state->kind, request->params[1], delete_found);
}

static struct scope_state *begin(struct request *request, enum mete_kind kind, const char *field)
{
    struct scope_state *state = request_take(request, sizeof *state);
    if (!state)
        return NULL;
    state->kind = kind;
    state->field = field;
    request->state = state;
    return state;
}

void organizations_delete(struct request *request)
{
    if (begin(request, METE_ORGANIZATION, "org"))
        request_find_organization(request, delete_in);
}

void departments_delete(struct request *request)
{
    if (begin(request, METE_DEPARTMENT, "department"))
        request_find_organization(request, delete_in);
}

void users_delete(struct request *request)
{
    if (begin(request, METE_USER, "user"))
        request_find_organization(request, delete_in);
}

/* ---- Documents ------------------------------------------------------------------------------- */

static int keep_document(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct scope_state *state = request->state;
    state->version = entity->version;
    state->document = arena_copy(&request->arena, entity->document);
    return state->document.data ? 0 : METE_E_MEMORY;
}

static int read_document(struct request *request, struct records_reader *reader)
{
    const struct scope_state *state = request->state;
    return directory_find(reader, (int)state->kind, state->organization, state->id, keep_document,
                          request);
}

static void key_read(struct request *request)
{
    request->op.status = request->work_status;
    if (!request_missed(request, "key"))
        end(request);
}

void keys_delete(struct request *request)
{
    const struct directory_key *key =
        directory_find_id(request->api->parts.directory, request->params[0]);
    if (!key) {
        request_fail(request, METE_E_NOT_FOUND, "key", "Nothing here has this id.");
        return;
    }
    struct scope_state *state = begin(request, METE_API_KEY, "key");
    if (!state)
        return;
    state->organization = key->organization;
    state->scope = key->scope;
    state->id = request->params[0];
    request_look(request, read_document, key_read);
}

/* ---- A user's name and department ------------------------------------------------------------ */

static void user_updated(struct request *request)
{
    struct scope_state *state = request->state;
    if (request->op.status == METE_E_FULL)
        request_fail(request, METE_E_FULL, "department",
                     "Too many calls of before the last moves are open; try again later.");
    else if (!request_missed(request, state->field)) {
        request->version = request->op.result.applied.seq + state->changes_len - 1;
        request_reply(request, 200);
    }
}

/* The document as it was, but for what the request says. It is also the reply. */
static void write_user(struct request *request)
{
    const struct scope_state *state = request->state;
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
    if (state->department.len)
        out_member_text(out, "department", state->department);
    else if (state->sets_department)
        entities_member(request, (struct json){0}, "department", JSON_STRING, "null");
    else
        entities_member(request, document, "department", JSON_STRING, "null");
    entities_member(request, document, "created_at", JSON_STRING, "");
    out_close(out, '}');
}

static void user_read(struct request *request)
{
    struct scope_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "user") || !request_matches(request, state->version))
        return;
    write_user(request);
    state->document = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    if (request->out.failed || !state->document.data) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    size_t len = 0;
    if (state->sets_department)
        state->changes[len++] = (struct mete_change){
            .kind = METE_MOVE_SCOPE, .at = state->scope, .parent = state->parent};
    state->changes[len++] = (struct mete_change){.kind = METE_PUT_SCOPE,
                                                 .flags = METE_CHANGE_UPDATE,
                                                 .scope = {.kind = METE_USER,
                                                           .id = request_text(state->id),
                                                           .organization = state->organization,
                                                           .expires_at = state->view.expires_at,
                                                           .revoked = state->view.revoked},
                                                 .document = request_text(state->document)};
    state->changes_len = len;
    request_apply(request, state->changes, len, user_updated);
}

static void department_found(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, "department"))
        return;
    state->parent = request->found;
    request_look(request, read_document, user_read);
}

static void user_viewed(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, "user"))
        return;
    state->view = request->answer.scope;
    request->found = state->organization;
    if (state->department.len)
        request_find(request, METE_DEPARTMENT, state->department, department_found);
    else
        department_found(request); /* the organization itself, if it moves at all */
}

static void user_found(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, "user"))
        return;
    state->scope = request->found;
    request->op = (struct mete_op){
        .kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_SCOPE, .scope = request->found}};
    request_ask(request, user_viewed);
}

static void user_in(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    request_find(request, METE_USER, state->id, user_found);
}

static void update_begin(struct request *request)
{
    request_find_organization(request, user_in);
}

void users_update(struct request *request)
{
    static const struct field table[] = {
        {.name = "name",
         .type = FIELD_TEXT,
         .offset = offsetof(struct scope_state, name),
         .min = 1,
         .max = 256},
        {.name = "department",
         .type = FIELD_ID,
         .flags = FIELD_OR_NULL,
         .offset = offsetof(struct scope_state, department)},
    };
    struct scope_state *state = begin(request, METE_USER, "user");
    struct json body;
    if (!state)
        return;
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
    state->sets_department = json_member(body, "department").type != JSON_NONE;
    request_turn(request, update_begin);
}
