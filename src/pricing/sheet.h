/* SPDX-License-Identifier: Apache-2.0
 * What one model costs as JSON: the form of the API, of documents, and of files of prices.
 *
 *   {"model": "m", "provider": "p", "currency": "USD", "max_output_tokens": 4096,
 *    "prices": {"input_per_million": "2.5", "per_image": "0.04", ...},
 *    "tiers": [{"service": "batch", "above": 200000, "quality": "hd", "size": "1024x1792",
 *               "prices": {...}}]}
 *
 * A price is a decimal text, or a number read as its text. Reading and writing lose no digit. */
#ifndef PRICING_SHEET_H
#define PRICING_SHEET_H

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json_scan.h"
#include "pricing/pricing.h"
#include "pricing/words.h"

/* A row with room for its texts. It is large: not for a stack that is used up. */
struct sheet_row {
    struct pricing_row row;
    struct pricing_tier_row tiers[LIMIT_PRICE_TIERS];
    char name[LIMIT_ID], provider[LIMIT_PROVIDER], currency[3];
    char prices[1 + LIMIT_PRICE_TIERS][PRICE_METERS][DECIMAL_ROOM];
};

struct sheet_fault {
    char field[64]; /* "prices.input_per_million" */
    const char *why;
};

/* Reads object; members that are none of the above are passed by. INVALID, and ret_fault says of
 * what. What the row is as a whole is pricing_put()'s to say. */
METE_MUST_USE int sheet_read(struct json object, struct sheet_row *ret_row,
                             struct sheet_fault *ret_fault);
/* The row that gives just this model: what falls back by itself is left out. */
void sheet_of_model(const struct price_model *model, struct sheet_row *ret_row);
/* One price of the row, per million as text; replaces what it had. */
void sheet_set(struct sheet_row *row, enum price_meter meter, struct slice per_million);
/* Members without braces: "prices":{...},"tiers":[...], and provider, currency and
 * max_output_tokens. TOO_LARGE, MEMORY. */
METE_MUST_USE int sheet_write(const struct pricing_row *row, struct buffer *out);
/* The same with each price marked up, to its last digit. */
METE_MUST_USE int sheet_write_marked(const struct pricing_row *row, int32_t markup_bp,
                                     struct buffer *out);

#endif
