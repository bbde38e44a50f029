/* SPDX-License-Identifier: Apache-2.0
 * One usage record as JSON. Internal to reports/. */
#ifndef REPORTS_RECORD_H
#define REPORTS_RECORD_H

#include "base/buffer.h"
#include "store/records.h"

/* Ids of scopes, looked up once each as long as few are wanted. NULL: no memory. */
struct record_names;
struct record_names *record_names_new(struct records_reader *reader);
void record_names_free(struct record_names *names);

/* The id of a scope of this kind. Borrowed until the next call. CORRUPT: there is none; STORAGE. */
METE_MUST_USE int record_names_find(struct record_names *names, enum mete_kind kind,
                                    uint32_t handle, struct slice *ret_id);

/* What a meter that few calls have is called; NULL: it is a usual one, or the user's own. */
const char *record_quantity_name(uint16_t meter);
const char *record_ending_name(enum mete_ending ending);
/* tells_list: with what it would have cost without its markup, if it had one.
 * docs/openapi.yaml, Record, is the contract. TOO_LARGE, MEMORY: out is full, and has a part of it;
 * STORAGE, CORRUPT: of the records. */
METE_MUST_USE int record_put(struct record_names *names, const struct records_usage *usage,
                             bool tells_list, struct buffer *out);

#endif
