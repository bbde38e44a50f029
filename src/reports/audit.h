/* SPDX-License-Identifier: Apache-2.0
 * The audit log as people take it away: a page of JSON, a JSON object a line, or CSV (RFC 4180,
 * with a line of titles). THREAD any worker, with its own reader. */
#ifndef REPORTS_AUDIT_H
#define REPORTS_AUDIT_H

#include "base/buffer.h"
#include "store/audit.h"

enum reports_format { REPORTS_JSON = 0, REPORTS_LINES, REPORTS_CSV };

/* One page, newest first. JSON: {"data":[row...],"next_cursor":"..."|null,"last_seq":N};
 * docs/openapi.yaml, AuditRow, is the contract. *ret_next: what the next page's filter has as
 * before_seq; 0: there is none. STORAGE, CORRUPT; TOO_LARGE, MEMORY: out is full. On an error out
 * is as it was. */
METE_MUST_USE int reports_audit(struct records_reader *reader, const struct audit_filter *filter,
                                enum reports_format format, struct buffer *out, uint64_t *ret_next);

#endif
