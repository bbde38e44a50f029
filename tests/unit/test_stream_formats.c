/* SPDX-License-Identifier: Apache-2.0
 * Proves that streams of Anthropic's, Google's, Amazon's and Cohere's formats tell their texts: of
 * a model whose encoding is public they are counted as its tokenizer counts the whole text, calls
 * of tools as well, and end at the very token that was granted, with an end of their format. That
 * what is no text stops an exact count; and that of a model whose tokenizer is secret its family's
 * figures say what it has had at most and at least, with what is no text by its bytes. */
#include "gateway/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "stream_help.h"

#define TEXT                                                                                       \
    "Hello, world! \"Quoted\" \\ and\ttabs;\n\n  na\xc3\xafve caf\xc3\xa9s, 12345678 of them. "    \
    "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x91\xa9 don't ==== "    \
    "</end>\n"
#define INPUT "{\"city\": \"K\xc3\xb6ln \xf0\x9f\x8c\x8d\", \"days\": [1, 2, 3]}"

static struct tokenizer *tokenizer;

/* One format's words around what is told. */
struct words {
    const struct dialect *(*format)(void);
    enum frames_kind framing;
    const struct dialect *(*client)(void); /* whose end is looked at */
    const char *begin, *before, *after;    /* around a piece of text */
    const char *call, *call_before, *call_after;
    const char *length; /* what its end says */
};

#define SSE(name, data) "event: " name "\ndata: " data "\n\n"
static const struct words all_words[] = {
    {dialect_messages, FRAMES_SSE, dialect_messages,
     SSE("message_start", "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"x\","
                          "\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}")
         SSE("content_block_start", "{\"type\":\"content_block_start\",\"index\":0,"
                                    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}"),
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
     "{\"type\":\"text_delta\",\"text\":",
     "}}\n\n",
     SSE("content_block_start", "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":"
                                "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":"
                                "\"get_weather\",\"input\":{}}}"),
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
     "{\"type\":\"input_json_delta\",\"partial_json\":",
     "}}\n\n", "\"stop_reason\":\"max_tokens\""},
    {dialect_gemini, FRAMES_SSE, dialect_gemini, "",
     "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":", "}]},\"index\":0}]}\n\n", NULL,
     NULL, NULL, "MAX_TOKENS"},
    {dialect_converse, FRAMES_SSE, dialect_chat, SSE("messageStart", "{\"role\":\"assistant\"}"),
     "event: contentBlockDelta\ndata: {\"contentBlockIndex\":0,\"delta\":{\"text\":",
     "},\"p\":\"abc\"}\n\n",
     SSE("contentBlockStart",
         "{\"contentBlockIndex\":1,\"start\":{\"toolUse\":{\"toolUseId\":\"t\","
         "\"name\":\"get_weather\"}}}"),
     "event: contentBlockDelta\ndata: {\"contentBlockIndex\":1,\"delta\":{\"toolUse\":{\"input\":",
     "}}}\n\n", "\"finish_reason\":\"length\""},
    {dialect_cohere, FRAMES_SSE, dialect_cohere,
     SSE("message-start", "{\"type\":\"message-start\",\"id\":\"c\"}")
         SSE("content-start", "{\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":"
                              "{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}"),
     "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":"
     "{\"content\":{\"text\":",
     "}}}}\n\n",
     SSE("tool-call-start", "{\"type\":\"tool-call-start\",\"index\":1,\"delta\":{\"message\":"
                            "{\"tool_calls\":{\"id\":\"t\",\"function\":{\"name\":\"get_weather\","
                            "\"arguments\":\"\"}}}}}"),
     "event: tool-call-delta\ndata: "
     "{\"type\":\"tool-call-delta\",\"index\":1,\"delta\":{\"message\":"
     "{\"tool_calls\":{\"function\":{\"arguments\":",
     "}}}}}\n\n", "MAX_TOKENS"},
    {dialect_cohere_v1, FRAMES_LINES, dialect_cohere_v1,
     "{\"is_finished\":false,\"event_type\":\"stream-start\",\"generation_id\":\"g\"}\n",
     "{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":", "}\n", NULL, NULL, NULL,
     "MAX_TOKENS"},
};
enum { FORMATS = sizeof all_words / sizeof all_words[0] };

static void add_pieces(struct buffer *out, struct slice text, size_t step, const char *before,
                       const char *after)
{
    for (size_t at = 0, end; at < text.len; at = end) {
        end = at + step < text.len ? at + step : text.len;
        while (end < text.len && ((unsigned char)text.data[end] & 0xc0) == 0x80)
            end++;
        help_add(out, before);
        assert_int_equal(json_quote(out, slice_part(text, at, end - at)), 0);
        help_add(out, after);
    }
}

static void build(const struct words *words, size_t step, struct buffer *in)
{
    buffer_init(in, 1 << 20);
    help_add(in, words->begin);
    add_pieces(in, slice_of(TEXT), step, words->before, words->after);
}

static void begin(struct stream *stream, const struct words *words, const struct dialect *client,
                  int64_t granted)
{
    const struct stream_formats formats = {client, words->format(), words->framing, false};
    assert_int_equal(stream_init(stream, &formats, 65536), 0);
    stream_count_with(stream, tokenizer);
    assert_int_equal(stream_grant(stream, granted), 0);
}

static int64_t count_of(const struct words *words, struct slice in)
{
    struct stream stream;
    begin(&stream, words, words->format(), 1 << 20);
    assert_int_equal(stream_feed(&stream, in), 0);
    int64_t tokens = stream_tokens(&stream);
    stream_done(&stream);
    return tokens;
}

/* ---- Exactly --------------------------------------------------------------------------------- */

static void a_stream_is_counted_as_its_whole_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < FORMATS; i++)
        for (size_t step = 1; step < sizeof TEXT; step += 3) {
            struct buffer in;
            build(&all_words[i], step, &in);
            assert_int_equal(count_of(&all_words[i], buffer_slice(&in)),
                             help_tokens(tokenizer, slice_of(TEXT)));
            buffer_done(&in);
        }
}

static void names_and_arguments_of_calls_are_counted(void **state)
{
    (void)state;
    enum { HEADER = 7 };
    int64_t call = HEADER + help_tokens(tokenizer, SLICE_LITERAL("get_weather")) +
                   help_tokens(tokenizer, slice_of(INPUT));
    for (size_t i = 0; i < FORMATS; i++) {
        const struct words *words = &all_words[i];
        struct buffer in;
        if (!words->call)
            continue;
        build(words, 20, &in);
        help_add(&in, words->call);
        add_pieces(&in, slice_of(INPUT), 5, words->call_before, words->call_after);
        assert_int_equal(count_of(words, buffer_slice(&in)),
                         help_tokens(tokenizer, slice_of(TEXT)) + call);
        buffer_done(&in);
    }
}

struct said {
    const struct dialect *format;
    struct dialect_stream stream;
    struct buffer text;
};

static int take(void *user, const struct frame *event)
{
    struct said *said = user;
    struct dialect_event seen;
    char *room;
    said->format->read_event(&said->stream, event, &seen);
    assert_int_not_equal(seen.kind, DIALECT_FOREIGN);
    for (size_t i = 0; i < seen.texts_len; i++) {
        struct json text = {JSON_STRING, seen.texts[i].raw};
        assert_int_equal(buffer_reserve(&said->text, text.raw.len, &room), 0);
        buffer_advance(&said->text, (size_t)json_string_copy(text, room, text.raw.len));
    }
    return 0;
}

static void ends_at(const struct words *words, struct slice in, int64_t granted)
{
    static const struct pricing_usage nothing;
    struct stream stream;
    struct frames frames;
    struct said said = {.format = words->client(), .stream = {.framing = words->framing}};
    begin(&stream, words, words->client(), granted);
    assert_int_equal(stream_feed(&stream, in), 0);
    assert_true(stream.full);
    assert_int_equal(stream_fill(&stream), 0);
    assert_int_equal(stream_finish(&stream, &nothing, (struct slice){0}), 0);
    buffer_init(&said.text, 1 << 16);
    frames_init(&frames, words->framing, 1 << 20);
    assert_int_equal(frames_feed(&frames, buffer_slice(&stream.out), take, &said), 0);
    assert_int_equal(frames_rest(&frames).len, 0);
    struct slice got = buffer_slice(&said.text), out = buffer_slice(&stream.out);
    assert_true(slice_starts(slice_of(TEXT), got));
    if (help_tokens(tokenizer, got) > granted || help_tokens(tokenizer, got) <= granted - 4)
        fail_msg("%s: %lld of %lld: %.*s", words->format()->name,
                 (long long)help_tokens(tokenizer, got), (long long)granted, (int)out.len,
                 out.data);
    assert_non_null(memmem(out.data, out.len, words->length, strlen(words->length)));
    frames_done(&frames);
    buffer_done(&said.text);
    stream_done(&stream);
}

/* In one event, in some, in many. */
static void a_stream_ends_at_the_very_token(void **state)
{
    (void)state;
    const size_t steps[] = {sizeof TEXT, 40, 7};
    int64_t all = help_tokens(tokenizer, slice_of(TEXT));
    for (size_t i = 0; i < FORMATS; i++)
        for (size_t j = 0; j < 3; j++) {
            struct buffer in;
            build(&all_words[i], steps[j], &in);
            for (int64_t granted = 0; granted < all; granted++)
                ends_at(&all_words[i], buffer_slice(&in), granted);
            buffer_done(&in);
        }
}

/* The last chunk has text, why it ends, and usage. */
static void the_last_chunk_of_a_stream_is_shortened_too(void **state)
{
    (void)state;
    struct buffer in;
    int64_t all = help_tokens(tokenizer, slice_of(TEXT));
    buffer_init(&in, 1 << 20);
    add_pieces(&in, slice_of(TEXT), sizeof TEXT,
               "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":",
               "}]},\"finishReason\":\"STOP\",\"index\":0}]}\n\n");
    for (int64_t granted = 1; granted < all; granted++) {
        ends_at(&all_words[1], buffer_slice(&in), granted);
    }
    buffer_done(&in);
}

/* ---- What is no text ------------------------------------------------------------------------- */

static const struct {
    size_t format;
    const char *event;
} untold[] = {
    {0,
     SSE("content_block_start", "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":"
                                "{\"type\":\"redacted_thinking\",\"data\":\"AAAA\",\"text\":"
                                "\"x\"}}")},
    {0,
     SSE("content_block_start", "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":"
                                "{\"type\":\"tool_use\",\"name\":\"f\",\"input\":{\"a\":1}}}")},
    {0,
     SSE("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
                                "\"type\":\"citations_delta\",\"citation\":{\"cited_text\":\"x\","
                                "\"document_title\":\"y\"}}}")},
    {0, SSE("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
                                   "\"type\":\"of_tomorrow\",\"words\":\"x\"}}")},
    {1, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\","
        "\"args\":{\"a\":1}}}]}}]}\n\n"},
    {2, SSE("contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{"
                                 "\"redactedContent\":\"AAAA\"}}}")},
    {3, SSE("citation-start", "{\"type\":\"citation-start\",\"index\":0,\"delta\":{\"message\":{"
                              "\"citations\":{\"start\":1,\"end\":2,\"text\":\"x\"}}}}")},
    {4, "{\"event_type\":\"tool-calls-chunk\",\"tool_call_delta\":{\"index\":0,\"name\":\"f\"}}\n"},
};

static void what_is_no_text_stops_an_exact_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof untold / sizeof untold[0]; i++) {
        struct buffer in;
        build(&all_words[untold[i].format], 20, &in);
        assert_true(count_of(&all_words[untold[i].format], buffer_slice(&in)) >= 0);
        help_add(&in, untold[i].event);
        assert_int_equal(count_of(&all_words[untold[i].format], buffer_slice(&in)), -1);
        buffer_done(&in);
    }
}

/* Signatures are none of the model's tokens. */
static void what_only_signs_is_not_counted(void **state)
{
    (void)state;
    struct buffer in;
    build(&all_words[0], 20, &in);
    help_add(&in,
             SSE("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
                                        "\"type\":\"signature_delta\",\"signature\":\"AAAA\"}}"));
    assert_int_equal(count_of(&all_words[0], buffer_slice(&in)),
                     help_tokens(tokenizer, slice_of(TEXT)));
    buffer_done(&in);
    build(&all_words[1], 20, &in);
    help_add(&in, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" one\","
                  "\"thoughtSignature\":\"AAAA\"}]}}]}\n\n");
    assert_int_equal(count_of(&all_words[1], buffer_slice(&in)),
                     help_tokens(tokenizer, slice_of(TEXT " one")));
    buffer_done(&in);
}

/* ---- Between --------------------------------------------------------------------------------- */

static int64_t up(int64_t count, int64_t per_mille)
{
    return (count * per_mille + 999) / 1000;
}

static int64_t wide_of(struct slice text)
{
    int64_t wide = 0;
    for (size_t i = 0; i < text.len; i++)
        wide += (unsigned char)text.data[i] >> 7;
    return wide;
}

static int64_t digits_of(struct slice text)
{
    int64_t digits = 0;
    for (size_t i = 0; i < text.len; i++)
        digits += text.data[i] >= '0' && text.data[i] <= '9';
    return digits;
}

/* Fed in any pieces, escaped or not, the figures are those of the whole text. */
static void of_a_secret_tokenizer_the_family_says_how_many_at_most_and_at_least(void **state)
{
    (void)state;
    static const char *const models[] = {"claude-sonnet-4-5", "gemini-2.5-flash", "claude-opus-5"};
    struct slice text = slice_of(TEXT);
    for (size_t m = 0; m < 3; m++)
        for (size_t i = 0; i < FORMATS; i++)
            for (size_t step = 1; step < 40; step += 9) {
                const struct encoding *encoding;
                const struct prompt_rule *family = prompt_rule_find(slice_of(models[m]), &encoding);
                const struct words *words = &all_words[i];
                const struct stream_formats formats = {words->format(), words->format(),
                                                       words->framing, false};
                struct stream stream;
                struct buffer in;
                build(words, step, &in);
                assert_int_equal(stream_init(&stream, &formats, 65536), 0);
                stream_count_between(&stream, tokenizer, family);
                assert_int_equal(stream_grant(&stream, 1), 0);
                assert_int_equal(stream_feed(&stream, buffer_slice(&in)), 0);
                assert_int_equal(stream_tokens(&stream), -1);
                assert_false(stream.full); /* that is for those who know */
                int64_t most = up(help_tokens(tokenizer, text), family->bound->text) +
                               up(wide_of(text), family->bound->wide) +
                               up(digits_of(text), family->bound->digits);
                assert_true(most < stream_output_bytes(&stream));
                assert_int_equal(stream_most(&stream), most);
                assert_true(stream_least(&stream) >= help_tokens(tokenizer, text) / 2);
                stream_done(&stream);
                buffer_done(&in);
            }
}

static void what_is_no_text_counts_by_its_bytes(void **state)
{
    (void)state;
    const struct encoding *encoding;
    const struct prompt_rule *family =
        prompt_rule_find(SLICE_LITERAL("claude-sonnet-4-5"), &encoding);
    for (size_t i = 0; i < sizeof untold / sizeof untold[0]; i++) {
        const struct words *words = &all_words[untold[i].format];
        const struct stream_formats formats = {words->format(), words->format(), words->framing,
                                               false};
        struct stream stream;
        struct buffer in;
        build(words, 20, &in);
        assert_int_equal(stream_init(&stream, &formats, 65536), 0);
        stream_count_between(&stream, tokenizer, family);
        assert_int_equal(stream_feed(&stream, buffer_slice(&in)), 0);
        int64_t most = stream_most(&stream), bytes = stream_output_bytes(&stream);
        for (int again = 1; again <= 3; again++) {
            assert_int_equal(stream_feed(&stream, slice_of(untold[i].event)), 0);
            int64_t more = stream_output_bytes(&stream) - bytes;
            assert_true(more > 0);
            assert_true(stream_most(&stream) > most);
            /* a name is a text of its own, and has the words around a call */
            assert_true(stream_most(&stream) <= most + more + LIMIT_TEMPLATE_TOKENS);
        }
        stream_done(&stream);
        buffer_done(&in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_counted_as_its_whole_text),
        cmocka_unit_test(names_and_arguments_of_calls_are_counted),
        cmocka_unit_test(a_stream_ends_at_the_very_token),
        cmocka_unit_test(the_last_chunk_of_a_stream_is_shortened_too),
        cmocka_unit_test(what_is_no_text_stops_an_exact_count),
        cmocka_unit_test(what_only_signs_is_not_counted),
        cmocka_unit_test(of_a_secret_tokenizer_the_family_says_how_many_at_most_and_at_least),
        cmocka_unit_test(what_is_no_text_counts_by_its_bytes),
    };
    assert_int_equal(tokenizer_open(encoding_find(SLICE_LITERAL("o200k_base")), &tokenizer), 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tokenizer_close(tokenizer);
    return failed;
}
