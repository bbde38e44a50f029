/* SPDX-License-Identifier: Apache-2.0
 * Where the ledger's budgets meet the calendar. The ledger keeps a rule (period, anchor, zone's
 * name) and the bounds of the present window; what comes next is worked out here and entered, so
 * that a replay needs no calendar (INV-09). */
#include "engine/engine.h"

#include "base/checked.h"
#include "calendar/calendar.h"

int windows_check(struct mete *mete, const struct mete_budget_spec *spec)
{
    struct calendar_rule rule = {spec->period, spec->anchor, spec->window_seconds, NULL};
    struct slice zone = {spec->time_zone.data, spec->time_zone.len};
    if (zone.len > LIMIT_TIME_ZONE)
        return METE_E_TOO_LARGE;
    int error = calendar_zones_find(mete->zones, zone, &rule.zone);
    if (error)
        return error == METE_E_NOT_FOUND || error == METE_E_CORRUPT ? METE_E_INVALID : error;
    return calendar_rule_is_valid(&rule) ? 0 : METE_E_INVALID;
}

int windows_first(struct mete *mete, const struct mete_budget_spec *spec, int64_t *ret_start_us,
                  int64_t *ret_end_us)
{
    if (spec->for_kind) { /* nothing is counted in a template */
        *ret_start_us = 0;
        *ret_end_us = INT64_MAX;
        return 0;
    }
    struct calendar_rule rule = {spec->period, spec->anchor, spec->window_seconds, NULL};
    struct slice zone = {spec->time_zone.data, spec->time_zone.len};
    struct window window;
    int error = calendar_zones_find(mete->zones, zone, &rule.zone);
    if (!error)
        error = calendar_window(&rule, mete->now_us, &window);
    if (error)
        return error;
    *ret_start_us = window.start_us;
    *ret_end_us = window.end_us;
    return 0;
}

int windows_default(struct mete *mete, const struct mete_budget_view *template, uint32_t scope,
                    struct entry *ret_entry)
{
    const struct mete_budget_spec spec = {
        .period = template->period,
        .time_zone = {template->time_zone, strlen(template->time_zone)},
        .anchor = template->anchor,
        .window_seconds = template->window_seconds};
    int64_t start_us, end_us;
    int error = windows_first(mete, &spec, &start_us, &end_us);
    if (error)
        return METE_E_STORAGE; /* the zone was there when the template was made */
    uint64_t budgets = ledger_budgets(mete->ledger);
    *ret_entry = (struct entry){.kind = ENTRY_DEFAULT,
                                .seq = ledger_last_seq(mete->ledger) + 1,
                                .at_us = mete->now_us,
                                .u.by_default = {.handle = (uint32_t)budgets + 1,
                                                 .made_from = template->budget.n,
                                                 .scope = scope,
                                                 .window_start_us = start_us,
                                                 .window_end_us = end_us}};
    return 0;
}

int windows_next(struct mete *mete, const struct mete_budget_view *view, struct entry *ret_entry)
{
    struct calendar_rule rule = {view->period, view->anchor, view->window_seconds, NULL};
    struct slice zone = {view->time_zone, strlen(view->time_zone)};
    struct window window;
    int error = calendar_zones_find(mete->zones, zone, &rule.zone);
    if (error)
        return METE_E_STORAGE; /* it was there when the budget was made */
    error = calendar_window(&rule, mete->now_us, &window);
    if (error)
        return error;
    /* Another zone database may place the window before the end of the last one. */
    window.start_us = max_i64(window.start_us, view->window_end.us);
    uint64_t idle = 0;
    if (view->rollover_cap) {
        error = calendar_windows_between(&rule, view->window_end.us, window.start_us, &idle);
        if (error)
            return error;
    }
    ASSERT_INV("INV-09", window.start_us <= mete->now_us && mete->now_us < window.end_us);
    *ret_entry = (struct entry){.kind = ENTRY_WINDOW,
                                .seq = ledger_last_seq(mete->ledger) + 1,
                                .at_us = mete->now_us,
                                .u.window = {.budget = view->budget.n,
                                             .start_us = window.start_us,
                                             .end_us = window.end_us,
                                             .idle = idle}};
    return 0;
}
