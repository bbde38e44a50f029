/* SPDX-License-Identifier: Apache-2.0
 * Proves that a zone file is read as RFC 8536 says or refused, never half believed: files made here
 * byte by byte, each with one fault; real files cut at every length; footers; names; and a system
 * that lies. */
#include "calendar/calendar.h"

#include "base/assert.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define DAY_US (24 * HOUR_US)

/* ---- Files made here ------------------------------------------------------------------------- */

struct file {
    char bytes[LIMIT_ZONE + 64];
    size_t len;
};

static void put(struct file *file, int64_t value, size_t len)
{
    ASSERT(file->len + len <= sizeof file->bytes);
    for (size_t i = len; i-- > 0;)
        file->bytes[file->len++] = i < 8 ? (char)((uint64_t)value >> (8 * i)) : 0;
}

static void put_text(struct file *file, const char *text)
{
    for (; *text; text++)
        put(file, *text, 1);
}

enum { TIMES_MAX = 4 };

/* A data block, and how it lies about itself. */
struct plan {
    char version; /* 0, '2'.. */
    int64_t times[TIMES_MAX];
    int64_t indexes[TIMES_MAX]; /* into offsets */
    int64_t times_len;
    int64_t offsets[TIMES_MAX]; /* s */
    int64_t types_len;          /* 1.. */
    int64_t isut, isstd, leaps, chars_less, is_summer, name;
    const char *footer; /* with its newlines; NULL for a file of version 0 */
};

static void put_header(struct file *file, const struct plan *plan)
{
    put_text(file, "TZif");
    put(file, plan->version, 1);
    for (int i = 0; i < 15; i++)
        put(file, 0, 1);
    put(file, plan->isut, 4);
    put(file, plan->isstd, 4);
    put(file, plan->leaps, 4);
    put(file, plan->times_len, 4);
    put(file, plan->types_len, 4);
    put(file, 4 - plan->chars_less, 4);
}

static void put_block(struct file *file, const struct plan *plan, size_t time_size)
{
    for (int64_t i = 0; i < plan->times_len; i++)
        put(file, plan->times[i], time_size);
    for (int64_t i = 0; i < plan->times_len; i++)
        put(file, plan->indexes[i], 1);
    for (int64_t i = 0; i < plan->types_len; i++) {
        put(file, plan->offsets[i], 4);
        put(file, plan->is_summer, 1);
        put(file, plan->name, 1);
    }
    put_text(file, "ABC");
    put(file, 0, 1);
    for (int64_t i = 0; i < plan->leaps; i++)
        put(file, 0, time_size + 4);
    for (int64_t i = 0; i < plan->isstd + plan->isut; i++)
        put(file, 0, 1);
}

static void make(struct file *file, const struct plan *plan)
{
    file->len = 0;
    if (plan->version) {
        put_header(file, &(struct plan){.version = plan->version, .types_len = 1});
        put_block(file, &(struct plan){.types_len = 1}, 4);
    }
    put_header(file, plan);
    put_block(file, plan, plan->version ? 8 : 4);
    if (plan->footer)
        put_text(file, plan->footer);
}

static int parse(const struct file *file, struct calendar_zone **ret_zone)
{
    /* a copy of its own size, so that a sanitizer sees a byte read too many */
    char *exact = malloc(file->len ? file->len : 1);
    ASSERT(exact);
    memcpy(exact, file->bytes, file->len);
    int rc = calendar_zone_parse((struct slice){exact, file->len}, ret_zone);
    free(exact);
    return rc;
}

static int parse_plan(const struct plan *plan, struct calendar_zone **ret_zone)
{
    static struct file file;
    make(&file, plan);
    return parse(&file, ret_zone);
}

/* Two changes: an hour east on the 10th day of 1970, back on the 20th. */
static struct plan sound_plan(void)
{
    return (struct plan){.version = '2',
                         .times = {10 * 86400, 20 * 86400},
                         .indexes = {1, 0},
                         .times_len = 2,
                         .offsets = {0, 3600},
                         .types_len = 2,
                         .footer = "\nABC0\n"};
}

/* local - UTC at an instant, in seconds, as a question of windows tells it: where the hour's or
 * the day's window begins is known only from there, so by the next midnight. */
static int64_t offset_at(const struct calendar_zone *zone, int64_t at_us)
{
    struct calendar_rule rule = {.period = METE_DAILY, .zone = zone};
    struct window window;
    assert_int_equal(calendar_window(&rule, at_us, &window), 0);
    int64_t late_s = window.end_us / SECOND_US % 86400;
    return late_s > 43200 ? 86400 - late_s : -late_s;
}

static int64_t offset_of_footer(const char *footer, int64_t at_us)
{
    struct plan plan = {.version = '3', .types_len = 1, .footer = footer};
    struct calendar_zone *zone;
    assert_int_equal(parse_plan(&plan, &zone), 0);
    int64_t offset_s = offset_at(zone, at_us);
    calendar_zone_free(zone);
    return offset_s;
}

static void a_sound_file_is_read(void **state)
{
    (void)state;
    const char versions[] = {0, '2', '3', '4', '9'};
    for (size_t i = 0; i < sizeof versions; i++) {
        struct plan plan = sound_plan();
        plan.version = versions[i];
        plan.footer = versions[i] ? plan.footer : NULL;
        struct calendar_zone *zone;
        assert_int_equal(parse_plan(&plan, &zone), 0);
        assert_int_equal(offset_at(zone, 5 * DAY_US), 0);
        assert_int_equal(offset_at(zone, 15 * DAY_US), 3600);
        assert_int_equal(offset_at(zone, 25 * DAY_US), 0);
        assert_int_equal(offset_at(zone, 250000 * DAY_US), 0);
        calendar_zone_free(zone);
    }
}

static void changes_of_the_name_alone_and_of_long_ago_are_nothing(void **state)
{
    (void)state;
    struct plan plan = sound_plan();
    plan.times[0] = INT64_MIN;
    plan.times[1] = -10 * 86400;
    plan.times[2] = 86400;
    plan.indexes[1] = plan.indexes[2] = 1;
    plan.times_len = 3;
    plan.footer = "\nABC-1\n";
    struct calendar_zone *zone;
    assert_int_equal(parse_plan(&plan, &zone), 0);
    for (int64_t day = 0; day < 4; day++)
        assert_int_equal(offset_at(zone, day * DAY_US), 3600);
    calendar_zone_free(zone);
}

static void changes_after_year_10001_say_nothing(void **state)
{
    (void)state;
    struct plan plan = sound_plan();
    plan.times[1] = INT64_MAX;
    struct calendar_zone *zone;
    assert_int_equal(parse_plan(&plan, &zone), 0);
    assert_int_equal(offset_at(zone, INT64_C(253402200000) * SECOND_US), 3600);
    calendar_zone_free(zone);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void is_corrupt(const struct plan *plan)
{
    struct calendar_zone *zone = NULL;
    assert_int_equal(parse_plan(plan, &zone), METE_E_CORRUPT);
    assert_null(zone);
}

static void a_file_that_contradicts_itself_is_corrupt(void **state)
{
    (void)state;
    struct plan plan = sound_plan();
    plan.version = '1';
    is_corrupt(&plan);
    plan = sound_plan();
    plan.types_len = 0;
    plan.times_len = 0;
    is_corrupt(&plan);
    plan = sound_plan();
    plan.times[1] = plan.times[0];
    is_corrupt(&plan);
    plan.times[1] = plan.times[0] - 1;
    is_corrupt(&plan);
    plan = sound_plan();
    plan.indexes[1] = 2; /* behind the types stand names, which would read as an offset */
    plan.footer = "\n\n";
    is_corrupt(&plan);
    plan = sound_plan();
    plan.is_summer = 2;
    is_corrupt(&plan);
    plan = sound_plan();
    plan.name = 4;
    is_corrupt(&plan);
    plan = sound_plan();
    plan.isut = 1;
    is_corrupt(&plan);
    plan = sound_plan();
    plan.isstd = 1;
    is_corrupt(&plan);
    plan = sound_plan();
    plan.chars_less = 4;
    is_corrupt(&plan);
}

static void two_headers_of_different_versions_are_corrupt(void **state)
{
    (void)state;
    static struct file file;
    struct plan plan = sound_plan();
    make(&file, &plan);
    file.bytes[4] = '3';
    struct calendar_zone *zone;
    assert_int_equal(parse(&file, &zone), METE_E_CORRUPT);
}

static void an_offset_of_a_day_and_more_is_corrupt(void **state)
{
    (void)state;
    const int64_t bad[] = {26 * 3600, -26 * 3600, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < 4; i++) {
        struct plan plan = sound_plan();
        plan.offsets[1] = bad[i];
        is_corrupt(&plan);
    }
}

/* mete's instants have no leap seconds: such a file would be up to half a minute off. */
static void a_file_that_counts_leap_seconds_is_refused(void **state)
{
    struct plan plan = sound_plan();
    plan.leaps = 1;
    is_corrupt(&plan);
    const struct calendar_zone *zone;
    int rc = calendar_zones_find(*state, SLICE_LITERAL("right/Europe/Berlin"), &zone);
    assert_true(rc == METE_E_CORRUPT || rc == METE_E_NOT_FOUND); /* not installed everywhere */
}

static void counts_larger_than_the_file_are_corrupt(void **state)
{
    (void)state;
    static struct file file;
    const size_t first = 20, last = 44, second_header = 44 + 6 + 4;
    for (size_t at = first; at < last; at += 4) {
        for (size_t header = 0; header <= second_header; header += second_header) {
            struct plan plan = sound_plan();
            make(&file, &plan);
            memset(file.bytes + header + at, 0xff, 4);
            struct calendar_zone *zone;
            assert_int_equal(parse(&file, &zone), METE_E_CORRUPT);
        }
    }
}

static size_t read_real(const char *name, struct file *file)
{
    const struct os *os = os_system();
    assert_int_equal(os_read_zone(os, name, file->bytes, sizeof file->bytes, &file->len), 0);
    return file->len;
}

static void a_file_cut_anywhere_or_with_more_behind_it_is_corrupt(void **state)
{
    (void)state;
    static struct file file;
    const char *names[] = {"Europe/Berlin", "Africa/Abidjan", "UTC"};
    for (size_t i = 0; i < 3; i++) {
        size_t len = read_real(names[i], &file);
        struct calendar_zone *zone;
        for (file.len = 0; file.len < len; file.len++)
            assert_int_equal(parse(&file, &zone), METE_E_CORRUPT);
        assert_int_equal(parse(&file, &zone), 0);
        calendar_zone_free(zone);
        file.bytes[file.len++] = 'x';
        assert_int_equal(parse(&file, &zone), METE_E_CORRUPT);
    }
    struct plan plan = sound_plan();
    plan.version = 0; /* which has no footer */
    is_corrupt(&plan);
}

/* Any byte may be wrong: the file is refused, or it is another zone, which still has windows that
 * touch. (That it never crashes is fuzz_zone's to show at length.) */
static void a_file_with_a_wrong_byte_is_refused_or_another_zone(void **state)
{
    (void)state;
    static struct file file;
    size_t len = read_real("America/St_Johns", &file), refused = 0;
    for (size_t i = 0; i < len; i++) {
        struct calendar_zone *zone;
        file.bytes[i] = (char)(file.bytes[i] ^ 0x80);
        int rc = parse(&file, &zone);
        assert_true(rc == 0 || rc == METE_E_CORRUPT);
        refused += rc != 0;
        struct calendar_rule rule = {.period = METE_DAILY, .zone = rc ? NULL : zone};
        struct window window = {0, INT64_C(1300000000) * SECOND_US};
        for (int day = 0; !rc && day < 3; day++) {
            int64_t end_us = window.end_us;
            assert_int_equal(calendar_window(&rule, end_us, &window), 0);
            assert_true(day == 0 || window.start_us == end_us);
        }
        if (!rc)
            calendar_zone_free(zone);
        file.bytes[i] = (char)(file.bytes[i] ^ 0x80);
    }
    assert_true(refused > len / 5);
}

static void a_file_over_the_limit_is_too_large(void **state)
{
    (void)state;
    static struct file file;
    struct calendar_zone *zone;
    file.len = LIMIT_ZONE + 1;
    assert_int_equal(parse(&file, &zone), METE_E_TOO_LARGE);
    file.len = LIMIT_ZONE;
    assert_int_equal(parse(&file, &zone), METE_E_CORRUPT);
}

/* ---- Footers --------------------------------------------------------------------------------- */

static void footers_are_read(void **state)
{
    (void)state;
    const int64_t january_us = INT64_C(4102444800) * SECOND_US + 14 * DAY_US; /* 2100 */
    const int64_t july_us = january_us + 182 * DAY_US;
    const struct {
        const char *footer;
        int64_t january_s, july_s;
    } cases[] = {
        {"\nUTC0\n", 0, 0},
        {"\n<+0545>-5:45\n", 20700, 20700},
        {"\n<-00>0\n", 0, 0},
        {"\nABC-1:02:03\n", 3723, 3723},
        {"\nABC+11\n", -39600, -39600},
        {"\nCET-1CEST,M3.5.0,M10.5.0/3\n", 3600, 7200},
        {"\nAEST-10AEDT,M10.1.0,M4.1.0/3\n", 39600, 36000},
        {"\n<+1030>-10:30<+11>-11,M10.1.0,M4.1.0\n", 39600, 37800},
        {"\nIST-1GMT0,M10.5.0,M3.5.0/1\n", 0, 3600}, /* winter is the exception */
        {"\nEET-2EEST,M3.4.4/50,M10.4.4/50\n", 7200, 10800},
        {"\n<-02>2<-01>,M3.5.0/-1,M10.5.0/0\n", -7200, -3600},
        {"\nABC0DEF,J60,J300\n", 0, 3600},
        {"\nABC0DEF,59/0,300/0:30:15\n", 0, 3600},
        {"\nABC5DEF4,0/0,J365/25\n", -14400, -14400}, /* all year, RFC 8536 */
        {"\nABC0DEF0,M3.5.0,M10.5.0\n", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(offset_of_footer(cases[i].footer, january_us), cases[i].january_s);
        assert_int_equal(offset_of_footer(cases[i].footer, july_us), cases[i].july_s);
    }
}

/* The clock goes an hour forward at noon of a day: which day is it, by the length of days. */
static int64_t day_of_change(const char *footer, int64_t january_us)
{
    struct plan plan = {.version = '2', .types_len = 1, .footer = footer};
    struct calendar_zone *zone;
    assert_int_equal(parse_plan(&plan, &zone), 0);
    struct calendar_rule rule = {.period = METE_DAILY, .zone = zone};
    int64_t found = -1;
    for (int64_t day = 0; day < 366 && found < 0; day++) {
        struct window window;
        assert_int_equal(calendar_window(&rule, january_us + day * DAY_US, &window), 0);
        found = window.end_us - window.start_us == 23 * HOUR_US ? day : -1;
    }
    calendar_zone_free(zone);
    return found;
}

static void days_of_footers_are_counted_with_and_without_the_leap_day(void **state)
{
    (void)state;
    const int64_t leap_us = INT64_C(1704067200) * SECOND_US;   /* 2024 */
    const int64_t common_us = INT64_C(1735689600) * SECOND_US; /* 2025 */
    assert_int_equal(day_of_change("\nABC0DEF,J59/12,J300\n", leap_us), 58);
    assert_int_equal(day_of_change("\nABC0DEF,J59/12,J300\n", common_us), 58);
    assert_int_equal(day_of_change("\nABC0DEF,J60/12,J300\n", leap_us), 60); /* 1 March */
    assert_int_equal(day_of_change("\nABC0DEF,J60/12,J300\n", common_us), 59);
    assert_int_equal(day_of_change("\nABC0DEF,59/12,J300\n", leap_us), 59); /* 29 February */
    assert_int_equal(day_of_change("\nABC0DEF,59/12,J300\n", common_us), 59);
    assert_int_equal(day_of_change("\nABC0DEF,M2.5.4/12,J300\n", leap_us), 59); /* a Thursday */
    assert_int_equal(day_of_change("\nABC0DEF,M2.5.4/12,J300\n", common_us), 57);
    assert_int_equal(day_of_change("\nABC0DEF,M3.1.6/12,J300\n", common_us), 59); /* the 1st */
    assert_int_equal(day_of_change("\nABC0DEF,M3.1.5/12,J300\n", common_us), 65); /* the 7th */
    assert_int_equal(day_of_change("\nABC0DEF,J1/-12,J300\n", common_us), 364);   /* of next year */
    assert_int_equal(day_of_change("\nABC0DEF,J1/167,J300\n", common_us), 6);
}

/* Times of -167..167 hours move a change into another year than its day's. */
static void both_changes_may_lie_in_another_year(void **state)
{
    (void)state;
    const int64_t january_us = INT64_C(1735689600) * SECOND_US; /* 2025 */
    /* of 2023, in January 2024: back, then forth; the next ones come on 5 January 2025 */
    assert_int_equal(offset_of_footer("\nABC0DEF,J365/160,J365/100\n", january_us + DAY_US), 3600);
    /* of 2025, in December 2024; the next ones come on 25 December 2025 */
    struct plan plan = {.version = '3', .types_len = 1, .footer = "\nABC0DEF,J1/-160,J1/-100\n"};
    struct calendar_zone *zone;
    assert_int_equal(parse_plan(&plan, &zone), 0);
    struct calendar_rule rule = {.period = METE_YEARLY, .anchor = 1226, .zone = zone};
    struct window window;
    assert_int_equal(calendar_window(&rule, january_us - 2 * DAY_US, &window), 0);
    assert_true(window.start_us == january_us - 6 * DAY_US - HOUR_US);
    assert_true(window.end_us == january_us + 359 * DAY_US - HOUR_US);
    calendar_zone_free(zone);
}

static void what_is_no_footer_is_corrupt(void **state)
{
    (void)state;
    const char *bad[] = {
        "",
        "\n",
        "UTC0\n",
        "\nUTC0",
        "\nUTC0\nx",
        "\nUTC\n",
        "\nUT0\n",
        "\n<+1>0\n",
        "\n<+01\n",
        "\n<+01>\n",
        "\n<+0 1>0\n",
        "\nAB{C0\n",
        "\nAB[C0\n",
        "\nUTC25\n",
        "\nUTC0:60\n",
        "\nUTC0:00:60\n",
        "\nUTC0:\n",
        "\nUTC--1\n",
        "\nUTC0001\n",
        "\nUTC0 \n",
        "\nABC0DEF\n", /* when? */
        "\nABC0DEF,M3.5.0\n",
        "\nABC0DEF,M3.5.0,\n",
        "\nABC0DEF,M3.5.0,M10.5.0,\n",
        "\nABC0DE,M3.5.0,M10.5.0\n",
        "\nABC0DEF,M0.5.0,M10.5.0\n",
        "\nABC0DEF,M13.5.0,M10.5.0\n",
        "\nABC0DEF,M3.0.0,M10.5.0\n",
        "\nABC0DEF,M3.6.0,M10.5.0\n",
        "\nABC0DEF,M3.5.7,M10.5.0\n",
        "\nABC0DEF,M3.5,M10.5.0\n",
        "\nABC0DEF,J0,J300\n",
        "\nABC0DEF,J366,J300\n",
        "\nABC0DEF,366,J300\n",
        "\nABC0DEF,J60/168,J300\n",
        "\nABC0DEF,J60/-168,J300\n",
        "\nABC0DEF,J60/,J300\n",
        "\nABC0DEF25,J60,J300\n",
        "\n\n\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct plan plan = {.version = '2', .types_len = 1, .footer = bad[i]};
        is_corrupt(&plan);
    }
}

static void an_empty_footer_leaves_the_last_change(void **state)
{
    (void)state;
    struct plan plan = sound_plan();
    plan.indexes[0] = 0;
    plan.indexes[1] = 1;
    plan.footer = "\n\n";
    struct calendar_zone *zone;
    assert_int_equal(parse_plan(&plan, &zone), 0);
    assert_int_equal(offset_at(zone, 250000 * DAY_US), 3600);
    calendar_zone_free(zone);
}

static void a_footer_that_contradicts_the_last_change_is_corrupt(void **state)
{
    (void)state;
    struct plan plan = sound_plan();
    plan.footer = "\nABC-1\n";
    is_corrupt(&plan);
}

/* ---- Names and the cache --------------------------------------------------------------------- */

static void names_are_found_and_utc_is_no_file(void **state)
{
    const struct calendar_zone *zone = (const struct calendar_zone *)state;
    assert_int_equal(calendar_zones_find(*state, SLICE_LITERAL(""), &zone), 0);
    assert_null(zone);
    zone = (const struct calendar_zone *)state;
    assert_int_equal(calendar_zones_find(*state, SLICE_LITERAL("UTC"), &zone), 0);
    assert_null(zone);
    const char *names[] = {"Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5",
                           "America/Port-au-Prince"};
    for (size_t i = 0; i < 4; i++) {
        const struct calendar_zone *again;
        assert_int_equal(calendar_zones_find(*state, slice_of(names[i]), &zone), 0);
        assert_non_null(zone);
        assert_int_equal(calendar_zones_find(*state, slice_of(names[i]), &again), 0);
        assert_ptr_equal(zone, again);
    }
}

static void what_is_no_zone_is_an_error_and_never_utc(void **state)
{
    const struct calendar_zone *zone = (const struct calendar_zone *)state, *before = zone;
    const char *unknown[] = {"Mars/Olympus",        "Europe", "europe/berlin",
                             "Europe/Berlin/Mitte", "utc2",   "Europe/Berli"};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(calendar_zones_find(*state, slice_of(unknown[i]), &zone),
                         METE_E_NOT_FOUND);
    assert_int_equal(calendar_zones_find(*state, SLICE_LITERAL("zone.tab"), &zone), METE_E_CORRUPT);
    assert_ptr_equal(zone, before);
}

static void names_that_leave_the_folder_are_invalid(void **state)
{
    const char *bad[] = {"/etc/passwd",
                         "../passwd",
                         "Europe/../../passwd",
                         "Europe/..",
                         ".",
                         "..",
                         "Europe//Berlin",
                         "Europe/",
                         "./UTC",
                         "Europe/./Berlin",
                         "Europe Berlin",
                         "Europe\\Berlin",
                         "%2e%2e",
                         "Euro\tpe",
                         "Euro{pe",
                         "Euro[pe",
                         "Euro=pe",
                         "\xc3\xa9",
                         "Europe/Berlin\n"};
    const struct calendar_zone *zone;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(calendar_zones_find(*state, slice_of(bad[i]), &zone), METE_E_INVALID);
    assert_int_equal(calendar_zones_find(*state, (struct slice){"UTC\0", 4}, &zone),
                     METE_E_INVALID);
    char longest[LIMIT_TIME_ZONE + 1];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(calendar_zones_find(*state, (struct slice){longest, LIMIT_TIME_ZONE}, &zone),
                     METE_E_NOT_FOUND);
    assert_int_equal(
        calendar_zones_find(*state, (struct slice){longest, LIMIT_TIME_ZONE + 1}, &zone),
        METE_E_INVALID);
}

/* A system that lies: every name is this file, or this error. */
struct liar {
    struct file file;
    int error;
    size_t asked;
};

static int lie(void *user, const char *name, void *ret_bytes, size_t max, size_t *ret_len)
{
    struct liar *liar = user;
    (void)name;
    liar->asked++;
    if (liar->error)
        return liar->error;
    ASSERT(liar->file.len <= max);
    memcpy(ret_bytes, liar->file.bytes, liar->file.len);
    *ret_len = liar->file.len;
    return 0;
}

static void what_the_system_says_is_passed_on_and_asked_again(void **state)
{
    (void)state;
    static struct liar liar;
    struct os os = {.read_zone = lie, .user = &liar};
    struct plan plan = sound_plan();
    make(&liar.file, &plan);
    struct calendar_zones *zones;
    assert_int_equal(calendar_zones_open(&os, &zones), 0);
    const struct calendar_zone *zone;
    const int errors[] = {METE_E_STORAGE, METE_E_TOO_LARGE, METE_E_NOT_FOUND};
    for (size_t i = 0; i < 3; i++) {
        liar.error = errors[i];
        assert_int_equal(calendar_zones_find(zones, SLICE_LITERAL("A"), &zone), errors[i]);
    }
    liar.error = 0;
    liar.file.len--;
    assert_int_equal(calendar_zones_find(zones, SLICE_LITERAL("A"), &zone), METE_E_CORRUPT);
    liar.file.len++;
    assert_int_equal(calendar_zones_find(zones, SLICE_LITERAL("A"), &zone), 0);
    assert_int_equal(liar.asked, 5);
    assert_int_equal(calendar_zones_find(zones, SLICE_LITERAL("A"), &zone), 0);
    assert_int_equal(liar.asked, 5);
    calendar_zones_close(zones);
}

static void a_full_cache_says_so_and_keeps_what_it_has(void **state)
{
    (void)state;
    static struct liar liar;
    static const struct calendar_zone *found[LIMIT_ZONES];
    struct os os = {.read_zone = lie, .user = &liar};
    struct plan plan = sound_plan();
    make(&liar.file, &plan);
    struct calendar_zones *zones;
    assert_int_equal(calendar_zones_open(&os, &zones), 0);
    char name[32];
    for (unsigned i = 0; i < LIMIT_ZONES; i++) {
        snprintf(name, sizeof name, "Zone/%u", i * 7919 % LIMIT_ZONES);
        assert_int_equal(calendar_zones_find(zones, slice_of(name), &found[i]), 0);
    }
    const struct calendar_zone *zone;
    assert_int_equal(calendar_zones_find(zones, SLICE_LITERAL("Zone/more"), &zone), METE_E_FULL);
    assert_int_equal(liar.asked, LIMIT_ZONES);
    for (unsigned i = 0; i < LIMIT_ZONES; i++) {
        snprintf(name, sizeof name, "Zone/%u", i * 7919 % LIMIT_ZONES);
        assert_int_equal(calendar_zones_find(zones, slice_of(name), &zone), 0);
        assert_ptr_equal(zone, found[i]);
    }
    assert_int_equal(liar.asked, LIMIT_ZONES);
    calendar_zones_close(zones);
    calendar_zones_close(NULL);
}

static int open_zones(void **state)
{
    return calendar_zones_open(os_system(), (struct calendar_zones **)state);
}

static int close_zones(void **state)
{
    calendar_zones_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_file_is_read),
        cmocka_unit_test(changes_of_the_name_alone_and_of_long_ago_are_nothing),
        cmocka_unit_test(changes_after_year_10001_say_nothing),
        cmocka_unit_test(a_file_that_contradicts_itself_is_corrupt),
        cmocka_unit_test(two_headers_of_different_versions_are_corrupt),
        cmocka_unit_test(an_offset_of_a_day_and_more_is_corrupt),
        cmocka_unit_test(a_file_that_counts_leap_seconds_is_refused),
        cmocka_unit_test(counts_larger_than_the_file_are_corrupt),
        cmocka_unit_test(a_file_cut_anywhere_or_with_more_behind_it_is_corrupt),
        cmocka_unit_test(a_file_with_a_wrong_byte_is_refused_or_another_zone),
        cmocka_unit_test(a_file_over_the_limit_is_too_large),
        cmocka_unit_test(footers_are_read),
        cmocka_unit_test(days_of_footers_are_counted_with_and_without_the_leap_day),
        cmocka_unit_test(both_changes_may_lie_in_another_year),
        cmocka_unit_test(what_is_no_footer_is_corrupt),
        cmocka_unit_test(an_empty_footer_leaves_the_last_change),
        cmocka_unit_test(a_footer_that_contradicts_the_last_change_is_corrupt),
        cmocka_unit_test(names_are_found_and_utc_is_no_file),
        cmocka_unit_test(what_is_no_zone_is_an_error_and_never_utc),
        cmocka_unit_test(names_that_leave_the_folder_are_invalid),
        cmocka_unit_test(what_the_system_says_is_passed_on_and_asked_again),
        cmocka_unit_test(a_full_cache_says_so_and_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, open_zones, close_zones);
}
