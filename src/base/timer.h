/* SPDX-License-Identifier: Apache-2.0
 * Being called later on the same event-loop thread. The interface; server/ has the clockwork.
 * A zeroed timer is idle. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct timer {
    void (*fire)(struct timer *timer); /* set by its owner; may set the timer again */
    int64_t at_us;                     /* the clockwork's: monotonic instant */
    size_t slot;                       /* the clockwork's: 0 is idle */
};

struct timers {
    /* Sets, or sets anew. 0 fires in the next round of the loop, never inside this call. */
    void (*set)(struct timers *timers, struct timer *timer, int64_t delay_us);
    void (*stop)(struct timers *timers, struct timer *timer); /* legal on an idle one */
    int64_t (*now_us)(struct timers *timers);                 /* monotonic */
};

#endif
