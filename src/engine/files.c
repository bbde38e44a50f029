/* SPDX-License-Identifier: Apache-2.0
 * Two levels, because a data directory has no more. Only what is a regular file is copied or
 * removed: a link in it is nobody's of ours. */
#include "engine/files.h"

#include "base/assert.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 18 };

static int join(char room[FILES_PATH], const char *directory, const char *name)
{
    int len = snprintf(room, FILES_PATH, "%s/%s", directory, name);
    return len > 0 && len < FILES_PATH ? 0 : METE_E_STORAGE;
}

/* The next name; NULL: none, or it cannot be read (*ret_error). */
static const char *next_name(DIR *names, int *ret_error)
{
    errno = 0;
    struct dirent *name = readdir(names);
    *ret_error = !name && errno ? METE_E_STORAGE : 0;
    return name ? name->d_name : NULL;
}

/* Calls fn for each regular file; non-zero stops and is returned. */
static int each_file(const char *directory, int (*fn)(void *user, const char *name), void *user)
{
    DIR *names = opendir(directory);
    if (!names)
        return errno == ENOENT ? METE_E_NOT_FOUND : METE_E_STORAGE;
    int error = 0;
    for (const char *name; !error && (name = next_name(names, &error));) {
        char path[FILES_PATH];
        struct stat found;
        error = join(path, directory, name);
        if (!error && lstat(path, &found))
            error = errno == ENOENT ? 0 : METE_E_STORAGE; /* taken away meanwhile */
        else if (!error && S_ISREG(found.st_mode))
            error = fn(user, name);
    }
    closedir(names);
    return error;
}

static int flush_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return METE_E_STORAGE;
    int failed = fsync(fd);
    close(fd);
    return failed ? METE_E_STORAGE : 0;
}

/* ---- Whole or not there ---------------------------------------------------------------------- */

/* 0; EXISTS: there is something in it; STORAGE. */
static int check_empty(const char *directory)
{
    DIR *names = opendir(directory);
    if (!names)
        return errno == ENOENT ? 0 : errno == ENOTDIR ? METE_E_EXISTS : METE_E_STORAGE;
    int error = 0;
    for (const char *name; !error && (name = next_name(names, &error));)
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            error = METE_E_EXISTS;
    closedir(names);
    return error;
}

int files_begin(const char *directory, char ret_part[FILES_PATH])
{
    size_t len = strlen(directory);
    while (len > 1 && directory[len - 1] == '/')
        len--;
    if (len + sizeof ".part" > FILES_PATH)
        return METE_E_STORAGE;
    int error = check_empty(directory);
    if (error)
        return error;
    snprintf(ret_part, FILES_PATH, "%.*s.part", (int)len, directory);
    files_remove(ret_part);
    return mkdir(ret_part, 0700) ? METE_E_STORAGE : 0;
}

int files_end(const char *part, const char *directory)
{
    char parent[FILES_PATH];
    int error = flush_directory(part);
    if (!error && rename(part, directory))
        error = errno == ENOTEMPTY || errno == EEXIST ? METE_E_EXISTS : METE_E_STORAGE;
    if (!error)
        error = join(parent, directory, "..");
    if (!error && (error = flush_directory(parent)) != 0 && rename(directory, part))
        return error; /* it is there, and whether it lasts nobody knows */
    if (error)
        files_remove(part);
    return error;
}

static int remove_one(void *user, const char *name)
{
    char path[FILES_PATH];
    if (!join(path, user, name))
        unlink(path);
    return 0;
}

static void remove_level(char *path)
{
    (void)each_file(path, remove_one, path);
    rmdir(path);
}

void files_remove(const char *part)
{
    char path[FILES_PATH];
    if (!join(path, part, "snapshots"))
        remove_level(path);
    snprintf(path, sizeof path, "%s", part);
    remove_level(path);
}

/* ---- Copying --------------------------------------------------------------------------------- */

struct copying {
    const char *from, *to;
    char *bytes;
};

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return METE_E_STORAGE;
        bytes += done;
        len -= (size_t)done;
    }
    return 0;
}

static int copy_bytes(int from, int to, char *bytes)
{
    for (;;) {
        ssize_t got = read(from, bytes, COPY_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return METE_E_STORAGE;
        if (got == 0)
            return fsync(to) ? METE_E_STORAGE : 0;
        int error = write_all(to, bytes, (size_t)got);
        if (error)
            return error;
    }
}

static bool is_left_out(const char *name)
{
    size_t len = strlen(name);
    return !strcmp(name, "address") || (len > 4 && !strcmp(name + len - 4, "-shm"));
}

static int copy_one(void *user, const char *name)
{
    const struct copying *copying = user;
    char source[FILES_PATH], target[FILES_PATH];
    struct stat found;
    if (is_left_out(name))
        return 0;
    int error = join(source, copying->from, name);
    if (!error)
        error = join(target, copying->to, name);
    if (error)
        return error;
    int from = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), to = -1;
    error = from < 0 || fstat(from, &found) ? METE_E_STORAGE : 0;
    if (!error)
        to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, found.st_mode & 0700);
    if (!error)
        error = to < 0 ? METE_E_STORAGE : copy_bytes(from, to, copying->bytes);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return error;
}

static int copy_level(struct copying *copying)
{
    int error = each_file(copying->from, copy_one, copying);
    return error ? error : flush_directory(copying->to);
}

static int copy_snapshots(const char *from, const char *to, char *bytes)
{
    char source[FILES_PATH], target[FILES_PATH];
    struct stat found;
    struct copying copying = {source, target, bytes};
    int error = join(source, from, "snapshots");
    if (!error)
        error = join(target, to, "snapshots");
    if (error)
        return error;
    if (stat(source, &found))
        return errno == ENOENT ? 0 : METE_E_STORAGE;
    return mkdir(target, 0700) ? METE_E_STORAGE : copy_level(&copying);
}

int files_copy_all(const char *from, const char *to)
{
    struct copying copying = {from, to, malloc(COPY_BYTES)};
    if (!copying.bytes)
        return METE_E_MEMORY;
    int error = copy_snapshots(from, to, copying.bytes);
    if (!error)
        error = copy_level(&copying);
    free(copying.bytes);
    return error;
}
