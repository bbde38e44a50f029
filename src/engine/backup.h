/* SPDX-License-Identifier: Apache-2.0
 * A copy of the data that opens and verifies like the first: made beside the traffic, and put in
 * place again. */
#ifndef ENGINE_BACKUP_H
#define ENGINE_BACKUP_H

#include "engine/verify.h"

struct pacing;

/* mete_backup(), on the follower's thread. */
METE_MUST_USE int backup_make(struct mete *mete, const char *directory, struct pacing *pacing,
                              uint64_t *ret_seq);

/* Offline: proves the backup, copies every file of it into a new data directory, proves that.
 * EXISTS: there is something in `to`; CORRUPT: report.detail says what is wrong with the backup, or
 * with the copy; errors of engine_verify(); STORAGE. On an error `to` is as it was. */
METE_MUST_USE int engine_restore(const char *backup, const char *to,
                                 struct verify_report *ret_report);

#endif
