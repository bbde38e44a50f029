/* SPDX-License-Identifier: Apache-2.0 */
#include "pricing/tariff_text.h"

#include "base/assert.h"
#include "pricing/grade.h"
#include "pricing/words.h"

#include <stdio.h>

static const char flat[] = "flat", unsaid[] = "-", any_size[] = "any";

static void write_size(struct price_grade grade, char room[16])
{
    if (!grade.width || grade.width == PRICE_SIDE_ANY)
        snprintf(room, 16, "%s", grade.width ? any_size : unsaid);
    else
        snprintf(room, 16, "%ux%u", (unsigned)grade.width, (unsigned)grade.height);
}

size_t tariff_text_write(const struct price_model *model, const struct pricing_usage *usage,
                         char room[TARIFF_TEXT_ROOM])
{
    bool graded = grade_is_said(usage->grade);
    char size[16];
    int len;
    room[0] = 0;
    if (!usage->flat && !graded && !usage->service && !pricing_has_tariffs(model))
        return 0;
    write_size(usage->grade, size);
    const char *service = usage->flat ? flat : price_words_service(usage->service);
    if (graded)
        len = snprintf(room, TARIFF_TEXT_ROOM, "%s %s %s", service,
                       usage->grade.quality ? pricing_quality_word(usage->grade) : unsaid, size);
    else
        len = snprintf(room, TARIFF_TEXT_ROOM, "%s", service);
    ASSERT(len > 0 && len < TARIFF_TEXT_ROOM);
    return (size_t)len;
}

/* The next word; empty: there is none. */
static struct slice next(struct slice *rest)
{
    const char *end = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    struct slice word = slice_part(*rest, 0, len);
    *rest = slice_from(*rest, end ? len + 1 : len);
    return word;
}

static struct slice said(struct slice word)
{
    return slice_is(word, unsaid) ? (struct slice){0} : word;
}

bool tariff_text_read(struct slice text, struct pricing_usage *usage)
{
    struct slice rest = text, service = next(&rest);
    struct slice quality = said(next(&rest)), size = said(next(&rest));
    enum price_service found = PRICE_STANDARD;
    usage->flat = slice_is(service, flat);
    if (rest.len || (!usage->flat && !price_words_service_find(service, &found)))
        return false;
    usage->service = found;
    usage->grade = pricing_grade(quality, size);
    return true;
}
