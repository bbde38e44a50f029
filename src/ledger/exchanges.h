/* SPDX-License-Identifier: Apache-2.0
 * Amounts in several currencies, as budgets, rate limits and quotas see them. Internal to ledger/.
 *
 * WHO PAYS  a budget in the one currency that a call speaks of never comes here: exchange_needed()
 *   is one comparison, of the unit with what all the call's money is in. */
#ifndef LEDGER_EXCHANGES_H
#define LEDGER_EXCHANGES_H

#include "ledger/weigh.h"

/* ---- What money a call speaks of ---- */

/* All of it, unit by unit: 0: none so far; one unit; UNIT_MONEY alone: several. */
static inline uint32_t exchange_add(uint32_t money, uint32_t unit)
{
    if (!(unit & UNIT_MONEY) || money == unit)
        return money;
    return money ? UNIT_MONEY : unit;
}

/* Whether amounts of that money must be converted for this unit. */
static inline bool exchange_needed(uint32_t money, uint32_t unit)
{
    return unit & UNIT_MONEY && money && money != unit;
}

static inline uint32_t exchange_money(const struct entry_amount *amounts, uint32_t len)
{
    uint32_t money = 0;
    for (uint32_t i = 0; i < len; i++)
        money = exchange_add(money, unit_of(amounts[i].meter, amounts[i].currency));
    return money;
}

/* ---- exchanges.c ---- */

/* Which rates: those known before an entry, in force at an instant. */
struct as_of {
    uint64_t before_seq;
    int64_t at_us;
};
static inline struct as_of as_of_now(int64_t now_us)
{
    return (struct as_of){UINT64_MAX, now_us};
}
struct as_of exchanges_as_of(const struct ledger *ledger, const struct reservation *slot);

enum rounding { ROUND_UP, ROUND_EVEN };

/* What amounts come to in one unit. */
struct exchanged {
    int64_t amount; /* of those that have a rate; INT64_MAX: over METE_AMOUNT_MAX */
    bool asked;     /* some had one */
    bool lost;      /* one other than 0 had none */
};
struct exchanged exchanges_sum(const struct ledger *ledger, const struct held *amounts, size_t len,
                               uint32_t unit, struct as_of as_of, enum rounding rounding);
/* What a RESERVE takes of a unit. An enforced limit cannot take what has no rate: INT64_MAX. */
int64_t exchanges_reserved(const struct ledger *ledger, const struct entry *entry, uint32_t unit,
                           enum mete_mode mode);
/* What an EXTEND, whose amounts are in its slot already, adds to a unit or, if it shrinks, gives
 * back. */
int64_t exchanges_extended(const struct ledger *ledger, const struct entry *entry,
                           const struct reservation *slot, uint32_t unit);

/* Of a weighing: the share of a unit that needs conversion, made when first asked for. */
struct share *exchanges_share(struct weighing *weighing, uint32_t unit);
/* The largest quantity up to this one that fits all such shares, whose amounts are then set. */
int64_t exchanges_fit(struct weighing *weighing, int64_t quantity);
void exchanges_grant(struct weighing *weighing, int64_t quantity);

uint32_t exchanges_hash(const void *ledger, uint32_t number);
bool exchanges_is(const struct mete_exchange_spec *spec); /* its figures */
bool exchanges_apply(struct ledger *ledger, const struct entry *entry);
/* Of a loaded one, the last: into its pair's order. */
void exchanges_enter(struct ledger *ledger, uint32_t number);
void exchanges_check(const struct ledger *ledger);
/* save_exchange.c */
void exchanges_walk(struct archive *archive, struct ledger *ledger);

#endif
