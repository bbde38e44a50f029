/* SPDX-License-Identifier: Apache-2.0
 * The index of keys: entries in one array, found by public id through open addressing.
 *
 *   slots:   [ 0 | 3 | 0 | 1 | 2 | ... ]   index + 1, linear probing, at most half full
 *   entries: [ key, hash, public id ] ...  88 bytes each
 *   more:    one block for a key that has any of it (document.c)
 *
 * A key is never taken out: revoking one is a change of its document, and what an entry says of it
 * is for show; the ledger refuses. So there are no tombstones and a slot never moves but to grow.
 *
 * Not done: a table keyed by the hash, which would need one keyed hash for every wrong text; the
 * checksum and the public id turn those away first. */
#include "directory/index.h"

#include "base/assert.h"
#include "base/limits.h"
#include "codec/base62.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#define TEXT_PREFIX "mete_sk_"
#define ID_PREFIX "key_"

enum {
    AT_ID = 8, /* in a key's text */
    AT_SECRET = AT_ID + 12,
    AT_SUM = AT_SECRET + 30,
    SUM_DIGITS = 6,
    ENTRIES_FIRST = 64
};

/* ---- The table ------------------------------------------------------------------------------- */

static size_t slot_of(const struct directory *directory, const char *id)
{
    return (size_t)XXH3_64bits(id, DIRECTORY_ID_DIGITS) & directory->mask;
}

/* The slot with this id, or the free one where it belongs. */
static uint32_t *find_slot(const struct directory *directory, const char *id)
{
    for (size_t i = slot_of(directory, id);; i = (i + 1) & directory->mask) {
        uint32_t *slot = &directory->slots[i];
        if (!*slot || memcmp(directory->entries[*slot - 1].id, id, DIRECTORY_ID_DIGITS) == 0)
            return slot;
    }
}

static int set_room(struct directory *directory, size_t room)
{
    ASSERT(room >= directory->len && room <= LIMIT_SCOPES * 2u);
    uint32_t *slots = calloc(room * 2, sizeof *slots);
    struct entry *entries = realloc(directory->entries, room * sizeof *entries);
    uint32_t *organizations = realloc(directory->organizations, room * sizeof *organizations);
    if (entries)
        directory->entries = entries;
    if (organizations)
        directory->organizations = organizations;
    if (!slots || !entries || !organizations) {
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
    directory->uses = uses_new();
    int rc = directory->uses ? set_room(directory, ENTRIES_FIRST) : METE_E_MEMORY;
    if (rc) {
        directory_free(directory);
        return rc;
    }
    *ret_directory = directory;
    return 0;
}

void directory_free(struct directory *directory)
{
    if (!directory)
        return;
    for (size_t i = 0; i < directory->len; i++)
        document_free_more(&directory->entries[i].key);
    free(directory->entries);
    free(directory->organizations);
    free(directory->slots);
    uses_free(directory->uses);
    sodium_memzero(directory->secret, sizeof directory->secret);
    free(directory);
}

int directory_put(struct directory *directory, const struct records_entity *entity)
{
    struct slice id = entity->id;
    if (entity->kind != METE_API_KEY || id.len != KEY_ID || entity->document.len == 0 ||
        !slice_starts(id, SLICE_LITERAL(ID_PREFIX)))
        return 0;
    ASSERT_INV("INV-12", entity->organization.n < METE_FROM_CHANGE(0));
    struct entry entry = {.key = {.scope = {entity->handle}, .organization = entity->organization}};
    memcpy(entry.id, id.data + sizeof ID_PREFIX - 1, DIRECTORY_ID_DIGITS);
    int rc = document_read(entity->document, &entry);
    if (rc == METE_E_NOT_FOUND)
        return 0;
    if (!rc && directory->len == directory->room) {
        rc = set_room(directory, directory->room * 2);
        if (rc)
            document_free_more(&entry.key);
    }
    if (rc)
        return rc;
    entry.key.ended = entity->ended != 0;
    entry.key.revoked |= entry.key.ended;
    uint32_t *slot = find_slot(directory, entry.id);
    if (*slot) {
        document_free_more(&directory->entries[*slot - 1].key);
    } else {
        *slot = (uint32_t)++directory->len;
    }
    directory->entries[*slot - 1] = entry;
    directory->organizations[*slot - 1] = entity->organization.n;
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

/* What a text with this hash is of the entry's key. */
static enum directory_text compare(const struct entry *entry, const uint8_t hash[KEY_HASH],
                                   int64_t now_us)
{
    const struct directory_more *more = entry->key.more;
    if (sodium_memcmp(hash, entry->hash, KEY_HASH) == 0)
        return DIRECTORY_PRESENT;
    if (!more || !more->previous_until_us ||
        sodium_memcmp(hash, more->previous_hash, KEY_HASH) != 0)
        return DIRECTORY_UNKNOWN;
    return now_us < more->previous_until_us ? DIRECTORY_PREVIOUS : DIRECTORY_REPLACED;
}

const struct directory_key *directory_find_key(const struct directory *directory, struct slice text,
                                               int64_t now_us, enum directory_text *ret_text)
{
    enum directory_text is = DIRECTORY_UNKNOWN;
    uint32_t slot = is_key_text(text) ? *find_slot(directory, text.data + AT_ID) : 0;
    const struct entry *entry = slot ? &directory->entries[slot - 1] : NULL;
    if (entry) {
        uint8_t hash[KEY_HASH];
        hash_text(directory, text, hash);
        is = compare(entry, hash, now_us);
    }
    if (ret_text)
        *ret_text = is;
    return is == DIRECTORY_PRESENT || is == DIRECTORY_PREVIOUS ? &entry->key : NULL;
}

const struct directory_key *directory_find_id(const struct directory *directory, struct slice id)
{
    if (id.len != KEY_ID || !slice_starts(id, SLICE_LITERAL(ID_PREFIX)))
        return NULL;
    uint32_t slot = *find_slot(directory, id.data + sizeof ID_PREFIX - 1);
    return slot ? &directory->entries[slot - 1].key : NULL;
}

/* Random digits into text[from .. AT_SUM), and what follows from a whole text. */
static void finish_key(const struct directory *directory, size_t from,
                       void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                       struct directory_new_key *ret_key)
{
    char *text = ret_key->text;
    uint8_t bytes[64], hash[KEY_HASH];
    for (size_t have = from; have < AT_SUM;) {
        random(user, bytes, sizeof bytes);
        have += base62_digits(bytes, sizeof bytes, text + have, AT_SUM - have);
    }
    sodium_memzero(bytes, sizeof bytes);
    base62_encode(crc32_of((struct slice){text, AT_SUM}), text + AT_SUM, SUM_DIGITS);
    text[KEY_TEXT] = 0;
    memcpy(ret_key->id, ID_PREFIX, 4);
    memcpy(ret_key->id + 4, text + AT_ID, DIRECTORY_ID_DIGITS);
    ret_key->id[KEY_ID] = 0;
    memcpy(ret_key->prefix, text, KEY_PREFIX);
    ret_key->prefix[KEY_PREFIX] = 0;
    hash_text(directory, (struct slice){text, KEY_TEXT}, hash);
    sodium_bin2hex(ret_key->hash, sizeof ret_key->hash, hash, KEY_HASH);
    ASSERT(is_key_text((struct slice){text, KEY_TEXT}));
}

void directory_make_key(const struct directory *directory,
                        void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                        struct directory_new_key *ret_key)
{
    memcpy(ret_key->text, TEXT_PREFIX, AT_ID);
    finish_key(directory, AT_ID, random, user, ret_key);
}

void directory_remake_key(const struct directory *directory, struct slice id,
                          void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                          struct directory_new_key *ret_key)
{
    ASSERT(id.len == KEY_ID && slice_starts(id, SLICE_LITERAL(ID_PREFIX)));
    memcpy(ret_key->text, TEXT_PREFIX, AT_ID);
    memcpy(ret_key->text + AT_ID, id.data + sizeof ID_PREFIX - 1, DIRECTORY_ID_DIGITS);
    finish_key(directory, AT_SECRET, random, user, ret_key);
}

/* ---- Use ------------------------------------------------------------------------------------- */

void directory_use(struct directory *directory, struct mete_scope_id key, int64_t now_us)
{
    uses_put(directory->uses, key.n, now_us);
}

int64_t directory_used_at(const struct directory *directory, struct mete_scope_id key)
{
    return uses_get(directory->uses, key.n);
}

void directory_count(const struct directory *directory, struct mete_scope_id organization,
                     int64_t now_us, struct directory_counts *ret_counts)
{
    struct directory_counts counts = {0};
    ASSERT_INV("INV-12", organization.n);
    for (size_t i = 0; i < directory->len; i++) {
        if (directory->organizations[i] != organization.n)
            continue;
        const struct directory_key *key = &directory->entries[i].key;
        bool is_over = key->expires_at_us && key->expires_at_us <= now_us;
        if (key->ended)
            continue;
        counts.revoked += key->revoked;
        counts.expired += !key->revoked && is_over;
        counts.active += !key->revoked && !is_over;
    }
    *ret_counts = counts;
}

/* ---- Secrets --------------------------------------------------------------------------------- */

void directory_hash(const struct directory *directory, struct slice text,
                    char ret_hex[DIRECTORY_HASH + 1])
{
    uint8_t hash[KEY_HASH];
    hash_text(directory, text, hash);
    sodium_bin2hex(ret_hex, DIRECTORY_HASH + 1, hash, KEY_HASH);
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
