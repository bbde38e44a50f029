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
#include "engine/engine.h"

#include "engine/replay.h"
#include "engine/snapshots.h"

#include <stdlib.h>

struct explaining {
    struct mete *mete;
    uint32_t budget;
    int64_t since_us;
    int (*fn)(void *user, const struct mete_step *step);
    void *user;
    struct ledger *ledger;
    struct replay replay;
    struct journal_mark mark;
    struct journal_piece piece;
    bool is_there, is_begun; /* the budget; what it stood at was told */
    struct mete_step last;   /* of the present window */
    struct ledger_taken taken;
    bool is_past;              /* the entry to come ends or changes one of a window before */
    struct ledger_window past; /* that window before the entry */
    struct mete_budget_view view;
    struct ledger_effects effects;
};

static const char *const names[ENTRY_KINDS] = {
    "none",      "genesis",    "scope",    "budget",   "budget_end",   "window",
    "reserve",   "refuse",     "commit",   "release",  "expire",       "record",
    "scope_end", "scope_move", "limit",    "increase", "increase_end", "lift",
    "default",   "rate",       "rate_end", "grant",    "refund",       "quota_end",
    "exchange",  "meter",      "extend",   "correct",  "base"};

static uint64_t reservation_of(const struct entry *entry)
{
    if (entry->kind == ENTRY_COMMIT)
        return entry->u.commit.reservation;
    if (entry->kind == ENTRY_RELEASE || entry->kind == ENTRY_EXPIRE)
        return entry->u.end.reservation;
    if (entry->kind == ENTRY_EXTEND)
        return entry->u.extend.reservation;
    if (entry->kind == ENTRY_CORRECT)
        return entry->u.correct.reservation;
    return entry->kind == ENTRY_RESERVE ? entry->u.reserve.reservation : 0;
}

static bool takes_from(const struct ledger_taken *taken, uint32_t budget)
{
    for (uint32_t i = 0; i < taken->budgets_len; i++)
        if (taken->budgets[i] == budget)
            return true;
    return false;
}

static bool look(struct explaining *explaining, struct mete_step *ret_step)
{
    if (ledger_budget(explaining->ledger, explaining->budget, &explaining->view))
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
    uint64_t id = reservation_of(entry);
    explaining->is_past = false;
    explaining->taken = (struct ledger_taken){0};
    if (!explaining->is_there || !id || entry->kind == ENTRY_RESERVE ||
        ledger_taken(explaining->ledger, id, &explaining->taken))
        return;
    explaining->is_past = takes_from(&explaining->taken, explaining->budget) &&
                          explaining->taken.made_at_us < explaining->last.window_start.us &&
                          !ledger_past(explaining->ledger, explaining->budget,
                                       explaining->taken.made_at_us, &explaining->past);
}

/* ---- Telling --------------------------------------------------------------------------------- */

/* What it stood at when the telling begins, so that the steps add up. */
static int tell_before(struct explaining *explaining, const struct entry *entry)
{
    if (explaining->is_begun || entry->at_us < explaining->since_us)
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
    step->what = names[entry->kind];
    step->reservation.n = reservation_of(entry);
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
    const struct ledger_ended *ended = &explaining->effects.ended;
    if (ledger_past(explaining->ledger, explaining->budget, taken->made_at_us, &after)) {
        struct ledger_unit unit = {.meter = explaining->view.meter,
                                   .currency = explaining->view.currency,
                                   .made_seq = taken->made_seq,
                                   .made_at_us = taken->made_at_us};
        after = explaining->past;
        if (!taken->is_closed)
            after.held -=
                ledger_amount_in(explaining->ledger, &unit, taken->amounts, taken->amounts_len);
        unit.is_charged = true;
        if (entry->kind == ENTRY_CORRECT)
            after.committed +=
                ledger_amount_in(explaining->ledger, &unit, entry->u.correct.amounts,
                                 entry->u.correct.amounts_len) -
                ledger_amount_in(explaining->ledger, &unit, taken->amounts, taken->amounts_len);
        else if (explaining->effects.has_ended)
            after.committed +=
                ledger_amount_in(explaining->ledger, &unit, ended->amounts, ended->amounts_len);
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

/* ---- Following the journal ------------------------------------------------------------------- */

static int knows(void *user, const struct journal_mark *mark)
{
    const struct mete *mete = user;
    return mark->seq < atomic_load(&mete->follower.cut) ? METE_E_NOT_FOUND : 0;
}

/* The newest snapshot before the instant, or the beginning. */
static int begin(struct explaining *explaining)
{
    struct mete *mete = explaining->mete;
    uint64_t cut = atomic_load(&mete->follower.cut);
    int error = ledger_open(&mete->follower.room, &explaining->ledger);
    if (error)
        return error;
    const struct snapshots_wanted wanted = {.directory = mete->directory,
                                            .seq_max = atomic_load(&mete->flushed),
                                            .at_us_max = explaining->since_us - 1,
                                            .knows = knows,
                                            .user = mete};
    error = snapshots_find(&wanted, &explaining->ledger, &explaining->mark);
    bool is_none = error == METE_E_NOT_FOUND || error == METE_E_STORAGE;
    if (is_none && cut) { /* what was before the base nobody knows any more */
        uint8_t hash[SNAPSHOT_HASH];
        error = snapshots_load(mete->directory, cut, &explaining->ledger, &explaining->mark, hash);
    } else if (is_none) {
        error = 0;
    }
    if (!error)
        explaining->is_there = look(explaining, &explaining->last);
    explaining->last.at.us = ledger_last_at_us(explaining->ledger);
    return error;
}

static int apply_group(void *user, const struct journal_group *group)
{
    return replay_group(user, group);
}

/* CORRUPT in the middle of a cut is no damage: what was to be read is gone. */
static int follow(struct explaining *explaining)
{
    struct mete *mete = explaining->mete;
    uint64_t upto = atomic_load(&mete->flushed), cut = atomic_load(&mete->follower.cut);
    int error = 0;
    while (!error && explaining->mark.seq < upto) {
        struct chore chore = {
            .kind = CHORE_FETCH, .after = explaining->mark.seq, .piece = &explaining->piece};
        error = chore_run(mete, &chore);
        if (!error && !explaining->piece.len)
            error = METE_E_CORRUPT;
        if (!error)
            error = journal_unfold(&explaining->piece, &explaining->mark, apply_group,
                                   &explaining->replay, NULL);
    }
    return error == METE_E_CORRUPT && cut != atomic_load(&mete->follower.cut) ? METE_E_BUSY : error;
}

int mete_explain(struct mete *mete, struct mete_budget_id budget, struct mete_instant since,
                 int (*fn)(void *user, const struct mete_step *step), void *user)
{
    ASSERT(mete && fn);
    if (!mete->is_durable)
        return METE_E_INVALID;
    struct explaining *explaining = calloc(1, sizeof *explaining);
    uint8_t *room = malloc(JOURNAL_PIECE_MIN);
    int error = explaining && room ? 0 : METE_E_MEMORY;
    if (!error) {
        *explaining = (struct explaining){.mete = mete,
                                          .budget = budget.n,
                                          .since_us = since.us,
                                          .fn = fn,
                                          .user = user,
                                          .piece = {room, 0, JOURNAL_PIECE_MIN}};
        error = begin(explaining);
        explaining->replay = (struct replay){.ledger = explaining->ledger,
                                             .effects = &explaining->effects,
                                             .project_from = UINT64_MAX,
                                             .before = foresee,
                                             .each = each,
                                             .user = explaining};
    }
    if (!error)
        error = follow(explaining);
    if (!error && !explaining->is_there)
        error = METE_E_NOT_FOUND;
    if (explaining)
        ledger_close(explaining->ledger);
    free(room);
    free(explaining);
    return error;
}
