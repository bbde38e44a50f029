/* SPDX-License-Identifier: Apache-2.0
 * Proves whom a request comes from behind proxies: the rightmost address that is no trusted
 * proxy's, in both headers and every form of an address, over several lines; and that nothing a
 * client writes itself is believed, whatever it leaves open, doubled or malformed. */
#include "codec/forwarded.h"
#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define PROXY "10.0.0.1"

static struct address address(const char *text)
{
    struct address found = {0};
    assert_int_equal(address_parse(slice_of(text), &found), 0);
    return found;
}

/* In memory of just its length, so that reading past it is seen. */
static void line(struct forwarded *forwarded, enum forwarded_form form, const char *text)
{
    static const char *const texts[] = {"10.0.0.0/8", "2001:db8:ffff::/48"};
    struct address_range ranges[2];
    const struct forwarded_trust trust = {ranges, 2};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(address_range_parse(slice_of(texts[i]), &ranges[i]), 0);
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    forwarded_line(forwarded, form, &trust, (struct slice){copy, len});
    free(copy);
}

/* X-Forwarded-For and Forwarded, each a line or NULL. */
static const char *client_of(const char *peer_text, const char *list_text, const char *pairs_text)
{
    static char text[ADDRESS_ROOM];
    struct address peer = address(peer_text);
    struct forwarded list, pairs;
    forwarded_begin(&list, &peer);
    forwarded_begin(&pairs, &peer);
    if (list_text)
        line(&list, FORWARDED_LIST, list_text);
    if (pairs_text)
        line(&pairs, FORWARDED_PAIRS, pairs_text);
    struct address client = forwarded_client(&peer, &list, &pairs);
    address_format(&client, text);
    return text;
}

#define LIST(text, wanted) assert_string_equal(client_of(PROXY, text, NULL), wanted)
#define PAIRS(text, wanted) assert_string_equal(client_of(PROXY, NULL, text), wanted)

static void the_rightmost_that_is_no_proxy(void **state)
{
    (void)state;
    LIST("192.0.2.7", "192.0.2.7");
    LIST("192.0.2.7, 10.0.0.2", "192.0.2.7");
    LIST("192.0.2.7,10.0.0.3 ,\t10.0.0.2", "192.0.2.7");
    LIST("192.0.2.7, 2001:db8:ffff::9", "192.0.2.7");
    LIST("10.0.0.9, 10.0.0.2", "10.0.0.9"); /* all of them: the first that asked */
    PAIRS("for=192.0.2.7", "192.0.2.7");
    PAIRS("For=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1", "2001:db8::7");
    PAIRS("by=10.0.0.1; for=192.0.2.7 ;host=\"a,b;c\", for=10.0.0.2", "192.0.2.7");
    assert_string_equal(client_of("192.0.2.1", NULL, NULL), "192.0.2.1");
    assert_string_equal(client_of(PROXY, NULL, NULL), PROXY);
}

static void what_a_client_writes_is_not_believed(void **state)
{
    (void)state;
    /* Who is no proxy may say what it likes. */
    assert_string_equal(client_of("192.0.2.1", "198.51.100.1", NULL), "192.0.2.1");
    assert_string_equal(client_of("192.0.2.1", NULL, "for=198.51.100.1"), "192.0.2.1");
    assert_string_equal(client_of("192.0.2.1", "10.0.0.1, 198.51.100.1", "for=1.2.3.4"),
                        "192.0.2.1");
    /* What it sent stands left of what the proxy appended. */
    LIST("198.51.100.1, 192.0.2.7", "192.0.2.7");
    LIST("198.51.100.1, 10.0.0.5, 192.0.2.7", "192.0.2.7");
    LIST("10.0.0.5, 192.0.2.7, 10.0.0.2", "192.0.2.7");
    PAIRS("for=198.51.100.1, for=192.0.2.7", "192.0.2.7");
    PAIRS("for=198.51.100.1;x=\", for=192.0.2.7", "192.0.2.7"); /* an open quote */
    PAIRS("for=\"198.51.100.1, for=192.0.2.7", "192.0.2.7");
    PAIRS("for=\"\\\", for=192.0.2.7", "unknown");
    PAIRS("for=192.0.2.7;host=\"a\\\", for=198.51.100.1;x=\\\"\"", "unknown");
    LIST("\", 192.0.2.7", "192.0.2.7");
    LIST("\"198.51.100.1\", 192.0.2.7", "192.0.2.7");
}

static void the_other_header_is_not_believed_either(void **state)
{
    (void)state;
    assert_string_equal(client_of(PROXY, "192.0.2.7", "for=198.51.100.1"), "unknown");
    assert_string_equal(client_of(PROXY, "192.0.2.7", "for=unknown"), "unknown");
    assert_string_equal(client_of(PROXY, "nonsense", "for=192.0.2.7"), "unknown");
    assert_string_equal(client_of(PROXY, "192.0.2.7", "for=\"192.0.2.7:80\""), "192.0.2.7");
    assert_string_equal(client_of(PROXY, "", "for=192.0.2.7"), "192.0.2.7"); /* says nothing */
}

static void forms_of_an_address(void **state)
{
    (void)state;
    LIST("192.0.2.7:8080", "192.0.2.7");
    LIST("2001:db8::7", "2001:db8::7");
    LIST("[2001:db8::7]", "2001:db8::7");
    LIST("[2001:db8::7]:80", "2001:db8::7");
    LIST("::ffff:192.0.2.7", "192.0.2.7");
    LIST("192.0.2.7,", "192.0.2.7"); /* an empty entry is none */
    LIST(" , ,192.0.2.7, ,", "192.0.2.7");
    static const char *const wrong[] = {
        "unknown",      "_hidden",           "192.0.2.7:",   "192.0.2.7:x", "192.0.2.7:123456",
        "[192.0.2.7]",  "[2001:db8::7",      "2001:db8::7]", "[]",          "[2001:db8::7]80",
        "192.0.2",      "192.0.2.7 x",       "192.0.2.7/24", "[::1]:",      ":80",
        "fe80::1%eth0", "192.0.2.7;10.0.0.1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        LIST(wrong[i], "unknown");
    static const char *const pairs[] = {"for",
                                        "for=",
                                        "for=unknown",
                                        "for=_x",
                                        "proto=https",
                                        "192.0.2.7",
                                        "fort=192.0.2.7",
                                        "for=1.2.3.4;for=192.0.2.7",
                                        "for=\"192.0.2.7",
                                        "for =192.0.2.7"};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        PAIRS(pairs[i], "unknown");
}

/* A field that is there several times is one list (RFC 9110 5.3). */
static void several_lines_are_one(void **state)
{
    (void)state;
    struct address peer = address(PROXY), wanted = address("192.0.2.7");
    struct forwarded list;
    forwarded_begin(&list, &peer);
    line(&list, FORWARDED_LIST, "10.0.0.2");
    line(&list, FORWARDED_LIST, "192.0.2.7");
    line(&list, FORWARDED_LIST, "198.51.100.1"); /* the first, which the client sent */
    assert_true(list.at.is_known);
    assert_memory_equal(list.at.bytes, wanted.bytes, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rightmost_that_is_no_proxy),
        cmocka_unit_test(what_a_client_writes_is_not_believed),
        cmocka_unit_test(the_other_header_is_not_believed_either),
        cmocka_unit_test(forms_of_an_address),
        cmocka_unit_test(several_lines_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
