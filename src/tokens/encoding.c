/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens/encoding.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/limits.h"

#include <stdio.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define IMAGE(name) extern const unsigned char vocabulary_##name[], vocabulary_##name##_end[];
IMAGE(o200k_base)
IMAGE(cl100k_base)
IMAGE(p50k_base)
IMAGE(r50k_base)

/* Special tokens: tiktoken_ext/openai_public.py of tiktoken 0.14.0. */
static const struct encoding_special r50k_specials[] = {{"<|endoftext|>", 50256}};
static const struct encoding_special p50k_edit_specials[] = {{"<|endoftext|>", 50256},
                                                             {"<|fim_prefix|>", 50281},
                                                             {"<|fim_middle|>", 50282},
                                                             {"<|fim_suffix|>", 50283}};
static const struct encoding_special cl100k_specials[] = {{"<|endoftext|>", 100257},
                                                          {"<|fim_prefix|>", 100258},
                                                          {"<|fim_middle|>", 100259},
                                                          {"<|fim_suffix|>", 100260},
                                                          {"<|endofprompt|>", 100276}};
static const struct encoding_special o200k_specials[] = {{"<|endoftext|>", 199999},
                                                         {"<|endofprompt|>", 200018}};
static const struct encoding_special harmony_specials[] = {
    {"<|startoftext|>", 199998}, {"<|endoftext|>", 199999}, {"<|return|>", 200002},
    {"<|constrain|>", 200003},   {"<|channel|>", 200005},   {"<|start|>", 200006},
    {"<|end|>", 200007},         {"<|message|>", 200008},   {"<|call|>", 200012},
    {"<|endofprompt|>", 200018}};
enum { HARMONY_RESERVED_FIRST = 200000, HARMONY_RESERVED_LAST = 201087 };

static const struct {
    const char *name;
    enum split_rule rule;
    const unsigned char *image, *image_end;
    const struct encoding_special *specials;
    size_t specials_len;
    uint32_t reserved_first, reserved_last;
} rows[] = {
    {"o200k_base", SPLIT_O200K, vocabulary_o200k_base, vocabulary_o200k_base_end, o200k_specials,
     COUNT(o200k_specials), 0, 0},
    {"o200k_harmony", SPLIT_O200K, vocabulary_o200k_base, vocabulary_o200k_base_end,
     harmony_specials, COUNT(harmony_specials), HARMONY_RESERVED_FIRST, HARMONY_RESERVED_LAST},
    {"cl100k_base", SPLIT_CL100K, vocabulary_cl100k_base, vocabulary_cl100k_base_end,
     cl100k_specials, COUNT(cl100k_specials), 0, 0},
    {"p50k_base", SPLIT_R50K, vocabulary_p50k_base, vocabulary_p50k_base_end, r50k_specials,
     COUNT(r50k_specials), 0, 0},
    {"p50k_edit", SPLIT_R50K, vocabulary_p50k_base, vocabulary_p50k_base_end, p50k_edit_specials,
     COUNT(p50k_edit_specials), 0, 0},
    {"r50k_base", SPLIT_R50K, vocabulary_r50k_base, vocabulary_r50k_base_end, r50k_specials,
     COUNT(r50k_specials), 0, 0},
};

static struct encoding encodings[COUNT(rows)];

/* Before main(): microseconds, and read-only from then on. */
__attribute__((constructor)) static void open_encodings(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        encodings[i] = (struct encoding){.name = rows[i].name,
                                         .rule = rows[i].rule,
                                         .reserved_first = rows[i].reserved_first,
                                         .reserved_last = rows[i].reserved_last};
        int status = vocabulary_open(rows[i].image, (size_t)(rows[i].image_end - rows[i].image),
                                     &encodings[i].vocabulary);
        ASSERT(status == 0);
        encoding_set_specials(&encodings[i], rows[i].specials, rows[i].specials_len);
    }
}

void encoding_set_specials(struct encoding *encoding, const struct encoding_special *specials,
                           size_t len)
{
    encoding->specials = specials;
    encoding->specials_len = len;
    for (size_t i = 0; i < len; i++) {
        uint8_t first = (uint8_t)specials[i].text[0];
        encoding->special_firsts[first / 64] |= UINT64_C(1) << first % 64;
    }
}

static struct {
    const struct encoding *encoding;
    const char *const *models;
    size_t models_len;
} added[LIMIT_ENCODINGS];
static size_t added_len;

const struct encoding *encoding_at(size_t i)
{
    if (i < COUNT(rows))
        return &encodings[i];
    i -= COUNT(rows);
    return i < added_len ? added[i].encoding : NULL;
}

const struct encoding *encoding_find(struct slice name)
{
    const struct encoding *encoding;
    for (size_t i = 0; (encoding = encoding_at(i)); i++) {
        if (slice_is(name, encoding->name))
            return encoding;
    }
    return NULL;
}

int encoding_add(const struct encoding *encoding, const char *const *models, size_t models_len)
{
    if (encoding_find(slice_of(encoding->name)))
        return METE_E_EXISTS;
    if (added_len == LIMIT_ENCODINGS)
        return METE_E_FULL;
    added[added_len].encoding = encoding;
    added[added_len].models = models;
    added[added_len++].models_len = models_len;
    return 0;
}

void encodings_forget(void)
{
    added_len = 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool begins(struct slice model, const char *prefix)
{
    for (size_t i = 0; prefix[i]; i++) {
        if (i == model.len || lower(model.data[i]) != lower(prefix[i]))
            return false;
    }
    return true;
}

const struct encoding *encoding_added(struct slice model)
{
    for (size_t i = 0; i < added_len; i++) {
        for (size_t k = 0; k < added[i].models_len; k++) {
            if (begins(model, added[i].models[k]))
                return added[i].encoding;
        }
    }
    return NULL;
}

static size_t reserved(const struct encoding *encoding, struct slice text, uint32_t *ret_id)
{
    const struct slice head = SLICE_LITERAL("<|reserved_"), tail = SLICE_LITERAL("|>");
    if (!encoding->reserved_first || !slice_starts(text, head))
        return 0;
    size_t at = head.len;
    uint32_t id = 0;
    for (; at < text.len && at < head.len + 6 && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        id = id * 10 + (uint32_t)(text.data[at] - '0');
    if (at != head.len + 6 || !slice_starts(slice_from(text, at), tail) ||
        id < encoding->reserved_first || id > encoding->reserved_last)
        return 0;
    for (size_t i = 0; i < encoding->specials_len; i++) {
        if (encoding->specials[i].id == id && id < 200013)
            return 0; /* it has a name of its own */
    }
    *ret_id = id;
    return at + tail.len;
}

size_t encoding_special(const struct encoding *encoding, struct slice text, uint32_t *ret_id)
{
    for (size_t i = 0; i < encoding->specials_len; i++) {
        struct slice special = slice_of(encoding->specials[i].text);
        if (slice_starts(text, special)) {
            *ret_id = encoding->specials[i].id;
            return special.len;
        }
    }
    return reserved(encoding, text, ret_id);
}
