/* SPDX-License-Identifier: Apache-2.0
 * The paths of usage. */
#include "api/authority/verbs.h"
#include "api/usage/handlers.h"
#include "api/room.h"

static const struct route routes[] = {
    {"GET", "/api/v1/cost/usage", ACCESS_KEY, PERMIT_USAGE_READ, usage_show, 0},
    {"GET", "/api/v1/cost/usage/series", ACCESS_KEY, PERMIT_USAGE_READ, usage_series, 0},
    {"GET", "/api/v1/organizations/{org}/usage", ACCESS_MEMBER, PERMIT_USAGE_READ, usage_show, 0},
    {"GET", "/api/v1/organizations/{org}/usage/series", ACCESS_MEMBER, PERMIT_USAGE_READ,
     usage_series, 0},
    {"GET", "/api/v1/records", ACCESS_KEY, PERMIT_USAGE_READ, records_list, 0},
    {"GET", "/api/v1/records/{record}", ACCESS_KEY, PERMIT_USAGE_READ, records_show, 0},
    {"POST", "/api/v1/records/{record}/settle", ACCESS_MEMBER, PERMIT_USAGE_WRITE, records_settle,
     VERB_SETTLE},
    {"POST", "/api/v1/tokens/count", ACCESS_KEY, PERMIT_CATALOG_READ, tokens_count, 0},
};

const struct room usage_room = {routes, sizeof routes / sizeof routes[0]};
