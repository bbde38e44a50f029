/* SPDX-License-Identifier: Apache-2.0
 * How much of a text fits into so many tokens: where a stream is cut. */
#ifndef TOKENS_FIT_H
#define TOKENS_FIT_H

#include "tokens/tokenizer.h"

/* False: it is in the middle of a character or of a piece longer than half of COUNTER_TAIL, of
 * which it does not know the bytes any more. */
static inline bool counter_can_fit(const struct counter *counter)
{
    return !counter->grown && !counter->begun.len && !counter->broken;
}

/* Bytes from the start of `more`, valid UTF-8, that may follow what was counted so that
 * counter_total() is at most limit: up to the end of a token of the whole text, which is the end of
 * a character too. 0: none, or no memory. Changes nothing; counter_can_fit(). COST as counting the
 * bytes from their beginning. */
size_t counter_fit(const struct counter *counter, struct tokenizer *tokenizer, struct slice more,
                   int64_t limit);

#endif
