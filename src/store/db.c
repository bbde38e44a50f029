/* SPDX-License-Identifier: Apache-2.0
 * The few steps every SQLite file of ours takes. Statements are prepared once and kept; values are
 * bound SQLITE_STATIC, because every caller runs the statement before its arguments die.
 *
 * Considered and not done: a busy timeout. The journal has one connection for ever, so a lock means
 * another process; the records have one writer, and readers of a WAL file wait for nobody. */
#include "store/db.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

int db_error(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return METE_E_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return METE_E_CORRUPT;
    case SQLITE_NOMEM:
        return METE_E_MEMORY;
    default:
        return METE_E_STORAGE;
    }
}

int db_sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return METE_E_STORAGE;
    int failed = fsync(fd);
    close(fd);
    return failed ? METE_E_STORAGE : 0;
}

int db_make_directory(const char *directory)
{
    ASSERT(directory);
    struct stat found;
    if (!stat(directory, &found))
        return S_ISDIR(found.st_mode) ? 0 : METE_E_STORAGE;
    if (mkdir(directory, 0700) && errno != EEXIST)
        return METE_E_STORAGE;
    char parent[PATH_ROOM];
    int len = snprintf(parent, sizeof parent, "%s/..", directory);
    if (len < 0 || len >= (int)sizeof parent)
        return METE_E_STORAGE;
    return db_sync_directory(parent);
}

int db_open(const struct os *os, const char *directory, const char *name, enum db_mode mode,
            sqlite3 **ret_db)
{
    ASSERT(os && directory && name);
    static const int flags[] = {SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, SQLITE_OPEN_READWRITE,
                                SQLITE_OPEN_READONLY};
    char path[PATH_ROOM];
    int len = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (len < 0 || len >= (int)sizeof path)
        return METE_E_STORAGE;
    int rc = sqlite3_initialize(); /* or there may be no VFS yet */
    if (rc)
        return db_error(rc);
    sqlite3_vfs *vfs = sqlite3_vfs_find(os->sqlite_vfs);
    int there = 0;
    if (!vfs || vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &there))
        return METE_E_STORAGE;
    if (!there && mode != DB_CREATE)
        return METE_E_NOT_FOUND;
    sqlite3 *db = NULL;
    rc = sqlite3_open_v2(path, &db, flags[mode] | SQLITE_OPEN_NOMUTEX, os->sqlite_vfs);
    if (rc) {
        sqlite3_close(db);
        return db_error(rc);
    }
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, 0);
    *ret_db = db;
    return 0;
}

void db_close(sqlite3 *db)
{
    int rc = sqlite3_close(db);
    ASSERT(rc == SQLITE_OK);
}

int db_exec(sqlite3 *db, const char *sql)
{
    return db_error(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* Our statements are right: what they speak of is not in the file. */
static int prepare_error(int rc)
{
    return rc == SQLITE_ERROR ? METE_E_CORRUPT : db_error(rc);
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement)
{
    return prepare_error(
        sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL));
}

int db_number(sqlite3 *db, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc)
        return prepare_error(rc);
    rc = sqlite3_step(statement);
    int64_t number = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    int error = db_error(sqlite3_finalize(statement));
    if (!error)
        *ret_number = number;
    return error;
}

int db_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    ASSERT(rc != SQLITE_ROW);
    return rc == SQLITE_DONE ? 0 : db_error(reset ? reset : rc);
}

int db_identify(sqlite3 *db, uint32_t application, int version, int *ret_fresh)
{
    int64_t objects, found_application, found_version;
    int error = db_number(db, "SELECT count(*) FROM sqlite_master", &objects);
    if (!error)
        error = db_number(db, "PRAGMA application_id", &found_application);
    if (!error)
        error = db_number(db, "PRAGMA user_version", &found_version);
    if (error)
        return error;
    if (!objects && !found_application) {
        *ret_fresh = 1;
        return 0;
    }
    if ((uint32_t)found_application != application || found_version < 1)
        return METE_E_CORRUPT;
    if (found_version > version)
        return METE_E_FORMAT;
    *ret_fresh = 0;
    return 0;
}

void db_bind_text(sqlite3_stmt *statement, int column, struct slice text)
{
    ASSERT(text.len <= INT32_MAX);
    sqlite3_bind_text(statement, column, text.data ? text.data : "", (int)text.len, SQLITE_STATIC);
}

struct slice db_column_text(sqlite3_stmt *statement, int column)
{
    const char *data = (const char *)sqlite3_column_text(statement, column);
    return (struct slice){data, data ? (size_t)sqlite3_column_bytes(statement, column) : 0};
}

int db_row_error(sqlite3_stmt *statement)
{
    int rc = sqlite3_errcode(sqlite3_db_handle(statement));
    return rc == SQLITE_NOMEM ? METE_E_MEMORY : 0;
}
