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
 * USES  sound in or out, pictures out, searches, other service tiers: refused later if the model
 * has no price for them. REFUSED  what nothing bounds: tools that the provider runs (but its
 * search), a list of other models. A refusal names the field. A field given twice is refused where
 * it matters: parsers differ in which one counts. Everything else is not looked at and reaches the
 * provider byte for byte.
 *
 * Not done: a parsed document (this walks the bytes once), and a check of the rest of the request:
 * the provider does that, and knows better. */
#include "dialect/chat.h"
#include "dialect/openai.h"

/* ---- Messages -------------------------------------------------------------------------------- */

static int read_part(struct openai_reading *r, struct json part)
{
    if (part.type != JSON_OBJECT)
        return 0; /* a bare string is text */
    struct json type = json_count(part, "type") == 1 ? json_member(part, "type") : (struct json){0};
    static const char *const texts[] = {"text", "refusal", "thinking", "reference"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (type.type == JSON_STRING && json_string_is(type, texts[i]))
            return 0;
    if (type.type == JSON_STRING && json_string_is(type, "input_audio"))
        r->request->uses |= DIALECT_AUDIO_INPUT; /* its tokens are fewer than its bytes */
    else if (type.type == JSON_STRING && json_string_is(type, "image_url") &&
             json_count(part, "image_url") == 1)
        openai_count_image(r->request, json_member(part, "image_url"));
    else
        r->request->input_bound += LIMIT_FILE_TOKENS;
    return 0;
}

static int read_message(struct openai_reading *r, struct json message)
{
    struct json key, value, part;
    if (message.type != JSON_OBJECT)
        return openai_fault(r, "messages", "Each message must be an object.");
    for (size_t at = 0; json_next(message, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "audio") && openai_given(value)) { /* an earlier answer, by its id */
            r->request->uses |= DIALECT_AUDIO_INPUT;
            r->request->input_bound += LIMIT_FILE_TOKENS;
        }
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

static int read_messages(struct openai_reading *r, struct json value)
{
    struct json message;
    size_t at = 0, count = 0;
    if (value.type != JSON_ARRAY)
        return openai_fault(r, "messages", "messages must be an array.");
    for (; json_next(value, &at, NULL, &message); count++) {
        int rc = read_message(r, message);
        if (rc)
            return rc;
    }
    return count ? 0 : openai_fault(r, "messages", "messages must not be empty.");
}

/* ---- The other members ----------------------------------------------------------------------- */

static int read_older_bound(struct openai_reading *r, struct json value)
{
    return openai_read_bound(r, value, "max_tokens");
}

static int read_newer_bound(struct openai_reading *r, struct json value)
{
    return openai_read_bound(r, value, "max_completion_tokens");
}

static void use_searches(struct openai_reading *r)
{
    r->request->uses |= DIALECT_SEARCHES;
    r->request->searches = LIMIT_SEARCHES;
}

static int read_tool(struct openai_reading *r, struct json tool)
{
    static const char *const searches[] = {"web_search", "browser_search", "web_search_preview",
                                           "openrouter:web_search"};
    struct json type = json_member(tool, "type");
    r->with_preamble = true;
    if (json_count(tool, "type") > 1)
        return openai_fault(r, "tools", "A tool's type is given twice.");
    if (type.type != JSON_STRING || json_string_is(type, "function") ||
        json_string_is(type, "custom"))
        return 0;
    for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++)
        if (json_string_is(type, searches[i])) {
            use_searches(r);
            return 0;
        }
    return openai_not_priced(r, "tools",
                             "Tools that the provider runs, other than its search, are billed by "
                             "meters that have no price here.");
}

static int read_tools(struct openai_reading *r, struct json value)
{
    struct json tool;
    int rc = 0;
    for (size_t at = 0; !rc && value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);)
        rc = read_tool(r, tool);
    return rc;
}

static int read_preamble(struct openai_reading *r, struct json value)
{
    r->with_preamble = r->with_preamble || openai_given(value);
    return 0;
}

static int read_prediction(struct openai_reading *r, struct json value)
{
    r->request->output_fixed += openai_given(value) ? (int64_t)value.raw.len : 0;
    return 0;
}

static int read_modalities(struct openai_reading *r, struct json value)
{
    struct json one;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &one);) {
        if (json_string_is(one, "audio"))
            r->request->uses |= DIALECT_AUDIO_OUTPUT;
        else if (json_string_is(one, "image"))
            r->request->uses |= DIALECT_IMAGE_OUTPUT;
        else if (!json_string_is(one, "text"))
            return openai_not_priced(r, "modalities",
                                     "Output other than text, audio and image is billed by meters "
                                     "that have no price here.");
    }
    return 0;
}

static int read_reasoning(struct openai_reading *r, struct json value)
{
    bool off = value.type == JSON_STRING && json_string_is(value, "none");
    r->request->may_hide_output = r->request->may_hide_output || (openai_given(value) && !off);
    return 0;
}

static int read_audio(struct openai_reading *r, struct json value)
{
    r->request->uses |= openai_given(value) ? DIALECT_AUDIO_OUTPUT : 0;
    return 0;
}

static int read_search(struct openai_reading *r, struct json value)
{
    if (openai_given(value))
        use_searches(r);
    return 0;
}

/* xAI's: off unless its mode says otherwise. */
static int read_live_search(struct openai_reading *r, struct json value)
{
    struct json mode = json_count(value, "mode") == 1 ? json_member(value, "mode") : value;
    if (openai_given(value) && !json_string_is(mode, "off"))
        use_searches(r);
    return 0;
}

/* OpenRouter's: some are billed by meters nobody names. */
static int read_plugins(struct openai_reading *r, struct json value)
{
    struct json plugin;
    for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &plugin);) {
        if (json_count(plugin, "id") != 1 || !json_string_is(json_member(plugin, "id"), "web"))
            return openai_not_priced(r, "plugins",
                                     "Plugins other than web are billed by meters that have no "
                                     "price here.");
        use_searches(r);
    }
    return 0;
}

/* Members that are read; each at most once in a request. */
static const struct openai_member members[] = {
    OPENAI_MEMBER("model", openai_read_model),
    OPENAI_MEMBER("messages", read_messages),
    OPENAI_MEMBER("stream", openai_read_stream),
    OPENAI_MEMBER("stream_options", openai_read_stream_options),
    OPENAI_MEMBER("max_tokens", read_older_bound),
    OPENAI_MEMBER("max_completion_tokens", read_newer_bound),
    OPENAI_MEMBER("n", openai_read_choices),
    OPENAI_MEMBER("best_of", openai_read_choices),
    OPENAI_MEMBER("tools", read_tools),
    OPENAI_MEMBER("functions", read_preamble),
    OPENAI_MEMBER("response_format", read_preamble),
    OPENAI_MEMBER("prediction", read_prediction),
    OPENAI_MEMBER("modalities", read_modalities),
    OPENAI_MEMBER("service_tier", openai_read_service),
    OPENAI_MEMBER("reasoning_effort", read_reasoning),
    OPENAI_MEMBER("reasoning", read_reasoning),
    OPENAI_MEMBER("thinking", read_reasoning),
    OPENAI_MEMBER("enable_thinking", read_reasoning),
    OPENAI_MEMBER("thinking_budget", read_reasoning),
    OPENAI_MEMBER("audio", read_audio),
    OPENAI_MEMBER("web_search_options", read_search),
    OPENAI_MEMBER("search_parameters", read_live_search),
    OPENAI_MEMBER("plugins", read_plugins),
    OPENAI_MEMBER("enable_search", read_search),
    OPENAI_MEMBER("models", openai_refuse_models),
    OPENAI_MEMBER("user", openai_read_user),
    OPENAI_MEMBER("safety_identifier", openai_read_user),
    OPENAI_MEMBER("metadata", openai_read_metadata),
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static void set_places(struct openai_reading *r, struct json whole)
{
    struct dialect_request *request = r->request;
    request->input_bound += LIMIT_TEMPLATE_TOKENS + (r->with_preamble ? LIMIT_TOOLS_TOKENS : 0);
    if (!request->output_bound.at.data) {
        request->newer_bound = "\"max_completion_tokens\":";
        request->output_bound =
            (struct dialect_place){openai_after_brace(whole), "\"max_tokens\":", ","};
    }
    openai_ask_usage(r, whole);
}

int chat_read_request(const struct dialect_target *target, struct slice body,
                      struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    struct openai_reading r = {.request = ret_request, .error = ret_error};
    struct json whole;
    uint64_t seen;
    int rc = openai_read_body(&r, body, members, MEMBERS, &whole, &seen);
    if (!rc && !(seen & 1))
        rc = openai_model_of_path(&r, target, whole);
    if (!rc && !(seen & 2))
        rc = openai_fault(&r, "messages", "messages is missing.");
    if (!rc)
        set_places(&r, whole);
    return rc;
}
