/* SPDX-License-Identifier: Apache-2.0
 * How long the sound of a file is, as it says itself: FLAC, Ogg (Opus, Vorbis, Speex, FLAC) and MP4
 * (M4A). THREADS any. MEMORY none. */
#ifndef PROMPTS_SOUND_FILES_H
#define PROMPTS_SOUND_FILES_H

#include "base/slice.h"

#include <stdint.h>

/* 0: it is none of these, or does not say. A length that so many bytes cannot have is none. */
int64_t sound_file_ms(struct slice file);

#endif
