/* SPDX-License-Identifier: Apache-2.0
 * Idea: a sorted array of (name, zone) that only grows. A thousand zones are ten comparisons, and
 * a new one moves some kilobytes, next to reading its file.
 *
 * Unknown names are not remembered: asking for one costs a failed open each time, and whoever may
 * create budgets may do that anyway. */
#include "calendar/calendar.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>

struct named_zone {
    char name[LIMIT_TIME_ZONE + 1]; /* terminated */
    struct calendar_zone *zone;
};

struct calendar_zones {
    const struct os *os;
    size_t len;                         /* 0..LIMIT_ZONES */
    struct named_zone all[LIMIT_ZONES]; /* by name */
    char bytes[LIMIT_ZONE];             /* one file, while it is read */
};

int calendar_zones_open(const struct os *os, struct calendar_zones **ret_zones)
{
    struct calendar_zones *zones = calloc(1, sizeof *zones);
    if (!zones)
        return METE_E_MEMORY;
    zones->os = os;
    *ret_zones = zones;
    return 0;
}

void calendar_zones_close(struct calendar_zones *zones)
{
    for (size_t i = 0; zones && i < zones->len; i++)
        calendar_zone_free(zones->all[i].zone);
    free(zones);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("+-_.", c));
}

/* Parts of letters, digits and +-_. with one / between them. A part of dots alone is a way out of
 * the folder, not a name. */
static bool is_name(struct slice name)
{
    size_t part = 0; /* bytes of the part so far */
    bool has_more_than_dots = false;
    if (name.len == 0 || name.len > LIMIT_TIME_ZONE)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '/') {
            if (part == 0 || !has_more_than_dots)
                return false;
            part = 0;
            has_more_than_dots = false;
            continue;
        }
        if (!is_name_byte(name.data[i]))
            return false;
        part++;
        has_more_than_dots |= name.data[i] != '.';
    }
    return part > 0 && has_more_than_dots;
}

/* Index of the first zone whose name is not before it. */
static size_t place_of(const struct calendar_zones *zones, const char *name)
{
    size_t low = 0, high = zones->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(zones->all[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int read_zone(struct calendar_zones *zones, const char *name,
                     struct calendar_zone **ret_zone)
{
    size_t len = 0;
    int rc = os_read_zone(zones->os, name, zones->bytes, sizeof zones->bytes, &len);
    if (rc)
        return rc;
    ASSERT(len <= sizeof zones->bytes);
    return calendar_zone_parse((struct slice){zones->bytes, len}, ret_zone);
}

int calendar_zones_find(struct calendar_zones *zones, struct slice name,
                        const struct calendar_zone **ret_zone)
{
    if (name.len == 0 || slice_is(name, "UTC")) {
        *ret_zone = NULL;
        return 0;
    }
    if (!is_name(name))
        return METE_E_INVALID;
    struct named_zone new = {0};
    memcpy(new.name, name.data, name.len);
    size_t at = place_of(zones, new.name);
    if (at == zones->len || strcmp(zones->all[at].name, new.name) != 0) {
        if (zones->len == LIMIT_ZONES)
            return METE_E_FULL;
        int rc = read_zone(zones, new.name, &new.zone);
        if (rc)
            return rc;
        memmove(&zones->all[at + 1], &zones->all[at], (zones->len - at) * sizeof new);
        zones->all[at] = new;
        zones->len++;
    }
    *ret_zone = zones->all[at].zone;
    return 0;
}
