/* SPDX-License-Identifier: Apache-2.0
 * Proves that the ways of doing it fast change nothing, with texts that the tape makes of what the
 * patterns tell apart: windows of 64 bytes (split_window.h), by every machine that this one can
 * run, begin their pieces where split_next() does, wherever they begin and the text ends; the bytes
 * before a joint fall into the same pieces before any other text; what they call a wide character
 * is one, and from one inside of a piece the same pieces follow; and a count with a cache that has
 * seen other texts is the number of ids. */
#include "base/assert.h"
#include "property/tape.h"
#include "tokens/split_window.h"
#include "tokens/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { TEXT_MAX = 400 };

/* What the patterns tell apart, and the edges of the scripts that the masks know. */
static const char *const plain[] = {"a",     "b",  "s",     "t",  "A",    "B",    "S",   " ",
                                    " ",     "\n", ".",     "'",  "1",    "22",   "333", "the ",
                                    "don't", "\t", "\r\n",  "/",  ",",    "_",    "=",   "(",
                                    "Ab",    "aB", "llama", "  ", "    ", "\n\n", "\"",  "-"};
static const char *const rare[] = {
    "'s",      "'S",   "'ll",       "'LL",
    "'lL",     "'ve",  "'re",       "'m",
    "'d",      "'t",   "'v",        "'r",
    "'l",      "''",   "\r",        "\x0b",
    "\x0c",    "\x1c", "\x1f",      "\x7f",
    ";\n",     ".\n/", ".\r\n//",   "\n/",
    " \n",     "\n ",  " \n ",      "\t\n\t",
    "1234567", "/'",   "'\xc5\xbf", "0123456789012345678901234567890123456789"};
static const char *const wide[] = {
    "\xd0\x80",     "\xd0\x90",     "\xd0\xaf",     "\xd0\xb0",     "\xd0\xbf",     "\xd1\x80",
    "\xd1\x9f",     "\xd1\xa0",     "\xd1\xa1",     "\xd1\x8f",     "\xe4\xb7\xbf", "\xe4\xb8\x80",
    "\xe4\xb8\xad", "\xe9\xbf\xbf", "\xe6\x96\x87", "\xe5\xad\x97", "\xea\xaf\xbf", "\xea\xb0\x80",
    "\xeb\x8b\xa4", "\xec\x9d\xb4", "\xed\x9e\xa3", "\xe3\x80\x80", "\xe3\x80\x81", "\xe3\x80\x82",
    "\xe3\x80\x83", "\xe3\x80\x85", "\xe3\x80\x88", "\xe3\x80\x91", "\xe3\x80\x92", "\xe3\x81\x82",
    "\xe3\x83\xbc", "\xe2\x80\x82", "\xe2\x80\x93", "\xe2\x80\x99", "\xe2\x80\x9c", "\xe2\x80\x9d",
    "\xe2\x80\xa6", "\xe2\x80\xa8", "\xe2\x80\xaf", "\xe2\x80\xbe", "\xe2\x81\x9f", "\xef\xbc\x80",
    "\xef\xbc\x8c", "\xef\xbc\x91", "\xef\xbc\x9f", "\xef\xbc\xa1", "\xef\xbd\x81", "\xef\xbf\xbd",
    "\xef\xbf\xb7", "\xef\xbf\xb8", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xef\xbe\xbd", "\xef\xbb\xbd"};
static const char *const odd[] = {
    "\xc2\x85",         "\xc2\xa0",         "\xc2\xb2",         "\xc3\xa9",     "\xc3\x89",
    "\xc7\x85",         "\xcc\x81",         "\xca\xb0",         "\xd7\x90",     "\xe0\xa5\x8d",
    "\xe0\xb8\x81",     "\xe1\x9a\x80",     "\xe2\x85\xa3",     "\xef\xbf\xbd", "\xf0\x9f\x98\x80",
    "\xf0\x9d\x90\x80", "\xf0\x9d\x90\x9a", "\xf0\xa0\x80\x80", "\xc5\xbf",     "\xce\xa9",
    "\xcf\x89",         "\xe3\x82\xab",     "\xe3\x82\x99",     "\xef\xb8\x8f", "\xe2\x80\x8d",
    "\xd9\x8e",         "\xd9\xa3",         "\xc2\xa9"};

struct text {
    char bytes[TEXT_MAX + 64];
    size_t len;
};

#define PUT_ONE(text, tape, list) put_one(text, tape, list, sizeof list / sizeof list[0])
static void put_one(struct text *text, struct tape *tape, const char *const *list, size_t count)
{
    struct slice part = slice_of(list[tape_pick(tape, count)]);
    for (size_t times = tape_chance(tape, 4) ? 1 + tape_pick(tape, 70) : 1; times; times--) {
        if (text->len + part.len > TEXT_MAX)
            return;
        memcpy(text->bytes + text->len, part.data, part.len);
        text->len += part.len;
    }
}

/* Any character of several bytes, as often as not of two. */
static void put_any(struct text *text, struct tape *tape)
{
    uint32_t c = 0x80 + (uint32_t)tape_u64(tape, tape_chance(tape, 50) ? 0x77F : 0x10FF7F);
    if ((c >= 0xD800 && c < 0xE000) || text->len + 4 > TEXT_MAX)
        return;
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    text->bytes[text->len++] = (char)(lead[more] | c >> 6 * more);
    while (more--)
        text->bytes[text->len++] = (char)(0x80 | (c >> 6 * more & 63));
}

/* Texts of one kind and of many: how odd they are is drawn first. */
static void make_text(struct text *text, struct tape *tape)
{
    unsigned oddness = (unsigned)tape_pick(tape, 4);
    size_t len = tape_chance(tape, 40) ? 56 + tape_pick(tape, 24) : tape_pick(tape, TEXT_MAX);
    text->len = 0;
    while (text->len < len && !tape_done(tape)) {
        size_t kind = tape_pick(tape, 16);
        if (kind == 0 && oddness >= 2)
            PUT_ONE(text, tape, odd);
        else if (kind == 1 && oddness >= 2)
            put_any(text, tape);
        else if (kind <= 6 && oddness >= 1)
            PUT_ONE(text, tape, wide);
        else if (kind <= 9)
            PUT_ONE(text, tape, rare);
        else
            PUT_ONE(text, tape, plain);
    }
}

static struct slice slice_of_text(const struct text *text)
{
    return (struct slice){text->bytes, text->len};
}

static bool begins_piece(enum split_rule rule, struct slice text, size_t at)
{
    size_t here = 0;
    while (here < at)
        here = split_next(rule, text, here);
    return here == at;
}

/* Each start that is told of, and none between them is left out. */
static int check_starts(enum split_rule rule, struct slice text, uint64_t starts)
{
    HOLDS(starts & 1);
    size_t at = 0;
    while ((starts &= starts - 1)) {
        at = split_next(rule, text, at);
        HOLDS(at == (size_t)__builtin_ctzll(starts));
    }
    return 0;
}

/* Before another text, in which a piece begins at `joint` too. */
static int check_joint(enum split_rule rule, struct slice text, struct split_window window,
                       size_t joint, struct slice behind)
{
    struct text other = {.len = joint + behind.len};
    memcpy(other.bytes, text.data, joint);
    memcpy(other.bytes + joint, behind.data, behind.len);
    if (!begins_piece(rule, slice_of_text(&other), joint))
        return 0;
    return check_starts(rule, slice_of_text(&other), window.starts & (UINT64_MAX >> (63 - joint)));
}

/* All it calls wide before the last of the starts are characters that may have no bond. */
static int check_wide(const uint8_t *bytes, struct split_window window)
{
    uint64_t firsts = window.wide & (UINT64_MAX >> __builtin_clzll(window.starts)) >> 1;
    for (; firsts; firsts &= firsts - 1) {
        const uint8_t *at = bytes + __builtin_ctzll(firsts);
        HOLDS((at[0] & 0xF0) == 0xE0);
        HOLDS(vocabulary_wide((at[0] & 15u) << 12 | (at[1] & 63u) << 6 | (at[2] & 63u)));
    }
    return 0;
}

/* The piece that goes on there ends where one ends that begins there. */
static int check_inside(enum split_rule rule, struct slice text, struct split_window window)
{
    size_t from = 0, end = split_next(rule, text, 0);
    for (uint64_t inside = window.inside; inside; inside &= inside - 1) {
        size_t at = (size_t)__builtin_ctzll(inside);
        while (end <= at) {
            from = end;
            end = split_next(rule, text, from);
        }
        HOLDS(from < at && split_next(rule, text, at) == end);
    }
    return 0;
}

static int check_window(const struct split_machine *machine, enum split_rule rule,
                        struct slice text, struct slice behind)
{
    uint8_t bytes[SPLIT_WINDOW] = {0};
    bool ended = text.len < SPLIT_WINDOW;
    unsigned len = ended ? (unsigned)text.len : SPLIT_WINDOW;
    memcpy(bytes, text.data, len);
    struct split_window window = machine->window[rule](bytes, len, ended);
    struct split_window again = split_machine_at(0)->window[rule](bytes, len, ended);
    HOLDS(window.starts == again.starts && window.joints == again.joints);
    HOLDS(window.wide == again.wide && window.inside == again.inside);
    HOLDS(!(window.inside & ~(window.wide & window.wide << 3)));
    if (check_wide(bytes, window) || check_inside(rule, text, window))
        return 1;
    HOLDS(!(window.joints & ~window.starts) && !(window.joints & 1));
    HOLDS(ended || window.starts >> SPLIT_STRETCH_MAX == 0);
    if (check_starts(rule, text, window.starts))
        return 1;
    for (uint64_t joints = window.joints; joints; joints &= joints - 1) {
        if (check_joint(rule, text, window, (size_t)__builtin_ctzll(joints), behind))
            return 1;
    }
    return 0;
}

static int tell(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        fprintf(stderr, i % 16 ? " %02x" : "\n%02x", (unsigned char)text.data[i]);
    fprintf(stderr, "\n");
    return 1;
}

static int windows_begin_pieces_where_the_plain_machine_does(struct tape *tape)
{
    static const char *const behinds[] = {"", "a", " ", "\n", " a", "'s", "1", ".", "\xd0\xb0"};
    struct text made;
    make_text(&made, tape);
    struct slice behind = slice_of(behinds[tape_pick(tape, 9)]);
    const struct split_machine *machine;
    for (size_t i = 0; (machine = split_machine_at(i)); i++) {
        for (enum split_rule rule = 0; rule < SPLIT_RULES; rule++) {
            struct slice text = slice_of_text(&made);
            for (; machine->window[rule] && text.len;
                 text = slice_from(text, split_next(rule, text, 0))) {
                if (check_window(machine, rule, text, behind))
                    return tell(text);
            }
        }
    }
    return 0;
}

/* A window is of use: plain words are not left to the plain machine. */
static int windows_know_plain_words(struct tape *tape)
{
    static const char *const words[] = {"the ",
                                        "of",
                                        " a",
                                        "Word",
                                        ", ",
                                        ".",
                                        "12",
                                        "=",
                                        "(",
                                        "x ",
                                        "don't ",
                                        "\n\n",
                                        "\n  ",
                                        "\t",
                                        "\"",
                                        "\xd0\xbf ",
                                        "\xe4\xb8\xad\xe6\x96\x87",
                                        "\xe2\x80\x94"};
    const struct split_machine *machine;
    struct text text = {.len = 0};
    while (text.len < SPLIT_WINDOW) {
        struct slice part = slice_of(words[tape_pick(tape, sizeof words / sizeof words[0])]);
        memcpy(text.bytes + text.len, part.data, part.len);
        text.len += part.len;
    }
    struct slice head = slice_part(slice_of_text(&text), 0, SPLIT_WINDOW);
    for (size_t i = 0; (machine = split_machine_at(i)); i++) {
        struct split_window window =
            machine->window[SPLIT_CL100K]((const uint8_t *)text.bytes, SPLIT_WINDOW, false);
        HOLDS(window.starts != 1 || split_next(SPLIT_CL100K, head, 0) > 40);
    }
    return 0;
}

static struct tokenizer *tokenizers[8]; /* of each encoding, for all tapes: its cache fills */

static int counts_are_numbers_of_ids(struct tape *tape)
{
    struct text text;
    const struct encoding *encoding;
    for (size_t i = 0; (encoding = encoding_at(i)); i++) {
        int status = tokenizers[i] ? 0 : tokenizer_open(encoding, &tokenizers[i]);
        HOLDS(status == 0);
    }
    make_text(&text, tape);
    for (size_t i = 0; encoding_at(i); i++) {
        struct buffer ids;
        int64_t count = 0;
        buffer_init(&ids, 4 * TEXT_MAX);
        HOLDS(tokenizer_encode(tokenizers[i], slice_of_text(&text), false, &ids) == 0);
        for (int times = 0; times < 2; times++) {
            HOLDS(tokenizer_count(tokenizers[i], slice_of_text(&text), &count) == 0);
            HOLDS((size_t)count == ids.len / sizeof(uint32_t));
        }
        buffer_done(&ids);
    }
    return 0;
}

/* In a text with a byte changed here and there, from every place on. */
static int windows_find_the_same_bytes_wrong(struct tape *tape)
{
    struct text made;
    make_text(&made, tape);
    for (size_t changes = tape_pick(tape, 3); changes && made.len; changes--)
        made.bytes[tape_pick(tape, made.len)] = (char)tape_byte(tape);
    for (struct slice text = slice_of_text(&made); text.len; text = slice_from(text, 1)) {
        HOLDS(split_window_valid(text) == split_valid(text));
        const struct split_machine *machine;
        for (size_t i = 0; text.len >= SPLIT_WINDOW && (machine = split_machine_at(i)); i++) {
            size_t right = split_valid(slice_part(text, 0, SPLIT_WINDOW));
            size_t told = machine->valid ? machine->valid((const uint8_t *)text.data) : 0;
            HOLDS(told == 0 || told == right);
            HOLDS(told || right < SPLIT_WINDOW || !machine->valid);
        }
    }
    return 0;
}

#define PROPERTY(name, tapes, len)                                                                 \
    static void run_##name(void **state)                                                           \
    {                                                                                              \
        (void)state;                                                                               \
        assert_int_equal(tape_run(#name, name, tapes, len), 0);                                    \
    }
PROPERTY(windows_begin_pieces_where_the_plain_machine_does, 20000, 300)
PROPERTY(windows_find_the_same_bytes_wrong, 20000, 300)
PROPERTY(windows_know_plain_words, 2000, 200)
PROPERTY(counts_are_numbers_of_ids, 5000, 300)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_windows_begin_pieces_where_the_plain_machine_does),
        cmocka_unit_test(run_windows_find_the_same_bytes_wrong),
        cmocka_unit_test(run_windows_know_plain_words),
        cmocka_unit_test(run_counts_are_numbers_of_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
