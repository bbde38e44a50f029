/* SPDX-License-Identifier: Apache-2.0
 * What was used, added up: by scope, model, provider or tag, and by the hour, day or month of a
 * time zone. Answered from the rollups (store/rollups.h). THREAD any worker, with its own reader.
 * COST in the scopes and days asked for, whatever calls there were. */
#ifndef REPORTS_USAGE_H
#define REPORTS_USAGE_H

#include "base/buffer.h"
#include "calendar/calendar.h"
#include "reports/audit.h"
#include "reports/convert.h"
#include "store/rollups.h"

struct reports_usage {
    struct rollups_question about; /* whose: all but from, to, first and limit */
    const char *by;            /* "model", "api_key": what about.by tells apart; NULL: nothing */
    enum mete_kind kind;       /* of the scopes told apart; 0: they are none */
    enum mete_period interval; /* HOURLY, DAILY, MONTHLY; TOTAL: not by time */
    struct slice zone_name;
    const struct calendar_zone *zone;  /* NULL: UTC */
    uint32_t from, to;                 /* buckets */
    uint64_t cursor;                   /* of the page before; 0: the first page */
    size_t limit;                      /* rows, 1..1000 */
    enum reports_format format;        /* JSON, CSV */
    const struct reports_rates *rates; /* JSON: all costs in one currency too; NULL: not */
    bool tells_margin; /* JSON: what was charged above the price list, by currency */
};

/* Most intervals that one page looks at: it may be short, or empty, and not be the last. */
enum { REPORTS_INTERVALS = 1500 };

/* A page, in order of time and then of ids' making:
 * {"from","to","time_zone","data":[row...],"totals":row,"next_cursor":"..."|null,"last_seq":N};
 * docs/openapi.yaml, UsagePage, is the contract. Not by anything, each interval has a row, though
 * nothing was used in it. CSV: the rows, with a line of titles; a row of several currencies is as
 * many lines, of which the first has all but the other costs. *ret_next: the cursor of the next
 * page; 0: there is none. TOO_LARGE: a sum is; NOT_FOUND: an interval begins or ends where only
 * whole days of UTC are still told; others as reports.h. On an error out is as it was. */
METE_MUST_USE int reports_usage(struct records_reader *reader, const struct reports_usage *question,
                                struct buffer *out, uint64_t *ret_next);

/* The last 48 hours, 30 days and 12 months, each up to now and oldest first:
 * {"time_zone","hours":[row...],"days":[...],"months":[...],"last_seq":N}. Of the question only
 * whose, and the zone, are looked at. */
METE_MUST_USE int reports_usage_series(struct records_reader *reader,
                                       const struct reports_usage *question, int64_t now_us,
                                       struct buffer *out);

#endif
