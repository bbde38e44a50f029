/* SPDX-License-Identifier: Apache-2.0
 * Proves INV-08 for prices: a charge is the exact sum, rounded half to even once, and no usage within
 * the bound of a call costs more than its reservation (on which INV-01 rests). How: random prices of
 * up to 18 places and random usages, against school arithmetic on decimal digits that starts from
 * the price's text and shares nothing with src/pricing. METE_SEED repeats a run. */
#include "base/checked.h"
#include "pricing/pricing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- The slow model: non-negative decimal numbers, least digit first, 24 places ---------------- */

enum { DIGITS = 80, PLACES = 24, NANO_AT = PLACES - 9 };

struct digits {
    unsigned char at[DIGITS];
};

static void carry(unsigned *sums, struct digits *ret_sum)
{
    unsigned rest = 0;
    for (int i = 0; i < DIGITS; i++) {
        rest += sums[i];
        ret_sum->at[i] = (unsigned char)(rest % 10);
        rest /= 10;
    }
    assert_int_equal(rest, 0);
}

static void add(struct digits *sum, const struct digits *more)
{
    unsigned sums[DIGITS];
    for (int i = 0; i < DIGITS; i++)
        sums[i] = (unsigned)sum->at[i] + more->at[i];
    carry(sums, sum);
}

/* text per million, so that its last of 18 places is the last of 24. */
static struct digits times(const char *per_million, int64_t units)
{
    unsigned sums[DIGITS] = {0};
    const char *point = strchr(per_million, '.');
    int place = PLACES - 6 - (int)(point ? strlen(point + 1) : 0);
    for (const char *c = per_million + strlen(per_million); c-- > per_million;) {
        if (*c == '.')
            continue;
        int at = place;
        for (int64_t rest = units; rest; rest /= 10)
            sums[at++] += (unsigned)(*c - '0') * (unsigned)(rest % 10);
        place++;
    }
    struct digits product;
    carry(sums, &product);
    return product;
}

/* Half to even at the nano, looking at the digits. */
static int128 to_nano(const struct digits *sum)
{
    int128 nano = 0;
    for (int i = DIGITS; i-- > NANO_AT;)
        nano = nano * 10 + sum->at[i];
    bool more = false;
    for (int i = 0; i < NANO_AT - 1; i++)
        more = more || sum->at[i];
    unsigned char half = sum->at[NANO_AT - 1];
    if (half > 5 || (half == 5 && (more || nano % 2)))
        nano++;
    return nano;
}

/* ---- Random cases -------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

/* All magnitudes alike, edges often. */
static int64_t draw_units(void)
{
    int64_t top = 1;
    for (uint64_t digits = draw(12); digits; digits--)
        top *= 10;
    return draw(8) ? (int64_t)draw((uint64_t)top + 1) : top;
}

struct texts {
    char at[PRICE_METERS][64];
};

/* "0", short ones, ties at half a nano, 17 digits, the finest there is. */
static void draw_price(char *room)
{
    size_t len = 0, whole = draw(4), places = draw(19);
    for (size_t i = 0; i < whole; i++)
        room[len++] = (char)('0' + draw(10));
    if (!whole)
        room[len++] = '0';
    if (places) {
        room[len++] = '.';
        for (size_t i = 0; i < places; i++)
            room[len++] = (char)(draw(3) ? '0' + draw(10) : draw(2) ? '0' : '5');
    }
    room[len] = 0;
}

static const struct price_model *draw_model(struct pricing *pricing, struct texts *ret_texts)
{
    struct pricing_row row = {.name = SLICE_LITERAL("drawn")};
    for (int meter = 0; meter < PRICE_METERS; meter++) {
        draw_price(ret_texts->at[meter]);
        row.per_million[meter] = slice_of(ret_texts->at[meter]);
    }
    assert_int_equal(pricing_put(pricing, &row), 0);
    const struct price_model *model = pricing_find(pricing, row.name);
    assert_non_null(model);
    return model;
}

static struct pricing_usage draw_usage(int64_t input_max, int64_t output_max)
{
    struct pricing_usage usage = {0};
    usage.input = (int64_t)draw((uint64_t)input_max + 1);
    usage.cached_input = draw(2) ? (int64_t)draw((uint64_t)usage.input + 1) : 0;
    int64_t rest = usage.input - usage.cached_input;
    usage.cache_write = draw(2) ? (int64_t)draw((uint64_t)rest + 1) : 0;
    usage.output = draw(4) ? (int64_t)draw((uint64_t)output_max + 1) : output_max;
    usage.reasoning = draw(2) ? (int64_t)draw((uint64_t)usage.output + 1) : 0;
    return usage;
}

static void a_charge_is_the_exact_sum_rounded_once(void **state)
{
    struct pricing *pricing = *state;
    for (int run = 0; run < 20000; run++) {
        uint64_t at = seed;
        struct texts texts;
        const struct price_model *model = draw_model(pricing, &texts);
        struct pricing_usage usage = draw_usage(draw_units(), draw_units());
        const int64_t units[PRICE_METERS] = {usage.input - usage.cached_input - usage.cache_write,
                                             usage.cached_input, usage.cache_write,
                                             usage.output - usage.reasoning, usage.reasoning};
        struct digits sum = {{0}};
        for (int meter = 0; meter < PRICE_METERS; meter++) {
            struct digits product = times(texts.at[meter], units[meter]);
            add(&sum, &product);
        }
        int64_t nano = -1;
        int rc = pricing_charge(model, &usage, &nano);
        if (rc || nano != to_nano(&sum))
            fail_msg("METE_SEED=%llu", (unsigned long long)at);
    }
}

static void no_usage_within_the_bound_costs_more_than_is_reserved(void **state)
{
    struct pricing *pricing = *state;
    for (int run = 0; run < 20000; run++) {
        uint64_t at = seed;
        struct texts texts;
        const struct price_model *model = draw_model(pricing, &texts);
        int64_t input_bound = draw_units(), quantity = draw_units(), choices = 1 + (int64_t)draw(4);
        struct mete_demand demand;
        assert_int_equal(pricing_bound(model, input_bound, choices, &demand), 0);
        int64_t variable = 0, nano = 0;
        assert_true(checked_mul_div_up(demand.per_million, quantity, 1000000, &variable));
        for (int i = 0; i < 4; i++) {
            struct pricing_usage usage = draw_usage(input_bound, quantity * choices);
            assert_int_equal(pricing_charge(model, &usage, &nano), 0);
            if (nano > demand.fixed + variable)
                fail_msg("METE_SEED=%llu", (unsigned long long)at);
        }
    }
}

/* Of the finest and longest texts in the source, where a double or 10^-15 would lose digits. */
static void the_finest_prices_of_the_source_keep_every_digit(void **state)
{
    struct pricing *pricing = *state;
    const char *const texts[] = {"0.00000000000000001", "0.19999999999999998",
                                 "0.60000000000000009", "999.999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct pricing_row row = {.name = SLICE_LITERAL("fine")};
        row.per_million[PRICE_INPUT] = row.per_million[PRICE_OUTPUT] = slice_of(texts[i]);
        assert_int_equal(pricing_put(pricing, &row), 0);
        const int64_t tokens = INT64_C(123456789012);
        struct digits sum = times(texts[i], tokens);
        struct pricing_usage usage = {.input = tokens};
        int64_t nano = -1;
        assert_int_equal(pricing_charge(pricing_find(pricing, row.name), &usage, &nano), 0);
        assert_true(nano == to_nano(&sum));
    }
}

static int begin(void **state)
{
    const char *given = getenv("METE_SEED");
    seed = given ? strtoull(given, NULL, 10) : 1;
    return pricing_new((struct pricing **)state);
}

static int end(void **state)
{
    pricing_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_charge_is_the_exact_sum_rounded_once, begin, end),
        cmocka_unit_test_setup_teardown(no_usage_within_the_bound_costs_more_than_is_reserved,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_finest_prices_of_the_source_keep_every_digit, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
