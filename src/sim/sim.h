/* SPDX-License-Identifier: Apache-2.0
 * A provider simulator that speaks OpenAI chat completions, plain and streaming, with chosen
 * latency, token rate and failure rate, so that mete can be tried and loaded with no provider
 * account. It keeps its own account of what it billed: GET /sim/billed. README.md has the routes,
 * how tokens are counted, and what a single call may ask for.
 * THREAD one event loop. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/timer.h"
#include "codec/exchange.h"

#include <stdint.h>

struct sim_config {
    int64_t latency_us;        /* before the first byte */
    int64_t tokens_per_second; /* of a stream; 0: as fast as it goes */
    uint32_t failure_ppm;      /* share of calls answered with a 500 */
    uint32_t cut_ppm;          /* share of streams that break off in the middle */
    uint64_t seed;             /* of the failures and cuts: the n-th call always fares the same */
    int64_t output_tokens;     /* an answer's natural length, 1 .. LIMIT_SIM_TOKENS */
};

struct sim;

/* config is copied. METE_E_INVALID: a figure out of its range; METE_E_MEMORY. */
__attribute__((warn_unused_result)) int sim_new(const struct sim_config *config,
                                                struct timers *timers, struct sim **ret_sim);
void sim_free(struct sim *sim); /* no exchange may be open */
struct exchange_handler sim_handler(struct sim *sim);

#endif
