/* SPDX-License-Identifier: Apache-2.0
 * Asking, and telling question and answer. Where a canary is set, one answer is falsified. */
#include "base/checked.h"
#include "model/canary.h"
#include "model/words.h"
#include "model/world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reservations' names: the order in which they were first seen ---------------------------- */

static size_t slot_of(const struct world *w, uint64_t id)
{
    size_t at = (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 51);
    while (w->names[at] && w->names[at] != id)
        at = (at + 1) % NAMES;
    return at;
}

/* -1: none of them; 0 stands for none. */
int64_t name_of(const struct world *w, struct mete_reservation_id id)
{
    size_t at = slot_of(w, id.n);
    if (id.n == 0)
        return 0;
    return w->names[at] ? (int64_t)w->name_of[at] : -1;
}

static int64_t name_new(struct world *w, struct mete_reservation_id id)
{
    size_t at = slot_of(w, id.n);
    if (id.n && !w->names[at] && w->names_len < NAMES / 2) {
        w->names[at] = id.n;
        w->name_of[at] = ++w->names_len;
    }
    return name_of(w, id);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void tell_event(const struct world *w, const struct mete_event *event)
{
    tell(event->kind);
    tell_instant(event->at);
    tell((int64_t)event->seq);
    tell(event->scope.n);
    tell(event->budget.n);
    tell(event->grant.n);
    tell(name_of(w, event->reservation));
    tell(event->threshold_ppm);
    tell(event->limit);
    tell(event->committed);
    tell(event->held);
}

void tell_events(struct world *w, struct engine *engine)
{
    canary_events(w, engine);
    tell((int64_t)engine->events_len);
    for (size_t i = 0; i < engine->events_len; i++) {
        const struct mete_event *event = &engine->events[i];
        tell_event(w, event);
        if (event->kind == METE_EVENT_EXPIRED)
            for (size_t c = 0; c < CALLS; c++)
                w->calls[c].ended |= w->calls[c].id.n == event->reservation.n;
    }
    engine->events_len = 0;
    tell_end();
}

static void tell_refusal(const struct mete_refusal *refusal)
{
    tell(refusal->reason);
    tell(refusal->scope.n);
    tell(refusal->budget.n);
    tell(refusal->rate.n);
    tell(refusal->meter);
    tell(refusal->shadow);
    tell(refusal->currency);
    tell(refusal->limit);
    tell(refusal->committed);
    tell(refusal->held);
    tell(refusal->asked);
    tell_instant(refusal->resets_at);
}

static void tell_receipt(const struct mete_receipt *receipt)
{
    tell(receipt->state);
    tell(receipt->cost);
    tell(receipt->overrun);
    tell(receipt->repeated);
    tell(receipt->corrected);
    tell((int64_t)receipt->record);
}

static void tell_verdict(struct world *w, int error, struct mete_verdict *verdict,
                         struct mete_refusal *refusals)
{
    tell(error);
    if (error == METE_E_ENDED) {
        tell(name_new(w, verdict->reservation));
        tell_receipt(&verdict->ended);
    }
    if (error)
        return;
    canary_verdict(w, verdict, refusals);
    tell(verdict->allowed);
    tell(verdict->repeated);
    tell(name_new(w, verdict->reservation));
    tell_instant(verdict->expires_at);
    tell(verdict->granted);
    tell(verdict->has_remaining);
    tell(verdict->remaining);
    tell(verdict->remaining_of.n);
    tell_instant(verdict->retry_at);
    tell(verdict->advice);
    tell((int64_t)verdict->refusals_len);
    for (size_t i = 0; i < verdict->refusals_len && i < METE_REFUSALS_MAX; i++)
        tell_refusal(&refusals[i]);
    if (verdict->refusals_len)
        edge(w, refusals[verdict->refusals_len - 1].resets_at.us);
    edge(w, verdict->retry_at.us);
    edge(w, verdict->expires_at.us);
    w->refused += !verdict->allowed;
}

static void tell_tags(const struct mete_text *tags, size_t len)
{
    tell((int64_t)len);
    for (size_t i = 0; i < len; i++)
        tell_text(tags[i]);
}

static void tell_demands(const struct mete_demand *demands, size_t len)
{
    tell((int64_t)len);
    for (size_t i = 0; i < len; i++) {
        tell(demands[i].meter);
        tell(demands[i].currency);
        tell(demands[i].fixed);
        tell(demands[i].per_million);
    }
}

static void tell_usage(const struct mete_usage *usage, size_t len)
{
    tell((int64_t)len);
    for (size_t i = 0; i < len; i++) {
        tell(usage[i].meter);
        tell(usage[i].currency);
        tell(usage[i].amount);
    }
}

/* A request id is its number. */
static void tell_request_id(struct mete_text id)
{
    tell(id.len ? id.data[1] - '0' : 0);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static struct call *remember(struct world *w, const struct mete_reserve *args,
                             const struct mete_verdict *verdict)
{
    struct call *call = &w->calls[w->calls_len++ % CALLS];
    *call = (struct call){.id = verdict->reservation,
                          .name = w->names_len,
                          .demands_len = args->demands_len,
                          .granted = verdict->granted};
    memcpy(call->demands, args->demands, args->demands_len * sizeof *args->demands);
    return call;
}

struct call *act_reserve_as(struct world *w, struct engine *engine, const struct mete_reserve *args,
                            bool is_check)
{
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_verdict verdict;
    tell_letter(is_check ? 'C' : 'R');
    tell(args->scope.n);
    tell_request_id(args->request_id);
    tell((int64_t)args->content);
    tell_text(args->model);
    tell_text(args->provider);
    tell_text(args->session);
    tell_tags(args->tags, args->tags_len);
    tell_demands(args->demands, args->demands_len);
    tell(args->floor);
    tell(args->wish);
    tell(args->ttl_ms);
    tell(args->on_expiry);
    tell(args->flags);
    int error = is_check ? mete_check(engine->port, args, refusals, METE_REFUSALS_MAX, &verdict)
                         : mete_reserve(engine->port, args, refusals, METE_REFUSALS_MAX, &verdict);
    tell_verdict(w, error, &verdict, refusals);
    bool is_made = !error && verdict.allowed && !verdict.repeated && !is_check;
    struct call *made = is_made ? remember(w, args, &verdict) : NULL;
    tell_events(w, engine);
    return made;
}

static void act_reserve(struct world *w, struct engine *engine, struct tape *tape, bool is_check)
{
    struct mete_demand demands[METE_DEMANDS_MAX];
    struct mete_reserve args;
    draw_reserve(w, tape, &args, demands);
    (void)act_reserve_as(w, engine, &args, is_check);
}

static int64_t reserved(const struct call *call, size_t i)
{
    const struct mete_demand *demand = &call->demands[i];
    int128 rated = (int128)demand->per_million * call->granted;
    return demand->fixed + (int64_t)((rated + 999999) / 1000000);
}

/* About what was reserved; or, of one that has ended, mostly what was said before. */
static size_t usage_of(struct world *w, struct tape *tape, const struct call *call,
                       struct mete_usage *ret_usage)
{
    if (call->ended && tape_chance(tape, 60)) {
        memcpy(ret_usage, call->usage, call->usage_len * sizeof *ret_usage);
        return call->usage_len;
    }
    if (tape_chance(tape, 15))
        return draw_usage(w, tape, ret_usage);
    size_t len = 0;
    for (size_t i = 0; i < call->demands_len; i++) {
        size_t kind = tape_pick(tape, 16);
        int64_t amount = reserved(call, i), used = kind < 6 ? amount : amount / 2;
        if (kind == 6)
            continue;
        if (kind == 7)
            used = amount + draw_amount(w, tape);
        if (kind == 8)
            used = amount ? amount - 1 : 1;
        if (kind == 9)
            used = 0;
        ret_usage[len++] =
            (struct mete_usage){call->demands[i].meter, call->demands[i].currency, used};
    }
    return len;
}

static void tell_ended(int error, const struct mete_receipt *receipt)
{
    tell(error);
    if (!error || error == METE_E_ENDED)
        tell_receipt(receipt);
}

static void commit(struct world *w, struct engine *engine, struct call *call,
                   const struct mete_commit *args, struct mete_usage *usage)
{
    tell_letter('K');
    tell(name_of(w, args->reservation));
    tell_usage(args->usage, args->usage_len);
    tell(args->outcome.flags);
    struct mete_receipt receipt;
    canary_usage(w, usage, args->usage_len);
    int error = mete_commit(engine->port, args, &receipt);
    if (!error)
        canary_receipt(w, &receipt);
    tell_ended(error, &receipt);
    if (!error) {
        call->ended = 1;
        call->usage_len = args->usage_len;
        memcpy(call->usage, usage, args->usage_len * sizeof *usage);
    }
    tell_events(w, engine);
}

void act_commit_as(struct world *w, struct engine *engine, struct call *call,
                   struct mete_usage *usage, size_t len)
{
    const struct mete_commit args = {.reservation = call->id, .usage = usage, .usage_len = len};
    commit(w, engine, call, &args, usage);
}

static void act_commit(struct world *w, struct engine *engine, struct tape *tape)
{
    struct mete_usage usage[METE_DEMANDS_MAX];
    struct call *call = draw_call(w, tape);
    struct mete_commit args = {.reservation = call->id, .usage = usage};
    args.usage_len = usage_of(w, tape, call, usage);
    if (tape_chance(tape, 10))
        args.outcome.flags = METE_OUTCOME_PROVISIONAL;
    commit(w, engine, call, &args, usage);
}

void act_release_as(struct world *w, struct engine *engine, struct call *call)
{
    struct mete_receipt receipt;
    tell_letter('L');
    tell(name_of(w, call->id));
    int error = mete_release(engine->port, call->id, &receipt);
    tell_ended(error, &receipt);
    call->ended |= !error;
    tell_events(w, engine);
}

static void act_release(struct world *w, struct engine *engine, struct tape *tape)
{
    act_release_as(w, engine, draw_call(w, tape));
}

/* Of meters that were demanded, but for a few. */
static void draw_extend(struct world *w, struct tape *tape, const struct call *call,
                        struct mete_extend *ret_args, struct mete_demand *ret_demands)
{
    static const int64_t ttls[] = {0, 0, 1, 60000, 3600000, 86400000};
    *ret_args = (struct mete_extend){.reservation = call->id,
                                     .demands = ret_demands,
                                     .shrink = tape_chance(tape, 35),
                                     .ttl_ms = ttls[tape_pick(tape, sizeof ttls / sizeof ttls[0])]};
    if (ret_args->ttl_ms > 1)
        ret_args->ttl_ms -= (int64_t)(w->op % 977);
    for (size_t i = 0; i < call->demands_len; i++) {
        if (tape_chance(tape, 30))
            continue;
        struct mete_demand *demand = &ret_demands[ret_args->demands_len++];
        *demand = call->demands[i];
        demand->fixed = ret_args->shrink ? call->demands[i].fixed / 4 : draw_amount(w, tape) / 4;
        demand->per_million = tape_chance(tape, 50) ? 0 : demand->per_million;
    }
    if (!call->demands_len || tape_chance(tape, 3))
        ret_args->demands_len = draw_demands(w, tape, ret_demands);
    if (tape_chance(tape, 50)) {
        ret_args->floor = (int64_t)tape_pick(tape, 20);
        ret_args->wish = ret_args->floor + (int64_t)tape_pick(tape, 200);
    }
}

static void act_extend(struct world *w, struct engine *engine, struct tape *tape)
{
    struct mete_demand demands[METE_DEMANDS_MAX];
    struct mete_refusal refusals[METE_REFUSALS_MAX];
    struct mete_verdict verdict;
    struct mete_extend args;
    draw_extend(w, tape, draw_call(w, tape), &args, demands);
    tell_letter('E');
    tell(name_of(w, args.reservation));
    tell_demands(args.demands, args.demands_len);
    tell(args.floor);
    tell(args.wish);
    tell(args.shrink);
    tell(args.ttl_ms);
    int error = mete_extend(engine->port, &args, refusals, METE_REFUSALS_MAX, &verdict);
    tell_verdict(w, error, &verdict, refusals);
    tell_events(w, engine);
}

static void act_record(struct world *w, struct engine *engine, struct tape *tape)
{
    struct mete_usage usage[METE_DEMANDS_MAX] = {0};
    struct mete_record args;
    struct mete_receipt receipt;
    draw_record(w, tape, &args, usage);
    tell_letter('D');
    tell(args.scope.n);
    tell_request_id(args.request_id);
    tell((int64_t)args.content);
    tell_text(args.model);
    tell_text(args.provider);
    tell_text(args.session);
    tell_tags(args.tags, args.tags_len);
    tell_usage(args.usage, args.usage_len);
    int error = mete_record(engine->port, &args, &receipt);
    tell_ended(error, &receipt);
    tell_events(w, engine);
}

/* ---- Administration -------------------------------------------------------------------------- */

static void tell_matches(const struct mete_match *matches, size_t len)
{
    tell((int64_t)len);
    for (size_t i = 0; i < len; i++) {
        tell(matches[i].kind);
        tell_text(matches[i].pattern);
    }
}

static void tell_id(struct mete_text id)
{
    int64_t number = 0;
    for (size_t i = 1; i < id.len; i++)
        number = number * 10 + (id.data[i] - '0');
    tell(number);
}

static void tell_scope_spec(const struct mete_scope_spec *spec)
{
    tell(spec->kind);
    tell_id(spec->id);
    tell(spec->organization.n);
    tell(spec->parent.n);
    tell_instant(spec->expires_at);
    tell(spec->revoked);
}

static void tell_controls(const struct mete_controls *controls)
{
    tell(controls->throttle_ppm);
    tell(controls->throttle_rate_ppm);
    tell(controls->stop_ppm);
    tell(controls->downgrade_ppm);
    tell(controls->cooldown_s);
}

static void tell_budget_spec(const struct mete_budget_spec *spec)
{
    tell_id(spec->id);
    tell(spec->scope.n);
    tell(spec->for_kind);
    tell(spec->meter);
    tell(spec->currency);
    tell(spec->limit);
    tell(spec->period);
    tell_text(spec->time_zone);
    tell(spec->anchor);
    tell(spec->window_seconds);
    tell_matches(spec->matches, spec->matches_len);
    tell(spec->mode);
    tell((int64_t)spec->thresholds_len);
    for (size_t i = 0; i < spec->thresholds_len; i++)
        tell(spec->thresholds_ppm[i]);
    tell(spec->soft_limit);
    tell(spec->rollover_cap);
    tell_controls(&spec->controls);
    tell(spec->starts_at.us);
    tell(spec->ends_at.us);
}

static void tell_rate_spec(const struct mete_rate_spec *spec)
{
    tell_id(spec->id);
    tell(spec->scope.n);
    tell(spec->concurrent);
    tell(spec->meter);
    tell(spec->currency);
    tell(spec->limit);
    tell(spec->period_ms);
    tell(spec->burst);
    tell(spec->mode);
    tell_matches(spec->matches, spec->matches_len);
}

static void tell_grant_spec(const struct mete_grant_spec *spec)
{
    tell_id(spec->id);
    tell(spec->scope.n);
    tell(spec->meter);
    tell(spec->currency);
    tell(spec->amount);
    tell(spec->priority);
    tell(spec->expires_at.us);
    tell_text(spec->source);
}

static void tell_change(const struct mete_change *change)
{
    tell(change->kind);
    tell(change->flags);
    if (change->kind == METE_PUT_SCOPE)
        tell_scope_spec(&change->scope);
    if (change->kind == METE_PUT_BUDGET)
        tell_budget_spec(&change->budget);
    if (change->kind == METE_END_BUDGET)
        tell(change->end.n);
    if (change->kind == METE_PUT_RATE_LIMIT)
        tell_rate_spec(&change->rate);
    if (change->kind == METE_END_RATE_LIMIT)
        tell(change->end_rate.n);
    if (change->kind == METE_PUT_GRANT)
        tell_grant_spec(&change->grant);
    if (change->kind == METE_END_QUOTA) {
        tell(change->at.n);
        tell(change->grant.meter);
        tell(change->grant.currency);
    }
    if (change->kind == METE_END_SCOPE || change->kind == METE_MOVE_SCOPE)
        tell(change->at.n);
    if (change->kind == METE_MOVE_SCOPE)
        tell(change->parent.n);
    if (change->kind == METE_PUT_EXCHANGE) {
        tell(change->exchange.from);
        tell(change->exchange.to);
        tell(change->exchange.numerator);
        tell(change->exchange.denominator);
        tell(change->exchange.effective_at.us);
    }
    if (change->kind == METE_PUT_INCREASE) {
        tell(change->increase.budget.n);
        tell(change->increase.amount);
        tell(change->increase.from.us);
        tell(change->increase.until.us);
    }
    if (change->kind == METE_LIFT_STOP || change->kind == METE_END_INCREASE)
        tell(change->end.n);
    if (change->kind == METE_END_INCREASE)
        tell(change->end_increase);
    if (change->kind == METE_REFUND) {
        tell(change->refund.n);
        tell(change->amount);
    }
}

void act_apply(struct world *w, struct engine *engine, const struct mete_change *changes,
               size_t len)
{
    uint32_t handles[16] = {0};
    struct mete_applied applied = {0};
    struct mete_apply args = {.changes = changes, .len = len, .actor = {"root", 4}};
    tell_letter('A');
    tell((int64_t)len);
    for (size_t i = 0; i < len; i++)
        tell_change(&changes[i]);
    int error = mete_apply(engine->port, &args, handles, &applied);
    tell(error);
    if (error)
        tell((int64_t)applied.failed);
    for (size_t i = 0; i < len && !error; i++) {
        tell(handles[i]);
        learn_change(w, &changes[i], handles[i], handles);
    }
    tell_events(w, engine);
}

static void act_change(struct world *w, struct engine *engine, struct tape *tape)
{
    struct mete_change changes[CHANGES];
    size_t len = tape_chance(tape, 6) ? 2 + tape_pick(tape, CHANGES - 1) : 1;
    for (size_t i = 0; i < len; i++)
        do {
            draw_change(w, tape, i, &changes[i]);
        } while (len > 1 &&
                 (changes[i].kind == METE_END_RATE_LIMIT || changes[i].kind == METE_END_QUOTA));
    act_apply(w, engine, changes, len);
}

void act_tree(struct world *w, struct engine *engine)
{
    struct mete_change changes[16];
    size_t len;
    draw_tree(w, changes, &len);
    act_apply(w, engine, changes, len);
}

void act_rates(struct world *w, struct engine *engine, struct tape *tape)
{
    struct mete_change change = {.kind = METE_PUT_METER, .meter = {"frames", 6}};
    act_apply(w, engine, &change, 1);
    w->meters_len = 1;
    for (size_t left = tape_pick(tape, 10); left > 0 && features[FEATURE_EXCHANGE]; left--) {
        draw_exchange(w, tape, &change);
        act_apply(w, engine, &change, 1);
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

void act_pass(struct world *w, struct engine *engine, int64_t to_us)
{
    struct mete_instant next;
    struct mete_answer answer;
    struct mete_query query = {.kind = METE_QUERY_STATS};
    tell_letter('T');
    tell(to_us);
    w->now_us = to_us;
    do {
        mete_turn(engine->mete, &next);
    } while (next.us <= to_us);
    if (w->is_durable) /* its events have come before an answer that rests on them */
        (void)!mete_query(engine->port, &query, &answer);
    tell_events(w, engine);
}

/* ---- Restarts ---- */

struct cut {
    struct mete *mete;
    int error;
    atomic_int is_done;
};

static void *cut(void *user)
{
    struct cut *cut = user;
    uint64_t seq;
    cut->error = mete_cut(cut->mete, &seq);
    cut->is_done = 1;
    return NULL;
}

/* After a cut the journal begins with the whole state as bytes. It wants an owner that turns. */
static void act_restart(struct world *w, struct engine *engine, struct tape *tape)
{
    w->restart = RESTART_CLOSED + (unsigned)tape_pick(tape, RESTARTS - 1);
    if (w->restart != RESTART_CUT)
        return;
    struct cut args = {.mete = engine->mete};
    pthread_t thread;
    struct mete_instant next;
    if (pthread_create(&thread, NULL, cut, &args) != 0)
        abort();
    while (!args.is_done)
        mete_turn(engine->mete, &next);
    pthread_join(thread, NULL);
    if (args.error) {
        fprintf(stderr, "mete_cut: %s\n", mete_error_name(args.error));
        exit(1);
    }
}

/* What was said before is still so. Events of a start are heard by nobody. */
void act_restarted(struct world *w, struct engine *engine)
{
    tell_letter('O');
    tell(w->now_us);
    engine->events_len = 0;
    tell_events(w, engine);
    act_look(w, engine);
    w->restart = RESTART_NOT;
}

/* ---- One operation --------------------------------------------------------------------------- */

void act(struct world *w, struct engine *engine, struct tape *tape)
{
    size_t kind = tape_pick(tape, 128);
    if (w->is_durable && tape_chance(tape, 1))
        act_restart(w, engine, tape);
    else if (kind < 42)
        act_reserve(w, engine, tape, false);
    else if (kind < 48)
        act_reserve(w, engine, tape, true);
    else if (kind < 76)
        act_commit(w, engine, tape);
    else if (kind < 79 && features[FEATURE_EXTEND])
        act_extend(w, engine, tape);
    else if (kind < 82)
        act_release(w, engine, tape);
    else if (kind < 90)
        act_record(w, engine, tape);
    else if (kind < 104)
        act_pass(w, engine, draw_time(w, tape));
    else if (kind < 112)
        act_change(w, engine, tape);
    else if (kind < 115 && features[FEATURE_RATES])
        look_rates(w, engine, draw_scope(w, tape));
    else if (kind < 117 && w->grants_len && tape_chance(tape, 70))
        look_grants(w, engine, &w->grants[tape_pick(tape, w->grants_len)]);
    else if (kind < 117 && features[FEATURE_QUOTAS])
        look_quotas(w, engine, draw_scope(w, tape));
    else if (kind < 118 && features[FEATURE_INCREASES])
        look_increases(w, engine, draw_budget(w, tape));
    else if (kind < 124)
        (void)look_budget(w, engine, draw_budget(w, tape));
    else
        look_reservation(w, engine, draw_call(w, tape)->id);
}
