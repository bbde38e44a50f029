/* SPDX-License-Identifier: Apache-2.0
 * Tokens are gone through in the order of their ranks. What the merges before it make of a token's
 * own bytes are the two that its merge joins: they are the pair that is found later. While pairs
 * come in one by one, they lie in a table with open addressing; the image has a perfect hash. */
#include "tokens/vocabulary_build.h"

#include "base/assert.h"
#include "base/errors.h"
#include "tokens/vocabulary_bonds.h"
#include "tokens/vocabulary_image.h"

#include <stdlib.h>

enum { ALIGN = 64, SEEDS = 8 /* that are tried, where one will do */ };

struct making {
    const struct vocabulary_source *source;
    char *image;
    struct vocabulary_image head;
    uint64_t *pairs; /* [pairs_mask + 1], as in struct vocabulary */
    uint32_t pairs_mask, pairs_len;
};

static void *table(const struct making *making, uint64_t at)
{
    return making->image + at;
}

/* ---- Layout ---------------------------------------------------------------------------------- */

static uint64_t place(uint64_t *len, uint64_t bytes)
{
    uint64_t at = (*len + ALIGN - 1) / ALIGN * ALIGN;
    *len = at + bytes;
    return at;
}

/* pairs: most of them. */
static void lay_out(const struct vocabulary_source *source, uint32_t pairs,
                    struct vocabulary_image *head)
{
    uint64_t bytes = 0, n = source->len;
    for (uint32_t i = 0; i < source->len; i++) {
        bytes += source->tokens[i].len > VOCABULARY_KEY ? source->tokens[i].len : 0;
        if (source->tokens[i].len > head->longest)
            head->longest = (uint32_t)source->tokens[i].len;
    }
    struct vocabulary_hash hash;
    vocabulary_hash_plan(source->len, &hash);
    head->whole_buckets = hash.buckets;
    head->whole_slots = hash.slots;
    vocabulary_hash_plan(pairs, &hash);
    head->pair_buckets = hash.buckets;
    head->pair_slots = hash.slots;
    head->magic = VOCABULARY_MAGIC;
    head->tokens_len = source->len;
    head->len = sizeof *head;
    head->of_byte = place(&head->len, 256 * sizeof(uint32_t));
    head->of_bytes = place(&head->len, 65536 * sizeof(uint32_t));
    head->keys = place(&head->len, n * sizeof(struct vocabulary_key));
    head->bytes = place(&head->len, bytes);
    head->halves = place(&head->len, 2 * n * sizeof(uint32_t));
    head->whole_pilots = place(&head->len, head->whole_buckets * sizeof(uint16_t));
    head->wholes = place(&head->len, head->whole_slots * sizeof(uint32_t));
    head->pair_pilots = place(&head->len, head->pair_buckets * sizeof(uint16_t));
    head->pairs = place(&head->len, head->pair_slots * sizeof(uint64_t));
    if (source->ids)
        head->ids = place(&head->len, n * sizeof(uint32_t));
    head->bonds = place(&head->len, VOCABULARY_BONDS / 8);
    head->len = (head->len + ALIGN - 1) / ALIGN * ALIGN;
}

static void fill_tokens(const struct making *making)
{
    struct vocabulary_key *keys = table(making, making->head.keys);
    uint32_t *of_byte = table(making, making->head.of_byte), at = 0;
    char *bytes = table(making, making->head.bytes);
    for (uint32_t i = 0; i < making->source->len; i++) {
        struct slice token = making->source->tokens[i];
        char room[16] = {0};
        if (token.len > VOCABULARY_KEY) {
            memcpy(bytes + at, token.data, token.len);
            keys[i] = (struct vocabulary_key){(uint64_t)token.len << 32 | at,
                                              (uint64_t)VOCABULARY_APART << VOCABULARY_LAST};
            at += (uint32_t)token.len;
        } else if (token.len) {
            memcpy(room, token.data, token.len);
            keys[i] = vocabulary_key_at(room, token.len);
        }
        if (token.len == 1)
            of_byte[(uint8_t)token.data[0]] = i;
    }
    if (making->source->ids)
        memcpy(table(making, making->head.ids), making->source->ids,
               making->source->len * sizeof(uint32_t));
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static uint64_t *find_pair(const struct making *making, uint64_t key)
{
    uint32_t i = (uint32_t)vocabulary_mix(key) & making->pairs_mask;
    while (making->pairs[i] != UINT64_MAX && making->pairs[i] >> 18 != key)
        i = (i + 1) & making->pairs_mask;
    return making->pairs + i;
}

/* Two neighbours of parts, of which the merge of the lowest rank is the first. */
static uint32_t find_merge(const struct making *making, const uint32_t *parts, size_t len,
                           size_t *ret_at)
{
    uint32_t least = VOCABULARY_NONE;
    for (size_t i = 0; i + 1 < len; i++) {
        uint64_t pair = *find_pair(making, (uint64_t)parts[i] << 18 | parts[i + 1]);
        if (((uint32_t)pair & VOCABULARY_NONE) < least) {
            least = (uint32_t)pair & VOCABULARY_NONE;
            *ret_at = i;
        }
    }
    return least;
}

/* Sets the two that the token's merge joins. */
static void add_pair(struct making *making, uint32_t token)
{
    uint32_t *halves = (uint32_t *)table(making, making->head.halves) + 2 * (size_t)token;
    const uint32_t *of_byte = table(making, making->head.of_byte);
    struct slice bytes = making->source->tokens[token];
    uint32_t parts[VOCABULARY_LONGEST], merged;
    size_t len = bytes.len, at;
    for (size_t i = 0; i < len; i++)
        parts[i] = of_byte[(uint8_t)bytes.data[i]];
    while (len > 2 && (merged = find_merge(making, parts, len, &at)) != VOCABULARY_NONE) {
        parts[at] = merged;
        memmove(parts + at + 1, parts + at + 2, (len - at - 2) * sizeof *parts);
        len--;
    }
    halves[0] = halves[1] = token;
    if (len != 2)
        return; /* a byte, or made by no merge */
    uint64_t key = (uint64_t)parts[0] << 18 | parts[1], *pair = find_pair(making, key);
    if (*pair != UINT64_MAX)
        return;
    halves[0] = parts[0];
    halves[1] = parts[1];
    *pair = key << 18 | token;
    making->pairs_len++;
    if (bytes.len == 2)
        ((uint32_t *)table(
            making, making->head.of_bytes))[(uint8_t)bytes.data[0] * 256 + (uint8_t)bytes.data[1]] =
            token;
}

static int add_pairs(struct making *making)
{
    uint32_t slots = 64;
    while (slots < 2 * (uint64_t)making->source->len)
        slots *= 2;
    making->pairs = malloc(slots * sizeof *making->pairs);
    if (!making->pairs)
        return METE_E_MEMORY;
    memset(making->pairs, 255, slots * sizeof *making->pairs);
    making->pairs_mask = slots - 1;
    for (uint32_t i = 0; i < making->source->len; i++)
        add_pair(making, i);
    return 0;
}

/* ---- Hashes ---------------------------------------------------------------------------------- */

/* Two tokens of one hash that are the same. */
static bool stands_twice(const struct making *making, const uint64_t *hashes)
{
    uint32_t len = making->source->len, slots = making->pairs_mask + 1; /* as many will do */
    uint32_t *seen = calloc(slots, sizeof *seen);
    bool twice = false;
    for (uint32_t i = 0; seen && !twice && i < len; i++) {
        uint32_t at = (uint32_t)hashes[i] & (slots - 1);
        for (; seen[at] && !twice; at = (at + 1) & (slots - 1))
            twice = making->source->tokens[i].len &&
                    slice_equal(making->source->tokens[seen[at] - 1], making->source->tokens[i]);
        seen[at] = i + 1;
    }
    free(seen);
    return twice;
}

static int hash_wholes(struct making *making, uint64_t *hashes, const char **ret_why)
{
    uint32_t len = making->source->len, *wholes = table(making, making->head.wholes);
    struct vocabulary_hash hash = {table(making, making->head.whole_pilots),
                                   making->head.whole_buckets, making->head.whole_slots};
    int status = METE_E_INVALID;
    for (uint64_t seed = 0; status == METE_E_INVALID && seed < SEEDS; seed++) {
        making->head.seed = seed;
        for (uint32_t i = 0; i < len; i++)
            hashes[i] = making->source->tokens[i].len
                            ? vocabulary_hash_of(seed, making->source->tokens[i])
                            : vocabulary_mix(i);
        if (seed == 0 && stands_twice(making, hashes)) {
            *ret_why = "a token stands twice";
            return METE_E_INVALID;
        }
        status = vocabulary_hash_make(&hash, hashes, len, table(making, making->head.whole_pilots));
    }
    *ret_why = status == METE_E_INVALID ? "its tokens find no perfect hash" : NULL;
    memset(wholes, 255, making->head.whole_slots * sizeof *wholes);
    for (uint32_t i = 0; status == 0 && i < len; i++) {
        if (making->source->tokens[i].len)
            wholes[vocabulary_slot(&hash, hashes[i])] =
                (uint32_t)(hashes[i] & VOCABULARY_TAG) << 18 | i;
    }
    return status;
}

static int hash_pairs(const struct making *making, uint64_t *hashes, const char **ret_why)
{
    uint64_t *pairs = table(making, making->head.pairs);
    struct vocabulary_hash hash = {table(making, making->head.pair_pilots),
                                   making->head.pair_buckets, making->head.pair_slots};
    uint32_t len = 0;
    for (uint32_t i = 0; i <= making->pairs_mask; i++) {
        if (making->pairs[i] != UINT64_MAX)
            hashes[len++] = vocabulary_mix(making->pairs[i] >> 18);
    }
    int status = vocabulary_hash_make(&hash, hashes, len, table(making, making->head.pair_pilots));
    *ret_why = status == METE_E_INVALID ? "its merges find no perfect hash" : NULL;
    memset(pairs, 255, making->head.pair_slots * sizeof *pairs);
    for (uint32_t i = 0; status == 0 && i <= making->pairs_mask; i++) {
        if (making->pairs[i] != UINT64_MAX)
            pairs[vocabulary_slot(&hash, vocabulary_mix(making->pairs[i] >> 18))] =
                making->pairs[i];
    }
    return status;
}

/* ---- All ------------------------------------------------------------------------------------- */

static const char *check(const struct vocabulary_source *source)
{
    bool has_byte[256] = {false};
    if (source->len == 0 || source->len >= VOCABULARY_NONE)
        return "a vocabulary has 256 to 262,142 tokens";
    for (uint32_t i = 0; i < source->len; i++) {
        if (source->tokens[i].len > VOCABULARY_LONGEST)
            return "a token is longer than 1,024 bytes";
        if (source->tokens[i].len == 1)
            has_byte[(uint8_t)source->tokens[i].data[0]] = true;
    }
    for (size_t i = 0; i < 256; i++) {
        if (!has_byte[i])
            return "a byte has no token of its own";
    }
    return NULL;
}

/* One that is made by no merge is a token where it is all of a piece, and none where it is a part:
 * of such a vocabulary no piece can be cut. */
static bool all_are_made(const struct making *making)
{
    const uint32_t *halves = (const uint32_t *)table(making, making->head.halves);
    for (uint32_t i = 0; i < making->source->len; i++)
        if (making->source->tokens[i].len > 1 && halves[2 * (size_t)i] == i)
            return false;
    return true;
}

/* The last of the tables: without it, the image ends before. */
static void add_bonds(struct making *making)
{
    const struct vocabulary_source *source = making->source;
    if (all_are_made(making) &&
        vocabulary_bonds_find(source->tokens, source->len, table(making, making->head.bonds)))
        return;
    making->head.len = making->head.bonds;
    making->head.bonds = 0;
}

/* An image with no hash yet. The table of pairs is laid out for as many as there are tokens. */
static int make_image(struct making *making)
{
    lay_out(making->source, making->source->len, &making->head);
    making->image = aligned_alloc(ALIGN, making->head.len);
    if (!making->image)
        return METE_E_MEMORY;
    memset(making->image, 0, making->head.len);
    uint32_t *of_bytes = table(making, making->head.of_bytes);
    for (uint32_t i = 0; i < 65536; i++)
        of_bytes[i] = VOCABULARY_NONE;
    fill_tokens(making);
    int rc = add_pairs(making);
    if (!rc)
        add_bonds(making);
    return rc;
}

int vocabulary_build(const struct vocabulary_source *source, void **ret_image, size_t *ret_len,
                     const char **ret_why)
{
    *ret_why = check(source);
    if (*ret_why)
        return METE_E_INVALID;
    struct making making = {.source = source};
    uint64_t *hashes = malloc(source->len * sizeof *hashes);
    int status = hashes ? make_image(&making) : METE_E_MEMORY;
    if (status == 0)
        status = hash_wholes(&making, hashes, ret_why);
    if (status == 0)
        status = hash_pairs(&making, hashes, ret_why);
    free(making.pairs);
    free(hashes);
    if (status) {
        free(making.image);
        return status;
    }
    memcpy(making.image, &making.head, sizeof making.head);
    *ret_image = making.image;
    *ret_len = making.head.len;
    return 0;
}
