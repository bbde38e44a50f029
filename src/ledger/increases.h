/* SPDX-License-Identifier: Apache-2.0
 * Dated increases of a budget's limit (increases.c). */
#ifndef LEDGER_INCREASES_H
#define LEDGER_INCREASES_H

#include "ledger/state.h"

/* A dated increase of a limit that has not ended: increases.c. */
struct increase {
    int64_t amount, from_us, until_us;
    uint32_t number, next; /* next: of its budget; 0: the last one */
    bool is_active;        /* the limit in force has it */
};

/* Whether something must be entered before this budget, which lives, is used. */
static inline bool budgets_is_due(const struct ledger *ledger, uint32_t handle, int64_t now_us,
                                  struct ledger_due *ret_due)
{
    if (now_us < ledger->budgets[handle].stale_at_us)
        return false;
    bool is_over = now_us >= ledger->cold[handle].window_end_us;
    *ret_due = (struct ledger_due){is_over ? LEDGER_DUE_WINDOW : LEDGER_DUE_LIMIT, handle, 0};
    return true;
}
uint32_t increases_of(const struct ledger *ledger, uint32_t budget); /* how many */
/* A new one, the last of its budget, to be filled in. */
struct increase *increases_add(struct ledger *ledger, uint32_t budget);
/* When the next one begins or ends; INT64_MAX: none will. */
int64_t increases_next_at(const struct ledger *ledger, uint32_t budget);
bool increases_apply_put(struct ledger *ledger, const struct entry *entry,
                         struct ledger_effects *effects);
bool increases_apply_end(struct ledger *ledger, const struct entry *entry,
                         struct ledger_effects *effects);
bool increases_apply_limit(struct ledger *ledger, const struct entry *entry,
                           struct ledger_effects *effects);
void increases_check(const struct ledger *ledger, uint32_t budget); /* of one with an extra */

#endif
