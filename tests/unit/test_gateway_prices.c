/* SPDX-License-Identifier: Apache-2.0
 * Proves that what a gateway call may use beside text is set aside for and charged: with the models
 * of the bench (property/model_gateway.h) at 1 a million for input, 2 for output, and 3 for an hour
 * in the cache. */
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct bench bench;

static struct mete_budget_view view(void)
{
    struct mete_budget_view found;
    bench_budget(&bench, &found);
    return found;
}

/* What was counted is charged at the dearest price the call could meet: an hour in the cache at 3,
 * not input at 1. */
static void a_count_is_priced_as_its_reservation_was(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.family = "anthropic"});
    struct client *client = bench_client(
        &bench, "{\"model\":\"bench-model\",\"max_tokens\":100,\"stream\":true,\"messages\":[{"
                "\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\","
                "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]}]}");
    client->exchange.path = SLICE_LITERAL("/v1/messages");
    bench_begin(client);
    int64_t whole = view().held;
    assert_true(whole > 100 * 2000);
    bench_head(client, 200, "text/event-stream");
    bench_text(client, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                       "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"yes\"}}\n\n");
    bench_end(client, UPSTREAM_DONE);
    assert_true(bench.done.cost_nano > whole - 100 * 2000);
    assert_true(bench.done.cost_nano < whole);
    assert_int_equal(bench.done.ending, METE_ENDED_NO_USAGE);
    assert_int_equal(view().committed, bench.done.cost_nano);
    bench_close(&bench);
}

static int64_t held_for(const struct bench_setup *setup, const char *model)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"model\":\"%s\",\"max_tokens\":1000,\"messages\":[{\"role\":\"user\",\"content\":"
             "\"hi\"}]}",
             model);
    bench_open(&bench, setup);
    struct client *client = bench_post(&bench, body);
    int64_t held = view().held;
    bench_end(client, UPSTREAM_NOT_SENT);
    bench_close(&bench);
    return held;
}

/* A provider may have any name here; its prices are those of the one it is. */
static void a_provider_has_the_prices_it_is_said_to_have(void **state)
{
    (void)state;
    int64_t openai = held_for(&(struct bench_setup){.catch_all = "openai"}, "gpt-4o-mini");
    int64_t mine = held_for(&(struct bench_setup){.catch_all = "mine"}, "gpt-4o-mini");
    int64_t azure =
        held_for(&(struct bench_setup){.catch_all = "mine", .priced_as = "azure"}, "gpt-4o-mini");
    assert_int_equal(mine, openai);
    assert_true(azure > openai); /* 0.165 and 0.66, where OpenAI takes 0.15 and 0.60 */
}

static const char *list_of(const struct bench_setup *setup)
{
    static char text[1024 * 1024];
    bench_open(&bench, setup);
    struct client *client = bench_client(&bench, "");
    client->exchange.method = SLICE_LITERAL("GET");
    client->exchange.path = SLICE_LITERAL("/v1/models");
    bench_begin(client);
    assert_int_equal(client->status, 200);
    snprintf(text, sizeof text, "%.*s", (int)client->got.len, (const char *)client->got.data);
    bench_close(&bench);
    return text;
}

static void models_are_listed_by_the_names_their_provider_takes(void **state)
{
    (void)state;
    const char *list = list_of(&(struct bench_setup){.catch_all = "openrouter"});
    assert_non_null(strstr(list, "\"id\":\"openai/gpt-4o\""));
    assert_null(strstr(list, "\"id\":\"openrouter/openai/"));
    list = list_of(&(struct bench_setup){.catch_all = "mine", .priced_as = "xai"});
    assert_non_null(strstr(list, "\"id\":\"grok-4\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_priced_as_its_reservation_was),
        cmocka_unit_test(a_provider_has_the_prices_it_is_said_to_have),
        cmocka_unit_test(models_are_listed_by_the_names_their_provider_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
