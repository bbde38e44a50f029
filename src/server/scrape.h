/* SPDX-License-Identifier: Apache-2.0
 * Answers GET /metrics on the metrics listener: asks the engine for its statistics and budgets, a
 * few at a time between other work, and writes the families of tables/metrics.h. THREAD the loop's.
 */
#ifndef SERVER_SCRAPE_H
#define SERVER_SCRAPE_H

#include "base/work.h"
#include "server/metrics.h"

struct scraper {
    struct mete_port *port; /* the loop's: somebody polls it */
    const struct metrics *metrics;
    const struct listener *listener;
    const struct upstream *upstream;
    const struct gateway *gateway;
    struct workers *workers;
};

struct exchange_handler scrape_handler(struct scraper *scraper); /* scraper is borrowed */

#endif
