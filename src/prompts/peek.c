/* SPDX-License-Identifier: Apache-2.0 */
#include "prompts/peek.h"

static int value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    if (letter == '+' || letter == '-')
        return 62;
    return letter == '/' || letter == '_' ? 63 : -1;
}

/* Byte at of what is encoded; -1: there is none. */
static int byte_at(struct slice base64, size_t at)
{
    size_t group = at / 3 * 4;
    if (at / 3 > base64.len / 4 || base64.len - group < 4)
        return -1;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = value_of(base64.data[group + i]);
        if (value < 0 && base64.data[group + i] != '=')
            return -1;
        bits = bits << 6 | (uint32_t)(value < 0 ? 0 : value);
    }
    return (int)(bits >> (16 - 8 * (at % 3)) & 0xff);
}

uint32_t peek_big(struct slice base64, size_t at, size_t len)
{
    uint32_t value = 0;
    for (size_t i = 0; i < len; i++) {
        int byte = byte_at(base64, at + i);
        if (byte < 0)
            return UINT32_MAX;
        value = value << 8 | (uint32_t)byte;
    }
    return value;
}

uint32_t peek_little(struct slice base64, size_t at, size_t len)
{
    uint32_t value = 0;
    for (size_t i = len; i > 0; i--) {
        int byte = byte_at(base64, at + i - 1);
        if (byte < 0)
            return UINT32_MAX;
        value = value << 8 | (uint32_t)byte;
    }
    return value;
}

size_t peek_len(struct slice base64)
{
    while (base64.len && base64.data[base64.len - 1] == '=')
        base64.len--;
    return base64.len / 4 * 3 + base64.len % 4 * 3 / 4;
}
