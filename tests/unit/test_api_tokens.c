/* SPDX-License-Identifier: Apache-2.0
 * Proves POST /api/v1/tokens/count: counts and ids of a text and of many, by model and by encoding,
 * short ones and those that a worker counts; that a model without a public encoding is said to be
 * counted inexactly; and that each wrong field is a problem that names it. */
#include "base/limits.h"
#include "tokens/tokenizer.h"
#include "unit/api_case.h"

#include <inttypes.h>

#define COUNT "/api/v1/tokens/count"

static void a_text(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", COUNT, "{\"model\":\"gpt-4o\",\"text\":\"hello world\"}");
    expect_member(c, "",
                  "{\"model\":\"gpt-4o\",\"encoding\":\"o200k_base\",\"exact\":true,\"tokens\":2}");
    expect(c, 200, "POST", COUNT,
           "{\"encoding\":\"cl100k_base\",\"text\":\"hello world\",\"ids\":true}");
    expect_member(
        c, "", "{\"encoding\":\"cl100k_base\",\"exact\":true,\"tokens\":2,\"ids\":[15339,1917]}");
    expect(c, 200, "POST", COUNT, "{\"model\":\"gpt-4\",\"text\":\"\",\"ids\":true}");
    expect_member(c, "tokens", "0");
    expect_member(c, "ids", "[]");
}

static void escapes_are_characters(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", COUNT,
           "{\"model\":\"gpt-4o\",\"text\":\"hello\\u0020w\\u006frld\",\"ids\":true}");
    expect_member(c, "ids", "[24912,2375]");
    expect(c, 200, "POST", COUNT, "{\"model\":\"gpt-4o\",\"text\":\"\\ud83d\",\"ids\":true}");
    expect_member(c, "ids", "[3251]"); /* U+FFFD */
    expect(c, 200, "POST", COUNT, "{\"model\":\"gpt-4o\",\"text\":\"a\\u0000\\n\\t\"}");
}

static void special_tokens_are_text_unless_they_are_wanted(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", COUNT,
           "{\"model\":\"gpt-4\",\"text\":\"<|endoftext|>\",\"special\":false}");
    expect_member(c, "tokens", "7");
    expect(c, 200, "POST", COUNT,
           "{\"model\":\"gpt-4\",\"text\":\"<|endoftext|>\",\"special\":true}");
    expect_member(c, "tokens", "1");
    expect_member(c, "ids", "(none)");
}

static void a_model_goes_by_any_of_its_names(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", COUNT, "{\"model\":\"openai/gpt-4\",\"text\":\"a\"}");
    expect_member(c, "encoding", "cl100k_base");
    expect_member(c, "exact", "true");
    expect(c, 200, "POST", COUNT, "{\"model\":\"text-davinci-003\",\"text\":\"a\"}");
    expect_member(c, "encoding", "p50k_base");
    expect_member(c, "exact", "true");
}

static void many_texts(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", COUNT,
           "{\"model\":\"o3\",\"texts\":[\"hello world\",\"\",\"hello\"],\"ids\":true}");
    expect_member(c, "tokens", "3");
    expect_member(c, "texts",
                  "[{\"tokens\":2,\"ids\":[24912,2375]},{\"tokens\":0,\"ids\":[]},"
                  "{\"tokens\":1,\"ids\":[24912]}]");
}

static void a_secret_tokenizer_is_not_exact(void **state)
{
    struct api_case *c = *state;
    expect(c, 200, "POST", COUNT, "{\"model\":\"claude-sonnet-4-5\",\"text\":\"hello world\"}");
    expect_member(c, "exact", "false");
    expect_member(c, "encoding", "o200k_base");
}

/* A body of len bytes: {"model":"gpt-4o","text":"aaa..."} */
static char *body_of(size_t len)
{
    static const char head[] = "{\"model\":\"gpt-4o\",\"text\":\"";
    char *body = malloc(len + 1);
    assert_non_null(body);
    memset(body, 'a', len);
    memcpy(body, head, sizeof head - 1);
    memcpy(body + len - 2, "\"}", 3);
    return body;
}

static void long_bodies_are_counted_by_a_worker_alike(void **state)
{
    struct api_case *c = *state;
    struct tokenizer *tokenizer;
    assert_int_equal(tokenizer_open(encoding_find(SLICE_LITERAL("o200k_base")), &tokenizer), 0);
    for (size_t len = 4090; len <= 4104; len++) {
        char *body = body_of(len), wanted[32];
        struct slice text = {strstr(body, "aaa"), len - 28};
        int64_t tokens;
        assert_int_equal(tokenizer_count(tokenizer, text, &tokens), 0);
        expect(c, 200, "POST", COUNT, body);
        snprintf(wanted, sizeof wanted, "%" PRId64, tokens);
        expect_member(c, "tokens", wanted);
        free(body);
    }
    tokenizer_close(tokenizer);
    char *body = body_of(4104);
    memcpy(body + 2, "M", 1);
    expect_problem(c, 400, "invalid", "Model", "POST", COUNT, body);
    body[0] = '[';
    expect(c, 400, "POST", COUNT, body);
    expect_member(c, "code", "syntax");
    free(body);
    body = body_of(LIMIT_COUNT_BODY);
    expect(c, 200, "POST", COUNT, body);
    free(body);
    body = body_of(LIMIT_COUNT_BODY + 1);
    expect(c, 413, "POST", COUNT, body);
    expect_member(c, "code", "too_large");
    free(body);
}

static void wrong_fields(void **state)
{
    struct api_case *c = *state;
#define WRONG(field, body) expect_problem(c, 400, "invalid", field, "POST", COUNT, body)
    WRONG("model", "{\"text\":\"a\"}");
    WRONG("model", "{\"text\":\"a\",\"model\":\"gpt-4\",\"encoding\":\"cl100k_base\"}");
    WRONG("model", "{\"text\":\"a\",\"model\":\"\"}");
    WRONG("model", "{\"text\":\"a\",\"model\":5}");
    WRONG("encoding", "{\"text\":\"a\",\"encoding\":\"cl100k\"}");
    WRONG("text", "{\"model\":\"gpt-4\"}");
    WRONG("text", "{\"model\":\"gpt-4\",\"text\":null}");
    WRONG("text", "{\"model\":\"gpt-4\",\"text\":\"a\",\"texts\":[\"a\"]}");
    WRONG("texts", "{\"model\":\"gpt-4\",\"texts\":[]}");
    WRONG("texts", "{\"model\":\"gpt-4\",\"texts\":\"a\"}");
    WRONG("texts[1]", "{\"model\":\"gpt-4\",\"texts\":[\"a\",1]}");
    WRONG("ids", "{\"model\":\"gpt-4\",\"text\":\"a\",\"ids\":1}");
    WRONG("special", "{\"model\":\"gpt-4\",\"text\":\"a\",\"special\":\"all\"}");
    WRONG("messages", "{\"model\":\"gpt-4\",\"messages\":[]}");
    WRONG("(none)", "[]");
#undef WRONG
    expect(c, 405, "GET", COUNT, NULL);
    as(c, "nobody");
    expect(c, 401, "POST", COUNT, "{\"model\":\"gpt-4\",\"text\":\"a\"}");
}

static void a_key_may_count(void **state)
{
    struct api_case *c = *state;
    char key[100];
    make_acme(c);
    expect(c, 201, "POST", "/api/v1/organizations/acme/api-keys", "{\"name\":\"k\"}");
    snprintf(key, sizeof key, "%.90s", member(c, "key"));
    as(c, key);
    expect(c, 200, "POST", COUNT, "{\"model\":\"gpt-4\",\"text\":\"a\"}");
    expect_member(c, "tokens", "1");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, api_case_setup, api_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_text),
        CASE(escapes_are_characters),
        CASE(special_tokens_are_text_unless_they_are_wanted),
        CASE(a_model_goes_by_any_of_its_names),
        CASE(many_texts),
        CASE(a_secret_tokenizer_is_not_exact),
        CASE(long_bodies_are_counted_by_a_worker_alike),
        CASE(wrong_fields),
        CASE(a_key_may_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
