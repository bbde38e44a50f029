/* SPDX-License-Identifier: Apache-2.0
 * Proves that a stream reaches its client untouched and in order but for the usage nobody asked
 * for and the cost; that its last event waits; and that usage is read as recorded providers mean
 * it. Streams are fed byte by byte as well as whole, and what comes out is compared whole. */
#include "dialect/chat.h"
#include "gateway/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define HELLO "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"hello\"}}]}\n\n"
#define MORE "data: {\"choices\":[{\"delta\":{\"content\":\"\\u00e9!\"}}],\"usage\":null}\r\n\r\n"
#define USAGE_OBJECT "{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}"
#define USAGE "data: {\"choices\":[],\"usage\":" USAGE_OBJECT "}\n\n"
#define LAST                                                                                       \
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":" USAGE_OBJECT "}\n" \
    "\n"
#define DONE "data: [DONE]\n\n"
#define PING ": ping\n\n"

static const struct pricing_usage nothing;

struct run {
    struct stream stream;
    struct buffer seen;   /* all that the client got */
    size_t before_finish; /* how much of it before the commit */
};

static void pour(struct run *run)
{
    assert_int_equal(buffer_append(&run->seen, buffer_slice(&run->stream.out)), 0);
    buffer_clear(&run->stream.out);
}

static void play(struct run *run, const char *text, bool wants, size_t step)
{
    struct slice all = slice_of(text);
    const struct stream_formats formats = {dialect_chat(), dialect_chat(), FRAMES_SSE, wants};
    assert_int_equal(stream_init(&run->stream, &formats, 4096), 0);
    buffer_init(&run->seen, 65536);
    for (size_t at = 0; at < all.len; at += step) {
        size_t len = step < all.len - at ? step : all.len - at;
        assert_int_equal(stream_feed(&run->stream, slice_part(all, at, len)), 0);
        pour(run);
    }
    assert_int_equal(stream_end(&run->stream), 0);
    pour(run);
    run->before_finish = run->seen.len;
    assert_int_equal(stream_finish(&run->stream, &nothing, SLICE_LITERAL("0.5")), 0);
    pour(run);
}

static void end(struct run *run)
{
    stream_done(&run->stream);
    buffer_done(&run->seen);
}

static void comes_out(const char *in, bool wants, const char *expected)
{
    const size_t steps[] = {1, 7, 100000};
    for (size_t i = 0; i < 3; i++) {
        struct run run;
        play(&run, in, wants, steps[i]);
        if (!slice_is(buffer_slice(&run.seen), expected))
            fail_msg("step %zu: %.*s", steps[i], (int)run.seen.len, run.seen.data);
        /* Nothing that says it is over may leave before the commit. */
        assert_null(memmem(run.seen.data, run.before_finish, "[DONE]", 6));
        end(&run);
    }
}

static void forwards_untouched_but_for_usage_and_cost(void **state)
{
    (void)state;
    comes_out(HELLO MORE USAGE DONE, false, HELLO MORE ": mete-cost 0.5\n\n" DONE);
    comes_out(HELLO MORE USAGE DONE, true,
              HELLO MORE
              "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,"
              "\"total_tokens\":12,\"cost\":0.5}}\n\n" DONE);
    comes_out(HELLO MORE DONE, true, HELLO MORE ": mete-cost 0.5\n\n" DONE);
    comes_out(PING HELLO PING DONE, false, PING HELLO PING ": mete-cost 0.5\n\n" DONE);
}

static void usage_in_the_last_chunk_stays(void **state)
{
    (void)state;
    comes_out(HELLO LAST DONE, false, HELLO LAST ": mete-cost 0.5\n\n" DONE);
    comes_out(HELLO LAST PING DONE, true,
              HELLO
              "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":"
              "{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12,\"cost\":0.5}}"
              "\n\n" PING DONE);
}

static void a_cost_of_the_providers_own_is_replaced(void **state)
{
    (void)state;
    comes_out("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"cost\":9.25,"
              "\"completion_tokens\":1}}\n\n" DONE,
              true,
              "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"cost\":0.5,"
              "\"completion_tokens\":1}}\n\n" DONE);
}

static void of_usage_in_every_chunk_the_last_counts(void **state)
{
    (void)state;
#define EACH(n)                                                                                    \
    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":5,"         \
    "\"completion_tokens\":" #n "}}\n\n"
    struct run run;
    play(&run, EACH(1) EACH(2) EACH(3) DONE, false, 3);
    assert_true(run.stream.has_usage && run.stream.usage_is_last);
    assert_int_equal(run.stream.usage.output, 3);
    assert_true(
        slice_is(buffer_slice(&run.seen), EACH(1) EACH(2) EACH(3) ": mete-cost 0.5\n\n" DONE));
    end(&run);
    play(&run, EACH(1) HELLO, false, 3);
    assert_true(run.stream.has_usage && !run.stream.usage_is_last);
    end(&run);
}

static void a_stream_without_its_last_blank_line_is_completed(void **state)
{
    (void)state;
    comes_out(HELLO "data: [DONE]", false, HELLO ": mete-cost 0.5\n\ndata: [DONE]\n\n");
    comes_out(HELLO "data: [DONE]\n", false, HELLO ": mete-cost 0.5\n\ndata: [DONE]\n\n");
}

static void visible_output_is_counted_in_bytes(void **state)
{
    (void)state;
    struct run run;
    play(&run, HELLO MORE DONE, false, 1);
    assert_int_equal(stream_output_bytes(&run.stream), 5 + 3);
    end(&run);
    play(&run,
         "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"abc\",\"content\":null,"
         "\"tool_calls\":[{}]}}]}\n\n" DONE,
         false, 1);
    assert_int_equal(stream_output_bytes(&run.stream), 3 + 4);
    end(&run);
    play(&run, "data: {\"value\":\" it\"}\n\ndata: {\"choices\":[]}\n\n" DONE, false, 1);
    assert_int_equal(stream_output_bytes(&run.stream), 15); /* what is of no known shape, whole */
    end(&run);
}

static void an_event_over_its_limit_ends_the_stream(void **state)
{
    (void)state;
    struct stream stream;
    const struct stream_formats formats = {dialect_chat(), dialect_chat(), FRAMES_SSE, false};
    assert_int_equal(stream_init(&stream, &formats, 64), 0);
    char long_event[128];
    memset(long_event, 'x', sizeof long_event);
    assert_int_equal(stream_feed(&stream, (struct slice){long_event, sizeof long_event}),
                     METE_E_TOO_LARGE);
    stream_done(&stream);
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static struct pricing_usage tokens(int64_t input, int64_t cached, int64_t written, int64_t output,
                                   int64_t reasoning)
{
    return (struct pricing_usage){.input = input,
                                  .cached_input = cached,
                                  .cache_write = written,
                                  .output = output,
                                  .reasoning = reasoning};
}

static void usage_is(const char *usage, struct pricing_usage expected)
{
    struct pricing_usage u;
    struct json value;
    assert_int_equal(json_scan(slice_of(usage), &value, NULL), 0);
    if (!chat_usage(value, &u))
        fail_msg("not read: %s", usage);
    assert_int_equal(u.input, expected.input);
    assert_int_equal(u.cached_input, expected.cached_input);
    assert_int_equal(u.cache_write, expected.cache_write);
    assert_int_equal(u.output, expected.output);
    assert_int_equal(u.reasoning, expected.reasoning);
}

static void no_usage(const char *usage)
{
    struct pricing_usage u;
    struct json value;
    assert_int_equal(json_scan(slice_of(usage), &value, NULL), 0);
    if (chat_usage(value, &u))
        fail_msg("believed: %s", usage);
}

static void usage_of_recorded_providers(void **state)
{
    (void)state;
    usage_is("{\"prompt_tokens\":20,\"completion_tokens\":8,\"total_tokens\":28,"
             "\"prompt_tokens_details\":{\"cached_tokens\":16},"
             "\"completion_tokens_details\":{\"reasoning_tokens\":5}}",
             tokens(20, 16, 0, 8, 5));
    /* xAI: reasoning outside completion_tokens */
    usage_is("{\"prompt_tokens\":12,\"completion_tokens\":1,\"total_tokens\":303,"
             "\"prompt_tokens_details\":{\"cached_tokens\":11},"
             "\"completion_tokens_details\":{\"reasoning_tokens\":290}}",
             tokens(12, 11, 0, 291, 290));
    /* Gemini: thinking hidden in the total */
    usage_is("{\"completion_tokens\":12,\"prompt_tokens\":35,\"total_tokens\":109}",
             tokens(35, 0, 0, 74, 0));
    /* DeepSeek, Mistral, OpenRouter */
    usage_is("{\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_cache_hit_tokens\":4}",
             tokens(9, 4, 0, 1, 0));
    usage_is("{\"prompt_tokens\":9,\"completion_tokens\":1,\"num_cached_tokens\":4}",
             tokens(9, 4, 0, 1, 0));
    usage_is("{\"prompt_tokens\":9,\"completion_tokens\":1,\"prompt_tokens_details\":"
             "{\"cached_tokens\":2,\"cache_write_tokens\":3}}",
             tokens(9, 2, 3, 1, 0));
}

static void parts_larger_than_the_whole_are_cut(void **state)
{
    (void)state;
    /* OpenRouter: more reasoning than completion, and the total says which is wrong */
    usage_is("{\"prompt_tokens\":43,\"completion_tokens\":10,\"total_tokens\":53,"
             "\"completion_tokens_details\":{\"reasoning_tokens\":11}}",
             tokens(43, 0, 0, 10, 10));
    /* without a total it was left out */
    usage_is("{\"prompt_tokens\":43,\"completion_tokens\":10,"
             "\"completion_tokens_details\":{\"reasoning_tokens\":11}}",
             tokens(43, 0, 0, 21, 11));
    /* written and read: the dearer part counts */
    usage_is("{\"prompt_tokens\":2168,\"completion_tokens\":100,\"total_tokens\":2268,"
             "\"prompt_tokens_details\":{\"cached_tokens\":2161,\"cache_write_tokens\":2161}}",
             tokens(2168, 7, 2161, 100, 0));
}

static void an_explicit_zero_is_usage(void **state)
{
    (void)state;
    usage_is("{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}",
             (struct pricing_usage){0});
}

static void absurd_usage_is_not_believed(void **state)
{
    (void)state;
    no_usage("null");
    no_usage("{}");
    no_usage("{\"prompt_tokens\":5}");
    no_usage("{\"prompt_tokens\":-1,\"completion_tokens\":5}");
    no_usage("{\"prompt_tokens\":1,\"completion_tokens\":-5}");
    no_usage("{\"prompt_tokens\":1,\"completion_tokens\":1000000000001}");
    no_usage("{\"prompt_tokens\":1.5,\"completion_tokens\":1}");
    no_usage("{\"prompt_tokens\":\"1\",\"completion_tokens\":1}");
    no_usage("{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":-2}");
    no_usage("{\"prompt_tokens\":1,\"completion_tokens\":1,\"prompt_tokens_details\":"
             "{\"cached_tokens\":-2}}");
}

/* ---- Events like the one before -------------------------------------------------------------- */

static int events_read;

static void read_and_count(struct dialect_stream *stream, const struct frame *event,
                           struct dialect_event *ret_event)
{
    events_read++;
    chat_read_event(stream, event, ret_event);
}

/* In one piece. Returns how many events were read; the stream is the caller's. */
static int play_counted(struct stream *stream, const char *text)
{
    static struct dialect counting;
    counting = *dialect_chat();
    counting.read_event = read_and_count;
    const struct stream_formats formats = {&counting, &counting, FRAMES_SSE, false};
    assert_int_equal(stream_init(stream, &formats, 4096), 0);
    events_read = 0;
    assert_int_equal(stream_feed(stream, slice_of(text)), 0);
    return events_read;
}

#define PIECE(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define TIER(tier, text)                                                                           \
    "data: {\"service_tier\":\"" tier "\",\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}"   \
    "\n\n"

#define PRIORITY "data: {\"service_tier\":\"priority\",\"choices\":[]}\n\n"

static void an_event_like_the_one_before_is_not_read_again(void **state)
{
    (void)state;
    struct stream stream;
    int read = play_counted(&stream, HELLO PIECE("a") PIECE("bcd") PING PIECE("\\u00e9") PIECE(""));
    assert_int_equal(read, 3); /* the first two, and the comment */
    assert_int_equal(stream.output_bytes, 5 + 1 + 3 + 2);
    assert_int_equal(stream.output_events, 4);
    assert_true(slice_is(buffer_slice(&stream.out),
                         HELLO PIECE("a") PIECE("bcd") PING PIECE("\\u00e9") PIECE("")));
    stream_done(&stream);
}

static void an_event_that_says_something_else_is_read(void **state)
{
    (void)state;
    static const char *const others[] = {
        PIECE("a\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3},\"x\":[{\"y\":{\"z\":"
              "\"b"),
        "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n",
        PIECE("\xff"),
        PIECE("\\x"),
        LAST,
        DONE,
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char text[1024];
        struct stream stream;
        (void)snprintf(text, sizeof text, HELLO PIECE("a") PIECE("b") "%s", others[i]);
        assert_int_equal(play_counted(&stream, text), 3);
        stream_done(&stream);
    }
}

static void what_an_event_changed_is_not_forgotten_by_one_that_is_like_an_earlier(void **state)
{
    (void)state;
    struct stream stream;
    const char *text =
        HELLO TIER("default", "a") TIER("default", "b") TIER("priority", "c") TIER("priority", "d")
            TIER("default", "e") "data: {\"choices\":[],\"usage\":" USAGE_OBJECT "}\n\n";
    assert_int_equal(play_counted(&stream, text), 5);
    assert_int_equal(stream.usage.service, PRICE_STANDARD);
    stream_done(&stream);
    (void)play_counted(&stream, HELLO TIER("default", "a") PRIORITY TIER("default", "b") USAGE);
    assert_int_equal(stream.usage.service, PRICE_STANDARD);
    stream_done(&stream);
}

static void an_event_over_its_limit_is_over_it_by_the_short_way_too(void **state)
{
    (void)state;
    static const char tail[] = "\"}}]}\n\n";
    static char text[8192];
    struct stream stream;
    (void)play_counted(&stream, HELLO PIECE("a"));
    memset(text, 'b', 4096);
    memcpy(text, PIECE(""), sizeof PIECE("") - sizeof tail);
    memcpy(text + 4096, tail, sizeof tail);
    assert_int_equal(stream_feed(&stream, slice_of(text)), METE_E_TOO_LARGE);
    stream_done(&stream);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void a_stream_that_waits_holds_little(void **state)
{
    (void)state;
    struct stream stream;
    const struct stream_formats formats = {dialect_chat(), dialect_chat(), FRAMES_SSE, true};
    static char text[16384];
    size_t len = 0;
    assert_int_equal(stream_init(&stream, &formats, 65536), 0);
    while (len < sizeof text / 2) /* at last a long one, in two pieces */
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", HELLO MORE, LAST);
    memset(text + len, 'b', 4096);
    memcpy(text + len, PIECE(""), sizeof PIECE("") - sizeof "\"}}]}\n\n");
    assert_int_equal(stream_feed(&stream, (struct slice){text, len + 4096}), 0);
    buffer_relax(&stream.out, STREAM_IDLE_ROOM);
    assert_int_equal(stream_feed(&stream, SLICE_LITERAL("\"}}]}\n\n")), 0);
    buffer_relax(&stream.out, STREAM_IDLE_ROOM);
    assert_int_equal(stream.held.len, 0);
    size_t held = stream.out.room + stream.held.room + stream.said.room + stream.alike.room +
                  stream.frames.sse.pending.room + stream.frames.sse.joined.room;
    assert_true(held <= 1024);
    stream_done(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forwards_untouched_but_for_usage_and_cost),
        cmocka_unit_test(usage_in_the_last_chunk_stays),
        cmocka_unit_test(a_cost_of_the_providers_own_is_replaced),
        cmocka_unit_test(of_usage_in_every_chunk_the_last_counts),
        cmocka_unit_test(a_stream_without_its_last_blank_line_is_completed),
        cmocka_unit_test(visible_output_is_counted_in_bytes),
        cmocka_unit_test(an_event_over_its_limit_ends_the_stream),
        cmocka_unit_test(usage_of_recorded_providers),
        cmocka_unit_test(parts_larger_than_the_whole_are_cut),
        cmocka_unit_test(an_explicit_zero_is_usage),
        cmocka_unit_test(absurd_usage_is_not_believed),
        cmocka_unit_test(an_event_like_the_one_before_is_not_read_again),
        cmocka_unit_test(an_event_that_says_something_else_is_read),
        cmocka_unit_test(what_an_event_changed_is_not_forgotten_by_one_that_is_like_an_earlier),
        cmocka_unit_test(an_event_over_its_limit_is_over_it_by_the_short_way_too),
        cmocka_unit_test(a_stream_that_waits_holds_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
