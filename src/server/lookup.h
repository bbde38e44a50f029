/* SPDX-License-Identifier: Apache-2.0
 * Who made a stored answer, read from the records by a worker: for the gateway, which forgets it
 * when it is started anew. Calls of the last moments before a start may not be among the records
 * yet: they are found a little later. */
#ifndef SERVER_LOOKUP_H
#define SERVER_LOOKUP_H

#include "gateway/gateway.h"

/* directory: of the records; borrowed until done(). false: too much waits. */
bool lookup_answer(struct workers *workers, const char *directory, struct gateway_lookup *lookup);

#endif
