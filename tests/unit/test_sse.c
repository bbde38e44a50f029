/* SPDX-License-Identifier: Apache-2.0
 * Proves that streams fall into the events the standard says, however they are cut into pieces,
 * that no byte of them is lost, and that an event in one piece is not copied: each stream is fed
 * whole, byte by byte and cut in two at every place, and its events are written down. */
#include "codec/sse.h"

#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct seen {
    char events[512]; /* name=data; for each event with data */
    char bytes[512];  /* all raw, one after the other */
    size_t events_len, bytes_len;
    int count, stop_at;
    const char *raw_at;
};

static int see(void *user, const struct frame *event)
{
    struct seen *seen = user;
    if (event->has_data)
        seen->events_len += (size_t)snprintf(
            seen->events + seen->events_len, sizeof seen->events - seen->events_len, "%.*s=%.*s;",
            (int)event->name.len, event->name.data ? event->name.data : "", (int)event->data.len,
            event->data.data);
    else
        assert_int_equal(event->data.len, 0);
    memcpy(seen->bytes + seen->bytes_len, event->raw.data, event->raw.len);
    seen->bytes_len += event->raw.len;
    seen->raw_at = event->raw.data;
    return ++seen->count == seen->stop_at ? 77 : 0;
}

/* Feeds text in pieces of first, then of step bytes. */
static void feed(struct slice text, size_t first, size_t step, struct seen *seen)
{
    struct sse sse;
    sse_init(&sse, 256);
    *seen = (struct seen){.count = 0};
    for (size_t at = 0, len = first; at < text.len; at += len, len = step) {
        if (len > text.len - at)
            len = text.len - at;
        assert_int_equal(sse_feed(&sse, slice_part(text, at, len), see, seen), 0);
    }
    struct slice rest = sse_rest(&sse);
    if (rest.len)
        memcpy(seen->bytes + seen->bytes_len, rest.data, rest.len);
    assert_int_equal(seen->bytes_len + rest.len, text.len);
    assert_memory_equal(seen->bytes, text.data, text.len);
    sse_done(&sse);
}

static void streams_fall_into_events_however_cut(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *events;
    } rows[] = {
        {"data: a\n\n", "=a;"},
        {"data: a\r\n\r\n", "=a;"},
        {"data: a\r\r", "=a;"},
        {"data: a\r\n\ndata: b\n\r\ndata: c\r\n\r", "=a;=b;=c;"},
        {"data:a\n\ndata:  b\n\ndata\n\ndata:\n\n", "=a;= b;=;=;"},
        {"data: a\ndata: b\ndata:\ndata: c\n\n", "=a\nb\n\nc;"},
        {"data\ndata\n\n", "=\n;"},
        {"event: message_start\ndata: {}\n\n", "message_start={};"},
        {"data: x\nevent: first\nevent:last\n\ndata: y\n\n", "last=x;=y;"},
        {"event: ping\n\ndata: x\n\n", "=x;"},
        {": keep-alive\n\n: more\ndata: x\nid: 7\nretry: 10\nother: z\n\n", "=x;"},
        {"\xef\xbb\xbf"
         "data: a\n\n\xef\xbb\xbf"
         "data: b\n\n",
         "=a;"},
        {"\xef\xbb\xbf\n\ndata: a\n\n", "=a;"},
        {"\n\n\ndata: a\n\n\n\n", "=a;"},
        {"Data: a\ndata : b\ndatum: c\ndata: d\n\n", "=d;"},
        {"data: a\n\ndata: cut off\n", "=a;"},
        {"data: a\n\ndata: cut off", "=a;"},
        {"data: a: b\n\n", "=a: b;"},
        {"data: one\rdata: two\r\ndata: three\n\r", "=one\ntwo\nthree;"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice stream = slice_of(rows[i].stream);
        struct seen seen;
        for (size_t first = 1; first <= stream.len; first++) {
            feed(stream, first, stream.len, &seen);
            assert_string_equal(seen.events, rows[i].events);
            feed(stream, first, 1, &seen);
            assert_string_equal(seen.events, rows[i].events);
        }
    }
}

static void an_event_in_one_piece_is_not_copied(void **state)
{
    (void)state;
    static const char stream[] = "data: one\n\ndata: two\n\ndata: th";
    struct seen seen = {.count = 0};
    struct sse sse;
    sse_init(&sse, 64);
    assert_int_equal(sse_feed(&sse, SLICE_LITERAL(stream), see, &seen), 0);
    assert_ptr_equal(seen.raw_at, stream + 11);
    assert_true(slice_is(sse_rest(&sse), "data: th"));
    assert_int_equal(sse_feed(&sse, SLICE_LITERAL("ree\n\ndata: four\n\n"), see, &seen), 0);
    assert_string_equal(seen.events, "=one;=two;=three;=four;");
    assert_int_equal(sse_rest(&sse).len, 0);
    sse_done(&sse);
}

static void a_blank_line_cut_in_two_holds_nothing_back(void **state)
{
    (void)state;
    struct seen seen = {.count = 0};
    struct sse sse;
    sse_init(&sse, 64);
    assert_int_equal(sse_feed(&sse, SLICE_LITERAL("data: x\r\n\r"), see, &seen), 0);
    assert_string_equal(seen.events, "=x;");
    assert_int_equal(sse_feed(&sse, SLICE_LITERAL("\n"), see, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(sse_rest(&sse).len, 0);
    assert_memory_equal(seen.bytes, "data: x\r\n\r\n", 11);
    sse_done(&sse);
}

static void an_event_has_its_maximum_however_it_comes(void **state)
{
    (void)state;
    static const char fits[] = "data: 89\n\n", over[] = "data: 890\n\n";
    for (size_t piece = 1; piece <= sizeof over - 1; piece++) {
        struct seen seen = {.count = 0};
        struct sse sse;
        sse_init(&sse, sizeof fits - 1);
        int rc = 0;
        for (size_t at = 0; !rc && at < sizeof fits - 1; at += piece)
            rc = sse_feed(
                &sse,
                (struct slice){fits + at, at + piece < sizeof fits ? piece : sizeof fits - 1 - at},
                see, &seen);
        assert_int_equal(rc, 0);
        assert_string_equal(seen.events, "=89;");
        for (size_t at = 0; !rc && at < sizeof over - 1; at += piece)
            rc = sse_feed(
                &sse,
                (struct slice){over + at, at + piece < sizeof over ? piece : sizeof over - 1 - at},
                see, &seen);
        assert_int_equal(rc, METE_E_TOO_LARGE);
        assert_string_equal(seen.events, "=89;");
        sse_done(&sse);
    }
}

static void the_callback_can_stop_the_stream(void **state)
{
    (void)state;
    struct seen seen = {.stop_at = 2};
    struct sse sse;
    sse_init(&sse, 64);
    assert_int_equal(
        sse_feed(&sse, SLICE_LITERAL("data: a\n\ndata: b\n\ndata: c\n\ndata: d"), see, &seen), 77);
    assert_string_equal(seen.events, "=a;=b;");
    assert_int_equal(sse_rest(&sse).len, 0);
    assert_int_equal(sse_feed(&sse, SLICE_LITERAL("data: e\n\n"), see, &seen), 0);
    assert_string_equal(seen.events, "=a;=b;=e;");
    sse_done(&sse);
    sse_done(&(struct sse){.line = SSE_LINE_START});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_fall_into_events_however_cut),
        cmocka_unit_test(an_event_in_one_piece_is_not_copied),
        cmocka_unit_test(a_blank_line_cut_in_two_holds_nothing_back),
        cmocka_unit_test(an_event_has_its_maximum_however_it_comes),
        cmocka_unit_test(the_callback_can_stop_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
