/* SPDX-License-Identifier: Apache-2.0
 * A list of prices as a request has it ("prices", or LiteLLM's as "litellm"), read over what holds.
 * Internal to the room. */
#ifndef API_CATALOG_PRICE_LIST_IN_H
#define API_CATALOG_PRICE_LIST_IN_H

#include "api/catalog/prices.h"
#include "pricing/price_csv.h"

#include <stddef.h>

struct price_list_in {
    struct json prices, litellm; /* type JSON_NONE: not said */
};

/* Rows of a table of fields; at: where a struct price_list_in is. */
#define PRICE_LIST_FIELDS(at)                                                                      \
    {.name = "prices",                                                                             \
     .type = FIELD_LIST,                                                                           \
     .offset = (at) + offsetof(struct price_list_in, prices),                                      \
     .min = 1,                                                                                     \
     .max = PRICE_LIST_MAX},                                                                       \
    {                                                                                              \
        .name = "litellm", .type = FIELD_OBJECT,                                                   \
        .offset = (at) + offsetof(struct price_list_in, litellm)                                   \
    }

struct price_list_over {
    const struct pricing *before;
    struct pricing *after;   /* over before */
    struct sheet_row *sheet; /* room */
};

/* Not both, and one if it is needed. Errors are in request->problem. */
METE_MUST_USE int price_list_check(struct request *request, const struct price_list_in *in,
                                   bool needed);
/* On a worker: puts the list into over->after, and the member "left_out" into request->out: what of
 * LiteLLM's cannot be priced here, and why; *left_out: how many. Errors are in request->problem. */
METE_MUST_USE int price_list_read(struct request *request, const struct price_list_in *in,
                                  const struct price_list_over *over, size_t *left_out);

#endif
