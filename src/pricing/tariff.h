/* SPDX-License-Identifier: Apache-2.0
 * What one model costs: prices of the standard service, and tiers - prices that hold instead beyond
 * so many input tokens, or in another service, or both. Internal to pricing/. */
#ifndef PRICING_TARIFF_H
#define PRICING_TARIFF_H

#include "base/limits.h"
#include "pricing/pricing.h"

/* Holds for calls of its service with more input tokens than this, all of them. */
struct price_tier {
    struct price prices[PRICE_METERS]; /* whole: what the list leaves out has fallen back */
    int64_t above;
    uint16_t service;
    struct price_grade grade; /* if it is said, of pieces of this grade; only their prices count */
};

/* No padding: two that cost the same have the same bytes. */
struct tariff {
    struct price prices[PRICE_METERS];
    struct price_tier tiers[LIMIT_PRICE_TIERS];
    size_t tiers_len;
};

/* Reads the prices of a row. INVALID: a price that is negative, over LIMIT_PRICE or finer than can
 * be kept, too many tiers, one without input and output price, two for the same; SYNTAX. */
METE_MUST_USE int tariff_parse(const struct pricing_row *row, struct tariff *ret_tariff);

/* Whatever token has no price of its own has its side's: what an operator's ceiling means. */
void tariff_cover(struct tariff *tariff);

/* Every call of tokens has input and output; the others may be unpriced. */
bool tariff_is_whole(const struct price *prices);
/* Whether any call of it has a price: that, or one of a piece, or of the call itself. */
bool tariff_is_priced(const struct price_model *model);

/* The meters that are pieces. */
enum { TARIFF_PIECES = PRICE_IMAGE };
_Static_assert(PRICE_VIDEO_SECOND == PRICE_METERS - 1, "pieces come last");

/* The prices of a call: those of the tier that says just this service and length; of a service
 * whose price for such long input nobody says, the dearer of its own and of the standard service's
 * there. flex and batch are never dearer than standard, so without a price they are at that; a
 * ceiling is for every service. Others: METE_E_UNPRICED. Pieces cost what the tiers say whose grade
 * fits, the dearest if they are several; if it may be any, or is one that no tier names, the
 * dearest of all and of the model's own; if none is said, the model's own. */
struct tariff_of {
    enum price_service service;
    int64_t input;
    struct price_grade grade;
};
METE_MUST_USE int tariff_find(const struct price_model *model, const struct tariff_of *of,
                              struct price ret_prices[PRICE_METERS]);

/* The prices that a row has to say to give the model, or one of its tiers, just these: what comes
 * of itself is -1. tier NULL: the model's. */
void tariff_own(const struct price_model *model, const struct price_tier *tier,
                struct price ret_own[PRICE_METERS]);

/* What a usage comes to, term by term and with the model's markup, in 10^-28 currency units; -1:
 * there is none of it. INVALID, UNPRICED, TOO_LARGE. Then the sum, rounded half to even; TOO_LARGE.
 * A call that can be charged has no more than 2^62 * 10^19 of them: 128 bits hold three times that.
 */
#define TERMS_PER_NANO ((int128)1000000000000000 * PRICING_MARKUP_ONE)
METE_MUST_USE int pricing_terms(const struct price_model *model, const struct pricing_usage *usage,
                                int128 ret_terms[PRICE_METERS]);
METE_MUST_USE int pricing_round(const int128 terms[PRICE_METERS], int64_t *ret_nano);

/* Of each meter the dearest that a call within the limits can meet. METE_E_UNPRICED. */
METE_MUST_USE int tariff_dearest(const struct price_model *model,
                                 const struct pricing_limits *limits,
                                 struct price ret_prices[PRICE_METERS]);

#endif
