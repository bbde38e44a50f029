/* SPDX-License-Identifier: Apache-2.0
 * A chat of another format, asked of Bedrock's converse; and its answers read as deltas.
 *
 *   system     "system"                          a call      toolUse
 *   user, tool role "user"                       an answer   toolResult
 *   assistant  role "assistant"                  a schema    outputConfig.textFormat
 *
 * Roles must take turns here: what stands side by side of one role is one message. Blocks without
 * text are refused there, so they are left out.
 * LEFT OUT  top_k, seed, penalties, the user, a wish for one call at a time, thinking without a
 *   signature, thinking of models that are not Anthropic's, strict tools.
 * REFUSED   an image by its address, or of a type other than png, jpeg, gif and webp; JSON without
 *   a schema; "no tool now" where tools were used before (the tools must then be there). */
#include "dialect/converse.h"
#include "dialect/neutral_writing.h"

/* ---- Messages -------------------------------------------------------------------------------- */

static const char *format_of(struct slice media_type)
{
    static const struct {
        const char *type, *format;
    } formats[] = {{"image/png", "png"},
                   {"image/jpeg", "jpeg"},
                   {"image/jpg", "jpeg"},
                   {"image/gif", "gif"},
                   {"image/webp", "webp"}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (slice_is(media_type, formats[i].type))
            return formats[i].format;
    return NULL;
}

static void put_image(struct neutral_writing *w, const struct neutral_part *part)
{
    const char *format = part->url.len ? NULL : format_of(part->media_type);
    if (!format) {
        neutral_refuse(w, "messages",
                       part->url.len
                           ? "This provider does not fetch images: send the bytes instead."
                           : "This provider reads png, jpeg, gif and webp images.");
        return;
    }
    json_put_text(&w->put, "{\"image\":{\"format\":\"");
    json_put_text(&w->put, format);
    json_put_text(&w->put, "\",\"source\":{\"bytes\":\"");
    json_put_raw(&w->put, part->data);
    json_put_text(&w->put, "\"}}}");
}

static void put_call(struct neutral_writing *w, const struct neutral_part *part)
{
    json_put_text(&w->put, "{\"toolUse\":{\"toolUseId\":");
    json_put_raw(&w->put, part->id);
    neutral_put_member(w, "name", part->name);
    json_put_text(&w->put, ",\"input\":");
    if (!w->put.rc)
        w->put.rc = neutral_write_object(w->put.out, part->input);
    if (w->put.rc == METE_E_SYNTAX) {
        w->put.rc = 0;
        neutral_refuse(w, "messages", "The arguments of a tool call are not a JSON object.");
    }
    json_put_text(&w->put, "}}");
}

static void put_result(struct neutral_writing *w, const struct neutral_part *part)
{
    json_put_text(&w->put, "{\"toolResult\":{\"toolUseId\":");
    json_put_raw(&w->put, part->id);
    json_put_text(&w->put, ",\"content\":[");
    if (part->text.len > 2) {
        json_put_text(&w->put, "{\"text\":");
        json_put_raw(&w->put, part->text);
        json_put_text(&w->put, "}");
    }
    json_put_text(&w->put, part->failed ? "],\"status\":\"error\"}}" : "]}}");
}

static void put_part(struct neutral_writing *w, const struct neutral_part *part)
{
    switch (part->kind) {
    case NEUTRAL_IMAGE:
        put_image(w, part);
        return;
    case NEUTRAL_CALL:
        put_call(w, part);
        return;
    case NEUTRAL_RESULT:
        put_result(w, part);
        return;
    case NEUTRAL_THINKING:
        json_put_text(&w->put, "{\"reasoningContent\":{\"reasoningText\":{\"text\":");
        json_put_raw(&w->put, part->text);
        neutral_put_member(w, "signature", part->signature);
        json_put_text(&w->put, "}}}");
        return;
    case NEUTRAL_TEXT:
        break;
    }
    json_put_text(&w->put, "{\"text\":");
    json_put_raw(&w->put, part->text);
    json_put_text(&w->put, "}");
}

static bool is_anthropic(const struct neutral_request *request)
{
    static const char name[] = "anthropic.";
    return request->model.len &&
           memmem(request->model.data, request->model.len, name, sizeof name - 1) != NULL;
}

static bool says_something(const struct neutral_request *request, const struct neutral_part *part)
{
    if (part->kind == NEUTRAL_THINKING)
        return part->signature.len > 2 && is_anthropic(request);
    return part->kind != NEUTRAL_TEXT || part->text.len > 2;
}

static void put_messages(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    const struct neutral_part *last = NULL;
    json_put_text(&w->put, "{\"messages\":[");
    for (size_t i = 0; i < request->parts_len && !w->put.rc; i++) {
        const struct neutral_part *part = &request->parts[i];
        bool assistant = part->role == NEUTRAL_ASSISTANT;
        if (part->role == NEUTRAL_SYSTEM || !says_something(request, part))
            continue;
        bool goes_on = last && (last->role == NEUTRAL_ASSISTANT) == assistant;
        if (!goes_on) {
            json_put_text(&w->put, last ? "]}," : "");
            json_put_text(&w->put, assistant ? "{\"role\":\"assistant\",\"content\":["
                                             : "{\"role\":\"user\",\"content\":[");
        }
        json_put_text(&w->put, goes_on ? "," : "");
        put_part(w, part);
        last = part;
    }
    json_put_text(&w->put, last ? "]}]" : "]");
}

static void put_system(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    bool any = false;
    for (size_t i = 0; i < request->parts_len; i++) {
        const struct neutral_part *part = &request->parts[i];
        if (part->role != NEUTRAL_SYSTEM || part->kind != NEUTRAL_TEXT || part->text.len <= 2)
            continue;
        json_put_text(&w->put, any ? ",{\"text\":" : ",\"system\":[{\"text\":");
        json_put_raw(&w->put, part->text);
        json_put_text(&w->put, "}");
        any = true;
    }
    json_put_text(&w->put, any ? "]" : "");
}

/* ---- Tools ----------------------------------------------------------------------------------- */

static bool used_tools(const struct neutral_request *request)
{
    for (size_t i = 0; i < request->parts_len; i++)
        if (request->parts[i].kind == NEUTRAL_CALL || request->parts[i].kind == NEUTRAL_RESULT)
            return true;
    return false;
}

static void put_tool(struct neutral_writing *w, const struct neutral_tool *tool)
{
    json_put_text(&w->put, "{\"toolSpec\":{\"name\":");
    json_put_raw(&w->put, tool->name);
    if (tool->description.len > 2)
        neutral_put_member(w, "description", tool->description);
    json_put_text(&w->put, ",\"inputSchema\":{\"json\":");
    json_put_raw(&w->put, tool->schema.len
                              ? tool->schema
                              : SLICE_LITERAL("{\"type\":\"object\",\"properties\":{}}"));
    json_put_text(&w->put, "}}}");
}

static void put_choice(struct neutral_writing *w)
{
    switch (w->request->choice) {
    case NEUTRAL_REQUIRED:
        json_put_text(&w->put, ",\"toolChoice\":{\"any\":{}}");
        return;
    case NEUTRAL_NAMED:
        json_put_text(&w->put, ",\"toolChoice\":{\"tool\":{\"name\":");
        json_put_raw(&w->put, w->request->choice_name);
        json_put_text(&w->put, "}}");
        return;
    case NEUTRAL_AUTO:
    case NEUTRAL_NONE:
        return;
    }
}

static void put_tools(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    bool none = request->choice == NEUTRAL_NONE;
    if (!request->tools_len || (none && !used_tools(request)))
        return;
    if (none)
        neutral_refuse(
            w, "tool_choice",
            "This provider cannot be kept from its tools in a conversation that used them.");
    json_put_text(&w->put, ",\"toolConfig\":{\"tools\":[");
    for (size_t i = 0; i < request->tools_len; i++) {
        json_put_text(&w->put, i ? "," : "");
        put_tool(w, &request->tools[i]);
    }
    json_put_text(&w->put, "]");
    put_choice(w);
    json_put_text(&w->put, "}");
}

/* ---- The rest -------------------------------------------------------------------------------- */

static void put_stop(struct neutral_writing *w, const char *before)
{
    struct slice stop = w->request->stop;
    if (!stop.len)
        return;
    json_put_text(&w->put, before);
    json_put_text(&w->put, "\"stopSequences\":");
    json_put_text(&w->put, stop.data[0] == '[' ? "" : "[");
    json_put_raw(&w->put, stop);
    json_put_text(&w->put, stop.data[0] == '[' ? "" : "]");
}

static void put_config(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    const char *before = "";
    json_put_text(&w->put, ",\"inferenceConfig\":{");
    if (request->output_max) {
        json_put_text(&w->put, "\"maxTokens\":");
        json_put_number(&w->put, request->output_max);
        before = ",";
    }
    if (request->temperature.len) {
        json_put_text(&w->put, before);
        json_put_text(&w->put, "\"temperature\":");
        json_put_raw(&w->put, request->temperature);
        before = ",";
    }
    if (request->top_p.len) {
        json_put_text(&w->put, before);
        json_put_text(&w->put, "\"topP\":");
        json_put_raw(&w->put, request->top_p);
        before = ",";
    }
    put_stop(w, before);
    json_put_text(&w->put, "}");
}

static int64_t budget_of(const struct neutral_request *request)
{
    const struct json effort = {JSON_STRING, request->effort};
    if (request->thinking_max)
        return request->thinking_max;
    if (!request->effort.len || json_string_is(effort, "none") || json_string_is(effort, "minimal"))
        return 0;
    if (json_string_is(effort, "low"))
        return CHAT_LOW_EFFORT;
    return json_string_is(effort, "medium") ? CHAT_MEDIUM_EFFORT : 2 * CHAT_MEDIUM_EFFORT;
}

/* Anthropic's models think no less than this, and less than they may say in all. */
enum { THINKING_MIN = 1024 };

static void put_thinking(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    int64_t budget = budget_of(request);
    if (request->output_max)
        budget = min_i64(budget, request->output_max - 1);
    if (budget < THINKING_MIN || !is_anthropic(request))
        return;
    json_put_text(&w->put, ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\","
                           "\"budget_tokens\":");
    json_put_number(&w->put, budget);
    json_put_text(&w->put, "}}");
}

static void put_shape(struct neutral_writing *w)
{
    const struct neutral_request *request = w->request;
    const struct neutral_json schema = {request->shape_schema, false};
    if (request->shape == NEUTRAL_ANY)
        return;
    if (request->shape == NEUTRAL_OBJECT || !request->shape_schema.len) {
        neutral_refuse(w, "response_format",
                       "This provider makes JSON by a schema only: send one.");
        return;
    }
    json_put_text(&w->put, ",\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\","
                           "\"structure\":{\"jsonSchema\":{\"schema\":");
    if (!w->put.rc)
        w->put.rc = neutral_write_quoted(w->put.out, schema);
    if (request->shape_name.len > 2)
        neutral_put_member(w, "name", request->shape_name);
    json_put_text(&w->put, "}}}}");
}

static int write_request(const struct neutral_request *request, struct buffer *out,
                         struct dialect_error *ret_error)
{
    struct neutral_writing w = {request, {out, 0}, ret_error};
    put_messages(&w);
    put_system(&w);
    put_config(&w);
    put_tools(&w);
    put_thinking(&w);
    put_shape(&w);
    json_put_text(&w.put, "}");
    return w.put.rc;
}

const struct dialect_neutral converse_neutral = {
    .write_request = write_request,
    .read_answer = converse_read_whole,
    .read_event = converse_read_delta,
    .read_error = chat_read_error,
};
