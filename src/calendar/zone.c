/* SPDX-License-Identifier: Apache-2.0
 * A zone file (TZif, RFC 8536) becomes a table of the changes of its offset, and a footer.
 *
 *   header (44 bytes)  "TZif" version 15*0  isutcnt isstdcnt leapcnt timecnt typecnt charcnt
 *   data block         times[timecnt]  types[timecnt]  {offset, isdst, name}[typecnt]
 *                      chars[charcnt]  leaps[leapcnt]  isstd[isstdcnt]  isut[isutcnt]
 *   version 1: header, block with 4-byte times. From version 2 on: the same, to be skipped, then a
 *   header and a block with 8-byte times, then "\n", the footer, "\n".
 *
 *   changes[0].from_us = INT64_MIN | changes[1] ... | footer from footer_from_us on
 *
 * Only changes of the offset between a few days before 1970 and year 10002 are kept: names and the
 * summer flag say nothing about windows, and what is clamped away needs no past.
 *
 * Leap seconds: mete's instants have none, so a file that counts them (the `right/` ones) tells
 * another time and is refused.
 *
 * Every length is checked against the bytes that are there before it is believed. */
#include "calendar/zone.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)

/* Windows of 1970 look back by one shift, and so does the look for the first instant of one. */
#define KEPT_FROM_S (-4 * (int64_t)ZONE_OFFSET_MAX_S)
#define KEPT_UNTIL_S (INT64_C(2933628) * 86400) /* 10002-01-01: a year of 9999 ends before */

enum { HEADER_LEN = 44, TYPE_LEN = 6 };

struct change {
    int64_t from_us;
    int64_t offset_us;
};

struct calendar_zone {
    struct footer footer;
    bool has_footer;
    int64_t footer_from_us;
    size_t changes_len; /* 1.. */
    struct change changes[];
};

/* ---- Reading --------------------------------------------------------------------------------- */

struct header {
    char version;
    uint64_t isut, isstd, leaps, times, types, chars; /* counts, each under 2^32 */
};

/* A data block's parts. */
struct block {
    const uint8_t *times, *indexes, *types;
    size_t times_len, types_len;
    size_t time_size; /* 4 or 8 */
};

static int64_t big_endian(const uint8_t *at, size_t len)
{
    uint64_t value = at[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

static uint64_t count_at(const uint8_t *at)
{
    return (uint64_t)big_endian(at, 4) & UINT32_MAX;
}

static bool read_header(struct slice *rest, struct header *ret_header)
{
    if (rest->len < HEADER_LEN || memcmp(rest->data, "TZif", 4) != 0)
        return false;
    const uint8_t *at = (const uint8_t *)rest->data;
    *ret_header = (struct header){
        .version = rest->data[4],
        .isut = count_at(at + 20),
        .isstd = count_at(at + 24),
        .leaps = count_at(at + 28),
        .times = count_at(at + 32),
        .types = count_at(at + 36),
        .chars = count_at(at + 40),
    };
    *rest = slice_from(*rest, HEADER_LEN);
    return ret_header->version == 0 || ret_header->version >= '2';
}

static uint64_t block_len(const struct header *h, size_t time_size)
{
    return h->times * (time_size + 1) + h->types * TYPE_LEN + h->chars +
           h->leaps * (time_size + 4) + h->isstd + h->isut;
}

static bool skip_block(struct slice *rest, const struct header *h, size_t time_size)
{
    uint64_t len = block_len(h, time_size);
    if (len > rest->len)
        return false;
    *rest = slice_from(*rest, (size_t)len);
    return true;
}

static bool counts_are_sane(const struct header *h)
{
    return h->types > 0 && h->chars > 0 && h->leaps == 0 && (h->isut == 0 || h->isut == h->types) &&
           (h->isstd == 0 || h->isstd == h->types);
}

static int64_t time_at(const struct block *b, size_t i)
{
    return big_endian(b->times + i * b->time_size, b->time_size);
}

static int64_t type_offset_s(const struct block *b, size_t type)
{
    return big_endian(b->types + type * TYPE_LEN, 4);
}

static bool types_are_sane(const struct block *b, const struct header *h)
{
    for (size_t i = 0; i < b->types_len; i++) {
        int64_t offset_s = type_offset_s(b, i);
        const uint8_t *type = b->types + i * TYPE_LEN;
        if (offset_s < -ZONE_OFFSET_MAX_S || offset_s > ZONE_OFFSET_MAX_S || type[4] > 1 ||
            type[5] >= h->chars)
            return false;
    }
    return true;
}

static bool times_are_sane(const struct block *b)
{
    for (size_t i = 0; i < b->times_len; i++) {
        if (b->indexes[i] >= b->types_len || (i > 0 && time_at(b, i) <= time_at(b, i - 1)))
            return false;
    }
    return true;
}

static bool read_block(struct slice *rest, const struct header *h, size_t time_size,
                       struct block *ret_block)
{
    const uint8_t *at = (const uint8_t *)rest->data;
    if (!counts_are_sane(h) || !skip_block(rest, h, time_size))
        return false;
    *ret_block = (struct block){.times = at,
                                .indexes = at + h->times * time_size,
                                .types = at + h->times * (time_size + 1),
                                .times_len = (size_t)h->times,
                                .types_len = (size_t)h->types,
                                .time_size = time_size};
    return types_are_sane(ret_block, h) && times_are_sane(ret_block);
}

/* The block that counts; rest: what stands behind it. */
static bool read_blocks(struct slice *rest, struct block *ret_block, bool *ret_has_footer)
{
    struct header header;
    if (!read_header(rest, &header))
        return false;
    *ret_has_footer = header.version != 0;
    if (header.version == 0)
        return read_block(rest, &header, 4, ret_block);
    char version = header.version;
    return skip_block(rest, &header, 4) && read_header(rest, &header) &&
           header.version == version && read_block(rest, &header, 8, ret_block);
}

static bool read_footer(struct slice rest, struct calendar_zone *zone)
{
    if (rest.len < 2 || rest.data[0] != '\n' || rest.data[rest.len - 1] != '\n')
        return false;
    zone->has_footer = rest.len > 2; /* an empty one: the last change holds for ever */
    return !zone->has_footer || !footer_parse(slice_part(rest, 1, rest.len - 2), &zone->footer);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

static void keep_changes(struct calendar_zone *zone, const struct block *b)
{
    int64_t offset_us = type_offset_s(b, 0) * SECOND_US;
    size_t i = 0;
    for (; i < b->times_len && time_at(b, i) <= KEPT_FROM_S; i++)
        offset_us = type_offset_s(b, b->indexes[i]) * SECOND_US;
    zone->changes[0] = (struct change){INT64_MIN, offset_us};
    zone->changes_len = 1;
    zone->footer_from_us = INT64_MIN;
    for (; i < b->times_len && time_at(b, i) < KEPT_UNTIL_S; i++) {
        struct change change = {time_at(b, i) * SECOND_US,
                                type_offset_s(b, b->indexes[i]) * SECOND_US};
        zone->footer_from_us = change.from_us;
        if (change.offset_us != zone->changes[zone->changes_len - 1].offset_us)
            zone->changes[zone->changes_len++] = change;
    }
    if (i < b->times_len)
        zone->has_footer = false; /* the file itself tells all there is */
}

/* RFC 8536, 3.3: the footer must say of the last change what the table says. */
static bool footer_agrees(const struct calendar_zone *zone)
{
    if (!zone->has_footer || zone->footer_from_us == INT64_MIN)
        return true;
    return footer_span(&zone->footer, zone->footer_from_us).offset_us ==
           zone->changes[zone->changes_len - 1].offset_us;
}

int calendar_zone_parse(struct slice bytes, struct calendar_zone **ret_zone)
{
    if (bytes.len > LIMIT_ZONE)
        return METE_E_TOO_LARGE;
    struct slice rest = bytes;
    struct block block;
    bool has_footer;
    if (!read_blocks(&rest, &block, &has_footer))
        return METE_E_CORRUPT;
    size_t room = (block.times_len + 1) * sizeof(struct change);
    struct calendar_zone *zone = calloc(1, sizeof *zone + room);
    if (!zone)
        return METE_E_MEMORY;
    bool is_sound = has_footer ? read_footer(rest, zone) : rest.len == 0;
    if (is_sound)
        keep_changes(zone, &block);
    if (!is_sound || !footer_agrees(zone)) {
        calendar_zone_free(zone);
        return METE_E_CORRUPT;
    }
    ASSERT(zone->changes_len <= block.times_len + 1);
    *ret_zone = zone;
    return 0;
}

void calendar_zone_free(struct calendar_zone *zone)
{
    free(zone);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

struct zone_span zone_span(const struct calendar_zone *zone, int64_t at_us)
{
    if (!zone)
        return (struct zone_span){INT64_MIN, INT64_MAX, 0};
    if (zone->has_footer && at_us >= zone->footer_from_us) {
        struct zone_span span = footer_span(&zone->footer, at_us);
        if (span.from_us < zone->footer_from_us)
            span.from_us = zone->footer_from_us;
        return span;
    }
    size_t low = 0, high = zone->changes_len; /* changes[low] is not after it, changes[high] is */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].from_us <= at_us)
            low = middle;
        else
            high = middle;
    }
    int64_t until_us = high < zone->changes_len ? zone->changes[high].from_us
                       : zone->has_footer       ? zone->footer_from_us
                                                : INT64_MAX;
    return (struct zone_span){zone->changes[low].from_us, until_us, zone->changes[low].offset_us};
}
