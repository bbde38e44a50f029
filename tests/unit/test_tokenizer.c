/* SPDX-License-Identifier: Apache-2.0
 * Proves that pieces and tokens are those of tiktoken 0.14.0, on the vectors that it made
 * (tests/vectors/tokens), and that a text that streams in counts as the same text whole, wherever
 * it is cut. */
#include "codec/json_scan.h"
#include "tokens/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LINE_MAX_BYTES = 1 << 20, IDS_MAX = 1 << 16 };

static char line[LINE_MAX_BYTES], text_room[LINE_MAX_BYTES];

/* Each line of the file's, as a JSON object. */
static size_t each_line(const char *name, void (*see)(struct tokenizer *, struct json),
                        struct tokenizer *tokenizer)
{
    char path[256];
    size_t lines = 0;
    snprintf(path, sizeof path, "tests/vectors/tokens/%s.jsonl", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is not there", path);
    while (fgets(line, sizeof line, file)) {
        struct json row;
        assert_int_equal(json_scan((struct slice){line, strlen(line)}, &row, NULL), 0);
        see(tokenizer, row);
        lines++;
    }
    fclose(file);
    return lines;
}

static struct slice text_of(struct json row, const char *member)
{
    long len = json_string_copy(json_member(row, member), text_room, sizeof text_room);
    assert_true(len >= 0);
    return (struct slice){text_room, (size_t)len};
}

static size_t numbers_of(struct json list, uint32_t *ret_numbers)
{
    struct json value;
    size_t n = 0;
    for (size_t at = 0; json_next(list, &at, NULL, &value); n++) {
        int64_t number;
        assert_true(n < IDS_MAX);
        assert_int_equal(json_integer(value, &number), 0);
        ret_numbers[n] = (uint32_t)number;
    }
    return n;
}

static void see_ids(struct tokenizer *tokenizer, struct slice text, struct json ids, bool specials)
{
    static uint32_t expected[IDS_MAX];
    size_t expected_len = numbers_of(ids, expected);
    struct buffer out;
    buffer_init(&out, IDS_MAX * sizeof(uint32_t));
    assert_int_equal(tokenizer_encode(tokenizer, text, specials, &out), 0);
    if (!slice_equal(buffer_slice(&out),
                     (struct slice){(const char *)expected, expected_len * sizeof(uint32_t)}))
        fail_msg("%s: %.*s", tokenizer_encoding(tokenizer)->name, (int)text.len, text.data);
    buffer_done(&out);
    int64_t count;
    for (int times = 0; times < 2; times++) { /* the second one is known by then, if it is short */
        assert_int_equal(tokenizer_count(tokenizer, text, &count), 0);
        if (!specials)
            assert_int_equal(count, expected_len);
    }
}

static void see_row(struct tokenizer *tokenizer, struct json row)
{
    see_ids(tokenizer, text_of(row, "text"), json_member(row, "ids"), false);
}

static void see_special_row(struct tokenizer *tokenizer, struct json row)
{
    see_ids(tokenizer, text_of(row, "text"), json_member(row, "ids_allowed_special_all"), true);
}

static unsigned nibble(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void see_invalid_row(struct tokenizer *tokenizer, struct json row)
{
    struct slice hex = text_of(row, "hex");
    for (size_t i = 0; i < hex.len / 2; i++)
        text_room[i] = (char)(nibble(text_room[2 * i]) << 4 | nibble(text_room[2 * i + 1]));
    see_ids(tokenizer, (struct slice){text_room, hex.len / 2}, json_member(row, "ids"), false);
}

static void see_pieces_row(struct tokenizer *tokenizer, struct json row)
{
    static uint32_t lens[IDS_MAX];
    size_t n = numbers_of(json_member(row, "piece_bytes"), lens), at = 0;
    struct slice text = text_of(row, "text");
    for (size_t i = 0; i < n; i++) {
        size_t end = split_next(tokenizer_encoding(tokenizer)->rule, text, at);
        if (end - at != lens[i])
            fail_msg("piece %zu of %.*s", i, (int)text.len, text.data);
        at = end;
    }
    assert_int_equal(at, text.len);
}

/* Cut into pieces of 1 to 9 bytes. */
static void see_streamed_row(struct tokenizer *tokenizer, struct json row)
{
    struct slice text = text_of(row, "text");
    struct counter counter = {0};
    int64_t whole;
    for (size_t at = 0, step = 1; at < text.len; step = step % 9 + 1) {
        size_t len = text.len - at < step ? text.len - at : step;
        assert_int_equal(counter_feed(&counter, tokenizer, slice_part(text, at, len)), 0);
        at += len;
        assert_int_equal(tokenizer_count(tokenizer, slice_part(text, 0, at), &whole), 0);
        if (counter_total(&counter) != whole)
            fail_msg("%lld for %lld after %zu bytes of %.*s", (long long)counter_total(&counter),
                     (long long)whole, at, (int)text.len, text.data);
    }
    counter_done(&counter);
}

static void vectors(const char *encoding, const char *name, size_t rows,
                    void (*see)(struct tokenizer *, struct json))
{
    struct tokenizer *tokenizer;
    const struct encoding *found = encoding_find(slice_of(encoding));
    assert_non_null(found);
    assert_int_equal(tokenizer_open(found, &tokenizer), 0);
    assert_int_equal(each_line(name, see, tokenizer), rows);
    tokenizer_close(tokenizer);
}

static void ids_are_those_of_tiktoken(void **state)
{
    (void)state;
    vectors("o200k_base", "o200k", 838, see_row);
    vectors("o200k_harmony", "o200k", 838, see_row);
    vectors("cl100k_base", "cl100k", 838, see_row);
    vectors("p50k_base", "p50k", 821, see_row);
    vectors("p50k_edit", "p50k", 821, see_row);
    vectors("r50k_base", "r50k", 821, see_row);
}

static void special_tokens_are_one_where_they_are_allowed(void **state)
{
    (void)state;
    vectors("o200k_base", "special_o200k", 9, see_special_row);
    vectors("cl100k_base", "special_cl100k", 9, see_special_row);
}

static void wrong_utf8_is_the_replacement_character(void **state)
{
    (void)state;
    vectors("o200k_base", "invalid_utf8_o200k", 200, see_invalid_row);
    vectors("cl100k_base", "invalid_utf8_cl100k", 200, see_invalid_row);
    vectors("r50k_base", "invalid_utf8_r50k", 200, see_invalid_row);
}

static void pieces_are_those_of_the_patterns(void **state)
{
    (void)state;
    vectors("o200k_base", "pieces_o200k", 822, see_pieces_row);
    vectors("cl100k_base", "pieces_cl100k", 822, see_pieces_row);
    vectors("r50k_base", "pieces_r50k", 811, see_pieces_row);
}

static void what_streams_in_counts_as_if_it_were_whole(void **state)
{
    (void)state;
    vectors("o200k_base", "o200k", 838, see_streamed_row);
    vectors("cl100k_base", "cl100k", 838, see_streamed_row);
    vectors("r50k_base", "r50k", 821, see_streamed_row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_those_of_tiktoken),
        cmocka_unit_test(special_tokens_are_one_where_they_are_allowed),
        cmocka_unit_test(wrong_utf8_is_the_replacement_character),
        cmocka_unit_test(pieces_are_those_of_the_patterns),
        cmocka_unit_test(what_streams_in_counts_as_if_it_were_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
