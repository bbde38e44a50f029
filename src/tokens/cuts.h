/* SPDX-License-Identifier: Apache-2.0
 * Where a window's pieces can be cut in parts whose tokens do not depend on each other (Bonds,
 * vocabulary.h): of long words of Chinese and Japanese no part is then longer than it must be. */
#ifndef TOKENS_CUTS_H
#define TOKENS_CUTS_H

#include "tokens/split_window.h"
#include "tokens/vocabulary.h"

/* The starts of window, and those where its pieces can be cut: between two characters, one of them
 * wide and the other wide or narrow, that have no bond. */
static inline uint64_t cuts_with(const struct vocabulary *v, const uint8_t *bytes,
                                 struct split_window window)
{
    uint64_t wide = window.wide, starts = window.starts;
    uint64_t places = ((wide | window.narrow) & wide << 3) | (wide & window.narrow << 1);
    if (!v->bonds)
        return starts;
    for (places &= UINT64_MAX >> __builtin_clzll(starts) & ~starts; places; places &= places - 1) {
        unsigned at = (unsigned)__builtin_ctzll(places);
        unsigned before = 1 + (unsigned)(wide << 3 >> at & 1) * 2;
        unsigned behind = 1 + (unsigned)(wide >> at & 1) * 2;
        starts |= (uint64_t)!vocabulary_bonded(v, bytes + at - before, before + behind) << at;
    }
    return starts;
}

/* The last place where a piece that is longer than its window can be cut, so that another window
 * can begin there; 0: there is none. */
static inline unsigned cuts_last(const struct vocabulary *v, const uint8_t *bytes,
                                 struct split_window window)
{
    while (v->bonds && window.inside) {
        unsigned at = 63 - (unsigned)__builtin_clzll(window.inside);
        if (!vocabulary_bonded(v, bytes + at - 3, 6))
            return at;
        window.inside ^= UINT64_C(1) << at;
    }
    return 0;
}

#endif
