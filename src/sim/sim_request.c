/* SPDX-License-Identifier: Apache-2.0
 * Reads a chat completions body as strictly as the real thing, and what the call asks of the
 * simulator itself: x-sim- headers, or the members of "sim" in the body (a gateway passes unknown
 * members on, but not unknown headers). A header wins.
 *
 * Tokens of a prompt: the bytes of all text in the messages, divided by four, at least 1. It is no
 * real tokenizer's count, but one that everyone can work out and that is never above the bytes. */
#include "base/assert.h"
#include "sim/inside.h"

#include <stdio.h>

enum { BYTES_PER_TOKEN = 4, CHOICES_MAX = 128 };

static bool refuse(struct sim_fault *fault, const char *param, const char *message)
{
    fault->param = param;
    snprintf(fault->message, sizeof fault->message, "%s", message);
    return false;
}

static bool is_absent(struct json value)
{
    return value.type == JSON_NONE || value.type == JSON_NULL;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static bool read_parts(struct json parts, int64_t *bytes, struct sim_fault *fault)
{
    struct json part;
    for (size_t at = 0; json_next(parts, &at, NULL, &part);) {
        struct json text = json_member(part, "text");
        if (json_member(part, "type").type != JSON_STRING)
            return refuse(fault, "messages", "A part of a message's content has no type.");
        if (json_string_is(json_member(part, "type"), "text") && text.type != JSON_STRING)
            return refuse(fault, "messages", "A text part of a message has no text.");
        *bytes += (int64_t)json_string_bytes(text);
    }
    return true;
}

static bool read_message(struct json message, int64_t *bytes, struct sim_fault *fault)
{
    if (message.type != JSON_OBJECT || json_member(message, "role").type != JSON_STRING)
        return refuse(fault, "messages", "A message is not an object with a role.");
    struct json content = json_member(message, "content");
    if (content.type == JSON_ARRAY)
        return read_parts(content, bytes, fault);
    if (content.type != JSON_STRING && !is_absent(content))
        return refuse(fault, "messages", "A message's content is neither text nor parts.");
    *bytes += (int64_t)json_string_bytes(content);
    return true;
}

static bool read_messages(struct json messages, struct sim_request *request,
                          struct sim_fault *fault)
{
    struct json message;
    int64_t bytes = 0;
    size_t at = 0;
    if (messages.type != JSON_ARRAY || !json_next(messages, &at, NULL, &message))
        return refuse(fault, "messages", "messages must be an array of at least one message.");
    do {
        if (!read_message(message, &bytes, fault))
            return false;
    } while (json_next(messages, &at, NULL, &message));
    request->input_tokens = bytes < BYTES_PER_TOKEN ? 1 : bytes / BYTES_PER_TOKEN;
    return true;
}

/* ---- The other members ----------------------------------------------------------------------- */

static bool read_model(struct json model, struct sim_request *request, struct sim_fault *fault)
{
    size_t len = json_string_bytes(model);
    if (model.type != JSON_STRING || !len)
        return refuse(fault, "model", "You must provide a model.");
    if (len > LIMIT_ID || model.raw.len > MODEL_RAW)
        return refuse(fault, "model", "The model's name is too long.");
    request->model = model.raw;
    return true;
}

struct bounds {
    const char *name;
    int64_t from, to;
};

/* *ret_value stays as it was when the member is absent or null. */
static bool read_whole(struct json value, struct bounds bounds, int64_t *ret_value,
                       struct sim_fault *fault)
{
    int64_t whole = 0;
    if (is_absent(value))
        return true;
    if (json_integer(value, &whole) || whole < bounds.from || whole > bounds.to) {
        char to[32] = "on";
        if (bounds.to != INT64_MAX)
            snprintf(to, sizeof to, "to %lld", (long long)bounds.to);
        fault->param = bounds.name;
        snprintf(fault->message, sizeof fault->message, "%s must be a whole number from %lld %s.",
                 bounds.name, (long long)bounds.from, to);
        return false;
    }
    *ret_value = whole;
    return true;
}

static bool read_flag(struct json value, const char *name, bool *ret_flag, struct sim_fault *fault)
{
    if (!is_absent(value) && value.type != JSON_TRUE && value.type != JSON_FALSE)
        return refuse(fault, name, "It must be true or false.");
    *ret_flag = value.type == JSON_TRUE;
    return true;
}

static bool read_stream(struct json body, struct sim_request *request, struct sim_fault *fault)
{
    struct json options = json_member(body, "stream_options");
    if (!read_flag(json_member(body, "stream"), "stream", &request->stream, fault))
        return false;
    if (is_absent(options))
        return true;
    if (!request->stream)
        return refuse(fault, "stream_options",
                      "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    if (options.type != JSON_OBJECT)
        return refuse(fault, "stream_options", "stream_options must be an object.");
    return read_flag(json_member(options, "include_usage"), "stream_options.include_usage",
                     &request->include_usage, fault);
}

static bool read_bounds(struct json body, struct sim_request *request, struct sim_fault *fault)
{
    int64_t older = INT64_MAX, newer = INT64_MAX;
    request->choices = 1;
    if (!read_whole(json_member(body, "max_tokens"), (struct bounds){"max_tokens", 1, INT64_MAX},
                    &older, fault) ||
        !read_whole(json_member(body, "max_completion_tokens"),
                    (struct bounds){"max_completion_tokens", 1, INT64_MAX}, &newer, fault) ||
        !read_whole(json_member(body, "n"), (struct bounds){"n", 1, CHOICES_MAX}, &request->choices,
                    fault))
        return false;
    request->max_tokens = older < newer ? older : newer;
    return true;
}

/* ---- Wishes ---------------------------------------------------------------------------------- */

static bool read_wishes(const struct exchange *exchange, struct json body, struct sim_wish *wish,
                        struct sim_fault *fault)
{
    struct {
        const char *header, *member;
        int64_t from, to, *value;
    } wishes[] = {
        {"x-sim-fail", "fail", 400, 599, &wish->fail},
        {"x-sim-latency-ms", "latency_ms", 0, LIMIT_SIM_LATENCY_MS, &wish->latency_ms},
        {"x-sim-cut-after", "cut_after", 0, LIMIT_SIM_TOKENS, &wish->cut_after},
        {"x-sim-output-tokens", "output_tokens", 1, LIMIT_SIM_TOKENS, &wish->output_tokens},
        {"x-sim-usage", "usage", 0, 1, &wish->usage},
    };
    struct json sim = json_member(body, "sim");
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        struct json value = json_member(sim, wishes[i].member);
        struct slice header = exchange->ops->header(exchange, wishes[i].header);
        if (header.len && (json_scan(header, &value, NULL) || value.type != JSON_NUMBER))
            return refuse(fault, wishes[i].header, "It must be a whole number.");
        struct bounds bounds = {wishes[i].header, wishes[i].from, wishes[i].to};
        *wishes[i].value = -1;
        if (!read_whole(value, bounds, wishes[i].value, fault))
            return false;
    }
    return true;
}

bool sim_request_read(const struct exchange *exchange, struct sim_request *ret_request,
                      struct sim_fault *ret_fault)
{
    struct json body;
    struct sim_fault fault;
    struct sim_request request = {0};
    bool good = !json_scan(exchange->body, &body, NULL) && body.type == JSON_OBJECT;
    if (!good)
        refuse(&fault, NULL, "The body is not a JSON object.");
    good = good && read_model(json_member(body, "model"), &request, &fault) &&
           read_messages(json_member(body, "messages"), &request, &fault) &&
           read_stream(body, &request, &fault) && read_bounds(body, &request, &fault) &&
           read_wishes(exchange, body, &request.wish, &fault);
    if (good)
        *ret_request = request;
    else
        *ret_fault = fault;
    return good;
}
