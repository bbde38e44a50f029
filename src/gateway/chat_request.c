/* SPDX-License-Identifier: Apache-2.0
 * A chat request: what it asks, the most it can cost, and the two places where it is changed.
 *
 * INPUT BOUND  A token is at least one byte, so the prompt has no more tokens than the body has
 *   bytes; on top comes what is not text:
 *     + LIMIT_TEMPLATE_TOKENS   what a chat template adds (a short body's own syntax is not enough)
 *     + LIMIT_TOOLS_TOKENS      with tools, functions or a response format: a provider's preamble
 *     + LIMIT_IMAGE_TOKENS      for each image; the bytes of an inline image are taken off again
 *     + LIMIT_FILE_TOKENS       for each other part that is no text (file, video_url, ...)
 * OUTPUT BOUND  max_completion_tokens or max_tokens, times n; what the owner grants goes in its
 *   place. A prediction's rejected tokens are billed as output: its bytes come on top.
 * REFUSED  what bills by meters that have no price here, so that nothing bounds it: audio in or
 *   out, searches, hosted tools, dearer service tiers, a list of other models. A refusal names the
 *   field. A field given twice is refused where it matters: parsers differ in which one counts.
 * Everything else is not looked at and reaches the provider byte for byte.
 *
 * Not done: a parsed document (this walks the bytes once), and a check of the rest of the request:
 * the provider does that, and knows better. */
#include "gateway/chat.h"

#include "base/assert.h"

#include <stdio.h>

enum { CHOICES_MAX = 128 }; /* OpenAI's own maximum of n */

struct reading {
    struct dialect_request *request;
    struct dialect_error *error;
    bool with_tools;
};

static int fault(struct reading *r, const char *param, const char *message)
{
    *r->error =
        (struct dialect_error){400, "invalid_request_error", "invalid_value", param, message, {0}};
    return METE_E_INVALID;
}

static int not_priced(struct reading *r, const char *param, const char *message)
{
    *r->error = (struct dialect_error){
        400, "invalid_request_error", "unsupported_parameter", param, message, {0}};
    return METE_E_INVALID;
}

static bool given(struct json value)
{
    return value.type != JSON_NONE && value.type != JSON_NULL && value.type != JSON_FALSE;
}

static struct slice after_brace(struct json object)
{
    return (struct slice){object.raw.data + 1, 0};
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void count_image(struct reading *r, struct json image)
{
    r->request->input_bound += LIMIT_IMAGE_TOKENS;
    struct json url = image;
    if (image.type == JSON_OBJECT)
        url = json_count(image, "url") == 1 ? json_member(image, "url") : (struct json){0};
    if (url.type == JSON_STRING && slice_starts(url.raw, SLICE_LITERAL("\"data:image/")))
        r->request->input_bound -= (int64_t)url.raw.len;
}

static int read_part(struct reading *r, struct json part)
{
    if (part.type != JSON_OBJECT)
        return 0; /* a bare string is text */
    struct json type = json_count(part, "type") == 1 ? json_member(part, "type") : (struct json){0};
    static const char *const texts[] = {"text", "refusal", "thinking", "reference"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (type.type == JSON_STRING && json_string_is(type, texts[i]))
            return 0;
    if (type.type == JSON_STRING && json_string_is(type, "input_audio"))
        return not_priced(r, "messages",
                          "Audio input is billed by a meter that has no price here.");
    if (type.type == JSON_STRING && json_string_is(type, "image_url") &&
        json_count(part, "image_url") == 1)
        count_image(r, json_member(part, "image_url"));
    else
        r->request->input_bound += LIMIT_FILE_TOKENS;
    return 0;
}

static int read_message(struct reading *r, struct json message)
{
    struct json key, value, part;
    if (message.type != JSON_OBJECT)
        return fault(r, "messages", "Each message must be an object.");
    for (size_t at = 0; json_next(message, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "audio") && given(value))
            return not_priced(r, "messages", "Audio is billed by a meter that has no price here.");
        if (!CHAT_KEY_IS(key, "content") || value.type != JSON_ARRAY)
            continue;
        for (size_t in = 0; json_next(value, &in, NULL, &part);) {
            int rc = read_part(r, part);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int read_messages(struct reading *r, struct json value)
{
    struct json message;
    size_t at = 0, count = 0;
    if (value.type != JSON_ARRAY)
        return fault(r, "messages", "messages must be an array.");
    for (; json_next(value, &at, NULL, &message); count++) {
        int rc = read_message(r, message);
        if (rc)
            return rc;
    }
    return count ? 0 : fault(r, "messages", "messages must not be empty.");
}

/* ---- The other members ----------------------------------------------------------------------- */

static int read_model(struct reading *r, struct json value)
{
    long len = -1;
    if (value.type == JSON_STRING)
        len = json_string_copy(value, r->request->model, LIMIT_ID);
    if (len < 1)
        return fault(r, "model", "model must be a string of 1 to 128 bytes.");
    for (long i = 0; i < len; i++)
        if (r->request->model[i] <= ' ' || r->request->model[i] > '~')
            return fault(r, "model", "model must be printable ASCII without spaces.");
    r->request->model[len] = 0;
    r->request->model_len = (size_t)len;
    return 0;
}

static int read_stream(struct reading *r, struct json value)
{
    if (value.type != JSON_TRUE && value.type != JSON_FALSE && value.type != JSON_NULL)
        return fault(r, "stream", "stream must be true or false.");
    r->request->stream = value.type == JSON_TRUE;
    return 0;
}

static int read_stream_options(struct reading *r, struct json value)
{
    struct dialect_place *place = &r->request->usage_option;
    if (value.type == JSON_NULL) {
        *place = (struct dialect_place){value.raw, "{\"include_usage\":", "}"};
        return 0;
    }
    if (value.type != JSON_OBJECT || json_count(value, "include_usage") > 1)
        return fault(r, "stream_options",
                     "stream_options must be an object, with include_usage at most once.");
    struct json option = json_member(value, "include_usage");
    size_t at = 0;
    if (option.type == JSON_TRUE) {
        r->request->wants_usage = true;
        *place = (struct dialect_place){0};
    } else if (option.type != JSON_NONE) {
        *place = (struct dialect_place){option.raw, "", ""};
    } else {
        bool empty = !json_next(value, &at, NULL, &option);
        *place = (struct dialect_place){after_brace(value), "\"include_usage\":", empty ? "" : ","};
    }
    return 0;
}

static int read_bound(struct reading *r, struct json value, bool newer)
{
    const char *name = newer ? "max_completion_tokens" : "max_tokens";
    int64_t asked = 0;
    if (value.type == JSON_NULL && r->request->output_bound_named)
        return 0;
    if (value.type != JSON_NULL) {
        if (json_integer(value, &asked) || asked < 1 || asked > LIMIT_OUTPUT_TOKENS)
            return fault(r, name,
                         "The bound of output tokens must be a whole number from 1 to "
                         "16777216.");
        if (r->request->asked)
            return fault(r, name, "max_tokens and max_completion_tokens exclude each other.");
    }
    r->request->asked = asked;
    r->request->output_bound_named = true;
    r->request->output_bound = (struct dialect_place){value.raw, "", ""};
    return 0;
}

static int read_older_bound(struct reading *r, struct json value)
{
    return read_bound(r, value, false);
}

static int read_newer_bound(struct reading *r, struct json value)
{
    return read_bound(r, value, true);
}

static int read_choices(struct reading *r, struct json value)
{
    int64_t choices = 1;
    if (value.type != JSON_NULL &&
        (json_integer(value, &choices) || choices < 1 || choices > CHOICES_MAX))
        return fault(r, "n", "n and best_of must be whole numbers from 1 to 128.");
    r->request->choices = max_i64(r->request->choices, choices);
    return 0;
}

static int read_tools(struct reading *r, struct json value)
{
    struct json tool;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);) {
        struct json type = json_member(tool, "type");
        r->with_tools = true;
        if (json_count(tool, "type") > 1 ||
            (type.type == JSON_STRING && !json_string_is(type, "function") &&
             !json_string_is(type, "custom")))
            return not_priced(r, "tools",
                              "Tools that the provider runs are billed by meters that "
                              "have no price here.");
    }
    return 0;
}

static int read_preamble(struct reading *r, struct json value)
{
    r->with_tools = r->with_tools || given(value);
    return 0;
}

static int read_prediction(struct reading *r, struct json value)
{
    r->request->output_fixed += given(value) ? (int64_t)value.raw.len : 0;
    return 0;
}

static int read_modalities(struct reading *r, struct json value)
{
    struct json one;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);)
        if (one.type != JSON_STRING || !json_string_is(one, "text"))
            return not_priced(r, "modalities",
                              "Output other than text is billed by meters that "
                              "have no price here.");
    return 0;
}

static int read_service_tier(struct reading *r, struct json value)
{
    if (given(value) && !(value.type == JSON_STRING &&
                          (json_string_is(value, "auto") || json_string_is(value, "default"))))
        return not_priced(r, "service_tier",
                          "Service tiers other than auto and default have "
                          "prices of their own, and none here.");
    return 0;
}

static int read_reasoning(struct reading *r, struct json value)
{
    bool off = value.type == JSON_STRING && json_string_is(value, "none");
    r->request->may_hide_output = r->request->may_hide_output || (given(value) && !off);
    return 0;
}

static int refuse_audio(struct reading *r, struct json value)
{
    return given(value) ? not_priced(r, "audio",
                                     "Audio output is billed by a meter that has no "
                                     "price here.")
                        : 0;
}

static int refuse_search(struct reading *r, struct json value)
{
    return given(value) ? not_priced(r, NULL,
                                     "Searches are billed each, and have no price here "
                                     "(web_search_options, search_parameters, plugins, "
                                     "enable_search).")
                        : 0;
}

static int refuse_models(struct reading *r, struct json value)
{
    return given(value) ? not_priced(r, "models",
                                     "A list of other models cannot be bounded: name "
                                     "one in model.")
                        : 0;
}

/* Members that are read; each at most once in a request. */
struct member {
    const char *name;
    size_t len;
    int (*read)(struct reading *r, struct json value);
};

#define MEMBER(name, read)                                                                         \
    {                                                                                              \
        name, sizeof(name) - 1, read                                                               \
    }
static const struct member members[] = {
    MEMBER("model", read_model),
    MEMBER("messages", read_messages),
    MEMBER("stream", read_stream),
    MEMBER("stream_options", read_stream_options),
    MEMBER("max_tokens", read_older_bound),
    MEMBER("max_completion_tokens", read_newer_bound),
    MEMBER("n", read_choices),
    MEMBER("best_of", read_choices),
    MEMBER("tools", read_tools),
    MEMBER("functions", read_preamble),
    MEMBER("response_format", read_preamble),
    MEMBER("prediction", read_prediction),
    MEMBER("modalities", read_modalities),
    MEMBER("service_tier", read_service_tier),
    MEMBER("reasoning_effort", read_reasoning),
    MEMBER("reasoning", read_reasoning),
    MEMBER("thinking", read_reasoning),
    MEMBER("enable_thinking", read_reasoning),
    MEMBER("thinking_budget", read_reasoning),
    MEMBER("audio", refuse_audio),
    MEMBER("web_search_options", refuse_search),
    MEMBER("search_parameters", refuse_search),
    MEMBER("plugins", refuse_search),
    MEMBER("enable_search", refuse_search),
    MEMBER("models", refuse_models),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int read_member(struct reading *r, uint32_t *seen, struct json key, struct json value)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!chat_key_is(key, members[i].name, members[i].len))
            continue;
        if (*seen & UINT32_C(1) << i)
            return fault(r, members[i].name, "The field is given twice.");
        *seen |= UINT32_C(1) << i;
        return members[i].read(r, value);
    }
    return 0;
}

static void set_places(struct reading *r, struct json whole)
{
    struct dialect_request *request = r->request;
    request->input_bound += LIMIT_TEMPLATE_TOKENS + (r->with_tools ? LIMIT_TOOLS_TOKENS : 0);
    if (!request->output_bound_named)
        request->output_bound = (struct dialect_place){after_brace(whole), NULL, ","};
    if (!request->stream)
        request->usage_option = (struct dialect_place){0};
}

int chat_read_request(struct slice body, struct dialect_request *ret_request,
                      struct dialect_error *ret_error)
{
    _Static_assert(MEMBERS <= 32, "seen has a bit for each");
    *ret_request = (struct dialect_request){.choices = 1, .input_bound = (int64_t)body.len};
    struct reading r = {.request = ret_request, .error = ret_error};
    struct json whole, key, value;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return fault(&r, NULL, "The body is not a JSON object.");
    ret_request->usage_option =
        (struct dialect_place){after_brace(whole), "\"stream_options\":{\"include_usage\":", "},"};
    uint32_t seen = 0;
    for (size_t at = 0; json_next(whole, &at, &key, &value);) {
        int rc = read_member(&r, &seen, key, value);
        if (rc)
            return rc;
    }
    if (!(seen & 1))
        return fault(&r, "model", "model is missing.");
    if (!(seen & 2))
        return fault(&r, "messages", "messages is missing.");
    set_places(&r, whole);
    return 0;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* One change: text in place of at. */
struct change {
    struct slice at;
    const char *before, *text, *after;
};

static int splice(struct slice body, const struct change *changes, size_t len, struct buffer *out)
{
    const char *from = body.data, *end = body.data + body.len;
    int rc = 0;
    for (size_t i = 0; i < len && !rc; i++) {
        ASSERT(changes[i].at.data >= from);
        ASSERT(changes[i].at.data + changes[i].at.len <= end);
        rc = buffer_append(out, (struct slice){from, (size_t)(changes[i].at.data - from)});
        if (!rc)
            rc = buffer_text(out, changes[i].before);
        if (!rc)
            rc = buffer_text(out, changes[i].text);
        if (!rc)
            rc = buffer_text(out, changes[i].after);
        from = changes[i].at.data + changes[i].at.len;
    }
    return rc ? rc : buffer_append(out, (struct slice){from, (size_t)(end - from)});
}

int chat_write_request(const struct dialect_request *request, struct slice body, int64_t granted,
                       bool new_field, struct buffer *out)
{
    struct change changes[2];
    size_t len = 0;
    char number[24];
    if (granted) {
        const struct dialect_place *place = &request->output_bound;
        const char *before = new_field ? "\"max_completion_tokens\":" : "\"max_tokens\":";
        snprintf(number, sizeof number, "%lld", (long long)granted);
        changes[len++] = (struct change){place->at, place->before ? place->before : before, number,
                                         place->after};
    }
    if (request->usage_option.at.data) {
        const struct dialect_place *place = &request->usage_option;
        changes[len++] = (struct change){place->at, place->before, "true", place->after};
    }
    if (len == 2 && changes[1].at.data < changes[0].at.data) {
        struct change first = changes[1];
        changes[1] = changes[0];
        changes[0] = first;
    }
    return splice(body, changes, len, out);
}
