/* SPDX-License-Identifier: Apache-2.0
 * A messages request: what it asks, the most it can cost, and the place where it is changed.
 *
 * INPUT BOUND  a token is at least one byte, so no more tokens than the body has bytes; on top:
 *     + LIMIT_TEMPLATE_TOKENS   what the template adds
 *     + LIMIT_TOOLS_TOKENS      with tools or a shape for the answer, and for each tool whose
 *                               description is Anthropic's (bash, computer, text editor, memory)
 *     + LIMIT_IMAGE_TOKENS      for each image; the bytes of one that is inline are taken off
 *     + LIMIT_FILE_TOKENS       for each document that is not text, each other block that is not
 *                               known, and once where the provider runs tools: what they read is
 *                               input, again in every round
 * OUTPUT BOUND  max_tokens. Anthropic requires it; where it is absent the granted one is put in.
 *   max_tokens 0 only fills the cache. It must be above the budget to think with.
 * USES  searches: max_uses of web search, else LIMIT_SEARCHES. A container for code is billed by
 *   the hour where it is not free, and no answer says so: it is bounded as one search.
 * REFUSED  what has a price that no list here has: fast mode, inference in one country, another
 *   model as adviser, and summaries that the provider makes on its own (compaction).
 * A field given twice is refused where it matters. Everything else reaches the provider as it is.
 */
#include "dialect/messages.h"

#include "dialect/chat.h"

struct reading {
    struct dialect_request *request;
    struct dialect_error *error;
    int64_t preambles; /* tools and shapes described by the provider */
    bool runs_tools;   /* the provider does */
    bool no_output;
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

/* The type of a block or tool; JSON_NONE where it is given twice. */
static struct json type_of(struct json object)
{
    return json_count(object, "type") == 1 ? json_member(object, "type") : (struct json){0};
}

static bool is_one_of(struct json word, const char *const *words, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (json_string_is(word, words[i]))
            return true;
    return false;
}
#define IS_ONE_OF(word, words) is_one_of(word, words, sizeof(words) / sizeof(words)[0])

/* ---- Blocks ---------------------------------------------------------------------------------- */

static void read_cache(struct reading *r, struct json holder)
{
    struct json ttl = json_member(json_member(holder, "cache_control"), "ttl");
    if (json_string_is(ttl, "1h"))
        r->request->uses |= DIALECT_LONG_CACHE;
}

static void read_image(struct reading *r, struct json block)
{
    struct json source =
        json_count(block, "source") == 1 ? json_member(block, "source") : (struct json){0};
    struct json data =
        json_count(source, "data") == 1 ? json_member(source, "data") : (struct json){0};
    r->request->input_bound += LIMIT_IMAGE_TOKENS;
    if (data.type == JSON_STRING && json_string_is(type_of(source), "base64"))
        r->request->input_bound -= (int64_t)data.raw.len;
}

static bool is_text_document(struct json block)
{
    return json_count(block, "source") == 1 &&
           json_string_is(type_of(json_member(block, "source")), "text");
}

/* Blocks that cost no more than their bytes. */
static bool is_plain(struct json type)
{
    static const char *const plain[] = {"text",           "thinking",        "redacted_thinking",
                                        "tool_use",       "server_tool_use", "search_result",
                                        "tool_reference", "mcp_tool_use",    "compaction"};
    return IS_ONE_OF(type, plain);
}

static void read_leaf(struct reading *r, struct json block, struct json type)
{
    read_cache(r, block);
    if (is_plain(type) || block.type == JSON_STRING)
        return;
    if (json_string_is(type, "image"))
        read_image(r, block);
    else if (!json_string_is(type, "document") || !is_text_document(block))
        r->request->input_bound += LIMIT_FILE_TOKENS;
}

/* What a tool said: text, a list of blocks, or an object of the tool's own. */
static void read_said(struct reading *r, struct json content)
{
    struct json block;
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &block);) {
        struct json type = type_of(block);
        if (!json_string_is(type, "web_search_result"))
            read_leaf(r, block, type);
    }
}

static bool is_result(struct json type)
{
    static const char *const results[] = {"tool_result",
                                          "mcp_tool_result",
                                          "web_search_tool_result",
                                          "code_execution_tool_result",
                                          "bash_code_execution_tool_result",
                                          "text_editor_code_execution_tool_result",
                                          "tool_search_tool_result"};
    return IS_ONE_OF(type, results);
}

static int read_content(struct reading *r, struct json content)
{
    struct json block;
    for (size_t at = 0; content.type == JSON_ARRAY && json_next(content, &at, NULL, &block);) {
        struct json type = type_of(block);
        if (!is_result(type)) {
            read_leaf(r, block, type);
            continue;
        }
        if (json_count(block, "content") > 1)
            return fault(r, "messages", "A result's content is given twice.");
        read_cache(r, block);
        read_said(r, json_member(block, "content"));
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
        if (message.type != JSON_OBJECT || json_count(message, "content") > 1)
            return fault(r, "messages", "Each message must be an object with one content.");
        int rc = read_content(r, json_member(message, "content"));
        if (rc)
            return rc;
    }
    return count ? 0 : fault(r, "messages", "messages must not be empty.");
}

static int read_system(struct reading *r, struct json value)
{
    return read_content(r, value);
}

/* ---- Tools ----------------------------------------------------------------------------------- */

static bool type_starts(struct json type, const char *start)
{
    char room[LIMIT_ID];
    long len = json_string_copy(type, room, sizeof room);
    return len > 0 && slice_starts((struct slice){room, (size_t)len}, slice_of(start));
}

static int read_search(struct reading *r, struct json tool)
{
    struct json most = json_member(tool, "max_uses");
    int64_t uses = LIMIT_SEARCHES;
    if (json_count(tool, "max_uses") > 1 ||
        (given(most) && (json_integer(most, &uses) || uses < 1 || uses > LIMIT_SEARCHES)))
        return fault(r, "tools", "max_uses must be a whole number from 1 to 64.");
    r->request->uses |= DIALECT_SEARCHES;
    r->request->searches += uses;
    r->runs_tools = true;
    return 0;
}

static int read_tool(struct reading *r, struct json tool)
{
    struct json type = json_member(tool, "type");
    if (json_count(tool, "type") > 1)
        return fault(r, "tools", "A tool's type is given twice.");
    read_cache(r, tool);
    if (type.type != JSON_STRING || json_string_is(type, "custom"))
        return 0;
    if (type_starts(type, "web_search_"))
        return read_search(r, tool);
    if (type_starts(type, "advisor_"))
        return not_priced(r, "tools",
                          "An advisor is another model, whose tokens cannot be bounded here.");
    if (type_starts(type, "code_execution_")) {
        r->request->uses |= DIALECT_SEARCHES;
        r->request->searches++;
        r->runs_tools = true;
    } else if (type_starts(type, "web_fetch_") || type_starts(type, "tool_search_tool_") ||
               type_starts(type, "mcp_toolset")) {
        r->runs_tools = true;
    } else if (type_starts(type, "bash_") || type_starts(type, "text_editor_") ||
               type_starts(type, "computer_") || type_starts(type, "memory_")) {
        r->preambles++;
    } else {
        return not_priced(r, "tools",
                          "A tool of this type may be billed by meters that have no price here.");
    }
    return 0;
}

static int read_tools(struct reading *r, struct json value)
{
    struct json tool;
    int rc = 0;
    r->preambles += given(value);
    for (size_t at = 0; !rc && value.type == JSON_ARRAY && json_next(value, &at, NULL, &tool);)
        rc = read_tool(r, tool);
    return rc;
}

static int read_servers(struct reading *r, struct json value)
{
    r->runs_tools = r->runs_tools || given(value);
    return 0;
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
    r->request->model_name = (struct dialect_place){value.raw, "", ""};
    r->request->model[len] = 0;
    r->request->model_len = (size_t)len;
    return 0;
}

static int read_bound(struct reading *r, struct json value)
{
    int64_t asked = 0;
    if (value.type != JSON_NULL &&
        (json_integer(value, &asked) || asked < 0 || asked > LIMIT_OUTPUT_TOKENS))
        return fault(r, "max_tokens", "max_tokens must be a whole number from 0 to 16777216.");
    r->request->asked = asked;
    r->no_output = value.type != JSON_NULL && !asked;
    r->request->output_bound = (struct dialect_place){value.raw, "", ""};
    return 0;
}

static int read_stream(struct reading *r, struct json value)
{
    if (value.type != JSON_TRUE && value.type != JSON_FALSE && value.type != JSON_NULL)
        return fault(r, "stream", "stream must be true or false.");
    r->request->stream = value.type == JSON_TRUE;
    r->request->wants_usage = r->request->stream; /* it is part of every stream */
    return 0;
}

static int read_thinking(struct reading *r, struct json value)
{
    struct json type = type_of(value);
    int64_t budget;
    if (!given(value) || json_string_is(type, "disabled"))
        return 0;
    r->request->may_hide_output = true;
    if (!json_integer(json_member(value, "budget_tokens"), &budget) && budget > 0)
        r->request->output_least = min_i64(budget, LIMIT_OUTPUT_TOKENS) + 1;
    return 0;
}

static int read_shape(struct reading *r, struct json value)
{
    r->preambles += given(value);
    return 0;
}

static int read_metadata(struct reading *r, struct json value)
{
    struct json user = json_member(value, "user_id");
    if (value.type == JSON_OBJECT)
        r->request->metadata = value.raw;
    if (user.type == JSON_STRING)
        r->request->user = user.raw;
    return 0;
}

static int read_cached(struct reading *r, struct json value)
{
    if (json_string_is(json_member(value, "ttl"), "1h"))
        r->request->uses |= DIALECT_LONG_CACHE;
    return 0;
}

static int read_speed(struct reading *r, struct json value)
{
    return given(value) && !json_string_is(value, "standard")
               ? not_priced(r, "speed", "Fast mode has a price of its own, and none here.")
               : 0;
}

static int read_place(struct reading *r, struct json value)
{
    return given(value) && !json_string_is(value, "global")
               ? not_priced(r, "inference_geo",
                            "Inference in one country has a price of its own, and none here.")
               : 0;
}

static int read_context(struct reading *r, struct json value)
{
    struct json edits = json_member(value, "edits"), edit;
    for (size_t at = 0; edits.type == JSON_ARRAY && json_next(edits, &at, NULL, &edit);)
        if (type_starts(json_member(edit, "type"), "compact_"))
            return not_priced(r, "context_management",
                              "Summaries that the provider makes on its own cannot be bounded.");
    return 0;
}

/* Members that are read; each at most once in a request. */
static const struct {
    const char *name;
    size_t len;
    int (*read)(struct reading *r, struct json value);
} members[] = {
#define MEMBER(name, read)                                                                         \
    {                                                                                              \
        name, sizeof(name) - 1, read                                                               \
    }
    MEMBER("model", read_model),
    MEMBER("messages", read_messages),
    MEMBER("system", read_system),
    MEMBER("max_tokens", read_bound),
    MEMBER("stream", read_stream),
    MEMBER("tools", read_tools),
    MEMBER("mcp_servers", read_servers),
    MEMBER("thinking", read_thinking),
    MEMBER("output_config", read_shape),
    MEMBER("output_format", read_shape),
    MEMBER("metadata", read_metadata),
    MEMBER("cache_control", read_cached),
    MEMBER("speed", read_speed),
    MEMBER("inference_geo", read_place),
    MEMBER("context_management", read_context),
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

static void set_bounds(struct reading *r, struct json whole)
{
    struct dialect_request *request = r->request;
    request->input_bound += LIMIT_TEMPLATE_TOKENS + r->preambles * LIMIT_TOOLS_TOKENS +
                            (r->runs_tools ? LIMIT_TOOLS_TOKENS + LIMIT_FILE_TOKENS : 0);
    request->makes_no_output = r->no_output;
    if (r->no_output)
        request->output_bound = (struct dialect_place){0};
    else if (!request->output_bound.at.data)
        request->output_bound =
            (struct dialect_place){{whole.raw.data + 1, 0}, "\"max_tokens\":", ","};
}

int messages_read_request(const struct dialect_target *target, struct slice body,
                          struct dialect_request *ret_request, struct dialect_error *ret_error)
{
    _Static_assert(MEMBERS <= 32, "seen has a bit for each");
    (void)target;
    *ret_request = (struct dialect_request){.choices = 1, .input_bound = (int64_t)body.len};
    struct reading r = {.request = ret_request, .error = ret_error};
    struct json whole, key, value;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return fault(&r, NULL, "The body is not a JSON object.");
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
    set_bounds(&r, whole);
    return 0;
}
