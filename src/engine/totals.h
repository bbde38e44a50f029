/* SPDX-License-Identifier: Apache-2.0
 * What each budget's present window must have committed, and what was carried into it, added up
 * anew from the entries: which budgets a call touched when it was reserved, and what its usage
 * record says it used. Shares no arithmetic with the ledger, but for what is held. For verify. */
#ifndef ENGINE_TOTALS_H
#define ENGINE_TOTALS_H

#include "ledger/ledger.h"
#include "store/records.h"

struct totals;

METE_MUST_USE int totals_new(struct totals **ret_totals);
void totals_free(struct totals *totals);
/* Begins with the figures of a state instead of an empty one. MEMORY. */
METE_MUST_USE int totals_begin(struct totals *totals, const struct ledger *ledger);
/* After ledger_apply() of the entry; usage: its usage record, NULL if it has none. MEMORY. */
METE_MUST_USE int totals_add(struct totals *totals, const struct ledger *ledger,
                             const struct entry *entry, const struct records_usage *usage);
/* Compares with the ledger, once everything was added; *ret_windows: how many budgets there are.
 * CORRUPT: *ret_budget differs. */
METE_MUST_USE int totals_compare(struct totals *totals, const struct ledger *ledger,
                                 uint64_t *ret_windows, uint32_t *ret_budget);

#endif
