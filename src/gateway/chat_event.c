/* SPDX-License-Identifier: Apache-2.0
 * One event of a chat stream: what it is, what it shows, what usage it reports.
 *
 *   data: {"choices":[{"delta":{"content":"..."}}],"usage":null}       a chunk
 *   data: {"choices":[],"usage":{...}}                                 the chunk include_usage adds
 *   data: [DONE]                                                       the end
 *
 * Others send usage in the last chunk with choices, in every chunk (the last counts), in
 * x_groq.usage or in choices[0].usage; all are found. A chunk is only_usage when it carries nothing
 * but usage, so that it may be withheld from a client that did not ask for it.
 * OUTPUT BYTES  the bytes of every text in a delta but its role: content, refusal,
 *   reasoning_content, names and arguments of tool calls. A token is at least one byte, so this is
 *   never less than the tokens shown. What a delta holds that is no text counts as written. */
#include "gateway/chat.h"

static int64_t delta_bytes(struct json delta)
{
    struct json key, value;
    int64_t bytes = 0;
    for (size_t at = 0; json_next(delta, &at, &key, &value);) {
        if (value.type == JSON_STRING)
            bytes += CHAT_KEY_IS(key, "role") ? 0 : (int64_t)json_string_bytes(value);
        else if (value.type == JSON_OBJECT || value.type == JSON_ARRAY)
            bytes += (int64_t)value.raw.len;
    }
    return bytes;
}

static void read_choices(struct json choices, struct dialect_event *event)
{
    struct json choice;
    for (size_t at = 0; json_next(choices, &at, NULL, &choice);) {
        struct json key, value;
        event->only_usage = false;
        for (size_t in = 0; choice.type == JSON_OBJECT && json_next(choice, &in, &key, &value);) {
            if (CHAT_KEY_IS(key, "delta") || CHAT_KEY_IS(key, "message")) {
                event->output_bytes += value.type == JSON_OBJECT ? delta_bytes(value) : 0;
            } else if (CHAT_KEY_IS(key, "text") && value.type == JSON_STRING) {
                event->output_bytes += (int64_t)json_string_bytes(value);
            } else if (CHAT_KEY_IS(key, "finish_reason")) {
                event->finishes = value.type == JSON_STRING;
            } else if (CHAT_KEY_IS(key, "usage") && !event->has_usage &&
                       chat_usage(value, &event->usage)) {
                event->has_usage = true;
                event->usage_object = value;
            }
        }
    }
}

static void read_top_usage(struct json usage, struct dialect_event *event)
{
    struct pricing_usage u;
    if (!chat_usage(usage, &u))
        return;
    event->has_usage = true;
    event->usage = u;
    event->usage_object = usage;
}

static void read_chunk(struct json chunk, struct dialect_event *event)
{
    struct json key, value, late = {0};
    event->kind = DIALECT_CHUNK;
    event->only_usage = true;
    for (size_t at = 0; json_next(chunk, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "choices")) {
            if (value.type == JSON_ARRAY)
                read_choices(value, event);
        } else if (CHAT_KEY_IS(key, "usage")) {
            read_top_usage(value, event);
        } else if (CHAT_KEY_IS(key, "x_groq")) {
            late = json_member(value, "usage");
        } else if (CHAT_KEY_IS(key, "error") && value.type != JSON_NULL) {
            event->failed = true;
        }
    }
    if (!event->has_usage && late.type == JSON_OBJECT)
        read_top_usage(late, event);
    event->only_usage = event->only_usage && event->has_usage && !event->failed;
    event->finishes = event->finishes || event->only_usage;
}

void chat_read_event(const struct sse_event *event, struct dialect_event *ret_event)
{
    struct json chunk;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    if (slice_is(event->data, "[DONE]")) {
        ret_event->kind = DIALECT_FINAL;
    } else if (json_scan(event->data, &chunk, NULL) || chunk.type != JSON_OBJECT) {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
    } else {
        read_chunk(chunk, ret_event);
    }
}

/* Where cost goes: in place of a cost that is there, else before the closing brace. */
static struct slice cost_place(struct json usage, const char **ret_before)
{
    struct json key, value;
    bool any = false;
    for (size_t at = 0; json_next(usage, &at, &key, &value);) {
        any = true;
        if (CHAT_KEY_IS(key, "cost")) {
            *ret_before = "";
            return value.raw;
        }
    }
    *ret_before = any ? ",\"cost\":" : "\"cost\":";
    return (struct slice){usage.raw.data + usage.raw.len - 1, 0};
}

int chat_write_cost(struct slice raw, struct json usage_object, struct slice cost,
                    struct buffer *out)
{
    const char *before;
    if (usage_object.type != JSON_OBJECT || usage_object.raw.data < raw.data ||
        usage_object.raw.data + usage_object.raw.len > raw.data + raw.len)
        return METE_E_INVALID;
    struct slice place = cost_place(usage_object, &before);
    size_t at = (size_t)(place.data - raw.data);
    int rc = buffer_append(out, slice_part(raw, 0, at));
    if (!rc)
        rc = buffer_text(out, before);
    if (!rc)
        rc = buffer_append(out, cost);
    return rc ? rc : buffer_append(out, slice_from(raw, at + place.len));
}
