/* SPDX-License-Identifier: Apache-2.0
 * Idea: count years from the first of March of year 0, so that the leap day is the last day of a
 * year and a month's first day is a straight line ((153 * m + 2) / 5).
 *
 * Considered and not done: gmtime_r (banned: it follows the process's leap second tables and is
 * ten times slower), and codec's timestamp_days (calendar does not see codec). */
#include "calendar/civil.h"

#include "base/assert.h"

enum { ERA_DAYS = 146097, ERA_YEARS = 400, EPOCH_FROM_MARCH_0000 = 719468 };

struct civil_date civil_date(int64_t day)
{
    int64_t since = day + EPOCH_FROM_MARCH_0000;
    ASSERT(since >= 0);
    int64_t era = since / ERA_DAYS;
    int64_t of_era = since % ERA_DAYS;
    int64_t of_era_year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    int64_t year = era * ERA_YEARS + of_era_year;
    return (struct civil_date){12 * year + from_march + 2,
                               of_year - (153 * from_march + 2) / 5 + 1};
}

int64_t civil_first_day(int64_t month)
{
    int64_t since = month - 2; /* months since March of year 0 */
    ASSERT(since >= 0);
    int64_t year = since / 12;
    int64_t of_year = (153 * (since % 12) + 2) / 5;
    int64_t leap_days = year / 4 - year / 100 + year / 400;
    return 365 * year + leap_days + of_year - EPOCH_FROM_MARCH_0000;
}

int64_t civil_month_len(int64_t month)
{
    return civil_first_day(month + 1) - civil_first_day(month);
}
