/* SPDX-License-Identifier: Apache-2.0
 * Snapshots: the state after an entry, one file each, directory/snapshots/<seq>.snap. It does not
 * know what the pieces mean. A file is whole or not there: it is written under another name,
 * flushed, renamed, and the directory flushed; every piece has a checksum and the whole a
 * BLAKE2b-256, so that damage is found and the file left aside (docs/journal-format.md has the
 * bytes). THREAD each writer and reader one at a time. COST linear in the file; a megabyte of room.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "base/slice.h"
#include "mete.h"
#include "store/journal.h"

enum { SNAPSHOT_HASH = 32, SNAPSHOT_PIECE_MAX = 1 << 16 };

struct snapshot_head {
    uint8_t installation[16];
    int64_t at_us;            /* of the last entry in it */
    struct journal_mark mark; /* the journal it stands for; seq > 0 */
    uint8_t state_hash[32];   /* of the state it holds */
};

/* ---- Writing --------------------------------------------------------------------------------- */

struct snapshot_writer;

/* Errors of all: STORAGE, MEMORY. */
METE_MUST_USE int snapshot_begin(const char *directory, const struct snapshot_head *head,
                                 struct snapshot_writer **ret_writer);
/* 1..SNAPSHOT_PIECE_MAX bytes (asserted). */
METE_MUST_USE int snapshot_put(struct snapshot_writer *writer, struct slice piece);
/* Durable under its name when it returns 0. Frees the writer in any case. */
METE_MUST_USE int snapshot_end(struct snapshot_writer *writer, uint8_t ret_hash[SNAPSHOT_HASH]);
/* Takes away what was written. NULL is legal. */
void snapshot_abandon(struct snapshot_writer *writer);

/* ---- Reading --------------------------------------------------------------------------------- */

struct snapshot_reader;

/* NOT_FOUND, CORRUPT (it is not a snapshot of that entry), FORMAT, STORAGE, MEMORY. */
METE_MUST_USE int snapshot_open(const char *directory, uint64_t seq,
                                struct snapshot_reader **ret_reader);
void snapshot_close(struct snapshot_reader *reader);
const struct snapshot_head *snapshot_head(const struct snapshot_reader *reader);
/* The next piece, until the next call; an empty one at the end, where the whole has been checked:
 * nothing of it may be believed before. CORRUPT, STORAGE. */
METE_MUST_USE int snapshot_get(struct snapshot_reader *reader, struct slice *ret_piece);
/* After the end: BLAKE2b-256 of the file but its last 32 bytes, which are this. */
void snapshot_hash(const struct snapshot_reader *reader, uint8_t ret_hash[SNAPSHOT_HASH]);
/* Reads all of it. Errors as both above. */
METE_MUST_USE int snapshot_check(const char *directory, uint64_t seq,
                                 struct snapshot_head *ret_head, uint8_t ret_hash[SNAPSHOT_HASH]);

/* ---- The directory --------------------------------------------------------------------------- */

/* Entries of which there are snapshots, newest first, at most max; whether they are sound is not
 * known. None also where there is no directory of them. STORAGE: it cannot be read; MEMORY. */
METE_MUST_USE int snapshot_list(const char *directory, uint64_t *ret_seqs, size_t max,
                                size_t *ret_len);
/* STORAGE. That it is gone already is no error. */
METE_MUST_USE int snapshot_remove(const char *directory, uint64_t seq);
/* Removes what an interrupted writing left. */
void snapshot_tidy(const char *directory);
/* Into another data directory, checked on the way and durable. */
METE_MUST_USE int snapshot_copy(const char *from, const char *to, uint64_t seq);

#endif
