/* SPDX-License-Identifier: Apache-2.0
 * What a key's limits are in the engine: a budget of requests with the key's id, and rate limits
 * with ids of their own (the key's with a word behind it). */
#ifndef API_KEYS_KEY_LIMITS_H
#define API_KEYS_KEY_LIMITS_H

#include "api/keys/key_in.h"

enum { KEY_RATES = 3, KEY_CHANGES = 2 + KEY_RATES /* most that one key's change is made of */ };

struct key_rate {
    uint32_t n; /* 0: there is none */
    enum mete_mode mode;
};

/* As they are. */
struct key_limits {
    struct slice id; /* the key's */
    struct mete_scope_id scope;
    const struct mete_budget_view *quota; /* NULL: it has none */
    struct slice quota_document;
    struct key_rate rates[KEY_RATES];
};

/* Which budget or rate limit is asked for as the i-th, if what is said needs to know: false: none.
 * i is 0 .. KEY_RATES. The id is in the arena. */
bool key_limits_question(struct request *request, const struct key_in *in, struct slice id,
                         size_t i, struct mete_query *ret_query);

/* Appends what makes the limits what is said, zone being that of a new quota's months. Uses
 * request->out. MEMORY. */
METE_MUST_USE int key_limits_change(struct request *request, const struct key_limits *limits,
                                    const struct key_in *in, struct slice zone,
                                    struct mete_change *changes, size_t *len);

/* Which of the members a change of these is for, and why it failed; NULL: it is none of these. */
const char *key_limits_blame(const struct mete_change *change, int error, const char **ret_why);

#endif
