/* SPDX-License-Identifier: Apache-2.0
 * The paths of limits. */
#include "api/limits/handlers.h"
#include "api/room.h"

#define ORG "/api/v1/organizations/{org}"
#define ONE ORG "/budgets/{budget}"

static const struct route routes[] = {
    {"POST", ORG "/rate-limits", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, rate_limits_create, 0},
    {"GET", ORG "/rate-limits", ACCESS_MEMBER, PERMIT_BUDGETS_READ, rate_limits_list, 0},
    {"GET", ORG "/rate-limits/{rate}", ACCESS_MEMBER, PERMIT_BUDGETS_READ, rate_limits_show, 0},
    {"PUT", ORG "/rate-limits/{rate}", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, rate_limits_update, 0},
    {"DELETE", ORG "/rate-limits/{rate}", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, rate_limits_delete,
     0},
    {"POST", ORG "/budgets", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budgets_create, 0},
    {"GET", ORG "/budgets", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budgets_list, 0},
    {"PUT", ORG "/budgets", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budgets_update, 0},
    {"DELETE", ORG "/budgets", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budgets_delete, 0},
    /* Before {budget}: the first row that matches is taken (budget_find_is_word). */
    {"GET", "/api/v1/budgets/alerts", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_alerts_list, 0},
    {"GET", ORG "/budgets/usage", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_usage_show, 0},
    {"GET", ORG "/budgets/alerts", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_alerts_show, 0},
    {"POST", ORG "/budgets/alerts", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budget_alerts_set, 0},
    {"GET", ORG "/budgets/alerts/test", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_alerts_test,
     BUDGET_ALERTS_LOOK},
    {"POST", ORG "/budgets/alerts/test", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budget_alerts_test,
     BUDGET_ALERTS_SEND},
    {"POST", ORG "/budgets/check", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_check, 0},
    {"GET", ORG "/budgets/summary", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_summary_show, 0},
    {"GET", ONE "/usage", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_usage_show, 0},
    {"GET", ONE "/alerts", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_alerts_show, 0},
    {"POST", ONE "/alerts", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budget_alerts_set, 0},
    {"GET", ONE "/alerts/test", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_alerts_test,
     BUDGET_ALERTS_LOOK},
    {"POST", ONE "/alerts/test", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budget_alerts_test,
     BUDGET_ALERTS_SEND},
    {"POST", ONE "/check", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_check, 0},
    {"GET", ORG "/budgets/{budget}", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budgets_show, 0},
    {"PUT", ORG "/budgets/{budget}", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budgets_update, 0},
    {"DELETE", ORG "/budgets/{budget}", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budgets_delete, 0},
    {"GET", ORG "/budget-events", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budget_events_list, 0},
    {"POST", ORG "/budgets/{budget}/lift", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE, budgets_lift, 0},
    {"POST", ORG "/budgets/{budget}/increases", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE,
     increases_create, 0},
    {"GET", ORG "/budgets/{budget}/increases", ACCESS_MEMBER, PERMIT_BUDGETS_READ, increases_list,
     0},
    {"DELETE", ORG "/budgets/{budget}/increases/{increase}", ACCESS_MEMBER, PERMIT_BUDGETS_WRITE,
     increases_delete, 0},
    {"GET", ORG "/budgets/{budget}/explain", ACCESS_MEMBER, PERMIT_BUDGETS_READ, budgets_explain,
     0},
};

const struct room limits_room = {routes, sizeof routes / sizeof routes[0]};
