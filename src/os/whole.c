/* SPDX-License-Identifier: Apache-2.0
 * A rename replaces what has the name; a link does not, which is why whole_make() links. */
#include "os/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int path_put(char room[WHOLE_PATH], const char *directory, const char *name,
                    const char *suffix)
{
    int len = snprintf(room, WHOLE_PATH, "%s/%s%s", directory, name, suffix);
    if (len > 0 && len < WHOLE_PATH)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        ssize_t written = write(fd, at, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        at += written;
        len -= (size_t)written;
    }
    return 0;
}

static int flush_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd);
    close(fd);
    return result;
}

/* Written and flushed, but known to no directory for good. */
static int write_fresh(const char *path, mode_t mode, const void *bytes, size_t len)
{
    unlink(path); /* of one that did not get to its end */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -1;
    int result = write_all(fd, bytes, len);
    if (result == 0)
        result = fsync(fd);
    if (close(fd) != 0)
        result = -1;
    return result;
}

int whole_put(const char *directory, const char *name, const void *bytes, size_t len)
{
    char path[WHOLE_PATH], fresh[WHOLE_PATH];
    if (path_put(path, directory, name, "") || path_put(fresh, directory, name, ".new") ||
        write_fresh(fresh, 0600, bytes, len))
        return -1;
    return rename(fresh, path) == 0 ? flush_directory(directory) : -1;
}

int whole_make(const char *path, mode_t mode, const void *bytes, size_t len)
{
    char directory[WHOLE_PATH], fresh[WHOLE_PATH];
    const char *slash = strrchr(path, '/');
    size_t directory_len = slash ? (size_t)(slash - path) : 1;
    if (directory_len + 1 >= sizeof directory) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(directory, slash ? path : ".", directory_len);
    if (slash == path)
        directory[directory_len++] = '/';
    directory[directory_len] = 0;
    if (path_put(fresh, directory, slash ? slash + 1 : path, ".new") ||
        write_fresh(fresh, mode, bytes, len))
        return -1;
    int result = link(fresh, path), saved = errno;
    unlink(fresh);
    errno = saved;
    return result == 0 ? flush_directory(directory) : -1;
}

ssize_t whole_get(const char *directory, const char *name, void *room, size_t room_len)
{
    char path[WHOLE_PATH];
    if (path_put(path, directory, name, ""))
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t got = 0;
    ssize_t part = 1;
    while (part > 0 && got < room_len) {
        part = read(fd, (char *)room + got, room_len - got);
        if (part < 0 && errno == EINTR)
            part = 1;
        else if (part > 0)
            got += (size_t)part;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return part < 0 ? -1 : (ssize_t)got;
}
