/* SPDX-License-Identifier: Apache-2.0
 * The POSIX TZ string at the end of a zone file (RFC 8536, 3.3): the rule of all times after the
 * last transition. Pure; any thread. */
#ifndef CALENDAR_FOOTER_H
#define CALENDAR_FOOTER_H

#include "base/slice.h"
#include "mete.h"

/* No zone's clock is ever further from UTC than this; what says so is damaged. */
enum { ZONE_OFFSET_MAX_S = 26 * 3600 - 1 };

/* A stretch of time in which the wall clock is a constant ahead of UTC. */
struct zone_span {
    int64_t from_us, until_us; /* [from, until); INT64_MIN and INT64_MAX: without end */
    int64_t offset_us;         /* local - UTC */
};

enum footer_day { FOOTER_JULIAN, FOOTER_COUNTED, FOOTER_WEEKDAY };

struct footer_change {
    enum footer_day kind;
    int day;         /* JULIAN: 1..365, never 29 February; COUNTED: 0..365; WEEKDAY: 0 Sunday..6 */
    int week, month; /* WEEKDAY: 1..5, 5 is the last of the month; 1..12 */
    int64_t time_s;  /* after that day's midnight, by the clock that is then over */
};

struct footer {
    bool has_summer; /* else all year at standard, and begin and end say nothing */
    int64_t standard_us, summer_us;
    struct footer_change begin, end; /* of summer time, or what the zone's law calls it */
};

/* text: untrusted, without the newlines, not empty. CORRUPT: no TZ string with both rules. */
METE_MUST_USE int footer_parse(struct slice text, struct footer *ret_footer);

/* at_us: year 1900 .. 90000. Some fifty nanoseconds. */
struct zone_span footer_span(const struct footer *footer, int64_t at_us);

#endif
