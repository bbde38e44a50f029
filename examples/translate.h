/* SPDX-License-Identifier: Apache-2.0
 * A service of somebody else's that costs tokens, as a program would meet it. It knows nothing of
 * budgets. */
#ifndef TRANSLATE_H
#define TRANSLATE_H

#include <stdint.h>

/* Returns 0, or -1 if the service is out of order. *ret_tokens gets what was billed. */
int translate(const char *text, int64_t *ret_tokens);

#endif
