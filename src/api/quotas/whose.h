/* SPDX-License-Identifier: Apache-2.0
 * Whose quota a request is about: the scope that its body or its query names, found in the
 * organization of the path. A handler's state begins with a struct whose. */
#ifndef API_QUOTAS_WHOSE_H
#define API_QUOTAS_WHOSE_H

#include "api/limits/budgets.h"

struct whose {
    struct scope_in scope; /* kind METE_KIND_NONE: the organization itself */
    const char *field;     /* what names it, in problems: "scope.id" */
    struct mete_scope_id organization, at;
    void (*then)(struct request *request);
};

/* The member "scope" of a body, or the user that "user_id" names. One of them must be there. */
METE_MUST_USE int whose_body(struct request *request, struct json scope, struct slice user);
/* The parameters kind and id, or user_id; without them the organization itself. */
METE_MUST_USE int whose_query(struct request *request);
/* Finds it: then whose->organization and at are known, and so is its name. */
void whose_find(struct request *request, void (*then)(struct request *request));

#endif
