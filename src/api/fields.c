/* SPDX-License-Identifier: Apache-2.0
 * One pass over the object's members, each looked up in the table by comparing names (tables are
 * short), then one over the table for what is required and missing. Which members came is a bit
 * set, so that a repeated one is seen: parsers disagree on which counts, so neither does here. */
#include "api/fields.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/decimal.h"
#include "codec/timestamp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

int fields_fault(const struct fields *fields, int error, const char *name, const char *format, ...)
{
    char path[PROBLEM_FIELD], detail[PROBLEM_DETAIL];
    snprintf(path, sizeof path, "%s%s%s", fields->path, fields->path[0] && name[0] ? "." : "",
             name);
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return problem_set(fields->problem, error, path, "%s", detail);
}

const char *fields_word(const struct word *words, int value)
{
    for (; words->name; words++)
        if (words->value == value)
            return words->name;
    return "";
}

bool fields_is_id(struct slice text)
{
    if (!text.len || text.len > LIMIT_ID)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '_' && c != ':' && c != '@' && c != '~' && c != '-')
            return false;
    }
    return true;
}

/* The string's characters: as they stand in the body if nothing is escaped, else in the arena. */
int fields_text(const struct fields *fields, const char *name, struct json value,
                struct slice *ret_text)
{
    if (value.type != JSON_STRING)
        return fields_fault(fields, METE_E_INVALID, name, "It must be a string.");
    ASSERT(value.raw.len >= 2);
    struct slice text = slice_part(value.raw, 1, value.raw.len - 2);
    if (text.len && memchr(text.data, '\\', text.len)) {
        char *room = arena_take(fields->arena, text.len);
        if (!room)
            return fields_fault(fields, METE_E_TOO_LARGE, name, "The body is too large.");
        long len = json_string_copy(value, room, text.len);
        ASSERT(len >= 0); /* unescaping never makes a text longer */
        text = (struct slice){room, (size_t)len};
    }
    *ret_text = text;
    return 0;
}

static int read_text(const struct fields *fields, const struct field *field, struct json value,
                     struct slice *ret_text)
{
    struct slice text;
    int rc = fields_text(fields, field->name, value, &text);
    if (rc)
        return rc;
    if ((int64_t)text.len < field->min || (int64_t)text.len > field->max)
        return fields_fault(fields, METE_E_INVALID, field->name,
                            "It must have %" PRId64 " to %" PRId64 " bytes.", field->min,
                            field->max);
    unsigned char least = field->type == FIELD_TEXT ? ' ' : '!';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < least || c == 0x7f || (c > 0x7f && field->type != FIELD_TEXT))
            return fields_fault(
                fields, METE_E_INVALID, field->name, "It must have only %s characters.",
                field->type == FIELD_TEXT ? "printable" : "printable ASCII (no space)");
    }
    *ret_text = text;
    return 0;
}

static int read_id(const struct fields *fields, const struct field *field, struct json value,
                   struct slice *ret_text)
{
    struct slice text;
    int rc = fields_text(fields, field->name, value, &text);
    if (rc)
        return rc;
    if (!fields_is_id(text))
        return fields_fault(fields, METE_E_INVALID, field->name,
                            "It must have 1 to %d characters of A-Z a-z 0-9 . _ : @ ~ -.",
                            LIMIT_ID);
    *ret_text = text;
    return 0;
}

static int read_word(const struct fields *fields, const struct field *field, struct json value,
                     int *ret_value)
{
    struct slice text;
    int rc = fields_text(fields, field->name, value, &text);
    if (rc)
        return rc;
    char known[160] = "";
    size_t len = 0;
    for (const struct word *word = field->words; word->name; word++) {
        if (slice_is(text, word->name)) {
            *ret_value = word->value;
            return 0;
        }
        len +=
            (size_t)snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "", word->name);
        len = len < sizeof known ? len : sizeof known - 1;
    }
    return fields_fault(fields, METE_E_INVALID, field->name, "It must be one of: %s.", known);
}

/* Digits, perhaps a point and more digits: what the contract has for a string. */
static bool is_plain_decimal(struct slice text)
{
    size_t whole = 0, at = 0, places = 0;
    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
        whole = ++at;
    if (at < text.len && text.data[at] == '.') {
        for (at++; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++)
            places++;
        if (places < 1 || places > 9)
            return false;
    }
    return at == text.len && whole >= 1 && whole <= 19;
}

/* Money may come as a number: its digits are taken as they were written, never through a double. */
static int read_amount(const struct fields *fields, const struct field *field, struct json value,
                       struct slice *ret_text)
{
    struct slice text = value.raw;
    if (value.type != JSON_NUMBER) {
        int rc = value.type == JSON_STRING ? fields_text(fields, field->name, value, &text)
                                           : METE_E_INVALID;
        if (rc)
            return fields_fault(fields, METE_E_INVALID, field->name,
                                "It must be a decimal string.");
    }
    int128 parsed;
    int rc = decimal_parse128(text, 18, true, &parsed);
    bool negative = !rc && parsed < 0;
    if (rc == METE_E_SYNTAX || (value.type == JSON_STRING && !negative && !is_plain_decimal(text)))
        return fields_fault(fields, METE_E_INVALID, field->name,
                            "It must be a decimal such as \"5.00\", with 1 to 9 places if any.");
    if (rc)
        return fields_fault(fields, METE_E_INVALID, field->name, "It is too large.");
    if (parsed < 0 && field->min >= 0)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must not be negative.");
    *ret_text = text;
    return 0;
}

static int read_count(const struct fields *fields, const struct field *field, struct json value,
                      int64_t *ret_value)
{
    int64_t count;
    if (value.type != JSON_NUMBER)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must be a whole number.");
    int rc = json_integer(value, &count);
    if (rc == METE_E_INVALID)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must be a whole number.");
    if (rc || count < field->min || count > field->max)
        return fields_fault(fields, METE_E_INVALID, field->name,
                            "It must be from %" PRId64 " to %" PRId64 ".", field->min, field->max);
    *ret_value = count;
    return 0;
}

static int read_ratio(const struct fields *fields, const struct field *field, struct json value,
                      int64_t *ret_ppm)
{
    int128 ppm;
    if (value.type != JSON_NUMBER || decimal_parse128(value.raw, 6, true, &ppm) || ppm <= 0 ||
        ppm > (int128)field->max * 1000000)
        return fields_fault(fields, METE_E_INVALID, field->name,
                            "It must be a number above 0 and at most %" PRId64 ".", field->max);
    *ret_ppm = (int64_t)ppm;
    return 0;
}

static int read_share(const struct fields *fields, const struct field *field, struct json value,
                      int64_t *ret_ppm)
{
    int128 ppm;
    if (value.type != JSON_NUMBER || decimal_parse128(value.raw, 6, true, &ppm) || ppm < 0 ||
        ppm > 1000000)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must be a number, 0 to 1.");
    *ret_ppm = (int64_t)ppm;
    return 0;
}

static int read_bool(const struct fields *fields, const struct field *field, struct json value,
                     bool *ret_value)
{
    if (value.type != JSON_TRUE && value.type != JSON_FALSE)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must be true or false.");
    *ret_value = value.type == JSON_TRUE;
    return 0;
}

/* The codec reads what traces write, too; a request has the T and says its zone. */
static bool has_zone(struct slice text)
{
    if (text.len < 20 || text.data[10] != 'T')
        return false;
    char sign = text.len >= 25 ? text.data[text.len - 6] : 0;
    return text.data[text.len - 1] == 'Z' || sign == '+' || sign == '-';
}

static int read_instant(const struct fields *fields, const struct field *field, struct json value,
                        int64_t *ret_us)
{
    struct slice text;
    int rc = fields_text(fields, field->name, value, &text);
    if (rc)
        return rc;
    int64_t us;
    if (!has_zone(text) || timestamp_parse(text, &us))
        return fields_fault(fields, METE_E_INVALID, field->name,
                            "It must be an instant, such as \"2030-01-31T00:00:00Z\".");
    *ret_us = us;
    return 0;
}

static int read_string(const struct fields *fields, const struct field *field, struct json value,
                       struct json *ret_value)
{
    if (value.type != JSON_STRING)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must be a string.");
    *ret_value = value;
    return 0;
}

static int read_object(const struct fields *fields, const struct field *field, struct json value,
                       struct json *ret_value)
{
    if (value.type != JSON_OBJECT)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must be an object.");
    *ret_value = value;
    return 0;
}

static int check_element(const struct fields *fields, const struct field *field,
                         struct json element, int64_t index)
{
    char name[64];
    snprintf(name, sizeof name, "%s[%" PRId64 "]", field->name, index);
    struct field row = {.name = name, .type = FIELD_TOKEN, .min = 1, .max = field->item_max};
    struct slice text;
    return read_text(fields, &row, element, &text);
}

static int read_list(const struct fields *fields, const struct field *field, struct json value,
                     struct json *ret_value)
{
    if (value.type != JSON_ARRAY)
        return fields_fault(fields, METE_E_INVALID, field->name, "It must be an array.");
    int64_t len = 0;
    size_t at = 0;
    struct json element;
    while (json_next(value, &at, NULL, &element)) {
        int rc = field->type == FIELD_TEXTS ? check_element(fields, field, element, len) : 0;
        if (rc)
            return rc;
        len++;
    }
    if (len < field->min || len > field->max)
        return fields_fault(fields, METE_E_INVALID, field->name,
                            "It must have %" PRId64 " to %" PRId64 " elements.", field->min,
                            field->max);
    *ret_value = value;
    return 0;
}

static int read_value(const struct fields *fields, const struct field *field, struct json value,
                      void *at)
{
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_TOKEN:
        return read_text(fields, field, value, at);
    case FIELD_ID:
        return read_id(fields, field, value, at);
    case FIELD_WORD:
        return read_word(fields, field, value, at);
    case FIELD_AMOUNT:
        return read_amount(fields, field, value, at);
    case FIELD_COUNT:
        return read_count(fields, field, value, at);
    case FIELD_RATIO:
        return read_ratio(fields, field, value, at);
    case FIELD_SHARE:
        return read_share(fields, field, value, at);
    case FIELD_BOOL:
        return read_bool(fields, field, value, at);
    case FIELD_INSTANT:
        return read_instant(fields, field, value, at);
    case FIELD_STRING:
        return read_string(fields, field, value, at);
    case FIELD_OBJECT:
        return read_object(fields, field, value, at);
    case FIELD_LIST:
    case FIELD_TEXTS:
        return read_list(fields, field, value, at);
    }
    ASSERT(false); /* every type is read above */
    return METE_E_INVALID;
}

static int read_member(const struct fields *fields, const struct field *field, struct json value,
                       void *into)
{
    if (field->flags & FIELD_OR_NULL && value.type == JSON_NULL)
        return 0;
    if (!(field->flags & FIELD_LATER))
        return read_value(fields, field, value, (char *)into + field->offset);
    _Alignas(16) char unused[sizeof(struct json)];
    int rc = read_value(fields, field, value, unused);
    return rc ? rc
              : fields_fault(fields, METE_E_NOT_YET, field->name,
                             "This field is planned, and not built yet.");
}

static size_t find_row(const struct fields *fields, struct json key)
{
    for (size_t i = 0; i < fields->len; i++)
        if (json_string_is(key, fields->table[i].name))
            return i;
    return fields->len;
}

/* An unknown name comes from outside: shown if it is plain, else not. */
static int unknown_member(const struct fields *fields, struct json key)
{
    char name[64];
    long len = json_string_copy(key, name, sizeof name - 1);
    if (len < 0 || !fields_is_id((struct slice){name, (size_t)len}))
        len = 0;
    name[len] = 0;
    return fields_fault(fields, METE_E_INVALID, name, "There is no such field here.");
}

int fields_read(const struct fields *fields, struct json object, void *into)
{
    ASSERT(fields->len <= FIELDS_MAX);
    if (object.type != JSON_OBJECT)
        return fields_fault(fields, METE_E_INVALID, "", "It must be an object.");
    uint64_t seen = 0;
    size_t at = 0;
    struct json key, value;
    while (json_next(object, &at, &key, &value)) {
        size_t i = find_row(fields, key);
        if (i == fields->len)
            return unknown_member(fields, key);
        const struct field *field = &fields->table[i];
        if (seen & UINT64_C(1) << i)
            return fields_fault(fields, METE_E_INVALID, field->name, "It is there twice.");
        seen |= UINT64_C(1) << i;
        int rc = read_member(fields, field, value, into);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < fields->len; i++)
        if ((fields->table[i].flags & FIELD_REQUIRED) && !(seen & UINT64_C(1) << i))
            return fields_fault(fields, METE_E_INVALID, fields->table[i].name, "It is missing.");
    return 0;
}
