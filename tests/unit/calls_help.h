/* SPDX-License-Identifier: Apache-2.0
 * A life under failing calls: every call that it makes into SQLite, for a plain file or for memory
 * is made to fail, each in turn, once and from there on, with every kind of error.
 *
 * THE RULE
 *   A function answers as it does when nothing fails, or with an error that its header names for
 *   what failed; never another answer, and never a wrong error.
 *   Memory and connections are given back.
 *   Afterwards, on a disk that works again, everything that was told to be durable is there, and
 *   nothing is there in part. */
#ifndef UNIT_CALLS_HELP_H
#define UNIT_CALLS_HELP_H

#include "fault/alloc.h"
#include "fault/calls.h"
#include "mete.h"
#include "unit/temp.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What a life told before its end. */
enum { TOLD = 64 };

struct told {
    uint64_t steps;         /* that were told to be done */
    uint64_t figures[TOLD]; /* what was answered */
    size_t figures_len;
};

struct life {
    const char *name;
    void (*prepare)(void);                 /* of what it finds; NULL */
    int (*live)(struct told *told);        /* under failures: 0, or the first error */
    void (*look)(const struct told *told); /* afterwards, with none */
    uint64_t step;                         /* every so manieth call; 0: each */
};

static char directory[64], other[80];
/* Every so manieth allocation, and of the first and the last ones so many each. */
static uint64_t memory_step = 41, memory_ends;

static inline void tell(struct told *told, uint64_t figure)
{
    assert_true(told->figures_len < TOLD);
    told->figures[told->figures_len++] = figure;
}

/* ---- One failure ----------------------------------------------------------------------------- */

static inline void fresh(void)
{
    (void)temp_remove(directory);
    snprintf(directory, sizeof directory, "/dev/shm/mete-test-XXXXXX");
    if (!mkdtemp(directory))
        assert_int_equal(temp_make(directory, sizeof directory), 0);
    snprintf(other, sizeof other, "%s/other", directory);
    assert_int_equal(mkdir(other, 0700), 0);
}

enum { MEMORY = CALLS_SHORT + 1 };

static inline void arm(uint64_t nth, int kind, bool is_sticky)
{
    alloc_arm(kind == MEMORY ? nth : 0, is_sticky);
    calls_arm(kind == MEMORY ? 0 : nth, kind == MEMORY ? CALLS_IOERR : (enum calls_kind)kind,
              is_sticky);
}

/* STORAGE is what may be said of anything on the disk; the others only of what they name. */
static inline bool may_say(int kind, int error)
{
    static const int names[] = {METE_E_STORAGE, METE_E_STORAGE, METE_E_CORRUPT,
                                METE_E_LOCKED,  METE_E_MEMORY,  0,
                                METE_E_MEMORY};
    return error == names[kind] || (error == METE_E_STORAGE && kind != CALLS_SHORT);
}

/* True: the life was over before its nth call. */
static inline bool fail_at(const struct life *life, const struct told *usual, uint64_t nth,
                           int kind, bool is_sticky)
{
    struct told told = {0};
    fresh();
    if (life->prepare)
        life->prepare();
    arm(nth, kind, is_sticky);
    int error = life->live(&told);
    bool struck = kind == MEMORY ? alloc_struck() : calls_struck();
    char what[160];
    snprintf(what, sizeof what, "%s: %s, call %llu%s of kind %d", life->name, calls_name(),
             (unsigned long long)nth, is_sticky ? " and all after it" : "", kind);
    if (alloc_live())
        fail_msg("%s: %lld bytes or blocks are left", what, (long long)alloc_live());
    arm(0, 0, false);
    if (error ? !struck || !may_say(kind, error) : told.steps != usual->steps)
        fail_msg("%s: %s", what, mete_error_name(error));
    for (size_t i = 0; i < told.figures_len; i++)
        if (told.figures[i] != usual->figures[i])
            fail_msg("%s: figure %zu is %llu", what, i, (unsigned long long)told.figures[i]);
    life->look(&told);
    return !struck;
}

static inline uint64_t step_from(const struct life *life, int kind, uint64_t nth, uint64_t asked)
{
    if (kind != MEMORY)
        return life->step ? life->step : 1;
    return nth < memory_ends || nth + memory_ends > asked ? 1 : memory_step;
}

static inline void fail_everywhere(const struct life *life)
{
    struct told usual = {0};
    fresh();
    if (life->prepare)
        life->prepare();
    arm(0, MEMORY, false);
    int error = life->live(&usual);
    if (error)
        fail_msg("%s: %s", life->name, mete_error_name(error));
    uint64_t asked = alloc_count();
    life->look(&usual);
    for (int kind = 0; kind <= MEMORY; kind++) {
        uint64_t points = 1; /* and each call with some kind of error */
        points += (uint64_t)kind % step_from(life, kind, points, asked);
        while (!fail_at(life, &usual, points, kind, false) &&
               !fail_at(life, &usual, points, kind, true))
            points += step_from(life, kind, points, asked);
        assert_true(points > 3 || kind == CALLS_SHORT);
    }
}

#define LIFE(test, prepare, live, look, step)                                                      \
    static void test(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        static const struct life life = {#live, prepare, live, look, step};                        \
        fail_everywhere(&life);                                                                    \
    }

static inline int set_up(void **state)
{
    (void)state;
    alloc_init(true);
    return 0;
}

#endif
