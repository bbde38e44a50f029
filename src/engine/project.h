/* SPDX-License-Identifier: Apache-2.0
 * What a journal entry means to the records: at most one usage record, at most one entity, a row of
 * the audit log if it is administrative, and events. A function of the entry, what it did to the
 * ledger, and who stands above whom; the live engine, recovery and verify all ask here, so that
 * they cannot differ. */
#ifndef ENGINE_PROJECT_H
#define ENGINE_PROJECT_H

#include "ledger/ledger.h"
#include "store/records.h"

/* Who stands above whom, and what a record's fingerprint is keyed with. Reserves address space for
 * scopes_max; five bytes a scope are touched. */
struct lineage {
    uint32_t *parents; /* [handle] */
    uint8_t *kinds;
    size_t mapped;
    uint32_t scopes_max;
    uint8_t key[16]; /* of fingerprints: the installation's id, which no record has */
};

METE_MUST_USE int lineage_init(struct lineage *lineage, uint32_t scopes_max);
void lineage_done(struct lineage *lineage);
/* Learns of ENTRY_GENESIS, ENTRY_SCOPE and ENTRY_SCOPE_MOVE; other entries are nothing to it. */
void lineage_apply(struct lineage *lineage, const struct entry *entry);

/* Learns all of a ledger, for one that was loaded. */
void lineage_learn(struct lineage *lineage, const struct ledger *ledger);

/* What the audit log's row is made of, by who writes it (audit_make.h): the entry, and what stands
 * above the scope that it names. */
struct project_audit {
    const struct entry *entry;         /* NULL: it is not for the audit log */
    struct mete_scope_id organization; /* of the entry's scope; 0: it names none */
    struct mete_scope_id parent;       /* where that scope stands after the entry */
    struct slice id;                   /* of the budget that an ENTRY_DEFAULT made */
};

/* Slices borrow from the entry and the effects. */
struct projection {
    bool has_usage, has_entity;
    struct records_usage usage; /* .usage points to meters */
    struct mete_usage meters[RECORDS_METERS_MAX];
    struct records_entity entity;
    struct project_audit audit;
    struct entry audited; /* room for who takes a projection out of a ring */
    const struct mete_event *events;
    size_t events_len;
};

/* After ledger_apply() and lineage_apply() of the entry. */
void project_entry(const struct lineage *lineage, const struct entry *entry,
                   const struct ledger_effects *effects, struct projection *ret_projection);

/* Into an open batch of the records. STORAGE, CORRUPT, MEMORY. */
METE_MUST_USE int project_put(struct records *records, const struct projection *projection);

#endif
