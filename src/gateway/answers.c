/* SPDX-License-Identifier: Apache-2.0
 * Buckets of WAYS places; the oldest of a bucket goes. Ids are told apart by 128 bits of a hash:
 * they are a provider's, long and random. */
#include "gateway/answers.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>
#include <xxhash.h>

enum { WAYS = 8, BUCKETS = LIMIT_STORED_ANSWERS / WAYS };
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "a bucket is found by a mask");

static struct answer_place *bucket_of(const struct answers *answers, XXH128_hash_t hash)
{
    return &answers->places[(hash.low64 & (BUCKETS - 1)) * WAYS];
}

void answers_put(struct answers *answers, struct slice id, const struct answer_place *place)
{
    if (!answers->places)
        answers->places = calloc((size_t)BUCKETS * WAYS, sizeof *answers->places);
    if (!answers->places || !id.len)
        return;
    XXH128_hash_t hash = XXH3_128bits(id.data, id.len);
    struct answer_place *bucket = bucket_of(answers, hash), *to = bucket;
    for (size_t i = 0; i < WAYS; i++) {
        struct answer_place *each = &bucket[i];
        if (each->made && each->id[0] == hash.low64 && each->id[1] == hash.high64) {
            to = each;
            break;
        }
        if (each->made < to->made)
            to = each;
    }
    pricing_hold(place->pricing);
    pricing_free(to->pricing);
    *to = *place;
    to->id[0] = hash.low64;
    to->id[1] = hash.high64;
    to->made = ++answers->made;
}

struct answer_place *answers_find(const struct answers *answers, struct slice id)
{
    if (!answers->places || !id.len)
        return NULL;
    XXH128_hash_t hash = XXH3_128bits(id.data, id.len);
    struct answer_place *bucket = bucket_of(answers, hash);
    for (size_t i = 0; i < WAYS; i++)
        if (bucket[i].made && bucket[i].id[0] == hash.low64 && bucket[i].id[1] == hash.high64)
            return &bucket[i];
    return NULL;
}

void answers_close(struct answers *answers)
{
    for (size_t i = 0; answers->places && i < (size_t)BUCKETS * WAYS; i++)
        pricing_free(answers->places[i].pricing);
    free(answers->places);
    *answers = (struct answers){0};
}
