/* SPDX-License-Identifier: Apache-2.0
 * Read-only questions over the records, answered as JSON. They read a projection: last_seq says
 * how fresh it is. THREAD any worker, with its own reader. COST in rows of the answer (index), except
 * totals: in rows that match. */
#ifndef REPORTS_REPORTS_H
#define REPORTS_REPORTS_H

#include "base/buffer.h"
#include "store/records.h"

/* One page of usage records, newest first:
 * {"data":[record...],"next_cursor":"..."|null,"last_seq":N}. Costs are decimal strings. */
METE_MUST_USE int reports_records(struct records_reader *reader, const struct records_filter *filter,
                                  struct buffer *out);

/* One record as the API shows it. */
METE_MUST_USE int reports_record_json(const struct records_usage *usage, struct buffer *out);

#endif
