/* SPDX-License-Identifier: Apache-2.0
 * A disk in memory behind an SQLite VFS. It records what a run does to it (every creation, write,
 * truncation, deletion and flush) in memory shared with forked children, so that a child may run
 * and die and its parent make of the recording any disk that a power cut could have left. It can
 * also fail: see disk_arm().
 *
 * WHAT SURVIVES A CUT
 *   Of a file: what its last flush covered, and of the writes and truncations since whatever the
 *   fate says, down to sectors of 512 bytes. A sector never holds a mixture, and a write never
 *   changes bytes beside it (what SQLite calls powersafe overwrite, and assumes of every disk).
 *   Of the directory: names as of its last flush, and since then whatever the fate says. It is
 *   flushed as SQLite's unix VFS does it, with the first flush of a journal or write-ahead file it
 *   has created, and by disk_flush_directory().
 *
 * Files are known by their path; whether their directory really exists nobody here asks.
 * THREADS the VFS: any. Everything else: one, and no VFS call at the same time. */
#ifndef FAULT_DISK_H
#define FAULT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers it as the default VFS, so that what takes no name uses it too. Returns its name. */
const char *disk_vfs(void);
void disk_clear(void); /* no files, nothing recorded */

/* ---- The recording ---- */

/* Forgets what was recorded. The files as they are now are the state before the first event. */
void disk_record(void);
/* From now on this process records nothing: it lives on an image, and the recording stays. */
void disk_record_no_more(void);
size_t disk_events(void); /* recorded so far; in the parent: by its child */
void disk_flush_directory(void);

/* What SQLite's file systems lack: a file under another name, in place of what has it (atomic, and
 * lasting with the directory's next flush), and the names in a directory. */
int disk_rename(const char *from, const char *to);
void disk_each(const char *directory, void (*fn)(void *user, const char *name), void *user);

enum disk_fate {
    DISK_FLUSHED = 0, /* nothing that was not flushed */
    DISK_ALL,         /* everything */
    DISK_SUBSET,      /* an arbitrary subset of the writes, each whole */
    DISK_TORN,        /* everything, but the last write torn: a subset of its sectors */
    DISK_REORDERED,   /* each sector any of what it held since the flush */
    DISK_FATES
};

/* A walk through the recording, to build disks on the way; made where the files still are as
 * disk_record() found them. */
void disk_walk_begin(void);
void disk_walk_to(size_t events); /* onwards only, at most disk_events() */
/* Makes the files what survives a cut here; the walk can go on. The same seed: the same disk. */
void disk_cut(enum disk_fate fate, uint64_t seed);
void disk_walk_end(void);

/* ---- Faults ---- */

enum disk_fault_kind {
    DISK_NO_FAULT = 0,
    DISK_POWER,      /* the process ends with DISK_EXIT before the nth event */
    DISK_WRITE,      /* the nth write or truncation fails, the disk is as before */
    DISK_TORN_WRITE, /* of the nth write some sectors are written, then it fails */
    DISK_FULL,       /* from the nth write on `len` writes find no space; then there is some */
    DISK_FLUSH,      /* the nth flush fails, and what it should have flushed may be lost for good */
    DISK_READ,       /* `len` reads from the nth on fail */
    DISK_SHORT_READ, /* the nth read finds the file shorter than it is */
    DISK_LIE,        /* from the nth flush on they do nothing, and say they did */
    DISK_FAULTS
};

enum { DISK_EXIT = 42 };

struct disk_fault {
    enum disk_fault_kind kind;
    uint32_t nth, len; /* nth: 1 is the next */
};

void disk_arm(struct disk_fault fault); /* counts from now */
bool disk_struck(void);                 /* the fault has happened; in the parent: to its child */
uint64_t disk_reads(void);              /* since disk_arm() */
void disk_spare_me(bool spared);        /* this thread's reads neither count nor fail */

#endif
