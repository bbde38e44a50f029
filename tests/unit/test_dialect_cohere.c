/* SPDX-License-Identifier: Apache-2.0
 * Proves that requests of both versions of Cohere's chat, and of Writer's at the older one's path,
 * are read for what they can cost and changed in one place, that tokens are what is used, that a
 * stream cut short ends well, and that a chat of OpenAI's is asked there and answered from there.
 */
#include "dialect/chat.h"
#include "dialect_help.h"

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"
#define ASK "{\"model\":\"m\",\"messages\":[" USER "]"
#define ASK_V1 "{\"model\":\"m\",\"message\":\"hi\""
#define BOUND(body)                                                                                \
    ((int64_t)strlen(body) + (int64_t)LIMIT_TEMPLATE_TOKENS + (int64_t)LIMIT_PREAMBLE_TOKENS)

static void a_request_is_read_for_what_it_can_cost(void **state)
{
    (void)state;
    const struct dialect *v2 = dialect_cohere();
    struct dialect_request r = help_read(v2, ASK "}");
    assert_string_equal(r.model, "m");
    assert_false(r.stream || r.may_hide_output);
    assert_int_equal(r.input_bound, BOUND(ASK "}"));
    assert_true(help_read(v2, ASK ",\"stream\":true}").stream);
    assert_int_equal(help_read(v2, ASK ",\"max_tokens\":9}").asked, 9);
    assert_true(help_read(v2, ASK ",\"thinking\":{\"type\":\"enabled\"}}").may_hide_output);
    assert_false(help_read(v2, ASK ",\"thinking\":{\"type\":\"disabled\"}}").may_hide_output);
#define TOOLS ASK ",\"tools\":[{\"type\":\"function\"}]}"
    assert_int_equal(help_read(v2, TOOLS).input_bound, BOUND(TOOLS) + LIMIT_TOOLS_TOKENS);
#define URL "\"data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAA\""
#define IMAGE                                                                                      \
    "{\"model\":\"m\",\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{"         \
    "\"url\":" URL "}}]}]}"
    assert_int_equal(help_read(v2, IMAGE).input_bound,
                     BOUND(IMAGE) + LIMIT_IMAGE_TOKENS - (int64_t)strlen(URL));
#define OTHER "{\"model\":\"m\",\"messages\":[{\"content\":[{\"type\":\"video\"}]}]}"
    assert_int_equal(help_read(v2, OTHER).input_bound, BOUND(OTHER) + LIMIT_FILE_TOKENS);
    help_written(v2, ASK "}", 4, "{\"max_tokens\":4,\"model\":\"m\",\"messages\":[" USER "]}");
    help_written(v2, ASK ",\"max_tokens\": 9}", 4, ASK ",\"max_tokens\": 4}");
    help_refused(v2, ASK ",\"max_tokens\":1,\"max_tokens\":2}", "max_tokens");
    help_refused(v2, ASK ",\"tools\":[{\"type\":\"web\"}]}", "tools");
    help_refused(v2, "{\"model\":\"m\",\"messages\":[]}", "messages");
    help_refused(v2, "{\"model\":\"m\",\"messages\":[{\"content\":\"\",\"content\":[]}]}",
                 "messages");
    help_refused(v2, "{\"model\":\"m\"}", "messages");
    help_refused(v2, "{\"messages\":[" USER "]}", "model");
}

static void the_older_path_has_two_kinds_of_requests(void **state)
{
    (void)state;
    const struct dialect *v1 = dialect_cohere_v1();
    assert_int_equal(help_read(v1, ASK_V1 "}").input_bound, BOUND(ASK_V1 "}"));
    help_written(v1, ASK_V1 ",\"max_tokens\":9}", 4, ASK_V1 ",\"max_tokens\":4}");
    help_refused(v1, ASK_V1 ",\"conversation_id\":\"c\"}", "conversation_id");
    help_refused(v1, ASK_V1 ",\"connectors\":[{\"id\":\"web-search\"}]}", "connectors");
    help_read(v1, ASK_V1 ",\"connectors\":[],\"conversation_id\":null}");
    help_refused(v1, "{\"model\":\"m\"}", "message");
    help_refused(v1, "{\"model\":\"m\",\"message\":1}", "message");
    struct dialect_request writer = help_read(v1, ASK ",\"n\":2,\"stream\":true}");
    assert_int_equal(writer.choices, 2);
    assert_non_null(writer.usage_option.at.data);
}

static void tokens_are_what_is_used(void **state)
{
    (void)state;
    const struct dialect *v2 = dialect_cohere(), *v1 = dialect_cohere_v1();
#define BILLED "\"billed_units\":{\"input_tokens\":2,\"output_tokens\":3}"
#define USAGE                                                                                      \
    "{" BILLED ",\"tokens\":{\"input_tokens\":69,\"output_tokens\":4},\"cached_tokens\":64}"
    help_used(v2, "{\"usage\":" USAGE "}", 69, 4, 64);
    help_used(v1, "{\"meta\":" USAGE "}", 69, 4, 64);
    help_used(v2, "{\"usage\":{" BILLED "}}", 2, 3, 0);
    help_used(v2, "{\"usage\":{\"tokens\":{\"input_tokens\":5},\"cached_tokens\":9}}", 5, 0, 5);
    help_used(v2, "{\"usage\":{\"tokens\":{\"input_tokens\":-5}}}", -1, 0, 0);
    help_used(v2, "{\"usage\":{\"tokens\":{}}}", -1, 0, 0);
    help_used(v2, "{\"usage\":null}", -1, 0, 0);
    help_used(v2, "", -1, 0, 0);
    help_used(v1,
              "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":8,"
              "\"total_tokens\":15}}",
              7, 8, 0);
}

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define START EVENT("message-start", ",\"id\":\"i\",\"delta\":{\"message\":{\"content\":[]}}")
#define OPEN(i, content)                                                                           \
    EVENT("content-start", ",\"index\":" i ",\"delta\":{\"message\":{\"content\":{" content "}}}")
#define TEXT(i, text)                                                                              \
    EVENT("content-delta",                                                                         \
          ",\"index\":" i ",\"delta\":{\"message\":{\"content\":{\"text\":\"" text "\"}}}")
#define END(finish)                                                                                \
    EVENT("message-end", ",\"delta\":{\"finish_reason\":\"" finish "\",\"usage\":" USAGE "}")
#define DONE "data: [DONE]\n\n"
#define COST ": mete-cost 0.5\n\n"
#define ENDED                                                                                      \
    "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":"            \
    "\"MAX_TOKENS\",\"usage\":{\"billed_units\":{\"input_tokens\":7,\"output_tokens\":5},"         \
    "\"tokens\":{\"input_tokens\":7,\"output_tokens\":5},\"cached_tokens\":0}}}\n\n" COST DONE

static const struct dialect_error lost = {502, "server_error", "upstream_lost", NULL, "Gone.", {0}};

static void a_stream_cut_short_ends_well(void **state)
{
    (void)state;
    const struct dialect *v2 = dialect_cohere();
#define SAID START OPEN("0", "\"type\":\"text\",\"text\":\"\"") TEXT("0", "a")
#define CALL                                                                                       \
    EVENT("tool-call-start", ",\"index\":1,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"t\","  \
                             "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}}}")
    help_ended(v2, v2, SAID END("COMPLETE") DONE, NULL, SAID END("COMPLETE") COST DONE);
    help_ended(v2, v2, SAID, NULL, SAID EVENT("content-end", ",\"index\":0") ENDED);
    help_ended(v2, v2, START CALL, NULL, START CALL EVENT("tool-call-end", ",\"index\":1") ENDED);
    help_ended(v2, v2, SAID EVENT("content-end", ",\"index\":0"), NULL,
               SAID EVENT("content-end", ",\"index\":0") ENDED);
    help_ended(v2, v2, SAID "event: conte", &lost,
               SAID COST EVENT("content-end", ",\"index\":0")
                   EVENT("message-end", ",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":"
                                        "\"Gone.\"}"));
}

#define LINE "{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\"a\"}\n"
#define LINE_START                                                                                 \
    "{\"is_finished\":false,\"event_type\":\"stream-start\",\"generation_id\":\"g\"}\n"
#define LINE_END(finish)                                                                           \
    "{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"" finish "\","        \
    "\"response\":{\"text\":\"\",\"generation_id\":\"g\",\"finish_reason\":\"" finish "\""

static void lines_cut_short_end_well(void **state)
{
    (void)state;
    const struct dialect *v1 = dialect_cohere_v1();
    help_ended(v1, v1, LINE_START LINE LINE_END("COMPLETE") "}}\n", NULL,
               LINE_START LINE LINE_END("COMPLETE") "}}\n");
    help_ended(v1, v1, LINE_START LINE, NULL,
               LINE_START LINE LINE_END("MAX_TOKENS") ",\"meta\":{\"billed_units\":{"
                                                      "\"input_tokens\":7,\"output_tokens\":5},"
                                                      "\"tokens\":{\"input_tokens\":7,"
                                                      "\"output_tokens\":5},\"cached_tokens\":0}}}"
                                                      "\n");
    help_ended(v1, v1, LINE_START LINE "{\"is_", &lost,
               LINE_START LINE LINE_END("ERROR") "},\"error\":\"Gone.\"}\n");
}

static void writers_stream_is_chats(void **state)
{
    (void)state;
    struct dialect v1 = *dialect_cohere_v1();
    v1.framing = FRAMES_SSE; /* as its type says */
#define CHUNK_OF_WRITER                                                                            \
    "data: {\"id\":\"w\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}}]}\n\n"
#define ERROR                                                                                      \
    "data: {\"error\":{\"message\":\"Gone.\",\"type\":\"server_error\",\"param\":null,"            \
    "\"code\":\"upstream_lost\"}}\n\n"
    help_ended(&v1, &v1, CHUNK_OF_WRITER DONE, NULL, CHUNK_OF_WRITER COST DONE);
    help_ended(&v1, &v1, CHUNK_OF_WRITER "dat", &lost, CHUNK_OF_WRITER COST ERROR);
    help_ended(&v1, &v1, "dat", &lost, COST ERROR); /* even before it has said anything */
}

static struct dialect_event event_of(const struct dialect *format, const char *data)
{
    struct dialect_stream stream = {.framing = format->framing};
    struct dialect_event event;
    const struct frame frame = {.has_data = true, .data = slice_of(data)};
    format->read_event(&stream, &frame, &event);
    return event;
}

static void what_a_reader_sees_is_counted(void **state)
{
    (void)state;
    const struct dialect *v2 = dialect_cohere(), *v1 = dialect_cohere_v1();
#define DELTA(message) "{\"type\":\"x\",\"delta\":{\"message\":{" message "}}}"
    static const char *const three[] = {
        DELTA("\"content\":{\"text\":\"abc\"}"),
        DELTA("\"content\":{\"thinking\":\"abc\"}"),
        DELTA("\"tool_plan\":\"abc\""),
        DELTA("\"tool_calls\":{\"function\":{\"name\":\"a\",\"arguments\":\"bc\"}}"),
    };
    for (size_t i = 0; i < sizeof three / sizeof three[0]; i++)
        assert_int_equal(event_of(v2, three[i]).output_bytes, 3);
    assert_int_equal(event_of(v1, LINE).output_bytes, 1);
    assert_int_equal(event_of(v1, "{\"tool_call_delta\":{\"a\":1}}").output_bytes, 7);
    assert_int_equal(event_of(v2, "nonsense").kind, DIALECT_FOREIGN);
    assert_int_equal(event_of(v1, "nonsense").kind, DIALECT_FOREIGN);
    assert_true(
        event_of(v2, "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\"}}").failed);
    assert_true(
        event_of(v1, "{\"event_type\":\"stream-end\",\"finish_reason\":\"TIMEOUT\"}").failed);
}

static void a_chat_is_asked_in_its_words(void **state)
{
    (void)state;
    const struct dialect *chat = dialect_chat(), *v2 = dialect_cohere();
#define WORDS(more) "{\"model\":\"m\",\"messages\":[" USER "]" more "}"
#define TOOL                                                                                       \
    "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{"   \
    "\"type\":\"object\"}"
    translated(chat, v2, WORDS(""), WORDS(",\"stream\":false"));
    translated(chat, v2,
               WORDS(",\"stream\":true,\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,\"seed\":3,"
                     "\"stop\":\"x\",\"reasoning_effort\":\"none\""),
               WORDS(",\"stream\":true,\"max_tokens\":9,\"temperature\":0.5,\"p\":1,\"seed\":3,"
                     "\"stop_sequences\":[\"x\"],\"thinking\":{\"type\":\"disabled\"}"));
    translated(
        chat, v2,
        WORDS(",\"tools\":[" TOOL ",\"strict\":true}}],\"tool_choice\":\"required\","
              "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
              "\"schema\":{\"type\":\"object\"}}}"),
        WORDS(",\"stream\":false,\"tools\":[" TOOL "}}],\"strict_tools\":true,"
              "\"tool_choice\":\"REQUIRED\",\"response_format\":{\"type\":\"json_object\","
              "\"json_schema\":{\"type\":\"object\"}}"));
    untranslatable(chat, v2,
                   WORDS(",\"tools\":[" TOOL "}}],\"tool_choice\":{\"type\":\"function\","
                         "\"function\":{\"name\":\"f\"}}"),
                   "tool_choice");
}

#define CHAT(message, finish)                                                                      \
    "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"\",\"choices\":[{"     \
    "\"index\":0,\"message\":{\"role\":\"assistant\"," message                                     \
    ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"" finish                             \
    "\"}],\"usage\":{\"prompt_tokens\":69,\"completion_tokens\":4,\"total_tokens\":73,"            \
    "\"prompt_tokens_details\":{\"cached_tokens\":64},\"completion_tokens_details\":{"             \
    "\"reasoning_tokens\":0}}}"
#define CHUNK                                                                                      \
    "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"\","       \
    "\"choices\":[{\"index\":0,\"delta\":{"
#define CHUNK_END "},\"finish_reason\":null}]}\n\n"

static void an_answer_comes_back_in_openais_words(void **state)
{
    (void)state;
    const struct dialect *chat = dialect_chat(), *v2 = dialect_cohere();
    answered(
        v2, chat,
        "{\"id\":\"i\",\"message\":{\"content\":[{\"type\":\"thinking\",\"thinking\":\"t\"},"
        "{\"type\":\"text\",\"text\":\"a\"}]},\"finish_reason\":\"MAX_TOKENS\",\"usage\":" USAGE
        "}",
        CHAT("\"content\":\"a\",\"reasoning_content\":\"t\"", "length"));
    answered(
        v2, chat,
        "{\"id\":\"i\",\"message\":{\"tool_plan\":\"t\",\"tool_calls\":[{\"id\":\"1\","
        "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]}"
        ",\"finish_reason\":\"TOOL_CALL\",\"usage\":" USAGE "}",
        CHAT("\"content\":null,\"reasoning_content\":\"t\",\"tool_calls\":[{\"id\":\"1\","
             "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
             "\"{\\\"a\\\":1}\"}}]",
             "tool_calls"));
#define ARGUMENTS(text)                                                                            \
    EVENT("tool-call-delta", ",\"index\":1,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{" \
                             "\"arguments\":\"" text "\"}}}}")
    help_ended(v2, chat, SAID CALL ARGUMENTS("{") ARGUMENTS("}") END("TOOL_CALL") DONE, NULL,
               CHUNK
               "\"role\":\"assistant\",\"content\":\"\"" CHUNK_END CHUNK
               "\"content\":\"a\"" CHUNK_END CHUNK
               "\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{"
               "\"name\":\"f\",\"arguments\":\"\"}}]" CHUNK_END CHUNK
               "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\"}}]" CHUNK_END CHUNK
               "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"}\"}}]" CHUNK_END CHUNK
               "},\"finish_reason\":\"tool_calls\"}]}\n\n" COST DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_for_what_it_can_cost),
        cmocka_unit_test(the_older_path_has_two_kinds_of_requests),
        cmocka_unit_test(tokens_are_what_is_used),
        cmocka_unit_test(a_stream_cut_short_ends_well),
        cmocka_unit_test(lines_cut_short_end_well),
        cmocka_unit_test(writers_stream_is_chats),
        cmocka_unit_test(what_a_reader_sees_is_counted),
        cmocka_unit_test(a_chat_is_asked_in_its_words),
        cmocka_unit_test(an_answer_comes_back_in_openais_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
