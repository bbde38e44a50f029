/* SPDX-License-Identifier: Apache-2.0
 * Which handler answers a path: /v1 and the paths of the formats the gateway, /api/v1 the API,
 * health by itself. Knows nothing of an exchange but its path. THREAD the loop's. */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include "codec/exchange.h"

struct router {
    struct exchange_handler gateway, api, pages; /* begin NULL: not there yet, 503 */
    const char *not_ready;                       /* why /readyz is 503; NULL: ready */
};

struct exchange_handler router_handler(struct router *router); /* router is borrowed */

/* For the metrics: a word for the kind of path, one of few. */
enum router_route {
    ROUTER_CHAT = 0,
    ROUTER_GATEWAY,
    ROUTER_AUTHORITY,
    ROUTER_API,
    ROUTER_PAGES,
    ROUTER_HEALTH,
    ROUTER_OTHER,
    ROUTER_ROUTES
};
enum router_route router_route(struct slice path);
const char *router_route_name(enum router_route route);

#endif
