/* SPDX-License-Identifier: Apache-2.0
 * The encodings: how a text is split, the tokens, and the special ones. Those of OpenAI come with
 * mete (o200k_base, o200k_harmony, cl100k_base, p50k_base, p50k_edit, r50k_base); others are read
 * from files that the configuration names (import.h).
 * THREADS  read-only once they are found. */
#ifndef TOKENS_ENCODING_H
#define TOKENS_ENCODING_H

#include "tokens/split.h"
#include "tokens/vocabulary.h"

struct encoding_special {
    const char *text; /* terminated */
    uint32_t id;
};

struct encoding {
    const char *name;
    enum split_rule rule;
    struct vocabulary vocabulary;
    const struct encoding_special *specials;
    size_t specials_len;
    uint64_t special_firsts[4];             /* a bit for each byte that a special one begins with */
    uint32_t reserved_first, reserved_last; /* ids of <|reserved_ID|>; 0: it has none */
};

/* NULL: mete has none of that name. Microseconds: the tables are read where they are linked. */
const struct encoding *encoding_find(struct slice name);
const struct encoding *encoding_at(size_t i); /* NULL: past the last */

static inline bool encoding_special_begins(const struct encoding *encoding, uint8_t byte)
{
    return encoding->special_firsts[byte / 64] >> byte % 64 & 1;
}
/* Sets specials, which the encoding borrows. */
void encoding_set_specials(struct encoding *encoding, const struct encoding_special *specials,
                           size_t len);

/* One more, found behind those that come with mete. models: what the names of its models begin
 * with, in any case. All are borrowed until encodings_forget(); before other threads look.
 * METE_E_EXISTS: one of that name is there. METE_E_FULL. */
__attribute__((warn_unused_result)) int encoding_add(const struct encoding *encoding,
                                                     const char *const *models, size_t models_len);
void encodings_forget(void);
/* Of those that were added, the one whose model this is; NULL: none. */
const struct encoding *encoding_added(struct slice model);

/* Bytes of the special token that text begins with, and its id; 0: it begins with none. */
size_t encoding_special(const struct encoding *encoding, struct slice text, uint32_t *ret_id);

#endif
