/* SPDX-License-Identifier: Apache-2.0
 * Messages requests read into the neutral form, and written from it.
 *
 *   system               SYSTEM, all of them; written first, wherever they stood
 *   user                 USER, and a RESULT for each tool_result: those first, then its images
 *   assistant            text, thinking, tool_use: TEXT, THINKING, CALL
 *
 * REFUSED when read: tools and blocks of the provider's own, documents that are not text, files by
 * their id, MCP servers, containers. LEFT OUT: cache_control, thinking that is redacted, the
 * service tier, context_management.
 * REFUSED when written: JSON without a schema. LEFT OUT: seed, penalties, and empty texts, which
 * Anthropic takes for a fault; thinking without a signature, for it is believed by that.
 *
 * ONE ROLE AFTER THE OTHER  Anthropic wants every result of a turn in the one message after its
 *   calls, so parts of one role are written as one message, however many they were.
 *
 * ARGUMENTS that are no object, as a model wrote them, go as {"INVALID_JSON": text}: what Anthropic
 *   advises, and nothing of them is lost. */
#include "dialect/messages.h"

#include "codec/decimal.h"
#include "dialect/chat.h"
#include "dialect/json_put.h"

struct reading {
    struct neutral_request *request;
    struct dialect_error *error;
};

static int no_word(struct reading *r, const char *param, const char *message)
{
    *r->error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    return METE_E_INVALID;
}

static int no_room(struct reading *r, int rc)
{
    return rc == METE_E_TOO_LARGE
               ? no_word(r, "messages", "The request has too many parts to be translated.")
               : rc;
}

/* ---- Messages are read ----------------------------------------------------------------------- */

/* One message under way: its first part begins it. */
struct message {
    enum neutral_role role;
    bool begun;
};

static int add_part(struct reading *r, struct message *message, enum neutral_kind kind,
                    struct neutral_part **ret_part)
{
    int rc = no_room(r, neutral_add_part(r->request, ret_part));
    if (rc)
        return rc;
    (*ret_part)->role = kind == NEUTRAL_RESULT ? NEUTRAL_TOOL : message->role;
    (*ret_part)->kind = kind;
    (*ret_part)->begins = !message->begun;
    message->begun = true;
    return 0;
}

static int add_text(struct reading *r, struct message *message, struct json text)
{
    struct neutral_part *part;
    if (text.type != JSON_STRING)
        return no_word(r, "messages", "A text must be a string.");
    int rc = add_part(r, message, NEUTRAL_TEXT, &part);
    if (!rc)
        part->text = text.raw;
    return rc;
}

static int add_image(struct reading *r, struct message *message, struct json block)
{
    struct json source = json_member(block, "source"), type = json_member(source, "type");
    struct neutral_part *part;
    if (message->role != NEUTRAL_USER)
        return no_word(r, "messages", "Only a user's message can have images.");
    int rc = add_part(r, message, NEUTRAL_IMAGE, &part);
    if (rc)
        return rc;
    if (json_string_is(type, "url"))
        part->url = neutral_string(json_member(source, "url"));
    bool inlined =
        json_string_is(type, "base64") &&
        neutral_read_source(json_member(source, "media_type"), json_member(source, "data"), part);
    if (!inlined && !slice_starts(part->url, SLICE_LITERAL("\"http")))
        return no_word(r, "messages",
                       "An image must be an http(s) url, or base64 with its media_type.");
    return 0;
}

static int add_thinking(struct reading *r, struct message *message, struct json block)
{
    struct neutral_part *part;
    int rc = add_part(r, message, NEUTRAL_THINKING, &part);
    if (rc)
        return rc;
    part->text = neutral_string(json_member(block, "thinking"));
    part->signature = neutral_string(json_member(block, "signature"));
    return part->text.len ? 0 : no_word(r, "messages", "Thinking must be a string.");
}

static int add_call(struct reading *r, struct message *message, struct json block)
{
    struct neutral_part *part;
    struct json id = json_member(block, "id"), name = json_member(block, "name");
    if (id.type != JSON_STRING || name.type != JSON_STRING)
        return no_word(r, "messages", "tool_use must have an id and a name.");
    int rc = add_part(r, message, NEUTRAL_CALL, &part);
    if (rc)
        return rc;
    part->id = id.raw;
    part->name = name.raw;
    part->input = (struct neutral_json){neutral_object(json_member(block, "input")), false};
    return 0;
}

static int check_said(struct reading *r, struct json content)
{
    struct json block;
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &block);) {
        struct json type = json_member(block, "type");
        if (!json_string_is(type, "text") && !json_string_is(type, "image"))
            return no_word(r, "messages",
                           "Of a tool's result, text and images can be translated for this model.");
    }
    return 0;
}

static int add_result(struct reading *r, struct message *message, struct json block)
{
    struct neutral_part *part;
    struct json id = json_member(block, "tool_use_id"), content = json_member(block, "content");
    if (id.type != JSON_STRING)
        return no_word(r, "messages", "tool_result must have a tool_use_id.");
    int rc = check_said(r, content);
    if (!rc)
        rc = add_part(r, message, NEUTRAL_RESULT, &part);
    if (rc)
        return rc;
    part->id = id.raw;
    part->failed = json_member(block, "is_error").type == JSON_TRUE;
    if (content.type == JSON_STRING)
        part->text = content.raw;
    else
        rc = neutral_join_texts(r->request, content, &part->text);
    return rc;
}

/* Elsewhere a tool says text: its images follow as the user's. */
static int add_result_images(struct reading *r, struct message *message, struct json block)
{
    struct json content = json_member(block, "content"), inner;
    int rc = 0;
    for (size_t at = 0; !rc && content.type == JSON_ARRAY && json_next(content, &at, NULL, &inner);)
        if (json_string_is(json_member(inner, "type"), "image"))
            rc = add_image(r, message, inner);
    return rc;
}

static int read_block(struct reading *r, struct message *message, struct json block)
{
    struct json type = json_member(block, "type");
    if (json_string_is(type, "text"))
        return add_text(r, message, json_member(block, "text"));
    if (json_string_is(type, "image"))
        return add_image(r, message, block);
    if (json_string_is(type, "tool_use"))
        return add_call(r, message, block);
    if (json_string_is(type, "thinking"))
        return add_thinking(r, message, block);
    if (json_string_is(type, "tool_result"))
        return add_result_images(r, message, block);
    struct json source = json_member(block, "source");
    if (json_string_is(type, "document") && json_string_is(json_member(source, "type"), "text"))
        return add_text(r, message, json_member(source, "data"));
    if (json_string_is(type, "redacted_thinking"))
        return 0;
    return no_word(r, "messages",
                   "Of a message's blocks, text, images, thinking and tools of the caller's own "
                   "can be translated for this model; documents and others cannot.");
}

/* Results first: what they answer stands right before the message. */
static int read_results(struct reading *r, struct message *message, struct json content)
{
    struct json block;
    int rc = 0;
    for (size_t at = 0; !rc && json_next(content, &at, NULL, &block);)
        if (json_string_is(json_member(block, "type"), "tool_result"))
            rc = add_result(r, message, block);
    return rc;
}

static int read_content(struct reading *r, struct message *message, struct json content)
{
    struct json block;
    if (content.type == JSON_STRING)
        return add_text(r, message, content);
    if (content.type != JSON_ARRAY)
        return no_word(r, "messages", "A message's content must be a string or an array.");
    int rc = read_results(r, message, content);
    for (size_t at = 0; !rc && json_next(content, &at, NULL, &block);)
        rc = read_block(r, message, block);
    return rc;
}

static int read_messages(struct reading *r, struct json value)
{
    struct json whole;
    int rc = 0;
    for (size_t at = 0; !rc && json_next(value, &at, NULL, &whole);) {
        struct json role = json_member(whole, "role");
        struct message message = {NEUTRAL_USER, false};
        if (json_string_is(role, "assistant"))
            message.role = NEUTRAL_ASSISTANT;
        else if (json_string_is(role, "system"))
            message.role = NEUTRAL_SYSTEM;
        else if (!json_string_is(role, "user"))
            return no_word(r, "messages", "Roles are user, assistant and system.");
        rc = read_content(r, &message, json_member(whole, "content"));
    }
    return rc;
}

/* ---- Members are read ------------------------------------------------------------------------ */

static int read_tools(struct reading *r, struct json value)
{
    struct json tool;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);) {
        struct json type = json_member(tool, "type"), name = json_member(tool, "name");
        struct neutral_tool *kept;
        if ((type.type == JSON_STRING && !json_string_is(type, "custom")) ||
            name.type != JSON_STRING)
            return no_word(r, "tools", "Tools of Anthropic's own cannot be translated.");
        int rc = no_room(r, neutral_add_tool(r->request, &kept));
        if (rc)
            return rc;
        kept->name = name.raw;
        kept->description = neutral_string(json_member(tool, "description"));
        kept->schema = neutral_object(json_member(tool, "input_schema"));
        kept->strict = json_member(tool, "strict").type == JSON_TRUE;
    }
    return 0;
}

static int read_tool_choice(struct reading *r, struct json value)
{
    struct neutral_request *request = r->request;
    struct json type = json_member(value, "type");
    request->one_call = json_member(value, "disable_parallel_tool_use").type == JSON_TRUE;
    request->choice_name = neutral_string(json_member(value, "name"));
    if (!neutral_given(value) || json_string_is(type, "auto"))
        request->choice = NEUTRAL_AUTO;
    else if (json_string_is(type, "none"))
        request->choice = NEUTRAL_NONE;
    else if (json_string_is(type, "any"))
        request->choice = NEUTRAL_REQUIRED;
    else if (json_string_is(type, "tool") && request->choice_name.len)
        request->choice = NEUTRAL_NAMED;
    else
        return no_word(r, "tool_choice", "tool_choice is auto, any, none or a tool.");
    return 0;
}

static int read_thinking(struct reading *r, struct json value)
{
    struct json type = json_member(value, "type");
    int64_t budget;
    if (json_string_is(type, "disabled"))
        r->request->thinking_max = -1;
    else if (!json_integer(json_member(value, "budget_tokens"), &budget) && budget > 0)
        r->request->thinking_max = budget;
    return 0;
}

static int read_format(struct reading *r, struct json value)
{
    struct json schema = json_member(value, "schema");
    if (!neutral_given(value))
        return 0;
    if (!json_string_is(json_member(value, "type"), "json_schema") || schema.type != JSON_OBJECT)
        return no_word(r, "output_config", "A format is json_schema, with a schema.");
    r->request->shape = NEUTRAL_SCHEMA;
    r->request->shape_schema = schema.raw;
    r->request->shape_strict = true;
    return 0;
}

static int read_config(struct reading *r, struct json value)
{
    struct json effort = json_member(value, "effort");
    /* The word above high is another one with everybody. */
    r->request->effort =
        json_string_is(effort, "max") ? SLICE_LITERAL("\"high\"") : neutral_string(effort);
    return read_format(r, json_member(value, "format"));
}

static int read_bound(struct reading *r, struct json value)
{
    int64_t bound;
    if (!json_integer(value, &bound) && bound > 0)
        r->request->output_max = bound;
    return 0;
}

static int read_model(struct reading *r, struct json value)
{
    if (value.type == JSON_STRING && !memchr(value.raw.data, '\\', value.raw.len))
        r->request->model = slice_part(value.raw, 1, value.raw.len - 2);
    return 0;
}

static int read_system(struct reading *r, struct json value)
{
    struct message message = {NEUTRAL_SYSTEM, false};
    return neutral_given(value) ? read_content(r, &message, value) : 0;
}

static int read_stream(struct reading *r, struct json value)
{
    r->request->stream = value.type == JSON_TRUE;
    return 0;
}

static int read_metadata(struct reading *r, struct json value)
{
    r->request->user = neutral_string(json_member(value, "user_id"));
    return 0;
}

static int read_temperature(struct reading *r, struct json value)
{
    r->request->temperature = neutral_number(value);
    return 0;
}

static int read_top_p(struct reading *r, struct json value)
{
    r->request->top_p = neutral_number(value);
    return 0;
}

static int read_top_k(struct reading *r, struct json value)
{
    r->request->top_k = neutral_number(value);
    return 0;
}

static int read_stop(struct reading *r, struct json value)
{
    struct json one;
    size_t at = 0;
    while (value.type == JSON_ARRAY && json_next(value, &at, NULL, &one))
        if (one.type != JSON_STRING)
            return no_word(r, "stop_sequences", "stop_sequences must be strings.");
    at = 0;
    if (value.type == JSON_ARRAY && json_next(value, &at, NULL, &one))
        r->request->stop = value.raw;
    return 0;
}

static int refuse_servers(struct reading *r, struct json value)
{
    return neutral_given(value) ? no_word(r, "mcp_servers", "MCP servers cannot be translated.")
                                : 0;
}

static int refuse_container(struct reading *r, struct json value)
{
    return neutral_given(value) ? no_word(r, "container", "A container cannot be translated.") : 0;
}

static int read_member(struct reading *r, struct json key, struct json value)
{
    static const struct {
        const char *name;
        int (*read)(struct reading *r, struct json value);
    } members[] = {
        {"model", read_model},
        {"messages", read_messages},
        {"max_tokens", read_bound},
        {"stream", read_stream},
        {"tools", read_tools},
        {"tool_choice", read_tool_choice},
        {"thinking", read_thinking},
        {"output_config", read_config},
        {"output_format", read_format},
        {"metadata", read_metadata},
        {"temperature", read_temperature},
        {"top_p", read_top_p},
        {"top_k", read_top_k},
        {"stop_sequences", read_stop},
        {"mcp_servers", refuse_servers},
        {"container", refuse_container},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_string_is(key, members[i].name))
            return members[i].read(r, value);
    return 0;
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct neutral_request *ret_request, struct dialect_error *ret_error)
{
    struct reading r = {ret_request, ret_error};
    struct json whole, key, value;
    (void)target;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT ||
        json_member(whole, "messages").type != JSON_ARRAY)
        return no_word(&r, "messages", "The body is not a JSON object with messages.");
    int rc = read_system(&r, json_member(whole, "system"));
    for (size_t at = 0; !rc && json_next(whole, &at, &key, &value);)
        rc = read_member(&r, key, value);
    return rc;
}

/* ---- Messages are written -------------------------------------------------------------------- */

static void put_image(struct json_put *put, const struct neutral_part *part)
{
    json_put_text(put, "{\"type\":\"image\",\"source\":{\"type\":");
    if (part->url.len) {
        json_put_text(put, "\"url\",\"url\":");
        json_put_raw(put, part->url);
    } else {
        json_put_text(put, "\"base64\",\"media_type\":\"");
        json_put_raw(put, part->media_type);
        json_put_text(put, "\",\"data\":\"");
        json_put_raw(put, part->data);
        json_put_text(put, "\"");
    }
    json_put_text(put, "}}");
}

static void put_text(struct json_put *put, struct slice text)
{
    json_put_text(put, "{\"type\":\"text\",\"text\":");
    json_put_raw(put, text);
    json_put_text(put, "}");
}

int messages_write_input(struct buffer *out, struct neutral_json input)
{
    int rc = neutral_write_object(out, input);
    struct json_put put = {out, 0};
    if (rc != METE_E_SYNTAX)
        return rc;
    json_put_text(&put, "{\"INVALID_JSON\":");
    if (!put.rc)
        put.rc = neutral_write_piece(out, input);
    json_put_text(&put, "}");
    return put.rc;
}

static void put_call(struct json_put *put, const struct neutral_part *part)
{
    json_put_text(put, "{\"type\":\"tool_use\",\"id\":");
    json_put_raw(put, part->id);
    json_put_text(put, ",\"name\":");
    json_put_raw(put, part->name);
    json_put_text(put, ",\"input\":");
    if (!put->rc)
        put->rc = messages_write_input(put->out, part->input);
    json_put_text(put, "}");
}

static void put_block(struct json_put *put, const struct neutral_part *part)
{
    switch (part->kind) {
    case NEUTRAL_TEXT:
        put_text(put, part->text);
        break;
    case NEUTRAL_IMAGE:
        put_image(put, part);
        break;
    case NEUTRAL_THINKING:
        json_put_text(put, "{\"type\":\"thinking\",\"thinking\":");
        json_put_raw(put, part->text);
        json_put_text(put, ",\"signature\":");
        json_put_raw(put, part->signature);
        json_put_text(put, "}");
        break;
    case NEUTRAL_CALL:
        put_call(put, part);
        break;
    case NEUTRAL_RESULT:
        json_put_text(put, "{\"type\":\"tool_result\",\"tool_use_id\":");
        json_put_raw(put, part->id);
        json_put_text(put, ",\"content\":");
        json_put_raw(put, part->text.len ? part->text : SLICE_LITERAL("\"\""));
        json_put_text(put, part->failed ? ",\"is_error\":true}" : "}");
        break;
    }
}

/* Whether a part is written at all. */
static bool speaks(const struct neutral_part *part)
{
    if (part->kind == NEUTRAL_TEXT)
        return part->text.len > 2;
    return part->kind != NEUTRAL_THINKING || messages_is_signed(part);
}

/* Whether a part is a block of a message of that side. */
static bool is_block(const struct neutral_part *part, bool assistant)
{
    return part->role != NEUTRAL_SYSTEM && (part->role == NEUTRAL_ASSISTANT) == assistant &&
           speaks(part);
}

/* Parts of one side from here on, and what is not written between them. */
static size_t turn_len(const struct neutral_request *request, size_t from, bool assistant)
{
    size_t to = from;
    while (to < request->parts_len && !is_block(&request->parts[to], !assistant))
        to++;
    return to - from;
}

/* Results before everything else: Anthropic takes them nowhere else. */
static void put_turn(struct json_put *put, const struct neutral_part *parts, size_t len,
                     bool assistant)
{
    bool any = false;
    json_put_text(put, assistant ? "{\"role\":\"assistant\",\"content\":["
                                 : "{\"role\":\"user\",\"content\":[");
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < len; i++) {
            if (!is_block(&parts[i], assistant) || (parts[i].kind == NEUTRAL_RESULT) == pass)
                continue;
            json_put_text(put, any ? "," : "");
            put_block(put, &parts[i]);
            any = true;
        }
    }
    json_put_text(put, "]}");
}

static void put_messages(struct json_put *put, const struct neutral_request *request)
{
    bool any = false, assistant = false;
    json_put_text(put, ",\"messages\":[");
    for (size_t at = 0; at < request->parts_len;) {
        size_t len = turn_len(request, at, assistant);
        bool said = false;
        for (size_t i = at; i < at + len; i++)
            said = said || is_block(&request->parts[i], assistant);
        if (said) {
            json_put_text(put, any ? "," : "");
            put_turn(put, request->parts + at, len, assistant);
            any = true;
        }
        at += len;
        assistant = !assistant;
    }
    json_put_text(put, "]");
}

static void put_system(struct json_put *put, const struct neutral_request *request)
{
    bool any = false;
    for (size_t i = 0; i < request->parts_len; i++) {
        const struct neutral_part *part = &request->parts[i];
        if (part->role != NEUTRAL_SYSTEM || part->kind != NEUTRAL_TEXT || !speaks(part))
            continue;
        json_put_text(put, any ? "," : ",\"system\":[");
        put_text(put, part->text);
        any = true;
    }
    if (any)
        json_put_text(put, "]");
}

/* ---- Members are written --------------------------------------------------------------------- */

static void put_member(struct json_put *put, const char *name, struct slice raw)
{
    if (!put->rc)
        put->rc = neutral_write_member(put->out, name, raw);
}

static void put_tools(struct json_put *put, const struct neutral_request *request)
{
    for (size_t i = 0; i < request->tools_len; i++) {
        const struct neutral_tool *tool = &request->tools[i];
        json_put_text(put, i ? ",{\"name\":" : ",\"tools\":[{\"name\":");
        json_put_raw(put, tool->name);
        put_member(put, "description", tool->description);
        put_member(put, "input_schema",
                   tool->schema.len ? tool->schema : SLICE_LITERAL("{\"type\":\"object\"}"));
        json_put_text(put, tool->strict ? ",\"strict\":true}" : "}");
    }
    if (request->tools_len)
        json_put_text(put, "]");
}

static void put_choice(struct json_put *put, const struct neutral_request *request)
{
    static const char *const words[] = {
        [NEUTRAL_AUTO] = "auto",
        [NEUTRAL_NONE] = "none",
        [NEUTRAL_REQUIRED] = "any",
        [NEUTRAL_NAMED] = "tool",
    };
    bool one = request->one_call && request->choice != NEUTRAL_NONE;
    if (!request->tools_len || (request->choice == NEUTRAL_AUTO && !one))
        return;
    json_put_text(put, ",\"tool_choice\":{\"type\":\"");
    json_put_text(put, words[request->choice]);
    json_put_text(put, "\"");
    if (request->choice == NEUTRAL_NAMED)
        put_member(put, "name", request->choice_name);
    json_put_text(put, one ? ",\"disable_parallel_tool_use\":true}" : "}");
}

static void put_stop(struct json_put *put, struct slice stop)
{
    if (!stop.len)
        return;
    bool one = stop.data[0] == '"';
    json_put_text(put, one ? ",\"stop_sequences\":[" : ",\"stop_sequences\":");
    json_put_raw(put, stop);
    json_put_text(put, one ? "]" : "");
}

/* OpenAI's scale goes to 2, Anthropic's to 1. */
static struct slice capped(struct slice number)
{
    int128 millionths;
    int rc = number.len ? decimal_parse128(number, 6, true, &millionths) : METE_E_SYNTAX;
    bool over = rc == METE_E_TOO_LARGE || (!rc && millionths > 1000000);
    return over ? SLICE_LITERAL("1") : number;
}

static void put_config(struct json_put *put, const struct neutral_request *request)
{
    const char *effort = messages_effort(request);
    bool shaped = request->shape == NEUTRAL_SCHEMA;
    if (!effort && !shaped)
        return;
    json_put_text(put, ",\"output_config\":{");
    if (shaped) {
        json_put_text(put, "\"format\":{\"type\":\"json_schema\"");
        put_member(put, "schema", request->shape_schema);
        json_put_text(put, effort ? "}," : "}");
    }
    if (effort) {
        json_put_text(put, "\"effort\":\"");
        json_put_text(put, effort);
        json_put_text(put, "\"");
    }
    json_put_text(put, "}");
}

static void put_tuning(struct json_put *put, const struct neutral_request *request)
{
    int64_t budget = messages_budget(request);
    if (budget) {
        json_put_text(put, ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":");
        json_put_number(put, budget);
        json_put_text(put, "}");
        return;
    }
    if (messages_effort(request)) {
        json_put_text(put, ",\"thinking\":{\"type\":\"adaptive\"}");
        return;
    }
    put_member(put, "temperature", capped(request->temperature));
    put_member(put, "top_p", request->top_p);
    put_member(put, "top_k", request->top_k);
}

static int write_request(const struct neutral_request *request, struct buffer *out,
                         struct dialect_error *ret_error)
{
    struct json_put put = {out, 0};
    struct reading r = {.error = ret_error};
    if (request->shape == NEUTRAL_OBJECT)
        return no_word(&r, "response_format",
                       "This model gives JSON only by a schema: use json_schema.");
    json_put_text(&put, "{\"model\":");
    json_put_quoted(&put, request->model);
    if (request->output_max) {
        json_put_text(&put, ",\"max_tokens\":");
        json_put_number(&put, request->output_max);
    }
    if (request->stream)
        json_put_text(&put, ",\"stream\":true");
    put_system(&put, request);
    put_messages(&put, request);
    put_tools(&put, request);
    put_choice(&put, request);
    put_config(&put, request);
    put_tuning(&put, request);
    put_stop(&put, request->stop);
    if (request->user.len) {
        json_put_text(&put, ",\"metadata\":{\"user_id\":");
        json_put_raw(&put, request->user);
        json_put_text(&put, "}");
    }
    json_put_text(&put, "}");
    return put.rc;
}

const struct dialect_neutral messages_neutral = {
    .read_request = read_request,
    .write_request = write_request,
    .read_answer = messages_read_whole,
    .read_event = messages_read_delta,
    .read_error = chat_read_error,
    .write_delta = messages_write_delta,
    .write_answer = messages_write_answer,
};
