/* SPDX-License-Identifier: Apache-2.0
 * The gateway from the inside: what its files share. */
#ifndef GATEWAY_INSIDE_H
#define GATEWAY_INSIDE_H

#include "gateway/dialect.h"
#include "gateway/gateway.h"

/* What is the same for every call to one provider, made once. */
struct gateway_route {
    char *url;           /* of chat completions */
    char *authorization; /* "Bearer ..."; NULL: none */
    bool in_price_list;  /* some model there is of a provider of this name */
};

struct gateway {
    struct gateway_parts parts;
    const struct gateway_config *config;
    struct gateway_route routes[GATEWAY_PROVIDERS_MAX];
    struct gateway_counts counts;
};

/* Index of the first provider whose globs match; -1: none. */
int gateway_find_provider(const struct gateway *gateway, struct slice model);
/* The key of an exchange; NULL: none, or an unknown one. */
const struct directory_key *gateway_find_key(const struct gateway *gateway,
                                             const struct exchange *exchange);

/* Ends the exchange with an error body of the dialect. headers: added to the content type. */
void gateway_reply_error(struct exchange *exchange, const struct dialect *dialect,
                         const struct dialect_error *error, const struct exchange_header *headers,
                         size_t headers_len);

/* GET /v1/models (id empty) and /v1/models/{id}. */
void models_answer(struct gateway *gateway, struct exchange *exchange, struct slice id);

#endif
