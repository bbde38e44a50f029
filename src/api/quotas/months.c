/* SPDX-License-Identifier: Apache-2.0 */
#include "api/quotas/months.h"

#include "codec/timestamp.h"

#define DAY_US (INT64_C(86400) * 1000000)

int month_of(const struct os *os, struct slice zone, int64_t now_us, struct month *ret_month)
{
    struct calendar_zones *zones;
    struct calendar_rule rule = {.period = METE_MONTHLY};
    struct window window;
    int rc = calendar_zones_open(os ? os : os_system(), &zones);
    if (rc)
        return rc;
    rc = calendar_zones_find(zones, zone, &rule.zone);
    if (!rc)
        rc = calendar_window(&rule, now_us, &window);
    calendar_zones_close(zones);
    if (rc)
        return rc;
    /* Half a month on from its beginning every clock shows the same month. */
    char text[TIMESTAMP_ROOM];
    timestamp_format(window.start_us + 15 * DAY_US, text);
    memcpy(ret_month->name, text, sizeof ret_month->name - 1);
    ret_month->name[sizeof ret_month->name - 1] = 0;
    ret_month->end_us = window.end_us;
    return 0;
}
