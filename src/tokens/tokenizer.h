/* SPDX-License-Identifier: Apache-2.0
 * Text -> tokens: counted whole, given as ids, or counted as it streams in. Identical to tiktoken
 * on every input; bytes that are not UTF-8 count as U+FFFD, one for each longest wrong part, as
 * WHATWG decodes them.
 *
 * A tokenizer is one thread's: an encoding, room to work in, and a bounded cache of what pieces
 * came to. The cache compares whole pieces, never hashes alone, so nobody's text changes the count
 * of another's.
 *
 * MEMORY 3.1 MB each, most of it the cache (cache.h), whatever it is fed. */
#ifndef TOKENS_TOKENIZER_H
#define TOKENS_TOKENIZER_H

#include "base/buffer.h"
#include "tokens/encoding.h"
#include "tokens/merge.h"
#include "tokens/repair.h"

struct tokenizer;

/* METE_E_MEMORY. encoding outlives it. */
__attribute__((warn_unused_result)) int tokenizer_open(const struct encoding *encoding,
                                                       struct tokenizer **ret_tokenizer);
void tokenizer_close(struct tokenizer *tokenizer); /* NULL: nothing */
const struct encoding *tokenizer_encoding(const struct tokenizer *tokenizer);

/* *ret_count: tokens of text, special ones being text like any other. METE_E_MEMORY: only where a
 * single piece is longer than MERGE_MAX bytes. */
__attribute__((warn_unused_result)) int tokenizer_count(struct tokenizer *tokenizer,
                                                        struct slice text, int64_t *ret_count);

/* The same for one piece of a text in valid UTF-8, as split_next() cuts it. */
__attribute__((warn_unused_result)) int
tokenizer_count_piece(struct tokenizer *tokenizer, struct slice piece, int64_t *ret_count);

/* What counter.c keeps of a text's end: its last two pieces, a single one being the second. */
struct tokenizer_open {
    unsigned lens[2], counts[2]; /* bytes, tokens */
    unsigned cut, cut_count;     /* bytes of the last one, whose tokens nothing behind them joins */
    unsigned closed;             /* tokens of all pieces before them */
};

/* Cuts text, of at most TOKENIZER_OPEN_MAX bytes with TOKENIZER_OPEN_ROOM in all that can be read,
 * zeros behind the text, into its pieces. open: those that it began with before, and gets those
 * that it ends with now. False: this cannot be done at once, and nothing was. */
enum { TOKENIZER_OPEN_MAX = 62, TOKENIZER_OPEN_ROOM = 128 };
bool tokenizer_count_open(struct tokenizer *tokenizer, const uint8_t *text, unsigned len,
                          struct tokenizer_open *open);

/* Counts the pieces that text, valid UTF-8 that may go on, begins with, as far as they stay what
 * they are and some TOKENIZER_BEGUN_LEFT bytes stand behind; *ret_len: bytes of them. */
enum { TOKENIZER_BEGUN_LEFT = 128 };
__attribute__((warn_unused_result)) int tokenizer_count_begun(struct tokenizer *tokenizer,
                                                              struct slice text, size_t *ret_len,
                                                              int64_t *ret_count);

/* Appends ids, uint32_t each, to out. specials: special tokens in the text are themselves.
 * METE_E_MEMORY, METE_E_TOO_LARGE: out is as it was. */
__attribute__((warn_unused_result)) int
tokenizer_encode(struct tokenizer *tokenizer, struct slice text, bool specials, struct buffer *out);

/* ---- As it streams in ------------------------------------------------------------------------ */

enum {
    COUNTER_TAIL = 176 /* bytes that may still change and lie in the counter itself */
};

/* Counts one text that comes in any pieces, cut anywhere, inside of characters too. After each
 * piece it knows the count of the text so far, as if that were all. Zeroed: an empty text.
 * MEMORY  itself, and 4 bytes a token (8, of white space) of a piece (a word, a run of spaces) that
 *   is longer than half of COUNTER_TAIL and still open. COST  amortised linear. */
struct counter {
    int64_t closed;             /* tokens of what cannot change any more */
    int64_t open;               /* of what may */
    int64_t counts[2];          /* of the last two pieces, the open ones */
    struct counter_long *grown; /* of open ones that are long; NULL: none is */
    uint8_t lens[2];            /* bytes of theirs in tail */
    uint8_t cut, cut_count;     /* of the last one; see tokenizer_open */
    struct repair_begun begun;  /* a character that is not all there */
    bool broken;                /* memory has run out */
    uint8_t tail[COUNTER_TAIL]; /* zeros behind */
};

/* tokenizer: any of one encoding, the same one for a text's life. METE_E_MEMORY: what was counted
 * stands, and nothing more is. */
__attribute__((warn_unused_result)) int
counter_feed(struct counter *counter, struct tokenizer *tokenizer, struct slice bytes);
static inline int64_t counter_total(const struct counter *counter)
{
    return counter->closed + counter->open;
}
void counter_done(struct counter *counter); /* zeroes it */

#endif
