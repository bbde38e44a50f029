/* SPDX-License-Identifier: Apache-2.0
 * What a GenerateContentResponse tells: one is a whole answer, a row of them a stream.
 *
 *   {"candidates":[{"content":{"parts":[...]},"finishReason","index","groundingMetadata"}],
 *    "usageMetadata":{"promptTokenCount","candidatesTokenCount","thoughtsTokenCount",
 *       "toolUsePromptTokenCount","cachedContentTokenCount","totalTokenCount",
 *       "promptTokensDetails":[{"modality","tokenCount"}],...},"modelVersion","responseId"}
 *
 * TRAPS, all seen in recordings:
 *   - candidatesTokenCount leaves thinking out: thoughtsTokenCount is more output.
 *   - what tools put before the model (toolUsePromptTokenCount) is input beside the prompt.
 *   - cachedContentTokenCount is a part of the prompt, and so is its sound.
 *   - early chunks have usageMetadata without counts, or with the prompt's alone while text was
 *     already made: that is no usage. A count that is zero is left out, though, so a blocked prompt
 *     has only promptTokenCount, and that is all of it.
 *   - modalities may be numbers instead of names.
 * What totalTokenCount has beyond the parts was billed as output.
 * SEARCHES  Gemini 3 bills each query that groundingMetadata.webSearchQueries lists, those before
 *   it one a prompt; a map that gave places is one more.
 * END  A stream has no last event of its own: any chunk that says why a candidate ended may be it.
 *   An array does: "]". */
#include "dialect/gemini.h"

#define TOKENS_MAX INT64_C(1000000000000)

/* ---- Usage ----------------------------------------------------------------------------------- */

enum figure { PROMPT = 0, TOOLS, OUTPUT, THOUGHTS, CACHED, TOTAL, FIGURES };
enum kind { KIND_SOUND, KIND_PICTURE, KINDS };

struct figures {
    int64_t of[FIGURES];
    bool given[FIGURES];
    int64_t in[KINDS], cached[KINDS], out[KINDS];
    enum price_service service;
};

static bool take_number(struct json value, int64_t *ret_number)
{
    return !json_integer(value, ret_number) && *ret_number >= 0 && *ret_number <= TOKENS_MAX;
}

/* [{"modality":"AUDIO","tokenCount":7},...] added to sums. */
static bool take_details(struct json details, int64_t sums[KINDS])
{
    struct json one;
    for (size_t at = 0; details.type == JSON_ARRAY && json_next(details, &at, NULL, &one);) {
        struct json modality = json_member(one, "modality");
        struct json count = gemini_member(one, "tokenCount", "token_count");
        int64_t number = 0, id = 0;
        if (count.type == JSON_NONE)
            continue;
        if (!take_number(count, &number))
            return false;
        bool numbered = modality.type == JSON_NUMBER && !json_integer(modality, &id);
        if (json_string_is(modality, "AUDIO") || (numbered && id == 4))
            sums[KIND_SOUND] += number;
        else if (json_string_is(modality, "IMAGE") || (numbered && id == 2))
            sums[KIND_PICTURE] += number;
    }
    return true;
}

static void take_service(struct figures *figures, struct json value)
{
    if (json_string_is(value, "priority") || json_string_is(value, "ON_DEMAND_PRIORITY"))
        figures->service = PRICE_PRIORITY;
    else if (json_string_is(value, "flex") || json_string_is(value, "ON_DEMAND_FLEX"))
        figures->service = PRICE_FLEX;
}

static bool take_member(struct figures *figures, struct json key, struct json value)
{
    static const struct {
        const char *camel, *snake;
    } names[FIGURES] = {
        [PROMPT] = {"promptTokenCount", "prompt_token_count"},
        [TOOLS] = {"toolUsePromptTokenCount", "tool_use_prompt_token_count"},
        [OUTPUT] = {"candidatesTokenCount", "candidates_token_count"},
        [THOUGHTS] = {"thoughtsTokenCount", "thoughts_token_count"},
        [CACHED] = {"cachedContentTokenCount", "cached_content_token_count"},
        [TOTAL] = {"totalTokenCount", "total_token_count"},
    };
    if (value.type == JSON_NULL)
        return true;
    for (int i = 0; i < FIGURES; i++) {
        if (!gemini_key_is(key, names[i].camel, names[i].snake))
            continue;
        figures->given[i] = true;
        return take_number(value, &figures->of[i]);
    }
    if (gemini_key_is(key, "promptTokensDetails", "prompt_tokens_details") ||
        gemini_key_is(key, "toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"))
        return take_details(value, figures->in);
    if (gemini_key_is(key, "cacheTokensDetails", "cache_tokens_details"))
        return take_details(value, figures->cached);
    if (gemini_key_is(key, "candidatesTokensDetails", "candidates_tokens_details"))
        return take_details(value, figures->out);
    if (gemini_key_is(key, "serviceTier", "service_tier") ||
        gemini_key_is(key, "trafficType", "traffic_type"))
        take_service(figures, value);
    return true;
}

/* part, or what is left of room; and takes it from room. */
static int64_t fit(int64_t part, int64_t *room)
{
    int64_t fitting = max_i64(min_i64(part, *room), 0);
    *room -= fitting;
    return fitting;
}

static struct pricing_usage usage_of(const struct figures *f)
{
    struct pricing_usage u = {.input = f->of[PROMPT] + f->of[TOOLS],
                              .output = f->of[OUTPUT] + f->of[THOUGHTS],
                              .service = f->service};
    u.output = max_i64(u.output, f->of[TOTAL] - u.input);
    int64_t in = u.input, out = u.output;
    u.cached_input = fit(f->of[CACHED], &in);
    u.audio_input = fit(f->in[KIND_SOUND] - f->cached[KIND_SOUND], &in);
    u.image_input = fit(f->in[KIND_PICTURE] - f->cached[KIND_PICTURE], &in);
    u.reasoning = fit(f->of[THOUGHTS], &out);
    u.audio_output = fit(f->out[KIND_SOUND], &out);
    u.image_output = fit(f->out[KIND_PICTURE], &out);
    return u;
}

/* shown: text was made. */
static bool read_usage(struct json object, bool shown, struct pricing_usage *ret_usage)
{
    struct figures f = {.service = PRICE_STANDARD};
    struct json key, value;
    if (object.type != JSON_OBJECT)
        return false;
    for (size_t at = 0; json_next(object, &at, &key, &value);)
        if (!take_member(&f, key, value))
            return false;
    bool told = f.given[OUTPUT] || f.given[THOUGHTS] || f.of[TOTAL] > f.of[PROMPT] + f.of[TOOLS];
    if (!f.given[PROMPT] || (!told && shown))
        return false;
    *ret_usage = usage_of(&f);
    return true;
}

/* ---- Candidates ------------------------------------------------------------------------------ */

/* Every text and every object of a part, but what only signs it. A call is told by its bytes: its
 * arguments are no string. */
static void read_part(struct json part, int64_t candidate, struct dialect_event *event)
{
    struct json key, value;
    bool thinks = json_member(part, "thought").type == JSON_TRUE;
    uint32_t of =
        dialect_text_of(candidate, 0, thinks ? DIALECT_TEXT_REASONING : DIALECT_TEXT_SHOWN);
    for (size_t at = 0; part.type == JSON_OBJECT && json_next(part, &at, &key, &value);) {
        int64_t bytes = 0;
        if (gemini_key_is(key, "thoughtSignature", "thought_signature"))
            continue;
        if (value.type == JSON_STRING)
            bytes = (int64_t)json_string_bytes(value);
        else if (value.type == JSON_OBJECT || value.type == JSON_ARRAY)
            bytes = (int64_t)value.raw.len;
        event->output_bytes += bytes;
        if (value.type == JSON_STRING && CHAT_KEY_IS(key, "text"))
            dialect_add_text(event, of, value.raw);
        else if (bytes)
            event->texts_are_all = false;
    }
}

static void read_content(struct json content, int64_t candidate, struct dialect_event *event)
{
    struct json key, value, part;
    for (size_t at = 0; content.type == JSON_OBJECT && json_next(content, &at, &key, &value);)
        for (size_t in = 0; CHAT_KEY_IS(key, "parts") && json_next(value, &in, NULL, &part);)
            read_part(part, candidate, event);
}

/* Searches of the web, each of which had a query; of a map they have none, but places. */
static int64_t count_queries(struct json grounding)
{
    struct json one, queries = gemini_member(grounding, "webSearchQueries", "web_search_queries");
    struct json found = gemini_member(grounding, "groundingChunks", "grounding_chunks");
    int64_t count = 0;
    bool places = false;
    for (size_t at = 0; queries.type == JSON_ARRAY && json_next(queries, &at, NULL, &one);)
        count += json_string_bytes(one) > 0;
    for (size_t at = 0; found.type == JSON_ARRAY && json_next(found, &at, NULL, &one);)
        places = places || json_count(one, "maps");
    return count + places;
}

/* Some say in every chunk that there is no reason yet. */
static bool is_reason(struct json value)
{
    int64_t number = 0;
    if (value.type == JSON_NUMBER)
        return !json_integer(value, &number) && number;
    return value.type == JSON_STRING && !json_string_is(value, "FINISH_REASON_UNSPECIFIED");
}

static void read_reason(struct json value, struct gemini_chunk *chunk)
{
    if (!is_reason(value))
        return;
    chunk->finished++;
    chunk->event.finish_word = value.raw;
}

static void read_candidate(struct json candidate, struct gemini_chunk *chunk)
{
    struct json key, value;
    int64_t index;
    if (json_integer(json_member(candidate, "index"), &index) || index < 0)
        index = 0;
    for (size_t at = 0; candidate.type == JSON_OBJECT && json_next(candidate, &at, &key, &value);) {
        if (CHAT_KEY_IS(key, "content"))
            read_content(value, index, &chunk->event);
        else if (gemini_key_is(key, "finishReason", "finish_reason"))
            read_reason(value, chunk);
        else if (gemini_key_is(key, "groundingMetadata", "grounding_metadata"))
            chunk->queries += count_queries(value);
    }
    if (index >= chunk->candidates && index < CHAT_CHOICES_MAX)
        chunk->candidates = index + 1;
}

/* ---- A chunk --------------------------------------------------------------------------------- */

static void read_member(struct json key, struct json value, struct gemini_chunk *chunk)
{
    struct json candidate;
    if (CHAT_KEY_IS(key, "candidates"))
        for (size_t at = 0; value.type == JSON_ARRAY && json_next(value, &at, NULL, &candidate);)
            read_candidate(candidate, chunk);
    else if (gemini_key_is(key, "usageMetadata", "usage_metadata"))
        chunk->usage_object = value;
    else if (gemini_key_is(key, "promptFeedback", "prompt_feedback"))
        chunk->blocked = gemini_member(value, "blockReason", "block_reason").type != JSON_NONE;
    else if (gemini_key_is(key, "modelVersion", "model_version") && value.type == JSON_STRING)
        chunk->model = value.raw;
    else if (gemini_key_is(key, "responseId", "response_id") && value.type == JSON_STRING)
        chunk->id = value.raw;
    else if (CHAT_KEY_IS(key, "error"))
        chunk->failed = value.type != JSON_NULL;
}

void gemini_read_chunk(struct json object, bool shown, struct gemini_chunk *ret_chunk)
{
    struct json key, value;
    *ret_chunk = (struct gemini_chunk){.event = {.texts_are_all = true}};
    for (size_t at = 0; json_next(object, &at, &key, &value);)
        read_member(key, value, ret_chunk);
    shown = shown || ret_chunk->event.output_bytes > 0;
    ret_chunk->has_usage = read_usage(ret_chunk->usage_object, shown, &ret_chunk->usage);
    bool each = slice_starts(ret_chunk->model, SLICE_LITERAL("\"gemini-3"));
    ret_chunk->usage.searches = each ? ret_chunk->queries : ret_chunk->queries > 0;
}

void gemini_read_answer(struct slice body, struct dialect_answer *ret_answer)
{
    struct json whole;
    struct gemini_chunk chunk;
    *ret_answer = (struct dialect_answer){0};
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT)
        return;
    gemini_read_chunk(whole, false, &chunk);
    *ret_answer = (struct dialect_answer){
        .has_usage = chunk.has_usage, .id = chunk.id, .model = chunk.model, .usage = chunk.usage};
}

/* What stream->parts hold, beside GEMINI_PASSED. */
enum { PART_FINISHED = 0, PART_SEARCHES };

static void keep(struct dialect_stream *stream, const struct gemini_chunk *chunk)
{
    if (chunk->id.len && !stream->id[0])
        chat_copy((struct json){JSON_STRING, chunk->id}, stream->id);
    if (chunk->model.len && !stream->model[0])
        chat_copy((struct json){JSON_STRING, chunk->model}, stream->model);
    stream->begun = true;
    stream->blocks = max_i64(stream->blocks, chunk->candidates);
    stream->parts[PART_FINISHED] += chunk->finished;
    stream->parts[PART_SEARCHES] = max_i64(stream->parts[PART_SEARCHES], chunk->usage.searches);
    if (chunk->event.output_bytes)
        stream->open = DIALECT_TEXT;
}

static void read_object(struct dialect_stream *stream, struct json object,
                        struct dialect_event *event)
{
    struct gemini_chunk chunk;
    bool first_passed = stream->begun;
    gemini_read_chunk(object, stream->open != DIALECT_NOTHING, &chunk);
    keep(stream, &chunk);
    chunk.usage.searches = stream->parts[PART_SEARCHES];
    *event = chunk.event;
    event->kind = DIALECT_CHUNK;
    event->has_usage = chunk.has_usage;
    event->usage = chunk.usage;
    event->usage_object = chunk.usage_object;
    event->failed = chunk.failed;
    event->finishes =
        chunk.blocked || (stream->blocks && stream->parts[PART_FINISHED] >= stream->blocks);
    event->may_be_last = event->finishes || chunk.finished || chunk.failed;
    event->goes_on = !event->may_be_last;
    /* What may be the last waits (gateway/stream.h); after a cut nothing passes. */
    if (stream->finish == DIALECT_STOP && (first_passed || event->goes_on))
        stream->parts[GEMINI_PASSED] = 1;
}

void gemini_read_event(struct dialect_stream *stream, const struct frame *event,
                       struct dialect_event *ret_event)
{
    struct json object;
    *ret_event = (struct dialect_event){.kind = DIALECT_COMMENT};
    if (!event->has_data)
        return;
    if (stream->framing == FRAMES_ARRAY && slice_is(event->data, "]")) {
        ret_event->kind = DIALECT_FINAL;
        stream->ended = true;
    } else if (json_scan(event->data, &object, NULL) || object.type != JSON_OBJECT) {
        ret_event->kind = DIALECT_FOREIGN;
        ret_event->output_bytes = (int64_t)event->data.len;
    } else {
        read_object(stream, object, ret_event);
    }
}
