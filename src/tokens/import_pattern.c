/* SPDX-License-Identifier: Apache-2.0
 * A pattern is known by its text, letter by letter: one that looks almost the same cuts other
 * pieces. */
#include "tokens/import_pattern.h"

#include "base/errors.h"

#include <stdio.h>

enum { PARTS_MAX = 3, PATTERN_MAX = 1024 };

#define WORD_FIRST "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define WORD_SECOND "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *name;
    enum split_rule rule;
    const char *parts[PARTS_MAX]; /* one split after the other; none: of no tokenizer.json */
} patterns[] = {
    {"o200k",
     SPLIT_O200K,
     {WORD_FIRST "*" WORD_SECOND "+" CONTRACTIONS "?|" WORD_FIRST "+" WORD_SECOND "*" CONTRACTIONS
                 "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES}},
    {"cl100k",
     SPLIT_CL100K,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++"
      "[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s"}},
    {"r50k",
     SPLIT_R50K,
     {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"}},
    {"llama3",
     SPLIT_LLAMA3,
     {CONTRACTIONS
      "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES}},
    {"qwen",
     SPLIT_QWEN,
     {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES}},
    {"tekken",
     SPLIT_TEKKEN,
     {WORD_FIRST "*" WORD_SECOND "+|" WORD_FIRST "+" WORD_SECOND
                 "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES}},
    {"deepseek",
     SPLIT_DEEPSEEK,
     {"\\p{N}{1,3}",
      "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+",
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
      "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"}},
};
enum { PATTERNS = sizeof patterns / sizeof patterns[0] };

const char *import_pattern(size_t i)
{
    return i < PATTERNS ? patterns[i].name : NULL;
}

int import_rule_named(const char *name, enum split_rule *ret_rule, char why[IMPORT_WHY])
{
    for (size_t i = 0; name && i < PATTERNS; i++) {
        if (strcmp(patterns[i].name, name) == 0) {
            *ret_rule = patterns[i].rule;
            return 0;
        }
    }
    snprintf(why, IMPORT_WHY,
             "a .tiktoken file needs the name of its pattern, and \"%.40s\" is none",
             name ? name : "");
    return METE_E_INVALID;
}

struct splits {
    char parts[PARTS_MAX][PATTERN_MAX]; /* terminated */
    size_t len;
    bool byte_level;
};

static bool is_true(struct json object, const char *member)
{
    return json_member(object, member).type == JSON_TRUE;
}

static int add_split(struct splits *splits, struct json split, char why[IMPORT_WHY])
{
    struct json regex = json_member(json_member(split, "pattern"), "Regex");
    bool isolated = json_string_is(json_member(split, "behavior"), "Isolated");
    if (splits->len == PARTS_MAX || splits->byte_level || !isolated || is_true(split, "invert")) {
        snprintf(why, IMPORT_WHY, "its splits are not as those that are understood");
        return METE_E_INVALID;
    }
    char *room = splits->parts[splits->len++];
    long len = json_string_copy(regex, room, PATTERN_MAX - 1);
    room[len < 0 ? 0 : len] = 0;
    return 0;
}

static int add_step(struct splits *splits, struct json step, char why[IMPORT_WHY])
{
    struct json type = json_member(step, "type");
    if (json_string_is(type, "Split"))
        return add_split(splits, step, why);
    if (!json_string_is(type, "ByteLevel") || is_true(step, "add_prefix_space") ||
        splits->byte_level) {
        snprintf(why, IMPORT_WHY, "its pre_tokenizer %.*s is not understood",
                 (int)(type.raw.len < 60 ? type.raw.len : 60), type.raw.len ? type.raw.data : "");
        return METE_E_INVALID;
    }
    splits->byte_level = true;
    if (json_member(step, "use_regex").type == JSON_FALSE)
        return 0;
    if (splits->len) {
        snprintf(why, IMPORT_WHY, "its pre_tokenizer splits by a pattern and by GPT-2's");
        return METE_E_INVALID;
    }
    snprintf(splits->parts[splits->len++], PATTERN_MAX, "%s", patterns[SPLIT_R50K].parts[0]);
    return 0;
}

static bool same(const struct splits *splits, const char *const parts[PARTS_MAX])
{
    for (size_t i = 0; i < PARTS_MAX; i++) {
        const char *part = i < splits->len ? splits->parts[i] : NULL;
        if (!part != !parts[i] || (part && strcmp(part, parts[i]) != 0))
            return false;
    }
    return true;
}

int import_rule_of(struct json pre_tokenizer, enum split_rule *ret_rule, char why[IMPORT_WHY])
{
    struct splits splits = {.len = 0};
    struct json list = json_member(pre_tokenizer, "pretokenizers"), step;
    int status = 0;
    if (list.type == JSON_NONE)
        status = add_step(&splits, pre_tokenizer, why);
    for (size_t at = 0; status == 0 && json_next(list, &at, NULL, &step);)
        status = add_step(&splits, step, why);
    for (size_t i = 0; status == 0 && splits.byte_level && i < PATTERNS; i++) {
        if (same(&splits, patterns[i].parts)) {
            *ret_rule = patterns[i].rule;
            return 0;
        }
    }
    if (status == 0)
        snprintf(why, IMPORT_WHY, "nobody here knows its pattern: %.100s", splits.parts[0]);
    return METE_E_INVALID;
}
