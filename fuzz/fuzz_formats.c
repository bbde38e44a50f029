/* SPDX-License-Identifier: Apache-2.0
 * Bytes from clients and providers through every format that there is. The first line is the
 * format's name; the byte behind it says as what:
 *   'r' a request body: what is read must survive being written and read again, with a bound and
 *       another model put in, and be valid JSON; its input is counted
 *   'a' a whole answer: usage, if believed, is in its ranges; as deltas it is put together again
 *       and written as chat
 *   'e' an error body
 *   'q' a chat request: what is written of it in the format is JSON
 *   other: a stream, in pieces of that many bytes, to its end, cut, broken off, and translated to
 *       chat: what a client gets of one that ends must not depend on the pieces; of a format of
 *       events it is one array if it begins like one */
#include "base/assert.h"
#include "dialect/chat.h"
#include "gateway/stream.h"
#include "prompts/prompt.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_MAX = 2048, OUT_MAX = 1 << 22 };

static const struct dialect_error gone = {502, "server_error", "lost", NULL, "Gone.", {0}};

static void check_usage(const struct pricing_usage *u)
{
    ASSERT(u->cached_input >= 0 && u->cache_write >= 0 && u->searches >= 0);
    ASSERT(u->audio_input >= 0 && u->image_input >= 0);
    ASSERT(u->cached_input + u->cache_write + u->audio_input + u->image_input <= u->input);
    ASSERT(u->cache_write_1h >= 0 && u->cache_write_1h <= u->cache_write);
    ASSERT(u->reasoning >= 0 && u->audio_output >= 0 && u->image_output >= 0);
    ASSERT(u->reasoning + u->audio_output + u->image_output <= u->output);
}

/* What its input comes to, by a rule of each kind. */
static void count(const struct dialect *format, struct slice body)
{
    static const char *const models[] = {"gpt-4o", "claude-opus-4-8"};
    static struct tokenizer *tokenizer; /* both are counted with one encoding */
    const struct encoding *encoding;
    for (size_t i = 0; format->count_input && i < 2; i++) {
        const struct prompt_rule *rule = prompt_rule_find(slice_of(models[i]), &encoding);
        struct prompt prompt;
        struct prompt_figures figures;
        ASSERT(tokenizer || !tokenizer_open(encoding, &tokenizer));
        prompt_begin(&prompt, rule, tokenizer);
        ASSERT(!format->count_input(body, &prompt));
        ASSERT(!prompt_end(&prompt, &figures));
        ASSERT(figures.expected >= 0 && figures.bound >= figures.expected);
    }
}

static void request(const struct dialect *format, struct slice body)
{
    const struct dialect_target target = {.model = SLICE_LITERAL("m")};
    struct dialect_request first, second;
    struct dialect_error error;
    struct json value;
    if (format->read_request(&target, body, &first, &error)) {
        ASSERT(error.status >= 400 && error.message);
        return;
    }
    ASSERT(first.input_bound >= 0 && first.choices >= 1 && first.asked >= 0);
    count(format, body);
    struct buffer out;
    buffer_init(&out, 2 * body.len + 512);
    const struct dialect_changes changes = {.granted = 1, .model = SLICE_LITERAL("other")};
    struct dialect_body changed;
    dialect_change(&first, body, &changes, &changed);
    for (size_t i = 0; i < changed.pieces_len; i++)
        ASSERT(!buffer_append(&out, changed.pieces[i]));
    ASSERT((size_t)changed.len == out.len);
    ASSERT(!json_scan(buffer_slice(&out), &value, NULL));
    ASSERT(!format->read_request(&target, buffer_slice(&out), &second, &error));
    ASSERT(!first.output_bound.at.data || second.asked == 1);
    ASSERT(second.stream == first.stream && second.choices == first.choices);
    ASSERT(!first.model_name.at.data || !strcmp(second.model, "other"));
    buffer_done(&out);
}

static int collect(void *user, const struct neutral_delta *delta)
{
    return neutral_answer_add(user, delta);
}

static void answer(const struct dialect *format, struct slice body)
{
    struct dialect_answer read;
    struct neutral_answer whole;
    struct neutral_sink sink = {collect, &whole};
    format->read_answer(body, &read);
    if (read.has_usage)
        check_usage(&read.usage);
    if (!format->neutral || !format->neutral->read_answer)
        return;
    struct buffer out;
    struct json value;
    neutral_answer_init(&whole, OUT_MAX);
    buffer_init(&out, OUT_MAX);
    if (!format->neutral->read_answer(body, &sink) &&
        !dialect_chat()->neutral->write_answer(&whole, &read.usage, &out))
        ASSERT(!json_scan(buffer_slice(&out), &value, NULL));
    buffer_done(&out);
    neutral_answer_done(&whole);
}

static void error(const struct dialect *format, struct slice body)
{
    char room[64];
    struct dialect_error read = {.status = 400};
    if (!format->neutral || !format->neutral->read_error ||
        !format->neutral->read_error(body, room, sizeof room, &read))
        return;
    ASSERT(read.status == 400 && read.message && strlen(read.message) < sizeof room);
}

static void question(const struct dialect *format, struct slice body)
{
    struct neutral_request request;
    struct dialect_error error;
    struct buffer out;
    struct json value;
    if (!format->neutral || !format->neutral->write_request)
        return;
    neutral_request_init(&request);
    buffer_init(&out, OUT_MAX);
    if (!dialect_chat()->neutral->read_request(NULL, body, &request, &error) &&
        !format->neutral->write_request(&request, &out, &error))
        ASSERT(!json_scan(buffer_slice(&out), &value, NULL));
    buffer_done(&out);
    neutral_request_done(&request);
}

enum how { ENDS, IS_CUT, BREAKS };

static int end(struct stream *stream, enum how how)
{
    const struct pricing_usage used = {.input = 3, .output = 2};
    if (how == IS_CUT && !stream->final_seen && !stream->cut)
        stream_cut(stream);
    return how == BREAKS ? stream_break(stream, &gone, SLICE_LITERAL("0.25"))
                         : stream_finish(stream, &used, SLICE_LITERAL("0.25"));
}

static struct tokenizer *tokenizer(void)
{
    static struct tokenizer *opened;
    if (!opened)
        ASSERT(!tokenizer_open(encoding_find(SLICE_LITERAL("o200k_base")), &opened));
    return opened;
}

/* False: the stream broke off by itself. */
static bool run(const struct stream_formats *formats, struct slice text, size_t step, enum how how,
                struct buffer *ret_out)
{
    struct stream stream;
    int rc = 0;
    ASSERT(!stream_init(&stream, formats, EVENT_MAX));
    stream_count_with(&stream, tokenizer());
    if (how == IS_CUT)
        ASSERT(!stream_grant(&stream, (int64_t)text.len / 64));
    for (size_t at = 0; at < text.len && !rc && !stream.cut; at += step) {
        size_t len = step < text.len - at ? step : text.len - at;
        rc = stream_feed(&stream, slice_part(text, at, len));
        if (!rc && stream.full)
            rc = stream_fill(&stream);
        ASSERT(stream_tokens(&stream) <= stream.granted);
        ASSERT(!buffer_append(ret_out, buffer_slice(&stream.out)));
        buffer_clear(&stream.out);
        stream_check(&stream);
    }
    if (!rc && how == ENDS)
        rc = stream_end(&stream);
    if (stream.has_usage)
        check_usage(&stream.usage);
    if (!rc) {
        ASSERT(stream_output_bytes(&stream) >= 0);
        ASSERT(!end(&stream, how));
        ASSERT(!buffer_append(ret_out, buffer_slice(&stream.out)));
    }
    stream_done(&stream);
    return !rc;
}

static void without_line_ends(struct buffer *b)
{
    size_t len = 0;
    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] != '\r' && b->data[i] != '\n')
            b->data[len++] = b->data[i];
    b->len = len;
}

static void stream(const struct dialect *format, struct slice text, size_t step)
{
    struct stream_formats formats = {format, format, format->framing, false};
    struct buffer whole, pieces;
    if (format->framing == FRAMES_SSE && text.len && text.data[0] == '[')
        formats.framing = FRAMES_ARRAY;
    buffer_init(&whole, OUT_MAX);
    buffer_init(&pieces, OUT_MAX);
    if (text.len < STREAM_PIECE_MAX && run(&formats, text, STREAM_PIECE_MAX, ENDS, &whole)) {
        ASSERT(run(&formats, text, step, ENDS, &pieces));
        without_line_ends(&whole);
        without_line_ends(&pieces);
        ASSERT(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
    }
    (void)run(&formats, text, step, IS_CUT, &pieces);
    (void)run(&formats, text, step, BREAKS, &pieces);
    formats.client = dialect_chat();
    if (format->neutral && format->neutral->read_event) {
        (void)run(&formats, text, step, ENDS, &pieces);
        (void)run(&formats, text, step, BREAKS, &pieces);
    }
    buffer_done(&whole);
    buffer_done(&pieces);
}

/* The format that the first line names; *text: what is behind it. */
static const struct dialect *format_of(struct slice *text)
{
    const struct dialect *format;
    const char *end = memchr(text->data, '\n', text->len);
    if (!end)
        return NULL;
    struct slice name = slice_part(*text, 0, (size_t)(end - text->data));
    *text = slice_from(*text, name.len + 1);
    for (size_t i = 0; (format = dialect_at(i)); i++)
        if (slice_is(name, format->name))
            return format;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    const struct dialect *format = size ? format_of(&text) : NULL;
    if (!format || !text.len)
        return 0;
    uint8_t what = (uint8_t)text.data[0];
    text = slice_from(text, 1);
    if (what == 'r')
        request(format, text);
    else if (what == 'a')
        answer(format, text);
    else if (what == 'e')
        error(format, text);
    else if (what == 'q')
        question(format, text);
    else
        stream(format, text, what ? what : 1);
    return 0;
}
