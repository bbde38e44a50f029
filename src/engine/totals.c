/* SPDX-License-Identifier: Apache-2.0
 * For each open reservation: the budgets that counted on its path when it was made, each with the
 * start of its window then. When it ends, its usage is added to those of them that still are in
 * that window; one that may be corrected is remembered on, and its correction added likewise. A
 * budget's sum starts at 0 with each of its windows; a rolling one's is over the sums of its last
 * 65 buckets.
 *
 * Exchange rates are kept here as well, in order of effective_at: the one in force is looked for
 * from the latest back, among those known when the call was reserved.
 *
 * Reservations lie in an open-addressing table of pointers by id, doubled when half full; a removed
 * one leaves a gap that is closed by moving later ones back. */
#include "engine/totals.h"

#include "base/assert.h"
#include "base/checked.h"
#include "base/limits.h"
#include "engine/carried.h"

#include <stdlib.h>

#define NOWHERE INT64_MIN /* in a window that was over at the base */

struct take {
    uint32_t budget;
    int64_t window_start_us;
};

struct rate {
    struct mete_exchange_spec spec;
    uint64_t seq;
};

/* When a call was reserved or recorded. */
struct moment {
    uint64_t seq;
    int64_t at_us;
};

struct call {
    uint64_t id;
    struct moment made;
    struct mete_usage *charged; /* of one that may be corrected: what it was charged */
    size_t charged_len, len;
    struct take takes[];
};

enum { BUCKETS = LEDGER_BUCKETS };

struct sum {
    int64_t window_start_us, committed;
    int64_t bucket_us;       /* of a rolling budget; 0 */
    int64_t *buckets;        /* committed in bucket k at k % BUCKETS; NULL */
    struct carried *carried; /* of a budget that has or had a rollover cap; NULL */
};

struct totals {
    struct call **calls; /* room: a power of two */
    size_t calls_room, calls_len;
    struct sum *sums; /* [budget handle] */
    size_t sums_room;
    uint32_t budgets; /* highest handle so far */
    struct rate *rates;
    size_t rates_room, rates_len;
    uint64_t *closed; /* ids that may be corrected, a ring: the oldest cannot any more */
    uint64_t closed_len;
};

static void free_call(struct call *call)
{
    if (call)
        free(call->charged);
    free(call);
}

int totals_new(struct totals **ret_totals)
{
    struct totals *totals = calloc(1, sizeof *totals);
    if (!totals)
        return METE_E_MEMORY;
    totals->calls_room = 1024;
    totals->sums_room = 1024;
    totals->calls = calloc(totals->calls_room, sizeof(struct call *));
    totals->sums = calloc(totals->sums_room, sizeof *totals->sums);
    totals->closed = calloc(LIMIT_CORRECTABLE, sizeof *totals->closed);
    if (!totals->calls || !totals->sums || !totals->closed) {
        totals_free(totals);
        return METE_E_MEMORY;
    }
    *ret_totals = totals;
    return 0;
}

void totals_free(struct totals *totals)
{
    if (!totals)
        return;
    for (size_t i = 0; totals->calls && i < totals->calls_room; i++)
        free_call(totals->calls[i]);
    for (size_t i = 0; totals->sums && i < totals->sums_room; i++) {
        free(totals->sums[i].buckets);
        carried_free(totals->sums[i].carried);
    }
    free(totals->calls);
    free(totals->sums);
    free(totals->rates);
    free(totals->closed);
    free(totals);
}

/* ---- The table of calls ---------------------------------------------------------------------- */

static size_t home(const struct totals *totals, uint64_t id)
{
    return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (totals->calls_room - 1);
}

static void place(struct totals *totals, struct call *call)
{
    size_t at = home(totals, call->id);
    while (totals->calls[at])
        at = (at + 1) & (totals->calls_room - 1);
    totals->calls[at] = call;
}

static int grow(struct totals *totals)
{
    struct call **old = totals->calls;
    size_t old_room = totals->calls_room;
    struct call **calls = calloc(old_room * 2, sizeof(struct call *));
    if (!calls)
        return METE_E_MEMORY;
    totals->calls = calls;
    totals->calls_room = old_room * 2;
    for (size_t i = 0; i < old_room; i++)
        if (old[i])
            place(totals, old[i]);
    free(old);
    return 0;
}

static int remember(struct totals *totals, uint64_t id, const struct moment *made,
                    const struct take *takes, size_t len)
{
    if (totals->calls_len * 2 >= totals->calls_room && grow(totals))
        return METE_E_MEMORY;
    struct call *call = malloc(sizeof *call + len * sizeof *takes);
    if (!call)
        return METE_E_MEMORY;
    call->id = id;
    call->made = *made;
    call->charged = NULL;
    call->charged_len = 0;
    call->len = len;
    memcpy(call->takes, takes, len * sizeof *takes);
    place(totals, call);
    totals->calls_len++;
    return 0;
}

/* Takes it out of the table; NULL: not there. The caller frees it. */
static struct call *take_call(struct totals *totals, uint64_t id)
{
    size_t mask = totals->calls_room - 1, at = home(totals, id);
    while (totals->calls[at] && totals->calls[at]->id != id)
        at = (at + 1) & mask;
    struct call *found = totals->calls[at];
    if (!found)
        return NULL;
    totals->calls[at] = NULL;
    totals->calls_len--;
    for (size_t next = (at + 1) & mask; totals->calls[next]; next = (next + 1) & mask) {
        struct call *moved = totals->calls[next];
        totals->calls[next] = NULL;
        place(totals, moved);
    }
    return found;
}

static int set_charged(struct call *call, const struct mete_usage *charged, size_t len)
{
    if (len == 0)
        return 0;
    call->charged = malloc(len * sizeof *charged);
    if (!call->charged)
        return METE_E_MEMORY;
    memcpy(call->charged, charged, len * sizeof *charged);
    call->charged_len = len;
    return 0;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static int set_window(struct totals *totals, uint32_t budget, int64_t start_us);
static int add_rate(struct totals *totals, const struct mete_exchange_spec *spec, uint64_t seq);
static int keep_call(struct totals *totals, struct call *call, const struct mete_usage *charged,
                     size_t len);

/* The window, or bucket, that a call made then counts in. */
static int64_t begin_take(const struct totals *totals, uint32_t budget, int64_t made_at_us)
{
    const struct sum *sum = &totals->sums[budget];
    if (sum->buckets)
        return made_at_us - made_at_us % sum->bucket_us;
    return made_at_us >= sum->window_start_us ? sum->window_start_us : NOWHERE;
}

static int begin_call(struct totals *totals, const struct ledger_taken *taken)
{
    struct take takes[METE_REFUSALS_MAX];
    for (uint32_t i = 0; i < taken->budgets_len; i++) {
        uint32_t budget = taken->budgets[i];
        takes[i] = (struct take){budget, begin_take(totals, budget, taken->made_at_us)};
        if (takes[i].window_start_us == NOWHERE && totals->sums[budget].carried)
            carried_doubt(totals->sums[budget].carried);
    }
    const struct moment made = {taken->made_seq, taken->made_at_us};
    int error = remember(totals, taken->id, &made, takes, taken->budgets_len);
    if (error || !taken->is_closed)
        return error;
    struct mete_usage charged[METE_DEMANDS_MAX];
    for (uint32_t i = 0; i < taken->amounts_len; i++)
        charged[i] = (struct mete_usage){taken->amounts[i].meter, taken->amounts[i].currency,
                                         taken->amounts[i].amount};
    struct call *call = take_call(totals, taken->id);
    return keep_call(totals, call, charged, taken->amounts_len);
}

static int begin_budget(struct totals *totals, const struct ledger *ledger,
                        const struct mete_budget_view *view)
{
    struct ledger_rolling rolling;
    int error = set_window(totals, view->budget.n, view->window_start.us);
    if (error)
        return error;
    struct sum *sum = &totals->sums[view->budget.n];
    sum->committed = view->committed;
    if (view->rollover_cap || view->carried)
        return carried_new(view, &sum->carried);
    if (ledger_rolling(ledger, view->budget.n, &rolling))
        return 0;
    sum->buckets = malloc(sizeof rolling.sums);
    if (!sum->buckets)
        return METE_E_MEMORY;
    memcpy(sum->buckets, rolling.sums, sizeof rolling.sums);
    sum->bucket_us = rolling.bucket_us;
    sum->window_start_us = rolling.present_us;
    return 0;
}

int totals_begin(struct totals *totals, const struct ledger *ledger)
{
    struct mete_budget_view view;
    struct ledger_taken taken;
    int error = 0;
    for (uint32_t budget = 1; !error && ledger_budget(ledger, budget, &view) == 0; budget++) {
        error = begin_budget(totals, ledger, &view);
        totals->budgets = budget;
    }
    for (uint32_t i = 0; !error && ledger_taken_at(ledger, i, &taken); i++)
        if (taken.id)
            error = begin_call(totals, &taken);
    struct mete_exchange_view rate;
    const struct mete_instant any = {0};
    for (uint32_t n = 1; !error && ledger_exchange(ledger, n, any, &rate) == 0; n++)
        error = add_rate(totals, &rate.rate, rate.seq);
    return error;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static int make_room(struct totals *totals, uint32_t budget)
{
    while (budget >= totals->sums_room) {
        struct sum *sums = realloc(totals->sums, 2 * totals->sums_room * sizeof *sums);
        if (!sums)
            return METE_E_MEMORY;
        memset(sums + totals->sums_room, 0, totals->sums_room * sizeof *sums);
        totals->sums = sums;
        totals->sums_room *= 2;
    }
    return 0;
}

/* Another bucket is the present one: those that are too old for it leave. */
static void advance(struct sum *sum, int64_t start_us)
{
    int64_t was = sum->window_start_us / sum->bucket_us, is = start_us / sum->bucket_us;
    for (int64_t i = was + 1; i <= is && i <= was + BUCKETS; i++) {
        sum->committed -= sum->buckets[i % BUCKETS];
        sum->buckets[i % BUCKETS] = 0;
    }
    sum->window_start_us = start_us;
}

static int set_window(struct totals *totals, uint32_t budget, int64_t start_us)
{
    int error = make_room(totals, budget);
    if (error)
        return error;
    struct sum *sum = &totals->sums[budget];
    if (sum->buckets)
        advance(sum, start_us);
    else
        *sum = (struct sum){.window_start_us = start_us, .carried = sum->carried};
    return 0;
}

/* After an entry that put a budget: from now on what it hands on is kept. */
static int begin_carrying(struct totals *totals, const struct ledger *ledger, uint32_t budget)
{
    struct sum *sum = &totals->sums[budget];
    struct mete_budget_view view;
    int error = ledger_budget(ledger, budget, &view);
    ASSERT(error == 0);
    return view.rollover_cap && !sum->carried ? carried_new(&view, &sum->carried) : 0;
}

static int turn(struct totals *totals, const struct ledger *ledger, const struct entry *entry)
{
    uint32_t budget = entry->u.window.budget;
    struct mete_budget_view view;
    int error = set_window(totals, budget, entry->u.window.start_us);
    if (error || !totals->sums[budget].carried)
        return error;
    error = ledger_budget(ledger, budget, &view);
    ASSERT(error == 0);
    return carried_turn(totals->sums[budget].carried, &view, entry->u.window.idle);
}

static int add_budget(struct totals *totals, uint32_t handle, enum mete_period period,
                      int64_t start_us, int64_t end_us)
{
    int error = make_room(totals, handle);
    if (error)
        return error;
    totals->budgets = handle;
    struct sum *sum = &totals->sums[handle];
    *sum = (struct sum){.window_start_us = start_us};
    if (period != METE_ROLLING)
        return 0;
    sum->bucket_us = end_us - start_us;
    sum->buckets = calloc(BUCKETS, sizeof *sum->buckets);
    return sum->buckets ? 0 : METE_E_MEMORY;
}

static int put_budget(struct totals *totals, const struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.budget.handle;
    int error = 0;
    if (handle > totals->budgets)
        error = add_budget(totals, handle, entry->u.budget.spec.period,
                           entry->u.budget.window_start_us, entry->u.budget.window_end_us);
    return error ? error : begin_carrying(totals, ledger, handle);
}

static int add_default(struct totals *totals, const struct ledger *ledger,
                       const struct entry *entry)
{
    struct mete_budget_view view;
    int error = ledger_budget(ledger, entry->u.by_default.made_from, &view);
    ASSERT(error == 0);
    error = add_budget(totals, entry->u.by_default.handle, view.period,
                       entry->u.by_default.window_start_us, entry->u.by_default.window_end_us);
    return error ? error : begin_carrying(totals, ledger, entry->u.by_default.handle);
}

/* The budgets on a path that count a call now. */
static size_t find_takes(const struct totals *totals, const struct ledger *ledger, uint32_t scope,
                         const struct entry *entry, struct take takes[METE_REFUSALS_MAX])
{
    uint32_t budgets[METE_REFUSALS_MAX];
    size_t len = ledger_path(ledger, scope, budgets, METE_REFUSALS_MAX), taken = 0;
    ASSERT(len <= METE_REFUSALS_MAX);
    for (size_t i = 0; i < len; i++) {
        struct mete_budget_view view;
        int error = ledger_budget(ledger, budgets[i], &view);
        ASSERT(error == 0);
        if (view.mode != METE_OFF && ledger_matches(ledger, budgets[i], entry))
            takes[taken++] = (struct take){budgets[i], totals->sums[budgets[i]].window_start_us};
    }
    return taken;
}

static int add_rate(struct totals *totals, const struct mete_exchange_spec *spec, uint64_t seq)
{
    if (totals->rates_len == totals->rates_room) {
        size_t room = totals->rates_room ? 2 * totals->rates_room : 64;
        struct rate *rates = realloc(totals->rates, room * sizeof *rates);
        if (!rates)
            return METE_E_MEMORY;
        totals->rates = rates;
        totals->rates_room = room;
    }
    size_t at = totals->rates_len++;
    for (; at > 0 && totals->rates[at - 1].spec.effective_at.us > spec->effective_at.us; at--)
        totals->rates[at] = totals->rates[at - 1];
    totals->rates[at] = (struct rate){*spec, seq};
    return 0;
}

/* What an amount was in another currency then, half to even; 0: there was no rate. */
static int64_t exchange(const struct totals *totals, const struct mete_usage *usage, uint32_t to,
                        const struct moment *made)
{
    const struct mete_exchange_spec *rate = NULL;
    for (size_t i = totals->rates_len; i > 0 && !rate; i--) {
        const struct rate *at = &totals->rates[i - 1];
        if (at->spec.from == usage->currency && at->spec.to == to && at->seq < made->seq &&
            at->spec.effective_at.us <= made->at_us)
            rate = &at->spec;
    }
    if (!rate)
        return 0;
    int128 twice = 2 * (int128)usage->amount * rate->numerator;
    int128 units = twice / rate->denominator, rest = twice % rate->denominator;
    bool is_half = units % 2 == 1 && rest == 0;
    int128 nearest = units / 2 + (units % 2 == 1 && (!is_half || units / 2 % 2 == 1));
    return nearest > INT64_MAX ? INT64_MAX : (int64_t)nearest;
}

/* What is added to sums, or with sign -1 taken out. */
struct charging {
    const struct mete_usage *usage;
    size_t len;
    const struct moment *made;
    int sign;
    bool corrects;
};

static int charge_one(struct sum *sum, const struct take *take, int64_t amount)
{
    if (sum->carried && take->window_start_us != NOWHERE)
        carried_charge(sum->carried, take->window_start_us, amount);
    if (take->window_start_us == NOWHERE ||
        sum->window_start_us - take->window_start_us >= max_i64(BUCKETS * sum->bucket_us, 1))
        return 0; /* its window is over, or its bucket has left */
    if (!checked_add(sum->committed, amount, &sum->committed))
        return METE_E_CORRUPT;
    if (sum->buckets)
        sum->buckets[take->window_start_us / sum->bucket_us % BUCKETS] += amount;
    return 0;
}

static int charge(struct totals *totals, const struct ledger *ledger, const struct take *take,
                  const struct charging *charging)
{
    ASSERT(take->budget < totals->sums_room);
    struct mete_budget_view view;
    int error = ledger_budget(ledger, take->budget, &view);
    ASSERT(error == 0);
    if (charging->corrects && view.ended)
        return 0; /* it takes no corrections */
    for (size_t i = 0; !error && i < charging->len; i++) {
        const struct mete_usage *one = &charging->usage[i];
        int64_t amount = one->amount;
        if (one->meter != view.meter)
            continue;
        if (one->currency != view.currency)
            amount = exchange(totals, one, view.currency, charging->made);
        error = charge_one(&totals->sums[take->budget], take, charging->sign * amount);
    }
    return error;
}

/* What a correction says is the difference; rates apply to what stands before and after it. */
static int charge_correction(struct totals *totals, const struct ledger *ledger,
                             const struct call *call, const struct records_usage *usage, size_t i)
{
    struct mete_usage after[RECORDS_METERS_MAX];
    ASSERT(usage->usage_len <= RECORDS_METERS_MAX);
    for (size_t k = 0; k < usage->usage_len; k++) {
        after[k] = usage->usage[k];
        for (size_t b = 0; b < call->charged_len; b++)
            if (call->charged[b].meter == after[k].meter &&
                call->charged[b].currency == after[k].currency)
                after[k].amount += call->charged[b].amount;
        if (after[k].amount < 0)
            return METE_E_CORRUPT;
    }
    const struct charging taken = {call->charged, call->charged_len, &call->made, -1, true};
    const struct charging given = {after, usage->usage_len, &call->made, 1, true};
    int error = charge(totals, ledger, &call->takes[i], &taken);
    return error ? error : charge(totals, ledger, &call->takes[i], &given);
}

static int charge_call(struct totals *totals, const struct ledger *ledger, const struct call *call,
                       const struct records_usage *usage, size_t i)
{
    const struct charging charging = {usage->usage, usage->usage_len, &call->made, 1, false};
    return usage->corrects ? charge_correction(totals, ledger, call, usage, i)
                           : charge(totals, ledger, &call->takes[i], &charging);
}

/* It may be corrected: back into the table, in the place of the oldest such one. */
static int keep_call(struct totals *totals, struct call *call, const struct mete_usage *charged,
                     size_t len)
{
    uint64_t *oldest = &totals->closed[totals->closed_len++ % LIMIT_CORRECTABLE];
    if (*oldest)
        free_call(take_call(totals, *oldest));
    *oldest = call->id;
    place(totals, call); /* there is room: it was there a moment ago */
    totals->calls_len++;
    return set_charged(call, charged, len);
}

static int end_call(struct totals *totals, const struct ledger *ledger, const struct entry *entry,
                    const struct records_usage *usage)
{
    const struct moment now = {entry->seq, entry->at_us};
    const struct charging charging = {usage->usage, usage->usage_len, &now, 1, false};
    struct take takes[METE_REFUSALS_MAX];
    if (!usage->reservation) {
        size_t len = find_takes(totals, ledger, usage->scope.n, entry, takes);
        int error = 0;
        for (size_t i = 0; !error && i < len; i++)
            error = charge(totals, ledger, &takes[i], &charging);
        return error;
    }
    struct call *call = take_call(totals, usage->reservation);
    if (!call)
        return METE_E_CORRUPT;
    int error = 0;
    for (size_t i = 0; !error && i < call->len; i++)
        error = charge_call(totals, ledger, call, usage, i);
    bool is_final = usage->corrects || (usage->state != METE_EXPIRED &&
                                        !(usage->outcome.flags & METE_OUTCOME_PROVISIONAL));
    if (!error && !is_final)
        return keep_call(totals, call, usage->usage, usage->usage_len);
    free_call(call);
    return error;
}

int totals_add(struct totals *totals, const struct ledger *ledger, const struct entry *entry,
               const struct records_usage *usage)
{
    ASSERT(totals && ledger && entry);
    if (entry->kind == ENTRY_WINDOW)
        return turn(totals, ledger, entry);
    if (entry->kind == ENTRY_BUDGET)
        return put_budget(totals, ledger, entry);
    if (entry->kind == ENTRY_DEFAULT)
        return add_default(totals, ledger, entry);
    if (entry->kind == ENTRY_RESERVE) {
        struct take takes[METE_REFUSALS_MAX];
        size_t len = find_takes(totals, ledger, entry->u.reserve.scope, entry, takes);
        const struct moment made = {entry->seq, entry->at_us};
        return remember(totals, entry->u.reserve.reservation, &made, takes, len);
    }
    if (entry->kind == ENTRY_EXCHANGE)
        return add_rate(totals, &entry->u.exchange.spec, entry->seq);
    return usage ? end_call(totals, ledger, entry, usage) : 0;
}

/* What open calls hold, each in the window it was made in. */
static void hold_open(struct totals *totals, const struct ledger *ledger)
{
    struct ledger_taken taken;
    for (uint32_t i = 0; ledger_taken_at(ledger, i, &taken); i++)
        for (uint32_t k = 0; taken.id && !taken.is_closed && k < taken.budgets_len; k++) {
            struct sum *sum = &totals->sums[taken.budgets[k]];
            struct mete_budget_view view;
            if (!sum->carried || ledger_budget(ledger, taken.budgets[k], &view))
                continue;
            const struct ledger_unit unit = {view.meter, view.currency, taken.made_seq,
                                             taken.made_at_us, false};
            carried_hold(sum->carried, taken.made_at_us,
                         ledger_amount_in(ledger, &unit, taken.amounts, taken.amounts_len));
        }
}

int totals_compare(struct totals *totals, const struct ledger *ledger, uint64_t *ret_windows,
                   uint32_t *ret_budget)
{
    struct mete_budget_view view;
    uint32_t budget = 1;
    hold_open(totals, ledger);
    for (; ledger_budget(ledger, budget, &view) == 0; budget++) {
        const struct sum *sum = &totals->sums[budget];
        *ret_budget = budget;
        if (budget > totals->budgets || sum->committed != view.committed ||
            (!sum->buckets && sum->window_start_us != view.window_start.us))
            return METE_E_CORRUPT;
        if (sum->carried && !view.ended && !carried_is(sum->carried, view.carried))
            return METE_E_CORRUPT;
    }
    *ret_windows = budget - 1;
    return 0;
}
