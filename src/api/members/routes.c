/* SPDX-License-Identifier: Apache-2.0
 * The paths of members, service tokens and sessions. */
#include "api/members/handlers.h"
#include "api/room.h"

#define ORG "/api/v1/organizations/{org}"

static const struct route routes[] = {
    {"POST", ORG "/members", ACCESS_MEMBER, PERMIT_MEMBERS_WRITE, members_create, 0},
    {"GET", ORG "/members", ACCESS_MEMBER, PERMIT_MEMBERS_READ, members_list, 0},
    {"GET", ORG "/members/{member}", ACCESS_MEMBER, PERMIT_MEMBERS_READ, members_show, 0},
    {"PUT", ORG "/members/{member}", ACCESS_MEMBER, PERMIT_MEMBERS_WRITE, members_update, 0},
    {"DELETE", ORG "/members/{member}", ACCESS_MEMBER, PERMIT_MEMBERS_WRITE, members_remove, 0},
    {"POST", ORG "/service-tokens", ACCESS_MEMBER, PERMIT_MEMBERS_WRITE, service_tokens_create, 0},
    {"GET", ORG "/service-tokens", ACCESS_MEMBER, PERMIT_MEMBERS_READ, service_tokens_list, 0},
    {"GET", ORG "/service-tokens/{token}", ACCESS_MEMBER, PERMIT_MEMBERS_READ, service_tokens_show,
     0},
    {"DELETE", ORG "/service-tokens/{token}", ACCESS_MEMBER, PERMIT_MEMBERS_WRITE,
     service_tokens_revoke, 0},
    {"POST", "/api/v1/login", ACCESS_PUBLIC, 0, login_begin, 0},
    {"POST", "/api/v1/logout", ACCESS_SELF, 0, logout, 0},
    {"GET", "/api/v1/session", ACCESS_SELF, 0, session_show, 0},
    {"PUT", "/api/v1/session/password", ACCESS_SELF, 0, session_password, 0},
};

const struct room members_room = {routes, sizeof routes / sizeof routes[0]};
