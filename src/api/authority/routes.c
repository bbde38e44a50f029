/* SPDX-License-Identifier: Apache-2.0
 * The paths of authority. */
#include "api/authority/handlers.h"
#include "api/authority/verbs.h"
#include "api/room.h"

static const struct route routes[] = {
    {"POST", "/api/v1/budget/reserve", ACCESS_ANY_KEY, PERMIT_SPEND, authority_call, VERB_RESERVE},
    {"POST", "/api/v1/budget/extend", ACCESS_ANY_KEY, PERMIT_SPEND, authority_call, VERB_EXTEND},
    {"POST", "/api/v1/budget/deduct", ACCESS_ANY_KEY, PERMIT_SPEND, authority_call, VERB_DEDUCT},
    {"POST", "/api/v1/budget/release", ACCESS_ANY_KEY, PERMIT_SPEND, authority_call, VERB_RELEASE},
    {"POST", "/api/v1/budget/check", ACCESS_ANY_KEY, PERMIT_SPEND, authority_call, VERB_CHECK},
    {"POST", "/api/v1/budget/record", ACCESS_KEY, PERMIT_SPEND, authority_call, VERB_RECORD},
};

const struct room authority_room = {routes, sizeof routes / sizeof routes[0]};
