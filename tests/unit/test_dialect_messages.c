/* SPDX-License-Identifier: Apache-2.0
 * Proves that a messages request is read for what it can cost, that what cannot be bounded is
 * refused by name, that only the bytes that must change do, that usage is read as Anthropic bills
 * it, and that a stream that is cut anywhere ends as its clients expect. */
#include "dialect/messages.h"
#include "gateway/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define START "{\"model\":\"m\",\"max_tokens\":9," MESSAGES
#define PART(part) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]}"

static struct dialect_request read_good(const char *body)
{
    struct dialect_request request;
    struct dialect_error error;
    if (messages_read_request(NULL, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static void refused(const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    if (messages_read_request(NULL, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    if (param)
        assert_string_equal(error.param, param);
    else
        assert_null(error.param);
}

static void same_text(const struct buffer *out, const char *expected)
{
    if (!slice_is(buffer_slice(out), expected))
        fail_msg("\n%.*s\nand not\n%s", (int)out->len, out->data, expected);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void reads_what_is_asked(void **state)
{
    (void)state;
    struct dialect_request r = read_good(START "}");
    assert_string_equal(r.model, "m");
    assert_int_equal(r.asked, 9);
    assert_int_equal(r.choices, 1);
    assert_false(r.stream || r.wants_usage || r.may_hide_output || r.uses);
    assert_int_equal(r.input_bound, sizeof START "}" - 1 + LIMIT_TEMPLATE_TOKENS);
    r = read_good(START
                  ",\"stream\":true,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024},"
                  "\"metadata\":{\"user_id\":\"u\"}}");
    assert_true(r.stream && r.wants_usage && r.may_hide_output);
    assert_true(slice_is(r.user, "\"u\""));
    assert_true(slice_is(r.metadata, "{\"user_id\":\"u\"}"));
    assert_int_equal(r.output_least, 1025); /* with less it is refused */
    r = read_good(START ",\"thinking\":{\"type\":\"adaptive\"}}");
    assert_true(r.may_hide_output && !r.output_least);
    assert_false(read_good(START ",\"thinking\":{\"type\":\"disabled\"}}").may_hide_output);
}

static void the_bound_is_put_in_and_nothing_else_changes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{ \"max_tokens\" : 9 ,\"model\":\"m\"," MESSAGES "}",
         "{ \"max_tokens\" : 7 ,\"model\":\"m\"," MESSAGES "}"},
        {"{\"model\":\"m\"," MESSAGES "}", "{\"max_tokens\":7,\"model\":\"m\"," MESSAGES "}"},
        {"{\"max_tokens\":null,\"model\":\"m\"," MESSAGES "}",
         "{\"max_tokens\":7,\"model\":\"m\"," MESSAGES "}"},
        {"{\"max_tokens\":0,\"model\":\"m\"," MESSAGES "}",
         "{\"max_tokens\":0,\"model\":\"m\"," MESSAGES "}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dialect_request request = read_good(cases[i][0]);
        const struct dialect_changes changes = {.granted = 7};
        struct dialect_body body;
        struct buffer out;
        buffer_init(&out, 4096);
        dialect_change(&request, slice_of(cases[i][0]), &changes, &body);
        for (size_t p = 0; p < body.pieces_len; p++)
            assert_int_equal(buffer_append(&out, body.pieces[p]), 0);
        same_text(&out, cases[i][1]);
        buffer_done(&out);
    }
    assert_true(read_good(cases[3][0]).makes_no_output);
}

/* What one block adds to its bytes. */
static int64_t added(const char *body)
{
    return read_good(body).input_bound - (int64_t)strlen(body) - LIMIT_TEMPLATE_TOKENS;
}

static void images_and_documents_have_stated_bounds(void **state)
{
    (void)state;
#define DATA "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
#define IMAGE                                                                                      \
    "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/"                  \
    "png\",\"data\":" DATA "}}"
    int64_t image = LIMIT_IMAGE_TOKENS - (int64_t)(sizeof DATA - 1);
    assert_int_equal(added(PART(IMAGE)), image);
    assert_int_equal(
        added(PART("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x\"}}")),
        LIMIT_IMAGE_TOKENS);
    assert_int_equal(
        added(PART("{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"data\":" DATA "}}")),
        LIMIT_FILE_TOKENS);
    assert_int_equal(
        added(PART("{\"type\":\"document\",\"source\":{\"type\":\"text\",\"data\":" DATA "}}")), 0);
    assert_int_equal(
        added(PART("{\"type\":\"document\",\"source\":{\"type\":\"text\"},\"source\":{}}")),
        LIMIT_FILE_TOKENS);
    assert_int_equal(added(PART("{\"type\":\"new\"}")), LIMIT_FILE_TOKENS);
    assert_int_equal(added(PART("{\"type\":\"text\",\"type\":\"document\"}")), LIMIT_FILE_TOKENS);
    assert_int_equal(added(PART("{\"type\":\"tool_result\",\"content\":\"x\"}")), 0);
    assert_int_equal(added(PART("{\"type\":\"tool_result\",\"content\":[" IMAGE "," IMAGE "]}")),
                     2 * image);
    assert_int_equal(
        added(PART("{\"type\":\"tool_result\",\"content\":[{\"type\":\"document\"}]}")),
        LIMIT_FILE_TOKENS);
    /* The same data twice: neither is taken off. */
    assert_int_equal(added(PART("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":" DATA
                                ",\"data\":\"\"}}")),
                     LIMIT_IMAGE_TOKENS);
    assert_int_equal(added("{\"model\":\"m\"," MESSAGES ",\"system\":[{\"type\":\"document\"}]}"),
                     LIMIT_FILE_TOKENS);
}

static void tools_have_stated_bounds(void **state)
{
    (void)state;
#define TOOL(type) START ",\"tools\":[{\"type\":\"" type "\",\"name\":\"t\"}]}"
    int64_t runs = 2 * LIMIT_TOOLS_TOKENS + LIMIT_FILE_TOKENS;
    assert_int_equal(added(START ",\"tools\":[{\"name\":\"f\"},{\"type\":\"custom\"}]}"),
                     LIMIT_TOOLS_TOKENS);
    assert_int_equal(added(TOOL("bash_20250124")), 2 * LIMIT_TOOLS_TOKENS);
    assert_int_equal(added(TOOL("web_search_20250305")), runs);
    assert_int_equal(added(TOOL("web_fetch_20250910")), runs);
    assert_int_equal(added(TOOL("code_execution_20260120")), runs);
    assert_int_equal(added(START ",\"mcp_servers\":[{}]}"), LIMIT_TOOLS_TOKENS + LIMIT_FILE_TOKENS);
    assert_int_equal(read_good(TOOL("web_search_20250305")).searches, LIMIT_SEARCHES);
    struct dialect_request r =
        read_good(START ",\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":3},"
                        "{\"type\":\"code_execution_20250825\"}]}");
    assert_int_equal(r.searches, 4);
    assert_int_equal(r.uses, DIALECT_SEARCHES);
    assert_int_equal(read_good(TOOL("web_fetch_20250910")).uses, 0);
}

static void an_hours_cache_is_a_use_wherever_it_stands(void **state)
{
    (void)state;
#define HOUR "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}"
    static const char *const places[] = {
        START "," HOUR "}",
        START ",\"system\":[{\"type\":\"text\",\"text\":\"s\"," HOUR "}]}",
        START ",\"tools\":[{\"name\":\"f\"," HOUR "}]}",
        PART("{\"type\":\"text\",\"text\":\"t\"," HOUR "}"),
        PART("{\"type\":\"tool_result\"," HOUR "}"),
        PART("{\"type\":\"tool_result\",\"content\":[{\"type\":\"text\"," HOUR "}]}"),
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (read_good(places[i]).uses != DIALECT_LONG_CACHE)
            fail_msg("%s", places[i]);
    assert_int_equal(read_good(START ",\"cache_control\":{\"type\":\"ephemeral\"}}").uses, 0);
}

static void what_cannot_be_bounded_is_refused_by_name(void **state)
{
    (void)state;
    refused(TOOL("advisor_20260301"), "tools");
    refused(TOOL("oracle_20300101"), "tools");
    refused(START ",\"tools\":[{\"type\":\"custom\",\"type\":\"web_search_20250305\"}]}", "tools");
    refused(START ",\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":65}]}", "tools");
    refused(START ",\"speed\":\"fast\"}", "speed");
    refused(START ",\"inference_geo\":\"us\"}", "inference_geo");
    refused(START ",\"context_management\":{\"edits\":[{\"type\":\"compact_20260112\"}]}}",
            "context_management");
    read_good(START
              ",\"speed\":\"standard\",\"inference_geo\":\"global\",\"service_tier\":\"auto\","
              "\"context_management\":{\"edits\":[{\"type\":\"clear_tool_uses_20250919\"}]}}");
}

static void wrong_fields_are_refused_by_name(void **state)
{
    (void)state;
    refused("", NULL);
    refused("[]", NULL);
    refused("{\"model\":\"m\",\"max_tokens\":9}", "messages");
    refused("{" MESSAGES "}", "model");
    refused("{\"model\":\"a b\"," MESSAGES "}", "model");
    refused("{\"model\":\"m\",\"messages\":[]}", "messages");
    refused("{\"model\":\"m\",\"messages\":[1]}", "messages");
    refused("{\"model\":\"m\",\"messages\":[{\"content\":\"\",\"content\":[]}]}", "messages");
    refused(PART("{\"type\":\"tool_result\",\"content\":[],\"content\":[]}"), "messages");
    refused(START ",\"stream\":1}", "stream");
    refused("{\"model\":\"m\",\"max_tokens\":-1," MESSAGES "}", "max_tokens");
    refused("{\"model\":\"m\",\"max_tokens\":1.5," MESSAGES "}", "max_tokens");
    refused("{\"model\":\"m\",\"max_tokens\":99999999999," MESSAGES "}", "max_tokens");
    refused(START ",\"max_tokens\":9}", "max_tokens");
    refused(START ",\"model\":\"n\"}", "model");
    refused(START ",\"max_t\\u006fkens\":9}", "max_tokens");
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static bool read_usage(const char *usage, struct pricing_usage *ret_usage)
{
    char body[2048];
    struct dialect_answer answer;
    int len = snprintf(body, sizeof body, "{\"id\":\"i\",\"model\":\"m\",\"usage\":%s}", usage);
    messages_read_answer((struct slice){body, (size_t)len}, &answer);
    assert_true(slice_is(answer.id, "\"i\"") && slice_is(answer.model, "\"m\""));
    *ret_usage = answer.usage;
    return answer.has_usage;
}

#define BASE "\"input_tokens\":4,\"output_tokens\":5"

static void cached_input_is_beside_input(void **state)
{
    (void)state;
    struct pricing_usage u;
    assert_true(
        read_usage("{" BASE ",\"cache_read_input_tokens\":100,"
                   "\"cache_creation_input_tokens\":30,\"cache_creation\":"
                   "{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},"
                   "\"output_tokens_details\":{\"thinking_tokens\":3},"
                   "\"server_tool_use\":{\"web_search_requests\":2,\"web_fetch_requests\":9}}",
                   &u));
    assert_int_equal(u.input, 134);
    assert_int_equal(u.cached_input, 100);
    assert_int_equal(u.cache_write, 30);
    assert_int_equal(u.cache_write_1h, 20);
    assert_int_equal(u.output, 5);
    assert_int_equal(u.reasoning, 3);
    assert_int_equal(u.searches, 2);
    /* The parts without their sum. */
    assert_true(read_usage("{" BASE ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,"
                           "\"ephemeral_1h_input_tokens\":20}}",
                           &u));
    assert_int_equal(u.input, 34);
    assert_int_equal(u.cache_write_1h, 20);
}

static void parts_are_cut_to_their_whole(void **state)
{
    (void)state;
    struct pricing_usage u;
    assert_true(read_usage("{" BASE ",\"cache_creation_input_tokens\":3,\"cache_creation\":"
                           "{\"ephemeral_1h_input_tokens\":20},\"output_tokens_details\":"
                           "{\"thinking_tokens\":30}}",
                           &u));
    assert_int_equal(u.cache_write, 3);
    assert_int_equal(u.cache_write_1h, 3);
    assert_int_equal(u.reasoning, 5);
}

static void a_compaction_is_on_top_and_other_iterations_are_not(void **state)
{
    (void)state;
    struct pricing_usage u;
    assert_true(read_usage(
        "{" BASE ",\"iterations\":[{\"type\":\"message\",\"input_tokens\":4,\"output_tokens\":5},"
        "{\"type\":\"advisor_message\",\"input_tokens\":900,\"output_tokens\":90},"
        "{\"type\":\"compaction\",\"input_tokens\":1000,\"cache_read_input_tokens\":10,"
        "\"cache_creation_input_tokens\":1,\"output_tokens\":50}]}",
        &u));
    assert_int_equal(u.input, 1015);
    assert_int_equal(u.cached_input, 10);
    assert_int_equal(u.cache_write, 1);
    assert_int_equal(u.output, 55);
}

static void zeros_are_usage_and_nonsense_is_none(void **state)
{
    (void)state;
    struct pricing_usage u;
    assert_true(read_usage("{\"input_tokens\":0,\"output_tokens\":0,"
                           "\"cache_creation_input_tokens\":null,\"server_tool_use\":null}",
                           &u));
    assert_int_equal(u.input + u.output, 0);
    assert_false(read_usage("{}", &u));
    assert_false(read_usage("null", &u));
    assert_false(read_usage("[1]", &u));
    assert_false(read_usage("{\"input_tokens\":1}", &u));
    assert_false(read_usage("{\"output_tokens\":1}", &u));
    assert_false(read_usage("{\"input_tokens\":-1,\"output_tokens\":1}", &u));
    assert_false(read_usage("{\"input_tokens\":1,\"output_tokens\":1e15}", &u));
    assert_false(read_usage("{\"input_tokens\":1.5,\"output_tokens\":1}", &u));
    assert_false(
        read_usage("{" BASE ",\"cache_creation\":{\"ephemeral_1h_input_tokens\":-1}}", &u));
    assert_false(read_usage("{" BASE ",\"server_tool_use\":{\"web_search_requests\":-1}}", &u));
}

/* ---- Streams --------------------------------------------------------------------------------- */

#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define BEGIN                                                                                      \
    EVENT("message_start", ",\"message\":{\"id\":\"msg_1\",\"model\":\"c\",\"usage\":{"            \
                           "\"input_tokens\":10,\"cache_creation_input_tokens\":6,"                \
                           "\"cache_creation\":{\"ephemeral_5m_input_tokens\":2,"                  \
                           "\"ephemeral_1h_input_tokens\":4},\"output_tokens\":1}}")
#define OPEN(block) EVENT("content_block_start", ",\"index\":0,\"content_block\":{" block "}")
#define DELTA(delta) EVENT("content_block_delta", ",\"index\":0,\"delta\":{" delta "}")
#define STOP EVENT("content_block_stop", ",\"index\":0")
#define PING EVENT("ping", "")
#define LAST(usage)                                                                                \
    EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{" usage "}")
#define OVER EVENT("message_stop", "")
#define TEXT                                                                                       \
    OPEN("\"type\":\"text\",\"text\":\"\"") DELTA("\"type\":\"text_delta\",\"text\":\"abc\"")

struct run {
    struct stream stream;
    struct buffer all;
};

static void feed(struct run *run, const char *text)
{
    assert_int_equal(stream_feed(&run->stream, slice_of(text)), 0);
    assert_int_equal(buffer_append(&run->all, buffer_slice(&run->stream.out)), 0);
    buffer_clear(&run->stream.out);
    stream_check(&run->stream);
}

static void start(struct run *run)
{
    const struct stream_formats formats = {dialect_messages(), dialect_messages(), FRAMES_SSE,
                                           true};
    assert_int_equal(stream_init(&run->stream, &formats, 4096), 0);
    buffer_init(&run->all, 1 << 16);
}

static void finish(struct run *run, const struct pricing_usage *billed, const char *cost)
{
    assert_int_equal(stream_finish(&run->stream, billed, slice_of(cost)), 0);
    assert_int_equal(buffer_append(&run->all, buffer_slice(&run->stream.out)), 0);
}

static void done(struct run *run)
{
    stream_done(&run->stream);
    buffer_done(&run->all);
}

static void a_stream_passes_and_its_usage_gets_the_cost(void **state)
{
    (void)state;
    struct run run;
    start(&run);
    feed(&run, BEGIN);
    same_text(&run.all, BEGIN); /* nothing of it waits */
    feed(&run, PING TEXT STOP);
    same_text(&run.all, BEGIN PING TEXT STOP);
    feed(&run, LAST("\"output_tokens\":7"));
    same_text(&run.all, BEGIN PING TEXT STOP);
    feed(&run, PING OVER);
    finish(&run, &run.stream.usage, "0.01");
    same_text(&run.all, BEGIN PING TEXT STOP LAST("\"output_tokens\":7,\"cost\":0.01") PING OVER);
    done(&run);
}

static void the_last_usage_overrides_and_none_are_added_up(void **state)
{
    (void)state;
    struct run run;
    start(&run);
    feed(&run, BEGIN);
    assert_true(run.stream.has_usage);
    assert_false(run.stream.usage_is_last || run.stream.usage_finishes);
    assert_int_equal(run.stream.usage.input, 16);
    assert_int_equal(run.stream.usage.cache_write_1h, 4);
    feed(&run, TEXT STOP LAST("\"output_tokens\":7,\"cache_creation_input_tokens\":9"));
    assert_true(run.stream.usage_is_last && run.stream.usage_finishes);
    assert_int_equal(run.stream.usage.output, 7);
    assert_int_equal(run.stream.usage.input, 19);
    assert_int_equal(run.stream.usage.cache_write, 9);
    assert_int_equal(run.stream.usage.cache_write_1h, 4);
    done(&run);
}

static void unbelievable_usage_is_not_the_last_one(void **state)
{
    (void)state;
    struct run run;
    start(&run);
    feed(&run, BEGIN TEXT STOP LAST("\"output_tokens\":-7"));
    assert_false(run.stream.usage_is_last);
    assert_int_equal(run.stream.usage.output, 1);
    done(&run);
}

static void output_is_counted_by_what_the_model_made(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        int64_t bytes;
    } cases[] = {
        {BEGIN, 0},
        {PING, 0},
        {STOP, 0},
        {DELTA("\"type\":\"text_delta\",\"text\":\"a\\u00e9\""), 3},
        {DELTA("\"type\":\"thinking_delta\",\"thinking\":\"abcd\""), 4},
        {DELTA("\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\""), 3},
        {DELTA("\"type\":\"signature_delta\",\"signature\":\"abcdefgh\""), 0},
        {DELTA("\"type\":\"new_delta\",\"content\":\"abcde\""), 5},
        {DELTA(
             "\"type\":\"citations_delta\",\"citation\":{\"type\":\"x\",\"cited_text\":\"abcde\"}"),
         1},
        {OPEN("\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"abc\",\"input\":{}"), 5},
        {OPEN("\"type\":\"web_search_tool_result\",\"content\":[{\"title\":\"abc\"}]"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        start(&run);
        feed(&run, cases[i].event);
        if (stream_output_bytes(&run.stream) != cases[i].bytes)
            fail_msg("%s: %lld", cases[i].event, (long long)stream_output_bytes(&run.stream));
        done(&run);
    }
}

#define BILLED                                                                                     \
    "\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":6,"                            \
    "\"cache_read_input_tokens\":0,\"cache_creation\":{\"ephemeral_5m_input_tokens\":2,"           \
    "\"ephemeral_1h_input_tokens\":4},\"output_tokens\":3,\"output_tokens_details\":"              \
    "{\"thinking_tokens\":0},\"cost\":0.5,\"service_tier\":\"standard\"}"
#define CUT_END                                                                                    \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null}," BILLED)            \
    OVER

static void a_cut_stream_ends_well_wherever_it_is(void **state)
{
    (void)state;
#define THINK                                                                                      \
    OPEN("\"type\":\"thinking\",\"thinking\":\"\"")                                                \
    DELTA("\"type\":\"thinking_delta\",\"thinking\":\"a\"")
#define CALL                                                                                       \
    OPEN("\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}")                         \
    DELTA("\"type\":\"input_json_delta\",\"partial_json\":\"{\"")
    static const struct {
        const char *sent, *end;
    } cases[] = {
        {BEGIN, CUT_END},           {BEGIN TEXT, STOP CUT_END},
        {BEGIN TEXT STOP, CUT_END}, {BEGIN THINK, STOP CUT_END},
        {BEGIN CALL, STOP CUT_END}, {BEGIN OPEN("\"type\":\"server_tool_use\""), STOP CUT_END},
    };
    const struct pricing_usage billed = {
        .input = 16, .cache_write = 6, .cache_write_1h = 4, .output = 3};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        start(&run);
        feed(&run, cases[i].sent);
        stream_cut(&run.stream);
        feed(&run, "event: half");
        char expected[4096];
        snprintf(expected, sizeof expected, "%s%s", cases[i].sent, cases[i].end);
        finish(&run, &billed, "0.5");
        same_text(&run.all, expected);
        done(&run);
    }
}

static void a_stream_cut_before_its_first_event_still_is_one(void **state)
{
    (void)state;
    struct run run;
    const struct pricing_usage billed = {.input = 1};
    start(&run);
    stream_cut(&run.stream);
    finish(&run, &billed, "");
    assert_non_null(strstr(run.all.data, "event: message_start\ndata: {\"type\":\"message_start\","
                                         "\"message\":{\"id\":\"msg_mete\""));
    assert_non_null(strstr(run.all.data, "\"stop_reason\":\"max_tokens\""));
    done(&run);
}

static void an_error_in_mid_stream_is_noticed_and_passed(void **state)
{
    (void)state;
    struct run run;
    start(&run);
    feed(&run,
         BEGIN EVENT("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}"));
    assert_true(run.stream.failed);
    assert_false(run.stream.final_seen);
    done(&run);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void errors_have_anthropics_shape(void **state)
{
    (void)state;
    static const struct {
        struct dialect_error error;
        const char *type;
    } cases[] = {
        {{400, "x", "y", NULL, "m", {0}}, "invalid_request_error"},
        {{401, "x", "y", NULL, "m", {0}}, "authentication_error"},
        {{402, "x", "insufficient_quota", NULL, "m", {0}}, "billing_error"},
        {{429, "x", "insufficient_quota", NULL, "m", {0}}, "billing_error"},
        {{429, "x", NULL, NULL, "m", {0}}, "rate_limit_error"},
        {{403, "x", "y", NULL, "m", {0}}, "permission_error"},
        {{404, "x", "y", NULL, "m", {0}}, "not_found_error"},
        {{405, "x", "y", NULL, "m", {0}}, "invalid_request_error"},
        {{413, "x", "y", NULL, "m", {0}}, "request_too_large"},
        {{500, "x", "y", NULL, "m", {0}}, "api_error"},
        {{502, "x", "y", NULL, "m", {0}}, "api_error"},
        {{503, "x", "y", NULL, "m", {0}}, "overloaded_error"},
        {{504, "x", "y", NULL, "m", {0}}, "timeout_error"},
        {{529, "x", "y", NULL, "m", {0}}, "overloaded_error"},
    };
    struct buffer out;
    char expected[256];
    buffer_init(&out, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_clear(&out);
        assert_int_equal(messages_write_error(&out, &cases[i].error), 0);
        snprintf(expected, sizeof expected,
                 "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"m\"},"
                 "\"request_id\":null}",
                 cases[i].type);
        same_text(&out, expected);
    }
    buffer_done(&out);
}

static void one_path_is_its_own(void **state)
{
    (void)state;
    struct dialect_target target;
    assert_ptr_equal(dialect_find(slice_of("/v1/messages"), slice_of("beta=true"), &target),
                     dialect_messages());
    assert_null(dialect_find(slice_of("/v1/messages/"), slice_of(""), &target));
    assert_null(dialect_find(slice_of("/v1/messages/count_tokens"), slice_of(""), &target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_asked),
        cmocka_unit_test(the_bound_is_put_in_and_nothing_else_changes),
        cmocka_unit_test(images_and_documents_have_stated_bounds),
        cmocka_unit_test(tools_have_stated_bounds),
        cmocka_unit_test(an_hours_cache_is_a_use_wherever_it_stands),
        cmocka_unit_test(what_cannot_be_bounded_is_refused_by_name),
        cmocka_unit_test(wrong_fields_are_refused_by_name),
        cmocka_unit_test(cached_input_is_beside_input),
        cmocka_unit_test(parts_are_cut_to_their_whole),
        cmocka_unit_test(a_compaction_is_on_top_and_other_iterations_are_not),
        cmocka_unit_test(zeros_are_usage_and_nonsense_is_none),
        cmocka_unit_test(a_stream_passes_and_its_usage_gets_the_cost),
        cmocka_unit_test(the_last_usage_overrides_and_none_are_added_up),
        cmocka_unit_test(unbelievable_usage_is_not_the_last_one),
        cmocka_unit_test(output_is_counted_by_what_the_model_made),
        cmocka_unit_test(a_cut_stream_ends_well_wherever_it_is),
        cmocka_unit_test(a_stream_cut_before_its_first_event_still_is_one),
        cmocka_unit_test(an_error_in_mid_stream_is_noticed_and_passed),
        cmocka_unit_test(errors_have_anthropics_shape),
        cmocka_unit_test(one_path_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
