/* SPDX-License-Identifier: Apache-2.0
 * A meter that was not used is not named: it was reserved for nothing. */
#include "gateway/usage.h"

#include "base/assert.h"
#include "base/checked.h"

size_t usage_write(const struct pricing_usage *usage, const struct usage_cost *cost, int64_t total,
                   struct mete_usage ret_list[USAGE_METERS])
{
    int64_t sum = METE_AMOUNT_MAX;
    if (!checked_add(usage->input, usage->output, &sum))
        sum = METE_AMOUNT_MAX;
    const struct mete_usage all[] = {
        {METE_COST, cost->currency, cost->nano},
        {METE_TOTAL_TOKENS, 0, total < 0 ? sum : total},
        {METE_REQUESTS, 0, 1},
        {METE_INPUT, 0, usage->input},
        {METE_CACHED_INPUT, 0, usage->cached_input},
        {METE_CACHE_WRITE, 0, usage->cache_write},
        {METE_OUTPUT, 0, usage->output},
        {METE_REASONING, 0, usage->reasoning},
        {METE_CACHE_WRITE_1H, 0, usage->cache_write_1h},
        {METE_AUDIO_INPUT, 0, usage->audio_input},
        {METE_IMAGE_INPUT, 0, usage->image_input},
        {METE_AUDIO_OUTPUT, 0, usage->audio_output},
        {METE_IMAGE_OUTPUT, 0, usage->image_output},
        {METE_SEARCHES, 0, usage->searches},
        {METE_IMAGES, 0, usage->images},
        {METE_CHARACTERS, 0, usage->characters},
        {METE_AUDIO_SECONDS, 0, usage->audio_seconds},
        {METE_VIDEO_SECONDS, 0, usage->video_seconds},
        {METE_LIST_COST, 0, max_i64(cost->list, 0)},
    };
    _Static_assert(sizeof all == USAGE_METERS * sizeof all[0], "all of them have room");
    size_t len = 0;
    for (size_t i = 0; i < USAGE_METERS; i++) {
        bool is_told = all[i].meter == METE_COST ||
                       (all[i].meter == METE_LIST_COST ? cost->list >= 0 : all[i].amount > 0);
        if (!is_told)
            continue;
        ret_list[len] = all[i];
        ret_list[len++].amount = min_i64(all[i].amount, METE_AMOUNT_MAX);
    }
    ASSERT(len >= 2);
    return len;
}
