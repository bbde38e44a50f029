/* SPDX-License-Identifier: Apache-2.0
 * What the client of a call gets. Every reply after a commit carries the cost and the record's id;
 * none is written before the commit is durable (INV-05; asserted by state).
 *
 * HEADERS  x-request-id (the client's, or one of ours), x-mete-cost, x-mete-record,
 *   x-mete-counted: true where the provider's own figures were missing, x-mete-granted-tokens where
 *   the bound of output tokens was set or lowered, x-mete-currency where it is not USD.
 * OF THE PROVIDER'S  content-type, retry-after, retry-after-ms, x-should-retry, x-amzn-errortype,
 * and its x-request-id as x-mete-upstream-request-id. Its rate-limit headers speak of the account
 *   behind the credential, which is not the client's: they are not passed on. */
#include "gateway/call.h"

#include "base/assert.h"

#include <stdio.h>

enum { HEADERS_MAX = 28, HEADER_VALUE_MAX = 1024 };

/* Headers under construction, with room for the figures they show. */
struct head {
    struct exchange_header list[HEADERS_MAX];
    size_t len;
    char cost[DECIMAL_ROOM], record[28], granted[24], currency[4];
    struct call_rate_texts rates[2];
};

static void add(struct head *head, const char *name, struct slice value)
{
    ASSERT(head->len < HEADERS_MAX);
    if (value.len)
        head->list[head->len++] = (struct exchange_header){name, value};
}

static struct slice cost_text(const struct call *call, char room[DECIMAL_ROOM])
{
    return (struct slice){room, decimal_format(call->cost, 9, 2, room)};
}

static void write_currency(const struct call *call, struct head *head)
{
    uint32_t currency = call->price ? call->price->currency : METE_USD;
    if (currency == METE_USD)
        return;
    for (int i = 0; i < 3; i++)
        head->currency[i] = (char)(currency >> (16 - 8 * i) & 0x7f);
    add(head, "x-mete-currency", (struct slice){head->currency, 3});
}

static void write_head(const struct call *call, struct head *head)
{
    head->len = 0;
    add(head, "x-request-id", call->shown_id);
    if (call->format->id_header)
        add(head, call->format->id_header, call->shown_id);
    if (call->attempts)
        add(head, "x-mete-provider", slice_of(call->provider->config->name));
    if (call->bound_sent) {
        snprintf(head->granted, sizeof head->granted, "%lld", (long long)call->bound_sent);
        add(head, "x-mete-granted-tokens", slice_of(head->granted));
    }
    head->len += call_rate_headers(call, head->rates, head->list + head->len);
    if (!call->record)
        return;
    snprintf(head->record, sizeof head->record, "rec_%llu", (unsigned long long)call->record);
    add(head, "x-mete-record", slice_of(head->record));
    add(head, "x-mete-cost", cost_text(call, head->cost));
    write_currency(call, head);
    if (call->basis == CALL_COUNTED || call->basis == CALL_RESERVED)
        add(head, "x-mete-counted", SLICE_LITERAL("true"));
}

/* ---- The provider's headers ------------------------------------------------------------------ */

static const struct {
    const char *from, *to;
} kept[CALL_KEPT] = {
    {"content-type", "content-type"},
    {"retry-after", "retry-after"},
    {"retry-after-ms", "retry-after-ms"},
    {"x-should-retry", "x-should-retry"},
    {"x-amzn-errortype", "x-amzn-errortype"}, /* the one place that names a Bedrock error */
    {"x-request-id", "x-mete-upstream-request-id"},
    {"request-id", "x-mete-upstream-request-id"},
};

/* Values from outside go on only if they are short and harmless. */
static bool harmless(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ' || value.data[i] > '~')
            return false;
    return value.len < CALL_KEPT_ROOM;
}

void call_keep_headers(struct call *call)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    for (size_t i = 0; i < CALL_KEPT; i++) {
        struct slice value = upstream->header(upstream, &call->transfer, kept[i].from);
        if (!value.len || !harmless(value))
            continue;
        memcpy(call->asking->kept[i], value.data, value.len);
        call->asking->kept[i][value.len] = 0;
    }
}

static void pass_on(const struct call *call, struct head *head, size_t from)
{
    for (size_t i = from; i < CALL_KEPT; i++)
        add(head, kept[i].to, slice_of(call->asking->kept[i]));
}

/* ---- Replies --------------------------------------------------------------------------------- */

/* Reasoning that is hidden is reported, and not counted. */
static void tell_count(const struct call *call, struct gateway_call_done *done)
{
    const struct stream_count *count = &call->stream.count;
    if (call->basis != CALL_REPORTED || !stream_count_exact(count))
        return;
    done->encoding = tokenizer_encoding(count->tokenizer)->name;
    done->tokens_counted = stream_count_whole(count);
    done->tokens_reported = call->used.output - (count->reasoned ? 0 : call->used.reasoning);
}

void call_report(struct call *call)
{
    const struct gateway_parts *parts = &call->gateway->parts;
    const struct provider *provider = call->provider;
    int64_t now_us = parts->timers->now_us(parts->timers);
    struct gateway_call_done done = {
        .exchange = call->exchange->id,
        .request_id = call->shown_id,
        .model = {call->request.model, call->request.model_len},
        .provider = slice_of(provider ? provider->config->name : NULL),
        .operation = slice_of(call->format->operation),
        .vendor = slice_of(provider ? provider->family->vendor : NULL),
        .response_model = call->response_model,
        .server_address = slice_of(provider ? provider->host : NULL),
        .server_port = provider ? provider->port : 0,
        .trace_id = slice_of(call->trace.trace_id),
        .span_id = slice_of(call->trace.span_id),
        .parent_span_id = slice_of(call->trace.parent_id),
        .attempts = (int)min_i64(call->attempts, INT32_MAX),
        .scope = call->scope,
        .ending = call->ending,
        .refused = call->refused_for,
        .status = call->status,
        .upstream_status = call->upstream_status,
        .stream = call->request.stream,
        .cost_nano = call->cost,
        .usage = call->used,
        .latency_ms = (uint32_t)max_i64((now_us - call->began_us) / 1000, 0),
        .first_token_ms =
            call->first_us ? (uint32_t)max_i64((call->first_us - call->began_us) / 1000, 0) : 0,
        .record = call->record,
    };
    tell_count(call, &done);
    call->exchange->state = NULL; /* whoever speaks of the exchange from now on means no call */
    if (parts->call_done)
        parts->call_done(parts->user, &done);
}

const struct dialect_error *call_in_flight(void)
{
    static const struct dialect_error in_flight = {
        409,
        "invalid_request_error",
        "in_flight",
        NULL,
        "A call with this request id is still under way.",
        {0}};
    return &in_flight;
}

void call_reply_failure(struct call *call, const struct dialect_error *failure)
{
    struct head head;
    write_head(call, &head);
    /* What may have been billed, or cannot succeed, is not to be tried again by itself; what was
     * never sent, found the house full, or waits for its first try to end, may be. */
    bool later = failure->status == 503 || failure->status == 429 || failure == call_in_flight();
    if (call->record || (failure->status < 500 && !later))
        add(&head, "x-should-retry", SLICE_LITERAL("false"));
    else if (later)
        add(&head, "retry-after", SLICE_LITERAL("1"));
    call->status = failure->status;
    call_report(call);
    gateway_reply_error(call->exchange, call->format, failure, head.list, head.len);
    call_leave(call);
}

void call_reply_ended(struct call *call)
{
    char details[128], room[DECIMAL_ROOM];
    const struct mete_receipt *ended = &call->op.result.verdict.ended;
    ASSERT(ended->state != METE_RELEASED); /* it would have given its id back */
    call->cost = ended->cost;
    call->record = ended->record;
    (void)cost_text(call, room);
    int len = snprintf(details, sizeof details, "{\"cost\":\"%s\",\"record\":\"rec_%llu\"}", room,
                       (unsigned long long)ended->record);
    ASSERT(len > 0 && (size_t)len < sizeof details);
    const struct dialect_error error = {
        .status = 409,
        .type = "invalid_request_error",
        .code = "already_ended",
        .message = "A call with this request id is over. Its answer is not kept; its record is.",
        .details = {details, (size_t)len}};
    call_reply_failure(call, &error);
}

/* ---- Answers of another format --------------------------------------------------------------- */

static int on_delta(void *user, const struct neutral_delta *delta)
{
    return neutral_answer_add(user, delta);
}

static int translate(const struct call *call, struct buffer *out)
{
    struct neutral_answer answer;
    struct neutral_sink sink = {on_delta, &answer};
    neutral_answer_init(&answer, out->max);
    answer.stream.created = mete_now(call->gateway->parts.mete).us / 1000000;
    int rc = call->spoken->neutral->read_answer(buffer_slice(&call->answer), &sink);
    if (!rc)
        rc = call->format->neutral->write_answer(&answer, &call->used, out);
    neutral_answer_done(&answer);
    return rc;
}

static void reply_their_error(struct call *call)
{
    enum { ROOM = 2048 };
    char room[ROOM];
    struct head head;
    struct dialect_error error = {.status = call->upstream_status,
                                  .type = "server_error",
                                  .code = "upstream_error",
                                  .message = "The provider answered with an error."};
    (void)call->spoken->neutral->read_error(buffer_slice(&call->answer), room, sizeof room, &error);
    write_head(call, &head);
    pass_on(call, &head, 1);
    call->status = call->upstream_status;
    call_report(call);
    gateway_reply_error(call->exchange, call->format, &error, head.list, head.len);
    call_leave(call);
}

static void reply_translated(struct call *call)
{
    static const struct dialect_error unreadable = {
        502,
        "server_error",
        "upstream_unreadable",
        NULL,
        "The provider's answer is not of the format it should be.",
        {0}};
    struct head head;
    struct buffer out;
    /* Where every byte of a text is another format's escape, and some words around it. */
    buffer_init(&out, 8 * (size_t)call->gateway->config->response_max);
    if (translate(call, &out)) {
        buffer_done(&out);
        call_reply_failure(call, &unreadable);
        return;
    }
    write_head(call, &head);
    add(&head, "content-type", SLICE_LITERAL("application/json"));
    pass_on(call, &head, 1);
    call->status = call->upstream_status;
    call_report(call);
    call->exchange->ops->reply(call->exchange, call->status, head.list, head.len,
                               buffer_slice(&out));
    buffer_done(&out);
    call_leave(call);
}

/* ---- Answers --------------------------------------------------------------------------------- */

void call_reply_answer(struct call *call)
{
    struct head head;
    if (call->format != call->spoken) {
        if (call->upstream_status < 300)
            reply_translated(call);
        else
            reply_their_error(call);
        return;
    }
    write_head(call, &head);
    if (!call->asking->kept[0][0])
        add(&head, "content-type", SLICE_LITERAL("application/json"));
    pass_on(call, &head, 0);
    call->status = call->upstream_status;
    call_report(call);
    call->exchange->ops->reply(call->exchange, call->status, head.list, head.len,
                               buffer_slice(&call->answer));
    call_leave(call);
}

void call_reply_refusal(struct call *call)
{
    struct dialect_error error;
    struct exchange_header told[REFUSAL_HEADERS];
    struct call_refused *refused = call->refused;
    struct head head;
    size_t told_len = refusal_tell(&refused->naming.told, refused->naming.retry_at,
                                   mete_now(call->gateway->parts.mete), &error, told);
    if (call->format->budget_status && error.code && !strcmp(error.code, "insufficient_quota"))
        error.status = call->format->budget_status;
    write_head(call, &head);
    for (size_t i = 0; i < told_len; i++)
        add(&head, told[i].name, told[i].value);
    call->status = error.status;
    call->refused_for = refused->naming.told.reason;
    call_report(call);
    gateway_reply_error(call->exchange, call->format, &error, head.list, head.len);
    refusal_done(&refused->naming.told);
    call_leave(call);
}

/* Bytes of the provider's own kind. */
void call_start_relay(struct call *call)
{
    struct head head;
    write_head(call, &head);
    pass_on(call, &head, 0);
    call->status = call->upstream_status;
    call->started = call->relays = true;
    call->exchange->ops->start(call->exchange, call->status, head.list, head.len);
}

/* All of it has gone, but for the end, which waited for the commit. */
void call_finish_relay(struct call *call)
{
    ASSERT_INV("INV-05", call->state == CALL_COMMITTING);
    call_report(call);
    call->exchange->ops->finish(call->exchange);
    call_leave(call);
}

void call_start_stream(struct call *call)
{
    struct head head;
    write_head(call, &head);
    bool theirs = call->format == call->spoken && call->asking->kept[0][0];
    add(&head, "content-type",
        theirs ? slice_of(call->asking->kept[0]) : SLICE_LITERAL("text/event-stream"));
    add(&head, "cache-control", SLICE_LITERAL("no-cache"));
    pass_on(call, &head, 1); /* all but what the head above says itself */
    call->status = call->upstream_status;
    call->started = true;
    call->exchange->ops->start(call->exchange, call->status, head.list, head.len);
}

/* The last bytes of a stream. Without memory for them the client sees it end without [DONE]. */
void call_finish_stream(struct call *call)
{
    char room[DECIMAL_ROOM];
    struct stream *stream = &call->stream;
    ASSERT_INV("INV-05", call->state == CALL_COMMITTING);
    struct slice cost = call->record ? cost_text(call, room) : (struct slice){0};
    int rc = call->failure.status ? stream_break(stream, &call->failure, cost)
                                  : stream_finish(stream, &call->used, cost);
    if (!rc && !call->gone && stream->out.len)
        (void)call->exchange->ops->write(call->exchange, buffer_slice(&stream->out));
    call_report(call);
    call->exchange->ops->finish(call->exchange);
    call_leave(call);
}
