/* SPDX-License-Identifier: Apache-2.0
 * The Gregorian calendar as arithmetic: days since 1970-01-01 <-> months and days. A month is one
 * number, 12 * year + (0 for January .. 11), so that stepping over a year's end is an addition.
 * Years 0 .. 99999, before 1970 too. All functions: any thread, constant time. */
#ifndef CALENDAR_CIVIL_H
#define CALENDAR_CIVIL_H

#include <stdint.h>

struct civil_date {
    int64_t month; /* number of the month */
    int64_t day;   /* 1..31 */
};

struct civil_date civil_date(int64_t day);
int64_t civil_first_day(int64_t month); /* days from 1970-01-01 to the month's first */
int64_t civil_month_len(int64_t month); /* 28..31 days */

/* Rounded down, as / and % are not below zero. divisor > 0. */
static inline int64_t civil_div(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

/* 0 .. divisor - 1 */
static inline int64_t civil_mod(int64_t value, int64_t divisor)
{
    int64_t rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
}

#endif
