/* SPDX-License-Identifier: Apache-2.0
 * Integer arithmetic that cannot wrap (INV-08). The rounding direction is in the name.
 * Functions return false and leave *ret_value alone when the result does not fit. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef __int128 int128; /* products of two int64 */

static inline bool checked_add(int64_t a, int64_t b, int64_t *ret_value)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret_value = sum;
    return true;
}

static inline bool checked_sub(int64_t a, int64_t b, int64_t *ret_value)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference))
        return false;
    *ret_value = difference;
    return true;
}

static inline bool checked_mul(int64_t a, int64_t b, int64_t *ret_value)
{
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret_value = product;
    return true;
}

static inline bool checked_narrow(int128 wide, int64_t *ret_value)
{
    if (wide > INT64_MAX || wide < INT64_MIN)
        return false;
    *ret_value = (int64_t)wide;
    return true;
}

/* ceil(a * b / divisor); a, b >= 0, divisor > 0. */
static inline bool checked_mul_div_up(int64_t a, int64_t b, int64_t divisor, int64_t *ret_value)
{
    ASSERT(a >= 0 && b >= 0 && divisor > 0);
    return checked_narrow(((int128)a * b + (divisor - 1)) / divisor, ret_value);
}

/* floor(a * b / divisor); a, b >= 0, divisor > 0. */
static inline bool checked_mul_div_down(int64_t a, int64_t b, int64_t divisor, int64_t *ret_value)
{
    ASSERT(a >= 0 && b >= 0 && divisor > 0);
    return checked_narrow((int128)a * b / divisor, ret_value);
}

/* value / divisor, the nearest, a tie to the even one; value >= 0, divisor > 0. */
static inline int128 div_half_even(int128 value, int128 divisor)
{
    ASSERT(value >= 0 && divisor > 0);
    int128 quotient = value / divisor;
    int128 rest = value % divisor;
    int128 gap = divisor - rest;
    if (rest > gap || (rest == gap && (quotient & 1)))
        quotient++;
    return quotient;
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
