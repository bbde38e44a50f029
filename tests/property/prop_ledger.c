/* SPDX-License-Identifier: Apache-2.0
 * Proves that the ledger is the naive model of model_ledger.h: random administration, reservations,
 * ends, records, repeats, jumps of time, expiries and crashes of calls, drawn from the tape; after
 * each step equal answers, refusals in order, events in order and balances, and ledger_check().
 * At the end every entry, read back from its bytes, makes a fresh ledger of equal hash (INV-06),
 * also if that is saved and loaded on the way again and again.
 *
 * And proves that this can fail: each bug planted in the model is found. METE_CANARY=n plants one
 * for a look at what the property then says. */
#include "base/buffer.h"
#include "base/limits.h"
#include "calendar/calendar.h"
#include "ledger/ledger.h"
#include "property/model_ledger.h"
#include "property/tape.h"
#include "unit/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static bool quiet; /* a fault is what is looked for */

#define HOLDS_IF_LOUD(cond)                                                                        \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            if (!quiet)                                                                            \
                fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond);          \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* Passes a fault on. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        if (call)                                                                                  \
            return 1;                                                                              \
    } while (0)

#define T0                                                                                         \
    INT64_C(1706745540000000) /* 2024-01-31T23:59:00Z: a month, a day and an hour end soon         \
                               */
#define SECOND_US INT64_C(1000000)

enum { STEPS_MAX = 300, OUTCOMES = 12, RESERVATIONS = 8, ENTRY_ROOM = 2048, RELOAD_EVERY = 7 };

struct world {
    struct tape *tape;
    struct ledger *ledger;
    struct model *model;
    int64_t now_us;
    struct buffer journal; /* every entry: its length, its bytes; each counts its time from 0 */
    struct ledger_effects effects;
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_demand demands[4];
    struct mete_usage usage[4];
    uint64_t seq_before;
};

/* ---- The ledger's side ----------------------------------------------------------------------- */

static struct mete_instant now(const struct world *w)
{
    return (struct mete_instant){w->now_us};
}

static int apply(struct world *w, const struct entry *entry)
{
    char *room;
    int rc = buffer_reserve(&w->journal, sizeof(uint32_t) + ENTRY_ROOM, &room);
    ASSERT(rc == 0 && entry_size_max(entry) <= ENTRY_ROOM);
    struct writer writer = {(uint8_t *)room + sizeof(uint32_t),
                            (uint8_t *)room + sizeof(uint32_t) + ENTRY_ROOM};
    entry_write(&writer, entry, 0);
    uint32_t len = (uint32_t)((size_t)(writer.at - (uint8_t *)room) - sizeof len);
    memcpy(room, &len, sizeof len);
    buffer_advance(&w->journal, sizeof len + len);
    HOLDS_IF_LOUD(entry->kind != ENTRY_RESERVE || len < 128);
    HOLDS_IF_LOUD(ledger_apply(w->ledger, entry, &w->effects) == 0);
    return 0;
}

/* Brings a budget's window up to now. */
static int roll(struct world *w, uint32_t budget)
{
    struct mete_budget_view view;
    struct window window;
    HOLDS_IF_LOUD(ledger_budget(w->ledger, budget, &view) == 0);
    HOLDS_IF_LOUD(view.window_end.us <= w->now_us);
    struct calendar_rule rule = {.period = view.period};
    HOLDS_IF_LOUD(calendar_window(&rule, w->now_us, &window) == 0);
    struct entry entry = {
        .kind = ENTRY_WINDOW, .seq = ledger_last_seq(w->ledger) + 1, .at_us = w->now_us};
    entry.u.window.budget = budget;
    entry.u.window.start_us = window.start_us;
    entry.u.window.end_us = window.end_us;
    TRY(apply(w, &entry));
    HOLDS_IF_LOUD(w->effects.events_len == 0);
    return 0;
}

static int replay(const struct world *w)
{
    struct ledger *fresh;
    const struct ledger_room room = {MODEL_SCOPES, MODEL_BUDGETS, RESERVATIONS, OUTCOMES};
    int rc = ledger_open(&room, &fresh);
    ASSERT(rc == 0);
    uint64_t seq = 0;
    for (size_t at = 0; at < w->journal.len;) {
        uint32_t len;
        memcpy(&len, w->journal.data + at, sizeof len);
        struct reader reader = {(const uint8_t *)w->journal.data + at + sizeof len,
                                (const uint8_t *)w->journal.data + at + sizeof len + len, false};
        struct entry entry;
        HOLDS_IF_LOUD(entry_read(&reader, 0, &entry) == 0 && reader.at == reader.end);
        entry.seq = ++seq;
        HOLDS_IF_LOUD(ledger_apply(fresh, &entry, NULL) == 0);
        at += sizeof len + len;
        if (seq % RELOAD_EVERY == 0)
            fresh = reload(fresh);
    }
    uint8_t lived[32], replayed[32];
    ledger_hash(w->ledger, lived);
    ledger_hash(fresh, replayed);
    ledger_check(fresh);
    ledger_close(fresh);
    HOLDS_IF_LOUD(memcmp(lived, replayed, sizeof lived) == 0);
    return 0;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static int compare_budgets(const struct world *w)
{
    for (uint32_t b = 1; b <= w->model->budgets_len; b++) {
        struct mete_budget_view view;
        HOLDS_IF_LOUD(ledger_budget(w->ledger, b, &view) == 0);
        int64_t at_us = view.window_start.us;
        HOLDS_IF_LOUD(view.committed == model_committed(w->model, b, at_us));
        HOLDS_IF_LOUD(view.held == model_held(w->model, b, at_us));
        HOLDS_IF_LOUD(view.fired == model_fired(w->model, b, at_us));
        HOLDS_IF_LOUD(view.limit == w->model->budgets[b].spec.limit);
        HOLDS_IF_LOUD(view.mode == w->model->budgets[b].spec.mode);
        HOLDS_IF_LOUD(view.revision == w->model->budgets[b].revision);
        HOLDS_IF_LOUD(view.ended == w->model->budgets[b].ended);
    }
    return 0;
}

static int compare_state(struct world *w)
{
    struct ledger_counts counts;
    TRY(compare_budgets(w));
    HOLDS_IF_LOUD(ledger_next_expiry(w->ledger) == model_next_expiry(w->model));
    ledger_counts(w->ledger, &counts);
    HOLDS_IF_LOUD(counts.reservations_open == model_open(w->model));
    ledger_check(w->ledger);
    return 0;
}

static int compare_events(const struct world *w)
{
    const struct model_reply *reply = &w->model->reply;
    HOLDS_IF_LOUD(w->effects.events_len == reply->events_len);
    for (size_t i = 0; i < reply->events_len; i++) {
        const struct mete_event *got = &w->effects.events[i], *want = &reply->events[i];
        HOLDS_IF_LOUD(got->kind == want->kind && got->at.us == want->at.us &&
                      got->seq == want->seq);
        HOLDS_IF_LOUD(got->scope.n == want->scope.n && got->budget.n == want->budget.n);
        HOLDS_IF_LOUD(got->threshold_ppm == want->threshold_ppm && got->limit == want->limit);
        HOLDS_IF_LOUD(got->committed == want->committed && got->held == want->held);
    }
    return 0;
}

static int compare_refusals(const struct world *w, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const struct mete_refusal *got = &w->refusals[i], *want = &w->model->reply.refusals[i];
        HOLDS_IF_LOUD(got->reason == want->reason && got->scope.n == want->scope.n);
        HOLDS_IF_LOUD(got->budget.n == want->budget.n && got->meter == want->meter);
        HOLDS_IF_LOUD(got->shadow == want->shadow && got->currency == want->currency);
        HOLDS_IF_LOUD(got->limit == want->limit && got->committed == want->committed);
        HOLDS_IF_LOUD(got->held == want->held && got->asked == want->asked);
        HOLDS_IF_LOUD(got->resets_at.us == want->resets_at.us);
    }
    return 0;
}

static int compare_verdict(const struct world *w, const struct mete_verdict *got)
{
    const struct mete_verdict *want = &w->model->reply.verdict;
    HOLDS_IF_LOUD(got->allowed == want->allowed && got->granted == want->granted);
    HOLDS_IF_LOUD(got->expires_at.us == want->expires_at.us);
    HOLDS_IF_LOUD(got->has_remaining == want->has_remaining && got->remaining == want->remaining);
    HOLDS_IF_LOUD(got->remaining_of.n == want->remaining_of.n);
    HOLDS_IF_LOUD(got->retry_at.us == want->retry_at.us);
    HOLDS_IF_LOUD(got->refusals_len == want->refusals_len && got->repeated == want->repeated);
    HOLDS_IF_LOUD(got->seq == want->seq);
    HOLDS_IF_LOUD(!got->repeated || got->reservation.n == want->reservation.n);
    return compare_refusals(w, want->refusals_len);
}

static int compare_receipt(const struct world *w, const struct mete_receipt *got)
{
    const struct mete_receipt *want = &w->model->reply.receipt;
    HOLDS_IF_LOUD(got->state == want->state && got->cost == want->cost &&
                  got->overrun == want->overrun);
    HOLDS_IF_LOUD(got->repeated == want->repeated && got->record == want->record);
    HOLDS_IF_LOUD(got->corrected == want->corrected);
    return 0;
}

static int compare_ended(const struct world *w, const struct mete_usage *used, size_t used_len)
{
    const struct ledger_ended *ended = &w->effects.ended;
    HOLDS_IF_LOUD(w->effects.has_ended && ended->state == w->model->reply.receipt.state);
    HOLDS_IF_LOUD(ended->overrun == w->model->reply.receipt.overrun &&
                  ended->amounts_len == used_len);
    for (size_t i = 0; i < used_len; i++)
        HOLDS_IF_LOUD(ended->amounts[i].meter == used[i].meter &&
                      ended->amounts[i].currency == used[i].currency &&
                      ended->amounts[i].amount == used[i].amount);
    return 0;
}

static int64_t amount_of(const struct mete_usage *usage, size_t len, uint16_t meter,
                         uint32_t currency)
{
    for (size_t i = 0; i < len; i++)
        if (usage[i].meter == meter && usage[i].currency == currency)
            return usage[i].amount;
    return 0;
}

/* The record says the difference, of every unit that either figures name. */
static int compare_corrected(const struct world *w, const struct mete_usage *used, size_t used_len)
{
    const struct ledger_ended *ended = &w->effects.ended;
    const struct model_reply *reply = &w->model->reply;
    size_t named = used_len;
    for (size_t i = 0; i < reply->before_len; i++) {
        size_t j = 0;
        while (j < used_len && (used[j].meter != reply->before[i].meter ||
                                used[j].currency != reply->before[i].currency))
            j++;
        named += j == used_len;
    }
    HOLDS_IF_LOUD(w->effects.has_ended && ended->corrects > 0 &&
                  ended->corrects < reply->receipt.record);
    HOLDS_IF_LOUD(ended->state == reply->receipt.state && ended->overrun == reply->receipt.overrun);
    HOLDS_IF_LOUD(ended->amounts_len == named);
    for (size_t i = 0; i < named; i++) {
        uint16_t meter = ended->amounts[i].meter;
        uint32_t currency = ended->amounts[i].currency;
        HOLDS_IF_LOUD(ended->amounts[i].amount ==
                      amount_of(used, used_len, meter, currency) -
                          amount_of(reply->before, reply->before_len, meter, currency));
    }
    return 0;
}

/* ---- Drawing --------------------------------------------------------------------------------- */

#define PICK(tape, list) ((list)[tape_pick((tape), sizeof(list) / sizeof(list)[0])])

static struct mete_text text(const char *terminated)
{
    return (struct mete_text){terminated, strlen(terminated)};
}

static int64_t draw_amount(struct tape *tape)
{
    static const int64_t scales[] = {1, 10, 100, 1000, 1000, 1000000, METE_AMOUNT_MAX};
    int64_t scale = PICK(tape, scales);
    if (scale == METE_AMOUNT_MAX && !tape_chance(tape, 10))
        scale = 100;
    return (int64_t)tape_u64(tape, (uint64_t)scale);
}

static uint32_t draw_scope(struct world *w)
{
    return 1 + (uint32_t)tape_pick(w->tape, w->model->scopes_len);
}

static struct mete_text draw_request_id(struct tape *tape)
{
    static const char *const ids[] = {"", "", "", "r1", "r2", "r3", "r4"};
    return text(PICK(tape, ids));
}

/* One currency: several, and the rates between them, are the check of tests/model. */
static const struct mete_usage units[] = {{.meter = METE_COST, .currency = METE_USD},
                                          {.meter = METE_TOTAL_TOKENS},
                                          {.meter = METE_REQUESTS},
                                          {.meter = METE_OUTPUT}};

static struct mete_reserve draw_reserve(struct world *w)
{
    static const int64_t rates[] = {0, 0, 1, 333333, 1000000, 2500001, 1000000000000};
    static const int64_t ttls[] = {1, 1000, 60000, 3600000, 86400000};
    static const char *const models[] = {"", "gpt-4o", "claude", "gpt-4o-mini"};
    struct tape *tape = w->tape;
    struct mete_reserve args = {.scope = {draw_scope(w)},
                                .request_id = draw_request_id(tape),
                                .content = tape_chance(tape, 20),
                                .model = text(PICK(tape, models)),
                                .provider = text(PICK(tape, models)),
                                .demands = w->demands,
                                .demands_len = 1 + tape_pick(tape, 4)};
    size_t first = tape_pick(tape, 4);
    if (tape_chance(tape, 60)) {
        args.floor = (int64_t)tape_u64(tape, 300);
        args.wish = args.floor + (int64_t)tape_u64(tape, 5000);
    }
    for (size_t i = 0; i < args.demands_len; i++) {
        const struct mete_usage *unit = &units[(first + i) % 4];
        w->demands[i] = (struct mete_demand){.meter = unit->meter,
                                             .currency = unit->currency,
                                             .fixed = draw_amount(tape),
                                             .per_million = PICK(tape, rates)};
        if (w->demands[i].fixed > METE_AMOUNT_MAX - INT64_C(1000000000)) /* the floor must be one */
            w->demands[i].per_million = 0;
    }
    args.ttl_ms = PICK(tape, ttls);
    args.on_expiry = tape_chance(tape, 30) ? METE_EXPIRY_CHARGE : METE_EXPIRY_RELEASE;
    args.flags = tape_chance(tape, 25) ? METE_RESERVE_CALL : 0;
    return args;
}

static size_t draw_usage(struct world *w)
{
    size_t len = tape_pick(w->tape, 5), first = tape_pick(w->tape, 4);
    for (size_t i = 0; i < len; i++) {
        w->usage[i] = units[(first + i) % 4];
        w->usage[i].amount = draw_amount(w->tape);
    }
    return len;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static int put(struct world *w, const struct mete_change *change, uint32_t *ret_handle, int *ret_rc)
{
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_change(w->ledger, now(w), change, (struct slice){0}, ret_handle,
                                      &decision)) == LEDGER_STALE)
        TRY(roll(w, decision.due.budget));
    *ret_rc = rc;
    if (rc)
        return 0;
    if (decision.entry.kind == ENTRY_BUDGET && decision.entry.u.budget.window_end_us == 0) {
        struct window window;
        struct calendar_rule rule = {.period = change->budget.period};
        HOLDS_IF_LOUD(calendar_window(&rule, w->now_us, &window) == 0);
        decision.entry.u.budget.window_start_us = window.start_us;
        decision.entry.u.budget.window_end_us = window.end_us;
    }
    TRY(apply(w, &decision.entry));
    w->model->seq = ledger_last_seq(w->ledger);
    return 0;
}

static int put_scope(struct world *w, const struct mete_scope_spec *spec)
{
    const struct mete_change change = {.kind = METE_PUT_SCOPE, .scope = *spec};
    uint32_t handle = 0;
    int rc;
    TRY(put(w, &change, &handle, &rc));
    HOLDS_IF_LOUD(rc == 0);
    model_put_scope(w->model, handle, spec);
    return compare_events(w);
}

static int change_scope(struct world *w)
{
    struct mete_scope_spec spec = w->model->scopes[draw_scope(w)];
    static const int64_t ahead_us[] = {0, 0, -1, 1, 60 * SECOND_US, 86400 * SECOND_US};
    int64_t ahead = PICK(w->tape, ahead_us);
    spec.revoked = tape_chance(w->tape, 30);
    spec.expires_at.us = ahead ? w->now_us + ahead : 0;
    return put_scope(w, &spec);
}

static bool is_held(const struct model *model, uint32_t budget)
{
    for (size_t i = 0; i < model->reservations_len; i++)
        for (size_t t = 0; t < model->reservations[i].takes_len; t++)
            if (model->reservations[i].open && model->reservations[i].takes[t] == budget)
                return true;
    return false;
}

/* The budget of that id: a living one, or one whose reservations still hold the id. */
static uint32_t find_budget(const struct world *w, uint32_t organization, const char *id)
{
    for (uint32_t b = w->model->budgets_len; b > 0; b--)
        if (w->model->budgets[b].organization == organization &&
            strcmp(w->model->budgets[b].id, id) == 0 &&
            (!w->model->budgets[b].ended || is_held(w->model, b)))
            return b;
    return 0;
}

static void draw_terms(struct tape *tape, struct mete_budget_spec *spec)
{
    static const int64_t limits[] = {0, 1, 100, 100, 1000, 1000, 5000, METE_AMOUNT_MAX};
    static const enum mete_mode modes[] = {METE_ENFORCE, METE_ENFORCE, METE_ENFORCE, METE_SHADOW,
                                           METE_OFF};
    spec->limit = PICK(tape, limits);
    if (spec->limit > 1 && tape_chance(tape, 50))
        spec->limit = (int64_t)tape_u64(tape, (uint64_t)spec->limit);
    spec->mode = PICK(tape, modes);
    spec->thresholds_len = tape_pick(tape, 4);
    uint32_t ppm = 0;
    for (size_t i = 0; i < spec->thresholds_len; i++) {
        ppm += 100000 + 100000 * (uint32_t)tape_pick(tape, 3);
        spec->thresholds_ppm[i] = ppm;
    }
}

static unsigned count_budgets(const struct model *model, uint32_t scope)
{
    unsigned count = 0;
    for (uint32_t b = 1; b <= model->budgets_len; b++)
        count += model->budgets[b].spec.scope.n == scope && !model->budgets[b].ended;
    return count;
}

static int put_budget(struct world *w)
{
    static const char *const ids[] = {"b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9"};
    static const enum mete_period periods[] = {METE_HOURLY, METE_DAILY, METE_MONTHLY, METE_TOTAL};
    struct tape *tape = w->tape;
    const char *id = PICK(tape, ids);
    uint32_t scope = draw_scope(w), root = scope, handle = 0;
    while (w->model->scopes[root].parent.n)
        root = w->model->scopes[root].parent.n;
    size_t unit = tape_pick(tape, 4);
    struct mete_budget_spec spec = {.id = text(id),
                                    .scope = {scope},
                                    .meter = units[unit].meter,
                                    .currency = units[unit].currency,
                                    .period = PICK(tape, periods)};
    uint32_t there = find_budget(w, root, id);
    if (there)
        spec = w->model->budgets[there].spec;
    draw_terms(tape, &spec);
    const struct mete_change change = {.kind = METE_PUT_BUDGET, .budget = spec};
    int rc, want = there && w->model->budgets[there].ended ? METE_E_EXISTS : 0;
    if (!there && count_budgets(w->model, scope) == LIMIT_SCOPE_BUDGETS)
        want = METE_E_FULL;
    TRY(put(w, &change, &handle, &rc));
    HOLDS_IF_LOUD(rc == want);
    if (rc)
        return 0;
    HOLDS_IF_LOUD(handle == (there ? there : w->model->budgets_len + 1));
    model_put_budget(w->model, w->now_us, handle, &spec);
    return compare_events(w);
}

static int end_budget(struct world *w)
{
    if (w->model->budgets_len == 0)
        return 0;
    uint32_t budget = 1 + (uint32_t)tape_pick(w->tape, w->model->budgets_len), handle;
    const struct mete_change change = {.kind = METE_END_BUDGET, .end = {budget}};
    int rc, want = w->model->budgets[budget].ended ? METE_E_NOT_FOUND : 0;
    TRY(put(w, &change, &handle, &rc));
    HOLDS_IF_LOUD(rc == want);
    if (rc)
        return 0;
    model_end_budget(w->model, budget);
    return compare_events(w);
}

static int reserve(struct world *w)
{
    struct mete_reserve args = draw_reserve(w);
    struct mete_verdict verdict;
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_reserve(w->ledger, now(w), &args, w->refusals, METE_REFUSALS_MAX,
                                       &verdict, &decision)) == LEDGER_STALE)
        TRY(roll(w, decision.due.budget));
    bool journaled = rc == 0 && decision.entry.kind != ENTRY_NONE;
    if (journaled)
        TRY(apply(w, &decision.entry));
    w->model->seq = ledger_last_seq(w->ledger);
    model_reserve(w->model, w->now_us, &args);
    HOLDS_IF_LOUD(rc == w->model->reply.rc);
    if (rc == METE_E_ENDED) {
        HOLDS_IF_LOUD(verdict.reservation.n == w->model->reply.verdict.reservation.n);
        HOLDS_IF_LOUD(verdict.ended.record == w->model->reply.verdict.ended.record);
        HOLDS_IF_LOUD(verdict.ended.cost == w->model->reply.verdict.ended.cost);
        HOLDS_IF_LOUD(verdict.ended.state == w->model->reply.verdict.ended.state);
    }
    if (rc)
        return 0;
    TRY(compare_verdict(w, &verdict));
    if (verdict.allowed && !verdict.repeated) {
        HOLDS_IF_LOUD(journaled && verdict.reservation.n);
        w->model->reservations[w->model->reservations_len - 1].id = verdict.reservation.n;
    }
    return journaled ? compare_events(w) : 0;
}

static int check(struct world *w)
{
    struct mete_reserve args = draw_reserve(w);
    struct mete_verdict verdict;
    struct ledger_decision decision;
    int rc;
    while ((rc = ledger_decide_check(w->ledger, now(w), &args, w->refusals, METE_REFUSALS_MAX,
                                     &verdict, &decision)) == LEDGER_STALE)
        TRY(roll(w, decision.due.budget));
    model_check(w->model, w->now_us, &args);
    HOLDS_IF_LOUD(rc == w->model->reply.rc);
    if (rc)
        return 0;
    HOLDS_IF_LOUD(decision.entry.kind == ENTRY_NONE && verdict.reservation.n == 0);
    return compare_verdict(w, &verdict);
}

/* One of the last reservations, open or not; now and then one that never was. */
static uint64_t draw_reservation(struct world *w)
{
    size_t len = w->model->reservations_len;
    if (len == 0 || tape_chance(w->tape, 3))
        return tape_u64(w->tape, UINT64_MAX);
    return w->model->reservations[len - 1 - tape_pick(w->tape, len < 10 ? len : 10)].id;
}

static int finish_end(struct world *w, int rc, const struct mete_receipt *receipt,
                      const struct entry *entry)
{
    HOLDS_IF_LOUD(rc == w->model->reply.rc);
    if (rc && rc != METE_E_ENDED)
        return 0;
    TRY(compare_receipt(w, receipt));
    if (rc || entry->kind == ENTRY_NONE)
        return 0;
    HOLDS_IF_LOUD(!receipt->repeated);
    return compare_events(w);
}

static int commit(struct world *w)
{
    struct mete_commit args = {.reservation = {draw_reservation(w)}, .usage = w->usage};
    args.usage_len = draw_usage(w);
    args.outcome.flags = tape_chance(w->tape, 30) ? METE_OUTCOME_PROVISIONAL : 0;
    struct mete_receipt receipt;
    struct ledger_decision decision;
    int rc = ledger_decide_commit(w->ledger, now(w), &args, &receipt, &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        TRY(apply(w, &decision.entry));
    w->model->seq = ledger_last_seq(w->ledger);
    model_commit(w->model, w->now_us, &args);
    TRY(finish_end(w, rc, &receipt, &decision.entry));
    if (rc == 0 && !receipt.repeated)
        TRY(receipt.corrected ? compare_corrected(w, args.usage, args.usage_len)
                              : compare_ended(w, args.usage, args.usage_len));
    return 0;
}

static int release(struct world *w)
{
    uint64_t id = draw_reservation(w);
    struct mete_receipt receipt;
    struct ledger_decision decision;
    int rc = ledger_decide_release(w->ledger, now(w), (struct mete_reservation_id){id}, &receipt,
                                   &decision);
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        TRY(apply(w, &decision.entry));
    w->model->seq = ledger_last_seq(w->ledger);
    model_release(w->model, w->now_us, id);
    return finish_end(w, rc, &receipt, &decision.entry);
}

static int record(struct world *w)
{
    struct mete_record args = {.scope = {draw_scope(w)},
                               .request_id = draw_request_id(w->tape),
                               .content = tape_chance(w->tape, 20),
                               .model = text("gpt-4o"),
                               .usage = w->usage};
    args.usage_len = draw_usage(w);
    struct mete_receipt receipt;
    struct ledger_decision decision;
    int rc;
    if (args.usage_len == 0)
        return 0;
    while ((rc = ledger_decide_record(w->ledger, now(w), &args, &receipt, &decision)) ==
           LEDGER_STALE)
        TRY(roll(w, decision.due.budget));
    if (rc == 0 && decision.entry.kind != ENTRY_NONE)
        TRY(apply(w, &decision.entry));
    w->model->seq = ledger_last_seq(w->ledger);
    model_record(w->model, w->now_us, &args);
    TRY(finish_end(w, rc, &receipt, &decision.entry));
    if (rc == 0 && !receipt.repeated)
        TRY(compare_ended(w, args.usage, args.usage_len));
    return 0;
}

static bool decide_orphan(struct world *w, struct entry *ret_entry)
{
    struct ledger_call call;
    if (!ledger_calls(w->ledger, &call, 1))
        return false;
    ledger_decide_orphan(w->ledger, now(w), call.id, ret_entry);
    return true;
}

static int expire(struct world *w, bool orphans)
{
    struct entry entry;
    while (orphans ? decide_orphan(w, &entry) : ledger_decide_expiry(w->ledger, now(w), &entry)) {
        TRY(apply(w, &entry));
        w->model->seq = ledger_last_seq(w->ledger);
        model_expire(w->model, w->now_us, entry.u.end.reservation, orphans);
        HOLDS_IF_LOUD(w->model->reply.rc == 0);
        TRY(compare_events(w));
        HOLDS_IF_LOUD(w->effects.has_ended && w->effects.ended.state == METE_EXPIRED);
        HOLDS_IF_LOUD(w->effects.ended.overrun == 0);
    }
    return 0;
}

static int pass_time(struct world *w)
{
    static const int64_t steps_us[] = {
        1, SECOND_US, 60 * SECOND_US, 3600 * SECOND_US, 86400 * SECOND_US, 31 * 86400 * SECOND_US};
    struct window window;
    if (tape_chance(w->tape, 50)) {
        w->now_us += PICK(w->tape, steps_us);
        return 0;
    }
    /* To an edge: the last instant of a window or the first of the next, or an expiry. */
    static const enum mete_period periods[] = {METE_HOURLY, METE_DAILY, METE_MONTHLY};
    struct calendar_rule rule = {.period = PICK(w->tape, periods)};
    HOLDS_IF_LOUD(calendar_window(&rule, w->now_us, &window) == 0);
    int64_t to_us = window.end_us - (int64_t)tape_pick(w->tape, 2);
    int64_t expiry_us = ledger_next_expiry(w->ledger);
    if (tape_chance(w->tape, 30) && expiry_us != INT64_MAX)
        to_us = expiry_us - (int64_t)tape_pick(w->tape, 2);
    w->now_us = max_i64(w->now_us, to_us);
    return 0;
}

static int step(struct world *w)
{
    switch (tape_pick(w->tape, 20)) {
    case 0:
    case 1:
    case 2:
        return put_budget(w);
    case 3:
        return change_scope(w);
    case 4:
        return end_budget(w);
    case 5:
        return check(w);
    case 6:
        return record(w);
    case 7:
        return release(w);
    case 8:
    case 9:
        return pass_time(w);
    case 10:
        return expire(w, tape_chance(w->tape, 30));
    case 11:
    case 12:
    case 13:
    case 14:
        return commit(w);
    default:
        return reserve(w);
    }
}

/* ---- The property ---------------------------------------------------------------------------- */

/* Two organizations; a tree of each kind and depth. */
static int plant(struct world *w)
{
    const struct mete_scope_spec specs[] = {
        {METE_ORGANIZATION, text("a"), {0}, {0}, {0}, 0},
        {METE_DEPARTMENT, text("d"), {1}, {1}, {0}, 0},
        {METE_USER, text("u"), {1}, {2}, {0}, 0},
        {METE_API_KEY, text("k1"), {1}, {3}, {0}, 0},
        {METE_API_KEY, text("k2"), {1}, {1}, {0}, 0},
        {METE_ADVERTISER, text("d"), {1}, {1}, {0}, 0},
        {METE_CAMPAIGN, text("u"), {1}, {6}, {0}, 0},
        {METE_ORGANIZATION, text("b"), {0}, {0}, {0}, 0},
        {METE_USER, text("u"), {8}, {8}, {0}, 0},
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
        TRY(put_scope(w, &specs[i]));
    return 0;
}

static int run(struct world *w)
{
    TRY(plant(w));
    for (int i = 0; i < STEPS_MAX && !tape_done(w->tape); i++) {
        TRY(step(w));
        TRY(compare_state(w));
    }
    return replay(w);
}

static int agree(struct tape *tape, enum model_canary canary)
{
    struct world *w = calloc(1, sizeof *w);
    struct model *model = calloc(1, sizeof *model);
    const struct ledger_room room = {MODEL_SCOPES, MODEL_BUDGETS, RESERVATIONS, OUTCOMES};
    ASSERT(w && model);
    w->tape = tape;
    w->now_us = T0;
    w->model = model;
    model->canary = canary;
    model->outcomes_max = OUTCOMES;
    model->reservations_max = RESERVATIONS;
    buffer_init(&w->journal, (size_t)STEPS_MAX * 64 * ENTRY_ROOM);
    int rc = ledger_open(&room, &w->ledger);
    ASSERT(rc == 0);
    rc = run(w);
    ledger_close(w->ledger);
    buffer_done(&w->journal);
    free(model);
    free(w);
    return rc;
}

static int the_ledger_is_the_model(struct tape *tape)
{
    const char *canary = getenv("METE_CANARY");
    return agree(tape, canary ? (enum model_canary)strtol(canary, NULL, 10) : CANARY_NONE);
}

static void the_ledger_is_the_naive_model(void **state)
{
    (void)state;
    assert_int_equal(tape_run("the_ledger_is_the_model", the_ledger_is_the_model, 1500, 4000), 0);
}

/* Random tapes of a length at which most of what there is happens. */
static int find_canary(enum model_canary canary)
{
    static uint8_t bytes[4000];
    uint64_t random = 1;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            bytes[i] = (uint8_t)(random >> 56);
        }
        struct tape tape = {bytes, sizeof bytes, 0};
        if (agree(&tape, canary))
            return round;
    }
    return -1;
}

static void every_planted_bug_is_found(void **state)
{
    (void)state;
    quiet = true;
    assert_int_equal(find_canary(CANARY_NONE), -1);
    for (enum model_canary canary = CANARY_LIMIT; canary < CANARIES; canary++)
        assert_int_not_equal(find_canary(canary), -1);
    quiet = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ledger_is_the_naive_model),
        cmocka_unit_test(every_planted_bug_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
