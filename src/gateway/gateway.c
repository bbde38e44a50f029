/* SPDX-License-Identifier: Apache-2.0
 * Which exchange goes where, which provider answers which model, and the gateway's life.
 *
 *   POST /v1/chat/completions   call.c
 *   GET  /v1/models[/{id}]      models.c
 *   any other method            405
 *   anything else               404, in the shape of OpenAI's errors
 *
 * A gateway has no list of its calls: each is reachable from its exchange, its transfer and its
 * operation, and counts.open says how many there are. */
#include "base/assert.h"
#include "directory/glob.h"
#include "gateway/call.h"
#include "gateway/inside.h"

#include <stdlib.h>
#include <strings.h>

int gateway_find_provider(const struct gateway *gateway, struct slice model)
{
    const struct gateway_config *config = gateway->config;
    for (size_t i = 0; i < config->providers_len; i++) {
        const struct gateway_provider *provider = &config->providers[i];
        if (!provider->models_len)
            return (int)i;
        for (size_t g = 0; g < provider->models_len; g++)
            if (glob_matches(slice_of(provider->models[g]), model))
                return (int)i;
    }
    return -1;
}

const struct directory_key *gateway_find_key(const struct gateway *gateway,
                                             const struct exchange *exchange)
{
    struct slice text = exchange->ops->header(exchange, "authorization");
    if (text.len > 7 && !strncasecmp(text.data, "bearer ", 7)) {
        text = slice_from(text, 7);
        while (text.len && text.data[0] == ' ')
            text = slice_from(text, 1);
    } else {
        text = exchange->ops->header(exchange, "x-api-key");
    }
    return text.len ? directory_find_key(gateway->parts.directory, text) : NULL;
}

void gateway_reply_error(struct exchange *exchange, const struct dialect *dialect,
                         const struct dialect_error *error, const struct exchange_header *headers,
                         size_t headers_len)
{
    enum { HEADERS = 16 };
    struct exchange_header all[HEADERS] = {{"content-type", SLICE_LITERAL("application/json")}};
    size_t len = 1;
    for (size_t i = 0; i < headers_len && len < HEADERS; i++)
        all[len++] = headers[i];
    struct buffer body;
    buffer_init(&body, 256 * 1024);
    /* Without memory the status alone must do. */
    if (dialect->write_error(&body, error))
        buffer_clear(&body);
    exchange->ops->reply(exchange, error->status, all, len, buffer_slice(&body));
    buffer_done(&body);
}

/* ---- Routing --------------------------------------------------------------------------------- */

static void refuse(struct exchange *exchange, int status, const char *code, const char *message)
{
    const struct dialect_error error = {status, "invalid_request_error", code, NULL, message, {0}};
    struct exchange_header allow = {
        "allow", status == 405 && slice_is(exchange->path, "/v1/chat/completions")
                     ? SLICE_LITERAL("POST")
                     : SLICE_LITERAL("GET")};
    gateway_reply_error(exchange, dialect_chat(), &error, &allow, status == 405);
}

static void begin(void *self, struct exchange *exchange)
{
    struct gateway *gateway = self;
    struct slice models = SLICE_LITERAL("/v1/models");
    exchange->state = NULL;
    if (slice_is(exchange->path, dialect_chat()->path)) {
        if (slice_is(exchange->method, "POST"))
            call_begin(gateway, exchange, dialect_chat());
        else
            refuse(exchange, 405, "method_not_allowed", "This path takes POST.");
        return;
    }
    struct slice rest = slice_starts(exchange->path, models)
                            ? slice_from(exchange->path, models.len)
                            : (struct slice){"?", 1};
    if (rest.len && rest.data[0] != '/') {
        refuse(exchange, 404, "unknown_url", "There is no such path here.");
        return;
    }
    if (!slice_is(exchange->method, "GET"))
        refuse(exchange, 405, "method_not_allowed", "This path takes GET.");
    else
        models_answer(gateway, exchange, rest.len ? slice_from(rest, 1) : rest);
}

static void gone(void *self, struct exchange *exchange)
{
    (void)self;
    if (exchange->state)
        call_gone(exchange->state);
}

static void drained(void *self, struct exchange *exchange)
{
    (void)self;
    if (exchange->state)
        call_drained(exchange->state);
}

struct exchange_handler gateway_handler(struct gateway *gateway)
{
    return (struct exchange_handler){gateway, begin, gone, drained};
}

/* ---- Life ------------------------------------------------------------------------------------ */

static char *joined(const char *a, const char *b)
{
    size_t len_a = strlen(a), len_b = strlen(b);
    char *text = malloc(len_a + len_b + 1);
    if (!text)
        return NULL;
    memcpy(text, a, len_a);
    memcpy(text + len_a, b, len_b + 1);
    return text;
}

static bool in_price_list(const struct pricing *pricing, const char *provider)
{
    for (size_t i = 0; i < pricing_len(pricing); i++)
        if (slice_is(pricing_at(pricing, i)->provider, provider))
            return true;
    return false;
}

static int make_routes(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->config->providers_len; i++) {
        const struct gateway_provider *provider = &gateway->config->providers[i];
        bool secret = provider->credential && provider->credential[0];
        struct gateway_route *route = &gateway->routes[i];
        route->url = joined(provider->base_url, dialect_chat()->upstream_path);
        route->in_price_list = in_price_list(gateway->parts.pricing, provider->name);
        if (secret)
            route->authorization = joined("Bearer ", provider->credential);
        if (!route->url || (secret && !route->authorization))
            return METE_E_MEMORY;
    }
    return 0;
}

int gateway_new(const struct gateway_parts *parts, const struct gateway_config *config,
                struct gateway **ret_gateway)
{
    ASSERT(parts->mete && parts->port && parts->directory && parts->pricing);
    ASSERT(parts->upstream && parts->timers);
    ASSERT(config->providers_len <= GATEWAY_PROVIDERS_MAX);
    ASSERT(config->response_max > 0);
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (!gateway)
        return METE_E_MEMORY;
    gateway->parts = *parts;
    gateway->config = config;
    int rc = make_routes(gateway);
    if (rc) {
        gateway_free(gateway);
        return rc;
    }
    *ret_gateway = gateway;
    return 0;
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    ASSERT(!gateway->counts.open);
    for (size_t i = 0; i < GATEWAY_PROVIDERS_MAX; i++) {
        free(gateway->routes[i].url);
        free(gateway->routes[i].authorization);
    }
    free(gateway);
}

void gateway_counts(const struct gateway *gateway, struct gateway_counts *ret_counts)
{
    *ret_counts = gateway->counts;
}
