/* SPDX-License-Identifier: Apache-2.0
 * Proves that Bedrock's requests are read for what they can cost, that only the bound changes, that
 * usage is read as AWS bills it, and that a stream of messages is ended well wherever it is cut.
 * Recorded answers are played by tests/outside/recorded.test.mjs. */
#include "dialect/converse.h"

#include "gateway/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define ASKS "\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]"

static const struct dialect_target target = {.model = {"m", 1}};

static struct dialect_request read_good(const char *body)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    if (converse_read_request(&target, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static void refused(const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    if (converse_read_request(&target, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    assert_string_equal(error.param, param);
}

static void bounded(const char *body, const char *expected)
{
    struct dialect_request request = read_good(body);
    struct buffer out;
    buffer_init(&out, 4096);
    const struct dialect_changes changes = {.granted = 9};
    struct dialect_body changed;
    dialect_change(&request, slice_of(body), &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        assert_int_equal(buffer_append(&out, changed.pieces[i]), 0);
    if (!slice_is(buffer_slice(&out), expected))
        fail_msg("%.*s", (int)out.len, out.data);
    buffer_done(&out);
}

static void the_path_says_model_and_method(void **state)
{
    (void)state;
    struct dialect_target t = {0};
    struct slice none = {0};
    const struct dialect *converse = dialect_converse();
    assert_true(converse->match(slice_of("/model/amazon.nova-micro-v1%3A0/converse"), none, &t));
    assert_true(slice_is(t.model, "amazon.nova-micro-v1%3A0"));
    assert_false(t.stream);
    assert_true(converse->match(slice_of("/model/a/converse-stream"), none, &t));
    assert_true(t.stream);
    static const char *const foreign[] = {
        "/model/a/invoke",          "/model/a", "/model/", "/models/a", "/model/a/b/converse",
        "/model/a/converse-streams"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_false(converse->match(slice_of(foreign[i]), none, &t));
    struct dialect_request request = {.stream = true};
    struct buffer out;
    buffer_init(&out, 256);
    assert_int_equal(converse->write_path(&request, slice_of("amazon.nova-micro-v1:0"), &out), 0);
    assert_true(slice_is(buffer_slice(&out), "/model/amazon.nova-micro-v1%3A0/converse-stream"));
    buffer_done(&out);
}

static void only_the_bound_changes(void **state)
{
    (void)state;
    assert_int_equal(read_good("{" ASKS ",\"inferenceConfig\":{\"maxTokens\":77}}").asked, 77);
    bounded("{" ASKS "}", "{\"inferenceConfig\":{\"maxTokens\":9}," ASKS "}");
    bounded("{" ASKS ",\"inferenceConfig\":null}",
            "{" ASKS ",\"inferenceConfig\":{\"maxTokens\":9}}");
    bounded("{" ASKS ",\"inferenceConfig\":{}}",
            "{" ASKS ",\"inferenceConfig\":{\"maxTokens\":9}}");
    bounded("{" ASKS ",\"inferenceConfig\":{\"topP\":1}}",
            "{" ASKS ",\"inferenceConfig\":{\"maxTokens\":9,\"topP\":1}}");
    bounded("{" ASKS ",\"inferenceConfig\":{\"maxTokens\": 77 }}",
            "{" ASKS ",\"inferenceConfig\":{\"maxTokens\": 9 }}");
    refused("{" ASKS ",\"inferenceConfig\":{\"maxTokens\":7,\"maxTokens\":8}}", "inferenceConfig");
    refused("{" ASKS ",\"inferenceConfig\":{\"maxTokens\":0}}", "maxTokens");
    refused("{" ASKS "," ASKS "}", "messages");
    refused("{\"messages\":[{\"role\":\"user\",\"content\":[],\"content\":[]}]}", "messages");
    refused("{\"system\":[]}", "messages");
}

static int64_t beyond(const char *body)
{
    return read_good(body).input_bound - (int64_t)strlen(body) - LIMIT_TEMPLATE_TOKENS;
}

#define BLOCK(block) "{\"messages\":[{\"role\":\"user\",\"content\":[" block "]}]}"

static void blocks_have_stated_bounds(void **state)
{
    (void)state;
    assert_int_equal(beyond("{" ASKS "}"), 0);
    assert_int_equal(beyond(BLOCK("{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":"
                                  "\"AAAAAAAAAA\"}}}")),
                     LIMIT_IMAGE_TOKENS - 12);
    assert_int_equal(beyond(BLOCK("{\"document\":{}}")), LIMIT_FILE_TOKENS);
    assert_int_equal(beyond(BLOCK("{\"somethingNew\":{}}")), LIMIT_FILE_TOKENS);
    assert_int_equal(beyond(BLOCK("{\"toolUse\":{\"input\":{}}},{\"cachePoint\":{\"type\":"
                                  "\"default\"}}")),
                     0);
    assert_int_equal(beyond(BLOCK("{\"toolResult\":{\"content\":[{\"json\":{}},{\"video\":{}}]}}")),
                     LIMIT_FILE_TOKENS);
    assert_int_equal(beyond("{" ASKS ",\"system\":[{\"image\":{}}]}"), LIMIT_IMAGE_TOKENS);
    assert_int_equal(beyond("{" ASKS ",\"promptVariables\":{\"a\":{}}}"), LIMIT_FILE_TOKENS);
    assert_int_equal(beyond("{" ASKS ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{}}]}}"),
                     LIMIT_TOOLS_TOKENS);
}

static void what_bills_by_other_meters_is_named_or_refused(void **state)
{
    (void)state;
    assert_int_equal(read_good(BLOCK("{\"audio\":{}}")).uses, DIALECT_AUDIO_INPUT);
    assert_int_equal(read_good(BLOCK("{\"cachePoint\":{\"ttl\":\"1h\"}}")).uses,
                     DIALECT_LONG_CACHE);
    assert_int_equal(read_good("{" ASKS ",\"serviceTier\":{\"type\":\"flex\"}}").uses,
                     DIALECT_FLEX);
    assert_int_equal(read_good("{" ASKS ",\"serviceTier\":{\"type\":\"default\"}}").uses, 0);
    refused("{" ASKS ",\"serviceTier\":{\"type\":\"new\"}}", "serviceTier");
    refused("{" ASKS ",\"guardrailConfig\":{\"guardrailIdentifier\":\"g\"}}", "guardrailConfig");
    refused("{" ASKS ",\"performanceConfig\":{\"latency\":\"optimized\"}}", "performanceConfig");
    refused("{" ASKS ",\"toolConfig\":{\"tools\":[{\"systemTool\":{}}]}}", "toolConfig");
    refused("{" ASKS ",\"additionalModelRequestFields\":{\"max_tokens\":100000}}",
            "additionalModelRequestFields");
    assert_true(
        read_good("{" ASKS ",\"additionalModelRequestFields\":{\"thinking\":{}}}").may_hide_output);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void usage_is_read_as_aws_bills(void **state)
{
    (void)state;
    struct dialect_answer answer;
    converse_read_answer(
        SLICE_LITERAL("{\"output\":{},\"stopReason\":\"end_turn\",\"usage\":{\"cacheDetails\":["
                      "{\"inputTokens\":200,\"ttl\":\"1h\"},{\"inputTokens\":36,\"ttl\":\"5m\"}],"
                      "\"cacheReadInputTokenCount\":1712,\"cacheReadInputTokens\":1712,"
                      "\"cacheWriteInputTokens\":236,\"inputTokens\":3,\"outputTokens\":121,"
                      "\"totalTokens\":2072}}"),
        &answer);
    assert_true(answer.has_usage);
    assert_int_equal(answer.usage.input, 1951);
    assert_int_equal(answer.usage.cached_input, 1712);
    assert_int_equal(answer.usage.cache_write, 236);
    assert_int_equal(answer.usage.cache_write_1h, 200);
    assert_int_equal(answer.usage.output, 121);
    static const char *const none[] = {
        "{\"usage\":{\"inputTokens\":3}}",
        "{\"usage\":{\"inputTokens\":-3,\"outputTokens\":1}}",
        "{\"usage\":{\"inputTokens\":3,\"outputTokens\":9999999999999}}",
        "{\"message\":\"no\"}",
        "no",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        converse_read_answer(slice_of(none[i]), &answer);
        assert_false(answer.has_usage);
    }
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void begin(struct stream *stream)
{
    const struct stream_formats formats = {dialect_converse(), dialect_converse(), FRAMES_AWS,
                                           false};
    assert_int_equal(stream_init(stream, &formats, 4096), 0);
}

static int send(struct stream *stream, const char *name, const char *payload)
{
    struct buffer out;
    buffer_init(&out, 4096);
    assert_int_equal(frames_aws_write(&out, slice_of(name), strstr(name, "Exception") != NULL,
                                      slice_of(payload)),
                     0);
    int rc = stream_feed(stream, buffer_slice(&out));
    buffer_done(&out);
    return rc;
}

struct told {
    char text[2048];
    size_t len;
};

static int tell(void *user, const struct frame *frame)
{
    struct told *told = user;
    told->len += (size_t)snprintf(
        told->text + told->len, sizeof told->text - told->len, "%.*s%s%.*s\n", (int)frame->name.len,
        frame->name.data, frame->failed ? "!" : " ", (int)frame->data.len, frame->data.data);
    return 0;
}

/* What a client reads of what was written. */
static void reads(struct stream *stream, const char *expected)
{
    struct frames frames;
    struct told told = {.len = 0};
    frames_init(&frames, FRAMES_AWS, 4096);
    assert_int_equal(frames_feed(&frames, buffer_slice(&stream->out), tell, &told), 0);
    assert_int_equal(frames_rest(&frames).len, 0);
    assert_string_equal(told.text, expected);
    frames_done(&frames);
    stream_done(stream);
}

#define START "messageStart", "{\"role\":\"assistant\"}"
#define SAYS                                                                                       \
    "contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"hey\"},\"p\":\"ab\"}"
#define CALLS                                                                                      \
    "contentBlockStart", "{\"contentBlockIndex\":1,\"start\":{\"toolUse\":{\"name\":\"f\","        \
                         "\"toolUseId\":\"t\"}}}"
#define CLOSES "contentBlockStop", "{\"contentBlockIndex\":0}"
#define STOPS "messageStop", "{\"stopReason\":\"end_turn\"}"
#define BILLED                                                                                     \
    "metadata {\"metrics\":{\"latencyMs\":0},\"usage\":{\"cacheReadInputTokens\":1,"               \
    "\"cacheWriteInputTokens\":2,\"inputTokens\":4,\"outputTokens\":5,\"totalTokens\":12}}\n"

static const struct pricing_usage billed = {
    .input = 7, .cached_input = 1, .cache_write = 2, .output = 5};

static void the_usage_waits_and_passes_as_it_is(void **state)
{
    (void)state;
    struct stream stream;
    begin(&stream);
    assert_int_equal(send(&stream, START), 0);
    assert_int_equal(send(&stream, SAYS), 0);
    assert_int_equal(send(&stream, CLOSES), 0);
    assert_int_equal(send(&stream, STOPS), 0);
    assert_int_equal(
        send(&stream, "metadata", "{\"usage\":{\"inputTokens\":3,\"outputTokens\":2}}"), 0);
    assert_non_null(memmem(stream.out.data, stream.out.len, "messageStop", 11));
    assert_null(memmem(stream.out.data, stream.out.len, "metadata", 8));
    assert_true(stream.has_usage && stream.usage_finishes);
    assert_int_equal(stream.output_bytes, 3);
    assert_int_equal(stream_finish(&stream, &stream.usage, SLICE_LITERAL("0.5")), 0);
    reads(&stream, "messageStart {\"role\":\"assistant\"}\n"
                   "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"hey\"},"
                   "\"p\":\"ab\"}\n"
                   "contentBlockStop {\"contentBlockIndex\":0}\n"
                   "messageStop {\"stopReason\":\"end_turn\"}\n"
                   "metadata {\"usage\":{\"inputTokens\":3,\"outputTokens\":2}}\n");
}

static void a_cut_stream_ends_well_wherever_it_is(void **state)
{
    (void)state;
    struct stream stream;
    begin(&stream);
    stream_cut(&stream);
    assert_int_equal(stream_finish(&stream, &billed, (struct slice){0}), 0);
    reads(&stream, "messageStart {\"role\":\"assistant\"}\n"
                   "messageStop {\"stopReason\":\"max_tokens\"}\n" BILLED);
    begin(&stream);
    assert_int_equal(send(&stream, START), 0);
    assert_int_equal(send(&stream, CALLS), 0);
    buffer_clear(&stream.out);
    stream_cut(&stream);
    assert_int_equal(stream_finish(&stream, &billed, (struct slice){0}), 0);
    reads(&stream, "contentBlockStop {\"contentBlockIndex\":1}\n"
                   "messageStop {\"stopReason\":\"max_tokens\"}\n" BILLED);
    /* Why it ends was held when it was cut, or had gone on. */
    for (int gone = 0; gone < 2; gone++) {
        begin(&stream);
        assert_int_equal(send(&stream, SAYS), 0);
        assert_int_equal(send(&stream, CLOSES), 0);
        assert_int_equal(send(&stream, STOPS), 0);
        if (gone)
            assert_int_equal(send(&stream, "metadata", "{}"), 0);
        buffer_clear(&stream.out);
        stream_cut(&stream);
        assert_int_equal(send(&stream, "metadata", "{}"), 0);
        assert_int_equal(stream_finish(&stream, &billed, (struct slice){0}), 0);
        reads(&stream, gone ? BILLED : "messageStop {\"stopReason\":\"max_tokens\"}\n" BILLED);
    }
}

static void a_broken_stream_says_so_by_an_exception(void **state)
{
    (void)state;
    const struct dialect_error error = {502,  "server_error", "upstream_lost",
                                        NULL, "It broke.",    {0}};
    struct stream stream;
    begin(&stream);
    assert_int_equal(stream_break(&stream, &error, (struct slice){0}), 0);
    reads(&stream, "modelStreamErrorException!{\"__type\":\"InternalServerException\","
                   "\"message\":\"It broke.\",\"reason\":\"upstream_lost\"}\n");
}

static void an_exception_is_a_failure_and_a_wrong_checksum_ends_the_stream(void **state)
{
    (void)state;
    struct stream stream;
    begin(&stream);
    assert_int_equal(send(&stream, "throttlingException", "{\"message\":\"slow\"}"), 0);
    assert_true(stream.failed);
    assert_false(stream.has_usage);
    stream_done(&stream);
    struct buffer out;
    buffer_init(&out, 512);
    assert_int_equal(frames_aws_write(&out, SLICE_LITERAL("messageStart"), false,
                                      SLICE_LITERAL("{\"role\":\"assistant\"}")),
                     0);
    out.data[out.len - 6] = '!';
    begin(&stream);
    assert_int_equal(stream_feed(&stream, buffer_slice(&out)), METE_E_SYNTAX);
    assert_int_equal(stream.out.len, 0);
    stream_done(&stream);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_says_model_and_method),
        cmocka_unit_test(only_the_bound_changes),
        cmocka_unit_test(blocks_have_stated_bounds),
        cmocka_unit_test(what_bills_by_other_meters_is_named_or_refused),
        cmocka_unit_test(usage_is_read_as_aws_bills),
        cmocka_unit_test(the_usage_waits_and_passes_as_it_is),
        cmocka_unit_test(a_cut_stream_ends_well_wherever_it_is),
        cmocka_unit_test(a_broken_stream_says_so_by_an_exception),
        cmocka_unit_test(an_exception_is_a_failure_and_a_wrong_checksum_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
