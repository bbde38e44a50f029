/* SPDX-License-Identifier: Apache-2.0
 * A key is made: a scope (whose budgets limit it) and a document (who it belongs to, what it may
 * do, the hash that knows its text). The text exists in the reply and nowhere else (INV-13). */
#include "api/keys/handlers.h"

#include "api/entities.h"
#include "api/keys/key_document.h"
#include "api/keys/key_json.h"
#include "api/keys/key_limits.h"

struct create_state {
    struct key_in in;
    struct mete_scope_id organization, parent, department;
    struct slice id, document, zone; /* zone: of the quota's months */
    struct directory_new_key key;
    struct mete_change changes[KEY_CHANGES];
};

static struct slice department_of(struct request *request)
{
    const struct create_state *state = request->state;
    return arena_copy(&request->arena, request_scope_name(request, state->department));
}

/* The directory's index takes it over before its creator reads the reply. */
static void created(struct request *request)
{
    struct create_state *state = request->state;
    if (request->op.status) {
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    struct mete_scope_id scope = {request->handles[0]};
    const struct records_entity entity = {.kind = METE_API_KEY,
                                          .handle = scope.n,
                                          .organization =
                                              request_made(request, state->organization),
                                          .parent = request_made(request, state->parent),
                                          .id = state->id,
                                          .document = state->document};
    int rc = directory_put(request->api->parts.directory, &entity);
    if (rc) {
        request_fail(request, rc, NULL, "The key is made, but cannot be used before a restart.");
        return;
    }
    request->version = request->op.result.applied.seq;
    request->secret = (struct slice){state->key.text, KEY_TEXT};
    out_clear(&request->out);
    key_json_write(request, &(struct key_shown){.id = state->id,
                                                .scope = scope,
                                                .document = entities_document(state->document),
                                                .department = department_of(request),
                                                .text = request->secret});
    request_reply(request, 201);
}

static void make(struct request *request)
{
    struct create_state *state = request->state;
    const struct api_parts *parts = &request->api->parts;
    size_t len = 1;
    directory_make_key(parts->directory, parts->random, parts->random_user, &state->key);
    state->id = slice_of(state->key.id);
    const struct key_draft draft = {.id = state->id,
                                    .organization = request->params[0],
                                    .department = department_of(request),
                                    .in = &state->in,
                                    .text = &state->key,
                                    .now_us = mete_now(parts->mete).us};
    const struct key_limits limits = {.id = state->id, .scope = {METE_FROM_CHANGE(0)}};
    int rc = key_document_write(request, &draft, &state->document);
    state->changes[0] = (struct mete_change){.kind = METE_PUT_SCOPE,
                                             .flags = METE_CHANGE_CREATE,
                                             .scope = {.kind = METE_API_KEY,
                                                       .id = request_text(state->id),
                                                       .organization = state->organization,
                                                       .parent = state->parent,
                                                       .expires_at = {state->in.expires_at_us}},
                                             .document = request_text(state->document)};
    if (!rc)
        rc = key_limits_change(request, &limits, &state->in, state->zone, state->changes, &len);
    if (rc)
        request_fail(request, rc, NULL, NULL);
    else
        request_apply(request, state->changes, len, created);
}

static int read_zone(struct request *request, struct records_reader *reader)
{
    (void)reader;
    return organizations_zone(request, request->params[0],
                              &((struct create_state *)request->state)->zone);
}

static void zone_read(struct request *request)
{
    if (!request_failed(request))
        make(request);
}

/* A quota's months are the organization's. */
static void apply(struct request *request)
{
    const struct create_state *state = request->state;
    if (state->in.limits[KEY_QUOTA] >= 0)
        request_look(request, read_zone, zone_read);
    else
        make(request);
}

/* ---- Where it stands --------------------------------------------------------------------------
 */

static void department_found(struct request *request)
{
    struct create_state *state = request->state;
    if (request_missed(request, "department"))
        return;
    if (state->in.user.len && state->department.n != request->found.n) {
        request_fail(request, METE_E_INVALID, "department", "The user is not in this department.");
        return;
    }
    state->department = request->found;
    if (!state->in.user.len)
        state->parent = request->found;
    apply(request);
}

static void find_department(struct request *request)
{
    struct create_state *state = request->state;
    request->found = state->organization;
    if (state->in.department.len)
        request_find(request, METE_DEPARTMENT, state->in.department, department_found);
    else
        apply(request);
}

static void user_seen(struct request *request)
{
    struct create_state *state = request->state;
    if (request_missed(request, "user"))
        return;
    if (request->answer.scope.parent.n != state->organization.n)
        state->department = request->answer.scope.parent;
    request_want(request, NAME_SCOPE, state->department.n);
    request_load_names(request, find_department);
}

static void user_found(struct request *request)
{
    struct create_state *state = request->state;
    if (request_missed(request, "user"))
        return;
    state->parent = request->found;
    request->op = (struct mete_op){
        .kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_SCOPE, .scope = request->found}};
    request_ask(request, user_seen);
}

static void organization_found(struct request *request)
{
    struct create_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->organization = request->found;
    state->parent = request->found;
    if (state->in.user.len)
        request_find(request, METE_USER, state->in.user, user_found);
    else
        find_department(request);
}

void keys_create(struct request *request)
{
    struct create_state *state = request_take(request, sizeof *state);
    struct json body;
    if (!state)
        return;
    request->state = state;
    if (request_body(request, &body) || key_in_read(request, body, "", true, &state->in))
        request_problem(request);
    else
        request_find_organization(request, organization_found);
}
