/* SPDX-License-Identifier: Apache-2.0
 * Proves that checked arithmetic neither wraps nor misrounds (INV-08), that varints read back and
 * reject other forms, that buffers keep their maximum and change nothing when they fail, that rings
 * keep order between threads, and that a failed assertion ends the process: each at its edges. */
#include "base/buffer.h"
#include "base/checked.h"
#include "base/errors.h"
#include "base/ring.h"
#include "base/varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
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

static void sums_and_products_do_not_wrap(void **state)
{
    (void)state;
    int64_t value = 4711;
    assert_false(checked_add(INT64_MAX, 1, &value));
    assert_false(checked_add(INT64_MIN, -1, &value));
    assert_false(checked_sub(INT64_MIN, 1, &value));
    assert_false(checked_sub(0, INT64_MIN, &value));
    assert_false(checked_mul(INT64_MAX, 2, &value));
    assert_false(checked_mul(INT64_MIN, -1, &value));
    assert_false(checked_narrow((int128)INT64_MAX + 1, &value));
    assert_false(checked_narrow((int128)INT64_MIN - 1, &value));
    assert_false(checked_mul_div_down(INT64_MAX, INT64_MAX, 1, &value));
    assert_true(value == 4711);
    assert_true(checked_add(INT64_MAX - 1, 1, &value) && value == INT64_MAX);
    assert_true(checked_sub(INT64_MIN + 1, 1, &value) && value == INT64_MIN);
    assert_true(checked_mul(INT64_MIN, 1, &value) && value == INT64_MIN);
    assert_true(checked_narrow(INT64_MIN, &value) && value == INT64_MIN);
    assert_true(min_i64(-1, 1) == -1 && max_i64(-1, 1) == 1);
}

static void division_rounds_as_its_name_says(void **state)
{
    (void)state;
    int64_t value = 4711;
    assert_true(checked_mul_div_down(999999, 1, 1000000, &value) && value == 0);
    assert_true(checked_mul_div_up(999999, 1, 1000000, &value) && value == 1);
    assert_true(checked_mul_div_up(0, INT64_MAX, 7, &value) && value == 0);
    assert_true(checked_mul_div_down(INT64_MAX, INT64_MAX, INT64_MAX, &value) &&
                value == INT64_MAX);
    assert_true(checked_mul_div_up(INT64_MAX, INT64_MAX, INT64_MAX, &value) && value == INT64_MAX);
    assert_true(div_half_even(2, 4) == 0);
    assert_true(div_half_even(1, 3) == 0);
    assert_true(div_half_even(2, 3) == 1);
    int128 most = ((((int128)1 << 126) - 1) << 1) + 1; /* no sum inside may pass it */
    assert_true(div_half_even(most, most) == 1);
    assert_true(div_half_even(most - 1, most) == 1);
    assert_true(div_half_even(most, 2) == (most >> 1) + 1);
}

static void slices_compare_and_split(void **state)
{
    (void)state;
    struct slice none = {NULL, 0}, text = SLICE_LITERAL("abc");
    assert_true(slice_equal(none, SLICE_LITERAL("")) && slice_is(none, "") && !slice_is(none, "a"));
    assert_true(slice_starts(text, none) && slice_starts(text, text) && !slice_starts(none, text));
    assert_true(slice_is(slice_from(text, 1), "bc") && slice_is(slice_from(text, 3), ""));
    assert_true(slice_is(slice_part(text, 1, 1), "b"));
    assert_null(slice_from(none, 0).data);
    assert_int_equal(slice_of(NULL).len, 0);
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

static void signed_varints_read_back(void **state)
{
    (void)state;
    const int64_t values[] = {0, -1, 1, 63, -64, 64, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t room[VARINT_MAX];
        struct writer w = {room, room + sizeof room};
        write_zigzag(&w, values[i]);
        struct reader r = {room, w.at, false};
        assert_true(read_zigzag(&r) == values[i] && !r.bad && r.at == r.end);
        if (values[i] >= -64 && values[i] < 64)
            assert_int_equal(w.at - room, 1);
    }
}

static void a_reader_stays_bad_and_within_its_bytes(void **state)
{
    (void)state;
    uint8_t room[16];
    struct writer w = {room, room + sizeof room};
    write_slice(&w, SLICE_LITERAL("abcd"));
    write_byte(&w, 7);
    struct reader whole = {room, w.at, false};
    assert_true(slice_is(read_slice(&whole, 4), "abcd"));
    assert_int_equal(read_byte(&whole), 7);
    assert_int_equal(read_byte(&whole), 0);
    assert_true(whole.bad);
    for (uint8_t *end = room; end < w.at - 1; end++) { /* cut everywhere */
        struct reader cut = {room, end, false};
        assert_int_equal(read_slice(&cut, 4).len, 0);
        assert_true(cut.bad && read_varint(&cut) == 0 && read_bytes(&cut, 0).len == 0);
    }
    struct reader bounded = {room, w.at, false};
    assert_int_equal(read_slice(&bounded, 3).len, 0);
    assert_true(bounded.bad);
    const uint8_t unending[] = {0x80, 0x80, 0x80};
    struct reader r = {unending, unending + 3, false};
    assert_true(read_varint(&r) == 0 && r.bad);
}

static void a_failed_append_changes_nothing(void **state)
{
    (void)state;
    struct buffer b;
    char *at = NULL;
    buffer_init(&b, 1000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buffer_format(&b, "%09d", i), 0);
    assert_int_equal(b.len, 900);
    assert_int_equal(buffer_format(&b, "%0101d", 1), METE_E_TOO_LARGE);
    assert_int_equal(buffer_reserve(&b, 101, &at), METE_E_TOO_LARGE);
    assert_int_equal(buffer_reserve(&b, SIZE_MAX, &at), METE_E_TOO_LARGE);
    assert_null(at);
    assert_int_equal(b.len, 900);
    assert_memory_equal(b.data + 891, "000000099", 9);
    assert_int_equal(buffer_reserve(&b, 100, &at), 0);
    memset(at, 'x', 100);
    buffer_advance(&b, 100);
    assert_int_equal(b.len, b.max);
    buffer_consume(&b, 0);
    buffer_consume(&b, 1000);
    assert_int_equal(b.len, 0);
    buffer_done(&b);
    buffer_done(&b);
    buffer_init(&b, 0);
    assert_int_equal(buffer_text(&b, ""), 0);
    assert_int_equal(buffer_text(&b, "x"), METE_E_TOO_LARGE);
    buffer_done(&b);
}

static void a_failed_assertion_ends_the_process(void **state)
{
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        struct writer full = {NULL, NULL};
        write_byte(&full, 1);
        _exit(0);
    }
    int status;
    char text[200] = "";
    close(pipe_fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(read(pipe_fds[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "assertion failed: w->at < w->end"));
    close(pipe_fds[0]);
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

static void a_buffer_that_relaxes_keeps_little_and_its_maximum(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    assert_int_equal(buffer_text(&b, "0123456789"), 0);
    const char *kept = b.data;
    buffer_relax(&b, b.room);
    assert_ptr_equal(b.data, kept);
    assert_int_equal(b.len, 0);
    buffer_relax(&b, b.room - 1);
    assert_null(b.data);
    assert_int_equal(b.room, 0);
    assert_int_equal(buffer_text(&b, "again"), 0);
    assert_true(slice_is(buffer_slice(&b), "again"));
    assert_int_equal(b.max, 1000);
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

/* Peeking sees what a pop has seen, by its place in the queue, and takes nothing. */
static void a_ring_shows_what_is_ahead(void **state)
{
    (void)state;
    struct ring ring;
    int items[4];
    assert_int_equal(ring_init(&ring, 4), 0);
    assert_null(ring_peek(&ring, 0));
    for (int i = 0; i < 3; i++)
        assert_true(ring_push(&ring, &items[i]));
    assert_ptr_equal(ring_pop(&ring), &items[0]);
    assert_ptr_equal(ring_peek(&ring, 0), &items[1]);
    assert_ptr_equal(ring_peek(&ring, 1), &items[2]);
    assert_null(ring_peek(&ring, 2));
    assert_true(ring_push(&ring, &items[3]));
    assert_null(ring_peek(&ring, 2)); /* not seen yet */
    assert_ptr_equal(ring_pop(&ring), &items[1]);
    assert_ptr_equal(ring_pop(&ring), &items[2]);
    assert_ptr_equal(ring_pop(&ring), &items[3]);
    assert_null(ring_peek(&ring, 0));
    assert_null(ring_peek(&ring, UINT32_MAX));
    ring_done(&ring);
}

enum { RING_ITEMS = 200000 };

static void *produce(void *user)
{
    struct ring *ring = user;
    for (uintptr_t i = 1; i <= RING_ITEMS; i++)
        while (!ring_push(ring, (void *)i))
            sched_yield();
    return NULL;
}

static void a_ring_keeps_order_between_two_threads(void **state)
{
    (void)state;
    struct ring ring;
    pthread_t producer;
    assert_int_equal(ring_init(&ring, 8), 0);
    assert_int_equal(pthread_create(&producer, NULL, produce, &ring), 0);
    for (uintptr_t expected = 1; expected <= RING_ITEMS;) {
        uintptr_t item = (uintptr_t)ring_pop(&ring);
        if (!item) {
            sched_yield();
            continue;
        }
        assert_true(item == expected);
        expected++;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(ring_used(&ring), 0);
    ring_done(&ring);
}

static void a_ring_goes_on_when_its_counters_wrap(void **state)
{
    (void)state;
    struct ring ring;
    int item;
    assert_int_equal(ring_init(&ring, 4), 0);
    atomic_store(&ring.head, UINT32_MAX - 1);
    atomic_store(&ring.tail, UINT32_MAX - 1);
    ring.head_seen = ring.tail_seen = UINT32_MAX - 1;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            assert_true(ring_push(&ring, &item));
        assert_false(ring_push(&ring, &item));
        assert_int_equal(ring_used(&ring), 4);
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(ring_pop(&ring), &item);
        assert_null(ring_pop(&ring));
    }
    ring_done(&ring);
}

static void every_error_has_its_row(void **state)
{
    (void)state;
    for (int code = METE_E_LIMITED; code < 0; code++) {
        assert_string_not_equal(mete_error_name(code), "internal");
        assert_in_range(errors_http_status(code), 400, 599);
    }
    assert_string_equal(mete_error_name(METE_E_LIMITED - 1), "internal");
    assert_string_equal(mete_error_name(1), "internal");
    assert_string_equal(mete_error_name(0), "ok");
    assert_int_equal(errors_http_status(0), 200);
    assert_int_equal(errors_http_status(INT32_MIN + 1), 500);
    assert_true(errors_retryable(METE_E_BUSY));
    assert_false(errors_retryable(METE_E_INVALID));
    assert_false(errors_retryable(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_half_to_even),
        cmocka_unit_test(sums_and_products_do_not_wrap),
        cmocka_unit_test(division_rounds_as_its_name_says),
        cmocka_unit_test(slices_compare_and_split),
        cmocka_unit_test(varints_read_back_and_have_one_form),
        cmocka_unit_test(signed_varints_read_back),
        cmocka_unit_test(a_reader_stays_bad_and_within_its_bytes),
        cmocka_unit_test(a_failed_append_changes_nothing),
        cmocka_unit_test(a_failed_assertion_ends_the_process),
        cmocka_unit_test(a_buffer_keeps_its_maximum),
        cmocka_unit_test(a_buffer_that_relaxes_keeps_little_and_its_maximum),
        cmocka_unit_test(a_ring_fills_and_empties_in_order),
        cmocka_unit_test(a_ring_shows_what_is_ahead),
        cmocka_unit_test(a_ring_keeps_order_between_two_threads),
        cmocka_unit_test(a_ring_goes_on_when_its_counters_wrap),
        cmocka_unit_test(every_error_has_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
