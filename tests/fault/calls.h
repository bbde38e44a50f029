/* SPDX-License-Identifier: Apache-2.0
 * Calls that fail when they are told to: those that the store and the engine make into SQLite (not
 * the ones that SQLite makes itself), and those for plain files. They are counted together, and any
 * of them can be made to fail, once or from there on. What fails has not been done.
 *
 * Where faulty_vfs.h and disk.h lie to SQLite and let it find its own way, here the answer itself
 * is what the test says, so that every branch behind an answer is taken.
 *
 * Only programs linked with the --wrap options of cmake/tests.cmake may use it. THREADS any; arming
 * while no other runs. */
#ifndef FAULT_CALLS_H
#define FAULT_CALLS_H

#include <stdbool.h>
#include <stdint.h>

enum calls_kind {
    CALLS_IOERR = 0,
    CALLS_FULL,
    CALLS_CORRUPT,
    CALLS_BUSY,
    CALLS_NOMEM,
    CALLS_KINDS,
    /* read() and write() alone: once, they are interrupted; from there on, they do half. Who calls
     * them must not notice. */
    CALLS_SHORT = CALLS_KINDS
};

/* The nth from now on fails (0: none), and with is_sticky all that follow it. */
void calls_arm(uint64_t nth, enum calls_kind kind, bool is_sticky);
uint64_t calls_count(void); /* since calls_arm() */
bool calls_struck(void);    /* one has failed since calls_arm() */
/* The name of the one that failed first, or "". */
const char *calls_name(void);

#endif
