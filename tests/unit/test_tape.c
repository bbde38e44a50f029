/* SPDX-License-Identifier: Apache-2.0
 * Proves that the tape finds, shrinks and replays: properties with known faults are run with
 * stderr in a file, and the smallest tape that it reports must be the smallest there is. */
#include "property/tape.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int holds(struct tape *tape)
{
    while (!tape_done(tape))
        if (tape_u64(tape, 9) > 9)
            return 1;
    return 0;
}

/* Needs three choices in order: one of at least 100, a 7, and a true. */
static int fails_deep_down(struct tape *tape)
{
    bool large = false, seven = false;
    while (!tape_done(tape)) {
        uint64_t choice = tape_u64(tape, 255);
        seven = seven || (large && choice == 7);
        large = large || choice >= 100;
        if (seven && tape_chance(tape, 50))
            return 1;
    }
    return 0;
}

static int dies(struct tape *tape)
{
    while (!tape_done(tape))
        ASSERT(tape_byte(tape) < 200);
    return 0;
}

/* Runs the property and returns what it printed. Static room. */
static const char *run(const char *name, int (*property)(struct tape *), int expected)
{
    static char text[8192];
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    int rc = tape_run(name, property, 400, 200);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    assert_int_equal(rc, expected);
    return text;
}

static void a_property_that_holds_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(run("holds", holds, 0), "");
}

static void a_failure_is_shrunk_to_the_smallest(void **state)
{
    (void)state;
    assert_non_null(strstr(run("deep", fails_deep_down, 1), "METE_TAPE=640780\n"));
}

static void a_crash_is_shrunk_too(void **state)
{
    (void)state;
    const char *text = run("dies", dies, 1);
    assert_non_null(strstr(text, "signal 6"));
    assert_non_null(strstr(text, "METE_TAPE=c8\n"));
    assert_non_null(strstr(text, "assertion failed: tape_byte(tape) < 200"));
}

static void a_tape_is_replayed_in_this_process(void **state)
{
    (void)state;
    setenv("METE_TAPE", "640780", 1);
    assert_non_null(strstr(run("deep", fails_deep_down, 1), "3 bytes: fails"));
    setenv("METE_TAPE", "640700", 1);
    assert_non_null(strstr(run("deep", fails_deep_down, 0), "3 bytes: all is well"));
    setenv("METE_PROPERTY", "other", 1);
    assert_string_equal(run("deep", fails_deep_down, 0), "");
    unsetenv("METE_PROPERTY");
    unsetenv("METE_TAPE");
}

static void draws_stay_in_their_range_and_reach_its_ends(void **state)
{
    (void)state;
    static const uint64_t maxima[] = {0, 1, 9, 255, 256, 1000, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof maxima / sizeof maxima[0]; i++) {
        bool least = false, most = false;
        for (unsigned a = 0; a < 256; a++)
            for (unsigned b = 0; b < 256; b += 5) {
                uint8_t b8 = (uint8_t)b;
                uint8_t data[] = {(uint8_t)a, b8, b8, b8, b8, b8, b8, b8, b8};
                struct tape tape = {data, sizeof data, 0};
                uint64_t value = tape_u64(&tape, maxima[i]);
                assert_true(value <= maxima[i]);
                least |= value == 0;
                most |= value == maxima[i];
            }
        assert_true(least && most);
    }
    struct tape empty = {NULL, 0, 0};
    assert_true(tape_range(&empty, INT64_MIN, INT64_MAX) == INT64_MIN);
    assert_int_equal(tape_range(&empty, -5, 5), -5);
    assert_int_equal(tape_pick(&empty, 1000), 0);
    assert_false(tape_chance(&empty, 99));
    assert_true(tape_chance(&empty, 100));
    const uint8_t ones[] = {0xff, 0xff, 0xff};
    struct tape top = {ones, 3, 0};
    assert_false(tape_chance(&top, 0));
    assert_true(tape_chance(&top, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_property_that_holds_says_nothing),
        cmocka_unit_test(a_failure_is_shrunk_to_the_smallest),
        cmocka_unit_test(a_crash_is_shrunk_too),
        cmocka_unit_test(a_tape_is_replayed_in_this_process),
        cmocka_unit_test(draws_stay_in_their_range_and_reach_its_ends),
    };
    unsetenv("METE_SEED");
    unsetenv("METE_TAPES");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
