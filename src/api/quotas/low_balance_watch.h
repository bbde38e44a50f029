/* SPDX-License-Identifier: Apache-2.0
 * Looks at the balances that somebody is to be told of, a page of them a second, and writes down
 * which became low and which are not any more. What is written is journaled with its state: however
 * it crashes, a balance that is low is told once, and a balance that was low, is granted anew and
 * becomes low again is told again. One that is low for less than it takes to come round is not
 * seen. THREAD the event loop. */
#ifndef API_QUOTAS_LOW_BALANCE_WATCH_H
#define API_QUOTAS_LOW_BALANCE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct api;
struct low_balance_watch;

/* METE_E_MEMORY. */
int low_balance_watch_new(struct api *api, struct low_balance_watch **ret_watch);
void low_balance_watch_free(struct low_balance_watch *watch); /* not running; NULL is legal */
/* Looks, if it is time to. Returns the instant at which to call again. */
int64_t low_balance_watch_run(struct low_balance_watch *watch, int64_t now_us);
bool low_balance_watch_running(const struct low_balance_watch *watch);
/* There is something to look at. */
void low_balance_watch_expect(struct low_balance_watch *watch);

#endif
