/* SPDX-License-Identifier: Apache-2.0
 * The journal: the durable order of every change, one row a group commit, on SQLite with exactly
 * one exclusive connection (docs/journal-format.md has the bytes). It does not know what an entry
 * means. Each row carries a checksum (XXH3-64) and a chain hash (BLAKE2b-256 over the previous
 * hash and the group), so that a torn, changed, missing or reordered group cannot pass.
 * THREAD one at a time. ERRORS: after a failed append the journal is unusable and the process must
 * die (INV-15): a flush is never retried. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "base/limits.h"
#include "base/slice.h"
#include "mete.h"
#include "os/os.h"

struct journal;

enum { JOURNAL_HASH = 32 };

/* The journal up to and with an entry: what a chain goes on from. seq 0: its beginning, head zeros.
 */
struct journal_mark {
    uint64_t seq;
    uint8_t head[JOURNAL_HASH];
};

struct journal_group {
    uint64_t first_seq; /* 1 for the first entry ever */
    uint32_t count;     /* entries in it, at least 1 */
    struct slice entries;
};

/* Opens or creates directory/journal.db. Errors: STORAGE, LOCKED, FORMAT, CORRUPT (also: damage in
 * the middle of the write-ahead file), MEMORY; NOT_FOUND if read_only.
 * read_only: for verify; changes no content, still needs that no server runs. */
METE_MUST_USE int journal_open(const struct os *os, const char *directory, int read_only,
                               struct journal **ret_journal);
void journal_close(struct journal *journal);

/* Bytes in the caller's memory: see journal_fetch(). */
struct journal_piece {
    uint8_t *bytes;
    size_t len, room;
};

/* Durable when it returns 0. first_seq must follow on (asserted); journal_read() must have been
 * called. entries: at most LIMIT_GROUP bytes (asserted). One flush. STORAGE, MEMORY. */
METE_MUST_USE int journal_append(struct journal *journal, const struct journal_group *group);

/* Moves flushed groups to their place in the file once enough have gathered: cheap when there is
 * nothing to do. Append does it by itself when it must; call it when nobody waits. STORAGE, MEMORY,
 * and the journal is then unusable as after a failed append. */
METE_MUST_USE int journal_tidy(struct journal *journal);

/* Calls fn for every group behind the mark in order, checked; NULL: behind the base. fn returning
 * non-zero stops and is returned. CORRUPT: a checksum, the chain or the sequence is broken, or the
 * journal does not know the mark; *ret_detail, unless NULL, says where. */
METE_MUST_USE int journal_read(struct journal *journal, const struct journal_mark *after,
                               int (*fn)(void *user, const struct journal_group *group), void *user,
                               char ret_detail[256]);

/* Whether this journal stood so once, as far as it still has what tells: 0, or NOT_FOUND (another
 * history, before the base, or behind the end). CORRUPT, STORAGE. One look-up. */
METE_MUST_USE int journal_knows(struct journal *journal, const struct journal_mark *mark);

/* ---- In pieces, beside appending ------------------------------------------------------------- */

/* A row in a piece: its number and length before it, its chain hash behind it. */
enum { JOURNAL_PIECE_MIN = LIMIT_GROUP + 16 + 12 + JOURNAL_HASH };

/* Copies whole rows behind entry `after` into room (at least JOURNAL_PIECE_MIN bytes), until enough
 * bytes are there or the next one does not fit. *ret_len 0: there is nothing behind it. Checks
 * nothing, so that who appends loses little time: some 100 us for 64 KiB. STORAGE, CORRUPT. */
METE_MUST_USE int journal_fetch(struct journal *journal, uint64_t after, size_t enough,
                                struct journal_piece *ret_piece);
/* The groups of a piece, checked as by journal_read(); moves the mark. Any thread. */
METE_MUST_USE int journal_unfold(const struct journal_piece *piece, struct journal_mark *mark,
                                 int (*fn)(void *user, const struct journal_group *group),
                                 void *user, char ret_detail[256]);

/* ---- Copying --------------------------------------------------------------------------------- */

/* Makes an empty journal one that begins behind the mark; instead of journal_read(). STORAGE,
 * MEMORY. */
METE_MUST_USE int journal_begin_at(struct journal *journal, const struct journal_mark *base);
/* Appends the groups of a piece of another journal, checked, in one flush: it must follow on.
 * CORRUPT, FORMAT; STORAGE, MEMORY as a failed append. */
METE_MUST_USE int journal_adopt(struct journal *journal, const struct journal_piece *piece);

/* ---- Cutting --------------------------------------------------------------------------------- */

/* Where reading begins: the mark of the last cut. */
void journal_base(const struct journal *journal, struct journal_mark *ret_base);
/* Makes the mark, which the journal must know, the base: from now on nothing before it is read.
 * Durable when it returns. Who cuts has kept what the groups before it say. STORAGE as a failed
 * append; NOT_FOUND. */
METE_MUST_USE int journal_cut(struct journal *journal, const struct journal_mark *base);
/* Deletes some groups before the base: a transaction of its own, a few ms at most. *ret_more: there
 * are others. After a crash in between the rest is deleted later. STORAGE as a failed append. */
METE_MUST_USE int journal_cut_step(struct journal *journal, int *ret_more);

uint64_t journal_last_seq(const struct journal *journal); /* 0: empty; valid after journal_read */
void journal_head(const struct journal *journal, uint8_t ret_hash[JOURNAL_HASH]);
/* In groups; of a journal that was read from a mark on: of its file. Any thread. */
uint64_t journal_bytes(const struct journal *journal);

#endif
