/* SPDX-License-Identifier: Apache-2.0
 * Which of a model's prices a call was charged by, as a record keeps it: "batch", "standard hd
 * 1024x1792" (service, quality and size; "-": not said), "flat" (by the call alone). Without it
 * what a call would cost by other prices can only be guessed. */
#ifndef PRICING_TARIFF_TEXT_H
#define PRICING_TARIFF_TEXT_H

#include "pricing/pricing.h"

enum { TARIFF_TEXT_ROOM = 40 };

/* Terminated. Returns the length; 0: the model has one price, and that is all there is to say. */
size_t tariff_text_write(const struct price_model *model, const struct pricing_usage *usage,
                         char room[TARIFF_TEXT_ROOM]);
/* Service, grade and flat of usage; the rest stays. False: it is no such text. */
bool tariff_text_read(struct slice text, struct pricing_usage *usage);

#endif
