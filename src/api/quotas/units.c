/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/units.h"

#include "api/units.h"

/* What a type of the sellers' is called here. */
static struct slice plain_name(struct slice unit)
{
    static const struct {
        const char *type, *name;
    } types[] = {{"text_token", "tokens"},
                 {"image", "images"},
                 {"audio", "audio_seconds"},
                 {"video", "video_seconds"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (slice_is(unit, types[i].type))
            return slice_of(types[i].name);
    return unit;
}

int quota_unit_read(const struct fields *fields, const char *name, struct slice unit,
                    uint16_t *ret_meter, uint32_t *ret_currency)
{
    static const char *const whole[] = {"input_tokens",  "output_tokens", "images", "characters",
                                        "audio_seconds", "video_seconds", NULL};
    unit = plain_name(unit);
    bool is_whole = false;
    for (size_t i = 0; whole[i]; i++)
        is_whole |= slice_is(unit, whole[i]);
    for (uint16_t meter = METE_COST + 1; is_whole && meter < METE_METERS_BUILTIN; meter++) {
        if (!units_meter(meter) || !slice_is(unit, units_meter(meter)))
            continue;
        *ret_meter = meter;
        *ret_currency = 0;
        return 0;
    }
    if (units_currency(unit) || slice_is(unit, "tokens") || slice_is(unit, "requests"))
        return units_read(fields, name, unit, ret_meter, ret_currency);
    return fields_fault(fields, METE_E_INVALID, name,
                        "It must be a currency (such as USD), tokens, requests, input_tokens, "
                        "output_tokens, images, characters, audio_seconds or video_seconds.");
}
