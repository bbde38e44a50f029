/* SPDX-License-Identifier: Apache-2.0
 * Questions to the state. A budget is told as of now: if its window is over, the next one begins
 * first, which is an entry like any other, so that what was told is what a replay knows. */
#include "engine/engine.h"

#include "base/checked.h"

static int tell_budget(struct mete *mete, uint32_t handle, struct mete_budget_view *ret_view)
{
    int error = ledger_budget(mete->ledger, handle, ret_view);
    struct ledger_due due;
    while (!error && ledger_due(mete->ledger, handle, (struct mete_instant){mete->now_us}, &due)) {
        error = owner_due(mete, &due);
        if (!error)
            error = ledger_budget(mete->ledger, handle, ret_view);
    }
    return error;
}

static int tell_increases(struct mete *mete, const struct mete_query *args,
                          struct mete_answer *answer)
{
    int error = tell_budget(mete, args->budget.n, &answer->budget);
    if (!error)
        answer->rows_len =
            ledger_increases(mete->ledger, args->budget.n, args->increases, args->rows_max);
    return error;
}

static int tell_path(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    uint32_t handles[METE_REFUSALS_MAX];
    struct mete_scope_view scope;
    int error = ledger_scope(mete->ledger, args->scope.n, &scope);
    if (error)
        return error;
    size_t len = ledger_path(mete->ledger, args->scope.n, handles, METE_REFUSALS_MAX);
    ASSERT(len <= METE_REFUSALS_MAX);
    answer->budgets_len = len;
    for (size_t i = 0; i < len && i < args->budgets_max; i++) {
        error = tell_budget(mete, handles[i], &args->budgets[i]);
        if (error)
            return error;
    }
    return 0;
}

static uint64_t load(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_acquire);
}

static void tell_stats(struct mete *mete, struct mete_stats *stats)
{
    struct ledger_counts counts;
    ledger_counts(mete->ledger, &counts);
    *stats = (struct mete_stats){
        .seq = ledger_last_seq(mete->ledger),
        .flushed = load(&mete->flushed),
        .projected = load(&mete->projected),
        .scopes = counts.scopes,
        .budgets = counts.budgets,
        .rates = counts.rates,
        .grants = counts.grants,
        .reservations_open = counts.reservations_open,
        .outcomes = counts.outcomes,
        .reserves = counts.reserves,
        .refused = counts.refused,
        .commits = counts.commits,
        .releases = counts.releases,
        .expiries = counts.expiries,
        .records = counts.records,
        .overruns = counts.overruns,
        .repeats = counts.repeats,
        .extends = counts.extends,
        .corrections = counts.corrections,
        .drift = load(&mete->follower.drift),
        .audited = load(&mete->follower.audited),
        .snapshot = load(&mete->follower.snapshot),
        .base = load(&mete->follower.cut),
        .free_bytes = load(&mete->free_bytes),
        .admission_stopped = atomic_load(&mete->admission_stopped),
        .flushes = load(&mete->flushes),
        .flush_us_sum = load(&mete->flush_us_sum),
        .journal_bytes = mete->journal ? journal_bytes(mete->journal) : 0,
        .records_queued = (uint32_t)rows_waiting(&mete->rows),
    };
    for (int i = 0; i < HISTOGRAM; i++)
        stats->flush_us_bucket[i] = load(&mete->flush_us_bucket[i]);
    uint32_t len = atomic_load(&mete->ports_len);
    for (uint32_t i = 0; i < len; i++)
        stats->ring_used += ring_used(&mete->ports[i]->submitted);
    if (!mete->is_durable)
        stats->flushed = stats->seq;
    if (!mete->has_records)
        stats->projected = mete->is_durable ? stats->projected : stats->seq;
}

static int find_scope(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    struct slice id = {args->id.data, args->id.len};
    uint32_t handle = ledger_find_scope(mete->ledger, args->scope_kind, args->organization.n, id);
    return handle ? ledger_scope(mete->ledger, handle, &answer->scope) : METE_E_NOT_FOUND;
}

static int find_budget(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    struct slice id = {args->id.data, args->id.len};
    uint32_t handle = ledger_find_budget(mete->ledger, args->organization.n, id);
    return handle ? tell_budget(mete, handle, &answer->budget) : METE_E_NOT_FOUND;
}

static int tell_rate(const struct mete *mete, uint32_t handle, struct mete_rate_view *ret_view)
{
    return ledger_rate(mete->ledger, handle, (struct mete_instant){mete->now_us}, ret_view);
}

static int tell_rates(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    uint32_t handles[METE_REFUSALS_MAX];
    struct mete_scope_view scope;
    int error = ledger_scope(mete->ledger, args->scope.n, &scope);
    if (error)
        return error;
    size_t len = ledger_path_rates(mete->ledger, args->scope.n, handles, METE_REFUSALS_MAX);
    ASSERT(len <= METE_REFUSALS_MAX);
    answer->rows_len = len;
    for (size_t i = 0; !error && i < len && i < args->rows_max; i++)
        error = tell_rate(mete, handles[i], &args->rates[i]);
    return error;
}

static int find_rate(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    struct slice id = {args->id.data, args->id.len};
    uint32_t handle = ledger_find_rate(mete->ledger, args->organization.n, id);
    return handle ? tell_rate(mete, handle, &answer->rate) : METE_E_NOT_FOUND;
}

static int tell_exchanges(struct mete *mete, const struct mete_query *args,
                          struct mete_answer *answer)
{
    uint32_t last = ledger_exchanges(mete->ledger);
    answer->rows_len = args->after < last ? last - args->after : 0;
    int error = 0;
    for (size_t i = 0; !error && i < answer->rows_len && i < args->rows_max; i++)
        error = ledger_exchange(mete->ledger, args->after + 1 + (uint32_t)i,
                                (struct mete_instant){mete->now_us}, &args->exchanges[i]);
    return error;
}

static int tell_meter(struct mete *mete, uint16_t meter, struct mete_answer *answer)
{
    struct slice name;
    int error = ledger_meter(mete->ledger, meter, &name);
    if (error)
        return error;
    memcpy(answer->text, name.data, name.len);
    answer->text[name.len] = 0;
    return 0;
}

static int tell_quotas(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    struct mete_scope_view scope;
    int error = ledger_scope(mete->ledger, args->scope.n, &scope);
    if (!error)
        answer->rows_len =
            ledger_quotas(mete->ledger, args->scope.n, (struct mete_instant){mete->now_us},
                          args->quotas, args->rows_max);
    return error;
}

static int tell_grants(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    struct mete_scope_view scope;
    int error = ledger_scope(mete->ledger, args->scope.n, &scope);
    if (!error)
        answer->rows_len =
            ledger_grants(mete->ledger, args->scope.n, args->meter, args->currency,
                          (struct mete_instant){mete->now_us}, args->grants, args->rows_max);
    return error;
}

static int find_grant(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    struct slice id = {args->id.data, args->id.len};
    uint32_t handle = ledger_find_grant(mete->ledger, args->organization.n, id);
    return ledger_grant(mete->ledger, handle, (struct mete_instant){mete->now_us}, &answer->grant);
}

static int tell(struct mete *mete, const struct mete_query *args, struct mete_answer *answer)
{
    switch (args->kind) {
    case METE_QUERY_SCOPE:
        return ledger_scope(mete->ledger, args->scope.n, &answer->scope);
    case METE_QUERY_FIND_SCOPE:
        return find_scope(mete, args, answer);
    case METE_QUERY_BUDGET:
        return tell_budget(mete, args->budget.n, &answer->budget);
    case METE_QUERY_FIND_BUDGET:
        return find_budget(mete, args, answer);
    case METE_QUERY_INCREASES:
        return tell_increases(mete, args, answer);
    case METE_QUERY_PATH:
        return tell_path(mete, args, answer);
    case METE_QUERY_RESERVATION:
        return ledger_reservation(mete->ledger, args->reservation.n, &answer->reservation);
    case METE_QUERY_STATS:
        tell_stats(mete, &answer->stats);
        return 0;
    case METE_QUERY_HASH:
        ledger_hash(mete->ledger, answer->hash);
        return 0;
    case METE_QUERY_PROJECTED:
        return 0;
    case METE_QUERY_QUOTAS:
        return tell_quotas(mete, args, answer);
    case METE_QUERY_GRANTS:
        return tell_grants(mete, args, answer);
    case METE_QUERY_FIND_GRANT:
        return find_grant(mete, args, answer);
    case METE_QUERY_FIND_METER:
        answer->number =
            ledger_find_meter(mete->ledger, (struct slice){args->id.data, args->id.len});
        return answer->number ? 0 : METE_E_NOT_FOUND;
    case METE_QUERY_RATES:
        return tell_rates(mete, args, answer);
    case METE_QUERY_RATE:
        return tell_rate(mete, args->rate.n, &answer->rate);
    case METE_QUERY_FIND_RATE:
        return find_rate(mete, args, answer);
    case METE_QUERY_EXCHANGES:
        return tell_exchanges(mete, args, answer);
    case METE_QUERY_METER:
        return tell_meter(mete, args->meter, answer);
    case METE_QUERY_PROVISIONAL:
        answer->rows_len = ledger_provisional(mete->ledger, args->reservation.n,
                                              (struct mete_instant){mete->now_us},
                                              args->reservations, args->rows_max);
        return 0;
    }
    return METE_E_INVALID;
}

int query_answer(struct mete *mete, struct mete_op *op, bool *ret_waits)
{
    struct mete_answer *answer = op->result.answer;
    ASSERT(answer);
    int error = tell(mete, &op->args.query, answer);
    if (error)
        return error;
    bool of_changes = op->args.query.kind == METE_QUERY_PROJECTED && op->args.query.of_changes;
    answer->seq = of_changes ? mete->last_change_seq : ledger_last_seq(mete->ledger);
    /* Where there are no records, there is nothing to wait for. */
    *ret_waits = op->args.query.kind == METE_QUERY_PROJECTED && mete->has_records &&
                 atomic_load(&mete->projected) < answer->seq;
    return 0;
}
