/* SPDX-License-Identifier: Apache-2.0
 * Grants by administrators: made, listed, shown, changed, refunded. Figures are the engine's; where
 * a grant came from is in its document. A quota's grants are one page: those that will be drawn
 * from first, in that order, then the used up and expired ones, the newest first. */
#include "api/quotas/grant_json.h"
#include "api/quotas/handlers.h"
#include "api/quotas/units.h"
#include "api/quotas/whose.h"

#include "api/entities.h"
#include "api/units.h"
#include "base/assert.h"
#include "base/limits.h"

#include <stddef.h>

struct grant_in {
    struct slice id, user, unit, type, amount, source, source_id, description;
    struct json scope;
    int64_t priority, expires_at; /* -1: not said */
    bool never;                   /* expires_at is null */
};

struct grant_state {
    struct whose whose; /* first: whose.h */
    struct grant_in in;
    uint16_t meter;
    uint32_t currency;
    struct page page;
    struct grant_terms terms;
    struct mete_change change;
    struct mete_grant_view grant;
    struct slice document;
    uint64_t version;               /* of the one in the path */
    struct mete_grant_view *grants; /* of a list, */
    struct slice *documents;        /* and theirs */
    size_t grants_len, total;
    int reply_status;
    void (*then)(struct request *request);
};

static struct grant_state *begin(struct request *request)
{
    struct grant_state *state = request_take(request, sizeof *state);
    if (state)
        request->state = state;
    return state;
}

/* ---- One ------------------------------------------------------------------------------------- */

static void show_grant(struct request *request)
{
    const struct grant_state *state = request->state;
    request->version = state->version;
    out_clear(&request->out);
    grant_json_write(request, &state->grant, state->document);
    request_reply(request, state->reply_status);
}

static int keep_version(void *user, const struct directory_entity *entity)
{
    struct grant_state *state = ((struct request *)user)->state;
    state->version = entity->version;
    return 0;
}

static int read_document(struct request *request, struct records_reader *reader)
{
    struct grant_state *state = request->state;
    struct slice id = slice_of(state->grant.id);
    int rc =
        directory_find(reader, RECORDS_GRANT, state->whose.organization, id, keep_version, request);
    if (rc && rc != METE_E_NOT_FOUND)
        return rc;
    return grant_document(request, state->whose.organization, id, &state->document);
}

static void document_read(struct request *request)
{
    struct grant_state *state = request->state;
    if (!request_failed(request))
        state->then(request);
}

/* Its figures are known: its scope's name and its document, then. */
static void grant_named(struct request *request)
{
    request_work(request, read_document, document_read);
}

static void grant_answered(struct request *request)
{
    struct grant_state *state = request->state;
    if (request_missed(request, "grant"))
        return;
    state->grant = request->answer.grant;
    request_want(request, NAME_SCOPE, state->grant.scope.n);
    request_load_names(request, grant_named);
}

static void ask_grant(struct request *request, struct slice id,
                      void (*then)(struct request *request))
{
    struct grant_state *state = request->state;
    state->then = then;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_FIND_GRANT,
                                                  .id = request_text(id),
                                                  .organization = state->whose.organization}};
    request_ask(request, grant_answered);
}

/* The grant of the path, then what is done to it. */
static void grant_in(struct request *request)
{
    struct grant_state *state = request->state;
    if (request_missed(request, "org"))
        return;
    state->whose.organization = request->found;
    ask_grant(request, request->params[1], state->then);
}

static void find_grant(struct request *request)
{
    if (fields_is_id(request->params[1]))
        request_find_organization(request, grant_in);
    else
        request_fail(request, METE_E_NOT_FOUND, "grant", "Nothing here has this id.");
}

void grants_show(struct request *request)
{
    struct grant_state *state = begin(request);
    if (!state)
        return;
    state->then = show_grant;
    state->reply_status = 200;
    find_grant(request);
}

/* ---- A list ---------------------------------------------------------------------------------- */

static int read_documents(struct request *request, struct records_reader *reader)
{
    struct grant_state *state = request->state;
    (void)reader;
    for (size_t i = 0; i < state->grants_len; i++) {
        int rc = grant_document(request, state->whose.organization, slice_of(state->grants[i].id),
                                &state->documents[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static void write_list(struct request *request)
{
    const struct grant_state *state = request->state;
    struct out *out = &request->out;
    if (request_failed(request))
        return;
    out_clear(out);
    out_page_open(out);
    for (size_t i = 0; i < state->grants_len; i++)
        grant_json_write(request, &state->grants[i], state->documents[i]);
    out_close(out, ']');
    out_member_integer(out, "total", (int64_t)state->total);
    out_close(out, '}');
    request_reply(request, 200);
}

static void grants_answered(struct request *request)
{
    struct grant_state *state = request->state;
    if (request_missed(request, state->whose.field))
        return;
    state->total = request->answer.rows_len;
    state->grants_len = state->total < state->page.limit ? state->total : state->page.limit;
    state->documents = request_take(request, (state->grants_len + 1) * sizeof *state->documents);
    if (state->documents)
        request_work(request, read_documents, write_list);
}

static void ask_grants(struct request *request)
{
    struct grant_state *state = request->state;
    request->op = (struct mete_op){.kind = METE_OP_QUERY,
                                   .args.query = {.kind = METE_QUERY_GRANTS,
                                                  .scope = state->whose.at,
                                                  .meter = state->meter,
                                                  .currency = state->currency,
                                                  .grants = state->grants,
                                                  .rows_max = state->page.limit}};
    request_ask(request, grants_answered);
}

static int read_query(struct request *request)
{
    static const char *const known[] = {"kind", "id", "user_id", "unit", "limit", NULL};
    struct grant_state *state = request->state;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    struct slice unit;
    int rc = request_query_known(request, known);
    if (!rc)
        rc = whose_query(request);
    if (!rc)
        rc = request_query(request, "unit", 64, &unit);
    if (!rc && !unit.len)
        rc = problem_set(&request->problem, METE_E_INVALID, "unit", "It is missing.");
    if (!rc)
        rc = quota_unit_read(&fields, "unit", unit, &state->meter, &state->currency);
    return rc ? rc : request_page(request, &state->page);
}

void grants_list(struct request *request)
{
    struct grant_state *state = begin(request);
    if (!state)
        return;
    if (read_query(request)) {
        request_problem(request);
        return;
    }
    state->grants = request_take(request, state->page.limit * sizeof *state->grants);
    if (state->grants)
        whose_find(request, ask_grants);
}

/* ---- Reading a body -------------------------------------------------------------------------- */

#define AT(member) offsetof(struct grant_in, member)
#define PRIORITY                                                                                   \
    {                                                                                              \
        .name = "priority", .type = FIELD_COUNT, .offset = AT(priority), .max = UINT32_MAX         \
    }
#define TEXT(member, most)                                                                         \
    {                                                                                              \
        .name = #member, .type = FIELD_TEXT, .offset = AT(member), .min = 1, .max = most           \
    }
#define EXPIRES_AT                                                                                 \
    {                                                                                              \
        .name = "expires_at", .type = FIELD_INSTANT, .flags = FIELD_OR_NULL,                       \
        .offset = AT(expires_at)                                                                   \
    }
static const struct field create_table[] = {
    {.name = "id", .type = FIELD_ID, .offset = AT(id)},
    {.name = "scope", .type = FIELD_OBJECT, .offset = AT(scope)},
    {.name = "user_id", .type = FIELD_ID, .offset = AT(user)},
    {.name = "unit", .type = FIELD_TOKEN, .offset = AT(unit), .min = 1, .max = 64},
    {.name = "quota_type", .type = FIELD_TOKEN, .offset = AT(type), .min = 1, .max = 64},
    {.name = "amount", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(amount)},
    PRIORITY,
    EXPIRES_AT,
    TEXT(source, LIMIT_SOURCE),
    TEXT(source_id, GRANT_SOURCE_ID),
    TEXT(description, GRANT_DESCRIPTION),
};
static const struct field update_table[] = {
    {.name = "amount", .type = FIELD_AMOUNT, .offset = AT(amount)},
    PRIORITY,
    EXPIRES_AT,
    TEXT(source, LIMIT_SOURCE),
    TEXT(source_id, GRANT_SOURCE_ID),
    TEXT(description, GRANT_DESCRIPTION),
};
static const struct field refund_table[] = {
    {.name = "amount", .type = FIELD_AMOUNT, .flags = FIELD_REQUIRED, .offset = AT(amount)},
};
#undef AT

static int read_body(struct request *request, const struct field *table, size_t len)
{
    struct grant_state *state = request->state;
    struct json body;
    const struct fields fields = {table, len, "", &request->arena, &request->problem};
    state->in.priority = state->in.expires_at = -1;
    int rc = request_body(request, &body);
    if (!rc)
        rc = fields_read(&fields, body, &state->in);
    if (rc)
        return rc;
    state->in.never = json_member(body, "expires_at").type == JSON_NULL;
    if (state->in.expires_at != -1 && state->in.expires_at <= mete_now(request->api->parts.mete).us)
        return problem_set(&request->problem, METE_E_INVALID, "expires_at",
                           "It must be in the future.");
    return 0;
}

/* The unit that a new grant's body names, by either name. */
static int read_unit(struct request *request)
{
    struct grant_state *state = request->state;
    const struct grant_in *in = &state->in;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    const char *name = in->type.len ? "quota_type" : "unit";
    if (in->unit.len && in->type.len)
        return problem_set(&request->problem, METE_E_INVALID, name, "unit says the same.");
    if (!in->unit.len && !in->type.len)
        return problem_set(&request->problem, METE_E_INVALID, name, "It is missing.");
    return quota_unit_read(&fields, name, in->type.len ? in->type : in->unit, &state->meter,
                           &state->currency);
}

/* What the body says, over what the terms have. */
static int specify(struct request *request, struct grant_terms *terms)
{
    const struct grant_in *in = &((struct grant_state *)request->state)->in;
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    if (in->amount.len) {
        int rc = units_amount(&fields, "amount", terms->meter, in->amount, &terms->amount);
        if (rc)
            return rc;
    }
    if (in->priority >= 0)
        terms->priority = (uint32_t)in->priority;
    if (in->expires_at >= 0 || in->never)
        terms->expires_at_us = in->never ? 0 : in->expires_at;
    if (in->source.len)
        terms->source = in->source;
    if (in->source_id.len)
        terms->source_id = in->source_id;
    if (in->description.len)
        terms->description = in->description;
    return 0;
}

/* ---- Granting -------------------------------------------------------------------------------- */

static void granted(struct request *request)
{
    const struct grant_state *state = request->state;
    int status = request->op.status;
    if (status == METE_E_EXISTS)
        request_fail(request, status, "id", "This id is taken: a grant's is for ever.");
    else if (status == METE_E_FULL)
        request_fail(request, status, "unit", "A scope has quotas in at most %d units.",
                     LIMIT_SCOPE_QUOTAS);
    else if (status == METE_E_INVALID)
        request_fail(request, status, "amount", "It is less than what is drawn and held.");
    else if (!request_missed(request, "grant"))
        ask_grant(request, state->terms.id, show_grant);
}

static void put(struct request *request, uint32_t flags)
{
    struct grant_state *state = request->state;
    if (grant_change(request, &state->terms, &state->change)) {
        request_fail(request, METE_E_MEMORY, NULL, NULL);
        return;
    }
    state->change.flags = flags;
    request_apply(request, &state->change, 1, granted);
}

static void create(struct request *request)
{
    struct grant_state *state = request->state;
    state->terms.id = state->in.id.len ? state->in.id : request_make_id(request, "gr_");
    state->terms.scope = state->whose.at;
    put(request, METE_CHANGE_CREATE);
}

void grants_create(struct request *request)
{
    struct grant_state *state = begin(request);
    if (!state)
        return;
    state->reply_status = 201;
    int rc = read_body(request, create_table, sizeof create_table / sizeof create_table[0]);
    if (!rc)
        rc = read_unit(request);
    if (!rc)
        rc = whose_body(request, state->in.scope, state->in.user);
    state->terms.meter = state->meter;
    state->terms.currency = state->currency;
    state->terms.source = SLICE_LITERAL("admin");
    if (!rc)
        rc = specify(request, &state->terms);
    if (rc)
        request_problem(request);
    else
        whose_find(request, create);
}

/* ---- Changing -------------------------------------------------------------------------------- */

/* A text of its document as it is now, in the arena; empty: none. */
static struct slice was(struct request *request, const char *name)
{
    struct grant_state *state = request->state;
    struct json text = json_member(entities_document(state->document), name);
    char room[4 * GRANT_DESCRIPTION];
    long len = text.type == JSON_STRING ? json_string_copy(text, room, sizeof room) : 0;
    return len > 0 ? arena_copy(&request->arena, (struct slice){room, (size_t)len})
                   : (struct slice){0};
}

static void update(struct request *request)
{
    struct grant_state *state = request->state;
    const struct mete_grant_view *view = &state->grant;
    if (!request_matches(request, state->version))
        return;
    state->terms = (struct grant_terms){.id = slice_of(view->id),
                                        .scope = view->scope,
                                        .meter = view->meter,
                                        .currency = view->currency,
                                        .amount = view->amount,
                                        .priority = view->priority,
                                        .expires_at_us = view->expires_at.us,
                                        .source = slice_of(view->source),
                                        .source_id = was(request, "source_id"),
                                        .description = was(request, "description"),
                                        .offer = was(request, "offer")};
    state->terms.id = arena_copy(&request->arena, state->terms.id); /* the view is asked anew */
    if (specify(request, &state->terms))
        request_problem(request);
    else
        put(request, METE_CHANGE_UPDATE);
}

void grants_update(struct request *request)
{
    struct grant_state *state = begin(request);
    if (!state)
        return;
    state->then = update;
    state->reply_status = 200;
    if (read_body(request, update_table, sizeof update_table / sizeof update_table[0]))
        request_problem(request);
    else
        request_turn(request, find_grant);
}

static void refunded(struct request *request)
{
    const struct grant_state *state = request->state;
    if (request->op.status == METE_E_INVALID)
        request_fail(request, METE_E_INVALID, "amount",
                     "It must be above 0 and at most what is drawn.");
    else if (!request_missed(request, "grant"))
        ask_grant(request, state->terms.id, show_grant);
}

static void refund(struct request *request)
{
    struct grant_state *state = request->state;
    state->terms.meter = state->grant.meter;
    state->terms.id = arena_copy(&request->arena, slice_of(state->grant.id));
    if (specify(request, &state->terms)) {
        request_problem(request);
        return;
    }
    state->change = (struct mete_change){
        .kind = METE_REFUND, .refund = state->grant.grant, .amount = state->terms.amount};
    request_apply(request, &state->change, 1, refunded);
}

void grants_refund(struct request *request)
{
    struct grant_state *state = begin(request);
    if (!state)
        return;
    state->then = refund;
    state->reply_status = 200;
    if (read_body(request, refund_table, sizeof refund_table / sizeof refund_table[0]))
        request_problem(request);
    else
        find_grant(request);
}
