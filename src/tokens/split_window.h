/* SPDX-License-Identifier: Apache-2.0
 * Text -> pieces, 64 bytes at a time: the same pieces as split_next() finds (split.h), by logic on
 * masks, a bit a byte. ASCII, Cyrillic, Chinese and Korean characters and their punctuation are
 * known all at once, of other scripts one character after the other. Where there is what the masks
 * have no room for (white space and numbers beyond ASCII), a window ends before.
 *
 * Since a piece depends on nothing before it, a window that begins with a piece needs no state.
 *
 * THREADS any. MEMORY none. COST 20 to 40 cycles a window, and 10 a character of other scripts. */
#ifndef TOKENS_SPLIT_WINDOW_H
#define TOKENS_SPLIT_WINDOW_H

#include "tokens/split.h"

enum {
    SPLIT_WINDOW = 64,     /* bytes that are read at a time */
    SPLIT_STRETCH_MAX = 62 /* no piece that a window tells of begins further on */
};

struct split_window {
    uint64_t starts; /* a bit for each piece that begins; bit 0 always. The last of them is where
                        the next window begins: only pieces before it are whole */
    uint64_t joints; /* those of them that follow a character which is no white space, without bit
                        0: the bytes from 0 to there fall into the same pieces in any text in which
                        pieces begin at both */
    uint64_t narrow; /* bytes of ASCII but the space */
    uint64_t wide;   /* first bytes of Chinese, Japanese and Korean characters and signs, all of
                        three bytes; of use before the last of the starts */
    uint64_t inside; /* if no piece ends in the window, of letters among them, behind another: what
                        begins there falls into the rest of that piece and those behind it */
};

/* bytes: SPLIT_WINDOW of them, on the beginning of a piece in valid UTF-8; from len on zeros.
 * ended: the text ends with them, and len < SPLIT_WINDOW; then bit len is the last of the starts,
 * unless something on the way is not known. Else len = SPLIT_WINDOW. */
typedef struct split_window split_window_fn(const uint8_t *bytes, unsigned len, bool ended);

/* How many of SPLIT_WINDOW bytes, on the beginning of a character, are whole and valid characters:
 * at least 61, or 0: there may be a wrong one. */
typedef unsigned split_valid_fn(const uint8_t *bytes);

/* For one kind of machine. */
struct split_machine {
    const char *name;
    split_valid_fn *valid;                /* NULL: there is only split_valid() */
    split_window_fn *window[SPLIT_RULES]; /* NULL: there is only split_next() */
};

/* Those that this machine can run, the best one first, the portable one last; NULL: past it. */
const struct split_machine *split_machine_at(size_t i);

/* The same as split_valid(). */
size_t split_window_valid(struct slice text);

#endif
