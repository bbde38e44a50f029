/* SPDX-License-Identifier: Apache-2.0
 * How vocabulary.h's tables lie in an image: this head, then each table at its offset, in the order
 * of bytes of the machine that made it. */
#ifndef TOKENS_VOCABULARY_IMAGE_H
#define TOKENS_VOCABULARY_IMAGE_H

#include "tokens/vocabulary.h"

#define VOCABULARY_MAGIC UINT64_C(0x3430564554454d31) /* changes with the layout */

struct vocabulary_image {
    uint64_t magic, len;
    uint32_t tokens_len, longest;
    uint32_t whole_buckets, whole_slots, pair_buckets, pair_slots;
    uint64_t seed;
    uint64_t keys, bytes, of_byte, of_bytes, halves, whole_pilots, wholes, pair_pilots, pairs;
    uint64_t bonds, ids; /* 0: there are none */
};

#endif
