/* SPDX-License-Identifier: Apache-2.0
 * Budgets that were made together, by a request with several limits (daily_budget and
 * total_budget): the document of the first names the others, which are shown, changed and deleted
 * with it, and each by its own id. */
#ifndef API_LIMITS_BUDGET_SET_H
#define API_LIMITS_BUDGET_SET_H

#include "api/limits/budget_document.h"
#include "api/limits/budgets.h"

struct budget_other {
    struct slice id, document;
    struct mete_budget_view view;
    bool is_there; /* it has not been deleted, and view is of now */
};

struct budget_set {
    size_t len;
    struct budget_other others[BUDGET_ALIASES - 1];
    void (*then)(struct request *request);
};

/* Who they are, as the first one's document says. */
void budget_set_read(struct request *request, struct json document, struct budget_set *set);
/* Their documents. On a worker. */
METE_MUST_USE int budget_set_documents(struct request *request, struct budget_set *set);
/* Them as of now; request->state begins with a struct budget_search, whose set they are. BUSY and
 * the like end the request. */
void budget_set_view(struct request *request, void (*then)(struct request *request));
/* The one whose limit the alias is; NULL: there is none. */
struct budget_other *budget_set_find(struct budget_set *set, const struct budget_alias *alias);
/* Their limits, as aliases. */
void budget_set_write(struct out *out, const struct budget_set *set);

#endif
