/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens/vocabulary.h"

#include "base/assert.h"
#include "base/errors.h"
#include "tokens/vocabulary_image.h"

int vocabulary_open(const void *image, size_t len, struct vocabulary *ret_vocabulary)
{
    const struct vocabulary_image *head = image;
    if (len < sizeof *head || head->magic != VOCABULARY_MAGIC || head->len != len)
        return METE_E_CORRUPT;
    const char *at = image;
    *ret_vocabulary = (struct vocabulary){
        .tokens_len = head->tokens_len,
        .longest = head->longest,
        .keys = (const void *)(at + head->keys),
        .bytes = at + head->bytes,
        .of_byte = (const void *)(at + head->of_byte),
        .of_bytes = (const void *)(at + head->of_bytes),
        .halves = (const void *)(at + head->halves),
        .whole_hash = {.pilots = (const void *)(at + head->whole_pilots),
                       .buckets = head->whole_buckets,
                       .slots = head->whole_slots},
        .pair_hash = {.pilots = (const void *)(at + head->pair_pilots),
                      .buckets = head->pair_buckets,
                      .slots = head->pair_slots},
        .wholes = (const void *)(at + head->wholes),
        .pairs = (const void *)(at + head->pairs),
        .bonds = head->bonds ? (const void *)(at + head->bonds) : NULL,
        .ids = head->ids ? (const void *)(at + head->ids) : NULL,
        .seed = head->seed,
    };
    return 0;
}

static struct vocabulary_key key_of(struct slice bytes)
{
    uint8_t room[16] = {0};
    ASSERT(bytes.len <= VOCABULARY_KEY);
    memcpy(room, bytes.data, bytes.len);
    return vocabulary_key_at(room, bytes.len);
}

uint64_t vocabulary_hash_of(uint64_t seed, struct slice bytes)
{
    if (bytes.len <= VOCABULARY_KEY)
        return vocabulary_key_hash(seed, key_of(bytes));
    uint64_t hash = vocabulary_mix(seed ^ bytes.len), word;
    for (size_t at = 0; at + 8 <= bytes.len; at += 8) {
        memcpy(&word, bytes.data + at, 8);
        hash = vocabulary_mix(hash ^ word);
    }
    memcpy(&word, bytes.data + bytes.len - 8, 8);
    return vocabulary_mix(vocabulary_mix(hash ^ word));
}

uint32_t vocabulary_of_key(const struct vocabulary *v, struct vocabulary_key key)
{
    uint64_t hash = vocabulary_key_hash(v->seed, key);
    uint32_t token = vocabulary_candidate(v, vocabulary_look(v, hash), hash);
    return vocabulary_is(v, token, key) ? token : VOCABULARY_NONE;
}

uint32_t vocabulary_whole(const struct vocabulary *v, struct slice bytes)
{
    if (bytes.len == 0 || bytes.len > v->longest)
        return VOCABULARY_NONE;
    if (bytes.len <= VOCABULARY_KEY)
        return vocabulary_of_key(v, key_of(bytes));
    uint64_t hash = vocabulary_hash_of(v->seed, bytes);
    uint32_t token = vocabulary_candidate(v, vocabulary_look(v, hash), hash);
    if (token == VOCABULARY_NONE || !slice_equal(vocabulary_bytes(v, token), bytes))
        return VOCABULARY_NONE;
    return token;
}

/* Undoes, from the edge outwards, whichever merge was made last, as long as no merge over the edge
 * would have come before it. */
bool vocabulary_joins(const struct vocabulary *v, uint32_t left, uint32_t right)
{
    uint32_t limit = UINT32_MAX;
    for (;;) {
        uint32_t joined = vocabulary_pair(v, left, right);
        if (joined != VOCABULARY_NONE && joined < limit)
            return false;
        const uint32_t *l = v->halves + 2 * (size_t)left, *r = v->halves + 2 * (size_t)right;
        bool left_ends = l[1] == left, right_ends = r[0] == right;
        if (left_ends && right_ends)
            return true;
        if (!left_ends && (right_ends || left > right)) {
            limit = left;
            left = l[1];
        } else {
            limit = right + 1;
            right = r[0];
        }
    }
}
