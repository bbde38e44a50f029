/* SPDX-License-Identifier: Apache-2.0
 * See model_gateway.h. */
#include "property/model_gateway.h"

#include "base/assert.h"
#include "server/kept.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- Workers: theirs is done when the bench turns ----------------------------------------------
 */

static struct bench *of_workers(struct workers *workers)
{
    return (struct bench *)(void *)((char *)workers - offsetof(struct bench, workers));
}

static bool workers_submit(struct workers *workers, struct work *work)
{
    struct bench *bench = of_workers(workers);
    if (bench->works_full)
        return false;
    struct work **tail = &bench->works;
    while (*tail)
        tail = &(*tail)->next;
    work->next = NULL;
    *tail = work;
    return true;
}

static bool counters_submit(struct workers *counters, struct work *work)
{
    struct bench *bench =
        (struct bench *)(void *)((char *)counters - offsetof(struct bench, counters));
    bool taken = workers_submit(&bench->workers, work);
    bench->shared += taken;
    work->thread = LIMIT_COUNTERS;
    return taken;
}

static void do_works(struct bench *bench)
{
    while (bench->works && !bench->works_wait) {
        struct work *work = bench->works;
        bench->works = work->next;
        work->run(work);
        work->done(work);
    }
}

/* ---- The engine ------------------------------------------------------------------------------ */

static void wait_done(struct mete_op *op)
{
    *(bool *)op->user = true;
}

static void turn_once(struct bench *bench)
{
    struct pollfd fd = {.fd = mete_port_fd(bench->port), .events = POLLIN};
    (void)mete_turn(bench->mete, NULL);
    (void)poll(&fd, 1, 1);
    (void)mete_poll(bench->port, 64);
    do_works(bench);
}

void bench_do(struct bench *bench, struct mete_op *op)
{
    bool over = false;
    op->user = &over;
    op->done = wait_done;
    ASSERT(mete_submit(bench->port, &op, 1) == 1);
    for (int i = 0; i < 5000 && !over; i++)
        turn_once(bench);
    ASSERT(over);
}

void bench_budget(struct bench *bench, struct mete_budget_view *ret_view)
{
    struct mete_answer answer;
    struct mete_op op = {.kind = METE_OP_QUERY,
                         .args.query = {.kind = METE_QUERY_BUDGET, .budget = bench->budget},
                         .result.answer = &answer};
    bench_do(bench, &op);
    ASSERT(!op.status);
    *ret_view = answer.budget;
}

/* ---- Timers: they fire when the bench turns -------------------------------------------------- */

static struct bench *of_timers(struct timers *timers)
{
    return (struct bench *)(void *)((char *)timers - offsetof(struct bench, timers));
}

static void timer_set(struct timers *timers, struct timer *timer, int64_t delay_us)
{
    struct bench *bench = of_timers(timers);
    (void)delay_us;
    for (size_t i = 0; i < BENCH_CLIENTS; i++) {
        if (bench->timer[i] && bench->timer[i] != timer)
            continue;
        bench->timer[i] = timer;
        return;
    }
    ASSERT(false); /* too many timers */
}

static void timer_stop(struct timers *timers, struct timer *timer)
{
    struct bench *bench = of_timers(timers);
    for (size_t i = 0; i < BENCH_CLIENTS; i++)
        if (bench->timer[i] == timer)
            bench->timer[i] = NULL;
}

static int64_t timer_now(struct timers *timers)
{
    return of_timers(timers)->now_us += 1000;
}

static void fire_timers(struct bench *bench)
{
    for (size_t i = 0; i < BENCH_CLIENTS; i++) {
        struct timer *timer = bench->timer[i];
        bench->timer[i] = NULL;
        if (timer)
            timer->fire(timer);
    }
}

/* ---- The client ------------------------------------------------------------------------------ */

static struct client *of_exchange(const struct exchange *exchange)
{
    return (struct client *)(uintptr_t)exchange;
}

static struct slice client_header(const struct exchange *exchange, const char *name)
{
    struct client *client = of_exchange(exchange);
    for (size_t i = 0; client->names[i]; i++)
        if (!strcasecmp(client->names[i], name))
            return slice_of(client->values[i]);
    return (struct slice){0};
}

static void keep_head(struct client *client, int status, const struct exchange_header *headers,
                      size_t len)
{
    ASSERT(!client->replies && !client->started);
    client->status = status;
    ASSERT(!buffer_text(&client->headers, "\n"));
    for (size_t i = 0; i < len; i++) {
        ASSERT(!memchr(headers[i].value.data, '\n', headers[i].value.len));
        ASSERT(!buffer_format(&client->headers, "%s: %.*s\n", headers[i].name,
                              (int)headers[i].value.len, headers[i].value.data));
    }
}

static void client_reply(struct exchange *exchange, int status,
                         const struct exchange_header *headers, size_t headers_len,
                         struct slice body)
{
    struct client *client = of_exchange(exchange);
    keep_head(client, status, headers, headers_len);
    ASSERT(!buffer_append(&client->got, body));
    client->replies++;
}

static void client_start(struct exchange *exchange, int status,
                         const struct exchange_header *headers, size_t headers_len)
{
    struct client *client = of_exchange(exchange);
    keep_head(client, status, headers, headers_len);
    client->started = true;
}

static size_t client_write(struct exchange *exchange, struct slice bytes)
{
    struct client *client = of_exchange(exchange);
    ASSERT(client->started && !client->replies);
    ASSERT(!client->gone);
    ASSERT(!buffer_append(&client->got, bytes));
    return client->queue;
}

static void client_finish(struct exchange *exchange)
{
    struct client *client = of_exchange(exchange);
    ASSERT(client->started && !client->replies);
    client->replies++;
}

static struct buffer client_take_body(struct exchange *exchange)
{
    struct client *client = of_exchange(exchange);
    struct buffer body = client->body;
    client->body = (struct buffer){0};
    return body;
}

static const struct exchange_ops client_ops = {client_header, client_reply,  client_start,
                                               client_write,  client_finish, client_take_body};

void bench_header(struct client *client, const char *name, const char *value)
{
    size_t i = 0;
    while (client->names[i] && strcasecmp(client->names[i], name))
        i++;
    ASSERT(i + 1 < BENCH_HEADERS);
    client->names[i] = name;
    client->values[i] = value;
}

struct client *bench_client(struct bench *bench, const char *body)
{
    ASSERT(bench->clients_len < BENCH_CLIENTS);
    struct client *client = &bench->clients[bench->clients_len++];
    *client = (struct client){.bench = bench};
    client->exchange = (struct exchange){.ops = &client_ops,
                                         .method = SLICE_LITERAL("POST"),
                                         .path = SLICE_LITERAL("/v1/chat/completions"),
                                         .body = slice_of(body),
                                         .id = bench->clients_len};
    buffer_init(&client->headers, 8192);
    buffer_init(&client->got, 1 << 22);
    buffer_init(&client->asked, 1 << 20);
    buffer_init(&client->asked_headers, 8192);
    bench_header(client, "x-api-key", bench->key);
    return client;
}

void bench_begin(struct client *client)
{
    struct bench *bench = client->bench;
    struct exchange_handler handler = gateway_handler(bench->gateway);
    buffer_init(&client->body, client->exchange.body.len + 1);
    ASSERT(!buffer_append(&client->body, client->exchange.body));
    client->exchange.body = buffer_slice(&client->body);
    handler.begin(handler.self, &client->exchange);
    bool waits = bench->works && bench->works_wait;
    for (int i = 0; i < 5000 && !client->times_asked && !client->replies && !waits; i++) {
        turn_once(bench);
        fire_timers(bench);
    }
    ASSERT(client->times_asked || client->replies || waits);
}

struct client *bench_post(struct bench *bench, const char *body)
{
    struct client *client = bench_client(bench, body);
    bench_begin(client);
    return client;
}

void bench_gone(struct client *client)
{
    struct exchange_handler handler = gateway_handler(client->bench->gateway);
    if (client->gone || client->replies)
        return;
    client->gone = true;
    handler.gone(handler.self, &client->exchange);
}

bool bench_reply_has(const struct client *client, const char *header, const char *value)
{
    char line[512];
    int len =
        snprintf(line, sizeof line, "\n%s: %s%s", header, value ? value : "", value ? "\n" : "");
    return memmem(client->headers.data, client->headers.len, line, (size_t)len) != NULL;
}

/* ---- The provider ---------------------------------------------------------------------------- */

static struct bench *of_upstream(struct upstream *upstream)
{
    return (struct bench *)(void *)((char *)upstream - offsetof(struct bench, upstream));
}

static struct client *of_transfer(struct upstream_transfer *transfer)
{
    return transfer->carrier;
}

/* Calls begin in the order of their clients: it is the first one's who was not asked for; an
 * attempt after the first, the youngest client's. */
static struct client *whose_turn(struct bench *bench)
{
    for (size_t i = 0; i < bench->clients_len; i++)
        if (!bench->clients[i].times_asked && !bench->clients[i].replies)
            return &bench->clients[i];
    return &bench->clients[bench->clients_len - 1];
}

static int upstream_start(struct upstream *upstream, const struct upstream_request *request,
                          struct upstream_transfer *transfer)
{
    struct bench *bench = of_upstream(upstream);
    struct client *client = whose_turn(bench);
    ASSERT(!client->transfer);
    if (bench->no_connection)
        return METE_E_BUSY;
    client->times_asked++;
    client->transfer = transfer;
    transfer->carrier = client;
    ASSERT(!buffer_format(&client->asked_headers, "%s %s\n", request->method, request->url));
    for (size_t i = 0; i < request->headers_len; i++)
        ASSERT(!buffer_format(&client->asked_headers, "%s: %.*s\n", request->headers[i].name,
                              (int)request->headers[i].value.len, request->headers[i].value.data));
    for (size_t i = 0; i < request->body_len; i++)
        ASSERT(!buffer_append(&client->asked, request->body[i]));
    return 0;
}

static void upstream_cancel(struct upstream *upstream, struct upstream_transfer *transfer)
{
    (void)upstream;
    of_transfer(transfer)->cancelled = true;
}

static void upstream_pause(struct upstream *upstream, struct upstream_transfer *transfer,
                           bool paused)
{
    (void)upstream;
    of_transfer(transfer)->paused = paused;
}

static struct slice upstream_header(struct upstream *upstream, struct upstream_transfer *transfer,
                                    const char *name)
{
    (void)upstream;
    const char *type = of_transfer(transfer)->content_type;
    return type && !strcasecmp(name, "content-type") ? slice_of(type) : (struct slice){0};
}

void bench_head(struct client *client, int status, const char *content_type)
{
    ASSERT(client->transfer);
    client->content_type = content_type;
    client->transfer->body_sent = true;
    client->transfer->head(client->transfer, status);
}

/* After a cancel an upstream says nothing but the end. */
void bench_data(struct client *client, struct slice bytes)
{
    if (!client->transfer || client->cancelled)
        return;
    char *copy =
        malloc(bytes.len ? bytes.len : 1); /* its own block, so that ASan sees a kept one */
    ASSERT(copy);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    client->transfer->data(client->transfer, (struct slice){copy, bytes.len});
    free(copy);
}

void bench_text(struct client *client, const char *text)
{
    bench_data(client, slice_of(text));
}

void bench_end(struct client *client, enum upstream_end end)
{
    struct upstream_transfer *transfer = client->transfer;
    if (transfer) {
        client->transfer = NULL;
        transfer->end(transfer, client->cancelled ? UPSTREAM_CANCELLED : end, "");
    }
    for (int i = 0; i < 5000 && !client->replies; i++) {
        turn_once(client->bench);
        fire_timers(client->bench);
    }
    ASSERT(client->replies == 1);
}

void bench_turn(struct bench *bench)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        turn_once(bench);
        fire_timers(bench);
    }
}

/* ---- Setting up ------------------------------------------------------------------------------ */

static void fixed_random(void *user, void *ret_bytes, size_t len)
{
    uint64_t *state = user;
    uint8_t *bytes = ret_bytes;
    for (size_t i = 0; i < len; i++) {
        *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (uint8_t)(*state >> 56);
    }
}

static void call_done(void *user, const struct gateway_call_done *done)
{
    struct bench *bench = user;
    bench->done = *done;
    bench->dones++;
    bench->cost_sum += done->cost_nano;
    bench->costs[done->exchange] = done->cost_nano;
}

static void make_key(struct bench *bench, uint64_t seed, uint32_t handle, const char *more,
                     char text[KEY_TEXT + 1])
{
    struct directory_new_key made;
    char document[512];
    directory_make_key(bench->directory, fixed_random, &seed, &made);
    memcpy(text, made.text, sizeof made.text);
    int len = snprintf(document, sizeof document, "{\"hash\":\"%s\"%s}", made.hash, more);
    const struct records_entity entity = {.kind = METE_API_KEY,
                                          .handle = handle,
                                          .organization = bench->organization,
                                          .parent = bench->organization,
                                          .id = slice_of(made.id),
                                          .document = {document, (size_t)len}};
    ASSERT(!directory_put(bench->directory, &entity));
}

static void make_scopes(struct bench *bench, int64_t limit_nano)
{
    uint32_t handles[5];
    const struct mete_scope_id org = {METE_FROM_CHANGE(0)};
    const struct mete_change changes[5] = {
        {.kind = METE_PUT_SCOPE, .scope = {.kind = METE_ORGANIZATION, .id = {"acme", 4}}},
        {.kind = METE_PUT_SCOPE,
         .scope = {.kind = METE_API_KEY, .id = {"k1", 2}, .organization = org, .parent = org}},
        {.kind = METE_PUT_SCOPE,
         .scope = {.kind = METE_API_KEY, .id = {"k2", 2}, .organization = org, .parent = org}},
        {.kind = METE_PUT_SCOPE,
         .scope = {.kind = METE_API_KEY,
                   .id = {"k3", 2},
                   .organization = org,
                   .parent = org,
                   .revoked = 1}},
        {.kind = METE_PUT_BUDGET,
         .budget = {.id = {"all", 3},
                    .scope = org,
                    .meter = METE_COST,
                    .currency = METE_USD,
                    .limit = limit_nano,
                    .period = METE_TOTAL}}};
    struct mete_op op = {
        .kind = METE_OP_APPLY, .args.apply = {changes, 5, {"test", 4}}, .handles = handles};
    bench_do(bench, &op);
    ASSERT(!op.status);
    bench->organization.n = handles[0];
    bench->scope.n = handles[1];
    bench->budget.n = handles[4];
    make_key(bench, 1, handles[1], "", bench->key);
    make_key(bench, 2, handles[2], ",\"models\":[\"bench-*\"]", bench->narrow_key);
    make_key(bench, 3, handles[3], "", bench->revoked_key); /* the ledger alone knows */
}

static void put_model(struct bench *bench, const char *name, const char *provider,
                      int64_t output_max)
{
    const struct pricing_row row = {.name = slice_of(name),
                                    .provider = slice_of(provider),
                                    .per_million = {[PRICE_INPUT] = SLICE_LITERAL("1"),
                                                    [PRICE_CACHED_INPUT] = SLICE_LITERAL("0.5"),
                                                    [PRICE_CACHE_WRITE_1H] = SLICE_LITERAL("3"),
                                                    [PRICE_OUTPUT] = SLICE_LITERAL("2")},
                                    .output_max = output_max,
                                    .shows_all = !bench->reasons};
    ASSERT(!pricing_put(bench->pricing, &row));
}

static void granted(struct timer *timer)
{
    struct bench *bench = (struct bench *)(void *)((char *)timer - offsetof(struct bench, granted));
    struct work *work = bench->waits;
    bench->waits = NULL;
    bench->grant(bench);
    work->done(work);
}

static bool await_grants(void *user, struct work *work)
{
    struct bench *bench = user;
    if (!bench->grant || bench->waits)
        return false;
    bench->waits = work;
    bench->granted.fire = granted;
    bench->timers.set(&bench->timers, &bench->granted, 0);
    return true;
}

static bool find_documents(void *user, struct gateway_documents *documents)
{
    struct bench *bench = user;
    return kept_find(&bench->workers, bench->data, documents);
}

static void make_gateway(struct bench *bench, const struct bench_setup *setup)
{
    bench->config = (struct gateway_config){
        .providers = {{.name = "main",
                       .family = setup->family,
                       .priced_as = setup->priced_as,
                       .base_url = "http://provider/v1",
                       .credential = "provider-secret",
                       .models = {"bench-*", "open-*", "dear-*", "gpt-4o", "claude-*"},
                       .models_len = 5}},
        .providers_len = 1,
        .disconnect = setup->cancel ? GATEWAY_CANCEL : GATEWAY_DRAIN,
        .clamp = !setup->no_clamp,
        .count_tokens = !setup->no_count,
        .key_calls_max = setup->key_calls_max,
        .floor_tokens = 16,
        .default_output_tokens = 500,
        .response_max = setup->response_max ? setup->response_max : 65536};
    if (setup->catch_all) {
        bench->config.providers[0].name = setup->catch_all;
        bench->config.providers[0].models_len = 0;
    }
    bench->upstream =
        (struct upstream){upstream_start, upstream_cancel, upstream_pause, upstream_header};
    bench->timers = (struct timers){timer_set, timer_stop, timer_now};
    bench->workers = (struct workers){workers_submit};
    bench->counters = (struct workers){counters_submit};
    ASSERT(!price_book_new(bench->pricing, &bench->prices));
    const struct gateway_parts parts = {.mete = bench->mete,
                                        .port = bench->port,
                                        .directory = bench->directory,
                                        .prices = bench->prices,
                                        .upstream = &bench->upstream,
                                        .timers = &bench->timers,
                                        .workers = setup->workers ? &bench->workers : NULL,
                                        .counters = setup->counters ? &bench->counters : NULL,
                                        .call_done = call_done,
                                        .user = bench,
                                        .find_documents = setup->directory ? find_documents : NULL,
                                        .await_grants = await_grants};
    ASSERT(!gateway_new(&parts, &bench->config, &bench->gateway));
}

void bench_open(struct bench *bench, const struct bench_setup *setup)
{
    static const uint8_t secret[32] = {1, 2, 3};
    const struct mete_options options = {.directory = setup->directory,
                                         .clock = setup->clock,
                                         .owner = METE_OWNER_CALLER,
                                         .scopes_max = 64,
                                         .budgets_max = 64,
                                         .reservations_max = 256,
                                         .outcomes_max = 256};
    *bench = (struct bench){
        .no_connection = setup->no_connection, .reasons = setup->reasons, .data = setup->directory};
    ASSERT(!mete_open(&options, &bench->mete));
    ASSERT(!mete_port_open(bench->mete, &bench->port));
    ASSERT(!directory_new(secret, &bench->directory));
    ASSERT(!pricing_new(&bench->pricing));
    put_model(bench, "bench-model", "openai", 1000);
    put_model(bench, "open-model", "other", 0);
    put_model(bench, "gpt-4o", "openai", 1000);
    put_model(bench, "claude-haiku-4-5", "anthropic", 1000);
    make_scopes(bench, setup->limit_nano ? setup->limit_nano : INT64_C(1000000000000));
    make_gateway(bench, setup);
}

void bench_close(struct bench *bench)
{
    struct mete_budget_view budget;
    struct gateway_counts counts;
    bench_turn(bench);
    for (size_t i = 0; i < bench->clients_len; i++) {
        struct client *client = &bench->clients[i];
        ASSERT(client->replies == 1 && !client->transfer);
        buffer_done(&client->headers);
        buffer_done(&client->body);
        buffer_done(&client->got);
        buffer_done(&client->asked);
        buffer_done(&client->asked_headers);
    }
    bench_budget(bench, &budget);
    ASSERT_INV("INV-03", budget.held == 0);
    gateway_counts(bench->gateway, &counts);
    ASSERT(!counts.open && !counts.streams_open);
    gateway_free(bench->gateway);
    price_book_free(bench->prices);
    pricing_free(bench->pricing);
    directory_free(bench->directory);
    mete_port_close(bench->port);
    mete_close(bench->mete);
}
