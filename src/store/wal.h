/* SPDX-License-Identifier: Apache-2.0
 * A second look at a SQLite write-ahead file before SQLite reads it. SQLite takes the first frame
 * that does not verify for the end and drops what follows, which is right for a torn tail and
 * silent loss for damage in the middle: this tells the two apart. Internal to store/. */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include "mete.h"
#include "os/os.h"

/* path: of the write-ahead file; a missing or empty one is sound. CORRUPT: a frame is damaged and a
 * later commit, which was begun only after the damaged one had been flushed, stands behind it.
 * STORAGE: it cannot be read. Linear in the file; *ret_frame, unless NULL: which frame, from 0. */
METE_MUST_USE int wal_check(const struct os *os, const char *path, uint32_t *ret_frame);

#endif
