/* SPDX-License-Identifier: Apache-2.0
 * Service tokens: what programs administer an organization with. A token's text (secrets.h) begins
 * with mete_st_; its id is tok_ and the 12 digits that find it. An index in memory over the
 * documents of kind SERVICE_TOKEN, whose members are "hash" (hex), "permissions", "organization"
 * (its id) and "expires_at". One that is revoked is no more.
 * THREAD one (the event loop), but for service_tokens_used_us(). */
#ifndef DIRECTORY_SERVICE_TOKENS_H
#define DIRECTORY_SERVICE_TOKENS_H

#include "base/limits.h"
#include "directory/permissions.h"
#include "directory/secrets.h"
#include "mete.h"

enum { SERVICE_TOKEN_ID = 4 + SECRET_ID };

struct service_token {
    struct service_token *next;
    struct mete_scope_id organization;
    char organization_id[LIMIT_ID + 1];
    char id[SERVICE_TOKEN_ID + 1];
    uint8_t hash[SECRET_HASH];
    uint64_t permissions;
    int64_t expires_at_us; /* 0: never */
    int64_t used_us;       /* 0: not since the start */
};

struct service_tokens;

METE_MUST_USE int service_tokens_new(const uint8_t secret[32], struct service_tokens **ret_tokens);
void service_tokens_free(struct service_tokens *tokens);

/* A new one's text, id, and the hash for its document, in hex. */
void service_tokens_make(const struct service_tokens *tokens,
                         void (*random)(void *user, void *ret_bytes, size_t len), void *user,
                         char ret_text[SECRET_TEXT + 1], char ret_id[SERVICE_TOKEN_ID + 1],
                         char ret_hash[SECRET_HASH * 2 + 1]);
/* Takes over a document after it was applied; an empty one: it has ended. SYNTAX, MEMORY. */
METE_MUST_USE int service_tokens_put(struct service_tokens *tokens,
                                     struct mete_scope_id organization, struct slice id,
                                     struct slice document);
/* The organization has ended, and its documents with it. */
void service_tokens_forget(struct service_tokens *tokens, struct mete_scope_id organization);
size_t service_tokens_count(const struct service_tokens *tokens); /* of all organizations */
/* The one with this text, also if it has expired; NULL: it is unknown. Borrowed until the next
 * change. */
const struct service_token *service_tokens_find(const struct service_tokens *tokens,
                                                struct slice text);
void service_tokens_use(struct service_tokens *tokens, const struct service_token *token,
                        int64_t now_us);
/* By its id; 0: not since the start. Any thread. */
int64_t service_tokens_used_us(struct service_tokens *tokens, struct slice id);

#endif
