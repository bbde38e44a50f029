/* SPDX-License-Identifier: Apache-2.0
 * What a key may know of itself: who it is, and every budget, rate limit and quota that has a say
 * over it. And the
 * counts of the ledger, which share the reading of a path's budgets. */
#include "api/tenancy/handlers.h"
#include "api/limits/budget_json.h"
#include "api/limits/budgets.h"
#include "api/entities.h"
#include "api/keys/key_json.h"
#include "api/tenancy/me_limits.h"
#include "api/units.h"
#include "base/assert.h"

struct me_state {
    struct me_limits limits;          /* first: me_limits.c finds it there */
    struct mete_budget_view *budgets; /* of the path; NULL: none wanted */
    size_t budgets_len;
    struct slice id, document; /* of the key */
    struct directory_place place;
    struct mete_stats stats;
    uint64_t seq;
    uint8_t hash[32];
    bool wants_hash;
    struct scope_in scope;
};

/* ---- The budgets of a path ----------------------------------------------------------------------
 */

static void path_seen(struct request *request)
{
    struct me_state *state = request->state;
    if (request_missed(request, "id"))
        return;
    size_t len = request->answer.budgets_len;
    state->budgets_len = len < METE_REFUSALS_MAX ? len : METE_REFUSALS_MAX;
    state->seq = request->answer.seq;
    for (size_t i = 0; i < state->budgets_len; i++)
        budget_json_want(request, &state->budgets[i]);
    request_load_names(request, request->after_find);
}

static void load_path(struct request *request, struct mete_scope_id scope,
                      void (*then)(struct request *request))
{
    struct me_state *state = request->state;
    state->budgets = request_take(request, METE_REFUSALS_MAX * sizeof *state->budgets);
    if (!state->budgets)
        return;
    request->after_find = then;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_PATH,
                                                  .scope = scope,
                                                  .budgets = state->budgets,
                                                  .budgets_max = METE_REFUSALS_MAX}};
    request_ask(request, path_seen);
}

static void write_path(struct request *request)
{
    const struct me_state *state = request->state;
    out_key(&request->out, "budgets");
    out_open(&request->out, '[');
    for (size_t i = 0; i < state->budgets_len; i++)
        if (!state->budgets[i].ended)
            budget_json_write(request, &state->budgets[i], (struct json){0});
    out_close(&request->out, ']');
}

/* ---- /me ------------------------------------------------------------------------------------- */

static int keep_document(void *user, const struct directory_entity *entity)
{
    struct request *request = user;
    struct me_state *state = request->state;
    state->id = arena_copy(&request->arena, entity->id);
    state->document = arena_copy(&request->arena, entity->document);
    if (!state->id.data || !state->document.data)
        return METE_E_MEMORY;
    return directory_place(request->reader, entity->organization, entity->parent, &state->place);
}

static int read_document(struct request *request, struct records_reader *reader)
{
    const struct me_state *state = request->state;
    return directory_find(reader, METE_API_KEY, request->who.organization, state->id, keep_document,
                          request);
}

/* The id in the key's document. */
static struct slice organization_of(struct request *request, struct json document)
{
    char room[LIMIT_ID];
    struct json id = json_member(document, "organization");
    long len = id.type == JSON_STRING ? json_string_copy(id, room, sizeof room) : 0;
    return arena_copy(&request->arena, (struct slice){room, len > 0 ? (size_t)len : 0});
}

static void write_me(struct request *request)
{
    const struct me_state *state = request->state;
    request->op.status = request->work_status;
    if (request_missed(request, "key"))
        return;
    struct out *out = &request->out;
    struct json document = entities_document(state->document);
    const struct slice department = {state->place.department, state->place.len};
    out_open(out, '{');
    out_member_text(out, "role", SLICE_LITERAL("key"));
    entities_member(request, document, "organization", JSON_STRING, "null");
    out_key(out, "department");
    if (department.len)
        out_text(out, department);
    else
        out_null(out);
    entities_member(request, document, "user", JSON_STRING, "null");
    out_key(out, "api_key");
    key_json_write(request, &(struct key_shown){.id = state->id,
                                                .scope = request->who.scope,
                                                .document = document,
                                                .department = department});
    write_path(request);
    me_limits_write(request, &state->limits, organization_of(request, document));
    out_close(out, '}');
    request_reply(request, 200);
}

static void me_named(struct request *request)
{
    struct me_state *state = request->state;
    const struct name *name = namebook_scope(request->api->names, request->who.scope.n);
    if (!name) {
        request_fail(request, METE_E_NOT_FOUND, NULL, NULL);
        return;
    }
    state->id = arena_copy(&request->arena, namebook_id(name));
    if (state->id.data)
        request_look(request, read_document, write_me);
    else
        request_fail(request, METE_E_MEMORY, NULL, NULL);
}

static void me_limited(struct request *request)
{
    request_want(request, NAME_SCOPE, request->who.scope.n);
    request_load_names(request, me_named);
}

static void me_path(struct request *request)
{
    struct me_state *state = request->state;
    me_limits_load(request, &state->limits, request->who.scope, me_limited);
}

static void write_admin(struct request *request)
{
    out_raw(&request->out,
            SLICE_LITERAL("{\"role\":\"admin\",\"organization\":null,\"department\":null,"
                          "\"user\":null,\"api_key\":null,\"budgets\":[],"
                          "\"rate_limits\":[],\"quotas\":[]}"));
    request_reply(request, 200);
}

void me_show(struct request *request)
{
    static const char *const known[] = {NULL};
    if (request_query_known(request, known)) {
        request_problem(request);
        return;
    }
    if (request->who.admin) {
        write_admin(request);
        return;
    }
    request->state = request_take(request, sizeof(struct me_state));
    if (request->state)
        load_path(request, request->who.scope, me_path);
}

/* ---- /budget/stats --------------------------------------------------------------------------- */

static void write_counts(struct out *out, const struct mete_stats *stats)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"flushed", stats->flushed},
        {"projected", stats->projected},
        {"scopes", stats->scopes},
        {"budgets_open", stats->budgets},
        {"reservations_open", stats->reservations_open},
        {"outcomes", stats->outcomes},
        {"reserves", stats->reserves},
        {"refused", stats->refused},
        {"commits", stats->commits},
        {"releases", stats->releases},
        {"expiries", stats->expiries},
        {"records", stats->records},
        {"overruns", stats->overruns},
        {"repeats", stats->repeats},
        {"drift", stats->drift},
        {"flushes", stats->flushes},
        {"journal_bytes", stats->journal_bytes},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        out_key(out, rows[i].name);
        out_unsigned(out, rows[i].value);
    }
}

static void write_hash(struct out *out, const uint8_t hash[32])
{
    static const char digits[] = "0123456789abcdef";
    char hex[64];
    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    out_member_text(out, "state_hash", (struct slice){hex, sizeof hex});
}

static void write_stats(struct request *request)
{
    const struct me_state *state = request->state;
    struct out *out = &request->out;
    out_open(out, '{');
    out_key(out, "seq");
    out_unsigned(out, request->who.admin ? state->stats.seq : state->seq);
    if (request->who.admin)
        write_counts(out, &state->stats);
    if (state->wants_hash)
        write_hash(out, state->hash);
    if (state->budgets)
        write_path(request);
    out_close(out, '}');
    request_reply(request, 200);
}

static void stats_scope(struct request *request)
{
    if (!request_missed(request, "id"))
        load_path(request, request->found, write_stats);
}

static void stats_organization(struct request *request)
{
    const struct me_state *state = request->state;
    if (!request_missed(request, "organization"))
        request_find(request, (enum mete_kind)state->scope.kind, state->scope.id, stats_scope);
}

static void stats_path(struct request *request)
{
    struct me_state *state = request->state;
    const struct scope_in *scope = &state->scope;
    const struct directory_key *key =
        scope->kind == METE_API_KEY ? directory_find_id(request->api->parts.directory, scope->id)
                                    : NULL;
    if (!scope->kind)
        write_stats(request);
    else if (scope->kind == METE_ORGANIZATION)
        request_find(request, METE_ORGANIZATION, scope->id, stats_scope);
    else if (key)
        load_path(request, key->scope, write_stats);
    else if (scope->kind == METE_API_KEY)
        request_fail(request, METE_E_NOT_FOUND, "id", "Nothing here has this id.");
    else
        request_find(request, METE_ORGANIZATION, scope->organization, stats_organization);
}

static void got_hash(struct request *request)
{
    struct me_state *state = request->state;
    if (request_missed(request, NULL))
        return;
    memcpy(state->hash, request->answer.hash, sizeof state->hash);
    stats_path(request);
}

static void got_stats(struct request *request)
{
    struct me_state *state = request->state;
    if (request_missed(request, NULL))
        return;
    state->stats = request->answer.stats;
    if (!state->wants_hash) {
        stats_path(request);
        return;
    }
    request->op = (struct mete_op){.kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_HASH}};
    request_ask(request, got_hash);
}

static int read_kind(struct request *request, struct slice kind, struct scope_in *scope)
{
    for (const struct word *word = units_kinds; word->name; word++)
        if (slice_is(kind, word->name))
            scope->kind = word->value;
    if (!scope->kind)
        return problem_set(&request->problem, METE_E_INVALID, "kind", "There is no such kind.");
    if (scope->kind == METE_ADVERTISER || scope->kind == METE_CAMPAIGN)
        return problem_set(&request->problem, METE_E_NOT_YET, "kind",
                           "Advertisers and campaigns are planned, and not built yet.");
    if (!scope->id.len)
        return problem_set(&request->problem, METE_E_INVALID, "id", "It is missing.");
    bool within = scope->kind == METE_DEPARTMENT || scope->kind == METE_USER;
    if (within && !scope->organization.len)
        return problem_set(&request->problem, METE_E_INVALID, "organization", "It is missing.");
    return 0;
}

static int read_stats_query(struct request *request, struct me_state *state)
{
    static const char *const known[] = {"hash", "kind", "id", "organization", NULL};
    struct slice hash = {0}, kind = {0};
    int rc = request_query_known(request, known);
    if (!rc)
        rc = request_query(request, "hash", 8, &hash);
    if (!rc)
        rc = request_query(request, "kind", 32, &kind);
    if (!rc)
        rc = request_query_id(request, "id", &state->scope.id);
    if (!rc)
        rc = request_query_id(request, "organization", &state->scope.organization);
    if (rc)
        return rc;
    if (hash.len && !slice_is(hash, "0") && !slice_is(hash, "1"))
        return problem_set(&request->problem, METE_E_INVALID, "hash", "It must be 0 or 1.");
    state->wants_hash = slice_is(hash, "1");
    if (!request->who.admin && (state->wants_hash || kind.len))
        return problem_set(&request->problem, METE_E_FORBIDDEN, state->wants_hash ? "hash" : "kind",
                           "This needs the admin token.");
    if (!kind.len && (state->scope.id.len || state->scope.organization.len))
        return problem_set(&request->problem, METE_E_INVALID, "kind", "It is missing.");
    return kind.len ? read_kind(request, kind, &state->scope) : 0;
}

void stats_show(struct request *request)
{
    struct me_state *state = request_take(request, sizeof *state);
    if (!state)
        return;
    request->state = state;
    if (read_stats_query(request, state)) {
        request_problem(request);
        return;
    }
    if (!request->who.admin) {
        load_path(request, request->who.scope, write_stats);
        return;
    }
    request->op = (struct mete_op){.kind = METE_OP_QUERY, .args.query = {.kind = METE_QUERY_STATS}};
    request_ask(request, got_stats);
}
