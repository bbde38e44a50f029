/* SPDX-License-Identifier: Apache-2.0
 * Each byte has a role, read from two tables of 8 bits a byte. The roles of 64 bytes are turned
 * into masks: one for each bit of the tables, bit i of it for byte i. That step is written once for
 * each kind of machine; all that follows is arithmetic on 64-bit words.
 *
 * A character of several bytes has its class in the bit of each of its bytes, so that "a capital
 * after a small letter" is upper & lower << 1 in any script.
 *
 * TRUST  what a window says of a place may hang on what follows: on two bytes (contractions), or,
 * in white space, on what comes behind it. So the starts that are told of end two bytes before the
 * first byte that is not known, and on the beginning of white space that reaches up to it. */
#include "tokens/split_window.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX 1
#include <immintrin.h>
#else
#define HAVE_AVX 0
#endif

/* What a byte below 0x80 is. */
enum {
    UPPER = 1,
    LOWER = 2,
    DIGIT = 4,
    BLANK = 8,  /* the space itself, which is SPACE too */
    SPACE = 16, /* white space that ends no line */
    NEWLINE = 32,
    OTHER = 64,
    QUOTE = 128 /* ' and /, which are OTHER too */
};

/* What a byte from 0xC0 on begins. */
enum {
    LEAD_D0 = 1,      /* U+0400..: capitals up to second byte AF, then small letters */
    LEAD_D1 = 2,      /* U+0440..: small letters up to second byte 9F */
    LEAD_E2 = 4,      /* with 80, of which SECOND_80, and THIRD_E2: dashes and quotation marks */
    LEAD_E3 = 8,      /* with 80 and THIRD_E3: ideographic punctuation */
    LEAD_E4 = 16,     /* ideographs from second byte B8 on */
    LEAD_EA = 32,     /* Hangul from second byte B0 on */
    LEAD_LETTER = 64, /* E5..E9, EB, EC: letters without case, all of them */
    LEAD_EF = 128     /* with BC and THIRD_EF: fullwidth punctuation; with BF and B8..BE: U+FFFD,
                         which wrong bytes become, and its neighbours */
};

/* What a byte from 0x80 to 0xBF continues. */
enum {
    NEXT_80_9F = 1,
    NEXT_A0_AF = 2,
    NEXT_B8_BF = 4,
    NEXT_80 = 8,
    NEXT_BC = 16,
    THIRD_E2 = 32, /* 90..A7, B0..BE: of NEXT_B8_BF all but BF */
    THIRD_E3 = 64, /* 81, 82, 88..91 */
    THIRD_EF = 128 /* 81..8F, 9A..A0 */
};

static struct {
    _Alignas(64) uint8_t low[128];  /* of bytes below 0x80 */
    _Alignas(64) uint8_t high[128]; /* of the others */
} roles;

static uint8_t role_low(uint8_t byte)
{
    unsigned class = split_class_of(byte), role = 0;
    role |= class & SPLIT_UPPER ? UPPER : 0;
    role |= class & SPLIT_LOWER ? LOWER : 0;
    role |= class & SPLIT_NUMBER ? DIGIT : 0;
    if (class & SPLIT_SPACE)
        role |= byte == '\r' || byte == '\n' ? NEWLINE : SPACE;
    role |= byte == ' ' ? BLANK : 0;
    role |= class & ~(unsigned)SPLIT_SIGN ? 0 : OTHER;
    role |= byte == '\'' || byte == '/' ? QUOTE : 0;
    return (uint8_t)role;
}

static bool within(uint8_t byte, uint8_t first, uint8_t last)
{
    return byte >= first && byte <= last;
}

static uint8_t role_high(uint8_t byte)
{
    static const uint8_t leads[64] = {
        [0x10] = LEAD_D0,     [0x11] = LEAD_D1,     [0x22] = LEAD_E2,     [0x23] = LEAD_E3,
        [0x24] = LEAD_E4,     [0x25] = LEAD_LETTER, [0x26] = LEAD_LETTER, [0x27] = LEAD_LETTER,
        [0x28] = LEAD_LETTER, [0x29] = LEAD_LETTER, [0x2A] = LEAD_EA,     [0x2B] = LEAD_LETTER,
        [0x2C] = LEAD_LETTER, [0x2F] = LEAD_EF};
    if (byte >= 0xC0)
        return leads[byte - 0xC0];
    unsigned role = 0;
    role |= byte <= 0x9F ? NEXT_80_9F : 0;
    role |= within(byte, 0xA0, 0xAF) ? NEXT_A0_AF : 0;
    role |= byte >= 0xB8 ? NEXT_B8_BF : 0;
    role |= byte == 0x80 ? NEXT_80 : 0;
    role |= byte == 0xBC ? NEXT_BC : 0;
    role |= within(byte, 0x90, 0xA7) || within(byte, 0xB0, 0xBE) ? THIRD_E2 : 0;
    role |= within(byte, 0x81, 0x82) || within(byte, 0x88, 0x91) ? THIRD_E3 : 0;
    role |= within(byte, 0x81, 0x8F) || within(byte, 0x9A, 0xA0) ? THIRD_EF : 0;
    return (uint8_t)role;
}

/* Before main(): microseconds, and read-only from then on. */
__attribute__((constructor)) static void make_roles(void)
{
    for (unsigned byte = 0; byte < 128; byte++) {
        roles.low[byte] = role_low((uint8_t)byte);
        roles.high[byte] = role_high((uint8_t)(byte + 128));
    }
}

/* ---- 64 bytes -> masks ----------------------------------------------------------------------- */

struct low_masks {
    uint64_t upper, lower, digit, blank, space, newline, other, quote;
    uint64_t high; /* the bytes from 0x80 on */
};

struct high_masks {
    uint64_t bits[8]; /* of each bit of roles.high */
    uint64_t lead;    /* the bytes from 0xC0 on */
};

#define INLINE static inline __attribute__((always_inline))

/* Eight bytes' bit k, as eight bits: byte i's becomes bit i. */
INLINE uint64_t gather(uint64_t bytes, unsigned k)
{
    return ((bytes >> k & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >> 56;
}

INLINE void read_portable(const uint8_t *bytes, const uint8_t *table, bool high, uint64_t masks[9])
{
    for (unsigned k = 0; k < 9; k++)
        masks[k] = 0;
    for (unsigned at = 0; at < SPLIT_WINDOW; at += 8) {
        uint64_t found = 0, own = 0;
        for (unsigned i = 0; i < 8; i++) {
            uint8_t byte = bytes[at + i];
            bool mine = high == (byte >= 0x80);
            found |= (uint64_t)(mine ? table[byte & 127] : 0) << 8 * i;
            own |= (uint64_t)byte << 8 * i;
        }
        for (unsigned k = 0; k < 8; k++)
            masks[k] |= gather(found, k) << at;
        masks[8] |= gather(high ? own & own << 1 : own, 7) << at;
    }
}

INLINE struct low_masks low_portable(const uint8_t *bytes)
{
    uint64_t m[9];
    read_portable(bytes, roles.low, false, m);
    return (struct low_masks){m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8]};
}

INLINE struct high_masks high_portable(const uint8_t *bytes)
{
    uint64_t m[9];
    read_portable(bytes, roles.high, true, m);
    return (struct high_masks){{m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]}, m[8]};
}

#if HAVE_AVX
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,bmi,bmi2")))

/* A look-up in a table of 128 bytes. */
AVX512 static inline __m512i look_up(__m512i bytes, const uint8_t table[128])
{
    return _mm512_permutex2var_epi8(_mm512_load_si512(table), bytes, _mm512_load_si512(table + 64));
}

#define BIT_MASK(found, bit) _mm512_test_epi8_mask(found, _mm512_set1_epi8((char)(bit)))

AVX512 static inline struct low_masks low_avx512(const uint8_t *bytes)
{
    __m512i text = _mm512_loadu_si512(bytes);
    uint64_t high = _mm512_movepi8_mask(text);
    __m512i found = _mm512_maskz_mov_epi8(~high, look_up(text, roles.low));
    return (struct low_masks){
        .upper = BIT_MASK(found, UPPER),
        .lower = BIT_MASK(found, LOWER),
        .digit = BIT_MASK(found, DIGIT),
        .blank = BIT_MASK(found, BLANK),
        .space = BIT_MASK(found, SPACE),
        .newline = BIT_MASK(found, NEWLINE),
        .other = BIT_MASK(found, OTHER),
        .quote = BIT_MASK(found, QUOTE),
        .high = high,
    };
}

AVX512 static inline struct high_masks high_avx512(const uint8_t *bytes)
{
    __m512i text = _mm512_loadu_si512(bytes);
    __m512i found = _mm512_maskz_mov_epi8(_mm512_movepi8_mask(text), look_up(text, roles.high));
    return (struct high_masks){{BIT_MASK(found, 1), BIT_MASK(found, 2), BIT_MASK(found, 4),
                                BIT_MASK(found, 8), BIT_MASK(found, 16), BIT_MASK(found, 32),
                                BIT_MASK(found, 64), BIT_MASK(found, 128)},
                               _mm512_cmpge_epu8_mask(text, _mm512_set1_epi8((char)0xC0))};
}

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

struct halves {
    __m256i low, high;
};

AVX2 static inline struct halves load_avx2(const uint8_t *bytes)
{
    return (struct halves){_mm256_loadu_si256((const __m256i *)(const void *)bytes),
                           _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 32))};
}

/* The high bits of 64 bytes. */
AVX2 static inline uint64_t high_avx2_bits(struct halves text)
{
    return (uint32_t)_mm256_movemask_epi8(text.low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(text.high) << 32;
}

/* A look-up in a table of 128 bytes, in rows of 16; what has its high bit set is not there. */
AVX2 static inline __m256i look_up_rows(__m256i bytes, const uint8_t table[128])
{
    const __m256i above = _mm256_set1_epi8(0x70); /* sets the high bit of what is 16 and more */
    __m256i found = _mm256_setzero_si256();
    for (int row = 0; row < 8; row++) {
        __m256i entries = _mm256_broadcastsi128_si256(
            _mm_load_si128((const __m128i *)(const void *)(table + 16 * row)));
        __m256i at = _mm256_xor_si256(bytes, _mm256_set1_epi8((char)(16 * row)));
        found = _mm256_or_si256(found, _mm256_shuffle_epi8(entries, _mm256_adds_epu8(at, above)));
    }
    return found;
}

/* The masks of a table's bits. flip: 0x80 for that of high bytes. */
AVX2 static inline void read_avx2(struct halves text, const uint8_t *table, unsigned flip,
                                  uint64_t masks[8])
{
    const __m256i flips = _mm256_set1_epi8((char)flip);
    struct halves found = {look_up_rows(_mm256_xor_si256(text.low, flips), table),
                           look_up_rows(_mm256_xor_si256(text.high, flips), table)};
    for (int k = 7; k >= 0; k--) {
        masks[k] = high_avx2_bits(found);
        found.low = _mm256_add_epi8(found.low, found.low);
        found.high = _mm256_add_epi8(found.high, found.high);
    }
}

AVX2 static inline struct low_masks low_avx2(const uint8_t *bytes)
{
    struct halves text = load_avx2(bytes);
    uint64_t m[8];
    read_avx2(text, roles.low, 0, m);
    return (struct low_masks){m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], high_avx2_bits(text)};
}

AVX2 static inline struct high_masks high_avx2(const uint8_t *bytes)
{
    struct halves text = load_avx2(bytes);
    struct high_masks masks;
    read_avx2(text, roles.high, 0x80, masks.bits);
    struct halves next = {_mm256_add_epi8(text.low, text.low),
                          _mm256_add_epi8(text.high, text.high)};
    masks.lead = high_avx2_bits(text) & high_avx2_bits(next);
    return masks;
}
#endif

/* ---- Masks -> classes ------------------------------------------------------------------------ */

struct marks {
    uint64_t upper, lower, caseless, digit;
    uint64_t blank, space, newline; /* space: blank among it, newline not */
    uint64_t other, quote;
    uint64_t other_more; /* bytes of those of other but their first ones */
    uint64_t wide;       /* first bytes of those of three bytes that the tables know, and of kana */
    uint64_t caseless_wide; /* of the letters among them */
    uint64_t narrow;        /* ASCII but the space */
    unsigned known;         /* bytes before the first that is not known */
};

INLINE uint64_t below(unsigned bit)
{
    return bit < 64 ? (UINT64_C(1) << bit) - 1 : UINT64_MAX;
}

INLINE uint64_t bit(unsigned i)
{
    return i < 64 ? UINT64_C(1) << i : 0;
}

INLINE unsigned lowest(uint64_t bits)
{
    return bits ? (unsigned)__builtin_ctzll(bits) : 64;
}

INLINE unsigned highest(uint64_t bits) /* bits != 0 */
{
    return 63 - (unsigned)__builtin_clzll(bits);
}

INLINE struct marks marks_low(struct low_masks low)
{
    return (struct marks){
        .upper = low.upper,
        .lower = low.lower,
        .digit = low.digit,
        .blank = low.blank,
        .space = low.space,
        .newline = low.newline,
        .other = low.other,
        .quote = low.quote,
        .narrow = ~(low.high | low.blank),
        .known = SPLIT_WINDOW,
    };
}

INLINE uint64_t bytes_of_three(uint64_t leads)
{
    return leads | leads << 1 | leads << 2;
}

enum { WHOLE = SPLIT_WINDOW - 3 }; /* what begins below ends in the window */

/* Adds the characters of two and three bytes that the tables know. Returns the first bytes of those
 * that they do not, but for the window's last ones, which may go on behind it. */
INLINE uint64_t mark_high(struct marks *marks, uint64_t high, const struct high_masks *masks)
{
    uint64_t lead = masks->lead, next = high & ~lead;
    uint64_t d0 = masks->bits[0] & lead, d1 = masks->bits[1] & lead, e2 = masks->bits[2] & lead,
             e3 = masks->bits[3] & lead, e4 = masks->bits[4] & lead, ea = masks->bits[5] & lead,
             letter = masks->bits[6] & lead, ef = masks->bits[7] & lead;
    uint64_t to_9f = masks->bits[0] & next, to_af = masks->bits[1] & next,
             from_b8 = masks->bits[2] & next, is_80 = masks->bits[3] & next,
             is_bc = masks->bits[4] & next, third_e2 = masks->bits[5] & next,
             third_e3 = masks->bits[6] & next, third_ef = masks->bits[7] & next;
    uint64_t from_b0 = next & ~(to_9f | to_af);
    uint64_t is_bf = from_b8 & ~third_e2, b8_to_be = from_b8 & third_e2;
    uint64_t upper = d0 & (to_9f | to_af) >> 1;
    uint64_t lower = (d0 & from_b0 >> 1) | (d1 & to_9f >> 1);
    uint64_t caseless = letter | (e4 & from_b8 >> 1) | (ea & from_b0 >> 1);
    uint64_t other = (e2 & is_80 >> 1 & third_e2 >> 2) | (e3 & is_80 >> 1 & third_e3 >> 2) |
                     (ef & is_bc >> 1 & third_ef >> 2) | (ef & is_bf >> 1 & b8_to_be >> 2);
    upper |= upper << 1;
    lower |= lower << 1;
    marks->upper |= upper;
    marks->lower |= lower;
    marks->caseless = bytes_of_three(caseless);
    marks->other |= bytes_of_three(other);
    marks->other_more = other << 1 | other << 2;
    marks->wide = caseless | other;
    marks->caseless_wide = caseless;
    uint64_t rare = lead & ~(upper | lower | marks->caseless | other);
    marks->known = lowest(rare & ~below(WHOLE));
    return rare & below(WHOLE);
}

struct character {
    uint32_t code_point;
    unsigned len;
};

/* Of several bytes. */
static struct character character_at(const uint8_t *bytes)
{
    struct character c = {bytes[0] & 31u, bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4};
    if (c.len > 2)
        c.code_point &= bytes[0] < 0xF0 ? 15u : 7u;
    for (unsigned i = 1; i < c.len; i++)
        c.code_point = c.code_point << 6 | (bytes[i] & 63u);
    return c;
}

INLINE uint64_t if_any(unsigned class, unsigned wanted, uint64_t bits)
{
    return class & wanted ? bits : 0;
}

static bool is_kana(uint32_t code_point)
{
    return code_point >= 0x3040 && code_point <= 0x30FF;
}

/* Adds the characters at `leads` that the tables do not know, one by one, up to the first that no
 * mask has room for: white space and numbers of several bytes; a mark behind others, which o200k
 * has for one of them there, and for a letter elsewhere; and the long s, of contractions. */
static struct marks with_rare(struct marks m, const uint8_t *bytes, uint64_t leads, bool o200k)
{
    enum { LONG_S = 0x17F };
    unsigned caseless = SPLIT_CASELESS | (o200k ? SPLIT_MARK : 0);
    for (; leads; leads &= leads - 1) {
        unsigned at = lowest(leads);
        struct character c = character_at(bytes + at);
        unsigned class = split_class_of(c.code_point);
        bool marked = class & caseless & SPLIT_MARK && m.other << 1 >> at & 1;
        if (class & (SPLIT_NUMBER | SPLIT_SPACE) || marked || c.code_point == LONG_S) {
            m.known = at;
            break;
        }
        uint64_t all = below(c.len) << at;
        m.upper |= if_any(class, SPLIT_UPPER, all);
        m.lower |= if_any(class, SPLIT_LOWER, all);
        m.caseless |= if_any(class, caseless, all);
        if (is_kana(c.code_point)) {
            m.wide |= bit(at);
            m.caseless_wide |= if_any(class, SPLIT_CASELESS, bit(at));
        }
        if (!(class & (SPLIT_UPPER | SPLIT_LOWER | caseless))) {
            m.other |= all;
            m.other_more |= all & (all << 1);
        }
    }
    return m;
}

/* ---- Classes -> starts ----------------------------------------------------------------------- */

/* Bits of \r and \n right behind other characters, whose piece they belong to. */
INLINE uint64_t newlines_behind_other(const struct marks *m)
{
    return m->newline & ~(m->newline + (m->newline & m->other << 1));
}

/* Of white space that ends no line: where it begins and where a word takes the last of it, except
 * inside of \s*[\r\n]+. */
INLINE uint64_t space_starts(const struct marks *m, uint64_t behind_other)
{
    uint64_t first = m->space & ~(m->space << 1);
    uint64_t last = m->space & ~((m->space | m->newline) >> 1) & below(m->known - 1);
    /* Between two ends of lines; rare. */
    uint64_t indents = first & (m->newline & ~behind_other) << 1;
    uint64_t inside = (m->space + indents) & ~m->space & m->newline;
    for (; inside; inside &= inside - 1)
        first &= ~(bit(highest(indents & below(lowest(inside)))));
    return first | last;
}

INLINE uint64_t digit_starts(uint64_t digit)
{
    uint64_t more = digit & ~(digit << 1), starts = more;
    uint64_t third = digit & digit << 1 & digit << 2;
    while ((more = more << 3 & third))
        starts |= more;
    return starts;
}

/* Bytes of a contraction, of which the apostrophe is the first; 0: it is none. */
INLINE unsigned contraction(const uint8_t *at)
{
    unsigned a = at[1] | 32u;
    if (at[0] != '\'')
        return 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if (a != 'l' && a != 'v' && a != 'r')
        return 0; /* at[2] may lie behind the window */
    return (at[2] | 32u) == (a == 'l' ? 'l' : 'e') ? 3 : 0;
}

/* Those at `quotes` become part of the word before, or (alone) pieces of their own. */
INLINE uint64_t with_contractions(uint64_t starts, uint64_t quotes, const uint8_t *bytes,
                                  bool alone)
{
    for (unsigned end = 0; quotes; quotes &= quotes - 1) {
        unsigned at = lowest(quotes), len = contraction(bytes + at);
        if (len == 0 || (at == end && !alone))
            continue; /* at == end: the word before has one already */
        end = at + len;
        starts &= ~(below(len) << at);
        starts |= (uint64_t)alone << at | bit(end);
    }
    return starts;
}

/* \s++$ of cl100k: white space up to the end of the text is one piece. */
INLINE uint64_t without_starts_at_end(uint64_t starts, const struct marks *m, uint64_t behind_other)
{
    uint64_t white = m->space | m->newline, dark = ~white & below(m->known);
    unsigned from = dark ? highest(dark) + 1 : 0;
    uint64_t end = white & ~behind_other & ~below(from);
    return end ? starts & below(lowest(end) + 1) : starts;
}

/* The starts that will not change, whatever follows: those below the bit that is returned. */
INLINE unsigned trusted(const struct marks *m)
{
    uint64_t dark = ~(m->space | m->newline) & below(m->known);
    if (!dark || m->known < 3)
        return 1;
    unsigned white = highest(dark) + 2;
    return white < m->known - 2 ? white : m->known - 2;
}

/* Where o200k needs a longer look: [\r\n/]* that goes on with / behind \r\n, and capitals after
 * letters without case, which hang on what follows the capitals. */
INLINE unsigned unknown_o200k(const struct marks *m, const uint8_t *bytes)
{
    uint64_t slash = (m->newline + (m->newline & m->other << 1)) & ~m->newline & m->quote;
    while (slash && bytes[lowest(slash)] != '/')
        slash &= slash - 1;
    return lowest(slash | (m->upper & m->caseless << 1));
}

/* Not behind a small letter: in "a中中" the patterns of o200k take no capitals behind the
 * characters, where "中" alone may. */
INLINE uint64_t letters_inside(const struct marks *m)
{
    uint64_t behind_small = m->caseless & m->lower << 1;
    uint64_t behind_wide = m->caseless_wide & m->caseless_wide << 3;
    return behind_small || m->known < 3 ? 0 : behind_wide & below(m->known - 2);
}

INLINE struct split_window starts_of(struct marks *m, const uint8_t *bytes, unsigned len,
                                     bool ended, bool o200k)
{
    uint64_t letter = m->upper | m->lower | m->caseless, white = m->space | m->newline;
    uint64_t behind_other = newlines_behind_other(m);
    unsigned unknown = o200k ? unknown_o200k(m, bytes) : 64;
    m->known = unknown < m->known ? unknown : m->known;
    ended = ended && m->known == len;
    unsigned trust = ended ? len : trusted(m);

    uint64_t other = m->other & ~((m->other | m->blank) << 1);
    /* One other character before a word is part of it, if the piece begins with it. */
    uint64_t behind_prefix = ((other << 1) + m->other_more) & ~m->other_more;
    uint64_t starts = 1 | other | space_starts(m, behind_other) | digit_starts(m->digit);
    starts |= m->newline & ~((white | m->other) << 1);
    starts |= letter & ~((letter | m->space) << 1 | behind_prefix);
    if (o200k)
        starts |= m->upper & m->lower << 1;
    uint64_t quotes = m->quote & (o200k ? letter << 1 : other) & below(trust);
    if (quotes)
        starts = with_contractions(starts, quotes, bytes, !o200k);
    if (!o200k && ended)
        starts = without_starts_at_end(starts, m, behind_other);
    starts &= below(trust);
    starts |= ended ? UINT64_C(1) << len : 0;
    return (struct split_window){.starts = starts,
                                 .wide = m->wide,
                                 .narrow = m->narrow,
                                 .inside = starts == 1 ? letters_inside(m) : 0,
                                 .joints = starts & ~(white << 1) & ~UINT64_C(1)};
}

/* What lies behind the end of the text is of no class. */
INLINE void cut(struct marks *m, unsigned len)
{
    m->other &= below(len); /* zeros are of this one */
    m->known = m->known < len ? m->known : len;
}

#define WINDOW(machine, rule, target)                                                              \
    target static struct split_window rule##_##machine(const uint8_t *bytes, unsigned len,         \
                                                       bool ended)                                 \
    {                                                                                              \
        struct low_masks low = low_##machine(bytes);                                               \
        struct marks marks = marks_low(low);                                                       \
        if (low.high) {                                                                            \
            struct high_masks high = high_##machine(bytes);                                        \
            uint64_t rare = mark_high(&marks, low.high, &high);                                    \
            if (__builtin_expect(rare != 0, false))                                                \
                marks = with_rare(marks, bytes, rare, WINDOW_##rule);                              \
        }                                                                                          \
        if (ended)                                                                                 \
            cut(&marks, len);                                                                      \
        return starts_of(&marks, bytes, len, ended, WINDOW_##rule);                                \
    }
#define WINDOW_o200k true
#define WINDOW_cl100k false

WINDOW(portable, o200k, )
WINDOW(portable, cl100k, )
static const struct split_machine portable = {
    "portable", NULL, {o200k_portable, cl100k_portable, NULL}};

#if HAVE_AVX
#define FROM_avx512(text, first) _mm512_cmpge_epu8_mask(text, _mm512_set1_epi8((char)(first)))
#define IS_avx512(text, byte) _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8((char)(byte)))
#define LOAD_avx512 _mm512_loadu_si512
#define TEXT_avx512 __m512i

AVX2 static inline uint64_t from_avx2(struct halves text, unsigned first)
{
    __m256i least = _mm256_set1_epi8((char)first);
    return high_avx2_bits(
        (struct halves){_mm256_cmpeq_epi8(_mm256_max_epu8(text.low, least), text.low),
                        _mm256_cmpeq_epi8(_mm256_max_epu8(text.high, least), text.high)});
}

AVX2 static inline uint64_t is_avx2(struct halves text, unsigned byte)
{
    __m256i same = _mm256_set1_epi8((char)byte);
    return high_avx2_bits(
        (struct halves){_mm256_cmpeq_epi8(text.low, same), _mm256_cmpeq_epi8(text.high, same)});
}
#define FROM_avx2 from_avx2
#define IS_avx2 is_avx2
#define LOAD_avx2 load_avx2
#define TEXT_avx2 struct halves

/* A byte continues a character if and only if one of the three before it asks for it. A character
 * that goes on behind the window is left to the next, nor may the one before ask for its first
 * byte. */
#define VALID(machine, target)                                                                     \
    target static unsigned valid_##machine(const uint8_t *bytes)                                   \
    {                                                                                              \
        TEXT_##machine text = LOAD_##machine(bytes);                                               \
        uint64_t high = FROM_##machine(text, 0x80);                                                \
        if (!high)                                                                                 \
            return SPLIT_WINDOW;                                                                   \
        uint64_t lead = FROM_##machine(text, 0xC0), three = FROM_##machine(text, 0xE0);            \
        uint64_t four = FROM_##machine(text, 0xF0);                                                \
        uint64_t asked = lead << 1 | three << 2 | four << 3;                                       \
        uint64_t wrong = (high & ~lead) ^ asked; /* each of those that are not both */             \
        wrong |= IS_##machine(text, 0xC0) | IS_##machine(text, 0xC1) | FROM_##machine(text, 0xF5); \
        uint64_t from_a0 = FROM_##machine(text, 0xA0), from_90 = FROM_##machine(text, 0x90);       \
        wrong |= IS_##machine(text, 0xE0) << 1 & ~from_a0;                                         \
        wrong |= IS_##machine(text, 0xED) << 1 & from_a0;                                          \
        wrong |= IS_##machine(text, 0xF0) << 1 & ~from_90;                                         \
        wrong |= IS_##machine(text, 0xF4) << 1 & from_90;                                          \
        unsigned end = lowest((lead & ~below(63)) | (three & ~below(62)) | (four & ~below(61)));   \
        return wrong & below(end + 1) ? 0 : end;                                                   \
    }

VALID(avx512, AVX512)
WINDOW(avx512, o200k, AVX512)
WINDOW(avx512, cl100k, AVX512)
static const struct split_machine avx512 = {
    "avx512", valid_avx512, {o200k_avx512, cl100k_avx512, NULL}};

VALID(avx2, AVX2)
WINDOW(avx2, o200k, AVX2)
WINDOW(avx2, cl100k, AVX2)
static const struct split_machine avx2 = {"avx2", valid_avx2, {o200k_avx2, cl100k_avx2, NULL}};

const struct split_machine *split_machine_at(size_t i)
{
    const struct split_machine *all[3];
    size_t len = 0;
    bool bits = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    if (bits && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi"))
        all[len++] = &avx512;
    if (bits && __builtin_cpu_supports("avx2"))
        all[len++] = &avx2;
    all[len++] = &portable;
    return i < len ? all[i] : NULL;
}
#else
const struct split_machine *split_machine_at(size_t i)
{
    return i == 0 ? &portable : NULL;
}
#endif

size_t split_window_valid(struct slice text)
{
    size_t at = 0;
    if (text.len >= SPLIT_WINDOW) {
        split_valid_fn *valid = split_machine_at(0)->valid;
        for (unsigned len = 1; valid && len && text.len - at >= SPLIT_WINDOW; at += len)
            len = valid((const uint8_t *)text.data + at);
    }
    return at + split_valid(slice_from(text, at));
}
