/* SPDX-License-Identifier: Apache-2.0
 * Chat answers read as deltas, whole or streamed, and written from them.
 *
 *   content (a string, or parts) SAY     reasoning_content, reasoning, parts of thinking  THINK
 *   refusal                      SAY     tool_calls[i]: id, name OPEN; arguments          ARGUE
 *
 * Of several choices only the first is read. Calls are told apart by their index; who leaves it out
 * begins a call with its id, and so does who has the same index for all (Cerebras). A piece for a
 * call that another one followed cannot be told (METE_E_SYNTAX): no provider is known to mix them.
 *
 * STATE   reading: parts[CALLS] calls opened, parts[INDEX] the open one's index, item its id
 *         writing: parts[CALLS] calls opened; the chunks' id, model and created */
#include "dialect/chat.h"
#include "dialect/json_put.h"

enum { CALLS = 0, INDEX = 1 };

/* ---- Why it ends ----------------------------------------------------------------------------- */

enum dialect_finish chat_finish(struct json reason)
{
    if (json_string_is(reason, "length"))
        return DIALECT_LENGTH;
    if (json_string_is(reason, "tool_calls") || json_string_is(reason, "function_call"))
        return DIALECT_TOOLS;
    return json_string_is(reason, "content_filter") ? DIALECT_FILTERED : DIALECT_STOP;
}

const char *chat_finish_word(enum dialect_finish finish)
{
    static const char *const words[] = {
        [DIALECT_STOP] = "stop",
        [DIALECT_LENGTH] = "length",
        [DIALECT_TOOLS] = "tool_calls",
        [DIALECT_FILTERED] = "content_filter",
    };
    return words[finish];
}

/* ---- Answers are read ------------------------------------------------------------------------ */

static int tell(struct neutral_sink *sink, const struct neutral_delta *delta)
{
    return sink->fn(sink->user, delta);
}

static int tell_text(struct neutral_sink *sink, enum neutral_what what, struct json text)
{
    const struct neutral_delta delta = {.what = what, .text = text.raw};
    bool any = text.type == JSON_STRING && text.raw.len > 2;
    return any ? tell(sink, &delta) : 0;
}

static int tell_begin(struct neutral_sink *sink, struct json chunk)
{
    const struct neutral_delta delta = {.what = NEUTRAL_BEGIN,
                                        .id = neutral_string(json_member(chunk, "id")),
                                        .model = neutral_string(json_member(chunk, "model"))};
    return tell(sink, &delta);
}

/* Mistral's: {"type":"thinking","thinking":[{"type":"text","text":...}]} */
static int read_thinking(struct json thinking, struct neutral_sink *sink)
{
    struct json part;
    int rc = tell_text(sink, NEUTRAL_THINK, thinking);
    for (size_t at = 0;
         !rc && thinking.type == JSON_ARRAY && json_next(thinking, &at, NULL, &part);)
        rc = tell_text(sink, NEUTRAL_THINK, json_member(part, "text"));
    return rc;
}

static int read_content(struct json content, struct neutral_sink *sink)
{
    struct json part;
    int rc = tell_text(sink, NEUTRAL_SAY, content);
    for (size_t at = 0;
         !rc && content.type == JSON_ARRAY && json_next(content, &at, NULL, &part);) {
        rc = read_thinking(json_member(part, "thinking"), sink);
        if (!rc)
            rc = tell_text(sink, NEUTRAL_SAY, json_member(part, "text"));
    }
    return rc;
}

/* Whether a piece begins a call. METE_E_SYNTAX: it is of none that is open. */
static int find_call(struct dialect_stream *stream, struct json call, bool *ret_new)
{
    int64_t index;
    char id[LIMIT_ID + 1];
    bool named = json_member(call, "id").type == JSON_STRING &&
                 json_member(json_member(call, "function"), "name").type == JSON_STRING;
    if (json_integer(json_member(call, "index"), &index))
        index = named ? stream->parts[CALLS] : stream->parts[INDEX];
    neutral_copy(named ? json_member(call, "id").raw : (struct slice){0}, id);
    bool other = id[0] && strcmp(id, stream->item) != 0;
    *ret_new = !stream->parts[CALLS] || index > stream->parts[INDEX] || other;
    if (index < stream->parts[INDEX])
        return METE_E_SYNTAX;
    stream->parts[INDEX] = index;
    if (*ret_new)
        memcpy(stream->item, id, sizeof id);
    return 0;
}

static int read_call(struct dialect_stream *stream, struct json call, struct neutral_sink *sink)
{
    struct json function = json_member(call, "function");
    struct json arguments = json_member(function, "arguments");
    bool is_new;
    int rc = find_call(stream, call, &is_new);
    if (!rc && is_new) {
        const struct neutral_delta delta = {.what = NEUTRAL_OPEN,
                                            .id = neutral_string(json_member(call, "id")),
                                            .name = neutral_string(json_member(function, "name"))};
        rc = delta.id.len && delta.name.len ? tell(sink, &delta) : METE_E_SYNTAX;
        stream->parts[CALLS]++;
    }
    if (rc || (arguments.type != JSON_STRING && arguments.type != JSON_OBJECT))
        return rc;
    bool quoted = arguments.type == JSON_STRING;
    const struct neutral_delta delta = {.what = NEUTRAL_ARGUE, .input = {arguments.raw, quoted}};
    return quoted && arguments.raw.len == 2 ? 0 : tell(sink, &delta);
}

/* A message, or a delta of one. */
static int read_message(struct dialect_stream *stream, struct json message,
                        struct neutral_sink *sink)
{
    struct json calls = json_member(message, "tool_calls"), call;
    struct json thinking = json_member(message, "reasoning_content");
    if (thinking.type != JSON_STRING)
        thinking = json_member(message, "reasoning");
    int rc = tell_text(sink, NEUTRAL_THINK, thinking);
    if (!rc)
        rc = read_content(json_member(message, "content"), sink);
    if (!rc)
        rc = tell_text(sink, NEUTRAL_SAY, json_member(message, "refusal"));
    for (size_t at = 0; !rc && calls.type == JSON_ARRAY && json_next(calls, &at, NULL, &call);)
        rc = read_call(stream, call, sink);
    return rc;
}

static int tell_finish(struct json reason, struct neutral_sink *sink)
{
    const struct neutral_delta delta = {.what = NEUTRAL_FINISH, .finish = chat_finish(reason)};
    return reason.type == JSON_STRING ? tell(sink, &delta) : 0;
}

int chat_read_whole(struct slice body, struct neutral_sink *sink)
{
    struct dialect_stream stream = {0};
    struct json whole, choice;
    size_t at = 0;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT ||
        !json_next(json_member(whole, "choices"), &at, NULL, &choice) ||
        json_member(choice, "message").type != JSON_OBJECT)
        return METE_E_SYNTAX;
    int rc = tell_begin(sink, whole);
    if (!rc)
        rc = read_message(&stream, json_member(choice, "message"), sink);
    return rc ? rc : tell_finish(json_member(choice, "finish_reason"), sink);
}

int chat_read_delta(struct dialect_stream *stream, const struct frame *event,
                    struct neutral_sink *sink)
{
    struct json chunk, choice;
    int64_t index;
    int rc = 0;
    if (!event->has_data || slice_is(event->data, "[DONE]"))
        return 0;
    if (json_scan(event->data, &chunk, NULL) || chunk.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    struct json choices = json_member(chunk, "choices");
    for (size_t at = 0;
         !rc && choices.type == JSON_ARRAY && json_next(choices, &at, NULL, &choice);) {
        if (!json_integer(json_member(choice, "index"), &index) && index != 0)
            continue;
        if (!stream->begun)
            rc = tell_begin(sink, chunk);
        stream->begun = true;
        if (!rc)
            rc = read_message(stream, json_member(choice, "delta"), sink);
        if (!rc)
            rc = tell_finish(json_member(choice, "finish_reason"), sink);
    }
    return rc;
}

/* ---- Errors are read ------------------------------------------------------------------------- */

/* A string of an error's into room behind what is there; terminated. NULL: none, or too long. */
static const char *keep_text(struct json text, char *room, size_t room_len, size_t *at)
{
    if (text.type != JSON_STRING || text.raw.len <= 2 || *at + 1 >= room_len)
        return NULL;
    long len = json_string_copy(text, room + *at, room_len - *at - 1);
    if (len < 0)
        return NULL;
    const char *kept = room + *at;
    room[*at + (size_t)len] = 0;
    *at += (size_t)len + 1;
    return kept;
}

/* {"error":{"message","code"}} as OpenAI has it, {"error":{"message","type"}} as Anthropic does;
 * {"error":"..."}, {"message"} and {"detail"} of others. */
bool chat_read_error(struct slice body, char *room, size_t room_len,
                     struct dialect_error *ret_error)
{
    struct json whole;
    size_t at = 0;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return false;
    struct json error = json_member(whole, "error");
    struct json inner = error.type == JSON_OBJECT ? error : whole;
    struct json text = error.type == JSON_STRING ? error : json_member(inner, "message");
    if (text.type != JSON_STRING)
        text = json_member(inner, "detail");
    const char *message = keep_text(text, room, room_len, &at);
    if (!message)
        return false;
    ret_error->message = message;
    ret_error->code = keep_text(json_member(inner, "code"), room, room_len, &at);
    if (!ret_error->code && error.type == JSON_OBJECT)
        ret_error->code = keep_text(json_member(inner, "type"), room, room_len, &at);
    ret_error->type = ret_error->status >= 500 ? "server_error" : "invalid_request_error";
    return true;
}

/* ---- Streams are written --------------------------------------------------------------------- */

/* data: {...,"choices":[{"index":0,"delta":{ */
static void put_head(struct json_put *put, const struct dialect_stream *stream)
{
    if (!put->rc)
        put->rc = chat_write_head(stream, put->out);
    json_put_text(put, ",\"choices\":[{\"index\":0,\"delta\":{");
}

static void put_tail(struct json_put *put)
{
    json_put_text(put, "},\"finish_reason\":null}]}\n\n");
}

static void put_text(struct json_put *put, const struct dialect_stream *stream, const char *name,
                     struct slice text)
{
    if (text.len <= 2)
        return;
    put_head(put, stream);
    json_put_text(put, "\"");
    json_put_text(put, name);
    json_put_text(put, "\":");
    json_put_raw(put, text);
    put_tail(put);
}

static void put_open(struct json_put *put, struct dialect_stream *stream,
                     const struct neutral_delta *delta)
{
    put_head(put, stream);
    json_put_text(put, "\"tool_calls\":[{\"index\":");
    json_put_number(put, stream->parts[CALLS]++);
    json_put_text(put, ",\"id\":");
    json_put_raw(put, delta->id);
    json_put_text(put, ",\"type\":\"function\",\"function\":{\"name\":");
    json_put_raw(put, delta->name);
    json_put_text(put, ",\"arguments\":\"\"}}]");
    put_tail(put);
}

static void put_piece(struct json_put *put, const struct dialect_stream *stream,
                      struct neutral_json input)
{
    put_head(put, stream);
    json_put_text(put, "\"tool_calls\":[{\"index\":");
    json_put_number(put, stream->parts[CALLS] - 1);
    json_put_text(put, ",\"function\":{\"arguments\":");
    if (!put->rc)
        put->rc = neutral_write_piece(put->out, input);
    json_put_text(put, "}}]");
    put_tail(put);
}

/* Whatever comes first begins the answer, whether it has a name or not. */
static void put_begin(struct json_put *put, struct dialect_stream *stream,
                      const struct neutral_delta *delta)
{
    if (delta->what == NEUTRAL_BEGIN) {
        neutral_copy(delta->id, stream->id);
        neutral_copy(delta->model, stream->model);
    }
    stream->begun = true;
    stream->blocks = 1; /* choices */
    put_head(put, stream);
    json_put_text(put, "\"role\":\"assistant\",\"content\":\"\"");
    put_tail(put);
}

int chat_write_delta(struct dialect_stream *stream, const struct neutral_delta *delta,
                     struct buffer *out)
{
    struct json_put put = {out, 0};
    neutral_note_finish(stream, delta);
    if (!stream->begun)
        put_begin(&put, stream, delta);
    switch (delta->what) {
    case NEUTRAL_BEGIN:
        break;
    case NEUTRAL_SAY:
        put_text(&put, stream, "content", delta->text);
        break;
    case NEUTRAL_THINK:
        put_text(&put, stream, "reasoning_content", delta->text);
        break;
    case NEUTRAL_OPEN:
        put_open(&put, stream, delta);
        break;
    case NEUTRAL_ARGUE:
        if (!stream->parts[CALLS])
            return METE_E_SYNTAX;
        put_piece(&put, stream, delta->input);
        break;
    case NEUTRAL_FINISH:
        break;
    }
    return put.rc;
}

/* ---- Whole answers are written --------------------------------------------------------------- */

/* "name":"..." of all pieces of a kind; NULL where there is none. */
static void put_joined(struct json_put *put, const struct neutral_answer *answer,
                       enum neutral_kind kind)
{
    json_put_text(put, "\"");
    for (size_t i = 0; i < answer->pieces_len; i++) {
        const struct neutral_piece *piece = &answer->pieces[i];
        if (piece->kind == kind)
            json_put_raw(put, neutral_answer_text(answer, piece->text, piece->text_len));
    }
    json_put_text(put, "\"");
}

/* Whether there is a call, or any text of that kind. */
static bool has_kind(const struct neutral_answer *answer, enum neutral_kind kind)
{
    for (size_t i = 0; i < answer->pieces_len; i++)
        if (answer->pieces[i].kind == kind && (kind == NEUTRAL_CALL || answer->pieces[i].text_len))
            return true;
    return false;
}

static void put_calls(struct json_put *put, const struct neutral_answer *answer)
{
    bool any = false;
    for (size_t i = 0; i < answer->pieces_len; i++) {
        const struct neutral_piece *piece = &answer->pieces[i];
        const struct neutral_json input = {
            neutral_answer_text(answer, piece->text, piece->text_len), false};
        if (piece->kind != NEUTRAL_CALL)
            continue;
        json_put_text(put, any ? ",{\"id\":" : ",\"tool_calls\":[{\"id\":");
        json_put_raw(put, neutral_answer_text(answer, piece->id, piece->id_len));
        json_put_text(put, ",\"type\":\"function\",\"function\":{\"name\":");
        json_put_raw(put, neutral_answer_text(answer, piece->name, piece->name_len));
        json_put_text(put, ",\"arguments\":");
        if (!put->rc)
            put->rc = neutral_write_quoted(put->out, input);
        json_put_text(put, "}}");
        any = true;
    }
    if (any)
        json_put_text(put, "]");
}

int chat_write_answer(const struct neutral_answer *answer, const struct pricing_usage *usage,
                      struct buffer *out)
{
    struct json_put put = {out, 0};
    const struct dialect_stream *stream = &answer->stream;
    json_put_text(&put, "{\"id\":");
    json_put_quoted(&put, slice_of(stream->id[0] ? stream->id : "chatcmpl-mete"));
    json_put_text(&put, ",\"object\":\"chat.completion\",\"created\":");
    json_put_number(&put, stream->created);
    json_put_text(&put, ",\"model\":");
    json_put_quoted(&put, slice_of(stream->model));
    json_put_text(&put,
                  ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (has_kind(answer, NEUTRAL_TEXT) || !has_kind(answer, NEUTRAL_CALL))
        put_joined(&put, answer, NEUTRAL_TEXT);
    else
        json_put_text(&put, "null");
    if (has_kind(answer, NEUTRAL_THINKING)) {
        json_put_text(&put, ",\"reasoning_content\":");
        put_joined(&put, answer, NEUTRAL_THINKING);
    }
    put_calls(&put, answer);
    json_put_text(&put, ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"");
    json_put_text(&put, chat_finish_word(stream->finish));
    json_put_text(&put, "\"}],\"usage\":");
    if (!put.rc)
        put.rc = chat_write_usage(out, usage, (struct slice){0});
    json_put_text(&put, "}");
    return put.rc;
}
