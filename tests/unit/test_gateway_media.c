/* SPDX-License-Identifier: Apache-2.0
 * Proves, over a real engine in memory and a provider that does what it is told, that calls which
 * are billed by the piece are bounded before they are sent and charged once, however they end; and
 * that bytes of sound go on as they come, but for the end, which waits for the commit. */
#include "base/limits.h"
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SPEECH "{\"model\":\"tts-1\",\"voice\":\"alloy\",\"input\":\"hello\"}"
#define SPEECH_COST 75000 /* five characters at 15 USD a million */
#define PICTURES "{\"model\":\"dall-e-3\",\"prompt\":\"a sea\",\"n\":2,\"quality\":\"hd\"}"
#define PICTURES_COST 160000000
#define SOUND "audio/mpeg"
#define JSON "application/json"

static struct bench bench;

static void start(struct bench_setup setup)
{
    setup.catch_all = "openai";
    bench_open(&bench, &setup);
}

static struct client *post(const char *path, const char *body)
{
    struct client *client = bench_client(&bench, body);
    client->exchange.path = slice_of(path);
    bench_begin(client);
    return client;
}

static struct client *speak(void)
{
    struct client *client = post("/v1/audio/speech", SPEECH);
    assert_int_equal(client->times_asked, 1);
    return client;
}

static void ended(enum mete_ending ending, int64_t cost)
{
    struct mete_budget_view view;
    bench_budget(&bench, &view);
    assert_int_equal(bench.done.ending, ending);
    assert_int_equal(bench.done.cost_nano, cost);
    assert_int_equal(view.committed, cost);
    assert_int_equal(view.held, 0);
    assert_int_equal(bench.dones, 1);
    bench_close(&bench);
}

static bool has_got(const struct client *client, const char *text)
{
    return slice_is(buffer_slice(&client->got), text);
}

static void sound_goes_on_as_it_comes_and_ends_after_the_commit(void **state)
{
    (void)state;
    struct mete_budget_view view;
    start((struct bench_setup){0});
    struct client *client = speak();
    bench_budget(&bench, &view);
    assert_int_equal(view.held, SPEECH_COST);
    bench_head(client, 200, SOUND);
    assert_true(client->started && client->status == 200);
    assert_true(bench_reply_has(client, "content-type", SOUND));
    bench_data(client, (struct slice){"a\0b", 3});
    bench_text(client, "c");
    assert_true(slice_equal(buffer_slice(&client->got), (struct slice){"a\0bc", 4}));
    assert_int_equal(client->replies, 0);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(client->replies, 1);
    assert_int_equal(bench.done.usage.characters, 5);
    assert_int_equal(bench.done.usage.input + bench.done.usage.output, 0);
    ended(METE_ENDED_OK, SPEECH_COST);
}

static void sound_that_breaks_off_is_charged(void **state)
{
    (void)state;
    static const struct {
        enum upstream_end end;
        enum mete_ending ending;
    } all[] = {{UPSTREAM_LOST, METE_ENDED_LOST}, {UPSTREAM_TIMEOUT, METE_ENDED_TIMEOUT}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        start((struct bench_setup){0});
        bench.dones = 0;
        struct client *client = speak();
        bench_head(client, 200, SOUND);
        bench_text(client, "half of");
        bench_end(client, all[i].end);
        assert_true(has_got(client, "half of"));
        ended(all[i].ending, SPEECH_COST);
    }
}

static void a_client_that_leaves_pays_for_what_is_spoken(void **state)
{
    (void)state;
    start((struct bench_setup){0});
    struct client *client = speak();
    bench_head(client, 200, SOUND);
    bench_text(client, "heard");
    bench_gone(client);
    bench_text(client, "unheard");
    assert_true(has_got(client, "heard"));
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_CLIENT_GONE, SPEECH_COST);
}

static void a_client_that_leaves_may_stop_its_provider(void **state)
{
    (void)state;
    start((struct bench_setup){.cancel = true});
    struct client *client = speak();
    bench_head(client, 200, SOUND);
    bench_gone(client);
    assert_true(client->cancelled);
    bench_end(client, UPSTREAM_CANCELLED);
    ended(METE_ENDED_CANCELLED, SPEECH_COST);
}

static void a_slow_listener_holds_its_provider(void **state)
{
    (void)state;
    start((struct bench_setup){0});
    struct client *client = speak();
    bench_head(client, 200, SOUND);
    client->queue = EXCHANGE_QUEUE_HIGH + 1;
    bench_text(client, "much");
    assert_true(client->paused);
    client->queue = 0;
    struct exchange_handler handler = gateway_handler(bench.gateway);
    handler.drained(handler.self, &client->exchange);
    assert_false(client->paused);
    bench_end(client, UPSTREAM_DONE);
    ended(METE_ENDED_OK, SPEECH_COST);
}

static void an_error_in_place_of_sound_costs_nothing(void **state)
{
    (void)state;
    start((struct bench_setup){0});
    struct client *client = speak();
    bench_head(client, 400, JSON);
    bench_text(client, "{\"error\":{}}");
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(client->status, 400);
    assert_true(has_got(client, "{\"error\":{}}"));
    ended(METE_ENDED_ERROR, 0);
}

static void pictures_are_charged_as_they_came(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum mete_ending ending;
        int64_t cost;
        int status;
    } all[] = {
        {"{\"data\":[{},{}]}", METE_ENDED_OK, PICTURES_COST, 200},
        {"{\"data\":[{}]}", METE_ENDED_OK, PICTURES_COST / 2, 200},
        {"{\"data\":[]}", METE_ENDED_OK, PICTURES_COST, 200}, /* none is told: as asked */
        {"{}", METE_ENDED_OK, PICTURES_COST, 200},
        {"{\"data\":[{},{}],\"quality\":\"standard\"}", METE_ENDED_OK, PICTURES_COST / 2, 200},
        {"<html>", METE_ENDED_LOST, PICTURES_COST, 502}, /* what was set aside */
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        start((struct bench_setup){0});
        bench.dones = 0;
        struct client *client = post("/v1/images/generations", PICTURES);
        bench_head(client, 200, JSON);
        bench_text(client, all[i].answer);
        bench_end(client, UPSTREAM_DONE);
        assert_int_equal(client->status, all[i].status);
        ended(all[i].ending, all[i].cost);
    }
}

static void pictures_that_no_budget_affords_reach_nobody(void **state)
{
    (void)state;
    start((struct bench_setup){.limit_nano = PICTURES_COST - 1});
    struct client *client = post("/v1/images/generations", PICTURES);
    assert_int_equal(client->times_asked, 0);
    assert_int_equal(client->status, 429);
    bench_close(&bench);
}

/* Field notes, 1.6: media priced at 0. */
static void what_has_no_price_of_its_piece_reaches_nobody(void **state)
{
    (void)state;
    static const char *const calls[][2] = {
        {"/v1/images/generations", "{\"model\":\"tts-1\",\"prompt\":\"x\"}"},
        {"/v1/images/generations", "{\"model\":\"bench-model\",\"prompt\":\"x\"}"},
        {"/v1/audio/speech", "{\"model\":\"dall-e-3\",\"input\":\"x\"}"},
        {"/v1/audio/speech", "{\"model\":\"bench-model\",\"input\":\"x\"}"},
        {"/v1/videos", "{\"model\":\"dall-e-3\",\"prompt\":\"x\"}"},
        {"/v1/chat/completions", "{\"model\":\"dall-e-3\",\"messages\":[]}"},
        {"/v1/embeddings", "{\"model\":\"tts-1\",\"input\":\"x\"}"},
        {"/v1/moderations", "{\"model\":\"whisper-1\",\"input\":\"x\"}"},
        {"/v1/moderations", "{\"model\":\"unheard-of\",\"input\":\"x\"}"}};
    start((struct bench_setup){0});
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct client *client = post(calls[i][0], calls[i][1]);
        assert_int_equal(client->times_asked, 0);
        assert_int_equal(client->status, 400);
    }
    bench_close(&bench);
}

static void a_moderation_is_free_by_its_price(void **state)
{
    (void)state;
    start((struct bench_setup){0});
    struct client *client = post("/v1/moderations", "{\"input\":\"x\"}");
    assert_true(slice_is(buffer_slice(&client->asked),
                         "{\"model\":\"omni-moderation-latest\",\"input\":\"x\"}"));
    bench_head(client, 200, JSON);
    bench_text(client, "{\"id\":\"modr-1\",\"results\":[]}");
    bench_end(client, UPSTREAM_DONE);
    assert_true(bench_reply_has(client, "x-mete-cost", "0.00"));
    ended(METE_ENDED_OK, 0);
}

static void a_job_is_charged_what_it_says_until_it_is_done(void **state)
{
    (void)state;
    start((struct bench_setup){0});
    struct client *client = post("/v1/videos", "{\"model\":\"sora-2\",\"prompt\":\"x\"}");
    bench_head(client, 200, JSON);
    bench_text(client, "{\"id\":\"video_1\",\"object\":\"video\",\"status\":\"queued\","
                       "\"seconds\":\"4\",\"size\":\"720x1280\"}");
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(bench.done.usage.video_seconds, 4);
    ended(METE_ENDED_OK, 400000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_goes_on_as_it_comes_and_ends_after_the_commit),
        cmocka_unit_test(sound_that_breaks_off_is_charged),
        cmocka_unit_test(a_client_that_leaves_pays_for_what_is_spoken),
        cmocka_unit_test(a_client_that_leaves_may_stop_its_provider),
        cmocka_unit_test(a_slow_listener_holds_its_provider),
        cmocka_unit_test(an_error_in_place_of_sound_costs_nothing),
        cmocka_unit_test(pictures_are_charged_as_they_came),
        cmocka_unit_test(pictures_that_no_budget_affords_reach_nobody),
        cmocka_unit_test(what_has_no_price_of_its_piece_reaches_nobody),
        cmocka_unit_test(a_moderation_is_free_by_its_price),
        cmocka_unit_test(a_job_is_charged_what_it_says_until_it_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
