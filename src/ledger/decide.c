/* SPDX-License-Identifier: Apache-2.0
 * The decisions about what may be spent: pure questions to the state. Each ends in an entry that
 * ledger_apply() takes without a fault, or in none.
 *
 * Reserve: form -> repeat? -> the weighing (weigh.c) -> an entry, or a refusal.
 *
 * Of ledger.h's functions, reserve and check are here, commit to record in decide_end.c, and
 * administration in decide_change.c: their header is one, their code would be too long as one. */
#include "ledger/controls.h"
#include "ledger/increases.h"
#include "ledger/quotas.h"
#include "ledger/weigh.h"

enum { NOT_A_REPEAT = 2 };

/* ---- Form ------------------------------------------------------------------------------------ */

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

void decide_begin(const struct ledger *ledger, struct mete_instant now, enum entry_kind kind,
                  struct entry *entry)
{
    entry->kind = kind;
    entry->seq = ledger->last_seq + 1;
    entry->at_us = now.us;
}

int decide_check_labels(struct mete_text session, const struct mete_text *tags, size_t tags_len)
{
    if (session.len > LIMIT_SESSION || tags_len > METE_TAGS_MAX)
        return METE_E_TOO_LARGE;
    bool valid = entry_is_text(of_text(session));
    for (size_t i = 0; i < tags_len; i++) {
        if (tags[i].len > LIMIT_SESSION)
            return METE_E_TOO_LARGE;
        valid &= tags[i].len > 0 && entry_is_text(of_text(tags[i]));
    }
    return valid ? 0 : METE_E_INVALID;
}

void decide_write_labels(struct mete_text session, const struct mete_text *tags, size_t tags_len,
                         struct slice *ret_session, struct entry_tags *ret_tags)
{
    *ret_session = of_text(session);
    ret_tags->len = tags_len;
    for (size_t i = 0; i < tags_len; i++)
        ret_tags->texts[i] = of_text(tags[i]);
}

int decide_check_call(const struct ledger *ledger, struct mete_scope_id scope,
                      struct mete_text request_id, struct mete_text model,
                      struct mete_text provider)
{
    if (request_id.len > LIMIT_ID || model.len > LIMIT_ID || provider.len > LIMIT_PROVIDER)
        return METE_E_TOO_LARGE;
    if ((request_id.len && !entry_is_id(of_text(request_id))) || !entry_is_text(of_text(model)) ||
        !entry_is_text(of_text(provider)))
        return METE_E_INVALID;
    return scope.n == 0 || scope.n > ledger->scopes_len ? METE_E_NOT_FOUND : 0;
}

int decide_check_demands(const struct mete_demand *demands, size_t len, int64_t floor)
{
    if (len > METE_DEMANDS_MAX)
        return METE_E_TOO_LARGE;
    if (len == 0)
        return METE_E_INVALID;
    for (size_t i = 0; i < len; i++) {
        const struct mete_demand *demand = &demands[i];
        int64_t amount;
        if (!entry_is_unit(demand->meter, demand->currency) || demand->fixed < 0 ||
            demand->fixed > METE_AMOUNT_MAX || demand->per_million < 0 ||
            demand->per_million > METE_AMOUNT_MAX || !weigh_amount_at(demand, floor, &amount))
            return METE_E_INVALID;
        for (size_t j = 0; j < i; j++)
            if (demands[j].meter == demand->meter && demands[j].currency == demand->currency)
                return METE_E_INVALID;
    }
    return 0;
}

static int check_reserve(const struct ledger *ledger, const struct mete_reserve *args)
{
    if (args->floor < 0 || args->wish < args->floor || args->ttl_ms < 1 ||
        args->ttl_ms > LIMIT_HOLD_MS || (args->flags & ~(uint32_t)METE_RESERVE_CALL) ||
        (args->on_expiry != METE_EXPIRY_RELEASE && args->on_expiry != METE_EXPIRY_CHARGE))
        return METE_E_INVALID;
    int rc = decide_check_demands(args->demands, args->demands_len, args->floor);
    if (rc == 0)
        rc = decide_check_labels(args->session, args->tags, args->tags_len);
    if (rc)
        return rc;
    return decide_check_call(ledger, args->scope, args->request_id, args->model, args->provider);
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
    *verdict = (struct mete_verdict){.allowed = 1,
                                     .reservation = {id},
                                     .expires_at = {expiries_at_us(ledger, open)},
                                     .granted = open->granted,
                                     .has_remaining = asked.remaining_of != 0,
                                     .remaining = asked.remaining,
                                     .remaining_of = {asked.remaining_of},
                                     .repeated = 1,
                                     .seq = reservation_seq(id)};
    return 0;
}

/* A refusal binds until its retry_at; one that was to last binds while its cause does. */
static bool refusal_binds(const struct ledger *ledger, const struct outcome *outcome,
                          int64_t now_us)
{
    const struct outcome_asked *asked = outcomes_asked(ledger, outcome);
    const struct mete_refusal *primary = &asked->primary;
    if (primary->reason == METE_EMERGENCY_STOP &&
        !controls_is_still_stopped(ledger, primary->budget.n, outcome->ended_at_us, now_us))
        return false; /* it was lifted, or its window has ended */
    if (asked->expires_at_us != INT64_MAX)
        return now_us < asked->expires_at_us;
    if (primary->rate.n)
        return ledger->rates[primary->rate.n].life == RATE_LIVES &&
               ledger->rate_colds[primary->rate.n].revision == asked->revision;
    if (primary->reason == METE_QUOTA) {
        uint32_t quota =
            quotas_of(ledger, primary->scope.n, unit_of(primary->meter, primary->currency));
        return quota && ledger->quotas[quota].revision == asked->revision;
    }
    if (primary->budget.n && now_us >= increases_next_at(ledger, primary->budget.n))
        return false; /* its limit changes with this very question */
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
    if (!refusal_binds(ledger, outcome, now.us))
        return NOT_A_REPEAT;
    const struct outcome_asked *asked = outcomes_asked(ledger, outcome);
    if (asked->content != args->content)
        return METE_E_CONTENT;
    weigh_put_refusal(sink, &asked->primary);
    *ret_verdict = (struct mete_verdict){
        .retry_at = {asked->expires_at_us}, .refusals_len = 1, .repeated = 1, .seq = outcome->seq};
    return 0;
}

/* ---- Reserve and check ----------------------------------------------------------------------- */

static void write_reserve(const struct weighing *weighing, uint64_t id, struct entry *entry)
{
    const struct mete_reserve *args = weighing->args;
    entry->u.reserve.reservation = id;
    entry->u.reserve.scope = args->scope.n;
    entry->u.reserve.request_id = of_text(args->request_id);
    bool is_kept = args->request_id.len || args->flags & METE_RESERVE_CALL;
    entry->u.reserve.content = is_kept ? args->content : 0;
    entry->u.reserve.model = names_enter(weighing->ledger, of_text(args->model), NULL, 0);
    const struct entry_name *earlier[] = {&entry->u.reserve.model};
    entry->u.reserve.provider = names_enter(weighing->ledger, of_text(args->provider), earlier, 1);
    decide_write_labels(args->session, args->tags, args->tags_len, &entry->u.reserve.session,
                        &entry->u.reserve.tags);
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

/* A refusal of a call with an id is journaled if there is a time until which it binds. A missing
 * exchange rate may be there any moment: each try looks again. */
static void write_refuse(const struct weighing *weighing, struct mete_instant now,
                         struct mete_verdict *verdict, struct entry *entry)
{
    const struct mete_reserve *args = weighing->args;
    entry->kind = ENTRY_NONE;
    if (!args->request_id.len || args->flags & METE_RESERVE_CALL || weighing->retry_at_us == 0 ||
        weighing->primary.reason == METE_UNPRICED)
        return;
    decide_begin(weighing->ledger, now, ENTRY_REFUSE, entry);
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
    rc = weigh_reserve(&weighing, now, &ret_decision->due);
    if (rc)
        return rc;
    uint64_t id = reservations_next_id(ledger, ledger->last_seq + 1);
    if (!weighing.refused && !id)
        return METE_E_FULL;
    struct mete_verdict verdict = weigh_verdict(&weighing, true);
    if (weighing.refused) {
        ledger->counts.refused++;
        write_refuse(&weighing, now, &verdict, &ret_decision->entry);
    } else {
        decide_begin(ledger, now, ENTRY_RESERVE, &ret_decision->entry);
        write_reserve(&weighing, id, &ret_decision->entry);
        verdict.reservation.n = id;
        verdict.expires_at.us = ret_decision->entry.u.reserve.expires_at_us;
        verdict.seq = ret_decision->entry.seq;
    }
    if (weighing.meets_throttles)
        controls_count(ledger, &weighing);
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
    rc = weigh_reserve(&weighing, now, &ret_decision->due);
    if (rc)
        return rc;
    ret_decision->entry.kind = ENTRY_NONE;
    *ret_verdict = weigh_verdict(&weighing, false);
    return 0;
}
