/* SPDX-License-Identifier: Apache-2.0
 * Departments of an organization. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"

struct department_in {
    struct slice id, name;
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
};
#undef AT

static void create(struct request *request)
{
    const struct department_in *in = request->state;
    if (request_missed(request, "org"))
        return;
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", in->id);
    out_member_text(out, "name", in->name);
    out_member_text(out, "organization", request->params[0]);
    out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    entities_create(request, &(struct mete_scope_spec){.kind = METE_DEPARTMENT,
                                                       .id = request_text(in->id),
                                                       .organization = request->found,
                                                       .parent = request->found});
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
        request_find_organization(request, create);
}

static int write(struct request *request, const struct directory_entity *entity)
{
    struct json document = entities_open(request, entity);
    struct out *out = &request->out;
    out_member_text(out, "organization", request->params[0]);
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
