/* SPDX-License-Identifier: Apache-2.0
 * What a reservation drew from grants, in its words behind the quota's take: how many draws, then
 * grant and amount (3 words) of each. */
#include "ledger/endings.h"
#include "ledger/quotas.h"

void draws_put(struct words *words, const struct draws *draws)
{
    words_put(words, (uint32_t)draws->len);
    for (size_t i = 0; i < draws->len; i++) {
        words_put(words, draws->at[i].grant);
        words_put_i64(words, draws->at[i].amount);
    }
}

void draws_keep(struct kept *kept, uint32_t quota, const struct draws *draws)
{
    correct_keep_take(kept, TAKE_QUOTA, quota);
    correct_keep_word(kept, (uint32_t)draws->len);
    for (size_t i = 0; i < draws->len; i++) {
        uint64_t amount = (uint64_t)draws->at[i].amount;
        correct_keep_word(kept, draws->at[i].grant);
        correct_keep_word(kept, (uint32_t)(amount & UINT32_MAX));
        correct_keep_word(kept, (uint32_t)(amount >> 32));
    }
}

void draws_next(struct words *words, struct draws *ret_draws)
{
    ret_draws->len = words_next(words);
    ASSERT(ret_draws->len <= DRAWS_MAX);
    for (size_t i = 0; i < ret_draws->len; i++) {
        ret_draws->at[i].grant = words_next(words);
        ret_draws->at[i].amount = words_next_i64(words);
        ASSERT(ret_draws->at[i].amount > 0 && ret_draws->at[i].amount <= METE_AMOUNT_MAX);
    }
}

int64_t draws_sum(const struct draws *draws)
{
    int128 sum = 0;
    for (size_t i = 0; i < draws->len; i++)
        sum += draws->at[i].amount;
    ASSERT(sum <= METE_AMOUNT_MAX);
    return (int64_t)sum;
}
