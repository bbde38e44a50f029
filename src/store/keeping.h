/* SPDX-License-Identifier: Apache-2.0
 * What records_tend() does, a step at a time. For store/ alone. */
#ifndef STORE_KEEPING_H
#define STORE_KEEPING_H

#include "store/rollups_file.h"

enum keeping_step {
    KEEPING_NOTHING = 0,
    KEEPING_DAY,      /* a quarter becomes part of its day */
    KEEPING_USAGE,    /* some records are removed, */
    KEEPING_EVENTS,   /* some events, */
    KEEPING_QUARTERS, /* a quarter of an hour */
};

/* What is to be done first. */
METE_MUST_USE int keeping_find(sqlite3 *db, struct rollups *rollups,
                               const struct records_keep *keep, enum keeping_step *ret_step);
/* Within a batch. */
METE_MUST_USE int keeping_do(sqlite3 *db, struct rollups *rollups, const struct records_keep *keep,
                             enum keeping_step step);

#endif
