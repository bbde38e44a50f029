/* SPDX-License-Identifier: Apache-2.0
 * Usage to money. Price lists are data: the built-in one (data/prices.csv, compiled in), and what
 * the configuration adds or replaces by name. Exact: a price is an integer of 10^-18 currency units
 * per million units, sums are 128 bits wide, and one call is rounded once (INV-08).
 * THREAD a list is immutable once built; any thread may read it. */
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
    PRICE_OUTPUT,
    PRICE_REASONING,
    PRICE_METERS
};

struct price_model {
    struct slice name, provider; /* provider as the source has it: "openai"; may be empty */
    uint32_t currency;
    struct price prices[PRICE_METERS]; /* a missing cached or cache-write price is the input's, a
                                          missing reasoning price the output's */
    int64_t output_max;                /* tokens the model can make in one call; 0: not known */
    bool reasons;                      /* it may make output that is billed and not shown */
};

struct pricing;

/* Tokens of one call: input includes cached and written, output includes reasoning.
 * All >= 0, cached + written <= input, reasoning <= output (else METE_E_INVALID). */
struct pricing_usage {
    int64_t input, cached_input, cache_write, output, reasoning;
};

/* A new list with the built-in prices. METE_E_MEMORY. */
METE_MUST_USE int pricing_new(struct pricing **ret_pricing);
void pricing_free(struct pricing *pricing);
/* Price texts are exact decimals of the currency per million units, at most 18 places; empty: not
 * set. */
struct pricing_row {
    struct slice name, provider, currency; /* currency empty: USD */
    struct slice per_million[PRICE_METERS];
    int64_t output_max;
    bool shows_all; /* it is known not to reason. Else it reasons if what the list had under this
                       name does; of a name the list has not, nothing is known: it does */
};
/* Adds a model, or replaces the one of that name whole, but for what is known of its reasoning.
 * Before first use only: it moves the others. INVALID: no name or one too long, a price that is
 * negative, over LIMIT_PRICE a million or finer than can be kept; SYNTAX: no decimal, no currency,
 * no printable name; MEMORY. */
METE_MUST_USE int pricing_put(struct pricing *pricing, const struct pricing_row *row);
/* What an unlisted model costs; without this it is refused (INV-11). The name may be empty. INVALID
 * also without an input or output price. It reasons unless it shows_all. */
METE_MUST_USE int pricing_set_ceiling(struct pricing *pricing, const struct pricing_row *row);

/* By exact name; then without a leading "provider/", if what is found is of that provider or of
 * none; then without a date suffix (-2024-08-06, -20250929); then the ceiling. NULL: unpriced, or
 * listed without an input or output price. */
const struct price_model *pricing_find(const struct pricing *pricing, struct slice model);
/* Name of this state of the list for records: "builtin-2026-07-24" or that + "+" + a hash of what
 * was added. Lives as long as the list. */
struct slice pricing_version(const struct pricing *pricing);
size_t pricing_len(const struct pricing *pricing);
const struct price_model *pricing_at(const struct pricing *pricing, size_t i); /* sorted by name */

/* What one call costs, rounded half-even once. METE_E_INVALID; METE_E_TOO_LARGE. */
METE_MUST_USE int pricing_charge(const struct price_model *model, const struct pricing_usage *usage,
                                 int64_t *ret_nano);

/* The demand a call's worst case makes: fixed = input_bound tokens at the dearest input-side price,
 * per_million = the dearest output-side price, both rounded up. Times choices (n) for the output.
 * What it makes for a quantity is never below pricing_charge() of a usage with input <= input_bound
 * and output <= choices * quantity. input_bound >= 0, choices >= 1. METE_E_TOO_LARGE. */
METE_MUST_USE int pricing_bound(const struct price_model *model, int64_t input_bound,
                                int64_t choices, struct mete_demand *ret_demand);

#endif
