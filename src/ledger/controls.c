/* SPDX-License-Identifier: Apache-2.0
 * What a budget does beside its hard limit as committed nears it: a soft limit tells, a throttle
 * thins calls out, an emergency stop refuses them (rules 10 to 15 of docs/semantics.md).
 *
 *   off --a charge or change finds its share reached, no cooldown--> on
 *   on  --the window ends, the control is taken away,
 *         a lift (stop), a change finds it no longer reached (throttle)--> off
 *
 * Both are latches of the present window in struct extra, set when entries apply: so a verdict only
 * looks, and a replay finds them as they were. A charge gets here through its budget's alarm, which
 * is at the next figure where something happens, so that an ordinary commit makes its one
 * comparison and no more. While a cooldown holds something back the alarm is where committed
 * stands, and every charge looks.
 *
 * The stop is looked at before the throttle: where one charge passes both shares, the cooldown
 * holds back the milder one.
 *
 * The share of calls that a throttle admits is counted by (budget, leaf) in a table of fixed size
 * that a restart forgets: no entry rests on it, and it is neither hashed nor saved. Each time a
 * throttle begins its pairs begin to count anew. Eight places
 * stand where a pair may be, the one that was used longest ago is given up first; a pair that was
 * forgotten begins to count anew.
 *
 * Considered and not done: admitting by a random draw (uneven, and no two runs alike); counting in
 * the journal (an entry for every refused call). */
#include "ledger/extras.h"
#include "ledger/controls.h"
#include "ledger/rolling.h"
#include "ledger/weigh.h"

enum { PPM = 1000000, WAYS = 8 };
_Static_assert(LIMIT_THROTTLED % WAYS == 0, "the table is whole sets");

/* ---- Latches ---- */

static int64_t alarm_of(const struct budget *budget, uint32_t ppm)
{
    int64_t at;
    bool fits = checked_mul_div_up(budget->limit, ppm, PPM, &at);
    ASSERT(fits); /* ppm <= 10^6 */
    return max_i64(at, 1);
}

/* Without a cooldown a lift holds for the rest of its window. */
static bool is_lifted(const struct budget *budget, const struct extra *extra)
{
    return extra->lifted_at_us && !extra->controls.cooldown_s &&
           extra->lifted_at_us >= budget->window_start_us;
}

int64_t controls_alarm(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    const struct extra *extra = extras_of(ledger, handle);
    int64_t alarm_at = INT64_MAX;
    if (extra->soft_limit && !extra->soft_fired)
        alarm_at = extra->soft_limit;
    if (budget->mode == METE_OFF)
        return alarm_at;
    if (extra->controls.stop_ppm && !extra->stopped_at_us && !is_lifted(budget, extra))
        alarm_at = min_i64(alarm_at, alarm_of(budget, extra->controls.stop_ppm));
    if (extra->controls.throttle_ppm && !extra->throttled_at_us)
        alarm_at = min_i64(alarm_at, alarm_of(budget, extra->controls.throttle_ppm));
    return alarm_at;
}

static uint8_t *soft_fired_of(const struct moment *moment, struct extra *extra)
{
    size_t past = moment->counters->past;
    return past ? &moment->ledger->pasts[past].soft_fired : &extra->soft_fired;
}

static bool is_soft_reached(const struct extra *extra, int64_t committed)
{
    return extra->soft_limit && committed >= extra->soft_limit;
}

static void fire_soft_limit(const struct moment *moment, struct extra *extra)
{
    uint8_t *fired = soft_fired_of(moment, extra);
    if (*fired || !is_soft_reached(extra, *moment->counters->committed))
        return;
    *fired = 1;
    budgets_emit(moment, METE_EVENT_SOFT_LIMIT, 0);
}

/* Whether so long has passed since an instant that may be none. */
static bool has_passed(int64_t since_us, uint32_t cooldown_s, int64_t now_us)
{
    return !since_us || now_us - since_us >= (int64_t)cooldown_s * ENTRY_SECOND_US;
}

static bool may_stop(const struct budget *budget, const struct extra *extra, int64_t now_us)
{
    uint32_t cooldown_s = extra->controls.cooldown_s;
    return !is_lifted(budget, extra) && has_passed(extra->lifted_at_us, cooldown_s, now_us) &&
           has_passed(extra->acted_at_us, cooldown_s, now_us);
}

static void begin(const struct moment *moment, struct extra *extra, int64_t *latch,
                  enum mete_event_kind kind, uint32_t ppm)
{
    ASSERT_INV("INV-10", *latch == 0);
    *latch = moment->entry->at_us;
    extra->acted_at_us = moment->entry->at_us;
    budgets_emit(moment, kind, ppm);
}

/* An end begins no window: the one it counts in may be over by the clock. What a rolling one counts
 * is not over with its bucket. */
static bool is_over(const struct ledger *ledger, uint32_t handle, int64_t now_us)
{
    return now_us >= ledger->cold[handle].window_end_us &&
           !(ledger->budgets[handle].traits & BUDGET_ROLLING);
}

void controls_act(const struct moment *moment)
{
    const struct budget *budget = &moment->ledger->budgets[moment->budget];
    struct extra *extra = extras_of(moment->ledger, moment->budget);
    const struct mete_controls *controls = &extra->controls;
    int64_t now_us = moment->entry->at_us;
    fire_soft_limit(moment, extra);
    if (moment->counters->past || budget->mode == METE_OFF ||
        is_over(moment->ledger, moment->budget, now_us))
        return;
    if (controls->stop_ppm && !extra->stopped_at_us && may_stop(budget, extra, now_us) &&
        budgets_is_reached(budget->committed, budget->limit, controls->stop_ppm))
        begin(moment, extra, &extra->stopped_at_us, METE_EVENT_STOPPED, controls->stop_ppm);
    if (controls->throttle_ppm && !extra->throttled_at_us &&
        has_passed(extra->acted_at_us, controls->cooldown_s, now_us) &&
        budgets_is_reached(budget->committed, budget->limit, controls->throttle_ppm)) {
        begin(moment, extra, &extra->throttled_at_us, METE_EVENT_THROTTLED, controls->throttle_ppm);
        extra->throttles++;
    }
}

void controls_rearm(struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    struct extra *extra = extras_of(ledger, handle);
    extra->soft_fired &= is_soft_reached(extra, budget->committed);
    for (uint32_t at = ledger->cold[handle].past; at; at = ledger->pasts[at].next)
        ledger->pasts[at].soft_fired &= is_soft_reached(extra, ledger->pasts[at].committed);
    if (!extra->controls.stop_ppm)
        extra->stopped_at_us = 0;
    if (!extra->controls.throttle_ppm ||
        !budgets_is_reached(budget->committed, budget->limit, extra->controls.throttle_ppm))
        extra->throttled_at_us = 0;
}

void controls_end_window(struct extra *extra)
{
    extra->soft_fired = 0;
    extra->stopped_at_us = 0;
    extra->throttled_at_us = 0;
}

void controls_leave(struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    struct extra *extra = extras_of(ledger, handle);
    const struct mete_controls *controls = &extra->controls;
    extra->soft_fired &= is_soft_reached(extra, budget->committed);
    if (!budgets_is_reached(budget->committed, budget->limit, controls->throttle_ppm))
        extra->throttled_at_us = 0;
    if (budgets_is_reached(budget->committed, budget->limit, controls->stop_ppm))
        return;
    extra->stopped_at_us = 0;
    if (!controls->cooldown_s)
        extra->lifted_at_us = 0; /* what it held back is over */
}

bool controls_lift(const struct moment *moment)
{
    struct extra *extra = extras_of(moment->ledger, moment->budget);
    if (!extra || !extra->stopped_at_us)
        return false;
    extra->stopped_at_us = 0;
    extra->lifted_at_us = moment->entry->at_us;
    budgets_emit(moment, METE_EVENT_LIFTED, 0);
    return true;
}

bool controls_is_still_stopped(const struct ledger *ledger, uint32_t handle, int64_t since_us,
                               int64_t now_us)
{
    const struct extra *extra = extras_of(ledger, handle);
    if (!extra || !extra->stopped_at_us || now_us >= ledger->cold[handle].window_end_us)
        return false;
    const struct budget *budget = &ledger->budgets[handle];
    return since_us >= (budget->traits & BUDGET_ROLLING ? rolling_bucket_start_us(ledger, handle)
                                                        : budget->window_start_us);
}

/* ---- Counting what meets a throttle ---- */

static struct meeting *set_of(const struct ledger *ledger, uint32_t budget, uint32_t leaf)
{
    uint32_t sets = LIMIT_THROTTLED / WAYS;
    return &ledger->meetings[texts_mix(budget, leaf) % sets * WAYS];
}

/* Of the throttle that is on now, not of an earlier one. */
static struct meeting *find_meeting(const struct ledger *ledger, uint32_t budget, uint32_t leaf)
{
    const struct extra *extra = extras_of(ledger, budget);
    struct meeting *set = set_of(ledger, budget, leaf);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].budget == budget && set[i].leaf == leaf &&
            set[i].begun_us == extra->throttled_at_us && set[i].throttle == extra->throttles)
            return &set[i];
    return NULL;
}

/* The place of the same pair, a free one, or the one that was used longest ago. */
static struct meeting *put_meeting(struct ledger *ledger, uint32_t budget, uint32_t leaf)
{
    const struct extra *extra = extras_of(ledger, budget);
    struct meeting *set = set_of(ledger, budget, leaf), *place = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].budget == budget && set[i].leaf == leaf) {
            place = &set[i];
            break;
        }
        if (ledger->meetings_clock - set[i].used > ledger->meetings_clock - place->used)
            place = &set[i];
    }
    *place = (struct meeting){.begun_us = extra->throttled_at_us,
                              .budget = budget,
                              .leaf = leaf,
                              .throttle = extra->throttles};
    return place;
}

static bool admits_next(const struct ledger *ledger, uint32_t budget, uint32_t leaf)
{
    const struct extra *extra = extras_of(ledger, budget);
    const struct meeting *meeting = find_meeting(ledger, budget, leaf);
    uint64_t met = meeting ? meeting->met : 0, rate = extra->controls.throttle_rate_ppm;
    return (met + 1) * rate / PPM > met * rate / PPM;
}

static void count_next(struct ledger *ledger, uint32_t budget, uint32_t leaf)
{
    struct meeting *meeting = find_meeting(ledger, budget, leaf);
    if (!meeting)
        meeting = put_meeting(ledger, budget, leaf);
    meeting->met = (meeting->met + 1) % PPM;
    meeting->used = ++ledger->meetings_clock;
}

/* ---- Weighing ---- */

static bool is_controlled(const struct budget *budget, enum mete_mode mode)
{
    return budget->traits & BUDGET_CONTROLLED && budget->mode == mode &&
           budget->life == BUDGET_LIVES;
}

/* Of a rolling one, when its share is no longer reached. */
static int64_t stop_ends_at(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    int64_t above =
        budget->committed - alarm_of(budget, extras_of(ledger, handle)->controls.stop_ppm);
    if (!(budget->traits & BUDGET_ROLLING) || above < 0)
        return ledger->cold[handle].window_end_us;
    return rolling_frees_at(ledger, handle, (int128)above + 1);
}

static void refuse(struct weighing *weighing, uint32_t handle, enum mete_reason reason)
{
    const struct ledger *ledger = weighing->ledger;
    const struct budget *budget = &ledger->budgets[handle];
    const struct share *share = weigh_share_of(weighing, budget->unit);
    struct mete_refusal refusal = {.reason = reason,
                                   .scope = {budget->scope},
                                   .budget = {handle},
                                   .meter = unit_meter(budget->unit),
                                   .shadow = budget->mode == METE_SHADOW,
                                   .currency = unit_currency(budget->unit),
                                   .limit = budget->limit,
                                   .committed = budget->committed,
                                   .held = budget->held,
                                   .asked = share ? share->floor_amount : 0,
                                   .resets_at = {budgets_resets_at(ledger, handle)}};
    weigh_refuse(weighing, &refusal,
                 reason == METE_EMERGENCY_STOP ? stop_ends_at(ledger, handle) : 0);
}

void controls_refuse_stopped(struct weighing *weighing, enum mete_mode mode)
{
    const struct path *path = &weighing->path;
    for (size_t i = 0; i < path->budgets_len; i++)
        if (is_controlled(&weighing->ledger->budgets[path->budgets[i]], mode) &&
            extras_of(weighing->ledger, path->budgets[i])->stopped_at_us)
            refuse(weighing, path->budgets[i], METE_EMERGENCY_STOP);
}

static bool is_throttled(const struct ledger *ledger, uint32_t handle, enum mete_mode mode)
{
    return is_controlled(&ledger->budgets[handle], mode) &&
           extras_of(ledger, handle)->throttled_at_us;
}

void controls_refuse_throttled(struct weighing *weighing, enum mete_mode mode)
{
    const struct path *path = &weighing->path;
    for (size_t i = 0; i < path->budgets_len; i++) {
        if (!is_throttled(weighing->ledger, path->budgets[i], mode))
            continue;
        weighing->meets_throttles = true;
        if (!admits_next(weighing->ledger, path->budgets[i], weighing->args->scope.n))
            refuse(weighing, path->budgets[i], METE_THROTTLE);
    }
}

void controls_count(struct ledger *ledger, const struct weighing *weighing)
{
    const struct path *path = &weighing->path;
    for (size_t i = 0; i < path->budgets_len; i++)
        if (is_throttled(ledger, path->budgets[i], METE_ENFORCE) ||
            is_throttled(ledger, path->budgets[i], METE_SHADOW))
            count_next(ledger, path->budgets[i], weighing->args->scope.n);
}

uint32_t controls_advice(const struct weighing *weighing)
{
    const struct path *path = &weighing->path;
    uint32_t advice = 0;
    for (size_t i = 0; i < path->budgets_len; i++) {
        const struct budget *budget = &weighing->ledger->budgets[path->budgets[i]];
        if (!is_controlled(budget, METE_ENFORCE) && !is_controlled(budget, METE_SHADOW))
            continue;
        const struct extra *extra = extras_of(weighing->ledger, path->budgets[i]);
        uint32_t ppm = extra->controls.downgrade_ppm;
        if (is_soft_reached(extra, budget->committed))
            advice |= METE_ADVICE_SOFT_LIMIT;
        if (ppm && budgets_is_reached(budget->committed, budget->limit, ppm))
            advice |= METE_ADVICE_DOWNGRADE;
    }
    return advice;
}

/* ---- Looking ---- */

void controls_view(const struct extra *extra, struct mete_budget_view *view)
{
    view->soft_limit = extra->soft_limit;
    view->controls = extra->controls;
    view->stopped_at.us = extra->stopped_at_us;
    view->throttled = extra->throttled_at_us != 0;
    view->soft_limit_reached = is_soft_reached(extra, view->committed);
}

/* What a latch says agrees with what the controls are, and what is reached has been told. */
void controls_check(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    const struct extra *extra = extras_of(ledger, handle);
    const struct mete_controls *controls = &extra->controls;
    ASSERT_INV("INV-10", !extra->stopped_at_us || controls->stop_ppm);
    ASSERT_INV("INV-10", !extra->throttled_at_us || controls->throttle_ppm);
    ASSERT_INV("INV-10", extra->stopped_at_us <= extra->acted_at_us &&
                             extra->throttled_at_us <= extra->acted_at_us);
    ASSERT_INV("INV-10", !extra->stopped_at_us || extra->lifted_at_us <= extra->stopped_at_us);
    ASSERT_INV("INV-10", extra->soft_fired <= (extra->soft_limit != 0));
    ASSERT_INV("INV-10", budget->mode == METE_OFF || extra->soft_fired ||
                             !is_soft_reached(extra, budget->committed));
    ASSERT_INV("INV-10",
               is_over(ledger, handle, ledger->last_at_us) || budget->mode == METE_OFF ||
                   extra->acted_at_us || !controls->stop_ppm ||
                   !budgets_is_reached(budget->committed, budget->limit, controls->stop_ppm));
}
