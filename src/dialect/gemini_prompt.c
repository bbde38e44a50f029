/* SPDX-License-Identifier: Apache-2.0
 * The input of Google's generateContent. Its members may be written in camel or snake case. */
#include "dialect/prompts.h"
#include "dialect/told.h"

static const char *const quiet[] = {"model",
                                    "toolConfig",
                                    "tool_config",
                                    "safetySettings",
                                    "safety_settings",
                                    "labels",
                                    "modelArmorConfig",
                                    "model_armor_config",
                                    NULL};

static struct json either(struct json object, const char *camel, const char *snake)
{
    struct json value = json_member(object, camel);
    return value.type == JSON_NONE ? json_member(object, snake) : value;
}

static void count_answer(struct prompt *prompt, struct json response)
{
    prompt_result(prompt);
    prompt_text(prompt, json_member(response, "name"));
    prompt_text(prompt, json_member(response, "response"));
    if (told_given(json_member(response, "parts")))
        prompt_unknown(prompt);
}

static bool count_inline(struct prompt *prompt, struct json blob)
{
    struct json kind = either(blob, "mimeType", "mime_type");
    bool text = kind.type == JSON_STRING;
    if (text && slice_starts(kind.raw, SLICE_LITERAL("\"image/")))
        prompt_image(prompt, json_member(blob, "data"), false);
    else if (text && slice_starts(kind.raw, SLICE_LITERAL("\"audio/")))
        prompt_sound(prompt, json_member(blob, "data"));
    else
        return false;
    return true;
}

static void count_part(struct prompt *prompt, struct json part)
{
    struct json text = json_member(part, "text");
    struct json call = either(part, "functionCall", "function_call");
    struct json answer = either(part, "functionResponse", "function_response");
    struct json blob = either(part, "inlineData", "inline_data");
    prompt_sealed(prompt, either(part, "thoughtSignature", "thought_signature"));
    if (text.type == JSON_STRING)
        prompt_text(prompt, text);
    else if (call.type == JSON_OBJECT)
        prompt_call(prompt, json_member(call, "name"), json_member(call, "args"));
    else if (answer.type == JSON_OBJECT)
        count_answer(prompt, answer);
    else if (!count_inline(prompt, blob))
        prompt_unknown(prompt);
}

/* Whether it goes on with what a tool answered: the turn is not over then. */
static bool answers(struct json parts)
{
    struct json first;
    size_t at = 0;
    return parts.type == JSON_ARRAY && json_next(parts, &at, NULL, &first) &&
           either(first, "functionResponse", "function_response").type == JSON_OBJECT;
}

static void count_content(struct prompt *prompt, struct json content, bool system)
{
    struct json part, parts = json_member(content, "parts");
    enum prompt_role role = system ? PROMPT_SYSTEM : told_role(json_member(content, "role"));
    prompt_message(prompt, role == PROMPT_USER && answers(parts) ? PROMPT_TOOL : role);
    if (content.type == JSON_STRING)
        prompt_text(prompt, content);
    if (parts.type == JSON_OBJECT)
        count_part(prompt, parts);
    for (size_t at = 0; parts.type == JSON_ARRAY && json_next(parts, &at, NULL, &part);)
        count_part(prompt, part);
}

static void count_contents(struct prompt *prompt, struct json contents)
{
    struct json content;
    if (contents.type != JSON_ARRAY)
        count_content(prompt, contents, false);
    for (size_t at = 0; contents.type == JSON_ARRAY && json_next(contents, &at, NULL, &content);)
        count_content(prompt, content, false);
}

static struct json parameters_of(struct json function)
{
    struct json parameters = json_member(function, "parameters");
    if (parameters.type == JSON_NONE)
        parameters = either(function, "parametersJsonSchema", "parameters_json_schema");
    return parameters;
}

static void count_functions(struct prompt *prompt, struct json functions)
{
    struct json function;
    for (size_t at = 0; functions.type == JSON_ARRAY && json_next(functions, &at, NULL, &function);)
        prompt_tool(prompt, function, json_member(function, "name"),
                    json_member(function, "description"), parameters_of(function));
}

static void count_tools(struct prompt *prompt, struct json tools)
{
    struct json tool, key, value;
    if (tools.type != JSON_ARRAY)
        prompt_unknown(prompt);
    for (size_t at = 0; tools.type == JSON_ARRAY && json_next(tools, &at, NULL, &tool);) {
        if (tool.type != JSON_OBJECT)
            prompt_unknown(prompt);
        for (size_t i = 0; tool.type == JSON_OBJECT && json_next(tool, &i, &key, &value);) {
            if (json_string_is(key, "functionDeclarations") ||
                json_string_is(key, "function_declarations"))
                count_functions(prompt, value);
            else
                prompt_unknown(prompt);
        }
    }
}

static bool has_word(struct slice text, struct slice word)
{
    for (const char *at; text.len >= word.len && (at = memchr(text.data, '"', text.len));) {
        text = slice_from(text, (size_t)(at - text.data));
        if (slice_starts(text, word))
            return true;
        text = slice_from(text, 1);
    }
    return false;
}

/* A shape guides what is written, and was not billed in any recorded call but one: with choices in
 * the older of the two ways to say it. */
static void count_settings(struct prompt *prompt, struct json settings)
{
    struct json schema = either(settings, "responseSchema", "response_schema");
    if (has_word(schema.raw, SLICE_LITERAL("\"any_of\"")) ||
        has_word(schema.raw, SLICE_LITERAL("\"anyOf\"")))
        prompt_format(prompt, (struct json){0}, (struct json){0}, schema);
}

int gemini_count_input(struct slice body, struct prompt *prompt)
{
    struct json whole, key, value;
    int status = told_body(body, &whole);
    for (size_t at = 0; !status && json_next(whole, &at, &key, &value);) {
        if (json_string_is(key, "contents"))
            count_contents(prompt, value);
        else if (json_string_is(key, "systemInstruction") ||
                 json_string_is(key, "system_instruction"))
            count_content(prompt, value, true);
        else if (json_string_is(key, "tools"))
            count_tools(prompt, value);
        else if (json_string_is(key, "generationConfig") ||
                 json_string_is(key, "generation_config"))
            count_settings(prompt, value);
        else if (told_given(value) && !told_is(key, quiet))
            prompt_unknown(prompt);
    }
    return status;
}
