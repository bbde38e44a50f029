/* SPDX-License-Identifier: Apache-2.0
 * The writer's part of the rollups, and their tables. For store/ alone; store/rollups.h is what
 * others ask.
 *
 *   usage rows  1 ......... rolled_seq | rolled_seq + 1 ......... last_seq
 *               in the table rollup    | in cells only, the writer's and each view's own
 *
 *   rollup rows  span DAY:     days of UTC; whole before day_bucket
 *                span QUARTER: everything; those before quarters_from may be gone
 *
 * A stretch of calls is written, sorted and packed (blocks.h), when it is some thousands of calls
 * long, or a quarter of an hour is over. So rows are put side by side, a page is written once, and
 * nothing is read before it is written; `upto`, the stretch's last seq, keeps two stretches of one
 * quarter apart, and the table stretch lists them. Where they lie is in the same transaction as the
 * usage rows they count, or in one after it: meta's rolled_seq says how far they reach, so that
 * each call is counted once, whenever the power fails. */
#ifndef STORE_ROLLUPS_FILE_H
#define STORE_ROLLUPS_FILE_H

#include "store/db.h"
#include "store/rollups.h"

#include <stdbool.h>

#define ROLLUPS_NEW_IN_VERSION_3                                                                   \
    "CREATE TABLE stretch (span INTEGER NOT NULL, bucket INTEGER NOT NULL, upto INTEGER NOT NULL," \
    " PRIMARY KEY (span, bucket, upto)) WITHOUT ROWID;"                                            \
    "CREATE TABLE rollup (span INTEGER NOT NULL, bucket INTEGER NOT NULL, upto INTEGER NOT NULL,"  \
    " level INTEGER NOT NULL, last_organization INTEGER NOT NULL, last_scope INTEGER NOT NULL,"    \
    " n INTEGER NOT NULL, first_organization INTEGER NOT NULL, first_scope INTEGER NOT NULL,"      \
    " cells BLOB NOT NULL, PRIMARY KEY (span, bucket, upto, level, last_organization, last_scope," \
    " n)) WITHOUT ROWID;"                                                                          \
    "CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"                       \
    "INSERT INTO meta VALUES ('rolled_seq', 0), ('day_bucket', 0), ('quarters_from', 0),"          \
    " ('usage_removed', 0), ('events_removed', 0);"

enum { ROLLUPS_QUARTER = 1, ROLLUPS_DAY = 2 };

/* Calls that wait in cells at most, but for those of one batch. */
enum { ROLLUPS_STRETCH = 8192 };

struct rollups;
/* Takes over what an earlier run, or an earlier version, has not rolled up: linear in it. */
METE_MUST_USE int rollups_open(const struct os *os, const char *directory, sqlite3 *db,
                               struct rollups **ret_rollups);
void rollups_close(struct rollups *rollups);
/* Within a batch: after the usage row was put. */
METE_MUST_USE int rollups_put(struct rollups *rollups, const struct records_usage *usage);
/* Within a batch, as its last step: writes the cells if it is time to. */
METE_MUST_USE int rollups_end(struct rollups *rollups);
/* Within a batch: writes the cells. */
METE_MUST_USE int rollups_write(struct rollups *rollups);
/* Whether a day is over and not put together; *ret_is_due. */
METE_MUST_USE int rollups_day_is_due(struct rollups *rollups, bool *ret_is_due);
/* Within a batch: takes its next quarter, or writes it. */
METE_MUST_USE int rollups_day_step(struct rollups *rollups);
/* The batch will not be: what is in cells is no longer what the file has. Before the next batch it
 * is recalled from there. */
void rollups_forget(struct rollups *rollups);
METE_MUST_USE int rollups_recall(struct rollups *rollups);

/* The tags of a record, one after another: false: no more. */
bool rollups_next_tag(struct slice *tags, struct slice *ret_tag);
/* A number that meta has; 0 where it has none. */
METE_MUST_USE int rollups_meta(sqlite3 *db, const char *name, int64_t *ret_value);
METE_MUST_USE int rollups_set_meta(sqlite3 *db, const char *name, int64_t value);

#endif
