/* SPDX-License-Identifier: Apache-2.0
 * Names are those of OpenTelemetry's semantic conventions for generative AI (a client span) as of
 * 1.37, so that a collector that reads the log makes spans of the lines. gen_ai.usage.input_tokens
 * has what came from the cache and went into it in it, as the conventions want it and
 * pricing_usage has it. */
#include "server/call_log.h"

#include "server/log.h"
#include "server/metrics.h"

#include <stdio.h>

enum { STATUS_ROOM = 12 };

static struct log_field known(const char *name, struct slice text)
{
    struct log_field field = log_text(name, text);
    if (!text.len)
        field.name = NULL;
    return field;
}

static struct log_field counted(const char *name, int64_t number)
{
    struct log_field field = log_number(name, number);
    if (!number)
        field.name = NULL;
    return field;
}

/* What went wrong, in one word of few: the reason of a refusal, the status of an error, or how a
 * call ended that had a status of success. Empty: nothing. */
static struct slice error_type(const struct gateway_call_done *done, char room[STATUS_ROOM])
{
    if (done->error_type.len)
        return done->error_type;
    if (done->refused != METE_REASON_NONE)
        return slice_of(metrics_reason_name(done->refused));
    if (done->status >= 400) {
        int len = snprintf(room, STATUS_ROOM, "%d", done->status);
        return (struct slice){room, (size_t)len};
    }
    if (done->ending == METE_ENDED_OK || done->ending == METE_ENDED_NO_USAGE)
        return (struct slice){NULL, 0};
    return slice_of(metrics_ending_name(done->ending));
}

void call_log(const struct gateway_call_done *done)
{
    char status[STATUS_ROOM];
    bool refused = done->refused != METE_REASON_NONE;
    if (!log_wanted(EVENT_CALL))
        return;
    LOG_WRITE(
        EVENT_CALL, known("trace_id", done->trace_id), known("span_id", done->span_id),
        known("parent_span_id", done->parent_span_id),
        known("gen_ai.operation.name", done->operation),
        known("gen_ai.provider.name", done->vendor), known("gen_ai.request.model", done->model),
        known("gen_ai.response.model", done->response_model),
        counted("gen_ai.usage.input_tokens", done->usage.input),
        counted("gen_ai.usage.output_tokens", done->usage.output),
        counted("gen_ai.usage.cache_read.input_tokens", done->usage.cached_input),
        counted("gen_ai.usage.cache_creation.input_tokens", done->usage.cache_write),
        counted("gen_ai.usage.reasoning.output_tokens", done->usage.reasoning),
        known("server.address", done->server_address), counted("server.port", done->server_port),
        counted("http.response.status_code", done->status),
        known("error.type", error_type(done, status)),
        log_number("mete.exchange", (int64_t)done->exchange),
        known("mete.request_id", done->request_id), counted("mete.scope", done->scope.n),
        known("mete.provider", done->provider),
        log_text("mete.verdict", slice_of(metrics_reason_name(done->refused))),
        known("mete.ending",
              refused ? (struct slice){NULL, 0} : slice_of(metrics_ending_name(done->ending))),
        counted("mete.attempts", done->attempts),
        counted("mete.upstream_status", done->upstream_status),
        log_number("mete.stream", done->stream), log_number("mete.cost_nano", done->cost_nano),
        counted("mete.record", (int64_t)done->record), log_number("mete.ms", done->latency_ms),
        counted("mete.first_token_ms", done->first_token_ms));
}
