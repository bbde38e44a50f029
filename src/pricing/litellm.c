/* SPDX-License-Identifier: Apache-2.0
 * A key is what it prices, then perhaps a length, then perhaps a service:
 *
 *   input_cost_per_token  _above_200k_tokens  _priority
 *
 * Not done: prices by the pixel and grades of pictures, which other models of the file say by their
 * names, and ranges ("tiered_pricing"): the built-in list has them, and they stay as they are. */
#include "pricing/litellm.h"

#include <stdio.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *key;
    enum price_meter meter;
    const char *mode; /* only then; NULL: always */
} keys[] = {
    {"input_cost_per_token_cache_hit", PRICE_CACHED_INPUT, NULL},
    {"cache_read_input_token_cost", PRICE_CACHED_INPUT, NULL},
    {"cache_creation_input_token_cost_above_1hr", PRICE_CACHE_WRITE_1H, NULL},
    {"cache_creation_input_token_cost", PRICE_CACHE_WRITE, NULL},
    {"input_cost_per_token", PRICE_INPUT, NULL},
    {"output_cost_per_token", PRICE_OUTPUT, NULL},
    {"output_cost_per_reasoning_token", PRICE_REASONING, NULL},
    {"input_cost_per_audio_token", PRICE_AUDIO_INPUT, NULL},
    {"input_cost_per_image_token", PRICE_IMAGE_INPUT, NULL},
    {"output_cost_per_audio_token", PRICE_AUDIO_OUTPUT, NULL},
    {"output_cost_per_image_token", PRICE_IMAGE_OUTPUT, NULL},
    {"input_cost_per_request", PRICE_REQUEST, NULL},
    {"output_cost_per_image", PRICE_IMAGE, "image_generation"},
    {"input_cost_per_image", PRICE_IMAGE, "image_generation"},
    {"input_cost_per_character", PRICE_CHARACTER, "audio_speech"},
    {"input_cost_per_second", PRICE_AUDIO_SECOND, "audio_transcription"},
    {"output_cost_per_second", PRICE_AUDIO_SECOND, "audio_transcription"},
    {"output_cost_per_video_per_second", PRICE_VIDEO_SECOND, "video_generation"},
};
static const struct {
    const char *suffix;
    enum price_service service;
} services[] = {{"_priority", PRICE_PRIORITY}, {"_flex", PRICE_FLEX}, {"_batches", PRICE_BATCH}};
static const char *const modes[] = {"chat",         "responses",           "completion",
                                    "embedding",    "image_generation",    "moderation",
                                    "audio_speech", "audio_transcription", "video_generation"};

/* What is behind a key: "_above_200k_tokens_priority". False: something else. */
static bool read_rest(struct slice rest, int64_t *ret_above, enum price_service *ret_service)
{
    static const struct slice above = {"_above_", 7}, unit = {"k_tokens", 8};
    *ret_above = 0;
    *ret_service = PRICE_STANDARD;
    if (slice_starts(rest, above)) {
        size_t at = above.len;
        int64_t thousands = 0;
        for (; at < rest.len && rest.data[at] >= '0' && rest.data[at] <= '9' && at < 13; at++)
            thousands = thousands * 10 + (rest.data[at] - '0');
        if (!thousands || !slice_starts(slice_from(rest, at), unit))
            return false;
        *ret_above = thousands * 1000;
        rest = slice_from(rest, at + unit.len);
    }
    for (size_t i = 0; rest.len && i < LEN(services); i++)
        if (slice_is(rest, services[i].suffix)) {
            *ret_service = services[i].service;
            return true;
        }
    return !rest.len;
}

/* The tier's index, made if need be; -1: the model's own; -2: there are too many. */
static int find_tier(struct sheet_row *row, int64_t above, enum price_service service)
{
    if (!above && service == PRICE_STANDARD)
        return -1;
    for (size_t i = 0; i < row->row.tiers_len; i++)
        if (row->tiers[i].above == above && row->tiers[i].service == service)
            return (int)i;
    if (row->row.tiers_len == LIMIT_PRICE_TIERS)
        return -2;
    row->tiers[row->row.tiers_len] = (struct pricing_tier_row){.service = service, .above = above};
    return (int)row->row.tiers_len++;
}

static bool is_dearer(struct slice a, struct slice b)
{
    int128 left = 0, right = 0;
    return !decimal_parse128(a, 18, true, &left) && !decimal_parse128(b, 18, true, &right) &&
           left > right;
}

static bool is_zero(struct slice text)
{
    return slice_is(text, "0");
}

static const char *read_key(struct slice key, struct json value, struct slice mode,
                            struct sheet_row *row)
{
    for (size_t i = 0; i < LEN(keys); i++) {
        int64_t above;
        enum price_service service;
        struct slice base = slice_of(keys[i].key);
        if (!slice_starts(key, base) || (keys[i].mode && !slice_is(mode, keys[i].mode)) ||
            !read_rest(slice_from(key, base.len), &above, &service))
            continue;
        int at = find_tier(row, above, service);
        if (at < -1)
            return "it has too many tiers";
        char *room = row->prices[at + 1][keys[i].meter], moved[DECIMAL_ROOM];
        struct slice *text = at < 0 ? &row->row.per_million[keys[i].meter]
                                    : &row->tiers[at].per_million[keys[i].meter];
        if (price_words_move(value.raw, 6, moved))
            return "a price of it is negative or finer than can be kept";
        if (text->len && !is_dearer(slice_of(moved), *text))
            return NULL; /* of two for the same, the dearer */
        memcpy(room, moved, sizeof moved);
        *text = slice_of(room);
        return NULL;
    }
    return NULL;
}

static struct slice text_of(struct json model, const char *name)
{
    struct json value = json_member(model, name);
    return value.type == JSON_STRING ? slice_part(value.raw, 1, value.raw.len - 2)
                                     : (struct slice){0};
}

static bool is_mode(struct slice mode)
{
    for (size_t i = 0; i < LEN(modes); i++)
        if (slice_is(mode, modes[i]))
            return true;
    return false;
}

/* 0 is also the source's word for what it does not know. */
static bool is_said_to_be_free(struct slice name)
{
    static const char *const begins[] = {"ollama", "lemonade/", "sagemaker/", "publicai/"};
    for (size_t i = 0; i < LEN(begins); i++)
        if (slice_starts(name, slice_of(begins[i])))
            return true;
    return name.len > 5 && (!memcmp(name.data + name.len - 5, ":free", 5) ||
                            !memcmp(name.data + name.len - 5, "-free", 5));
}

/* A write to the cache that costs less than plain input is "no fee on top". */
static void mend_cache(struct slice prices[PRICE_METERS])
{
    if (is_dearer(prices[PRICE_INPUT], prices[PRICE_CACHE_WRITE]))
        prices[PRICE_CACHE_WRITE].len = 0;
    if (prices[PRICE_CACHE_WRITE].len &&
        is_dearer(prices[PRICE_CACHE_WRITE], prices[PRICE_CACHE_WRITE_1H]))
        prices[PRICE_CACHE_WRITE_1H].len = 0;
}

/* What a longer input does not say is as before; a service without both sides is unpriced. */
static void mend_tiers(struct sheet_row *row)
{
    size_t kept = 0;
    for (size_t i = 0; i < row->row.tiers_len; i++) {
        struct pricing_tier_row tier = row->tiers[i];
        static const enum price_meter sides[] = {PRICE_INPUT, PRICE_OUTPUT};
        for (size_t s = 0; s < 2; s++)
            if (tier.service == PRICE_STANDARD && !tier.per_million[sides[s]].len)
                tier.per_million[sides[s]] = row->row.per_million[sides[s]];
        mend_cache(tier.per_million);
        for (int meter = PRICE_IMAGE; meter < PRICE_METERS; meter++)
            tier.per_million[meter].len = 0;
        if (tier.per_million[PRICE_INPUT].len && tier.per_million[PRICE_OUTPUT].len)
            row->tiers[kept++] = tier;
    }
    row->row.tiers_len = kept;
}

static bool has(struct slice name, const char *part)
{
    return name.len && memmem(name.data, name.len, part, strlen(part));
}

/* Anthropic and later Gemini bill each search; earlier Gemini the call that searched; Perplexity
 * and OpenAI's search models each call, for they always do. Where it depends on how much is read,
 * the dearest is taken. */
static const char *read_searches(struct slice name, struct json model, struct sheet_row *row)
{
    bool always = has(name, "search-preview") || has(name, "search-api") ||
                  (has(name, "sonar") && !has(name, "-chat"));
    struct json costs = json_member(model, "search_context_cost_per_query"), value;
    bool google = (slice_starts(row->row.provider, SLICE_LITERAL("gemini")) ||
                   slice_starts(row->row.provider, SLICE_LITERAL("vertex_ai"))) &&
                  !has(name, "claude") &&
                  !json_string_is(json_member(model, "web_search_billing_unit"), "per_query");
    enum price_meter meter = always ? PRICE_REQUEST : google ? PRICE_SEARCHED : PRICE_SEARCH;
    char moved[DECIMAL_ROOM];
    size_t at = 0;
    if (costs.type != JSON_OBJECT)
        return always && !row->row.per_million[PRICE_REQUEST].len
                   ? "it always searches, and nothing says for how much"
                   : NULL;
    while (json_next(costs, &at, NULL, &value)) {
        struct slice *text = &row->row.per_million[meter];
        if (value.type != JSON_NUMBER || price_words_move(value.raw, 6, moved))
            return "the price of its searches is none";
        if (text->len && !is_dearer(slice_of(moved), *text))
            continue;
        memcpy(row->prices[0][meter], moved, sizeof moved);
        *text = slice_of(row->prices[0][meter]);
    }
    if (always)
        row->row.per_million[PRICE_SEARCH] = SLICE_LITERAL("0");
    return NULL;
}

static const char *check(struct slice name, struct slice mode, struct sheet_row *row,
                         bool *ret_ours)
{
    struct slice *prices = row->row.per_million;
    bool embeds = slice_is(mode, "embedding"), moderates = slice_is(mode, "moderation");
    bool pieces = false;
    for (int meter = PRICE_IMAGE; meter < PRICE_METERS; meter++) {
        if (is_zero(prices[meter]))
            prices[meter].len = 0;
        pieces = pieces || prices[meter].len;
    }
    if (embeds && prices[PRICE_INPUT].len)
        prices[PRICE_OUTPUT] = SLICE_LITERAL("0");
    if (slice_is(mode, "image_generation") && prices[PRICE_IMAGE_OUTPUT].len) {
        prices[PRICE_IMAGE].len = 0; /* by the token; text of theirs is as dear where nobody says */
        if (!prices[PRICE_OUTPUT].len)
            prices[PRICE_OUTPUT] = prices[PRICE_IMAGE_OUTPUT];
        pieces = false;
    } else if (slice_is(mode, "image_generation")) {
        prices[PRICE_INPUT].len = 0; /* what else it says of tokens is of pictures */
    }
    bool whole = prices[PRICE_INPUT].len && prices[PRICE_OUTPUT].len;
    *ret_ours = whole || pieces;
    if (!whole)
        return NULL;
    bool free_input = is_zero(prices[PRICE_INPUT]), free_output = is_zero(prices[PRICE_OUTPUT]);
    if (free_output && !free_input && !embeds)
        return "its input costs something and its output nothing";
    if (free_input && free_output && !moderates && !is_said_to_be_free(name))
        return "it costs nothing, and nothing says that it is free";
    for (int meter = 0; meter <= PRICE_IMAGE_OUTPUT; meter++)
        if (is_dearer(prices[meter], SLICE_LITERAL("1000")))
            return "a price of it is above 1000 a million";
    return NULL;
}

const char *litellm_read(struct slice name, struct json model, struct sheet_row *ret_row,
                         bool *ret_ours)
{
    struct json key, value;
    size_t at = 0;
    struct slice mode = text_of(model, "mode"), provider = text_of(model, "litellm_provider");
    struct json most = json_member(model, "max_output_tokens");
    *ret_ours = false;
    ret_row->row = (struct pricing_row){.name = name, .tiers = ret_row->tiers};
    bool of_a_size = slice_is(mode, "image_generation") && has(name, "-x-");
    if (model.type != JSON_OBJECT || !is_mode(mode) || of_a_size || slice_is(name, "sample_spec"))
        return NULL;
    if (provider.len <= LIMIT_PROVIDER)
        ret_row->row.provider = provider;
    if (most.type == JSON_NUMBER && (json_integer(most, &ret_row->row.output_max) ||
                                     ret_row->row.output_max < 0 || slice_is(mode, "embedding")))
        ret_row->row.output_max = 0;
    while (json_next(model, &at, &key, &value)) {
        const char *why =
            value.type == JSON_NUMBER
                ? read_key(slice_part(key.raw, 1, key.raw.len - 2), value, mode, ret_row)
                : NULL;
        if (why) {
            *ret_ours = true;
            return why;
        }
    }
    ret_row->row.shows_all = json_member(model, "supports_reasoning").type != JSON_TRUE;
    mend_cache(ret_row->row.per_million);
    mend_tiers(ret_row);
    const char *why = check(name, mode, ret_row, ret_ours);
    return why || !*ret_ours ? why : read_searches(name, model, ret_row);
}
