/* SPDX-License-Identifier: Apache-2.0
 * How long one transfer may take, whoever carries it: what it waits for next (a connection, the
 * first byte, more bytes) and the total limit give the nearest instant, and one timer watches it.
 * COST  bytes that arrive only note the time; a timer that fires early is set again, and only a
 * wait that ends sooner than the one before sets it anew. */
#ifndef NET_UPSTREAM_TIME_H
#define NET_UPSTREAM_TIME_H

#include "base/timer.h"
#include "gateway/upstream.h"

struct upstream_time {
    struct timer timer; /* fire: its owner's */
    struct timers *timers;
    bool sending, paused; /* paused: what came waits for us, not we for the provider */
    int64_t begun_us, sent_us, byte_us; /* byte_us: last byte received; 0: none yet */
    int64_t connect_us, first_byte_us, idle_us, total_us; /* limits; 0: none */
};

/* timer.fire and timers are set. The timer is not yet. */
void upstream_time_begin(struct upstream_time *time, const struct upstream_request *request);
/* The instant at which it has taken too long, as of now; INT64_MAX: never. */
int64_t upstream_time_limit_us(const struct upstream_time *time, const char **ret_why);
/* Sets the timer unless it fires soon enough as it is. */
void upstream_time_watch(struct upstream_time *time);
void upstream_time_sent(struct upstream_time *time); /* sending begins now */
void upstream_time_byte(struct upstream_time *time, int64_t now_us);
/* Called by the timer. True: the limit is reached; else it is set again. */
bool upstream_time_over(struct upstream_time *time, const char **ret_why);

static inline int64_t upstream_time_now_us(const struct upstream_time *time)
{
    return time->timers->now_us(time->timers);
}

#endif
