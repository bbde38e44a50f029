/* SPDX-License-Identifier: Apache-2.0 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

static _Thread_local struct assert_trap *set;

void assert_trap_set(struct assert_trap *trap)
{
    set = trap;
}

void assert_failed(const char *what, const char *file, int line)
{
    struct assert_trap *trap = set;
    if (trap) {
        set = NULL;
        snprintf(trap->what, sizeof trap->what, "%s", what);
        longjmp(trap->back, 1);
    }
    fprintf(stderr, "mete: assertion failed: %s (%s:%d)\n", what, file, line);
    abort();
}
