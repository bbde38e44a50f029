/* SPDX-License-Identifier: Apache-2.0
 * Proves that a chat of an OpenAI client's is asked of Gemini in its own words, compared byte for
 * byte; that what it has no word for is refused by name; and that its answers, whole and streamed,
 * are an OpenAI client's. */
#include "dialect/gemini.h"
#include "gateway/stream.h"
#include "translate_help.h"

#define ASK(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"
#define ASKED(rest) "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]" rest "}"
#define SAY(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"
#define CONFIG ",\"generationConfig\":{\"candidateCount\":1"
#define SAID(contents) "{\"contents\":[" contents "]" CONFIG "}}"

static void asks(const char *body, const char *expected)
{
    translated(dialect_chat(), dialect_gemini(), body, expected);
}

static void refused(const char *body, const char *param)
{
    untranslatable(dialect_chat(), dialect_gemini(), body, param);
}

static void conversations_are_asked(void **state)
{
    (void)state;
    asks(SAY("{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"\\u0041\"},"
             "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"\"},"
             "{\"role\":\"user\",\"content\":\"b\"}"),
         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"\\u0041\"}]},"
         "{\"role\":\"model\",\"parts\":[{\"text\":\"a\"}]},"
         "{\"role\":\"user\",\"parts\":[{\"text\":\"b\"}]}],"
         "\"systemInstruction\":{\"parts\":[{\"text\":\"s\"}]}" CONFIG "}}");
    asks(SAY("{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}"),
         SAID("{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]},"
              "{\"role\":\"user\",\"parts\":[{\"text\":\"b\"}]}"));
    asks(SAY("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
             "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},"
             "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.JPG?z=1\"}}]}"),
         SAID("{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"inlineData\":{\"mimeType\":"
              "\"image/png\",\"data\":\"AAAA\"}},{\"fileData\":{\"mimeType\":\"image/jpeg\","
              "\"fileUri\":\"https://x/y.JPG?z=1\"}}]}"));
    refused(SAY("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
                "\"https://x/y\"}}]}"),
            "messages");
}

#define CALL(id, name)                                                                             \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\","                \
    "\"arguments\":\"{\\\"a\\\":1}\"}}"

static void calls_and_answers_find_each_other(void **state)
{
    (void)state;
#define TOOLS(model)                                                                               \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"                \
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" CALL("1", "f") "," CALL(           \
        "2", "g") "]},{\"role\":\"tool\",\"tool_call_id\":\"2\",\"content\":\"y\"},"               \
                  "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"},"                  \
                  "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" CALL(                \
                      "1", "h") "]},"                                                              \
                                "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"z\"}]}"
#define ANSWERED(signature)                                                                        \
    SAID("{\"role\":\"user\",\"parts\":[{\"text\":\"q\"}]},"                                       \
         "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}"     \
         "}" signature "},{\"functionCall\":{\"name\":\"g\",\"args\":{\"a\":1}}}]},"               \
         "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"g\",\"response\":{"      \
         "\"output\":\"y\"}}},{\"functionResponse\":{\"name\":\"f\",\"response\":{"                \
         "\"output\":\"x\"}}}]},"                                                                  \
         "{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"h\",\"args\":{\"a\":1}"     \
         "}" signature "}]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"h\","  \
         "\"response\":{\"output\":\"z\"}}}]}")
    asks(TOOLS("gemini-2.5-flash"), ANSWERED(""));
    asks(TOOLS("gemini-3-pro"),
         ANSWERED(",\"thoughtSignature\":\"skip_thought_signature_validator\""));
    refused(SAY("{\"role\":\"tool\",\"tool_call_id\":\"9\",\"content\":\"x\"}"), "messages");
    refused(SAY("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":"
                "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\"}}]}"),
            "messages");
}

static void members_are_asked(void **state)
{
    (void)state;
    asks(ASK(",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,\"seed\":7,\"stop\":\"a\","
             "\"presence_penalty\":1,\"frequency_penalty\":2,\"reasoning_effort\":\"low\""),
         ASKED(CONFIG ",\"maxOutputTokens\":9,\"temperature\":0.5,\"topP\":1,"
                      "\"presencePenalty\":1,\"frequencyPenalty\":2,\"seed\":7,"
                      "\"stopSequences\":[\"a\"],\"thinkingConfig\":{\"thinkingBudget\":1024}}"));
    asks(ASK(",\"seed\":99999999999,\"stop\":[\"a\",\"b\"],\"reasoning_effort\":\"none\""),
         ASKED(CONFIG
               ",\"stopSequences\":[\"a\",\"b\"],\"thinkingConfig\":{\"thinkingBudget\":0}}"));
    asks(
        ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
            "\"parameters\":{\"$schema\":\"x\",\"type\":\"object\",\"strict\":true}}},"
            "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}],\"tool_choice\":"
            "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"),
        ASKED(",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\","
              "\"parametersJsonSchema\":{\"type\":\"object\"}},{\"name\":\"g\"}]}],"
              "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\","
              "\"allowedFunctionNames\":[\"f\"]}}" CONFIG "}"));
    asks(ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
             "\"schema\":{\"type\":\"object\"}}}"),
         ASKED(CONFIG ",\"responseMimeType\":\"application/json\",\"responseJsonSchema\":"
                      "{\"type\":\"object\"}}"));
    asks(ASK(",\"response_format\":{\"type\":\"json_object\"}"),
         ASKED(CONFIG ",\"responseMimeType\":\"application/json\"}"));
}

static void a_schema_keeps_what_google_reads(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *kept;
    } cases[] = {
        {"{\"type\":\"object\",\"properties\":{\"pattern\":{\"type\":\"string\",\"pattern\":\"a\"},"
         "\"n\":{\"anyOf\":[{\"const\":1,\"default\":1},{\"type\":[\"null\"]}]}},"
         "\"required\":[\"n\"],\"additionalProperties\":false,\"$schema\":\"x\"}",
         "{\"type\":\"object\",\"properties\":{\"pattern\":{\"type\":\"string\"},"
         "\"n\":{\"anyOf\":[{\"enum\":[1]},{\"type\":[\"null\"]}]}},"
         "\"required\":[\"n\"],\"additionalProperties\":false}"},
        {"{\"$defs\":{\"a\":{\"items\":{\"$ref\":\"#/$defs/a\",\"x\":1},\"default\":[]}}}",
         "{\"$defs\":{\"a\":{\"items\":{\"$ref\":\"#/$defs/a\"}}}}"},
        {"{\"items\":[{\"x\":1},{\"type\":\"string\"}],\"additionalProperties\":{\"x\":1}}",
         "{\"items\":[{},{\"type\":\"string\"}],\"additionalProperties\":{}}"},
        {"{\"x\":{}}", "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out;
        buffer_init(&out, HELP_ROOM);
        assert_int_equal(gemini_write_schema(slice_of(cases[i].schema), &out), 0);
        same_text(&out, cases[i].kept);
        buffer_done(&out);
    }
}

static void a_schema_may_be_as_deep_as_json_may(void **state)
{
    (void)state;
    char text[JSON_DEPTH_MAX * 12];
    size_t len = 0;
    for (int i = 0; i < JSON_DEPTH_MAX - 1; i++, len += 9)
        memcpy(text + len, "{\"items\":", 9);
    memcpy(text + len, "{}", 2);
    memset(text + len + 2, '}', JSON_DEPTH_MAX - 1);
    len += 2 + JSON_DEPTH_MAX - 1;
    struct buffer out;
    buffer_init(&out, HELP_ROOM);
    assert_int_equal(gemini_write_schema((struct slice){text, len}, &out), 0);
    assert_true(slice_equal(buffer_slice(&out), (struct slice){text, len}));
    buffer_done(&out);
}

/* ---- Answers --------------------------------------------------------------------------------- */

#define USAGE "\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2}"
#define TOLD                                                                                       \
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,"                   \
    "\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{"              \
    "\"reasoning_tokens\":0}}"

static void an_answer_is_a_chat_clients(void **state)
{
    (void)state;
    answered(dialect_gemini(), dialect_chat(),
             "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"t\",\"thought\":true},"
             "{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\",\"args\":{\"b\": 1}}},"
             "{\"functionCall\":{\"name\":\"g\"}}]},\"finishReason\":\"STOP\"}]," USAGE ","
             "\"modelVersion\":\"m\",\"responseId\":\"r-1\"}",
             "{\"id\":\"r-1\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"m\","
             "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\","
             "\"reasoning_content\":\"t\",\"tool_calls\":[{\"id\":\"call_r1_0\",\"type\":"
             "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"b\\\": 1}\"}},"
             "{\"id\":\"call_r1_1\",\"type\":\"function\",\"function\":{\"name\":\"g\","
             "\"arguments\":\"{}\"}}],\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"tool_"
             "calls\"}]," TOLD "}");
    answered(
        dialect_gemini(), dialect_chat(),
        "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}," USAGE "}",
        "{\"id\":\"chatcmpl-mete\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\","
        "\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":\"content_filter\"}]," TOLD "}");
    struct neutral_sink nowhere = {NULL, NULL};
    assert_int_equal(dialect_gemini()->neutral->read_answer(slice_of("{\"choices\":[]}"), &nowhere),
                     METE_E_SYNTAX);
}

static void a_stream_is_a_chat_clients(void **state)
{
    (void)state;
    struct stream stream;
    const struct stream_formats formats = {dialect_chat(), dialect_gemini(), FRAMES_SSE, false};
    assert_int_equal(stream_init(&stream, &formats, 4096), 0);
    static const char *const events[] = {
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"responseId\":\"r\","
        "\"modelVersion\":\"m\"}\r\n\r\n",
        "data: "
        "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":"
        "{}}}]}}]}\r\n\r\n",
        "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]," USAGE "}\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        assert_int_equal(stream_feed(&stream, slice_of(events[i])), 0);
    assert_int_equal(stream_end(&stream), 0);
    assert_true(stream.has_usage);
    assert_int_equal(stream_finish(&stream, &stream.usage, (struct slice){0}), 0);
    static const char *const wanted[] = {"\"id\":\"r\"",      "\"delta\":{",
                                         "\"content\":\"a\"", "\"id\":\"call_r_0\"",
                                         "\"name\":\"f\"",    "\"finish_reason\":\"tool_calls\"",
                                         "data: [DONE]\n\n"};
    assert_int_equal(buffer_append(&stream.out, (struct slice){"", 1}), 0);
    const char *at = stream.out.data;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        at = strstr(at, wanted[i]);
        if (!at)
            fail_msg("no %s in %s", wanted[i], stream.out.data);
    }
    stream_done(&stream);
}

static void an_error_is_told(void **state)
{
    (void)state;
    char room[256];
    struct dialect_error error = {.status = 400};
    assert_true(dialect_gemini()->neutral->read_error(
        slice_of("{\"error\":{\"code\":400,\"message\":\"No.\",\"status\":\"INVALID_ARGUMENT\"}}"),
        room, sizeof room, &error));
    assert_string_equal(error.message, "No.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_are_asked),
        cmocka_unit_test(calls_and_answers_find_each_other),
        cmocka_unit_test(members_are_asked),
        cmocka_unit_test(a_schema_keeps_what_google_reads),
        cmocka_unit_test(a_schema_may_be_as_deep_as_json_may),
        cmocka_unit_test(an_answer_is_a_chat_clients),
        cmocka_unit_test(a_stream_is_a_chat_clients),
        cmocka_unit_test(an_error_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
