/* SPDX-License-Identifier: Apache-2.0
 * Reading a group of the journal back: entry by entry through ledger_apply(), the only way the
 * state ever changes. Recovery and verify both do it here. */
#ifndef ENGINE_REPLAY_H
#define ENGINE_REPLAY_H

#include "engine/project.h"
#include "store/journal.h"

struct replay {
    struct ledger *ledger;
    struct lineage *lineage;        /* NULL: nothing is projected */
    struct ledger_effects *effects; /* room; one is 50 KB */
    struct projection *projection;  /* room */
    uint64_t project_from;          /* entries from this one on are projected; UINT64_MAX: none */
    /* Before each entry is applied; may be NULL. The effects are then filled of every entry. */
    void (*before)(void *user, const struct entry *entry);
    /* After each entry; projection is NULL for one that is not projected. Non-zero stops. */
    int (*each)(void *user, const struct entry *entry, const struct projection *projection);
    void *user;
    uint64_t entries;
    int64_t last_at_us;
    char *detail; /* 256 bytes for what is wrong; may be NULL */
};

/* CORRUPT: bytes that are no entries, or entries that do not fit the state. FORMAT. */
METE_MUST_USE int replay_group(struct replay *replay, const struct journal_group *group);

#endif
