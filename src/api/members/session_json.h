/* SPDX-License-Identifier: Apache-2.0
 * Who one is, as the API tells it, and the cookie that a session lies in. */
#ifndef API_MEMBERS_SESSION_JSON_H
#define API_MEMBERS_SESSION_JSON_H

#include "api/request.h"

/* Writes the principal into the reply; with a session, also what writes have to show. */
void session_json_write(struct request *request);
/* The reply sets the cookie to this text, or takes it away (empty). */
void session_cookie(struct request *request, struct slice text, int64_t life_s);

#endif
