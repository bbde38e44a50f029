/* SPDX-License-Identifier: Apache-2.0
 * The decisions that charge: commit, release, expiry, record. Each is a pure question to the state,
 * as those of decide.c are. A commit or release asks nothing of the present windows: it counts
 * where its reservation was made. */
#include "base/details.h"
#include "ledger/extras.h"
#include "ledger/endings.h"
#include "ledger/increases.h"
#include "ledger/matches.h"
#include "ledger/templates.h"

enum { NOT_A_REPEAT = 2 };

/* ---- Form ------------------------------------------------------------------------------------ */

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
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

/* The parts of a cost are all of it; what is charged provisionally has none, so that those of its
 * correction are the call's. */
static bool adds_up(const struct mete_outcome *outcome, const struct mete_usage *usage, size_t len)
{
    const struct mete_details *details = &outcome->details;
    int64_t sum = 0;
    if (!details->parts_len)
        return true;
    for (size_t i = 0; i < details->parts_len; i++)
        if (!checked_add(sum, details->parts[i].nano, &sum))
            return false;
    for (size_t i = 0; i < len; i++)
        if (usage[i].meter == METE_COST)
            return usage[i].amount == sum && !(outcome->flags & METE_OUTCOME_PROVISIONAL);
    return false;
}

static int check_outcome(const struct mete_outcome *outcome, const struct mete_usage *usage,
                         size_t usage_len)
{
    if (outcome->price_list.len > LIMIT_PROVIDER || outcome->note.len > LIMIT_NOTE)
        return METE_E_TOO_LARGE;
    int rc = details_check(&outcome->details);
    if (rc)
        return rc;
    if ((unsigned)outcome->ending >= METE_ENDINGS || !entry_is_text(of_text(outcome->price_list)) ||
        (outcome->flags & ~(uint32_t)(METE_OUTCOME_PROVISIONAL | METE_OUTCOME_COUNTED)) ||
        !adds_up(outcome, usage, usage_len))
        return METE_E_INVALID;
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

/* The details are packed into the ledger's room, until the next decision. */
static struct entry_outcome outcome_of(struct ledger *ledger, const struct mete_outcome *outcome,
                                       struct entry_name price_list)
{
    size_t details_len = details_write(&outcome->details, ledger->details);
    return (struct entry_outcome){.ending = outcome->ending,
                                  .flags = outcome->flags,
                                  .status = outcome->status,
                                  .attempts = outcome->attempts,
                                  .latency_ms = outcome->latency_ms,
                                  .first_token_ms = outcome->first_token_ms,
                                  .price_list = price_list,
                                  .note = of_text(outcome->note),
                                  .details = {(const char *)ledger->details, details_len}};
}

/* The reservation is not open: 0 if it ended just so, ENDED or NOT_FOUND. */
static int already_ended(struct ledger *ledger, struct mete_instant now, uint64_t id,
                         const struct ending *wanted, struct mete_receipt *ret_receipt)
{
    const struct outcome *outcome = outcomes_find(ledger, id, now.us);
    if (!outcome)
        return METE_E_NOT_FOUND;
    *ret_receipt = outcomes_receipt(outcome);
    bool is_as_wanted =
        outcome->state == wanted->state || (outcome->corrected && wanted->state == METE_COMMITTED);
    if (!is_as_wanted || outcome->figures != outcomes_figures(wanted->used, wanted->used_len)) {
        ret_receipt->repeated = 0;
        return METE_E_ENDED;
    }
    ledger->counts.repeats++;
    return 0;
}

/* The true figures of one that has ended and may still be corrected. */
static int correct(struct ledger *ledger, struct mete_instant now, const struct mete_commit *args,
                   struct ending *ending, struct mete_receipt *ret_receipt, struct entry *entry)
{
    if (!correct_weigh(ledger, now.us, ending))
        return METE_E_TOO_LARGE;
    decide_begin(ledger, now, ENTRY_CORRECT, entry);
    entry->u.correct.reservation = args->reservation.n;
    usage_to_amounts(args->usage, args->usage_len, &entry->u.correct.amounts_len,
                     entry->u.correct.amounts);
    entry->u.correct.outcome = outcome_of(
        ledger, &args->outcome, names_enter(ledger, of_text(args->outcome.price_list), NULL, 0));
    *ret_receipt = (struct mete_receipt){.state = ending->state,
                                         .cost = endings_cost(ending->used, ending->used_len),
                                         .overrun = ending->overrun,
                                         .corrected = 1,
                                         .record = entry->seq};
    return 0;
}

/* Not open: what it may be beside NOT_FOUND. */
static int commit_ended(struct ledger *ledger, struct mete_instant now,
                        const struct mete_commit *args, struct ending *ending,
                        struct mete_receipt *ret_receipt, struct entry *entry)
{
    ending->slot = args->outcome.flags & METE_OUTCOME_PROVISIONAL
                       ? NULL
                       : reservations_find_closed(ledger, args->reservation.n);
    if (ending->slot && correct_may(ledger, ending->slot, now.us))
        return correct(ledger, now, args, ending, ret_receipt, entry);
    return already_ended(ledger, now, args->reservation.n, ending, ret_receipt);
}

int ledger_decide_commit(struct ledger *ledger, struct mete_instant now,
                         const struct mete_commit *args, struct mete_receipt *ret_receipt,
                         struct ledger_decision *ret_decision)
{
    ASSERT(now.us >= ledger->last_at_us);
    int rc = check_usage(args->usage, args->usage_len);
    if (rc == 0)
        rc = check_outcome(&args->outcome, args->usage, args->usage_len);
    if (rc)
        return rc;
    struct ending ending;
    ending.state = METE_COMMITTED;
    ending.used_len = args->usage_len;
    usage_to_held(args->usage, args->usage_len, ending.used);
    ending.slot = reservations_find(ledger, args->reservation.n);
    ret_decision->entry.kind = ENTRY_NONE;
    if (!ending.slot)
        return commit_ended(ledger, now, args, &ending, ret_receipt, &ret_decision->entry);
    endings_read(ledger, &ending);
    if (!endings_weigh(ledger, now.us, &ending))
        return METE_E_TOO_LARGE;
    struct entry *entry = &ret_decision->entry;
    decide_begin(ledger, now, ENTRY_COMMIT, entry);
    entry->u.commit.reservation = args->reservation.n;
    usage_to_amounts(args->usage, args->usage_len, &entry->u.commit.amounts_len,
                     entry->u.commit.amounts);
    entry->u.commit.outcome = outcome_of(
        ledger, &args->outcome, names_enter(ledger, of_text(args->outcome.price_list), NULL, 0));
    *ret_receipt = (struct mete_receipt){.state = METE_COMMITTED,
                                         .cost = endings_cost(ending.used, ending.used_len),
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
    decide_begin(ledger, now, ENTRY_RELEASE, &ret_decision->entry);
    ret_decision->entry.u.end.reservation = id.n;
    *ret_receipt = (struct mete_receipt){.state = METE_RELEASED, .record = ret_decision->entry.seq};
    return 0;
}

static void write_end(const struct ledger *ledger, struct mete_instant now, uint32_t slot,
                      struct entry *entry)
{
    decide_begin(ledger, now, ENTRY_EXPIRE, entry);
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

uint32_t ledger_calls(const struct ledger *ledger, struct ledger_call *calls, uint32_t max)
{
    for (uint32_t i = 0; i < ledger->calls_len && i < max; i++) {
        uint32_t slot = ledger->calls[i].slot;
        uint64_t id = reservation_id(slot, ledger->slots[slot].generation);
        calls[i] = (struct ledger_call){reservation_seq(id), id};
    }
    return ledger->calls_len;
}

void ledger_decide_orphan(const struct ledger *ledger, struct mete_instant now, uint64_t id,
                          struct entry *ret_entry)
{
    const struct reservation *call = reservations_find(ledger, id);
    ASSERT(call && call->is_call);
    ASSERT(now.us >= ledger->last_at_us);
    write_end(ledger, now, reservations_slot(ledger, call), ret_entry);
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

static void write_record(struct ledger *ledger, const struct mete_record *args, struct entry *entry)
{
    entry->u.record.scope = args->scope.n;
    entry->u.record.request_id = of_text(args->request_id);
    entry->u.record.content = args->request_id.len ? args->content : 0;
    const struct entry_name *earlier[] = {&entry->u.record.model, &entry->u.record.provider};
    entry->u.record.model = names_enter(ledger, of_text(args->model), NULL, 0);
    entry->u.record.provider = names_enter(ledger, of_text(args->provider), earlier, 1);
    decide_write_labels(args->session, args->tags, args->tags_len, &entry->u.record.session,
                        &entry->u.record.tags);
    entry->u.record.outcome = outcome_of(
        ledger, &args->outcome, names_enter(ledger, of_text(args->outcome.price_list), earlier, 2));
    usage_to_amounts(args->usage, args->usage_len, &entry->u.record.amounts_len,
                     entry->u.record.amounts);
}

static int check_record(const struct ledger *ledger, const struct mete_record *args)
{
    int rc = check_usage(args->usage, args->usage_len);
    if (rc == 0)
        rc = check_outcome(&args->outcome, args->usage, args->usage_len);
    if (rc == 0)
        rc = decide_check_labels(args->session, args->tags, args->tags_len);
    if (rc)
        return rc;
    if (args->usage_len == 0)
        return METE_E_INVALID;
    return decide_check_call(ledger, args->scope, args->request_id, args->model, args->provider);
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
    struct call_texts call;
    scopes_path(ledger, args->scope.n, &path);
    if (templates_due(ledger, &path, &ret_decision->due) == LEDGER_STALE)
        return LEDGER_STALE; /* where there is no room for a budget it goes on without */
    matches_of_call(args->model, args->provider, args->session, args->tags, args->tags_len, &call);
    call.at_us = now.us;
    extras_keep_matching(ledger, &path, &call);
    for (size_t i = 0; i < path.budgets_len; i++) {
        const struct budget *budget = &ledger->budgets[path.budgets[i]];
        if (budget->mode != METE_OFF &&
            budgets_is_due(ledger, path.budgets[i], now.us, &ret_decision->due))
            return LEDGER_STALE;
    }
    bool overrun;
    if (!endings_weigh_record(ledger, now.us, &path, used, args->usage_len, &overrun))
        return METE_E_TOO_LARGE;
    decide_begin(ledger, now, ENTRY_RECORD, &ret_decision->entry);
    write_record(ledger, args, &ret_decision->entry);
    *ret_receipt = (struct mete_receipt){.state = METE_COMMITTED,
                                         .cost = endings_cost(used, args->usage_len),
                                         .overrun = overrun,
                                         .record = ret_decision->entry.seq};
    return 0;
}
