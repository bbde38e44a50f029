/* SPDX-License-Identifier: Apache-2.0
 * The audit log against the journal, for verify: every row chained to the one before it, from the
 * first ever on; and of entries that the journal still has each row made anew. What is wrong is
 * told by the row's number, which is that of its entry. */
#ifndef ENGINE_VERIFY_AUDIT_H
#define ENGINE_VERIFY_AUDIT_H

#include "engine/project.h"
#include "store/audit.h"

struct verify_audit {
    char fault[256];           /* what is wrong first; empty: nothing yet */
    uint64_t base_seq;         /* the journal begins behind it */
    struct audit_book *book;   /* NULL: there are no records */
    uint64_t begins_behind;    /* there are no rows up to here */
    uint64_t rows;             /* that were looked at */
    uint8_t chain[AUDIT_HASH]; /* of the last of them */
    uint8_t base[AUDIT_HASH];  /* of the last one before the base */
    struct audit_row next;
    int has_next;
};

/* With base_seq set. Walks over the rows of before the base. STORAGE, CORRUPT (the file), MEMORY.
 * What is wrong with a row is kept for the end: entities that are wrong make rows wrong too. */
METE_MUST_USE int verify_audit_begin(struct verify_audit *audit, struct records_reader *reader);
/* After each entry, as it is projected. */
METE_MUST_USE int verify_audit_entry(struct verify_audit *audit,
                                     const struct project_audit *wanted);
/* Likewise: the entry that names the base names the rows of before it too. */
void verify_audit_base(struct verify_audit *audit, const struct entry *entry);
/* After the last one that the records have, and after their entities: there is no row more.
 * CORRUPT: fault says what is wrong. */
METE_MUST_USE int verify_audit_end(struct verify_audit *audit);

#endif
