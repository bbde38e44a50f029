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

#endif
