/* SPDX-License-Identifier: Apache-2.0
 * Who asks: the admin token, a service token or a key in Authorization (or x-api-key), or else the
 * session of a member in a cookie. With a cookie, whatever changes something must show that it is
 * the dashboard's own page that asks: the header X-Mete-CSRF with what login returned, and neither
 * Origin nor Sec-Fetch-Site of another site. */
#ifndef API_PRINCIPAL_H
#define API_PRINCIPAL_H

#include "api/request.h"

#define SESSION_COOKIE "mete_session"

/* Fills request->who. Else the problem is set (UNAUTHENTICATED, FORBIDDEN) and returned. */
METE_MUST_USE int principal_find(struct request *request);
/* The member whose session has this text; else as principal_find(). */
METE_MUST_USE int principal_use_session(struct request *request, struct slice text);
/* Whether no other site's page asks, as far as the browser says. */
bool principal_is_same_site(const struct request *request);

#endif
