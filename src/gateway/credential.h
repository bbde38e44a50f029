/* SPDX-License-Identifier: Apache-2.0
 * A provider's credential as calls hold it: when it is rotated, calls that begin later take the new
 * one and those under way keep theirs, until the last of them lets go; then it is zeroed.
 * MEMORY  locked and left out of core dumps, as far as the system allows; bounded by the number of
 *   rotations that open calls span.
 * THREAD  the gateway's. */
#ifndef GATEWAY_CREDENTIAL_H
#define GATEWAY_CREDENTIAL_H

#include "base/slice.h"
#include "mete.h"

struct credential;

/* With one holder. secret: 1 to LIMIT_CREDENTIAL bytes that a header can carry, copied.
 * METE_E_MEMORY. */
METE_MUST_USE int credential_new(struct slice secret, struct credential **ret_credential);
/* One holder more; NULL: NULL. */
struct credential *credential_hold(struct credential *credential);
void credential_let_go(struct credential *credential);

/* Borrowed from a holder; credential NULL: empty. */
struct slice credential_secret(const struct credential *credential);
struct slice credential_bearer(const struct credential *credential); /* "Bearer ..." */

#endif
