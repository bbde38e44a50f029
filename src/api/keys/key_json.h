/* SPDX-License-Identifier: Apache-2.0
 * An API key as the API shows it, from its document. The hash in the document is never shown
 * (INV-13): only the members named here are copied. */
#ifndef API_KEYS_KEY_JSON_H
#define API_KEYS_KEY_JSON_H

#include "api/request.h"

/* department: where it stands now, empty if in none: the document has where it was made. text: the
 * key itself, shown once; empty otherwise. On the loop or a worker. */
void key_json_write(struct request *request, struct slice id, struct json document,
                    struct slice department, struct slice text);

#endif
