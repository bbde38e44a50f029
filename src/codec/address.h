/* SPDX-License-Identifier: Apache-2.0
 * Addresses of the Internet and ranges of them. There is one kind: an IPv4 address is kept in
 * IPv6's clothes (::ffff:192.0.2.1), so a client that comes in by either is the same one. */
#ifndef CODEC_ADDRESS_H
#define CODEC_ADDRESS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct address {
    uint8_t bytes[16];
    bool is_known; /* false: of a caller that did not come over a network, or by another kind */
};

struct address_range {
    uint8_t bytes[16];
    uint8_t bits; /* of bytes that must be the same, 0 .. 128 */
};

enum { ADDRESS_ROOM = 48 }; /* the longest text, and an end */

/* "192.0.2.1", "2001:db8::1". METE_E_SYNTAX: it is none. */
__attribute__((warn_unused_result)) int address_parse(struct slice text,
                                                      struct address *ret_address);
/* "192.0.2.0/24", "2001:db8::/32", or an address, which is a range of one. METE_E_SYNTAX: it is
 * none; METE_E_INVALID: it has bits behind its prefix, so it is not clear what is meant. */
__attribute__((warn_unused_result)) int address_range_parse(struct slice text,
                                                            struct address_range *ret_range);
/* An address that is not known is in none. */
bool address_is_in(const struct address *address, const struct address_range *range);
/* As it is usually written, terminated; "unknown" where it is not known. Returns its length. */
size_t address_format(const struct address *address, char ret_text[ADDRESS_ROOM]);

#endif
