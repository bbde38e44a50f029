/* SPDX-License-Identifier: Apache-2.0
 * What the last N seconds used (rolling.c): of budgets with the trait BUDGET_ROLLING. Internal to
 * ledger/. */
#ifndef LEDGER_ROLLING_H
#define LEDGER_ROLLING_H

#include "ledger/state.h"

/* Of a rolling budget: rolling.c. */
struct buckets {
    int64_t sums[65]; /* [number of the bucket % 65]: what was charged in it */
};

void rolling_put(struct ledger *ledger, struct extra *extra); /* a new one's buckets */
bool rolling_is_bucket(const struct extra *extra, int64_t start_us, int64_t end_us);
/* Whether what was made then no longer counts. */
bool rolling_has_left(const struct ledger *ledger, uint32_t budget, int64_t made_at_us);
/* `committed` has changed by this amount, of a reservation or record made then; 0 if it has left.
 */
void rolling_charge(struct ledger *ledger, uint32_t budget, int64_t made_at_us, int64_t amount);
/* Another bucket is the present one: old ones leave `committed`. false: it is no bucket. The caller
 * sets the bounds. */
bool rolling_advance(struct ledger *ledger, uint32_t budget, int64_t start_us, int64_t end_us);
/* From when on at least this amount (> 0) of what is committed has left; 0: there is less. */
int64_t rolling_frees_at(const struct ledger *ledger, uint32_t budget, int128 amount);
int64_t rolling_empties_at(const struct ledger *ledger, uint32_t budget); /* all of it */
int64_t rolling_start_us(const struct ledger *ledger, uint32_t budget);   /* of what counts now */
int64_t rolling_bucket_start_us(const struct ledger *ledger, uint32_t budget);
bool rolling_adds_up(const struct ledger *ledger, uint32_t budget); /* the buckets to committed */
void rolling_check(const struct ledger *ledger, uint32_t budget);

#endif
