/* SPDX-License-Identifier: Apache-2.0
 * The input of Bedrock's converse. */
#include "dialect/prompts.h"
#include "dialect/told.h"

static const char *const quiet[] = {"modelId",
                                    "inferenceConfig",
                                    "requestMetadata",
                                    "performanceConfig",
                                    "serviceTier",
                                    "additionalModelResponseFieldPaths",
                                    NULL};

static bool count_leaf(struct prompt *prompt, struct json key, struct json value)
{
    if (json_string_is(key, "text"))
        prompt_text(prompt, value);
    else if (json_string_is(key, "json"))
        prompt_text(prompt, value);
    else if (json_string_is(key, "image"))
        prompt_image(prompt, json_member(json_member(value, "source"), "bytes"), false);
    else
        return json_string_is(key, "cachePoint");
    return true;
}

static void count_result(struct prompt *prompt, struct json content)
{
    struct json block, key, value;
    prompt_result(prompt);
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &block);)
        for (size_t i = 0; json_next(block, &i, &key, &value);)
            if (!count_leaf(prompt, key, value))
                prompt_unknown(prompt);
}

static void count_block(struct prompt *prompt, struct json key, struct json value)
{
    if (count_leaf(prompt, key, value))
        return;
    if (json_string_is(key, "toolUse"))
        prompt_call(prompt, json_member(value, "name"), json_member(value, "input"));
    else if (json_string_is(key, "toolResult"))
        count_result(prompt, json_member(value, "content"));
    else
        prompt_unknown(prompt);
}

static void count_content(struct prompt *prompt, struct json content)
{
    struct json block, key, value;
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &block);)
        for (size_t i = 0; json_next(block, &i, &key, &value);)
            count_block(prompt, key, value);
}

static void count_tools(struct prompt *prompt, struct json config)
{
    struct json tool, tools = json_member(config, "tools");
    for (size_t at = 0; tools.type == JSON_ARRAY && json_next(tools, &at, NULL, &tool);) {
        struct json spec = json_member(tool, "toolSpec");
        if (spec.type == JSON_OBJECT)
            prompt_tool(prompt, spec, json_member(spec, "name"), json_member(spec, "description"),
                        json_member(json_member(spec, "inputSchema"), "json"));
        else if (json_member(tool, "cachePoint").type == JSON_NONE)
            prompt_unknown(prompt);
    }
}

int converse_count_input(struct slice body, struct prompt *prompt)
{
    struct json whole, key, value, message;
    int status = told_body(body, &whole);
    for (size_t at = 0; !status && json_next(whole, &at, &key, &value);) {
        if (json_string_is(key, "messages")) {
            for (size_t i = 0; json_next(value, &i, NULL, &message);) {
                prompt_message(prompt, told_role(json_member(message, "role")));
                count_content(prompt, json_member(message, "content"));
            }
        } else if (json_string_is(key, "system") && told_given(value)) {
            prompt_message(prompt, PROMPT_SYSTEM);
            count_content(prompt, value);
        } else if (json_string_is(key, "toolConfig")) {
            count_tools(prompt, value);
        } else if (told_given(value) && !told_is(key, quiet)) {
            prompt_unknown(prompt);
        }
    }
    return status;
}
