/* SPDX-License-Identifier: Apache-2.0
 * One event of a chat stream: what it is, what it shows, what usage it reports.
 *
 *   data: {"choices":[{"delta":{"content":"..."}}],"usage":null}       a chunk
 *   data: {"choices":[],"usage":{...}}                                 the chunk include_usage adds
 *   data: [DONE]                                                       the end
 *
 * Others send usage in the last chunk with choices, in every chunk (the last counts), in
 * x_groq.usage or in choices[0].usage; all are found. A chunk is only_usage when it carries nothing
 * but usage, so that it may be withheld from a client that did not ask for it.
 * OUTPUT BYTES  the bytes of every text in a delta but its role: content, refusal,
 *   reasoning_content, names and arguments of tool calls. A token is at least one byte, so this is
 *   never less than the tokens shown. What a delta holds that is no text counts as written, and so
 *   does a chunk of another shape ({"value":"..."}, Writer's completions). */
#include "dialect/chat.h"
#include "dialect/openai.h"

static void read_text(struct json text, uint32_t of, struct dialect_event *event)
{
    event->output_bytes += (int64_t)json_string_bytes(text);
    dialect_add_spot(event, DIALECT_SPOT_TEXT, text.raw);
    dialect_add_text(event, of, text.raw);
}

/* Names and arguments of calls. Ids are none of the model's tokens. */
static void read_function(struct json function, int64_t choice, int64_t call,
                          struct dialect_event *event)
{
    struct json key, value;
    for (size_t at = 0; function.type == JSON_OBJECT && json_next(function, &at, &key, &value);) {
        if (value.type != JSON_STRING)
            event->texts_are_all = event->texts_are_all && value.type == JSON_NULL;
        else if (CHAT_KEY_IS(key, "name"))
            dialect_add_text(event, dialect_text_of(choice, call, DIALECT_TEXT_NAME), value.raw);
        else if (CHAT_KEY_IS(key, "arguments"))
            dialect_add_text(event, dialect_text_of(choice, call, DIALECT_TEXT_ARGUMENTS),
                             value.raw);
    }
}

static void read_calls(struct json calls, int64_t choice, struct dialect_event *event)
{
    struct json call;
    int64_t place = 0;
    for (size_t at = 0; json_next(calls, &at, NULL, &call); place++) {
        int64_t index;
        struct json function = json_member(call, "function");
        if (json_integer(json_member(call, "index"), &index))
            index = place;
        if (function.type == JSON_OBJECT)
            read_function(function, choice, index, event);
        else
            event->texts_are_all = false;
    }
}

/* Calls of tools, what a model thinks: their pieces come one by one, in the first element. */
static void read_list(struct json list, struct dialect_event *event)
{
    size_t at = 0;
    struct json first;
    event->output_bytes += (int64_t)list.raw.len;
    if (list.type != JSON_ARRAY || !json_next(list, &at, NULL, &first))
        return;
    struct json piece = json_member(json_member(first, "function"), "arguments");
    if (piece.type == JSON_NONE)
        piece = json_member(first, "text");
    if (piece.type == JSON_STRING)
        dialect_add_spot(event, DIALECT_SPOT_RAW, piece.raw);
}

/* What of a list or an object is tokens; reasoning_details say again what reasoning says. */
static void read_list_texts(struct json key, struct json list, int64_t choice,
                            struct dialect_event *event)
{
    if (CHAT_KEY_IS(key, "tool_calls"))
        read_calls(list, choice, event);
    else if (CHAT_KEY_IS(key, "function_call"))
        read_function(list, choice, 0, event);
    else if (!CHAT_KEY_IS(key, "reasoning_details") && list.raw.len > 2)
        event->texts_are_all = false;
}

/* A text under a name that nobody here knows may be tokens or not; under these it is none. */
static bool is_label(struct json key)
{
    return CHAT_KEY_IS(key, "channel") || CHAT_KEY_IS(key, "name") || CHAT_KEY_IS(key, "id");
}

static void read_string(struct json key, struct json value, int64_t choice,
                        struct dialect_event *event)
{
    bool reasoning = CHAT_KEY_IS(key, "reasoning") || CHAT_KEY_IS(key, "reasoning_content");
    bool shown = CHAT_KEY_IS(key, "content") || CHAT_KEY_IS(key, "refusal");
    bool empty = value.raw.len == 2;
    uint32_t of =
        dialect_text_of(choice, 0, reasoning ? DIALECT_TEXT_REASONING : DIALECT_TEXT_SHOWN);
    event->output_bytes += (int64_t)json_string_bytes(value);
    dialect_add_spot(event, DIALECT_SPOT_TEXT, value.raw);
    /* Some say what they think twice, under both names. */
    for (size_t i = 0; reasoning && !empty && i < event->texts_len; i++)
        if (event->texts[i].of == of && event->texts[i].raw.len > 2)
            event->texts_are_all = false;
    if (reasoning || shown)
        dialect_add_text(event, of, value.raw);
    else if (!empty && !is_label(key))
        event->texts_are_all = false;
}

static void read_delta(struct json delta, int64_t choice, struct dialect_event *event)
{
    struct json key, value;
    for (size_t at = 0; delta.type == JSON_OBJECT && json_next(delta, &at, &key, &value);) {
        if (value.type == JSON_OBJECT || value.type == JSON_ARRAY) {
            read_list(value, event);
            read_list_texts(key, value, choice, event);
        } else if (value.type == JSON_STRING && !CHAT_KEY_IS(key, "role")) {
            read_string(key, value, choice, event);
        }
    }
}

/* Choices are told apart by their index; how many there are is what an end of ours must know. */
static int64_t read_index(struct dialect_stream *stream, struct json value)
{
    int64_t index;
    if (json_integer(value, &index) || index < 0)
        return 0;
    if (index >= stream->blocks && index < CHAT_CHOICES_MAX)
        stream->blocks = index + 1;
    return index;
}

static void read_choice(struct dialect_stream *stream, struct json choice,
                        struct dialect_event *event)
{
    struct json key, value, delta = {0}, text = {0};
    int64_t index = 0;
    for (size_t at = 0; choice.type == JSON_OBJECT && json_next(choice, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "delta") || CHAT_KEY_IS(key, "message")) {
            delta = value;
        } else if (CHAT_KEY_IS(key, "text") && value.type == JSON_STRING) {
            text = value;
        } else if (CHAT_KEY_IS(key, "index")) {
            index = read_index(stream, value);
        } else if (CHAT_KEY_IS(key, "finish_reason")) {
            event->finishes = value.type == JSON_STRING;
            event->finish_word = event->finishes ? value.raw : (struct slice){0};
        } else if (CHAT_KEY_IS(key, "usage") && !event->has_usage &&
                   chat_usage(value, &event->usage)) {
            event->has_usage = true;
            event->usage_object = value;
        }
    }
    read_delta(delta, index, event);
    if (text.type == JSON_STRING)
        read_text(text, dialect_text_of(index, 0, DIALECT_TEXT_SHOWN), event);
}

static void read_choices(struct dialect_stream *stream, struct json choices,
                         struct dialect_event *event)
{
    struct json choice;
    for (size_t at = 0; json_next(choices, &at, NULL, &choice);) {
        event->only_usage = false;
        read_choice(stream, choice, event);
    }
}

static void read_top_usage(struct json usage, struct dialect_event *event)
{
    struct pricing_usage u;
    if (!chat_usage(usage, &u))
        return;
    event->has_usage = true;
    event->usage = u;
    event->usage_object = usage;
}

/* What the stream is called, for an end of ours. */
static void read_name(struct dialect_stream *stream, struct json key, struct json value)
{
    if (value.type == JSON_STRING && CHAT_KEY_IS(key, "id"))
        chat_copy(value, stream->id);
    else if (value.type == JSON_STRING && CHAT_KEY_IS(key, "model"))
        chat_copy(value, stream->model);
    else if (value.type == JSON_NUMBER && CHAT_KEY_IS(key, "created") &&
             json_integer(value, &stream->created))
        stream->created = 0;
}

/* Beside what is said once a stream: what changes from one event to the next. */
static bool is_padding(struct json key, struct json value)
{
    return (value.type == JSON_STRING && CHAT_KEY_IS(key, "obfuscation")) ||
           (value.type == JSON_NUMBER && CHAT_KEY_IS(key, "created"));
}

static void read_chunk(struct dialect_stream *stream, struct json chunk,
                       struct dialect_event *event)
{
    struct json key, value, late = {0};
    bool first = !stream->begun, known = false;
    event->kind = DIALECT_CHUNK;
    event->only_usage = event->texts_are_all = true;
    for (size_t at = 0; json_next(chunk, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "choices")) {
            known = true;
            if (value.type == JSON_ARRAY)
                read_choices(stream, value, event);
        } else if (CHAT_KEY_IS(key, "usage")) {
            read_top_usage(value, event);
        } else if (CHAT_KEY_IS(key, "x_groq")) {
            late = json_member(value, "usage");
        } else if (CHAT_KEY_IS(key, "error") && value.type != JSON_NULL) {
            event->failed = true;
        } else if (CHAT_KEY_IS(key, "service_tier")) {
            stream->service = openai_service(value);
        } else if (first) {
            read_name(stream, key, value);
        } else if (is_padding(key, value)) {
            dialect_add_spot(event, DIALECT_SPOT_NOTHING, value.raw);
        }
    }
    stream->begun = true;
    if (!event->has_usage && late.type == JSON_OBJECT)
        read_top_usage(late, event);
    event->usage.service = stream->service;
    if (!known && !event->has_usage && !event->failed) {
        event->output_bytes = (int64_t)chunk.raw.len;
        event->texts_are_all = false;
    }
    event->only_usage = event->only_usage && event->has_usage && !event->failed;
    event->finishes = event->finishes || event->only_usage;
    if (!known || event->has_usage || event->finishes || event->failed)
        event->spots_len = 0;
}

void chat_read_event(struct dialect_stream *stream, const struct frame *event,
                     struct dialect_event *ret_event)
{
    struct json chunk;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    if (slice_is(event->data, "[DONE]")) {
        ret_event->kind = DIALECT_FINAL;
    } else if (json_scan(event->data, &chunk, NULL) || chunk.type != JSON_OBJECT) {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
    } else {
        read_chunk(stream, chunk, ret_event);
    }
}

/* Where cost goes: in place of a cost that is there, else before the closing brace. */
static struct slice cost_place(struct json usage, const char **ret_before)
{
    struct json key, value;
    bool any = false;
    for (size_t at = 0; json_next(usage, &at, &key, &value);) {
        any = true;
        if (CHAT_KEY_IS(key, "cost")) {
            *ret_before = "";
            return value.raw;
        }
    }
    *ret_before = any ? ",\"cost\":" : "\"cost\":";
    return (struct slice){usage.raw.data + usage.raw.len - 1, 0};
}

int chat_write_cost(struct slice raw, struct json usage_object, struct slice cost,
                    struct buffer *out)
{
    const char *before;
    if (usage_object.type != JSON_OBJECT || usage_object.raw.data < raw.data ||
        usage_object.raw.data + usage_object.raw.len > raw.data + raw.len)
        return METE_E_INVALID;
    struct slice place = cost_place(usage_object, &before);
    size_t at = (size_t)(place.data - raw.data);
    int rc = buffer_append(out, slice_part(raw, 0, at));
    if (!rc)
        rc = buffer_text(out, before);
    if (!rc)
        rc = buffer_append(out, cost);
    return rc ? rc : buffer_append(out, slice_from(raw, at + place.len));
}

/* ---- Ends of ours ---------------------------------------------------------------------------- */

int chat_write_usage(struct buffer *out, const struct pricing_usage *usage, struct slice cost)
{
    int rc =
        buffer_format(out,
                      "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
                      "\"prompt_tokens_details\":{\"cached_tokens\":%lld},"
                      "\"completion_tokens_details\":{\"reasoning_tokens\":%lld}",
                      (long long)usage->input, (long long)usage->output,
                      (long long)(usage->input + usage->output), (long long)usage->cached_input,
                      (long long)usage->reasoning);
    if (!rc && cost.len)
        rc = buffer_text(out, ",\"cost\":");
    if (!rc && cost.len)
        rc = buffer_append(out, cost);
    return rc ? rc : buffer_text(out, "}");
}

/* data: {"id":...,"object":...,"created":...,"model":..., as every chunk begins. */
int chat_write_head(const struct dialect_stream *stream, struct buffer *out)
{
    int rc = buffer_text(out, "data: {\"id\":");
    if (!rc)
        rc = json_quote(out, slice_of(stream->id[0] ? stream->id : "chatcmpl-mete"));
    if (!rc)
        rc = buffer_format(out, ",\"object\":\"chat.completion.chunk\",\"created\":%lld,\"model\":",
                           (long long)stream->created);
    return rc ? rc : json_quote(out, slice_of(stream->model));
}

static int write_finish(const struct dialect_stream *stream, int64_t index, struct buffer *out)
{
    int rc = chat_write_head(stream, out);
    return rc ? rc
              : buffer_format(out,
                              ",\"choices\":[{\"index\":%lld,\"delta\":{},\"finish_reason\":"
                              "\"%s\"}]}\n\n",
                              (long long)index, chat_finish_word(stream->finish));
}

static int write_last_usage(const struct dialect_stream *stream, const struct pricing_usage *usage,
                            struct slice cost, struct buffer *out)
{
    int rc = chat_write_head(stream, out);
    if (!rc)
        rc = buffer_text(out, ",\"choices\":[],\"usage\":");
    if (!rc)
        rc = chat_write_usage(out, usage, cost);
    return rc ? rc : buffer_text(out, "}\n\n");
}

int chat_write_comment(struct slice cost, struct buffer *out)
{
    int rc = buffer_text(out, ": mete-cost ");
    if (!rc)
        rc = buffer_append(out, cost);
    return rc ? rc : buffer_text(out, "\n\n");
}

int chat_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                   struct slice cost, bool wants_usage, struct buffer *out)
{
    int rc = 0;
    for (int64_t i = 0; i < max_i64(stream->blocks, 1) && !rc; i++)
        rc = write_finish(stream, i, out);
    if (!rc && wants_usage)
        rc = write_last_usage(stream, usage, cost, out);
    else if (!rc && cost.len)
        rc = chat_write_comment(cost, out);
    stream->ended = true;
    return rc ? rc : buffer_text(out, "data: [DONE]\n\n");
}

int chat_write_break(struct dialect_stream *stream, const struct dialect_error *error,
                     struct buffer *out)
{
    stream->ended = true;
    int rc = buffer_text(out, "data: ");
    if (!rc)
        rc = chat_write_error(out, error);
    return rc ? rc : buffer_text(out, "\n\n");
}
