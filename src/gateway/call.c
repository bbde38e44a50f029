/* SPDX-License-Identifier: Apache-2.0
 * The life of a call.
 *
 *   READING --key, body, model, price--> RESERVING --allowed--> CALLING --head--> STREAMING
 *      |                                  |     |                  | |              |  |
 *      | a 4xx                            |     | refused          | '-head--> COLLECTING
 *      |                                  |     v                  |              |  |
 *      |                                  |  REFUSING              | not sent     |  | last event,
 *      |                                  |     | names known      v              |  | end, cut
 *      |                            error |     |              RELEASING          v  v
 *      |                                  |     |                  |          COMMITTING
 *      v                                  v     v                  v              | durable
 *     DONE <----------------------------------------------------------------------'
 *
 * DONE means that the exchange is over. The block is freed when, besides, no operation, transfer or
 * timer is open: a provider may close its stream after its last event was already paid for.
 *
 * KEPT  INV-03: a reservation is ended by exactly one submit, in call_settle() or release(); both
 *   leave the states from which they may be entered. INV-05: the provider is asked in on_reserved()
 *   only, the client gets its last byte in on_committed() only. INV-13: the client's key goes
 *   nowhere; the body goes to the provider and is freed with the call.
 * CLIENT GONE  drain: the call runs on, and what it makes is not written. cancel: the provider is
 *   stopped. Either way the call ends by the same path.
 * RING FULL  a reservation is answered 503; a commit or release waits for room: it must not be
 * lost. */
#include "gateway/call.h"

#include "base/assert.h"
#include "codec/base62.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <xxhash.h>

enum { AGAIN_US = 1000, ID_DIGITS = 11 };

#define CALL_OF(pointer, member)                                                                   \
    ((struct call *)(void *)((char *)(pointer)-offsetof(struct call, member)))

static const struct dialect_error busy = {
    503, "server_error", "overloaded", NULL, "Too much is waiting here; try again.", {0}};
static const struct dialect_error no_memory = {
    503, "server_error", "overloaded", NULL, "There is not enough memory; try again.", {0}};

void call_check(const struct call *call)
{
    ASSERT(call->gateway->counts.open > 0);
    ASSERT(!call->timer_open || !call->op_open);
    ASSERT((call->exchange == NULL) == (call->state == CALL_DONE));
    ASSERT(!call->started || call->stream.dialect);
    ASSERT(!call->transfer_open || call->state >= CALL_CALLING);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static bool try_submit(struct call *call)
{
    struct mete_op *op = &call->op;
    ASSERT(!call->op_open);
    call->op_open = mete_submit(call->gateway->parts.port, &op, 1) == 1;
    return call->op_open;
}

static void wait_for_room(struct call *call)
{
    struct timers *timers = call->gateway->parts.timers;
    call->timer_open = true;
    timers->set(timers, &call->again, AGAIN_US);
}

static void on_again(struct timer *timer)
{
    struct call *call = CALL_OF(timer, again);
    call->timer_open = false;
    if (!try_submit(call))
        wait_for_room(call);
}

void call_submit(struct call *call, enum mete_op_kind kind, void (*done)(struct mete_op *op))
{
    call->op.kind = kind;
    call->op.done = done;
    if (!try_submit(call))
        wait_for_room(call);
}

/* True: the operation found no room inside the engine and has been put off. */
static bool put_off(struct call *call)
{
    int status = call->op.status;
    call->op_open = false;
    if (status != METE_E_BUSY && status != METE_E_FULL)
        return false;
    wait_for_room(call);
    return true;
}

/* ---- The end of its life --------------------------------------------------------------------- */

static void free_if_over(struct call *call)
{
    if (call->exchange || call->op_open || call->transfer_open || call->timer_open)
        return;
    struct gateway *gateway = call->gateway;
    gateway->counts.open--;
    gateway->counts.streams_open -= call->started;
    gateway->counts.drained += call->gone && call->ending == METE_ENDED_CLIENT_GONE;
    if (call->stream.dialect)
        stream_done(&call->stream);
    buffer_done(&call->body);
    buffer_done(&call->answer);
    free(call);
}

void call_leave(struct call *call)
{
    ASSERT(call->state != CALL_DONE);
    call->exchange = NULL;
    call->state = CALL_DONE;
    free_if_over(call);
}

/* ---- Ending the reservation ------------------------------------------------------------------ */

static void on_committed(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    static const struct dialect_error unbilled = {
        500, "server_error", "not_recorded", NULL, "The call was made but could not be recorded.",
        {0}};
    if (put_off(call))
        return;
    ASSERT(call->state == CALL_COMMITTING);
    if (op->status) {
        call->failure = unbilled;
    } else {
        call->cost = op->result.receipt.cost;
        call->record = op->result.receipt.record;
    }
    if (call->started)
        call_finish_stream(call);
    else if (call->failure.status)
        call_reply_failure(call, &call->failure);
    else
        call_reply_answer(call);
}

static void settle(struct call *call, enum upstream_end end)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (call->paused && call->transfer_open)
        upstream->pause(upstream, &call->transfer, false);
    call->paused = false;
    call_settle(call, end);
    call_submit(call, METE_OP_COMMIT, on_committed);
}

static void on_released(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    if (put_off(call))
        return;
    ASSERT(call->state == CALL_RELEASING);
    call_reply_failure(call, &call->failure);
}

static void release(struct call *call, const struct dialect_error *why)
{
    ASSERT_INV("INV-03", call->state == CALL_RESERVING || call->state == CALL_CALLING);
    call->failure = *why;
    call->state = CALL_RELEASING;
    call->op.args.release = call->reservation;
    call_submit(call, METE_OP_RELEASE, on_released);
}

/* ---- The provider answers -------------------------------------------------------------------- */

static void set_failure(struct call *call, int status, const char *code, const char *message)
{
    if (!call->failure.status)
        call->failure = (struct dialect_error){status, "server_error", code, NULL, message, {0}};
}

static void cancel(struct call *call)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (call->cancelled || !call->transfer_open)
        return;
    call->cancelled = true;
    upstream->cancel(upstream, &call->transfer);
}

static void on_head(struct upstream_transfer *transfer, int status)
{
    struct call *call = CALL_OF(transfer, transfer);
    const struct gateway_config *config = call->gateway->config;
    ASSERT(call->state == CALL_CALLING);
    call->upstream_status = status;
    call_keep_headers(call);
    if (status < 200 || (status >= 300 && status < 400) || status > 599)
        set_failure(call, 502, "upstream_status", "The provider answered with a status of no use.");
    const char *type = call->kept[0];
    bool events = !type[0] || !strncasecmp(type, "text/event-stream", 17);
    if (!call->request.stream || status < 200 || status > 299 || !events) {
        call->state = CALL_COLLECTING;
        return;
    }
    call->state = CALL_STREAMING;
    stream_init(&call->stream, call->dialect, call->request.wants_usage,
                (size_t)config->response_max);
    call->gateway->counts.streams_open++;
    call_start_stream(call);
}

static void forward(struct call *call)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    struct buffer *out = &call->stream.out;
    if (out->len && !call->gone) {
        size_t waiting = call->exchange->ops->write(call->exchange, buffer_slice(out));
        if (waiting > EXCHANGE_QUEUE_HIGH && !call->paused) {
            call->paused = true;
            upstream->pause(upstream, &call->transfer, true);
        }
    }
    buffer_clear(out);
}

static void too_large(struct call *call)
{
    call->too_large = true;
    set_failure(call, 502, "response_too_large",
                "The provider's answer is larger than its limit here.");
    cancel(call);
}

static void stream_data(struct call *call, struct slice bytes)
{
    while (bytes.len && call->state == CALL_STREAMING && !call->too_large) {
        size_t len = (size_t)min_i64((int64_t)bytes.len, STREAM_PIECE_MAX);
        if (stream_feed(&call->stream, slice_part(bytes, 0, len))) {
            forward(call);
            too_large(call);
            return;
        }
        forward(call);
        bytes = slice_from(bytes, len);
        if (call->stream.final_seen)
            settle(call, UPSTREAM_DONE);
    }
}

static void on_data(struct upstream_transfer *transfer, struct slice bytes)
{
    struct call *call = CALL_OF(transfer, transfer);
    struct timers *timers = call->gateway->parts.timers;
    if (!call->first_us)
        call->first_us = timers->now_us(timers);
    if (call->cancelled || call->too_large)
        return;
    if (call->state == CALL_STREAMING)
        stream_data(call, bytes);
    else if (call->state == CALL_COLLECTING && buffer_append(&call->answer, bytes))
        too_large(call);
}

static void note_broken(struct call *call, enum upstream_end end)
{
    if (end == UPSTREAM_TIMEOUT)
        set_failure(call, 504, "upstream_timeout",
                    "The provider took too long; the call is charged provisionally.");
    else if (end == UPSTREAM_CANCELLED)
        set_failure(call, 499, "client_gone", "The client left.");
    else if (end != UPSTREAM_DONE)
        set_failure(call, 502, "upstream_lost",
                    "The provider broke off; the call is charged provisionally.");
}

/* A provider may quote the credential it refuses: no client is to see it (INV-13). */
static void hide_credential(struct call *call)
{
    const char *credential = call->gateway->config->providers[call->provider].credential;
    bool error = call->upstream_status >= 400 && call->state == CALL_COLLECTING;
    if (error && credential && credential[0] && call->answer.len &&
        memmem(call->answer.data, call->answer.len, credential, strlen(credential)))
        set_failure(call, 502, "upstream_credential",
                    "The provider refused the gateway's credential.");
}

static void on_end(struct upstream_transfer *transfer, enum upstream_end end, const char *why)
{
    static const struct dialect_error not_sent = {
        502,
        "server_error",
        "upstream_unreachable",
        NULL,
        "The provider could not be reached; nothing was charged.",
        {0}};
    struct call *call = CALL_OF(transfer, transfer);
    (void)why;
    ASSERT(call->transfer_open);
    call->transfer_open = false;
    if (call->state == CALL_COMMITTING || call->state == CALL_DONE) {
        free_if_over(call);
        return;
    }
    if (end == UPSTREAM_NOT_SENT && call->state == CALL_CALLING) {
        release(call, &not_sent);
        return;
    }
    if (end == UPSTREAM_DONE && call->state == CALL_CALLING)
        end = UPSTREAM_LOST; /* over without a status */
    if (end == UPSTREAM_DONE && call->state == CALL_STREAMING && stream_end(&call->stream))
        end = UPSTREAM_LOST; /* the event it broke off in is over its limit */
    note_broken(call, end);
    hide_credential(call);
    if (call->state == CALL_STREAMING)
        forward(call);
    settle(call, end);
    call_check(call);
}

/* ---- The provider is asked ------------------------------------------------------------------- */

/* The bound to be put into the body: 0 where the grant is what the provider would take anyway. */
static int64_t bound_to_send(const struct call *call)
{
    if (call->request.asked)
        return call->granted < call->request.asked ? call->granted : 0;
    if (call->price->output_max && call->granted >= call->price->output_max)
        return 0;
    return call->granted;
}

/* A stream's exchange may end before its transfer does, so its body is always a copy. */
static int make_body(struct call *call, struct slice *ret_body)
{
    struct slice given = call->exchange->body;
    call->bound_sent = bound_to_send(call);
    if (!call->request.stream && !call->bound_sent) {
        *ret_body = given;
        return 0;
    }
    bool new_field =
        slice_is(call->price->provider, "openai") || slice_is(call->price->provider, "azure");
    buffer_init(&call->body, given.len + 256);
    int rc = call->dialect->write_request(&call->request, given, call->bound_sent, new_field,
                                          &call->body);
    if (rc)
        return rc;
    *ret_body = buffer_slice(&call->body);
    return 0;
}

static size_t upstream_headers(const struct call *call, struct exchange_header *headers)
{
    const struct gateway_route *route = &call->gateway->routes[call->provider];
    struct slice trace = call->exchange->ops->header(call->exchange, "traceparent");
    size_t len = 0;
    headers[len++] = (struct exchange_header){"content-type", SLICE_LITERAL("application/json")};
    headers[len++] = (struct exchange_header){
        "accept", call->request.stream ? SLICE_LITERAL("text/event-stream, application/json")
                                       : SLICE_LITERAL("application/json")};
    headers[len++] = (struct exchange_header){"accept-encoding", SLICE_LITERAL("identity")};
    headers[len++] = (struct exchange_header){"user-agent", SLICE_LITERAL("mete/" METE_VERSION)};
    if (route->authorization)
        headers[len++] = (struct exchange_header){"authorization", slice_of(route->authorization)};
    if (trace.len && trace.len <= LIMIT_ID)
        headers[len++] = (struct exchange_header){"traceparent", trace};
    return len;
}

static void ask_provider(struct call *call)
{
    const struct gateway_config *config = call->gateway->config;
    struct upstream *upstream = call->gateway->parts.upstream;
    struct exchange_header headers[8];
    struct slice body;
    if (make_body(call, &body)) {
        release(call, &no_memory);
        return;
    }
    const struct upstream_request request = {
        .method = "POST",
        .url = call->gateway->routes[call->provider].url,
        .headers = headers,
        .headers_len = upstream_headers(call, headers),
        .body = body,
        .connect_timeout_ms = config->connect_timeout_ms,
        .first_byte_timeout_ms = config->first_byte_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .total_timeout_ms = config->total_timeout_ms,
    };
    call->transfer = (struct upstream_transfer){.head = on_head, .data = on_data, .end = on_end};
    call->state = CALL_CALLING;
    buffer_init(&call->answer, (size_t)config->response_max);
    int rc = upstream->start(upstream, &request, &call->transfer);
    if (rc)
        release(call, &busy);
    else
        call->transfer_open = true;
}

/* ---- The verdict ----------------------------------------------------------------------------- */

static void ask_names(struct call *call);

static void keep_name(struct call_refused *refused, const struct mete_refusal *one, int status)
{
    refused->budget = refused->answer.budget;
    if (status)
        refused->budget.id[0] = 0;
    refused->rate = refused->answer.rate;
    if (status || !one->rate.n)
        refused->rate.rate.n = 0;
}

static void on_name(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    struct call_refused *refused = &call->refused;
    const struct mete_refusal *one = &refused->all[refused->at];
    if (put_off(call))
        return;
    ASSERT(call->state == CALL_REFUSING);
    if (!refused->asks_scope) {
        keep_name(refused, one, op->status);
        refused->asks_scope = true;
        ask_names(call);
        return;
    }
    if (op->status)
        refused->answer.scope = (struct mete_scope_view){0};
    int rc = refusal_add(&refused->told, one, one->budget.n ? &refused->budget : NULL,
                         one->rate.n && refused->rate.rate.n ? &refused->rate : NULL,
                         &refused->answer.scope);
    refused->at = rc ? refused->len : refused->at + 1;
    refused->asks_scope = false;
    ask_names(call);
}

/* One question after the other: a refusal is not the hot path, and one answer's room is enough. */
static void ask_names(struct call *call)
{
    struct call_refused *refused = &call->refused;
    while (refused->at < refused->len && refused->all[refused->at].shadow)
        refused->at++;
    if (refused->at >= refused->len) {
        call_reply_refusal(call);
        return;
    }
    const struct mete_refusal *one = &refused->all[refused->at];
    if (!one->budget.n && !one->rate.n)
        refused->asks_scope = true;
    enum mete_query_kind kind = one->rate.n ? METE_QUERY_RATE : METE_QUERY_BUDGET;
    call->op.result.answer = &refused->answer;
    call->op.args.query = (struct mete_query){.kind = refused->asks_scope ? METE_QUERY_SCOPE : kind,
                                              .scope = one->scope,
                                              .budget = one->budget,
                                              .rate = one->rate};
    call_submit(call, METE_OP_QUERY, on_name);
}

static void refuse(struct call *call)
{
    struct call_refused *refused = &call->refused;
    const struct mete_verdict *verdict = &call->op.result.verdict;
    call->gateway->counts.refused++;
    refused->at = 0;
    refused->len =
        verdict->refusals_len < METE_REFUSALS_MAX ? verdict->refusals_len : METE_REFUSALS_MAX;
    refused->asks_scope = false;
    refused->retry_at = verdict->retry_at;
    refusal_init(&refused->told);
    call->state = CALL_REFUSING;
    ask_names(call);
}

static void reply_engine_error(struct call *call, int status)
{
    static const struct dialect_error content = {422,
                                                 "invalid_request_error",
                                                 "content_differs",
                                                 NULL,
                                                 "This request id was used with another request.",
                                                 {0}};
    static const struct dialect_error unknown = {401,  "invalid_request_error",   "invalid_api_key",
                                                 NULL, "The API key is unknown.", {0}};
    static const struct dialect_error internal = {
        500, "server_error", "internal", NULL, "The call could not be budgeted.", {0}};
    if (status == METE_E_ENDED) {
        call_reply_ended(call);
        return;
    }
    call_reply_failure(call,
                       status == METE_E_IN_FLIGHT   ? call_in_flight()
                       : status == METE_E_CONTENT   ? &content
                       : status == METE_E_NOT_FOUND ? &unknown
                       : status == METE_E_BUSY || status == METE_E_FULL || status == METE_E_CLOSED
                           ? &busy
                           : &internal);
}

static void on_reserved(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    static const struct dialect_error left = {499,  "invalid_request_error", "client_gone",
                                              NULL, "The client left.",      {0}};
    call->op_open = false;
    ASSERT(call->state == CALL_RESERVING);
    if (op->status) {
        reply_engine_error(call, op->status);
        return;
    }
    const struct mete_verdict *verdict = &op->result.verdict;
    if (!verdict->allowed) {
        refuse(call);
        return;
    }
    ASSERT_INV("INV-05", verdict->reservation.n);
    call->reservation = verdict->reservation;
    call->granted = verdict->granted;
    if (call->gone)
        release(call, &left);
    else
        ask_provider(call);
}

/* ---- The reservation ------------------------------------------------------------------------- */

static int64_t wish_of(const struct call *call)
{
    if (call->request.asked)
        return call->request.asked;
    return call->price->output_max ? call->price->output_max
                                   : call->gateway->config->default_output_tokens;
}

/* What the worst case takes: money, tokens, one request. */
static int make_demands(struct call *call)
{
    const struct dialect_request *request = &call->request;
    struct mete_demand *cost = &call->demands[0], *tokens = &call->demands[1];
    int64_t extra, more;
    int rc = pricing_bound(call->price, request->input_bound, request->choices, cost);
    if (rc)
        return rc;
    if (!checked_mul_div_up(cost->per_million, request->output_fixed, 1000000, &extra) ||
        !checked_add(cost->fixed, extra, &cost->fixed) || cost->fixed > METE_AMOUNT_MAX ||
        !checked_mul(request->output_fixed, request->choices, &more))
        return METE_E_TOO_LARGE;
    *tokens = (struct mete_demand){METE_TOTAL_TOKENS, 0, request->input_bound + more,
                                   request->choices * 1000000};
    call->demands[2] = (struct mete_demand){METE_REQUESTS, 0, 1, 0};
    return 0;
}

static uint64_t fingerprint(const struct call *call)
{
    struct slice body = call->exchange->body;
    const char *path = call->dialect->path;
    return XXH3_64bits_withSeed(body.data, body.len, XXH3_64bits(path, strlen(path)));
}

static void reserve(struct call *call)
{
    static const struct dialect_error too_dear = {400,
                                                  "invalid_request_error",
                                                  "too_large",
                                                  NULL,
                                                  "The call's worst case is beyond any budget.",
                                                  {0}};
    const struct gateway_config *config = call->gateway->config;
    if (make_demands(call)) {
        call_reply_failure(call, &too_dear);
        return;
    }
    ASSERT_INV("INV-11", call->price != NULL);
    int64_t wish = max_i64(wish_of(call), 1);
    int64_t floor = min_i64(max_i64(config->floor_tokens, 1), wish);
    call->op.args.reserve =
        (struct mete_reserve){.scope = call->scope,
                              .request_id = {call->request_id.data, call->request_id.len},
                              .content = fingerprint(call),
                              .model = {call->request.model, call->request.model_len},
                              .provider = {config->providers[call->provider].name,
                                           strlen(config->providers[call->provider].name)},
                              .session = {call->session.data, call->session.len},
                              .tags = call->tags,
                              .tags_len = call->tags_len,
                              .demands = call->demands,
                              .demands_len = CALL_DEMANDS,
                              .floor = config->clamp ? floor : wish,
                              .wish = wish,
                              .ttl_ms = LIMIT_TTL_MS,
                              .on_expiry = METE_EXPIRY_CHARGE,
                              .flags = METE_RESERVE_CALL};
    call->op.refusals = call->refused.all;
    call->op.refusals_max = METE_REFUSALS_MAX;
    call->op.kind = METE_OP_RESERVE;
    call->op.done = on_reserved;
    call->state = CALL_RESERVING;
    if (!try_submit(call))
        call_reply_failure(call, &busy);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool id_fits(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~')
            return false;
    return id.len <= LIMIT_ID;
}

/* The caller's id: the first header that is there. False: it cannot be one. */
static bool read_id(struct call *call)
{
    static const char *const names[] = {"idempotency-key", "x-trace-id", "x-request-id"};
    struct slice id = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !id.len; i++)
        id = call->exchange->ops->header(call->exchange, names[i]);
    if (id.len && id_fits(id)) {
        call->request_id = call->shown_id = id;
        return true;
    }
    memcpy(call->id_room, "req_", 4);
    base62_encode((uint64_t)mete_now(call->gateway->parts.mete).us, call->id_room + 4, ID_DIGITS);
    base62_encode(call->exchange->id, call->id_room + 4 + ID_DIGITS, ID_DIGITS);
    call->shown_id = (struct slice){call->id_room, 4 + 2 * ID_DIGITS};
    return !id.len;
}

/* Always false. */
static bool refuse_model(struct call *call, int status, const char *code, const char *why,
                         struct dialect_error *ret_error)
{
    snprintf(call->message, sizeof call->message, "%s: %s", why, call->request.model);
    *ret_error =
        (struct dialect_error){status, "invalid_request_error", code, "model", call->message, {0}};
    return false;
}

static bool read_key(struct call *call, struct dialect_error *ret_error)
{
    const struct directory_key *key = gateway_find_key(call->gateway, call->exchange);
    int64_t now_us = mete_now(call->gateway->parts.mete).us;
    if (!key || key->revoked || (key->expires_at_us && key->expires_at_us <= now_us)) {
        *ret_error = (struct dialect_error){401,
                                            "invalid_request_error",
                                            "invalid_api_key",
                                            NULL,
                                            !key           ? "No valid API key was given."
                                            : key->revoked ? "The API key has been revoked."
                                                           : "The API key has expired.",
                                            {0}};
        call->refused_for = !key           ? METE_KEY_UNKNOWN
                            : key->revoked ? METE_KEY_REVOKED
                                           : METE_KEY_EXPIRED;
        return false;
    }
    call->scope = key->scope;
    if (call->dialect->read_request(call->exchange->body, &call->request, ret_error))
        return false;
    struct slice model = {call->request.model, call->request.model_len};
    if (directory_allows_model(key, model))
        return true;
    call->refused_for = METE_NOT_PERMITTED;
    return refuse_model(call, 403, "model_not_allowed", "The API key may not use this model",
                        ret_error);
}

static bool find_model(struct call *call, struct dialect_error *ret_error)
{
    struct slice model = {call->request.model, call->request.model_len};
    call->provider = gateway_find_provider(call->gateway, model);
    if (call->provider < 0)
        return refuse_model(call, 404, "model_not_found", "No provider here answers this model",
                            ret_error);
    call->price = pricing_find(call->gateway->parts.pricing, model);
    if (call->price)
        return true;
    call->refused_for = METE_UNPRICED;
    return refuse_model(call, 400, "model_not_priced",
                        "This model has no price here, so it cannot be budgeted", ret_error);
}

static void read_call(struct call *call)
{
    struct dialect_error error = {
        400,
        "invalid_request_error",
        "invalid_value",
        NULL,
        "The request id must be 1 to 128 bytes of printable ASCII without "
        "spaces.",
        {0}};
    if (!read_id(call) || !call_read_labels(call, &error) || !read_key(call, &error) ||
        !find_model(call, &error))
        call_reply_failure(call, &error);
    else
        reserve(call);
}

void call_begin(struct gateway *gateway, struct exchange *exchange, const struct dialect *dialect)
{
    struct call *call = malloc(sizeof *call);
    gateway->counts.calls++;
    if (!call) {
        gateway_reply_error(exchange, dialect, &no_memory, NULL, 0);
        return;
    }
    memset(call, 0, offsetof(struct call, refused));
    call->gateway = gateway;
    call->dialect = dialect;
    call->exchange = exchange;
    call->provider = -1;
    call->ending = METE_ENDED_NOT_SENT; /* until something is */
    call->again.fire = on_again;
    call->began_us = gateway->parts.timers->now_us(gateway->parts.timers);
    exchange->state = call;
    gateway->counts.open++;
    read_call(call);
}

/* ---- The client ------------------------------------------------------------------------------ */

void call_gone(struct call *call)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    call_check(call);
    call->gone = true;
    if (call->gateway->config->disconnect == GATEWAY_CANCEL && call->state != CALL_COMMITTING)
        cancel(call);
    if (call->paused && call->transfer_open && !call->cancelled) {
        call->paused = false;
        upstream->pause(upstream, &call->transfer, false);
    }
}

void call_drained(struct call *call)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (!call->paused || !call->transfer_open || call->cancelled)
        return;
    call->paused = false;
    upstream->pause(upstream, &call->transfer, false);
}
