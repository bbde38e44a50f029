/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_CATALOG_HANDLERS_H
#define API_CATALOG_HANDLERS_H

#include "api/request.h"

void exchange_rates_create(struct request *request);
void exchange_rates_list(struct request *request);
void prices_create(struct request *request);
void prices_list(struct request *request);
void price_show(struct request *request);
void prices_diff(struct request *request);
void prices_apply(struct request *request);
void prices_rerate(struct request *request);
void own_prices_create(struct request *request);
void own_prices_list(struct request *request);
void own_price_show(struct request *request);
void models_list(struct request *request);
void model_show(struct request *request);
void model_change(struct request *request);
void providers_list(struct request *request);
void provider_show(struct request *request);
void provider_change(struct request *request);
void markup_show(struct request *request);
void markup_set(struct request *request);
void markup_end(struct request *request);
void credentials_list(struct request *request);
void credentials_reseal(struct request *request);
void credential_show(struct request *request);
void credential_set(struct request *request);
void credential_remove(struct request *request);

#endif
