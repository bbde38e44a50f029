/* SPDX-License-Identifier: Apache-2.0
 * Proves that what chat says survives the neutral form: a request, a whole answer and a stream are
 * read and written again as chat, and compared byte for byte with what must come of them; what has
 * no word elsewhere is refused by name. */
#include "dialect/chat.h"
#include "translate_help.h"

#define ASK(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"
#define SAY(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"

static void again(const char *body, const char *expected)
{
    translated(dialect_chat(), dialect_chat(), body, expected);
}

static void same(const char *body)
{
    again(body, body);
}

static void refused(const char *body, const char *param)
{
    untranslatable(dialect_chat(), dialect_chat(), body, param);
}

static void conversations_are_kept(void **state)
{
    (void)state;
    same(SAY("{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"\\u0041\"},"
             "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}"));
    same(SAY("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
             "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},"
             "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y\"}}]}"));
    same(SAY("{\"role\":\"user\",\"content\":\"a\"},"
             "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
             "{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
             "\"{\\\"a\\\":1}\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"g\","
             "\"arguments\":\"{}\"}}]},"
             "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"},"
             "{\"role\":\"tool\",\"tool_call_id\":\"2\",\"content\":\"y\"}"));
    again(SAY("{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},"
              "{\"role\":\"assistant\",\"reasoning_content\":\"t\",\"content\":\"a\","
              "\"refusal\":\"no\"},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":["
              "{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"text\",\"text\":\"y\"}]}"),
          SAY("{\"role\":\"system\",\"content\":\"a\"},"
              "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
              "{\"type\":\"text\",\"text\":\"no\"}]},"
              "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\\ny\"}"));
}

static void members_are_kept(void **state)
{
    (void)state;
    same(ASK(",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":9"));
    same(
        ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
            "\"parameters\":{\"type\":\"object\"},\"strict\":true}},{\"type\":\"function\","
            "\"function\":{\"name\":\"g\"}}],\"parallel_tool_calls\":false,\"tool_choice\":"
            "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"));
    same(ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
             "\"schema\":{\"type\":\"object\"},\"strict\":true}}"));
    same(ASK(",\"response_format\":{\"type\":\"json_object\"},\"temperature\":0.5,\"top_p\":1e0,"
             "\"seed\":7,\"presence_penalty\":1,\"frequency_penalty\":-1,\"stop\":[\"a\",\"b\"],"
             "\"user\":\"u\",\"reasoning_effort\":\"high\""));
    again(ASK(",\"max_completion_tokens\":9,\"n\":1,\"logit_bias\":{\"1\":1},\"logprobs\":false,"
              "\"top_logprobs\":null,\"stop\":\"x\",\"store\":true,\"metadata\":{}"),
          ASK(",\"max_tokens\":9,\"stop\":\"x\""));
}

static void what_has_no_word_elsewhere_is_refused_by_name(void **state)
{
    (void)state;
    refused(ASK(",\"n\":2"), "n");
    refused(ASK(",\"logprobs\":true"), "logprobs");
    refused(ASK(",\"top_logprobs\":2"), "top_logprobs");
    refused(ASK(",\"audio\":{}"), "audio");
    refused(ASK(",\"functions\":[]"), "functions");
    refused(ASK(",\"tools\":[{\"type\":\"custom\",\"custom\":{}}]"), "tools");
    refused(ASK(",\"tool_choice\":{\"type\":\"allowed_tools\"}"), "tool_choice");
    refused(ASK(",\"response_format\":{\"type\":\"grammar\"}"), "response_format");
    refused(ASK(",\"response_format\":{\"type\":\"json_schema\"}"), "response_format");
    refused(ASK(",\"stop\":[1]"), "stop");
    refused(SAY("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{}}]}"), "messages");
    refused(SAY("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}"), "messages");
    refused(SAY("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
                "\"file:///x\"}]}"),
            "messages");
    refused(SAY("{\"role\":\"assistant\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
                "\"https://x\"}]}"),
            "messages");
    refused(SAY("{\"role\":\"function\",\"content\":\"x\"}"), "messages");
    refused(SAY("{\"role\":\"assistant\",\"function_call\":{}}"), "messages");
    refused(SAY("{\"role\":\"tool\",\"content\":\"x\"}"), "messages");
}

static void a_request_of_too_many_parts_is_refused(void **state)
{
    (void)state;
    struct buffer body;
    buffer_init(&body, 1 << 22);
    assert_int_equal(buffer_text(&body, "{\"messages\":[{\"role\":\"user\",\"content\":[\"\""), 0);
    for (int i = 0; i < LIMIT_NEUTRAL_PARTS; i++)
        assert_int_equal(buffer_text(&body, ",\"\""), 0);
    assert_int_equal(buffer_append(&body, (struct slice){"]}]}", 5}), 0);
    refused(body.data, "messages");
    buffer_done(&body);
}

static void whole_answers_are_kept(void **state)
{
    (void)state;
#define USAGE                                                                                      \
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,"                   \
    "\"prompt_tokens_details\":{\"cached_tokens\":1},\"completion_tokens_details\":"               \
    "{\"reasoning_tokens\":0}}"
#define ANSWER(message, finish)                                                                    \
    "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"m\",\"choices\":[{"    \
    "\"index\":0,\"message\":{\"role\":\"assistant\"," message                                     \
    ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"" finish "\"}]," USAGE "}"
#define CALLS                                                                                      \
    "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","            \
    "\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{"         \
    "\"name\":\"g\",\"arguments\":\"{}\"}}]"
    static const char *const kept[] = {
        ANSWER("\"content\":\"a\\u00e9\\n\"", "stop"),
        ANSWER("\"content\":\"a\",\"reasoning_content\":\"t\"", "length"),
        ANSWER("\"content\":null," CALLS, "tool_calls"),
        ANSWER("\"content\":\"\"", "content_filter"),
    };
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        answered(dialect_chat(), dialect_chat(), kept[i], kept[i]);
    answered(dialect_chat(), dialect_chat(), ANSWER("\"content\":null," CALLS, "stop"),
             ANSWER("\"content\":null," CALLS, "tool_calls"));
    answered(dialect_chat(), dialect_chat(),
             ANSWER("\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":"
                    "\"t\"}]},{\"type\":\"text\",\"text\":\"a\"}]",
                    "stop"),
             ANSWER("\"content\":\"a\",\"reasoning_content\":\"t\"", "stop"));
}

static void what_is_no_answer_is_told(void **state)
{
    (void)state;
    static const char *const none[] = {
        "", "[]", "{}", "{\"choices\":[]}", "{\"choices\":[{}]}", "{\"choices\":{}}"};
    struct neutral_answer answer;
    struct neutral_sink sink = {help_collect, &answer};
    neutral_answer_init(&answer, 64);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(chat_read_whole(slice_of(none[i]), &sink), METE_E_SYNTAX);
    neutral_answer_done(&answer);
}

/* ---- Streams --------------------------------------------------------------------------------- */

struct relay {
    struct dialect_stream read, told;
    struct buffer out;
};

static int on_delta(void *user, const struct neutral_delta *delta)
{
    struct relay *relay = user;
    return chat_write_delta(&relay->told, delta, &relay->out);
}

static int feed(struct relay *relay, const char *data)
{
    struct neutral_sink sink = {on_delta, relay};
    const struct frame event = {.data = slice_of(data), .has_data = true};
    buffer_clear(&relay->out);
    return chat_read_delta(&relay->read, &event, &sink);
}

#define CHUNK(delta)                                                                               \
    "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\","      \
    "\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":null}]}\n\n"
#define DELTA(delta)                                                                               \
    "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}"
#define BEGIN CHUNK("\"role\":\"assistant\",\"content\":\"\"")

static void streams_are_kept(void **state)
{
    (void)state;
    struct relay relay = {.told = {.created = 7}};
    buffer_init(&relay.out, 4096);
    assert_int_equal(feed(&relay, DELTA("\"reasoning\":\"t\"")), 0);
    same_text(&relay.out, BEGIN CHUNK("\"reasoning_content\":\"t\""));
    assert_int_equal(feed(&relay, DELTA("\"role\":\"assistant\",\"content\":\"a\\n\"")), 0);
    same_text(&relay.out, CHUNK("\"content\":\"a\\n\""));
    assert_int_equal(feed(&relay, DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"1\",\"function\":{"
                                        "\"name\":\"f\",\"arguments\":\"\"}}]")),
                     0);
#define OPEN(index, id, name)                                                                      \
    CHUNK("\"tool_calls\":[{\"index\":" index ",\"id\":\"" id                                      \
          "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"\"}}]")
#define ARGUE(index, piece)                                                                        \
    CHUNK("\"tool_calls\":[{\"index\":" index ",\"function\":{\"arguments\":\"" piece "\"}}]")
    same_text(&relay.out, OPEN("0", "1", "f"));
    assert_int_equal(
        feed(&relay,
             DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"\"}}]")),
        0);
    same_text(&relay.out, ARGUE("0", "{\\\""));
    /* A second call, of one who leaves the index out and sends all at once. */
    assert_int_equal(
        feed(&relay, DELTA("\"tool_calls\":[{\"id\":\"2\",\"function\":{\"name\":\"g\","
                           "\"arguments\":\"{}\"}}]")),
        0);
    same_text(&relay.out, OPEN("1", "2", "g") ARGUE("1", "{}"));
    assert_int_equal(feed(&relay, "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}"), 0);
    same_text(&relay.out, "");
    assert_int_equal(relay.told.finish, DIALECT_TOOLS);
    assert_int_equal(feed(&relay, "{\"choices\":[],\"usage\":{}}"), 0);
    assert_int_equal(feed(&relay, "[DONE]"), 0);
    same_text(&relay.out, "");
    buffer_done(&relay.out);
}

/* Cerebras counts no further than 0; others say a call's id and name again with each piece. */
static void calls_of_one_index_are_told_apart_by_their_ids(void **state)
{
    (void)state;
    struct relay relay = {.told = {.created = 7}};
    buffer_init(&relay.out, 4096);
#define PIECE(id, arguments)                                                                       \
    DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"" id                                              \
          "\",\"function\":{\"name\":\"f\",\"arguments\":\"" arguments "\"}}]")
    assert_int_equal(feed(&relay, PIECE("1", "{}")), 0);
    same_text(&relay.out, BEGIN OPEN("0", "1", "f") ARGUE("0", "{}"));
    assert_int_equal(feed(&relay, PIECE("2", "{")), 0);
    same_text(&relay.out, OPEN("1", "2", "f") ARGUE("1", "{"));
    assert_int_equal(feed(&relay, PIECE("2", "}")), 0);
    same_text(&relay.out, ARGUE("1", "}"));
    buffer_done(&relay.out);
}

static void what_cannot_be_told_apart_is_not_told(void **state)
{
    (void)state;
    struct relay relay = {.told = {0}};
    buffer_init(&relay.out, 4096);
    assert_int_equal(feed(&relay, DELTA("\"tool_calls\":[{\"index\":0}]")), METE_E_SYNTAX);
    relay.read = (struct dialect_stream){.parts = {2, 1}};
    assert_int_equal(feed(&relay, DELTA("\"tool_calls\":[{\"index\":0,\"function\":{"
                                        "\"arguments\":\"x\"}}]")),
                     METE_E_SYNTAX);
    assert_int_equal(feed(&relay, "[1]"), METE_E_SYNTAX);
    assert_int_equal(feed(&relay, "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}"),
                     0);
    same_text(&relay.out, "");
    buffer_done(&relay.out);
}

static void errors_are_read(void **state)
{
    (void)state;
    char room[64];
    struct dialect_error error = {.status = 429};
    assert_true(
        chat_read_error(SLICE_LITERAL("{\"error\":{\"message\":\"\\u0041 b\",\"code\":\"c\"}}"),
                        room, sizeof room, &error));
    assert_string_equal(error.message, "A b");
    assert_string_equal(error.code, "c");
    assert_int_equal(error.status, 429);
    assert_true(chat_read_error(SLICE_LITERAL("{\"error\":\"x\"}"), room, sizeof room, &error));
    assert_string_equal(error.message, "x");
    assert_null(error.code);
    assert_true(chat_read_error(SLICE_LITERAL("{\"detail\":\"y\"}"), room, sizeof room, &error));
    assert_string_equal(error.message, "y");
    assert_false(chat_read_error(SLICE_LITERAL("<html>"), room, sizeof room, &error));
    assert_false(
        chat_read_error(SLICE_LITERAL("{\"error\":{\"message\":\"too long\"}}"), room, 8, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_are_kept),
        cmocka_unit_test(members_are_kept),
        cmocka_unit_test(what_has_no_word_elsewhere_is_refused_by_name),
        cmocka_unit_test(a_request_of_too_many_parts_is_refused),
        cmocka_unit_test(whole_answers_are_kept),
        cmocka_unit_test(what_is_no_answer_is_told),
        cmocka_unit_test(streams_are_kept),
        cmocka_unit_test(calls_of_one_index_are_told_apart_by_their_ids),
        cmocka_unit_test(what_cannot_be_told_apart_is_not_told),
        cmocka_unit_test(errors_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
