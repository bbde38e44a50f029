/* SPDX-License-Identifier: Apache-2.0
 * Users of an organization, in a department or in none. */
#include "api/tenancy/handlers.h"
#include "api/entities.h"

struct user_in {
    struct slice id, name, department;
    struct mete_scope_id organization;
};

#define AT(member) offsetof(struct user_in, member)
static const struct field table[] = {
    {.name = "id", .type = FIELD_ID, .flags = FIELD_REQUIRED, .offset = AT(id)},
    {.name = "name",
     .type = FIELD_TEXT,
     .flags = FIELD_REQUIRED,
     .offset = AT(name),
     .min = 1,
     .max = 256},
    {.name = "department", .type = FIELD_ID, .offset = AT(department)},
};
#undef AT

static void create(struct request *request)
{
    const struct user_in *in = request->state;
    if (request_missed(request, "department"))
        return;
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", in->id);
    out_member_text(out, "name", in->name);
    out_member_text(out, "organization", request->params[0]);
    out_key(out, "department");
    if (in->department.len)
        out_text(out, in->department);
    else
        out_null(out);
    out_member_instant(out, "created_at", mete_now(request->api->parts.mete).us);
    out_close(out, '}');
    entities_create(request, &(struct mete_scope_spec){.kind = METE_USER,
                                                       .id = request_text(in->id),
                                                       .organization = in->organization,
                                                       .parent = request->found});
}

static void find_department(struct request *request)
{
    struct user_in *in = request->state;
    if (request_missed(request, "org"))
        return;
    in->organization = request->found;
    if (in->department.len)
        request_find(request, METE_DEPARTMENT, in->department, create);
    else
        create(request);
}

void users_create(struct request *request)
{
    struct user_in *in = request_take(request, sizeof *in);
    if (!in)
        return;
    request->state = in;
    if (request_read(request, table, sizeof table / sizeof table[0], in))
        request_problem(request);
    else
        request_find_organization(request, find_department);
}

static int write(struct request *request, const struct directory_entity *entity)
{
    struct json document = entities_open(request, entity);
    struct out *out = &request->out;
    out_member_text(out, "organization", request->params[0]);
    entities_member(request, document, "department", JSON_STRING, "null");
    entities_member(request, document, "created_at", JSON_STRING, "");
    out_close(out, '}');
    return 0;
}

void users_list(struct request *request)
{
    entities_list(request, METE_USER, write);
}

void users_show(struct request *request)
{
    entities_show(request, METE_USER, "user", write);
}
