/* SPDX-License-Identifier: Apache-2.0
 * Which exchange goes where, which provider answers which model, and the gateway's life.
 *
 *   POST to a format's path    call.c
 *   a stored answer's path     fetch.c
 *   /v1/files, /v1/batches     batches/
 *   POST /v1/messages/count_tokens  count_tokens.c
 *   GET  /v1/models[/{id}]      models.c
 *   a path that a provider's pass_through names  call.c
 *   any other method            405
 *   anything else               404, in the shape of OpenAI's errors
 *
 * A gateway has no list of its calls: each is reachable from its exchange, its transfer and its
 * operation, and counts.open says how many there are. */
#include "base/assert.h"
#include "gateway/batches/batches.h"
#include "gateway/call.h"
#include "gateway/count_tokens.h"
#include "gateway/fetch.h"
#include "gateway/inside.h"

#include <stdio.h>
#include <stdlib.h>

enum { SPARES_MAX = 256 };     /* blocks kept aside: several rounds of calls */
enum { KEYS_AT_ONCE = 65536 }; /* with calls under way: several times what may be connected */

void gateway_reply_error(struct exchange *exchange, const struct dialect *dialect,
                         const struct dialect_error *error, const struct exchange_header *headers,
                         size_t headers_len)
{
    enum { HEADERS = 32 };
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

static void no_such_path(struct exchange *exchange)
{
    static const struct dialect_error error = {404,  "invalid_request_error",       "unknown_url",
                                               NULL, "There is no such path here.", {0}};
    gateway_reply_error(exchange, dialect_chat(), &error, NULL, 0);
}

/* format NULL: the path is of none. */
static void no_such_method(struct exchange *exchange, const struct dialect *format,
                           const char *methods)
{
    char message[64];
    const struct exchange_header allow = {"allow", slice_of(methods)};
    snprintf(message, sizeof message, "This path takes %s.", methods);
    const struct dialect_error error = {
        405, "invalid_request_error", "method_not_allowed", NULL, message, {0}};
    gateway_reply_error(exchange, format ? format : dialect_chat(), &error, &allow, 1);
}

/* methods: "GET, DELETE" */
static bool takes(const char *methods, struct slice method)
{
    const char *at = method.len ? memmem(methods, strlen(methods), method.data, method.len) : NULL;
    bool begins = at == methods || (at && at[-1] == ' ');
    return begins && (!at[method.len] || at[method.len] == ',');
}

static void begin_format(struct gateway *gateway, struct exchange *exchange,
                         const struct dialect *format, const struct dialect_target *target)
{
    bool stored = target->id.len && format->stored_methods;
    const char *methods = stored ? format->stored_methods(target) : format->methods;
    if (!takes(methods, exchange->method))
        no_such_method(exchange, format, methods);
    else if (stored)
        fetch_begin(gateway, exchange, format, target);
    else
        call_begin(gateway, exchange, format, target);
}

/* What no format knows and the configuration lets through. False: nobody does. */
static bool begin_pass(struct gateway *gateway, struct exchange *exchange)
{
    const char *methods = providers_pass_methods(&gateway->providers, exchange->path);
    const struct dialect_target target = {.rest = exchange->path};
    if (!methods)
        return false;
    if (takes(methods, exchange->method))
        call_begin(gateway, exchange, dialect_pass(), &target);
    else
        no_such_method(exchange, NULL, methods);
    return true;
}

static void begin(void *self, struct exchange *exchange)
{
    struct gateway *gateway = self;
    struct slice models = SLICE_LITERAL("/v1/models"), rest = {"?", 1};
    struct dialect_target target;
    const struct dialect *format = dialect_find(exchange->path, exchange->query, &target);
    exchange->state = NULL;
    if (format) {
        begin_format(gateway, exchange, format, &target);
        return;
    }
    if (batches_begin(gateway, exchange))
        return;
    if (count_is_path(exchange->path)) {
        if (slice_is(exchange->method, "POST"))
            count_begin(gateway, exchange);
        else
            no_such_method(exchange, dialect_messages(), "POST");
        return;
    }
    if (slice_starts(exchange->path, models))
        rest = slice_from(exchange->path, models.len);
    if (rest.len && rest.data[0] != '/') {
        if (!begin_pass(gateway, exchange))
            no_such_path(exchange);
    } else if (!slice_is(exchange->method, "GET")) {
        no_such_method(exchange, NULL, "GET");
    } else {
        models_answer(gateway, exchange, rest.len ? slice_from(rest, 1) : rest);
    }
}

static bool is(const struct exchange *exchange, enum gateway_work wanted)
{
    const enum gateway_work *work = exchange->state;
    return work && *work == wanted;
}

static void gone(void *self, struct exchange *exchange)
{
    (void)self;
    if (is(exchange, GATEWAY_FETCH))
        fetch_gone(exchange->state);
    else if (is(exchange, GATEWAY_ERRAND))
        errand_gone(exchange->state);
    else if (is(exchange, GATEWAY_CALL))
        call_gone(exchange->state);
}

static void drained(void *self, struct exchange *exchange)
{
    (void)self;
    if (is(exchange, GATEWAY_FETCH))
        fetch_drained(exchange->state);
    else if (is(exchange, GATEWAY_ERRAND))
        errand_drained(exchange->state);
    else if (is(exchange, GATEWAY_CALL))
        call_drained(exchange->state);
}

struct exchange_handler gateway_handler(struct gateway *gateway)
{
    return (struct exchange_handler){gateway, begin, gone, drained};
}

/* ---- Life ------------------------------------------------------------------------------------ */

int gateway_set_credential(struct gateway *gateway, size_t provider, struct slice secret)
{
    ASSERT(provider < gateway->config->providers_len);
    struct provider *each = &gateway->providers.all[provider];
    struct credential *fresh = NULL;
    int rc = secret.len ? credential_new(secret, &fresh) : 0;
    if (rc)
        return rc;
    credential_let_go(each->credential);
    each->credential = fresh;
    return 0;
}

int gateway_new(const struct gateway_parts *parts, const struct gateway_config *config,
                struct gateway **ret_gateway)
{
    ASSERT(parts->mete && parts->port && parts->directory && parts->prices);
    ASSERT(parts->upstream && parts->timers);
    ASSERT(config->response_max > 0);
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (!gateway)
        return METE_E_MEMORY;
    gateway->parts = *parts;
    gateway->config = config;
    spares_init(&gateway->refused, sizeof(struct call_refused), SPARES_MAX);
    spares_init(&gateway->rates, sizeof(struct call_rates), SPARES_MAX);
    spares_init(&gateway->more, sizeof(struct call_more), SPARES_MAX);
    spares_init(&gateway->asking, sizeof(struct call_asking), SPARES_MAX);
    int rc =
        providers_open(&gateway->providers, config, price_book_base(parts->prices), parts->seed);
    if (!rc)
        rc = tokenizer_pool_new(&gateway->pool);
    if (!rc && config->key_calls_max)
        rc = crowd_init(&gateway->crowd, KEYS_AT_ONCE, 0);
    if (rc) {
        tokenizer_pool_free(gateway->pool);
        providers_close(&gateway->providers);
        free(gateway);
        return rc;
    }
    *ret_gateway = gateway;
    return 0;
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    ASSERT(!gateway->counts.open && !gateway->streams);
    stops_close(gateway);
    providers_close(&gateway->providers);
    spares_done(&gateway->refused);
    spares_done(&gateway->rates);
    spares_done(&gateway->more);
    spares_done(&gateway->asking);
    crowd_done(&gateway->crowd);
    answers_close(&gateway->answers);
    for (size_t i = 0; i <= LIMIT_COUNTERS; i++)
        tokenizers_close(&gateway->tokenizers[i]);
    memo_free(gateway->memo);
    tokenizer_pool_free(gateway->pool);
    free(gateway);
}

void gateway_enable_provider(struct gateway *gateway, size_t provider, bool enabled)
{
    providers_enable(&gateway->providers, provider, enabled);
}

bool gateway_answers(const struct gateway *gateway, size_t provider, struct slice model)
{
    return providers_answers(&gateway->providers, provider, model);
}

bool gateway_provider_at(const struct gateway *gateway, size_t i,
                         struct gateway_provider_view *ret_view)
{
    if (i >= gateway->providers.len)
        return false;
    static const char *const faults[] = {[PROVIDER_NOT_REACHED] = "not_reached",
                                         [PROVIDER_BROKE_OFF] = "broke_off",
                                         [PROVIDER_TOO_SLOW] = "timeout",
                                         [PROVIDER_BAD_STATUS] = "status"};
    const struct provider *provider = &gateway->providers.all[i];
    struct timers *timers = gateway->parts.timers;
    *ret_view = (struct gateway_provider_view){
        .name = slice_of(provider->config->name),
        .priced_as = provider->priced_as,
        .config = provider->config,
        .enabled = !provider->disabled,
        .wait_us = max_i64(provider->until_us - timers->now_us(timers), 0),
        .fault = faults[provider->fault],
        .fault_status = provider->fault_status,
        .fault_us = provider->fault_us,
        .health = provider->health == PROVIDER_CLOSED ? GATEWAY_WELL
                  : provider->health == PROVIDER_OPEN ? GATEWAY_LEFT_ALONE
                                                      : GATEWAY_ON_TRIAL,
        .calls_open = provider->open,
        .asked = provider->asked,
        .failed = provider->failed,
        .opened = provider->opened,
    };
    return true;
}

const struct price_model *gateway_price(const struct gateway *gateway,
                                        const struct pricing *pricing, struct slice provider,
                                        struct slice model)
{
    const struct provider *named = providers_named(&gateway->providers, provider);
    const struct price_model *found = named ? providers_price_of(named, pricing, model) : NULL;
    if (found)
        return found;
    return pricing_find_of(pricing, named ? named->priced_as : provider, model);
}

void gateway_counts(const struct gateway *gateway, struct gateway_counts *ret_counts)
{
    *ret_counts = gateway->counts;
}
