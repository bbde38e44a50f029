/* SPDX-License-Identifier: Apache-2.0
 * Proves that arrays and AWS messages fall into their events however they are cut into pieces, that
 * no byte of them is lost, that what cannot be of the framing is told, and that messages written
 * here are what a reader expects: one is held to bytes of a real provider's. */
#include "codec/frames.h"

#include "mete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { FRAME_MAX = 512 };

struct seen {
    char events[2048]; /* name[!]=data; */
    char bytes[4096];  /* all raw, one after the other */
    size_t events_len, bytes_len;
    const char *raw_at;
};

static int see(void *user, const struct frame *frame)
{
    struct seen *seen = user;
    if (frame->has_data)
        seen->events_len += (size_t)snprintf(
            seen->events + seen->events_len, sizeof seen->events - seen->events_len, "%.*s%s=%.*s;",
            (int)frame->name.len, frame->name.data ? frame->name.data : "",
            frame->failed ? "!" : "", (int)frame->data.len, frame->data.data);
    memcpy(seen->bytes + seen->bytes_len, frame->raw.data, frame->raw.len);
    seen->bytes_len += frame->raw.len;
    seen->raw_at = frame->raw.data;
    return 0;
}

static int feed(enum frames_kind kind, struct slice text, size_t first, size_t step,
                struct seen *seen)
{
    struct frames frames;
    int rc = 0;
    frames_init(&frames, kind, FRAME_MAX);
    *seen = (struct seen){.events_len = 0};
    for (size_t at = 0, len = first; at < text.len && !rc; at += len, len = step) {
        if (len > text.len - at)
            len = text.len - at;
        rc = frames_feed(&frames, slice_part(text, at, len), see, seen);
    }
    if (!rc)
        rc = frames_end(&frames, see, seen);
    if (!rc) {
        struct slice rest = frames_rest(&frames);
        assert_int_equal(seen->bytes_len + rest.len, text.len);
        if (rest.len)
            memcpy(seen->bytes + seen->bytes_len, rest.data, rest.len);
        assert_memory_equal(seen->bytes, text.data, text.len);
    }
    frames_done(&frames);
    return rc;
}

/* Whole, byte by byte, and cut in two at every place. */
static void falls_into(enum frames_kind kind, struct slice text, const char *events, int rc)
{
    struct seen seen;
    assert_int_equal(feed(kind, text, text.len, 1, &seen), rc);
    assert_string_equal(seen.events, events);
    assert_int_equal(feed(kind, text, 1, 1, &seen), rc);
    assert_string_equal(seen.events, events);
    for (size_t cut = 1; cut < text.len; cut++) {
        assert_int_equal(feed(kind, text, cut, text.len, &seen), rc);
        assert_string_equal(seen.events, events);
    }
}

static void an_array_is_a_row_of_events(void **state)
{
    (void)state;
    static const struct {
        const char *text, *events;
        int rc;
    } cases[] = {
        {"[{\"a\":1}\n,\r\n{\"b\":[2,{}]}\n]", "={\"a\":1};={\"b\":[2,{}]};=];", 0},
        {" \n [ {} , {} ] \r\n", "={};={};=];", 0},
        {"[]", "=];", 0},
        {"[{\"x\":\"]}\\\"\\\\\"}]", "={\"x\":\"]}\\\"\\\\\"};=];", 0},
        {"[{}\n", "={};", 0},
        {"[{},{\"half\":", "={};", 0},
        {"", "", 0},
        {"{\"error\":{}}", "", METE_E_SYNTAX},
        {"[{},1]", "={};", METE_E_SYNTAX},
        {"[{}]x", "={};=];", METE_E_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        falls_into(FRAMES_ARRAY, slice_of(cases[i].text), cases[i].events, cases[i].rc);
}

static void an_element_over_the_limit_is_told(void **state)
{
    (void)state;
    char text[FRAME_MAX + 8];
    struct seen seen;
    memset(text, ' ', sizeof text);
    memcpy(text, "[{}", 3);
    for (size_t step = 1; step <= sizeof text; step += sizeof text - 1)
        assert_int_equal(feed(FRAMES_ARRAY, (struct slice){text, sizeof text}, step, step, &seen),
                         METE_E_TOO_LARGE);
    assert_string_equal(seen.events, "={};");
    text[sizeof text - 1] = 'x'; /* also where a fault comes behind the limit */
    for (size_t step = 1; step <= sizeof text; step += sizeof text - 1)
        assert_int_equal(feed(FRAMES_ARRAY, (struct slice){text, sizeof text}, step, step, &seen),
                         METE_E_TOO_LARGE);
}

/* The first message of a stream that opentelemetry-python-contrib recorded (Apache-2.0). */
static const char recorded[] =
    "\x00\x00\x00\x90\x00\x00\x00\x52\x31\x41\xc8\xa1\x0b:event-type\x07\x00\x0cmessageStart"
    "\x0d:content-type\x07\x00\x10"
    "application/json\x0d:message-type\x07\x00\x05"
    "event{\"p\":\"abcdefghijklmnopqrs\",\"role\":\"assistant\"}\x11\x76\xea\xb0";

static void a_message_is_written_as_the_service_writes_it(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, FRAME_MAX);
    assert_int_equal(
        frames_aws_write(&out, SLICE_LITERAL("messageStart"), false,
                         SLICE_LITERAL("{\"p\":\"abcdefghijklmnopqrs\",\"role\":\"assistant\"}")),
        0);
    assert_int_equal(out.len, sizeof recorded - 1);
    assert_memory_equal(out.data, recorded, out.len);
    buffer_done(&out);
}

static void messages_fall_into_events_however_cut(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 4096);
    assert_int_equal(buffer_append(&text, (struct slice){recorded, sizeof recorded - 1}), 0);
    assert_int_equal(frames_aws_write(&text, SLICE_LITERAL("throttlingException"), true,
                                      SLICE_LITERAL("{\"message\":\"slow\"}")),
                     0);
    assert_int_equal(frames_aws_write(&text, SLICE_LITERAL("ping"), false, (struct slice){0}), 0);
    falls_into(FRAMES_AWS, buffer_slice(&text),
               "messageStart={\"p\":\"abcdefghijklmnopqrs\",\"role\":\"assistant\"};"
               "throttlingException!={\"message\":\"slow\"};",
               0);
    text.len -= 3; /* half a message is none */
    struct seen seen;
    assert_int_equal(feed(FRAMES_AWS, buffer_slice(&text), 7, 7, &seen), 0);
    buffer_done(&text);
}

static void a_message_in_one_piece_is_not_copied(void **state)
{
    (void)state;
    struct seen seen;
    assert_int_equal(
        feed(FRAMES_AWS, (struct slice){recorded, sizeof recorded - 1}, 4096, 1, &seen), 0);
    assert_ptr_equal(seen.raw_at, recorded);
}

static void every_changed_byte_of_a_message_is_noticed(void **state)
{
    (void)state;
    char text[sizeof recorded - 1];
    struct seen seen;
    for (size_t i = 0; i < sizeof text; i++) {
        memcpy(text, recorded, sizeof text);
        text[i] = (char)(text[i] ^ 0x20);
        assert_int_equal(feed(FRAMES_AWS, (struct slice){text, sizeof text}, sizeof text, 1, &seen),
                         METE_E_SYNTAX);
        assert_int_equal(seen.bytes_len, 0);
    }
}

static void a_message_over_the_limit_is_told_by_its_prelude(void **state)
{
    (void)state;
    struct buffer text;
    struct seen seen;
    char payload[FRAME_MAX];
    memset(payload, 'x', sizeof payload);
    buffer_init(&text, 4096);
    assert_int_equal(frames_aws_write(&text, SLICE_LITERAL("big"), false,
                                      (struct slice){payload, sizeof payload}),
                     0);
    struct slice prelude = {text.data, 12};
    assert_int_equal(feed(FRAMES_AWS, prelude, 12, 1, &seen), METE_E_TOO_LARGE);
    assert_int_equal(feed(FRAMES_AWS, prelude, 5, 5, &seen), METE_E_TOO_LARGE);
    buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_is_a_row_of_events),
        cmocka_unit_test(an_element_over_the_limit_is_told),
        cmocka_unit_test(a_message_is_written_as_the_service_writes_it),
        cmocka_unit_test(messages_fall_into_events_however_cut),
        cmocka_unit_test(a_message_in_one_piece_is_not_copied),
        cmocka_unit_test(every_changed_byte_of_a_message_is_noticed),
        cmocka_unit_test(a_message_over_the_limit_is_told_by_its_prelude),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
