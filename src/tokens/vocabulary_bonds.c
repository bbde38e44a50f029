/* SPDX-License-Identifier: Apache-2.0
 * Wherever a token holds the first byte of a character behind other bytes, those that it holds on
 * either side fit one character, if it holds all of it, or a row of them: of 16 where the first of
 * three bytes is missing, of 1,024 where the first two are, of 64 and of 4,096 where the last are.
 */
#include "tokens/vocabulary_bonds.h"

/* Code points at the same distance from each other. */
struct row {
    uint32_t first, step, count;
};

static bool continues(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

static bool begins_three(uint8_t byte)
{
    return (byte & 0xF0) == 0xE0;
}

/* Wide or narrow ones, that end as bytes do: they end where a character does, and begin where one
 * does or inside of one. */
static struct row characters_before(const uint8_t *bytes, size_t len)
{
    uint32_t last = bytes[len - 1];
    if (!continues(bytes[len - 1]))
        return last < 0x80 ? (struct row){last, 0, 1} : (struct row){0};
    last &= 63;
    if (len == 1)
        return (struct row){last, 64, 1024};
    last |= (bytes[len - 2] & 63u) << 6;
    if (!continues(bytes[len - 2]))
        return (struct row){0};
    if (len == 2)
        return (struct row){last, 4096, 16};
    return begins_three(bytes[len - 3]) ? (struct row){(bytes[len - 3] & 15u) << 12 | last, 0, 1}
                                        : (struct row){0};
}

/* That begin as bytes do, which begin where a character does. */
static struct row characters_behind(const uint8_t *bytes, size_t len)
{
    uint32_t first = bytes[0];
    if (!begins_three(bytes[0]))
        return first < 0x80 ? (struct row){first, 0, 1} : (struct row){0};
    first = (first & 15) << 12;
    if (len == 1)
        return (struct row){first, 1, 4096};
    first |= (bytes[1] & 63u) << 6;
    if (len == 2)
        return (struct row){first, 1, 64};
    return (struct row){first | (bytes[2] & 63u), 0, 1};
}

/* Returns how many bytes it has. */
static unsigned put_character(uint32_t code_point, uint8_t bytes[3])
{
    bytes[0] = (uint8_t)code_point;
    if (code_point < 0x80)
        return 1;
    bytes[0] = (uint8_t)(0xE0 | code_point >> 12);
    bytes[1] = (uint8_t)(0x80 | (code_point >> 6 & 63));
    bytes[2] = (uint8_t)(0x80 | (code_point & 63));
    return 3;
}

/* Of which a bond is told. */
static bool is_pair(uint32_t left, uint32_t right)
{
    bool wide = vocabulary_wide(left), wide_too = vocabulary_wide(right);
    return (wide && wide_too) || (wide && vocabulary_narrow(right)) ||
           (wide_too && vocabulary_narrow(left));
}

/* Returns how many bits it sets. */
static uint32_t add_bonds(struct row before, struct row behind, uint64_t *bonds)
{
    uint32_t added = 0;
    for (uint32_t i = 0, left = before.first; i < before.count; i++, left += before.step) {
        for (uint32_t k = 0, right = behind.first; k < behind.count; k++, right += behind.step) {
            if (!is_pair(left, right))
                continue;
            uint8_t two[8];
            unsigned len = put_character(left, two);
            len += put_character(right, two + len);
            uint32_t bond = vocabulary_bond(two, len);
            added += !(bonds[bond / 64] >> bond % 64 & 1);
            bonds[bond / 64] |= UINT64_C(1) << bond % 64;
        }
    }
    return added;
}

bool vocabulary_bonds_find(const struct slice *tokens, uint32_t len, uint64_t *bonds)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < len && found < VOCABULARY_BONDS / 2; i++) {
        const uint8_t *bytes = (const uint8_t *)tokens[i].data;
        for (size_t at = 1; at < tokens[i].len; at++) {
            if (!continues(bytes[at]))
                found += add_bonds(characters_before(bytes, at),
                                   characters_behind(bytes + at, tokens[i].len - at), bonds);
        }
    }
    return found < VOCABULARY_BONDS / 2;
}
