/* SPDX-License-Identifier: Apache-2.0
 * Whether a comma is due is seen from the last byte written: after an opening bracket or a colon
 * there is none. No formatting by printf here: replies are written on the event loop. */
#include "api/out.h"

#include "base/assert.h"
#include "codec/decimal.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"
#include "mete.h"

void out_init(struct out *out, size_t max)
{
    buffer_init(&out->bytes, max);
    out->failed = false;
}

void out_done(struct out *out)
{
    buffer_done(&out->bytes);
}

void out_clear(struct out *out)
{
    buffer_clear(&out->bytes);
    out->failed = false;
}

void out_append(struct out *out, struct slice bytes)
{
    if (out->failed || buffer_append(&out->bytes, bytes))
        out->failed = true;
}

static void comma(struct out *out)
{
    if (!out->bytes.len)
        return;
    char last = out->bytes.data[out->bytes.len - 1];
    if (last != '{' && last != '[' && last != ':')
        out_append(out, SLICE_LITERAL(","));
}

void out_raw(struct out *out, struct slice json)
{
    comma(out);
    out_append(out, json);
}

void out_open(struct out *out, char bracket)
{
    ASSERT(bracket == '{' || bracket == '[');
    out_raw(out, (struct slice){&bracket, 1});
}

void out_close(struct out *out, char bracket)
{
    ASSERT(bracket == '}' || bracket == ']');
    out_append(out, (struct slice){&bracket, 1});
}

void out_key(struct out *out, const char *name)
{
    comma(out);
    out_append(out, SLICE_LITERAL("\""));
    out_append(out, slice_of(name));
    out_append(out, SLICE_LITERAL("\":"));
}

void out_text(struct out *out, struct slice text)
{
    comma(out);
    if (out->failed || json_quote(&out->bytes, text))
        out->failed = true;
}

void out_unsigned(struct out *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    out_raw(out, (struct slice){digits + at, sizeof digits - at});
}

void out_integer(struct out *out, int64_t value)
{
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(value, 0, 0, room);
    out_raw(out, (struct slice){room, len});
}

void out_bool(struct out *out, bool value)
{
    out_raw(out, value ? SLICE_LITERAL("true") : SLICE_LITERAL("false"));
}

void out_null(struct out *out)
{
    out_raw(out, SLICE_LITERAL("null"));
}

void out_page_open(struct out *out)
{
    out_open(out, '{');
    out_key(out, "data");
    out_open(out, '[');
}

void out_page_close(struct out *out, int128 cursor)
{
    out_close(out, ']');
    out_key(out, "next_cursor");
    if (cursor)
        out_decimal(out, cursor, 0, 0);
    else
        out_null(out);
}

void out_decimal(struct out *out, int128 value, unsigned scale, unsigned places)
{
    char room[DECIMAL_ROOM];
    size_t len = decimal_format(value, scale, places, room);
    out_raw(out, SLICE_LITERAL("\""));
    out_append(out, (struct slice){room, len});
    out_append(out, SLICE_LITERAL("\""));
}

void out_amount(struct out *out, uint16_t meter, int128 amount)
{
    if (meter == METE_COST)
        out_decimal(out, amount, 9, 2);
    else
        out_decimal(out, amount, 0, 0);
}

void out_instant(struct out *out, int64_t us)
{
    char room[TIMESTAMP_ROOM];
    size_t len = us == INT64_MAX ? 0 : timestamp_format(us, room);
    if (!len) {
        out_null(out);
        return;
    }
    out_raw(out, SLICE_LITERAL("\""));
    out_append(out, (struct slice){room, len});
    out_append(out, SLICE_LITERAL("\""));
}

void out_member_text(struct out *out, const char *name, struct slice text)
{
    out_key(out, name);
    out_text(out, text);
}

void out_member_integer(struct out *out, const char *name, int64_t value)
{
    out_key(out, name);
    out_integer(out, value);
}

void out_member_bool(struct out *out, const char *name, bool value)
{
    out_key(out, name);
    out_bool(out, value);
}

void out_member_amount(struct out *out, const char *name, uint16_t meter, int128 amount)
{
    out_key(out, name);
    out_amount(out, meter, amount);
}

void out_member_instant(struct out *out, const char *name, int64_t us)
{
    out_key(out, name);
    out_instant(out, us);
}
