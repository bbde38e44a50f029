/* SPDX-License-Identifier: Apache-2.0 */
#include "server/switches.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Of a variable that is not set, or empty, what it was. */
static int read_switch(const char *name, bool *is_on)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) != 0)
            continue;
        *is_on = i % 2;
        return 0;
    }
    return METE_E_INVALID;
}

int switches_read(struct api_budget_defaults *ret_defaults, char ret_detail[256])
{
    static const char *const names[] = {"BUDGET_HARD_LIMITS", "BUDGET_TRACKING", "BUDGET_ALERTS"};
    bool on[] = {true, true, true};
    for (size_t i = 0; i < 3; i++) {
        if (!read_switch(names[i], &on[i]))
            continue;
        snprintf(ret_detail, 256, "%s must be true or false", names[i]);
        return METE_E_INVALID;
    }
    *ret_defaults = (struct api_budget_defaults){.mode = !on[1]   ? METE_OFF
                                                         : !on[0] ? METE_SHADOW
                                                                  : METE_ENFORCE,
                                                 .is_quiet = !on[2]};
    return 0;
}
