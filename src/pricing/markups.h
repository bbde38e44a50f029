/* SPDX-License-Identifier: Apache-2.0
 * Who pays how much more or less than the list, by date: for each organization rows of which the
 * latest that has begun holds. Part of the price book (book.h), which makes lists of it. THREAD
 * one. */
#ifndef PRICING_MARKUPS_H
#define PRICING_MARKUPS_H

#include "pricing/pricing.h"

struct markups;

struct markups_row {
    uint32_t organization;
    int64_t from_us;
    struct pricing_markup is; /* bp 0: what others pay, from here on */
};

METE_MUST_USE int markups_new(struct markups **ret_markups); /* MEMORY */
void markups_free(struct markups *markups);

/* Adds a row, or replaces that of the same organization and moment. INVALID: bp beyond its range;
 * FULL: there are LIMIT_MARKUP_ROWS; MEMORY. */
METE_MUST_USE int markups_put(struct markups *markups, const struct markups_row *row);
/* Those that begin later are gone. */
void markups_drop(struct markups *markups, uint32_t organization, int64_t after_us);
bool markups_any(const struct markups *markups); /* there is a row */
/* The rows of an organization, oldest first; false: there are no more. */
bool markups_at(struct markups *markups, uint32_t organization, size_t i,
                struct markups_row *ret_row);
/* The row that holds at this moment; false: none has begun. */
bool markups_find(struct markups *markups, uint32_t organization, int64_t at_us,
                  struct markups_row *ret_row);

/* The same pointer for all who pay the same, as long as the markups live; NULL: as the list says.
 * ret_from_us: since when it has been so, INT64_MIN: ever. */
const struct pricing_markup *markups_terms(struct markups *markups, uint32_t organization,
                                           int64_t at_us, int64_t *ret_from_us);

#endif
