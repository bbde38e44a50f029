/* SPDX-License-Identifier: Apache-2.0
 * Ollama's own formats: /api/chat (the dialect "ollama-chat") and /api/generate
 * ("ollama-generate").
 *
 *   {"model":m,"message":{"role":"assistant","content":"..."},"done":false}            a line
 *   {"model":m,"message":{...},"done":true,"done_reason":"stop",
 *    "prompt_eval_count":p,"eval_count":c}                                             the last
 *
 * /api/generate has "response" where /api/chat has "message". A request streams unless it says
 * "stream":false; a whole answer is one such line with all the text.
 *
 * INPUT BOUND  as in chat_request.c; a model's own system prompt, which no request shows, is
 *   LIMIT_PREAMBLE_TOKENS. Images are base64 strings without a type in "images".
 * OUTPUT BOUND  options.num_predict; 0 and less mean until the context is full, which is no bound.
 * USAGE  prompt_eval_count and eval_count of the last line. One that is 0 is left out: a prompt
 *   that was cached whole has no prompt_eval_count. Neither: none, unless the model was only
 *   loaded or unloaded, which takes no tokens.
 * ENDS OF OURS  a line with "done":true and the time of the last line before it, for clients parse
 *   that; {"error":"..."} for a break, as Ollama does it.
 * Not done: a cost in the stream (lines have no comments, and clients read the last line as a whole
 * answer); it is in the record. */
#include "dialect/ollama.h"

#include "dialect/chat.h"
#include "dialect/json_put.h"
#include "dialect/openai.h"

#define TOKENS_MAX INT64_C(1000000000000)

/* ---- Requests -------------------------------------------------------------------------------- */

static int read_images(struct openai_reading *r, struct json value)
{
    struct json image;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &image);) {
        r->request->input_bound += LIMIT_IMAGE_TOKENS;
        if (image.type == JSON_STRING)
            r->request->input_bound -= (int64_t)image.raw.len;
    }
    return 0;
}

static int read_messages(struct openai_reading *r, struct json value)
{
    struct json message;
    if (value.type != JSON_ARRAY)
        return openai_fault(r, "messages", "messages must be an array.");
    for (size_t at = 0; json_next(value, &at, NULL, &message);) {
        if (message.type != JSON_OBJECT || json_count(message, "images") > 1)
            return openai_fault(r, "messages",
                                "Each message must be an object, with images at most once.");
        (void)read_images(r, json_member(message, "images"));
    }
    return 0;
}

static int read_options(struct openai_reading *r, struct json value)
{
    struct dialect_place *place = &r->request->output_bound;
    int64_t bound = 0;
    if (value.type == JSON_NULL) {
        *place = (struct dialect_place){value.raw, "{\"num_predict\":", "}"};
        return 0;
    }
    if (value.type != JSON_OBJECT || json_count(value, "num_predict") > 1)
        return openai_fault(r, "options",
                            "options must be an object, with num_predict at most once.");
    struct json number = json_member(value, "num_predict");
    if (number.type == JSON_NONE) {
        *place = (struct dialect_place){openai_after_brace(value), "\"num_predict\":", ","};
        return 0;
    }
    if (number.type != JSON_NULL && (json_integer(number, &bound) || bound > LIMIT_OUTPUT_TOKENS))
        return openai_fault(r, "options.num_predict",
                            "num_predict must be a whole number of at most 16777216.");
    r->request->asked = max_i64(bound, 0);
    *place = (struct dialect_place){number.raw, "", ""};
    return 0;
}

static int read_preamble(struct openai_reading *r, struct json value)
{
    r->with_preamble = r->with_preamble || openai_given(value);
    return 0;
}

static int read_think(struct openai_reading *r, struct json value)
{
    r->request->may_hide_output = openai_given(value);
    return 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),   OPENAI_MEMBER("messages", read_messages),
    OPENAI_MEMBER("stream", openai_read_stream), OPENAI_MEMBER("options", read_options),
    OPENAI_MEMBER("images", read_images),        OPENAI_MEMBER("tools", read_preamble),
    OPENAI_MEMBER("format", read_preamble),      OPENAI_MEMBER("think", read_think),
};
enum { MEMBERS = sizeof members / sizeof members[0], MODEL = 1, MESSAGES = 2, STREAM = 4 };

static int read_body(struct slice body, struct dialect_request *ret_request,
                     struct dialect_error *ret_error, uint64_t *ret_seen)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, ret_seen);
    if (rc)
        return rc;
    if (!(*ret_seen & MODEL))
        return openai_fault(&r, "model", "model is missing.");
    if (!(*ret_seen & STREAM) || json_member(whole, "stream").type == JSON_NULL)
        ret_request->stream = true;
    if (!ret_request->output_bound.at.data)
        ret_request->output_bound = (struct dialect_place){openai_after_brace(whole),
                                                           "\"options\":{\"num_predict\":", "},"};
    ret_request->input_bound +=
        LIMIT_TEMPLATE_TOKENS + LIMIT_PREAMBLE_TOKENS + (r.with_preamble ? LIMIT_TOOLS_TOKENS : 0);
    return 0;
}

static int read_chat(const struct dialect_target *target, struct slice body,
                     struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    uint64_t seen;
    (void)target;
    int rc = read_body(body, ret_request, ret_error, &seen);
    if (!rc && !(seen & MESSAGES))
        rc = openai_fault(&r, "messages", "messages is missing.");
    return rc;
}

static int read_generate(const struct dialect_target *target, struct slice body,
                         struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    uint64_t seen;
    (void)target;
    return read_body(body, ret_request, ret_error, &seen);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* False: given, and no count of tokens. */
static bool take_count(struct json value, bool *any, int64_t *ret_count)
{
    if (value.type == JSON_NONE || value.type == JSON_NULL)
        return true;
    *any = true;
    return !json_integer(value, ret_count) && *ret_count >= 0 && *ret_count <= TOKENS_MAX;
}

static bool read_usage(struct json line, struct pricing_usage *ret_usage)
{
    struct pricing_usage usage = {0};
    struct json reason = json_member(line, "done_reason");
    bool any = json_string_is(reason, "load") || json_string_is(reason, "unload");
    if (!take_count(json_member(line, "prompt_eval_count"), &any, &usage.input) ||
        !take_count(json_member(line, "eval_count"), &any, &usage.output) || !any)
        return false;
    *ret_usage = usage;
    return true;
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json line;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &line, NULL) || line.type != JSON_OBJECT)
        return;
    ret_answer->has_usage = read_usage(line, &ret_answer->usage);
    struct json model = json_member(line, "model");
    if (model.type == JSON_STRING)
        ret_answer->model = model.raw;
}

static int64_t bytes_of(struct json message)
{
    struct json calls = json_member(message, "tool_calls");
    return (int64_t)json_string_bytes(json_member(message, "content")) +
           (int64_t)json_string_bytes(json_member(message, "thinking")) +
           (calls.type == JSON_ARRAY ? (int64_t)calls.raw.len : 0);
}

/* A call's arguments are an object, and what the model wrote is not told. */
static void read_texts(struct json said, struct dialect_event *event)
{
    static const struct {
        const char *name;
        enum dialect_text_kind kind;
    } texts[] = {
        {"thinking", DIALECT_TEXT_REASONING},
        {"content", DIALECT_TEXT_SHOWN},
        {"response", DIALECT_TEXT_SHOWN},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json text = json_member(said, texts[i].name);
        if (text.type == JSON_STRING)
            dialect_add_text(event, dialect_text_of(0, 0, texts[i].kind), text.raw);
    }
    event->texts_are_all =
        event->texts_are_all && json_member(said, "tool_calls").type != JSON_ARRAY;
}

static void read_line(struct dialect_stream *stream, struct json line, struct dialect_event *event)
{
    struct json model = json_member(line, "model"), time = json_member(line, "created_at");
    event->kind = DIALECT_CHUNK;
    event->failed = openai_given(json_member(line, "error"));
    event->output_bytes = bytes_of(json_member(line, "message")) +
                          (int64_t)json_string_bytes(json_member(line, "response")) +
                          (int64_t)json_string_bytes(json_member(line, "thinking"));
    event->texts_are_all = true;
    read_texts(json_member(line, "message"), event);
    read_texts(line, event);
    if (model.type == JSON_STRING && !stream->begun)
        chat_copy(model, stream->model);
    if (time.type == JSON_STRING)
        chat_copy(time, stream->item);
    stream->begun = true;
    if (json_member(line, "done").type != JSON_TRUE)
        return;
    event->kind = DIALECT_FINAL;
    event->finishes = true;
    event->has_usage = read_usage(line, &event->usage);
    event->usage_object = line;
    stream->ended = true;
}

static void read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    struct json line;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    if (!json_scan(event->data, &line, NULL) && line.type == JSON_OBJECT) {
        read_line(stream, line, ret_event);
    } else {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
    }
}

/* ---- What is written ------------------------------------------------------------------------- */

static int write_cost(struct slice raw, struct json usage_object, struct slice cost,
                      struct buffer *out)
{
    (void)raw;
    (void)usage_object;
    (void)cost;
    (void)out;
    return METE_E_INVALID;
}

static void put_named(struct json_put *put, const char *name, const char *text)
{
    if (!text)
        return;
    json_put_text(put, name);
    json_put_quoted(put, slice_of(text));
}

/* Clients show "error", which is a text. */
static int write_error(struct buffer *out, const struct dialect_error *error)
{
    struct json_put put = {out, 0};
    put_named(&put, "{\"error\":", error->message);
    put_named(&put, ",\"type\":", error->type);
    put_named(&put, ",\"code\":", error->code);
    put_named(&put, ",\"param\":", error->param);
    if (error->details.len) {
        json_put_text(&put, ",\"mete\":");
        json_put_raw(&put, error->details);
    }
    json_put_text(&put, "}");
    return put.rc;
}

static int write_break(struct dialect_stream *stream, const struct dialect_error *error,
                       struct buffer *out)
{
    stream->ended = true;
    int rc = write_error(out, error);
    return rc ? rc : buffer_text(out, "\n");
}

static int write_last(const struct dialect_stream *stream, const char *said,
                      const struct pricing_usage *usage, struct buffer *out)
{
    struct json_put put = {out, 0};
    put_named(&put, "{\"model\":", stream->model);
    put_named(&put, ",\"created_at\":", stream->item[0] ? stream->item : NULL);
    json_put_text(&put, said);
    json_put_text(&put, ",\"done\":true,\"done_reason\":");
    json_put_text(&put, stream->finish == DIALECT_LENGTH ? "\"length\"" : "\"stop\"");
    json_put_text(&put, ",\"prompt_eval_count\":");
    json_put_number(&put, usage->input);
    json_put_text(&put, ",\"eval_count\":");
    json_put_number(&put, usage->output);
    json_put_text(&put, "}\n");
    return put.rc;
}

static int end_chat(struct dialect_stream *stream, const struct pricing_usage *usage,
                    struct slice cost, bool wants_usage, struct buffer *out)
{
    (void)cost;
    (void)wants_usage;
    stream->ended = true;
    return write_last(stream, ",\"message\":{\"role\":\"assistant\",\"content\":\"\"}", usage, out);
}

static int end_generate(struct dialect_stream *stream, const struct pricing_usage *usage,
                        struct slice cost, bool wants_usage, struct buffer *out)
{
    (void)cost;
    (void)wants_usage;
    stream->ended = true;
    return write_last(stream, ",\"response\":\"\"", usage, out);
}

/* ---- The formats ----------------------------------------------------------------------------- */

static bool match_chat(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    (void)ret_target;
    return slice_is(path, "/api/chat");
}

static bool match_generate(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    (void)ret_target;
    return slice_is(path, "/api/generate");
}

static int chat_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/api/chat");
}

static int generate_path(const struct dialect_request *request, struct slice model,
                         struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/api/generate");
}

const struct dialect *dialect_ollama(void)
{
    static const struct dialect chat = {
        .name = "ollama-chat",
        .operation = "chat",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_LINES,
        .reads_whole = true,
        .match = match_chat,
        .read_request = read_chat,
        .write_path = chat_path,
        .read_answer = read_answer,
        .read_event = read_event,
        .write_cost = write_cost,
        .write_error = write_error,
        .write_break = write_break,
        .write_end = end_chat,
        .neutral = &ollama_neutral,
    };
    return &chat;
}

const struct dialect *dialect_ollama_generate(void)
{
    static const struct dialect generate = {
        .name = "ollama-generate",
        .operation = "text_completion",
        .endpoint = "completions",
        .methods = "POST",
        .framing = FRAMES_LINES,
        .reads_whole = true,
        .match = match_generate,
        .read_request = read_generate,
        .write_path = generate_path,
        .read_answer = read_answer,
        .read_event = read_event,
        .write_cost = write_cost,
        .write_error = write_error,
        .write_break = write_break,
        .write_end = end_generate,
    };
    return &generate;
}
