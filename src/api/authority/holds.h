/* SPDX-License-Identifier: Apache-2.0
 * What this process has recently reserved: whose it is and how much of each meter. A deduct that
 * does not say everything is charged what was reserved; this spares it a question to the engine.
 * Bounded; what is not here is asked for. THREAD the event loop. */
#ifndef API_AUTHORITY_HOLDS_H
#define API_AUTHORITY_HOLDS_H

#include "mete.h"

enum { HOLDS_METERS = METE_METERS_BUILTIN };

struct hold {
    uint64_t reservation; /* 0: an empty place */
    uint32_t scope, organization;
    int64_t made_at_us; /* 0: not known any more */
    uint32_t mask;      /* bit m: meter m is held */
    uint32_t currency;  /* of METE_COST, if it is */
    int64_t amounts[HOLDS_METERS];
};

struct holds;

METE_MUST_USE int holds_new(struct holds **ret_holds);
void holds_free(struct holds *holds);
const struct hold *holds_find(const struct holds *holds, uint64_t reservation);
void holds_put(struct holds *holds, const struct hold *hold);
/* What is held of it changes: from now on the engine is asked. */
void holds_forget(struct holds *holds, uint64_t reservation);
/* METE_E_NOT_YET: a meter that is not built in. */
METE_MUST_USE int holds_of_view(const struct mete_reservation_view *view, struct hold *ret_hold);

#endif
