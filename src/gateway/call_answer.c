/* SPDX-License-Identifier: Apache-2.0
 * What comes back from the provider, while it comes. */
#include "gateway/call.h"

#include "base/assert.h"

#include <strings.h>

void call_fail(struct call *call, int status, const char *code, const char *message)
{
    if (!call->failure.status)
        call->failure = (struct dialect_error){status, "server_error", code, NULL, message, {0}};
}

/* ---- The head -------------------------------------------------------------------------------- */

static bool type_is(const char *type, const char *name)
{
    return !strncasecmp(type, name, strlen(name));
}

/* Whether an answer of this type streams, and how it is framed. */
static bool framing_of(const struct call *call, enum frames_kind *ret_kind)
{
    const char *type = call->asking->kept[0];
    *ret_kind = call->spoken->framing;
    if (!type[0])
        return true;
    if (type_is(type, "text/event-stream"))
        *ret_kind = FRAMES_SSE;
    else if (type_is(type, "application/x-ndjson") || type_is(type, "application/stream+json") ||
             type_is(type, "application/jsonl"))
        *ret_kind = FRAMES_LINES;
    else if (type_is(type, "application/vnd.amazon.eventstream"))
        *ret_kind = FRAMES_AWS;
    else if (call->request.array && type_is(type, "application/json"))
        *ret_kind = FRAMES_ARRAY;
    else
        return false;
    return true;
}

static void list_stream(struct call *call)
{
    struct gateway *gateway = call->gateway;
    call->next = gateway->streams;
    if (call->next)
        call->next->prev = call;
    gateway->streams = call;
    call->listed = true;
}

/* A stream may last for minutes, and nobody else will be asked: its prompt need not wait with it,
 * nor what it took to ask. */
static void let_asking_go(struct call *call)
{
    struct dialect_request *request = &call->request;
    if (!call->transfer.body_sent)
        return;
    buffer_done(&call->given);
    buffer_done(&call->translated);
    call->exchange->body = (struct slice){NULL, 0};
    request->user = request->metadata = (struct slice){NULL, 0};
    request->output_bound = request->usage_option = request->model_name =
        (struct dialect_place){{NULL, 0}, NULL, NULL};
    buffer_done(&call->url);
    spares_give(&call->gateway->asking, call->asking);
    call->asking = NULL;
}

void call_on_head(struct upstream_transfer *transfer, int status)
{
    struct call *call = CALL_OF(transfer, transfer);
    enum frames_kind framing;
    ASSERT(call->state == CALL_CALLING);
    call->upstream_status = status;
    call_keep_headers(call);
    if (status < 200 || (status >= 300 && status < 400) || status > 599)
        call_fail(call, 502, "upstream_status", "The provider answered with a status of no use.");
    bool content = status >= 200 && status <= 299 && status != 204 && status != 205;
    if (content && call->request.is_relayed) {
        call->state = CALL_RELAYING;
        call->gateway->counts.streams_open++;
        call_start_relay(call);
        return;
    }
    if (!call->request.stream || !content || !framing_of(call, &framing)) {
        call->state = CALL_COLLECTING;
        return;
    }
    const struct stream_formats formats = {call->format, call->spoken, framing,
                                           call->request.wants_usage};
    if (stream_init(&call->stream, &formats, (size_t)call->gateway->config->response_max)) {
        call_fail(call, 503, "overloaded", "There is not enough memory for the answer.");
        call->state = CALL_COLLECTING;
        return;
    }
    if (!call->request.repeats_prompt && call->family)
        stream_count_between(&call->stream, call->tokenizer, call->family);
    else if (!call->request.repeats_prompt)
        stream_count_with(&call->stream, call->tokenizer);
    int granted = stream_grant(&call->stream, call_reserved_output(call));
    ASSERT(!granted); /* nothing waits yet */
    call->state = CALL_STREAMING;
    if (call->stream.translation)
        call->stream.translation->told.created = mete_now(call->gateway->parts.mete).us / 1000000;
    call->gateway->counts.streams_open++;
    list_stream(call);
    call_start_stream(call);
    let_asking_go(call);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

void call_forward(struct call *call)
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
    buffer_relax(out, STREAM_IDLE_ROOM);
}

static void too_large(struct call *call)
{
    call_fail(call, 502, "response_too_large",
              "The provider's answer is larger than its limit here.");
    call_cut(call, CALL_TOO_LARGE);
}

static void unreadable(struct call *call)
{
    call_fail(call, 502, "upstream_unreadable",
              "The provider's answer is not of the format it should be.");
    call_cut(call, CALL_UNREADABLE);
}

void call_went_on(struct call *call, int rc)
{
    call_forward(call);
    if (rc == METE_E_SYNTAX)
        unreadable(call);
    else if (rc)
        too_large(call);
    else if (call->stream.final_seen)
        call_commit(call, UPSTREAM_DONE);
    else
        call_watch_bound(call);
}

static void relay_data(struct call *call, struct slice bytes)
{
    struct upstream *upstream = call->gateway->parts.upstream;
    if (call->gone)
        return;
    size_t waiting = call->exchange->ops->write(call->exchange, bytes);
    if (waiting > EXCHANGE_QUEUE_HIGH && !call->paused) {
        call->paused = true;
        upstream->pause(upstream, &call->transfer, true);
    }
}

static void stream_data(struct call *call, struct slice bytes)
{
    while (bytes.len && call->state == CALL_STREAMING && !call->cut) {
        size_t len = (size_t)min_i64((int64_t)bytes.len, STREAM_PIECE_MAX);
        call_went_on(call, stream_feed(&call->stream, slice_part(bytes, 0, len)));
        bytes = slice_from(bytes, len);
    }
}

void call_on_data(struct upstream_transfer *transfer, struct slice bytes)
{
    struct call *call = CALL_OF(transfer, transfer);
    struct timers *timers = call->gateway->parts.timers;
    if (!call->first_us)
        call->first_us = timers->now_us(timers);
    if (call->cancelled || call->cut)
        return;
    if (call->state == CALL_STREAMING)
        stream_data(call, bytes);
    else if (call->state == CALL_RELAYING)
        relay_data(call, bytes);
    else if (call->state == CALL_COLLECTING && buffer_append(&call->answer, bytes))
        too_large(call);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void note_cut(struct call *call)
{
    switch (call->cut) {
    case CALL_STOPPED:
    case CALL_SHUTDOWN:
    case CALL_BOUND: /* a stream ends as if its provider had ended it */
        break;
    case CALL_RUNS:
    case CALL_CLIENT_LEFT:
    case CALL_TOO_LARGE:
    case CALL_UNREADABLE:
        call_fail(call, 499, "client_gone", "The client left.");
        return;
    }
    if (call->started && !call->relays)
        stream_cut(&call->stream);
    else
        call_fail(call, 503, "cut_off", "The call was ended here; what it used is charged.");
}

static void note_broken(struct call *call, enum upstream_end end)
{
    if (end == UPSTREAM_TIMEOUT)
        call_fail(call, 504, "upstream_timeout",
                  "The provider took too long; the call is charged provisionally.");
    else if (end == UPSTREAM_CANCELLED)
        note_cut(call);
    else if (end != UPSTREAM_DONE)
        call_fail(call, 502, "upstream_lost",
                  "The provider broke off; the call is charged provisionally.");
}

/* A provider may quote the credential it refuses: no client is to see it (INV-13). */
static void hide_credential(struct call *call)
{
    struct slice secret = credential_secret(call->credential);
    bool error = call->upstream_status >= 400 && call->state == CALL_COLLECTING;
    if (error && secret.len && call->answer.len &&
        memmem(call->answer.data, call->answer.len, secret.data, secret.len))
        call_fail(call, 502, "upstream_credential",
                  "The provider refused the gateway's credential.");
}

void call_end_as_it_is(struct call *call, enum upstream_end end)
{
    note_broken(call, end);
    hide_credential(call);
    if (call->state == CALL_STREAMING)
        call_forward(call);
    call_commit(call, end);
    call_check(call);
}

static void after_attempt(struct call *call, enum upstream_end end)
{
    static const struct dialect_error not_sent = {
        502,
        "server_error",
        "upstream_unreachable",
        NULL,
        "The provider could not be reached; nothing was charged.",
        {0}};
    bool unsent = end == UPSTREAM_NOT_SENT && call->state == CALL_CALLING;
    if (call_ask_again(call, end))
        return;
    if (unsent && !call->unknown) {
        call_release(call, &not_sent);
        return;
    }
    if (unsent)
        call->failure = not_sent;
    call_end_as_it_is(call, end);
}

/* Neither HTTP nor the format says that it is over. (Some end without a word, but in good order.)
 */
static bool may_be_a_break(const struct call *call)
{
    return call->transfer.ends_by_close && !call->stream.ended;
}

void call_end_stream(struct call *call)
{
    after_attempt(call, may_be_a_break(call) ? UPSTREAM_LOST : UPSTREAM_DONE);
}

void call_on_end(struct upstream_transfer *transfer, enum upstream_end end, const char *why)
{
    struct call *call = CALL_OF(transfer, transfer);
    ASSERT(call->transfer_open);
    call->transfer_open = false;
    (void)why;
    if (end == UPSTREAM_DONE && call->state == CALL_CALLING)
        end = UPSTREAM_LOST; /* over without a status */
    /* The event it broke off in is over its limit, or unreadable. */
    bool streams = end == UPSTREAM_DONE && call->state == CALL_STREAMING;
    if (streams && stream_end(&call->stream))
        end = UPSTREAM_LOST;
    bool waits = streams && end == UPSTREAM_DONE && call->stream.full && !call->cut;
    if (streams && !waits && may_be_a_break(call))
        end = UPSTREAM_LOST;
    call_attempt_over(call, end);
    if (call->state == CALL_COMMITTING || call->state == CALL_DONE)
        call_free_if_over(call);
    else if (waits)
        call_ended_full(call);
    else
        after_attempt(call, end);
}
