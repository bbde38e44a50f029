/* SPDX-License-Identifier: Apache-2.0
 * Proves that decimal texts become exactly the integers they name or are refused with the right
 * error, and that what is formatted is the shortest text of that value: by tables of both. */
#include "codec/decimal.h"

#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const int64_t untouched = 4711;

static void texts_become_exact_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scale;
        int64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"-0", 9, 0},
        {"0.000", 2, 0},
        {"0e99999999999999999999", 9, 0},
        {"0e-99999999999999999999", 9, 0},
        {"5.00", 9, 5000000000},
        {"-5.25", 2, -525},
        {"007", 0, 7},
        {"1.50", 1, 15},
        {"1e3", 0, 1000},
        {"1.5E+3", 0, 1500},
        {"1500e-3", 1, 15},
        {"0.000000001", 9, 1},
        {"0.0000000010000000000000000000000000000000000000000000", 9, 1},
        {"1e-9", 9, 1},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036.854775807", 9, INT64_MAX},
        {"3e-23", 23, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = untouched;
        assert_int_equal(decimal_parse(slice_of(rows[i].text), rows[i].scale, &value), 0);
        assert_true(value == rows[i].value);
    }
}

static void other_texts_are_refused_and_leave_the_result_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scale;
        int rc;
    } rows[] = {
        {"", 0, METE_E_SYNTAX},
        {"-", 0, METE_E_SYNTAX},
        {"+1", 0, METE_E_SYNTAX},
        {".5", 1, METE_E_SYNTAX},
        {"5.", 1, METE_E_SYNTAX},
        {"1.e3", 0, METE_E_SYNTAX},
        {"1e", 0, METE_E_SYNTAX},
        {"1e+", 0, METE_E_SYNTAX},
        {"1e+-1", 0, METE_E_SYNTAX},
        {"1.2.3", 9, METE_E_SYNTAX},
        {" 1", 0, METE_E_SYNTAX},
        {"1 ", 0, METE_E_SYNTAX},
        {"1,000", 0, METE_E_SYNTAX},
        {"0x10", 0, METE_E_SYNTAX},
        {"nan", 0, METE_E_SYNTAX},
        {"--1", 0, METE_E_SYNTAX},
        {"00000000000000000000000000000000000000000000000000000000000000001", 0, METE_E_SYNTAX},
        {"0.1", 0, METE_E_INVALID},
        {"0.0000000001", 9, METE_E_INVALID},
        {"1e-10", 9, METE_E_INVALID},
        {"1e-99999999999999999999", 9, METE_E_INVALID},
        {"9223372036854775808", 0, METE_E_TOO_LARGE},
        {"-9223372036854775809", 0, METE_E_TOO_LARGE},
        {"9223372036.854775808", 9, METE_E_TOO_LARGE},
        {"1e99999999999999999999", 0, METE_E_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = untouched;
        assert_int_equal(decimal_parse(slice_of(rows[i].text), rows[i].scale, &value), rows[i].rc);
        assert_true(value == untouched);
    }
}

static void rounding_up_goes_away_from_zero(void **state)
{
    (void)state;
    int128 value;
    assert_int_equal(decimal_parse128(slice_of("0.1"), 0, true, &value), 0);
    assert_true(value == 1);
    assert_int_equal(decimal_parse128(slice_of("-0.1"), 0, true, &value), 0);
    assert_true(value == -1);
    assert_int_equal(decimal_parse128(slice_of("2.0"), 0, true, &value), 0);
    assert_true(value == 2);
    assert_int_equal(decimal_parse128(slice_of("1e-99999"), 36, true, &value), 0);
    assert_true(value == 1);
    assert_int_equal(decimal_parse128(slice_of("12.3450000000001"), 2, true, &value), 0);
    assert_true(value == 1235);
}

static void the_whole_of_128_bits_fits_and_no_more(void **state)
{
    (void)state;
    int128 max = ((((int128)1 << 126) - 1) << 1) + 1, value = 0;
    char room[DECIMAL_ROOM];
    decimal_format(max, 0, 0, room);
    assert_string_equal(room, "170141183460469231731687303715884105727");
    assert_int_equal(decimal_parse128(slice_of(room), 0, false, &value), 0);
    assert_true(value == max);
    decimal_format(-max - 1, 36, 18, room);
    assert_string_equal(room, "-170.141183460469231731687303715884105728");
    assert_int_equal(decimal_parse128(slice_of(room), 36, false, &value), 0);
    assert_true(value == -max - 1);
    struct slice over = SLICE_LITERAL("170141183460469231731687303715884105728");
    assert_int_equal(decimal_parse128(over, 0, false, &value), METE_E_TOO_LARGE);
    struct slice under = SLICE_LITERAL("-170141183460469231731687303715884105729");
    assert_int_equal(decimal_parse128(under, 0, false, &value), METE_E_TOO_LARGE);
    struct slice rounded = SLICE_LITERAL("170141183460469231731687303715884105727.1");
    assert_int_equal(decimal_parse128(rounded, 0, true, &value), METE_E_TOO_LARGE);
}

static void nano_amounts_have_their_range(void **state)
{
    (void)state;
    int64_t nano = untouched;
    assert_int_equal(decimal_parse_nano(slice_of("0.05"), &nano), 0);
    assert_true(nano == 50000000);
    assert_int_equal(decimal_parse_nano(slice_of("-0.05"), &nano), METE_E_INVALID);
    assert_int_equal(decimal_parse_nano(slice_of("4611686018.427387903"), &nano), 0);
    assert_true(nano == METE_AMOUNT_MAX);
    nano = untouched;
    assert_int_equal(decimal_parse_nano(slice_of("4611686018.427387904"), &nano), METE_E_TOO_LARGE);
    assert_true(nano == untouched);
}

static void values_are_formatted_as_short_as_places_allow(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        unsigned scale, places;
        const char *text;
    } rows[] = {
        {1500000000, 9, 2, "1.50"},
        {1500000000, 9, 0, "1.5"},
        {0, 9, 2, "0.00"},
        {0, 9, 0, "0"},
        {1, 9, 2, "0.000000001"},
        {-1, 9, 0, "-0.000000001"},
        {-2000000000, 9, 0, "-2"},
        {5, 0, 2, "5.00"},
        {5, 0, 0, "5"},
        {100, 0, 0, "100"},
        {1230, 2, 1, "12.3"},
        {1, 36, 0, "0.000000000000000000000000000000000001"},
        {INT64_MIN, 9, 2, "-9223372036.854775808"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char room[DECIMAL_ROOM];
        size_t len = decimal_format(rows[i].value, rows[i].scale, rows[i].places, room);
        assert_string_equal(room, rows[i].text);
        assert_int_equal(len, strlen(room));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_exact_integers),
        cmocka_unit_test(other_texts_are_refused_and_leave_the_result_alone),
        cmocka_unit_test(rounding_up_goes_away_from_zero),
        cmocka_unit_test(the_whole_of_128_bits_fits_and_no_more),
        cmocka_unit_test(nano_amounts_have_their_range),
        cmocka_unit_test(values_are_formatted_as_short_as_places_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
