/* SPDX-License-Identifier: Apache-2.0
 * A key's document, read strictly: what is of another type or too long is an error, never a key
 * that may do more than was meant. What few keys have lies in one block behind the entry:
 *
 *   [ struct directory_more | pointers to globs ... | their texts ... | ranges ... ] */
#include "directory/index.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"

#include <sodium.h>
#include <stdlib.h>

static int read_hash(struct json value, uint8_t ret_hash[KEY_HASH])
{
    char hex[KEY_HASH * 2 + 1];
    size_t len = 0;
    if (value.type != JSON_STRING || json_string_copy(value, hex, KEY_HASH * 2) != KEY_HASH * 2)
        return METE_E_SYNTAX;
    if (sodium_hex2bin(ret_hash, KEY_HASH, hex, KEY_HASH * 2, NULL, &len, NULL) || len != KEY_HASH)
        return METE_E_SYNTAX;
    return 0;
}

static int read_instant(struct json value, int64_t *ret_us)
{
    char room[64];
    long len = value.type == JSON_STRING ? json_string_copy(value, room, sizeof room) : -1;
    return len < 0 ? METE_E_SYNTAX : timestamp_parse((struct slice){room, (size_t)len}, ret_us);
}

static bool is_absent(struct json value)
{
    return value.type == JSON_NONE || value.type == JSON_NULL;
}

static int read_expiry(struct json value, int64_t *ret_us)
{
    return is_absent(value) ? 0 : read_instant(value, ret_us);
}

static int read_flag(struct json value, bool *ret_flag)
{
    if (value.type != JSON_NONE && value.type != JSON_TRUE && value.type != JSON_FALSE)
        return METE_E_SYNTAX;
    *ret_flag = value.type == JSON_TRUE;
    return 0;
}

static int read_disconnect(struct json value, enum directory_disconnect *ret_disconnect)
{
    if (is_absent(value))
        return 0;
    if (!json_string_is(value, "drain") && !json_string_is(value, "cancel"))
        return METE_E_SYNTAX;
    *ret_disconnect = json_string_is(value, "drain") ? DIRECTORY_DRAIN : DIRECTORY_CANCEL;
    return 0;
}

static int read_endpoints(struct json value, uint32_t *ret_endpoints)
{
    char room[32];
    size_t at = 0;
    struct json word;
    if (is_absent(value))
        return 0;
    if (value.type != JSON_ARRAY)
        return METE_E_SYNTAX;
    while (json_next(value, &at, NULL, &word)) {
        long len = word.type == JSON_STRING ? json_string_copy(word, room, sizeof room) : -1;
        uint32_t bit = len > 0 ? directory_endpoint((struct slice){room, (size_t)len}) : 0;
        if (!bit)
            return METE_E_SYNTAX;
        *ret_endpoints |= bit;
    }
    return 0;
}

/* ---- What few keys have ---------------------------------------------------------------------- */

/* How many texts a list has, and their bytes with an end each. */
static int measure(struct json list, size_t most, size_t *ret_count, size_t *ret_bytes)
{
    size_t at = 0, count = 0, bytes = 0;
    struct json text;
    if (!is_absent(list) && list.type != JSON_ARRAY)
        return METE_E_SYNTAX;
    while (list.type == JSON_ARRAY && json_next(list, &at, NULL, &text)) {
        size_t len = text.type == JSON_STRING ? json_string_bytes(text) : 0;
        if (len == 0 || len > LIMIT_ID || ++count > most)
            return METE_E_SYNTAX;
        bytes += len + 1;
    }
    *ret_count = count;
    *ret_bytes = bytes;
    return 0;
}

static void copy_models(struct json models, const char **globs, size_t count, char *text)
{
    size_t at = 0, i = 0;
    struct json glob;
    while (count && json_next(models, &at, NULL, &glob)) {
        long len = json_string_copy(glob, text, LIMIT_ID);
        ASSERT(len > 0 && i < count);
        text[len] = 0;
        globs[i++] = text;
        text += len + 1;
    }
}

static int read_ranges(struct json list, struct address_range *ranges, size_t count)
{
    char room[LIMIT_ID];
    size_t at = 0, i = 0;
    struct json text;
    while (count && json_next(list, &at, NULL, &text)) {
        long len = json_string_copy(text, room, sizeof room);
        ASSERT(len > 0 && i < count);
        if (address_range_parse((struct slice){room, (size_t)len}, &ranges[i++]))
            return METE_E_SYNTAX;
    }
    return 0;
}

static int read_previous(struct json previous, struct directory_more *more)
{
    if (is_absent(previous))
        return 0;
    if (previous.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    int rc = read_hash(json_member(previous, "hash"), more->previous_hash);
    return rc ? rc : read_instant(json_member(previous, "until"), &more->previous_until_us);
}

static int read_more(struct json json, struct directory_key *key)
{
    struct json models = json_member(json, "models"), list = json_member(json, "ip_ranges"),
                previous = json_member(json, "previous");
    size_t models_len, ranges_len, bytes, unused;
    int rc = measure(models, DIRECTORY_MODELS_MAX, &models_len, &bytes);
    if (!rc)
        rc = measure(list, DIRECTORY_RANGES_MAX, &ranges_len, &unused);
    if (rc || (!models_len && !ranges_len && is_absent(previous)))
        return rc;
    /* A range is bytes alone: it may begin anywhere. */
    size_t globs_at = sizeof(struct directory_more),
           texts_at = globs_at + models_len * sizeof(char *);
    size_t ranges_at = texts_at + bytes;
    char *block = malloc(ranges_at + ranges_len * sizeof(struct address_range));
    if (!block)
        return METE_E_MEMORY;
    struct directory_more *more = (struct directory_more *)(void *)block;
    const char **globs = (const char **)(void *)(block + globs_at);
    struct address_range *ranges = (struct address_range *)(void *)(block + ranges_at);
    *more = (struct directory_more){
        .models = globs, .ranges = ranges, .models_len = models_len, .ranges_len = ranges_len};
    copy_models(models, globs, models_len, block + texts_at);
    rc = read_ranges(list, ranges, ranges_len);
    if (!rc)
        rc = read_previous(previous, more);
    if (rc)
        free(block);
    else
        key->more = more;
    return rc;
}

void document_free_more(struct directory_key *key)
{
    union {
        const struct directory_more *shown;
        void *block;
    } more = {.shown = key->more};
    free(more.block);
    key->more = NULL;
}

int document_read(struct slice document, struct entry *entry)
{
    struct json json;
    if (json_scan(document, &json, NULL))
        return METE_E_SYNTAX;
    struct json hash = json_member(json, "hash");
    if (json.type == JSON_OBJECT && hash.type == JSON_NONE)
        return METE_E_NOT_FOUND;
    int rc = read_hash(hash, entry->hash);
    if (!rc)
        rc = read_expiry(json_member(json, "expires_at"), &entry->key.expires_at_us);
    if (!rc)
        rc = read_flag(json_member(json, "revoked"), &entry->key.revoked);
    if (!rc)
        rc = read_disconnect(json_member(json, "disconnect"), &entry->key.disconnect);
    if (!rc)
        rc = read_endpoints(json_member(json, "endpoints"), &entry->key.endpoints);
    return rc ? rc : read_more(json, &entry->key);
}
