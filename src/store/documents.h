/* SPDX-License-Identifier: Apache-2.0
 * Rows of documents of the caller's own, in the table of entities: the last one put under (kind,
 * organization, id). Rows are numbered in order of their making, over all kinds, so that a list can
 * be paged while it changes; one that ends is deleted, and with an organization what is its.
 * THREAD the writer of the records. */
#ifndef STORE_DOCUMENTS_H
#define STORE_DOCUMENTS_H

#include "store/records.h"

#include <sqlite3.h>

struct documents {
    sqlite3_stmt *update, *number, *insert, *end, *end_all;
};

METE_MUST_USE int documents_init(struct documents *documents, sqlite3 *db);
void documents_done(struct documents *documents);
/* In an open batch. STORAGE. */
METE_MUST_USE int documents_put(struct documents *documents, const struct records_entity *entity);
METE_MUST_USE int documents_end_of(struct documents *documents, struct mete_scope_id organization);

#endif
