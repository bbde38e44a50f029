/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_LIMITS_HANDLERS_H
#define API_LIMITS_HANDLERS_H

#include "api/request.h"

void rate_limits_create(struct request *request);
void rate_limits_list(struct request *request);
void rate_limits_show(struct request *request);
void rate_limits_update(struct request *request);
void rate_limits_delete(struct request *request);
void budgets_create(struct request *request);
void budgets_list(struct request *request);
void budgets_update(struct request *request);
void budgets_delete(struct request *request);
void budgets_show(struct request *request);
void budget_events_list(struct request *request);
void budgets_lift(struct request *request);
void increases_create(struct request *request);
void increases_list(struct request *request);
void increases_delete(struct request *request);
void budgets_explain(struct request *request);
void budget_usage_show(struct request *request);
void budget_alerts_show(struct request *request);
void budget_alerts_set(struct request *request);
void budget_alerts_test(struct request *request);
void budget_alerts_list(struct request *request);
void budget_check(struct request *request);
void budget_summary_show(struct request *request);

/* Of budget_alerts_test: whether it is to send. */
enum { BUDGET_ALERTS_LOOK = 0, BUDGET_ALERTS_SEND };

/* A rate limit as the API shows it; the name of its scope is loaded. */
void rate_limits_write(struct request *request, struct slice organization,
                       const struct mete_rate_view *view);

#endif
