/* SPDX-License-Identifier: Apache-2.0
 * A budget as the API shows it. */
#ifndef API_LIMITS_BUDGET_JSON_H
#define API_LIMITS_BUDGET_JSON_H

#include "api/request.h"
#include "base/checked.h"

/* The handles budget_json_write() will show; then request_load_names(). */
void budget_json_want(struct request *request, const struct mete_budget_view *view);
/* document: of the budget, for what only it says and what is projected from when it was made;
 * JSON_NONE leaves that out. */
void budget_json_write(struct request *request, const struct mete_budget_view *view,
                       struct json document);
/* The same, for whoever has more to say: the object stays open. */
void budget_json_open(struct request *request, const struct mete_budget_view *view,
                      struct json document);
/* Which one it is and how it stands, in short; the object stays open. */
void budget_json_brief(struct request *request, const struct mete_budget_view *view);
/* "active", "warning", ...; of committed and held. Outside its dates "scheduled" or "expired". */
const char *budget_json_status(const struct mete_budget_view *view, int64_t now_us);
/* Whether it counts what is called now, as far as its dates go. */
bool budget_json_is_on(const struct mete_budget_view *view, int64_t now_us);
/* Committed and held, of the limit in millionths, rounded down; a limit of 0 is used up. */
int128 budget_json_share(const struct mete_budget_view *view);
/* {"kind","id","organization"}, or null where the names are not known. */
void budget_json_scope(struct request *request, const char *key, uint32_t scope);

/* "info", "warning", "critical" or "emergency": of what happened to a budget; of a threshold by the
 * share that it is of the limit. */
const char *budget_json_level(enum mete_event_kind kind, uint32_t threshold_ppm);

#endif
