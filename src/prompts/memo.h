/* SPDX-License-Identifier: Apache-2.0
 * What texts came to when they were counted before: conversations send all that was said again with
 * each turn, agents their instructions with each call.
 *
 * EXACT  whole texts are compared, never hashes alone, so nobody's text changes the count of
 *   another's. BOUNDED  by LIMIT_MEMO_BYTES of texts in MEMO_PLACES places; who floods it makes it
 *   useless and no larger. The texts lie in memory and nowhere else.
 * THREADS  any. COST  of a look: a hash and a comparison of the text, 0.1 ns a byte. */
#ifndef PROMPTS_MEMO_H
#define PROMPTS_MEMO_H

#include "tokens/encoding.h"

enum {
    MEMO_PLACES = 32768, /* so that texts of half a kilobyte fill its bytes */
    MEMO_LEAST = 128,    /* bytes: a shorter text is counted as fast as it is found */
    MEMO_MOST = 65536,   /* bytes */
};

struct memo;

/* As the text stood in its request, escapes and all. */
struct memo_count {
    int64_t tokens, wide, digits; /* as feed.h has them */
};

__attribute__((warn_unused_result)) int memo_new(struct memo **ret_memo); /* METE_E_MEMORY */
void memo_free(struct memo *memo);                                        /* NULL: nothing */

bool memo_find(struct memo *memo, const struct encoding *encoding, struct slice text,
               struct memo_count *ret_count);
/* Keeps it, if its length is one that is kept and there is memory. */
void memo_put(struct memo *memo, const struct encoding *encoding, struct slice text,
              struct memo_count count);
size_t memo_bytes(struct memo *memo); /* of texts */

#endif
