/* SPDX-License-Identifier: Apache-2.0
 * Ended calls, remembered so that a repeat is recognised (INV-04): a ring in the order of their
 * ends. Forgotten is, oldest first, what the ring has no room for, what is over LIMIT_OUTCOME_S
 * old, and what is over LIMIT_SCOPE_OUTCOMES of one scope. All of it happens when an outcome is
 * added, by that entry's time, and at most three at a time, so that no step is slow; finding
 * looks at the age again, by the time of asking. Forgetting is a function of the journal.
 *
 * A request id is kept as its XXH3-128 beside its exact scope: who finds a collision has only
 * confused a scope of its own. A scope chains its outcomes, oldest first. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ledger/quotas.h"

#define AGE_MAX_US ((int64_t)LIMIT_OUTCOME_S * ENTRY_SECOND_US)

/* A ring position's item in the tables and chains: index + 1. */
static uint32_t item_at(const struct ledger *ledger, uint64_t position)
{
    return (uint32_t)(position % ledger->room.outcomes) + 1;
}

static struct outcome *outcome_of(const struct ledger *ledger, uint32_t item)
{
    ASSERT(item > 0 && item <= ledger->room.outcomes);
    return &ledger->outcomes[item - 1];
}

/* Order and zeros do not matter: what is not named was not used. */
uint64_t outcomes_figures(const struct held *held, size_t len)
{
    uint64_t words[2 * METE_DEMANDS_MAX];
    size_t filled = 0;
    ASSERT(len <= METE_DEMANDS_MAX);
    for (size_t i = 0; i < len; i++) {
        if (held[i].amount == 0)
            continue;
        size_t at = filled;
        for (; at > 0 && words[at - 2] > held[i].unit; at -= 2) {
            words[at] = words[at - 2];
            words[at + 1] = words[at - 1];
        }
        words[at] = held[i].unit;
        words[at + 1] = (uint64_t)held[i].amount;
        filled += 2;
    }
    return XXH3_64bits(words, filled * sizeof words[0]);
}

/* ---- Finding ---- */

/* The generation, unmixed: no two are alike, and ends that are near in time stay near in the
 * table, so that adding one and forgetting the oldest find their buckets in the cache. */
static uint32_t hash_id(uint64_t reservation)
{
    return (uint32_t)(reservation & UINT32_MAX);
}

static uint32_t hash_request(uint32_t scope, const uint64_t id[2])
{
    return texts_mix((uint32_t)(id[0] & UINT32_MAX), scope);
}

uint32_t outcomes_hash_id(const void *owner, uint32_t item)
{
    return hash_id(outcome_of(owner, item)->reservation);
}

uint32_t outcomes_hash_request(const void *owner, uint32_t item)
{
    const struct ledger *ledger = owner;
    return hash_request(outcome_of(ledger, item)->scope, ledger->asked[item - 1].id);
}

static void fingerprint(struct slice request_id, uint64_t ret_id[2])
{
    XXH128_hash_t hash = XXH3_128bits(request_id.data, request_id.len);
    ret_id[0] = hash.low64;
    ret_id[1] = hash.high64;
}

static bool is_remembered(const struct outcome *outcome, int64_t now_us)
{
    return now_us - outcome->ended_at_us < AGE_MAX_US;
}

const struct outcome *outcomes_find(const struct ledger *ledger, uint64_t reservation,
                                    int64_t now_us)
{
    uint32_t item = table_first(&ledger->ended_ids, hash_id(reservation));
    while (item && outcome_of(ledger, item)->reservation != reservation)
        item = table_next(&ledger->ended_ids, item);
    if (!item || !is_remembered(outcome_of(ledger, item), now_us))
        return NULL;
    return outcome_of(ledger, item);
}

const struct outcome *outcomes_of_request(const struct ledger *ledger, uint32_t scope,
                                          struct slice request_id, int64_t now_us)
{
    uint64_t id[2];
    fingerprint(request_id, id);
    uint32_t item = table_first(&ledger->ended_requests, hash_request(scope, id));
    for (; item; item = table_next(&ledger->ended_requests, item)) {
        const struct outcome *outcome = outcome_of(ledger, item);
        if (outcome->scope == scope && ledger->asked[item - 1].id[0] == id[0] &&
            ledger->asked[item - 1].id[1] == id[1])
            return is_remembered(outcome, now_us) ? outcome : NULL;
    }
    return NULL;
}

const struct outcome_asked *outcomes_asked(const struct ledger *ledger,
                                           const struct outcome *outcome)
{
    ASSERT(outcome->has_id);
    return &ledger->asked[outcome - ledger->outcomes];
}

struct mete_receipt outcomes_receipt(const struct outcome *outcome)
{
    ASSERT(outcome->kind == OUTCOME_RESERVED || outcome->kind == OUTCOME_RECORDED);
    return (struct mete_receipt){.state = (enum mete_state)outcome->state,
                                 .cost = outcome->cost,
                                 .overrun = outcome->overrun,
                                 .repeated = 1,
                                 .corrected = outcome->corrected,
                                 .record = outcome->seq};
}

/* ---- Forgetting ---- */

/* Takes it out of the tables and its scope's chain, at whose head it must stand. */
static void forget(struct ledger *ledger, uint32_t item)
{
    struct outcome *outcome = outcome_of(ledger, item);
    struct scope_ends *ends = &ledger->scope_ends[outcome->scope];
    ASSERT(outcome->kind != OUTCOME_FORGOTTEN);
    ASSERT(ends->outcome_first == item && ends->outcomes_len > 0);
    ends->outcome_first = ledger->next_of_scope[item];
    if (ends->outcome_first == 0)
        ends->outcome_last = 0;
    ends->outcomes_len--;
    if (outcome->reservation)
        table_drop(&ledger->ended_ids, item, outcomes_hash_id(ledger, item));
    if (outcome->has_id)
        table_drop(&ledger->ended_requests, item, outcomes_hash_request(ledger, item));
    outcome->kind = OUTCOME_FORGOTTEN;
    ledger->counts.outcomes--;
}

/* Drops the ring's oldest place. */
static void pop(struct ledger *ledger)
{
    uint32_t item = item_at(ledger, ledger->outcomes_first);
    if (outcome_of(ledger, item)->kind != OUTCOME_FORGOTTEN)
        forget(ledger, item);
    ledger->outcomes_first++;
}

static void make_room(struct ledger *ledger, uint32_t scope, int64_t now_us)
{
    for (int i = 0; i < 2 && ledger->outcomes_first < ledger->outcomes_end; i++) {
        const struct outcome *oldest = outcome_of(ledger, item_at(ledger, ledger->outcomes_first));
        if (oldest->kind != OUTCOME_FORGOTTEN && is_remembered(oldest, now_us))
            break;
        pop(ledger);
    }
    if (ledger->outcomes_end - ledger->outcomes_first == ledger->room.outcomes)
        pop(ledger);
    if (ledger->scope_ends[scope].outcomes_len >= LIMIT_SCOPE_OUTCOMES)
        forget(ledger, ledger->scope_ends[scope].outcome_first);
}

/* What will be forgotten next but one has its scope and its bucket anywhere in memory: they come
 * while other work is done. */
static void foresee(const struct ledger *ledger)
{
    uint32_t item = item_at(ledger, ledger->outcomes_first + 1);
    const struct outcome *next = outcome_of(ledger, item);
    __builtin_prefetch(&ledger->scope_ends[next->scope]);
    if (!next->has_id)
        return;
    const struct table *table = &ledger->ended_requests;
    uint32_t hash = outcomes_hash_request(ledger, item);
    __builtin_prefetch(&table->heads[table_bucket(table, hash)]);
}

/* ---- Adding ---- */

/* Into the tables and at the end of its scope's chain. */
void outcomes_enter(struct ledger *ledger, uint32_t item)
{
    const struct outcome *added = outcome_of(ledger, item);
    if (added->has_id)
        table_put(&ledger->ended_requests, item, outcomes_hash_request(ledger, item));
    if (added->reservation)
        table_put(&ledger->ended_ids, item, outcomes_hash_id(ledger, item));
    ledger->next_of_scope[item] = 0;
    struct scope_ends *ends = &ledger->scope_ends[added->scope];
    if (ends->outcome_last)
        ledger->next_of_scope[ends->outcome_last] = item;
    else
        ends->outcome_first = item;
    ends->outcome_last = item;
    ends->outcomes_len++;
}

void outcomes_add(struct ledger *ledger, const struct outcome *outcome, struct slice request_id,
                  const struct outcome_asked *asked)
{
    make_room(ledger, outcome->scope, outcome->ended_at_us);
    ASSERT(ledger->outcomes_end - ledger->outcomes_first < ledger->room.outcomes);
    uint32_t item = item_at(ledger, ledger->outcomes_end++);
    struct outcome *added = outcome_of(ledger, item);
    *added = *outcome;
    added->has_id = asked != NULL;
    if (asked) {
        ledger->asked[item - 1] = *asked;
        fingerprint(request_id, ledger->asked[item - 1].id);
    }
    outcomes_enter(ledger, item);
    ledger->counts.outcomes++;
    foresee(ledger);
}

bool outcomes_correct(struct ledger *ledger, const struct outcome *truth)
{
    uint32_t item = table_first(&ledger->ended_ids, hash_id(truth->reservation));
    while (item && outcome_of(ledger, item)->reservation != truth->reservation)
        item = table_next(&ledger->ended_ids, item);
    if (!item)
        return false;
    struct outcome *outcome = outcome_of(ledger, item);
    outcome->cost = truth->cost;
    outcome->figures = truth->figures;
    outcome->seq = truth->seq;
    outcome->overrun = truth->overrun;
    outcome->corrected = 1;
    /* A call that was charged nothing after all gives its request id back. */
    if (outcome->is_call && outcome->has_id && truth->figures == outcomes_figures(NULL, 0)) {
        table_drop(&ledger->ended_requests, item, outcomes_hash_request(ledger, item));
        outcome->has_id = 0;
    }
    return true;
}

bool outcomes_apply_refuse(struct ledger *ledger, const struct entry *entry)
{
    const struct mete_refusal *primary = &entry->u.refuse.primary;
    uint32_t scope = entry->u.refuse.scope;
    if (scope == 0 || scope > ledger->scopes_len || primary->scope.n == 0 ||
        primary->scope.n > ledger->scopes_len || primary->budget.n > ledger->budgets_len ||
        primary->rate.n > ledger->rates_len)
        return false;
    struct outcome outcome = {.ended_at_us = entry->at_us,
                              .seq = entry->seq,
                              .scope = scope,
                              .kind = OUTCOME_REFUSED,
                              .state = METE_REFUSED};
    struct outcome_asked asked = {.content = entry->u.refuse.content,
                                  .expires_at_us = entry->u.refuse.retry_at_us,
                                  .primary = *primary};
    if (primary->reason == METE_QUOTA) {
        uint32_t quota =
            quotas_of(ledger, primary->scope.n, unit_of(primary->meter, primary->currency));
        asked.revision = quota ? ledger->quotas[quota].revision : 0;
    }
    if (primary->budget.n)
        asked.revision = ledger->cold[primary->budget.n].revision;
    if (primary->rate.n)
        asked.revision = ledger->rate_colds[primary->rate.n].revision;
    outcomes_add(ledger, &outcome, entry->u.refuse.request_id, &asked);
    return true;
}
