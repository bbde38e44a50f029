/* SPDX-License-Identifier: Apache-2.0
 * Bytes -> UTF-8, as WHATWG decodes them: what is wrong becomes U+FFFD, one for each longest part
 * that could have become a character. In any pieces, cut anywhere.
 *
 * THREADS any. COST linear: 8 cycles a byte where many are wrong, 1 where few are. */
#ifndef TOKENS_REPAIR_H
#define TOKENS_REPAIR_H

#include "base/slice.h"

#include <stdint.h>

#define REPAIR_CHARACTER "\xEF\xBF\xBD" /* U+FFFD */

/* A character that is not all there. Zeroed: none. */
struct repair_begun {
    uint8_t len, bytes[3];
};

enum {
    REPAIR_LEAST = 16, /* bytes that room has at least */
    REPAIR_MOST = 3    /* times the length of bytes, and REPAIR_LEAST: all of them fit */
};

/* Puts characters into room, as many as fit, begun being what came before. Returns how many bytes
 * that were; moves bytes behind those that are seen to. All of them are in a room that is large
 * enough, but for the last character, if it is not all there. */
size_t repair_some(struct repair_begun *begun, struct slice *bytes, char *room, size_t room_len);

#endif
