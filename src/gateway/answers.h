/* SPDX-License-Identifier: Apache-2.0
 * Where answers are stored that were made through this gateway: which provider has each, whose it
 * is, and how it was charged. In memory, for the LIMIT_STORED_ANSWERS newest; of others, and after
 * a restart, the records know it (gateway_lookup). THREAD the gateway's. COST constant.
 */
#ifndef GATEWAY_ANSWERS_H
#define GATEWAY_ANSWERS_H

#include "pricing/pricing.h"

struct provider;

struct answer_place {
    uint64_t id[2]; /* hash of the provider's id */
    uint64_t made;  /* in order of their making; 0: nobody's */
    struct mete_scope_id organization;
    const struct provider *provider;
    const struct price_model *price;
    const struct pricing *pricing; /* the list that is from: held by who keeps the place */
    struct mete_reservation_id reservation;
    bool open; /* charged provisionally: its true figures are still to come */
};

struct answers {
    struct answer_place *places; /* NULL: none yet */
    uint64_t made;
};

/* Takes the place of the oldest of those it shares its bucket with. Without memory it is not kept.
 */
void answers_put(struct answers *answers, struct slice id, const struct answer_place *place);
/* NULL: not known here. Borrowed until the next put. */
struct answer_place *answers_find(const struct answers *answers, struct slice id);
void answers_close(struct answers *answers);

#endif
