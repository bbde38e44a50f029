/* SPDX-License-Identifier: Apache-2.0
 * What is deleted: organizations, departments and users. Children go first; calls that are open end
 * as they would have. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"

#include "base/assert.h"

struct scope_state {
    enum mete_kind kind;
    const char *field;
    struct mete_scope_id organization, scope;
    struct mete_change change;
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

static void delete_found(struct request *request)
{
    struct scope_state *state = request->state;
    if (request_missed(request, state->field))
        return;
    state->scope = request->found;
    state->change = (struct mete_change){.kind = METE_END_SCOPE, .at = state->scope};
    request_apply(request, &state->change, 1, ended);
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
