/* SPDX-License-Identifier: Apache-2.0
 * Proving a data directory offline, while no server runs: that nothing of the journal was changed,
 * lost or reordered; that its entries make a consistent ledger; that every snapshot is what they
 * make up to it; and that the records are exactly what the journal says they are. Changes no
 * content. */
#ifndef ENGINE_VERIFY_H
#define ENGINE_VERIFY_H

#include "mete.h"

struct verify_report {
    /* the journal: checksum of each group, chain over all, every entry fits its state */
    uint64_t groups, entries, journal_bytes;
    uint64_t last_seq;
    struct mete_instant last_at;
    uint8_t head[32];       /* chain hash of the last group */
    uint8_t state_hash[32]; /* what METE_QUERY_HASH says after it */
    uint64_t base;          /* a cut journal begins behind this entry; 0: never cut */
    uint64_t snapshots;     /* that loaded, and are the state of the replay at their entry */
    /* the ledger it makes */
    uint64_t scopes, budgets, reservations_open;
    uint64_t drift;   /* counters that differ from their parts; must be 0 */
    uint64_t windows; /* of budgets, whose committed was added up anew from the usage */
    /* the records: compared row by row, up to records_seq */
    int has_records;
    uint64_t records_seq, usage, entities, events;
    uint64_t removed;       /* usage records that are gone by age */
    int rolled_up;          /* 1: sums of usage are those of the calls */
    uint64_t primary;       /* entities of before the base: there is nothing to compare them with */
    uint64_t audit;         /* rows of the audit log, each chained to the one before it */
    uint8_t audit_head[32]; /* hash of the last one */
    char detail[256];       /* a sentence: what is wrong, empty if nothing is */
};

/* 0: clean. CORRUPT: not, and detail says what. FORMAT, LOCKED, STORAGE, MEMORY, NOT_FOUND (no
 * journal there): nothing is known. ret_report is filled in any case, as far as it came. Linear in
 * the journal. */
METE_MUST_USE int engine_verify(const char *directory, struct verify_report *ret_report);

#endif
