/* SPDX-License-Identifier: Apache-2.0
 * Grades of what is billed by the piece: its quality and its size. Internal to pricing/. */
#ifndef PRICING_GRADE_H
#define PRICING_GRADE_H

#include "pricing/pricing.h"

/* Whether it says anything at all. */
bool grade_is_said(struct price_grade grade);
/* What is not said may be any. */
struct price_grade grade_opened(struct price_grade grade);
/* Whether a price for tier may be that of what was asked for: what the tier leaves out, or the
 * other may be any of, fits. */
bool grade_fits(struct price_grade tier, struct price_grade asked);
bool grade_is_same(struct price_grade a, struct price_grade b);

#endif
