/* SPDX-License-Identifier: Apache-2.0
 * Two ways through the same bytes. scan_ believes nothing: json_scan() passes each byte once and
 * says which one is wrong. skip_ walks what scan_ has accepted and only looks for the ends of
 * things, with memchr() where it can.
 *
 * Nesting is one bit a level (object or array) beside a depth, so the loop is flat and no input
 * can use up the stack. Inside strings 16 bytes are looked at together on x86-64, else
 * eight; the first byte that is a quote, a
 * backslash, a control or no ASCII ends the stride.
 *
 * Considered and not done: an index of positions (memory for each request, and most bodies are
 * asked for five members). */
#include "codec/json_scan.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "codec/decimal.h"
#include "mete.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct cursor {
    const char *at, *end;
};

struct nest {
    uint64_t objects[JSON_DEPTH_MAX / 64]; /* bit set: this level is an object */
    unsigned depth;
};

/* ---- Characters ---- */

static bool between(unsigned char byte, unsigned low, unsigned high)
{
    return byte >= low && byte <= high;
}

/* Length of the well-formed UTF-8 sequence at at < end, 0 if there is none (Unicode, table 3-7). */
static size_t utf8_len(const char *at, const char *end)
{
    unsigned char b[4] = {0}; /* a zero is no continuation */
    size_t have = (size_t)(end - at);
    if (have >= 4)
        memcpy(b, at, 4); /* a plain load, the length being known to the compiler */
    else
        memcpy(b, at, have);
    if (b[0] < 0x80)
        return 1;
    if (between(b[0], 0xc2, 0xdf))
        return between(b[1], 0x80, 0xbf) ? 2 : 0;
    if (between(b[0], 0xe0, 0xef)) {
        unsigned low = b[0] == 0xe0 ? 0xa0 : 0x80;  /* no longer form of what fits in two bytes */
        unsigned high = b[0] == 0xed ? 0x9f : 0xbf; /* no surrogate */
        return between(b[1], low, high) && between(b[2], 0x80, 0xbf) ? 3 : 0;
    }
    if (between(b[0], 0xf0, 0xf4)) {
        unsigned low = b[0] == 0xf0 ? 0x90 : 0x80;
        unsigned high = b[0] == 0xf4 ? 0x8f : 0xbf; /* U+10FFFF is the last */
        return between(b[1], low, high) && between(b[2], 0x80, 0xbf) && between(b[3], 0x80, 0xbf)
                   ? 4
                   : 0;
    }
    return 0;
}

static bool is_plain(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

#ifdef __SSE2__
/* The first byte that is not plain, or one among the last 15. */
static const char *pass_plain(const char *at, const char *end)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i blank = _mm_set1_epi8(' '); /* bytes that are no ASCII are below it: signed */
    for (; end - at >= 16; at += 16) {
        __m128i bytes;
        memcpy(&bytes, at, sizeof bytes);
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        found = _mm_or_si128(found, _mm_cmplt_epi8(bytes, blank));
        unsigned bits = (unsigned)_mm_movemask_epi8(found);
        if (bits)
            return at + __builtin_ctz(bits);
    }
    return at;
}
#else
static const uint64_t ones = UINT64_C(0x0101010101010101);
static const uint64_t highs = UINT64_C(0x8080808080808080);

/* High bit of each byte that may not stand in a string as it is or is no ASCII. Exact up to and
 * including the lowest one set, which is the first in memory. */
static uint64_t special(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t quote = word ^ (ones * '"');
    uint64_t slash = word ^ (ones * '\\');
    uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                     ((word - ones * 0x20) & ~word) | word;
    return found & highs;
}

/* The first byte that is not plain, or one among the last 7. */
static const char *pass_plain(const char *at, const char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t found = special(at);
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
    return at;
}
#endif

/* First byte that cannot stand in a string as it is: quote, backslash, control, broken UTF-8; or
 * end. */
static const char *plain_end(const char *at, const char *end)
{
    for (;;) {
        at = pass_plain(at, end);
        while (at < end && is_plain(*at))
            at++;
        if (at == end || !((unsigned char)*at & 0x80))
            return at;
        do {
            size_t len = utf8_len(at, end);
            if (!len)
                return at;
            at += len;
        } while (at < end && ((unsigned char)*at & 0x80));
    }
}

/* 0 at the end: no byte that means anything is 0. */
static char peek(const struct cursor *c)
{
    return c->at < c->end ? *c->at : '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline void skip_space(struct cursor *c)
{
    if (c->at < c->end && (unsigned char)*c->at > ' ')
        return; /* most of the time */
    while (c->at < c->end && is_space(*c->at))
        c->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex(char c)
{
    if (is_digit(c))
        return c - '0';
    char small = (char)(c | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/* ---- Scanning what nobody has looked at: on a fault c->at is the wrong byte ---- */

static int scan_escape(struct cursor *c)
{
    switch (peek(c)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        c->at++;
        return 0;
    case 'u':
        c->at++;
        for (int i = 0; i < 4; i++, c->at++)
            if (hex(peek(c)) < 0)
                return METE_E_SYNTAX;
        return 0;
    default:
        return METE_E_SYNTAX;
    }
}

static int scan_string(struct cursor *c)
{
    c->at++;
    for (;;) {
        c->at = plain_end(c->at, c->end);
        char stop = peek(c);
        if (stop != '"' && stop != '\\')
            return METE_E_SYNTAX;
        c->at++;
        if (stop == '"')
            return 0;
        int rc = scan_escape(c);
        if (rc)
            return rc;
    }
}

static int scan_digits(struct cursor *c)
{
    if (!is_digit(peek(c)))
        return METE_E_SYNTAX;
    while (is_digit(peek(c)))
        c->at++;
    return 0;
}

static int scan_number(struct cursor *c)
{
    int rc = 0;
    if (peek(c) == '-')
        c->at++;
    if (peek(c) == '0')
        c->at++;
    else
        rc = scan_digits(c);
    if (!rc && peek(c) == '.') {
        c->at++;
        rc = scan_digits(c);
    }
    if (!rc && (peek(c) == 'e' || peek(c) == 'E')) {
        c->at++;
        if (peek(c) == '+' || peek(c) == '-')
            c->at++;
        rc = scan_digits(c);
    }
    return rc;
}

static int scan_word(struct cursor *c, const char *word)
{
    for (; *word; word++, c->at++)
        if (peek(c) != *word)
            return METE_E_SYNTAX;
    return 0;
}

static int scan_scalar(struct cursor *c)
{
    switch (peek(c)) {
    case '"':
        return scan_string(c);
    case 't':
        return scan_word(c, "true");
    case 'f':
        return scan_word(c, "false");
    case 'n':
        return scan_word(c, "null");
    default:
        return scan_number(c);
    }
}

static int scan_key(struct cursor *c)
{
    skip_space(c);
    int rc = peek(c) == '"' ? scan_string(c) : METE_E_SYNTAX;
    if (rc)
        return rc;
    skip_space(c);
    if (peek(c) != ':')
        return METE_E_SYNTAX;
    c->at++;
    return 0;
}

static bool in_object(const struct nest *nest)
{
    ASSERT(nest->depth > 0 && nest->depth <= JSON_DEPTH_MAX);
    unsigned level = nest->depth - 1;
    return nest->objects[level / 64] >> (level % 64) & 1;
}

static int push(struct nest *nest, bool object)
{
    if (nest->depth == JSON_DEPTH_MAX)
        return METE_E_TOO_LARGE;
    uint64_t bit = UINT64_C(1) << (nest->depth % 64);
    uint64_t *word = &nest->objects[nest->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    nest->depth++;
    return 0;
}

/* What follows a value: closes containers until a comma says that another value comes (*ret_more)
 * or the outermost is closed. */
static int scan_after(struct cursor *c, struct nest *nest, bool *ret_more)
{
    *ret_more = false;
    while (nest->depth) {
        skip_space(c);
        bool object = in_object(nest);
        char next = peek(c);
        if (next == ',') {
            c->at++;
            *ret_more = true;
            return object ? scan_key(c) : 0;
        }
        if (next != (object ? '}' : ']'))
            return METE_E_SYNTAX;
        c->at++;
        nest->depth--;
    }
    return 0;
}

static int scan_value(struct cursor *c)
{
    struct nest nest = {.depth = 0};
    bool more = true;
    int rc = 0;
    while (!rc && more) {
        skip_space(c);
        char open = peek(c);
        if (open != '{' && open != '[') {
            rc = scan_scalar(c);
        } else {
            rc = push(&nest, open == '{');
            if (rc)
                break;
            c->at++;
            skip_space(c);
            if (peek(c) != (open == '{' ? '}' : ']')) {
                rc = open == '{' ? scan_key(c) : 0;
                continue;
            }
        }
        if (!rc)
            rc = scan_after(c, &nest, &more);
    }
    return rc;
}

static enum json_type type_of(char first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

int json_scan(struct slice text, struct json *ret_value, size_t *ret_at)
{
    static const char none[1];
    const char *data = text.data ? text.data : none;
    struct cursor c = {data, data + text.len};
    skip_space(&c);
    const char *from = c.at;
    int rc = scan_value(&c);
    const char *to = c.at;
    if (!rc) {
        skip_space(&c);
        rc = c.at == c.end ? 0 : METE_E_SYNTAX;
    }
    if (rc) {
        if (ret_at)
            *ret_at = (size_t)(c.at - data);
        return rc;
    }
    *ret_value = (struct json){type_of(*from), {from, (size_t)(to - from)}};
    return 0;
}

size_t json_scalar_len(struct slice text)
{
    if (!text.len)
        return 0;
    struct cursor c = {text.data, text.data + text.len};
    bool good = !(*c.at == '"' ? scan_string(&c) : scan_number(&c));
    return good ? (size_t)(c.at - text.data) : 0;
}

/* ---- Skipping what was accepted ---- */

/* Most names and values are shorter than what a call of memchr() costs. NULL: none. */
static const char *find_quote(const char *at, const char *end)
{
#ifdef __SSE2__
    __m128i bytes;
    if (end - at >= (ptrdiff_t)sizeof bytes) {
        memcpy(&bytes, at, sizeof bytes);
        unsigned bits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
        if (bits)
            return at + __builtin_ctz(bits);
        at += sizeof bytes;
    }
#endif
    return memchr(at, '"', (size_t)(end - at));
}

/* at: behind the opening quote. Returns what is behind the closing one, linear: the backslashes
 * before a quote belong to that quote alone. */
static const char *skip_string(const char *at, const char *end)
{
    const char *from = at;
    while (at < end) {
        const char *quote = find_quote(at, end);
        if (!quote)
            break;
        const char *back = quote;
        while (back > from && back[-1] == '\\')
            back--;
        at = quote + 1;
        if ((quote - back) % 2 == 0)
            return at;
    }
    return end;
}

static const char *skip_container(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        char c = *at++;
        if (c == '"') {
            at = skip_string(at, end);
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (--depth == 0)
                return at;
        }
    }
    return end;
}

static const char *skip_value(const char *at, const char *end)
{
    char first = *at;
    if (first == '"')
        return skip_string(at + 1, end);
    if (first == '{' || first == '[')
        return skip_container(at, end);
    while (at < end && !is_space(*at) && *at != ',' && *at != '}' && *at != ']')
        at++;
    return at;
}

static struct json take_value(struct cursor *c)
{
    const char *from = c->at;
    c->at = skip_value(from, c->end);
    return (struct json){type_of(*from), {from, (size_t)(c->at - from)}};
}

bool json_next(struct json container, size_t *at, struct json *ret_key, struct json *ret_value)
{
    if (container.type != JSON_OBJECT && container.type != JSON_ARRAY)
        return false;
    struct slice raw = container.raw;
    ASSERT(raw.len >= 2 && *at < raw.len);
    struct cursor c = {raw.data + (*at ? *at : 1), raw.data + raw.len - 1};
    while (c.at < c.end && (is_space(*c.at) || *c.at == ','))
        c.at++;
    struct json key = {JSON_NONE, {0}};
    if (c.at < c.end && container.type == JSON_OBJECT) {
        key = take_value(&c);
        while (c.at < c.end && (is_space(*c.at) || *c.at == ':'))
            c.at++;
    }
    if (c.at < c.end) {
        *ret_value = take_value(&c);
        if (ret_key)
            *ret_key = key;
        *at = (size_t)(c.at - raw.data);
        return true;
    }
    *at = raw.len - 1;
    return false;
}

struct json json_member(struct json container, const char *name)
{
    struct json found = {JSON_NONE, {0}}, key, value;
    if (container.type != JSON_OBJECT)
        return found;
    for (size_t at = 0; json_next(container, &at, &key, &value);)
        if (json_string_is(key, name))
            found = value;
    return found;
}

size_t json_count(struct json container, const char *name)
{
    size_t count = 0;
    struct json key, value;
    if (container.type != JSON_OBJECT)
        return 0;
    for (size_t at = 0; json_next(container, &at, &key, &value);)
        count += json_string_is(key, name);
    return count;
}

/* ---- Strings and numbers ---- */

static struct cursor string_inside(struct json string)
{
    ASSERT(string.raw.len >= 2);
    return (struct cursor){string.raw.data + 1, string.raw.data + string.raw.len - 1};
}

static size_t utf8_put(uint32_t code, char room[4])
{
    if (code < 0x80) {
        room[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        room[i] = (char)(0x80 | (code & 0x3f));
    room[0] = (char)((0xf00 >> len & 0xff) | code); /* as many ones as bytes, then a zero */
    return len;
}

/* The four digits of a \u escape that begins at at; UINT32_MAX if there is none. */
static uint32_t unit_at(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return UINT32_MAX;
    uint32_t unit = 0;
    for (int i = 2; i < 6; i++)
        unit = unit << 4 | (uint32_t)hex(at[i]);
    return unit;
}

static uint32_t take_unicode(struct cursor *c)
{
    uint32_t unit = unit_at(c->at, c->end);
    ASSERT(unit <= 0xffff);
    c->at += 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    uint32_t low = unit < 0xdc00 ? unit_at(c->at, c->end) : UINT32_MAX;
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    c->at += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static uint32_t take_escape(struct cursor *c)
{
    ASSERT(c->end - c->at >= 2);
    char kind = c->at[1];
    if (kind == 'u')
        return take_unicode(c);
    c->at += 2;
    switch (kind) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return (unsigned char)kind; /* quote, backslash, slash */
    }
}

/* The next stretch of a string's meaning: as it stands, or one escape in room. */
static bool next_piece(struct cursor *c, char room[4], struct slice *ret_piece)
{
    if (c->at == c->end)
        return false;
    if (*c->at == '\\') {
        *ret_piece = (struct slice){room, utf8_put(take_escape(c), room)};
        return true;
    }
    const char *slash = memchr(c->at, '\\', (size_t)(c->end - c->at));
    const char *to = slash ? slash : c->end;
    *ret_piece = (struct slice){c->at, (size_t)(to - c->at)};
    c->at = to;
    return true;
}

bool json_string_is(struct json string, const char *text)
{
    if (string.type != JSON_STRING)
        return false;
    struct cursor c = string_inside(string);
    struct slice rest = slice_of(text), piece;
    char room[4];
    while (next_piece(&c, room, &piece)) {
        if (!slice_starts(rest, piece))
            return false;
        rest = slice_from(rest, piece.len);
    }
    return rest.len == 0;
}

long json_string_copy(struct json string, char *room, size_t room_len)
{
    if (string.type != JSON_STRING)
        return -1;
    struct cursor c = string_inside(string);
    struct slice piece;
    char escape[4];
    size_t len = 0;
    while (next_piece(&c, escape, &piece)) {
        if (piece.len > room_len - len)
            return -1;
        memcpy(room + len, piece.data, piece.len);
        len += piece.len;
    }
    return (long)len;
}

size_t json_string_bytes(struct json string)
{
    if (string.type != JSON_STRING)
        return 0;
    struct cursor c = string_inside(string);
    struct slice piece;
    char room[4];
    size_t len = 0;
    while (next_piece(&c, room, &piece))
        len += piece.len;
    return len;
}

bool json_string_next(struct json string, size_t *at, char room[4], struct slice *ret_piece)
{
    ASSERT(string.type == JSON_STRING && *at >= 1 && *at < string.raw.len);
    struct cursor c = string_inside(string);
    c.at = string.raw.data + *at;
    bool more = next_piece(&c, room, ret_piece);
    *at = (size_t)(c.at - string.raw.data);
    return more;
}

int json_integer(struct json number, int64_t *ret_value)
{
    if (number.type != JSON_NUMBER)
        return METE_E_INVALID;
    int rc = decimal_parse(number.raw, 0, ret_value);
    return rc == METE_E_SYNTAX ? METE_E_INVALID : rc; /* more bytes than decimal_parse() takes */
}

static int quote_byte(struct buffer *out, unsigned char byte)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* byte, then its letter */
    for (size_t i = 0; named[i]; i += 2)
        if ((unsigned char)named[i] == byte)
            return buffer_append(out, (struct slice){(char[]){'\\', named[i + 1]}, 2});
    if (byte < 0x20)
        return buffer_format(out, "\\u%04x", byte);
    return buffer_text(out, "\xef\xbf\xbd");
}

int json_quote(struct buffer *out, struct slice text)
{
    size_t len = out->len;
    const char *at = text.data, *end = text.len ? text.data + text.len : text.data;
    int rc = buffer_text(out, "\"");
    while (!rc && at < end) {
        const char *to = plain_end(at, end);
        rc = buffer_append(out, (struct slice){at, (size_t)(to - at)});
        at = to;
        if (!rc && at < end)
            rc = quote_byte(out, (unsigned char)*at++);
    }
    if (!rc)
        rc = buffer_text(out, "\"");
    if (rc)
        out->len = len;
    return rc;
}
