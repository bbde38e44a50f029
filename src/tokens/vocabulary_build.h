/* SPDX-License-Identifier: Apache-2.0
 * Makes the image that vocabulary.h reads: when mete is built, from data/vocab, and at start, from
 * files that the configuration names. About half a second for 200,000 tokens. */
#ifndef TOKENS_VOCABULARY_BUILD_H
#define TOKENS_VOCABULARY_BUILD_H

#include "tokens/vocabulary.h"

/* One token; tokens stand in the order of their ranks. An empty one is a rank that no token has. */
struct vocabulary_source {
    const struct slice *tokens;
    uint32_t len;
    const uint32_t *ids; /* [len]; NULL: the ranks */
};

/* *ret_image: the caller's, to free(). METE_E_MEMORY; METE_E_INVALID: no tokens, too many, one that
 * is too long or stands twice, or a byte that has no token; *ret_why then is a static sentence. */
__attribute__((warn_unused_result)) int vocabulary_build(const struct vocabulary_source *source,
                                                         void **ret_image, size_t *ret_len,
                                                         const char **ret_why);

#endif
