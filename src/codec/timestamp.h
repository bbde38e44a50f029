/* SPDX-License-Identifier: Apache-2.0
 * Instants as RFC 3339 texts. Years 1970 to 9999; no leap seconds (60 is refused). */
#ifndef CODEC_TIMESTAMP_H
#define CODEC_TIMESTAMP_H

#include "base/slice.h"

#include <stdint.h>

enum { TIMESTAMP_ROOM = 32 };

/* "2026-11-21T08:37:00Z", "...00.123456Z" or with an offset; also "2023-11-16 18:17:03.9799600"
 * as traces have it: a space for the T, more digits than six (cut off), no zone (UTC).
 * METE_E_SYNTAX. */
__attribute__((warn_unused_result)) int timestamp_parse(struct slice text, int64_t *ret_us);
/* UTC with a Z; fraction of six digits only when it is not zero. Returns the length; terminated.
 * INT64_MAX gives "". */
size_t timestamp_format(int64_t us, char room[TIMESTAMP_ROOM]);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int64_t timestamp_days(int64_t year, unsigned month, unsigned day);
void timestamp_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
