/* SPDX-License-Identifier: Apache-2.0
 * offset = max(wall, last entry) - monotonic at start; now = monotonic + offset. A wall clock that
 * stands a little behind the journal (a reboot before the time was set right, a correction) costs
 * nothing but that much difference until the next start; one that stands far behind it would charge
 * calls to windows long over, so the engine refuses until the clock is set or waited for.
 *
 * Considered and not done: slewing back to the wall while running. Windows are hours; the seconds
 * gained are not worth a clock whose rate varies. */
#include "engine/clock.h"

#include "base/assert.h"
#include "base/checked.h"
#include "base/limits.h"

int clock_init(struct clock *clock, const struct os *os, struct mete_clock given, int64_t last_us)
{
    ASSERT(last_us >= 0);
    struct clock made = {.os = *os, .given = given};
    int64_t wall_us = given.now_us ? given.now_us(given.user) : os_wall_us(os);
    if (wall_us < last_us - (int64_t)LIMIT_CLOCK_BACK_S * 1000000)
        return METE_E_CLOCK;
    made.offset_us = max_i64(wall_us, last_us) - os_monotonic_us(os);
    *clock = made;
    return 0;
}

int64_t clock_now_us(const struct clock *clock)
{
    if (clock->given.now_us)
        return clock->given.now_us(clock->given.user);
    return os_monotonic_us(&clock->os) + clock->offset_us;
}
