/* SPDX-License-Identifier: Apache-2.0
 * What the writer and the readers of records.db share: its tables, and how a record's usage lies in
 * columns. Internal to store/. */
#ifndef STORE_RECORDS_FILE_H
#define STORE_RECORDS_FILE_H

#include "base/varint.h"
#include "store/db.h"
#include "store/records.h"

/* 1: without the tables detail and upstream. 2: without audit, entity_list and rollups. */
enum {
    RECORDS_APPLICATION = 0x6d657472, /* "metr" */
    RECORDS_VERSION = 3
};

/* The meters before this one have a column; those that came later lie packed in the last one, so
 * that records of any age are one table. */
enum { RECORDS_COLUMN_METERS = METE_CACHE_WRITE_1H };

/* Columns of usage, in order. A NULL meter was not reported, which is not the same as 0. */
enum {
    USAGE_SEQ = 0,
    USAGE_RESERVATION,
    USAGE_SCOPE,
    USAGE_ORGANIZATION,
    USAGE_DEPARTMENT,
    USAGE_USER,
    USAGE_KEY,
    USAGE_REQUEST_ID,
    USAGE_MODEL,
    USAGE_PROVIDER,
    USAGE_STARTED,
    USAGE_ENDED,
    USAGE_STATE,
    USAGE_OVERRUN,
    USAGE_CURRENCY, /* of cost, the first one reported */
    USAGE_METERS,   /* cost, input, ... in the order of enum mete_meter */
    USAGE_EXTRA = USAGE_METERS + RECORDS_COLUMN_METERS, /* the others, packed */
    USAGE_ENDING,
    USAGE_FLAGS,
    USAGE_STATUS,
    USAGE_ATTEMPTS,
    USAGE_LATENCY,
    USAGE_FIRST_TOKEN,
    USAGE_PRICE_LIST,
    USAGE_NOTE,
    USAGE_CORRECTS,
    USAGE_OWN, /* how many are of the table usage; the rest is of detail, or NULL */
    USAGE_SESSION = USAGE_OWN,
    USAGE_TAGS, /* with a line feed between two */
    USAGE_FINGERPRINT,
    USAGE_DETAILS, /* as base/details.h packs them */
    USAGE_COLUMNS
};

#define RECORDS_USAGE_COLUMNS                                                                      \
    "seq, reservation, scope, organization, department, user, key, request_id, model, provider,"   \
    " started_us, ended_us, state, overrun, currency, cost_nano, input, cached_input,"             \
    " cache_write, output, reasoning, total_tokens, requests, images, audio_seconds, extra,"       \
    " ending, flags, status, attempts, latency_ms, first_token_ms, price_list, note,"              \
    " corrects"

#define RECORDS_DETAIL_COLUMNS "session, tags, fingerprint, details"

#define RECORDS_ENTITY_COLUMNS                                                                     \
    "kind, handle, organization, parent, id, document, ended, seq, at_us, actor"

#define RECORDS_EVENT_COLUMNS                                                                      \
    "seq, n, kind, at_us, scope, budget, threshold_ppm, limit_amount, committed, held"

/* The audit log (store/audit.c). */
#define RECORDS_AUDIT_COLUMNS                                                                      \
    "seq, at_us, actor, action, organization, kind, id, handle, before, after, chain"
#define RECORDS_AUDIT_IN_VERSION_3                                                                 \
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, actor TEXT NOT NULL,"    \
    " action TEXT NOT NULL, organization INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,"  \
    " handle INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, chain BLOB NOT NULL);"   \
    "CREATE INDEX audit_thing ON audit (kind, handle, id);"                                        \
    "CREATE INDEX audit_organization ON audit (organization);"

/* For other questions than those of records.h. */
sqlite3 *records_reader_db(struct records_reader *reader);

/* Usage that has no column: (meter, currency, amount) varints after each other. */
enum { RECORDS_EXTRA_MAX = RECORDS_METERS_MAX * 3 * VARINT_MAX };

#endif
