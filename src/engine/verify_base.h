/* SPDX-License-Identifier: Apache-2.0
 * verify's part for snapshots: that each file is whole, loads, and holds the state that the journal
 * makes up to its entry; and that the base is the one which the chain names. For verify.c alone. */
#ifndef ENGINE_VERIFY_BASE_H
#define ENGINE_VERIFY_BASE_H

#include "engine/snapshots.h"
#include "store/journal.h"

struct verify_base {
    const char *directory;
    struct journal *journal;
    char *detail;             /* 256 bytes: what is wrong */
    struct journal_mark base; /* of the journal; seq 0: it was never cut */
    uint8_t hash[SNAPSHOT_HASH];
    bool is_named; /* an entry behind the base names it, with this hash */
    size_t len;
    uint64_t seqs[SNAPSHOTS_MAX]; /* newest first, none before the base */
    uint8_t hashes[SNAPSHOTS_MAX][32];
};

/* Looks at all files, and makes *ledger, which nothing was applied to, the state to begin with: the
 * base's, or an empty one. CORRUPT: detail says what; STORAGE, MEMORY, FORMAT. */
METE_MUST_USE int verify_base_open(struct verify_base *base, struct ledger **ledger);
/* After each entry of the replay. CORRUPT. */
METE_MUST_USE int verify_base_entry(struct verify_base *base, const struct ledger *ledger,
                                    const struct entry *entry);
/* After the last one. CORRUPT. */
METE_MUST_USE int verify_base_end(struct verify_base *base);

#endif
