/* SPDX-License-Identifier: Apache-2.0
 * What the end of a call, or its correction, comes to in one budget: for the files of this folder
 * that end calls. On the way of every operation, hence inline but for what is rare. */
#ifndef LEDGER_CHARGES_H
#define LEDGER_CHARGES_H

#include "ledger/state.h"

/* What a call's end means to one budget. */
struct charge {
    uint32_t budget;
    struct counters counters;
    int64_t reserved; /* what was held for it; returns */
    bool asked;       /* its unit was reserved, though maybe with 0 */
    int64_t amount;   /* what was used; is committed */
    bool lost;        /* some was used in a currency without a rate: it is not in amount */
};
/* What would stand afterwards. committed + held is a number at every instant. */
static inline bool budgets_stands(const struct charge *charge, int64_t *ret_sum)
{
    return charge->amount <= METE_AMOUNT_MAX &&
           checked_add(*charge->counters.committed + (*charge->counters.held - charge->reserved),
                       charge->amount, ret_sum);
}
static inline bool budgets_overruns(const struct budget *budget, const struct charge *charge,
                                    int64_t stands)
{
    if (charge->lost && budget->mode == METE_ENFORCE)
        return true;
    return charge->amount > charge->reserved &&
           (charge->asked || (budget->mode == METE_ENFORCE && stands > budget->limit));
}
/* What is rare at a charge: an overrun, a past window, a threshold, a control. */
void budgets_tell(struct ledger *ledger, const struct entry *entry, const struct charge *charge,
                  struct ledger_effects *effects, bool overruns);
/* Moves the figures, fires thresholds and overruns. false: the counters cannot hold it, and
 * nothing has moved. *overrun is set if it is one, and else left alone. */
static inline __attribute__((always_inline)) bool
budgets_charge(struct ledger *ledger, const struct entry *entry, const struct charge *charge,
               struct ledger_effects *effects, bool *overrun)
{
    const struct budget *budget = &ledger->budgets[charge->budget];
    int64_t stands;
    ASSERT_INV("INV-07", charge->reserved >= 0 && charge->reserved <= *charge->counters.held);
    if (!budgets_stands(charge, &stands))
        return false;
    bool overruns = budgets_overruns(budget, charge, stands);
    *charge->counters.held -= charge->reserved;
    *charge->counters.committed += charge->amount;
    ledger->charged_sum += (uint64_t)charge->amount;
    ASSERT_INV("INV-01", overruns || charge->amount <= charge->reserved || !charge->amount ||
                             budget->mode != METE_ENFORCE || stands <= budget->limit);
    if (overruns || charge->counters.past || *charge->counters.committed >= budget->alarm_at) {
        const struct charge told = *charge; /* lets the caller's own stay in registers */
        budgets_tell(ledger, entry, &told, effects, overruns);
    }
    *overrun |= overruns;
    return true;
}
/* Of a correction, in whose charge `reserved` is what was charged before: whether it overruns,
 * being more than before and above an enforced limit. false: a counter cannot hold it. */
bool budgets_weigh_correction(const struct budget *budget, const struct charge *charge,
                              bool *overrun);
/* Moves what a living one has committed by the difference, fires thresholds and overruns. */
bool budgets_correct(struct ledger *ledger, const struct entry *entry, const struct charge *charge,
                     struct ledger_effects *effects, bool *overrun);

#endif
