/* SPDX-License-Identifier: Apache-2.0
 * Proves that a model is counted by the encoding that tiktoken 0.14 names for it, and that a model
 * of no public encoding is said to be none. */
#include "prompts/models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void is(const char *model, const char *name)
{
    const struct encoding *encoding = model_encoding(slice_of(model));
    assert_non_null(encoding);
    assert_string_equal(encoding->name, name);
}

static void models_have_the_encodings_of_tiktoken(void **state)
{
    (void)state;
    is("gpt-5", "o200k_base");
    is("gpt-5.1-codex", "o200k_base");
    is("gpt-4.1-mini-2025-04-14", "o200k_base");
    is("gpt-4.5-preview", "o200k_base");
    is("gpt-4o-mini", "o200k_base");
    is("chatgpt-4o-latest", "o200k_base");
    is("o1", "o200k_base");
    is("o3-mini", "o200k_base");
    is("o4-mini-2025-04-16", "o200k_base");
    is("ft:gpt-4o-mini:acme::1", "o200k_base");
    is("gpt-oss-120b", "o200k_harmony");
    is("gpt-4", "cl100k_base");
    is("gpt-4-0613", "cl100k_base");
    is("gpt-4-turbo", "cl100k_base");
    is("gpt-3.5-turbo-16k", "cl100k_base");
    is("gpt-35-turbo", "cl100k_base");
    is("ft:gpt-3.5-turbo:acme", "cl100k_base");
    is("ft:davinci-002", "cl100k_base");
    is("text-embedding-3-small", "cl100k_base");
    is("text-embedding-ada-002", "cl100k_base");
    is("text-davinci-003", "p50k_base");
    is("code-cushman-001", "p50k_base");
    is("text-davinci-edit-001", "p50k_edit");
    is("code-davinci-edit-001", "p50k_edit");
    is("text-davinci-001", "r50k_base");
    is("text-similarity-ada-001", "r50k_base");
    is("davinci", "r50k_base");
    is("gpt2", "r50k_base");
}

static void others_have_none(void **state)
{
    static const char *const models[] = {
        "claude-sonnet-4-5", "gemini-2.5-pro", "o10", "gpt-50", "", "ft:"};
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        assert_null(model_encoding(slice_of(models[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_have_the_encodings_of_tiktoken),
        cmocka_unit_test(others_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
