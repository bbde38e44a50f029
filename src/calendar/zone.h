/* SPDX-License-Identifier: Apache-2.0
 * What a parsed zone is to the rest of the layer: an offset for every instant. */
#ifndef CALENDAR_ZONE_H
#define CALENDAR_ZONE_H

#include "calendar/calendar.h"
#include "calendar/footer.h"

/* Two clocks of one zone are never further apart. */
#define ZONE_SHIFT_MAX_US (2 * ZONE_OFFSET_MAX_S * INT64_C(1000000))

/* The span of the instant; neighbouring spans may have one offset. zone: NULL is UTC.
 * at_us: from ZONE_SHIFT_MAX_US before 1970 to year 10001. Logarithmic in the file's changes. */
struct zone_span zone_span(const struct calendar_zone *zone, int64_t at_us);

#endif
