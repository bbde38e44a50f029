/* SPDX-License-Identifier: Apache-2.0
 * What is deleted: organizations, departments, users and keys. Children go first; calls that are
 * open end as they would have. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"

#include "base/assert.h"

struct scope_state {
    enum mete_kind kind;
    const char *field;
    struct mete_scope_id organization, scope;
    struct slice id, document;
    struct mete_change changes[1];
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
