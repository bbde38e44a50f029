/* SPDX-License-Identifier: Apache-2.0
 * One model of LiteLLM's price list (model_prices_and_context_window.json) as a row. Its numbers
 * are texts here: 1.5e-07 a token is 0.15 a million, and no digit passes through a binary float.
 * What the source says and cannot mean is left out, as tools/prices does for the built-in list. */
#ifndef PRICING_LITELLM_H
#define PRICING_LITELLM_H

#include "pricing/sheet.h"

/* NULL and true: ret_row is the model's. NULL and false: it is none that is priced here (no mode of
 * ours). Else why it is left out. */
const char *litellm_read(struct slice name, struct json model, struct sheet_row *ret_row,
                         bool *ret_ours);

#endif
