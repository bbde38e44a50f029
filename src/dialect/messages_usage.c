/* SPDX-License-Identifier: Apache-2.0
 * Usage as Anthropic reports it, brought to the one convention: input is everything billed on the
 * input side.
 *
 *   {"input_tokens":i,"cache_read_input_tokens":r,"cache_creation_input_tokens":w,
 *    "cache_creation":{"ephemeral_5m_input_tokens","ephemeral_1h_input_tokens"},
 *    "output_tokens":o,"output_tokens_details":{"thinking_tokens"},
 *    "server_tool_use":{"web_search_requests"},"iterations":[...]}
 *
 * TRAPS, all seen in recordings or in Anthropic's own description:
 *   - i leaves out what was read from the cache and written to it: input = i + r + w.
 *   - a stream tells usage twice: message_start has the input and a first token or so of output,
 *     message_delta what it came to by then. The later figure overrides, none are added up; what
 *     message_delta does not tell stays as message_start told it (w may grow without its parts:
 *     what they leave open was written for five minutes).
 *   - the figures of iterations are within those above, but for a compaction's, which are on top;
 *     an advisor's are another model's, and such a call is refused (messages_request.c).
 * An explicit zero is usage. A figure that is negative or absurd makes the object unbelievable.
 * Not read: service_tier. A call that takes the tier it finds is billed by the list or has been
 * paid for beforehand, and the answer does not say which. */
#include "dialect/messages.h"

#include "dialect/chat.h"
#include "dialect/json_put.h"

/* Figures beyond this are a fault of the provider's: a million calls of a million tokens. */
#define TOKENS_MAX INT64_C(1000000000000)

#define BIT(figure) (UINT32_C(1) << (figure))

struct taking {
    int64_t of[MESSAGES_FIGURES];
    uint32_t told;
};

/* Absent and null are no figure; false: given, and no count. */
static bool take(struct taking *t, enum messages_figure figure, struct json value)
{
    int64_t number;
    if (value.type == JSON_NULL || value.type == JSON_NONE)
        return true;
    if (json_integer(value, &number) || number < 0 || number > TOKENS_MAX)
        return false;
    t->of[figure] = number;
    t->told |= BIT(figure);
    return true;
}

static bool take_written(struct taking *t, struct json parts)
{
    return take(t, MESSAGES_WRITTEN_5M, json_member(parts, "ephemeral_5m_input_tokens")) &&
           take(t, MESSAGES_WRITTEN_1H, json_member(parts, "ephemeral_1h_input_tokens"));
}

static bool add(struct taking *t, enum messages_figure figure, struct json value)
{
    struct taking one = {0};
    if (!take(&one, figure, value))
        return false;
    t->of[figure] = min_i64(t->of[figure] + one.of[figure], TOKENS_MAX);
    t->told |= BIT(figure);
    return true;
}

static bool take_iterations(struct taking *t, struct json iterations)
{
    struct json one;
    bool good = true;
    if (iterations.type != JSON_ARRAY)
        return true;
    for (int i = MESSAGES_MORE_INPUT; i < MESSAGES_FIGURES; i++)
        t->of[i] = 0;
    for (size_t at = 0; good && json_next(iterations, &at, NULL, &one);) {
        if (!json_string_is(json_member(one, "type"), "compaction"))
            continue;
        good = add(t, MESSAGES_MORE_INPUT, json_member(one, "input_tokens")) &&
               add(t, MESSAGES_MORE_READ, json_member(one, "cache_read_input_tokens")) &&
               add(t, MESSAGES_MORE_WRITTEN, json_member(one, "cache_creation_input_tokens")) &&
               add(t, MESSAGES_MORE_OUTPUT, json_member(one, "output_tokens"));
    }
    return good;
}

static bool take_member(struct taking *t, struct json key, struct json value)
{
    if (CHAT_KEY_IS(key, "input_tokens"))
        return take(t, MESSAGES_INPUT, value);
    if (CHAT_KEY_IS(key, "cache_read_input_tokens"))
        return take(t, MESSAGES_READ, value);
    if (CHAT_KEY_IS(key, "cache_creation_input_tokens"))
        return take(t, MESSAGES_WRITTEN, value);
    if (CHAT_KEY_IS(key, "cache_creation"))
        return take_written(t, value);
    if (CHAT_KEY_IS(key, "output_tokens"))
        return take(t, MESSAGES_OUTPUT, value);
    if (CHAT_KEY_IS(key, "output_tokens_details"))
        return take(t, MESSAGES_THINKING, json_member(value, "thinking_tokens"));
    if (CHAT_KEY_IS(key, "server_tool_use"))
        return take(t, MESSAGES_SEARCHES, json_member(value, "web_search_requests"));
    return !CHAT_KEY_IS(key, "iterations") || take_iterations(t, value);
}

bool messages_take_usage(struct json usage, int64_t figures[MESSAGES_FIGURES], uint32_t *told)
{
    struct taking t = {.told = *told};
    struct json key, value;
    if (usage.type != JSON_OBJECT)
        return false;
    memcpy(t.of, figures, sizeof t.of);
    for (size_t at = 0; json_next(usage, &at, &key, &value);)
        if (!take_member(&t, key, value))
            return false;
    memcpy(figures, t.of, sizeof t.of);
    *told = t.told;
    return true;
}

bool messages_usage(const int64_t figures[MESSAGES_FIGURES], uint32_t told,
                    struct pricing_usage *ret_usage)
{
    if (!(told & BIT(MESSAGES_INPUT)) || !(told & BIT(MESSAGES_OUTPUT)))
        return false;
    /* The parts may be told without their sum. */
    int64_t parts = figures[MESSAGES_WRITTEN_5M] + figures[MESSAGES_WRITTEN_1H];
    int64_t written = told & BIT(MESSAGES_WRITTEN) ? figures[MESSAGES_WRITTEN] : parts;
    struct pricing_usage u = {
        .cached_input = figures[MESSAGES_READ] + figures[MESSAGES_MORE_READ],
        .cache_write = written + figures[MESSAGES_MORE_WRITTEN],
        .cache_write_1h = min_i64(figures[MESSAGES_WRITTEN_1H], written),
        .output = figures[MESSAGES_OUTPUT] + figures[MESSAGES_MORE_OUTPUT],
        .reasoning = min_i64(figures[MESSAGES_THINKING], figures[MESSAGES_OUTPUT]),
        .searches = figures[MESSAGES_SEARCHES],
    };
    u.input =
        figures[MESSAGES_INPUT] + figures[MESSAGES_MORE_INPUT] + u.cached_input + u.cache_write;
    *ret_usage = u;
    return true;
}

void messages_read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole, key, value;
    int64_t figures[MESSAGES_FIGURES] = {0};
    uint32_t told = 0;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    for (size_t at = 0; json_next(whole, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "usage"))
            ret_answer->has_usage = messages_take_usage(value, figures, &told) &&
                                    messages_usage(figures, told, &ret_answer->usage);
        else if (CHAT_KEY_IS(key, "id") && value.type == JSON_STRING)
            ret_answer->id = value.raw;
        else if (CHAT_KEY_IS(key, "model") && value.type == JSON_STRING)
            ret_answer->model = value.raw;
    }
}

int messages_write_usage(struct buffer *out, const struct pricing_usage *u, struct slice cost)
{
    struct json_put put = {out, 0};
    json_put_text(&put, "{\"input_tokens\":");
    json_put_number(&put, u->input - u->cached_input - u->cache_write);
    json_put_text(&put, ",\"cache_creation_input_tokens\":");
    json_put_number(&put, u->cache_write);
    json_put_text(&put, ",\"cache_read_input_tokens\":");
    json_put_number(&put, u->cached_input);
    json_put_text(&put, ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":");
    json_put_number(&put, u->cache_write - u->cache_write_1h);
    json_put_text(&put, ",\"ephemeral_1h_input_tokens\":");
    json_put_number(&put, u->cache_write_1h);
    json_put_text(&put, "},\"output_tokens\":");
    json_put_number(&put, u->output);
    json_put_text(&put, ",\"output_tokens_details\":{\"thinking_tokens\":");
    json_put_number(&put, u->reasoning);
    json_put_text(&put, "}");
    if (u->searches) {
        json_put_text(&put, ",\"server_tool_use\":{\"web_search_requests\":");
        json_put_number(&put, u->searches);
        json_put_text(&put, "}");
    }
    if (cost.len) {
        json_put_text(&put, ",\"cost\":");
        json_put_raw(&put, cost);
    }
    json_put_text(&put, ",\"service_tier\":\"standard\"}");
    return put.rc;
}
