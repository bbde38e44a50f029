/* SPDX-License-Identifier: Apache-2.0
 * Proves that documents are accepted or refused at the right byte, that members, strings and
 * numbers mean what RFC 8259 says, and that what is quoted reads back: by tables. prop_codec and
 * fuzz_json hold the same code against another parser. */
#include "codec/json_scan.h"

#include "base/buffer.h"
#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* The text in memory of exactly its size, so that a sanitizer sees any byte read beyond it. */
static struct slice exact(const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    return (struct slice){copy, len};
}

static void drop(struct slice text)
{
    free((void *)(uintptr_t)text.data);
}

static struct json parse(const char *text)
{
    struct json value = {JSON_NONE, {0}};
    assert_int_equal(json_scan(slice_of(text), &value, NULL), 0);
    return value;
}

static void documents_are_accepted_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text, *raw;
        enum json_type type;
    } rows[] = {
        {"{}", "{}", JSON_OBJECT},
        {" \t\r\n[ ] \n", "[ ]", JSON_ARRAY},
        {"null", "null", JSON_NULL},
        {"true ", "true", JSON_TRUE},
        {" false", "false", JSON_FALSE},
        {"0", "0", JSON_NUMBER},
        {"-0.5e+10", "-0.5e+10", JSON_NUMBER},
        {"\"\"", "\"\"", JSON_STRING},
        {"\"a\\\"b\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "\"a\\\"b\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
         JSON_STRING},
        {"\"\\ud800\"", "\"\\ud800\"", JSON_STRING},
        {"[1,[2,{\"a\":[]}],{}]", "[1,[2,{\"a\":[]}],{}]", JSON_ARRAY},
        {"{\"a\" : 1 , \"b\":{\"c\":null}}", "{\"a\" : 1 , \"b\":{\"c\":null}}", JSON_OBJECT},
        {"\"caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80 \xef\xbf\xbf \xed\x9f\xbf\"",
         "\"caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80 \xef\xbf\xbf \xed\x9f\xbf\"",
         JSON_STRING},
        {"\"\x7f\xf4\x8f\xbf\xbf\"", "\"\x7f\xf4\x8f\xbf\xbf\"", JSON_STRING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice text = exact(rows[i].text);
        struct json value;
        assert_int_equal(json_scan(text, &value, NULL), 0);
        assert_int_equal(value.type, rows[i].type);
        assert_true(slice_is(value.raw, rows[i].raw));
        drop(text);
    }
}

static void other_texts_are_refused_at_the_wrong_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } rows[] = {
        {"", 0},
        {"  ", 2},
        {"nul", 3},
        {"nulx", 3},
        {"True", 0},
        {"01", 1},
        {"-", 1},
        {"+1", 0},
        {".5", 0},
        {"1.", 2},
        {"1.e5", 2},
        {"1e", 2},
        {"1e+", 3},
        {"NaN", 0},
        {"1 2", 2},
        {"{", 1},
        {"[", 1},
        {"[1", 2},
        {"[1,", 3},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"[1}", 2},
        {"{]", 1},
        {"{\"a\"", 4},
        {"{\"a\":", 5},
        {"{\"a\":}", 5},
        {"{\"a\" 1}", 5},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1},
        {"{1:1}", 1},
        {"{\"a\":1 \"b\":2}", 7},
        {"{}}", 2},
        {"\"", 1},
        {"\"abc", 4},
        {"\"a\nb\"", 2},
        {"\"a\x1f\"", 2},
        {"\"abcdefgh\x01\"", 9},
        {"\"abcd\x1f"
         "efghijklmnop\"",
         5},
        {"\"\\x\"", 2},
        {"\"\\", 2},
        {"\"\\u12g4\"", 5},
        {"\"\\u12", 5},
        {"'a'", 0},
        {"\"\x80\"", 1},
        {"\"\xc0\xaf\"", 1},
        {"\"\xc1\xbf\"", 1},
        {"\"\xe0\x9f\xbf\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"\"\xf0\x8f\xbf\xbf\"", 1},
        {"\"\xf4\x90\x80\x80\"", 1},
        {"\"\xf5\x80\x80\x80\"", 1},
        {"\"\xff\"", 1},
        {"\"ab\xe4\xb8\"", 3},
        {"\"abcdefghijk\xe4\xb8", 12},
        {"\xef\xbb\xbf{}", 0},
        {"/*c*/1", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice text = exact(rows[i].text);
        struct json value = {JSON_NULL, {0}};
        size_t at = 4711;
        assert_int_equal(json_scan(text, &value, &at), METE_E_SYNTAX);
        assert_int_equal(at, rows[i].at);
        assert_int_equal(value.type, JSON_NULL);
        drop(text);
    }
}

static void nul_bytes_are_never_part_of_a_document(void **state)
{
    (void)state;
    struct json value;
    size_t at;
    assert_int_equal(json_scan((struct slice){"1\0", 2}, &value, &at), METE_E_SYNTAX);
    assert_int_equal(at, 1);
    assert_int_equal(json_scan((struct slice){"\"\0\"", 3}, &value, &at), METE_E_SYNTAX);
    assert_int_equal(at, 1);
    assert_int_equal(json_scan((struct slice){"\0", 1}, &value, &at), METE_E_SYNTAX);
    assert_int_equal(json_scan((struct slice){"[\0]", 3}, &value, &at), METE_E_SYNTAX);
    assert_int_equal(json_scan((struct slice){"\"\\\0\"", 4}, &value, &at), METE_E_SYNTAX);
    assert_int_equal(json_scan((struct slice){NULL, 0}, &value, &at), METE_E_SYNTAX);
}

static void nesting_has_its_depth_and_remembers_its_kinds(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 16];
    for (unsigned depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct json value;
        size_t at = 0;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int rc = json_scan((struct slice){text, (size_t)2 * depth}, &value, &at);
        assert_int_equal(rc, depth > JSON_DEPTH_MAX ? METE_E_TOO_LARGE : 0);
        assert_int_equal(at, depth > JSON_DEPTH_MAX ? JSON_DEPTH_MAX : 0);
    }
    /* Around the seam of the two words of bits: [[…{"":[]}…]] closed rightly, then wrongly. */
    static const char middle[] = "{\"\":[{\"\":1}]}";
    for (size_t outer = 60; outer < 66; outer++) {
        struct json value;
        size_t len = 2 * outer + sizeof middle - 1;
        memset(text, '[', outer);
        memcpy(text + outer, middle, sizeof middle - 1);
        memset(text + len - outer, ']', outer);
        assert_int_equal(json_scan((struct slice){text, len}, &value, NULL), 0);
        for (size_t i = outer + 9; i < len; i++) {
            text[i] ^= '[' ^ '{';
            assert_int_equal(json_scan((struct slice){text, len}, &value, NULL), METE_E_SYNTAX);
            text[i] ^= '[' ^ '{';
        }
    }
}

static void members_and_elements_are_walked_in_order(void **state)
{
    (void)state;
    struct json key, value,
        object = parse("{ \"a\" : [1,\"]\",{}] ,\"b\":{\"x\":\"}\\\"\"},\"c\":-1e5 }");
    static const char *const expected[] = {"\"a\"", "[1,\"]\",{}]", "\"b\"", "{\"x\":\"}\\\"\"}",
                                           "\"c\"", "-1e5"};
    size_t at = 0, i = 0;
    for (; json_next(object, &at, &key, &value); i += 2) {
        assert_true(slice_is(key.raw, expected[i]));
        assert_true(slice_is(value.raw, expected[i + 1]));
        assert_int_equal(key.type, JSON_STRING);
    }
    assert_int_equal(i, 6);
    assert_false(json_next(object, &at, &key, &value));

    struct json array = parse("[ 1 , \"a,b\",[ ], {},true ,null]");
    static const enum json_type types[] = {JSON_NUMBER, JSON_STRING, JSON_ARRAY,
                                           JSON_OBJECT, JSON_TRUE,   JSON_NULL};
    for (at = 0, i = 0; json_next(array, &at, &key, &value); i++) {
        assert_int_equal(key.type, JSON_NONE);
        assert_int_equal(value.type, types[i]);
    }
    assert_int_equal(i, 6);
    at = 0;
    assert_false(json_next(parse("[ ]"), &at, NULL, &value));
    at = 0;
    assert_false(json_next(parse("{}"), &at, NULL, &value));
    at = 0;
    assert_false(json_next(parse("12"), &at, NULL, &value));
}

static void members_are_found_by_their_unescaped_name(void **state)
{
    (void)state;
    struct json object = parse("{\"model\":1,\"mo\\u0064el\":2,\"models\":3,\"\":4,\"e\\u00e9\":5,"
                               "\"nested\":{\"model\":9},\"m\\u0000\":6}");
    assert_true(slice_is(json_member(object, "model").raw, "2"));
    assert_int_equal(json_count(object, "model"), 2);
    assert_true(slice_is(json_member(object, "").raw, "4"));
    assert_true(slice_is(json_member(object, "e\xc3\xa9").raw, "5"));
    assert_int_equal(json_member(object, "mode").type, JSON_NONE);
    assert_int_equal(json_member(object, "m").type, JSON_NONE);
    assert_int_equal(json_count(object, "absent"), 0);
    assert_int_equal(json_member(parse("[\"model\",1]"), "model").type, JSON_NONE);
    assert_int_equal(json_count(parse("[\"model\",1]"), "model"), 0);
    assert_int_equal(json_member(json_member(object, "absent"), "model").type, JSON_NONE);
}

static void strings_are_unescaped_within_their_room(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
        size_t len;
    } rows[] = {
        {"\"\"", "", 0},
        {"\"plain\"", "plain", 5},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0041\\u00e9\\u4E2d\\uFFFF\"", "A\xc3\xa9\xe4\xb8\xad\xef\xbf\xbf", 9},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4},
        {"\"\\ud83d\"", "\xef\xbf\xbd", 3},
        {"\"\\ude00\"", "\xef\xbf\xbd", 3},
        {"\"\\ude00\\ude00\"", "\xef\xbf\xbd\xef\xbf\xbd", 6},
        {"\"\\ud83dx\"", "\xef\xbf\xbdx", 4},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n", 4},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7},
        {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd\x41", 4},
        {"\"a\\u0000b\"", "a\0b", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json string = parse(rows[i].json);
        char room[16];
        memset(room, '#', sizeof room);
        assert_int_equal(json_string_bytes(string), rows[i].len);
        assert_int_equal(json_string_copy(string, room, rows[i].len), (long)rows[i].len);
        assert_memory_equal(room, rows[i].text, rows[i].len);
        assert_int_equal(room[rows[i].len], '#');
        if (rows[i].len)
            assert_int_equal(json_string_copy(string, room, rows[i].len - 1), -1);
        if (strlen(rows[i].text) == rows[i].len)
            assert_true(json_string_is(string, rows[i].text));
        assert_false(json_string_is(string, "something else"));
    }
    assert_false(json_string_is(parse("\"a\\u0000b\""), "a"));
    assert_false(json_string_is(parse("1"), "1"));
    assert_int_equal(json_string_copy(parse("1"), NULL, 0), -1);
    assert_int_equal(json_string_bytes(parse("[]")), 0);
}

static void whole_numbers_are_read_however_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        int64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"4096", 0, 4096},
        {"1.0", 0, 1},
        {"1e3", 0, 1000},
        {"2500E-2", 0, 25},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", METE_E_TOO_LARGE, 0},
        {"1e400", METE_E_TOO_LARGE, 0},
        {"1.5", METE_E_INVALID, 0},
        {"1e-1", METE_E_INVALID, 0},
        {"\"1\"", METE_E_INVALID, 0},
        {"null", METE_E_INVALID, 0},
        {"10000000000000000000000000000000000000000000000000000000000000000", METE_E_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 4711;
        assert_int_equal(json_integer(parse(rows[i].text), &value), rows[i].rc);
        assert_true(value == (rows[i].rc ? 4711 : rows[i].value));
    }
}

static void what_is_quoted_is_valid_and_reads_back(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"", "\"\""},
        {"plain text over eight", "\"plain text over eight\""},
        {"a\"b\\c/\b\f\n\r\t\x01\x1f\x7f", "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"\xe4\xb8\xad\xf0\x9f\x98\x80", "\"\xe4\xb8\xad\xf0\x9f\x98\x80\""},
        {"a\xffz\xed\xa0\x80", "\"a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"cut \xe4\xb8", "\"cut \xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer out;
        struct json value;
        struct slice text = exact(rows[i].text);
        buffer_init(&out, 1000);
        assert_int_equal(json_quote(&out, text), 0);
        assert_true(slice_is(buffer_slice(&out), rows[i].json));
        assert_int_equal(json_scan(buffer_slice(&out), &value, NULL), 0);
        buffer_done(&out);
        drop(text);
    }
    struct buffer out;
    buffer_init(&out, 8);
    assert_int_equal(buffer_text(&out, "[1,"), 0);
    assert_int_equal(json_quote(&out, SLICE_LITERAL("ab\n")), METE_E_TOO_LARGE);
    assert_true(slice_is(buffer_slice(&out), "[1,"));
    assert_int_equal(json_quote(&out, SLICE_LITERAL("abc")), 0);
    assert_true(slice_is(buffer_slice(&out), "[1,\"abc\""));
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_accepted_whole),
        cmocka_unit_test(other_texts_are_refused_at_the_wrong_byte),
        cmocka_unit_test(nul_bytes_are_never_part_of_a_document),
        cmocka_unit_test(nesting_has_its_depth_and_remembers_its_kinds),
        cmocka_unit_test(members_and_elements_are_walked_in_order),
        cmocka_unit_test(members_are_found_by_their_unescaped_name),
        cmocka_unit_test(strings_are_unescaped_within_their_room),
        cmocka_unit_test(whole_numbers_are_read_however_written),
        cmocka_unit_test(what_is_quoted_is_valid_and_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
