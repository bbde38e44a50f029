/* SPDX-License-Identifier: Apache-2.0
 * Proves that members go by their name at any depth and however it is written, that the rest stays
 * as it stands, that no depth is too much for it that the parser takes, and that a failure leaves
 * what was there. */
#include "codec/json_strip.h"

#include "codec/json_scan.h"
#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const char *const names[] = {"hash", "secret", NULL};

static void members_go_and_the_rest_stays(void **state)
{
    (void)state;
    static const struct {
        const char *text, *left;
    } rows[] = {
        {"{}", "{}"},
        {" [ 1 , -2.50e3 ,\t\"a b\" , null ] ", "[1,-2.50e3,\"a b\",null]"},
        {"7", "7"},
        {"\"secret\"", "\"secret\""},
        {"{\"a\": 1, \"b\" : [ ] , \"c\":{ } }", "{\"a\":1,\"b\":[],\"c\":{}}"},
        {"{\"hash\":1}", "{}"},
        {"{\"hash\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"a\":2,\"hash\":{\"b\":[1,2]}}", "{\"a\":2}"},
        {"{\"a\":[{\"secret\":\"x\",\"k\":{\"hash\":0,\"z\":\"\\u00e9\"}}]}",
         "{\"a\":[{\"k\":{\"z\":\"\\u00e9\"}}]}"},
        {"{\"h\\u0061sh\":1,\"hashes\":2,\"Hash\":3}", "{\"hashes\":2,\"Hash\":3}"},
        {"{\"a\":\"hash\",\"b\":[\"secret\"]}", "{\"a\":\"hash\",\"b\":[\"secret\"]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer out;
        buffer_init(&out, 256);
        assert_int_equal(json_strip(&out, slice_of(rows[i].text), names), 0);
        assert_int_equal(buffer_text(&out, ""), 0);
        if (!slice_is(buffer_slice(&out), rows[i].left))
            fail_msg("%s: %.*s", rows[i].text, (int)out.len, out.data);
        buffer_done(&out);
    }
}

static void the_deepest_document_is_walked(void **state)
{
    (void)state;
    char text[4 * JSON_DEPTH_MAX + 8];
    size_t len = 0;
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        text[len++] = '[';
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        text[len++] = ']';
    struct buffer out;
    buffer_init(&out, sizeof text);
    assert_int_equal(json_strip(&out, (struct slice){text, len}, names), 0);
    assert_true(slice_equal(buffer_slice(&out), (struct slice){text, len}));
    buffer_done(&out);
}

static void a_failure_leaves_what_was_there(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 12);
    assert_int_equal(buffer_text(&out, "kept"), 0);
    assert_int_equal(json_strip(&out, slice_of("{\"a\":"), names), METE_E_SYNTAX);
    assert_int_equal(json_strip(&out, slice_of("[1,2,3,4,5,6,7]"), names), METE_E_TOO_LARGE);
    assert_true(slice_is(buffer_slice(&out), "kept"));
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_go_and_the_rest_stays),
        cmocka_unit_test(the_deepest_document_is_walked),
        cmocka_unit_test(a_failure_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
