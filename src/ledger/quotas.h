/* SPDX-License-Identifier: Apache-2.0
 * Quotas, for the files of this folder alone: prepaid balances made of grants (quotas.c). */
#ifndef LEDGER_QUOTAS_H
#define LEDGER_QUOTAS_H

#include "ledger/endings.h"

/* What one reservation or charge took from grants, in the order it was drawn. At most LIMIT_DRAWS
 * held ones; as many and the last again beyond them, and once more by a correction. */
enum { DRAWS_MAX = 3 * LIMIT_DRAWS + 2 };
struct draw {
    uint32_t grant;
    int64_t amount;
};
struct draws {
    size_t len;
    struct draw at[DRAWS_MAX];
};

uint32_t quotas_of(const struct ledger *ledger, uint32_t scope, uint32_t unit); /* 0: none */
struct slice quotas_grant_id(const struct ledger *ledger, uint32_t grant);
struct slice quotas_grant_source(const struct ledger *ledger, uint32_t grant);
uint64_t quotas_text_max(void); /* bytes of one grant's text, which is written twice at most */
uint32_t quotas_hash_grant(const void *ledger, uint32_t grant);
/* What a reservation could take at now, by so many draws (LIMIT_DRAWS, or fewer when it has made
 * some). Cost: in the grants that are neither used up nor expired, and mostly the first. */
int64_t quotas_cover(const struct ledger *ledger, uint32_t quota, size_t draws, int64_t now_us);
/* The refusal of what it does not cover. Returns when asking again may help: 0 or INT64_MAX. */
int64_t quotas_refuse(const struct ledger *ledger, uint32_t quota, int64_t asked, int64_t now_us,
                      struct mete_refusal *ret_refusal);
/* Holds an amount and adds the draws to those made before, at most LIMIT_DRAWS in all. false: it is
 * not covered (quotas_cover() says so before), and the state is undefined. */
bool quotas_take(struct ledger *ledger, uint32_t quota, int64_t amount, int64_t now_us,
                 struct draws *draws);
/* Of what is held returns an amount, at most all of it, the last drawn first. */
void quotas_give_back(struct ledger *ledger, int64_t amount, int64_t now_us, struct draws *draws);
/* Whether an end that uses so much, of which so much is held (both 0 or more), is an overrun, which
 * sets *overrun. false: a counter cannot hold it. */
bool quotas_weigh(const struct ledger *ledger, uint32_t quota, int64_t held, int64_t used,
                  int64_t now_us, bool *overrun);
/* The end of a reservation, or with no draws a record: used is drawn, from what is held first, the
 * rest returns. draws: what was held; afterwards what was drawn, for a later correction. An overrun
 * sets *overrun and gives an event. false: a counter cannot hold it. */
bool quotas_settle(struct ledger *ledger, const struct entry *entry, uint32_t quota, int64_t used,
                   struct draws *draws, struct ledger_effects *effects, bool *overrun);
/* Draws so much more, or gives back so much less, than quotas_settle() drew. false: a counter
 * cannot hold it, or more comes back than was drawn. */
bool quotas_correct(struct ledger *ledger, const struct entry *entry, uint32_t quota,
                    int64_t difference, struct draws *draws, struct ledger_effects *effects,
                    bool *overrun);
/* Draws lie in a reservation's words behind words_put_take(TAKE_QUOTA), words_next_take(). */
void draws_put(struct words *words, const struct draws *draws);
void draws_keep(struct kept *kept, uint32_t quota, const struct draws *draws);
void draws_next(struct words *words, struct draws *ret_draws);
int64_t draws_sum(const struct draws *draws);
bool quotas_apply_grant(struct ledger *ledger, const struct entry *entry);
bool quotas_apply_refund(struct ledger *ledger, const struct entry *entry);
bool quotas_apply_end(struct ledger *ledger, const struct entry *entry);
void quotas_end_all(struct ledger *ledger, uint32_t scope); /* the scope ends */
/* How many grants hold something though all draws have been taken out, and whether drawn figures
 * differ from what was charged (INV-07). */
uint64_t quotas_drift(const struct ledger *ledger);
void quotas_check(const struct ledger *ledger);
/* Loading: a living quota to its scope; false: that has too many. A grant whose figures are there
 * to its quota. */
bool quotas_enter(struct ledger *ledger, uint32_t quota);
void quotas_enter_grant(struct ledger *ledger, uint32_t grant, struct slice id,
                        struct slice source);

/* Saves or loads all of them, reservations not among them: save_quota.c. */
struct archive;
void quotas_walk(struct archive *archive, struct ledger *ledger);

#endif
