/* SPDX-License-Identifier: Apache-2.0
 * One piece -> its tokens: byte-pair merging, the lowest rank first, the leftmost of equals.
 *
 * A run holds the tokens of a piece that may still change at its end: only as many of its last
 * tokens are merged anew as the change reaches (see EXACT in vocabulary.h).
 *
 * COST linear in the bytes, amortised; no recursion. MEMORY a run: 4 bytes a token. */
#ifndef TOKENS_MERGE_H
#define TOKENS_MERGE_H

#include "tokens/vocabulary.h"

enum {
    MERGE_MAX = 4096, /* most bytes for one merge_short() */
    MERGE_FEW = 62    /* most bytes of each of several */
};

/* Tokens of bytes, of which there are at most MERGE_MAX. ret_tokens has room for as many as bytes.
 * Returns how many. */
uint32_t merge_short(const struct vocabulary *v, struct slice bytes, uint32_t *ret_tokens);

/* How many tokens each of several pieces has, of 1 to MERGE_FEW bytes. They are merged side by
 * side: what a merge needs comes from far away, and all wait for it together. */
void merge_several(const struct vocabulary *v, const struct slice *pieces, unsigned len,
                   unsigned *ret_counts);

/* The same, and which: each has room for as many as its piece has bytes. */
void merge_several_tokens(const struct vocabulary *v, const struct slice *pieces, unsigned len,
                          uint32_t *const *ret_tokens, unsigned *ret_counts);

struct merge_run {
    uint32_t *tokens;
    size_t len, room;
    uint64_t work; /* bytes that were merged, each time they were: tests hold it to be linear */
};

/* Adds bytes behind the run. METE_E_MEMORY: the run is that of some part of them, and of no use. */
__attribute__((warn_unused_result)) int merge_more(const struct vocabulary *v,
                                                   struct merge_run *run, struct slice bytes);
/* The run without its last drop bytes, of which it has as many. METE_E_MEMORY: it is as it was. */
__attribute__((warn_unused_result)) int merge_less(const struct vocabulary *v,
                                                   struct merge_run *run, size_t drop);
/* How many tokens the run would have without its last drop bytes and with bytes behind it, a few;
 * the run stays as it is. METE_E_MEMORY. */
__attribute__((warn_unused_result)) int merge_would(const struct vocabulary *v,
                                                    struct merge_run *run, size_t drop,
                                                    struct slice bytes, size_t *ret_len);
/* The run of both texts, one behind the other. other: not changed. METE_E_MEMORY: of no use. */
__attribute__((warn_unused_result)) int
merge_join(const struct vocabulary *v, struct merge_run *run, const struct merge_run *other);
void merge_clear(struct merge_run *run); /* keeps its room */
void merge_done(struct merge_run *run);

#endif
