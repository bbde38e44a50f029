/* SPDX-License-Identifier: Apache-2.0
 * A directory that is whole or not there: filled under the name DIRECTORY.part, flushed, renamed.
 * For backup.c alone. */
#ifndef ENGINE_FILES_H
#define ENGINE_FILES_H

#include "mete.h"

enum { FILES_PATH = 4096 };

/* Makes DIRECTORY.part, empty, whatever an interrupted attempt left. EXISTS: DIRECTORY is there and
 * not empty; STORAGE. */
METE_MUST_USE int files_begin(const char *directory, char ret_part[FILES_PATH]);
/* Everything in it is durable by now; makes it DIRECTORY, durably. EXISTS, STORAGE. */
METE_MUST_USE int files_end(const char *part, const char *directory);
/* With what is in it and in its snapshots. */
void files_remove(const char *part);
/* All regular files, and those of snapshots/, durably, with their modes; but "address", which is of
 * a running server, and what SQLite keeps in shared memory. STORAGE, NOT_FOUND. */
METE_MUST_USE int files_copy_all(const char *from, const char *to);

#endif
