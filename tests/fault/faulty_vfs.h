/* SPDX-License-Identifier: Apache-2.0
 * An SQLite file system that lies: it counts the writes and flushes of the files it is told to, and
 * at the one it is told to it fails, tears the write, or cuts the power. Behind it is the real one.
 *
 * A power cut leaves of each file what was last flushed, with an arbitrary subset of the writes
 * since then, some of them torn at 512 bytes; then the process ends with FAULTY_CUT. */
#ifndef FAULT_FAULTY_VFS_H
#define FAULT_FAULTY_VFS_H

enum { FAULTY_CUT = 42 };

enum faulty_kind {
    FAULTY_NEVER = 0,
    FAULTY_WRITE,      /* the write fails, nothing is written */
    FAULTY_TORN_WRITE, /* half of its 512-byte sectors are written, then the disk is full */
    FAULTY_FLUSH,      /* the flush fails */
    FAULTY_POWER       /* the power is cut before the write or flush */
};

/* Registers it (once) and returns its name. Files whose path does not contain `only` are spared. */
const char *faulty_vfs(const char *only);

/* At the nth write (of WRITE, TORN_WRITE), flush (of FLUSH), or either (POWER) from now, 1 the
 * next. */
void faulty_arm(enum faulty_kind kind, long nth, unsigned seed);
/* Writes and flushes so far, since faulty_arm(). */
long faulty_count(void);

#endif
