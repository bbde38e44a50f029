/* SPDX-License-Identifier: Apache-2.0
 * The responses dialect's table of functions, its paths, and what a response object says.
 *
 *   POST   /v1/responses                    a new answer
 *   GET    /v1/responses/{id}[?stream=true] one that was made, perhaps in the background
 *   DELETE /v1/responses/{id}
 *   POST   /v1/responses/{id}/cancel
 *   GET    /v1/responses/{id}/input_items
 *
 * USAGE  {"input_tokens","input_tokens_details":{"cached_tokens","cache_write_tokens"},
 *   "output_tokens","output_tokens_details":{"reasoning_tokens"},"total_tokens"}: the convention of
 *   chat with newer names, read by the same rules (chat_usage.c). A response that is queued or in
 *   progress has none yet. The service tier it was served in, and the searches that were made,
 * stand beside it: each web search, file search and run of code among the output is one; pages that
 * a search opens are not billed. Not done: /v1/responses/compact and /v1/responses/input_tokens. */
#include "dialect/prompts.h"
#include "dialect/responses.h"

#include "dialect/chat.h"
#include "dialect/openai.h"

/* ---- A response object ----------------------------------------------------------------------- */

static bool is_search(struct json item)
{
    struct json type = json_member(item, "type");
    struct json action = json_member(json_member(item, "action"), "type");
    static const char *const searches[] = {"web_search_call", "file_search_call", "x_search_call",
                                           "code_interpreter_call"};
    if (action.type == JSON_STRING && !json_string_is(action, "search"))
        return false;
    for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++)
        if (json_string_is(type, searches[i]))
            return true;
    return false;
}

static int64_t count_searches(struct json output)
{
    struct json item;
    int64_t searches = 0;
    for (size_t at = 0; output.type == JSON_ARRAY && json_next(output, &at, NULL, &item);)
        searches += is_search(item);
    return searches;
}

static void read_member(struct json key, struct json value, struct responses_read *read)
{
    struct dialect_answer *answer = &read->answer;
    struct pricing_usage usage;
    if (CHAT_KEY_IS(key, "id") && value.type == JSON_STRING) {
        answer->id = value.raw;
    } else if (CHAT_KEY_IS(key, "model") && value.type == JSON_STRING) {
        answer->model = value.raw;
    } else if (CHAT_KEY_IS(key, "created_at")) {
        if (json_integer(value, &read->created))
            read->created = 0;
    } else if (CHAT_KEY_IS(key, "status")) {
        answer->pending = json_string_is(value, "queued") || json_string_is(value, "in_progress");
        read->failed = json_string_is(value, "failed");
    } else if (CHAT_KEY_IS(key, "service_tier")) {
        answer->usage.service = openai_service(value);
    } else if (CHAT_KEY_IS(key, "output")) {
        answer->usage.searches = count_searches(value);
    } else if (CHAT_KEY_IS(key, "usage") && chat_usage_newer(value, &usage)) {
        usage.service = answer->usage.service;
        usage.searches = answer->usage.searches;
        answer->usage = usage;
        answer->has_usage = true;
        read->usage = value;
    }
}

void responses_read_object(struct json response, struct responses_read *ret_read)
{
    struct json key, value;
    *ret_read = (struct responses_read){0};
    for (size_t at = 0; response.type == JSON_OBJECT && json_next(response, &at, &key, &value);)
        read_member(key, value, ret_read);
    if (!ret_read->answer.has_usage)
        ret_read->answer.usage = (struct pricing_usage){0};
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct responses_read read;
    struct json whole;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL))
        return;
    responses_read_object(whole, &read);
    *ret_answer = read.answer;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    struct slice name = SLICE_LITERAL("/responses"), rest = openai_path_rest(path);
    (void)query;
    if (!slice_starts(rest, name))
        return false;
    rest = slice_from(rest, name.len);
    if (!rest.len)
        return true;
    if (rest.data[0] != '/')
        return false;
    rest = slice_from(rest, 1);
    const char *end = rest.len ? memchr(rest.data, '/', rest.len) : NULL;
    ret_target->id = slice_part(rest, 0, end ? (size_t)(end - rest.data) : rest.len);
    ret_target->rest = slice_from(rest, ret_target->id.len);
    bool known = !ret_target->rest.len || slice_is(ret_target->rest, "/cancel") ||
                 slice_is(ret_target->rest, "/input_items");
    return ret_target->id.len && known && !slice_is(ret_target->id, "compact") &&
           !slice_is(ret_target->id, "input_tokens");
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/responses");
}

static const char *stored_methods(const struct dialect_target *target)
{
    return slice_is(target->rest, "/cancel")        ? "POST"
           : slice_is(target->rest, "/input_items") ? "GET"
                                                    : "GET, DELETE";
}

const struct dialect *dialect_responses(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect responses = {
        .name = "openai-responses",
        .operation = "chat",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .reads_whole = true,
        .comments = true,
        .match = match,
        .read_request = responses_read_request,
        .count_input = responses_count_input,
        .write_path = write_path,
        .stored_methods = stored_methods,
        .read_answer = read_answer,
        .read_event = responses_read_event,
        .read_spot = responses_read_spot,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
        .write_break = responses_write_break,
        .write_end = responses_write_end,
        .neutral = &responses_neutral,
        .passed = passed,
    };
    return &responses;
}
