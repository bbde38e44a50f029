/* SPDX-License-Identifier: Apache-2.0
 * A directory of a test's own, and its end. */
#ifndef UNIT_TEMP_H
#define UNIT_TEMP_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int temp_make(char *ret_path, size_t len)
{
    snprintf(ret_path, len, "/tmp/mete-test-XXXXXX");
    return mkdtemp(ret_path) ? 0 : -1;
}

static inline int temp_remove_one(const char *path, const struct stat *found, int kind,
                                  struct FTW *where)
{
    (void)found, (void)kind, (void)where;
    return remove(path);
}

/* With all that is in it. */
static inline int temp_remove(const char *path)
{
    return nftw(path, temp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
