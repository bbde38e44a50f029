/* SPDX-License-Identifier: Apache-2.0
 * Documents of the caller's own: PUT_DOCUMENT, END_DOCUMENT and their entries. */
#ifndef LEDGER_DOCUMENTS_H
#define LEDGER_DOCUMENTS_H

#include "ledger/batch.h"

/* INVALID; NOT_FOUND: there is no such organization. */
int documents_judge(const struct batch *batch, const struct mete_change *change);
void documents_write(const struct mete_change *change, struct slice actor, struct entry *entry);
/* Whether it could have been decided: the state stays as it is. */
bool documents_apply(const struct ledger *ledger, const struct entry *entry);

#endif
