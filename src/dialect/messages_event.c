/* SPDX-License-Identifier: Apache-2.0
 * One event of a messages stream: what it is, what it shows, what usage it reports.
 *
 *   message_start        id, model, and usage so far          goes on
 *   content_block_start  a block opens: text, thinking, tool_use, what a tool of theirs said, ...
 *   content_block_delta  a piece of it
 *   content_block_stop   it is over
 *   message_delta        why it ends, and usage               finishes
 *   message_stop         the last one
 *   ping                 keep-alive
 *   error                the provider failed
 *   message              a whole answer, not streamed
 *
 * An event is told by the type in its data; its event: line says the same.
 * OUTPUT BYTES  of every string in a piece, so no fewer than its tokens, but for what the model did
 *   not make: signatures, what a tool of the provider's said, the text of a citation.
 * TEXTS  of blocks of text and thought, and of the names and input of calls. Not told, so that
 * bytes are what is known of a stream with them: citations, thoughts that are sealed, the input of
 * a call that opens with it. Whether what is thought is shown as it was is the request's to say.
 * USAGE  each figure overrides the one before it: parts[] holds them. */
#include "dialect/messages.h"

#include "dialect/chat.h"
#include "dialect/json_put.h"

_Static_assert(MESSAGES_FIGURES <= sizeof((struct dialect_stream *)0)->parts / sizeof(int64_t),
               "all figures are kept");

enum dialect_finish messages_finish(struct json reason)
{
    if (json_string_is(reason, "max_tokens") ||
        json_string_is(reason, "model_context_window_exceeded"))
        return DIALECT_LENGTH;
    if (json_string_is(reason, "tool_use"))
        return DIALECT_TOOLS;
    return json_string_is(reason, "refusal") ? DIALECT_FILTERED : DIALECT_STOP;
}

const char *messages_finish_word(enum dialect_finish finish)
{
    static const char *const words[] = {
        [DIALECT_STOP] = "end_turn",
        [DIALECT_LENGTH] = "max_tokens",
        [DIALECT_TOOLS] = "tool_use",
        [DIALECT_FILTERED] = "refusal",
    };
    return words[finish];
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int64_t bytes_of(struct json value)
{
    if (value.type == JSON_STRING)
        return (int64_t)json_string_bytes(value);
    return value.type == JSON_OBJECT || value.type == JSON_ARRAY ? (int64_t)value.raw.len : 0;
}

/* Of a citation the model makes where it points to: its text is the document's. */
static int64_t citation_bytes(struct json citation)
{
    struct json key, value;
    int64_t bytes = 0;
    for (size_t at = 0; citation.type == JSON_OBJECT && json_next(citation, &at, &key, &value);)
        bytes += CHAT_KEY_IS(key, "cited_text") || CHAT_KEY_IS(key, "encrypted_index")
                     ? 0
                     : bytes_of(value);
    return bytes;
}

/* Which text of its block a delta's string goes on. False: of none. */
static bool kind_of(struct json key, enum dialect_text_kind *ret_kind)
{
    *ret_kind = CHAT_KEY_IS(key, "thinking")       ? DIALECT_TEXT_REASONING
                : CHAT_KEY_IS(key, "partial_json") ? DIALECT_TEXT_ARGUMENTS
                                                   : DIALECT_TEXT_SHOWN;
    return *ret_kind != DIALECT_TEXT_SHOWN || CHAT_KEY_IS(key, "text");
}

/* One string of a block; event->texts_are_all as long as each was told. */
static void read_text(struct json key, struct json value, int64_t block,
                      struct dialect_event *event)
{
    enum dialect_text_kind kind;
    event->output_bytes += bytes_of(value);
    if (value.type == JSON_STRING)
        dialect_add_spot(event, DIALECT_SPOT_TEXT, value.raw);
    if (value.type == JSON_STRING && kind_of(key, &kind))
        dialect_add_text(event, dialect_text_of(0, block, kind), value.raw);
    else if (bytes_of(value))
        event->texts_are_all = false;
}

static void read_delta(struct json delta, int64_t block, struct dialect_event *event)
{
    struct json key, value;
    event->texts_are_all = true;
    for (size_t at = 0; delta.type == JSON_OBJECT && json_next(delta, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "citation")) {
            event->output_bytes += citation_bytes(value);
            event->texts_are_all = false;
        } else if (!CHAT_KEY_IS(key, "type") && !CHAT_KEY_IS(key, "signature")) {
            read_text(key, value, block, event);
        }
    }
}

/* Anthropic pads its events with spaces before the last brace. */
static void read_padding(struct json whole, struct dialect_event *event)
{
    const char *end = whole.raw.data + whole.raw.len - 1, *at = end;
    while (at[-1] == ' ')
        at--;
    dialect_add_spot(event, DIALECT_SPOT_NOTHING, (struct slice){at, (size_t)(end - at)});
}

static int64_t index_of(struct json whole)
{
    int64_t index;
    bool good = !json_integer(json_member(whole, "index"), &index) && index >= 0;
    return good && index < INT32_MAX ? index : -1;
}

/* A block may open with something in it. What a tool of the provider's said is input. */
static void read_block(struct json block, int64_t index, struct dialect_event *event)
{
    struct json key, value;
    event->texts_are_all = true;
    for (size_t at = 0; block.type == JSON_OBJECT && json_next(block, &at, &key, &value);) {
        enum dialect_text_kind kind;
        bool name = CHAT_KEY_IS(key, "name"), input = CHAT_KEY_IS(key, "input");
        bool text = !name && !input && kind_of(key, &kind);
        if (!name && !input && !text) {
            event->texts_are_all = event->texts_are_all && !CHAT_KEY_IS(key, "data");
            continue;
        }
        event->output_bytes += bytes_of(value);
        if (value.type == JSON_STRING && !input)
            dialect_add_text(event, dialect_text_of(0, index, name ? DIALECT_TEXT_NAME : kind),
                             value.raw);
        else if (bytes_of(value) > 2) /* {}: it comes in pieces */
            event->texts_are_all = false;
    }
}

static void open_block(struct dialect_stream *stream, struct json whole,
                       struct dialect_event *event)
{
    struct json block = json_member(whole, "content_block"), type = json_member(block, "type");
    int64_t index = index_of(whole);
    if (index >= 0)
        stream->blocks = index + 1;
    stream->open = json_string_is(type, "thinking")   ? DIALECT_THINKING
                   : json_string_is(type, "tool_use") ? DIALECT_CALL
                                                      : DIALECT_TEXT;
    read_block(block, max_i64(index, 0), event);
}

static void read_usage(struct dialect_stream *stream, struct json usage,
                       struct dialect_event *event)
{
    if (!messages_take_usage(usage, stream->parts, &stream->told) ||
        !messages_usage(stream->parts, stream->told, &stream->usage))
        return;
    event->has_usage = true;
    event->usage = stream->usage;
    event->usage_object = usage;
}

static void begin(struct dialect_stream *stream, struct json message, struct dialect_event *event)
{
    struct json id = json_member(message, "id"), model = json_member(message, "model");
    if (id.type == JSON_STRING)
        neutral_copy(id.raw, stream->id);
    if (model.type == JSON_STRING)
        neutral_copy(model.raw, stream->model);
    stream->begun = true;
    event->goes_on = true;
    read_usage(stream, json_member(message, "usage"), event);
}

static void finish(struct dialect_stream *stream, struct json whole, struct dialect_event *event)
{
    struct json reason = json_member(json_member(whole, "delta"), "stop_reason");
    if (reason.type == JSON_STRING) {
        stream->finish = messages_finish(reason);
        event->finishes = true;
    }
    event->goes_on = !event->finishes;
    read_usage(stream, json_member(whole, "usage"), event);
}

/* A whole answer: its texts. */
static void read_whole(struct json message, struct dialect_event *event)
{
    struct json block, content = json_member(message, "content");
    bool all = content.type == JSON_ARRAY;
    int64_t index = 0;
    for (size_t at = 0; json_next(content, &at, NULL, &block); index++) {
        read_block(block, index, event);
        all = all && event->texts_are_all;
    }
    event->texts_are_all = all;
}

static void read_typed(struct dialect_stream *stream, struct json whole, struct json type,
                       struct dialect_event *event)
{
    if (json_string_is(type, "content_block_delta")) {
        read_delta(json_member(whole, "delta"), max_i64(index_of(whole), 0), event);
        read_padding(whole, event);
    } else if (json_string_is(type, "content_block_start")) {
        open_block(stream, whole, event);
    } else if (json_string_is(type, "content_block_stop")) {
        stream->open = DIALECT_NOTHING;
    } else if (json_string_is(type, "message_start")) {
        begin(stream, json_member(whole, "message"), event);
    } else if (json_string_is(type, "message_delta")) {
        finish(stream, whole, event);
    } else if (json_string_is(type, "message_stop")) {
        event->kind = DIALECT_FINAL;
        stream->ended = true;
    } else if (json_string_is(type, "ping")) {
        event->kind = DIALECT_COMMENT;
    } else if (json_string_is(type, "error")) {
        event->failed = true;
    } else if (json_string_is(type, "message")) {
        read_whole(whole, event);
    }
}

void messages_read_event(struct dialect_stream *stream, const struct frame *event,
                         struct dialect_event *ret_event)
{
    struct json whole;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    struct json type = {0};
    if (!json_scan(event->data, &whole, NULL))
        type = json_member(whole, "type");
    if (type.type != JSON_STRING) {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
        return;
    }
    ret_event->kind = DIALECT_CHUNK;
    read_typed(stream, whole, type, ret_event);
}

/* ---- Ends of ours ---------------------------------------------------------------------------- */

int messages_write_start(struct dialect_stream *stream, struct buffer *out)
{
    struct json_put put = {out, 0};
    const struct pricing_usage none = {0};
    json_put_text(&put, "event: message_start\n"
                        "data: {\"type\":\"message_start\",\"message\":{\"id\":");
    json_put_quoted(&put, slice_of(stream->id[0] ? stream->id : "msg_mete"));
    json_put_text(&put, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    json_put_quoted(&put, slice_of(stream->model));
    json_put_text(&put, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
    if (!put.rc)
        put.rc = messages_write_usage(out, &none, (struct slice){0});
    json_put_text(&put, "}}\n\n");
    stream->begun = true;
    return put.rc;
}

int messages_write_stop(struct dialect_stream *stream, struct buffer *out)
{
    if (stream->open == DIALECT_NOTHING)
        return 0;
    stream->open = DIALECT_NOTHING;
    return buffer_format(out,
                         "event: content_block_stop\n"
                         "data: {\"type\":\"content_block_stop\",\"index\":%lld}\n\n",
                         (long long)max_i64(stream->blocks - 1, 0));
}

int messages_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                       struct slice cost, bool wants_usage, struct buffer *out)
{
    struct json_put put = {out, 0};
    (void)wants_usage;
    if (!stream->begun)
        put.rc = messages_write_start(stream, out);
    if (!put.rc)
        put.rc = messages_write_stop(stream, out);
    json_put_text(&put, "event: message_delta\n"
                        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"");
    json_put_text(&put, messages_finish_word(stream->finish));
    json_put_text(&put, "\",\"stop_sequence\":null},\"usage\":");
    if (!put.rc)
        put.rc = messages_write_usage(out, usage, cost);
    json_put_text(&put, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    stream->ended = true;
    return put.rc;
}

int messages_write_break(struct dialect_stream *stream, const struct dialect_error *error,
                         struct buffer *out)
{
    stream->ended = true;
    int rc = buffer_text(out, "event: error\ndata: ");
    if (!rc)
        rc = messages_write_error(out, error);
    return rc ? rc : buffer_text(out, "\n\n");
}
