/* SPDX-License-Identifier: Apache-2.0
 * Bytes are decoded where they are looked at, four letters at a time, so that the size of a JPEG
 * behind 64 KB of camera data costs what it costs to jump over them. Formulas: OpenAI's guide to
 * images and vision, Anthropic's vision page, Google's of token counting, Qwen-VL's processor; all
 * in docs/tokens.md. */
#include "prompts/image.h"

#include "base/limits.h"
#include "prompts/peek.h"

/* ---- Sizes ----------------------------------------------------------------------------------- */

static struct image_size size_of(uint32_t width, uint32_t height)
{
    if (!width || !height || width > 0xffffff || height > 0xffffff)
        return (struct image_size){0};
    return (struct image_size){width, height};
}

static struct image_size jpeg_size(struct slice base64)
{
    size_t at = 2;
    for (int i = 0; i < IMAGE_SEGMENTS; i++) {
        uint32_t marker = peek_big(base64, at, 2);
        if (marker == 0xffff) { /* a filling byte */
            at++;
            continue;
        }
        if (marker < 0xffc0 || marker == UINT32_MAX)
            break;
        bool is_frame =
            marker <= 0xffcf && marker != 0xffc4 && marker != 0xffc8 && marker != 0xffcc;
        if (is_frame)
            return size_of(peek_big(base64, at + 7, 2), peek_big(base64, at + 5, 2));
        uint32_t len = peek_big(base64, at + 2, 2);
        if (len == UINT32_MAX || len < 2)
            break;
        at += 2 + len;
    }
    return (struct image_size){0};
}

static struct image_size webp_size(struct slice base64)
{
    switch (peek_big(base64, 12, 4)) {
    case 0x56503820: /* "VP8 " */
        return size_of(peek_little(base64, 26, 2) & 0x3fff, peek_little(base64, 28, 2) & 0x3fff);
    case 0x5650384c: { /* "VP8L" */
        uint32_t bits = peek_little(base64, 21, 4);
        return size_of((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
    }
    case 0x56503858: /* "VP8X" */
        return size_of(peek_little(base64, 24, 3) + 1, peek_little(base64, 27, 3) + 1);
    default:
        return (struct image_size){0};
    }
}

struct image_size image_size_of(struct slice base64)
{
    uint32_t head = peek_big(base64, 0, 4);
    if (head == 0x89504e47) /* PNG */
        return size_of(peek_big(base64, 16, 4), peek_big(base64, 20, 4));
    if (head >> 8 == 0xffd8ff)
        return jpeg_size(base64);
    if (head == 0x47494638) /* GIF8 */
        return size_of(peek_little(base64, 6, 2), peek_little(base64, 8, 2));
    if (head == 0x52494646) /* RIFF */
        return webp_size(base64);
    return (struct image_size){0};
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

static double max_side(struct image_size size)
{
    return size.width > size.height ? size.width : size.height;
}

static double min_side(struct image_size size)
{
    return size.width < size.height ? size.width : size.height;
}

/* Up, but for what scaling and back leaves of a whole number. */
static int64_t up(double value)
{
    int64_t whole = (int64_t)value;
    return (double)whole < value - 1e-6 ? whole + 1 : whole;
}

/* Largest scale of at most one with which side is no longer than most. */
static double fit(double side, double most)
{
    return side > most ? most / side : 1;
}

static int64_t tiles(struct image_rule rule, struct image_size size, bool low)
{
    if (low)
        return rule.base;
    if (!size.width) /* 768 x 2048 */
        return rule.base + (int64_t)rule.each * 8;
    double scale = fit(max_side(size), 2048);
    scale *= fit(min_side(size) * scale, 768);
    return rule.base + rule.each * up(size.width * scale / 512) * up(size.height * scale / 512);
}

/* sqrt without the library of mathematics: a layer of tables and counts needs no more. */
static double root(double value)
{
    double guess = value > 1 ? value : 1;
    for (int i = 0; i < 64; i++)
        guess = (guess + value / guess) / 2;
    return guess;
}

static int64_t patches(struct image_rule rule, struct image_size size)
{
    enum { MOST = 1536, SIDE = 32 };
    int64_t count = MOST;
    if (size.width) {
        count = up(size.width / (double)SIDE) * up(size.height / (double)SIDE);
        if (count > MOST) {
            double scale = root((double)MOST * SIDE * SIDE / size.width / size.height);
            double wide = size.width * scale / SIDE, high = size.height * scale / SIDE;
            double by_width = (double)(int64_t)wide / wide,
                   by_height = (double)(int64_t)high / high;
            double less = by_width < by_height ? by_width : by_height;
            count = up(wide * less) * up(high * less);
            count = count > MOST ? MOST : count;
        }
    }
    return (count * rule.each + 999) / 1000;
}

static int64_t claude(struct image_rule rule, struct image_size size)
{
    if (!size.width)
        return rule.each;
    double scale = fit(max_side(size), rule.base);
    int64_t count = up(size.width * scale / 28) * up(size.height * scale / 28);
    return count < rule.each ? count : rule.each;
}

/* Documented without the whole; billed with it. */
static int64_t gemini(struct image_size size)
{
    enum { TILE = 258, LEAST = 256, MOST = 768, SMALL = 384 };
    if (!size.width)
        return LIMIT_IMAGE_TOKENS;
    if (size.width <= SMALL && size.height <= SMALL)
        return TILE;
    int64_t side = (int64_t)(min_side(size) / 1.5);
    side = side < LEAST ? LEAST : side > MOST ? MOST : side;
    int64_t wide = (size.width + side - 1) / side, high = (size.height + side - 1) / side;
    int64_t tokens = TILE * (wide * high + 1);
    return tokens < LIMIT_IMAGE_TOKENS ? tokens : LIMIT_IMAGE_TOKENS;
}

static int64_t qwen(struct image_size size)
{
    enum { SIDE = 28, MOST = 16384 };
    int64_t count =
        size.width ? up(size.width / (double)SIDE) * up(size.height / (double)SIDE) : MOST;
    return (count < MOST ? count : MOST) + 2;
}

int64_t image_tokens(struct image_rule rule, struct image_size size, bool low)
{
    switch (rule.kind) {
    case IMAGE_NONE:
        return 0;
    case IMAGE_TILES:
        return tiles(rule, size, low);
    case IMAGE_PATCHES:
        return patches(rule, size);
    case IMAGE_CLAUDE:
        return claude(rule, size);
    case IMAGE_GEMINI:
        return gemini(size);
    case IMAGE_FIXED:
        return rule.base;
    case IMAGE_QWEN:
        return qwen(size);
    case IMAGE_UNKNOWN:
    default:
        return LIMIT_IMAGE_TOKENS;
    }
}
