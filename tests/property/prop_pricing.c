/* SPDX-License-Identifier: Apache-2.0
 * Proves INV-08 for prices: a charge is the exact sum, rounded half to even once, and no usage
 * within the bound of a call costs more than its reservation (on which INV-01 rests). How: random
 * prices of up to 18 places and random usages, against school arithmetic on decimal digits that
 * starts from the price's text and shares nothing with src/pricing. Choices come from the tape
 * (tape.h). */
#include "base/checked.h"
#include "pricing/pricing.h"
#include "property/tape.h"

/* ---- The slow model: non-negative decimal numbers, least digit first, 24 places -------------- */

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
    ASSERT(rest == 0);
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

/* ---- Drawn cases ----------------------------------------------------------------------------- */

static struct pricing *pricing; /* one for all tapes: each replaces its one row */

enum { UNITS_MAX = 1000 * 1000 * 1000, CASES_MAX = 64 };

struct texts {
    char at[PRICE_METERS][64];
};

/* "0", short ones, ties at half a nano, 17 digits, the finest there is. */
static void draw_price(struct tape *tape, char *room)
{
    static const char digits[] = "05123456789";
    size_t len = 0, whole = tape_pick(tape, 4), places = tape_pick(tape, 19);
    for (size_t i = 0; i < whole; i++)
        room[len++] = digits[tape_pick(tape, 11)];
    if (!whole)
        room[len++] = '0';
    if (places) {
        room[len++] = '.';
        for (size_t i = 0; i < places; i++)
            room[len++] = digits[tape_chance(tape, 50) ? tape_pick(tape, 11) : tape_pick(tape, 2)];
    }
    room[len] = 0;
}

static const struct price_model *draw_model(struct tape *tape, struct texts *ret_texts)
{
    struct pricing_row row = {.name = SLICE_LITERAL("drawn")};
    for (int meter = 0; meter < PRICE_METERS; meter++) {
        draw_price(tape, ret_texts->at[meter]);
        row.per_million[meter] = slice_of(ret_texts->at[meter]);
    }
    int rc = pricing_put(pricing, &row);
    ASSERT(rc == 0);
    return pricing_find(pricing, row.name);
}

static struct pricing_usage draw_usage(struct tape *tape, int64_t input_max, int64_t output_max)
{
    struct pricing_usage usage = {0};
    usage.input = tape_range(tape, 0, input_max);
    usage.cached_input = tape_range(tape, 0, usage.input);
    usage.cache_write = tape_range(tape, 0, usage.input - usage.cached_input);
    usage.output = tape_range(tape, 0, output_max);
    usage.reasoning = tape_range(tape, 0, usage.output);
    return usage;
}

static int128 charge_slowly(const struct texts *texts, const struct pricing_usage *usage)
{
    const int64_t units[PRICE_METERS] = {usage->input - usage->cached_input - usage->cache_write,
                                         usage->cached_input, usage->cache_write,
                                         usage->output - usage->reasoning, usage->reasoning};
    struct digits sum = {{0}};
    for (int meter = 0; meter < PRICE_METERS; meter++) {
        struct digits product = times(texts->at[meter], units[meter]);
        add(&sum, &product);
    }
    return to_nano(&sum);
}

static int a_charge_is_the_exact_sum_rounded_once(struct tape *tape)
{
    for (int i = 0; i < CASES_MAX && !tape_done(tape); i++) {
        struct texts texts;
        const struct price_model *model = draw_model(tape, &texts);
        struct pricing_usage usage = draw_usage(tape, UNITS_MAX, UNITS_MAX);
        int64_t nano = -1;
        if (!model || pricing_charge(model, &usage, &nano) || nano != charge_slowly(&texts, &usage))
            return 1;
    }
    return 0;
}

static int no_usage_within_the_bound_costs_more_than_is_reserved(struct tape *tape)
{
    for (int i = 0; i < CASES_MAX && !tape_done(tape); i++) {
        struct texts texts;
        const struct price_model *model = draw_model(tape, &texts);
        int64_t input_bound = tape_range(tape, 0, UNITS_MAX);
        int64_t quantity = tape_range(tape, 0, UNITS_MAX), choices = tape_range(tape, 1, 128);
        struct mete_demand demand;
        int64_t variable = 0, nano = 0;
        if (pricing_bound(model, input_bound, choices, &demand) ||
            !checked_mul_div_up(demand.per_million, quantity, 1000000, &variable))
            return 1;
        for (int j = 0; j < 4; j++) {
            struct pricing_usage usage = draw_usage(tape, input_bound, quantity * choices);
            if (pricing_charge(model, &usage, &nano) || nano > demand.fixed + variable)
                return 1;
        }
    }
    return 0;
}

/* Of the finest and longest texts in the source, where a double or 10^-15 would lose digits. */
static int the_finest_prices_of_the_source_keep_every_digit(struct tape *tape)
{
    static const char *const finest[] = {"0.00000000000000001", "0.19999999999999998",
                                         "0.60000000000000009", "999.999999999999999999"};
    for (size_t i = 0; i < sizeof finest / sizeof finest[0]; i++) {
        struct pricing_row row = {.name = SLICE_LITERAL("fine")};
        row.per_million[PRICE_INPUT] = row.per_million[PRICE_OUTPUT] = slice_of(finest[i]);
        struct pricing_usage usage = {.input = tape_range(tape, 0, INT64_C(1000000000000))};
        struct digits sum = times(finest[i], usage.input);
        int64_t nano = -1;
        if (pricing_put(pricing, &row) ||
            pricing_charge(pricing_find(pricing, row.name), &usage, &nano) || nano != to_nano(&sum))
            return 1;
    }
    return 0;
}

int main(void)
{
    enum { TAPES = 10000, TAPE_MAX = 2048 };
    if (pricing_new(&pricing))
        return 1;
    int failed = tape_run("a_charge_is_the_exact_sum_rounded_once",
                          a_charge_is_the_exact_sum_rounded_once, TAPES, TAPE_MAX);
    failed |= tape_run("no_usage_within_the_bound_costs_more_than_is_reserved",
                       no_usage_within_the_bound_costs_more_than_is_reserved, TAPES, TAPE_MAX);
    failed |= tape_run("the_finest_prices_of_the_source_keep_every_digit",
                       the_finest_prices_of_the_source_keep_every_digit, TAPES / 10, 64);
    pricing_free(pricing);
    return failed;
}
