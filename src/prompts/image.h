/* SPDX-License-Identifier: Apache-2.0
 * Images: their size, from the head of a PNG, JPEG, GIF or WebP in base64, and what it comes to in
 * tokens, by the formulas that providers publish.
 *
 * THREADS any. MEMORY none. COST  of a size: a few bytes of the head; of a JPEG, one look for each
 * of its segments, IMAGE_SEGMENTS at most. */
#ifndef PROMPTS_IMAGE_H
#define PROMPTS_IMAGE_H

#include "base/slice.h"

#include <stdint.h>

enum { IMAGE_SEGMENTS = 64 };

struct image_size {
    uint32_t width, height; /* pixels; 0: not known */
};

enum image_kind {
    IMAGE_UNKNOWN = 0, /* no formula: LIMIT_IMAGE_TOKENS */
    IMAGE_NONE,        /* the models take no images */
    IMAGE_TILES,       /* base + tile for each 512 x 512, of what fits 2048, short side 768 */
    IMAGE_PATCHES,     /* each 32 x 32, 1,536 at most, times per mille */
    IMAGE_CLAUDE,      /* each 28 x 28, of what fits base */
    IMAGE_GEMINI,      /* 258, or as many for the whole and each tile, whose side is two thirds of
                          the short one, 256 to 768 */
    IMAGE_FIXED,       /* base */
    IMAGE_QWEN         /* each 28 x 28, and two; 16,384 at most */
};

struct image_rule {
    enum image_kind kind;
    int32_t base; /* tokens; of IMAGE_CLAUDE the long side in pixels */
    int32_t each; /* tokens of a tile; of IMAGE_PATCHES per mille of a patch; of IMAGE_CLAUDE
                     the most tokens */
};

/* Of base64 text, without "data:...,". {0, 0}: not told in it. */
struct image_size image_size_of(struct slice base64);

/* Tokens of an image as it is documented; of one whose size is not known, the most of any. low: at
 * low detail. */
int64_t image_tokens(struct image_rule rule, struct image_size size, bool low);

#endif
