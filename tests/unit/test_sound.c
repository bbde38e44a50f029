/* SPDX-License-Identifier: Apache-2.0
 * Proves that the length of a file of sound is what the file says, for each container, and that of
 * one that is cut, in fragments, of another kind, or says what cannot be, nothing is believed.
 * (Sounds among messages: test_prompt.c.) */
#include "prompts/sound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int64_t ms(const void *bytes, size_t len)
{
    struct sound_length length = sound_length_in((struct slice){bytes, len});
    assert_int_equal(length.expected_ms, length.most_ms);
    return length.most_ms;
}

static void wave_says_how_long_it_is(void **state)
{
    (void)state;
    static const unsigned char head[] = {'R', 'I', 'F', 'F', 0,   0,   0,   0,   'W', 'A', 'V',
                                         'E', 'f', 'm', 't', ' ', 16,  0,   0,   0,   1,   0,
                                         1,   0,   64,  31,  0,   0,   64,  31,  0,   0,   1,
                                         0,   8,   0,   'd', 'a', 't', 'a', 255, 255, 255, 255};
    unsigned char bytes[sizeof head + 12000] = {0};
    memcpy(bytes, head, sizeof head);
    assert_int_equal(ms(bytes, sizeof bytes), 1500);
    assert_int_equal(ms(bytes, 30), 0);
}

static void mp3_is_gone_through(void **state)
{
    (void)state;
    /* MPEG 1, layer 3, 128 kbit/s at 44,100: frames of 417 bytes and 26.12 ms. */
    static unsigned char bytes[10 * 417];
    for (size_t i = 0; i < 10; i++)
        memcpy(bytes + i * 417, "\xff\xfb\x90\x00", 4);
    struct sound_length length = sound_length_in((struct slice){(const char *)bytes, sizeof bytes});
    assert_true(length.expected_ms >= 260 && length.most_ms <= 265);
}

static void flac_says_how_many_samples_it_has(void **state)
{
    (void)state;
    /* 44,100 a second in 20 bits, two channels of 16 bits, 132,300 samples in 36 bits. */
    unsigned char bytes[64] = {'f', 'L', 'a', 'C', 0, 0, 0, 34};
    memcpy(bytes + 18, "\x0a\xc4\x42\xf0\x00\x02\x04\xcc", 8);
    assert_int_equal(ms(bytes, sizeof bytes), 3000);
    assert_int_equal(ms(bytes, 41), 0);
    memset(bytes + 22, 0, 4); /* not told */
    bytes[21] = 0xf0;
    assert_int_equal(ms(bytes, sizeof bytes), 0);
}

static size_t put_page(unsigned char *to, int kind, uint8_t serial, uint32_t at, const char *packet,
                       size_t len)
{
    memset(to, 0, 28);
    memcpy(to, "OggS", 4);
    to[5] = (unsigned char)kind;
    for (int i = 0; i < 4; i++)
        to[6 + i] = (unsigned char)(at >> 8 * i);
    to[14] = serial;
    to[26] = 1;
    to[27] = (unsigned char)len;
    memcpy(to + 28, packet, len);
    return 28 + len;
}

static void ogg_adds_its_streams_up(void **state)
{
    (void)state;
    unsigned char bytes[1024];
    size_t len = put_page(bytes, 2, 1, 0, "OpusHead\1\2\0\0\0\0\0\0\0\0\0", 19);
    len += put_page(bytes + len, 0, 1, 48000, "x", 1);
    len += put_page(bytes + len, 4, 1, 120000, "y", 1);
    assert_int_equal(ms(bytes, len), 2500);
    size_t first = len; /* a second one behind it */
    len += put_page(bytes + len, 2, 2, 0, "\x01vorbis\0\0\0\0\2\x40\x1f\0\0", 16);
    len += put_page(bytes + len, 4, 2, 8000, "z", 1);
    assert_int_equal(ms(bytes, len), 3500);
    assert_int_equal(ms(bytes, first + 20), 0); /* half a page */
    bytes[first] = 'X';
    assert_int_equal(ms(bytes, len), 0);
    len = put_page(bytes, 2, 1, 0, "Theora", 6);
    assert_int_equal(ms(bytes, len), 0);
}

static size_t put_box(unsigned char *to, const char *name, const void *body, size_t len)
{
    size_t all = 8 + len;
    to[0] = to[1] = 0;
    to[2] = (unsigned char)(all >> 8);
    to[3] = (unsigned char)all;
    memcpy(to + 4, name, 4);
    memmove(to + 8, body, len);
    return all;
}

static void mp4_is_as_long_as_its_longest_track(void **state)
{
    (void)state;
    unsigned char bytes[512], inner[256], media[64];
    /* version and flags, created, modified, 1,000 a second, 5,000 of them */
    static const unsigned char five[] = {0, 0, 0, 0, 0, 0,   0, 0, 0,  0,
                                         0, 0, 0, 0, 3, 232, 0, 0, 19, 136};
    static const unsigned char seven[] = {0, 0, 0, 0, 0, 0,   0, 0, 0,  0,
                                          0, 0, 0, 0, 3, 232, 0, 0, 27, 88};
    size_t len = put_box(bytes, "ftyp", "M4A \0\0\0\0", 8);
    size_t in = put_box(inner, "mvhd", five, sizeof five);
    size_t mdia = put_box(media, "mdhd", seven, sizeof seven);
    unsigned char track[128];
    in += put_box(inner + in, "trak", track, put_box(track, "mdia", media, mdia));
    size_t whole = len + put_box(bytes + len, "moov", inner, in);
    assert_int_equal(ms(bytes, whole), 7000);
    assert_int_equal(ms(bytes, whole - 1), 0); /* cut */
    whole += put_box(bytes + whole, "moof", "", 0);
    assert_int_equal(ms(bytes, whole), 0); /* in fragments */
}

static void what_is_none_of_these_has_no_length(void **state)
{
    (void)state;
    static char noise[5 * 1024 * 1024];
    assert_int_equal(ms("", 0), 0);
    assert_int_equal(ms("\x1a\x45\xdf\xa3 matroska", 14), 0);
    /* More bytes than so short a sound can have. */
    memcpy(noise, "fLaC\0\0\0\x22", 8);
    memcpy(noise + 18, "\x0a\xc4\x42\xf0\x00\x00\x00\x01", 8);
    assert_int_equal(ms(noise, 4096), 1);
    assert_int_equal(ms(noise, sizeof noise), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wave_says_how_long_it_is),
        cmocka_unit_test(mp3_is_gone_through),
        cmocka_unit_test(flac_says_how_many_samples_it_has),
        cmocka_unit_test(ogg_adds_its_streams_up),
        cmocka_unit_test(mp4_is_as_long_as_its_longest_track),
        cmocka_unit_test(what_is_none_of_these_has_no_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
