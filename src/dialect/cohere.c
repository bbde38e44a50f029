/* SPDX-License-Identifier: Apache-2.0
 * Cohere's chat, /v2/chat (the dialect "cohere-chat").
 *
 *   message-start  {content-start content-delta* content-end | tool-plan-delta* |
 *                   tool-call-start tool-call-delta* tool-call-end | citation-...}*  message-end
 *   and often "data: [DONE]" behind it: so message-end may be the last event, and is held.
 *
 * USAGE  {"billed_units":{input_tokens,output_tokens},"tokens":{input_tokens,output_tokens},
 *   "cached_tokens"}. tokens is what the model read and wrote; billed_units leaves out what Cohere
 *   puts around a prompt and does not charge: it is what the list price is for. Here tokens counts,
 *   as with every provider (input is everything on the input side); so a charge is never below
 *   Cohere's own, and above it by its preamble. billed_units alone (embeddings, old models) are
 *   taken where there is nothing else.
 * INPUT BOUND  as in chat_request.c; Cohere's own preamble (395 tokens over the body's bytes in the
 *   recordings, 1,090 with tools) is LIMIT_PREAMBLE_TOKENS. Counted, a body is OpenAI's but for a
 * few members (chat_prompt.c). ENDS OF OURS  what is open is ended, then message-end and [DONE]; a
 * break is a message-end whose finish_reason is ERROR. */
#include "dialect/cohere.h"

#include "dialect/chat.h"
#include "dialect/json_put.h"
#include "dialect/prompts.h"

#define TOKENS_MAX INT64_C(1000000000000)

/* ---- Usage ----------------------------------------------------------------------------------- */

/* Given and null are no figure. False: given, and no count of tokens. */
static bool take(struct json value, int64_t *ret_count)
{
    if (value.type == JSON_NONE || value.type == JSON_NULL)
        return true;
    return !json_integer(value, ret_count) && *ret_count >= 0 && *ret_count <= TOKENS_MAX;
}

bool cohere_usage(struct json usage, struct pricing_usage *ret_usage)
{
    int64_t input = -1, output = -1, cached = 0;
    struct json tokens = json_member(usage, "tokens");
    if (tokens.type != JSON_OBJECT)
        tokens = json_member(usage, "billed_units");
    if (!take(json_member(tokens, "input_tokens"), &input) ||
        !take(json_member(tokens, "output_tokens"), &output) ||
        !take(json_member(usage, "cached_tokens"), &cached) || (input < 0 && output < 0))
        return false;
    *ret_usage = (struct pricing_usage){.input = max_i64(input, 0), .output = max_i64(output, 0)};
    ret_usage->cached_input = min_i64(cached, ret_usage->input);
    return true;
}

int cohere_write_usage(struct buffer *out, const struct pricing_usage *usage)
{
    return buffer_format(out,
                         "{\"billed_units\":{\"input_tokens\":%lld,\"output_tokens\":%lld},"
                         "\"tokens\":{\"input_tokens\":%lld,\"output_tokens\":%lld},"
                         "\"cached_tokens\":%lld}",
                         (long long)usage->input, (long long)usage->output, (long long)usage->input,
                         (long long)usage->output, (long long)usage->cached_input);
}

const char *cohere_finish_word(enum dialect_finish finish)
{
    static const char *const words[] = {
        [DIALECT_STOP] = "COMPLETE",
        [DIALECT_LENGTH] = "MAX_TOKENS",
        [DIALECT_TOOLS] = "TOOL_CALL",
        [DIALECT_FILTERED] = "ERROR_TOXIC",
    };
    return words[finish];
}

bool cohere_failed(struct json reason)
{
    return json_string_is(reason, "ERROR") || json_string_is(reason, "TIMEOUT");
}

/* ---- Requests -------------------------------------------------------------------------------- */

static int read_parts(struct openai_reading *r, struct json content)
{
    struct json part;
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &part);) {
        struct json type =
            json_count(part, "type") == 1 ? json_member(part, "type") : (struct json){0};
        if (part.type == JSON_STRING || json_string_is(type, "text") ||
            json_string_is(type, "thinking") || json_string_is(type, "document"))
            continue;
        if (json_string_is(type, "image_url") && json_count(part, "image_url") == 1)
            openai_count_image(r->request, json_member(part, "image_url"));
        else
            r->request->input_bound += LIMIT_FILE_TOKENS;
    }
    return 0;
}

static int read_messages(struct openai_reading *r, struct json value)
{
    struct json message;
    size_t at = 0, count = 0;
    if (value.type != JSON_ARRAY)
        return openai_fault(r, "messages", "messages must be an array.");
    for (; json_next(value, &at, NULL, &message); count++) {
        if (message.type != JSON_OBJECT || json_count(message, "content") > 1)
            return openai_fault(r, "messages",
                                "Each message must be an object, with content at most once.");
        (void)read_parts(r, json_member(message, "content"));
    }
    return count ? 0 : openai_fault(r, "messages", "messages must not be empty.");
}

int cohere_read_bound(struct openai_reading *r, struct json value)
{
    return openai_read_bound(r, value, "max_tokens");
}

int cohere_read_tools(struct openai_reading *r, struct json value)
{
    struct json tool;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);) {
        struct json type = json_member(tool, "type");
        r->with_preamble = true;
        if (json_count(tool, "type") > 1 ||
            (type.type != JSON_NONE && !json_string_is(type, "function")))
            return openai_not_priced(r, "tools",
                                     "Tools that the provider runs are billed by meters that have "
                                     "no price here.");
    }
    return 0;
}

int cohere_read_preamble(struct openai_reading *r, struct json value)
{
    r->with_preamble = r->with_preamble || openai_given(value);
    return 0;
}

static int read_thinking(struct openai_reading *r, struct json value)
{
    bool off = json_string_is(json_member(value, "type"), "disabled");
    r->request->may_hide_output = openai_given(value) && !off;
    return 0;
}

void cohere_set_places(struct openai_reading *r, struct json whole)
{
    r->request->input_bound +=
        LIMIT_TEMPLATE_TOKENS + LIMIT_PREAMBLE_TOKENS + (r->with_preamble ? LIMIT_TOOLS_TOKENS : 0);
    if (!r->request->output_bound.at.data)
        r->request->output_bound =
            (struct dialect_place){openai_after_brace(whole), "\"max_tokens\":", ","};
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("messages", read_messages),
    OPENAI_MEMBER("stream", openai_read_stream),
    OPENAI_MEMBER("max_tokens", cohere_read_bound),
    OPENAI_MEMBER("tools", cohere_read_tools),
    OPENAI_MEMBER("documents", cohere_read_preamble),
    OPENAI_MEMBER("response_format", cohere_read_preamble),
    OPENAI_MEMBER("thinking", read_thinking),
};
enum { MEMBERS = sizeof members / sizeof members[0], MODEL = 1, MESSAGES = 2 };

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    uint64_t seen;
    (void)target;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (rc)
        return rc;
    if (!(seen & MODEL))
        return openai_fault(&r, "model", "model is missing.");
    if (!(seen & MESSAGES))
        return openai_fault(&r, "messages", "messages is missing.");
    cohere_set_places(&r, whole);
    return 0;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    struct json id = json_member(whole, "id");
    ret_answer->has_usage = cohere_usage(json_member(whole, "usage"), &ret_answer->usage);
    if (id.type == JSON_STRING)
        ret_answer->id = id.raw;
}

static void read_text(struct json text, int64_t index, enum dialect_text_kind kind,
                      struct dialect_event *event)
{
    if (text.type != JSON_STRING)
        return;
    event->output_bytes += (int64_t)json_string_bytes(text);
    dialect_add_text(event, dialect_text_of(0, index, kind), text.raw);
}

/* What a reader would see of delta.message. A plan is written before the calls, and has no index.
 */
static void read_message(struct json message, int64_t index, struct dialect_event *event)
{
    enum { PLAN = 0x3fff };
    struct json content = json_member(message, "content");
    struct json function = json_member(json_member(message, "tool_calls"), "function");
    struct json citations = json_member(message, "citations");
    event->texts_are_all = true;
    if (citations.raw.len > 2) { /* the model writes where each begins and ends */
        event->texts_are_all = false;
        event->output_bytes += (int64_t)citations.raw.len;
    }
    read_text(json_member(content, "text"), index, DIALECT_TEXT_SHOWN, event);
    read_text(json_member(content, "thinking"), index, DIALECT_TEXT_REASONING, event);
    read_text(json_member(message, "tool_plan"), PLAN, DIALECT_TEXT_SHOWN, event);
    read_text(json_member(function, "name"), index, DIALECT_TEXT_NAME, event);
    read_text(json_member(function, "arguments"), index, DIALECT_TEXT_ARGUMENTS, event);
}

/* What is open: content-start opens, and so on. parts[0]: its index. */
static void read_block(struct dialect_stream *stream, struct json type, int64_t index)
{
    bool content = json_string_is(type, "content-start");
    if (json_string_is(type, "content-end") || json_string_is(type, "tool-call-end"))
        stream->open = DIALECT_NOTHING;
    if (!content && !json_string_is(type, "tool-call-start"))
        return;
    stream->open = content ? DIALECT_TEXT : DIALECT_CALL;
    stream->parts[0] = index;
}

static void read_end(struct json delta, struct dialect_event *event)
{
    struct json usage = json_member(delta, "usage");
    event->may_be_last = true;
    event->finishes = true;
    event->failed = cohere_failed(json_member(delta, "finish_reason"));
    event->has_usage = cohere_usage(usage, &event->usage);
    event->usage_object = usage;
}

static void read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    struct json whole;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    if (slice_is(event->data, "[DONE]")) {
        ret_event->kind = DIALECT_FINAL;
        return;
    }
    if (json_scan(event->data, &whole, NULL) || whole.type != JSON_OBJECT) {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
        return;
    }
    struct json type = json_member(whole, "type"), delta = json_member(whole, "delta");
    struct json id = json_member(whole, "id");
    ret_event->kind = DIALECT_CHUNK;
    int64_t index = 0;
    if (json_integer(json_member(whole, "index"), &index))
        index = 0;
    read_message(json_member(delta, "message"), index, ret_event);
    if (id.type == JSON_STRING && !stream->begun)
        chat_copy(id, stream->id);
    stream->begun = true;
    read_block(stream, type, index);
    if (json_string_is(type, "message-end"))
        read_end(delta, ret_event);
}

/* ---- What is written ------------------------------------------------------------------------- */

int cohere_write_cost(struct slice raw, struct json usage_object, struct slice cost,
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

/* Clients show "message". */
int cohere_write_error(struct buffer *out, const struct dialect_error *error)
{
    struct json_put put = {out, 0};
    put_named(&put, "{\"message\":", error->message);
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

/* The end of what is open, and of the message up to its finish_reason's value. */
static void put_end(struct json_put *put, struct dialect_stream *stream)
{
    if (stream->open != DIALECT_NOTHING) {
        const char *name = stream->open == DIALECT_CALL ? "tool-call-end" : "content-end";
        json_put_text(put, "event: ");
        json_put_text(put, name);
        json_put_text(put, "\ndata: {\"type\":\"");
        json_put_text(put, name);
        json_put_text(put, "\",\"index\":");
        json_put_number(put, stream->parts[0]);
        json_put_text(put, "}\n\n");
    }
    stream->open = DIALECT_NOTHING;
    stream->ended = true;
    json_put_text(
        put, "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":");
}

static int write_break(struct dialect_stream *stream, const struct dialect_error *error,
                       struct buffer *out)
{
    struct json_put put = {out, 0};
    put_end(&put, stream);
    put_named(&put, "\"ERROR\",\"error\":", error->message);
    json_put_text(&put, "}}\n\n");
    return put.rc;
}

static int write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                     struct slice cost, bool wants_usage, struct buffer *out)
{
    struct json_put put = {out, 0};
    (void)wants_usage;
    put_end(&put, stream);
    json_put_quoted(&put, slice_of(cohere_finish_word(stream->finish)));
    json_put_text(&put, ",\"usage\":");
    if (!put.rc)
        put.rc = cohere_write_usage(out, usage);
    json_put_text(&put, "}}\n\n");
    if (!put.rc && cost.len)
        put.rc = chat_write_comment(cost, out);
    json_put_text(&put, "data: [DONE]\n\n");
    return put.rc;
}

/* ---- The format ------------------------------------------------------------------------------ */

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    (void)ret_target;
    return slice_is(path, "/v2/chat");
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/v2/chat");
}

const struct dialect *dialect_cohere(void)
{
    static const char *const passed[] = {"x-client-name", NULL};
    static const struct dialect cohere = {
        .name = "cohere-chat",
        .operation = "chat",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .match = match,
        .read_request = read_request,
        .count_input = chat_count_input,
        .write_path = write_path,
        .read_answer = read_answer,
        .read_event = read_event,
        .write_cost = cohere_write_cost,
        .write_error = cohere_write_error,
        .write_break = write_break,
        .write_end = write_end,
        .neutral = &cohere_neutral,
        .passed = passed,
    };
    return &cohere;
}
