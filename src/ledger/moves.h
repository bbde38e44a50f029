/* SPDX-License-Identifier: Apache-2.0
 * Where scopes stood before they moved, for the files of this folder alone (moves.c). */
#ifndef LEDGER_MOVES_H
#define LEDGER_MOVES_H

#include "ledger/state.h"

/* How many more moves can be kept. */
uint32_t moves_room(const struct ledger *ledger);
bool moves_apply(struct ledger *ledger, const struct entry *entry);
/* The path that a reservation made by entry `seq` was made on, leaf first, if scopes have moved
 * since; else 0, and it is the present one. */
unsigned moves_path(const struct ledger *ledger, uint32_t scope, uint64_t seq,
                    uint32_t ret_scopes[LIMIT_PATH_SCOPES]);
/* Loading: keeps one more. false: it is none. */
bool moves_enter(struct ledger *ledger, const struct move *move);
void moves_check(const struct ledger *ledger);

#endif
