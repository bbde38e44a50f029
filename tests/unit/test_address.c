/* SPDX-License-Identifier: Apache-2.0
 * Proves that ranges of addresses are read strictly and hold exactly what lies in them: every
 * prefix length of both kinds against a comparison bit by bit, and IPv4 in IPv6's clothes as IPv4.
 */
#include "codec/address.h"
#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct address address(const char *text)
{
    struct address found = {0};
    assert_int_equal(address_parse(slice_of(text), &found), 0);
    assert_true(found.is_known);
    return found;
}

static bool is_in(const char *text, const char *range_text)
{
    struct address_range range;
    struct address at = address(text);
    assert_int_equal(address_range_parse(slice_of(range_text), &range), 0);
    return address_is_in(&at, &range);
}

static void a_range_holds_what_lies_in_it(void **state)
{
    (void)state;
    assert_true(is_in("10.1.2.3", "10.0.0.0/8"));
    assert_false(is_in("11.1.2.3", "10.0.0.0/8"));
    assert_true(is_in("10.1.2.3", "10.1.2.3"));
    assert_true(is_in("10.1.2.3", "10.1.2.3/32"));
    assert_false(is_in("10.1.2.4", "10.1.2.3"));
    assert_true(is_in("10.1.2.3", "0.0.0.0/0"));
    assert_false(is_in("2001:db8::1", "0.0.0.0/0"));
    assert_true(is_in("2001:db8::1", "::/0"));
    assert_true(is_in("10.1.2.3", "::/0"));
    assert_true(is_in("2001:db8:ffff::1", "2001:db8::/32"));
    assert_false(is_in("2001:db9::", "2001:db8::/32"));
    assert_true(is_in("::ffff:10.1.2.3", "10.0.0.0/8"));
    assert_true(is_in("10.1.2.3", "::ffff:10.0.0.0/104"));
    assert_true(is_in("192.0.2.129", "192.0.2.128/25"));
    assert_false(is_in("192.0.2.127", "192.0.2.128/25"));
}

static void each_prefix_length_against_its_definition(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int bits = 0; bits <= 128; bits++) {
        struct address_range range = {.bits = (uint8_t)bits};
        for (int flipped = 0; flipped < 128; flipped++) {
            struct address at = {.is_known = true};
            for (size_t i = 0; i < 16; i++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
                at.bytes[i] = range.bytes[i] = (uint8_t)(seed >> 56);
            }
            at.bytes[flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);
            assert_int_equal(address_is_in(&at, &range), flipped >= bits);
            at.is_known = false;
            assert_false(address_is_in(&at, &range));
        }
    }
}

static void what_is_no_range_is_refused(void **state)
{
    (void)state;
    static const struct {
        int error;
        const char *text;
    } cases[] = {
        {METE_E_SYNTAX, ""},
        {METE_E_SYNTAX, "/8"},
        {METE_E_SYNTAX, "10.0.0.0/"},
        {METE_E_SYNTAX, "10.0.0.0/33"},
        {METE_E_SYNTAX, "10.0.0.0/-1"},
        {METE_E_SYNTAX, "10.0.0.0/08"},
        {METE_E_SYNTAX, "10.0.0.0/8 "},
        {METE_E_SYNTAX, "10.0.0.0/8/8"},
        {METE_E_SYNTAX, "10.0.0/8"},
        {METE_E_SYNTAX, "10.0.0.256"},
        {METE_E_SYNTAX, "::/129"},
        {METE_E_SYNTAX, "fe80::1%eth0"},
        {METE_E_SYNTAX, "example.org"},
        {METE_E_SYNTAX, "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"},
        {METE_E_INVALID, "10.0.0.1/8"},
        {METE_E_INVALID, "2001:db8::1/32"},
        {METE_E_INVALID, "1.0.0.0/0"},
    };
    struct address_range range = {.bits = 7};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(address_range_parse(slice_of(cases[i].text), &range), cases[i].error);
    assert_int_equal(address_range_parse((struct slice){"10.0.0.1\0", 9}, &range), METE_E_SYNTAX);
    assert_int_equal(range.bits, 7);
}

static void an_address_is_written_as_people_do(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::", "255.255.255.255"};
    char text[ADDRESS_ROOM];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct address at = address(texts[i]);
        assert_int_equal(address_format(&at, text), strlen(texts[i]));
        assert_string_equal(text, texts[i]);
    }
    struct address nobody = {0};
    assert_int_equal(address_format(&nobody, text), 7);
    assert_string_equal(text, "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_holds_what_lies_in_it),
        cmocka_unit_test(each_prefix_length_against_its_definition),
        cmocka_unit_test(what_is_no_range_is_refused),
        cmocka_unit_test(an_address_is_written_as_people_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
