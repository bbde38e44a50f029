/* SPDX-License-Identifier: Apache-2.0
 * Proves that a chat request is read for what it can cost, that what cannot be bounded is refused
 * by name, and that only the bytes that must change do: bodies are written out and compared whole.
 */
#include "dialect/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define START "{\"model\":\"m\"," MESSAGES

static struct dialect_request read_good(const char *body)
{
    struct dialect_request request;
    struct dialect_error error;
    int rc = chat_read_request(NULL, slice_of(body), &request, &error);
    if (rc)
        fail_msg("%s: %s", body, error.message);
    return request;
}

static void refused(const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    if (chat_read_request(NULL, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    if (param)
        assert_string_equal(error.param, param);
    else
        assert_null(error.param);
}

static void written(const char *body, int64_t granted, bool newer, const char *expected)
{
    struct dialect_request request = read_good(body);
    struct buffer out;
    buffer_init(&out, 4096);
    const struct dialect_changes changes = {.granted = granted, .newer_bound = newer};
    struct dialect_body changed;
    dialect_change(&request, slice_of(body), &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        assert_int_equal(buffer_append(&out, changed.pieces[i]), 0);
    assert_int_equal(out.len, changed.len);
    if (!slice_is(buffer_slice(&out), expected))
        fail_msg("%.*s", (int)out.len, out.data);
    buffer_done(&out);
}

static void reads_what_is_asked(void **state)
{
    (void)state;
    struct dialect_request r = read_good(START "}");
    assert_string_equal(r.model, "m");
    assert_false(r.stream);
    assert_int_equal(r.asked, 0);
    assert_int_equal(r.choices, 1);
    assert_int_equal(r.input_bound, sizeof START "}" - 1 + LIMIT_TEMPLATE_TOKENS);
    assert_null(r.usage_option.at.data);
    r = read_good(START ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"n\":3,"
                        "\"max_tokens\":77}");
    assert_true(r.stream && r.wants_usage);
    assert_int_equal(r.asked, 77);
    assert_int_equal(r.choices, 3);
    assert_null(r.usage_option.at.data);
    assert_true(read_good(START ",\"reasoning_effort\":\"low\"}").may_hide_output);
    assert_false(read_good(START ",\"reasoning_effort\":\"none\"}").may_hide_output);
    assert_int_equal(read_good(START ",\"best_of\":5,\"n\":2}").choices, 5);
    assert_int_equal(read_good(START ",\"prediction\":{\"type\":\"x\"}}").output_fixed, 12);
}

static void escaped_keys_are_keys(void **state)
{
    (void)state;
    struct dialect_request r = read_good(START ",\"max_\\u0074okens\":9,\"\\u0073tream\":true}");
    assert_int_equal(r.asked, 9);
    assert_true(r.stream);
    assert_int_equal(read_good(START ",\"web_search_option\\u0073\":{}}").uses, DIALECT_SEARCHES);
    r = read_good("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"ty\\u0070e\":"
                  "\"input_a\\u0075dio\"}]}]}");
    assert_int_equal(r.uses, DIALECT_AUDIO_INPUT);
}

static void images_and_files_have_stated_bounds(void **state)
{
    (void)state;
#define PART(part) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]}"
#define URL "\"data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
    const char *image = PART("{\"type\":\"image_url\",\"image_url\":{\"url\":" URL "}}");
    const char *linked = PART("{\"type\":\"image_url\",\"image_url\":\"https://x/y.png\"}");
    const char *file = PART("{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}");
    const char *unknown = PART("{\"type\":\"new\",\"text\":\"a\"}");
    const char *twice = PART("{\"type\":\"text\",\"type\":\"file\"}");
    const char *text = PART("{\"type\":\"text\",\"text\":\"a\"},\"b\"");
    int64_t url = sizeof URL - 1;
    assert_int_equal(read_good(image).input_bound,
                     (int64_t)strlen(image) - url + LIMIT_IMAGE_TOKENS + LIMIT_TEMPLATE_TOKENS);
    assert_int_equal(read_good(linked).input_bound,
                     (int64_t)strlen(linked) + LIMIT_IMAGE_TOKENS + LIMIT_TEMPLATE_TOKENS);
    assert_int_equal(read_good(file).input_bound,
                     (int64_t)strlen(file) + LIMIT_FILE_TOKENS + LIMIT_TEMPLATE_TOKENS);
    assert_int_equal(read_good(unknown).input_bound,
                     (int64_t)strlen(unknown) + LIMIT_FILE_TOKENS + LIMIT_TEMPLATE_TOKENS);
    assert_int_equal(read_good(twice).input_bound,
                     (int64_t)strlen(twice) + LIMIT_FILE_TOKENS + LIMIT_TEMPLATE_TOKENS);
    assert_int_equal(read_good(text).input_bound, (int64_t)strlen(text) + LIMIT_TEMPLATE_TOKENS);
}

static void what_cannot_be_bounded_is_refused_by_name(void **state)
{
    (void)state;
    refused(START ",\"modalities\":[\"text\",\"smell\"]}", "modalities");
    refused(START ",\"models\":[\"a\"]}", "models");
    refused(START ",\"service_tier\":\"scale\"}", "service_tier");
    refused(START ",\"tools\":[{\"type\":\"code_interpreter\"}]}", "tools");
    refused(START ",\"tools\":[{\"type\":\"function\",\"type\":\"web_search\"}]}", "tools");
    refused(START ",\"plugins\":[{\"id\":\"file-parser\"}]}", "plugins");
}

static uint32_t uses(const char *body)
{
    return read_good(body).uses;
}

/* Who has no price for it is not asked (call_read.c). */
static void what_bills_by_other_meters_is_named(void **state)
{
    (void)state;
    assert_int_equal(uses(START ",\"audio\":{\"voice\":\"a\"}}"), DIALECT_AUDIO_OUTPUT);
    assert_int_equal(uses(START ",\"modalities\":[\"text\",\"audio\"]}"), DIALECT_AUDIO_OUTPUT);
    assert_int_equal(uses(START ",\"modalities\":[\"image\"]}"), DIALECT_IMAGE_OUTPUT);
    assert_int_equal(uses(START ",\"web_search_options\":{}}"), DIALECT_SEARCHES);
    assert_int_equal(read_good(START ",\"web_search_options\":{}}").searches, LIMIT_SEARCHES);
    assert_int_equal(uses(START ",\"search_parameters\":{\"mode\":\"on\"}}"), DIALECT_SEARCHES);
    assert_int_equal(uses(START ",\"search_parameters\":{\"mode\":\"off\"}}"), 0);
    assert_int_equal(uses(START ",\"plugins\":[{\"id\":\"web\"}]}"), DIALECT_SEARCHES);
    assert_int_equal(uses(START ",\"tools\":[{\"type\":\"web_search\"}]}"), DIALECT_SEARCHES);
    assert_int_equal(uses(START ",\"service_tier\":\"priority\"}"), DIALECT_PRIORITY);
    assert_int_equal(uses(START ",\"service_tier\":\"flex\"}"), DIALECT_FLEX);
    assert_int_equal(uses(START ",\"service_tier\":\"on_demand\"}"), 0); /* Groq's default */
    assert_int_equal(uses(PART("{\"type\":\"input_audio\",\"input_audio\":{}}")),
                     DIALECT_AUDIO_INPUT);
    const char *earlier =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}]}";
    assert_int_equal(uses(earlier), DIALECT_AUDIO_INPUT);
    assert_true(read_good(earlier).input_bound > LIMIT_FILE_TOKENS);
    assert_int_equal(uses(START
                          ",\"audio\":null,\"modalities\":[\"text\"],\"web_search_options\":null,"
                          "\"service_tier\":\"auto\",\"tools\":[{\"type\":\"function\"}]}"),
                     0);
}

static void wrong_fields_are_refused_by_name(void **state)
{
    (void)state;
    refused("", NULL);
    refused("[]", NULL);
    refused("{\"model\":\"m\"}", "messages");
    refused("{" MESSAGES "}", "model");
    refused("{\"model\":\"\"," MESSAGES "}", "model");
    refused("{\"model\":\"a b\"," MESSAGES "}", "model");
    refused("{\"model\":7," MESSAGES "}", "model");
    refused("{\"model\":\"m\",\"messages\":[]}", "messages");
    refused("{\"model\":\"m\",\"messages\":[1]}", "messages");
    refused(START ",\"stream\":1}", "stream");
    refused(START ",\"stream_options\":1}", "stream_options");
    refused(START ",\"n\":0}", "n");
    refused(START ",\"n\":129}", "n");
    refused(START ",\"max_tokens\":0}", "max_tokens");
    refused(START ",\"max_tokens\":-1}", "max_tokens");
    refused(START ",\"max_tokens\":1.5}", "max_tokens");
    refused(START ",\"max_tokens\":\"9\"}", "max_tokens");
    refused(START ",\"max_tokens\":99999999999}", "max_tokens");
    refused(START ",\"max_tokens\":1,\"max_completion_tokens\":1}", "max_completion_tokens");
    /* Parsers differ in which of two counts: one of them would be unbounded. */
    refused(START ",\"max_tokens\":1,\"max_tokens\":100000}", "max_tokens");
    refused("{\"model\":\"dear\",\"model\":\"m\"," MESSAGES "}", "model");
}

static void only_what_must_change_is_changed(void **state)
{
    (void)state;
    written(START ", \"top_p\" : 0.50 }", 0, true, START ", \"top_p\" : 0.50 }");
    written(START ",\"max_tokens\": 100 ,\"x\":1}", 7, true, START ",\"max_tokens\": 7 ,\"x\":1}");
    written(START ",\"max_completion_tokens\":null}", 7, false,
            START ",\"max_completion_tokens\":7}");
    written(START ",\"max_tokens\":null,\"max_completion_tokens\":5}", 4, false,
            START ",\"max_tokens\":null,\"max_completion_tokens\":4}");
    written(START ",\"max_completion_tokens\":5,\"max_tokens\":null}", 4, false,
            START ",\"max_completion_tokens\":4,\"max_tokens\":null}");
    written("{\"model\":\"m\"," MESSAGES "}", 7, false,
            "{\"max_tokens\":7,\"model\":\"m\"," MESSAGES "}");
    written("{\"model\":\"m\"," MESSAGES "}", 7, true,
            "{\"max_completion_tokens\":7,\"model\":\"m\"," MESSAGES "}");
}

static void a_stream_is_asked_for_its_usage(void **state)
{
    (void)state;
    written(
        "{ \"stream\":true,\"model\":\"m\"," MESSAGES "}", 0, true,
        "{\"stream_options\":{\"include_usage\":true}, \"stream\":true,\"model\":\"m\"," MESSAGES
        "}");
    written(START ",\"stream\":true,\"stream_options\":null}", 0, true,
            START ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    written(START ",\"stream\":true,\"stream_options\":{ }}", 0, true,
            START ",\"stream\":true,\"stream_options\":{\"include_usage\":true }}");
    written(START ",\"stream\":true,\"stream_options\":{\"a\":1}}", 0, true,
            START ",\"stream\":true,\"stream_options\":{\"include_usage\":true,\"a\":1}}");
    written(START ",\"stream\":true,\"stream_options\":{\"a\":1,\"include_usage\":false}}", 0, true,
            START ",\"stream\":true,\"stream_options\":{\"a\":1,\"include_usage\":true}}");
    written(START ",\"stream_options\":{\"include_usage\":false}}", 0, true,
            START ",\"stream_options\":{\"include_usage\":false}}");
    written("{\"stream\":true,\"model\":\"m\"," MESSAGES ",\"max_tokens\":50}", 20, true,
            "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\"model\":\"m\"," MESSAGES
            ",\"max_tokens\":20}");
    written("{\"stream\":true,\"model\":\"m\"," MESSAGES "}", 20, false,
            "{\"max_tokens\":20,\"stream_options\":{\"include_usage\":true},\"stream\":true,"
            "\"model\":\"m\"," MESSAGES "}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_asked),
        cmocka_unit_test(escaped_keys_are_keys),
        cmocka_unit_test(images_and_files_have_stated_bounds),
        cmocka_unit_test(what_cannot_be_bounded_is_refused_by_name),
        cmocka_unit_test(what_bills_by_other_meters_is_named),
        cmocka_unit_test(wrong_fields_are_refused_by_name),
        cmocka_unit_test(only_what_must_change_is_changed),
        cmocka_unit_test(a_stream_is_asked_for_its_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
