/* SPDX-License-Identifier: Apache-2.0
 * Finds the bonds of a vocabulary (vocabulary.h). */
#ifndef TOKENS_VOCABULARY_BONDS_H
#define TOKENS_VOCABULARY_BONDS_H

#include "tokens/vocabulary.h"

/* Sets the bits of all bonds of tokens in bonds[VOCABULARY_BONDS / 64], which is zeros. False:
 * there are so many that it would be of little use to look; bonds then has some of them. */
__attribute__((warn_unused_result)) bool vocabulary_bonds_find(const struct slice *tokens,
                                                               uint32_t len, uint64_t *bonds);

#endif
