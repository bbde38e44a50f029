/* SPDX-License-Identifier: Apache-2.0
 * A path of a provider's that no format here knows, which the configuration lets through at a price
 * for the call (the dialect "pass-through"). Bytes go there and come back as they are.
 *
 * BOUND, USAGE  one call, whatever it comes to.
 * MODEL  what a JSON body names, so that a key that may use some models may use no other here
 *   either; else the path stands for it. */
#include "dialect/chat.h"
#include "dialect/openai.h"

static bool take(struct dialect_request *request, struct slice name)
{
    if (!name.len || name.len > LIMIT_ID)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return false;
    if (name.data != request->model)
        memcpy(request->model, name.data, name.len);
    request->model[name.len] = 0;
    request->model_len = name.len;
    return true;
}

static int read_request(const struct dialect_target *target, struct slice body,
                        struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole, model = {0};
    *ret_request = (struct dialect_request){.choices = 1,
                                            .makes_no_output = true,
                                            .is_flat = true,
                                            .is_form = true, /* its content type goes on */
                                            .is_relayed = true,
                                            .is_any_text = true,
                                            .path = target->rest};
    if (!json_scan(body, &whole, NULL) && whole.type == JSON_OBJECT) {
        if (json_count(whole, "model") > 1)
            return openai_fault(&r, "model", "The field is given twice.");
        model = json_member(whole, "model");
    }
    if (model.type == JSON_STRING) {
        long len = json_string_copy(model, ret_request->model, LIMIT_ID);
        if (take(ret_request, (struct slice){ret_request->model, len < 0 ? 0 : (size_t)len}))
            return 0;
        return openai_fault(&r, "model", "model must be a printable text of 1 to 128 bytes.");
    }
    if (take(ret_request, target->rest))
        return 0;
    return openai_fault(&r, NULL, "The path is too long to be recorded.");
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    (void)path;
    (void)query;
    (void)ret_target;
    return false; /* the configuration says where (gateway/providers.h) */
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    struct slice version = SLICE_LITERAL("/v1/"), path = request->path;
    (void)model;
    return buffer_append(out,
                         slice_starts(path, version) ? slice_from(path, version.len - 1) : path);
}

static void read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    (void)body;
    *ret_answer = (struct dialect_answer){0};
}

const struct dialect *dialect_pass(void)
{
    static const char *const passed[] = {"openai-beta", "accept", NULL};
    static const struct dialect pass = {
        .name = "pass-through",
        .operation = "pass_through",
        .endpoint = "pass_through",
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
    return &pass;
}
