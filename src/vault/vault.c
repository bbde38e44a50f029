/* SPDX-License-Identifier: Apache-2.0
 * The vault is its file's bytes, and where the entries stand in them:
 *
 *   "METEVLT" 1          8 bytes: magic and format
 *   key id               16, hexadecimal
 *   version              8, the last one given
 *   how many entries     4
 *   each: name length 1, name, version 8, sealed at 8 (us since 1970),
 *         secret length 2, nonce 24, encrypted secret and its tag (length + 16)
 *   tag                  32: keyed BLAKE2b of everything before
 *
 * Integers are little-endian. Entries are in order of their names. What an entry's encryption is
 * bound to, besides its key: magic, key id, and the entry from its name length to its secret
 * length. So an entry can be copied from one state of the file to the next as it stands, and to
 * another name, key or time never.
 *
 * Nothing behind the key id is believed before the file's tag is right; the reading that follows
 * checks its bounds all the same. */
#include "vault/key.h"

#include "base/assert.h"
#include "os/os.h"
#include "os/whole.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char file_name[] = "credentials.sealed";
static const char magic[8] = {'M', 'E', 'T', 'E', 'V', 'L', 'T', 1};

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    SEAL = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    TAG = crypto_generichash_BYTES,
    BOUND_FILE = sizeof magic + VAULT_KEY_ID, /* of an entry's binding: what is the file's */
    HEAD = BOUND_FILE + 8 + 4,
    BOUND_MAX = BOUND_FILE + 1 + VAULT_NAME_MAX + 8 + 8 + 2,
    ENTRY_MAX = 1 + VAULT_NAME_MAX + 8 + 8 + 2 + NONCE + LIMIT_CREDENTIAL + SEAL,
    FILE_MAX = HEAD + LIMIT_CREDENTIALS * ENTRY_MAX + TAG
};

/* Where one stands. */
struct place {
    const uint8_t *at;
    size_t len, bound; /* of the entry; of what its encryption is bound to */
    struct vault_entry entry;
    size_t secret_len;
};

struct state {
    struct vault_key *key;
    uint8_t *bytes;
    size_t len;
    uint64_t version;
    size_t places_len;
    struct place places[LIMIT_CREDENTIALS];
};

struct vault {
    struct state *state;
    char directory[WHOLE_PATH];
};

struct vault_change {
    struct state *state;
    bool own_key; /* it goes with the change if that is not applied */
    char directory[WHOLE_PATH];
};

/* ---- Bytes ------------------------------------------------------------------------------------
 */

static uint8_t *number_put(uint8_t *at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> (8 * i));
    return at + len;
}

static uint64_t number_get(const uint8_t *at, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint8_t *bytes_put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

/* One entry of the left bytes; false: it does not fit in them. */
static bool place_read(const uint8_t *at, size_t left, struct place *ret_place)
{
    size_t name_len = left ? at[0] : 0, bound = 1 + name_len + 8 + 8 + 2;
    if (name_len < 1 || name_len > VAULT_NAME_MAX || left < bound)
        return false;
    struct place place = {.at = at, .bound = bound};
    memcpy(place.entry.name, at + 1, name_len);
    place.entry.version = number_get(at + 1 + name_len, 8);
    place.entry.sealed_at_us = (int64_t)number_get(at + 1 + name_len + 8, 8);
    place.secret_len = (size_t)number_get(at + 1 + name_len + 16, 2);
    place.len = bound + NONCE + place.secret_len + SEAL;
    if (place.secret_len < 1 || place.secret_len > LIMIT_CREDENTIAL || left < place.len)
        return false;
    *ret_place = place;
    return true;
}

/* ---- States -----------------------------------------------------------------------------------
 */

static void state_free(struct state *state)
{
    if (!state)
        return;
    free(state->bytes);
    free(state);
}

static void file_tag(const struct state *state, uint8_t tag[TAG])
{
    const struct vault_key *key = state->key;
    int rc =
        crypto_generichash(tag, TAG, state->bytes, state->len - TAG, key->tag, sizeof key->tag);
    ASSERT(rc == 0);
}

/* The places of bytes whose tag is right. */
static int state_read(struct state *state)
{
    size_t at = HEAD, end = state->len - TAG;
    state->version = number_get(state->bytes + BOUND_FILE, 8);
    uint64_t len = number_get(state->bytes + BOUND_FILE + 8, 4);
    if (len > LIMIT_CREDENTIALS)
        return METE_E_CORRUPT;
    for (size_t i = 0; i < len; i++) {
        struct place *place = &state->places[i];
        if (!place_read(state->bytes + at, end - at, place))
            return METE_E_CORRUPT;
        if (i && strcmp(state->places[i - 1].entry.name, place->entry.name) >= 0)
            return METE_E_CORRUPT;
        at += place->len;
    }
    state->places_len = (size_t)len;
    return at == end ? 0 : METE_E_CORRUPT;
}

static struct state *state_new(struct vault_key *key, size_t len)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state || !(state->bytes = malloc(len))) {
        free(state);
        return NULL;
    }
    state->key = key;
    state->len = len;
    return state;
}

/* Head and tag around the entries, which stand there already up to end. */
static void state_finish(struct state *state, uint64_t version, size_t entries, const uint8_t *end)
{
    uint8_t *at = bytes_put(state->bytes, magic, sizeof magic);
    at = bytes_put(at, state->key->id, VAULT_KEY_ID);
    at = number_put(at, version, 8);
    number_put(at, entries, 4);
    state->len = (size_t)(end - state->bytes) + TAG;
    file_tag(state, state->bytes + state->len - TAG);
    int rc = state_read(state);
    ASSERT(rc == 0);
}

static struct state *state_empty(struct vault_key *key)
{
    struct state *state = state_new(key, HEAD + TAG);
    if (state)
        state_finish(state, 0, 0, state->bytes + HEAD);
    return state;
}

static const struct place *place_find(const struct state *state, struct slice name)
{
    for (size_t i = 0; i < state->places_len; i++)
        if (slice_is(name, state->places[i].entry.name))
            return &state->places[i];
    return NULL;
}

/* ---- Sealing ----------------------------------------------------------------------------------
 */

/* What an entry's encryption is bound to; returns how much that is. */
static size_t binding(const struct vault_key *key, const uint8_t *entry, size_t bound,
                      uint8_t room[BOUND_MAX])
{
    uint8_t *at = bytes_put(room, magic, sizeof magic);
    at = bytes_put(at, key->id, VAULT_KEY_ID);
    ASSERT(bound <= BOUND_MAX - BOUND_FILE);
    return (size_t)(bytes_put(at, entry, bound) - room);
}

/* An entry with its secret sealed; returns its end. */
static uint8_t *entry_put(uint8_t *begin, const struct vault_key *key,
                          const struct vault_entry *entry, struct slice secret)
{
    const struct os *os = os_system();
    uint8_t bound[BOUND_MAX];
    size_t name_len = strlen(entry->name);
    uint8_t *at = number_put(begin, name_len, 1);
    at = bytes_put(at, entry->name, name_len);
    at = number_put(at, entry->version, 8);
    at = number_put(at, (uint64_t)entry->sealed_at_us, 8);
    at = number_put(at, secret.len, 2);
    size_t bound_len = binding(key, begin, (size_t)(at - begin), bound);
    uint8_t *nonce = at;
    os->random(os->user, nonce, NONCE);
    int rc = crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE, NULL,
                                                        (const uint8_t *)secret.data, secret.len,
                                                        bound, bound_len, NULL, nonce, key->seal);
    ASSERT(rc == 0);
    return nonce + NONCE + secret.len + SEAL;
}

static int place_unseal(const struct state *state, const struct place *place,
                        struct slice *ret_secret)
{
    uint8_t bound[BOUND_MAX];
    size_t bound_len = binding(state->key, place->at, place->bound, bound);
    const uint8_t *nonce = place->at + place->bound;
    uint8_t *secret = sodium_malloc(place->secret_len);
    if (!secret)
        return METE_E_MEMORY;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, nonce + NONCE,
                                                   place->secret_len + SEAL, bound, bound_len,
                                                   nonce, state->key->seal)) {
        sodium_free(secret);
        return METE_E_CORRUPT;
    }
    *ret_secret = (struct slice){(const char *)secret, place->secret_len};
    return 0;
}

int vault_unseal(const struct vault *vault, struct slice name, struct slice *ret_secret)
{
    const struct place *place = place_find(vault->state, name);
    return place ? place_unseal(vault->state, place, ret_secret) : METE_E_NOT_FOUND;
}

void vault_forget(struct slice secret)
{
    char *own; /* sodium_malloc()'s, const for who reads it */
    memcpy(&own, &secret.data, sizeof own);
    sodium_free(own);
}

/* ---- Opening ----------------------------------------------------------------------------------
 */

bool vault_is_in(const char *directory)
{
    char byte;
    return whole_get(directory, file_name, &byte, 1) >= 0 || errno != ENOENT;
}

int vault_copy(const char *from, const char *to)
{
    char *bytes = malloc(FILE_MAX);
    if (!bytes)
        return METE_E_MEMORY;
    ssize_t got = whole_get(from, file_name, bytes, FILE_MAX);
    int error = got < 0 && errno != ENOENT ? METE_E_STORAGE : 0;
    if (got >= 0 && whole_put(to, file_name, bytes, (size_t)got))
        error = METE_E_STORAGE;
    free(bytes);
    return error;
}

static int state_check(struct state *state, char ret_detail[VAULT_DETAIL])
{
    uint8_t tag[TAG];
    const char *bytes = (const char *)state->bytes, *id = state->key->id;
    snprintf(ret_detail, VAULT_DETAIL, "%s was changed, or is damaged: put its backup in place",
             file_name);
    if (state->len < HEAD + TAG || memcmp(bytes, magic, sizeof magic))
        return METE_E_CORRUPT;
    if (memcmp(bytes + sizeof magic, id, VAULT_KEY_ID)) {
        bool words = true; /* what is no hexadecimal digit is not shown */
        for (size_t i = 0; i < VAULT_KEY_ID; i++)
            words = words && strchr("0123456789abcdef", bytes[sizeof magic + i]);
        snprintf(ret_detail, VAULT_DETAIL, "%s is sealed under key %.*s, and this is key %s",
                 file_name, words ? VAULT_KEY_ID : 1, words ? bytes + sizeof magic : "?", id);
        return METE_E_FORBIDDEN;
    }
    file_tag(state, tag);
    if (sodium_memcmp(tag, bytes + state->len - TAG, TAG))
        return METE_E_CORRUPT;
    return state_read(state);
}

static int state_load(const char *directory, struct vault_key *key, struct state **ret_state,
                      char ret_detail[VAULT_DETAIL])
{
    struct state *state = state_new(key, FILE_MAX + 1);
    snprintf(ret_detail, VAULT_DETAIL, "out of memory");
    if (!state)
        return METE_E_MEMORY;
    ssize_t got = whole_get(directory, file_name, state->bytes, FILE_MAX + 1);
    if (got < 0) {
        int error = errno == ENOENT ? METE_E_NOT_FOUND : METE_E_STORAGE;
        snprintf(ret_detail, VAULT_DETAIL, "%s: %s", file_name, strerror(errno));
        state_free(state);
        return error;
    }
    state->len = (size_t)got;
    uint8_t *fitting = realloc(state->bytes, got ? (size_t)got : 1);
    state->bytes = fitting ? fitting : state->bytes;
    int error = got > FILE_MAX ? METE_E_CORRUPT : state_check(state, ret_detail);
    if (error)
        state_free(state);
    else
        *ret_state = state;
    return error;
}

int vault_open(const char *directory, struct vault_key *key, struct vault **ret_vault,
               char ret_detail[VAULT_DETAIL])
{
    struct state *state = NULL;
    struct vault *vault = calloc(1, sizeof *vault);
    int error = vault ? state_load(directory, key, &state, ret_detail) : METE_E_MEMORY;
    if (error == METE_E_NOT_FOUND)
        error = (state = state_empty(key)) ? 0 : METE_E_MEMORY;
    if (!error && strlen(directory) >= sizeof vault->directory)
        error = METE_E_INVALID;
    if (error) {
        state_free(state);
        free(vault);
        return error;
    }
    memcpy(vault->directory, directory, strlen(directory) + 1);
    vault->state = state;
    *ret_vault = vault;
    return 0;
}

void vault_close(struct vault *vault)
{
    if (!vault)
        return;
    vault_key_free(vault->state->key);
    state_free(vault->state);
    free(vault);
}

const char *vault_sealed_under(const struct vault *vault)
{
    return vault->state->key->id;
}

size_t vault_len(const struct vault *vault)
{
    return vault->state->places_len;
}

void vault_at(const struct vault *vault, size_t i, struct vault_entry *ret_entry)
{
    ASSERT(i < vault->state->places_len);
    *ret_entry = vault->state->places[i].entry;
}

int vault_find(const struct vault *vault, struct slice name, struct vault_entry *ret_entry)
{
    const struct place *place = place_find(vault->state, name);
    if (!place)
        return METE_E_NOT_FOUND;
    *ret_entry = place->entry;
    return 0;
}

/* ---- Changes ----------------------------------------------------------------------------------
 */

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return true;
}

bool vault_name_is_good(struct slice name)
{
    return name.len >= 1 && name.len <= VAULT_NAME_MAX && is_printable(name);
}

bool vault_secret_is_good(struct slice secret)
{
    return secret.len >= 1 && secret.len <= LIMIT_CREDENTIAL && is_printable(secret);
}

/* A change with room for what is there and one entry more. */
static struct vault_change *change_new(const struct vault *vault, struct vault_key *key)
{
    struct vault_change *change = calloc(1, sizeof *change);
    if (!change || !(change->state = state_new(key, vault->state->len + ENTRY_MAX))) {
        free(change);
        return NULL;
    }
    memcpy(change->directory, vault->directory, sizeof change->directory);
    return change;
}

int vault_put(const struct vault *vault, struct slice name, struct slice secret, int64_t now_us,
              struct vault_change **ret_change)
{
    ASSERT(vault_name_is_good(name) && vault_secret_is_good(secret));
    const struct state *from = vault->state;
    bool known = place_find(from, name) != NULL, done = false;
    if (!known && from->places_len >= LIMIT_CREDENTIALS)
        return METE_E_FULL;
    struct vault_change *change = change_new(vault, from->key);
    if (!change)
        return METE_E_MEMORY;
    struct vault_entry entry = {.version = from->version + 1, .sealed_at_us = now_us};
    memcpy(entry.name, name.data, name.len);
    uint8_t *at = change->state->bytes + HEAD;
    for (size_t i = 0; i < from->places_len; i++) {
        const struct place *place = &from->places[i];
        int order = strcmp(place->entry.name, entry.name);
        if (order >= 0 && !done) {
            at = entry_put(at, from->key, &entry, secret);
            done = true;
        }
        if (order != 0)
            at = bytes_put(at, place->at, place->len);
    }
    if (!done)
        at = entry_put(at, from->key, &entry, secret);
    state_finish(change->state, entry.version, from->places_len + !known, at);
    *ret_change = change;
    return 0;
}

int vault_remove(const struct vault *vault, struct slice name, struct vault_change **ret_change)
{
    const struct state *from = vault->state;
    const struct place *gone = place_find(from, name);
    if (!gone)
        return METE_E_NOT_FOUND;
    struct vault_change *change = change_new(vault, from->key);
    if (!change)
        return METE_E_MEMORY;
    uint8_t *at = change->state->bytes + HEAD;
    for (size_t i = 0; i < from->places_len; i++)
        if (&from->places[i] != gone)
            at = bytes_put(at, from->places[i].at, from->places[i].len);
    state_finish(change->state, from->version + 1, from->places_len - 1, at);
    *ret_change = change;
    return 0;
}

int vault_reseal(const struct vault *vault, struct vault_key *key, struct vault_change **ret_change)
{
    const struct state *from = vault->state;
    struct vault_change *change = change_new(vault, key);
    if (!change)
        return METE_E_MEMORY;
    uint8_t *at = change->state->bytes + HEAD;
    for (size_t i = 0; i < from->places_len; i++) {
        struct slice secret;
        int error = place_unseal(from, &from->places[i], &secret);
        if (error) {
            vault_change_free(change);
            return error;
        }
        at = entry_put(at, key, &from->places[i].entry, secret);
        vault_forget(secret);
    }
    change->own_key = true;
    state_finish(change->state, from->version, from->places_len, at);
    *ret_change = change;
    return 0;
}

int vault_change_write(struct vault_change *change)
{
    const struct state *state = change->state;
    return whole_put(change->directory, file_name, state->bytes, state->len) ? METE_E_STORAGE : 0;
}

void vault_change_apply(struct vault *vault, struct vault_change *change)
{
    if (change->own_key)
        vault_key_free(vault->state->key);
    state_free(vault->state);
    vault->state = change->state;
    free(change);
}

void vault_change_free(struct vault_change *change)
{
    if (!change)
        return;
    if (change->own_key)
        vault_key_free(change->state->key);
    state_free(change->state);
    free(change);
}
