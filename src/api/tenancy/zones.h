/* SPDX-License-Identifier: Apache-2.0
 * Time zones as a request may name them. */
#ifndef API_TENANCY_ZONES_H
#define API_TENANCY_ZONES_H

#include "api/problem.h"

/* METE_E_INVALID, naming the field: it is none of the IANA database. */
METE_MUST_USE int zones_check(struct problem *problem, const char *field, struct slice zone);

#endif
