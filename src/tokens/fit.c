/* SPDX-License-Identifier: Apache-2.0
 * The tail that may still change and what follows it are tokenized as one text, token by token, as
 * far as the limit reaches. A text that ends there may have other tokens than the beginning of one
 * that goes on (its last piece has no follower now), so the place is counted once more, and an
 * earlier one taken if it comes to more. */
#include "tokens/fit.h"

#include "base/assert.h"

#include <stdlib.h>

enum { TRIES = 16 };

struct fit {
    struct tokenizer *tokenizer;
    const struct encoding *encoding;
    struct slice text; /* the tail, and what follows */
    size_t from;       /* where what follows begins */
    int64_t budget;    /* tokens for text */
    uint32_t whole;    /* a piece that is a token */
    struct merge_run run;
};

static bool between_characters(struct slice text, size_t at)
{
    return at == text.len || ((unsigned char)text.data[at] & 0xc0) != 0x80;
}

/* Tokens of one piece: where they stand, and how many. */
static int piece_tokens(struct fit *fit, struct slice piece, const uint32_t **ret_tokens,
                        size_t *ret_len)
{
    const struct vocabulary *v = &fit->encoding->vocabulary;
    fit->whole = vocabulary_whole(v, piece);
    *ret_tokens = &fit->whole;
    *ret_len = 1;
    if (fit->whole != VOCABULARY_NONE)
        return 0;
    merge_clear(&fit->run);
    int rc = merge_more(v, &fit->run, piece);
    *ret_tokens = fit->run.tokens;
    *ret_len = fit->run.len;
    return rc;
}

/* The last end of a token below `below` and within the budget; 0: there is none. */
static size_t last_end(struct fit *fit, size_t below)
{
    size_t best = 0, at = 0;
    int64_t used = 0;
    while (at < fit->text.len && at < below) {
        const uint32_t *tokens;
        size_t len, end = split_next(fit->encoding->rule, fit->text, at);
        if (piece_tokens(fit, slice_part(fit->text, at, end - at), &tokens, &len))
            return 0;
        for (size_t i = 0; i < len && used < fit->budget; i++, used++) {
            at += vocabulary_len(&fit->encoding->vocabulary, tokens[i]);
            if (at >= below)
                return best;
            if (at >= fit->from && between_characters(fit->text, at))
                best = at;
        }
        if (used == fit->budget)
            return best;
    }
    return best;
}

static size_t find_end(struct fit *fit)
{
    size_t end = fit->text.len + 1;
    for (int i = 0; i < TRIES; i++) {
        int64_t count;
        end = last_end(fit, end);
        if (end <= fit->from)
            return fit->from;
        if (tokenizer_count(fit->tokenizer, slice_part(fit->text, 0, end), &count))
            return fit->from;
        if (count <= fit->budget)
            return end;
    }
    return fit->from;
}

size_t counter_fit(const struct counter *counter, struct tokenizer *tokenizer, struct slice more,
                   int64_t limit)
{
    struct fit fit = {.tokenizer = tokenizer,
                      .encoding = tokenizer_encoding(tokenizer),
                      .from = (size_t)counter->lens[0] + counter->lens[1],
                      .budget = limit - counter->closed};
    ASSERT(counter_can_fit(counter));
    if (fit.budget <= 0 || !more.len)
        return 0;
    char *room = malloc(fit.from + more.len);
    if (!room)
        return 0;
    memcpy(room, counter->tail, fit.from);
    memcpy(room + fit.from, more.data, more.len);
    fit.text = (struct slice){room, fit.from + more.len};
    ASSERT(split_valid(fit.text) == fit.text.len);
    size_t end = find_end(&fit);
    merge_done(&fit.run);
    free(room);
    return end - fit.from;
}
