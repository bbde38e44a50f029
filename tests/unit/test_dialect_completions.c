/* SPDX-License-Identifier: Apache-2.0
 * Proves that completions and embeddings are read for what they can cost, that their usage is read
 * as it is reported, and that a completion cut short is ended in its own words. */
#include "dialect/chat.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct dialect *format;

static struct dialect_request read_at(const struct dialect_target *target, const char *body)
{
    struct dialect_request request;
    struct dialect_error error;
    if (format->read_request(target, slice_of(body), &request, &error))
        fail_msg("%s: %s", body, error.message);
    return request;
}

static struct dialect_request read_good(const char *body)
{
    return read_at(&(struct dialect_target){0}, body);
}

static void refused(const char *body, const char *param)
{
    struct dialect_request request;
    struct dialect_error error = {0};
    const struct dialect_target target = {0};
    if (format->read_request(&target, slice_of(body), &request, &error) != METE_E_INVALID)
        fail_msg("accepted: %s", body);
    assert_int_equal(error.status, 400);
    assert_string_equal(error.param, param);
}

static void written(const struct dialect_request *request, const char *body, int64_t granted,
                    const char *expected)
{
    const struct dialect_changes changes = {.granted = granted};
    struct dialect_body changed;
    struct buffer out;
    buffer_init(&out, 4096);
    dialect_change(request, slice_of(body), &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        assert_int_equal(buffer_append(&out, changed.pieces[i]), 0);
    if (!slice_is(buffer_slice(&out), expected))
        fail_msg("%.*s", (int)out.len, out.data);
    buffer_done(&out);
}

static void every_prompt_is_answered_as_often_as_the_best_is_chosen_from(void **state)
{
    (void)state;
    format = dialect_completions();
#define PROMPT(prompt, more) "{\"model\":\"m\",\"prompt\":" prompt more "}"
    assert_int_equal(read_good(PROMPT("\"a\"", "")).choices, 1);
    assert_int_equal(read_good(PROMPT("[\"a\",\"b\",\"c\"]", "")).choices, 3);
    assert_int_equal(read_good(PROMPT("[\"a\",\"b\"]", ",\"n\":3")).choices, 6);
    assert_int_equal(read_good(PROMPT("[\"a\",\"b\"]", ",\"n\":2,\"best_of\":5")).choices, 10);
    assert_int_equal(read_good("{\"best_of\":5,\"prompt\":[\"a\",\"b\"],\"model\":\"m\"}").choices,
                     10);
    assert_int_equal(read_good(PROMPT("[1,2,3]", "")).choices, 1); /* one, in tokens */
    assert_int_equal(read_good(PROMPT("[[1,2],[3]]", "")).choices, 2);
    assert_int_equal(read_good("{\"model\":\"m\"}").choices, 1);
    refused(PROMPT("\"a\"", ",\"n\":129"), "n");
    refused(PROMPT("\"a\"", ",\"prompt\":[]"), "prompt");
    refused(PROMPT("\"a\"", ",\"models\":[\"b\"]"), "models");
}

static void its_bound_is_sixteen_unless_it_says_so(void **state)
{
    (void)state;
    format = dialect_completions();
    const char *plain = PROMPT("\"a\"", "");
    struct dialect_request r = read_good(plain);
    assert_int_equal(r.asked, 16);
    assert_int_equal(r.input_bound, (int64_t)strlen(plain) + LIMIT_TEMPLATE_TOKENS);
    written(&r, plain, 0, plain);
    written(&r, plain, 7, "{\"max_tokens\":7,\"model\":\"m\",\"prompt\":\"a\"}");
    const char *bound = PROMPT("\"a\"", ",\"max_tokens\" : 99");
    r = read_good(bound);
    assert_int_equal(r.asked, 99);
    written(&r, bound, 7, PROMPT("\"a\"", ",\"max_tokens\" : 7"));
    r = read_good(PROMPT("\"a\"", ",\"max_tokens\":0,\"echo\":true,\"logprobs\":5"));
    assert_true(r.makes_no_output);
    refused(PROMPT("\"a\"", ",\"max_tokens\":-1"), "max_tokens");
    const char *stream = PROMPT("\"a\"", ",\"stream\":true");
    r = read_good(stream);
    assert_true(r.stream && !r.wants_usage);
    written(&r, stream, 0,
            "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\",\"prompt\":\"a\","
            "\"stream\":true}");
}

static void a_deployment_in_the_path_names_the_model(void **state)
{
    (void)state;
    struct dialect_target target;
    struct slice none = {0};
    format = dialect_find(slice_of("/openai/deployments/my%2dgpt/completions"), none, &target);
    assert_ptr_equal(format, dialect_completions());
    struct dialect_request r = read_at(&target, "{\"prompt\":\"a\"}");
    assert_string_equal(r.model, "my-gpt");
    written(&r, "{\"prompt\":\"a\"}", 0, "{\"model\":\"my-gpt\",\"prompt\":\"a\"}");
    r = read_at(&target, "{}"); /* what is put into nothing is followed by nothing */
    written(&r, "{}", 7, "{\"max_tokens\":7,\"model\":\"my-gpt\"}");
    r = read_at(&target, "{ \n}");
    written(&r, "{ \n}", 0, "{\"model\":\"my-gpt\" \n}");
    r = read_at(&target, "{\"prompt\":\"a\",\"model\":\"b\"}");
    assert_string_equal(r.model, "b");
    assert_false(r.model_missing);
    format = dialect_find(slice_of("/openai/deployments/m/chat/completions"), none, &target);
    assert_ptr_equal(format, dialect_chat());
    assert_true(slice_is(target.model, "m"));
    assert_ptr_equal(dialect_find(slice_of("/openai/v1/embeddings"), none, &target),
                     dialect_embeddings());
    assert_ptr_equal(dialect_find(slice_of("/v1/completions"), none, &target),
                     dialect_completions());
    assert_null(dialect_find(slice_of("/openai/deployments//completions"), none, &target));
    assert_null(dialect_find(slice_of("/openai/deployments/m"), none, &target));
    assert_null(dialect_find(slice_of("/v1/deployments/m/completions"), none, &target));
    target = (struct dialect_target){.model = SLICE_LITERAL("a%2")};
    struct dialect_request request;
    struct dialect_error error;
    assert_int_equal(
        dialect_completions()->read_request(&target, SLICE_LITERAL("{}"), &request, &error),
        METE_E_INVALID);
    target.model = SLICE_LITERAL("a%22b");
    assert_int_equal(
        dialect_completions()->read_request(&target, SLICE_LITERAL("{}"), &request, &error),
        METE_E_INVALID);
}

static void a_completion_cut_short_ends_in_its_own_words(void **state)
{
    (void)state;
    struct dialect_stream stream = {0};
    struct dialect_event event;
    struct frame frame = {.has_data = true,
                          .data = SLICE_LITERAL("{\"id\":\"cmpl-1\",\"created\":5,\"model\":\"m\","
                                                "\"choices\":[{\"text\":\"abc\",\"index\":1}]}")};
    format = dialect_completions();
    format->read_event(&stream, &frame, &event);
    assert_int_equal(event.output_bytes, 3);
    stream.finish = DIALECT_LENGTH;
    struct buffer out;
    buffer_init(&out, 4096);
    const struct pricing_usage used = {.input = 3, .output = 4};
    assert_int_equal(format->write_end(&stream, &used, SLICE_LITERAL("0.5"), true, &out), 0);
#define HEAD "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\""
#define ONE(i)                                                                                     \
    HEAD ",\"choices\":[{\"text\":\"\",\"index\":" i                                               \
         ",\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n"
    const char *expected =
        ONE("0") ONE("1") HEAD ",\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                               "\"completion_tokens\":4,\"total_tokens\":7,"
                               "\"prompt_tokens_details\":{\"cached_tokens\":0},"
                               "\"completion_tokens_details\":{\"reasoning_tokens\":0},"
                               "\"cost\":0.5}}\n\ndata: [DONE]\n\n";
    if (!slice_is(buffer_slice(&out), expected))
        fail_msg("%.*s", (int)out.len, out.data);
    buffer_done(&out);
}

static void embeddings_bill_nothing_but_input(void **state)
{
    (void)state;
    format = dialect_embeddings();
    const char *body = "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"user\":\"u\"}";
    struct dialect_request r = read_good(body);
    assert_true(r.makes_no_output);
    assert_null(r.output_bound.at.data);
    assert_int_equal(r.input_bound, (int64_t)strlen(body) + 2 * LIMIT_TEMPLATE_TOKENS);
    assert_true(slice_is(r.user, "\"u\""));
    body = "{\"model\":\"m\",\"input\":[1,2,3]}";
    assert_int_equal(read_good(body).input_bound, (int64_t)strlen(body) + LIMIT_TEMPLATE_TOKENS);
    body = "{\"model\":\"m\",\"input\":[{\"image\":\"https://x/y\"}]}";
    assert_int_equal(read_good(body).input_bound,
                     (int64_t)strlen(body) + LIMIT_TEMPLATE_TOKENS + LIMIT_FILE_TOKENS);
    refused("{\"model\":\"m\"}", "input");
    refused("{\"input\":\"a\"}", "model");
}

static void usage_of_embeddings(const char *usage, int64_t input)
{
    char body[512];
    struct dialect_answer answer;
    snprintf(body, sizeof body, "{\"data\":[],\"model\":\"m\",\"usage\":%s}", usage);
    dialect_embeddings()->read_answer(slice_of(body), &answer);
    assert_int_equal(answer.has_usage, input >= 0);
    assert_int_equal(answer.usage.input, input >= 0 ? input : 0);
    assert_int_equal(answer.usage.output, 0);
}

static void the_usage_of_embeddings_is_its_total_where_that_is_all(void **state)
{
    (void)state;
    usage_of_embeddings("{\"prompt_tokens\":9,\"total_tokens\":9}", 9);
    usage_of_embeddings("{\"total_tokens\":3}", 3);
    usage_of_embeddings("{\"total_tokens\":0}", 0);
    usage_of_embeddings("{\"prompt_audio_seconds\":null,\"prompt_tokens\":21,\"total_tokens\":21,"
                        "\"completion_tokens\":0}",
                        21);
    usage_of_embeddings("{\"prompt_tokens\":9,\"total_tokens\":11}", 11);
    usage_of_embeddings("{\"total_tokens\":-3}", -1);
    usage_of_embeddings("{\"prompt_tokens\":-1,\"total_tokens\":3}", -1);
    usage_of_embeddings("{\"total_tokens\":9000000000000000}", -1);
    usage_of_embeddings("{}", -1);
    usage_of_embeddings("null", -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prompt_is_answered_as_often_as_the_best_is_chosen_from),
        cmocka_unit_test(its_bound_is_sixteen_unless_it_says_so),
        cmocka_unit_test(a_deployment_in_the_path_names_the_model),
        cmocka_unit_test(a_completion_cut_short_ends_in_its_own_words),
        cmocka_unit_test(embeddings_bill_nothing_but_input),
        cmocka_unit_test(the_usage_of_embeddings_is_its_total_where_that_is_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
