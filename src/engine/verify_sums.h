/* SPDX-License-Identifier: Apache-2.0
 * verify's part for rollups: that what they tell of each organization, department, user and key is
 * the sum of the journal's calls, of records too that were removed by age. For verify.c alone. */
#ifndef ENGINE_VERIFY_SUMS_H
#define ENGINE_VERIFY_SUMS_H

#include "store/rollups.h"

struct verify_sum;

struct verify_sums {
    int64_t from_us;       /* calls that ended before are not compared: a midnight, in UTC */
    struct verify_sum *at; /* [handle] */
    size_t room;
};

/* The journal begins behind an entry of this instant; 0: at the beginning. */
void verify_sums_begin(struct verify_sums *sums, int64_t base_at_us);
void verify_sums_done(struct verify_sums *sums);
/* Each usage record that the records have, or had. MEMORY. */
METE_MUST_USE int verify_sums_add(struct verify_sums *sums, const struct records_usage *usage);
/* CORRUPT with *ret_scope: the first that differs, or 0; others as records.h. */
METE_MUST_USE int verify_sums_compare(struct verify_sums *sums, struct records_reader *reader,
                                      uint32_t *ret_scope);

#endif
