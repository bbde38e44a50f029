/* SPDX-License-Identifier: Apache-2.0
 * Chat requests read into the neutral form, and written from it.
 *
 *   system, developer   SYSTEM        content: one text, or parts: text, image_url, refusal
 *   user                USER          tool_calls: a CALL each, behind the message's text
 *   assistant           ASSISTANT     reasoning_content: THINKING, before it
 *   tool                TOOL          a RESULT; its parts' texts are joined
 *
 * REFUSED when read, by name: what asks for another answer than a chat of one choice, and has no
 * word elsewhere: n > 1, logprobs, audio, files, functions (tools are their newer name), tools that
 * are no functions, searches. LEFT OUT: what tunes, names or stores (logit_bias, seed's kin,
 * prediction, verbosity, metadata, store, service_tier, an image's detail). Members nobody knows
 * are left out too: an answer must not depend on what the other format cannot say.
 * WRITTEN: thinking of earlier turns is not (providers do not take it back); whether a tool failed
 * is not (its text says so). */
#include "dialect/chat.h"
#include "dialect/json_put.h"
#include "dialect/neutral.h"

struct reading {
    struct neutral_request *request;
    struct dialect_error *error;
};

static int fault(struct reading *r, const char *param, const char *message)
{
    *r->error =
        (struct dialect_error){400, "invalid_request_error", "invalid_value", param, message, {0}};
    return METE_E_INVALID;
}

static int no_word(struct reading *r, const char *param, const char *message)
{
    *r->error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    return METE_E_INVALID;
}

static int no_room(struct reading *r, int rc)
{
    if (rc == METE_E_TOO_LARGE)
        return fault(r, "messages", "The request has too many parts to be translated.");
    return rc;
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
    (*ret_part)->role = message->role;
    (*ret_part)->kind = kind;
    (*ret_part)->begins = !message->begun;
    message->begun = true;
    return 0;
}

static int add_text(struct reading *r, struct message *message, enum neutral_kind kind,
                    struct json text)
{
    struct neutral_part *part;
    if (text.type != JSON_STRING)
        return fault(r, "messages", "A text must be a string.");
    int rc = add_part(r, message, kind, &part);
    if (!rc)
        part->text = text.raw;
    return rc;
}

static int add_image(struct reading *r, struct message *message, struct json image)
{
    struct neutral_part *part;
    struct json url = image.type == JSON_OBJECT ? json_member(image, "url") : image;
    if (message->role != NEUTRAL_USER)
        return no_word(r, "messages", "Only a user's message can have images.");
    if (url.type != JSON_STRING)
        return fault(r, "messages", "image_url must have a url.");
    int rc = add_part(r, message, NEUTRAL_IMAGE, &part);
    if (rc || neutral_read_data_url(url.raw, part))
        return rc;
    if (!slice_starts(url.raw, SLICE_LITERAL("\"http")))
        return fault(r, "messages", "An image's url must be http(s), or base64 in a data URL.");
    part->url = url.raw;
    return 0;
}

static int read_part(struct reading *r, struct message *message, struct json part)
{
    if (part.type == JSON_STRING)
        return add_text(r, message, NEUTRAL_TEXT, part);
    struct json type = json_member(part, "type");
    if (json_string_is(type, "text"))
        return add_text(r, message, NEUTRAL_TEXT, json_member(part, "text"));
    if (json_string_is(type, "refusal"))
        return add_text(r, message, NEUTRAL_TEXT, json_member(part, "refusal"));
    if (json_string_is(type, "image_url"))
        return add_image(r, message, json_member(part, "image_url"));
    return no_word(r, "messages",
                   "Of a message's parts, text and images can be translated for this model; "
                   "audio, files and others cannot.");
}

static int read_content(struct reading *r, struct message *message, struct json content)
{
    struct json part;
    if (content.type == JSON_STRING)
        return add_text(r, message, NEUTRAL_TEXT, content);
    if (content.type == JSON_NULL || content.type == JSON_NONE)
        return 0;
    if (content.type != JSON_ARRAY)
        return fault(r, "messages", "A message's content must be a string or an array.");
    int rc = 0;
    for (size_t at = 0; !rc && json_next(content, &at, NULL, &part);)
        rc = read_part(r, message, part);
    return rc;
}

static int read_call(struct reading *r, struct message *message, struct json call)
{
    struct neutral_part *part;
    struct json function = json_member(call, "function");
    struct json id = json_member(call, "id"), name = json_member(function, "name");
    struct json arguments = json_member(function, "arguments");
    if (id.type != JSON_STRING || name.type != JSON_STRING)
        return no_word(r, "messages", "A tool call must be of a function, with an id and a name.");
    if (arguments.type != JSON_NONE && arguments.type != JSON_STRING)
        return fault(r, "messages", "A tool call's arguments must be a string.");
    int rc = add_part(r, message, NEUTRAL_CALL, &part);
    if (rc)
        return rc;
    part->id = id.raw;
    part->name = name.raw;
    part->input = (struct neutral_json){neutral_string(arguments), true};
    return 0;
}

static int read_assistant(struct reading *r, struct json whole)
{
    struct message message = {NEUTRAL_ASSISTANT, false};
    struct json thinking = json_member(whole, "reasoning_content"), call;
    struct json calls = json_member(whole, "tool_calls"), refusal = json_member(whole, "refusal");
    if (neutral_given(json_member(whole, "function_call")))
        return no_word(r, "messages", "function_call cannot be translated: use tool_calls.");
    int rc = 0;
    if (thinking.type == JSON_STRING && thinking.raw.len > 2)
        rc = add_text(r, &message, NEUTRAL_THINKING, thinking);
    if (!rc)
        rc = read_content(r, &message, json_member(whole, "content"));
    if (!rc && refusal.type == JSON_STRING)
        rc = add_text(r, &message, NEUTRAL_TEXT, refusal);
    for (size_t at = 0; !rc && calls.type == JSON_ARRAY && json_next(calls, &at, NULL, &call);)
        rc = read_call(r, &message, call);
    return rc;
}

static int read_result(struct reading *r, struct json whole)
{
    struct message message = {NEUTRAL_TOOL, false};
    struct neutral_part *part;
    struct json id = json_member(whole, "tool_call_id"), content = json_member(whole, "content");
    if (id.type != JSON_STRING)
        return fault(r, "messages", "A tool's message must have a tool_call_id.");
    int rc = add_part(r, &message, NEUTRAL_RESULT, &part);
    if (rc)
        return rc;
    part->id = id.raw;
    part->name = neutral_string(json_member(whole, "name"));
    if (content.type == JSON_STRING)
        part->text = content.raw;
    else
        rc = neutral_join_texts(r->request, content, &part->text);
    return rc;
}

static int read_message(struct reading *r, struct json whole)
{
    struct json role = json_member(whole, "role");
    struct message message = {NEUTRAL_USER, false};
    if (json_string_is(role, "assistant"))
        return read_assistant(r, whole);
    if (json_string_is(role, "tool"))
        return read_result(r, whole);
    if (json_string_is(role, "system") || json_string_is(role, "developer"))
        message.role = NEUTRAL_SYSTEM;
    else if (!json_string_is(role, "user"))
        return no_word(r, "messages",
                       "Roles that can be translated are system, developer, user, "
                       "assistant and tool.");
    return read_content(r, &message, json_member(whole, "content"));
}

static int read_messages(struct reading *r, struct json value)
{
    struct json message;
    int rc = 0;
    for (size_t at = 0; !rc && json_next(value, &at, NULL, &message);)
        rc = read_message(r, message);
    return rc;
}

/* ---- Members are read ------------------------------------------------------------------------ */

static int read_tools(struct reading *r, struct json value)
{
    struct json tool;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);) {
        struct json function = json_member(tool, "function");
        struct json name = json_member(function, "name");
        struct json schema = json_member(function, "parameters");
        struct neutral_tool *kept;
        if (!json_string_is(json_member(tool, "type"), "function") || name.type != JSON_STRING)
            return no_word(r, "tools", "Only tools that are functions can be translated.");
        int rc = no_room(r, neutral_add_tool(r->request, &kept));
        if (rc)
            return rc;
        kept->name = name.raw;
        kept->description = neutral_string(json_member(function, "description"));
        kept->schema = schema.type == JSON_OBJECT ? schema.raw : (struct slice){0};
        kept->strict = json_member(function, "strict").type == JSON_TRUE;
    }
    return 0;
}

static int read_tool_choice(struct reading *r, struct json value)
{
    struct neutral_request *request = r->request;
    struct json name = json_member(json_member(value, "function"), "name");
    if (value.type == JSON_NULL || json_string_is(value, "auto"))
        request->choice = NEUTRAL_AUTO;
    else if (json_string_is(value, "none"))
        request->choice = NEUTRAL_NONE;
    else if (json_string_is(value, "required"))
        request->choice = NEUTRAL_REQUIRED;
    else if (json_string_is(json_member(value, "type"), "function") && name.type == JSON_STRING)
        request->choice = NEUTRAL_NAMED;
    else
        return no_word(r, "tool_choice",
                       "tool_choice that can be translated is none, auto, required or a function.");
    request->choice_name = request->choice == NEUTRAL_NAMED ? name.raw : (struct slice){0};
    return 0;
}

static int read_format(struct reading *r, struct json value)
{
    struct neutral_request *request = r->request;
    struct json type = json_member(value, "type"), schema = json_member(value, "json_schema");
    if (value.type == JSON_NULL || json_string_is(type, "text")) {
        request->shape = NEUTRAL_ANY;
    } else if (json_string_is(type, "json_object")) {
        request->shape = NEUTRAL_OBJECT;
    } else if (json_string_is(type, "json_schema") &&
               json_member(schema, "schema").type == JSON_OBJECT) {
        request->shape = NEUTRAL_SCHEMA;
        request->shape_name = neutral_string(json_member(schema, "name"));
        request->shape_schema = json_member(schema, "schema").raw;
        request->shape_strict = json_member(schema, "strict").type == JSON_TRUE;
    } else {
        return no_word(r, "response_format",
                       "response_format that can be translated is text, json_object, or "
                       "json_schema with a schema.");
    }
    return 0;
}

static int read_stop(struct reading *r, struct json value)
{
    struct json one;
    if (value.type == JSON_NULL)
        return 0;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);)
        if (one.type != JSON_STRING)
            return fault(r, "stop", "stop must be a string or an array of strings.");
    if (value.type != JSON_ARRAY && value.type != JSON_STRING)
        return fault(r, "stop", "stop must be a string or an array of strings.");
    r->request->stop = value.raw;
    return 0;
}

static int read_bound(struct reading *r, struct json value)
{
    int64_t bound;
    if (value.type != JSON_NULL && !json_integer(value, &bound) && bound > 0)
        r->request->output_max = bound;
    return 0;
}

static int read_choices(struct reading *r, struct json value)
{
    int64_t choices;
    if (value.type != JSON_NULL && (json_integer(value, &choices) || choices != 1))
        return no_word(r, "n", "More than one choice cannot be had from this model.");
    return 0;
}

static int read_effort(struct reading *r, struct json value)
{
    r->request->effort = neutral_string(value);
    r->request->thinking_max = json_string_is(value, "none") ? -1 : 0;
    return 0;
}

static int read_model(struct reading *r, struct json value)
{
    if (value.type == JSON_STRING && !memchr(value.raw.data, '\\', value.raw.len))
        r->request->model = slice_part(value.raw, 1, value.raw.len - 2);
    return 0;
}

static int read_number(struct reading *r, struct json key, struct json value)
{
    struct neutral_request *request = r->request;
    if (CHAT_KEY_IS(key, "temperature"))
        request->temperature = neutral_number(value);
    else if (CHAT_KEY_IS(key, "top_p"))
        request->top_p = neutral_number(value);
    else if (CHAT_KEY_IS(key, "top_k"))
        request->top_k = neutral_number(value);
    else if (CHAT_KEY_IS(key, "seed"))
        request->seed = neutral_number(value);
    else if (CHAT_KEY_IS(key, "presence_penalty"))
        request->presence_penalty = neutral_number(value);
    else if (CHAT_KEY_IS(key, "frequency_penalty"))
        request->frequency_penalty = neutral_number(value);
    return 0;
}

static int read_word(struct reading *r, struct json key, struct json value)
{
    struct neutral_request *request = r->request;
    if (CHAT_KEY_IS(key, "stream"))
        request->stream = value.type == JSON_TRUE;
    else if (CHAT_KEY_IS(key, "user"))
        request->user = neutral_string(value);
    else if (CHAT_KEY_IS(key, "parallel_tool_calls"))
        request->one_call = value.type == JSON_FALSE;
    else
        return read_number(r, key, value);
    return 0;
}

/* What would change the answer, and has no word elsewhere. */
static int refuse(struct reading *r, struct json key, struct json value)
{
    static const struct {
        const char *name, *message;
    } refused[] = {
        {"logprobs", "Log probabilities cannot be had from this model."},
        {"top_logprobs", "Log probabilities cannot be had from this model."},
        {"audio", "Audio cannot be had from this model."},
        {"functions", "functions cannot be translated: use tools."},
        {"function_call", "function_call cannot be translated: use tool_choice."},
        {"web_search_options", "Searches cannot be translated for this model."},
        {"search_parameters", "Searches cannot be translated for this model."},
        {"plugins", "Plugins cannot be translated for this model."},
        {"models", "A list of other models cannot be translated: name one in model."},
    };
    for (size_t i = 0; neutral_given(value) && i < sizeof refused / sizeof refused[0]; i++)
        if (json_string_is(key, refused[i].name))
            return no_word(r, refused[i].name, refused[i].message);
    return read_word(r, key, value);
}

static int read_member(struct reading *r, struct json key, struct json value)
{
    static const struct {
        const char *name;
        int (*read)(struct reading *r, struct json value);
    } members[] = {
        {"model", read_model},
        {"messages", read_messages},
        {"tools", read_tools},
        {"tool_choice", read_tool_choice},
        {"response_format", read_format},
        {"stop", read_stop},
        {"max_tokens", read_bound},
        {"max_completion_tokens", read_bound},
        {"n", read_choices},
        {"best_of", read_choices},
        {"reasoning_effort", read_effort},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_string_is(key, members[i].name))
            return members[i].read(r, value);
    return refuse(r, key, value);
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct neutral_request *ret_request, struct dialect_error *ret_error)
{
    struct reading r = {ret_request, ret_error};
    struct json whole, key, value;
    (void)target;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return fault(&r, NULL, "The body is not a JSON object.");
    int rc = 0;
    for (size_t at = 0; !rc && json_next(whole, &at, &key, &value);)
        rc = read_member(&r, key, value);
    if (!rc && json_member(whole, "messages").type != JSON_ARRAY)
        rc = fault(&r, "messages", "messages must be an array.");
    return rc;
}

/* ---- Messages are written -------------------------------------------------------------------- */

static void put_image(struct json_put *put, const struct neutral_part *part)
{
    json_put_text(put, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
    if (part->url.len) {
        json_put_raw(put, part->url);
    } else {
        json_put_text(put, "\"data:");
        json_put_raw(put, part->media_type);
        json_put_text(put, ";base64,");
        json_put_raw(put, part->data);
        json_put_text(put, "\"");
    }
    json_put_text(put, "}}");
}

static void put_content_part(struct json_put *put, const struct neutral_part *part)
{
    if (part->kind == NEUTRAL_IMAGE) {
        put_image(put, part);
        return;
    }
    json_put_text(put, "{\"type\":\"text\",\"text\":");
    json_put_raw(put, part->text);
    json_put_text(put, "}");
}

static bool is_content(const struct neutral_part *part)
{
    return part->kind == NEUTRAL_TEXT || part->kind == NEUTRAL_IMAGE;
}

/* "content" of a message's parts: a string where one text is all. */
static void put_content(struct json_put *put, const struct neutral_part *parts, size_t len)
{
    const struct neutral_part *only = NULL;
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += is_content(&parts[i]);
        only = is_content(&parts[i]) ? &parts[i] : only;
    }
    json_put_text(put, ",\"content\":");
    if (!count || (count == 1 && only->kind == NEUTRAL_TEXT)) {
        bool calls = len && parts[0].role == NEUTRAL_ASSISTANT;
        json_put_raw(put, count ? only->text : slice_of(calls ? "null" : "\"\""));
        return;
    }
    const char *before = "[";
    for (size_t i = 0; i < len; i++) {
        if (!is_content(&parts[i]))
            continue;
        json_put_text(put, before);
        put_content_part(put, &parts[i]);
        before = ",";
    }
    json_put_text(put, "]");
}

static void put_calls(struct json_put *put, const struct neutral_part *parts, size_t len)
{
    bool any = false;
    for (size_t i = 0; i < len; i++) {
        if (parts[i].kind != NEUTRAL_CALL)
            continue;
        json_put_text(put, any ? "," : ",\"tool_calls\":[");
        any = true;
        json_put_text(put, "{\"id\":");
        json_put_raw(put, parts[i].id);
        json_put_text(put, ",\"type\":\"function\",\"function\":{\"name\":");
        json_put_raw(put, parts[i].name);
        json_put_text(put, ",\"arguments\":");
        if (!put->rc)
            put->rc = neutral_write_quoted(put->out, parts[i].input);
        json_put_text(put, "}}");
    }
    if (any)
        json_put_text(put, "]");
}

static void put_result(struct json_put *put, const struct neutral_part *part)
{
    json_put_text(put, "{\"role\":\"tool\",\"tool_call_id\":");
    json_put_raw(put, part->id);
    json_put_text(put, ",\"content\":");
    json_put_raw(put, part->text.len ? part->text : SLICE_LITERAL("\"\""));
    json_put_text(put, "}");
}

static void put_message(struct json_put *put, const struct neutral_part *parts, size_t len)
{
    static const char *const roles[] = {
        [NEUTRAL_SYSTEM] = "system",
        [NEUTRAL_USER] = "user",
        [NEUTRAL_ASSISTANT] = "assistant",
        [NEUTRAL_TOOL] = "tool",
    };
    if (parts->kind == NEUTRAL_RESULT) {
        put_result(put, parts);
        return;
    }
    json_put_text(put, "{\"role\":\"");
    json_put_text(put, roles[parts->role]);
    json_put_text(put, "\"");
    put_content(put, parts, len);
    put_calls(put, parts, len);
    json_put_text(put, "}");
}

/* A message of thinking alone says nothing here. */
static bool only_thinks(const struct neutral_part *parts, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (parts[i].kind != NEUTRAL_THINKING)
            return false;
    return true;
}

int chat_write_messages(const struct neutral_request *request, struct buffer *out)
{
    struct json_put put = {out, 0};
    const char *before = "";
    json_put_text(&put, ",\"messages\":[");
    for (size_t at = 0, len; at < request->parts_len; at += len) {
        len = neutral_message_len(request, at);
        if (only_thinks(request->parts + at, len))
            continue;
        json_put_text(&put, before);
        put_message(&put, request->parts + at, len);
        before = ",";
    }
    json_put_text(&put, "]");
    return put.rc;
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
        json_put_text(put, i ? "," : ",\"tools\":[");
        json_put_text(put, "{\"type\":\"function\",\"function\":{\"name\":");
        json_put_raw(put, tool->name);
        put_member(put, "description", tool->description);
        put_member(put, "parameters", tool->schema);
        json_put_text(put, tool->strict ? ",\"strict\":true}}" : "}}");
    }
    if (request->tools_len)
        json_put_text(put, "]");
    if (request->tools_len && request->one_call)
        json_put_text(put, ",\"parallel_tool_calls\":false");
}

static void put_choice(struct json_put *put, const struct neutral_request *request)
{
    static const char *const words[] = {
        [NEUTRAL_AUTO] = "",
        [NEUTRAL_NONE] = ",\"tool_choice\":\"none\"",
        [NEUTRAL_REQUIRED] = ",\"tool_choice\":\"required\"",
        [NEUTRAL_NAMED] = ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":",
    };
    if (!request->tools_len)
        return;
    json_put_text(put, words[request->choice]);
    if (request->choice != NEUTRAL_NAMED)
        return;
    json_put_raw(put, request->choice_name);
    json_put_text(put, "}}");
}

static void put_format(struct json_put *put, const struct neutral_request *request)
{
    if (request->shape == NEUTRAL_OBJECT)
        json_put_text(put, ",\"response_format\":{\"type\":\"json_object\"}");
    if (request->shape != NEUTRAL_SCHEMA)
        return;
    json_put_text(put, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":");
    json_put_raw(put,
                 request->shape_name.len > 2 ? request->shape_name : SLICE_LITERAL("\"response\""));
    put_member(put, "schema", request->shape_schema);
    json_put_text(put, request->shape_strict ? ",\"strict\":true}}" : "}}");
}

/* The nearest word for so many tokens of reasoning. */
static struct slice effort_of(const struct neutral_request *request)
{
    if (request->effort.len || request->thinking_max <= 0)
        return request->effort;
    if (request->thinking_max <= CHAT_LOW_EFFORT)
        return SLICE_LITERAL("\"low\"");
    return request->thinking_max <= CHAT_MEDIUM_EFFORT ? SLICE_LITERAL("\"medium\"")
                                                       : SLICE_LITERAL("\"high\"");
}

static int write_request(const struct neutral_request *request, struct buffer *out,
                         struct dialect_error *ret_error)
{
    struct json_put put = {out, 0};
    (void)ret_error;
    json_put_text(&put, "{\"model\":");
    json_put_quoted(&put, request->model);
    if (!put.rc)
        put.rc = chat_write_messages(request, out);
    if (request->stream)
        json_put_text(&put, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    if (request->output_max) {
        json_put_text(&put,
                      request->newer_bound ? ",\"max_completion_tokens\":" : ",\"max_tokens\":");
        json_put_number(&put, request->output_max);
    }
    put_tools(&put, request);
    put_choice(&put, request);
    put_format(&put, request);
    put_member(&put, "temperature", request->temperature);
    put_member(&put, "top_p", request->top_p);
    put_member(&put, "seed", request->seed);
    put_member(&put, "presence_penalty", request->presence_penalty);
    put_member(&put, "frequency_penalty", request->frequency_penalty);
    put_member(&put, "stop", request->stop);
    put_member(&put, "user", request->user);
    put_member(&put, "reasoning_effort", effort_of(request));
    json_put_text(&put, "}");
    return put.rc;
}

const struct dialect_neutral chat_neutral = {
    .read_request = read_request,
    .write_request = write_request,
    .read_answer = chat_read_whole,
    .read_event = chat_read_delta,
    .read_error = chat_read_error,
    .write_delta = chat_write_delta,
    .write_answer = chat_write_answer,
};
