/* SPDX-License-Identifier: Apache-2.0
 * A converse request: what it asks, the most it can cost, and where its bound stands.
 *
 *   {"messages":[{"role","content":[{"text"}|{"image":{"format","source":{"bytes"}}}|{"document"}|
 *      {"video"}|{"toolUse"}|{"toolResult":{"content":[...]}}|{"cachePoint"}|...]}],
 *    "system":[{"text"}|...],"inferenceConfig":{"maxTokens",...},"toolConfig":{"tools":[...]},
 *    "additionalModelRequestFields":{...}}
 *
 * INPUT BOUND  as of the chat format (chat_request.c); documents, videos and blocks that are not
 *   known count as files, and so does a prompt that is kept with AWS (promptVariables).
 * OUTPUT BOUND  inferenceConfig.maxTokens. additionalModelRequestFields go to the model as they
 *   are: a bound in them would be another one, and is refused.
 * USES  sound in, service tiers, an hour's cache.
 * REFUSED  guardrails, latency-optimized inference and tools that AWS runs: they bill by meters
 *   that have no price here. A field given twice where it matters. */
#include "dialect/converse.h"

#include "dialect/path.h"

struct reading {
    struct dialect_request *request;
    struct dialect_error *error;
    bool with_tools, configured, asked;
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

/* The member, if it is there once. */
static struct json only(struct json object, const char *name)
{
    return json_count(object, name) == 1 ? json_member(object, name) : (struct json){0};
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void count_image(struct reading *r, struct json image)
{
    struct json bytes = only(only(image, "source"), "bytes");
    r->request->input_bound += LIMIT_IMAGE_TOKENS;
    if (bytes.type == JSON_STRING)
        r->request->input_bound -= (int64_t)bytes.raw.len;
}

static void read_cache_point(struct reading *r, struct json point)
{
    if (json_string_is(json_member(point, "ttl"), "1h") || json_count(point, "ttl") > 1)
        r->request->uses |= DIALECT_LONG_CACHE;
}

static void read_blocks(struct reading *r, struct json blocks, bool nested);

static void read_block(struct reading *r, struct json block, bool nested)
{
    static const char *const texts[] = {"text", "toolUse", "reasoningContent", "json",
                                        "citationsContent"};
    struct json key, value;
    for (size_t at = 0; block.type == JSON_OBJECT && json_next(block, &at, &key, &value);) {
        bool is_text = !given(value);
        for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !is_text; i++)
            is_text = chat_key_is(key, texts[i], strlen(texts[i]));
        if (is_text)
            continue;
        if (CHAT_KEY_IS(key, "cachePoint")) {
            read_cache_point(r, value);
        } else if (CHAT_KEY_IS(key, "image")) {
            count_image(r, value);
        } else if (CHAT_KEY_IS(key, "toolResult") && !nested) {
            read_blocks(r, only(value, "content"), true);
        } else {
            r->request->input_bound += LIMIT_FILE_TOKENS;
            if (CHAT_KEY_IS(key, "audio"))
                r->request->uses |= DIALECT_AUDIO_INPUT;
        }
    }
}

/* nested: of a tool's answer, which holds no further answers. */
static void read_blocks(struct reading *r, struct json blocks, bool nested)
{
    struct json block;
    if (blocks.type != JSON_ARRAY)
        r->request->input_bound += LIMIT_FILE_TOKENS;
    for (size_t at = 0; blocks.type == JSON_ARRAY && json_next(blocks, &at, NULL, &block);)
        read_block(r, block, nested);
}

static int read_messages(struct reading *r, struct json value)
{
    struct json message;
    if (value.type != JSON_ARRAY)
        return fault(r, "messages", "messages must be an array.");
    for (size_t at = 0; json_next(value, &at, NULL, &message);) {
        if (message.type != JSON_OBJECT || json_count(message, "content") != 1)
            return fault(r, "messages", "Each message must be an object with one content.");
        read_blocks(r, json_member(message, "content"), false);
    }
    r->asked = true;
    return 0;
}

static int read_system(struct reading *r, struct json value)
{
    if (given(value))
        read_blocks(r, value, true);
    return 0;
}

/* ---- The other members ----------------------------------------------------------------------- */

static int read_config(struct reading *r, struct json value)
{
    struct dialect_place *place = &r->request->output_bound;
    struct json bound;
    r->configured = true;
    if (value.type == JSON_NULL) {
        *place = (struct dialect_place){value.raw, "{\"maxTokens\":", "}"};
        return 0;
    }
    if (value.type != JSON_OBJECT || json_count(value, "maxTokens") > 1)
        return fault(r, "inferenceConfig",
                     "inferenceConfig must be an object, with maxTokens at most once.");
    bound = json_member(value, "maxTokens");
    if (bound.type == JSON_NONE) {
        *place = (struct dialect_place){after_brace(value), "\"maxTokens\":", ","};
        return 0;
    }
    if (bound.type != JSON_NULL &&
        (json_integer(bound, &r->request->asked) || r->request->asked < 1 ||
         r->request->asked > LIMIT_OUTPUT_TOKENS))
        return fault(r, "maxTokens",
                     "The bound of output tokens must be a whole number from 1 to 16777216.");
    *place = (struct dialect_place){bound.raw, "", ""};
    return 0;
}

static int read_tools(struct reading *r, struct json value)
{
    struct json tools = only(value, "tools"), tool, key, what;
    if (!given(value))
        return 0;
    if (tools.type != JSON_ARRAY)
        return fault(r, "toolConfig", "toolConfig must be an object with one array of tools.");
    r->with_tools = true;
    for (size_t at = 0; json_next(tools, &at, NULL, &tool);) {
        for (size_t in = 0; tool.type == JSON_OBJECT && json_next(tool, &in, &key, &what);) {
            if (CHAT_KEY_IS(key, "cachePoint"))
                read_cache_point(r, what);
            else if (!CHAT_KEY_IS(key, "toolSpec") && given(what))
                return not_priced(r, "toolConfig",
                                  "Tools that the provider runs are billed by meters that have "
                                  "no price here.");
        }
    }
    return 0;
}

/* What models call their bound, and how many answers they are asked for. */
static bool is_bound(struct json key)
{
    static const char *const names[] = {
        "max_tokens",
        "maxTokens",
        "max_tokens_to_sample",
        "max_gen_len",
        "max_new_tokens",
        "maxTokenCount",
        "max_completion_tokens",
        "inferenceConfig",
        "textGenerationConfig",
        "n",
        "num_generations",
        "numResults",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (chat_key_is(key, names[i], strlen(names[i])))
            return true;
    return false;
}

static int read_fields(struct reading *r, struct json value)
{
    struct json key, field;
    if (!given(value))
        return 0;
    if (value.type != JSON_OBJECT)
        return fault(r, "additionalModelRequestFields",
                     "additionalModelRequestFields must be an object.");
    for (size_t at = 0; json_next(value, &at, &key, &field);) {
        if (is_bound(key))
            return not_priced(r, "additionalModelRequestFields",
                              "The bound of output tokens stands in inferenceConfig.maxTokens; "
                              "more than one answer has no bound.");
        /* Whatever the model's word for it is: thinking, reasoning_config, reasoningConfig. */
        r->request->may_hide_output = true;
    }
    r->with_tools = true;
    return 0;
}

static int read_service(struct reading *r, struct json value)
{
    struct json type = only(value, "type");
    if (!given(value) || json_string_is(type, "default"))
        return 0;
    if (json_string_is(type, "priority"))
        r->request->uses |= DIALECT_PRIORITY;
    else if (json_string_is(type, "flex"))
        r->request->uses |= DIALECT_FLEX;
    else
        return not_priced(r, "serviceTier", "This service tier has no price here.");
    return 0;
}

static int read_performance(struct reading *r, struct json value)
{
    struct json latency = only(value, "latency");
    return !given(value) || json_string_is(latency, "standard")
               ? 0
               : not_priced(r, "performanceConfig",
                            "Latency-optimized inference has a price of its own, and none here.");
}

static int read_guardrail(struct reading *r, struct json value)
{
    return given(value) ? not_priced(r, "guardrailConfig",
                                     "Guardrails are billed by a meter that has no price here.")
                        : 0;
}

static int read_variables(struct reading *r, struct json value)
{
    r->request->input_bound += given(value) ? LIMIT_FILE_TOKENS : 0;
    return 0;
}

static int read_shape(struct reading *r, struct json value)
{
    r->with_tools = r->with_tools || given(value);
    return 0;
}

static const struct {
    const char *name;
    int (*read)(struct reading *r, struct json value);
} members[] = {
    {"messages", read_messages},
    {"system", read_system},
    {"inferenceConfig", read_config},
    {"toolConfig", read_tools},
    {"additionalModelRequestFields", read_fields},
    {"serviceTier", read_service},
    {"performanceConfig", read_performance},
    {"guardrailConfig", read_guardrail},
    {"promptVariables", read_variables},
    {"outputConfig", read_shape},
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int read_member(struct reading *r, uint32_t *seen, struct json key, struct json value)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (!chat_key_is(key, members[i].name, strlen(members[i].name)))
            continue;
        if (*seen & UINT32_C(1) << i)
            return fault(r, members[i].name, "The field is given twice.");
        *seen |= UINT32_C(1) << i;
        return members[i].read(r, value);
    }
    return 0;
}

int converse_read_request(const struct dialect_target *target, struct slice body,
                          struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    *ret_request = (struct dialect_request){
        .choices = 1, .input_bound = (int64_t)body.len, .stream = target->stream};
    struct reading r = {.request = ret_request, .error = ret_error};
    struct json whole, key, value;
    uint32_t seen = 0;
    int rc = path_read_model(target, ret_request, ret_error);
    if (rc)
        return rc;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return fault(&r, NULL, "The body is not a JSON object.");
    for (size_t at = 0; json_next(whole, &at, &key, &value);) {
        rc = read_member(&r, &seen, key, value);
        if (rc)
            return rc;
    }
    if (!r.asked)
        return fault(&r, "messages", "messages is missing.");
    ret_request->input_bound += LIMIT_TEMPLATE_TOKENS + (r.with_tools ? LIMIT_TOOLS_TOKENS : 0);
    if (!r.configured)
        ret_request->output_bound =
            (struct dialect_place){after_brace(whole), "\"inferenceConfig\":{\"maxTokens\":", "},"};
    return 0;
}
