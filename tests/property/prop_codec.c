/* SPDX-License-Identifier: Apache-2.0
 * Proves the parsers against other opinions, with texts that the tape makes: JSON against jansson,
 * event streams against a naive reader, decimals against 128-bit arithmetic, dates against the C
 * library's, day by day; and that what is written reads back. */
#include "base/buffer.h"
#include "codec/base62.h"
#include "codec/csv.h"
#include "codec/decimal.h"
#include "codec/timestamp.h"
#include "mete.h"
#include "property/check_codec.h"
#include "property/tape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static void put(struct buffer *out, const char *text)
{
    int rc = buffer_text(out, text);
    ASSERT(rc == 0);
}

static void put_bytes(struct buffer *out, struct slice bytes)
{
    int rc = buffer_append(out, bytes);
    ASSERT(rc == 0);
}

static void put_raw(struct buffer *out, struct tape *tape, size_t len_max)
{
    const uint8_t *bytes;
    size_t len = tape_take(tape, tape_pick(tape, len_max), &bytes);
    put_bytes(out, (struct slice){(const char *)bytes, len});
}

/* ---- JSON ---- */

static void put_one(struct buffer *out, struct tape *tape, const char *const *texts, size_t count)
{
    put(out, texts[tape_pick(tape, count)]);
}
#define PUT_ONE(out, tape, texts) put_one(out, tape, texts, sizeof texts / sizeof texts[0])

static void put_space(struct buffer *out, struct tape *tape)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t", "\r\n", "    "};
    PUT_ONE(out, tape, spaces);
}

/* In each list the last entries are those that jansson has an opinion of its own about; most
 * documents go without, so that their values are compared. */
static void put_string(struct buffer *out, struct tape *tape, bool odd)
{
    static const char *const parts[] = {
        "a",
        "model",
        "the quick brown fox ",
        "\\\"",
        "\\\\",
        "\\/",
        "\\n",
        "\\u0041",
        "\\u00e9",
        "\\u4e2d",
        "\\ud83d\\ude00",
        "\xc3\xa9",
        "\xe4\xb8\xad\xe6\x96\x87",
        "\xf0\x9f\x98\x80",
        "\xf4\x8f\xbf\xbf",
        "{",
        "]",
        ",",
        ":",
        "\x7f", /* here they begin */
        "\\ud800",
        "\\udc00",
        "\\ud800\\u0041",
        "\\u0000",
    };
    size_t count = sizeof parts / sizeof parts[0] - (odd ? 0 : 4);
    put(out, "\"");
    for (size_t left = tape_pick(tape, 6); left > 0; left--)
        put_one(out, tape, parts, count);
    put(out, "\"");
}

static void put_number(struct buffer *out, struct tape *tape, bool odd)
{
    static const char *const wholes[] = {
        "0",
        "1",
        "-1",
        "10",
        "-0",
        "9223372036854775807",
        "-9223372036854775808",
        "123456789",
        "9223372036854775808",
        "-9223372036854775809",
    };
    static const char *const rests[] = {"",   "",    "",       ".0",    ".5",
                                        "e3", "E-2", ".25e+2", "e-400", "e400"};
    put_one(out, tape, wholes, sizeof wholes / sizeof wholes[0] - (odd ? 0 : 2));
    put_one(out, tape, rests, sizeof rests / sizeof rests[0] - (odd ? 0 : 1));
}

static void put_scalar(struct buffer *out, struct tape *tape, bool odd)
{
    static const char *const words[] = {"null", "true", "false"};
    size_t kind = tape_pick(tape, 4);
    if (kind == 0)
        PUT_ONE(out, tape, words);
    else if (kind == 1)
        put_number(out, tape, odd);
    else
        put_string(out, tape, odd);
}

enum { NEST_MAX = 140 };

/* A right document, unless it nests too deep. */
static void put_document(struct buffer *out, struct tape *tape)
{
    char open[NEST_MAX];
    size_t depth = 0;
    bool first = true;
    bool odd = tape_chance(tape, 20);
    unsigned deeper = tape_chance(tape, 20) ? 90 : 40;
    do {
        put_space(out, tape);
        if (depth && (tape_done(tape) || tape_chance(tape, 15))) {
            put(out, open[--depth] == '{' ? "}" : "]");
            first = false;
            continue;
        }
        if (!first)
            put(out, ",");
        put_space(out, tape);
        if (depth && open[depth - 1] == '{') {
            put_string(out, tape, odd);
            put_space(out, tape);
            put(out, ":");
            put_space(out, tape);
        }
        first = depth < NEST_MAX && tape_chance(tape, depth ? deeper : 90);
        if (first) {
            open[depth] = tape_chance(tape, 50) ? '[' : '{';
            put_bytes(out, (struct slice){&open[depth++], 1});
        } else {
            put_scalar(out, tape, odd);
        }
    } while (depth);
    put_space(out, tape);
}

/* Takes out, puts in or changes a few bytes. */
static void mutate(struct buffer *text, struct tape *tape)
{
    static const char bytes[] = "\"\\{}[],:0-+.eE \nu\x80\xc0\xe0\xed\xff\x1f";
    for (size_t count = tape_pick(tape, 8); count > 0 && text->len; count--) {
        size_t at = (size_t)tape_u64(tape, text->len - 1);
        size_t how = tape_pick(tape, 3);
        if (how == 0) {
            memmove(text->data + at, text->data + at + 1, text->len - at - 1);
            text->len--;
            continue;
        }
        if (how == 1) {
            put(text, " ");
            memmove(text->data + at + 1, text->data + at, text->len - at - 1);
        }
        text->data[at] = bytes[tape_pick(tape, sizeof bytes)]; /* the NUL is one of them */
    }
}

static int json_is_what_jansson_reads(struct tape *tape)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    bool wrong = tape_chance(tape, 50);
    put_document(&text, tape);
    if (wrong)
        mutate(&text, tape);
    int rc = check_json(buffer_slice(&text));
    buffer_done(&text);
    return rc;
}

static int any_bytes_can_be_quoted(struct tape *tape)
{
    const uint8_t *bytes;
    struct buffer text;
    buffer_init(&text, 1 << 20);
    if (tape_chance(tape, 50))
        put_document(&text, tape);
    size_t len = tape_take(tape, 300, &bytes);
    put_bytes(&text, (struct slice){(const char *)bytes, len});
    int rc = check_quote(buffer_slice(&text)) || check_json(buffer_slice(&text));
    buffer_done(&text);
    return rc;
}

/* ---- Event streams ---- */

static int streams_are_the_same_in_pieces(struct tape *tape)
{
    static const char *const parts[] = {
        "\n",   "\n\n",        "\r",           "\r\n",      "\r\n\r\n", "data: ",    "data:",
        "data", "event: ping", "event",        ": comment", "id: 1",    "{\"a\":1}", "x",
        " ",    ":",           "\xef\xbb\xbf", "datum: 1",  "data : 1",
    };
    struct buffer stream;
    buffer_init(&stream, 1 << 20);
    size_t event_max = (size_t)tape_u64(tape, 100) + 1;
    for (size_t count = tape_pick(tape, 60); count > 0; count--) {
        PUT_ONE(&stream, tape, parts);
        if (tape_chance(tape, 10))
            put_raw(&stream, tape, 20);
    }
    int rc = check_sse(buffer_slice(&stream), event_max, tape);
    buffer_done(&stream);
    return rc;
}

/* ---- Decimals ---- */

static int128 power(unsigned exponent)
{
    int128 value = 1;
    for (; exponent > 0; exponent--)
        value *= 10;
    return value;
}

/* digits * 10^shift, written in one of its many ways. */
static void put_decimal(struct buffer *out, struct tape *tape, uint64_t digits, int shift)
{
    char text[40];
    int point = (int)tape_pick(tape, 24); /* so many digits after the point */
    int len = snprintf(text, sizeof text, "%0*llu", point + 1, (unsigned long long)digits);
    ASSERT(len > point);
    put_bytes(out, (struct slice){text, (size_t)(len - point)});
    if (point) {
        put(out, ".");
        put_bytes(out, (struct slice){text + len - point, (size_t)point});
    }
    int exponent = shift + point;
    if (exponent || tape_chance(tape, 20)) {
        int rc = buffer_format(out, tape_chance(tape, 50) ? "e%d" : "E%+d", exponent);
        ASSERT(rc == 0);
    }
}

/* What decimal_parse128() must say of digits * 10^shift: all of it fits in 128 bits. */
static int expected(uint64_t digits, int shift, bool minus, bool round_up, int128 *ret_value)
{
    int128 value = digits;
    if (shift >= 0) {
        value *= power((unsigned)shift);
    } else {
        int128 unit = power((unsigned)-shift);
        if (value % unit && !round_up)
            return METE_E_INVALID;
        value = value / unit + (value % unit ? 1 : 0);
    }
    *ret_value = minus ? -value : value;
    return 0;
}

static int decimals_are_read_as_wide_arithmetic_has_them(struct tape *tape)
{
    uint64_t digits = tape_u64(tape, UINT64_C(9999999999999999999));
    int shift = (int)tape_range(tape, -19, 19); /* of the value asked for */
    unsigned scale = (unsigned)tape_pick(tape, 37);
    bool minus = tape_chance(tape, 30), round_up = tape_chance(tape, 50);
    struct buffer text;
    buffer_init(&text, 64 + 64);
    put(&text, minus ? "-" : "");
    put_decimal(&text, tape, digits, shift - (int)scale);
    int128 value = 4711, wanted = 4711;
    int rc = decimal_parse128(buffer_slice(&text), scale, round_up, &value);
    int wanted_rc = expected(digits, shift, minus, round_up, &wanted);
    if (rc != wanted_rc || value != wanted)
        fprintf(stderr, "%.*s times 10^%u\n", (int)text.len, text.data, scale);
    buffer_done(&text);
    HOLDS(rc == wanted_rc);
    HOLDS(value == wanted);
    return 0;
}

__extension__ typedef unsigned __int128 uint128;

static int decimals_read_back(struct tape *tape)
{
    uint64_t high = tape_u64(tape, UINT64_MAX), low = tape_u64(tape, UINT64_MAX);
    int128 value = (int128)((uint128)high << 64 | low), again = 0;
    unsigned scale = (unsigned)tape_pick(tape, 37);
    unsigned places = (unsigned)tape_pick(tape, DECIMAL_PLACES_MAX + 1);
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(value, scale, places, room);
    HOLDS(len == strlen(room));
    HOLDS(decimal_parse128((struct slice){room, len}, scale, false, &again) == 0);
    HOLDS(again == value);
    const char *point = strchr(room, '.');
    size_t after = point ? strlen(point + 1) : 0;
    HOLDS(after >= places);
    HOLDS(after <= places || room[len - 1] != '0'); /* no digit more than it needs */
    HOLDS(room[0] != '0' || len == 1 || room[1] == '.');
    return 0;
}

static int any_bytes_are_a_decimal_or_refused(struct tape *tape)
{
    static const char bytes[] = "0123456789.-+eE";
    char text[80];
    size_t len = tape_pick(tape, sizeof text);
    for (size_t i = 0; i < len; i++)
        text[i] = bytes[tape_pick(tape, sizeof bytes)];
    int128 value = 4711;
    int rc = decimal_parse128((struct slice){text, len}, (unsigned)tape_pick(tape, 37),
                              tape_chance(tape, 50), &value);
    HOLDS(rc == 0 || rc == METE_E_SYNTAX || rc == METE_E_INVALID || rc == METE_E_TOO_LARGE);
    HOLDS(rc == 0 || value == 4711);
    return 0;
}

/* ---- Time ---- */

static int check_day(int64_t days, int year, unsigned month, unsigned day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
    HOLDS((int64_t)timegm(&tm) == days * 86400); /* the C library normalises tm: ... */
    HOLDS(tm.tm_mday == (int)day && tm.tm_mon == (int)month - 1); /* ... no such day would move */
    HOLDS(timestamp_days(year, month, day) == days);
    int64_t other_year;
    unsigned other_month, other_day;
    timestamp_date(days, &other_year, &other_month, &other_day);
    HOLDS(other_year == year && other_month == month && other_day == day);
    int64_t us = (days * 86400 + days % 86400) * 1000000 + days % 3;
    char text[TIMESTAMP_ROOM], date[16];
    size_t len = timestamp_format(us, text);
    snprintf(date, sizeof date, "%04d-%02u-%02uT", year, month, day);
    HOLDS(len > 11 && memcmp(text, date, 11) == 0);
    int64_t again = -1;
    HOLDS(timestamp_parse((struct slice){text, len}, &again) == 0 && again == us);
    return 0;
}

/* Also that a day past the end of its month is refused. */
static int check_month(int64_t *days, int year, unsigned month)
{
    unsigned day = 1;
    for (;; day++, ++*days) {
        struct tm tm = {.tm_year = year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
        if (timegm(&tm) == -1 || tm.tm_mon != (int)month - 1)
            break;
        if (check_day(*days, year, month, day))
            return 1;
    }
    char text[40];
    int64_t us;
    int len = snprintf(text, sizeof text, "%04d-%02u-%02uT00:00:00Z", year, month, day);
    HOLDS(timestamp_parse((struct slice){text, (size_t)len}, &us) == METE_E_SYNTAX);
    return 0;
}

static void every_day_of_eight_thousand_years(void **state)
{
    (void)state;
    int64_t days = 0;
    for (int year = 1970; year <= 9999; year++)
        for (unsigned month = 1; month <= 12; month++)
            assert_int_equal(check_month(&days, year, month), 0);
    assert_int_equal(days, 2932897);
}

static int instants_read_back_from_any_zone(struct tape *tape)
{
    int64_t last = INT64_C(253402300799999999) - INT64_C(86400000000); /* 9999 in any zone */
    int64_t us = tape_range(tape, 0, last), again = -1;
    int east = (int)tape_range(tape, -(23 * 60 + 59), 23 * 60 + 59); /* minutes */
    char text[TIMESTAMP_ROOM], zoned[80];
    size_t len = timestamp_format(us + (int64_t)east * 60000000, text);
    HOLDS(len > 0 && text[len - 1] == 'Z');
    text[10] = tape_chance(tape, 30) ? ' ' : 'T';
    snprintf(zoned, sizeof zoned, "%.*s%c%02d:%02d", (int)len - 1, text, east < 0 ? '-' : '+',
             abs(east) / 60, abs(east) % 60);
    int rc = timestamp_parse(slice_of(zoned), &again);
    bool written = strncmp(zoned, "1970", 4) >= 0; /* it may be 1969 there */
    HOLDS(rc == (written ? 0 : METE_E_SYNTAX));
    HOLDS(!written || again == us);
    return 0;
}

/* ---- The others ---- */

static int numbers_in_base_62_read_back(struct tape *tape)
{
    uint64_t value = tape_u64(tape, UINT64_MAX), again = 0;
    char room[11];
    base62_encode(value, room, sizeof room);
    HOLDS(base62_decode((struct slice){room, sizeof room}, &again) == 0 && again == value);
    size_t at = tape_pick(tape, sizeof room);
    room[at] = (char)tape_byte(tape);
    struct slice text = {room, sizeof room};
    if (base62_decode(text, &again) == 0) {
        char back[11];
        base62_encode(again, back, sizeof back);
        HOLDS(slice_equal((struct slice){back, sizeof back}, text));
    }
    return 0;
}

static void put_field(struct buffer *line, struct slice field, bool quoted)
{
    if (quoted)
        put(line, "\"");
    for (size_t i = 0; i < field.len; i++) {
        put_bytes(line, slice_part(field, i, 1));
        if (field.data[i] == '"')
            put(line, "\"");
    }
    if (quoted)
        put(line, "\"");
}

static int csv_fields_read_back(struct tape *tape)
{
    static const char bytes[] = "ab ,\"\r";
    char texts[8][8];
    struct slice fields[8], again[8] = {{0}};
    struct buffer line;
    size_t count = tape_pick(tape, 8) + 1;
    buffer_init(&line, 1000);
    for (size_t i = 0; i < count; i++) {
        fields[i] = (struct slice){texts[i], tape_pick(tape, 8)};
        bool quoted = false;
        for (size_t b = 0; b < fields[i].len; b++) {
            texts[i][b] = bytes[tape_pick(tape, sizeof bytes - 1)];
            quoted = quoted || strchr(",\"\r", texts[i][b]);
        }
        put(&line, i ? "," : "");
        put_field(&line, fields[i], quoted || tape_chance(tape, 30));
    }
    int split = csv_split(line.data, line.len, again, 8);
    int fault = split != (int)count;
    for (size_t i = 0; !fault && i < count; i++)
        fault = !slice_equal(again[i], fields[i]);
    buffer_done(&line);
    HOLDS(!fault);
    return 0;
}

#define RUN(property, tapes, len_max)                                                              \
    assert_int_equal(tape_run(#property, property, (tapes), (len_max)), 0)

static void texts(void **state)
{
    (void)state;
    RUN(json_is_what_jansson_reads, 20000, 400);
    RUN(any_bytes_can_be_quoted, 5000, 400);
    RUN(streams_are_the_same_in_pieces, 10000, 300);
    RUN(csv_fields_read_back, 5000, 80);
}

static void numbers(void **state)
{
    (void)state;
    RUN(decimals_are_read_as_wide_arithmetic_has_them, 50000, 20);
    RUN(decimals_read_back, 20000, 24);
    RUN(any_bytes_are_a_decimal_or_refused, 20000, 90);
    RUN(instants_read_back_from_any_zone, 20000, 20);
    RUN(numbers_in_base_62_read_back, 10000, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(numbers),
        cmocka_unit_test(every_day_of_eight_thousand_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
