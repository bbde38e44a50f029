/* SPDX-License-Identifier: Apache-2.0
 * The engine's time (INV-09): the wall clock as it stood at start, moved on by the monotonic one,
 * so that a step of the wall clock while running changes nothing. Any thread. */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include "mete.h"
#include "os/os.h"

struct clock {
    struct os os;
    struct mete_clock given; /* now_us NULL: none */
    int64_t offset_us;
};

/* last_us: the instant of the journal's last entry, 0 without one. The clock starts there if the
 * wall stands up to LIMIT_CLOCK_BACK_S before it; further back is METE_E_CLOCK. */
METE_MUST_USE int clock_init(struct clock *clock, const struct os *os, struct mete_clock given,
                             int64_t last_us);
int64_t clock_now_us(const struct clock *clock);

#endif
