/* SPDX-License-Identifier: Apache-2.0
 * What a call used, as the engine is told it. */
#ifndef GATEWAY_USAGE_H
#define GATEWAY_USAGE_H

#include "mete.h"
#include "pricing/pricing.h"

enum { USAGE_METERS = 19 };

/* What it costs. list: -1, no other price. */
struct usage_cost {
    uint32_t currency;
    int64_t nano, list;
};

/* Cost, total and one request, then each meter of which something was used. total: -1, of input and
 * output. Returns how many. */
size_t usage_write(const struct pricing_usage *usage, const struct usage_cost *cost, int64_t total,
                   struct mete_usage ret_list[USAGE_METERS]);

#endif
