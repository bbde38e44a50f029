/* SPDX-License-Identifier: Apache-2.0
 * Packages: amounts with a price, to be bought. mete takes no money: whoever does says with the
 * payment's reference that it came, and each reference is granted once, however often it is said.
 */
#include "api/documents.h"
#include "api/entities.h"
#include "api/quotas/offers.h"
#include "api/quotas/handlers.h"
#include "api/units.h"

#include <stddef.h>

struct package_in {
    struct slice id, name, description, price, currency;
    struct json grants;
    int enabled; /* -1: not said */
    bool is_enabled;
};

struct package_state {
    struct package_in in;
    struct offers offers;
    int64_t price;
};

#define AT(member) offsetof(struct package_in, member)
static const struct field table[] = {
    {.name = "name", .type = FIELD_TEXT, .offset = AT(name), .min = 1, .max = 256},
    {.name = "description",
     .type = FIELD_TEXT,
     .offset = AT(description),
     .min = 1,
     .max = GRANT_DESCRIPTION},
    {.name = "price", .type = FIELD_AMOUNT, .offset = AT(price)},
    {.name = "currency", .type = FIELD_TOKEN, .offset = AT(currency), .min = 3, .max = 3},
    {.name = "grants",
     .type = FIELD_LIST,
     .offset = AT(grants),
     .min = 1,
     .max = LIMIT_SCOPE_QUOTAS},
    {.name = "enabled", .type = FIELD_BOOL, .offset = AT(is_enabled)},
    {.name = "id", .type = FIELD_ID, .offset = AT(id)}, /* of a new one only */
};
#undef AT
enum { MEMBERS = sizeof table / sizeof table[0] };

static void write_price(struct request *request, struct json was)
{
    const struct package_state *state = request->state;
    if (state->in.price.len)
        out_member_amount(&request->out, "price", METE_COST, state->price);
    else
        entities_member(request, was, "price", JSON_STRING, "\"0.00\"");
    if (state->in.currency.len)
        out_member_text(&request->out, "currency", state->in.currency);
    else
        entities_member(request, was, "currency", JSON_STRING, "\"USD\"");
}

static bool write(struct request *request, struct json was)
{
    const struct package_state *state = request->state;
    struct out *out = &request->out;
    out_clear(out);
    out_open(out, '{');
    out_member_text(out, "id", state->in.id);
    offers_text(request, "name", state->in.name, was);
    offers_text(request, "description", state->in.description, was);
    write_price(request, was);
    if (state->offers.len)
        offers_write(out, &state->offers, OFFER_ONCE);
    else
        entities_member(request, was, "grants", JSON_ARRAY, "[]");
    if (state->in.enabled >= 0 || !was.type)
        out_member_bool(out, "enabled", state->in.enabled != 0);
    else
        entities_member(request, was, "enabled", json_member(was, "enabled").type, "true");
    if (was.type)
        entities_member(request, was, "created_at", JSON_STRING, "null");
    else
        out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    return true;
}

static int check(struct request *request, struct package_state *state, struct json body)
{
    const struct fields fields = {
        .path = "", .arena = &request->arena, .problem = &request->problem};
    state->in.enabled = json_member(body, "enabled").type ? state->in.is_enabled : -1;
    if (state->in.currency.len && !units_currency(state->in.currency))
        return problem_set(&request->problem, METE_E_INVALID, "currency",
                           "It must be a currency such as USD.");
    if (state->in.price.len) {
        int rc = units_amount(&fields, "price", METE_COST, state->in.price, &state->price);
        if (rc)
            return rc;
    }
    return state->in.grants.type
               ? offers_read(request, state->in.grants, OFFER_ONCE, &state->offers)
               : 0;
}

static struct package_state *read_body(struct request *request, size_t members)
{
    struct package_state *state = request_take(request, sizeof *state);
    struct json body;
    if (!state)
        return NULL;
    request->state = state;
    const struct fields fields = {table, members, "", &request->arena, &request->problem};
    int rc = request_body(request, &body);
    if (!rc)
        rc = fields_read(&fields, body, &state->in);
    if (!rc)
        rc = check(request, state, body);
    if (!rc)
        return state;
    request_problem(request);
    return NULL;
}

static const char *missing(const struct package_state *state)
{
    if (!state->in.name.len)
        return "name";
    if (!state->in.price.len)
        return "price";
    return state->offers.len ? NULL : "grants";
}

void packages_create(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_PACKAGE, .field = "id", .write = write};
    struct package_state *state = read_body(request, MEMBERS);
    if (!state)
        return;
    if (missing(state)) {
        request_fail(request, METE_E_INVALID, missing(state), "It is missing.");
        return;
    }
    if (!state->in.id.len)
        state->in.id = request_make_id(request, "pkg_");
    documents_change(request, &plan, DOCUMENT_CREATE, state->in.id);
}

void packages_update(struct request *request)
{
    static const struct document_plan plan = {
        .kind = DOCUMENT_PACKAGE, .field = "package", .write = write};
    struct package_state *state = read_body(request, MEMBERS - 1);
    if (!state)
        return;
    state->in.id = request->params[1];
    documents_change(request, &plan, DOCUMENT_CHANGE, state->in.id);
}

void packages_end(struct request *request)
{
    static const struct document_plan plan = {.kind = DOCUMENT_PACKAGE, .field = "package"};
    documents_change(request, &plan, DOCUMENT_END, request->params[1]);
}

void packages_list(struct request *request)
{
    entities_list(request, document_entity(DOCUMENT_PACKAGE), entities_as_kept);
}

void packages_show(struct request *request)
{
    entities_show(request, document_entity(DOCUMENT_PACKAGE), "package", entities_as_kept);
}
