/* SPDX-License-Identifier: Apache-2.0
 * Each file keeps what it held when last flushed, and the writes since. A cut rebuilds the file
 * from those: for each write the dice say kept, lost, or torn. One thread writes a file at a time.
 */
#include "fault/faulty_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, FILES = 16 };

struct written {
    struct written *next;
    sqlite3_int64 at;
    int len; /* -1: truncated to `at` */
    unsigned char bytes[];
};

struct faulty_file {
    sqlite3_file base;
    char path[512];
    int is_faulty;
    unsigned char *flushed; /* content at the last flush */
    size_t flushed_len;
    struct written *first, **last;
    _Alignas(8) unsigned char real[]; /* SQLite aligns to 8 */
};

static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;
static char only_path[64];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct faulty_file *files[FILES];
static enum faulty_kind armed;
static long at_nth, count_writes, count_flushes;
static unsigned dice;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((struct faulty_file *)(void *)file)->real;
}

static unsigned roll(void)
{
    dice = dice * 1103515245u + 12345u;
    return dice >> 16;
}

/* ---- What a file held ---- */

static void forget(struct faulty_file *file)
{
    while (file->first) {
        struct written *next = file->first->next;
        free(file->first);
        file->first = next;
    }
    file->last = &file->first;
}

static void remember_flushed(struct faulty_file *file)
{
    forget(file);
    int fd = open(file->path, O_RDONLY);
    struct stat stat = {0};
    if (fd >= 0)
        fstat(fd, &stat);
    free(file->flushed);
    file->flushed_len = (size_t)stat.st_size;
    file->flushed = malloc(file->flushed_len + 1);
    if (fd >= 0 && pread(fd, file->flushed, file->flushed_len, 0) != stat.st_size)
        abort();
    if (fd >= 0)
        close(fd);
}

static void note_written(struct faulty_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct written *note = malloc(sizeof *note + (size_t)(len > 0 ? len : 0));
    note->next = NULL;
    note->at = at;
    note->len = len;
    if (len > 0)
        memcpy(note->bytes, bytes, (size_t)len);
    *file->last = note;
    file->last = &note->next;
}

static void replay(int fd, const struct written *note)
{
    if (note->len < 0) {
        if (roll() % 2 && ftruncate(fd, note->at))
            abort();
        return;
    }
    unsigned fate = roll() % 3;
    for (int from = 0; from < note->len; from += SECTOR) {
        int len = note->len - from < SECTOR ? note->len - from : SECTOR;
        if ((fate == 0 || (fate == 2 && roll() % 2)) &&
            pwrite(fd, note->bytes + from, (size_t)len, note->at + from) != len)
            abort();
    }
}

static void cut_power(void)
{
    for (int i = 0; i < FILES; i++) {
        struct faulty_file *file = files[i];
        if (!file)
            continue;
        int fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || pwrite(fd, file->flushed, file->flushed_len, 0) != (ssize_t)file->flushed_len)
            abort();
        for (const struct written *note = file->first; note; note = note->next)
            replay(fd, note);
        close(fd);
    }
    _exit(FAULTY_CUT);
}

/* ---- The file's methods ---- */

/* Counts one; whether it is the one. */
static int strikes(enum faulty_kind first, enum faulty_kind second, long *count)
{
    ++*count;
    if (armed == FAULTY_POWER && count_writes + count_flushes == at_nth)
        cut_power();
    return (armed == first || armed == second) && *count == at_nth;
}

static int faulty_close(sqlite3_file *base)
{
    struct faulty_file *file = (struct faulty_file *)(void *)base;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FILES; i++)
        if (files[i] == file)
            files[i] = NULL;
    forget(file);
    free(file->flushed);
    pthread_mutex_unlock(&lock);
    return real_of(base)->pMethods->xClose(real_of(base));
}

static int faulty_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int faulty_write(sqlite3_file *base, const void *from, int len, sqlite3_int64 at)
{
    struct faulty_file *file = (struct faulty_file *)(void *)base;
    sqlite3_file *real = real_of(base);
    if (!file->is_faulty)
        return real->pMethods->xWrite(real, from, len, at);
    pthread_mutex_lock(&lock);
    int rc = SQLITE_OK;
    if (strikes(FAULTY_WRITE, FAULTY_TORN_WRITE, &count_writes)) {
        if (armed == FAULTY_TORN_WRITE)
            real->pMethods->xWrite(real, from, len / 2 / SECTOR * SECTOR, at);
        rc = armed == FAULTY_WRITE ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    } else {
        note_written(file, from, len, at);
        rc = real->pMethods->xWrite(real, from, len, at);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int faulty_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct faulty_file *file = (struct faulty_file *)(void *)base;
    if (file->is_faulty)
        note_written(file, NULL, -1, size);
    return real_of(base)->pMethods->xTruncate(real_of(base), size);
}

static int faulty_sync(sqlite3_file *base, int flags)
{
    struct faulty_file *file = (struct faulty_file *)(void *)base;
    if (!file->is_faulty)
        return real_of(base)->pMethods->xSync(real_of(base), flags);
    pthread_mutex_lock(&lock);
    int rc = SQLITE_OK;
    if (strikes(FAULTY_FLUSH, FAULTY_FLUSH, &count_flushes))
        rc = SQLITE_IOERR_FSYNC;
    else
        remember_flushed(file);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int faulty_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_check_lock(sqlite3_file *file, int *ret_locked)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_locked);
}

static int faulty_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int faulty_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int faulty_shm_map(sqlite3_file *file, int page, int size, int extend,
                          void volatile **ret_at)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret_at);
}

static int faulty_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void faulty_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int faulty_shm_unmap(sqlite3_file *file, int delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_check_lock,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector,
    .xDeviceCharacteristics = faulty_traits,
    .xShmMap = faulty_shm_map,
    .xShmLock = faulty_shm_lock,
    .xShmBarrier = faulty_shm_barrier,
    .xShmUnmap = faulty_shm_unmap,
};

static int faulty_open(sqlite3_vfs *self, const char *path, sqlite3_file *base, int flags,
                       int *ret_flags)
{
    (void)self;
    struct faulty_file *file = (struct faulty_file *)(void *)base;
    memset(file, 0, sizeof *file);
    file->last = &file->first;
    int rc = real_vfs->xOpen(real_vfs, path, real_of(base), flags, ret_flags);
    if (rc || !real_of(base)->pMethods)
        return rc;
    base->pMethods = &methods;
    file->is_faulty = path && strstr(path, only_path) != NULL && !(flags & SQLITE_OPEN_READONLY);
    if (!file->is_faulty)
        return rc;
    snprintf(file->path, sizeof file->path, "%s", path);
    pthread_mutex_lock(&lock);
    remember_flushed(file);
    int i = 0;
    while (i < FILES && files[i])
        i++;
    if (i == FILES)
        abort();
    files[i] = file;
    pthread_mutex_unlock(&lock);
    return rc;
}

const char *faulty_vfs(const char *only)
{
    snprintf(only_path, sizeof only_path, "%s", only);
    if (!vfs.zName) {
        real_vfs = sqlite3_vfs_find(NULL);
        vfs = *real_vfs;
        vfs.zName = "faulty";
        vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
        vfs.xOpen = faulty_open;
        if (sqlite3_vfs_register(&vfs, 0))
            abort();
    }
    return vfs.zName;
}

void faulty_arm(enum faulty_kind kind, long nth, unsigned seed)
{
    armed = kind;
    at_nth = nth;
    dice = seed;
    count_writes = count_flushes = 0;
}

long faulty_count(void)
{
    return count_writes + count_flushes;
}
