/* SPDX-License-Identifier: Apache-2.0
 * Open tokenizers for threads that count now and then: one is one thread's while it counts. What
 * one has learned of earlier texts makes it faster and changes no count, so it does not matter
 * whose text that was. THREADS any. MEMORY a tokenizer for each that counts at the same time, and
 * at most two idle ones. */
#ifndef TOKENS_POOL_H
#define TOKENS_POOL_H

#include "tokens/tokenizer.h"

struct tokenizer_pool;

/* METE_E_MEMORY. */
__attribute__((warn_unused_result)) int tokenizer_pool_new(struct tokenizer_pool **ret_pool);
void tokenizer_pool_free(struct tokenizer_pool *pool); /* all must have been given back */
/* An idle tokenizer of that encoding, or a new one. METE_E_MEMORY. */
__attribute__((warn_unused_result)) int tokenizer_pool_take(struct tokenizer_pool *pool,
                                                            const struct encoding *encoding,
                                                            struct tokenizer **ret_tokenizer);
void tokenizer_pool_give(struct tokenizer_pool *pool, struct tokenizer *tokenizer);

#endif
