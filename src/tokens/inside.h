/* SPDX-License-Identifier: Apache-2.0
 * The tokenizer from the inside: what counting (tokenizer.c) and ids (encode.c) share. */
#ifndef TOKENS_INSIDE_H
#define TOKENS_INSIDE_H

#include "tokens/cache.h"
#include "tokens/split_window.h"
#include "tokens/tokenizer.h"

struct tokenizer {
    struct cache cache;
    const struct encoding *encoding;
    split_window_fn *window; /* NULL: the rule has none */
    struct merge_run run;    /* of a piece that is longer than MERGE_MAX */
    uint32_t tokens[MERGE_MAX];
};

/* Tokens of one piece, of any length: where they stand until the next call, and how many.
 * METE_E_MEMORY. */
__attribute__((warn_unused_result)) int tokenizer_piece(struct tokenizer *tokenizer,
                                                        struct slice piece,
                                                        const uint32_t **ret_tokens,
                                                        size_t *ret_len);

#endif
