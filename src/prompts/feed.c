/* SPDX-License-Identifier: Apache-2.0 */
#include "prompts/feed.h"

#include "base/assert.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void feed_begin(struct feed *feed, struct tokenizer *tokenizer)
{
    feed->tokenizer = tokenizer;
    feed->marks = (struct feed_marks){0};
    feed->last = '\0';
    feed->error = 0;
    feed->spilled = false;
    feed->used = 0;
    feed->counter = (struct counter){0};
}

void feed_add(struct feed_marks *marks, struct feed_marks more)
{
    marks->wide += more.wide;
    marks->digits += more.digits;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* last: the byte before. */
static struct feed_marks marks_of(struct slice text, char last)
{
    struct feed_marks marks = {0};
    size_t i = 0;
#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128(), one = _mm_set1_epi8(1);
    const __m128i nought = _mm_set1_epi8((char)(128 - '0')), ten = _mm_set1_epi8(-128 + 10);
    __m128i wide = zero, digits = zero, bytes; /* sums: two of eight bytes each */
    __m128i before = _mm_cvtsi32_si128(is_digit(last) ? 0xff : 0);
    for (; text.len - i >= sizeof bytes; i += sizeof bytes) {
        memcpy(&bytes, text.data + i, sizeof bytes);
        __m128i digit = _mm_cmplt_epi8(_mm_add_epi8(bytes, nought), ten);
        __m128i behind = _mm_and_si128(digit, _mm_or_si128(_mm_slli_si128(digit, 1), before));
        before = _mm_srli_si128(digit, sizeof bytes - 1);
        bytes = _mm_and_si128(_mm_cmplt_epi8(bytes, zero), one);
        wide = _mm_add_epi64(wide, _mm_sad_epu8(bytes, zero));
        digits = _mm_add_epi64(digits, _mm_sad_epu8(_mm_and_si128(behind, one), zero));
    }
    marks.wide = _mm_cvtsi128_si64(_mm_add_epi64(wide, _mm_unpackhi_epi64(wide, wide)));
    marks.digits = _mm_cvtsi128_si64(_mm_add_epi64(digits, _mm_unpackhi_epi64(digits, digits)));
#endif
    for (; i < text.len; i++) {
        marks.wide += (unsigned char)text.data[i] >> 7;
        marks.digits += is_digit(text.data[i]) && is_digit(i ? text.data[i - 1] : last);
    }
    return marks;
}

static void mark(struct feed *feed, struct slice text)
{
    if (!text.len)
        return;
    feed_add(&feed->marks, marks_of(text, feed->last));
    feed->last = text.data[text.len - 1];
}

static void spill(struct feed *feed, struct slice text)
{
    if (!feed->error && text.len)
        feed->error = counter_feed(&feed->counter, feed->tokenizer, text);
    feed->spilled = true;
}

static void empty_room(struct feed *feed)
{
    spill(feed, (struct slice){feed->room, feed->used});
    feed->used = 0;
}

void feed_text(struct feed *feed, struct slice text)
{
    mark(feed, text);
    if (text.len > FEED_ROOM - feed->used)
        empty_room(feed);
    if (text.len > FEED_ROOM) {
        spill(feed, text);
        return;
    }
    if (text.len)
        memcpy(feed->room + feed->used, text.data, text.len);
    feed->used += text.len;
}

int64_t feed_end(struct feed *feed)
{
    int64_t count = -1;
    if (feed->spilled) {
        empty_room(feed);
        count = feed->error ? -1 : counter_total(&feed->counter);
    } else if (!feed->error) {
        feed->error =
            tokenizer_count(feed->tokenizer, (struct slice){feed->room, feed->used}, &count);
    }
    counter_done(&feed->counter);
    return feed->error ? -1 : count;
}

/* ---- Escapes --------------------------------------------------------------------------------- */

static uint32_t hex4(const char *at)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    return value;
}

static size_t put_point(uint32_t point, char to[4])
{
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (len == 1) {
        to[0] = (char)point;
        return 1;
    }
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        to[i] = (char)(0x80 | (point & 0x3f));
    to[0] = (char)(0xf00 >> len | point);
    return len;
}

/* What the escape at text's start means, which json_scan() has accepted. Returns its bytes: no
 * fewer than *ret_len. */
static size_t read_escape(struct slice text, char to[4], size_t *ret_len)
{
    static const char letters[] = "n\nt\tr\rb\bf\f";
    char letter = text.data[1];
    *ret_len = 1;
    if (letter != 'u') {
        to[0] = letter;
        for (size_t i = 0; i < sizeof letters - 1; i += 2)
            if (letters[i] == letter)
                to[0] = letters[i + 1];
        return 2;
    }
    uint32_t point = hex4(text.data + 2);
    size_t len = 6;
    if (point >= 0xd800 && point <= 0xdfff) {
        uint32_t low = 0;
        if (point < 0xdc00 && text.len >= 12 && text.data[6] == '\\' && text.data[7] == 'u')
            low = hex4(text.data + 8);
        bool pair = low >= 0xdc00 && low <= 0xdfff;
        point = pair ? 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
        len = pair ? 12 : 6;
    }
    *ret_len = put_point(point, to);
    return len;
}

static size_t feed_escape(struct feed *feed, struct slice text)
{
    char meant[4];
    size_t len, bytes = read_escape(text, meant, &len);
    feed_text(feed, (struct slice){meant, len});
    return bytes;
}

#ifdef __SSE2__
/* The bytes before text's first backslash, by strides; others may be written behind them. What is
 * left, less than a stride, is not looked at. */
static size_t copy_plain(struct slice text, char *to)
{
    const __m128i slash = _mm_set1_epi8('\\');
    size_t at = 0;
    for (; text.len - at >= FEED_STRIDE; at += FEED_STRIDE) {
        __m128i bytes;
        memcpy(&bytes, text.data + at, sizeof bytes);
        memcpy(to + at, &bytes, sizeof bytes);
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, slash));
        if (found)
            return at + (size_t)__builtin_ctz(found);
    }
    return at;
}
#else
static size_t copy_plain(struct slice text, char *to)
{
    const char *slash = memchr(text.data, '\\', text.len);
    size_t len = slash ? (size_t)(slash - text.data) : text.len;
    memcpy(to, text.data, len);
    return len;
}
#endif

/* What the first most bytes of text mean, and the rest of an escape that begins among them. to: of
 * most bytes and two strides. Returns text's bytes. */
static size_t unescape(struct slice text, size_t most, char *to, size_t *ret_len)
{
    size_t at = 0, put = 0, len;
    while (at < most) {
        len = copy_plain(slice_part(text, at, most - at), to + put);
        at += len;
        put += len;
        while (at < most && text.data[at] != '\\')
            to[put++] = text.data[at++];
        if (at < most) {
            at += read_escape(slice_from(text, at), to + put, &len);
            put += len;
        }
    }
    *ret_len = put;
    return at;
}

static struct slice inside(struct json string)
{
    if (string.type != JSON_STRING)
        return string.raw;
    return slice_part(string.raw, 1, string.raw.len - 2);
}

void feed_string(struct feed *feed, struct json string)
{
    struct slice text = inside(string);
    while (text.len) {
        if (feed->used && text.len > FEED_ROOM - feed->used)
            empty_room(feed);
        size_t most = text.len < FEED_ROOM ? text.len : FEED_ROOM - FEED_STRIDE, len;
        char *to = feed->room + feed->used;
        text = slice_from(text, unescape(text, most, to, &len));
        mark(feed, (struct slice){to, len});
        feed->used += len;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Bytes of a list of strings that text begins with; 0: it is something else. */
static size_t words_len(struct slice text)
{
    size_t at = 1, len;
    if (!text.len || *text.data != '[')
        return 0;
    for (; at < text.len && text.data[at] != ']'; at += len) {
        char c = text.data[at];
        len = c == '"' ? json_scalar_len(slice_from(text, at)) : 1;
        if (c != '"' && c != ',' && (unsigned char)c > ' ')
            return 0;
    }
    return at + 1;
}

/* Bytes of a member that text begins with and that is left out of a shape: that no other members
 * may be, and if drop which there must be. The comma behind it goes with it. */
static size_t aside(struct slice text, bool drop)
{
    size_t at = json_scalar_len(text), len = 0;
    bool required = drop && slice_is(slice_part(text, 0, at), "\"required\"");
    if (!required && !slice_is(slice_part(text, 0, at), "\"additionalProperties\""))
        return 0;
    while (at < text.len && ((unsigned char)text.data[at] <= ' ' || text.data[at] == ':'))
        at++;
    struct slice value = slice_from(text, at);
    if (required)
        len = words_len(value);
    else if (slice_starts(value, SLICE_LITERAL("false")))
        len = 5;
    if (!len)
        return 0;
    at += len;
    while (at < text.len && ((unsigned char)text.data[at] <= ' ' || text.data[at] == ','))
        at++;
    return at;
}

/* A string as JSON has it; only characters that are written by number are themselves. */
static size_t feed_quoted(struct feed *feed, struct slice text)
{
    size_t len = json_scalar_len(text);
    ASSERT(len >= 2); /* json_scan() has accepted it */
    for (struct slice rest = slice_part(text, 0, len); rest.len;) {
        const char *slash = memchr(rest.data, '\\', rest.len);
        size_t plain = slash ? (size_t)(slash - rest.data) : rest.len;
        bool number = slash && slash[1] == 'u';
        if (slash && !number)
            plain += 2;
        feed_text(feed, slice_part(rest, 0, plain));
        rest = slice_from(rest, plain);
        if (number)
            rest = slice_from(rest, feed_escape(feed, rest));
    }
    return len;
}

/* Of a shape a comma waits for what comes behind it, which may be left out. */
static void feed_value(struct feed *feed, struct slice text, bool shape, bool drop)
{
    bool comma = false;
    while (text.len) {
        size_t plain = 0, len = shape && *text.data == '"' ? aside(text, drop) : 0;
        if (len || (unsigned char)*text.data <= ' ') {
            text = slice_from(text, len ? len : 1);
            continue;
        }
        if (comma && *text.data != '}')
            feed_text(feed, SLICE_LITERAL(","));
        comma = false;
        if (*text.data == '"') {
            text = slice_from(text, feed_quoted(feed, text));
            continue;
        }
        while (plain < text.len && (unsigned char)text.data[plain] > ' ' && text.data[plain] != '"')
            plain++;
        comma = shape && text.data[plain - 1] == ',';
        feed_text(feed, slice_part(text, 0, plain - comma));
        text = slice_from(text, plain);
    }
}

void feed_json(struct feed *feed, struct json value)
{
    feed_value(feed, value.raw, false, false);
}

void feed_shape(struct feed *feed, struct json schema, bool required)
{
    feed_value(feed, schema.raw, true, !required);
}

/* Spaces outside of inner strings are passed over: an inner quote stands there as \", and one
 * inside an inner string as \\\". */
void feed_json_text(struct feed *feed, struct json string)
{
    struct slice text = inside(string);
    bool quoted = false;
    while (text.len) {
        bool escape = *text.data == '\\';
        if (escape && text.data[1] == '"') {
            quoted = !quoted;
        } else if (escape && quoted && text.data[1] == '\\' && text.len > 3) {
            /* An inner escape, and what it escapes: both stand for themselves. */
            feed_text(feed, SLICE_LITERAL("\\"));
            text = slice_from(text, 2);
            escape = *text.data == '\\';
        } else if (!quoted && (*text.data == ' ' || (escape && memchr("nrt", text.data[1], 3)))) {
            text = slice_from(text, escape ? 2 : 1);
            continue;
        }
        size_t len = 1;
        if (escape)
            len = feed_escape(feed, text);
        else
            feed_text(feed, slice_part(text, 0, 1));
        text = slice_from(text, len);
    }
}

int64_t feed_count(struct tokenizer *tokenizer, struct json string, struct feed_marks *marks)
{
    struct slice text = inside(string);
    int64_t count = -1;
    if (!text.len)
        return 0;
    if (!memchr(text.data, '\\', text.len)) {
        feed_add(marks, marks_of(text, '\0'));
        return tokenizer_count(tokenizer, text, &count) ? -1 : count;
    }
    struct feed feed;
    feed_begin(&feed, tokenizer);
    feed_string(&feed, string);
    feed_add(marks, feed.marks);
    return feed_end(&feed);
}
