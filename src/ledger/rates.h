/* SPDX-License-Identifier: Apache-2.0
 * Rate limits, for the files of this folder alone (rates.c). */
#ifndef LEDGER_RATES_H
#define LEDGER_RATES_H

#include "ledger/state.h"

struct slice rates_id(const struct ledger *ledger, uint32_t handle);
uint32_t rates_hash(const void *ledger, uint32_t handle);
size_t rates_of_scope(const struct ledger *ledger, uint32_t scope); /* how many */
/* Leaves those of a path that count for this call: not off, and it matches. */
void rates_keep_counting(const struct ledger *ledger, struct path *path,
                         const struct call_texts *call);
/* What a call that demands so much of its unit (NULL: nothing) takes from it. false: it asks for
 * nothing, so that it takes 0 and is not refused. */
bool rates_take_of(const struct rate *rate, const int64_t *demanded, int64_t *ret_amount);
bool rates_fit(const struct rate *rate, int64_t amount, int64_t now_us);
int64_t rates_room(const struct rate *rate, int64_t now_us); /* the largest amount that fits */
/* As an amount that does not fit is refused; resets_at is also when to ask again. */
struct mete_refusal rates_refusal(const struct ledger *ledger, uint32_t handle, int64_t amount,
                                  int64_t now_us);
/* Takes, by a reservation that is to be open. false: it does not fit an enforced one. */
bool rates_take(struct ledger *ledger, uint32_t handle, const int64_t *demanded, int64_t at_us);
/* An open reservation grows or shrinks by so much of its unit. false: it does not fit. */
bool rates_extend(struct ledger *ledger, uint32_t handle, int64_t by, int64_t at_us);
/* It took that much and used this much. Requests and concurrent ones have nothing to settle, nor
 * has one that ended. */
void rates_settle(struct ledger *ledger, uint32_t handle, int64_t amount, int64_t used,
                  int64_t at_us);
void rates_give_back(struct ledger *ledger, uint32_t handle); /* a reservation is open no more */
void rates_record(struct ledger *ledger, uint32_t handle, const int64_t *used, int64_t at_us);
/* Whether what cannot change stays as it is. */
bool rates_may_become(const struct ledger *ledger, uint32_t handle,
                      const struct mete_rate_spec *spec);
bool rates_apply_put(struct ledger *ledger, const struct entry *entry);
bool rates_apply_end(struct ledger *ledger, const struct entry *entry);
void rates_end_of_scope(struct ledger *ledger, uint32_t scope); /* all that it has */
void rates_enter(struct ledger *ledger, uint32_t handle); /* among its scope's, and by its id */
void rates_check(const struct ledger *ledger);

#endif
