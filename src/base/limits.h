/* SPDX-License-Identifier: Apache-2.0
 * LIMIT_ constants of tables/limits.h. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define ROW(name, value, unit, reason) LIMIT_##name = (value),
enum {
#include "tables/limits.h"
};

#endif
