/* SPDX-License-Identifier: Apache-2.0
 * Instants as RFC 3339 texts. Years 1970 to 9999; no leap seconds (60 is refused). */
#ifndef CODEC_TIMESTAMP_H
#define CODEC_TIMESTAMP_H

#include "base/slice.h"

#include <stdint.h>

enum { TIMESTAMP_ROOM = 32 };

/* "2026-11-21T08:37:00Z", "...00.123456Z" or with an offset; also "2023-11-16 18:17:03.9799600"
 * as traces have it: a space for the T, more digits than six (cut off), no zone (UTC). T and Z may
 * be small letters. The year as written and the instant both lie in 1970 .. 9999. METE_E_SYNTAX. */
__attribute__((warn_unused_result)) int timestamp_parse(struct slice text, int64_t *ret_us);
/* UTC with a Z; fraction of six digits only when it is not zero. Returns the length; terminated.
 * An instant outside the years 0 to 9999 has no text and gives "": so does INT64_MAX, never. */
size_t timestamp_format(int64_t us, char room[TIMESTAMP_ROOM]);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. month 1..12 (asserted). A day past
 * the end of its month counts on into the next. */
int64_t timestamp_days(int64_t year, unsigned month, unsigned day);
void timestamp_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
