/* SPDX-License-Identifier: Apache-2.0
 * What changes between two states of one model's prices: price by price, tier by tier, exactly. */
#ifndef PRICING_COMPARE_H
#define PRICING_COMPARE_H

#include "codec/decimal.h"
#include "pricing/pricing.h"

struct price_difference {
    enum price_meter meter;
    char tier[64];              /* "batch>200000", "hd:1024x1792"; empty: the model's own */
    struct price before, after; /* atto_per_million < 0: there is none */
    bool absurd;                /* 100 times, or a hundredth: a confusion of units */
};

/* Whether two cost the same, whatever else is known of them. */
bool price_is_same(const struct price_model *a, const struct price_model *b);
/* before NULL: everything is new. fn for each price that is said and differs; what falls back to
 * another is not said. */
void price_compare(const struct price_model *before, const struct price_model *after,
                   void (*fn)(void *user, const struct price_difference *difference), void *user);
/* "20.0" of a hundred, half to even; false: there is none to compare with. */
bool price_percent(const struct price_difference *difference, char room[DECIMAL_ROOM]);

#endif
