/* SPDX-License-Identifier: Apache-2.0
 * Idea: windows are numbered by their lower bounds in local time, which is plain arithmetic
 * (index_of, bound_of), and the definition in the header is two searches over the zone's spans:
 *
 *   reached(t)      what the clock that never goes back shows at t: the most that the wall clock
 *                   has shown up to t
 *   first_reach(B)  the first t with reached(t) >= B
 *   window(t)       k = index_of(reached(t)); [first_reach(bound_of(k)),
 * first_reach(bound_of(k+1)))
 *
 * Both look no further than ZONE_SHIFT_MAX_US, for two clocks of one zone are never further apart.
 * Nearly always the instant, its window and that much before it lie in one span, and one look at
 * the zone is enough (is_settled).
 *
 * A lower bound the clock jumps over has the same first instant as the next: the window between
 * them is empty, and no instant has its number. So empty windows need no case of their own, but
 * for counting: calendar_windows_between takes away the numbers that each jump leaves out.
 *
 * Considered and not done: converting bounds by "local time to UTC" with rules for gaps and folds,
 * as libraries do; the cases multiply, and overlap where midnight is repeated. */
#include "calendar/calendar.h"

#include "base/assert.h"
#include "base/limits.h"
#include "calendar/civil.h"
#include "calendar/zone.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)
#define YEAR_10000_US (INT64_C(2932897) * DAY_US) /* 10000-01-01 */

enum { ROLLING_BUCKETS = 64, MONDAY_1970_01_05 = 4 };

/* ---- Rules ----------------------------------------------------------------------------------- */

static bool is_month_and_day(int64_t anchor)
{
    int64_t month = anchor / 100, day = anchor % 100;
    const int64_t january_2000 = 2000 * 12; /* of a leap year */
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= civil_month_len(january_2000 + month - 1);
}

static bool anchor_is_valid(enum mete_period period, int64_t anchor)
{
    if (anchor == 0)
        return true;
    switch (period) {
    case METE_DAILY:
        return anchor > 0 && anchor < 86400;
    case METE_WEEKLY:
        return anchor >= 1 && anchor <= 7;
    case METE_MONTHLY:
        return anchor >= 1 && anchor <= 31;
    case METE_QUARTERLY:
    case METE_YEARLY:
        return is_month_and_day(anchor);
    case METE_MINUTE:
    case METE_HOURLY:
    case METE_TOTAL:
    case METE_ROLLING:
    case METE_PERIODS:
    default:
        return false;
    }
}

bool calendar_rule_is_valid(const struct calendar_rule *rule)
{
    if ((int)rule->period < 0 || rule->period >= METE_PERIODS)
        return false;
    bool is_rolling = rule->period == METE_ROLLING;
    int64_t low = is_rolling ? 1 : 0, high = is_rolling ? LIMIT_ROLLING_S : 0;
    return rule->window_seconds >= low && rule->window_seconds <= high &&
           anchor_is_valid(rule->period, rule->anchor);
}

/* ---- Lower bounds, in local time ------------------------------------------------------------- */

/* Window k begins at from_us + k * len_us, or on `day` of the month from_month + k * months. */
struct grid {
    int64_t len_us, from_us; /* len_us 0: months */
    int64_t months, from_month, day;
};

static struct grid month_grid(int64_t months, int64_t month_and_day)
{
    int64_t month = month_and_day / 100, day = month_and_day % 100;
    return (struct grid){.months = months, .from_month = month - 1, .day = day};
}

/* rule: valid, neither TOTAL. */
static struct grid grid_of(const struct calendar_rule *rule)
{
    int64_t anchor = rule->anchor;
    switch (rule->period) {
    case METE_MINUTE:
        return (struct grid){.len_us = MINUTE_US};
    case METE_HOURLY:
        return (struct grid){.len_us = HOUR_US};
    case METE_DAILY:
        return (struct grid){.len_us = DAY_US, .from_us = anchor * SECOND_US};
    case METE_WEEKLY:
        return (struct grid){.len_us = 7 * DAY_US,
                             .from_us = (MONDAY_1970_01_05 + (anchor ? anchor - 1 : 0)) * DAY_US};
    case METE_MONTHLY:
        return month_grid(1, 100 + (anchor ? anchor : 1));
    case METE_QUARTERLY:
        return month_grid(3, anchor ? anchor : 101);
    case METE_YEARLY:
        return month_grid(12, anchor ? anchor : 101);
    case METE_ROLLING:
        return (struct grid){.len_us = rule->window_seconds * SECOND_US / ROLLING_BUCKETS};
    case METE_TOTAL:
    case METE_PERIODS:
    default:
        ASSERT(false && "a rule without bounds");
        return (struct grid){0};
    }
}

/* Day of the month on which a window of that month begins. */
static int64_t day_in(const struct grid *grid, int64_t month)
{
    if (grid->day <= 28)
        return grid->day;
    int64_t len = civil_month_len(month);
    return grid->day < len ? grid->day : len;
}

static int64_t bound_of(const struct grid *grid, int64_t index)
{
    if (grid->len_us)
        return grid->from_us + index * grid->len_us;
    int64_t month = grid->from_month + index * grid->months;
    return (civil_first_day(month) + day_in(grid, month) - 1) * DAY_US;
}

/* The window with the last lower bound that is not after local_us. */
static int64_t index_of(const struct grid *grid, int64_t local_us)
{
    if (grid->len_us)
        return civil_div(local_us - grid->from_us, grid->len_us);
    struct civil_date date = civil_date(civil_div(local_us, DAY_US));
    int64_t index = civil_div(date.month - grid->from_month, grid->months);
    int64_t month = grid->from_month + index * grid->months;
    bool is_before = date.month == month && date.day < day_in(grid, month);
    return index - is_before;
}

/* ---- The clock that never goes back ---------------------------------------------------------- */

static int64_t max_us(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* No clock before the span has shown more than the span's own does at the instant. */
static bool is_settled(const struct zone_span *span, int64_t at_us)
{
    return span->from_us <= at_us - ZONE_SHIFT_MAX_US;
}

static int64_t reached(const struct calendar_zone *zone, int64_t at_us)
{
    struct zone_span span = zone_span(zone, at_us - ZONE_SHIFT_MAX_US);
    int64_t high_us = INT64_MIN;
    while (span.until_us <= at_us) {
        high_us = max_us(high_us, span.until_us - 1 + span.offset_us);
        span = zone_span(zone, span.until_us);
    }
    return max_us(high_us, at_us + span.offset_us);
}

static int64_t first_reach(const struct calendar_zone *zone, int64_t local_us)
{
    struct zone_span span = zone_span(zone, local_us - ZONE_OFFSET_MAX_S * SECOND_US);
    for (;;) {
        int64_t at_us = max_us(span.from_us, local_us - span.offset_us);
        if (at_us < span.until_us)
            return at_us;
        span = zone_span(zone, span.until_us);
    }
}

/* ---- Windows --------------------------------------------------------------------------------- */

/* What was before 1970 is cut off. */
static struct window window_in(const struct grid *grid, const struct calendar_zone *zone,
                               int64_t now_us)
{
    struct zone_span span = zone_span(zone, now_us);
    bool is_plain = is_settled(&span, now_us);
    int64_t local_us = is_plain ? now_us + span.offset_us : reached(zone, now_us);
    int64_t index = index_of(grid, local_us);
    int64_t from_us = bound_of(grid, index), to_us = bound_of(grid, index + 1);
    struct window window = {from_us - span.offset_us, to_us - span.offset_us};
    if (!is_plain || !is_settled(&span, window.start_us))
        window.start_us = first_reach(zone, from_us);
    if (!is_plain || window.end_us >= span.until_us)
        window.end_us = first_reach(zone, to_us);
    window.start_us = max_us(window.start_us, 0);
    ASSERT_INV("INV-09", window.start_us <= now_us && now_us < window.end_us);
    return window;
}

static bool is_instant(int64_t at_us)
{
    return at_us >= 0 && at_us < YEAR_10000_US;
}

/* Buckets are of no zone. */
static const struct calendar_zone *zone_of(const struct calendar_rule *rule)
{
    return rule->period == METE_ROLLING ? NULL : rule->zone;
}

int calendar_window(const struct calendar_rule *rule, int64_t now_us, struct window *ret_window)
{
    if (!is_instant(now_us) || !calendar_rule_is_valid(rule))
        return METE_E_INVALID;
    if (rule->period == METE_TOTAL) {
        *ret_window = (struct window){0, INT64_MAX};
        return 0;
    }
    struct grid grid = grid_of(rule);
    *ret_window = window_in(&grid, zone_of(rule), now_us);
    return 0;
}

/* How many empty windows the clock leaves out by its jumps in (from_us, until_us]. Only a jump of a
 * window's length can leave one out whole, so weeks and longer are never empty. */
static int64_t count_empty(const struct grid *grid, const struct calendar_zone *zone,
                           int64_t from_us, int64_t until_us)
{
    int64_t empty = 0;
    if (grid->len_us == 0 || grid->len_us > ZONE_SHIFT_MAX_US)
        return 0;
    struct zone_span span = zone_span(zone, from_us);
    while (span.until_us <= until_us) {
        struct zone_span next = zone_span(zone, span.until_us);
        if (next.offset_us - span.offset_us >= grid->len_us) {
            int64_t before = index_of(grid, reached(zone, next.from_us - 1));
            int64_t after = index_of(grid, reached(zone, next.from_us));
            empty += after > before ? after - before - 1 : 0;
        }
        span = next;
    }
    return empty;
}

int calendar_windows_between(const struct calendar_rule *rule, int64_t end_us, int64_t start_us,
                             uint64_t *ret_windows)
{
    if (!is_instant(end_us) || !is_instant(start_us) || end_us > start_us ||
        !calendar_rule_is_valid(rule))
        return METE_E_INVALID;
    *ret_windows = 0;
    if (rule->period == METE_TOTAL)
        return 0;
    struct grid grid = grid_of(rule);
    const struct calendar_zone *zone = zone_of(rule);
    struct window first = window_in(&grid, zone, end_us);
    int64_t from_us = first.start_us == end_us ? end_us : first.end_us;
    if (from_us >= start_us)
        return 0;
    int64_t windows = index_of(&grid, reached(zone, start_us)) -
                      index_of(&grid, reached(zone, from_us)) -
                      count_empty(&grid, zone, from_us, start_us);
    ASSERT(windows >= 0);
    *ret_windows = (uint64_t)windows;
    return 0;
}
