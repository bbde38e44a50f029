/* SPDX-License-Identifier: Apache-2.0
 * Two queues under one lock: what is to be run, and what is done. The loop is woken through its
 * eventfd; it takes the whole list of done work at once. Not done: a ring for each worker. Work
 * comes here because it takes longer than a lock.
 *
 * SHARED  submit() wakes nobody. In its turn the loop looks: of what waits since this round it
 *   leaves one piece to itself, should the next wait, which then has no length, bring nothing; all
 *   others are for the threads, as is the one once it has waited in vain. */
#include "net/workers.h"

#include "base/assert.h"
#include "base/limits.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct work_queue {
    struct work *head, **tail;
};

struct work_pool {
    struct workers workers; /* first: submit comes back from it */
    struct loop_stage stage;
    struct loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct work_queue waiting, finished;
    size_t queued;                    /* submitted, done() not yet called */
    size_t waiting_len, asleep, rung; /* threads: waiting for work; of them already woken */
    bool closing, shared;
    int64_t round_us; /* shared: the round in which work was first seen to wait; 0: none waits */
    struct worker {
        struct work_pool *pool;
        pthread_t thread;
    } threads[LIMIT_WORKERS];
    size_t threads_len;
};

static void queue_put(struct work_queue *queue, struct work *work)
{
    work->next = NULL;
    *queue->tail = work;
    queue->tail = &work->next;
}

static struct work *queue_take(struct work_queue *queue)
{
    struct work *work = queue->head;
    if (!work)
        return NULL;
    queue->head = work->next;
    if (!queue->head)
        queue->tail = &queue->head;
    return work;
}

/* One more of the threads that sleep, if one does. */
static void ring(struct work_pool *pool)
{
    if (pool->asleep == pool->rung)
        return;
    pool->rung++;
    pthread_cond_signal(&pool->wanted);
}

static struct work *take_waiting(struct work_pool *pool)
{
    struct work *work = queue_take(&pool->waiting);
    pool->waiting_len -= work != NULL;
    return work;
}

static void *worker_main(void *user)
{
    struct worker *worker = user;
    struct work_pool *pool = worker->pool;
    unsigned number = (unsigned)(worker - pool->threads) + 1;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct work *work = take_waiting(pool);
        if (work) {
            pthread_mutex_unlock(&pool->lock);
            work->thread = number;
            work->run(work);
            pthread_mutex_lock(&pool->lock);
            queue_put(&pool->finished, work);
            loop_wake(pool->loop);
        } else if (pool->closing) {
            break;
        } else {
            pool->asleep++;
            pthread_cond_wait(&pool->wanted, &pool->lock);
            pool->asleep--;
            pool->rung -= pool->rung > 0;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool pool_submit(struct workers *workers, struct work *work)
{
    struct work_pool *pool = (struct work_pool *)workers;
    ASSERT(work->run && work->done);
    pthread_mutex_lock(&pool->lock);
    bool room = pool->queued < LIMIT_WORK;
    if (room) {
        pool->queued++;
        pool->waiting_len++;
        queue_put(&pool->waiting, work);
        if (!pool->shared)
            ring(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}

/* What waits in a pool that shares it: woken for, or left to the loop, which gets it once it has
 * nothing else to do. */
static struct work *share(struct work_pool *pool, int64_t *deadline_us)
{
    size_t waiting = pool->waiting_len;
    if (!waiting) {
        pool->round_us = 0;
        return NULL;
    }
    if (loop_take_idle(pool->loop)) {
        pool->round_us = 0;
        return take_waiting(pool);
    }
    if (!pool->round_us)
        pool->round_us = loop_now_us(pool->loop);
    for (size_t i = pool->round_us == loop_now_us(pool->loop); i < waiting; i++)
        ring(pool);
    *deadline_us = 0;
    return NULL;
}

static bool pool_turn(struct loop_stage *stage, int64_t *deadline_us)
{
    struct work_pool *pool =
        (struct work_pool *)((char *)stage - offsetof(struct work_pool, stage));
    pthread_mutex_lock(&pool->lock);
    struct work *own = pool->shared ? share(pool, deadline_us) : NULL;
    if (own) {
        pthread_mutex_unlock(&pool->lock);
        own->thread = 0;
        own->run(own);
        pthread_mutex_lock(&pool->lock);
        queue_put(&pool->finished, own);
    }
    struct work *work = pool->finished.head;
    pool->finished = (struct work_queue){NULL, &pool->finished.head};
    for (struct work *each = work; each; each = each->next)
        pool->queued--;
    pthread_mutex_unlock(&pool->lock);
    bool progress = work != NULL;
    while (work) {
        struct work *next = work->next; /* done() may free it or submit it again */
        work->done(work);
        work = next;
    }
    return progress;
}

static int open_pool(struct loop *loop, size_t threads, bool shared, struct workers **ret_workers)
{
    ASSERT(threads >= 1 && threads <= LIMIT_WORKERS);
    struct work_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return METE_E_MEMORY;
    pool->workers.submit = pool_submit;
    pool->stage.turn = pool_turn;
    pool->loop = loop;
    pool->shared = shared;
    pool->waiting.tail = &pool->waiting.head;
    pool->finished.tail = &pool->finished.head;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wanted, NULL);
    /* Signals are the loop's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    while (pool->threads_len < threads && !failed) {
        struct worker *worker = &pool->threads[pool->threads_len];
        worker->pool = pool;
        failed = pthread_create(&worker->thread, NULL, worker_main, worker);
        pool->threads_len += !failed;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop_append(loop, &pool->stage);
    if (failed) {
        workers_close(&pool->workers);
        return METE_E_MEMORY;
    }
    *ret_workers = &pool->workers;
    return 0;
}

int workers_open(struct loop *loop, size_t threads, struct workers **ret_workers)
{
    return open_pool(loop, threads, false, ret_workers);
}

int workers_open_shared(struct loop *loop, size_t threads, struct workers **ret_workers)
{
    return open_pool(loop, threads, true, ret_workers);
}

void workers_close(struct workers *workers)
{
    if (!workers)
        return;
    struct work_pool *pool = (struct work_pool *)workers;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->wanted);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->threads_len; i++)
        pthread_join(pool->threads[i].thread, NULL);
    int64_t deadline_us = 0;
    while (pool_turn(&pool->stage, &deadline_us))
        ;
    ASSERT(pool->queued == 0 || pool->threads_len == 0);
    loop_remove(pool->loop, &pool->stage);
    pthread_cond_destroy(&pool->wanted);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

size_t workers_queued(struct workers *workers)
{
    struct work_pool *pool = (struct work_pool *)workers;
    pthread_mutex_lock(&pool->lock);
    size_t queued = pool->queued;
    pthread_mutex_unlock(&pool->lock);
    return queued;
}
