/* SPDX-License-Identifier: Apache-2.0
 * Gemini's answers read as deltas, whole or a chunk of a stream: both are the same object.
 *
 *   text SAY     text with "thought": true THINK     functionCall OPEN, ARGUE with all of it
 *
 * Only the first candidate is read. Gemini's calls have no id, or one that other formats need not
 * take: a call is called call_RESPONSE_N, after the response and its place in it. Its signature
 * goes on with it. Pictures and code that the provider made have no word elsewhere: left out.
 *
 * STATE   parts[CALLS] calls opened */
#include "dialect/gemini.h"

#include <stdio.h>

enum { CALLS = 0 };

static int tell(struct neutral_sink *sink, const struct neutral_delta *delta)
{
    return sink->fn(sink->user, delta);
}

/* The letters and digits of what the response is called. */
static void make_id(const struct dialect_stream *stream, char room[64])
{
    char name[33];
    size_t len = 0;
    for (const char *c = stream->id; *c && len < sizeof name - 1; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9'))
            name[len++] = *c;
    name[len] = 0;
    snprintf(room, 64, "\"call_%s_%lld\"", name, (long long)stream->parts[CALLS]);
}

static int tell_call(struct dialect_stream *stream, struct json call, struct json signature,
                     struct neutral_sink *sink)
{
    char id[64];
    struct json name = json_member(call, "name"), input = json_member(call, "args");
    make_id(stream, id);
    const struct neutral_delta open = {
        .what = NEUTRAL_OPEN,
        .id = slice_of(id),
        .name = name.raw,
        .signature = signature.type == JSON_STRING ? signature.raw : (struct slice){0}};
    if (name.type != JSON_STRING)
        return METE_E_SYNTAX;
    stream->parts[CALLS]++;
    int rc = tell(sink, &open);
    const struct neutral_delta argue = {
        .what = NEUTRAL_ARGUE,
        .input = {input.type == JSON_OBJECT ? input.raw : SLICE_LITERAL("{}"), false}};
    return rc ? rc : tell(sink, &argue);
}

static int tell_part(struct dialect_stream *stream, struct json part, struct neutral_sink *sink)
{
    struct json text = json_member(part, "text");
    struct json call = gemini_member(part, "functionCall", "function_call");
    struct json signature = gemini_member(part, "thoughtSignature", "thought_signature");
    bool thought = json_member(part, "thought").type == JSON_TRUE;
    if (call.type == JSON_OBJECT)
        return tell_call(stream, call, signature, sink);
    const struct neutral_delta delta = {.what = thought ? NEUTRAL_THINK : NEUTRAL_SAY,
                                        .text = text.raw};
    return text.type == JSON_STRING && text.raw.len > 2 ? tell(sink, &delta) : 0;
}

static enum dialect_finish finish_of(struct json reason, bool calls)
{
    static const char *const withheld[] = {
        "SAFETY", "RECITATION", "BLOCKLIST",    "PROHIBITED_CONTENT",
        "SPII",   "LANGUAGE",   "IMAGE_SAFETY", "MODEL_ARMOR",
    };
    if (json_string_is(reason, "MAX_TOKENS"))
        return DIALECT_LENGTH;
    for (size_t i = 0; i < sizeof withheld / sizeof withheld[0]; i++)
        if (json_string_is(reason, withheld[i]))
            return DIALECT_FILTERED;
    return calls ? DIALECT_TOOLS : DIALECT_STOP;
}

static int tell_candidate(struct dialect_stream *stream, struct json candidate,
                          struct neutral_sink *sink)
{
    struct json parts = json_member(json_member(candidate, "content"), "parts"), part;
    struct json reason = gemini_member(candidate, "finishReason", "finish_reason");
    int rc = 0;
    for (size_t at = 0; !rc && parts.type == JSON_ARRAY && json_next(parts, &at, NULL, &part);)
        rc = tell_part(stream, part, sink);
    if (rc || reason.type != JSON_STRING || json_string_is(reason, "FINISH_REASON_UNSPECIFIED"))
        return rc;
    const struct neutral_delta delta = {.what = NEUTRAL_FINISH,
                                        .finish = finish_of(reason, stream->parts[CALLS] > 0)};
    return tell(sink, &delta);
}

static int tell_begin(struct dialect_stream *stream, const struct gemini_chunk *chunk,
                      struct neutral_sink *sink)
{
    const struct neutral_delta delta = {
        .what = NEUTRAL_BEGIN, .id = chunk->id, .model = chunk->model};
    stream->begun = true;
    if (chunk->id.len)
        chat_copy((struct json){JSON_STRING, chunk->id}, stream->id);
    return tell(sink, &delta);
}

static int read_object(struct dialect_stream *stream, struct json object, struct neutral_sink *sink)
{
    struct gemini_chunk chunk;
    struct json candidate, candidates = json_member(object, "candidates");
    size_t at = 0;
    int64_t index = 0;
    gemini_read_chunk(object, false, &chunk);
    int rc = stream->begun ? 0 : tell_begin(stream, &chunk, sink);
    while (!rc && candidates.type == JSON_ARRAY && json_next(candidates, &at, NULL, &candidate)) {
        if (json_integer(json_member(candidate, "index"), &index))
            index = 0;
        if (!index)
            rc = tell_candidate(stream, candidate, sink);
    }
    const struct neutral_delta blocked = {.what = NEUTRAL_FINISH, .finish = DIALECT_FILTERED};
    return !rc && chunk.blocked ? tell(sink, &blocked) : rc;
}

int gemini_read_whole(struct slice body, struct neutral_sink *sink)
{
    struct dialect_stream stream = {0};
    struct json whole;
    if (json_scan(body, &whole, NULL) || whole.type != JSON_OBJECT ||
        (json_member(whole, "candidates").type != JSON_ARRAY &&
         gemini_member(whole, "promptFeedback", "prompt_feedback").type != JSON_OBJECT))
        return METE_E_SYNTAX;
    return read_object(&stream, whole, sink);
}

int gemini_read_delta(struct dialect_stream *stream, const struct frame *event,
                      struct neutral_sink *sink)
{
    struct json object;
    if (!event->has_data)
        return 0;
    if (json_scan(event->data, &object, NULL) || object.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    return read_object(stream, object, sink);
}
