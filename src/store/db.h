/* SPDX-License-Identifier: Apache-2.0
 * What journal and records share of SQLite: opening a file of the data directory, running
 * statements, and turning SQLite's codes into ours. Internal to store/.
 * THREAD a connection belongs to one thread at a time (opened without SQLite's own mutex). */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/slice.h"
#include "mete.h"
#include "os/os.h"

#include <sqlite3.h>

enum db_mode {
    DB_CREATE = 0, /* read and write, created if missing */
    DB_EXISTING,   /* read and write, not created */
    DB_READER      /* read only */
};

/* SQLITE_OK, _ROW and _DONE are 0. BUSY: LOCKED. CORRUPT, NOTADB: CORRUPT. NOMEM: MEMORY. All else:
 * STORAGE. */
int db_error(int rc);

/* Creates the directory if it is missing, durably. STORAGE. */
METE_MUST_USE int db_make_directory(const char *directory);
/* Makes new names in the directory durable. STORAGE. */
METE_MUST_USE int db_sync_directory(const char *directory);

/* Opens directory/name through os->sqlite_vfs; waits for no lock. NOT_FOUND unless DB_CREATE. */
METE_MUST_USE int db_open(const struct os *os, const char *directory, const char *name,
                          enum db_mode mode, sqlite3 **ret_db);
/* NULL is legal. All statements must be finalized (asserted). */
void db_close(sqlite3 *db);

/* Runs statements that return nothing of interest. */
METE_MUST_USE int db_exec(sqlite3 *db, const char *sql);
/* The first column of the first row; 0 if there is none. */
METE_MUST_USE int db_number(sqlite3 *db, const char *sql, int64_t *ret_number);
/* CORRUPT also: the file has no such table or column. So has db_number(). */
METE_MUST_USE int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement);
/* Steps a statement that returns no row, and resets it. */
METE_MUST_USE int db_run(sqlite3_stmt *statement);

/* Whose file is it: 0 ours, *ret_fresh says whether it is still empty; FORMAT: a newer one of
 * ours; CORRUPT: not ours. */
METE_MUST_USE int db_identify(sqlite3 *db, uint32_t application, int version, int *ret_fresh);

void db_bind_text(sqlite3_stmt *statement, int column, struct slice text);
/* An empty text also where there was no memory to read it: ask db_row_error() before believing. */
struct slice db_column_text(sqlite3_stmt *statement, int column);
/* After the columns of a row were read: MEMORY if one of them could not be. */
METE_MUST_USE int db_row_error(sqlite3_stmt *statement);

#endif
