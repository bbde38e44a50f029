/* SPDX-License-Identifier: Apache-2.0
 * Proves that a text is alike only where it differs from the learned one at the spots and nowhere
 * else, that a spot takes a whole valid value of its own kind and nothing less, and that no byte
 * beyond the text is looked at. */
#include "codec/alike.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define LEARNED "data: {\"a\":\"one\",\"n\":17,\"b\":\"\"  }\n\n"

/* Spots: the value of a, of n, the spaces. */
static void learn(struct alike *alike)
{
    const char *text = LEARNED;
    const struct slice spots[] = {
        {strstr(text, "\"one\""), 5}, {strstr(text, "17"), 2}, {strstr(text, "  }"), 2}};
    alike_learn(alike, slice_of(text), spots, 3);
}

/* In a block of its own, so that a byte too far is an error to the sanitizer. */
static size_t match(const struct alike *alike, const char *text, struct slice values[ALIKE_SPOTS])
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    size_t got = alike_match(alike, (struct slice){copy, len}, values);
    free(copy);
    return got;
}

static void takes_other_values_at_the_spots(void **state)
{
    (void)state;
    struct alike alike = {0};
    struct slice values[ALIKE_SPOTS];
    static const char *const good[] = {
        LEARNED,
        "data: {\"a\":\"\",\"n\":0,\"b\":\"\"}\n\n",
        "data: {\"a\":\"a much longer one\",\"n\":-1.5e+3,\"b\":\"\"      }\n\n",
        "data: {\"a\":\"\\\"\\\\\\u00e9\xc3\xa9\",\"n\":1234567890,\"b\":\"\" }\n\n",
    };
    learn(&alike);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(match(&alike, good[i], values), strlen(good[i]));
    struct slice two = slice_of("data: {\"a\":\"x\\n\",\"n\":3,\"b\":\"\" }\n\ndata: {");
    assert_int_equal(alike_match(&alike, two, values), two.len - 7);
    assert_true(slice_is(values[0], "\"x\\n\""));
    assert_true(slice_is(values[1], "3"));
    assert_true(slice_is(values[2], " "));
    alike_done(&alike);
}

static void takes_nothing_else(void **state)
{
    (void)state;
    struct alike alike = {0};
    struct slice values[ALIKE_SPOTS];
    static const char *const bad[] = {
        "",
        "data: {\"a\":\"one\",\"n\":17,\"b\":\"x\"  }\n\n",    /* no spot */
        "data: {\"a\":17,\"n\":17,\"b\":\"\"  }\n\n",          /* another type */
        "data: {\"a\":\"one\",\"n\":\"17\",\"b\":\"\"  }\n\n", /* another type */
        "data: {\"a\":null,\"n\":17,\"b\":\"\"  }\n\n",        /* another type */
        "data: {\"a\":\"\\x\",\"n\":17,\"b\":\"\"  }\n\n",     /* no escape */
        "data: {\"a\":\"\\u12\",\"n\":17,\"b\":\"\"  }\n\n",   /* half an escape */
        "data: {\"a\":\"\xff\",\"n\":17,\"b\":\"\"  }\n\n",    /* no UTF-8 */
        "data: {\"a\":\"\xc3\",\"n\":17,\"b\":\"\"  }\n\n",    /* half a character */
        "data: {\"a\":\"\n\",\"n\":17,\"b\":\"\"  }\n\n",      /* a control character */
        "data: {\"a\":\"one\",\"n\":01,\"b\":\"\"  }\n\n",     /* no number */
        "data: {\"a\":\"one\",\"n\":1.,\"b\":\"\"  }\n\n",     /* no number */
        "data: {\"a\":\"one\",\"n\":-,\"b\":\"\"  }\n\n",      /* no number */
        "data: {\"a\":\"one\",\"n\":17x,\"b\":\"\"  }\n\n",    /* what follows a number */
        "data: {\"a\":\"one\",\"n\":17,\"b\":\"\"\t}\n\n",     /* another space */
        "data: {\"a\":\"one\",\"n\":17,\"b\":\"\"  }\r\n\r\n", /* other line ends */
    };
    learn(&alike);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (match(&alike, bad[i], values))
            fail_msg("%s", bad[i]);
    alike_done(&alike);
}

static void half_a_text_is_not_alike(void **state)
{
    (void)state;
    struct alike alike = {0};
    struct slice values[ALIKE_SPOTS];
    char text[] = LEARNED;
    learn(&alike);
    for (size_t len = sizeof text - 1; len-- > 0;) {
        text[len] = 0;
        assert_int_equal(match(&alike, text, values), 0);
    }
    alike_done(&alike);
}

static void forgets(void **state)
{
    (void)state;
    struct alike alike = {0};
    struct slice values[ALIKE_SPOTS];
    static char long_text[ALIKE_MAX + 1];
    const struct slice text = SLICE_LITERAL("{\"a\":1}");
    const struct slice spot = slice_part(text, 5, 1), elsewhere = {long_text, 1};
    assert_int_equal(match(&alike, LEARNED, values), 0);
    learn(&alike);
    alike_forget(&alike);
    assert_int_equal(match(&alike, LEARNED, values), 0);
    learn(&alike);
    alike_learn(&alike, text, &elsewhere, 1);
    assert_int_equal(match(&alike, LEARNED, values), 0);
    learn(&alike);
    alike_learn(&alike, text, &spot, 0);
    assert_int_equal(match(&alike, LEARNED, values), 0);
    memset(long_text, '1', sizeof long_text);
    const struct slice within = {long_text + 1, 1};
    alike_learn(&alike, (struct slice){long_text, sizeof long_text}, &within, 1);
    assert_int_equal(alike_match(&alike, (struct slice){long_text, sizeof long_text}, values), 0);
    const struct slice list = SLICE_LITERAL("[1,1,1,1,1,1,1,1,1]");
    struct slice many[ALIKE_SPOTS + 1];
    for (size_t i = 0; i <= ALIKE_SPOTS; i++)
        many[i] = slice_part(list, 1 + 2 * i, 1);
    alike_learn(&alike, list, many, ALIKE_SPOTS + 1);
    assert_int_equal(match(&alike, "[1,1,1,1,1,1,1,1,1]", values), 0);
    alike_learn(&alike, text, &spot, 1);
    assert_int_equal(match(&alike, "{\"a\":-20}", values), 9);
    alike_done(&alike);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_other_values_at_the_spots),
        cmocka_unit_test(takes_nothing_else),
        cmocka_unit_test(half_a_text_is_not_alike),
        cmocka_unit_test(forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
