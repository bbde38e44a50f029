/* SPDX-License-Identifier: Apache-2.0
 * The journal: the durable order of every change, one row a group commit, on SQLite with exactly
 * one exclusive connection (docs/journal-format.md has the bytes). It does not know what an entry
 * means. Each row carries a checksum (XXH3-64) and a chain hash (BLAKE2b-256 over the previous
 * hash and the group), so that a torn, changed, missing or reordered group cannot pass.
 * THREAD one at a time. ERRORS: after a failed append the journal is unusable and the process must
 * die (INV-15): a flush is never retried. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "base/slice.h"
#include "mete.h"
#include "os/os.h"

struct journal;

enum { JOURNAL_HASH = 32 };

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

/* Durable when it returns 0. first_seq must follow on (asserted); journal_read() must have been
 * called. entries: at most LIMIT_GROUP bytes (asserted). One flush. STORAGE. */
METE_MUST_USE int journal_append(struct journal *journal, const struct journal_group *group);

/* Moves flushed groups to their place in the file once enough have gathered: cheap when there is
 * nothing to do. Append does it by itself when it must; call it when nobody waits. STORAGE, and the
 * journal is then unusable as after a failed append. */
METE_MUST_USE int journal_tidy(struct journal *journal);

/* Calls fn for every group in order, checked. fn returning non-zero stops and is returned.
 * CORRUPT: a checksum, the chain or the sequence is broken; *ret_detail, unless NULL, says where.
 */
METE_MUST_USE int journal_read(struct journal *journal,
                               int (*fn)(void *user, const struct journal_group *group), void *user,
                               char ret_detail[256]);

uint64_t journal_last_seq(const struct journal *journal); /* 0: empty; valid after journal_read */
void journal_head(const struct journal *journal, uint8_t ret_hash[JOURNAL_HASH]);
uint64_t journal_bytes(const struct journal *journal); /* in groups; any thread */

#endif
