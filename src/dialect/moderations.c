/* SPDX-License-Identifier: Apache-2.0
 * OpenAI moderations (the dialect "openai-moderations"): texts and pictures in, what is wrong with
 * them out. OpenAI's own are free, which the price list says with an explicit zero; others are
 * billed by their input, as Mistral's.
 *
 * BOUND  the bytes of the body, what a template adds to each text, and each picture. A model that
 *   the body does not name is OpenAI's newest, and is put into it, so that what is priced is what
 * is asked. USAGE  as of chat, where an answer tells it. */
#include "dialect/chat.h"
#include "dialect/openai.h"

static const char newest[] = "omni-moderation-latest";

static int read_input(struct openai_reading *r, struct json value)
{
    struct json one;
    int64_t texts = 0;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);) {
        texts++;
        if (json_string_is(json_member(one, "type"), "image_url"))
            openai_count_image(r->request, json_member(one, "image_url"));
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
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static void take_newest(struct dialect_request *request, struct json whole)
{
    memcpy(request->model, newest, sizeof newest);
    request->model_len = sizeof newest - 1;
    request->model_missing = true;
    request->model_name = (struct dialect_place){openai_after_brace(whole), "\"model\":", ","};
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 2))
        rc = openai_fault(&r, "input", "input is missing.");
    if (!rc && !(seen & 1) && target && target->model.len)
        rc = openai_model_of_path(&r, target, whole);
    else if (!rc && !(seen & 1))
        take_newest(ret_request, whole);
    ret_request->makes_no_output = true;
    return rc;
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)query;
    return openai_path(path, "/moderations", ret_target);
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    (void)request;
    (void)model;
    return buffer_text(out, "/moderations");
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    struct json id = json_member(whole, "id"), model = json_member(whole, "model");
    ret_answer->id = id.type == JSON_STRING ? id.raw : (struct slice){0};
    ret_answer->model = model.type == JSON_STRING ? model.raw : (struct slice){0};
    struct pricing_usage read;
    if (chat_usage(json_member(whole, "usage"), &read)) {
        ret_answer->has_usage = true;
        ret_answer->usage = (struct pricing_usage){.input = read.input + read.output};
    }
}

const struct dialect *dialect_moderations(void)
{
    static const char *const passed[] = {"openai-beta", NULL};
    static const struct dialect moderations = {
        .name = "openai-moderations",
        .operation = "moderation",
        .endpoint = "moderations",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = true,
        .match = match,
        .read_request = read_request,
        .write_path = write_path,
        .read_answer = read_answer,
        .read_event = chat_read_event,
        .write_cost = chat_write_cost,
        .write_error = chat_write_error,
        .write_break = chat_write_break,
        .write_end = chat_write_end,
        .passed = passed,
    };
    return &moderations;
}
