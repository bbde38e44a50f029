/* SPDX-License-Identifier: Apache-2.0
 * Rolling windows: what was charged in the last N seconds, in steps of N/64.
 *
 * Time is cut into buckets, number k from k * N/64 on. A ring has the sums of the present bucket
 * and the 64 before it, bucket k at k % 65, and `committed` is their sum: so what is charged counts
 * for at least N and at most N + N/64 seconds. When the present bucket is over, the budget is stale
 * like one whose window is over, and the same entry says which bucket is now; those that are too
 * old by then leave.
 *
 *   | left ... | k-64 | k-63 | ... | k-1 | k |          view: [start of k-64, end of k)
 *
 * The budget has one window as far as reservations go: it begins at 0, so that `held` and `open`
 * are of all that is open, however old, and nothing is ever a past window. An amount is charged to
 * the bucket its reservation was made in, or to none if that has left (INV-09).
 *
 * Considered and not done: exact sliding (a list of charges, without bound); buckets of their own
 * for held amounts (what is held may still be spent, so it counts until it is not). */
#include "ledger/extras.h"
#include "ledger/rolling.h"

enum { BUCKETS = LEDGER_BUCKETS };
_Static_assert(sizeof(struct buckets) == BUCKETS * sizeof(int64_t), "it has their' sums");

static struct buckets *sums_of(const struct ledger *ledger, uint32_t budget)
{
    const struct extra *extra = extras_of(ledger, budget);
    ASSERT(extra && extra->buckets > 0 && extra->buckets <= ledger->buckets_len);
    return &ledger->buckets[extra->buckets];
}

/* Exact: a 64th of a second is a whole number of microseconds. */
static int64_t bucket_us(const struct ledger *ledger, uint32_t budget)
{
    return extras_of(ledger, budget)->window_seconds * (ENTRY_SECOND_US / 64);
}

static int64_t present(const struct ledger *ledger, uint32_t budget)
{
    return ledger->cold[budget].window_end_us / bucket_us(ledger, budget) - 1;
}

void rolling_put(struct ledger *ledger, struct extra *extra)
{
    ASSERT(ledger->buckets_len < ledger->room.budgets); /* one for each budget at most */
    if (!extra->buckets)
        extra->buckets = ++ledger->buckets_len;
}

bool rolling_is_bucket(const struct extra *extra, int64_t start_us, int64_t end_us)
{
    int64_t len_us = extra->window_seconds * (ENTRY_SECOND_US / 64);
    return start_us % len_us == 0 && end_us - start_us == len_us;
}

bool rolling_has_left(const struct ledger *ledger, uint32_t budget, int64_t made_at_us)
{
    int64_t bucket = made_at_us / bucket_us(ledger, budget);
    ASSERT_INV("INV-09", bucket <= present(ledger, budget));
    return present(ledger, budget) - bucket >= BUCKETS;
}

void rolling_charge(struct ledger *ledger, uint32_t budget, int64_t made_at_us, int64_t amount)
{
    if (rolling_has_left(ledger, budget, made_at_us)) {
        ASSERT_INV("INV-09", amount == 0);
        return;
    }
    int64_t bucket = made_at_us / bucket_us(ledger, budget);
    int64_t *sum = &sums_of(ledger, budget)->sums[bucket % BUCKETS];
    *sum += amount; /* less than committed, which is a number */
    ASSERT_INV("INV-07", *sum >= 0 && *sum <= ledger->budgets[budget].committed);
}

bool rolling_advance(struct ledger *ledger, uint32_t handle, int64_t start_us, int64_t end_us)
{
    if (!rolling_is_bucket(extras_of(ledger, handle), start_us, end_us))
        return false;
    struct budget *budget = &ledger->budgets[handle];
    struct buckets *buckets = sums_of(ledger, handle);
    int64_t was = present(ledger, handle), is = start_us / bucket_us(ledger, handle);
    ASSERT(is > was); /* the entry begins at or after the window's end */
    int64_t leave = min_i64(is - was, BUCKETS);
    for (int64_t bucket = was + 1; bucket <= was + leave; bucket++) {
        int64_t *sum = &buckets->sums[bucket % BUCKETS]; /* where the one 65 before it stands */
        budget->committed -= *sum;
        ledger->retired_sum += (uint64_t)*sum;
        *sum = 0;
    }
    ASSERT_INV("INV-07", budget->committed >= 0);
    return true;
}

int64_t rolling_frees_at(const struct ledger *ledger, uint32_t handle, int128 amount)
{
    const struct buckets *buckets = sums_of(ledger, handle);
    ASSERT(amount > 0);
    if (amount > ledger->budgets[handle].committed)
        return 0; /* what is held is in the way as well */
    int64_t is = present(ledger, handle), bucket = is - BUCKETS;
    for (int128 left = 0; left < amount; left += buckets->sums[bucket % BUCKETS]) {
        bucket++;
        ASSERT(bucket <= is);
        if (bucket < 0)
            bucket = 0; /* there were none before 1970 */
    }
    return (bucket + BUCKETS) * bucket_us(ledger, handle);
}

int64_t rolling_empties_at(const struct ledger *ledger, uint32_t handle)
{
    int64_t committed = ledger->budgets[handle].committed;
    return committed ? rolling_frees_at(ledger, handle, committed)
                     : ledger->cold[handle].window_end_us;
}

int64_t rolling_start_us(const struct ledger *ledger, uint32_t handle)
{
    return max_i64(present(ledger, handle) - (BUCKETS - 1), 0) * bucket_us(ledger, handle);
}

int64_t rolling_bucket_start_us(const struct ledger *ledger, uint32_t handle)
{
    return present(ledger, handle) * bucket_us(ledger, handle);
}

bool rolling_adds_up(const struct ledger *ledger, uint32_t handle)
{
    const struct buckets *buckets = sums_of(ledger, handle);
    int64_t left = ledger->budgets[handle].committed;
    bool fits = true;
    for (unsigned i = 0; fits && i < BUCKETS; i++) {
        fits = buckets->sums[i] >= 0 && buckets->sums[i] <= left;
        left -= fits ? buckets->sums[i] : 0;
    }
    return fits && left == 0;
}

void rolling_check(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    ASSERT(ledger->cold[handle].past == 0 && budget->window_start_us == 0);
    ASSERT_INV("INV-09",
               rolling_is_bucket(extras_of(ledger, handle), rolling_bucket_start_us(ledger, handle),
                                 ledger->cold[handle].window_end_us));
    ASSERT_INV("INV-07", rolling_adds_up(ledger, handle));
}

int ledger_rolling(const struct ledger *ledger, uint32_t budget, struct ledger_rolling *ret_rolling)
{
    const struct extra *extra =
        budget > 0 && budget <= ledger->budgets_len ? extras_of(ledger, budget) : NULL;
    if (!extra || !extra->buckets)
        return METE_E_NOT_FOUND;
    ret_rolling->bucket_us = bucket_us(ledger, budget);
    ret_rolling->present_us = rolling_bucket_start_us(ledger, budget);
    memcpy(ret_rolling->sums, sums_of(ledger, budget)->sums, sizeof ret_rolling->sums);
    return 0;
}
