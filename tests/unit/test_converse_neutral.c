/* SPDX-License-Identifier: Apache-2.0
 * Proves that a chat of an OpenAI client's is asked of Bedrock's converse in its own words,
 * compared byte for byte; that what it has no word for is refused by name; and that its answers,
 * whole and streamed, are an OpenAI client's. */
#include "dialect/converse.h"
#include "gateway/stream.h"
#include "translate_help.h"

#define ASK(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"
#define ASKED(rest) "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]" rest "}"
#define SAY(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"
#define SAID(messages) "{\"messages\":[" messages "],\"inferenceConfig\":{}}"

static void asks(const char *body, const char *expected)
{
    translated(dialect_chat(), dialect_converse(), body, expected);
}

static void refused(const char *body, const char *param)
{
    untranslatable(dialect_chat(), dialect_converse(), body, param);
}

static void roles_take_turns(void **state)
{
    (void)state;
    asks(SAY("{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"\\u0041\"},"
             "{\"role\":\"user\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"b\"},"
             "{\"role\":\"assistant\",\"content\":\"a\"}"),
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"\\u0041\"},{\"text\":\"b\"}]},"
         "{\"role\":\"assistant\",\"content\":[{\"text\":\"a\"}]}],\"system\":[{\"text\":\"s\"}],"
         "\"inferenceConfig\":{}}");
    asks(SAY("{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"w\","
             "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
             "\"arguments\":\"{\\\"a\\\":1}\"}}]},"
             "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"},"
             "{\"role\":\"user\",\"content\":\"and\"}"),
         SAID("{\"role\":\"user\",\"content\":[{\"text\":\"q\"}]},{\"role\":\"assistant\","
              "\"content\":[{\"text\":\"w\"},{\"toolUse\":{\"toolUseId\":\"1\",\"name\":\"f\","
              "\"input\":{\"a\":1}}}]},{\"role\":\"user\",\"content\":[{\"toolResult\":{"
              "\"toolUseId\":\"1\",\"content\":[{\"text\":\"x\"}]}},{\"text\":\"and\"}]}"));
}

static void images_are_sent_as_bytes(void **state)
{
    (void)state;
#define IMAGE(url)                                                                                 \
    SAY("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" url    \
        "\"}}]}")
    asks(IMAGE("data:image/png;base64,AAAA"),
         SAID("{\"role\":\"user\",\"content\":[{\"image\":{\"format\":\"png\",\"source\":{"
              "\"bytes\":\"AAAA\"}}}]}"));
    refused(IMAGE("https://x/y.png"), "messages");
    refused(IMAGE("data:image/tiff;base64,AAAA"), "messages");
}

#define TOOL "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"\"}}"
#define SPEC                                                                                       \
    ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":{"        \
    "\"type\":\"object\",\"properties\":{}}}}}]"

static void members_are_asked(void **state)
{
    (void)state;
    asks(ASK(",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,\"stop\":\"a\",\"seed\":1"),
         ASKED(",\"inferenceConfig\":{\"maxTokens\":9,\"temperature\":0.5,\"topP\":1,"
               "\"stopSequences\":[\"a\"]}"));
    asks(ASK(",\"stop\":[\"a\"]"), ASKED(",\"inferenceConfig\":{\"stopSequences\":[\"a\"]}"));
    asks(ASK(",\"tools\":[" TOOL "]"), ASKED(",\"inferenceConfig\":{}" SPEC "}"));
    asks(ASK(",\"tools\":[" TOOL "],\"tool_choice\":\"required\""),
         ASKED(",\"inferenceConfig\":{}" SPEC ",\"toolChoice\":{\"any\":{}}}"));
    asks(ASK(",\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
             "\"f\"}}"),
         ASKED(",\"inferenceConfig\":{}" SPEC ",\"toolChoice\":{\"tool\":{\"name\":\"f\"}}}"));
    asks(ASK(",\"tools\":[" TOOL "],\"tool_choice\":\"none\""), ASKED(",\"inferenceConfig\":{}"));
    refused("{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":"
            "\"x\"}],\"tools\":[" TOOL "],\"tool_choice\":\"none\"}",
            "tool_choice");
    asks(ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
             "\"schema\":{\"type\":\"object\"}}}"),
         ASKED(",\"inferenceConfig\":{},\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\","
               "\"structure\":{\"jsonSchema\":{\"schema\":\"{\\\"type\\\":\\\"object\\\"}\","
               "\"name\":\"n\"}}}}"));
    refused(ASK(",\"response_format\":{\"type\":\"json_object\"}"), "response_format");
}

static void thinking_is_asked_of_those_who_know_the_word(void **state)
{
    (void)state;
#define THINK(model, rest)                                                                         \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"              \
    "\"reasoning_effort\":\"low\"" rest "}"
    asks(THINK("eu.anthropic.claude-x", ""),
         ASKED(",\"inferenceConfig\":{},\"additionalModelRequestFields\":{\"thinking\":{\"type\":"
               "\"enabled\",\"budget_tokens\":2048}}"));
    asks(THINK("eu.anthropic.claude-x", ",\"max_tokens\":1500"),
         ASKED(",\"inferenceConfig\":{\"maxTokens\":1500},\"additionalModelRequestFields\":{"
               "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1499}}"));
    asks(THINK("eu.anthropic.claude-x", ",\"max_tokens\":1000"),
         ASKED(",\"inferenceConfig\":{\"maxTokens\":1000}"));
    asks(THINK("amazon.nova", ""), ASKED(",\"inferenceConfig\":{}"));
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void an_answer_is_a_chat_clients(void **state)
{
    (void)state;
    answered(
        dialect_converse(), dialect_chat(),
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{"
        "\"reasoningText\":{\"text\":\"t\",\"signature\":\"s\"}}},{\"text\":\"a\"},"
        "{\"toolUse\":{\"toolUseId\":\"1\",\"name\":\"f\",\"input\":{\"b\": 1}}}]}},"
        "\"stopReason\":\"tool_use\",\"usage\":{\"inputTokens\":3,\"outputTokens\":2}}",
        "{\"id\":\"chatcmpl-mete\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\","
        "\"reasoning_content\":\"t\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"b\\\": "
        "1}\"}}],\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":3,"
        "\"completion_tokens\":2,\"total_tokens\":5,\"prompt_tokens_details\":{"
        "\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}");
    struct neutral_sink nowhere = {NULL, NULL};
    assert_int_equal(
        dialect_converse()->neutral->read_answer(slice_of("{\"message\":\"no\"}"), &nowhere),
        METE_E_SYNTAX);
}

static void a_stream_is_a_chat_clients(void **state)
{
    (void)state;
    struct stream stream;
    const struct stream_formats formats = {dialect_chat(), dialect_converse(), FRAMES_AWS, false};
    assert_int_equal(stream_init(&stream, &formats, 4096), 0);
    static const char *const events[][2] = {
        {"messageStart", "{\"role\":\"assistant\"}"},
        {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"a\"},\"p\":\"zz\"}"},
        {"contentBlockStop", "{\"contentBlockIndex\":0}"},
        {"contentBlockStart", "{\"start\":{\"toolUse\":{\"name\":\"f\",\"toolUseId\":\"1\"}}}"},
        {"contentBlockDelta", "{\"delta\":{\"toolUse\":{\"input\":\"{\\\"b\\\"\"}}}"},
        {"contentBlockDelta", "{\"delta\":{\"toolUse\":{\"input\":\":1}\"}}}"},
        {"contentBlockStop", "{\"contentBlockIndex\":1}"},
        {"messageStop", "{\"stopReason\":\"tool_use\"}"},
        {"metadata", "{\"usage\":{\"inputTokens\":3,\"outputTokens\":2}}"},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct buffer message;
        buffer_init(&message, 4096);
        assert_int_equal(
            frames_aws_write(&message, slice_of(events[i][0]), false, slice_of(events[i][1])), 0);
        assert_int_equal(stream_feed(&stream, buffer_slice(&message)), 0);
        buffer_done(&message);
    }
    assert_int_equal(stream_end(&stream), 0);
    assert_true(stream.has_usage);
    assert_int_equal(stream_finish(&stream, &stream.usage, (struct slice){0}), 0);
    static const char *const wanted[] = {
        "\"content\":\"a\"",     "\"id\":\"1\"",
        "\"name\":\"f\"",        "\"arguments\":\"{\\\"b\\\"\"",
        "\"arguments\":\":1}\"", "\"finish_reason\":\"tool_calls\"",
        "data: [DONE]\n\n"};
    assert_int_equal(buffer_append(&stream.out, (struct slice){"", 1}), 0);
    assert_null(strstr(stream.out.data, "zz"));
    const char *at = stream.out.data;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        at = strstr(at, wanted[i]);
        if (!at)
            fail_msg("no %s in %s", wanted[i], stream.out.data);
    }
    stream_done(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_take_turns),
        cmocka_unit_test(images_are_sent_as_bytes),
        cmocka_unit_test(members_are_asked),
        cmocka_unit_test(thinking_is_asked_of_those_who_know_the_word),
        cmocka_unit_test(an_answer_is_a_chat_clients),
        cmocka_unit_test(a_stream_is_a_chat_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
