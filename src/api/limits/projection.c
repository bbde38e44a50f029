/* SPDX-License-Identifier: Apache-2.0 */
#include "api/limits/projection.h"

bool projection_of(const struct mete_budget_view *view, int64_t made_us, int64_t now_us,
                   struct projection *ret_projection)
{
    bool has_windows = view->period != METE_TOTAL && view->period != METE_ROLLING;
    int64_t from_us = has_windows ? view->window_start.us : 0;
    int64_t until_us = has_windows ? view->window_end.us : INT64_MAX;
    if (made_us > from_us)
        from_us = made_us;
    if (view->starts_at.us > from_us)
        from_us = view->starts_at.us;
    if (view->ends_at.us && view->ends_at.us < until_us && view->period != METE_ROLLING)
        until_us = view->ends_at.us;
    if (view->for_kind || from_us <= 0 || until_us == INT64_MAX || now_us <= from_us ||
        until_us <= from_us)
        return false;
    int64_t seen_us = (now_us < until_us ? now_us : until_us) - from_us;
    *ret_projection =
        (struct projection){.amount = (int128)view->committed * (until_us - from_us) / seen_us,
                            .from_us = from_us,
                            .until_us = until_us};
    return true;
}
