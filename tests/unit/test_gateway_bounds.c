/* SPDX-License-Identifier: Apache-2.0
 * Proves, over a real engine in memory and a provider that keeps no bounds, that a stream never
 * outruns what was set aside for it: it asks for more, and where nothing more is affordable it is
 * cut with an end of its format, charged what was set aside. And that emergency stops, the way down
 * and a client who left for too long end streams in the same way, each with its own ending. */
#include "base/limits.h"
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define STREAM "{\"model\":\"bench-model\",\"max_tokens\":16," HI ",\"stream\":true}"
#define STREAM_USAGE                                                                               \
    "{\"model\":\"bench-model\",\"max_tokens\":16," HI                                             \
    ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
#define CHUNK "data: {\"id\":\"c-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n"
#define FINISHED                                                                                   \
    "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"\","     \
    "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
#define USAGE(output)                                                                              \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":" output "}}\n\n"
#define DONE "data: [DONE]\n\n"
#define EVENTS "text/event-stream"

static struct bench bench;

/* What one of these calls sets aside: its input's bound and 16 tokens, at 1 and 2 USD a million. */
static int64_t worst_case(const char *body)
{
    return ((int64_t)strlen(body) + LIMIT_TEMPLATE_TOKENS) * 1000 + 16 * 2000;
}

static void start(int64_t limit_nano)
{
    bench_open(&bench, &(struct bench_setup){.limit_nano = limit_nano});
}

static void chunks(struct client *client, int len)
{
    for (int i = 0; i < len; i++) {
        bench_text(client, CHUNK);
        bench_turn(&bench);
    }
}

static bool ends_with(const struct client *client, const char *text)
{
    size_t len = strlen(text);
    return client->got.len >= len && !memcmp(client->got.data + client->got.len - len, text, len);
}

static int64_t committed(void)
{
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    return view.committed;
}

static void ended(enum mete_ending ending, int64_t cost)
{
    assert_int_equal(bench.done.ending, ending);
    assert_int_equal(committed(), cost);
    bench_close(&bench);
}

/* ---- The bound ------------------------------------------------------------------------------- */

static void a_stream_past_its_grant_is_granted_more_while_it_is_affordable(void **state)
{
    (void)state;
    start(0);
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    chunks(client, 40);
    assert_false(client->cancelled);
    struct gateway_counts counts;
    gateway_counts(bench.gateway, &counts);
    assert_int_equal(counts.extended, 2); /* 16, 32, 64 */
    bench_text(client, USAGE("40") DONE);
    bench_end(client, UPSTREAM_DONE);
    assert_true(ends_with(client, DONE));
    ended(METE_ENDED_OK, 10 * 1000 + 40 * 2000);
}

static void a_stream_within_its_grant_asks_for_nothing(void **state)
{
    (void)state;
    start(worst_case(STREAM));
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    chunks(client, 16);
    assert_false(client->cancelled);
    bench_text(client, USAGE("16") DONE);
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_OK, 10 * 1000 + 16 * 2000);
}

static void a_stream_nobody_can_pay_for_is_cut_with_a_good_end(void **state)
{
    (void)state;
    start(worst_case(STREAM));
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    chunks(client, 17);
    assert_true(client->cancelled);
    bench_text(client, CHUNK); /* too late */
    bench_end(client, UPSTREAM_CANCELLED);
    assert_int_equal(client->got.len, 17 * strlen(CHUNK) + strlen(FINISHED) +
                                          strlen(": mete-cost 0.000198\n\n") + strlen(DONE));
    assert_true(ends_with(client, DONE));
    assert_non_null(memmem(client->got.data, client->got.len, FINISHED, strlen(FINISHED)));
    ended(METE_ENDED_CUT, worst_case(STREAM));
}

static void a_cut_stream_tells_its_usage_to_who_asked(void **state)
{
    (void)state;
    start(worst_case(STREAM_USAGE));
    struct client *client = bench_post(&bench, STREAM_USAGE);
    bench_head(client, 200, EVENTS);
    chunks(client, 17);
    bench_end(client, UPSTREAM_CANCELLED);
    assert_non_null(memmem(client->got.data, client->got.len, "\"completion_tokens\":16,", 23));
    assert_non_null(memmem(client->got.data, client->got.len, "\"cost\":0.0002", 13));
    assert_true(ends_with(client, DONE));
    ended(METE_ENDED_CUT, worst_case(STREAM_USAGE));
}

/* Few events, each full: running text has no token of more than 16 bytes on average. */
static void a_flood_in_one_event_is_seen_by_its_bytes(void **state)
{
    (void)state;
    char event[1024];
    start(worst_case(STREAM));
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    snprintf(event, sizeof event,
             "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%0300d\"}}]}\n\n", 0);
    bench_text(client, event);
    bench_turn(&bench);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    ended(METE_ENDED_CUT, worst_case(STREAM));
}

static void a_provider_that_ends_while_more_is_asked_for_ends_well(void **state)
{
    (void)state;
    start(worst_case(STREAM));
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    for (int i = 0; i < 17; i++)
        bench_text(client, CHUNK); /* no turn: the engine has not answered */
    bench_text(client, USAGE("17") DONE);
    bench_end(client, UPSTREAM_DONE);
    assert_true(ends_with(client, DONE));
    ended(METE_ENDED_OK, 10 * 1000 + 17 * 2000);
}

/* ---- Stops ----------------------------------------------------------------------------------- */

static void put_stop(uint32_t stop_ppm)
{
    uint32_t handle;
    const struct mete_change change = {.kind = METE_PUT_BUDGET,
                                       .budget = {.id = {"all", 3},
                                                  .scope = bench.organization,
                                                  .meter = METE_COST,
                                                  .currency = METE_USD,
                                                  .limit = 1000000,
                                                  .period = METE_TOTAL,
                                                  .controls = {.stop_ppm = stop_ppm}}};
    struct mete_op op = {
        .kind = METE_OP_APPLY, .args.apply = {&change, 1, {"test", 4}}, .handles = &handle};
    bench_do(&bench, &op);
    assert_int_equal(op.status, 0);
}

static struct client *begin_stream(void)
{
    struct client *client = bench_post(&bench, STREAM);
    bench_head(client, 200, EVENTS);
    chunks(client, 3);
    return client;
}

/* Spends nine tenths of the budget beside what runs. */
static void spend(void)
{
    const struct mete_usage usage = {METE_COST, METE_USD, 900000};
    struct mete_op op = {.kind = METE_OP_RECORD,
                         .args.record = {.scope = bench.scope,
                                         .usage = &usage,
                                         .usage_len = 1,
                                         .outcome = {.ending = METE_ENDED_RECORDED}}};
    bench_do(&bench, &op);
    assert_int_equal(op.status, 0);
}

static void an_emergency_stop_ends_streams_when_its_grace_is_over(void **state)
{
    (void)state;
    start(1000000);
    put_stop(800000);
    struct client *client = begin_stream();
    spend();
    assert_int_equal(gateway_stop(bench.gateway, bench.budget), 0);
    bench_turn(&bench);
    bench_turn(&bench);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    assert_true(ends_with(client, DONE));
    assert_non_null(memmem(client->got.data, client->got.len, "\"length\"", 8));
    assert_int_equal(bench.done.ending, METE_ENDED_STOPPED);
    bench_close(&bench);
}

static void a_stop_that_is_not_on_ends_nobody(void **state)
{
    (void)state;
    start(1000000);
    put_stop(990000);
    struct client *client = begin_stream();
    spend();
    assert_int_equal(gateway_stop(bench.gateway, bench.budget), 0);
    bench_turn(&bench);
    bench_turn(&bench);
    assert_false(client->cancelled);
    bench_text(client, USAGE("3") DONE);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(bench.done.ending, METE_ENDED_OK);
    bench_close(&bench);
}

static void on_the_way_down_streams_end_well(void **state)
{
    (void)state;
    start(0);
    struct client *client = begin_stream();
    gateway_shutdown(bench.gateway);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    assert_true(ends_with(client, DONE));
    assert_int_equal(bench.done.ending, METE_ENDED_SHUTDOWN);
    bench_close(&bench);
}

static void a_call_whose_client_left_goes_on_for_so_long_only(void **state)
{
    (void)state;
    start(0);
    bench.config.drain_timeout_ms = 1000;
    struct client *client = begin_stream();
    bench_gone(client); /* the bench's timers fire in the next turn */
    bench_turn(&bench);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    assert_int_equal(bench.done.ending, METE_ENDED_CANCELLED);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_past_its_grant_is_granted_more_while_it_is_affordable),
        cmocka_unit_test(a_stream_within_its_grant_asks_for_nothing),
        cmocka_unit_test(a_stream_nobody_can_pay_for_is_cut_with_a_good_end),
        cmocka_unit_test(a_cut_stream_tells_its_usage_to_who_asked),
        cmocka_unit_test(a_flood_in_one_event_is_seen_by_its_bytes),
        cmocka_unit_test(a_provider_that_ends_while_more_is_asked_for_ends_well),
        cmocka_unit_test(an_emergency_stop_ends_streams_when_its_grace_is_over),
        cmocka_unit_test(a_stop_that_is_not_on_ends_nobody),
        cmocka_unit_test(on_the_way_down_streams_end_well),
        cmocka_unit_test(a_call_whose_client_left_goes_on_for_so_long_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
