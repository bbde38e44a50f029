/* SPDX-License-Identifier: Apache-2.0
 * What the disk of disk.c is made of; for that file alone. */
#ifndef FAULT_DISK_PARTS_H
#define FAULT_DISK_PARTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECTOR = 512, INODES = 4096, NAMES = 2048, PATH = 256, SHM_PAGES = 64, LOCKS = 8 };
enum { EVENTS_MAX = 1 << 20 };
static const size_t bytes_max = (size_t)1 << 30; /* of the recording; address space */

enum event_kind {
    CREATED,
    DELETED,
    RENAMED,
    WROTE,
    TRUNCATED,
    FLUSHED,
    FLUSH_FAILED,
    FLUSHED_DIRECTORY
};

struct event {
    enum event_kind kind;
    int inode;
    int64_t at; /* TRUNCATED: the new length; CREATED, DELETED: which name; RENAMED: the new one */
    size_t bytes, len; /* RENAMED: bytes is the old name */
};

struct recording {
    size_t events_len, bytes_len;
    bool struck;
    int paths_len;
    char paths[NAMES][PATH]; /* known so far; never forgotten */
    struct event events[EVENTS_MAX];
    unsigned char bytes[];
};

struct content {
    unsigned char *bytes;
    size_t len, room;
};

struct inode {
    struct content content;
    bool flushes_directory; /* with its next flush */
    int shared, reserved, exclusive;
    void *shm[SHM_PAGES];
    int shm_users, shm_shared[LOCKS], shm_exclusive[LOCKS];
};

struct handle {
    sqlite3_file base;
    int inode;
    int level;             /* of the lock */
    bool has_shm, deletes; /* deletes: when closed */
    unsigned shm_shared, shm_exclusive;
};

struct names {
    int inode[NAMES]; /* -1: there is no such file */
};

struct pending {
    size_t *events;
    size_t len, room;
};

#endif
