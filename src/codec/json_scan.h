/* SPDX-License-Identifier: Apache-2.0
 * JSON in place, for bodies on the gateway's way: find where things are, splice, forward the rest
 * untouched. Nothing is allocated or copied. Strict RFC 8259, UTF-8 checked, depth at most
 * JSON_DEPTH_MAX. All functions are linear in the bytes they pass and read none beyond them.
 * Not to be included beside jansson.h: they have names in common. */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include "base/slice.h"

#include <stdint.h>

enum { JSON_DEPTH_MAX = 128 };

enum json_type {
    JSON_NONE = 0,
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

/* A value as it stands in the text: raw covers it whole, quotes and braces included. */
struct json {
    enum json_type type;
    struct slice raw;
};

/* One whole document, white space around it allowed. METE_E_SYNTAX; METE_E_TOO_LARGE: too deep.
 * Where: *ret_at, unless NULL, gets the offset of the first wrong byte (only then); text.len when
 * the text ends too early. Escapes that name half a surrogate pair are accepted, as RFC 8259 does.
 */
__attribute__((warn_unused_result)) int json_scan(struct slice text, struct json *ret_value,
                                                  size_t *ret_at);

/* Bytes of the string or number that text begins with; 0: with neither, or with a part of one. A
 * number is as long as it can be, so what follows may still be nothing that can follow one. */
size_t json_scalar_len(struct slice text);

/* The functions below take values that json_scan() has accepted, or parts of them. */

/* Walks the members of an object or the elements of an array; start with *at = 0. Returns false
 * after the last, and for any other type. ret_key (raw, with quotes) may be NULL, and is JSON_NONE
 * in arrays. */
bool json_next(struct json container, size_t *at, struct json *ret_key, struct json *ret_value);

/* Member by name, compared after unescaping; the last one if repeated, as most parsers have it.
 * JSON_NONE if absent or if container is no object. */
struct json json_member(struct json container, const char *name);
/* How many members have that name. */
size_t json_count(struct json container, const char *name);

/* Of a value that is no string these three say false, -1 and 0. */
bool json_string_is(struct json string, const char *text);
/* Unescapes into room. Returns the length, or -1 when it does not fit. A lone surrogate becomes
 * U+FFFD. Not terminated, and may hold a NUL. */
long json_string_copy(struct json string, char *room, size_t room_len);
/* Bytes of the string in UTF-8 once unescaped. */
size_t json_string_bytes(struct json string);
/* Walks a string's meaning: *ret_piece is the next stretch of it, in the text itself or one escape
 * in room; *at, 1 at first, is where in string.raw the stretch after it begins. False: no more. */
bool json_string_next(struct json string, size_t *at, char room[4], struct slice *ret_piece);
/* A whole number, also written 1.0 or 1e3. METE_E_INVALID: not a whole number, no number, or one
 * written in more than 64 bytes; METE_E_TOO_LARGE: beyond int64. */
__attribute__((warn_unused_result)) int json_integer(struct json number, int64_t *ret_value);

/* Appends text as a JSON string with quotes. Each byte of invalid UTF-8 becomes U+FFFD. On a
 * failure (TOO_LARGE, MEMORY) out holds what it held. */
struct buffer;
__attribute__((warn_unused_result)) int json_quote(struct buffer *out, struct slice text);

#endif
