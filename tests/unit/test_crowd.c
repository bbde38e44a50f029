/* SPDX-License-Identifier: Apache-2.0
 * Proves that a crowd counts as a naive array does, through a hundred thousand comings and goings
 * in a table that is nearly full, and that it keeps both its limits. */
#include "base/crowd.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void a_limit_holds_for_each_key(void **state)
{
    (void)state;
    struct crowd crowd;
    assert_int_equal(crowd_init(&crowd, 8, 1), 0);
    for (int i = 0; i < 3; i++)
        assert_true(crowd_enter(&crowd, 7, 3));
    assert_false(crowd_enter(&crowd, 7, 3));
    assert_true(crowd_enter(&crowd, 8, 3));
    crowd_leave(&crowd, 7);
    assert_true(crowd_enter(&crowd, 7, 3));
    assert_int_equal(crowd_count(&crowd, 7), 3);
    assert_int_equal(crowd_count(&crowd, 9), 0);
    crowd_done(&crowd);
}

static void who_is_one_too_many_finds_no_place(void **state)
{
    (void)state;
    struct crowd crowd;
    assert_int_equal(crowd_init(&crowd, 5, 0), 0);
    for (uint64_t key = 0; key < 5; key++)
        assert_true(crowd_enter(&crowd, key, 1));
    assert_false(crowd_enter(&crowd, 5, 1));
    assert_true(crowd_enter(&crowd, 4, 2)); /* is there already */
    crowd_leave(&crowd, 0);
    assert_true(crowd_enter(&crowd, 5, 1));
    crowd_check(&crowd);
    crowd_done(&crowd);
}

static void it_counts_as_an_array_does(void **state)
{
    (void)state;
    enum { KEYS = 80, PLACES = 64, STEPS = 100000, LIMIT = 4 };
    uint32_t naive[KEYS] = {0}, taken = 0;
    uint64_t random = 88172645463325252u;
    struct crowd crowd;
    assert_int_equal(crowd_init(&crowd, PLACES, 3), 0);
    for (int i = 0; i < STEPS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint64_t key = random % KEYS;
        if ((random >> 32) % 8 < 5) {
            bool may = naive[key] < LIMIT && (naive[key] || taken < PLACES);
            assert_int_equal(crowd_enter(&crowd, key, LIMIT), may);
            taken += may && !naive[key];
            naive[key] += may;
        } else if (naive[key]) {
            crowd_leave(&crowd, key);
            taken -= --naive[key] == 0;
        }
        assert_int_equal(crowd_count(&crowd, key), naive[key]);
        if (i % 64 == 0)
            crowd_check(&crowd);
    }
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(crowd_count(&crowd, key), naive[key]);
    crowd_done(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_holds_for_each_key),
        cmocka_unit_test(who_is_one_too_many_finds_no_place),
        cmocka_unit_test(it_counts_as_an_array_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
