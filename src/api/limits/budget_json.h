/* SPDX-License-Identifier: Apache-2.0
 * A budget as the API shows it. */
#ifndef API_LIMITS_BUDGET_JSON_H
#define API_LIMITS_BUDGET_JSON_H

#include "api/request.h"

/* The handles budget_json_write() will show; then request_load_names(). */
void budget_json_want(struct request *request, const struct mete_budget_view *view);
/* document: of the budget, for its name and when it was made; JSON_NONE leaves them out. */
void budget_json_write(struct request *request, const struct mete_budget_view *view,
                       struct json document);
/* {"kind","id","organization"}, or null where the names are not known. */
void budget_json_scope(struct request *request, const char *key, uint32_t scope);

#endif
