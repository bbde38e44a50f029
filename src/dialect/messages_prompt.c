/* SPDX-License-Identifier: Apache-2.0
 * The input of Anthropic's messages. */
#include "dialect/prompts.h"
#include "dialect/told.h"

static const char *const quiet[] = {"model",          "max_tokens",    "stream",
                                    "stop_sequences", "temperature",   "top_p",
                                    "top_k",          "metadata",      "service_tier",
                                    "cache_control",  "inference_geo", "anthropic_version",
                                    "anthropic_beta", "betas",         NULL};

static void count_image(struct prompt *prompt, struct json block)
{
    struct json source = json_member(block, "source");
    prompt_image(prompt, json_member(source, "data"), false);
}

/* What stands in a message, or in a tool's answer; false: it is neither text nor image. */
static bool count_leaf(struct prompt *prompt, struct json block, struct json type)
{
    if (json_string_is(type, "text"))
        prompt_text(prompt, json_member(block, "text"));
    else if (json_string_is(type, "tool_reference"))
        prompt_text(prompt, json_member(block, "tool_name"));
    else if (json_string_is(type, "image"))
        count_image(prompt, block);
    else
        return false;
    return true;
}

static void count_result(struct prompt *prompt, struct json content)
{
    struct json block;
    prompt_result(prompt);
    if (content.type == JSON_STRING)
        prompt_text(prompt, content);
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &block);)
        if (!count_leaf(prompt, block, json_member(block, "type")))
            prompt_unknown(prompt);
}

static void count_block(struct prompt *prompt, struct json block)
{
    struct json type = json_member(block, "type");
    if (count_leaf(prompt, block, type))
        return;
    if (json_string_is(type, "tool_use")) {
        prompt_call(prompt, json_member(block, "name"), json_member(block, "input"));
    } else if (json_string_is(type, "tool_result")) {
        count_result(prompt, json_member(block, "content"));
    } else if (json_string_is(type, "thinking")) {
        prompt_thought(prompt, json_member(block, "thinking"));
        prompt_sealed(prompt, json_member(block, "signature"));
    } else if (json_string_is(type, "tool_addition")) {
        prompt_tool(prompt, block, (struct json){0}, (struct json){0},
                    json_member(json_member(block, "tool"), "input_schema"));
    } else if (json_string_is(type, "redacted_thinking")) {
        prompt_sealed(prompt, json_member(block, "data"));
    } else {
        prompt_unknown(prompt);
    }
}

static void count_content(struct prompt *prompt, struct json content)
{
    struct json block;
    if (content.type == JSON_STRING)
        prompt_text(prompt, content);
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &block);)
        count_block(prompt, block);
}

static void count_tools(struct prompt *prompt, struct json tools)
{
    struct json tool;
    for (size_t at = 0; tools.type == JSON_ARRAY && json_next(tools, &at, NULL, &tool);) {
        if (json_member(tool, "input_schema").type == JSON_OBJECT)
            told_function(prompt, tool, tool, "input_schema");
        else
            prompt_unknown(prompt);
    }
}

static void count_format(struct prompt *prompt, struct json key, struct json value)
{
    struct json format =
        json_string_is(key, "output_config") ? json_member(value, "format") : value;
    prompt_format(prompt, (struct json){0}, (struct json){0}, json_member(format, "schema"));
}

static void count_thinking(struct prompt *prompt, struct json value)
{
    if (value.type == JSON_OBJECT && !json_string_is(json_member(value, "type"), "disabled"))
        prompt_thinking(prompt);
}

/* A user's message that begins with what a tool answered goes on with the turn. */
static enum prompt_role role_of(struct json message)
{
    struct json first, content = json_member(message, "content");
    size_t at = 0;
    enum prompt_role role = told_role(json_member(message, "role"));
    if (role == PROMPT_USER && content.type == JSON_ARRAY &&
        json_next(content, &at, NULL, &first) &&
        json_string_is(json_member(first, "type"), "tool_result"))
        return PROMPT_TOOL;
    return role;
}

int messages_count_input(struct slice body, struct prompt *prompt)
{
    struct json whole, key, value, message;
    int status = told_body(body, &whole);
    for (size_t at = 0; !status && json_next(whole, &at, &key, &value);) {
        if (json_string_is(key, "messages")) {
            for (size_t i = 0; json_next(value, &i, NULL, &message);) {
                prompt_message(prompt, role_of(message));
                count_content(prompt, json_member(message, "content"));
            }
        } else if (json_string_is(key, "system") && told_given(value)) {
            prompt_message(prompt, PROMPT_SYSTEM);
            count_content(prompt, value);
        } else if (json_string_is(key, "tools")) {
            count_tools(prompt, value);
        } else if (json_string_is(key, "output_config") || json_string_is(key, "output_format")) {
            count_format(prompt, key, value);
        } else if (json_string_is(key, "tool_choice")) {
            told_choice(prompt, value);
        } else if (json_string_is(key, "thinking")) {
            count_thinking(prompt, value);
        } else if (told_given(value) && !told_is(key, quiet)) {
            prompt_unknown(prompt);
        }
    }
    return status;
}
