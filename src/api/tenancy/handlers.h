/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_TENANCY_HANDLERS_H
#define API_TENANCY_HANDLERS_H

#include "api/request.h"

/* With how many departments one may stand in another. */
#define PLACES_TOO_DEEP                                                                            \
    "A department stands in no department of its own, and departments at most %d deep."

void stats_show(struct request *request);
void organizations_create(struct request *request);
void organizations_list(struct request *request);
void organizations_show(struct request *request);
void organizations_update(struct request *request);
void organizations_delete(struct request *request);
void departments_create(struct request *request);
void departments_list(struct request *request);
void departments_show(struct request *request);
void departments_update(struct request *request);
void departments_delete(struct request *request);
void users_create(struct request *request);
void users_list(struct request *request);
void users_show(struct request *request);
void users_update(struct request *request);
void users_delete(struct request *request);
void me_show(struct request *request);

#endif
