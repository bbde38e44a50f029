/* SPDX-License-Identifier: Apache-2.0
 * Transfers to providers: gateway/upstream.h with libcurl on an event loop.
 *
 * PROMISES  connections are kept and reused; HTTP/1.1 for http, HTTP/2 where https offers it;
 *   certificates are checked. Nothing is taken from the environment (no http_proxy), redirects are
 *   answers like any other, bodies arrive as sent (no Accept-Encoding). A request is sent once: a
 *   kept connection that dies under it ends it as UPSTREAM_LOST, since whether the provider acted
 *   cannot be known (libcurl alone would send it again).
 * THREAD  the loop's. */
#ifndef SERVER_UPSTREAM_H
#define SERVER_UPSTREAM_H

#include "gateway/upstream.h"
#include "server/loop.h"

METE_MUST_USE int upstream_open(struct loop *loop, struct upstream **ret_upstream); /* MEMORY */
void upstream_close(struct upstream *upstream); /* no transfer may be under way */

/* Stopping: every transfer ends as UPSTREAM_LOST, in the next turn. */
void upstream_call_off(struct upstream *upstream);

struct upstream_counts {
    uint64_t transfers, connects; /* begun; connections made for them */
    uint32_t open;
};
void upstream_counts(const struct upstream *upstream, struct upstream_counts *ret_counts);

#endif
