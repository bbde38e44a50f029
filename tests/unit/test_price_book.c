/* SPDX-License-Identifier: Apache-2.0
 * Proves that prices by date say the same whoever reads them in whatever order: the latest row that
 * has begun holds, an organization's own before everybody's, a list that was given stays as it is,
 * and its version names all that is in it. And that a price said of any unit is kept to its last
 * digit, or refused. */
#include "base/limits.h"
#include "pricing/book.h"
#include "pricing/words.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct price_book *fresh(void)
{
    struct pricing *base;
    struct price_book *book;
    assert_int_equal(pricing_new(&base), 0);
    assert_int_equal(price_book_new(base, &book), 0);
    pricing_free(base);
    return book;
}

static int put(struct price_book *book, uint32_t organization, int64_t from_us, const char *model,
               const char *input)
{
    struct price_book_row row = {.organization = organization,
                                 .from_us = from_us,
                                 .ends = !input,
                                 .row = {.name = slice_of(model)}};
    row.row.per_million[PRICE_INPUT] = slice_of(input ? input : "");
    row.row.per_million[PRICE_OUTPUT] = slice_of(input ? "8" : "");
    return price_book_put(book, &row);
}

static const struct pricing *list(struct price_book *book, uint32_t organization, int64_t at_us)
{
    const struct pricing *got;
    assert_int_equal(price_book_list(book, organization, at_us, &got), 0);
    return got;
}

static void costs_in(const struct pricing *pricing, const char *model, const char *input)
{
    char room[DECIMAL_ROOM] = "none";
    const struct price_model *found = pricing_find(pricing, slice_of(model));
    if (found)
        price_words_show(found->prices[PRICE_INPUT], 0, room);
    assert_string_equal(room, input);
}

static void costs(struct price_book *book, uint32_t organization, int64_t at_us, const char *model,
                  const char *input)
{
    const struct pricing *got = list(book, organization, at_us);
    costs_in(got, model, input);
    pricing_free(got);
}

static void the_latest_row_that_has_begun_holds(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    costs(book, 0, 0, "gpt-4o-mini", "0.15");
    assert_int_equal(put(book, 0, 200, "gpt-4o-mini", "0.25"), 0);
    assert_int_equal(put(book, 0, 100, "gpt-4o-mini", "0.2"), 0);
    assert_int_equal(put(book, 0, 300, "gpt-4o-mini", NULL), 0);
    assert_int_equal(put(book, 0, 150, "house", "1"), 0);
    static const struct {
        int64_t at;
        const char *mini, *house;
    } times[] = {{99, "0.15", "none"}, {100, "0.2", "none"},        {150, "0.2", "1"},
                 {199, "0.2", "1"},    {200, "0.25", "1"},          {299, "0.25", "1"},
                 {300, "0.15", "1"},   {INT64_MAX - 1, "0.15", "1"}};
    for (int round = 0; round < 2; round++) /* and again, of what is remembered */
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
            costs(book, 0, times[i].at, "gpt-4o-mini", times[i].mini);
            costs(book, 0, times[i].at, "house", times[i].house);
            costs(book, 7, times[i].at, "house", times[i].house);
        }
    assert_int_equal(put(book, 0, 200, "gpt-4o-mini", "0.5"), 0); /* in place of the other */
    costs(book, 0, 250, "gpt-4o-mini", "0.5");
    costs(book, 0, 199, "gpt-4o-mini", "0.2");
    int64_t from_us = -1;
    assert_true(price_book_since(book, 0, SLICE_LITERAL("gpt-4o-mini"), 250, &from_us));
    assert_int_equal(from_us, 200);
    assert_false(price_book_since(book, 0, SLICE_LITERAL("gpt-4o-mini"), 300, &from_us));
    assert_false(price_book_since(book, 0, SLICE_LITERAL("gpt-4o-mini"), 99, &from_us));
    assert_false(price_book_since(book, 0, SLICE_LITERAL("gpt-4o"), 250, &from_us));
    price_book_free(book);
}

static void an_organizations_own_go_before_everybodys(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    assert_int_equal(put(book, 3, 100, "gpt-4o", "7"), 0);
    assert_int_equal(put(book, 0, 200, "gpt-4o", "5"), 0);
    assert_int_equal(put(book, 0, 250, "house", "1"), 0);
    assert_int_equal(put(book, 3, 300, "gpt-4o", NULL), 0);
    costs(book, 3, 99, "gpt-4o", "2.5");
    costs(book, 3, 100, "gpt-4o", "7");
    costs(book, 3, 260, "gpt-4o", "7");
    costs(book, 3, 260, "house", "1"); /* everybody's shows through */
    costs(book, 3, 300, "gpt-4o", "5");
    costs(book, 2, 260, "gpt-4o", "5");
    costs(book, 4, 150, "gpt-4o", "2.5");
    costs(book, 0, 150, "gpt-4o", "2.5");
    price_book_free(book);
}

/* INV-11: what was reserved with is what is charged by. */
static void a_list_that_was_given_stays_as_it_is(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    assert_int_equal(put(book, 0, 100, "house", "1"), 0);
    assert_int_equal(put(book, 5, 100, "own", "2"), 0);
    const struct pricing *before = list(book, 5, 100), *other = list(book, 5, 100);
    assert_ptr_equal(before, other);
    pricing_free(other);
    char version[64];
    snprintf(version, sizeof version, "%s", pricing_version(before).data);
    assert_int_equal(put(book, 0, 100, "house", "3"), 0);
    assert_int_equal(put(book, 5, 100, "own", "4"), 0);
    costs(book, 5, 100, "house", "3");
    costs(book, 5, 100, "own", "4");
    costs_in(before, "house", "1");
    costs_in(before, "own", "2");
    assert_string_equal(pricing_version(before).data, version);
    price_book_free(book);
    costs_in(before, "house", "1"); /* even then */
    costs_in(before, "gpt-4o", "2.5");
    pricing_free(before);
}

/* Two that have read the same rows price alike, and say so. */
static void the_version_is_of_what_holds_not_of_how_it_came(void **state)
{
    (void)state;
    struct price_book *a = fresh(), *b = fresh();
    char name[32], price[32];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "m%d", i % 40);
        snprintf(price, sizeof price, "%d.5", i);
        assert_int_equal(put(a, i % 3 ? 0 : 9, i, name, price), 0);
    }
    for (int i = 299; i >= 0; i--) {
        snprintf(name, sizeof name, "m%d", i % 40);
        snprintf(price, sizeof price, "%d.5", i);
        assert_int_equal(put(b, i % 3 ? 0 : 9, i, name, price), 0);
    }
    for (int64_t at = -1; at < 301; at += 7)
        for (uint32_t organization = 0; organization < 10; organization += 9) {
            const struct pricing *left = list(a, organization, at),
                                 *right = list(b, organization, at);
            assert_true(slice_equal(pricing_version(left), pricing_version(right)));
            const struct price_model *l = pricing_next(left, SLICE_LITERAL("m"));
            const struct price_model *r = pricing_next(right, SLICE_LITERAL("m"));
            for (; l && slice_starts(l->name, SLICE_LITERAL("m"));
                 l = pricing_next(left, l->name)) {
                assert_true(slice_equal(l->name, r->name));
                assert_memory_equal(l->prices, r->prices, PRICE_METERS * sizeof *l->prices);
                r = pricing_next(right, r->name);
            }
            pricing_free(left);
            pricing_free(right);
        }
    const struct pricing *early = list(a, 0, 10), *late = list(a, 0, 250), *own = list(a, 9, 250);
    assert_false(slice_equal(pricing_version(early), pricing_version(late)));
    assert_false(slice_equal(pricing_version(own), pricing_version(late)));
    assert_true(slice_starts(pricing_version(own), SLICE_LITERAL("builtin-2026-07-24+")));
    pricing_free(early);
    pricing_free(late);
    pricing_free(own);
    price_book_free(a);
    price_book_free(b);
}

static void a_list_over_another_shows_both_in_order(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    size_t len = pricing_len(price_book_base(book));
    assert_int_equal(put(book, 0, 1, "gpt-4o", "9"), 0);
    assert_int_equal(put(book, 0, 1, "zzz", "9"), 0);
    assert_int_equal(put(book, 2, 1, "aaa", "9"), 0);
    assert_int_equal(put(book, 2, 1, "gpt-4o", "8"), 0);
    const struct pricing *got = list(book, 2, 1);
    size_t seen = 0, four = 0;
    struct slice before = {0};
    const struct price_model *each = pricing_next(got, before);
    for (; each; each = pricing_next(got, before)) {
        size_t both = before.len < each->name.len ? before.len : each->name.len;
        int order = both ? memcmp(before.data, each->name.data, both) : 0;
        assert_true(order < 0 || (!order && before.len < each->name.len));
        four += slice_is(each->name, "gpt-4o");
        before = each->name;
        seen++;
    }
    assert_int_equal(four, 1);
    assert_int_equal(seen, len + 2);
    assert_int_equal(pricing_len(got), len + 2);
    costs_in(got, "gpt-4o", "8");
    pricing_free(got);
    price_book_free(book);
}

static void a_row_that_no_list_can_have_changes_nothing(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    assert_int_equal(put(book, 0, 1, "", "1"), METE_E_INVALID);
    assert_int_equal(put(book, 0, 1, "a b", "1"), METE_E_SYNTAX);
    assert_int_equal(put(book, 0, 1, "a", "-1"), METE_E_INVALID);
    assert_int_equal(put(book, 0, 1, "a", "1e-19"), METE_E_INVALID);
    assert_int_equal(put(book, 0, 1, "a", "dear"), METE_E_SYNTAX);
    struct price_book_row row;
    assert_false(price_book_at(book, 0, SLICE_LITERAL("a"), 0, &row));
    assert_int_equal(put(book, 0, 2, "a", "1"), 0);
    assert_int_equal(put(book, 0, 1, "a", "2"), 0);
    assert_true(price_book_at(book, 0, SLICE_LITERAL("a"), 0, &row));
    assert_int_equal(row.from_us, 1);
    assert_true(price_book_at(book, 0, SLICE_LITERAL("a"), 1, &row));
    assert_true(slice_is(row.row.per_million[PRICE_INPUT], "1"));
    assert_false(price_book_at(book, 0, SLICE_LITERAL("a"), 2, &row));
    price_book_free(book);
}

/* More organizations than lists are remembered. */
static void lists_that_are_forgotten_are_made_again(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    char price[32];
    for (uint32_t organization = 1; organization <= 200; organization++) {
        snprintf(price, sizeof price, "%u", organization);
        assert_int_equal(put(book, organization, 1, "m", price), 0);
    }
    for (int round = 0; round < 3; round++)
        for (uint32_t organization = 1; organization <= 200; organization++) {
            snprintf(price, sizeof price, "%u", organization);
            costs(book, organization, round + 1, "m", price);
            costs(book, 0, round + 1, "m", "none");
        }
    price_book_free(book);
}

/* ---- Words ----------------------------------------------------------------------------------- */

static void a_price_of_any_unit_is_kept_to_its_last_digit(void **state)
{
    (void)state;
    static const struct {
        const char *type, *unit, *price, *per_million;
        enum price_meter meter;
    } said[] = {
        {"input_token", "per_1k_tokens", "0.002", "2", PRICE_INPUT},
        {"output_tokens", "per_token", "1e-19", "0.0000000000001", PRICE_OUTPUT},
        {"input", "", "2.50", "2.5", PRICE_INPUT},
        {"cached_input", "per_million", "0.000000000000000001", "0.000000000000000001",
         PRICE_CACHED_INPUT},
        {"image", "per_image", "0.04", "40000", PRICE_IMAGE},
        {"images", "", "0.04", "40000", PRICE_IMAGE},
        {"audio_minute", "", "0.006", "100", PRICE_AUDIO_SECOND},
        {"audio", "per_minute", "0.006", "100", PRICE_AUDIO_SECOND},
        {"audio_second", "per_hour", "0.36", "100", PRICE_AUDIO_SECOND},
        {"video_second", "per_second", "0.1", "100000", PRICE_VIDEO_SECOND},
        {"character", "per_1k_characters", "0.015", "15", PRICE_CHARACTER},
        {"request", "per_1k_requests", "5", "5000", PRICE_REQUEST},
        {"search", "per_thousand", "10", "10000", PRICE_SEARCH},
    };
    char room[DECIMAL_ROOM];
    enum price_meter meter;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        assert_int_equal(price_words_say(slice_of(said[i].type), slice_of(said[i].unit),
                                         slice_of(said[i].price), &meter, room),
                         PRICE_WORD_GOOD);
        assert_int_equal(meter, said[i].meter);
        assert_string_equal(room, said[i].per_million);
    }
}

static void what_cannot_be_kept_or_understood_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *unit, *price;
        enum price_word_fault fault;
    } said[] = {
        {"tokens", "per_token", "1", PRICE_WORD_TYPE},
        {"", "per_token", "1", PRICE_WORD_TYPE},
        {"input_token", "per_image", "1", PRICE_WORD_UNIT},
        {"image", "per_1k_tokens", "1", PRICE_WORD_UNIT},
        {"input_token", "per_2k_tokens", "1", PRICE_WORD_UNIT},
        {"audio_minute", "", "0.01", PRICE_WORD_PRICE}, /* a third, for ever */
        {"input_token", "per_1k_tokens", "-1", PRICE_WORD_PRICE},
        {"input_token", "per_1k_tokens", "1e-22", PRICE_WORD_PRICE},
        {"input_token", "per_1k_tokens", "cheap", PRICE_WORD_PRICE},
    };
    char room[DECIMAL_ROOM];
    enum price_meter meter;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        assert_int_equal(price_words_say(slice_of(said[i].type), slice_of(said[i].unit),
                                         slice_of(said[i].price), &meter, room),
                         said[i].fault);
}

/* The keys of model_costs are those of the API. */
#define PRICE_SHIFT 0
#define PRICE_1K_SHIFT 3
#define PRICE_EACH_SHIFT 6
static void every_key_of_the_configuration_is_a_word(void **state)
{
    (void)state;
    static const struct {
        const char *section, *key, *type, *field;
    } table[] = {
#define ROW(section, key, field, type, standard, min, max, text) {#section, #key, #type, #field},
#include "tables/config.h"
    };
    size_t seen = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].section, "COST") || strncmp(table[i].type, "PRICE", 5))
            continue;
        enum price_meter meter;
        unsigned shift;
        assert_true(price_words_find(slice_of(table[i].key), &meter, &shift));
        assert_int_equal(shift, !strcmp(table[i].type, "PRICE")      ? PRICE_SHIFT
                                : !strcmp(table[i].type, "PRICE_1K") ? PRICE_1K_SHIFT
                                                                     : PRICE_EACH_SHIFT);
        seen++;
    }
    assert_true(seen >= PRICE_METERS);
    for (unsigned m = 0; m < PRICE_METERS; m++) {
        enum price_meter meter = PRICE_METERS;
        unsigned shift, again;
        assert_true(price_words_find(slice_of(price_words_key((enum price_meter)m, &shift)), &meter,
                                     &again));
        assert_int_equal(meter, m);
        assert_int_equal(shift, again);
        char room[DECIMAL_ROOM], back[DECIMAL_ROOM];
        struct price price = {INT64_C(1234567890123456789)};
        price_words_show(price, shift, room);
        assert_int_equal(price_words_move(slice_of(room), shift, back), 0);
        assert_string_equal(back, "1.234567890123456789");
    }
}

/* ---- Markups --------------------------------------------------------------------------------- */

static void mark(struct price_book *book, uint32_t organization, int64_t from_us, int32_t bp,
                 const char *models)
{
    const struct markups_row row = {organization, from_us, {bp, slice_of(models)}};
    assert_int_equal(markups_put(price_book_markups(book), &row), 0);
}

/* A million tokens of input, in nanos. */
static void pays(struct price_book *book, uint32_t organization, int64_t at_us, const char *model,
                 int64_t nano)
{
    const struct pricing *got = list(book, organization, at_us);
    const struct pricing_usage usage = {.input = 1000000};
    int64_t paid = -1;
    assert_int_equal(pricing_charge(pricing_find(got, slice_of(model)), &usage, &paid), 0);
    assert_int_equal(paid, nano);
    pricing_free(got);
}

static void an_organization_pays_the_list_at_its_markup(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    mark(book, 7, 100, 2000, "");
    mark(book, 8, 100, -1000, "");
    mark(book, 7, 200, 5000, "gpt-4o*\nhouse");
    mark(book, 7, 300, 0, "");
    mark(book, 9, 50, -10000, "");
    pays(book, 7, 99, "gpt-4o-mini", 150000000);
    pays(book, 7, 100, "gpt-4o-mini", 180000000);
    pays(book, 7, 199, "gpt-4o-mini", 180000000);
    pays(book, 7, 200, "gpt-4o-mini", 225000000);
    pays(book, 7, 200, "gpt-4.1", 2000000000); /* no model of those that are named */
    pays(book, 7, 300, "gpt-4o-mini", 150000000);
    pays(book, 8, 300, "gpt-4o-mini", 135000000);
    pays(book, 9, 300, "gpt-4o-mini", 0);
    pays(book, 6, 300, "gpt-4o-mini", 150000000);
    pays(book, 0, 300, "gpt-4o-mini", 150000000);
    /* over everybody's prices by date, and its own */
    assert_int_equal(put(book, 0, 150, "gpt-4o-mini", "1"), 0);
    assert_int_equal(put(book, 8, 160, "house", "3"), 0);
    pays(book, 7, 149, "gpt-4o-mini", 180000000);
    pays(book, 7, 150, "gpt-4o-mini", 1200000000);
    pays(book, 8, 160, "house", 2700000000);
    pays(book, 8, 160, "gpt-4o-mini", 900000000);
    /* one that is said again is another */
    mark(book, 8, 100, 10000, "");
    pays(book, 8, 160, "house", 6000000000);
    price_book_free(book);
}

static void who_pays_the_same_has_the_same_list_and_another_version(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    mark(book, 1, 10, 2000, "");
    mark(book, 2, 20, 2000, "");
    mark(book, 3, 10, 2000, "gpt-*");
    const struct pricing *one = list(book, 1, 30), *two = list(book, 2, 30),
                         *some = list(book, 3, 30), *plain = list(book, 4, 30);
    assert_ptr_equal(one, two);
    assert_true(slice_equal(pricing_version(plain), pricing_version(price_book_base(book))));
    assert_false(slice_equal(pricing_version(one), pricing_version(plain)));
    assert_false(slice_equal(pricing_version(one), pricing_version(some)));
    assert_int_equal(pricing_len(one), pricing_len(plain));
    const struct price_model *each = pricing_next(plain, (struct slice){0});
    for (; each; each = pricing_next(plain, each->name)) {
        const struct price_model *marked = pricing_listed(one, each->name);
        assert_true(marked && marked->prices == each->prices && marked->markup_bp == 2000);
    }
    pricing_free(one);
    pricing_free(two);
    pricing_free(some);
    pricing_free(plain);
    price_book_free(book);
}

static void what_was_reserved_is_priced_as_of_its_moment(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    int64_t moment = -1;
    mark(book, 1, 100, 2000, "");
    assert_int_equal(price_book_moment(book, 1, 150, &moment), 0);
    assert_int_equal(moment, 100);
    mark(book, 1, 160, 9000, "");
    pays(book, 1, moment, "gpt-4o-mini", 180000000);
    assert_int_equal(price_book_moment(book, 1, 170, &moment), 0);
    assert_int_equal(moment, 160);
    assert_int_equal(price_book_moment(book, 2, 170, &moment), 0);
    assert_int_equal(moment, 1);
    price_book_free(book);
}

static void a_model_that_is_not_listed_costs_the_ceiling_at_the_markup(void **state)
{
    (void)state;
    struct pricing *base;
    struct price_book *book;
    struct pricing_row row = {.name = {0}};
    assert_int_equal(pricing_new(&base), 0);
    row.per_million[PRICE_INPUT] = row.per_million[PRICE_OUTPUT] = SLICE_LITERAL("10");
    assert_int_equal(pricing_set_ceiling(base, &row), 0);
    assert_int_equal(price_book_new(base, &book), 0);
    pricing_free(base);
    mark(book, 1, 1, 2000, "");
    mark(book, 2, 1, 2000, "unheard*");
    pays(book, 1, 1, "unheard-of", 12000000000);
    pays(book, 2, 1, "unheard-of", 10000000000); /* it has no name in the list */
    price_book_free(book);
}

static void a_markup_has_a_range_and_dates_to_come_can_go(void **state)
{
    (void)state;
    struct price_book *book = fresh();
    struct markups *markups = price_book_markups(book);
    const struct markups_row high = {1, 1, {LIMIT_MARKUP + 1, {0}}}, low = {1, 1, {-10001, {0}}};
    struct markups_row row;
    assert_false(markups_any(markups));
    assert_int_equal(markups_put(markups, &high), METE_E_INVALID);
    assert_int_equal(markups_put(markups, &low), METE_E_INVALID);
    for (int64_t at = 50; at > 0; at -= 10) {
        mark(book, 1, at, (int32_t)at, "");
        mark(book, 2, at, (int32_t)at, "");
    }
    markups_drop(markups, 1, 20);
    assert_true(markups_at(markups, 1, 1, &row) && row.from_us == 20);
    assert_false(markups_at(markups, 1, 2, &row));
    assert_true(markups_at(markups, 2, 4, &row) && row.is.bp == 50);
    assert_true(markups_find(markups, 1, 1000, &row) && row.is.bp == 20);
    assert_false(markups_find(markups, 1, 9, &row));
    price_book_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_organization_pays_the_list_at_its_markup),
        cmocka_unit_test(who_pays_the_same_has_the_same_list_and_another_version),
        cmocka_unit_test(what_was_reserved_is_priced_as_of_its_moment),
        cmocka_unit_test(a_model_that_is_not_listed_costs_the_ceiling_at_the_markup),
        cmocka_unit_test(a_markup_has_a_range_and_dates_to_come_can_go),
        cmocka_unit_test(the_latest_row_that_has_begun_holds),
        cmocka_unit_test(an_organizations_own_go_before_everybodys),
        cmocka_unit_test(a_list_that_was_given_stays_as_it_is),
        cmocka_unit_test(the_version_is_of_what_holds_not_of_how_it_came),
        cmocka_unit_test(a_list_over_another_shows_both_in_order),
        cmocka_unit_test(a_row_that_no_list_can_have_changes_nothing),
        cmocka_unit_test(lists_that_are_forgotten_are_made_again),
        cmocka_unit_test(a_price_of_any_unit_is_kept_to_its_last_digit),
        cmocka_unit_test(what_cannot_be_kept_or_understood_is_refused),
        cmocka_unit_test(every_key_of_the_configuration_is_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
