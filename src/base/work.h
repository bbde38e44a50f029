/* SPDX-License-Identifier: Apache-2.0
 * Work that would hold up an event loop (over 100 us: SQLite reads, hashing, counting), done
 * elsewhere. The interface; net/ has the pools of threads. The caller owns struct work until
 * done().
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include <stdbool.h>

struct work {
    void (*run)(struct work *work);  /* on a worker thread, or in a loop's idle moment */
    void (*done)(struct work *work); /* afterwards, on the event loop that asked */
    unsigned thread;                 /* in run(): 1, 2, ... a worker's; 0 the loop's */
    struct work *next;               /* the pool's */
};

struct workers {
    /* false: the bounded queue is full; answer METE_E_BUSY. done() is never called inside. */
    bool (*submit)(struct workers *workers, struct work *work);
};

#endif
