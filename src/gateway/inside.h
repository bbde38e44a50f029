/* SPDX-License-Identifier: Apache-2.0
 * The gateway from the inside: what its files share. */
#ifndef GATEWAY_INSIDE_H
#define GATEWAY_INSIDE_H

#include "base/crowd.h"
#include "base/spares.h"
#include "dialect/dialect.h"
#include "gateway/answers.h"
#include "gateway/gateway.h"
#include "gateway/providers.h"
#include "gateway/tokenizers.h"
#include "prompts/memo.h"
#include "tokens/pool.h"

#include <stdatomic.h>

struct call;

/* What an exchange's state is: its first member. */
enum gateway_work { GATEWAY_CALL = 0, GATEWAY_FETCH, GATEWAY_COUNT, GATEWAY_ERRAND };

/* A scope that had no rate limits; until_us: asked for again. */
enum { GATEWAY_UNLIMITED = 4096 };
struct gateway_unlimited {
    uint32_t scope;
    int64_t until_us;
};

/* Why a key was refused, and the texts that the error points to. */
struct gateway_refused {
    struct dialect_error error;
    enum mete_reason reason;
    char message[512], details[384];
};

struct gateway {
    struct gateway_parts parts;
    const struct gateway_config *config;
    struct providers providers;
    struct crowd crowd;                         /* calls by key, if they are limited */
    struct call *streams;                       /* open ones */
    struct spares refused, rates, more, asking; /* struct call_refused, call_rates, ... */
    struct answers answers;
    struct tokenizers tokenizers[1 + LIMIT_COUNTERS]; /* the loop's, the counters' */
    struct model_ways ways;
    struct memo *memo;           /* of prompts' texts; NULL: none was counted yet */
    struct tokenizer_pool *pool; /* the workers' */
    atomic_bool stopping;        /* workers: count no more */
    struct gateway_stop *stops;
    struct gateway_counts counts;
    struct gateway_unlimited unlimited[GATEWAY_UNLIMITED]; /* by scope */
    struct gateway_refused key_refused;                    /* the last one: it is told at once */
};

/* The key of an exchange, if it is good now, may be used from there and for this endpoint (a word
 * of tables/endpoints.h; NULL: a list, which costs nothing). NULL: gateway->key_refused says why
 * not. */
const struct directory_key *gateway_good_key(struct gateway *gateway,
                                             const struct exchange *exchange, const char *endpoint);
/* Whether the key may use the model; false: gateway->key_refused says that it may not. */
bool gateway_key_takes_model(struct gateway *gateway, const struct directory_key *key,
                             struct slice model);

/* Ends the exchange with an error body of the dialect. headers: added to the content type. */
void gateway_reply_error(struct exchange *exchange, const struct dialect *dialect,
                         const struct dialect_error *error, const struct exchange_header *headers,
                         size_t headers_len);

/* A method as text that lasts: GET, POST, PUT, PATCH, DELETE; POST for any other. */
const char *gateway_method(struct slice method);
/* The client's query, without what is the provider's to say, or a key; then own, unless NULL. */
METE_MUST_USE int gateway_put_query(struct slice query, const char *own, struct buffer *out);

/* Forgets stops whose grace is not over. Their questions to the engine must have been answered. */
void stops_close(struct gateway *gateway);

/* Of an alias what it is another name of; borrowed. False: the model is disabled. */
bool models_real(const struct gateway *gateway, struct slice *model);
/* GET /v1/models (id empty) and /v1/models/{id}. */
void models_answer(struct gateway *gateway, struct exchange *exchange, struct slice id);

#endif
