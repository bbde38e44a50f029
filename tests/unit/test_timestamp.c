/* SPDX-License-Identifier: Apache-2.0
 * Proves that the texts people and traces write become the right instants and others are refused,
 * and that instants are written as RFC 3339: by tables. prop_codec goes through every day. */
#include "codec/timestamp.h"

#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void texts_become_instants(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-21T08:37:00Z", 1795250220000000},
        {"2026-11-21t08:37:00z", 1795250220000000},
        {"2026-11-21T08:37:00.123456Z", 1795250220123456},
        {"2026-11-21T08:37:00.5Z", 1795250220500000},
        {"2026-11-21T16:37:00+08:00", 1795250220000000},
        {"2026-11-21T03:07:00-05:30", 1795250220000000},
        {"2026-11-21T08:37:00-00:00", 1795250220000000},
        {"2023-11-16 18:17:03.9799600", 1700158623979960},
        {"2023-11-16 18:17:03.9799609999999999999999999", 1700158623979960},
        {"2000-02-29T23:59:59Z", 951868799000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t us = -1;
        assert_int_equal(timestamp_parse(slice_of(rows[i].text), &us), 0);
        assert_true(us == rows[i].us);
    }
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026-11-21",
        "2026-11-21T08:37Z",
        "2026-11-21T08:37:00.Z",
        "2026-11-21T08:37:60Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T08:60:00Z",
        "2026-13-21T08:37:00Z",
        "2026-00-21T08:37:00Z",
        "2026-11-31T08:37:00Z",
        "2026-11-00T08:37:00Z",
        "2026-02-29T08:37:00Z",
        "2100-02-29T08:37:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-11-21T08:37:00Zx",
        "2026-11-21T08:37:00 ",
        "2026-11-21T08:37:00+0800",
        "2026-11-21T08:37:00+24:00",
        "2026-11-21T08:37:00+08:60",
        "2026-11-21  08:37:00",
        "2026-1-21T08:37:00Z",
        "+026-11-21T08:37:00Z",
        "20261121T083700Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t us = 4711;
        assert_int_equal(timestamp_parse(slice_of(texts[i]), &us), METE_E_SYNTAX);
        assert_true(us == 4711);
    }
}

static void instants_become_texts(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1795250220000000, "2026-11-21T08:37:00Z"},
        {1795250220000001, "2026-11-21T08:37:00.000001Z"},
        {253402300799999999, "9999-12-31T23:59:59.999999Z"},
        {253402300800000000, ""},
        {INT64_MAX, ""},
        {INT64_MIN, ""},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {-1000000, "1969-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char room[TIMESTAMP_ROOM];
        size_t len = timestamp_format(rows[i].us, room);
        assert_string_equal(room, rows[i].text);
        assert_int_equal(len, strlen(room));
    }
}

static void days_run_on_through_centuries(void **state)
{
    (void)state;
    assert_true(timestamp_days(1970, 1, 1) == 0);
    assert_true(timestamp_days(2000, 3, 1) == 11017);
    assert_true(timestamp_days(1600, 1, 1) == -135140);
    assert_true(timestamp_days(2026, 1, 32) == timestamp_days(2026, 2, 1));
    int64_t year;
    unsigned month, day;
    timestamp_date(-135140, &year, &month, &day);
    assert_true(year == 1600 && month == 1 && day == 1);
    timestamp_date(-719529, &year, &month, &day);
    assert_true(year == -1 && month == 12 && day == 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_instants),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(instants_become_texts),
        cmocka_unit_test(days_run_on_through_centuries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
