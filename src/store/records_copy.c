/* SPDX-License-Identifier: Apache-2.0
 * A copy of the records beside their writer: SQLite's own backup, from a connection that holds one
 * read transaction all the while, so that the copy is of one instant and small steps need not begin
 * again when something is written. The writer waits for nobody; its write-ahead file grows until
 * the copy is made. */
#include "store/records.h"

#include "base/assert.h"
#include "store/db.h"

enum { STEP_PAGES = 128 /* a megabyte */ };

static int copy_pages(sqlite3 *from, sqlite3 *to, int (*pace)(void *user), void *user)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return db_error(sqlite3_errcode(to));
    int rc = SQLITE_OK, stopped = 0;
    while (rc == SQLITE_OK && !stopped) {
        rc = sqlite3_backup_step(backup, STEP_PAGES);
        stopped = pace(user);
    }
    int finished = sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE)
        return 0;
    return stopped ? stopped : db_error(finished ? finished : rc);
}

int records_copy(const struct os *os, const char *from, const char *to,
                 const struct records_pace *pace, uint64_t *ret_last_seq)
{
    sqlite3 *source = NULL, *copy = NULL;
    int64_t last_seq = 0;
    int error = db_open(os, from, "records.db", DB_READER, &source);
    if (error)
        return error;
    error = db_exec(source, "BEGIN");
    if (!error)
        error = db_number(source, "SELECT value FROM meta WHERE name='last_seq'", &last_seq);
    if (!error)
        error = db_open(os, to, "records.db", DB_CREATE, &copy);
    if (!error)
        error = copy_pages(source, copy, pace->fn, pace->user);
    if (copy)
        db_close(copy);
    db_close(source);
    if (!error)
        *ret_last_seq = (uint64_t)last_seq;
    return error;
}
