/* SPDX-License-Identifier: Apache-2.0
 * Dates are counted in years that begin in March, so that a leap day is the last of its year and
 * every month starts a fixed number of days into it: (153 * m + 2) / 5 for m months after March.
 * 400 such years are 146097 days; the C library and its time zone are not asked. */
#include "codec/timestamp.h"

#include "base/assert.h"
#include "mete.h"

enum {
    ERA_YEARS = 400,
    ERA_DAYS = 146097,
    EPOCH_DAYS = 719468, /* 0000-03-01 to 1970-01-01 */
    DAY_S = 86400
};

static const int64_t second_us = 1000000;

static int64_t floor_div(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

int64_t timestamp_days(int64_t year, unsigned month, unsigned day)
{
    ASSERT(month >= 1 && month <= 12);
    int64_t shifted = month > 2 ? month - 3 : month + 9; /* months since March */
    year -= month <= 2;
    int64_t era = floor_div(year, ERA_YEARS);
    int64_t of_era = year - era * ERA_YEARS;
    int64_t of_year = (153 * shifted + 2) / 5 + (int64_t)day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
}

void timestamp_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += EPOCH_DAYS;
    int64_t era = floor_div(days, ERA_DAYS);
    int64_t of_era = days - era * ERA_DAYS;
    /* Leap days before of_era are taken out first: one each 4 years but each 100, again each 400 */
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (years * 365 + years / 4 - years / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *ret_day = (unsigned)(of_year - (153 * shifted + 2) / 5 + 1);
    *ret_month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *ret_year = era * ERA_YEARS + years + (*ret_month <= 2);
}

static unsigned month_days(int64_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

struct cursor {
    const char *at, *end;
};

/* len digits with a value of low .. high. */
static bool read_number(struct cursor *c, int len, unsigned low, unsigned high, unsigned *ret_value)
{
    unsigned value = 0;
    for (int i = 0; i < len; i++, c->at++) {
        if (c->at == c->end || *c->at < '0' || *c->at > '9')
            return false;
        value = value * 10 + (unsigned)(*c->at - '0');
    }
    *ret_value = value;
    return value >= low && value <= high;
}

static bool take(struct cursor *c, char a, char b)
{
    if (c->at == c->end || (*c->at != a && *c->at != b))
        return false;
    c->at++;
    return true;
}

static bool read_date(struct cursor *c, int64_t *ret_days)
{
    unsigned year, month, day;
    if (!read_number(c, 4, 1970, 9999, &year) || !take(c, '-', '-') ||
        !read_number(c, 2, 1, 12, &month) || !take(c, '-', '-') ||
        !read_number(c, 2, 1, 31, &day) || day > month_days(year, month))
        return false;
    *ret_days = timestamp_days(year, month, day);
    return true;
}

static bool read_fraction(struct cursor *c, int64_t *ret_us)
{
    unsigned digit;
    int64_t us = 0, unit = second_us / 10;
    if (!read_number(c, 1, 0, 9, &digit))
        return false;
    do {
        us += digit * unit;
        unit /= 10;
    } while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && read_number(c, 1, 0, 9, &digit));
    *ret_us = us;
    return true;
}

static bool read_clock(struct cursor *c, int64_t *ret_us)
{
    unsigned hour, minute, second;
    int64_t fraction = 0;
    if (!read_number(c, 2, 0, 23, &hour) || !take(c, ':', ':') ||
        !read_number(c, 2, 0, 59, &minute) || !take(c, ':', ':') ||
        !read_number(c, 2, 0, 59, &second))
        return false;
    if (take(c, '.', '.') && !read_fraction(c, &fraction))
        return false;
    *ret_us = (int64_t)(hour * 3600 + minute * 60 + second) * second_us + fraction;
    return true;
}

static bool read_zone(struct cursor *c, int64_t *ret_us)
{
    *ret_us = 0;
    if (c->at == c->end || take(c, 'Z', 'z'))
        return true;
    bool west = take(c, '-', '-');
    unsigned hour, minute;
    if ((!west && !take(c, '+', '+')) || !read_number(c, 2, 0, 23, &hour) || !take(c, ':', ':') ||
        !read_number(c, 2, 0, 59, &minute))
        return false;
    int64_t east_us = (int64_t)(hour * 3600 + minute * 60) * second_us;
    *ret_us = west ? -east_us : east_us;
    return true;
}

int timestamp_parse(struct slice text, int64_t *ret_us)
{
    struct cursor c = {text.data, text.data + text.len};
    int64_t days, clock_us, east_us;
    if (!text.len || !read_date(&c, &days) || !(take(&c, 'T', 't') || take(&c, ' ', ' ')) ||
        !read_clock(&c, &clock_us) || !read_zone(&c, &east_us) || c.at != c.end)
        return METE_E_SYNTAX;
    int64_t us = days * DAY_S * second_us + clock_us - east_us;
    if (us < 0 || us >= timestamp_days(10000, 1, 1) * DAY_S * second_us)
        return METE_E_SYNTAX;
    *ret_us = us;
    return 0;
}

static char *write_number(char *at, uint64_t value, int len)
{
    for (int i = len; i > 0; i--, value /= 10)
        at[i - 1] = (char)('0' + (int)(value % 10));
    return at + len;
}

static char *write_date(char *at, int64_t year, unsigned month, unsigned day)
{
    at = write_number(at, (uint64_t)year, 4);
    *at++ = '-';
    at = write_number(at, month, 2);
    *at++ = '-';
    return write_number(at, day, 2);
}

size_t timestamp_format(int64_t us, char room[TIMESTAMP_ROOM])
{
    int64_t seconds = floor_div(us, second_us);
    int64_t fraction = us % second_us + (us % second_us < 0 ? second_us : 0);
    int64_t days = floor_div(seconds, DAY_S);
    uint64_t clock = (uint64_t)(seconds - days * DAY_S);
    int64_t year;
    unsigned month, day;
    timestamp_date(days, &year, &month, &day);
    room[0] = '\0';
    if (year < 0 || year > 9999)
        return 0;
    char *at = write_date(room, year, month, day);
    *at++ = 'T';
    at = write_number(at, clock / 3600, 2);
    *at++ = ':';
    at = write_number(at, clock / 60 % 60, 2);
    *at++ = ':';
    at = write_number(at, clock % 60, 2);
    if (fraction) {
        *at++ = '.';
        at = write_number(at, (uint64_t)fraction, 6);
    }
    *at++ = 'Z';
    *at = '\0';
    ASSERT(at - room < TIMESTAMP_ROOM);
    return (size_t)(at - room);
}
