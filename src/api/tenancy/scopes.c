/* SPDX-License-Identifier: Apache-2.0
 * What is deleted: organizations, departments and users. Children go first; calls that are open end
 * as they would have. What was changed since it was looked at stays (If-Match), so deletions wait
 * for their turn. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"

#include "base/assert.h"

struct scope_state {
    enum mete_kind kind;
    const char *field;
    struct mete_scope_id organization, scope;
    struct mete_change change;
    uint64_t version; /* 0: the records do not have it (yet) */
};

/* ---- Deleting -------------------------------------------------------------------------------- */

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
    if (state->kind == METE_ORGANIZATION)
        people_forget(request->api->parts.people, state->scope);
    request_reply_empty(request, 204);
}

static int keep_version(void *user, const struct directory_entity *entity)
{
    struct scope_state *state = user;
    state->version = entity->version;
    return 0;
}

static int read_version(struct request *request, struct records_reader *reader)
{
    struct scope_state *state = request->state;
    bool is_whole = state->kind == METE_ORGANIZATION;
    const struct mete_scope_id none = {0};
    int rc = directory_find(reader, (int)state->kind, is_whole ? none : state->organization,
                            request->params[is_whole ? 0 : 1], keep_version, state);
    return rc == METE_E_NOT_FOUND ? 0 : rc;
}

static void version_read(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_failed(request) || (state->version && !request_matches(request, state->version)))
        return;
    state->change = (struct mete_change){.kind = METE_END_SCOPE, .at = state->scope};
    request_apply(request, &state->change, 1, ended);
}

static void delete_found(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, state->field))
        return;
    state->scope = request->found;
    request_look(request, read_version, version_read);
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

static void find(struct request *request)
{
    request_find_organization(request, delete_in);
}

static void end_scope(struct request *request, enum mete_kind kind, const char *field)
{
    struct scope_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    state->kind = kind;
    state->field = field;
    request->state = state;
    request_turn(request, find);
}

void organizations_delete(struct request *request)
{
    end_scope(request, METE_ORGANIZATION, "org");
}

void departments_delete(struct request *request)
{
    end_scope(request, METE_DEPARTMENT, "department");
}

void users_delete(struct request *request)
{
    end_scope(request, METE_USER, "user");
}
