/* SPDX-License-Identifier: Apache-2.0
 * The API is rooms, each a folder with the paths it answers and what one must be allowed to do for
 * each. The door (api.c) knows the rooms and nothing of what is in them. */
#ifndef API_ROOM_H
#define API_ROOM_H

#include "directory/permissions.h"

#include <stddef.h>

struct request;

enum { REQUEST_PARAMS = 3 };

enum access {
    ACCESS_PUBLIC, /* anybody */
    ACCESS_ADMIN,  /* the admin token alone */
    ACCESS_MEMBER, /* whoever has the permission in the organization of the path: INV-12. Where the
                      path names none, the handler looks (request_sees()) */
    ACCESS_SELF,   /* members, service tokens and the admin, of themselves */
    ACCESS_KEY,    /* a key too, while it is good; whoever has the permission, if there is one */
    ACCESS_ANY_KEY /* a revoked or expired key too: the ledger has the say, open calls may end */
};

struct route {
    const char *method;
    const char *path; /* "{org}" stands for one segment, and names it in problems */
    enum access access;
    enum permission permission; /* ACCESS_MEMBER; ACCESS_KEY and ANY_KEY: of who is no key */
    void (*begin)(struct request *request);
    int verb; /* for handlers that serve several */
};

struct room {
    const struct route *routes;
    size_t len;
};

extern const struct room authority_room, tenancy_room, members_room, keys_room, limits_room,
    quotas_room, catalog_room, usage_room, upkeep_room;

/* Every room, for the door and for the test that tries them all. */
const struct room *rooms_at(size_t i); /* NULL: past the last */

#endif
