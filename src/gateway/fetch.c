/* SPDX-License-Identifier: Apache-2.0
 * The life of a fetch. What is not remembered (answers.h: a restart forgets) is looked for in the
 * records first (FINDING).
 *
 *   begin --key, place--> ASKING --head--> COLLECTING --end--.   figures, and its record open
 *     |                      |  '--------> STREAMING --------+--------------> SETTLING --.
 *     | 401, 404, 405        | not sent, lost                | none, or nothing open     | durable
 *     v                      v                               v                           v
 *    DONE <--------------------------------------------------------------------------------
 *
 * WHERE    only the provider that made an answer has it, and only the organization whose key asked
 *   for it may have it: to others, and where nothing is known, it is a 404 (INV-12).
 * SETTLED  the figures of a finished answer are committed to the reservation of its record, which
 *   takes them as its correction, once (rule 26 of docs/semantics.md); the client sees them after
 *   that is durable (INV-05). A second retrieval finds nothing open. An answer that ended without
 *   figures (cancelled) leaves its record provisional.
 * SHOWN    the provider's answer, unchanged, but for the cost in the last event of a stream. */
#include "gateway/fetch.h"

#include "base/assert.h"
#include "gateway/answers.h"
#include "gateway/call.h"
#include "gateway/usage.h"

#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

enum { AGAIN_US = 1000, FETCH_URL_MAX = 4096, HEADERS_MAX = 8, TYPE_ROOM = 128 };

enum fetch_state {
    FETCH_FINDING = 0,
    FETCH_ASKING,
    FETCH_COLLECTING,
    FETCH_STREAMING,
    FETCH_RELAYING,
    FETCH_SETTLING,
    FETCH_DONE
};

struct fetch {
    enum gateway_work work; /* first: FETCH */
    struct mete_op op;
    struct upstream_transfer transfer;
    struct timer again;
    struct gateway *gateway;
    const struct dialect *format;
    struct exchange *exchange; /* NULL once it is over */
    enum fetch_state state;
    bool op_open, transfer_open, timer_open, lookup_open;
    bool gone, paused, started, cancelled;
    bool relays; /* what is neither a document nor a stream of events: its bytes go on */
    struct dialect_target target;
    struct gateway_lookup lookup;
    struct answer_place place;
    char id[LIMIT_ID + 1]; /* terminated */
    struct credential *credential;
    struct buffer url, answer;
    struct stream stream;
    int status;
    char type[TYPE_ROOM];
    struct dialect_error failure; /* status 0: none */
    struct pricing_usage used;
    int64_t cost;
    bool settled;
    struct mete_usage usage[USAGE_METERS];
    struct mete_part parts[METE_PARTS_MAX];
    char tariff[TARIFF_TEXT_ROOM];
};

#define FETCH_OF(pointer, member)                                                                  \
    ((struct fetch *)(void *)((char *)(pointer)-offsetof(struct fetch, member)))

/* ---- What is known --------------------------------------------------------------------------- */

void fetch_remember(struct call *call)
{
    bool good = call->upstream_status >= 200 && call->upstream_status < 300;
    if (!good || call->format != call->spoken || !call->spoken->stored_methods)
        return;
    bool provisional = call->op.args.commit.outcome.flags & METE_OUTCOME_PROVISIONAL;
    const struct answer_place place = {
        .organization = call->organization,
        .provider = call->provider,
        .price = call->price,
        .pricing = call->pricing,
        .reservation = call->reservation,
        .open = provisional && !call->unknown,
    };
    answers_put(&call->gateway->answers, call->response_id, &place);
}

bool fetch_is_foreign(const struct gateway *gateway, struct slice id,
                      struct mete_scope_id organization)
{
    const struct answer_place *place = answers_find(&gateway->answers, id);
    return place && place->organization.n != organization.n;
}

/* ---- The end of its life --------------------------------------------------------------------- */

static void free_if_over(struct fetch *fetch)
{
    if (fetch->exchange || fetch->op_open || fetch->transfer_open || fetch->timer_open ||
        fetch->lookup_open)
        return;
    fetch->gateway->counts.open--;
    fetch->gateway->counts.streams_open -= fetch->started;
    if (fetch->started)
        stream_done(&fetch->stream);
    credential_let_go(fetch->credential);
    pricing_free(fetch->place.pricing);
    buffer_done(&fetch->url);
    buffer_done(&fetch->answer);
    free(fetch);
}

static void leave(struct fetch *fetch)
{
    fetch->exchange = NULL;
    fetch->state = FETCH_DONE;
    free_if_over(fetch);
}

static void reply_failure(struct fetch *fetch, const struct dialect_error *failure)
{
    struct exchange *exchange = fetch->exchange;
    exchange->state = NULL;
    gateway_reply_error(exchange, fetch->format, failure, NULL, 0);
    leave(fetch);
}

static void fail(struct fetch *fetch, int status, const char *code, const char *message)
{
    if (!fetch->failure.status)
        fetch->failure = (struct dialect_error){status, "server_error", code, NULL, message, {0}};
}

static void reply(struct fetch *fetch)
{
    struct exchange *exchange = fetch->exchange;
    const struct exchange_header type = {
        "content-type", fetch->type[0] ? slice_of(fetch->type) : SLICE_LITERAL("application/json")};
    exchange->state = NULL;
    exchange->ops->reply(exchange, fetch->status, &type, 1, buffer_slice(&fetch->answer));
    leave(fetch);
}

static void finish_stream(struct fetch *fetch)
{
    char room[DECIMAL_ROOM];
    struct exchange *exchange = fetch->exchange;
    struct slice cost = {0};
    if (fetch->settled)
        cost = (struct slice){room, decimal_format(fetch->cost, 9, 2, room)};
    int rc = fetch->failure.status ? stream_break(&fetch->stream, &fetch->failure, cost)
                                   : stream_finish(&fetch->stream, &fetch->used, cost);
    if (!rc && !fetch->gone && fetch->stream.out.len)
        (void)exchange->ops->write(exchange, buffer_slice(&fetch->stream.out));
    exchange->state = NULL;
    exchange->ops->finish(exchange);
    leave(fetch);
}

/* What broke off cannot be told any more. */
static void finish_relay(struct fetch *fetch)
{
    struct exchange *exchange = fetch->exchange;
    exchange->state = NULL;
    exchange->ops->finish(exchange);
    leave(fetch);
}

static void tell(struct fetch *fetch)
{
    if (fetch->relays)
        finish_relay(fetch);
    else if (fetch->started)
        finish_stream(fetch);
    else if (fetch->failure.status)
        reply_failure(fetch, &fetch->failure);
    else
        reply(fetch);
}

/* ---- Settling -------------------------------------------------------------------------------- */

static void submit(struct fetch *fetch);

static void on_again(struct timer *timer)
{
    struct fetch *fetch = FETCH_OF(timer, again);
    fetch->timer_open = false;
    submit(fetch);
}

static void wait_for_room(struct fetch *fetch)
{
    struct timers *timers = fetch->gateway->parts.timers;
    fetch->timer_open = true;
    fetch->again.fire = on_again;
    timers->set(timers, &fetch->again, AGAIN_US);
}

static void on_settled(struct mete_op *op)
{
    struct fetch *fetch = FETCH_OF(op, op);
    fetch->op_open = false;
    if (op->status == METE_E_BUSY || op->status == METE_E_FULL) {
        wait_for_room(fetch);
        return;
    }
    /* Any other error: it was settled by somebody else, or too long ago. */
    fetch->settled = !op->status;
    tell(fetch);
}

static void submit(struct fetch *fetch)
{
    struct mete_op *op = &fetch->op;
    fetch->op_open = mete_submit(fetch->gateway->parts.port, &op, 1) == 1;
    if (!fetch->op_open)
        wait_for_room(fetch);
}

/* False: there is nothing to settle. */
static bool settle(struct fetch *fetch)
{
    const struct price_model *price = fetch->place.price;
    struct answer_place *kept = answers_find(&fetch->gateway->answers, slice_of(fetch->id));
    struct slice version = pricing_version(fetch->place.pricing);
    if (!kept || !kept->open || pricing_charge(price, &fetch->used, &fetch->cost))
        return false;
    struct usage_cost cost = {price->currency, fetch->cost, -1};
    if (price->markup_bp && pricing_list_charge(price, &fetch->used, &cost.list))
        cost.list = -1;
    kept->open = false; /* whatever comes of it: it is tried once */
    fetch->state = FETCH_SETTLING;
    fetch->op.kind = METE_OP_COMMIT;
    fetch->op.done = on_settled;
    fetch->op.args.commit = (struct mete_commit){
        .reservation = fetch->place.reservation,
        .usage = fetch->usage,
        .usage_len = usage_write(&fetch->used, &cost, -1, fetch->usage),
        .outcome = {.ending = METE_ENDED_OK,
                    .status = (uint16_t)fetch->status,
                    .price_list = {version.data, version.len}},
    };
    struct mete_details *details = &fetch->op.args.commit.outcome.details;
    if (!pricing_parts(price, &fetch->used, fetch->parts, &details->parts_len)) {
        details->parts = fetch->parts;
        details->tariff.len = tariff_text_write(price, &fetch->used, fetch->tariff);
        details->tariff.data = fetch->tariff;
    }
    submit(fetch);
    return true;
}

/* ---- What comes back ------------------------------------------------------------------------- */

static void keep_type(struct fetch *fetch)
{
    struct upstream *upstream = fetch->gateway->parts.upstream;
    struct slice type = upstream->header(upstream, &fetch->transfer, "content-type");
    for (size_t i = 0; i < type.len; i++)
        if (type.data[i] < ' ' || type.data[i] > '~')
            return;
    if (!type.len || type.len >= TYPE_ROOM)
        return;
    memcpy(fetch->type, type.data, type.len);
    fetch->type[type.len] = 0;
}

/* A video's own bytes. */
static void start_relay(struct fetch *fetch)
{
    const struct exchange_header type = {"content-type", slice_of(fetch->type)};
    fetch->state = FETCH_RELAYING;
    fetch->relays = true;
    fetch->exchange->ops->start(fetch->exchange, fetch->status, &type, 1);
}

static void on_head(struct upstream_transfer *transfer, int status)
{
    struct fetch *fetch = FETCH_OF(transfer, transfer);
    struct exchange *exchange = fetch->exchange;
    const struct stream_formats formats = {fetch->format, fetch->format, FRAMES_SSE, true};
    fetch->status = status;
    keep_type(fetch);
    if (status < 200 || (status >= 300 && status < 400) || status > 599)
        fail(fetch, 502, "upstream_status", "The provider answered with a status of no use.");
    fetch->state = FETCH_COLLECTING;
    if (status < 200 || status > 299)
        return;
    if (slice_is(fetch->target.rest, "/content") && fetch->type[0] &&
        strncasecmp(fetch->type, "application/json", 16)) {
        start_relay(fetch);
        return;
    }
    if (strncasecmp(fetch->type, "text/event-stream", 17))
        return;
    const struct exchange_header headers[] = {{"content-type", slice_of(fetch->type)},
                                              {"cache-control", SLICE_LITERAL("no-cache")}};
    int rc = stream_init(&fetch->stream, &formats, (size_t)fetch->gateway->config->response_max);
    ASSERT(!rc); /* it is not translated */
    fetch->state = FETCH_STREAMING;
    fetch->started = true;
    fetch->gateway->counts.streams_open++;
    exchange->ops->start(exchange, status, headers, 2);
}

static void forward(struct fetch *fetch)
{
    struct upstream *upstream = fetch->gateway->parts.upstream;
    struct buffer *out = &fetch->stream.out;
    if (out->len && !fetch->gone) {
        size_t waiting = fetch->exchange->ops->write(fetch->exchange, buffer_slice(out));
        if (waiting > EXCHANGE_QUEUE_HIGH && !fetch->paused && fetch->transfer_open) {
            fetch->paused = true;
            upstream->pause(upstream, &fetch->transfer, true);
        }
    }
    buffer_relax(out, STREAM_IDLE_ROOM);
}

static void relay(struct fetch *fetch, struct slice bytes)
{
    struct upstream *upstream = fetch->gateway->parts.upstream;
    if (fetch->gone)
        return;
    size_t waiting = fetch->exchange->ops->write(fetch->exchange, bytes);
    if (waiting > EXCHANGE_QUEUE_HIGH && !fetch->paused && fetch->transfer_open) {
        fetch->paused = true;
        upstream->pause(upstream, &fetch->transfer, true);
    }
}

static void cancel(struct fetch *fetch)
{
    struct upstream *upstream = fetch->gateway->parts.upstream;
    if (fetch->cancelled || !fetch->transfer_open)
        return;
    fetch->cancelled = true;
    upstream->cancel(upstream, &fetch->transfer);
}

static void on_data(struct upstream_transfer *transfer, struct slice bytes)
{
    struct fetch *fetch = FETCH_OF(transfer, transfer);
    int rc = 0;
    if (fetch->cancelled)
        return;
    if (fetch->state == FETCH_RELAYING)
        relay(fetch, bytes);
    if (fetch->state == FETCH_COLLECTING)
        rc = buffer_append(&fetch->answer, bytes);
    while (fetch->state == FETCH_STREAMING && bytes.len && !rc) {
        size_t len = (size_t)min_i64((int64_t)bytes.len, STREAM_PIECE_MAX);
        rc = stream_feed(&fetch->stream, slice_part(bytes, 0, len));
        forward(fetch);
        bytes = slice_from(bytes, len);
    }
    if (!rc)
        return;
    fail(fetch, 502, "response_too_large", "The provider's answer is larger than its limit here.");
    cancel(fetch);
}

/* A provider may quote the credential it refuses: no client is to see it (INV-13). */
static void hide_credential(struct fetch *fetch)
{
    struct slice secret = credential_secret(fetch->credential);
    if (secret.len && fetch->status >= 400 && fetch->answer.len &&
        memmem(fetch->answer.data, fetch->answer.len, secret.data, secret.len))
        fail(fetch, 502, "upstream_credential", "The provider refused the gateway's credential.");
}

/* Whether the answer is finished, and what it used. */
static bool read_figures(struct fetch *fetch)
{
    struct dialect_answer read;
    if (fetch->started) {
        fetch->used = fetch->stream.usage;
        return fetch->stream.has_usage && fetch->stream.usage_finishes;
    }
    if (fetch->status < 200 || fetch->status > 299)
        return false;
    fetch->format->read_answer(buffer_slice(&fetch->answer), &read);
    fetch->used = read.usage;
    return read.has_usage && !read.pending;
}

static void on_end(struct upstream_transfer *transfer, enum upstream_end end, const char *why)
{
    struct fetch *fetch = FETCH_OF(transfer, transfer);
    (void)why;
    fetch->transfer_open = false;
    if (end == UPSTREAM_DONE && fetch->started && stream_end(&fetch->stream))
        end = UPSTREAM_LOST;
    if (end == UPSTREAM_NOT_SENT)
        fail(fetch, 502, "upstream_unreachable", "The provider could not be reached.");
    else if (end == UPSTREAM_TIMEOUT)
        fail(fetch, 504, "upstream_timeout", "The provider took too long.");
    else if (end != UPSTREAM_DONE || !fetch->status)
        fail(fetch, 502, "upstream_lost", "The provider broke off.");
    hide_credential(fetch);
    if (fetch->started)
        forward(fetch);
    bool whole = end == UPSTREAM_DONE || (fetch->started && fetch->stream.usage_finishes);
    if (fetch->relays || !whole || !read_figures(fetch) || !settle(fetch))
        tell(fetch);
}

/* ---- The provider is asked ------------------------------------------------------------------- */

static int make_url(struct fetch *fetch)
{
    static const struct dialect_request request;
    const struct provider *provider = fetch->place.provider;
    buffer_init(&fetch->url, FETCH_URL_MAX);
    int rc = strstr(provider->base, "{model}") ? METE_E_INVALID
                                               : buffer_text(&fetch->url, provider->base);
    if (!rc)
        rc = fetch->format->write_path(&request, (struct slice){0}, &fetch->url);
    if (!rc)
        rc = buffer_text(&fetch->url, "/");
    if (!rc)
        rc = buffer_append(&fetch->url, fetch->target.id);
    if (!rc)
        rc = buffer_append(&fetch->url, fetch->target.rest);
    if (!rc)
        rc = gateway_put_query(fetch->exchange->query, provider->query, &fetch->url);
    return rc ? rc : buffer_append(&fetch->url, (struct slice){"", 1});
}

static int start(struct fetch *fetch, const char *method)
{
    const struct gateway_config *config = fetch->gateway->config;
    struct upstream *upstream = fetch->gateway->parts.upstream;
    bool api_key = fetch->place.provider->family->credential == DIALECT_API_KEY;
    struct slice secret =
        api_key ? credential_secret(fetch->credential) : credential_bearer(fetch->credential);
    const struct exchange_header headers[HEADERS_MAX] = {
        {"accept", SLICE_LITERAL("text/event-stream, application/json")},
        {"accept-encoding", SLICE_LITERAL("identity")},
        {"user-agent", SLICE_LITERAL("mete/" METE_VERSION)},
        {api_key ? "api-key" : "authorization", secret},
    };
    const struct upstream_request request = {
        .method = method,
        .url = fetch->url.data,
        .headers = headers,
        .headers_len = secret.len ? 4 : 3,
        .wire = &fetch->place.provider->config->wire,
        .connect_timeout_ms = config->connect_timeout_ms,
        .first_byte_timeout_ms = config->first_byte_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .total_timeout_ms = config->total_timeout_ms,
    };
    fetch->transfer = (struct upstream_transfer){.head = on_head, .data = on_data, .end = on_end};
    return upstream->start(upstream, &request, &fetch->transfer);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

/* Providers' ids; whatever else stands in a path goes no further. */
static bool is_plain(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '_' || c == '-'))
            return false;
    }
    return id.len <= LIMIT_ID;
}

static void ask(struct fetch *fetch, const struct answer_place *place)
{
    fetch->state = FETCH_ASKING;
    fetch->place = *place;
    pricing_hold(place->pricing);
    fetch->credential = credential_hold(place->provider->credential);
    buffer_init(&fetch->answer, (size_t)fetch->gateway->config->response_max);
    if (make_url(fetch) || start(fetch, gateway_method(fetch->exchange->method)))
        reply_failure(fetch, &call_busy);
    else
        fetch->transfer_open = true;
}

static const struct dialect_error unknown = {404,  "invalid_request_error",         "not_found",
                                             NULL, "There is no such answer here.", {0}};

static void on_found(struct gateway_lookup *lookup)
{
    struct fetch *fetch = FETCH_OF(lookup, lookup);
    struct gateway *gateway = fetch->gateway;
    const struct provider *provider =
        lookup->found ? providers_named(&gateway->providers, slice_of(lookup->provider)) : NULL;
    fetch->lookup_open = false;
    const struct pricing *pricing = NULL;
    if (!provider || price_book_list(gateway->parts.prices, lookup->organization.n,
                                     lookup->started_us, &pricing)) {
        reply_failure(fetch, provider ? &call_busy : &unknown);
        return;
    }
    struct answer_place place = {
        .organization = lookup->organization,
        .provider = provider,
        .price = providers_price_of(provider, pricing, slice_of(lookup->model)),
        .pricing = pricing,
        .reservation = lookup->reservation,
    };
    place.open = lookup->open && place.price;
    answers_put(&gateway->answers, slice_of(fetch->id), &place);
    ask(fetch, &place);
    pricing_free(pricing);
}

static void find(struct fetch *fetch, struct mete_scope_id organization)
{
    const struct gateway_parts *parts = &fetch->gateway->parts;
    fetch->lookup = (struct gateway_lookup){
        .id = slice_of(fetch->id),
        .format = slice_of(fetch->format->name),
        .organization = organization,
        .done = on_found,
    };
    fetch->lookup_open = true;
    if (parts->find_answer && parts->find_answer(parts->user, &fetch->lookup))
        return;
    fetch->lookup_open = false;
    reply_failure(fetch, parts->find_answer ? &call_busy : &unknown);
}

void fetch_begin(struct gateway *gateway, struct exchange *exchange, const struct dialect *format,
                 const struct dialect_target *target)
{
    const struct directory_key *key = gateway_good_key(gateway, exchange, format->endpoint);
    if (!key) {
        gateway_reply_error(exchange, format, &gateway->key_refused.error, NULL, 0);
        return;
    }
    const struct answer_place *place = answers_find(&gateway->answers, target->id);
    bool foreign = place && place->organization.n != key->organization.n;
    struct fetch *fetch = NULL;
    if (is_plain(target->id) && !foreign)
        fetch = calloc(1, sizeof *fetch);
    if (!fetch) {
        gateway_reply_error(exchange, format, &unknown, NULL, 0);
        return;
    }
    fetch->work = GATEWAY_FETCH;
    fetch->gateway = gateway;
    fetch->format = format;
    fetch->exchange = exchange;
    fetch->target = *target;
    memcpy(fetch->id, target->id.data, target->id.len);
    exchange->state = fetch;
    gateway->counts.open++;
    if (place)
        ask(fetch, place);
    else
        find(fetch, key->organization);
}

/* ---- The client ------------------------------------------------------------------------------ */

/* A client that left needs no more of a stream; what it asked for otherwise is still done. */
void fetch_gone(struct fetch *fetch)
{
    fetch->gone = true;
    if (fetch->started || fetch->relays)
        cancel(fetch);
}

void fetch_drained(struct fetch *fetch)
{
    struct upstream *upstream = fetch->gateway->parts.upstream;
    if (!fetch->paused || !fetch->transfer_open || fetch->cancelled)
        return;
    fetch->paused = false;
    upstream->pause(upstream, &fetch->transfer, false);
}
