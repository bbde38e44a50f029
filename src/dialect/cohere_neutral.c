/* SPDX-License-Identifier: Apache-2.0
 * A chat in the neutral form, asked of Cohere's /v2/chat and read from its answers.
 *
 * Messages are OpenAI's: the same roles, parts, calls and results. Other names: p, k,
 * stop_sequences, strict_tools (for all tools or none), thinking {type, token_budget}.
 *
 *   content[].text, content-delta SAY      tool_plan, content[].thinking THINK
 *   tool_calls[], tool-call-start OPEN     arguments, tool-call-delta ARGUE
 *
 * REFUSED: a tool_choice that names the tool. LEFT OUT: user, parallel_tool_calls, the name of a
 * schema, an effort that is no "none". */
#include "dialect/chat.h"
#include "dialect/cohere.h"
#include "dialect/json_put.h"
#include "dialect/neutral.h"

/* ---- Requests -------------------------------------------------------------------------------- */

static void put_member(struct json_put *put, const char *name, struct slice raw)
{
    if (!put->rc)
        put->rc = neutral_write_member(put->out, name, raw);
}

static void put_tools(struct json_put *put, const struct neutral_request *request)
{
    bool strict = request->tools_len > 0;
    for (size_t i = 0; i < request->tools_len; i++) {
        const struct neutral_tool *tool = &request->tools[i];
        json_put_text(put, i ? ",{\"type\":\"function\",\"function\":{\"name\":"
                             : ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":");
        json_put_raw(put, tool->name);
        put_member(put, "description", tool->description);
        put_member(put, "parameters",
                   tool->schema.len ? tool->schema : SLICE_LITERAL("{\"type\":\"object\"}"));
        json_put_text(put, "}}");
        strict = strict && tool->strict;
    }
    if (request->tools_len)
        json_put_text(put, strict ? "],\"strict_tools\":true" : "]");
    if (request->tools_len && request->choice == NEUTRAL_NONE)
        json_put_text(put, ",\"tool_choice\":\"NONE\"");
    if (request->tools_len && request->choice == NEUTRAL_REQUIRED)
        json_put_text(put, ",\"tool_choice\":\"REQUIRED\"");
}

static void put_stop(struct json_put *put, struct slice stop)
{
    bool one = stop.len && stop.data[0] == '"';
    if (!stop.len)
        return;
    json_put_text(put, one ? ",\"stop_sequences\":[" : ",\"stop_sequences\":");
    json_put_raw(put, stop);
    if (one)
        json_put_text(put, "]");
}

static void put_shape(struct json_put *put, const struct neutral_request *request)
{
    if (request->shape == NEUTRAL_ANY)
        return;
    json_put_text(put, ",\"response_format\":{\"type\":\"json_object\"");
    if (request->shape == NEUTRAL_SCHEMA)
        put_member(put, "json_schema", request->shape_schema);
    json_put_text(put, "}");
}

static void put_thinking(struct json_put *put, const struct neutral_request *request)
{
    if (request->thinking_max < 0)
        json_put_text(put, ",\"thinking\":{\"type\":\"disabled\"}");
    if (request->thinking_max <= 0)
        return;
    json_put_text(put, ",\"thinking\":{\"type\":\"enabled\",\"token_budget\":");
    json_put_number(put, request->thinking_max);
    json_put_text(put, "}");
}

static int write_request(const struct neutral_request *request, struct buffer *out,
                         struct dialect_error *ret_error)
{
    struct json_put put = {out, 0};
    if (request->tools_len && request->choice == NEUTRAL_NAMED) {
        *ret_error = (struct dialect_error){400,
                                            "invalid_request_error",
                                            "unsupported_parameter",
                                            "tool_choice",
                                            "Cohere has no way to require one tool by name.",
                                            {0}};
        return METE_E_INVALID;
    }
    json_put_text(&put, "{\"model\":");
    json_put_quoted(&put, request->model);
    if (!put.rc)
        put.rc = chat_write_messages(request, out);
    json_put_text(&put, request->stream ? ",\"stream\":true" : ",\"stream\":false");
    if (request->output_max) {
        json_put_text(&put, ",\"max_tokens\":");
        json_put_number(&put, request->output_max);
    }
    put_tools(&put, request);
    put_shape(&put, request);
    put_member(&put, "temperature", request->temperature);
    put_member(&put, "p", request->top_p);
    put_member(&put, "k", request->top_k);
    put_member(&put, "seed", request->seed);
    put_member(&put, "presence_penalty", request->presence_penalty);
    put_member(&put, "frequency_penalty", request->frequency_penalty);
    put_stop(&put, request->stop);
    put_thinking(&put, request);
    json_put_text(&put, "}");
    return put.rc;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static int tell(struct neutral_sink *sink, const struct neutral_delta *delta)
{
    return sink->fn(sink->user, delta);
}

static int tell_text(struct neutral_sink *sink, enum neutral_what what, struct json text)
{
    const struct neutral_delta delta = {.what = what, .text = text.raw};
    return text.type == JSON_STRING && text.raw.len > 2 ? tell(sink, &delta) : 0;
}

static int tell_begin(struct neutral_sink *sink, struct json id)
{
    const struct neutral_delta begin = {.what = NEUTRAL_BEGIN,
                                        .id = id.type == JSON_STRING ? id.raw : (struct slice){0}};
    return tell(sink, &begin);
}

/* Of a call, or of a piece of one. */
static int tell_arguments(struct neutral_sink *sink, struct json call)
{
    struct json arguments = json_member(json_member(call, "function"), "arguments");
    const struct neutral_delta argue = {.what = NEUTRAL_ARGUE, .input = {arguments.raw, true}};
    return arguments.type == JSON_STRING && arguments.raw.len > 2 ? tell(sink, &argue) : 0;
}

static int read_call(struct json call, struct neutral_sink *sink)
{
    struct json id = json_member(call, "id");
    struct json name = json_member(json_member(call, "function"), "name");
    const struct neutral_delta open = {.what = NEUTRAL_OPEN, .id = id.raw, .name = name.raw};
    if (id.type != JSON_STRING || name.type != JSON_STRING)
        return METE_E_SYNTAX;
    int rc = tell(sink, &open);
    return rc ? rc : tell_arguments(sink, call);
}

static int tell_finish(struct neutral_sink *sink, struct json reason)
{
    enum dialect_finish finish = DIALECT_STOP;
    if (json_string_is(reason, "MAX_TOKENS"))
        finish = DIALECT_LENGTH;
    else if (json_string_is(reason, "TOOL_CALL"))
        finish = DIALECT_TOOLS;
    else if (json_string_is(reason, "ERROR_TOXIC"))
        finish = DIALECT_FILTERED;
    const struct neutral_delta delta = {.what = NEUTRAL_FINISH, .finish = finish};
    return tell(sink, &delta);
}

/* Whole, or what a piece of a stream adds: content is a list there, an object here. */
static int read_part(struct json part, struct neutral_sink *sink)
{
    int rc = tell_text(sink, NEUTRAL_THINK, json_member(part, "thinking"));
    return rc ? rc : tell_text(sink, NEUTRAL_SAY, json_member(part, "text"));
}

static int read_answer(struct slice body, struct neutral_sink *sink)
{
    struct json whole, one;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT ||
        json_member(whole, "message").type != JSON_OBJECT)
        return METE_E_SYNTAX;
    struct json message = json_member(whole, "message");
    struct json content = json_member(message, "content");
    struct json calls = json_member(message, "tool_calls");
    int rc = tell_begin(sink, json_member(whole, "id"));
    if (!rc)
        rc = tell_text(sink, NEUTRAL_THINK, json_member(message, "tool_plan"));
    for (size_t at = 0; !rc && content.type == JSON_ARRAY && json_next(content, &at, NULL, &one);)
        rc = read_part(one, sink);
    for (size_t at = 0; !rc && calls.type == JSON_ARRAY && json_next(calls, &at, NULL, &one);)
        rc = read_call(one, sink);
    return rc ? rc : tell_finish(sink, json_member(whole, "finish_reason"));
}

static int read_event(struct dialect_stream *stream, const struct frame *event,
                      struct neutral_sink *sink)
{
    struct json whole;
    if (!event->has_data || slice_is(event->data, "[DONE]"))
        return 0;
    if (json_scan(event->data, &whole, NULL) || whole.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    struct json type = json_member(whole, "type"), delta = json_member(whole, "delta");
    struct json message = json_member(delta, "message");
    struct json call = json_member(message, "tool_calls");
    if (!stream->begun) {
        stream->begun = true;
        int rc = tell_begin(sink, json_member(whole, "id"));
        if (rc)
            return rc;
    }
    if (json_string_is(type, "tool-plan-delta"))
        return tell_text(sink, NEUTRAL_THINK, json_member(message, "tool_plan"));
    if (json_string_is(type, "content-start") || json_string_is(type, "content-delta"))
        return read_part(json_member(message, "content"), sink);
    if (json_string_is(type, "tool-call-start"))
        return read_call(call, sink);
    if (json_string_is(type, "tool-call-delta"))
        return tell_arguments(sink, call);
    if (json_string_is(type, "message-end"))
        return tell_finish(sink, json_member(delta, "finish_reason"));
    return 0;
}

/* Clients of Cohere's are not translated. */
const struct dialect_neutral cohere_neutral = {
    .write_request = write_request,
    .read_answer = read_answer,
    .read_event = read_event,
    .read_error = chat_read_error,
};
