/* SPDX-License-Identifier: Apache-2.0
 * Proves, over a real engine in memory and a provider that keeps no bounds, that the stream of a
 * model whose encoding is public goes on to the very token that was set aside: what is beyond it
 * waits while more is asked for, goes on untouched if that is granted, and else the stream ends
 * well, charged what was set aside, whatever happens meanwhile. That an answer without usage is
 * charged the tokens of its text; and that what a stream told before it broke off is charged as it
 * was told. */
#include "base/limits.h"
#include "property/model_gateway.h"
#include "prompts/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define PLAIN "{\"model\":\"gpt-4o\",\"max_tokens\":16," HI "}"
#define STREAM "{\"model\":\"gpt-4o\",\"max_tokens\":16," HI ",\"stream\":true}"
#define CHUNK                                                                                      \
    "data: {\"id\":\"c-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" one\"}}]}\n\n"
#define LONG                                                                                       \
    "data: {\"id\":\"c-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" one two three "     \
    "four five six seven eight nine ten one two three four five six seven eight\"}}]}\n\n"
#define LONG_CUT                                                                                   \
    "data: {\"id\":\"c-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" one two three "     \
    "four five six seven eight nine ten one two three four five six\"}}]}\n\n"
#define STOP                                                                                       \
    "data: {\"id\":\"c-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"   \
    "\n\n"
#define FINISHED                                                                                   \
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"\","     \
    "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
#define USAGE(output)                                                                              \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":" output "}}\n\n"
#define DONE "data: [DONE]\n\n"
#define EVENTS "text/event-stream"

static struct bench bench;

/* What one stream sets aside, as an engine without limits tells. */
static int64_t worst_case(void)
{
    struct mete_budget_view view;
    bench_open(&bench, &(struct bench_setup){0});
    struct client *client = bench_post(&bench, STREAM);
    bench_budget(&bench, &view);
    int64_t held = view.held;
    bench_head(client, 200, EVENTS);
    bench_text(client, USAGE("1") DONE);
    bench_end(client, UPSTREAM_DONE);
    bench_close(&bench);
    return held;
}

/* A stream, over a budget that affords no more than it is granted, or over any. */
static struct client *begin(bool poor)
{
    bench_open(&bench, &(struct bench_setup){.limit_nano = poor ? worst_case() : 0});
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    return client;
}

static int64_t committed(void)
{
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    return view.committed;
}

static void chunks(struct client *client, int len)
{
    for (int i = 0; i < len; i++)
        bench_text(client, CHUNK);
}

/* What it got before the cost. */
static void got(const struct client *client, int chunks_len, const char *rest)
{
    struct slice left = buffer_slice(&client->got), chunk = SLICE_LITERAL(CHUNK);
    for (int i = 0; i < chunks_len; i++) {
        assert_true(slice_starts(left, chunk));
        left = slice_from(left, chunk.len);
    }
    assert_true(slice_starts(left, slice_of(rest)));
    left = slice_from(left, strlen(rest));
    assert_true(slice_starts(left, SLICE_LITERAL(": mete-cost ")));
    assert_true(left.len > strlen(DONE));
    assert_memory_equal(left.data + left.len - strlen(DONE), DONE, strlen(DONE));
}

static void was_cut(int64_t all)
{
    struct gateway_counts counts;
    gateway_counts(bench.gateway, &counts);
    assert_int_equal(counts.cut, 1);
    assert_int_equal(bench.done.ending, METE_ENDED_CUT);
    assert_int_equal(bench.done.usage.output, 16);
    assert_int_equal(committed(), all);
    bench_close(&bench);
}

/* ---- The bound ------------------------------------------------------------------------------- */

static void a_stream_nobody_can_pay_for_ends_at_the_very_token(void **state)
{
    (void)state;
    int64_t all = worst_case();
    struct client *client = begin(true);
    for (int i = 0; i < 17; i++) {
        assert_false(client->cancelled || client->paused);
        chunks(client, 1);
    }
    assert_true(client->paused);
    bench_turn(&bench);
    assert_true(client->cancelled);
    chunks(client, 1); /* too late */
    bench_end(client, UPSTREAM_CANCELLED);
    got(client, 16, FINISHED);
    was_cut(all);
}

static void an_event_that_passes_the_grant_is_shortened(void **state)
{
    (void)state;
    int64_t all = worst_case();
    struct client *client = begin(true);
    bench_text(client, LONG);
    bench_turn(&bench);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    got(client, 0, LONG_CUT FINISHED);
    was_cut(all);
}

/* With counting off nobody knows that it has 18 tokens, and its bytes are well within the grant. */
static void an_event_that_is_not_to_be_counted_goes_on_whole(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.no_count = true});
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    bench_text(client, LONG STOP DONE);
    bench_end(client, UPSTREAM_DONE);
    got(client, 0, LONG STOP);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    assert_int_equal(bench.done.usage.output, 16);
    assert_null(bench.done.encoding);
    bench_close(&bench);
}

/* The next character has more tokens than are left: what its provider made of it is paid. */
static void a_stream_that_ends_before_a_character_is_charged_the_grant(void **state)
{
    (void)state;
    int64_t all = worst_case();
    struct client *client = begin(true);
    chunks(client, 15);
    bench_text(client, "data: {\"id\":\"c-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                       "\"\xf0\x9f\xaa\xbf\"}}]}\n\n");
    bench_turn(&bench);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    got(client, 15, FINISHED);
    was_cut(all);
}

static void what_waited_goes_on_untouched_if_more_is_granted(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 40); /* 16, 32, 64 */
    assert_true(client->paused);
    bench_turn(&bench);
    bench_turn(&bench);
    assert_false(client->cancelled || client->paused);
    bench_text(client, STOP USAGE("40") DONE);
    bench_end(client, UPSTREAM_DONE);
    got(client, 40, STOP);
    struct gateway_counts counts;
    gateway_counts(bench.gateway, &counts);
    assert_int_equal(counts.extended, 2);
    assert_int_equal(bench.done.ending, METE_ENDED_OK);
    assert_int_equal(committed(), 10 * 1000 + 40 * 2000);
    assert_int_equal(bench.done.tokens_counted, 40);
    assert_int_equal(bench.done.tokens_reported, 40);
    assert_string_equal(bench.done.encoding, "o200k_base");
    bench_close(&bench);
}

static void a_provider_that_ends_while_its_stream_waits_is_heard_out(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 18);
    bench_text(client, STOP USAGE("18") DONE);
    bench_end(client, UPSTREAM_DONE);
    bench_turn(&bench);
    got(client, 18, STOP);
    assert_int_equal(bench.done.ending, METE_ENDED_OK);
    assert_int_equal(committed(), 10 * 1000 + 18 * 2000);
    bench_close(&bench);
}

static void a_provider_that_ends_without_a_last_event_is_heard_out(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 18);
    bench_text(client, STOP);
    bench_end(client, UPSTREAM_DONE);
    bench_turn(&bench);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    assert_int_equal(bench.done.usage.output, 18);
    bench_close(&bench);
}

/* Its client gets what was set aside, but what was told is what is billed: an overrun. */
static void a_provider_that_ended_and_nobody_can_pay_for_is_cut_and_billed_as_it_told(void **state)
{
    (void)state;
    struct client *client = begin(true);
    chunks(client, 18);
    bench_text(client, STOP USAGE("18") DONE);
    bench_end(client, UPSTREAM_DONE);
    bench_turn(&bench);
    got(client, 16, FINISHED);
    assert_int_equal(bench.done.ending, METE_ENDED_CUT);
    assert_int_equal(bench.done.usage.output, 18);
    assert_int_equal(committed(), 10 * 1000 + 18 * 2000);
    bench_close(&bench);
}

static void a_provider_that_ended_without_usage_and_nobody_can_pay_for_is_cut(void **state)
{
    (void)state;
    int64_t all = worst_case();
    struct client *client = begin(true);
    chunks(client, 18);
    bench_text(client, STOP DONE);
    bench_end(client, UPSTREAM_DONE);
    bench_turn(&bench);
    got(client, 16, FINISHED);
    was_cut(all);
}

static void usage_that_waits_is_billed_when_the_way_down_ends_its_stream(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 18);
    bench_text(client, STOP USAGE("18") DONE);
    gateway_shutdown(bench.gateway);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    bench_turn(&bench);
    got(client, 16, FINISHED);
    assert_int_equal(committed(), 10 * 1000 + 18 * 2000);
    bench_close(&bench);
}

static void usage_that_waits_is_billed_when_its_provider_breaks_off(void **state)
{
    (void)state;
    struct client *client = begin(true);
    chunks(client, 18);
    bench_text(client, STOP USAGE("18"));
    bench_end(client, UPSTREAM_LOST);
    bench_turn(&bench);
    assert_int_equal(committed(), 10 * 1000 + 18 * 2000);
    bench_close(&bench);
}

static void a_provider_that_breaks_off_while_its_stream_waits_is_charged_the_grant(void **state)
{
    (void)state;
    int64_t all = worst_case();
    struct client *client = begin(true);
    chunks(client, 18);
    bench_end(client, UPSTREAM_LOST);
    bench_turn(&bench);
    assert_int_equal(bench.done.ending, METE_ENDED_LOST);
    assert_int_equal(committed(), all);
    bench_close(&bench);
}

static void on_the_way_down_a_stream_that_waits_ends_well(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 18);
    gateway_shutdown(bench.gateway);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    bench_turn(&bench);
    got(client, 16, FINISHED);
    assert_int_equal(bench.done.ending, METE_ENDED_SHUTDOWN);
    bench_close(&bench);
}

static void a_client_that_leaves_while_its_stream_waits_is_charged_what_follows(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 18);
    bench_gone(client);
    bench_turn(&bench);
    assert_false(client->paused);
    bench_text(client, STOP USAGE("18") DONE);
    bench_end(client, UPSTREAM_DONE);
    bench_turn(&bench);
    assert_int_equal(committed(), 10 * 1000 + 18 * 2000);
    bench_close(&bench);
}

/* ---- Without usage --------------------------------------------------------------------------- */

static void an_answer_without_usage_is_charged_its_tokens(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 9);
    bench_text(client, STOP DONE);
    bench_end(client, UPSTREAM_DONE);
    bench_turn(&bench);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    assert_int_equal(bench.done.usage.output, 9);
    assert_int_equal(committed(), bench.done.usage.input * 1000 + 9 * 2000);
    assert_null(bench.done.encoding);
    bench_close(&bench);

    bench_open(&bench, &(struct bench_setup){0});
    client = bench_post(&bench, PLAIN);
    bench_head(client, 200, "application/json");
    bench_text(client, "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
                       "\" one two three\"},\"finish_reason\":\"stop\"}]}");
    bench_end(client, UPSTREAM_DONE);
    bench_turn(&bench);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    assert_int_equal(bench.done.usage.output, 3);
    bench_close(&bench);
}

/* The provider may have made more than arrived, but no more than its bound. */
static void a_stream_that_broke_off_is_charged_what_may_have_been_under_way(void **state)
{
    (void)state;
    struct client *client = begin(false);
    chunks(client, 9);
    bench_end(client, UPSTREAM_LOST);
    bench_turn(&bench);
    assert_int_equal(bench.done.ending, METE_ENDED_LOST);
    assert_int_equal(bench.done.usage.output, 16);
    bench_close(&bench);
}

/* ---- Of a secret tokenizer ------------------------------------------------------------------- */

#define ASKS(bound)                                                                                \
    "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":" bound "," HI ",\"stream\":true}"
#define BLOCK                                                                                      \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n"      \
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"             \
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
#define BLOCK_ENDS                                                                                 \
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"          \
    "\"end_turn\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

static struct client *begin_messages(const char *body, int64_t limit)
{
    bench_open(&bench, &(struct bench_setup){.family = "anthropic", .limit_nano = limit});
    struct client *client = bench_client(&bench, body);
    client->exchange.path = SLICE_LITERAL("/v1/messages");
    bench_begin(client);
    bench_head(client, 200, EVENTS);
    bench_text(client, BLOCK);
    return client;
}

/* One event of so many words, each a token of o200k_base. */
static void say_words(struct client *client, int len)
{
    bench_text(client, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                       "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"");
    for (int i = 0; i < len; i++)
        bench_text(client, " one");
    bench_text(client, "\"}}\n\n");
}

static void without_usage_its_family_says_what_a_stream_is_charged(void **state)
{
    (void)state;
    const struct encoding *encoding;
    const struct prompt_rule *family =
        prompt_rule_find(SLICE_LITERAL("claude-haiku-4-5"), &encoding);
    struct client *client = begin_messages(ASKS("900"), 0);
    for (int i = 0; i < 10; i++)
        say_words(client, 20);
    bench_text(client, BLOCK_ENDS);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    int64_t most = (200 * family->bound->text + 999) / 1000 + LIMIT_TEMPLATE_TOKENS;
    assert_true(most < 200 * 2);
    assert_int_equal(bench.done.usage.output, most);
    assert_null(bench.done.encoding);
    bench_close(&bench);
}

/* Forty words in one event are more than the sixteen tokens that were granted, whosever they are.
 */
static void a_stream_that_surely_passed_its_grant_is_cut(void **state)
{
    (void)state;
    struct client *client = begin_messages(ASKS("16"), 0);
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    bench_text(client, BLOCK_ENDS);
    bench_end(client, UPSTREAM_DONE);
    bench_close(&bench);
    client = begin_messages(ASKS("16"), view.held);
    say_words(client, 30);
    bench_turn(&bench);
    assert_false(client->cancelled);
    say_words(client, 10);
    bench_turn(&bench);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    assert_non_null(memmem(client->got.data, client->got.len, "\"max_tokens\"", 12));
    was_cut(view.held);
}

/* ---- What was told on the way ---------------------------------------------------------------- */

#define TOLD(input, output)                                                                        \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" one\"}}],\"usage\":{"              \
    "\"prompt_tokens\":" input ",\"completion_tokens\":" output                                    \
    ",\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"

/* 5,000 tokens of input where some ten were set aside, four of them cached; of output what was
 * granted, since what broke off may have made as much. */
static void input_that_was_told_is_charged_beyond_what_was_set_aside(void **state)
{
    (void)state;
    int64_t all = worst_case();
    struct client *client = begin(true);
    bench_text(client, TOLD("5000", "1"));
    chunks(client, 3);
    bench_end(client, UPSTREAM_LOST);
    bench_turn(&bench);
    assert_int_equal(bench.done.ending, METE_ENDED_LOST);
    assert_int_equal(bench.done.usage.input, 5000);
    assert_int_equal(bench.done.usage.cached_input, 4);
    assert_int_equal(bench.done.usage.output, 16);
    assert_int_equal(committed(), 4996 * 1000 + 4 * 500 + 16 * 2000);
    assert_true(committed() > all);
    bench_close(&bench);
}

static void output_that_was_told_is_charged_beyond_what_was_set_aside(void **state)
{
    (void)state;
    struct client *client = begin(true);
    bench_text(client, TOLD("10", "700"));
    chunks(client, 3);
    bench_text(client, DONE);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    assert_int_equal(committed(), 6 * 1000 + 4 * 500 + 700 * 2000);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_nobody_can_pay_for_ends_at_the_very_token),
        cmocka_unit_test(an_event_that_passes_the_grant_is_shortened),
        cmocka_unit_test(an_event_that_is_not_to_be_counted_goes_on_whole),
        cmocka_unit_test(a_stream_that_ends_before_a_character_is_charged_the_grant),
        cmocka_unit_test(what_waited_goes_on_untouched_if_more_is_granted),
        cmocka_unit_test(a_provider_that_ends_while_its_stream_waits_is_heard_out),
        cmocka_unit_test(a_provider_that_ends_without_a_last_event_is_heard_out),
        cmocka_unit_test(a_provider_that_ended_and_nobody_can_pay_for_is_cut_and_billed_as_it_told),
        cmocka_unit_test(a_provider_that_ended_without_usage_and_nobody_can_pay_for_is_cut),
        cmocka_unit_test(usage_that_waits_is_billed_when_the_way_down_ends_its_stream),
        cmocka_unit_test(usage_that_waits_is_billed_when_its_provider_breaks_off),
        cmocka_unit_test(a_provider_that_breaks_off_while_its_stream_waits_is_charged_the_grant),
        cmocka_unit_test(on_the_way_down_a_stream_that_waits_ends_well),
        cmocka_unit_test(a_client_that_leaves_while_its_stream_waits_is_charged_what_follows),
        cmocka_unit_test(an_answer_without_usage_is_charged_its_tokens),
        cmocka_unit_test(a_stream_that_broke_off_is_charged_what_may_have_been_under_way),
        cmocka_unit_test(without_usage_its_family_says_what_a_stream_is_charged),
        cmocka_unit_test(a_stream_that_surely_passed_its_grant_is_cut),
        cmocka_unit_test(input_that_was_told_is_charged_beyond_what_was_set_aside),
        cmocka_unit_test(output_that_was_told_is_charged_beyond_what_was_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
