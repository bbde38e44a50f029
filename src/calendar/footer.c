/* SPDX-License-Identifier: Apache-2.0
 * Idea: the clock changes twice a year, on days that the string names. Around an instant the
 * changes of five years are worked out, the last one not after it and the first one after it are
 * its span. Five, because a change may lie a week and a day outside its year (times of -167..167
 * hours, offsets of a day). Changes at one instant count in order: by year, then begin, then end,
 * so that summer time that ends where the next one begins lasts all year (RFC 8536, 3.3.1).
 *
 *   std offset [dst [offset] , date [/time] , date [/time]]
 *   std, dst: three letters or more, or <letters, digits, + and ->; offset: [+-]hh[:mm[:ss]], west
 *   is positive; date: Jn, n or Mm.w.d; time: [+-]h[hh][:mm[:ss]], 2 o'clock if there is none
 *
 * Considered and not done: a table of all changes until year 10000 (100 kB a zone, to save 50 ns).
 * dst without dates, which POSIX leaves to the system, is no footer of a zone file: CORRUPT. */
#include "calendar/footer.h"

#include "base/assert.h"
#include "calendar/civil.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S INT64_C(86400)

enum { NAME_MIN = 3, OFFSET_HOURS_MAX = 24, TIME_HOURS_MAX = 167, TIME_DEFAULT_S = 7200 };

/* ---- Reading --------------------------------------------------------------------------------- */

struct cursor {
    struct slice rest;
    bool bad; /* stays set after the first fault */
};

static bool next_is(const struct cursor *c, char wanted)
{
    return c->rest.len > 0 && c->rest.data[0] == wanted;
}

static bool take_if(struct cursor *c, char wanted)
{
    if (!next_is(c, wanted))
        return false;
    c->rest = slice_from(c->rest, 1);
    return true;
}

static void take(struct cursor *c, char wanted)
{
    c->bad |= !take_if(c, wanted);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One to three digits, low..high. */
static int take_number(struct cursor *c, int low, int high)
{
    int value = 0;
    size_t len = 0;
    for (; len < 3 && len < c->rest.len && is_digit(c->rest.data[len]); len++)
        value = 10 * value + (c->rest.data[len] - '0');
    c->rest = slice_from(c->rest, len);
    c->bad |= len == 0 || value < low || value > high;
    return value;
}

static void take_name(struct cursor *c)
{
    bool quoted = take_if(c, '<');
    size_t len = 0;
    for (; len < c->rest.len; len++) {
        char at = c->rest.data[len];
        if (!is_letter(at) && !(quoted && (is_digit(at) || at == '+' || at == '-')))
            break;
    }
    c->rest = slice_from(c->rest, len);
    c->bad |= len < NAME_MIN;
    if (quoted)
        take(c, '>');
}

static int64_t take_time(struct cursor *c, int hours_max)
{
    bool negative = take_if(c, '-');
    if (!negative)
        (void)take_if(c, '+');
    int64_t seconds = take_number(c, 0, hours_max) * INT64_C(3600);
    if (take_if(c, ':')) {
        seconds += take_number(c, 0, 59) * INT64_C(60);
        if (take_if(c, ':'))
            seconds += take_number(c, 0, 59);
    }
    return negative ? -seconds : seconds;
}

/* East is positive in the result, as everywhere but in these strings. */
static int64_t take_offset_us(struct cursor *c)
{
    return -take_time(c, OFFSET_HOURS_MAX) * SECOND_US;
}

static struct footer_change take_change(struct cursor *c)
{
    struct footer_change change = {.kind = FOOTER_COUNTED, .time_s = TIME_DEFAULT_S};
    take(c, ',');
    if (take_if(c, 'M')) {
        change.kind = FOOTER_WEEKDAY;
        change.month = take_number(c, 1, 12);
        take(c, '.');
        change.week = take_number(c, 1, 5);
        take(c, '.');
        change.day = take_number(c, 0, 6);
    } else if (take_if(c, 'J')) {
        change.kind = FOOTER_JULIAN;
        change.day = take_number(c, 1, 365);
    } else {
        change.day = take_number(c, 0, 365);
    }
    if (take_if(c, '/'))
        change.time_s = take_time(c, TIME_HOURS_MAX);
    return change;
}

int footer_parse(struct slice text, struct footer *ret_footer)
{
    struct cursor c = {text, false};
    struct footer footer = {0};
    take_name(&c);
    footer.standard_us = take_offset_us(&c);
    footer.summer_us = footer.standard_us;
    if (!c.bad && c.rest.len > 0) {
        take_name(&c);
        footer.summer_us =
            next_is(&c, ',') ? footer.standard_us + 3600 * SECOND_US : take_offset_us(&c);
        footer.begin = take_change(&c);
        footer.end = take_change(&c);
    }
    if (c.bad || c.rest.len > 0)
        return METE_E_CORRUPT;
    footer.has_summer = footer.summer_us != footer.standard_us;
    *ret_footer = footer;
    return 0;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Days since 1970-01-01; january: the month's number. */
static int64_t change_day(const struct footer_change *change, int64_t january)
{
    if (change->kind == FOOTER_WEEKDAY) {
        int64_t month = january + change->month - 1;
        int64_t first = civil_first_day(month);
        int64_t weekday = civil_mod(first + 4, 7); /* 1970-01-01 was a Thursday */
        int64_t day = first + civil_mod(change->day - weekday, 7) + INT64_C(7) * (change->week - 1);
        return day < civil_first_day(month + 1) ? day : day - 7;
    }
    int64_t first = civil_first_day(january);
    if (change->kind == FOOTER_COUNTED)
        return first + change->day;
    bool is_leap = civil_month_len(january + 1) == 29;
    return first + change->day - 1 + (is_leap && change->day >= 60);
}

static int64_t change_us(const struct footer_change *change, int64_t january, int64_t before_us)
{
    int64_t local_s = change_day(change, january) * DAY_S + change->time_s;
    return local_s * SECOND_US - before_us;
}

struct zone_span footer_span(const struct footer *footer, int64_t at_us)
{
    struct zone_span span = {INT64_MIN, INT64_MAX, footer->standard_us};
    if (!footer->has_summer)
        return span;
    int64_t month = civil_date(civil_div(at_us, DAY_S * SECOND_US)).month;
    int64_t this_january = month - month % 12;
    for (int year = -2; year <= 2; year++) {
        int64_t january = this_january + 12 * year;
        for (int i = 0; i < 2; i++) {
            int64_t when_us = i == 0 ? change_us(&footer->begin, january, footer->standard_us)
                                     : change_us(&footer->end, january, footer->summer_us);
            if (when_us > at_us) {
                span.until_us = when_us < span.until_us ? when_us : span.until_us;
            } else if (when_us >= span.from_us) {
                span.from_us = when_us;
                span.offset_us = i == 0 ? footer->summer_us : footer->standard_us;
            }
        }
    }
    ASSERT(span.from_us <= at_us && at_us < span.until_us);
    return span;
}
