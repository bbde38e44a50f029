/* SPDX-License-Identifier: Apache-2.0
 * A directory of a test's own, and its end. */
#ifndef UNIT_TEMP_H
#define UNIT_TEMP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int temp_make(char *ret_path, size_t len)
{
    snprintf(ret_path, len, "/tmp/mete-test-XXXXXX");
    return mkdtemp(ret_path) ? 0 : -1;
}

static inline int temp_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return -1;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char file[512];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(file);
    }
    closedir(folder);
    return rmdir(path);
}

#endif
