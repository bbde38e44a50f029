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
    for (size_t i = 0; i < pricing_len(pricing); i++) {
        const struct price_model *at = pricing_at(pricing, i);
        assert_ptr_equal(pricing_find(pricing, at->name), at);
    }
    pricing_free(pricing);
}

static void an_explicit_zero_is_a_price(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    size_t free_of_charge = 0;
    for (size_t i = 0; i < pricing_len(pricing); i++) {
        const struct price_model *at = pricing_at(pricing, i);
        free_of_charge +=
            !at->prices[PRICE_INPUT].atto_per_million && !at->prices[PRICE_OUTPUT].atto_per_million;
    }
    assert_true(free_of_charge > 20);
    assert_int_equal(put(pricing, "gift", "0", "0.0"), 0);
    int64_t nano = -1;
    struct pricing_usage usage = {.input = 1000000, .output = 1000000};
    assert_int_equal(pricing_charge(must_find(pricing, "gift"), &usage, &nano), 0);
    assert_int_equal(nano, 0);
    pricing_free(pricing);
}

static void unit_mistakes_of_the_source_are_not_in_the_list(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    assert_null(pricing_find(pricing, TEXT("wandb/openai/gpt-oss-120b")));
    for (size_t i = 0; i < pricing_len(pricing); i++)
        for (int meter = 0; meter < PRICE_METERS; meter++)
            assert_true(pricing_at(pricing, i)->prices[meter].atto_per_million <=
                        (int128)1000 * 1000000000000000000);
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
    for (size_t i = 1; i < pricing_len(pricing); i++) {
        struct slice a = pricing_at(pricing, i - 1)->name, b = pricing_at(pricing, i)->name;
        size_t both = a.len < b.len ? a.len : b.len;
        int order = memcmp(a.data, b.data, both);
        assert_true(order < 0 || (order == 0 && a.len < b.len));
    }
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
    const char *const prices[PRICE_METERS] = {"3", "0.3", "3.75", "15", "20"};
    for (int meter = 0; meter < PRICE_METERS; meter++)
        row.per_million[meter] = slice_of(prices[meter]);
    assert_int_equal(pricing_put(pricing, &row), 0);
    const struct price_model *model = must_find(pricing, "m");
    struct pricing_usage usage = {1000, 400, 100, 50, 20};
    int64_t nano = 0;
    /* 500 x 3 + 400 x 0.3 + 100 x 3.75 + 30 x 15 + 20 x 20 = 2845 millionths */
    assert_int_equal(pricing_charge(model, &usage, &nano), 0);
    assert_int_equal(nano, 2845000);
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

static void usage_that_contradicts_itself_is_invalid(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "gpt-4o");
    const struct pricing_usage bad[] = {
        {-1, 0, 0, 0, 0},  {0, 0, 0, -1, 0},  {10, -1, 0, 0, 0},
        {10, 0, -1, 0, 0}, {10, 0, 0, 5, -1}, {10, 11, 0, 0, 0},
        {10, 6, 5, 0, 0},  {10, 0, 0, 5, 6},  {INT64_MAX, INT64_MAX, INT64_MAX, 0, 0}};
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

static void a_bound_takes_the_dearest_side_and_rounds_up(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct mete_demand demand = {0};
    const struct price_model *model = must_find(pricing, "claude-sonnet-4-5");
    assert_int_equal(pricing_bound(model, 1000, 2, &demand), 0);
    assert_int_equal(demand.meter, METE_COST);
    assert_int_equal(demand.currency, METE_USD);
    assert_int_equal(demand.fixed, 3750000); /* the cache write's 3.75, not the input's 3 */
    assert_int_equal(demand.per_million, INT64_C(30000000000));
    assert_int_equal(put(pricing, "fine", "0.000000000000000001", "0.0000000010000001"), 0);
    assert_int_equal(pricing_bound(must_find(pricing, "fine"), 1, 1, &demand), 0);
    assert_int_equal(demand.fixed, 1);
    assert_int_equal(demand.per_million, 2);
    assert_int_equal(pricing_bound(model, INT64_MAX, 1, &demand), METE_E_TOO_LARGE);
    assert_int_equal(pricing_bound(model, 0, INT64_MAX, &demand), METE_E_TOO_LARGE);
    assert_int_equal(demand.per_million, 2);
    pricing_free(pricing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_list_says_what_its_source_says),
        cmocka_unit_test(who_reasons_is_known_or_assumed),
        cmocka_unit_test(an_explicit_zero_is_a_price),
        cmocka_unit_test(unit_mistakes_of_the_source_are_not_in_the_list),
        cmocka_unit_test(names_are_found_in_the_promised_order),
        cmocka_unit_test(an_unlisted_model_is_unpriced_or_at_the_ceiling),
        cmocka_unit_test(a_row_replaces_whole_and_changes_the_version),
        cmocka_unit_test(added_rows_stay_sorted_and_own_their_texts),
        cmocka_unit_test(wrong_rows_are_refused_and_change_nothing),
        cmocka_unit_test(a_charge_counts_each_part_once_and_rounds_once),
        cmocka_unit_test(usage_that_contradicts_itself_is_invalid),
        cmocka_unit_test(a_bound_takes_the_dearest_side_and_rounds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
