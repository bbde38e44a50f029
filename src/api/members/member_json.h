/* SPDX-License-Identifier: Apache-2.0
 * A member as the API shows it, from its document. The password's hash in the document is never
 * shown (INV-13): only the members named here are copied. */
#ifndef API_MEMBERS_MEMBER_JSON_H
#define API_MEMBERS_MEMBER_JSON_H

#include "api/request.h"

/* On the loop or a worker. */
void member_json_write(struct request *request, struct slice id, struct json document);

#endif
