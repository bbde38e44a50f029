/* SPDX-License-Identifier: Apache-2.0
 * Proves that a text can be cut between characters that have no bond (vocabulary.h): the ids of the
 * parts, one behind the other, are those of the whole. The texts are made of any wide and narrow
 * characters and of those that tokens hold, whole or in part, since it is there that merges would
 * reach over. */
#include "property/tape.h"
#include "tokens/merge.h"
#include "tokens/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { TEXT_MAX = 90, WIDE = 3 /* bytes of each character */, NAMES = 2 };

/* Those whose bonds are few enough to be of use. */
static const char *const names[NAMES] = {"o200k_base", "cl100k_base"};

struct text {
    uint8_t bytes[TEXT_MAX + 8]; /* zeros behind */
    size_t len;
};

static uint32_t draw(struct tape *tape, uint32_t count)
{
    uint32_t value = 0;
    for (int i = 0; i < 3; i++)
        value = value << 8 | tape_byte(tape);
    return value % count;
}

/* The character, if bonds are told of it. */
static void put(struct text *text, uint32_t code_point)
{
    bool wide = vocabulary_wide(code_point);
    if ((!wide && !vocabulary_narrow(code_point)) || text->len + WIDE > TEXT_MAX)
        return;
    if (wide) {
        text->bytes[text->len++] = (uint8_t)(0xE0 | code_point >> 12);
        text->bytes[text->len++] = (uint8_t)(0x80 | (code_point >> 6 & 63));
        code_point = 0x80 | (code_point & 63);
    }
    text->bytes[text->len++] = (uint8_t)code_point;
}

/* Those of a token; bytes of one that it does not hold are drawn. */
static void put_token(struct text *text, struct tape *tape, struct slice token)
{
    const uint8_t *bytes = (const uint8_t *)token.data;
    size_t at = 0;
    while (at < token.len && at < WIDE && (bytes[at] & 0xC0) == 0x80)
        at++;
    if (at > 0 && at < WIDE) {
        uint32_t begun = 0xE2 + draw(tape, 14);
        uint32_t second = at == 2 ? bytes[0] : 0x80 + draw(tape, 64);
        put(text, (begun & 15) << 12 | (second & 63) << 6 | (bytes[at - 1] & 63u));
    }
    for (; at < token.len; at++) {
        if (bytes[at] < 0x80)
            put(text, bytes[at]);
        if ((bytes[at] & 0xF0) != 0xE0)
            continue;
        uint32_t second = at + 1 < token.len ? bytes[at + 1] : 0x80 + draw(tape, 64);
        uint32_t third = at + 2 < token.len ? bytes[at + 2] : 0x80 + draw(tape, 64);
        put(text, (bytes[at] & 15u) << 12 | (second & 63) << 6 | (third & 63));
    }
}

/* Tokens that hold a wide character are looked for: others have no bond of one. */
static uint32_t draw_token(struct tape *tape, const struct vocabulary *v)
{
    uint32_t token = draw(tape, v->tokens_len);
    for (uint32_t tries = 0; tries < 500; tries++) {
        struct slice bytes = vocabulary_bytes(v, token);
        for (size_t i = 0; i < bytes.len; i++) {
            if ((bytes.data[i] & 0xF0) == 0xE0)
                return token;
        }
        token = (token + 1) % v->tokens_len;
    }
    return token;
}

static void make_text(struct text *text, struct tape *tape, const struct vocabulary *v)
{
    *text = (struct text){.len = 0};
    for (unsigned tries = 0; text->len + WIDE <= TEXT_MAX && tries < 200 && !tape_done(tape);
         tries++) {
        if (tape_chance(tape, 20))
            put(text, draw(tape, tape_chance(tape, 50) ? 0x80 : 0x10000));
        else
            put_token(text, tape, vocabulary_bytes(v, draw_token(tape, v)));
    }
}

static struct slice part_of(const struct text *text, size_t from, size_t to)
{
    return (struct slice){(const char *)text->bytes + from, to - from};
}

static size_t character_len(const struct text *text, size_t at)
{
    return text->bytes[at] < 0x80 ? 1 : WIDE;
}

/* Where the text that begins at `at` can be cut. */
static size_t next_cut(const struct vocabulary *v, const struct text *text, size_t at)
{
    for (size_t len, behind;; at += len) {
        len = character_len(text, at);
        if (at + len == text->len)
            return text->len;
        behind = character_len(text, at + len);
        if (len + behind > 2 && !vocabulary_bonded(v, text->bytes + at, (unsigned)(len + behind)))
            return at + len;
    }
}

static int merges_stop_where_there_is_no_bond(struct tape *tape)
{
    const struct vocabulary *v =
        &encoding_find(slice_of(names[tape_pick(tape, NAMES)]))->vocabulary;
    struct text text;
    uint32_t whole[TEXT_MAX], parts[TEXT_MAX], parts_len = 0;
    make_text(&text, tape, v);
    uint32_t whole_len = text.len ? merge_short(v, part_of(&text, 0, text.len), whole) : 0;
    for (size_t from = 0, to; from < text.len; from = to) {
        to = next_cut(v, &text, from);
        parts_len += merge_short(v, part_of(&text, from, to), parts + parts_len);
    }
    HOLDS(parts_len == whole_len);
    HOLDS(memcmp(parts, whole, whole_len * sizeof *whole) == 0);
    return 0;
}

static void run_merges_stop_where_there_is_no_bond(void **state)
{
    (void)state;
    assert_int_equal(tape_run("merges_stop_where_there_is_no_bond",
                              merges_stop_where_there_is_no_bond, 20000, 400),
                     0);
}

/* So that most of a Chinese text is cut into its characters. */
static void few_ideographs_have_a_bond(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        const struct encoding *encoding = encoding_find(slice_of(names[i]));
        unsigned bonds = 0;
        assert_non_null(encoding);
        assert_non_null(encoding->vocabulary.bonds);
        for (uint32_t n = 0; n < 10000; n++) {
            struct text text = {.len = 0};
            put(&text, 0x4E00 + n * 7919 % 0x5000);
            put(&text, 0x4E00 + n * 104729 % 0x5000);
            bonds += vocabulary_bonded(&encoding->vocabulary, text.bytes, 2 * WIDE);
        }
        assert_in_range(bonds, 1, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_merges_stop_where_there_is_no_bond),
        cmocka_unit_test(few_ideographs_have_a_bond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
