/* SPDX-License-Identifier: Apache-2.0
 * Dated increases of a budget's limit (rule 9 of docs/semantics.md).
 *
 *   put --from--> active --until or an end--> gone          (put as active, if it has begun)
 *
 * Time alone changes nothing here: a budget's stale_at is the window's end or the next instant at
 * which an increase begins or ends, whichever comes first, so that who meets the budget later finds
 * it stale and has an ENTRY_LIMIT entered, as for a window. What is active is what the last entry
 * found; a replay therefore needs no clock.
 *
 * Increases lie in one pool, chained at their budget in the order they were put. Room for all that
 * every budget may have is reserved, so that putting one cannot run out of it. Those of a budget
 * that is ended stay as they are: nothing asks for them any more. */
#include "ledger/extras.h"
#include "ledger/batch.h"
#include "ledger/increases.h"

/* ---- The list -------------------------------------------------------------------------------- */

static struct increase *first_of(const struct ledger *ledger, uint32_t budget)
{
    const struct extra *extra = extras_of(ledger, budget);
    return extra && extra->increases ? &ledger->increases[extra->increases] : NULL;
}

static struct increase *next_of(const struct ledger *ledger, const struct increase *increase)
{
    return increase->next ? &ledger->increases[increase->next] : NULL;
}

uint32_t increases_of(const struct ledger *ledger, uint32_t budget)
{
    uint32_t len = 0;
    for (const struct increase *at = first_of(ledger, budget); at; at = next_of(ledger, at))
        len++;
    return len;
}

struct increase *increases_add(struct ledger *ledger, uint32_t budget)
{
    uint32_t at = ledger->increase_free;
    if (at) {
        ledger->increase_free = ledger->increases[at].next;
    } else {
        ASSERT(ledger->increases_len < (uint64_t)ledger->room.budgets * LIMIT_INCREASES);
        at = ++ledger->increases_len;
    }
    ledger->increases[at] = (struct increase){0};
    uint32_t *link = &extras_make(ledger, budget)->increases;
    while (*link)
        link = &ledger->increases[*link].next;
    *link = at;
    ledger->budgets[budget].traits |= BUDGET_INCREASED;
    return &ledger->increases[at];
}

/* Takes out the one that *link leads to. */
static void drop(struct ledger *ledger, uint32_t *link)
{
    uint32_t at = *link;
    *link = ledger->increases[at].next;
    ledger->increases[at] = (struct increase){.next = ledger->increase_free};
    ledger->increase_free = at;
}

int64_t increases_next_at(const struct ledger *ledger, uint32_t budget)
{
    int64_t next_us = INT64_MAX;
    if (!(ledger->budgets[budget].traits & BUDGET_INCREASED))
        return next_us;
    for (const struct increase *at = first_of(ledger, budget); at; at = next_of(ledger, at))
        next_us = min_i64(next_us, at->is_active ? at->until_us : at->from_us);
    return next_us;
}

/* Of those that are active; more than any limit may be is as much as it may be. */
static int64_t sum_of(const struct ledger *ledger, uint32_t budget)
{
    int64_t sum = 0;
    for (const struct increase *at = first_of(ledger, budget); at; at = next_of(ledger, at))
        if (at->is_active && (!checked_add(sum, at->amount, &sum) || sum > METE_AMOUNT_MAX))
            return METE_AMOUNT_MAX;
    return sum;
}

/* ---- Applying -------------------------------------------------------------------------------- */

/* The list is another: so is, maybe, the limit, and when it will change again. */
static void settle(struct ledger *ledger, uint32_t budget, const struct entry *entry,
                   struct ledger_effects *effects)
{
    struct extra *extra = extras_of(ledger, budget);
    extra->increased = sum_of(ledger, budget);
    if (!extra->increases)
        ledger->budgets[budget].traits &= (uint8_t)~BUDGET_INCREASED;
    budgets_sum_limit(ledger, budget, entry, effects);
    budgets_set_stale(ledger, budget);
    ASSERT(entry->at_us < ledger->budgets[budget].stale_at_us);
}

static bool is_usable(const struct ledger *ledger, uint32_t budget, int64_t at_us)
{
    return budget > 0 && budget <= ledger->budgets_len &&
           ledger->budgets[budget].life == BUDGET_LIVES &&
           at_us < ledger->budgets[budget].stale_at_us;
}

bool increases_apply_put(struct ledger *ledger, const struct entry *entry,
                         struct ledger_effects *effects)
{
    const struct mete_increase_spec *spec = &entry->u.increase.spec;
    uint32_t budget = spec->budget.n;
    if (!is_usable(ledger, budget, entry->at_us) ||
        ledger->budgets[budget].traits & BUDGET_TEMPLATE || spec->amount < 1 ||
        spec->amount > METE_AMOUNT_MAX || spec->from.us < 0 || spec->from.us >= spec->until.us ||
        spec->until.us <= entry->at_us || increases_of(ledger, budget) == LIMIT_INCREASES)
        return false;
    struct extra *extra = extras_make(ledger, budget);
    if (entry->u.increase.number != extra->increases_made + 1)
        return false;
    extra->increases_made++;
    struct increase *increase = increases_add(ledger, budget);
    increase->amount = spec->amount;
    increase->from_us = spec->from.us;
    increase->until_us = spec->until.us;
    increase->number = extra->increases_made;
    increase->is_active = spec->from.us <= entry->at_us;
    settle(ledger, budget, entry, effects);
    return true;
}

bool increases_apply_end(struct ledger *ledger, const struct entry *entry,
                         struct ledger_effects *effects)
{
    uint32_t budget = entry->u.increase_end.budget;
    if (!is_usable(ledger, budget, entry->at_us) || !extras_of(ledger, budget))
        return false;
    uint32_t *link = &extras_of(ledger, budget)->increases;
    while (*link && ledger->increases[*link].number != entry->u.increase_end.number)
        link = &ledger->increases[*link].next;
    if (!*link)
        return false;
    drop(ledger, link);
    settle(ledger, budget, entry, effects);
    return true;
}

bool increases_apply_limit(struct ledger *ledger, const struct entry *entry,
                           struct ledger_effects *effects)
{
    uint32_t budget = entry->u.limit.budget;
    if (budget == 0 || budget > ledger->budgets_len ||
        ledger->budgets[budget].life != BUDGET_LIVES ||
        entry->at_us >= ledger->cold[budget].window_end_us ||
        entry->at_us < increases_next_at(ledger, budget))
        return false;
    uint32_t *link = &extras_of(ledger, budget)->increases;
    while (*link) {
        struct increase *increase = &ledger->increases[*link];
        if (increase->until_us <= entry->at_us) {
            drop(ledger, link);
            continue;
        }
        increase->is_active = increase->from_us <= entry->at_us;
        link = &increase->next;
    }
    settle(ledger, budget, entry, effects);
    return true;
}

/* ---- Deciding -------------------------------------------------------------------------------- */

/* What the batch so far does to the increases of one budget. */
struct tally {
    uint32_t made;  /* by the batch */
    uint32_t ended; /* of those that are there or were made */
    bool is_there;  /* the number that was looked for */
};

static struct tally count(const struct batch *batch, uint32_t budget, uint32_t number)
{
    struct tally tally = {0};
    const struct ledger *ledger = batch->ledger;
    if (budget <= ledger->budgets_len)
        for (const struct increase *at = first_of(ledger, budget); at; at = next_of(ledger, at))
            tally.is_there |= at->number == number && at->until_us > batch->now_us;
    for (size_t i = 0; i < batch->len; i++) {
        const struct mete_change *change = &batch->changes[i];
        bool puts = change->kind == METE_PUT_INCREASE &&
                    batch_resolve(batch, change->increase.budget.n) == budget;
        bool ends =
            change->kind == METE_END_INCREASE && batch_resolve(batch, change->end.n) == budget;
        tally.made += puts;
        tally.ended += ends;
        if (batch->handles[i] == number)
            tally.is_there = (tally.is_there || puts) && !ends;
    }
    return tally;
}

/* Those that have not ended, whether the entry that says so has been made or not. */
static uint32_t count_known(const struct batch *batch, uint32_t budget, uint32_t *ret_made)
{
    const struct ledger *ledger = batch->ledger;
    uint32_t len = 0;
    *ret_made = 0;
    if (budget > ledger->budgets_len || !extras_of(ledger, budget))
        return len;
    *ret_made = extras_of(ledger, budget)->increases_made;
    for (const struct increase *at = first_of(ledger, budget); at; at = next_of(ledger, at))
        len += at->until_us > batch->now_us;
    return len;
}

static int judge_put(const struct batch *batch, const struct mete_change *change, uint32_t budget,
                     uint32_t *ret_number)
{
    const struct mete_increase_spec *spec = &change->increase;
    if (spec->amount < 1 || spec->amount > METE_AMOUNT_MAX || spec->from.us < 0 ||
        spec->from.us >= spec->until.us || spec->until.us > ENTRY_INSTANT_MAX_US ||
        spec->until.us <= batch->now_us)
        return METE_E_INVALID;
    if (change->flags & METE_CHANGE_UPDATE)
        return METE_E_NOT_FOUND; /* they are only ever made */
    uint32_t made;
    uint32_t known = count_known(batch, budget, &made);
    struct tally tally = count(batch, budget, 0);
    if (known + tally.made - tally.ended >= LIMIT_INCREASES)
        return METE_E_FULL;
    *ret_number = made + tally.made + 1;
    return 0;
}

static bool is_template(const struct batch *batch, uint32_t budget)
{
    for (size_t i = 0; i < batch->len; i++)
        if (batch->changes[i].kind == METE_PUT_BUDGET && batch->handles[i] == budget)
            return batch->changes[i].budget.for_kind != METE_KIND_NONE;
    return batch->ledger->budgets[budget].traits & BUDGET_TEMPLATE;
}

int increases_judge(const struct batch *batch, const struct mete_change *change,
                    uint32_t *ret_number)
{
    bool puts = change->kind == METE_PUT_INCREASE;
    uint32_t budget;
    int rc = batch_judge_living(batch, puts ? change->increase.budget.n : change->end.n, &budget);
    if (rc)
        return rc;
    if (puts && is_template(batch, budget))
        return METE_E_INVALID; /* it has no limit in force */
    if (puts)
        return judge_put(batch, change, budget, ret_number);
    *ret_number = change->end_increase;
    return count(batch, budget, change->end_increase).is_there ? 0 : METE_E_NOT_FOUND;
}

void increases_write(const struct mete_change *change, uint32_t number, struct slice actor,
                     struct entry *entry)
{
    if (change->kind == METE_END_INCREASE) {
        entry->kind = ENTRY_INCREASE_END;
        entry->u.increase_end.budget = change->end.n;
        entry->u.increase_end.number = number;
        entry->u.increase_end.actor = actor;
        return;
    }
    ASSERT(change->kind == METE_PUT_INCREASE);
    entry->kind = ENTRY_INCREASE;
    entry->u.increase.number = number;
    entry->u.increase.spec = change->increase;
    entry->u.increase.document = (struct slice){change->document.data, change->document.len};
    entry->u.increase.actor = actor;
}

/* ---- Looking --------------------------------------------------------------------------------- */

size_t ledger_increases(const struct ledger *ledger, uint32_t budget,
                        struct mete_increase_view *ret_views, size_t max)
{
    size_t len = 0;
    for (const struct increase *at = first_of(ledger, budget); at; at = next_of(ledger, at)) {
        if (len < max)
            ret_views[len] = (struct mete_increase_view){.budget = {budget},
                                                         .number = at->number,
                                                         .amount = at->amount,
                                                         .from = {at->from_us},
                                                         .until = {at->until_us},
                                                         .active = at->is_active};
        len++;
    }
    return len;
}

void increases_check(const struct ledger *ledger, uint32_t budget)
{
    const struct extra *extra = extras_of(ledger, budget);
    uint32_t last = 0;
    ASSERT(increases_of(ledger, budget) <= LIMIT_INCREASES);
    for (const struct increase *at = first_of(ledger, budget); at; at = next_of(ledger, at)) {
        ASSERT(at->number > last && at->number <= extra->increases_made);
        ASSERT(at->amount > 0 && at->amount <= METE_AMOUNT_MAX && at->from_us < at->until_us);
        last = at->number;
    }
    ASSERT_INV("INV-01", extra->increased == sum_of(ledger, budget));
    ASSERT(!(ledger->budgets[budget].traits & BUDGET_INCREASED) == !extra->increases);
}
