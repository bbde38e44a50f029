/* SPDX-License-Identifier: Apache-2.0
 * What may be permitted in an organization (tables/permissions.h), and the roles that have it. */
#ifndef DIRECTORY_PERMISSIONS_H
#define DIRECTORY_PERMISSIONS_H

#include "base/slice.h"

#include <stdint.h>

enum permission {
    PERMIT_INSTALLATION = 0, /* the admin token alone */
#define ROW(name, word, roles, text) PERMIT_##name,
#include "tables/permissions.h"
#undef ROW
    PERMISSIONS
};

/* From the most to the least. */
enum role {
    ROLE_NONE = 0,
    ROLE_OWNER,
    ROLE_ADMIN,
    ROLE_FINANCE,
    ROLE_DEVELOPER,
    ROLE_VIEWER,
    ROLES
};

/* A set of permissions has a bit for each. */
static inline uint64_t permission_bit(enum permission permission)
{
    return UINT64_C(1) << permission;
}

uint64_t permissions_of(enum role role);
const char *permission_word(enum permission permission); /* "keys.read" */
enum permission permission_find(struct slice word);      /* PERMISSIONS: there is no such one */
const char *role_word(enum role role);                   /* "owner"; "" of ROLE_NONE */
enum role role_find(struct slice word);                  /* ROLE_NONE: there is no such one */

#endif
