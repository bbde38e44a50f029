/* SPDX-License-Identifier: Apache-2.0
 * How many of something each of many has open at once: connections by address, calls by key. A
 * table with a fixed number of places, made at once; entering and leaving cost a look or two. One
 * owner, no locking. Who has nothing open takes no place. A zeroed crowd is done. */
#ifndef BASE_CROWD_H
#define BASE_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct crowd_place;

struct crowd {
    struct crowd_place *places;
    uint32_t mask, len, max; /* len: places taken, at most max */
    uint64_t seed;
};

/* max: how many may have something open at once, 1 to 2^24. seed: random where strangers choose the
 * keys, so that they cannot aim at one place; else anything. METE_E_MEMORY. */
__attribute__((warn_unused_result)) int crowd_init(struct crowd *crowd, uint32_t max,
                                                   uint64_t seed);
void crowd_done(struct crowd *crowd);

/* One more for this key. False, and nothing changed: it has limit (at least 1) open already, or it
 * has none and all places are taken. */
__attribute__((warn_unused_result)) bool crowd_enter(struct crowd *crowd, uint64_t key,
                                                     uint32_t limit);
/* One less: it has one (asserted). */
void crowd_leave(struct crowd *crowd, uint64_t key);
uint32_t crowd_count(const struct crowd *crowd, uint64_t key);
void crowd_check(const struct crowd *crowd); /* O(max) */

#endif
