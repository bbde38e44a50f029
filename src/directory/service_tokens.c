/* SPDX-License-Identifier: Apache-2.0
 * Chained by the digits of the id that the text has too. There are few, and a token that ended is
 * taken out. Lists ask on a worker when one was used: for that, and for what changes the chains,
 * there is a lock. */
#include "directory/service_tokens.h"

#include "base/assert.h"
#include "codec/json_scan.h"
#include "codec/timestamp.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#define TEXT_PREFIX "mete_st_"
#define ID_PREFIX "tok_"

enum { HEADS = 4096 };

struct service_tokens {
    uint8_t secret[32];
    pthread_mutex_t lock;
    size_t len;
    struct service_token *heads[HEADS];
};

int service_tokens_new(const uint8_t secret[32], struct service_tokens **ret_tokens)
{
    struct service_tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens)
        return METE_E_MEMORY;
    memcpy(tokens->secret, secret, sizeof tokens->secret);
    pthread_mutex_init(&tokens->lock, NULL);
    *ret_tokens = tokens;
    return 0;
}

void service_tokens_free(struct service_tokens *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; i < HEADS; i++)
        while (tokens->heads[i]) {
            struct service_token *token = tokens->heads[i];
            tokens->heads[i] = token->next;
            free(token);
        }
    pthread_mutex_destroy(&tokens->lock);
    sodium_memzero(tokens->secret, sizeof tokens->secret);
    free(tokens);
}

void service_tokens_make(const struct service_tokens *tokens,
                         void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                         char ret_text[SECRET_TEXT + 1], char ret_id[SERVICE_TOKEN_ID + 1],
                         char ret_hash[SECRET_HASH * 2 + 1])
{
    uint8_t hash[SECRET_HASH];
    secret_make(TEXT_PREFIX, random, user, ret_text);
    memcpy(ret_id, ID_PREFIX, 4);
    memcpy(ret_id + 4, ret_text + SECRET_PREFIX, SECRET_ID);
    ret_id[SERVICE_TOKEN_ID] = 0;
    secret_hash(tokens->secret, (struct slice){ret_text, SECRET_TEXT}, hash);
    sodium_bin2hex(ret_hash, SECRET_HASH * 2 + 1, hash, SECRET_HASH);
}

/* ---- Documents ------------------------------------------------------------------------------- */

static int read_hash(struct json value, uint8_t ret_hash[SECRET_HASH])
{
    char hex[SECRET_HASH * 2];
    size_t len = 0;
    if (json_string_copy(value, hex, sizeof hex) != sizeof hex ||
        sodium_hex2bin(ret_hash, SECRET_HASH, hex, sizeof hex, NULL, &len, NULL) ||
        len != SECRET_HASH)
        return METE_E_SYNTAX;
    return 0;
}

static int read_permissions(struct json list, uint64_t *ret_set)
{
    size_t at = 0;
    struct json word;
    char room[32];
    *ret_set = 0;
    while (json_next(list, &at, NULL, &word)) {
        long len = json_string_copy(word, room, sizeof room);
        if (len < 0)
            return METE_E_SYNTAX;
        enum permission permission = permission_find((struct slice){room, (size_t)len});
        if (permission < PERMISSIONS) /* one that is no more is not had */
            *ret_set |= permission_bit(permission);
    }
    return list.type == JSON_ARRAY ? 0 : METE_E_SYNTAX;
}

static int read_document(struct slice document, struct service_token *token)
{
    struct json json;
    if (json_scan(document, &json, NULL) || json.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    int rc = read_hash(json_member(json, "hash"), token->hash);
    if (!rc)
        rc = read_permissions(json_member(json, "permissions"), &token->permissions);
    long len =
        json_string_copy(json_member(json, "organization"), token->organization_id, LIMIT_ID);
    struct json expires = json_member(json, "expires_at");
    if (!rc && expires.type == JSON_STRING)
        rc =
            timestamp_parse(slice_part(expires.raw, 1, expires.raw.len - 2), &token->expires_at_us);
    return rc || len < 0 ? METE_E_SYNTAX : 0;
}

/* The link that leads to the one with these digits, or to the end. */
static struct service_token **link_of(const struct service_tokens *tokens, const char *digits)
{
    union {
        struct service_token *const *shown;
        struct service_token **at;
    } link = {.shown = &tokens->heads[XXH3_64bits(digits, SECRET_ID) % HEADS]};
    while (*link.at && memcmp((*link.at)->id + 4, digits, SECRET_ID) != 0)
        link.at = &(*link.at)->next;
    return link.at;
}

static bool is_id(struct slice id)
{
    return id.len == SERVICE_TOKEN_ID && slice_starts(id, SLICE_LITERAL(ID_PREFIX));
}

static void drop(struct service_tokens *tokens, struct slice id)
{
    struct service_token **at = link_of(tokens, id.data + 4), *gone = *at;
    if (!gone)
        return;
    *at = gone->next;
    tokens->len--;
    free(gone);
}

/* Puts it in the place of the one with its id, or at the end. METE_E_MEMORY. */
static int enter(struct service_tokens *tokens, const struct service_token *token)
{
    struct service_token **at = link_of(tokens, token->id + 4);
    bool is_new = !*at;
    if (is_new)
        *at = calloc(1, sizeof **at);
    if (!*at)
        return METE_E_MEMORY;
    tokens->len += is_new;
    struct service_token *known = *at, *next = known->next;
    int64_t used_us = known->used_us;
    *known = *token;
    known->next = next;
    known->used_us = used_us;
    return 0;
}

int service_tokens_put(struct service_tokens *tokens, struct mete_scope_id organization,
                       struct slice id, struct slice document)
{
    ASSERT_INV("INV-12", organization.n > 0);
    struct service_token token = {.organization = organization};
    if (!is_id(id))
        return METE_E_SYNTAX;
    memcpy(token.id, id.data, id.len);
    int rc = document.len ? read_document(document, &token) : 0;
    if (rc)
        return rc;
    pthread_mutex_lock(&tokens->lock);
    if (document.len)
        rc = enter(tokens, &token);
    else
        drop(tokens, id);
    pthread_mutex_unlock(&tokens->lock);
    return rc;
}

void service_tokens_forget(struct service_tokens *tokens, struct mete_scope_id organization)
{
    pthread_mutex_lock(&tokens->lock);
    for (size_t i = 0; tokens->len && i < HEADS; i++) {
        struct service_token **at = &tokens->heads[i];
        while (*at) {
            struct service_token *token = *at;
            if (token->organization.n != organization.n) {
                at = &token->next;
                continue;
            }
            *at = token->next;
            tokens->len--;
            free(token);
        }
    }
    pthread_mutex_unlock(&tokens->lock);
}

size_t service_tokens_count(const struct service_tokens *tokens)
{
    return tokens->len;
}

/* ---- Finding --------------------------------------------------------------------------------- */

const struct service_token *service_tokens_find(const struct service_tokens *tokens,
                                                struct slice text)
{
    uint8_t hash[SECRET_HASH];
    if (!secret_is_text(text, TEXT_PREFIX))
        return NULL;
    const struct service_token *token = *link_of(tokens, text.data + SECRET_PREFIX);
    if (!token)
        return NULL;
    secret_hash(tokens->secret, text, hash);
    return sodium_memcmp(hash, token->hash, SECRET_HASH) == 0 ? token : NULL;
}

void service_tokens_use(struct service_tokens *tokens, const struct service_token *token,
                        int64_t now_us)
{
    struct service_token *own = *link_of(tokens, token->id + 4);
    ASSERT(own == token);
    pthread_mutex_lock(&tokens->lock);
    own->used_us = now_us;
    pthread_mutex_unlock(&tokens->lock);
}

int64_t service_tokens_used_us(struct service_tokens *tokens, struct slice id)
{
    if (!is_id(id))
        return 0;
    pthread_mutex_lock(&tokens->lock);
    const struct service_token *token = *link_of(tokens, id.data + 4);
    int64_t used_us = token ? token->used_us : 0;
    pthread_mutex_unlock(&tokens->lock);
    return used_us;
}
