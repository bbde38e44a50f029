/* SPDX-License-Identifier: Apache-2.0
 * Nobody gives, or takes away, more than they have. */
#ifndef API_MEMBERS_RANK_H
#define API_MEMBERS_RANK_H

#include "api/request.h"
#include "directory/permissions.h"

/* Whether the principal may make, change or remove one with this role: only an owner an owner, and
 * others with no permission that they lack. If not, the request has been ended (403). */
bool rank_allows(struct request *request, enum role role);
/* Writes a set of permissions as a list of words. */
void rank_write(struct out *out, const char *name, uint64_t permissions);

#endif
