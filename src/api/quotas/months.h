/* SPDX-License-Identifier: Apache-2.0
 * The calendar month an instant lies in, by an organization's clock. */
#ifndef API_QUOTAS_MONTHS_H
#define API_QUOTAS_MONTHS_H

#include "calendar/calendar.h"

struct month {
    char name[8]; /* "2026-11"; months in order are texts in order */
    int64_t end_us;
};

/* zone: an IANA name; empty: UTC. os NULL: the system. Errors of calendar_zones_find(), MEMORY.
 * Reads the zone's file: some 40 us. */
METE_MUST_USE int month_of(const struct os *os, struct slice zone, int64_t now_us,
                           struct month *ret_month);

#endif
