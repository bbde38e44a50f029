/* SPDX-License-Identifier: Apache-2.0
 * Open addressing, linear probing, half empty at least; count 0: an empty place. Who leaves for
 * good leaves no tombstone: those behind it in the same run move up, so that a look never grows
 * with what was there before. */
#include "base/crowd.h"

#include "base/assert.h"

#include "mete.h"

#include <stdlib.h>

enum { MAX_MOST = 1 << 24 };

struct crowd_place {
    uint64_t key;
    uint32_t count;
};

int crowd_init(struct crowd *crowd, uint32_t max, uint64_t seed)
{
    uint32_t room = 2;
    ASSERT(max >= 1 && max <= MAX_MOST);
    while (room < 2 * max)
        room *= 2;
    struct crowd_place *places = calloc(room, sizeof *places);
    if (!places)
        return METE_E_MEMORY;
    *crowd = (struct crowd){.places = places, .mask = room - 1, .max = max, .seed = seed};
    return 0;
}

void crowd_done(struct crowd *crowd)
{
    free(crowd->places);
    *crowd = (struct crowd){0};
}

/* Where a key's run begins (the finisher of splitmix64). */
static uint32_t home_of(const struct crowd *crowd, uint64_t key)
{
    uint64_t mixed = key ^ crowd->seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(mixed ^ (mixed >> 31)) & crowd->mask;
}

/* The key's place, or the empty one that would be its. */
static uint32_t find(const struct crowd *crowd, uint64_t key)
{
    uint32_t at = home_of(crowd, key);
    while (crowd->places[at].count && crowd->places[at].key != key)
        at = (at + 1) & crowd->mask;
    return at;
}

bool crowd_enter(struct crowd *crowd, uint64_t key, uint32_t limit)
{
    ASSERT(limit >= 1);
    struct crowd_place *place = &crowd->places[find(crowd, key)];
    if (place->count >= limit || (!place->count && crowd->len == crowd->max))
        return false;
    crowd->len += place->count == 0;
    place->key = key;
    place->count++;
    return true;
}

/* Whether at lies on the way from home to hole, going round. */
static bool reaches(const struct crowd *crowd, uint32_t home, uint32_t hole, uint32_t at)
{
    return ((at - home) & crowd->mask) >= ((at - hole) & crowd->mask);
}

static void close_hole(struct crowd *crowd, uint32_t hole)
{
    uint32_t at = (hole + 1) & crowd->mask;
    for (; crowd->places[at].count; at = (at + 1) & crowd->mask) {
        if (!reaches(crowd, home_of(crowd, crowd->places[at].key), hole, at))
            continue;
        crowd->places[hole] = crowd->places[at];
        hole = at;
    }
    crowd->places[hole] = (struct crowd_place){0};
}

void crowd_leave(struct crowd *crowd, uint64_t key)
{
    uint32_t at = find(crowd, key);
    ASSERT(crowd->places[at].count > 0);
    if (--crowd->places[at].count)
        return;
    crowd->len--;
    close_hole(crowd, at);
}

uint32_t crowd_count(const struct crowd *crowd, uint64_t key)
{
    return crowd->places[find(crowd, key)].count;
}

void crowd_check(const struct crowd *crowd)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i <= crowd->mask; i++) {
        if (!crowd->places[i].count)
            continue;
        len++;
        ASSERT(find(crowd, crowd->places[i].key) == i);
    }
    ASSERT(len == crowd->len && len <= crowd->max);
}
