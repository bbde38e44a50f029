/* SPDX-License-Identifier: Apache-2.0
 * What texts came to that were counted before, in three tables of a fixed size:
 *
 *   pieces     up to 15 bytes in 16, two to a set: the bytes, their number and the count
 *   longs      pieces of up to CACHE_LONG bytes in 32, eight to a set
 *   stretches  up to CACHE_STRETCH bytes in 64, eight to a set: several pieces, a longer one, or a
 *              whole text
 *
 * A set of eight has a word of tags, a byte of the hash each: one word is looked at, and then the
 * one entry that can be it. What comes new takes an empty place, or one of the eight by turns.
 *
 * EXACT  whole texts are compared, never hashes alone. The hash has a seed, so that nobody knows
 * which texts share a set; if all did, each would cost what it costs without a cache.
 *
 * THREADS one. MEMORY itself (CACHE_... below). COST a look-up is one or two cache lines. */
#ifndef TOKENS_CACHE_H
#define TOKENS_CACHE_H

#include "tokens/vocabulary.h"

enum {
    CACHE_LONG = 30,           /* most bytes of one */
    CACHE_STRETCH = 62,        /* most bytes of one */
    CACHE_MARGIN = 64,         /* bytes from a key's first that are read, whatever its length */
    CACHE_PIECES = 1 << 14,    /* sets of two: 512 KiB */
    CACHE_LONGS = 1 << 11,     /* sets of eight: 512 KiB */
    CACHE_STRETCHES = 1 << 12, /* sets of eight: 2 MiB */
    CACHE_WAYS = 8,
    CACHE_COUNT = VOCABULARY_LAST + 4 /* where a piece's key has its count, above the length */
};

/* Of WORDS words: the bytes, zeros, and in the last two bytes the length and the count. */
struct cache_long {
    uint64_t words[4];
};
struct cache_stretch {
    uint64_t words[8];
};

struct cache {
    _Alignas(64) struct vocabulary_key pieces[CACHE_PIECES][2]; /* the count in the last byte too */
    struct cache_long longs[CACHE_LONGS * CACHE_WAYS];
    struct cache_stretch stretches[CACHE_STRETCHES * CACHE_WAYS];
    uint64_t long_tags[CACHE_LONGS], stretch_tags[CACHE_STRETCHES];
    uint64_t seeds[2];
    unsigned turn;
};

/* seed: of any kind; the better nobody knows it. */
void cache_init(struct cache *cache, uint64_t seed);

__extension__ typedef unsigned __int128 cache_uint128;

static inline uint64_t cache_fold(uint64_t a, uint64_t b)
{
    cache_uint128 product = (cache_uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* ---- Pieces ---------------------------------------------------------------------------------- */

static inline struct vocabulary_key *cache_place(struct cache *cache, struct vocabulary_key key)
{
    uint64_t hash = cache_fold(key.low ^ cache->seeds[0], key.high ^ cache->seeds[1]);
    return cache->pieces[hash % CACHE_PIECES];
}

/* Tokens of the piece; 0: not known. place: cache_place() of it. Without a branch: which of the two
 * it is, nobody can foresee. */
static inline unsigned cache_piece(const struct vocabulary_key place[2], struct vocabulary_key key)
{
    const uint64_t all = ~(UINT64_C(15) << CACHE_COUNT);
    uint64_t first = (place[0].low ^ key.low) | ((place[0].high ^ key.high) & all);
    uint64_t second = (place[1].low ^ key.low) | ((place[1].high ^ key.high) & all);
    uint64_t of_first = place[0].high & (UINT64_C(0) - (first == 0));
    uint64_t of_second = place[1].high & (UINT64_C(0) - (second == 0));
    return (unsigned)((of_first | of_second) >> CACHE_COUNT) & 15;
}

/* 0 < count <= VOCABULARY_KEY; the piece is not known. */
static inline void cache_put_piece(struct vocabulary_key place[2], struct vocabulary_key key,
                                   unsigned count)
{
    place[1] = place[0];
    place[0] = (struct vocabulary_key){key.low, key.high | (uint64_t)count << CACHE_COUNT};
}

/* ---- Longs and stretches --------------------------------------------------------------------- */

/* The first len bytes, 0 < len <= 8 * words - 2. */
static inline void cache_key(const uint8_t *bytes, unsigned len, uint64_t *key, unsigned words)
{
    static const uint8_t keep[2 * CACHE_MARGIN] = {
#define EIGHT 255, 255, 255, 255, 255, 255, 255, 255
        EIGHT, EIGHT, EIGHT, EIGHT, EIGHT,
        EIGHT, EIGHT, EIGHT
#undef EIGHT
    };
    for (unsigned i = 0; i < words; i++) {
        uint64_t word, mask;
        memcpy(&word, bytes + 8 * i, 8);
        memcpy(&mask, keep + CACHE_MARGIN - len + 8 * i, 8);
        key[i] = word & mask;
    }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    key[words - 1] >>= 16;
#endif
    key[words - 1] |= (uint64_t)len << 48;
}

/* The same of a whole text, of any bytes: no stretch of the same bytes is meant, which stands
 * before another. */
static inline void cache_key_text(const uint8_t *bytes, unsigned len, struct cache_stretch *key)
{
    cache_key(bytes, len, key->words, 8);
    key->words[7] |= UINT64_C(64) << 48; /* more than any length */
}

static inline uint64_t cache_hash(const struct cache *cache, const uint64_t *key, unsigned words)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < words; i += 2)
        hash ^= cache_fold(key[i] ^ cache->seeds[0] ^ i, key[i + 1] ^ cache->seeds[1]);
    return hash;
}

#define CACHE_EACH UINT64_C(0x0101010101010101) /* in each byte */

/* 1 to 255; 0 is an empty place's. */
static inline uint64_t cache_tag(uint64_t hash)
{
    return hash >> 56 ? hash >> 56 : 1;
}

static inline unsigned cache_same(const uint64_t *entry, const uint64_t *key, unsigned words)
{
    uint64_t differs = (entry[words - 1] ^ key[words - 1]) << 8;
    for (unsigned i = 0; i + 1 < words; i++)
        differs |= entry[i] ^ key[i];
    return differs ? 0 : (unsigned)(entry[words - 1] >> 56);
}

/* Tokens; 0: not known. tags, entries: of the set. */
static inline unsigned cache_find(uint64_t tags, const uint64_t *entries, const uint64_t *key,
                                  uint64_t hash, unsigned words)
{
    uint64_t other = tags ^ CACHE_EACH * cache_tag(hash);
    /* The lowest byte that is zero has its high bit set; one above it may have it in vain. */
    uint64_t found = (other - CACHE_EACH) & ~other & CACHE_EACH << 7;
    for (; found; found &= found - 1) {
        unsigned way = (unsigned)__builtin_ctzll(found) / 8;
        unsigned count = cache_same(entries + way * words, key, words);
        if (count)
            return count;
    }
    return 0;
}

static inline unsigned cache_long(const struct cache *cache, const struct cache_long *key,
                                  uint64_t hash)
{
    size_t set = hash % CACHE_LONGS;
    return cache_find(cache->long_tags[set], cache->longs[set * CACHE_WAYS].words, key->words, hash,
                      4);
}

static inline unsigned cache_stretch(const struct cache *cache, const struct cache_stretch *key,
                                     uint64_t hash)
{
    size_t set = hash % CACHE_STRETCHES;
    return cache_find(cache->stretch_tags[set], cache->stretches[set * CACHE_WAYS].words,
                      key->words, hash, 8);
}

/* 0 < count <= CACHE_LONG; it is not known. */
void cache_put_long(struct cache *cache, const struct cache_long *key, uint64_t hash,
                    unsigned count);

/* A place for a stretch that is not known, fetched while it is being counted; of no text until it
 * is filled, with 0 < count < 256. Another stretch may take it before: each then overwrites what is
 * there. */
struct cache_stretch *cache_take_stretch(struct cache *cache, uint64_t hash);
void cache_fill_stretch(struct cache_stretch *place, const struct cache_stretch *key,
                        unsigned count);

#endif
