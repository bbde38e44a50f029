/* SPDX-License-Identifier: Apache-2.0
 * An API key as the API shows it, from its document. The hashes in the document are never shown
 * (INV-13): only the members named here are copied. */
#ifndef API_KEYS_KEY_JSON_H
#define API_KEYS_KEY_JSON_H

#include "api/request.h"

struct key_shown {
    struct slice id;
    struct mete_scope_id scope;
    struct json document;
    struct slice department; /* where it stands now, empty if in none: the document has where it was
                                made */
    struct slice text;       /* the key itself, shown once; empty otherwise */
};

/* On the loop or a worker. */
void key_json_write(struct request *request, const struct key_shown *shown);
/* "active", "expired" or "revoked". */
const char *key_json_status(struct request *request, struct json document);

#endif
