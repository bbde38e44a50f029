/* SPDX-License-Identifier: Apache-2.0
 * Decimal texts to integers and back, exactly; no floating point anywhere.
 * Accepted: [-]digits[.digits][(e|E)[+|-]digits], at least one digit on each side of a point,
 * at most 64 bytes (a longer text is METE_E_SYNTAX). Leading zeros are allowed. Errors, the first
 * that applies: METE_E_SYNTAX; METE_E_INVALID; METE_E_TOO_LARGE when it does not fit. */
#ifndef CODEC_DECIMAL_H
#define CODEC_DECIMAL_H

#include "base/checked.h"
#include "base/slice.h"

/* The value times 10^scale, which must be a whole number unless round_up: then a remainder
 * rounds away from zero. 0 <= scale <= 36. Without round_up a remainder is METE_E_INVALID. */
__attribute__((warn_unused_result)) int decimal_parse128(struct slice text, unsigned scale,
                                                         bool round_up, int128 *ret_value);
__attribute__((warn_unused_result)) int decimal_parse(struct slice text, unsigned scale,
                                                      int64_t *ret_value);

/* Nano-units: decimal_parse(text, 9), 0 .. METE_AMOUNT_MAX, METE_E_INVALID below zero. */
__attribute__((warn_unused_result)) int decimal_parse_nano(struct slice text, int64_t *ret_nano);

enum { DECIMAL_ROOM = 64, DECIMAL_PLACES_MAX = 18 };

/* value / 10^scale with as few digits as it needs and at least places of them after the point:
 * (1500000000, 9, 2) gives "1.50". scale <= 36, places <= DECIMAL_PLACES_MAX (asserted). Returns
 * the length; terminated. */
size_t decimal_format(int128 value, unsigned scale, unsigned places, char room[DECIMAL_ROOM]);

#endif
