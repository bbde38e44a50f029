/* SPDX-License-Identifier: Apache-2.0
 * Sounds: how long one is. From a WAV or MP3 that is the sound's own length; from a FLAC, Ogg or
 * MP4 file what its maker wrote into it.
 *
 * THREADS any. MEMORY none. COST  a few bytes of each part of a WAV, SOUND_CHUNKS at most, or of
 * each frame of an MP3 or page of an Ogg, SOUND_FRAMES at most: half an hour of MP3. */
#ifndef PROMPTS_SOUND_H
#define PROMPTS_SOUND_H

#include "base/slice.h"

#include <stdint.h>

enum { SOUND_CHUNKS = 64, SOUND_FRAMES = 65536 };

struct sound_length {
    int64_t expected_ms;
    int64_t most_ms; /* 0: not known */
};

/* Of base64 text, without "data:...,". */
struct sound_length sound_length_of(struct slice base64);
/* Of a file's bytes. */
struct sound_length sound_length_in(struct slice bytes);

#endif
