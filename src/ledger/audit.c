/* SPDX-License-Identifier: Apache-2.0
 * Looking at the whole: the audit that runs beside the work, and the check that tests run after
 * every step. Both go over budgets and open reservations.
 *
 * The audit needs no room of its own: it takes every open reservation's amounts out of the
 * counters, looks whether anything but zero is left, and puts them back (modulo 2^64, so that even
 * a counter that went wrong comes back as it was). Committed figures are compared in the sum: what
 * was ever charged is what stands in the windows plus what windows that are gone stood at. */
#include "ledger/extras.h"
#include "ledger/controls.h"
#include "ledger/exchanges.h"
#include "ledger/increases.h"
#include "ledger/moves.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"
#include "ledger/rolling.h"
#include "ledger/rollover.h"
#include "ledger/templates.h"

/* Likewise what is held in grants. */
static void shift_draws(struct ledger *ledger, uint32_t quota, struct words *words, uint64_t sign)
{
    struct draws draws;
    draws_next(words, &draws);
    ASSERT(quota > 0 && quota <= ledger->quotas_len);
    for (size_t i = 0; i < draws.len; i++) {
        ASSERT(draws.at[i].grant > 0 && draws.at[i].grant <= ledger->grants_len);
        struct grant *grant = &ledger->grants[draws.at[i].grant];
        ASSERT_INV("INV-02", grant->quota == quota);
        grant->held = (int64_t)((uint64_t)grant->held + sign * (uint64_t)draws.at[i].amount);
    }
}

static void shift_take(struct ledger *ledger, const struct reservation *slot, struct take take,
                       const struct held *held, size_t len, uint64_t sign)
{
    if (take.kind == TAKE_RATE) {
        ASSERT(take.handle > 0 && take.handle <= ledger->rates_len);
        ledger->rates[take.handle].open += (uint32_t)(sign & UINT32_MAX);
        return;
    }
    ASSERT(take.kind == TAKE_BUDGET);
    ASSERT(take.handle > 0 && take.handle <= ledger->budgets_len);
    if (slot->is_closed && ledger->budgets[take.handle].life != BUDGET_LIVES)
        return;
    struct counters counters = budgets_counters(ledger, take.handle, (int64_t)slot->made_at_us);
    if (slot->is_closed) {
        *budgets_closed(ledger, take.handle, &counters) += (uint32_t)(sign & UINT32_MAX);
        return;
    }
    *counters.open += (uint32_t)(sign & UINT32_MAX);
    uint32_t unit = ledger->budgets[take.handle].unit, money = 0;
    uint64_t amount = 0;
    for (size_t h = 0; h < len; h++) {
        money = exchange_add(money, held[h].unit);
        if (held[h].unit == unit)
            amount = (uint64_t)held[h].amount;
    }
    if (exchange_needed(money, unit))
        amount = (uint64_t)exchanges_sum(ledger, held, len, unit, exchanges_as_of(ledger, slot),
                                         ROUND_UP)
                     .amount;
    *counters.held = (int64_t)((uint64_t)*counters.held + sign * amount);
}

/* Adds (sign 1) or takes (sign -1, as its two's complement) all that is open or closed. */
static void shift_all(struct ledger *ledger, uint64_t sign)
{
    for (uint32_t i = 0; i < ledger->slots_len; i++) {
        const struct reservation *slot = &ledger->slots[i];
        if (slot->generation == 0)
            continue;
        struct held held[METE_DEMANDS_MAX];
        struct words words;
        size_t len = reservations_amounts(ledger, slot, held, &words);
        for (unsigned t = 0; t < slot->takes_len; t++) {
            struct take take = words_next_take(&words);
            if (take.kind == TAKE_QUOTA && slot->is_closed)
                words_skip_draws(&words); /* it is drawn, not held */
            else if (take.kind == TAKE_QUOTA)
                shift_draws(ledger, take.handle, &words, sign);
            else
                shift_take(ledger, slot, take, held, len, sign);
        }
    }
}

static uint64_t count_drift(const struct ledger *ledger)
{
    uint64_t drift = 0, sum = ledger->retired_sum;
    for (uint32_t b = 1; b <= ledger->budgets_len; b++) {
        drift += ledger->budgets[b].held != 0 || ledger->budgets[b].open != 0 ||
                 ledger->cold[b].closed != 0;
        drift += ledger->budgets[b].traits & BUDGET_ROLLING && !rolling_adds_up(ledger, b);
        sum += (uint64_t)ledger->budgets[b].committed;
        for (uint32_t p = ledger->cold[b].past; p; p = ledger->pasts[p].next) {
            drift += ledger->pasts[p].held != 0 || ledger->pasts[p].open != 0 ||
                     ledger->pasts[p].closed != 0;
            sum += (uint64_t)ledger->pasts[p].committed;
        }
    }
    for (uint32_t r = 1; r <= ledger->rates_len; r++)
        drift += ledger->rates[r].open != 0;
    return drift + (sum != ledger->charged_sum) + quotas_drift(ledger);
}

uint64_t ledger_audit(struct ledger *ledger)
{
    shift_all(ledger, UINT64_MAX);
    uint64_t drift = count_drift(ledger);
    shift_all(ledger, 1);
    return drift;
}

/* ---- ledger_check() -------------------------------------------------------------------------- */

/* Whether the way up ends, within the longest path there may be. */
static bool is_rooted(const struct ledger *ledger, uint32_t scope)
{
    unsigned depth = 0;
    for (; scope && depth <= LIMIT_PATH_SCOPES; scope = ledger->scopes[scope].parent)
        depth++;
    return depth <= LIMIT_PATH_SCOPES;
}

static bool is_child(const struct scope *scope)
{
    return scope->parent && !(scope->flags & SCOPE_ENDED);
}

/* Scopes count their living children and the open reservations whose leaf they are: counted down
 * here to nothing, and up again. */
static void check_scope_counts(struct ledger *ledger)
{
    for (uint32_t s = 1; s <= ledger->scopes_len; s++)
        if (is_child(&ledger->scopes[s]))
            ledger->scope_ends[ledger->scopes[s].parent].children--;
    for (uint32_t i = 0; i < ledger->slots_len; i++)
        if (ledger->slots[i].generation && !ledger->slots[i].is_closed)
            ledger->scopes[ledger->slots[i].scope].open--;
    for (uint32_t s = 1; s <= ledger->scopes_len; s++)
        ASSERT_INV("INV-02", ledger->scopes[s].open == 0 && ledger->scope_ends[s].children == 0);
    for (uint32_t s = 1; s <= ledger->scopes_len; s++)
        if (is_child(&ledger->scopes[s]))
            ledger->scope_ends[ledger->scopes[s].parent].children++;
    for (uint32_t i = 0; i < ledger->slots_len; i++)
        if (ledger->slots[i].generation && !ledger->slots[i].is_closed)
            ledger->scopes[ledger->slots[i].scope].open++;
}

static void check_scopes(const struct ledger *ledger)
{
    uint64_t remembered = 0;
    for (uint32_t s = 1; s <= ledger->scopes_len; s++) {
        const struct scope *scope = &ledger->scopes[s];
        const struct scope_ends *ends = &ledger->scope_ends[s];
        ASSERT(scope->parent <= ledger->scopes_len && scope->budgets_len <= LIMIT_SCOPE_BUDGETS);
        ASSERT((scope->flags & ~(SCOPE_REVOKED | SCOPE_ENDED)) == 0);
        ASSERT_INV("INV-02",
                   !(scope->flags & SCOPE_ENDED) || (scope->budgets_len == 0 && scope->rates == 0 &&
                                                     scope->quotas == 0 && ends->children == 0));
        ASSERT(is_rooted(ledger, s));
        uint32_t found = ledger_find_scope(ledger, (enum mete_kind)scope->kind,
                                           scopes_organization(ledger, s), scopes_id(ledger, s));
        ASSERT(scope_is_gone(scope) ? found != s : found == s);
        for (unsigned i = 0; i < scope->budgets_len; i++) {
            const struct budget *budget = &ledger->budgets[scope->budgets[i]];
            ASSERT(budget->scope == s && budget->life == BUDGET_LIVES);
            ASSERT(i == 0 || scope->budgets[i - 1] < scope->budgets[i]);
        }
        uint32_t len = 0;
        uint32_t last = 0;
        for (uint32_t item = ends->outcome_first; item; len++) {
            last = item;
            item = ledger->next_of_scope[item];
        }
        ASSERT(last == ends->outcome_last);
        ASSERT(len == ends->outcomes_len && len <= LIMIT_SCOPE_OUTCOMES);
        remembered += len;
    }
    ASSERT(remembered == ledger->counts.outcomes);
}

static void check_budget(const struct ledger *ledger, uint32_t b)
{
    const struct budget *budget = &ledger->budgets[b];
    ASSERT_INV("INV-07", budget->committed >= 0 && budget->held >= 0);
    ASSERT_INV("INV-02", budget->open > 0 || budget->held == 0);
    ASSERT(budget->life != BUDGET_GONE || (budget->open == 0 && ledger->cold[b].past == 0));
    ASSERT(budget->life == BUDGET_LIVES || ledger->cold[b].closed == 0);
    uint32_t found = ledger_find_budget(ledger, scopes_organization(ledger, budget->scope),
                                        budgets_id(ledger, b));
    ASSERT(budget->life == BUDGET_GONE ? found != b : found == b);
    uint32_t ppm[METE_THRESHOLDS_MAX];
    size_t len = budgets_thresholds(ledger, b, ppm);
    for (size_t i = 0; i < len; i++) {
        bool is_reached = budget->committed > 0 &&
                          (int128)budget->committed * 1000000 >= (int128)budget->limit * ppm[i];
        /* A correction may have taken away what made it fire. */
        bool has_fired = budget->fired >> i & 1;
        ASSERT_INV("INV-10", budget->mode == METE_OFF || is_reached == has_fired ||
                                 (has_fired && ledger->counts.corrections > 0));
    }
    const struct budget_cold *cold = &ledger->cold[b];
    const struct extra *extra = extras_of(ledger, b);
    if (budget->traits & BUDGET_CONTROLLED)
        controls_check(ledger, b);
    if (extra)
        increases_check(ledger, b);
    int128 limit = (int128)cold->base_limit + (extra ? extra->carried + extra->increased : 0);
    ASSERT(budget->limit == (limit > METE_AMOUNT_MAX ? METE_AMOUNT_MAX : (int64_t)limit));
    ASSERT(cold->extra <= ledger->extras_len && (extra || budget->traits == 0));
    ASSERT_INV("INV-09",
               budget->stale_at_us == min_i64(cold->window_end_us, increases_next_at(ledger, b)));
    bool counts = !(budget->traits & BUDGET_TEMPLATE);
    ASSERT(!(budget->traits & BUDGET_ROLLING) == (budget->period != METE_ROLLING || !counts));
    if (budget->traits & BUDGET_ROLLING)
        rolling_check(ledger, b);
    ASSERT(budget->traits & BUDGET_CARRIES || !counts || !extra ||
           (!extra->rollover_cap && !extra->carried));
    if (budget->traits & BUDGET_CARRIES)
        rollover_check(ledger, b);
    int64_t before_us = budget->window_start_us;
    for (uint32_t p = cold->past; p; p = ledger->pasts[p].next) {
        const struct past *past = &ledger->pasts[p];
        ASSERT_INV("INV-02", past->budget == b && past->held >= 0);
        ASSERT_INV("INV-02", past->open > 0 || past->closed > 0);
        ASSERT_INV("INV-09", past->end_us <= before_us && past->start_us < past->end_us);
        before_us = past->start_us;
    }
}

static void check_reservations(const struct ledger *ledger)
{
    uint64_t open = 0, closed = 0;
    for (uint32_t i = 0; i < ledger->slots_len; i++) {
        const struct reservation *slot = &ledger->slots[i];
        closed += slot->is_closed;
        if (slot->generation == 0 || slot->is_closed)
            continue;
        open++;
        ASSERT_INV("INV-03", slot->is_call ? ledger->calls[slot->position].slot == i
                                           : ledger->heap[slot->position].slot == i);
        ASSERT_INV("INV-03", !outcomes_find(ledger, reservation_id(i, slot->generation), 0));
    }
    ASSERT(open == ledger->counts.reservations_open);
    ASSERT(open == (uint64_t)ledger->heap_len + ledger->calls_len);
    for (uint32_t i = 1; i < ledger->heap_len; i++)
        ASSERT(ledger->heap[(i - 1) / 2].at_us <= ledger->heap[i].at_us);
    uint64_t free_slots = 0;
    for (uint32_t at = ledger->slot_free; at; at = ledger->slots[at - 1].chunk)
        free_slots++;
    ASSERT(open + closed + free_slots == ledger->slots_len);
    for (uint64_t at = ledger->closed_first; at < ledger->closed_end; at++)
        closed -= ledger->closed[at % closed_room(&ledger->room)].slot != 0;
    ASSERT_INV("INV-03", closed == 0);
    correct_check(ledger);
}

void ledger_check(const struct ledger *ledger)
{
    /* Both give back what they take, so that a look leaves the ledger as it was. */
    struct ledger *owner = (struct ledger *)(uintptr_t)ledger;
    check_scopes(ledger);
    check_scope_counts(owner);
    for (uint32_t b = 1; b <= ledger->budgets_len; b++)
        check_budget(ledger, b);
    moves_check(ledger);
    rates_check(ledger);
    exchanges_check(ledger);
    templates_check_all(ledger);
    check_reservations(ledger);
    quotas_check(ledger);
    ASSERT(ledger->outcomes_end - ledger->outcomes_first <= ledger->room.outcomes);
    ASSERT_INV("INV-07", ledger_audit(owner) == 0);
}

bool ledger_sound(const struct ledger *ledger, char ret_what[256])
{
    struct assert_trap trap;
    if (setjmp(trap.back)) {
        memcpy(ret_what, trap.what, sizeof trap.what);
        return false;
    }
    uint8_t hash[32];
    assert_trap_set(&trap);
    ledger_check(ledger);
    ledger_hash(ledger, hash); /* reads everything */
    assert_trap_set(NULL);
    return true;
}
