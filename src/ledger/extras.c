/* SPDX-License-Identifier: Apache-2.0
 * What only unusual budgets have: another zone or anchor than the plain calendar, a soft limit, a
 * rollover, controls, patterns, increases. It lies apart, so that the usual budget pays one look at
 * its traits. An extra is made when a budget first needs one and lives as long as its handle.
 *
 * The limit in force is base + carried + increased, kept in the budget itself; whoever changes a
 * part of it calls extras_sum_limit(). Likewise stale_at: the window's end, or the next instant at
 * which an increase begins or ends.
 *
 * Zones are few: each name is kept once and known by its number. */
#include "ledger/extras.h"
#include "ledger/controls.h"
#include "ledger/matches.h"
#include "ledger/rolling.h"

/* ---- Finding and making ---- */

struct extra *extras_of(const struct ledger *ledger, uint32_t budget)
{
    uint32_t at = ledger->cold[budget].extra;
    return at ? &ledger->extras[at] : NULL;
}

struct extra *extras_make(struct ledger *ledger, uint32_t budget)
{
    struct budget_cold *cold = &ledger->cold[budget];
    if (!cold->extra) {
        ASSERT(ledger->extras_len < ledger->room.budgets);
        cold->extra = ++ledger->extras_len;
        ledger->extras[cold->extra] = (struct extra){0};
    }
    return &ledger->extras[cold->extra];
}

/* ---- Zones ---- */

static struct slice zone_text(const struct ledger *ledger, uint32_t zone)
{
    if (zone == 0)
        return (struct slice){0};
    const char *at = texts_at(&ledger->texts, ledger->zones[zone]);
    return (struct slice){at + 1, (uint8_t)at[0]};
}

struct slice extras_zone(const struct ledger *ledger, const struct extra *extra)
{
    return zone_text(ledger, extra->zone);
}

static bool is_utc(struct slice zone)
{
    return zone.len == 0 || slice_equal(zone, (struct slice){"UTC", 3});
}

/* Its number; 0: it has none. */
static uint32_t find_zone(const struct ledger *ledger, struct slice name)
{
    for (uint32_t zone = 1; zone <= ledger->zones_len; zone++)
        if (slice_equal(zone_text(ledger, zone), name))
            return zone;
    return 0;
}

static uint32_t put_zone(struct ledger *ledger, struct slice name)
{
    if (is_utc(name))
        return 0;
    uint32_t zone = find_zone(ledger, name);
    if (zone)
        return zone;
    ASSERT(ledger->zones_len < ZONES_ROOM); /* extras_fit() */
    uint32_t text = texts_take(&ledger->texts, 1 + name.len);
    char *at = texts_at(&ledger->texts, text);
    at[0] = (char)(uint8_t)name.len;
    memcpy(at + 1, name.data, name.len);
    ledger->zones[++ledger->zones_len] = text;
    return ledger->zones_len;
}

/* ---- Specs ---- */

static struct slice of_text(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x21 || text.data[i] > 0x7e)
            return false;
    return true;
}

int extras_check(const struct mete_budget_spec *spec)
{
    if (spec->time_zone.len > LIMIT_TIME_ZONE || spec->matches_len > METE_MATCHES_MAX)
        return METE_E_TOO_LARGE;
    bool rolls = spec->period == METE_ROLLING;
    if (!entry_is_dates(spec) || !is_printable(of_text(spec->time_zone)) || spec->anchor < 0 ||
        spec->soft_limit < 0 || spec->soft_limit > METE_AMOUNT_MAX || spec->rollover_cap < 0 ||
        spec->rollover_cap > METE_AMOUNT_MAX || !entry_is_controls(&spec->controls) ||
        rolls != (spec->window_seconds != 0) || spec->window_seconds < 0 ||
        spec->window_seconds > LIMIT_ROLLING_S ||
        (spec->rollover_cap && (rolls || spec->period == METE_TOTAL)))
        return METE_E_INVALID;
    return 0;
}

bool extras_fit(const struct ledger *ledger, const struct mete_budget_spec *spec, uint32_t zones)
{
    struct slice zone = of_text(spec->time_zone);
    return is_utc(zone) || ledger->zones_len < zones || find_zone(ledger, zone);
}

static bool has_controls(const struct mete_controls *controls)
{
    return controls->throttle_ppm || controls->stop_ppm || controls->downgrade_ppm;
}

static bool is_dated(const struct mete_budget_spec *spec)
{
    return spec->starts_at.us || spec->ends_at.us;
}

bool extras_are_needed(const struct mete_budget_spec *spec)
{
    return !is_utc(of_text(spec->time_zone)) || spec->anchor || spec->window_seconds ||
           spec->soft_limit || spec->rollover_cap || has_controls(&spec->controls) ||
           spec->matches_len || spec->for_kind || is_dated(spec);
}

/* UTC has two names. */
static struct slice zone_of(const struct mete_budget_spec *spec)
{
    return is_utc(of_text(spec->time_zone)) ? (struct slice){0} : of_text(spec->time_zone);
}

bool extras_same_place(const struct ledger *ledger, uint32_t budget,
                       const struct mete_budget_spec *spec)
{
    static const struct extra none;
    const struct extra *extra = extras_of(ledger, budget);
    extra = extra ? extra : &none;
    return slice_equal(zone_text(ledger, extra->zone), zone_of(spec)) &&
           extra->anchor == spec->anchor && extra->window_seconds == spec->window_seconds &&
           extra->for_kind == spec->for_kind &&
           matches_are(ledger, extra->matches, spec->matches, spec->matches_len);
}

bool extras_is_dated(const struct extra *extra)
{
    return extra->starts_at_us || extra->ends_at_us;
}

bool extras_same_dates(const struct ledger *ledger, uint32_t budget,
                       const struct mete_budget_spec *spec)
{
    static const struct extra none;
    const struct extra *extra = extras_of(ledger, budget);
    extra = extra ? extra : &none;
    return extra->starts_at_us == spec->starts_at.us && extra->ends_at_us == spec->ends_at.us;
}

bool extras_same_spec(const struct mete_budget_spec *a, const struct mete_budget_spec *b)
{
    return slice_equal(zone_of(a), zone_of(b)) && a->anchor == b->anchor &&
           a->window_seconds == b->window_seconds && a->for_kind == b->for_kind &&
           matches_same(a->matches, a->matches_len, b->matches, b->matches_len);
}

/* ---- Putting ---- */

static void set_trait(struct budget *budget, enum budget_traits trait, bool is_on)
{
    budget->traits = (uint8_t)(is_on ? budget->traits | trait : budget->traits & ~(unsigned)trait);
}

void extras_put(struct ledger *ledger, uint32_t handle, const struct mete_budget_spec *spec)
{
    if (!extras_are_needed(spec) && !ledger->cold[handle].extra)
        return;
    struct budget *budget = &ledger->budgets[handle];
    struct extra *extra = extras_make(ledger, handle);
    extra->zone = put_zone(ledger, of_text(spec->time_zone));
    extra->anchor = spec->anchor;
    extra->window_seconds = spec->window_seconds;
    extra->soft_limit = spec->soft_limit;
    extra->rollover_cap = spec->rollover_cap;
    extra->controls = spec->controls;
    extra->starts_at_us = spec->starts_at.us;
    extra->ends_at_us = spec->ends_at.us;
    set_trait(budget, BUDGET_DATED, is_dated(spec) && !spec->for_kind);
    bool rolls = spec->window_seconds && !spec->for_kind; /* a template counts nothing */
    if (rolls)
        rolling_put(ledger, extra);
    set_trait(budget, BUDGET_ROLLING, rolls);
    if (spec->rollover_cap && !spec->for_kind)
        set_trait(budget, BUDGET_CARRIES, true);
    set_trait(budget, BUDGET_CONTROLLED, spec->soft_limit || has_controls(&spec->controls));
}

bool extras_narrow(struct ledger *ledger, uint32_t handle, const struct mete_budget_spec *spec)
{
    if (spec->matches_len == 0)
        return true;
    set_trait(&ledger->budgets[handle], BUDGET_NARROWED, true);
    return matches_put(ledger, spec->matches, spec->matches_len,
                       &extras_make(ledger, handle)->matches);
}

void extras_share_matches(struct ledger *ledger, uint32_t handle, uint32_t template)
{
    uint32_t matches = extras_of(ledger, template)->matches;
    if (!matches)
        return;
    set_trait(&ledger->budgets[handle], BUDGET_NARROWED, true);
    extras_make(ledger, handle)->matches = matches;
}

void extras_sum_limit(struct ledger *ledger, uint32_t handle)
{
    const struct extra *extra = extras_of(ledger, handle);
    int128 limit = ledger->cold[handle].base_limit;
    if (extra)
        limit += (int128)extra->carried + extra->increased;
    ASSERT(limit >= 0);
    ledger->budgets[handle].limit = limit > METE_AMOUNT_MAX ? METE_AMOUNT_MAX : (int64_t)limit;
}

/* ---- Looking ---- */

bool extras_match(const struct ledger *ledger, uint32_t handle, const struct call_texts *call)
{
    const struct extra *extra = extras_of(ledger, handle);
    ASSERT(extra);
    if (call->at_us < extra->starts_at_us ||
        (extra->ends_at_us && call->at_us >= extra->ends_at_us))
        return false;
    return matches_call(ledger, extra->matches, call);
}

bool ledger_matches(const struct ledger *ledger, uint32_t handle, const struct entry *entry)
{
    struct call_texts call;
    if (!(ledger->budgets[handle].traits & BUDGET_CHOOSES))
        return true;
    matches_of_entry(ledger, entry, &call);
    return extras_match(ledger, handle, &call);
}

void extras_keep_matching(const struct ledger *ledger, struct path *path,
                          const struct call_texts *call)
{
    size_t kept = 0;
    for (size_t i = 0; i < path->budgets_len; i++) {
        uint32_t handle = path->budgets[i];
        if (!(ledger->budgets[handle].traits & BUDGET_CHOOSES) ||
            extras_match(ledger, handle, call))
            path->budgets[kept++] = handle;
    }
    path->budgets_len = kept;
}

void extras_view(const struct ledger *ledger, uint32_t handle, struct mete_budget_view *view)
{
    view->base_limit = ledger->cold[handle].base_limit;
    view->template_of.n = ledger->cold[handle].template_of;
    const struct extra *extra = extras_of(ledger, handle);
    if (!extra)
        return;
    struct slice zone = zone_text(ledger, extra->zone);
    if (zone.len)
        memcpy(view->time_zone, zone.data, zone.len);
    view->anchor = extra->anchor;
    view->window_seconds = extra->window_seconds;
    view->rollover_cap = extra->rollover_cap;
    view->carried = extra->carried;
    view->increased = extra->increased;
    view->starts_at.us = extra->starts_at_us;
    view->ends_at.us = extra->ends_at_us;
    view->matches_len = matches_of(ledger, extra->matches, view->matches);
    controls_view(extra, view);
    view->for_kind = (enum mete_kind)extra->for_kind;
    if (ledger->budgets[handle].traits & BUDGET_TEMPLATE)
        view->mode = (enum mete_mode)extra->template_mode;
}
