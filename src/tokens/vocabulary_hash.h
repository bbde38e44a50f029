/* SPDX-License-Identifier: Apache-2.0
 * A perfect hash of a set that does not change: each member has a slot to itself, so a look-up
 * is one probe. Members fall into small buckets, and each bucket has a number, its pilot, that was
 * chosen when the table was made so that none of its members meets another (F. Botelho, R. Pagh,
 * N. Ziviani 2007; G. Pibiri, R. Trani, "PTHash", 2021).
 *
 * What is not in the set has a slot too: whoever looks compares what is there. */
#ifndef TOKENS_VOCABULARY_HASH_H
#define TOKENS_VOCABULARY_HASH_H

#include <stddef.h>
#include <stdint.h>

struct vocabulary_hash {
    const uint16_t *pilots; /* [buckets] */
    uint32_t buckets, slots;
};

/* The slot of what has this hash, every bit of which matters; below slots. */
static inline uint32_t vocabulary_slot(const struct vocabulary_hash *h, uint64_t hash)
{
    uint32_t bucket = (uint32_t)((hash >> 32) * h->buckets >> 32);
    uint64_t mixed =
        (hash ^ h->pilots[bucket] * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)((mixed >> 32) * h->slots >> 32);
}

/* How large a table of len members is: sets buckets and slots. */
void vocabulary_hash_plan(uint32_t len, struct vocabulary_hash *h);

/* Chooses the pilots: pilots has room for h->buckets. METE_E_MEMORY; METE_E_INVALID: two hashes are
 * the same, or it did not work out: other hashes are wanted. About 50 ms for 200,000. */
__attribute__((warn_unused_result)) int vocabulary_hash_make(const struct vocabulary_hash *h,
                                                             const uint64_t *hashes, uint32_t len,
                                                             uint16_t *pilots);

#endif
