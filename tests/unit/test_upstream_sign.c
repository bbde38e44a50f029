/* SPDX-License-Identifier: Apache-2.0
 * Proves the signature against requests of AWS's own published test suite for Signature Version 4
 * (keys, date and signatures are theirs), and what those do not have: tokens, bodies in pieces,
 * ports, the region of a host. That it goes out with the request is in test_upstream. */
#include "net/upstream_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define ID "AKIDEXAMPLE"
#define KEYS ID ":wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define NOW_US (INT64_C(1440938160) * 1000000 + 999999) /* 2015-08-30T12:36:00.999999Z */

static const struct upstream_wire wire = {.aws_region = "us-east-1"};

static struct upstream_signature sign(const char *method, const char *url, const char *keys,
                                      const struct slice *body, size_t body_len)
{
    struct upstream_signature signature = {0};
    const struct upstream_request request = {.method = method,
                                             .url = url,
                                             .wire = &wire,
                                             .body = body,
                                             .body_len = body_len,
                                             .sign_with = slice_of(keys)};
    assert_int_equal(upstream_sign(&request, "service", NOW_US, &signature), 0);
    return signature;
}

static void it_is_what_aws_says_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *method, *url, *signature;
    } cases[] = {
        {"GET", "https://example.amazonaws.com/",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", "https://example.amazonaws.com",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", "https://example.amazonaws.com:443/",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"POST", "https://example.amazonaws.com/",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"GET", "https://example.amazonaws.com/\xe1\x88\xb4",
         "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char wanted[UPSTREAM_SIGN_AUTHORIZATION];
        struct upstream_signature signature = sign(cases[i].method, cases[i].url, KEYS, NULL, 0);
        snprintf(wanted, sizeof wanted,
                 "AWS4-HMAC-SHA256 Credential=" ID "/20150830/us-east-1/service/aws4_request, "
                 "SignedHeaders=host;x-amz-date, Signature=%s",
                 cases[i].signature);
        assert_string_equal(signature.authorization, wanted);
        assert_string_equal(signature.date, "20150830T123600Z");
        assert_int_equal(signature.token.len, 0);
    }
}

static void all_that_is_sent_is_signed(void **state)
{
    (void)state;
    const struct slice whole = SLICE_LITERAL("{\"a\":1}"), other = SLICE_LITERAL("{\"a\":2}");
    const struct slice pieces[] = {slice_part(whole, 0, 3), {0}, slice_from(whole, 3)};
    const char *url = "https://example.amazonaws.com/model/a%3A0/converse";
    struct upstream_signature plain = sign("POST", url, KEYS, &whole, 1);
    assert_string_equal(sign("POST", url, KEYS, pieces, 3).authorization, plain.authorization);
    const struct upstream_signature others[] = {
        sign("POST", url, KEYS, &other, 1),
        sign("PUT", url, KEYS, &whole, 1),
        sign("POST", "https://example.amazonaws.com/model/a:0/converse", KEYS, &whole, 1),
        sign("POST", "https://example.amazonaws.com:8443/model/a%3A0/converse", KEYS, &whole, 1),
        sign("POST", "https://example.amazonaws.com/model/a%3A0/converse?x", KEYS, &whole, 1),
        sign("POST", url, KEYS ":token", &whole, 1),
        sign("POST", url, KEYS "x", &whole, 1),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_string_not_equal(others[i].authorization, plain.authorization);
    assert_true(slice_is(others[5].token, "token"));
    assert_non_null(strstr(others[5].authorization, "x-amz-security-token, "));
}

static void what_cannot_be_signed_is_refused(void **state)
{
    (void)state;
    struct upstream_signature signature;
    struct upstream_request request = {.method = "POST",
                                       .url = "https://bedrock-runtime.eu-west-3.amazonaws.com/x",
                                       .sign_with = SLICE_LITERAL(KEYS)};
    assert_int_equal(upstream_sign(&request, "bedrock", NOW_US, &signature), 0);
    assert_non_null(strstr(signature.authorization, "/eu-west-3/bedrock/aws4_request"));
    request.url = "https://bedrock.example/x"; /* of no region */
    assert_int_equal(upstream_sign(&request, "bedrock", NOW_US, &signature), METE_E_INVALID);
    request.wire = &wire;
    assert_int_equal(upstream_sign(&request, "bedrock", NOW_US, &signature), 0);
    const char *const wrong[] = {"", "ID", "ID:", ":SECRET", "::TOKEN"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        request.sign_with = slice_of(wrong[i]);
        assert_int_equal(upstream_sign(&request, "bedrock", NOW_US, &signature), METE_E_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_aws_says_it_is),
        cmocka_unit_test(all_that_is_sent_is_signed),
        cmocka_unit_test(what_cannot_be_signed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
