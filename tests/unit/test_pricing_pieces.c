/* SPDX-License-Identifier: Apache-2.0
 * What is billed by the piece costs what its quality and size do; what is told beside it costs
 * nothing; and nothing that has no price is free (field notes, 1.6: media priced at 0). */
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

static int64_t charged(const struct price_model *model, struct pricing_usage usage)
{
    int64_t nano = -1;
    int rc = pricing_charge(model, &usage, &nano);
    return rc ? rc : nano;
}

static struct price_grade grade(const char *quality, const char *size)
{
    return pricing_grade(slice_of(quality), slice_of(size));
}

static void a_picture_costs_what_its_quality_and_size_do(void **state)
{
    (void)state;
    static const struct {
        const char *quality, *size;
        int64_t nano;
    } all[] = {
        {"standard", "1024x1024", 40000000},
        {"standard", "1792x1024", 80000000},
        {"hd", "1024x1024", 80000000},
        {"hd", "1024x1792", 120000000},
        {"", "", 40000000},    /* the model's own */
        {"hd", "", 120000000}, /* what is not said may be any */
        {"", "1792x1024", 120000000},
        {"auto", "auto", 120000000},
        {"standard", "auto", 80000000},
        {"ultra", "1024x1024", 80000000}, /* a word that is not known may be any */
        {"hd", "4096x4096", 120000000},   /* a size nobody prices */
        {"hd", "99999999999x1", 120000000},
        {"hd", "1024", 120000000},
        {"hd", "0x1024", 120000000},
    };
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "dall-e-3");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const struct price_grade asked = grade(all[i].quality, all[i].size);
        const struct pricing_limits limits = {.choices = 1, .images = 2, .grade = asked};
        struct mete_demand demand;
        assert_int_equal(charged(model, (struct pricing_usage){.images = 2, .grade = asked}),
                         2 * all[i].nano);
        assert_int_equal(pricing_bound(model, &limits, &demand), 0);
        assert_true(demand.fixed >= 2 * all[i].nano && demand.fixed <= 240000000);
        assert_true(pricing_by_piece(model, &limits));
    }
    pricing_free(pricing);
}

static void a_second_of_a_larger_video_costs_more(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    const struct price_model *model = must_find(pricing, "sora-2-pro");
    struct pricing_usage usage = {.video_seconds = 8, .grade = grade("", "1280x720")};
    assert_int_equal(charged(model, usage), 2400000000);
    usage.grade = grade("", "1792x1024");
    assert_int_equal(charged(model, usage), 4000000000);
    usage.grade = grade("", "");
    assert_int_equal(charged(model, usage), 2400000000);
    pricing_free(pricing);
}

static void what_is_told_beside_is_not_billed(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    /* By the piece: its tokens have no price. */
    const struct price_model *pieces = must_find(pricing, "whisper-1");
    struct pricing_usage usage = {
        .audio_seconds = 60, .input = 700, .audio_input = 600, .output = 90};
    assert_int_equal(charged(pieces, usage), 6000000);
    /* By the token: its seconds have none. */
    const struct price_model *tokens = must_find(pricing, "gpt-4o-transcribe");
    assert_int_equal(charged(tokens, usage), 700 * 2500 + 90 * 10000);
    const struct pricing_limits limits = {.choices = 1, .input = 700, .audio_seconds = 60};
    assert_true(pricing_by_piece(pieces, &limits) && !pricing_by_piece(tokens, &limits));
    pricing_free(pricing);
}

/* Field notes, 1.6: media that nobody priced cost nothing. */
static void a_picture_without_a_price_is_not_free(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct mete_demand demand;
    const struct pricing_limits limits = {.choices = 1, .images = 1};
    const struct price_model *tokens = must_find(pricing, "gpt-image-1");
    assert_int_equal(charged(tokens, (struct pricing_usage){.images = 1}), METE_E_UNPRICED);
    assert_int_equal(charged(tokens, (struct pricing_usage){.images = 1, .output = 1}), 40000);
    /* A model that is billed by the picture has no price for a chat, nor for speech. */
    const struct price_model *pictures = must_find(pricing, "dall-e-2");
    const struct pricing_limits chat = {.choices = 1, .input = 10};
    const struct pricing_limits speech = {.choices = 1, .characters = 10};
    assert_int_equal(pricing_bound(pictures, &limits, &demand), 0);
    assert_int_equal(pricing_bound(pictures, &chat, &demand), METE_E_UNPRICED);
    assert_int_equal(pricing_bound(pictures, &speech, &demand), METE_E_UNPRICED);
    assert_int_equal(charged(pictures, (struct pricing_usage){.input = 10}), METE_E_UNPRICED);
    assert_int_equal(charged(pictures, (struct pricing_usage){.characters = 10}), METE_E_UNPRICED);
    /* What is billed by the call needs a price of the call. */
    const struct pricing_limits flat = {.choices = 1, .flat = true};
    assert_int_equal(pricing_bound(pictures, &flat, &demand), METE_E_UNPRICED);
    assert_int_equal(charged(pictures, (struct pricing_usage){.flat = true}), METE_E_UNPRICED);
    pricing_free(pricing);
}

static void a_call_may_cost_what_one_call_costs(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct pricing_row row = {.name = TEXT("pages"), .provider = TEXT("ours")};
    row.per_million[PRICE_REQUEST] = SLICE_LITERAL("2000");
    assert_int_equal(pricing_put(pricing, &row), 0);
    const struct price_model *model = must_find(pricing, "pages");
    const struct pricing_limits flat = {.choices = 1, .flat = true},
                                chat = {.choices = 1, .input = 1};
    struct mete_demand demand;
    assert_int_equal(pricing_bound(model, &flat, &demand), 0);
    assert_int_equal(demand.fixed, 2000000);
    assert_int_equal(charged(model, (struct pricing_usage){.flat = true}), 2000000);
    assert_int_equal(pricing_bound(model, &chat, &demand), METE_E_UNPRICED);
    pricing_free(pricing);
}

static void a_grade_has_prices_of_pieces_and_nothing_else(void **state)
{
    (void)state;
    struct pricing *pricing = fresh();
    struct pricing_tier_row tiers[2] = {{.grade = grade("hd", "")}, {.grade = grade("hd", "")}};
    struct pricing_row row = {.name = TEXT("m"), .tiers = tiers, .tiers_len = 1};
    row.per_million[PRICE_IMAGE] = SLICE_LITERAL("40000");
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID); /* no price in it */
    tiers[0].per_million[PRICE_IMAGE] = SLICE_LITERAL("80000");
    assert_int_equal(pricing_put(pricing, &row), 0);
    tiers[0].per_million[PRICE_INPUT] = SLICE_LITERAL("1");
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    tiers[0].per_million[PRICE_INPUT] = (struct slice){0};
    tiers[0].above = 5;
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    tiers[0].above = 0;
    tiers[0].grade = grade("auto", "");
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    tiers[0].grade = grade("hd", "");
    tiers[1].per_million[PRICE_IMAGE] = SLICE_LITERAL("70000");
    row.tiers_len = 2;
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID); /* twice */
    row.per_million[PRICE_IMAGE] = SLICE_LITERAL("1000000001");   /* over 1,000 each */
    row.tiers_len = 1;
    assert_int_equal(pricing_put(pricing, &row), METE_E_INVALID);
    pricing_free(pricing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_costs_what_its_quality_and_size_do),
        cmocka_unit_test(a_second_of_a_larger_video_costs_more),
        cmocka_unit_test(what_is_told_beside_is_not_billed),
        cmocka_unit_test(a_picture_without_a_price_is_not_free),
        cmocka_unit_test(a_call_may_cost_what_one_call_costs),
        cmocka_unit_test(a_grade_has_prices_of_pieces_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
