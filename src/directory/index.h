/* SPDX-License-Identifier: Apache-2.0
 * The index of keys from the inside: what its files share. */
#ifndef DIRECTORY_INDEX_H
#define DIRECTORY_INDEX_H

#include "directory/directory.h"

enum { DIRECTORY_ID_DIGITS = 12 };

struct entry {
    struct directory_key key;
    uint8_t hash[KEY_HASH];
    char id[DIRECTORY_ID_DIGITS];
};

struct directory {
    struct entry *entries;
    uint32_t *organizations; /* of each entry, so that counting one's keys passes by the others */
    uint32_t *slots;         /* entry + 1; 0 is free */
    size_t len, room;
    size_t mask; /* slots - 1, a power of two less one; slots >= 2 * room */
    uint8_t secret[32];
    struct uses *uses;
};

/* When each scope was last used (uses.c): written by one thread, read by any. */
struct uses *uses_new(void); /* NULL: no memory */
void uses_free(struct uses *uses);
void uses_put(struct uses *uses, uint32_t scope, int64_t at_us);
int64_t uses_get(const struct uses *uses, uint32_t scope);

/* Reads a key's document into what an entry has of it. On an error the entry owns nothing.
 * METE_E_NOT_FOUND: a scope without a key's text; SYNTAX, MEMORY. */
METE_MUST_USE int document_read(struct slice document, struct entry *entry);
/* What the entry's key has more; a key without it is left alone. */
void document_free_more(struct directory_key *key);

#endif
