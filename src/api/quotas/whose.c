/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/whose.h"

#include "api/units.h"

int whose_body(struct request *request, struct json scope, struct slice user)
{
    struct whose *whose = request->state;
    whose->field = user.len ? "user_id" : "scope.id";
    if (user.len && scope.type)
        return problem_set(&request->problem, METE_E_INVALID, "user_id", "scope says the same.");
    if (!user.len && !scope.type)
        return problem_set(&request->problem, METE_E_INVALID, "scope", "It is missing.");
    if (user.len) {
        whose->scope = (struct scope_in){.kind = METE_USER, .id = user};
        return 0;
    }
    int rc = scope_in_read(request, scope, "scope", &whose->scope);
    if (!rc && whose->scope.organization.len &&
        !slice_equal(whose->scope.organization, request->params[0]))
        rc = problem_set(&request->problem, METE_E_INVALID, "scope.organization",
                         "The path names another organization.");
    return rc;
}

int whose_query(struct request *request)
{
    struct whose *whose = request->state;
    struct slice kind, user;
    whose->field = "id";
    int rc = request_query(request, "kind", 64, &kind);
    if (!rc)
        rc = request_query_id(request, "id", &whose->scope.id);
    if (!rc)
        rc = request_query_id(request, "user_id", &user);
    if (rc)
        return rc;
    if (user.len && (kind.len || whose->scope.id.len))
        return problem_set(&request->problem, METE_E_INVALID, "user_id",
                           "kind and id say the same.");
    if (user.len) {
        whose->field = "user_id";
        whose->scope = (struct scope_in){.kind = METE_USER, .id = user};
        return 0;
    }
    for (size_t i = 0; units_kinds[i].name; i++)
        if (slice_is(kind, units_kinds[i].name))
            whose->scope.kind = units_kinds[i].value;
    if (kind.len && !whose->scope.kind)
        return problem_set(&request->problem, METE_E_INVALID, "kind", "There is no such kind.");
    if (!kind.len != !whose->scope.id.len)
        return problem_set(&request->problem, METE_E_INVALID, kind.len ? "id" : "kind",
                           "kind and id come together.");
    return 0;
}

static void scope_found(struct request *request)
{
    struct whose *whose = request->state;
    if (request_missed(request, whose->field))
        return;
    if (whose->scope.kind == METE_ORGANIZATION && request->found.n != whose->organization.n) {
        request_fail(request, METE_E_NOT_FOUND, whose->field,
                     "This is another organization's path.");
        return;
    }
    whose->at = request->found;
    request_want(request, NAME_SCOPE, whose->at.n);
    request_load_names(request, whose->then);
}

static void organization_found(struct request *request)
{
    struct whose *whose = request->state;
    if (request_missed(request, "org"))
        return;
    whose->organization = request->found;
    if (whose->scope.kind == METE_KIND_NONE)
        scope_found(request);
    else
        request_find(request, (enum mete_kind)whose->scope.kind, whose->scope.id, scope_found);
}

void whose_find(struct request *request, void (*then)(struct request *request))
{
    ((struct whose *)request->state)->then = then;
    request_find_organization(request, organization_found);
}
