/* SPDX-License-Identifier: Apache-2.0
 * Prepared statements that a reading connection keeps between questions: the same few are asked for
 * each row of a list, and preparing one costs more than the row. Internal to store/.
 * THREAD that of the connection. */
#ifndef STORE_KEPT_H
#define STORE_KEPT_H

#include "store/db.h"

enum { KEPT_MAX = 16 };

/* All zero but db is empty. */
struct kept {
    sqlite3 *db;
    size_t len; /* idle ones */
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } idle[KEPT_MAX];
};

/* A statement of sql, reset and with nothing bound. sql is a literal: it is known by its address.
 * While one is taken, another of the same text is another statement. Errors as db_prepare(). */
METE_MUST_USE int kept_take(struct kept *kept, const char *sql, sqlite3_stmt **ret_statement);
/* Ends what it reads. */
void kept_give(struct kept *kept, const char *sql, sqlite3_stmt *statement);
/* All that were taken have been given back. */
void kept_close(struct kept *kept);

#endif
