/* SPDX-License-Identifier: Apache-2.0
 * A charge told apart by meter. The charge is rounded once, as a sum (INV-08), so its parts cannot
 * each be rounded for themselves: they are rounded down, and what is missing, less than one nano a
 * part, is dealt out by the largest remainder. */
#include "base/assert.h"
#include "pricing/tariff.h"

/* Which meter a price is for: of searches there are two prices. */
static const uint16_t meter_of[PRICE_METERS] = {
    [PRICE_INPUT] = METE_INPUT,
    [PRICE_CACHED_INPUT] = METE_CACHED_INPUT,
    [PRICE_CACHE_WRITE] = METE_CACHE_WRITE,
    [PRICE_CACHE_WRITE_1H] = METE_CACHE_WRITE_1H,
    [PRICE_AUDIO_INPUT] = METE_AUDIO_INPUT,
    [PRICE_IMAGE_INPUT] = METE_IMAGE_INPUT,
    [PRICE_OUTPUT] = METE_OUTPUT,
    [PRICE_REASONING] = METE_REASONING,
    [PRICE_AUDIO_OUTPUT] = METE_AUDIO_OUTPUT,
    [PRICE_IMAGE_OUTPUT] = METE_IMAGE_OUTPUT,
    [PRICE_SEARCH] = METE_SEARCHES,
    [PRICE_SEARCHED] = METE_SEARCHES,
    [PRICE_REQUEST] = METE_REQUESTS,
    [PRICE_IMAGE] = METE_IMAGES,
    [PRICE_CHARACTER] = METE_CHARACTERS,
    [PRICE_AUDIO_SECOND] = METE_AUDIO_SECONDS,
    [PRICE_VIDEO_SECOND] = METE_VIDEO_SECONDS,
};

struct shares {
    size_t len;
    struct mete_part parts[METE_PARTS_MAX];
    int128 terms[METE_PARTS_MAX];
};

static void add_term(struct shares *shares, uint16_t meter, int128 terms)
{
    size_t at = 0;
    while (at < shares->len && shares->parts[at].meter != meter)
        at++;
    if (at == shares->len) {
        ASSERT(shares->len < METE_PARTS_MAX);
        shares->parts[shares->len++] = (struct mete_part){.meter = meter};
        shares->terms[at] = 0;
    }
    shares->terms[at] += terms; /* their sum fitted */
}

/* One more to the one that lost most; nobody gets two. */
static void deal_one(struct shares *shares)
{
    size_t most = 0;
    for (size_t i = 1; i < shares->len; i++)
        if (shares->terms[i] > shares->terms[most])
            most = i;
    ASSERT_INV("INV-08", shares->terms[most] > 0);
    shares->parts[most].nano++;
    shares->terms[most] = 0;
}

int pricing_parts(const struct price_model *model, const struct pricing_usage *usage,
                  struct mete_part ret_parts[METE_PARTS_MAX], size_t *ret_len)
{
    _Static_assert(PRICE_METERS - 1 <= METE_PARTS_MAX, "each has a place, searches one");
    struct shares shares = {.len = 0};
    int128 terms[PRICE_METERS];
    int64_t left = 0;
    int rc = pricing_terms(model, usage, terms);
    if (!rc)
        rc = pricing_round(terms, &left);
    if (rc)
        return rc;
    for (int i = 0; i < PRICE_METERS; i++) /* every call is one: told only where it costs */
        if (terms[i] > 0 || (terms[i] == 0 && i != PRICE_REQUEST))
            add_term(&shares, meter_of[i], terms[i]);
    for (size_t i = 0; i < shares.len; i++) {
        shares.parts[i].nano = (int64_t)(shares.terms[i] / TERMS_PER_NANO);
        shares.terms[i] %= TERMS_PER_NANO;
        left -= shares.parts[i].nano;
    }
    ASSERT_INV("INV-08", left >= 0 && left <= (int64_t)shares.len);
    for (; left; left--)
        deal_one(&shares);
    memcpy(ret_parts, shares.parts, shares.len * sizeof *ret_parts);
    *ret_len = shares.len;
    return 0;
}
