/* SPDX-License-Identifier: Apache-2.0
 * The input of OpenAI's chat completions, and of what resembles them. */
#include "dialect/prompts.h"
#include "dialect/told.h"

/* Members that are no input. */
static const char *const quiet[] = {"model",
                                    "stream",
                                    "stream_options",
                                    "parallel_tool_calls",
                                    "n",
                                    "stop",
                                    "temperature",
                                    "top_p",
                                    "top_k",
                                    "min_p",
                                    "top_a",
                                    "frequency_penalty",
                                    "presence_penalty",
                                    "repetition_penalty",
                                    "logit_bias",
                                    "logprobs",
                                    "top_logprobs",
                                    "seed",
                                    "random_seed",
                                    "user",
                                    "metadata",
                                    "store",
                                    "service_tier",
                                    "reasoning_format",
                                    "include_reasoning",
                                    "max_tokens",
                                    "max_completion_tokens",
                                    "prompt_cache_key",
                                    "prompt_cache_options",
                                    "prompt_cache_retention",
                                    "safety_identifier",
                                    "verbosity",
                                    "function_call",
                                    "clear_thinking",
                                    "disable_reasoning",
                                    "moderation",
                                    "echo",
                                    "provider",
                                    "route",
                                    "usage",
                                    "safe_prompt",
                                    "safety_model",
                                    "prompt_mode",
                                    "modalities",
                                    "best_of",
                                    "session_id",
                                    "debug",
                                    "stop_sequences", /* Cohere's, from here on */
                                    "k",
                                    "p",
                                    "safety_mode",
                                    "strict_tools",
                                    "citation_options",
                                    "priority",
                                    NULL};

static const char *const quiet_in_message[] = {
    "role",    "tool_call_id", "cache_control", "annotations",       "id", "status", "prefix",
    "partial", "index",        "created_at",    "reasoning_details", NULL};

static void count_calls(struct prompt *prompt, struct json calls)
{
    struct json call;
    for (size_t at = 0; calls.type == JSON_ARRAY && json_next(calls, &at, NULL, &call);) {
        struct json function = json_member(call, "function");
        if (function.type != JSON_OBJECT)
            prompt_unknown(prompt);
        else
            prompt_call(prompt, json_member(function, "name"), json_member(function, "arguments"));
    }
}

static void count_message(struct prompt *prompt, struct json message)
{
    static const char *const texts[] = {"content", "refusal", "tool_plan", NULL};
    static const char *const thoughts[] = {"reasoning", "reasoning_content", NULL};
    struct json key, value;
    enum prompt_role role = told_role(json_member(message, "role"));
    prompt_message(prompt, role);
    if (role == PROMPT_TOOL)
        prompt_result(prompt);
    /* OpenAI knows a tool's name by the id of the call, and bills no other. */
    bool named = prompt->rule->own && json_member(message, "tool_call_id").type == JSON_STRING;
    bool hidden = prompt->rule->hides && told_given(json_member(message, "tool_calls"));
    for (size_t at = 0; json_next(message, &at, &key, &value);) {
        if (hidden && value.type == JSON_STRING && json_string_is(key, "content"))
            prompt_thought(prompt, value);
        else if (told_is(key, texts))
            told_texts(prompt, value);
        else if (told_is(key, thoughts))
            prompt_thought(prompt, value);
        else if (json_string_is(key, "name") && !named)
            prompt_name(prompt, value);
        else if (json_string_is(key, "tool_calls"))
            count_calls(prompt, value);
        else if (json_string_is(key, "function_call") && value.type == JSON_OBJECT)
            prompt_call(prompt, json_member(value, "name"), json_member(value, "arguments"));
        else if (told_given(value) && !told_is(key, quiet_in_message) &&
                 !json_string_is(key, "name"))
            prompt_unknown(prompt);
    }
}

static void count_tools(struct prompt *prompt, struct json tools, bool wrapped)
{
    struct json tool;
    for (size_t at = 0; tools.type == JSON_ARRAY && json_next(tools, &at, NULL, &tool);) {
        struct json function = wrapped ? json_member(tool, "function") : tool;
        if (function.type != JSON_OBJECT)
            prompt_beyond(prompt);
        else
            told_function(prompt, tool, function, "parameters");
    }
}

static void count_format(struct prompt *prompt, struct json format)
{
    struct json shape = json_member(format, "json_schema");
    if (json_string_is(json_member(format, "type"), "json_object"))
        prompt_json(prompt);
    prompt_format(prompt, json_member(shape, "name"), json_member(shape, "description"),
                  json_member(shape, "schema"));
}

int chat_count_input(struct slice body, struct prompt *prompt)
{
    static const char *const thinks[] = {"reasoning", "reasoning_effort", "thinking", NULL};
    struct json whole, key, value, message;
    int status = told_body(body, &whole);
    for (size_t at = 0; !status && json_next(whole, &at, &key, &value);) {
        if (json_string_is(key, "messages"))
            for (size_t i = 0; json_next(value, &i, NULL, &message);)
                count_message(prompt, message);
        else if (json_string_is(key, "tools") || json_string_is(key, "functions"))
            count_tools(prompt, value, json_string_is(key, "tools"));
        else if (told_is(key, thinks) && told_given(value))
            prompt_thinking(prompt);
        else if (json_string_is(key, "tool_choice"))
            told_choice(prompt, value);
        else if (json_string_is(key, "response_format"))
            count_format(prompt, value);
        else if (told_given(value) && !told_is(key, quiet))
            prompt_unknown(prompt);
    }
    return status;
}
