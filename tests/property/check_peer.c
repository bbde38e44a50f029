/* SPDX-License-Identifier: Apache-2.0
 * jansson decodes any value and allows \u0000. It differs from json_scan() where RFC 8259 lets it:
 *   - integers beyond 64 bits and reals beyond a double are errors to it (numeric_overflow)
 *   - \u0000 in a key is one (null_byte_in_key)
 *   - half a surrogate pair in an escape is one ("invalid Unicode"): we read U+FFFD
 * It nests to 2048, which check_codec.c knows. */
#include "property/check_peer.h"

#include <jansson.h>

static const json_t *of(const struct peer *value)
{
    return (const json_t *)(const void *)value;
}

static const struct peer *as_peer(const json_t *value)
{
    return (const struct peer *)(const void *)value;
}

enum peer_opinion peer_parse(struct slice text, struct peer **ret_root)
{
    json_error_t error;
    json_t *root = json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    *ret_root = (struct peer *)(void *)root;
    if (root)
        return PEER_ACCEPTS;
    enum json_error_code code = json_error_code(&error);
    bool surrogate = strncmp(error.text, "invalid Unicode '\\uD", 20) == 0;
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key || surrogate
               ? PEER_DIFFERS
               : PEER_REFUSES;
}

void peer_free(struct peer *root)
{
    json_decref((json_t *)(void *)root);
}

char peer_kind(const struct peer *value)
{
    switch (json_typeof(of(value))) {
    case JSON_OBJECT:
        return 'o';
    case JSON_ARRAY:
        return 'a';
    case JSON_STRING:
        return 's';
    case JSON_INTEGER:
        return 'i';
    case JSON_REAL:
        return 'r';
    case JSON_TRUE:
        return 't';
    case JSON_FALSE:
        return 'f';
    case JSON_NULL:
        return 'n';
    default:
        return '?';
    }
}

struct slice peer_string(const struct peer *string)
{
    return (struct slice){json_string_value(of(string)), json_string_length(of(string))};
}

int64_t peer_integer(const struct peer *integer)
{
    return json_integer_value(of(integer));
}

size_t peer_len(const struct peer *array)
{
    return json_array_size(of(array));
}

const struct peer *peer_element(const struct peer *array, size_t i)
{
    return as_peer(json_array_get(of(array), i));
}

const struct peer *peer_member(const struct peer *object, struct slice key)
{
    return as_peer(json_object_getn(of(object), key.data, key.len));
}

bool peer_is_utf8(struct slice text)
{
    json_t *string = json_stringn(text.len ? text.data : "", text.len);
    json_decref(string);
    return string != NULL;
}
