/* SPDX-License-Identifier: Apache-2.0
 * Bedrock's converse: its table of functions, its paths, its errors and the ends made here.
 *
 *   POST /model/MODEL/converse            one object
 *   POST /model/MODEL/converse-stream     AWS messages (codec/frames.h)
 *
 * Errors are {"message"} with the exception's name in x-amzn-errortype, or in "__type", where
 * clients look next; within a stream they are messages of their own. Nothing is put into a
 * provider's messages, for each has a checksum: the cost is in the record.
 *
 * Not done: `invoke`, whose bodies are of every model maker's own format. */
#include "dialect/converse.h"

#include "base/assert.h"
#include "dialect/path.h"
#include "dialect/prompts.h"

#include <stdio.h>

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    static const char start[] = "/model/";
    (void)query;
    if (!slice_starts(path, SLICE_LITERAL(start)))
        return false;
    struct slice rest = slice_from(path, sizeof start - 1);
    const char *slash = rest.len ? memchr(rest.data, '/', rest.len) : NULL;
    if (!slash)
        return false;
    ret_target->model = (struct slice){rest.data, (size_t)(slash - rest.data)};
    struct slice method = slice_from(rest, ret_target->model.len);
    ret_target->stream = slice_is(method, "/converse-stream");
    return ret_target->stream || slice_is(method, "/converse");
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    int rc = buffer_text(out, "/model/");
    if (!rc)
        rc = path_write_segment(model, out);
    return rc ? rc : buffer_text(out, request->stream ? "/converse-stream" : "/converse");
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static const char *type_of(const struct dialect_error *error)
{
    switch (error->status) {
    case 401:
    case 403:
        return "AccessDeniedException";
    case 404:
        return "ResourceNotFoundException";
    case 409:
        return "ConflictException";
    case 429:
        return error->code && !strcmp(error->code, "insufficient_quota")
                   ? "ServiceQuotaExceededException"
                   : "ThrottlingException";
    case 503:
        return "ServiceUnavailableException";
    case 504:
        return "ModelTimeoutException";
    default:
        return error->status < 500 ? "ValidationException" : "InternalServerException";
    }
}

static int write_error(struct buffer *out, const struct dialect_error *error)
{
    int rc = buffer_format(out, "{\"__type\":\"%s\",\"message\":", type_of(error));
    if (!rc)
        rc = json_quote(out, slice_of(error->message));
    if (!rc && error->code)
        rc = buffer_text(out, ",\"reason\":");
    if (!rc && error->code)
        rc = json_quote(out, slice_of(error->code));
    if (!rc && error->param)
        rc = buffer_text(out, ",\"param\":");
    if (!rc && error->param)
        rc = json_quote(out, slice_of(error->param));
    if (!rc && error->details.len)
        rc = buffer_text(out, ",\"mete\":");
    if (!rc && error->details.len)
        rc = buffer_append(out, error->details);
    return rc ? rc : buffer_text(out, "}");
}

/* A message has a checksum, and no place for it. */
static int write_cost(struct slice raw, struct json usage_object, struct slice cost,
                      struct buffer *out)
{
    (void)usage_object;
    (void)cost;
    return buffer_append(out, raw);
}

/* ---- Ends of ours ---------------------------------------------------------------------------- */

enum { PAYLOAD_MAX = 65536 }; /* of one message of ours: far over an error with its details */

/* Of the names that clients know within a stream. */
static const char *exception_of(const struct dialect_error *error)
{
    if (error->status == 429)
        return "throttlingException";
    if (error->status == 503)
        return "serviceUnavailableException";
    if (error->status < 500)
        return "validationException";
    return error->status == 500 ? "internalServerException" : "modelStreamErrorException";
}

static int write_break(struct dialect_stream *stream, const struct dialect_error *error,
                       struct buffer *out)
{
    struct buffer payload;
    stream->ended = true;
    buffer_init(&payload, PAYLOAD_MAX);
    int rc = write_error(&payload, error);
    if (!rc)
        rc = frames_aws_write(out, slice_of(exception_of(error)), true, buffer_slice(&payload));
    buffer_done(&payload);
    return rc;
}

static int write_block_stop(const struct dialect_stream *stream, struct buffer *out)
{
    char payload[64];
    int len = snprintf(payload, sizeof payload, "{\"contentBlockIndex\":%lld}",
                       (long long)(stream->blocks - 1));
    ASSERT(len > 0 && (size_t)len < sizeof payload);
    return frames_aws_write(out, SLICE_LITERAL("contentBlockStop"), false,
                            (struct slice){payload, (size_t)len});
}

static int write_stop(const struct dialect_stream *stream, struct buffer *out)
{
    static const char *const words[] = {
        [DIALECT_STOP] = "{\"stopReason\":\"end_turn\"}",
        [DIALECT_LENGTH] = "{\"stopReason\":\"max_tokens\"}",
        [DIALECT_TOOLS] = "{\"stopReason\":\"tool_use\"}",
        [DIALECT_FILTERED] = "{\"stopReason\":\"content_filtered\"}",
    };
    return frames_aws_write(out, SLICE_LITERAL("messageStop"), false,
                            slice_of(words[stream->finish]));
}

static int write_metadata(const struct pricing_usage *usage, struct buffer *out)
{
    char payload[256];
    int len = snprintf(payload, sizeof payload,
                       "{\"metrics\":{\"latencyMs\":0},\"usage\":{\"cacheReadInputTokens\":%lld,"
                       "\"cacheWriteInputTokens\":%lld,\"inputTokens\":%lld,\"outputTokens\":%lld,"
                       "\"totalTokens\":%lld}}",
                       (long long)usage->cached_input, (long long)usage->cache_write,
                       (long long)(usage->input - usage->cached_input - usage->cache_write),
                       (long long)usage->output, (long long)(usage->input + usage->output));
    ASSERT(len > 0 && (size_t)len < sizeof payload);
    return frames_aws_write(out, SLICE_LITERAL("metadata"), false,
                            (struct slice){payload, (size_t)len});
}

static int write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                     struct slice cost, bool wants_usage, struct buffer *out)
{
    int rc = 0;
    (void)cost;
    (void)wants_usage; /* every client gets it */
    stream->ended = true;
    if (!stream->begun)
        rc = frames_aws_write(out, SLICE_LITERAL("messageStart"), false,
                              SLICE_LITERAL("{\"role\":\"assistant\"}"));
    if (!rc && stream->open != DIALECT_NOTHING)
        rc = write_block_stop(stream, out);
    if (!rc && !(stream->told & CONVERSE_STOPPED))
        rc = write_stop(stream, out);
    return rc ? rc : write_metadata(usage, out);
}

const struct dialect *dialect_converse(void)
{
    static const char *const passed[] = {NULL};
    static const struct dialect converse = {
        .name = "bedrock-converse",
        .operation = "chat",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_AWS,
        .comments = false,
        .match = match,
        .read_request = converse_read_request,
        .count_input = converse_count_input,
        .write_path = write_path,
        .read_answer = converse_read_answer,
        .read_event = converse_read_event,
        .write_cost = write_cost,
        .write_error = write_error,
        .write_break = write_break,
        .write_end = write_end,
        .neutral = &converse_neutral,
        .passed = passed,
    };
    return &converse;
}
