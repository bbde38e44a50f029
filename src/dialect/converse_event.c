/* SPDX-License-Identifier: Apache-2.0
 * What a converse answer tells, whole or as the messages of its stream:
 *
 *   messageStart {"role"}
 *   contentBlockStart {"contentBlockIndex","start":{"toolUse":{"toolUseId","name"}}}
 *   contentBlockDelta {"contentBlockIndex","delta":{"text"}|{"toolUse":{"input"}}|
 *                      {"reasoningContent":{"text"}|{"signature"}|{"redactedContent"}}}
 *   contentBlockStop {"contentBlockIndex"}
 *   messageStop {"stopReason"}
 *   metadata {"usage":{...},"metrics":{...}}                       the last
 *   ...Exception {"message"}                                       instead of any of them
 *
 * Each pads itself with a "p" that means nothing. A text block begins without a start.
 * TEXTS  of text, reasoning that can be read, and the name and input of calls.
 * USAGE  {"inputTokens","outputTokens","totalTokens","cacheReadInputTokens",
 *   "cacheWriteInputTokens","cacheDetails":[{"ttl","inputTokens"}]}: inputTokens leaves out what
 * was read from the cache and written to it (in every recording that has either); outputTokens has
 *   the reasoning in it, and does not say how much. Some models say both names of a cache figure
 *   (cacheReadInputTokenCount): the larger is taken. */
#include "dialect/converse.h"

#define TOKENS_MAX INT64_C(1000000000000)

/* ---- Usage ----------------------------------------------------------------------------------- */

enum figure { INPUT = 0, OUTPUT, TOTAL, READ, WRITTEN, FIGURES };

static bool take_number(struct json value, int64_t *ret_number)
{
    return !json_integer(value, ret_number) && *ret_number >= 0 && *ret_number <= TOKENS_MAX;
}

/* What was written to be kept for an hour. */
static int64_t long_writes(struct json details)
{
    struct json one;
    int64_t sum = 0, number;
    for (size_t at = 0; details.type == JSON_ARRAY && json_next(details, &at, NULL, &one);)
        if (json_string_is(json_member(one, "ttl"), "1h") &&
            take_number(json_member(one, "inputTokens"), &number))
            sum += number;
    return sum;
}

static bool read_usage(struct json object, struct pricing_usage *ret_usage)
{
    static const struct {
        const char *name;
        enum figure figure;
    } names[] = {
        {"inputTokens", INPUT},
        {"outputTokens", OUTPUT},
        {"totalTokens", TOTAL},
        {"cacheReadInputTokens", READ},
        {"cacheReadInputTokenCount", READ},
        {"cacheWriteInputTokens", WRITTEN},
        {"cacheWriteInputTokenCount", WRITTEN},
    };
    int64_t of[FIGURES] = {0}, number;
    uint32_t told = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct json value = json_member(object, names[i].name);
        if (value.type == JSON_NONE || value.type == JSON_NULL)
            continue;
        if (!take_number(value, &number))
            return false;
        of[names[i].figure] = max_i64(of[names[i].figure], number);
        told |= UINT32_C(1) << names[i].figure;
    }
    if (!(told & UINT32_C(1) << INPUT) || !(told & UINT32_C(1) << OUTPUT))
        return false;
    struct pricing_usage u = {.input = of[INPUT] + of[READ] + of[WRITTEN],
                              .cached_input = of[READ],
                              .cache_write = of[WRITTEN],
                              .output = of[OUTPUT]};
    u.output = max_i64(u.output, of[TOTAL] - u.input);
    u.cache_write_1h = min_i64(long_writes(json_member(object, "cacheDetails")), u.cache_write);
    *ret_usage = u;
    return true;
}

/* The tier that served it stands beside the usage. */
static void read_service(struct json object, struct pricing_usage *usage)
{
    struct json type = json_member(json_member(object, "serviceTier"), "type");
    if (json_string_is(type, "priority"))
        usage->service = PRICE_PRIORITY;
    else if (json_string_is(type, "flex"))
        usage->service = PRICE_FLEX;
}

void converse_read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    ret_answer->has_usage = read_usage(json_member(whole, "usage"), &ret_answer->usage);
    read_service(whole, &ret_answer->usage);
}

/* ---- Events ---------------------------------------------------------------------------------- */

struct where {
    int64_t block;
    enum dialect_text_kind kind; /* of a string that is found there */
    bool known;                  /* it is one of the texts */
};

static void read_string(struct json value, struct where where, struct dialect_event *event)
{
    event->output_bytes += (int64_t)json_string_bytes(value);
    if (where.known)
        dialect_add_text(event, dialect_text_of(0, where.block, where.kind), value.raw);
    else if (json_string_bytes(value))
        event->texts_are_all = false;
}

/* An id is none of the model's tokens, though its bytes are counted. */
static struct where go_down(struct where where, struct json key)
{
    if (CHAT_KEY_IS(key, "reasoningContent"))
        where.kind = DIALECT_TEXT_REASONING;
    else if (CHAT_KEY_IS(key, "name"))
        where.kind = DIALECT_TEXT_NAME;
    else if (CHAT_KEY_IS(key, "input"))
        where.kind = DIALECT_TEXT_ARGUMENTS;
    where.known = CHAT_KEY_IS(key, "text") || CHAT_KEY_IS(key, "name") || CHAT_KEY_IS(key, "input");
    return where;
}

/* Every text within, but signatures; objects are not nested deeper than this. */
static void read_texts(struct json value, struct where where, int depth,
                       struct dialect_event *event)
{
    struct json key, inner;
    if (value.type == JSON_STRING) {
        read_string(value, where, event);
        return;
    }
    if (!depth || value.type == JSON_ARRAY) {
        event->output_bytes += depth ? 0 : (int64_t)value.raw.len;
        event->texts_are_all = false;
    }
    for (size_t at = 0; depth && value.type == JSON_OBJECT && json_next(value, &at, &key, &inner);)
        if (CHAT_KEY_IS(key, "toolUseId"))
            event->output_bytes += (int64_t)json_string_bytes(inner);
        else if (!CHAT_KEY_IS(key, "signature"))
            read_texts(inner, go_down(where, key), depth - 1, event);
}

static enum dialect_open kind_of(struct json part)
{
    if (json_count(part, "toolUse"))
        return DIALECT_CALL;
    return json_count(part, "reasoningContent") ? DIALECT_THINKING : DIALECT_TEXT;
}

static void read_block(struct dialect_stream *stream, struct json object, struct json part,
                       struct dialect_event *event)
{
    int64_t index = 0;
    struct json number = json_member(object, "contentBlockIndex");
    if (number.type == JSON_NUMBER && (json_integer(number, &index) || index < 0))
        index = 0;
    stream->blocks = index < INT32_MAX ? index + 1 : 1;
    stream->open = kind_of(part);
    event->texts_are_all = true;
    read_texts(part, (struct where){.block = stream->blocks - 1}, 3, event);
}

enum { STOP_HELD = 2 };

static void read_known(struct dialect_stream *stream, struct slice name, struct json object,
                       struct dialect_event *event)
{
    stream->begun = true;
    if (slice_is(name, "contentBlockStart")) {
        read_block(stream, object, json_member(object, "start"), event);
    } else if (slice_is(name, "contentBlockDelta")) {
        read_block(stream, object, json_member(object, "delta"), event);
    } else if (slice_is(name, "contentBlockStop")) {
        stream->open = DIALECT_NOTHING;
    } else if (slice_is(name, "messageStop")) {
        stream->told |= STOP_HELD;
        event->finishes = event->may_be_last = true; /* in some streams metadata come before it */
    } else if (slice_is(name, "metadata")) {
        event->usage_object = json_member(object, "usage");
        event->has_usage = read_usage(event->usage_object, &event->usage);
        read_service(object, &event->usage);
        event->finishes = event->may_be_last = true;
    }
}

void converse_read_event(struct dialect_stream *stream, const struct frame *event,
                         struct dialect_event *ret_event)
{
    struct json object;
    /* What was held goes on when more comes, unless the stream was cut. */
    if (stream->told & STOP_HELD && stream->finish == DIALECT_STOP)
        stream->told |= CONVERSE_STOPPED;
    *ret_event = (struct dialect_event){.kind = DIALECT_CHUNK};
    if (event->failed) {
        ret_event->failed = ret_event->may_be_last = true;
    } else if (!event->has_data) {
        ret_event->kind = DIALECT_COMMENT;
    } else if (json_scan(event->data, &object, NULL) || object.type != JSON_OBJECT) {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
    } else {
        read_known(stream, event->name, object, ret_event);
    }
}
