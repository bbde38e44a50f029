/* SPDX-License-Identifier: Apache-2.0
 * A key's document: what the directory reads (directory.h), and what is shown of it (key_json.h).
 * Of the key's texts it has keyed hashes alone (INV-13). */
#ifndef API_KEYS_KEY_DOCUMENT_H
#define API_KEYS_KEY_DOCUMENT_H

#include "api/keys/key_in.h"

struct key_draft {
    struct slice id;
    struct json was;                       /* JSON_NONE: it is made now */
    struct slice organization, department; /* of one that is made; department empty: in none */
    const struct key_in *in;               /* NULL: all stays */
    const struct directory_new_key *text;  /* its new text; NULL: it keeps the one it has */
    int64_t previous_until_us; /* with text: how long the one before works; 0: no longer */
    bool revokes;
    int64_t now_us;
};

/* In the arena; uses request->out. MEMORY. */
METE_MUST_USE int key_document_write(struct request *request, const struct key_draft *draft,
                                     struct slice *ret_document);
/* Until when the text before the present one works; 0: there is none. */
int64_t key_document_previous_until(struct json document);

#endif
