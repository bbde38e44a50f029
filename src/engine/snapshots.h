/* SPDX-License-Identifier: Apache-2.0
 * A ledger into a snapshot's file, and a ledger out of one. For recovery, the follower, verify and
 * explain. */
#ifndef ENGINE_SNAPSHOTS_H
#define ENGINE_SNAPSHOTS_H

#include "ledger/ledger.h"
#include "store/snapshot.h"

enum { SNAPSHOTS_MAX = 64 /* that are looked at; three are kept */ };

/* pace: called after each piece, may be NULL; non-zero stops and is returned. Errors: STORAGE,
 * MEMORY. */
METE_MUST_USE int snapshots_write(const struct ledger *ledger, const char *directory,
                                  const uint8_t head[JOURNAL_HASH], int (*pace)(void *user),
                                  void *user, uint8_t ret_hash[SNAPSHOT_HASH]);

/* Into a ledger of that room that nothing was applied to; given anew if the file is bad. Errors as
 * of snapshot_open(), and those of ledger_load(). */
METE_MUST_USE int snapshots_load(const char *directory, uint64_t seq, struct ledger **ledger,
                                 struct journal_mark *ret_mark, uint8_t ret_hash[SNAPSHOT_HASH]);

/* The newest snapshot up to an entry (seq) and instant that loads and that `knows` agrees with:
 * 0; NOT_FOUND: there is none; STORAGE: none, but there is what could not be read, which is no
 * matter to who can do without; else an error. knows: 0, NOT_FOUND to pass it over, or an error. */
struct snapshots_wanted {
    const char *directory;
    uint64_t seq_max;
    int64_t at_us_max;
    int (*knows)(void *user, const struct journal_mark *mark);
    void *user;
};
METE_MUST_USE int snapshots_find(const struct snapshots_wanted *wanted, struct ledger **ledger,
                                 struct journal_mark *ret_mark);

/* Keeps the two newest, the base that the chain names and the one the journal begins with, which
 * is an older one while a cut is under way; all others are removed. */
void snapshots_prune(const char *directory, uint64_t base, uint64_t cut);

#endif
