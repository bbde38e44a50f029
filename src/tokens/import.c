/* SPDX-License-Identifier: Apache-2.0
 * A tokenizer.json tells tokens in its own alphabet, a character a byte, with their ids, and merges
 * in the order of their ranks. A token's rank here is where a merge first makes it; bytes come
 * before all. vocabulary_build() then finds for each token the merge that makes it of its bytes,
 * and that one has to be in the file: so the file means what is counted here. A token that no merge
 * makes is only one where the file says that whole pieces are looked up first (ignore_merges). */
#include "tokens/import.h"

#include "base/errors.h"
#include "codec/json_scan.h"
#include "tokens/import_pattern.h"
#include "tokens/vocabulary_build.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 1 << 20, IDS = 1 << 24, TEXT_MAX = 4 * VOCABULARY_LONGEST };
#define NOWHERE UINT32_MAX

struct imported {
    struct encoding encoding; /* first: it is what the caller has */
    void *image;
    char *name;
    struct encoding_special *specials;
};

/* The tokens of a file, in its order, and then in that of their ranks. */
struct reading {
    char *why;
    char *bytes; /* of all tokens */
    size_t bytes_len, bytes_room;
    struct slice *tokens;
    uint32_t *ids, *ranks; /* of tokens; NOWHERE: none yet */
    uint32_t *slots;       /* by their bytes */
    uint8_t *added;        /* a bit an id */
    struct slice *by_rank; /* and their ids */
    uint32_t *ids_by_rank;
    uint32_t len, ranked;
    bool whole_first;
    uint16_t byte_of[512]; /* + 1, by the code points of the file's alphabet */
};

static int refuse(struct reading *reading, const char *why)
{
    snprintf(reading->why, IMPORT_WHY, "%s", why);
    return METE_E_INVALID;
}

static void reading_done(struct reading *reading)
{
    free(reading->bytes);
    free(reading->tokens);
    free(reading->ids);
    free(reading->ranks);
    free(reading->slots);
    free(reading->added);
    free(reading->by_rank);
    free(reading->ids_by_rank);
}

static int reading_open(struct reading *reading, size_t file_len)
{
    reading->bytes_room = file_len;
    reading->bytes = malloc(file_len + 1);
    reading->tokens = calloc(VOCABULARY_TOKENS, sizeof *reading->tokens);
    reading->ids = calloc(VOCABULARY_TOKENS, sizeof *reading->ids);
    reading->ranks = malloc(VOCABULARY_TOKENS * sizeof *reading->ranks);
    reading->slots = malloc(SLOTS * sizeof *reading->slots);
    reading->added = calloc(IDS / 8, 1);
    reading->by_rank = calloc(VOCABULARY_TOKENS, sizeof *reading->by_rank);
    reading->ids_by_rank = calloc(VOCABULARY_TOKENS, sizeof *reading->ids_by_rank);
    if (!reading->bytes || !reading->tokens || !reading->ids || !reading->ranks ||
        !reading->slots || !reading->added || !reading->by_rank || !reading->ids_by_rank)
        return METE_E_MEMORY;
    memset(reading->ranks, 0xFF, VOCABULARY_TOKENS * sizeof *reading->ranks);
    memset(reading->slots, 0xFF, SLOTS * sizeof *reading->slots);
    return 0;
}

/* Where the token of these bytes is, or would be. */
static uint32_t *slot_of(struct reading *reading, struct slice bytes)
{
    uint64_t hash = bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        hash = vocabulary_mix(hash ^ (uint8_t)bytes.data[i]);
    uint32_t i = (uint32_t)hash % SLOTS;
    while (reading->slots[i] != NOWHERE && !slice_equal(reading->tokens[reading->slots[i]], bytes))
        i = (i + 1) % SLOTS;
    return reading->slots + i;
}

/* bytes: in reading->bytes. */
static int add_token(struct reading *reading, struct slice bytes, int64_t id)
{
    if (reading->len == VOCABULARY_TOKENS - 2 || id < 0 || id >= IDS)
        return refuse(reading, "it has more than 262,142 tokens, or ids beyond 16,777,215");
    uint32_t *slot = slot_of(reading, bytes);
    if (*slot != NOWHERE)
        return refuse(reading, "a token stands twice");
    *slot = reading->len;
    reading->tokens[reading->len] = bytes;
    reading->ids[reading->len++] = (uint32_t)id;
    return 0;
}

static void rank(struct reading *reading, uint32_t token)
{
    if (reading->ranks[token] != NOWHERE)
        return;
    reading->ranks[token] = reading->ranked;
    reading->by_rank[reading->ranked] = reading->tokens[token];
    reading->ids_by_rank[reading->ranked++] = reading->ids[token];
}

/* ---- .tiktoken ------------------------------------------------------------------------------- */

static int sextet(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Appends what the base64 is of to reading->bytes. */
static int take_base64(struct reading *reading, struct slice text, struct slice *ret_bytes)
{
    size_t from = reading->bytes_len;
    unsigned bits = 0, held = 0;
    while (text.len && text.data[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int six = sextet(text.data[i]);
        if (six < 0)
            return refuse(reading, "a line is not a token in base64, a space and its rank");
        held = (held << 6 | (unsigned)six) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            reading->bytes[reading->bytes_len++] = (char)(held >> bits & 0xFF);
        }
    }
    *ret_bytes = (struct slice){reading->bytes + from, reading->bytes_len - from};
    return 0;
}

static int read_line(struct reading *reading, struct slice line)
{
    const char *space = memchr(line.data, ' ', line.len);
    int64_t rank_of = 0;
    size_t digits = 0;
    if (!space)
        return refuse(reading, "a line is not a token in base64, a space and its rank");
    struct slice number = slice_from(line, (size_t)(space - line.data) + 1), bytes;
    for (; digits < number.len && digits < 9 && number.data[digits] >= '0' &&
           number.data[digits] <= '9';
         digits++)
        rank_of = rank_of * 10 + (number.data[digits] - '0');
    if (digits == 0 || digits < number.len || rank_of >= VOCABULARY_TOKENS - 2)
        return refuse(reading, "a rank is no number, or above 262,141");
    int status = take_base64(reading, slice_part(line, 0, (size_t)(space - line.data)), &bytes);
    if (status == 0)
        status = add_token(reading, bytes, rank_of);
    if (status == 0 && reading->by_rank[rank_of].len)
        return refuse(reading, "a rank stands twice");
    if (status)
        return status;
    reading->by_rank[rank_of] = bytes;
    reading->ids_by_rank[rank_of] = (uint32_t)rank_of;
    if (rank_of >= reading->ranked)
        reading->ranked = (uint32_t)rank_of + 1;
    return 0;
}

static int read_ranks(struct reading *reading, struct slice file)
{
    int status = 0;
    reading->whole_first = true;
    while (status == 0 && file.len) {
        const char *end = memchr(file.data, '\n', file.len);
        size_t len = end ? (size_t)(end - file.data) : file.len;
        struct slice line = {file.data, len};
        file = slice_from(file, end ? len + 1 : len);
        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len)
            status = read_line(reading, line);
    }
    return status;
}

/* ---- tokenizer.json -------------------------------------------------------------------------- */

/* The alphabet of GPT-2: bytes that can be seen are themselves, the others come from U+0100 on. */
static void make_alphabet(struct reading *reading)
{
    uint16_t next = 256;
    for (uint16_t byte = 0; byte < 256; byte++) {
        bool seen = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
        reading->byte_of[seen ? byte : next++] = (uint16_t)(byte + 1);
    }
}

/* Appends the bytes of a text in the file's alphabet. False: it is not, or too long. */
static bool take_text(struct reading *reading, struct slice text, struct slice *ret_bytes)
{
    size_t from = reading->bytes_len;
    for (size_t i = 0; i < text.len; i++) {
        unsigned c = (uint8_t)text.data[i];
        if (c >= 0xC0 && c < 0xE0 && i + 1 < text.len)
            c = (c & 31) << 6 | ((uint8_t)text.data[++i] & 63u);
        if (c >= 512 || !reading->byte_of[c] || reading->bytes_len == reading->bytes_room) {
            reading->bytes_len = from;
            return false;
        }
        reading->bytes[reading->bytes_len++] = (char)(reading->byte_of[c] - 1);
    }
    *ret_bytes = (struct slice){reading->bytes + from, reading->bytes_len - from};
    return true;
}

static bool is_added(const struct reading *reading, int64_t id)
{
    return id >= 0 && id < IDS && reading->added[id / 8] >> id % 8 & 1;
}

static int read_added(struct reading *reading, struct json added)
{
    struct json row;
    for (size_t at = 0; json_next(added, &at, NULL, &row);) {
        int64_t id;
        if (json_integer(json_member(row, "id"), &id) || id < 0 || id >= IDS)
            return refuse(reading, "an added token has no id, or one beyond 16,777,215");
        reading->added[id / 8] |= (uint8_t)(1 << id % 8);
    }
    return 0;
}

/* Added tokens are no tokens of the model, though some files list them there too. */
static int read_vocabulary(struct reading *reading, struct json vocabulary)
{
    struct json key, value;
    int status = 0;
    char room[TEXT_MAX];
    for (size_t at = 0; status == 0 && json_next(vocabulary, &at, &key, &value);) {
        int64_t id;
        long len = json_string_copy(key, room, sizeof room);
        if (len < 0 || json_integer(value, &id))
            return refuse(reading, "a token of its model is too long, or has no id");
        struct slice bytes;
        if (is_added(reading, id))
            continue;
        if (!take_text(reading, (struct slice){room, (size_t)len}, &bytes))
            return refuse(reading, "its model is not byte-level: a token has other characters");
        status = add_token(reading, bytes, id);
    }
    return status;
}

/* The tokens that a merge is of, and makes; false: some of them are not there. */
static bool merge_of(struct reading *reading, struct json merge, uint32_t ret_parts[3])
{
    char room[TEXT_MAX];
    size_t from = reading->bytes_len, at = 0;
    struct json left, right;
    struct slice first, second, texts[2];
    if (merge.type == JSON_ARRAY) {
        if (!json_next(merge, &at, NULL, &left) || !json_next(merge, &at, NULL, &right))
            return false;
        long len = json_string_copy(left, room, sizeof room / 2);
        long more = json_string_copy(right, room + sizeof room / 2, sizeof room / 2);
        if (len < 0 || more < 0)
            return false;
        texts[0] = (struct slice){room, (size_t)len};
        texts[1] = (struct slice){room + sizeof room / 2, (size_t)more};
    } else {
        long len = json_string_copy(merge, room, sizeof room);
        const char *space = len > 0 ? memchr(room, ' ', (size_t)len) : NULL;
        if (!space)
            return false;
        texts[0] = (struct slice){room, (size_t)(space - room)};
        texts[1] = (struct slice){space + 1, (size_t)len - texts[0].len - 1};
    }
    bool fine = take_text(reading, texts[0], &first) && take_text(reading, texts[1], &second);
    if (fine) {
        ret_parts[0] = *slot_of(reading, first);
        ret_parts[1] = *slot_of(reading, second);
        ret_parts[2] = *slot_of(reading, (struct slice){first.data, first.len + second.len});
    }
    reading->bytes_len = from;
    return fine && ret_parts[0] != NOWHERE && ret_parts[1] != NOWHERE && ret_parts[2] != NOWHERE;
}

static int read_merges(struct reading *reading, struct json merges)
{
    struct json merge;
    for (uint32_t i = 0; i < reading->len; i++) {
        if (reading->tokens[i].len == 1)
            rank(reading, i);
    }
    for (size_t at = 0; json_next(merges, &at, NULL, &merge);) {
        uint32_t parts[3];
        if (!merge_of(reading, merge, parts))
            return refuse(reading, "a merge is of what is no token, or makes none");
        rank(reading, parts[2]);
    }
    for (uint32_t i = 0; reading->whole_first && i < reading->len; i++)
        rank(reading, i);
    return 0;
}

/* Each token's merge, as it was found, has to be one of the file's. Tokens that none makes are left
 * out, unless whole pieces are looked up. Returns how many were. */
static int see_merges(struct reading *reading, struct json merges, const struct vocabulary *v,
                      uint32_t *ret_left_out)
{
    struct json merge;
    uint8_t *seen = calloc(v->tokens_len, 1);
    uint32_t parts[3];
    if (!seen)
        return METE_E_MEMORY;
    for (size_t at = 0; json_next(merges, &at, NULL, &merge);) {
        if (!merge_of(reading, merge, parts))
            continue;
        uint32_t made = reading->ranks[parts[2]];
        const uint32_t *halves = v->halves + 2 * (size_t)made;
        if (halves[0] == reading->ranks[parts[0]] && halves[1] == reading->ranks[parts[1]])
            seen[made] = 1;
    }
    *ret_left_out = 0;
    int status = 0;
    for (uint32_t i = 0; i < v->tokens_len; i++) {
        bool made = v->halves[2 * (size_t)i] != i;
        if (made && !seen[i])
            status = refuse(reading, "its merges are not in an order that makes its tokens");
        if (!made && reading->by_rank[i].len > 1 && !reading->whole_first) {
            reading->by_rank[i].len = 0;
            ++*ret_left_out;
        }
    }
    free(seen);
    return status;
}

static bool is_empty(struct json value)
{
    return value.type == JSON_NONE || value.type == JSON_NULL || json_string_is(value, "");
}

static int see_model(struct reading *reading, struct json file)
{
    struct json model = json_member(file, "model"), type = json_member(model, "type");
    struct json normalizer = json_member(file, "normalizer"), one;
    struct json list = json_member(normalizer, "normalizers");
    size_t at = 0;
    if (type.type != JSON_NONE && !json_string_is(type, "BPE"))
        return refuse(reading, "its model is not BPE");
    if (json_member(model, "byte_fallback").type == JSON_TRUE)
        return refuse(reading, "its model falls back to bytes (byte_fallback), as SentencePiece's");
    if (!is_empty(json_member(model, "continuing_subword_prefix")) ||
        !is_empty(json_member(model, "end_of_word_suffix")))
        return refuse(reading, "its model marks the parts of words");
    if (json_member(model, "dropout").type == JSON_NUMBER)
        return refuse(reading, "its model drops merges at random (dropout)");
    bool plain = normalizer.type == JSON_NONE || normalizer.type == JSON_NULL ||
                 json_string_is(json_member(normalizer, "type"), "NFC") ||
                 (list.type == JSON_ARRAY && !json_next(list, &at, NULL, &one));
    if (!plain)
        return refuse(reading, "its normalizer is neither none nor NFC");
    reading->whole_first = json_member(model, "ignore_merges").type == JSON_TRUE;
    return 0;
}

/* ---- Both ------------------------------------------------------------------------------------ */

static int build(struct reading *reading, struct imported *imported)
{
    const char *why;
    size_t len;
    free(imported->image);
    imported->image = NULL;
    struct vocabulary_source source = {reading->by_rank, reading->ranked, reading->ids_by_rank};
    int status = vocabulary_build(&source, &imported->image, &len, &why);
    if (status == METE_E_INVALID)
        return refuse(reading, why);
    return status ? status : vocabulary_open(imported->image, len, &imported->encoding.vocabulary);
}

static int read_specials(struct reading *reading, struct json added, struct imported *imported)
{
    size_t rows = 0, bytes = 0;
    struct json row;
    for (size_t at = 0; json_next(added, &at, NULL, &row); rows++)
        bytes += json_string_bytes(json_member(row, "content")) + 1;
    imported->specials = malloc(rows * sizeof *imported->specials + bytes + 1);
    if (!imported->specials)
        return METE_E_MEMORY;
    char *text = (char *)(imported->specials + rows), *end = text + bytes;
    size_t n = 0;
    for (size_t at = 0; json_next(added, &at, NULL, &row); n++) {
        int64_t id;
        long len = json_string_copy(json_member(row, "content"), text, (size_t)(end - text));
        if (len <= 0 || json_integer(json_member(row, "id"), &id))
            return refuse(reading, "an added token has no content");
        text[len] = 0;
        imported->specials[n] = (struct encoding_special){text, (uint32_t)id};
        text += len + 1;
    }
    encoding_set_specials(&imported->encoding, imported->specials, rows);
    return 0;
}

static int read_json(struct reading *reading, struct json file, struct imported *imported)
{
    struct json model = json_member(file, "model"), added = json_member(file, "added_tokens");
    struct json merges = json_member(model, "merges");
    make_alphabet(reading);
    int status = see_model(reading, file);
    if (status == 0)
        status = import_rule_of(json_member(file, "pre_tokenizer"), &imported->encoding.rule,
                                reading->why);
    if (status == 0)
        status = read_added(reading, added);
    if (status == 0)
        status = read_vocabulary(reading, json_member(model, "vocab"));
    if (status == 0)
        status = read_merges(reading, merges);
    if (status == 0)
        status = read_specials(reading, added, imported);
    if (status == 0)
        status = build(reading, imported);
    uint32_t left_out = 0;
    if (status == 0)
        status = see_merges(reading, merges, &imported->encoding.vocabulary, &left_out);
    return status == 0 && left_out ? build(reading, imported) : status;
}

int import_encoding(const struct import *import, struct encoding **ret_encoding,
                    char why[IMPORT_WHY])
{
    struct reading reading = {.why = why};
    struct json file;
    size_t name_len = strlen(import->name) + 1;
    struct imported *imported = calloc(1, sizeof *imported);
    int status = imported ? reading_open(&reading, import->file.len) : METE_E_MEMORY;
    if (status == 0) {
        imported->name = malloc(name_len);
        status = imported->name ? 0 : METE_E_MEMORY;
    }
    if (status == 0) {
        memcpy(imported->name, import->name, name_len);
        imported->encoding.name = imported->name;
        if (import->pattern || import->file.len == 0 || import->file.data[0] != '{') {
            status = import_rule_named(import->pattern, &imported->encoding.rule, why);
            if (status == 0)
                status = read_ranks(&reading, import->file);
            if (status == 0)
                status = build(&reading, imported);
        } else if (json_scan(import->file, &file, NULL)) {
            status = refuse(&reading, "it is no JSON");
        } else {
            status = read_json(&reading, file, imported);
        }
    }
    reading_done(&reading);
    if (status) {
        import_free(imported ? &imported->encoding : NULL);
        return status;
    }
    *ret_encoding = &imported->encoding;
    return 0;
}

void import_free(struct encoding *encoding)
{
    struct imported *imported = (struct imported *)encoding;
    if (!imported)
        return;
    free(imported->image);
    free(imported->specials);
    free(imported->name);
    free(imported);
}
