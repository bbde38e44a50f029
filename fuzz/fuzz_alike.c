/* SPDX-License-Identifier: Apache-2.0
 * Streams whose events are alike, with and without the short way for those: what the client gets,
 * and all that is known of the stream, must be the same. Their tokens are counted; of some streams
 * only a few are granted, then some more, or none. The first line is the format's name, then
 * come events up to a byte 0xff; the last of them is sent again once for each edit behind it:
 *   where (2 bytes, big-endian), how many bytes go, how many come, the bytes */
#include "base/assert.h"
#include "gateway/stream.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_MAX = 2048, TEXT_MAX = 1 << 15, OUT_MAX = 1 << 20 };

static const struct dialect *format_of(struct slice name)
{
    const struct dialect *format;
    for (size_t i = 0; (format = dialect_at(i)); i++)
        if (slice_is(name, format->name))
            return format;
    return NULL;
}

/* Behind the blank line before the last event of text. */
static struct slice last_event(struct slice text)
{
    size_t at = text.len >= 2 ? text.len - 2 : 0;
    while (at > 2 && memcmp(text.data + at - 2, "\n\n", 2) != 0)
        at--;
    return slice_from(text, at > 2 ? at : 0);
}

static uint8_t take_byte(struct slice *from)
{
    if (!from->len)
        return 0;
    uint8_t byte = (uint8_t)from->data[0];
    *from = slice_from(*from, 1);
    return byte;
}

static void add_edited(struct buffer *text, struct slice event, struct slice *edits)
{
    size_t at = take_byte(edits);
    at = (at << 8 | take_byte(edits)) % (event.len + 1);
    size_t go = take_byte(edits), come = take_byte(edits);
    go = go < event.len - at ? go : event.len - at;
    come = come < edits->len ? come : edits->len;
    if (buffer_append(text, slice_part(event, 0, at)) ||
        buffer_append(text, slice_part(*edits, 0, come)) ||
        buffer_append(text, slice_from(event, at + go)))
        *edits = (struct slice){0};
    else
        *edits = slice_from(*edits, come);
}

static struct tokenizer *tokenizer(void)
{
    static struct tokenizer *opened;
    if (!opened)
        ASSERT(!tokenizer_open(encoding_find(SLICE_LITERAL("o200k_base")), &opened));
    return opened;
}

struct run {
    struct stream stream;
    struct buffer out;
    int rc;
};

static void play(struct run *run, const struct dialect *format, struct slice text, bool short_way)
{
    const struct stream_formats formats = {format, format, FRAMES_SSE, text.len & 1};
    ASSERT(!stream_init(&run->stream, &formats, EVENT_MAX));
    buffer_init(&run->out, OUT_MAX);
    if (!short_way)
        run->stream.frames.sse.known = NULL;
    stream_count_with(&run->stream, tokenizer());
    if (text.len & 2)
        ASSERT(!stream_grant(&run->stream, (int64_t)text.len / 64));
    run->rc = stream_feed(&run->stream, text);
    for (int more = text.len & 4 ? 3 : 0; !run->rc && run->stream.full; more--)
        run->rc = more > 0 ? stream_grant(&run->stream, run->stream.granted + 9)
                           : stream_fill(&run->stream);
    if (!run->rc && !run->stream.cut)
        run->rc = stream_end(&run->stream);
    if (!run->rc)
        run->rc = stream_finish(&run->stream, &run->stream.usage, SLICE_LITERAL("0.25"));
    ASSERT(!buffer_append(&run->out, buffer_slice(&run->stream.out)));
}

static void done(struct run *run)
{
    stream_done(&run->stream);
    buffer_done(&run->out);
}

static void compare(const struct stream *a, const struct stream *b)
{
    ASSERT(stream_tokens(a) == stream_tokens(b) && a->cut == b->cut);
    ASSERT(stream_tokens(a) <= a->granted);
    ASSERT(a->output_bytes == b->output_bytes && a->output_events == b->output_events);
    ASSERT(a->has_usage == b->has_usage && a->usage_is_last == b->usage_is_last);
    ASSERT(a->usage_finishes == b->usage_finishes && a->ended == b->ended);
    ASSERT(a->failed == b->failed && a->final_seen == b->final_seen);
    ASSERT(!memcmp(&a->usage, &b->usage, offsetof(struct pricing_usage, service)));
    ASSERT(a->usage.service == b->usage.service);
    ASSERT(slice_equal(buffer_slice(&a->said), buffer_slice(&b->said)));
    const struct dialect_stream *x = &a->seen, *y = &b->seen;
    ASSERT(x->begun == y->begun && x->ended == y->ended && !strcmp(x->id, y->id));
    ASSERT(!strcmp(x->model, y->model) && x->created == y->created);
    ASSERT(x->sequence == y->sequence && x->blocks == y->blocks && x->open == y->open);
    ASSERT(x->finish == y->finish && x->service == y->service && x->told == y->told);
    ASSERT(x->said_open == y->said_open && x->said_parts == y->said_parts);
    ASSERT(x->said_text == y->said_text && !memcmp(x->parts, y->parts, sizeof x->parts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size}, edits = {0};
    const char *line = size ? memchr(text.data, '\n', text.len) : NULL;
    const char *mark = size ? memchr(text.data, 0xff, text.len) : NULL;
    if (!line || !mark || mark < line || text.len > TEXT_MAX / 2)
        return 0;
    const struct dialect *format = format_of(slice_part(text, 0, (size_t)(line - text.data)));
    edits = slice_from(text, (size_t)(mark - text.data) + 1);
    text = (struct slice){line + 1, (size_t)(mark - line - 1)};
    struct buffer all;
    buffer_init(&all, TEXT_MAX);
    if (!format || buffer_append(&all, text)) {
        buffer_done(&all);
        return 0;
    }
    struct slice event = last_event(text);
    while (edits.len)
        add_edited(&all, event, &edits);
    struct run quick, slow;
    play(&quick, format, buffer_slice(&all), true);
    play(&slow, format, buffer_slice(&all), false);
    ASSERT(quick.rc == slow.rc);
    ASSERT(slice_equal(buffer_slice(&quick.out), buffer_slice(&slow.out)));
    compare(&quick.stream, &slow.stream);
    done(&quick);
    done(&slow);
    buffer_done(&all);
    return 0;
}
