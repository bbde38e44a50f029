/* SPDX-License-Identifier: Apache-2.0
 * Proves that a responses request is read for what it can cost, hidden input and hosted tools
 * included; that usage is read from whole answers and last events; and that a stream cut anywhere
 * is closed with everything that was said. */
#include "dialect/responses.h"

#include "codec/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- Requests -------------------------------------------------------------------------------- */

static struct dialect_request read_good(const char *body)
{
    struct dialect_request request;
    struct dialect_error error;
    if (responses_read_request(NULL, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static void refused(const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    if (responses_read_request(NULL, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    assert_string_equal(error.param, param);
}

#define BODY(more) "{\"model\":\"m\",\"input\":\"hi\"" more "}"
#define ITEMS(items) "{\"model\":\"m\",\"input\":[" items "]}"

static void bounded(const char *body, int64_t more)
{
    struct dialect_request r = read_good(body);
    int64_t expected = (int64_t)strlen(body) + LIMIT_TEMPLATE_TOKENS + more;
    if (r.input_bound != expected)
        fail_msg("%s: %lld, not %lld", body, (long long)r.input_bound, (long long)expected);
    assert_int_equal(r.uses, 0);
}

static void what_the_body_shows_is_bounded_by_its_bytes(void **state)
{
    (void)state;
    bounded(BODY(""), 0);
    bounded(ITEMS("{\"role\":\"user\",\"content\":\"a\"}"), 0);
    bounded(ITEMS("{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
                  "\"text\":\"a\"}]},{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\","
                  "\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\","
                  "\"output\":\"1\"},{\"type\":\"reasoning\",\"summary\":[],"
                  "\"encrypted_content\":\"x\"}"),
            0);
    bounded(BODY(",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"custom\"}]"),
            LIMIT_TOOLS_TOKENS);
    bounded(BODY(",\"text\":{\"format\":{\"type\":\"json_object\"}}"), LIMIT_TOOLS_TOKENS);
    bounded(BODY(",\"previous_response_id\":null,\"conversation\":null,\"prompt\":null"), 0);
    bounded(ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":"
                  "\"https://x/y\"}]}"),
            LIMIT_IMAGE_TOKENS);
    bounded(ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":"
                  "\"data:image/png;base64,AAAA\"}]}"),
            LIMIT_IMAGE_TOKENS - (int64_t)strlen("\"data:image/png;base64,AAAA\""));
    bounded(ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_id\":\"f\"}]}"),
            LIMIT_FILE_TOKENS);
    bounded(ITEMS("{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":[{\"type\":"
                  "\"input_file\",\"file_url\":\"u\"}]}"),
            LIMIT_FILE_TOKENS);
}

static void what_no_byte_shows_is_as_long_as_a_context_window(void **state)
{
    (void)state;
    assert_int_equal(read_good(BODY(",\"previous_response_id\":\"resp_1\"")).input_bound,
                     LIMIT_CONTEXT_TOKENS);
    assert_int_equal(read_good(BODY(",\"conversation\":{\"id\":\"conv_1\"}")).input_bound,
                     LIMIT_CONTEXT_TOKENS);
    assert_int_equal(read_good(ITEMS("{\"type\":\"item_reference\",\"id\":\"msg_1\"}")).input_bound,
                     LIMIT_CONTEXT_TOKENS);
    assert_int_equal(read_good(ITEMS("{\"type\":\"new\"}")).input_bound, LIMIT_CONTEXT_TOKENS);
    assert_int_equal(
        read_good(ITEMS("{\"type\":\"message\",\"type\":\"item_reference\"}")).input_bound,
        LIMIT_CONTEXT_TOKENS);
}

static void hosted_tools_are_uses_and_make_turns(void **state)
{
    (void)state;
    struct dialect_request r = read_good(BODY(",\"tools\":[{\"type\":\"web_search\"}]"));
    assert_int_equal(r.uses, DIALECT_SEARCHES);
    assert_int_equal(r.searches, LIMIT_SEARCHES);
    assert_int_equal(r.input_bound, LIMIT_CONTEXT_TOKENS * (LIMIT_TOOL_CALLS + 1));
    r = read_good(BODY(",\"max_tool_calls\":2,\"tools\":[{\"type\":\"file_search\"}]"));
    assert_int_equal(r.searches, 2);
    assert_int_equal(r.input_bound, LIMIT_CONTEXT_TOKENS * 3);
    r = read_good(BODY(",\"max_tool_calls\":1,\"tools\":[{\"type\":\"mcp\"}]"));
    assert_int_equal(r.uses, 0);
    assert_int_equal(r.input_bound, LIMIT_CONTEXT_TOKENS * 2);
    r = read_good(BODY(",\"tools\":[{\"type\":\"image_generation\"}],\"max_tool_calls\":1"));
    assert_int_equal(r.uses, DIALECT_IMAGE_OUTPUT);
    assert_int_equal(r.output_fixed, LIMIT_IMAGE_TOKENS);
    r = read_good(BODY(",\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":"
                       "\"function\"},{\"type\":\"unheard_of\"}]}]"));
    assert_int_equal(r.uses, DIALECT_SEARCHES);
    r = read_good(BODY(",\"tools\":[{\"type\":\"function\",\"type\":\"web_search\"}]"));
    assert_int_equal(r.uses, DIALECT_SEARCHES);
    assert_int_equal(read_good(BODY(",\"prompt\":{\"id\":\"pmpt_1\"}")).uses, DIALECT_SEARCHES);
    assert_int_equal(read_good(BODY(",\"service_tier\":\"priority\"")).uses, DIALECT_PRIORITY);
    assert_int_equal(read_good(BODY(",\"service_tier\":\"flex\"")).uses, DIALECT_FLEX);
    assert_int_equal(read_good(BODY(",\"service_tier\":\"auto\"")).uses, 0);
    assert_int_equal(
        read_good(ITEMS("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}")).uses,
        DIALECT_AUDIO_INPUT);
    refused(BODY(",\"service_tier\":\"scale\""), "service_tier");
    refused(BODY(",\"models\":[\"a\"]"), "models");
    refused(BODY(",\"max_tool_calls\":0"), "max_tool_calls");
    refused(BODY(",\"tools\":[],\"tools\":[{\"type\":\"web_search\"}]"), "tools");
    refused(BODY(",\"input\":\"b\""), "input");
    refused("{\"model\":\"m\",\"input\":7}", "input");
    refused("{\"input\":\"a\"}", "model");
    refused(BODY(",\"max_output_tokens\":0"), "max_output_tokens");
}

static void written(const char *body, int64_t granted, const char *expected)
{
    struct dialect_request request = read_good(body);
    const struct dialect_changes changes = {.granted = granted, .newer_bound = true};
    struct dialect_body changed;
    struct buffer out;
    buffer_init(&out, 4096);
    dialect_change(&request, slice_of(body), &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        assert_int_equal(buffer_append(&out, changed.pieces[i]), 0);
    if (!slice_is(buffer_slice(&out), expected))
        fail_msg("%.*s", (int)out.len, out.data);
    buffer_done(&out);
}

static void only_the_bound_is_changed(void **state)
{
    (void)state;
    written(BODY(",\"stream\":true"), 0, BODY(",\"stream\":true"));
    written(BODY(""), 9, "{\"max_output_tokens\":9,\"model\":\"m\",\"input\":\"hi\"}");
    written(BODY(",\"max_output_tokens\": 50"), 9, BODY(",\"max_output_tokens\": 9"));
    struct dialect_request r = read_good(BODY(",\"background\":true,\"stream\":true,\"reasoning\":"
                                              "{\"effort\":\"low\"},\"metadata\":{\"a\":\"b\"},"
                                              "\"user\":\"u\",\"max_output_tokens\":50"));
    assert_true(r.background && r.stream && r.wants_usage && r.may_hide_output);
    assert_int_equal(r.asked, 50);
    assert_true(slice_is(r.metadata, "{\"a\":\"b\"}"));
    assert_true(slice_is(r.user, "\"u\""));
    assert_false(read_good(BODY(",\"reasoning\":{\"effort\":\"none\"}")).may_hide_output);
    assert_false(read_good(BODY(",\"reasoning\":null")).may_hide_output);
}

static void stored_answers_have_paths_of_their_own(void **state)
{
    (void)state;
    struct dialect_target target;
    struct slice none = {0};
    const struct dialect *format = dialect_responses();
    assert_ptr_equal(dialect_find(slice_of("/v1/responses"), none, &target), format);
    assert_int_equal(target.id.len, 0);
    assert_ptr_equal(dialect_find(slice_of("/v1/responses/resp_1"), none, &target), format);
    assert_true(slice_is(target.id, "resp_1") && !target.rest.len);
    assert_string_equal(format->stored_methods(&target), "GET, DELETE");
    assert_ptr_equal(dialect_find(slice_of("/openai/responses/r/cancel"), none, &target), format);
    assert_true(slice_is(target.id, "r") && slice_is(target.rest, "/cancel"));
    assert_string_equal(format->stored_methods(&target), "POST");
    assert_ptr_equal(dialect_find(slice_of("/v1/responses/r/input_items"), none, &target), format);
    assert_string_equal(format->stored_methods(&target), "GET");
    static const char *const unknown[] = {"/v1/responses/",
                                          "/v1/responses/r/",
                                          "/v1/responses/r/other",
                                          "/v1/responses/compact",
                                          "/v1/responses/input_tokens",
                                          "/v1/responsesx",
                                          "/responses"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (dialect_find(slice_of(unknown[i]), none, &target))
            fail_msg("%s", unknown[i]);
}

/* ---- Answers --------------------------------------------------------------------------------- */

#define USAGE                                                                                      \
    "{\"input_tokens\":88,\"input_tokens_details\":{\"cached_tokens\":2,\"cache_write_tokens\":"   \
    "80},\"output_tokens\":14,\"output_tokens_details\":{\"reasoning_tokens\":11},"                \
    "\"total_tokens\":102}"

static void usage_stands_in_the_answer_and_none_in_one_that_is_pending(void **state)
{
    (void)state;
    struct dialect_answer answer;
    const struct dialect *format = dialect_responses();
    format->read_answer(
        slice_of("{\"id\":\"resp_1\",\"model\":\"m-1\",\"status\":\"completed\",\"usage\":" USAGE
                 ",\"service_tier\":\"priority\",\"output\":[{\"type\":\"web_search_call\","
                 "\"action\":{\"type\":\"search\"}},{\"type\":\"web_search_call\",\"action\":{"
                 "\"type\":\"open_page\"}},{\"type\":\"message\"},{\"type\":\"file_search_call\"}]"
                 "}"),
        &answer);
    assert_true(answer.has_usage && !answer.pending);
    assert_true(slice_is(answer.id, "\"resp_1\"") && slice_is(answer.model, "\"m-1\""));
    assert_int_equal(answer.usage.input, 88);
    assert_int_equal(answer.usage.cached_input, 2);
    assert_int_equal(answer.usage.cache_write, 80);
    assert_int_equal(answer.usage.output, 14);
    assert_int_equal(answer.usage.reasoning, 11);
    assert_int_equal(answer.usage.searches, 2);
    assert_int_equal(answer.usage.service, PRICE_PRIORITY);
    format->read_answer(slice_of("{\"id\":\"r\",\"status\":\"queued\",\"background\":true,"
                                 "\"usage\":null,\"output\":[]}"),
                        &answer);
    assert_true(answer.pending && !answer.has_usage);
    format->read_answer(slice_of("{\"status\":\"completed\",\"usage\":{\"input_tokens\":-1,"
                                 "\"output_tokens\":2}}"),
                        &answer);
    assert_false(answer.has_usage);
    format->read_answer(slice_of("[]"), &answer);
    assert_false(answer.has_usage || answer.pending);
}

struct run {
    struct frames frames;
    struct dialect_stream stream;
    struct dialect_event last;
    struct buffer said, out;
    int64_t output_bytes;
};

static int on_event(void *user, const struct frame *frame)
{
    struct run *run = user;
    responses_read_event(&run->stream, frame, &run->last);
    run->output_bytes += run->last.output_bytes;
    return 0;
}

static void begin(struct run *run)
{
    *run = (struct run){0};
    buffer_init(&run->said, 65536);
    buffer_init(&run->out, 65536);
    run->stream.said = &run->said;
}

/* What run->last points into lives until the next event. */
static void feed(struct run *run, const char *event)
{
    frames_done(&run->frames);
    frames_init(&run->frames, FRAMES_SSE, 65536);
    assert_int_equal(frames_feed(&run->frames, SLICE_LITERAL("data: "), on_event, run), 0);
    assert_int_equal(frames_feed(&run->frames, slice_of(event), on_event, run), 0);
    assert_int_equal(frames_feed(&run->frames, SLICE_LITERAL("\n\n"), on_event, run), 0);
}

static void done(struct run *run)
{
    frames_done(&run->frames);
    buffer_done(&run->said);
    buffer_done(&run->out);
}

#define CREATED                                                                                    \
    "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\","        \
    "\"model\":\"m\",\"created_at\":5,\"status\":\"in_progress\",\"usage\":null}}"
#define ADDED(i, item)                                                                             \
    "{\"type\":\"response.output_item.added\",\"output_index\":" i ",\"item\":" item               \
    ",\"sequence_number\":3}"
#define DONE(i, item)                                                                              \
    "{\"type\":\"response.output_item.done\",\"output_index\":" i ",\"item\":" item                \
    ",\"sequence_number\":3}"
#define PART_ADDED(i)                                                                              \
    "{\"type\":\"response.content_part.added\",\"item_id\":\"msg_1\",\"output_index\":" i          \
    ",\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\"},"                      \
    "\"sequence_number\":4}"
#define DELTA(i, text)                                                                             \
    "{\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"output_index\":" i           \
    ",\"content_index\":0,\"delta\":\"" text "\",\"sequence_number\":5}"

static void the_last_event_reports_and_nothing_follows(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    feed(&run, CREATED);
    assert_false(run.last.has_usage || run.last.finishes || run.last.may_be_last);
    assert_string_equal(run.stream.id, "resp_1");
    feed(&run, ADDED("0", "{\"id\":\"msg_1\",\"type\":\"message\"}"));
    feed(&run, PART_ADDED("0"));
    feed(&run, DELTA("0", "a\\u00e4b"));
    assert_int_equal(run.output_bytes, 4);
    feed(&run, DONE("0", "{\"id\":\"msg_1\",\"type\":\"message\"}"));
    assert_int_equal(run.output_bytes, 4); /* it was counted in pieces */
    feed(&run, "{\"type\":\"response.completed\",\"sequence_number\":9,\"response\":{\"status\":"
               "\"completed\",\"usage\":" USAGE "}}");
    assert_true(run.last.has_usage && run.last.finishes && !run.last.failed);
    assert_int_equal(run.last.kind, DIALECT_CHUNK);
    assert_int_equal(run.last.usage.output, 14);
    assert_true(slice_is(run.last.usage_object.raw, USAGE));
    feed(&run, "[DONE]");
    assert_int_equal(run.last.kind, DIALECT_FINAL);
    feed(&run,
         "{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"usage\":null}}");
    assert_true(run.last.failed && run.last.finishes && !run.last.has_usage);
    feed(&run, "{\"type\":\"error\",\"message\":\"no\"}");
    assert_true(run.last.failed && run.last.may_be_last);
    feed(&run, "no json");
    assert_int_equal(run.last.kind, DIALECT_FOREIGN);
    done(&run);
}

static void an_item_without_pieces_counts_whole(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    const char *item = "{\"id\":\"ws_1\",\"type\":\"web_search_call\"}";
    feed(&run, ADDED("0", "{\"id\":\"ws_1\",\"type\":\"web_search_call\"}"));
    feed(&run, DONE("0", "{\"id\":\"ws_1\",\"type\":\"web_search_call\"}"));
    assert_int_equal(run.output_bytes, (int64_t)strlen(item));
    done(&run);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void ends_with(struct run *run, const char *expected)
{
    const struct pricing_usage used = {.input = 3, .output = 4, .reasoning = 1, .cached_input = 2};
    run->stream.finish = DIALECT_LENGTH;
    assert_int_equal(
        responses_write_end(&run->stream, &used, SLICE_LITERAL("0.5"), true, &run->out), 0);
    if (!slice_is(buffer_slice(&run->out), expected))
        fail_msg("%.*s\n\nin place of\n\n%s", (int)run->out.len, run->out.data, expected);
    assert_true(run->stream.ended);
    done(run);
}

#define EVENT(type, n, rest)                                                                       \
    "event: " type "\ndata: {\"type\":\"" type "\",\"sequence_number\":" n rest "}\n\n"
#define HEAD(status, why)                                                                          \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":5,\"status\":\"" status             \
    "\",\"error\":null,\"incomplete_details\":" why ",\"instructions\":null,"                      \
    "\"max_output_tokens\":null,\"model\":\"m\",\"output\":["
#define TAIL                                                                                       \
    "],\"parallel_tool_calls\":true,\"previous_response_id\":null,\"reasoning\":{\"effort\":null," \
    "\"summary\":null},\"temperature\":null,\"text\":{\"format\":{\"type\":\"text\"}},"            \
    "\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":null,\"truncation\":\"disabled\",\"usage\":{" \
    "\"input_tokens\":3,\"input_tokens_details\":{\"cached_tokens\":2},\"output_tokens\":4,"       \
    "\"output_tokens_details\":{\"reasoning_tokens\":1},\"total_tokens\":7,\"cost\":0.5},"         \
    "\"user\":null,\"metadata\":{}}"
#define INCOMPLETE(n, output)                                                                      \
    EVENT("response.incomplete", n,                                                                \
          ",\"response\":" HEAD("incomplete", "{\"reason\":\"max_output_tokens\"}") output TAIL)

static void a_message_cut_short_is_closed_with_what_was_said(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    feed(&run, CREATED);
    feed(&run, ADDED("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[]}"));
    feed(&run, DONE("0", "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[]}"));
    feed(&run, ADDED("1", "{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"in_progress\","
                          "\"content\":[],\"role\":\"assistant\"}"));
    feed(&run, PART_ADDED("1"));
    feed(&run, DELTA("1", "a\\\"b"));
    feed(&run, DELTA("1", "\\ud83d"));
    feed(&run, DELTA("1", "\\ude00"));
#define PLACE ",\"item_id\":\"msg_1\",\"output_index\":1,\"content_index\":0"
#define SAID                                                                                       \
    "{\"type\":\"output_text\",\"text\":\"a\\\"b\\ud83d\\ude00\",\"annotations\":[],"              \
    "\"logprobs\":[]}"
#define MESSAGE                                                                                    \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"incomplete\","     \
    "\"content\":[" SAID "]}"
    ends_with(&run, EVENT("response.output_text.done", "6",
                          PLACE ",\"text\":\"a\\\"b\\ud83d\\ude00\",\"logprobs\":[]")
                        EVENT("response.content_part.done", "7", PLACE ",\"part\":" SAID)
                            EVENT("response.output_item.done", "8",
                                  ",\"output_index\":1,\"item\":" MESSAGE)
                                INCOMPLETE("9", "{\"id\":\"rs_1\",\"type\":\"reasoning\","
                                                "\"summary\":[]}," MESSAGE));
}

static void a_call_cut_short_keeps_its_name_and_what_there_was_of_its_arguments(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    feed(&run, CREATED);
    feed(&run, ADDED("0", "{\"id\":\"fc_1\",\"type\":\"function_call\",\"status\":\"in_progress\","
                          "\"arguments\":\"\",\"call_id\":\"call_1\",\"name\":\"f\"}"));
    feed(&run, "{\"type\":\"response.function_call_arguments.delta\",\"item_id\":\"fc_1\","
               "\"output_index\":0,\"delta\":\"{\\\"a\",\"sequence_number\":4}");
#define CALL                                                                                       \
    "{\"id\":\"fc_1\",\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"f\","           \
    "\"status\":\"incomplete\",\"arguments\":\"{\\\"a\"}"
    ends_with(&run, EVENT("response.function_call_arguments.done", "5",
                          ",\"item_id\":\"fc_1\",\"output_index\":0,\"arguments\":\"{\\\"a\"")
                        EVENT("response.output_item.done", "6",
                              ",\"output_index\":0,\"item\":" CALL) INCOMPLETE("7", CALL));
}

static void an_item_that_says_nothing_of_itself_is_closed_too(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    feed(&run, CREATED);
    feed(&run, ADDED("0", "{}"));
    ends_with(&run, EVENT("response.output_item.done", "4",
                          ",\"output_index\":0,\"item\":{\"status\":\"incomplete\"}")
                        INCOMPLETE("5", "{\"status\":\"incomplete\"}"));
}

static void what_has_not_begun_begins_at_its_end(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    assert_int_equal(responses_write_end(&run.stream, &(struct pricing_usage){0}, (struct slice){0},
                                         true, &run.out),
                     0);
    struct slice out = buffer_slice(&run.out);
    assert_true(slice_starts(out, SLICE_LITERAL("event: response.created\n")));
    assert_non_null(memmem(out.data, out.len, "event: response.completed\n", 26));
    done(&run);
}

static void past_its_room_nothing_is_said_again_and_the_end_is_good(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    feed(&run, CREATED);
    buffer_done(&run.said);
    buffer_init(&run.said, 100);
    feed(&run, ADDED("0", "{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[]}"));
    feed(&run, PART_ADDED("0"));
    for (int i = 0; i < 20; i++)
        feed(&run, DELTA("0", "0123456789"));
    ends_with(&run, INCOMPLETE("6", ""));
}

static void a_break_is_an_error_event(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    feed(&run, CREATED);
    const struct dialect_error error = {502, "server_error", "upstream_lost", NULL, "Lost.", {0}};
    assert_int_equal(responses_write_break(&run.stream, &error, &run.out), 0);
    const char *expected =
        EVENT("error", "1",
              ",\"code\":\"upstream_lost\",\"message\":\"Lost.\",\"param\":null,\"error\":{"
              "\"message\":\"Lost.\",\"type\":\"server_error\",\"param\":null,\"code\":"
              "\"upstream_lost\"}");
    if (!slice_is(buffer_slice(&run.out), expected))
        fail_msg("%.*s", (int)run.out.len, run.out.data);
    done(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_body_shows_is_bounded_by_its_bytes),
        cmocka_unit_test(what_no_byte_shows_is_as_long_as_a_context_window),
        cmocka_unit_test(hosted_tools_are_uses_and_make_turns),
        cmocka_unit_test(only_the_bound_is_changed),
        cmocka_unit_test(stored_answers_have_paths_of_their_own),
        cmocka_unit_test(usage_stands_in_the_answer_and_none_in_one_that_is_pending),
        cmocka_unit_test(the_last_event_reports_and_nothing_follows),
        cmocka_unit_test(an_item_without_pieces_counts_whole),
        cmocka_unit_test(a_message_cut_short_is_closed_with_what_was_said),
        cmocka_unit_test(a_call_cut_short_keeps_its_name_and_what_there_was_of_its_arguments),
        cmocka_unit_test(an_item_that_says_nothing_of_itself_is_closed_too),
        cmocka_unit_test(what_has_not_begun_begins_at_its_end),
        cmocka_unit_test(past_its_room_nothing_is_said_again_and_the_end_is_good),
        cmocka_unit_test(a_break_is_an_error_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
