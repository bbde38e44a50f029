/* SPDX-License-Identifier: Apache-2.0
 * API keys. A key is a scope (whose budgets limit it) and a document (who it belongs to, what it
 * may call, the hash that knows its text). The text exists in the reply to its creation and
 * nowhere else (INV-13).
 *
 * The directory's index takes the document over as soon as the change is durable, so the key works
 * when its creator reads the reply. */
#include "api/keys/handlers.h"
#include "api/entities.h"
#include "api/keys/key_json.h"
#include "api/request.h"
#include "base/assert.h"

struct key_in {
    struct slice name, user, department, disconnect;
    struct json models;
    int64_t quota, requests_per_minute, tokens_per_minute, concurrent, expires_at;
};

enum { KEY_CHANGES = 5 }; /* the key, its budget of requests, three rate limits */

struct key_state {
    struct key_in in;
    struct mete_scope_id organization, parent, department, scope;
    struct directory_new_key key;
    struct mete_change changes[KEY_CHANGES];
    size_t changes_len;
    struct slice id, document, zone; /* zone: of the quota's months */
    struct mete_scope_view view;
    struct directory_place place; /* of one that is there */
};

#define AT(member) offsetof(struct key_in, member)
static const struct field table[] = {
    {.name = "name",
     .type = FIELD_TEXT,
     .flags = FIELD_REQUIRED,
     .offset = AT(name),
     .min = 1,
     .max = 256},
    {.name = "user", .type = FIELD_ID, .offset = AT(user)},
    {.name = "department", .type = FIELD_ID, .offset = AT(department)},
    {.name = "models",
     .type = FIELD_TEXTS,
     .offset = AT(models),
     .min = 1,
     .max = DIRECTORY_MODELS_MAX,
     .item_max = 128},
    {.name = "permissions", .type = FIELD_TEXTS, .flags = FIELD_LATER, .max = 16, .item_max = 64},
    {.name = "monthly_request_quota",
     .type = FIELD_COUNT,
     .offset = AT(quota),
     .max = METE_AMOUNT_MAX},
    {.name = "requests_per_minute",
     .type = FIELD_COUNT,
     .offset = AT(requests_per_minute),
     .max = 1000000000},
    {.name = "tokens_per_minute",
     .type = FIELD_COUNT,
     .offset = AT(tokens_per_minute),
     .max = 1000000000000},
    {.name = "concurrent_requests",
     .type = FIELD_COUNT,
     .offset = AT(concurrent),
     .max = 1000000000},
    {.name = "disconnect", .type = FIELD_TEXT, .offset = AT(disconnect), .min = 1, .max = 6},
    {.name = "expires_at", .type = FIELD_INSTANT, .offset = AT(expires_at)},
};
#undef AT

static struct slice place_of(const struct key_state *state)
{
    return (struct slice){state->place.department, state->place.len};
}

/* Of one that is being made. */
static struct slice department_of(struct request *request)
{
    const struct key_state *state = request->state;
    return arena_copy(&request->arena, request_scope_name(request, state->department));
}

/* Hands the document to the index, and shows it. */
static void reply_key(struct request *request, struct slice text, int status)
{
    struct key_state *state = request->state;
    state->organization = request_made(request, state->organization);
    state->parent = request_made(request, state->parent);
    struct records_entity entity = {.kind = METE_API_KEY,
                                    .handle = state->scope.n,
                                    .organization = state->organization,
                                    .parent = state->parent,
                                    .id = state->id,
                                    .document = state->document};
    int rc = directory_put(request->api->parts.directory, &entity);
    struct json document;
    if (!rc)
        rc = json_scan(state->document, &document, NULL);
    if (rc) {
        request_fail(request, rc, NULL, "The key is made, but cannot be used before a restart.");
        return;
    }
    out_clear(&request->out);
    key_json_write(request, state->id, document,
                   status == 201 ? department_of(request) : place_of(state), text);
    request_reply(request, status);
}

/* ---- Creating ---------------------------------------------------------------------------------
 */

static void created(struct request *request)
{
    struct key_state *state = request->state;
    if (request->op.status) {
        request_fail(request, request->op.status, NULL, NULL);
        return;
    }
    state->scope.n = request->handles[0];
    reply_key(request, (struct slice){state->key.text, KEY_TEXT}, 201);
}

static void member_or_null(struct out *out, const char *name, struct slice text)
{
    out_key(out, name);
    if (text.len)
        out_text(out, text);
    else
        out_null(out);
}

static void member_if_given(struct out *out, const char *name, int64_t value)
{
    if (value >= 0)
        out_member_integer(out, name, value);
}

static int write_document(struct request *request, int64_t now_us)
{
    struct key_state *state = request->state;
    const struct key_in *in = &state->in;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", state->id);
    out_member_text(out, "name", in->name);
    out_member_text(out, "prefix", slice_of(state->key.prefix));
    out_member_text(out, "hash", slice_of(state->key.hash));
    out_member_text(out, "organization", request->params[0]);
    member_or_null(out, "department", department_of(request));
    member_or_null(out, "user", in->user);
    out_key(out, "models");
    out_raw(out, in->models.type ? in->models.raw : SLICE_LITERAL("[]"));
    member_if_given(out, "monthly_request_quota", in->quota);
    member_if_given(out, "requests_per_minute", in->requests_per_minute);
    member_if_given(out, "tokens_per_minute", in->tokens_per_minute);
    member_if_given(out, "concurrent_requests", in->concurrent);
    if (in->disconnect.len)
        out_member_text(out, "disconnect", in->disconnect);
    out_member_instant(out, "expires_at", in->expires_at ? in->expires_at : INT64_MAX);
    out_member_bool(out, "revoked", false);
    out_member_instant(out, "created_at", now_us);
    out_close(out, '}');
    state->document = arena_copy(&request->arena, buffer_slice(&out->bytes));
    return out->failed || !state->document.data ? METE_E_MEMORY : 0;
}

/* A quota of requests is a budget like any other, with the key's id. */
static int add_quota(struct request *request, int64_t now_us)
{
    struct key_state *state = request->state;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", state->id);
    out_member_text(out, "name", state->in.name);
    out_member_instant(out, "created_at", now_us);
    out_close(out, '}');
    struct slice document = arena_copy(&request->arena, buffer_slice(&out->bytes));
    if (out->failed || !document.data)
        return METE_E_MEMORY;
    state->changes[state->changes_len++] =
        (struct mete_change){.kind = METE_PUT_BUDGET,
                             .flags = METE_CHANGE_CREATE,
                             .budget = {.id = request_text(state->id),
                                        .scope = {METE_FROM_CHANGE(0)},
                                        .meter = METE_REQUESTS,
                                        .limit = state->in.quota,
                                        .period = METE_MONTHLY,
                                        .time_zone = request_text(state->zone),
                                        .mode = METE_ENFORCE,
                                        .thresholds_ppm = {800000, 900000, 950000},
                                        .thresholds_len = 3},
                             .document = request_text(document)};
    return 0;
}

/* A rate limit of the key: spec says what it limits. Its id is the key's with suffix behind it. */
static int add_rate(struct request *request, const char *suffix, struct mete_rate_spec *spec)
{
    struct key_state *state = request->state;
    if (spec->limit < 0)
        return 0;
    size_t suffix_len = strlen(suffix);
    char *room = arena_take(&request->arena, state->id.len + suffix_len);
    if (!room)
        return METE_E_MEMORY;
    memcpy(room, state->id.data, state->id.len);
    memcpy(room + state->id.len, suffix, suffix_len);
    ASSERT(state->changes_len < KEY_CHANGES);
    spec->id = (struct mete_text){room, state->id.len + suffix_len};
    spec->scope.n = METE_FROM_CHANGE(0);
    spec->mode = METE_ENFORCE;
    state->changes[state->changes_len++] = (struct mete_change){
        .kind = METE_PUT_RATE_LIMIT, .flags = METE_CHANGE_CREATE, .rate = *spec};
    return 0;
}

static int add_rates(struct request *request)
{
    enum { MINUTE_MS = 60 * 1000 };
    const struct key_in *in = &((struct key_state *)request->state)->in;
    struct mete_rate_spec requests = {.meter = METE_REQUESTS,
                                      .limit = in->requests_per_minute,
                                      .period_ms = MINUTE_MS},
                          tokens = {.meter = METE_TOTAL_TOKENS,
                                    .limit = in->tokens_per_minute,
                                    .period_ms = MINUTE_MS},
                          concurrent = {.concurrent = 1, .limit = in->concurrent};
    int rc = add_rate(request, ".requests", &requests);
    if (!rc)
        rc = add_rate(request, ".tokens", &tokens);
    return rc ? rc : add_rate(request, ".concurrent", &concurrent);
}

static void make(struct request *request)
{
    struct key_state *state = request->state;
    const struct api_parts *parts = &request->api->parts;
    int64_t now_us = mete_now(parts->mete).us;
    directory_make_key(parts->directory, parts->random, parts->random_user, &state->key);
    state->id = slice_of(state->key.id);
    int rc = write_document(request, now_us);
    state->changes[0] = (struct mete_change){.kind = METE_PUT_SCOPE,
                                             .flags = METE_CHANGE_CREATE,
                                             .scope = {.kind = METE_API_KEY,
                                                       .id = request_text(state->id),
                                                       .organization = state->organization,
                                                       .parent = state->parent,
                                                       .expires_at = {state->in.expires_at}},
                                             .document = request_text(state->document)};
    state->changes_len = 1;
    if (!rc && state->in.quota >= 0)
        rc = add_quota(request, now_us);
    if (!rc)
        rc = add_rates(request);
    if (rc) {
        request_fail(request, rc, NULL, NULL);
        return;
    }
    request_apply(request, state->changes, state->changes_len, created);
}

static int read_zone(struct request *request, struct records_reader *reader)
{
    (void)reader;
    return organizations_zone(request, request->params[0],
                              &((struct key_state *)request->state)->zone);
}

static void zone_read(struct request *request)
{
    if (!request_failed(request))
        make(request);
}

/* A quota's months are the organization's. */
static void apply(struct request *request)
{
    const struct key_state *state = request->state;
    if (state->in.quota >= 0)
        request_look(request, read_zone, zone_read);
    else
        make(request);
}

static void department_found(struct request *request)
{
    struct key_state *state = request->state;
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
    struct key_state *state = request->state;
    request->found = state->organization;
    if (state->in.department.len)
        request_find(request, METE_DEPARTMENT, state->in.department, department_found);
    else
        apply(request);
}

static void user_seen(struct request *request)
{
    struct key_state *state = request->state;
    if (request_missed(request, "user"))
        return;
    if (request->answer.scope.parent.n != state->organization.n)
        state->department = request->answer.scope.parent;
    request_want(request, NAME_SCOPE, state->department.n);
    request_load_names(request, find_department);
}

static void user_found(struct request *request)
{
    struct key_state *state = request->state;
    if (request_missed(request, "user"))
        return;
    state->parent = request->found;
    request->op = (struct mete_op){
        .kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_SCOPE, .scope = request->found}};
    request_ask(request, user_seen);
}

static void organization_found(struct request *request)
{
    struct key_state *state = request->state;
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
    struct key_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    state->in = (struct key_in){
        .quota = -1, .requests_per_minute = -1, .tokens_per_minute = -1, .concurrent = -1};
    int rc = request_read(request, table, sizeof table / sizeof table[0], &state->in);
    int64_t expires_at = state->in.expires_at;
    if (!rc && expires_at && expires_at <= mete_now(request->api->parts.mete).us)
        rc = problem_set(&request->problem, METE_E_INVALID, "expires_at",
                         "It must be in the future.");
    struct slice leaves = state->in.disconnect;
    if (!rc && leaves.len && !slice_is(leaves, "drain") && !slice_is(leaves, "cancel"))
        rc = problem_set(&request->problem, METE_E_INVALID, "disconnect",
                         "It must be drain or cancel.");
    if (rc)
        request_problem(request);
    else
        request_find_organization(request, organization_found);
}

/* ---- Showing ----------------------------------------------------------------------------------
 */

static int write(struct request *request, const struct directory_entity *entity)
{
    struct directory_place place;
    int rc = directory_place(request->reader, entity->organization, entity->parent, &place);
    if (rc)
        return rc;
    key_json_write(request, entity->id, entities_document(entity->document),
                   (struct slice){place.department, place.len}, (struct slice){0});
    return 0;
}

void keys_list(struct request *request)
{
    entities_list(request, METE_API_KEY, write);
}

static int keep_document(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct key_state *state = request->state;
    state->document = arena_copy(&request->arena, entity->document);
    if (!state->document.data)
        return METE_E_MEMORY;
    return directory_place(request->reader, entity->organization, entity->parent, &state->place);
}

static int read_document(struct request *request, struct records_reader *reader)
{
    const struct key_state *state = request->state;
    return directory_find(reader, METE_API_KEY, state->organization, state->id, keep_document,
                          request);
}

static void shown(struct request *request)
{
    const struct key_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "key"))
        return;
    key_json_write(request, state->id, entities_document(state->document), place_of(state),
                   (struct slice){0});
    request_reply(request, 200);
}

/* The key of the path; NULL: the request has ended. */
static struct key_state *find_key(struct request *request)
{
    const struct directory_key *key =
        directory_find_id(request->api->parts.directory, request->params[0]);
    if (!key || !request_sees(request, key->organization)) {
        request_fail(request, METE_E_NOT_FOUND, "key", "Nothing here has this id.");
        return NULL;
    }
    struct key_state *state = request_take(request, sizeof *state);
    if (!state)
        return NULL;
    request->state = state;
    state->organization = key->organization;
    state->scope = key->scope;
    state->id = request->params[0];
    return state;
}

void keys_show(struct request *request)
{
    static const char *const known[] = {NULL};
    if (request_query_known(request, known))
        request_problem(request);
    else if (find_key(request))
        request_look(request, read_document, shown);
}

/* ---- Deleting ---------------------------------------------------------------------------------
 */

/* A key stops to work at once, not only when the directory is loaded again. */
static void ended(struct request *request)
{
    const struct key_state *state = request->state;
    if (request_missed(request, "key"))
        return;
    const struct records_entity entity = {.kind = METE_API_KEY,
                                          .handle = state->scope.n,
                                          .organization = state->organization,
                                          .id = state->id,
                                          .document = state->document,
                                          .ended = 1};
    namebook_forget(request->api->names, state->scope.n);
    int rc = directory_put(request->api->parts.directory, &entity);
    if (rc)
        request_fail(request, rc, NULL, NULL);
    else
        request_reply_empty(request, 204);
}

static void end(struct request *request)
{
    struct key_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "key"))
        return;
    state->changes[0] = (struct mete_change){.kind = METE_END_SCOPE, .at = state->scope};
    request_apply(request, state->changes, 1, ended);
}

void keys_delete(struct request *request)
{
    if (find_key(request))
        request_work(request, read_document, end);
}

/* ---- Revoking ---------------------------------------------------------------------------------
 */

static void revoked(struct request *request)
{
    if (request_missed(request, "key"))
        return;
    reply_key(request, (struct slice){0}, 200);
}

/* The document as it was, but for "revoked". */
static int write_revoked(struct request *request)
{
    struct key_state *state = request->state;
    struct json document = entities_document(state->document), key, value;
    struct out *out = &request->out;
    size_t at = 0;
    out_clear(out);
    out_open(out, '{');
    while (json_next(document, &at, &key, &value)) {
        if (json_string_is(key, "revoked"))
            continue;
        out_raw(out, key.raw);
        out_append(out, SLICE_LITERAL(":"));
        out_append(out, value.raw);
    }
    out_member_bool(out, "revoked", true);
    out_close(out, '}');
    state->document = arena_copy(&request->arena, buffer_slice(&out->bytes));
    return out->failed || !state->document.data ? METE_E_MEMORY : 0;
}

static void revoke(struct request *request)
{
    struct key_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "key"))
        return;
    if (write_revoked(request)) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    state->changes[0] = (struct mete_change){.kind = METE_PUT_SCOPE,
                                             .flags = METE_CHANGE_UPDATE,
                                             .scope = {.kind = METE_API_KEY,
                                                       .id = request_text(state->id),
                                                       .organization = state->organization,
                                                       .parent = state->parent,
                                                       .expires_at = state->view.expires_at,
                                                       .revoked = 1},
                                             .document = request_text(state->document)};
    request_apply(request, state->changes, 1, revoked);
}

static void seen(struct request *request)
{
    struct key_state *state = request->state;
    if (request_missed(request, "key"))
        return;
    state->view = request->answer.scope;
    state->parent = state->view.parent;
    request_look(request, read_document, state->view.revoked ? shown : revoke);
}

static void revoke_begin(struct request *request)
{
    struct key_state *state = find_key(request);
    if (!state)
        return;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_SCOPE, .scope = state->scope}};
    request_ask(request, seen);
}

void keys_revoke(struct request *request)
{
    struct {
        bool cut_running;
    } in = {false};
    static const struct field fields[] = {{.name = "cut_running", .type = FIELD_BOOL}};
    int rc = request->exchange->body.len ? request_read(request, fields, 1, &in) : 0;
    if (!rc && in.cut_running)
        rc = problem_set(&request->problem, METE_E_NOT_YET, "cut_running",
                         "Cutting running calls is planned, and not built yet.");
    if (rc)
        request_problem(request);
    else
        request_turn(request, revoke_begin);
}
