/* SPDX-License-Identifier: Apache-2.0
 * Idea: a window is found by arithmetic, never by a job that resets something. Hours and days of
 * UTC are plain division; a month needs the civil calendar: days since 1970-01-01 <-> year, month,
 * day, with years that begin in March, so that the leap day is the last day of a year and a
 * month's first day is a straight line ((153 * m + 2) / 5).
 *
 * Considered and not done: gmtime_r (banned: it follows the process's leap second tables and is
 * ten times slower), and codec's timestamp_days (calendar does not see codec, and zones will need
 * both directions here). */
#include "calendar/calendar.h"

#include "base/assert.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)
#define YEAR_10000_US (INT64_C(2932897) * DAY_US) /* 10000-01-01 */

enum { ERA_DAYS = 146097, ERA_YEARS = 400, EPOCH_FROM_MARCH_0000 = 719468 };

struct month {
    int64_t year;
    int64_t month; /* 1..12 */
};

/* The month that the day lies in; day: days since 1970-01-01, not negative. */
static struct month month_of(int64_t day)
{
    ASSERT(day >= 0);
    int64_t since = day + EPOCH_FROM_MARCH_0000;
    int64_t era = since / ERA_DAYS;
    int64_t of_era = since % ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    return (struct month){year + era * ERA_YEARS + (month <= 2), month};
}

/* Days from 1970-01-01 to the first day of the month. */
static int64_t first_day(struct month m)
{
    ASSERT(m.month >= 1 && m.month <= 12);
    int64_t year = m.year - (m.month <= 2);
    int64_t era = year / ERA_YEARS;
    int64_t of_era = year % ERA_YEARS;
    int64_t from_march = m.month > 2 ? m.month - 3 : m.month + 9;
    int64_t of_year = (153 * from_march + 2) / 5;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           EPOCH_FROM_MARCH_0000;
}

static struct window fixed_window(int64_t now_us, int64_t len_us)
{
    int64_t start_us = now_us / len_us * len_us;
    return (struct window){start_us, start_us + len_us};
}

static struct window month_window(int64_t now_us)
{
    struct month m = month_of(now_us / DAY_US);
    struct month next =
        m.month == 12 ? (struct month){m.year + 1, 1} : (struct month){m.year, m.month + 1};
    return (struct window){first_day(m) * DAY_US, first_day(next) * DAY_US};
}

int calendar_window(enum mete_period period, int64_t now_us, struct window *ret_window)
{
    if (now_us < 0 || now_us >= YEAR_10000_US)
        return METE_E_INVALID;
    struct window window = {0, INT64_MAX};
    switch (period) {
    case METE_HOURLY:
        window = fixed_window(now_us, HOUR_US);
        break;
    case METE_DAILY:
        window = fixed_window(now_us, DAY_US);
        break;
    case METE_MONTHLY:
        window = month_window(now_us);
        break;
    case METE_TOTAL:
        break;
    case METE_MINUTE:
    case METE_WEEKLY:
    case METE_QUARTERLY:
    case METE_YEARLY:
    case METE_ROLLING:
        return METE_E_NOT_YET;
    case METE_PERIODS:
    default:
        return METE_E_INVALID;
    }
    ASSERT(window.start_us <= now_us && now_us < window.end_us);
    *ret_window = window;
    return 0;
}
