/* SPDX-License-Identifier: Apache-2.0
 * The input of OpenAI's responses. A conversation that the provider keeps, tools that it runs and
 * thoughts that it sealed are not in the body: of those only the shape is counted. */
#include "dialect/prompts.h"
#include "dialect/told.h"

static const char *const quiet[] = {"model",
                                    "stream",
                                    "stream_options",
                                    "parallel_tool_calls",
                                    "temperature",
                                    "top_p",
                                    "top_logprobs",
                                    "user",
                                    "metadata",
                                    "store",
                                    "service_tier",
                                    "reasoning",
                                    "include",
                                    "max_output_tokens",
                                    "max_tool_calls",
                                    "prompt_cache_key",
                                    "prompt_cache_options",
                                    "prompt_cache_retention",
                                    "safety_identifier",
                                    "background",
                                    "truncation",
                                    "provider",
                                    NULL};

static void count_format(struct prompt *prompt, struct json text)
{
    struct json format = json_member(text, "format");
    if (json_string_is(json_member(format, "type"), "json_object"))
        prompt_json(prompt);
    prompt_format(prompt, json_member(format, "name"), json_member(format, "description"),
                  json_member(format, "schema"));
}

static void count_tools(struct prompt *prompt, struct json tools)
{
    struct json tool;
    for (size_t at = 0; tools.type == JSON_ARRAY && json_next(tools, &at, NULL, &tool);) {
        if (json_string_is(json_member(tool, "type"), "function"))
            told_function(prompt, tool, tool, "parameters");
        else
            prompt_unknown(prompt);
    }
}

static void count_reasoning(struct prompt *prompt, struct json item)
{
    struct json part, list = json_member(item, "summary");
    prompt_sealed(prompt, json_member(item, "encrypted_content"));
    if (!told_given(json_member(item, "encrypted_content")))
        prompt_unknown(prompt); /* the provider has it, and its length */
    for (size_t at = 0; list.type == JSON_ARRAY && json_next(list, &at, NULL, &part);)
        prompt_thought(prompt, json_member(part, "text"));
}

static void count_item(struct prompt *prompt, struct json item)
{
    struct json type = json_member(item, "type");
    if (type.type == JSON_NONE || json_string_is(type, "message")) {
        prompt_message(prompt, told_role(json_member(item, "role")));
        told_texts(prompt, json_member(item, "content"));
    } else if (json_string_is(type, "function_call")) {
        prompt_message(prompt, PROMPT_ASSISTANT);
        if (json_member(item, "id").type == JSON_STRING)
            prompt_stored(prompt);
        prompt_call(prompt, json_member(item, "name"), json_member(item, "arguments"));
    } else if (json_string_is(type, "function_call_output")) {
        prompt_message(prompt, PROMPT_TOOL);
        prompt_result(prompt);
        told_texts(prompt, json_member(item, "output"));
    } else if (json_string_is(type, "reasoning")) {
        count_reasoning(prompt, item);
    } else {
        prompt_unknown(prompt);
    }
}

int responses_count_input(struct slice body, struct prompt *prompt)
{
    struct json whole, key, value, item;
    int status = told_body(body, &whole);
    prompt->responses = true;
    for (size_t at = 0; !status && json_next(whole, &at, &key, &value);) {
        if (json_string_is(key, "instructions") && told_given(value)) {
            prompt_message(prompt, PROMPT_SYSTEM);
            told_texts(prompt, value);
        } else if (json_string_is(key, "input") && value.type == JSON_STRING) {
            prompt_message(prompt, PROMPT_USER);
            prompt_text(prompt, value);
        } else if (json_string_is(key, "input")) {
            for (size_t i = 0; json_next(value, &i, NULL, &item);)
                count_item(prompt, item);
        } else if (json_string_is(key, "tools")) {
            count_tools(prompt, value);
        } else if (json_string_is(key, "tool_choice")) {
            told_choice(prompt, value);
        } else if (json_string_is(key, "text")) {
            count_format(prompt, value);
        } else if (told_given(value) && !told_is(key, quiet)) {
            prompt_unknown(prompt);
        }
    }
    return status;
}
