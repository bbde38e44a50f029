/* SPDX-License-Identifier: Apache-2.0
 * What calls that are over would have cost by other prices. A call counts by the instant it ended,
 * with its true figures: a correction of it is part of it, whenever it came. It is charged as it
 * was then, by the meters, the service and the grade that its record has, rounded once (INV-08);
 * with the same prices it costs just what it did.
 *
 * Not rated, but told with what they cost: calls of a model without a price, and those whose charge
 * was not made of their usage (counted, not settled, or said by the caller). THREAD any worker,
 * with its own reader. COST in the calls of the time asked for; memory in their models. */
#ifndef REPORTS_RERATE_H
#define REPORTS_RERATE_H

#include "base/buffer.h"
#include "pricing/pricing.h"
#include "store/records.h"

struct reports_rerate {
    struct mete_scope_id scope; /* any on a call's path; 0: all */
    int64_t from_us, to_us;     /* ended in [from, to); 0: open */
    /* What the model costs now; NULL: it has no price. relayed: by the gateway. */
    const struct price_model *(*price)(void *user, struct mete_scope_id organization,
                                       struct slice provider, struct slice model, bool relayed);
    void *user;
};

/* Most models that are told apart, of a currency; what is of more is told together. */
enum { REPORTS_RERATE_MODELS = 4096 };

/* Members without braces: "calls","rated","approximate","totals":[...],"models":[...],
 * "unrated":[...]; docs/openapi.yaml, Rerate, is the contract. STORAGE, CORRUPT, MEMORY, TOO_LARGE.
 * On an error out has a piece of it. */
METE_MUST_USE int reports_rerate(struct records_reader *reader,
                                 const struct reports_rerate *question, struct buffer *out);

#endif
