/* SPDX-License-Identifier: Apache-2.0
 * What must hold of counting for any bytes at all: called with generated texts by prop_counter,
 * with found ones by the fuzzer. 0, or 1 after a line on stderr that says what did not hold. */
#ifndef TESTS_CHECK_TOKENS_H
#define TESTS_CHECK_TOKENS_H

#include "property/tape.h"
#include "tokens/tokenizer.h"

/* Fed in pieces that the tape cuts, text counts after each of them as what came so far counts
 * whole; every is how many pieces go between two looks. */
int check_streamed(struct tokenizer *tokenizer, struct slice text, struct tape *cuts, size_t every);
/* Cut in two at each byte: all pieces of the first part but its last two are pieces of the whole.
 */
int check_open(enum split_rule rule, struct slice text);
/* There are as many ids as are counted; their bytes are the text, as a decoder of UTF-8 that is
 * written as WHATWG writes it reads it; each piece has the tokens that the textbook gives it. */
int check_encoded(struct tokenizer *tokenizer, struct slice text);

#endif
