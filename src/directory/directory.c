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
#include "directory/secrets.h"

#include "base/assert.h"
#include "base/limits.h"

#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#define TEXT_PREFIX "mete_sk_"
#define ID_PREFIX "key_"

_Static_assert((int)KEY_TEXT == (int)SECRET_TEXT && (int)KEY_HASH == (int)SECRET_HASH,
               "a key is a secret");
enum {
    AT_ID = 8, /* in a key's text */
    AT_SECRET = AT_ID + 12,
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
    uint32_t slot =
        secret_is_text(text, TEXT_PREFIX) ? *find_slot(directory, text.data + AT_ID) : 0;
    const struct entry *entry = slot ? &directory->entries[slot - 1] : NULL;
    if (entry) {
        uint8_t hash[KEY_HASH];
        secret_hash(directory->secret, text, hash);
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

/* Random digits into text from `from` on, and what follows from a whole text. */
static void finish_key(const struct directory *directory, size_t from,
                       void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                       struct directory_new_key *ret_key)
{
    char *text = ret_key->text;
    uint8_t hash[KEY_HASH];
    secret_finish(text, from, random, user);
    memcpy(ret_key->id, ID_PREFIX, 4);
    memcpy(ret_key->id + 4, text + AT_ID, DIRECTORY_ID_DIGITS);
    ret_key->id[KEY_ID] = 0;
    memcpy(ret_key->prefix, text, KEY_PREFIX);
    ret_key->prefix[KEY_PREFIX] = 0;
    secret_hash(directory->secret, (struct slice){text, KEY_TEXT}, hash);
    sodium_bin2hex(ret_key->hash, sizeof ret_key->hash, hash, KEY_HASH);
    ASSERT(secret_is_text((struct slice){text, KEY_TEXT}, TEXT_PREFIX));
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
    secret_hash(directory->secret, text, hash);
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
