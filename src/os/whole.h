/* SPDX-License-Identifier: Apache-2.0
 * Small files that are replaced whole: made beside their place, flushed, renamed into it, and then
 * the directory is flushed. After a power cut a file is there as it was or as it is to be.
 * THREAD any; one at a time for one name. Functions leave errno when they fail. */
#ifndef OS_WHOLE_H
#define OS_WHOLE_H

#include <stddef.h>
#include <sys/types.h>

enum { WHOLE_PATH = 1280 }; /* directory, slash, name and ".new", terminated */

/* 0600. 0 or -1. */
__attribute__((warn_unused_result)) int whole_put(const char *directory, const char *name,
                                                  const void *bytes, size_t len);
/* As whole_put(), with these permissions, and nothing that is there is replaced (EEXIST). */
__attribute__((warn_unused_result)) int whole_make(const char *path, mode_t mode, const void *bytes,
                                                   size_t len);
/* The first bytes, at most room_len: how many; -1. */
__attribute__((warn_unused_result)) ssize_t whole_get(const char *directory, const char *name,
                                                      void *room, size_t room_len);

#endif
