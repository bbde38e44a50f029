/* SPDX-License-Identifier: Apache-2.0
 * The input of OpenAI's completions and embeddings: texts, and no conversation. A list is of texts
 * that are each answered, or of tokens. */
#include "dialect/prompts.h"
#include "dialect/told.h"

static void count_texts(struct prompt *prompt, struct json value)
{
    struct json text;
    int64_t tokens = 0;
    if (value.type == JSON_STRING)
        prompt_text(prompt, value);
    else if (value.type != JSON_ARRAY)
        prompt_unknown(prompt);
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &text);) {
        if (text.type == JSON_NUMBER)
            tokens++;
        else if (text.type == JSON_STRING)
            prompt_text(prompt, text);
        else
            prompt_unknown(prompt);
    }
    prompt->text += tokens;
}

static int count(struct slice body, struct prompt *prompt, const char *member,
                 const char *const *quiet)
{
    struct json whole, key, value;
    int status = told_body(body, &whole);
    prompt->bare = true;
    for (size_t at = 0; !status && json_next(whole, &at, &key, &value);) {
        if (json_string_is(key, member))
            count_texts(prompt, value);
        else if (told_given(value) && !told_is(key, quiet))
            prompt_unknown(prompt);
    }
    return status;
}

int completions_count_input(struct slice body, struct prompt *prompt)
{
    static const char *const quiet[] = {"model",
                                        "stream",
                                        "stream_options",
                                        "n",
                                        "best_of",
                                        "stop",
                                        "temperature",
                                        "top_p",
                                        "top_k",
                                        "min_p",
                                        "frequency_penalty",
                                        "presence_penalty",
                                        "repetition_penalty",
                                        "logit_bias",
                                        "logprobs",
                                        "seed",
                                        "user",
                                        "max_tokens",
                                        "echo",
                                        "safety_model",
                                        NULL};
    return count(body, prompt, "prompt", quiet);
}

int embeddings_count_input(struct slice body, struct prompt *prompt)
{
    static const char *const quiet[] = {
        "model",        "encoding_format", "dimensions", "user", "input_type", "output_dimension",
        "output_dtype", "truncation",      "metadata",   "task", "normalized", NULL};
    return count(body, prompt, "input", quiet);
}
