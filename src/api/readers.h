/* SPDX-License-Identifier: Apache-2.0
 * Open readers of the records, one for each worker that reads at the same time. Any thread. */
#ifndef API_READERS_H
#define API_READERS_H

#include "directory/directory.h"

struct readers;

METE_MUST_USE int readers_new(const struct os *os, const char *directory,
                              struct readers **ret_readers);
void readers_free(struct readers *readers); /* all must have been given back */
/* An idle reader, or a new one. STORAGE, MEMORY. */
METE_MUST_USE int readers_take(struct readers *readers, struct records_reader **ret_reader);
void readers_give(struct readers *readers, struct records_reader *reader);

#endif
