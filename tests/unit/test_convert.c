/* SPDX-License-Identifier: Apache-2.0
 * Proves that what was used in several currencies is told in one at the rates of its time: each
 * cost at the rate that held when its quarter of an hour began, of rows, pages and totals alike,
 * and that a currency without a rate is named and added nowhere. */
#include "reports/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <jansson.h>

enum { DAY = 96 };
#define EUR METE_CURRENCY('E', 'U', 'R')
#define JPY METE_CURRENCY('J', 'P', 'Y')

struct place {
    char path[64];
    struct records *records;
    struct records_reader *reader;
    uint64_t seq;
};

static int begin(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    snprintf(place->path, sizeof place->path, "/tmp/mete-convert-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    assert_int_equal(records_open(os_system(), place->path, &place->records), 0);
    assert_int_equal(records_begin(place->records), 0);
    *state = place;
    return 0;
}

static int end(void **state)
{
    struct place *place = *state;
    char command[128];
    records_reader_close(place->reader);
    snprintf(command, sizeof command, "rm -r %s", place->path);
    int rc = system(command);
    free(place);
    return rc;
}

static void put(struct place *place, uint32_t bucket, const char *model, uint32_t currency,
                int64_t nano)
{
    const struct mete_usage usage[] = {{METE_COST, currency, nano}, {METE_INPUT, 0, 1}};
    const struct records_usage record = {.seq = ++place->seq,
                                         .reservation = place->seq,
                                         .scope = {1},
                                         .organization = {1},
                                         .model = slice_of(model),
                                         .started_us = bucket * ROLLUPS_BUCKET_US,
                                         .ended_us = bucket * ROLLUPS_BUCKET_US + 5,
                                         .state = METE_COMMITTED,
                                         .usage = usage,
                                         .usage_len = 2,
                                         .outcome = {.ending = METE_ENDED_OK}};
    assert_int_equal(records_put_usage(place->records, &record), 0);
}

static json_t *ask(struct place *place, const struct reports_rates *rates, enum rollups_by by,
                   enum mete_period interval)
{
    struct buffer out;
    uint64_t next = 0;
    if (place->records) {
        assert_int_equal(records_end(place->records, place->seq), 0);
        records_close(place->records);
        place->records = NULL;
        assert_int_equal(records_reader_open(os_system(), place->path, &place->reader), 0);
    }
    const struct reports_usage question = {
        .about = {.level = ROLLUPS_ORGANIZATION, .by = by},
        .by = by ? "model" : NULL,
        .interval = interval,
        .zone_name = SLICE_LITERAL("UTC"),
        .from = 100 * DAY,
        .to = 110 * DAY,
        .limit = 100,
        .rates = rates,
    };
    buffer_init(&out, 1 << 20);
    assert_int_equal(reports_usage(place->reader, &question, &out, &next), 0);
    json_t *page = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(page);
    buffer_done(&out);
    return page;
}

static const char *converted(json_t *row)
{
    return json_string_value(json_object_get(json_object_get(row, "converted"), "cost"));
}

static json_t *row(json_t *page, size_t i)
{
    return json_array_get(json_object_get(page, "data"), i);
}

/* Half a euro a dollar, a quarter from noon of the third day on. */
static struct reports_rate rates_of_dollars[] = {
    {METE_USD, 2, (102 * DAY + 48) * INT64_C(900000000), 1, 4},
    {METE_USD, 1, 0, 1, 2},
    {JPY, 3, 109 * DAY *INT64_C(900000000), 1, 100},
};

static struct reports_rates sorted(void)
{
    struct reports_rates rates = {.to = EUR, .at = rates_of_dollars, .len = 3};
    convert_sort(&rates);
    return rates;
}

static void fill(struct place *place)
{
    put(place, 101 * DAY, "a", METE_USD, 1000000000);
    put(place, 102 * DAY + 47, "a", METE_USD, 1000000000);
    put(place, 102 * DAY + 48, "a", METE_USD, 1000000000);
    put(place, 102 * DAY + 48, "b", EUR, 30000000);
    put(place, 103 * DAY, "b", METE_USD, 3);
    put(place, 104 * DAY, "b", JPY, 5000000000);
    put(place, 109 * DAY, "c", JPY, 5000000000);
}

static void each_cost_is_told_at_the_rate_of_its_time(void **state)
{
    const struct reports_rates rates = sorted();
    fill(*state);
    json_t *page = ask(*state, &rates, ROLLUPS_BY_MODEL, METE_TOTAL);
    assert_string_equal(converted(row(page, 0)), "1.25");
    assert_string_equal(converted(row(page, 1)), "0.030000001"); /* 0.75 nano is one */
    assert_string_equal(converted(row(page, 2)), "0.05");
    assert_string_equal(converted(json_object_get(page, "totals")), "1.330000001");
    json_t *missing = json_object_get(json_object_get(row(page, 1), "converted"), "missing");
    assert_int_equal(json_array_size(missing), 1);
    assert_string_equal(json_string_value(json_array_get(missing, 0)), "JPY");
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(row(page, 0), "converted"), "missing")), 0);
    json_decref(page);
}

static void days_are_told_apart(void **state)
{
    const struct reports_rates rates = sorted();
    fill(*state);
    json_t *page = ask(*state, &rates, ROLLUPS_BY_NOTHING, METE_DAILY);
    static const char *const days[] = {"0.00", "0.50", "0.78", "0.000000001", "0.00",
                                       "0.00", "0.00", "0.00", "0.00",        "0.05"};
    for (size_t i = 0; i < 10; i++)
        assert_string_equal(converted(row(page, i)), days[i]);
    json_decref(page);
}

static void without_rates_nothing_is_converted(void **state)
{
    const struct reports_rates none = {.to = EUR};
    fill(*state);
    json_t *page = ask(*state, NULL, ROLLUPS_BY_NOTHING, METE_TOTAL);
    assert_null(json_object_get(row(page, 0), "converted"));
    json_decref(page);
    page = ask(*state, &none, ROLLUPS_BY_NOTHING, METE_TOTAL);
    assert_string_equal(converted(row(page, 0)), "0.03");
    json_decref(page);
}

static void what_is_taken_back_is_converted_too(void **state)
{
    (void)state;
    const struct reports_rates rates = sorted();
    int128 sum = 0;
    assert_true(convert_add(&rates, METE_USD, 101 * DAY, -3, &sum)); /* -1.5: to even */
    assert_true(sum == -2);
    assert_true(convert_add(&rates, METE_USD, 103 * DAY, METE_AMOUNT_MAX, &sum));
    assert_false(convert_add(&rates, JPY, 108 * DAY, 1, &sum));
    assert_int_equal(convert_next(&rates, 101 * DAY), 102 * DAY + 48);
    assert_int_equal(convert_next(&rates, 109 * DAY), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_cost_is_told_at_the_rate_of_its_time, begin, end),
        cmocka_unit_test_setup_teardown(days_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(without_rates_nothing_is_converted, begin, end),
        cmocka_unit_test(what_is_taken_back_is_converted_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
