/* SPDX-License-Identifier: Apache-2.0
 * One event of a responses stream: what it is, what it shows, what usage it reports, and what of it
 * must be known to end the stream at this point.
 *
 *   response.created, .in_progress, .queued      the response object, not finished
 *   response.output_item.added                   an item opens
 *     response.content_part.added, ...           a part of it
 *       response.output_text.delta, ...          a piece of its text: what is counted as output
 *     response.content_part.done, ...
 *   response.output_item.done
 *   response.completed, .incomplete, .failed     the response object, with usage: nothing follows
 *   error                                        {"code","message","param"}
 *   [DONE]                                       of some who resemble OpenAI
 *   (no type)                                    an answer that came whole: its texts
 *
 * OUTPUT BYTES  those of every delta; an item that had none, but for the item itself, counts whole.
 * TEXTS        of the deltas that a model writes, and the names of its calls. A summary of
 * reasoning and what a tool of the provider's does are none; nor is an item that had no delta told.
 * The usage of the last event gets the cost. Items may overlap (OpenRouter ends its reasoning after
 * its answer): an end of ours knows the one that opened last. */
#include "dialect/responses.h"

#include "dialect/chat.h"

enum { ITEM_BYTES = 0 }; /* of stream->parts: bytes of text since the item opened */

struct seen {
    struct json type, response, item, part, delta, number, padding;
    int64_t index;   /* of the item; -1: not told */
    int64_t content; /* of the part within it; 0: the first, or not told */
};

static void read_members(struct json event, struct seen *seen)
{
    struct json key, value;
    *seen = (struct seen){.index = -1};
    for (size_t at = 0; json_next(event, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "type"))
            seen->type = value;
        else if (CHAT_KEY_IS(key, "response"))
            seen->response = value;
        else if (CHAT_KEY_IS(key, "item"))
            seen->item = value;
        else if (CHAT_KEY_IS(key, "output_index") && json_integer(value, &seen->index))
            seen->index = -1;
        else if (CHAT_KEY_IS(key, "content_index") && json_integer(value, &seen->content))
            seen->content = 0;
        else if (CHAT_KEY_IS(key, "part"))
            seen->part = value;
        else if (CHAT_KEY_IS(key, "delta"))
            seen->delta = value;
        else if (CHAT_KEY_IS(key, "sequence_number"))
            seen->number = value;
        else if (CHAT_KEY_IS(key, "obfuscation"))
            seen->padding = value;
    }
}

/* Whether it is of the item that opened last. (Ids may be others in every event: Copilot's are.) */
static bool is_of_open(const struct dialect_stream *stream, const struct seen *seen)
{
    return stream->open != DIALECT_NOTHING &&
           (seen->index < 0 || seen->index == stream->blocks - 1);
}

/* ---- Kinds of events ------------------------------------------------------------------------- */

static void read_begin(struct dialect_stream *stream, const struct seen *seen)
{
    struct responses_read read;
    responses_read_object(seen->response, &read);
    if (read.answer.id.len)
        chat_copy((struct json){JSON_STRING, read.answer.id}, stream->id);
    if (read.answer.model.len)
        chat_copy((struct json){JSON_STRING, read.answer.model}, stream->model);
    stream->created = read.created;
    stream->begun = true;
}

static void read_last(struct dialect_stream *stream, const struct seen *seen,
                      struct dialect_event *event)
{
    struct responses_read read;
    responses_read_object(seen->response, &read);
    event->finishes = event->may_be_last = true;
    event->failed = read.failed || json_string_is(seen->type, "response.failed");
    event->has_usage = read.answer.has_usage;
    event->usage = read.answer.usage;
    event->usage_object = read.usage;
    responses_keep_none(stream);
}

/* Parts of an item are texts of their own. */
static uint32_t text_of(const struct seen *seen, enum dialect_text_kind kind)
{
    enum { PARTS = 64 };
    return dialect_text_of(0, max_i64(seen->index, 0) * PARTS + seen->content % PARTS, kind);
}

static void read_item(struct dialect_stream *stream, const struct seen *seen,
                      struct dialect_event *event)
{
    struct json name = json_member(seen->item, "name");
    if (name.type == JSON_STRING) {
        event->texts_are_all = true;
        dialect_add_text(event, text_of(seen, DIALECT_TEXT_NAME), name.raw);
    }
    stream->parts[ITEM_BYTES] = 0;
    stream->blocks =
        seen->index >= 0 && seen->index < INT32_MAX ? seen->index + 1 : stream->blocks + 1;
    responses_keep_item(stream, seen->item);
}

static void read_item_done(struct dialect_stream *stream, const struct seen *seen,
                           struct dialect_event *event)
{
    if (!stream->parts[ITEM_BYTES])
        event->output_bytes = (int64_t)seen->item.raw.len;
    event->texts_are_all = json_string_is(json_member(seen->item, "type"), "reasoning");
    stream->parts[ITEM_BYTES] = 0;
    if (seen->item.type != JSON_OBJECT)
        responses_keep_none(stream);
    else if (is_of_open(stream, seen) || stream->open == DIALECT_NOTHING)
        responses_keep_done(stream, seen->item.raw);
}

static void count(struct dialect_stream *stream, struct json number)
{
    int64_t n;
    bool good = !json_integer(number, &n) && n >= 0 && n < INT64_MAX;
    stream->sequence = good ? n + 1 : stream->sequence + 1;
}

static void add_text_bytes(struct dialect_stream *stream, int64_t bytes)
{
    stream->parts[ITEM_BYTES] = min_i64(stream->parts[ITEM_BYTES] + bytes, INT32_MAX);
}

/* A piece of the text of what is open is one of many. */
static void tell_spots(const struct seen *seen, struct dialect_event *event)
{
    if (seen->number.type != JSON_NUMBER)
        return;
    dialect_add_spot(event, DIALECT_SPOT_TEXT, seen->delta.raw);
    dialect_add_spot(event, DIALECT_SPOT_NUMBER, seen->number.raw);
    if (seen->padding.type == JSON_STRING)
        dialect_add_spot(event, DIALECT_SPOT_NOTHING, seen->padding.raw);
}

void responses_read_spot(struct dialect_stream *stream, const struct dialect_spot *spot,
                         int64_t bytes)
{
    if (spot->kind == DIALECT_SPOT_NUMBER) {
        count(stream, (struct json){JSON_NUMBER, spot->raw});
    } else {
        add_text_bytes(stream, bytes);
        responses_keep_text(stream, spot->raw);
    }
}

/* Whose tokens a delta's string is made of. */
static void read_text(const struct seen *seen, struct dialect_event *event)
{
    static const struct {
        const char *type;
        enum dialect_text_kind kind;
    } kinds[] = {
        {"response.output_text.delta", DIALECT_TEXT_SHOWN},
        {"response.refusal.delta", DIALECT_TEXT_SHOWN},
        {"response.reasoning_text.delta", DIALECT_TEXT_REASONING},
        {"response.function_call_arguments.delta", DIALECT_TEXT_ARGUMENTS},
        {"response.custom_tool_call_input.delta", DIALECT_TEXT_ARGUMENTS},
    };
    event->texts_are_all = json_string_is(seen->type, "response.reasoning_summary_text.delta");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!json_string_is(seen->type, kinds[i].type))
            continue;
        event->texts_are_all = true;
        dialect_add_text(event, text_of(seen, kinds[i].kind), seen->delta.raw);
        return;
    }
}

static void read_delta(struct dialect_stream *stream, const struct seen *seen,
                       struct dialect_event *event)
{
    event->output_bytes = seen->delta.type == JSON_STRING ? (int64_t)json_string_bytes(seen->delta)
                                                          : (int64_t)seen->delta.raw.len;
    add_text_bytes(stream, event->output_bytes);
    if (seen->delta.type == JSON_STRING)
        read_text(seen, event);
    if (seen->delta.type == JSON_STRING && is_of_open(stream, seen)) {
        responses_keep_text(stream, seen->delta.raw);
        tell_spots(seen, event);
    }
}

/* ---- A whole answer -------------------------------------------------------------------------- */

static void add_string(struct json text, int64_t item, int64_t part, enum dialect_text_kind kind,
                       struct dialect_event *event)
{
    const struct seen place = {.index = item, .content = part};
    if (text.type == JSON_STRING)
        dialect_add_text(event, text_of(&place, kind), text.raw);
}

static void read_content(struct json item, int64_t index, enum dialect_text_kind kind,
                         struct dialect_event *event)
{
    struct json part;
    int64_t place = 0;
    struct json content = json_member(item, "content");
    for (size_t at = 0; json_next(content, &at, NULL, &part); place++) {
        add_string(json_member(part, "text"), index, place, kind, event);
        add_string(json_member(part, "refusal"), index, place, kind, event);
    }
}

static void read_output(struct json output, struct dialect_event *event)
{
    struct json item;
    int64_t index = 0;
    event->texts_are_all = output.type == JSON_ARRAY;
    for (size_t at = 0; json_next(output, &at, NULL, &item); index++) {
        struct json type = json_member(item, "type");
        add_string(json_member(item, "name"), index, 0, DIALECT_TEXT_NAME, event);
        if (json_string_is(type, "message")) {
            read_content(item, index, DIALECT_TEXT_SHOWN, event);
        } else if (json_string_is(type, "reasoning")) {
            read_content(item, index, DIALECT_TEXT_REASONING, event);
        } else if (json_string_is(type, "function_call")) {
            add_string(json_member(item, "arguments"), index, 0, DIALECT_TEXT_ARGUMENTS, event);
        } else if (json_string_is(type, "custom_tool_call")) {
            add_string(json_member(item, "input"), index, 0, DIALECT_TEXT_ARGUMENTS, event);
        } else {
            event->texts_are_all = false;
        }
    }
}

/* ---- Which it is ----------------------------------------------------------------------------- */

enum kind { BEGINS, LAST, ITEM, ITEM_DONE, PART, PART_DONE, ERROR, NO_KIND };

static enum kind kind_of(struct json type)
{
    static const struct {
        const char *type;
        enum kind kind;
    } kinds[] = {
        {"response.created", BEGINS},
        {"response.in_progress", BEGINS},
        {"response.queued", BEGINS},
        {"response.completed", LAST},
        {"response.incomplete", LAST},
        {"response.failed", LAST},
        {"response.cancelled", LAST},
        {"response.output_item.added", ITEM},
        {"response.output_item.done", ITEM_DONE},
        {"response.content_part.added", PART},
        {"response.reasoning_summary_part.added", PART},
        {"response.content_part.done", PART_DONE},
        {"response.reasoning_summary_part.done", PART_DONE},
        {"error", ERROR},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (json_string_is(type, kinds[i].type))
            return kinds[i].kind;
    return NO_KIND;
}

static void read_kind(struct dialect_stream *stream, const struct seen *seen,
                      struct dialect_event *event)
{
    switch (kind_of(seen->type)) {
    case BEGINS:
        read_begin(stream, seen);
        break;
    case LAST:
        read_last(stream, seen, event);
        break;
    case ITEM:
        read_item(stream, seen, event);
        break;
    case ITEM_DONE:
        read_item_done(stream, seen, event);
        break;
    case PART:
        if (is_of_open(stream, seen))
            responses_keep_part(stream, responses_part_of(json_member(seen->part, "type")));
        break;
    case PART_DONE:
        if (is_of_open(stream, seen) && seen->part.type == JSON_OBJECT)
            responses_keep_part_done(stream, seen->part.raw);
        break;
    case ERROR:
        event->failed = event->may_be_last = true;
        break;
    case NO_KIND:
        if (seen->delta.type != JSON_NONE)
            read_delta(stream, seen, event);
        break;
    }
}

void responses_read_event(struct dialect_stream *stream, const struct frame *event,
                          struct dialect_event *ret_event)
{
    struct json whole;
    struct seen seen;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    ret_event->kind = DIALECT_CHUNK;
    if (slice_is(event->data, "[DONE]")) {
        ret_event->kind = DIALECT_FINAL;
    } else if (json_scan(event->data, &whole, NULL) || whole.type != JSON_OBJECT) {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
    } else {
        read_members(whole, &seen);
        count(stream, seen.number);
        read_kind(stream, &seen, ret_event);
        if (seen.type.type == JSON_NONE)
            read_output(json_member(whole, "output"), ret_event);
    }
}
