/* SPDX-License-Identifier: Apache-2.0
 * Budgets that make budgets: templates.c. Internal to ledger/. */
#ifndef LEDGER_TEMPLATES_H
#define LEDGER_TEMPLATES_H

#include "ledger/state.h"

enum { TEMPLATE_ID_MAX = LIMIT_ID - 11 }; /* ID~HANDLE: a mark and ten digits */

/* The form of a template's spec; any budget's that is none. 0, INVALID or TOO_LARGE. */
int templates_check(const struct mete_budget_spec *spec);
/* Whether some scope of a path has yet to get a budget of its organization's templates.
 * LEDGER_STALE: what is due; METE_E_FULL: there is no room for it. Scopes of organizations without
 * templates pay one look at a line they have. */
int templates_due(const struct ledger *ledger, const struct path *path, struct ledger_due *ret_due);
/* After a budget was put, and before it ends. */
void templates_put(struct ledger *ledger, uint32_t budget, const struct mete_budget_spec *spec);
void templates_end(struct ledger *ledger, uint32_t budget);
bool templates_apply(struct ledger *ledger, const struct entry *entry,
                     struct ledger_effects *effects);
uint32_t templates_hash(const void *ledger, uint32_t budget); /* of one that was made */
void templates_check_all(const struct ledger *ledger);

#endif
