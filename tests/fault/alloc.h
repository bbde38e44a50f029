/* SPDX-License-Identifier: Apache-2.0
 * Memory that runs out when it is told to. Everything the engine asks the system for on its way
 * (malloc and its kin, mappings, threads, descriptors for ports) is counted, and so is every
 * allocation of SQLite's; any of them can be made to fail, once or from there on.
 *
 * Only programs linked with the --wrap options of cmake/tests.cmake may use it.
 * THREADS alloc_init(), alloc_arm(): before others are started. Everything else: any. */
#ifndef FAULT_ALLOC_H
#define FAULT_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* Before anything of SQLite's is called. Not with_sqlite: its allocations all succeed. */
void alloc_init(bool with_sqlite);
/* The nth from now on fails (0: none), and with is_sticky all that follow it. */
void alloc_arm(uint64_t nth, bool is_sticky);
uint64_t alloc_count(void); /* asked for since alloc_arm() */
bool alloc_struck(void);    /* one has failed since alloc_arm() */
/* Blocks and bytes of mappings taken since alloc_arm() and not given back, SQLite's included. */
int64_t alloc_live(void);

#endif
