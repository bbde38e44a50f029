/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/words.h"

#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

enum { ATTO_PLACES = 18, EACH = 6 /* a million of them */ };
#define LEN(array) (sizeof(array) / sizeof *(array))

/* What is counted: a unit fits the meters of its kind. */
enum kind { TOKENS = 1, SEARCHES, REQUESTS, IMAGES, CHARACTERS, SECONDS };

static const struct meter {
    const char *word, *key;
    unsigned shift; /* of key */
    enum kind kind;
} meters[PRICE_METERS] = {
    [PRICE_INPUT] = {"input", "input_per_million", 0, TOKENS},
    [PRICE_CACHED_INPUT] = {"cached_input", "cached_input_per_million", 0, TOKENS},
    [PRICE_CACHE_WRITE] = {"cache_write", "cache_write_per_million", 0, TOKENS},
    [PRICE_CACHE_WRITE_1H] = {"cache_write_1h", "cache_write_1h_per_million", 0, TOKENS},
    [PRICE_AUDIO_INPUT] = {"audio_input", "audio_input_per_million", 0, TOKENS},
    [PRICE_IMAGE_INPUT] = {"image_input", "image_input_per_million", 0, TOKENS},
    [PRICE_OUTPUT] = {"output", "output_per_million", 0, TOKENS},
    [PRICE_REASONING] = {"reasoning", "reasoning_per_million", 0, TOKENS},
    [PRICE_AUDIO_OUTPUT] = {"audio_output", "audio_output_per_million", 0, TOKENS},
    [PRICE_IMAGE_OUTPUT] = {"image_output", "image_output_per_million", 0, TOKENS},
    [PRICE_SEARCH] = {"search", "search_per_thousand", 3, SEARCHES},
    [PRICE_SEARCHED] = {"searched", "searched_per_thousand", 3, REQUESTS},
    [PRICE_REQUEST] = {"request", "request_per_thousand", 3, REQUESTS},
    [PRICE_IMAGE] = {"image", "per_image", EACH, IMAGES},
    [PRICE_CHARACTER] = {"character", "characters_per_million", 0, CHARACTERS},
    [PRICE_AUDIO_SECOND] = {"audio_second", "audio_per_second", EACH, SECONDS},
    [PRICE_VIDEO_SECOND] = {"video_second", "video_per_second", EACH, SECONDS},
};

static const struct {
    const char *key;
    enum price_meter meter;
} per_1k[] = {
    {"input_cost_per_1k", PRICE_INPUT},
    {"output_cost_per_1k", PRICE_OUTPUT},
    {"cached_input_cost_per_1k", PRICE_CACHED_INPUT},
    {"cache_write_cost_per_1k", PRICE_CACHE_WRITE},
    {"reasoning_cost_per_1k", PRICE_REASONING},
};

/* Other names of meters, beside their own with "_token" or "s" behind it. */
static const struct {
    const char *word;
    enum price_meter meter;
} also[] = {
    {"prompt", PRICE_INPUT},
    {"completion", PRICE_OUTPUT},
    {"cache_read", PRICE_CACHED_INPUT},
    {"call", PRICE_REQUEST},
    {"audio", PRICE_AUDIO_SECOND},
    {"audio_minute", PRICE_AUDIO_SECOND},
    {"video", PRICE_VIDEO_SECOND},
    {"video_minute", PRICE_VIDEO_SECOND},
};

static const struct unit {
    const char *word;
    enum kind kind;
    unsigned shift;   /* to a million of them, */
    unsigned divisor; /* each being so many of what is counted */
} units[] = {
    {"per_token", TOKENS, 6, 1},
    {"per_1k_tokens", TOKENS, 3, 1},
    {"per_thousand_tokens", TOKENS, 3, 1},
    {"per_1m_tokens", TOKENS, 0, 1},
    {"per_million_tokens", TOKENS, 0, 1},
    {"per_character", CHARACTERS, 6, 1},
    {"per_1k_characters", CHARACTERS, 3, 1},
    {"per_1m_characters", CHARACTERS, 0, 1},
    {"per_million_characters", CHARACTERS, 0, 1},
    {"per_image", IMAGES, 6, 1},
    {"per_1k_images", IMAGES, 3, 1},
    {"per_second", SECONDS, 6, 1},
    {"per_minute", SECONDS, 6, 60},
    {"per_hour", SECONDS, 6, 3600},
    {"per_request", REQUESTS, 6, 1},
    {"per_call", REQUESTS, 6, 1},
    {"per_1k_requests", REQUESTS, 3, 1},
    {"per_thousand_requests", REQUESTS, 3, 1},
    {"per_search", SEARCHES, 6, 1},
    {"per_1k_searches", SEARCHES, 3, 1},
    {"per_thousand_searches", SEARCHES, 3, 1},
};

/* Of whatever the meter counts. */
static const struct {
    const char *word;
    unsigned shift;
} plain_units[] = {
    {"per_unit", 6}, {"per_1k", 3}, {"per_thousand", 3}, {"per_1m", 0}, {"per_million", 0}};

static const char *const services[PRICE_SERVICES] = {"standard", "priority", "flex", "batch",
                                                     "fast"};

const char *price_words_key(enum price_meter meter, unsigned *ret_shift)
{
    *ret_shift = meters[meter].shift;
    return meters[meter].key;
}

bool price_words_find(struct slice key, enum price_meter *ret_meter, unsigned *ret_shift)
{
    for (unsigned i = 0; i < PRICE_METERS; i++)
        if (slice_is(key, meters[i].key)) {
            *ret_meter = (enum price_meter)i;
            *ret_shift = meters[i].shift;
            return true;
        }
    for (size_t i = 0; i < LEN(per_1k); i++)
        if (slice_is(key, per_1k[i].key)) {
            *ret_meter = per_1k[i].meter;
            *ret_shift = 3;
            return true;
        }
    return false;
}

const char *price_words_meter(enum price_meter meter)
{
    return meters[meter].word;
}

const char *price_words_service(enum price_service service)
{
    return services[service];
}

bool price_words_service_find(struct slice word, enum price_service *ret_service)
{
    for (unsigned i = 0; i < PRICE_SERVICES; i++)
        if (slice_is(word, services[i])) {
            *ret_service = (enum price_service)i;
            return true;
        }
    return false;
}

int price_words_move(struct slice price, unsigned shift, char room[DECIMAL_ROOM])
{
    int128 atto;
    int rc = decimal_parse128(price, ATTO_PLACES + shift, false, &atto);
    if (rc == METE_E_TOO_LARGE || (!rc && atto < 0))
        return METE_E_INVALID;
    if (!rc)
        decimal_format(atto, ATTO_PLACES, 0, room);
    return rc;
}

size_t price_words_show(struct price price, unsigned shift, char room[DECIMAL_ROOM])
{
    ASSERT(price.atto_per_million >= 0);
    return decimal_format(price.atto_per_million, ATTO_PLACES + shift, 0, room);
}

/* ---- A meter and a unit ---------------------------------------------------------------------- */

static struct slice without(struct slice word, const char *end)
{
    size_t len = strlen(end);
    if (word.len > len && !memcmp(word.data + word.len - len, end, len))
        word.len -= len;
    return word;
}

static bool find_meter(struct slice word, enum price_meter *ret_meter)
{
    struct slice bare = without(without(word, "s"), "_token");
    for (unsigned i = 0; i < PRICE_METERS; i++)
        if (slice_is(bare, meters[i].word)) {
            *ret_meter = (enum price_meter)i;
            return true;
        }
    for (size_t i = 0; i < LEN(also); i++)
        if (slice_is(bare, also[i].word)) {
            *ret_meter = also[i].meter;
            return true;
        }
    return false;
}

static bool find_unit(struct slice type, struct slice word, enum price_meter meter,
                      struct unit *ret_unit)
{
    enum kind kind = meters[meter].kind;
    bool tokens = kind == TOKENS || kind == CHARACTERS;
    if (!word.len) {
        unsigned each = slice_starts(without(type, "s"), SLICE_LITERAL("audio_minute")) ||
                                slice_starts(without(type, "s"), SLICE_LITERAL("video_minute"))
                            ? 60
                            : 1;
        *ret_unit = (struct unit){NULL, kind, tokens ? 0 : EACH, each};
        return true;
    }
    for (size_t i = 0; i < LEN(plain_units); i++)
        if (slice_is(word, plain_units[i].word)) {
            *ret_unit = (struct unit){NULL, kind, plain_units[i].shift, 1};
            return true;
        }
    for (size_t i = 0; i < LEN(units); i++)
        if (units[i].kind == kind && slice_is(word, units[i].word)) {
            *ret_unit = units[i];
            return true;
        }
    return false;
}

enum price_word_fault price_words_say(struct slice type, struct slice unit, struct slice price,
                                      enum price_meter *ret_meter, char room[DECIMAL_ROOM])
{
    struct unit found;
    int128 atto;
    if (!find_meter(type, ret_meter))
        return PRICE_WORD_TYPE;
    if (!find_unit(type, unit, *ret_meter, &found))
        return PRICE_WORD_UNIT;
    if (decimal_parse128(price, ATTO_PLACES + found.shift, false, &atto) || atto < 0 ||
        atto % found.divisor)
        return PRICE_WORD_PRICE;
    decimal_format(atto / found.divisor, ATTO_PLACES, 0, room);
    return PRICE_WORD_GOOD;
}
