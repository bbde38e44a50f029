/* SPDX-License-Identifier: Apache-2.0
 * Proves that Ollama's requests are read for what they can cost and changed in one place, that its
 * lines are read for what was used, that a stream cut short ends as its clients expect, and that a
 * chat of OpenAI's is asked there and answered from there. */
#include "dialect/chat.h"
#include "dialect_help.h"

#define ASK "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define BOUND(body)                                                                                \
    ((int64_t)strlen(body) + (int64_t)LIMIT_TEMPLATE_TOKENS + (int64_t)LIMIT_PREAMBLE_TOKENS)

static void a_request_streams_unless_it_says_no(void **state)
{
    (void)state;
    const struct dialect *chat = dialect_ollama(), *generate = dialect_ollama_generate();
    struct dialect_request r = help_read(chat, ASK "}");
    assert_string_equal(r.model, "m");
    assert_true(r.stream && !r.wants_usage && !r.may_hide_output);
    assert_int_equal(r.input_bound, BOUND(ASK "}"));
    assert_true(help_read(chat, ASK ",\"stream\":true}").stream);
    assert_true(help_read(chat, ASK ",\"stream\":null}").stream);
    assert_false(help_read(chat, ASK ",\"stream\":false}").stream);
    assert_true(help_read(generate, "{\"model\":\"m\",\"prompt\":\"a\"}").stream);
    assert_true(help_read(chat, ASK ",\"think\":\"high\"}").may_hide_output);
    assert_false(help_read(chat, ASK ",\"think\":false}").may_hide_output);
}

static void the_bound_is_num_predict(void **state)
{
    (void)state;
    const struct dialect *chat = dialect_ollama();
    assert_int_equal(help_read(chat, ASK ",\"options\":{\"num_predict\":9}}").asked, 9);
    assert_int_equal(help_read(chat, ASK ",\"options\":{\"num_predict\":-1}}").asked, 0);
    assert_int_equal(help_read(chat, ASK ",\"options\":{\"num_predict\":-2}}").asked, 0);
    help_written(chat, "{\"model\":\"m\",\"messages\":[]}", 4,
                 "{\"options\":{\"num_predict\":4},\"model\":\"m\",\"messages\":[]}");
    help_written(chat, ASK ",\"options\":{\"num_predict\":-1,\"seed\":1}}", 4,
                 ASK ",\"options\":{\"num_predict\":4,\"seed\":1}}");
    help_written(chat, ASK ",\"options\":{ \"seed\":1}}", 4,
                 ASK ",\"options\":{\"num_predict\":4, \"seed\":1}}");
    help_written(chat, ASK ",\"options\":{}}", 4, ASK ",\"options\":{\"num_predict\":4}}");
    help_written(chat, ASK ",\"options\":null}", 4, ASK ",\"options\":{\"num_predict\":4}}");
    help_written(chat, ASK ",\"options\":{}}", 0, ASK ",\"options\":{}}");
    help_refused(chat, ASK ",\"options\":{\"num_predict\":1,\"num_predict\":2}}", "options");
    help_refused(chat, ASK ",\"options\":{},\"options\":{}}", "options");
    help_refused(chat, ASK ",\"options\":[]}", "options");
    help_refused(chat, ASK ",\"options\":{\"num_predict\":1.5}}", "options.num_predict");
    help_refused(chat, ASK ",\"options\":{\"num_predict\":99999999}}", "options.num_predict");
}

static void images_and_tools_are_bounded(void **state)
{
    (void)state;
    const char *chat = "{\"model\":\"m\",\"messages\":[{\"images\":[\"AAAA\",\"BBBB\"]}]}";
    const char *prompt = "{\"model\":\"m\",\"prompt\":\"a\",\"images\":[\"AAAA\"]}";
    const char *tools = ASK ",\"tools\":[{}]}";
    assert_int_equal(help_read(dialect_ollama(), chat).input_bound,
                     BOUND(chat) + 2 * (LIMIT_IMAGE_TOKENS - 6));
    assert_int_equal(help_read(dialect_ollama_generate(), prompt).input_bound,
                     BOUND(prompt) + LIMIT_IMAGE_TOKENS - 6);
    assert_int_equal(help_read(dialect_ollama(), tools).input_bound,
                     BOUND(tools) + LIMIT_TOOLS_TOKENS);
    help_refused(dialect_ollama(), "{\"model\":\"m\",\"messages\":[{\"images\":[],\"images\":[]}]}",
                 "messages");
    help_refused(dialect_ollama(), "{\"model\":\"m\",\"messages\":[1]}", "messages");
    help_refused(dialect_ollama(), "{\"model\":\"m\"}", "messages");
    help_refused(dialect_ollama(), "{\"messages\":[]}", "model");
    help_refused(dialect_ollama(), "[]", NULL);
}

static void counts_that_are_left_out_are_zero(void **state)
{
    (void)state;
    const struct dialect *chat = dialect_ollama();
    help_used(chat, "{\"done\":true,\"prompt_eval_count\":3,\"eval_count\":4}", 3, 4, 0);
    help_used(chat, "{\"done\":true,\"eval_count\":4}", 0, 4, 0);
    help_used(chat, "{\"done\":true,\"prompt_eval_count\":3}", 3, 0, 0);
    help_used(chat, "{\"done\":true,\"done_reason\":\"load\"}", 0, 0, 0);
    help_used(chat, "{\"done\":true,\"done_reason\":\"unload\"}", 0, 0, 0);
    help_used(chat, "{\"done\":true}", -1, 0, 0);
    help_used(chat, "{\"done\":true,\"eval_count\":-4}", -1, 0, 0);
    help_used(chat, "{\"done\":true,\"eval_count\":\"4\"}", -1, 0, 0);
    help_used(chat, "[]", -1, 0, 0);
    help_used(chat, "", -1, 0, 0);
}

static struct dialect_event event_of(const char *line)
{
    struct dialect_stream stream = {0};
    struct dialect_event event;
    const struct frame frame = {.has_data = true, .data = slice_of(line)};
    dialect_ollama()->read_event(&stream, &frame, &event);
    return event;
}

static void what_a_reader_sees_is_counted(void **state)
{
    (void)state;
    assert_int_equal(event_of("{\"message\":{\"content\":\"ab\",\"thinking\":\"c\"}}").output_bytes,
                     3);
    assert_int_equal(event_of("{\"response\":\"\\u00e9\",\"thinking\":\"c\"}").output_bytes, 3);
    assert_int_equal(event_of("{\"message\":{\"tool_calls\":[{}]}}").output_bytes, 4);
    assert_int_equal(event_of("{\"done\":true,\"eval_count\":1}").kind, DIALECT_FINAL);
    assert_true(event_of("{\"done\":true,\"eval_count\":1}").has_usage);
    assert_true(event_of("{\"error\":\"x\"}").failed);
    assert_int_equal(event_of("nonsense").kind, DIALECT_FOREIGN);
    assert_int_equal(event_of("nonsense").output_bytes, 8);
}

static void its_texts_are_told(void **state)
{
    (void)state;
    struct dialect_event event =
        event_of("{\"message\":{\"content\":\"ab\",\"thinking\":\"c\"},\"done\":false}");
    assert_true(event.texts_are_all);
    assert_int_equal(event.texts_len, 2);
    assert_int_equal(event.texts[0].of, dialect_text_of(0, 0, DIALECT_TEXT_REASONING));
    assert_true(slice_is(event.texts[0].raw, "\"c\""));
    assert_true(slice_is(event.texts[1].raw, "\"ab\""));
    event = event_of("{\"response\":\"x\",\"done\":true}");
    assert_true(event.texts_are_all && event.texts_len == 1);
    assert_false(event_of("{\"message\":{\"content\":\"\",\"tool_calls\":[{}]}}").texts_are_all);
}

#define HEAD "{\"model\":\"m\",\"created_at\":\"2024-05-24T20:57:43Z\","
#define LINE(text)                                                                                 \
    HEAD "\"message\":{\"role\":\"assistant\",\"content\":\"" text "\"},\"done\":false}\n"

static void a_stream_cut_short_ends_as_its_clients_expect(void **state)
{
    (void)state;
    const struct dialect *chat = dialect_ollama(), *generate = dialect_ollama_generate();
    static const struct dialect_error lost = {502,  "server_error", "upstream_lost",
                                              NULL, "Gone.",        {0}};
    help_ended(chat, chat, LINE("a"), NULL,
               LINE("a") HEAD "\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,"
                              "\"done_reason\":\"length\",\"prompt_eval_count\":7,"
                              "\"eval_count\":5}\n");
    help_ended(generate, generate, HEAD "\"response\":\"a\",\"done\":false}\n", NULL,
               HEAD "\"response\":\"a\",\"done\":false}\n" HEAD
                    "\"response\":\"\",\"done\":true,\"done_reason\":\"length\","
                    "\"prompt_eval_count\":7,\"eval_count\":5}\n");
    help_ended(chat, chat, LINE("a") "{\"mod", &lost,
               LINE("a") "{\"error\":\"Gone.\",\"type\":\"server_error\","
                         "\"code\":\"upstream_lost\"}\n");
#define LAST HEAD "\"done\":true,\"eval_count\":5}\n"
    help_ended(chat, chat, LINE("a") LAST, NULL, LINE("a") LAST);
}

#define OPENAI(messages, more) "{\"model\":\"m\",\"messages\":[" messages "]" more "}"
#define USER "{\"role\":\"user\",\"content\":\"hi\"}"

static void a_chat_is_asked_in_its_words(void **state)
{
    (void)state;
    const struct dialect *chat = dialect_chat(), *ollama = dialect_ollama();
    translated(chat, ollama, OPENAI(USER, ""), OPENAI(USER, ",\"stream\":false,\"options\":{}"));
    translated(chat, ollama,
               OPENAI(USER, ",\"stream\":true,\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,"
                            "\"seed\":3,\"stop\":\"x\",\"reasoning_effort\":\"low\""),
               OPENAI(USER, ",\"stream\":true,\"options\":{\"num_predict\":9,\"temperature\":0.5,"
                            "\"top_p\":1,\"seed\":3,\"stop\":[\"x\"]},\"think\":\"low\""));
    translated(chat, ollama,
               OPENAI("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                      "{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"image_url\",\"image_url\":{"
                      "\"url\":\"data:image/png;base64,AAAA\"}}]}",
                      ",\"stop\":[\"x\"],\"response_format\":{\"type\":\"json_object\"},"
                      "\"reasoning_effort\":\"none\""),
               OPENAI("{\"role\":\"user\",\"content\":\"a\\nb\",\"images\":[\"AAAA\"]}",
                      ",\"stream\":false,\"options\":{\"stop\":[\"x\"]},\"format\":\"json\","
                      "\"think\":false"));
    translated(chat, ollama,
               OPENAI("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\","
                      "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                      "\"{\\\"a\\\":1}\"}}]},"
                      "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"}",
                      ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                      "\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}]"),
               OPENAI("{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{"
                      "\"name\":\"f\",\"arguments\":{\"a\":1}}}]},"
                      "{\"role\":\"tool\",\"content\":\"x\",\"tool_name\":\"f\"}",
                      ",\"stream\":false,\"options\":{},\"tools\":[{\"type\":\"function\","
                      "\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{"
                      "\"type\":\"object\"}}}]"));
    untranslatable(chat, ollama,
                   OPENAI("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
                          "\"url\":\"https://x/y.png\"}}]}",
                          ""),
                   "messages");
    untranslatable(chat, ollama,
                   OPENAI(USER, ",\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\","
                                "\"function\":{\"name\":\"f\"}}]"),
                   "tool_choice");
}

#define CHAT(message, finish, input, output, total)                                                \
    "{\"id\":\"chatcmpl-mete\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"m\","      \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," message                       \
    ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"" finish                             \
    "\"}],\"usage\":{\"prompt_tokens\":" input ",\"completion_tokens\":" output                    \
    ",\"total_tokens\":" total ",\"prompt_tokens_details\":{\"cached_tokens\":0},"                 \
    "\"completion_tokens_details\":{\"reasoning_tokens\":0}}}"

static void an_answer_comes_back_in_openais_words(void **state)
{
    (void)state;
    answered(dialect_ollama(), dialect_chat(),
             HEAD "\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"thinking\":\"t\"},"
                  "\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":3,"
                  "\"eval_count\":4}",
             CHAT("\"content\":\"a\",\"reasoning_content\":\"t\"", "length", "3", "4", "7"));
    answered(dialect_ollama(), dialect_chat(),
             HEAD "\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":["
                  "{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}},"
                  "{\"id\":\"x\",\"function\":{\"name\":\"g\"}}]},\"done\":true,"
                  "\"done_reason\":\"stop\",\"eval_count\":4}",
             CHAT("\"content\":null,\"tool_calls\":[{\"id\":\"call_0\",\"type\":\"function\","
                  "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"x\","
                  "\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]",
                  "tool_calls", "0", "4", "4"));
    help_ended(dialect_ollama(), dialect_chat(), LINE("a") LAST, NULL,
#define CHUNK                                                                                      \
    "data: {\"id\":\"chatcmpl-mete\",\"object\":\"chat.completion.chunk\",\"created\":0,"          \
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{"
               CHUNK "\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n" CHUNK
                     "\"content\":\"a\"},\"finish_reason\":null}]}\n\n" CHUNK
                     "},\"finish_reason\":\"stop\"}]}\n\n: mete-cost 0.5\n\ndata: [DONE]\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_streams_unless_it_says_no),
        cmocka_unit_test(the_bound_is_num_predict),
        cmocka_unit_test(images_and_tools_are_bounded),
        cmocka_unit_test(counts_that_are_left_out_are_zero),
        cmocka_unit_test(what_a_reader_sees_is_counted),
        cmocka_unit_test(its_texts_are_told),
        cmocka_unit_test(a_stream_cut_short_ends_as_its_clients_expect),
        cmocka_unit_test(a_chat_is_asked_in_its_words),
        cmocka_unit_test(an_answer_comes_back_in_openais_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
