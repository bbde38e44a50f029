/* SPDX-License-Identifier: Apache-2.0
 * A chat in the neutral form, asked of Ollama's /api/chat and read from its answers.
 *
 *   TEXT      content, of several parts with a line between       IMAGE   images, base64 alone
 *   CALL      tool_calls: no id, the arguments an object          RESULT  role tool, tool_name
 *   THINKING  read from thinking; that of earlier turns is not sent
 *
 * Calls are told apart by name there: a result gets the name that its call had, and a call that
 * comes without an id gets one that is new in its answer. REFUSED: images by URL, a tool_choice
 * that requires a call, arguments that are no object. LEFT OUT: user, strict, parallel_tool_calls;
 * with tool_choice none the tools. */
#include "dialect/chat.h"
#include "dialect/json_put.h"
#include "dialect/neutral.h"
#include "dialect/ollama.h"

#include <stdio.h>

static int no_word(struct dialect_error *error, const char *param, const char *message)
{
    *error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    return METE_E_INVALID;
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* The name of the call that the result at from answers: the last one of its id. */
static struct slice name_of(const struct neutral_request *request, size_t from)
{
    const struct neutral_part *result = &request->parts[from];
    for (size_t i = from; i-- && !result->name.len;)
        if (request->parts[i].kind == NEUTRAL_CALL && slice_equal(request->parts[i].id, result->id))
            return request->parts[i].name;
    return result->name;
}

static void put_member(struct json_put *put, const char *name, struct slice raw)
{
    if (!put->rc)
        put->rc = neutral_write_member(put->out, name, raw);
}

static void put_text(struct json_put *put, const struct neutral_part *parts, size_t len)
{
    const char *before = "";
    json_put_text(put, ",\"content\":\"");
    for (size_t i = 0; i < len; i++) {
        if (parts[i].kind != NEUTRAL_TEXT && parts[i].kind != NEUTRAL_RESULT)
            continue;
        json_put_text(put, before);
        json_put_inside(put, parts[i].text);
        before = "\\n";
    }
    json_put_text(put, "\"");
}

static void put_images(struct json_put *put, const struct neutral_part *parts, size_t len)
{
    bool any = false;
    for (size_t i = 0; i < len; i++) {
        if (parts[i].kind != NEUTRAL_IMAGE)
            continue;
        json_put_text(put, any ? ",\"" : ",\"images\":[\"");
        json_put_raw(put, parts[i].data);
        json_put_text(put, "\"");
        any = true;
    }
    if (any)
        json_put_text(put, "]");
}

static void put_calls(struct json_put *put, const struct neutral_part *parts, size_t len)
{
    bool any = false;
    for (size_t i = 0; i < len; i++) {
        if (parts[i].kind != NEUTRAL_CALL)
            continue;
        json_put_text(put, any ? ",{\"function\":{\"name\":"
                               : ",\"tool_calls\":[{\"function\":{\"name\":");
        json_put_raw(put, parts[i].name);
        json_put_text(put, ",\"arguments\":");
        if (!put->rc)
            put->rc = neutral_write_object(put->out, parts[i].input);
        json_put_text(put, "}}");
        any = true;
    }
    if (any)
        json_put_text(put, "]");
}

static void put_messages(struct json_put *put, const struct neutral_request *request)
{
    static const char *const roles[] = {
        [NEUTRAL_SYSTEM] = "\"system\"",
        [NEUTRAL_USER] = "\"user\"",
        [NEUTRAL_ASSISTANT] = "\"assistant\"",
        [NEUTRAL_TOOL] = "\"tool\"",
    };
    const char *before = "{\"role\":";
    json_put_text(put, ",\"messages\":[");
    for (size_t at = 0, len; at < request->parts_len; at += len) {
        const struct neutral_part *parts = &request->parts[at];
        len = neutral_message_len(request, at);
        if (len == 1 && parts->kind == NEUTRAL_THINKING)
            continue;
        json_put_text(put, before);
        before = ",{\"role\":";
        json_put_text(put, roles[parts->kind == NEUTRAL_RESULT ? NEUTRAL_TOOL : parts->role]);
        put_text(put, parts, len);
        put_images(put, parts, len);
        put_calls(put, parts, len);
        if (parts->kind == NEUTRAL_RESULT)
            put_member(put, "tool_name", name_of(request, at));
        json_put_text(put, "}");
    }
    json_put_text(put, "]");
}

static void put_tools(struct json_put *put, const struct neutral_request *request)
{
    bool any = request->tools_len && request->choice != NEUTRAL_NONE;
    for (size_t i = 0; any && i < request->tools_len; i++) {
        const struct neutral_tool *tool = &request->tools[i];
        json_put_text(put, i ? ",{\"type\":\"function\",\"function\":{\"name\":"
                             : ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":");
        json_put_raw(put, tool->name);
        put_member(put, "description", tool->description);
        put_member(put, "parameters",
                   tool->schema.len ? tool->schema : SLICE_LITERAL("{\"type\":\"object\"}"));
        json_put_text(put, "}}");
    }
    if (any)
        json_put_text(put, "]");
}

static void put_option(struct json_put *put, const char *name, struct slice raw)
{
    bool first = !put->rc && put->out->data[put->out->len - 1] == '{';
    if (!raw.len)
        return;
    json_put_text(put, first ? "\"" : ",\"");
    json_put_text(put, name);
    json_put_text(put, "\":");
    json_put_raw(put, raw);
}

/* One text, or a list already. */
static void put_stop(struct json_put *put, struct slice stop)
{
    bool one = stop.len && stop.data[0] == '"';
    put_option(put, "stop", one ? SLICE_LITERAL("[") : stop);
    if (one)
        json_put_raw(put, stop);
    if (one)
        json_put_text(put, "]");
}

static void put_options(struct json_put *put, const struct neutral_request *request)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%lld", (long long)request->output_max);
    json_put_text(put, ",\"options\":{");
    put_option(put, "num_predict", request->output_max ? slice_of(number) : (struct slice){0});
    put_option(put, "temperature", request->temperature);
    put_option(put, "top_p", request->top_p);
    put_option(put, "top_k", request->top_k);
    put_option(put, "seed", request->seed);
    put_option(put, "presence_penalty", request->presence_penalty);
    put_option(put, "frequency_penalty", request->frequency_penalty);
    put_stop(put, request->stop);
    json_put_text(put, "}");
}

static void put_think(struct json_put *put, const struct neutral_request *request)
{
    static const char *const levels[] = {"\"low\"", "\"medium\"", "\"high\""};
    if (request->thinking_max < 0) {
        json_put_text(put, ",\"think\":false");
        return;
    }
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (slice_is(request->effort, levels[i])) {
            put_member(put, "think", request->effort);
            return;
        }
    if (request->effort.len || request->thinking_max)
        json_put_text(put, ",\"think\":true");
}

static int check(const struct neutral_request *request, struct dialect_error *error)
{
    for (size_t i = 0; i < request->parts_len; i++)
        if (request->parts[i].kind == NEUTRAL_IMAGE && request->parts[i].url.len)
            return no_word(error, "messages",
                           "Ollama takes an image's bytes: its URL cannot be sent.");
    if (request->tools_len &&
        (request->choice == NEUTRAL_REQUIRED || request->choice == NEUTRAL_NAMED))
        return no_word(error, "tool_choice", "Ollama has no way to require a tool.");
    return 0;
}

static int write_request(const struct neutral_request *request, struct buffer *out,
                         struct dialect_error *ret_error)
{
    struct json_put put = {out, check(request, ret_error)};
    json_put_text(&put, "{\"model\":");
    json_put_quoted(&put, request->model);
    put_messages(&put, request);
    json_put_text(&put, request->stream ? ",\"stream\":true" : ",\"stream\":false");
    put_options(&put, request);
    put_tools(&put, request);
    if (request->shape == NEUTRAL_OBJECT)
        json_put_text(&put, ",\"format\":\"json\"");
    if (request->shape == NEUTRAL_SCHEMA)
        put_member(&put, "format", request->shape_schema);
    put_think(&put, request);
    json_put_text(&put, "}");
    if (put.rc == METE_E_SYNTAX)
        return no_word(ret_error, "messages",
                       "The arguments of a tool call are not a JSON object.");
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

/* parts[0]: calls so far. */
static int read_call(struct dialect_stream *stream, struct json call, struct neutral_sink *sink)
{
    char made[32];
    struct json function = json_member(call, "function");
    struct json name = json_member(function, "name"), id = json_member(call, "id");
    struct json arguments = json_member(function, "arguments");
    if (name.type != JSON_STRING)
        return METE_E_SYNTAX;
    (void)snprintf(made, sizeof made, "\"call_%lld\"", (long long)stream->parts[0]);
    stream->parts[0]++;
    const struct neutral_delta open = {.what = NEUTRAL_OPEN,
                                       .id = id.raw.len > 2 ? neutral_string(id) : slice_of(made),
                                       .name = name.raw};
    int rc = tell(sink, &open);
    const struct neutral_delta argue = {.what = NEUTRAL_ARGUE,
                                        .input = {arguments.raw, arguments.type == JSON_STRING}};
    return rc || arguments.type == JSON_NONE ? rc : tell(sink, &argue);
}

static int read_message(struct dialect_stream *stream, struct json message,
                        struct neutral_sink *sink)
{
    struct json calls = json_member(message, "tool_calls"), call;
    int rc = tell_text(sink, NEUTRAL_THINK, json_member(message, "thinking"));
    if (!rc)
        rc = tell_text(sink, NEUTRAL_SAY, json_member(message, "content"));
    for (size_t at = 0; !rc && calls.type == JSON_ARRAY && json_next(calls, &at, NULL, &call);)
        rc = read_call(stream, call, sink);
    return rc;
}

static int read_line(struct dialect_stream *stream, struct slice text, struct neutral_sink *sink)
{
    struct json line;
    int rc = 0;
    if (json_scan(text, &line, NULL) || line.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    if (!stream->begun) {
        const struct neutral_delta begin = {.what = NEUTRAL_BEGIN,
                                            .model = neutral_string(json_member(line, "model"))};
        rc = tell(sink, &begin);
    }
    stream->begun = true;
    if (!rc)
        rc = read_message(stream, json_member(line, "message"), sink);
    if (rc || json_member(line, "done").type != JSON_TRUE)
        return rc;
    bool full = json_string_is(json_member(line, "done_reason"), "length");
    const struct neutral_delta finish = {.what = NEUTRAL_FINISH,
                                         .finish = full               ? DIALECT_LENGTH
                                                   : stream->parts[0] ? DIALECT_TOOLS
                                                                      : DIALECT_STOP};
    return tell(sink, &finish);
}

static int read_answer(struct slice body, struct neutral_sink *sink)
{
    struct dialect_stream stream = {0};
    return read_line(&stream, body, sink);
}

static int read_event(struct dialect_stream *stream, const struct frame *event,
                      struct neutral_sink *sink)
{
    return event->has_data ? read_line(stream, event->data, sink) : 0;
}

/* Clients of Ollama's are not translated: what speaks it has its models beside it. */
const struct dialect_neutral ollama_neutral = {
    .write_request = write_request,
    .read_answer = read_answer,
    .read_event = read_event,
    .read_error = chat_read_error,
};
