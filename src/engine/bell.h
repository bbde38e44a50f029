/* SPDX-License-Identifier: Apache-2.0
 * How one thread sleeps until others have something for it, without a lock and without a lost
 * wake-up. One sleeper, any number of ringers.
 *
 *   QUIET --ring--> RUNG --bell_heard()--> QUIET --bell_doze()--> ASLEEP --ring--> RUNG (and wake)
 *
 * The sleeper calls bell_heard(), looks for work, and only if there is none dozes off; dozing fails
 * if somebody rang since. Ringers put their work down first, then ring. */
#ifndef ENGINE_BELL_H
#define ENGINE_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BELL_QUIET = 0, BELL_RUNG, BELL_ASLEEP };

struct bell {
    _Alignas(64) _Atomic uint32_t state;
};

/* True: the sleeper dozes and must be woken by the caller (bell_wake(), or its own means). */
static inline bool bell_ring(struct bell *bell)
{
    return atomic_exchange(&bell->state, BELL_RUNG) == BELL_ASLEEP;
}

/* Before looking for work. True: somebody rang since the last time. */
static inline bool bell_heard(struct bell *bell)
{
    return atomic_exchange(&bell->state, BELL_QUIET) == BELL_RUNG;
}

/* After having found none. False: somebody rang meanwhile. */
static inline bool bell_doze(struct bell *bell)
{
    uint32_t quiet = BELL_QUIET;
    return atomic_compare_exchange_strong(&bell->state, &quiet, BELL_ASLEEP);
}

/* For sleepers that sleep here: after bell_doze(), until rung or timeout_us (negative: for ever).
 */
void bell_sleep(struct bell *bell, int64_t timeout_us);
void bell_wake(struct bell *bell);

/* Rings, and wakes one that sleeps here. */
static inline void bell_call(struct bell *bell)
{
    if (bell_ring(bell))
        bell_wake(bell);
}

#endif
