/* SPDX-License-Identifier: Apache-2.0 */
#include "property/check_tokens.h"

#include "base/assert.h"

#include <stdio.h>

#define HOLDS_FOR(cond, text)                                                                      \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s: ", __FILE__, __LINE__, #cond);              \
            print(text);                                                                           \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static void print(struct slice text)
{
    fprintf(stderr, "%zu bytes ", text.len);
    for (size_t i = 0; i < text.len && i < 400; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (c < ' ' || c > '~' || c == '\\')
            fprintf(stderr, "\\x%02x", (unsigned)c);
        else
            fputc(c, stderr);
    }
    fputc('\n', stderr);
}

int check_streamed(struct tokenizer *tokenizer, struct slice text, struct tape *cuts, size_t every)
{
    struct counter counter = {0};
    int failed = 0;
    size_t steps = 0;
    for (size_t at = 0, len; at < text.len && !failed; at += len) {
        uint64_t most = tape_chance(cuts, 5) ? 3000 : tape_chance(cuts, 20) ? 300 : 8;
        len = 1 + (size_t)tape_u64(cuts, most);
        len = len < text.len - at ? len : text.len - at;
        int status = counter_feed(&counter, tokenizer, slice_part(text, at, len));
        ASSERT(status == 0);
        if (++steps % every && at + len < text.len)
            continue;
        int64_t whole;
        status = tokenizer_count(tokenizer, slice_part(text, 0, at + len), &whole);
        ASSERT(status == 0);
        if (counter_total(&counter) != whole) {
            fprintf(stderr, "%s: %lld in pieces, %lld whole: ", tokenizer_encoding(tokenizer)->name,
                    (long long)counter_total(&counter), (long long)whole);
            print(slice_part(text, 0, at + len));
            failed = 1;
        }
    }
    counter_done(&counter);
    return failed;
}

int check_open(enum split_rule rule, struct slice text)
{
    for (size_t first = 1; first < text.len; first++) {
        struct slice part = slice_part(text, 0, first);
        if (split_valid(part) != first)
            continue;
        size_t ends[SPLIT_OPEN + 1] = {0}; /* the last ones of the part */
        for (size_t at = 0, whole = 0; at < first;) {
            at = split_next(rule, part, at);
            memmove(ends, ends + 1, SPLIT_OPEN * sizeof *ends);
            ends[SPLIT_OPEN] = at;
            if (ends[0] > 0) {
                whole = split_next(rule, text, whole);
                HOLDS_FOR(whole == ends[0], text);
            }
        }
    }
    return 0;
}

/* https://encoding.spec.whatwg.org/#utf-8-decoder, step by step. */
static void decode(struct slice bytes, struct buffer *out)
{
    unsigned needed = 0, seen = 0, lower = 0x80, upper = 0xBF;
    int status = 0;
    for (size_t at = 0; at <= bytes.len; at++) {
        bool end = at == bytes.len;
        unsigned byte = end ? 0 : (uint8_t)bytes.data[at];
        if (needed && (end || byte < lower || byte > upper)) {
            out->len -= seen; /* of the character, so far */
            status |= buffer_text(out, "\xEF\xBF\xBD");
            needed = seen = 0;
        }
        if (end)
            break;
        if (needed) {
            status |= buffer_append(out, (struct slice){bytes.data + at, 1});
            lower = 0x80;
            upper = 0xBF;
            seen = --needed ? seen + 1 : 0;
            continue;
        }
        lower = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
        upper = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
        needed = byte < 0xC2 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : byte < 0xF5 ? 3 : 0;
        seen = needed ? 1 : 0;
        if (needed || byte < 0x80)
            status |= buffer_append(out, (struct slice){bytes.data + at, 1});
        else
            status |= buffer_text(out, "\xEF\xBF\xBD");
    }
    ASSERT(status == 0);
}

/* The textbook: as long as two neighbours' bytes are a token, the two whose token ranks lowest. */
static int check_piece(const struct vocabulary *v, struct slice piece, const uint32_t *ids)
{
    size_t starts[512], len = piece.len;
    if (piece.len >= 512)
        return 0;
    for (size_t i = 0; i <= len; i++)
        starts[i] = i;
    if (vocabulary_whole(v, piece) != VOCABULARY_NONE)
        starts[len = 1] = piece.len;
    for (;;) {
        uint32_t least = VOCABULARY_NONE;
        size_t place = 0;
        for (size_t i = 0; i + 2 <= len; i++) {
            uint32_t rank =
                vocabulary_whole(v, slice_part(piece, starts[i], starts[i + 2] - starts[i]));
            if (rank < least) {
                least = rank;
                place = i;
            }
        }
        if (least == VOCABULARY_NONE)
            break;
        memmove(starts + place + 1, starts + place + 2, (len - place - 1) * sizeof *starts);
        len--;
    }
    for (size_t i = 0; i < len; i++)
        HOLDS_FOR(vocabulary_whole(v, slice_part(piece, starts[i], starts[i + 1] - starts[i])) ==
                      ids[i],
                  piece);
    return 0;
}

static int check_ids(const struct encoding *encoding, struct slice text, struct slice ids)
{
    const struct vocabulary *v = &encoding->vocabulary;
    size_t id = 0;
    for (size_t at = 0, end; at < text.len; at = end) {
        uint32_t tokens[512];
        size_t first = id, bytes = at;
        for (end = split_next(encoding->rule, text, at); bytes < end; id++) {
            uint32_t token;
            HOLDS_FOR((id + 1) * sizeof token <= ids.len, text);
            memcpy(&token, ids.data + id * sizeof token, sizeof token);
            HOLDS_FOR(token < v->tokens_len, text);
            struct slice part = vocabulary_bytes(v, token);
            HOLDS_FOR(slice_starts(slice_from(text, bytes), part), text);
            bytes += part.len;
            if (id - first < 512)
                tokens[id - first] = token;
        }
        HOLDS_FOR(bytes == end, text);
        if (check_piece(v, slice_part(text, at, end - at), tokens))
            return 1;
    }
    HOLDS_FOR(id * sizeof(uint32_t) == ids.len, text);
    return 0;
}

int check_encoded(struct tokenizer *tokenizer, struct slice text)
{
    struct buffer decoded, ids;
    int64_t count;
    buffer_init(&decoded, 3 * text.len + 8);
    buffer_init(&ids, 12 * text.len + 8);
    decode(text, &decoded);
    int status = tokenizer_encode(tokenizer, text, false, &ids);
    ASSERT(status == 0);
    status = tokenizer_count(tokenizer, text, &count);
    ASSERT(status == 0);
    int failed =
        check_ids(tokenizer_encoding(tokenizer), buffer_slice(&decoded), buffer_slice(&ids));
    if (!failed && (size_t)count * sizeof(uint32_t) != ids.len) {
        fprintf(stderr, "%lld counted, %zu bytes of ids: ", (long long)count, ids.len);
        print(text);
        failed = 1;
    }
    buffer_done(&decoded);
    buffer_done(&ids);
    return failed;
}
