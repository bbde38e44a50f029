/* SPDX-License-Identifier: Apache-2.0
 * A client's key: where it stands in a request, whether it is good, and what it may be used for. A
 * refusal names the permission that is missing and what was wanted of it, in words and, for
 * programs, under "mete". */
#include "base/assert.h"
#include "codec/json_scan.h"
#include "gateway/inside.h"

#include <stdio.h>
#include <strings.h>

enum { KEY_ROOM = 256 }; /* bytes: several times a key of mete's */

/* The first of the places where clients put a key; room is for one of a query. */
static struct slice find_key_text(const struct exchange *exchange, char room[KEY_ROOM])
{
    static const char *const headers[] = {"x-api-key", "api-key", "x-goog-api-key"};
    struct slice text = exchange->ops->header(exchange, "authorization");
    if (text.len > 7 && !strncasecmp(text.data, "bearer ", 7)) {
        text = slice_from(text, 7);
        while (text.len && text.data[0] == ' ')
            text = slice_from(text, 1);
        return text;
    }
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        text = exchange->ops->header(exchange, headers[i]);
        if (text.len)
            return text;
    }
    int len = exchange_query(exchange, "key", room, KEY_ROOM);
    return (struct slice){room, len > 0 ? (size_t)len : 0};
}

static const struct directory_key *find_key(const struct gateway *gateway,
                                            const struct exchange *exchange, int64_t now_us,
                                            enum directory_text *ret_text)
{
    char room[KEY_ROOM];
    struct slice text = find_key_text(exchange, room);
    *ret_text = DIRECTORY_UNKNOWN;
    return text.len ? directory_find_key(gateway->parts.directory, text, now_us, ret_text) : NULL;
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void refuse(struct gateway_refused *refused, int status, const char *code,
                   enum mete_reason reason)
{
    refused->reason = reason;
    refused->details[0] = 0;
    refused->error =
        (struct dialect_error){status, "invalid_request_error", code, NULL, refused->message, {0}};
}

/* What a key is not permitted: {"permission":"endpoints","wanted":"embeddings"}. Without memory
 * the words alone must do. */
static void refuse_permission(struct gateway_refused *refused, const char *code,
                              const char *permission, struct slice wanted)
{
    struct buffer details;
    refuse(refused, 403, code, METE_NOT_PERMITTED);
    buffer_init(&details, sizeof refused->details);
    int rc = buffer_format(&details, "{\"permission\":\"%s\",\"wanted\":", permission);
    if (!rc)
        rc = json_quote(&details, wanted);
    if (!rc)
        rc = buffer_text(&details, "}");
    if (!rc) {
        memcpy(refused->details, details.data, details.len);
        refused->error.details = (struct slice){refused->details, details.len};
    }
    buffer_done(&details);
}

static void refuse_key(struct gateway_refused *refused, const struct directory_key *key,
                       enum directory_text text)
{
    const char *why = text == DIRECTORY_REPLACED
                          ? "The API key was given a new text, and this one is over."
                      : !key         ? "No valid API key was given."
                      : key->revoked ? "The API key has been revoked."
                                     : "The API key has expired.";
    refuse(refused, 401, "invalid_api_key",
           !key           ? METE_KEY_UNKNOWN
           : key->revoked ? METE_KEY_REVOKED
                          : METE_KEY_EXPIRED);
    snprintf(refused->message, sizeof refused->message, "%s", why);
}

static void refuse_address(struct gateway_refused *refused, const struct address *peer)
{
    char text[ADDRESS_ROOM];
    size_t len = address_format(peer, text);
    refuse_permission(refused, "address_not_allowed", "ip_ranges", (struct slice){text, len});
    snprintf(refused->message, sizeof refused->message,
             "The API key may not be used from this address: %s", text);
}

static void refuse_endpoint(struct gateway_refused *refused, const struct directory_key *key,
                            const char *endpoint)
{
    const char *word;
    refuse_permission(refused, "endpoint_not_allowed", "endpoints", slice_of(endpoint));
    size_t len =
        (size_t)snprintf(refused->message, sizeof refused->message,
                         "The API key may not use this endpoint: %s. It may use", endpoint);
    for (size_t i = 0, told = 0; (word = directory_endpoint_at(i)); i++)
        if (key->endpoints & UINT32_C(1) << i)
            len += (size_t)snprintf(refused->message + len, sizeof refused->message - len, "%s%s",
                                    told++ ? ", " : " ", word);
    ASSERT(len < sizeof refused->message);
}

bool gateway_key_takes_model(struct gateway *gateway, const struct directory_key *key,
                             struct slice model)
{
    struct gateway_refused *refused = &gateway->key_refused;
    if (directory_allows_model(key, model))
        return true;
    refuse_permission(refused, "model_not_allowed", "models", model);
    refused->error.param = "model";
    snprintf(refused->message, sizeof refused->message, "The API key may not use this model: %.*s",
             (int)model.len, model.data);
    return false;
}

/* ---- The key --------------------------------------------------------------------------------- */

/* The order is that of the design: the key itself, then what it may do. */
const struct directory_key *gateway_good_key(struct gateway *gateway,
                                             const struct exchange *exchange, const char *endpoint)
{
    enum directory_text text;
    struct gateway_refused *refused = &gateway->key_refused;
    int64_t now_us = mete_now(gateway->parts.mete).us;
    const struct directory_key *key = find_key(gateway, exchange, now_us, &text);
    if (!key || key->revoked || (key->expires_at_us && key->expires_at_us <= now_us)) {
        refuse_key(refused, key, text);
        return NULL;
    }
    if (!directory_allows_address(key, &exchange->peer)) {
        refuse_address(refused, &exchange->peer);
        return NULL;
    }
    if (endpoint && !directory_allows_endpoint(key, endpoint)) {
        refuse_endpoint(refused, key, endpoint);
        return NULL;
    }
    directory_use(gateway->parts.directory, key->scope, now_us);
    return key;
}
