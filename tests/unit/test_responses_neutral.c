/* SPDX-License-Identifier: Apache-2.0
 * Proves that a responses request says in the neutral form what it said, that what has no word
 * elsewhere is refused by name, and that an answer is written with every event that a client adds
 * up, streamed and whole. */
#include "dialect/neutral.h"
#include "dialect/responses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void read_good(const char *body, struct neutral_request *ret_request)
{
    struct dialect_error error;
    neutral_request_init(ret_request);
    if (responses_neutral.read_request(NULL, slice_of(body), ret_request, &error))
        fail_msg("%s: %s", body, error.message);
}

static void refused(const char *body, const char *param)
{
    struct neutral_request request;
    struct dialect_error error = {0};
    neutral_request_init(&request);
    if (responses_neutral.read_request(NULL, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_string_equal(error.param, param);
    neutral_request_done(&request);
}

static void is_part(const struct neutral_request *request, size_t i, enum neutral_role role,
                    enum neutral_kind kind, bool begins, const char *text)
{
    const struct neutral_part *part = &request->parts[i];
    assert_true(i < request->parts_len);
    if (part->role != role || part->kind != kind || part->begins != begins ||
        !slice_is(part->text, text))
        fail_msg("part %zu: role %d, kind %d, begins %d: %.*s", i, part->role, part->kind,
                 part->begins, (int)part->text.len, part->text.data);
}

static void a_conversation_is_read_item_by_item(void **state)
{
    (void)state;
    struct neutral_request r;
    read_good(
        "{\"model\":\"m\",\"input\":["
        "{\"role\":\"user\",\"content\":\"q\"},"
        "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"t\"}],"
        "\"encrypted_content\":\"s\"},"
        "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
        "\"text\":\"a\"}]},"
        "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"},"
        "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"{}\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"1\"},"
        "{\"type\":\"function_call_output\",\"call_id\":\"c2\",\"output\":[{\"type\":"
        "\"input_text\",\"text\":\"2\"},{\"type\":\"input_text\",\"text\":\"3\"}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"u\"},{\"type\":"
        "\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\"},{\"type\":\"input_image\","
        "\"image_url\":\"https://x/y\"}]}],\"instructions\":\"be\"}",
        &r);
    assert_int_equal(r.parts_len, 11);
    is_part(&r, 0, NEUTRAL_SYSTEM, NEUTRAL_TEXT, true, "\"be\"");
    is_part(&r, 1, NEUTRAL_USER, NEUTRAL_TEXT, true, "\"q\"");
    is_part(&r, 2, NEUTRAL_ASSISTANT, NEUTRAL_THINKING, true, "\"t\"");
    assert_true(slice_is(r.parts[2].signature, "\"s\""));
    is_part(&r, 3, NEUTRAL_ASSISTANT, NEUTRAL_TEXT, false, "\"a\"");
    is_part(&r, 4, NEUTRAL_ASSISTANT, NEUTRAL_CALL, false, "");
    is_part(&r, 5, NEUTRAL_ASSISTANT, NEUTRAL_CALL, false, "");
    assert_true(slice_is(r.parts[5].id, "\"c2\"") && slice_is(r.parts[5].name, "\"g\""));
    assert_true(r.parts[5].input.quoted && slice_is(r.parts[5].input.raw, "\"{}\""));
    is_part(&r, 6, NEUTRAL_TOOL, NEUTRAL_RESULT, true, "\"1\"");
    is_part(&r, 7, NEUTRAL_TOOL, NEUTRAL_RESULT, true, "\"2\\n3\"");
    is_part(&r, 8, NEUTRAL_USER, NEUTRAL_TEXT, true, "\"u\"");
    is_part(&r, 9, NEUTRAL_USER, NEUTRAL_IMAGE, false, "");
    assert_true(slice_is(r.parts[9].data, "AAAA"));
    assert_true(slice_is(r.parts[10].url, "\"https://x/y\""));
    neutral_request_done(&r);
}

static void members_are_read(void **state)
{
    (void)state;
    struct neutral_request r;
    read_good(
        "{\"model\":\"m\",\"input\":\"hi\",\"stream\":true,\"max_output_tokens\":9,"
        "\"temperature\":0.5,\"reasoning\":{\"effort\":\"low\"},\"parallel_tool_calls\":false,"
        "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{\"a\":1},"
        "\"strict\":true}},\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"description\":"
        "\"d\",\"parameters\":{\"type\":\"object\"},\"strict\":true}],\"tool_choice\":{"
        "\"type\":\"function\",\"name\":\"f\"},\"store\":false,\"background\":false,"
        "\"previous_response_id\":null,\"top_logprobs\":0}",
        &r);
    is_part(&r, 0, NEUTRAL_USER, NEUTRAL_TEXT, true, "\"hi\"");
    assert_true(r.stream && r.one_call && r.shape_strict && r.tools[0].strict);
    assert_int_equal(r.output_max, 9);
    assert_true(slice_is(r.temperature, "0.5") && slice_is(r.effort, "\"low\""));
    assert_int_equal(r.shape, NEUTRAL_SCHEMA);
    assert_true(slice_is(r.shape_name, "\"n\"") && slice_is(r.shape_schema, "{\"a\":1}"));
    assert_int_equal(r.choice, NEUTRAL_NAMED);
    assert_true(slice_is(r.choice_name, "\"f\"") && slice_is(r.tools[0].name, "\"f\""));
    assert_true(slice_is(r.model, "m"));
    neutral_request_done(&r);
}

static void what_has_no_word_elsewhere_is_refused_by_name(void **state)
{
    (void)state;
#define MORE(more) "{\"model\":\"m\",\"input\":\"hi\"," more "}"
    refused(MORE("\"previous_response_id\":\"resp_1\""), "previous_response_id");
    refused(MORE("\"conversation\":\"conv_1\""), "conversation");
    refused(MORE("\"background\":true"), "background");
    refused(MORE("\"prompt\":{\"id\":\"p\"}"), "prompt");
    refused(MORE("\"top_logprobs\":3"), "top_logprobs");
    refused(MORE("\"tools\":[{\"type\":\"web_search\"}]"), "tools");
    refused(MORE("\"tool_choice\":{\"type\":\"web_search\"}"), "tool_choice");
    refused("{\"input\":[{\"type\":\"item_reference\",\"id\":\"i\"}]}", "input");
    refused("{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\"}]}]}", "input");
    refused("{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"file_id\":"
            "\"f\"}]}]}",
            "input");
    refused("{\"model\":\"m\"}", "input");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static const struct neutral_delta deltas[] = {
    {.what = NEUTRAL_BEGIN, .id = {"\"r1\"", 4}, .model = {"\"m\"", 3}},
    {.what = NEUTRAL_THINK, .text = {"\"h\"", 3}},
    {.what = NEUTRAL_THINK, .text = {"\"m\"", 3}},
    {.what = NEUTRAL_THINK, .signature = {"\"sig\"", 5}},
    {.what = NEUTRAL_SAY, .text = {"\"a\"", 3}},
    {.what = NEUTRAL_SAY, .text = {"\"\\u00e4\"", 8}},
    {.what = NEUTRAL_OPEN, .id = {"\"c1\"", 4}, .name = {"\"f\"", 3}},
    {.what = NEUTRAL_ARGUE, .input = {{"\"{\\\"x\\\"\"", 8}, true}},
    {.what = NEUTRAL_ARGUE, .input = {{"\":1}\"", 5}, true}},
    {.what = NEUTRAL_OPEN, .id = {"\"c2\"", 4}, .name = {"\"g\"", 3}},
    {.what = NEUTRAL_FINISH, .finish = DIALECT_TOOLS},
};
enum { DELTAS = sizeof deltas / sizeof deltas[0] };

#define OUTPUT                                                                                     \
    "{\"id\":\"rs_r1_1\",\"type\":\"reasoning\",\"encrypted_content\":\"sig\",\"status\":"         \
    "\"completed\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}]},"                    \
    "{\"id\":\"msg_r1_2\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\","   \
    "\"content\":[{\"type\":\"output_text\",\"text\":\"a\\u00e4\",\"annotations\":[],"             \
    "\"logprobs\":[]}]},"                                                                          \
    "{\"id\":\"fc_r1_3\",\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"status\":" \
    "\"completed\",\"arguments\":\"{\\\"x\\\":1}\"},"                                              \
    "{\"id\":\"fc_r1_4\",\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\",\"status\":" \
    "\"completed\",\"arguments\":\"{}\"}"

/* The types of the events of text, one a line. */
static void types_of(struct slice text, struct buffer *out)
{
    struct slice mark = SLICE_LITERAL("event: ");
    for (size_t at = 0; at < text.len;) {
        struct slice rest = slice_from(text, at);
        const char *end = memchr(rest.data, '\n', rest.len);
        assert_non_null(end);
        size_t len = (size_t)(end - rest.data) + 1;
        if (slice_starts(rest, mark))
            assert_int_equal(buffer_append(out, slice_part(rest, mark.len, len - mark.len)), 0);
        at += len;
    }
}

static void an_answer_streams_with_every_event_that_clients_add_up(void **state)
{
    (void)state;
    struct dialect_stream stream = {0};
    struct buffer said, out, types;
    buffer_init(&said, 4096);
    buffer_init(&out, 65536);
    buffer_init(&types, 65536);
    stream.said = &said;
    for (size_t i = 0; i < DELTAS; i++)
        assert_int_equal(responses_neutral.write_delta(&stream, &deltas[i], &out), 0);
    const struct pricing_usage used = {.input = 1, .output = 2};
    assert_int_equal(responses_write_end(&stream, &used, (struct slice){0}, true, &out), 0);
    types_of(buffer_slice(&out), &types);
    const char *expected = "response.created\nresponse.in_progress\n"
                           "response.output_item.added\n"
                           "response.reasoning_summary_part.added\n"
                           "response.reasoning_summary_text.delta\n"
                           "response.reasoning_summary_text.delta\n"
                           "response.reasoning_summary_text.done\n"
                           "response.reasoning_summary_part.done\n"
                           "response.output_item.done\n"
                           "response.output_item.added\n"
                           "response.content_part.added\n"
                           "response.output_text.delta\n"
                           "response.output_text.delta\n"
                           "response.output_text.done\n"
                           "response.content_part.done\n"
                           "response.output_item.done\n"
                           "response.output_item.added\n"
                           "response.function_call_arguments.delta\n"
                           "response.function_call_arguments.delta\n"
                           "response.function_call_arguments.done\n"
                           "response.output_item.done\n"
                           "response.output_item.added\n"
                           "response.function_call_arguments.done\n"
                           "response.output_item.done\n"
                           "response.completed\n";
    if (!slice_is(buffer_slice(&types), expected))
        fail_msg("%.*s", (int)types.len, types.data);
    if (!slice_is(buffer_slice(&said), OUTPUT))
        fail_msg("%.*s", (int)said.len, said.data);
    assert_non_null(
        memmem(out.data, out.len, "\"output\":[" OUTPUT "]", strlen("\"output\":[" OUTPUT "]")));
    buffer_done(&said);
    buffer_done(&out);
    buffer_done(&types);
}

static void a_whole_answer_says_the_same(void **state)
{
    (void)state;
    struct neutral_answer answer;
    struct responses_read read;
    struct buffer out;
    struct json whole;
    neutral_answer_init(&answer, 4096);
    buffer_init(&out, 65536);
    for (size_t i = 0; i < DELTAS; i++)
        assert_int_equal(neutral_answer_add(&answer, &deltas[i]), 0);
    const struct pricing_usage used = {.input = 10, .output = 2, .cached_input = 3};
    assert_int_equal(responses_neutral.write_answer(&answer, &used, &out), 0);
    assert_int_equal(json_scan(buffer_slice(&out), &whole, NULL), 0);
    responses_read_object(whole, &read);
    assert_true(slice_is(read.answer.id, "\"r1\"") && read.answer.has_usage);
    assert_int_equal(read.answer.usage.cached_input, 3);
    assert_true(json_string_is(json_member(whole, "status"), "completed"));
    struct json item, output = json_member(whole, "output");
    static const char *const types[] = {"reasoning", "message", "function_call", "function_call"};
    size_t at = 0, count = 0;
    for (; json_next(output, &at, NULL, &item); count++)
        assert_true(json_string_is(json_member(item, "type"), types[count]));
    assert_int_equal(count, 4);
    assert_true(json_string_is(json_member(item, "arguments"), "{}"));
    neutral_answer_done(&answer);
    buffer_done(&out);
}

static void the_bound_reached_is_told_as_incomplete(void **state)
{
    (void)state;
    struct neutral_answer answer;
    struct buffer out;
    struct json whole;
    neutral_answer_init(&answer, 4096);
    buffer_init(&out, 65536);
    const struct neutral_delta finish = {.what = NEUTRAL_FINISH, .finish = DIALECT_LENGTH};
    assert_int_equal(neutral_answer_add(&answer, &deltas[4]), 0);
    assert_int_equal(neutral_answer_add(&answer, &finish), 0);
    const struct pricing_usage used = {.input = 10, .output = 2};
    assert_int_equal(responses_neutral.write_answer(&answer, &used, &out), 0);
    assert_int_equal(json_scan(buffer_slice(&out), &whole, NULL), 0);
    assert_true(json_string_is(json_member(whole, "status"), "incomplete"));
    assert_true(json_string_is(json_member(json_member(whole, "incomplete_details"), "reason"),
                               "max_output_tokens"));
    neutral_answer_done(&answer);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation_is_read_item_by_item),
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(what_has_no_word_elsewhere_is_refused_by_name),
        cmocka_unit_test(an_answer_streams_with_every_event_that_clients_add_up),
        cmocka_unit_test(a_whole_answer_says_the_same),
        cmocka_unit_test(the_bound_reached_is_told_as_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
