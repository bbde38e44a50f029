/* SPDX-License-Identifier: Apache-2.0
 * A request to the provider that has a file or batch, and its answer: collected as a document, or
 * relayed piece by piece, no faster than the client takes it. */
#include "base/assert.h"
#include "gateway/batches/errand.h"
#include "gateway/batches/settling.h"
#include "gateway/call.h"

#include <stddef.h>

enum { SEND_URL_MAX = 4096, HEADERS_MAX = 6 };

#define ERRAND_OF(pointer)                                                                         \
    ((struct errand *)(void *)((char *)(pointer)-offsetof(struct errand, transfer)))

/* ---- What comes back ------------------------------------------------------------------------- */

static void keep_type(struct errand *errand)
{
    struct upstream *upstream = errand->gateway->parts.upstream;
    struct slice type = upstream->header(upstream, &errand->transfer, "content-type");
    errand->type[0] = 0;
    for (size_t i = 0; i < type.len; i++)
        if (type.data[i] < ' ' || type.data[i] > '~')
            return;
    if (!type.len || type.len >= ERRAND_TYPE)
        return;
    memcpy(errand->type, type.data, type.len);
    errand->type[type.len] = 0;
}

static void on_head(struct upstream_transfer *transfer, int status)
{
    struct errand *errand = ERRAND_OF(transfer);
    errand->status = status;
    errand->ends_by_close = transfer->ends_by_close;
    keep_type(errand);
    if (errand->on_head && status >= 200 && status <= 299)
        errand->on_head(errand);
}

void errand_start_relay(struct errand *errand)
{
    const struct exchange_header type = {
        "content-type",
        errand->type[0] ? slice_of(errand->type) : SLICE_LITERAL("application/octet-stream")};
    errand->relays = true;
    errand->exchange->ops->start(errand->exchange, errand->status, &type, 1);
}

static void relay(struct errand *errand, struct slice bytes)
{
    struct upstream *upstream = errand->gateway->parts.upstream;
    if (errand->settling)
        settling_feed(errand->settling, bytes);
    if (errand->gone)
        return;
    size_t waiting = errand->exchange->ops->write(errand->exchange, bytes);
    if (waiting <= EXCHANGE_QUEUE_HIGH || errand->paused)
        return;
    errand->paused = true;
    upstream->pause(upstream, &errand->transfer, true);
}

static void on_data(struct upstream_transfer *transfer, struct slice bytes)
{
    struct errand *errand = ERRAND_OF(transfer);
    struct upstream *upstream = errand->gateway->parts.upstream;
    if (errand->relays)
        relay(errand, bytes);
    else if (buffer_append(&errand->answer, bytes))
        upstream->cancel(upstream, transfer);
}

static void on_end(struct upstream_transfer *transfer, enum upstream_end end, const char *why)
{
    struct errand *errand = ERRAND_OF(transfer);
    (void)why;
    errand->transfer_open = errand->paused = false;
    errand->end = end;
    errand->next(errand);
}

/* A client that left takes no more; what its bytes come to is still read. */
void errand_gone(struct errand *errand)
{
    struct upstream *upstream = errand->gateway->parts.upstream;
    errand->gone = true;
    if (errand->relays && errand->transfer_open && !errand->settling)
        upstream->cancel(upstream, &errand->transfer);
    else
        errand_drained(errand);
}

void errand_drained(struct errand *errand)
{
    struct upstream *upstream = errand->gateway->parts.upstream;
    if (!errand->paused || !errand->transfer_open)
        return;
    errand->paused = false;
    upstream->pause(upstream, &errand->transfer, false);
}

/* ---- What is asked --------------------------------------------------------------------------- */

static int make_url(struct errand *errand, const struct errand_send *send)
{
    const struct provider *provider = errand->provider;
    struct buffer *url = &errand->url;
    buffer_done(url);
    buffer_init(url, SEND_URL_MAX);
    int rc = strstr(provider->base, "{model}") ? METE_E_INVALID : buffer_text(url, provider->base);
    if (!rc)
        rc = buffer_text(url, send->path);
    if (!rc && send->id.len)
        rc = buffer_text(url, "/");
    if (!rc && send->id.len)
        rc = buffer_append(url, send->id);
    if (!rc && send->rest)
        rc = buffer_text(url, send->rest);
    if (!rc)
        rc = gateway_put_query((struct slice){0}, provider->query, url);
    return rc ? rc : buffer_append(url, (struct slice){"", 1});
}

static int start(struct errand *errand, const struct errand_send *send)
{
    const struct gateway_config *config = errand->gateway->config;
    struct upstream *upstream = errand->gateway->parts.upstream;
    bool api_key = errand->provider->family->credential == DIALECT_API_KEY;
    struct slice secret =
        api_key ? credential_secret(errand->credential) : credential_bearer(errand->credential);
    struct exchange_header headers[HEADERS_MAX] = {
        {"accept", SLICE_LITERAL("*/*")},
        {"accept-encoding", SLICE_LITERAL("identity")},
        {"user-agent", SLICE_LITERAL("mete/" METE_VERSION)},
    };
    size_t len = 3;
    if (secret.len)
        headers[len++] = (struct exchange_header){api_key ? "api-key" : "authorization", secret};
    if (send->content_type.len)
        headers[len++] = (struct exchange_header){"content-type", send->content_type};
    const struct upstream_request request = {
        .method = send->method,
        .url = errand->url.data,
        .headers = headers,
        .headers_len = len,
        .body = errand->pieces,
        .body_len = errand->pieces_len,
        .wire = &errand->provider->config->wire,
        .connect_timeout_ms = config->connect_timeout_ms,
        .first_byte_timeout_ms = config->first_byte_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .total_timeout_ms = config->total_timeout_ms,
    };
    errand->transfer = (struct upstream_transfer){.head = on_head, .data = on_data, .end = on_end};
    return upstream->start(upstream, &request, &errand->transfer);
}

void errand_send(struct errand *errand, const struct errand_send *send, errand_step *next)
{
    credential_let_go(errand->credential);
    errand->credential = credential_hold(errand->provider->credential);
    errand->status = 0;
    errand->next = next;
    errand->on_head = send->on_head;
    buffer_done(&errand->answer);
    buffer_init(&errand->answer, (size_t)errand->gateway->config->response_max);
    int rc = make_url(errand, send);
    if (!rc)
        rc = start(errand, send);
    if (!rc) {
        errand->transfer_open = true;
        return;
    }
    errand->end = UPSTREAM_NOT_SENT;
    next(errand);
}

/* ---- What it came to ------------------------------------------------------------------------- */

static const struct dialect_error *fault_of(const struct errand *errand)
{
    static const struct dialect_error unreached = {
        502, "server_error", "upstream_unreachable", NULL, "The provider could not be reached.",
        {0}};
    static const struct dialect_error late = {
        504, "server_error", "upstream_timeout", NULL, "The provider took too long.", {0}};
    static const struct dialect_error lost = {
        502, "server_error", "upstream_lost", NULL, "The provider broke off.", {0}};
    static const struct dialect_error useless = {502,
                                                 "server_error",
                                                 "upstream_status",
                                                 NULL,
                                                 "The provider answered with a status of no use.",
                                                 {0}};
    static const struct dialect_error quoted = {502,
                                                "server_error",
                                                "upstream_credential",
                                                NULL,
                                                "The provider refused the gateway's credential.",
                                                {0}};
    /* A provider may quote the credential it refuses: no client is to see it (INV-13). */
    struct slice secret = credential_secret(errand->credential);
    const struct buffer *answer = &errand->answer;
    if (errand->end == UPSTREAM_NOT_SENT)
        return &unreached;
    if (errand->end != UPSTREAM_DONE || !errand->status)
        return errand->end == UPSTREAM_TIMEOUT ? &late : &lost;
    if (errand->status < 200 || errand->status > 599 ||
        (errand->status >= 300 && errand->status < 400))
        return &useless;
    if (errand->status >= 400 && secret.len && answer->len &&
        memmem(answer->data, answer->len, secret.data, secret.len))
        return &quoted;
    return NULL;
}

bool errand_is_good(struct errand *errand)
{
    const struct dialect_error *fault = fault_of(errand);
    if (fault)
        errand_fail(errand, fault);
    else if (errand->status > 299)
        errand_reply(errand);
    else
        return true;
    return false;
}
