/* SPDX-License-Identifier: Apache-2.0
 * epoll, a heap of timers and a list of stages.
 *
 * Watches are kept by descriptor number in a table; what epoll hands back is (generation, fd), so
 * that an event for a descriptor closed and reused within the same batch finds a newer generation
 * and is dropped. Deadlines go into epoll_pwait2 (nanoseconds): a timerfd costs two system calls
 * each time the deadline moves, which with curl is twice a transfer (19,000 instead of 38,000
 * requests a second).
 *
 * Timers: a binary heap of pointers, each timer knowing its slot, so that set and stop are
 * O(log n). Not done: a timer wheel. Timers are set a few times a call and n is small.
 *
 *   slot 0 unused | 1 root | children of i at 2i and 2i+1       timer.slot 0: idle */
#include "net/loop.h"

#include "base/assert.h"
#include "base/limits.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Passes over the stages before the sockets are looked at again: one stage's work is often the
 * next one's, and a look costs a system call. */
enum { LOOP_BATCH = 128, LOOP_PASSES = 4, LOOP_WATCHES_FIRST = 256 };

struct loop_watch_slot {
    void (*fn)(void *user, uint32_t events); /* NULL: not watched */
    void *user;
    uint32_t generation;
};

struct loop {
    struct timers timers; /* first: the interface's functions come back from it */
    struct timer **heap;
    size_t heap_len;
    int64_t firing_us; /* while timers fire: the instant of this pass; else 0 */
    int64_t now_us;
    int epoll_fd, wake_fd;
    struct loop_watch_slot *watches;
    size_t watches_len;
    struct loop_stage *stages;
    uint64_t last_id;
    bool no_pwait2; /* a kernel before 5.11 */
    bool idle;      /* the last wait brought nothing */
    atomic_bool stop;
    atomic_bool awake; /* the eventfd is already written */
};

static int64_t clock_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

static void heap_put(struct loop *loop, size_t slot, struct timer *timer)
{
    loop->heap[slot] = timer;
    timer->slot = slot;
}

static void heap_up(struct loop *loop, size_t slot, struct timer *timer)
{
    for (; slot > 1 && loop->heap[slot / 2]->at_us > timer->at_us; slot /= 2)
        heap_put(loop, slot, loop->heap[slot / 2]);
    heap_put(loop, slot, timer);
}

static void heap_down(struct loop *loop, size_t slot, struct timer *timer)
{
    for (;;) {
        size_t child = slot * 2;
        if (child > loop->heap_len)
            break;
        if (child < loop->heap_len && loop->heap[child + 1]->at_us < loop->heap[child]->at_us)
            child++;
        if (loop->heap[child]->at_us >= timer->at_us)
            break;
        heap_put(loop, slot, loop->heap[child]);
        slot = child;
    }
    heap_put(loop, slot, timer);
}

static void heap_settle(struct loop *loop, size_t slot, struct timer *timer)
{
    if (slot > 1 && loop->heap[slot / 2]->at_us > timer->at_us)
        heap_up(loop, slot, timer);
    else
        heap_down(loop, slot, timer);
}

static void heap_remove(struct loop *loop, struct timer *timer)
{
    size_t slot = timer->slot;
    ASSERT(slot <= loop->heap_len && loop->heap[slot] == timer);
    timer->slot = 0;
    struct timer *last = loop->heap[loop->heap_len--];
    if (last != timer)
        heap_settle(loop, slot, last);
}

static void timers_set(struct timers *timers, struct timer *timer, int64_t delay_us)
{
    struct loop *loop = (struct loop *)timers;
    ASSERT(delay_us >= 0 && timer->fire);
    timer->at_us = clock_now_us() + delay_us;
    /* One set while timers fire waits for the next round, however short its delay. */
    if (timer->at_us <= loop->firing_us)
        timer->at_us = loop->firing_us + 1;
    if (timer->slot) {
        heap_settle(loop, timer->slot, timer);
        return;
    }
    /* Timers belong to objects that have a maximum of their own: more is a bug. */
    ASSERT(loop->heap_len < LIMIT_TIMERS);
    heap_up(loop, ++loop->heap_len, timer);
}

static void timers_stop(struct timers *timers, struct timer *timer)
{
    if (timer->slot)
        heap_remove((struct loop *)timers, timer);
}

static int64_t timers_now_us(struct timers *timers)
{
    (void)timers;
    return clock_now_us();
}

static bool timers_fire(struct loop *loop)
{
    bool fired = false;
    loop->firing_us = loop->now_us;
    while (loop->heap_len && loop->heap[1]->at_us <= loop->firing_us) {
        struct timer *timer = loop->heap[1];
        heap_remove(loop, timer);
        timer->fire(timer);
        fired = true;
    }
    loop->firing_us = 0;
    return fired;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void wake_seen(void *user, uint32_t events)
{
    struct loop *loop = user;
    uint64_t count;
    (void)events;
    /* The flag falls last. A wake between the two lines writes nothing, but the stages take their
     * turns before the next wait and see what it was for. Were it to fall first, such a wake would
     * be read away and leave it up, and no later one would write again. */
    if (read(loop->wake_fd, &count, sizeof count) < 0)
        ASSERT(errno == EAGAIN || errno == EINTR);
    (void)atomic_exchange(&loop->awake, false); /* sees what was done before the wake it ends */
}

int loop_new(struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return METE_E_MEMORY;
    loop->timers = (struct timers){timers_set, timers_stop, timers_now_us};
    loop->now_us = clock_now_us();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* Address space only: pages come when timers do. */
    loop->heap = malloc((LIMIT_TIMERS + 1) * sizeof *loop->heap);
    int error = loop->heap ? 0 : METE_E_MEMORY;
    if (loop->epoll_fd < 0 || loop->wake_fd < 0)
        error = METE_E_FULL;
    if (!error)
        error = loop_watch(loop, loop->wake_fd, EPOLLIN, wake_seen, loop);
    if (error) {
        loop_free(loop);
        return error;
    }
    *ret_loop = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (size_t i = 1; i <= loop->heap_len; i++)
        loop->heap[i]->slot = 0;
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    free(loop->heap);
    free(loop->watches);
    free(loop);
}

struct timers *loop_timers(struct loop *loop)
{
    return &loop->timers;
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

uint64_t loop_next_id(struct loop *loop)
{
    return ++loop->last_id;
}

bool loop_take_idle(struct loop *loop)
{
    bool idle = loop->idle;
    loop->idle = false;
    return idle;
}

/* ---- Watches --------------------------------------------------------------------------------- */

static int watches_reach(struct loop *loop, size_t fd)
{
    if (fd < loop->watches_len)
        return 0;
    size_t len = loop->watches_len ? loop->watches_len : LOOP_WATCHES_FIRST;
    while (len <= fd)
        len *= 2;
    struct loop_watch_slot *watches = realloc(loop->watches, len * sizeof *watches);
    if (!watches)
        return METE_E_MEMORY;
    for (size_t i = loop->watches_len; i < len; i++)
        watches[i] = (struct loop_watch_slot){0};
    loop->watches = watches;
    loop->watches_len = len;
    return 0;
}

int loop_watch(struct loop *loop, int fd, uint32_t events, void (*fn)(void *user, uint32_t events),
               void *user)
{
    ASSERT(fd >= 0 && fn);
    int error = watches_reach(loop, (size_t)fd);
    if (error)
        return error;
    struct loop_watch_slot *watch = &loop->watches[fd];
    int how = watch->fn ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    struct epoll_event event = {.events = events};
    event.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd;
    if (epoll_ctl(loop->epoll_fd, how, fd, &event) != 0)
        return errno == ENOMEM ? METE_E_MEMORY : METE_E_FULL;
    watch->fn = fn;
    watch->user = user;
    return 0;
}

void loop_forget(struct loop *loop, int fd)
{
    ASSERT(fd >= 0);
    if ((size_t)fd >= loop->watches_len || !loop->watches[fd].fn)
        return;
    loop->watches[fd].fn = NULL;
    loop->watches[fd].generation++;
}

void loop_unwatch(struct loop *loop, int fd)
{
    ASSERT(fd >= 0);
    if ((size_t)fd >= loop->watches_len || !loop->watches[fd].fn)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    loop_forget(loop, fd);
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

void loop_append(struct loop *loop, struct loop_stage *stage)
{
    struct loop_stage **end = &loop->stages;
    while (*end)
        end = &(*end)->next;
    stage->next = NULL;
    *end = stage;
}

void loop_remove(struct loop *loop, struct loop_stage *stage)
{
    struct loop_stage **at = &loop->stages;
    while (*at && *at != stage)
        at = &(*at)->next;
    ASSERT(*at == stage);
    *at = stage->next;
}

void loop_wake(struct loop *loop)
{
    if (atomic_exchange(&loop->awake, true))
        return;
    int saved = errno; /* a signal handler must leave it alone */
    const uint64_t one = 1;
    ssize_t written = write(loop->wake_fd, &one, sizeof one);
    (void)written; /* full means that it is readable */
    errno = saved;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stop, true);
    loop_wake(loop);
}

bool loop_stopped(const struct loop *loop)
{
    return atomic_load(&loop->stop);
}

static int wait_ms(struct loop *loop, struct epoll_event *events, int64_t delay_us)
{
    int64_t delay_ms = delay_us < 0 ? -1 : (delay_us + 999) / 1000;
    if (delay_ms > INT32_MAX)
        delay_ms = INT32_MAX;
    return epoll_wait(loop->epoll_fd, events, LOOP_BATCH, (int)delay_ms);
}

/* delay_us < 0: for ever. */
static int wait_us(struct loop *loop, struct epoll_event *events, int64_t delay_us)
{
    if (delay_us == 0 || delay_us < 0 || loop->no_pwait2)
        return wait_ms(loop, events, delay_us);
    struct timespec delay = {.tv_sec = (time_t)(delay_us / 1000000),
                             .tv_nsec = (long)(delay_us % 1000000) * 1000};
    int len = epoll_pwait2(loop->epoll_fd, events, LOOP_BATCH, &delay, NULL);
    if (len < 0 && errno == ENOSYS) {
        loop->no_pwait2 = true;
        return wait_ms(loop, events, delay_us);
    }
    return len;
}

static void events_dispatch(struct loop *loop, const struct epoll_event *events, int len)
{
    for (int i = 0; i < len; i++) {
        size_t fd = (uint32_t)events[i].data.u64;
        uint32_t generation = (uint32_t)(events[i].data.u64 >> 32);
        ASSERT(fd < loop->watches_len);
        struct loop_watch_slot watch = loop->watches[fd];
        if (watch.fn && watch.generation == generation)
            watch.fn(watch.user, events[i].events);
    }
}

/* -1: for ever. */
static int64_t delay_until_us(int64_t deadline_us)
{
    if (deadline_us == INT64_MAX)
        return -1;
    int64_t delay = deadline_us > 0 ? deadline_us - clock_now_us() : 0;
    return delay > 0 ? delay : 0;
}

static bool stages_turn(struct loop *loop, int64_t *deadline_us)
{
    bool progress = false;
    *deadline_us = INT64_MAX; /* what an earlier pass named is out of date */
    for (struct loop_stage *stage = loop->stages; stage; stage = stage->next)
        progress |= stage->turn(stage, deadline_us);
    return progress;
}

/* The stages' turns come before the wait: what they began since the last wait is not left lying,
 * and the deadline they name is fresh. Returns whether one made progress. */
static bool round_begin(struct loop *loop, int64_t *ret_deadline_us, bool *ret_settled)
{
    bool progress = stages_turn(loop, ret_deadline_us), more = progress;
    for (int pass = 1; pass < LOOP_PASSES && more; pass++)
        more = stages_turn(loop, ret_deadline_us);
    *ret_settled = !more;
    return progress;
}

static void round_end(struct loop *loop, int64_t deadline_us)
{
    struct epoll_event events[LOOP_BATCH];
    if (loop->heap_len && loop->heap[1]->at_us < deadline_us)
        deadline_us = loop->heap[1]->at_us;
    int len = wait_us(loop, events, delay_until_us(deadline_us));
    ASSERT(len >= 0 || errno == EINTR);
    loop->now_us = clock_now_us();
    events_dispatch(loop, events, len);
    loop->idle = !timers_fire(loop) && len == 0;
}

void loop_round(struct loop *loop)
{
    int64_t deadline_us;
    bool settled;
    bool progress = round_begin(loop, &deadline_us, &settled);
    round_end(loop, progress ? 0 : deadline_us);
}

/* Nobody looks between its rounds but at the flag, which comes with a wake: so it waits as soon as
 * the stages have settled, and finds more at once when it looks at the sockets. */
void loop_run(struct loop *loop)
{
    while (!loop_stopped(loop)) {
        int64_t deadline_us;
        bool settled;
        round_begin(loop, &deadline_us, &settled);
        round_end(loop, settled ? deadline_us : 0);
    }
}
