/* SPDX-License-Identifier: Apache-2.0
 * How a budget's figures came to be: a ledger of its own is brought from the newest snapshot before
 * the asked instant through the journal, and after each entry the budget is looked at. Whatever an
 * entry was, if the figures are not what they were, it is told; so nothing can be forgotten here
 * that the ledger does.
 *
 * A call that ends in a window that is over changes that window's figures and not the present ones:
 * which budgets and windows it holds is read before its entry is applied, because its end may be
 * the last that is known of that window.
 *
 * Considered and not done: keeping a history of each budget. The journal is one. */
#include "engine/telling.h"

#include <stdlib.h>

struct explaining {
    struct telling telling;
    uint32_t budget;
    int (*fn)(void *user, const struct mete_step *step);
    void *user;
    bool is_there, is_begun; /* the budget; what it stood at was told */
    struct mete_step last;   /* of the present window */
    struct ledger_taken taken;
    bool is_past;              /* the entry to come ends or changes one of a window before */
    struct ledger_window past; /* that window before the entry */
    struct mete_budget_view view;
};

static bool takes_from(const struct ledger_taken *taken, uint32_t budget)
{
    for (uint32_t i = 0; i < taken->budgets_len; i++)
        if (taken->budgets[i] == budget)
            return true;
    return false;
}

static bool look(struct explaining *explaining, struct mete_step *ret_step)
{
    if (ledger_budget(explaining->telling.ledger, explaining->budget, &explaining->view))
        return false;
    const struct mete_budget_view *view = &explaining->view;
    ret_step->limit = view->limit;
    ret_step->committed = view->committed;
    ret_step->held = view->held;
    ret_step->window_start = view->window_start;
    return true;
}

/* Before an entry is applied: what its end will touch. */
static void foresee(void *user, const struct entry *entry)
{
    struct explaining *explaining = user;
    uint64_t id = telling_reservation(entry);
    explaining->is_past = false;
    explaining->taken = (struct ledger_taken){0};
    if (!explaining->is_there || !id || entry->kind == ENTRY_RESERVE ||
        ledger_taken(explaining->telling.ledger, id, &explaining->taken))
        return;
    explaining->is_past = takes_from(&explaining->taken, explaining->budget) &&
                          explaining->taken.made_at_us < explaining->last.window_start.us &&
                          !ledger_past(explaining->telling.ledger, explaining->budget,
                                       explaining->taken.made_at_us, &explaining->past);
}

/* ---- Telling --------------------------------------------------------------------------------- */

/* What it stood at when the telling begins, so that the steps add up. */
static int tell_before(struct explaining *explaining, const struct entry *entry)
{
    if (explaining->is_begun || entry->at_us < explaining->telling.since_us)
        return 0;
    explaining->is_begun = true;
    if (!explaining->is_there)
        return 0;
    struct mete_step step = explaining->last;
    step.seq = entry->seq - 1;
    step.what = "before";
    step.scope = (struct mete_scope_id){0};
    step.reservation = (struct mete_reservation_id){0};
    return explaining->fn(explaining->user, &step);
}

static int tell(struct explaining *explaining, const struct entry *entry, struct mete_step *step)
{
    if (!explaining->is_begun)
        return 0;
    step->seq = entry->seq;
    step->at.us = entry->at_us;
    step->what = telling_word((enum entry_kind)entry->kind);
    step->reservation.n = telling_reservation(entry);
    if (entry->kind == ENTRY_RESERVE)
        step->scope.n = entry->u.reserve.scope;
    else if (entry->kind == ENTRY_RECORD)
        step->scope.n = entry->u.record.scope;
    else
        step->scope.n = explaining->taken.scope;
    return explaining->fn(explaining->user, step);
}

/* The last call of a window takes it along: then its figures follow from what they were. */
static int tell_past(struct explaining *explaining, const struct entry *entry)
{
    struct ledger_window after;
    const struct ledger_taken *taken = &explaining->taken;
    const struct ledger_ended *ended = &explaining->telling.effects.ended;
    if (ledger_past(explaining->telling.ledger, explaining->budget, taken->made_at_us, &after)) {
        struct ledger_unit unit = {.meter = explaining->view.meter,
                                   .currency = explaining->view.currency,
                                   .made_seq = taken->made_seq,
                                   .made_at_us = taken->made_at_us};
        after = explaining->past;
        if (!taken->is_closed)
            after.held -= ledger_amount_in(explaining->telling.ledger, &unit, taken->amounts,
                                           taken->amounts_len);
        unit.is_charged = true;
        if (entry->kind == ENTRY_CORRECT)
            after.committed +=
                ledger_amount_in(explaining->telling.ledger, &unit, entry->u.correct.amounts,
                                 entry->u.correct.amounts_len) -
                ledger_amount_in(explaining->telling.ledger, &unit, taken->amounts,
                                 taken->amounts_len);
        else if (explaining->telling.effects.has_ended)
            after.committed += ledger_amount_in(explaining->telling.ledger, &unit, ended->amounts,
                                                ended->amounts_len);
    }
    struct mete_step step = {.limit = explaining->last.limit,
                             .committed = after.committed,
                             .held = after.held,
                             .window_start = {after.start_us}};
    return tell(explaining, entry, &step);
}

static int each(void *user, const struct entry *entry, const struct projection *projection)
{
    struct explaining *explaining = user;
    struct mete_step step = {0};
    (void)projection;
    int error = tell_before(explaining, entry);
    bool is_there = look(explaining, &step);
    if (!error && explaining->is_past)
        error = tell_past(explaining, entry);
    bool differs = is_there && (!explaining->is_there || step.limit != explaining->last.limit ||
                                step.committed != explaining->last.committed ||
                                step.held != explaining->last.held ||
                                step.window_start.us != explaining->last.window_start.us);
    if (!error && differs)
        error = tell(explaining, entry, &step);
    explaining->is_there = is_there;
    explaining->last = step;
    return error;
}

int mete_explain(struct mete *mete, struct mete_budget_id budget, struct mete_instant since,
                 int (*fn)(void *user, const struct mete_step *step), void *user)
{
    ASSERT(mete && fn);
    if (!mete->is_durable)
        return METE_E_INVALID;
    struct explaining *explaining = calloc(1, sizeof *explaining);
    if (!explaining)
        return METE_E_MEMORY;
    explaining->telling = (struct telling){.mete = mete, .since_us = since.us};
    explaining->budget = budget.n;
    explaining->fn = fn;
    explaining->user = user;
    int error = telling_begin(&explaining->telling);
    if (!error) {
        explaining->is_there = look(explaining, &explaining->last);
        explaining->last.at.us = ledger_last_at_us(explaining->telling.ledger);
        explaining->telling.replay.before = foresee;
        explaining->telling.replay.each = each;
        explaining->telling.replay.user = explaining;
        error = telling_follow(&explaining->telling);
    }
    if (!error && !explaining->is_there)
        error = METE_E_NOT_FOUND;
    telling_done(&explaining->telling);
    free(explaining);
    return error;
}
