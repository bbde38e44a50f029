/* SPDX-License-Identifier: Apache-2.0
 * Proves, on texts of every script and of whatever the patterns look at, right and wrong UTF-8,
 * that a text counts after each piece of it as it would whole, wherever it is cut; that while it
 * goes on all pieces but the last two stay; that tokens are those of the textbook; and, by counting
 * the bytes that are merged, that no growth of a piece costs more than in proportion. */
#include "property/check_tokens.h"

#include "base/assert.h"
#include "property/tape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Of each rule, and p50k_base. Rules that no encoding of ours has cut for o200k_base's tokens. */
enum { TOKENIZERS = SPLIT_RULES + 1 };
static struct tokenizer *tokenizer_at(size_t i)
{
    static struct tokenizer *all[TOKENIZERS];
    static struct encoding others[SPLIT_RULES];
    static const char *const names[TOKENIZERS] = {"o200k_base", "cl100k_base",
                                                  "r50k_base", [SPLIT_RULES] = "p50k_base"};
    if (!all[i]) {
        const struct encoding *encoding =
            encoding_find(slice_of(names[i] ? names[i] : "o200k_base"));
        if (!names[i]) {
            others[i] = *encoding;
            others[i].rule = (enum split_rule)i;
            encoding = &others[i];
        }
        int status = tokenizer_open(encoding, &all[i]);
        ASSERT(status == 0);
    }
    return all[i];
}

static struct tokenizer *tokenizer_of(struct tape *tape)
{
    return tokenizer_at(tape_pick(tape, TOKENIZERS));
}

/* Rows of characters that a pattern treats alike, or that it looks for. */
static const char *const kinds[][8] = {
    {"a", "e", "s", "t", "l", "v"},
    {"A", "E", "S", "T", "Z", "\xC7\x85", "\xCE\xA9"},
    {"\xE4\xB8\xAD", "\xE7\x9A\x84", "\xE3\x81\xAE", "\xCA\xB0", "\xD7\x90"},
    {"\xCC\x81", "\xE0\xA4\xBE", "\xE2\x83\x9D"},
    {"'", "'s", "'ll", "'RE", "'\xC5\xBF", "'d", "'l", "'v"},
    {" "},
    {" ", "\t", "\xE3\x80\x80", "\xC2\xA0", "\xE2\x80\xA8"},
    {"\n", "\r", "\r\n", "\n "},
    {" ", "\n", "  \n"},
    {"0", "7", "42", "\xE2\x85\xA7", "\xD9\xA3"},
    {"-", "=", "*", "#", "/", ".", "!", "_"},
    {"/", "\n", "/\n"},
    {"\xF0\x9F\x98\x80", "\xE2\x80\x8D", "\xEF\xB8\x8F", "\xC2\xA9"},
    {"\xD0\xB6", "\xD0\xBE", "\xC3\xA9", "\xC3\x9F", "\xCE\xB1"},
    {"\x80", "\xC2", "\xE4\xB8", "\xF0\x9F\x98", "\xED\xA0\x80", "\xFF", "\xF4\x90\x80\x80"},
    {"the", " of", "don", " In", "HTTP", "ing", "<|endoftext|>"},
    {"\x01", "\xE2\x80\x8B", "\xEE\x80\x80"},
    {"\xE3\x83\xBB", "\xE3\x82\x99", "\xE3\x82\xA0", "\xE4\xB8\xAD", "\xE3\x80\x82"},
    {"ab", "abc", "aA", "a1",
     "\xE4\xB8\xAD"
     "A",
     "a\xE3\x81\xAE"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static size_t members(size_t kind)
{
    size_t n = 0;
    while (n < 8 && kinds[kind][n])
        n++;
    return n;
}

static void put_row(struct buffer *out, struct tape *tape, size_t repeats_max)
{
    size_t kind = tape_pick(tape, KINDS), count = members(kind);
    size_t times = 1 + (size_t)tape_u64(tape, repeats_max), one = tape_pick(tape, count);
    bool same = tape_chance(tape, 50);
    for (size_t i = 0; i < times; i++) {
        if (buffer_text(out, kinds[kind][same ? one : tape_pick(tape, count)]))
            return;
    }
}

static int property_streamed(struct tape *tape)
{
    struct tokenizer *tokenizer = tokenizer_of(tape);
    struct buffer text;
    buffer_init(&text, 6000);
    for (size_t rows = 1 + tape_pick(tape, 12); rows > 0; rows--)
        put_row(&text, tape, tape_chance(tape, 25) ? 400 : 6);
    int failed = check_streamed(tokenizer, buffer_slice(&text), tape, text.len / 200 + 1);
    buffer_done(&text);
    return failed;
}

/* A piece that is too long to be kept as it is, and what may come next to it. */
static int property_long(struct tape *tape)
{
    struct tokenizer *tokenizer = tokenizer_of(tape);
    struct buffer text;
    buffer_init(&text, 4000);
    put_row(&text, tape, 2);
    for (size_t longs = tape_pick(tape, 3); longs > 0; longs--) {
        put_row(&text, tape, 2);
        for (int i = 0; i < 3; i++)
            put_row(&text, tape, 150);
    }
    for (int i = 0; i < 4; i++)
        put_row(&text, tape, 1);
    int failed = check_streamed(tokenizer, buffer_slice(&text), tape, text.len / 200 + 1);
    buffer_done(&text);
    return failed;
}

/* A text in two pieces, for each place to cut it at. */
static int property_cut_at_every_byte(struct tape *tape)
{
    struct tokenizer *tokenizer = tokenizer_of(tape);
    struct buffer buffer;
    int failed = 0;
    buffer_init(&buffer, 500);
    for (size_t rows = 1 + tape_pick(tape, 6); rows > 0; rows--)
        put_row(&buffer, tape, tape_chance(tape, 15) ? 100 : 4);
    struct slice text = buffer_slice(&buffer);
    int64_t whole, part;
    int status = tokenizer_count(tokenizer, text, &whole);
    for (size_t at = 1; at < text.len && status == 0 && !failed; at++) {
        struct counter counter = {0};
        status = counter_feed(&counter, tokenizer, slice_part(text, 0, at));
        int64_t first = counter_total(&counter);
        status |= tokenizer_count(tokenizer, slice_part(text, 0, at), &part);
        status |= counter_feed(&counter, tokenizer, slice_from(text, at));
        failed = first != part || counter_total(&counter) != whole;
        if (failed)
            fprintf(stderr, "cut at %zu: %lld for %lld, %lld for %lld of %.*s\n", at,
                    (long long)first, (long long)part, (long long)counter_total(&counter),
                    (long long)whole, (int)text.len, text.data);
        counter_done(&counter);
    }
    ASSERT(status == 0);
    buffer_done(&buffer);
    return failed;
}

static int property_open(struct tape *tape)
{
    enum split_rule rule = (enum split_rule)tape_pick(tape, SPLIT_RULES);
    struct buffer text;
    buffer_init(&text, 400);
    for (size_t rows = 1 + tape_pick(tape, 8); rows > 0; rows--)
        put_row(&text, tape, 3);
    text.len = split_valid(buffer_slice(&text));
    int failed = check_open(rule, buffer_slice(&text));
    buffer_done(&text);
    return failed;
}

static int property_encoded(struct tape *tape)
{
    struct tokenizer *tokenizer = tokenizer_of(tape);
    struct buffer text;
    buffer_init(&text, 2000);
    for (size_t rows = 1 + tape_pick(tape, 8); rows > 0; rows--)
        put_row(&text, tape, tape_chance(tape, 25) ? 200 : 6);
    int failed = check_encoded(tokenizer, buffer_slice(&text));
    buffer_done(&text);
    return failed;
}

static void holds(const char *name, int (*property)(struct tape *), uint64_t tapes, size_t len_max)
{
    assert_int_equal(tape_run(name, property, tapes, len_max), 0);
}

static void a_text_counts_the_same_in_any_pieces(void **state)
{
    (void)state;
    holds("streamed", property_streamed, 2000, 600);
}

static void pieces_of_any_length_count_the_same_in_any_pieces(void **state)
{
    (void)state;
    holds("long", property_long, 2000, 300);
}

/* What each feed comes to, and the text so far whole. */
static void feed_and_compare(struct counter *counter, struct tokenizer *tokenizer,
                             struct buffer *text, const char *more)
{
    int64_t whole;
    assert_int_equal(buffer_text(text, more), 0);
    assert_int_equal(counter_feed(counter, tokenizer, slice_of(more)), 0);
    assert_int_equal(tokenizer_count(tokenizer, buffer_slice(text), &whole), 0);
    if (counter_total(counter) != whole)
        fail_msg("%s: %lld for %lld: %.*s", tokenizer_encoding(tokenizer)->name,
                 (long long)counter_total(counter), (long long)whole, (int)text->len, text->data);
}

static void see_behind(struct tokenizer *tokenizer, const char *rows, const char *const *behind)
{
    char room[1024];
    struct counter counter = {0};
    struct buffer text;
    buffer_init(&text, sizeof room);
    feed_and_compare(&counter, tokenizer, &text, rows);
    for (int i = 0; i < 2; i++)
        feed_and_compare(&counter, tokenizer, &text, behind[i]);
    buffer_done(&text);
    counter_done(&counter);
}

/* Two rows, one of them longer than what is kept of it, and behind them what there is, twice: each
 * pair of it from the first on that is so many further. */
static void see_rows(struct tokenizer *tokenizer, const char *first, const char *second, int times,
                     int times_second, size_t pair, size_t further)
{
    static const char *const behind[] = {
        "'s", "'", "ll", "e", "B",        "\xE4\xB8\xAD", " ",        "\n",
        "\t", "!", "/",  "1", "\xCC\x81", "\xE3\x80\x80", "\xE4\xB8", "\x01"};
    enum { BEHIND = sizeof behind / sizeof behind[0] };
    char rows[1024];
    size_t len = 0;
    for (int i = 0; i < times; i++)
        len += (size_t)snprintf(rows + len, sizeof rows - len, "%s", first);
    for (int i = 0; i < times_second; i++)
        len += (size_t)snprintf(rows + len, sizeof rows - len, "%s", second);
    for (size_t i = pair % further; i < BEHIND * BEHIND; i += further)
        see_behind(tokenizer, rows, (const char *[]){behind[i / BEHIND], behind[i % BEHIND]});
}

static void whatever_comes_behind_a_long_piece_counts_the_same(void **state)
{
    static const char *const units[] = {"a", "A", "\xE4\xB8\xAD", "\xCC\x81", " ",  "\n",
                                        "-", "1", "\xE3\x80\x80", "/",        " a", "aA"};
    enum { UNITS = sizeof units / sizeof units[0], SOME = 7 };
    (void)state;
    for (size_t rule = 0; rule < SPLIT_RULES; rule++) {
        struct tokenizer *tokenizer = tokenizer_at(rule);
        size_t further = rule == SPLIT_O200K || rule == SPLIT_CL100K ? 1 : SOME; /* cousins */
        for (size_t i = 0; i < UNITS * UNITS; i++) {
            see_rows(tokenizer, units[i / UNITS], units[i % UNITS], 100, 100, i, further);
            see_rows(tokenizer, units[i / UNITS], units[i % UNITS], 2, 100, i, further);
            see_rows(tokenizer, units[i / UNITS], units[i % UNITS], 100, 1, i, further);
        }
    }
}

static void a_text_counts_the_same_cut_at_every_byte(void **state)
{
    (void)state;
    holds("cut_at_every_byte", property_cut_at_every_byte, 1500, 100);
}

static void while_a_text_goes_on_all_pieces_but_two_stay(void **state)
{
    (void)state;
    holds("open", property_open, 5000, 100);
}

static void tokens_are_those_of_the_textbook(void **state)
{
    (void)state;
    holds("encoded", property_encoded, 3000, 200);
}

/* Bytes merged for a piece that grows by `step` bytes at a time. */
static uint64_t work_of(const struct encoding *encoding, const char *unit, size_t len, size_t step)
{
    struct merge_run run = {0};
    struct buffer text;
    buffer_init(&text, len + 16);
    while (text.len < len)
        assert_int_equal(buffer_text(&text, unit), 0);
    for (size_t at = 0; at < text.len; at += step) {
        size_t left = text.len - at;
        assert_int_equal(merge_more(&encoding->vocabulary, &run,
                                    slice_part(buffer_slice(&text), at, left < step ? left : step)),
                         0);
    }
    buffer_done(&text);
    merge_done(&run);
    return run.work;
}

static void a_piece_that_grows_is_merged_in_proportion(void **state)
{
    static const char *const units[] = {"a",
                                        "A",
                                        " ",
                                        "\n",
                                        "-",
                                        "=",
                                        "*",
                                        "#",
                                        "0",
                                        "ab",
                                        "abc",
                                        "\xE4\xB8\xAD",
                                        "\xE3\x80\x80",
                                        "\xF0\x9F\x98\x80",
                                        "\xCC\x81",
                                        "-----=======",
                                        "qwxzjkvbpy",
                                        "aaaaab"};
    (void)state;
    for (size_t e = 0; encoding_at(e); e++) {
        for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
            for (size_t step = 1; step <= 4096; step *= 16) {
                uint64_t once = work_of(encoding_at(e), units[u], 50000, step);
                uint64_t twice = work_of(encoding_at(e), units[u], 100000, step);
                if (twice * 10 > once * 22)
                    fail_msg("%s, %s, %zu bytes at a time: %llu, then %llu", encoding_at(e)->name,
                             units[u], step, (unsigned long long)once, (unsigned long long)twice);
            }
            assert_true(work_of(encoding_at(e), units[u], 1 << 20, 4096) < 10u << 20);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_counts_the_same_in_any_pieces),
        cmocka_unit_test(pieces_of_any_length_count_the_same_in_any_pieces),
        cmocka_unit_test(whatever_comes_behind_a_long_piece_counts_the_same),
        cmocka_unit_test(a_text_counts_the_same_cut_at_every_byte),
        cmocka_unit_test(while_a_text_goes_on_all_pieces_but_two_stay),
        cmocka_unit_test(tokens_are_those_of_the_textbook),
        cmocka_unit_test(a_piece_that_grows_is_merged_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
