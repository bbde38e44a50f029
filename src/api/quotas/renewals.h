/* SPDX-License-Identifier: Apache-2.0
 * Subscriptions whose month is over are granted the month that is: by a sweep over all of them, of
 * every organization, that runs when one may be due. It knows the earliest instant at which that
 * can be, from the sweep before; after a start it is due at once. Whoever might be refused for what
 * the sweep is about to grant waits for it: calls of the API at the door, calls of the gateway that
 * a quota refused. So the first call of a month finds its balance, whenever the process was on.
 *
 * Each subscription is renewed by one batch of changes, exactly once a month (memberships.h). One
 * that lay over several months, because nobody ran, is granted the present one alone; what its last
 * month left rolls over, as its plan says. A plan or scope that is gone ends its subscriptions.
 * THREAD the event loop. */
#ifndef API_QUOTAS_RENEWALS_H
#define API_QUOTAS_RENEWALS_H

#include "base/work.h"

#include <stdint.h>

struct api;
struct request;
struct renewals;

/* METE_E_MEMORY. */
int renewals_new(struct api *api, struct renewals **ret_renewals);
void renewals_free(struct renewals *renewals); /* no sweep may run; NULL is legal */

/* then() at once, or when what is due has been granted. */
void renewals_first(struct request *request, void (*then)(struct request *request));
/* The same for who has no request: work->done() later, on the loop. false: nothing is due. */
bool renewals_wait(struct renewals *renewals, struct work *work);
/* Begins a sweep if one is due and none runs. Returns the instant at which to call again. */
int64_t renewals_run(struct renewals *renewals, int64_t now_us);
bool renewals_running(const struct renewals *renewals);
/* A subscription was made whose month ends then. */
void renewals_expect(struct renewals *renewals, int64_t end_us);

#endif
