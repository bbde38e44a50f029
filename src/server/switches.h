/* SPDX-License-Identifier: Apache-2.0
 * BUDGET_HARD_LIMITS, BUDGET_TRACKING and BUDGET_ALERTS of the environment: what a budget is made
 * with that does not say. Budgets that are there keep what they were made with. */
#ifndef SERVER_SWITCHES_H
#define SERVER_SWITCHES_H

#include "api/api.h"

/* INVALID: one is set and is neither true nor false; ret_detail says which. */
METE_MUST_USE int switches_read(struct api_budget_defaults *ret_defaults, char ret_detail[256]);

#endif
