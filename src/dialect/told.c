/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect/told.h"

#include "mete.h"

bool told_is(struct json key, const char *const *names)
{
    for (; *names; names++)
        if (json_string_is(key, *names))
            return true;
    return false;
}

bool told_given(struct json value)
{
    bool list = value.type == JSON_STRING || value.type == JSON_ARRAY;
    return value.type != JSON_NONE && value.type != JSON_NULL && value.type != JSON_FALSE &&
           !(list && value.raw.len == 2);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int told_body(struct slice body, struct json *ret_whole)
{
    while (body.len && is_blank(body.data[0]))
        body = slice_from(body, 1);
    while (body.len && is_blank(body.data[body.len - 1]))
        body.len--;
    if (body.len < 2 || body.data[0] != '{')
        return METE_E_INVALID;
    *ret_whole = (struct json){JSON_OBJECT, body};
    return 0;
}

void told_function(struct prompt *prompt, struct json tool, struct json function,
                   const char *schema)
{
    prompt_tool(prompt, tool, json_member(function, "name"), json_member(function, "description"),
                json_member(function, schema));
}

enum prompt_role told_role(struct json role)
{
    if (json_string_is(role, "system") || json_string_is(role, "developer"))
        return PROMPT_SYSTEM;
    if (json_string_is(role, "assistant") || json_string_is(role, "model"))
        return PROMPT_ASSISTANT;
    return json_string_is(role, "tool") || json_string_is(role, "function") ? PROMPT_TOOL
                                                                            : PROMPT_USER;
}

void told_choice(struct prompt *prompt, struct json choice)
{
    static const char *const free[] = {"auto", "none", NULL};
    if (choice.type == JSON_OBJECT)
        choice = json_member(choice, "type");
    if (told_given(choice) && !told_is(choice, free))
        prompt_forced(prompt);
}

bool told_part(struct prompt *prompt, struct json part)
{
    static const char *const texts[] = {"text", "input_text", "output_text", NULL};
    static const char *const images[] = {"image_url", "input_image", NULL};
    struct json type = json_member(part, "type");
    if (told_is(type, texts)) {
        prompt_text(prompt, json_member(part, "text"));
        return true;
    }
    if (json_string_is(type, "refusal")) {
        prompt_text(prompt, json_member(part, "refusal"));
        return true;
    }
    if (json_string_is(type, "input_audio")) {
        prompt_sound(prompt, json_member(json_member(part, "input_audio"), "data"));
        return true;
    }
    if (!told_is(type, images))
        return false;
    struct json image = json_member(part, "image_url"), detail = json_member(part, "detail");
    if (image.type == JSON_OBJECT) {
        detail = json_member(image, "detail");
        image = json_member(image, "url");
    }
    prompt_image(prompt, image, json_string_is(detail, "low"));
    return true;
}

void told_texts(struct prompt *prompt, struct json content)
{
    struct json part;
    if (content.type == JSON_STRING)
        prompt_text(prompt, content);
    else if (content.type != JSON_ARRAY && told_given(content))
        prompt_unknown(prompt);
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &part);) {
        if (part.type == JSON_STRING)
            prompt_text(prompt, part);
        else if (!told_part(prompt, part))
            prompt_unknown(prompt);
    }
}
