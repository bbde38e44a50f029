/* SPDX-License-Identifier: Apache-2.0
 * Looking after the data, as mete.h promises it: snapshot, cut, backup. For the files of this
 * folder alone. */
#ifndef ENGINE_KEEPING_H
#define ENGINE_KEEPING_H

#include "store/journal.h"
#include "store/snapshot.h"

#include <stdbool.h>

struct mete;

/* The follower's thread: makes the snapshot at the mark, which was verified, the base, and deletes
 * what is before it. CLOSED. */
METE_MUST_USE int keeping_cut(struct mete *mete, const struct journal_mark *mark,
                              const uint8_t hash[SNAPSHOT_HASH]);
/* The follower's thread, once: the rest of a cut that was interrupted. */
METE_MUST_USE int keeping_clear(struct mete *mete);
/* Owner, once a turn: enters the new base, if one is wished and there is room. */
void keeping_enter_base(struct mete *mete);
/* Whether a flush is wished: one that came after keeping_flush_records() has rung a bell that is
 * heard already. */
bool keeping_wants_flush(const struct mete *mete);
/* Projector, between transactions: makes durable what it wrote, if that is wished. */
void keeping_flush_records(struct mete *mete);

#endif
