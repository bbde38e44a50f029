/* SPDX-License-Identifier: Apache-2.0
 *   FLAC  STREAMINFO: samples, and how many a second
 *   Ogg   the last granule position of each of its streams, one behind the other; what a second has
 *         of them says a stream's first packet
 *   MP4   the longest of what mvhd and the tracks' mdhd say; of one in fragments nothing is known
 *
 * A file may lie. No sound needs more than DENSEST bytes a second, so that one who calls an hour a
 * second must have it compressed very well; what its provider then reports is billed, and beyond
 * what was set aside it is a recorded overrun. */
#include "prompts/sound_files.h"

#include "prompts/sound.h"

enum { DENSEST = 4 * 1024 * 1024, STREAMS_MAX = 16, DEPTH_MAX = 8, BOXES_MAX = 1024 };
enum { YEAR_MS = INT32_MAX }; /* 24 days: no file of sound is longer */

static uint64_t big(struct slice from, size_t at, size_t len)
{
    uint64_t value = 0;
    if (at > from.len || from.len - at < len)
        return 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | (unsigned char)from.data[at + i];
    return value;
}

static uint64_t little(struct slice from, size_t at, size_t len)
{
    uint64_t value = 0;
    if (at > from.len || from.len - at < len)
        return 0;
    for (size_t i = len; i > 0; i--)
        value = value << 8 | (unsigned char)from.data[at + i - 1];
    return value;
}

static bool stands(struct slice from, size_t at, const char *text)
{
    size_t len = strlen(text);
    return at <= from.len && from.len - at >= len && !memcmp(from.data + at, text, len);
}

/* units of so many a second, rounded up; 0: that cannot be. */
static int64_t to_ms(uint64_t units, uint64_t rate)
{
    if (!units || !rate || units > UINT64_MAX / 1000 - rate)
        return 0;
    uint64_t ms = (units * 1000 + rate - 1) / rate;
    return ms > YEAR_MS ? 0 : (int64_t)ms;
}

static int64_t flac_ms(struct slice file)
{
    uint64_t rate = big(file, 18, 3) >> 4, samples = big(file, 21, 5) & UINT64_C(0xfffffffff);
    return file.data[4] % 128 == 0 ? to_ms(samples, rate) : 0;
}

/* ---- Ogg ------------------------------------------------------------------------------------- */

struct track {
    uint32_t serial;
    uint64_t rate, last;
};

/* Samples a second, from a stream's first packet; 0: of no kind known here. */
static uint64_t rate_of(struct slice packet)
{
    if (stands(packet, 0, "OpusHead"))
        return 48000;
    if (stands(packet, 0, "\x01vorbis"))
        return little(packet, 12, 4);
    if (stands(packet, 0, "Speex   "))
        return little(packet, 36, 4);
    return stands(packet, 0,
                  "\x7f"
                  "FLAC")
               ? big(packet, 27, 3) >> 4
               : 0;
}

/* The track of this page; a stream's first page begins one. NULL: it is none that is known. */
static struct track *track_of(struct track tracks[STREAMS_MAX], size_t *len, struct slice page,
                              size_t head)
{
    uint32_t serial = (uint32_t)little(page, 14, 4);
    if (page.data[5] & 2) {
        uint64_t rate = rate_of(slice_from(page, head));
        if (!rate || *len == STREAMS_MAX)
            return NULL;
        tracks[*len] = (struct track){.serial = serial, .rate = rate};
        return &tracks[(*len)++];
    }
    for (size_t i = *len; i > 0; i--)
        if (tracks[i - 1].serial == serial)
            return &tracks[i - 1];
    return NULL;
}

static int64_t ogg_ms(struct slice file)
{
    struct track tracks[STREAMS_MAX];
    size_t len = 0, pages = 0;
    for (; file.len >= 27 && pages < SOUND_FRAMES; pages++) {
        size_t segments = (unsigned char)file.data[26], head = 27 + segments, body = 0;
        if (!stands(file, 0, "OggS") || file.len < head)
            return 0;
        for (size_t i = 0; i < segments; i++)
            body += (unsigned char)file.data[27 + i];
        struct slice page = slice_part(file, 0, file.len - head < body ? file.len : head + body);
        struct track *track = track_of(tracks, &len, page, head);
        uint64_t at = little(page, 6, 8);
        if (!track)
            return 0;
        if (at != UINT64_MAX && at > track->last)
            track->last = at;
        file = slice_from(file, page.len);
    }
    int64_t ms = 0;
    for (size_t i = 0; i < len; i++)
        ms += to_ms(tracks[i].last, tracks[i].rate);
    return file.len ? 0 : ms;
}

/* ---- MP4 ------------------------------------------------------------------------------------- */

/* Takes the next box off; false: there is none, or it is not whole. */
static bool next_box(struct slice *boxes, struct slice *ret_name, struct slice *ret_body)
{
    uint64_t len = big(*boxes, 0, 4), head = 8;
    if (len == 1) {
        len = big(*boxes, 8, 8);
        head = 16;
    }
    if (!len)
        len = boxes->len; /* up to the end */
    if (len < head || len > boxes->len)
        return false;
    *ret_name = slice_part(*boxes, 4, 4);
    *ret_body = slice_part(*boxes, (size_t)head, (size_t)(len - head));
    *boxes = slice_from(*boxes, (size_t)len);
    return true;
}

/* mvhd and mdhd begin alike. */
static int64_t header_ms(struct slice body)
{
    bool wide = body.len && body.data[0] == 1;
    return wide ? to_ms(big(body, 24, 8), big(body, 20, 4))
                : to_ms(big(body, 16, 4), big(body, 12, 4));
}

static bool is_parent(struct slice name)
{
    return slice_is(name, "moov") || slice_is(name, "trak") || slice_is(name, "mdia");
}

static int64_t mp4_ms(struct slice file)
{
    struct slice open[DEPTH_MAX] = {file}, name, body;
    int64_t longest = 0;
    size_t depth = 1;
    for (size_t i = 0; depth && i < BOXES_MAX; i++) {
        if (!next_box(&open[depth - 1], &name, &body)) {
            depth--;
            continue;
        }
        if (slice_is(name, "moof"))
            return 0;
        if (is_parent(name) && depth < DEPTH_MAX)
            open[depth++] = body;
        if (!slice_is(name, "mvhd") && !slice_is(name, "mdhd"))
            continue;
        int64_t ms = header_ms(body);
        longest = ms > longest ? ms : longest;
    }
    return depth ? 0 : longest;
}

int64_t sound_file_ms(struct slice file)
{
    int64_t ms = 0;
    if (file.len >= 42 && stands(file, 0, "fLaC"))
        ms = flac_ms(file);
    else if (stands(file, 0, "OggS"))
        ms = ogg_ms(file);
    else if (stands(file, 4, "ftyp"))
        ms = mp4_ms(file);
    return ms >= (int64_t)(file.len / DENSEST) * 1000 ? ms : 0;
}
