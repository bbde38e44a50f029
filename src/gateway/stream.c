/* SPDX-License-Identifier: Apache-2.0
 * An event's way through the filter:
 *
 *   comment ........................ held if anything is held, else out
 *   chunk .......................... what was held goes out as it is; then
 *     only usage, not asked for .... dropped
 *     usage, asked for ............. held: if it is the last one it gets the cost
 *     else ......................... out
 *   final .......................... held; what follows it is ignored
 *
 * A provider that reports usage in every chunk is thereby delayed by one chunk for clients who
 * asked for usage, and by none for others.
 *
 * Considered and not done: the cost as an event of its own (clients parse every data: line as a
 * chunk), and an answer built anew from parsed chunks (it would lose fields nobody here knows). */
#include "gateway/stream.h"

#include "base/assert.h"

void stream_init(struct stream *stream, const struct dialect *dialect, bool wants_usage,
                 size_t event_max)
{
    *stream = (struct stream){.dialect = dialect, .wants_usage = wants_usage};
    sse_init(&stream->sse, event_max);
    buffer_init(&stream->out, 3 * event_max + 2 * STREAM_PIECE_MAX);
    buffer_init(&stream->held, 2 * event_max + STREAM_PIECE_MAX);
}

void stream_done(struct stream *stream)
{
    sse_done(&stream->sse);
    buffer_done(&stream->out);
    buffer_done(&stream->held);
}

void stream_check(const struct stream *stream)
{
    ASSERT(stream->usage_len <= stream->held.len);
    ASSERT(stream->usage_at + stream->usage_object_len <= stream->usage_len);
    ASSERT(stream->final_at <= stream->held.len);
    ASSERT(stream->output_bytes >= 0);
}

/* Another chunk came: what was held is an event like any other. */
static int let_go(struct stream *stream)
{
    int rc = buffer_append(&stream->out, buffer_slice(&stream->held));
    if (rc)
        return rc;
    buffer_clear(&stream->held);
    stream->usage_len = stream->usage_at = stream->usage_object_len = 0;
    return 0;
}

static int hold_usage(struct stream *stream, struct slice raw, struct json usage)
{
    ASSERT(!stream->held.len);
    int rc = buffer_append(&stream->held, raw);
    if (rc)
        return rc;
    /* An event of several data: lines was joined elsewhere; it has no place for a cost. */
    if (usage.raw.data < raw.data || usage.raw.data >= raw.data + raw.len)
        return 0;
    stream->usage_len = raw.len;
    stream->usage_at = (size_t)(usage.raw.data - raw.data);
    stream->usage_object_len = usage.raw.len;
    return 0;
}

static void meter(struct stream *stream, const struct dialect_event *seen)
{
    if (__builtin_add_overflow(stream->output_bytes, seen->output_bytes, &stream->output_bytes))
        stream->output_bytes = METE_AMOUNT_MAX;
    stream->failed = stream->failed || seen->failed;
    if (seen->has_usage) {
        stream->has_usage = stream->usage_is_last = true;
        stream->usage_finishes = seen->finishes;
        stream->usage = seen->usage;
    } else if (seen->output_bytes) {
        stream->usage_is_last = false;
    }
}

static int pass_chunk(struct stream *stream, struct slice raw, const struct dialect_event *seen)
{
    int rc = stream->held.len ? let_go(stream) : 0;
    if (rc)
        return rc;
    if (seen->only_usage && !stream->wants_usage)
        return 0;
    if (seen->has_usage && stream->wants_usage)
        return hold_usage(stream, raw, seen->usage_object);
    return buffer_append(&stream->out, raw);
}

static int pass_comment(struct stream *stream, struct slice raw)
{
    if (!stream->held.len)
        return buffer_append(&stream->out, raw);
    int rc = buffer_append(&stream->held, raw);
    if (rc != METE_E_TOO_LARGE)
        return rc;
    rc = let_go(stream);
    return rc ? rc : buffer_append(&stream->out, raw);
}

static int on_event(void *user, const struct sse_event *event)
{
    struct stream *stream = user;
    struct dialect_event seen;
    if (stream->final_seen)
        return 0;
    stream->dialect->read_event(event, &seen);
    meter(stream, &seen);
    switch (seen.kind) {
    case DIALECT_COMMENT:
        return pass_comment(stream, event->raw);
    case DIALECT_FINAL:
        stream->final_at = stream->held.len;
        stream->final_seen = true;
        return buffer_append(&stream->held, event->raw);
    case DIALECT_CHUNK:
    case DIALECT_FOREIGN:
        break;
    }
    return pass_chunk(stream, event->raw, &seen);
}

int stream_feed(struct stream *stream, struct slice bytes)
{
    ASSERT(bytes.len <= STREAM_PIECE_MAX);
    int rc = stream->final_seen ? 0 : sse_feed(&stream->sse, bytes, on_event, stream);
    stream_check(stream);
    return rc;
}

int stream_end(struct stream *stream)
{
    if (stream->final_seen || !sse_rest(&stream->sse).len)
        return 0;
    return stream_feed(stream, SLICE_LITERAL("\n\n"));
}

static int with_cost(struct stream *stream, struct slice cost)
{
    struct slice event = slice_part(buffer_slice(&stream->held), 0, stream->usage_len);
    struct json usage = {JSON_OBJECT,
                         slice_part(event, stream->usage_at, stream->usage_object_len)};
    int rc = stream->dialect->write_cost(event, usage, cost, &stream->out);
    return rc ? rc
              : buffer_append(&stream->out,
                              slice_from(buffer_slice(&stream->held), stream->usage_len));
}

static int with_comment(struct stream *stream, struct slice cost)
{
    struct slice held = buffer_slice(&stream->held);
    size_t at = stream->final_seen ? stream->final_at : held.len;
    int rc = buffer_append(&stream->out, slice_part(held, 0, at));
    if (!rc && cost.len)
        rc = buffer_text(&stream->out, ": mete-cost ");
    if (!rc && cost.len)
        rc = buffer_append(&stream->out, cost);
    if (!rc && cost.len)
        rc = buffer_text(&stream->out, "\n\n");
    return rc ? rc : buffer_append(&stream->out, slice_from(held, at));
}

int stream_finish(struct stream *stream, struct slice cost)
{
    int rc = stream->usage_len && cost.len ? with_cost(stream, cost) : with_comment(stream, cost);
    if (rc)
        return rc;
    buffer_clear(&stream->held);
    stream->usage_len = stream->usage_at = stream->usage_object_len = stream->final_at = 0;
    stream_check(stream);
    return 0;
}

int stream_break(struct stream *stream, const struct dialect_error *error)
{
    int rc = buffer_text(&stream->out, "data: ");
    if (!rc)
        rc = stream->dialect->write_error(&stream->out, error);
    return rc ? rc : buffer_text(&stream->out, "\n\n");
}

int64_t stream_output_bytes(const struct stream *stream)
{
    int64_t half = stream->final_seen ? 0 : (int64_t)sse_rest(&stream->sse).len;
    return min_i64(stream->output_bytes, METE_AMOUNT_MAX - half) + half;
}
