/* SPDX-License-Identifier: Apache-2.0
 * Assertions that stay on in release. A bug is a crash: the journal has everything (INV-15).
 * Each names one condition; ASSERT_INV carries the id of the invariant of ARCHITECTURE.md. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <setjmp.h>

_Noreturn void assert_failed(const char *what, const char *file, int line);

/* Only where data is looked at that may be anybody's, before anything is built on it: while a trap
 * is set on this thread a failed assertion is written down and goes back to setjmp(trap.back). */
struct assert_trap {
    jmp_buf back;
    char what[256];
};
void assert_trap_set(struct assert_trap *trap); /* NULL: none any more */

#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))
#define ASSERT_INV(id, cond) ((cond) ? (void)0 : assert_failed(id ": " #cond, __FILE__, __LINE__))

/* For checks whose cost grows with the state: debug, simulation and fuzz builds. */
#ifdef METE_SLOW_CHECKS
#define ASSERT_SLOW(cond) ASSERT(cond)
#else
#define ASSERT_SLOW(cond) ((void)sizeof(!(cond)))
#endif

#endif
