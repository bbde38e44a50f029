/* SPDX-License-Identifier: Apache-2.0
 * The tape: a test that draws its choices from bytes. Random runs, fuzzers and saved failures are
 * one function, int property(struct tape *), 0 when all is well; and since a shorter tape or a
 * smaller byte is a simpler case, shrinking the bytes shrinks the case.
 *
 * A property is deterministic, ends when tape_done() says so at the latest, and reports a fault by
 * returning non-zero, by ASSERT, or by a sanitizer; not by cmocka's assertions, for it runs in a
 * process of its own. It frees what it makes: a leak fails the run under ASan.
 *
 * Past its end a tape reads as zeros: every draw gives its least choice. */
#ifndef TESTS_TAPE_H
#define TESTS_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* In a property: ends it as failed, and says where. */
#define HOLDS(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond);              \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

struct tape {
    const uint8_t *data;
    size_t len, at;
};

bool tape_done(const struct tape *tape);
uint8_t tape_byte(struct tape *tape);
/* 0 .. max. Small ranges evenly; of large ones (max > 255) every magnitude is equally likely, and
 * one draw of eight lies next to max. */
uint64_t tape_u64(struct tape *tape, uint64_t max);
/* low .. high, as tape_u64() draws from low up. low <= high. */
int64_t tape_range(struct tape *tape, int64_t low, int64_t high);
/* 0 .. count - 1, an index. count > 0. */
size_t tape_pick(struct tape *tape, size_t count);
/* true in so many of a hundred; the least choice is false. */
bool tape_chance(struct tape *tape, unsigned percent);
/* The next bytes as they are, at most len of them; borrowed. Returns how many there are. */
size_t tape_take(struct tape *tape, size_t len, const uint8_t **ret_bytes);

/* Runs property on random tapes of up to len_max bytes, short ones first. Returns 0, or 1 after it
 * has printed the smallest failing tape it could make of the first that failed. From the
 * environment:
 *   METE_SEED=n      another seed than 1; 0 takes one from the clock
 *   METE_TAPES=n     another number of tapes
 *   METE_TAPE=hex    this one tape only, in this process (for a debugger)
 *   METE_PROPERTY=s  only the property of that name */
int tape_run(const char *name, int (*property)(struct tape *), uint64_t tapes, size_t len_max);

/* The body of LLVMFuzzerTestOneInput. */
static inline int tape_fuzz(int (*property)(struct tape *), const uint8_t *data, size_t len)
{
    struct tape tape = {data, len, 0};
    if (property(&tape))
        abort();
    return 0;
}

#endif
