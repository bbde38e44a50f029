/* SPDX-License-Identifier: Apache-2.0
 * Read-only questions over the records, answered as JSON. They read a projection: last_seq says
 * how fresh it is. THREAD any worker, with its own reader. COST in rows of the answer (index),
 * except totals: in rows that match. */
#ifndef REPORTS_REPORTS_H
#define REPORTS_REPORTS_H

#include "base/buffer.h"
#include "store/records.h"

/* One page of usage records, newest first:
 * {"data":[record...],"next_cursor":"..."|null,"last_seq":N}. next_cursor is the decimal seq that
 * the next page's filter has as before_seq. Costs are decimal strings; docs/openapi.yaml, Record,
 * is the contract. filter->limit 1..1000. STORAGE; TOO_LARGE, MEMORY: out is full. On an error out
 * is as it was. */
METE_MUST_USE int reports_records(struct records_reader *reader,
                                  const struct records_filter *filter, bool tells_list,
                                  struct buffer *out);

/* The ending of this name, as a record shows it; METE_ENDINGS: there is none. */
enum mete_ending reports_ending(struct slice name);

/* One record as the API shows it; tells_list: with what one that had a markup would have cost
 * without. Ids of its scopes are read through reader. */
METE_MUST_USE int reports_record_json(struct records_reader *reader,
                                      const struct records_usage *usage, bool tells_list,
                                      struct buffer *out);

#endif
