/* SPDX-License-Identifier: Apache-2.0
 * Messages answers read as deltas, whole or streamed, and written from them.
 *
 *   text      SAY       tool_use           OPEN, ARGUE
 *   thinking  THINK     stop_reason        FINISH
 *
 * Blocks of the provider's own tools are passed over: a request that is translated has none.
 * A stream's call without arguments is told {} at its end: elsewhere nothing is not an object.
 *
 * STATE   reading: open, parts[ARGUED] whether the open call had arguments
 *         writing: open, blocks; a delta of another kind than the open block ends that one */
#include "dialect/chat.h"
#include "dialect/json_put.h"
#include "dialect/messages.h"

enum { ARGUED = 0 };

/* ---- Answers are read ------------------------------------------------------------------------ */

static int tell(struct neutral_sink *sink, struct neutral_delta delta)
{
    return sink->fn(sink->user, &delta);
}

static int tell_text(struct neutral_sink *sink, enum neutral_what what, struct json text)
{
    bool any = text.type == JSON_STRING && text.raw.len > 2;
    return any ? tell(sink, (struct neutral_delta){.what = what, .text = text.raw}) : 0;
}

static int tell_signature(struct neutral_sink *sink, struct json signature)
{
    bool any = signature.type == JSON_STRING && signature.raw.len > 2;
    return any ? tell(sink,
                      (struct neutral_delta){.what = NEUTRAL_THINK, .signature = signature.raw})
               : 0;
}

static int tell_open(struct neutral_sink *sink, struct json block)
{
    const struct neutral_delta delta = {.what = NEUTRAL_OPEN,
                                        .id = neutral_string(json_member(block, "id")),
                                        .name = neutral_string(json_member(block, "name"))};
    return delta.id.len && delta.name.len ? tell(sink, delta) : METE_E_SYNTAX;
}

static int tell_input(struct neutral_sink *sink, struct slice object)
{
    return tell(sink, (struct neutral_delta){.what = NEUTRAL_ARGUE, .input = {object, false}});
}

static int tell_begin(struct neutral_sink *sink, struct json message)
{
    return tell(sink,
                (struct neutral_delta){.what = NEUTRAL_BEGIN,
                                       .id = neutral_string(json_member(message, "id")),
                                       .model = neutral_string(json_member(message, "model"))});
}

static int tell_finish(struct neutral_sink *sink, struct json reason)
{
    if (reason.type != JSON_STRING)
        return 0;
    return tell(sink,
                (struct neutral_delta){.what = NEUTRAL_FINISH, .finish = messages_finish(reason)});
}

static int read_block(struct json block, struct neutral_sink *sink)
{
    struct json type = json_member(block, "type"), input = json_member(block, "input");
    if (json_string_is(type, "text"))
        return tell_text(sink, NEUTRAL_SAY, json_member(block, "text"));
    if (json_string_is(type, "thinking")) {
        int rc = tell_text(sink, NEUTRAL_THINK, json_member(block, "thinking"));
        return rc ? rc : tell_signature(sink, json_member(block, "signature"));
    }
    if (!json_string_is(type, "tool_use"))
        return 0;
    int rc = tell_open(sink, block);
    return rc ? rc : tell_input(sink, input.type == JSON_OBJECT ? input.raw : SLICE_LITERAL("{}"));
}

int messages_read_whole(struct slice body, struct neutral_sink *sink)
{
    struct json whole, block;
    if (json_scan(body, &whole, NULL))
        return METE_E_SYNTAX;
    struct json content = json_member(whole, "content");
    if (content.type != JSON_ARRAY)
        return METE_E_SYNTAX;
    int rc = tell_begin(sink, whole);
    for (size_t at = 0; !rc && json_next(content, &at, NULL, &block);)
        rc = read_block(block, sink);
    return rc ? rc : tell_finish(sink, json_member(whole, "stop_reason"));
}

/* ---- Events are read ------------------------------------------------------------------------- */

static int read_start(struct dialect_stream *stream, struct json block, struct neutral_sink *sink)
{
    struct json type = json_member(block, "type"), input = json_member(block, "input");
    stream->open = DIALECT_NOTHING;
    if (json_string_is(type, "text")) {
        stream->open = DIALECT_TEXT;
        return tell_text(sink, NEUTRAL_SAY, json_member(block, "text"));
    }
    if (json_string_is(type, "thinking")) {
        stream->open = DIALECT_THINKING;
        return tell_text(sink, NEUTRAL_THINK, json_member(block, "thinking"));
    }
    if (!json_string_is(type, "tool_use"))
        return 0;
    stream->open = DIALECT_CALL;
    stream->parts[ARGUED] = input.type == JSON_OBJECT && input.raw.len > 2;
    int rc = tell_open(sink, block);
    return rc || !stream->parts[ARGUED] ? rc : tell_input(sink, input.raw);
}

static int read_piece(struct dialect_stream *stream, struct json piece, struct neutral_sink *sink)
{
    struct json type = json_member(piece, "type"), part = json_member(piece, "partial_json");
    if (stream->open == DIALECT_TEXT && json_string_is(type, "text_delta"))
        return tell_text(sink, NEUTRAL_SAY, json_member(piece, "text"));
    if (stream->open == DIALECT_THINKING && json_string_is(type, "thinking_delta"))
        return tell_text(sink, NEUTRAL_THINK, json_member(piece, "thinking"));
    if (stream->open == DIALECT_THINKING && json_string_is(type, "signature_delta"))
        return tell_signature(sink, json_member(piece, "signature"));
    if (stream->open != DIALECT_CALL || part.type != JSON_STRING || part.raw.len <= 2)
        return 0;
    stream->parts[ARGUED] = 1;
    return tell(sink, (struct neutral_delta){.what = NEUTRAL_ARGUE, .input = {part.raw, true}});
}

static int read_stop(struct dialect_stream *stream, struct neutral_sink *sink)
{
    bool silent = stream->open == DIALECT_CALL && !stream->parts[ARGUED];
    stream->open = DIALECT_NOTHING;
    return silent ? tell_input(sink, SLICE_LITERAL("{}")) : 0;
}

int messages_read_delta(struct dialect_stream *stream, const struct frame *event,
                        struct neutral_sink *sink)
{
    struct json whole;
    if (!event->has_data)
        return 0;
    if (json_scan(event->data, &whole, NULL))
        return METE_E_SYNTAX;
    struct json type = json_member(whole, "type");
    if (json_string_is(type, "content_block_delta"))
        return read_piece(stream, json_member(whole, "delta"), sink);
    if (json_string_is(type, "content_block_start"))
        return read_start(stream, json_member(whole, "content_block"), sink);
    if (json_string_is(type, "content_block_stop"))
        return read_stop(stream, sink);
    if (json_string_is(type, "message_start"))
        return tell_begin(sink, json_member(whole, "message"));
    if (json_string_is(type, "message_delta"))
        return tell_finish(sink, json_member(json_member(whole, "delta"), "stop_reason"));
    return 0;
}

/* ---- Streams are written --------------------------------------------------------------------- */

/* Ends the open block and begins one; block: the inside of its object. */
static void put_start(struct json_put *put, struct dialect_stream *stream, enum dialect_open kind)
{
    if (!put->rc)
        put->rc = messages_write_stop(stream, put->out);
    json_put_text(put, "event: content_block_start\n"
                       "data: {\"type\":\"content_block_start\",\"index\":");
    json_put_number(put, stream->blocks++);
    json_put_text(put, ",\"content_block\":{\"type\":");
    stream->open = kind;
}

static void put_delta(struct json_put *put, const struct dialect_stream *stream, const char *type,
                      const char *name)
{
    json_put_text(put, "event: content_block_delta\n"
                       "data: {\"type\":\"content_block_delta\",\"index\":");
    json_put_number(put, stream->blocks - 1);
    json_put_text(put, ",\"delta\":{\"type\":\"");
    json_put_text(put, type);
    json_put_text(put, "\",\"");
    json_put_text(put, name);
    json_put_text(put, "\":");
}

/* Whatever comes first begins the message, whether it has a name or not. */
static void put_begin(struct json_put *put, struct dialect_stream *stream,
                      const struct neutral_delta *delta)
{
    if (delta->what == NEUTRAL_BEGIN) {
        neutral_copy(delta->id, stream->id);
        neutral_copy(delta->model, stream->model);
    }
    put->rc = messages_write_start(stream, put->out);
}

static void put_say(struct json_put *put, struct dialect_stream *stream, struct slice text)
{
    if (text.len <= 2)
        return;
    if (stream->open != DIALECT_TEXT) {
        put_start(put, stream, DIALECT_TEXT);
        json_put_text(put, "\"text\",\"text\":\"\"}}\n\n");
    }
    put_delta(put, stream, "text_delta", "text");
    json_put_raw(put, text);
    json_put_text(put, "}}\n\n");
}

static void put_think(struct json_put *put, struct dialect_stream *stream,
                      const struct neutral_delta *delta)
{
    if (delta->text.len <= 2 && delta->signature.len <= 2)
        return;
    if (stream->open != DIALECT_THINKING) {
        put_start(put, stream, DIALECT_THINKING);
        json_put_text(put, "\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n");
    }
    if (delta->text.len > 2) {
        put_delta(put, stream, "thinking_delta", "thinking");
        json_put_raw(put, delta->text);
        json_put_text(put, "}}\n\n");
    }
    if (delta->signature.len > 2) { /* the last of its block */
        put_delta(put, stream, "signature_delta", "signature");
        json_put_raw(put, delta->signature);
        json_put_text(put, "}}\n\n");
        if (!put->rc)
            put->rc = messages_write_stop(stream, put->out);
    }
}

static void put_open(struct json_put *put, struct dialect_stream *stream,
                     const struct neutral_delta *delta)
{
    put_start(put, stream, DIALECT_CALL);
    json_put_text(put, "\"tool_use\",\"id\":");
    json_put_raw(put, delta->id);
    json_put_text(put, ",\"name\":");
    json_put_raw(put, delta->name);
    json_put_text(put, ",\"input\":{}}}\n\n");
}

static void put_argument(struct json_put *put, struct dialect_stream *stream,
                         struct neutral_json input)
{
    if (stream->open != DIALECT_CALL)
        put->rc = METE_E_SYNTAX;
    put_delta(put, stream, "input_json_delta", "partial_json");
    if (!put->rc)
        put->rc = neutral_write_piece(put->out, input);
    json_put_text(put, "}}\n\n");
}

int messages_write_delta(struct dialect_stream *stream, const struct neutral_delta *delta,
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
        put_say(&put, stream, delta->text);
        break;
    case NEUTRAL_THINK:
        put_think(&put, stream, delta);
        break;
    case NEUTRAL_OPEN:
        put_open(&put, stream, delta);
        break;
    case NEUTRAL_ARGUE:
        put_argument(&put, stream, delta->input);
        break;
    case NEUTRAL_FINISH:
        break;
    }
    return put.rc;
}

/* ---- Whole answers are written --------------------------------------------------------------- */

static void put_piece(struct json_put *put, const struct neutral_answer *answer,
                      const struct neutral_piece *piece)
{
    struct slice text = neutral_answer_text(answer, piece->text, piece->text_len);
    struct slice signature = neutral_answer_text(answer, piece->signature, piece->signature_len);
    if (piece->kind == NEUTRAL_CALL) {
        json_put_text(put, "{\"type\":\"tool_use\",\"id\":");
        json_put_raw(put, neutral_answer_text(answer, piece->id, piece->id_len));
        json_put_text(put, ",\"name\":");
        json_put_raw(put, neutral_answer_text(answer, piece->name, piece->name_len));
        json_put_text(put, ",\"input\":");
        if (!put->rc)
            put->rc = messages_write_input(put->out, (struct neutral_json){text, false});
        json_put_text(put, "}");
        return;
    }
    bool thinks = piece->kind == NEUTRAL_THINKING;
    json_put_text(put, thinks ? "{\"type\":\"thinking\",\"thinking\":\""
                              : "{\"type\":\"text\",\"text\":\"");
    json_put_raw(put, text);
    json_put_text(put, thinks ? "\",\"signature\":" : "\"}");
    if (!thinks)
        return;
    json_put_raw(put, signature.len ? signature : SLICE_LITERAL("\"\""));
    json_put_text(put, "}");
}

int messages_write_answer(const struct neutral_answer *answer, const struct pricing_usage *usage,
                          struct buffer *out)
{
    struct json_put put = {out, 0};
    const struct dialect_stream *stream = &answer->stream;
    json_put_text(&put, "{\"id\":");
    json_put_quoted(&put, slice_of(stream->id[0] ? stream->id : "msg_mete"));
    json_put_text(&put, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    json_put_quoted(&put, slice_of(stream->model));
    json_put_text(&put, ",\"content\":[");
    for (size_t i = 0; i < answer->pieces_len; i++) {
        json_put_text(&put, i ? "," : "");
        put_piece(&put, answer, &answer->pieces[i]);
    }
    json_put_text(&put, "],\"stop_reason\":\"");
    json_put_text(&put, messages_finish_word(stream->finish));
    json_put_text(&put, "\",\"stop_sequence\":null,\"usage\":");
    if (!put.rc)
        put.rc = messages_write_usage(out, usage, (struct slice){0});
    json_put_text(&put, "}");
    return put.rc;
}
