/* SPDX-License-Identifier: Apache-2.0
 * Which window an instant falls into. Pure: (time, period) -> [start, end). UTC for now; zones,
 * weeks and anchors come with the ledger issue and change no caller. */
#ifndef CALENDAR_CALENDAR_H
#define CALENDAR_CALENDAR_H

#include "mete.h"

struct window {
    int64_t start_us;
    int64_t end_us; /* exclusive; INT64_MAX: never */
};

/* period: one that this version counts (mete_not_yet() lists the others; METE_E_NOT_YET).
 * now_us: 0 .. year 9999. METE_TOTAL is [0, INT64_MAX). Constant time. */
METE_MUST_USE int calendar_window(enum mete_period period, int64_t now_us,
                                  struct window *ret_window);

#endif
