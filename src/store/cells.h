/* SPDX-License-Identifier: Apache-2.0
 * Usage added up in memory, in cells: one for each quarter of an hour and each of what a rollup
 * tells apart. The writer of the records has the calls that are not in the table rollup yet, and a
 * reader makes the same of them for itself; both by this code. Internal to store/.
 *
 * LEVELS  a call is added once for its organization, department, user and key, each with its model
 * and provider, and once for each of its tags. So a question about any one of them reads its own
 * cells alone.
 * MEMORY  address space fixed at birth, 140 bytes a cell and what finds them; touched as it fills.
 */
#ifndef STORE_CELLS_H
#define STORE_CELLS_H

#include "store/rollups.h"

#include <stdbool.h>

/* CELLS_MAX: of calls that wait. CELLS_DAY: while a day is put together. */
enum { CELLS_MAX = 16384, CELLS_DAY = 131072 };

struct cell_key {
    uint32_t bucket; /* quarters of an hour since 1970 */
    uint16_t level;  /* enum rollups_level */
    uint16_t meter;  /* 0: calls, and the meters that struct rollups_sums names; else this one */
    uint32_t organization, scope; /* scope: the level's own; of a tag its number */
    uint32_t department, user;    /* those that stood above it */
    uint32_t model, provider;     /* numbers of names; 0: none */
    uint32_t currency;            /* of the amount, if it is money */
};

struct cell {
    struct cell_key key;
    struct rollups_sums sums;
};

struct cells {
    struct cell *at; /* in the order they were made */
    uint32_t *slots; /* by hash: 1 + place; 0: free */
    uint32_t len, max;
    bool is_full; /* to be emptied before more is added */
};

/* MEMORY. */
METE_MUST_USE int cells_new(struct cells *cells, uint32_t max); /* max: a power of two */
void cells_done(struct cells *cells);                           /* a zeroed one too */
void cells_empty(struct cells *cells);

/* Numbers of names: of the model, the provider and each tag of a call. */
struct cell_names {
    uint32_t model, provider;
    uint32_t tags[METE_TAGS_MAX];
    size_t tags_len;
};
/* Not full (asserted). */
void cells_add(struct cells *cells, const struct records_usage *usage,
               const struct cell_names *names);
/* Not full (asserted). One cell into that of the same key, made if there is none. False: their sum
 * would not fit, and nothing was done; empty ones take any cell. */
METE_MUST_USE bool cells_merge(struct cells *cells, const struct cell *cell);
/* In the order of the table's key. */
void cells_sort(struct cells *cells); /* until it is emptied nothing can be added */

static inline uint32_t cells_bucket(int64_t ended_us)
{
    return (uint32_t)(ended_us / ROLLUPS_BUCKET_US);
}

#endif
