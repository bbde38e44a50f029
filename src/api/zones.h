/* SPDX-License-Identifier: Apache-2.0
 * Time zones as a request may name them. */
#ifndef API_ZONES_H
#define API_ZONES_H

#include "api/problem.h"

/* UTC is the one there is. Another of the IANA database is METE_E_NOT_YET, anything else
 * METE_E_INVALID; both name the field. */
METE_MUST_USE int zones_check(struct problem *problem, const char *field, struct slice zone);

#endif
