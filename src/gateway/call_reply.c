/* SPDX-License-Identifier: Apache-2.0
 * What the client of a call gets. Every reply after a commit carries the cost and the record's id;
 * none is written before the commit is durable (INV-05; asserted by state).
 *
 * HEADERS  x-request-id (the client's, or one of ours), x-mete-cost, x-mete-record,
 *   x-mete-counted: true where the provider's own figures were missing, x-mete-granted-tokens where
 *   the bound of output tokens was set or lowered, x-mete-currency where it is not USD.
 * OF THE PROVIDER'S  content-type, retry-after, retry-after-ms, x-should-retry, and its
 *   x-request-id as x-mete-upstream-request-id. Its rate-limit headers speak of the account behind
 *   the credential, which is not the client's: they are not passed on. */
#include "gateway/call.h"

#include "base/assert.h"

#include <stdio.h>

enum { HEADERS_MAX = 16, HEADER_VALUE_MAX = 1024 };

/* Headers under construction, with room for the figures they show. */
struct head {
    struct exchange_header list[HEADERS_MAX];
    size_t len;
    char cost[DECIMAL_ROOM], record[28], granted[24], currency[4];
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
    if (call->bound_sent) {
        snprintf(head->granted, sizeof head->granted, "%lld", (long long)call->bound_sent);
        add(head, "x-mete-granted-tokens", slice_of(head->granted));
    }
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
    {"content-encoding",
     "content-encoding"}, /* of one who encodes unasked: the client may read it */
    {"retry-after", "retry-after"},
    {"retry-after-ms", "retry-after-ms"},
    {"x-should-retry", "x-should-retry"},
    {"x-request-id", "x-mete-upstream-request-id"},
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
        memcpy(call->kept[i], value.data, value.len);
        call->kept[i][value.len] = 0;
    }
}

static void pass_on(const struct call *call, struct head *head, size_t from)
{
    for (size_t i = from; i < CALL_KEPT; i++)
        add(head, kept[i].to, slice_of(call->kept[i]));
}

/* ---- Replies --------------------------------------------------------------------------------- */

void call_report(struct call *call)
{
    const struct gateway_parts *parts = &call->gateway->parts;
    const char *provider =
        call->provider >= 0 ? call->gateway->config->providers[call->provider].name : NULL;
    int64_t now_us = parts->timers->now_us(parts->timers);
    struct gateway_call_done done = {
        .exchange = call->exchange->id,
        .request_id = call->shown_id,
        .model = {call->request.model, call->request.model_len},
        .provider = slice_of(provider),
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
    bool later = failure->status == 503 || failure == call_in_flight();
    if (call->record || (failure->status < 500 && !later))
        add(&head, "x-should-retry", SLICE_LITERAL("false"));
    else if (later)
        add(&head, "retry-after", SLICE_LITERAL("1"));
    call->status = failure->status;
    call_report(call);
    gateway_reply_error(call->exchange, call->dialect, failure, head.list, head.len);
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

void call_reply_answer(struct call *call)
{
    struct head head;
    write_head(call, &head);
    if (!call->kept[0][0])
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
    struct call_refused *refused = &call->refused;
    struct head head;
    size_t told_len = refusal_tell(&refused->told, refused->retry_at,
                                   mete_now(call->gateway->parts.mete), &error, told);
    write_head(call, &head);
    for (size_t i = 0; i < told_len; i++)
        add(&head, told[i].name, told[i].value);
    call->status = error.status;
    call->refused_for = refused->told.reason;
    call_report(call);
    gateway_reply_error(call->exchange, call->dialect, &error, head.list, head.len);
    refusal_done(&refused->told);
    call_leave(call);
}

void call_start_stream(struct call *call)
{
    struct head head;
    write_head(call, &head);
    add(&head, "content-type",
        call->kept[0][0] ? slice_of(call->kept[0]) : SLICE_LITERAL("text/event-stream"));
    add(&head, "cache-control", SLICE_LITERAL("no-cache"));
    pass_on(call, &head, CALL_KEPT - 1);
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
    int rc = stream_finish(stream, call->record ? cost_text(call, room) : (struct slice){0});
    if (!rc && call->failure.status)
        rc = stream_break(stream, &call->failure);
    if (!rc && !call->gone && stream->out.len)
        (void)call->exchange->ops->write(call->exchange, buffer_slice(&stream->out));
    call_report(call);
    call->exchange->ops->finish(call->exchange);
    call_leave(call);
}
