/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/base62.h"

#include "base/assert.h"
#include "mete.h"

enum { BASE = 62, FAIR = 256 / BASE * BASE }; /* bytes below FAIR give each digit equally often */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 36;
    return -1;
}

void base62_encode(uint64_t value, char *room, size_t len)
{
    for (size_t i = len; i > 0; i--, value /= BASE)
        room[i - 1] = digits[value % BASE];
    ASSERT(value == 0);
}

int base62_decode(struct slice text, uint64_t *ret_value)
{
    if (!text.len)
        return METE_E_SYNTAX;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.data[i]);
        if (digit < 0 || __builtin_mul_overflow(value, (uint64_t)BASE, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return METE_E_SYNTAX;
    }
    *ret_value = value;
    return 0;
}

size_t base62_digits(const uint8_t *random, size_t random_len, char *room, size_t len)
{
    size_t made = 0;
    for (size_t i = 0; i < random_len && made < len; i++)
        if (random[i] < FAIR)
            room[made++] = digits[random[i] % BASE];
    return made;
}
