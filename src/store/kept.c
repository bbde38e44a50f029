/* SPDX-License-Identifier: Apache-2.0
 * A stack of idle statements. Few enough to look through; one too many is finalized. */
#include "store/kept.h"

#include "base/assert.h"

int kept_take(struct kept *kept, const char *sql, sqlite3_stmt **ret_statement)
{
    ASSERT(kept->db && sql && ret_statement);
    for (size_t i = kept->len; i-- > 0;) {
        if (kept->idle[i].sql != sql)
            continue;
        *ret_statement = kept->idle[i].statement;
        kept->idle[i] = kept->idle[--kept->len];
        return 0;
    }
    return db_prepare(kept->db, sql, ret_statement);
}

void kept_give(struct kept *kept, const char *sql, sqlite3_stmt *statement)
{
    if (kept->len == KEPT_MAX) {
        sqlite3_finalize(statement);
        return;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    kept->idle[kept->len].sql = sql;
    kept->idle[kept->len++].statement = statement;
}

void kept_close(struct kept *kept)
{
    while (kept->len)
        sqlite3_finalize(kept->idle[--kept->len].statement);
}
