/* SPDX-License-Identifier: Apache-2.0
 * A text is read once into its digits and the power of ten they stand at:
 *
 *   "-0.001500e2"  ->  minus, digits "15", shift: value = 15 * 10^shift, after times 10^scale
 *
 * Zeros on both ends of the digits are not kept, so that digits right of the point are always a
 * remainder, and whatever the exponent says the work is bounded by the 64 bytes of the text.
 *
 * Not done: strtod or long double (money is never binary), and arbitrary precision (38 digits of
 * nano-units are more than all the money there is). */
#include "codec/decimal.h"

#include "mete.h"

enum { TEXT_MAX = 64, SCALE_MAX = 36, EXPONENT_MAX = 100000 };

__extension__ typedef unsigned __int128 uint128;

static const uint128 magnitude_max = (~(uint128)0 >> 1); /* 2^127 - 1 */

struct parts {
    char digits[TEXT_MAX];
    int digits_len;
    int shift;
    bool minus;
};

struct cursor {
    const char *at, *end;
};

static bool is_digit(const struct cursor *c)
{
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static bool take(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool read_digits(struct cursor *c, struct parts *parts)
{
    const char *from = c->at;
    for (; is_digit(c); c->at++)
        if (parts->digits_len || *c->at != '0')
            parts->digits[parts->digits_len++] = *c->at;
    return c->at > from;
}

static bool read_exponent(struct cursor *c, int *ret_exponent)
{
    bool minus = take(c, '-');
    if (!minus)
        take(c, '+');
    if (!is_digit(c))
        return false;
    int exponent = 0;
    for (; is_digit(c); c->at++)
        if (exponent < EXPONENT_MAX) /* beyond this every number is too large or a remainder */
            exponent = exponent * 10 + (*c->at - '0');
    *ret_exponent = minus ? -exponent : exponent;
    return true;
}

static bool read_parts(struct slice text, struct parts *parts)
{
    if (text.len > TEXT_MAX || !text.len)
        return false;
    struct cursor c = {text.data, text.data + text.len};
    parts->minus = take(&c, '-');
    if (!read_digits(&c, parts))
        return false;
    if (take(&c, '.')) {
        const char *from = c.at;
        if (!read_digits(&c, parts))
            return false;
        parts->shift = -(int)(c.at - from);
    }
    int exponent = 0;
    if ((take(&c, 'e') || take(&c, 'E')) && !read_exponent(&c, &exponent))
        return false;
    parts->shift += exponent;
    for (; parts->digits_len && parts->digits[parts->digits_len - 1] == '0'; parts->shift++)
        parts->digits_len--;
    return c.at == c.end;
}

static bool push_digit(uint128 *magnitude, unsigned digit, uint128 max)
{
    if (*magnitude > magnitude_max / 10)
        return false;
    *magnitude = *magnitude * 10 + digit; /* at most 2^127 + 9 */
    return *magnitude <= max;
}

int decimal_parse128(struct slice text, unsigned scale, bool round_up, int128 *ret_value)
{
    ASSERT(scale <= SCALE_MAX);
    struct parts parts = {.digits_len = 0};
    if (!read_parts(text, &parts))
        return METE_E_SYNTAX;
    int shift = parts.digits_len ? parts.shift + (int)scale : 0;
    bool remainder = shift < 0;
    if (remainder && !round_up)
        return METE_E_INVALID;
    uint128 max = magnitude_max + (parts.minus ? 1 : 0);
    uint128 magnitude = 0;
    int whole = remainder ? parts.digits_len + shift : parts.digits_len;
    for (int i = 0; i < whole; i++)
        if (!push_digit(&magnitude, (unsigned)(parts.digits[i] - '0'), max))
            return METE_E_TOO_LARGE;
    for (int i = 0; i < shift; i++) /* ends by itself after 39 steps: the digits are not zero */
        if (!push_digit(&magnitude, 0, max))
            return METE_E_TOO_LARGE;
    if (remainder && ++magnitude > max)
        return METE_E_TOO_LARGE;
    *ret_value = parts.minus ? (int128)(0 - magnitude) : (int128)magnitude;
    return 0;
}

int decimal_parse(struct slice text, unsigned scale, int64_t *ret_value)
{
    int128 wide;
    int rc = decimal_parse128(text, scale, false, &wide);
    if (rc)
        return rc;
    return checked_narrow(wide, ret_value) ? 0 : METE_E_TOO_LARGE;
}

int decimal_parse_nano(struct slice text, int64_t *ret_nano)
{
    int64_t nano;
    int rc = decimal_parse(text, 9, &nano);
    if (rc)
        return rc;
    if (nano < 0)
        return METE_E_INVALID;
    if (nano > METE_AMOUNT_MAX)
        return METE_E_TOO_LARGE;
    *ret_nano = nano;
    return 0;
}

size_t decimal_format(int128 value, unsigned scale, unsigned places, char room[DECIMAL_ROOM])
{
    ASSERT(scale <= SCALE_MAX);
    ASSERT(places <= DECIMAL_PLACES_MAX);
    char back[DECIMAL_ROOM]; /* the text from its end */
    size_t len = 0;
    uint128 rest = value < 0 ? 0 - (uint128)value : (uint128)value;
    bool shown = false; /* something stands after the point */
    for (unsigned place = places; place > scale; place--, shown = true)
        back[len++] = '0';
    for (unsigned place = scale; place > 0; place--, rest /= 10) {
        shown = shown || rest % 10 || place <= places;
        if (shown)
            back[len++] = (char)('0' + (int)(rest % 10));
    }
    if (shown)
        back[len++] = '.';
    do
        back[len++] = (char)('0' + (int)(rest % 10));
    while (rest /= 10);
    if (value < 0)
        back[len++] = '-';
    ASSERT(len < DECIMAL_ROOM);
    for (size_t i = 0; i < len; i++)
        room[i] = back[len - 1 - i];
    room[len] = '\0';
    return len;
}
