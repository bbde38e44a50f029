/* SPDX-License-Identifier: Apache-2.0
 * Transfers to providers: gateway/upstream.h on an event loop. Two ways: HTTP/1.1 of our own in
 * clear and without a proxy (upstream_http1.h), libcurl for all else (upstream_curl.h).
 *
 * PROMISES  connections are kept and reused, those of one wire by it alone; HTTP/1.1 for http,
 *   HTTP/2 where https offers it, with many requests on one connection; certificates are checked.
 * Nothing is taken from the environment (no http_proxy), redirects are answers like any other,
 * a body that was encoded (gzip, deflate) unasked arrives as what it was; one that cannot be undone
 * ends as UPSTREAM_LOST. A request is sent once: a kept connection that dies under it ends it as
 * UPSTREAM_LOST, since whether the provider acted cannot be known; one that took no byte of it is
 * another matter, and another connection is tried. THREAD  the loop's. */
#ifndef NET_UPSTREAM_H
#define NET_UPSTREAM_H

#include "base/work.h"
#include "gateway/upstream.h"
#include "net/loop.h"

/* workers: where names are asked for their addresses; borrowed, and may be closed after. MEMORY. */
METE_MUST_USE int upstream_open(struct loop *loop, struct workers *workers,
                                struct upstream **ret_upstream);
void upstream_close(struct upstream *upstream); /* no transfer may be under way */

/* Stopping: every transfer ends as UPSTREAM_LOST, in the next turn. */
void upstream_call_off(struct upstream *upstream);

struct upstream_counts {
    uint64_t transfers, connects; /* begun; connections made for them */
    uint32_t open;
};
void upstream_counts(const struct upstream *upstream, struct upstream_counts *ret_counts);

#endif
