/* SPDX-License-Identifier: Apache-2.0
 * The audit log: a row for each administrative change, in the table `audit` of records.db. Like all
 * of that file it is a projection of the journal, written with the rest of an entry in one
 * transaction; unlike the rest it is chained: each row's hash is over the one before it and over
 * everything the row says, so that none can be changed, taken out, put in or moved without every
 * later hash changing too. Rows are never removed, and not by a cut of the journal either.
 * THREADS a book belongs to its connection's thread. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store/records.h"

enum { AUDIT_HASH = 32 };

struct audit_row {
    uint64_t seq; /* of its entry */
    int64_t at_us;
    struct slice actor, action;        /* who, and what: "budget.update" */
    struct mete_scope_id organization; /* n = 0: of the installation */
    struct slice kind, id;             /* of what was changed */
    uint32_t handle;                   /* of what has one: ids may be used again, handles are not */
    struct slice before, after;        /* JSON; empty: there was none, there is none */
    uint8_t chain[AUDIT_HASH];
    struct slice organization_id; /* read only */
};

struct audit_book;

/* Of the writer, or of a reader; it lives as long as they. MEMORY, STORAGE, CORRUPT. */
struct audit_book *records_audit(struct records *records);
METE_MUST_USE int records_reader_audit(struct records_reader *reader, struct audit_book **ret_book);

/* BLAKE2b-256 of the hash before (zeroes before the first row) and of the row's seq, at_us,
 * organization and handle (8 bytes each, little-endian) and its actor, action, kind, id, before and
 * after (8 bytes of length, and the bytes). */
void audit_hash(const uint8_t last[AUDIT_HASH], const struct audit_row *row,
                uint8_t ret_hash[AUDIT_HASH]);

/* ---- Writing: the projector, in an open batch ------------------------------------------------ */

/* Puts a row behind the last one, and chains it; row->chain is not looked at. STORAGE, MEMORY. */
METE_MUST_USE int audit_put(struct audit_book *book, const struct audit_row *row);

/* The hash of the last row up to an entry; zeroes if there is none. STORAGE, CORRUPT, MEMORY. */
METE_MUST_USE int audit_head(struct audit_book *book, uint64_t upto_seq,
                             uint8_t ret_hash[AUDIT_HASH]);

/* ---- Looking up what a row is made of ---------------------------------------------------------
 */

/* A row of the table entity; texts die with the next look-up of the kind. NOT_FOUND. */
struct audit_entity {
    struct mete_scope_id organization, parent;
    struct slice id, document;
    int kind; /* of a scope that was asked for as METE_KIND_NONE */
};
METE_MUST_USE int audit_find_entity(struct audit_book *book, int kind, uint32_t handle,
                                    struct audit_entity *ret_entity);
/* What the last row before row->seq of the same thing (kind, organization, handle and id) says it
 * became; it dies with the next such look-up. NOT_FOUND: there is no such row. */
METE_MUST_USE int audit_find_last(struct audit_book *book, const struct audit_row *row,
                                  struct slice *ret_after);
/* The id of the newest thing of a kind with this handle; likewise. NOT_FOUND. */
METE_MUST_USE int audit_find_id(struct audit_book *book, const char *kind, uint32_t handle,
                                struct slice *ret_id);
/* Ends all look-ups: their texts are gone. */
void audit_rest(struct audit_book *book);

/* ---- Reading ----------------------------------------------------------------------------------
 */

/* Changes made by entries up to this one have no rows: the file was begun by a mete that kept none.
 */
METE_MUST_USE int audit_begins_behind(struct audit_book *book, uint64_t *ret_seq);

struct audit_filter {
    struct mete_scope_id organization;    /* n = 0: all, the installation's too */
    struct slice actor, action, kind, id; /* empty: all */
    int64_t from_us, to_us;               /* made in [from, to); 0: open */
    uint64_t before_seq;                  /* newest first, those before this one; 0: the newest */
    size_t limit;                         /* at least 1 */
};
/* Newest first. Slices die when fn returns; fn returning non-zero stops and is returned. Cost:
 * linear in the organization's rows between the newest and the last one told. */
METE_MUST_USE int audit_each(struct audit_book *book, const struct audit_filter *filter,
                             int (*fn)(void *user, const struct audit_row *row), void *user);

/* All rows, oldest first, one a call; its texts die with the next. *ret_found 0: no more. */
METE_MUST_USE int audit_next(struct audit_book *book, struct audit_row *ret_row, int *ret_found);

/* ---- For records.c and records_read.c ---------------------------------------------------------
 */

struct sqlite3;
/* has_table: the file is of a version that has one; without it nothing is ever found. */
METE_MUST_USE int audit_open(struct sqlite3 *db, bool has_table, struct audit_book **ret_book);
void audit_close(struct audit_book *book); /* NULL is legal */
/* What was put since the last end of a batch is there now; or never was. */
void audit_batch_ended(struct audit_book *book, bool is_there);

#endif
