/* SPDX-License-Identifier: Apache-2.0
 * Bytes that say something else than they did: numbers of entries and of saved states, both written
 * as varints, become other numbers. What is written and what is read is of the same form, so that a
 * fault is met where it is looked for, and not at the first byte that cannot be. */
#ifndef TESTS_TWIST_H
#define TESTS_TWIST_H

#include "base/limits.h"
#include "base/varint.h"
#include "ledger/entry.h"

#include <stdbool.h>
#include <string.h>

/* Numbers a field may be wrong by, or that are an end of some range. */
static const uint64_t twist_ends[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      7,
                                      9,
                                      16,
                                      33,
                                      64,
                                      129,
                                      255,
                                      1000001,
                                      86400001,
                                      UINT32_MAX,
                                      UINT64_C(1) << 32,
                                      UINT64_C(1) << 36,
                                      METE_AMOUNT_MAX,
                                      METE_AMOUNT_MAX + INT64_C(1),
                                      UINT64_C(1) << 62,
                                      INT64_MAX,
                                      UINT64_MAX};
enum { TWIST_ENDS = sizeof twist_ends / sizeof twist_ends[0], TWISTS = TWIST_ENDS + 5 };

/* Whether a number may begin there: the byte before does not go on. */
static inline bool twist_begins(const uint8_t *bytes, size_t at)
{
    return at == 0 || bytes[at - 1] < 0x80;
}

/* Twist i < TWISTS of the number at `at`: one near it, or an end. bytes has room for VARINT_MAX
 * more. false: it is that number, or none, and nothing has changed. */
static inline bool twist_number(uint8_t *bytes, size_t *len, size_t at, unsigned i)
{
    struct reader r = {bytes + at, bytes + *len, false};
    uint64_t was = read_varint(&r), becomes;
    if (r.bad)
        return false;
    switch (i) {
    case 0:
        becomes = was + 1;
        break;
    case 1:
        becomes = was - 1;
        break;
    case 2: /* a signed one becomes its negative */
        becomes = was ^ 1;
        break;
    case 3:
        becomes = was << 1;
        break;
    case 4: /* a signed one becomes the next */
        becomes = was + 2;
        break;
    default:
        becomes = twist_ends[i - 5];
    }
    if (becomes == was)
        return false;
    uint8_t number[VARINT_MAX];
    struct writer w = {number, number + sizeof number};
    write_varint(&w, becomes);
    size_t size = (size_t)(w.at - number), old = (size_t)(r.at - (bytes + at));
    memmove(bytes + at + size, bytes + at + old, *len - at - old);
    memcpy(bytes + at, number, size);
    *len = *len - old + size;
    return true;
}

#endif
