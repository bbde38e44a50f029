/* SPDX-License-Identifier: Apache-2.0
 * A responses request: what it asks, the most it can cost, and the places where it is changed.
 *
 * INPUT BOUND  of one turn: the bytes of the body, and what chat adds for templates, tools, images
 *   and files (chat_request.c). What no byte of the body shows (a stored conversation, a template,
 *   an item by reference, what a tool of the provider's found) can be as long as any context window
 *   is wide: such a turn counts as LIMIT_CONTEXT_TOKENS, or as its bytes if they are more.
 *   Tools that the provider runs make turns of one answer, each of which reads all before it: one
 *   more than tools are used, at most max_tool_calls times; where the request does not bound them,
 *   LIMIT_TOOL_CALLS times, with LIMIT_SEARCHES searches in all.
 * OUTPUT BOUND  max_output_tokens, reasoning included.
 * USES  searches: a tool that the provider runs and bills by the use, or one it is not known not
 *   to; pictures: image_generation; sound: input_audio; service tiers. Whether they have a price is
 *   the gateway's to ask. A template may hold any tool.
 * FREE  tools that the client runs (function, custom, namespaces of them, local_shell, apply_patch,
 *   computer), and those of the provider's that cost only tokens (mcp, tool_search). */
#include "dialect/responses.h"

#include "dialect/chat.h"
#include "dialect/openai.h"

struct bounds {
    bool hidden;   /* input that no byte of the body shows */
    bool hosted;   /* tools that the provider runs */
    int64_t calls; /* of them, at most; 0: not said */
};

/* openai_read_body() knows the first part only. */
struct reading {
    struct openai_reading openai;
    struct bounds bounds;
};

static struct bounds *bounds_of(struct openai_reading *r)
{
    return &((struct reading *)(void *)r)->bounds;
}

static bool is_one_of(struct json type, const char *const *names)
{
    for (; *names; names++)
        if (json_string_is(type, *names))
            return true;
    return false;
}

/* A type given twice is none: parsers differ in which one counts. */
static struct json type_of(struct json object)
{
    return json_count(object, "type") == 1 ? json_member(object, "type") : (struct json){0};
}

/* ---- Input ----------------------------------------------------------------------------------- */

static void read_part(struct openai_reading *r, struct json part)
{
    static const char *const texts[] = {"input_text",     "output_text",  "text", "refusal",
                                        "reasoning_text", "summary_text", NULL};
    struct json type = type_of(part), image = json_member(part, "image_url");
    if (part.type == JSON_STRING || is_one_of(type, texts))
        return;
    if (json_string_is(type, "input_audio"))
        r->request->uses |= DIALECT_AUDIO_INPUT;
    if ((json_string_is(type, "input_image") || json_string_is(type, "computer_screenshot")) &&
        json_count(part, "image_url") < 2)
        openai_count_image(r->request, image);
    else
        r->request->input_bound += LIMIT_FILE_TOKENS;
}

static void read_parts(struct openai_reading *r, struct json content)
{
    struct json part;
    if (content.type == JSON_OBJECT)
        read_part(r, content);
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &part);)
        read_part(r, part);
}

/* An item without a type is a message. Of those that are nothing but what they show, the parts are
 * looked at; others stand for something that is stored elsewhere. */
static void read_item(struct openai_reading *r, struct json item)
{
    static const char *const shown[] = {"message",
                                        "function_call",
                                        "function_call_output",
                                        "custom_tool_call",
                                        "reasoning",
                                        "local_shell_call",
                                        "custom_tool_call_output",
                                        "shell_call",
                                        "tool_search_call",
                                        "local_shell_call_output",
                                        "shell_call_output",
                                        "apply_patch_call",
                                        "mcp_list_tools",
                                        "apply_patch_call_output",
                                        "mcp_call",
                                        "mcp_approval_request",
                                        "computer_call",
                                        "computer_call_output",
                                        "mcp_approval_response",
                                        "tool_search_output",
                                        "additional_tools",
                                        NULL};
    struct json type = type_of(item), key, value;
    bool plain = json_member(item, "type").type == JSON_NONE || is_one_of(type, shown);
    if (!plain)
        bounds_of(r)->hidden = true;
    for (size_t at = 0; item.type == JSON_OBJECT && json_next(item, &at, &key, &value);)
        if (CHAT_KEY_IS(key, "content") || CHAT_KEY_IS(key, "output"))
            read_parts(r, value);
}

static int read_input(struct openai_reading *r, struct json value)
{
    struct json item;
    if (value.type != JSON_STRING && value.type != JSON_ARRAY)
        return openai_fault(r, "input", "input must be a string or an array.");
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &item);)
        read_item(r, item);
    return 0;
}

static int read_hidden(struct openai_reading *r, struct json value)
{
    bounds_of(r)->hidden |= openai_given(value);
    return 0;
}

static int read_previous(struct openai_reading *r, struct json value)
{
    if (value.type == JSON_STRING)
        r->request->continues = value.raw;
    return read_hidden(r, value);
}

static void read_hosted(struct openai_reading *r, uint32_t uses)
{
    bounds_of(r)->hosted = true;
    r->request->uses |= uses;
}

static int read_template(struct openai_reading *r, struct json value)
{
    if (openai_given(value))
        read_hosted(r, DIALECT_SEARCHES);
    return 0;
}

/* ---- Tools ----------------------------------------------------------------------------------- */

static void read_tool(struct openai_reading *r, struct json tool)
{
    static const char *const clients[] = {"function",    "custom",   "local_shell",
                                          "apply_patch", "computer", "computer_use_preview",
                                          NULL};
    static const char *const free_of_charge[] = {"mcp", "tool_search", NULL};
    struct json type = type_of(tool);
    if (is_one_of(type, clients))
        return;
    read_hosted(r, is_one_of(type, free_of_charge)            ? 0
                   : json_string_is(type, "image_generation") ? DIALECT_IMAGE_OUTPUT
                                                              : DIALECT_SEARCHES);
}

static void read_tool_list(struct openai_reading *r, struct json tools)
{
    struct json tool;
    for (size_t at = 0; tools.type == JSON_ARRAY && json_next(tools, &at, NULL, &tool);)
        read_tool(r, tool);
}

static int read_tools(struct openai_reading *r, struct json value)
{
    struct json tool;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);) {
        r->with_preamble = true;
        if (json_string_is(type_of(tool), "namespace") && json_count(tool, "tools") == 1)
            read_tool_list(r, json_member(tool, "tools"));
        else
            read_tool(r, tool);
    }
    return 0;
}

/* Plugins, searches beside the tools: of providers that resemble OpenAI. */
static int read_plugins(struct openai_reading *r, struct json value)
{
    if (openai_given(value))
        read_hosted(r, DIALECT_SEARCHES);
    return 0;
}

static int read_calls(struct openai_reading *r, struct json value)
{
    int64_t calls;
    if (value.type == JSON_NULL)
        return 0;
    if (json_integer(value, &calls) || calls < 1 || calls > LIMIT_OUTPUT_TOKENS)
        return openai_fault(r, "max_tool_calls", "max_tool_calls must be a whole number over 0.");
    bounds_of(r)->calls = calls;
    return 0;
}

/* ---- The other members ----------------------------------------------------------------------- */

static int read_bound(struct openai_reading *r, struct json value)
{
    return openai_read_bound(r, value, "max_output_tokens");
}

static int read_background(struct openai_reading *r, struct json value)
{
    r->request->background = value.type == JSON_TRUE;
    return 0;
}

static int read_reasoning(struct openai_reading *r, struct json value)
{
    struct json effort = json_member(value, "effort");
    bool off = json_count(value, "effort") == 1 && json_string_is(effort, "none");
    r->request->may_hide_output = openai_given(value) && !off;
    return 0;
}

static int read_text(struct openai_reading *r, struct json value)
{
    r->with_preamble |= openai_given(value);
    return 0;
}

static int read_tier(struct openai_reading *r, struct json value)
{
    static const char *const standard[] = {"auto", "default", NULL};
    if (!openai_given(value) || is_one_of(value, standard))
        return 0;
    if (json_string_is(value, "priority"))
        r->request->uses |= DIALECT_PRIORITY;
    else if (json_string_is(value, "flex"))
        r->request->uses |= DIALECT_FLEX;
    else
        return openai_not_priced(r, "service_tier",
                                 "Service tiers other than auto, default, priority and flex have "
                                 "prices of their own, and none here.");
    return 0;
}

static int read_modalities(struct openai_reading *r, struct json value)
{
    struct json one;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);) {
        if (json_string_is(one, "audio"))
            r->request->uses |= DIALECT_AUDIO_OUTPUT;
        else if (!json_string_is(one, "text"))
            r->request->uses |= DIALECT_IMAGE_OUTPUT;
    }
    return 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("input", read_input),
    OPENAI_MEMBER("previous_response_id", read_previous),
    OPENAI_MEMBER("conversation", read_hidden),
    OPENAI_MEMBER("prompt", read_template),
    OPENAI_MEMBER("tools", read_tools),
    OPENAI_MEMBER("max_tool_calls", read_calls),
    OPENAI_MEMBER("plugins", read_plugins),
    OPENAI_MEMBER("search_parameters", read_plugins),
    OPENAI_MEMBER("web_search_options", read_plugins),
    OPENAI_MEMBER("max_output_tokens", read_bound),
    OPENAI_MEMBER("stream", openai_read_stream),
    OPENAI_MEMBER("background", read_background),
    OPENAI_MEMBER("reasoning", read_reasoning),
    OPENAI_MEMBER("text", read_text),
    OPENAI_MEMBER("service_tier", read_tier),
    OPENAI_MEMBER("modalities", read_modalities),
    OPENAI_MEMBER("models", openai_refuse_models),
    OPENAI_MEMBER("metadata", openai_read_metadata),
    OPENAI_MEMBER("safety_identifier", openai_read_user),
    OPENAI_MEMBER("user", openai_read_user),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static void add_up(struct dialect_request *request, const struct bounds *bounds)
{
    int64_t calls = bounds->calls ? bounds->calls : LIMIT_TOOL_CALLS;
    if (bounds->hidden || bounds->hosted)
        request->input_bound = max_i64(request->input_bound, LIMIT_CONTEXT_TOKENS);
    if (!bounds->hosted)
        return;
    request->input_bound *= calls + 1;
    if (request->uses & DIALECT_SEARCHES)
        request->searches = bounds->calls ? bounds->calls : LIMIT_SEARCHES;
    if (request->uses & DIALECT_IMAGE_OUTPUT)
        request->output_fixed = calls * LIMIT_IMAGE_TOKENS;
}

int responses_read_request(const struct dialect_target *target, struct slice body,
                           struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct reading r = {.openai = {.request = ret_request, .error = ret_error}};
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(&r.openai, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 1))
        rc = openai_model_of_path(&r.openai, target, whole);
    if (rc)
        return rc;
    ret_request->wants_usage = ret_request->stream;
    ret_request->input_bound +=
        LIMIT_TEMPLATE_TOKENS + (r.openai.with_preamble ? LIMIT_TOOLS_TOKENS : 0);
    add_up(ret_request, &r.bounds);
    if (!ret_request->output_bound.at.data)
        ret_request->output_bound =
            (struct dialect_place){openai_after_brace(whole), "\"max_output_tokens\":", ","};
    return 0;
}
