/* SPDX-License-Identifier: Apache-2.0
 * WAV and MP3, which come in base64 among messages and as they are in a form.
 *
 * A WAV without compression says how many bytes a second has. An MP3 is gone through from frame to
 * frame, each of which says how long it is; of what is behind them the lowest rate is taken. */
#include "prompts/sound.h"

#include "prompts/peek.h"
#include "prompts/sound_files.h"

enum { WAVE_PCM = 1, WAVE_FLOAT = 3, WAVE_EXTENSIBLE = 0xfffe };

/* Where a sound's bytes are. */
struct source {
    struct slice text;
    bool plain; /* the bytes themselves, not base64 */
};

/* len bytes as one number; UINT32_MAX: they are not all there. */
static uint32_t number(const struct source *from, size_t at, size_t len, bool big)
{
    uint32_t value = 0;
    if (!from->plain)
        return big ? peek_big(from->text, at, len) : peek_little(from->text, at, len);
    if (at > from->text.len || from->text.len - at < len)
        return UINT32_MAX;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | (unsigned char)from->text.data[at + (big ? i : len - 1 - i)];
    return value;
}

static uint32_t big(const struct source *from, size_t at, size_t len)
{
    return number(from, at, len, true);
}

static uint32_t little(const struct source *from, size_t at, size_t len)
{
    return number(from, at, len, false);
}

static size_t len_of(const struct source *from)
{
    return from->plain ? from->text.len : peek_len(from->text);
}

/* Bytes of a second, as the format says at; 0: they are not all of one length. */
static int64_t wave_rate(const struct source *from, size_t at)
{
    uint32_t format = little(from, at, 2), channels = little(from, at + 2, 2);
    uint32_t samples = little(from, at + 4, 4), bits = little(from, at + 14, 2);
    if (format == WAVE_EXTENSIBLE)
        format = little(from, at + 24, 2);
    bool plain = format == WAVE_PCM || format == WAVE_FLOAT;
    if (!plain || !channels || channels > 64 || bits % 8 || !bits || bits > 64 || !samples)
        return 0;
    return (int64_t)samples * channels * (bits / 8);
}

static struct sound_length wave_length(const struct source *from)
{
    size_t at = 12, len = len_of(from);
    int64_t rate = 0;
    for (int i = 0; i < SOUND_CHUNKS && at + 8 <= len; i++) {
        uint32_t name = big(from, at, 4), size = little(from, at + 4, 4);
        if (name == 0x64617461 && rate) { /* "data"; its size may be wrong */
            int64_t ms = ((int64_t)(len - at - 8) * 1000 + rate - 1) / rate;
            return (struct sound_length){ms, ms};
        }
        if (name == 0x666d7420) /* "fmt " */
            rate = wave_rate(from, at + 8);
        at += 8 + (size_t)size + size % 2;
    }
    return (struct sound_length){0};
}

struct frame {
    size_t len;         /* bytes; 0: it is none of layer 3, or of no fixed rate */
    int64_t samples_us; /* how long it lasts */
};

static struct frame frame_of(uint32_t head)
{
    static const uint16_t kilobits[2][16] = {
        {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0},
        {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}};
    static const uint32_t hertz[4][4] = {{11025, 12000, 8000, 0}, /* by version: 2.5, none, 2, 1 */
                                         {0},
                                         {22050, 24000, 16000, 0},
                                         {44100, 48000, 32000, 0}};
    uint32_t version = head >> 19 & 3, layer = head >> 17 & 3;
    uint32_t rate = kilobits[version != 3][head >> 12 & 15],
             samples = hertz[version][head >> 10 & 3];
    if (head == UINT32_MAX || head >> 21 != 0x7ff || layer != 1 || !rate || !samples)
        return (struct frame){0};
    uint32_t many = version == 3 ? 1152 : 576;
    return (struct frame){many / 8 * 1000 * rate / samples + (head >> 9 & 1),
                          (int64_t)many * 1000000 / samples + 1};
}

/* Frame by frame; what is behind the last of them may have some more. */
static struct sound_length mp3_length(const struct source *from)
{
    enum { BYTES_LEAST = 1000 }; /* of a second, of any frame */
    size_t at = 0, len = len_of(from);
    if (big(from, 0, 3) == 0x494433) { /* "ID3": its length has seven bits a byte */
        uint32_t size = big(from, 6, 4);
        at = 10 + ((size >> 24 & 127) << 21 | (size >> 16 & 127) << 14 | (size >> 8 & 127) << 7 |
                   (size & 127));
    }
    int64_t us = 0;
    size_t frames = 0;
    for (; frames < SOUND_FRAMES && at + 4 <= len; frames++) {
        struct frame frame = frame_of(big(from, at, 4));
        if (!frame.len)
            break;
        us += frame.samples_us;
        at += frame.len;
    }
    if (!frames)
        return (struct sound_length){0};
    int64_t rest = at < len ? (int64_t)(len - at) : 0;
    return (struct sound_length){us / 1000, us / 1000 + 1 + rest * 1000 / BYTES_LEAST};
}

static bool is_wave(const struct source *from)
{
    return big(from, 0, 4) == 0x52494646 && big(from, 8, 4) == 0x57415645;
}

struct sound_length sound_length_of(struct slice base64)
{
    const struct source from = {base64, false};
    return is_wave(&from) ? wave_length(&from) : mp3_length(&from);
}

struct sound_length sound_length_in(struct slice bytes)
{
    const struct source from = {bytes, true};
    int64_t ms = sound_file_ms(bytes);
    if (ms)
        return (struct sound_length){ms, ms};
    return is_wave(&from) ? wave_length(&from) : mp3_length(&from);
}
