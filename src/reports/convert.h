/* SPDX-License-Identifier: Apache-2.0
 * Amounts of several currencies in one, each at the exchange rate that held when the quarter of an
 * hour began in which it was charged. */
#ifndef REPORTS_CONVERT_H
#define REPORTS_CONVERT_H

#include "base/checked.h"

#include <stddef.h>
#include <stdint.h>

struct reports_rate {
    uint32_t from; /* a currency */
    uint32_t number;
    int64_t effective_us;
    int64_t numerator, denominator; /* 1 .. 10^18 */
};

/* To one currency, after convert_sort(). */
struct reports_rates {
    uint32_t to;
    struct reports_rate *at;
    size_t len;
};

void convert_sort(struct reports_rates *rates);
/* The first bucket behind this one from which another rate holds; UINT32_MAX: none. */
uint32_t convert_next(const struct reports_rates *rates, uint32_t bucket);
/* Adds the amount, rounded half to even, to *sum. False: there is no rate. */
bool convert_add(const struct reports_rates *rates, uint32_t from, uint32_t bucket, int64_t amount,
                 int128 *sum);

#endif
