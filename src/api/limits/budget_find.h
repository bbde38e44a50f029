/* SPDX-License-Identifier: Apache-2.0
 * The budget that a path names, for the handlers of one budget. A path that names none means the
 * organization's own: the one budget whose scope is the organization itself. */
#ifndef API_LIMITS_BUDGET_FIND_H
#define API_LIMITS_BUDGET_FIND_H

#include "api/limits/budget_set.h"
#include "api/request.h"

/* What the state of such a handler begins with. */
struct budget_search {
    struct mete_budget_view view; /* what was found, as of now */
    struct mete_scope_id organization;
    struct slice document; /* after budget_find_document() */
    uint64_t version;      /* likewise: the entry that changed it last */
    struct mete_budget_view *own;
    struct budget_set set; /* with the document: who was made with it */
    bool wants_document;
    void (*then)(struct request *request);
};

/* Words of the paths that no budget may have as its id. */
bool budget_find_is_word(struct slice id);

/* Ends the request with 404 if there is no such budget or it has been deleted, with 409 if the path
 * names none and the organization has several; else then() follows. */
void budget_find(struct request *request, void (*then)(struct request *request));
/* The same, and its document from the records: empty where it has none. */
void budget_find_document(struct request *request, void (*then)(struct request *request));

#endif
