/* SPDX-License-Identifier: Apache-2.0
 * Whether a name is a zone is asked of the system's database: one stat() on the event loop, a
 * microsecond, on a path that only wrong or early requests take. */
#include "api/tenancy/zones.h"

#include <stdio.h>
#include <sys/stat.h>

static bool is_zone(struct slice zone)
{
    char path[128];
    for (size_t i = 0; i < zone.len; i++) {
        char c = zone.data[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && c != '/' && c != '_' && c != '+' && c != '-') /* so no ".." either */
            return false;
    }
    if (!zone.len || zone.len > 64 || zone.data[0] < 'A' || zone.data[0] > 'Z')
        return false;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", (int)zone.len, zone.data);
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

int zones_check(struct problem *problem, const char *field, struct slice zone)
{
    if (slice_is(zone, "UTC") || is_zone(zone))
        return 0;
    return problem_set(problem, METE_E_INVALID, field, "It must be an IANA time zone.");
}
