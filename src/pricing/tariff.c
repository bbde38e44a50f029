/* SPDX-License-Identifier: Apache-2.0
 * From texts to whole tariffs, and from a call to its prices.
 *
 * FALLING BACK, once, when a row is read:
 *   cached_input, cache_write, image_input -> input;  cache_write_1h -> cache_write;
 *   reasoning -> output;  search <-> searched: the other is free;  request: free.
 * In a tier a price that is left out is the model's own. One that the model leaves out too, or says
 * to be just what it would fall back to, falls back within the tier: beyond the threshold reasoning
 * is as dear as output there. An hour's write is never cheaper than a write.
 * Sound, pictures made, searches and pieces fall back to nothing (pricing_prices). Pictures read
 * do: of every model that names no price for them they are input like any other.
 *
 * Not done: a search tree of thresholds; no model has more than eight tiers. */
#include "pricing/tariff.h"

#include "base/assert.h"
#include "codec/decimal.h"
#include "pricing/grade.h"

#define ATTO INT64_C(1000000000000000000) /* of a price, in one currency unit */

/* What a price falls back to, in this order, so that a chain is followed to its end. */
static const struct {
    enum price_meter meter, to;
} falls_back[] = {
    {PRICE_CACHED_INPUT, PRICE_INPUT},         {PRICE_CACHE_WRITE, PRICE_INPUT},
    {PRICE_CACHE_WRITE_1H, PRICE_CACHE_WRITE}, {PRICE_IMAGE_INPUT, PRICE_INPUT},
    {PRICE_REASONING, PRICE_OUTPUT},
};
enum { FALLS_BACK = sizeof falls_back / sizeof falls_back[0] };

static const struct price unpriced = {-1}, free_of_charge = {0};

static bool is_set(struct price price)
{
    return price.atto_per_million >= 0;
}

static bool is_same(struct price a, struct price b)
{
    return a.atto_per_million == b.atto_per_million;
}

static struct price dearer(struct price a, struct price b)
{
    return a.atto_per_million >= b.atto_per_million ? a : b;
}

static void fall_back(struct price prices[PRICE_METERS], enum price_meter meter, struct price to)
{
    if (!is_set(prices[meter]))
        prices[meter] = to;
}

/* limit: currency units a million. */
static int parse_price(struct slice text, int64_t limit, struct price *ret_price)
{
    int128 atto = -1;
    if (text.len) {
        int rc = decimal_parse128(text, 18, false, &atto);
        if (rc == METE_E_TOO_LARGE)
            return METE_E_INVALID;
        if (rc)
            return rc;
        if (atto < 0 || atto > (int128)limit * ATTO)
            return METE_E_INVALID;
    }
    ret_price->atto_per_million = atto;
    return 0;
}

static int parse_prices(const struct slice texts[PRICE_METERS], struct price prices[PRICE_METERS])
{
    int rc = 0;
    for (int meter = 0; !rc && meter < PRICE_METERS; meter++) {
        bool piece = meter >= TARIFF_PIECES || meter == PRICE_REQUEST;
        rc = parse_price(texts[meter], piece ? LIMIT_PIECE_PRICE * INT64_C(1000000) : LIMIT_PRICE,
                         &prices[meter]);
    }
    return rc;
}

static void complete(struct price prices[PRICE_METERS])
{
    for (size_t i = 0; i < FALLS_BACK; i++)
        fall_back(prices, falls_back[i].meter, prices[falls_back[i].to]);
    if (is_set(prices[PRICE_SEARCH]) || is_set(prices[PRICE_SEARCHED])) {
        fall_back(prices, PRICE_SEARCH, free_of_charge);
        fall_back(prices, PRICE_SEARCHED, free_of_charge);
    }
    fall_back(prices, PRICE_REQUEST, free_of_charge);
}

/* The model's prices as far as a tier takes them over. */
static void inherit(const struct price base[PRICE_METERS], struct price ret_prices[PRICE_METERS])
{
    memcpy(ret_prices, base, PRICE_METERS * sizeof *base);
    for (size_t i = 0; i < FALLS_BACK; i++)
        if (is_same(base[falls_back[i].meter], base[falls_back[i].to]))
            ret_prices[falls_back[i].meter] = unpriced;
}

static bool is_there(const struct tariff *tariff, const struct pricing_tier_row *row)
{
    for (size_t i = 0; i < tariff->tiers_len; i++)
        if (tariff->tiers[i].above == row->above && tariff->tiers[i].service == row->service &&
            grade_is_same(tariff->tiers[i].grade, row->grade))
            return true;
    return row->above == 0 && row->service == PRICE_STANDARD && !grade_is_said(row->grade);
}

static bool has_piece(const struct price *prices)
{
    for (int meter = TARIFF_PIECES; meter < PRICE_METERS; meter++)
        if (is_set(prices[meter]))
            return true;
    return false;
}

/* Nothing but pieces, of a grade that is one: neither a service nor a length changes it. */
static int grade_tier(const struct price base[PRICE_METERS], const struct price own[PRICE_METERS],
                      const struct pricing_tier_row *row, struct price_tier *ret_tier)
{
    struct price_tier tier = {.service = PRICE_STANDARD, .grade = row->grade};
    bool said = false;
    if (row->above || row->service != PRICE_STANDARD || row->grade.quality == PRICE_QUALITY_ANY ||
        row->grade.width == PRICE_SIDE_ANY)
        return METE_E_INVALID;
    memcpy(tier.prices, base, sizeof tier.prices);
    for (int meter = 0; meter < PRICE_METERS; meter++) {
        if (!is_set(own[meter]))
            continue;
        if (meter < TARIFF_PIECES)
            return METE_E_INVALID;
        tier.prices[meter] = own[meter];
        said = true;
    }
    if (!said)
        return METE_E_INVALID;
    *ret_tier = tier;
    return 0;
}

static int parse_tier(const struct price base[PRICE_METERS], const struct pricing_tier_row *row,
                      struct price_tier *ret_tier)
{
    struct price_tier tier = {.above = row->above, .service = (uint16_t)row->service};
    struct price own[PRICE_METERS];
    int rc = parse_prices(row->per_million, own);
    if (rc)
        return rc;
    if (grade_is_said(row->grade))
        return grade_tier(base, own, row, ret_tier);
    if (!tariff_is_whole(own) || has_piece(own))
        return METE_E_INVALID;
    inherit(base, tier.prices);
    for (int meter = 0; meter < PRICE_METERS; meter++)
        if (is_set(own[meter]))
            tier.prices[meter] = own[meter];
    complete(tier.prices);
    if (!is_set(own[PRICE_CACHE_WRITE_1H]))
        tier.prices[PRICE_CACHE_WRITE_1H] =
            dearer(tier.prices[PRICE_CACHE_WRITE_1H], tier.prices[PRICE_CACHE_WRITE]);
    *ret_tier = tier;
    return 0;
}

int tariff_parse(const struct pricing_row *row, struct tariff *ret_tariff)
{
    struct tariff tariff = {.tiers_len = 0};
    int rc = parse_prices(row->per_million, tariff.prices);
    if (rc)
        return rc;
    if (row->tiers_len > LIMIT_PRICE_TIERS)
        return METE_E_INVALID;
    complete(tariff.prices);
    for (size_t i = 0; i < row->tiers_len; i++) {
        ASSERT(row->tiers[i].service < PRICE_SERVICES);
        if (row->tiers[i].above < 0 || is_there(&tariff, &row->tiers[i]))
            return METE_E_INVALID;
        rc = parse_tier(tariff.prices, &row->tiers[i], &tariff.tiers[tariff.tiers_len]);
        if (rc)
            return rc;
        tariff.tiers_len++;
    }
    *ret_tariff = tariff;
    return 0;
}

static void cover(struct price prices[PRICE_METERS])
{
    fall_back(prices, PRICE_AUDIO_INPUT, prices[PRICE_INPUT]);
    fall_back(prices, PRICE_AUDIO_OUTPUT, prices[PRICE_OUTPUT]);
    fall_back(prices, PRICE_IMAGE_OUTPUT, prices[PRICE_OUTPUT]);
}

void tariff_cover(struct tariff *tariff)
{
    cover(tariff->prices);
    for (size_t i = 0; i < tariff->tiers_len; i++)
        cover(tariff->tiers[i].prices);
}

bool tariff_is_whole(const struct price *prices)
{
    return is_set(prices[PRICE_INPUT]) && is_set(prices[PRICE_OUTPUT]);
}

bool tariff_is_priced(const struct price_model *model)
{
    bool priced = tariff_is_whole(model->prices) || has_piece(model->prices) ||
                  model->prices[PRICE_REQUEST].atto_per_million > 0;
    for (size_t i = 0; !priced && i < model->tiers_len; i++)
        priced = grade_is_said(model->tiers[i].grade);
    return priced;
}

bool pricing_has_grades(const struct price_model *model)
{
    for (size_t i = 0; i < model->tiers_len; i++)
        if (grade_is_said(model->tiers[i].grade) || model->tiers[i].service == PRICE_FAST)
            return true;
    return false;
}

bool pricing_has_tariffs(const struct price_model *model)
{
    for (size_t i = 0; i < model->tiers_len; i++)
        if (grade_is_said(model->tiers[i].grade) || model->tiers[i].service != PRICE_STANDARD)
            return true;
    return false;
}

/* ---- And back ------------------------------------------------------------------------------- */

static void own_of_model(const struct price prices[PRICE_METERS], struct price own[PRICE_METERS])
{
    inherit(prices, own);
    if (is_same(prices[PRICE_REQUEST], free_of_charge))
        own[PRICE_REQUEST] = unpriced;
}

static void own_of_tier(const struct price base[PRICE_METERS], const struct price_tier *tier,
                        struct price own[PRICE_METERS])
{
    struct price said[PRICE_METERS];
    inherit(base, said);
    memcpy(own, tier->prices, sizeof tier->prices);
    for (size_t i = 0; i < FALLS_BACK; i++)
        if (!is_set(said[falls_back[i].meter]) &&
            is_same(tier->prices[falls_back[i].meter], tier->prices[falls_back[i].to]))
            own[falls_back[i].meter] = unpriced;
    for (int meter = 0; meter < PRICE_METERS; meter++)
        if (meter != PRICE_INPUT && meter != PRICE_OUTPUT && is_set(said[meter]) &&
            is_same(said[meter], tier->prices[meter]))
            own[meter] = unpriced;
}

void tariff_own(const struct price_model *model, const struct price_tier *tier,
                struct price ret_own[PRICE_METERS])
{
    if (!tier) {
        own_of_model(model->prices, ret_own);
        return;
    }
    if (!grade_is_said(tier->grade)) {
        own_of_tier(model->prices, tier, ret_own);
        return;
    }
    memcpy(ret_own, tier->prices, sizeof tier->prices);
    for (int meter = 0; meter < TARIFF_PIECES; meter++)
        ret_own[meter] = unpriced;
}

/* ---- The prices of a call -------------------------------------------------------------------- */

/* The highest of the service's tiers that so much input is in; NULL: none. */
static const struct price_tier *find_tier(const struct price_model *model,
                                          enum price_service service, int64_t input)
{
    const struct price_tier *found = NULL;
    for (size_t i = 0; i < model->tiers_len; i++) {
        const struct price_tier *tier = &model->tiers[i];
        bool holds = tier->service == service && (tier->above == 0 || input > tier->above) &&
                     !grade_is_said(tier->grade);
        if (holds && (!found || tier->above > found->above))
            found = tier;
    }
    return found;
}

/* What one of them does not price is unpriced. */
static void keep_dearer(const struct price *prices, struct price kept[PRICE_METERS])
{
    for (int meter = 0; meter < PRICE_METERS; meter++)
        kept[meter] = is_set(kept[meter]) && is_set(prices[meter])
                          ? dearer(kept[meter], prices[meter])
                          : unpriced;
}

/* Pieces: the dearest among the tiers that fit (fits NULL: all). False: there is none. */
static bool add_grades(const struct price_model *model, const struct price_grade *fits,
                       struct price dearest[PRICE_METERS])
{
    bool found = false;
    for (size_t i = 0; i < model->tiers_len; i++) {
        const struct price_tier *tier = &model->tiers[i];
        if (!grade_is_said(tier->grade) || (fits && !grade_fits(tier->grade, *fits)))
            continue;
        for (int meter = TARIFF_PIECES; meter < PRICE_METERS; meter++)
            dearest[meter] = dearer(dearest[meter], tier->prices[meter]);
        found = true;
    }
    return found;
}

static void grade(const struct price_model *model, struct price_grade asked,
                  struct price prices[PRICE_METERS])
{
    struct price own[PRICE_METERS];
    if (!grade_is_said(asked))
        return;
    memcpy(own, prices, sizeof own);
    asked = grade_opened(asked);
    bool any = asked.quality == PRICE_QUALITY_ANY && asked.width == PRICE_SIDE_ANY;
    for (int meter = TARIFF_PIECES; !any && meter < PRICE_METERS; meter++)
        prices[meter] = unpriced;
    if (any || !add_grades(model, &asked, prices)) {
        memcpy(prices, own, sizeof own);
        (void)add_grades(model, NULL, prices);
    }
}

int tariff_find(const struct price_model *model, const struct tariff_of *of,
                struct price ret_prices[PRICE_METERS])
{
    enum price_service service = of->service;
    const struct price_tier *standard = find_tier(model, PRICE_STANDARD, of->input), *own = NULL;
    const struct price *prices = standard ? standard->prices : model->prices;
    if (service != PRICE_STANDARD) {
        bool stands_in = service == PRICE_FLEX || service == PRICE_BATCH || model->is_ceiling;
        own = find_tier(model, service, of->input);
        if (!own && !stands_in)
            return METE_E_UNPRICED;
    }
    memcpy(ret_prices, own ? own->prices : prices, PRICE_METERS * sizeof *prices);
    if (own && standard && standard->above > own->above)
        keep_dearer(prices, ret_prices);
    grade(model, of->grade, ret_prices);
    return 0;
}

static int add_service(const struct price_model *model, struct tariff_of of, int64_t input,
                       struct price dearest[PRICE_METERS])
{
    struct price prices[PRICE_METERS];
    int rc = tariff_find(model, &of, prices);
    if (rc)
        return rc;
    keep_dearer(prices, dearest);
    for (size_t i = 0; i < model->tiers_len; i++) {
        if (model->tiers[i].above >= input || grade_is_said(model->tiers[i].grade))
            continue;
        of.input = model->tiers[i].above + 1;
        rc = tariff_find(model, &of, prices);
        ASSERT(rc == 0);
        keep_dearer(prices, dearest);
    }
    return 0;
}

int tariff_dearest(const struct price_model *model, const struct pricing_limits *limits,
                   struct price ret_prices[PRICE_METERS])
{
    uint32_t services = limits->services ? limits->services : PRICE_BIT(PRICE_STANDARD);
    struct price dearest[PRICE_METERS] = {{0}};
    ASSERT(!(services >> PRICE_SERVICES));
    for (int service = 0; service < PRICE_SERVICES; service++) {
        if (!(services & PRICE_BIT(service)))
            continue;
        const struct tariff_of of = {.service = (enum price_service)service,
                                     .grade = grade_opened(limits->grade)};
        int rc = add_service(model, of, limits->input, dearest);
        if (rc)
            return rc;
    }
    memcpy(ret_prices, dearest, sizeof dearest);
    return 0;
}
