/* SPDX-License-Identifier: Apache-2.0
 * From a usage to what it costs, and from the limits of a call to the most it can.
 *
 * BY THE PIECE, OR BY THE TOKEN  of one call a provider tells pictures and tokens, or seconds and
 *   tokens, and bills one of the two. Which one, the list says: where it has a price of the piece,
 *   the piece; tokens of kinds it has no price for are then none that cost. Where it has not, the
 *   tokens; and a call of which none are told has no figures (INV-11). */
#include "base/assert.h"
#include "pricing/grade.h"
#include "pricing/tariff.h"

#define RATE_PER_NANO ((int128)1000000000 * PRICING_MARKUP_ONE) /* of a million units */

static bool add_product(int128 *sum, int64_t units, struct price price)
{
    int128 product;
    return !__builtin_mul_overflow(price.atto_per_million, (int128)units, &product) &&
           !__builtin_add_overflow(*sum, product, sum);
}

/* A sum at the list's price to what is paid, PRICING_MARKUP_ONE times as fine: nothing is rounded.
 */
static bool mark_up(const struct price_model *model, int128 *sum)
{
    return !__builtin_mul_overflow(*sum, (int128)(PRICING_MARKUP_ONE + model->markup_bp), sum);
}

bool pricing_prices(const struct price_model *model, enum price_meter meter)
{
    return model->prices[meter].atto_per_million >= 0;
}

/* Parts that lie apart in their whole; false: one is negative, or they are more. */
static bool parts_fit(int64_t whole, const int64_t *parts, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (parts[i] < 0 || parts[i] > whole)
            return false;
        whole -= parts[i];
    }
    return whole >= 0;
}

static bool usage_holds(const struct pricing_usage *u)
{
    const int64_t input[] = {u->cached_input, u->cache_write, u->audio_input, u->image_input};
    const int64_t output[] = {u->reasoning, u->audio_output, u->image_output};
    return parts_fit(u->input, input, sizeof input / sizeof input[0]) &&
           parts_fit(u->output, output, sizeof output / sizeof output[0]) &&
           parts_fit(u->cache_write, &u->cache_write_1h, 1) && u->searches >= 0 && u->images >= 0 &&
           u->characters >= 0 && u->audio_seconds >= 0 && u->video_seconds >= 0;
}

static void count_units(const struct pricing_usage *u, int64_t ret_units[PRICE_METERS])
{
    const int64_t units[PRICE_METERS] = {
        [PRICE_INPUT] =
            u->input - u->cached_input - u->cache_write - u->audio_input - u->image_input,
        [PRICE_CACHED_INPUT] = u->cached_input,
        [PRICE_CACHE_WRITE] = u->cache_write - u->cache_write_1h,
        [PRICE_CACHE_WRITE_1H] = u->cache_write_1h,
        [PRICE_AUDIO_INPUT] = u->audio_input,
        [PRICE_IMAGE_INPUT] = u->image_input,
        [PRICE_OUTPUT] = u->output - u->reasoning - u->audio_output - u->image_output,
        [PRICE_REASONING] = u->reasoning,
        [PRICE_AUDIO_OUTPUT] = u->audio_output,
        [PRICE_IMAGE_OUTPUT] = u->image_output,
        [PRICE_SEARCH] = u->searches,
        [PRICE_SEARCHED] = u->searches > 0,
        [PRICE_REQUEST] = 1,
        [PRICE_IMAGE] = u->images,
        [PRICE_CHARACTER] = u->characters,
        [PRICE_AUDIO_SECOND] = u->audio_seconds,
        [PRICE_VIDEO_SECOND] = u->video_seconds,
    };
    memcpy(ret_units, units, sizeof units);
}

/* How a call of these units is billed. */
enum basis {
    BY_TOKEN = 0, /* all of its tokens have a price */
    BY_PIECE,     /* all of its pieces have */
    BY_CALL
};

/* INV-11: UNPRICED where neither the pieces nor any token tell what it comes to. */
static int basis_of(const struct price *prices, const int64_t units[PRICE_METERS], bool flat,
                    enum basis *ret_basis)
{
    bool pieces = false, priced = false, tokens = false;
    for (int meter = TARIFF_PIECES; meter < PRICE_METERS; meter++) {
        pieces = pieces || units[meter];
        priced = priced || (units[meter] && prices[meter].atto_per_million >= 0);
    }
    for (int meter = PRICE_INPUT; meter <= PRICE_IMAGE_OUTPUT; meter++)
        tokens = tokens || units[meter];
    if (flat && prices[PRICE_REQUEST].atto_per_million <= 0)
        return METE_E_UNPRICED;
    if (pieces && !priced && !tokens)
        return METE_E_UNPRICED;
    *ret_basis = priced ? BY_PIECE : flat ? BY_CALL : BY_TOKEN;
    return 0;
}

/* What is told of a call, and is not what it is billed by. */
static bool is_beside(enum basis basis, int meter)
{
    bool piece = meter >= TARIFF_PIECES, token = meter <= PRICE_IMAGE_OUTPUT;
    return basis == BY_TOKEN ? piece : basis == BY_PIECE ? token : piece || token;
}

int pricing_terms(const struct price_model *model, const struct pricing_usage *usage,
                  int128 ret_terms[PRICE_METERS])
{
    const struct tariff_of of = {usage->service, usage->input, usage->grade};
    ASSERT_INV("INV-11", tariff_is_priced(model));
    ASSERT(usage->service < PRICE_SERVICES);
    if (!usage_holds(usage))
        return METE_E_INVALID;
    struct price prices[PRICE_METERS];
    int64_t units[PRICE_METERS];
    enum basis basis;
    int rc = tariff_find(model, &of, prices);
    count_units(usage, units);
    if (!rc)
        rc = basis_of(prices, units, usage->flat, &basis);
    if (rc)
        return rc;
    for (int meter = 0; meter < PRICE_METERS; meter++) {
        bool unpriced = prices[meter].atto_per_million < 0;
        if (unpriced && is_beside(basis, meter))
            units[meter] = 0;
        ret_terms[meter] = units[meter] ? 0 : -1;
        if (units[meter] && unpriced)
            return METE_E_UNPRICED;
        if (units[meter] && (!add_product(&ret_terms[meter], units[meter], prices[meter]) ||
                             !mark_up(model, &ret_terms[meter])))
            return METE_E_TOO_LARGE;
    }
    return 0;
}

int pricing_round(const int128 terms[PRICE_METERS], int64_t *ret_nano)
{
    int128 sum = 0;
    for (int meter = 0; meter < PRICE_METERS; meter++)
        if (terms[meter] > 0 && __builtin_add_overflow(sum, terms[meter], &sum))
            return METE_E_TOO_LARGE;
    int128 nano = div_half_even(sum, TERMS_PER_NANO);
    if (nano > METE_AMOUNT_MAX)
        return METE_E_TOO_LARGE;
    ASSERT_INV("INV-08", nano >= 0);
    *ret_nano = (int64_t)nano;
    return 0;
}

int pricing_charge(const struct price_model *model, const struct pricing_usage *usage,
                   int64_t *ret_nano)
{
    int128 terms[PRICE_METERS];
    int rc = pricing_terms(model, usage, terms);
    return rc ? rc : pricing_round(terms, ret_nano);
}

int pricing_list_charge(const struct price_model *model, const struct pricing_usage *usage,
                        int64_t *ret_nano)
{
    struct price_model plain = *model;
    plain.markup_bp = 0;
    return pricing_charge(&plain, usage, ret_nano);
}

int64_t pricing_list_of(const struct price_model *model, int64_t nano)
{
    int64_t list;
    int32_t factor = PRICING_MARKUP_ONE + model->markup_bp;
    if (!factor)
        return -1;
    return checked_mul_div_up(nano, PRICING_MARKUP_ONE, factor, &list)
               ? min_i64(list, METE_AMOUNT_MAX)
               : METE_AMOUNT_MAX;
}

/* ceil(sum / divisor) */
static int divide_up(int128 sum, int128 divisor, int64_t *ret_nano)
{
    int128 nano = sum / divisor + (sum % divisor != 0);
    if (nano > METE_AMOUNT_MAX)
        return METE_E_TOO_LARGE;
    *ret_nano = (int64_t)nano;
    return 0;
}

/* What any call may have, on either side. */
#define INPUT_KINDS                                                                                \
    (PRICE_BIT(PRICE_INPUT) | PRICE_BIT(PRICE_CACHED_INPUT) | PRICE_BIT(PRICE_CACHE_WRITE) |       \
     PRICE_BIT(PRICE_IMAGE_INPUT))
#define OUTPUT_KINDS (PRICE_BIT(PRICE_OUTPUT) | PRICE_BIT(PRICE_REASONING))

/* Of the kinds from one to the other; -1: one of them has no price. */
static struct price dearest(const struct price *prices, uint32_t kinds, enum price_meter from,
                            enum price_meter to)
{
    struct price price = {0};
    for (enum price_meter meter = from; meter <= to; meter++) {
        if (!(kinds & PRICE_BIT(meter)))
            continue;
        if (prices[meter].atto_per_million < 0)
            return prices[meter];
        if (prices[meter].atto_per_million > price.atto_per_million)
            price = prices[meter];
    }
    return price;
}

/* Of the call and its searches, whatever its tokens. */
static int add_fees(const struct price *prices, int64_t searches, int128 *yocto)
{
    *yocto += prices[PRICE_REQUEST].atto_per_million;
    if (!searches)
        return 0;
    if (prices[PRICE_SEARCH].atto_per_million < 0)
        return METE_E_UNPRICED;
    *yocto += prices[PRICE_SEARCHED].atto_per_million;
    return add_product(yocto, searches, prices[PRICE_SEARCH]) ? 0 : METE_E_TOO_LARGE;
}

/* What is left without a price is what the call is billed by. */
static int add_pieces(const struct price *prices, const int64_t units[PRICE_METERS], int128 *yocto)
{
    for (int meter = TARIFF_PIECES; meter < PRICE_METERS; meter++) {
        if (units[meter] && prices[meter].atto_per_million < 0)
            return METE_E_UNPRICED;
        if (units[meter] && !add_product(yocto, units[meter], prices[meter]))
            return METE_E_TOO_LARGE;
    }
    return 0;
}

/* The most there can be of each, and how that is billed. */
static int bound_basis(const struct price_model *model, const struct pricing_limits *limits,
                       const struct price *prices, int64_t ret_units[PRICE_METERS],
                       enum basis *ret_basis)
{
    const struct pricing_usage most = {.input = 1,
                                       .images = limits->images,
                                       .characters = limits->characters,
                                       .audio_seconds = limits->audio_seconds,
                                       .video_seconds = limits->video_seconds};
    ASSERT_INV("INV-11", tariff_is_priced(model));
    count_units(&most, ret_units);
    return basis_of(prices, ret_units, limits->flat, ret_basis);
}

bool pricing_by_piece(const struct price_model *model, const struct pricing_limits *limits)
{
    struct price prices[PRICE_METERS];
    int64_t units[PRICE_METERS];
    enum basis basis;
    return !tariff_dearest(model, limits, prices) &&
           !bound_basis(model, limits, prices, units, &basis) && basis != BY_TOKEN;
}

/* What one of the kinds it is not billed by has no price for costs nothing. */
static void drop_beside(enum basis basis, struct price prices[PRICE_METERS])
{
    for (int meter = 0; meter < PRICE_METERS; meter++)
        if (prices[meter].atto_per_million < 0 && is_beside(basis, meter))
            prices[meter].atto_per_million = 0;
}

int pricing_bound(const struct price_model *model, const struct pricing_limits *limits,
                  struct mete_demand *ret_demand)
{
    ASSERT(limits->input >= 0 && limits->choices >= 1 && limits->searches >= 0);
    uint32_t kinds = limits->also | INPUT_KINDS | OUTPUT_KINDS;
    struct price prices[PRICE_METERS];
    int64_t units[PRICE_METERS];
    enum basis basis;
    int rc = tariff_dearest(model, limits, prices);
    if (!rc)
        rc = bound_basis(model, limits, prices, units, &basis);
    if (rc)
        return rc;
    drop_beside(basis, prices);
    struct price in = dearest(prices, kinds, PRICE_INPUT, PRICE_IMAGE_INPUT);
    struct price out = dearest(prices, kinds, PRICE_OUTPUT, PRICE_IMAGE_OUTPUT);
    if (in.atto_per_million < 0 || out.atto_per_million < 0)
        return METE_E_UNPRICED;
    struct mete_demand demand = {.meter = METE_COST, .currency = model->currency};
    int128 fixed = 0, variable = 0;
    rc = add_fees(prices, limits->searches, &fixed);
    if (!rc)
        rc = add_pieces(prices, units, &fixed);
    if (!rc &&
        (!add_product(&fixed, limits->input, in) || !add_product(&variable, limits->choices, out)))
        rc = METE_E_TOO_LARGE;
    if (!rc && (!mark_up(model, &fixed) || !mark_up(model, &variable)))
        rc = METE_E_TOO_LARGE;
    if (!rc)
        rc = divide_up(fixed, TERMS_PER_NANO, &demand.fixed);
    if (!rc)
        rc = divide_up(variable, RATE_PER_NANO, &demand.per_million);
    if (!rc)
        *ret_demand = demand;
    return rc;
}
