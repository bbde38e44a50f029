/* SPDX-License-Identifier: Apache-2.0
 * Proves that a client of one chat format and a provider of the other say the same to each other:
 * requests, whole answers and streams, chat to messages and messages to chat, written out and
 * compared byte for byte; and that what cannot be said is refused by name. */
#include "dialect/chat.h"
#include "dialect/messages.h"
#include "translate_help.h"

#include <stdio.h>

#define ASK(rest) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"
#define SAY(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"
#define USER(blocks) "{\"role\":\"user\",\"content\":[" blocks "]}"
#define MODEL(blocks) "{\"role\":\"assistant\",\"content\":[" blocks "]}"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define HI USER(TEXT("hi"))

static void to_messages(const char *chat, const char *messages)
{
    translated(dialect_chat(), dialect_messages(), chat, messages);
}

static void to_chat(const char *messages, const char *chat)
{
    translated(dialect_messages(), dialect_chat(), messages, chat);
}

static void same(const char *messages)
{
    translated(dialect_messages(), dialect_messages(), messages, messages);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void system_prompts_go_first(void **state)
{
    (void)state;
    to_messages(
        SAY("{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"hi\"},"
            "{\"role\":\"developer\",\"content\":[" TEXT("b") "]}"),
        "{\"model\":\"m\",\"system\":[" TEXT("a") "," TEXT("b") "],\"messages\":[" HI "]}");
    to_chat("{\"messages\":[" HI "],\"model\":\"m\",\"system\":\"a\"}",
            SAY("{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"hi\"}"));
    to_chat("{\"model\":\"m\",\"system\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":"
            "{\"type\":\"ephemeral\"}}],\"messages\":[" HI
            ",{\"role\":\"system\",\"content\":\"b\"}]}",
            SAY("{\"role\":\"system\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"hi\"},"
                "{\"role\":\"system\",\"content\":\"b\"}"));
}

static void images_change_their_form(void **state)
{
    (void)state;
#define CHAT_IMAGES                                                                                \
    SAY("{\"role\":\"user\",\"content\":[" TEXT(                                                   \
        "a") ",{\"type\":\"image_url\",\"image_url\":{"                                            \
             "\"url\":\"data:image/png;base64,AA+/\"}},{\"type\":\"image_url\",\"image_url\":{"    \
             "\"url\":\"https://x/y\"}}]}")
#define IMAGES                                                                                     \
    SAY(USER(TEXT("a") ",{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"      \
                       "\"image/png\",\"data\":\"AA+/\"}},{\"type\":\"image\",\"source\":{"        \
                       "\"type\":\"url\",\"url\":\"https://x/y\"}}"))
    to_messages(CHAT_IMAGES, IMAGES);
    to_chat(IMAGES, CHAT_IMAGES);
}

#define CHAT_CALL(id, name, arguments)                                                             \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name                      \
    "\",\"arguments\":\"" arguments "\"}}"
#define CHAT_CALLS(calls) "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" calls "]}"
#define CHAT_RESULT(id, text)                                                                      \
    "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"
#define CALL(id, name, input)                                                                      \
    "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" input "}"
#define RESULT(id, text)                                                                           \
    "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\",\"content\":\"" text "\"}"

static void parallel_calls_and_their_results_stay_together(void **state)
{
    (void)state;
#define CHAT_TURN                                                                                  \
    SAY("{\"role\":\"user\",\"content\":\"hi\"}," CHAT_CALLS(                                      \
        CHAT_CALL("1", "f", "{\\\"a\\\":\\\"b\\\"}") "," CHAT_CALL(                                \
            "2", "g", "{}")) "," CHAT_RESULT("1", "x") "," CHAT_RESULT("2",                        \
                                                                       "y") ",{\"role\":\"user\"," \
                                                                            "\"content\":\"so\"}")
#define TURN                                                                                       \
    SAY(HI "," MODEL(CALL("1", "f", "{\"a\":\"b\"}") "," CALL("2", "g", "{}")) "," USER(           \
        RESULT("1", "x") "," RESULT("2", "y") "," TEXT("so")))
    to_messages(CHAT_TURN, TURN);
    to_chat(TURN, CHAT_TURN);
    same(TURN);
    /* Empty arguments are an empty object, and an empty text is none. */
    to_messages(SAY("{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CHAT_CALL("1", "f",
                                                                                          "") "]}"),
                SAY(MODEL(CALL("1", "f", "{}"))));
}

static void results_come_first_with_their_errors_texts_and_images(void **state)
{
    (void)state;
#define PICTURE "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x\"}}"
    to_chat(
        SAY(USER(TEXT("so") ",{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"is_error\":true,"
                            "\"content\":[" TEXT("a") "," PICTURE "," TEXT("b") "]}")),
        SAY(CHAT_RESULT("1", "a\\nb") ",{\"role\":\"user\",\"content\":[" TEXT(
            "so") ",{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x\"}}]}"));
    to_messages(SAY("{\"role\":\"user\",\"content\":\"so\"}," CHAT_RESULT("1", "x")),
                SAY(USER(RESULT("1", "x") "," TEXT("so"))));
    same(SAY(USER("{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":\"\","
                  "\"is_error\":true}")));
    to_chat(SAY(USER("{\"type\":\"tool_result\",\"tool_use_id\":\"1\"}")),
            SAY(CHAT_RESULT("1", "")));
}

static void arguments_that_are_no_object_are_kept_as_text(void **state)
{
    (void)state;
    to_messages(SAY(CHAT_CALLS(CHAT_CALL("1", "f", "{\\\"a\\\":"))),
                SAY(MODEL(CALL("1", "f", "{\"INVALID_JSON\":\"{\\\"a\\\":\"}"))));
    to_messages(SAY(CHAT_CALLS(CHAT_CALL("1", "f", "7"))),
                SAY(MODEL(CALL("1", "f", "{\"INVALID_JSON\":\"7\"}"))));
}

static void tools_and_how_they_are_chosen(void **state)
{
    (void)state;
#define SCHEMA "{\"type\":\"object\",\"properties\":{}}"
#define CHAT_TOOLS                                                                                 \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","       \
    "\"parameters\":" SCHEMA ",\"strict\":true}}]"
#define TOOLS                                                                                      \
    ",\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":" SCHEMA                   \
    ",\"strict\":true}]"
    static const char *const choices[][2] = {
        {"", ""},
        {",\"tool_choice\":\"none\"", ",\"tool_choice\":{\"type\":\"none\"}"},
        {",\"tool_choice\":\"required\"", ",\"tool_choice\":{\"type\":\"any\"}"},
        {",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
         ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}"},
        {",\"parallel_tool_calls\":false",
         ",\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}"},
        {",\"parallel_tool_calls\":false,\"tool_choice\":\"required\"",
         ",\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}"},
    };
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        char chat[1024], messages[1024];
        snprintf(chat, sizeof chat, ASK(CHAT_TOOLS "%s"), choices[i][0]);
        snprintf(messages, sizeof messages, "{\"model\":\"m\",\"messages\":[" HI "]" TOOLS "%s}",
                 choices[i][1]);
        to_messages(chat, messages);
        to_chat(messages, chat);
    }
    to_messages(ASK(",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"),
                "{\"model\":\"m\",\"messages\":[" HI
                "],\"tools\":[{\"name\":\"f\",\"input_schema\":"
                "{\"type\":\"object\"}}]}");
}

#define WITH(rest) "{\"model\":\"m\",\"messages\":[" HI "]" rest "}"
#define BOUND(bound, rest)                                                                         \
    "{\"model\":\"m\",\"max_tokens\":" bound ",\"messages\":[" HI "]" rest "}"

static void members_that_both_have(void **state)
{
    (void)state;
    to_messages(
        ASK(",\"max_completion_tokens\":9,\"stream\":true,\"temperature\":0.5,\"top_p\":0.9,"
            "\"stop\":\"x\",\"user\":\"u\",\"seed\":1,\"presence_penalty\":1,"
            "\"logit_bias\":{}"),
        "{\"model\":\"m\",\"max_tokens\":9,\"stream\":true,\"messages\":[" HI
        "],\"temperature\":0.5,\"top_p\":0.9,\"stop_sequences\":[\"x\"],"
        "\"metadata\":{\"user_id\":\"u\"}}");
    to_messages(ASK(",\"temperature\":1.7,\"stop\":[\"x\",\"y\"]"),
                WITH(",\"temperature\":1,\"stop_sequences\":[\"x\",\"y\"]"));
    to_chat("{\"model\":\"m\",\"max_tokens\":9,\"stream\":true,\"messages\":[" HI
            "],\"temperature\":0.5,\"top_k\":3,\"stop_sequences\":[\"x\"],"
            "\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\"}",
            ASK(",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":9,"
                "\"temperature\":0.5,\"stop\":[\"x\"],\"user\":\"u\""));
    same(WITH(",\"top_k\":3"));
    to_chat(WITH(",\"stop_sequences\":[]"), ASK(""));
}

static void shapes_of_the_answer(void **state)
{
    (void)state;
#define SHAPE ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":" SCHEMA "}}"
    to_messages(
        ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
            "\"schema\":" SCHEMA "}}"),
        WITH(SHAPE));
    to_chat(WITH(SHAPE), ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                             "\"name\":\"response\",\"schema\":" SCHEMA ",\"strict\":true}}"));
    to_chat(WITH(",\"output_format\":{\"type\":\"json_schema\",\"schema\":" SCHEMA "}"),
            ASK(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                "\"name\":\"response\",\"schema\":" SCHEMA ",\"strict\":true}}"));
    untranslatable(dialect_chat(), dialect_messages(),
                   ASK(",\"response_format\":{\"type\":\"json_object\"}"), "response_format");
}

static void an_effort_is_a_budget_to_think_with(void **state)
{
    (void)state;
#define EFFORT(effort, bound) ASK(",\"max_tokens\":" bound ",\"reasoning_effort\":\"" effort "\"")
#define BUDGET(budget) ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":" budget "}"
    to_messages(EFFORT("low", "64000"), BOUND("64000", BUDGET("2048")));
    to_messages(EFFORT("medium", "64000"), BOUND("64000", BUDGET("8192")));
    to_messages(EFFORT("high", "64000"), BOUND("64000", BUDGET("16384")));
    to_messages(EFFORT("high", "4096"), BOUND("4096", BUDGET("2048")));
    to_messages(EFFORT("high", "2047"), BOUND("2047", ""));
    to_messages(EFFORT("none", "64000"), BOUND("64000", ""));
    to_messages(EFFORT("minimal", "64000"), BOUND("64000", ""));
    /* Thinking goes with no tuning, and with no tool that must be called. */
    to_messages(ASK(",\"max_tokens\":4096,\"reasoning_effort\":\"low\",\"temperature\":0"),
                BOUND("4096", BUDGET("2048")));
    to_messages(ASK(",\"max_tokens\":4096,\"reasoning_effort\":\"low\",\"tool_choice\":"
                    "\"required\"" CHAT_TOOLS),
                BOUND("4096", TOOLS ",\"tool_choice\":{\"type\":\"any\"}"));
    same(BOUND("4096", BUDGET("4000")));
    to_chat(BOUND("64000", BUDGET("2048")), EFFORT("low", "64000"));
    to_chat(BOUND("64000", BUDGET("8192")), EFFORT("medium", "64000"));
    to_chat(BOUND("64000", BUDGET("8193")), EFFORT("high", "64000"));
    to_chat(BOUND("64000", ",\"thinking\":{\"type\":\"disabled\"}"), ASK(",\"max_tokens\":64000"));
    to_chat(BOUND("64000", ",\"output_config\":{\"effort\":\"max\"}"), EFFORT("high", "64000"));
}

static void models_that_adapt_get_an_effort_and_others_a_budget(void **state)
{
    (void)state;
    static const char *const adapt[] = {"claude-opus-4-6",
                                        "claude-sonnet-4-6-20260217",
                                        "claude-opus-4-7",
                                        "claude-sonnet-5",
                                        "anthropic.claude-opus-4-8-v1:0",
                                        "claude-4.6-sonnet",
                                        "claude-opus-4-10",
                                        "claude-fable-5"};
    static const char *const budget[] = {"claude-sonnet-4-5-20250929",
                                         "claude-opus-4-20250514",
                                         "claude-3-7-sonnet-20250219",
                                         "claude-3-haiku-20240307",
                                         "claude-haiku-4.5",
                                         "team-7/claude-haiku-4-5",
                                         "claude",
                                         "m",
                                         "claude-20250101"};
    char chat[512], messages[512];
#define CHAT_EFFORT                                                                                \
    "{\"model\":\"%s\",\"max_tokens\":4096,\"reasoning_effort\":\"low\",\"messages\":["            \
    "{\"role\":\"user\",\"content\":\"hi\"}]}"
    for (size_t i = 0; i < sizeof adapt / sizeof adapt[0]; i++) {
        snprintf(chat, sizeof chat, CHAT_EFFORT, adapt[i]);
        snprintf(messages, sizeof messages,
                 "{\"model\":\"%s\",\"max_tokens\":4096,\"messages\":[" HI
                 "],\"output_config\":{\"effort\":\"low\"},\"thinking\":{\"type\":\"adaptive\"}}",
                 adapt[i]);
        to_messages(chat, messages);
    }
    for (size_t i = 0; i < sizeof budget / sizeof budget[0]; i++) {
        snprintf(chat, sizeof chat, CHAT_EFFORT, budget[i]);
        snprintf(messages, sizeof messages,
                 "{\"model\":\"%s\",\"max_tokens\":4096,\"messages\":[" HI "]" BUDGET("2048") "}",
                 budget[i]);
        to_messages(chat, messages);
    }
#define CLAUDE(rest) "{\"model\":\"claude-sonnet-5\",\"max_tokens\":20000," rest "}"
    to_messages(CLAUDE("\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning_effort\":"
                       "\"xhigh\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                       "\"schema\":{}}}"),
                CLAUDE("\"messages\":[" HI
                       "],\"output_config\":{\"format\":{\"type\":\"json_schema\","
                       "\"schema\":{}},\"effort\":\"high\"},\"thinking\":{\"type\":\"adaptive\"}"));
    same(CLAUDE("\"messages\":[" HI "],\"output_config\":{\"effort\":\"medium\"},"
                "\"thinking\":{\"type\":\"adaptive\"}"));
}

static void a_turn_that_called_without_thinking_goes_on_without(void **state)
{
    (void)state;
    to_messages("{\"model\":\"m\",\"max_tokens\":4096,\"reasoning_effort\":\"low\",\"messages\":["
                "{\"role\":\"user\",\"content\":\"hi\"}," CHAT_CALLS(
                    CHAT_CALL("1", "f", "{}")) "," CHAT_RESULT("1", "x") "]}",
                "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[" HI
                "," MODEL(CALL("1", "f", "{}")) "," USER(RESULT("1", "x")) "]}");
    /* In the next turn it thinks again. */
    to_messages(
        "{\"model\":\"m\",\"max_tokens\":4096,\"reasoning_effort\":\"low\",\"messages\":"
        "[" CHAT_CALLS(CHAT_CALL("1", "f", "{}")) "," CHAT_RESULT(
            "1", "x") ",{\"role\":\"user\",\"content\":\"hi\"}]}",
        "{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[" MODEL(CALL("1", "f", "{}")) "," USER(
            RESULT("1", "x") "," TEXT("hi")) "]" BUDGET("2048") "}");
#define THOUGHT "{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"}"
    same("{\"model\":\"m\",\"max_tokens\":4096,\"messages\":[" HI "," MODEL(
        THOUGHT "," CALL("1", "f", "{}")) "," USER(RESULT("1", "x")) "]" BUDGET("2048") "}");
}

static void thinking_is_believed_by_its_signature_alone(void **state)
{
    (void)state;
    to_messages(SAY("{\"role\":\"assistant\",\"reasoning_content\":\"t\",\"content\":\"a\"}"),
                SAY(MODEL(TEXT("a"))));
    to_chat(SAY(MODEL(THOUGHT "," TEXT("a"))), SAY("{\"role\":\"assistant\",\"content\":\"a\"}"));
    to_chat(SAY(MODEL("{\"type\":\"redacted_thinking\",\"data\":\"x\"}," TEXT("a"))),
            SAY("{\"role\":\"assistant\",\"content\":\"a\"}"));
    to_chat(SAY(MODEL(THOUGHT)), SAY(""));
}

static void what_cannot_be_said_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {WITH(",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]"), "tools"},
        {WITH(",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]"), "tools"},
        {WITH(",\"mcp_servers\":[{}]"), "mcp_servers"},
        {WITH(",\"container\":\"c\""), "container"},
        {WITH(",\"tool_choice\":{\"type\":\"new\"}"), "tool_choice"},
        {WITH(",\"tool_choice\":{\"type\":\"tool\"}"), "tool_choice"},
        {WITH(",\"output_config\":{\"format\":{\"type\":\"grammar\"}}"), "output_config"},
        {WITH(",\"stop_sequences\":[1]"), "stop_sequences"},
        {SAY(USER("{\"type\":\"document\",\"source\":{\"type\":\"base64\"}}")), "messages"},
        {SAY(USER("{\"type\":\"search_result\"}")), "messages"},
        {SAY(USER("{\"type\":\"container_upload\"}")), "messages"},
        {SAY(USER("{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}")),
         "messages"},
        {SAY(USER("{\"type\":\"image\",\"source\":{\"type\":\"url\"}}")), "messages"},
        {SAY(MODEL("{\"type\":\"server_tool_use\"}")), "messages"},
        {SAY(MODEL("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x\"}}")),
         "messages"},
        {SAY(USER("{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":[{\"type\":"
                  "\"document\"}]}")),
         "messages"},
        {SAY(USER("{\"type\":\"tool_result\"}")), "messages"},
        {SAY("{\"role\":\"tool\",\"content\":\"x\"}"), "messages"},
        {SAY("{\"role\":\"user\"}"), "messages"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        untranslatable(dialect_messages(), dialect_chat(), cases[i][0], cases[i][1]);
    /* A document of text is text. */
    to_chat(
        SAY(USER(
            "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\","
            "\"data\":\"d\"}}")),
        SAY("{\"role\":\"user\",\"content\":\"d\"}"));
}

/* ---- Whole answers --------------------------------------------------------------------------- */

#define CHAT_USAGE                                                                                 \
    "\"usage\":{\"prompt_tokens\":16,\"completion_tokens\":3,\"total_tokens\":19,"                 \
    "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":"               \
    "{\"reasoning_tokens\":2}}"
#define CHAT_ANSWER(message, finish)                                                               \
    "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"m\",\"choices\":[{"    \
    "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":" message                         \
    ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"" finish "\"}]," CHAT_USAGE "}"
#define USAGE                                                                                      \
    "\"usage\":{\"input_tokens\":12,\"cache_creation_input_tokens\":0,"                            \
    "\"cache_read_input_tokens\":4,\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,"           \
    "\"ephemeral_1h_input_tokens\":0},\"output_tokens\":3,\"output_tokens_details\":"              \
    "{\"thinking_tokens\":2},\"service_tier\":\"standard\"}"
#define ANSWER(blocks, reason)                                                                     \
    "{\"id\":\"i\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":"       \
    "[" blocks "],\"stop_reason\":\"" reason "\",\"stop_sequence\":null," USAGE "}"

static void whole_answers_say_the_same(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {CHAT_ANSWER("\"a\\n\"", "stop"), ANSWER(TEXT("a\\n"), "end_turn")},
        {CHAT_ANSWER("\"a\"", "length"), ANSWER(TEXT("a"), "max_tokens")},
        {CHAT_ANSWER("\"\"", "content_filter"), ANSWER("", "refusal")},
        {CHAT_ANSWER("\"a\",\"tool_calls\":[" CHAT_CALL("1", "f", "{\\\"a\\\":1}") "," CHAT_CALL(
                         "2", "g", "{}") "]",
                     "tool_calls"),
         ANSWER(TEXT("a") "," CALL("1", "f", "{\"a\":1}") "," CALL("2", "g", "{}"), "tool_use")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answered(dialect_chat(), dialect_messages(), cases[i][0], cases[i][1]);
        answered(dialect_messages(), dialect_chat(), cases[i][1], cases[i][0]);
        answered(dialect_messages(), dialect_messages(), cases[i][1], cases[i][1]);
    }
    answered(dialect_messages(), dialect_chat(), ANSWER(THOUGHT "," TEXT("a"), "end_turn"),
             CHAT_ANSWER("\"a\",\"reasoning_content\":\"t\"", "stop"));
    answered(dialect_messages(), dialect_messages(), ANSWER(THOUGHT "," TEXT("a"), "end_turn"),
             ANSWER(THOUGHT "," TEXT("a"), "end_turn"));
    answered(dialect_messages(), dialect_chat(), ANSWER(TEXT("a"), "stop_sequence"),
             CHAT_ANSWER("\"a\"", "stop"));
    answered(dialect_messages(), dialect_chat(), ANSWER(TEXT("a"), "model_context_window_exceeded"),
             CHAT_ANSWER("\"a\"", "length"));
    answered(dialect_chat(), dialect_messages(),
             CHAT_ANSWER("null,\"tool_calls\":[" CHAT_CALL("1", "f", "{") "]", "length"),
             ANSWER(CALL("1", "f", "{\"INVALID_JSON\":\"{\"}"), "max_tokens"));
}

/* ---- Streams --------------------------------------------------------------------------------- */

struct relay {
    const struct dialect *from, *to;
    struct dialect_stream read, told;
    struct buffer out;
};

static int on_delta(void *user, const struct neutral_delta *delta)
{
    struct relay *relay = user;
    return relay->to->neutral->write_delta(&relay->told, delta, &relay->out);
}

static int feed(struct relay *relay, const char *data)
{
    struct neutral_sink sink = {on_delta, relay};
    const struct frame event = {.data = slice_of(data), .has_data = true};
    return relay->from->neutral->read_event(&relay->read, &event, &sink);
}

static void streamed(const struct dialect *from, const struct dialect *to,
                     const char *const *events, size_t len, const char *expected)
{
    struct relay relay = {.from = from, .to = to, .told = {.created = 7}};
    const struct pricing_usage billed = {
        .input = 16, .cached_input = 4, .output = 3, .reasoning = 2};
    buffer_init(&relay.out, 1 << 16);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(feed(&relay, events[i]), 0);
    assert_int_equal(to->write_end(&relay.told, &billed, (struct slice){0}, true, &relay.out), 0);
    same_text(&relay.out, expected);
    buffer_done(&relay.out);
}
#define STREAMED(from, to, events, expected)                                                       \
    streamed(from, to, events, sizeof(events) / sizeof(events)[0], expected)

#define CHUNK(delta, finish)                                                                       \
    "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\","      \
    "\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":" finish "}]}\n\n"
#define DELTA(delta) CHUNK(delta, "null")
#define LAST(finish)                                                                               \
    CHUNK("", "\"" finish "\"")                                                                    \
    "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\","      \
    "\"choices\":[]," CHAT_USAGE "}\n\ndata: [DONE]\n\n"

static void a_messages_stream_is_told_as_chat(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\",\"usage\":{}}}",
        "{\"type\":\"ping\"}",
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\","
        "\"thinking\":\"\"}}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","
        "\"thinking\":\"t\"}}",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\","
        "\"signature\":\"s\"}}",
        "{\"type\":\"content_block_stop\",\"index\":0}",
        "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\","
        "\"text\":\"\"}}",
        "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":"
        "\"a\\n\"}}",
        "{\"type\":\"content_block_stop\",\"index\":1}",
        "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\","
        "\"id\":\"1\",\"name\":\"f\",\"input\":{}}}",
        "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\"\"}}",
        "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
        "\"partial_json\":\"{\\\"a\\\":1}\"}}",
        "{\"type\":\"content_block_stop\",\"index\":2}",
        "{\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\","
        "\"id\":\"2\",\"name\":\"g\",\"input\":{}}}",
        "{\"type\":\"content_block_stop\",\"index\":3}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_"
        "tokens\":3}}",
        "{\"type\":\"message_stop\"}",
    };
#define OPENED(index, id, name)                                                                    \
    DELTA("\"tool_calls\":[{\"index\":" index ",\"id\":\"" id                                      \
          "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"\"}}]")
#define ARGUED(index, piece)                                                                       \
    DELTA("\"tool_calls\":[{\"index\":" index ",\"function\":{\"arguments\":\"" piece "\"}}]")
    STREAMED(dialect_messages(), dialect_chat(), events,
             DELTA("\"role\":\"assistant\",\"content\":\"\"") DELTA("\"reasoning_content\":\"t\"")
                 DELTA("\"content\":\"a\\n\"") OPENED("0", "1", "f") ARGUED("0", "{\\\"a\\\":1}")
                     OPENED("1", "2", "g") ARGUED("1", "{}") LAST("tool_calls"));
}

#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define BEGUN                                                                                      \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"i\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"      \
          "\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"           \
          "\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"    \
          "\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},"  \
          "\"output_tokens\":0,\"output_tokens_details\":{\"thinking_tokens\":0},"                 \
          "\"service_tier\":\"standard\"}}")
#define BLOCK(index, block)                                                                        \
    EVENT("content_block_start", ",\"index\":" index ",\"content_block\":{\"type\":" block "}")
#define PIECE(index, type, name, text)                                                             \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":" index ",\"delta\":{\"type\":\"" type "\",\"" name "\":\"" text "\"}")
#define STOPPED(index) EVENT("content_block_stop", ",\"index\":" index)
#define ENDED(reason)                                                                              \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null}," USAGE)             \
    EVENT("message_stop", "")

static void a_chat_stream_is_told_as_messages(void **state)
{
    (void)state;
#define SENT(delta)                                                                                \
    "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}"
    static const char *const events[] = {
        SENT("\"role\":\"assistant\",\"content\":\"\""),
        SENT("\"reasoning_content\":\"t\""),
        SENT("\"content\":\"a\""),
        SENT("\"content\":\"b\\n\""),
        SENT("\"tool_calls\":[{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":"
             "\"\"}}]"),
        SENT("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]"),
        SENT("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]"),
        SENT("\"tool_calls\":[{\"index\":1,\"id\":\"2\",\"function\":{\"name\":\"g\",\"arguments\":"
             "\"{}\"}}]"),
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}",
        "{\"choices\":[],\"usage\":{}}",
        "[DONE]",
    };
    STREAMED(dialect_chat(), dialect_messages(), events,
             BEGUN BLOCK("0", "\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
                 PIECE("0", "thinking_delta", "thinking", "t") STOPPED("0")
                     BLOCK("1", "\"text\",\"text\":\"\"") PIECE("1", "text_delta", "text", "a")
                         PIECE("1", "text_delta", "text", "b\\n") STOPPED("1") BLOCK(
                             "2", "\"tool_use\",\"id\":\"1\",\"name\":\"f\",\"input\":{}")
                             PIECE("2", "input_json_delta", "partial_json", "{\\\"a\\\"") PIECE(
                                 "2", "input_json_delta", "partial_json", ":1}") STOPPED("2")
                                 BLOCK("3", "\"tool_use\",\"id\":\"2\",\"name\":\"g\",\"input\":{}")
                                     PIECE("3", "input_json_delta", "partial_json", "{}")
                                         STOPPED("3") ENDED("tool_use"));
}

static void a_stream_of_nothing_still_is_one(void **state)
{
    (void)state;
    static const char *const none[] = {
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
        "\"id\":\"i\",\"model\":\"m\"}"};
    STREAMED(dialect_chat(), dialect_messages(), none, BEGUN ENDED("end_turn"));
}

static void a_stream_without_its_first_event_is_begun_all_the_same(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"a\"}}",
        "{\"type\":\"message_start\",\"message\":{\"id\":\"late\",\"model\":\"late\"}}",
    };
    struct relay relay = {.from = dialect_messages(), .to = dialect_messages()};
    buffer_init(&relay.out, 1 << 16);
    assert_int_equal(feed(&relay, events[0]), 0);
    assert_int_equal(buffer_append(&relay.out, (struct slice){"", 1}), 0);
    assert_ptr_equal(strstr(relay.out.data, "event: message_start"), relay.out.data);
    assert_non_null(strstr(relay.out.data, "\"id\":\"msg_mete\""));
    buffer_clear(&relay.out);
    assert_int_equal(feed(&relay, events[1]), 0);
    same_text(&relay.out, "");
    relay = (struct relay){.from = dialect_messages(), .to = dialect_chat(), .out = relay.out};
    assert_int_equal(feed(&relay, events[0]), 0);
    assert_int_equal(buffer_append(&relay.out, (struct slice){"", 1}), 0);
    assert_non_null(strstr(relay.out.data, "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"));
    buffer_done(&relay.out);
}

static void an_answer_that_calls_waits_for_tools_whatever_it_says(void **state)
{
    (void)state;
    answered(dialect_messages(), dialect_chat(), ANSWER(CALL("1", "f", "{}"), "end_turn"),
             CHAT_ANSWER("null,\"tool_calls\":[" CHAT_CALL("1", "f", "{}") "]", "tool_calls"));
    answered(dialect_messages(), dialect_chat(), ANSWER(CALL("1", "f", "{}"), "max_tokens"),
             CHAT_ANSWER("null,\"tool_calls\":[" CHAT_CALL("1", "f", "{}") "]", "length"));
}

static void signatures_end_their_block(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\"}}",
        "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"thinking\",\"thinking\":"
        "\"t\"}}",
        "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"signature_delta\",\"signature\":"
        "\"s\"}}",
        "{\"type\":\"content_block_stop\"}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}",
    };
    STREAMED(dialect_messages(), dialect_messages(), events,
             BEGUN BLOCK("0", "\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
                 PIECE("0", "thinking_delta", "thinking", "t")
                     PIECE("0", "signature_delta", "signature", "s") STOPPED("0")
                         ENDED("end_turn"));
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void errors_are_read_from_either(void **state)
{
    (void)state;
    char room[256];
    struct dialect_error error = {.status = 529};
    struct buffer out;
    buffer_init(&out, 1024);
    assert_true(messages_neutral.read_error(
        SLICE_LITERAL("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                      "\"message\":\"Overloaded\"},\"request_id\":\"r\"}"),
        room, sizeof room, &error));
    assert_string_equal(error.message, "Overloaded");
    assert_string_equal(error.code, "overloaded_error");
    assert_int_equal(chat_write_error(&out, &error), 0);
    same_text(&out,
              "{\"error\":{\"message\":\"Overloaded\",\"type\":\"server_error\",\"param\":null,"
              "\"code\":\"overloaded_error\"}}");
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_prompts_go_first),
        cmocka_unit_test(images_change_their_form),
        cmocka_unit_test(parallel_calls_and_their_results_stay_together),
        cmocka_unit_test(results_come_first_with_their_errors_texts_and_images),
        cmocka_unit_test(arguments_that_are_no_object_are_kept_as_text),
        cmocka_unit_test(tools_and_how_they_are_chosen),
        cmocka_unit_test(members_that_both_have),
        cmocka_unit_test(shapes_of_the_answer),
        cmocka_unit_test(an_effort_is_a_budget_to_think_with),
        cmocka_unit_test(models_that_adapt_get_an_effort_and_others_a_budget),
        cmocka_unit_test(a_turn_that_called_without_thinking_goes_on_without),
        cmocka_unit_test(thinking_is_believed_by_its_signature_alone),
        cmocka_unit_test(what_cannot_be_said_is_refused_by_name),
        cmocka_unit_test(whole_answers_say_the_same),
        cmocka_unit_test(a_messages_stream_is_told_as_chat),
        cmocka_unit_test(a_chat_stream_is_told_as_messages),
        cmocka_unit_test(a_stream_of_nothing_still_is_one),
        cmocka_unit_test(a_stream_without_its_first_event_is_begun_all_the_same),
        cmocka_unit_test(an_answer_that_calls_waits_for_tools_whatever_it_says),
        cmocka_unit_test(signatures_end_their_block),
        cmocka_unit_test(errors_are_read_from_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
