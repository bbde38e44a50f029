/* SPDX-License-Identifier: Apache-2.0
 * How a reservation ends, and what is recorded without one.
 *
 * An end gives back what was held and charges what was used, in every budget that the reservation
 * took from and in no other (INV-02), each in the window the reservation was made in (INV-09). An
 * expiry charges what was held or nothing, as the reservation says. A record charges every counting
 * budget on its path, now. */
#include "ledger/extras.h"
#include "ledger/endings.h"
#include "ledger/exchanges.h"
#include "ledger/matches.h"
#include "ledger/moves.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"
#include "ledger/rolling.h"

/* ---- Ending ---- */

static const struct held *held_of(const struct held *held, size_t len, uint32_t unit)
{
    for (size_t i = 0; i < len; i++)
        if (held[i].unit == unit)
            return &held[i];
    return NULL;
}

/* Whether it is too old to count in a rolling budget. */
static inline bool has_left(const struct ledger *ledger, const struct ending *ending,
                            uint32_t budget)
{
    return ledger->budgets[budget].traits & BUDGET_ROLLING &&
           rolling_has_left(ledger, budget, (int64_t)ending->slot->made_at_us);
}

static struct charge convert_charge(struct ledger *ledger, const struct ending *ending,
                                    uint32_t budget)
{
    uint32_t unit = ledger->budgets[budget].unit;
    struct as_of as_of = exchanges_as_of(ledger, ending->slot);
    struct exchanged held =
        exchanges_sum(ledger, ending->held, ending->held_len, unit, as_of, ROUND_UP);
    struct exchanged used =
        exchanges_sum(ledger, ending->used, ending->used_len, unit, as_of, ROUND_EVEN);
    return (struct charge){.budget = budget,
                           .counters =
                               budgets_counters(ledger, budget, (int64_t)ending->slot->made_at_us),
                           .reserved = held.amount,
                           .asked = held.asked,
                           .amount = has_left(ledger, ending, budget) ? 0 : used.amount,
                           .lost = used.lost && !has_left(ledger, ending, budget)};
}

static inline struct account *account_of(struct ending *ending, uint32_t unit)
{
    for (size_t i = 0; i < ending->accounts_len; i++)
        if (ending->accounts[i].unit == unit)
            return &ending->accounts[i];
    return NULL;
}

/* Inlined where it is used: a copy of the result costs more than finding it. */
static inline __attribute__((always_inline)) struct charge
charge_of(struct ledger *ledger, struct ending *ending, uint32_t budget)
{
    uint32_t unit = ledger->budgets[budget].unit;
    if (exchange_needed(ending->money, unit))
        return convert_charge(ledger, ending, budget);
    static const struct account none = {0};
    const struct account *account = account_of(ending, unit);
    if (!account)
        account = &none;
    return (struct charge){.budget = budget,
                           .counters =
                               budgets_counters(ledger, budget, (int64_t)ending->slot->made_at_us),
                           .reserved = account->reserved,
                           .asked = account->asked,
                           .amount = has_left(ledger, ending, budget) ? 0 : account->used};
}

/* Brings together what was held and what was used of each unit. */
static void open_accounts(struct ending *ending)
{
    for (size_t i = 0; i < ending->held_len; i++)
        ending->accounts[i] =
            (struct account){ending->held[i].unit, true, ending->held[i].amount, 0};
    ending->accounts_len = ending->held_len;
    for (size_t i = 0; i < ending->used_len; i++) {
        const struct held *used = &ending->used[i];
        struct account *account = account_of(ending, used->unit);
        if (!account) {
            account = &ending->accounts[ending->accounts_len++];
            *account = (struct account){.unit = used->unit};
        }
        account->used = used->amount;
    }
}

void endings_read(const struct ledger *ledger, struct ending *ending)
{
    ending->held_len = reservations_amounts(ledger, ending->slot, ending->held, &ending->takes);
    open_accounts(ending);
    ending->overrun = false;
    ending->exceeds = false;
    ending->money = 0;
    for (size_t i = 0; i < ending->accounts_len; i++) {
        const struct account *account = &ending->accounts[i];
        ending->money = exchange_add(ending->money, account->unit);
        ending->exceeds |= account->used > account->reserved;
        ending->overrun |= account->asked && account->used > account->reserved;
    }
}

/* An end that charges of no unit more than was held makes no figure larger: every budget holds
 * it and none is overrun. */
static inline bool weigh_budget(struct ledger *ledger, struct ending *ending, uint32_t budget)
{
    if (!ending->exceeds && !exchange_needed(ending->money, ledger->budgets[budget].unit))
        return true;
    struct charge charge = charge_of(ledger, ending, budget);
    int64_t stands;
    if (!budgets_stands(&charge, &stands))
        return false;
    ending->overrun |= budgets_overruns(&ledger->budgets[budget], &charge, stands);
    return true;
}

/* What was used of a unit. What has no rate into a quota overruns it. */
static int64_t used_of(const struct ledger *ledger, struct ending *ending, uint32_t unit)
{
    if (exchange_needed(ending->money, unit)) {
        struct exchanged sum = exchanges_sum(ledger, ending->used, ending->used_len, unit,
                                             exchanges_as_of(ledger, ending->slot), ROUND_EVEN);
        ending->overrun |= sum.lost;
        return sum.amount;
    }
    const struct held *used = held_of(ending->used, ending->used_len, unit);
    return used ? used->amount : 0;
}

static inline bool weigh_quota(struct ledger *ledger, int64_t now_us, struct ending *ending,
                               uint32_t quota, struct words *takes)
{
    struct draws draws;
    struct words words = *takes; /* the caller's cursor stays in registers */
    draws_next(&words, &draws);
    *takes = words;
    int64_t used = used_of(ledger, ending, ledger->quotas[quota].unit);
    return used <= METE_AMOUNT_MAX &&
           quotas_weigh(ledger, quota, draws_sum(&draws), used, now_us, &ending->overrun);
}

bool endings_weigh(struct ledger *ledger, int64_t now_us, struct ending *ending)
{
    struct words takes = ending->takes;
    for (unsigned i = 0; i < ending->slot->takes_len; i++) {
        struct take take = words_next_take(&takes);
        if (take.kind == TAKE_RATE)
            continue; /* it takes every end */
        bool fits = take.kind == TAKE_BUDGET
                        ? weigh_budget(ledger, ending, take.handle)
                        : weigh_quota(ledger, now_us, ending, take.handle, &takes);
        if (!fits)
            return false;
    }
    return true;
}

/* What charge_budget() comes to for nearly every take: a living budget with nothing unusual about
 * it, in its present window, charged no more than was held and below its next alarm. false: it is
 * another one, and nothing was done. */
static inline bool charge_plain_budget(struct ledger *ledger, struct ending *ending,
                                       struct budget *budget)
{
    static const struct account none = {0};
    const struct account *account = account_of(ending, budget->unit);
    if (!account)
        account = &none;
    int64_t committed;
    if (!checked_add(budget->committed, account->used, &committed) || ending->exceeds ||
        ending->kept || budget->traits || budget->life != BUDGET_LIVES ||
        (int64_t)ending->slot->made_at_us < budget->window_start_us ||
        committed >= budget->alarm_at || exchange_needed(ending->money, budget->unit))
        return false;
    ASSERT_INV("INV-07", account->reserved >= 0 && account->reserved <= budget->held);
    ASSERT_INV("INV-02", budget->open > 0);
    budget->held -= account->reserved;
    budget->committed = committed;
    budget->open--;
    ASSERT_INV("INV-02", budget->open || !budget->held);
    ledger->charged_sum += (uint64_t)account->used;
    return true;
}

static bool charge_budget(struct ledger *ledger, const struct entry *entry, struct ending *ending,
                          uint32_t budget, struct ledger_effects *effects)
{
    struct charge charge = charge_of(ledger, ending, budget);
    if (!budgets_charge(ledger, entry, &charge, effects, &ending->overrun))
        return false;
    if (ledger->budgets[budget].traits & BUDGET_ROLLING)
        rolling_charge(ledger, budget, (int64_t)ending->slot->made_at_us, charge.amount);
    if (ending->kept && ledger->budgets[budget].life == BUDGET_LIVES) {
        ++*budgets_closed(ledger, budget, &charge.counters);
        correct_keep_take(ending->kept, TAKE_BUDGET, budget);
    }
    ASSERT_INV("INV-02", *charge.counters.open > 0);
    bool empties = --*charge.counters.open == 0;
    ASSERT_INV("INV-02", !empties || *charge.counters.held == 0);
    if (empties && (charge.counters.past || ledger->budgets[budget].life != BUDGET_LIVES)) {
        const struct counters counters = charge.counters; /* as in budgets_charge() */
        budgets_vacate(ledger, budget, &counters);
    }
    return true;
}

static void end_rate(struct ledger *ledger, const struct entry *entry, const struct ending *ending,
                     uint32_t handle)
{
    uint32_t unit = ledger->rates[handle].unit;
    if (exchange_needed(ending->money, unit)) {
        struct as_of as_of = exchanges_as_of(ledger, ending->slot);
        int64_t took =
            exchanges_sum(ledger, ending->held, ending->held_len, unit, as_of, ROUND_UP).amount;
        int64_t uses =
            exchanges_sum(ledger, ending->used, ending->used_len, unit, as_of, ROUND_EVEN).amount;
        rates_settle(ledger, handle, took, uses, entry->at_us);
        rates_give_back(ledger, handle);
        return;
    }
    const struct held *held = held_of(ending->held, ending->held_len, unit);
    const struct held *used = held_of(ending->used, ending->used_len, unit);
    rates_settle(ledger, handle, held ? held->amount : 0, used ? used->amount : 0, entry->at_us);
    rates_give_back(ledger, handle);
}

static inline bool charge_quota(struct ledger *ledger, const struct entry *entry,
                                struct ending *ending, uint32_t quota, struct words *takes,
                                struct ledger_effects *effects)
{
    struct draws draws;
    struct words words = *takes; /* the caller's cursor stays in registers */
    draws_next(&words, &draws);
    *takes = words;
    int64_t used = used_of(ledger, ending, ledger->quotas[quota].unit);
    if (used > METE_AMOUNT_MAX ||
        !quotas_settle(ledger, entry, quota, used, &draws, effects, &ending->overrun))
        return false;
    if (ending->kept)
        draws_keep(ending->kept, quota, &draws);
    return true;
}

static bool charge_all(struct ledger *ledger, const struct entry *entry, struct ending *ending,
                       struct ledger_effects *effects)
{
    struct words takes = ending->takes;
    for (unsigned i = 0; i < ending->slot->takes_len; i++) {
        struct take take = words_next_take(&takes);
        if (take.kind == TAKE_RATE) {
            end_rate(ledger, entry, ending, take.handle);
            continue;
        }
        if (take.kind == TAKE_BUDGET &&
            charge_plain_budget(ledger, ending, &ledger->budgets[take.handle]))
            continue;
        bool fits = take.kind == TAKE_BUDGET
                        ? charge_budget(ledger, entry, ending, take.handle, effects)
                        : charge_quota(ledger, entry, ending, take.handle, &takes, effects);
        if (!fits)
            return false;
    }
    return true;
}

size_t endings_to_held(const struct entry_amount *amounts, uint32_t len, struct held *ret_held)
{
    ASSERT(len <= METE_DEMANDS_MAX);
    for (uint32_t i = 0; i < len; i++)
        ret_held[i] =
            (struct held){unit_of(amounts[i].meter, amounts[i].currency), amounts[i].amount};
    return len;
}

int64_t endings_cost(const struct held *used, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (used[i].unit & UNIT_MONEY)
            return used[i].amount;
    return 0;
}

/* The slot that the entry ends and what its end charges. false: it does not fit the state. */
static bool read_end(struct ledger *ledger, const struct entry *entry, struct ending *ret_ending)
{
    bool is_commit = entry->kind == ENTRY_COMMIT;
    struct reservation *slot = reservations_find(ledger, is_commit ? entry->u.commit.reservation
                                                                   : entry->u.end.reservation);
    if (!slot)
        return false;
    ret_ending->slot = slot;
    ret_ending->used_len = 0;
    ret_ending->state = METE_RELEASED;
    ret_ending->closes = false;
    ret_ending->kept = NULL;
    if (is_commit) {
        ret_ending->state = METE_COMMITTED;
        ret_ending->used_len =
            endings_to_held(entry->u.commit.amounts, entry->u.commit.amounts_len, ret_ending->used);
        ret_ending->closes = (entry->u.commit.outcome.flags & METE_OUTCOME_PROVISIONAL) != 0;
        if (!names_apply(ledger, &entry->u.commit.outcome.price_list))
            return false;
    } else if (entry->kind == ENTRY_EXPIRE) {
        ret_ending->state = METE_EXPIRED;
        ret_ending->closes = true;
        struct words words;
        if (slot->is_call || slot->charges)
            ret_ending->used_len = reservations_amounts(ledger, slot, ret_ending->used, &words);
        if (!slot->is_call && entry->at_us < expiries_at_us(ledger, slot))
            return false;
    }
    endings_read(ledger, ret_ending);
    return true;
}

void endings_describe_call(const struct reservation_texts *texts, struct ledger_ended *ended)
{
    ended->request_id = texts->request_id;
    ended->model = texts->model;
    ended->provider = texts->provider;
    ended->session = texts->session;
    ended->tags = texts->tags;
    ended->content = texts->content;
}

/* For the usage record: everything that is gone once the slot is free. */
static void describe_end(struct ledger *ledger, const struct entry *entry,
                         const struct ending *ending, struct ledger_ended *ret_ended)
{
    const struct reservation *slot = ending->slot;
    *ret_ended = (struct ledger_ended){
        .reservation = reservation_id(reservations_slot(ledger, slot), slot->generation),
        .scope = slot->scope,
        .made_at_us = (int64_t)slot->made_at_us,
        .state = ending->state,
        .overrun = ending->overrun,
        .amounts_len = (uint32_t)ending->used_len};
    ret_ended->path_len =
        moves_path(ledger, slot->scope, reservation_seq(ret_ended->reservation), ret_ended->path);
    for (size_t i = 0; i < ending->used_len; i++)
        ret_ended->amounts[i] =
            (struct entry_amount){unit_meter(ending->used[i].unit),
                                  unit_currency(ending->used[i].unit), ending->used[i].amount};
    struct reservation_texts texts;
    reservations_texts(ledger, slot, ending->takes, &texts);
    endings_describe_call(&texts, ret_ended);
    if (entry->kind == ENTRY_COMMIT)
        ret_ended->price_list = names_of_entry(ledger, &entry->u.commit.outcome.price_list);
}

static bool charged_nothing(const struct ending *ending)
{
    for (size_t i = 0; i < ending->used_len; i++)
        if (ending->used[i].amount)
            return false;
    return true;
}

/* A call that was charged nothing (released, or refused by its provider) keeps its outcome, for the
 * same end again, but not its request id: the caller's next try comes under the same id. */
static void add_outcome(struct ledger *ledger, const struct entry *entry,
                        const struct ending *ending)
{
    const struct reservation *slot = ending->slot;
    bool binds = slot->has_id && !(slot->is_call && charged_nothing(ending));
    struct outcome outcome = {.reservation =
                                  reservation_id(reservations_slot(ledger, slot), slot->generation),
                              .ended_at_us = entry->at_us,
                              .cost = endings_cost(ending->used, ending->used_len),
                              .figures = outcomes_figures(ending->used, ending->used_len),
                              .seq = entry->seq,
                              .scope = slot->scope,
                              .kind = OUTCOME_RESERVED,
                              .state = (uint8_t)ending->state,
                              .overrun = ending->overrun ? 1 : 0,
                              .is_call = slot->is_call};
    if (!binds) {
        outcomes_add(ledger, &outcome, (struct slice){0}, NULL);
        return;
    }
    struct asked asked;
    reservations_asked(ledger, slot, &asked);
    struct outcome_asked remembered = {.content = asked.content,
                                       .expires_at_us = expiries_at_us(ledger, slot),
                                       .granted = slot->granted,
                                       .remaining = asked.remaining,
                                       .remaining_of = asked.remaining_of};
    outcomes_add(ledger, &outcome, (struct slice){asked.id, asked.id_len}, &remembered);
}

static void count_end(struct ledger *ledger, const struct ending *ending)
{
    ASSERT(ledger->counts.reservations_open > 0);
    ledger->counts.reservations_open--;
    ledger->counts.commits += ending->state == METE_COMMITTED;
    ledger->counts.releases += ending->state == METE_RELEASED;
    ledger->counts.expiries += ending->state == METE_EXPIRED;
    ledger->counts.overruns += ending->overrun;
}

static inline bool end(struct ledger *ledger, const struct entry *entry, struct ending *ending,
                       struct ledger_effects *effects)
{
    if (!charge_all(ledger, entry, ending, effects))
        return false;
    if (effects) {
        effects->has_ended = true;
        describe_end(ledger, entry, ending, &effects->ended);
    }
    add_outcome(ledger, entry, ending);
    count_end(ledger, ending);
    reservations_leave(ledger, ending->slot);
    return true;
}

static bool close_provisionally(struct ledger *ledger, const struct entry *entry,
                                struct ending *ending, struct ledger_effects *effects)
{
    struct kept kept;
    kept.takes = 0;
    kept.len = 0;
    ending->kept = &kept;
    if (effects && ending->state == METE_EXPIRED) {
        struct mete_event *event = budgets_event(effects, entry, METE_EVENT_EXPIRED);
        event->scope.n = ending->slot->scope;
        event->reservation.n = entry->u.end.reservation;
    }
    if (!end(ledger, entry, ending, effects))
        return false;
    correct_close(ledger, entry, ending);
    return true;
}

bool endings_apply(struct ledger *ledger, const struct entry *entry, struct ledger_effects *effects)
{
    struct ending ending;
    if (!read_end(ledger, entry, &ending))
        return false;
    if (ending.closes)
        return close_provisionally(ledger, entry, &ending, effects);
    if (!end(ledger, entry, &ending, effects))
        return false;
    reservations_free(ledger, ending.slot);
    return true;
}

/* ---- Recording ---- */

/* What is recorded. */
struct recording {
    struct held used[METE_DEMANDS_MAX];
    size_t len;
    uint32_t money; /* exchanges.h */
    int64_t at_us;
};

static void read_record(struct recording *recording)
{
    recording->money = 0;
    for (size_t i = 0; i < recording->len; i++)
        recording->money = exchange_add(recording->money, recording->used[i].unit);
}

static struct exchanged recorded(const struct ledger *ledger, const struct recording *recording,
                                 uint32_t unit)
{
    if (exchange_needed(recording->money, unit))
        return exchanges_sum(ledger, recording->used, recording->len, unit,
                             as_of_now(recording->at_us), ROUND_EVEN);
    const struct held *used = held_of(recording->used, recording->len, unit);
    return (struct exchanged){.amount = used ? used->amount : 0, .asked = used != NULL};
}

static struct charge record_charge(struct ledger *ledger, uint32_t budget,
                                   const struct recording *recording)
{
    struct budget *at = &ledger->budgets[budget];
    struct exchanged used = recorded(ledger, recording, at->unit);
    return (struct charge){.budget = budget,
                           .counters = {&at->committed, &at->held, &at->fired, &at->open, 0},
                           .amount = used.amount,
                           .lost = used.lost};
}

static bool weigh_quotas(const struct ledger *ledger, const struct path *path,
                         const struct recording *recording, bool *overrun)
{
    for (size_t i = 0; i < path->scopes_len; i++) {
        uint32_t quota = ledger->scopes[path->scopes[i]].quotas;
        for (; quota; quota = ledger->quotas[quota].next) {
            struct exchanged used = recorded(ledger, recording, ledger->quotas[quota].unit);
            *overrun |= used.lost;
            if (used.amount > METE_AMOUNT_MAX ||
                (used.asked &&
                 !quotas_weigh(ledger, quota, 0, used.amount, recording->at_us, overrun)))
                return false;
        }
    }
    return true;
}

bool endings_weigh_record(struct ledger *ledger, int64_t now_us, const struct path *path,
                          const struct held *used, size_t used_len, bool *ret_overrun)
{
    bool overrun = false;
    struct recording recording = {.len = used_len, .at_us = now_us};
    memcpy(recording.used, used, used_len * sizeof *used);
    read_record(&recording);
    for (size_t i = 0; i < path->budgets_len; i++) {
        const struct budget *budget = &ledger->budgets[path->budgets[i]];
        struct charge charge = record_charge(ledger, path->budgets[i], &recording);
        int64_t stands;
        if (!budget_counts(budget))
            continue;
        if (!budgets_stands(&charge, &stands))
            return false;
        overrun |= budgets_overruns(budget, &charge, stands);
    }
    if (path->quotas && !weigh_quotas(ledger, path, &recording, &overrun))
        return false;
    *ret_overrun = overrun;
    return true;
}

static void record_rates(struct ledger *ledger, const struct entry *entry, struct path *path,
                         const struct call_texts *call, const struct recording *recording)
{
    rates_keep_counting(ledger, path, call);
    for (size_t i = 0; i < path->rates_len; i++) {
        struct exchanged used = recorded(ledger, recording, ledger->rates[path->rates[i]].unit);
        rates_record(ledger, path->rates[i], used.asked ? &used.amount : NULL, entry->at_us);
    }
}

static bool record_quotas(struct ledger *ledger, const struct entry *entry, const struct path *path,
                          const struct recording *recording, struct ledger_effects *effects,
                          bool *overrun)
{
    for (size_t i = 0; i < path->scopes_len; i++) {
        uint32_t quota = ledger->scopes[path->scopes[i]].quotas;
        for (; quota; quota = ledger->quotas[quota].next) {
            struct exchanged used = recorded(ledger, recording, ledger->quotas[quota].unit);
            struct draws draws = {.len = 0};
            *overrun |= used.lost;
            if (used.amount > METE_AMOUNT_MAX ||
                (used.asked &&
                 !quotas_settle(ledger, entry, quota, used.amount, &draws, effects, overrun)))
                return false;
        }
    }
    return true;
}

/* Charges every counting budget. false: a window is over, or a counter cannot hold it. */
static bool record_all(struct ledger *ledger, const struct entry *entry,
                       const struct recording *recording, struct ledger_effects *effects,
                       bool *overrun)
{
    struct path path;
    struct call_texts call;
    scopes_path(ledger, entry->u.record.scope, &path);
    matches_of_entry(ledger, entry, &call);
    extras_keep_matching(ledger, &path, &call);
    for (size_t i = 0; i < path.budgets_len; i++) {
        const struct budget *budget = &ledger->budgets[path.budgets[i]];
        if (!budget_counts(budget))
            continue;
        struct charge charge = record_charge(ledger, path.budgets[i], recording);
        if (entry->at_us >= budget->stale_at_us ||
            !budgets_charge(ledger, entry, &charge, effects, overrun))
            return false;
        if (budget->traits & BUDGET_ROLLING)
            rolling_charge(ledger, path.budgets[i], entry->at_us, charge.amount);
    }
    if (path.rates_len)
        record_rates(ledger, entry, &path, &call, recording);
    return !path.quotas || record_quotas(ledger, entry, &path, recording, effects, overrun);
}

static void describe_record(struct ledger *ledger, const struct entry *entry, bool overrun,
                            struct ledger_ended *ret_ended)
{
    *ret_ended = (struct ledger_ended){
        .scope = entry->u.record.scope,
        .request_id = entry->u.record.request_id,
        .model = names_of_entry(ledger, &entry->u.record.model),
        .provider = names_of_entry(ledger, &entry->u.record.provider),
        .session = entry->u.record.session,
        .tags = reservations_join_tags(&entry->u.record.tags, ledger->scratch),
        .price_list = names_of_entry(ledger, &entry->u.record.outcome.price_list),
        .made_at_us = entry->at_us,
        .state = METE_COMMITTED,
        .overrun = overrun,
        .amounts_len = entry->u.record.amounts_len};
    memcpy(ret_ended->amounts, entry->u.record.amounts,
           entry->u.record.amounts_len * sizeof entry->u.record.amounts[0]);
}

bool endings_apply_record(struct ledger *ledger, const struct entry *entry,
                          struct ledger_effects *effects)
{
    uint32_t scope = entry->u.record.scope;
    if (scope == 0 || scope > ledger->scopes_len)
        return false;
    struct recording recording = {.at_us = entry->at_us};
    recording.len =
        endings_to_held(entry->u.record.amounts, entry->u.record.amounts_len, recording.used);
    read_record(&recording);
    bool overrun = false;
    if (!names_apply(ledger, &entry->u.record.model) ||
        !names_apply(ledger, &entry->u.record.provider) ||
        !names_apply(ledger, &entry->u.record.outcome.price_list) ||
        !record_all(ledger, entry, &recording, effects, &overrun))
        return false;
    if (effects) {
        effects->has_ended = true;
        describe_record(ledger, entry, overrun, &effects->ended);
    }
    if (entry->u.record.request_id.len) {
        struct outcome outcome = {.ended_at_us = entry->at_us,
                                  .cost = endings_cost(recording.used, recording.len),
                                  .figures = outcomes_figures(recording.used, recording.len),
                                  .seq = entry->seq,
                                  .scope = scope,
                                  .kind = OUTCOME_RECORDED,
                                  .state = METE_COMMITTED,
                                  .overrun = overrun ? 1 : 0};
        struct outcome_asked asked = {.content = entry->u.record.content};
        outcomes_add(ledger, &outcome, entry->u.record.request_id, &asked);
    }
    ledger->counts.records++;
    ledger->counts.overruns += overrun;
    return true;
}
