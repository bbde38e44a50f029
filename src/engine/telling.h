/* SPDX-License-Identifier: Apache-2.0
 * A ledger of its own that is brought from the newest snapshot before an instant through the
 * journal, so that somebody may look at it after each entry and tell what changed. The owner is not
 * asked. For explain.c and explain_quota.c. */
#ifndef ENGINE_TELLING_H
#define ENGINE_TELLING_H

#include "engine/engine.h"
#include "engine/replay.h"

struct telling {
    struct mete *mete;
    int64_t since_us;
    /* from telling_begin() on */
    struct ledger *ledger;
    struct journal_mark mark;
    struct journal_piece piece;
    struct replay replay;
    struct ledger_effects effects; /* of the entry each() is told of */
};

/* Any thread. What lies before the base nobody knows any more: then it begins there. MEMORY,
 * STORAGE, CORRUPT. */
METE_MUST_USE int telling_begin(struct telling *telling);
/* Sets replay.before and replay.each first. BUSY: the journal was cut meanwhile. */
METE_MUST_USE int telling_follow(struct telling *telling);
/* Also after a begin that failed. */
void telling_done(struct telling *telling);

/* As in docs/journal-format.md. */
const char *telling_word(enum entry_kind kind);
/* The reservation an entry makes, changes or ends; 0: none. */
uint64_t telling_reservation(const struct entry *entry);

#endif
