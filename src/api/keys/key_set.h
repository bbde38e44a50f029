/* SPDX-License-Identifier: Apache-2.0
 * Keys of one organization that are read, changed and put back together, as one atomic change, in
 * one's turn: one key of a path, or those of a batch operation. What is wrong with one of them is
 * kept with it. */
#ifndef API_KEYS_KEY_SET_H
#define API_KEYS_KEY_SET_H

#include "api/keys/key_limits.h"

enum key_act { KEY_UPDATE = 0, KEY_REVOKE, KEY_REGENERATE, KEY_DELETE };

struct key_item {
    struct slice id;
    int error; /* 0: it is, or will be, changed */
    const char *field, *why;
    struct mete_scope_id scope;
    struct mete_instant expires_at;
    bool revoked;
    uint64_t version;
    struct slice was, document; /* as it is, and as it becomes */
    struct directory_place place;
    struct key_limits limits;
    struct mete_budget_view *quota; /* what limits has, of UPDATE */
    size_t first, changes;          /* of set->changes */
};

/* What a handler's state begins with. */
struct key_set {
    enum key_act act;
    const struct key_in *in; /* UPDATE */
    int64_t overlap_us;      /* REGENERATE */
    bool all_or_none;        /* one that is wrong: none is changed */
    bool looks_at_if_match;  /* of one key */
    struct mete_scope_id organization;
    struct slice zone; /* of the organization */
    struct key_item *items;
    size_t len;
    struct directory_new_key text; /* REGENERATE */
    struct mete_change *changes;
    size_t changes_len;
    bool applied; /* some change was made */
    void (*then)(struct request *request);
};

/* Takes the request's turn, then changes what can be; then() follows, unless the request has ended.
 * set is request->state, with act and what it needs, organization, items and their ids. */
void key_set_begin(struct request *request, void (*then)(struct request *request));
/* Looks the one key of the path up for a set of its own; NULL: the request has ended. Memory for
 * the state is state_len bytes, and begins with the set. */
struct key_set *key_set_of_path(struct request *request, size_t state_len);
/* Ends the request: with the problem of the set's first key if it has one, with the key, or, of one
 * that was deleted, with nothing. */
void key_set_reply(struct request *request);

#endif
