/* SPDX-License-Identifier: Apache-2.0
 * Proves what the gateway's limit of calls at once does for a key (connections_per_key), with the
 * bench of property/model_gateway.h: what is over it is refused before anything is reserved, and
 * however a call ends its place is free again. */
#include "property/model_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HI                                                                                         \
    "{\"model\":\"bench-model\",\"max_tokens\":10,\"messages\":[{\"role\":\"user\",\"content\":"   \
    "\"hi\"}]}"
#define ANSWER                                                                                     \
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}"

static struct bench bench;

static void answer(struct client *client)
{
    bench_head(client, 200, "application/json");
    bench_text(client, ANSWER);
    bench_end(client, UPSTREAM_DONE);
    assert_int_equal(client->status, 200);
}

static void who_is_one_too_many_is_told_to_wait(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.key_calls_max = 2});
    struct client *first = bench_post(&bench, HI), *second = bench_post(&bench, HI);
    struct mete_budget_view before, after;
    bench_budget(&bench, &before);
    struct client *third = bench_post(&bench, HI);
    bench_budget(&bench, &after);
    assert_int_equal(third->status, 429);
    assert_int_equal(third->times_asked, 0);
    assert_int_equal(after.held, before.held); /* nothing was set aside for it */
    assert_true(bench_reply_has(third, "retry-after", "1"));
    assert_non_null(memmem(third->got.data, third->got.len, "\"rate_limit_exceeded\"", 21));
    assert_int_equal(bench.done.refused, METE_CONCURRENCY);
    answer(first);
    struct client *fourth = bench_post(&bench, HI);
    assert_int_equal(fourth->times_asked, 1);
    answer(second);
    answer(fourth);
    bench_close(&bench);
}

static void every_end_gives_the_place_back(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.key_calls_max = 1, .cancel = true});
    answer(bench_post(&bench, HI));
    struct client *client = bench_post(&bench, HI);
    bench_end(client, UPSTREAM_NOT_SENT);
    client = bench_post(&bench, HI);
    bench_gone(client);
    bench_end(client, UPSTREAM_CANCELLED);
    client = bench_post(&bench, "{\"model\":\"dear-model\",\"messages\":[]}");
    assert_int_equal(client->status, 400);
    client = bench_post(&bench, "{");
    assert_int_equal(client->status, 400);
    client = bench_post(&bench, HI);
    assert_int_equal(client->times_asked, 1);
    answer(client);
    bench_close(&bench);
}

static void another_key_has_places_of_its_own(void **state)
{
    (void)state;
    bench_open(&bench, &(struct bench_setup){.key_calls_max = 1});
    struct client *first = bench_post(&bench, HI);
    struct client *second = bench_client(&bench, HI);
    bench_header(second, "authorization", NULL);
    bench_header(second, "x-api-key", bench.narrow_key);
    bench_begin(second);
    assert_int_equal(second->times_asked, 1);
    answer(first);
    answer(second);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_one_too_many_is_told_to_wait),
        cmocka_unit_test(every_end_gives_the_place_back),
        cmocka_unit_test(another_key_has_places_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
