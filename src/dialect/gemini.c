/* SPDX-License-Identifier: Apache-2.0
 * Google's generateContent, as Gemini's and Vertex AI's servers speak it: its table of functions,
 * its paths, its errors and the ends made here.
 *
 *   POST /v1beta/models/MODEL:generateContent             one object
 *   POST /v1beta/models/MODEL:streamGenerateContent       the stream as one JSON array
 *   ... ?alt=sse                                          the stream as events
 *   POST /v1/projects/P/locations/L/publishers/google/models/MODEL:...   the same, of Vertex AI
 *   /v1, /v1beta and /v1beta1 are one.
 *
 * Of the path only the model and the method go on, of the query only alt=sse: a key in it never
 * does. Google's clients take every byte of an event stream that is no "data: " line for a fault,
 * so there are no comments; the cost stands in usageMetadata. */
#include "dialect/gemini.h"

#include "dialect/path.h"
#include "dialect/prompts.h"

/* ---- Paths ----------------------------------------------------------------------------------- */

/* Behind the last "/models/"; empty: there is none. */
static struct slice behind_models(struct slice path)
{
    static const char mark[] = "/models/";
    const size_t len = sizeof mark - 1;
    for (size_t at = path.len; at-- > 0;)
        if (path.len - at > len && !memcmp(path.data + at, mark, len))
            return slice_from(path, at + len);
    return (struct slice){0};
}

static bool is_ours(struct slice path)
{
    return slice_starts(path, SLICE_LITERAL("/v1beta/")) ||
           slice_starts(path, SLICE_LITERAL("/v1beta1/")) ||
           slice_starts(path, SLICE_LITERAL("/v1/"));
}

static bool match(struct slice path, struct slice query, struct dialect_target *ret_target)
{
    struct slice rest = behind_models(path);
    const char *colon = rest.len ? memrchr(rest.data, ':', rest.len) : NULL;
    if (!colon || !is_ours(path))
        return false;
    struct slice model = {rest.data, (size_t)(colon - rest.data)};
    struct slice method = slice_from(rest, model.len + 1);
    bool stream = slice_is(method, "streamGenerateContent");
    if ((!stream && !slice_is(method, "generateContent")) || memchr(model.data, '/', model.len))
        return false;
    ret_target->model = model;
    ret_target->stream = stream;
    ret_target->array = stream && !path_query_is(query, "alt=sse") &&
                        !path_query_is(query, "%24alt=sse") && !path_query_is(query, "$alt=sse");
    return true;
}

static int write_path(const struct dialect_request *request, struct slice model, struct buffer *out)
{
    int rc = buffer_text(out, "/models/");
    if (!rc)
        rc = path_write_segment(model, out);
    return rc ? rc
              : buffer_text(out, !request->stream ? ":generateContent"
                                 : request->array ? ":streamGenerateContent"
                                                  : ":streamGenerateContent?alt=sse");
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static const char *word_of(int status)
{
    switch (status) {
    case 401:
        return "UNAUTHENTICATED";
    case 403:
        return "PERMISSION_DENIED";
    case 404:
        return "NOT_FOUND";
    case 409:
        return "ABORTED";
    case 429:
        return "RESOURCE_EXHAUSTED";
    case 499:
        return "CANCELLED";
    case 500:
        return "INTERNAL";
    case 502:
    case 503:
        return "UNAVAILABLE";
    case 504:
        return "DEADLINE_EXCEEDED";
    default:
        return status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
    }
}

/* What else is known of it: Google's own place for that. */
static int write_details(struct buffer *out, const struct dialect_error *error)
{
    int rc = buffer_text(out, ",\"details\":[{\"@type\":\"type.googleapis.com/"
                              "google.rpc.ErrorInfo\",\"reason\":");
    if (!rc)
        rc = json_quote(out, slice_of(error->code));
    if (!rc)
        rc = buffer_text(out, ",\"domain\":\"mete\"");
    if (!rc && error->param)
        rc = buffer_text(out, ",\"metadata\":{\"field\":");
    if (!rc && error->param)
        rc = json_quote(out, slice_of(error->param));
    if (!rc && error->param)
        rc = buffer_text(out, "}");
    return rc ? rc : buffer_text(out, "}]");
}

static int write_error(struct buffer *out, const struct dialect_error *error)
{
    int rc = buffer_format(out, "{\"error\":{\"code\":%d,\"message\":", error->status);
    if (!rc)
        rc = json_quote(out, slice_of(error->message));
    if (!rc)
        rc = buffer_format(out, ",\"status\":\"%s\"", word_of(error->status));
    if (!rc && error->code)
        rc = write_details(out, error);
    if (!rc && error->details.len)
        rc = buffer_text(out, ",\"mete\":");
    if (!rc && error->details.len)
        rc = buffer_append(out, error->details);
    return rc ? rc : buffer_text(out, "}}");
}

/* ---- Ends of ours ---------------------------------------------------------------------------- */

/* What stands before an event of ours; passed: there was one before. */
static int begin_event(const struct dialect_stream *stream, bool passed, struct buffer *out)
{
    return buffer_text(out, stream->framing != FRAMES_ARRAY ? "data: " : passed ? ",\r\n" : "[");
}

static int end_stream(struct dialect_stream *stream, struct buffer *out)
{
    stream->ended = true;
    return buffer_text(out, stream->framing == FRAMES_ARRAY ? "\n]" : "\r\n\r\n");
}

static int write_break(struct dialect_stream *stream, const struct dialect_error *error,
                       struct buffer *out)
{
    if (stream->ended)
        return 0; /* an array is closed: nothing can follow */
    int rc = begin_event(stream, stream->begun, out);
    if (!rc)
        rc = write_error(out, error);
    return rc ? rc : end_stream(stream, out);
}

static int write_usage(const struct pricing_usage *usage, struct slice cost, struct buffer *out)
{
    int rc = buffer_format(out,
                           ",\"usageMetadata\":{\"promptTokenCount\":%lld,"
                           "\"candidatesTokenCount\":%lld,\"totalTokenCount\":%lld,"
                           "\"cachedContentTokenCount\":%lld,\"thoughtsTokenCount\":%lld",
                           (long long)usage->input, (long long)(usage->output - usage->reasoning),
                           (long long)(usage->input + usage->output),
                           (long long)usage->cached_input, (long long)usage->reasoning);
    if (!rc && cost.len)
        rc = buffer_text(out, ",\"cost\":");
    if (!rc && cost.len)
        rc = buffer_append(out, cost);
    return rc ? rc : buffer_text(out, "}");
}

static int write_candidates(const struct dialect_stream *stream, struct buffer *out)
{
    static const char *const words[] = {
        [DIALECT_STOP] = "STOP",
        [DIALECT_LENGTH] = "MAX_TOKENS",
        [DIALECT_TOOLS] = "STOP",
        [DIALECT_FILTERED] = "SAFETY",
    };
    int rc = 0;
    for (int64_t i = 0; i < max_i64(stream->blocks, 1) && !rc; i++)
        rc = buffer_format(out,
                           "%s{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
                           "\"finishReason\":\"%s\",\"index\":%lld}",
                           i ? "," : "", words[stream->finish], (long long)i);
    return rc;
}

static int write_end(struct dialect_stream *stream, const struct pricing_usage *usage,
                     struct slice cost, bool wants_usage, struct buffer *out)
{
    (void)wants_usage; /* every client gets it */
    int rc = begin_event(stream, stream->parts[GEMINI_PASSED] != 0, out);
    if (!rc)
        rc = buffer_text(out, "{\"candidates\":[");
    if (!rc)
        rc = write_candidates(stream, out);
    if (!rc)
        rc = buffer_text(out, "]");
    if (!rc)
        rc = write_usage(usage, cost, out);
    if (!rc)
        rc = buffer_text(out, ",\"modelVersion\":");
    if (!rc)
        rc = json_quote(out, slice_of(stream->model));
    if (!rc)
        rc = buffer_text(out, ",\"responseId\":");
    if (!rc)
        rc = json_quote(out, slice_of(stream->id));
    if (!rc)
        rc = buffer_text(out, "}");
    return rc ? rc : end_stream(stream, out);
}

const struct dialect *dialect_gemini(void)
{
    static const char *const passed[] = {NULL};
    static const struct dialect gemini = {
        .name = "gemini",
        .operation = "generate_content",
        .endpoint = "chat",
        .methods = "POST",
        .framing = FRAMES_SSE,
        .comments = false,
        .reads_whole = true,
        .match = match,
        .read_request = gemini_read_request,
        .count_input = gemini_count_input,
        .write_path = write_path,
        .read_answer = gemini_read_answer,
        .read_event = gemini_read_event,
        .write_cost = chat_write_cost,
        .write_error = write_error,
        .write_break = write_break,
        .write_end = write_end,
        .neutral = &gemini_neutral,
        .passed = passed,
    };
    return &gemini;
}
