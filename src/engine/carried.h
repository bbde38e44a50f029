/* SPDX-License-Identifier: Apache-2.0
 * What the windows of one budget hand on, folded anew from a list of all of them, each with what
 * was charged in it: rule 8 of docs/semantics.md, and none of the ledger's arithmetic. For verify.
 * Memory: 56 bytes a window. Errors: MEMORY. */
#ifndef ENGINE_CARRIED_H
#define ENGINE_CARRIED_H

#include "mete.h"

#include <stdint.h>

struct carried;

/* A budget whose present window began then, with so much handed to it and charged already. */
METE_MUST_USE int carried_new(const struct mete_budget_view *view, struct carried **ret_carried);
void carried_free(struct carried *carried); /* NULL is legal */
/* Windows of before the first one still change: what they hand on nobody knows here. */
void carried_doubt(struct carried *carried);

/* The next window began, after so many that nobody touched. The view is of just then: its limit and
 * cap are those that the window before ended with. */
METE_MUST_USE int carried_turn(struct carried *carried, const struct mete_budget_view *view,
                               uint64_t idle);
/* In the window that began then. */
void carried_charge(struct carried *carried, int64_t start_us, int64_t amount);

/* What is held now in the window of that instant; then what the present one must have. */
void carried_hold(struct carried *carried, int64_t at_us, int64_t amount);
/* Whether what the present window was handed is this. Forgets what is held. */
int carried_is(struct carried *carried, int64_t amount);

#endif
