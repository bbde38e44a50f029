/* SPDX-License-Identifier: Apache-2.0
 * Proves who is asked for a model, in which order, who is left alone and for how long, and that
 * second tries have a budget. Time is an argument. */
#include "gateway/providers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define S 1000000

static struct gateway_config config;
static struct providers providers;
static struct pricing *pricing;

static void price(const char *name, const char *input, const char *output)
{
    const struct pricing_row row = {
        .name = slice_of(name),
        .per_million = {[PRICE_INPUT] = slice_of(input), [PRICE_OUTPUT] = slice_of(output)}};
    assert_int_equal(pricing_put(pricing, &row), 0);
}

static void add(const char *name, const char *glob)
{
    struct gateway_provider *each = &config.providers[config.providers_len++];
    *each = (struct gateway_provider){.name = name, .base_url = "http://x", .weight = 1};
    if (glob) {
        each->models[0] = glob;
        each->models_len = 1;
    }
}

static int begin(void **state)
{
    (void)state;
    config = (struct gateway_config){.breaker_failures = 3, .breaker_pause_ms = 1000};
    return pricing_new(&pricing);
}

static void start(void)
{
    assert_int_equal(providers_open(&providers, &config, pricing, 7), 0);
}

static int end(void **state)
{
    (void)state;
    providers_close(&providers);
    pricing_free(pricing);
    return 0;
}

static struct candidates choose(const char *model)
{
    struct candidates c;
    providers_choose(&providers, pricing, slice_of(model), dialect_chat(), &c);
    return c;
}

static const char *name_of(const struct candidates *c, size_t i)
{
    return c->list[i].provider->config->name;
}

static bool take(size_t i, int64_t now_us)
{
    int64_t wait_us = 0;
    bool taken = providers_take(&providers, &providers.all[i], now_us, &wait_us);
    assert_true(taken || wait_us > 0);
    return taken;
}

static void give(size_t i, enum provider_outcome outcome, int64_t now_us)
{
    providers_give(&providers, &providers.all[i], outcome, 30 * S, now_us);
}

/* ---- Choosing -------------------------------------------------------------------------------- */

static void all_that_answer_are_candidates_in_their_order(void **state)
{
    (void)state;
    add("first", "a-*");
    add("other", "b-*");
    add("second", NULL);
    price("a-model", "1", "2");
    start();
    struct candidates c = choose("a-model");
    assert_int_equal(c.len, 2);
    assert_string_equal(name_of(&c, 0), "first");
    assert_string_equal(name_of(&c, 1), "second");
}

static void why_nobody_can_be_asked_is_told_apart(void **state)
{
    (void)state;
    add("one", "a-*");
    price("a-model", "1", "2");
    start();
    struct candidates c = choose("unheard");
    assert_true(!c.answers && !c.len);
    c = choose("a-unpriced-one");
    assert_true(c.answers && c.speaks && !c.len);
}

static void a_model_may_have_another_name_there(void **state)
{
    (void)state;
    add("one", "ours=theirs-v2");
    price("ours", "1", "2");
    price("one/theirs-v2", "3", "4");
    start();
    struct candidates c = choose("ours");
    assert_int_equal(c.len, 1);
    assert_true(slice_is(c.list[0].model, "theirs-v2"));
    assert_true(slice_is(c.list[0].price->name, "one/theirs-v2"));
}

static void the_cheapest_comes_first_by_price(void **state)
{
    (void)state;
    config.choose = GATEWAY_BY_PRICE;
    add("dear", NULL);
    add("cheap", NULL);
    add("middle", NULL);
    price("dear/m", "1", "9");
    price("cheap/m", "2", "1");
    price("middle/m", "1", "3");
    start();
    struct candidates c = choose("m");
    assert_string_equal(name_of(&c, 0), "cheap");
    assert_string_equal(name_of(&c, 1), "middle");
    assert_string_equal(name_of(&c, 2), "dear");
}

static void calls_spread_by_weight(void **state)
{
    (void)state;
    int firsts[3] = {0};
    config.choose = GATEWAY_BY_WEIGHT;
    add("none", NULL);
    add("one", NULL);
    add("three", NULL);
    config.providers[0].weight = 0;
    config.providers[2].weight = 3;
    price("m", "1", "2");
    start();
    for (int i = 0; i < 10000; i++) {
        struct candidates c = choose("m");
        assert_int_equal(c.len, 3);
        firsts[c.list[0].provider - providers.all]++;
    }
    assert_int_equal(firsts[0], 0);
    assert_in_range(firsts[1], 2200, 2800);
}

/* ---- Leaving alone --------------------------------------------------------------------------- */

static void failures_in_a_row_open_the_circuit_and_one_call_tries_it(void **state)
{
    (void)state;
    add("one", NULL);
    start();
    for (int i = 0; i < 3; i++) {
        assert_true(take(0, 0));
        give(0, PROVIDER_FAILED, 0);
    }
    assert_false(take(0, 999999));
    assert_true(take(0, 1000000)); /* the pause is over: one call */
    assert_false(take(0, 1000000));
    give(0, PROVIDER_FAILED, 1000000);
    assert_false(take(0, 1999999));
    assert_true(take(0, 2000000));
    give(0, PROVIDER_ANSWERED, 2000000);
    assert_true(take(0, 2000001));
    assert_true(take(0, 2000001));
    give(0, PROVIDER_ANSWERED, 2000002);
    give(0, PROVIDER_ANSWERED, 2000002);
    assert_int_equal(providers.all[0].opened, 2);
}

static void an_answer_between_failures_keeps_it_closed(void **state)
{
    (void)state;
    add("one", NULL);
    start();
    for (int i = 0; i < 20; i++) {
        assert_true(take(0, i));
        give(0, i % 3 == 2 ? PROVIDER_ANSWERED : PROVIDER_FAILED, i);
    }
}

static void what_we_broke_off_says_nothing(void **state)
{
    (void)state;
    add("one", NULL);
    start();
    for (int i = 0; i < 20; i++) {
        assert_true(take(0, i));
        give(0, PROVIDER_SAID_NOTHING, i);
    }
}

static void one_that_says_when_rests_until_then_but_no_longer_than_a_pause(void **state)
{
    (void)state;
    add("one", NULL);
    start();
    assert_true(take(0, 0));
    give(0, PROVIDER_RESTS, 0);
    assert_false(take(0, 999999));
    assert_true(take(0, 1000000));
    give(0, PROVIDER_ANSWERED, 1000000);
}

static void a_full_one_is_passed_over(void **state)
{
    (void)state;
    add("one", NULL);
    config.providers[0].calls_max = 2;
    start();
    assert_true(take(0, 0));
    assert_true(take(0, 0));
    assert_false(take(0, 0));
    give(0, PROVIDER_ANSWERED, 0);
    assert_true(take(0, 0));
    give(0, PROVIDER_ANSWERED, 0);
    give(0, PROVIDER_ANSWERED, 0);
}

static void its_rate_is_kept_over_any_minute(void **state)
{
    (void)state;
    int taken = 0;
    add("one", NULL);
    config.providers[0].requests_per_minute = 60;
    start();
    for (int64_t now_us = 0; now_us < 60 * (int64_t)S; now_us += 10000)
        if (take(0, now_us)) {
            taken++;
            give(0, PROVIDER_ANSWERED, now_us);
        }
    assert_in_range(taken, 60, 70); /* a minute's, and ten seconds' at once */
}

/* ---- Second tries ---------------------------------------------------------------------------- */

static void second_tries_have_a_budget(void **state)
{
    (void)state;
    int tries = 0;
    config.retry_percent = 20;
    start();
    while (providers_second_try(&providers))
        tries++;
    assert_int_equal(tries, 100);
    for (int i = 0; i < 50; i++)
        providers_first_try(&providers);
    for (tries = 0; providers_second_try(&providers);)
        tries++;
    assert_int_equal(tries, 10);
}

static void a_base_url_gets_its_version_only_without_a_path(void **state)
{
    (void)state;
    add("one", NULL);
    add("two", NULL);
    add("six", NULL);
    config.providers[0].base_url = "https://api.example.com/v9/";
    config.providers[1].base_url = "https://x.example.com:8443/openai/{model}?api-version=1";
    config.providers[2].base_url = "http://[::1]:80/v1";
    start();
    assert_string_equal(providers.all[0].base, "https://api.example.com/v9");
    assert_string_equal(providers.all[0].host, "api.example.com");
    assert_int_equal(providers.all[0].port, 0);
    assert_string_equal(providers.all[1].base, "https://x.example.com:8443/openai/{model}");
    assert_string_equal(providers.all[1].query, "api-version=1");
    assert_string_equal(providers.all[1].host, "x.example.com");
    assert_int_equal(providers.all[1].port, 8443);
    assert_string_equal(providers.all[2].host, "[::1]");
    assert_int_equal(providers.all[2].port, 80);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(all_that_answer_are_candidates_in_their_order),
        TEST(why_nobody_can_be_asked_is_told_apart),
        TEST(a_model_may_have_another_name_there),
        TEST(the_cheapest_comes_first_by_price),
        TEST(calls_spread_by_weight),
        TEST(failures_in_a_row_open_the_circuit_and_one_call_tries_it),
        TEST(an_answer_between_failures_keeps_it_closed),
        TEST(what_we_broke_off_says_nothing),
        TEST(one_that_says_when_rests_until_then_but_no_longer_than_a_pause),
        TEST(a_full_one_is_passed_over),
        TEST(its_rate_is_kept_over_any_minute),
        TEST(second_tries_have_a_budget),
        TEST(a_base_url_gets_its_version_only_without_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
