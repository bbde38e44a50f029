/* SPDX-License-Identifier: Apache-2.0
 * The pool behind base/work.h: a few threads, one bounded queue, and an event loop on which done()
 * is called, in the order in which work was finished. */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include "base/work.h"
#include "server/loop.h"

/* threads: 1..LIMIT_WORKERS. MEMORY. */
METE_MUST_USE int workers_open(struct loop *loop, size_t threads, struct workers **ret_workers);
/* Runs what is queued, calls its done(), and joins the threads. */
void workers_close(struct workers *workers);
size_t workers_queued(struct workers *workers); /* waiting or running */

#endif
