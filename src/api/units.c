/* SPDX-License-Identifier: Apache-2.0 */
#include "api/units.h"

#include "base/assert.h"
#include "codec/decimal.h"

const struct word units_kinds[] = {
    {"organization", METE_ORGANIZATION},
    {"department", METE_DEPARTMENT},
    {"user", METE_USER},
    {"api_key", METE_API_KEY},
    {"advertiser", METE_ADVERTISER},
    {"campaign", METE_CAMPAIGN},
    {NULL, 0},
};

const struct word units_template_kinds[] = {
    {"department", METE_DEPARTMENT},
    {"user", METE_USER},
    {"api_key", METE_API_KEY},
    {NULL, 0},
};

const struct word units_periods[] = {
    {"minute", METE_MINUTE},   {"hourly", METE_HOURLY},
    {"daily", METE_DAILY},     {"weekly", METE_WEEKLY},
    {"monthly", METE_MONTHLY}, {"quarterly", METE_QUARTERLY},
    {"yearly", METE_YEARLY},   {"total", METE_TOTAL},
    {"rolling", METE_ROLLING}, {NULL, 0},
};

const struct word units_modes[] = {
    {"enforce", METE_ENFORCE}, {"shadow", METE_SHADOW}, {"off", METE_OFF}, {NULL, 0}};

const struct word units_reasons[] = {
    {"key_unknown", METE_KEY_UNKNOWN}, {"key_expired", METE_KEY_EXPIRED},
    {"key_revoked", METE_KEY_REVOKED}, {"not_permitted", METE_NOT_PERMITTED},
    {"unpriced", METE_UNPRICED},       {"emergency_stop", METE_EMERGENCY_STOP},
    {"hard_limit", METE_HARD_LIMIT},   {"quota", METE_QUOTA},
    {"throttle", METE_THROTTLE},       {"rate_limit", METE_RATE_LIMIT},
    {"concurrency", METE_CONCURRENCY}, {NULL, 0},
};

static const char *const meters[METE_METERS_BUILTIN] = {
    [METE_INPUT] = "input_tokens",
    [METE_CACHED_INPUT] = "cached_input_tokens",
    [METE_CACHE_WRITE] = "cache_write_tokens",
    [METE_OUTPUT] = "output_tokens",
    [METE_REASONING] = "reasoning_tokens",
    [METE_TOTAL_TOKENS] = "total_tokens",
    [METE_REQUESTS] = "requests",
    [METE_IMAGES] = "images",
    [METE_AUDIO_SECONDS] = "audio_seconds",
    [METE_CACHE_WRITE_1H] = "cache_write_1h_tokens",
    [METE_AUDIO_INPUT] = "audio_input_tokens",
    [METE_IMAGE_INPUT] = "image_input_tokens",
    [METE_AUDIO_OUTPUT] = "audio_output_tokens",
    [METE_IMAGE_OUTPUT] = "image_output_tokens",
    [METE_SEARCHES] = "searches",
    [METE_CHARACTERS] = "characters",
    [METE_VIDEO_SECONDS] = "video_seconds",
};

/* What the gateway and the authority demand of every call that has any, so that a budget of it is
 * kept before it is spent. Parts of the tokens are known when they are used. */
static const uint16_t whole[] = {METE_REQUESTS, METE_IMAGES, METE_CHARACTERS, METE_AUDIO_SECONDS,
                                 METE_VIDEO_SECONDS};

const char *units_meter(uint16_t meter)
{
    return meter < METE_METERS_BUILTIN ? meters[meter] : NULL;
}

uint32_t units_currency(struct slice text)
{
    if (text.len != 3)
        return 0;
    for (size_t i = 0; i < 3; i++)
        if (text.data[i] < 'A' || text.data[i] > 'Z')
            return 0;
    return METE_CURRENCY(text.data[0], text.data[1], text.data[2]);
}

int units_read(const struct fields *fields, const char *name, struct slice unit,
               uint16_t *ret_meter, uint32_t *ret_currency)
{
    uint32_t currency = units_currency(unit);
    uint16_t meter = METE_COST;
    if (slice_is(unit, "tokens"))
        meter = METE_TOTAL_TOKENS;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (slice_is(unit, meters[whole[i]]))
            meter = whole[i];
    if (!currency && meter == METE_COST) {
        for (uint16_t i = 0; i < METE_METERS_BUILTIN; i++)
            if (meters[i] && i != METE_TOTAL_TOKENS && slice_is(unit, meters[i]))
                return fields_fault(fields, METE_E_NOT_YET, name,
                                    "Budgets of this unit are planned, and not built yet.");
        return fields_fault(fields, METE_E_INVALID, name,
                            "It must be a currency (such as USD), tokens, requests, images, "
                            "characters, audio_seconds or video_seconds.");
    }
    *ret_meter = meter;
    *ret_currency = currency;
    return 0;
}

int units_amount(const struct fields *fields, const char *name, uint16_t meter, struct slice text,
                 int64_t *ret_amount)
{
    int64_t amount;
    int rc = decimal_parse(text, meter == METE_COST ? 9 : 0, &amount);
    if (rc == METE_E_INVALID)
        return fields_fault(fields, METE_E_INVALID, name,
                            meter == METE_COST ? "It may have nine digits after the point."
                                               : "It must be a whole number.");
    if (rc == METE_E_SYNTAX)
        return fields_fault(fields, METE_E_INVALID, name, "It must be a decimal.");
    if (rc || amount > METE_AMOUNT_MAX)
        return fields_fault(fields, METE_E_INVALID, name, "It is too large.");
    if (amount < 0)
        return fields_fault(fields, METE_E_INVALID, name, "It must not be negative.");
    *ret_amount = amount;
    return 0;
}

void units_write(struct out *out, const char *key, uint16_t meter, uint32_t currency)
{
    char code[3] = {(char)(currency >> 16), (char)(currency >> 8), (char)currency};
    struct slice unit = {code, 3};
    if (meter == METE_TOTAL_TOKENS)
        unit = SLICE_LITERAL("tokens");
    else if (meter != METE_COST)
        unit = slice_of(units_meter(meter));
    out_member_text(out, key, unit);
}
