/* SPDX-License-Identifier: Apache-2.0 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void *user)
{
    (void)user;
    return clock_us(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void *user)
{
    (void)user;
    return clock_us(CLOCK_MONOTONIC);
}

static void system_random(void *user, void *ret_bytes, size_t len)
{
    (void)user;
    randombytes_buf(ret_bytes, len);
}

static void system_die(void *user, const char *why)
{
    (void)user;
    fprintf(stderr, "mete: stopped to keep what is on disk true: %s\n", why);
    _exit(3);
}

static int open_zone(const char *name, int *ret_file)
{
    char path[PATH_MAX];
    const char *folder = secure_getenv("TZDIR");
    int len = snprintf(path, sizeof path, "%s/%s",
                       folder && *folder ? folder : "/usr/share/zoneinfo", name);
    if (len < 0 || (size_t)len >= sizeof path)
        return METE_E_STORAGE;
    /* Not to wait for a writer, should it be a pipe. */
    *ret_file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*ret_file >= 0)
        return 0;
    return errno == ENOENT || errno == ENOTDIR ? METE_E_NOT_FOUND : METE_E_STORAGE;
}

static int read_whole(int file, char *ret_bytes, size_t max, size_t *ret_len)
{
    size_t len = 0;
    for (;;) {
        char over; /* tells a file that fills the room from one that is larger */
        ssize_t got = read(file, len < max ? ret_bytes + len : &over, len < max ? max - len : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return METE_E_STORAGE;
        if (got > 0 && len == max)
            return METE_E_TOO_LARGE;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *ret_len = len;
    return 0;
}

static int system_read_zone(void *user, const char *name, void *ret_bytes, size_t max,
                            size_t *ret_len)
{
    (void)user;
    int file;
    int rc = open_zone(name, &file);
    if (rc)
        return rc;
    struct stat status;
    if (fstat(file, &status))
        rc = METE_E_STORAGE;
    else if (!S_ISREG(status.st_mode))
        rc = METE_E_NOT_FOUND; /* a region's folder, "Europe" */
    else
        rc = read_whole(file, ret_bytes, max, ret_len);
    close(file);
    return rc;
}

static int system_free_bytes(void *user, const char *directory, uint64_t *ret_bytes)
{
    (void)user;
    struct statvfs found;
    if (statvfs(directory, &found))
        return METE_E_STORAGE;
    *ret_bytes = (uint64_t)found.f_bavail * found.f_frsize;
    return 0;
}

const struct os *os_system(void)
{
    static const struct os system = {
        .wall_us = system_wall_us,
        .monotonic_us = system_monotonic_us,
        .random = system_random,
        .die = system_die,
        .free_bytes = system_free_bytes,
        .read_zone = system_read_zone,
    };
    return &system;
}
