/* SPDX-License-Identifier: Apache-2.0
 * A machine of eight states reads byte by byte, without a branch: of wrong bytes nobody can foresee
 * the next. Each byte is put behind the ones before; if it shows that those were the beginning of
 * no character, U+FFFD is put in their place first. Whole and valid characters that stand together
 * are passed 64 bytes at a time. */
#include "tokens/repair.h"

#include "base/assert.h"
#include "tokens/split_window.h"

#include <string.h>

enum {
    START,
    ONE,      /* byte of 80..BF is wanted */
    TWO,      /* of them */
    THREE,    /* of them */
    AFTER_E0, /* A0..BF, and ONE */
    AFTER_ED, /* 80..9F, and ONE */
    AFTER_F0, /* 90..BF, and TWO */
    AFTER_F4, /* 80..8F, and TWO */
    STATES,
    STATE = 7,
    /* Bits above the next state: what has begun is no character; the byte is none, nor a part of
     * one; it begins something. */
    WRONG_BEFORE = 3,
    WRONG = 4,
    BEGINS = 5
};

static uint8_t steps[STATES][256];

static bool within(unsigned byte, unsigned first, unsigned last)
{
    return byte >= first && byte <= last;
}

static uint8_t step_begin(unsigned byte)
{
    return byte < 0x80                ? START
           : within(byte, 0xC2, 0xDF) ? ONE
           : byte == 0xE0             ? AFTER_E0
           : byte == 0xED             ? AFTER_ED
           : within(byte, 0xE1, 0xEF) ? TWO
           : byte == 0xF0             ? AFTER_F0
           : within(byte, 0xF1, 0xF3) ? THREE
           : byte == 0xF4             ? AFTER_F4
                                      : START | 1 << WRONG;
}

/* Before main(), as split_window.c's tables are. */
__attribute__((constructor)) static void make_steps(void)
{
    static const struct {
        uint8_t first, last, next;
    } wanted[STATES] = {[ONE] = {0x80, 0xBF, START},    [TWO] = {0x80, 0xBF, ONE},
                        [THREE] = {0x80, 0xBF, TWO},    [AFTER_E0] = {0xA0, 0xBF, ONE},
                        [AFTER_ED] = {0x80, 0x9F, ONE}, [AFTER_F0] = {0x90, 0xBF, TWO},
                        [AFTER_F4] = {0x80, 0x8F, TWO}};
    for (unsigned state = START; state < STATES; state++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            bool goes_on = state != START && within(byte, wanted[state].first, wanted[state].last);
            unsigned begins = step_begin(byte) | 1 << BEGINS;
            begins |= state == START ? 0 : 1 << WRONG_BEFORE;
            steps[state][byte] = goes_on ? wanted[state].next : (uint8_t)begins;
        }
    }
}

struct place {
    unsigned state;
    size_t begun, to; /* in room: the last character that is not all there, and its end */
};

/* Four bytes can be written at place.to. */
static inline struct place put(struct place place, char *room, uint8_t byte)
{
    unsigned step = steps[place.state][byte];
    /* All ones or all zeros, where a condition would be made a branch. */
    size_t wrong_before = (size_t)0 - (step >> WRONG_BEFORE & 1);
    size_t wrong = (size_t)0 - (step >> WRONG & 1), begins = (size_t)0 - (step >> BEGINS & 1);
    place.to -= (place.to - place.begun) & wrong_before;
    memcpy(room + place.to, REPAIR_CHARACTER, 4);
    place.to += 3 & wrong_before;
    place.begun += (place.to - place.begun) & begins;
    memcpy(room + place.to, REPAIR_CHARACTER, 4);
    room[place.to] = (char)(byte ^ ((byte ^ 0xEF) & wrong));
    place.to += 1 + (2 & wrong);
    place.state = step & STATE;
    return place;
}

/* Whole and valid characters, as many as fit. */
static struct place put_valid(struct place place, struct slice *bytes, char *room, size_t room_len)
{
    split_valid_fn *valid = split_machine_at(0)->valid;
    for (unsigned len = 1; valid && len && place.state == START && bytes->len >= SPLIT_WINDOW &&
                           room_len - place.to >= SPLIT_WINDOW;) {
        len = valid((const uint8_t *)bytes->data);
        memcpy(room + place.to, bytes->data, len);
        place.to += len;
        *bytes = slice_from(*bytes, len);
    }
    return place;
}

size_t repair_some(struct repair_begun *begun, struct slice *bytes, char *room, size_t room_len)
{
    enum { STRIDE = 64, STEP_MOST = 3 + 4 }; /* bytes between looks for valid ones; of one step */
    struct place place = {START, 0, 0};
    ASSERT(room_len >= REPAIR_LEAST);
    for (unsigned i = 0; i < begun->len; i++)
        place = put(place, room, begun->bytes[i]);
    while (bytes->len && room_len - place.to >= STEP_MOST) {
        place = put_valid(place, bytes, room, room_len);
        size_t most = bytes->len < STRIDE ? bytes->len : STRIDE, at = 0;
        while (at < most && room_len - place.to >= STEP_MOST)
            place = put(place, room, (uint8_t)bytes->data[at++]);
        *bytes = slice_from(*bytes, at);
    }
    begun->len = place.state == START ? 0 : (uint8_t)(place.to - place.begun);
    memcpy(begun->bytes, room + place.begun, begun->len);
    return place.to - begun->len;
}
