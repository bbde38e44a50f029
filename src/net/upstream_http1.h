/* SPDX-License-Identifier: Apache-2.0
 * The way to providers that are reached in clear: HTTP/1.1 of our own. upstream.h says what it
 * promises; the functions are as there.
 *
 * COST  a plain call on a kept connection: one send (head and body together, the body from where
 *   it lies) and one receive. A transfer keeps a struct and the text of its answer's head; bytes
 *   are received into one room that all share, and handed over there.
 * BOUNDS  one receive a connection and round; of what was encoded, a few rooms of plain bytes a
 *   turn. THREAD  the loop's. */
#ifndef NET_UPSTREAM_HTTP1_H
#define NET_UPSTREAM_HTTP1_H

#include "base/work.h"
#include "net/upstream.h"

/* workers: names are asked there. MEMORY. */
METE_MUST_USE int upstream_http1_open(struct loop *loop, struct workers *workers,
                                      struct upstream **ret_upstream);
void upstream_http1_close(struct upstream *upstream);
void upstream_http1_call_off(struct upstream *upstream);
void upstream_http1_counts(const struct upstream *upstream, struct upstream_counts *ret_counts);

/* Whether it carries such a request; all others are libcurl's. */
bool upstream_http1_takes(const struct upstream_request *request);

#endif
