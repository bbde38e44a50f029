/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_AUTHORITY_HANDLERS_H
#define API_AUTHORITY_HANDLERS_H

#include "api/request.h"

void authority_call(struct request *request);

#endif
