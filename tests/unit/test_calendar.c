/* SPDX-License-Identifier: Apache-2.0
 * Proves that every instant lies in exactly one window of each period: in UTC by walking centuries
 * day by day beside a calendar that knows nothing but the lengths of months; in zones by the
 * instants at which known clocks did strange things. All zones of the system are held to another
 * implementation by tests/calendar/compare.py; files are test_zone.c's. */
#include "calendar/calendar.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define LAST_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

static int month_len(int year, int month)
{
    static const int len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return len[month - 1] + (month == 2 && leap);
}

/* An instant as one writes it: date 20241027, time 13000 for 01:30:00Z. */
static int64_t utc(int date, int time)
{
    int64_t days = date % 100 - 1;
    for (int year = 1970; year < date / 10000; year++)
        days += 337 + month_len(year, 2);
    for (int month = 1; month < date / 100 % 100; month++)
        days += month_len(date / 10000, month);
    return days * DAY_US + time / 10000 * HOUR_US + time / 100 % 100 * MINUTE_US +
           time % 100 * SECOND_US;
}

static struct window window_of(const struct calendar_rule *rule, int64_t now_us)
{
    struct window window = {-1, -1};
    assert_int_equal(calendar_window(rule, now_us, &window), 0);
    assert_true(window.start_us <= now_us && now_us < window.end_us);
    return window;
}

static struct window window_at(enum mete_period period, int64_t now_us)
{
    return window_of(&(struct calendar_rule){.period = period}, now_us);
}

static uint64_t between(const struct calendar_rule *rule, int64_t end_us, int64_t start_us)
{
    uint64_t windows = UINT64_MAX;
    assert_int_equal(calendar_windows_between(rule, end_us, start_us, &windows), 0);
    return windows;
}

/* ---- UTC ------------------------------------------------------------------------------------- */

static void months_follow_the_lengths_of_months(void **state)
{
    (void)state;
    int64_t day = 0;
    for (int year = 1970; year < 2400; year++) {
        for (int month = 1; month <= 12; month++) {
            int64_t start_us = day * DAY_US;
            int64_t end_us = (day + month_len(year, month)) * DAY_US;
            for (int64_t at_us = start_us; at_us < end_us; at_us += DAY_US) {
                struct window window = window_at(METE_MONTHLY, at_us);
                assert_true(window.start_us == start_us && window.end_us == end_us);
            }
            assert_true(window_at(METE_MONTHLY, end_us - 1).start_us == start_us);
            day += month_len(year, month);
        }
    }
}

static void known_dates(void **state)
{
    (void)state;
    int64_t leap_us = utc(20240229, 123456) + 1;
    assert_true(leap_us == INT64_C(1709210096000001));
    assert_true(window_at(METE_YEARLY, leap_us).start_us == utc(20240101, 0));
    assert_true(window_at(METE_YEARLY, leap_us).end_us == utc(20250101, 0));
    assert_true(window_at(METE_QUARTERLY, leap_us).start_us == utc(20240101, 0));
    assert_true(window_at(METE_QUARTERLY, leap_us).end_us == utc(20240401, 0));
    assert_true(window_at(METE_MONTHLY, leap_us).start_us == INT64_C(1706745600000000));
    assert_true(window_at(METE_MONTHLY, leap_us).end_us == INT64_C(1709251200000000));
    assert_true(window_at(METE_WEEKLY, leap_us).start_us == utc(20240226, 0)); /* a Monday */
    assert_true(window_at(METE_WEEKLY, leap_us).end_us == utc(20240304, 0));
    assert_true(window_at(METE_DAILY, leap_us).start_us == INT64_C(1709164800000000));
    assert_true(window_at(METE_HOURLY, leap_us).start_us == INT64_C(1709208000000000));
    assert_true(window_at(METE_MINUTE, leap_us).start_us == utc(20240229, 123400));
    assert_true(window_at(METE_MINUTE, leap_us).end_us == utc(20240229, 123500));
}

static void windows_touch_and_never_overlap(void **state)
{
    (void)state;
    for (int period = METE_MINUTE; period < METE_TOTAL; period++) {
        struct window window = window_at((enum mete_period)period, INT64_C(1700000000000000));
        for (int i = 0; i < 3000; i++) {
            struct window next = window_at((enum mete_period)period, window.end_us);
            assert_true(next.start_us == window.end_us && next.end_us > next.start_us);
            assert_true(window_at((enum mete_period)period, next.end_us - 1).start_us ==
                        next.start_us);
            window = next;
        }
    }
    assert_true(window_at(METE_HOURLY, 5 * HOUR_US - 1).end_us == 5 * HOUR_US);
}

static void total_never_ends(void **state)
{
    (void)state;
    struct window window = window_at(METE_TOTAL, INT64_C(1700000000000000));
    assert_true(window.start_us == 0 && window.end_us == INT64_MAX);
}

static void a_bucket_is_a_64th_of_a_rolling_window_exactly(void **state)
{
    (void)state;
    const int64_t seconds[] = {1, 7, 60, 3600, 86400, LIMIT_ROLLING_S};
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        struct calendar_rule rule = {.period = METE_ROLLING, .window_seconds = seconds[i]};
        int64_t bucket_us = seconds[i] * 15625;
        assert_true(bucket_us * 64 == seconds[i] * SECOND_US);
        for (int64_t at_us = 0; at_us < LAST_US - LAST_US / 77; at_us += LAST_US / 77) {
            struct window window = window_of(&rule, at_us);
            assert_true(window.start_us % bucket_us == 0);
            assert_true(window.end_us == window.start_us + bucket_us);
        }
        assert_true(between(&rule, 0, 64 * bucket_us) == 64);
    }
}

static void the_first_and_the_last_instant_have_windows(void **state)
{
    (void)state;
    for (int period = METE_MINUTE; period < METE_TOTAL; period++) {
        assert_true(window_at((enum mete_period)period, 0).start_us == 0);
        assert_true(window_at((enum mete_period)period, LAST_US).end_us > LAST_US);
    }
    assert_true(window_at(METE_MONTHLY, LAST_US).end_us == LAST_US + 1);
    /* 1970-01-01 was a Thursday: its week began before there is time */
    assert_true(window_at(METE_WEEKLY, 0).end_us == utc(19700105, 0));
}

/* ---- Anchors --------------------------------------------------------------------------------- */

static void a_day_begins_at_its_anchor(void **state)
{
    (void)state;
    struct calendar_rule rule = {.period = METE_DAILY, .anchor = 6 * 3600};
    assert_true(window_of(&rule, utc(20240229, 55959)).start_us == utc(20240228, 60000));
    assert_true(window_of(&rule, utc(20240229, 60000)).end_us == utc(20240301, 60000));
    assert_true(window_of(&rule, 0).end_us == utc(19700101, 60000));
}

static void a_week_begins_on_its_anchor(void **state)
{
    (void)state;
    for (int64_t first = 1; first <= 7; first++) {
        struct calendar_rule rule = {.period = METE_WEEKLY, .anchor = first};
        int64_t start_us = utc(20240226, 0) + (first - 1) * DAY_US; /* from a Monday */
        for (int64_t day = 0; day < 7; day++) {
            assert_true(window_of(&rule, start_us + day * DAY_US).start_us == start_us);
            assert_true(window_of(&rule, start_us + day * DAY_US).end_us == start_us + 7 * DAY_US);
        }
    }
}

/* A month that begins on a day its calendar month does not have begins on the last one it has. */
static void a_short_month_begins_on_its_last_day(void **state)
{
    (void)state;
    struct calendar_rule rule = {.period = METE_MONTHLY, .anchor = 31};
    assert_true(window_of(&rule, utc(20240130, 235959)).start_us == utc(20231231, 0));
    assert_true(window_of(&rule, utc(20240131, 0)).end_us == utc(20240229, 0));
    assert_true(window_of(&rule, utc(20240229, 0)).end_us == utc(20240331, 0));
    assert_true(window_of(&rule, utc(20230227, 0)).end_us == utc(20230228, 0));
    assert_true(window_of(&rule, utc(20240430, 0)).start_us == utc(20240430, 0));
    rule.anchor = 15;
    assert_true(window_of(&rule, utc(20240114, 0)).start_us == utc(20231215, 0));
    assert_true(window_of(&rule, utc(20240115, 0)).end_us == utc(20240215, 0));
}

static void a_fiscal_year_begins_on_its_anchor(void **state)
{
    (void)state;
    struct calendar_rule rule = {.period = METE_YEARLY, .anchor = 406}; /* British */
    assert_true(window_of(&rule, utc(20240405, 235959)).start_us == utc(20230406, 0));
    assert_true(window_of(&rule, utc(20240406, 0)).end_us == utc(20250406, 0));
    rule.anchor = 229;
    assert_true(window_of(&rule, utc(20240229, 0)).end_us == utc(20250228, 0));
    assert_true(window_of(&rule, utc(20240228, 0)).start_us == utc(20230228, 0));
}

static void quarters_are_counted_from_the_fiscal_year(void **state)
{
    (void)state;
    struct calendar_rule rule = {.period = METE_QUARTERLY, .anchor = 531};
    const int64_t starts[] = {utc(20230531, 0), utc(20230831, 0), utc(20231130, 0),
                              utc(20240229, 0), utc(20240531, 0)};
    for (size_t i = 0; i < 4; i++) {
        assert_true(window_of(&rule, starts[i]).start_us == starts[i]);
        assert_true(window_of(&rule, starts[i]).end_us == starts[i + 1]);
        assert_true(window_of(&rule, starts[i + 1] - 1).start_us == starts[i]);
    }
    rule.anchor = 1101; /* quarters begin in November, February, May, August */
    assert_true(window_of(&rule, utc(20240131, 0)).start_us == utc(20231101, 0));
    assert_true(window_of(&rule, utc(20240201, 0)).end_us == utc(20240501, 0));
}

static void a_rule_takes_the_anchors_of_its_period_and_no_others(void **state)
{
    (void)state;
    const struct {
        enum mete_period period;
        int64_t good[4], bad[5];
    } cases[] = {
        {METE_MINUTE, {0}, {1, -1, 60, 1, 1}},
        {METE_HOURLY, {0}, {1, -1, 60, 1, 1}},
        {METE_DAILY, {0, 1, 86399, 43200}, {-1, 86400, INT64_MAX, INT64_MIN, 90000}},
        {METE_WEEKLY, {0, 1, 7, 3}, {-1, 8, INT64_MAX, INT64_MIN, 101}},
        {METE_MONTHLY, {0, 1, 31, 28}, {-1, 32, INT64_MAX, INT64_MIN, 101}},
        {METE_QUARTERLY, {0, 101, 229, 1231}, {230, 1301, 1, 100, 431}},
        {METE_YEARLY, {0, 101, 229, 1231}, {-101, 1232, 31, INT64_MAX, INT64_MIN}},
        {METE_TOTAL, {0}, {1, -1, 101, 1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct calendar_rule rule = {.period = cases[i].period};
        for (size_t j = 0; j < 4; j++) {
            rule.anchor = cases[i].good[j];
            assert_true(calendar_rule_is_valid(&rule));
        }
        for (size_t j = 0; j < 5; j++) {
            rule.anchor = cases[i].bad[j];
            assert_false(calendar_rule_is_valid(&rule));
        }
        rule = (struct calendar_rule){.period = cases[i].period, .window_seconds = 1};
        assert_false(calendar_rule_is_valid(&rule));
    }
}

static void a_rolling_rule_takes_a_second_to_a_leap_year(void **state)
{
    (void)state;
    const int64_t good[] = {1, 3600, LIMIT_ROLLING_S};
    const int64_t bad[] = {0, -1, LIMIT_ROLLING_S + 1, INT64_MAX, INT64_MIN};
    struct calendar_rule rule = {.period = METE_ROLLING};
    for (size_t i = 0; i < 3; i++) {
        rule.window_seconds = good[i];
        assert_true(calendar_rule_is_valid(&rule));
    }
    for (size_t i = 0; i < 5; i++) {
        rule.window_seconds = bad[i];
        assert_false(calendar_rule_is_valid(&rule));
    }
    rule = (struct calendar_rule){.period = METE_ROLLING, .window_seconds = 60, .anchor = 1};
    assert_false(calendar_rule_is_valid(&rule));
}

static void what_is_out_of_range_is_invalid_and_touches_nothing(void **state)
{
    (void)state;
    const struct calendar_rule daily = {.period = METE_DAILY};
    const struct calendar_rule bad[] = {{.period = METE_PERIODS},
                                        {.period = (enum mete_period) - 1},
                                        {.period = METE_DAILY, .anchor = -1},
                                        {.period = METE_ROLLING}};
    struct window window = {7, 8};
    uint64_t windows = 9;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(calendar_window(&bad[i], 0, &window), METE_E_INVALID);
        assert_int_equal(calendar_windows_between(&bad[i], 0, 1, &windows), METE_E_INVALID);
    }
    assert_int_equal(calendar_window(&daily, -1, &window), METE_E_INVALID);
    assert_int_equal(calendar_window(&daily, LAST_US + 1, &window), METE_E_INVALID);
    assert_int_equal(calendar_windows_between(&daily, -1, 5, &windows), METE_E_INVALID);
    assert_int_equal(calendar_windows_between(&daily, 6, 5, &windows), METE_E_INVALID);
    assert_int_equal(calendar_windows_between(&daily, 0, LAST_US + 1, &windows), METE_E_INVALID);
    assert_true(window.start_us == 7 && window.end_us == 8 && windows == 9);
}

/* ---- Zones: what clocks did ------------------------------------------------------------------ */

static int open_zones(void **state)
{
    return calendar_zones_open(os_system(), (struct calendar_zones **)state);
}

static int close_zones(void **state)
{
    calendar_zones_close(*state);
    return 0;
}

static struct calendar_rule rule_in(void **state, const char *name, enum mete_period period)
{
    struct calendar_rule rule = {.period = period};
    assert_int_equal(calendar_zones_find(*state, slice_of(name), &rule.zone), 0);
    assert_non_null(rule.zone);
    return rule;
}

/* One and the same window, from its first instant to its last. */
static void holds(const struct calendar_rule *rule, int64_t start_us, int64_t end_us)
{
    const int64_t at_us[] = {start_us, start_us + 1, start_us + (end_us - start_us) / 2,
                             end_us - 1};
    for (size_t i = 0; i < 4; i++) {
        struct window window = window_of(rule, at_us[i]);
        assert_true(window.start_us == start_us);
        assert_true(window.end_us == end_us);
    }
}

static void berlins_days_have_23_and_25_hours(void **state)
{
    struct calendar_rule rule = rule_in(state, "Europe/Berlin", METE_DAILY);
    holds(&rule, utc(20240330, 230000), utc(20240331, 220000));
    holds(&rule, utc(20241026, 220000), utc(20241027, 230000));
    rule.period = METE_MONTHLY;
    holds(&rule, utc(20240229, 230000), utc(20240331, 220000));
    rule.period = METE_YEARLY;
    holds(&rule, utc(20231231, 230000), utc(20241231, 230000));
    rule.anchor = 701;
    holds(&rule, utc(20230630, 220000), utc(20240630, 220000));
}

static void a_repeated_hour_is_one_window_of_two_hours(void **state)
{
    struct calendar_rule rule = rule_in(state, "Europe/Berlin", METE_HOURLY);
    holds(&rule, utc(20241026, 230000), utc(20241027, 0));
    holds(&rule, utc(20241027, 0), utc(20241027, 20000));
    holds(&rule, utc(20241027, 20000), utc(20241027, 30000));
    rule.period = METE_MINUTE;
    holds(&rule, utc(20241027, 5800), utc(20241027, 5900));
    holds(&rule, utc(20241027, 5900), utc(20241027, 20000)); /* 02:59, then 02:00 to 03:00 again */
    holds(&rule, utc(20241027, 20000), utc(20241027, 20100));
}

static void an_hour_the_clock_jumps_over_does_not_exist(void **state)
{
    struct calendar_rule rule = rule_in(state, "Europe/Berlin", METE_HOURLY);
    holds(&rule, utc(20240331, 0), utc(20240331, 10000));     /* 01 */
    holds(&rule, utc(20240331, 10000), utc(20240331, 20000)); /* 03 */
    assert_true(between(&rule, utc(20240330, 230000), utc(20240331, 220000)) == 23);
    rule = rule_in(state, "Europe/Berlin", METE_DAILY);
    rule.anchor = 9000; /* 02:30, which is not that day: at the first instant after it */
    holds(&rule, utc(20240330, 13000), utc(20240331, 10000));
    holds(&rule, utc(20240331, 10000), utc(20240401, 3000));
}

static void lord_howes_clock_moves_by_half_an_hour(void **state)
{
    struct calendar_rule rule = rule_in(state, "Australia/Lord_Howe", METE_DAILY);
    holds(&rule, utc(20240406, 130000), utc(20240407, 133000)); /* 24.5 hours */
    holds(&rule, utc(20241005, 133000), utc(20241006, 130000)); /* 23.5 hours */
    rule.period = METE_HOURLY;
    holds(&rule, utc(20240406, 140000), utc(20240406, 153000)); /* 01:00 to 02:00, 01:30 to 02:00 */
    holds(&rule, utc(20241005, 153000), utc(20241005, 160000)); /* 02:30 to 03:00 */
}

static void samoa_had_no_30_december_2011(void **state)
{
    struct calendar_rule rule = rule_in(state, "Pacific/Apia", METE_DAILY);
    holds(&rule, utc(20111229, 100000), utc(20111230, 100000)); /* Thursday 29 */
    holds(&rule, utc(20111230, 100000), utc(20111231, 100000)); /* Saturday 31 */
    assert_true(between(&rule, utc(20111229, 100000), utc(20111231, 100000)) == 2);
    rule.period = METE_WEEKLY;
    holds(&rule, utc(20111226, 100000), utc(20120101, 100000)); /* of six days */
    rule.anchor = 5; /* from a Friday that was not: from the Saturday after it */
    holds(&rule, utc(20111223, 100000), utc(20111230, 100000));
    holds(&rule, utc(20111230, 100000), utc(20120105, 100000));
}

static void kwajalein_had_no_21_august_1993(void **state)
{
    struct calendar_rule rule = rule_in(state, "Pacific/Kwajalein", METE_DAILY);
    holds(&rule, utc(19930820, 120000), utc(19930821, 120000)); /* 20 August */
    holds(&rule, utc(19930821, 120000), utc(19930822, 120000)); /* 22 August */
    assert_true(between(&rule, utc(19930820, 120000), utc(19930822, 120000)) == 2);
}

/* 00:01 became 23:01 of the day before: midnight came twice, and the day began at the first. */
static void a_repeated_midnight_begins_the_day_once(void **state)
{
    struct calendar_rule rule = rule_in(state, "America/St_Johns", METE_DAILY);
    holds(&rule, utc(20101106, 23000), utc(20101107, 23000));
    holds(&rule, utc(20101107, 23000), utc(20101108, 33000));
    rule.period = METE_HOURLY;
    holds(&rule, utc(20101107, 13000), utc(20101107, 23000));
    holds(&rule, utc(20101107, 23000), utc(20101107, 43000)); /* a minute, an hour, 59 minutes */
    rule.period = METE_MINUTE;
    holds(&rule, utc(20101107, 23000), utc(20101107, 33100));
}

static void a_midnight_the_clock_jumps_over_begins_the_day_an_hour_late(void **state)
{
    struct calendar_rule rule = rule_in(state, "America/Sao_Paulo", METE_DAILY);
    holds(&rule, utc(20181103, 30000), utc(20181104, 30000));
    holds(&rule, utc(20181104, 30000), utc(20181105, 20000));
}

static void midnight_repeated_from_its_very_instant_belongs_to_the_day_before(void **state)
{
    /* Havana: at 01:00 it was 00:00 again: one day of 25 hours. */
    struct calendar_rule rule = rule_in(state, "America/Havana", METE_DAILY);
    holds(&rule, utc(20241103, 40000), utc(20241104, 50000));
    /* Sao Paulo: at 24:00 it was 23:00 again; midnight had not been reached. */
    rule = rule_in(state, "America/Sao_Paulo", METE_DAILY);
    holds(&rule, utc(20180217, 20000), utc(20180218, 30000));
}

static void after_the_last_change_of_the_file_its_footer_rules(void **state)
{
    struct calendar_rule rule = rule_in(state, "Europe/Berlin", METE_DAILY);
    holds(&rule, utc(25000327, 230000), utc(25000328, 220000));
    holds(&rule, utc(25001030, 220000), utc(25001031, 230000));
    holds(&rule, utc(99991230, 230000), utc(99991231, 230000));
    rule = rule_in(state, "Europe/Dublin", METE_DAILY); /* whose winter is the exception */
    holds(&rule, utc(21000328, 0), utc(21000328, 230000));
    holds(&rule, utc(21001030, 230000), utc(21001101, 0));
    rule = rule_in(state, "Asia/Gaza", METE_DAILY); /* changes 50 hours after a Thursday */
    holds(&rule, utc(21000326, 220000), utc(21000327, 210000));
    holds(&rule, utc(21001029, 210000), utc(21001030, 220000));
    rule = rule_in(state, "America/Nuuk", METE_DAILY); /* at -1 o'clock */
    holds(&rule, utc(21000327, 20000), utc(21000328, 10000));
}

static void windows_that_began_before_1970_begin_at_0(void **state)
{
    const char *names[] = {"America/New_York", "Asia/Tokyo", "Africa/Monrovia"};
    for (size_t i = 0; i < 3; i++) {
        for (int period = METE_MINUTE; period < METE_TOTAL; period++) {
            struct calendar_rule rule = rule_in(state, names[i], (enum mete_period)period);
            struct window window = window_of(&rule, 0);
            assert_true(window.start_us == 0);
            assert_true(window_of(&rule, window.end_us).start_us == window.end_us);
        }
    }
    struct calendar_rule rule = rule_in(state, "Africa/Monrovia", METE_HOURLY);
    holds(&rule, 0, utc(19700101, 4430)); /* -0:44:30 */
}

static void rolling_and_total_ask_no_zone(void **state)
{
    struct calendar_rule rule = rule_in(state, "Asia/Kolkata", METE_ROLLING);
    rule.window_seconds = 64 * 3600;
    holds(&rule, utc(20240101, 10000), utc(20240101, 20000));
    rule = rule_in(state, "Asia/Kolkata", METE_TOTAL);
    struct window window = window_of(&rule, LAST_US);
    assert_true(window.start_us == 0 && window.end_us == INT64_MAX);
    assert_true(between(&rule, 0, LAST_US) == 0);
}

/* ---- Between --------------------------------------------------------------------------------- */

static void windows_between_are_as_many_as_a_walk_meets(void **state)
{
    const char *names[] = {"Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns"};
    const int64_t from_us = utc(20090101, 0), until_us = utc(20130101, 0);
    for (size_t i = 0; i < 3; i++) {
        for (int period = METE_HOURLY; period < METE_TOTAL; period++) {
            struct calendar_rule rule = rule_in(state, names[i], (enum mete_period)period);
            struct window first = window_of(&rule, from_us), window = first;
            for (uint64_t met = 0; window.end_us < until_us; met++) {
                assert_true(between(&rule, first.end_us, window.end_us) == met);
                window = window_of(&rule, window.end_us);
            }
        }
    }
}

static void only_whole_windows_lie_between(void **state)
{
    struct calendar_rule rule = rule_in(state, "Europe/Berlin", METE_DAILY);
    int64_t start_us = utc(20240330, 230000), end_us = utc(20240331, 220000);
    assert_true(between(&rule, start_us, end_us) == 1);
    assert_true(between(&rule, start_us, start_us) == 0);
    assert_true(between(&rule, start_us + 1, end_us) == 0);
    assert_true(between(&rule, start_us, end_us - 1) == 0);
    assert_true(between(&rule, start_us + 1, end_us + DAY_US) == 1);
    assert_true(between(&rule, end_us - 1, end_us + DAY_US + 1) == 1);
}

static void the_longest_idle_time_is_counted(void **state)
{
    struct calendar_rule rule = {.period = METE_MINUTE};
    assert_true(between(&rule, 0, LAST_US) == UINT64_C(253402300800) / 60 - 1);
    /* A minute that is repeated or jumped over is none: 60 less each year and back. */
    rule = rule_in(state, "Europe/Berlin", METE_YEARLY);
    assert_true(between(&rule, utc(19701231, 230000), utc(99981231, 230000)) == 8028);
    rule.period = METE_DAILY;
    assert_true(between(&rule, utc(19701231, 230000), utc(99981231, 230000)) ==
                (uint64_t)((utc(99981231, 0) - utc(19701231, 0)) / DAY_US));
    rule.period = METE_HOURLY;
    uint64_t hours = 24 * (uint64_t)((utc(99981231, 0) - utc(20231231, 0)) / DAY_US);
    assert_true(between(&rule, utc(20231231, 230000), utc(99981231, 230000)) == hours - 7975);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_follow_the_lengths_of_months),
        cmocka_unit_test(known_dates),
        cmocka_unit_test(windows_touch_and_never_overlap),
        cmocka_unit_test(total_never_ends),
        cmocka_unit_test(a_bucket_is_a_64th_of_a_rolling_window_exactly),
        cmocka_unit_test(the_first_and_the_last_instant_have_windows),
        cmocka_unit_test(a_day_begins_at_its_anchor),
        cmocka_unit_test(a_week_begins_on_its_anchor),
        cmocka_unit_test(a_short_month_begins_on_its_last_day),
        cmocka_unit_test(a_fiscal_year_begins_on_its_anchor),
        cmocka_unit_test(quarters_are_counted_from_the_fiscal_year),
        cmocka_unit_test(a_rule_takes_the_anchors_of_its_period_and_no_others),
        cmocka_unit_test(a_rolling_rule_takes_a_second_to_a_leap_year),
        cmocka_unit_test(what_is_out_of_range_is_invalid_and_touches_nothing),
        cmocka_unit_test(berlins_days_have_23_and_25_hours),
        cmocka_unit_test(a_repeated_hour_is_one_window_of_two_hours),
        cmocka_unit_test(an_hour_the_clock_jumps_over_does_not_exist),
        cmocka_unit_test(lord_howes_clock_moves_by_half_an_hour),
        cmocka_unit_test(samoa_had_no_30_december_2011),
        cmocka_unit_test(kwajalein_had_no_21_august_1993),
        cmocka_unit_test(a_repeated_midnight_begins_the_day_once),
        cmocka_unit_test(a_midnight_the_clock_jumps_over_begins_the_day_an_hour_late),
        cmocka_unit_test(midnight_repeated_from_its_very_instant_belongs_to_the_day_before),
        cmocka_unit_test(after_the_last_change_of_the_file_its_footer_rules),
        cmocka_unit_test(windows_that_began_before_1970_begin_at_0),
        cmocka_unit_test(rolling_and_total_ask_no_zone),
        cmocka_unit_test(windows_between_are_as_many_as_a_walk_meets),
        cmocka_unit_test(only_whole_windows_lie_between),
        cmocka_unit_test(the_longest_idle_time_is_counted),
    };
    return cmocka_run_group_tests(tests, open_zones, close_zones);
}
