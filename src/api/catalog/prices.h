/* SPDX-License-Identifier: Apache-2.0
 * What the handlers of prices have in common. Internal to the room. */
#ifndef API_CATALOG_PRICES_H
#define API_CATALOG_PRICES_H

#include "api/catalog/price_documents.h"

/* A moment as one who sets prices says it: none, or one just past, is now; what was charged is not
 * changed, so an earlier one is an error, which is in request->problem. */
METE_MUST_USE int prices_moment(struct request *request, int64_t said_us, int64_t *ret_us);

/* Of each kind of price whether one is 100 times the other, or a hundredth: a confusion of units.
 * NULL: it is not. Else its name. */
const char *prices_absurd(const struct price_model *before, const struct price_model *after,
                          enum price_meter from, enum price_meter *ret_meter);

/* One price as an object: "model", what it costs, since when, by whom it is said. organization 0:
 * everybody's. The object stays open; sheet is room, for large as it is it is had once. */
void prices_write_open(struct request *request, struct sheet_row *sheet, uint32_t organization,
                       int64_t at_us, const struct price_model *model);

#endif
