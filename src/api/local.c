/* SPDX-License-Identifier: Apache-2.0
 * One thread plays all parts in turn: the owner (mete_turn), the port (mete_poll), and the workers
 * (a list of work run between them), and waits on the port's descriptor when none has anything to
 * do. done() of work is called from that loop, never inside submit(), as the interface asks. */
#include "api/local.h"

#include "api/catalog/price_documents.h"
#include "base/assert.h"
#include "base/limits.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 20 }; /* a wake-up that is missed costs no more than this */

struct local {
    struct workers workers; /* first: workers_submit() finds us by it */
    struct work *first, *last;
    struct mete *mete;
    struct mete_port *port;
    struct directory *directory;
    struct people *people;
    struct price_book *prices;
    struct models *models;
    struct api *api;
    struct exchange_handler handler;
    uint64_t last_id;
};

static bool workers_submit(struct workers *workers, struct work *work)
{
    struct local *local = (struct local *)workers;
    work->next = NULL;
    if (local->last)
        local->last->next = work;
    else
        local->first = work;
    local->last = work;
    return true;
}

static void do_work(struct local *local)
{
    while (local->first) {
        struct work *work = local->first;
        local->first = work->next;
        if (!local->first)
            local->last = NULL;
        work->run(work);
        work->done(work);
    }
}

static void system_random(void *user, void *bytes, size_t len)
{
    const struct os *os = user;
    os->random(os->user, bytes, len);
}

/* ---- Opening -----------------------------------------------------------------------------------
 */

static int load_directory(struct local *local, const struct local_options *options)
{
    struct records_reader *reader;
    int rc = directory_new(options->secret, &local->directory);
    if (!rc)
        rc = people_new(options->secret, &local->people);
    if (!rc)
        rc = records_reader_open(os_system(), options->directory, &reader);
    if (rc)
        return rc;
    rc = directory_load(local->directory, reader);
    if (!rc)
        rc = people_load(local->people, reader);
    records_reader_close(reader);
    return rc;
}

/* The built-in list and what documents say; the configuration is not read here. */
static int open_prices(struct local *local, const struct local_options *options)
{
    struct pricing *base;
    struct records_reader *reader;
    int rc = pricing_new(&base);
    if (rc)
        return rc;
    rc = price_book_new(base, &local->prices);
    pricing_free(base);
    if (!rc)
        rc = records_reader_open(os_system(), options->directory, &reader);
    if (rc)
        return rc;
    rc = price_documents_load(reader, local->prices);
    if (!rc)
        rc = models_new(&local->models);
    if (!rc)
        rc = models_load(local->models, reader);
    records_reader_close(reader);
    return rc;
}

static int open_api(struct local *local, const struct local_options *options)
{
    /* The real system's struct is const, and its functions take it as their own. */
    union {
        const struct os *shown;
        void *passed;
    } os = {.shown = os_system()};
    struct api_parts parts = {.mete = local->mete,
                              .port = local->port,
                              .directory = local->directory,
                              .people = local->people,
                              .prices = local->prices,
                              .models = local->models,
                              .workers = &local->workers,
                              .data_directory = options->directory,
                              .random = system_random,
                              .random_user = os.passed,
                              .admin_token = options->admin_token,
                              .credentials = {.vault = options->vault},
                              .budgets = options->budgets};
    int rc = api_new(&parts, &local->api);
    if (!rc)
        local->handler = api_handler(local->api);
    return rc;
}

int local_open(const struct local_options *options, struct local **ret_local)
{
    ASSERT(options->directory && options->admin_token);
    struct local *local = calloc(1, sizeof *local);
    if (!local)
        return METE_E_MEMORY;
    local->workers.submit = workers_submit;
    struct mete_options engine = {
        .directory = options->directory, .owner = METE_OWNER_CALLER, .clock = options->clock};
    int rc = mete_open(&engine, &local->mete);
    if (!rc)
        rc = mete_port_open(local->mete, &local->port);
    if (!rc)
        rc = load_directory(local, options);
    if (!rc)
        rc = open_prices(local, options);
    if (!rc)
        rc = open_api(local, options);
    if (rc) {
        local_close(local);
        return rc;
    }
    *ret_local = local;
    return 0;
}

void local_close(struct local *local)
{
    if (!local)
        return;
    api_free(local->api);
    if (local->port)
        mete_port_close(local->port);
    if (local->mete)
        mete_close(local->mete);
    directory_free(local->directory);
    people_free(local->people);
    price_book_free(local->prices);
    models_free(local->models);
    free(local);
}

struct mete *local_mete(struct local *local)
{
    return local->mete;
}

struct mete_port *local_port(struct local *local)
{
    return local->port;
}

/* ---- Calls --------------------------------------------------------------------------------------
 */

static struct local_call *call_of(const struct exchange *exchange)
{
    union {
        const struct exchange *shown;
        struct local_call *call; /* the exchange is its first member */
    } at = {.shown = exchange};
    return at.call;
}

static struct slice get_header(const struct exchange *exchange, const char *name)
{
    const struct local_call *call = call_of(exchange);
    for (size_t i = 0; i < call->headers_len; i++)
        if (!strcmp(call->headers[i].name, name))
            return call->headers[i].value;
    return strcmp(name, "Authorization") ? (struct slice){0} : call->authorization;
}

static void keep_headers(struct local_call *call, const struct exchange_header *headers, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        struct slice value = headers[i].value;
        if (slice_is(slice_of(headers[i].name), "Allow"))
            snprintf(call->allow, sizeof call->allow, "%.*s", (int)value.len, value.data);
        if (slice_is(slice_of(headers[i].name), "ETag"))
            snprintf(call->etag, sizeof call->etag, "%.*s", (int)value.len, value.data);
        if (slice_is(slice_of(headers[i].name), "Next-Cursor"))
            snprintf(call->next_cursor, sizeof call->next_cursor, "%.*s", (int)value.len,
                     value.data);
        if (slice_is(slice_of(headers[i].name), "Set-Cookie"))
            snprintf(call->cookie, sizeof call->cookie, "%.*s", (int)value.len, value.data);
        if (slice_is(slice_of(headers[i].name), "Retry-After"))
            snprintf(call->retry_after, sizeof call->retry_after, "%.*s", (int)value.len,
                     value.data);
        if (slice_is(slice_of(headers[i].name), "Idempotency-Replayed"))
            call->replayed = true;
        if (slice_is(slice_of(headers[i].name), "Content-Type"))
            call->problem = slice_is(value, "application/problem+json");
    }
}

static void take_reply(struct exchange *exchange, int status, const struct exchange_header *headers,
                       size_t headers_len, struct slice body)
{
    struct local_call *call = call_of(exchange);
    ASSERT(call->status == 0 && status > 0);
    keep_headers(call, headers, headers_len);
    int rc = buffer_append(&call->reply, body);
    ASSERT(rc == 0);
    call->status = status;
}

/* The API answers whole; a stream would be a bug here. */
static void no_start(struct exchange *exchange, int status, const struct exchange_header *headers,
                     size_t headers_len)
{
    (void)exchange, (void)status, (void)headers, (void)headers_len;
    ASSERT(false); /* the API streams nothing */
}

static size_t no_write(struct exchange *exchange, struct slice bytes)
{
    (void)exchange, (void)bytes;
    ASSERT(false); /* the API streams nothing */
    return 0;
}

static void no_finish(struct exchange *exchange)
{
    (void)exchange;
    ASSERT(false); /* the API streams nothing */
}

static struct buffer take_body(struct exchange *exchange)
{
    (void)exchange;
    return (struct buffer){0}; /* it is the caller's, and stays */
}

static const struct exchange_ops ops = {.header = get_header,
                                        .take_body = take_body,
                                        .reply = take_reply,
                                        .start = no_start,
                                        .write = no_write,
                                        .finish = no_finish};

static bool turn(struct local *local)
{
    size_t moved = mete_turn(local->mete, NULL);
    moved += mete_poll(local->port, LIMIT_RING);
    bool worked = local->first != NULL;
    do_work(local);
    return moved > 0 || worked;
}

void local_start(struct local *local, struct local_call *call)
{
    struct slice target = slice_of(call->target);
    const char *mark = memchr(target.data, '?', target.len);
    size_t path_len = mark ? (size_t)(mark - target.data) : target.len;
    call->exchange =
        (struct exchange){.ops = &ops,
                          .method = slice_of(call->method),
                          .path = slice_part(target, 0, path_len),
                          .query = mark ? slice_from(target, path_len + 1) : (struct slice){0},
                          .body = call->body,
                          .id = ++local->last_id};
    call->status = 0;
    call->problem = false;
    call->allow[0] = 0;
    call->cookie[0] = 0;
    call->retry_after[0] = 0;
    buffer_done(&call->reply);
    buffer_init(&call->reply, LIMIT_REPLY);
    local->handler.begin(local->handler.self, &call->exchange);
}

void local_wait(struct local *local)
{
    while (api_open(local->api) > 0) {
        if (turn(local))
            continue;
        struct pollfd fd = {.fd = mete_port_fd(local->port), .events = POLLIN};
        poll(&fd, 1, WAIT_MS);
    }
}

void local_ask(struct local *local, struct local_call *call)
{
    local_start(local, call);
    local_wait(local);
    ASSERT(call->status > 0);
}

void local_call_done(struct local_call *call)
{
    buffer_done(&call->reply);
}
