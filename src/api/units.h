/* SPDX-License-Identifier: Apache-2.0
 * Words of the API for what the engine numbers: units, kinds, periods, modes, reasons. */
#ifndef API_UNITS_H
#define API_UNITS_H

#include "api/fields.h"

extern const struct word units_template_kinds[]; /* those a template may be for */
extern const struct word units_kinds[], units_periods[], units_modes[], units_reasons[];

/* A budget's unit: its meter and currency. Complains about the table's member name. */
METE_MUST_USE int units_read(const struct fields *fields, const char *name, struct slice unit,
                             uint16_t *ret_meter, uint32_t *ret_currency);
/* An ISO 4217 code's number; 0: it is none. */
uint32_t units_currency(struct slice text);
/* An amount of that meter: nano-units of money, or whole. */
METE_MUST_USE int units_amount(const struct fields *fields, const char *name, uint16_t meter,
                               struct slice text, int64_t *ret_amount);
/* "USD", "tokens". */
void units_write(struct out *out, const char *key, uint16_t meter, uint32_t currency);
/* Members of a usage object: "input_tokens" of METE_INPUT; NULL: not a built-in meter. */
const char *units_meter(uint16_t meter);

#endif
