/* SPDX-License-Identifier: Apache-2.0
 * The weighing of a call, for the files of this folder that decide about it. */
#ifndef LEDGER_WEIGH_H
#define LEDGER_WEIGH_H

#include "ledger/state.h"

/* One demand, and what the enforced budgets of its unit allow. */
struct share {
    uint32_t unit;
    uint32_t tightest; /* budget with the least room; 0: nobody limits it */
    int64_t room;      /* of the tightest */
    int64_t cap;       /* what rate limits and quotas leave of METE_AMOUNT_MAX */
    int64_t floor_amount, amount;
    bool refused;
    bool is_unpriced; /* some of it is in a currency without a rate, and counts 0 */
};
struct sink { /* where refusals go */
    struct mete_refusal *refusals;
    size_t max, len;
};
struct weighing {
    const struct ledger *ledger; /* first these, by the caller; the next two of an extension */
    const struct mete_reserve *args;
    struct sink sink;
    const struct reservation *extends; /* the open one that grows; NULL: a new one */
    int64_t made_at_us;                /* in whose windows is counted */
    struct path path;
    struct share shares[METE_DEMANDS_MAX];
    uint32_t money;    /* of the demands: exchanges.h */
    size_t others_len; /* shares of units that need conversion */
    struct share others[TAKES_MAX];
    int64_t granted;
    int64_t retry_at_us;
    uint32_t advice; /* METE_ADVICE_ */
    bool refused, has_shadows, has_unpriced, has_controls, meets_throttles;
    struct mete_refusal primary; /* valid if refused */
};
/* What a demand takes for a quantity, rounded up. false: over METE_AMOUNT_MAX. */
bool weigh_amount_at(const struct mete_demand *demand, int64_t quantity, int64_t *ret_amount);
void weigh_put_refusal(struct sink *sink, const struct mete_refusal *refusal);
/* One more reason not to; a shadow's is told and has no effect. */
void weigh_refuse(struct weighing *weighing, const struct mete_refusal *refusal,
                  int64_t retry_at_us);
struct share *weigh_share_of(struct weighing *weighing, uint32_t unit); /* NULL: not demanded */
/* Of arguments whose form is right. LEDGER_STALE, METE_E_TOO_LARGE, or 0 and the weighing done. */
int weigh_reserve(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due);
/* What an open reservation grows by, of everything it took from; args: as weigh_reserve() takes
 * them, with demands of its units alone. */
int weigh_extend(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due);
/* takes: what is granted will be taken, and is no longer left. */
struct mete_verdict weigh_verdict(const struct weighing *weighing, bool takes);

#endif
