/* SPDX-License-Identifier: Apache-2.0
 * Plans: what a membership grants each month, a unit at a time, and whether what is left of it goes
 * to the next. What is changed of a plan reaches its subscriptions with their next month; with its
 * end they end, when their month does. */
#include "api/documents.h"
#include "api/entities.h"
#include "api/quotas/handlers.h"
#include "api/quotas/offers.h"

#include <stddef.h>

struct plan_in {
    struct slice id, name, description;
    struct json grants;
};

struct plan_state {
    struct plan_in in;
    struct offers offers;
};

#define AT(member) offsetof(struct plan_in, member)
static const struct field table[] = {
    {.name = "name", .type = FIELD_TEXT, .offset = AT(name), .min = 1, .max = 256},
    {.name = "description",
     .type = FIELD_TEXT,
     .offset = AT(description),
     .min = 1,
     .max = GRANT_DESCRIPTION},
    {.name = "grants",
     .type = FIELD_LIST,
     .offset = AT(grants),
     .min = 1,
     .max = LIMIT_SCOPE_QUOTAS},
    {.name = "id", .type = FIELD_ID, .offset = AT(id)}, /* of a new one only */
};
#undef AT

static bool write(struct request *request, struct json was)
{
    const struct plan_state *state = request->state;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", state->in.id);
    offers_text(request, "name", state->in.name, was);
    offers_text(request, "description", state->in.description, was);
    if (state->offers.len)
        offers_write(out, &state->offers, OFFER_MONTHLY);
    else
        entities_member(request, was, "grants", JSON_ARRAY, "[]");
    if (was.type)
        entities_member(request, was, "created_at", JSON_STRING, "null");
    else
        out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    return true;
}

static const struct document_plan plan = {.kind = DOCUMENT_PLAN, .field = "plan", .write = write},
                                  new_plan = {.kind = DOCUMENT_PLAN, .field = "id", .write = write};

static struct plan_state *read_body(struct request *request, size_t members)
{
    struct plan_state *state = request_take(request, sizeof *state);
    if (!state)
        return NULL;
    request->state = state;
    int rc = request_read(request, table, members, &state->in);
    if (!rc && state->in.grants.type)
        rc = offers_read(request, state->in.grants, OFFER_MONTHLY, &state->offers);
    if (!rc)
        return state;
    request_problem(request);
    return NULL;
}

void plans_create(struct request *request)
{
    struct plan_state *state = read_body(request, sizeof table / sizeof table[0]);
    if (!state)
        return;
    if (!state->in.name.len || !state->offers.len) {
        request_fail(request, METE_E_INVALID, state->in.name.len ? "grants" : "name",
                     "It is missing.");
        return;
    }
    if (!state->in.id.len)
        state->in.id = request_make_id(request, "plan_");
    documents_change(request, &new_plan, DOCUMENT_CREATE, state->in.id);
}

void plans_update(struct request *request)
{
    struct plan_state *state = read_body(request, sizeof table / sizeof table[0] - 1);
    if (!state)
        return;
    state->in.id = request->params[1];
    documents_change(request, &plan, DOCUMENT_CHANGE, state->in.id);
}

void plans_end(struct request *request)
{
    static const struct document_plan end = {.kind = DOCUMENT_PLAN, .field = "plan"};
    documents_change(request, &end, DOCUMENT_END, request->params[1]);
}

void plans_list(struct request *request)
{
    entities_list(request, document_entity(DOCUMENT_PLAN), entities_as_kept);
}

void plans_show(struct request *request)
{
    entities_show(request, document_entity(DOCUMENT_PLAN), "plan", entities_as_kept);
}
