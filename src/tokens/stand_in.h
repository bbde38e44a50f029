/* SPDX-License-Identifier: Apache-2.0
 * A few bytes that stand for a long piece, which is the text's end, or stands before its last one:
 * whatever comes behind, what they stand for is cut where they are. So a piece of any length needs
 * only its tokens, and these. */
#ifndef TOKENS_STAND_IN_H
#define TOKENS_STAND_IN_H

#include "tokens/split.h"

enum { STAND_IN_MAX = 20 };

struct stand_in {
    uint8_t bytes[STAND_IN_MAX];
    uint8_t len;
    uint8_t line_end; /* behind the line end that stands for the last one, where more than one
                         character stands behind that; 0: none does. All that is cut elsewhere is
                         the last character, which is the piece's own */
};

/* piece: its bytes, or a stand-in of its and what came behind. since_line: bytes behind its last
 * line end; -1: it has none. */
struct stand_in stand_in_of(enum split_rule rule, struct slice piece, int64_t since_line);

#endif
