/* SPDX-License-Identifier: Apache-2.0
 * Proves that records rated again are each rated once: over many pages, a call and its correction
 * as one wherever they stand, each by its service and rounded for itself; that what is beyond the
 * models that are told apart is told together; and that a tariff reads back as it was written. */
#include "base/details.h"
#include "codec/decimal.h"
#include "pricing/tariff_text.h"
#include "reports/rerate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <jansson.h>

struct place {
    char path[64];
    struct records *records;
    struct records_reader *reader;
    struct pricing *pricing;
    uint64_t seq;
};

static int begin(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    snprintf(place->path, sizeof place->path, "/tmp/mete-rerate-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    assert_int_equal(records_open(os_system(), place->path, &place->records), 0);
    assert_int_equal(records_begin(place->records), 0);
    assert_int_equal(pricing_new(&place->pricing), 0);
    const struct pricing_tier_row batch = {
        .service = PRICE_BATCH,
        .per_million = {[PRICE_INPUT] = SLICE_LITERAL("0.5"), [PRICE_OUTPUT] = SLICE_LITERAL("1")}};
    const struct pricing_row row = {
        .name = SLICE_LITERAL("m"),
        .per_million = {[PRICE_INPUT] = SLICE_LITERAL("1"), [PRICE_OUTPUT] = SLICE_LITERAL("2")},
        .tiers = &batch,
        .tiers_len = 1};
    assert_int_equal(pricing_put(place->pricing, &row), 0);
    *state = place;
    return 0;
}

static int end(void **state)
{
    struct place *place = *state;
    char command[128];
    if (place->records) {
        assert_int_equal(records_end(place->records, place->seq), 0);
        records_close(place->records);
    }
    records_reader_close(place->reader);
    pricing_free(place->pricing);
    snprintf(command, sizeof command, "rm -r %s", place->path);
    int rc = system(command);
    free(place);
    return rc;
}

struct call {
    const char *model, *tariff;
    int64_t input, nano;
    uint64_t corrects;
    bool provisional, untold;
};

static uint64_t put(struct place *place, struct call call)
{
    const struct mete_usage usage[] = {{METE_COST, METE_USD, call.nano},
                                       {METE_INPUT, 0, call.input}};
    const struct mete_part part = {METE_INPUT, call.nano > 0 ? call.nano : 0};
    const struct mete_details details = {
        .tariff = {call.tariff, strlen(call.tariff)}, .parts = &part, .parts_len = !call.untold};
    uint8_t packed[DETAILS_MAX];
    struct records_usage record = {
        .seq = ++place->seq,
        .reservation = call.corrects ? call.corrects : place->seq,
        .corrects = call.corrects,
        .scope = {1},
        .organization = {1},
        .model = slice_of(call.model),
        .details = {(const char *)packed, details_write(&details, packed)},
        .started_us = (int64_t)place->seq,
        .ended_us = (int64_t)place->seq,
        .state = METE_COMMITTED,
        .usage = usage,
        .usage_len = 2,
        .outcome = {.ending = METE_ENDED_OK,
                    .flags = call.provisional ? METE_OUTCOME_PROVISIONAL : 0}};
    assert_int_equal(records_put_usage(place->records, &record), 0);
    return place->seq;
}

static const struct price_model *price(void *user, struct mete_scope_id organization,
                                       struct slice provider, struct slice model, bool relayed)
{
    const struct place *place = user;
    assert_int_equal(organization.n, 1);
    assert_true(!provider.len && !relayed);
    return slice_starts(model, SLICE_LITERAL("m"))
               ? pricing_listed(place->pricing, SLICE_LITERAL("m"))
               : NULL;
}

static json_t *ask(struct place *place, int64_t from_us, int64_t to_us)
{
    struct buffer out;
    if (place->records) {
        assert_int_equal(records_end(place->records, place->seq), 0);
        records_close(place->records);
        place->records = NULL;
        assert_int_equal(records_reader_open(os_system(), place->path, &place->reader), 0);
    }
    const struct reports_rerate question = {
        .from_us = from_us, .to_us = to_us, .price = price, .user = place};
    buffer_init(&out, 4 << 20);
    assert_int_equal(buffer_text(&out, "{"), 0);
    assert_int_equal(reports_rerate(place->reader, &question, &out), 0);
    assert_int_equal(buffer_text(&out, "}"), 0);
    json_t *reply = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(reply);
    buffer_done(&out);
    return reply;
}

static const char *text(json_t *reply, const char *list, size_t i, const char *member)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(reply, list), i), member));
}

static json_int_t count(json_t *reply, const char *member)
{
    return json_integer_value(json_object_get(reply, member));
}

static void each_call_is_rated_once_over_all_pages(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 2500; i++)
        put(place, (struct call){"m", i % 2 ? "standard" : "batch", 1000, i % 2 ? 1000000 : 500000,
                                 0, false, false});
    json_t *reply = ask(place, 0, 0);
    assert_int_equal(count(reply, "calls"), 2500);
    assert_int_equal(count(reply, "approximate"), 0);
    assert_string_equal(text(reply, "totals", 0, "old_cost"), "1.875");
    assert_string_equal(text(reply, "totals", 0, "new_cost"), "1.875");
    assert_string_equal(text(reply, "models", 0, "difference"), "0.00");
    json_decref(reply);
    reply = ask(place, 1001, 2001);
    assert_int_equal(count(reply, "calls"), 1000);
    json_decref(reply);
}

/* 1 nano-unit of a half each: rounded for itself, half to even. */
static void each_call_is_rounded_for_itself(void **state)
{
    struct place *place = *state;
    const struct pricing_row row = {
        .name = SLICE_LITERAL("m"),
        .per_million = {
            [PRICE_INPUT] = SLICE_LITERAL("0.0015"), [PRICE_OUTPUT] = SLICE_LITERAL("0")}};
    assert_int_equal(pricing_put(place->pricing, &row), 0);
    for (int i = 0; i < 10; i++)
        put(place, (struct call){"m", "", 1, 2, 0, false, false});
    json_t *reply = ask(place, 0, 0);
    assert_string_equal(text(reply, "totals", 0, "new_cost"), "0.00000002");
    json_decref(reply);
}

static void a_correction_is_part_of_its_call(void **state)
{
    struct place *place = *state;
    uint64_t first = put(place, (struct call){"m", "", 5000, 9000000, 0, true, true});
    for (int i = 0; i < 1500; i++)
        put(place, (struct call){"m", "standard", 1000, 1000000, 0, false, false});
    put(place, (struct call){"m", "batch", -1000, -7000000, first, false, false});
    uint64_t open = put(place, (struct call){"m", "", 5000, 9000000, 0, true, true});
    json_t *reply = ask(place, 0, 0);
    assert_int_equal(count(reply, "calls"), 1502);
    assert_int_equal(count(reply, "rated"), 1501);
    assert_string_equal(text(reply, "totals", 0, "old_cost"), "1.502");
    assert_string_equal(text(reply, "totals", 0, "new_cost"), "1.502"); /* 4000 at 0.5 */
    assert_string_equal(text(reply, "unrated", 0, "why"), "not_by_usage");
    assert_string_equal(text(reply, "unrated", 0, "cost"), "0.009");
    json_decref(reply);
    reply = ask(place, (int64_t)first, (int64_t)first + 1); /* whenever it came */
    assert_string_equal(text(reply, "totals", 0, "old_cost"), "0.002");
    json_decref(reply);
    reply = ask(place, (int64_t)open - 1, (int64_t)open); /* the correction, without its call */
    assert_int_equal(count(reply, "calls"), 0);
    json_decref(reply);
}

static void more_models_than_are_told_apart_are_told_together(void **state)
{
    struct place *place = *state;
    char name[32];
    int models = REPORTS_RERATE_MODELS + 500;
    for (int i = 0; i < models; i++) {
        snprintf(name, sizeof name, "%s-%05d", i % 2 ? "m" : "unknown", i);
        put(place, (struct call){name, "standard", 1000, 1000000, 0, false, false});
    }
    json_t *reply = ask(place, 0, 0);
    assert_int_equal(count(reply, "calls"), models);
    assert_int_equal(count(reply, "rated"), models / 2);
    assert_true(json_is_null(
        json_object_get(json_array_get(json_object_get(reply, "models"), 0), "model")));
    json_int_t calls = 0;
    for (int list = 0; list < 2; list++) {
        json_t *all = json_object_get(reply, list ? "models" : "unrated"), *each;
        size_t i;
        json_array_foreach(all, i, each) calls += count(each, "calls");
        assert_true(json_array_size(all) < REPORTS_RERATE_MODELS);
    }
    assert_int_equal(calls, models);
    json_decref(reply);
}

static void a_tariff_reads_back(void **state)
{
    const struct place *place = *state;
    const struct price_model *tiered = pricing_listed(place->pricing, SLICE_LITERAL("m"));
    const struct price_model *plain = pricing_listed(place->pricing, SLICE_LITERAL("gpt-4"));
    char room[TARIFF_TEXT_ROOM];
    assert_int_equal(tariff_text_write(plain, &(struct pricing_usage){0}, room), 0);
    const struct {
        struct pricing_usage usage;
        const char *text;
    } all[] = {
        {{.service = PRICE_STANDARD}, "standard"},
        {{.service = PRICE_BATCH}, "batch"},
        {{.flat = true}, "flat"},
        {{.grade = {PRICE_QUALITY_HD, 1024, 1792}}, "standard hd 1024x1792"},
        {{.grade = {PRICE_QUALITY_UNSAID, 9999, 9999}}, "standard - 9999x9999"},
        {{.service = PRICE_PRIORITY, .grade = {PRICE_QUALITY_ANY, 0, 0}}, "priority any -"},
        {{.grade = {PRICE_QUALITY_STANDARD, PRICE_SIDE_ANY, PRICE_SIDE_ANY}},
         "standard standard any"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct pricing_usage back = {.input = 7};
        size_t len = tariff_text_write(tiered, &all[i].usage, room);
        assert_string_equal(room, all[i].text);
        assert_true(tariff_text_read((struct slice){room, len}, &back));
        assert_int_equal(back.input, 7);
        assert_int_equal(back.service, all[i].usage.service);
        assert_int_equal(back.flat, all[i].usage.flat);
        assert_memory_equal(&back.grade, &all[i].usage.grade, sizeof back.grade);
    }
    struct pricing_usage back;
    assert_false(tariff_text_read(SLICE_LITERAL("tomorrow"), &back));
    assert_false(tariff_text_read(SLICE_LITERAL("batch hd 1x1 more"), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_call_is_rated_once_over_all_pages, begin, end),
        cmocka_unit_test_setup_teardown(each_call_is_rounded_for_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_correction_is_part_of_its_call, begin, end),
        cmocka_unit_test_setup_teardown(more_models_than_are_told_apart_are_told_together, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_tariff_reads_back, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
