/* SPDX-License-Identifier: Apache-2.0
 * Usage to money. Price lists are data: the built-in one (data/prices.csv, compiled in), and what
 * the configuration adds or replaces by name. Exact: a price is an integer of 10^-18 currency units
 * per million units, sums are 128 bits wide, and one call is rounded once (INV-08).
 * A list may lie over another one: what it does not say of a model, the other does.
 * THREAD a list is immutable once built; any thread may read it, hold it and let it go. */
#ifndef PRICING_PRICING_H
#define PRICING_PRICING_H

#include "base/checked.h"
#include "base/slice.h"
#include "mete.h"

/* 10^-18 of a currency unit for a million units; -1: no such price in the list. */
struct price {
    int128 atto_per_million;
};

enum price_meter {
    PRICE_INPUT = 0,
    PRICE_CACHED_INPUT,
    PRICE_CACHE_WRITE,
    PRICE_CACHE_WRITE_1H,
    PRICE_AUDIO_INPUT,
    PRICE_IMAGE_INPUT,
    PRICE_OUTPUT,
    PRICE_REASONING,
    PRICE_AUDIO_OUTPUT,
    PRICE_IMAGE_OUTPUT,
    PRICE_SEARCH,   /* a million searches */
    PRICE_SEARCHED, /* a million calls with any search: some bill by the call, not by the search */
    PRICE_REQUEST,  /* a million calls, whatever they come to */
    PRICE_IMAGE,    /* a million pictures made; this and the next are pieces */
    PRICE_CHARACTER,
    PRICE_AUDIO_SECOND, /* of sound that is heard, or made */
    PRICE_VIDEO_SECOND, /* of pictures that move */
    PRICE_METERS
};

/* What the provider calls its service tier, or speed: another price for the same tokens. */
enum price_service {
    PRICE_STANDARD = 0,
    PRICE_PRIORITY,
    PRICE_FLEX,
    PRICE_BATCH,
    PRICE_FAST,
    PRICE_SERVICES
};

/* What a picture or video is asked for as, where its price goes by that. */
enum price_quality {
    PRICE_QUALITY_UNSAID = 0,
    PRICE_QUALITY_LOW,
    PRICE_QUALITY_MEDIUM,
    PRICE_QUALITY_HIGH,
    PRICE_QUALITY_STANDARD,
    PRICE_QUALITY_HD,
    PRICE_QUALITY_ANY /* auto, or a word that is not known: it may be any */
};
enum { PRICE_SIDE_ANY = UINT16_MAX };
struct price_grade {
    uint16_t quality;
    uint16_t width, height; /* 0: not said; PRICE_SIDE_ANY: it may be any */
};

struct price_tier;
struct price_model {
    struct slice name, provider; /* provider as the source has it: "openai"; may be empty */
    const struct price *prices;  /* PRICE_METERS of them, of the standard service and a short input.
                                    Missing: cached_input, cache_write and image_input are the
                                    input's, cache_write_1h is cache_write's, reasoning the
                                    output's, a request is free; others are -1. Who bills by the
                                    piece, or the call, may have none for tokens */
    const struct price_tier *tiers;
    int64_t output_max; /* tokens the model can make in one call; 0: not known */
    uint32_t currency;
    int32_t markup_bp; /* what is paid: so many hundredths of a percent more than these prices say;
                          -10000 (nothing) .. LIMIT_MARKUP */
    uint8_t tiers_len;
    bool reasons;    /* it may make output that is billed and not shown */
    bool is_put;     /* by pricing_put(), not built in */
    bool is_ceiling; /* it is that of a model that is not listed */
};

struct pricing;

/* Of one call. A call with pieces (images, characters, seconds) is billed by them where the list
 * has their price: tokens of a kind that has none then cost nothing. Where it has none it is billed
 * by its tokens, which must then be told. Input includes what is read from the cache, written to
 * it, sound and pictures: four parts apart from each other, so sound read from the cache is
 * cached_input. Output includes reasoning, sound and pictures, apart from each other. All >= 0,
 * parts together <= their whole (else METE_E_INVALID). */
struct pricing_usage {
    int64_t input, cached_input, cache_write;
    int64_t output, reasoning;
    int64_t cache_write_1h; /* the part of cache_write that is kept for an hour */
    int64_t audio_input, image_input;
    int64_t audio_output, image_output;
    int64_t searches;                                         /* made by the provider; no tokens */
    int64_t images, characters, audio_seconds, video_seconds; /* pieces */
    struct price_grade grade;                                 /* of the pieces */
    bool flat; /* billed by the call alone: there are no tokens */
    enum price_service service;
};

/* A new list with the built-in prices. METE_E_MEMORY. */
METE_MUST_USE int pricing_new(struct pricing **ret_pricing);
/* An empty one over another, which it holds. Its ceiling is the other's. METE_E_MEMORY. */
METE_MUST_USE int pricing_new_over(const struct pricing *under, struct pricing **ret_pricing);
enum { PRICING_MARKUP_ONE = 10000 }; /* a whole price, in hundredths of a percent */

/* What who resells adds to a list, or takes off it. */
struct pricing_markup {
    int32_t bp;          /* -10000 .. LIMIT_MARKUP */
    struct slice models; /* patterns, one a line: a model's whole name in the list, or its beginning
                            and a star; empty: every model, and the ceiling of those not listed */
};
/* A list over another with all of its models, those that the markup names marked up: the list is
 * whole and nothing is put into it. COST all models of the list (0.1 ms). METE_E_MEMORY. */
METE_MUST_USE int pricing_new_marked(const struct pricing *under,
                                     const struct pricing_markup *markup,
                                     struct pricing **ret_pricing);
/* A list has as many holders as pricing_new() and pricing_hold() made; the last one that lets go
 * ends it. NULL is nothing. */
const struct pricing *pricing_hold(const struct pricing *pricing);
void pricing_free(const struct pricing *pricing);
/* Price texts are exact decimals of the currency per million units, at most 18 places; empty: not
 * set. */
struct pricing_tier_row { /* what holds instead, for a call as a whole */
    enum price_service service;
    int64_t above;                          /* more input tokens than this; 0: any */
    struct price_grade grade;               /* of this: standard service and any length only */
    struct slice per_million[PRICE_METERS]; /* input and output, no pieces; of a grade
                                               only pieces; the others are as in the row */
};
struct pricing_row {
    struct slice name, provider, currency; /* currency empty: USD */
    struct slice per_million[PRICE_METERS];
    const struct pricing_tier_row *tiers; /* each another service or length */
    size_t tiers_len;                     /* at most LIMIT_PRICE_TIERS */
    int64_t output_max;
    bool shows_all; /* it is known not to reason. Else it reasons if what the list had under this
                       name does; of a name the list has not, nothing is known: it does */
};
/* Adds a model, or replaces the one of that name whole, but for what is known of its reasoning.
 * Before first use only: it moves the others. INVALID: no name or one too long, a price that is
 * negative, over LIMIT_PRICE a million (of a piece: over LIMIT_PIECE_PRICE each) or finer than can
 * be kept, too many tiers, one without its prices or there twice; SYNTAX: no decimal, no currency,
 * no printable name; MEMORY. */
METE_MUST_USE int pricing_put(struct pricing *pricing, const struct pricing_row *row);
/* What an unlisted model costs; without this it is refused (INV-11). The name may be empty. Its
 * input and output prices are those of every token, sound and pictures too, that has no other;
 * searches are unpriced unless it prices them. INVALID also without an input or output price. It
 * reasons unless it shows_all. */
METE_MUST_USE int pricing_set_ceiling(struct pricing *pricing, const struct pricing_row *row);

/* By exact name; then without a leading "provider/", if what is found is of that provider or of
 * none; then without a date suffix (-2024-08-06, -20250929, @20250929); then what a path of
 * Google's or Amazon's (models/M, publishers/P/models/M, arn:aws:.../M) ends in; then the ceiling.
 * NULL: unpriced, or listed without an input or output price, and without one of a piece or call.
 */
const struct price_model *pricing_find(const struct pricing *pricing, struct slice model);
/* The same of a model that this provider is asked for: what was put under just this name; then
 * "provider/model" if that is listed, as it is or but for its date; else as pricing_find(). An
 * empty provider is none. */
const struct price_model *pricing_find_of(const struct pricing *pricing, struct slice provider,
                                          struct slice model);
/* The model of just this name, whether or not it has a price; NULL: it is not listed. */
const struct price_model *pricing_listed(const struct pricing *pricing, struct slice name);
/* Name of this state of the list for records: "builtin-2026-07-24" or that + "+" + a hash of what
 * was added, here and in those under it. Lives as long as the list. */
struct slice pricing_version(const struct pricing *pricing);
size_t pricing_len(const struct pricing *pricing);
/* The next of those that this list adds to the one under it. */
const struct price_model *pricing_next_own(const struct pricing *pricing, struct slice name);
/* The first model whose name is behind this one, as bytes; "": the first of all. NULL: none. */
const struct price_model *pricing_next(const struct pricing *pricing, struct slice name);

/* What these words ask for: "hd", "1024x1792"; empty: not said. */
struct price_grade pricing_grade(struct slice quality, struct slice size);
/* PRICE_QUALITY_ANY: none of its words. */
enum price_quality pricing_quality(struct slice word);
const char *pricing_quality_word(struct price_grade grade); /* "any" where it may be */

/* Whether the list says what units of this meter cost. What it does not say of sound, pictures made
 * and searches is no other meter's price: such a call is to be refused. */
bool pricing_prices(const struct price_model *model, enum price_meter meter);

/* Whether it has tiers for grades of pieces, or for speed. */
bool pricing_has_grades(const struct price_model *model);
/* Whether a call's cost goes by more than its usage: it has tiers for services, or grades. */
bool pricing_has_tariffs(const struct price_model *model);

/* What one call costs, its markup included, rounded half-even once: of the exact sum.
 * METE_E_INVALID; METE_E_UNPRICED: units of a meter or a service that the list does not price;
 * METE_E_TOO_LARGE. */
METE_MUST_USE int pricing_charge(const struct price_model *model, const struct pricing_usage *usage,
                                 int64_t *ret_nano);

/* What the call would cost without the markup: what is paid for it to the provider, as far as the
 * list knows. Errors as pricing_charge(). */
METE_MUST_USE int pricing_list_charge(const struct price_model *model,
                                      const struct pricing_usage *usage, int64_t *ret_nano);
/* The same of a cost that was not made of a usage: a count, a bound, a reservation. Rounded up;
 * what was free by its markup is not known: -1. */
int64_t pricing_list_of(const struct price_model *model, int64_t nano);

/* The parts of what pricing_charge() says, for a record: they add up to just that. Each is what its
 * units cost, rounded down, and the nano-units that are left over go one each to those that lost
 * most. A part of what was not used is not there. Errors as pricing_charge(). */
METE_MUST_USE int pricing_parts(const struct price_model *model, const struct pricing_usage *usage,
                                struct mete_part ret_parts[METE_PARTS_MAX], size_t *ret_len);

/* What a call may come to. */
struct pricing_limits {
    int64_t input;     /* tokens, at most; >= 0 */
    int64_t choices;   /* answers, each of the quantity that is granted; >= 1 */
    int64_t searches;  /* at most; >= 0 */
    uint32_t also;     /* PRICE_BIT() of the kinds of token it may have beyond input, cached_input,
                          cache_write, image_input, output and reasoning, which any call may */
    uint32_t services; /* PRICE_BIT() of those that may serve it; 0: the standard one */
    int64_t images, characters, audio_seconds, video_seconds; /* at most; >= 0 */
    struct price_grade grade; /* as asked; what is not said may be any */
    bool flat;                /* billed by the call alone */
};
#define PRICE_BIT(meter_or_service) (UINT32_C(1) << (meter_or_service))

/* The demand a call's worst case makes: fixed = its input at the dearest input-side price, its
 * searches and pieces, per_million = the dearest output-side price times the choices, both rounded
 * up. What it makes for a quantity is never below pricing_charge() of a usage within the limits
 * whose output <= choices * quantity. METE_E_UNPRICED: one of what it may have or be served by has
 * no price; METE_E_TOO_LARGE. */
METE_MUST_USE int pricing_bound(const struct price_model *model,
                                const struct pricing_limits *limits,
                                struct mete_demand *ret_demand);

/* Whether a call with these pieces is billed by them, or by the call alone: what tokens it makes
 * need not be known. */
bool pricing_by_piece(const struct price_model *model, const struct pricing_limits *limits);

#endif
