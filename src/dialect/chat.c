/* SPDX-License-Identifier: Apache-2.0
 * The chat dialect's table of functions, and its error body:
 *   {"error":{"message","type","param","code"[,"mete"]}}
 * "mete" is ours, and stands inside "error" because clients show that object and drop the rest. */
#include "dialect/chat.h"

#include "dialect/openai.h"
#include "dialect/prompts.h"

bool chat_key_is(struct json key, const char *name, size_t len)
{
    if (key.raw.len == len + 2 && !memcmp(key.raw.data + 1, name, len))
        return true;
    return key.raw.len > len + 2 && memchr(key.raw.data, '\\', key.raw.len) &&
           json_string_is(key, name);
}

static int quoted_or_null(struct buffer *out, const char *text)
{
    return text ? json_quote(out, slice_of(text)) : buffer_text(out, "null");
}

int chat_write_error(struct buffer *out, const struct dialect_error *error)
{
    int rc = buffer_text(out, "{\"error\":{\"message\":");
    if (!rc)
        rc = json_quote(out, slice_of(error->message));
    if (!rc)
        rc = buffer_text(out, ",\"type\":");
    if (!rc)
        rc = json_quote(out, slice_of(error->type));
    if (!rc)
        rc = buffer_text(out, ",\"param\":");
    if (!rc)
        rc = quoted_or_null(out, error->param);
    if (!rc)
        rc = buffer_text(out, ",\"code\":");
    if (!rc)
        rc = quoted_or_null(out, error->code);
    if (!rc && error->details.len)
        rc = buffer_text(out, ",\"mete\":");
    if (!rc && error->details.len)
        rc = buffer_append(out, error->details);
    return rc ? rc : buffer_text(out, "}}");
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    return openai_path(path, "/chat/completions", ret_target);
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/chat/completions");
}

const struct dialect *dialect_chat(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect chat = {
        .name = "openai-chat",
        .operation = "chat",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .reads_whole = true,
        .match = match,
        .read_request = chat_read_request,
        .count_input = chat_count_input,
        .write_path = write_path,
        .read_answer = chat_read_answer,
        .read_event = chat_read_event,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
        .write_break = chat_write_break,
        .write_end = chat_write_end,
        .neutral = &chat_neutral,
        .passed = passed,
    };
    return &chat;
}
