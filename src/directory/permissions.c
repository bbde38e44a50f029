/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/permissions.h"

#include "base/assert.h"

static const struct {
    const char *word;
    unsigned roles; /* as tables/permissions.h writes them: a bit for each */
} all[PERMISSIONS] = {
#define ROW(name, word, roles, text) [PERMIT_##name] = {word, roles},
#include "tables/permissions.h"
#undef ROW
};

static const char *const roles[ROLES] = {"", "owner", "admin", "finance", "developer", "viewer"};

uint64_t permissions_of(enum role role)
{
    _Static_assert(PERMISSIONS <= 64, "a set of permissions is 64 bits");
    uint64_t set = 0;
    ASSERT(role >= ROLE_NONE && role < ROLES);
    for (int i = 1; role != ROLE_NONE && i < PERMISSIONS; i++)
        if (all[i].roles & (1u << (role - ROLE_OWNER)))
            set |= permission_bit((enum permission)i);
    return set;
}

const char *permission_word(enum permission permission)
{
    ASSERT(permission > PERMIT_INSTALLATION && permission < PERMISSIONS);
    return all[permission].word;
}

enum permission permission_find(struct slice word)
{
    int i = 1;
    while (i < PERMISSIONS && !slice_is(word, all[i].word))
        i++;
    return (enum permission)i;
}

const char *role_word(enum role role)
{
    ASSERT(role >= ROLE_NONE && role < ROLES);
    return roles[role];
}

enum role role_find(struct slice word)
{
    for (int i = ROLE_OWNER; i < ROLES; i++)
        if (slice_is(word, roles[i]))
            return (enum role)i;
    return ROLE_NONE;
}
