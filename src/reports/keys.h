/* SPDX-License-Identifier: Apache-2.0
 * What keys used, from the rollups: one key by spans of time, or those of an organization that
 * spent most. THREAD any worker, with its own reader. */
#ifndef REPORTS_KEYS_H
#define REPORTS_KEYS_H

#include "store/records.h"

struct reports_key_sum {
    uint32_t key;                                          /* handle of its scope */
    uint32_t currency;                                     /* 0: nothing was billed */
    int64_t calls, cost_nano, input, output, total_tokens; /* corrections are no calls */
};

/* All instants are whole quarters of an hour of UTC. */
struct reports_key_spans {
    struct mete_scope_id organization, key;
    int64_t from_us, to_us, span_us; /* whole spans: [from, to) */
    void (*fn)(void *user, int64_t start_us, const struct reports_key_sum *sum);
    void *user;
};

/* Newest span first, once for each currency; spans in which it used nothing are left out.
 * NOT_FOUND: a span that is no whole day is too old to be told apart. Cost: linear in the spans. */
METE_MUST_USE int reports_key_spans(struct records_reader *reader,
                                    const struct reports_key_spans *spans);
struct reports_top_keys {
    struct mete_scope_id organization;
    int64_t from_us, to_us;
    struct reports_key_sum *top; /* room for max, at least 1 */
    size_t max, len;             /* len: gets how many there are */
};
/* Those that spent most, dearest first. Cost: linear in the keys that spent. */
METE_MUST_USE int reports_top_keys(struct records_reader *reader, struct reports_top_keys *top);

#endif
