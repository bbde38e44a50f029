/* SPDX-License-Identifier: Apache-2.0
 * How prices are called, and of how much they are said, by those who write them: a key for both at
 * once, as configurations have it ("input_per_million"), or a meter and a unit ("input_token",
 * "per_1k_tokens"). Inside a price is of a million units; only the decimal point is moved, so that
 * no digit is lost. */
#ifndef PRICING_WORDS_H
#define PRICING_WORDS_H

#include "codec/decimal.h"
#include "pricing/pricing.h"

/* Each meter's own key, in which prices are shown; per_million 10^shift of what it says. */
const char *price_words_key(enum price_meter meter, unsigned *ret_shift);
/* The key as configurations and requests may write it. false: it is none. */
bool price_words_find(struct slice key, enum price_meter *ret_meter, unsigned *ret_shift);
/* "input": what a difference is shown of. */
const char *price_words_meter(enum price_meter meter);
const char *price_words_service(enum price_service service);
bool price_words_service_find(struct slice word, enum price_service *ret_service);

/* "2.5" with the point moved. SYNTAX: no decimal; INVALID: negative, or finer than can be kept. */
METE_MUST_USE int price_words_move(struct slice price, unsigned shift, char room[DECIMAL_ROOM]);
/* A price per million as its key says it. */
size_t price_words_show(struct price price, unsigned shift, char room[DECIMAL_ROOM]);

enum price_word_fault { PRICE_WORD_GOOD = 0, PRICE_WORD_TYPE, PRICE_WORD_UNIT, PRICE_WORD_PRICE };
/* A price of a meter and unit, per million. An empty unit is the meter's own: a million tokens or
 * characters, one of anything else. PRICE_WORD_UNIT: there is none, or it is none of that meter;
 * PRICE_WORD_PRICE: no decimal, negative, or it cannot be kept exactly (a third of a cent). */
enum price_word_fault price_words_say(struct slice type, struct slice unit, struct slice price,
                                      enum price_meter *ret_meter, char room[DECIMAL_ROOM]);

#endif
