/* SPDX-License-Identifier: Apache-2.0
 * The event loop: sockets, timers, and stages, on one thread. Listener, upstream and workers are
 * written on it; anything else that has sockets may be (the simulator's command runs a listener
 * on a loop of its own).
 *
 * ONE ROUND
 *   a turn of every stage, in the order they were added, and again while one makes progress, a few
 *   times -> wait for events, at most until the nearest deadline -> call the watchers of what is
 *   ready -> fire timers. loop_round() does not wait if there was progress, so that whoever runs
 *   rounds until something has happened sees it.
 *
 * THREAD
 *   Whoever calls loop_run(). Only loop_wake() and loop_stop() may be called from other threads and
 *   from signal handlers. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/timer.h"
#include "mete.h"

#include <stdbool.h>
#include <sys/epoll.h>

struct loop;

/* Something with a turn in every round. Embedded in its owner. */
struct loop_stage {
    /* Returns whether it did something or has more to do at once. May lower *deadline_us, the
     * monotonic instant at which the loop must wake though nothing arrives. */
    bool (*turn)(struct loop_stage *stage, int64_t *deadline_us);
    struct loop_stage *next; /* the loop's */
};

METE_MUST_USE int loop_new(struct loop **ret_loop); /* MEMORY; FULL: no descriptors */
void loop_free(struct loop *loop);                  /* timers still set are forgotten */

struct timers *loop_timers(struct loop *loop);
/* Monotonic. As of the beginning of the round: no system call. */
int64_t loop_now_us(const struct loop *loop);
uint64_t loop_next_id(struct loop *loop); /* 1, 2, 3: unique in this loop */
/* Whether the last wait brought nothing, neither events nor timers; true once a wait. For stages
 * that have work which can wait; they ask for a wait of no length by a deadline of 0. */
bool loop_take_idle(struct loop *loop);

/* Calls fn(user, events) when fd is ready; events as epoll has them (EPOLLET allowed). One watch a
 * descriptor; watching again replaces it. MEMORY; FULL. */
METE_MUST_USE int loop_watch(struct loop *loop, int fd, uint32_t events,
                             void (*fn)(void *user, uint32_t events), void *user);
/* fd is open still. No call for it comes afterwards, not even of this round's events. */
void loop_unwatch(struct loop *loop, int fd);
/* The same, for a descriptor that is being closed: costs no system call. */
void loop_forget(struct loop *loop, int fd);

void loop_append(struct loop *loop, struct loop_stage *stage);
void loop_remove(struct loop *loop, struct loop_stage *stage); /* not from a turn */

void loop_wake(struct loop *loop); /* any thread, signal handlers */
void loop_stop(struct loop *loop); /* any thread, signal handlers */
bool loop_stopped(const struct loop *loop);
void loop_round(struct loop *loop); /* one round; waits unless there was progress */
void loop_run(struct loop *loop);   /* rounds, until loop_stop() */

#endif
