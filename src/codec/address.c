/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/address.h"

#include "base/assert.h"
#include "mete.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { V4_BITS = 96 }; /* in front of an IPv4 address */
static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* *ret_before: bits in front of those the text has. */
static int parse(struct slice text, uint8_t ret_bytes[16], int *ret_before)
{
    char room[ADDRESS_ROOM];
    if (!text.len || text.len >= sizeof room || memchr(text.data, 0, text.len))
        return METE_E_SYNTAX;
    memcpy(room, text.data, text.len);
    room[text.len] = 0;
    if (inet_pton(AF_INET, room, ret_bytes + sizeof v4_prefix) == 1) {
        memcpy(ret_bytes, v4_prefix, sizeof v4_prefix);
        *ret_before = V4_BITS;
        return 0;
    }
    *ret_before = 0;
    return inet_pton(AF_INET6, room, ret_bytes) == 1 ? 0 : METE_E_SYNTAX;
}

int address_parse(struct slice text, struct address *ret_address)
{
    struct address address = {.is_known = true};
    int before, rc = parse(text, address.bytes, &before);
    if (!rc)
        *ret_address = address;
    return rc;
}

/* The number of a prefix's bits; -1: it is none. No sign, no leading zero. */
static int parse_bits(struct slice digits, int most)
{
    int bits = 0;
    if (!digits.len || digits.len > 3 || (digits.len > 1 && digits.data[0] == '0'))
        return -1;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return -1;
        bits = bits * 10 + (digits.data[i] - '0');
    }
    return bits <= most ? bits : -1;
}

static uint8_t mask_at(size_t byte, uint8_t bits)
{
    size_t first = byte * 8;
    if (first >= bits)
        return 0;
    size_t here = bits - first < 8 ? bits - first : 8;
    return (uint8_t)(0xff00u >> here);
}

int address_range_parse(struct slice text, struct address_range *ret_range)
{
    struct address_range range;
    const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
    struct slice first = slash ? slice_part(text, 0, (size_t)(slash - text.data)) : text;
    int before, rc = parse(first, range.bytes, &before);
    if (rc)
        return rc;
    int bits = slash ? parse_bits(slice_from(text, first.len + 1), 128 - before) : 128 - before;
    if (bits < 0)
        return METE_E_SYNTAX;
    range.bits = (uint8_t)(before + bits);
    for (size_t i = 0; i < sizeof range.bytes; i++)
        if (range.bytes[i] & (uint8_t)~mask_at(i, range.bits))
            return METE_E_INVALID;
    *ret_range = range;
    return 0;
}

bool address_is_in(const struct address *address, const struct address_range *range)
{
    ASSERT(range->bits <= 128);
    for (size_t i = 0; i < sizeof range->bytes; i++)
        if ((address->bytes[i] ^ range->bytes[i]) & mask_at(i, range->bits))
            return false;
    return address->is_known;
}

size_t address_format(const struct address *address, char ret_text[ADDRESS_ROOM])
{
    bool is_v4 = !memcmp(address->bytes, v4_prefix, sizeof v4_prefix);
    if (!address->is_known)
        return (size_t)snprintf(ret_text, ADDRESS_ROOM, "unknown");
    const char *text =
        is_v4 ? inet_ntop(AF_INET, address->bytes + sizeof v4_prefix, ret_text, ADDRESS_ROOM)
              : inet_ntop(AF_INET6, address->bytes, ret_text, ADDRESS_ROOM);
    ASSERT(text);
    return strlen(text);
}
