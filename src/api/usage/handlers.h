/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_USAGE_HANDLERS_H
#define API_USAGE_HANDLERS_H

#include "api/request.h"

void usage_show(struct request *request);
void usage_series(struct request *request);
void records_list(struct request *request);
void records_show(struct request *request);
void records_settle(struct request *request);
void tokens_count(struct request *request);

/* The number that a record's id has in it; 0: it is none. */
uint64_t records_number(struct slice id);

#endif
