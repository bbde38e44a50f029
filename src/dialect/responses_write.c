/* SPDX-License-Identifier: Apache-2.0
 * Events of a responses stream that are made here: for an answer that is translated, and for the
 * end of any that is cut short. Clients add up what they are told, and take the response object of
 * the last event in its place: so that object has all of the output again, which is why it is kept
 * (responses.h).
 *
 * A stream that is cut ends as OpenAI ends one that has reached max_output_tokens: what is open is
 * closed (response.output_text.done, .content_part.done, .output_item.done with the status
 * "incomplete"), then comes response.incomplete with what was used. */
#include "dialect/responses.h"

#include "base/assert.h"
#include "dialect/chat.h"

/* ---- Parts of an item ------------------------------------------------------------------------ */

static const struct part_words {
    const char *type, *text, *rest;               /* {"type":TYPE,TEXT:"..."REST} */
    const char *list, *index;                     /* the item's member, and its index in events */
    const char *added, *delta, *done, *part_done; /* events */
} parts[] = {
    [RESPONSES_OUTPUT_TEXT] = {"output_text", "text", ",\"annotations\":[],\"logprobs\":[]",
                               "content", "content_index", "response.content_part.added",
                               "response.output_text.delta", "response.output_text.done",
                               "response.content_part.done"},
    [RESPONSES_REFUSAL] = {"refusal", "refusal", "", "content", "content_index",
                           "response.content_part.added", "response.refusal.delta",
                           "response.refusal.done", "response.content_part.done"},
    [RESPONSES_REASONING_TEXT] = {"reasoning_text", "text", "", "content", "content_index",
                                  "response.content_part.added", "response.reasoning_text.delta",
                                  "response.reasoning_text.done", "response.content_part.done"},
    [RESPONSES_SUMMARY_TEXT] = {"summary_text", "text", "", "summary", "summary_index",
                                "response.reasoning_summary_part.added",
                                "response.reasoning_summary_text.delta",
                                "response.reasoning_summary_text.done",
                                "response.reasoning_summary_part.done"},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

/* Items whose text stands in the item itself. */
static const struct item_words {
    const char *type, *member, *delta, *done;
} items[] = {
    {"function_call", "arguments", "response.function_call_arguments.delta",
     "response.function_call_arguments.done"},
    {"custom_tool_call", "input", "response.custom_tool_call_input.delta",
     "response.custom_tool_call_input.done"},
    {"mcp_call", "arguments", "response.mcp_call_arguments.delta",
     "response.mcp_call_arguments.done"},
    {"code_interpreter_call", "code", "response.code_interpreter_call_code.delta",
     "response.code_interpreter_call_code.done"},
};

enum { PARTS_DONE = 1 }; /* of stream->parts: parts of the open item that are over */

enum responses_part responses_part_of(struct json type)
{
    for (int i = 1; i < (int)PARTS; i++)
        if (json_string_is(type, parts[i].type))
            return (enum responses_part)i;
    return RESPONSES_NO_PART;
}

static const struct part_words *open_part(const struct dialect_stream *stream)
{
    return stream->told ? &parts[stream->told] : NULL;
}

/* ---- What is kept ---------------------------------------------------------------------------- */

/* Past its room nothing is kept, and nothing will be said again. Between the tokens of JSON a line
 * end may stand; in a line of a stream it may not. */
static void keep(struct dialect_stream *stream, struct slice bytes)
{
    struct buffer *said = stream->said;
    if (!said)
        return;
    if (buffer_append(said, bytes)) {
        buffer_clear(said);
        stream->said = NULL;
        return;
    }
    for (size_t i = said->len - bytes.len; i < said->len; i++)
        if (said->data[i] == '\n' || said->data[i] == '\r')
            said->data[i] = ' ';
}

static struct slice kept(const struct dialect_stream *stream, size_t from, size_t to)
{
    if (!stream->said || to > stream->said->len || from >= to)
        return (struct slice){0};
    return slice_part(buffer_slice(stream->said), from, to - from);
}

static void drop_from(struct dialect_stream *stream, size_t at)
{
    if (stream->said)
        stream->said->len = at;
}

static size_t kept_len(const struct dialect_stream *stream)
{
    return stream->said ? stream->said->len : 0;
}

static struct slice open_item(const struct dialect_stream *stream)
{
    return kept(stream, stream->said_open, stream->said_parts);
}

static const struct item_words *item_words_of(const struct dialect_stream *stream)
{
    struct json item;
    if (stream->open != DIALECT_CALL || json_scan(open_item(stream), &item, NULL))
        return NULL;
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        if (json_string_is(json_member(item, "type"), items[i].type))
            return &items[i];
    return NULL;
}

static enum dialect_open open_of(struct json type)
{
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        if (json_string_is(type, items[i].type))
            return DIALECT_CALL;
    return json_string_is(type, "message")     ? DIALECT_TEXT
           : json_string_is(type, "reasoning") ? DIALECT_THINKING
                                               : DIALECT_OTHER;
}

void responses_keep_none(struct dialect_stream *stream)
{
    if (stream->open != DIALECT_NOTHING)
        drop_from(stream, stream->said_open);
    stream->open = DIALECT_NOTHING;
    stream->told = RESPONSES_NO_PART;
    stream->item[0] = 0;
}

void responses_keep_item(struct dialect_stream *stream, struct json item)
{
    struct json id = json_member(item, "id");
    responses_keep_none(stream); /* if they overlap only the last one is known */
    stream->said_open = kept_len(stream);
    if (id.type == JSON_STRING)
        chat_copy(id, stream->item);
    stream->open = open_of(json_member(item, "type"));
    stream->parts[PARTS_DONE] = 0;
    if (item.type == JSON_OBJECT)
        keep(stream, item.raw);
    stream->said_parts = stream->said_text = kept_len(stream);
}

void responses_keep_done(struct dialect_stream *stream, struct slice item)
{
    drop_from(stream, stream->said_open);
    if (stream->said_open)
        keep(stream, SLICE_LITERAL(","));
    keep(stream, item);
    stream->said_open = kept_len(stream);
    stream->open = DIALECT_NOTHING;
    stream->told = RESPONSES_NO_PART;
    stream->item[0] = 0;
}

void responses_keep_part(struct dialect_stream *stream, enum responses_part part)
{
    if (stream->open == DIALECT_NOTHING)
        return;
    drop_from(stream, stream->said_text);
    stream->told = part;
}

void responses_keep_part_done(struct dialect_stream *stream, struct slice part)
{
    if (stream->open == DIALECT_NOTHING || !stream->told)
        return;
    drop_from(stream, stream->said_text);
    if (stream->said_text > stream->said_parts)
        keep(stream, SLICE_LITERAL(","));
    keep(stream, part);
    stream->said_text = kept_len(stream);
    stream->told = RESPONSES_NO_PART;
    stream->parts[PARTS_DONE]++;
}

void responses_keep_text(struct dialect_stream *stream, struct slice string)
{
    bool has_text = stream->told || stream->open == DIALECT_CALL;
    if (has_text && string.len > 2)
        keep(stream, slice_part(string, 1, string.len - 2));
}

/* Before the brace that ends the item. */
void responses_keep_signature(struct dialect_stream *stream, struct slice signature)
{
    struct buffer *said = stream->said;
    struct slice member = SLICE_LITERAL(",\"encrypted_content\":");
    size_t at = stream->said_parts - 1, more = member.len + signature.len;
    char *room;
    if (stream->open != DIALECT_THINKING || !open_item(stream).len)
        return;
    if (buffer_reserve(said, more, &room)) {
        buffer_clear(said);
        stream->said = NULL;
        return;
    }
    memmove(said->data + at + more, said->data + at, said->len - at);
    memcpy(said->data + at, member.data, member.len);
    memcpy(said->data + at + member.len, signature.data, signature.len);
    buffer_advance(said, more);
    stream->said_parts += more;
    stream->said_text += more;
}

/* ---- Response objects ------------------------------------------------------------------------ */

const char *responses_status(enum dialect_finish finish)
{
    return finish == DIALECT_LENGTH || finish == DIALECT_FILTERED ? "incomplete" : "completed";
}

void responses_put_head(const struct dialect_stream *stream, const char *status,
                        struct json_put *put)
{
    const char *why = strcmp(status, "incomplete") != 0    ? "null"
                      : stream->finish == DIALECT_FILTERED ? "{\"reason\":\"content_filter\"}"
                                                           : "{\"reason\":\"max_output_tokens\"}";
    json_put_text(put, "{\"id\":");
    json_put_quoted(put, slice_of(stream->id[0] ? stream->id : "resp_mete"));
    json_put_text(put, ",\"object\":\"response\",\"created_at\":");
    json_put_number(put, stream->created);
    json_put_text(put, ",\"status\":\"");
    json_put_text(put, status);
    json_put_text(put, "\",\"error\":null,\"incomplete_details\":");
    json_put_text(put, why);
    json_put_text(put, ",\"instructions\":null,\"max_output_tokens\":null,\"model\":");
    json_put_quoted(put, slice_of(stream->model));
    json_put_text(put, ",\"output\":[");
}

static void put_usage(struct json_put *put, const struct pricing_usage *usage, struct slice cost)
{
    json_put_text(put, "{\"input_tokens\":");
    json_put_number(put, usage->input);
    json_put_text(put, ",\"input_tokens_details\":{\"cached_tokens\":");
    json_put_number(put, usage->cached_input);
    json_put_text(put, "},\"output_tokens\":");
    json_put_number(put, usage->output);
    json_put_text(put, ",\"output_tokens_details\":{\"reasoning_tokens\":");
    json_put_number(put, usage->reasoning);
    json_put_text(put, "},\"total_tokens\":");
    json_put_number(put, usage->input + usage->output);
    if (cost.len) {
        json_put_text(put, ",\"cost\":");
        json_put_raw(put, cost);
    }
    json_put_text(put, "}");
}

void responses_put_tail(const struct pricing_usage *usage, struct slice cost, struct json_put *put)
{
    json_put_text(put, "],\"parallel_tool_calls\":true,\"previous_response_id\":null,"
                       "\"reasoning\":{\"effort\":null,\"summary\":null},\"temperature\":null,"
                       "\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\","
                       "\"tools\":[],\"top_p\":null,\"truncation\":\"disabled\",\"usage\":");
    if (usage)
        put_usage(put, usage, cost);
    else
        json_put_text(put, "null");
    json_put_text(put, ",\"user\":null,\"metadata\":{}}");
}

/* ---- Events ---------------------------------------------------------------------------------- */

void responses_put_event(struct dialect_stream *stream, const char *type, struct json_put *put)
{
    json_put_text(put, "event: ");
    json_put_text(put, type);
    json_put_text(put, "\ndata: {\"type\":\"");
    json_put_text(put, type);
    json_put_text(put, "\",\"sequence_number\":");
    json_put_number(put, stream->sequence++);
}

void responses_put_event_end(struct json_put *put)
{
    json_put_text(put, "}\n\n");
}

static void put_response(struct dialect_stream *stream, const char *type, const char *status,
                         struct json_put *put)
{
    responses_put_event(stream, type, put);
    json_put_text(put, ",\"response\":");
    responses_put_head(stream, status, put);
    responses_put_tail(NULL, (struct slice){0}, put);
    responses_put_event_end(put);
}

void responses_put_begin(struct dialect_stream *stream, struct json_put *put)
{
    put_response(stream, "response.created", "in_progress", put);
    put_response(stream, "response.in_progress", "in_progress", put);
    stream->begun = true;
}

/* ,"item_id":...,"output_index":N */
static void put_place(const struct dialect_stream *stream, struct json_put *put)
{
    json_put_text(put, ",\"item_id\":");
    json_put_quoted(put, slice_of(stream->item));
    json_put_text(put, ",\"output_index\":");
    json_put_number(put, max_i64(stream->blocks - 1, 0));
}

static void put_part_index(const struct dialect_stream *stream, const struct part_words *words,
                           struct json_put *put)
{
    json_put_text(put, ",\"");
    json_put_text(put, words->index);
    json_put_text(put, "\":");
    json_put_number(put, stream->parts[PARTS_DONE]);
}

/* ,"name":"text" with text the inside of a JSON string. */
static void put_text_member(struct json_put *put, const char *name, struct slice text)
{
    json_put_text(put, ",\"");
    json_put_text(put, name);
    json_put_text(put, "\":\"");
    json_put_raw(put, text);
    json_put_text(put, "\"");
}

static void put_part_object(struct json_put *put, const struct part_words *words, struct slice text)
{
    json_put_text(put, "{\"type\":\"");
    json_put_text(put, words->type);
    json_put_text(put, "\"");
    put_text_member(put, words->text, text);
    json_put_text(put, words->rest);
    json_put_text(put, "}");
}

/* ---- An item opens --------------------------------------------------------------------------- */

void responses_put_item_id(const struct dialect_stream *stream, int64_t number,
                           struct json_put *put)
{
    enum { PLAIN_MAX = 64 };
    struct slice id = slice_of(stream->id);
    size_t len = 0;
    for (; len < id.len && len < PLAIN_MAX; len++) {
        char c = id.data[len];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '_' || c == '-'))
            break;
    }
    json_put_raw(put, slice_part(id, 0, len));
    json_put_text(put, "_");
    json_put_number(put, number);
}

void responses_put_item(struct dialect_stream *stream, enum dialect_open open, const char *prefix,
                        const char *type, struct slice members, struct json_put *put)
{
    struct json item;
    responses_put_event(stream, "response.output_item.added", put);
    json_put_text(put, ",\"output_index\":");
    json_put_number(put, stream->blocks++);
    json_put_text(put, ",\"item\":");
    size_t at = put->out->len;
    json_put_text(put, "{\"id\":\"");
    json_put_text(put, prefix);
    responses_put_item_id(stream, stream->blocks, put);
    json_put_text(put, "\",\"type\":\"");
    json_put_text(put, type);
    json_put_text(put, "\",\"status\":\"in_progress\"");
    json_put_raw(put, members);
    json_put_text(put, "}");
    struct slice written = slice_from(buffer_slice(put->out), put->rc ? put->out->len : at);
    if (!put->rc && json_scan(written, &item, NULL))
        put->rc = METE_E_SYNTAX;
    if (!put->rc)
        responses_keep_item(stream, item);
    stream->open = open;
    responses_put_event_end(put);
}

void responses_put_part(struct dialect_stream *stream, enum responses_part part,
                        struct json_put *put)
{
    const struct part_words *words = &parts[part];
    responses_put_event(stream, words->added, put);
    put_place(stream, put);
    put_part_index(stream, words, put);
    json_put_text(put, ",\"part\":");
    put_part_object(put, words, (struct slice){0});
    responses_put_event_end(put);
    responses_keep_part(stream, part);
}

void responses_put_text(struct dialect_stream *stream, struct slice string, struct json_put *put)
{
    const struct part_words *words = open_part(stream);
    const struct item_words *call = words ? NULL : item_words_of(stream);
    if (!words && !call)
        return;
    responses_put_event(stream, words ? words->delta : call->delta, put);
    put_place(stream, put);
    if (words)
        put_part_index(stream, words, put);
    json_put_text(put, ",\"delta\":");
    json_put_raw(put, string);
    if (words == &parts[RESPONSES_OUTPUT_TEXT])
        json_put_text(put, ",\"logprobs\":[]");
    responses_put_event_end(put);
    responses_keep_text(stream, string);
}

/* ---- An item ends ---------------------------------------------------------------------------- */

static void put_part_end(struct dialect_stream *stream, const struct part_words *words,
                         struct json_put *put)
{
    struct slice text = kept(stream, stream->said_text, kept_len(stream));
    responses_put_event(stream, words->done, put);
    put_place(stream, put);
    put_part_index(stream, words, put);
    put_text_member(put, words->text, text);
    if (words == &parts[RESPONSES_OUTPUT_TEXT])
        json_put_text(put, ",\"logprobs\":[]");
    responses_put_event_end(put);
    responses_put_event(stream, words->part_done, put);
    put_place(stream, put);
    put_part_index(stream, words, put);
    json_put_text(put, ",\"part\":");
    put_part_object(put, words, text);
    responses_put_event_end(put);
}

/* A call without arguments has an empty object of them. */
static struct slice text_of_call(const struct dialect_stream *stream,
                                 const struct item_words *words, bool complete)
{
    struct slice text = kept(stream, stream->said_text, kept_len(stream));
    bool object = strcmp(words->member, "arguments") == 0;
    return !text.len && complete && object ? SLICE_LITERAL("{}") : text;
}

static void put_call_end(struct dialect_stream *stream, const struct item_words *words,
                         struct slice text, struct json_put *put)
{
    responses_put_event(stream, words->done, put);
    put_place(stream, put);
    put_text_member(put, words->member, text);
    responses_put_event_end(put);
}

/* The list of an item's parts, the open one included. */
static void put_parts(const struct dialect_stream *stream, const char *list,
                      const struct part_words *words, struct json_put *put)
{
    struct slice done = kept(stream, stream->said_parts, stream->said_text);
    json_put_text(put, ",\"");
    json_put_text(put, list);
    json_put_text(put, "\":[");
    json_put_raw(put, done);
    if (words) {
        json_put_text(put, done.len ? "," : "");
        put_part_object(put, words, kept(stream, stream->said_text, kept_len(stream)));
    }
    json_put_text(put, "]");
}

struct closing {
    const struct part_words *part;
    const struct item_words *call;
    const char *list; /* the member that parts go to; NULL: none */
    struct slice text;
    bool complete;
};

static void put_item_object(const struct dialect_stream *stream, const struct closing *closing,
                            struct json_put *put)
{
    struct json item, key, value;
    const char *before = "{";
    if (json_scan(open_item(stream), &item, NULL)) {
        put->rc = METE_E_SYNTAX;
        return;
    }
    for (size_t at = 0; json_next(item, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "status") || (closing->list && json_string_is(key, closing->list)) ||
            (closing->call && json_string_is(key, closing->call->member)))
            continue;
        json_put_text(put, before);
        json_put_raw(put, key.raw);
        json_put_text(put, ":");
        json_put_raw(put, value.raw);
        before = ",";
    }
    json_put_text(put, before);
    json_put_text(put,
                  closing->complete ? "\"status\":\"completed\"" : "\"status\":\"incomplete\"");
    if (closing->call)
        put_text_member(put, closing->call->member, closing->text);
    if (closing->list)
        put_parts(stream, closing->list, closing->part, put);
    json_put_text(put, "}");
}

/* Parts that are over went where the first of them says. */
static const char *list_of(const struct dialect_stream *stream, const struct part_words *open)
{
    if (open)
        return open->list;
    struct slice done = kept(stream, stream->said_parts, stream->said_text);
    struct slice summary = SLICE_LITERAL("\"summary_text\"");
    if (!done.len)
        return NULL;
    return memmem(done.data, done.len, summary.data, summary.len) ? "summary" : "content";
}

void responses_put_close(struct dialect_stream *stream, bool complete, struct json_put *put)
{
    struct closing closing = {.part = open_part(stream), .complete = complete};
    if (stream->open == DIALECT_NOTHING || !open_item(stream).len) {
        responses_keep_none(stream);
        return;
    }
    closing.call = closing.part ? NULL : item_words_of(stream);
    closing.list = stream->open == DIALECT_TEXT || stream->open == DIALECT_THINKING
                       ? list_of(stream, closing.part)
                       : NULL;
    if (closing.part)
        put_part_end(stream, closing.part, put);
    if (closing.call) {
        closing.text = text_of_call(stream, closing.call, complete);
        put_call_end(stream, closing.call, closing.text, put);
    }
    responses_put_event(stream, "response.output_item.done", put);
    json_put_text(put, ",\"output_index\":");
    json_put_number(put, max_i64(stream->blocks - 1, 0));
    json_put_text(put, ",\"item\":");
    size_t at = put->out->len;
    put_item_object(stream, &closing, put);
    if (!put->rc)
        responses_keep_done(stream, slice_from(buffer_slice(put->out), at));
    responses_put_event_end(put);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

int responses_write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                        struct slice cost, bool wants_usage, struct buffer *out)
{
    struct json_put put = {out, 0};
    const char *status = responses_status(stream->finish);
    bool complete = strcmp(status, "completed") == 0;
    (void)wants_usage; /* it is a part of the last event */
    if (!stream->begun)
        responses_put_begin(stream, &put);
    responses_put_close(stream, complete, &put);
    responses_put_event(stream, complete ? "response.completed" : "response.incomplete", &put);
    json_put_text(&put, ",\"response\":");
    responses_put_head(stream, status, &put);
    json_put_raw(&put, kept(stream, 0, kept_len(stream)));
    responses_put_tail(usage, cost, &put);
    responses_put_event_end(&put);
    stream->ended = true;
    return put.rc;
}

int responses_write_break(struct dialect_stream *stream, const struct dialect_error *error,
                          struct buffer *out)
{
    struct json_put put = {out, 0};
    responses_put_event(stream, "error", &put);
    json_put_text(&put, ",\"code\":");
    json_put_quoted(&put, slice_of(error->code));
    json_put_text(&put, ",\"message\":");
    json_put_quoted(&put, slice_of(error->message));
    json_put_text(&put, ",\"param\":null,");
    size_t at = out->len;
    if (!put.rc)
        put.rc = chat_write_error(out, error);
    if (!put.rc) { /* its braces are the event's */
        memmove(out->data + at, out->data + at + 1, out->len - at - 1);
        out->len--;
    }
    json_put_text(&put, "\n\n");
    stream->ended = true;
    return put.rc;
}
