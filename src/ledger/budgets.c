/* SPDX-License-Identifier: Apache-2.0
 * Budgets and their windows.
 *
 * A budget counts one unit over its present window: committed, and held by open reservations. When
 * a window is over and reservations made in it are still open, or may still be corrected, its
 * counters move to a past window, chained at the budget, and stay until the last of them has ended
 * for good (INV-02, INV-09): a late commit counts where it was made. A budget that has ended takes
 * no corrections, so only what is open keeps its tombstone. Which window a reservation took from
 * follows from the instant it was made at, so a take needs no more than the budget's handle.
 *
 *   LIVES --end--> TOMBSTONE --last reservation ends--> GONE      (at once if there is none)
 *
 * A tombstone is on nobody's path but still answers to its id; a gone budget has only its handle,
 * which is never used again, because records speak of it.
 *
 * Thresholds: alarm_at is the committed figure at which the next one fires, so that an ordinary
 * commit makes one comparison and never reads them (INV-10).
 *
 * Text: struct budget_text, the id, then thresholds of 4 bytes each. It is written anew, once, with
 * room for all of them, when more thresholds come than the first text had room for. */
#include "ledger/extras.h"
#include "ledger/charges.h"
#include "ledger/controls.h"
#include "ledger/increases.h"
#include "ledger/rolling.h"
#include "ledger/rollover.h"
#include "ledger/templates.h"

enum { PPM = 1000000 };

/* ---- Texts ---- */

static struct budget_text *text_of(const struct ledger *ledger, uint32_t budget)
{
    ASSERT(budget > 0 && budget <= ledger->budgets_len);
    return (struct budget_text *)(void *)texts_at(&ledger->texts, ledger->cold[budget].text);
}

struct slice budgets_id(const struct ledger *ledger, uint32_t budget)
{
    const struct budget_text *text = text_of(ledger, budget);
    return (struct slice){(const char *)(text + 1), text->id_len};
}

size_t budgets_thresholds(const struct ledger *ledger, uint32_t budget,
                          uint32_t ret_ppm[METE_THRESHOLDS_MAX])
{
    const struct budget_text *text = text_of(ledger, budget);
    ASSERT(text->thresholds_len <= METE_THRESHOLDS_MAX);
    memcpy(ret_ppm, (const char *)(text + 1) + text->id_len, 4 * (size_t)text->thresholds_len);
    return text->thresholds_len;
}

static void write_text(struct ledger *ledger, uint32_t budget, struct slice id, size_t thresholds)
{
    uint32_t at = texts_take(&ledger->texts, sizeof(struct budget_text) + id.len + 4 * thresholds);
    struct budget_text *text = (struct budget_text *)(void *)texts_at(&ledger->texts, at);
    *text = (struct budget_text){.id_len = (uint8_t)id.len, .thresholds_room = (uint8_t)thresholds};
    memcpy(text + 1, id.data, id.len);
    ledger->cold[budget].text = at;
}

static void set_thresholds(struct ledger *ledger, uint32_t budget,
                           const struct mete_budget_spec *spec)
{
    ASSERT(spec->thresholds_len <= METE_THRESHOLDS_MAX);
    if (spec->thresholds_len > text_of(ledger, budget)->thresholds_room)
        write_text(ledger, budget, budgets_id(ledger, budget), METE_THRESHOLDS_MAX);
    struct budget_text *text = text_of(ledger, budget);
    text->thresholds_len = (uint8_t)spec->thresholds_len;
    memcpy((char *)(text + 1) + text->id_len, spec->thresholds_ppm, 4 * spec->thresholds_len);
}

void budgets_write_text(struct ledger *ledger, uint32_t budget, struct slice id,
                        const uint32_t *ppm, size_t ppm_len)
{
    write_text(ledger, budget, id, ppm_len);
    struct budget_text *text = text_of(ledger, budget);
    text->thresholds_len = (uint8_t)ppm_len;
    memcpy((char *)(text + 1) + text->id_len, ppm, 4 * ppm_len);
}

/* ---- Finding ---- */

static uint32_t hash_key(uint32_t organization, struct slice id)
{
    return texts_mix(texts_hash(id), organization);
}

uint32_t budgets_hash(const void *owner, uint32_t budget)
{
    const struct ledger *ledger = owner;
    return hash_key(scopes_organization(ledger, ledger->budgets[budget].scope),
                    budgets_id(ledger, budget));
}

uint32_t ledger_find_budget(const struct ledger *ledger, uint32_t organization, struct slice id)
{
    uint32_t budget = table_first(&ledger->budget_ids, hash_key(organization, id));
    while (budget) {
        if (slice_equal(budgets_id(ledger, budget), id) &&
            scopes_organization(ledger, ledger->budgets[budget].scope) == organization)
            break;
        budget = table_next(&ledger->budget_ids, budget);
    }
    return budget;
}

/* ---- Events and thresholds ---- */

struct mete_event *budgets_event(struct ledger_effects *effects, const struct entry *entry,
                                 enum mete_event_kind kind)
{
    if (!effects)
        return NULL;
    ASSERT(effects->events_len < LEDGER_EVENTS_MAX);
    struct mete_event *event = &effects->events[effects->events_len++];
    *event = (struct mete_event){.kind = kind, .at = {entry->at_us}, .seq = entry->seq};
    return event;
}

void budgets_emit(const struct moment *moment, enum mete_event_kind kind, uint32_t threshold_ppm)
{
    struct mete_event *event = budgets_event(moment->effects, moment->entry, kind);
    if (!event)
        return;
    const struct budget *budget = &moment->ledger->budgets[moment->budget];
    event->scope.n = budget->scope;
    event->budget.n = moment->budget;
    event->threshold_ppm = threshold_ppm;
    event->limit = budget->limit;
    event->committed = *moment->counters->committed;
    event->held = *moment->counters->held;
}

bool budgets_is_reached(int64_t committed, int64_t limit, uint32_t ppm)
{
    return committed > 0 && (int128)committed * PPM >= (int128)limit * ppm;
}

/* Fires every threshold that is reached and has not fired. */
static void fire_thresholds(const struct moment *moment)
{
    const struct budget *budget = &moment->ledger->budgets[moment->budget];
    uint32_t ppm[METE_THRESHOLDS_MAX];
    size_t len = budgets_thresholds(moment->ledger, moment->budget, ppm);
    for (size_t i = 0; i < len; i++) {
        if (*moment->counters->fired >> i & 1 ||
            !budgets_is_reached(*moment->counters->committed, budget->limit, ppm[i]))
            continue;
        *moment->counters->fired |= (uint8_t)(1u << i);
        budgets_emit(moment, METE_EVENT_THRESHOLD, ppm[i]);
    }
}

static void set_alarm(struct ledger *ledger, uint32_t handle)
{
    struct budget *budget = &ledger->budgets[handle];
    uint32_t ppm[METE_THRESHOLDS_MAX];
    size_t len = budgets_thresholds(ledger, handle, ppm);
    budget->alarm_at = INT64_MAX;
    for (size_t i = 0; i < len; i++) {
        int64_t at;
        if (budget->fired >> i & 1)
            continue;
        bool fits = checked_mul_div_up(budget->limit, ppm[i], PPM, &at);
        ASSERT(fits); /* ppm <= 10^6 */
        budget->alarm_at = min_i64(budget->alarm_at, max_i64(at, 1));
    }
    if (budget->traits & BUDGET_CONTROLLED)
        budget->alarm_at = min_i64(budget->alarm_at, controls_alarm(ledger, handle));
}

/* ---- Windows ---- */

struct counters budgets_past(struct ledger *ledger, uint32_t handle, int64_t made_at_us)
{
    uint32_t at = ledger->cold[handle].past;
    while (at && ledger->pasts[at].start_us > made_at_us)
        at = ledger->pasts[at].next;
    ASSERT_INV("INV-02", at > 0); /* it stays while a reservation of it may still charge */
    struct past *past = &ledger->pasts[at];
    ASSERT_INV("INV-09", made_at_us < past->end_us);
    return (struct counters){&past->committed, &past->held, &past->fired, &past->open, at};
}

struct figures budgets_past_figures(const struct ledger *ledger, uint32_t handle,
                                    int64_t made_at_us)
{
    /* Only looked at; the cast takes off the const of what a writer owns anyway. */
    struct ledger *owner = (struct ledger *)(uintptr_t)ledger;
    struct counters counters = budgets_past(owner, handle, made_at_us);
    return (struct figures){*counters.committed, *counters.held};
}

static void keep_past(struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    const struct extra *extra = extras_of(ledger, handle);
    uint32_t at = ledger->past_free;
    if (at) {
        ledger->past_free = ledger->pasts[at].next;
    } else {
        ASSERT((uint64_t)ledger->pasts_len < (uint64_t)slots_room(&ledger->room) * PATH_BUDGETS);
        at = ++ledger->pasts_len;
    }
    ledger->pasts[at] = (struct past){.start_us = budget->window_start_us,
                                      .end_us = ledger->cold[handle].window_end_us,
                                      .committed = budget->committed,
                                      .held = budget->held,
                                      .budget = handle,
                                      .next = ledger->cold[handle].past,
                                      .open = budget->open,
                                      .closed = ledger->cold[handle].closed,
                                      .fired = budget->fired,
                                      .soft_fired = extra ? extra->soft_fired : 0};
    ledger->cold[handle].past = at;
}

static void drop_past(struct ledger *ledger, uint32_t *link)
{
    uint32_t at = *link;
    struct past *past = &ledger->pasts[at];
    ASSERT_INV("INV-07", past->held == 0);
    ledger->retired_sum += (uint64_t)past->committed;
    if (ledger->budgets[past->budget].traits & BUDGET_CARRIES)
        rollover_forget(ledger, at);
    *link = past->next;
    *past = (struct past){.next = ledger->past_free};
    ledger->past_free = at;
}

static uint32_t *link_of_past(struct ledger *ledger, uint32_t handle, uint32_t at)
{
    uint32_t *link = &ledger->cold[handle].past;
    while (*link != at) {
        ASSERT(*link != 0);
        link = &ledger->pasts[*link].next;
    }
    return link;
}

static void set_window(struct ledger *ledger, uint32_t handle, int64_t start_us, int64_t end_us)
{
    ASSERT(entry_is_window(start_us, end_us));
    bool rolls = ledger->budgets[handle].traits & BUDGET_ROLLING;
    ledger->budgets[handle].window_start_us = rolls ? 0 : start_us;
    ledger->cold[handle].window_end_us = end_us;
    budgets_set_stale(ledger, handle);
}

void budgets_set_stale(struct ledger *ledger, uint32_t handle)
{
    ledger->budgets[handle].stale_at_us =
        min_i64(ledger->cold[handle].window_end_us, increases_next_at(ledger, handle));
}

int64_t budgets_start_us(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    return budget->traits & BUDGET_ROLLING ? rolling_start_us(ledger, handle)
                                           : budget->window_start_us;
}

int64_t budgets_resets_at(const struct ledger *ledger, uint32_t handle)
{
    bool rolls = ledger->budgets[handle].traits & BUDGET_ROLLING;
    return rolls ? rolling_empties_at(ledger, handle) : ledger->cold[handle].window_end_us;
}

/* Arms the thresholds of one window that are no longer reached. */
static void rearm(const struct ledger *ledger, uint32_t handle, int64_t committed, uint8_t *fired)
{
    uint32_t ppm[METE_THRESHOLDS_MAX];
    size_t len = budgets_thresholds(ledger, handle, ppm);
    for (size_t i = 0; i < len; i++)
        if (!budgets_is_reached(committed, ledger->budgets[handle].limit, ppm[i]))
            *fired &= (uint8_t) ~(1u << i);
}

/* The next bucket of a rolling budget. */
static bool advance(struct ledger *ledger, uint32_t handle, int64_t start_us, int64_t end_us)
{
    if (!rolling_advance(ledger, handle, start_us, end_us))
        return false;
    set_window(ledger, handle, start_us, end_us);
    controls_leave(ledger, handle);
    struct budget *budget = &ledger->budgets[handle];
    rearm(ledger, handle, budget->committed, &budget->fired);
    set_alarm(ledger, handle);
    return true;
}

/* The next window of any other: nothing is used in it yet. */
static void turn(struct ledger *ledger, uint32_t handle, const struct entry *entry)
{
    struct budget *budget = &ledger->budgets[handle];
    bool stays = budget->open || ledger->cold[handle].closed;
    if (stays)
        keep_past(ledger, handle);
    else
        ledger->retired_sum += (uint64_t)budget->committed;
    ASSERT_INV("INV-02", budget->open || budget->held == 0);
    if (budget->traits & BUDGET_CARRIES) {
        rollover_turn(ledger, handle, stays ? ledger->cold[handle].past : 0, entry->u.window.idle);
        extras_sum_limit(ledger, handle);
    }
    budget->committed = 0;
    budget->held = 0;
    budget->open = 0;
    budget->fired = 0;
    ledger->cold[handle].closed = 0;
    if (extras_of(ledger, handle))
        controls_end_window(extras_of(ledger, handle));
    set_window(ledger, handle, entry->u.window.start_us, entry->u.window.end_us);
    set_alarm(ledger, handle);
}

bool budgets_apply_window(struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.window.budget;
    int64_t start_us = entry->u.window.start_us, end_us = entry->u.window.end_us;
    if (handle == 0 || handle > ledger->budgets_len || !entry_is_window(start_us, end_us))
        return false;
    struct budget *budget = &ledger->budgets[handle];
    if (budget->life != BUDGET_LIVES || start_us < ledger->cold[handle].window_end_us ||
        entry->at_us < start_us || entry->at_us >= end_us ||
        (entry->u.window.idle && !(budget->traits & BUDGET_CARRIES)))
        return false;
    if (budget->traits & BUDGET_ROLLING)
        return advance(ledger, handle, start_us, end_us);
    turn(ledger, handle, entry);
    return true;
}

/* ---- Charging ---- */

void budgets_tell(struct ledger *ledger, const struct entry *entry, const struct charge *charge,
                  struct ledger_effects *effects, bool overruns)
{
    const struct moment moment = {ledger, entry, effects, charge->budget, &charge->counters};
    if (overruns)
        budgets_emit(&moment, METE_EVENT_OVERRUN, 0);
    fire_thresholds(&moment);
    if (ledger->budgets[charge->budget].traits & BUDGET_CONTROLLED)
        controls_act(&moment);
    if (charge->counters.past)
        budgets_past_moved(ledger, entry, charge->budget, &charge->counters, effects);
    else
        set_alarm(ledger, charge->budget);
}

bool budgets_weigh_correction(const struct budget *budget, const struct charge *charge,
                              bool *overrun)
{
    int64_t by = charge->amount - charge->reserved, stands;
    if (charge->amount > METE_AMOUNT_MAX ||
        !checked_add(*charge->counters.committed + *charge->counters.held, by, &stands))
        return false;
    *overrun |=
        budget->mode == METE_ENFORCE && (charge->lost || (by > 0 && stands > budget->limit));
    return true;
}

bool budgets_correct(struct ledger *ledger, const struct entry *entry, const struct charge *charge,
                     struct ledger_effects *effects, bool *overrun)
{
    const struct budget *budget = &ledger->budgets[charge->budget];
    int64_t by = charge->amount - charge->reserved;
    bool overruns = false;
    ASSERT_INV("INV-03", budget->life == BUDGET_LIVES);
    if (!budgets_weigh_correction(budget, charge, &overruns))
        return false;
    *charge->counters.committed += by;
    ASSERT_INV("INV-07", *charge->counters.committed >= 0);
    ledger->charged_sum += (uint64_t)by;
    /* Less may mean another alarm: a control that is held back has it where committed stood. */
    if (overruns || charge->counters.past || by < 0 ||
        *charge->counters.committed >= budget->alarm_at)
        budgets_tell(ledger, entry, charge, effects, overruns);
    *overrun |= overruns;
    return true;
}

uint32_t *budgets_closed(struct ledger *ledger, uint32_t handle, const struct counters *counters)
{
    ASSERT(ledger->budgets[handle].life == BUDGET_LIVES);
    return counters->past ? &ledger->pasts[counters->past].closed : &ledger->cold[handle].closed;
}

/* It will take no corrections: what stays for them alone goes. */
static void forget_closed(struct ledger *ledger, uint32_t handle)
{
    ledger->cold[handle].closed = 0;
    for (uint32_t *link = &ledger->cold[handle].past; *link;) {
        struct past *past = &ledger->pasts[*link];
        past->closed = 0;
        if (past->open == 0)
            drop_past(ledger, link);
        else
            link = &past->next;
    }
}

/* What it keeps for corrections alone does not hold it: that goes with its end. */
bool budgets_is_held(const struct ledger *ledger, uint32_t handle)
{
    bool held = ledger->budgets[handle].open != 0;
    for (uint32_t at = ledger->cold[handle].past; at && !held; at = ledger->pasts[at].next)
        held = ledger->pasts[at].open != 0;
    return held;
}

static void bury(struct ledger *ledger, uint32_t handle)
{
    struct budget *budget = &ledger->budgets[handle];
    ASSERT_INV("INV-02", budget->open == 0 && ledger->cold[handle].past == 0);
    table_drop(&ledger->budget_ids, handle, budgets_hash(ledger, handle));
    budget->life = BUDGET_GONE;
}

void budgets_vacate(struct ledger *ledger, uint32_t handle, const struct counters *counters)
{
    ASSERT_INV("INV-02", *counters->open == 0 && *counters->held == 0);
    if (counters->past && ledger->pasts[counters->past].closed == 0)
        drop_past(ledger, link_of_past(ledger, handle, (uint32_t)counters->past));
    const struct budget *budget = &ledger->budgets[handle];
    if (budget->life == BUDGET_TOMBSTONE && budget->open == 0 && ledger->cold[handle].past == 0)
        bury(ledger, handle);
}

/* ---- Administration ---- */

static bool create(struct ledger *ledger, const struct entry *entry)
{
    const struct mete_budget_spec *spec = &entry->u.budget.spec;
    int64_t start_us = entry->u.budget.window_start_us, end_us = entry->u.budget.window_end_us;
    struct slice id = {spec->id.data, spec->id.len};
    if (ledger->budgets_len == ledger->room.budgets || spec->scope.n == 0 ||
        spec->scope.n > ledger->scopes_len || !entry_is_window(start_us, end_us) ||
        entry->at_us < start_us || entry->at_us >= end_us)
        return false;
    struct scope *scope = &ledger->scopes[spec->scope.n];
    uint32_t organization = scopes_organization(ledger, spec->scope.n);
    if (spec->for_kind &&
        (organization != spec->scope.n || templates_check(spec) || start_us || end_us != INT64_MAX))
        return false;
    if (scope->budgets_len == LIMIT_SCOPE_BUDGETS || ledger_find_budget(ledger, organization, id) ||
        !extras_fit(ledger, spec, ZONES_ROOM))
        return false;
    uint32_t handle = ++ledger->budgets_len;
    ledger->budgets[handle] = (struct budget){.unit = unit_of(spec->meter, spec->currency),
                                              .scope = spec->scope.n,
                                              .mode = spec->mode & 3,
                                              .period = spec->period & 15};
    ledger->cold[handle] = (struct budget_cold){.revision = 1, .base_limit = spec->limit};
    if (!extras_narrow(ledger, handle, spec))
        return false;
    extras_put(ledger, handle, spec);
    if (ledger->budgets[handle].traits & BUDGET_ROLLING &&
        !rolling_is_bucket(extras_of(ledger, handle), start_us, end_us))
        return false;
    extras_sum_limit(ledger, handle);
    set_window(ledger, handle, start_us, end_us);
    write_text(ledger, handle, id, spec->thresholds_len);
    set_thresholds(ledger, handle, spec);
    templates_put(ledger, handle, spec);
    set_alarm(ledger, handle);
    scope->budgets[scope->budgets_len++] = handle;
    table_put(&ledger->budget_ids, handle, hash_key(organization, id));
    ledger->counts.budgets++;
    return true;
}

struct thresholds {
    uint32_t ppm[METE_THRESHOLDS_MAX];
    size_t len;
};

/* Which of the new thresholds have fired: those that had under their old place, unless the limit
 * now in force puts them out of reach again (INV-10: raising a limit re-arms them). */
static uint8_t carry_fired(const struct thresholds *from, const struct thresholds *to,
                           int64_t limit, uint8_t fired, int64_t committed)
{
    unsigned carried = 0;
    for (size_t i = 0; i < to->len; i++)
        for (size_t j = 0; j < from->len; j++)
            if (from->ppm[j] == to->ppm[i] && fired >> j & 1 &&
                budgets_is_reached(committed, limit, from->ppm[j]))
                carried |= 1u << i;
    return (uint8_t)carried;
}

static void carry_all_fired(struct ledger *ledger, uint32_t handle, const struct thresholds *to)
{
    struct budget *budget = &ledger->budgets[handle];
    struct thresholds from;
    from.len = budgets_thresholds(ledger, handle, from.ppm);
    budget->fired = carry_fired(&from, to, budget->limit, budget->fired, budget->committed);
    for (uint32_t at = ledger->cold[handle].past; at; at = ledger->pasts[at].next) {
        struct past *past = &ledger->pasts[at];
        past->fired = carry_fired(&from, to, budget->limit, past->fired, past->committed);
    }
}

/* Whether the entry may change this budget. */
static bool may_update(const struct ledger *ledger, const struct entry *entry)
{
    const struct mete_budget_spec *spec = &entry->u.budget.spec;
    uint32_t handle = entry->u.budget.handle;
    const struct budget *budget = &ledger->budgets[handle];
    return budget->life == BUDGET_LIVES && budget->scope == spec->scope.n &&
           budget->unit == unit_of(spec->meter, spec->currency) && budget->period == spec->period &&
           entry->at_us < budget->stale_at_us &&
           slice_equal(budgets_id(ledger, handle), (struct slice){spec->id.data, spec->id.len}) &&
           extras_same_place(ledger, handle, spec) && extras_fit(ledger, spec, ZONES_ROOM);
}

/* The limit in force, or the mode, is another than before: tells who stands above it now, and fires
 * what is reached. */
static void limit_changed(const struct moment *moment, int64_t before, enum mete_mode mode_before)
{
    const struct budget *budget = &moment->ledger->budgets[moment->budget];
    bool falls = mode_before != METE_ENFORCE || budget->limit < before;
    if (falls && budget->mode == METE_ENFORCE && budget->committed + budget->held > budget->limit)
        budgets_emit(moment, METE_EVENT_LIMIT_BELOW, 0);
    if (budget->mode == METE_OFF)
        return;
    fire_thresholds(moment);
    if (budget->traits & BUDGET_CONTROLLED)
        controls_act(moment);
}

/* As it was set. */
static enum mete_mode mode_of(const struct ledger *ledger, uint32_t handle)
{
    const struct budget *budget = &ledger->budgets[handle];
    return (enum mete_mode)(
        budget->traits & BUDGET_TEMPLATE ? extras_of(ledger, handle)->template_mode : budget->mode);
}

void budgets_past_moved(struct ledger *ledger, const struct entry *entry, uint32_t handle,
                        const struct counters *counters, struct ledger_effects *effects)
{
    const struct budget *budget = &ledger->budgets[handle];
    ASSERT(counters->past > 0);
    if (!(budget->traits & BUDGET_CARRIES) ||
        !rollover_hand_on(ledger, handle, (uint32_t)counters->past))
        return;
    bool lives = budget->life == BUDGET_LIVES; /* an ended one's limit is of no interest */
    budgets_sum_limit(ledger, handle, entry, lives ? effects : NULL);
}

static bool update(struct ledger *ledger, const struct entry *entry, struct ledger_effects *effects)
{
    if (!may_update(ledger, entry))
        return false;
    const struct mete_budget_spec *spec = &entry->u.budget.spec;
    uint32_t handle = entry->u.budget.handle;
    struct budget *budget = &ledger->budgets[handle];
    int64_t before = budget->limit;
    enum mete_mode mode_before = mode_of(ledger, handle);
    bool same_dates = extras_same_dates(ledger, handle, spec);
    extras_put(ledger, handle, spec);
    ledger->cold[handle].base_limit = spec->limit;
    extras_sum_limit(ledger, handle);
    if (budget->limit != before || mode_before != spec->mode || !same_dates)
        ledger->cold[handle].revision++;
    struct thresholds to = {.len = spec->thresholds_len};
    memcpy(to.ppm, spec->thresholds_ppm, sizeof to.ppm);
    carry_all_fired(ledger, handle, &to);
    if (extras_of(ledger, handle))
        controls_rearm(ledger, handle);
    budget->mode = spec->mode & 3;
    templates_put(ledger, handle, spec);
    set_thresholds(ledger, handle, spec);
    struct counters counters = {&budget->committed, &budget->held, &budget->fired, &budget->open,
                                0};
    const struct moment moment = {ledger, entry, effects, handle, &counters};
    limit_changed(&moment, before, mode_before);
    set_alarm(ledger, handle);
    return true;
}

void budgets_sum_limit(struct ledger *ledger, uint32_t handle, const struct entry *entry,
                       struct ledger_effects *effects)
{
    struct budget *budget = &ledger->budgets[handle];
    int64_t before = budget->limit;
    extras_sum_limit(ledger, handle);
    ledger->cold[handle].revision += budget->limit != before;
    struct thresholds same;
    same.len = budgets_thresholds(ledger, handle, same.ppm);
    carry_all_fired(ledger, handle, &same);
    controls_rearm(ledger, handle);
    struct counters counters = {&budget->committed, &budget->held, &budget->fired, &budget->open,
                                0};
    const struct moment moment = {ledger, entry, effects, handle, &counters};
    limit_changed(&moment, before, (enum mete_mode)budget->mode);
    set_alarm(ledger, handle);
}

bool budgets_apply_put(struct ledger *ledger, const struct entry *entry,
                       struct ledger_effects *effects)
{
    const struct mete_budget_spec *spec = &entry->u.budget.spec;
    uint32_t handle = entry->u.budget.handle;
    if (handle == 0 || handle > ledger->budgets_len + 1 ||
        !entry_is_thresholds(spec->thresholds_ppm, spec->thresholds_len))
        return false;
    if (handle == ledger->budgets_len + 1)
        return create(ledger, entry);
    return update(ledger, entry, effects);
}

bool budgets_apply_lift(struct ledger *ledger, const struct entry *entry,
                        struct ledger_effects *effects)
{
    uint32_t handle = entry->u.lift.budget;
    if (handle == 0 || handle > ledger->budgets_len)
        return false;
    struct budget *budget = &ledger->budgets[handle];
    if (budget->life != BUDGET_LIVES || entry->at_us >= budget->stale_at_us)
        return false;
    struct counters counters = {&budget->committed, &budget->held, &budget->fired, &budget->open,
                                0};
    const struct moment moment = {ledger, entry, effects, handle, &counters};
    if (controls_lift(&moment))
        set_alarm(ledger, handle);
    return true;
}

static void end(struct ledger *ledger, uint32_t handle)
{
    struct budget *budget = &ledger->budgets[handle];
    struct scope *scope = &ledger->scopes[budget->scope];
    templates_end(ledger, handle);
    unsigned at = 0;
    while (scope->budgets[at] != handle) {
        at++;
        ASSERT(at < scope->budgets_len);
    }
    scope->budgets_len--;
    for (; at < scope->budgets_len; at++)
        scope->budgets[at] = scope->budgets[at + 1];
    scope->budgets[at] = 0;
    budget->life = BUDGET_TOMBSTONE;
    forget_closed(ledger, handle);
    ledger->counts.budgets--;
    if (budget->open == 0 && ledger->cold[handle].past == 0)
        bury(ledger, handle);
}

bool budgets_apply_end(struct ledger *ledger, const struct entry *entry)
{
    uint32_t handle = entry->u.budget_end.handle;
    if (handle == 0 || handle > ledger->budgets_len || ledger->budgets[handle].life != BUDGET_LIVES)
        return false;
    end(ledger, handle);
    return true;
}

void budgets_end_of_scope(struct ledger *ledger, uint32_t scope)
{
    while (ledger->scopes[scope].budgets_len)
        end(ledger, ledger->scopes[scope].budgets[0]);
}
