/* SPDX-License-Identifier: Apache-2.0
 * A number of bits says what follows; what is empty is not written. Written by the ledger, read by
 * whoever shows a record, and by the ledger again, which believes nothing it finds on a disk. */
#include "base/details.h"

enum {
    IS_STREAM = 1,
    HAS_CONFIDENCE = 2,
    HAS_MODEL = 4,
    HAS_UPSTREAM_ID = 8,
    HAS_DIALECT = 16,
    HAS_PARTS = 32,
    HAS_PROVIDER = 64,
    HAS_ACTOR = 128,
    HAS_TARIFF = 256,
    BITS = 511
};
enum { PPM = 1000000 };

static struct slice slice(struct mete_text text)
{
    return (struct slice){text.data, text.len};
}

/* As it is shown: no control characters, which no id or name has. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

static bool is_part(const struct mete_part *parts, size_t i)
{
    uint16_t meter = parts[i].meter;
    if (meter == METE_COST || meter == METE_TOTAL_TOKENS || meter == METE_LIST_COST ||
        meter >= METE_METERS_BUILTIN || parts[i].nano < 0 || parts[i].nano > METE_AMOUNT_MAX)
        return false;
    for (size_t j = 0; j < i; j++)
        if (parts[j].meter == meter)
            return false;
    return true;
}

int details_check(const struct mete_details *details)
{
    if (details->model.len > LIMIT_ID || details->upstream_id.len > LIMIT_ID ||
        details->dialect.len > LIMIT_PROVIDER || details->provider.len > LIMIT_PROVIDER ||
        details->actor.len > LIMIT_ID || details->tariff.len > LIMIT_PROVIDER ||
        details->parts_len > METE_PARTS_MAX)
        return METE_E_TOO_LARGE;
    bool fits = is_plain(slice(details->model)) && is_plain(slice(details->upstream_id)) &&
                is_plain(slice(details->dialect)) && is_plain(slice(details->provider)) &&
                is_plain(slice(details->actor)) && is_plain(slice(details->tariff)) &&
                details->confidence_ppm <= (details->has_confidence ? PPM : 0);
    for (size_t i = 0; fits && i < details->parts_len; i++)
        fits = is_part(details->parts, i);
    return fits ? 0 : METE_E_INVALID;
}

static void write_text(struct writer *w, struct mete_text text)
{
    if (text.len)
        write_slice(w, slice(text));
}

size_t details_write(const struct mete_details *details, uint8_t room[DETAILS_MAX])
{
    struct writer w = {room, room + DETAILS_MAX};
    unsigned bits = details->stream ? IS_STREAM : 0;
    bits |= details->has_confidence ? HAS_CONFIDENCE : 0;
    bits |= details->model.len ? HAS_MODEL : 0;
    bits |= details->upstream_id.len ? HAS_UPSTREAM_ID : 0;
    bits |= details->dialect.len ? HAS_DIALECT : 0;
    bits |= details->parts_len ? HAS_PARTS : 0;
    bits |= details->provider.len ? HAS_PROVIDER : 0;
    bits |= details->actor.len ? HAS_ACTOR : 0;
    bits |= details->tariff.len ? HAS_TARIFF : 0;
    if (!bits)
        return 0;
    write_varint(&w, bits);
    if (bits & HAS_CONFIDENCE)
        write_varint(&w, details->confidence_ppm);
    write_text(&w, details->model);
    write_text(&w, details->upstream_id);
    write_text(&w, details->dialect);
    write_text(&w, details->provider);
    write_text(&w, details->actor);
    write_text(&w, details->tariff);
    if (bits & HAS_PARTS)
        write_varint(&w, details->parts_len);
    for (size_t i = 0; i < details->parts_len; i++) {
        write_varint(&w, details->parts[i].meter);
        write_varint(&w, (uint64_t)details->parts[i].nano);
    }
    return (size_t)(w.at - room);
}

/* A text that is said to be there. */
static struct mete_text read_text(struct reader *r, bool is_there, size_t len_max)
{
    if (!is_there)
        return (struct mete_text){0};
    struct slice text = read_slice(r, len_max);
    r->bad |= text.len == 0 || !is_plain(text);
    return (struct mete_text){text.data, text.len};
}

static size_t read_parts(struct reader *r, struct mete_part parts[METE_PARTS_MAX])
{
    uint64_t len = read_varint(r);
    r->bad |= len < 1 || len > METE_PARTS_MAX;
    for (size_t i = 0; i < len && !r->bad; i++) {
        uint64_t meter = read_varint(r), nano = read_varint(r);
        r->bad |= meter > UINT16_MAX || nano > METE_AMOUNT_MAX;
        parts[i] = (struct mete_part){(uint16_t)meter, (int64_t)nano};
        r->bad |= !is_part(parts, i);
    }
    return r->bad ? 0 : (size_t)len;
}

bool details_read(struct slice packed, struct mete_part parts[METE_PARTS_MAX],
                  struct mete_details *ret_details)
{
    struct mete_details details = {.parts = parts};
    if (packed.len) {
        const uint8_t *at = (const uint8_t *)packed.data;
        struct reader r = {at, at + packed.len, false};
        uint64_t bits = read_varint(&r);
        r.bad |= bits == 0 || bits > BITS;
        details.stream = (bits & IS_STREAM) != 0;
        details.has_confidence = (bits & HAS_CONFIDENCE) != 0;
        if (details.has_confidence) {
            uint64_t ppm = read_varint(&r);
            r.bad |= ppm > PPM;
            details.confidence_ppm = (uint32_t)ppm;
        }
        details.model = read_text(&r, bits & HAS_MODEL, LIMIT_ID);
        details.upstream_id = read_text(&r, bits & HAS_UPSTREAM_ID, LIMIT_ID);
        details.dialect = read_text(&r, bits & HAS_DIALECT, LIMIT_PROVIDER);
        details.provider = read_text(&r, bits & HAS_PROVIDER, LIMIT_PROVIDER);
        details.actor = read_text(&r, bits & HAS_ACTOR, LIMIT_ID);
        details.tariff = read_text(&r, bits & HAS_TARIFF, LIMIT_PROVIDER);
        if (bits & HAS_PARTS)
            details.parts_len = read_parts(&r, parts);
        if (r.bad || r.at != r.end)
            return false;
    }
    *ret_details = details;
    return true;
}
