/* SPDX-License-Identifier: Apache-2.0
 * What the parts of the naive model ask each other about one budget. */
#ifndef TESTS_MODEL_BUDGETS_H
#define TESTS_MODEL_BUDGETS_H

#include "calendar/calendar.h"
#include "property/model_ledger.h"

struct where { /* of a budget's event: now, and an instant in the window it is about */
    uint32_t budget;
    int64_t now_us, at_us;
};

struct mete_budget_spec *model_spec(struct model *model, uint32_t budget);
struct window model_window(const struct model *model, uint32_t budget, int64_t at_us);
/* The amount of a budget's unit; NULL: there is none. */
const struct mete_usage *model_usage(const struct mete_usage *usage, size_t len,
                                     const struct mete_budget_spec *spec);
struct mete_event *model_event(struct model *model, enum mete_event_kind kind, int64_t now_us);
void model_budget_event(struct model *model, struct where where, enum mete_event_kind kind,
                        uint32_t ppm);
/* Fires every threshold that is reached and has not fired. */
void model_fire(struct model *model, struct where where);
/* After a change: what is out of reach, or no threshold any longer, has not fired. */
void model_rearm(struct model *model, uint32_t budget);

#endif
