/* SPDX-License-Identifier: Apache-2.0
 * Proves that every instant lies in exactly one window of each period: by walking 400 years day by
 * day beside a calendar that knows nothing but the lengths of months, and by looking at both sides
 * of each edge. */
#include "calendar/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <cmocka.h>

#define DAY_US (INT64_C(86400) * 1000000)
#define HOUR_US (INT64_C(3600) * 1000000)

static int month_len(int year, int month)
{
    static const int len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return len[month - 1] + (month == 2 && leap);
}

static struct window window_at(enum mete_period period, int64_t now_us)
{
    struct window window = {-1, -1};
    struct calendar_rule rule = {.period = period};
    assert_int_equal(calendar_window(&rule, now_us, &window), 0);
    assert_true(window.start_us <= now_us && now_us < window.end_us);
    return window;
}

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
    /* 2024-02-29T12:34:56.000001Z lies in a leap February */
    int64_t leap_us = INT64_C(1709210096000001);
    assert_true(window_at(METE_MONTHLY, leap_us).start_us == INT64_C(1706745600000000));
    assert_true(window_at(METE_MONTHLY, leap_us).end_us == INT64_C(1709251200000000));
    assert_true(window_at(METE_DAILY, leap_us).start_us == INT64_C(1709164800000000));
    assert_true(window_at(METE_HOURLY, leap_us).start_us == INT64_C(1709208000000000));
    /* 9999-12-31T23:59:59.999999Z is the last instant there is */
    int64_t last_us = INT64_C(253402300799999999);
    assert_true(window_at(METE_MONTHLY, last_us).end_us == last_us + 1);
}

static void windows_touch_and_never_overlap(void **state)
{
    (void)state;
    const enum mete_period periods[] = {METE_HOURLY, METE_DAILY, METE_MONTHLY};
    for (size_t p = 0; p < 3; p++) {
        struct window window = window_at(periods[p], INT64_C(1700000000000000));
        for (int i = 0; i < 3000; i++) {
            struct window next = window_at(periods[p], window.end_us);
            assert_true(next.start_us == window.end_us && next.end_us > next.start_us);
            assert_true(window_at(periods[p], next.end_us - 1).start_us == next.start_us);
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

static void what_is_not_counted_says_so_and_touches_nothing(void **state)
{
    (void)state;
    const struct calendar_rule daily = {.period = METE_DAILY}, none = {.period = METE_PERIODS};
    struct window window = {7, 8};
    assert_int_equal(calendar_window(&none, 0, &window), METE_E_INVALID);
    assert_int_equal(calendar_window(&daily, -1, &window), METE_E_INVALID);
    assert_int_equal(calendar_window(&daily, INT64_C(253402300800000000), &window), METE_E_INVALID);
    assert_true(window.start_us == 7 && window.end_us == 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_follow_the_lengths_of_months),
        cmocka_unit_test(known_dates),
        cmocka_unit_test(windows_touch_and_never_overlap),
        cmocka_unit_test(total_never_ends),
        cmocka_unit_test(what_is_not_counted_says_so_and_touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
