/* SPDX-License-Identifier: Apache-2.0
 * Proves that an encoding read from a file counts as its maker's would: r50k_base, written as each
 * kind of file, gives r50k_base's tokens again under the file's ids; the patterns that are known
 * are known by their text; and what a file asks for that is not done is refused by name. */
#include "codec/json_scan.h"
#include "mete.h"
#include "tokens/import.h"
#include "tokens/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct buffer file;
static char why[IMPORT_WHY];

static void put(const char *text)
{
    assert_int_equal(buffer_text(&file, text), 0);
}

static void put_byte(uint8_t byte)
{
    assert_int_equal(buffer_append(&file, (struct slice){(const char *)&byte, 1}), 0);
}

static void file_open(void)
{
    buffer_done(&file);
    buffer_init(&file, 64u << 20);
}

static struct encoding *import_file(const char *pattern)
{
    struct encoding *encoding = NULL;
    struct import import = {.name = "x", .pattern = pattern, .file = buffer_slice(&file)};
    why[0] = 0;
    return import_encoding(&import, &encoding, why) ? NULL : encoding;
}

/* ---- r50k_base as files ---------------------------------------------------------------------- */

static const struct vocabulary *r50k(void)
{
    return &encoding_find(slice_of("r50k_base"))->vocabulary;
}

static void put_base64(struct slice token)
{
    const uint8_t *bytes = (const uint8_t *)token.data;
    size_t len = token.len;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned b = (unsigned)bytes[i] << 16 | (i + 1 < len ? (unsigned)bytes[i + 1] << 8 : 0) |
                     (i + 2 < len ? bytes[i + 2] : 0u);
        char four[5] = {digits[b >> 18], digits[b >> 12 & 63],
                        i + 1 < len ? digits[b >> 6 & 63] : '=',
                        i + 2 < len ? digits[b & 63] : '='};
        put(four);
    }
}

/* A byte in the alphabet of GPT-2, inside a JSON string. */
static void put_letter(uint8_t byte)
{
    bool seen = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    unsigned c = byte;
    if (!seen)
        c = 256u + (byte < 33 ? byte : byte == 173 ? 67u : byte - 127u + 33u);
    if (byte == '"' || byte == '\\')
        put_byte('\\');
    if (c < 0x80) {
        put_byte((uint8_t)c);
    } else {
        put_byte((uint8_t)(0xC0 | c >> 6));
        put_byte((uint8_t)(0x80 | (c & 63)));
    }
}

static void put_token(const struct vocabulary *v, uint32_t token)
{
    struct slice bytes = vocabulary_bytes(v, token);
    for (size_t i = 0; i < bytes.len; i++)
        put_letter((uint8_t)bytes.data[i]);
}

enum { IDS = 60000 }; /* an id here is this many less the rank */

static void put_model(const struct vocabulary *v, bool arrays, const char *more)
{
    char number[40];
    put("\"model\": {\"type\": \"BPE\", \"dropout\": null, \"byte_fallback\": false, ");
    put(more);
    put("\"vocab\": {");
    for (uint32_t i = v->tokens_len; i-- > 0;) {
        put("\"");
        put_token(v, i);
        snprintf(number, sizeof number, "\": %u%s", IDS - i, i ? ", " : "}, \"merges\": [");
        put(number);
    }
    const char *between = "";
    for (uint32_t i = 0; i < v->tokens_len; i++) {
        if (vocabulary_len(v, i) < 2)
            continue;
        put(between);
        put(arrays ? "[\"" : "\"");
        put_token(v, v->halves[2 * i]);
        put(arrays ? "\", \"" : " ");
        put_token(v, v->halves[2 * i + 1]);
        put(arrays ? "\"]" : "\"");
        between = ", ";
    }
    put("]}");
}

static void put_json(bool arrays)
{
    file_open();
    put("{\"normalizer\": {\"type\": \"NFC\"}, \"pre_tokenizer\": {\"type\": \"ByteLevel\", "
        "\"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}, ");
    put("\"added_tokens\": [{\"id\": 60001, \"content\": \"[INST]\", \"special\": true}, "
        "{\"id\": 60002, \"content\": \"<\xEF\xBD\x9C"
        "end>\"}], ");
    put_model(r50k(), arrays, "\"ignore_merges\": false, ");
    put("}");
}

/* Each text of the vectors has r50k_base's tokens, their numbers being id_of the ranks. */
static void assert_is_r50k(const struct encoding *encoding, uint32_t ids)
{
    static char line[1 << 20], room[1 << 20];
    struct tokenizer *ours, *other;
    struct buffer expected, found;
    FILE *rows = fopen("tests/vectors/tokens/r50k.jsonl", "r");
    assert_non_null(rows);
    assert_int_equal(tokenizer_open(encoding_find(slice_of("r50k_base")), &ours), 0);
    assert_int_equal(tokenizer_open(encoding, &other), 0);
    buffer_init(&expected, 1u << 22);
    buffer_init(&found, 1u << 22);
    while (fgets(line, sizeof line, rows)) {
        struct json row;
        assert_int_equal(json_scan(slice_of(line), &row, NULL), 0);
        long len = json_string_copy(json_member(row, "text"), room, sizeof room);
        struct slice text = {room, (size_t)len};
        buffer_clear(&expected);
        buffer_clear(&found);
        assert_int_equal(tokenizer_encode(ours, text, false, &expected), 0);
        assert_int_equal(tokenizer_encode(other, text, false, &found), 0);
        assert_int_equal(expected.len, found.len);
        for (size_t i = 0; i < found.len; i += sizeof(uint32_t)) {
            uint32_t rank, id;
            memcpy(&rank, expected.data + i, sizeof rank);
            memcpy(&id, found.data + i, sizeof id);
            assert_int_equal(id, ids ? ids - rank : rank);
        }
    }
    buffer_done(&expected);
    buffer_done(&found);
    tokenizer_close(ours);
    tokenizer_close(other);
    fclose(rows);
}

static void a_file_of_ranks_is_the_encoding_it_was_written_from(void **state)
{
    char number[40];
    (void)state;
    file_open();
    for (uint32_t i = 0; i < r50k()->tokens_len; i++) {
        put_base64(vocabulary_bytes(r50k(), i));
        snprintf(number, sizeof number, " %u\n", i);
        put(number);
    }
    struct encoding *encoding = import_file("r50k");
    assert_string_equal(why, "");
    assert_non_null(encoding);
    assert_int_equal(encoding->rule, SPLIT_R50K);
    assert_is_r50k(encoding, 0);
    import_free(encoding);
}

static void a_tokenizer_json_is_the_encoding_it_was_written_from(void **state)
{
    (void)state;
    for (int arrays = 0; arrays < 2; arrays++) {
        put_json(arrays);
        struct encoding *encoding = import_file(NULL);
        assert_string_equal(why, "");
        assert_non_null(encoding);
        assert_is_r50k(encoding, IDS);
        import_free(encoding);
    }
}

static void added_tokens_are_special_ones(void **state)
{
    struct tokenizer *tokenizer;
    struct buffer ids;
    uint32_t found[3];
    (void)state;
    put_json(false);
    struct encoding *encoding = import_file(NULL);
    assert_non_null(encoding);
    assert_int_equal(tokenizer_open(encoding, &tokenizer), 0);
    buffer_init(&ids, 1000);
    struct slice text = SLICE_LITERAL("[INST]a<\xEF\xBD\x9C"
                                      "end>");
    assert_int_equal(tokenizer_encode(tokenizer, text, true, &ids), 0);
    assert_int_equal(ids.len, sizeof found);
    memcpy(found, ids.data, sizeof found);
    assert_int_equal(found[0], 60001);
    assert_int_equal(found[1], IDS - r50k()->of_byte['a']);
    assert_int_equal(found[2], 60002);
    buffer_done(&ids);
    tokenizer_close(tokenizer);
    import_free(encoding);
}

/* ---- Small files ----------------------------------------------------------------------------- */

/* A model of all bytes and what is added to them; a byte's id is its place. */
static void put_small(const char *before, const char *vocabulary, const char *merges)
{
    char number[20];
    file_open();
    put("{");
    put(before);
    put("\"vocab\": {");
    for (unsigned i = 0; i < 256; i++) {
        put("\"");
        put_letter((uint8_t)i);
        snprintf(number, sizeof number, "\": %u", i);
        put(number);
        put(i < 255 ? ", " : "");
    }
    put(vocabulary);
    put("}, \"merges\": [");
    put(merges);
    put("]}}");
}

#define SPLIT(pattern)                                                                             \
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" pattern                                    \
    "\"}, \"behavior\": \"Isolated\", \"invert\": false}, "
#define BYTE_LEVEL "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}"
#define PRE(splits)                                                                                \
    "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [" splits BYTE_LEVEL "]}, "
#define MODEL "\"model\": {\"type\": \"BPE\", "
#define QWEN                                                                                       \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?"             \
    "[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define CASES "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"

static int64_t count_of(const struct encoding *encoding, const char *text)
{
    struct tokenizer *tokenizer;
    int64_t count;
    assert_int_equal(tokenizer_open(encoding, &tokenizer), 0);
    assert_int_equal(tokenizer_count(tokenizer, slice_of(text), &count), 0);
    tokenizer_close(tokenizer);
    return count;
}

static void patterns_are_known_by_their_text(void **state)
{
    static const struct {
        const char *before;
        enum split_rule rule;
    } rows[] = {
        {PRE(SPLIT(QWEN)) MODEL, SPLIT_QWEN},
        {PRE(SPLIT("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
                   "\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|"
                   "\\\\s+(?!\\\\S)|\\\\s+")) MODEL,
         SPLIT_LLAMA3},
        {PRE(SPLIT(CASES "*" LOWER "+|" CASES "+" LOWER
                         "*|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|"
                         "\\\\s+(?!\\\\S)|\\\\s+")) MODEL,
         SPLIT_TEKKEN},
        {PRE(SPLIT(CASES "*" LOWER "+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" CASES "+" LOWER
                         "*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+"
                         "[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+")) MODEL,
         SPLIT_O200K},
        {PRE(SPLIT("\\\\p{N}{1,3}") SPLIT("[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F"
                                          "\xE3\x82\xA0-\xE3\x83\xBF]+")
                 SPLIT("[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|"
                       "[^\\r\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?"
                       "[\\\\p{P}\\\\p{S}]+[\\r\\n]*|\\\\s*[\\r\\n]+|\\\\s+(?!\\\\S)|\\\\s+"))
             MODEL,
         SPLIT_DEEPSEEK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_small(rows[i].before, ", \"ab\": 256", "\"a b\"");
        struct encoding *encoding = import_file(NULL);
        assert_string_equal(why, "");
        assert_non_null(encoding);
        assert_int_equal(encoding->rule, rows[i].rule);
        assert_int_equal(count_of(encoding, "abab1"), 3);
        import_free(encoding);
    }
}

static void a_token_that_no_merge_makes_is_one_where_pieces_are_looked_up_first(void **state)
{
    (void)state;
    put_small(PRE(SPLIT(QWEN)) MODEL "\"ignore_merges\": false, ", ", \"ab\": 256, \"abcd\": 257",
              "\"a b\"");
    struct encoding *encoding = import_file(NULL);
    assert_non_null(encoding);
    assert_int_equal(count_of(encoding, "abcd"), 3);
    import_free(encoding);
    put_small(PRE(SPLIT(QWEN)) MODEL "\"ignore_merges\": true, ", ", \"ab\": 256, \"abcd\": 257",
              "\"a b\"");
    encoding = import_file(NULL);
    assert_non_null(encoding);
    assert_int_equal(count_of(encoding, "abcd"), 1);
    assert_int_equal(count_of(encoding, "abcde"), 4);
    import_free(encoding);
}

/* What is one where it is all of a piece is none within another, though no token reaches over its
 * edges; whether it is counted, or encoded, or comes in pieces. */
static void a_token_that_no_merge_makes_is_none_within_a_piece(void **state)
{
    static const char *const texts[] = {"!\xe4\xbd\xa0\xe5\xa5\xbd", "\xe4\xbd\xa0\xe4\xb8\x96",
                                        "\xe4\xb8\x96\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96"};
    (void)state;
    file_open();
    for (unsigned i = 0; i <= 256; i++) {
        char byte = (char)i, rank[20];
        put_base64(i < 256 ? (struct slice){&byte, 1} : SLICE_LITERAL("\xe4\xbd\xa0"));
        snprintf(rank, sizeof rank, " %u\n", i);
        put(rank);
    }
    struct encoding *encoding = import_file("o200k");
    assert_string_equal(why, "");
    assert_non_null(encoding);
    assert_int_equal(count_of(encoding, "\xe4\xbd\xa0"), 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct slice text = slice_of(texts[i]);
        struct tokenizer *tokenizer;
        struct counter counter = {0};
        assert_int_equal(count_of(encoding, texts[i]), text.len);
        assert_int_equal(tokenizer_open(encoding, &tokenizer), 0);
        for (size_t at = 0; at < text.len; at++)
            assert_int_equal(counter_feed(&counter, tokenizer, slice_part(text, at, 1)), 0);
        assert_int_equal(counter_total(&counter), text.len);
        counter_done(&counter);
        tokenizer_close(tokenizer);
    }
    import_free(encoding);
}

static void refused(const char *expected, const char *pattern)
{
    struct encoding *encoding = import_file(pattern);
    if (encoding || !strstr(why, expected))
        fail_msg("\"%s\" for \"%s\"", why, expected);
}

static void what_is_not_understood_is_refused_by_name(void **state)
{
    (void)state;
    const char *ab = ", \"ab\": 256", *merge = "\"a b\"";
    put_small(PRE(SPLIT("x+")) MODEL, ab, merge);
    refused("nobody here knows its pattern: x+", NULL);
    put_small(PRE("{\"type\": \"Digits\"}, ") MODEL, ab, merge);
    refused("\"Digits\" is not understood", NULL);
    put_small("\"normalizer\": {\"type\": \"NFKC\"}, " PRE(SPLIT(QWEN)) MODEL, ab, merge);
    refused("normalizer", NULL);
    put_small(PRE(SPLIT(QWEN)) "\"model\": {\"type\": \"Unigram\", ", ab, merge);
    refused("not BPE", NULL);
    put_small(PRE(SPLIT(QWEN)) MODEL "\"byte_fallback\": true, ", ab, merge);
    refused("byte_fallback", NULL);
    put_small(PRE(SPLIT(QWEN)) MODEL "\"dropout\": 0.1, ", ab, merge);
    refused("dropout", NULL);
    put_small(PRE(SPLIT(QWEN)) MODEL, ", \"ab\": 256, \"\xE4\xB8\xAD\": 257", merge);
    refused("not byte-level", NULL);
    put_small(PRE(SPLIT(QWEN)) MODEL, ab, "\"a b\", \"ab c\"");
    refused("a merge is of what is no token", NULL);
    /* a bc comes from a and bc, as bc is merged before ab */
    put_small(PRE(SPLIT(QWEN)) MODEL, ", \"ab\": 256, \"bc\": 257, \"abc\": 258",
              "\"b c\", \"a b\", \"ab c\"");
    refused("not in an order that makes its tokens", NULL);
    file_open();
    put("{\"model\": ");
    refused("no JSON", NULL);
}

static void lines_that_are_no_ranks_are_refused(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {{"IQ== 0\n", "a byte has no token"},
                {"IQ==\n", "a line is not"},
                {"I!== 0\n", "a line is not"},
                {"IQ== x\n", "a rank is no number"},
                {"IQ== 999999\n", "a rank is no number"},
                {"IQ== 0\nIQ== 1\n", "a token stands twice"},
                {"IQ== 0\nIg== 0\n", "a rank stands twice"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        file_open();
        put(rows[i].text);
        refused(rows[i].expected, "o200k");
    }
    refused("needs the name of its pattern", NULL);
    refused("\"o2\" is none", "o2");
    file_open();
    refused("a vocabulary has 256 to 262,142 tokens", "o200k");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_ranks_is_the_encoding_it_was_written_from),
        cmocka_unit_test(a_tokenizer_json_is_the_encoding_it_was_written_from),
        cmocka_unit_test(added_tokens_are_special_ones),
        cmocka_unit_test(patterns_are_known_by_their_text),
        cmocka_unit_test(a_token_that_no_merge_makes_is_one_where_pieces_are_looked_up_first),
        cmocka_unit_test(a_token_that_no_merge_makes_is_none_within_a_piece),
        cmocka_unit_test(what_is_not_understood_is_refused_by_name),
        cmocka_unit_test(lines_that_are_no_ranks_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_done(&file);
    return failed;
}
