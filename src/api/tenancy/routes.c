/* SPDX-License-Identifier: Apache-2.0
 * The paths of tenancy. */
#include "api/tenancy/handlers.h"
#include "api/room.h"

#define ORG "/api/v1/organizations/{org}"

static const struct route routes[] = {
    {"GET", "/api/v1/budget/stats", ACCESS_KEY, PERMIT_BUDGETS_READ, stats_show, 0},
    {"POST", "/api/v1/organizations", ACCESS_ADMIN, PERMIT_INSTALLATION, organizations_create, 0},
    {"GET", "/api/v1/organizations", ACCESS_ADMIN, PERMIT_INSTALLATION, organizations_list, 0},
    {"GET", ORG, ACCESS_MEMBER, PERMIT_ORGANIZATION_READ, organizations_show, 0},
    {"PUT", ORG, ACCESS_MEMBER, PERMIT_ORGANIZATION_WRITE, organizations_update, 0},
    {"DELETE", ORG, ACCESS_ADMIN, PERMIT_INSTALLATION, organizations_delete, 0},
    {"POST", ORG "/departments", ACCESS_MEMBER, PERMIT_ORGANIZATION_WRITE, departments_create, 0},
    {"GET", ORG "/departments", ACCESS_MEMBER, PERMIT_ORGANIZATION_READ, departments_list, 0},
    {"GET", ORG "/departments/{department}", ACCESS_MEMBER, PERMIT_ORGANIZATION_READ,
     departments_show, 0},
    {"PUT", ORG "/departments/{department}", ACCESS_MEMBER, PERMIT_ORGANIZATION_WRITE,
     departments_update, 0},
    {"DELETE", ORG "/departments/{department}", ACCESS_MEMBER, PERMIT_ORGANIZATION_WRITE,
     departments_delete, 0},
    {"POST", ORG "/users", ACCESS_MEMBER, PERMIT_ORGANIZATION_WRITE, users_create, 0},
    {"GET", ORG "/users", ACCESS_MEMBER, PERMIT_ORGANIZATION_READ, users_list, 0},
    {"GET", ORG "/users/{user}", ACCESS_MEMBER, PERMIT_ORGANIZATION_READ, users_show, 0},
    {"PUT", ORG "/users/{user}", ACCESS_MEMBER, PERMIT_ORGANIZATION_WRITE, users_update, 0},
    {"DELETE", ORG "/users/{user}", ACCESS_MEMBER, PERMIT_ORGANIZATION_WRITE, users_delete, 0},
    {"GET", "/api/v1/me", ACCESS_KEY, 0, me_show, 0},
};

const struct room tenancy_room = {routes, sizeof routes / sizeof routes[0]};
