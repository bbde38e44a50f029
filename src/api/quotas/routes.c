/* SPDX-License-Identifier: Apache-2.0
 * The paths of quotas. */
#include "api/quotas/handlers.h"
#include "api/room.h"

#define ORG "/api/v1/organizations/{org}"

static const struct route routes[] = {
    {"GET", ORG "/quotas", ACCESS_MEMBER, PERMIT_QUOTAS_READ, quotas_list, 0},
    {"DELETE", ORG "/quotas", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, quotas_end, 0},
    {"GET", ORG "/quotas/history", ACCESS_MEMBER, PERMIT_QUOTAS_READ, quotas_history, 0},
    {"POST", ORG "/quotas/alerts", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, low_balances_create, 0},
    {"GET", ORG "/quotas/alerts", ACCESS_MEMBER, PERMIT_QUOTAS_READ, low_balances_list, 0},
    {"GET", ORG "/quotas/alerts/{alert}", ACCESS_MEMBER, PERMIT_QUOTAS_READ, low_balances_show, 0},
    {"DELETE", ORG "/quotas/alerts/{alert}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, low_balances_end,
     0},
    {"POST", ORG "/quotas/grant", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, grants_create, 0},
    {"GET", ORG "/quotas/balance", ACCESS_MEMBER, PERMIT_QUOTAS_READ, quotas_balance, 0},
    {"GET", ORG "/quotas/enough", ACCESS_MEMBER, PERMIT_QUOTAS_READ, quotas_enough, 0},
    {"POST", ORG "/quotas/consume", ACCESS_MEMBER, PERMIT_SPEND, quotas_consume, 0},
    {"POST", ORG "/grants", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, grants_create, 0},
    {"GET", ORG "/grants", ACCESS_MEMBER, PERMIT_QUOTAS_READ, grants_list, 0},
    {"GET", ORG "/grants/{grant}", ACCESS_MEMBER, PERMIT_QUOTAS_READ, grants_show, 0},
    {"PUT", ORG "/grants/{grant}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, grants_update, 0},
    {"POST", ORG "/grants/{grant}/refund", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, grants_refund, 0},
    {"POST", ORG "/plans", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, plans_create, 0},
    {"GET", ORG "/plans", ACCESS_MEMBER, PERMIT_QUOTAS_READ, plans_list, 0},
    {"GET", ORG "/plans/{plan}", ACCESS_MEMBER, PERMIT_QUOTAS_READ, plans_show, 0},
    {"PUT", ORG "/plans/{plan}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, plans_update, 0},
    {"DELETE", ORG "/plans/{plan}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, plans_end, 0},
    {"POST", ORG "/packages", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, packages_create, 0},
    {"GET", ORG "/packages", ACCESS_MEMBER, PERMIT_QUOTAS_READ, packages_list, 0},
    {"GET", ORG "/packages/{package}", ACCESS_MEMBER, PERMIT_QUOTAS_READ, packages_show, 0},
    {"PUT", ORG "/packages/{package}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, packages_update, 0},
    {"DELETE", ORG "/packages/{package}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, packages_end, 0},
    {"POST", ORG "/packages/{package}/purchase", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE,
     purchases_create, 0},
    {"POST", ORG "/subscriptions", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, subscriptions_create, 0},
    {"GET", ORG "/subscriptions", ACCESS_MEMBER, PERMIT_QUOTAS_READ, subscriptions_list, 0},
    {"GET", ORG "/subscriptions/{subscription}", ACCESS_MEMBER, PERMIT_QUOTAS_READ,
     subscriptions_show, 0},
    {"DELETE", ORG "/subscriptions/{subscription}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE,
     subscriptions_end, 0},
    {"POST", ORG "/codes", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, codes_create, 0},
    {"GET", ORG "/codes", ACCESS_MEMBER, PERMIT_QUOTAS_READ, codes_list, 0},
    {"GET", ORG "/codes/{code}", ACCESS_MEMBER, PERMIT_QUOTAS_READ, codes_show, 0},
    {"DELETE", ORG "/codes/{code}", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, codes_end, 0},
    {"POST", ORG "/redeem", ACCESS_MEMBER, PERMIT_QUOTAS_WRITE, redeem_for, 0},
    {"POST", "/api/v1/redeem", ACCESS_KEY, PERMIT_INSTALLATION, redeem_own, 0},
};

const struct room quotas_room = {routes, sizeof routes / sizeof routes[0]};
