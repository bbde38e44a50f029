/* SPDX-License-Identifier: Apache-2.0
 * An open reservation becomes larger, smaller or longer. It grows where it stands: in everything it
 * took from, in the windows it was made in, weighed as a new one is but for the scopes (a revoked
 * key's calls run on). What it holds is changed in place, but where it drew from quotas: how many
 * draws it made may change, and its words are written anew. */
#include "ledger/exchanges.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"
#include "ledger/weigh.h"

/* ---- Deciding ---- */

static const struct held *held_of(const struct held *held, size_t len, uint32_t unit)
{
    for (size_t i = 0; i < len; i++)
        if (held[i].unit == unit)
            return &held[i];
    return NULL;
}

static int check_form(const struct mete_extend *args)
{
    if (args->demands_len > METE_DEMANDS_MAX)
        return METE_E_TOO_LARGE;
    if (args->floor < 0 || args->wish < args->floor || (args->shrink != 0 && args->shrink != 1) ||
        args->ttl_ms < 0 || args->ttl_ms > LIMIT_HOLD_MS || (!args->demands_len && !args->ttl_ms))
        return METE_E_INVALID;
    return args->demands_len ? decide_check_demands(args->demands, args->demands_len, args->floor)
                             : 0;
}

/* Whether the reservation demanded all of these meters. */
static bool has_units(const struct held *held, size_t len, const struct mete_extend *args)
{
    for (size_t i = 0; i < args->demands_len; i++)
        if (!held_of(held, len, unit_of(args->demands[i].meter, args->demands[i].currency)))
            return false;
    return true;
}

/* The amounts that are given back. INVALID: more than is held. */
static int shrink(const struct held *held, size_t len, const struct mete_extend *args,
                  struct entry *entry)
{
    for (size_t i = 0; i < args->demands_len; i++) {
        const struct mete_demand *demand = &args->demands[i];
        const struct held *of = held_of(held, len, unit_of(demand->meter, demand->currency));
        int64_t amount;
        if (!weigh_amount_at(demand, args->wish, &amount) || amount > of->amount)
            return METE_E_INVALID;
        entry->u.extend.amounts[i] = (struct entry_amount){demand->meter, demand->currency, amount};
    }
    entry->u.extend.shrinks = true;
    entry->u.extend.granted = args->demands_len ? args->wish : 0;
    return 0;
}

/* The amounts that are added, or none where it is refused. */
static int grow(struct ledger *ledger, struct mete_instant now, const struct reservation *slot,
                const struct held *held, size_t len, const struct mete_extend *args,
                struct sink sink, struct mete_verdict *ret_verdict,
                struct ledger_decision *ret_decision)
{
    const struct mete_reserve as_reserve = {.scope = {slot->scope},
                                            .demands = args->demands,
                                            .demands_len = args->demands_len,
                                            .floor = args->floor,
                                            .wish = args->wish};
    struct weighing weighing = {
        .ledger = ledger, .args = &as_reserve, .sink = sink, .extends = slot};
    int rc = weigh_extend(&weighing, now, &ret_decision->due);
    if (rc)
        return rc;
    *ret_verdict = weigh_verdict(&weighing, true);
    if (weighing.refused)
        return 0;
    struct entry *entry = &ret_decision->entry;
    entry->u.extend.shrinks = false;
    entry->u.extend.granted = weighing.granted;
    for (size_t i = 0; i < args->demands_len; i++) {
        const struct mete_demand *demand = &args->demands[i];
        const struct held *of = held_of(held, len, weighing.shares[i].unit);
        if (weighing.shares[i].amount > METE_AMOUNT_MAX - of->amount)
            return METE_E_TOO_LARGE;
        entry->u.extend.amounts[i] =
            (struct entry_amount){demand->meter, demand->currency, weighing.shares[i].amount};
    }
    return 0;
}

static int not_open(struct ledger *ledger, struct mete_instant now, uint64_t id,
                    struct mete_verdict *ret_verdict)
{
    const struct outcome *outcome = outcomes_find(ledger, id, now.us);
    if (!outcome)
        return METE_E_NOT_FOUND;
    *ret_verdict = (struct mete_verdict){.reservation = {id}, .ended = outcomes_receipt(outcome)};
    return METE_E_ENDED;
}

int ledger_decide_extend(struct ledger *ledger, struct mete_instant now,
                         const struct mete_extend *args, struct mete_refusal *refusals,
                         size_t refusals_max, struct mete_verdict *ret_verdict,
                         struct ledger_decision *ret_decision)
{
    ASSERT(now.us >= ledger->last_at_us);
    int rc = check_form(args);
    if (rc)
        return rc;
    const struct reservation *slot = reservations_find(ledger, args->reservation.n);
    if (!slot)
        return not_open(ledger, now, args->reservation.n, ret_verdict);
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    size_t len = reservations_amounts(ledger, slot, held, &words);
    if (!has_units(held, len, args))
        return METE_E_INVALID;
    struct entry *entry = &ret_decision->entry;
    struct mete_verdict verdict = {.allowed = 1};
    struct sink sink = {refusals, refusals_max, 0};
    entry->u.extend.granted = 0;
    entry->u.extend.shrinks = false;
    if (args->shrink)
        rc = shrink(held, len, args, entry);
    else if (args->demands_len)
        rc = grow(ledger, now, slot, held, len, args, sink, &verdict, ret_decision);
    if (rc)
        return rc;
    verdict.reservation = args->reservation;
    verdict.expires_at.us = args->ttl_ms && verdict.allowed ? now.us + args->ttl_ms * 1000
                                                            : expiries_at_us(ledger, slot);
    entry->kind = ENTRY_NONE;
    if (verdict.allowed) {
        decide_begin(ledger, now, ENTRY_EXTEND, entry);
        entry->u.extend.reservation = args->reservation.n;
        entry->u.extend.expires_at_us = verdict.expires_at.us;
        entry->u.extend.amounts_len = (uint32_t)args->demands_len;
        verdict.granted = entry->u.extend.granted;
        verdict.seq = entry->seq;
    }
    *ret_verdict = verdict;
    return 0;
}

/* ---- Applying ---- */

static uint32_t held_money(const struct ledger *ledger, const struct reservation *slot)
{
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    size_t len = reservations_amounts(ledger, slot, held, &words);
    uint32_t money = 0;
    for (size_t i = 0; i < len; i++)
        money = exchange_add(money, held[i].unit);
    return money;
}

static int64_t amount_of(const struct entry *entry, uint32_t unit)
{
    for (uint32_t i = 0; i < entry->u.extend.amounts_len; i++) {
        const struct entry_amount *amount = &entry->u.extend.amounts[i];
        if (unit_of(amount->meter, amount->currency) == unit)
            return amount->amount;
    }
    return 0;
}

/* Writes the new amounts over the old ones. false: they do not fit. */
static bool set_amounts(struct ledger *ledger, const struct entry *entry, struct reservation *slot)
{
    struct held held[METE_DEMANDS_MAX];
    struct words takes;
    size_t len = reservations_amounts(ledger, slot, held, &takes);
    for (uint32_t i = 0; i < entry->u.extend.amounts_len; i++) {
        const struct entry_amount *amount = &entry->u.extend.amounts[i];
        if (!held_of(held, len, unit_of(amount->meter, amount->currency)))
            return false;
    }
    struct words words = words_of(ledger, slot);
    for (size_t i = 0; i < len; i++) {
        int64_t by = amount_of(entry, held[i].unit);
        if (entry->u.extend.shrinks ? by > held[i].amount : by > METE_AMOUNT_MAX - held[i].amount)
            return false;
        words_next(&words);
        words_set_next_i64(&words, held[i].amount + (entry->u.extend.shrinks ? -by : by));
    }
    return true;
}

/* By how much it moves in a unit, of one that has its new amounts. */
static int64_t moves_by(const struct ledger *ledger, const struct entry *entry,
                        const struct reservation *slot, uint32_t unit)
{
    if (unit & UNIT_MONEY && exchange_needed(held_money(ledger, slot), unit))
        return exchanges_extended(ledger, entry, slot, unit);
    return amount_of(entry, unit);
}

/* Moves what one budget holds. false: it does not fit. */
static bool move_held(struct ledger *ledger, const struct entry *entry,
                      const struct reservation *slot, uint32_t handle,
                      struct ledger_effects *effects)
{
    const struct budget *budget = &ledger->budgets[handle];
    struct counters counters = budgets_counters(ledger, handle, (int64_t)slot->made_at_us);
    int64_t by = moves_by(ledger, entry, slot, budget->unit), sum;
    if (by > METE_AMOUNT_MAX)
        return false;
    if (entry->u.extend.shrinks) {
        ASSERT_INV("INV-07", by <= *counters.held);
        *counters.held -= by;
        if (counters.past)
            budgets_past_moved(ledger, entry, handle, &counters, effects);
        return true;
    }
    if (!checked_add(*counters.committed + *counters.held, by, &sum))
        return false;
    if (by && budget_counts(budget) && budget->mode == METE_ENFORCE && sum > budget->limit)
        return false;
    *counters.held += by;
    if (counters.past)
        budgets_past_moved(ledger, entry, handle, &counters, effects);
    return true;
}

/* The words of a reservation from its takes on, in one piece. */
struct flat {
    uint32_t words[WORDS_MAX];
    size_t len;
};

static void flatten_draws(const struct draws *draws, struct flat *flat)
{
    flat->words[flat->len++] = (uint32_t)draws->len;
    for (size_t i = 0; i < draws->len; i++) {
        uint64_t amount = (uint64_t)draws->at[i].amount;
        flat->words[flat->len++] = draws->at[i].grant;
        flat->words[flat->len++] = (uint32_t)(amount & UINT32_MAX);
        flat->words[flat->len++] = (uint32_t)(amount >> 32);
    }
}

static bool move_draws(struct ledger *ledger, const struct entry *entry, int64_t by, uint32_t quota,
                       struct draws *draws)
{
    if (!entry->u.extend.shrinks)
        return by == 0 || quotas_take(ledger, quota, by, entry->at_us, draws);
    quotas_give_back(ledger, by, entry->at_us, draws);
    return true;
}

/* Moves what the quotas hold and writes takes, draws and the rest again. false: not covered. */
static bool redraw(struct ledger *ledger, const struct entry *entry, struct reservation *slot)
{
    struct held held[METE_DEMANDS_MAX];
    struct words from;
    struct flat flat = {.len = 0};
    size_t len = reservations_amounts(ledger, slot, held, &from);
    for (unsigned i = 0; i < slot->takes_len; i++) {
        struct words word = from;
        flat.words[flat.len++] = words_next(&word);
        struct take take = words_next_take(&from);
        struct draws draws;
        if (take.kind != TAKE_QUOTA)
            continue;
        draws_next(&from, &draws);
        if (!move_draws(ledger, entry,
                        moves_by(ledger, entry, slot, ledger->quotas[take.handle].unit),
                        take.handle, &draws))
            return false;
        flatten_draws(&draws, &flat);
    }
    flat.len += reservations_copy_rest(slot, &from, &flat.words[flat.len]);
    words_free(ledger, slot);
    struct words to = words_of(ledger, slot);
    for (size_t i = 0; i < len; i++) {
        words_put(&to, held[i].unit);
        words_put_i64(&to, held[i].amount);
    }
    for (size_t i = 0; i < flat.len; i++)
        words_put(&to, flat.words[i]);
    return true;
}

bool extend_apply(struct ledger *ledger, const struct entry *entry, struct ledger_effects *effects)
{
    struct reservation *slot = reservations_find(ledger, entry->u.extend.reservation);
    if (!slot || entry->u.extend.expires_at_us < (int64_t)slot->made_at_us ||
        !set_amounts(ledger, entry, slot))
        return false;
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    bool has_quotas = false;
    reservations_amounts(ledger, slot, held, &words);
    for (unsigned i = 0; i < slot->takes_len; i++) {
        struct take take = words_pass_take(&words);
        if (take.kind == TAKE_RATE) {
            int64_t by = moves_by(ledger, entry, slot, ledger->rates[take.handle].unit);
            if (!rates_extend(ledger, take.handle, entry->u.extend.shrinks ? -by : by,
                              entry->at_us))
                return false;
            continue;
        }
        has_quotas |= take.kind == TAKE_QUOTA;
        if (take.kind == TAKE_BUDGET && !move_held(ledger, entry, slot, take.handle, effects))
            return false;
    }
    if (has_quotas && !redraw(ledger, entry, slot))
        return false;
    int64_t granted = slot->granted;
    if (entry->u.extend.shrinks)
        granted = max_i64(granted - entry->u.extend.granted, 0);
    else if (!checked_add(granted, entry->u.extend.granted, &granted))
        granted = INT64_MAX;
    slot->granted = granted;
    expiries_move(ledger, reservations_slot(ledger, slot), entry->u.extend.expires_at_us);
    ledger->counts.extends++;
    return true;
}
