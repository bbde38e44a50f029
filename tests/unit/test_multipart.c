/* SPDX-License-Identifier: Apache-2.0
 * Proves that the parts of a form are found as every other reader finds them, and that a body which
 * two readers might take for different forms is none. */
#include "codec/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=B"
#define PART(name, text)                                                                           \
    "--B\r\ncontent-disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"
#define END "--B--\r\n"

/* How many parts, or the error. */
static int parts_of(const char *type, const char *body, struct multipart_part parts[4])
{
    struct multipart form;
    int len = 0, rc = multipart_begin(&form, slice_of(type), slice_of(body));
    for (rc = rc ? rc : 1; rc > 0;) {
        struct multipart_part part;
        rc = multipart_next(&form, &part);
        if (rc > 0) {
            assert_true(len < 4);
            parts[len++] = part;
        }
    }
    return rc ? rc : len;
}

static void parts_are_found_where_they_lie(void **state)
{
    (void)state;
    struct multipart_part parts[4];
    assert_int_equal(parts_of(TYPE, PART("model", "whisper-1") PART("empty", "") END, parts), 2);
    assert_true(slice_is(parts[0].name, "model") && slice_is(parts[0].body, "whisper-1"));
    assert_true(slice_is(parts[1].name, "empty") && !parts[1].body.len && !parts[1].is_file);
    assert_int_equal(parts_of(TYPE,
                              "--B\r\nContent-Type: audio/wav\r\nContent-Disposition:form-data;  "
                              "filename=\"a.wav\"; name=file\r\n\r\n\r\n\r\nx\r\n--\r\n--B--",
                              parts),
                     1);
    assert_true(parts[0].is_file && slice_is(parts[0].name, "file"));
    assert_true(slice_is(parts[0].body, "\r\n\r\nx\r\n--"));
    assert_int_equal(parts_of("Multipart/Form-Data ;charset=utf-8; BOUNDARY=\"B\"", END, parts), 0);
    assert_true(multipart_is(slice_of("multipart/form-data")));
    assert_false(multipart_is(slice_of("multipart/form-datas")));
    assert_false(multipart_is(slice_of("application/json")));
}

static void what_two_readers_may_read_differently_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
    } bad[] = {
        {"multipart/form-data", END},
        {"multipart/form-data; boundary=", END},
        {"multipart/form-data; boundary=\"\"", END},
        {"multipart/form-data; boundary=B; boundary=C", END},
        {"multipart/form-data; boundary=\"a\\\"b\"", END},
        {"multipart/form-data; boundary=\"B", END},
        {"multipart/mixed; boundary=B", END},
        {"multipart/form-data; "
         "boundary=0123456789012345678901234567890123456789012345678901234567890"
         "1234567890",
         END},
        {TYPE, ""},
        {TYPE, "--B"},
        {TYPE, "\r\n" END},
        {TYPE, "preamble\r\n" END},
        {TYPE, PART("a", "b")},
        {TYPE, PART("a", "b") "--B-"},
        {TYPE, PART("a", "b") END "epilogue"},
        {TYPE, PART("a", "b\n--B\nc") END},    /* a line that ends with LF alone */
        {TYPE, PART("a", "b--Bc") END},        /* the boundary within a line */
        {TYPE, PART("a", "b") "--B \r\n" END}, /* spaces behind it */
        {TYPE, "--B\r\ncontent-disposition: form-data\r\n\r\nx\r\n" END},
        {TYPE, "--B\r\ncontent-disposition: form-data; name=a; name=b\r\n\r\nx\r\n" END},
        {TYPE, "--B\r\ncontent-disposition: attachment; name=a\r\n\r\nx\r\n" END},
        {TYPE, "--B\r\ncontent-disposition: form-data; name=a\r\ncontent-disposition: form-data; "
               "name=b\r\n\r\nx\r\n" END},
        {TYPE, "--B\r\ncontent-disposition: form-data; name=\"a\\b\"\r\n\r\nx\r\n" END},
        {TYPE, "--B\r\ncontent-disposition: form-data;\r\n name=a\r\n\r\nx\r\n" END}, /* folded */
        {TYPE, "--B\r\ncontent-disposition: form-data; name=a\nx: y\r\n\r\nx\r\n" END},
        {TYPE, "--B\r\ncontent-transfer-encoding: base64\r\ncontent-disposition: form-data; "
               "name=a\r\n\r\nx\r\n" END},
        {TYPE, "--B\r\n\r\nx\r\n" END},
    };
    struct multipart_part parts[4];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (parts_of(bad[i].type, bad[i].body, parts) != METE_E_SYNTAX)
            fail_msg("accepted: %s: %s", bad[i].type, bad[i].body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found_where_they_lie),
        cmocka_unit_test(what_two_readers_may_read_differently_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
