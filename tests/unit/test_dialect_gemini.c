/* SPDX-License-Identifier: Apache-2.0
 * Proves that Google's requests are read for what they can cost in either spelling, that only the
 * bound changes, that usage is read as Google bills it, and that a stream is ended well as events
 * and as one array. Recorded answers are played by tests/outside/recorded.test.mjs. */
#include "dialect/gemini.h"

#include "gateway/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ASKS "\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]"

static struct dialect_target target_of(const char *path, const char *query)
{
    struct dialect_target target = {0};
    if (!dialect_gemini()->match(slice_of(path), slice_of(query), &target))
        fail_msg("not ours: %s", path);
    return target;
}

static struct dialect_request read_good(const char *body)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    struct dialect_target target = target_of("/v1beta/models/m:generateContent", "");
    if (gemini_read_request(&target, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static void refused(const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    struct dialect_target target = target_of("/v1beta/models/m:generateContent", "");
    if (gemini_read_request(&target, slice_of(body), &request, &error) != METE_E_INVALID)
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
    struct dialect_target t = target_of("/v1beta/models/gemini-2.5-pro:generateContent", "key=k");
    assert_true(slice_is(t.model, "gemini-2.5-pro"));
    assert_false(t.stream || t.array);
    t = target_of("/v1/projects/p/locations/l/publishers/google/models/m%3A1:streamGenerateContent",
                  "key=k&alt=sse");
    assert_true(slice_is(t.model, "m%3A1"));
    assert_true(t.stream && !t.array);
    t = target_of("/v1beta1/models/m:streamGenerateContent", "alt=sses&key=alt%3Dsse");
    assert_true(t.stream && t.array);
    static const char *const foreign[] = {
        "/v1beta/models/m:countTokens",
        "/v1beta/models/m",
        "/v1beta/models/:generate",
        "/v2/models/m:generateContent",
        "/v1beta/models/a/b:generateContent",
        "/v1/chat/completions",
        "/v1beta/models",
        "/v1beta/models/",
        "/v1beta/tuned/m:generateContent",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_false(dialect_gemini()->match(slice_of(foreign[i]), slice_of(""), &t));
}

static void the_model_is_decoded_once_and_written_as_one_segment(void **state)
{
    (void)state;
    struct dialect_request request;
    struct dialect_error error;
    struct buffer out;
    struct dialect_target target = target_of("/v1beta/models/a%2Fb%253A:generateContent", "");
    assert_int_equal(gemini_read_request(&target, slice_of("{" ASKS "}"), &request, &error), 0);
    assert_string_equal(request.model, "a/b%3A");
    buffer_init(&out, 256);
    assert_int_equal(dialect_gemini()->write_path(
                         &request, (struct slice){request.model, request.model_len}, &out),
                     0);
    assert_true(slice_is(buffer_slice(&out), "/models/a%2Fb%253A:generateContent"));
    buffer_done(&out);
    static const char *const wrong[] = {
        "/v1/models/a%2:generateContent", "/v1/models/a%20b:generateContent",
        "/v1/models/%zz:generateContent", "/v1/models/%00:generateContent"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        target = target_of(wrong[i], "");
        assert_int_equal(gemini_read_request(&target, slice_of("{" ASKS "}"), &request, &error),
                         METE_E_INVALID);
    }
}

static void either_spelling_is_read(void **state)
{
    (void)state;
    struct dialect_request r =
        read_good("{" ASKS ",\"generationConfig\":{\"maxOutputTokens\":7,\"candidateCount\":3}}");
    assert_int_equal(r.asked, 7);
    assert_int_equal(r.choices, 3);
    r = read_good("{" ASKS ",\"generation_config\":{\"max_output_tokens\":7,\"candidate_count\":3,"
                  "\"thinking_config\":{\"thinking_budget\":-1}}}");
    assert_int_equal(r.asked, 7);
    assert_int_equal(r.choices, 3);
    assert_true(r.may_hide_output);
    assert_false(read_good("{" ASKS ",\"generationConfig\":{\"thinkingConfig\":"
                           "{\"thinkingBudget\":0}}}")
                     .may_hide_output);
    refused("{" ASKS ",\"generationConfig\":{\"maxOutputTokens\":7,\"max_output_tokens\":8}}",
            "maxOutputTokens");
    refused("{" ASKS ",\"generationConfig\":{},\"generation_config\":{}}", "generationConfig");
    refused("{" ASKS ",\"contents\":[]}", "contents");
    refused("{" ASKS ",\"generationConfig\":{\"maxOutputTokens\":0}}", "maxOutputTokens");
    refused("{}", "contents");
}

static void only_the_bound_changes(void **state)
{
    (void)state;
    bounded("{" ASKS "}", "{\"generationConfig\":{\"maxOutputTokens\":9}," ASKS "}");
    bounded("{" ASKS ", \"generationConfig\": null}",
            "{" ASKS ", \"generationConfig\": {\"maxOutputTokens\":9}}");
    bounded("{" ASKS ",\"generation_config\":{ }}",
            "{" ASKS ",\"generation_config\":{\"maxOutputTokens\":9 }}");
    bounded("{" ASKS ",\"generationConfig\":{\"topK\":1}}",
            "{" ASKS ",\"generationConfig\":{\"maxOutputTokens\":9,\"topK\":1}}");
    bounded("{" ASKS ",\"generationConfig\":{\"max_output_tokens\": 77 }}",
            "{" ASKS ",\"generationConfig\":{\"max_output_tokens\": 9 }}");
}

#define PART(part) "{\"contents\":[{\"parts\":[" part "]}]}"

static int64_t beyond(const char *body)
{
    return read_good(body).input_bound - (int64_t)strlen(body) - LIMIT_TEMPLATE_TOKENS;
}

static void media_have_stated_bounds_and_uses(void **state)
{
    (void)state;
#define BYTES "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
    const int64_t bytes = sizeof BYTES - 1;
    const char *image = PART("{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":" BYTES "}}");
    assert_int_equal(beyond(image), LIMIT_IMAGE_TOKENS - bytes);
    assert_int_equal(read_good(image).uses, 0);
    const char *linked = PART("{\"file_data\":{\"mime_type\":\"image/png\",\"file_uri\":\"x\"}}");
    assert_int_equal(beyond(linked), LIMIT_IMAGE_TOKENS);
    const char *paper =
        PART("{\"inline_data\":{\"mime_type\":\"application/pdf\",\"data\":\"A\"}}");
    assert_int_equal(beyond(paper), LIMIT_FILE_TOKENS);
    assert_int_equal(read_good(paper).uses, 0);
    static const char *const sounds[] = {
        PART("{\"inlineData\":{\"mimeType\":\"audio/wav\",\"data\":\"A\"}}"),
        PART("{\"fileData\":{\"fileUri\":\"https://youtu.be/x\"}}"),
        PART("{\"inlineData\":{\"mimeType\":\"audio/wav\",\"mime_type\":\"image/png\"}}"),
        PART("{\"functionResponse\":{\"name\":\"f\",\"parts\":[{\"inlineData\":{\"mimeType\":"
             "\"video/mp4\",\"data\":\"A\"}}]}}"),
    };
    for (size_t i = 0; i < sizeof sounds / sizeof sounds[0]; i++) {
        assert_int_equal(beyond(sounds[i]), LIMIT_FILE_TOKENS);
        assert_int_equal(read_good(sounds[i]).uses, DIALECT_AUDIO_INPUT);
    }
    assert_int_equal(beyond("{" ASKS ",\"cachedContent\":\"cachedContents/1\"}"),
                     LIMIT_FILE_TOKENS);
}

static void what_bills_by_other_meters_is_named(void **state)
{
    (void)state;
    struct dialect_request r = read_good("{" ASKS ",\"tools\":[{\"googleSearch\":{}}]}");
    assert_int_equal(r.uses, DIALECT_SEARCHES);
    assert_int_equal(r.searches, LIMIT_SEARCHES);
    struct dialect_target older = target_of("/v1/models/gemini-2.5-pro:generateContent", "");
    struct dialect_error error;
    assert_int_equal(gemini_read_request(&older,
                                         slice_of("{" ASKS ",\"tools\":[{\"google_search\":{}}]}"),
                                         &r, &error),
                     0);
    assert_int_equal(r.searches, 1);
    assert_int_equal(beyond("{" ASKS ",\"tools\":[{\"url_context\":{}}]}"),
                     LIMIT_FILE_TOKENS + LIMIT_TOOLS_TOKENS);
    assert_int_equal(beyond("{" ASKS ",\"tools\":[{\"functionDeclarations\":[]}]}"),
                     LIMIT_TOOLS_TOKENS);
    assert_int_equal(
        read_good("{" ASKS ",\"generationConfig\":{\"responseModalities\":[\"TEXT\",\"IMAGE\"]}}")
            .uses,
        DIALECT_IMAGE_OUTPUT);
    assert_int_equal(
        read_good("{" ASKS ",\"generationConfig\":{\"response_modalities\":[\"AUDIO\"]}}").uses,
        DIALECT_AUDIO_OUTPUT);
    assert_int_equal(read_good("{" ASKS ",\"serviceTier\":\"flex\"}").uses, DIALECT_FLEX);
    assert_int_equal(read_good("{" ASKS ",\"serviceTier\":\"standard\"}").uses, 0);
    refused("{" ASKS ",\"serviceTier\":\"new\"}", "serviceTier");
    refused("{" ASKS ",\"tools\":[{\"somethingNew\":{}}]}", "tools");
    refused("{" ASKS ",\"tools\":[{\"retrieval\":{}}]}", "tools");
    refused("{" ASKS ",\"generationConfig\":{\"responseModalities\":[\"VIDEO\"]}}",
            "responseModalities");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static bool usage_of(const char *text, struct pricing_usage *ret_usage)
{
    struct dialect_answer answer;
    gemini_read_answer(slice_of(text), &answer);
    *ret_usage = answer.usage;
    return answer.has_usage;
}

#define TEXT_CANDIDATE "\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hey\"}]}}]"

static void usage_is_read_as_google_bills(void **state)
{
    (void)state;
    struct pricing_usage u;
    assert_true(
        usage_of("{\"usageMetadata\":{\"promptTokenCount\":427,\"candidatesTokenCount\":122,"
                 "\"totalTokenCount\":1767,\"toolUsePromptTokenCount\":771,"
                 "\"thoughtsTokenCount\":447}}",
                 &u));
    assert_int_equal(u.input, 427 + 771);
    assert_int_equal(u.output, 122 + 447);
    assert_int_equal(u.reasoning, 447);
    assert_true(usage_of("{\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":3,"
                         "\"thoughtsTokenCount\":2}}",
                         &u));
    assert_int_equal(u.output, 5);
    /* Sound of which most was read from the cache: a part is of one kind. */
    assert_true(usage_of(
        "{\"usageMetadata\":{\"cacheTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":1881},"
        "{\"modality\":\"VIDEO\",\"tokenCount\":15498}],\"cachedContentTokenCount\":17379,"
        "\"candidatesTokenCount\":68,\"promptTokenCount\":17713,\"promptTokensDetails\":["
        "{\"modality\":\"VIDEO\",\"tokenCount\":15796},{\"modality\":4,\"tokenCount\":1917}],"
        "\"thoughtsTokenCount\":821,\"totalTokenCount\":18602}}",
        &u));
    assert_int_equal(u.cached_input, 17379);
    assert_int_equal(u.audio_input, 1917 - 1881);
    assert_true(usage_of("{" TEXT_CANDIDATE ",\"usageMetadata\":{\"promptTokenCount\":10,"
                         "\"totalTokenCount\":100}}",
                         &u));
    assert_int_equal(u.output, 90);
    assert_true(usage_of("{\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":5,"
                         "\"candidatesTokensDetails\":[{\"modality\":\"IMAGE\",\"tokenCount\":4}],"
                         "\"trafficType\":\"ON_DEMAND_FLEX\"}}",
                         &u));
    assert_int_equal(u.image_output, 4);
    assert_int_equal(u.service, PRICE_FLEX);
}

static void counts_that_are_not_all_are_no_usage(void **state)
{
    (void)state;
    struct pricing_usage u;
    assert_false(usage_of("{" TEXT_CANDIDATE ",\"usageMetadata\":{\"trafficType\":\"x\"}}", &u));
    assert_false(usage_of("{" TEXT_CANDIDATE ",\"usageMetadata\":{\"promptTokenCount\":16,"
                          "\"totalTokenCount\":16}}",
                          &u));
    /* A prompt that was blocked made nothing, and zeros are left out. */
    assert_true(usage_of("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{"
                         "\"promptTokenCount\":16,\"totalTokenCount\":16}}",
                         &u));
    assert_int_equal(u.output, 0);
    assert_false(
        usage_of("{\"usageMetadata\":{\"promptTokenCount\":-1,\"totalTokenCount\":1}}", &u));
    assert_false(usage_of("{\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":"
                          "9999999999999}}",
                          &u));
    assert_false(usage_of("[]", &u));
}

static void searches_are_counted_as_the_model_bills_them(void **state)
{
    (void)state;
    struct pricing_usage u;
#define GROUNDED(model)                                                                            \
    "{\"candidates\":[{\"groundingMetadata\":{\"webSearchQueries\":[\"a\",\"b\",\"\"]}}],"         \
    "\"modelVersion\":\"" model "\",\"usageMetadata\":{\"promptTokenCount\":1,"                    \
    "\"candidatesTokenCount\":1}}"
    assert_true(usage_of(GROUNDED("gemini-3-flash-preview"), &u));
    assert_int_equal(u.searches, 2);
    assert_true(usage_of(GROUNDED("gemini-2.5-flash"), &u));
    assert_int_equal(u.searches, 1);
    assert_true(
        usage_of("{\"candidates\":[{\"groundingMetadata\":{\"groundingChunks\":[{\"maps\":{}},"
                 "{\"maps\":{}}]}}],\"usageMetadata\":{\"promptTokenCount\":1,"
                 "\"candidatesTokenCount\":1}}",
                 &u));
    assert_int_equal(u.searches, 1);
}

/* ---- Streams --------------------------------------------------------------------------------- */

#define CHUNK(text, more)                                                                          \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text "\"}]},\"index\":0" more         \
    "],\"modelVersion\":\"gemini-x\",\"responseId\":\"r1\"}"
#define LAST                                                                                       \
    "{\"candidates\":[{\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{"                \
    "\"promptTokenCount\":3,\"candidatesTokenCount\":2}}"
#define END                                                                                        \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"              \
    "\"finishReason\":\"MAX_TOKENS\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5,"     \
    "\"candidatesTokenCount\":3,\"totalTokenCount\":12,\"cachedContentTokenCount\":1,"             \
    "\"thoughtsTokenCount\":4"

static void begin(struct stream *stream, enum frames_kind framing)
{
    const struct stream_formats formats = {dialect_gemini(), dialect_gemini(), framing,
                                           framing == FRAMES_SSE};
    assert_int_equal(stream_init(stream, &formats, 4096), 0);
}

static void wrote(struct stream *stream, const char *expected)
{
    struct slice out = buffer_slice(&stream->out);
    if (!slice_is(out, expected))
        fail_msg("%.*s", (int)out.len, out.data);
    stream_done(stream);
}

static void a_chunk_goes_on_at_once_and_the_last_waits_for_its_cost(void **state)
{
    (void)state;
    struct stream stream;
    begin(&stream, FRAMES_SSE);
    const char *first =
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],"
        "\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":1}}\r\n\r\n";
    const char *last = "data: " LAST "\r\n\r\n";
    assert_int_equal(stream_feed(&stream, slice_of(first)), 0);
    assert_int_equal(stream.out.len, strlen(first));
    assert_int_equal(stream_feed(&stream, slice_of(last)), 0);
    assert_int_equal(stream.out.len, strlen(first));
    assert_int_equal(stream_end(&stream), 0);
    assert_true(stream.has_usage && stream.usage_finishes);
    assert_int_equal(stream.output_bytes, 1);
    buffer_clear(&stream.out);
    assert_int_equal(stream_finish(&stream, &stream.usage, SLICE_LITERAL("0.5")), 0);
    wrote(&stream, "data: {\"candidates\":[{\"finishReason\":\"STOP\",\"index\":0}],"
                   "\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2,"
                   "\"cost\":0.5}}\r\n\r\n");
}

static void an_early_prompt_count_is_not_the_usage_of_a_stream(void **state)
{
    (void)state;
    struct stream stream;
    begin(&stream, FRAMES_SSE);
    assert_int_equal(
        stream_feed(&stream, slice_of("data: " CHUNK("a", "}") "\n\ndata: {\"usageMetadata\":{"
                                                               "\"promptTokenCount\":3}}\n\n")),
        0);
    assert_false(stream.has_usage);
    stream_done(&stream);
}

static void an_array_passes_whole(void **state)
{
    (void)state;
    struct stream stream;
    begin(&stream, FRAMES_ARRAY);
    const char *all = "[" CHUNK("a", "}") "\n,\r\n" LAST "\n]";
    assert_int_equal(stream_feed(&stream, slice_of(all)), 0);
    assert_true(stream.final_seen);
    assert_int_equal(stream_finish(&stream, &stream.usage, SLICE_LITERAL("0.5")), 0);
    wrote(&stream, all);
}

static const struct pricing_usage billed = {
    .input = 5, .cached_input = 1, .output = 7, .reasoning = 4};

static void a_cut_stream_ends_well(void **state)
{
    (void)state;
    struct stream stream;
    begin(&stream, FRAMES_SSE);
    assert_int_equal(stream_feed(&stream, slice_of("data: " CHUNK("a", "}") "\n\n")), 0);
    stream_cut(&stream);
    buffer_clear(&stream.out);
    assert_int_equal(stream_finish(&stream, &billed, SLICE_LITERAL("0.5")), 0);
    wrote(&stream, "data: " END ",\"cost\":0.5},\"modelVersion\":\"gemini-x\",\"responseId\":"
                   "\"r1\"}\r\n\r\n");
    begin(&stream, FRAMES_ARRAY);
    assert_int_equal(stream_feed(&stream, slice_of("[" CHUNK("a", "}") "\n,{\"half")), 0);
    stream_cut(&stream);
    assert_int_equal(stream_finish(&stream, &billed, (struct slice){0}), 0);
    wrote(&stream, "[" CHUNK("a", "}") ",\r\n" END "},\"modelVersion\":\"gemini-x\","
                                       "\"responseId\":\"r1\"}\n]");
    begin(&stream, FRAMES_ARRAY); /* what was held when it was cut never went on */
    assert_int_equal(stream_feed(&stream, slice_of("[" CHUNK("a", ",\"finishReason\":\"STOP\"}"))),
                     0);
    stream_cut(&stream);
    assert_int_equal(stream_finish(&stream, &billed, (struct slice){0}), 0);
    wrote(&stream, "[" END "},\"modelVersion\":\"gemini-x\",\"responseId\":\"r1\"}\n]");
}

static void a_broken_stream_says_so_in_its_own_form(void **state)
{
    (void)state;
    const struct dialect_error error = {502,  "server_error", "upstream_lost",
                                        NULL, "It broke.",    {0}};
#define BROKE                                                                                      \
    "{\"error\":{\"code\":502,\"message\":\"It broke.\",\"status\":\"UNAVAILABLE\",\"details\":["  \
    "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"upstream_lost\","        \
    "\"domain\":\"mete\"}]}}"
    struct stream stream;
    begin(&stream, FRAMES_SSE);
    assert_int_equal(stream_break(&stream, &error, (struct slice){0}), 0);
    wrote(&stream, "data: " BROKE "\r\n\r\n");
    begin(&stream, FRAMES_ARRAY);
    assert_int_equal(stream_break(&stream, &error, (struct slice){0}), 0);
    wrote(&stream, "[" BROKE "\n]");
    begin(&stream, FRAMES_ARRAY);
    assert_int_equal(stream_feed(&stream, slice_of("[" LAST)), 0);
    assert_int_equal(stream_break(&stream, &error, (struct slice){0}), 0);
    wrote(&stream, "[" LAST ",\r\n" BROKE "\n]");
    begin(&stream, FRAMES_ARRAY); /* closed: nothing can follow */
    assert_int_equal(stream_feed(&stream, slice_of("[" LAST "]")), 0);
    assert_int_equal(stream_break(&stream, &error, (struct slice){0}), 0);
    wrote(&stream, "[" LAST "]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_says_model_and_method),
        cmocka_unit_test(the_model_is_decoded_once_and_written_as_one_segment),
        cmocka_unit_test(either_spelling_is_read),
        cmocka_unit_test(only_the_bound_changes),
        cmocka_unit_test(media_have_stated_bounds_and_uses),
        cmocka_unit_test(what_bills_by_other_meters_is_named),
        cmocka_unit_test(usage_is_read_as_google_bills),
        cmocka_unit_test(counts_that_are_not_all_are_no_usage),
        cmocka_unit_test(searches_are_counted_as_the_model_bills_them),
        cmocka_unit_test(a_chunk_goes_on_at_once_and_the_last_waits_for_its_cost),
        cmocka_unit_test(an_early_prompt_count_is_not_the_usage_of_a_stream),
        cmocka_unit_test(an_array_passes_whole),
        cmocka_unit_test(a_cut_stream_ends_well),
        cmocka_unit_test(a_broken_stream_says_so_in_its_own_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
