/* SPDX-License-Identifier: Apache-2.0
 * Paths and members that OpenAI's formats have in common. A deployment in a path is Azure's way of
 * naming the model; its clients name it in the body too, and where both do the body's counts, for
 * that is what other providers read. */
#include "dialect/openai.h"

#include "base/assert.h"
#include "dialect/chat.h"

/* ---- Paths ----------------------------------------------------------------------------------- */

struct slice openai_path_rest(struct slice path)
{
    static const char *const roots[] = {"/v1/", "/openai/v1/", "/openai/"};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (slice_starts(path, slice_of(roots[i])))
            return slice_from(path, strlen(roots[i]) - 1);
    return (struct slice){0};
}

bool openai_path(struct slice path, const char *name, struct dialect_target *ret_target)
{
    struct slice deployments = SLICE_LITERAL("/deployments/");
    struct slice rest = openai_path_rest(path);
    if (slice_is(rest, name))
        return true;
    if (!slice_starts(path, SLICE_LITERAL("/openai/deployments/")))
        return false;
    rest = slice_from(rest, deployments.len);
    const char *end = rest.len ? memchr(rest.data, '/', rest.len) : NULL;
    size_t len = end ? (size_t)(end - rest.data) : 0;
    if (!len || !slice_is(slice_from(rest, len), name))
        return false;
    ret_target->model = slice_part(rest, 0, len);
    return true;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

int openai_fault(struct openai_reading *r, const char *param, const char *message)
{
    *r->error =
        (struct dialect_error){400, "invalid_request_error", "invalid_value", param, message, {0}};
    return METE_E_INVALID;
}

int openai_not_priced(struct openai_reading *r, const char *param, const char *message)
{
    *r->error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    return METE_E_INVALID;
}

/* ---- The body -------------------------------------------------------------------------------- */

bool openai_given(struct json value)
{
    return value.type != JSON_NONE && value.type != JSON_NULL && value.type != JSON_FALSE;
}

struct slice openai_after_brace(struct json object)
{
    return (struct slice){object.raw.data + 1, 0};
}

static int read_member(struct openai_reading *r, const struct openai_member *members, size_t len,
                       uint64_t *seen, struct json key, struct json value)
{
    for (size_t i = 0; i < len; i++) {
        if (!chat_key_is(key, members[i].name, members[i].len))
            continue;
        if (*seen & UINT64_C(1) << i)
            return openai_fault(r, members[i].name, "The field is given twice.");
        *seen |= UINT64_C(1) << i;
        return members[i].read(r, value);
    }
    return 0;
}

int openai_read_body(struct openai_reading *r, struct slice body,
                     const struct openai_member *members, size_t len, struct json *ret_whole,
                     uint64_t *ret_seen)
{
    struct json key, value;
    ASSERT(len <= OPENAI_MEMBERS_MAX);
    *r->request = (struct dialect_request){.choices = 1, .input_bound = (int64_t)body.len};
    *ret_seen = 0;
    if (json_scan(body, ret_whole, NULL) || ret_whole->type != JSON_OBJECT)
        return openai_fault(r, NULL, "The body is not a JSON object.");
    for (size_t at = 0; json_next(*ret_whole, &at, &key, &value);) {
        int rc = read_member(r, members, len, ret_seen, key, value);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- Members --------------------------------------------------------------------------------- */

static int take_model(struct openai_reading *r, const char *name, long len)
{
    struct dialect_request *request = r->request;
    if (len < 1)
        return openai_fault(r, "model", "model must be a string of 1 to 128 bytes.");
    for (long i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~')
            return openai_fault(r, "model", "model must be printable ASCII without spaces.");
    request->model[len] = 0;
    request->model_len = (size_t)len;
    return 0;
}

int openai_read_model(struct openai_reading *r, struct json value)
{
    long len = -1;
    if (value.type == JSON_STRING)
        len = json_string_copy(value, r->request->model, LIMIT_ID);
    r->request->model_name = (struct dialect_place){value.raw, "", ""};
    return take_model(r, r->request->model, len);
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Length of a path's part without its percent escapes; -1: it does not fit, or is none. */
static long unescape(struct slice text, char room[LIMIT_ID])
{
    long len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;
        if (len == LIMIT_ID)
            return -1;
        if (text.data[i] == '%' && i + 2 < text.len) {
            high = hex_of(text.data[i + 1]);
            low = hex_of(text.data[i + 2]);
        }
        if (text.data[i] == '%' && (high < 0 || low < 0))
            return -1;
        room[len++] = high < 0 ? text.data[i] : (char)(high * 16 + low);
        i += high < 0 ? 0 : 2;
    }
    return len;
}

int openai_model_of_path(struct openai_reading *r, const struct dialect_target *target,
                         struct json whole)
{
    struct dialect_request *request = r->request;
    if (!target || !target->model.len)
        return openai_fault(r, "model", "model is missing.");
    int rc = take_model(r, request->model, unescape(target->model, request->model));
    for (size_t i = 0; i < request->model_len && !rc; i++)
        if (request->model[i] == '"' || request->model[i] == '\\')
            rc = openai_fault(r, "model", "The deployment's name cannot be one.");
    request->model_missing = true;
    request->model_name = (struct dialect_place){openai_after_brace(whole), "\"model\":", ","};
    return rc;
}

int openai_read_stream(struct openai_reading *r, struct json value)
{
    if (value.type != JSON_TRUE && value.type != JSON_FALSE && value.type != JSON_NULL)
        return openai_fault(r, "stream", "stream must be true or false.");
    r->request->stream = value.type == JSON_TRUE;
    return 0;
}

int openai_read_stream_options(struct openai_reading *r, struct json value)
{
    struct dialect_place *place = &r->request->usage_option;
    if (value.type == JSON_NULL) {
        *place = (struct dialect_place){value.raw, "{\"include_usage\":", "}"};
        return 0;
    }
    if (value.type != JSON_OBJECT || json_count(value, "include_usage") > 1)
        return openai_fault(r, "stream_options",
                            "stream_options must be an object, with include_usage at most once.");
    struct json option = json_member(value, "include_usage");
    if (option.type == JSON_TRUE) {
        r->request->wants_usage = true;
    } else if (option.type != JSON_NONE) {
        *place = (struct dialect_place){option.raw, "", ""};
    } else {
        *place = (struct dialect_place){openai_after_brace(value), "\"include_usage\":", ","};
    }
    return 0;
}

void openai_ask_usage(struct openai_reading *r, struct json whole)
{
    struct dialect_place *place = &r->request->usage_option;
    if (!r->request->stream)
        *place = (struct dialect_place){0};
    else if (!r->request->wants_usage && !place->at.data)
        *place = (struct dialect_place){openai_after_brace(whole),
                                        "\"stream_options\":{\"include_usage\":", "},"};
}

int openai_read_bound(struct openai_reading *r, struct json value, const char *name)
{
    int64_t asked = 0;
    if (value.type == JSON_NULL && r->request->output_bound.at.data)
        return 0;
    if (value.type != JSON_NULL) {
        if (json_integer(value, &asked) || asked < 1 || asked > LIMIT_OUTPUT_TOKENS)
            return openai_fault(r, name,
                                "The bound of output tokens must be a whole number from 1 to "
                                "16777216.");
        if (r->request->asked)
            return openai_fault(r, name,
                                "max_tokens and max_completion_tokens exclude each other.");
    }
    r->request->asked = asked;
    r->request->output_bound = (struct dialect_place){value.raw, "", ""};
    return 0;
}

int openai_read_choices(struct openai_reading *r, struct json value)
{
    int64_t choices = 1;
    if (value.type != JSON_NULL &&
        (json_integer(value, &choices) || choices < 1 || choices > CHAT_CHOICES_MAX))
        return openai_fault(r, "n", "n and best_of must be whole numbers from 1 to 128.");
    r->request->choices = max_i64(r->request->choices, choices);
    return 0;
}

int openai_refuse_models(struct openai_reading *r, struct json value)
{
    return openai_given(value) ? openai_not_priced(r, "models",
                                                   "A list of other models cannot be bounded: name "
                                                   "one in model.")
                               : 0;
}

/* on_demand is Groq's word for default. */
int openai_read_service(struct openai_reading *r, struct json value)
{
    if (json_string_is(value, "priority"))
        r->request->uses |= DIALECT_PRIORITY;
    else if (json_string_is(value, "flex"))
        r->request->uses |= DIALECT_FLEX;
    else if (openai_given(value) && !json_string_is(value, "auto") &&
             !json_string_is(value, "default") && !json_string_is(value, "on_demand"))
        return openai_not_priced(r, "service_tier",
                                 "Service tiers other than auto, default, priority and flex have "
                                 "no price here.");
    return 0;
}

enum price_service openai_service(struct json value)
{
    return json_string_is(value, "priority") ? PRICE_PRIORITY
           : json_string_is(value, "flex")   ? PRICE_FLEX
                                             : PRICE_STANDARD;
}

int openai_read_user(struct openai_reading *r, struct json value)
{
    if (value.type == JSON_STRING)
        r->request->user = value.raw;
    return 0;
}

int openai_read_metadata(struct openai_reading *r, struct json value)
{
    if (value.type == JSON_OBJECT)
        r->request->metadata = value.raw;
    return 0;
}

/* ---- Images ---------------------------------------------------------------------------------- */

void openai_count_image(struct dialect_request *request, struct json image)
{
    request->input_bound += LIMIT_IMAGE_TOKENS;
    struct json url = image;
    if (image.type == JSON_OBJECT)
        url = json_count(image, "url") == 1 ? json_member(image, "url") : (struct json){0};
    if (url.type == JSON_STRING && slice_starts(url.raw, SLICE_LITERAL("\"data:image/")))
        request->input_bound -= (int64_t)url.raw.len;
}
