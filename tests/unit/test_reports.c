/* SPDX-License-Identifier: Apache-2.0
 * Proves that a record is shown with every member of its contract and the right value in each, that
 * what is absent is null, that pages meet without a gap, and that one organization's filter shows
 * nobody else's. How: small real records, answers read back with another JSON parser. */
#include "base/details.h"
#include "reports/reports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

enum { ACME = 1, RESEARCH = 2, ADA = 3, KEY = 4, OTHER = 5, CALLS = 7 };

struct place {
    char path[64];
    struct records_reader *reader;
};

static void put_scope(struct records *records, int kind, uint32_t handle, const char *id)
{
    struct records_entity entity = {.kind = kind, .handle = handle, .id = slice_of(id), .seq = 1};
    entity.organization.n = handle == ACME || handle == OTHER ? 0 : ACME;
    assert_int_equal(records_put_entity(records, &entity), 0);
}

#define MINUTES(n) ((n)*INT64_C(60000000))

static void put_call(struct records *records, const struct records_usage *call)
{
    assert_int_equal(records_put_usage(records, call), 0);
}

static void put_calls(struct records *records)
{
    const struct mete_usage full[] = {
        {METE_COST, METE_USD, 1234567890}, {METE_INPUT, 0, 1000},    {METE_CACHED_INPUT, 0, 400},
        {METE_CACHE_WRITE, 0, 100},        {METE_OUTPUT, 0, 50},     {METE_REASONING, 0, 20},
        {METE_TOTAL_TOKENS, 0, 1050},      {METE_REQUESTS, 0, 1},    {METE_CACHE_WRITE_1H, 0, 60},
        {METE_AUDIO_INPUT, 0, 7},          {METE_IMAGE_INPUT, 0, 8}, {METE_AUDIO_OUTPUT, 0, 9},
        {METE_IMAGE_OUTPUT, 0, 3},         {METE_SEARCHES, 0, 2}};
    static uint8_t packed[DETAILS_MAX];
    const struct mete_part parts[] = {{METE_INPUT, 600000000},
                                      {METE_CACHED_INPUT, 34567890},
                                      {METE_REASONING, 400000000},
                                      {METE_OUTPUT, 199999999},
                                      {METE_SEARCHES, 1}};
    const struct mete_details details = {.model = {"gpt-4o-2024-08-06", 17},
                                         .upstream_id = {"chatcmpl-1", 10},
                                         .actor = {"token:acme/st_1", 15},
                                         .dialect = {"openai-chat", 11},
                                         .tariff = {"batch", 5},
                                         .stream = 1,
                                         .has_confidence = 1,
                                         .confidence_ppm = 875000,
                                         .parts = parts,
                                         .parts_len = 5};
    struct records_usage call = {.seq = 10,
                                 .reservation = 9,
                                 .scope = {KEY},
                                 .organization = {ACME},
                                 .department = {RESEARCH},
                                 .user = {ADA},
                                 .key = {KEY},
                                 .request_id = SLICE_LITERAL("r\"1"),
                                 .session = SLICE_LITERAL("chat 7"),
                                 .tags = SLICE_LITERAL("blue\nteam \"a\""),
                                 .fingerprint = 0xab,
                                 .details = {(const char *)packed, details_write(&details, packed)},
                                 .model = SLICE_LITERAL("gpt-4o"),
                                 .provider = SLICE_LITERAL("openai"),
                                 .started_us = MINUTES(1),
                                 .ended_us = MINUTES(2) + 250000,
                                 .state = METE_COMMITTED,
                                 .overrun = 1,
                                 .usage = full,
                                 .usage_len = sizeof full / sizeof full[0],
                                 .outcome = {.ending = METE_ENDED_CLIENT_GONE,
                                             .flags = METE_OUTCOME_COUNTED,
                                             .status = 200,
                                             .attempts = 1,
                                             .latency_ms = 812,
                                             .first_token_ms = 90,
                                             .price_list = {"builtin-2026-07-24", 18},
                                             .note = {"{\"tags\":[\"a\"]}", 14}}};
    put_call(records, &call);
    struct records_usage bare = {.seq = 11,
                                 .scope = {ACME},
                                 .organization = {ACME},
                                 .started_us = MINUTES(3),
                                 .ended_us = MINUTES(3),
                                 .state = METE_RELEASED,
                                 .outcome = {.ending = METE_ENDED_NOT_SENT, .note = {"{]", 2}}};
    put_call(records, &bare);
    for (uint64_t i = 0; i < CALLS; i++) {
        struct records_usage more = call;
        more.seq = 20 + i;
        more.usage_len = 5;
        more.started_us = more.ended_us = MINUTES(10 + (int64_t)i);
        more.organization.n = more.scope.n = i % 2 ? ACME : OTHER;
        more.department.n = more.user.n = more.key.n = 0;
        put_call(records, &more);
    }
}

static int begin(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    snprintf(place->path, sizeof place->path, "/tmp/mete-reports-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    struct records *records = NULL;
    assert_int_equal(records_open(os_system(), place->path, &records), 0);
    assert_int_equal(records_begin(records), 0);
    put_scope(records, METE_ORGANIZATION, ACME, "acme");
    put_scope(records, METE_DEPARTMENT, RESEARCH, "research");
    put_scope(records, METE_USER, ADA, "ada");
    put_scope(records, METE_API_KEY, KEY, "key_0123456789ab");
    put_scope(records, METE_ORGANIZATION, OTHER, "other");
    put_calls(records);
    assert_int_equal(records_end(records, 30), 0);
    records_close(records);
    assert_int_equal(records_reader_open(os_system(), place->path, &place->reader), 0);
    *state = place;
    return 0;
}

static int end(void **state)
{
    struct place *place = *state;
    records_reader_close(place->reader);
    const char *const files[] = {"records.db", "records.db-wal", "records.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char file[128];
        snprintf(file, sizeof file, "%s/%s", place->path, files[i]);
        remove(file);
    }
    int rc = rmdir(place->path);
    free(place);
    return rc;
}

static json_t *ask(const struct place *place, struct records_filter filter)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(reports_records(place->reader, &filter, false, &out), 0);
    json_t *page = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(page);
    buffer_done(&out);
    return page;
}

/* JSON written with ' for ", and ` for an escaped ". */
static json_t *quoted(const char *text)
{
    char room[2048];
    size_t len = 0;
    for (; *text; text++) {
        assert_true(len + 2 < sizeof room);
        if (*text == '`')
            room[len++] = '\\';
        room[len++] = *text == '\'' || *text == '`' ? '"' : *text;
    }
    json_t *value = json_loadb(room, len, 0, NULL);
    assert_non_null(value);
    return value;
}

static void is_record(json_t *page, size_t i, const char *text)
{
    json_t *expected = quoted(text);
    assert_true(json_equal(json_array_get(json_object_get(page, "data"), i), expected));
    json_decref(expected);
}

static void a_record_shows_every_member(void **state)
{
    json_t *page = ask(*state, (struct records_filter){.before_seq = 11, .limit = 5});
    is_record(page, 0,
              "{'id':'rec_10','request_id':'r`1','organization':'acme','department':'research',"
              "'user':'ada','api_key':'key_0123456789ab','actor':'token:acme/st_1','session':'chat "
              "7','tags':['blue','team `a`'],"
              "'model':'gpt-4o','provider':'openai','model_response':'gpt-4o-2024-08-06',"
              "'upstream_id':'chatcmpl-1','dialect':'openai-chat','tariff':'batch','stream':true,"
              "'fingerprint':'00000000000000ab',"
              "'input_tokens':1000,'cached_input_tokens':400,'cache_write_tokens':100,"
              "'output_tokens':50,'reasoning_tokens':20,'total_tokens':1050,'requests':1,"
              "'cache_write_1h_tokens':60,'audio_input_tokens':7,'image_input_tokens':8,"
              "'audio_output_tokens':9,'image_output_tokens':3,'searches':2,"
              "'cost':'1.23456789','input_cost':'0.63456789','output_cost':'0.599999999',"
              "'other_cost':'0.000000001','costs':{'input':'0.60','cached_input':'0.03456789',"
              "'reasoning':'0.40','output':'0.199999999','searches':'0.000000001'},"
              "'currency':'USD','state':'committed','ending':'client_gone',"
              "'provisional':false,'counted':true,'overrun':true,'status':200,'attempts':1,"
              "'latency_ms':812,'first_token_ms':90,'price_list':'builtin-2026-07-24',"
              "'success':false,'cache_hit':true,'query_complexity':'medium','confidence':0.875,"
              "'corrects':null,'corrected_by':null,"
              "'started_at':'1970-01-01T00:01:00Z','ended_at':'1970-01-01T00:02:00.250000Z',"
              "'metadata':{'tags':['a']}}");
    assert_true(json_is_null(json_object_get(page, "next_cursor")));
    assert_int_equal(json_integer_value(json_object_get(page, "last_seq")), 30);
    json_decref(page);
}

static void what_is_absent_is_null_and_a_bad_note_is_not_pasted(void **state)
{
    json_t *page = ask(*state, (struct records_filter){.before_seq = 12, .limit = 1});
    is_record(page, 0,
              "{'id':'rec_11','request_id':null,'organization':'acme','department':null,"
              "'user':null,'api_key':null,'actor':null,'session':null,'tags':[],'model':null,'"
              "provider':null,"
              "'model_response':null,'upstream_id':null,'dialect':null,'tariff':null,'stream':null,"
              "'fingerprint':null,"
              "'input_tokens':0,'cached_input_tokens':0,'cache_write_tokens':0,"
              "'output_tokens':0,'reasoning_tokens':0,'total_tokens':0,'requests':0,"
              "'cost':'0.00','input_cost':null,'output_cost':null,'other_cost':'0.00',"
              "'costs':null,'currency':null,'state':'released','ending':'not_sent',"
              "'provisional':false,'counted':false,'overrun':false,'status':null,'attempts':0,"
              "'latency_ms':0,'first_token_ms':null,'price_list':null,"
              "'success':false,'cache_hit':false,'query_complexity':null,'confidence':null,"
              "'corrects':null,'corrected_by':null,"
              "'started_at':'1970-01-01T00:03:00Z','ended_at':'1970-01-01T00:03:00Z',"
              "'metadata':null}");
    json_decref(page);
}

static json_t *show(const struct place *place, const struct records_usage *usage)
{
    struct buffer out;
    buffer_init(&out, 1 << 16);
    assert_int_equal(reports_record_json(place->reader, usage, true, &out), 0);
    json_t *record = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(record);
    buffer_done(&out);
    return record;
}

static void says(const struct place *place, const struct records_usage *usage, const char *member,
                 const char *wanted)
{
    json_t *record = show(place, usage), *expected = quoted(wanted);
    char *got = json_dumps(json_object_get(record, member), JSON_ENCODE_ANY);
    if (!json_equal(json_object_get(record, member), json_array_get(expected, 0)))
        fail_msg("%s is %s, not %s", member, got, wanted);
    free(got);
    json_decref(record);
    json_decref(expected);
}

static void a_question_is_small_medium_or_large_by_its_input(void **state)
{
    static const struct {
        int64_t input;
        const char *is;
    } sizes[] = {{0, "['small']"},     {999, "['small']"},   {1000, "['medium']"},
                 {9999, "['medium']"}, {10000, "['large']"}, {METE_AMOUNT_MAX, "['large']"}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct mete_usage usage = {METE_INPUT, 0, sizes[i].input};
        struct records_usage call = {.seq = 1, .usage = &usage, .usage_len = 1};
        says(*state, &call, "query_complexity", sizes[i].is);
        call.corrects = 9; /* a difference says nothing of it */
        says(*state, &call, "query_complexity", "[null]");
    }
}

static void success_is_an_end_as_it_should_be_without_an_error_status(void **state)
{
    struct records_usage call = {.seq = 1, .outcome = {.status = 200}};
    for (int ending = 0; ending < METE_ENDINGS; ending++) {
        bool may = ending == METE_ENDED_OK || ending == METE_ENDED_RECORDED;
        call.outcome.ending = (enum mete_ending)ending;
        call.outcome.status = 399;
        says(*state, &call, "success", may ? "[true]" : "[false]");
        call.outcome.status = 400;
        says(*state, &call, "success", "[false]");
        call.outcome.status = 0;
        says(*state, &call, "success", may ? "[true]" : "[false]");
    }
}

/* What a correction takes back is in no part of it. */
static void the_costs_of_a_correction_are_the_true_ones_and_what_it_takes_back(void **state)
{
    uint8_t packed[DETAILS_MAX];
    const struct mete_part parts[] = {{METE_INPUT, 100000000}, {METE_OUTPUT, 200000000}};
    const struct mete_details details = {.parts = parts, .parts_len = 2};
    const struct mete_usage usage = {METE_COST, METE_USD, -700000000};
    const struct records_usage call = {
        .seq = 1,
        .corrects = 9,
        .usage = &usage,
        .usage_len = 1,
        .details = {(const char *)packed, details_write(&details, packed)}};
    says(*state, &call, "cost", "['-0.70']");
    says(*state, &call, "input_cost", "['0.10']");
    says(*state, &call, "output_cost", "['0.20']");
    says(*state, &call, "other_cost", "['-1.00']");
}

static void damaged_details_are_found(void **state)
{
    const struct place *place = *state;
    const struct records_usage call = {.seq = 1, .details = {"\x40", 1}};
    struct buffer out;
    buffer_init(&out, 1 << 16);
    assert_int_equal(reports_record_json(place->reader, &call, true, &out), METE_E_CORRUPT);
    assert_int_equal(out.len, 0);
    buffer_done(&out);
}

static void every_ending_is_found_by_its_name(void **state)
{
    (void)state;
    assert_int_equal(reports_ending(SLICE_LITERAL("ok")), METE_ENDED_OK);
    assert_int_equal(reports_ending(SLICE_LITERAL("recorded")), METE_ENDED_RECORDED);
    assert_int_equal(reports_ending(SLICE_LITERAL("nonsense")), METE_ENDINGS);
    assert_int_equal(reports_ending((struct slice){0}), METE_ENDINGS);
}

static void total_tokens_that_were_not_metered_are_the_sum(void **state)
{
    json_t *page = ask(*state, (struct records_filter){.limit = 1});
    json_t *record = json_array_get(json_object_get(page, "data"), 0);
    assert_int_equal(json_integer_value(json_object_get(record, "total_tokens")), 1050);
    assert_int_equal(json_integer_value(json_object_get(record, "requests")), 0);
    json_decref(page);
}

/* Follows the cursor and adds up how many records there are; each must be older than the last. */
static size_t walk(const struct place *place, struct records_filter filter, const char *only)
{
    size_t count = 0;
    unsigned long long last = 1000;
    for (;;) {
        json_t *page = ask(place, filter), *record;
        size_t i, len = json_array_size(json_object_get(page, "data"));
        assert_true(len <= filter.limit);
        json_array_foreach(json_object_get(page, "data"), i, record)
        {
            const char *id = json_string_value(json_object_get(record, "id"));
            unsigned long long seq = strtoull(id + 4, NULL, 10);
            assert_true(seq < last);
            last = seq;
            if (only)
                assert_string_equal(json_string_value(json_object_get(record, "organization")),
                                    only);
        }
        count += len;
        const char *cursor = json_string_value(json_object_get(page, "next_cursor"));
        filter.before_seq = cursor ? strtoull(cursor, NULL, 10) : 0;
        json_decref(page);
        if (!filter.before_seq)
            return count;
        assert_int_equal(len, filter.limit);
    }
}

static void pages_meet_without_a_gap(void **state)
{
    for (size_t limit = 1; limit <= CALLS + 3; limit++)
        assert_int_equal(walk(*state, (struct records_filter){.limit = limit}, NULL), CALLS + 2);
}

static void a_filter_shows_one_organization(void **state)
{
    struct records_filter filter = {.scope = {ACME}, .limit = 2};
    assert_int_equal(walk(*state, filter, "acme"), 2 + CALLS / 2);
    filter.scope.n = OTHER;
    assert_int_equal(walk(*state, filter, "other"), CALLS - CALLS / 2);
    filter.request_id = SLICE_LITERAL("nobody's");
    assert_int_equal(walk(*state, filter, "other"), 0);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
    const struct place *place = *state;
    struct records_filter filter = {.limit = 5};
    struct buffer out;
    buffer_init(&out, 1000);
    assert_int_equal(buffer_text(&out, "before"), 0);
    assert_int_equal(reports_records(place->reader, &filter, false, &out), METE_E_TOO_LARGE);
    assert_true(slice_is(buffer_slice(&out), "before"));
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_shows_every_member, begin, end),
        cmocka_unit_test_setup_teardown(what_is_absent_is_null_and_a_bad_note_is_not_pasted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(total_tokens_that_were_not_metered_are_the_sum, begin, end),
        cmocka_unit_test_setup_teardown(a_question_is_small_medium_or_large_by_its_input, begin,
                                        end),
        cmocka_unit_test_setup_teardown(success_is_an_end_as_it_should_be_without_an_error_status,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            the_costs_of_a_correction_are_the_true_ones_and_what_it_takes_back, begin, end),
        cmocka_unit_test_setup_teardown(damaged_details_are_found, begin, end),
        cmocka_unit_test(every_ending_is_found_by_its_name),
        cmocka_unit_test_setup_teardown(pages_meet_without_a_gap, begin, end),
        cmocka_unit_test_setup_teardown(a_filter_shows_one_organization, begin, end),
        cmocka_unit_test_setup_teardown(a_full_buffer_is_left_as_it_was, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
