/* SPDX-License-Identifier: Apache-2.0
 * A provider is asked; and, if that comes to nothing, the next one, or the same again.
 *
 *   not sent, an error status of theirs ........ cost nothing: the next attempt takes its place
 *   timeout or loss before an answer ........... may have been billed: with gateway.retry_unknown
 *                                                the reservation is extended by another attempt
 *   an answer, or a status that is the caller's  theirs: it is what the client gets
 *
 * All candidates are asked in turn, at most `fallbacks` after the first; then, up to `retries`
 * times, after a pause, from the first again. Both are paid from one budget of second tries.
 * Nothing of it is visible to a client: once a byte of an answer has gone to it, nobody else is
 * asked. */
#include "gateway/call.h"

#include "base/assert.h"
#include "prompts/models.h"
#include "prompts/rules.h"

#include <stdlib.h>

enum { URL_MAX = 4096, HEADERS_MAX = 20, PAUSE_MAX_MS = 10000, PASSED_MAX = 1024 };

/* ---- The body -------------------------------------------------------------------------------- */

/* The bound to be put into the body: 0 where the grant is what the provider would take anyway. */
static int64_t bound_to_send(const struct call *call)
{
    if (call->request.asked)
        return call->granted < call->request.asked ? call->granted : 0;
    if (!call->spoken->bound_needed && call->price->output_max &&
        call->granted >= call->price->output_max)
        return 0;
    return call->granted;
}

/* The client's bytes. Those of a stream become ours: its exchange may end before its transfer. */
static struct slice given_body(struct call *call)
{
    if (call->request.stream && !call->given.data)
        call->given = call->exchange->ops->take_body(call->exchange);
    return call->exchange->body;
}

static bool knows_newer_bound(const struct call *call)
{
    return slice_is(call->price->provider, "openai") || slice_is(call->price->provider, "azure");
}

static int translate(struct call *call, struct slice model, struct dialect_error *ret_error)
{
    struct neutral_request neutral;
    neutral_request_init(&neutral);
    int rc =
        call->format->neutral->read_request(&call->target, given_body(call), &neutral, ret_error);
    if (!rc) {
        neutral.model = model;
        neutral.stream = call->request.stream;
        neutral.output_max = call->granted;
        neutral.newer_bound = knows_newer_bound(call);
        buffer_done(&call->translated);
        buffer_init(&call->translated, 2 * (size_t)LIMIT_BODY);
        rc = call->spoken->neutral->write_request(&neutral, &call->translated, ret_error);
    }
    neutral_request_done(&neutral);
    return rc;
}

static int make_body(struct call *call, const struct candidate *candidate,
                     struct dialect_error *ret_error)
{
    struct slice asked = {call->request.model, call->request.model_len};
    call->bound_sent = bound_to_send(call);
    if (call->format != call->spoken) {
        int rc = translate(call, candidate->model, ret_error);
        call->asking->body.pieces[0] = buffer_slice(&call->translated);
        call->asking->body.pieces_len = 1;
        return rc;
    }
    const struct dialect_changes changes = {
        .granted = call->bound_sent,
        .newer_bound = knows_newer_bound(call),
        .model = slice_equal(candidate->model, asked) ? (struct slice){0} : candidate->model,
    };
    dialect_change(&call->request, given_body(call), &changes, &call->asking->body);
    return 0;
}

/* ---- The rest of the request ----------------------------------------------------------------- */

static int make_url(struct call *call, const struct candidate *candidate)
{
    const struct provider *provider = candidate->provider;
    struct slice base = slice_of(provider->base);
    const char *at = strstr(provider->base, "{model}");
    buffer_done(&call->url);
    buffer_init(&call->url, URL_MAX);
    int rc = buffer_append(&call->url, at ? slice_part(base, 0, (size_t)(at - base.data)) : base);
    if (!rc && at)
        rc = buffer_append(&call->url, candidate->model);
    if (!rc && at)
        rc = buffer_text(&call->url, at + strlen("{model}"));
    if (!rc)
        rc = call->spoken->write_path(&call->request, candidate->model, &call->url);
    if (!rc && call->request.is_flat)
        rc = gateway_put_query(call->exchange->query, NULL, &call->url);
    if (!rc && provider->query) {
        bool asked = memchr(call->url.data, '?', call->url.len) != NULL;
        rc = buffer_text(&call->url, asked ? "&" : "?");
        if (!rc)
            rc = buffer_text(&call->url, provider->query);
    }
    return rc ? rc : buffer_append(&call->url, (struct slice){"", 1});
}

struct headers {
    struct exchange_header list[HEADERS_MAX];
    size_t len;
    char traceparent[TRACE_PARENT_LEN + 1];
};

static void add(struct headers *headers, const char *name, struct slice value)
{
    ASSERT(headers->len < HEADERS_MAX);
    if (value.len)
        headers->list[headers->len++] = (struct exchange_header){name, value};
}

/* Empty: its credential is a header. */
static struct slice to_sign_with(const struct call *call)
{
    struct slice secret = credential_secret(call->credential);
    bool signs = call->provider->family->credential == DIALECT_AWS && secret.len &&
                 memchr(secret.data, ':', secret.len);
    return signs ? secret : (struct slice){NULL, 0};
}

static void add_credential(const struct call *call, struct headers *headers)
{
    struct slice secret = credential_secret(call->credential);
    switch (call->provider->family->credential) {
    case DIALECT_AWS:
        if (to_sign_with(call).len)
            break;
        add(headers, "authorization", credential_bearer(call->credential));
        break;
    case DIALECT_BEARER:
        add(headers, "authorization", credential_bearer(call->credential));
        break;
    case DIALECT_X_API_KEY:
        add(headers, "x-api-key", secret);
        break;
    case DIALECT_API_KEY:
        add(headers, "api-key", secret);
        break;
    case DIALECT_X_GOOG_API_KEY:
        add(headers, "x-goog-api-key", secret);
        break;
    }
}

/* What the client's own headers say to a provider of its format. */
static void add_passed(const struct call *call, struct headers *headers)
{
    const struct dialect_family *family = call->provider->family;
    const char *const *passed = call->format == call->spoken ? call->format->passed : NULL;
    bool own = false;
    for (; passed && *passed; passed++) {
        const char *name = *passed;
        struct slice value = call->exchange->ops->header(call->exchange, name);
        if (!value.len || value.len > PASSED_MAX)
            continue;
        add(headers, name, value);
        own = own || (family->header && !strcmp(name, family->header));
    }
    if (family->header && !own)
        add(headers, family->header, slice_of(family->header_value));
}

static void make_headers(const struct call *call, struct headers *headers)
{
    headers->len = 0;
    add(headers, "content-type",
        call->request.is_form ? call->target.content_type : SLICE_LITERAL("application/json"));
    if (!call->request.is_flat)
        add(headers, "accept",
            call->request.stream       ? SLICE_LITERAL("text/event-stream, application/json")
            : call->request.is_relayed ? SLICE_LITERAL("*/*")
                                       : SLICE_LITERAL("application/json"));
    add(headers, "accept-encoding", SLICE_LITERAL("identity"));
    add(headers, "user-agent", SLICE_LITERAL("mete/" METE_VERSION));
    add_credential(call, headers);
    add_passed(call, headers);
    trace_context_write(&call->trace, headers->traceparent);
    add(headers, "traceparent", slice_of(headers->traceparent));
    add(headers, "tracestate", call->trace.state);
}

/* ---- One attempt ----------------------------------------------------------------------------- */

static int start(struct call *call)
{
    const struct gateway_config *config = call->gateway->config;
    struct upstream *upstream = call->gateway->parts.upstream;
    struct headers headers;
    make_headers(call, &headers);
    const struct upstream_request request = {
        .method = call->request.is_flat ? gateway_method(call->exchange->method) : "POST",
        .url = call->url.data,
        .headers = headers.list,
        .headers_len = headers.len,
        .body = call->asking->body.pieces,
        .body_len = call->asking->body.pieces_len,
        .wire = &call->provider->config->wire,
        .sign_with = to_sign_with(call),
        .connect_timeout_ms = config->connect_timeout_ms,
        .first_byte_timeout_ms = config->first_byte_timeout_ms,
        .idle_timeout_ms = config->idle_timeout_ms,
        .total_timeout_ms = config->total_timeout_ms,
    };
    call->transfer =
        (struct upstream_transfer){.head = call_on_head, .data = call_on_data, .end = call_on_end};
    return upstream->start(upstream, &request, &call->transfer);
}

/* Nothing is left of an attempt before. */
static void forget_attempt(struct call *call)
{
    call->upstream_status = 0;
    call->failure = (struct dialect_error){0};
    call->why = NULL;
    for (size_t i = 0; i < CALL_KEPT; i++)
        call->asking->kept[i][0] = 0;
    buffer_done(&call->answer);
    buffer_init(&call->answer, (size_t)call->gateway->config->response_max);
}

/* The reservation ends with nothing more than what earlier attempts may have cost. */
static void give_up(struct call *call, const struct dialect_error *why)
{
    if (!call->unknown) {
        call_release(call, why);
        return;
    }
    call->failure = *why;
    call->state = CALL_CALLING;
    call_commit(call, UPSTREAM_NOT_SENT);
}

/* By the model's name there; where that is one of its users' own, by the name it was asked for. */
static void find_tokenizer(struct call *call, struct slice model)
{
    struct slice asked = {call->request.model, call->request.model_len};
    call->tokenizer = NULL;
    call->family = NULL;
    if (!call->gateway->config->count_tokens)
        return;
    struct model_ways *ways = &call->gateway->ways;
    struct model_way way = model_way_of(ways, model), named = model_way_of(ways, asked);
    const struct encoding *encoding = way.own ? way.own : named.own;
    if (!encoding) {
        if (!way.rule->bounded)
            way = named;
        if (!way.rule->bounded || way.rule->beyond)
            return;
        call->family = way.rule;
        encoding = way.encoding;
    }
    call->tokenizer = tokenizers_of(&call->gateway->tokenizers[0], encoding);
}

/* The first candidate from call->at on that can be asked now is taken. */
static bool pick(struct call *call, int64_t *ret_wait_us)
{
    struct gateway *gateway = call->gateway;
    int64_t now_us = gateway->parts.timers->now_us(gateway->parts.timers), wait_us;
    *ret_wait_us = INT64_MAX;
    for (; call->at < call->asking->candidates.len; call->at++) {
        const struct candidate *candidate = &call->asking->candidates.list[call->at];
        if (providers_take(&gateway->providers, candidate->provider, now_us, &wait_us)) {
            call->taken = true;
            call->provider = candidate->provider;
            call->spoken = candidate->spoken;
            call->price = candidate->price;
            find_tokenizer(call, candidate->model);
            return true;
        }
        *ret_wait_us = min_i64(*ret_wait_us, wait_us);
    }
    return false;
}

void call_ask(struct call *call)
{
    static const struct dialect_error nobody = {
        503,
        "server_error",
        "provider_unavailable",
        NULL,
        "No provider of this model takes calls now; try again.",
        {0}};
    struct dialect_error error = call_no_memory;
    int64_t wait_us;
    if (!pick(call, &wait_us)) {
        give_up(call, &nobody);
        return;
    }
    const struct candidate *candidate = &call->asking->candidates.list[call->at];
    forget_attempt(call);
    credential_let_go(call->credential);
    call->credential = credential_hold(call->provider->credential);
    if (make_url(call, candidate) || make_body(call, candidate, &error)) {
        call_attempt_over(call, UPSTREAM_CANCELLED);
        give_up(call, &error);
        return;
    }
    call->state = CALL_CALLING;
    if (!call->attempts++)
        providers_first_try(&call->gateway->providers);
    if (start(call)) {
        call_attempt_over(call, UPSTREAM_CANCELLED);
        give_up(call, &call_busy);
    } else {
        call->transfer_open = true;
    }
}

/* ---- After it -------------------------------------------------------------------------------- */

static bool theirs(int status)
{
    return status >= 500 || status == 401 || status == 403 || status == 404 || status == 408 ||
           status == 429;
}

/* Seconds a provider asks for, in us; 0: it does not say. */
static int64_t rests_us(const struct call *call)
{
    if (call->started)
        return 0;
    const char *ms = call->asking->kept[2], *s = call->asking->kept[1];
    int64_t unit_us = ms[0] ? 1000 : 1000000, most = INT64_C(86400) * 1000000 / unit_us;
    int64_t told =
        strtoll(ms[0] ? ms : s, NULL, 10); /* the nearest there is of what is too large */
    return max_i64(min_i64(told, most), 0) * unit_us;
}

static enum provider_fault fault_of(enum upstream_end end)
{
    switch (end) {
    case UPSTREAM_NOT_SENT:
        return PROVIDER_NOT_REACHED;
    case UPSTREAM_LOST:
        return PROVIDER_BROKE_OFF;
    case UPSTREAM_TIMEOUT:
        return PROVIDER_TOO_SLOW;
    case UPSTREAM_DONE:
    case UPSTREAM_CANCELLED:
        break;
    }
    return PROVIDER_BAD_STATUS;
}

void call_attempt_over(struct call *call, enum upstream_end end)
{
    struct gateway *gateway = call->gateway;
    int64_t now_us = gateway->parts.timers->now_us(gateway->parts.timers), rests = rests_us(call);
    enum provider_outcome outcome = PROVIDER_ANSWERED;
    int status = call->upstream_status;
    if (!call->taken)
        return;
    if (end == UPSTREAM_CANCELLED)
        outcome = PROVIDER_SAID_NOTHING;
    else if (end != UPSTREAM_DONE || status >= 500 || status == 401 || status == 403)
        outcome = PROVIDER_FAILED;
    else if (status == 429 && rests)
        outcome = PROVIDER_RESTS;
    if (outcome == PROVIDER_FAILED || outcome == PROVIDER_RESTS)
        providers_blame(&gateway->providers, call->provider, fault_of(end), status,
                        mete_now(gateway->parts.mete).us);
    providers_give(&gateway->providers, call->provider, outcome, rests, now_us);
    call->taken = false;
}

static void on_pause_over(struct timer *timer)
{
    struct call *call = CALL_OF(timer, again);
    static const struct dialect_error left = {499,  "invalid_request_error", "client_gone",
                                              NULL, "The client left.",      {0}};
    call->timer_open = false;
    if (call->gone)
        give_up(call, &left);
    else
        call_ask(call);
}

static int64_t pause_us(struct call *call)
{
    int64_t ms = call->gateway->config->retry_delay_ms << min_i64(call->retries, 10);
    int64_t us = min_i64(max_i64(ms * 1000, rests_us(call)), (int64_t)PAUSE_MAX_MS * 1000);
    /* Between half of it and all, so that those who failed together do not return together. */
    return us - (int64_t)(providers_random(&call->gateway->providers) % (uint64_t)(us / 2 + 1));
}

static void go_on(struct call *call)
{
    const struct gateway_config *config = call->gateway->config;
    if (call->at + 1 < call->asking->candidates.len && call->at < config->fallbacks) {
        call->at++;
        call_ask(call);
        return;
    }
    int64_t pause = pause_us(call);
    call->at = 0;
    call->retries++;
    call->state = CALL_WAITING;
    call_wait(call, on_pause_over, pause);
}

static void on_extended(struct mete_op *op)
{
    struct call *call = CALL_OF(op, op);
    if (call_put_off(call))
        return;
    ASSERT(call->state == CALL_EXTENDING);
    if (!op->status && op->result.verdict.allowed) {
        call->unknown++;
        go_on(call);
        return;
    }
    /* No second attempt is affordable: the first stays, at its worst case. */
    call->state = CALL_CALLING;
    call_end_as_it_is(call, call->lost);
}

/* Another attempt beside the one whose outcome is unknown. */
static void extend(struct call *call)
{
    call->state = CALL_EXTENDING;
    call->op.args.extend = (struct mete_extend){.reservation = call->reservation,
                                                .demands = call->demands,
                                                .demands_len = call->demands_len,
                                                .floor = call->granted,
                                                .wish = call->granted};
    call->op.refusals = NULL;
    call->op.refusals_max = 0;
    call_submit(call, METE_OP_EXTEND, on_extended);
}

bool call_ask_again(struct call *call, enum upstream_end end)
{
    const struct gateway_config *config = call->gateway->config;
    bool unknown = end == UPSTREAM_LOST || end == UPSTREAM_TIMEOUT;
    bool answered = call->upstream_status != 0;
    struct dialect_answer read = {0};
    if (call->gone || call->cut || call->started ||
        (unknown && (answered || !config->retry_unknown)))
        return false;
    if (end == UPSTREAM_DONE && !theirs(call->upstream_status))
        return false;
    if (end == UPSTREAM_DONE)
        call->spoken->read_answer(buffer_slice(&call->answer), &read);
    bool others = call->at + 1 < call->asking->candidates.len && call->at < config->fallbacks;
    if (read.has_usage || (!others && call->retries >= config->retries) ||
        !providers_second_try(&call->gateway->providers))
        return false;
    call->gateway->counts.second_tries++;
    call->lost = end;
    if (unknown)
        extend(call);
    else
        go_on(call);
    return true;
}
