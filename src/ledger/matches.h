/* SPDX-License-Identifier: Apache-2.0
 * Patterns that narrow a budget or rate limit to some calls. */
#ifndef LEDGER_MATCHES_H
#define LEDGER_MATCHES_H

#include "ledger/state.h"

struct call_texts {
    struct slice model, provider, session;
    struct entry_tags tags;
    int64_t at_us; /* when it is made */
};
/* Whether a new set may be put: 0, or a METE_E_ code. */
int matches_judge(const struct ledger *ledger, const struct mete_match *matches, size_t len);
/* Keeps them for good. *ret_set: its number, 0 of none. false: no room. */
bool matches_put(struct ledger *ledger, const struct mete_match *matches, size_t len,
                 uint32_t *ret_set);
/* The patterns of a set, in the order they were given in; they live as long as the ledger. */
size_t matches_of(const struct ledger *ledger, uint32_t set,
                  struct mete_match ret_matches[METE_MATCHES_MAX]);
bool matches_same(const struct mete_match *a, size_t a_len, const struct mete_match *b,
                  size_t b_len);
bool matches_are(const struct ledger *ledger, uint32_t set, const struct mete_match *matches,
                 size_t len);
/* What of a call is matched, from its arguments or from its RESERVE or RECORD entry. Borrows. */
void matches_of_call(struct mete_text model, struct mete_text provider, struct mete_text session,
                     const struct mete_text *tags, size_t tags_len, struct call_texts *ret_call);
void matches_of_entry(const struct ledger *ledger, const struct entry *entry,
                      struct call_texts *ret_call);
/* Of each kind that the set names at least one pattern matches. Set 0 matches every call. Cost: in
 * patterns times tags. */
bool matches_call(const struct ledger *ledger, uint32_t set, const struct call_texts *call);

#endif
