/* SPDX-License-Identifier: Apache-2.0
 * Proves that the built-in list says what its source says, that names are found in the promised
 * order and in no other way, that rows of the configuration replace and never half-price, and that
 * charges and bounds are right at their edges. prop_pricing.c proves the arithmetic at large. */
#include "base/limits.h"
#include "codec/decimal.h"
#include "pricing/pricing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define TEXT(literal) SLICE_LITERAL(literal)

#define EACH(at, pricing)                                                                          \
    const struct price_model *at = pricing_next(pricing, (struct slice){0});                       \
    at;                                                                                            \
    at = pricing_next(pricing, at->name)

static struct pricing *fresh(void)
{
    struct pricing *pricing = NULL;
    assert_int_equal(pricing_new(&pricing), 0);
    return pricing;
}

static const struct price_model *must_find(const struct pricing *pricing, const char *name)
{
    const struct price_model *model = pricing_find(pricing, slice_of(name));
    assert_non_null(model);
    return model;
}

static void costs(const struct price_model *model, enum price_meter meter, const char *per_million)
{
    char room[DECIMAL_ROOM];
    decimal_format(model->prices[meter].atto_per_million, 18, 0, room);
    assert_string_equal(room, per_million);
}

static int put(struct pricing *pricing, const char *name, const char *input, const char *output)
{
    struct pricing_row row = {.name = slice_of(name)};
    row.per_million[PRICE_INPUT] = slice_of(input);
    row.per_million[PRICE_OUTPUT] = slice_of(output);
    return pricing_put(pricing, &row);
}

/* What is not known not to reason does: what it costs unseen is then set aside. */
static void who_reasons_is_known_or_assumed(void **state)
{
    (void)state;
    const char *const reasoning[] = {"gpt-5",   "gpt-5-mini-2025-08-07", "openai/gpt-5", "o1",
                                     "o3-mini", "o3-deep-research",      "o4-mini"};
    const char *const plain[] = {"gpt-4o", "gpt-4o-mini-2024-07-18", "openai/gpt-4.1",
                                 "xai/grok-4-fast-non-reasoning"};
    struct pricing *pricing = fresh();
    for (size_t i = 0; i < sizeof reasoning / sizeof reasoning[0]; i++)
        assert_true(must_find(pricing, reasoning[i])->reasons);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        assert_false(must_find(pricing, plain[i])->reasons);
    assert_int_equal(put(pricing, "gpt-5", "1", "2"), 0);
    assert_int_equal(put(pricing, "gpt-4o", "1", "2"), 0);
    assert_int_equal(put(pricing, "openai/gpt-4.1", "1", "2"), 0);
    assert_int_equal(put(pricing, "elsewhere/gpt-4.1", "1", "2"), 0);
    assert_int_equal(put(pricing, "unheard-of", "1", "2"), 0);
    assert_true(must_find(pricing, "gpt-5")->reasons);
    assert_false(must_find(pricing, "gpt-4o")->reasons);
    assert_false(must_find(pricing, "openai/gpt-4.1")->reasons);
    assert_true(must_find(pricing, "elsewhere/gpt-4.1")->reasons);
    assert_true(must_find(pricing, "unheard-of")->reasons);
    struct pricing_row row = {
        .per_million = {[PRICE_INPUT] = TEXT("30"), [PRICE_OUTPUT] = TEXT("60")}};
    assert_int_equal(pricing_set_ceiling(pricing, &row), 0);
    assert_true(must_find(pricing, "never-seen")->reasons);
    pricing_free(pricing);
}

static void the_built_in_list_says_what_its_source_says(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    assert_true(pricing_len(pricing) > 2000);
    const struct price_model *model = must_find(pricing, "gpt-4o-mini");
    assert_true(slice_is(model->provider, "openai"));
    assert_int_equal(model->currency, METE_USD);
    assert_int_equal(model->output_max, 16384);
    costs(model, PRICE_INPUT, "0.15");
    costs(model, PRICE_CACHED_INPUT, "0.075");
    costs(model, PRICE_CACHE_WRITE, "0.15"); /* not listed: the input's */
    costs(model, PRICE_OUTPUT, "0.6");
    costs(model, PRICE_REASONING, "0.6"); /* not listed: the output's */
    costs(must_find(pricing, "claude-sonnet-4-5"), PRICE_CACHE_WRITE, "3.75");
    assert_true(slice_is(pricing_version(pricing), "builtin-2026-07-24"));
    for (EACH(at, pricing)) {
        assert_ptr_equal(pricing_find(pricing, at->name), at);
    }
    pricing_free(pricing);
}

static void an_explicit_zero_is_a_price(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    size_t free_of_charge = 0;
    for (EACH(at, pricing)) {
        free_of_charge +=
            !at->prices[PRICE_INPUT].atto_per_million && !at->prices[PRICE_OUTPUT].atto_per_million;
    }
    assert_true(free_of_charge > 20);
    assert_non_null(pricing_find(pricing, TEXT("ollama/llama3")));
    assert_int_equal(put(pricing, "gift", "0", "0.0"), 0);
    int64_t nano = -1;
    struct pricing_usage usage = {.input = 1000000, .output = 1000000};
    assert_int_equal(pricing_charge(must_find(pricing, "gift"), &usage, &nano), 0);
    assert_int_equal(nano, 0);
    pricing_free(pricing);
}

/* 0 is also what the source writes of what it knows no price of. */
static void what_the_source_has_at_nothing_and_is_not_free_is_not_in_the_list(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const char *const names[] = {"openrouter/openrouter/auto", "anthropic.claude-mythos-preview",
                                 "azure_ai/model_router", "gemini/gemini-1.5-flash"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(pricing_find(pricing, slice_of(names[i])));
    pricing_free(pricing);
}

static void unit_mistakes_of_the_source_are_not_in_the_list(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    assert_null(pricing_find(pricing, TEXT("wandb/openai/gpt-oss-120b")));
    for (EACH(at, pricing))
        for (int meter = 0; meter < PRICE_SEARCH; meter++)
            assert_true(at->prices[meter].atto_per_million <= (int128)1000 * 1000000000000000000);
    pricing_free(pricing);
}

static void names_are_found_in_the_promised_order(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "gpt-4o-mini");
    assert_ptr_equal(must_find(pricing, "openai/gpt-4o-mini"), model);
    assert_ptr_equal(must_find(pricing, "gpt-4o-mini-2031-12-31"), model);
    assert_ptr_equal(must_find(pricing, "gpt-4o-mini-20311231"), model);
    assert_ptr_equal(must_find(pricing, "openai/gpt-4o-mini-20311231"), model);
    assert_ptr_not_equal(must_find(pricing, "gpt-4o-2024-05-13"), must_find(pricing, "gpt-4o"));
    assert_true(slice_is(must_find(pricing, "azure/gpt-4o")->provider, "azure"));
    assert_true(slice_starts(must_find(pricing, "claude-3.5-sonnet")->provider, TEXT("anthropic")));
    assert_non_null(pricing_find(pricing, TEXT("deepseek-coder")));
    const char *const unknown[] = {"",
                                   "/",
                                   "gpt",
                                   "gpt-4o-min",
                                   "GPT-4o-mini",
                                   "gpt-4o-mini-",
                                   "gpt-4o-mini-2031-12-3",
                                   "gpt-4o-mini-2031x12-31",
                                   "-20311231",
                                   "openai/",
                                   "openai/openai/gpt-4o-mini",
                                   "elsewhere/gpt-4o-mini"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_null(pricing_find(pricing, slice_of(unknown[i])));
    pricing_free(pricing);
}

static void an_unlisted_model_is_unpriced_or_at_the_ceiling(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    assert_null(pricing_find(pricing, TEXT("nobody-heard-of-it")));
    struct pricing_row row = {.per_million[PRICE_INPUT] = TEXT("30")};
    assert_int_equal(pricing_set_ceiling(pricing, &row), METE_E_INVALID);
    assert_null(pricing_find(pricing, TEXT("nobody-heard-of-it")));
    row.per_million[PRICE_OUTPUT] = TEXT("60");
    assert_int_equal(pricing_set_ceiling(pricing, &row), 0);
    costs(must_find(pricing, "nobody-heard-of-it"), PRICE_REASONING, "60");
    costs(must_find(pricing, "gpt-4o-mini"), PRICE_OUTPUT, "0.6");
    /* Listed, but no output price: not the ceiling's, refused until it has one. */
    assert_int_equal(put(pricing, "half", "1", ""), 0);
    assert_null(pricing_find(pricing, TEXT("half")));
    pricing_free(pricing);
}

static void a_row_replaces_whole_and_changes_the_version(void **state)
{
    (void)state;
    struct pricing *pricing = fresh(), *other = fresh();
    size_t len = pricing_len(pricing);
    assert_int_equal(put(pricing, "gpt-4o-mini", "1e1", "2.5E-1"), 0);
    assert_int_equal(pricing_len(pricing), len);
    const struct price_model *model = must_find(pricing, "gpt-4o-mini");
    costs(model, PRICE_CACHED_INPUT, "10"); /* the built-in 0.075 is gone with its row */
    costs(model, PRICE_OUTPUT, "0.25");
    assert_int_equal(model->output_max, 0);
    struct slice version = pricing_version(pricing);
    assert_true(slice_starts(version, TEXT("builtin-2026-07-24+")));
    assert_int_equal(version.len, 18 + 1 + 16);
    assert_int_equal(put(other, "gpt-4o-mini", "1e1", "2.5E-1"), 0);
    assert_true(slice_equal(pricing_version(other), version));
    assert_int_equal(put(other, "gpt-4o-mini", "1e1", "2.5E-2"), 0);
    assert_false(slice_equal(pricing_version(other), version));
    pricing_free(other);
    pricing_free(pricing);
}

static void added_rows_stay_sorted_and_own_their_texts(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    char name[32];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "m%d", (i * 7919) % 500);
        assert_int_equal(put(pricing, name, "1", "2"), 0);
    }
    memset(name, 'x', sizeof name);
    assert_non_null(pricing_find(pricing, TEXT("m499")));
    size_t seen = 0;
    struct slice a = {0};
    for (EACH(at, pricing)) {
        struct slice b = at->name;
        size_t both = a.len < b.len ? a.len : b.len;
        int order = both ? memcmp(a.data, b.data, both) : 0;
        assert_true(order < 0 || (order == 0 && a.len < b.len));
        a = b;
        seen++;
    }
    assert_int_equal(seen, pricing_len(pricing));
    pricing_free(pricing);
}

static void wrong_rows_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct {
        const char *input;
        int error;
    } bad[] = {{"-1", METE_E_INVALID},
               {"-0.0000001", METE_E_INVALID},
               {"1000000.000000000000000001", METE_E_INVALID},
               {"1e30", METE_E_INVALID},
               {"1e-19", METE_E_INVALID},
               {"", 0},
               {"1,5", METE_E_SYNTAX},
               {"$1", METE_E_SYNTAX},
               {" 1", METE_E_SYNTAX},
               {"NaN", METE_E_SYNTAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(put(pricing, "bad", bad[i].input, "1"), bad[i].error);
        assert_null(pricing_find(pricing, TEXT("bad")));
    }
    char longest[LIMIT_ID + 2];
    memset(longest, 'a', sizeof longest - 1);
    longest[LIMIT_ID + 1] = 0;
    assert_int_equal(put(pricing, longest, "1", "1"), METE_E_INVALID);
    assert_int_equal(put(pricing, longest + 1, "1", "1"), 0);
    assert_int_equal(put(pricing, "", "1", "1"), METE_E_INVALID);
    assert_int_equal(put(pricing, "a b", "1", "1"), METE_E_SYNTAX);
    struct pricing_row row = {.name = TEXT("x"), .currency = TEXT("usd")};
    assert_int_equal(pricing_put(pricing, &row), METE_E_SYNTAX);
    row.currency = TEXT("EUR");
    assert_int_equal(pricing_put(pricing, &row), 0);
    row.output_max = -1;
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    pricing_free(pricing);
}

static void a_charge_counts_each_part_once_and_rounds_once(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct pricing_row row = {.name = TEXT("m")};
    static const char *const prices[PRICE_METERS] = {
        [PRICE_INPUT] = "3",          [PRICE_CACHED_INPUT] = "0.3", [PRICE_CACHE_WRITE] = "3.75",
        [PRICE_CACHE_WRITE_1H] = "6", [PRICE_AUDIO_INPUT] = "32",   [PRICE_IMAGE_INPUT] = "5",
        [PRICE_OUTPUT] = "15",        [PRICE_REASONING] = "20",     [PRICE_AUDIO_OUTPUT] = "64",
        [PRICE_IMAGE_OUTPUT] = "30",  [PRICE_SEARCH] = "10000",     [PRICE_SEARCHED] = "7000",
        [PRICE_REQUEST] = "5000"};
    for (int meter = 0; meter < PRICE_METERS; meter++)
        row.per_million[meter] = slice_of(prices[meter]);
    assert_int_equal(pricing_put(pricing, &row), 0);
    const struct price_model *model = must_find(pricing, "m");
    struct pricing_usage usage = {.input = 1000,
                                  .cached_input = 400,
                                  .cache_write = 100,
                                  .cache_write_1h = 40,
                                  .audio_input = 30,
                                  .image_input = 20,
                                  .output = 50,
                                  .reasoning = 20,
                                  .audio_output = 5,
                                  .image_output = 2,
                                  .searches = 3};
    int64_t nano = 0;
    /* 450 x 3 + 400 x 0.3 + 60 x 3.75 + 40 x 6 + 30 x 32 + 20 x 5 + 23 x 15 + 20 x 20 + 5 x 64
     * + 2 x 30 + 3 x 10000 + 7000 + 5000 = 46120 millionths */
    assert_int_equal(pricing_charge(model, &usage, &nano), 0);
    assert_int_equal(nano, 46120000);
    /* Three times 0.0005 nano and once 0.0005: rounded apart it would be 0. */
    assert_int_equal(put(pricing, "half", "0.0005", "0.0005"), 0);
    model = must_find(pricing, "half");
    usage = (struct pricing_usage){.input = 2, .output = 1};
    assert_int_equal(pricing_charge(model, &usage, &nano), 0);
    assert_int_equal(nano, 2); /* 1.5 */
    usage = (struct pricing_usage){.input = 3, .output = 2};
    assert_int_equal(pricing_charge(model, &usage, &nano), 0);
    assert_int_equal(nano, 2); /* 2.5: a tie goes to the even one */
    pricing_free(pricing);
}

static void what_a_charge_is_made_of_adds_up_to_it(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct mete_part parts[METE_PARTS_MAX];
    size_t len = 9;
    /* 1.3 and 1.3 and 0.4 nano: 3 in all, and the third of them to the one that lost most. */
    struct pricing_row row = {.name = SLICE_LITERAL("odd")};
    row.per_million[PRICE_INPUT] = row.per_million[PRICE_OUTPUT] = SLICE_LITERAL("0.0013");
    row.per_million[PRICE_CACHED_INPUT] = SLICE_LITERAL("0.0004");
    assert_int_equal(pricing_put(pricing, &row), 0);
    struct pricing_usage usage = {.input = 2, .cached_input = 1, .output = 1};
    assert_int_equal(pricing_parts(must_find(pricing, "odd"), &usage, parts, &len), 0);
    assert_int_equal(len, 3);
    assert_true(parts[0].meter == METE_INPUT && parts[0].nano == 1);
    assert_true(parts[1].meter == METE_CACHED_INPUT && parts[1].nano == 1);
    assert_true(parts[2].meter == METE_OUTPUT && parts[2].nano == 1);
    /* What is free is there with nothing; what was not used is not. */
    assert_int_equal(put(pricing, "gift", "0", "0.0"), 0);
    usage = (struct pricing_usage){.output = 5};
    assert_int_equal(pricing_parts(must_find(pricing, "gift"), &usage, parts, &len), 0);
    assert_true(len == 1 && parts[0].meter == METE_OUTPUT && parts[0].nano == 0);
    usage.reasoning = 6;
    assert_int_equal(pricing_parts(must_find(pricing, "gift"), &usage, parts, &len),
                     METE_E_INVALID);
    assert_int_equal(len, 1);
    pricing_free(pricing);
}

static void usage_that_contradicts_itself_is_invalid(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "gpt-4o");
    const struct pricing_usage bad[] = {
        {.input = -1},
        {.output = -1},
        {.searches = -1},
        {.input = 10, .cached_input = -1},
        {.input = 10, .cache_write = -1},
        {.input = 10, .audio_input = -1},
        {.input = 10, .image_input = -1},
        {.input = 10, .cache_write = 5, .cache_write_1h = -1},
        {.input = 10, .cache_write = 5, .cache_write_1h = 6},
        {.output = 5, .reasoning = -1},
        {.output = 5, .audio_output = -1},
        {.output = 5, .image_output = -1},
        {.input = 10, .cached_input = 11},
        {.input = 10, .cached_input = 6, .cache_write = 5},
        {.input = 10, .cached_input = 6, .audio_input = 3, .image_input = 2},
        {.output = 5, .reasoning = 6},
        {.output = 5, .reasoning = 3, .audio_output = 3},
        {.output = 5, .reasoning = 3, .image_output = 3},
        {.input = INT64_MAX, .cached_input = INT64_MAX, .cache_write = INT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t nano = 77;
        assert_int_equal(pricing_charge(model, &bad[i], &nano), METE_E_INVALID);
        assert_int_equal(nano, 77);
    }
    int64_t nano = 77;
    const struct pricing_usage huge = {.input = INT64_MAX, .output = INT64_MAX};
    assert_int_equal(pricing_charge(model, &huge, &nano), METE_E_TOO_LARGE);
    assert_int_equal(nano, 77);
    pricing_free(pricing);
}

/* ---- Tiers ----------------------------------------------------------------------------------- */

static int64_t charged(const struct price_model *model, struct pricing_usage usage)
{
    int64_t nano = -1;
    assert_int_equal(pricing_charge(model, &usage, &nano), 0);
    return nano;
}

/* All tokens of a call are at the price of its length, output too; exactly the threshold is not
 * beyond it. */
static void a_long_prompt_costs_what_the_list_says_of_its_length(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "claude-sonnet-4-5");
    struct pricing_usage usage = {.input = 200000,
                                  .cached_input = 50000,
                                  .cache_write = 30000,
                                  .cache_write_1h = 10000,
                                  .output = 1000};
    /* 120000 x 3 + 50000 x 0.3 + 20000 x 3.75 + 10000 x 6 + 1000 x 15 */
    assert_int_equal(charged(model, usage), 525000000);
    usage.input++;
    /* 120001 x 6 + 50000 x 0.6 + 20000 x 7.5 + 10000 x 12 + 1000 x 22.5 */
    assert_int_equal(charged(model, usage), 1042506000);
    model = must_find(pricing, "dashscope/qwen3-coder-plus");
    usage = (struct pricing_usage){.input = 32000, .output = 1};
    assert_int_equal(charged(model, usage), 32005000); /* 1 and 5 */
    usage.input = 32001;
    assert_int_equal(charged(model, usage), 57610800); /* 1.8 and 9 */
    usage.input = 500000;
    assert_int_equal(charged(model, usage), INT64_C(3000060000)); /* 6 and 60 */
    pricing_free(pricing);
}

static void a_service_costs_what_the_list_says_of_it(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "gpt-5.4");
    struct pricing_usage usage = {.input = 1000, .cached_input = 100, .output = 10};
    assert_int_equal(charged(model, usage), 2425000); /* 2.5, 0.25, 15 */
    usage.service = PRICE_PRIORITY;
    assert_int_equal(charged(model, usage), 4850000); /* 5, 0.5, 30 */
    usage.service = PRICE_FLEX;
    assert_int_equal(charged(model, usage), 1213000); /* 1.25, 0.13, 7.5 */
    usage.service = PRICE_BATCH;
    assert_int_equal(charged(model, usage), 1225000); /* 1.25, 7.5; its cache is the standard's */
    /* Long and flex: nobody says, so the dearer of both. */
    usage = (struct pricing_usage){.input = 300000, .service = PRICE_FLEX};
    assert_int_equal(charged(model, usage), 1500000000);
    /* Fast: six times every price, the cache's too. */
    model = must_find(pricing, "claude-opus-4-6");
    usage = (struct pricing_usage){
        .input = 1000, .cached_input = 100, .output = 10, .service = PRICE_FAST};
    assert_int_equal(charged(model, usage), 28800000);
    pricing_free(pricing);
}

/* Cheaper services without a price are at the standard one; dearer ones are refused. */
static void a_service_without_a_price_is_not_at_the_standard_one_unless_that_is_dearer(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    assert_int_equal(put(pricing, "plain", "1", "2"), 0);
    const struct price_model *model = must_find(pricing, "plain");
    struct pricing_usage usage = {.input = 1000, .output = 1000, .service = PRICE_FLEX};
    assert_int_equal(charged(model, usage), 3000000);
    usage.service = PRICE_BATCH;
    assert_int_equal(charged(model, usage), 3000000);
    int64_t nano = 77;
    usage.service = PRICE_PRIORITY;
    assert_int_equal(pricing_charge(model, &usage, &nano), METE_E_UNPRICED);
    usage.service = PRICE_FAST;
    assert_int_equal(pricing_charge(model, &usage, &nano), METE_E_UNPRICED);
    pricing_free(pricing);
}

static void what_a_tier_leaves_out_falls_back(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct pricing_tier_row tiers[] = {
        {.above = 100, .per_million = {[PRICE_INPUT] = TEXT("4"), [PRICE_OUTPUT] = TEXT("20")}}};
    struct pricing_row row = {.name = TEXT("m"),
                              .per_million = {[PRICE_INPUT] = TEXT("2"),
                                              [PRICE_CACHED_INPUT] = TEXT("0.2"),
                                              [PRICE_CACHE_WRITE_1H] = TEXT("3"),
                                              [PRICE_AUDIO_INPUT] = TEXT("30"),
                                              [PRICE_OUTPUT] = TEXT("10"),
                                              [PRICE_REASONING] = TEXT("10")},
                              .tiers = tiers,
                              .tiers_len = 1};
    assert_int_equal(pricing_put(pricing, &row), 0);
    const struct price_model *model = must_find(pricing, "m");
    const struct {
        struct pricing_usage usage;
        int64_t nano;
    } cases[] = {
        {{.input = 101, .cached_input = 101}, 101 * 200},  /* the model's own */
        {{.input = 101, .audio_input = 101}, 101 * 30000}, /* the model's own */
        {{.input = 101, .cache_write = 101}, 101 * 4000},  /* the tier's input */
        {{.input = 101, .image_input = 101}, 101 * 4000},  /* the tier's input */
        {{.input = 101, .cache_write = 101, .cache_write_1h = 101}, 101 * 4000}, /* not under it */
        {{.input = 101, .output = 100, .reasoning = 100}, 101 * 4000 + 100 * 20000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(charged(model, cases[i].usage), cases[i].nano);
    pricing_free(pricing);
}

static void wrong_tiers_are_refused(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct pricing_tier_row good = {
        .above = 100, .per_million = {[PRICE_INPUT] = TEXT("4"), [PRICE_OUTPUT] = TEXT("20")}};
    struct pricing_tier_row tiers[LIMIT_PRICE_TIERS + 1];
    struct pricing_row row = {
        .name = TEXT("m"), .per_million = {TEXT("2")}, .tiers = tiers, .tiers_len = 1};
    tiers[0] = good;
    tiers[0].above = 0; /* the row's own */
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    tiers[0].above = -1;
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    tiers[0] = good;
    tiers[0].per_million[PRICE_OUTPUT] = TEXT("");
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    tiers[0].per_million[PRICE_OUTPUT] = TEXT("-1");
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    tiers[0].per_million[PRICE_OUTPUT] = TEXT("x");
    assert_int_equal(pricing_put(pricing, &row), METE_E_SYNTAX);
    tiers[0] = tiers[1] = good;
    row.tiers_len = 2;
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    for (int i = 0; i <= LIMIT_PRICE_TIERS; i++) {
        tiers[i] = good;
        tiers[i].above = 1 + i;
    }
    row.tiers_len = LIMIT_PRICE_TIERS + 1;
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    row.tiers_len = LIMIT_PRICE_TIERS;
    assert_int_equal(pricing_put(pricing, &row), 0);
    pricing_free(pricing);
}

static void the_ceiling_is_for_every_token_and_service_but_not_for_searches(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct pricing_row row = {.per_million = {[PRICE_INPUT] = TEXT("30"),
                                              [PRICE_AUDIO_INPUT] = TEXT("100"),
                                              [PRICE_OUTPUT] = TEXT("60")}};
    assert_int_equal(pricing_set_ceiling(pricing, &row), 0);
    const struct price_model *model = must_find(pricing, "never-seen");
    assert_int_equal(charged(model, (struct pricing_usage){.input = 3, .audio_input = 1}), 160000);
    struct pricing_usage usage = {.output = 3, .audio_output = 1, .image_output = 1};
    assert_int_equal(charged(model, usage), 180000);
    usage.service = PRICE_PRIORITY;
    assert_int_equal(charged(model, usage), 180000);
    usage.searches = 1;
    int64_t nano = 77;
    assert_int_equal(pricing_charge(model, &usage, &nano), METE_E_UNPRICED);
    row.per_million[PRICE_SEARCH] = TEXT("10000");
    assert_int_equal(pricing_set_ceiling(pricing, &row), 0);
    assert_int_equal(charged(must_find(pricing, "never-seen"), usage), 10180000);
    pricing_free(pricing);
}

static void some_bill_each_search_and_some_the_call_that_searched(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct pricing_usage usage = {.searches = 3};
    assert_int_equal(charged(must_find(pricing, "claude-sonnet-4-5"), usage), 30000000);
    assert_int_equal(charged(must_find(pricing, "vertex_ai/claude-sonnet-4-6"), usage), 30000000);
    assert_int_equal(charged(must_find(pricing, "gemini-3.6-flash"), usage), 42000000);
    assert_int_equal(charged(must_find(pricing, "gemini-2.5-flash"), usage), 35000000);
    assert_int_equal(charged(must_find(pricing, "perplexity/sonar-pro"), usage), 14000000);
    usage.searches = 0;
    assert_int_equal(charged(must_find(pricing, "gemini-2.5-flash"), usage), 0);
    assert_int_equal(charged(must_find(pricing, "perplexity/pplx-7b-online"), usage), 5000000);
    /* It always searches; the dated row of the source forgets that. */
    assert_int_equal(charged(must_find(pricing, "gpt-4o-search-preview-2025-03-11"), usage),
                     50000000);
    pricing_free(pricing);
}

/* The length and the service that would be dearest are set aside for, if the call can reach them.
 */
static void a_bound_takes_the_dearest_tier_within_reach(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "gpt-5.4");
    struct pricing_limits limits = {.input = 272000, .choices = 1};
    struct mete_demand demand = {0};
    assert_int_equal(pricing_bound(model, &limits, &demand), 0);
    assert_int_equal(demand.fixed, 680000000);
    assert_int_equal(demand.per_million, INT64_C(15000000000));
    limits.input++;
    assert_int_equal(pricing_bound(model, &limits, &demand), 0);
    assert_int_equal(demand.fixed, 1360005000);
    assert_int_equal(demand.per_million, INT64_C(22500000000));
    limits = (struct pricing_limits){
        .input = 1000, .choices = 1, .services = PRICE_BIT(PRICE_STANDARD) | PRICE_BIT(PRICE_FLEX)};
    assert_int_equal(pricing_bound(model, &limits, &demand), 0);
    assert_int_equal(demand.fixed, 2500000);
    limits.services |= PRICE_BIT(PRICE_PRIORITY);
    assert_int_equal(pricing_bound(model, &limits, &demand), 0);
    assert_int_equal(demand.fixed, 5000000);
    limits.services = PRICE_BIT(PRICE_FLEX);
    assert_int_equal(pricing_bound(model, &limits, &demand), 0);
    assert_int_equal(demand.fixed, 1250000);
    pricing_free(pricing);
}

static void a_model_of_a_provider_is_found_as_that_provider_lists_it(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct {
        const char *provider, *model, *listed;
    } cases[] = {
        {"openrouter", "openai/gpt-5-mini", "openrouter/openai/gpt-5-mini"},
        {"openrouter", "openai/gpt-5-mini-2025-08-07", "openrouter/openai/gpt-5-mini"},
        {"openrouter", "anthropic/claude-sonnet-4.5", "openrouter/anthropic/claude-sonnet-4.5"},
        {"openrouter", "google/gemini-3.6-flash", "gemini-3.6-flash"},
        {"openrouter", "openai/gpt-5.6-sol", "gpt-5.6-sol"}, /* it lists it not; its maker does */
        {"azure", "gpt-4o", "azure/gpt-4o"},
        {"xai", "grok-4", "xai/grok-4"},
        {"xai", "xai/grok-4", "xai/grok-4"},
        {"gemini", "gemini-2.5-flash", "gemini/gemini-2.5-flash"},
        {"groq", "llama-3.1-8b-instant", "groq/llama-3.1-8b-instant"},
        {"bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
         "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"vertex_ai", "claude-sonnet-4-5@20250929", "vertex_ai/claude-sonnet-4-5@20250929"},
        {"vertex_ai", "claude-sonnet-4-5@20991231", "vertex_ai/claude-sonnet-4-5"},
        {"gemini", "models/gemini-2.5-flash", "gemini/gemini-2.5-flash"},
        {"", "models/gemini-2.5-flash", "gemini-2.5-flash"},
        {"vertex_ai", "publishers/anthropic/models/claude-sonnet-4-5",
         "vertex_ai/claude-sonnet-4-5"},
        {"bedrock",
         "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
         "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
         "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        {"my-own", "gpt-4o", "gpt-4o"},
        {"", "gpt-4o", "gpt-4o"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct price_model *model =
            pricing_find_of(pricing, slice_of(cases[i].provider), slice_of(cases[i].model));
        assert_non_null(model);
        assert_ptr_equal(model, must_find(pricing, cases[i].listed));
    }
    assert_null(pricing_find_of(pricing, TEXT("openrouter"), TEXT("nobody/has-it")));
    /* What the operator says of a name goes before what the list says of the provider's. */
    assert_int_equal(put(pricing, "gpt-4o", "1", "2"), 0);
    assert_ptr_equal(pricing_find_of(pricing, TEXT("azure"), TEXT("gpt-4o")),
                     must_find(pricing, "gpt-4o"));
    /* And what is said of the provider's goes before both. */
    assert_int_equal(put(pricing, "azure/gpt-4o", "3", "4"), 0);
    assert_ptr_equal(pricing_find_of(pricing, TEXT("azure"), TEXT("gpt-4o")),
                     must_find(pricing, "azure/gpt-4o"));
    assert_null(pricing_find_of(pricing, TEXT("openrouter"), TEXT("")));
    assert_null(pricing_find_of(pricing, TEXT("gemini"), TEXT("models/")));
    assert_null(pricing_find(pricing, TEXT("elsewhere/models/gpt-4o")));
    assert_null(pricing_find(pricing, TEXT("arn:aws:bedrock:us-east-1:1:application/x7")));
    pricing_free(pricing);
}

static int bound(const struct price_model *model, int64_t input, int64_t choices,
                 struct mete_demand *ret_demand)
{
    const struct pricing_limits limits = {.input = input, .choices = choices};
    return pricing_bound(model, &limits, ret_demand);
}

/* Sound, pictures made and searches cost what the list says they do, or the call is refused: at
 * another meter's price they would be billed far too low. */
static void what_the_list_does_not_price_is_not_free(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    assert_int_equal(put(pricing, "text", "3", "15"), 0);
    const struct price_model *model = must_find(pricing, "text");
    const struct pricing_usage unpriced[] = {{.input = 5, .audio_input = 1},
                                             {.output = 5, .audio_output = 1},
                                             {.output = 5, .image_output = 1},
                                             {.searches = 1},
                                             {.input = 1, .service = PRICE_PRIORITY}};
    const struct pricing_limits limits[] = {
        {.choices = 1, .also = PRICE_BIT(PRICE_AUDIO_INPUT)},
        {.choices = 1, .also = PRICE_BIT(PRICE_AUDIO_OUTPUT)},
        {.choices = 1, .also = PRICE_BIT(PRICE_IMAGE_OUTPUT)},
        {.choices = 1, .searches = 1},
        {.choices = 1, .services = PRICE_BIT(PRICE_STANDARD) | PRICE_BIT(PRICE_PRIORITY)}};
    for (size_t i = 0; i < sizeof unpriced / sizeof unpriced[0]; i++) {
        int64_t nano = 77;
        struct mete_demand demand = {.fixed = 77};
        assert_int_equal(pricing_charge(model, &unpriced[i], &nano), METE_E_UNPRICED);
        assert_int_equal(nano, 77);
        assert_int_equal(pricing_bound(model, &limits[i], &demand), METE_E_UNPRICED);
        assert_int_equal(demand.fixed, 77);
    }
    assert_false(pricing_prices(model, PRICE_AUDIO_INPUT));
    assert_true(pricing_prices(model, PRICE_IMAGE_INPUT)); /* pictures are input like any other */
    pricing_free(pricing);
}

static void a_bound_takes_the_dearest_side_and_rounds_up(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct mete_demand demand = {0};
    const struct price_model *model = must_find(pricing, "claude-sonnet-4-5");
    assert_int_equal(bound(model, 1000, 2, &demand), 0);
    assert_int_equal(demand.meter, METE_COST);
    assert_int_equal(demand.currency, METE_USD);
    assert_int_equal(demand.fixed, 3750000); /* the cache write's 3.75, not the input's 3 */
    assert_int_equal(demand.per_million, INT64_C(30000000000));
    assert_int_equal(put(pricing, "fine", "0.000000000000000001", "0.0000000010000001"), 0);
    assert_int_equal(bound(must_find(pricing, "fine"), 1, 1, &demand), 0);
    assert_int_equal(demand.fixed, 1);
    assert_int_equal(demand.per_million, 2);
    assert_int_equal(bound(model, INT64_MAX, 1, &demand), METE_E_TOO_LARGE);
    assert_int_equal(bound(model, 0, INT64_MAX, &demand), METE_E_TOO_LARGE);
    assert_int_equal(demand.per_million, 2);
    pricing_free(pricing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_list_says_what_its_source_says),
        cmocka_unit_test(who_reasons_is_known_or_assumed),
        cmocka_unit_test(an_explicit_zero_is_a_price),
        cmocka_unit_test(what_the_source_has_at_nothing_and_is_not_free_is_not_in_the_list),
        cmocka_unit_test(unit_mistakes_of_the_source_are_not_in_the_list),
        cmocka_unit_test(names_are_found_in_the_promised_order),
        cmocka_unit_test(an_unlisted_model_is_unpriced_or_at_the_ceiling),
        cmocka_unit_test(a_row_replaces_whole_and_changes_the_version),
        cmocka_unit_test(added_rows_stay_sorted_and_own_their_texts),
        cmocka_unit_test(wrong_rows_are_refused_and_change_nothing),
        cmocka_unit_test(a_charge_counts_each_part_once_and_rounds_once),
        cmocka_unit_test(what_a_charge_is_made_of_adds_up_to_it),
        cmocka_unit_test(usage_that_contradicts_itself_is_invalid),
        cmocka_unit_test(what_the_list_does_not_price_is_not_free),
        cmocka_unit_test(a_long_prompt_costs_what_the_list_says_of_its_length),
        cmocka_unit_test(a_service_costs_what_the_list_says_of_it),
        cmocka_unit_test(
            a_service_without_a_price_is_not_at_the_standard_one_unless_that_is_dearer),
        cmocka_unit_test(what_a_tier_leaves_out_falls_back),
        cmocka_unit_test(wrong_tiers_are_refused),
        cmocka_unit_test(the_ceiling_is_for_every_token_and_service_but_not_for_searches),
        cmocka_unit_test(some_bill_each_search_and_some_the_call_that_searched),
        cmocka_unit_test(a_bound_takes_the_dearest_tier_within_reach),
        cmocka_unit_test(a_model_of_a_provider_is_found_as_that_provider_lists_it),
        cmocka_unit_test(a_bound_takes_the_dearest_side_and_rounds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
