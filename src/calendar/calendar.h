/* SPDX-License-Identifier: Apache-2.0
 * Which window an instant falls into: (instant, period, anchor, zone) -> [start, end). Pure but for
 * calendar_zones, which reads zone files through struct os. No state, no allocation in questions.
 *
 * ONE DEFINITION FOR ALL CALENDAR PERIODS
 *   Let local(t) be what the zone's wall clock shows at the instant t. A window has a lower bound B
 *   in local time: a whole minute, hour, day, the first day of a week, month, quarter or year. It
 *   begins at the FIRST instant t with local(t) >= B, and ends where the next window that is not
 *   empty begins. Said otherwise: put a clock beside the wall clock that never goes back, but
 *   stands still while an hour is repeated; a window is the time this clock spends in [B, next B).
 *   So windows touch and never overlap, each instant lies in exactly one (INV-09 rests on it), and
 *   - a repeated hour belongs to one hour window, which is longer;
 *   - days have 23, 24 or 25 hours, or stranger (Lord Howe: 23.5 and 24.5);
 *   - where midnight itself is repeated, the day begins at the first one (Newfoundland until 2011:
 *     a minute of the new day, then the last hour of the old one again, which is the new day's);
 *   - a window the clock jumps over (the hour at which summer time begins; Samoa's 30 December
 *     2011) does not exist: the one before it ends where the one after it begins.
 *   In UTC (zone NULL) all this is plain arithmetic.
 *
 *   Windows that began before 1970 begin at 0. Files tell the past as it was and the future as the
 *   law stands now: another zone database may place other windows, so bounds are journaled.
 *
 * THREADS A zone is immutable: any thread, while its cache is open. A cache: one thread at a time.
 * ERRORS  Nothing is touched on an error. */
#ifndef CALENDAR_CALENDAR_H
#define CALENDAR_CALENDAR_H

#include "base/slice.h"
#include "mete.h"
#include "os/os.h"

struct window {
    int64_t start_us;
    int64_t end_us; /* exclusive; INT64_MAX: never */
};

/* ---- Zones ----------------------------------------------------------------------------------- */

/* Immutable; at most LIMIT_ZONE * 2 bytes, some kilobytes for real ones. */
struct calendar_zone;

/* bytes: a zone file (TZif, RFC 8536, every version), untrusted. Pure.
 * CORRUPT: it is not, or is damaged, or counts leap seconds, which mete's instants do not.
 * TOO_LARGE: longer than LIMIT_ZONE. MEMORY. Linear in the bytes. */
METE_MUST_USE int calendar_zone_parse(struct slice bytes, struct calendar_zone **ret_zone);
void calendar_zone_free(struct calendar_zone *zone); /* NULL is nothing */

/* Zones by name, each read once and kept until the end: what a file says later counts after the
 * next start. Aliases are zones of their own. */
struct calendar_zones;

/* os: borrowed until calendar_zones_close(). Reads nothing yet. MEMORY. */
METE_MUST_USE int calendar_zones_open(const struct os *os, struct calendar_zones **ret_zones);
void calendar_zones_close(struct calendar_zones *zones); /* and all its zones; NULL is nothing */

/* name: of the IANA database ("Europe/Berlin"), as its file is spelled; "" and "UTC" give NULL and
 * read no file. Nothing else ever means UTC by default: what cannot be read is an error.
 * INVALID: cannot be a name: empty parts, `.` or `..`, a first `/`, characters that no name has,
 * over LIMIT_TIME_ZONE bytes. NOT_FOUND: the system has no such file. CORRUPT, TOO_LARGE: it is no
 * zone file. STORAGE: it cannot be read. FULL: LIMIT_ZONES are open. MEMORY.
 * A known zone: a binary search. Another: a file is read (some 40 us), found or not. */
METE_MUST_USE int calendar_zones_find(struct calendar_zones *zones, struct slice name,
                                      const struct calendar_zone **ret_zone);

/* ---- Windows --------------------------------------------------------------------------------- */

/* anchor, where a window begins; 0 is the plain calendar:
 *   DAILY              seconds after midnight, 0..86399
 *   WEEKLY             1 Monday (and 0) .. 7 Sunday
 *   MONTHLY            day 1..31; in a shorter month its last day
 *   QUARTERLY, YEARLY  month * 100 + day of the fiscal year's first day, 101..1231, a date of a
 *                      leap year; a day beyond its month's end is the month's last. A quarter is
 *                      three months, and begins on that day of every third month
 *   the others         0 only
 * window_seconds: ROLLING 1..LIMIT_ROLLING_S; the others 0.
 * zone: NULL is UTC. TOTAL and ROLLING do not ask it. */
struct calendar_rule {
    enum mete_period period;
    int64_t anchor;
    int64_t window_seconds;
    const struct calendar_zone *zone;
};

bool calendar_rule_is_valid(const struct calendar_rule *rule);

/* The window of an instant. TOTAL: [0, INT64_MAX). ROLLING: the bucket, a 64th of the rolling
 * window, [k * b, (k + 1) * b) with b = window_seconds * 15625 us.
 * now_us: 0 .. year 9999. INVALID: it is not, or the rule is not valid.
 * Cost: some 50 ns; around a change of the clock, and for windows that hold one, under 1 us. */
METE_MUST_USE int calendar_window(const struct calendar_rule *rule, int64_t now_us,
                                  struct window *ret_window);

/* How many whole windows lie in [end_us, start_us): those that nobody touched between the one that
 * ended at end_us and the one that begins at start_us. Either may be any instant, as a bound found
 * under another zone database is. TOTAL: 0. ROLLING: buckets.
 * 0 <= end_us <= start_us, in year 9999 at most, else INVALID; or the rule is not valid.
 * Cost: that of calendar_window; of days and shorter windows also up to a microsecond for each
 * change of the zone's clock between. */
METE_MUST_USE int calendar_windows_between(const struct calendar_rule *rule, int64_t end_us,
                                           int64_t start_us, uint64_t *ret_windows);

#endif
