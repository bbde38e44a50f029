/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_QUOTAS_HANDLERS_H
#define API_QUOTAS_HANDLERS_H

#include "api/request.h"

void quotas_list(struct request *request);
void quotas_end(struct request *request);
void quotas_history(struct request *request);
void low_balances_create(struct request *request);
void low_balances_list(struct request *request);
void low_balances_show(struct request *request);
void low_balances_end(struct request *request);
void quotas_balance(struct request *request);
void quotas_enough(struct request *request);
void quotas_consume(struct request *request);
void grants_create(struct request *request);
void grants_list(struct request *request);
void grants_show(struct request *request);
void grants_update(struct request *request);
void grants_refund(struct request *request);
void plans_create(struct request *request);
void plans_list(struct request *request);
void plans_show(struct request *request);
void plans_update(struct request *request);
void plans_end(struct request *request);
void packages_create(struct request *request);
void packages_list(struct request *request);
void packages_show(struct request *request);
void packages_update(struct request *request);
void packages_end(struct request *request);
void subscriptions_create(struct request *request);
void subscriptions_list(struct request *request);
void subscriptions_show(struct request *request);
void subscriptions_end(struct request *request);
void purchases_create(struct request *request);
void codes_create(struct request *request);
void codes_list(struct request *request);
void codes_show(struct request *request);
void codes_end(struct request *request);
void redeem_for(struct request *request);
void redeem_own(struct request *request);

#endif
