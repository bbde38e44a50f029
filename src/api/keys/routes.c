/* SPDX-License-Identifier: Apache-2.0
 * The paths of keys. */
#include "api/keys/handlers.h"
#include "api/room.h"

#define ORG "/api/v1/organizations/{org}"

static const struct route routes[] = {
    {"POST", ORG "/api-keys", ACCESS_MEMBER, PERMIT_KEYS_WRITE, keys_create, 0},
    {"GET", ORG "/api-keys", ACCESS_MEMBER, PERMIT_KEYS_READ, keys_list, 0},
    {"GET", ORG "/api-keys/summary", ACCESS_MEMBER, PERMIT_KEYS_READ, keys_summary, 0},
    {"GET", "/api/v1/api-keys/{key}/usage", ACCESS_MEMBER, PERMIT_KEYS_READ, keys_usage, 0},
    {"POST", ORG "/api-keys/batch-operations", ACCESS_MEMBER, PERMIT_KEYS_WRITE, keys_batch, 0},
    {"GET", "/api/v1/api-keys/{key}", ACCESS_MEMBER, PERMIT_KEYS_READ, keys_show, 0},
    {"PUT", "/api/v1/api-keys/{key}", ACCESS_MEMBER, PERMIT_KEYS_WRITE, keys_update, 0},
    {"DELETE", "/api/v1/api-keys/{key}", ACCESS_MEMBER, PERMIT_KEYS_WRITE, keys_delete, 0},
    {"POST", "/api/v1/api-keys/{key}/revoke", ACCESS_MEMBER, PERMIT_KEYS_WRITE, keys_revoke, 0},
    {"POST", "/api/v1/api-keys/{key}/regenerate", ACCESS_MEMBER, PERMIT_KEYS_WRITE, keys_regenerate,
     0},
};

const struct room keys_room = {routes, sizeof routes / sizeof routes[0]};
