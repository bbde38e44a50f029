/* SPDX-License-Identifier: Apache-2.0
 * Proves that checked arithmetic neither wraps nor misrounds, that varints read back and reject
 * other forms, and that buffers keep their maximum. */
#include "base/buffer.h"
#include "base/checked.h"
#include "base/errors.h"
#include "base/ring.h"
#include "base/varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void rounds_half_to_even(void **state)
{
    (void)state;
    assert_true(div_half_even(5, 2) == 2);
    assert_true(div_half_even(7, 2) == 4);
    assert_true(div_half_even(6, 4) == 2);
    assert_true(div_half_even(0, 9) == 0);
    int64_t up = 0;
    assert_true(checked_mul_div_up(1, 1, 1000000, &up) && up == 1);
    assert_true(checked_mul_div_up(INT64_MAX, 1000000, 1000000, &up) && up == INT64_MAX);
    assert_false(checked_mul_div_up(INT64_MAX, 2, 1, &up));
}

static void varints_read_back_and_have_one_form(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t room[VARINT_MAX];
        struct writer w = {room, room + sizeof room};
        write_varint(&w, values[i]);
        struct reader r = {room, w.at, false};
        assert_true(read_varint(&r) == values[i] && !r.bad && r.at == r.end);
    }
    const uint8_t padded[] = {0x80, 0x00};
    struct reader r = {padded, padded + 2, false};
    assert_true(read_varint(&r) == 0 && r.bad);
    const uint8_t wide[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    struct reader w = {wide, wide + sizeof wide, false};
    assert_true(read_varint(&w) == 0 && w.bad);
}

static void a_buffer_keeps_its_maximum(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10);
    assert_int_equal(buffer_text(&b, "0123456789"), 0);
    assert_int_equal(buffer_text(&b, "x"), METE_E_TOO_LARGE);
    buffer_consume(&b, 4);
    assert_true(slice_is(buffer_slice(&b), "456789"));
    buffer_done(&b);
}

static void a_ring_fills_and_empties_in_order(void **state)
{
    (void)state;
    struct ring ring;
    int items[5];
    assert_int_equal(ring_init(&ring, 4), 0);
    for (int i = 0; i < 4; i++)
        assert_true(ring_push(&ring, &items[i]));
    assert_false(ring_push(&ring, &items[4]));
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(ring_pop(&ring), &items[i]);
    assert_null(ring_pop(&ring));
    ring_done(&ring);
}

static void every_error_has_its_row(void **state)
{
    (void)state;
    for (int code = METE_E_METHOD; code < 0; code++) {
        assert_string_not_equal(mete_error_name(code), "internal");
        assert_in_range(errors_http_status(code), 400, 599);
    }
    assert_string_equal(mete_error_name(METE_E_METHOD - 1), "internal");
    assert_string_equal(mete_error_name(1), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_half_to_even),
        cmocka_unit_test(varints_read_back_and_have_one_form),
        cmocka_unit_test(a_buffer_keeps_its_maximum),
        cmocka_unit_test(a_ring_fills_and_empties_in_order),
        cmocka_unit_test(every_error_has_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
