/* SPDX-License-Identifier: Apache-2.0
 * Text -> pieces, as the patterns of the encodings cut it: no token reaches over the edge of a
 * piece. A hand-written machine over the classes of Unicode 16 in place of a regular expression;
 * each rule's pattern stands in split.c.
 *
 * A piece depends on what follows it, never on what came before. While a text may go on, all pieces
 * but the last two stay as they are (SPLIT_OPEN).
 *
 * THREADS any. MEMORY none. COST linear. */
#ifndef TOKENS_SPLIT_H
#define TOKENS_SPLIT_H

#include "base/slice.h"

#include <stdint.h>

enum split_rule {
    SPLIT_O200K = 0, /* o200k_base, o200k_harmony */
    SPLIT_CL100K,    /* cl100k_base */
    SPLIT_R50K,      /* r50k_base, p50k_base, p50k_edit */
    SPLIT_LLAMA3,    /* and DBRX */
    SPLIT_QWEN,
    SPLIT_TEKKEN,   /* Mistral's since Nemo */
    SPLIT_DEEPSEEK, /* V3 and R1 */
    SPLIT_RULES
};

enum { SPLIT_OPEN = 2 };

/* Classes of code points, as bits (Unicode 16: data/vocab/unicode16_classes.tsv). */
enum split_class {
    SPLIT_UPPER = 1,    /* Lu Lt */
    SPLIT_LOWER = 2,    /* Ll */
    SPLIT_CASELESS = 4, /* Lm Lo */
    SPLIT_MARK = 8,     /* M */
    SPLIT_NUMBER = 16,
    SPLIT_SPACE = 32, /* White_Space */
    SPLIT_SIGN = 128, /* P S */
    SPLIT_LETTER = SPLIT_UPPER | SPLIT_LOWER | SPLIT_CASELESS
};

/* 0: none of them, and beyond Unicode. */
unsigned split_class_of(uint32_t code_point);

/* Where the piece that begins at `at` ends. text: valid UTF-8; at < text.len, on a character. */
size_t split_next(enum split_rule rule, struct slice text, size_t at);

/* Bytes from the start that are valid UTF-8; what follows is wrong, or a character's beginning. */
size_t split_valid(struct slice text);

#endif
