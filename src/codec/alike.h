/* SPDX-License-Identifier: Apache-2.0
 * Texts with JSON in them that are alike: the same bytes but for a few values. The events of a
 * stream are; one that has been read need not be read again where the next differs only in places
 * that are known.
 *
 * WHAT IT PROMISES  a text that matches is what was learned, with each spot's string or number
 *   replaced by another whole, valid one (a spot of spaces: by any number of them). So it is as
 *   valid as what was learned, and has the same members, lines and values everywhere else. */
#ifndef CODEC_ALIKE_H
#define CODEC_ALIKE_H

#include "base/slice.h"

#include <stdint.h>

enum { ALIKE_SPOTS = 6, ALIKE_MAX = 1024 }; /* most spots; longest text that is learned, in bytes */

struct alike {
    char *text; /* what was learned */
    uint16_t len, room;
    uint16_t spots; /* 0: nothing is known */
    struct {
        uint16_t at, len;
    } spot[ALIKE_SPOTS];
};

/* A zeroed one knows nothing. */
void alike_done(struct alike *alike);
void alike_forget(struct alike *alike);
/* spots: JSON strings (raw, with quotes) that are values and not keys, JSON numbers, or runs of
 * spaces, empty too, where JSON lets spaces be; inside text, in order, apart. What is longer than
 * ALIKE_MAX, has none or more than ALIKE_SPOTS of them or one elsewhere, or finds no memory, is not
 * learned: nothing is known then. Copies text. */
void alike_learn(struct alike *alike, struct slice text, const struct slice *spots, size_t len);
/* Bytes of the text that bytes begin with and that is like the one learned, and what stands at its
 * spots; 0: there is none, or not all of it. Linear in what is returned. */
size_t alike_match(const struct alike *alike, struct slice bytes,
                   struct slice ret_values[ALIKE_SPOTS]);

#endif
