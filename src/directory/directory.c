/* SPDX-License-Identifier: Apache-2.0
 * The index of keys: entries in one array, found by public id through open addressing.
 *
 *   slots:   [ 0 | 3 | 0 | 1 | 2 | ... ]   index + 1, linear probing, at most half full
 *   entries: [ key, public id, hash ] ...  88 bytes each
 *   globs:   one block a key that has any: pointers, then their texts
 *
 * A key is never taken out: revoking one is a change of its document, and what an entry says of it
 * is for show; the ledger refuses. So there are no tombstones and a slot never moves but to grow.
 *
 * Not done: a table keyed by the hash, which would need one keyed hash for every wrong text; the
 * checksum and the public id turn those away first. */
#include "directory/directory.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/base62.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"
#include "directory/glob.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#define TEXT_PREFIX "mete_sk_"
#define ID_PREFIX "key_"

enum {
    AT_ID = 8, /* in a key's text */
    AT_SECRET = AT_ID + 12,
    AT_SUM = AT_SECRET + 30,
    ID_DIGITS = 12,
    SUM_DIGITS = 6,
    ENTRIES_FIRST = 64
};

struct entry {
    struct directory_key key;
    char id[ID_DIGITS];
    uint8_t hash[KEY_HASH];
};

struct directory {
    struct entry *entries;
    uint32_t *slots; /* entry + 1; 0 is free */
    size_t len, room;
    size_t mask; /* slots - 1, a power of two less one; slots >= 2 * room */
    uint8_t secret[32];
};

/* ---- The table ------------------------------------------------------------------------------- */

static size_t slot_of(const struct directory *directory, const char *id)
{
    return (size_t)XXH3_64bits(id, ID_DIGITS) & directory->mask;
}

/* The slot with this id, or the free one where it belongs. */
static uint32_t *find_slot(const struct directory *directory, const char *id)
{
    for (size_t i = slot_of(directory, id);; i = (i + 1) & directory->mask) {
        uint32_t *slot = &directory->slots[i];
        if (!*slot || memcmp(directory->entries[*slot - 1].id, id, ID_DIGITS) == 0)
            return slot;
    }
}

static int set_room(struct directory *directory, size_t room)
{
    ASSERT(room >= directory->len && room <= LIMIT_SCOPES * 2u);
    uint32_t *slots = calloc(room * 2, sizeof *slots);
    struct entry *entries = realloc(directory->entries, room * sizeof *entries);
    if (entries)
        directory->entries = entries;
    if (!slots || !entries) {
        free(slots);
        return METE_E_MEMORY;
    }
    free(directory->slots);
    directory->slots = slots;
    directory->room = room;
    directory->mask = room * 2 - 1;
    for (size_t i = 0; i < directory->len; i++)
        *find_slot(directory, directory->entries[i].id) = (uint32_t)i + 1;
    return 0;
}

int directory_new(const uint8_t secret[32], struct directory **ret_directory)
{
    _Static_assert(sizeof(struct entry) <= 96, "a million keys fit in 96 MB");
    struct directory *directory = calloc(1, sizeof *directory);
    if (!directory)
        return METE_E_MEMORY;
    memcpy(directory->secret, secret, sizeof directory->secret);
    int rc = set_room(directory, ENTRIES_FIRST);
    if (rc) {
        directory_free(directory);
        return rc;
    }
    *ret_directory = directory;
    return 0;
}

/* The block begins with the pointers, which the key only shows as const. */
static void free_models(struct directory_key *key)
{
    union {
        const char *const *shown;
        void *block;
    } models = {.shown = key->models};
    free(models.block);
}

void directory_free(struct directory *directory)
{
    if (!directory)
        return;
    for (size_t i = 0; i < directory->len; i++)
        free_models(&directory->entries[i].key);
    free(directory->entries);
    free(directory->slots);
    sodium_memzero(directory->secret, sizeof directory->secret);
    free(directory);
}

/* ---- Documents ------------------------------------------------------------------------------- */

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

static int read_expiry(struct json value, int64_t *ret_us)
{
    if (value.type == JSON_NONE || value.type == JSON_NULL) {
        *ret_us = 0;
        return 0;
    }
    char room[64];
    long len = value.type == JSON_STRING ? json_string_copy(value, room, sizeof room) : -1;
    return len < 0 ? METE_E_SYNTAX : timestamp_parse((struct slice){room, (size_t)len}, ret_us);
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
    if (value.type == JSON_NONE || value.type == JSON_NULL)
        return 0;
    if (!json_string_is(value, "drain") && !json_string_is(value, "cancel"))
        return METE_E_SYNTAX;
    *ret_disconnect = json_string_is(value, "drain") ? DIRECTORY_DRAIN : DIRECTORY_CANCEL;
    return 0;
}

/* How many globs, and the bytes of their texts with an end each. */
static int measure_models(struct json models, size_t *ret_count, size_t *ret_bytes)
{
    size_t at = 0, count = 0, bytes = 0;
    struct json glob;
    while (json_next(models, &at, NULL, &glob)) {
        size_t len = glob.type == JSON_STRING ? json_string_bytes(glob) : 0;
        if (len == 0 || len > LIMIT_ID || ++count > DIRECTORY_MODELS_MAX)
            return METE_E_SYNTAX;
        bytes += len + 1;
    }
    *ret_count = count;
    *ret_bytes = bytes;
    return 0;
}

static int read_models(struct json models, struct directory_key *key)
{
    size_t count, bytes;
    if (models.type == JSON_NONE || models.type == JSON_NULL)
        return 0;
    if (models.type != JSON_ARRAY)
        return METE_E_SYNTAX;
    int rc = measure_models(models, &count, &bytes);
    if (rc || !count)
        return rc;
    const char **globs = malloc(count * sizeof *globs + bytes);
    if (!globs)
        return METE_E_MEMORY;
    char *text = (char *)(globs + count);
    size_t at = 0, i = 0;
    struct json glob;
    while (json_next(models, &at, NULL, &glob)) {
        long len = json_string_copy(glob, text, LIMIT_ID);
        ASSERT(len > 0 && i < count);
        text[len] = 0;
        globs[i++] = text;
        text += len + 1;
    }
    key->models = globs;
    key->models_len = count;
    return 0;
}

/* On an error the entry owns nothing. METE_E_NOT_FOUND: a scope without a key's text. */
static int read_document(struct slice document, struct entry *entry)
{
    struct json json;
    int rc = json_scan(document, &json, NULL);
    if (rc)
        return METE_E_SYNTAX;
    struct json hash = json_member(json, "hash");
    if (json.type == JSON_OBJECT && hash.type == JSON_NONE)
        return METE_E_NOT_FOUND;
    rc = read_hash(hash, entry->hash);
    if (!rc)
        rc = read_expiry(json_member(json, "expires_at"), &entry->key.expires_at_us);
    if (!rc)
        rc = read_flag(json_member(json, "revoked"), &entry->key.revoked);
    if (!rc)
        rc = read_disconnect(json_member(json, "disconnect"), &entry->key.disconnect);
    return rc ? rc : read_models(json_member(json, "models"), &entry->key);
}

int directory_put(struct directory *directory, const struct records_entity *entity)
{
    struct slice id = entity->id;
    if (entity->kind != METE_API_KEY || id.len != KEY_ID || entity->document.len == 0 ||
        !slice_starts(id, SLICE_LITERAL(ID_PREFIX)))
        return 0;
    ASSERT_INV("INV-12", entity->organization.n < METE_FROM_CHANGE(0));
    struct entry entry = {.key = {.scope = {entity->handle}, .organization = entity->organization}};
    memcpy(entry.id, id.data + 4, ID_DIGITS);
    int rc = read_document(entity->document, &entry);
    if (rc == METE_E_NOT_FOUND)
        return 0;
    if (!rc && directory->len == directory->room) {
        rc = set_room(directory, directory->room * 2);
        if (rc)
            free_models(&entry.key);
    }
    if (rc)
        return rc;
    entry.key.revoked |= entity->ended != 0;
    uint32_t *slot = find_slot(directory, entry.id);
    if (*slot) {
        free_models(&directory->entries[*slot - 1].key);
    } else {
        *slot = (uint32_t)++directory->len;
    }
    directory->entries[*slot - 1] = entry;
    return 0;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* CRC-32 as of IEEE 802.3; four bits a step, for 50 bytes a call a larger table is not worth it. */
static uint32_t crc32_of(struct slice text)
{
    static const uint32_t nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                         0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                         0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                         0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < text.len; i++) {
        crc ^= (uint8_t)text.data[i];
        crc = (crc >> 4) ^ nibbles[crc & 15];
        crc = (crc >> 4) ^ nibbles[crc & 15];
    }
    return ~crc;
}

static void hash_text(const struct directory *directory, struct slice text, uint8_t hash[KEY_HASH])
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    int rc = crypto_generichash(hash, KEY_HASH, bytes, text.len, directory->secret,
                                sizeof directory->secret);
    ASSERT(rc == 0);
}

static bool is_key_text(struct slice text)
{
    if (text.len != KEY_TEXT || !slice_starts(text, SLICE_LITERAL(TEXT_PREFIX)))
        return false;
    char sum[SUM_DIGITS];
    base62_encode(crc32_of(slice_part(text, 0, AT_SUM)), sum, SUM_DIGITS);
    return memcmp(sum, text.data + AT_SUM, SUM_DIGITS) == 0;
}

const struct directory_key *directory_find_key(const struct directory *directory, struct slice text)
{
    if (!is_key_text(text))
        return NULL;
    uint32_t slot = *find_slot(directory, text.data + AT_ID);
    if (!slot)
        return NULL;
    const struct entry *entry = &directory->entries[slot - 1];
    uint8_t hash[KEY_HASH];
    hash_text(directory, text, hash);
    return sodium_memcmp(hash, entry->hash, KEY_HASH) == 0 ? &entry->key : NULL;
}

const struct directory_key *directory_find_id(const struct directory *directory, struct slice id)
{
    if (id.len != KEY_ID || !slice_starts(id, SLICE_LITERAL(ID_PREFIX)))
        return NULL;
    uint32_t slot = *find_slot(directory, id.data + sizeof ID_PREFIX - 1);
    return slot ? &directory->entries[slot - 1].key : NULL;
}

bool directory_allows_model(const struct directory_key *key, struct slice model)
{
    for (size_t i = 0; i < key->models_len; i++)
        if (glob_matches(slice_of(key->models[i]), model))
            return true;
    return key->models_len == 0;
}

void directory_make_key(const struct directory *directory,
                        void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                        struct directory_new_key *ret_key)
{
    char *text = ret_key->text;
    memcpy(text, TEXT_PREFIX, AT_ID);
    uint8_t bytes[64];
    for (size_t have = AT_ID; have < AT_SUM;) {
        random(user, bytes, sizeof bytes);
        have += base62_digits(bytes, sizeof bytes, text + have, AT_SUM - have);
    }
    sodium_memzero(bytes, sizeof bytes);
    base62_encode(crc32_of((struct slice){text, AT_SUM}), text + AT_SUM, SUM_DIGITS);
    text[KEY_TEXT] = 0;
    memcpy(ret_key->id, ID_PREFIX, 4);
    memcpy(ret_key->id + 4, text + AT_ID, ID_DIGITS);
    ret_key->id[KEY_ID] = 0;
    memcpy(ret_key->prefix, text, KEY_PREFIX);
    ret_key->prefix[KEY_PREFIX] = 0;
    uint8_t hash[KEY_HASH];
    hash_text(directory, (struct slice){text, KEY_TEXT}, hash);
    sodium_bin2hex(ret_key->hash, sizeof ret_key->hash, hash, KEY_HASH);
    ASSERT(is_key_text((struct slice){text, KEY_TEXT}));
}

/* Hashes of both are compared, so that not even a length shows. */
bool directory_same_secret(struct slice a, struct slice b)
{
    uint8_t of_a[KEY_HASH], of_b[KEY_HASH];
    int rc = crypto_generichash(of_a, KEY_HASH, (const unsigned char *)a.data, a.len, NULL, 0);
    rc |= crypto_generichash(of_b, KEY_HASH, (const unsigned char *)b.data, b.len, NULL, 0);
    ASSERT(rc == 0);
    return sodium_memcmp(of_a, of_b, KEY_HASH) == 0;
}
