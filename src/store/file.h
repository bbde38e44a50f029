/* SPDX-License-Identifier: Apache-2.0
 * Plain files: what snapshots need beside SQLite, whose file system knows no renaming. A module of
 * its own so that tests put a disk that lies in its place. Internal to store/.
 * THREAD one file, one thread. Errors of all: STORAGE, MEMORY. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "mete.h"

struct file;

/* Empty, 0600, whatever was there. */
METE_MUST_USE int file_create(const char *path, struct file **ret_file);
/* For reading, from the beginning. NOT_FOUND. */
METE_MUST_USE int file_open(const char *path, struct file **ret_file);
void file_close(struct file *file); /* NULL is legal */
METE_MUST_USE int file_write(struct file *file, const void *bytes, size_t len);
/* Fewer bytes than len: the file ends there. */
METE_MUST_USE int file_read(struct file *file, void *ret_bytes, size_t len, size_t *ret_len);
/* What was written survives a power cut. */
METE_MUST_USE int file_flush(struct file *file);

/* In place of what has the name; db_sync_directory() makes it last. */
METE_MUST_USE int file_rename(const char *from, const char *to);
/* That it is gone already is no error. */
METE_MUST_USE int file_remove(const char *path);
/* The names in a directory, in no order; none where there is no such directory. */
METE_MUST_USE int file_each(const char *directory, void (*fn)(void *user, const char *name),
                            void *user);

#endif
