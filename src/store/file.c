/* SPDX-License-Identifier: Apache-2.0 */
#include "store/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct file {
    int fd;
};

static int open_file(const char *path, int flags, struct file **ret_file)
{
    struct file *file = malloc(sizeof *file);
    if (!file)
        return METE_E_MEMORY;
    file->fd = open(path, flags | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        int error = errno == ENOENT || errno == ENOTDIR ? METE_E_NOT_FOUND : METE_E_STORAGE;
        free(file);
        return error;
    }
    *ret_file = file;
    return 0;
}

int file_create(const char *path, struct file **ret_file)
{
    int error = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, ret_file);
    return error == METE_E_NOT_FOUND ? METE_E_STORAGE : error;
}

int file_open(const char *path, struct file **ret_file)
{
    return open_file(path, O_RDONLY, ret_file);
}

void file_close(struct file *file)
{
    if (!file)
        return;
    close(file->fd);
    free(file);
}

int file_write(struct file *file, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        ssize_t done = write(file->fd, at, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return METE_E_STORAGE;
        at += done;
        len -= (size_t)done;
    }
    return 0;
}

int file_read(struct file *file, void *ret_bytes, size_t len, size_t *ret_len)
{
    char *at = ret_bytes;
    size_t left = len;
    while (left) {
        ssize_t done = read(file->fd, at, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return METE_E_STORAGE;
        if (done == 0)
            break;
        at += done;
        left -= (size_t)done;
    }
    *ret_len = len - left;
    return 0;
}

int file_flush(struct file *file)
{
    return fsync(file->fd) ? METE_E_STORAGE : 0;
}

int file_rename(const char *from, const char *to)
{
    return rename(from, to) ? METE_E_STORAGE : 0;
}

int file_remove(const char *path)
{
    return unlink(path) && errno != ENOENT ? METE_E_STORAGE : 0;
}

static int error_of(int number)
{
    return number == ENOMEM ? METE_E_MEMORY : METE_E_STORAGE;
}

int file_each(const char *directory, void (*fn)(void *user, const char *name), void *user)
{
    DIR *names = opendir(directory);
    if (!names)
        return errno == ENOENT ? 0 : error_of(errno);
    errno = 0;
    for (struct dirent *name; (name = readdir(names)); errno = 0)
        fn(user, name->d_name);
    int error = errno ? error_of(errno) : 0;
    closedir(names);
    return error;
}
