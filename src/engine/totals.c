/* SPDX-License-Identifier: Apache-2.0
 * For each open reservation: the budgets that counted on its path when it was made, each with the
 * start of its window then. When it ends, its usage is added to those of them that still are in
 * that window. A budget's sum starts at 0 with each of its windows.
 *
 * Reservations lie in an open-addressing table of pointers by id, doubled when half full; a removed
 * one leaves a gap that is closed by moving later ones back. */
#include "engine/totals.h"

#include "base/assert.h"
#include "base/checked.h"
#include "base/limits.h"

#include <stdlib.h>

struct take {
    uint32_t budget;
    int64_t window_start_us;
};

struct call {
    uint64_t id;
    size_t len;
    struct take takes[];
};

struct sum {
    int64_t window_start_us, committed;
};

struct totals {
    struct call **calls; /* room: a power of two */
    size_t calls_room, calls_len;
    struct sum *sums; /* [budget handle] */
    size_t sums_room;
    uint32_t budgets; /* highest handle so far */
};

int totals_new(struct totals **ret_totals)
{
    struct totals *totals = calloc(1, sizeof *totals);
    if (!totals)
        return METE_E_MEMORY;
    totals->calls_room = 1024;
    totals->sums_room = 1024;
    totals->calls = calloc(totals->calls_room, sizeof(struct call *));
    totals->sums = calloc(totals->sums_room, sizeof *totals->sums);
    if (!totals->calls || !totals->sums) {
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
        free(totals->calls[i]);
    free(totals->calls);
    free(totals->sums);
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

static int remember(struct totals *totals, uint64_t id, const struct take *takes, size_t len)
{
    if (totals->calls_len * 2 >= totals->calls_room && grow(totals))
        return METE_E_MEMORY;
    struct call *call = malloc(sizeof *call + len * sizeof *takes);
    if (!call)
        return METE_E_MEMORY;
    call->id = id;
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

/* ---- Beginning ------------------------------------------------------------------------------- */

static int set_window(struct totals *totals, uint32_t budget, int64_t start_us);

/* A take of a window before the present one counts nowhere any more. */
static int begin_call(struct totals *totals, const struct ledger *ledger,
                      const struct ledger_taken *taken)
{
    struct take takes[METE_REFUSALS_MAX];
    for (uint32_t i = 0; i < taken->budgets_len; i++) {
        struct mete_budget_view view;
        int error = ledger_budget(ledger, taken->budgets[i], &view);
        bool is_present = !error && taken->made_at_us >= view.window_start.us;
        takes[i] = (struct take){taken->budgets[i], is_present ? view.window_start.us : INT64_MIN};
    }
    return remember(totals, taken->id, takes, taken->budgets_len);
}

int totals_begin(struct totals *totals, const struct ledger *ledger)
{
    struct mete_budget_view view;
    struct ledger_taken taken;
    int error = 0;
    for (uint32_t budget = 1; !error && ledger_budget(ledger, budget, &view) == 0; budget++) {
        error = set_window(totals, budget, view.window_start.us);
        if (!error)
            totals->sums[budget].committed = view.committed;
        totals->budgets = budget;
    }
    for (uint32_t i = 0; !error && ledger_taken_at(ledger, i, &taken); i++)
        if (taken.id)
            error = begin_call(totals, ledger, &taken);
    return error;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static int set_window(struct totals *totals, uint32_t budget, int64_t start_us)
{
    while (budget >= totals->sums_room) {
        struct sum *sums = realloc(totals->sums, 2 * totals->sums_room * sizeof *sums);
        if (!sums)
            return METE_E_MEMORY;
        memset(sums + totals->sums_room, 0, totals->sums_room * sizeof *sums);
        totals->sums = sums;
        totals->sums_room *= 2;
    }
    totals->sums[budget] = (struct sum){start_us, 0};
    return 0;
}

/* The budgets on a path that count a call now. */
static size_t find_takes(const struct ledger *ledger, uint32_t scope, const struct entry *entry,
                         struct take takes[METE_REFUSALS_MAX])
{
    uint32_t budgets[METE_REFUSALS_MAX];
    size_t len = ledger_path(ledger, scope, budgets, METE_REFUSALS_MAX), taken = 0;
    ASSERT(len <= METE_REFUSALS_MAX);
    for (size_t i = 0; i < len; i++) {
        struct mete_budget_view view;
        int error = ledger_budget(ledger, budgets[i], &view);
        ASSERT(error == 0);
        if (view.mode != METE_OFF && ledger_matches(ledger, budgets[i], entry))
            takes[taken++] = (struct take){budgets[i], view.window_start.us};
    }
    return taken;
}

static int charge(struct totals *totals, const struct ledger *ledger, const struct take *take,
                  const struct records_usage *usage)
{
    ASSERT(take->budget < totals->sums_room);
    struct sum *sum = &totals->sums[take->budget];
    struct mete_budget_view view;
    int error = ledger_budget(ledger, take->budget, &view);
    ASSERT(error == 0);
    if (sum->window_start_us != take->window_start_us)
        return 0; /* its window is over */
    for (size_t i = 0; i < usage->usage_len; i++) {
        const struct mete_usage *one = &usage->usage[i];
        if (one->meter == view.meter && one->currency == view.currency &&
            !checked_add(sum->committed, one->amount, &sum->committed))
            return METE_E_CORRUPT;
    }
    return 0;
}

static int end_call(struct totals *totals, const struct ledger *ledger, const struct entry *entry,
                    const struct records_usage *usage)
{
    struct take takes[METE_REFUSALS_MAX];
    if (!usage->reservation) {
        size_t len = find_takes(ledger, usage->scope.n, entry, takes);
        int error = 0;
        for (size_t i = 0; !error && i < len; i++)
            error = charge(totals, ledger, &takes[i], usage);
        return error;
    }
    struct call *call = take_call(totals, usage->reservation);
    if (!call)
        return METE_E_CORRUPT;
    int error = 0;
    for (size_t i = 0; !error && i < call->len; i++)
        error = charge(totals, ledger, &call->takes[i], usage);
    free(call);
    return error;
}

int totals_add(struct totals *totals, const struct ledger *ledger, const struct entry *entry,
               const struct records_usage *usage)
{
    ASSERT(totals && ledger && entry);
    if (entry->kind == ENTRY_WINDOW)
        return set_window(totals, entry->u.window.budget, entry->u.window.start_us);
    if (entry->kind == ENTRY_BUDGET && entry->u.budget.handle > totals->budgets) {
        totals->budgets = entry->u.budget.handle;
        return set_window(totals, entry->u.budget.handle, entry->u.budget.window_start_us);
    }
    if (entry->kind == ENTRY_RESERVE) {
        struct take takes[METE_REFUSALS_MAX];
        size_t len = find_takes(ledger, entry->u.reserve.scope, entry, takes);
        return remember(totals, entry->u.reserve.reservation, takes, len);
    }
    return usage ? end_call(totals, ledger, entry, usage) : 0;
}

int totals_compare(const struct totals *totals, const struct ledger *ledger, uint64_t *ret_windows,
                   uint32_t *ret_budget)
{
    struct mete_budget_view view;
    uint32_t budget = 1;
    for (; ledger_budget(ledger, budget, &view) == 0; budget++) {
        if (budget >= totals->sums_room || totals->sums[budget].committed != view.committed ||
            totals->sums[budget].window_start_us != view.window_start.us) {
            *ret_budget = budget;
            return METE_E_CORRUPT;
        }
    }
    *ret_windows = budget - 1;
    return 0;
}
