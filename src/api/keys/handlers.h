/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_KEYS_HANDLERS_H
#define API_KEYS_HANDLERS_H

#include "api/request.h"

void keys_create(struct request *request);
void keys_list(struct request *request);
void keys_show(struct request *request);
void keys_update(struct request *request);
void keys_delete(struct request *request);
void keys_revoke(struct request *request);
void keys_regenerate(struct request *request);
void keys_usage(struct request *request);
void keys_summary(struct request *request);
void keys_batch(struct request *request);

#endif
