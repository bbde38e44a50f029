/* SPDX-License-Identifier: Apache-2.0
 * What a budget's window will have come to at its end, if it goes on as it has: used / elapsed *
 * length, in integers. Elapsed and length are of the part of the window in which the budget
 * counts: not before it was made or starts, nor after it ends. */
#ifndef API_LIMITS_PROJECTION_H
#define API_LIMITS_PROJECTION_H

#include "base/checked.h"
#include "mete.h"

#include <stdbool.h>

struct projection {
    int128 amount; /* in the budget's unit, rounded down */
    int64_t from_us, until_us;
};

/* made_us 0: not known. False, and nothing is said: the window has no end (a total one, unless the
 * budget has), moves on all the time (rolling), or nothing of it has elapsed. */
bool projection_of(const struct mete_budget_view *view, int64_t made_us, int64_t now_us,
                   struct projection *ret_projection);

#endif
