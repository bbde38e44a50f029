/* SPDX-License-Identifier: Apache-2.0
 * The tokens of a byte-pair encoding, as tables that are read where they lie: linked into the
 * binary for the encodings that come with mete, built once from a file for others.
 *
 * A token's number here is its rank: the order in which merges are made. Its id, the number its
 * users know, is the same in all of OpenAI's encodings and looked up in others.
 *
 * EXACT  every token of more than one byte has one pair of others that its last merge joins
 *   (halves). A sequence of tokens is the encoding of its text if and only if each two neighbours
 *   are it of theirs (vocabulary_joins; proof: B. van Antwerpen and A. Neubeck, "So many tokens, so
 *   little time", GitHub 2024). So an encoding can be continued, and two can be put together.
 *
 * THREADS  read-only after it is made; any number. COST  each look-up is one or two cache lines. */
#ifndef TOKENS_VOCABULARY_H
#define TOKENS_VOCABULARY_H

#include "base/slice.h"
#include "tokens/vocabulary_hash.h"

#include <stdint.h>

enum {
    VOCABULARY_TOKENS = 1 << 18, /* most tokens */
    VOCABULARY_LONGEST = 1024,   /* most bytes of one */
    VOCABULARY_NONE = (1 << 18) - 1,
    VOCABULARY_TAG = (1 << 14) - 1, /* bits of a hash that stand beside a token */
    VOCABULARY_KEY = 15,            /* bytes of a token that is compared in one step */
    VOCABULARY_BOND_BITS = 19,      /* of the hash of two characters */
    VOCABULARY_BONDS = 1 << VOCABULARY_BOND_BITS
};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define VOCABULARY_LAST 0 /* where the last byte of a word is */
#else
#define VOCABULARY_LAST 56
#endif

/* A text of 1 to VOCABULARY_KEY bytes: its bytes, zeros, and as the last byte its length. Or, in
 * the table of tokens, a longer one: where it begins, its length << 32, and VOCABULARY_APART. */
struct vocabulary_key {
    uint64_t low, high;
};
enum { VOCABULARY_APART = 255 };

/* The first len bytes; 16 of them are read, whatever len is. */
static inline struct vocabulary_key vocabulary_key_at(const void *bytes, size_t len)
{
    static const uint8_t keep[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                     255, 255, 255, 255, 255, 255, 255, 255};
    struct vocabulary_key key, mask;
    memcpy(&key, bytes, sizeof key);
    memcpy(&mask, keep + sizeof key - len, sizeof mask);
    key.low &= mask.low;
    key.high &= mask.high;
    key.high |= (uint64_t)len << VOCABULARY_LAST;
    return key;
}

struct vocabulary {
    uint32_t tokens_len;               /* numbers are below this */
    uint32_t longest;                  /* bytes */
    const struct vocabulary_key *keys; /* [tokens_len]; of a rank that no token has: zeros */
    const char *bytes;                 /* of those over VOCABULARY_KEY bytes */
    const uint32_t *of_byte;           /* [256] */
    const uint32_t *of_bytes;          /* [65536], first byte the high one: tokens of two */
    const uint32_t *halves;            /* [tokens_len][2]; of one byte, or made by no merge:
                                          itself twice */
    struct vocabulary_hash whole_hash, pair_hash;
    const uint32_t *wholes; /* [whole_hash.slots]: bits of the hash << 18 | token; all ones: none */
    const uint64_t *pairs; /* [pair_hash.slots]: left << 36 | right << 18 | token; all ones: none */
    const uint64_t *bonds; /* [VOCABULARY_BONDS / 64], bits; NULL: all of them */
    const uint32_t *ids;   /* [tokens_len]; NULL: an id is the number */
    uint64_t seed;         /* of the hash of wholes */
};

/* The tables of an image that vocabulary_build() made; borrowed. METE_E_CORRUPT: it is none, or of
 * another version. image is aligned to 64 bytes. Takes under a microsecond: nothing is parsed. */
__attribute__((warn_unused_result)) int vocabulary_open(const void *image, size_t len,
                                                        struct vocabulary *ret_vocabulary);

static inline struct slice vocabulary_bytes(const struct vocabulary *v, uint32_t token)
{
    const struct vocabulary_key *key = v->keys + token;
    uint8_t len = (uint8_t)(key->high >> VOCABULARY_LAST);
    if (len == VOCABULARY_APART)
        return (struct slice){v->bytes + (uint32_t)key->low, (size_t)(key->low >> 32)};
    return (struct slice){(const char *)key, len};
}

static inline uint32_t vocabulary_len(const struct vocabulary *v, uint32_t token)
{
    return (uint32_t)vocabulary_bytes(v, token).len;
}

static inline uint64_t vocabulary_mix(uint64_t a)
{
    a *= 0x9E3779B97F4A7C15u;
    return a ^ a >> 32;
}

/* In two steps, between which others can be taken while memory answers: where the pair is (fetched
 * ahead), and the token that left and right merge into; VOCABULARY_NONE: they do not. */
static inline const uint64_t *vocabulary_look_pair(const struct vocabulary *v, uint32_t left,
                                                   uint32_t right)
{
    uint64_t hash = vocabulary_mix((uint64_t)left << 18 | right);
    const uint64_t *pair = v->pairs + vocabulary_slot(&v->pair_hash, hash);
    __builtin_prefetch(pair);
    return pair;
}

static inline uint32_t vocabulary_of_pair(const uint64_t *pair, uint32_t left, uint32_t right)
{
    bool found = *pair >> 18 == ((uint64_t)left << 18 | right);
    return found ? (uint32_t)*pair & VOCABULARY_NONE : VOCABULARY_NONE;
}

/* Both. */
static inline uint32_t vocabulary_pair(const struct vocabulary *v, uint32_t left, uint32_t right)
{
    return vocabulary_of_pair(vocabulary_look_pair(v, left, right), left, right);
}

/* In three steps, between which others can be taken while memory answers: where to look (fetched
 * ahead), which token it may be (its key is fetched ahead), whether it is. */
static inline uint64_t vocabulary_key_hash(uint64_t seed, struct vocabulary_key key)
{
    return vocabulary_mix(vocabulary_mix(vocabulary_mix(key.low ^ seed) ^ key.high));
}

static inline const uint32_t *vocabulary_look(const struct vocabulary *v, uint64_t hash)
{
    const uint32_t *whole = v->wholes + vocabulary_slot(&v->whole_hash, hash);
    __builtin_prefetch(whole);
    return whole;
}

static inline uint32_t vocabulary_candidate(const struct vocabulary *v, const uint32_t *whole,
                                            uint64_t hash)
{
    bool may = *whole >> 18 == (hash & VOCABULARY_TAG);
    uint32_t token = may ? *whole & VOCABULARY_NONE : VOCABULARY_NONE;
    __builtin_prefetch(v->keys + (may ? token : 0));
    return token;
}

static inline bool vocabulary_is(const struct vocabulary *v, uint32_t token,
                                 struct vocabulary_key key)
{
    return token < v->tokens_len && v->keys[token].low == key.low &&
           v->keys[token].high == key.high;
}

/* ---- Bonds --------------------------------------------------------------------------------------
 *
 * Two neighbouring characters have a bond if some token holds bytes of both. Where there is none, a
 * text can be cut: what a merge makes is a token, so no merge reaches over, and those on one side
 * never hang on those of the other. The same holds of tokens that begin or end inside of a
 * character: they bond any two that they fit.
 *
 * It is told for two wide characters, of three bytes each: Chinese, Japanese and Korean ones and
 * what stands between them, of which few have a bond; and for a wide one beside a narrow one, of
 * ASCII. That there is one may be a coincidence of hashes. */
static inline bool vocabulary_wide(uint32_t code_point)
{
    return (code_point >= 0x4E00 && code_point <= 0x9FFF) ||
           (code_point >= 0xAC00 && code_point <= 0xCFFF) ||
           (code_point >= 0x3000 && code_point <= 0x30FF) ||
           (code_point >= 0x2000 && code_point <= 0x203F) ||
           (code_point >= 0xFF00 && code_point <= 0xFF3F) ||
           (code_point >= 0xFFC0 && code_point <= 0xFFFF);
}

/* Not the space: it stands before all words, and tokens hold it with the first byte of any. */
static inline bool vocabulary_narrow(uint32_t code_point)
{
    return code_point < 0x80 && code_point != ' ';
}

/* Below VOCABULARY_BONDS. bytes: of the two characters, len of them, 6 or 4; 8 are read. */
static inline uint32_t vocabulary_bond(const uint8_t *bytes, unsigned len)
{
    uint64_t two;
    memcpy(&two, bytes, sizeof two);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    two >>= 64 - 8 * len;
#else
    two <<= 64 - 8 * len;
#endif
    return (uint32_t)(two * UINT64_C(0x9E3779B97F4A7C15) >> (64 - VOCABULARY_BOND_BITS));
}

/* v->bonds is not NULL. bytes, len: as above. */
static inline bool vocabulary_bonded(const struct vocabulary *v, const uint8_t *bytes, unsigned len)
{
    uint32_t bond = vocabulary_bond(bytes, len);
    return v->bonds[bond / 64] >> bond % 64 & 1;
}

/* ---- Wholes and neighbours ------------------------------------------------------------------- */

/* vocabulary_key_hash() of a key, and one of longer bytes. */
uint64_t vocabulary_hash_of(uint64_t seed, struct slice bytes);

/* The token that is exactly these bytes; VOCABULARY_NONE: none is. */
uint32_t vocabulary_whole(const struct vocabulary *v, struct slice bytes);
uint32_t vocabulary_of_key(const struct vocabulary *v, struct vocabulary_key key);
/* Whether left and right stay two, side by side. */
bool vocabulary_joins(const struct vocabulary *v, uint32_t left, uint32_t right);

#endif
