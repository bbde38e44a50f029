/* SPDX-License-Identifier: Apache-2.0
 * Proves that numbers read back, that nothing else is read, and that random digits are fair: by
 * giving every byte once and counting. */
#include "codec/base62.h"

#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void numbers_read_back(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, 61, 62, 3843, 3844, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char room[11];
        uint64_t value = 1;
        base62_encode(values[i], room, sizeof room);
        assert_int_equal(base62_decode((struct slice){room, sizeof room}, &value), 0);
        assert_true(value == values[i]);
    }
    char room[4];
    base62_encode(61, room, sizeof room);
    assert_memory_equal(room, "000z", 4);
    base62_encode(10 * 62 + 36, room, sizeof room);
    assert_memory_equal(room, "00Aa", 4);
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    const char *texts[] = {"",     "-1",          "a b",          "a_",
                           "\x80", "LygHa16AHYG", "100000000000", "zzzzzzzzzzz"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t value = 4711;
        assert_int_equal(base62_decode(slice_of(texts[i]), &value), METE_E_SYNTAX);
        assert_true(value == 4711);
    }
    uint64_t value;
    assert_int_equal(base62_decode(slice_of("LygHa16AHYF"), &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(base62_decode(slice_of("00000000000000000000001"), &value), 0);
    assert_true(value == 1);
}

static void random_digits_are_fair(void **state)
{
    (void)state;
    uint8_t random[256];
    char room[256];
    int seen[128] = {0};
    for (int i = 0; i < 256; i++)
        random[i] = (uint8_t)i;
    size_t made = base62_digits(random, sizeof random, room, sizeof room);
    assert_int_equal(made, 248);
    for (size_t i = 0; i < made; i++)
        seen[(unsigned char)room[i]]++;
    for (int c = 0; c < 128; c++) {
        bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        assert_int_equal(seen[c], digit ? 4 : 0);
    }
    assert_int_equal(base62_digits(random, sizeof random, room, 10), 10);
    assert_int_equal(base62_digits(random + 248, 8, room, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(random_digits_are_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
