/* SPDX-License-Identifier: Apache-2.0
 * The pool behind base/work.h: a few threads, one bounded queue, and an event loop on which done()
 * is called, in the order in which work was finished.
 *
 * Work that may as well be done on the loop (tens of microseconds, no waiting) has a pool that
 * SHARES it: what the loop itself has submitted is left to it for as long as it has nothing else to
 * do, and given to the threads as soon as it has. So a gateway that has little to do wakes nobody,
 * and one that has much to do has another core. */
#ifndef NET_WORKERS_H
#define NET_WORKERS_H

#include "base/work.h"
#include "net/loop.h"

/* threads: 1..LIMIT_WORKERS. MEMORY. */
METE_MUST_USE int workers_open(struct loop *loop, size_t threads, struct workers **ret_workers);
/* The same, one that shares. submit() is then the loop's alone. */
METE_MUST_USE int workers_open_shared(struct loop *loop, size_t threads,
                                      struct workers **ret_workers);
/* Runs what is queued, calls its done(), and joins the threads. */
void workers_close(struct workers *workers);
size_t workers_queued(struct workers *workers); /* waiting or running */

#endif
