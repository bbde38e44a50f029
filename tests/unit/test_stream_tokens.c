/* SPDX-License-Identifier: Apache-2.0
 * Proves that a stream of a model whose encoding is public is counted as its tokenizer counts the
 * whole text, however the text is cut into events; and that it ends at the very token that was
 * granted, for every number of tokens: the text that went on is a beginning of what was said, to a
 * whole token and a whole character, of no more tokens than granted, and its end says "length".
 * With escapes, characters of several bytes and tokens, several answers, tools, in both formats of
 * OpenAI's and translated. Where more is granted in time, nothing is changed. */
#include "dialect/chat.h"
#include "gateway/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "stream_help.h"

#define DONE "data: [DONE]\n\n"
#define TEXT                                                                                       \
    "Hello, world! \"Quoted\" \\ and\ttabs;\n\n  na\xc3\xafve caf\xc3\xa9s, 12345678 of them. "    \
    "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x91\xa9\xe2\x80\x8d"    \
    "\xf0\x9f\x9a\x80\xf0\x9f\x8f\xbd antidisestablishmentarianism don't ==== \xd0\x9f\xd1\x80"    \
    "\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 </end>\n"

static struct tokenizer *tokenizer;
static const struct pricing_usage nothing;

static struct tokenizer *open_tokenizer(const char *name)
{
    struct tokenizer *opened = NULL;
    assert_int_equal(tokenizer_open(encoding_find(slice_of(name)), &opened), 0);
    return opened;
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void add_string(struct buffer *out, struct slice text)
{
    assert_int_equal(json_quote(out, text), 0);
}

/* The end of the character that at or something behind it is in. */
static size_t character_end(struct slice text, size_t at)
{
    while (at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80)
        at++;
    return at < text.len ? at : text.len;
}

/* text in events of step bytes or a little more, before and behind each piece what is given. */
static void add_events(struct buffer *out, struct slice text, size_t step, const char *before,
                       const char *after)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = character_end(text, at + step);
        help_add(out, before);
        add_string(out, slice_part(text, at, end - at));
        help_add(out, after);
        at = end;
    }
}

#define CONTENT "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":"
#define CONTENT_END "},\"finish_reason\":null}]}\n\n"

struct told {
    struct buffer raw;     /* all that the client got */
    struct buffer text[4]; /* by choice */
    struct buffer arguments;
    char finish[4][16];
    bool ended;
};

static void take_text(struct json string, struct buffer *out)
{
    char *room;
    if (string.type != JSON_STRING)
        return;
    assert_int_equal(buffer_reserve(out, string.raw.len, &room), 0);
    long len = json_string_copy(string, room, string.raw.len);
    assert_true(len >= 0);
    buffer_advance(out, (size_t)len);
}

static void take_choice(struct told *told, struct json choice)
{
    int64_t index = 0;
    struct json delta = json_member(choice, "delta"), calls = json_member(delta, "tool_calls");
    struct json call, word = json_member(choice, "finish_reason");
    assert_int_equal(json_integer(json_member(choice, "index"), &index), 0);
    assert_in_range(index, 0, 3);
    assert_true(told->finish[index][0] == 0); /* nothing follows an end */
    take_text(json_member(delta, "content"), &told->text[index]);
    for (size_t at = 0; json_next(calls, &at, NULL, &call);)
        take_text(json_member(json_member(call, "function"), "arguments"), &told->arguments);
    if (word.type == JSON_STRING)
        told->finish[index][json_string_copy(word, told->finish[index], 15)] = 0;
}

static int take_event(void *user, const struct frame *event)
{
    struct told *told = user;
    struct json whole, choice;
    assert_false(told->ended);
    if (!event->has_data)
        return 0;
    told->ended = slice_is(event->data, "[DONE]");
    if (told->ended)
        return 0;
    assert_int_equal(json_scan(event->data, &whole, NULL), 0);
    for (size_t at = 0; json_next(json_member(whole, "choices"), &at, NULL, &choice);)
        take_choice(told, choice);
    return 0;
}

static void told_init(struct told *told)
{
    *told = (struct told){0};
    buffer_init(&told->raw, 1 << 20);
    buffer_init(&told->arguments, 1 << 20);
    for (int i = 0; i < 4; i++)
        buffer_init(&told->text[i], 1 << 20);
}

static void told_done(struct told *told)
{
    buffer_done(&told->raw);
    buffer_done(&told->arguments);
    for (int i = 0; i < 4; i++)
        buffer_done(&told->text[i]);
}

static void pour(struct stream *stream, struct told *told)
{
    assert_int_equal(buffer_append(&told->raw, buffer_slice(&stream->out)), 0);
    buffer_clear(&stream->out);
}

static void begin(struct stream *stream, const struct dialect *client,
                  const struct dialect *provider, int64_t granted)
{
    const struct stream_formats formats = {client, provider, FRAMES_SSE, false};
    assert_int_equal(stream_init(stream, &formats, 65536), 0);
    stream_count_with(stream, tokenizer);
    assert_int_equal(stream_grant(stream, granted), 0);
}

static void feed_in(struct stream *stream, struct told *told, struct slice in, size_t step)
{
    for (size_t at = 0; at < in.len && !stream->cut; at += step) {
        size_t len = step < in.len - at ? step : in.len - at;
        assert_int_equal(stream_feed(stream, slice_part(in, at, len)), 0);
        pour(stream, told);
        if (stream->full)
            assert_int_equal(stream_fill(stream), 0);
        pour(stream, told);
    }
}

static void finish(struct stream *stream, struct told *told)
{
    if (!stream->cut)
        assert_int_equal(stream_end(stream), 0);
    assert_int_equal(stream_finish(stream, &nothing, SLICE_LITERAL("0.5")), 0);
    pour(stream, told);
}

static void read_told(struct told *told)
{
    struct frames frames;
    frames_init(&frames, FRAMES_SSE, 1 << 20);
    assert_int_equal(frames_feed(&frames, buffer_slice(&told->raw), take_event, told), 0);
    assert_int_equal(frames_rest(&frames).len, 0);
    frames_done(&frames);
}

/* A chat stream, granted so much, told to a client of chat's. Returns what was counted. */
static int64_t play(const struct dialect *provider, struct slice in, int64_t granted, size_t step,
                    struct told *told)
{
    struct stream stream;
    told_init(told);
    begin(&stream, dialect_chat(), provider, granted);
    feed_in(&stream, told, in, step);
    finish(&stream, told);
    int64_t counted = stream_tokens(&stream);
    assert_true(counted <= granted);
    stream_done(&stream);
    read_told(told);
    assert_true(told->ended);
    return counted;
}

/* ---- What fits ------------------------------------------------------------------------------- */

/* Bytes of the first `tokens` tokens, but for the last ones if they end within a character. */
static size_t first_tokens(struct slice text, int64_t tokens)
{
    const struct encoding *encoding = tokenizer_encoding(tokenizer);
    struct buffer ids;
    size_t at = 0, whole = 0;
    buffer_init(&ids, 1 << 20);
    assert_int_equal(tokenizer_encode(tokenizer, text, false, &ids), 0);
    for (int64_t i = 0; i < tokens && (size_t)i < ids.len / 4; i++) {
        uint32_t id;
        memcpy(&id, ids.data + i * 4, 4);
        at += vocabulary_len(&encoding->vocabulary, id);
        if (at == text.len || ((unsigned char)text.data[at] & 0xc0) != 0x80)
            whole = at;
    }
    buffer_done(&ids);
    return whole;
}

static void check_beginning(struct slice all, struct slice got, int64_t granted)
{
    assert_true(slice_starts(all, got));
    assert_true(help_tokens(tokenizer, got) <= granted);
    size_t expected = first_tokens(all, granted);
    if (got.len != expected)
        fail_msg("%lld tokens: %zu bytes went on, of %zu", (long long)granted, got.len, expected);
}

static void build(struct buffer *in, size_t step)
{
    buffer_init(in, 1 << 20);
    add_events(in, slice_of(TEXT), step, CONTENT, CONTENT_END);
    help_add(
        in, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" DONE);
}

static void a_stream_is_counted_as_its_whole_text(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof TEXT; step++) {
        struct buffer in;
        struct told told;
        build(&in, step);
        int64_t counted = play(dialect_chat(), buffer_slice(&in), 100000, 64, &told);
        assert_int_equal(counted, help_tokens(tokenizer, slice_of(TEXT)));
        assert_string_equal(told.finish[0], "stop");
        told_done(&told);
        buffer_done(&in);
    }
}

enum { CHARACTER_TOKENS = 4 }; /* of the longest in TEXT */

/* In one event, in some, in many. */
static void a_stream_ends_at_the_very_token(void **state)
{
    (void)state;
    int64_t all = help_tokens(tokenizer, slice_of(TEXT));
    const size_t steps[] = {sizeof TEXT, 40, 7};
    for (size_t i = 0; i < 3; i++) {
        struct buffer in;
        build(&in, steps[i]);
        for (int64_t granted = 0; granted <= all; granted++) {
            struct told told;
            play(dialect_chat(), buffer_slice(&in), granted, in.len, &told);
            struct slice got = buffer_slice(&told.text[0]);
            assert_true(slice_starts(slice_of(TEXT), got));
            assert_true(help_tokens(tokenizer, got) <= granted &&
                        help_tokens(tokenizer, got) > granted - CHARACTER_TOKENS);
            if (i == 0)
                check_beginning(slice_of(TEXT), got, granted);
            assert_string_equal(told.finish[0], granted < all ? "length" : "stop");
            told_done(&told);
        }
        buffer_done(&in);
    }
}

/* Of a word that is long already it is not known where its tokens end: it is cut between events. */
static void long_words_are_cut_between_events(void **state)
{
    (void)state;
    enum { STEP = 12, CHARACTERS = 120 };
    static const char *const parts[] = {"\xe4\xbd\xa0", "ab", "=", " "};
    for (size_t i = 0; i < 4; i++) {
        struct buffer text, in;
        buffer_init(&text, 1 << 16);
        buffer_init(&in, 1 << 20);
        for (int j = 0; j < CHARACTERS * 3; j++)
            help_add(&text, parts[i]);
        add_events(&in, buffer_slice(&text), STEP, CONTENT, CONTENT_END);
        help_add(&in, DONE);
        int64_t all = help_tokens(tokenizer, buffer_slice(&text));
        for (int64_t granted = 0; granted <= all; granted++) {
            struct told told;
            play(dialect_chat(), buffer_slice(&in), granted, in.len, &told);
            struct slice got = buffer_slice(&told.text[0]);
            assert_true(slice_starts(buffer_slice(&text), got));
            assert_true(help_tokens(tokenizer, got) <= granted &&
                        help_tokens(tokenizer, got) > granted - STEP);
            assert_string_equal(told.finish[0], granted < all ? "length" : "");
            told_done(&told);
        }
        buffer_done(&text);
        buffer_done(&in);
    }
}

/* As providers send: a token an event. Each grant lets exactly as many events go on. */
static void of_events_of_one_token_as_many_go_on_as_are_granted(void **state)
{
    (void)state;
    static const char *const words[] = {" one", " two", " three", "\\n", "4", " five", "!", " six"};
    for (int64_t granted = 0; granted < 8; granted++) {
        struct buffer in;
        struct told told;
        size_t expected = 0;
        buffer_init(&in, 1 << 20);
        for (int i = 0; i < 8; i++) {
            help_add(&in, CONTENT "\"");
            help_add(&in, words[i]);
            help_add(&in, "\"" CONTENT_END);
            if (i < granted)
                expected = in.len;
        }
        play(dialect_chat(), buffer_slice(&in), granted, 1, &told);
        assert_true(told.raw.len > expected);
        assert_memory_equal(told.raw.data, in.data ? in.data : "", expected);
        assert_string_equal(told.finish[0], "length");
        assert_int_equal(help_tokens(tokenizer, buffer_slice(&told.text[0])), granted);
        told_done(&told);
        buffer_done(&in);
    }
}

static void what_is_granted_in_time_changes_nothing(void **state)
{
    (void)state;
    const size_t steps[] = {1, 9, 400};
    for (size_t i = 0; i < 3; i++) {
        struct buffer in;
        struct told told;
        struct stream stream;
        build(&in, steps[i]);
        told_init(&told);
        begin(&stream, dialect_chat(), dialect_chat(), 1);
        for (size_t at = 0, len; at < in.len; at += len) {
            len = in.len - at < 50 ? in.len - at : 50;
            assert_int_equal(stream_feed(&stream, slice_part(buffer_slice(&in), at, len)), 0);
            while (stream.full)
                assert_int_equal(stream_grant(&stream, stream.granted + 1), 0);
            pour(&stream, &told);
        }
        finish(&stream, &told);
        assert_int_equal(stream_tokens(&stream), help_tokens(tokenizer, slice_of(TEXT)));
        struct slice raw = buffer_slice(&told.raw), cost = SLICE_LITERAL(": mete-cost 0.5\n\n");
        size_t body = in.len - strlen(DONE);
        assert_int_equal(raw.len, in.len + cost.len);
        assert_memory_equal(raw.data, in.data, body);
        stream_done(&stream);
        told_done(&told);
        buffer_done(&in);
    }
}

/* The first event of many streams: what comes after it is read by what stood there. */
static void a_stream_that_begins_with_nothing_is_counted(void **state)
{
    (void)state;
    struct buffer in;
    struct told told;
    buffer_init(&in, 1 << 20);
    for (int i = 0; i < 2; i++) {
        help_add(&in, CONTENT "\"\"" CONTENT_END);
        add_events(&in, slice_of(TEXT), 9, CONTENT, CONTENT_END);
    }
    help_add(&in, DONE);
    int64_t counted = play(dialect_chat(), buffer_slice(&in), 100000, in.len, &told);
    assert_int_equal(counted, help_tokens(tokenizer, slice_of(TEXT TEXT)));
    told_done(&told);
    buffer_done(&in);
}

/* ---- Several texts --------------------------------------------------------------------------- */

static void of_several_answers_the_sum_counts(void **state)
{
    (void)state;
    struct slice text = slice_of(TEXT);
    struct buffer in;
    buffer_init(&in, 1 << 20);
    for (size_t at = 0; at < text.len;) {
        size_t end = character_end(text, at + 6);
        for (int choice = 0; choice < 2; choice++) {
            char before[80];
            snprintf(before, sizeof before,
                     "data: {\"choices\":[{\"index\":%d,\"delta\":{\"content\":", choice);
            help_add(&in, before);
            add_string(&in, slice_part(text, at, end - at));
            help_add(&in, "}}]}\n\n");
        }
        at = end;
    }
    help_add(&in, DONE);
    int64_t all = 2 * help_tokens(tokenizer, text);
    for (int64_t granted = 0; granted <= all; granted++) {
        struct told told;
        int64_t counted = play(dialect_chat(), buffer_slice(&in), granted, in.len, &told);
        int64_t sum = help_tokens(tokenizer, buffer_slice(&told.text[0])) +
                      help_tokens(tokenizer, buffer_slice(&told.text[1]));
        assert_int_equal(sum, counted);
        assert_true(slice_starts(text, buffer_slice(&told.text[0])));
        assert_true(slice_starts(text, buffer_slice(&told.text[1])));
        if (granted < all && told.text[1].len)
            assert_string_equal(told.finish[1], "length");
        told_done(&told);
    }
    buffer_done(&in);
}

#define ARGUMENTS "{\"city\": \"K\xc3\xb6ln \xf0\x9f\x8c\x8d\", \"days\": [1, 2, 3]}"
static void arguments_of_tools_are_counted_and_cut(void **state)
{
    (void)state;
    struct buffer in;
    buffer_init(&in, 1 << 20);
    help_add(&in, "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":"
                  "\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
                  "\"arguments\":\"\"}}]}}]}\n\n");
    add_events(&in, slice_of(ARGUMENTS), 5,
               "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
               "\"function\":{\"arguments\":",
               "}}]}}]}\n\n");
    help_add(&in, DONE);
    enum { HEADER = 7 };
    int64_t name = HEADER + help_tokens(tokenizer, SLICE_LITERAL("get_weather"));
    int64_t all = name + help_tokens(tokenizer, slice_of(ARGUMENTS));
    for (int64_t granted = 0; granted <= all; granted++) {
        struct told told;
        play(dialect_chat(), buffer_slice(&in), granted, in.len, &told);
        struct slice got = buffer_slice(&told.arguments);
        assert_true(slice_starts(slice_of(ARGUMENTS), got));
        assert_true(help_tokens(tokenizer, got) <= (granted > name ? granted - name : 0));
        assert_string_equal(told.finish[0], granted < all ? "length" : "");
        told_done(&told);
    }
    buffer_done(&in);
}

/* An event like the one before it has the same name in it: a piece of a text each time. */
static void what_stays_from_event_to_event_is_counted_each_time(void **state)
{
    (void)state;
    struct buffer in;
    struct told told;
    buffer_init(&in, 1 << 20);
    for (int i = 0; i < 3; i++)
        help_add(&in, "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
                      "\"function\":{\"name\":\" get\",\"arguments\":\" one\"}}]}}]}\n\n");
    help_add(&in, DONE);
    enum { HEADER = 7 };
    assert_int_equal(play(dialect_chat(), buffer_slice(&in), 1000, in.len, &told),
                     HEADER + help_tokens(tokenizer, SLICE_LITERAL(" get get get one one one")));
    told_done(&told);
    buffer_done(&in);
}

static void texts_side_by_side_beyond_the_limit_are_not_counted(void **state)
{
    (void)state;
    struct stream stream;
    struct told told;
    char event[128];
    told_init(&told);
    begin(&stream, dialect_chat(), dialect_chat(), 100);
    for (int i = 0; i <= STREAM_TEXTS; i++) {
        assert_true(stream_tokens(&stream) == i);
        snprintf(event, sizeof event,
                 "data: {\"choices\":[{\"index\":%d,\"delta\":{\"content\":\"x\"}}]}\n\n", i);
        assert_int_equal(stream_feed(&stream, slice_of(event)), 0);
    }
    assert_int_equal(stream_tokens(&stream), -1);
    finish(&stream, &told);
    stream_done(&stream);
    told_done(&told);
}

static void output_that_is_no_text_stops_the_count(void **state)
{
    (void)state;
    struct stream stream;
    struct told told;
    told_init(&told);
    begin(&stream, dialect_chat(), dialect_chat(), 100);
    assert_int_equal(stream_feed(&stream, slice_of(CONTENT "\"a\"" CONTENT_END)), 0);
    assert_int_equal(stream_tokens(&stream), 1);
    assert_int_equal(stream_feed(&stream, slice_of("data: {\"choices\":[{\"delta\":{\"audio\":"
                                                   "{\"data\":\"AAAA\"}}}]}\n\n")),
                     0);
    assert_int_equal(stream_tokens(&stream), -1);
    finish(&stream, &told);
    stream_done(&stream);
    told_done(&told);
}

/* Whoever waits for the loop would wait for it. */
static void a_text_that_is_too_long_stops_the_count(void **state)
{
    (void)state;
    enum { LEN = LIMIT_COUNTED_BYTES + 1 };
    const struct stream_formats formats = {dialect_chat(), dialect_chat(), FRAMES_SSE, false};
    char *text = malloc(LEN);
    struct buffer in;
    struct stream stream;
    assert_non_null(text);
    memset(text, 'a', LEN);
    buffer_init(&in, 2 * LEN);
    add_events(&in, (struct slice){text, LEN}, LEN, CONTENT, CONTENT_END);
    for (int64_t granted = 100; granted < 1 << 20; granted *= 1000) {
        assert_int_equal(stream_init(&stream, &formats, 2 * LEN), 0);
        stream_count_with(&stream, tokenizer);
        assert_int_equal(stream_grant(&stream, granted), 0);
        for (size_t at = 0, len; at < in.len; at += len) {
            len = in.len - at < STREAM_PIECE_MAX ? in.len - at : STREAM_PIECE_MAX;
            assert_int_equal(stream_feed(&stream, slice_part(buffer_slice(&in), at, len)), 0);
        }
        assert_false(stream.full);
        assert_int_equal(stream_tokens(&stream), -1);
        assert_int_equal(stream.out.len, in.len);
        stream_done(&stream);
    }
    buffer_done(&in);
    free(text);
}

/* ---- Other formats --------------------------------------------------------------------------- */

#define ITEM                                                                                       \
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,"         \
    "\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-4o\",\"status\":\"in_progress\","             \
    "\"output\":[]}}\n\n"                                                                          \
    "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\","           \
    "\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\","    \
    "\"role\":\"assistant\",\"content\":[]}}\n\n"                                                  \
    "event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\","         \
    "\"sequence_number\":2,\"output_index\":0,\"content_index\":0,\"item_id\":\"msg_1\","          \
    "\"part\":{\"type\":\"output_text\",\"text\":\"\"}}\n\n"
#define DELTA                                                                                      \
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","           \
    "\"sequence_number\":3,\"output_index\":0,\"content_index\":0,\"item_id\":\"msg_1\","          \
    "\"delta\":"

struct last_event {
    char type[64];
    struct buffer text, whole; /* by deltas; what the last event repeats */
    bool incomplete;
};

static int take_response(void *user, const struct frame *event)
{
    struct last_event *last = user;
    struct json whole, item = {0}, part = {0};
    size_t at = 0, in = 0;
    if (!event->has_data)
        return 0;
    assert_int_equal(json_scan(event->data, &whole, NULL), 0);
    last->type[json_string_copy(json_member(whole, "type"), last->type, 63)] = 0;
    if (!strcmp(last->type, "response.output_text.delta"))
        take_text(json_member(whole, "delta"), &last->text);
    struct json response = json_member(whole, "response");
    if (strcmp(last->type, "response.incomplete") != 0)
        return 0;
    last->incomplete = true;
    if (json_next(json_member(response, "output"), &at, NULL, &item) &&
        json_next(json_member(item, "content"), &in, NULL, &part))
        take_text(json_member(part, "text"), &last->whole);
    return 0;
}

static void responses_end_at_the_very_token(void **state)
{
    (void)state;
    struct buffer in;
    buffer_init(&in, 1 << 20);
    help_add(&in, ITEM);
    add_events(&in, slice_of(TEXT), 90, DELTA, "}\n\n");
    int64_t all = help_tokens(tokenizer, slice_of(TEXT));
    for (int64_t granted = 0; granted < all; granted++) {
        struct stream stream;
        struct told told;
        struct frames frames;
        struct last_event last = {0};
        told_init(&told);
        buffer_init(&last.text, 1 << 16);
        buffer_init(&last.whole, 1 << 16);
        begin(&stream, dialect_responses(), dialect_responses(), granted);
        feed_in(&stream, &told, buffer_slice(&in), in.len);
        assert_true(stream.cut);
        finish(&stream, &told);
        frames_init(&frames, FRAMES_SSE, 1 << 20);
        assert_int_equal(frames_feed(&frames, buffer_slice(&told.raw), take_response, &last), 0);
        assert_true(last.incomplete);
        struct slice got = buffer_slice(&last.text);
        assert_true(slice_starts(slice_of(TEXT), got));
        assert_true(help_tokens(tokenizer, got) <= granted);
        assert_int_equal(last.whole.len, got.len);
        frames_done(&frames);
        buffer_done(&last.text);
        buffer_done(&last.whole);
        stream_done(&stream);
        told_done(&told);
    }
    buffer_done(&in);
}

static void a_translated_stream_ends_at_the_very_token(void **state)
{
    (void)state;
    struct buffer in;
    build(&in, sizeof TEXT);
    int64_t all = help_tokens(tokenizer, slice_of(TEXT));
    for (int64_t granted = 1; granted < all; granted++) {
        struct stream stream;
        struct told told;
        told_init(&told);
        begin(&stream, dialect_messages(), dialect_chat(), granted);
        feed_in(&stream, &told, buffer_slice(&in), in.len);
        assert_true(stream.cut);
        finish(&stream, &told);
        struct buffer expected;
        buffer_init(&expected, 1 << 16);
        help_add(&expected, "\"text\":");
        add_string(&expected, slice_part(slice_of(TEXT), 0, first_tokens(slice_of(TEXT), granted)));
        if (first_tokens(slice_of(TEXT), granted))
            assert_non_null(memmem(told.raw.data, told.raw.len, expected.data, expected.len));
        assert_non_null(memmem(told.raw.data, told.raw.len, "\"max_tokens\"", 12));
        assert_non_null(memmem(told.raw.data, told.raw.len, "message_stop", 12));
        buffer_done(&expected);
        stream_done(&stream);
        told_done(&told);
    }
    buffer_done(&in);
}

/* A line each; the last one has text too, and is the end. */
static void lines_end_at_the_very_token(void **state)
{
    (void)state;
    struct buffer in;
    buffer_init(&in, 1 << 20);
    add_events(&in, slice_of(TEXT), 30,
               "{\"model\":\"m\",\"message\":{\"content\":", "},\"done\":false}\n");
    add_events(&in, slice_of(TEXT), sizeof TEXT, "{\"model\":\"m\",\"message\":{\"content\":",
               "},\"done\":true,\"done_reason\":\"stop\"}\n");
    int64_t all = help_tokens(tokenizer, slice_of(TEXT TEXT));
    for (int64_t granted = 0; granted < all; granted++) {
        struct stream stream;
        struct told told;
        const struct stream_formats formats = {dialect_ollama(), dialect_ollama(), FRAMES_LINES,
                                               false};
        told_init(&told);
        assert_int_equal(stream_init(&stream, &formats, 65536), 0);
        stream_count_with(&stream, tokenizer);
        assert_int_equal(stream_grant(&stream, granted), 0);
        feed_in(&stream, &told, buffer_slice(&in), in.len);
        assert_true(stream.cut);
        assert_true(stream_tokens(&stream) <= granted);
        finish(&stream, &told);
        struct slice raw = buffer_slice(&told.raw), end = SLICE_LITERAL("\"done\":true");
        const char *first = memmem(raw.data, raw.len, end.data, end.len);
        assert_non_null(first);
        size_t rest = raw.len - (size_t)(first - raw.data) - end.len;
        assert_null(memmem(first + end.len, rest, end.data, end.len));
        assert_non_null(memmem(first, rest, "\"length\"", 8));
        stream_done(&stream);
        told_done(&told);
    }
    buffer_done(&in);
}

/* What a reader of gpt-oss is shown, and what it is billed: recorded ones come to ten more. */
static void harmony_has_words_around_its_texts(void **state)
{
    (void)state;
    struct tokenizer *before = tokenizer;
    struct stream stream;
    tokenizer = open_tokenizer("o200k_harmony");
    begin(&stream, dialect_chat(), dialect_chat(), 1000);
    assert_int_equal(
        stream_feed(&stream, slice_of("data: {\"choices\":[{\"delta\":{\"reasoning\":"
                                      "\"Say hi.\"}}]}\n\n" CONTENT "\"hi\"" CONTENT_END)),
        0);
    assert_int_equal(stream_count_whole(&stream.count), 3 + 1 + 10);
    stream_done(&stream);
    tokenizer_close(tokenizer);
    tokenizer = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_counted_as_its_whole_text),
        cmocka_unit_test(a_stream_ends_at_the_very_token),
        cmocka_unit_test(long_words_are_cut_between_events),
        cmocka_unit_test(of_events_of_one_token_as_many_go_on_as_are_granted),
        cmocka_unit_test(what_is_granted_in_time_changes_nothing),
        cmocka_unit_test(a_stream_that_begins_with_nothing_is_counted),
        cmocka_unit_test(of_several_answers_the_sum_counts),
        cmocka_unit_test(arguments_of_tools_are_counted_and_cut),
        cmocka_unit_test(what_stays_from_event_to_event_is_counted_each_time),
        cmocka_unit_test(texts_side_by_side_beyond_the_limit_are_not_counted),
        cmocka_unit_test(output_that_is_no_text_stops_the_count),
        cmocka_unit_test(a_text_that_is_too_long_stops_the_count),
        cmocka_unit_test(responses_end_at_the_very_token),
        cmocka_unit_test(a_translated_stream_ends_at_the_very_token),
        cmocka_unit_test(lines_end_at_the_very_token),
        cmocka_unit_test(harmony_has_words_around_its_texts),
    };
    tokenizer = open_tokenizer("o200k_base");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tokenizer_close(tokenizer);
    return failed;
}
