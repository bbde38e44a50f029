/* SPDX-License-Identifier: Apache-2.0
 * An operating system that lies: its clock stands where it is told to, its randomness is always the
 * same, its directories are the disk's of disk.h, and its death is an exit code. A program gets it
 * in place of the real one by being linked with
 *   -Wl,--wrap=NAME for os_system, db_sync_directory, db_make_directory and what store/file.h has
 * (lying_files.c).
 * The clock lies in memory shared with forked children.
 *
 * Free space is not asked for yet; when it is, its lie belongs here. */
#ifndef FAULT_LYING_OS_H
#define FAULT_LYING_OS_H

#include <stdint.h>

enum { LYING_OS_DIED = 3 };

void lying_os_init(int64_t wall_us);
/* As at a new start of the machine: the wall clock jumps, the monotonic one starts anywhere. */
void lying_os_restart(int64_t wall_us);
void lying_os_pass(int64_t us); /* >= 0, on both clocks */
int64_t lying_os_wall_us(void);

#endif
