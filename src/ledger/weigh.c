/* SPDX-License-Identifier: Apache-2.0
 * The weighing of a reserve: what the scopes, budgets and rate limits of its path say to it.
 *
 *   stale window? -> scopes that refuse -> budgets that refuse -> quotas that do not cover it ->
 *   rate limits that refuse, or the largest quantity that fits them all
 *
 * The quantity is in closed form: ceil(p * q / 10^6) <= room is the same as
 * q <= floor(room * 10^6 / p), in 128 bits. */
#include "ledger/extras.h"
#include "ledger/controls.h"
#include "ledger/exchanges.h"
#include "ledger/increases.h"
#include "ledger/matches.h"
#include "ledger/quotas.h"
#include "ledger/rates.h"
#include "ledger/rolling.h"
#include "ledger/templates.h"
#include "ledger/weigh.h"

enum { PER = 1000000 };

/* The narrow way is nearly always there and ten times as fast. */
bool weigh_amount_at(const struct mete_demand *demand, int64_t quantity, int64_t *ret_amount)
{
    int64_t product;
    int128 variable;
    if (checked_mul(demand->per_million, quantity, &product) && product <= INT64_MAX - (PER - 1))
        variable = (product + (PER - 1)) / PER;
    else
        variable = ((int128)demand->per_million * quantity + (PER - 1)) / PER;
    if (variable + demand->fixed > METE_AMOUNT_MAX)
        return false;
    *ret_amount = demand->fixed + (int64_t)variable;
    return true;
}

void weigh_put_refusal(struct sink *sink, const struct mete_refusal *refusal)
{
    if (sink->len < sink->max)
        sink->refusals[sink->len] = *refusal;
    sink->len++;
}

static inline struct share *share_of(struct weighing *weighing, uint32_t unit)
{
    if (exchange_needed(weighing->money, unit))
        return exchanges_share(weighing, unit);
    for (size_t i = 0; i < weighing->args->demands_len; i++)
        if (weighing->shares[i].unit == unit)
            return &weighing->shares[i];
    return NULL;
}

struct share *weigh_share_of(struct weighing *weighing, uint32_t unit)
{
    return share_of(weighing, unit);
}

static inline int64_t room_of(const struct weighing *weighing, uint32_t handle)
{
    struct figures figures = budgets_figures(weighing->ledger, handle, weighing->made_at_us);
    return weighing->ledger->budgets[handle].limit - figures.committed - figures.held;
}

/* Whether a budget that chooses is concerned. What grows was matched when it was made. */
static bool is_matched(const struct weighing *weighing, uint32_t handle)
{
    const struct mete_reserve *args = weighing->args;
    struct call_texts call;
    if (weighing->extends)
        return true;
    matches_of_call(args->model, args->provider, args->session, args->tags, args->tags_len, &call);
    call.at_us = weighing->made_at_us;
    return extras_match(weighing->ledger, handle, &call);
}

/* What one budget that counts leaves of what is demanded of its unit. */
static inline void measure_budget(struct weighing *weighing, uint32_t handle)
{
    const struct budget *budget = &weighing->ledger->budgets[handle];
    struct share *share = share_of(weighing, budget->unit);
    if (budget->traits & BUDGET_CONTROLLED)
        weighing->has_controls = true;
    if (!share)
        return;
    if (budget->mode != METE_ENFORCE) {
        weighing->has_shadows |= budget->mode == METE_SHADOW;
        return;
    }
    int64_t room = room_of(weighing, handle);
    share->refused |= budget->limit == 0 || share->floor_amount > room;
    if (share->tightest && room >= share->room)
        return;
    share->tightest = handle;
    share->room = room;
}

/* What each demand's floor takes, and the tightest room there is for it; budgets that do not match
 * leave the path. LEDGER_STALE, or 0. */
static int measure(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due)
{
    struct path *path = &weighing->path;
    weighing->money = 0;
    weighing->others_len = 0;
    weighing->has_unpriced = false;
    for (size_t i = 0; i < weighing->args->demands_len; i++) {
        const struct mete_demand *demand = &weighing->args->demands[i];
        struct share *share = &weighing->shares[i];
        *share = (struct share){.unit = unit_of(demand->meter, demand->currency),
                                .cap = METE_AMOUNT_MAX};
        weighing->money = exchange_add(weighing->money, share->unit);
        bool fits = weigh_amount_at(demand, weighing->args->floor, &share->floor_amount);
        ASSERT(fits); /* check_demands() */
    }
    size_t kept = 0;
    for (size_t i = 0; i < path->budgets_len; i++) {
        uint32_t handle = path->budgets[i];
        const struct budget *budget = &weighing->ledger->budgets[handle];
        if (budget->traits & BUDGET_CHOOSES && !is_matched(weighing, handle))
            continue;
        path->budgets[kept++] = handle;
        if (weighing->extends)
            (void)weigh_share_of(weighing, budget->unit); /* takes, whatever it is by now */
        if (!budget_counts(budget))
            continue; /* of an extension it may be a tombstone */
        if (budgets_is_due(weighing->ledger, handle, now.us, ret_due))
            return LEDGER_STALE;
        measure_budget(weighing, handle);
    }
    path->budgets_len = kept;
    return 0;
}

/* A new call is free of a budget from its end on; what grows goes on in it. */
static int64_t ends_at(const struct weighing *weighing, uint32_t handle)
{
    if (!handle || weighing->extends || !(weighing->ledger->budgets[handle].traits & BUDGET_DATED))
        return INT64_MAX;
    int64_t at_us = extras_of(weighing->ledger, handle)->ends_at_us;
    return at_us ? at_us : INT64_MAX;
}

void weigh_refuse(struct weighing *weighing, const struct mete_refusal *refusal,
                  int64_t retry_at_us)
{
    retry_at_us = min_i64(retry_at_us, ends_at(weighing, refusal->budget.n));
    weigh_put_refusal(&weighing->sink, refusal);
    if (refusal->shadow)
        return;
    if (!weighing->refused)
        weighing->primary = *refusal;
    weighing->refused = true;
    weighing->retry_at_us = max_i64(weighing->retry_at_us, retry_at_us);
}

/* Expired ones first, then revoked ones, each leaf first; one refusal a scope. */
static void weigh_scopes(struct weighing *weighing, int64_t now_us)
{
    const struct path *path = &weighing->path;
    bool refuses = false;
    for (size_t i = 0; i < path->scopes_len; i++)
        refuses |= scopes_refuses(&weighing->ledger->scopes[path->scopes[i]], now_us) != 0;
    if (!refuses)
        return;
    for (enum mete_reason reason = METE_KEY_EXPIRED; reason <= METE_KEY_REVOKED; reason++) {
        for (size_t i = 0; i < path->scopes_len; i++) {
            if (scopes_refuses(&weighing->ledger->scopes[path->scopes[i]], now_us) != reason)
                continue;
            struct mete_refusal refusal = {
                .reason = reason, .scope = {path->scopes[i]}, .resets_at = {INT64_MAX}};
            weigh_refuse(weighing, &refusal, INT64_MAX);
        }
    }
}

/* The largest limit this or a later window may have. */
static int64_t most_of(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    int64_t most;
    if (!(budget->traits & BUDGET_CARRIES))
        return budget->limit;
    if (!checked_add(ledger->cold[handle].base_limit, extras_of(ledger, handle)->rollover_cap,
                     &most))
        return METE_AMOUNT_MAX;
    return max_i64(budget->limit, most);
}

/* When asking again may help, as far as this budget goes. */
static int64_t retry_at(const struct weighing *weighing, uint32_t handle, struct figures figures,
                        int64_t floor_amount)
{
    const struct budget *budget = &weighing->ledger->budgets[handle];
    if (budget->limit == 0 || floor_amount > most_of(weighing->ledger, handle))
        return INT64_MAX;
    if (figures.committed <= budget->limit - floor_amount)
        return 0; /* it is only held */
    if (budget->traits & BUDGET_ROLLING)
        return rolling_frees_at(weighing->ledger, handle,
                                (int128)figures.committed + figures.held + floor_amount -
                                    budget->limit);
    /* A reservation stays in the windows it was made in: no later one will help it grow. */
    return weighing->extends ? INT64_MAX : weighing->ledger->cold[handle].window_end_us;
}

static struct mete_refusal budget_refusal(const struct weighing *weighing, uint32_t handle,
                                          int64_t floor_amount)
{
    const struct budget *budget = &weighing->ledger->budgets[handle];
    struct figures figures = budgets_figures(weighing->ledger, handle, weighing->made_at_us);
    return (struct mete_refusal){.reason = METE_HARD_LIMIT,
                                 .scope = {budget->scope},
                                 .budget = {handle},
                                 .meter = unit_meter(budget->unit),
                                 .shadow = budget->mode == METE_SHADOW,
                                 .currency = unit_currency(budget->unit),
                                 .limit = budget->limit,
                                 .committed = figures.committed,
                                 .held = figures.held,
                                 .asked = floor_amount,
                                 .resets_at = {budgets_resets_at(weighing->ledger, handle)}};
}

static void refuse_budget(struct weighing *weighing, uint32_t handle, int64_t floor_amount)
{
    struct mete_refusal refusal = budget_refusal(weighing, handle, floor_amount);
    const struct figures figures = {refusal.committed, refusal.held};
    weigh_refuse(weighing, &refusal, retry_at(weighing, handle, figures, floor_amount));
}

static void refuse_unpriced_one(struct weighing *weighing, struct mete_refusal refusal)
{
    refusal.reason = METE_UNPRICED;
    refusal.resets_at.us = INT64_MAX;
    weigh_refuse(weighing, &refusal, INT64_MAX);
}

/* The quotas it asks: of the path, or of what grows those it took from. */
static size_t find_quotas(const struct weighing *weighing, uint32_t ret_quotas[PATH_QUOTAS])
{
    const struct ledger *ledger = weighing->ledger;
    size_t len = 0;
    for (size_t i = 0; i < weighing->path.scopes_len; i++)
        for (uint32_t quota = ledger->scopes[weighing->path.scopes[i]].quotas; quota;
             quota = ledger->quotas[quota].next)
            ret_quotas[len++] = quota;
    if (!weighing->extends)
        return len;
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    reservations_amounts(ledger, weighing->extends, held, &words);
    for (unsigned i = 0; i < weighing->extends->takes_len; i++) {
        struct take take = words_pass_take(&words);
        if (take.kind == TAKE_QUOTA)
            ret_quotas[len++] = take.handle;
    }
    ASSERT(len <= PATH_QUOTAS);
    return len;
}

/* Finds out whether there are rates into the quotas' currencies. */
static void measure_quotas(struct weighing *weighing)
{
    uint32_t quotas[PATH_QUOTAS];
    size_t len = find_quotas(weighing, quotas);
    for (size_t i = 0; i < len; i++)
        (void)weigh_share_of(weighing, weighing->ledger->quotas[quotas[i]].unit);
}

static void refuse_unpriced_quotas(struct weighing *weighing, int64_t now_us)
{
    uint32_t quotas[PATH_QUOTAS];
    size_t len = find_quotas(weighing, quotas);
    for (size_t i = 0; i < len; i++) {
        const struct share *share =
            weigh_share_of(weighing, weighing->ledger->quotas[quotas[i]].unit);
        struct mete_refusal refusal;
        if (!share || !share->is_unpriced)
            continue;
        (void)quotas_refuse(weighing->ledger, quotas[i], share->floor_amount, now_us, &refusal);
        refuse_unpriced_one(weighing, refusal);
    }
}

/* Names every budget, rate limit and quota of one mode that a demand has no rate into. */
static void refuse_unpriced(struct weighing *weighing, enum mete_mode mode, int64_t now_us)
{
    const struct path *path = &weighing->path;
    for (size_t i = 0; i < path->budgets_len; i++) {
        const struct budget *budget = &weighing->ledger->budgets[path->budgets[i]];
        const struct share *share = weigh_share_of(weighing, budget->unit);
        if (share && share->is_unpriced && budget->mode == mode && budget->life == BUDGET_LIVES)
            refuse_unpriced_one(weighing,
                                budget_refusal(weighing, path->budgets[i], share->floor_amount));
    }
    for (size_t i = 0; i < path->rates_len; i++) {
        const struct rate *rate = &weighing->ledger->rates[path->rates[i]];
        const struct share *share = weigh_share_of(weighing, rate->unit);
        if (share && share->is_unpriced && rate->mode == mode && !rate->is_concurrent)
            refuse_unpriced_one(weighing, rates_refusal(weighing->ledger, path->rates[i],
                                                        share->floor_amount, now_us));
    }
    if (path->quotas && mode == METE_ENFORCE)
        refuse_unpriced_quotas(weighing, now_us);
}

/* Names every budget of one mode that does not take the floor. */
static void refuse_budgets(struct weighing *weighing, enum mete_mode mode)
{
    const struct path *path = &weighing->path;
    for (size_t i = 0; i < path->budgets_len; i++) {
        const struct budget *budget = &weighing->ledger->budgets[path->budgets[i]];
        const struct share *share = weigh_share_of(weighing, budget->unit);
        if (budget->mode != mode || !share || budget->life != BUDGET_LIVES)
            continue;
        if (budget->limit == 0 || share->floor_amount > room_of(weighing, path->budgets[i]))
            refuse_budget(weighing, path->budgets[i], share->floor_amount);
    }
}

/* Names a quota that does not cover the floor by so many draws; keeps what one that does could. */
static void weigh_quota(struct weighing *weighing, uint32_t quota, size_t draws, int64_t now_us)
{
    const struct ledger *ledger = weighing->ledger;
    struct share *share = weigh_share_of(weighing, ledger->quotas[quota].unit);
    if (!share)
        return;
    int64_t cover = min_i64(quotas_cover(ledger, quota, draws, now_us), METE_AMOUNT_MAX);
    share->cap = min_i64(share->cap, cover);
    if (share->floor_amount <= cover)
        return;
    struct mete_refusal refusal;
    int64_t retry_at_us = quotas_refuse(ledger, quota, share->floor_amount, now_us, &refusal);
    weigh_refuse(weighing, &refusal, retry_at_us);
}

/* Those that a reservation took from already, by the draws that are left to it. */
static void weigh_quotas_of(struct weighing *weighing, const struct reservation *slot,
                            int64_t now_us)
{
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    reservations_amounts(weighing->ledger, slot, held, &words);
    for (unsigned i = 0; i < slot->takes_len; i++) {
        struct take take = words_next_take(&words);
        if (take.kind != TAKE_QUOTA)
            continue;
        struct draws draws;
        draws_next(&words, &draws);
        ASSERT(draws.len <= LIMIT_DRAWS);
        weigh_quota(weighing, take.handle, LIMIT_DRAWS - draws.len, now_us);
    }
}

/* Those of the path. */
static void weigh_quotas(struct weighing *weighing, int64_t now_us)
{
    const struct ledger *ledger = weighing->ledger;
    for (size_t i = 0; i < weighing->path.scopes_len; i++) {
        uint32_t quota = ledger->scopes[weighing->path.scopes[i]].quotas;
        for (; quota; quota = ledger->quotas[quota].next)
            weigh_quota(weighing, quota, LIMIT_DRAWS, now_us);
    }
}

/* What a call takes from a rate limit at its floor. false: it does not ask it. What grows took its
 * place and its one request when it was made. */
static bool floor_of(struct weighing *weighing, const struct rate *rate, int64_t *ret_amount)
{
    const struct share *share = weigh_share_of(weighing, rate->unit);
    if (weighing->extends && (rate->is_concurrent || !share))
        return false;
    return rates_take_of(rate, share ? &share->floor_amount : NULL, ret_amount);
}

/* What they leave of what is demanded of their units. */
static void measure_rates(struct weighing *weighing, int64_t now_us)
{
    for (size_t i = 0; i < weighing->path.rates_len; i++) {
        const struct rate *rate = &weighing->ledger->rates[weighing->path.rates[i]];
        struct share *share = rate->is_concurrent ? NULL : weigh_share_of(weighing, rate->unit);
        if (share && rate->mode == METE_ENFORCE)
            share->cap = min_i64(share->cap, rates_room(rate, now_us));
    }
}

/* Names every rate limit of one mode that does not take the floor; concurrent ones come last. */
static void refuse_rates(struct weighing *weighing, enum mete_mode mode, int64_t now_us)
{
    const struct path *path = &weighing->path;
    for (unsigned concurrent = 0; concurrent < 2; concurrent++) {
        for (size_t i = 0; i < path->rates_len; i++) {
            const struct rate *rate = &weighing->ledger->rates[path->rates[i]];
            int64_t amount;
            if (rate->mode != mode || rate->is_concurrent != concurrent ||
                !floor_of(weighing, rate, &amount) || rates_fit(rate, amount, now_us))
                continue;
            struct mete_refusal refusal =
                rates_refusal(weighing->ledger, path->rates[i], amount, now_us);
            weigh_refuse(weighing, &refusal, refusal.resets_at.us);
        }
    }
}

/* The largest quantity of all that fits everywhere; the floor does. */
static void grant(struct weighing *weighing)
{
    const struct mete_reserve *args = weighing->args;
    int64_t quantity = args->wish;
    for (size_t i = 0; i < args->demands_len; i++) {
        const struct mete_demand *demand = &args->demands[i];
        const struct share *share = &weighing->shares[i];
        int64_t room = share->tightest ? min_i64(share->room, share->cap) : share->cap;
        int64_t amount;
        if (weigh_amount_at(demand, quantity, &amount) && amount <= room)
            continue;
        ASSERT(demand->per_million > 0);
        int128 largest = ((int128)room - demand->fixed) * PER / demand->per_million;
        quantity = (int64_t)largest; /* less than it was, so it is one */
        ASSERT(largest >= args->floor && largest < args->wish);
    }
    if (weighing->others_len)
        quantity = exchanges_fit(weighing, quantity);
    for (size_t i = 0; i < args->demands_len; i++) {
        bool fits = weigh_amount_at(&args->demands[i], quantity, &weighing->shares[i].amount);
        ASSERT(fits);
        ASSERT_INV("INV-01", !weighing->shares[i].tightest ||
                                 weighing->shares[i].amount <= weighing->shares[i].room);
    }
    if (weighing->others_len)
        exchanges_grant(weighing, quantity);
    weighing->granted = quantity;
}

/* Who refuses nothing must still have figures that stay numbers: a shadow budget, and of what a
 * reservation took from also one that was turned off or ended since. */
static bool others_fit(struct weighing *weighing)
{
    for (size_t i = 0; i < weighing->path.budgets_len; i++) {
        const struct budget *budget = &weighing->ledger->budgets[weighing->path.budgets[i]];
        const struct share *share = weigh_share_of(weighing, budget->unit);
        int64_t sum;
        if (!share || (budget->mode == METE_ENFORCE && budget->life == BUDGET_LIVES))
            continue;
        struct figures figures =
            budgets_figures(weighing->ledger, weighing->path.budgets[i], weighing->made_at_us);
        if (share->amount > METE_AMOUNT_MAX ||
            !checked_add(figures.committed + figures.held, share->amount, &sum))
            return false;
    }
    return true;
}

/* What shadow budgets and rate limits would have said; throttles only if they are asked. */
static void refuse_shadow(struct weighing *weighing, bool asks_throttles, int64_t now_us)
{
    if (weighing->has_unpriced)
        refuse_unpriced(weighing, METE_SHADOW, now_us);
    if (weighing->has_controls)
        controls_refuse_stopped(weighing, METE_SHADOW);
    if (weighing->has_shadows)
        refuse_budgets(weighing, METE_SHADOW);
    if (asks_throttles)
        controls_refuse_throttled(weighing, METE_SHADOW);
    if (weighing->path.rates_len)
        refuse_rates(weighing, METE_SHADOW, now_us);
}

/* In rule 10's order. Throttles are asked last, and only if nothing else refuses: where they do,
 * they stand alone, so that the order holds all the same. They let grow what runs. */
static void refuse_all(struct weighing *weighing, int64_t now_us)
{
    if (weighing->has_unpriced)
        refuse_unpriced(weighing, METE_ENFORCE, now_us);
    if (weighing->has_controls)
        controls_refuse_stopped(weighing, METE_ENFORCE);
    bool refused = false;
    for (size_t i = 0; i < weighing->args->demands_len; i++)
        refused |= weighing->shares[i].refused;
    for (size_t i = 0; i < weighing->others_len; i++)
        refused |= weighing->others[i].refused;
    if (refused)
        refuse_budgets(weighing, METE_ENFORCE);
    ASSERT(weighing->refused || !refused);
    if (weighing->path.quotas && weighing->extends)
        weigh_quotas_of(weighing, weighing->extends, now_us);
    else if (weighing->path.quotas)
        weigh_quotas(weighing, now_us);
    if (weighing->path.rates_len)
        refuse_rates(weighing, METE_ENFORCE, now_us);
    bool asks_throttles = weighing->has_controls && !weighing->refused && !weighing->extends;
    if (asks_throttles)
        controls_refuse_throttled(weighing, METE_ENFORCE);
    refuse_shadow(weighing, asks_throttles, now_us);
}

/* The path is known: from here on a new reservation and a growing one are alike. */
static int weigh(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due)
{
    ASSERT(now.us >= weighing->ledger->last_at_us);
    weighing->retry_at_us = 0;
    weighing->granted = 0;
    weighing->refused = false;
    weighing->has_shadows = false;
    weighing->has_controls = false;
    weighing->meets_throttles = false;
    weighing->advice = 0;
    int rc = measure(weighing, now, ret_due);
    if (rc)
        return rc;
    if (weighing->path.rates_len)
        measure_rates(weighing, now.us);
    if (weighing->path.quotas)
        measure_quotas(weighing);
    weigh_scopes(weighing, now.us);
    refuse_all(weighing, now.us);
    if (weighing->has_controls)
        weighing->advice = controls_advice(weighing);
    if (weighing->refused)
        return 0;
    grant(weighing);
    bool has_others = weighing->has_shadows || weighing->extends;
    return has_others && !others_fit(weighing) ? METE_E_TOO_LARGE : 0;
}

static void keep_counting_rates(struct weighing *weighing)
{
    const struct mete_reserve *args = weighing->args;
    struct call_texts call;
    matches_of_call(args->model, args->provider, args->session, args->tags, args->tags_len, &call);
    rates_keep_counting(weighing->ledger, &weighing->path, &call);
}

int weigh_reserve(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due)
{
    weighing->extends = NULL;
    weighing->made_at_us = now.us;
    scopes_path(weighing->ledger, weighing->args->scope.n, &weighing->path);
    int rc = templates_due(weighing->ledger, &weighing->path, ret_due);
    if (rc)
        return rc;
    if (weighing->path.rates_len)
        keep_counting_rates(weighing);
    return weigh(weighing, now, ret_due);
}

int weigh_extend(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due)
{
    struct path *path = &weighing->path;
    path->scopes_len = 0; /* they let run what runs */
    path->budgets_len = 0;
    path->rates_len = 0;
    path->quotas = 0;
    weighing->made_at_us = (int64_t)weighing->extends->made_at_us;
    struct held held[METE_DEMANDS_MAX];
    struct words words;
    reservations_amounts(weighing->ledger, weighing->extends, held, &words);
    for (unsigned i = 0; i < weighing->extends->takes_len; i++) {
        struct take take = words_pass_take(&words);
        if (take.kind == TAKE_BUDGET)
            path->budgets[path->budgets_len++] = take.handle;
        else if (take.kind == TAKE_QUOTA)
            path->quotas = take.handle;
        else if (weighing->ledger->rates[take.handle].life == RATE_LIVES)
            path->rates[path->rates_len++] = take.handle;
    }
    return weigh(weighing, now, ret_due);
}

/* Where budgets of the first demand's unit are counted: with several currencies, apart. */
static const struct share *first_share(const struct weighing *weighing)
{
    const struct share *first = &weighing->shares[0];
    for (size_t i = 0; i < weighing->others_len; i++)
        if (weighing->others[i].unit == first->unit)
            return &weighing->others[i];
    return first;
}

struct mete_verdict weigh_verdict(const struct weighing *weighing, bool takes)
{
    const struct share *first = first_share(weighing);
    struct mete_verdict verdict = {.allowed = !weighing->refused,
                                   .granted = weighing->granted,
                                   .retry_at = {weighing->retry_at_us},
                                   .refusals_len = weighing->sink.len,
                                   .advice = weighing->advice};
    if (!first->tightest)
        return verdict;
    verdict.has_remaining = 1;
    verdict.remaining = first->room - (takes && !weighing->refused ? first->amount : 0);
    verdict.remaining_of.n = first->tightest;
    return verdict;
}
