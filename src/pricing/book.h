/* SPDX-License-Identifier: Apache-2.0
 * Prices by date: a base list, and over it what models cost from a moment on, for everybody or for
 * one organization. The list of any moment can be had, a past or a coming one: what it says depends
 * on the base and the rows alone, not on the order in which they came, nor on when it is asked for.
 * So does its version, and two that have read the same rows price alike.
 *
 * Of each model the latest row that has begun holds, an organization's own before everybody's. A
 * row without prices ends those before it: the model costs what it would without them.
 * What an organization pays is that with its markup (markups.h). THREAD one;
 * a list that it gave may be read by any. */
#ifndef PRICING_BOOK_H
#define PRICING_BOOK_H

#include "pricing/markups.h"
#include "pricing/pricing.h"

struct price_book;

struct price_book_row {
    uint32_t organization; /* 0: everybody */
    int64_t from_us;
    bool ends; /* no prices from here on; of row only the name is looked at */
    struct pricing_row row;
};

/* Holds the base. METE_E_MEMORY. */
METE_MUST_USE int price_book_new(const struct pricing *base, struct price_book **ret_book);
void price_book_free(struct price_book *book);
/* Adds a row, or replaces that of the same organization, model and moment. What lists were given
 * stays. Errors of pricing_put(); FULL: there are LIMIT_PRICE_ROWS. */
METE_MUST_USE int price_book_put(struct price_book *book, const struct price_book_row *row);
/* The list of this organization (0: of nobody's own) at this moment, held for the caller, who lets
 * go of it with pricing_free(). COST a few comparisons; the first time after a change, or after a
 * moment at which a row begins, the rows are read (1 us each). METE_E_MEMORY. */
METE_MUST_USE int price_book_list(struct price_book *book, uint32_t organization, int64_t at_us,
                                  const struct pricing **ret_list);
/* The same as if everybody's list were this one: the organization's own rows over it, or it. */
METE_MUST_USE int price_book_list_over(struct price_book *book, uint32_t organization,
                                       int64_t at_us, const struct pricing *under,
                                       const struct pricing **ret_list);
/* The organization behind this one (0: the first of all) that has rows of its own; 0: there is no
 * more. */
uint32_t price_book_next(struct price_book *book, uint32_t organization);
/* The first moment at which the organization's list was as it is at this one: a row that begins
 * later, even before this moment by the time it is told, does not change what this says of it. At
 * least 1. */
METE_MUST_USE int price_book_moment(struct price_book *book, uint32_t organization, int64_t at_us,
                                    int64_t *ret_us);
/* 0: price_book_put() would take this row, but for memory and room. */
METE_MUST_USE int price_book_try(const struct price_book *book, const struct pricing_row *row);
struct markups *price_book_markups(struct price_book *book);          /* borrowed */
const struct pricing *price_book_base(const struct price_book *book); /* borrowed */

/* The rows of one model of one organization (0: everybody's), oldest first; texts borrow until the
 * next put. false: there are no more. */
bool price_book_at(struct price_book *book, uint32_t organization, struct slice model, size_t i,
                   struct price_book_row *ret_row);
/* When the row began that holds at this moment; false: none does, the base has the say. */
bool price_book_since(struct price_book *book, uint32_t organization, struct slice model,
                      int64_t at_us, int64_t *ret_from_us);

#endif
