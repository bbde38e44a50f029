/* SPDX-License-Identifier: Apache-2.0
 * The messages dialect's table of functions, and its error body:
 *   {"type":"error","error":{"type","message"[,"mete"]},"request_id":null}
 * Clients tell errors apart by their status, and by the type, which follows from it here. */
#include "dialect/messages.h"

#include "dialect/chat.h"
#include "dialect/json_put.h"
#include "dialect/prompts.h"

static const char *type_of(const struct dialect_error *error)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {401, "authentication_error"}, {402, "billing_error"},     {403, "permission_error"},
        {404, "not_found_error"},      {413, "request_too_large"}, {429, "rate_limit_error"},
        {503, "overloaded_error"},     {504, "timeout_error"},     {529, "overloaded_error"},
    };
    if (error->code && !strcmp(error->code, "insufficient_quota"))
        return "billing_error";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].status == error->status)
            return types[i].type;
    return error->status >= 500 ? "api_error" : "invalid_request_error";
}

int messages_write_error(struct buffer *out, const struct dialect_error *error)
{
    struct json_put put = {out, 0};
    json_put_text(&put, "{\"type\":\"error\",\"error\":{\"type\":\"");
    json_put_text(&put, type_of(error));
    json_put_text(&put, "\",\"message\":");
    json_put_quoted(&put, slice_of(error->message));
    if (error->details.len) {
        json_put_text(&put, ",\"mete\":");
        json_put_raw(&put, error->details);
    }
    json_put_text(&put, "},\"request_id\":null}");
    return put.rc;
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query; /* beta=true says no more than the anthropic-beta header */
    (void)ret_target;
    return slice_is(path, "/v1/messages");
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/messages");
}

const struct dialect *dialect_messages(void)
{
    static const char *const passed[] = {"anthropic-version", "anthropic-beta", NULL};
    static const struct dialect messages = {
        .name = "anthropic-messages",
        .operation = "chat",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .anthropic_rates = true,
        .bound_needed = true,
        .reads_whole = true,
        .id_header = "request-id",
        .budget_status = 402,
        .match = match,
        .read_request = messages_read_request,
        .count_input = messages_count_input,
        .write_path = write_path,
        .read_answer = messages_read_answer,
        .read_event = messages_read_event,
        .write_cost = chat_write_cost, /* into the usage object, whatever stands in it */
        .write_error = messages_write_error,
        .write_break = messages_write_break,
        .write_end = messages_write_end,
        .neutral = &messages_neutral,
        .passed = passed,
    };
    return &messages;
}
