/* SPDX-License-Identifier: Apache-2.0
 * The gateway's own documents, read from the records by a worker. */
#ifndef SERVER_KEPT_H
#define SERVER_KEPT_H

#include "gateway/gateway.h"

/* directory: of the records; borrowed until done(). false: too much waits. A list is made by
 * walking all of the organization's of that kind. */
bool kept_find(struct workers *workers, const char *directory, struct gateway_documents *documents);

#endif
