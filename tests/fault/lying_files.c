/* SPDX-License-Identifier: Apache-2.0
 * store/file.h on the disk in memory (disk.h), so that snapshots are torn, lost, reordered and full
 * like everything else. For programs that are linked as lying_os.h says. */
#include "fault/disk.h"
#include "store/file.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct file {
    sqlite3_file *on_disk;
    int64_t at;
};

int __wrap_file_create(const char *path, struct file **ret_file);
int __wrap_file_open(const char *path, struct file **ret_file);
void __wrap_file_close(struct file *file);
int __wrap_file_write(struct file *file, const void *bytes, size_t len);
int __wrap_file_read(struct file *file, void *ret_bytes, size_t len, size_t *ret_len);
int __wrap_file_flush(struct file *file);
int __wrap_file_rename(const char *from, const char *to);
int __wrap_file_remove(const char *path);
int __wrap_file_each(const char *directory, void (*fn)(void *user, const char *name), void *user);

static sqlite3_vfs *vfs(void)
{
    return sqlite3_vfs_find(disk_vfs());
}

static int open_file(const char *path, int flags, struct file **ret_file)
{
    struct file *file = calloc(1, sizeof *file);
    file->on_disk = calloc(1, (size_t)vfs()->szOsFile);
    int rc = vfs()->xOpen(vfs(), path, file->on_disk, flags | SQLITE_OPEN_MAIN_DB, &flags);
    if (rc) {
        free(file->on_disk);
        free(file);
        return METE_E_NOT_FOUND;
    }
    *ret_file = file;
    return 0;
}

int __wrap_file_create(const char *path, struct file **ret_file)
{
    struct file *file;
    if (open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &file))
        return METE_E_STORAGE;
    if (file->on_disk->pMethods->xTruncate(file->on_disk, 0)) {
        __wrap_file_close(file);
        return METE_E_STORAGE;
    }
    *ret_file = file;
    return 0;
}

int __wrap_file_open(const char *path, struct file **ret_file)
{
    return open_file(path, SQLITE_OPEN_READONLY, ret_file);
}

void __wrap_file_close(struct file *file)
{
    if (!file)
        return;
    file->on_disk->pMethods->xClose(file->on_disk);
    free(file->on_disk);
    free(file);
}

int __wrap_file_write(struct file *file, const void *bytes, size_t len)
{
    int rc = file->on_disk->pMethods->xWrite(file->on_disk, bytes, (int)len, file->at);
    file->at += (int64_t)len;
    return rc ? METE_E_STORAGE : 0;
}

int __wrap_file_read(struct file *file, void *ret_bytes, size_t len, size_t *ret_len)
{
    sqlite3_int64 size = 0;
    int rc = file->on_disk->pMethods->xFileSize(file->on_disk, &size);
    size_t left = size > file->at ? (size_t)(size - file->at) : 0;
    size_t got = left < len ? left : len;
    if (!rc && got)
        rc = file->on_disk->pMethods->xRead(file->on_disk, ret_bytes, (int)got, file->at);
    file->at += (int64_t)got;
    *ret_len = got;
    return rc ? METE_E_STORAGE : 0;
}

int __wrap_file_flush(struct file *file)
{
    return file->on_disk->pMethods->xSync(file->on_disk, SQLITE_SYNC_FULL) ? METE_E_STORAGE : 0;
}

int __wrap_file_rename(const char *from, const char *to)
{
    return disk_rename(from, to) ? METE_E_STORAGE : 0;
}

int __wrap_file_remove(const char *path)
{
    int rc = vfs()->xDelete(vfs(), path, 0);
    return rc && rc != SQLITE_IOERR_DELETE_NOENT ? METE_E_STORAGE : 0;
}

int __wrap_file_each(const char *directory, void (*fn)(void *user, const char *name), void *user)
{
    disk_each(directory, fn, user);
    return 0;
}
