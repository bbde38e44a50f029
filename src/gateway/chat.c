/* SPDX-License-Identifier: Apache-2.0
 * The chat dialect's table of functions, and its error body:
 *   {"error":{"message","type","param","code"[,"mete"]}}
 * "mete" is ours, and stands inside "error" because clients show that object and drop the rest. */
#include "gateway/chat.h"

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

const struct dialect *dialect_chat(void)
{
    static const struct dialect chat = {
        .name = "openai-chat",
        .path = "/v1/chat/completions",
        .upstream_path = "/chat/completions",
        .read_request = chat_read_request,
        .write_request = chat_write_request,
        .read_usage = chat_read_usage,
        .read_event = chat_read_event,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
    };
    return &chat;
}
