/* SPDX-License-Identifier: Apache-2.0
 * The decisions about money: pure questions to the state. Each ends in an entry that ledger_apply()
 * takes without a fault, or in none.
 *
 * Reserve: form -> repeat? -> stale window? -> scopes that refuse -> budgets that refuse, or the
 * largest quantity that fits them all. The quantity is in closed form: ceil(p * q / 10^6) <= room
 * is the same as q <= floor(room * 10^6 / p), in 128 bits.
 *
 * These functions are ledger.h's; this file's name is not their prefix because the header is one
 * and its code would pass 800 lines in one file. */
#include "ledger/state.h"

enum { PER = 1000000, NOT_A_REPEAT = 2 };

/* ---- Form ------------------------------------------------------------------------------------ */

static bool is_text(struct mete_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

/* The parts that a reserve and a record have in common. */
static int check_call(const struct ledger *ledger, struct mete_scope_id scope,
                      struct mete_text request_id, struct mete_text model,
                      struct mete_text provider)
{
    if (request_id.len > LIMIT_ID || model.len > LIMIT_ID || provider.len > LIMIT_PROVIDER)
        return METE_E_TOO_LARGE;
    if ((request_id.len && !entry_is_id(of_text(request_id))) || !is_text(model) ||
        !is_text(provider))
        return METE_E_INVALID;
    return scope.n == 0 || scope.n > ledger->scopes_len ? METE_E_NOT_FOUND : 0;
}

/* false: over METE_AMOUNT_MAX. The narrow way is nearly always there and ten times as fast. */
static bool amount_at(const struct mete_demand *demand, int64_t quantity, int64_t *ret_amount)
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

static int check_demands(const struct mete_reserve *args)
{
    if (args->demands_len > METE_DEMANDS_MAX)
        return METE_E_TOO_LARGE;
    if (args->demands_len == 0)
        return METE_E_INVALID;
    for (size_t i = 0; i < args->demands_len; i++) {
        const struct mete_demand *demand = &args->demands[i];
        int64_t amount;
        if (!entry_is_unit(demand->meter, demand->currency) || demand->fixed < 0 ||
            demand->fixed > METE_AMOUNT_MAX || demand->per_million < 0 ||
            demand->per_million > METE_AMOUNT_MAX || !amount_at(demand, args->floor, &amount))
            return METE_E_INVALID;
        for (size_t j = 0; j < i; j++)
            if (args->demands[j].meter == demand->meter &&
                args->demands[j].currency == demand->currency)
                return METE_E_INVALID;
    }
    return 0;
}

static int check_reserve(const struct ledger *ledger, const struct mete_reserve *args)
{
    if (args->floor < 0 || args->wish < args->floor || args->ttl_ms < 1 ||
        args->ttl_ms > LIMIT_TTL_MS || (args->flags & ~(uint32_t)METE_RESERVE_CALL) ||
        (args->on_expiry != METE_EXPIRY_RELEASE && args->on_expiry != METE_EXPIRY_CHARGE))
        return METE_E_INVALID;
    int rc = check_demands(args);
    if (rc)
        return rc;
    return check_call(ledger, args->scope, args->request_id, args->model, args->provider);
}

static int check_usage(const struct mete_usage *usage, size_t len)
{
    if (len > METE_DEMANDS_MAX)
        return METE_E_TOO_LARGE;
    for (size_t i = 0; i < len; i++) {
        if (!entry_is_unit(usage[i].meter, usage[i].currency) || usage[i].amount < 0 ||
            usage[i].amount > METE_AMOUNT_MAX)
            return METE_E_INVALID;
        for (size_t j = 0; j < i; j++)
            if (usage[j].meter == usage[i].meter && usage[j].currency == usage[i].currency)
                return METE_E_INVALID;
    }
    return 0;
}

static int check_outcome(const struct mete_outcome *outcome)
{
    if (outcome->price_list.len > LIMIT_PROVIDER || outcome->note.len > LIMIT_NOTE)
        return METE_E_TOO_LARGE;
    if ((unsigned)outcome->ending >= METE_ENDINGS || !is_text(outcome->price_list) ||
        (outcome->flags & ~(uint32_t)(METE_OUTCOME_PROVISIONAL | METE_OUTCOME_COUNTED)))
        return METE_E_INVALID;
    return 0;
}

/* ---- Repeats --------------------------------------------------------------------------------- */

static int repeat_open(const struct ledger *ledger, const struct mete_reserve *args,
                       const struct reservation *open, struct mete_verdict *verdict)
{
    struct asked asked;
    reservations_asked(ledger, open, &asked);
    if (asked.content != args->content)
        return METE_E_CONTENT;
    if (open->is_call)
        return METE_E_IN_FLIGHT;
    uint64_t id = reservation_id(reservations_slot(ledger, open), open->generation);
    *verdict = (struct mete_verdict){
        .allowed = 1,
        .reservation = {id},
        .expires_at = {(int64_t)open->made_at_us + (int64_t)open->ttl_ms * 1000},
        .granted = open->granted,
        .has_remaining = asked.remaining_of != 0,
        .remaining = asked.remaining,
        .remaining_of = {asked.remaining_of},
        .repeated = 1,
        .seq = reservation_seq(id)};
    return 0;
}

/* A refusal binds until its retry_at; one that was to last binds while its cause does. */
static bool refusal_binds(const struct ledger *ledger, const struct outcome_asked *asked,
                          int64_t now_us)
{
    if (asked->expires_at_us != INT64_MAX)
        return now_us < asked->expires_at_us;
    const struct mete_refusal *primary = &asked->primary;
    if (primary->budget.n == 0)
        return scopes_refuses(&ledger->scopes[primary->scope.n], now_us) != METE_REASON_NONE;
    return ledger->budgets[primary->budget.n].life == BUDGET_LIVES &&
           ledger->cold[primary->budget.n].revision == asked->revision;
}

static int repeat_ended(const struct ledger *ledger, const struct mete_reserve *args,
                        const struct outcome *outcome, struct mete_verdict *ret_verdict)
{
    const struct outcome_asked *asked = outcomes_asked(ledger, outcome);
    if (asked->content != args->content)
        return METE_E_CONTENT;
    if (outcome->is_call) {
        *ret_verdict = (struct mete_verdict){.reservation = {outcome->reservation},
                                             .granted = asked->granted,
                                             .repeated = 1,
                                             .seq = reservation_seq(outcome->reservation),
                                             .ended = outcomes_receipt(outcome)};
        return METE_E_ENDED;
    }
    *ret_verdict = (struct mete_verdict){.allowed = 1,
                                         .reservation = {outcome->reservation},
                                         .expires_at = {asked->expires_at_us},
                                         .granted = asked->granted,
                                         .has_remaining = asked->remaining_of != 0,
                                         .remaining = asked->remaining,
                                         .remaining_of = {asked->remaining_of},
                                         .repeated = 1,
                                         .seq = reservation_seq(outcome->reservation)};
    return 0;
}

struct sink { /* where refusals go */
    struct mete_refusal *refusals;
    size_t max, len;
};

static void put_refusal(struct sink *sink, const struct mete_refusal *refusal)
{
    if (sink->len < sink->max)
        sink->refusals[sink->len] = *refusal;
    sink->len++;
}

/* NOT_A_REPEAT, or what a repeat of this request id gets. */
static int repeat(const struct ledger *ledger, struct mete_instant now,
                  const struct mete_reserve *args, struct sink *sink,
                  struct mete_verdict *ret_verdict)
{
    struct slice request_id = of_text(args->request_id);
    const struct reservation *open = reservations_of_request(ledger, args->scope.n, request_id);
    if (open)
        return repeat_open(ledger, args, open, ret_verdict);
    const struct outcome *outcome = outcomes_of_request(ledger, args->scope.n, request_id, now.us);
    if (!outcome)
        return NOT_A_REPEAT;
    if (outcome->kind == OUTCOME_RECORDED)
        return METE_E_CONTENT;
    if (outcome->kind == OUTCOME_RESERVED)
        return repeat_ended(ledger, args, outcome, ret_verdict);
    const struct outcome_asked *asked = outcomes_asked(ledger, outcome);
    if (!refusal_binds(ledger, asked, now.us))
        return NOT_A_REPEAT;
    if (asked->content != args->content)
        return METE_E_CONTENT;
    put_refusal(sink, &asked->primary);
    *ret_verdict = (struct mete_verdict){
        .retry_at = {asked->expires_at_us}, .refusals_len = 1, .repeated = 1, .seq = outcome->seq};
    return 0;
}

/* ---- Weighing -------------------------------------------------------------------------------- */

/* One demand, and what the enforced budgets of its unit allow. */
struct share {
    uint32_t unit;
    uint32_t tightest; /* budget with the least room; 0: nobody limits it */
    int64_t room;      /* of the tightest */
    int64_t floor_amount, amount;
    bool refused;
};

struct weighing {
    const struct ledger *ledger;
    const struct mete_reserve *args;
    struct path path;
    struct share shares[METE_DEMANDS_MAX];
    struct sink sink;
    int64_t granted;
    int64_t retry_at_us;
    bool refused, has_shadows;
    struct mete_refusal primary; /* valid if refused */
};

static struct share *share_of(struct weighing *weighing, uint32_t unit)
{
    for (size_t i = 0; i < weighing->args->demands_len; i++)
        if (weighing->shares[i].unit == unit)
            return &weighing->shares[i];
    return NULL;
}

/* What each demand's floor takes, and the tightest room there is for it. LEDGER_STALE, or 0. */
static int measure(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due)
{
    const struct path *path = &weighing->path;
    for (size_t i = 0; i < weighing->args->demands_len; i++) {
        const struct mete_demand *demand = &weighing->args->demands[i];
        struct share *share = &weighing->shares[i];
        *share = (struct share){.unit = unit_of(demand->meter, demand->currency)};
        bool fits = amount_at(demand, weighing->args->floor, &share->floor_amount);
        ASSERT(fits); /* check_demands() */
    }
    for (size_t i = 0; i < path->budgets_len; i++) {
        const struct budget *budget = &weighing->ledger->budgets[path->budgets[i]];
        if (budget->mode == METE_OFF)
            continue;
        if (now.us >= budget->stale_at_us) {
            *ret_due = (struct ledger_due){LEDGER_DUE_WINDOW, path->budgets[i], 0};
            return LEDGER_STALE;
        }
        struct share *share = share_of(weighing, budget->unit);
        if (!share)
            continue;
        weighing->has_shadows |= budget->mode == METE_SHADOW;
        if (budget->mode != METE_ENFORCE)
            continue;
        int64_t room = budget->limit - budget->committed - budget->held;
        share->refused |= budget->limit == 0 || share->floor_amount > room;
        if (share->tightest && room >= share->room)
            continue;
        share->tightest = path->budgets[i];
        share->room = room;
    }
    return 0;
}

static void refuse(struct weighing *weighing, const struct mete_refusal *refusal,
                   int64_t retry_at_us)
{
    put_refusal(&weighing->sink, refusal);
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
            refuse(weighing, &refusal, INT64_MAX);
        }
    }
}

/* When asking again may help, as far as this budget goes. */
static int64_t retry_at(const struct ledger *ledger, uint32_t handle, int64_t floor_amount)
{
    const struct budget *budget = &ledger->budgets[handle];
    if (budget->limit == 0 || floor_amount > budget->limit)
        return INT64_MAX;
    if (budget->committed <= budget->limit - floor_amount)
        return 0; /* it is only held */
    return ledger->cold[handle].window_end_us;
}

static void refuse_budget(struct weighing *weighing, uint32_t handle, int64_t floor_amount)
{
    const struct budget *budget = &weighing->ledger->budgets[handle];
    struct mete_refusal refusal = {.reason = METE_HARD_LIMIT,
                                   .scope = {budget->scope},
                                   .budget = {handle},
                                   .meter = unit_meter(budget->unit),
                                   .shadow = budget->mode == METE_SHADOW,
                                   .currency = unit_currency(budget->unit),
                                   .limit = budget->limit,
                                   .committed = budget->committed,
                                   .held = budget->held,
                                   .asked = floor_amount,
                                   .resets_at = {weighing->ledger->cold[handle].window_end_us}};
    refuse(weighing, &refusal, retry_at(weighing->ledger, handle, floor_amount));
}

/* Names every budget of one mode that does not take the floor. */
static void refuse_budgets(struct weighing *weighing, enum mete_mode mode)
{
    const struct path *path = &weighing->path;
    for (size_t i = 0; i < path->budgets_len; i++) {
        const struct budget *budget = &weighing->ledger->budgets[path->budgets[i]];
        const struct share *share = share_of(weighing, budget->unit);
        if (budget->mode != mode || !share)
            continue;
        if (budget->limit == 0 ||
            share->floor_amount > budget->limit - budget->committed - budget->held)
            refuse_budget(weighing, path->budgets[i], share->floor_amount);
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
        int64_t room = share->tightest ? min_i64(share->room, METE_AMOUNT_MAX) : METE_AMOUNT_MAX;
        int64_t amount;
        if (amount_at(demand, quantity, &amount) && amount <= room)
            continue;
        ASSERT(demand->per_million > 0);
        int128 largest = ((int128)room - demand->fixed) * PER / demand->per_million;
        quantity = (int64_t)largest; /* less than it was, so it is one */
        ASSERT(largest >= args->floor && largest < args->wish);
    }
    for (size_t i = 0; i < args->demands_len; i++) {
        bool fits = amount_at(&args->demands[i], quantity, &weighing->shares[i].amount);
        ASSERT(fits);
        ASSERT_INV("INV-01", !weighing->shares[i].tightest ||
                                 weighing->shares[i].amount <= weighing->shares[i].room);
    }
    weighing->granted = quantity;
}

/* A shadow budget refuses nothing, but its figures must stay numbers. */
static bool shadows_fit(struct weighing *weighing)
{
    for (size_t i = 0; i < weighing->path.budgets_len; i++) {
        const struct budget *budget = &weighing->ledger->budgets[weighing->path.budgets[i]];
        const struct share *share = share_of(weighing, budget->unit);
        int64_t sum;
        if (budget->mode == METE_SHADOW && share &&
            !checked_add(budget->committed + budget->held, share->amount, &sum))
            return false;
    }
    return true;
}

/* LEDGER_STALE, METE_E_TOO_LARGE, or 0 and the weighing done. */
static int weigh(struct weighing *weighing, struct mete_instant now, struct ledger_due *ret_due)
{
    ASSERT(now.us >= weighing->ledger->last_at_us);
    weighing->retry_at_us = 0;
    weighing->granted = 0;
    weighing->refused = false;
    weighing->has_shadows = false;
    scopes_path(weighing->ledger, weighing->args->scope.n, &weighing->path);
    int rc = measure(weighing, now, ret_due);
    if (rc)
        return rc;
    weigh_scopes(weighing, now.us);
    bool refused = false;
    for (size_t i = 0; i < weighing->args->demands_len; i++)
        refused |= weighing->shares[i].refused;
    if (refused)
        refuse_budgets(weighing, METE_ENFORCE);
    ASSERT(weighing->refused || !refused);
    if (weighing->has_shadows)
        refuse_budgets(weighing, METE_SHADOW);
    if (weighing->refused)
        return 0;
    grant(weighing);
    return weighing->has_shadows && !shadows_fit(weighing) ? METE_E_TOO_LARGE : 0;
}

static struct mete_verdict verdict_of(const struct weighing *weighing, bool takes)
{
    const struct share *first = &weighing->shares[0];
    struct mete_verdict verdict = {.allowed = !weighing->refused,
                                   .granted = weighing->granted,
                                   .retry_at = {weighing->retry_at_us},
                                   .refusals_len = weighing->sink.len};
    if (!first->tightest)
        return verdict;
    verdict.has_remaining = 1;
    verdict.remaining = first->room - (takes && !weighing->refused ? first->amount : 0);
    verdict.remaining_of.n = first->tightest;
    return verdict;
}

/* ---- Reserve and check ----------------------------------------------------------------------- */

static void begin_entry(const struct ledger *ledger, struct mete_instant now, enum entry_kind kind,
                        struct entry *entry)
{
    entry->kind = kind;
    entry->seq = ledger->last_seq + 1;
    entry->at_us = now.us;
}

static void write_reserve(const struct weighing *weighing, uint64_t id, struct entry *entry)
{
    const struct mete_reserve *args = weighing->args;
    entry->u.reserve.reservation = id;
    entry->u.reserve.scope = args->scope.n;
    entry->u.reserve.request_id = of_text(args->request_id);
    entry->u.reserve.content = args->request_id.len ? args->content : 0;
    entry->u.reserve.model = names_enter(weighing->ledger, of_text(args->model), NULL, 0);
    const struct entry_name *earlier[] = {&entry->u.reserve.model};
    entry->u.reserve.provider = names_enter(weighing->ledger, of_text(args->provider), earlier, 1);
    entry->u.reserve.flags = args->flags;
    entry->u.reserve.on_expiry = args->on_expiry;
    entry->u.reserve.granted = weighing->granted;
    entry->u.reserve.expires_at_us = entry->at_us + args->ttl_ms * 1000;
    entry->u.reserve.amounts_len = (uint32_t)args->demands_len;
    for (size_t i = 0; i < args->demands_len; i++) {
        struct entry_amount *amount = &entry->u.reserve.amounts[i];
        amount->meter = args->demands[i].meter;
        amount->currency = args->demands[i].currency;
        amount->amount = weighing->shares[i].amount;
    }
}

/* A refusal of a call with an id is journaled if there is a time until which it binds. */
static void write_refuse(const struct weighing *weighing, struct mete_instant now,
                         struct mete_verdict *verdict, struct entry *entry)
{
    const struct mete_reserve *args = weighing->args;
    entry->kind = ENTRY_NONE;
    if (!args->request_id.len || args->flags & METE_RESERVE_CALL || weighing->retry_at_us == 0)
        return;
    begin_entry(weighing->ledger, now, ENTRY_REFUSE, entry);
    entry->u.refuse.scope = args->scope.n;
    entry->u.refuse.request_id = of_text(args->request_id);
    entry->u.refuse.content = args->content;
    entry->u.refuse.retry_at_us = weighing->retry_at_us;
    entry->u.refuse.primary = weighing->primary;
    verdict->seq = entry->seq;
}

int ledger_decide_reserve(struct ledger *ledger, struct mete_instant now,
                          const struct mete_reserve *args, struct mete_refusal *refusals,
                          size_t refusals_max, struct mete_verdict *ret_verdict,
                          struct ledger_decision *ret_decision)
{
    if (args->scope.n <= ledger->scopes_len)
        __builtin_prefetch(&ledger->scopes[args->scope.n]);
    int rc = check_reserve(ledger, args);
    if (rc)
        return rc;
    struct weighing weighing;
    weighing.ledger = ledger;
    weighing.args = args;
    weighing.sink = (struct sink){refusals, refusals_max, 0};
    if (args->request_id.len) {
        rc = repeat(ledger, now, args, &weighing.sink, ret_verdict);
        if (rc != NOT_A_REPEAT) {
            ledger->counts.repeats += rc == 0 || rc == METE_E_ENDED;
            ret_decision->entry.kind = ENTRY_NONE;
            return rc;
        }
    }
    rc = weigh(&weighing, now, &ret_decision->due);
    if (rc)
        return rc;
    uint64_t id = reservations_next_id(ledger, ledger->last_seq + 1);
    if (!weighing.refused && !id)
        return METE_E_FULL;
    struct mete_verdict verdict = verdict_of(&weighing, true);
    if (weighing.refused) {
        ledger->counts.refused++;
        write_refuse(&weighing, now, &verdict, &ret_decision->entry);
    } else {
        begin_entry(ledger, now, ENTRY_RESERVE, &ret_decision->entry);
        write_reserve(&weighing, id, &ret_decision->entry);
        verdict.reservation.n = id;
        verdict.expires_at.us = ret_decision->entry.u.reserve.expires_at_us;
        verdict.seq = ret_decision->entry.seq;
    }
    *ret_verdict = verdict;
    return 0;
}

int ledger_decide_check(struct ledger *ledger, struct mete_instant now,
                        const struct mete_reserve *args, struct mete_refusal *refusals,
                        size_t refusals_max, struct mete_verdict *ret_verdict,
                        struct ledger_decision *ret_decision)
{
    int rc = check_reserve(ledger, args);
    if (rc)
        return rc;
    struct weighing weighing;
    weighing.ledger = ledger;
    weighing.args = args;
    weighing.sink = (struct sink){refusals, refusals_max, 0};
    rc = weigh(&weighing, now, &ret_decision->due);
    if (rc)
        return rc;
    ret_decision->entry.kind = ENTRY_NONE;
    *ret_verdict = verdict_of(&weighing, false);
    return 0;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void usage_to_held(const struct mete_usage *usage, size_t len, struct held *ret_held)
{
    ASSERT(len <= METE_DEMANDS_MAX);
    for (size_t i = 0; i < len; i++)
        ret_held[i] = (struct held){unit_of(usage[i].meter, usage[i].currency), usage[i].amount};
}

static void usage_to_amounts(const struct mete_usage *usage, size_t len, uint32_t *ret_len,
                             struct entry_amount *ret_amounts)
{
    ASSERT(len <= METE_DEMANDS_MAX);
    for (size_t i = 0; i < len; i++)
        ret_amounts[i] = (struct entry_amount){usage[i].meter, usage[i].currency, usage[i].amount};
    *ret_len = (uint32_t)len;
}

static struct entry_outcome outcome_of(const struct mete_outcome *outcome,
                                       struct entry_name price_list)
{
    return (struct entry_outcome){.ending = outcome->ending,
                                  .flags = outcome->flags,
                                  .status = outcome->status,
                                  .attempts = outcome->attempts,
                                  .latency_ms = outcome->latency_ms,
                                  .first_token_ms = outcome->first_token_ms,
                                  .price_list = price_list,
                                  .note = of_text(outcome->note)};
}

/* The reservation is not open: 0 if it ended just so, ENDED or NOT_FOUND. */
static int already_ended(struct ledger *ledger, struct mete_instant now, uint64_t id,
                         const struct ending *wanted, struct mete_receipt *ret_receipt)
{
    const struct outcome *outcome = outcomes_find(ledger, id, now.us);
    if (!outcome)
        return METE_E_NOT_FOUND;
    *ret_receipt = outcomes_receipt(outcome);
    if (outcome->state != wanted->state ||
        outcome->figures != outcomes_figures(wanted->used, wanted->used_len)) {
        ret_receipt->repeated = 0;
        return METE_E_ENDED;
    }
    ledger->counts.repeats++;
    return 0;
}

int ledger_decide_commit(struct ledger *ledger, struct mete_instant now,
                         const struct mete_commit *args, struct mete_receipt *ret_receipt,
                         struct ledger_decision *ret_decision)
{
    ASSERT(now.us >= ledger->last_at_us);
    int rc = check_usage(args->usage, args->usage_len);
    if (rc == 0)
        rc = check_outcome(&args->outcome);
    if (rc)
        return rc;
    struct ending ending;
    ending.state = METE_COMMITTED;
    ending.used_len = args->usage_len;
    usage_to_held(args->usage, args->usage_len, ending.used);
    ending.slot = reservations_find(ledger, args->reservation.n);
    ret_decision->entry.kind = ENTRY_NONE;
    if (!ending.slot)
        return already_ended(ledger, now, args->reservation.n, &ending, ret_receipt);
    reservations_read_end(ledger, &ending);
    if (!reservations_weigh(ledger, &ending))
        return METE_E_TOO_LARGE;
    struct entry *entry = &ret_decision->entry;
    begin_entry(ledger, now, ENTRY_COMMIT, entry);
    entry->u.commit.reservation = args->reservation.n;
    usage_to_amounts(args->usage, args->usage_len, &entry->u.commit.amounts_len,
                     entry->u.commit.amounts);
    entry->u.commit.outcome =
        outcome_of(&args->outcome, names_enter(ledger, of_text(args->outcome.price_list), NULL, 0));
    *ret_receipt = (struct mete_receipt){.state = METE_COMMITTED,
                                         .cost = reservations_cost(ending.used, ending.used_len),
                                         .overrun = ending.overrun,
                                         .record = entry->seq};
    return 0;
}

int ledger_decide_release(struct ledger *ledger, struct mete_instant now,
                          struct mete_reservation_id id, struct mete_receipt *ret_receipt,
                          struct ledger_decision *ret_decision)
{
    ASSERT(now.us >= ledger->last_at_us);
    struct ending ending;
    ending.state = METE_RELEASED;
    ending.used_len = 0;
    ret_decision->entry.kind = ENTRY_NONE;
    if (!reservations_find(ledger, id.n))
        return already_ended(ledger, now, id.n, &ending, ret_receipt);
    begin_entry(ledger, now, ENTRY_RELEASE, &ret_decision->entry);
    ret_decision->entry.u.end.reservation = id.n;
    *ret_receipt = (struct mete_receipt){.state = METE_RELEASED, .record = ret_decision->entry.seq};
    return 0;
}

static void write_end(const struct ledger *ledger, struct mete_instant now, uint32_t slot,
                      struct entry *entry)
{
    begin_entry(ledger, now, ENTRY_EXPIRE, entry);
    entry->u.end.reservation = reservation_id(slot, ledger->slots[slot].generation);
}

int64_t ledger_next_expiry(const struct ledger *ledger)
{
    return ledger->heap_len ? ledger->heap[0].at_us : INT64_MAX;
}

bool ledger_decide_expiry(struct ledger *ledger, struct mete_instant now, struct entry *ret_entry)
{
    if (ledger_next_expiry(ledger) > now.us)
        return false;
    ASSERT(now.us >= ledger->last_at_us);
    write_end(ledger, now, ledger->heap[0].slot, ret_entry);
    return true;
}

bool ledger_decide_orphan(struct ledger *ledger, struct mete_instant now, struct entry *ret_entry)
{
    if (ledger->calls_len == 0)
        return false;
    ASSERT(now.us >= ledger->last_at_us);
    write_end(ledger, now, ledger->calls[0], ret_entry);
    return true;
}

/* ---- Record ---------------------------------------------------------------------------------- */

/* NOT_A_REPEAT, or what a repeat of this request id gets. A refusal does not stand in the way of
 * recording what was spent in spite of it. */
static int repeat_record(struct ledger *ledger, struct mete_instant now,
                         const struct mete_record *args, const struct held *used,
                         struct mete_receipt *ret_receipt)
{
    struct slice request_id = of_text(args->request_id);
    if (reservations_of_request(ledger, args->scope.n, request_id))
        return METE_E_CONTENT;
    const struct outcome *outcome = outcomes_of_request(ledger, args->scope.n, request_id, now.us);
    if (!outcome || outcome->kind == OUTCOME_REFUSED)
        return NOT_A_REPEAT;
    if (outcome->kind != OUTCOME_RECORDED ||
        outcomes_asked(ledger, outcome)->content != args->content ||
        outcome->figures != outcomes_figures(used, args->usage_len))
        return METE_E_CONTENT;
    *ret_receipt = outcomes_receipt(outcome);
    ledger->counts.repeats++;
    return 0;
}

static void write_record(const struct ledger *ledger, const struct mete_record *args,
                         struct entry *entry)
{
    entry->u.record.scope = args->scope.n;
    entry->u.record.request_id = of_text(args->request_id);
    entry->u.record.content = args->request_id.len ? args->content : 0;
    const struct entry_name *earlier[] = {&entry->u.record.model, &entry->u.record.provider};
    entry->u.record.model = names_enter(ledger, of_text(args->model), NULL, 0);
    entry->u.record.provider = names_enter(ledger, of_text(args->provider), earlier, 1);
    entry->u.record.outcome = outcome_of(
        &args->outcome, names_enter(ledger, of_text(args->outcome.price_list), earlier, 2));
    usage_to_amounts(args->usage, args->usage_len, &entry->u.record.amounts_len,
                     entry->u.record.amounts);
}

static int check_record(const struct ledger *ledger, const struct mete_record *args)
{
    int rc = check_usage(args->usage, args->usage_len);
    if (rc == 0)
        rc = check_outcome(&args->outcome);
    if (rc)
        return rc;
    if (args->usage_len == 0)
        return METE_E_INVALID;
    return check_call(ledger, args->scope, args->request_id, args->model, args->provider);
}

int ledger_decide_record(struct ledger *ledger, struct mete_instant now,
                         const struct mete_record *args, struct mete_receipt *ret_receipt,
                         struct ledger_decision *ret_decision)
{
    ASSERT(now.us >= ledger->last_at_us);
    int rc = check_record(ledger, args);
    if (rc)
        return rc;
    struct held used[METE_DEMANDS_MAX];
    usage_to_held(args->usage, args->usage_len, used);
    ret_decision->entry.kind = ENTRY_NONE;
    if (args->request_id.len) {
        rc = repeat_record(ledger, now, args, used, ret_receipt);
        if (rc != NOT_A_REPEAT)
            return rc;
    }
    struct path path;
    scopes_path(ledger, args->scope.n, &path);
    for (size_t i = 0; i < path.budgets_len; i++) {
        const struct budget *budget = &ledger->budgets[path.budgets[i]];
        if (budget->mode != METE_OFF && now.us >= budget->stale_at_us) {
            ret_decision->due = (struct ledger_due){LEDGER_DUE_WINDOW, path.budgets[i], 0};
            return LEDGER_STALE;
        }
    }
    bool overrun;
    if (!reservations_weigh_record(ledger, &path, used, args->usage_len, &overrun))
        return METE_E_TOO_LARGE;
    begin_entry(ledger, now, ENTRY_RECORD, &ret_decision->entry);
    write_record(ledger, args, &ret_decision->entry);
    *ret_receipt = (struct mete_receipt){.state = METE_COMMITTED,
                                         .cost = reservations_cost(used, args->usage_len),
                                         .overrun = overrun,
                                         .record = ret_decision->entry.seq};
    return 0;
}
