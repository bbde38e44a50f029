/* SPDX-License-Identifier: Apache-2.0
 * Redemption codes: a text that is worth a package, or amounts, so many times. "mc_", 10 digits
 * that find it, 16 that prove it (95 bits), base 62. The text is in the reply that makes it and
 * nowhere else; its document has a keyed hash. */
#ifndef API_QUOTAS_CODES_H
#define API_QUOTAS_CODES_H

#include "api/quotas/offers.h"

enum { CODE_PREFIX = 3, CODE_DIGITS = 10, CODE_TEXT = 3 + 10 + 16, CODE_ID = 5 + 10 };

struct code {
    struct slice id, package, description, expires_at, created_at, hash; /* empty: none */
    int64_t expires_at_us;                                               /* 0: never */
    int64_t uses, used;
    struct offers offers;
};

/* The id of the code with this text; empty: it can be none. room: CODE_ID bytes. */
struct slice code_id(struct slice text, char *room);
/* Reads a document; slices are in the arena. CORRUPT: it is none. */
METE_MUST_USE int code_read(struct request *request, struct slice document, struct code *ret_code);
/* The document, in the arena; data NULL: no memory. */
struct slice code_document(struct request *request, const struct code *code);
/* As the API shows it: without its hash. */
void code_write(struct request *request, const struct code *code);

#endif
