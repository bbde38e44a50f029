/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens/cache.h"

#include "base/assert.h"

void cache_init(struct cache *cache, uint64_t seed)
{
    memset(cache, 0, sizeof *cache);
    for (size_t i = 0; i < 2; i++) {
        seed = (seed ^ seed >> 29) * UINT64_C(0xBF58476D1CE4E5B9) + UINT64_C(0x94D049BB133111EB);
        cache->seeds[i] = seed ^ seed >> 32;
    }
}

/* An empty place in a set, or the one whose turn it is; its tag is the hash's then. */
static unsigned take_way(struct cache *cache, uint64_t *tags, uint64_t hash)
{
    uint64_t empty = (*tags - CACHE_EACH) & ~*tags & CACHE_EACH << 7;
    unsigned way = empty ? (unsigned)__builtin_ctzll(empty) / 8 : cache->turn++ % CACHE_WAYS;
    *tags &= ~(UINT64_C(255) << 8 * way);
    *tags |= cache_tag(hash) << 8 * way;
    return way;
}

void cache_put_long(struct cache *cache, const struct cache_long *key, uint64_t hash,
                    unsigned count)
{
    size_t set = hash % CACHE_LONGS;
    ASSERT(count > 0 && count <= CACHE_LONG);
    struct cache_long *entry = cache->longs + set * CACHE_WAYS;
    entry += take_way(cache, cache->long_tags + set, hash);
    *entry = *key;
    entry->words[3] |= (uint64_t)count << 56;
}

struct cache_stretch *cache_take_stretch(struct cache *cache, uint64_t hash)
{
    size_t set = hash % CACHE_STRETCHES;
    struct cache_stretch *place = cache->stretches + set * CACHE_WAYS;
    place += take_way(cache, cache->stretch_tags + set, hash);
    place->words[7] = 0;
    return place;
}

void cache_fill_stretch(struct cache_stretch *place, const struct cache_stretch *key,
                        unsigned count)
{
    ASSERT(count > 0 && count < 256);
    *place = *key;
    place->words[7] |= (uint64_t)count << 56;
}
