/* SPDX-License-Identifier: Apache-2.0
 * True figures for what ended without them (INV-03). A reservation that expired, or was committed
 * provisionally, is closed: it keeps its slot for a while, with what it was charged in the place of
 * what it held, so that a commit that comes late moves each budget by the difference, in the window
 * that was charged, once.
 *
 *   open --EXPIRE, provisional COMMIT--> closed --CORRECT--> free
 *                                          |
 *                                          +--24 h, or as many others closed as there is room for
 *
 * Closed ones stand in a ring in the order of their ends, and what is too old goes when others
 * come, at most two at a time and one more where the ring is full, so that no step is slow. One
 * that was corrected leaves a gap, which moves on with the rest. Whether one may be corrected is
 * also looked at by the time of asking, so that what only waits for others to come does not count.
 *
 * Budgets that have ended take no corrections: nobody sees them, and their ids are to be free.
 * Rate limits take none: what a call used of a minute hours ago is over.
 *
 * Considered and not done: keeping the figures beside the outcomes (each budget's charge and the
 * texts for the record are what a slot is made for), and slots shared with open ones (who may have
 * N open has N). */
#include "ledger/exchanges.h"
#include "ledger/moves.h"
#include "ledger/quotas.h"
#include "ledger/rolling.h"

#define AGE_MAX_US ((int64_t)LIMIT_CORRECTION_S * ENTRY_SECOND_US)

static struct closed *closed_at(const struct ledger *ledger, uint64_t position)
{
    return &ledger->closed[position % closed_room(&ledger->room)];
}

static struct closed *closed_of(const struct ledger *ledger, const struct reservation *slot)
{
    struct closed *closed = &ledger->closed[slot->position];
    ASSERT_INV("INV-03", slot->is_closed && closed->slot == reservations_slot(ledger, slot) + 1);
    return closed;
}

bool correct_may(const struct ledger *ledger, const struct reservation *slot, int64_t now_us)
{
    return now_us - closed_of(ledger, slot)->ended_at_us < AGE_MAX_US;
}

/* ---- Letting go ---- */

static void leave_budget(struct ledger *ledger, uint32_t budget, int64_t made_at_us)
{
    if (ledger->budgets[budget].life != BUDGET_LIVES)
        return;
    struct counters counters = budgets_counters(ledger, budget, made_at_us);
    uint32_t *closed = budgets_closed(ledger, budget, &counters);
    ASSERT_INV("INV-02", *closed > 0);
    if (--*closed == 0 && *counters.open == 0)
        budgets_vacate(ledger, budget, &counters);
}

/* It takes no correction any more. */
static void let_go(struct ledger *ledger, struct closed *closed)
{
    struct reservation *slot = &ledger->slots[closed->slot - 1];
    ASSERT_INV("INV-03", slot->is_closed);
    struct held charged[METE_DEMANDS_MAX];
    struct words takes;
    reservations_amounts(ledger, slot, charged, &takes);
    for (unsigned i = 0; i < slot->takes_len; i++) {
        struct take take = words_pass_take(&takes);
        if (take.kind == TAKE_BUDGET)
            leave_budget(ledger, take.handle, (int64_t)slot->made_at_us);
    }
    reservations_free(ledger, slot);
    closed->slot = 0;
}

static void pop(struct ledger *ledger)
{
    struct closed *oldest = closed_at(ledger, ledger->closed_first++);
    if (oldest->slot)
        let_go(ledger, oldest);
}

static void make_room(struct ledger *ledger, int64_t now_us)
{
    for (int i = 0; i < 2 && ledger->closed_first < ledger->closed_end; i++) {
        const struct closed *oldest = closed_at(ledger, ledger->closed_first);
        if (oldest->slot && now_us - oldest->ended_at_us < AGE_MAX_US)
            break;
        pop(ledger);
    }
    if (ledger->closed_end - ledger->closed_first == closed_room(&ledger->room))
        pop(ledger);
}

/* ---- Closing ---- */

void correct_keep_take(struct kept *kept, enum take_kind kind, uint32_t handle)
{
    ASSERT(handle > 0 && handle <= TAKE_HANDLE_MAX);
    correct_keep_word(kept, (uint32_t)kind << TAKE_HANDLE_BITS | handle);
    kept->takes++;
}

/* What stands behind the takes stays as it is. */
static void keep_rest(const struct ending *ending, struct kept *kept)
{
    const struct reservation *slot = ending->slot;
    struct words words = ending->takes;
    for (unsigned i = 0; i < slot->takes_len; i++)
        words_pass_take(&words);
    kept->len += (unsigned)reservations_copy_rest(slot, &words, &kept->words[kept->len]);
    ASSERT(kept->len <= WORDS_MAX);
}

/* What was charged takes the place of what was held. */
static void rewrite(struct ledger *ledger, const struct ending *ending)
{
    struct reservation *slot = ending->slot;
    struct kept *kept = ending->kept;
    keep_rest(ending, kept);
    words_free(ledger, slot);
    struct words words = words_of(ledger, slot);
    for (size_t i = 0; i < ending->used_len; i++) {
        words_put(&words, ending->used[i].unit);
        words_put_i64(&words, ending->used[i].amount);
    }
    for (unsigned i = 0; i < kept->len; i++)
        words_put(&words, kept->words[i]);
    slot->amounts_len = ending->used_len & 0x1f;
    slot->takes_len = kept->takes & 0x7f;
}

void correct_close(struct ledger *ledger, const struct entry *entry, const struct ending *ending)
{
    struct reservation *slot = ending->slot;
    ASSERT_INV("INV-03", !slot->is_closed && ending->state != METE_RELEASED);
    make_room(ledger, entry->at_us);
    rewrite(ledger, ending);
    slot->is_closed = 1;
    slot->is_committed = ending->state == METE_COMMITTED;
    slot->position = (uint32_t)(ledger->closed_end % closed_room(&ledger->room)) & SLOTS_MAX;
    *closed_at(ledger, ledger->closed_end++) =
        (struct closed){entry->at_us, entry->seq, reservations_slot(ledger, slot) + 1};
}

/* ---- Correcting ---- */

static int64_t amount_of(const struct held *held, size_t len, uint32_t unit)
{
    for (size_t i = 0; i < len; i++)
        if (held[i].unit == unit)
            return held[i].amount;
    return 0;
}

/* A quota's take, and what it drew. */
struct take_draws {
    uint32_t quota;
    struct draws draws;
};

static void read_closed(const struct ledger *ledger, struct ending *ending)
{
    ending->held_len = reservations_amounts(ledger, ending->slot, ending->held, &ending->takes);
    ending->state = ending->slot->is_committed ? METE_COMMITTED : METE_EXPIRED;
    ending->overrun = false;
    ending->closes = false;
    ending->kept = NULL;
    ending->money = 0;
    for (size_t i = 0; i < ending->held_len; i++)
        ending->money = exchange_add(ending->money, ending->held[i].unit);
    for (size_t i = 0; i < ending->used_len; i++)
        ending->money = exchange_add(ending->money, ending->used[i].unit);
}

/* What was charged of a unit, and what will be: as it was converted then. Over METE_AMOUNT_MAX: no
 * counter can hold it. */
static struct charge charge_in(const struct ledger *ledger, const struct ending *ending,
                               uint32_t unit)
{
    if (!exchange_needed(ending->money, unit))
        return (struct charge){.reserved = amount_of(ending->held, ending->held_len, unit),
                               .amount = amount_of(ending->used, ending->used_len, unit)};
    struct as_of as_of = exchanges_as_of(ledger, ending->slot);
    struct exchanged before =
        exchanges_sum(ledger, ending->held, ending->held_len, unit, as_of, ROUND_EVEN);
    struct exchanged after =
        exchanges_sum(ledger, ending->used, ending->used_len, unit, as_of, ROUND_EVEN);
    return (struct charge){.reserved = before.amount, .amount = after.amount, .lost = after.lost};
}

/* What has left a rolling budget is charged nothing, before and after. */
static struct charge charge_in_budget(const struct ledger *ledger, const struct ending *ending,
                                      uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    if (budget->traits & BUDGET_ROLLING &&
        rolling_has_left(ledger, handle, (int64_t)ending->slot->made_at_us))
        return (struct charge){0};
    return charge_in(ledger, ending, budget->unit);
}

static bool weigh_budget(struct ledger *ledger, struct ending *ending, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    if (budget->life != BUDGET_LIVES)
        return true;
    struct charge charge = charge_in_budget(ledger, ending, handle);
    charge.counters = budgets_counters(ledger, handle, (int64_t)ending->slot->made_at_us);
    return budgets_weigh_correction(budget, &charge, &ending->overrun);
}

static bool weigh_quota(const struct ledger *ledger, int64_t now_us, struct ending *ending,
                        uint32_t quota)
{
    struct charge charge = charge_in(ledger, ending, ledger->quotas[quota].unit);
    ending->overrun |= charge.lost;
    return charge.amount <= METE_AMOUNT_MAX &&
           quotas_weigh(ledger, quota, charge.reserved, charge.amount, now_us, &ending->overrun);
}

bool correct_weigh(struct ledger *ledger, int64_t now_us, struct ending *ending)
{
    read_closed(ledger, ending);
    struct words takes = ending->takes;
    for (unsigned i = 0; i < ending->slot->takes_len; i++) {
        struct take take = words_pass_take(&takes);
        ASSERT(take.kind != TAKE_RATE);
        bool fits = take.kind == TAKE_BUDGET ? weigh_budget(ledger, ending, take.handle)
                                             : weigh_quota(ledger, now_us, ending, take.handle);
        if (!fits)
            return false;
    }
    return true;
}

static bool correct_budget(struct ledger *ledger, const struct entry *entry, struct ending *ending,
                           uint32_t handle, struct ledger_effects *effects)
{
    if (ledger->budgets[handle].life != BUDGET_LIVES)
        return true;
    struct charge charge = charge_in_budget(ledger, ending, handle);
    charge.budget = handle;
    charge.counters = budgets_counters(ledger, handle, (int64_t)ending->slot->made_at_us);
    if (!budgets_correct(ledger, entry, &charge, effects, &ending->overrun))
        return false;
    if (ledger->budgets[handle].traits & BUDGET_ROLLING)
        rolling_charge(ledger, handle, (int64_t)ending->slot->made_at_us,
                       charge.amount - charge.reserved);
    return true;
}

static bool correct_quota(struct ledger *ledger, const struct entry *entry, struct ending *ending,
                          const struct take_draws *take, struct ledger_effects *effects)
{
    struct draws draws = take->draws;
    struct charge charge = charge_in(ledger, ending, ledger->quotas[take->quota].unit);
    ending->overrun |= charge.lost;
    return charge.amount <= METE_AMOUNT_MAX &&
           quotas_correct(ledger, entry, take->quota, charge.amount - charge.reserved, &draws,
                          effects, &ending->overrun);
}

static bool correct_all(struct ledger *ledger, const struct entry *entry, struct ending *ending,
                        struct ledger_effects *effects)
{
    struct words takes = ending->takes;
    for (unsigned i = 0; i < ending->slot->takes_len; i++) {
        struct take take = words_next_take(&takes);
        ASSERT(take.kind != TAKE_RATE);
        struct take_draws drew = {.quota = take.handle};
        if (take.kind == TAKE_QUOTA)
            draws_next(&takes, &drew.draws);
        bool fits = take.kind == TAKE_BUDGET
                        ? correct_budget(ledger, entry, ending, take.handle, effects)
                        : correct_quota(ledger, entry, ending, &drew, effects);
        if (!fits)
            return false;
    }
    return true;
}

static void put_amount(struct ledger_ended *ended, uint32_t unit, int64_t amount)
{
    ASSERT(ended->amounts_len < LEDGER_AMOUNTS_MAX);
    ended->amounts[ended->amounts_len++] =
        (struct entry_amount){unit_meter(unit), unit_currency(unit), amount};
}

static bool has_unit(const struct held *held, size_t len, uint32_t unit)
{
    for (size_t i = 0; i < len; i++)
        if (held[i].unit == unit)
            return true;
    return false;
}

/* The signed difference, of each unit of either. */
static void describe(struct ledger *ledger, const struct entry *entry, const struct ending *ending,
                     struct ledger_ended *ret_ended)
{
    const struct reservation *slot = ending->slot;
    *ret_ended = (struct ledger_ended){
        .reservation = entry->u.correct.reservation,
        .corrects = closed_of(ledger, slot)->seq,
        .scope = slot->scope,
        .price_list = names_of_entry(ledger, &entry->u.correct.outcome.price_list),
        .made_at_us = (int64_t)slot->made_at_us,
        .state = ending->state,
        .overrun = ending->overrun};
    ret_ended->path_len =
        moves_path(ledger, slot->scope, reservation_seq(ret_ended->reservation), ret_ended->path);
    for (size_t i = 0; i < ending->used_len; i++)
        put_amount(ret_ended, ending->used[i].unit,
                   ending->used[i].amount -
                       amount_of(ending->held, ending->held_len, ending->used[i].unit));
    for (size_t i = 0; i < ending->held_len; i++)
        if (!has_unit(ending->used, ending->used_len, ending->held[i].unit))
            put_amount(ret_ended, ending->held[i].unit, -ending->held[i].amount);
    struct reservation_texts texts;
    reservations_texts(ledger, slot, ending->takes, &texts);
    endings_describe_call(&texts, ret_ended);
}

static void remember(struct ledger *ledger, const struct entry *entry, const struct ending *ending)
{
    const struct outcome truth = {.reservation = entry->u.correct.reservation,
                                  .ended_at_us = entry->at_us,
                                  .cost = endings_cost(ending->used, ending->used_len),
                                  .figures = outcomes_figures(ending->used, ending->used_len),
                                  .seq = entry->seq,
                                  .scope = ending->slot->scope,
                                  .kind = OUTCOME_RESERVED,
                                  .state = (uint8_t)ending->state,
                                  .overrun = ending->overrun ? 1 : 0,
                                  .is_call = ending->slot->is_call,
                                  .corrected = 1};
    if (!outcomes_correct(ledger, &truth))
        outcomes_add(ledger, &truth, (struct slice){0}, NULL);
}

bool correct_apply(struct ledger *ledger, const struct entry *entry, struct ledger_effects *effects)
{
    struct ending ending = {.slot = reservations_find_closed(ledger, entry->u.correct.reservation)};
    if (!ending.slot || !correct_may(ledger, ending.slot, entry->at_us) ||
        !names_apply(ledger, &entry->u.correct.outcome.price_list))
        return false;
    ending.used_len =
        endings_to_held(entry->u.correct.amounts, entry->u.correct.amounts_len, ending.used);
    read_closed(ledger, &ending);
    if (effects) {
        struct mete_event *event = budgets_event(effects, entry, METE_EVENT_CORRECTED);
        event->scope.n = ending.slot->scope;
        event->reservation.n = entry->u.correct.reservation;
    }
    if (!correct_all(ledger, entry, &ending, effects))
        return false;
    if (effects) {
        effects->has_ended = true;
        describe(ledger, entry, &ending, &effects->ended);
    }
    remember(ledger, entry, &ending);
    ledger->counts.corrections++;
    ledger->counts.overruns += ending.overrun;
    let_go(ledger, closed_of(ledger, ending.slot));
    return true;
}

/* ---- Looking ---- */

static void view(const struct ledger *ledger, const struct closed *closed,
                 struct mete_reservation_view *ret_view)
{
    const struct reservation *slot = &ledger->slots[closed->slot - 1];
    struct held charged[METE_DEMANDS_MAX];
    struct words words;
    size_t len = reservations_amounts(ledger, slot, charged, &words);
    *ret_view =
        (struct mete_reservation_view){.id = {reservation_id(closed->slot - 1, slot->generation)},
                                       .state = slot->is_committed ? METE_COMMITTED : METE_EXPIRED,
                                       .scope = {slot->scope},
                                       .organization = {scopes_organization(ledger, slot->scope)},
                                       .made_at = {(int64_t)slot->made_at_us},
                                       .expires_at = {closed->ended_at_us + AGE_MAX_US},
                                       .granted = slot->granted,
                                       .amounts_len = len,
                                       .record = closed->seq};
    for (size_t i = 0; i < len; i++)
        ret_view->amounts[i] = (struct mete_demand){.meter = unit_meter(charged[i].unit),
                                                    .currency = unit_currency(charged[i].unit),
                                                    .fixed = charged[i].amount};
}

size_t ledger_provisional(const struct ledger *ledger, uint64_t after, struct mete_instant now,
                          struct mete_reservation_view *ret_views, size_t max)
{
    const struct reservation *last = reservations_find_closed(ledger, after);
    uint64_t at = ledger->closed_first;
    for (; after && last && at < ledger->closed_end; at++)
        if (closed_at(ledger, at)->slot == reservations_slot(ledger, last) + 1)
            break;
    at += after && last;
    size_t len = 0;
    for (; at < ledger->closed_end; at++) {
        const struct closed *closed = closed_at(ledger, at);
        if (!closed->slot || now.us - closed->ended_at_us >= AGE_MAX_US)
            continue;
        if (len < max)
            view(ledger, closed, &ret_views[len]);
        len++;
    }
    return len;
}

void correct_check(const struct ledger *ledger)
{
    uint64_t len = ledger->closed_end - ledger->closed_first;
    ASSERT(ledger->closed_first <= ledger->closed_end && len <= closed_room(&ledger->room));
    int64_t before_us = 0;
    for (uint64_t at = ledger->closed_first; at < ledger->closed_end; at++) {
        const struct closed *closed = closed_at(ledger, at);
        ASSERT(closed->ended_at_us >= before_us && closed->ended_at_us <= ledger->last_at_us);
        before_us = closed->ended_at_us;
        if (!closed->slot)
            continue;
        ASSERT_INV("INV-03", closed->slot <= ledger->slots_len);
        ASSERT_INV("INV-03", closed_of(ledger, &ledger->slots[closed->slot - 1]) == closed);
    }
}
