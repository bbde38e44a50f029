/* SPDX-License-Identifier: Apache-2.0
 * Sorted cells as rows of the table rollup: some dozens in a row, packed, so that adding up costs a
 * call a fraction of what its record does. Internal to store/; rollups_file.h has the tables.
 *
 *   a cell  organization - the one before | scope, if that is 0: - the one before | department |
 *           user | model | provider | currency | meter | calls | failures | cache_hits | timed |
 *           latency_ms | amount ... requests
 *
 * all varints, amount and what follows it zigzag: a correction may make them negative. */
#ifndef STORE_BLOCKS_H
#define STORE_BLOCKS_H

#include "store/cells.h"
#include "store/db.h"

/* Writes them: one stretch for each bucket among them. span: of the buckets. upto: what tells these
 * from others of the same bucket. */
struct blocks_writer {
    sqlite3_stmt *stretch, *block;
};
METE_MUST_USE int blocks_writer_open(sqlite3 *db, struct blocks_writer *writer);
void blocks_writer_close(struct blocks_writer *writer); /* a zeroed one too */
METE_MUST_USE int blocks_write(struct blocks_writer *writer, int span, int64_t upto,
                               const struct cells *cells);

struct blocks_range {
    int span;
    uint32_t from, to;                              /* buckets: [from, to) */
    uint16_t level;                                 /* 0: all */
    uint32_t organization, first_scope, last_scope; /* organization 0: all, and all scopes */
};
/* Cells of the range, and others that lie beside them. fn returning non-zero stops and is returned.
 * CORRUPT, STORAGE, MEMORY. Cost: a look a stretch, and the cells. */
METE_MUST_USE int blocks_each(sqlite3 *db, const struct blocks_range *range,
                              int (*fn)(void *user, const struct cell *), void *user);

#endif
