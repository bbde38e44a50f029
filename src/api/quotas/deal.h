/* SPDX-License-Identifier: Apache-2.0
 * What purchases, subscriptions and redeemed codes have in common: a scope is granted what an offer
 * says, a unit a grant. The handler's state begins with a struct deal. */
#ifndef API_QUOTAS_DEAL_H
#define API_QUOTAS_DEAL_H

#include "api/quotas/offers.h"
#include "api/quotas/whose.h"

struct deal {
    struct whose whose; /* first: whose.h */
    struct offers offers;
    struct slice ids[LIMIT_SCOPE_QUOTAS];           /* of the grants: grant_make_ids() */
    struct mete_change changes[LIMIT_SCOPE_QUOTAS]; /* offers.len of them: deal_make() */
    struct mete_grant_view views[LIMIT_SCOPE_QUOTAS];
    bool there[LIMIT_SCOPE_QUOTAS]; /* views and documents are */
    struct slice documents[LIMIT_SCOPE_QUOTAS];
    void (*then)(struct request *request);
};

/* What deal->offers come to, into deal->changes; terms has what is the same for each. MEMORY. */
METE_MUST_USE int deal_make(struct request *request, const struct grant_terms *terms);
/* Asks how the grants with these ids stand, with their documents and the names to show. */
void deal_ask(struct request *request, void (*then)(struct request *request));
/* The member "grants": those that are there. */
void deal_write_grants(struct request *request);
/* Whether the first grant is there, is this scope's, and its document's "offer" is this one. */
bool deal_is(struct request *request, struct slice offer);
/* A problem for an error of the engine's on making them. */
void deal_fail(struct request *request, int error, const char *id_field);
/* A text of a document, in the arena; empty: it has none. */
struct slice deal_text(struct request *request, struct json document, const char *name);

#endif
