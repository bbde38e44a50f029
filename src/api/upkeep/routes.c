/* SPDX-License-Identifier: Apache-2.0
 * The paths of upkeep. */
#include "api/upkeep/handlers.h"
#include "api/room.h"

static const struct route routes[] = {
    {"POST", "/api/v1/transactions", ACCESS_ADMIN, PERMIT_INSTALLATION, transactions_create, 0},
    {"POST", "/api/v1/backup", ACCESS_ADMIN, PERMIT_INSTALLATION, backup_create, 0},
    {"POST", "/api/v1/cut", ACCESS_ADMIN, PERMIT_INSTALLATION, cut_create, 0},
    {"GET", "/api/v1/audit", ACCESS_ADMIN, PERMIT_INSTALLATION, audit_list_all, 0},
    {"GET", "/api/v1/organizations/{org}/audit", ACCESS_MEMBER, PERMIT_AUDIT_READ, audit_list, 0},
};

const struct room upkeep_room = {routes, sizeof routes / sizeof routes[0]};
