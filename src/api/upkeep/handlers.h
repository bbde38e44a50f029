/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_UPKEEP_HANDLERS_H
#define API_UPKEEP_HANDLERS_H

#include "api/request.h"

void backup_create(struct request *request);
void cut_create(struct request *request);
void audit_list(struct request *request);
void audit_list_all(struct request *request);

#endif
