/* SPDX-License-Identifier: Apache-2.0
 * OpenAI embeddings (the dialect "openai-embeddings"), as Voyage, Mistral and others speak them
 * too: texts in, vectors out; nothing but input is billed.
 *
 * INPUT BOUND  the bytes of the body, and for each text what a template adds: Voyage puts a
 *   sentence before a query. An input that is no text and no list of tokens (an image, by whatever
 *   name) counts as a file.
 * USAGE  total_tokens where it is more than prompt_tokens, or stands alone (Voyage). */
#include "dialect/chat.h"
#include "dialect/openai.h"
#include "dialect/prompts.h"

/* ---- Requests -------------------------------------------------------------------------------- */

static int read_input(struct openai_reading *r, struct json value)
{
    struct json one;
    int64_t texts = 0;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);) {
        if (one.type == JSON_NUMBER)
            break;
        texts++;
        if (one.type == JSON_OBJECT)
            r->request->input_bound += LIMIT_FILE_TOKENS;
    }
    if (texts > LIMIT_PROMPTS)
        return openai_fault(r, "input", "There are more than 2048 inputs.");
    r->request->input_bound += max_i64(texts, 1) * LIMIT_TEMPLATE_TOKENS;
    return 0;
}

static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("input", read_input),
    OPENAI_MEMBER("models", openai_refuse_models),
    OPENAI_MEMBER("user", openai_read_user),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 1))
        rc = openai_model_of_path(&r, target, whole);
    if (!rc && !(seen & 2))
        rc = openai_fault(&r, "input", "input is missing.");
    ret_request->makes_no_output = true;
    return rc;
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    return openai_path(path, "/embeddings", ret_target);
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/embeddings");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static bool read_usage(struct json usage, struct pricing_usage *ret_usage)
{
    struct pricing_usage read;
    int64_t total;
    struct json alone = json_member(usage, "total_tokens");
    if (chat_usage(usage, &read)) {
        *ret_usage = (struct pricing_usage){.input = read.input + read.output};
        return true;
    }
    bool prompted = json_member(usage, "prompt_tokens").type == JSON_NUMBER;
    if (prompted || json_integer(alone, &total) || total < 0 || total > CHAT_TOKENS_MAX)
        return false;
    *ret_usage = (struct pricing_usage){.input = total};
    return true;
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole, key, value;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    for (size_t at = 0; json_next(whole, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "usage"))
            ret_answer->has_usage = read_usage(value, &ret_answer->usage);
        else if (CHAT_KEY_IS(key, "id") && value.type == JSON_STRING)
            ret_answer->id = value.raw;
        else if (CHAT_KEY_IS(key, "model") && value.type == JSON_STRING)
            ret_answer->model = value.raw;
    }
}

const struct dialect *dialect_embeddings(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect embeddings = {
        .name = "openai-embeddings",
        .operation = "embeddings",
        .endpoint = "embeddings",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .match = match,
        .read_request = read_request,
        .count_input = embeddings_count_input,
        .write_path = write_path,
        .read_answer = read_answer,
        .read_event = chat_read_event,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
        .write_break = chat_write_break,
        .write_end = chat_write_end,
        .passed = passed,
    };
    return &embeddings;
}
