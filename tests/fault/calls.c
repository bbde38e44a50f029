/* SPDX-License-Identifier: Apache-2.0
 * A statement or a backup whose step failed says so again when it is reset or finished, as SQLite's
 * own do: the few of them that are waiting for that are kept in a table. */
#include "fault/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWED = 64 };

static struct {
    _Atomic uint64_t count, nth;
    _Atomic int kind;
    _Atomic bool is_sticky;
    _Atomic(const char *) name; /* NULL: none has failed */
    pthread_mutex_t lock;
    struct {
        const void *of;
        int rc;
    } owed[OWED];
    _Atomic int backup_rc; /* what sqlite3_errcode() says of a backup that was not begun */
} calls = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const int sqlite_codes[CALLS_KINDS] = {SQLITE_IOERR, SQLITE_FULL, SQLITE_CORRUPT,
                                              SQLITE_BUSY, SQLITE_NOMEM};
static const int system_codes[CALLS_KINDS] = {EIO, ENOSPC, EIO, EACCES, ENOMEM};

static bool strikes(const char *name)
{
    uint64_t number = atomic_fetch_add(&calls.count, 1) + 1;
    uint64_t nth = atomic_load(&calls.nth);
    if (!nth || number < nth || (number > nth && !atomic_load(&calls.is_sticky)))
        return false;
    const char *nobody = NULL;
    (void)atomic_compare_exchange_strong(&calls.name, &nobody, name);
    return true;
}

static bool is_short(void)
{
    return atomic_load(&calls.kind) == CALLS_SHORT;
}

/* One of SQLite's: the code it fails with, or SQLITE_OK. */
static int refused(const char *name)
{
    return !is_short() && strikes(name) ? sqlite_codes[atomic_load(&calls.kind)] : SQLITE_OK;
}

/* One for files: whether it fails; errno is then set. */
static bool fails(const char *name)
{
    if (is_short() || !strikes(name))
        return false;
    errno = system_codes[atomic_load(&calls.kind)];
    return true;
}

void calls_arm(uint64_t nth, enum calls_kind kind, bool is_sticky)
{
    atomic_store(&calls.nth, nth);
    atomic_store(&calls.kind, (int)kind);
    atomic_store(&calls.is_sticky, is_sticky);
    atomic_store(&calls.count, 0);
    atomic_store(&calls.name, NULL);
}

uint64_t calls_count(void)
{
    return atomic_load(&calls.count);
}

bool calls_struck(void)
{
    return atomic_load(&calls.name) != NULL;
}

const char *calls_name(void)
{
    const char *name = atomic_load(&calls.name);
    return name ? name : "";
}

/* ---- SQLite's -------------------------------------------------------------------------------- */

static void owe(const void *of, int rc)
{
    pthread_mutex_lock(&calls.lock);
    int at = 0;
    while (at < OWED && calls.owed[at].of && calls.owed[at].of != of)
        at++;
    if (at == OWED)
        abort();
    calls.owed[at].of = of;
    calls.owed[at].rc = rc;
    pthread_mutex_unlock(&calls.lock);
}

/* What is owed, or else what the real one said. */
static int pay(const void *of, int rc)
{
    pthread_mutex_lock(&calls.lock);
    for (int i = 0; of && i < OWED; i++)
        if (calls.owed[i].of == of) {
            rc = calls.owed[i].rc;
            calls.owed[i].of = NULL;
        }
    pthread_mutex_unlock(&calls.lock);
    return rc;
}

int __real_sqlite3_initialize(void);
int __wrap_sqlite3_initialize(void);
int __wrap_sqlite3_initialize(void)
{
    int rc = refused("sqlite3_initialize");
    return rc ? rc : __real_sqlite3_initialize();
}

int __real_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
    int rc = refused("sqlite3_open_v2");
    *db = NULL;
    return rc ? rc : __real_sqlite3_open_v2(path, db, flags, vfs);
}

int __real_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len, sqlite3_stmt **statement,
                              const char **tail);
int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len, sqlite3_stmt **statement,
                              const char **tail);
int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len, sqlite3_stmt **statement,
                              const char **tail)
{
    int rc = refused("sqlite3_prepare_v2");
    *statement = NULL;
    return rc ? rc : __real_sqlite3_prepare_v2(db, sql, len, statement, tail);
}

int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                              sqlite3_stmt **statement, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                              sqlite3_stmt **statement, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                              sqlite3_stmt **statement, const char **tail)
{
    int rc = refused("sqlite3_prepare_v3");
    *statement = NULL;
    return rc ? rc : __real_sqlite3_prepare_v3(db, sql, len, flags, statement, tail);
}

int __real_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
    int rc = refused("sqlite3_step");
    if (!rc)
        return __real_sqlite3_step(statement);
    owe(statement, rc);
    return rc;
}

int __real_sqlite3_reset(sqlite3_stmt *statement);
int __wrap_sqlite3_reset(sqlite3_stmt *statement);
int __wrap_sqlite3_reset(sqlite3_stmt *statement)
{
    return pay(statement, __real_sqlite3_reset(statement));
}

int __real_sqlite3_finalize(sqlite3_stmt *statement);
int __wrap_sqlite3_finalize(sqlite3_stmt *statement);
int __wrap_sqlite3_finalize(sqlite3_stmt *statement)
{
    int rc = pay(statement, SQLITE_OK), real = __real_sqlite3_finalize(statement);
    return rc ? rc : real;
}

int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
                        void *user, char **message);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
                        void *user, char **message);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
                        void *user, char **message)
{
    int rc = refused("sqlite3_exec");
    return rc ? rc : __real_sqlite3_exec(db, sql, fn, user, message);
}

int __real_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *schema, int mode, int *ret_frames,
                                     int *ret_done);
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *schema, int mode, int *ret_frames,
                                     int *ret_done);
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *db, const char *schema, int mode, int *ret_frames,
                                     int *ret_done)
{
    int rc = refused("sqlite3_wal_checkpoint_v2");
    return rc ? rc : __real_sqlite3_wal_checkpoint_v2(db, schema, mode, ret_frames, ret_done);
}

sqlite3_backup *__real_sqlite3_backup_init(sqlite3 *to, const char *to_name, sqlite3 *from,
                                           const char *from_name);
sqlite3_backup *__wrap_sqlite3_backup_init(sqlite3 *to, const char *to_name, sqlite3 *from,
                                           const char *from_name);
sqlite3_backup *__wrap_sqlite3_backup_init(sqlite3 *to, const char *to_name, sqlite3 *from,
                                           const char *from_name)
{
    int rc = refused("sqlite3_backup_init");
    atomic_store(&calls.backup_rc, rc);
    return rc ? NULL : __real_sqlite3_backup_init(to, to_name, from, from_name);
}

int __real_sqlite3_backup_step(sqlite3_backup *backup, int pages);
int __wrap_sqlite3_backup_step(sqlite3_backup *backup, int pages);
int __wrap_sqlite3_backup_step(sqlite3_backup *backup, int pages)
{
    int rc = refused("sqlite3_backup_step");
    if (!rc)
        return __real_sqlite3_backup_step(backup, pages);
    owe(backup, rc);
    return rc;
}

int __real_sqlite3_backup_finish(sqlite3_backup *backup);
int __wrap_sqlite3_backup_finish(sqlite3_backup *backup);
int __wrap_sqlite3_backup_finish(sqlite3_backup *backup)
{
    int rc = pay(backup, SQLITE_OK), real = __real_sqlite3_backup_finish(backup);
    return rc ? rc : real;
}

/* Asked after a row was read: a column of it could not be. */
int __real_sqlite3_errcode(sqlite3 *db);
int __wrap_sqlite3_errcode(sqlite3 *db);
int __wrap_sqlite3_errcode(sqlite3 *db)
{
    int backup_rc = atomic_exchange(&calls.backup_rc, SQLITE_OK);
    if (backup_rc)
        return backup_rc;
    if (atomic_load(&calls.kind) == CALLS_NOMEM && refused("sqlite3_errcode"))
        return SQLITE_NOMEM;
    return __real_sqlite3_errcode(db);
}

/* ---- SQLite's file system, as the store calls it ----------------------------------------------
 */

static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods methods;
static const sqlite3_io_methods *real_methods;

static int read_file(sqlite3_file *file, void *bytes, int len, sqlite3_int64 at)
{
    int rc = refused("xRead");
    return rc ? rc : real_methods->xRead(file, bytes, len, at);
}

static int size_file(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    int rc = refused("xFileSize");
    return rc ? rc : real_methods->xFileSize(file, ret_size);
}

static int access_file(sqlite3_vfs *of, const char *path, int flags, int *ret_there)
{
    (void)of;
    int rc = refused("xAccess");
    return rc ? rc : real_vfs->xAccess(real_vfs, path, flags, ret_there);
}

static int open_file(sqlite3_vfs *of, const char *path, sqlite3_file *file, int flags, int *ret)
{
    (void)of;
    int rc = refused("xOpen");
    if (!rc)
        rc = real_vfs->xOpen(real_vfs, path, file, flags, ret);
    if (rc)
        return rc;
    real_methods = file->pMethods;
    methods = *file->pMethods;
    methods.xRead = read_file;
    methods.xFileSize = size_file;
    file->pMethods = &methods;
    return SQLITE_OK;
}

sqlite3_vfs *__real_sqlite3_vfs_find(const char *name);
sqlite3_vfs *__wrap_sqlite3_vfs_find(const char *name);
sqlite3_vfs *__wrap_sqlite3_vfs_find(const char *name)
{
    real_vfs = __real_sqlite3_vfs_find(name);
    if (!real_vfs)
        return NULL;
    vfs = *real_vfs;
    vfs.xAccess = access_file;
    vfs.xOpen = open_file;
    return &vfs;
}

/* ---- Plain files ----------------------------------------------------------------------------- */

int __real_fstat(int fd, struct stat *ret_found);

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails("open") ? -1 : __real_open(path, flags, mode);
}

/* A port's event counter is none: it cannot fail. */
static bool is_plain(int fd)
{
    struct stat found;
    return __real_fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

/* Half of it, or interrupted: what is left to be done. */
static size_t cut_short(const char *name, size_t len, bool *ret_interrupted)
{
    *ret_interrupted = false;
    if (!is_short() || !strikes(name))
        return len;
    *ret_interrupted = !atomic_load(&calls.is_sticky);
    errno = EINTR;
    return len > 1 ? len / 2 : len;
}

ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    bool is_interrupted;
    if (!is_plain(fd))
        return __real_read(fd, bytes, len);
    len = cut_short("read", len, &is_interrupted);
    return is_interrupted || fails("read") ? -1 : __real_read(fd, bytes, len);
}

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    bool is_interrupted;
    if (!is_plain(fd))
        return __real_write(fd, bytes, len);
    len = cut_short("write", len, &is_interrupted);
    return is_interrupted || fails("write") ? -1 : __real_write(fd, bytes, len);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails("fsync") ? -1 : __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : __real_rename(from, to);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
    return fails("unlink") ? -1 : __real_unlink(path);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    return fails("mkdir") ? -1 : __real_mkdir(path, mode);
}

int __wrap_fstat(int fd, struct stat *ret_found);
int __wrap_fstat(int fd, struct stat *ret_found)
{
    return fails("fstat") ? -1 : __real_fstat(fd, ret_found);
}

int __real_stat(const char *path, struct stat *ret_found);
int __wrap_stat(const char *path, struct stat *ret_found);
int __wrap_stat(const char *path, struct stat *ret_found)
{
    return fails("stat") ? -1 : __real_stat(path, ret_found);
}

int __real_lstat(const char *path, struct stat *ret_found);
int __wrap_lstat(const char *path, struct stat *ret_found);
int __wrap_lstat(const char *path, struct stat *ret_found)
{
    return fails("lstat") ? -1 : __real_lstat(path, ret_found);
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    return fails("opendir") ? NULL : __real_opendir(path);
}

struct dirent *__real_readdir(DIR *names);
struct dirent *__wrap_readdir(DIR *names);
struct dirent *__wrap_readdir(DIR *names)
{
    return fails("readdir") ? NULL : __real_readdir(names);
}
