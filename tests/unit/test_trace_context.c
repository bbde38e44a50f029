/* SPDX-License-Identifier: Apache-2.0
 * Proves that a valid trace is continued with a span of our own, that whatever is not valid begins
 * a new one, and that a tracestate goes on as it came or not at all: the rules of the W3C's
 * recommendation, one text each. */
#include "codec/trace_context.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static const uint8_t noise[TRACE_RANDOM] = {0xa0, 1,  2,  3,  4,    5,  6,  7,  8,  9,  10, 11,
                                            12,   13, 14, 15, 0xb0, 17, 18, 19, 20, 21, 22, 23};

static struct trace_context made(const char *parent, const char *state)
{
    struct trace_context context;
    trace_context_make(slice_of(parent), slice_of(state), noise, &context);
    return context;
}

static bool continued(const char *parent)
{
    return made(parent, NULL).parent_id[0] != 0;
}

static void a_trace_goes_on_with_a_span_of_ours(void **state)
{
    (void)state;
    struct trace_context context = made("00-" TRACE "-" SPAN "-01", "a=1,b=2");
    char room[TRACE_PARENT_LEN + 1];
    assert_string_equal(context.trace_id, TRACE);
    assert_string_equal(context.parent_id, SPAN);
    assert_string_equal(context.span_id, "b011121314151617");
    assert_true(slice_is(context.state, "a=1,b=2"));
    trace_context_write(&context, room);
    assert_string_equal(room, "00-" TRACE "-b011121314151617-01");
}

static void without_a_trace_one_begins(void **state)
{
    (void)state;
    struct trace_context context = made(NULL, "a=1");
    char room[TRACE_PARENT_LEN + 1];
    assert_string_equal(context.trace_id, "a00102030405060708090a0b0c0d0e0f");
    assert_string_equal(context.parent_id, "");
    assert_int_equal(context.state.len, 0); /* a state belongs to a trace */
    trace_context_write(&context, room);
    assert_string_equal(room, "00-a00102030405060708090a0b0c0d0e0f-b011121314151617-03");
    const uint8_t zeros[TRACE_RANDOM] = {0};
    trace_context_make(slice_of(NULL), slice_of(NULL), zeros, &context);
    assert_string_equal(context.trace_id, "00000000000000000000000000000001");
    assert_string_equal(context.span_id, "0000000000000001");
}

static void only_known_flags_go_on(void **state)
{
    (void)state;
    assert_int_equal(made("00-" TRACE "-" SPAN "-00", NULL).flags, 0);
    assert_int_equal(made("00-" TRACE "-" SPAN "-ff", NULL).flags, 3);
    assert_int_equal(made("00-" TRACE "-" SPAN "-f0", NULL).flags, 0);
}

static void a_later_version_may_say_more(void **state)
{
    (void)state;
    assert_true(continued("cc-" TRACE "-" SPAN "-01"));
    assert_true(continued("cc-" TRACE "-" SPAN "-01-what-the-future-brings"));
    assert_false(continued("cc-" TRACE "-" SPAN "-01.what-the-future-brings"));
    assert_false(continued("00-" TRACE "-" SPAN "-01-what-the-future-brings"));
}

static void a_broken_parent_begins_a_new_trace(void **state)
{
    (void)state;
    const char *const broken[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01 ",
        " 00-" TRACE "-" SPAN "-01",
        "ff-" TRACE "-" SPAN "-01",
        "0x-" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0x",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01",
        "00-" TRACE "-00F067AA0BA902B7-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "0-01",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct trace_context context = made(broken[i], "a=1");
        if (context.parent_id[0] || context.state.len)
            fail_msg("was taken: %s", broken[i]);
    }
}

static bool kept(const char *text)
{
    struct trace_context context = made("00-" TRACE "-" SPAN "-01", text);
    assert_string_equal(context.trace_id, TRACE); /* the trace goes on either way */
    assert_true(context.state.len == 0 || slice_is(context.state, text));
    return context.state.len > 0;
}

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LONG_241 "t" FIFTY FIFTY FIFTY FIFTY TEN TEN TEN TEN
#define LONG_256 "k" FIFTY FIFTY FIFTY FIFTY FIFTY "01234"

static void a_sound_state_goes_on_as_it_came(void **state)
{
    (void)state;
    const char *const sound[] = {
        "a=1",
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "fw529a3039@dt=FfvFfv",
        "0tenant@sys=x",
        "a_-*/9=any thing!~",
        "a=1 , b=2\t,, c=3",
        "a=1,",
        LONG_256 "=v",
        LONG_241 "@system89012345=v",
        "k=" LONG_256,
    };
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++)
        if (!kept(sound[i]))
            fail_msg("%zu: %s", i, sound[i]);
}

static void another_state_is_dropped(void **state)
{
    (void)state;
    const char *const broken[] = {
        "",
        ",",
        " , ",
        "a",
        "=1",
        "a=",
        "a= ",
        "A=1",
        "1a=1",
        "a.b=1",
        "a=1=2",
        "a=1,a=2",
        "a=\x7f",
        "a=\xc3\xa4",
        "c =3",
        "@s=1",
        "t@=1",
        "t@1=1",
        "t@s@u=1",
        "T@s=1",
        "a=\x01",
        LONG_256 "x=v",
        LONG_241 "x@s=1",
        "t@s4567890123456x=1",
        "k=" LONG_256 "x",
        "a=" LONG_256 ",b=" LONG_256, /* over 512 bytes */
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        if (kept(broken[i]))
            fail_msg("%zu: was taken: %s", i, broken[i]);
}

static void at_most_32_members_go_on(void **state)
{
    (void)state;
    char text[TRACE_STATE_MAX] = "";
    for (int i = 0; i < TRACE_STATE_MEMBERS + 1; i++) {
        size_t len = strlen(text);
        assert_int_equal(i == 0 || kept(text), true);
        snprintf(text + len, sizeof text - len, "%sk%d=v", i ? "," : "", i);
    }
    assert_false(kept(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_goes_on_with_a_span_of_ours),
        cmocka_unit_test(without_a_trace_one_begins),
        cmocka_unit_test(only_known_flags_go_on),
        cmocka_unit_test(a_later_version_may_say_more),
        cmocka_unit_test(a_broken_parent_begins_a_new_trace),
        cmocka_unit_test(a_sound_state_goes_on_as_it_came),
        cmocka_unit_test(another_state_is_dropped),
        cmocka_unit_test(at_most_32_members_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
