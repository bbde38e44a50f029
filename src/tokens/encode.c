/* SPDX-License-Identifier: Apache-2.0
 * Text -> ids. As in counting, a text is cut by windows, and pieces wait for more of their kind, so
 * that memory is asked for all of them at once: which token each may be, whether it is that, and
 * for those that are none, merge by merge. Then their ids are put down in order.
 *
 * Not done: a cache of ids. Where counting finds a piece's number in it, ids would have to be
 * looked up all the same, and a piece that is a token is one look-up. */
#include "base/assert.h"
#include "tokens/cuts.h"
#include "tokens/inside.h"
#include "tokens/repair.h"

enum {
    PIECES = 64,
    PIECES_ROOM = PIECES + SPLIT_WINDOW,
    TOKENS = 2048, /* of pieces that are merged: no more than their bytes */
    TOKENS_ROOM = TOKENS + SPLIT_WINDOW,
    MARGIN = SPLIT_WINDOW + CACHE_MARGIN /* bytes that are read at a time */
};

struct waiting {
    const uint8_t *bytes;
    unsigned len, count; /* bytes; tokens, once it is merged */
    uint64_t hash;
    const uint32_t *look;
    uint32_t token; /* VOCABULARY_NONE: it has several */
};

struct batch {
    unsigned len;
    size_t bytes;
    struct waiting pieces[PIECES_ROOM];
    /* Of those that are no token. */
    struct slice texts[PIECES_ROOM];
    uint32_t *made[PIECES_ROOM];
    unsigned counts[PIECES_ROOM];
    uint32_t tokens[TOKENS_ROOM];
};

static uint32_t id_of(const struct vocabulary *v, uint32_t token)
{
    return v->ids ? v->ids[token] : token;
}

static int append_tokens(const struct vocabulary *v, const uint32_t *tokens, size_t len,
                         struct buffer *out)
{
    char *at;
    int status = buffer_reserve(out, len * sizeof *tokens, &at);
    if (status)
        return status;
    for (size_t i = 0; i < len; i++) {
        uint32_t id = id_of(v, tokens[i]);
        memcpy(at + i * sizeof id, &id, sizeof id);
    }
    buffer_advance(out, len * sizeof *tokens);
    return 0;
}

/* len <= MERGE_FEW; CACHE_MARGIN bytes can be read. */
static void add_piece(const struct vocabulary *v, struct batch *batch, const uint8_t *bytes,
                      unsigned len)
{
    uint64_t hash = len <= VOCABULARY_KEY
                        ? vocabulary_key_hash(v->seed, vocabulary_key_at(bytes, len))
                        : vocabulary_hash_of(v->seed, (struct slice){(const char *)bytes, len});
    ASSERT(batch->len < PIECES_ROOM && len <= MERGE_FEW);
    batch->pieces[batch->len++] = (struct waiting){
        .bytes = bytes, .len = len, .hash = hash, .look = vocabulary_look(v, hash)};
    batch->bytes += len;
}

static bool is_token(const struct vocabulary *v, const struct waiting *piece)
{
    if (piece->len <= VOCABULARY_KEY)
        return vocabulary_is(v, piece->token, vocabulary_key_at(piece->bytes, piece->len));
    return piece->token != VOCABULARY_NONE &&
           slice_equal(vocabulary_bytes(v, piece->token),
                       (struct slice){(const char *)piece->bytes, piece->len});
}

/* Merges the pieces that are no token. Returns how many tokens all have. */
static size_t find_tokens(const struct vocabulary *v, struct batch *batch)
{
    unsigned merged = 0;
    size_t used = 0, sum = batch->len;
    for (unsigned i = 0; i < batch->len; i++) {
        struct waiting *piece = batch->pieces + i;
        piece->token = vocabulary_candidate(v, piece->look, piece->hash);
    }
    for (unsigned i = 0; i < batch->len; i++) {
        struct waiting *piece = batch->pieces + i;
        if (is_token(v, piece))
            continue;
        piece->token = VOCABULARY_NONE;
        batch->texts[merged] = (struct slice){(const char *)piece->bytes, piece->len};
        batch->made[merged++] = batch->tokens + used;
        used += piece->len;
    }
    ASSERT(used <= TOKENS_ROOM);
    merge_several_tokens(v, batch->texts, merged, batch->made, batch->counts);
    for (unsigned i = 0; i < merged; i++)
        sum += batch->counts[i] - 1;
    return sum;
}

/* Puts down what waits. */
static int finish(const struct vocabulary *v, struct batch *batch, struct buffer *out)
{
    char *at;
    size_t sum = find_tokens(v, batch);
    int status = buffer_reserve(out, sum * sizeof(uint32_t), &at);
    if (status)
        return status;
    for (unsigned i = 0, merged = 0; i < batch->len; i++) {
        uint32_t token = batch->pieces[i].token;
        const uint32_t *tokens = &token;
        unsigned len = 1;
        if (token == VOCABULARY_NONE) {
            tokens = batch->made[merged];
            len = batch->counts[merged++];
        }
        for (unsigned k = 0; k < len; k++, at += sizeof(uint32_t)) {
            uint32_t id = id_of(v, tokens[k]);
            memcpy(at, &id, sizeof id);
        }
    }
    buffer_advance(out, sum * sizeof(uint32_t));
    batch->len = 0;
    batch->bytes = 0;
    return 0;
}

/* A piece that no window tells of. */
static int add_long(struct tokenizer *tokenizer, struct batch *batch, struct slice piece,
                    struct buffer *out)
{
    const struct vocabulary *v = &tokenizer->encoding->vocabulary;
    const uint32_t *tokens;
    size_t len;
    int status = finish(v, batch, out);
    if (status == 0)
        status = tokenizer_piece(tokenizer, piece, &tokens, &len);
    return status ? status : append_tokens(v, tokens, len, out);
}

/* The piece, or pieces, that text begins with at `at`, of which bytes are a copy with CACHE_MARGIN
 * bytes behind it that can be read. Moves at. */
static int add_some(struct tokenizer *tokenizer, struct batch *batch, struct slice text, size_t *at,
                    const uint8_t *bytes, struct buffer *out)
{
    const struct vocabulary *v = &tokenizer->encoding->vocabulary;
    size_t left = text.len - *at, to;
    unsigned len = left < SPLIT_WINDOW ? (unsigned)left : SPLIT_WINDOW, from = 0;
    struct split_window window = {.starts = 1};
    if (tokenizer->window && len != MERGE_FEW + 1) /* a piece of all of it would be too long */
        window = tokenizer->window(bytes, len, len < SPLIT_WINDOW);
    if (window.starts == 1)
        window.starts |= UINT64_C(1) << cuts_last(v, bytes, window);
    if (window.starts == 1) {
        to = split_next(tokenizer->encoding->rule, text, *at) - *at;
        *at += to;
        if (to > MERGE_FEW)
            return add_long(tokenizer, batch, slice_part(text, *at - to, to), out);
        add_piece(v, batch, bytes, (unsigned)to);
    } else {
        *at += 63 - (unsigned)__builtin_clzll(window.starts);
        uint64_t starts = cuts_with(v, bytes, window);
        for (starts &= starts - 1; starts; starts &= starts - 1) {
            unsigned end = (unsigned)__builtin_ctzll(starts);
            add_piece(v, batch, bytes + from, end - from);
            from = end;
        }
    }
    return batch->len >= PIECES || batch->bytes >= TOKENS ? finish(v, batch, out) : 0;
}

/* text: valid UTF-8, special tokens being text. The last bytes are read from a copy, with zeros
 * behind. */
static int encode_ordinary(struct tokenizer *tokenizer, struct slice text, struct buffer *out)
{
    struct batch batch;
    int status = 0;
    size_t at = 0;
    batch.len = 0;
    batch.bytes = 0;
    while (status == 0 && text.len - at >= MARGIN)
        status = add_some(tokenizer, &batch, text, &at, (const uint8_t *)text.data + at, out);
    uint8_t room[2 * MARGIN] = {0};
    size_t from = at;
    if (at < text.len)
        memcpy(room, text.data + at, text.len - at);
    while (status == 0 && at < text.len)
        status = add_some(tokenizer, &batch, text, &at, room + (at - from), out);
    return status ? status : finish(&tokenizer->encoding->vocabulary, &batch, out);
}

static int encode_valid(struct tokenizer *tokenizer, struct slice text, bool specials,
                        struct buffer *out)
{
    int status = 0;
    size_t from = 0;
    for (size_t at = 0; status == 0 && specials && at < text.len; at++) {
        uint32_t id;
        if (!encoding_special_begins(tokenizer->encoding, (uint8_t)text.data[at]))
            continue;
        size_t len = encoding_special(tokenizer->encoding, slice_from(text, at), &id);
        if (len == 0)
            continue;
        status = encode_ordinary(tokenizer, slice_part(text, from, at - from), out);
        if (status == 0)
            status = buffer_append(out, (struct slice){(const char *)&id, sizeof id});
        from = at + len;
        at = from - 1;
    }
    return status ? status : encode_ordinary(tokenizer, slice_from(text, from), out);
}

/* *ret: text with U+FFFD for what is wrong. */
static int repair(struct slice text, struct buffer *ret)
{
    size_t room_len = REPAIR_MOST * text.len + REPAIR_LEAST, len;
    struct repair_begun begun = {0};
    char *room;
    buffer_init(ret, room_len);
    int status = buffer_reserve(ret, room_len, &room);
    if (status)
        return status;
    len = repair_some(&begun, &text, room, room_len);
    ASSERT(text.len == 0);
    memcpy(room + len, REPAIR_CHARACTER, begun.len ? 3 : 0);
    buffer_advance(ret, len + (begun.len ? 3 : 0));
    return 0;
}

int tokenizer_encode(struct tokenizer *tokenizer, struct slice text, bool specials,
                     struct buffer *out)
{
    size_t before = out->len;
    struct buffer repaired = {0};
    int status = 0;
    if (split_window_valid(text) != text.len) {
        status = repair(text, &repaired);
        text = buffer_slice(&repaired);
    }
    if (status == 0)
        status = encode_valid(tokenizer, text, specials, out);
    if (status)
        out->len = before;
    buffer_done(&repaired);
    return status;
}
