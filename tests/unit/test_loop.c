/* SPDX-License-Identifier: Apache-2.0
 * Proves the loop's promises: timers fire in order and never inside set(); watches of reused
 * descriptors see no event of their predecessor; a wake from another thread is never lost; work is
 * done elsewhere and finished here, bounded. */
#include "base/assert.h"
#include "base/limits.h"
#include "net/loop.h"
#include "net/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct probe {
    struct timer timer; /* first */
    struct loop *loop;
    int64_t at_us;
    int fired, again;
};

static int64_t last_us;

static void probe_fire(struct timer *timer)
{
    struct probe *probe = (struct probe *)timer;
    assert_true(timer->slot == 0);
    assert_true(probe->at_us >= last_us);
    last_us = probe->at_us;
    probe->fired++;
}

static void timers_fire_in_order_whatever_was_set_and_stopped(void **state)
{
    (void)state;
    enum { MANY = 500 };
    static struct probe probes[MANY];
    struct loop *loop;
    assert_int_equal(loop_new(&loop), 0);
    struct timers *timers = loop_timers(loop);
    uint32_t dice = 7;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            dice = dice * 1664525 + 1013904223;
            probes[i].timer.fire = probe_fire;
            timers->set(timers, &probes[i].timer, dice % 20000);
            probes[i].at_us = probes[i].timer.at_us;
            assert_int_equal(probes[i].fired, 0);
            if (i % 7 == 0)
                timers->stop(timers, &probes[i / 2].timer);
        }
    }
    last_us = 0;
    int64_t end = timers->now_us(timers) + 50000;
    struct probe last = {.timer.fire = probe_fire, .at_us = INT64_MAX};
    timers->set(timers, &last.timer, 30000);
    while (!last.fired && timers->now_us(timers) < end)
        loop_round(loop);
    assert_int_equal(last.fired, 1);
    for (int i = 0; i < MANY; i++) {
        assert_true(probes[i].fired <= 1);
        assert_true(probes[i].timer.slot == 0);
    }
    loop_free(loop);
}

static void probe_set_again(struct timer *timer)
{
    struct probe *probe = (struct probe *)timer;
    struct timers *timers = loop_timers(probe->loop);
    if (++probe->fired < probe->again)
        timers->set(timers, timer, 0);
}

static void a_timer_set_while_timers_fire_waits_for_the_next_round(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_new(&loop), 0);
    struct timers *timers = loop_timers(loop);
    struct probe probe = {.timer.fire = probe_set_again, .loop = loop, .again = 5};
    timers->set(timers, &probe.timer, 0);
    for (int round = 1; round <= 5; round++) {
        loop_round(loop);
        assert_int_equal(probe.fired, round);
    }
    loop_free(loop);
}

static int seen_a, seen_b;

static void see_b(void *user, uint32_t events)
{
    (void)user;
    (void)events;
    seen_b++;
}

struct pair {
    struct loop *loop;
    int victim, spare;
};

/* Both pipes are readable in one batch; whoever comes first closes the other and has its number
 * reused for a pipe that is not readable. */
static void see_a(void *user, uint32_t events)
{
    struct pair *pair = user;
    (void)events;
    if (seen_a++)
        return;
    int fresh[2];
    loop_forget(pair->loop, pair->victim);
    close(pair->victim);
    assert_int_equal(pipe(fresh), 0);
    int fd = dup2(fresh[0], pair->victim);
    assert_int_equal(fd, pair->victim);
    if (fresh[0] != fd)
        close(fresh[0]);
    pair->spare = fresh[1];
    assert_int_equal(loop_watch(pair->loop, fd, EPOLLIN, see_b, NULL), 0);
}

static void an_event_of_a_closed_descriptor_does_not_reach_its_successor(void **state)
{
    (void)state;
    struct loop *loop;
    int one[2], two[2];
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(pipe(one), 0);
    assert_int_equal(pipe(two), 0);
    struct pair first = {loop, two[0], -1}, second = {loop, one[0], -1};
    assert_int_equal(loop_watch(loop, one[0], EPOLLIN, see_a, &first), 0);
    assert_int_equal(loop_watch(loop, two[0], EPOLLIN, see_a, &second), 0);
    assert_int_equal(write(one[1], "x", 1), 1);
    assert_int_equal(write(two[1], "x", 1), 1);
    loop_round(loop);
    assert_int_equal(seen_a, 1);
    assert_int_equal(seen_b, 0);
    int spare = first.spare >= 0 ? first.spare : second.spare;
    assert_int_equal(write(spare, "x", 1), 1);
    loop_round(loop);
    assert_int_equal(seen_b, 1);
    close(one[0]);
    close(one[1]);
    close(two[0]);
    close(two[1]);
    close(spare);
    loop_free(loop);
}

struct job {
    struct work work; /* first */
    pthread_t ran_on;
    int runs, *finished;
};

static void job_run(struct work *work)
{
    struct job *job = (struct job *)work;
    job->ran_on = pthread_self();
    job->runs++;
}

static void job_done(struct work *work)
{
    struct job *job = (struct job *)work;
    ++*job->finished;
}

static void work_is_done_elsewhere_and_finished_here(void **state)
{
    (void)state;
    static struct job jobs[LIMIT_WORK + 50];
    struct loop *loop;
    struct workers *workers;
    int finished = 0, accepted = 0;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(workers_open(loop, 2, &workers), 0);
    for (int i = 0; i < LIMIT_WORK + 50; i++) {
        jobs[i] = (struct job){.work = {.run = job_run, .done = job_done}, .finished = &finished};
        accepted += workers->submit(workers, &jobs[i].work);
    }
    assert_int_equal(accepted, LIMIT_WORK); /* none is let go before the loop turns */
    assert_int_equal(finished, 0);
    while (finished < accepted)
        loop_round(loop);
    for (int i = 0; i < accepted; i++) {
        assert_int_equal(jobs[i].runs, 1);
        assert_false(pthread_equal(jobs[i].ran_on, pthread_self()));
    }
    assert_int_equal(workers_queued(workers), 0);
    assert_true(workers->submit(workers, &jobs[0].work));
    workers_close(workers); /* what is queued is finished first */
    assert_int_equal(finished, accepted + 1);
    loop_free(loop);
}

static bool ran_here(const struct job *job)
{
    return pthread_equal(job->ran_on, pthread_self());
}

static void shared_work_is_done_by_a_loop_that_has_nothing_else_to_do(void **state)
{
    (void)state;
    struct loop *loop;
    struct workers *workers;
    int finished = 0;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(workers_open_shared(loop, 2, &workers), 0);
    for (int i = 0; i < 20; i++) {
        struct job job = {.work = {.run = job_run, .done = job_done}, .finished = &finished};
        assert_true(workers->submit(workers, &job.work));
        while (finished == i)
            loop_round(loop);
        assert_int_equal(job.runs, 1);
        assert_true(ran_here(&job));
        assert_int_equal(job.work.thread, 0);
    }
    workers_close(workers);
    loop_free(loop);
}

static void shared_work_is_done_elsewhere_while_the_loop_is_busy(void **state)
{
    (void)state;
    struct loop *loop;
    struct workers *workers;
    int finished = 0;
    struct job job = {.work = {.run = job_run, .done = job_done}, .finished = &finished};
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(workers_open_shared(loop, 2, &workers), 0);
    assert_true(workers->submit(workers, &job.work));
    while (finished == 0) {
        loop_wake(loop); /* each wait brings something */
        loop_round(loop);
    }
    assert_false(ran_here(&job));
    assert_in_range(job.work.thread, 1, 2);
    workers_close(workers);
    loop_free(loop);
}

static void slow_run(struct work *work)
{
    usleep(2000);
    job_run(work);
}

static void much_shared_work_is_done_on_both_sides(void **state)
{
    (void)state;
    enum { MUCH = 40 };
    static struct job jobs[MUCH];
    struct loop *loop;
    struct workers *workers;
    int finished = 0, here = 0;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(workers_open_shared(loop, 2, &workers), 0);
    for (int i = 0; i < MUCH; i++) {
        jobs[i] = (struct job){.work = {.run = slow_run, .done = job_done}, .finished = &finished};
        assert_true(workers->submit(workers, &jobs[i].work));
    }
    while (finished < MUCH)
        loop_round(loop);
    for (int i = 0; i < MUCH; i++) {
        assert_int_equal(jobs[i].runs, 1);
        assert_int_equal(ran_here(&jobs[i]), jobs[i].work.thread == 0);
        here += ran_here(&jobs[i]);
    }
    assert_in_range(here, 1, MUCH - 1);
    assert_true(workers->submit(workers, &jobs[0].work));
    workers_close(workers); /* what waits is finished first */
    assert_int_equal(finished, MUCH + 1);
    loop_free(loop);
}

static void *waker(void *user)
{
    for (int i = 0; i < 2000; i++) {
        loop_wake(user);
        if (i % 100 == 0)
            usleep(500);
    }
    loop_stop(user);
    return NULL;
}

struct waking {
    struct loop *loop;
    atomic_bool enough;
};

static void *wake_without_end(void *user)
{
    struct waking *waking = user;
    while (!atomic_load(&waking->enough))
        loop_wake(waking->loop);
    return NULL;
}

/* A wake that fell between the two steps of seeing one left the flag up and nothing to read: every
 * later wake found the flag and wrote nothing, and the loop slept for ever. */
static void a_wake_while_one_is_seen_does_not_silence_the_later_ones(void **state)
{
    (void)state;
    struct waking waking = {.enough = false};
    pthread_t threads[2];
    assert_int_equal(loop_new(&waking.loop), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wake_without_end, &waking), 0);
    alarm(500); /* the round that never ends: much longer than a slow machine takes */
    for (int i = 0; i < 50000; i++)
        loop_round(waking.loop);
    alarm(0);
    atomic_store(&waking.enough, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    loop_free(waking.loop);
}

static void a_stop_from_another_thread_is_never_lost(void **state)
{
    (void)state;
    struct loop *loop;
    pthread_t thread;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(pthread_create(&thread, NULL, waker, loop), 0);
    loop_run(loop);
    pthread_join(thread, NULL);
    assert_true(loop_stopped(loop));
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_whatever_was_set_and_stopped),
        cmocka_unit_test(a_timer_set_while_timers_fire_waits_for_the_next_round),
        cmocka_unit_test(an_event_of_a_closed_descriptor_does_not_reach_its_successor),
        cmocka_unit_test(work_is_done_elsewhere_and_finished_here),
        cmocka_unit_test(shared_work_is_done_by_a_loop_that_has_nothing_else_to_do),
        cmocka_unit_test(shared_work_is_done_elsewhere_while_the_loop_is_busy),
        cmocka_unit_test(much_shared_work_is_done_on_both_sides),
        cmocka_unit_test(a_wake_while_one_is_seen_does_not_silence_the_later_ones),
        cmocka_unit_test(a_stop_from_another_thread_is_never_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
