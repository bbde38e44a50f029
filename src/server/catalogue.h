/* SPDX-License-Identifier: Apache-2.0
 * What the API may know of the gateway's providers, and change. */
#ifndef SERVER_CATALOGUE_H
#define SERVER_CATALOGUE_H

#include "api/api.h"
#include "gateway/gateway.h"
#include "store/records.h"

/* gateway is borrowed for the API's life. */
struct api_providers catalogue_door(struct gateway *gateway);
/* At a start: what the API has changed is so again. STORAGE, CORRUPT, MEMORY. */
METE_MUST_USE int catalogue_use(struct gateway *gateway, struct records_reader *reader);

#endif
