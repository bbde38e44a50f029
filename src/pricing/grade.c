/* SPDX-License-Identifier: Apache-2.0
 * A quality is one of a few words and a size two numbers, so that a grade is a handful of bytes in
 * every usage and nothing of a client's is kept. What is not understood may be any: it is then
 * priced as the dearest, never as the cheapest. */
#include "pricing/grade.h"

static const char *const qualities[] = {[PRICE_QUALITY_LOW] = "low",
                                        [PRICE_QUALITY_MEDIUM] = "medium",
                                        [PRICE_QUALITY_HIGH] = "high",
                                        [PRICE_QUALITY_STANDARD] = "standard",
                                        [PRICE_QUALITY_HD] = "hd"};

enum price_quality pricing_quality(struct slice word)
{
    for (unsigned i = PRICE_QUALITY_LOW; i < PRICE_QUALITY_ANY; i++)
        if (slice_is(word, qualities[i]))
            return (enum price_quality)i;
    return PRICE_QUALITY_ANY;
}

const char *pricing_quality_word(struct price_grade grade)
{
    bool said = grade.quality >= PRICE_QUALITY_LOW && grade.quality < PRICE_QUALITY_ANY;
    return said ? qualities[grade.quality] : "any";
}

/* Pixels up to 9999; PRICE_SIDE_ANY: it is no such number. */
static uint16_t read_side(struct slice text)
{
    unsigned side = 0;
    if (!text.len || text.len > 4)
        return PRICE_SIDE_ANY;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return PRICE_SIDE_ANY;
        side = side * 10 + (unsigned)(text.data[i] - '0');
    }
    return side ? (uint16_t)side : PRICE_SIDE_ANY;
}

struct price_grade pricing_grade(struct slice quality, struct slice size)
{
    struct price_grade grade = {0};
    if (quality.len)
        grade.quality = (uint16_t)pricing_quality(quality);
    if (!size.len)
        return grade;
    const char *by = memchr(size.data, 'x', size.len);
    size_t len = by ? (size_t)(by - size.data) : 0;
    grade.width = read_side(slice_part(size, 0, len));
    grade.height = by ? read_side(slice_from(size, len + 1)) : PRICE_SIDE_ANY;
    if (grade.width == PRICE_SIDE_ANY || grade.height == PRICE_SIDE_ANY)
        grade.width = grade.height = PRICE_SIDE_ANY;
    return grade;
}

bool grade_is_said(struct price_grade grade)
{
    return grade.quality || grade.width;
}

struct price_grade grade_opened(struct price_grade grade)
{
    if (!grade.quality)
        grade.quality = PRICE_QUALITY_ANY;
    if (!grade.width)
        grade.width = grade.height = PRICE_SIDE_ANY;
    return grade;
}

bool grade_fits(struct price_grade tier, struct price_grade asked)
{
    bool quality =
        !tier.quality || asked.quality == PRICE_QUALITY_ANY || tier.quality == asked.quality;
    bool size = !tier.width || asked.width == PRICE_SIDE_ANY ||
                (tier.width == asked.width && tier.height == asked.height);
    return quality && size;
}

bool grade_is_same(struct price_grade a, struct price_grade b)
{
    return a.quality == b.quality && a.width == b.width && a.height == b.height;
}
