/* SPDX-License-Identifier: Apache-2.0
 * Converse's answers read as deltas, whole or the messages of a stream.
 *
 *   text SAY     reasoningContent THINK     toolUse OPEN; its input ARGUE, whole or in pieces
 *
 * An answer has neither id nor model. Reasoning that the provider keeps to itself (redacted) has
 * no word elsewhere: left out.
 *
 * STATE   parts[CALLS] calls opened */
#include "dialect/converse.h"

enum { CALLS = 0 };

static int tell(struct neutral_sink *sink, const struct neutral_delta *delta)
{
    return sink->fn(sink->user, delta);
}

static struct slice string_of(struct json value)
{
    return value.type == JSON_STRING && value.raw.len > 2 ? value.raw : (struct slice){0};
}

static int tell_text(enum neutral_what what, struct json text, struct json signature,
                     struct neutral_sink *sink)
{
    const struct neutral_delta delta = {
        .what = what, .text = string_of(text), .signature = string_of(signature)};
    return delta.text.len || delta.signature.len ? tell(sink, &delta) : 0;
}

static int tell_open(struct dialect_stream *stream, struct json call, struct neutral_sink *sink)
{
    const struct neutral_delta delta = {.what = NEUTRAL_OPEN,
                                        .id = string_of(json_member(call, "toolUseId")),
                                        .name = string_of(json_member(call, "name"))};
    stream->parts[CALLS]++;
    return delta.id.len && delta.name.len ? tell(sink, &delta) : METE_E_SYNTAX;
}

static int tell_input(struct json input, struct neutral_sink *sink)
{
    const struct neutral_delta delta = {.what = NEUTRAL_ARGUE,
                                        .input = {input.raw, input.type == JSON_STRING}};
    bool any = input.type == JSON_OBJECT || string_of(input).len;
    return any ? tell(sink, &delta) : 0;
}

static int tell_finish(const struct dialect_stream *stream, struct json reason,
                       struct neutral_sink *sink)
{
    struct neutral_delta delta = {.what = NEUTRAL_FINISH, .finish = DIALECT_STOP};
    if (json_string_is(reason, "max_tokens") ||
        json_string_is(reason, "model_context_window_exceeded"))
        delta.finish = DIALECT_LENGTH;
    else if (json_string_is(reason, "guardrail_intervened") ||
             json_string_is(reason, "content_filtered"))
        delta.finish = DIALECT_FILTERED;
    else if (json_string_is(reason, "tool_use") || stream->parts[CALLS])
        delta.finish = DIALECT_TOOLS;
    return tell(sink, &delta);
}

static int tell_begin(struct dialect_stream *stream, struct neutral_sink *sink)
{
    const struct neutral_delta delta = {.what = NEUTRAL_BEGIN};
    if (stream->begun)
        return 0;
    stream->begun = true;
    return tell(sink, &delta);
}

/* A block of a whole answer. */
static int tell_block(struct dialect_stream *stream, struct json block, struct neutral_sink *sink)
{
    struct json call = json_member(block, "toolUse");
    struct json reasoning = json_member(json_member(block, "reasoningContent"), "reasoningText");
    int rc = tell_text(NEUTRAL_THINK, json_member(reasoning, "text"),
                       json_member(reasoning, "signature"), sink);
    if (!rc)
        rc = tell_text(NEUTRAL_SAY, json_member(block, "text"), (struct json){0}, sink);
    if (rc || call.type != JSON_OBJECT)
        return rc;
    rc = tell_open(stream, call, sink);
    return rc ? rc : tell_input(json_member(call, "input"), sink);
}

int converse_read_whole(struct slice body, struct neutral_sink *sink)
{
    struct dialect_stream stream = {0};
    struct json whole, block;
    if (json_scan(body, &whole, NULL))
        return METE_E_SYNTAX;
    struct json blocks =
        json_member(json_member(json_member(whole, "output"), "message"), "content");
    if (blocks.type != JSON_ARRAY)
        return METE_E_SYNTAX;
    int rc = tell_begin(&stream, sink);
    for (size_t at = 0; !rc && json_next(blocks, &at, NULL, &block);)
        rc = tell_block(&stream, block, sink);
    return rc ? rc : tell_finish(&stream, json_member(whole, "stopReason"), sink);
}

static int tell_delta(struct json delta, struct neutral_sink *sink)
{
    struct json reasoning = json_member(delta, "reasoningContent");
    int rc = tell_text(NEUTRAL_THINK, json_member(reasoning, "text"),
                       json_member(reasoning, "signature"), sink);
    if (!rc)
        rc = tell_text(NEUTRAL_SAY, json_member(delta, "text"), (struct json){0}, sink);
    return rc ? rc : tell_input(json_member(json_member(delta, "toolUse"), "input"), sink);
}

int converse_read_delta(struct dialect_stream *stream, const struct frame *event,
                        struct neutral_sink *sink)
{
    struct json object;
    if (!event->has_data || event->failed)
        return 0;
    if (json_scan(event->data, &object, NULL) || object.type != JSON_OBJECT)
        return METE_E_SYNTAX;
    int rc = tell_begin(stream, sink);
    if (rc)
        return rc;
    struct json call = json_member(json_member(object, "start"), "toolUse");
    if (slice_is(event->name, "contentBlockStart") && call.type == JSON_OBJECT)
        return tell_open(stream, call, sink);
    if (slice_is(event->name, "contentBlockDelta"))
        return tell_delta(json_member(object, "delta"), sink);
    return slice_is(event->name, "messageStop")
               ? tell_finish(stream, json_member(object, "stopReason"), sink)
               : 0;
}
