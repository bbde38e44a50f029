/* SPDX-License-Identifier: Apache-2.0
 * Units of quotas: those of budgets, every other meter that stands for itself, and the types that
 * sellers of prepaid use know: text_token, image, audio, video. */
#ifndef API_QUOTAS_UNITS_H
#define API_QUOTAS_UNITS_H

#include "api/fields.h"

/* Complains about the table's member name. */
METE_MUST_USE int quota_unit_read(const struct fields *fields, const char *name, struct slice unit,
                                  uint16_t *ret_meter, uint32_t *ret_currency);

#endif
