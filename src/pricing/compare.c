/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/compare.h"

#include "pricing/grade.h"
#include "pricing/tariff.h"
#include "pricing/words.h"

#include <stdio.h>

static const struct price none = {-1};

bool price_is_same(const struct price_model *a, const struct price_model *b)
{
    return a->currency == b->currency && a->tiers_len == b->tiers_len &&
           !memcmp(a->prices, b->prices, PRICE_METERS * sizeof *a->prices) &&
           !memcmp(a->tiers, b->tiers, a->tiers_len * sizeof *a->tiers);
}

/* The tier of b's kind; NULL: there is none. */
static const struct price_tier *find_tier(const struct price_model *model,
                                          const struct price_tier *like)
{
    for (size_t i = 0; model && i < model->tiers_len; i++)
        if (model->tiers[i].service == like->service && model->tiers[i].above == like->above &&
            grade_is_same(model->tiers[i].grade, like->grade))
            return &model->tiers[i];
    return NULL;
}

static void name_tier(const struct price_tier *tier, char room[64])
{
    size_t at = 0;
    room[0] = 0;
    if (tier->service != PRICE_STANDARD)
        at += (size_t)snprintf(room, 64, "%s",
                               price_words_service((enum price_service)tier->service));
    if (tier->above)
        at += (size_t)snprintf(room + at, 64 - at, ">%lld", (long long)tier->above);
    if (tier->grade.quality)
        at += (size_t)snprintf(room + at, 64 - at, "%s", pricing_quality_word(tier->grade));
    if (tier->grade.width)
        snprintf(room + at, 64 - at, ":%ux%u", (unsigned)tier->grade.width,
                 (unsigned)tier->grade.height);
}

static bool is_absurd(struct price before, struct price after)
{
    int128 old = before.atto_per_million, now = after.atto_per_million;
    return old > 0 && now > 0 && (now / 100 >= old || old / 100 >= now);
}

/* Of the model's own prices (tiers NULL), or of one tier on either side. */
struct sides {
    const struct price_model *before, *after;
    const struct price_tier *tier_before, *tier_after;
};

static void own(const struct price_model *model, const struct price_tier *tier, bool tiered,
                struct price prices[PRICE_METERS])
{
    for (int i = 0; i < PRICE_METERS; i++)
        prices[i] = none;
    if (model && (!tiered || tier))
        tariff_own(model, tier, prices);
}

static void compare(const struct sides *sides,
                    void (*fn)(void *user, const struct price_difference *difference), void *user)
{
    const struct price_tier *tier = sides->tier_after ? sides->tier_after : sides->tier_before;
    struct price before[PRICE_METERS], after[PRICE_METERS];
    struct price_difference difference = {.tier = ""};
    own(sides->before, sides->tier_before, tier, before);
    own(sides->after, sides->tier_after, tier, after);
    if (tier)
        name_tier(tier, difference.tier);
    for (unsigned i = 0; i < PRICE_METERS; i++) {
        if (before[i].atto_per_million == after[i].atto_per_million)
            continue;
        difference.meter = (enum price_meter)i;
        difference.before = before[i];
        difference.after = after[i];
        difference.absurd = is_absurd(before[i], after[i]);
        fn(user, &difference);
    }
}

void price_compare(const struct price_model *before, const struct price_model *after,
                   void (*fn)(void *user, const struct price_difference *difference), void *user)
{
    struct sides sides = {.before = before, .after = after};
    compare(&sides, fn, user);
    for (size_t i = 0; i < after->tiers_len; i++) {
        sides.tier_after = &after->tiers[i];
        sides.tier_before = find_tier(before, sides.tier_after);
        compare(&sides, fn, user);
    }
    sides.tier_after = NULL;
    for (size_t i = 0; before && i < before->tiers_len; i++) {
        sides.tier_before = &before->tiers[i];
        if (!find_tier(after, sides.tier_before))
            compare(&sides, fn, user);
    }
}

bool price_percent(const struct price_difference *difference, char room[DECIMAL_ROOM])
{
    int128 before = difference->before.atto_per_million, after = difference->after.atto_per_million;
    if (before <= 0 || after < 0)
        return false;
    int128 tenths =
        div_half_even((after > before ? after - before : before - after) * 1000, before);
    decimal_format(after < before ? -tenths : tenths, 1, 1, room);
    return true;
}
