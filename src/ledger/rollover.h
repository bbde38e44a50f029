/* SPDX-License-Identifier: Apache-2.0
 * What a window hands to the next one (rollover.c): of budgets with the trait BUDGET_CARRIES, which
 * have or once had a rollover cap. Internal to ledger/. */
#ifndef LEDGER_ROLLOVER_H
#define LEDGER_ROLLOVER_H

#include "ledger/state.h"

/* From what is left of a window to what a later one is given: clamp(left + add, low, high). */
struct way {
    int128 add;
    int64_t low, high;
};

/* Beside a past window of a budget that carries: rollover.c. */
struct handover {
    struct way way;        /* to the newer past window, or to the present one */
    int64_t base, carried; /* the base limit when it ended, and what it was given itself */
    uint32_t newer;        /* past window; 0: the present one */
};

/* The present window ends, with its figures still in the budget; past: where they are kept, 0 if
 * nothing is open. Idle windows lie between it and the next one. Sets what is carried. */
void rollover_turn(struct ledger *ledger, uint32_t budget, uint32_t past, uint64_t idle);
/* A past window, still in the chain, will not change any more. */
void rollover_forget(struct ledger *ledger, uint32_t past);
/* committed + held of a past window has changed. true: so has what the present one was handed. */
bool rollover_hand_on(struct ledger *ledger, uint32_t budget, uint32_t past);
bool rollover_is_handover(const struct handover *over); /* its ranges */
void rollover_check(const struct ledger *ledger, uint32_t budget);

#endif
