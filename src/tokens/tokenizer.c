/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens/tokenizer.h"

#include "base/assert.h"
#include "base/errors.h"
#include "tokens/cuts.h"
#include "tokens/inside.h"

#include <stdlib.h>

int tokenizer_open(const struct encoding *encoding, struct tokenizer **ret_tokenizer)
{
    struct tokenizer *tokenizer = aligned_alloc(_Alignof(struct tokenizer), sizeof *tokenizer);
    if (!tokenizer)
        return METE_E_MEMORY;
    memset(tokenizer, 0, sizeof *tokenizer);
    tokenizer->encoding = encoding;
    tokenizer->window = split_machine_at(0)->window[encoding->rule];
    cache_init(&tokenizer->cache, (uint64_t)(uintptr_t)tokenizer); /* an address nobody knows */
    *ret_tokenizer = tokenizer;
    return 0;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    merge_done(&tokenizer->run);
    free(tokenizer);
}

const struct encoding *tokenizer_encoding(const struct tokenizer *tokenizer)
{
    return tokenizer->encoding;
}

int tokenizer_piece(struct tokenizer *tokenizer, struct slice piece, const uint32_t **ret_tokens,
                    size_t *ret_len)
{
    const struct vocabulary *v = &tokenizer->encoding->vocabulary;
    *ret_tokens = tokenizer->tokens;
    *ret_len = 1;
    tokenizer->tokens[0] = vocabulary_whole(v, piece);
    if (tokenizer->tokens[0] != VOCABULARY_NONE)
        return 0;
    if (piece.len <= MERGE_MAX) {
        *ret_len = merge_short(v, piece, tokenizer->tokens);
        return 0;
    }
    merge_clear(&tokenizer->run);
    int status = merge_more(v, &tokenizer->run, piece);
    *ret_tokens = tokenizer->run.tokens;
    *ret_len = tokenizer->run.len;
    return status;
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* Tokens of one piece, from the cache; 0: it is not there. bytes: CACHE_MARGIN can be read;
 * VOCABULARY_KEY < len <= CACHE_STRETCH. */
static unsigned find_long(struct cache *cache, const uint8_t *bytes, unsigned len)
{
    if (len <= CACHE_LONG) {
        struct cache_long key;
        cache_key(bytes, len, key.words, 4);
        return cache_long(cache, &key, cache_hash(cache, key.words, 4));
    }
    struct cache_stretch key;
    cache_key(bytes, len, key.words, 8);
    return cache_stretch(cache, &key, cache_hash(cache, key.words, 8));
}

/* The same from 1 byte on. */
static unsigned find_piece(struct cache *cache, const uint8_t *bytes, unsigned len)
{
    if (len > VOCABULARY_KEY)
        return find_long(cache, bytes, len);
    struct vocabulary_key key = vocabulary_key_at(bytes, len);
    return cache_piece(cache_place(cache, key), key);
}

static void keep_piece(struct cache *cache, const uint8_t *bytes, unsigned len, unsigned count)
{
    if (len <= VOCABULARY_KEY) {
        struct vocabulary_key key = vocabulary_key_at(bytes, len);
        struct vocabulary_key *place = cache_place(cache, key);
        if (cache_piece(place, key) == 0)
            cache_put_piece(place, key, count);
    } else if (len <= CACHE_LONG) {
        struct cache_long key;
        cache_key(bytes, len, key.words, 4);
        uint64_t hash = cache_hash(cache, key.words, 4);
        if (cache_long(cache, &key, hash) == 0)
            cache_put_long(cache, &key, hash, count);
    } else {
        struct cache_stretch key;
        cache_key(bytes, len, key.words, 8);
        uint64_t hash = cache_hash(cache, key.words, 8);
        if (cache_stretch(cache, &key, hash) == 0)
            cache_fill_stretch(cache_take_stretch(cache, hash), &key, count);
    }
}

static unsigned count_short(struct tokenizer *tokenizer, const uint8_t *bytes, unsigned len)
{
    const struct vocabulary *v = &tokenizer->encoding->vocabulary;
    const struct slice piece = {(const char *)bytes, len};
    unsigned count = find_piece(&tokenizer->cache, bytes, len);
    if (count)
        return count;
    count = vocabulary_whole(v, piece) != VOCABULARY_NONE
                ? 1
                : merge_short(v, piece, tokenizer->tokens);
    keep_piece(&tokenizer->cache, bytes, len, count);
    return count;
}

/* Of any length. */
static int count_any(struct tokenizer *tokenizer, struct slice piece, int64_t *ret_count)
{
    const uint32_t *tokens;
    size_t len;
    int status = tokenizer_piece(tokenizer, piece, &tokens, &len);
    *ret_count = (int64_t)len;
    return status;
}

int tokenizer_count_piece(struct tokenizer *tokenizer, struct slice piece, int64_t *ret_count)
{
    if (piece.len > CACHE_STRETCH || piece.len == 0)
        return count_any(tokenizer, piece, ret_count);
    uint8_t room[CACHE_MARGIN] = {0};
    memcpy(room, piece.data, piece.len);
    *ret_count = count_short(tokenizer, room, (unsigned)piece.len);
    return 0;
}

/* ---- Counting in batches -----------------------------------------------------------------------
 */

enum { MARGIN = SPLIT_WINDOW + CACHE_MARGIN }; /* bytes that are read at a time */
_Static_assert((int)TOKENIZER_BEGUN_LEFT == (int)MARGIN, "what is left is what cannot be read");

/* What is not in the cache waits for more of its kind: where memory has to be asked, it is asked
 * for all of them at once. */
enum { BATCH_PIECES = 64, BATCH_STRETCHES = 64, BATCH_ROOM = BATCH_PIECES + SPLIT_WINDOW };

struct waiting_piece {
    const uint8_t *bytes;
    unsigned len, stretch;
    uint64_t hash;
    const uint32_t *look;
    uint32_t token;
};

struct waiting_stretch {
    const uint8_t *bytes;
    unsigned len;
    unsigned count;
    struct cache_stretch *place; /* NULL: pieces that are no stretch */
};

struct batch {
    bool goes_on;  /* the text may: its last pieces are not counted */
    int64_t count; /* of what does not wait */
    unsigned pieces_len, stretches_len;
    struct waiting_piece pieces[BATCH_ROOM];
    struct waiting_stretch stretches[BATCH_STRETCHES];
    /* Of finish(): those of the pieces that are no token. */
    const struct waiting_piece *merged[BATCH_ROOM];
    struct slice texts[BATCH_ROOM];
    unsigned counts[BATCH_ROOM];
};

static void batch_begin(struct batch *batch, bool goes_on)
{
    batch->goes_on = goes_on;
    batch->count = 0;
    batch->pieces_len = batch->stretches_len = 0;
}

static void wait_for_piece(const struct vocabulary *v, struct batch *batch, const uint8_t *bytes,
                           unsigned len)
{
    uint64_t hash = len <= VOCABULARY_KEY
                        ? vocabulary_key_hash(v->seed, vocabulary_key_at(bytes, len))
                        : vocabulary_hash_of(v->seed, (struct slice){(const char *)bytes, len});
    batch->pieces[batch->pieces_len++] = (struct waiting_piece){.bytes = bytes,
                                                                .len = len,
                                                                .stretch = batch->stretches_len,
                                                                .hash = hash,
                                                                .look = vocabulary_look(v, hash)};
}

/* All pieces that begin below the last of window's starts. What is not known is seen to behind the
 * loop, which so has no branch that nobody could foresee. */
static void add_pieces(struct tokenizer *tokenizer, struct batch *batch, const uint8_t *bytes,
                       struct split_window window)
{
    const struct vocabulary *v = &tokenizer->encoding->vocabulary;
    uint64_t starts = cuts_with(v, bytes, window);
    struct cache *cache = &tokenizer->cache;
    struct {
        uint8_t from, len;
    } unknown[SPLIT_WINDOW];
    unsigned count = 0, from = 0, unknown_len = 0;
    for (starts &= starts - 1; starts; starts &= starts - 1) {
        unsigned to = (unsigned)__builtin_ctzll(starts), len = to - from, known;
        if (len <= VOCABULARY_KEY) {
            struct vocabulary_key key = vocabulary_key_at(bytes + from, len);
            known = cache_piece(cache_place(cache, key), key);
        } else {
            known = find_long(cache, bytes + from, len);
        }
        unknown[unknown_len].from = (uint8_t)from;
        unknown[unknown_len].len = (uint8_t)len;
        unknown_len += known == 0;
        count += known;
        from = to;
    }
    for (unsigned i = 0; i < unknown_len; i++)
        wait_for_piece(v, batch, bytes + unknown[i].from, unknown[i].len);
    batch->stretches[batch->stretches_len++] = (struct waiting_stretch){.count = count};
}

/* window: ends with the stretch, of len bytes. */
static void add_stretch(struct tokenizer *tokenizer, struct batch *batch, const uint8_t *bytes,
                        struct split_window window, unsigned len)
{
    struct cache_stretch key;
    cache_key(bytes, len, key.words, 8);
    uint64_t hash = cache_hash(&tokenizer->cache, key.words, 8);
    unsigned count = cache_stretch(&tokenizer->cache, &key, hash);
    batch->count += count;
    if (count)
        return;
    struct waiting_stretch *stretch = batch->stretches + batch->stretches_len;
    struct cache_stretch *place = cache_take_stretch(&tokenizer->cache, hash);
    add_pieces(tokenizer, batch, bytes, window);
    stretch->bytes = bytes;
    stretch->len = len;
    stretch->place = place;
}

static void settle(struct tokenizer *tokenizer, struct batch *batch,
                   const struct waiting_piece *piece, unsigned count)
{
    batch->stretches[piece->stretch].count += count;
    keep_piece(&tokenizer->cache, piece->bytes, piece->len, count);
}

static bool is_token(const struct vocabulary *v, const struct waiting_piece *piece)
{
    if (piece->len <= VOCABULARY_KEY)
        return vocabulary_is(v, piece->token, vocabulary_key_at(piece->bytes, piece->len));
    return piece->token != VOCABULARY_NONE &&
           slice_equal(vocabulary_bytes(v, piece->token),
                       (struct slice){(const char *)piece->bytes, piece->len});
}

/* Counts what waits. */
static void finish(struct tokenizer *tokenizer, struct batch *batch)
{
    const struct vocabulary *v = &tokenizer->encoding->vocabulary;
    unsigned merged_len = 0;
    for (unsigned i = 0; i < batch->pieces_len; i++) {
        struct waiting_piece *piece = batch->pieces + i;
        piece->token = vocabulary_candidate(v, piece->look, piece->hash);
    }
    for (unsigned i = 0; i < batch->pieces_len; i++) {
        const struct waiting_piece *piece = batch->pieces + i;
        if (is_token(v, piece)) {
            settle(tokenizer, batch, piece, 1);
        } else {
            batch->texts[merged_len] = (struct slice){(const char *)piece->bytes, piece->len};
            batch->merged[merged_len++] = piece;
        }
    }
    merge_several(v, batch->texts, merged_len, batch->counts);
    for (unsigned i = 0; i < merged_len; i++)
        settle(tokenizer, batch, batch->merged[i], batch->counts[i]);
    for (unsigned i = 0; i < batch->stretches_len; i++) {
        const struct waiting_stretch *stretch = batch->stretches + i;
        struct cache_stretch key;
        batch->count += stretch->count;
        if (!stretch->place)
            continue;
        cache_key(stretch->bytes, stretch->len, key.words, 8);
        cache_fill_stretch(stretch->place, &key, stretch->count);
    }
    batch->pieces_len = batch->stretches_len = 0;
}

/* Whether a piece of text that ends here stays what it is, whatever comes behind the text. */
static bool is_closed(enum split_rule rule, struct slice text, size_t end)
{
    for (int i = 0; i + 1 < SPLIT_OPEN && end < text.len; i++)
        end = split_next(rule, text, end);
    return end < text.len;
}

/* The piece, or pieces, that text begins with at `at`, of which bytes are a copy with CACHE_MARGIN
 * bytes behind it that can be read. Moves at, if there are any that are to be counted. */
static int add_some(struct tokenizer *tokenizer, struct batch *batch, struct slice text, size_t *at,
                    const uint8_t *bytes)
{
    int64_t count = 0;
    int status = 0;
    size_t left = text.len - *at, to;
    unsigned len = left < SPLIT_WINDOW ? (unsigned)left : SPLIT_WINDOW;
    struct split_window window = {.starts = 1};
    if (tokenizer->window && len != CACHE_STRETCH + 1) /* a piece of all of it has no key */
        window = tokenizer->window(bytes, len, len < SPLIT_WINDOW);
    if (window.starts == 1)
        window.starts |= UINT64_C(1) << cuts_last(&tokenizer->encoding->vocabulary, bytes, window);
    if (window.joints && len == SPLIT_WINDOW) {
        to = 63 - (unsigned)__builtin_clzll(window.joints);
        window.starts &= UINT64_MAX >> (63 - to);
        add_stretch(tokenizer, batch, bytes, window, (unsigned)to);
    } else if (window.starts != 1) {
        to = 63 - (unsigned)__builtin_clzll(window.starts);
        add_pieces(tokenizer, batch, bytes, window);
    } else {
        to = split_next(tokenizer->encoding->rule, text, *at) - *at;
        if (batch->goes_on && !is_closed(tokenizer->encoding->rule, text, *at + to))
            return 0;
        if (to > CACHE_STRETCH)
            status = count_any(tokenizer, slice_part(text, *at, to), &count);
        else
            add_pieces(tokenizer, batch, bytes,
                       (struct split_window){.starts = 1 | UINT64_C(1) << to});
        batch->count += count;
    }
    if (batch->pieces_len >= BATCH_PIECES || batch->stretches_len == BATCH_STRETCHES)
        finish(tokenizer, batch);
    *at += to;
    return status;
}

/* text: valid UTF-8. The last bytes are read from a copy, with zeros behind. */
static int count_valid(struct tokenizer *tokenizer, struct slice text, int64_t *ret_count)
{
    struct batch batch;
    int status = 0;
    size_t at = 0;
    batch_begin(&batch, false);
    while (status == 0 && text.len - at >= MARGIN)
        status = add_some(tokenizer, &batch, text, &at, (const uint8_t *)text.data + at);
    uint8_t room[2 * MARGIN] = {0};
    size_t from = at;
    if (at < text.len)
        memcpy(room, text.data + at, text.len - at);
    while (status == 0 && at < text.len)
        status = add_some(tokenizer, &batch, text, &at, room + (at - from));
    finish(tokenizer, &batch);
    *ret_count = batch.count;
    return status;
}

int tokenizer_count_begun(struct tokenizer *tokenizer, struct slice text, size_t *ret_len,
                          int64_t *ret_count)
{
    struct batch batch;
    int status = 0;
    size_t at = 0, before = SIZE_MAX;
    batch_begin(&batch, true);
    while (status == 0 && at != before && text.len - at >= TOKENIZER_BEGUN_LEFT) {
        before = at;
        status = add_some(tokenizer, &batch, text, &at, (const uint8_t *)text.data + at);
    }
    finish(tokenizer, &batch);
    *ret_len = at;
    *ret_count = batch.count;
    return status;
}

/* Of any bytes: wrong ones become characters a few at a time, as if they streamed in. */
static int count_text(struct tokenizer *tokenizer, struct slice text, int64_t *ret_count)
{
    if (split_window_valid(text) == text.len)
        return count_valid(tokenizer, text, ret_count);
    struct counter counter = {0};
    int status = counter_feed(&counter, tokenizer, text);
    *ret_count = counter_total(&counter);
    counter_done(&counter);
    return status;
}

int tokenizer_count(struct tokenizer *tokenizer, struct slice text, int64_t *ret_count)
{
    if (text.len == 0 || text.len > CACHE_STRETCH)
        return count_text(tokenizer, text, ret_count);
    struct cache_stretch key;
    uint8_t room[CACHE_MARGIN] = {0};
    memcpy(room, text.data, text.len);
    cache_key_text(room, (unsigned)text.len, &key);
    uint64_t hash = cache_hash(&tokenizer->cache, key.words, 8);
    *ret_count = cache_stretch(&tokenizer->cache, &key, hash);
    if (*ret_count)
        return 0;
    struct cache_stretch *place = cache_take_stretch(&tokenizer->cache, hash);
    int status = count_text(tokenizer, text, ret_count);
    if (status == 0)
        cache_fill_stretch(place, &key, (unsigned)*ret_count);
    return status;
}

/* ---- What is open --------------------------------------------------------------------------- */

/* Of a text's pieces, and parts of them where they can be cut, by their number. Each is a stretch
 * of the batch. */
struct open_parts {
    unsigned len;
    uint8_t from[SPLIT_WINDOW];
    struct batch batch;
};

static void put_part(struct open_parts *parts, unsigned from, unsigned count)
{
    parts->from[parts->len] = (uint8_t)from;
    parts->batch.stretches[parts->len++] = (struct waiting_stretch){.count = count};
}

/* The parts that are what they were before. Returns where they end. */
static unsigned keep_parts(struct open_parts *parts, const struct tokenizer_open *open,
                           uint64_t starts)
{
    unsigned first = open->lens[0], cut = first + open->cut;
    uint64_t before = 1 | UINT64_C(1) << first;
    if ((starts & ((UINT64_C(2) << first) - 1)) != before)
        return 0;
    if (first)
        put_part(parts, 0, open->counts[0]);
    if (cut == first || (starts & ((UINT64_C(1) << cut) - 1)) != before)
        return first;
    put_part(parts, first, open->cut_count);
    return cut;
}

/* Those that begin below the last of starts, from `from` on. The last one, which may be half a
 * word, is seldom known, and there is nothing else to do while memory answers: it is looked for
 * among the tokens at the same time. */
static void look_parts(struct tokenizer *tokenizer, const uint8_t *text, unsigned from,
                       uint64_t starts, struct open_parts *parts)
{
    const struct vocabulary *v = &tokenizer->encoding->vocabulary;
    struct batch *batch = &parts->batch;
    for (starts &= UINT64_MAX << from << 1; starts; starts &= starts - 1) {
        unsigned to = (unsigned)__builtin_ctzll(starts), len = to - from;
        bool is_last = !(starts & (starts - 1));
        batch->stretches_len = parts->len;
        if (is_last)
            wait_for_piece(v, batch, text + from, len);
        unsigned known = find_piece(&tokenizer->cache, text + from, len);
        if (is_last)
            batch->pieces_len -= known != 0;
        else if (!known)
            wait_for_piece(v, batch, text + from, len);
        put_part(parts, from, known);
        from = to;
    }
    batch->stretches_len = parts->len;
}

/* The last two pieces begin with the parts from these places on. */
static struct tokenizer_open sum_parts(const struct open_parts *parts, unsigned first,
                                       unsigned second, unsigned end)
{
    struct tokenizer_open open = {.lens = {second - first, end - second}};
    for (unsigned i = 0; i < parts->len; i++) {
        unsigned from = parts->from[i], count = parts->batch.stretches[i].count;
        open.closed += from < first ? count : 0;
        open.counts[0] += from >= first && from < second ? count : 0;
        open.counts[1] += from >= second ? count : 0;
    }
    unsigned last = parts->len - 1;
    open.cut = parts->from[last] - second;
    open.cut_count = open.counts[1] - parts->batch.stretches[last].count;
    return open;
}

bool tokenizer_count_open(struct tokenizer *tokenizer, const uint8_t *text, unsigned len,
                          struct tokenizer_open *open)
{
    if (!tokenizer->window)
        return false;
    struct split_window window = tokenizer->window(text, len, true);
    if (!(window.starts >> len & 1))
        return false;
    struct open_parts parts;
    parts.len = 0;
    batch_begin(&parts.batch, false);
    unsigned from = keep_parts(&parts, open, window.starts);
    uint64_t starts = cuts_with(&tokenizer->encoding->vocabulary, text, window);
    look_parts(tokenizer, text, from, starts, &parts);
    if (parts.batch.pieces_len)
        finish(tokenizer, &parts.batch);
    uint64_t begin = window.starts ^ UINT64_C(1) << len;
    unsigned second = 63 - (unsigned)__builtin_clzll(begin);
    begin ^= UINT64_C(1) << second;
    unsigned first = begin ? 63 - (unsigned)__builtin_clzll(begin) : 0;
    *open = sum_parts(&parts, first, second, len);
    return true;
}
