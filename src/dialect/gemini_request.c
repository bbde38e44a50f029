/* SPDX-License-Identifier: Apache-2.0
 * A generateContent request: what it asks, the most it can cost, and where its bound stands.
 *
 *   {"contents":[{"role","parts":[{"text"}|{"inlineData":{"mimeType","data"}}|{"fileData":{...}}|
 *      {"functionCall"}|{"functionResponse"}|...]}],"systemInstruction":{"parts"},"tools":[...],
 *    "generationConfig":{"maxOutputTokens","candidateCount","thinkingConfig",...},"cachedContent"}
 *
 * Google takes every name in two spellings, maxOutputTokens and max_output_tokens; both are read,
 * and one after the other is the field given twice.
 * INPUT BOUND  as of the chat format (chat_request.c), and
 *     + LIMIT_FILE_TOKENS   for a file, sound, video, a cached content, and each tool of Google's
 *                           that puts what it finds before the model
 * OUTPUT BOUND  maxOutputTokens, times candidateCount. Thinking counts within it.
 * USES  sound in (also within a video), sound or pictures out, searches, other service tiers. Any
 *   tool that is not known here is refused.
 * Every client is told its usage; among events, where its cost has a place, that is put there.
 * Not looked at: a model in the body (the path says it), and how the rest is written. */
#include "dialect/gemini.h"

#include "dialect/path.h"

struct reading {
    struct dialect_request *request;
    struct dialect_error *error;
    bool with_tools, configured;
};

static int fault(struct reading *r, const char *param, const char *message)
{
    *r->error =
        (struct dialect_error){400, "invalid_request_error", "invalid_value", param, message, {0}};
    return METE_E_INVALID;
}

static int not_priced(struct reading *r, const char *param, const char *message)
{
    *r->error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    return METE_E_INVALID;
}

static bool given(struct json value)
{
    return value.type != JSON_NONE && value.type != JSON_NULL && value.type != JSON_FALSE;
}

static struct slice after_brace(struct json object)
{
    return (struct slice){object.raw.data + 1, 0};
}

bool gemini_key_is(struct json key, const char *camel, const char *snake)
{
    return chat_key_is(key, camel, strlen(camel)) || chat_key_is(key, snake, strlen(snake));
}

struct json gemini_member(struct json object, const char *camel, const char *snake)
{
    struct json key, value, found = {0};
    for (size_t at = 0; object.type == JSON_OBJECT && json_next(object, &at, &key, &value);) {
        if (!gemini_key_is(key, camel, snake))
            continue;
        if (found.type != JSON_NONE)
            return (struct json){0};
        found = value;
    }
    return found;
}

/* ---- Contents -------------------------------------------------------------------------------- */

enum media { MEDIA_IMAGE, MEDIA_DOCUMENT, MEDIA_SOUND };

/* What is not known to be without sound may have some. */
static enum media media_of(struct json type)
{
    char room[64];
    long len = json_string_copy(type, room, sizeof room);
    struct slice text = {room, len > 0 ? (size_t)len : 0};
    if (slice_starts(text, SLICE_LITERAL("image/")))
        return MEDIA_IMAGE;
    return slice_starts(text, SLICE_LITERAL("text/")) || slice_is(text, "application/pdf")
               ? MEDIA_DOCUMENT
               : MEDIA_SOUND;
}

static void count_media(struct reading *r, struct json media)
{
    struct json data = gemini_member(media, "data", "data");
    switch (media_of(gemini_member(media, "mimeType", "mime_type"))) {
    case MEDIA_IMAGE:
        r->request->input_bound += LIMIT_IMAGE_TOKENS;
        if (data.type == JSON_STRING)
            r->request->input_bound -= (int64_t)data.raw.len;
        return;
    case MEDIA_SOUND:
        r->request->uses |= DIALECT_AUDIO_INPUT;
        break;
    case MEDIA_DOCUMENT:
        break;
    }
    r->request->input_bound += LIMIT_FILE_TOKENS;
}

static void read_parts(struct reading *r, struct json parts);

static void read_part(struct reading *r, struct json part, bool nested)
{
    struct json key, value;
    for (size_t at = 0; part.type == JSON_OBJECT && json_next(part, &at, &key, &value);) {
        if (!given(value))
            continue;
        if (gemini_key_is(key, "inlineData", "inline_data") ||
            gemini_key_is(key, "fileData", "file_data"))
            count_media(r, value);
        else if (gemini_key_is(key, "functionResponse", "function_response") && !nested)
            read_parts(r, gemini_member(value, "parts", "parts"));
    }
}

/* Parts of a tool's answer: they hold no further answers. */
static void read_parts(struct reading *r, struct json parts)
{
    struct json part;
    for (size_t at = 0; parts.type == JSON_ARRAY && json_next(parts, &at, NULL, &part);)
        read_part(r, part, true);
}

static int read_content(struct reading *r, struct json content)
{
    struct json key, value, part;
    if (content.type != JSON_OBJECT)
        return content.type == JSON_STRING
                   ? 0
                   : fault(r, "contents", "Each of contents must be an object.");
    for (size_t at = 0; json_next(content, &at, &key, &value);) {
        if (!CHAT_KEY_IS(key, "parts"))
            continue;
        if (value.type == JSON_OBJECT)
            read_part(r, value, false);
        for (size_t in = 0; value.type == JSON_ARRAY && json_next(value, &in, NULL, &part);)
            read_part(r, part, false);
    }
    return 0;
}

static int read_contents(struct reading *r, struct json value)
{
    struct json content;
    if (value.type == JSON_OBJECT || value.type == JSON_STRING)
        return read_content(r, value);
    if (value.type != JSON_ARRAY)
        return fault(r, "contents", "contents must be an array.");
    for (size_t at = 0; json_next(value, &at, NULL, &content);) {
        int rc = read_content(r, content);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_system(struct reading *r, struct json value)
{
    return given(value) ? read_content(r, value) : 0;
}

/* ---- Tools ----------------------------------------------------------------------------------- */

enum tool { TOOL_CLIENTS, TOOL_SEARCH, TOOL_READS };

static const struct {
    const char *camel, *snake;
    enum tool kind;
} tools[] = {
    {"functionDeclarations", "function_declarations", TOOL_CLIENTS},
    {"computerUse", "computer_use", TOOL_CLIENTS},
    {"googleSearch", "google_search", TOOL_SEARCH},
    {"googleSearchRetrieval", "google_search_retrieval", TOOL_SEARCH},
    {"enterpriseWebSearch", "enterprise_web_search", TOOL_SEARCH},
    {"googleMaps", "google_maps", TOOL_SEARCH},
    {"codeExecution", "code_execution", TOOL_READS},
    {"urlContext", "url_context", TOOL_READS},
    {"fileSearch", "file_search", TOOL_READS},
};
enum { TOOLS = sizeof tools / sizeof tools[0] };

/* Searches: up to Gemini 2 one is billed for a call, however many it makes. */
static bool bills_each(const struct dialect_request *request)
{
    struct slice model = {request->model, request->model_len};
    return !slice_starts(model, SLICE_LITERAL("gemini-1")) &&
           !slice_starts(model, SLICE_LITERAL("gemini-2"));
}

static int read_tool(struct reading *r, struct json key)
{
    for (size_t i = 0; i < TOOLS; i++) {
        if (!gemini_key_is(key, tools[i].camel, tools[i].snake))
            continue;
        if (tools[i].kind != TOOL_CLIENTS)
            r->request->input_bound += LIMIT_FILE_TOKENS;
        if (tools[i].kind == TOOL_SEARCH) {
            r->request->uses |= DIALECT_SEARCHES;
            r->request->searches = bills_each(r->request) ? LIMIT_SEARCHES : 1;
        }
        return 0;
    }
    return not_priced(r, "tools",
                      "A tool that is not known here may bill by meters without price.");
}

static int read_tools(struct reading *r, struct json value)
{
    struct json tool, key, what;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);) {
        r->with_tools = true;
        for (size_t in = 0; tool.type == JSON_OBJECT && json_next(tool, &in, &key, &what);) {
            int rc = what.type == JSON_NULL ? 0 : read_tool(r, key);
            if (rc)
                return rc;
        }
    }
    if (value.type != JSON_ARRAY && given(value))
        return fault(r, "tools", "tools must be an array.");
    return 0;
}

/* ---- generationConfig ------------------------------------------------------------------------ */

static int read_bound(struct reading *r, struct json value)
{
    int64_t asked = 0;
    if (value.type != JSON_NULL &&
        (json_integer(value, &asked) || asked < 1 || asked > LIMIT_OUTPUT_TOKENS))
        return fault(r, "maxOutputTokens",
                     "The bound of output tokens must be a whole number from 1 to 16777216.");
    r->request->asked = asked;
    r->request->output_bound = (struct dialect_place){value.raw, "", ""};
    return 0;
}

static int read_choices(struct reading *r, struct json value)
{
    int64_t choices = 1;
    if (value.type != JSON_NULL &&
        (json_integer(value, &choices) || choices < 1 || choices > CHAT_CHOICES_MAX))
        return fault(r, "candidateCount", "candidateCount must be a whole number from 1 to 128.");
    r->request->choices = choices;
    return 0;
}

static int read_thinking(struct reading *r, struct json value)
{
    int64_t budget = -1;
    struct json told = gemini_member(value, "thinkingBudget", "thinking_budget");
    bool off = told.type == JSON_NUMBER && !json_integer(told, &budget) && !budget;
    r->request->may_hide_output = r->request->may_hide_output || (given(value) && !off);
    return 0;
}

static int read_modalities(struct reading *r, struct json value)
{
    struct json one;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);) {
        if (json_string_is(one, "AUDIO"))
            r->request->uses |= DIALECT_AUDIO_OUTPUT;
        else if (json_string_is(one, "IMAGE"))
            r->request->uses |= DIALECT_IMAGE_OUTPUT;
        else if (!json_string_is(one, "TEXT"))
            return not_priced(r, "responseModalities",
                              "Output other than TEXT, AUDIO and IMAGE has no price here.");
    }
    return 0;
}

static int read_shape(struct reading *r, struct json value)
{
    r->with_tools = r->with_tools || given(value);
    return 0;
}

/* ---- Members --------------------------------------------------------------------------------- */

struct member {
    const char *camel, *snake;
    int (*read)(struct reading *r, struct json value);
};

static int read_members(struct reading *r, struct json object, const struct member *members,
                        size_t len)
{
    uint32_t seen = 0;
    struct json key, value;
    for (size_t at = 0; json_next(object, &at, &key, &value);) {
        for (size_t i = 0; i < len; i++) {
            if (!gemini_key_is(key, members[i].camel, members[i].snake))
                continue;
            if (seen & UINT32_C(1) << i)
                return fault(r, members[i].camel, "The field is given twice.");
            seen |= UINT32_C(1) << i;
            int rc = members[i].read(r, value);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int read_config(struct reading *r, struct json value)
{
    static const struct member members[] = {
        {"maxOutputTokens", "max_output_tokens", read_bound},
        {"candidateCount", "candidate_count", read_choices},
        {"thinkingConfig", "thinking_config", read_thinking},
        {"responseModalities", "response_modalities", read_modalities},
        {"responseSchema", "response_schema", read_shape},
        {"responseJsonSchema", "response_json_schema", read_shape},
    };
    struct dialect_place *place = &r->request->output_bound;
    r->configured = true;
    if (value.type == JSON_NULL) {
        *place = (struct dialect_place){value.raw, "{\"maxOutputTokens\":", "}"};
        return 0;
    }
    if (value.type != JSON_OBJECT)
        return fault(r, "generationConfig", "generationConfig must be an object.");
    *place = (struct dialect_place){after_brace(value), "\"maxOutputTokens\":", ","};
    return read_members(r, value, members, sizeof members / sizeof members[0]);
}

static int read_cached(struct reading *r, struct json value)
{
    r->request->input_bound += given(value) ? LIMIT_FILE_TOKENS : 0;
    return 0;
}

static int read_service(struct reading *r, struct json value)
{
    char room[32];
    long len = json_string_copy(value, room, sizeof room);
    struct slice text = {room, len > 0 ? (size_t)len : 0};
    if (!given(value) || slice_is(text, "standard") || slice_is(text, "unspecified"))
        return 0;
    if (slice_is(text, "priority"))
        r->request->uses |= DIALECT_PRIORITY;
    else if (slice_is(text, "flex"))
        r->request->uses |= DIALECT_FLEX;
    else
        return not_priced(r, "serviceTier", "This service tier has no price here.");
    return 0;
}

int gemini_read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    static const struct member members[] = {
        {"contents", "contents", read_contents},
        {"systemInstruction", "system_instruction", read_system},
        {"tools", "tools", read_tools},
        {"generationConfig", "generation_config", read_config},
        {"cachedContent", "cached_content", read_cached},
        {"serviceTier", "service_tier", read_service},
    };
    *ret_request = (struct dialect_request){.choices = 1,
                                            .input_bound = (int64_t)body.len,
                                            .stream = target->stream,
                                            .array = target->array,
                                            .wants_usage = !target->array};
    struct reading r = {.request = ret_request, .error = ret_error};
    struct json whole, key, first;
    size_t at = 0;
    int rc = path_read_model(target, ret_request, ret_error);
    if (rc)
        return rc;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return fault(&r, NULL, "The body is not a JSON object.");
    rc = read_members(&r, whole, members, sizeof members / sizeof members[0]);
    if (rc)
        return rc;
    if (!json_count(whole, "contents"))
        return fault(&r, "contents", "contents is missing.");
    ret_request->input_bound += LIMIT_TEMPLATE_TOKENS + (r.with_tools ? LIMIT_TOOLS_TOKENS : 0);
    if (!r.configured && json_next(whole, &at, &key, &first))
        ret_request->output_bound = (struct dialect_place){
            after_brace(whole), "\"generationConfig\":{\"maxOutputTokens\":", "},"};
    return 0;
}
