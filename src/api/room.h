/* SPDX-License-Identifier: Apache-2.0
 * The API is rooms, each a folder with the paths it answers and what one must be allowed to do for
 * each. The door (api.c) knows the rooms and nothing of what is in them. */
#ifndef API_ROOM_H
#define API_ROOM_H

#include <stddef.h>

struct request;

enum { REQUEST_PARAMS = 3 };

/* What may be permitted: tables/permissions.h. */
enum permission {
    PERMIT_INSTALLATION = 0, /* the admin token alone */
#define ROW(name, word, roles, text) PERMIT_##name,
#include "tables/permissions.h"
#undef ROW
    PERMISSIONS
};

enum access {
    ACCESS_ADMIN,  /* the admin token alone */
    ACCESS_MEMBER, /* whoever has the permission in the organization of the path: INV-12 */
    ACCESS_KEY,    /* a key too, while it is good */
    ACCESS_ANY_KEY /* a revoked or expired one too: the ledger has the say, open calls may end */
};

struct route {
    const char *method;
    const char *path; /* "{org}" stands for one segment, and names it in problems */
    enum access access;
    enum permission permission; /* ACCESS_MEMBER */
    void (*begin)(struct request *request);
    int verb; /* for handlers that serve several */
};

struct room {
    const struct route *routes;
    size_t len;
};

extern const struct room authority_room, tenancy_room, keys_room, limits_room, quotas_room,
    catalog_room, usage_room, upkeep_room;

#endif
