/* SPDX-License-Identifier: Apache-2.0
 * Assertions that stay on in release. A bug is a crash: the journal has everything (INV-15).
 * Each names one condition; ASSERT_INV carries the id of the invariant of ARCHITECTURE.md. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

_Noreturn void assert_failed(const char *what, const char *file, int line);

#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))
#define ASSERT_INV(id, cond) ((cond) ? (void)0 : assert_failed(id ": " #cond, __FILE__, __LINE__))

/* For checks whose cost grows with the state: debug, simulation and fuzz builds. */
#ifdef METE_SLOW_CHECKS
#define ASSERT_SLOW(cond) ASSERT(cond)
#else
#define ASSERT_SLOW(cond) ((void)sizeof(!(cond)))
#endif

#endif
