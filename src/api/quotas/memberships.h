/* SPDX-License-Identifier: Apache-2.0
 * A subscription's document, and what a month of it is granted. Nobody is granted a month twice:
 * the ids of its grants are made of the subscription and the month, and ids of grants are for ever;
 * and that a month was granted is written into the document by the very batch that grants it. */
#ifndef API_QUOTAS_MEMBERSHIPS_H
#define API_QUOTAS_MEMBERSHIPS_H

#include "api/quotas/months.h"
#include "api/quotas/offers.h"

enum { MEMBERSHIP_ID = 96, MEMBERSHIP_CHANGES = 1 + LIMIT_SCOPE_QUOTAS };

struct membership {
    struct slice id, plan, kind, of, organization, created_at; /* of: the scope's id */
    struct mete_scope_id at;
    struct month month; /* the last one that was granted */
};

/* Reads a document; slices are in the arena. CORRUPT: it is none. */
METE_MUST_USE int membership_read(struct request *request, struct slice document,
                                  struct membership *ret_membership);
/* When its month ends; takes no memory. CORRUPT. */
METE_MUST_USE int membership_ends(struct slice document, int64_t *ret_end_us);
/* The document, in the arena; data NULL: no memory. */
struct slice membership_document(struct request *request, const struct membership *membership);
/* As the API shows it; the object stays open. */
void membership_write(struct request *request, const struct membership *membership);

/* The ids of a month's grants. false: no memory. */
bool membership_ids(struct request *request, struct slice id, const char *month,
                    struct slice ret_ids[LIMIT_SCOPE_QUOTAS]);
/* The grants of its month: offers->len changes. carried: what the month before left, an amount for
 * each offer. MEMORY. */
METE_MUST_USE int membership_grants(struct request *request, const struct membership *membership,
                                    struct slice plan_name, const struct offers *offers,
                                    const int64_t *carried, struct mete_change *changes);
/* What a grant of the month before leaves to an offer of the next. */
int64_t membership_carries(const struct offer *offer, const struct mete_grant_view *last);

#endif
