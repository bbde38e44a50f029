/* SPDX-License-Identifier: Apache-2.0
 * Members: who administers an organization, in which role, and the hash that knows the password.
 * An index in memory over the documents of kind MEMBER (tables/documents.h), whose members are
 * "role", "user", "organization" (its id) and "hash" (argon2id, as libsodium writes it).
 * THREAD one (the event loop). */
#ifndef DIRECTORY_MEMBERS_H
#define DIRECTORY_MEMBERS_H

#include "base/limits.h"
#include "base/slice.h"
#include "directory/passwords.h"
#include "directory/permissions.h"
#include "mete.h"

struct member {
    struct member *next; /* of the same organization */
    struct mete_scope_id organization;
    enum role role;
    char organization_id[LIMIT_ID + 1];
    char id[LIMIT_MEMBER + 1];
    char user[LIMIT_ID + 1];      /* the scope that the member is; "": none */
    char password[PASSWORD_HASH]; /* "": cannot log in */
};

struct members;

METE_MUST_USE int members_new(struct members **ret_members); /* METE_E_MEMORY */
void members_free(struct members *members);

/* Takes over a document after it was applied; an empty one: it has ended. SYNTAX, MEMORY. */
METE_MUST_USE int members_put(struct members *members, struct mete_scope_id organization,
                              struct slice id, struct slice document);
/* The organization has ended, and its documents with it. */
void members_forget(struct members *members, struct mete_scope_id organization);

/* NULL: there is none. Borrowed until the next change. Cost: linear in an organization's members.
 */
const struct member *members_find(const struct members *members, struct mete_scope_id organization,
                                  struct slice id);
size_t members_count(const struct members *members, struct mete_scope_id organization,
                     enum role role); /* ROLE_NONE: of every role */

#endif
