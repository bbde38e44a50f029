/* SPDX-License-Identifier: Apache-2.0
 * Proves the formulas of prompts/prompt.h on texts whose count a provider has confirmed, what
 * images come to by their sizes, that escapes change nothing, and that what nobody here can count,
 * or could only count at a cost, has no bound. What real requests were billed:
 * test_prompt_oracle.c.
 */
#include "base/buffer.h"
#include "dialect/dialect.h"
#include "dialect/prompts.h"
#include "prompts/prompt.h"
#include "prompts/sound.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct tokenizer *tokenizers[8];

static struct tokenizer *tokenizer_of(const struct encoding *encoding)
{
    size_t i = 0;
    while (tokenizers[i] && tokenizer_encoding(tokenizers[i]) != encoding)
        i++;
    if (!tokenizers[i])
        assert_int_equal(tokenizer_open(encoding, &tokenizers[i]), 0);
    return tokenizers[i];
}

typedef int (*counting)(struct slice body, struct prompt *prompt);

static struct prompt_figures figures_of(counting count, const char *model, struct slice body)
{
    const struct encoding *encoding;
    const struct prompt_rule *rule = prompt_rule_find(slice_of(model), &encoding);
    struct prompt prompt;
    struct prompt_figures figures;
    assert_non_null(encoding);
    prompt_begin(&prompt, rule, tokenizer_of(encoding));
    assert_int_equal(count(body, &prompt), 0);
    assert_int_equal(prompt_end(&prompt, &figures), 0);
    assert_true(figures.bound >= figures.expected);
    return figures;
}

static struct prompt_figures chat(const char *model, const char *body)
{
    return figures_of(chat_count_input, model, slice_of(body));
}

static char *file_of(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = malloc(1 << 16);
    assert_non_null(text);
    *ret_len = fread(text, 1, 1 << 16, file);
    fclose(file);
    return text;
}

/* {"messages": the vectors' member, "tools": ...}, counted for each model of their expectations. */
static void vectors_hold(struct json whole, const char *messages, const char *tools,
                         const char *expect)
{
    struct json model, wanted, all = json_member(whole, expect);
    assert_int_equal(all.type, JSON_OBJECT);
    for (size_t at = 0; json_next(all, &at, &model, &wanted);) {
        char name[64], body[8192];
        int64_t tokens;
        long len = json_string_copy(model, name, sizeof name - 1);
        assert_true(len > 0);
        name[len] = '\0';
        struct json list = json_member(whole, messages), given = json_member(whole, tools);
        len = snprintf(body, sizeof body, "{\"messages\":%.*s%s%.*s}", (int)list.raw.len,
                       list.raw.data, given.raw.len ? ",\"tools\":" : "", (int)given.raw.len,
                       given.raw.data);
        assert_int_equal(json_integer(wanted, &tokens), 0);
        struct prompt_figures figures =
            figures_of(chat_count_input, name, (struct slice){body, (size_t)len});
        assert_int_equal(figures.expected, tokens);
        assert_int_equal(figures.exact, !given.raw.len);
        assert_true(figures.bound >= tokens);
    }
}

static void the_cookbooks_figures_come_out(void **state)
{
    (void)state;
    size_t len;
    char *text = file_of("tests/vectors/tokens/chat_vectors.json", &len);
    struct json whole;
    assert_int_equal(json_scan((struct slice){text, len}, &whole, NULL), 0);
    vectors_hold(whole, "messages", "none", "expect");
    vectors_hold(whole, "tools_messages", "tools", "expect_tools");
    free(text);
}

static void names_of_models_are_found_behind_their_origin(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"gpt-4o-2024-08-06", "openai gpt-4o"},
        {"openai/gpt-4o", "openai gpt-4o"},
        {"ft:gpt-4o:acme::1", "openai gpt-4o"},
        {"openai.gpt-5.5", "openai gpt-5 at bedrock"},
        {"openai.gpt-oss-120b-1:0", "openai gpt-oss"},
        {"gpt-oss:20b", "openai gpt-oss"},
        {"openai/gpt-oss-120b", "openai gpt-oss by its path"},
        {"openai/gpt-5-mini-2025-08-07", "openai gpt-5-mini by its path"},
        {"o3-mini", "openai o1, o3"},
        {"gpt-4-turbo", "openai gpt-4"},
        {"text-embedding-3-small", "openai texts"},
        {"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude 4"},
        {"anthropic/claude-opus-4.8", "claude 5"},
        {"models/gemini-2.5-flash", "gemini 2.5"},
        {"google/gemini-2.0-flash-001", "gemini to 2.0"},
        {"zai/GLM-5.2", "glm 5"},
        {"Qwen/Qwen3-32B", "qwen"},
        {"meta-llama/Llama-4-Scout", "llama 3.1 to 4"},
        {"my-own", "unknown"},
        {"", "unknown"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct encoding *encoding;
        assert_string_equal(prompt_rule_find(slice_of(names[i][0]), &encoding)->family,
                            names[i][1]);
        assert_non_null(encoding);
    }
}

static void escapes_are_what_they_stand_for(void **state)
{
    (void)state;
    struct prompt_figures plain =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":\"naïve / 中文 😀 \\n\"}]}");
    struct prompt_figures escaped =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":"
                       "\"na\\u00efve \\/ \\u4e2d\\u6587 \\ud83d\\ude00 \\u000a\"}]}");
    assert_int_equal(plain.expected, escaped.expected);
    assert_true(escaped.exact);
    /* Half a pair is one U+FFFD, wherever it stands. */
    plain = chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\xef\xbf\xbd\"}]}");
    escaped = chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\ud83d\"}]}");
    assert_int_equal(plain.expected, escaped.expected);
}

/* Escapes of every kind, drawn, at every place of a text shorter and longer than the room in which
 * it is unescaped: as json_string_copy() reads them. */
static void escapes_are_read_as_anywhere_else(void **state)
{
    (void)state;
    static const char *const parts[] = {
        " word",          "\\n",      "\\\"",  "\\\\",          "\\u00e9", "\\ud83d\\ude00",
        "\\ud83d",        "\\ude00x", "ä",     "一些文字",      "\\/",     "\\u0041",
        "\\ud83d\\u0041", "\\t\\t",   "90210", " and more text"};
    enum { PARTS = sizeof parts / sizeof parts[0], ROOM = 5 * FEED_ROOM };
    static char raw[ROOM], text[ROOM];
    const struct encoding *encoding;
    uint32_t state_of = 1;
    prompt_rule_find(SLICE_LITERAL("gpt-4o"), &encoding);
    for (size_t round = 0; round < 600; round++) {
        size_t most = round < 300 ? round : (1 + round % 4) * FEED_ROOM - 150 + round / 2, len = 1;
        for (raw[0] = '"'; len <= most;) {
            state_of = state_of * 1664525 + 1013904223;
            const char *part = parts[(state_of >> 24) % PARTS];
            memcpy(raw + len, part, strlen(part));
            len += strlen(part);
        }
        raw[len++] = '"';
        struct json string = {JSON_STRING, {raw, len}};
        long copied = json_string_copy(string, text, ROOM);
        assert_true(copied >= 0);
        int64_t tokens;
        struct feed_marks marks = {0}, expected = {0};
        for (long i = 0; i < copied; i++) {
            expected.wide += (unsigned char)text[i] >> 7;
            expected.digits +=
                i > 0 && isdigit((unsigned char)text[i]) && isdigit((unsigned char)text[i - 1]);
        }
        assert_int_equal(
            tokenizer_count(tokenizer_of(encoding), (struct slice){text, (size_t)copied}, &tokens),
            0);
        assert_int_equal(feed_count(tokenizer_of(encoding), string, &marks), tokens);
        assert_int_equal(marks.wide, expected.wide);
        assert_int_equal(marks.digits, expected.digits);
    }
}

static int64_t tokens_of(const char *text)
{
    const struct encoding *encoding;
    int64_t tokens;
    prompt_rule_find(SLICE_LITERAL("gpt-4o"), &encoding);
    assert_int_equal(tokenizer_count(tokenizer_of(encoding), slice_of(text), &tokens), 0);
    return tokens;
}

/* " Summarize" is one token, wherever the parts are cut. */
static void parts_of_a_message_are_one_text(void **state)
{
    (void)state;
    struct prompt_figures parts =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
                       "\"Some context. Some more context. \"},{\"type\":\"text\",\"text\":"
                       "\"Summarize in one sentence.\"}]}]}");
    assert_int_equal(parts.expected, 3 + 4 +
                                         tokens_of("Some context. Some more context. Summarize in "
                                                   "one sentence."));
    assert_true(parts.expected < 3 + 4 + tokens_of("Some context. Some more context. ") +
                                     tokens_of("Summarize in one sentence."));
    assert_true(parts.exact);
}

/* What the model is shown of each, written out. */
static void tools_are_shown_as_typescript(void **state)
{
    (void)state;
#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_time\",\"parameters\":{\"type\":"        \
    "\"object\",\"properties\":{\"zone\":{\"type\":\"string\"},\"exact\":{\"type\":\"boolean\"}}," \
    "\"required\":[\"zone\"]}}},{\"type\":\"function\",\"function\":{\"name\":\"find\","           \
    "\"description\":\"Looks.\\n\\n    Args: none\",\"parameters\":{\"type\":\"object\","          \
    "\"properties\":{\"what\":{\"type\":\"string\",\"description\":\"A "                           \
    "name\"},\"most\":{\"type\":"                                                                  \
    "\"integer\",\"default\":3}}}}}]"
    int64_t shown = tokens_of("namespace functions {\n\n"
                              "type get_time = (_: {zone: string, exact?: boolean}) => any;\n\n"
                              "// Looks.\n// Args: none\n"
                              "type find = (_: {\n// A name\nwhat?: string,\n"
                              "most?: number, // default: 3\n}) => any;\n\n"
                              "} // namespace functions");
    struct prompt_figures figures =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"user\"}],\"tools\":" TOOLS "}");
    assert_int_equal(figures.expected, 3 + 4 + 9 + shown);
    assert_true(figures.bound > figures.expected);
}

static void several_calls_are_one_of_a_wrapper(void **state)
{
    (void)state;
#define CALL                                                                                       \
    "{\"type\":\"function\",\"function\":{\"name\":\"a\",\"arguments\":\"{\\\"b\\\": 1}\"}}"
    struct prompt_figures one =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[" CALL "]}]}");
    assert_int_equal(one.expected, 3 + 4 + 4 + tokens_of("functions.a") + tokens_of("a") +
                                       tokens_of("{\"b\":1}"));
    struct prompt_figures three =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[" CALL "," CALL
                       "," CALL "]}]}");
#define USE "{\"recipient_name\":\"functions.a\",\"parameters\":{\"b\":1}}"
    assert_int_equal(three.expected,
                     3 + 4 + 12 + tokens_of("{\"tool_uses\":[" USE "," USE "," USE "]}"));
    /* Later models are shown each by itself. */
    struct prompt_figures later = chat(
        "gpt-5", "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[" CALL "," CALL "]}]}");
    assert_int_equal(
        later.expected,
        2 + 4 + 2 + 2 * (8 + tokens_of("functions.a") + tokens_of("a") + tokens_of("{\"b\":1}")));
}

/* Of a model whose encoding has a token for each digit. */
/* Its body is OpenAI's but for a few members; what Cohere puts before it is in the family's
 * figures.
 */
static void coheres_chat_is_counted_as_openais(void **state)
{
    (void)state;
#define COHERE(more)                                                                               \
    SLICE_LITERAL("{\"model\":\"command-r7b-12-2024\",\"messages\":[{\"role\":\"user\","           \
                  "\"content\":\"Hello\"}],\"stop_sequences\":[\"x\"],\"k\":5" more "}")
    struct prompt_figures figures =
        figures_of(dialect_cohere()->count_input, "command-r7b-12-2024", COHERE(""));
    assert_int_equal(figures.expected, 495 + tokens_of("Hello"));
    assert_in_range(figures.bound, 530, 600);
    assert_true(figures_of(dialect_cohere()->count_input, "command-r7b-12-2024",
                           COHERE(",\"documents\":[\"a text\"]"))
                    .bound == PROMPT_UNBOUNDED);
}

static void digits_behind_digits_count_where_each_is_a_token(void **state)
{
    (void)state;
#define SAYS(text) SLICE_LITERAL("{\"contents\":[{\"parts\":[{\"text\":\"" text "\"}]}]}")
    struct prompt_figures apart =
        figures_of(gemini_count_input, "gemini-2.0-flash", SAYS("1 2 3 4 5 6 7 8 9"));
    struct prompt_figures behind =
        figures_of(gemini_count_input, "gemini-2.0-flash", SAYS("123456789"));
    assert_int_equal(apart.expected, tokens_of("1 2 3 4 5 6 7 8 9"));
    assert_int_equal(behind.expected, tokens_of("123456789") + 6);
    assert_true(behind.bound >= 9);
    /* Across the edge of what is looked at in one go. */
    struct prompt_figures far =
        figures_of(gemini_count_input, "gemini-2.0-flash", SAYS("abcdef 78 9"));
    assert_int_equal(far.expected, tokens_of("abcdef 78 9") + 1);
}

static void shapes_are_counted_without_what_only_checks_them(void **state)
{
    (void)state;
#define SHAPE(more)                                                                                \
    "{\"messages\":[{\"role\":\"user\"}],\"response_format\":{\"type\":\"json_schema\","           \
    "\"json_schema\":{\"name\":\"city\",\"schema\":{\"type\":\"object\",\"properties\":{\"name\":" \
    "{\"type\":\"string\"}}" more "}}}}"
    int64_t shape =
        tokens_of("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}}}");
    struct prompt_figures bare = chat("gpt-4o", SHAPE(""));
    assert_int_equal(bare.expected, 3 + 4 + 13 + tokens_of("city") + shape);
    assert_int_equal(chat("gpt-4o", SHAPE(", \"required\": [ \"name\" ],"
                                          "\"additionalProperties\":false"))
                         .expected,
                     bare.expected);
    /* One that says something stays. */
    assert_true(chat("gpt-4o", SHAPE(",\"additionalProperties\":true")).expected > bare.expected);
    assert_true(chat("gpt-4o", SHAPE(",\"required\":{\"type\":\"string\"}")).expected >
                bare.expected);
}

/* A text longer than any room in it, with an escape in each line, as code comes. */
static void long_texts_are_counted_as_one(void **state)
{
    (void)state;
    enum { LINES = 2000 };
    struct buffer body, text;
    buffer_init(&body, 1 << 20);
    buffer_init(&text, 1 << 20);
    assert_int_equal(
        buffer_append(&body, SLICE_LITERAL("{\"messages\":[{\"role\":\"user\",\"content\":\"")), 0);
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(buffer_append(&body, SLICE_LITERAL("for (i = 0;\\n\\ti < n; i++)")), 0);
        assert_int_equal(buffer_append(&text, SLICE_LITERAL("for (i = 0;\n\ti < n; i++)")), 0);
    }
    assert_int_equal(buffer_append(&body, SLICE_LITERAL("\"}]}")), 0);
    const struct encoding *encoding;
    int64_t tokens;
    prompt_rule_find(SLICE_LITERAL("gpt-4o"), &encoding);
    assert_int_equal(tokenizer_count(tokenizer_of(encoding), buffer_slice(&text), &tokens), 0);
    assert_int_equal(figures_of(chat_count_input, "gpt-4o", buffer_slice(&body)).expected,
                     3 + 4 + tokens);
    buffer_done(&body);
    buffer_done(&text);
}

static void what_cannot_be_counted_has_no_bound(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"messages\":[],\"web_search_options\":{}}",
        "{\"messages\":[],\"of_tomorrow\":\"x\"}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{}}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}]}",
        "{\"messages\":[],\"tools\":[{\"type\":\"openrouter:web_search\"}]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_true(chat("gpt-4o", bodies[i]).bound == PROMPT_UNBOUNDED);
    assert_true(chat("gpt-4o", bodies[5]).beyond);
    assert_false(chat("gpt-4o", bodies[0]).beyond);
    assert_true(chat("compound-beta", "{\"messages\":[]}").beyond);
    assert_true(chat("my-own", "{\"messages\":[]}").bound == PROMPT_UNBOUNDED);
    assert_true(figures_of(responses_count_input, "gpt-5",
                           SLICE_LITERAL("{\"input\":\"x\",\"previous_response_id\":\"r\"}"))
                    .bound == PROMPT_UNBOUNDED);
    assert_true(figures_of(messages_count_input, "claude-opus-4-8",
                           SLICE_LITERAL("{\"messages\":[],\"tools\":[{\"type\":"
                                         "\"web_search_20250305\"}]}"))
                    .bound == PROMPT_UNBOUNDED);
}

/* Each definition refers twice to the next: 2 to the power of 60 of them, if one wrote them out. */
static void references_cannot_make_it_endless(void **state)
{
    (void)state;
    enum { DEEP = 60 };
    struct buffer body;
    char text[256];
    buffer_init(&body, 1 << 20);
    assert_int_equal(
        buffer_append(&body, SLICE_LITERAL("{\"messages\":[],\"tools\":[{\"type\":\"function\","
                                           "\"function\":{\"name\":\"f\",\"parameters\":{"
                                           "\"properties\":{\"a\":{\"$ref\":\"#/$defs/d0\"}},"
                                           "\"$defs\":{")),
        0);
    for (int i = 0; i < DEEP; i++) {
        int len = snprintf(text, sizeof text,
                           "%s\"d%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/d%d\"},"
                           "{\"$ref\":\"#/$defs/d%d\"}]}",
                           i ? "," : "", i, i + 1, i + 1);
        assert_int_equal(buffer_append(&body, (struct slice){text, (size_t)len}), 0);
    }
    assert_int_equal(buffer_append(&body, SLICE_LITERAL("}}}}]}")), 0);
    assert_true(figures_of(chat_count_input, "gpt-4o", buffer_slice(&body)).bound ==
                PROMPT_UNBOUNDED);
    buffer_done(&body);
    /* One that refers to itself ends where its places do. */
    assert_true(chat("gpt-4o", "{\"messages\":[],\"tools\":[{\"type\":\"function\",\"function\":{"
                               "\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":{\"$ref\":"
                               "\"#\"}}}}}]}")
                    .expected > 0);
}

static void sizes_are_read_from_the_heads_of_images(void **state)
{
    (void)state;
    static const struct {
        const char *base64;
        uint32_t width, height;
    } images[] = {
        {"iVBORw0KGgoAAAANSUhEUgAABAAAAAMACAYAAAA=", 1024, 768},
        {"R0lGODlhQAHIAAAAAAA=", 320, 200},
        /* a comment, then the frame: 16 x 9 */
        {"/9j//gAEYWL/wAARCAAJABADAREAAhEBAxEB", 16, 9},
        {"UklGRhoAAABXRUJQVlA4WAoAAAAAAAAAPwYAsAQA", 1600, 1201},
        {"UklGRhoAAABXRUJQVlA4IA4AAAAwAQCdASqAAuABAA==", 640, 480},
        {"UklGRhoAAABXRUJQVlA4TA0AAAAvP8FfAA==", 320, 384},
        {"aGVsbG8gd29ybGQsIHRoaXMgaXMgbm8gaW1hZ2U=", 0, 0},
        {"iVBORw0KGgo=", 0, 0},
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        struct image_size size = image_size_of(slice_of(images[i].base64));
        assert_int_equal(size.width, images[i].width);
        assert_int_equal(size.height, images[i].height);
    }
}

static void images_come_to_what_providers_document(void **state)
{
    (void)state;
    static const struct image_rule gpt_4o = {IMAGE_TILES, 85, 170};
    static const struct image_rule patches = {IMAGE_PATCHES, 0, 1000};
    static const struct image_rule claude = {IMAGE_CLAUDE, 1568, 1600};
    static const struct image_rule gemini = {IMAGE_GEMINI, 0, 0};
    static const struct image_size square = {1024, 1024}, tall = {2048, 4096};
    assert_int_equal(image_tokens(gpt_4o, square, false), 765);
    assert_int_equal(image_tokens(gpt_4o, tall, false), 1105);
    assert_int_equal(image_tokens(gpt_4o, tall, true), 85);
    assert_int_equal(image_tokens(patches, square, false), 1024);
    assert_int_equal(image_tokens(patches, (struct image_size){1800, 2400}, false), 1452);
    assert_int_equal(image_tokens(claude, (struct image_size){280, 280}, false), 100);
    assert_int_equal(image_tokens(claude, tall, false), 1568);
    assert_int_equal(image_tokens(gemini, (struct image_size){384, 384}, false), 258);
    assert_int_equal(image_tokens(gemini, (struct image_size){540, 360}, false), 7 * 258);
    assert_int_equal(image_tokens(gemini, square, false), 5 * 258);
    /* No size costs more than one that is not known. */
    const struct image_rule all[] = {gpt_4o, patches, claude, gemini};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (uint32_t w = 1; w < 20000; w += 97)
            for (uint32_t h = 1; h < 20000; h += 1009)
                assert_true(image_tokens(all[i], (struct image_size){w, h}, false) <=
                            image_tokens(all[i], (struct image_size){0}, false));
}

/* As recorded calls with this picture were: 17 x 12 patches and one token; six tiles and the whole.
 */
static void images_were_billed_as_they_are_counted(void **state)
{
    (void)state;
#define JPEG "/9j/wAARCAFoAhwDAREAAhEBAxEB" /* 540 x 360 */
    struct prompt_figures nano =
        chat("gpt-4.1-nano",
             "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
             "\"hello\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
             "\"data:image/jpeg;base64," JPEG "\"}}]}]}");
    assert_int_equal(nano.expected, 3 + 4 + 1 + 503);
    assert_true(nano.bound >= nano.expected);
    struct prompt_figures gemini = figures_of(
        gemini_count_input, "gemini-2.0-flash",
        SLICE_LITERAL("{\"contents\":[{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/jpeg\","
                      "\"data\":\"" JPEG "\"}}]}]}"));
    assert_int_equal(gemini.expected, 7 * 258);
    gemini = figures_of(
        gemini_count_input, "gemini-3-flash-preview",
        SLICE_LITERAL("{\"contents\":[{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/jpeg\","
                      "\"data\":\"" JPEG "\"}}]}]}"));
    assert_int_equal(gemini.expected, 1 + 1120);
    assert_true(gemini.bound > 7 * 258);
}

static void an_image_in_a_message_is_counted_by_its_size(void **state)
{
    (void)state;
    struct prompt_figures text = chat("gpt-4o", "{\"messages\":[{\"role\":\"user\"}]}");
    struct prompt_figures image =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
                       "\"image_url\":{\"url\":\"data:image/png;base64,"
                       "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAA=\"}}]}]}");
    assert_int_equal(image.expected, text.expected + 765);
    struct prompt_figures far =
        chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
                       "\"image_url\":{\"url\":\"https://example.com/a.png\"}}]}]}");
    assert_int_equal(far.expected, text.expected + 85 + 8 * 170);
}

static void put_base64(struct buffer *out, const unsigned char *bytes, size_t len)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= i + 2 < len ? bytes[i + 2] : 0;
        char four[4] = {letters[bits >> 18], letters[bits >> 12 & 63],
                        i + 1 < len ? letters[bits >> 6 & 63] : '=',
                        i + 2 < len ? letters[bits & 63] : '='};
        assert_int_equal(buffer_append(out, (struct slice){four, 4}), 0);
    }
}

static struct sound_length length_of(const unsigned char *bytes, size_t len)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    put_base64(&text, bytes, len);
    struct sound_length length = sound_length_of(buffer_slice(&text));
    buffer_done(&text);
    return length;
}

/* 8,000 samples a second of two bytes; a chunk that nobody needs stands before the data. */
static const unsigned char wave_head[] = {
    'R', 'I', 'F', 'F', 0, 0,  0,  0, 'W', 'A', 'V', 'E', 'f', 'm', 't',  ' ', 16,  0,   0,
    0,   1,   0,   1,   0, 64, 31, 0, 0,   128, 62,  0,   0,   2,   0,    16,  0,   'L', 'I',
    'S', 'T', 3,   0,   0, 0,  1,  2, 3,   0,   'd', 'a', 't', 'a', 0xff, 255, 255, 255};

static void sounds_say_how_long_they_are(void **state)
{
    (void)state;
    static unsigned char bytes[65536];
    memcpy(bytes, wave_head, sizeof wave_head);
    struct sound_length wave = length_of(bytes, sizeof wave_head + 24000);
    assert_int_equal(wave.expected_ms, 1500);
    assert_int_equal(wave.most_ms, 1500);
    /* Of a format that is compressed, or cut short: not known. */
    bytes[20] = 2;
    assert_int_equal(length_of(bytes, sizeof wave_head + 24000).most_ms, 0);
    assert_int_equal(length_of(wave_head, sizeof wave_head - 9).most_ms, 0);
    assert_int_equal(length_of((const unsigned char *)"OggS, and more of it", 20).most_ms, 0);
    assert_int_equal(length_of(bytes, 0).most_ms, 0);
    /* 100 frames at 128 kbit/s and 44,100 Hz, behind a tag of 20 bytes, 500 bytes behind them. */
    enum { FRAMES = 100, FRAME = 417, TAG = 20, REST = 500 };
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "ID3\3\0\0\0\0\0\12", 10);
    for (size_t i = 0; i < FRAMES; i++)
        memcpy(bytes + TAG + i * FRAME, "\xff\xfb\x90\x00", 4);
    struct sound_length song = length_of(bytes, TAG + FRAMES * FRAME + REST);
    assert_int_equal(song.expected_ms, 2612);
    assert_in_range(song.most_ms, 2612 + REST, 2612 + REST + 4);
}

static void sounds_are_counted_by_the_second(void **state)
{
    (void)state;
    static unsigned char bytes[16000 + sizeof wave_head];
    struct buffer body;
    memcpy(bytes, wave_head, sizeof wave_head);
    buffer_init(&body, 1 << 20);
    assert_int_equal(
        buffer_append(&body, SLICE_LITERAL("{\"contents\":[{\"parts\":[{\"inlineData\":{"
                                           "\"mimeType\":\"audio/wav\",\"data\":\"")),
        0);
    put_base64(&body, bytes, sizeof bytes);
    assert_int_equal(buffer_append(&body, SLICE_LITERAL("\"}}]}]}")), 0);
    struct prompt_figures figures =
        figures_of(gemini_count_input, "gemini-2.0-flash", buffer_slice(&body));
    assert_int_equal(figures.expected, 32);
    assert_in_range(figures.bound, 33, 64);
    figures = figures_of(gemini_count_input, "gemma-unheard",
                         SLICE_LITERAL("{\"contents\":[{\"parts\":[{\"inlineData\":{\"mimeType\":"
                                       "\"audio/ogg\",\"data\":\"T2dnUw==\"}}]}]}"));
    assert_true(figures.bound == PROMPT_UNBOUNDED);
    buffer_done(&body);
}

static int close_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tokenizers / sizeof tokenizers[0]; i++)
        tokenizer_close(tokenizers[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cookbooks_figures_come_out),
        cmocka_unit_test(names_of_models_are_found_behind_their_origin),
        cmocka_unit_test(escapes_are_what_they_stand_for),
        cmocka_unit_test(escapes_are_read_as_anywhere_else),
        cmocka_unit_test(parts_of_a_message_are_one_text),
        cmocka_unit_test(tools_are_shown_as_typescript),
        cmocka_unit_test(several_calls_are_one_of_a_wrapper),
        cmocka_unit_test(coheres_chat_is_counted_as_openais),
        cmocka_unit_test(digits_behind_digits_count_where_each_is_a_token),
        cmocka_unit_test(shapes_are_counted_without_what_only_checks_them),
        cmocka_unit_test(long_texts_are_counted_as_one),
        cmocka_unit_test(what_cannot_be_counted_has_no_bound),
        cmocka_unit_test(references_cannot_make_it_endless),
        cmocka_unit_test(sizes_are_read_from_the_heads_of_images),
        cmocka_unit_test(images_come_to_what_providers_document),
        cmocka_unit_test(images_were_billed_as_they_are_counted),
        cmocka_unit_test(sounds_say_how_long_they_are),
        cmocka_unit_test(sounds_are_counted_by_the_second),
        cmocka_unit_test(an_image_in_a_message_is_counted_by_its_size),
    };
    return cmocka_run_group_tests_name("prompt", tests, NULL, close_all);
}
