/* SPDX-License-Identifier: Apache-2.0
 * What went wrong in others' prices, and may not go wrong here: a test a way of failing (group 1.6
 * of docs/proof.md). Each is shown to fail when its guard is taken out (tools/guards). */
#include "pricing/pricing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define TEXT(literal) SLICE_LITERAL(literal)

static struct pricing *pricing;

static int set_up(void **state)
{
    (void)state;
    return pricing_new(&pricing);
}

static int tear_down(void **state)
{
    (void)state;
    pricing_free(pricing);
    return 0;
}

static const struct price_model *model(const char *name)
{
    const struct price_model *found = pricing_find(pricing, slice_of(name));
    assert_non_null(found);
    return found;
}

/* 3 and 15 a million, and what else is set. */
static struct pricing_row plain(void)
{
    return (struct pricing_row){
        .name = TEXT("m"), .per_million = {[PRICE_INPUT] = TEXT("3"), [PRICE_OUTPUT] = TEXT("15")}};
}

static const struct price_model *put(struct pricing_row row)
{
    assert_int_equal(pricing_put(pricing, &row), 0);
    return model("m");
}

static int64_t charge(const struct price_model *of, struct pricing_usage usage)
{
    int64_t nano = -1;
    assert_int_equal(pricing_charge(of, &usage, &nano), 0);
    return nano;
}

static int refusal(const struct price_model *of, struct pricing_usage usage)
{
    int64_t nano = 77;
    int error = pricing_charge(of, &usage, &nano);
    assert_int_equal(nano, 77);
    return error;
}

/* litellm 9812, bifrost 3451: what was written to the cache was charged as input and as a write. */
static void group_1_6_a_cache_write_was_charged_twice(void **state)
{
    (void)state;
    const struct pricing_usage usage = {.input = 10000, .cache_write = 10000};
    assert_int_equal(charge(model("claude-sonnet-4-5"), usage), 37500000);
}

/* bifrost 904, litellm 11364: what was read from the cache was charged as if it had not been. */
static void group_1_6_a_cache_read_was_at_the_full_price(void **state)
{
    (void)state;
    const struct pricing_usage usage = {.input = 10000, .cached_input = 10000};
    assert_int_equal(charge(model("claude-sonnet-4-5"), usage), 3000000);
}

/* litellm 29145, bifrost PR 1872: no price for the cache was a price of nothing. */
static void group_1_6_a_missing_cache_price_made_tokens_free(void **state)
{
    (void)state;
    const struct price_model *of = put(plain());
    assert_int_equal(charge(of, (struct pricing_usage){.input = 1000, .cached_input = 1000}),
                     3000000);
    assert_int_equal(charge(of, (struct pricing_usage){.input = 1000, .cache_write = 1000}),
                     3000000);
}

/* An hour in the cache costs twice the input, not one and a quarter. */
static void group_1_6_an_hour_in_the_cache_was_at_the_price_of_minutes(void **state)
{
    (void)state;
    const struct pricing_usage usage = {
        .input = 10000, .cache_write = 10000, .cache_write_1h = 10000};
    assert_int_equal(charge(model("claude-sonnet-4-5"), usage), 60000000);
}

/* litellm 15263, 15292: more cached tokens than tokens made input negative, and the cost. */
static void group_1_6_a_cost_was_negative(void **state)
{
    (void)state;
    const struct price_model *of = model("claude-sonnet-4-5");
    assert_int_equal(refusal(of, (struct pricing_usage){.input = 10, .cached_input = 1000}),
                     METE_E_INVALID);
    assert_int_equal(refusal(of, (struct pricing_usage){.output = 10, .reasoning = 1000}),
                     METE_E_INVALID);
}

/* litellm 38730: prices that were off by a factor; the worst are per million where per token
 * belongs. */
static void group_1_6_a_price_of_another_unit_was_taken(void **state)
{
    (void)state;
    struct pricing_row row = plain();
    row.per_million[PRICE_INPUT] = TEXT("3000000");
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    assert_null(pricing_find(pricing, TEXT("m")));
}

/* bifrost 5063: the fast mode's tokens were at its price, but for those of the cache. */
static void group_1_6_the_fast_mode_read_its_cache_at_the_slow_price(void **state)
{
    (void)state;
    const struct pricing_usage usage = {
        .input = 10000, .cached_input = 10000, .service = PRICE_FAST};
    assert_int_equal(charge(model("claude-opus-4-6"), usage), 30000000);
}

/* bifrost 5243: prices not as documented. Beyond its threshold all of a call is dearer. */
static void group_1_6_a_long_prompt_was_charged_as_a_short_one(void **state)
{
    (void)state;
    const struct pricing_usage usage = {.input = 200001, .output = 1000};
    assert_int_equal(charge(model("claude-sonnet-4-5"), usage), 1222506000);
}

/* The same, before the call: what is set aside must cover what will be charged. */
static void group_1_6_a_long_prompt_was_set_aside_for_as_a_short_one(void **state)
{
    (void)state;
    const struct pricing_limits limits = {.input = 200001, .choices = 1};
    struct mete_demand demand = {0};
    assert_int_equal(pricing_bound(model("claude-sonnet-4-5"), &limits, &demand), 0);
    assert_true(demand.fixed >= 200001 * INT64_C(6000));
    assert_int_equal(demand.per_million, INT64_C(22500000000));
}

/* A tenth of what it costs. */
static void group_1_6_sound_was_charged_as_text(void **state)
{
    (void)state;
    const struct price_model *of = put(plain());
    const struct pricing_limits limits = {.choices = 1, .also = PRICE_BIT(PRICE_AUDIO_INPUT)};
    struct mete_demand demand;
    assert_int_equal(refusal(of, (struct pricing_usage){.input = 10, .audio_input = 10}),
                     METE_E_UNPRICED);
    assert_int_equal(pricing_bound(of, &limits, &demand), METE_E_UNPRICED);
}

/* Searches are no tokens, so nobody charged them. */
static void group_1_6_a_search_was_free(void **state)
{
    (void)state;
    const struct pricing_limits limits = {.choices = 1, .searches = 1};
    struct mete_demand demand;
    assert_int_equal(charge(model("claude-sonnet-4-5"), (struct pricing_usage){.searches = 2}),
                     20000000);
    assert_int_equal(refusal(put(plain()), (struct pricing_usage){.searches = 2}), METE_E_UNPRICED);
    assert_int_equal(pricing_bound(put(plain()), &limits, &demand), METE_E_UNPRICED);
}

/* litellm 24770, 25874, and others' calculators of media: pictures, speech and video that nobody
 * had priced by the piece, and whose answer told no tokens, cost nothing. */
static void group_1_6_a_picture_was_free(void **state)
{
    (void)state;
    const struct pricing_limits limits = {.choices = 1, .images = 2};
    struct mete_demand demand;
    assert_int_equal(charge(model("dall-e-3"), (struct pricing_usage){.images = 2}), 80000000);
    assert_int_equal(pricing_bound(model("dall-e-3"), &limits, &demand), 0);
    assert_true(demand.fixed >= 80000000);
    assert_int_equal(refusal(put(plain()), (struct pricing_usage){.images = 2}), METE_E_UNPRICED);
    assert_int_equal(refusal(put(plain()), (struct pricing_usage){.characters = 9}),
                     METE_E_UNPRICED);
    assert_int_equal(refusal(put(plain()), (struct pricing_usage){.audio_seconds = 9}),
                     METE_E_UNPRICED);
    assert_int_equal(refusal(put(plain()), (struct pricing_usage){.video_seconds = 9}),
                     METE_E_UNPRICED);
}

/* litellm 36561, 30715, 24770, 25874: a model without a price cost nothing, and so no limit held.
 */
static void group_1_6_an_unknown_model_was_free(void **state)
{
    (void)state;
    assert_null(pricing_find(pricing, TEXT("nobody-heard-of-it")));
    assert_null(pricing_find_of(pricing, TEXT("openai"), TEXT("nobody-heard-of-it")));
    struct pricing_row half = plain();
    half.per_million[PRICE_OUTPUT] = TEXT("");
    assert_int_equal(pricing_put(pricing, &half), 0);
    assert_null(pricing_find(pricing, TEXT("m"))); /* nor is one whose output has none */
}

/* headroom 3732, litellm-rs 831: a model that the list had dropped got a price made up from a name
 * nearby. */
static void group_1_6_a_price_was_made_up_from_a_name_nearby(void **state)
{
    (void)state;
    assert_non_null(pricing_find(pricing, TEXT("gpt-4o-mini-20311231"))); /* a date is no name */
    assert_null(pricing_find(pricing, TEXT("gpt-4o-mini-tomorrow")));
    assert_null(pricing_find(pricing, TEXT("gpt-4o-mini-newmodel")));
    assert_null(pricing_find(pricing, TEXT("elsewhere/gpt-4o-mini")));
}

int main(void)
{
#define REGRESSION(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        REGRESSION(group_1_6_a_cache_write_was_charged_twice),
        REGRESSION(group_1_6_a_cache_read_was_at_the_full_price),
        REGRESSION(group_1_6_a_missing_cache_price_made_tokens_free),
        REGRESSION(group_1_6_an_hour_in_the_cache_was_at_the_price_of_minutes),
        REGRESSION(group_1_6_a_cost_was_negative),
        REGRESSION(group_1_6_a_price_of_another_unit_was_taken),
        REGRESSION(group_1_6_the_fast_mode_read_its_cache_at_the_slow_price),
        REGRESSION(group_1_6_a_long_prompt_was_charged_as_a_short_one),
        REGRESSION(group_1_6_a_long_prompt_was_set_aside_for_as_a_short_one),
        REGRESSION(group_1_6_sound_was_charged_as_text),
        REGRESSION(group_1_6_a_search_was_free),
        REGRESSION(group_1_6_a_picture_was_free),
        REGRESSION(group_1_6_an_unknown_model_was_free),
        REGRESSION(group_1_6_a_price_was_made_up_from_a_name_nearby),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
