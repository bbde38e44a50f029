/* SPDX-License-Identifier: Apache-2.0
 * /v1/chat (the dialect "cohere-chat-v1"): Cohere's older chat, and Writer's, which has the same
 * path and OpenAI's form. A body with "messages" is Writer's; an answer tells by its own form, a
 * stream by its framing: Writer's are events.
 *
 *   {"is_finished":false,"event_type":"text-generation","text":"..."}                      a line
 *   {"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE",
 *    "response":{"text":...,"meta":{"billed_units":{...},"tokens":{...}}}}                 the last
 *
 * REFUSED  what makes the input longer than any bound here: a conversation_id (the provider keeps
 *   its turns) and connectors (searches, and what they find).
 * ENDS OF OURS  a stream-end whose text is empty: the lines before it had it. */
#include "dialect/chat.h"
#include "dialect/cohere.h"
#include "dialect/json_put.h"

/* ---- Requests -------------------------------------------------------------------------------- */

static int read_message(struct openai_reading *r, struct json value)
{
    return value.type == JSON_STRING ? 0 : openai_fault(r, "message", "message must be a string.");
}

static int refuse_conversation(struct openai_reading *r, struct json value)
{
    return openai_given(value)
               ? openai_not_priced(r, "conversation_id",
                                   "A conversation that the provider keeps cannot be bounded: send "
                                   "its turns in chat_history.")
               : 0;
}

static int refuse_connectors(struct openai_reading *r, struct json value)
{
    struct json first;
    size_t at = 0;
    bool any = value.type != JSON_ARRAY || json_next(value, &at, NULL, &first);
    return openai_given(value) && any
               ? openai_not_priced(r, "connectors",
                                   "Searches of the provider's are billed by meters that have no "
                                   "price here.")
               : 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("message", read_message),
    OPENAI_MEMBER("stream", openai_read_stream),
    OPENAI_MEMBER("max_tokens", cohere_read_bound),
    OPENAI_MEMBER("tools", cohere_read_tools),
    OPENAI_MEMBER("documents", cohere_read_preamble),
    OPENAI_MEMBER("response_format", cohere_read_preamble),
    OPENAI_MEMBER("conversation_id", refuse_conversation),
    OPENAI_MEMBER("connectors", refuse_connectors),
};
enum { MEMBERS = sizeof members / sizeof members[0], MODEL = 1, MESSAGE = 2 };

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    uint64_t seen;
    if (!json_scan(body, &whole, NULL) && json_count(whole, "messages"))
        return chat_read_request(target, body, ret_request, ret_error);
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (rc)
        return rc;
    if (!(seen & MODEL))
        return openai_fault(&r, "model", "model is missing.");
    if (!(seen & MESSAGE))
        return openai_fault(&r, "message", "message is missing.");
    cohere_set_places(&r, whole);
    return 0;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static bool is_writer(struct json whole)
{
    return json_member(whole, "choices").type == JSON_ARRAY;
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    if (is_writer(whole)) {
        chat_read_answer(body, ret_answer);
        return;
    }
    struct json id = json_member(whole, "generation_id");
    ret_answer->has_usage = cohere_usage(json_member(whole, "meta"), &ret_answer->usage);
    if (id.type == JSON_STRING)
        ret_answer->id = id.raw;
}

static void read_line(struct dialect_stream *stream, struct json line, struct dialect_event *event)
{
    struct json type = json_member(line, "event_type"), id = json_member(line, "generation_id");
    struct json call = json_member(line, "tool_call_delta");
    event->kind = DIALECT_CHUNK;
    if (id.type == JSON_STRING && !stream->begun)
        chat_copy(id, stream->id);
    stream->begun = true;
    if (json_string_is(type, "stream-end")) {
        struct json meta = json_member(json_member(line, "response"), "meta");
        event->kind = DIALECT_FINAL;
        event->finishes = true;
        event->failed = cohere_failed(json_member(line, "finish_reason"));
        event->has_usage = cohere_usage(meta, &event->usage);
        event->usage_object = meta;
        stream->ended = true;
        return;
    }
    struct json text = json_member(line, "text");
    event->texts_are_all = call.type != JSON_OBJECT;
    event->output_bytes =
        (int64_t)json_string_bytes(text) + (event->texts_are_all ? 0 : (int64_t)call.raw.len);
    if (text.type == JSON_STRING)
        dialect_add_text(event, dialect_text_of(0, 0, DIALECT_TEXT_SHOWN), text.raw);
    if (json_string_is(type, "search-queries-generation")) {
        event->output_bytes += (int64_t)line.raw.len;
        event->texts_are_all = false;
    }
}

static bool is_writers(const struct dialect_stream *stream)
{
    return stream->framing == FRAMES_SSE;
}

static void read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    struct json line;
    if (!is_writers(stream) && event->has_data && !json_scan(event->data, &line, NULL) &&
        line.type == JSON_OBJECT) {
        *ret_event = (struct dialect_event){0};
        read_line(stream, line, ret_event);
    } else {
        chat_read_event(stream, event, ret_event);
    }
}

/* ---- What is written ------------------------------------------------------------------------- */

/* {"is_finished":true,...,"response":{"text":"" */
static void put_end(struct json_put *put, struct dialect_stream *stream, const char *reason)
{
    stream->ended = true;
    json_put_text(put, "{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":");
    json_put_quoted(put, slice_of(reason));
    json_put_text(put, ",\"response\":{\"text\":\"\",\"generation_id\":");
    json_put_quoted(put, slice_of(stream->id));
    json_put_text(put, ",\"finish_reason\":");
    json_put_quoted(put, slice_of(reason));
}

static int write_break(struct dialect_stream *stream, const struct dialect_error *error,
                       struct buffer *out)
{
    struct json_put put = {out, 0};
    if (is_writers(stream))
        return chat_write_break(stream, error, out);
    put_end(&put, stream, "ERROR");
    json_put_text(&put, "},\"error\":");
    json_put_quoted(&put, slice_of(error->message));
    json_put_text(&put, "}\n");
    return put.rc;
}

static int write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                     struct slice cost, bool wants_usage, struct buffer *out)
{
    struct json_put put = {out, 0};
    if (is_writers(stream))
        return chat_write_end(stream, usage, cost, wants_usage, out);
    put_end(&put, stream, cohere_finish_word(stream->finish));
    json_put_text(&put, ",\"meta\":");
    if (!put.rc)
        put.rc = cohere_write_usage(out, usage);
    json_put_text(&put, "}}\n");
    return put.rc;
}

/* ---- The format ------------------------------------------------------------------------------ */

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    (void)ret_target;
    return slice_is(path, "/v1/chat");
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/v1/chat");
}

const struct dialect *dialect_cohere_v1(void)
{
    static const struct dialect cohere = {
        .name = "cohere-chat-v1",
        .operation = "chat",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_LINES,
        .comments = true,
        .match = match,
        .read_request = read_request,
        .write_path = write_path,
        .read_answer = read_answer,
        .read_event = read_event,
        .write_cost = chat_write_cost,
        .write_error = cohere_write_error,
        .write_break = write_break,
        .write_end = write_end,
    };
    return &cohere;
}
