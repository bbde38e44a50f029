/* SPDX-License-Identifier: Apache-2.0
 * Departments of an organization, in it or in one another. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"
#include "base/limits.h"

struct department_in {
    struct slice id, name, parent;
    struct mete_scope_id organization;
    struct mete_change change;
};

#define AT(member) offsetof(struct department_in, member)
static const struct field table[] = {
    {.name = "id", .type = FIELD_ID, .flags = FIELD_REQUIRED, .offset = AT(id)},
    {.name = "name",
     .type = FIELD_TEXT,
     .flags = FIELD_REQUIRED,
     .offset = AT(name),
     .min = 1,
     .max = 256},
    {.name = "parent", .type = FIELD_ID, .flags = FIELD_OR_NULL, .offset = AT(parent)},
};
#undef AT

static void created(struct request *request)
{
    const struct department_in *in = request->state;
    if (request->op.status == METE_E_INVALID && in->parent.len)
        request_fail(request, METE_E_INVALID, "parent", PLACES_TOO_DEEP, LIMIT_PATH_SCOPES - 3);
    else
        entities_created(request);
}

static void create(struct request *request)
{
    struct department_in *in = request->state;
    if (request_missed(request, "parent"))
        return;
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", in->id);
    out_member_text(out, "name", in->name);
    out_member_text(out, "organization", request->params[0]);
    out_key(out, "parent");
    if (in->parent.len)
        out_text(out, in->parent);
    else
        out_null(out);
    out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    in->change = (struct mete_change){.kind = METE_PUT_SCOPE,
                                      .flags = METE_CHANGE_CREATE,
                                      .scope = {.kind = METE_DEPARTMENT,
                                                .id = request_text(in->id),
                                                .organization = in->organization,
                                                .parent = request->found},
                                      .document = request_text(buffer_slice(&request->out.bytes))};
    request_apply(request, &in->change, 1, created);
}

static void find_parent(struct request *request)
{
    struct department_in *in = request->state;
    if (request_missed(request, "org"))
        return;
    in->organization = request->found;
    if (in->parent.len)
        request_find(request, METE_DEPARTMENT, in->parent, create);
    else
        create(request);
}

void departments_create(struct request *request)
{
    struct department_in *in = request_take(request, sizeof *in);
    if (!in)
        return;
    request->state = in;
    if (request_read(request, table, sizeof table / sizeof table[0], in))
        request_problem(request);
    else
        request_find_organization(request, find_parent);
}

static int write(struct request *request, const struct directory_entity *entity)
{
    struct json document = entities_open(request, entity);
    struct out *out = &request->out;
    out_member_text(out, "organization", request->params[0]);
    entities_member(request, document, "parent", JSON_STRING, "null");
    entities_member(request, document, "created_at", JSON_STRING, "");
    out_close(out, '}');
    return 0;
}

void departments_list(struct request *request)
{
    entities_list(request, METE_DEPARTMENT, write);
}

void departments_show(struct request *request)
{
    entities_show(request, METE_DEPARTMENT, "department", write);
}
