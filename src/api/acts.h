/* SPDX-License-Identifier: Apache-2.0
 * What an administrator does beside the ledger, written into the journal for the audit log: a
 * document (tables/documents.h) that says what was done, by whom it is put. Where it can be it is
 * written before it is done: of what was tried and failed the log may tell, of what was done it is
 * never silent. */
#ifndef API_ACTS_H
#define API_ACTS_H

#include "api/request.h"
#include "directory/documents.h"

struct act {
    enum document_kind kind;
    struct mete_scope_id organization; /* n = 0: the installation's */
    struct slice id;                   /* in the arena, or of the program */
    struct slice document;             /* likewise; empty: the document ends */
};

/* Then then(), which looks at acts_failed() first. Ends the request if there is no memory. */
void acts_write(struct request *request, const struct act *act,
                void (*then)(struct request *request));
/* Whether it could not be written; then the request has been ended. */
bool acts_failed(struct request *request);

#endif
