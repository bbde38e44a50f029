/* SPDX-License-Identifier: Apache-2.0
 * The patterns, as tiktoken 0.14.0 has them (L, N, M, ...: classes of Unicode; \s: White_Space):
 *
 * o200k   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+CONTRACTION?
 *         [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*CONTRACTION?
 *         \p{N}{1,3}
 *          ?[^\s\p{L}\p{N}]+[\r\n/]*
 *         \s*[\r\n]+
 *         \s+(?!\S)
 *         \s+
 *         with CONTRACTION (?i:'s|'t|'re|'ve|'m|'ll|'d)
 * cl100k  '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+
 *         |\s++$|\s*[\r\n]|\s+(?!\S)|\s
 * r50k    '(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s
 *
 * And as the tokenizer.json of other models have them:
 *
 * llama3    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
 *           | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * qwen      the same with \p{N} for \p{N}{1,3}
 * tekken    o200k without its contractions, and \p{N} for \p{N}{1,3}
 * deepseek  what is left of the text after \p{N}{1,3} and then [\u4E00-\u9FA5\u3040-\u30FF]+ have
 *           been cut out of it, and what was cut out, each for itself:
 *           [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
 *           | ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+, and what is between those */
#include "tokens/split.h"

#include "base/assert.h"
#include "tokens/split_tables.h"

static inline unsigned class_of(uint32_t code_point) /* of Unicode */
{
    return split_classes[split_blocks[code_point >> 8]][code_point & 255];
}

unsigned split_class_of(uint32_t code_point)
{
    return code_point > 0x10FFFF ? 0 : class_of(code_point);
}

/* A character of text: its class, and how many bytes; at the end of text class SPLIT_END, 0. */
enum { SPLIT_END = 64 };
struct at {
    unsigned class;
    size_t len;
    uint32_t code_point;
};

static inline struct at look(struct slice text, size_t at)
{
    if (at >= text.len)
        return (struct at){SPLIT_END, 0, 0};
    const uint8_t *s = (const uint8_t *)text.data + at;
    if (s[0] < 0x80)
        return (struct at){class_of(s[0]), 1, s[0]};
    uint32_t c;
    size_t len;
    if (s[0] < 0xE0) {
        c = (s[0] & 31u) << 6 | (s[1] & 63u);
        len = 2;
    } else if (s[0] < 0xF0) {
        c = (s[0] & 15u) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u);
        len = 3;
    } else {
        c = (s[0] & 7u) << 18 | (s[1] & 63u) << 12 | (s[2] & 63u) << 6 | (s[3] & 63u);
        len = 4;
    }
    return (struct at){class_of(c), len, c};
}

static size_t pass(struct slice text, size_t at, unsigned classes)
{
    for (struct at here; (here = look(text, at)).class & classes;)
        at += here.len;
    return at;
}

/* Characters that are neither white space, letter nor number; marks are among them. */
static bool is_other(struct at here)
{
    return !(here.class & (SPLIT_LETTER | SPLIT_NUMBER | SPLIT_SPACE | SPLIT_END));
}

static size_t pass_other(struct slice text, size_t at)
{
    for (struct at here; is_other(here = look(text, at));)
        at += here.len;
    return at;
}

/* Bytes of a contraction that begins at `at`, the apostrophe included; 0: none. Folded: also with
 * capitals, and with U+017F, which folds to s. */
static size_t contraction(struct slice text, size_t at, bool folded)
{
    if (at >= text.len || text.data[at] != '\'')
        return 0;
    struct at first = look(text, at + 1);
    unsigned fold = folded ? 32 : 0;
    if (folded && first.code_point == 0x17F)
        return 3;
    uint32_t a = first.class == SPLIT_END ? 0 : first.code_point | fold;
    if (first.len != 1)
        return 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    struct at second = look(text, at + 2);
    uint32_t b = second.len == 1 ? second.code_point | fold : 0;
    return (a == 'l' && b == 'l') || (a == 'v' && b == 'e') || (a == 'r' && b == 'e') ? 3 : 0;
}

/* \p{N}{1,3}, from a number on. */
static size_t numbers(struct slice text, size_t at, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        struct at here = look(text, at);
        if (!(here.class & SPLIT_NUMBER))
            break;
        at += here.len;
    }
    return at;
}

/* All of \s from at on: where it ends, where its last \r or \n ends (0: it has none), and where its
 * last character begins. */
struct spaces {
    size_t end, line_end, last;
};
static struct spaces spaces(struct slice text, size_t at)
{
    struct spaces found = {at, 0, at};
    for (struct at here; (here = look(text, found.end)).class & SPLIT_SPACE;) {
        found.last = found.end;
        found.end += here.len;
        if (here.code_point == '\r' || here.code_point == '\n')
            found.line_end = found.end;
    }
    return found;
}

/* \s+(?!\S)|\s+: what is before a word leaves it the last one. */
static size_t before_word(struct slice text, size_t at, struct spaces found)
{
    return found.end < text.len && found.last > at ? found.last : found.end;
}

/* ---- o200k ----------------------------------------------------------------------------------- */

enum {
    FIRST = SPLIT_UPPER | SPLIT_CASELESS | SPLIT_MARK, /* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] */
    SECOND = SPLIT_LOWER | SPLIT_CASELESS | SPLIT_MARK /* [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
};

/* FIRST*SECOND+, where the former gives back as little as it must; 0: no match. */
static size_t word_with_lower(struct slice text, size_t at)
{
    size_t end = 0;
    for (struct at here; (here = look(text, at)).class & FIRST; at += here.len) {
        if (here.class & SECOND)
            end = at + here.len; /* ... and it takes up to here */
    }
    size_t lower = pass(text, at, SECOND);
    return lower > at ? lower : end;
}

/* FIRST+SECOND*; 0: no match. */
static size_t word_with_upper(struct slice text, size_t at)
{
    size_t upper = pass(text, at, FIRST);
    return upper > at ? pass(text, upper, SECOND) : 0;
}

static size_t word_o200k(struct slice text, size_t at, struct at here, bool contracted)
{
    /* The optional character before a word: any that is no letter, number or line end. */
    bool prefix = !(here.class & (SPLIT_LETTER | SPLIT_NUMBER | SPLIT_END)) &&
                  here.code_point != '\r' && here.code_point != '\n';
    size_t end = 0;
    if (prefix)
        end = word_with_lower(text, at + here.len);
    if (!end)
        end = word_with_lower(text, at);
    if (!end && prefix)
        end = word_with_upper(text, at + here.len);
    if (!end)
        end = word_with_upper(text, at);
    return end && contracted ? end + contraction(text, end, true) : end;
}

static size_t next_o200k(struct slice text, size_t at, bool tekken)
{
    struct at here = look(text, at);
    size_t end = word_o200k(text, at, here, !tekken);
    if (end)
        return end;
    if (here.class & SPLIT_NUMBER)
        return numbers(text, at, tekken ? 1 : 3);
    size_t from = at + (here.code_point == ' ');
    end = pass_other(text, from);
    if (end > from) {
        while (end < text.len && memchr("\r\n/", text.data[end], 3))
            end++;
        return end;
    }
    struct spaces found = spaces(text, at);
    return found.line_end ? found.line_end : before_word(text, at, found);
}

/* ---- cl100k ---------------------------------------------------------------------------------- */

static size_t next_cl100k(struct slice text, size_t at, enum split_rule rule)
{
    size_t short_form = contraction(text, at, true);
    if (short_form)
        return at + short_form;
    struct at here = look(text, at);
    if (here.class & SPLIT_LETTER)
        return pass(text, at, SPLIT_LETTER);
    if (here.class & SPLIT_NUMBER)
        return numbers(text, at, rule == SPLIT_QWEN ? 1 : 3);
    if (here.code_point != '\r' && here.code_point != '\n') {
        size_t end = pass(text, at + here.len, SPLIT_LETTER);
        if (end > at + here.len)
            return end;
    }
    size_t from = at + (here.code_point == ' '), end = pass_other(text, from);
    if (end > from) {
        while (end < text.len && memchr("\r\n", text.data[end], 2))
            end++;
        return end;
    }
    struct spaces found = spaces(text, at);
    if (found.end == text.len && rule == SPLIT_CL100K)
        return found.end;
    return found.line_end ? found.line_end : before_word(text, at, found);
}

/* ---- r50k ------------------------------------------------------------------------------------ */

static size_t next_r50k(struct slice text, size_t at)
{
    size_t short_form = contraction(text, at, false);
    if (short_form)
        return at + short_form;
    struct at here = look(text, at);
    size_t from = at + (here.code_point == ' ');
    size_t end = pass(text, from, SPLIT_LETTER);
    if (end == from)
        end = pass(text, from, SPLIT_NUMBER);
    if (end == from)
        end = pass_other(text, from);
    if (end > from)
        return end;
    return before_word(text, at, spaces(text, at));
}

/* ---- deepseek -------------------------------------------------------------------------------- */

static bool is_cjk(struct at here)
{
    return (here.code_point >= 0x4E00 && here.code_point <= 0x9FA5) ||
           (here.code_point >= 0x3040 && here.code_point <= 0x30FF);
}

/* The same as look(), but that text also ends where it passes between what is cut out and not. */
static struct at look_within(struct slice text, size_t at, bool cjk)
{
    struct at here = look(text, at);
    bool within = !(here.class & SPLIT_NUMBER) && is_cjk(here) == cjk;
    return within ? here : (struct at){SPLIT_END, 0, 0};
}

static size_t pass_within(struct slice text, size_t at, unsigned classes, bool cjk)
{
    for (struct at here; (here = look_within(text, at, cjk)).class & classes;)
        at += here.len;
    return at;
}

static size_t ascii_word(struct slice text, size_t at)
{
    for (; at < text.len; at++) {
        int c = text.data[at] | 32;
        if (c < 'a' || c > 'z')
            break;
    }
    return at;
}

/* From a character of no class on: those before the next that can begin something. */
static size_t unmatched(struct slice text, size_t at)
{
    for (;;) {
        at += look_within(text, at, false).len;
        struct at here = look_within(text, at, false);
        if (here.class ||
            look_within(text, at + here.len, false).class & (SPLIT_LETTER | SPLIT_MARK))
            return at;
    }
}

static size_t next_deepseek(struct slice text, size_t at)
{
    struct at here = look(text, at);
    if (here.class & SPLIT_NUMBER)
        return numbers(text, at, 3);
    bool cjk = is_cjk(here), sign = here.class & SPLIT_SIGN;
    size_t end = sign && here.code_point < 0x80 ? ascii_word(text, at + 1) : 0;
    if (end > at + 1)
        return end;
    const unsigned word = SPLIT_LETTER | SPLIT_MARK;
    if (!(here.class & SPLIT_LETTER) && !sign && here.code_point != '\r' &&
        here.code_point != '\n' && look_within(text, at + here.len, cjk).class & word)
        return pass_within(text, at + here.len, word, cjk);
    if (here.class & word)
        return pass_within(text, at, word, cjk);
    size_t from = at + (here.code_point == ' ');
    end = pass_within(text, from, SPLIT_SIGN, cjk);
    if (end > from) {
        while (!cjk && end < text.len && memchr("\r\n", text.data[end], 2))
            end++;
        return end;
    }
    if (!(here.class & SPLIT_SPACE))
        return unmatched(text, at);
    struct spaces found = spaces(text, at);
    if (found.line_end)
        return found.line_end;
    bool ended = look_within(text, found.end, cjk).class == SPLIT_END;
    return !ended && found.last > at ? found.last : found.end;
}

/* ---- All ------------------------------------------------------------------------------------- */

size_t split_next(enum split_rule rule, struct slice text, size_t at)
{
    ASSERT(at < text.len);
    size_t end = rule == SPLIT_O200K || rule == SPLIT_TEKKEN
                     ? next_o200k(text, at, rule == SPLIT_TEKKEN)
                 : rule == SPLIT_R50K     ? next_r50k(text, at)
                 : rule == SPLIT_DEEPSEEK ? next_deepseek(text, at)
                                          : next_cl100k(text, at, rule);
    ASSERT(end > at && end <= text.len);
    return end;
}

/* Where the ASCII that begins at `at` ends, or less than 8 bytes before that. */
static size_t pass_ascii(const uint8_t *s, size_t at, size_t len)
{
    for (uint64_t word; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, s + at, sizeof word);
        word &= UINT64_C(0x8080808080808080);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        if (word)
            return at + (size_t)__builtin_ctzll(word) / 8;
#else
        if (word)
            break;
#endif
    }
    return at;
}

size_t split_valid(struct slice text)
{
    const uint8_t *s = (const uint8_t *)text.data;
    size_t at = 0;
    while (at < text.len) {
        size_t left = text.len - at;
        uint8_t a = s[at];
        if (a < 0x80) {
            size_t end = pass_ascii(s, at, text.len);
            at = end > at ? end : at + 1;
            continue;
        }
        uint8_t low = 0x80, high = 0xBF;
        size_t len;
        if (a >= 0xC2 && a <= 0xDF) {
            len = 2;
        } else if (a >= 0xE0 && a <= 0xEF) {
            len = 3;
            low = a == 0xE0 ? 0xA0 : 0x80;
            high = a == 0xED ? 0x9F : 0xBF;
        } else if (a >= 0xF0 && a <= 0xF4) {
            len = 4;
            low = a == 0xF0 ? 0x90 : 0x80;
            high = a == 0xF4 ? 0x8F : 0xBF;
        } else {
            return at;
        }
        if (left < len || s[at + 1] < low || s[at + 1] > high)
            return at;
        for (size_t i = 2; i < len; i++) {
            if ((s[at + i] & 0xC0) != 0x80)
                return at;
        }
        at += len;
    }
    return at;
}
