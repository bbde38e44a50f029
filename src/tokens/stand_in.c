/* SPDX-License-Identifier: Apache-2.0
 * What the patterns can still do to a long piece depends on its kind, not on its length:
 *
 *   a word          (o200k) goes on as its phase allows: there were lower letters; it ends in a
 *                   caseless one or a mark; all were capitals. Or a contraction has ended it
 *   numbers         (r50k) go on
 *   other           go on, until line ends (and slashes) have begun
 *   unmatched       (deepseek) goes on, or loses its last character to what follows
 *   white space     goes on, loses its last character to what follows, or is cut behind its last
 *                   line end
 *
 * The first character, and the second where that is a prefix, are the piece's own: they decide
 * where the piece before ends. */
#include "tokens/stand_in.h"

struct character {
    unsigned class;
    uint32_t code_point;
    size_t len; /* 0: the end */
};

static struct character character_at(struct slice text, size_t at)
{
    if (at >= text.len)
        return (struct character){0};
    const uint8_t *s = (const uint8_t *)text.data + at;
    uint32_t c = s[0];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (len > 1)
        c &= 0x7Fu >> len;
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (s[i] & 63u);
    return (struct character){split_class_of(c), c, len};
}

static bool ends_line(struct character c)
{
    return c.code_point == '\r' || c.code_point == '\n';
}

static size_t last_character(struct slice text)
{
    size_t at = text.len - 1;
    while (at > 0 && ((uint8_t)text.data[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static void put(struct stand_in *to, const char *bytes, size_t len)
{
    memcpy(to->bytes + to->len, bytes, len);
    to->len = (uint8_t)(to->len + len);
}

static struct stand_in space(struct slice piece, int64_t since_line)
{
    struct stand_in made = {.len = 0};
    size_t last = last_character(piece);
    int64_t last_len = (int64_t)(piece.len - last);
    put(&made, piece.data, character_at(piece, 0).len);
    if (since_line > 0)
        put(&made, "\n", 1);
    if (since_line > last_len) {
        made.line_end = made.len;
        put(&made, " ", 1);
    }
    put(&made, piece.data + last, piece.len - last);
    return made;
}

/* Where the contraction begins that ends the word; its end: it has none. */
static size_t contraction_of(enum split_rule rule, struct slice piece)
{
    const char *found =
        rule == SPLIT_O200K && piece.len > 1 ? memchr(piece.data + 1, '\'', piece.len - 1) : NULL;
    return found ? (size_t)(found - piece.data) : piece.len;
}

static bool in_cases(enum split_rule rule) /* letters are told apart by it */
{
    return rule == SPLIT_O200K || rule == SPLIT_TEKKEN;
}

static bool is_cjk(enum split_rule rule, struct character c)
{
    return rule == SPLIT_DEEPSEEK && ((c.code_point >= 0x4E00 && c.code_point <= 0x9FA5) ||
                                      (c.code_point >= 0x3040 && c.code_point <= 0x30FF));
}

static struct stand_in word(enum split_rule rule, struct slice piece, size_t own)
{
    struct stand_in made = {.len = 0};
    size_t end = contraction_of(rule, piece);
    unsigned seen = 0, last = 0;
    for (size_t at = 0; in_cases(rule) && at < end && !(seen & SPLIT_LOWER);) {
        struct character here = character_at(piece, at);
        last = here.class;
        seen |= last;
        at += here.len;
    }
    put(&made, piece.data, own);
    if (!is_cjk(rule, character_at(piece, 0)) && (!in_cases(rule) || seen & SPLIT_LOWER))
        put(&made, "a", 1);
    else if (in_cases(rule) && last & SPLIT_UPPER)
        put(&made, "A", 1);
    else
        put(&made, "\xE4\xB8\xAD", 3);
    put(&made, piece.data + end, piece.len - end);
    return made;
}

/* From the first character on; of numbers and what is none of the others. */
static struct stand_in other(enum split_rule rule, struct slice piece, struct character first,
                             struct character second)
{
    struct stand_in made = {.len = 0};
    put(&made, piece.data, first.len);
    if ((first.class | second.class) & SPLIT_NUMBER) {
        put(&made, "1", 1);
        return made;
    }
    if (is_cjk(rule, first))
        put(&made, "\xE3\x83\xBB\xE3\x83\xBB", 6);
    else
        put(&made, "!!", 2);
    if (memchr(piece.data, '\n', piece.len) || memchr(piece.data, '\r', piece.len))
        put(&made, "\n", 1);
    return made;
}

struct stand_in stand_in_of(enum split_rule rule, struct slice piece, int64_t since_line)
{
    bool with_marks = in_cases(rule) || rule == SPLIT_DEEPSEEK;
    unsigned letters = SPLIT_LETTER | (with_marks ? SPLIT_MARK : 0u);
    struct character first = character_at(piece, 0), second = character_at(piece, first.len);
    bool prefix = rule == SPLIT_R50K
                      ? first.code_point == ' '
                      : !(first.class & (SPLIT_LETTER | SPLIT_NUMBER)) && !ends_line(first);
    if (prefix && second.class & letters)
        return word(rule, piece, first.len + second.len);
    if (first.class & letters)
        return word(rule, piece, first.len);
    if (first.class & SPLIT_SPACE && (second.len == 0 || second.class & SPLIT_SPACE))
        return space(piece, since_line);
    if (rule == SPLIT_DEEPSEEK && !first.class)
        return space(piece, -1); /* what nothing matches loses its last character, too */
    return other(rule, piece, first, second);
}
