/* SPDX-License-Identifier: Apache-2.0
 * What the program asks of the system, behind one struct, so that tests can put a system that lies
 * in its place. The data's files belong to SQLite, whose VFS is named here. All functions: any
 * thread. */
#ifndef OS_OS_H
#define OS_OS_H

#include "mete.h"

#include <stddef.h>
#include <stdint.h>

struct os {
    int64_t (*wall_us)(void *user);      /* since 1970-01-01T00:00:00Z; may jump */
    int64_t (*monotonic_us)(void *user); /* never goes back; origin unknown */
    void (*random)(void *user, void *ret_bytes, size_t len);
    void (*die)(void *user, const char *why); /* ends the process at once (INV-15) */
    /* The file of a time zone, whole. name: terminated, without `..` or a first `/`.
     * NOT_FOUND: there is no such file; TOO_LARGE: more than max bytes; STORAGE: it is there and
     * cannot be read. */
    int (*read_zone)(void *user, const char *name, void *ret_bytes, size_t max, size_t *ret_len);
    /* What may still be written to the directory's file system. STORAGE: it does not say. NULL: not
     * known. */
    int (*free_bytes)(void *user, const char *directory, uint64_t *ret_bytes);
    const char *sqlite_vfs; /* NULL: the default one */
    void *user;
};

/* The real system. Static. Zones are looked for in $TZDIR, as by the C library, and without one in
 * /usr/share/zoneinfo. */
const struct os *os_system(void);

static inline int64_t os_wall_us(const struct os *os)
{
    return os->wall_us(os->user);
}

static inline int64_t os_monotonic_us(const struct os *os)
{
    return os->monotonic_us(os->user);
}

METE_MUST_USE static inline int os_read_zone(const struct os *os, const char *name, void *ret_bytes,
                                             size_t max, size_t *ret_len)
{
    return os->read_zone(os->user, name, ret_bytes, max, ret_len);
}

#endif
